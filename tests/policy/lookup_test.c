// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which lookups call a policy, what its program sees, and what its verdicts do.
 *
 * The policy is rules.bpf.c, which answers as the test tells it, the server is a raw one.
 * Staged decisions other than the verdict are in staged_test.c, hiding in hiding_test.c.
 * The shipped policies and the command are tested in cli_test.sh, the UAPI beneath in
 * raw_test.c.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <linux/fs.h>
#include <sys/mount.h>
#include <unistd.h>

/* Passed operations need no server; without the policy they do. */

/* The read side of everything in the tree. */

TEST_FLAGS(what_passes_makes_no_request, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rf_reset(rf);
	use_tree();
	drop_caches();
	use_tree();
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
	CHECK(p->shared->ncalls > 0);
	pol_detach(p);
	rf_reset(rf);
	use_tree();
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 5);
	CHECK(rf_count(rf, FUSE_READDIR) >= 1);
}

TEST(without_a_policy_every_kind_of_request_arrives)
{
	static const int ops[] = { FUSE_LOOKUP, FUSE_GETATTR, FUSE_READLINK,
				   FUSE_OPEN, FUSE_READ, FUSE_STATFS,
				   FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_OPENDIR,
				   FUSE_READDIR };
	struct rf *rf = mount_tree();

	use_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!rf_count(rf, ops[i]))
			FAIL("no request with opcode %d", ops[i]);
}

TEST_FLAGS(writing_passes_too, T_QUICK)
{
	struct timespec ts[2] = { { 5, 6 }, { 7, 8 } };
	struct rf *rf = mount_tree();
	int fd;

	pol_attach(rf, 0);
	rf_reset(rf);
	fd = OK(open("m/f", O_WRONLY | O_APPEND));
	EQ(write(fd, "more\n", 5), 5);
	OK(fsync(fd));
	OK(ftruncate(fd, 9));
	close(fd);
	OK(chmod("m/f", 0600));
	OK(utimensat(AT_FDCWD, "m/f", ts, 0));
	OK(truncate("m/g", 4));
	close(OK(open("m/d/x/y", O_WRONLY | O_TRUNC)));
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\nmo"));
	CHECK(file_is("b/g", "file"));
	CHECK(file_is("b/d/x/y", ""));
	EQ(stat_of("b/f").st_mtim.tv_nsec, 8);
	expect_same_stat("m/f", "b/f");
}

TEST_FLAGS(names_cached_before_attach_are_judged_again, T_QUICK)
{
	struct rf *rf = mount_caching();
	struct pol *p;

	OK(lookup("m/f"));
	OK(lookup("m/d/x/y"));
	ERR(lookup("m/none"), ENOENT);
	rf_reset(rf);
	/* They are cached: the converse of what follows. */
	OK(lookup("m/d/x/y"));
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	p = pol_attach(rf, 0);
	OK(lookup("m/d/x/y"));
	ERR(lookup("m/none"), ENOENT);
	EQ(pol_calls(p, "d", 0), 1);
	EQ(pol_calls(p, "y", 0), 1);
	EQ(pol_calls(p, "none", 0), 1);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
}

TEST_FLAGS(names_passed_before_detach_are_asked_again, T_QUICK)
{
	struct rf *rf = mount_caching();
	struct pol *p = pol_attach(rf, 0);

	OK(lookup("m/d/x/y"));
	ERR(lookup("m/none"), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	pol_detach(p);
	OK(lookup("m/d/x/y"));
	EQ(rf_count(rf, FUSE_LOOKUP), 3);
	ERR(lookup("m/none"), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 4);
	use_tree();
}

/* The argument of the program */

TEST(root_is_judged_at_attach)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rules_call *c = pol_call(p, "");

	CHECK(c);
	EQ(c->flags & POL_ROOT, POL_ROOT);
	EQ(c->parent_nodeid, 0);
	EQ(c->name_len, 0);
	EQ(c->ino, stat_of("b").st_ino);
	EQ(c->mode, stat_of("b").st_mode);
}

TEST(program_sees_the_backing_object)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rules_call *c;
	struct stat st;

	OK(chown("b/g", 12, 34));
	OK(link("b/g", "b/d/x/g2"));
	st = stat_of("b/g");
	OK(lookup("m/g"));
	c = pol_call(p, "g");
	CHECK(c);
	EQ(c->parent_nodeid, 1);
	EQ(c->parent_cookie, 0);
	EQ(c->name_len, 1);
	EQ(c->flags & (POL_ROOT | POL_CREATE | POL_READDIR), 0);
	expect_object(c, &st);
	EQ(c->uid, 12);
	EQ(c->gid, 34);
	EQ(c->nlink, 2);
	EQ(c->ctime, st.st_ctim.tv_sec);
	EQ(c->ctime_nsec, st.st_ctim.tv_nsec);
	EQ(c->atime, st.st_atim.tv_sec);
}

TEST(program_sees_the_parent)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	OK(lookup("m/d/x/y"));
	EQ(pol_call(p, "d")->parent_nodeid, 1);
	EQ(pol_call(p, "x")->parent_nodeid, stat_of("b/d").st_ino);
	EQ(pol_call(p, "y")->parent_nodeid, stat_of("b/d/x").st_ino);
}

TEST(program_sees_that_a_name_does_not_exist)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rules_call *c;

	ERR(lookup("m/none"), ENOENT);
	c = pol_call(p, "none");
	CHECK(c);
	EQ(c->ino, 0);
	EQ(c->mode, 0);
	EQ(c->name_len, 4);
}

TEST(longest_name_is_seen_whole)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	char path[NAME_MAX + 3] = "m/";

	memset(path + 2, 'n', NAME_MAX);
	ERR(lookup(path), ENOENT);
	EQ(p->shared->calls[p->shared->ncalls - 1].name_len, NAME_MAX);
}

TEST(flags_tell_open_exclusive_create_and_rename_target)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	/* Each name is cold: what is cached is not judged again. */
	close(OK(open("m/f", O_RDONLY)));
	EQ(pol_calls(p, "f", 0), 1);
	EQ(pol_call(p, "f")->flags, POL_OPEN);
	OK(lookup("m/g"));
	EQ(pol_calls(p, "g", 0), 1);
	EQ(pol_call(p, "g")->flags, 0);
	close(OK(open("m/plain", O_CREAT | O_WRONLY, 0600)));
	EQ(pol_calls(p, "plain", POL_OPEN), 1);
	EQ(pol_calls(p, "plain", POL_EXCL), 0);
	EQ(pol_calls(p, "plain", POL_CREATE), 1);
	close(OK(open("m/excl", O_CREAT | O_EXCL | O_WRONLY, 0600)));
	EQ(pol_calls(p, "excl", POL_OPEN | POL_EXCL), 1);
	EQ(pol_calls(p, "excl", POL_CREATE), 1);
	OK(rename("m/excl", "m/target"));
	EQ(pol_calls(p, "target", POL_RENAME_TARGET), 1);
	EQ(pol_calls(p, "target", POL_OPEN), 0);
	EQ(pol_calls(p, "f", POL_RENAME_TARGET), 0);
	EQ(pol_calls(p, "f", POL_CREATE), 0);
}

/* No lookup, no cost */

TEST(open_passed_file_never_runs_the_policy)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	char c;
	int fd = OK(open("m/d/x/y", O_RDWR));
	unsigned long calls = p->shared->ncalls;
	struct stat st;

	for (int i = 0; i < 10; i++) {
		EQ(pread(fd, &c, 1, 0), 1);
		EQ(pwrite(fd, &c, 1, 0), 1);
		OK(fstat(fd, &st));
		OK(lookup("m/d/x/y"));
	}
	EQ(p->shared->ncalls, calls);
}

/* Verdicts */

TEST(verdict_0_asks_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "f", FUSEPASS_SERVER);
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	CHECK(rf_count(rf, FUSE_READ) >= 1);
	CHECK(rf_policy_number(rf, "verdict server") >= 1);
	rf_reset(rf);
	CHECK(file_is("m/g", "file g, longer\n"));
	EQ(rf_count_all(rf), 0);
}

TEST(verdict_0_of_a_name_that_does_not_exist_asks_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "none", FUSEPASS_SERVER);
	rf_reset(rf);
	ERR(lookup("m/none"), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
	ERR(lookup("m/other"), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
}

TEST(verdict_0_of_a_directory_leaves_all_beneath_to_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "d", FUSEPASS_SERVER);
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(pol_calls(p, "x", 0), 0);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 3);
}

TEST(negative_verdict_fails_the_lookup_with_it)
{
	/* The last is the largest that is no number of the kernel's own. */
	static const int errors[] = { EPERM, EACCES, ENOENT, EIO, ENOSPC, 511 };
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pol_clear(p);
		pol_rule(p, "f", -errors[i]);
		rf_reset(rf);
		ERR(lookup("m/f"), errors[i]);
		ERR(open("m/f", O_RDONLY), errors[i]);
		EQ(rf_count_all(rf), 0);
	}
	CHECK(rf_policy_number(rf, "verdict error") >= (long)ARRAY_SIZE(errors));
	/* Nothing of it stays. */
	pol_clear(p);
	CHECK(file_is("m/f", "file f\n"));
}

TEST_FLAGS(verdict_out_of_range_asks_the_server_and_is_counted, T_QUICK)
{
	/* The VFS walks again on two of them. */
	static const int bad[] = { 2, 99, -ECHILD, -ESTALE, -512, -513, -4095,
				   -4096, -5000, INT32_MAX, INT32_MIN };
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	EQ(rf_policy_number(rf, "verdict invalid"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pol_clear(p);
		pol_rule(p, "f", bad[i]);
		/* A name of the server is not judged again while it is cached. */
		drop_caches();
		rf_reset(rf);
		CHECK(file_is("m/f", "file f\n"));
		CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
		CHECK(rf_policy_number(rf, "verdict invalid") >= (long)i + 1);
	}
}

/* Everything that makes an inode asks the policy. */

TEST_FLAGS(created_names_are_judged_and_pass, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct stat st;
	int fd;

	rf_reset(rf);
	fd = OK(open("m/d/file", O_CREAT | O_EXCL | O_RDWR, 0640));
	OK(mkdir("m/d/dir", 0750));
	OK(mknod("m/d/fifo", S_IFIFO | 0600, 0));
	OK(symlink("t", "m/d/sym"));
	OK(link("m/f", "m/d/hard"));
	CHECK(pol_calls(p, "file", POL_CREATE) >= 1);
	CHECK(pol_calls(p, "dir", POL_CREATE) >= 1);
	CHECK(pol_calls(p, "fifo", POL_CREATE) >= 1);
	CHECK(pol_calls(p, "sym", POL_CREATE) >= 1);
	CHECK(pol_calls(p, "hard", POL_CREATE) >= 1);
	EQ(write(fd, "text", 4), 4);
	OK(fstat(fd, &st));
	EQ(st.st_size, 4);
	expect_same_stat("m/d/file", "b/d/file");
	expect_same_stat("m/d/dir", "b/d/dir");
	expect_same_stat("m/d/fifo", "b/d/fifo");
	expect_same_stat("m/d/sym", "b/d/sym");
	expect_same_stat("m/d/hard", "b/f");
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/d/file", "text"));
	close(fd);
}

TEST(temporary_file_works_under_a_policy)
{
	struct rf *rf = mount_tree();
	char path[64];
	struct stat st;
	int fd;

	pol_attach(rf, 0);
	fd = OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	EQ(write(fd, "temporary", 9), 9);
	OK(fstat(fd, &st));
	EQ(st.st_size, 9);
	EQ(st.st_nlink, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "m/d/named", AT_SYMLINK_FOLLOW));
	CHECK(file_is("b/d/named", "temporary"));
	CHECK(file_is("m/d/named", "temporary"));
}

/* The creator of a file may open it with any mode, so it must be that file. */

static int create_redirected(void *p)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	/* The name is there, and is the other object, for who only opens it. */
	ERR(open("m/own/other", O_RDONLY), EACCES);
	ERR(open("m/own/other", O_CREAT | O_RDWR, 0600), EACCES);
	ERR(open("m/own/other", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	fd = OK(open("m/own/new", O_CREAT | O_EXCL | O_RDWR, 0600));
	EQ(write(fd, "mine", 4), 4);
	EQ(pread(fd, buf, sizeof(buf), 0), 4);
	CHECK(!strcmp(buf, "mine"));
	OK(fstat(fd, &st));
	EQ(st.st_uid, 1000);
	EQ(st.st_size, 4);
	return 0;
}

/* own belongs to uid 1000, secret to root, who is the only one that may read it. */
static struct rf *mount_with_secret(struct pol **p, int *id)
{
	struct rf *rf = mount_tree();

	OK(mkdir("b/own", 0700));
	OK(chown("b/own", 1000, 1000));
	put_file("b/secret", "secret", 0600);
	*p = pol_attach(rf, 0);
	*id = rf_register(rf, "b/secret", RF_OPS & ~RF_OPS_DIR);
	return rf;
}

TEST_FLAGS(created_file_cannot_be_led_to_another_object, T_QUICK)
{
	struct rule *other, *new;
	struct pol *p;
	struct rf *rf;
	long before;
	int id;

	rf = mount_with_secret(&p, &id);
	other = rule_backing(p, "other", id, "");
	new = rule_backing(p, "new", id, "");
	new->flags = POL_CREATE;
	before = rf_policy_number(rf, "fallback backing");
	EQ(as_uid(1000, create_redirected, NULL), 0);
	CHECK(other->hits >= 1);
	EQ(new->hits, 1);
	EQ(new->result, 0);
	CHECK(rf_policy_number(rf, "fallback backing") > before);
	CHECK(file_is("b/own/new", "mine"));
	CHECK(file_is("b/secret", "secret"));
	EQ(stat_of("b/own/new").st_uid, 1000);
	EQ(stat_of("b/secret").st_mode & 07777, 0600);
	/* The name exists for the rule only. */
	CHECK(file_is("m/own/other", "secret"));
	ERR(lookup("b/own/other"), ENOENT);
}

static int use_redirected_tmpfile(void *p)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	fd = OK(open("m/own", O_TMPFILE | O_RDWR, 0600));
	EQ(pread(fd, buf, sizeof(buf), 0), 0);
	EQ(write(fd, "mine", 4), 4);
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_uid, 1000);
	EQ(st.st_size, 4);
	return 0;
}

TEST(temporary_file_cannot_be_led_to_another_object)
{
	struct pol *p;
	struct rule *r;
	struct rf *rf;
	long before;
	int id;

	rf = mount_with_secret(&p, &id);
	OK(lookup("m/own"));
	r = rule_backing(p, "", id, "");
	r->flags = POL_CREATE;
	before = rf_policy_number(rf, "fallback backing");
	EQ(as_uid(1000, use_redirected_tmpfile, NULL), 0);
	EQ(r->hits, 1);
	EQ(r->result, 0);
	CHECK(rf_policy_number(rf, "fallback backing") > before);
	CHECK(file_is("b/secret", "secret"));
	EQ(stat_of("b/secret").st_nlink, 1);
}

TEST_FLAGS(created_name_may_be_left_to_the_server, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "secret", FUSEPASS_SERVER);
	put_file("m/secret", "written by the server", 0600);
	CHECK(rf_count(rf, FUSE_WRITE) >= 1);
	CHECK(file_is("b/secret", "written by the server"));
	put_file("m/plain", "x", 0600);
	EQ(rf_count(rf, FUSE_WRITE), 1);
}

TEST_FLAGS(entries_of_readdirplus_are_judged, T_QUICK)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;

	conf.plus = true;
	rf = mount_conf(&conf);
	p = pol_attach(rf, 0);
	/* The listing is the server's, the names in it are not. */
	rule_ops(p, "d", RF_OPS & ~(RF_OP_READDIR | RF_OP_OPENDIR |
				    RF_OP_READDIRPLUS));
	put_file("b/d/secret", "secret", 0644);
	put_file("b/d/plain", "plain", 0644);
	pol_rule(p, "secret", -EACCES);
	rf_reset(rf);
	CHECK(dir_has("m/d", "x"));
	CHECK(rf_count(rf, FUSE_READDIR) + rf_count(rf, FUSE_READDIRPLUS) >= 1);
	ERR(lookup("m/d/secret"), EACCES);
	rf_reset(rf);
	expect_same_stat("m/d/plain", "b/d/plain");
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

/* Permission */

static int expect_denied(void *p)
{
	struct stat st;

	ERR(open("m/secret", O_RDONLY), EACCES);
	ERR(open("m/secret", O_RDWR), EACCES);
	ERR(truncate("m/secret", 0), EACCES);
	ERR(chmod("m/secret", 0666), EPERM);
	ERR(chown("m/secret", 1000, 1000), EPERM);
	ERR(utimensat(AT_FDCWD, "m/secret", NULL, 0), EACCES);
	ERR(stat("m/closed/y", &st), EACCES);
	ERR(stat("m/closed/none", &st), EACCES);
	ERR(open("m/closed", O_RDONLY), EACCES);
	ERR(chdir("m/closed"), EACCES);
	ERR(open("m/new", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(mkdir("m/new", 0700), EACCES);
	ERR(unlink("m/f"), EACCES);
	ERR(open("m/g", O_RDONLY), EACCES);
	OK(open("m/f", O_RDONLY));
	OK(stat("m/secret", &st));
	return 0;
}

TEST_FLAGS(other_users_are_denied_as_natively, T_QUICK)
{
	struct rf *rf = mount_tree();

	put_file("b/secret", "secret", 0600);
	OK(mkdir("b/closed", 0700));
	put_file("b/closed/y", "closed", 0644);
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, expect_denied, NULL), 0);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/secret", "secret"));
}

static int use_own(void *p)
{
	struct stat st;
	int fd;

	fd = OK(open("m/own/file", O_CREAT | O_EXCL | O_RDWR, 0640));
	EQ(write(fd, "mine", 4), 4);
	OK(fchmod(fd, 0600));
	OK(fstat(fd, &st));
	EQ(st.st_uid, 1000);
	OK(mkdir("m/own/dir", 0700));
	OK(stat("m/own/dir", &st));
	EQ(st.st_uid, 1000);
	OK(rename("m/own/file", "m/own/dir/file"));
	OK(unlink("m/own/dir/file"));
	OK(rmdir("m/own/dir"));
	return 0;
}

TEST_FLAGS(other_users_may_do_what_is_theirs, T_QUICK)
{
	struct rf *rf = mount_tree();

	OK(mkdir("b/own", 0700));
	OK(chown("b/own", 1000, 1000));
	pol_attach(rf, 0);
	EQ(as_uid(1000, use_own, NULL), 0);
}
