// SPDX-License-Identifier: GPL-2.0-or-later
/* Names: lookup, and whatever makes, moves or removes one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server.h"

/* Lookup ----------------------------------------------------------------- */

/* Looks @name up in the directory @dirfd, the node @parent. */
int name_entry(struct server *srv, uint64_t parent, const char *name, int dirfd,
	       struct node_entry *entry)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	int ret = fd < 0 ? -errno : node_enter(srv, parent, name, fd, entry);

	return ret != -EXDEV ? ret :
		node_enter_beneath(srv, parent, name, dirfd, entry);
}

static int do_lookup(struct server *srv, uint64_t parent, const char *name,
		     struct node_entry *entry)
{
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	int ret = path_ref_open(&dir, parent);

	if (ret)
		return ret;
	return name_entry(srv, parent, name, dir.path->fd, entry);
}

void name_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node_entry entry;
	int err = do_lookup(server_of(req), parent, name, &entry);

	if (err == -ENOENT && server_of(req)->timeout > 0)
		reply_negative(req);
	else
		reply_name(req, err, &entry);
}

void name_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	node_forget(server_of(req), ino, count);
	fuse_reply_none(req);
}

void name_forget_multi(fuse_req_t req, size_t count,
		       struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		node_forget(server_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* Making objects --------------------------------------------------------- */

/* An object to be made; the type in @mode says how. */
struct new_object {
	const char *name;
	mode_t mode;
	dev_t rdev;
	const char *target;	/* of a symlink */
};

static int make_object(fuse_req_t req, int dirfd, const struct new_object *new)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = cred_enter(req, CRED_CREATE, &cred);

	if (ret)
		return ret;
	if (new->target)
		ret = symlinkat(new->target, dirfd, new->name);
	else if (S_ISDIR(new->mode))
		ret = mkdirat(dirfd, new->name, new->mode & ~S_IFMT);
	else
		ret = mknodat(dirfd, new->name, new->mode, new->rdev);
	return ret ? -errno : 0;
}

static int do_make(fuse_req_t req, uint64_t parent,
		   const struct new_object *new, struct node_entry *entry)
{
	struct server *srv = server_of(req);
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	int ret = path_ref_open(&dir, parent);

	if (!ret)
		ret = cred_set_umask(fuse_req_ctx(req)->umask);
	if (!ret)
		ret = make_object(req, dir.path->fd, new);
	if (ret)
		return ret;
	return name_entry(srv, parent, new->name, dir.path->fd, entry);
}

static void make(fuse_req_t req, uint64_t parent, const struct new_object *new)
{
	struct node_entry entry;

	reply_name(req, do_make(req, parent, new, &entry), &entry);
}

void name_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		mode_t mode, dev_t rdev)
{
	make(req, parent, &(struct new_object){ name, mode, rdev, NULL });
}

void name_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		mode_t mode)
{
	make(req, parent,
	     &(struct new_object){ name, mode | S_IFDIR, 0, NULL });
}

void name_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		  const char *name)
{
	make(req, parent, &(struct new_object){ name, S_IFLNK, 0, target });
}

static int do_link(struct server *srv, uint64_t ino, uint64_t parent,
		   const char *name, struct node_entry *entry)
{
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	_cleanup_path_ struct path_ref old = { srv, NULL };
	int ret = path_ref_open(&dir, parent);

	if (!ret)
		ret = path_ref_open(&old, ino);
	if (ret)
		return ret;
	ret = linkat(old.path->fd, "", dir.path->fd, name, AT_EMPTY_PATH);
	/* Without CAP_DAC_READ_SEARCH the fd has to be named. */
	if (ret && errno == ENOENT)
		ret = linkat(AT_FDCWD, proc_path_of(old.path->fd).text, dir.path->fd, name,
			     AT_SYMLINK_FOLLOW);
	if (ret)
		return -errno;
	return name_entry(srv, parent, name, dir.path->fd, entry);
}

void name_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	       const char *name)
{
	struct node_entry entry;

	reply_name(req, do_link(server_of(req), ino, parent, name, &entry), &entry);
}

/* Removing and moving names ---------------------------------------------- */

static int do_unlink(struct server *srv, uint64_t parent, const char *name,
		     int flags)
{
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	int ret = path_ref_open(&dir, parent);

	if (ret)
		return ret;
	return unlinkat(dir.path->fd, name, flags) ? -errno : 0;
}

void name_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, -do_unlink(server_of(req), parent, name, 0));
}

void name_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, -do_unlink(server_of(req), parent, name,
				       AT_REMOVEDIR));
}

struct rename_args {
	uint64_t from, to;
	const char *old, *new;
	unsigned int flags;
};

/* A whiteout is a new object, so it is the caller's. */
static int rename_as_caller(fuse_req_t req, int from, int to,
			    const struct rename_args *r)
{
	_cleanup_cred_ struct cred_scope cred = { false };
	int ret = r->flags & RENAME_WHITEOUT ?
		  cred_enter(req, CRED_CREATE, &cred) : 0;

	if (ret)
		return ret;
	return renameat2(from, r->old, to, r->new, r->flags) ? -errno : 0;
}

static int do_rename(fuse_req_t req, const struct rename_args *r)
{
	struct server *srv = server_of(req);
	_cleanup_path_ struct path_ref from = { srv, NULL };
	_cleanup_path_ struct path_ref to = { srv, NULL };
	int ret = path_ref_open(&from, r->from);

	if (!ret)
		ret = path_ref_open(&to, r->to);
	if (!ret)
		ret = rename_as_caller(req, from.path->fd, to.path->fd, r);
	if (ret)
		return ret;
	node_moved(srv, to.path->fd, r->to, r->new);
	if (r->flags & RENAME_EXCHANGE)
		node_moved(srv, from.path->fd, r->from, r->old);
	return 0;
}

void name_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		 fuse_ino_t newparent, const char *newname, unsigned int flags)
{
	const struct rename_args r = {
		parent, newparent, name, newname, flags
	};

	fuse_reply_err(req, -do_rename(req, &r));
}
