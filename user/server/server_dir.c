// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open directories.
 *
 * Entries are read with getdents64() and offsets are the file system's own, so
 * a listing may be continued anywhere. The kernel may read one open directory
 * from two threads; its mutex orders them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "server.h"

struct open_dir {
	int fd;
	struct node *pin;	/* see node_pin() */
	pthread_mutex_t lock;	/* of what follows */
	off_t next;		/* offset of the entry at buf + pos */
	size_t pos, len;	/* what of buf is not used up */
	char buf[32768] __attribute__((aligned(8)));
};

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

int dir_fd(const struct fuse_file_info *fi)
{
	return fi->fh ? dir_of(fi)->fd : -1;
}

static void dir_free(struct server *srv, struct open_dir *d)
{
	node_unpin(srv, d->pin);
	pthread_mutex_destroy(&d->lock);
	close(d->fd);
	free(d);
}

static int do_opendir(struct server *srv, uint64_t ino,
		      struct fuse_file_info *fi)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	struct open_dir *d;
	int ret = path_ref_open(&p, ino);
	int fd;

	if (ret)
		return ret;
	fd = openat(p.path->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = malloc(sizeof(*d));
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	d->fd = fd;
	d->next = 0;
	d->pos = d->len = 0;
	pthread_mutex_init(&d->lock, NULL);
	d->pin = node_pin(srv, ino, fd);
	fi->fh = (uintptr_t)d;
	return 0;
}

void dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int err = do_opendir(server_of(req), ino, fi);

	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		dir_free(server_of(req), dir_of(fi));
}

void dir_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->fh)
		dir_free(server_of(req), dir_of(fi));
	fuse_reply_err(req, 0);
}

void dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	       struct fuse_file_info *fi)
{
	reply_sync(req, dir_fd(fi), datasync);
}

/* Reading ---------------------------------------------------------------- */

/* The next entry, which stays next; 1, or 0 at the end. */
static int dir_peek(struct open_dir *d, struct dirent64 **entry)
{
	long got;

	if (d->pos == d->len) {
		got = syscall(SYS_getdents64, d->fd, d->buf, sizeof(d->buf));
		if (got <= 0)
			return got ? -errno : 0;
		d->pos = 0;
		d->len = got;
	}
	*entry = (struct dirent64 *)(d->buf + d->pos);
	return 1;
}

/* A listing that is being filled. */
struct listing {
	fuse_req_t req;
	uint64_t dir;		/* nodeid */
	char *buf;
	size_t size, used;
	bool plus;
};

static bool is_dot(const char *name)
{
	return name[0] == '.' &&
	       (!name[1] || (name[1] == '.' && !name[2]));
}

static size_t add_plain(struct listing *l, const struct dirent64 *e)
{
	struct stat st = { .st_ino = e->d_ino, .st_mode = e->d_type << 12 };

	return fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used,
				 e->d_name, &st, e->d_off);
}

/* An entry with its attributes counts as a lookup, if it still fits. */
static size_t add_plus(struct listing *l, int fd, const struct dirent64 *e)
{
	struct server *srv = server_of(l->req);
	struct fuse_entry_param param = {
		.attr = { .st_ino = e->d_ino, .st_mode = e->d_type << 12 },
	};
	struct node_entry entry = { 0 };
	size_t need;

	if (!is_dot(e->d_name) &&
	    !name_entry(srv, l->dir, e->d_name, fd, &entry))
		reply_param(srv, &entry, &param);
	need = fuse_add_direntry_plus(l->req, l->buf + l->used,
				      l->size - l->used, e->d_name, &param,
				      e->d_off);
	if (need > l->size - l->used && entry.nodeid)
		node_forget(srv, entry.nodeid, 1);
	return need;
}

static int dir_fill(struct open_dir *d, struct listing *l)
{
	struct dirent64 *e = NULL;
	size_t need;
	int ret;

	while ((ret = dir_peek(d, &e)) > 0) {
		need = l->plus ? add_plus(l, d->fd, e) : add_plain(l, e);
		if (need > l->size - l->used)
			return 0;
		l->used += need;
		d->pos += e->d_reclen;
		d->next = e->d_off;
	}
	/* Entries that were read before an error are shown first. */
	return l->used ? 0 : ret;
}

static void dir_list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi, bool plus)
{
	struct listing l = {
		.req = req, .dir = ino, .size = size, .plus = plus,
		.buf = server_thread_buffer(size),
	};
	struct open_dir *d = dir_of(fi);
	int err = 0;

	if (!l.buf || !d) {
		fuse_reply_err(req, d ? ENOMEM : EBADF);
		return;
	}
	pthread_mutex_lock(&d->lock);
	if (d->next != off || !off) {
		d->pos = d->len = 0;
		if (lseek(d->fd, off, SEEK_SET) < 0)
			err = -errno;
		else
			d->next = off;
	}
	if (!err)
		err = dir_fill(d, &l);
	pthread_mutex_unlock(&d->lock);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, l.buf, l.used);
}

void dir_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	      struct fuse_file_info *fi)
{
	dir_list(req, ino, size, off, fi, false);
}

void dir_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	dir_list(req, ino, size, off, fi, true);
}
