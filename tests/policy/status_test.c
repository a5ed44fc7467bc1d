// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output of the commands of a policy from outside: fusectl, fdinfo, trace points, bpftool.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

/* Output of a shell command, NUL terminated, in a static buffer. */
static const char *output_of(const char *fmt, ...)
{
	static char out[65536];
	char cmd[1024];
	va_list ap;
	FILE *f;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	f = popen(cmd, "r");
	CHECK(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	if (pclose(f))
		FAIL("%s: failed: %.200s", cmd, out);
	return out;
}

static void expect_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		FAIL("\"%s\" is not in: %.600s", part, text);
}

/* Output of the commands from outside */

TEST(fusectl_file_tells_about_the_policy)
{
	struct rf *rf = mount_tree();
	struct bpf_link_info info = { 0 };
	unsigned int len = sizeof(info), map_id;
	struct pol *p;
	char value[64];

	CHECK(policy_is(rf, "none"));
	EQ(rf_policy_number(rf, "link"), 0);
	p = pol_attach(rf, 0);
	CHECK(policy_is(rf, "rules"));
	OK(bpf_link_get_info_by_fd(bpf_link__fd(p->link), &info, &len));
	EQ(rf_policy_number(rf, "link"), info.id);
	/* The union begins with it; older headers do not name it. */
	memcpy(&map_id, (char *)&info + offsetof(struct bpf_link_info,
						 raw_tracepoint), sizeof(map_id));
	EQ(rf_policy_number(rf, "map"), map_id);
	CHECK(rf_policy_number(rf, "generation") >= 1);
	pol_rule(p, "g", FUSEPASS_SERVER);
	pol_rule(p, "l", -EACCES);
	pol_rule(p, "p", 99);
	OK(lookup("m/f"));
	OK(lookup("m/g"));
	ERR(lookup("m/l"), EACCES);
	OK(lookup("m/p"));
	CHECK(rf_policy_number(rf, "verdict pass") >= 1);
	EQ(rf_policy_number(rf, "verdict server"), 1);
	EQ(rf_policy_number(rf, "verdict error"), 1);
	EQ(rf_policy_number(rf, "verdict invalid"), 1);
	CHECK(rf_policy_line(rf, "fallback busy", value, sizeof(value)));
	CHECK(rf_policy_line(rf, "fallback backing", value, sizeof(value)));
	pol_detach(p);
	CHECK(policy_is(rf, "none"));
	EQ(rf_policy_number(rf, "link"), 0);
}

static long op_count(struct rf *rf, const char *op, const char *what)
{
	char key[64], value[128], *at;

	snprintf(key, sizeof(key), "op %s", op);
	if (!rf_policy_line(rf, key, value, sizeof(value)))
		return 0;
	at = strstr(value, what);
	return at ? atol(at + strlen(what)) : 0;
}

TEST(fusectl_file_counts_what_passed_and_what_was_asked)
{
	struct rf *rf = mount_tree();
	struct pol *p;
	long asked, passed;

	OK(lookup("m/f"));
	asked = op_count(rf, "LOOKUP", "asked ");
	CHECK(asked >= 1);
	EQ(op_count(rf, "LOOKUP", "passed "), 0);
	p = pol_attach(rf, 0);
	pol_rule(p, "g", FUSEPASS_SERVER);
	use_tree();
	passed = op_count(rf, "LOOKUP", "passed ");
	CHECK(passed >= 5);
	CHECK(op_count(rf, "GETATTR", "passed ") >= 1);
	CHECK(op_count(rf, "OPEN", "passed ") >= 1);
	CHECK(op_count(rf, "READ", "passed ") >= 1);
	CHECK(op_count(rf, "READDIR", "passed ") >= 1);
	EQ(op_count(rf, "LOOKUP", "asked "), asked);
	OK(lookup("m/g"));
	CHECK(op_count(rf, "LOOKUP", "asked ") > asked);
}

static int read_as_user(void *path)
{
	ERR(open(path, O_RDONLY), EACCES);
	return 0;
}

TEST(fusectl_file_is_for_its_owner_only)
{
	struct rf *rf = mount_tree();
	char path[64];

	snprintf(path, sizeof(path), "/sys/fs/%s/connections/%u/policy",
		 fuse_name(), rf_connection(rf));
	EQ(stat_of(path).st_mode & 07777, 0400);
	EQ(as_uid(1000, read_as_user, path), 0);
}

TEST_FLAGS(fdinfo_of_the_device_names_the_policy, T_QUICK)
{
	struct rf *rf = mount_tree();
	char path[64], line[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", rf->dev);
	snprintf(line, sizeof(line), "fuse_connection:\t%u\n",
		 rf_connection(rf));
	CHECK(!strstr(get_file(path), "fuse_policy:"));
	pol_attach(rf, 0);
	expect_text(get_file(path), line);
	expect_text(get_file(path), "fuse_policy:\trules\n");
}

#define TRACING "/sys/kernel/tracing/"

static void trace(const char *event, const char *on)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "events/%s/%s/enable",
		 fuse_name(), event);
	if (access(path, W_OK))
		FAIL("no tracepoint %s", event);
	set_sysctl(path, on);
}

TEST(tracepoints_fire)
{
	static const char *const events[] = {
		"fuse_policy_attach", "fuse_policy_detach",
		"fuse_policy_verdict", "fuse_policy_fallback",
	};
	struct rf *rf = mount_tree();
	const char *text;
	struct pol *p;
	char c;
	int fd = OK(open("m/f", O_RDONLY));

	EQ(read(fd, &c, 1), 1);
	set_sysctl(TRACING "trace", "");
	close(OK(open(TRACING "trace", O_WRONLY | O_TRUNC)));
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		trace(events[i], "1");
	p = pol_attach(rf, 0);
	OK(lookup("m/g"));
	OK(lookup("m/f"));
	pol_detach(p);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		trace(events[i], "0");
	text = get_file(TRACING "trace");
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		expect_text(text, events[i]);
	expect_text(text, "rules");
	expect_text(text, "busy");
}

TEST(bpftool_shows_the_policy)
{
	struct rf *rf = mount_tree();
	char text[64], connection[64];
	int mount_fd = open_path("m");
	struct pol *p;

	if (system("bpftool version >/dev/null 2>&1"))
		test_skip("no bpftool");
	p = pol_open(NULL, mount_fd, rf->root, rf_connection(rf), 0);
	pol_load(p);
	EQ(pol_try_attach(p), 0);
	expect_text(output_of("bpftool struct_ops list"), "rules");
	expect_text(output_of("bpftool struct_ops list"), "fuse_policy_ops");
	snprintf(text, sizeof(text), "%ld: struct_ops",
		 rf_policy_number(rf, "link"));
	expect_text(output_of("bpftool link list"), text);
	expect_text(output_of("bpftool prog list"), "rules_lookup");
	snprintf(connection, sizeof(connection), "\"connection\": %u,",
		 rf_connection(rf));
	expect_text(output_of("bpftool struct_ops dump name rules"),
		    "\"name\": \"rules\"");
	expect_text(output_of("bpftool struct_ops dump name rules"), connection);
	EQ(bpf_link__destroy(p->link), 0);
	CHECK(!strstr(output_of("bpftool link list"), text));
}
