// SPDX-License-Identifier: GPL-2.0-or-later
/* The server of rawfuse.h: one thread, one request at a time. */
#include "rawfuse.h"
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RF_BUFSIZE	(1024 * 1024 + 65536)
#define SERVER_ONLY	(1ULL << 63)

/* One request on its way through a handler. */
struct req {
	struct rf *rf;
	const struct fuse_in_header *in;
	const void *arg;
};

static void reply(struct req *r, int error, const void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + (error ? 0 : len),
		.error = -error,
		.unique = r->in->unique,
	};
	struct iovec iov[2] = {
		{ &out, sizeof(out) }, { (void *)data, error ? 0 : len },
	};

	/* ENOENT: the caller was interrupted and has gone. */
	if (writev(r->rf->dev, iov, 2) < 0 && errno != ENOENT)
		r->rf->stats->last_error = errno;
}

static void reply_err(struct req *r, int error)
{
	reply(r, error, NULL, 0);
}

/* Nodes */

static struct rf_node **node_slot(struct rf *rf, uint64_t nodeid)
{
	struct rf_node **p = &rf->nodes[nodeid % ARRAY_SIZE(rf->nodes)];

	while (*p && (*p)->nodeid != nodeid)
		p = &(*p)->next;
	return p;
}

static struct rf_node *node_add(struct rf *rf, uint64_t nodeid, int fd)
{
	struct rf_node **p = node_slot(rf, nodeid), *n = *p;

	if (n) {
		close(fd);
	} else {
		n = calloc(1, sizeof(*n));
		n->nodeid = nodeid;
		n->fd = fd;
		*p = n;
	}
	n->nlookup++;
	rf->stats->given++;
	return n;
}

static void node_forget(struct rf *rf, uint64_t nodeid, uint64_t nlookup)
{
	struct rf_node **p, *n;

	pthread_mutex_lock(&rf->lock);
	p = node_slot(rf, nodeid);
	n = *p;
	rf->stats->forgotten += nlookup;
	if (n) {
		n->nlookup -= nlookup;
		if (!n->nlookup) {
			*p = n->next;
			close(n->fd);
			free(n);
		}
	}
	pthread_mutex_unlock(&rf->lock);
}

/* The O_PATH fd of a node; the kernel is asked about those it made itself. */
static int node_fd(struct rf *rf, uint64_t nodeid)
{
	struct rf_node *n;
	int fd;

	if (nodeid == FUSE_ROOT_ID)
		return rf->root;
	pthread_mutex_lock(&rf->lock);
	n = *node_slot(rf, nodeid);
	if (!n) {
		rf->stats->unknown++;
		fd = rf_node_open(rf, nodeid, RF_NODE_OPEN_MOUNT, rf->root);
		if (fd < 0)
			note("node %llu cannot be opened: %s",
			     (unsigned long long)nodeid, strerrorname_np(errno));
		if (fd >= 0) {
			rf->stats->resolved++;
			n = node_add(rf, nodeid, fd);
		}
	}
	fd = n ? n->fd : -1;
	pthread_mutex_unlock(&rf->lock);
	return fd;
}

int rf_node_fd(struct rf *rf, uint64_t nodeid)
{
	return node_fd(rf, nodeid);
}

/* A path that names the very object of an O_PATH fd. */
static const char *fd_path(int fd)
{
	static __thread char path[2][64];
	static __thread int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "/proc/self/fd/%d", fd);
	return path[turn];
}

/* Attributes */

/* Number that a node is shown with. */
static uint64_t ino_of_node(const struct rf *rf, uint64_t nodeid)
{
	return nodeid == FUSE_ROOT_ID ? nodeid : nodeid - rf->shift;
}

static void fill_statx(const struct stat *st, struct rf_statx *x)
{
	*x = (struct rf_statx) {
		.mask = 0x7ff, .blksize = st->st_blksize,
		.nlink = st->st_nlink, .uid = st->st_uid, .gid = st->st_gid,
		.mode = st->st_mode, .ino = st->st_ino, .size = st->st_size,
		.blocks = st->st_blocks,
		.atime = { st->st_atim.tv_sec, st->st_atim.tv_nsec, 0 },
		.mtime = { st->st_mtim.tv_sec, st->st_mtim.tv_nsec, 0 },
		.ctime = { st->st_ctim.tv_sec, st->st_ctim.tv_nsec, 0 },
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
	};
}

static void fill_attr(const struct stat *st, struct fuse_attr *a)
{
	*a = (struct fuse_attr) {
		.ino = st->st_ino, .size = st->st_size, .blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec, .atimensec = st->st_atim.tv_nsec,
		.mtime = st->st_mtim.tv_sec, .mtimensec = st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec, .ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode, .nlink = st->st_nlink, .uid = st->st_uid,
		.gid = st->st_gid, .rdev = st->st_rdev,
		.blksize = st->st_blksize,
	};
}

/* Entry replies */

static void old_entry(const struct rf *rf, const struct rf_entry2 *e,
		      const struct stat *st, struct fuse_entry_out *o)
{
	*o = (struct fuse_entry_out) {
		.nodeid = e->nodeid, .generation = e->generation,
		.entry_valid = e->entry_valid, .attr_valid = e->attr_valid,
	};
	fill_attr(st, &o->attr);
	if (e->nodeid)
		o->attr.ino = ino_of_node(rf, e->nodeid);
}

/* Opens the name below a directory, and takes a lookup on it. */
static int entry_make(struct req *r, int dir, const char *name, int fd,
		      struct rf_entry2 *e, struct stat *st)
{
	struct rf *rf = r->rf;

	if (fd < 0)
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (fstat(fd, st)) {
		close(fd);
		return EIO;
	}
	/* Numbers of another device, as a mount point's, mean nothing here. */
	if (st->st_dev != rf->backing_dev)
		st->st_ino |= SERVER_ONLY;
	*e = (struct rf_entry2) {
		.nodeid = st->st_ino + rf->shift, .entry_valid = rf->conf.valid,
		.attr_valid = rf->conf.valid,
	};
	fill_statx(st, &e->statx);
	pthread_mutex_lock(&rf->lock);
	node_add(rf, e->nodeid, fd);
	pthread_mutex_unlock(&rf->lock);
	if (rf->conf.entry)
		rf->conf.entry(rf, r->in->opcode, name, e);
	return 0;
}

static void reply_entry(struct req *r, int dir, const char *name, int error)
{
	struct fuse_entry_out o;
	struct rf_entry2 e;
	struct stat st;

	if (!error)
		error = entry_make(r, dir, name, -1, &e, &st);
	if (error || r->rf->entry2)
		return reply(r, error, &e, sizeof(e));
	old_entry(r->rf, &e, &st, &o);
	reply(r, 0, &o, sizeof(o));
}

typedef void open_hook(struct rf *rf, uint64_t nodeid, struct fuse_open_out *o,
		       int32_t *backing_id);

static void open_out(struct rf *rf, open_hook *hook, uint64_t nodeid, int fd,
		     struct fuse_open_out *o)
{
	int32_t backing_id = 0;

	*o = (struct fuse_open_out) { .fh = fd };
	if (hook)
		hook(rf, nodeid, o, &backing_id);
	/* backing_id is what older headers call padding. */
	memcpy((char *)o + 12, &backing_id, sizeof(backing_id));
}

static void reply_create(struct req *r, int dir, const char *name, int fd,
			 int path_fd)
{
	struct fuse_entry_out *old;
	struct fuse_open_out open;
	struct rf_entry2 e;
	struct stat st;
	char buf[512];
	size_t n = sizeof(e);
	int error;

	error = entry_make(r, dir, name, path_fd, &e, &st);
	if (error) {
		close(fd);
		return reply_err(r, error);
	}
	open_out(r->rf, r->rf->conf.open, e.nodeid, fd, &open);
	if (r->rf->entry2) {
		memcpy(buf, &e, n);
	} else {
		old = (void *)buf;
		old_entry(r->rf, &e, &st, old);
		n = sizeof(*old);
	}
	memcpy(buf + n, &open, sizeof(open));
	reply(r, 0, buf, n + sizeof(open));
}

/* Handlers */

static void do_init(struct req *r)
{
	const struct fuse_init_in *in = r->arg;
	struct rf *rf = r->rf;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = 47,
		.max_readahead = in->max_readahead, .max_background = 16,
		.congestion_threshold = 12, .max_write = 1024 * 1024,
		.max_pages = 256, .time_gran = 1,
	};
	uint64_t offered = in->flags, flags;
	uint32_t depth = rf->conf.max_stack_depth;

	if (in->flags & FUSE_INIT_EXT)
		offered |= (uint64_t)in->flags2 << 32;
	rf->stats->offered = offered;
	rf->stats->minor = in->minor;
	flags = rf->conf.flags | FUSE_INIT_EXT | FUSE_BIG_WRITES |
		FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS | FUSE_DONT_MASK |
		FUSE_ATOMIC_O_TRUNC;
	/* ACLs would bring default_permissions back. */
	if (!rf->conf.options)
		flags |= FUSE_POSIX_ACL;
	if (rf->conf.plus)
		flags |= FUSE_DO_READDIRPLUS;
	flags &= offered;
	rf->entry2 = (flags & RF_PASSTHROUGH_INO) &&
		     (flags & RF_PASSTHROUGH) && depth;
	out.flags = (uint32_t)flags;
	out.flags2 = flags >> 32;
	/* Behind flags2, what older headers call unused. */
	memcpy((char *)&out + offsetof(struct fuse_init_out, flags2) + 4,
	       &depth, sizeof(depth));
	while (rf->conf.hold_init && !rf->stats->answer_init)
		usleep(1000);
	reply(r, 0, &out, sizeof(out));
	rf->stats->init_done = true;
}

static void do_lookup(struct req *r)
{
	struct rf_entry2 e = { .entry_valid = r->rf->conf.valid };
	int dir = node_fd(r->rf, r->in->nodeid);

	if (dir < 0)
		return reply_err(r, ESTALE);
	if (faccessat(dir, r->arg, F_OK, AT_SYMLINK_NOFOLLOW) &&
	    errno == ENOENT && r->rf->conf.valid)
		return reply(r, 0, &e, r->rf->entry2 ?
			     sizeof(e) : sizeof(struct fuse_entry_out));
	reply_entry(r, dir, r->arg, 0);
}

static void do_getattr(struct req *r)
{
	struct fuse_attr_out out = { .attr_valid = r->rf->conf.valid };
	int fd = node_fd(r->rf, r->in->nodeid);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return reply_err(r, ESTALE);
	fill_attr(&st, &out.attr);
	out.attr.ino = ino_of_node(r->rf, r->in->nodeid);
	reply(r, 0, &out, sizeof(out));
}

static int set_times(int fd, const struct fuse_setattr_in *in)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	if (in->valid & FATTR_ATIME)
		ts[0] = (struct timespec) { in->atime, in->atimensec };
	if (in->valid & FATTR_ATIME_NOW)
		ts[0].tv_nsec = UTIME_NOW;
	if (in->valid & FATTR_MTIME)
		ts[1] = (struct timespec) { in->mtime, in->mtimensec };
	if (in->valid & FATTR_MTIME_NOW)
		ts[1].tv_nsec = UTIME_NOW;
	return utimensat(fd, "", ts, AT_EMPTY_PATH);
}

static int set_attr(int fd, const struct fuse_setattr_in *in)
{
	if ((in->valid & (FATTR_UID | FATTR_GID)) &&
	    fchownat(fd, "", in->valid & FATTR_UID ? in->uid : (uid_t)-1,
		     in->valid & FATTR_GID ? in->gid : (gid_t)-1,
		     AT_EMPTY_PATH))
		return errno;
	if ((in->valid & FATTR_MODE) && chmod(fd_path(fd), in->mode & 07777))
		return errno;
	if ((in->valid & FATTR_SIZE) && truncate(fd_path(fd), in->size))
		return errno;
	if ((in->valid & (FATTR_ATIME | FATTR_MTIME)) && set_times(fd, in))
		return errno;
	return 0;
}

static void do_setattr(struct req *r)
{
	int fd = node_fd(r->rf, r->in->nodeid), error;

	error = fd < 0 ? ESTALE : set_attr(fd, r->arg);
	if (error)
		return reply_err(r, error);
	do_getattr(r);
}

static void do_readlink(struct req *r)
{
	int fd = node_fd(r->rf, r->in->nodeid);
	char buf[PATH_MAX];
	ssize_t n = readlinkat(fd, "", buf, sizeof(buf));

	reply(r, n < 0 ? errno : 0, buf, n);
}

/* Made by root, then given to the caller: its ids alone would lack the
 * capabilities. */
static int made(struct req *r, int dir, const char *name, int res)
{
	if (res)
		return errno;
	if (fchownat(dir, name, r->in->uid, r->in->gid, AT_SYMLINK_NOFOLLOW))
		return errno;
	return 0;
}

static void do_symlink(struct req *r)
{
	const char *name = r->arg, *target = name + strlen(name) + 1;
	int dir = node_fd(r->rf, r->in->nodeid);

	reply_entry(r, dir, name,
		    made(r, dir, name, symlinkat(target, dir, name)));
}

static void do_mknod(struct req *r)
{
	const struct fuse_mknod_in *in = r->arg;
	const char *name = (const char *)(in + 1);
	int dir = node_fd(r->rf, r->in->nodeid);

	umask(in->umask);
	reply_entry(r, dir, name,
		    made(r, dir, name, mknodat(dir, name, in->mode, in->rdev)));
}

static void do_mkdir(struct req *r)
{
	const struct fuse_mkdir_in *in = r->arg;
	const char *name = (const char *)(in + 1);
	int dir = node_fd(r->rf, r->in->nodeid);

	umask(in->umask);
	reply_entry(r, dir, name,
		    made(r, dir, name, mkdirat(dir, name, in->mode)));
}

static void do_unlink(struct req *r)
{
	int dir = node_fd(r->rf, r->in->nodeid);
	int flags = r->in->opcode == FUSE_RMDIR ? AT_REMOVEDIR : 0;

	reply_err(r, unlinkat(dir, r->arg, flags) ? errno : 0);
}

static void do_rename(struct req *r)
{
	const struct fuse_rename2_in *in = r->arg;
	bool two = r->in->opcode == FUSE_RENAME2;
	const char *from, *to;
	int res;

	from = (const char *)r->arg + (two ? sizeof(struct fuse_rename2_in)
					   : sizeof(struct fuse_rename_in));
	to = from + strlen(from) + 1;
	res = renameat2(node_fd(r->rf, r->in->nodeid), from,
			node_fd(r->rf, in->newdir), to, two ? in->flags : 0);
	reply_err(r, res ? errno : 0);
}

static void do_link(struct req *r)
{
	const struct fuse_link_in *in = r->arg;
	const char *name = (const char *)(in + 1);
	int dir = node_fd(r->rf, r->in->nodeid);
	int res = linkat(node_fd(r->rf, in->oldnodeid), "", dir, name,
			 AT_EMPTY_PATH);

	reply_entry(r, dir, name, res ? errno : 0);
}

static void do_open(struct req *r)
{
	const struct fuse_open_in *in = r->arg;
	int fd = node_fd(r->rf, r->in->nodeid);
	struct fuse_open_out out;

	r->rf->stats->open_flags = in->flags;
	r->rf->stats->open_uid = r->in->uid;
	if (r->rf->conf.open_error)
		return reply_err(r, r->rf->conf.open_error);
	if (r->rf->conf.no_open)
		return reply_err(r, ENOSYS);
	if (fd < 0)
		return reply_err(r, ESTALE);
	fd = open(fd_path(fd), (in->flags & ~(O_NOFOLLOW | O_CREAT | O_EXCL)) |
			       O_CLOEXEC);
	if (fd < 0)
		return reply_err(r, errno);
	open_out(r->rf, r->rf->conf.open, r->in->nodeid, fd, &out);
	reply(r, 0, &out, sizeof(out));
}

static void do_opendir(struct req *r)
{
	int fd = node_fd(r->rf, r->in->nodeid);
	struct fuse_open_out out;

	r->rf->stats->open_flags = ((const struct fuse_open_in *)r->arg)->flags;
	if (r->rf->conf.open_error)
		return reply_err(r, r->rf->conf.open_error);
	if (r->rf->conf.no_open)
		return reply_err(r, ENOSYS);
	fd = fd < 0 ? -1 : open(fd_path(fd), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return reply_err(r, errno);
	open_out(r->rf, r->rf->conf.opendir, r->in->nodeid, fd, &out);
	reply(r, 0, &out, sizeof(out));
}

static void do_create(struct req *r)
{
	const struct fuse_create_in *in = r->arg;
	const char *name = (const char *)(in + 1);
	int dir = node_fd(r->rf, r->in->nodeid), fd;

	umask(in->umask);
	fd = openat(dir, name, (in->flags & ~O_NOFOLLOW) | O_CREAT | O_CLOEXEC,
		    in->mode);
	if (fd < 0)
		return reply_err(r, errno);
	if (fchown(fd, r->in->uid, r->in->gid) || fchmod(fd, in->mode & ~in->umask)) {
		close(fd);
		return reply_err(r, EPERM);
	}
	reply_create(r, dir, name, fd, -1);
}

static void do_tmpfile(struct req *r)
{
	const struct fuse_create_in *in = r->arg;
	int dir = node_fd(r->rf, r->in->nodeid), fd, path_fd;

	umask(in->umask);
	fd = openat(dir, ".", (in->flags & ~O_CREAT) | O_TMPFILE | O_CLOEXEC,
		    in->mode);
	if (fd < 0)
		return reply_err(r, errno);
	if (fchown(fd, r->in->uid, r->in->gid)) {
		close(fd);
		return reply_err(r, EPERM);
	}
	path_fd = open(fd_path(fd), O_PATH | O_CLOEXEC);
	reply_create(r, dir, "", fd, path_fd);
}

static void do_read(struct req *r)
{
	const struct fuse_read_in *in = r->arg;
	static char buf[1024 * 1024];
	ssize_t n;

	n = pread(in->fh, buf, in->size < sizeof(buf) ? in->size : sizeof(buf),
		  in->offset);
	if (n > 0 && r->rf->conf.read)
		r->rf->conf.read(r->rf, r->in->nodeid, buf, n);
	reply(r, n < 0 ? errno : 0, buf, n);
}

static void do_write(struct req *r)
{
	const struct fuse_write_in *in = r->arg;
	struct fuse_write_out out = { 0 };
	uint32_t size = in->size, most = r->rf->conf.short_write;
	ssize_t n;

	if (most && size > most)
		size = most;
	n = pwrite(in->fh, in + 1, size, in->offset);
	out.size = n;
	reply(r, n < 0 ? errno : 0, &out, sizeof(out));
}

static void do_statfs(struct req *r)
{
	struct fuse_statfs_out out = { 0 };
	struct statvfs v;

	if (fstatvfs(r->rf->root, &v))
		return reply_err(r, errno);
	out.st.blocks = v.f_blocks;
	out.st.bfree = v.f_bfree;
	out.st.bavail = v.f_bavail;
	out.st.files = v.f_files;
	out.st.ffree = v.f_ffree;
	out.st.bsize = v.f_bsize;
	out.st.namelen = v.f_namemax;
	out.st.frsize = v.f_frsize;
	reply(r, 0, &out, sizeof(out));
}

static void do_release(struct req *r)
{
	const struct fuse_release_in *in = r->arg;

	usleep(atomic_load(&r->rf->conf.release_delay_ms) * 1000);
	close(in->fh);
	reply_err(r, 0);
}

static void do_fsync(struct req *r)
{
	const struct fuse_fsync_in *in = r->arg;

	if (r->rf->conf.no_fsync)
		return reply_err(r, ENOSYS);
	reply_err(r, fsync(in->fh) ? errno : 0);
}

static void reply_xattr(struct req *r, uint32_t size, const char *buf, ssize_t n)
{
	struct fuse_getxattr_out out = { 0 };

	if (n < 0)
		return reply_err(r, errno);
	out.size = n;
	if (!size)
		return reply(r, 0, &out, sizeof(out));
	reply(r, n > size ? ERANGE : 0, buf, n);
}

static void do_getxattr(struct req *r)
{
	const struct fuse_getxattr_in *in = r->arg;
	const char *name = (const char *)(in + 1);
	int fd = node_fd(r->rf, r->in->nodeid);
	static char buf[65536];

	reply_xattr(r, in->size, buf,
		    getxattr(fd_path(fd), name, buf, sizeof(buf)));
}

static void do_listxattr(struct req *r)
{
	const struct fuse_getxattr_in *in = r->arg;
	int fd = node_fd(r->rf, r->in->nodeid);
	static char buf[65536];

	reply_xattr(r, in->size, buf, listxattr(fd_path(fd), buf, sizeof(buf)));
}

static void do_setxattr(struct req *r)
{
	/* The short form: FUSE_SETXATTR_EXT is not negotiated. */
	const uint32_t *in = r->arg;
	const char *name = (const char *)(in + 2);
	int fd = node_fd(r->rf, r->in->nodeid);
	int res = setxattr(fd_path(fd), name, name + strlen(name) + 1, in[0],
			   in[1]);

	reply_err(r, res ? errno : 0);
}

static void do_removexattr(struct req *r)
{
	int fd = node_fd(r->rf, r->in->nodeid);

	reply_err(r, removexattr(fd_path(fd), r->arg) ? errno : 0);
}

struct dent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* One name of a listing in wire format; returns its size, 0 when too big. */
static size_t put_dirent(struct req *r, char *buf, size_t space, int dir,
			 const struct dent64 *d)
{
	struct fuse_dirent head = {
		.ino = d->ino, .off = d->off, .namelen = strlen(d->name),
		.type = d->type,
	};
	size_t n = FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) +
				     head.namelen);
	bool plus = r->in->opcode == FUSE_READDIRPLUS;
	size_t at = plus ? sizeof(struct fuse_entry_out) : 0;
	struct fuse_entry_out *o = (void *)buf;
	struct rf_entry2 e;
	struct stat st;

	if (at + n > space)
		return 0;
	memset(buf, 0, at + n);
	memcpy(buf + at, &head, offsetof(struct fuse_dirent, name));
	memcpy(buf + at + offsetof(struct fuse_dirent, name), d->name,
	       head.namelen);
	if (plus && strcmp(d->name, ".") && strcmp(d->name, "..") &&
	    !entry_make(r, dir, d->name, -1, &e, &st))
		old_entry(r->rf, &e, &st, o);
	return at + n;
}

static void do_readdir(struct req *r)
{
	const struct fuse_read_in *in = r->arg;
	static char buf[65536], dents[4096];
	size_t used = 0, size = in->size < sizeof(buf) ? in->size : sizeof(buf);
	long n;

	lseek(in->fh, in->offset, SEEK_SET);
	while ((n = syscall(SYS_getdents64, in->fh, dents, sizeof(dents))) > 0) {
		for (long at = 0; at < n;) {
			struct dent64 *d = (void *)(dents + at);
			size_t one = put_dirent(r, buf + used, size - used,
						in->fh, d);

			if (!one)
				return reply(r, 0, buf, used);
			used += one;
			at += d->reclen;
		}
	}
	reply(r, n < 0 ? errno : 0, buf, used);
}

static void do_forget(struct req *r)
{
	const struct fuse_forget_in *in = r->arg;

	node_forget(r->rf, r->in->nodeid, in->nlookup);
}

static void do_batch_forget(struct req *r)
{
	const struct fuse_batch_forget_in *in = r->arg;
	const struct fuse_forget_one *one = (const void *)(in + 1);

	for (uint32_t i = 0; i < in->count; i++)
		node_forget(r->rf, one[i].nodeid, one[i].nlookup);
}

static void do_fallocate(struct req *r)
{
	const struct fuse_fallocate_in *in = r->arg;

	reply_err(r, fallocate(in->fh, in->mode, in->offset, in->length) ?
		  errno : 0);
}

static void do_lseek(struct req *r)
{
	const struct fuse_lseek_in *in = r->arg;
	struct fuse_lseek_out out;
	off_t off = lseek(in->fh, in->offset, in->whence);

	out.offset = off;
	reply(r, off < 0 ? errno : 0, &out, sizeof(out));
}

static void do_copy(struct req *r)
{
	const struct fuse_copy_file_range_in *in = r->arg;
	struct fuse_write_out out = { 0 };
	loff_t from = in->off_in, to = in->off_out;
	uint64_t copied;
	ssize_t n;

	n = copy_file_range(in->fh_in, &from, in->fh_out, &to, in->len,
			    in->flags);
	copied = out.size = n;
	if (r->in->opcode == RF_COPY_FILE_RANGE_64)
		return reply(r, n < 0 ? errno : 0, &copied, sizeof(copied));
	reply(r, n < 0 ? errno : 0, &out, sizeof(out));
}

/* Locks are granted always, and never in the way. */
static void do_getlk(struct req *r)
{
	struct fuse_lk_out out = { .lk = { .type = F_UNLCK } };

	reply(r, 0, &out, sizeof(out));
}

static void do_ioctl(struct req *r)
{
	const struct fuse_ioctl_in *in = r->arg;
	struct {
		struct fuse_ioctl_out head;
		char data[4096];
	} out = { 0 };
	size_t size = in->in_size > in->out_size ? in->in_size : in->out_size;

	if (size > sizeof(out.data))
		return reply_err(r, E2BIG);
	memcpy(out.data, in + 1, in->in_size);
	if (ioctl(in->fh, in->cmd, out.data) < 0)
		return reply_err(r, errno);
	reply(r, 0, &out, sizeof(out.head) + in->out_size);
}

static void do_ok(struct req *r)
{
	reply_err(r, 0);
}

static void (*const handlers[64])(struct req *) = {
	[FUSE_LOOKUP] = do_lookup, [FUSE_FORGET] = do_forget,
	[FUSE_GETATTR] = do_getattr, [FUSE_SETATTR] = do_setattr,
	[FUSE_READLINK] = do_readlink, [FUSE_SYMLINK] = do_symlink,
	[FUSE_MKNOD] = do_mknod, [FUSE_MKDIR] = do_mkdir,
	[FUSE_UNLINK] = do_unlink, [FUSE_RMDIR] = do_unlink,
	[FUSE_RENAME] = do_rename, [FUSE_RENAME2] = do_rename,
	[FUSE_LINK] = do_link, [FUSE_OPEN] = do_open, [FUSE_READ] = do_read,
	[FUSE_WRITE] = do_write, [FUSE_STATFS] = do_statfs,
	[FUSE_RELEASE] = do_release, [FUSE_FSYNC] = do_fsync,
	[FUSE_SETXATTR] = do_setxattr, [FUSE_GETXATTR] = do_getxattr,
	[FUSE_LISTXATTR] = do_listxattr, [FUSE_REMOVEXATTR] = do_removexattr,
	[FUSE_FLUSH] = do_ok, [FUSE_INIT] = do_init, [FUSE_OPENDIR] = do_opendir,
	[FUSE_READDIR] = do_readdir, [FUSE_READDIRPLUS] = do_readdir,
	[FUSE_RELEASEDIR] = do_release, [FUSE_FSYNCDIR] = do_fsync,
	[FUSE_CREATE] = do_create, [FUSE_TMPFILE] = do_tmpfile,
	[FUSE_BATCH_FORGET] = do_batch_forget, [FUSE_FALLOCATE] = do_fallocate,
	[FUSE_LSEEK] = do_lseek, [FUSE_COPY_FILE_RANGE] = do_copy,
	[RF_COPY_FILE_RANGE_64] = do_copy, [FUSE_GETLK] = do_getlk,
	[FUSE_SETLK] = do_ok, [FUSE_SETLKW] = do_ok, [FUSE_IOCTL] = do_ioctl,
	[FUSE_ACCESS] = do_ok,
};

static void serve_one(struct rf *rf, const char *buf)
{
	struct req r = { rf, (const void *)buf,
			 buf + sizeof(struct fuse_in_header) };
	uint32_t op = r.in->opcode;

	if ((op == FUSE_GETATTR || op == FUSE_GETXATTR) &&
	    r.in->nodeid == FUSE_ROOT_ID)
		rf->stats->root_getattr++;
	else
		rf->stats->requests[op < 64 ? op : 0]++;
	if (op == FUSE_INTERRUPT)
		return;
	if (op >= 64 || !handlers[op])
		return reply_err(&r, ENOSYS);
	handlers[op](&r);
	umask(0);
}

static void *serve(void *p)
{
	struct rf *rf = p;
	char *buf = malloc(RF_BUFSIZE);

	for (;;) {
		ssize_t n = read(rf->dev, buf, RF_BUFSIZE);

		if (n > 0)
			serve_one(rf, buf);
		else if (n < 0 && errno != EINTR && errno != EAGAIN &&
			 errno != ENOENT)
			break;
	}
	free(buf);
	return NULL;
}

static int serve_process(void *p)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serve(p);
	return 0;
}

/* Mounts of the case, which it has to let go of at its end (harness_at_end). */
static char abort_file[8][64];
static unsigned int mounted;

static void abort_all(void)
{
	for (unsigned int i = 0; i < mounted; i++) {
		int fd = open(abort_file[i], O_WRONLY);

		if (fd >= 0 && write(fd, "1", 1) == 1)
			close(fd);
	}
}

static void abort_at_end(struct rf *rf)
{
	CHECK(mounted < ARRAY_SIZE(abort_file));
	snprintf(abort_file[mounted++], sizeof(abort_file[0]),
		 "/sys/fs/%s/connections/%u/abort", fuse_name(),
		 rf_connection(rf));
	harness_at_end = abort_all;
}

struct rf *rf_open(const struct rf_conf *conf)
{
	struct rf *rf = calloc(1, sizeof(*rf));
	struct stat st;
	char dev[32];

	rf->conf = *conf;
	if (getenv("RAWFUSE_LATE"))
		rf->conf.flags &= ~RF_PASSTHROUGH_INO;
	if (!(rf->conf.flags & RF_PASSTHROUGH_INO))
		rf->shift = RF_LATE_SHIFT;
	pthread_mutex_init(&rf->lock, NULL);
	rf->stats = mmap(NULL, sizeof(*rf->stats), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(rf->stats != MAP_FAILED);
	mkdir(conf->backing, 0755);
	rf->root = OK(open(conf->backing, O_PATH | O_DIRECTORY | O_CLOEXEC));
	OK(fstat(rf->root, &st));
	rf->backing_dev = st.st_dev;
	snprintf(dev, sizeof(dev), "/dev/%s", fuse_name());
	rf->dev = OK(open(dev, O_RDWR | O_CLOEXEC));
	return rf;
}

void rf_serve(struct rf *rf, const char *mnt)
{
	char options[256];

	snprintf(rf->mnt, sizeof(rf->mnt), "%s", mnt ? mnt : "m");
	mkdir(rf->mnt, 0755);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other%s",
		 rf->dev, rf->conf.options ? rf->conf.options :
		 ",default_permissions");
	OK(mount("rawfuse", rf->mnt, fuse_name(), MS_NOSUID | MS_NODEV, options));
	if (rf->conf.process)
		rf->pid = spawn(serve_process, rf);
	else
		CHECK(!pthread_create(&rf->thread, NULL, serve, rf));
	if (rf->conf.hold_init)
		return;
	EVENTUALLY(rf->stats->init_done);
	abort_at_end(rf);
}

struct rf *rf_mount(const char *mnt, const struct rf_conf *conf)
{
	struct rf *rf = rf_open(conf);

	rf_serve(rf, mnt);
	return rf;
}

void rf_answer_init(struct rf *rf)
{
	rf->stats->answer_init = true;
	EVENTUALLY(rf->stats->init_done);
	abort_at_end(rf);
}

void rf_umount(struct rf *rf)
{
	OK(umount(rf->mnt));
	if (rf->pid)
		reap(rf->pid);
	else
		pthread_join(rf->thread, NULL);
	close(rf->dev);
	close(rf->root);
}

int rf_backing_open(struct rf *rf, int fd, uint32_t flags, uint64_t mask)
{
	struct rf_backing_map map = { fd, flags, mask };

	return ioctl(rf->dev, RF_IOC_BACKING_OPEN, &map);
}

int rf_register(struct rf *rf, const char *path, uint64_t mask)
{
	int fd = OK(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	int id = rf_backing_open(rf, fd, 0, mask);

	if (id <= 0)
		FAIL("BACKING_OPEN %s: %s", path, strerrorname_np(errno));
	close(fd);
	return id;
}

int rf_backing_close(struct rf *rf, uint32_t id)
{
	return ioctl(rf->dev, RF_IOC_BACKING_CLOSE, &id);
}

int rf_node_open(struct rf *rf, uint64_t nodeid, uint32_t flags, int mount_fd)
{
	struct rf_node_open in = { nodeid, flags, mount_fd };

	return ioctl(rf->dev, RF_IOC_NODE_OPEN, &in);
}

unsigned long rf_count(struct rf *rf, uint32_t opcode)
{
	return rf->stats->requests[opcode];
}

static bool is_bookkeeping(int op)
{
	return op == FUSE_INIT || op == FUSE_FORGET ||
	       op == FUSE_BATCH_FORGET || op == FUSE_INTERRUPT;
}

unsigned long rf_count_all(struct rf *rf)
{
	unsigned long n = rf->stats->root_getattr;

	for (int op = 0; op < 64; op++)
		if (!is_bookkeeping(op))
			n += rf->stats->requests[op];
	return n;
}

void rf_note_counts(struct rf *rf)
{
	for (int op = 0; op < 64; op++)
		if (rf->stats->requests[op])
			note("opcode %d: %lu requests", op,
			     rf->stats->requests[op]);
	if (rf->stats->root_getattr)
		note("GETATTR and GETXATTR of the root: %lu requests",
		     rf->stats->root_getattr);
}

unsigned int rf_connection(struct rf *rf)
{
	struct statx x;

	/* From what the kernel knows: a request would be counted. */
	OK(statx(AT_FDCWD, rf->mnt, AT_STATX_DONT_SYNC, 0, &x));
	return x.stx_dev_minor;
}

/* Requests that the server has not answered yet, -1 if that can't be told. */
static int rf_waiting(struct rf *rf)
{
	char path[128];
	int n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/fs/%s/connections/%u/waiting",
		 fuse_name(), rf_connection(rf));
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

/* A RELEASE that nobody waits for belongs to what was done before. */
void rf_reset(struct rf *rf)
{
	int tries = 1000 * harness_patience;

	while (rf->mnt[0] && rf->stats->init_done && rf_waiting(rf) > 0 && tries--)
		usleep(1000);
	for (int op = 0; op < 64; op++)
		rf->stats->requests[op] = 0;
	rf->stats->root_getattr = 0;
}

bool rf_policy_line(struct rf *rf, const char *key, char *value, size_t size)
{
	char path[128], line[256];
	size_t len = strlen(key);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/fs/%s/connections/%u/policy",
		 fuse_name(), rf_connection(rf));
	f = fopen(path, "r");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, key, len) && line[len] == ' ';
		if (found)
			snprintf(value, size, "%s", line + len + 1);
	}
	fclose(f);
	return found;
}

long rf_policy_number(struct rf *rf, const char *key)
{
	char value[64];

	return rf_policy_line(rf, key, value, sizeof(value)) ? atol(value) : -1;
}

uint64_t ino_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_ino;
}

void rf_make_tree(void)
{
	OK(mkdir("b", 0755));
	OK(mkdir("b/d", 0755));
	OK(mkdir("b/d/x", 0755));
	put_file("b/f", "file f\n", 0644);
	put_file("b/g", "file g, longer\n", 0640);
	put_file("b/d/x/y", "deep\n", 0644);
	OK(symlink("target of l", "b/l"));
	OK(mkfifo("b/p", 0600));
}
