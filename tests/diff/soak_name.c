// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations on names; paths begin in the working directory, which is set. */
#include "soak.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

void do_mkdir(struct doing *d)
{
	put_ok(d, mkdir(d->op->path, d->op->mode));
}

/* Devices: null, and the one of whiteouts. */
void do_mknod(struct doing *d)
{
	const struct op *op = d->op;

	put_ok(d, mknod(op->path, op->mode,
			op->how ? makedev(1, 3) : makedev(0, 0)));
}

void do_symlink(struct doing *d)
{
	put_ok(d, symlink(d->op->path2, d->op->path));
}

void do_readlink(struct doing *d)
{
	char *buf = buf_get();
	ssize_t n = readlink(d->op->path, buf, d->op->len);

	put_call(d, n);
	put(d, "data", n > 0 ? hash(buf, n, 0) : 0);
}

void do_link(struct doing *d)
{
	put_ok(d, linkat(AT_FDCWD, d->op->path, AT_FDCWD, d->op->path2,
			 d->op->how ? AT_SYMLINK_FOLLOW : 0));
}

/* Gives a name to an open file, which may have none. */
void do_link_open(struct doing *d)
{
	char path[40];
	int fd = fd_of(d, d->op->slot);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (d->op->how)
		put_ok(d, linkat(AT_FDCWD, path, AT_FDCWD, d->op->path,
				 AT_SYMLINK_FOLLOW));
	else
		put_ok(d, linkat(fd, "", AT_FDCWD, d->op->path, AT_EMPTY_PATH));
}

void do_unlink(struct doing *d)
{
	put_ok(d, unlink(d->op->path));
}

void do_rmdir(struct doing *d)
{
	put_ok(d, rmdir(d->op->path));
}

void do_rename(struct doing *d)
{
	put_ok(d, renameat2(AT_FDCWD, d->op->path, AT_FDCWD, d->op->path2,
			    d->op->flags));
}

void do_truncate(struct doing *d)
{
	put_ok(d, truncate(d->op->path, d->op->off));
}

/* Variants: of the name, of the open file, of the symbolic link itself. */

void do_chmod(struct doing *d)
{
	const struct op *op = d->op;

	if (op->how == 0)
		put_ok(d, chmod(op->path, op->mode));
	else if (op->how == 1)
		put_ok(d, fchmod(fd_of(d, op->slot), op->mode));
	else
		put_ok(d, syscall(SYS_fchmodat2, AT_FDCWD, op->path, op->mode,
				  AT_SYMLINK_NOFOLLOW));
}

void do_chown(struct doing *d)
{
	const struct op *op = d->op;
	uid_t uid = op->off;
	gid_t gid = op->off2;

	if (op->how == 0)
		put_ok(d, chown(op->path, uid, gid));
	else if (op->how == 1)
		put_ok(d, fchown(fd_of(d, op->slot), uid, gid));
	else
		put_ok(d, lchown(op->path, uid, gid));
}

/* flags: bits 0 and 1 now, 2 and 3 omit, 4 no times given at all. */
static void times_fill(const struct op *op, struct timespec ts[2])
{
	const int64_t value[2] = { op->off, op->off2 };

	for (int i = 0; i < 2; i++) {
		ts[i].tv_sec = value[i];
		ts[i].tv_nsec = op->val % 1000000000;
		if (op->flags & 1 << i)
			ts[i].tv_nsec = UTIME_NOW;
		if (op->flags & 4 << i)
			ts[i].tv_nsec = UTIME_OMIT;
	}
}

void do_utimens(struct doing *d)
{
	const struct op *op = d->op;
	struct timespec ts[2], *t = op->flags & 16 ? NULL : ts;

	times_fill(op, ts);
	if (op->how == 1)
		put_ok(d, futimens(fd_of(d, op->slot), t));
	else
		put_ok(d, utimensat(AT_FDCWD, op->path, t,
				    op->how ? AT_SYMLINK_NOFOLLOW : 0));
}

void do_access(struct doing *d)
{
	const struct op *op = d->op;

	put_ok(d, syscall(SYS_faccessat2, AT_FDCWD, op->path, (int)op->mode,
			  (int)op->flags));
}

void do_stat(struct doing *d)
{
	const struct op *op = d->op;
	struct look look;

	look_at(AT_FDCWD, op->path, op->flags, &look);
	put(d, "result", -look.err);
	d->res->look[d->res->looks++] = look;
}

/* Listings ------------------------------------------------------------------- */

struct listing {
	int64_t n;
	uint64_t sum;	/* of names and types, in whatever order */
	int wrong;	/* numbers that are not those of stat */
};

static void list_entry(struct listing *l, int dir, const struct dirent *e)
{
	struct stat st;

	l->n++;
	l->sum += random_mix(hash(e->d_name, strlen(e->d_name), e->d_type));
	/* Directories above the top one are not ours. */
	if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
	    !fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
		l->wrong += st.st_ino != e->d_ino;
}

static void put_listing(struct doing *d, const struct listing *l)
{
	put(d, "entries", l->n);
	put(d, "names", l->sum);
	put(d, "wrong numbers", l->wrong);
}

/* All of it; then again from where the first part ended. */
static void list_parts(struct doing *d, DIR *dir, int64_t first)
{
	struct listing all = { 0 }, rest = { 0 };
	struct dirent *e;
	long at = telldir(dir);

	while (errno = 0, (e = readdir(dir))) {
		list_entry(&all, dirfd(dir), e);
		if (all.n == first)
			at = telldir(dir);
	}
	put(d, "readdir", -errno);
	put_listing(d, &all);
	seekdir(dir, at);
	while ((e = readdir(dir)))
		list_entry(&rest, dirfd(dir), e);
	put(d, "entries after seekdir", rest.n);
}

void do_list(struct doing *d)
{
	int fd = open(d->op->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	put_ok(d, fd);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir)
		die("fdopendir: %s", strerrorname_np(errno));
	list_parts(d, dir, d->op->val);
	closedir(dir);
}

/* Names and inodes that nobody uses are thrown away, on both sides. */
void do_forget(struct doing *d)
{
	int fd;

	put(d, "result", 0);
	if (!exactness.drop_caches || d->op->actor != 0)
		return;
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "2", 1) != 1)
		die("cannot drop caches: %s", strerrorname_np(errno));
	close(fd);
}
