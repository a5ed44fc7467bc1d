// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decisions that a policy stages besides its verdict: the mask, the cookie, the time that it
 * holds, another backing object. And decisions that cannot be applied.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Masks, cookies and times */

TEST(set_ops_chooses_what_passes)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	r = rule_ops(p, "f", RF_OPS & ~(RF_OP_GETATTR | RF_OP_STATX));
	rf_reset(rf);
	OK(lookup("m/f"));
	CHECK(rf_count(rf, FUSE_GETATTR) >= 1);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	EQ(r->result, 0);
	CHECK(file_is("m/f", "file f\n"));
	EQ(rf_count(rf, FUSE_READ), 0);
}

static void write_at_the_server(struct rf *rf, const char *text)
{
	int fd = OK(open("m/f", O_WRONLY | O_TRUNC));

	rf_reset(rf);
	EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	EQ(rf_count(rf, FUSE_WRITE), 1);
	close(fd);
}

static int run_script(void *path)
{
	char *argv[] = { path, NULL };

	execv(path, argv);
	return errno;
}

/* The server closes its file some time after close(2). */
TEST(file_is_free_of_writers_when_one_that_the_server_wrote_is_closed)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	int fd;

	rf_make_tree();
	OK(chmod("b/f", 0755));
	conf.release_delay_ms = 100;
	/* A child would have the file of a thread open as well. */
	conf.process = true;
	rf = rf_mount(NULL, &conf);
	rule_ops(pol_attach(rf, 0), "f", RF_OPS & ~RF_OP_WRITE);
	for (int i = 0; i < 3; i++) {
		write_at_the_server(rf, "#!/bin/sh\nexit 42\n");
		EQ(in_child(run_script, "m/f"), 42);
		EQ(rf_count(rf, FUSE_RELEASE), 1);
		fd = OK(open("m/f", O_RDONLY));
		write_at_the_server(rf, "text\n");
		OK(fcntl(fd, F_SETLEASE, F_RDLCK));
		EQ(rf_count(rf, FUSE_RELEASE), 1);
		close(fd);
	}
	fd = OK(open("b/f", O_WRONLY));
	EQ(in_child(run_script, "m/f"), ETXTBSY);
	close(fd);
}

TEST(set_ops_of_a_directory_is_the_default_beneath)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_ops(p, "d", RF_OPS & ~(RF_OP_GETATTR | RF_OP_STATX));
	rf_reset(rf);
	OK(lookup("m/d/x/y"));
	CHECK(rf_count(rf, FUSE_GETATTR) >= 1);
	rf_reset(rf);
	OK(lookup("m/g"));
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

TEST(set_ops_refuses_unknown_bits)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = rule_ops(p, "f", 0);

	for (int bit = 0; bit < 64; bit++) {
		bool known = RF_OPS & (1ULL << bit);

		r->ops = 1ULL << bit;
		OK(chmod("b/f", 0600));
		drop_caches();
		OK(lookup("m/f"));
		EQ(r->result, known ? 0 : -EINVAL);
	}
	/* The refused mask is not used: the default is. */
	r->ops = RF_OP_READ | 1ULL << 63;
	drop_caches();
	rf_reset(rf);
	OK(lookup("m/f"));
	EQ(rf_count_all(rf), 0);
}

TEST(directory_ops_are_ignored_for_a_file)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = rule_ops(p, "", RF_OPS);

	rf_reset(rf);
	use_tree();
	EQ(rf_count_all(rf), 0);
	EQ(r->result, 0);
}

TEST(directory_without_lookup_leaves_its_names_to_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_ops(p, "d", RF_OPS & ~RF_OP_LOOKUP);
	rf_reset(rf);
	CHECK(file_is("m/d/x/y", "deep\n"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 2);
	EQ(pol_calls(p, "x", 0), 0);
}

TEST(cookie_is_seen_one_level_down)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_cookie(p, "d", 0x1234567890abcdefULL);
	OK(lookup("m/d/x/y"));
	EQ(pol_call(p, "d")->parent_cookie, 0);
	EQ(pol_call(p, "x")->parent_cookie, 0x1234567890abcdefULL);
	EQ(pol_call(p, "y")->parent_cookie, 0);
}

TEST(path_rule_costs_one_step_per_component)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	/* y is refused in d/x alone; each directory hands the state down. */
	OK(mkdir("b/x", 0755));
	put_file("b/x/y", "another\n", 0644);
	rule_cookie(p, "d", 100);
	rule_cookie(p, "x", 7)->set = RULE_ADD_COOKIE;
	pol_rule(p, "y", -EACCES)->parent_cookie = 107;
	ERR(lookup("m/d/x/y"), EACCES);
	OK(lookup("m/x/y"));
	EQ(pol_call(p, "y")->parent_cookie, 7);
}

TEST(cookie_of_the_root_is_seen_by_names_in_it)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_open(NULL, open_path("m"), rf->root, 0, 0);

	pol_load(p);
	rule_cookie(p, "", 42)->flags = POL_ROOT;
	EQ(pol_try_attach(p), 0);
	OK(lookup("m/f"));
	EQ(pol_call(p, "f")->parent_cookie, 42);
}

TEST(decision_is_kept_while_the_backing_name_is_unchanged)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	for (int i = 0; i < 5; i++)
		OK(lookup("m/f"));
	EQ(pol_calls(p, "f", 0), 1);
	OK(chmod("b/f", 0600));
	OK(lookup("m/f"));
	EQ(pol_calls(p, "f", 0), 1);
	OK(rename("b/f", "b/was_f"));
	OK(rename("b/was_f", "b/f"));
	OK(lookup("m/f"));
	CHECK(pol_calls(p, "f", 0) >= 1);
}

TEST(set_valid_limits_how_long_a_decision_holds)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = pol_rule(p, "f", 1), *g = pol_rule(p, "g", FUSEPASS_PASS);
	int calls;

	r->set = RULE_SET_VALID;
	r->valid = 200 * 1000 * 1000;
	g->set = RULE_SET_VALID;
	g->valid = 0;
	OK(lookup("m/f"));
	EQ(pol_calls(p, "f", 0), 1);
	usleep(300000);
	OK(lookup("m/f"));
	EQ(pol_calls(p, "f", 0), 2);
	for (int i = 0; i < 3; i++)
		OK(lookup("m/g"));
	EQ(pol_calls(p, "g", 0), 3);
	/* A decision that changed is applied. */
	r->verdict = -EACCES;
	usleep(300000);
	ERR(lookup("m/f"), EACCES);
	/* Many in a row do not run it each time. */
	r->verdict = 1;
	r->valid = 3600ULL * 1000 * 1000 * 1000;
	OK(lookup("m/f"));
	calls = pol_calls(p, "f", 0);
	for (int i = 0; i < 20; i++)
		OK(lookup("m/f"));
	EQ(pol_calls(p, "f", 0), calls);
}

/* Other backing objects */

TEST(registered_file_serves_another_name)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	r = rule_backing(p, "f", rf_register(rf, "b/g", RF_OPS & ~RF_OPS_DIR),
			 "");
	rf_reset(rf);
	CHECK(file_is("m/f", "file g, longer\n"));
	EQ(r->result, 0);
	EQ(stat_of("m/f").st_ino, stat_of("b/g").st_ino);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\n"));
}

TEST(name_beneath_a_registered_directory_serves_another_name)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	OK(mkdir("other", 0755));
	put_file("other/f2", "from elsewhere\n", 0644);
	r = rule_backing(p, "f", rf_register(rf, "other", RF_OPS), "f2");
	rf_reset(rf);
	CHECK(file_is("m/f", "from elsewhere\n"));
	EQ(r->result, 0);
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(backing_id_that_does_not_exist_falls_back_to_the_server, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = rule_backing(p, "f", 12345, "");

	expect_backing_fallback(rf);
	EQ(r->result, 0);
}

TEST(name_missing_beneath_a_registered_directory_does_not_pass)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int err;

	rule_backing(p, "f", rf_register(rf, "b/d", RF_OPS), "missing");
	/* Either answer is sound, bytes of another file are not. */
	err = lookup("m/f");
	if (err)
		EQ(errno, ENOENT);
	else
		CHECK(file_is("m/f", "file f\n"));
}

TEST(name_beneath_a_registered_file_falls_back_to_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_backing(p, "f", rf_register(rf, "b/g", RF_OP_GETATTR), "x");
	expect_backing_fallback(rf);
}

TEST(set_backing_refuses_what_is_no_name)
{
	static const char *const bad[] = { "a/b", "../f", "/" };
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int id = rf_register(rf, "b/d", RF_OPS);
	struct rule *r;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pol_clear(p);
		r = rule_backing(p, "f", id, bad[i]);
		drop_caches();
		OK(lookup("m/f"));
		EQ(r->hits, 1);
		EQ(r->result, -EINVAL);
	}
	for (int bad_id = -1; bad_id <= 0; bad_id++) {
		pol_clear(p);
		r = rule_backing(p, "f", bad_id, "");
		drop_caches();
		OK(lookup("m/f"));
		EQ(r->hits, 1);
		EQ(r->result, -EINVAL);
		CHECK(file_is("m/f", "file f\n"));
	}
}

TEST(set_backing_does_not_leave_the_registered_directory)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	static const char *const names[] = { "..", "." };
	int id = rf_register(rf, "b/d/x", RF_OPS);
	struct rule *r;
	long before;

	/* The parent of x is d, so the number of m/d would not tell. */
	OK(mkdir("b/e", 0755));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		pol_clear(p);
		r = rule_backing(p, "e", id, names[i]);
		drop_caches();
		before = rf_policy_number(rf, "fallback backing");
		rf_reset(rf);
		EQ(stat_of("m/e").st_ino, ino_of("b/e"));
		CHECK(r->hits >= 1);
		EQ(r->result, 0);
		CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
		CHECK(rf_policy_number(rf, "fallback backing") > before);
	}
	/* The converse: a name that is in it. */
	OK(mkdir("b/d/x/sub", 0755));
	pol_clear(p);
	r = rule_backing(p, "e", id, "sub");
	drop_caches();
	rf_reset(rf);
	EQ(stat_of("m/e").st_ino, ino_of("b/d/x/sub"));
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
}

TEST(nothing_stays_staged_after_an_error)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	r = rule_backing(p, "f", rf_register(rf, "b/g", RF_OP_GETATTR), "");
	r->verdict = -EACCES;
	ERR(lookup("m/f"), EACCES);
	pol_clear(p);
	CHECK(file_is("m/f", "file f\n"));
}

/* The backing tree is a private clone of its mount. */
TEST(directory_that_is_mounted_on_in_the_backing_tree_passes)
{
	struct rf *rf = mount_tree();

	OK(mount("t", "b/d/x", "tmpfs", 0, NULL));
	put_file("b/d/x/in_tmpfs", "tmpfs\n", 0644);
	pol_attach(rf, 0);
	rf_reset(rf);
	CHECK(file_is("m/d/x/y", "deep\n"));
	ERR(lookup("m/d/x/in_tmpfs"), ENOENT);
	OK(umount("b/d/x"));
	OK(mount("t", "b/d", "tmpfs", 0, NULL));
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(rf_count_all(rf), 0);
	EQ(rf_policy_number(rf, "fallback mount"), 0);
}

TEST(program_sees_the_object_that_a_mount_point_covers)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rules_call *c;
	struct stat st;

	OK(chown("b/d/x", 12, 34));
	OK(chmod("b/d/x", 0711));
	st = stat_of("b/d/x");
	OK(mount("t", "b/d/x", "tmpfs", 0, NULL));
	OK(lookup("m/d/x"));
	c = pol_call(p, "x");
	CHECK(c);
	expect_object(c, &st);
	EQ(c->uid, 12);
	EQ(c->gid, 34);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	/* A verdict that goes by them holds. */
	pol_rule(p, "x", -EACCES);
	drop_caches();
	ERR(lookup("m/d/x"), EACCES);
}

/* An overlay shows files of two file systems: those of the other one have numbers
 * that could be taken, or so large that the top bit is set. */

static void mount_overlay_of_two(const char *xino)
{
	char options[128];

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/other", "of another fs\n", 0644);
	OK(mkdir("u", 0755));
	OK(mkdir("w", 0755));
	OK(mkdir("o", 0755));
	OK(mkdir("u/dir", 0755));
	snprintf(options, sizeof(options),
		 "lowerdir=t,upperdir=u,workdir=w,xino=%s", xino);
	if (mount("overlay", "o", "overlay", 0, options)) {
		if (errno == ENODEV)
			test_skip("no overlayfs in this kernel");
		FAIL("overlay: %s", strerrorname_np(errno));
	}
}

static void expect_number_fallback(const char *xino)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	long before;

	mount_overlay_of_two(xino);
	conf.backing = "o";
	conf.max_stack_depth = 2;
	rf = rf_mount(NULL, &conf);
	pol_attach(rf, 0);
	rf_reset(rf);
	before = rf_policy_number(rf, "fallback number");
	CHECK(before >= 0);
	/* A directory of the overlay has a number of the overlay. */
	expect_same_stat("m/dir", "o/dir");
	EQ(rf_count_all(rf), 0);
	EQ(rf_policy_number(rf, "fallback number"), before);
	CHECK(file_is("m/other", "of another fs\n"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	CHECK(rf_count(rf, FUSE_READ) >= 1);
	CHECK(rf_policy_number(rf, "fallback number") > before);
	CHECK(dir_has("m", "other"));
}

TEST(number_of_another_device_goes_to_the_server)
{
	expect_number_fallback("off");
}

TEST(number_with_the_top_bit_goes_to_the_server)
{
	expect_number_fallback("on");
	CHECK(ino_of("o/other") >> 63);
}

TEST(object_of_another_device_that_a_policy_chose_falls_back)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/f", "of another fs\n", 0644);
	rule_backing(p, "f", rf_register(rf, "t", RF_OPS), "f");
	expect_backing_fallback(rf);
	pol_clear(p);
	drop_caches();
	rule_backing(p, "f", rf_register(rf, "t/f", RF_OP_GETATTR), "");
	expect_backing_fallback(rf);
}

TEST_FLAGS(file_open_in_cached_mode_stays_with_the_server_until_closed, T_QUICK)
{
	struct rf *rf = mount_tree();
	char c;
	int fd = OK(open("m/f", O_RDONLY));

	EQ(read(fd, &c, 1), 1);
	pol_attach(rf, 0);
	rf_reset(rf);
	OK(lookup("m/f"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	CHECK(rf_policy_number(rf, "fallback busy") >= 1);
	EQ(pread(fd, &c, 1, 0), 1);
	CHECK(c == 'f');
	close(fd);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	drop_caches();
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	EQ(rf_count_all(rf), 0);
}
