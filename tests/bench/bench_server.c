// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_server: the server of fusepass as one for an unpatched kernel, for
 * comparison with what policies do.
 *
 *   bench_server coherent|cached|passthrough SRC MNT
 *
 * coherent      nothing is cached, every look at a file is a request
 * cached        names, attributes, listings and contents hold for a day
 * passthrough   as cached, and reads and writes of open files pass (Linux 6.9)
 *
 * It stays in the foreground. None of them negotiates FUSE_PASSTHROUGH_INO. The link
 * wraps the two functions of libfuse that reply to opens, to set what each mode does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "server.h"

#define FOPEN_PASSTHROUGH	(1U << 7)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define IOC_BACKING_OPEN	_IOW(229, 1, struct backing_map)
#define IOC_BACKING_CLOSE	_IOW(229, 2, uint32_t)

static enum { COHERENT, CACHED, PASSTHROUGH } mode;

int __real_fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi);
int __wrap_fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi);
int __real_fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
			     const struct fuse_file_info *fi);
int __wrap_fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
			     const struct fuse_file_info *fi);

/* Backing ids: all opens of an inode have to name the same one. ------------- */

struct backing {
	uint64_t ino;
	int32_t id;
	unsigned int opens;
	struct backing *next;
};

static struct backing *backings[1024];
static pthread_mutex_t backing_lock = PTHREAD_MUTEX_INITIALIZER;

static struct backing **backing_slot(uint64_t ino)
{
	struct backing **b = &backings[ino % 1024];

	while (*b && (*b)->ino != ino)
		b = &(*b)->next;
	return b;
}

static struct backing *backing_new(struct server *srv, uint64_t ino, int fd)
{
	struct backing_map map = { .fd = fd };
	struct backing *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->ino = ino;
	b->id = ioctl(fuse_session_fd(srv->se), IOC_BACKING_OPEN, &map);
	if (b->id <= 0) {
		free(b);
		return NULL;
	}
	return b;
}

/* The id for one more open, 0 if there can be none. */
static int32_t backing_get(struct server *srv, uint64_t ino, int fd)
{
	struct backing **slot;
	int32_t id = 0;

	pthread_mutex_lock(&backing_lock);
	slot = backing_slot(ino);
	if (!*slot)
		*slot = backing_new(srv, ino, fd);
	if (*slot) {
		(*slot)->opens++;
		id = (*slot)->id;
	}
	pthread_mutex_unlock(&backing_lock);
	return id;
}

static void backing_put(struct server *srv, uint64_t ino)
{
	struct backing **slot, *b;

	pthread_mutex_lock(&backing_lock);
	slot = backing_slot(ino);
	b = *slot;
	if (b && !--b->opens) {
		*slot = b->next;
		ioctl(fuse_session_fd(srv->se), IOC_BACKING_CLOSE, &b->id);
		free(b);
	}
	pthread_mutex_unlock(&backing_lock);
}

/* Replies ------------------------------------------------------------------- */

static __thread uint64_t opened_ino;	/* 0: a directory */

static struct proto_open_out open_out(fuse_req_t req, uint64_t ino,
				      const struct fuse_file_info *fi)
{
	return (struct proto_open_out){
		.fh = fi->fh,
		.open_flags = FOPEN_PASSTHROUGH,
		.backing_id = backing_get(server_of(req), ino, file_fd(fi)),
	};
}

int __wrap_fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct fuse_file_info cached = *fi;
	struct proto_open_out out;

	if (mode == COHERENT)
		return __real_fuse_reply_open(req, fi);
	if (mode == PASSTHROUGH && opened_ino) {
		out = open_out(req, opened_ino, fi);
		return fuse_reply_buf(req, (const char *)&out, sizeof(out));
	}
	cached.keep_cache = 1;
	cached.cache_readdir = !opened_ino;
	return __real_fuse_reply_open(req, &cached);
}

/* libfuse writes the entry, in a layout that it does not export. */
struct entry_out {
	uint64_t nodeid, generation, entry_valid, attr_valid;
	uint32_t entry_valid_nsec, attr_valid_nsec;
	uint64_t ino, size, blocks, atime, mtime, ctime;
	uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev;
	uint32_t blksize, flags;
};
_Static_assert(sizeof(struct entry_out) == 128, "entry_out");

static struct entry_out entry_out(const struct fuse_entry_param *e)
{
	const struct stat *st = &e->attr;

	return (struct entry_out){
		.nodeid = e->ino,
		.generation = e->generation,
		.entry_valid = e->entry_timeout,
		.attr_valid = e->attr_timeout,
		.ino = st->st_ino,
		.size = st->st_size,
		.blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
		.atimensec = st->st_atim.tv_nsec,
		.mtimensec = st->st_mtim.tv_nsec,
		.ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = st->st_rdev,
		.blksize = st->st_blksize,
	};
}

int __wrap_fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
			     const struct fuse_file_info *fi)
{
	struct fuse_file_info cached = *fi;
	struct {
		struct entry_out entry;
		struct proto_open_out open;
	} out;

	if (mode == COHERENT)
		return __real_fuse_reply_create(req, e, fi);
	if (mode == PASSTHROUGH) {
		out.entry = entry_out(e);
		out.open = open_out(req, e->ino, fi);
		return fuse_reply_buf(req, (const char *)&out, sizeof(out));
	}
	cached.keep_cache = 1;
	return __real_fuse_reply_create(req, e, &cached);
}

/* Operations that need to know ---------------------------------------------- */

static void bench_open(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	opened_ino = ino;
	file_open(req, ino, fi);
}

static void bench_opendir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	opened_ino = 0;
	dir_open(req, ino, fi);
}

static void bench_release(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	if (mode == PASSTHROUGH)
		backing_put(server_of(req), ino);
	file_release(req, ino, fi);
}

static int ready(struct server *srv, void *arg)
{
	return 0;
}

int main(int argc, char **argv)
{
	struct fuse_lowlevel_ops ops = server_ops;
	struct server_options opts = { .ops = &ops, .no_inode_passthrough = true };
	struct server *srv;
	int ret;

	if (argc != 4)
		return 1;
	mode = !strcmp(argv[1], "passthrough") ? PASSTHROUGH :
	       !strcmp(argv[1], "cached") ? CACHED : COHERENT;
	opts.timeout = mode == COHERENT ? 0 : 86400;
	opts.source = argv[2];
	opts.mountpoint = argv[3];
	ops.open = bench_open;
	ops.opendir = bench_opendir;
	ops.release = bench_release;
	ret = server_create(&opts, &srv);
	if (!ret) {
		ret = server_mount(srv, NULL);
		if (!ret)
			ret = server_run(srv, ready, NULL);
		server_destroy(srv);
	}
	if (ret)
		fprintf(stderr, "bench_server: %s\n", strerror(-ret));
	return ret != 0;
}
