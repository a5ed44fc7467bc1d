// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes, ACLs, flags, locks, leases, ioctls. */
#include "soak.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Extended attributes -------------------------------------------------------- */

/* As the file system stores it: no more than bytes to it, except for ACLs. */
static const char *xattr_value(const struct op *op, size_t *len)
{
	static const char capability[20] = { 1, 0, 0, 2, 0, 4 };

	*len = op->len;
	if (!strcmp(op->name, "security.capability") && op->val % 4) {
		*len = sizeof(capability);
		return capability;
	}
	if (*len > 70000)
		*len = 70000;
	return buf_filled(*len, op->val | 1);
}

void do_set_xattr(struct doing *d)
{
	const struct op *op = d->op;
	size_t len;
	const char *value = xattr_value(op, &len);

	if (op->how == 0)
		put_ok(d, setxattr(op->path, op->name, value, len, op->flags));
	else if (op->how == 1)
		put_ok(d, fsetxattr(fd_of(d, op->slot), op->name, value, len,
				    op->flags));
	else
		put_ok(d, lsetxattr(op->path, op->name, value, len, op->flags));
}

void do_get_xattr(struct doing *d)
{
	const struct op *op = d->op;
	char *buf = buf_get();
	ssize_t n;

	if (op->how == 0)
		n = getxattr(op->path, op->name, buf, op->len);
	else if (op->how == 1)
		n = fgetxattr(fd_of(d, op->slot), op->name, buf, op->len);
	else
		n = lgetxattr(op->path, op->name, buf, op->len);
	put_call(d, n);
	put(d, "data", n > 0 && op->len ? hash(buf, n, 0) : 0);
}

/* File systems list in an order of their own, which is not promised. */
void do_list_xattr(struct doing *d)
{
	const struct op *op = d->op;
	char *buf = buf_get();
	uint64_t sum = 0;
	ssize_t n;

	/* A server does not know whether a caller may see trusted attributes. */
	if (exactness.served && actor_is_powerless(op->actor))
		return;
	if (op->how == 0)
		n = listxattr(op->path, buf, op->len);
	else if (op->how == 1)
		n = flistxattr(fd_of(d, op->slot), buf, op->len);
	else
		n = llistxattr(op->path, buf, op->len);
	put_call(d, n);
	for (char *p = buf; op->len && p < buf + n; p += strlen(p) + 1)
		sum += random_mix(hash(p, strlen(p), 0));
	put(d, "names", sum);
}

void do_remove_xattr(struct doing *d)
{
	const struct op *op = d->op;

	if (op->how == 0)
		put_ok(d, removexattr(op->path, op->name));
	else if (op->how == 1)
		put_ok(d, fremovexattr(fd_of(d, op->slot), op->name));
	else
		put_ok(d, lremovexattr(op->path, op->name));
}

/* ACLs ------------------------------------------------------------------------ */

enum {
	ACL_OWNER = 1, ACL_USER = 2, ACL_GROUP = 4, ACL_GROUP_MEMBER = 8,
	ACL_MASK = 16, ACL_OTHERS = 32,
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
} __attribute__((packed));

struct acl {
	uint32_t version;
	struct acl_entry entry[16];
} __attribute__((packed));

static int acl_add(struct acl *acl, int n, int tag, uint64_t perm, uint32_t id)
{
	acl->entry[n] = (struct acl_entry){ tag, perm & 7, id };
	return n + 1;
}

/* A valid one; with named users and groups by bits of the seed. */
static int acl_fill(struct acl *acl, uint64_t r)
{
	bool extended = r & 1;
	int n = 0;

	acl->version = 2;
	n = acl_add(acl, n, ACL_OWNER, r >> 8 | (r & 2 ? 6 : 0), -1);
	for (uint32_t i = 0; extended && i < 4; i++)
		if (r >> (40 + i) & 1)
			n = acl_add(acl, n, ACL_USER, r >> (12 + i), 1000 + i);
	n = acl_add(acl, n, ACL_GROUP, r >> 20, -1);
	for (uint32_t i = 0; extended && i < 3; i++)
		if (r >> (44 + i) & 1)
			n = acl_add(acl, n, ACL_GROUP_MEMBER, r >> (24 + i),
				    1000 + 2 * i);
	if (extended)
		n = acl_add(acl, n, ACL_MASK, r >> 30 | (r & 4 ? 7 : 0), -1);
	return acl_add(acl, n, ACL_OTHERS, r >> 34, -1);
}

/* Requests that the system has to refuse, or may take in its own way. */
static size_t acl_spoil(struct acl *acl, int n, uint64_t r)
{
	size_t len = sizeof(acl->version) + n * sizeof(acl->entry[0]);

	switch (r % 8) {
	case 0:
		acl->version = 1;
		break;
	case 1:
		return len - 1;
	case 2:
		acl->entry[0].tag = ACL_OTHERS;
		break;
	case 3:
		acl->entry[n - 1].perm = 8;
		break;
	case 4:
		return len - sizeof(acl->entry[0]);
	case 5:
		return sizeof(acl->version);
	case 6:
		return 0;
	default:
		acl->entry[n / 2].tag = 64;
	}
	return len;
}

size_t acl_make(uint64_t seed, char *buf)
{
	uint64_t r = random_mix(seed);
	struct acl acl;
	int n = acl_fill(&acl, r);
	size_t len = sizeof(acl.version) + n * sizeof(acl.entry[0]);

	if (r >> 50 & 1 && r >> 51 & 1 && r >> 52 & 1)
		len = acl_spoil(&acl, n, r >> 53);
	memcpy(buf, &acl, len);
	return len;
}

void do_set_acl(struct doing *d)
{
	const struct op *op = d->op;
	char *buf = buf_get();
	const char *name = op->flags ? "system.posix_acl_default"
				     : "system.posix_acl_access";
	size_t len = acl_make(op->val, buf);

	if (op->how == 1)
		put_ok(d, fsetxattr(fd_of(d, op->slot), name, buf, len, 0));
	else
		put_ok(d, setxattr(op->path, name, buf, len, 0));
}

/* Locks ------------------------------------------------------------------------ */

static void put_lock(struct doing *d, int cmd, struct flock *l)
{
	int ret = fcntl(fd_of(d, d->op->slot), cmd, l);

	put_ok(d, ret);
	if (ret || (cmd != F_GETLK && cmd != F_OFD_GETLK))
		return;
	put(d, "type", l->l_type);
	/* Of one that is free, the rest is what was asked. */
	put(d, "start", l->l_start);
	put(d, "length", l->l_len);
	put(d, "holder", l->l_type == F_UNLCK ? 0 : l->l_pid);
}

void do_lock(struct doing *d)
{
	static const int cmds[] = { F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK };
	const struct op *op = d->op;
	struct flock l = { .l_type = op->flags, .l_whence = op->mode,
			   .l_start = op->off, .l_len = op->len };

	if (op->how == 4)
		put_ok(d, flock(fd_of(d, op->slot), op->flags | LOCK_NB));
	else
		put_lock(d, cmds[op->how & 3], &l);
}

/* Taken and given back within the operation: a lease would stop the others. */
void do_lease(struct doing *d)
{
	int fd = fd_of(d, d->op->slot), other;
	char path[40];

	put_ok(d, fcntl(fd, F_SETLEASE, (int)d->op->flags));
	put(d, "F_GETLEASE", fcntl(fd, F_GETLEASE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, (int)d->op->mode | O_NONBLOCK | O_CLOEXEC);
	put_ok(d, other);
	put(d, "F_GETLEASE", fcntl(fd, F_GETLEASE));
	put_ok(d, fcntl(fd, F_SETLEASE, F_UNLCK));
	if (other >= 0)
		close(other);
}

/* Flags, ioctls ------------------------------------------------------------------ */

/* The slot's file, or one opened for it: how 0. */
static int ioctl_fd(struct doing *d)
{
	if (d->op->how)
		return dup(fd_of(d, d->op->slot));
	return open(d->op->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void do_get_flags(struct doing *d)
{
	int fd = ioctl_fd(d), flags = 0;

	put_ok(d, fd);
	put_ok(d, ioctl(fd, FS_IOC_GETFLAGS, &flags));
	put(d, "flags", flags);
	close(fd);
}

enum {
	OURS = FS_APPEND_FL | FS_IMMUTABLE_FL | FS_NODUMP_FL | FS_NOATIME_FL |
	       FS_SYNC_FL,
};

void do_set_flags(struct doing *d)
{
	int fd = ioctl_fd(d), flags = 0;

	put_ok(d, fd);
	/* Where there are none, who may set them is as good as undefined. */
	if (put_ok(d, ioctl(fd, FS_IOC_GETFLAGS, &flags)) >= 0) {
		flags = (flags & ~OURS) | d->op->flags;
		put_ok(d, ioctl(fd, FS_IOC_SETFLAGS, &flags));
		flags = 0;
		ioctl(fd, FS_IOC_GETFLAGS, &flags);
		put(d, "flags", flags);
	}
	close(fd);
}

/* How many extents there are depends on what has been written back. */
void do_get_fsx(struct doing *d)
{
	struct fsxattr x = { 0 };
	int fd = ioctl_fd(d);

	put_ok(d, fd);
	put_ok(d, ioctl(fd, FS_IOC_FSGETXATTR, &x));
	put(d, "xflags", x.fsx_xflags);
	put(d, "extsize", x.fsx_extsize);
	put(d, "project", x.fsx_projid);
	close(fd);
}

enum { EXTENTS = 200 };

/* Where there is something, and what of it is unwritten; not in which pieces. */
static void put_extents(struct doing *d, const struct fiemap *map)
{
	uint64_t sum = 0, end = 0, kind = ~0ull;

	for (unsigned int i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];
		uint64_t now = e->fe_flags & FIEMAP_EXTENT_UNWRITTEN;

		if (e->fe_logical != end || now != kind)
			sum = random_mix(sum ^ end) ^
			      random_mix(e->fe_logical + now);
		end = e->fe_logical + e->fe_length;
		kind = now;
	}
	put(d, "extents", sum ^ end);
}

void do_fiemap(struct doing *d)
{
	static char room[sizeof(struct fiemap) +
			 EXTENTS * sizeof(struct fiemap_extent)];
	struct fiemap *map = (void *)room;
	int ret;

	memset(map, 0, sizeof(*map));
	map->fm_length = ~0ull;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS;
	ret = ioctl(fd_of(d, d->op->slot), FS_IOC_FIEMAP, map);
	put_ok(d, ret);
	if (!ret)
		put_extents(d, map);
}

/* Such as every file system has, and one that none has. */
void do_ioctl(struct doing *d)
{
	static const unsigned long cmds[] = { FIGETBSZ, FIONREAD, FIOCLEX,
					      0x5afe };
	int fd = fd_of(d, d->op->slot), value = 0;
	unsigned long cmd = cmds[d->op->how & 3];

	put_ok(d, ioctl(fd, cmd, &value));
	put(d, "value", value);
}

/* The numbers that only the operations determine. */
void do_statfs(struct doing *d)
{
	struct statfs s;
	int ret = d->op->how ? fstatfs(fd_of(d, d->op->slot), &s)
			     : statfs(d->op->path, &s);

	put_ok(d, ret);
	if (ret)
		return;
	put(d, "block size", s.f_bsize);
	put(d, "fragment", s.f_frsize);
	put(d, "name length", s.f_namelen);
	if (exactness.files) {
		put(d, "blocks", s.f_blocks);
		put(d, "files", s.f_files);
		put(d, "free files", s.f_ffree);
	}
}

/* One for both sides: it is the process's. */
void do_umask(struct doing *d)
{
	umask(d->op->mode);
	put(d, "result", 0);
}
