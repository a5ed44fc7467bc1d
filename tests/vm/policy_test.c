// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy hook, against a raw server and a policy that does what it is told.
 *
 * Attach and its errors, verdicts, what a policy may stage, coherence, faults,
 * and what can be seen from outside. The shipped policies and the command are
 * tested in cli.sh, the UAPI beneath in raw_test.c.
 */
#include "harness.h"
#include "polload.h"
#include "rawfuse.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static struct rf *mount_conf(struct rf_conf *conf)
{
	rf_make_tree();
	return rf_mount(NULL, conf);
}

static struct rf *mount_tree(void)
{
	struct rf_conf conf = RF_DEFAULT;

	return mount_conf(&conf);
}

/* Names and attributes the server gave are valid for an hour. */
static struct rf *mount_caching(void)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.valid = 3600;
	return mount_conf(&conf);
}

static void expect_same_stat(const char *a, const char *b)
{
	struct stat x = stat_of(a), y = stat_of(b);

	EQ(x.st_ino, y.st_ino);
	EQ(x.st_mode, y.st_mode);
	EQ(x.st_size, y.st_size);
	EQ(x.st_nlink, y.st_nlink);
	EQ(x.st_uid, y.st_uid);
	EQ(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
}

/* A "-1 and errno" as a test of lookup alone. */
static int lookup(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

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

/* Rules that pass: these operations, and names beneath that see this cookie. */

static struct rule *rule_ops(struct pol *p, const char *name, uint64_t ops)
{
	struct rule *r = pol_rule(p, name, 1);

	r->set = RULE_SET_OPS;
	r->ops = ops;
	return r;
}

static struct rule *rule_cookie(struct pol *p, const char *name, uint64_t cookie)
{
	struct rule *r = pol_rule(p, name, 1);

	r->set = RULE_SET_COOKIE;
	r->cookie = cookie;
	return r;
}

/* Attach: errors. A failed attach leaves no trace, so each of these ends with
 * one that works. */

static void expect_attach_works(struct rf *rf)
{
	char name[32];
	struct pol *p;

	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "none"));
	p = pol_attach(rf, 0);
	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "rules"));
	pol_detach(p);
}

TEST(attach_to_an_fd_that_is_not_fuse_is_ebadf)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("b"), rf->root, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, open_path("/dev/null"), rf->root, 0, 0),
	     EBADF);
	NERR(pol_attach_with(NULL, 9999, rf->root, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, -1, rf->root, 0, 0), EBADF);
	expect_attach_works(rf);
}

static int attach_without_admin(void *arg)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	OK(syscall(SYS_capget, &head, caps));
	caps[0].effective &= ~(1U << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	OK(syscall(SYS_capset, &head, caps));
	NERR(pol_try_attach(arg), EPERM);
	return 0;
}

TEST(attach_without_cap_sys_admin_is_eperm)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_open(NULL, open_path("m"), rf->root, 0, 0);

	/* It keeps what BPF itself needs: CAP_BPF and CAP_PERFMON. */
	pol_load(p);
	EQ(in_child(attach_without_admin, p), 0);
	expect_attach_works(rf);
}

TEST(attach_without_passthrough_ino_is_eopnotsupp)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.flags = RF_PASSTHROUGH;
	rf = mount_conf(&conf);
	NERR(pol_attach_with(NULL, open_path("m"), rf->root, 0, 0), EOPNOTSUPP);
}

TEST(attach_checks_the_number_of_the_connection)
{
	struct rf *rf = mount_tree();
	int m = open_path("m");

	NERR(pol_attach_with(NULL, m, rf->root, rf_connection(rf) + 1, 0),
	     EINVAL);
	EQ(pol_attach_with(NULL, m, rf->root, rf_connection(rf), 0), 0);
	EQ(pol_attach_with(NULL, m, rf->root, 0, 0), 0);
}

TEST(attach_with_unknown_flags_is_einval)
{
	struct rf *rf = mount_tree();

	for (unsigned int bit = 0; bit < 32; bit++) {
		int err = pol_attach_with(NULL, open_path("m"), rf->root, 0,
					  1U << bit);

		EQ(err, 1U << bit == POL_F_HIDES ? 0 : -EINVAL);
		if (bit == 3)
			bit = 30;
	}
}

TEST(attach_without_a_name_is_einval)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with("", open_path("m"), rf->root, 0, 0), EINVAL);
	expect_attach_works(rf);
}

TEST(attach_with_an_unterminated_name_is_refused)
{
	struct rf *rf = mount_tree();
	int err = pol_attach_with("0123456789abcdef", open_path("m"), rf->root,
				  0, 0);

	if (err != -EINVAL && err != -E2BIG)
		FAIL("attach gives %d", err);
	expect_attach_works(rf);
}

TEST(attach_with_a_bad_backing_fd_is_ebadf)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), 9999, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, open_path("m"), -1, 0, 0), EBADF);
	expect_attach_works(rf);
}

TEST(attach_with_a_file_as_backing_root_is_enotdir)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), open_path("b/f"), 0, 0),
	     ENOTDIR);
	expect_attach_works(rf);
}

TEST(attach_with_its_own_mount_as_backing_root_is_eloop)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), open_path("m"), 0, 0), ELOOP);
	NERR(pol_attach_with(NULL, open_path("m"), open_path("m/d"), 0, 0),
	     ELOOP);
	expect_attach_works(rf);
}

TEST(attach_with_a_backing_root_too_deep_is_eloop)
{
	struct rf *rf = mount_tree();

	OK(mkdir("u", 0755));
	OK(mkdir("w", 0755));
	OK(mkdir("o", 0755));
	if (mount("overlay", "o", "overlay", 0,
		  "lowerdir=b,upperdir=u,workdir=w")) {
		if (errno == ENODEV)
			test_skip("no overlayfs in this kernel");
		FAIL("overlay: %s", strerrorname_np(errno));
	}
	NERR(pol_attach_with(NULL, open_path("m"), open_path("o"), 0, 0), ELOOP);
	expect_attach_works(rf);
}

TEST(attach_with_an_idmapped_backing_root_is_eopnotsupp)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), idmapped_clone("b", 100000),
			     0, 0), EOPNOTSUPP);
	expect_attach_works(rf);
}

TEST(second_policy_on_a_connection_is_ebusy)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	NERR(pol_attach_with("second", open_path("m"), rf->root, 0, 0), EBUSY);
	pol_detach(p);
	EQ(pol_attach_with("second", open_path("m"), rf->root, 0, 0), 0);
}

TEST(two_connections_may_have_a_policy_each)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf = mount_tree(), *rf2 = rf_mount("m2", &conf);
	struct pol *p = pol_attach(rf, 0), *p2 = pol_attach(rf2, 0);

	pol_rule(p, "f", -EACCES);
	ERR(lookup("m/f"), EACCES);
	OK(lookup("m2/f"));
	pol_detach(p);
	OK(lookup("m/f"));
	pol_rule(p2, "g", -EACCES);
	ERR(lookup("m2/g"), EACCES);
}

TEST(attach_to_an_unmounted_connection_is_enotconn)
{
	struct rf *rf = mount_tree();
	int root = open_path("b"), dev = dup(rf->dev);

	rf_umount(rf);
	NERR(pol_attach_with(NULL, dev, root, 0, 0), ENOTCONN);
}

TEST(any_fd_of_the_connection_names_it)
{
	struct rf *rf = mount_tree();
	int fds[] = { open_path("m"), open_path("m/f"), rf->dev,
		      OK(open("m/f", O_RDONLY)),
		      OK(open("m/d", O_RDONLY | O_DIRECTORY)) };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		EQ(pol_attach_with(NULL, fds[i], rf->root, 0, 0), 0);
}

/* Whoever attaches has to try again: libfusepass does. */
TEST(attach_before_init_is_eagain_and_works_after)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;

	rf_make_tree();
	conf.hold_init = true;
	rf = rf_open(&conf);
	rf_serve(rf, NULL);
	p = pol_open(NULL, rf->dev, rf->root, 0, 0);
	pol_load(p);
	EQ(pol_try_attach(p), -EAGAIN);
	rf_answer_init(rf);
	rf_reset(rf);
	EQ(pol_try_attach(p), 0);
	OK(lookup("m/f"));
	EQ(rf_count_all(rf), 0);
}

/* What passes needs no server; without the policy it does. */

/* The read side of everything in the tree. */
static void use_tree(void)
{
	struct statfs sf;
	char buf[64];

	expect_same_stat("m/f", "b/f");
	expect_same_stat("m/d/x/y", "b/d/x/y");
	expect_same_stat("m/l", "b/l");
	expect_same_stat("m/p", "b/p");
	CHECK(file_is("m/f", "file f\n"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(dir_count("m"), dir_count("b"));
	CHECK(dir_has("m/d", "x"));
	EQ(readlink("m/l", buf, sizeof(buf)), 11);
	ERR(getxattr("m/f", "user.none", buf, sizeof(buf)), ENODATA);
	EQ(listxattr("m/f", buf, sizeof(buf)), 0);
	OK(access("m/f", R_OK));
	OK(statfs("m", &sf));
	ERR(lookup("m/none"), ENOENT);
	ERR(lookup("m/d/x/none"), ENOENT);
}

TEST(what_passes_makes_no_request)
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

TEST(writing_passes_too)
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

TEST(sleepable_program_decides_as_well)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_open(NULL, open_path("m"), rf->root, 0, 0);

	pol_load(p);
	p->map = p->map_s;
	EQ(pol_try_attach(p), 0);
	rf_reset(rf);
	OK(lookup("m/d/x/y"));
	EQ(rf_count_all(rf), 0);
	CHECK(pol_call(p, "y"));
	pol_rule(p, "g", -EACCES);
	ERR(lookup("m/g"), EACCES);
}

TEST(names_cached_before_attach_are_judged_again)
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

TEST(names_passed_before_detach_are_asked_again)
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

/* What the program sees */

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

static void expect_object(const struct rules_call *c, const struct stat *st)
{
	EQ(c->ino, st->st_ino);
	EQ(c->size, st->st_size);
	EQ(c->mode, st->st_mode);
	EQ(c->uid, st->st_uid);
	EQ(c->gid, st->st_gid);
	EQ(c->nlink, st->st_nlink);
	EQ(c->mtime, st->st_mtim.tv_sec);
	EQ(c->mtime_nsec, st->st_mtim.tv_nsec);
	EQ(c->ctime, st->st_ctim.tv_sec);
	EQ(c->ctime_nsec, st->st_ctim.tv_nsec);
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

	pol_rule(p, "f", 0);
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

	pol_rule(p, "none", 0);
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

	pol_rule(p, "d", 0);
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

TEST(verdict_out_of_range_asks_the_server_and_is_counted)
{
	static const int bad[] = { 2, 99, -512, -513, -4095, -4096, -5000,
				   INT32_MAX, INT32_MIN };
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	EQ(rf_policy_number(rf, "verdict invalid"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pol_clear(p);
		pol_rule(p, "f", bad[i]);
		/* What is the server's is not judged again while it is cached. */
		drop_caches();
		rf_reset(rf);
		CHECK(file_is("m/f", "file f\n"));
		CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
		CHECK(rf_policy_number(rf, "verdict invalid") >= (long)i + 1);
	}
}

/* Hiding */

TEST(hidden_name_is_absent_from_readdir_and_lookup)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);

	pol_rule(p, "f", -ENOENT);
	rf_reset(rf);
	ERR(lookup("m/f"), ENOENT);
	CHECK(!dir_has("m", "f"));
	CHECK(dir_has("m", "g"));
	EQ(dir_count("m"), dir_count("b") - 1);
	EQ(rf_count_all(rf), 0);
	CHECK(pol_calls(p, "f", POL_READDIR) >= 1);
	EQ(pol_call(p, "g")->ino, stat_of("b/g").st_ino);
	pol_clear(p);
	CHECK(dir_has("m", "f"));
}

TEST(policy_that_does_not_hide_is_not_asked_per_entry)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "f", -ENOENT);
	ERR(lookup("m/f"), ENOENT);
	CHECK(dir_has("m", "f"));
	EQ(pol_calls(p, "f", POL_READDIR), 0);
	EQ(pol_calls(p, "g", POL_READDIR), 0);
}

TEST(only_enoent_hides_from_a_listing)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);

	pol_rule(p, "f", -EACCES);
	pol_rule(p, "g", 0);
	pol_rule(p, "d", 99);
	EQ(dir_count("m"), dir_count("b"));
}

static int list_and_look(void *p)
{
	bool hidden = *(bool *)p;

	EQ(dir_has("m", "f"), !hidden);
	CHECK(dir_has("m", "g"));
	if (hidden)
		ERR(lookup("m/f"), ENOENT);
	else
		OK(lookup("m/f"));
	return 0;
}

/* The listing is read with the rights of whoever attached the policy. */
TEST(names_of_a_listing_are_judged_for_the_caller)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	bool yes = true, no = false;
	struct rule *r;

	r = pol_rule(p, "f", -ENOENT);
	r->by_caller = 1;
	r->caller = 1000;
	EQ(as_uid(1000, list_and_look, &yes), 0);
	CHECK(pol_calls(p, "f", POL_READDIR) >= 1);
	EQ(pol_call(p, "f")->caller, 1000);
	EQ(pol_call(p, "g")->caller, 1000);
	EQ(as_uid(1001, list_and_look, &no), 0);
	EQ(pol_call(p, "g")->caller, 1001);
	drop_caches();
	EQ(as_uid(0, list_and_look, &no), 0);
	/* A listing opened by one and read by another is the reader's. */
	drop_caches();
	r->caller = 0;
	EQ(as_uid(1000, list_and_look, &no), 0);
	EQ(rf_count_all(rf), 0);
}

/* What is hidden is there: it can be neither made again nor written over, and no
 * call tells more of it than the listing does. */

static struct rf *mount_hiding(struct pol **p)
{
	struct rf *rf = mount_tree();

	*p = pol_attach(rf, POL_F_HIDES);
	pol_rule(*p, "f", -ENOENT);
	return rf;
}

TEST(hidden_name_cannot_be_created)
{
	struct pol *p;
	struct rf *rf = mount_hiding(&p);

	rf_reset(rf);
	ERR(open("m/f", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(open("m/f", O_CREAT | O_EXCL | O_WRONLY, 0600), EACCES);
	ERR(open("m/f", O_CREAT | O_TRUNC | O_RDWR, 0600), EACCES);
	ERR(mkdir("m/f", 0700), EACCES);
	ERR(mknod("m/f", S_IFREG | 0600, 0), EACCES);
	ERR(mknod("m/f", S_IFIFO | 0600, 0), EACCES);
	ERR(symlink("g", "m/f"), EACCES);
	ERR(link("m/g", "m/f"), EACCES);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\n"));
	/* The converse: a name beside it can, and so can this one later. */
	put_file("m/f2", "made", 0600);
	pol_clear(p);
	close(OK(open("m/f", O_CREAT | O_WRONLY, 0600)));
}

TEST(hidden_name_that_is_not_there_cannot_be_created_either)
{
	struct pol *p;

	mount_hiding(&p);
	pol_rule(p, "none", -ENOENT);
	ERR(open("m/none", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(mkdir("m/none", 0700), EACCES);
	ERR(lookup("b/none"), ENOENT);
}

TEST(temporary_file_cannot_be_given_a_hidden_name)
{
	char path[64];
	struct pol *p;
	int fd;

	mount_hiding(&p);
	fd = OK(open("m", O_TMPFILE | O_RDWR, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ERR(linkat(AT_FDCWD, path, AT_FDCWD, "m/f", AT_SYMLINK_FOLLOW), EACCES);
	CHECK(file_is("b/f", "file f\n"));
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "m/f2", AT_SYMLINK_FOLLOW));
}

TEST(hidden_name_cannot_be_removed_or_renamed)
{
	struct pol *p;
	struct rf *rf = mount_hiding(&p);

	pol_rule(p, "d", -ENOENT);
	rf_reset(rf);
	ERR(unlink("m/f"), ENOENT);
	ERR(rmdir("m/d"), ENOENT);
	ERR(rename("m/f", "m/f2"), ENOENT);
	ERR(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/f", RENAME_EXCHANGE), ENOENT);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\n"));
	OK(lookup("b/d/x/y"));
}

TEST(rename_onto_a_hidden_name_is_refused)
{
	struct pol *p;

	mount_hiding(&p);
	ERR(rename("m/g", "m/f"), EACCES);
	CHECK(file_is("b/f", "file f\n"));
	CHECK(file_is("m/g", "file g, longer\n"));
	OK(rename("m/g", "m/g2"));
}

TEST(rename_without_replacing_onto_a_hidden_name_is_refused)
{
	struct pol *p;

	mount_hiding(&p);
	ERR(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/f", RENAME_NOREPLACE),
	    EACCES);
	CHECK(file_is("b/f", "file f\n"));
	OK(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/g2", RENAME_NOREPLACE));
}

/* A directory that was opened under another policy: what the rules of now hide must
 * not show. */

static int count_entries(int dir)
{
	DIR *d = fdopendir(dup(dir));
	int n = 0;

	CHECK(d);
	rewinddir(d);
	errno = 0;
	while (readdir(d))
		n++;
	if (errno)
		n = -errno;
	closedir(d);
	return n;
}

TEST(listing_through_a_directory_opened_under_another_policy_is_by_the_rules_of_now)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	int d = OK(open("m/d", O_RDONLY | O_DIRECTORY));

	EQ(count_entries(d), 3);
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	EQ(count_entries(d), 3);
	/* Nobody has walked to it since. */
	pol_rule(p, "x", -ENOENT);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	EQ(count_entries(d), 2);
	EQ(rf_count(rf, FUSE_READDIR) + rf_count(rf, FUSE_LOOKUP), 0);
	EQ(dir_count("m/d"), 2);
}

TEST(listing_through_an_old_directory_works_if_no_policy_hides)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int d = OK(open("m/d", O_RDONLY | O_DIRECTORY));

	EQ(count_entries(d), 3);
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	EQ(count_entries(d), 3);
	pol_detach(p);
	EQ(count_entries(d), 3);
}

/* The mount is used by the rules of p; then those of p->map_s hold. */
TEST(hidden_name_is_not_found_through_a_directory_held_since_before)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	int x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	struct stat st;

	OK(fstatat(x, "y", &st, 0));
	pol_rule(p, "y", -ENOENT);
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	ERR(fstatat(x, "y", &st, 0), ENOENT);
	ERR(openat(x, "y", O_RDONLY), ENOENT);
	ERR(lookup("m/d/x/y"), ENOENT);
	ERR(fstatat(x, "y", &st, 0), ENOENT);
}

/* A directory that is held is judged by its own name when a name in it is looked
 * up: nobody has to walk to it from the top first. */

enum { HELD_FD, HELD_CWD, HELD_BIND };

static int hold(struct rf *rf, int how)
{
	char top[200];

	/* The counts are found by way of the mount, wherever we are. */
	CHECK(getcwd(top, sizeof(top)));
	snprintf(rf->mnt, sizeof(rf->mnt), "%s/m", top);
	switch (how) {
	case HELD_FD:
		return OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	case HELD_CWD:
		OK(chdir("m/d/x"));
		return AT_FDCWD;
	}
	OK(mkdir("bind", 0755));
	OK(mount("m/d/x", "bind", NULL, MS_BIND, NULL));
	return OK(open("bind", O_PATH | O_DIRECTORY));
}

static void expect_held_is_judged(int how, unsigned int flags)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, flags);
	struct stat st;
	int x, calls;

	put_file("b/d/x/z", "z\n", 0644);
	x = hold(rf, how);
	OK(fstatat(x, "y", &st, 0));
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	calls = pol_calls(p, "y", 0);
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	rf_reset(rf);
	/* Cached and cold, there and not. */
	OK(fstatat(x, "y", &st, 0));
	EQ(pol_calls(p, "y", 0), calls + 1);
	EQ(st.st_size, 5);
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	ERR(fstatat(x, "none2", &st, 0), ENOENT);
	close(OK(openat(x, "z", O_RDWR)));
	close(OK(openat(x, "new", O_CREAT | O_EXCL | O_RDWR, 0600)));
	OK(unlinkat(x, "new", 0));
	/* What the server may be asked for is the directory that is held, once. */
	EQ(rf_count_all(rf) - rf_count(rf, FUSE_GETATTR), 0);
	/* And by what the rules say now. */
	pol_rule(p, "y", -EACCES);
	pol_rule(p, "z", flags & POL_F_HIDES ? -ENOENT : -EPERM);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	ERR(fstatat(x, "y", &st, 0), EACCES);
	ERR(openat(x, "y", O_RDONLY), EACCES);
	if (flags & POL_F_HIDES)
		ERR(fstatat(x, "z", &st, 0), ENOENT);
	else
		ERR(fstatat(x, "z", &st, 0), EPERM);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
}

TEST(held_directory_makes_no_request_after_the_policy_was_replaced)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct stat st;
	int x = hold(rf, HELD_FD);

	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	rf_reset(rf);
	OK(fstatat(x, "y", &st, 0));
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

TEST(names_in_an_open_directory_are_judged_by_the_policy_that_replaced)
{
	expect_held_is_judged(HELD_FD, 0);
}

TEST(names_in_the_working_directory_are_judged_by_the_policy_that_replaced)
{
	expect_held_is_judged(HELD_CWD, 0);
}

TEST(names_in_a_bind_mount_are_judged_by_the_policy_that_replaced)
{
	expect_held_is_judged(HELD_BIND, 0);
}

TEST(names_in_an_open_directory_are_judged_by_the_hiding_policy_that_replaced)
{
	expect_held_is_judged(HELD_FD, POL_F_HIDES);
}

TEST(names_in_the_working_directory_are_judged_by_the_hiding_policy_that_replaced)
{
	expect_held_is_judged(HELD_CWD, POL_F_HIDES);
}

TEST(names_in_a_bind_mount_are_judged_by_the_hiding_policy_that_replaced)
{
	expect_held_is_judged(HELD_BIND, POL_F_HIDES);
}

/* What may be staged */

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
	struct rule *r = pol_rule(p, "f", 1), *g = pol_rule(p, "g", 1);
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

static struct rule *rule_backing(struct pol *p, const char *name, int id,
				 const char *path)
{
	struct rule *r = pol_rule(p, name, 1);

	r->set = RULE_SET_BACKING;
	r->backing = id;
	snprintf(r->path, sizeof(r->path), "%s", path);
	return r;
}

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

/* The decision cannot be applied: the server serves, and it is counted. */
static void expect_backing_fallback(struct rf *rf)
{
	long before = rf_policy_number(rf, "fallback backing");

	CHECK(before >= 0);
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	CHECK(rf_policy_number(rf, "fallback backing") > before);
}

TEST(backing_id_that_does_not_exist_falls_back_to_the_server)
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

/* Everything that makes an inode asks the policy. */

TEST(created_names_are_judged_and_pass)
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

/* Whoever creates a file may open it whatever its mode, so it must be that one. */

static int create_redirected(void *p)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	(void)p;
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

TEST(created_file_cannot_be_led_to_another_object)
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

	(void)p;
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

TEST(created_name_may_be_left_to_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "secret", 0);
	put_file("m/secret", "written by the server", 0600);
	CHECK(rf_count(rf, FUSE_WRITE) >= 1);
	CHECK(file_is("b/secret", "written by the server"));
	put_file("m/plain", "x", 0600);
	EQ(rf_count(rf, FUSE_WRITE), 1);
}

TEST(entries_of_readdirplus_are_judged)
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

/* Coherence with the backing tree */

TEST(direct_change_is_seen_at_the_next_lookup)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	put_file("b/f", "changed\n", 0600);
	CHECK(file_is("m/f", "changed\n"));
	expect_same_stat("m/f", "b/f");
	ERR(lookup("m/new"), ENOENT);
	put_file("b/new", "new\n", 0644);
	CHECK(file_is("m/new", "new\n"));
	OK(rename("b/new", "b/renamed"));
	ERR(lookup("m/new"), ENOENT);
	CHECK(file_is("m/renamed", "new\n"));
	OK(rename("b/renamed", "b/f"));
	CHECK(file_is("m/f", "new\n"));
	ERR(lookup("m/renamed"), ENOENT);
	OK(unlink("b/f"));
	ERR(lookup("m/f"), ENOENT);
	OK(mkdir("b/f", 0755));
	EQ(stat_of("m/f").st_mode, S_IFDIR | 0755);
	ERR(lookup("m/f/x"), ENOENT);
	put_file("b/f/x", "beneath\n", 0644);
	CHECK(file_is("m/f/x", "beneath\n"));
	OK(rename("b/d", "b/e"));
	ERR(lookup("m/d/x/y"), ENOENT);
	CHECK(file_is("m/e/x/y", "deep\n"));
	CHECK(!dir_has("m", "d"));
	CHECK(dir_has("m", "e"));
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

TEST(two_directories_exchanged_in_the_backing_tree_are_seen)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	OK(mkdir("b/d2", 0755));
	put_file("b/d2/only2", "2\n", 0644);
	OK(lookup("m/d/x/y"));
	OK(lookup("m/d2/only2"));
	OK(renameat2(AT_FDCWD, "b/d", AT_FDCWD, "b/d2", RENAME_EXCHANGE));
	OK(lookup("m/d2/x/y"));
	OK(lookup("m/d/only2"));
	ERR(lookup("m/d/x"), ENOENT);
	ERR(lookup("m/d2/only2"), ENOENT);
}

TEST(rename_of_a_directory_on_the_mount_takes_its_names_along)
{
	struct rf *rf = mount_tree();
	struct stat st;
	int x;

	pol_attach(rf, 0);
	x = open_path("m/d/x");
	OK(lookup("m/d/x/y"));
	OK(rename("m/d", "m/e"));
	ERR(lookup("m/d"), ENOENT);
	CHECK(file_is("m/e/x/y", "deep\n"));
	OK(fstatat(x, "y", &st, 0));
	expect_same_stat("m/e/x", "b/e/x");
	EQ(rf_count_all(rf), 0);
}

/* What a name is judged as, holds for that name: a rename judges again. */

/* Requests that reading all of it makes. */
static unsigned long requests_to_read(struct rf *rf, const char *path,
				      const char *text)
{
	rf_reset(rf);
	CHECK(file_is(path, text));
	return rf_count(rf, FUSE_OPEN) + rf_count(rf, FUSE_READ);
}

TEST(file_renamed_to_a_name_of_the_server_is_the_servers)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "server", 0);
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	OK(rename("m/f", "m/server"));
	CHECK(requests_to_read(rf, "m/server", "file f\n") >= 2);
	CHECK(pol_calls(p, "server", 0) > 0);
}

TEST(file_renamed_from_a_name_of_the_server_passes)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "g", 0);
	CHECK(requests_to_read(rf, "m/g", "file g, longer\n") >= 2);
	OK(rename("m/g", "m/plain"));
	/* The server's handle of the cached open may take a moment to go. */
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= 1);
	EQ(requests_to_read(rf, "m/plain", "file g, longer\n"), 0);
	expect_same_stat("m/plain", "b/plain");
}

TEST(file_moved_to_another_directory_is_judged_there)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_cookie(p, "d", 5);
	pol_rule(p, "f", 0)->parent_cookie = 5;
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	OK(rename("m/f", "m/d/f"));
	CHECK(requests_to_read(rf, "m/d/f", "file f\n") >= 2);
}

TEST(file_renamed_from_a_name_of_the_server_to_a_denied_one_is_denied)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	pol_rule(p, "g", 0);
	/* Only of what exists: the name to rename to has to be looked up. */
	r = pol_rule(p, "denied", 1);
	OK(lookup("m/g"));
	OK(rename("m/g", "m/denied"));
	r->verdict = -EACCES;
	ERR(lookup("m/denied"), EACCES);
	ERR(open("m/denied", O_RDONLY), EACCES);
}

TEST(file_renamed_from_a_passed_name_to_a_denied_one_is_denied)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = pol_rule(p, "denied", 1);

	OK(lookup("m/g"));
	OK(rename("m/g", "m/denied"));
	r->verdict = -EACCES;
	ERR(lookup("m/denied"), EACCES);
	ERR(open("m/denied", O_RDONLY), EACCES);
}

TEST(names_exchanged_are_both_judged_again)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "g", 0);
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	CHECK(requests_to_read(rf, "m/g", "file g, longer\n") >= 2);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= 1);
	OK(renameat2(AT_FDCWD, "m/f", AT_FDCWD, "m/g", RENAME_EXCHANGE));
	CHECK(requests_to_read(rf, "m/g", "file f\n") >= 2);
	EQ(requests_to_read(rf, "m/f", "file g, longer\n"), 0);
}

/* Every directory hands its cookie on; beneath "closed", y is denied. */
static struct pol *attach_closed(struct rf *rf)
{
	struct pol *p = pol_attach(rf, 0);

	rule_cookie(p, "closed", 9);
	pol_rule(p, "y", -EACCES)->parent_cookie = 9;
	rule_cookie(p, "", 0)->set = RULE_ADD_COOKIE;
	return p;
}

TEST(names_beneath_a_renamed_directory_are_judged_again)
{
	struct rf *rf = mount_tree();

	attach_closed(rf);
	CHECK(file_is("m/d/x/y", "deep\n"));
	OK(rename("m/d", "m/closed"));
	ERR(lookup("m/closed/x/y"), EACCES);
	ERR(open("m/closed/x/y", O_RDONLY), EACCES);
	OK(lookup("m/closed/x"));
	OK(rename("m/closed", "m/d"));
	CHECK(file_is("m/d/x/y", "deep\n"));
}

/* What is held open goes by the old name until it is looked up by the new one. */
TEST(names_through_an_fd_follow_a_rename_when_the_directory_is_looked_up)
{
	struct rf *rf = mount_tree();
	struct stat st;
	int x;

	attach_closed(rf);
	x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	OK(fstatat(x, "y", &st, 0));
	rf_reset(rf);
	OK(rename("m/d", "m/closed"));
	OK(fstatat(x, "y", &st, 0));
	OK(lookup("m/closed/x"));
	ERR(openat(x, "y", O_RDONLY), EACCES);
	ERR(fstatat(x, "y", &st, 0), EACCES);
	EQ(rf_count_all(rf), 0);
}

TEST(rename_of_another_directory_does_not_open_a_denied_name)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int x;

	pol_rule(p, "y", -EACCES);
	x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	ERR(openat(x, "y", O_RDONLY), EACCES);
	OK(mkdir("m/mine", 0755));
	OK(rename("m/mine", "m/other"));
	CHECK(openat(x, "y", O_RDONLY) < 0);
	CHECK(errno == EACCES || errno == ESTALE);
	ERR(open("m/d/x/y", O_RDONLY), EACCES);
}

TEST(rename_and_unlink_on_the_mount_are_right_afterwards)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	OK(lookup("m/f"));
	OK(rename("m/f", "m/d/f"));
	ERR(lookup("m/f"), ENOENT);
	CHECK(file_is("m/d/f", "file f\n"));
	OK(rename("m/g", "m/d/f"));
	CHECK(file_is("m/d/f", "file g, longer\n"));
	ERR(lookup("m/g"), ENOENT);
	OK(renameat2(AT_FDCWD, "m/d/f", AT_FDCWD, "m/l", RENAME_EXCHANGE));
	EQ(stat_of("m/l").st_mode & S_IFMT, S_IFREG);
	EQ(stat_of("m/d/f").st_mode & S_IFMT, S_IFLNK);
	ERR(renameat2(AT_FDCWD, "m/l", AT_FDCWD, "m/d/f", RENAME_NOREPLACE),
	    EEXIST);
	OK(unlink("m/d/f"));
	ERR(lookup("m/d/f"), ENOENT);
	ERR(rmdir("m/d"), ENOTEMPTY);
	OK(unlink("m/d/x/y"));
	OK(rmdir("m/d/x"));
	OK(rmdir("m/d"));
	ERR(lookup("m/d"), ENOENT);
	ERR(lookup("b/d"), ENOENT);
	put_file("m/d", "a file now\n", 0644);
	CHECK(file_is("m/d", "a file now\n"));
}

TEST(working_directory_stays_right_across_replace)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	char before[PATH_MAX], after[PATH_MAX + 8];

	OK(chdir("m/d/x"));
	CHECK(getcwd(before, sizeof(before)));
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	OK(lookup("y"));
	CHECK(getcwd(after, PATH_MAX));
	CHECK(!strcmp(before, after));
	CHECK(file_is("y", "deep\n"));
	CHECK(file_is("../x/y", "deep\n"));
	/* Through the names from the top as well: still the same directory. */
	snprintf(after, sizeof(after), "%s/y", before);
	CHECK(file_is(after, "deep\n"));
	CHECK(getcwd(after, PATH_MAX));
	CHECK(!strcmp(before, after));
}

TEST(kernel_made_node_can_be_opened_after_replace_and_detach)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	uint64_t x = ino_of("m/d/x");
	int held = open_path("m/d/x");

	close(OK(rf_node_open(rf, x, 0, 0)));
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	close(OK(rf_node_open(rf, x, 0, 0)));
	pol_detach(p);
	close(OK(rf_node_open(rf, x, 0, 0)));
	close(held);
}

TEST(names_beneath_a_held_directory_are_found_after_detach)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int x = open_path("m/d/x");
	struct stat st;

	OK(fstatat(x, "y", &st, 0));
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	pol_detach(p);
	OK(fstatat(x, "y", &st, 0));
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	close(OK(openat(x, "y", O_RDONLY)));
}

TEST(working_directory_follows_a_direct_rename)
{
	struct rf *rf = mount_tree();
	char cwd[PATH_MAX], top[PATH_MAX], path[PATH_MAX + 32];

	pol_attach(rf, 0);
	CHECK(getcwd(top, sizeof(top)));
	OK(chdir("m/d/x"));
	snprintf(path, sizeof(path), "%s/b/d", top);
	snprintf(cwd, sizeof(cwd), "%.4000s/b/e", top);
	OK(rename(path, cwd));
	snprintf(path, sizeof(path), "%s/m/e/x/y", top);
	OK(lookup(path));
	CHECK(file_is("y", "deep\n"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "%s/m/e/x", top);
	if (strcmp(cwd, path))
		FAIL("working directory is %s, not %s", cwd, path);
}

TEST(hard_links_are_one_inode)
{
	struct rf *rf = mount_tree();
	struct stat a, b;

	OK(link("b/f", "b/h"));
	pol_attach(rf, 0);
	rf_reset(rf);
	a = stat_of("m/f");
	b = stat_of("m/h");
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_nlink, 2);
	OK(chmod("m/h", 0600));
	EQ(stat_of("m/f").st_mode & 0777, 0600);
	OK(unlink("b/f"));
	CHECK(file_is("m/h", "file f\n"));
	EQ(stat_of("m/h").st_nlink, 1);
	EQ(rf_count_all(rf), 0);
}

TEST(second_name_judged_otherwise_is_a_conflict_not_an_error)
{
	struct rf *rf = mount_tree();
	struct pol *p;
	int fd;

	OK(link("b/f", "b/h"));
	p = pol_attach(rf, 0);
	rule_ops(p, "h", RF_OP_GETATTR);
	fd = open_path("m/f");
	CHECK(file_is("m/h", "file f\n"));
	CHECK(rf_policy_number(rf, "fallback conflict") >= 1);
	close(fd);
}

TEST(open_unlinked_file_goes_on)
{
	struct rf *rf = mount_tree();
	char buf[16] = "";
	struct stat st;
	int fd;

	pol_attach(rf, 0);
	fd = OK(open("m/d/x/y", O_RDWR));
	OK(unlink("b/d/x/y"));
	ERR(lookup("m/d/x/y"), ENOENT);
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(pwrite(fd, "DEEP", 4, 0), 4);
	put_file("b/d/x/y", "another\n", 0644);
	CHECK(file_is("m/d/x/y", "another\n"));
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "DEEP\n", 5));
}

TEST(mount_point_in_the_backing_tree_is_the_servers)
{
	struct rf *rf = mount_tree();
	long before;

	OK(mount("t", "b/d/x", "tmpfs", 0, NULL));
	put_file("b/d/x/in_tmpfs", "tmpfs\n", 0644);
	pol_attach(rf, 0);
	before = rf_policy_number(rf, "fallback mount");
	rf_reset(rf);
	CHECK(file_is("m/d/x/in_tmpfs", "tmpfs\n"));
	ERR(lookup("m/d/x/y"), ENOENT);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 2);
	CHECK(rf_policy_number(rf, "fallback mount") > before);
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
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
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

TEST(file_open_in_cached_mode_stays_with_the_server_until_closed)
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

/* Permission */

static int expect_denied(void *p)
{
	struct stat st;

	(void)p;
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

TEST(other_users_are_denied_as_natively)
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

	(void)p;
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

TEST(other_users_may_do_what_is_theirs)
{
	struct rf *rf = mount_tree();

	OK(mkdir("b/own", 0700));
	OK(chown("b/own", 1000, 1000));
	pol_attach(rf, 0);
	EQ(as_uid(1000, use_own, NULL), 0);
}

/* What the kernel brought over from the backing inode is not left behind. */
TEST(flags_of_the_backing_file_are_gone_with_the_policy)
{
	struct rf *rf = mount_tree();
	struct pol *p;

	set_file_flags("b/f", FS_IMMUTABLE_FL, true);
	p = pol_attach(rf, 0);
	ERR(chmod("m/f", 0600), EPERM);
	ERR(open("m/f", O_WRONLY), EPERM);
	pol_detach(p);
	set_file_flags("b/f", FS_IMMUTABLE_FL, false);
	OK(chmod("m/f", 0600));
	put_file("m/f", "new", 0600);
}

/* Life of the link */

struct loader {
	struct rf *rf;
	const char *pin;
	int ready[2];
};

static int load_and_wait(void *arg)
{
	struct loader *l = arg;
	struct pol *p = pol_attach(l->rf, 0);

	if (l->pin)
		EQ(bpf_link__pin(p->link, l->pin), 0);
	EQ(write(l->ready[1], "x", 1), 1);
	pause();
	return 0;
}

/* Starts a process that attaches and pins, and kills it once it has. */
static void attach_and_kill(struct rf *rf, const char *pin)
{
	struct loader l = { .rf = rf, .pin = pin };
	char c, name[32];
	pid_t pid;

	OK(pipe(l.ready));
	pid = spawn(load_and_wait, &l);
	EQ(read(l.ready[0], &c, 1), 1);
	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "rules"));
	OK(kill(pid, SIGKILL));
	reap(pid);
}

static bool policy_is(struct rf *rf, const char *name)
{
	char have[32];

	CHECK(rf_policy_line(rf, "policy", have, sizeof(have)));
	return !strcmp(have, name);
}

TEST(policy_of_a_killed_loader_is_detached)
{
	struct rf *rf = mount_tree();

	attach_and_kill(rf, NULL);
	EVENTUALLY(policy_is(rf, "none"));
	rf_reset(rf);
	use_tree();
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 5);
	expect_attach_works(rf);
}

TEST(pinned_policy_outlives_its_killed_loader)
{
	struct rf *rf = mount_tree();
	const char *pin = "/sys/fs/bpf/test_pin";

	unlink(pin);
	attach_and_kill(rf, pin);
	usleep(200000);
	CHECK(policy_is(rf, "rules"));
	rf_reset(rf);
	use_tree();
	EQ(rf_count_all(rf), 0);
	OK(unlink(pin));
	EVENTUALLY(policy_is(rf, "none"));
	use_tree();
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 5);
}

TEST(link_detach_detaches)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	EQ(bpf_link__detach(p->link), 0);
	CHECK(policy_is(rf, "none"));
	expect_attach_works(rf);
	pol_detach(p);
}

TEST(replace_judges_every_name_again)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	long generation = rf_policy_number(rf, "generation");

	OK(lookup("m/d/x/y"));
	EQ(pol_calls(p, "y", 0), 1);
	EQ(bpf_link__update_map(p->link, p->map_s), 0);
	CHECK(policy_is(rf, "rules_s"));
	CHECK(rf_policy_number(rf, "generation") > generation);
	EQ(pol_calls(p, "", POL_ROOT), 2);
	rf_reset(rf);
	OK(lookup("m/d/x/y"));
	EQ(pol_calls(p, "y", 0), 2);
	EQ(rf_count_all(rf), 0);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	CHECK(policy_is(rf, "rules"));
}

TEST(replace_that_changes_mount_or_directory_is_einval)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf = mount_tree(), *rf2 = rf_mount("m2", &conf);
	struct pol *p = pol_attach(rf, 0), *other;

	other = pol_open(NULL, open_path("m2"), rf->root, 0, 0);
	pol_load(other);
	NERR(bpf_link__update_map(p->link, other->map), EINVAL);
	other = pol_open(NULL, open_path("m"), open_path("b/d"), 0, 0);
	pol_load(other);
	NERR(bpf_link__update_map(p->link, other->map), EINVAL);
	CHECK(policy_is(rf, "rules"));
	CHECK(policy_is(rf2, "none"));
	other = pol_open("fine", open_path("m"), rf->root, 0, 0);
	pol_load(other);
	EQ(bpf_link__update_map(p->link, other->map), 0);
	CHECK(policy_is(rf, "fine"));
}

/* Walkers for the test below: each compares what it finds, until told to end. */

enum { WALK_FILES = 24, WALK_DIRS = 4 };

static volatile int *walk_on, *walk_rounds, *walk_stale;

static void walk_share(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(shared != MAP_FAILED);
	walk_on = shared;
	walk_rounds = shared + 1;
	walk_stale = shared + 2;
	*walk_on = 1;
}

static int walk(void *arg)
{
	char path[64], want[64];

	(void)arg;
	while (*walk_on) {
		for (int i = 0; i < WALK_FILES; i++) {
			snprintf(path, sizeof(path), "m/w%d/file%d",
				 i % WALK_DIRS, i);
			snprintf(want, sizeof(want), "content of %d\n", i);
			CHECK(file_is(path, want));
			EQ(stat_of(path).st_size, strlen(want));
			snprintf(path, sizeof(path), "m/w%d/file%d",
				 (i + 1) % WALK_DIRS, i);
			ERR(lookup(path), ENOENT);
		}
		for (int d = 0; d < WALK_DIRS; d++) {
			snprintf(path, sizeof(path), "m/w%d", d);
			EQ(dir_count(path), WALK_FILES / WALK_DIRS + 2);
		}
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void make_walk_tree(void)
{
	char path[64], text[64];

	for (int d = 0; d < WALK_DIRS; d++) {
		snprintf(path, sizeof(path), "b/w%d", d);
		OK(mkdir(path, 0755));
	}
	for (int i = 0; i < WALK_FILES; i++) {
		snprintf(path, sizeof(path), "b/w%d/file%d", i % WALK_DIRS, i);
		snprintf(text, sizeof(text), "content of %d\n", i);
		put_file(path, text, 0644);
	}
}

static void replace_under_walkers(int times)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	pid_t pids[4];
	int rounds;

	rf_make_tree();
	make_walk_tree();
	conf.process = true;
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	walk_share();
	/* Some files the server's at every other turn. */
	pol_rule(p, "file3", 1);
	pol_rule(p, "w2", 1);
	rule_ops(p, "file8", RF_OPS);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = spawn(walk, NULL);
	/* They have to walk while the policies are replaced, not only afterwards. */
	for (int i = 0; i < times || *walk_rounds < 8; i++) {
		CHECK(i < 100 * times);
		p->shared->rules[0].verdict = i & 1;
		p->shared->rules[1].verdict = !!(i & 2);
		p->shared->rules[2].ops = i & 4 ? RF_OPS : RF_OPS & ~RF_OP_OPEN;
		EQ(bpf_link__update_map(p->link, i & 1 ? p->map : p->map_s), 0);
		if (i % 16 == 0)
			usleep(20000);
	}
	rounds = *walk_rounds;
	*walk_on = 0;
	CHECK(rf_policy_number(rf, "generation") >= times);
	note("%d rounds of the walkers", rounds);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		EQ(reap(pids[i]), 0);
}

TEST_FLAGS(policy_replaced_1000_times_under_four_walkers, T_LONG)
{
	replace_under_walkers(1000);
}

TEST(policy_replaced_100_times_under_four_walkers)
{
	replace_under_walkers(100);
}

/*
 * A call that falls between two policies is tried again by the VFS, once; here it may
 * do so more often than anywhere else. What it had done nevertheless would show: each
 * name is new, so that it exists can only be the call's own doing.
 */
#define AGAIN(call)							\
	do {								\
		int tries_ = 10;					\
		while ((call) < 0) {					\
			if (errno != ESTALE || !tries_--)		\
				FAIL("%s: %s", #call,			\
				     strerrorname_np(errno));		\
			__atomic_fetch_add(walk_stale, 1, __ATOMIC_RELAXED); \
		}							\
	} while (0)

static int create_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	return fd < 0 ? fd : close(fd);
}

static int create_on(void *arg)
{
	char path[64], to[64];

	(void)arg;
	for (int i = 0; *walk_on; i++) {
		snprintf(path, sizeof(path), "m/d/new%d", i);
		snprintf(to, sizeof(to), "m/d/to%d", i);
		AGAIN(create_file(path));
		AGAIN(rename(path, to));
		AGAIN(unlink(to));
		AGAIN(mkdir(path, 0700));
		AGAIN(rmdir(path));
		AGAIN(symlink("t", path));
		AGAIN(unlink(path));
		AGAIN(link("m/f", path));
		AGAIN(unlink(path));
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST(names_are_created_and_removed_while_the_policy_is_replaced)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	pid_t pid;
	int seen;

	conf.process = true;
	rf = mount_conf(&conf);
	p = pol_attach(rf, 0);
	walk_share();
	pid = spawn(create_on, NULL);
	EVENTUALLY(*walk_rounds >= 1);
	seen = *walk_rounds;
	for (int i = 0; i < 100 || *walk_rounds < seen + 8; i++) {
		CHECK(i < 10000);
		EQ(bpf_link__update_map(p->link, i & 1 ? p->map : p->map_s), 0);
		usleep(i % 8 * 500);
	}
	note("%d rounds meanwhile, %d times ESTALE", *walk_rounds - seen,
	     *walk_stale);
	*walk_on = 0;
	EQ(reap(pid), 0);
	EQ(dir_count("b/d"), 3);
}

/* The server dies, the mount goes away */

static int read_on(void *arg)
{
	int fd = OK(open("m/d/x/y", O_RDONLY));
	struct rf *rf = arg;
	char buf[8];

	/* The server has to be the last that has the device open. */
	close(rf->dev);
	__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	while (*walk_on) {
		EQ(pread(fd, buf, sizeof(buf), 0), 5);
		CHECK(!memcmp(buf, "deep\n", 5));
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST(reads_of_passed_files_go_on_when_the_server_is_killed)
{
	struct rf_conf conf = RF_DEFAULT;
	struct stat st;
	struct pol *p;
	struct rf *rf;
	pid_t pid;
	int seen;

	conf.process = true;
	rf = mount_conf(&conf);
	p = pol_attach(rf, 0);
	pol_rule(p, "g", 0);
	walk_share();
	pid = spawn(read_on, rf);
	EVENTUALLY(*walk_rounds > 5);
	close(rf->dev);
	OK(kill(rf->pid, SIGKILL));
	reap(rf->pid);
	seen = *walk_rounds;
	EVENTUALLY(*walk_rounds > seen + 5);
	/* What needs the server fails at once. */
	CHECK(stat("m/g", &st) < 0);
	CHECK(errno == ENOTCONN || errno == ECONNABORTED);
	*walk_on = 0;
	EQ(reap(pid), 0);
	close(p->mount_fd);
	OK(umount("m"));
	bpf_link__destroy(p->link);
}

TEST(unmount_leaves_the_link_defunct)
{
	struct bpf_link_info info = { 0 };
	struct pol *p, *next;
	struct rf *rf;
	struct rf_conf conf = RF_DEFAULT;
	unsigned int len = sizeof(info);

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/f", "f\n", 0644);
	conf.backing = "t";
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	CHECK(file_is("m/f", "f\n"));
	ERR(umount("t"), EBUSY);
	close(p->mount_fd);
	rf_umount(rf);
	/* The link is there, but holds neither mount nor backing tree. */
	EVENTUALLY(umount("t") == 0);
	OK(bpf_link_get_info_by_fd(bpf_link__fd(p->link), &info, &len));
	CHECK(bpf_link__update_map(p->link, p->map_s) < 0);
	EQ(bpf_link__destroy(p->link), 0);
	/* And the next connection is free for another one. */
	rf_make_tree();
	rf = rf_mount("m3", &(struct rf_conf)RF_DEFAULT);
	next = pol_attach(rf, 0);
	OK(lookup("m3/f"));
	pol_detach(next);
}

TEST(lazy_unmount_with_open_files_lets_go_in_the_end)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	char c;
	int fd;

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/f", "f\n", 0644);
	conf.backing = "t";
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	fd = OK(open("m/f", O_RDONLY));
	close(p->mount_fd);
	OK(umount2("m", MNT_DETACH));
	EQ(read(fd, &c, 1), 1);
	close(fd);
	bpf_link__destroy(p->link);
	pthread_join(rf->thread, NULL);
	close(rf->dev);
	close(rf->root);
	EVENTUALLY(umount("t") == 0);
}

static long slab_objects(const char *cache)
{
	char path[128];
	FILE *f;
	long n = -1;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	if (access(path, W_OK))
		test_skip("no %s: kernel without slab statistics", path);
	set_sysctl(path, "1");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	f = fopen(path, "r");
	CHECK(f);
	EQ(fscanf(f, "%ld", &n), 1);
	fclose(f);
	return n;
}

TEST(unmount_gives_all_inodes_back)
{
	struct pol *p;
	struct rf *rf;
	char path[64];

	rf = mount_tree();
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "b/n%d", i);
		put_file(path, "x", 0644);
	}
	p = pol_attach(rf, 0);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "m/n%d", i);
		OK(lookup(path));
	}
	CHECK(slab_objects("fuse_inode") >= 300);
	close(p->mount_fd);
	rf_umount(rf);
	pol_detach(p);
	/* Inodes are freed after a grace period. */
	EVENTUALLY(slab_objects("fuse_inode") == 0);
}

/* What can be seen from outside */

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
	pol_rule(p, "g", 0);
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
	pol_rule(p, "g", 0);
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

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/policy",
		 rf_connection(rf));
	EQ(stat_of(path).st_mode & 07777, 0400);
	EQ(as_uid(1000, read_as_user, path), 0);
}

TEST(fdinfo_of_the_device_names_the_policy)
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

	snprintf(path, sizeof(path), TRACING "events/fuse/%s/enable", event);
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

/* Notifications of the server, about names and files that the kernel looks after. */

enum { NOTIFY_INC_EPOCH = 8, EXPIRE_ONLY = 1 };	/* not in older headers */

static void notify(struct rf *rf, int code, const void *arg, size_t size,
		   const void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size + len, .error = code,
	};
	struct iovec iov[] = {
		{ &head, sizeof(head) }, { (void *)arg, size }, { (void *)data, len },
	};

	EQ(OK(writev(rf->dev, iov, ARRAY_SIZE(iov))), head.len);
}

static void invalidate_entry(struct rf *rf, const char *dir, const char *name,
			     uint32_t flags)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = ino_of(dir), .namelen = strlen(name), .flags = flags,
	};

	notify(rf, FUSE_NOTIFY_INVAL_ENTRY, &out, sizeof(out), name, strlen(name) + 1);
}

static void expect_looked_up_once_more(struct rf *rf, struct pol *p)
{
	int calls = pol_calls(p, "y", 0);

	EQ(ino_of("m/d/x/y"), ino_of("b/d/x/y"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(pol_calls(p, "y", 0), calls + 1);
	EQ(rf_count_all(rf), 0);
}

TEST(name_that_the_server_invalidates_is_looked_up_by_the_kernel_again)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	struct pol *p;

	rf_make_tree();
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	CHECK(file_is("m/d/x/y", "deep\n"));
	rf_reset(rf);
	invalidate_entry(rf, "b/d/x", "y", 0);
	expect_looked_up_once_more(rf, p);
	notify(rf, NOTIFY_INC_EPOCH, NULL, 0, NULL, 0);
	expect_looked_up_once_more(rf, p);
	/* Only its time is up, which it does not go by: nothing has changed beneath. */
	invalidate_entry(rf, "b/d/x", "y", EXPIRE_ONLY);
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(rf_count_all(rf), 0);
}

TEST(data_that_the_server_stores_does_not_hide_those_of_a_passed_file)
{
	struct fuse_notify_store_out out = { .offset = 4, .size = 8 };
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	int fd;

	rf_make_tree();
	rf = rf_mount(NULL, &conf);
	pol_attach(rf, 0);
	fd = OK(open("m/f", O_RDWR));
	out.nodeid = ino_of("b/f");
	rf_reset(rf);
	notify(rf, FUSE_NOTIFY_STORE, &out, sizeof(out), "whatever", 8);
	EQ(stat_of("m/f").st_size, 7);
	EQ(lseek(fd, 0, SEEK_END), 7);
	CHECK(file_is("m/f", "file f\n"));
	OK(pwrite(fd, "F", 1, 0));
	CHECK(file_is("b/f", "File f\n"));
	CHECK(file_is("m/f", "File f\n"));
	EQ(rf_count_all(rf), 0);
}
