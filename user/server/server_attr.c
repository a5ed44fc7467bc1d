// SPDX-License-Identifier: GPL-2.0-or-later
/* Attributes of nodes: getattr, statx, setattr, access, statfs, readlink. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "server.h"

/*
 * Inode numbers are unique within the mount: foreign objects show their nodeid
 * instead of a number that another device also uses.
 */
static uint64_t shown_ino(uint64_t nodeid, const struct statx *stx)
{
	return nodeid & SERVER_FOREIGN_BIT ? nodeid : stx->stx_ino;
}

static struct timespec to_timespec(const struct statx_timestamp *t)
{
	return (struct timespec){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

void attr_to_stat(uint64_t nodeid, const struct statx *stx, struct stat *st)
{
	*st = (struct stat){
		.st_ino = shown_ino(nodeid, stx),
		.st_mode = stx->stx_mode,
		.st_nlink = stx->stx_nlink,
		.st_uid = stx->stx_uid,
		.st_gid = stx->stx_gid,
		.st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.st_size = stx->stx_size,
		.st_blksize = stx->stx_blksize,
		.st_blocks = stx->stx_blocks,
		.st_atim = to_timespec(&stx->stx_atime),
		.st_mtim = to_timespec(&stx->stx_mtime),
		.st_ctim = to_timespec(&stx->stx_ctime),
	};
}

static struct proto_sx_time to_sx_time(const struct statx_timestamp *t)
{
	return (struct proto_sx_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

void attr_to_proto(uint64_t nodeid, const struct statx *stx,
		   struct proto_statx *out)
{
	*out = (struct proto_statx){
		.mask = stx->stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
		.blksize = stx->stx_blksize,
		.attributes = stx->stx_attributes,
		.attributes_mask = stx->stx_attributes_mask,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.mode = stx->stx_mode,
		.ino = shown_ino(nodeid, stx),
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = to_sx_time(&stx->stx_atime),
		.btime = to_sx_time(&stx->stx_btime),
		.ctime = to_sx_time(&stx->stx_ctime),
		.mtime = to_sx_time(&stx->stx_mtime),
		.rdev_major = stx->stx_rdev_major,
		.rdev_minor = stx->stx_rdev_minor,
		.dev_major = stx->stx_dev_major,
		.dev_minor = stx->stx_dev_minor,
	};
}

void attr_timeout(double timeout, uint64_t *sec, uint32_t *nsec)
{
	*sec = (uint64_t)timeout;
	*nsec = (uint32_t)((timeout - (double)*sec) * 1e9);
}

static int do_statx(struct server *srv, uint64_t ino, int open_fd,
		    struct statx *stx)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int fd = open_fd, ret;

	if (fd < 0) {
		ret = path_ref_open(&p, ino);
		if (ret)
			return ret;
		fd = p.path->fd;
	}
	return statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, stx) ? -errno : 0;
}

static void reply_attr(fuse_req_t req, uint64_t ino, int err,
		       const struct statx *stx)
{
	struct stat st;

	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	attr_to_stat(ino, stx, &st);
	fuse_reply_attr(req, &st, server_of(req)->timeout);
}

void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct statx stx;

	reply_attr(req, ino, do_statx(server_of(req), ino,
				      fi ? file_fd(fi) : -1, &stx), &stx);
}

void attr_statx(fuse_req_t req, fuse_ino_t ino)
{
	const struct proto_statx_in *in = server_request_arg();
	struct fuse_file_info fi = { .fh = in->fh };
	bool open = in->getattr_flags & PROTO_GETATTR_FH;
	struct proto_statx_out out = { 0 };
	struct statx stx;
	int err = do_statx(server_of(req), ino, open ? file_fd(&fi) : -1, &stx);

	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	attr_timeout(server_of(req)->timeout, &out.attr_valid,
		     &out.attr_valid_nsec);
	attr_to_proto(ino, &stx, &out.stat);
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

/* setattr ---------------------------------------------------------------- */

static struct timespec time_to_set(const struct timespec *t, int set, int now)
{
	if (now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (set)
		return *t;
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(int fd, const struct stat *st, int to_set)
{
	struct timespec ts[2] = {
		time_to_set(&st->st_atim, to_set & FUSE_SET_ATTR_ATIME,
			    to_set & FUSE_SET_ATTR_ATIME_NOW),
		time_to_set(&st->st_mtim, to_set & FUSE_SET_ATTR_MTIME,
			    to_set & FUSE_SET_ATTR_MTIME_NOW),
	};

	return utimensat(fd, "", ts, AT_EMPTY_PATH) ? -errno : 0;
}

/*
 * Owner before mode (chown clears suid), size before times (it sets mtime). A
 * chown to nobody in particular has nothing to set, and sets the change time.
 */
static int do_setattr(struct server *srv, uint64_t ino, const struct stat *st,
		      int to_set, int open_fd, struct statx *stx)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
		    FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
	int owner = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
	int all = times | owner | FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_SIZE;
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1;
	struct proc_path path;
	int fd, ret = path_ref_open(&p, ino);

	if (ret)
		return ret;
	fd = p.path->fd;
	path = proc_path_of(fd);
	if ((to_set & owner) || !(to_set & all))
		ret = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	if (!ret && (to_set & FUSE_SET_ATTR_MODE))
		ret = chmod(path.text, st->st_mode);
	if (!ret && (to_set & FUSE_SET_ATTR_SIZE))
		ret = open_fd >= 0 ? ftruncate(open_fd, st->st_size) :
		      truncate(path.text, st->st_size);
	if (ret)
		return -errno;
	if (to_set & times)
		ret = set_times(fd, st, to_set);
	if (ret)
		return ret;
	return statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, stx) ? -errno : 0;
}

void attr_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		  struct fuse_file_info *fi)
{
	struct statx stx;

	reply_attr(req, ino, do_setattr(server_of(req), ino, st, to_set,
					fi ? file_fd(fi) : -1, &stx), &stx);
}

/* The others ------------------------------------------------------------- */

static int do_access(fuse_req_t req, uint64_t ino, int mask)
{
	_cleanup_path_ struct path_ref p = { server_of(req), NULL };
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = path_ref_open(&p, ino);

	if (!ret)
		ret = cred_enter(req, CRED_CALLER, &cred);
	if (ret)
		return ret;
	return faccessat(AT_FDCWD, proc_path_of(p.path->fd).text, mask,
			 AT_EACCESS) ? -errno : 0;
}

void attr_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	fuse_reply_err(req, -do_access(req, ino, mask));
}

static int do_statfs(struct server *srv, uint64_t ino, struct statvfs *st)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int ret = path_ref_open(&p, ino ? ino : SERVER_ROOT_ID);

	if (ret)
		return ret;
	return fstatvfs(p.path->fd, st) ? -errno : 0;
}

void attr_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int err = do_statfs(server_of(req), ino, &st);

	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_statfs(req, &st);
}

static int do_readlink(struct server *srv, uint64_t ino, char *buf, size_t size)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int ret = path_ref_open(&p, ino);
	ssize_t len;

	if (ret)
		return ret;
	len = readlinkat(p.path->fd, "", buf, size);
	if (len < 0)
		return -errno;
	if ((size_t)len == size)
		return -ENAMETOOLONG;
	buf[len] = '\0';
	return 0;
}

void attr_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	int err = do_readlink(server_of(req), ino, target, sizeof(target));

	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_readlink(req, target);
}
