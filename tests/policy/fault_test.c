// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Out of memory: each allocation that an operation makes fails once.
 *
 * The kernel is told to let the Nth allocation of this thread fail (fault injection,
 * only on the debugging kernel), for N from 1 on until the operation makes fewer than
 * N. Each time the operation succeeds or fails with ENOMEM, and the server, which has
 * nothing to do with it, is not asked. The backing file system is tmpfs: others go on
 * without some of their allocations, or give up for good.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"
#include "polload.h"
#include "rawfuse.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* BPF_STRUCT_OPS, which the headers of a distribution may not have yet. */
#define STRUCT_OPS ((enum bpf_attach_type)44)

#define FAILSLAB "/sys/kernel/debug/failslab/"

static int fail_nth;	/* of this thread */

static void need_faults(void)
{
	if (access(FAILSLAB, F_OK))
		test_skip("this kernel has no fault injection (the debugging kernel has)");
	set_sysctl(FAILSLAB "verbose", "0");
	set_sysctl(FAILSLAB "ignore-gfp-wait", "N");
	fail_nth = OK(open("/proc/thread-self/fail-nth", O_RDWR));
}

static void fault_set(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	CHECK(pwrite(fail_nth, text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* Did the allocation that was to fail happen?  None fails any more. */
static bool fault_happened(void)
{
	char left[16] = "";

	OK(pread(fail_nth, left, sizeof(left) - 1, 0));
	fault_set(0);
	return atoi(left) == 0;
}

/* Everything lies on a tmpfs. */
static void enter_tmpfs(void)
{
	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	OK(chdir("t"));
	rf_make_tree();
}

static struct rf *mount_all_passed(struct pol **p)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	need_faults();
	enter_tmpfs();
	rf = rf_mount(NULL, &conf);
	*p = pol_attach(rf, 0);
	return rf;
}

/* The operations. Each gives 0 or an errno, and finds names with its number. */

static char path[2][32];
static int fd = -1;

static const char *name(int i, const char *top, const char *what, unsigned int n)
{
	snprintf(path[i], sizeof(path[i]), "%s/%s%u", top, what, n);
	return path[i];
}

static int result(long ret)
{
	return ret < 0 ? errno : 0;
}

/* A file that the mount has not seen yet. */
static void cold_file(unsigned int n)
{
	put_file(name(0, "b", "file", n), "some text\n", 0644);
	name(0, "m", "file", n);
	name(1, "m", "other", n);
}

static void cold_dir(unsigned int n)
{
	OK(mkdir(name(0, "b", "dir", n), 0755));
	close(OK(creat(strcat(strcpy(path[1], path[0]), "/x"), 0644)));
	name(0, "m", "dir", n);
}

static void cold_link(unsigned int n)
{
	OK(symlink("target", name(0, "b", "link", n)));
	name(0, "m", "link", n);
}

static void no_file(unsigned int n)
{
	name(0, "m", "new", n);
}

static void two_files(unsigned int n)
{
	put_file(name(1, "b", "other", n), "other text\n", 0644);
	cold_file(n);
}

static void known_file(unsigned int n)
{
	cold_file(n);
	stat_of(path[0]);
}

static void open_file(unsigned int n)
{
	cold_file(n);
	fd = OK(open(path[0], O_RDWR));
}

static void close_file(void)
{
	close(fd);
}

static void file_with_xattr(unsigned int n)
{
	known_file(n);
	OK(setxattr(path[0], "user.a", "v", 1, 0));
}

static int run_stat(void)
{
	struct stat st;

	return result(lstat(path[0], &st));
}

static int run_absent(void)
{
	struct stat st;

	if (!lstat(path[0], &st))
		FAIL("%s is there", path[0]);
	return errno == ENOENT ? 0 : errno;
}

static int run_open(void)
{
	int f = open(path[0], O_RDWR);
	int err = result(f);

	if (!err)
		close(f);
	return err;
}

static int run_list(void)
{
	char buf[1024];
	int f = open(path[0], O_RDONLY | O_DIRECTORY), err = result(f);

	if (err)
		return err;
	err = result(getdents64(f, buf, sizeof(buf)));
	close(f);
	return err;
}

static int run_create(void)
{
	int f = open(path[0], O_CREAT | O_EXCL | O_RDWR, 0644), err = result(f);

	if (!err)
		close(f);
	return err;
}

static int run_tmpfile(void)
{
	int f = open("m/d", O_TMPFILE | O_RDWR, 0600), err = result(f);

	if (!err)
		close(f);
	return err;
}

static int run_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };

	return result(fcntl(fd, F_SETLK, &lock));
}

static int run_statfs(void)
{
	struct statfs st;

	return result(statfs(path[0], &st));
}

static int run_readlink(void)
{
	char to[16];

	return result(readlink(path[0], to, sizeof(to)));
}

static int run_read(void)
{
	char buf[4];

	return result(pread(fd, buf, sizeof(buf), 0));
}

static int run_getxattr(void)
{
	char value[8];

	return result(getxattr(path[0], "user.a", value, sizeof(value)));
}

static int run_listxattr(void)
{
	char list[64];

	return result(listxattr(path[0], list, sizeof(list)));
}

static int run_getflags(void)
{
	int flags;

	return result(ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

static int run_acl(void)
{
	/* Version 2: user::rw- user:1000:r-- group::r-- mask::r-- other::--- */
	static const unsigned int acl[] = {
		2, 0x00060001, ~0U, 0x00040002, 1000, 0x00040004, ~0U,
		0x00040010, ~0U, 0x00000020, ~0U
	};

	return result(setxattr(path[0], "system.posix_acl_access", acl, sizeof(acl), 0));
}

#define RUN(id, call) static int run_##id(void) { return result(call); }
RUN(mknod, mknod(path[0], S_IFIFO | 0600, 0))
RUN(mkdir, mkdir(path[0], 0755))
RUN(symlink, symlink("target", path[0]))
RUN(link, link(path[0], path[1]))
RUN(unlink, unlink(path[0]))
RUN(rmdir, rmdir(path[0]))
RUN(rename, rename(path[0], path[1]))
RUN(exchange, renameat2(AT_FDCWD, path[0], AT_FDCWD, path[1], RENAME_EXCHANGE))
RUN(chmod, chmod(path[0], 0600))
RUN(truncate, truncate(path[0], 3))
RUN(setxattr, setxattr(path[0], "user.b", "v", 1, 0))
RUN(removexattr, removexattr(path[0], "user.a"))
RUN(write, pwrite(fd, "text", 4, 0))
RUN(sendfile, sendfile(fd, fd, NULL, 0))
RUN(flock, flock(fd, LOCK_EX))
RUN(fsync, fsync(fd))
RUN(fallocate, fallocate(fd, 0, 0, 8192))
RUN(lseek, lseek(fd, 0, SEEK_HOLE))
RUN(copy, copy_file_range(fd, NULL, fd, &(loff_t){ 8192 }, 4, 0))

static void empty_dir(unsigned int n)
{
	OK(mkdir(name(0, "b", "dir", n), 0755));
	name(0, "m", "dir", n);
}

static const struct fault_op {
	const char *name;
	void (*before)(unsigned int n);
	int (*run)(void);
	void (*after)(void);
	int also;	/* an errno that tmpfs or the VFS gives instead */
} ops[] = {
	{ "lookup of a file", cold_file, run_stat, NULL, 0 },
	{ "lookup of a directory", cold_dir, run_stat, NULL, 0 },
	{ "lookup of a link", cold_link, run_stat, NULL, 0 },
	{ "lookup of nothing", no_file, run_absent, NULL, 0 },
	{ "open", known_file, run_open, NULL, 0 },
	{ "lookup and open", cold_file, run_open, NULL, 0 },
	{ "listing", cold_dir, run_list, NULL, 0 },
	{ "create", no_file, run_create, NULL, ENOSPC },
	{ "mknod", no_file, run_mknod, NULL, ENOSPC },
	{ "mkdir", no_file, run_mkdir, NULL, ENOSPC },
	{ "symlink", no_file, run_symlink, NULL, ENOSPC },
	{ "tmpfile", no_file, run_tmpfile, NULL, ENOSPC },
	{ "link", cold_file, run_link, NULL, 0 },
	{ "unlink", cold_file, run_unlink, NULL, 0 },
	{ "rmdir", empty_dir, run_rmdir, NULL, 0 },
	{ "rename", cold_file, run_rename, NULL, 0 },
	{ "exchange", two_files, run_exchange, NULL, 0 },
	{ "chmod", known_file, run_chmod, NULL, 0 },
	{ "truncate", known_file, run_truncate, NULL, 0 },
	{ "setxattr", known_file, run_setxattr, NULL, 0 },
	{ "getxattr", file_with_xattr, run_getxattr, NULL, 0 },
	{ "listxattr", file_with_xattr, run_listxattr, NULL, 0 },
	{ "removexattr", file_with_xattr, run_removexattr, NULL, 0 },
	{ "setting an ACL", known_file, run_acl, NULL, 0 },
	{ "readlink", cold_link, run_readlink, NULL, 0 },
	{ "statfs", cold_file, run_statfs, NULL, 0 },
	{ "read", open_file, run_read, close_file, 0 },
	{ "write", open_file, run_write, close_file, 0 },
	{ "sendfile", open_file, run_sendfile, close_file, 0 },
	{ "lock", open_file, run_lock, close_file, ENOLCK },
	{ "flock", open_file, run_flock, close_file, ENOLCK },
	{ "fsync", open_file, run_fsync, close_file, 0 },
	{ "fallocate", open_file, run_fallocate, close_file, 0 },
	{ "lseek", open_file, run_lseek, close_file, 0 },
	{ "copy_file_range", open_file, run_copy, close_file, 0 },
	{ "FS_IOC_GETFLAGS", open_file, run_getflags, close_file, 0 },
};

/* The number of allocations that failed, of which each time one was the first. */
static unsigned int op_out_of_memory(const struct fault_op *op, unsigned int base,
				     unsigned int *refused)
{
	unsigned int n = 0;
	bool happened;
	int err;

	*refused = 0;
	do {
		n++;
		op->before(base + n);
		fault_set(n);
		err = op->run();
		happened = fault_happened();
		if (op->after)
			op->after();
		if (err && (!happened || (err != ENOMEM && err != op->also)))
			FAIL("%s: allocation %u%s: %s", op->name, n,
			     happened ? " fails" : " does not happen",
			     strerrorname_np(err));
		*refused += err != 0;
	} while (happened);
	return n - 1;
}

TEST(operations_out_of_memory_are_enomem_and_ask_nobody)
{
	struct pol *p;
	struct rf *rf = mount_all_passed(&p);
	unsigned int n, refused, all = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		rf_reset(rf);
		n = op_out_of_memory(&ops[i], i * 1000, &refused);
		if (rf_count_all(rf))
			rf_note_counts(rf);
		note("%s: %u allocations, %u times an error", ops[i].name, n, refused);
		EQ(rf_count_all(rf), 0);
		all += refused;
	}
	CHECK(all > ARRAY_SIZE(ops));
	/* And all of it still works. */
	CHECK(file_is("m/f", "file f\n"));
	pol_detach(p);
	rf_umount(rf);
}

TEST(backing_open_out_of_memory_is_enomem)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	unsigned int n = 0;
	int f, id;

	need_faults();
	enter_tmpfs();
	rf = rf_mount(NULL, &conf);
	f = OK(open("b/f", O_RDONLY));
	for (;;) {
		fault_set(++n);
		id = rf_backing_open(rf, f, 0, RF_OP_READ);
		if (!fault_happened())
			break;
		if (id < 0)
			EQ(errno, ENOMEM);
		else
			OK(rf_backing_close(rf, id));
	}
	/* The object, and its credentials or the place in the table. */
	CHECK(n > 2);
	CHECK(id > 0);
	OK(rf_backing_close(rf, id));
}

TEST(opening_a_node_out_of_memory_is_enomem)
{
	struct pol *p;
	struct rf *rf = mount_all_passed(&p);
	uint64_t node = ino_of("m/f");
	unsigned int n = 0;
	int f;

	for (;;) {
		fault_set(++n);
		f = rf_node_open(rf, node, 0, 0);
		if (!fault_happened())
			break;
		if (f < 0)
			EQ(errno, ENOMEM);
		else
			close(f);
	}
	CHECK(n > 1);
	CHECK(f >= 0);
	close(f);
}

static bool has_policy(struct rf *rf)
{
	char policy[32];

	CHECK(rf_policy_line(rf, "policy", policy, sizeof(policy)));
	return strcmp(policy, "none");
}

/* Allocations of BPF itself have nothing to do with FUSE: the policy was attached once before. */
TEST(attaching_a_policy_out_of_memory_is_enomem)
{
	struct rf_conf conf = RF_DEFAULT;
	unsigned int n = 0, refused = 0;
	struct rf *rf;
	struct pol *p;
	int link;

	need_faults();
	enter_tmpfs();
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	EQ(bpf_link__destroy(p->link), 0);
	for (;;) {
		CHECK(!has_policy(rf));
		fault_set(++n);
		link = bpf_link_create(bpf_map__fd(p->map), 0, STRUCT_OPS, NULL);
		if (!fault_happened())
			break;
		if (link < 0)
			NERR(link, ENOMEM);
		else
			close(link);
		refused += link < 0;
	}
	note("%u allocations, %u times ENOMEM", n - 1, refused);
	CHECK(refused > 1);
	CHECK(link >= 0);
	CHECK(has_policy(rf));
	CHECK(file_is("m/f", "file f\n"));
}
