// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes, POSIX ACLs among them, and file attributes (lsattr).
 *
 * The kernel checks who may; what it cannot know for us is which names the
 * caller may see, and whether setting an ACL clears sgid.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "server.h"

static int do_setxattr(fuse_req_t req, uint64_t ino, const char *name,
		       const void *value, size_t size, int flags)
{
	_cleanup_path_ struct path_ref p = { server_of(req), NULL };
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = path_ref_open(&p, ino);

	if (!ret && (server_setxattr_flags & PROTO_SETXATTR_KILL_SGID))
		ret = cred_enter(req, CRED_NO_FSETID, &cred);
	if (ret)
		return ret;
	return setxattr(proc_path_of(p.path->fd).text, name, value, size,
			flags) ? -errno : 0;
}

void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
	       const char *value, size_t size, int flags)
{
	fuse_reply_err(req, -do_setxattr(req, ino, name, value, size, flags));
}

static int do_removexattr(struct server *srv, uint64_t ino, const char *name)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int ret = path_ref_open(&p, ino);

	if (ret)
		return ret;
	return removexattr(proc_path_of(p.path->fd).text, name) ? -errno : 0;
}

void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	fuse_reply_err(req, -do_removexattr(server_of(req), ino, name));
}

static ssize_t do_getxattr(struct server *srv, uint64_t ino, const char *name,
			   char *buf, size_t size)
{
	_cleanup_path_ struct path_ref p = { srv, NULL };
	int ret = path_ref_open(&p, ino);
	ssize_t len;

	if (ret)
		return ret;
	len = getxattr(proc_path_of(p.path->fd).text, name, buf, size);
	return len < 0 ? -errno : len;
}

/* trusted.* is listed for the privileged only. */
static ssize_t do_listxattr(fuse_req_t req, uint64_t ino, char *buf,
			    size_t size)
{
	_cleanup_path_ struct path_ref p = { server_of(req), NULL };
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = path_ref_open(&p, ino);
	ssize_t len;

	if (!ret)
		ret = cred_enter(req, CRED_CALLER, &cred);
	if (ret)
		return ret;
	len = listxattr(proc_path_of(p.path->fd).text, buf, size);
	return len < 0 ? -errno : len;
}

/* With size 0 the caller asks how much there is. */
static void reply_xattr(fuse_req_t req, const char *buf, size_t size,
			ssize_t len)
{
	if (len < 0)
		fuse_reply_err(req, -len);
	else if (!size)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, buf, len);
}

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char *buf = server_thread_buffer(size);
	ssize_t len = -ENOMEM;

	if (buf)
		len = do_getxattr(server_of(req), ino, name, buf, size);
	reply_xattr(req, buf, size, len);
}

void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char *buf = server_thread_buffer(size);
	ssize_t len = -ENOMEM;

	if (buf)
		len = do_listxattr(req, ino, buf, size);
	reply_xattr(req, buf, size, len);
}

/* File attributes -------------------------------------------------------- */

/* Zero for what is not served. */
static size_t ioctl_size(unsigned int cmd)
{
	switch (cmd) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
		return sizeof(unsigned int);
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		return sizeof(struct fsxattr);
	default:
		return 0;
	}
}

/* Immutable and append-only need a capability of the caller's own. */
static int do_ioctl(fuse_req_t req, int fd, unsigned int cmd, void *data)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = 0;

	if (cmd == FS_IOC_SETFLAGS || cmd == FS_IOC_FSSETXATTR)
		ret = cred_enter(req, CRED_CALLER, &cred);
	if (ret)
		return ret;
	return ioctl(fd, cmd, data) ? -errno : 0;
}

void xattr_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		 struct fuse_file_info *fi, unsigned int flags,
		 const void *in, size_t in_size, size_t out_size)
{
	size_t size = ioctl_size(cmd);
	int fd = flags & FUSE_IOCTL_DIR ? dir_fd(fi) : file_fd(fi);
	char data[64] = { 0 };
	int err;

	if (!size || in_size > sizeof(data) || out_size > sizeof(data)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	if (in_size)
		memcpy(data, in, in_size);
	err = do_ioctl(req, fd, cmd, data);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_ioctl(req, 0, data, out_size);
}
