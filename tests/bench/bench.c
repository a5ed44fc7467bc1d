// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench: what file system operations cost, in instructions.
 *
 *   bench make DIRECTORY                   fill an empty directory
 *   bench run SYSTEM=DIRECTORY...          measure, prints a table (see below)
 *   bench tree DIRECTORY FILES PER-DIR     make a tree of empty files
 *   bench walk DIRECTORY                   stat all below it, print their number
 *   bench list                             names of the operations
 *                                          (those in brackets: only with -o)
 *   bench mask                             what policies can pass, as a number
 *
 *   -r N   rounds (default 5)        -o 'OP;OP...'  only these operations
 *   -n N   files (default 300)       -p             with marks for a profiler
 *
 * Run under exact instruction counting (VM_ICOUNT=1 of tests/vm/vmtest.sh) a clock
 * that counts nanoseconds counts instructions: those of user space, the kernel,
 * and a server if there is one, since there is one CPU. Each operation is done
 * on every file of a directory; the time of an empty loop is taken off. In each
 * round the systems take turns. A line is
 *
 *   operation system min median max        all per operation, tab separated
 *
 * "Cold" means: no dentry and no inode is cached, neither in the system nor
 * below it; blocks are, so that no disk is waited for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fusepass_abi.h"

enum { MAX_FILES = 1000, MAX_ROUNDS = 100, MAX_SYSTEMS = 16, BLOCK = 4096 };

static int files = 300, rounds = 5;
static const char *only;

/* Names in "d" (files), "l" (symlinks) and "w" (whatever an operation makes). */
static char names[MAX_FILES][8], absent[MAX_FILES][8], moved[MAX_FILES][8];
static int fds[MAX_FILES];
static int round_nr;
static char block[BLOCK] __attribute__((aligned(BLOCK)));

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* For results that must be 0 or more. */
static long ok(long ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

/* Operations: one on the file number i ------------------------------------ */

static void do_nothing(int i)
{
	__asm__ volatile("" : : "r"(names[i]) : "memory");
}

static void do_stat(int i)
{
	struct stat st;

	ok(fstatat(AT_FDCWD, names[i], &st, 0), "stat");
}

static void do_stat_absent(int i)
{
	struct stat st;

	if (!fstatat(AT_FDCWD, absent[i], &st, 0) || errno != ENOENT)
		die("stat of an absent name");
}

static void do_fstat(int i)
{
	struct stat st;

	ok(fstat(fds[i], &st), "fstat");
}

/* The birth time is what no plain getattr has. */
static void do_statx(int i)
{
	struct statx stx;

	ok(statx(AT_FDCWD, names[i], 0, STATX_BASIC_STATS | STATX_BTIME, &stx),
	   "statx");
}

static void do_access(int i)
{
	ok(access(names[i], R_OK), "access");
}

static void do_statfs(int i)
{
	struct statfs st;

	ok(statfs(names[i], &st), "statfs");
}

static void do_open(int i)
{
	close(ok(open(names[i], O_RDONLY), "open"));
}

static void do_open_read(int i)
{
	int fd = ok(open(names[i], O_RDONLY), "open");

	if (read(fd, block, BLOCK) != BLOCK)
		die("read");
	close(fd);
}

static void do_pread(int i)
{
	if (pread(fds[i], block, BLOCK, 0) != BLOCK)
		die("pread");
}

static void do_pwrite(int i)
{
	if (pwrite(fds[i], block, BLOCK, 0) != BLOCK)
		die("pwrite");
}

/* Nothing is dirty: a wait for the disk is no number of instructions. */
static void do_fsync(int i)
{
	ok(fsync(fds[i]), "fsync");
}

/* Blocks that are allocated already. */
static void do_fallocate(int i)
{
	ok(fallocate(fds[i], 0, 0, BLOCK), "fallocate");
}

static void do_lseek(int i)
{
	ok(lseek(fds[i], 0, SEEK_DATA), "lseek");
}

/*
 * All from one file, which is not written to: the access time of one that is would
 * be set each time, and not by every system.
 */
static void do_copy_range(int i)
{
	off_t from = 0, to = 0;

	if (copy_file_range(fds[0], &from, fds[i ? i : 1], &to, BLOCK, 0) !=
	    BLOCK)
		die("copy_file_range");
}

static void do_flock(int i)
{
	ok(flock(fds[i], LOCK_EX), "flock");
	ok(flock(fds[i], LOCK_UN), "unlock");
}

static void do_getlk(int i)
{
	struct flock lock = { .l_type = F_WRLCK };

	ok(fcntl(fds[i], F_GETLK, &lock), "F_GETLK");
}

static void lock_unlock(int i, int cmd)
{
	struct flock lock = { .l_type = F_WRLCK };

	ok(fcntl(fds[i], cmd, &lock), "lock");
	lock.l_type = F_UNLCK;
	ok(fcntl(fds[i], cmd, &lock), "unlock");
}

static void do_setlk(int i)
{
	lock_unlock(i, F_SETLK);
}

static void do_setlkw(int i)
{
	lock_unlock(i, F_SETLKW);
}

static void do_getflags(int i)
{
	int flags;

	ok(ioctl(fds[i], FS_IOC_GETFLAGS, &flags), "FS_IOC_GETFLAGS");
}

/* As chattr(1) does: what is there, with one flag changed. */
static void do_setflags(int i)
{
	int flags;

	ok(ioctl(fds[i], FS_IOC_GETFLAGS, &flags), "FS_IOC_GETFLAGS");
	flags = round_nr & 1 ? flags | FS_NODUMP_FL : flags & ~FS_NODUMP_FL;
	ok(ioctl(fds[i], FS_IOC_SETFLAGS, &flags), "FS_IOC_SETFLAGS");
}

static void do_chmod(int i)
{
	ok(chmod(names[i], round_nr & 1 ? 0600 : 0640), "chmod");
}

static void do_utimens(int i)
{
	const struct timespec ts[2] = {
		{ 1000000000 + round_nr, 1 }, { 1000000000 + round_nr, 2 }
	};

	ok(utimensat(AT_FDCWD, names[i], ts, 0), "utimens");
}

static void do_truncate(int i)
{
	ok(truncate(names[i], BLOCK / 2), "truncate");
}

static void do_getxattr(int i)
{
	char value[32];

	ok(getxattr(names[i], "user.bench", value, sizeof(value)), "getxattr");
}

static void do_setxattr(int i)
{
	char value[8] = "value-?";

	value[6] = '0' + (round_nr & 7);
	ok(setxattr(names[i], "user.bench", value, sizeof(value), 0),
	   "setxattr");
}

static void do_listxattr(int i)
{
	char list[256];

	ok(listxattr(names[i], list, sizeof(list)), "listxattr");
}

static void do_removexattr(int i)
{
	ok(removexattr(names[i], "user.extra"), "removexattr");
}

static void do_readlink(int i)
{
	char target[64];

	ok(readlink(names[i], target, sizeof(target)), "readlink");
}

static void do_symlink(int i)
{
	ok(symlink("target", names[i]), "symlink");
}

static void do_link(int i)
{
	char from[16];

	snprintf(from, sizeof(from), "../d/%s", names[i]);
	ok(linkat(AT_FDCWD, from, AT_FDCWD, names[i], 0), "link");
}

static void do_rename(int i)
{
	ok(rename(names[i], moved[i]), "rename");
}

static void do_rename_flags(int i)
{
	ok(renameat2(AT_FDCWD, names[i], AT_FDCWD, moved[i], RENAME_NOREPLACE),
	   "renameat2");
}

static void do_unlink(int i)
{
	ok(unlink(names[i]), "unlink");
}

static void do_mkdir(int i)
{
	ok(mkdir(names[i], 0755), "mkdir");
}

static void do_rmdir(int i)
{
	ok(rmdir(names[i]), "rmdir");
}

static void do_mknod(int i)
{
	ok(mknod(names[i], S_IFIFO | 0644, 0), "mknod");
}

static void do_create_write(int i)
{
	int fd = ok(open(names[i], O_CREAT | O_EXCL | O_WRONLY, 0644),
		    "create");

	if (write(fd, block, BLOCK) != BLOCK)
		die("write");
	close(fd);
}

static void do_tmpfile(int i)
{
	close(ok(open(".", O_TMPFILE | O_RDWR, 0600), "O_TMPFILE"));
}

/* Operations on the whole directory --------------------------------------- */

static int list_fd;

static int list_open(void)
{
	return ok(open(".", O_RDONLY | O_DIRECTORY), "open directory");
}

/* Calls @fn for each name; without one it only reads. */
static void list(void (*fn)(const char *name))
{
	static char buf[32768] __attribute__((aligned(8)));
	struct dirent64 *e;
	long got, pos;
	int seen = 0;

	list_fd = list_open();
	while ((got = ok(syscall(SYS_getdents64, list_fd, buf, sizeof(buf)),
			 "getdents")) > 0) {
		for (pos = 0; pos < got; pos += e->d_reclen, seen++) {
			e = (struct dirent64 *)(buf + pos);
			if (fn && e->d_name[0] != '.')
				fn(e->d_name);
		}
	}
	close(list_fd);
	if (seen != files + 2) {
		errno = 0;
		die("a listing is not complete");
	}
}

static void list_stat(const char *name)
{
	struct stat st;

	ok(fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW), "lstat");
}

/* The question of ls -l for each file, whether it has an ACL. */
static void list_stat_acl(const char *name)
{
	char acl[64];

	list_stat(name);
	if (lgetxattr(name, "system.posix_acl_access", acl, sizeof(acl)) >= 0 ||
	    errno != ENODATA)
		die("there should be no ACL");
}

static void do_opendir(int i)
{
	close(list_open());
}

static void do_fsyncdir(int i)
{
	ok(fsync(list_fd), "fsync");
}

static void do_readdir(int i)
{
	list(NULL);
}

static void do_ls(int i)
{
	list(list_stat);
}

static void do_ls_acl(int i)
{
	list(list_stat_acl);
}

/* Before and after each measurement --------------------------------------- */

static void for_all(void (*fn)(int i))
{
	for (int i = 0; i < files; i++)
		fn(i);
}

static void drop(void)
{
	int fd = ok(open("/proc/sys/vm/drop_caches", O_WRONLY), "drop_caches");

	/*
	 * Each time, one more of three layers lets go: the system, its server
	 * (which is told in the background), and the file system below.
	 */
	for (int i = 0; i < 4; i++) {
		ok(pwrite(fd, "2", 1, 0), "drop_caches");
		usleep(20000);
	}
	close(fd);
}

static void settle(void)
{
	sync();
	usleep(1000);
}

static void open_all(int flags)
{
	for (int i = 0; i < files; i++)
		fds[i] = ok(open(names[i], flags), "open");
}

static void open_read(void)
{
	open_all(O_RDONLY);
}

static void open_write(void)
{
	open_all(O_RDWR);
}

static void close_all(void)
{
	for (int i = 0; i < files; i++)
		close(fds[i]);
}

static void close_and_sync(void)
{
	close_all();
	settle();
}

static void open_list(void)
{
	list_fd = list_open();
}

static void close_list(void)
{
	close(list_fd);
}

static void set_extra(void)
{
	for (int i = 0; i < files; i++)
		ok(setxattr(names[i], "user.extra", "value", 5, 0), "setxattr");
}

static void make_one(int i)
{
	close(ok(open(names[i], O_CREAT | O_EXCL | O_WRONLY, 0644), "create"));
}

static void make_all(void)
{
	for_all(make_one);
}

static void make_dirs(void)
{
	for_all(do_mkdir);
}

static void unlink_all(void)
{
	for_all(do_unlink);
	settle();
}

static void unlink_moved(void)
{
	for (int i = 0; i < files; i++)
		ok(unlink(moved[i]), "unlink");
	settle();
}

static void rmdir_all(void)
{
	for_all(do_rmdir);
	settle();
}

static void write_one(int i)
{
	int fd = ok(open(names[i], O_WRONLY), "open");

	if (write(fd, block, BLOCK) != BLOCK)
		die("write");
	close(fd);
}

static void write_all(void)
{
	for_all(write_one);
	settle();
}

/* The table of operations -------------------------------------------------- */

struct op {
	const char *name;
	const char *dir;
	void (*run)(int i);
	void (*before)(void);	/* what the operation needs */
	void (*after)(void);	/* undoes what it has done */
	unsigned int flags;
};

enum {
	COLD	= 1,	/* caches are dropped first; otherwise it is run once */
	WHOLE	= 2,	/* on the directory: the figure is per entry */
	ONCE	= 4,	/* cannot be done again without ->after */
	NAMED	= 8,	/* only if it is asked for with -o */
};

static const struct op ops[] = {
	{ "stat, warm", "d", do_stat, NULL, NULL, 0 },
	{ "fstat", "d", do_fstat, open_read, close_all, 0 },
	{ "lookup, cold", "d", do_stat, NULL, NULL, COLD },
	{ "lookup, negative", "d", do_stat_absent, NULL, NULL, COLD },
	{ "lookup, negative, warm", "d", do_stat_absent, NULL, NULL, 0 },
	{ "open+close", "d", do_open, NULL, NULL, 0 },
	{ "open+read 4K+close", "d", do_open_read, NULL, NULL, 0 },
	{ "readdir, per entry", "d", do_readdir, NULL, NULL, WHOLE },
	{ "ls -l, cold", "d", do_ls, NULL, NULL, WHOLE | COLD },
	{ "ls -l, warm", "d", do_ls, NULL, NULL, WHOLE },
	{ "ls -l with ACLs, cold", "d", do_ls_acl, NULL, NULL, WHOLE | COLD },
	{ "ls -l with ACLs, warm", "d", do_ls_acl, NULL, NULL, WHOLE },
	{ "pread 4K", "d", do_pread, open_read, close_all, 0 },
	{ "pwrite 4K", "d", do_pwrite, open_write, close_and_sync, 0 },
	{ "chmod", "d", do_chmod, NULL, settle, 0 },
	{ "utimens", "d", do_utimens, NULL, settle, 0 },
	{ "truncate", "d", do_truncate, NULL, write_all, ONCE },
	{ "getxattr", "d", do_getxattr, NULL, NULL, 0 },
	{ "setxattr", "d", do_setxattr, NULL, settle, 0 },
	{ "listxattr", "d", do_listxattr, NULL, NULL, 0 },
	{ "readlink", "l", do_readlink, NULL, NULL, 0 },
	{ "symlink", "w", do_symlink, NULL, unlink_all, ONCE },
	{ "link", "w", do_link, NULL, unlink_all, ONCE },
	{ "rename", "w", do_rename, make_all, unlink_moved, ONCE },
	{ "unlink", "w", do_unlink, make_all, settle, ONCE },
	{ "mkdir", "w", do_mkdir, NULL, rmdir_all, ONCE },
	{ "rmdir", "w", do_rmdir, make_dirs, settle, ONCE },
	{ "mknod", "w", do_mknod, NULL, unlink_all, ONCE },
	{ "create+write 4K+close", "w", do_create_write, NULL, unlink_all,
	  ONCE },
	{ "access", "d", do_access, NULL, NULL, 0 },
	{ "statx with birth time", "d", do_statx, NULL, NULL, 0 },
	{ "statfs", "d", do_statfs, NULL, NULL, 0 },
	{ "fsync, clean", "d", do_fsync, open_write, close_all, 0 },
	{ "fallocate", "d", do_fallocate, open_write, close_and_sync, 0 },
	{ "lseek, data", "d", do_lseek, open_read, close_all, 0 },
	{ "copy_file_range 4K", "d", do_copy_range, open_write, close_and_sync, 0 },
	{ "flock+unlock", "d", do_flock, open_read, close_all, 0 },
	{ "removexattr", "d", do_removexattr, set_extra, settle, ONCE | NAMED },
	{ "open+close directory", "d", do_opendir, NULL, NULL, NAMED },
	{ "fsync of a directory", "d", do_fsyncdir, open_list, close_list, NAMED },
	{ "F_GETLK", "d", do_getlk, open_write, close_all, NAMED },
	{ "F_SETLK+unlock", "d", do_setlk, open_write, close_all, NAMED },
	{ "F_SETLKW+unlock", "d", do_setlkw, open_write, close_all, NAMED },
	{ "FS_IOC_GETFLAGS", "d", do_getflags, open_read, close_all, NAMED },
	{ "chattr", "d", do_setflags, open_read, close_and_sync, NAMED },
	{ "rename with flags", "w", do_rename_flags, make_all, unlink_moved,
	  ONCE | NAMED },
	{ "tmpfile+close", "w", do_tmpfile, NULL, settle, 0 },
};

static const struct op nothing = { "nothing", "d", do_nothing, NULL, NULL, 0 };

enum { NOPS = sizeof(ops) / sizeof(ops[0]) };

static bool op_wanted(const struct op *op)
{
	size_t len = strlen(op->name);
	const char *p = only;

	while (p) {
		if (!strncmp(p, op->name, len) && (!p[len] || p[len] == ';'))
			return true;
		p = strchr(p, ';');
		p = p ? p + 1 : NULL;
	}
	return !only && !(op->flags & NAMED);
}

/* Measuring ---------------------------------------------------------------- */

struct system {
	const char *name;
	int dirfd;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void enter(const struct system *sys, const char *dir)
{
	ok(fchdir(sys->dirfd), sys->name);
	ok(chdir(dir), dir);
}

/*
 * Work that was put off, to a server for instance, belongs to the operation: the
 * CPU is offered until nobody takes it, and what that took longer than if nobody
 * does is what others did. Not more than a second: the journal has all day.
 */
static uint64_t put_off(void)
{
	uint64_t shortest = UINT64_MAX, sum = 0, start = now(), t, took;
	int calls = 0, quiet = 0;

	while (quiet < 50 && now() - start < 1000000000) {
		t = now();
		sched_yield();
		took = now() - t;
		if (took < shortest)
			shortest = took;
		quiet = took > 2 * shortest ? 0 : quiet + 1;
		sum += took;
		calls++;
	}
	return sum - calls * shortest;
}

static uint64_t timed(const struct op *op)
{
	int n = op->flags & WHOLE ? 1 : files;
	uint64_t start = now(), t;

	for (int i = 0; i < n; i++)
		op->run(i);
	t = now() - start;
	return t + put_off();
}

static void set_up(const struct op *op, const struct system *sys)
{
	enter(sys, op->dir);
	if (op->before)
		op->before();
	if (op->flags & COLD) {
		drop();
		/* The way to the directory and its first block */
		ok(access("./.", F_OK), "access");
	} else if (!(op->flags & ONCE)) {
		timed(op);
	}
	/* The next tick of the clock: whatever sets a time sets another one. */
	usleep(10000);
}

static double measure(const struct op *op, const struct system *sys)
{
	uint64_t t;

	set_up(op, sys);
	t = timed(op);
	if (op->after)
		op->after();
	return (double)t / files;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *t, int n)
{
	qsort(t, n, sizeof(*t), by_value);
	return n & 1 ? t[n / 2] : (t[n / 2 - 1] + t[n / 2]) / 2;
}

static double loop_overhead(const struct system *sys)
{
	double t[5];

	for (int i = 0; i < 5; i++)
		t[i] = measure(&nothing, sys);
	return median(t, 5);
}

static void run_op(const struct op *op, const struct system *sys, int n,
		   double overhead)
{
	static double t[MAX_SYSTEMS][MAX_ROUNDS];
	double m;

	/* Round 0 is for what happens once, and is not counted. */
	for (round_nr = 0; round_nr <= rounds; round_nr++)
		for (int s = 0; s < n; s++) {
			m = measure(op, &sys[s]);
			if (!(op->flags & WHOLE))
				m -= overhead;
			if (round_nr)
				t[s][round_nr - 1] = m;
		}
	for (int s = 0; s < n; s++) {
		m = median(t[s], rounds);
		printf("%s\t%s\t%.1f\t%.1f\t%.1f\n", op->name, sys[s].name,
		       t[s][0], m, t[s][rounds - 1]);
	}
	fflush(stdout);
}

static void make_names(void)
{
	for (int i = 0; i < MAX_FILES; i++) {
		snprintf(names[i], sizeof(names[i]), "f%03d", i);
		snprintf(absent[i], sizeof(absent[i]), "n%03d", i);
		snprintf(moved[i], sizeof(moved[i]), "m%03d", i);
	}
}

static int open_systems(char **args, struct system *sys)
{
	int n = 0;
	char *dir;

	for (; args[n] && n < MAX_SYSTEMS; n++) {
		dir = strchr(args[n], '=');
		if (!dir)
			die("SYSTEM=DIRECTORY is expected");
		*dir++ = '\0';
		sys[n].name = args[n];
		sys[n].dirfd = ok(open(dir, O_RDONLY | O_DIRECTORY), dir);
	}
	return n;
}

static int cmd_run(char **args)
{
	struct system sys[MAX_SYSTEMS];
	int n = open_systems(args, sys);
	double overhead = loop_overhead(&sys[0]);

	for (int i = 0; i < NOPS; i++)
		if (op_wanted(&ops[i]))
			run_op(&ops[i], sys, n, overhead);
	return 0;
}

/*
 * For a profiler that watches the instructions (tests/bench/profile.c): two that do
 * nothing are around what it is to look at.
 */
#define MARK(on)							\
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long 0x46505330 + %c0" \
			 : : "i"(on) : "memory")

static const struct op *op_single(void)
{
	for (int i = 0; i < NOPS; i++)
		if (op_wanted(&ops[i]))
			return &ops[i];
	errno = EINVAL;
	die("operation");
	return NULL;
}

static void profile_op(const struct op *op, const struct system *sys)
{
	int n = op->flags & WHOLE ? 1 : files;

	set_up(op, sys);
	MARK(1);
	for (int i = 0; i < n; i++)
		op->run(i);
	MARK(0);
	if (op->after)
		op->after();
}

static int cmd_profile(char **args)
{
	const struct op *op = op_single();
	struct system sys[MAX_SYSTEMS];

	open_systems(args, sys);
	for (round_nr = 0; round_nr < rounds; round_nr++)
		profile_op(op, &sys[0]);
	return 0;
}

/* Contents ------------------------------------------------------------------ */

static void make_file(int i)
{
	make_one(i);
	write_one(i);
	ok(setxattr(names[i], "user.bench", "value-0", 8, 0), "setxattr");
}

static int cmd_make(const char *dir)
{
	static const char *const dirs[] = { "d", "l", "w" };

	ok(chdir(dir), dir);
	for (int i = 0; i < 3; i++)
		ok(mkdir(dirs[i], 0755), "mkdir");
	ok(chdir("d"), "d");
	for_all(make_file);
	ok(chdir("../l"), "l");
	for_all(do_symlink);
	sync();
	return 0;
}

static int cmd_tree(const char *dir, long n, long per_dir)
{
	char path[64];

	ok(chdir(dir), dir);
	for (long i = 0; i < n; i++) {
		if (i % per_dir == 0) {
			snprintf(path, sizeof(path), "d%05ld", i / per_dir);
			ok(mkdir(path, 0755), path);
		}
		snprintf(path, sizeof(path), "d%05ld/file-%07ld", i / per_dir, i);
		close(ok(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644), path));
	}
	sync();
	return 0;
}

static long walked;

static int walk_one(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	walked += type == FTW_F;
	return type == FTW_NS || type == FTW_DNR;
}

static int cmd_walk(const char *dir)
{
	ok(nftw(dir, walk_one, 16, FTW_PHYS), dir);
	printf("%ld\n", walked);
	return 0;
}

static int cmd_list(void)
{
	for (int i = 0; i < NOPS; i++)
		printf(ops[i].flags & NAMED ? "(%s)\n" : "%s\n", ops[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	bool profile = false;
	int c;

	while ((c = getopt(argc, argv, "r:n:o:p")) != -1) {
		switch (c) {
		case 'r': rounds = atoi(optarg); break;
		case 'n': files = atoi(optarg); break;
		case 'o': only = optarg; break;
		case 'p': profile = true; break;
		default: return 1;
		}
	}
	argc -= optind;
	argv += optind;
	if (rounds < 1 || rounds > MAX_ROUNDS || files < 2 || files > MAX_FILES)
		return 1;
	make_names();
	if (argc == 1 && !strcmp(argv[0], "list"))
		return cmd_list();
	if (argc == 1 && !strcmp(argv[0], "mask"))
		return printf("%llu\n", (unsigned long long)FUSE_PASSTHROUGH_OPS) < 0;
	if (argc == 2 && !strcmp(argv[0], "make"))
		return cmd_make(argv[1]);
	if (argc == 4 && !strcmp(argv[0], "tree"))
		return cmd_tree(argv[1], atol(argv[2]), atol(argv[3]));
	if (argc == 2 && !strcmp(argv[0], "walk"))
		return cmd_walk(argv[1]);
	if (argc > 1 && !strcmp(argv[0], "run"))
		return profile ? cmd_profile(argv + 1) : cmd_run(argv + 1);
	fprintf(stderr, "bench: make, run, tree, walk, list or mask\n");
	return 1;
}
