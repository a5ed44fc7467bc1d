/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the FUSE protocol that libfuse3 keeps to itself or does not know.
 *
 * Written down here and not taken from <linux/fuse.h>, whose age varies: the
 * server has to compile on a system older than the kernel that it talks to.
 * Layouts are ABI; every struct has its size checked.
 */
#ifndef FUSEPASS_SERVER_PROTO_H
#define FUSEPASS_SERVER_PROTO_H

#include <stdint.h>
#include <sys/ioctl.h>

enum {
	PROTO_MINOR		= 47,	/* newest that we speak */

	PROTO_OP_LOOKUP		= 1,
	PROTO_OP_STATFS		= 17,
	PROTO_OP_SETXATTR	= 21,
	PROTO_OP_INIT		= 26,
	PROTO_OP_SYNCFS		= 50,
	PROTO_OP_TMPFILE	= 51,
	PROTO_OP_STATX		= 52,
	PROTO_OP_COPY_FILE_RANGE_64 = 53,
	PROTO_OP_MAX		= 64,	/* size of tables by opcode */

	PROTO_GETATTR_FH	= 1 << 0,
	PROTO_WRITE_KILL_SUIDGID = 1 << 2,
	PROTO_SETXATTR_KILL_SGID = 1 << 0,
};

/* INIT flags, the 64 bits of flags and flags2. */
#define PROTO_INIT_SETXATTR_EXT		(1ULL << 29)
#define PROTO_INIT_EXT			(1ULL << 30)
#define PROTO_INIT_PASSTHROUGH		(1ULL << 37)
#define PROTO_INIT_PASSTHROUGH_INO	(1ULL << 44)

struct proto_in_header {
	uint32_t len;
	uint32_t opcode;
	uint64_t unique;
	uint64_t nodeid;
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;
	uint32_t padding;
};

struct proto_out_header {
	uint32_t len;
	int32_t error;
	uint64_t unique;
};

struct proto_init_in {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint32_t flags2;	/* since 7.36 */
	uint32_t unused[11];
};

struct proto_init_out {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint16_t max_background;
	uint16_t congestion_threshold;
	uint32_t max_write;
	uint32_t time_gran;
	uint16_t max_pages;
	uint16_t map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth;
	uint32_t unused[6];
};

struct proto_sx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct proto_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct proto_sx_time atime;
	struct proto_sx_time btime;
	struct proto_sx_time ctime;
	struct proto_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};

/* Reply to whatever makes a node, once PASSTHROUGH_INO is negotiated. */
struct proto_entry2_out {
	uint64_t nodeid;
	uint64_t generation;
	uint64_t entry_valid;
	uint64_t attr_valid;
	uint32_t entry_valid_nsec;
	uint32_t attr_valid_nsec;
	int32_t backing_id;	/* 0: none */
	uint32_t flags;		/* 0 */
	uint64_t reserved;	/* 0 */
	struct proto_statx statx;
};

struct proto_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

struct proto_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct proto_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct proto_statx stat;
};

struct proto_create_in {
	uint32_t flags;
	uint32_t mode;
	uint32_t umask;
	uint32_t open_flags;
};

struct proto_write_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t size;
	uint32_t write_flags;
	uint64_t lock_owner;
	uint32_t flags;
	uint32_t padding;
};

struct proto_setxattr_in {
	uint32_t size;
	uint32_t flags;
	uint32_t setxattr_flags;	/* with SETXATTR_EXT only */
	uint32_t padding;
};

struct proto_copy_file_range_in {
	uint64_t fh_in;
	uint64_t off_in;
	uint64_t nodeid_out;
	uint64_t fh_out;
	uint64_t off_out;
	uint64_t len;
	uint64_t flags;
};

/* Asks for the backing object of a node that the kernel made by itself. */
struct proto_node_open {
	uint64_t nodeid;
	uint32_t flags;		/* PROTO_NODE_OPEN_MOUNT */
	int32_t mount_fd;	/* the descriptor is to be on the mount of this one */
};

#define PROTO_NODE_OPEN_MOUNT	1
#define PROTO_IOC_NODE_OPEN	_IOW(229, 4, struct proto_node_open)

_Static_assert(sizeof(struct proto_in_header) == 40, "in_header");
_Static_assert(sizeof(struct proto_out_header) == 16, "out_header");
_Static_assert(sizeof(struct proto_init_in) == 64, "init_in");
_Static_assert(sizeof(struct proto_init_out) == 64, "init_out");
_Static_assert(sizeof(struct proto_statx) == 256, "statx");
_Static_assert(sizeof(struct proto_entry2_out) == 312, "entry2_out");
_Static_assert(sizeof(struct proto_open_out) == 16, "open_out");
_Static_assert(sizeof(struct proto_statx_in) == 24, "statx_in");
_Static_assert(sizeof(struct proto_statx_out) == 288, "statx_out");
_Static_assert(sizeof(struct proto_create_in) == 16, "create_in");
_Static_assert(sizeof(struct proto_write_in) == 40, "write_in");
_Static_assert(sizeof(struct proto_setxattr_in) == 16, "setxattr_in");
_Static_assert(sizeof(struct proto_copy_file_range_in) == 56, "copy_range_in");
_Static_assert(sizeof(struct proto_node_open) == 16, "node_open");

#endif
