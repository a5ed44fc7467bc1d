// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open files that the server serves.
 *
 * fi->fh is a struct open_file; its fd is open with the caller's flags as far as
 * backing_flags() keeps them. Files that the kernel opened by itself on their
 * backing file never get here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "server.h"

/* Open, create, tmpfile -------------------------------------------------- */

/*
 * O_DIRECT wants aligned memory, which requests are not. Whether a write appends is
 * in its request: F_SETFL may change that, and what mappings changed has a place.
 */
static int backing_flags(int flags)
{
	return (flags & ~(O_DIRECT | O_APPEND | O_NOFOLLOW | O_CREAT | O_EXCL)) |
	       O_CLOEXEC;
}

static int file_wrap(struct server *srv, uint64_t ino, int fd,
		     struct fuse_file_info *fi)
{
	struct open_file *file = calloc(1, sizeof(*file));

	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	file->fd = fd;
	file->pin = node_pin(srv, ino, fd);
	fi->fh = (uintptr_t)file;
	return 0;
}

static void file_unopen(struct server *srv, struct open_file *file)
{
	node_unpin(srv, file->pin);
	close(file->fd);
	free(file);
}

static int do_open(fuse_req_t req, uint64_t ino, struct fuse_file_info *fi)
{
	struct server *srv = server_of(req);
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int fd, flags = backing_flags(fi->flags), ret = path_ref_open(&p, ino);

	if (ret)
		return ret;
	fd = open(proc_path_of(p.path->fd).text, flags);
	/* An append-only file cannot be opened otherwise. */
	if (fd < 0 && errno == EPERM && fi->flags & O_APPEND)
		fd = open(proc_path_of(p.path->fd).text, flags | O_APPEND);
	if (fd < 0)
		return -errno;
	return file_wrap(srv, ino, fd, fi);
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int err = do_open(req, ino, fi);

	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		file_unopen(server_of(req), (void *)(uintptr_t)fi->fh);
}

/*
 * CREATE comes for a name that did not exist a moment ago. If it does now, the
 * caller's right to it was not checked: ESTALE makes the kernel look again.
 */
static int create_fd(fuse_req_t req, int dirfd, const char *name, mode_t mode,
		     int flags)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int fd, ret = cred_enter(req, CRED_CREATE, &cred);

	if (ret)
		return ret;
	fd = openat(dirfd, name, backing_flags(flags) | O_CREAT | O_EXCL |
		    O_NOFOLLOW, mode);
	if (fd >= 0)
		return fd;
	return errno == EEXIST && !(flags & O_EXCL) ? -ESTALE : -errno;
}

static int tmpfile_fd(fuse_req_t req, int dirfd, mode_t mode, int flags)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int fd, ret = cred_enter(req, CRED_CREATE, &cred);

	if (ret)
		return ret;
	fd = openat(dirfd, ".", backing_flags(flags) | (flags & O_EXCL) |
		    O_TMPFILE, mode);
	return fd < 0 ? -errno : fd;
}

static int finish_create(struct server *srv, uint64_t parent, const char *name,
			 int fd, struct node_entry *entry,
			 struct fuse_file_info *fi)
{
	/* From the open file: no second look at its name. */
	int path = open(proc_path_of(fd).text, O_PATH | O_CLOEXEC);
	int ret = path < 0 ? -errno : node_enter(srv, parent, name, path, entry);

	if (ret) {
		close(fd);
		return ret;
	}
	ret = file_wrap(srv, entry->nodeid, fd, fi);
	if (ret)
		node_forget(srv, entry->nodeid, 1);
	return ret;
}

/* @name NULL: a file without a name. */
static int do_create(fuse_req_t req, uint64_t parent, const char *name,
		     mode_t mode, mode_t umask, struct fuse_file_info *fi,
		     struct node_entry *entry)
{
	struct server *srv = server_of(req);
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	int fd, ret = path_ref_open(&dir, parent);

	if (!ret)
		ret = cred_set_umask(umask);
	if (ret)
		return ret;
	if (name)
		fd = create_fd(req, dir.path->fd, name, mode, fi->flags);
	else
		fd = tmpfile_fd(req, dir.path->fd, mode, fi->flags);
	if (fd < 0)
		return fd;
	return finish_create(srv, name ? parent : 0, name, fd, entry, fi);
}

void file_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi)
{
	struct node_entry entry;
	int err = do_create(req, parent, name, mode, fuse_req_ctx(req)->umask,
			    fi, &entry);

	if (err)
		fuse_reply_err(req, -err);
	else if (!reply_open(req, &entry, fi))
		file_unopen(server_of(req), (void *)(uintptr_t)fi->fh);
}

void file_tmpfile(fuse_req_t req, fuse_ino_t parent)
{
	const struct proto_create_in *in = server_request_arg();
	struct fuse_file_info fi = { .flags = in->flags };
	struct node_entry entry;
	int err = do_create(req, parent, NULL, in->mode, in->umask, &fi,
			    &entry);

	if (err)
		fuse_reply_err(req, -err);
	else if (!reply_open(req, &entry, &fi))
		file_unopen(server_of(req), (void *)(uintptr_t)fi.fh);
}

/* On open files ---------------------------------------------------------- */

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	       struct fuse_file_info *fi)
{
	char *buf = server_thread_buffer(size);
	ssize_t got;

	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	got = pread(file_fd(fi), buf, size, off);
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, got);
}

static ssize_t do_write(fuse_req_t req, const char *buf, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	const struct proto_write_in *in = server_request_arg();
	_cleanup_cred_ struct cred_scope cred = { false };
	struct iovec iov = { (char *)buf, size };
	ssize_t done;
	int ret = 0;

	if (in->write_flags & PROTO_WRITE_KILL_SUIDGID)
		ret = cred_enter(req, CRED_NO_FSETID, &cred);
	if (ret)
		return ret;
	done = pwritev2(file_fd(fi), &iov, 1, off,
			in->flags & O_APPEND ? RWF_APPEND : 0);
	return done < 0 ? -errno : done;
}

void file_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		off_t off, struct fuse_file_info *fi)
{
	ssize_t done = do_write(req, buf, size, off, fi);

	if (done < 0)
		fuse_reply_err(req, -done);
	else
		fuse_reply_write(req, done);
}

/* Closing a copy reports what close(2) would report. */
void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int copy = dup(file_fd(fi));

	fuse_reply_err(req, copy < 0 || close(copy) ? errno : 0);
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->fh)
		file_unopen(server_of(req), (void *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

void file_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		struct fuse_file_info *fi)
{
	reply_sync(req, file_fd(fi), datasync);
}

static int do_fallocate(fuse_req_t req, int mode, off_t offset, off_t length,
			struct fuse_file_info *fi)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = 0;

	/* It clears suid and sgid as a write does. */
	if (fuse_req_ctx(req)->uid)
		ret = cred_enter(req, CRED_NO_FSETID, &cred);
	if (ret)
		return ret;
	return fallocate(file_fd(fi), mode, offset, length) ? -errno : 0;
}

void file_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		    off_t length, struct fuse_file_info *fi)
{
	fuse_reply_err(req, -do_fallocate(req, mode, offset, length, fi));
}

void file_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		struct fuse_file_info *fi)
{
	off_t pos = lseek(file_fd(fi), off, whence);

	if (pos < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, pos);
}

void file_copy_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
		     struct fuse_file_info *fi_in, fuse_ino_t ino_out,
		     off_t off_out, struct fuse_file_info *fi_out, size_t len,
		     int flags)
{
	ssize_t done = copy_file_range(file_fd(fi_in), &off_in,
				       file_fd(fi_out), &off_out, len, flags);

	if (done < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, done);
}

void file_copy_range_64(fuse_req_t req, fuse_ino_t ino)
{
	const struct proto_copy_file_range_in *in = server_request_arg();
	struct fuse_file_info from = { .fh = in->fh_in };
	struct fuse_file_info to = { .fh = in->fh_out };
	off_t off_in = in->off_in, off_out = in->off_out;
	ssize_t done = copy_file_range(file_fd(&from), &off_in, file_fd(&to),
				       &off_out, in->len, in->flags);
	uint64_t out = done;

	if (done < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
