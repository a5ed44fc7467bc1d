// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Permissions on a mount whose operations pass.
 *
 * The matrix: every operation, by each kind of caller, on each kind of object,
 * has to give the errno that it gives on the native file system, and to leave
 * the same owners and modes. After that come the limits that are not in the
 * inode: resource limits, mount flags, name spaces, seccomp, LSMs, quota.
 * lockstep.c compares whole sequences; here each operation has an object of its
 * own, so that one that is wrongly allowed does not hide the next.
 */
#include "harness.h"
#include "passed.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The native directory, the backing directory, and the mount of that. */
static const char *const places[] = { "n", "b", "m" };
enum { NATIVE, BACKING, MOUNT };

/* Objects ----------------------------------------------------------------- */

enum { OWNER = 1000, MEMBER = 1001, SUPPLEMENTARY = 1002, OTHER = 1003,
       NAMED = 1004, GROUP = 2000 };

struct kind {
	const char *name;
	mode_t mode;		/* with the type */
	uid_t uid;
	gid_t gid;
	int flags;		/* FS_*_FL */
	mode_t parent;		/* of the directory that it is in, 0: 0777 */
	int acl;		/* 1: a named user, 2: a named group with a mask */
};

static const struct kind kinds[] = {
	{ "f600", S_IFREG | 0600, OWNER, .gid = GROUP },
	{ "f640", S_IFREG | 0640, OWNER, .gid = GROUP },
	{ "f604", S_IFREG | 0604, OWNER, .gid = GROUP },
	{ "f060", S_IFREG | 0060, OWNER, .gid = GROUP },
	{ "root", S_IFREG | 0644, 0, .gid = 0 },
	{ "suid", S_IFREG | 06775, OWNER, .gid = GROUP },
	{ "user_acl", S_IFREG | 0640, OWNER, .gid = GROUP, .acl = 1 },
	{ "group_acl", S_IFREG | 0660, OWNER, .gid = OWNER, .acl = 2 },
	{ "immutable", S_IFREG | 0666, OWNER, .gid = GROUP, .flags = FS_IMMUTABLE_FL },
	{ "append", S_IFREG | 0666, OWNER, .gid = GROUP, .flags = FS_APPEND_FL },
	{ "in700", S_IFREG | 0666, OWNER, .gid = GROUP, .parent = 0700 },
	{ "sticky", S_IFREG | 0666, OWNER, .gid = GROUP, .parent = 01777 },
	{ "d700", S_IFDIR | 0700, OWNER, .gid = GROUP },
	{ "d750", S_IFDIR | 0750, OWNER, .gid = GROUP },
	{ "d701", S_IFDIR | 0701, OWNER, .gid = GROUP },
	{ "dsticky", S_IFDIR | 01777, OWNER, .gid = GROUP },
	{ "dsgid", S_IFDIR | 02777, OWNER, .gid = GROUP },
	{ "dacl", S_IFDIR | 0750, OWNER, .gid = OWNER, .acl = 2 },
	{ "dimmutable", S_IFDIR | 0777, OWNER, .gid = GROUP, .flags = FS_IMMUTABLE_FL },
	{ "dappend", S_IFDIR | 0777, OWNER, .gid = GROUP, .flags = FS_APPEND_FL },
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* owner rw, the named one rw(x) but what the mask takes, others nothing. */
static void set_acl(const char *path, const char *name, int which, bool dir)
{
	unsigned int x = dir;
	struct {
		uint32_t version;
		struct acl_entry e[5];
	} acl = { 2, {
		{ 0x01, 6 | x, -1 },
		{ which == 1 ? 0x02 : 0x04, 6 | x, which == 1 ? NAMED : -1 },
		{ which == 1 ? 0x04 : 0x08, which == 1 ? 4 : 6 | x,
		  which == 1 ? -1 : GROUP },
		{ 0x10, which == 1 ? 6 : 4 | x, -1 },
		{ 0x20, 0, -1 },
	} };

	OK(setxattr(path, name, &acl, sizeof(acl), 0));
}

static void own(const struct kind *k, const char *path)
{
	OK(lchown(path, k->uid, k->gid));
}

static void fill_directory(const struct kind *k, const char *path)
{
	char in[256];

	snprintf(in, sizeof(in), "%s/in", path);
	put_file(in, "in\n", 0666);
	own(k, in);
	snprintf(in, sizeof(in), "%s/sub", path);
	OK(mkdir(in, 0777));
	own(k, in);
	snprintf(in, sizeof(in), "%s/link", path);
	OK(symlink("in", in));
}

/* PLACE/KIND.OP/o, an object for one operation. */
static void make_object(const struct kind *k, const char *parent)
{
	static const char acc[] = "system.posix_acl_access";
	char path[200];

	OK(mkdir(parent, 0777));
	snprintf(path, sizeof(path), "%s/o", parent);
	if (S_ISDIR(k->mode)) {
		OK(mkdir(path, 0777));
		fill_directory(k, path);
	} else {
		put_file(path, "content\n", 0666);
		OK(setxattr(path, "user.a", "a", 1, 0));
	}
	own(k, path);
	OK(chmod(path, k->mode & 07777));
	if (k->acl)
		set_acl(path, acc, k->acl, S_ISDIR(k->mode));
	if (k->flags)
		set_file_flags(path, k->flags, true);
	if (k->parent)
		OK(chown(parent, OWNER, GROUP));
	OK(chmod(parent, k->parent ? k->parent : 0777));
}

/* Operations -------------------------------------------------------------- *
 *
 * In the directory of the object, which is called o. 0 or -errno.
 */

static int res(long r)
{
	return r < 0 ? -errno : 0;
}

static int opened(int fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

#define OP(fn, expr) static int fn(void) { return res(expr); }
#define OP_OPEN(fn, path, flags)					\
	static int fn(void) { return opened(open(path, flags, 0640)); }

OP_OPEN(open_read, "o", O_RDONLY)
OP_OPEN(open_write, "o", O_WRONLY)
OP_OPEN(open_both, "o", O_RDWR)
OP_OPEN(open_append, "o", O_WRONLY | O_APPEND)
OP_OPEN(open_trunc, "o", O_WRONLY | O_TRUNC)
OP_OPEN(open_noatime, "o", O_RDONLY | O_NOATIME)
OP_OPEN(open_creat, "o", O_WRONLY | O_CREAT)
OP_OPEN(open_dir, "o", O_RDONLY | O_DIRECTORY)
OP(access_r, access("o", R_OK))
OP(access_w, access("o", W_OK))
OP(access_x, faccessat(AT_FDCWD, "o", X_OK, AT_EACCESS))
OP(chmod_plain, chmod("o", 0750))
OP(chmod_privileged, chmod("o", 06770))
OP(chown_self, chown("o", geteuid(), -1))
OP(chown_other, chown("o", 7, -1))
OP(chgrp_group, chown("o", -1, GROUP))
OP(chgrp_other, chown("o", -1, 77))
OP(chown_nothing, chown("o", -1, -1))
OP(utimes_now, utimensat(AT_FDCWD, "o", NULL, 0))
OP(truncate_down, truncate("o", 3))
OP(truncate_up, truncate("o", 300))
OP(setxattr_user, setxattr("o", "user.b", "b", 1, 0))
OP(removexattr_user, removexattr("o", "user.a"))
OP(setxattr_trusted, setxattr("o", "trusted.b", "b", 1, 0))
OP(setxattr_security, setxattr("o", "security.b", "b", 1, 0))
OP(link_it, link("o", "o2"))
OP(unlink_it, unlink("o"))
OP(rmdir_it, rmdir("o"))
OP(rename_it, rename("o", "o2"))
OP(chdir_it, chdir("o"))
OP(statfs_it, statfs("o", &(struct statfs){ 0 }))
OP(list_acl, getxattr("o", "system.posix_acl_access", NULL, 0))
OP(drop_acl, removexattr("o", "system.posix_acl_access"))
OP(stat_in, access("o/in", F_OK))
OP(stat_none, access("o/none", F_OK))
OP(readlink_in, readlink("o/link", (char[64]){ 0 }, 64))
OP(mkdir_in, mkdir("o/d", 0777))
OP(mknod_in, mknod("o/p", S_IFIFO | 0666, 0))
OP(mkdev_in, mknod("o/c", S_IFCHR | 0666, makedev(1, 3)))
OP(symlink_in, symlink("t", "o/s"))
OP(link_in, link("o/in", "o/hard"))
OP(unlink_in, unlink("o/in"))
OP(rmdir_in, rmdir("o/sub"))
OP(rename_in, rename("o/in", "o/in2"))
OP(rename_over, rename("o/in", "o/link"))
OP(rename_out, rename("o/in", "out"))
OP(exchange_in, renameat2(AT_FDCWD, "o/in", AT_FDCWD, "o/sub", RENAME_EXCHANGE))
OP_OPEN(create_in, "o/new", O_CREAT | O_EXCL | O_RDWR)
OP_OPEN(tmpfile_in, "o", O_TMPFILE | O_RDWR)
OP_OPEN(open_in, "o/in", O_RDWR)

static int getxattr_user(void)
{
	char buf[8];

	return res(getxattr("o", "user.a", buf, sizeof(buf)));
}

static int list_xattrs(void)
{
	char buf[512];
	long n = listxattr("o", buf, sizeof(buf));

	return n < 0 ? -errno : n;
}

static int utimes_set(void)
{
	struct timespec ts[2] = { { 5, 0 }, { 6, 0 } };

	return res(utimensat(AT_FDCWD, "o", ts, 0));
}

static int put_acl(void)
{
	struct {
		uint32_t version;
		struct acl_entry e[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, OTHER }, { 4, 4, -1 },
		       { 16, 6, -1 }, { 32, 0, -1 } } };

	return res(setxattr("o", "system.posix_acl_access", &acl, sizeof(acl),
			    0));
}

static int put_default_acl(void)
{
	struct {
		uint32_t version;
		struct acl_entry e[3];
	} acl = { 2, { { 1, 7, -1 }, { 4, 5, -1 }, { 32, 0, -1 } } };

	return res(setxattr("o", "system.posix_acl_default", &acl, sizeof(acl),
			    0));
}

static int with_fd(int flags, int (*fn)(int fd))
{
	int fd = open("o", flags), ret;

	if (fd < 0)
		return -errno;
	ret = fn(fd);
	close(fd);
	return ret;
}

static int on_write(int fd)
{
	return res(write(fd, "x", 1));
}

static int on_fallocate(int fd)
{
	return res(fallocate(fd, 0, 0, 10000));
}

static int on_punch(int fd)
{
	return res(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     4));
}

static int on_ftruncate(int fd)
{
	return res(ftruncate(fd, 2));
}

static int on_copy(int fd)
{
	off_t from = 0, to = 2;

	return res(copy_file_range(fd, &from, fd, &to, 2, 0));
}

static int on_map(int fd)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	map[0] = 'm';
	munmap(map, 4096);
	return 0;
}

static int on_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK };

	return res(fcntl(fd, F_SETLK, &l)) ?: res(flock(fd, LOCK_EX));
}

static int on_fsync(int fd)
{
	return res(fsync(fd)) ?: res(fdatasync(fd));
}

static int on_seek(int fd)
{
	return lseek(fd, 0, SEEK_END) + lseek(fd, 0, SEEK_HOLE) * 1000;
}

static int on_fchmod(int fd)
{
	return res(fchmod(fd, 0711));
}

static int on_get_flags(int fd)
{
	int flags;

	return res(ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

static int on_set_flags(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -errno;
	flags ^= FS_NODUMP_FL;
	return res(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static int on_set_immutable(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -errno;
	flags |= FS_IMMUTABLE_FL;
	return res(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

#define OP_FD(name, flags) static int fd_##name(void) { return with_fd(flags, on_##name); }
OP_FD(write, O_WRONLY)
OP_FD(fallocate, O_WRONLY)
OP_FD(punch, O_RDWR)
OP_FD(ftruncate, O_RDWR)
OP_FD(copy, O_RDWR)
OP_FD(map, O_RDWR)
OP_FD(lock, O_RDWR)
OP_FD(fsync, O_RDONLY)
OP_FD(seek, O_RDONLY)
OP_FD(fchmod, O_RDONLY)
OP_FD(get_flags, O_RDONLY)
OP_FD(set_flags, O_RDONLY)
OP_FD(set_immutable, O_RDONLY)

enum { ON_FILE = 1, ON_DIR = 2, ON_BOTH = 3 };

static const struct op {
	const char *name;
	int (*run)(void);
	int on;
} ops[] = {
#define F(fn) { #fn, fn, ON_FILE }
#define D(fn) { #fn, fn, ON_DIR }
#define B(fn) { #fn, fn, ON_BOTH }
	F(open_read), F(open_write), F(open_both), F(open_append),
	F(open_trunc), F(open_creat), B(open_noatime), D(open_dir),
	B(access_r), B(access_w), B(access_x), B(chmod_plain),
	B(chmod_privileged), B(chown_self), B(chown_other), B(chgrp_group),
	B(chgrp_other), B(chown_nothing), B(utimes_now), B(utimes_set),
	F(truncate_down), F(truncate_up), B(setxattr_user),
	F(removexattr_user), F(getxattr_user), B(setxattr_trusted),
	B(setxattr_security), B(list_xattrs), B(put_acl), D(put_default_acl),
	B(list_acl), B(drop_acl), F(link_it), F(unlink_it), D(rmdir_it),
	B(rename_it), D(chdir_it), D(stat_in), D(stat_none), D(readlink_in),
	D(mkdir_in), D(mknod_in), D(mkdev_in), D(symlink_in), D(link_in),
	D(unlink_in), D(rmdir_in), D(rename_in), D(rename_over),
	D(rename_out), D(exchange_in), D(create_in), D(tmpfile_in), D(open_in),
	F(fd_write), F(fd_fallocate), F(fd_punch), F(fd_ftruncate), F(fd_copy),
	F(fd_map), F(fd_lock), B(fd_fsync), F(fd_seek), B(statfs_it),
	B(fd_fchmod), B(fd_get_flags), B(fd_set_flags),
	B(fd_set_immutable),
};

/* The matrix -------------------------------------------------------------- */

enum { NOT_RUN = 12345 };
static int (*results)[ARRAY_SIZE(kinds)][ARRAY_SIZE(ops)];

static bool applies(const struct op *op, const struct kind *k)
{
	return op->on & (S_ISDIR(k->mode) ? ON_DIR : ON_FILE);
}

static void parent_path(char *path, size_t size, int place, size_t k, size_t o)
{
	snprintf(path, size, "%s/%s.%s", places[place], kinds[k].name,
		 ops[o].name);
}

static void make_objects(int place)
{
	char path[128];

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
			if (!applies(&ops[o], &kinds[k]))
				continue;
			parent_path(path, sizeof(path), place, k, o);
			make_object(&kinds[k], path);
		}
}

struct subject {
	uid_t uid;
	gid_t gid;
	gid_t more;		/* a supplementary group, 0: none */
	int place;
};

static void become(const struct subject *s)
{
	OK(setgroups(s->more ? 1 : 0, &s->more));
	OK(setresgid(s->gid, s->gid, s->gid));
	OK(setresuid(s->uid, s->uid, s->uid));
	umask(022);
}

/* Enters the directory as root, so that the object alone decides. */
static int run_ops(void *arg)
{
	struct subject *s = arg;
	int top = OK(open(".", O_RDONLY | O_DIRECTORY));
	char path[128];

	become(s);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
			int *r = &results[s->place][k][o];

			*r = NOT_RUN;
			if (!applies(&ops[o], &kinds[k]))
				continue;
			OK(fchdir(top));
			parent_path(path, sizeof(path), s->place, k, o);
			*r = chdir(path) ? -errno : ops[o].run();
		}
	return 0;
}

static const char *result_name(int r)
{
	static char buf[2][32];
	static int turn;

	if (r < 0)
		return strerrorname_np(-r);
	turn = !turn;
	snprintf(buf[turn], sizeof(buf[turn]), "ok (%d)", r);
	return buf[turn];
}

/* State of all objects of a place: modes, owners, names. */
static void write_tree(int place)
{
	if (shell("cd %s && find . -mindepth 1 \\( -type d -printf '%%P d %%m %%U %%G\\n' -o "
		  "-printf '%%P %%y %%m %%U %%G %%n %%s %%l\\n' \\) | LC_ALL=C sort >../tree.%s",
		  places[place], places[place]))
		FAIL("find in %s", places[place]);
}

static void expect_same_trees(int a, int b)
{
	char text[2048];
	FILE *f;
	size_t n;

	if (!shell("cmp -s tree.%s tree.%s", places[a], places[b]))
		return;
	snprintf(text, sizeof(text), "diff tree.%s tree.%s | head -n 20",
		 places[a], places[b]);
	f = popen(text, "r");
	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	pclose(f);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		note("%s", line);
	FAIL("what is left in %s differs from %s", places[b], places[a]);
}

static int compare_results(void)
{
	int bad = 0, allowed = 0, denied = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
			int a = results[NATIVE][k][o], b = results[MOUNT][k][o];

			allowed += a >= 0 && a != NOT_RUN;
			denied += a < 0;
			if (a == b)
				continue;
			if (++bad <= 30)
				note("%s of %s: %s on the mount, natively %s",
				     ops[o].name, kinds[k].name, result_name(b),
				     result_name(a));
		}
	note("natively %d operations work and %d fail", allowed, denied);
	/* A matrix of which all fails, or nothing, would tell nothing. */
	CHECK(allowed > 50 && denied > 50);
	return bad;
}

static void expect_native_rights(uid_t uid, gid_t gid, gid_t more)
{
	struct subject s = { uid, gid, more, NATIVE };
	int bad;

	results = mmap(NULL, sizeof(*results) * 3, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(results != MAP_FAILED);
	mount_both();
	make_objects(NATIVE);
	make_objects(BACKING);
	EQ(in_child(run_ops, &s), 0);
	s.place = MOUNT;
	EQ(in_child(run_ops, &s), 0);
	bad = compare_results();
	for (int place = NATIVE; place <= MOUNT; place++)
		write_tree(place);
	if (bad)
		FAIL("%d results differ", bad);
	expect_same_trees(NATIVE, BACKING);
	expect_same_trees(NATIVE, MOUNT);
}

TEST_FLAGS(root_may_do_what_it_may_natively, T_LONG)
{
	expect_native_rights(0, 0, 0);
}

TEST_FLAGS(owner_may_do_what_it_may_natively, T_LONG)
{
	expect_native_rights(OWNER, OWNER, 0);
}

TEST_FLAGS(member_of_the_group_may_do_what_it_may_natively, T_LONG)
{
	expect_native_rights(MEMBER, GROUP, 0);
}

TEST_FLAGS(member_by_a_supplementary_group_may_do_what_it_may_natively, T_LONG)
{
	expect_native_rights(SUPPLEMENTARY, SUPPLEMENTARY, GROUP);
}

TEST_FLAGS(user_named_in_an_acl_may_do_what_it_may_natively, T_LONG)
{
	expect_native_rights(NAMED, NAMED, 0);
}

TEST(others_may_do_what_they_may_natively)
{
	expect_native_rights(OTHER, OTHER, 0);
}

static int write_immutable(void *dir)
{
	OK(chdir(dir));
	ERR(open("f", O_WRONLY), EPERM);
	ERR(access("f", W_OK), EPERM);
	ERR(truncate("f", 0), EPERM);
	ERR(open("f", O_RDONLY), EACCES);
	return 0;
}

/* The flag comes before the mode, at the very first look at the file as well. */
TEST(write_to_an_immutable_file_is_eperm_for_who_may_not_write_either)
{
	mount_both();
	for (int place = NATIVE; place <= BACKING; place++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/f", places[place]);
		put_file(path, "text\n", 0600);
		set_file_flags(path, FS_IMMUTABLE_FL, true);
	}
	EQ(as_uid(OTHER, write_immutable, (void *)"n"), 0);
	EQ(as_uid(OTHER, write_immutable, (void *)"m"), 0);
}

/* Privileges that a change of the data takes away ------------------------- */

enum { NO_BITS = 0777, BITS = 06777 };

static int change_file(const char *path, int flags, int (*change)(int fd))
{
	int fd = open(path, O_RDWR | flags), ret;

	if (fd < 0)
		return -errno;
	ret = change(fd);
	close(fd);
	return ret;
}

static int by_pwrite(int fd)
{
	return res(pwrite(fd, "x", 1, 2));
}

static int by_splice(int fd)
{
	int p[2];

	if (pipe(p) || write(p[1], "piped", 5) != 5)
		return -errno;
	return res(splice(p[0], NULL, fd, NULL, 5, 0));
}

static int by_sendfile(int fd)
{
	int in = open("source", O_RDONLY);

	return in < 0 ? -errno : res(sendfile(fd, in, NULL, 4));
}

static int by_copy(int fd)
{
	off_t from = 0, to = 4;

	return res(copy_file_range(fd, &from, fd, &to, 2, 0));
}

static int by_nothing(int fd)
{
	return 0;
}

static int by_own_chown(int fd)
{
	/* To what it is: still a change of owner. */
	return res(fchown(fd, -1, OWNER));
}

static struct {
	int (*change)(int fd);
	const char *path;
	int flags;		/* of the open */
} change;

static int do_change(void *arg)
{
	EQ(change_file(change.path, change.flags, change.change), 0);
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
	return st.st_mode & 07777;
}

static void expect_bits_as_native(uid_t uid, int (*fn)(int fd), mode_t left)
{
	static const char *const files[] = { "n/f", "m/f" };

	mount_both();
	put_file("source", "data", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		put_file(i ? "b/f" : "n/f", "some text\n", 0777);
		OK(chown(i ? "b/f" : "n/f", OWNER, OWNER));
		/* On the mount it was seen without the bits. */
		EQ(mode_of(files[i]), NO_BITS);
		OK(chmod(i ? "b/f" : "n/f", BITS));
		change.change = fn;
		change.path = files[i];
		EQ(as_uid(uid, do_change, NULL), 0);
		EQ(mode_of(i ? "b/f" : "n/f"), left);
		EQ(mode_of(files[i]), left);
	}
}

static void drop_cap_fsetid(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	OK(syscall(SYS_capget, &head, caps));
	caps[0].effective &= ~(1U << CAP_FSETID);
	OK(syscall(SYS_capset, &head, caps));
}

static int change_without_fsetid(void *arg)
{
	drop_cap_fsetid();
	return do_change(arg);
}

/* Root is nobody special without CAP_FSETID: passed, and asked of the server. */
static void expect_bits_go_without_fsetid(int (*fn)(int fd), int flags)
{
	static const char *const files[] = { "n/f", "m/f", "served/f" };

	mount_both();
	OK(mkdir("served", 0755));
	EQ(shell("fusepass mount b served"), 0);
	put_file("source", "data", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *under = i ? "b/f" : "n/f";

		put_file(under, "some text\n", BITS);
		change.change = fn;
		change.path = files[i];
		change.flags = flags;
		EQ(in_child(change_without_fsetid, NULL), 0);
		if (mode_of(under) != NO_BITS)
			FAIL("%s keeps mode %o", files[i], mode_of(under));
		EQ(mode_of(files[i]), NO_BITS);
	}
}

TEST(write_by_root_without_cap_fsetid_takes_suid_and_sgid)
{
	expect_bits_go_without_fsetid(by_pwrite, 0);
}

TEST(truncating_open_by_root_without_cap_fsetid_takes_suid_and_sgid)
{
	expect_bits_go_without_fsetid(by_nothing, O_TRUNC);
}

TEST(ftruncate_by_root_without_cap_fsetid_takes_suid_and_sgid)
{
	expect_bits_go_without_fsetid(on_ftruncate, 0);
}

TEST(fallocate_by_root_without_cap_fsetid_takes_suid_and_sgid)
{
	expect_bits_go_without_fsetid(on_fallocate, 0);
}

TEST(copy_file_range_by_root_without_cap_fsetid_takes_suid_and_sgid)
{
	expect_bits_go_without_fsetid(by_copy, 0);
}

TEST(write_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, by_pwrite, NO_BITS);
}

TEST(write_by_the_owner_takes_suid_and_sgid)
{
	expect_bits_as_native(OWNER, by_pwrite, NO_BITS);
}

TEST(write_by_root_keeps_suid_and_sgid)
{
	expect_bits_as_native(0, by_pwrite, BITS);
}

TEST(open_alone_keeps_suid_and_sgid)
{
	expect_bits_as_native(OTHER, by_nothing, BITS);
}

TEST(fallocate_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, on_fallocate, NO_BITS);
}

TEST(punching_a_hole_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, on_punch, NO_BITS);
}

TEST(ftruncate_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, on_ftruncate, NO_BITS);
}

TEST(copy_file_range_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, by_copy, NO_BITS);
}

TEST(splice_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, by_splice, NO_BITS);
}

TEST(sendfile_by_another_takes_suid_and_sgid)
{
	expect_bits_as_native(OTHER, by_sendfile, NO_BITS);
}

TEST(chown_by_the_owner_takes_suid_and_sgid)
{
	expect_bits_as_native(OWNER, by_own_chown, NO_BITS);
}

/* Limits that are not in the inode ---------------------------------------- */

static int write_beyond_limit(void *path)
{
	struct rlimit lim = { 4096, 4096 };
	char buf[64] = "";
	int fd;

	OK(setrlimit(RLIMIT_FSIZE, &lim));
	fd = OK(open(path, O_RDWR));
	/* The part that fits is written, and the rest is no error yet. */
	EQ(pwrite(fd, buf, sizeof(buf), 4096 - 10), 10);
	signal(SIGXFSZ, SIG_IGN);
	ERR(pwrite(fd, buf, 1, 4096), EFBIG);
	ERR(ftruncate(fd, 4097), EFBIG);
	ERR(fallocate(fd, 0, 0, 4097), EFBIG);
	ERR(truncate(path, 4097), EFBIG);
	signal(SIGXFSZ, SIG_DFL);
	pwrite(fd, buf, 1, 4096);
	return 0;
}

TEST(file_size_limit_gives_efbig_and_sigxfsz)
{
	mount_both();
	put_file("n/f", "x", 0666);
	put_file("b/f", "x", 0666);
	EQ(as_uid(OTHER, write_beyond_limit, (void *)"n/f"), 128 + SIGXFSZ);
	EQ(as_uid(OTHER, write_beyond_limit, (void *)"m/f"), 128 + SIGXFSZ);
	EQ(as_uid(0, write_beyond_limit, (void *)"m/f"), 128 + SIGXFSZ);
}

static void expect_read_only(const char *dir)
{
	char here[PATH_MAX];

	CHECK(getcwd(here, sizeof(here)));
	OK(chdir(dir));
	ERR(open("f", O_WRONLY), EROFS);
	ERR(open("f", O_RDONLY | O_TRUNC), EROFS);
	ERR(open("new", O_CREAT | O_WRONLY, 0600), EROFS);
	ERR(truncate("f", 0), EROFS);
	ERR(chmod("f", 0600), EROFS);
	ERR(chown("f", 1, 1), EROFS);
	ERR(utimensat(AT_FDCWD, "f", NULL, 0), EROFS);
	ERR(setxattr("f", "user.a", "a", 1, 0), EROFS);
	ERR(removexattr("f", "user.none"), EROFS);
	ERR(mkdir("d", 0700), EROFS);
	ERR(mknod("p", S_IFIFO | 0600, 0), EROFS);
	ERR(symlink("f", "s"), EROFS);
	ERR(link("f", "hard"), EROFS);
	ERR(unlink("f"), EROFS);
	ERR(rename("f", "g"), EROFS);
	ERR(open(".", O_TMPFILE | O_RDWR, 0600), EROFS);
	CHECK(file_is("f", "text\n"));
	OK(chdir(here));
}

/* The mount of fuse itself is writable: only the backing mount is not. */
TEST(read_only_bind_of_the_backing_directory_is_read_only)
{
	OK(mkdir("b", 0755));
	put_file("b/f", "text\n", 0644);
	OK(mount("b", "b", NULL, MS_BIND, NULL));
	OK(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	expect_read_only("b");
	mount_passed("b", "m", "");
	expect_read_only("m");
}

/* Nobody can write to it, and whoever asks has to be told. */
TEST(access_for_writing_through_a_read_only_bind_is_erofs)
{
	OK(mkdir("b", 0755));
	put_file("b/f", "text\n", 0644);
	OK(mount("b", "b", NULL, MS_BIND, NULL));
	OK(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	mount_passed("b", "m", "");
	ERR(access("b/f", W_OK), EROFS);
	ERR(open("m/f", O_WRONLY), EROFS);
	ERR(access("m/f", W_OK), EROFS);
	OK(access("m/f", R_OK));
}

TEST(read_only_mount_of_a_writable_directory_is_read_only)
{
	mount_both();
	put_file("b/f", "text\n", 0644);
	OK(mount(NULL, "m", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	expect_read_only("m");
	ERR(access("m/f", W_OK), EROFS);
	OK(chmod("b/f", 0600));
}

static void remount(unsigned long flags)
{
	OK(mount(NULL, "m", NULL, MS_BIND | MS_REMOUNT | flags, NULL));
}

static int run_program(void *path)
{
	execl(path, path, NULL);
	return errno == EACCES ? 100 : 101;
}

TEST(noexec_of_the_mount_holds)
{
	mount_both();
	put_file("b/prog", "#!/bin/sh\nexit 42\n", 0755);
	EQ(in_child(run_program, (void *)"m/prog"), 42);
	remount(MS_NOEXEC);
	EQ(in_child(run_program, (void *)"m/prog"), 100);
	EQ(in_child(run_program, (void *)"b/prog"), 42);
}

static int print_uid(void *path)
{
	execl(path, "sh", "-p", "-c", "exit $(($(id -u) != 0))", NULL);
	return 101;
}

/* A shell that keeps privileges says whether it got them. */
TEST(nosuid_of_the_mount_holds)
{
	mount_both();
	if (shell("cp -L /bin/sh b/sh && chmod 4755 b/sh"))
		FAIL("no copy of the shell");
	remount(0);
	EQ(as_uid(OTHER, print_uid, (void *)"b/sh"), 0);
	EQ(as_uid(OTHER, print_uid, (void *)"m/sh"), 0);
	remount(MS_NOSUID);
	EQ(as_uid(OTHER, print_uid, (void *)"m/sh"), 1);
}

TEST(nodev_of_the_mount_holds)
{
	mount_both();
	OK(mknod("b/null", S_IFCHR | 0666, makedev(1, 3)));
	remount(0);
	close(OK(open("m/null", O_RDWR)));
	remount(MS_NODEV);
	ERR(open("m/null", O_RDWR), EACCES);
	close(OK(open("b/null", O_RDWR)));
}

/* User name spaces -------------------------------------------------------- */

static void map_self(const char *file, unsigned int id)
{
	char text[64];

	snprintf(text, sizeof(text), "0 %u 1", id);
	set_sysctl(file, text);
}

/* Root of a name space in which nobody but OWNER has a number. */
static void enter_userns(void)
{
	/* Files in /proc of a process that changed its user are root's. */
	OK(prctl(PR_SET_DUMPABLE, 1));
	OK(unshare(CLONE_NEWUSER));
	set_sysctl("/proc/self/setgroups", "deny");
	map_self("/proc/self/uid_map", OWNER);
	map_self("/proc/self/gid_map", OWNER);
	OK(setresuid(0, 0, 0));
}

static int use_in_userns(void *dir)
{
	struct stat st;

	OK(chdir(dir));
	enter_userns();
	/* Objects of root are nobody's here. */
	OK(stat("roots", &st));
	EQ(st.st_uid, 65534);
	ERR(open("roots", O_RDONLY), EACCES);
	ERR(open("roots", O_WRONLY), EACCES);
	ERR(truncate("roots", 0), EACCES);
	ERR(chmod("roots", 0666), EPERM);
	ERR(chown("roots", 0, 0), EPERM);
	ERR(utimensat(AT_FDCWD, "roots", NULL, 0), EACCES);
	ERR(setxattr("roots", "user.a", "a", 1, 0), EACCES);
	ERR(open("closed", O_RDONLY | O_DIRECTORY), EACCES);
	ERR(access("closed/in", F_OK), EACCES);
	ERR(unlink("roots"), EACCES);
	/* The user may use its own objects, but not give them away. */
	OK(stat("own", &st));
	EQ(st.st_uid, 0);
	close(OK(open("own", O_RDWR)));
	OK(chmod("own", 0640));
	OK(chown("own", 0, 0));
	ERR(chown("own", 5, -1), EINVAL);
	ERR(setxattr("own", "trusted.a", "a", 1, 0), EPERM);
	ERR(mknod("dir/c", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	close(OK(open("dir/new", O_CREAT | O_EXCL | O_WRONLY, 0600)));
	OK(mkdir("dir/sub", 0700));
	return 0;
}

static void make_userns_tree(const char *dir)
{
	char here[PATH_MAX];

	CHECK(getcwd(here, sizeof(here)));
	OK(chdir(dir));
	put_file("roots", "root's", 0600);
	OK(mkdir("closed", 0700));
	put_file("closed/in", "in", 0644);
	put_file("own", "own", 0600);
	OK(chown("own", OWNER, OWNER));
	OK(mkdir("dir", 0700));
	OK(chown("dir", OWNER, OWNER));
	OK(chdir(here));
}

TEST(root_of_a_user_namespace_has_no_power_over_files_of_others)
{
	struct stat st;

	mount_both();
	make_userns_tree("n");
	make_userns_tree("b");
	EQ(as_uid(OWNER, use_in_userns, (void *)"n"), 0);
	EQ(as_uid(OWNER, use_in_userns, (void *)"m"), 0);
	CHECK(file_is("b/roots", "root's"));
	OK(stat("b/dir/new", &st));
	EQ(st.st_uid, OWNER);
	EQ(st.st_gid, OWNER);
}

/* seccomp and LSMs -------------------------------------------------------- */

static void deny_syscall(int number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static int use_under_seccomp(void *arg)
{
	int fd = OK(open("m/f", O_RDWR));
	char c;

	EQ(pwrite(fd, "x", 1, 0), 1);
	deny_syscall(SYS_pwrite64);
	ERR(pwrite(fd, "y", 1, 0), ENOTTY);
	EQ(pread(fd, &c, 1, 0), 1);
	CHECK(c == 'x');
	return 0;
}

TEST(seccomp_filter_holds_for_passed_files)
{
	mount_both();
	put_file("b/f", "text\n", 0666);
	EQ(as_uid(OTHER, use_under_seccomp, NULL), 0);
	CHECK(file_is("b/f", "xext\n"));
}

/* Newer than the headers of the distribution. */
#define LL_TRUNCATE (1ULL << 14)
#define LL_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LL_HANDLED (LL_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LL_TRUNCATE | \
		    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* From now on only this, and only beneath this directory. */
static void landlock(const char *dir, uint64_t allowed)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LL_HANDLED };
	struct landlock_path_beneath_attr rule = { .allowed_access = allowed };
	int set = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (set < 0)
		test_skip("no Landlock: %s", strerrorname_np(errno));
	rule.parent_fd = OK(open(dir, O_PATH | O_DIRECTORY));
	OK(syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule,
		   0));
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	OK(syscall(SYS_landlock_restrict_self, set, 0));
}

struct sandbox {
	const char *rule, *inside, *outside;
	uint64_t allowed;
};

static int use_in_sandbox(void *arg)
{
	struct sandbox *s = arg;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/f", s->inside);
	landlock(s->rule, s->allowed);
	fd = OK(open(path, O_RDONLY));
	close(fd);
	if (s->allowed & LANDLOCK_ACCESS_FS_WRITE_FILE) {
		close(OK(open(path, O_WRONLY)));
	} else {
		ERR(open(path, O_WRONLY), EACCES);
	}
	if (s->allowed & LL_TRUNCATE)
		OK(truncate(path, 100));
	else
		ERR(truncate(path, 1), EACCES);
	ERR(unlink(path), EACCES);
	snprintf(path, sizeof(path), "%s/new", s->inside);
	ERR(open(path, O_CREAT | O_WRONLY, 0600), EACCES);
	snprintf(path, sizeof(path), "%s/f", s->outside);
	ERR(open(path, O_RDONLY), EACCES);
	ERR(open(path, O_WRONLY), EACCES);
	ERR(truncate(path, 0), EACCES);
	ERR(open(s->outside, O_RDONLY | O_DIRECTORY), EACCES);
	return 0;
}

static void make_sandbox_tree(const char *dir)
{
	char path[64];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, i ? "out" : "in");
		OK(mkdir(path, 0777));
		strcat(path, "/f");
		put_file(path, "text\n", 0666);
	}
}

static void expect_sandbox(uint64_t allowed)
{
	struct sandbox native = { "n/in", "n/in", "n/out", allowed };
	struct sandbox mounted = { "m/in", "m/in", "m/out", allowed };

	mount_both();
	make_sandbox_tree("n");
	make_sandbox_tree("b");
	EQ(in_child(use_in_sandbox, &native), 0);
	EQ(in_child(use_in_sandbox, &mounted), 0);
}

TEST(landlock_rule_that_reads_holds_on_the_mount)
{
	expect_sandbox(LL_READ);
}

TEST(landlock_rule_that_writes_holds_on_the_mount)
{
	expect_sandbox(LL_READ | LANDLOCK_ACCESS_FS_WRITE_FILE);
}

TEST(landlock_rule_that_truncates_holds_on_the_mount)
{
	expect_sandbox(LL_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LL_TRUNCATE);
}

/* A rule is about the path that is used, not about what is behind it. */
TEST(landlock_rule_on_the_backing_directory_opens_no_other_path)
{
	struct sandbox s = { "b", "b/in", "m/in", LL_READ };

	mount_both();
	make_sandbox_tree("b");
	OK(access("m/in/f", R_OK));
	EQ(in_child(use_in_sandbox, &s), 0);
}

/* As in lsm.bpf.c. */
enum {
	HOOK_OPEN, HOOK_PERMISSION, HOOK_SETATTR, HOOK_GETATTR, HOOK_GETXATTR,
	HOOK_SETXATTR, HOOK_LISTXATTR, HOOK_REMOVEXATTR, HOOK_READLINK,
	HOOK_STATFS, HOOK_FILE_PERMISSION, HOOK_MMAP, HOOK_CREATE, HOOK_MKDIR,
	HOOK_MKNOD, HOOK_SYMLINK, HOOK_LINK, HOOK_UNLINK, HOOK_RMDIR,
	HOOK_RENAME, HOOKS
};

struct lsm_shared {
	uint64_t ino;
	uint32_t dev;
	uint32_t deny;		/* bits of hooks */
	uint64_t calls[HOOKS];
};

/* Programs on the hooks, that look at one object only. */
static struct lsm_shared *attach_hooks(void)
{
	struct lsm_shared *shared;
	struct bpf_program *prog;
	struct bpf_object *obj;
	size_t size;
	char lsm[256 + PATH_MAX];

	snprintf(lsm, sizeof(lsm), "%s", get_file("/sys/kernel/security/lsm"));
	if (!strstr(lsm, "bpf"))
		test_skip("no BPF LSM in \"%s\"", lsm);
	snprintf(lsm, sizeof(lsm), "%s/../bpf/lsm.bpf.o", harness_bin);
	obj = bpf_object__open_file(lsm, NULL);
	if (!obj || bpf_object__load(obj))
		FAIL("load %s: %s", lsm, strerrorname_np(errno));
	bpf_object__for_each_program(prog, obj)
		if (!bpf_program__attach(prog))
			FAIL("attach %s", bpf_program__name(prog));
	shared = bpf_map__initial_value(bpf_object__find_map_by_name(obj, ".bss"),
					&size);
	CHECK(shared && size >= sizeof(*shared));
	return shared;
}

static struct lsm_shared *lsm_state;

static void watch_backing(const char *path)
{
	struct stat st = stat_of(path);

	lsm_state->dev = major(st.st_dev) << 20 | minor(st.st_dev);
	lsm_state->ino = st.st_ino;
}

/* On the mount; what they make is removed behind it. */

static int lsm_open(void)
{
	return opened(open("m/f", O_RDONLY));
}

static int lsm_chmod(void)
{
	return res(chmod("m/f", 0600));
}

static int lsm_stat(void)
{
	struct stat st;

	return res(stat("m/f", &st));
}

static int lsm_getxattr(void)
{
	char buf[8];

	return res(getxattr("m/f", "user.a", buf, sizeof(buf)));
}

static int lsm_setxattr(void)
{
	return res(setxattr("m/f", "user.b", "b", 1, 0));
}

static int lsm_listxattr(void)
{
	char buf[256];

	return res(listxattr("m/f", buf, sizeof(buf)));
}

static int lsm_removexattr(void)
{
	OK(setxattr("b/f", "user.c", "c", 1, 0));
	return res(removexattr("m/f", "user.c"));
}

static int lsm_readlink(void)
{
	char buf[64];

	return res(readlink("m/l", buf, sizeof(buf)));
}

static int lsm_statfs(void)
{
	struct statfs st;

	return res(statfs("m/f", &st));
}

static int lsm_read(void)
{
	int fd = OK(open("m/f", O_RDONLY));
	char c;
	int ret = res(pread(fd, &c, 1, 0));

	close(fd);
	return ret;
}

static int lsm_list(void)
{
	int fd = OK(open("m/dir", O_RDONLY | O_DIRECTORY));
	char buf[4096];
	int ret = res(syscall(SYS_getdents64, fd, buf, sizeof(buf)));

	close(fd);
	return ret;
}

static int lsm_map(void)
{
	int fd = OK(open("m/f", O_RDONLY));
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	int ret = map == MAP_FAILED ? -errno : 0;

	if (!ret)
		munmap(map, 4096);
	close(fd);
	return ret;
}

static int lsm_create(void)
{
	int ret = opened(open("m/dir/new", O_CREAT | O_EXCL | O_RDWR, 0600));

	unlink("b/dir/new");
	return ret;
}

static int lsm_mkdir(void)
{
	int ret = res(mkdir("m/dir/new", 0700));

	rmdir("b/dir/new");
	return ret;
}

static int lsm_mknod(void)
{
	int ret = res(mknod("m/dir/new", S_IFIFO | 0600, 0));

	unlink("b/dir/new");
	return ret;
}

static int lsm_symlink(void)
{
	int ret = res(symlink("t", "m/dir/new"));

	unlink("b/dir/new");
	return ret;
}

static int lsm_link(void)
{
	int ret = res(link("m/f", "m/dir/new"));

	unlink("b/dir/new");
	return ret;
}

static int lsm_unlink(void)
{
	put_file("b/dir/old", "old", 0600);
	return res(unlink("m/dir/old"));
}

static int lsm_rmdir(void)
{
	mkdir("b/dir/old_dir", 0700);
	return res(rmdir("m/dir/old_dir"));
}

static int lsm_rename(void)
{
	put_file("b/from", "from", 0600);
	return res(rename("m/from", "m/dir/to"));
}

static const struct {
	const char *name;
	int hook;
	const char *object;	/* that the hook is called for */
	int (*op)(void);
} hooks[] = {
	{ "file_open", HOOK_OPEN, "b/f", lsm_open },
	{ "inode_permission", HOOK_PERMISSION, "b/f", lsm_open },
	{ "inode_setattr", HOOK_SETATTR, "b/f", lsm_chmod },
	{ "inode_getattr", HOOK_GETATTR, "b/f", lsm_stat },
	{ "inode_getxattr", HOOK_GETXATTR, "b/f", lsm_getxattr },
	{ "inode_setxattr", HOOK_SETXATTR, "b/f", lsm_setxattr },
	{ "inode_listxattr", HOOK_LISTXATTR, "b/f", lsm_listxattr },
	{ "inode_removexattr", HOOK_REMOVEXATTR, "b/f", lsm_removexattr },
	{ "inode_readlink", HOOK_READLINK, "b/l", lsm_readlink },
	{ "sb_statfs", HOOK_STATFS, "b/f", lsm_statfs },
	{ "file_permission", HOOK_FILE_PERMISSION, "b/f", lsm_read },
	{ "file_permission of a listing", HOOK_FILE_PERMISSION, "b/dir", lsm_list },
	{ "mmap_backing_file", HOOK_MMAP, "b/f", lsm_map },
	{ "inode_create", HOOK_CREATE, "b/dir", lsm_create },
	{ "inode_mkdir", HOOK_MKDIR, "b/dir", lsm_mkdir },
	{ "inode_mknod", HOOK_MKNOD, "b/dir", lsm_mknod },
	{ "inode_symlink", HOOK_SYMLINK, "b/dir", lsm_symlink },
	{ "inode_link", HOOK_LINK, "b/dir", lsm_link },
	{ "inode_unlink", HOOK_UNLINK, "b/dir", lsm_unlink },
	{ "inode_rmdir", HOOK_RMDIR, "b/dir", lsm_rmdir },
	{ "inode_rename", HOOK_RENAME, "b/dir", lsm_rename },
};

/* Called, and obeyed. Returns whether that is so. */
static bool hook_holds(size_t i)
{
	uint64_t before;
	int ret[3];

	watch_backing(hooks[i].object);
	before = lsm_state->calls[hooks[i].hook];
	ret[0] = hooks[i].op();
	if (lsm_state->calls[hooks[i].hook] == before)
		note("%s is not called", hooks[i].name);
	lsm_state->deny = 1U << hooks[i].hook;
	ret[1] = hooks[i].op();
	lsm_state->deny = 0;
	ret[2] = hooks[i].op();
	if (!ret[0] && ret[1] == -EPERM && !ret[2] &&
	    lsm_state->calls[hooks[i].hook] > before)
		return true;
	note("%s: before %d, denied %d, after %d", hooks[i].name, ret[0], ret[1],
	     ret[2]);
	return false;
}

/* The operation is done on the backing object through the VFS, so that an LSM
 * that knows only that one has its say. */
TEST(lsm_hooks_are_called_on_the_backing_object)
{
	bool good = true;

	mount_both();
	put_file("b/f", "text\n", 0644);
	OK(setxattr("b/f", "user.a", "a", 1, 0));
	put_file("b/g", "text\n", 0644);
	OK(symlink("f", "b/l"));
	OK(mkdir("b/dir", 0755));
	OK(mkdir("b/dir2", 0755));
	lsm_state = attach_hooks();
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		good &= hook_holds(i);
	CHECK(good);
	/* The converse: what is not named is not denied. */
	watch_backing("b/f");
	lsm_state->deny = (1U << HOOKS) - 1;
	CHECK(file_is("m/g", "text\n"));
	OK(chmod("m/g", 0600));
	OK(setxattr("m/g", "user.a", "a", 1, 0));
	watch_backing("b/dir");
	put_file("m/dir2/new", "text\n", 0600);
	OK(mkdir("m/dir2/sub", 0700));
	OK(rename("m/dir2/new", "m/dir2/sub/new"));
	lsm_state->deny = 0;
}

/* Quota ------------------------------------------------------------------- */

static void mount_with_quota(void)
{
	struct dqblk limit = { .dqb_bhardlimit = 64, .dqb_bsoftlimit = 64,
			       .dqb_ihardlimit = 10, .dqb_isoftlimit = 10,
			       .dqb_valid = QIF_LIMITS };
	char dev[64] = "";
	FILE *f;

	if (access("/proc/sys/fs/quota", F_OK))
		test_skip("kernel without CONFIG_QUOTA");
	OK(mkdir("q", 0755));
	if (shell("truncate -s 32M img && mke2fs -q -t ext4 -O quota -E quotatype=usrquota img && "
		  "mount -o loop,usrquota img q && findmnt -no SOURCE q >dev"))
		FAIL("no file system with quota");
	f = fopen("dev", "r");
	CHECK(f && fscanf(f, "%63s", dev) == 1);
	fclose(f);
	OK(chmod("q", 0777));
	OK(quotactl(QCMD(Q_SETQUOTA, USRQUOTA), dev, OWNER, (void *)&limit));
}

/* Each user in a directory of its own. */
static void enter_own(const char *dir, char *path, size_t size)
{
	snprintf(path, size, "%s/of%u", dir, geteuid());
	OK(mkdir(path, 0700));
	OK(chdir(path));
}

static int fill_up(void *dir)
{
	static char buf[256 * 1024];
	char path[64];
	int fd, n;

	enter_own(dir, path, sizeof(path));
	fd = OK(open("data", O_CREAT | O_RDWR, 0600));
	/* In small pieces, since a large folio is charged as a whole or not at all. */
	for (n = 0; n < 256 && write(fd, buf, 1024) == 1024; n++)
		;
	CHECK(n < 256 && errno == EDQUOT);
	ERR(pwrite(fd, buf, 4096, 128 * 1024), EDQUOT);
	ERR(fallocate(fd, 0, 0, 128 * 1024), EDQUOT);
	OK(ftruncate(fd, 0));
	EQ(pwrite(fd, buf, 4096, 0), 4096);
	for (n = 0; n < 20; n++) {
		snprintf(path, sizeof(path), "file%d", n);
		if (opened(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)))
			break;
	}
	EQ(errno, EDQUOT);
	/* Ten inodes, less the directory and the data. */
	EQ(n, 8);
	return 0;
}

static int use_more(void *dir)
{
	static char buf[256 * 1024];
	char path[64];
	int fd;

	enter_own(dir, path, sizeof(path));
	fd = OK(open("data", O_CREAT | O_RDWR, 0600));
	EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	OK(fallocate(fd, 0, 0, 512 * 1024));
	for (int n = 0; n < 20; n++) {
		snprintf(path, sizeof(path), "file%d", n);
		close(OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)));
	}
	return 0;
}

TEST(quota_of_the_backing_file_system_holds)
{
	mount_with_quota();
	mount_passed("q", "m", "");
	EQ(as_uid(OWNER, fill_up, (void *)"m"), 0);
	/* Nobody else is held by it. */
	EQ(as_uid(OTHER, use_more, (void *)"m"), 0);
}
