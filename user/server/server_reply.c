// SPDX-License-Identifier: GPL-2.0-or-later
/* Replies that several operations share: about a node, and to FSYNC. */
#include <errno.h>

#include "server.h"

void reply_param(struct server *srv, const struct node_entry *entry,
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
		reply_param(srv, entry, &param);
		err = fuse_reply_entry(req, &param);
	}
	if (err == -ENOENT)
		node_forget(srv, entry->nodeid, 1);
}

void reply_name(fuse_req_t req, int err, const struct node_entry *entry)
{
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_entry(req, entry);
}

/*
 * To CREATE and TMPFILE; false if nobody waits for the reply any more, so that the file is
 * to be closed again.
 */
bool reply_open(fuse_req_t req, const struct node_entry *entry,
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
		reply_param(srv, entry, &param);
		err = fuse_reply_create(req, &param, fi);
	}
	if (err != -ENOENT)
		return true;
	node_forget(srv, entry->nodeid, 1);
	return false;
}

/* nodeid 0 lets the kernel remember for the timeout that there is nothing. */
void reply_negative(fuse_req_t req)
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

/* To FSYNC and FSYNCDIR. */
void reply_sync(fuse_req_t req, int fd, int datasync)
{
	fuse_reply_err(req, (datasync ? fdatasync(fd) : fsync(fd)) ? errno : 0);
}
