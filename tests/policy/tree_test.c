// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations that make, remove and move names, passed by a policy.
 *
 * Each operation in both ways: in the ops_mask it makes no request, out of it
 * exactly one, and the backing tree is the same afterwards. Then whom the new
 * things belong to, what happens when the backing tree changes meanwhile, and
 * what crosses from the kernel's names to those of the server.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"
#include "polload.h"
#include "rawfuse.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct rf *mount_tree(void)
{
	struct rf_conf conf = RF_DEFAULT;

	rf_make_tree();
	OK(mkdir("b/t", 0755));
	OK(mkdir("b/t/dir", 0755));
	OK(mkdir("b/t/empty", 0755));
	put_file("b/t/old", "old\n", 0644);
	put_file("b/t/other", "other\n", 0644);
	return rf_mount(NULL, &conf);
}

static bool exists(const char *path)
{
	struct stat st;

	if (!lstat(path, &st))
		return true;
	EQ(errno, ENOENT);
	return false;
}

static int renamef(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

/* Each of them works below "m/t", and is seen below "b/t" afterwards. */

static void do_create(void)
{
	int fd = OK(open("m/t/new", O_CREAT | O_EXCL | O_RDWR, 0640));
	struct stat st;

	OK(fstat(fd, &st));
	EQ(st.st_ino, ino_of("b/t/new"));
	EQ(stat_of("b/t/new").st_mode, S_IFREG | 0640);
	close(fd);
}

static void do_mknod(void)
{
	OK(mknod("m/t/new", S_IFIFO | 0600, 0));
	EQ(stat_of("b/t/new").st_mode, S_IFIFO | 0600);
	OK(mknod("m/t/dev", S_IFCHR | 0600, makedev(1, 3)));
	EQ(stat_of("b/t/dev").st_rdev, makedev(1, 3));
}

static void do_mkdir(void)
{
	OK(mkdir("m/t/new", 0750));
	EQ(stat_of("b/t/new").st_mode, S_IFDIR | 0750);
	EQ(ino_of("m/t/new"), ino_of("b/t/new"));
}

static void do_symlink(void)
{
	char target[16] = "";

	OK(symlink("target", "m/t/new"));
	EQ(readlink("b/t/new", target, sizeof(target)), 6);
	CHECK(!strcmp(target, "target"));
}

static void do_link(void)
{
	OK(link("m/t/old", "m/t/new"));
	EQ(ino_of("b/t/new"), ino_of("b/t/old"));
	EQ(stat_of("m/t/old").st_nlink, 2);
	EQ(stat_of("m/t/new").st_nlink, 2);
}

static void do_unlink(void)
{
	OK(unlink("m/t/old"));
	CHECK(!exists("b/t/old"));
	CHECK(!exists("m/t/old"));
}

static void do_rmdir(void)
{
	OK(rmdir("m/t/empty"));
	CHECK(!exists("b/t/empty"));
	CHECK(!exists("m/t/empty"));
}

static void do_rename(void)
{
	uint64_t old = ino_of("b/t/old");

	OK(rename("m/t/old", "m/t/dir/new"));
	EQ(ino_of("b/t/dir/new"), old);
	EQ(ino_of("m/t/dir/new"), old);
	CHECK(!exists("m/t/old"));
	OK(rename("m/t/dir", "m/t/moved"));
	CHECK(file_is("m/t/moved/new", "old\n"));
}

static void do_rename2(void)
{
	uint64_t old = ino_of("b/t/old"), other = ino_of("b/t/other");

	ERR(renamef("m/t/old", "m/t/other", RENAME_NOREPLACE), EEXIST);
	OK(renamef("m/t/old", "m/t/other", RENAME_EXCHANGE));
	EQ(ino_of("m/t/other"), old);
	EQ(ino_of("m/t/old"), other);
	EQ(ino_of("b/t/old"), other);
	OK(renamef("m/t/old", "m/t/new", RENAME_NOREPLACE));
	EQ(ino_of("b/t/new"), other);
}

static void do_tmpfile(void)
{
	int fd = OK(open("m/t", O_TMPFILE | O_RDWR, 0600));
	struct stat st;

	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_mode, S_IFREG | 0600);
	close(fd);
}

static const struct tree_op {
	const char *name;
	uint32_t opcode;
	void (*run)(void);
	unsigned int requests;	/* when it is not passed */
} tree_ops[] = {
	{ "create", FUSE_CREATE, do_create, 1 },
	{ "mknod", FUSE_MKNOD, do_mknod, 2 },
	{ "mkdir", FUSE_MKDIR, do_mkdir, 1 },
	{ "symlink", FUSE_SYMLINK, do_symlink, 1 },
	{ "link", FUSE_LINK, do_link, 1 },
	{ "unlink", FUSE_UNLINK, do_unlink, 1 },
	{ "rmdir", FUSE_RMDIR, do_rmdir, 1 },
	{ "rename", FUSE_RENAME, do_rename, 2 },
	{ "rename2", FUSE_RENAME2, do_rename2, 2 },
	{ "tmpfile", FUSE_TMPFILE, do_tmpfile, 1 },
};

static int tree_op_passes(void *arg)
{
	const struct tree_op *op = arg;
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	rf_reset(rf);
	op->run();
	if (rf_count_all(rf))
		rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
	return 0;
}

static int tree_op_asks(void *arg)
{
	const struct tree_op *op = arg;
	struct rf *rf = mount_tree();
	struct rule *r;
	struct pol *p;

	p = pol_attach(rf, 0);
	r = pol_rule(p, "t", FUSEPASS_PASS);
	r->set = RULE_SET_OPS;
	r->ops = RF_OPS & ~RF_OP(op->opcode);
	rf_reset(rf);
	op->run();
	EQ(rf_count(rf, op->opcode), op->requests);
	return 0;
}

#define TREE_OP(op, n)							\
	TEST(op##_in_the_mask_makes_no_request)				\
	{								\
		EQ(tree_op_passes((void *)&tree_ops[n]), 0);		\
	}								\
	TEST(op##_not_in_the_mask_asks_the_server)			\
	{								\
		EQ(tree_op_asks((void *)&tree_ops[n]), 0);		\
	}

TREE_OP(create, 0)
TREE_OP(mknod, 1)
TREE_OP(mkdir, 2)
TREE_OP(symlink, 3)
TREE_OP(link, 4)
TREE_OP(unlink, 5)
TREE_OP(rmdir, 6)
TREE_OP(rename, 7)
TREE_OP(rename_with_flags, 8)
TREE_OP(tmpfile, 9)

/* Owners of new objects, compared with those of a native directory. */

struct made { struct stat file, dir, fifo, link, tmp; };

static void make_all(const char *dir, struct made *m)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	close(OK(open(path, O_CREAT | O_WRONLY, 02775)));
	m->file = stat_of(path);
	snprintf(path, sizeof(path), "%s/dir", dir);
	OK(mkdir(path, 01777));
	m->dir = stat_of(path);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	OK(mknod(path, S_IFIFO | 0666, 0));
	m->fifo = stat_of(path);
	snprintf(path, sizeof(path), "%s/link", dir);
	OK(symlink("t", path));
	m->link = stat_of(path);
	fd = OK(open(dir, O_TMPFILE | O_RDWR, 02666));
	OK(fstat(fd, &m->tmp));
	close(fd);
}

static void same_owner(const struct stat *a, const struct stat *b)
{
	EQ(a->st_mode, b->st_mode);
	EQ(a->st_uid, b->st_uid);
	EQ(a->st_gid, b->st_gid);
}

static int make_in_both(void *arg)
{
	struct made mount, native;

	umask(027);
	make_all("m/own", &mount);
	make_all("own", &native);
	same_owner(&mount.file, &native.file);
	same_owner(&mount.dir, &native.dir);
	same_owner(&mount.fifo, &native.fifo);
	same_owner(&mount.link, &native.link);
	same_owner(&mount.tmp, &native.tmp);
	return 0;
}

static void own_dirs(mode_t mode, gid_t gid)
{
	OK(mkdir("own", 0700));
	OK(mkdir("b/own", 0700));
	OK(chown("own", 1000, gid));
	OK(chown("b/own", 1000, gid));
	OK(chmod("own", mode));
	OK(chmod("b/own", mode));
}

TEST(what_is_created_belongs_to_the_caller)
{
	struct rf *rf = mount_tree();

	own_dirs(0755, 1000);
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, make_in_both, NULL), 0);
	EQ(rf_count_all(rf), 0);
	EQ(stat_of("b/own/file").st_uid, 1000);
	EQ(stat_of("b/own/dir").st_uid, 1000);
}

/* In a setgid directory of a group that the caller is no member of. */
TEST(what_is_created_in_a_setgid_directory_is_as_natively)
{
	struct rf *rf = mount_tree();

	own_dirs(02777, 4321);
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, make_in_both, NULL), 0);
	EQ(rf_count_all(rf), 0);
	EQ(stat_of("b/own/file").st_gid, 4321);
	CHECK(!(stat_of("b/own/file").st_mode & S_ISGID));
	CHECK(stat_of("b/own/dir").st_mode & S_ISGID);
}

/* user::rwx user:1001:rwx group::r-x mask::rwx other::--- */
static const unsigned char default_acl[] = {
	2, 0, 0, 0,
	1, 0, 7, 0, 255, 255, 255, 255,
	2, 0, 7, 0, 233, 3, 0, 0,
	4, 0, 5, 0, 255, 255, 255, 255,
	16, 0, 7, 0, 255, 255, 255, 255,
	32, 0, 0, 0, 255, 255, 255, 255,
};

TEST(default_acl_applies_to_what_is_created)
{
	struct rf *rf = mount_tree();
	char acl[2][128];
	ssize_t len;

	own_dirs(0755, 1000);
	OK(setxattr("own", "system.posix_acl_default", default_acl,
		    sizeof(default_acl), 0));
	OK(setxattr("b/own", "system.posix_acl_default", default_acl,
		    sizeof(default_acl), 0));
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, make_in_both, NULL), 0);
	len = OK(getxattr("own/file", "system.posix_acl_access", acl[0], 128));
	EQ(getxattr("m/own/file", "system.posix_acl_access", acl[1], 128), len);
	CHECK(!memcmp(acl[0], acl[1], len));
	EQ(rf_count_all(rf), 0);
}

static int create_readonly_for_writing(void *arg)
{
	int fd = OK(open("m/own/ro", O_CREAT | O_WRONLY, 0400));

	EQ(write(fd, "text", 4), 4);
	ERR(open("m/own/ro", O_WRONLY), EACCES);
	return 0;
}

TEST(creator_may_write_whatever_the_mode)
{
	struct rf *rf = mount_tree();

	own_dirs(0755, 1000);
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, create_readonly_for_writing, NULL), 0);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/own/ro", "text"));
}

static int whiteout(void *arg)
{
	OK(renamef("m/own/f", "m/own/g", RENAME_WHITEOUT));
	return 0;
}

TEST(whiteout_belongs_to_the_caller)
{
	struct rf *rf = mount_tree();
	struct stat st;

	own_dirs(0755, 1000);
	put_file("b/own/f", "text", 0644);
	OK(chown("b/own/f", 1000, 1000));
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, whiteout, NULL), 0);
	EQ(rf_count_all(rf), 0);
	st = stat_of("b/own/f");
	EQ(st.st_mode & S_IFMT, S_IFCHR);
	EQ(st.st_rdev, 0);
	EQ(st.st_uid, 1000);
	EQ(st.st_ino, ino_of("m/own/f"));
	CHECK(file_is("m/own/g", "text"));
}

/* Permission to remove names */

static void make_sticky(uid_t mine, uid_t theirs)
{
	OK(mkdir("b/own", 0755));
	OK(chmod("b/own", 01777));
	put_file("b/own/mine", "x", 0666);
	put_file("b/own/theirs", "x", 0666);
	OK(chown("b/own/mine", mine, mine));
	OK(chown("b/own/theirs", theirs, theirs));
}

static int remove_from_sticky(void *arg)
{
	OK(unlink("m/own/mine"));
	ERR(unlink("m/own/theirs"), EPERM);
	ERR(rename("m/own/theirs", "m/own/x"), EPERM);
	return 0;
}

TEST(sticky_directory_protects_what_is_not_ones_own)
{
	struct rf *rf = mount_tree();

	make_sticky(1000, 1001);
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, remove_from_sticky, NULL), 0);
	EQ(rf_count_all(rf), 0);
	CHECK(exists("b/own/theirs"));
}

/* The owner is changed directly while the name is cached. */
TEST(sticky_directory_goes_by_the_owner_of_now)
{
	struct rf *rf = mount_tree();

	make_sticky(1001, 1000);
	pol_attach(rf, 0);
	CHECK(exists("m/own/mine"));
	CHECK(exists("m/own/theirs"));
	OK(chown("b/own/mine", 1000, 1000));
	OK(chown("b/own/theirs", 1001, 1001));
	EQ(as_uid(1000, remove_from_sticky, NULL), 0);
	CHECK(exists("b/own/theirs"));
	CHECK(!exists("b/own/mine"));
}

static int denied_in_closed(void *arg)
{
	ERR(open("m/t/new", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(mkdir("m/t/new", 0700), EACCES);
	ERR(mknod("m/t/new", S_IFIFO | 0600, 0), EACCES);
	ERR(symlink("x", "m/t/new"), EACCES);
	ERR(unlink("m/t/old"), EACCES);
	ERR(rmdir("m/t/empty"), EACCES);
	ERR(rename("m/t/old", "m/t/new"), EACCES);
	ERR(rename("m/own/f", "m/t/new"), EACCES);
	ERR(link("m/own/f", "m/t/new"), EACCES);
	ERR(open("m/t", O_TMPFILE | O_RDWR, 0600), EACCES);
	ERR(mknod("m/own/dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	return 0;
}

TEST(others_may_not_change_a_directory)
{
	struct rf *rf = mount_tree();

	own_dirs(0755, 1000);
	put_file("b/own/f", "x", 0644);
	OK(chown("b/own/f", 1000, 1000));
	pol_attach(rf, 0);
	rf_reset(rf);
	EQ(as_uid(1000, denied_in_closed, NULL), 0);
	EQ(rf_count_all(rf), 0);
}

static void errnos_in(const char *dir)
{
	char a[64], b[64];

#define A(name) (snprintf(a, sizeof(a), "%s/%s", dir, name), a)
#define B(name) (snprintf(b, sizeof(b), "%s/%s", dir, name), b)
	ERR(rmdir(A("dir")), ENOTEMPTY);
	ERR(rmdir(A("old")), ENOTDIR);
	ERR(unlink(A("dir")), EISDIR);
	ERR(unlink(A("nothing")), ENOENT);
	ERR(mkdir(A("dir"), 0755), EEXIST);
	ERR(symlink("x", A("old")), EEXIST);
	ERR(link(A("old"), B("other")), EEXIST);
	ERR(link(A("dir"), B("new")), EPERM);
	ERR(rename(A("dir"), B("old")), ENOTDIR);
	ERR(rename(A("old"), B("dir")), EISDIR);
	ERR(rename(A("empty"), B("dir")), ENOTEMPTY);
	ERR(rename(A("dir"), B("dir/below")), EINVAL);
	ERR(renamef(A("old"), B("nothing"), RENAME_EXCHANGE), ENOENT);
	ERR(renamef(A("old"), B("new"), 1U << 7), EINVAL);
	ERR(open(A("old"), O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
#undef A
#undef B
}

TEST(errors_are_those_of_the_native_directory)
{
	struct rf *rf = mount_tree();

	put_file("b/t/dir/full", "x", 0644);
	pol_attach(rf, 0);
	errnos_in("b/t");
	rf_reset(rf);
	errnos_in("m/t");
	EQ(rf_count_all(rf), 0);
}

/* The backing tree changes under a cached name. */

TEST(name_taken_meanwhile_is_opened_or_exists)
{
	struct rf *rf = mount_tree();
	int fd;

	pol_attach(rf, 0);
	CHECK(!exists("m/t/new"));
	put_file("b/t/new", "theirs", 0644);
	ERR(mkdir("m/t/new", 0755), EEXIST);
	ERR(open("m/t/new", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	fd = OK(open("m/t/new", O_CREAT | O_RDWR, 0600));
	CHECK(file_is("m/t/new", "theirs"));
	close(fd);
	EQ(stat_of("m/t/new").st_mode, S_IFREG | 0644);
}

TEST(name_removed_meanwhile_is_not_there)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	CHECK(exists("m/t/old"));
	OK(unlink("b/t/old"));
	ERR(unlink("m/t/old"), ENOENT);
	CHECK(exists("m/t/other"));
	OK(unlink("b/t/other"));
	ERR(rename("m/t/other", "m/t/new"), ENOENT);
}

TEST(replaced_name_is_removed_as_what_it_is_now)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	CHECK(exists("m/t/old"));
	OK(unlink("b/t/old"));
	OK(mkdir("b/t/old", 0755));
	ERR(unlink("m/t/old"), EISDIR);
	OK(rmdir("m/t/old"));
	CHECK(!exists("b/t/old"));
}

TEST(nothing_is_made_in_a_directory_that_is_gone)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	OK(chdir("m/t/empty"));
	OK(rmdir("../../../b/t/empty"));
	ERR(mkdir("x", 0755), ENOENT);
	ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	ERR(symlink("x", "y"), ENOENT);
	OK(chdir("/"));
}

/* Lives of what has no name any more */

TEST(unlinked_file_lives_while_it_is_open_and_frees_its_space)
{
	struct rf *rf = mount_tree();
	struct statfs before, after;
	char buf[8192];
	struct stat st;
	int fd, i;

	pol_attach(rf, 0);
	memset(buf, 'x', sizeof(buf));
	fd = OK(open("m/t/big", O_CREAT | O_RDWR, 0600));
	for (i = 0; i < 512; i++)
		EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	OK(fsync(fd));
	OK(statfs("b", &before));
	OK(unlink("m/t/big"));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_size, 512 * sizeof(buf));
	EQ(pread(fd, buf, 4, 4096), 4);
	CHECK(!memcmp(buf, "xxxx", 4));
	rf_reset(rf);
	close(fd);
	/* The last user is gone, without a cache having been dropped. */
	sync();
	OK(statfs("b", &after));
	CHECK(after.f_bfree >= before.f_bfree + 900);
	EQ(rf_count_all(rf), 0);
}

TEST(tmpfile_can_be_given_a_name_unless_exclusive)
{
	struct rf *rf = mount_tree();
	char path[64];
	struct stat st;
	int fd;

	pol_attach(rf, 0);
	rf_reset(rf);
	fd = OK(open("m/t", O_TMPFILE | O_RDWR, 0640));
	EQ(write(fd, "named", 5), 5);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "m/t/new", AT_SYMLINK_FOLLOW));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 1);
	EQ(st.st_ino, ino_of("b/t/new"));
	CHECK(file_is("b/t/new", "named"));
	close(fd);
	fd = OK(open("m/t", O_TMPFILE | O_EXCL | O_RDWR, 0640));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ERR(linkat(AT_FDCWD, path, AT_FDCWD, "m/t/excl", AT_SYMLINK_FOLLOW),
	    ENOENT);
	close(fd);
	EQ(rf_count_all(rf), 0);
}

/* It is made already: whoever opens it has to open that one, by its node. */

static struct rf *mount_without(uint64_t ops)
{
	struct rf *rf = mount_tree();
	struct rule *r = pol_rule(pol_attach(rf, FUSEPASS_SERVER), "", FUSEPASS_PASS);

	r->set = RULE_SET_OPS;
	r->ops = RF_OPS & ~ops;
	OK(access("m/t", F_OK));
	rf_reset(rf);
	return rf;
}

TEST(tmpfile_is_opened_by_the_server_if_opening_is_not_passed)
{
	struct rf *rf = mount_without(RF_OP_OPEN);
	struct stat st;
	char c;
	int fd;

	fd = OK(open("m/t", O_TMPFILE | O_RDWR, 0600));
	EQ(rf_count(rf, FUSE_TMPFILE), 0);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf->stats->open_flags & O_ACCMODE, O_RDWR);
	EQ(rf->stats->open_flags & (O_TMPFILE | O_CREAT | O_EXCL), 0);
	EQ(write(fd, "text", 4), 4);
	EQ(pread(fd, &c, 1, 1), 1);
	CHECK(c == 'e');
	OK(fstat(fd, &st));
	EQ(st.st_size, 4);
	EQ(st.st_nlink, 0);
}

TEST(tmpfile_is_opened_late_as_what_it_is)
{
	struct rf *rf = mount_without(RF_OP_FSYNC);
	int fd = OK(open("m/t", O_TMPFILE | O_RDWR, 0600));

	EQ(rf_count_all(rf), 0);
	OK(fsync(fd));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf_count(rf, FUSE_FSYNC), 1);
	EQ(rf->stats->open_flags & O_ACCMODE, O_RDWR);
	EQ(rf->stats->open_flags & (O_TMPFILE | O_CREAT | O_EXCL), 0);
}

/* That no operation on the file itself is passed does not matter. */
TEST(link_to_an_object_without_operations_of_its_own_passes)
{
	struct rf *rf = mount_without(~(RF_OP_LOOKUP | RF_OP_LINK));

	OK(link("m/t/old", "m/t/new"));
	EQ(rf_count(rf, FUSE_LINK), 0);
	EQ(ino_of("b/t/new"), ino_of("b/t/old"));
	EQ(stat_of("m/t/new").st_nlink, 2);
}

TEST(overwritten_target_is_unlinked)
{
	struct rf *rf = mount_tree();
	struct stat st;
	int fd;

	pol_attach(rf, 0);
	rf_reset(rf);
	fd = OK(open("m/t/other", O_RDONLY));
	OK(rename("m/t/old", "m/t/other"));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	CHECK(file_is("m/t/other", "old\n"));
	CHECK(file_is("b/t/other", "old\n"));
	close(fd);
	EQ(rf_count_all(rf), 0);
}

/* Renames and links to names of the server */

TEST(rename_to_a_name_of_the_server_is_the_servers)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "secret", FUSEPASS_SERVER);
	rf_reset(rf);
	OK(rename("m/t/old", "m/t/secret"));
	EQ(rf_count(rf, FUSE_RENAME), 1);
	CHECK(file_is("b/t/secret", "old\n"));
	CHECK(file_is("m/t/secret", "old\n"));
	CHECK(!exists("m/t/old"));
	OK(rename("m/t/secret", "m/t/plain"));
	EQ(rf_count(rf, FUSE_RENAME), 2);
	rf_reset(rf);
	OK(rename("m/t/plain", "m/t/again"));
	CHECK(file_is("m/t/again", "old\n"));
	EQ(rf_count(rf, FUSE_RENAME), 0);
}

TEST(name_of_the_server_is_created_and_removed_by_it)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "secret", FUSEPASS_SERVER);
	rf_reset(rf);
	OK(mkdir("m/t/secret", 0755));
	EQ(rf_count(rf, FUSE_MKDIR), 1);
	OK(rmdir("m/t/secret"));
	EQ(rf_count(rf, FUSE_RMDIR), 1);
	close(OK(open("m/t/secret", O_CREAT | O_RDWR, 0600)));
	EQ(rf_count(rf, FUSE_CREATE), 1);
	OK(link("m/t/old", "m/t/plain"));
	EQ(rf_count(rf, FUSE_LINK), 0);
	OK(unlink("m/t/secret"));
	EQ(rf_count(rf, FUSE_UNLINK), 1);
}

/* The name passes, but not what was created there. */
TEST(created_object_may_be_left_to_the_server)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int fd;

	pol_rule(p, "late", FUSEPASS_SERVER)->flags = POL_CREATE;
	rf_reset(rf);
	fd = OK(open("m/t/late", O_CREAT | O_EXCL | O_RDWR, 0600));
	EQ(rf_count(rf, FUSE_CREATE), 0);
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(write(fd, "text", 4), 4);
	close(fd);
	CHECK(file_is("b/t/late", "text"));
}

static int bind_readonly(void)
{
	OK(mkdir("ro", 0755));
	OK(mount("b", "ro", NULL, MS_BIND, NULL));
	OK(mount(NULL, "ro", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	return OK(open("ro", O_PATH | O_DIRECTORY));
}

TEST(readonly_mount_of_the_backing_directory_is_erofs)
{
	struct rf *rf = mount_tree();
	struct pol *p;

	p = pol_open(NULL, OK(open("m", O_PATH)), bind_readonly(), 0, 0);
	pol_load(p);
	EQ(pol_try_attach(p), 0);
	rf_reset(rf);
	ERR(mkdir("m/t/new", 0755), EROFS);
	ERR(open("m/t/new", O_CREAT | O_RDWR, 0600), EROFS);
	ERR(unlink("m/t/old"), EROFS);
	ERR(rename("m/t/old", "m/t/new"), EROFS);
	ERR(open("m/t", O_TMPFILE | O_RDWR, 0600), EROFS);
	ERR(link("m/t/old", "m/t/new"), EROFS);
	EQ(rf_count_all(rf), 0);
}

/* An idmapped mount of FUSE, on which uid and gid n are IDMAP_BASE + n. */

enum { IDMAP_BASE = 100000, IDMAP_STEPS = 64, ALLOW_IDMAP_BIT = 40 };

/* Results of the steps: an errno, or something of the result. */
struct idmap_log {
	int n;
	long long steps[IDMAP_STEPS];
};

struct idmap_run {
	int dir;		/* of the idmapped mount, then of t in it */
	struct idmap_log *log;	/* shared with who waits for it */
};

static void idmap_note(struct idmap_run *r, long long value)
{
	CHECK(r->log->n < IDMAP_STEPS);
	r->log->steps[r->log->n++] = value;
}

static void idmap_did(struct idmap_run *r, long ret)
{
	idmap_note(r, ret < 0 ? errno : 0);
}

static void idmap_saw(struct idmap_run *r, const char *name)
{
	struct stat st;

	if (fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
		idmap_note(r, errno);
		return;
	}
	idmap_note(r, st.st_mode);
	idmap_note(r, st.st_uid);
	idmap_note(r, st.st_gid);
}

static void idmap_create(struct idmap_run *r, const char *name, mode_t mode)
{
	int fd = openat(r->dir, name, O_CREAT | O_EXCL | O_RDWR, mode);

	idmap_did(r, fd);
	if (fd >= 0)
		close(fd);
}

/* Everybody tries the same, in a directory of uid 0 and one of uid 1000. */
static int idmap_steps(void *p)
{
	/* user::rw- user:IDMAP_BASE+1000:rw- group::r-- mask::rw- other::--- */
	static const uint32_t acl[] = {
		2, 0x00060001, ~0U, 0x00060002, IDMAP_BASE + 1000, 0x00040004, ~0U,
		0x00060010, ~0U, 0x00000020, ~0U
	};
	struct idmap_run *r = p;
	char name[32];

	OK(fchdir(r->dir));
	r->dir = OK(open("t", O_PATH | O_DIRECTORY));
	snprintf(name, sizeof(name), "%u", geteuid());
	idmap_create(r, name, 02755);
	idmap_saw(r, name);
	OK(fchdir(r->dir));
	idmap_did(r, setxattr(name, "system.posix_acl_access", acl, sizeof(acl), 0));
	idmap_saw(r, name);
	idmap_did(r, chown(name, 0, 0));
	idmap_did(r, chown(name, IDMAP_BASE, IDMAP_BASE));
	idmap_did(r, chown(name, IDMAP_BASE + 1000, -1));
	idmap_did(r, chmod(name, 04711));
	idmap_saw(r, name);
	idmap_did(r, mkdir("dir", 0750));
	idmap_saw(r, "dir");
	idmap_did(r, symlink("to", "link"));
	idmap_saw(r, "link");
	idmap_did(r, link("old", "old2"));
	idmap_did(r, rename("old", "renamed"));
	idmap_did(r, truncate("renamed", 1));
	idmap_did(r, setxattr("renamed", "user.a", "v", 1, 0));
	idmap_did(r, access("renamed", R_OK));
	idmap_did(r, access("renamed", W_OK));
	idmap_did(r, unlink("old2"));
	idmap_did(r, rmdir("dir"));
	idmap_did(r, unlink("link"));
	idmap_did(r, rename("renamed", "old"));
	idmap_did(r, unlink(name));
	return 0;
}

static struct idmap_log *idmap_log_new(void)
{
	struct idmap_log *log = mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(log != MAP_FAILED);
	return log;
}

static void idmap_compare(int native_dir, int mount_dir, uid_t uid, uid_t owner)
{
	struct idmap_run native = { native_dir, idmap_log_new() };
	struct idmap_run mount = { mount_dir, idmap_log_new() };

	OK(chown("b/t", owner, owner));
	OK(chown("b/t/old", owner, owner));
	EQ(as_uid(uid, idmap_steps, &native), 0);
	EQ(as_uid(uid, idmap_steps, &mount), 0);
	CHECK(native.log->n > 20);
	/* The owner can, by the number of the mount and no other. */
	EQ(native.log->steps[0] == 0, uid == IDMAP_BASE + owner);
	EQ(mount.log->n, native.log->n);
	for (int i = 0; i < native.log->n; i++)
		if (mount.log->steps[i] != native.log->steps[i])
			FAIL("uid %u, directory of %u, step %d: %lld, not %lld", uid, owner,
			     i, mount.log->steps[i], native.log->steps[i]);
}

TEST(idmapped_mount_of_fuse_is_as_one_of_the_backing_tree)
{
	static const uid_t owners[] = { 0, 1000 };
	static const uid_t users[] = {
		0, 1000, IDMAP_BASE, IDMAP_BASE + 1000, IDMAP_BASE + 1001,
	};
	struct rf_conf conf = RF_DEFAULT;
	int native, mapped;
	struct rf *rf;

	conf.flags |= 1ULL << ALLOW_IDMAP_BIT;
	conf.options = ",default_permissions";
	rf_make_tree();
	OK(mkdir("b/t", 0755));
	put_file("b/t/old", "old\n", 0644);
	rf = rf_mount(NULL, &conf);
	pol_attach(rf, 0);
	CHECK(file_is("m/t/old", "old\n"));
	native = idmapped_clone("b", IDMAP_BASE);
	mapped = idmapped_clone("m", IDMAP_BASE);
	rf_reset(rf);
	for (unsigned int i = 0; i < ARRAY_SIZE(owners); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(users); j++)
			idmap_compare(native, mapped, users[j], owners[i]);
	if (rf_count_all(rf))
		rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}
