// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines of tap.h. */
#include "tap.h"

#include <stdio.h>
#include <unistd.h>

static int count, failed;

void tap_line(const char *head, const char *fmt, va_list ap)
{
	char line[8192];
	int n = snprintf(line, sizeof(line), "%s", head);

	n += vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) < 0)
		_exit(2);
}

void tap(bool good, const char *name, const char *comment, ...)
{
	char head[300];
	va_list ap;

	failed += !good;
	snprintf(head, sizeof(head), "%sok %d - %s%s", good ? "" : "not ", ++count, name,
		 comment ? " # " : "");
	va_start(ap, comment);
	tap_line(head, comment ? comment : "", ap);
	va_end(ap);
}

void tap_skip(const char *name, const char *reason)
{
	tap(true, name, "SKIP %s", reason);
}

int tap_count(void)
{
	return count;
}

int tap_done(void)
{
	printf("1..%d\n", count);
	return failed != 0;
}
