// SPDX-License-Identifier: GPL-2.0-or-later
/* The mounts of passed.h. */
#include "passed.h"
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void format(char *cmd, size_t size, const char *fmt, va_list ap)
{
	if (vsnprintf(cmd, size, fmt, ap) >= (int)size)
		FAIL("a command is too long: %s", cmd);
}

int shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	format(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

void run(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	format(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		FAIL("failed: %s", cmd);
}

const char *line_of(const char *fmt, ...)
{
	static char line[1024];
	char cmd[1024];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	format(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	f = popen(cmd, "r");
	CHECK(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	pclose(f);
	return line;
}

void mount_passed(const char *source, const char *mnt, const char *options)
{
	mkdir(mnt, 0755);
	run("fusepass mount --policy mirror %s %s %s", options, source, mnt);
}

void mount_both(void)
{
	OK(mkdir("n", 0755));
	OK(mkdir("b", 0755));
	mount_passed("b", "m", "");
}

long asked(const char *mnt)
{
	const char *n = line_of("fusepass stat %s | awk 'NR > 1 && $2 ~ /^[0-9]+$/ &&"
				" $1 !~ /^(total|(BATCH_)?FORGET|INTERRUPT)$/ { n += $2; seen = 1 }"
				" $1 == \"OPERATION\" { seen = 1 } END { if (seen) print n + 0 }'",
				mnt);

	/* No table at all is not "nothing". */
	if (!n[0])
		FAIL("the server of %s does not say what it was asked", mnt);
	return atol(n);
}

void asked_reset(const char *mnt)
{
	run("fusepass stat --reset %s >/dev/null", mnt);
}

void expect_silence_of(const char *mnt)
{
	if (!asked(mnt))
		return;
	run("fusepass stat %s | sed 's/^/# /'", mnt);
	FAIL("the server of %s was asked", mnt);
}

void make_disk(const char *type, const char *mkfs_options, unsigned int mbytes,
	       const char *at, const char *options)
{
	if (shell("grep -qw %s /proc/filesystems && command -v mkfs.%s >/dev/null",
		  type, type))
		test_skip("no %s in this kernel, or no mkfs.%s", type, type);
	OK(mkdir(at, 0755));
	run("truncate -s %uM %s.img && mkfs.%s %s %s.img >/dev/null 2>&1 &&"
	    " mount -o loop%s %s.img %s", mbytes, at, type, mkfs_options, at,
	    options, at, at);
}
