/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rawfuse: a FUSE server for tests that speaks /dev/fuse itself.
 *
 * No libfuse in between: a test decides what stands in each INIT and entry
 * reply, and counts what arrives. It mirrors one backing directory: the nodeid
 * is the inode number, and a nodeid it does not know was made by the kernel
 * and is resolved with the node ioctl.
 *
 * The additions to the UAPI are written down here once more, by hand, from their
 * documentation: a test that included the kernel's header would agree with any
 * mistake in it.
 */
#ifndef FUSEPASS_RAWFUSE_H
#define FUSEPASS_RAWFUSE_H

#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Protocol 7.37 to 7.47, as far as needed here. */
#define RF_PASSTHROUGH		(1ULL << 37)
#define RF_PASSTHROUGH_INO	(1ULL << 44)
#define RF_FOPEN_PASSTHROUGH	(1U << 7)
#define RF_STATX		52
#define RF_COPY_FILE_RANGE_64	53

#define RF_OP(op)		(1ULL << ((op) - 1))
#define RF_OP_LOOKUP		RF_OP(1)
#define RF_OP_GETATTR		RF_OP(3)
#define RF_OP_SETATTR		RF_OP(4)
#define RF_OP_READLINK		RF_OP(5)
#define RF_OP_SYMLINK		RF_OP(6)
#define RF_OP_MKNOD		RF_OP(8)
#define RF_OP_MKDIR		RF_OP(9)
#define RF_OP_UNLINK		RF_OP(10)
#define RF_OP_RMDIR		RF_OP(11)
#define RF_OP_RENAME		RF_OP(12)
#define RF_OP_LINK		RF_OP(13)
#define RF_OP_OPEN		RF_OP(14)
#define RF_OP_READ		RF_OP(15)
#define RF_OP_WRITE		RF_OP(16)
#define RF_OP_STATFS		RF_OP(17)
#define RF_OP_RELEASE		RF_OP(18)
#define RF_OP_FSYNC		RF_OP(20)
#define RF_OP_SETXATTR		RF_OP(21)
#define RF_OP_GETXATTR		RF_OP(22)
#define RF_OP_LISTXATTR		RF_OP(23)
#define RF_OP_REMOVEXATTR	RF_OP(24)
#define RF_OP_FLUSH		RF_OP(25)
#define RF_OP_OPENDIR		RF_OP(27)
#define RF_OP_READDIR		RF_OP(28)
#define RF_OP_RELEASEDIR	RF_OP(29)
#define RF_OP_FSYNCDIR		RF_OP(30)
#define RF_OP_GETLK		RF_OP(31)
#define RF_OP_SETLK		RF_OP(32)
#define RF_OP_SETLKW		RF_OP(33)
#define RF_OP_ACCESS		RF_OP(34)
#define RF_OP_CREATE		RF_OP(35)
#define RF_OP_IOCTL		RF_OP(39)
#define RF_OP_FALLOCATE		RF_OP(43)
#define RF_OP_READDIRPLUS	RF_OP(44)
#define RF_OP_RENAME2		RF_OP(45)
#define RF_OP_LSEEK		RF_OP(46)
#define RF_OP_COPY_FILE_RANGE	RF_OP(47)
#define RF_OP_TMPFILE		RF_OP(51)
#define RF_OP_STATX		RF_OP(52)
#define RF_OP_COPY_FILE_RANGE_64 RF_OP(53)
#define RF_OPS \
	(RF_OP_LOOKUP | RF_OP_GETATTR | RF_OP_SETATTR | RF_OP_READLINK | \
	 RF_OP_SYMLINK | RF_OP_MKNOD | RF_OP_MKDIR | RF_OP_UNLINK | \
	 RF_OP_RMDIR | RF_OP_RENAME | RF_OP_LINK | RF_OP_OPEN | \
	 RF_OP_READ | RF_OP_WRITE | RF_OP_STATFS | RF_OP_RELEASE | \
	 RF_OP_FSYNC | RF_OP_SETXATTR | RF_OP_GETXATTR | RF_OP_LISTXATTR | \
	 RF_OP_REMOVEXATTR | RF_OP_FLUSH | RF_OP_OPENDIR | RF_OP_READDIR | \
	 RF_OP_RELEASEDIR | RF_OP_FSYNCDIR | RF_OP_GETLK | RF_OP_SETLK | \
	 RF_OP_SETLKW | RF_OP_ACCESS | RF_OP_CREATE | RF_OP_IOCTL | \
	 RF_OP_FALLOCATE | RF_OP_READDIRPLUS | RF_OP_RENAME2 | RF_OP_LSEEK | \
	 RF_OP_COPY_FILE_RANGE | RF_OP_TMPFILE | RF_OP_STATX | RF_OP_COPY_FILE_RANGE_64)
#define RF_OPS_DIR \
	(RF_OP_LOOKUP | RF_OP_OPENDIR | RF_OP_READDIR | RF_OP_READDIRPLUS | \
	 RF_OP_RELEASEDIR | RF_OP_FSYNCDIR | RF_OP_SYMLINK | RF_OP_MKNOD | \
	 RF_OP_MKDIR | RF_OP_UNLINK | RF_OP_RMDIR | RF_OP_RENAME | \
	 RF_OP_LINK | RF_OP_CREATE | RF_OP_RENAME2 | RF_OP_TMPFILE)
/* Data and attributes, for servers that pass no more than these. */
#define RF_OPS_FILE (RF_OP_READ | RF_OP_WRITE | RF_OP_GETATTR | RF_OP_SETATTR)

struct rf_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t ops_mask;
};

struct rf_node_open {
	uint64_t nodeid;
	uint32_t flags;
	int32_t mount_fd;
};

#define RF_NODE_OPEN_MOUNT	1

#define RF_IOC_BACKING_OPEN	_IOW(229, 1, struct rf_backing_map)
#define RF_IOC_BACKING_CLOSE	_IOW(229, 2, uint32_t)
#define RF_IOC_NODE_OPEN	_IOW(229, 4, struct rf_node_open)

struct rf_sx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct rf_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct rf_sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};
_Static_assert(sizeof(struct rf_statx) == 256, "fuse_statx is 256 bytes");

struct rf_entry2 {
	uint64_t nodeid, generation, entry_valid, attr_valid;
	uint32_t entry_valid_nsec, attr_valid_nsec;
	int32_t backing_id;
	uint32_t flags;
	uint64_t reserved;
	struct rf_statx statx;
};
_Static_assert(sizeof(struct rf_entry2) == 312, "fuse_entry2_out is 312 bytes");

struct rf;

struct rf_conf {
	/* Flags to answer INIT with; those not offered are left out. */
	uint64_t flags;
	/* As in the INIT reply. */
	uint32_t max_stack_depth;
	/* Directory to serve; the default is "b". */
	const char *backing;
	/* More mount options, beginning with a comma. */
	const char *options;
	/* Validity of entries and attributes in seconds. */
	uint64_t valid;
	/* Sees each entry reply before it goes out, and may change it. */
	void (*entry)(struct rf *rf, uint32_t opcode, const char *name,
		      struct rf_entry2 *e);
	/* Same for open replies, of CREATE and TMPFILE too. */
	void (*open)(struct rf *rf, uint64_t nodeid, struct fuse_open_out *o,
		     int32_t *backing_id);
	/* Same for replies to OPENDIR. */
	void (*opendir)(struct rf *rf, uint64_t nodeid,
			struct fuse_open_out *o, int32_t *backing_id);
	/* Sees what READ replies with, and may change it. */
	void (*read)(struct rf *rf, uint64_t nodeid, char *data, size_t size);
	/* READDIRPLUS instead of READDIR. */
	bool plus;
	/* Do not answer INIT before rf_answer_init(). */
	bool hold_init;
	/* Answer OPEN/OPENDIR with ENOSYS. */
	bool no_open;
	/* Answer FSYNC/FSYNCDIR with ENOSYS. */
	bool no_fsync;
	/* Fail OPEN/OPENDIR with this errno. */
	atomic_int open_error;
	/* Keep a file open for so long after the kernel wants it closed. */
	atomic_uint release_delay_ms;
	/* Write no more than this of a WRITE. */
	atomic_uint short_write;
	/* The server is a process of its own (rf->pid), to be killed. */
	bool process;
};

/* Without PASSTHROUGH_INO, node ids are so far from inode numbers: nothing may take the
 * one for the other. RAWFUSE_LATE in the environment leaves it out of all connections. */
#define RF_LATE_SHIFT	(1ULL << 40)

/* In memory shared with a server process. */
struct rf_stats {
	atomic_ulong requests[64];	/* by opcode, but for the next: */
	/* GETATTR and GETXATTR (of ACLs) of the root, which each path walk from
	 * the mount point may cause: no policy or id has anything to do with it
	 * in many tests. */
	atomic_ulong root_getattr;
	atomic_ulong unknown;		/* requests for an unknown nodeid */
	atomic_ulong resolved;		/* NODE_OPEN calls that worked */
	atomic_ulong given;		/* lookups handed out */
	atomic_ulong forgotten;
	atomic_uint last_error;		/* of a failed write of a reply */
	atomic_uint open_flags;		/* of the last OPEN or OPENDIR */
	atomic_uint open_uid;		/* who it came from */
	atomic_bool init_done;
	atomic_bool answer_init;
	uint64_t offered;		/* INIT flags of the kernel */
	uint32_t minor;			/* protocol minor of the kernel */
};

struct rf_node {
	uint64_t nodeid;
	int fd;				/* O_PATH */
	unsigned long nlookup;
	struct rf_node *next;
};

struct rf {
	struct rf_conf conf;
	struct rf_stats *stats;
	int dev;			/* /dev/fuse */
	int root;			/* O_PATH of the backing directory */
	dev_t backing_dev;
	char mnt[256];
	pid_t pid;
	pthread_t thread;
	bool entry2;			/* PASSTHROUGH_INO was negotiated */
	uint64_t shift;			/* of node ids against inode numbers */
	pthread_mutex_t lock;		/* nodes */
	struct rf_node *nodes[1024];
};

/* Everything on: PASSTHROUGH_INO, depth 1, served from "b", attributes valid
 * for no time at all, so that a request which is not passed is one that is
 * counted. */
#define RF_DEFAULT							\
	{ .flags = RF_PASSTHROUGH | RF_PASSTHROUGH_INO,			\
	  .max_stack_depth = 1, .backing = "b" }

/* Mounts on mnt ("m" when NULL), makes both directories when missing. */
struct rf *rf_mount(const char *mnt, const struct rf_conf *conf);
void rf_umount(struct rf *rf);
/* The steps of rf_mount(), for a policy attached before the mount. */
struct rf *rf_open(const struct rf_conf *conf);
void rf_serve(struct rf *rf, const char *mnt);
void rf_answer_init(struct rf *rf);

/* BACKING_OPEN with all fields; -1 and errno on failure. */
int rf_backing_open(struct rf *rf, int fd, uint32_t flags, uint64_t mask);
/* Same by path, and fails the case when it fails. */
int rf_register(struct rf *rf, const char *path, uint64_t mask);
int rf_backing_close(struct rf *rf, uint32_t id);
int rf_node_open(struct rf *rf, uint64_t nodeid, uint32_t flags, int mount_fd);

/* The server's O_PATH fd of a node. */
int rf_node_fd(struct rf *rf, uint64_t nodeid);

/* Requests of one opcode, since rf_reset(), without those of the root above. */
unsigned long rf_count(struct rf *rf, uint32_t opcode);
/* All of them, those included; not FORGET, INIT and INTERRUPT. */
unsigned long rf_count_all(struct rf *rf);
void rf_reset(struct rf *rf);
/* Prints the counts that are not 0 as diagnosis. */
void rf_note_counts(struct rf *rf);

/* Number of the connection in fusectl. */
unsigned int rf_connection(struct rf *rf);
/* A line "key value" of its policy file; false when there is none. */
bool rf_policy_line(struct rf *rf, const char *key, char *value, size_t size);
long rf_policy_number(struct rf *rf, const char *key);

/* A small tree in b: f, g, d/x/y, a link l, a fifo p. */
void rf_make_tree(void);
uint64_t ino_of(const char *path);

#endif
