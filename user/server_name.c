// SPDX-License-Identifier: GPL-2.0-or-later
/* Names: lookup, and whatever makes, moves or removes one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server.h"

/* Replies ---------------------------------------------------------------- */

void name_param(struct server *srv, const struct node_entry *entry,
		struct fuse_entry_param *param)
{
	*param = (struct fuse_entry_param){
		.ino = entry->nodeid,
		.generation = entry->generation,
		.attr_timeout = srv->timeout,
		.entry_timeout = srv->timeout,
	};
	attr_to_stat(entry->nodeid, &entry->stx, &param->attr);
}

/* @backing_id: of FUSE_DEV_IOC_BACKING_OPEN, 0 for none. */
static void entry2_fill(struct server *srv, const struct node_entry *entry,
			int32_t backing_id, struct proto_entry2_out *out)
{
	*out = (struct proto_entry2_out){
		.nodeid = entry->nodeid,
		.generation = entry->generation,
		.backing_id = backing_id,
	};
	attr_timeout(srv->timeout, &out->entry_valid, &out->entry_valid_nsec);
	attr_timeout(srv->timeout, &out->attr_valid, &out->attr_valid_nsec);
	attr_to_proto(entry->nodeid, &entry->stx, &out->statx);
}

/* A lookup whose answer nobody waits for any more does not count. */
static void reply_entry(fuse_req_t req, const struct node_entry *entry)
{
	struct server *srv = server_of(req);
	struct fuse_entry_param param;
	struct proto_entry2_out out;
	int err;

	if (srv->inode_passthrough) {
		entry2_fill(srv, entry, 0, &out);
		err = fuse_reply_buf(req, (const char *)&out, sizeof(out));
	} else {
		name_param(srv, entry, &param);
		err = fuse_reply_entry(req, &param);
	}
	if (err == -ENOENT)
		node_forget(srv, entry->nodeid, 1);
}

static void reply(fuse_req_t req, int err, const struct node_entry *entry)
{
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_entry(req, entry);
}

/* To CREATE and TMPFILE. */
void name_reply_open(fuse_req_t req, const struct node_entry *entry,
		     const struct fuse_file_info *fi)
{
	struct server *srv = server_of(req);
	struct {
		struct proto_entry2_out entry;
		struct proto_open_out open;
	} out = { .open = { .fh = fi->fh } };
	struct fuse_entry_param param;
	int err;

	if (srv->inode_passthrough) {
		entry2_fill(srv, entry, 0, &out.entry);
		err = fuse_reply_buf(req, (const char *)&out, sizeof(out));
	} else {
		name_param(srv, entry, &param);
		err = fuse_reply_create(req, &param, fi);
	}
	if (err == -ENOENT) {
		file_unopen(srv, (struct open_file *)(uintptr_t)fi->fh);
		node_forget(srv, entry->nodeid, 1);
	}
}

/* Lookup ----------------------------------------------------------------- */

/* Looks @name up in the directory @dirfd, the node @parent. */
int name_entry(struct server *srv, uint64_t parent, const char *name, int dirfd,
	       struct node_entry *entry)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return node_enter(srv, parent, name, fd, entry);
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

/* nodeid 0 lets the kernel remember for the timeout that there is nothing. */
static void reply_negative(fuse_req_t req)
{
	struct server *srv = server_of(req);
	struct fuse_entry_param param = { .entry_timeout = srv->timeout };
	struct proto_entry2_out out = { 0 };

	attr_timeout(srv->timeout, &out.entry_valid, &out.entry_valid_nsec);
	if (srv->inode_passthrough)
		fuse_reply_buf(req, (const char *)&out, sizeof(out));
	else
		fuse_reply_entry(req, &param);
}

void name_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node_entry entry;
	int err = do_lookup(server_of(req), parent, name, &entry);

	if (err == -ENOENT && server_of(req)->timeout > 0)
		reply_negative(req);
	else
		reply(req, err, &entry);
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

/* What is to be made; the type in @mode says how. */
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

	reply(req, do_make(req, parent, new, &entry), &entry);
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

/* Without CAP_DAC_READ_SEARCH the fd has to be named. */
static int link_fd(int fd, int dirfd, const char *name)
{
	if (!linkat(fd, "", dirfd, name, AT_EMPTY_PATH))
		return 0;
	if (errno != ENOENT)
		return -errno;
	return linkat(AT_FDCWD, proc_path_of(fd).text, dirfd, name,
		      AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int do_link(struct server *srv, uint64_t ino, uint64_t parent,
		   const char *name, struct node_entry *entry)
{
	_cleanup_path_ struct path_ref dir = { srv, NULL };
	_cleanup_path_ struct path_ref old = { srv, NULL };
	int ret = path_ref_open(&dir, parent);

	if (!ret)
		ret = path_ref_open(&old, ino);
	if (!ret)
		ret = link_fd(old.path->fd, dir.path->fd, name);
	if (ret)
		return ret;
	return name_entry(srv, parent, name, dir.path->fd, entry);
}

void name_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	       const char *name)
{
	struct node_entry entry;

	reply(req, do_link(server_of(req), ino, parent, name, &entry), &entry);
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
