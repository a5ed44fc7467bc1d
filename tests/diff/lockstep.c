// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lockstep NATIVE BACKING MOUNT [LABEL [SCENARIO...]]: does a mount behave like
 * the native file system?
 *
 * NATIVE is a directory and MOUNT a FUSE mount of the directory BACKING, both on
 * one file system. Each scenario makes the same small tree in NATIVE and
 * BACKING, does the same operations in NATIVE and on MOUNT, and writes down what
 * each gave: result, errno, data, attributes. The two transcripts have to be
 * equal, and so has what is in all three trees afterwards. What differs by
 * nature is left out: device and inode numbers, and the change time.
 *
 * LABEL goes into the names of the tests, e.g. the policy that is attached. Of the
 * scenarios those that are named are run, or all.
 */
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TRANSCRIPT = 256 * 1024 };

/* Shared, so that children write into it as well. */
struct transcript {
	size_t len;
	bool full;		/* a line is missing: there is nothing to compare */
	char text[TRANSCRIPT];
};

static struct transcript *out;

static void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void line(const char *fmt, ...)
{
	size_t space = TRANSCRIPT - out->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->text + out->len, space, fmt, ap);
	va_end(ap);
	/* Room for the newline, and the NUL at the end of it all. */
	if (n < 0 || (size_t)n + 2 > space) {
		out->full = true;
		return;
	}
	out->len += n;
	out->text[out->len++] = '\n';
}

/* Does it, writes down "ok" or the errno, and gives the result. */
#define DO(call)							\
	({								\
		errno = 0;						\
		long r_ = (long)(call);					\
		line("%s: %s", #call,					\
		     r_ < 0 ? strerrorname_np(errno) : "ok");		\
		r_;							\
	})

/* Same where the result itself matters. */
#define VAL(call)							\
	({								\
		errno = 0;						\
		long v_ = (long)(call);					\
		if (v_ < 0)						\
			line("%s: %s", #call, strerrorname_np(errno));	\
		else							\
			line("%s: %ld", #call, v_);			\
		v_;							\
	})

static void say_stat(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return line("lstat %s: %s", path, strerrorname_np(errno));
	line("lstat %s: mode %o uid %u gid %u nlink %lu size %lld blocks %lld blksize %ld rdev %lx",
	     path, st.st_mode, st.st_uid, st.st_gid, (long)st.st_nlink,
	     S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size,
	     S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_blocks,
	     st.st_blksize, st.st_rdev);
}

static void say_times(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return line("times %s: %s", path, strerrorname_np(errno));
	line("times %s: %lld.%09ld %lld.%09ld", path,
	     (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void say_statx(const char *path)
{
	struct statx x;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x))
		return line("statx %s: %s", path, strerrorname_np(errno));
	line("statx %s: mask %x blksize %u nlink %u uid %u gid %u mode %o size %llu blocks %llu rdev %u:%u",
	     path, x.stx_mask & STATX_BASIC_STATS, x.stx_blksize, x.stx_nlink,
	     x.stx_uid, x.stx_gid, x.stx_mode, x.stx_size, x.stx_blocks,
	     x.stx_rdev_major, x.stx_rdev_minor);
}

static void say_data(const char *path)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n;
	unsigned long sum = 0;
	long long size = 0;

	if (fd < 0)
		return line("read %s: %s", path, strerrorname_np(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buf[i];
		size += n;
	}
	line("read %s: %lld bytes, sum %lx%s%s", path, size, sum,
	     n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
	close(fd);
}

/* Without the names that the system itself adds to all. */
static void say_xattrs(const char *path)
{
	char list[1024], value[256];
	ssize_t n = llistxattr(path, list, sizeof(list)), v;

	if (n < 0)
		return line("xattrs of %s: %s", path, strerrorname_np(errno));
	for (char *p = list; p < list + n; p += strlen(p) + 1) {
		unsigned long sum = 0;

		v = lgetxattr(path, p, value, sizeof(value));
		for (ssize_t i = 0; i < v; i++)
			sum = sum * 31 + (unsigned char)value[i];
		line("xattr of %s: %s %zd bytes, sum %lx", path, p, v, sum);
	}
}

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) || close(fd)) {
		printf("Bail out! cannot make %s: %s\n", path, strerror(errno));
		exit(2);
	}
}

static void must(int res, const char *what)
{
	if (res) {
		printf("Bail out! %s: %s\n", what, strerror(errno));
		exit(2);
	}
}

/* Runs fn as this user and group, in a child. */
static void as(uid_t uid, gid_t gid, void (*fn)(void))
{
	pid_t pid;
	int status;

	line("as %u:%u", uid, gid);
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid))
			line("cannot become %u", uid);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		line("child ended with %x", status);
}

/* The tree that every scenario begins with. */
static void make_tree(void)
{
	struct timespec ts[2] = { { 1000000000, 123456789 },
				  { 1100000000, 987654321 } };

	put("file", "some text\n", 0644);
	put("empty", "", 0600);
	put("user", "of user 1000\n", 0664);
	must(chown("user", 1000, 1000), "chown");
	put("secret", "secret\n", 0600);
	must(mkdir("dir", 0755), "mkdir");
	put("dir/a", "a\n", 0644);
	put("dir/b", "bb\n", 0644);
	must(mkdir("dir/sub", 0755), "mkdir");
	put("dir/sub/c", "ccc\n", 0644);
	must(mkdir("open", 0777), "mkdir");
	must(chmod("open", 0777), "chmod");
	must(mkdir("closed", 0700), "mkdir");
	put("closed/in", "in\n", 0644);
	must(symlink("file", "sym"), "symlink");
	must(symlink("loop", "loop"), "symlink");
	must(symlink("nowhere", "dangling"), "symlink");
	must(mkfifo("fifo", 0640), "mkfifo");
	must(link("file", "hard"), "link");
	must(utimensat(AT_FDCWD, "file", ts, 0), "utimensat");
	must(utimensat(AT_FDCWD, "dir/a", ts, 0), "utimensat");
}

/* Scenarios */

static const char *const tree_names[] = {
	"file", "empty", "user", "secret", "dir", "dir/a", "dir/sub/c", "open",
	"closed", "sym", "loop", "dangling", "fifo", "hard",
};
#define TREE_NAMES (sizeof(tree_names) / sizeof(tree_names[0]))

static void lookup_and_stat(void)
{
	char name[NAME_MAX + 2];

	for (size_t i = 0; i < TREE_NAMES; i++) {
		say_stat(tree_names[i]);
		say_statx(tree_names[i]);
	}
	say_times("file");
	say_times("dir/a");
	DO(access("missing", F_OK));
	DO(access("file/x", F_OK));
	DO(access("loop", F_OK));
	DO(access("dangling", F_OK));
	DO(access("", F_OK));
	DO(access("dir/./sub/../a", F_OK));
	DO(access("file/", F_OK));
	DO(access("dir/", F_OK));
	memset(name, 'x', sizeof(name) - 1);
	name[NAME_MAX] = '\0';
	DO(access(name, F_OK));
	name[NAME_MAX] = 'x';
	name[NAME_MAX + 1] = '\0';
	DO(access(name, F_OK));
	name[NAME_MAX] = '\0';
	DO(mkdir(name, 0755));
	DO(rmdir(name));
}

static void odd_names(void)
{
	static const char *const names[] = {
		"with blank", "new\nline", "tab\t", "back\\slash", "\x80\xff",
		"-rf", ".hidden", "..two", "...", "%s", "\xc3\xa9", ":", "*",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		DO(mkdir(names[i], 0700));
		say_stat(names[i]);
	}
	DO(mkdir(".", 0700));
	DO(mkdir("..", 0700));
	DO(rmdir("."));
	DO(unlink(".."));
}

static void open_flags(void)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_DIRECTORY,
		O_RDONLY | O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW,
		O_WRONLY | O_APPEND, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
		O_RDONLY | O_NOATIME, O_RDONLY | O_NONBLOCK,
	};
	static const char *const names[] = {
		"file", "dir", "sym", "loop", "dangling", "missing", "dir/none",
		"file/x",
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			int fd = open(names[n], flags[i], 0640);

			line("open %s %o: %s %o", names[n], flags[i],
			     fd < 0 ? strerrorname_np(errno) : "ok",
			     fd < 0 ? 0 : fcntl(fd, F_GETFL) & ~O_LARGEFILE);
			close(fd);
		}
	say_stat("missing");
	say_stat("nowhere");
	close(DO(open("file", O_WRONLY | O_TRUNC)));
	say_stat("file");
	say_data("hard");
	close(DO(open("dir", O_RDONLY | O_TRUNC)));
}

static void read_and_write(void)
{
	int fd = DO(open("file", O_RDWR)), fd2 = DO(open("hard", O_RDONLY));
	char buf[64] = "";
	struct iovec iov[2] = { { buf, 3 }, { buf + 8, 4 } };

	VAL(read(fd, buf, 4));
	line("%.4s", buf);
	VAL(pread(fd2, buf, sizeof(buf), 5));
	VAL(pread(fd2, buf, sizeof(buf), 10));
	VAL(pread(fd2, buf, sizeof(buf), 1000));
	VAL(write(fd, "WRITE", 5));
	VAL(lseek(fd, 0, SEEK_CUR));
	VAL(pwrite(fd, "end", 3, 20));
	VAL(lseek(fd, 0, SEEK_END));
	VAL(lseek(fd, -1, SEEK_SET));
	VAL(preadv(fd2, iov, 2, 2));
	line("%.3s %.4s", buf, buf + 8);
	VAL(pwritev(fd, iov, 2, 30));
	VAL(write(fd2, "x", 1));
	VAL(pread(fd, buf, 4, -1));
	say_data("hard");
	say_stat("file");
	DO(fsync(fd));
	DO(fdatasync(fd));
	DO(syncfs(fd));
	close(fd);
	close(fd2);
	fd = DO(open("dir", O_RDONLY));
	VAL(read(fd, buf, 1));
	DO(fsync(fd));
	close(fd);
}

static void append(void)
{
	int a = DO(open("file", O_WRONLY | O_APPEND)),
	    b = DO(open("hard", O_WRONLY | O_APPEND));

	VAL(write(a, "one ", 4));
	VAL(write(b, "two ", 4));
	VAL(write(a, "three", 5));
	VAL(lseek(a, 0, SEEK_CUR));
	VAL(lseek(b, 0, SEEK_CUR));
	DO(ftruncate(a, 6));
	VAL(write(b, "!", 1));
	say_data("file");
	say_stat("hard");
	close(a);
	close(b);
}

static void truncate_all(void)
{
	int fd = DO(open("file", O_RDONLY));

	DO(truncate("file", 4));
	say_data("file");
	DO(truncate("file", 10000));
	say_data("file");
	say_stat("file");
	DO(truncate("file", 0));
	DO(truncate("file", -1));
	DO(truncate("dir", 0));
	DO(truncate("missing", 0));
	DO(truncate("fifo", 0));
	DO(truncate("sym", 3));
	DO(ftruncate(fd, 1));
	say_stat("file");
	close(fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[256];
	struct dirent *e;
	struct stat st;
	size_t n = 0;
	DIR *d = opendir(path);

	if (!d)
		return line("opendir %s: %s", path, strerrorname_np(errno));
	while ((e = readdir(d)) && n < 256) {
		bool same = !strcmp(e->d_name, "..") ||
			    (!fstatat(dirfd(d), e->d_name, &st,
				      AT_SYMLINK_NOFOLLOW) &&
			     (st.st_ino == e->d_ino || !strcmp(e->d_name, ".")));

		if (asprintf(&names[n], "%s type %u%s", e->d_name, e->d_type,
			     same ? "" : " with another number") < 0)
			exit(2);
		n++;
	}
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		line("%s: %s", path, names[i]);
		free(names[i]);
	}
	closedir(d);
}

static void readdir_all(void)
{
	struct dirent *e;
	char name[32];
	long at = 0;
	int n = 0;
	DIR *d;

	list(".");
	list("dir");
	list("closed");
	list("file");
	list("missing");
	DO(mkdir("many", 0755));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		put(name, "", 0600);
	}
	d = opendir("many");
	while (d && (e = readdir(d)))
		if (++n == 100)
			at = telldir(d);
	line("%d entries", n);
	/* From the middle on, and once more from the start. */
	if (d)
		seekdir(d, at);
	for (n = 0; d && readdir(d); n++)
		;
	line("%d entries from the 100th on", n);
	if (d)
		rewinddir(d);
	for (n = 0; d && readdir(d); n++)
		;
	line("%d entries again", n);
	/* Names removed meanwhile are gone; the rest is there. */
	if (d)
		rewinddir(d);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	list("many");
	DO(rmdir("many"));
}

static void readlinks(void)
{
	char buf[PATH_MAX], target[PATH_MAX];

	VAL(readlink("sym", buf, sizeof(buf)));
	VAL(readlink("sym", buf, 2));
	VAL(readlink("loop", buf, sizeof(buf)));
	VAL(readlink("file", buf, sizeof(buf)));
	VAL(readlink("missing", buf, sizeof(buf)));
	memset(target, 't', sizeof(target));
	target[2000] = '\0';
	DO(symlink(target, "long"));
	VAL(readlink("long", buf, sizeof(buf)));
	line("%d", memcmp(buf, target, 2000));
	DO(symlink("", "none"));
	DO(symlink("x", "sym"));
	say_stat("long");
	say_stat("sym");
}

static void xattrs(void)
{
	char buf[256];

	DO(setxattr("file", "user.one", "value", 5, 0));
	DO(setxattr("file", "user.two", "", 0, XATTR_CREATE));
	DO(setxattr("file", "user.one", "x", 1, XATTR_CREATE));
	DO(setxattr("file", "user.three", "x", 1, XATTR_REPLACE));
	DO(setxattr("dir", "user.dir", "on a directory", 14, 0));
	DO(setxattr("file", "trusted.t", "trusted", 7, 0));
	DO(lsetxattr("sym", "user.sym", "x", 1, 0));
	DO(lsetxattr("sym", "trusted.sym", "x", 1, 0));
	DO(setxattr("file", "unknown.one", "x", 1, 0));
	VAL(getxattr("file", "user.one", buf, sizeof(buf)));
	VAL(getxattr("file", "user.one", NULL, 0));
	VAL(getxattr("file", "user.one", buf, 2));
	VAL(getxattr("file", "user.none", buf, sizeof(buf)));
	VAL(getxattr("file", "user.two", buf, sizeof(buf)));
	VAL(getxattr("missing", "user.two", buf, sizeof(buf)));
	VAL(listxattr("file", NULL, 0));
	VAL(listxattr("file", buf, 3));
	say_xattrs("file");
	say_xattrs("dir");
	say_xattrs("sym");
	say_xattrs("empty");
	DO(removexattr("file", "user.one"));
	DO(removexattr("file", "user.one"));
	say_xattrs("file");
}

static void xattrs_of_others(void)
{
	char buf[64];

	VAL(getxattr("secret", "user.one", buf, sizeof(buf)));
	VAL(getxattr("file", "user.one", buf, sizeof(buf)));
	VAL(getxattr("file", "trusted.t", buf, sizeof(buf)));
	VAL(listxattr("file", buf, sizeof(buf)));
	DO(setxattr("file", "user.mine", "x", 1, 0));
	DO(setxattr("user", "user.mine", "x", 1, 0));
	DO(setxattr("user", "trusted.mine", "x", 1, 0));
	DO(removexattr("file", "user.one"));
	say_xattrs("user");
}

static void xattrs_by_users(void)
{
	DO(setxattr("file", "user.one", "value", 5, 0));
	DO(setxattr("file", "trusted.t", "value", 5, 0));
	as(1000, 1000, xattrs_of_others);
	as(1001, 1001, xattrs_of_others);
}

/* An ACL as the xattr has it: owner, one more user, group, mask, other. */
static ssize_t acl_blob(char *buf, unsigned int owner, uid_t user,
			unsigned int perm, unsigned int other)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} __attribute__((packed)) acl = {
		2, {
			{ 0x01, owner, -1 }, { 0x02, perm, user },
			{ 0x04, 4, -1 }, { 0x10, 7, -1 }, { 0x20, other, -1 },
		}
	};

	memcpy(buf, &acl, sizeof(acl));
	return sizeof(acl);
}

static void use_acl_files(void)
{
	close(DO(open("file", O_RDWR)));
	close(DO(open("secret", O_RDONLY)));
	close(DO(open("secret", O_WRONLY)));
	DO(access("closed/in", R_OK));
	list("closed");
	close(DO(open("open/by_acl", O_CREAT | O_WRONLY, 0640)));
	say_stat("open/by_acl");
}

static void acls(void)
{
	static const char acc[] = "system.posix_acl_access";
	static const char def[] = "system.posix_acl_default";
	char buf[64], got[256];
	ssize_t n = acl_blob(buf, 6, 1000, 4, 0);

	DO(setxattr("secret", acc, buf, n, 0));
	say_stat("secret");
	VAL(getxattr("secret", acc, got, sizeof(got)));
	line("%d", memcmp(buf, got, n));
	VAL(getxattr("file", acc, got, sizeof(got)));
	VAL(getxattr("sym", acc, got, sizeof(got)));
	VAL(lgetxattr("sym", acc, got, sizeof(got)));
	DO(setxattr("file", def, buf, n, 0));
	DO(setxattr("file", acc, "junk", 4, 0));
	n = acl_blob(buf, 7, 1000, 5, 0);
	DO(setxattr("closed", acc, buf, n, 0));
	DO(setxattr("open", def, buf, n, 0));
	as(1000, 1000, use_acl_files);
	as(1001, 1001, use_acl_files);
	umask(077);
	DO(mkdir("open/newdir", 0777));
	close(DO(open("open/newfile", O_CREAT | O_WRONLY, 0666)));
	umask(022);
	say_stat("open/newdir");
	say_stat("open/newfile");
	say_xattrs("open/newdir");
	say_xattrs("open/newfile");
	DO(chmod("secret", 0670));
	say_xattrs("secret");
	DO(removexattr("secret", acc));
	say_stat("secret");
	say_xattrs("secret");
	as(1000, 1000, use_acl_files);
}

static void access_all(void)
{
	static const int modes[] = { F_OK, R_OK, W_OK, X_OK, R_OK | W_OK };

	for (size_t i = 0; i < TREE_NAMES; i++)
		for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
			line("access %s %d: %s", tree_names[i], modes[m],
			     access(tree_names[i], modes[m]) ?
			     strerrorname_np(errno) : "ok");
			line("faccessat %s %d: %s", tree_names[i], modes[m],
			     faccessat(AT_FDCWD, tree_names[i], modes[m],
				       AT_EACCESS) ?
			     strerrorname_np(errno) : "ok");
		}
	close(DO(open("secret", O_RDONLY)));
	close(DO(open("secret", O_WRONLY)));
	close(DO(open("file", O_WRONLY)));
	close(DO(open("user", O_RDWR)));
	DO(access("closed/in", F_OK));
	DO(access("closed/none", F_OK));
	DO(chdir("closed"));
	list("closed");
	list("dir");
	say_stat("secret");
	say_stat("closed/in");
	close(DO(open("dir/new", O_CREAT | O_WRONLY, 0600)));
	DO(unlink("dir/a"));
	DO(rename("dir/a", "open/a"));
	DO(rename("user", "open/user"));
	DO(link("secret", "open/secret"));
	DO(truncate("file", 0));
	DO(truncate("secret", 0));
	DO(mkdir("new", 0700));
	DO(rmdir("dir"));
}

static void access_by_users(void)
{
	as(0, 0, access_all);
	as(1000, 1000, access_all);
	as(1001, 1000, access_all);
	as(1001, 1001, access_all);
}

static void change_mode_and_owner(void)
{
	DO(chmod("file", 0600));
	DO(chmod("user", 0600));
	DO(chmod("user", 06711));
	say_stat("user");
	DO(chown("user", 1000, 1000));
	say_stat("user");
	DO(chown("user", 1001, -1));
	DO(chown("user", -1, 1001));
	DO(chown("user", -1, 1000));
	DO(chown("file", 1000, -1));
	DO(chmod("dir", 0777));
	DO(chmod("missing", 0777));
	say_stat("user");
	say_stat("file");
}

static void attributes_by_users(void)
{
	int fd;

	DO(chmod("file", 0));
	say_stat("file");
	DO(chmod("file", 07777));
	say_stat("hard");
	DO(chown("file", 1000, 1001));
	say_stat("file");
	DO(chmod("file", 06755));
	DO(chown("file", -1, -1));
	say_stat("file");
	DO(chmod("dir", 02755));
	DO(chown("dir", 7, 8));
	say_stat("dir");
	DO(lchown("sym", 5, 6));
	say_stat("sym");
	DO(chmod("sym", 0711));
	say_stat("file");
	DO(fchmodat(AT_FDCWD, "fifo", 0611, 0));
	say_stat("fifo");
	as(1000, 1000, change_mode_and_owner);
	as(1001, 1001, change_mode_and_owner);
	fd = DO(open("empty", O_RDONLY));
	DO(fchmod(fd, 0604));
	DO(fchown(fd, 3, 4));
	say_stat("empty");
	close(fd);
}

static void write_suid(void)
{
	int fd = DO(open("suid", O_WRONLY));

	VAL(write(fd, "x", 1));
	say_stat("suid");
	close(fd);
	fd = DO(open("sgid", O_WRONLY));
	VAL(pwrite(fd, "x", 1, 3));
	say_stat("sgid");
	close(fd);
}

static void truncate_suid(void)
{
	DO(truncate("suid", 1));
	say_stat("suid");
	close(DO(open("sgid", O_WRONLY | O_TRUNC)));
	say_stat("sgid");
	DO(truncate("sgid", 1));
	say_stat("sgid");
}

static void set_suid(void)
{
	must(chmod("suid", 06777), "chmod");
	must(chmod("sgid", 02777), "chmod");
}

/* A write takes suid and sgid away, except by root. */
static void suid_and_sgid(void)
{
	put("suid", "suid", 0777);
	put("sgid", "sgid", 0777);
	set_suid();
	write_suid();
	truncate_suid();
	set_suid();
	as(1000, 1000, write_suid);
	set_suid();
	as(1000, 1000, truncate_suid);
	set_suid();
	DO(chown("suid", 1000, 1000));
	say_stat("suid");
	must(chmod("sgid", 02767), "chmod");
	DO(chown("sgid", 1000, 1000));
	say_stat("sgid");
}

static void change_times(void)
{
	struct timespec ts[2] = { { 5, 6 }, { 7, 8 } };
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

	DO(utimensat(AT_FDCWD, "file", ts, 0));
	DO(utimensat(AT_FDCWD, "user", ts, 0));
	DO(utimensat(AT_FDCWD, "file", now, 0));
	DO(utimensat(AT_FDCWD, "user", now, 0));
	DO(utimensat(AT_FDCWD, "secret", NULL, 0));
}

static void times(void)
{
	struct timespec ts[2] = { { 5, 6 }, { 7, 8 } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 99, 999999999 } };
	struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	struct timespec old[2] = { { -5, 1 }, { -1000000, 2 } };
	struct stat st;

	DO(utimensat(AT_FDCWD, "file", ts, 0));
	say_times("file");
	say_times("hard");
	DO(utimensat(AT_FDCWD, "file", omit, 0));
	say_times("file");
	DO(utimensat(AT_FDCWD, "file", bad, 0));
	DO(utimensat(AT_FDCWD, "file", old, 0));
	say_times("file");
	DO(utimensat(AT_FDCWD, "sym", ts, AT_SYMLINK_NOFOLLOW));
	say_times("sym");
	say_times("file");
	DO(utimensat(AT_FDCWD, "dir", ts, 0));
	say_times("dir");
	close(DO(open("dir/changes", O_CREAT | O_WRONLY, 0600)));
	if (!stat("dir", &st))
		line("directory changed: %d", st.st_mtim.tv_sec > 1000);
	DO(utimensat(AT_FDCWD, "user", ts, 0));
	as(1000, 1000, change_times);
	as(1001, 1001, change_times);
	DO(utimensat(AT_FDCWD, "missing", ts, 0));
	say_stat("secret");
}

static void create_things(void)
{
	umask(027);
	close(DO(open("open/file", O_CREAT | O_EXCL | O_RDWR, 0666)));
	close(DO(open("open/file", O_CREAT | O_EXCL | O_RDWR, 0666)));
	close(DO(open("open/exec", O_CREAT | O_RDWR, 06777)));
	DO(mkdir("open/dir", 0777));
	DO(mkdir("open/dir", 0777));
	DO(mknod("open/fifo", S_IFIFO | 0666, 0));
	DO(mknod("open/reg", S_IFREG | 0666, 0));
	DO(mknod("open/sock", S_IFSOCK | 0666, 0));
	DO(mknod("open/char", S_IFCHR | 0666, makedev(1, 3)));
	DO(symlink("target", "open/sym"));
	DO(link("open/file", "open/hard"));
	DO(mkdir("open/dir/missing/x", 0777));
	DO(mkdir("file/x", 0777));
	DO(mkdir("dir/x", 0777));
	say_stat("open/file");
	say_stat("open/exec");
	say_stat("open/dir");
	say_stat("open/fifo");
	say_stat("open/reg");
	say_stat("open/sock");
	say_stat("open/char");
	say_stat("open/sym");
	list("open");
	umask(022);
}

static void remove_things(void)
{
	DO(unlink("open/file"));
	DO(unlink("open/hard"));
	DO(unlink("open/exec"));
	DO(rmdir("open/dir"));
	DO(unlink("open/fifo"));
	DO(unlink("open/reg"));
	DO(unlink("open/sock"));
	DO(unlink("open/char"));
	DO(unlink("open/sym"));
	DO(rmdir("dir"));
	DO(rmdir("file"));
	DO(unlink("dir"));
	DO(unlink("missing"));
	DO(rmdir("missing"));
	list("open");
}

static void create_and_remove(void)
{
	create_things();
	remove_things();
	DO(chown("open", 0, 77));
	DO(chmod("open", 02777));
	as(1000, 1000, create_things);
	as(1001, 1001, remove_things);
	as(1000, 1000, create_things);
	DO(chmod("open", 01777));
	as(1001, 1001, remove_things);
	as(1000, 1000, remove_things);
	remove_things();
}

static void renames(void)
{
	DO(rename("file", "new"));
	say_stat("file");
	say_stat("new");
	DO(rename("new", "dir/a"));
	say_data("dir/a");
	say_stat("hard");
	DO(rename("dir/a", "dir/b"));
	DO(rename("hard", "dir/b"));
	say_stat("hard");
	DO(rename("missing", "x"));
	DO(rename("dir", "dir/sub/x"));
	DO(rename("dir/sub", "open"));
	say_data("open/c");
	DO(rename("open", "dir"));
	DO(rename("open", "file"));
	DO(rename("secret", "open"));
	DO(rename("empty", "open/c"));
	say_data("open/c");
	DO(rename("sym", "open/sym"));
	DO(rename("dir", "open/dir"));
	say_data("open/dir/b");
	DO(renameat2(AT_FDCWD, "user", AT_FDCWD, "secret", RENAME_NOREPLACE));
	DO(renameat2(AT_FDCWD, "user", AT_FDCWD, "user2", RENAME_NOREPLACE));
	DO(renameat2(AT_FDCWD, "user2", AT_FDCWD, "open", RENAME_EXCHANGE));
	say_stat("user2");
	say_stat("open");
	say_data("user2/dir/b");
	DO(renameat2(AT_FDCWD, "open", AT_FDCWD, "none", RENAME_EXCHANGE));
	DO(renameat2(AT_FDCWD, "user2", AT_FDCWD, "user2/dir", RENAME_EXCHANGE));
	DO(renameat2(AT_FDCWD, "open", AT_FDCWD, "x", 1 << 20));
	DO(rename("user2/dir", "user2/dir"));
	DO(rename("user2/.", "x"));
	DO(rename("user2", "fifo"));
	list("user2");
	list(".");
}

static void links(void)
{
	DO(link("file", "second"));
	DO(link("sym", "symhard"));
	DO(link("dir", "dirhard"));
	DO(link("file", "dir"));
	DO(link("missing", "x"));
	DO(link("fifo", "dir/fifo"));
	DO(linkat(AT_FDCWD, "sym", AT_FDCWD, "follow", AT_SYMLINK_FOLLOW));
	say_stat("file");
	say_stat("symhard");
	say_stat("follow");
	say_stat("dir/fifo");
	put("second", "through another name\n", 0644);
	say_data("file");
	DO(unlink("file"));
	say_stat("hard");
	DO(unlink("hard"));
	DO(unlink("second"));
	say_data("follow");
	say_stat("follow");
}

static void open_and_unlinked(void)
{
	char buf[64], path[64];
	struct stat st;
	int fd = DO(open("empty", O_RDWR)), dir = DO(open("dir/sub", O_RDONLY));

	VAL(write(fd, "data", 4));
	DO(unlink("empty"));
	say_stat("empty");
	VAL(pread(fd, buf, sizeof(buf), 0));
	VAL(write(fd, "more", 4));
	DO(fstat(fd, &st));
	line("nlink %lu size %lld", (long)st.st_nlink, (long long)st.st_size);
	DO(fchmod(fd, 0640));
	DO(ftruncate(fd, 2));
	DO(fstat(fd, &st));
	line("mode %o size %lld", st.st_mode, (long long)st.st_size);
	put("empty", "another\n", 0644);
	say_data("empty");
	VAL(pread(fd, buf, sizeof(buf), 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	DO(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
	close(fd);
	DO(unlink("dir/sub/c"));
	DO(rmdir("dir/sub"));
	DO(openat(dir, "new", O_CREAT | O_WRONLY, 0600));
	DO(fstat(dir, &st));
	DO(fchmod(dir, 0700));
	close(dir);
}

static void temporary_file(void)
{
	char path[64], buf[16];
	struct stat st;
	int fd = DO(open("open", O_TMPFILE | O_RDWR, 0640));

	VAL(write(fd, "temporary", 9));
	DO(fstat(fd, &st));
	line("mode %o nlink %lu size %lld", st.st_mode, (long)st.st_nlink,
	     (long long)st.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	DO(linkat(AT_FDCWD, path, AT_FDCWD, "open/named", AT_SYMLINK_FOLLOW));
	say_data("open/named");
	say_stat("open/named");
	VAL(pread(fd, buf, sizeof(buf), 0));
	close(fd);
	fd = DO(open("open", O_TMPFILE | O_RDWR | O_EXCL, 0640));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	DO(linkat(AT_FDCWD, path, AT_FDCWD, "open/no", AT_SYMLINK_FOLLOW));
	close(fd);
	DO(open("open", O_TMPFILE | O_RDONLY, 0640));
	DO(open("file", O_TMPFILE | O_RDWR, 0640));
	list("open");
}

static void mapping_to_read(void)
{
	int fd = DO(open("file", O_RDWR)), ro = DO(open("file", O_RDONLY));
	char *shared, *private;

	DO(ftruncate(fd, 8192));
	shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED, ro, 0);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
	line("%d %d", shared != MAP_FAILED, private != MAP_FAILED);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return;
	line("%.9s %.9s", shared, private);
	VAL(pwrite(fd, "BY WRITE", 8, 0));
	VAL(pwrite(fd, "AND HERE", 8, 4096));
	line("%.8s %.8s", shared, shared + 4096);
	memcpy(private + 100, "private", 7);
	line("%.7s", private + 100);
	munmap(shared, 8192);
	munmap(private, 8192);
	close(fd);
	close(ro);
	say_data("file");
}

static void mapping(void)
{
	int fd = DO(open("file", O_RDWR)), ro = DO(open("file", O_RDONLY));
	char *shared, *private;

	DO(ftruncate(fd, 8192));
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
	line("%d %d", shared != MAP_FAILED, private != MAP_FAILED);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return;
	line("%.9s", shared);
	memcpy(shared + 4096, "by map", 6);
	DO(msync(shared, 8192, MS_SYNC));
	say_data("file");
	VAL(pwrite(fd, "BY WRITE", 8, 0));
	line("%.8s", shared);
	memcpy(private + 100, "private", 7);
	say_data("file");
	line("%.7s %.6s", private + 100, shared + 4096);
	DO(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) ==
	   MAP_FAILED ? -1 : 0);
	munmap(shared, 8192);
	munmap(private, 8192);
	close(fd);
	close(ro);
	say_data("file");
}

static void holes(void)
{
	int fd = DO(open("sparse", O_CREAT | O_RDWR, 0600));
	struct stat st;

	VAL(pwrite(fd, "a", 1, 0));
	VAL(pwrite(fd, "b", 1, 1 << 20));
	DO(fsync(fd));
	VAL(lseek(fd, 0, SEEK_HOLE));
	VAL(lseek(fd, 4096, SEEK_DATA));
	VAL(lseek(fd, 2 << 20, SEEK_DATA));
	VAL(lseek(fd, 1 << 20, SEEK_HOLE));
	DO(fallocate(fd, 0, 0, 1 << 16));
	DO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 << 20, 4096));
	DO(fstat(fd, &st));
	line("size %lld", (long long)st.st_size);
	DO(fallocate(fd, 0, 1 << 20, 1 << 20));
	DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	DO(fallocate(fd, FALLOC_FL_ZERO_RANGE, 1 << 20, 4096));
	DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	DO(fallocate(fd, 0, -1, 1));
	DO(fallocate(fd, 0, 0, 0));
	close(fd);
	say_data("sparse");
	fd = DO(open("sparse", O_RDONLY));
	DO(fallocate(fd, 0, 0, 4096));
	close(fd);
}

static void copies(void)
{
	int in = DO(open("file", O_RDONLY)), p[2];
	int o = DO(open("copy", O_CREAT | O_RDWR, 0600));
	off_t off = 0;

	VAL(copy_file_range(in, &off, o, NULL, 5, 0));
	line("offset %lld", (long long)off);
	VAL(copy_file_range(in, &off, o, NULL, 100, 0));
	VAL(copy_file_range(in, &off, o, NULL, 100, 0));
	VAL(copy_file_range(in, NULL, in, NULL, 5, 0));
	off = 2;
	VAL(sendfile(o, in, &off, 4));
	if (!pipe(p)) {
		off = 1;
		VAL(splice(in, &off, p[1], NULL, 6, 0));
		VAL(splice(p[0], NULL, o, NULL, 6, 0));
		close(p[0]);
		close(p[1]);
	}
	close(in);
	close(o);
	say_data("copy");
}

static void lock_in_child(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = DO(open("file", O_RDWR));

	DO(flock(fd, LOCK_SH | LOCK_NB));
	DO(flock(fd, LOCK_EX | LOCK_NB));
	DO(fcntl(fd, F_SETLK, &l));
	l.l_start = 100;
	DO(fcntl(fd, F_SETLK, &l));
	l.l_start = 0;
	DO(fcntl(fd, F_GETLK, &l));
	line("type %d start %lld len %lld", l.l_type, (long long)l.l_start,
	     (long long)l.l_len);
	close(fd);
}

static void locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = DO(open("file", O_RDWR)), fd2 = DO(open("file", O_RDWR));

	DO(flock(fd, LOCK_EX));
	DO(flock(fd2, LOCK_EX | LOCK_NB));
	DO(fcntl(fd, F_SETLK, &l));
	as(0, 0, lock_in_child);
	DO(flock(fd, LOCK_UN));
	DO(flock(fd2, LOCK_SH | LOCK_NB));
	as(0, 0, lock_in_child);
	l.l_type = F_UNLCK;
	DO(fcntl(fd, F_SETLK, &l));
	as(0, 0, lock_in_child);
	l.l_type = F_RDLCK;
	l.l_pid = 0;
	DO(fcntl(fd2, F_OFD_SETLK, &l));
	l.l_type = F_WRLCK;
	DO(fcntl(fd, F_OFD_SETLK, &l));
	close(fd);
	close(fd2);
}

static void file_size_limit(void)
{
	struct rlimit lim = { 8192, 8192 };
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &lim);
	fd = DO(open("file", O_RDWR));
	VAL(pwrite(fd, "12345678", 8, 8188));
	VAL(pwrite(fd, "x", 1, 8192));
	DO(ftruncate(fd, 8193));
	DO(ftruncate(fd, 8192));
	DO(fallocate(fd, 0, 0, 10000));
	DO(truncate("empty", 9000));
	say_stat("file");
	close(fd);
}

static void limits(void)
{
	as(0, 0, file_size_limit);
	as(1000, 1000, file_size_limit);
}

static void statfs_all(void)
{
	struct statvfs a;

	DO(statvfs("file", &a));
	line("%lu %lu %lu %lu", a.f_bsize, a.f_frsize, (long)a.f_blocks,
	     (long)a.f_files);
	line("%lu", a.f_namemax);
	DO(statvfs("missing", &a));
}

static void programs(void)
{
	char *argv[] = { "prog", NULL };
	pid_t pid;
	int status;

	put("prog", "#!/bin/sh\nexit 42\n", 0755);
	pid = fork();
	if (!pid) {
		execv("./prog", argv);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	line("program ends with %x", status);
	DO(chmod("prog", 0644));
	DO(execv("./prog", argv));
	DO(execv("./dir", argv));
}

static void working_directory(void)
{
	char cwd[PATH_MAX];
	const char *top, *at;

	DO(chdir("dir/sub"));
	at = getcwd(cwd, sizeof(cwd));
	top = at ? strstr(at, "/dir/sub") : NULL;
	line("in %s", top ? top : "nowhere");
	say_data("c");
	say_data("../a");
	DO(rename("../../dir", "../../moved"));
	at = getcwd(cwd, sizeof(cwd));
	top = at ? strstr(at, "/moved/sub") : NULL;
	line("in %s", top ? top : "nowhere");
	say_data("../a");
	DO(unlink("c"));
	DO(rmdir("../sub"));
	DO(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	DO(access("c", F_OK));
	DO(access("..", F_OK));
	close(DO(open("new", O_CREAT | O_WRONLY, 0600)));
}

/* One of everything: each operation that can be passed, once or twice. */

static void say_birth(const char *path)
{
	struct statx x;

	DO(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &x));
	line("birth time of %s: %d", path, !!(x.stx_mask & STATX_BTIME));
}

static void one_of_each_file(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 4 };
	int fd = DO(open("dir/new", O_CREAT | O_EXCL | O_RDWR, 0640));
	int in = DO(open("file", O_RDONLY)), flags = 0;
	char buf[16] = "";
	off_t off = 1;

	VAL(write(fd, "written", 7));
	VAL(pread(in, buf, 4, 5));
	line("%s", buf);
	VAL(copy_file_range(in, &off, fd, NULL, 4, 0));
	DO(fallocate(fd, 0, 0, 500));
	VAL(lseek(fd, 0, SEEK_HOLE));
	VAL(lseek(fd, 0, SEEK_END));
	DO(fsync(fd));
	DO(fcntl(fd, F_SETLK, &l));
	DO(fcntl(fd, F_SETLKW, &l));
	DO(fcntl(fd, F_GETLK, &l));
	DO(flock(fd, LOCK_EX | LOCK_NB));
	DO(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags ^= FS_NODUMP_FL;
	DO(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	DO(ioctl(in, FS_IOC_GETFLAGS, &flags));
	line("flags %x", flags);
	DO(close(fd));
	DO(close(in));
	say_data("dir/new");
	close(DO(open("user", O_WRONLY | O_TRUNC)));
	say_data("user");
}

static void one_of_each_name(void)
{
	char buf[16] = "";
	int fd = DO(open("dir", O_RDONLY | O_DIRECTORY));

	DO(fsync(fd));
	close(fd);
	list("dir");
	DO(mkdir("dir/made", 0750));
	DO(mknod("dir/made/fifo", S_IFIFO | 0600, 0));
	DO(symlink("target", "dir/made/sym"));
	VAL(readlink("dir/made/sym", buf, sizeof(buf)));
	line("%s", buf);
	DO(link("dir/a", "dir/made/hard"));
	DO(rename("dir/a", "dir/made/a"));
	DO(renameat2(AT_FDCWD, "dir/b", AT_FDCWD, "dir/made/a", RENAME_EXCHANGE));
	DO(unlink("dir/made/fifo"));
	DO(rmdir("dir/made"));
	DO(mkdir("dir/gone", 0700));
	DO(rmdir("dir/gone"));
	fd = DO(open("dir", O_TMPFILE | O_RDWR, 0600));
	VAL(write(fd, "x", 1));
	close(fd);
	list("dir/made");
}

static void one_of_each_attribute(void)
{
	struct timespec ts[2] = { { 5, 6 }, { 7, 8 } };
	struct statvfs v;
	char buf[64];

	say_stat("dir/sub/c");
	say_birth("dir/sub/c");
	DO(access("dir/missing", F_OK));
	DO(access("dir/sub/c", R_OK | W_OK));
	DO(chmod("dir/sub/c", 0600));
	DO(chown("dir/sub/c", 1000, 1001));
	DO(truncate("dir/sub/c", 2));
	DO(utimensat(AT_FDCWD, "dir/sub/c", ts, 0));
	say_times("dir/sub/c");
	DO(setxattr("dir/sub/c", "user.a", "value", 5, 0));
	VAL(getxattr("dir/sub/c", "user.a", buf, sizeof(buf)));
	VAL(listxattr("dir/sub/c", buf, sizeof(buf)));
	DO(removexattr("dir/sub/c", "user.a"));
	DO(statvfs("dir/sub", &v));
	say_stat("dir/sub/c");
}

static void one_of_each(void)
{
	one_of_each_attribute();
	one_of_each_file();
	one_of_each_name();
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
#define S(fn) { #fn, fn }
	S(lookup_and_stat), S(odd_names), S(open_flags), S(read_and_write),
	S(append), S(truncate_all), S(readdir_all), S(readlinks), S(xattrs),
	S(xattrs_by_users), S(acls), S(access_by_users), S(attributes_by_users),
	S(suid_and_sgid), S(times), S(create_and_remove), S(renames), S(links),
	S(open_and_unlinked), S(temporary_file), S(mapping_to_read),
	S(mapping), S(holes), S(copies), S(locks), S(limits),
	S(statfs_all), S(programs), S(working_directory), S(one_of_each),
};

/* The run of all that, and the comparison */

static char *run_in(const char *dir, void (*run)(void))
{
	pid_t pid;
	int status;

	out->len = 0;
	pid = fork();
	if (!pid) {
		umask(022);
		if (chdir(dir)) {
			line("chdir %s: %s", dir, strerror(errno));
			_exit(1);
		}
		run();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		line("ended with %x", status);
	if (out->full) {
		printf("Bail out! more than %d bytes of transcript\n", TRANSCRIPT);
		exit(2);
	}
	out->text[out->len] = '\0';
	return strdup(out->text);
}

static void dump_below(const char *dir)
{
	struct dirent **names;
	char path[PATH_MAX];
	int n = scandir(dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		struct stat st;

		if (!strcmp(names[i]->d_name, ".") ||
		    !strcmp(names[i]->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		say_stat(path);
		say_xattrs(path);
		if (lstat(path, &st))
			continue;
		if (S_ISREG(st.st_mode))
			say_data(path);
		if (S_ISDIR(st.st_mode))
			dump_below(path);
	}
}

static void dump(void)
{
	dump_below(".");
}

/* The first line that differs, as diagnosis. */
static bool same(const char *what, const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;
	int number = 1;

	if (!strcmp(a, b))
		return true;
	for (; *a && *a == *b; a++, b++)
		if (*a == '\n') {
			number++;
			line_a = a + 1;
			line_b = b + 1;
		}
	printf("# %s, line %d\n#   native: %.*s\n#   other:  %.*s\n", what,
	       number, (int)strcspn(line_a, "\n"), line_a,
	       (int)strcspn(line_b, "\n"), line_b);
	return false;
}

static bool lockstep(const char *native, const char *backing, const char *mnt,
		     void (*run)(void))
{
	char *a, *b;
	bool good;

	a = run_in(native, run);
	b = run_in(mnt, run);
	good = same("operations", a, b);
	free(a);
	free(b);
	a = run_in(native, dump);
	b = run_in(backing, dump);
	good &= same("tree left in the backing directory", a, b);
	free(b);
	b = run_in(mnt, dump);
	good &= same("tree left on the mount", a, b);
	free(a);
	free(b);
	return good;
}

static void make_in(const char *top, const char *name)
{
	char path[PATH_MAX];
	char *text;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	must(mkdir(path, 0755), path);
	text = run_in(path, make_tree);
	if (*text) {
		printf("Bail out! %s: %s", path, text);
		exit(2);
	}
	free(text);
}

static void run_scenario(char **argv, const char *label, size_t i)
{
	char dirs[3][PATH_MAX], name[128];
	bool good;

	snprintf(name, sizeof(name), "%s-%s", label, scenarios[i].name);
	make_in(argv[0], name);
	make_in(argv[1], name);
	for (int d = 0; d < 3; d++)
		snprintf(dirs[d], sizeof(dirs[d]), "%s/%s", argv[d], name);
	fflush(stdout);
	good = lockstep(dirs[0], dirs[1], dirs[2], scenarios[i].run);
	fflush(stdout);
	snprintf(name, sizeof(name), "%s_behaves_as_native_%s", label, scenarios[i].name);
	tap(good, name, NULL);
}

/* One that begins with ^ leaves out a scenario, and takes all others. */
static bool is_named(const char *name, char **names)
{
	bool all = !*names;

	if (*names && **names == '^')
		return strcmp(*names + 1, name);
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return all;
}

int main(int argc, char **argv)
{
	const char *label = argc > 4 ? argv[4] : "mount";
	char **names = argc > 5 ? argv + 5 : argv + argc;
	int n, status;

	if (argc < 4) {
		fprintf(stderr, "usage: lockstep NATIVE BACKING MOUNT [LABEL [SCENARIO...]]\n");
		return 2;
	}
	out = mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (is_named(scenarios[i].name, names))
			run_scenario(argv + 1, label, i);
	n = tap_count();
	status = tap_done();
	/* A name that nothing has is a mistake of the caller's. */
	if (*names && **names == '^')
		return status || n + 1 != (int)(sizeof(scenarios) / sizeof(scenarios[0]));
	return status || !n || (*names && n != argc - 5);
}
