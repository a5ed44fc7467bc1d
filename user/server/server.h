/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server of fusepass: a mirror of one directory.
 *
 * Each of these calls only what is further down:
 *
 * server.c        set-up, table of operations, worker loop, tear-down
 * server_ctl.c    the control socket
 * server_xattr.c  extended attributes, file attributes (ioctl)
 * server_dir.c    open directories
 * server_name.c   lookup and whatever makes, moves or removes a name
 * server_file.c   open files
 * server_reply.c  replies that several operations share
 * server_attr.c   getattr setattr statx access statfs readlink
 * server_cred.c   doing things as the caller
 * server_node.c   which nodeid is which object; bounded set of O_PATH fds
 * server_mount.c  options of mounts; mounting with the module fusepass.ko, which libfuse
 *                 does not know
 * server_io.c     the two hooks of libfuse: the request as it is, the INIT exchange
 *
 * In each, do_x() returns 0 or -errno and x() replies exactly once.
 */
#ifndef FUSEPASS_SERVER_H
#define FUSEPASS_SERVER_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
#include <linux/stat.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server_proto.h"
#include "util.h"

#define SERVER_ROOT_ID		1ULL
#define SERVER_FOREIGN_BIT	(1ULL << 63)

struct node;
struct node_table;

/* A reference-counted O_PATH fd of an object. */
struct path_fd {
	int fd;
	unsigned int refs;		/* under the table's lock */
	struct node *node;		/* that caches it, or NULL; same lock */
	struct path_fd *newer, *older;	/* list of idle ones; same lock */
};

struct server {
	struct fuse_session *se;
	char *source;			/* absolute path of what is served */
	char *mountpoint;
	double timeout;			/* seconds that names and attributes hold */
	int root_fd;			/* O_RDONLY; file handles start here */
	uint32_t connection;		/* number in /sys/fs/fuse/connections */
	uint64_t offered;		/* INIT flags that the kernel knows */
	uint32_t kernel_minor;
	uint32_t stack_depth;		/* max_stack_depth of the INIT reply */
	const struct fuse_lowlevel_ops *ops;
	bool by_module;			/* a mount of fusepass.ko, not libfuse's */
	bool debug;			/* libfuse tells each request */
	int ctl_error;			/* why there is no control socket, or 0 */
	bool no_inode_passthrough;	/* is not to be negotiated */
	bool inode_passthrough;		/* FUSE_PASSTHROUGH_INO is negotiated */
	uint64_t init_unique;		/* of the INIT request; 0: none yet */
	struct node_table *nodes;
	_Atomic uint64_t requests[PROTO_OP_MAX];
};

/* The request that the calling thread works on, as the kernel sent it. */
extern __thread const struct proto_in_header *server_request;
/* The setxattr_flags of the request; libfuse gets the older, shorter layout. */
extern __thread uint32_t server_setxattr_flags;
/* Its opcode, also where libfuse takes it for STATFS. */
extern __thread uint32_t server_opcode;

static inline const void *server_request_arg(void)
{
	return server_request + 1;
}

static inline struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* server.c */
struct server_options {
	const char *source;
	const char *mountpoint;
	const char *mount_options;	/* for -o, or NULL */
	double timeout;
	bool debug;
	/* For measurements: instead of the server's own; NULL, 0: no others. */
	const struct fuse_lowlevel_ops *ops;
	bool no_inode_passthrough;	/* speak as to a kernel without it */
};
extern const struct fuse_lowlevel_ops server_ops;
/* Called once INIT is through and before any other request is answered. */
typedef int (*server_ready_fn)(struct server *srv, void *arg);
int server_create(const struct server_options *opts, struct server **srv);
int server_mount(struct server *srv, const char *mount_options);
int server_run(struct server *srv, server_ready_fn ready, void *arg);
void server_destroy(struct server *srv);

/* server_io.c */
int io_attach(struct server *srv);
/* A buffer of the calling thread, at least @size long; NULL without memory. */
char *server_thread_buffer(size_t size);

/* server_mount.c */
struct lib_kind;
/* Options that follow each other, separated by commas. */
struct mount_text {
	char text[2048];
	size_t len;
};
/* What the options of a mount come down to. */
struct mount_args {
	unsigned long flags;		/* MS_* of all of them */
	unsigned long beyond;		/* of those that libfuse does not know */
	struct mount_text libfuse;	/* for libfuse */
	struct mount_text data;		/* for the kernel, without libfuse */
};
int server_mount_args(struct mount_args *a, const char *options);
bool server_mount_is_flag(const char *option);
int server_mount_flags(struct server *srv, const struct mount_args *a);
int server_mount_module(struct server *srv, const struct lib_kind *kind,
			struct mount_args *a);
bool server_mount_is_gone(struct server *srv);
void server_umount_module(struct server *srv);

/* server_node.c */
struct node_entry {
	uint64_t nodeid;
	uint32_t generation;
	struct statx stx;
};
#define NODE_STATX_MASK	(STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
int node_table_create(struct server *srv);
void node_table_destroy(struct server *srv);
int node_open(struct server *srv, uint64_t nodeid, struct path_fd **path);
void path_put(struct server *srv, struct path_fd *path);
int node_enter(struct server *srv, uint64_t parent, const char *name, int fd,
	       struct node_entry *entry);
/* What is beneath our own mount, where that is below what it shows. */
int node_enter_beneath(struct server *srv, uint64_t parent, const char *name,
		       int dirfd, struct node_entry *entry);
void node_forget(struct server *srv, uint64_t nodeid, uint64_t count);
struct node *node_pin(struct server *srv, uint64_t nodeid, int fd);
void node_unpin(struct server *srv, struct node *node);
void node_moved(struct server *srv, int dirfd, uint64_t parent,
		const char *name);
void node_stats(struct server *srv, uint64_t *nodes, uint64_t *fds);

/* Takes a reference for a scope: `_cleanup_path_ struct path_ref p = {srv};` */
struct path_ref {
	struct server *srv;
	struct path_fd *path;
};
static inline void path_ref_cleanup(struct path_ref *ref)
{
	if (ref->path)
		path_put(ref->srv, ref->path);
}
#define _cleanup_path_	__attribute__((cleanup(path_ref_cleanup)))
static inline int path_ref_open(struct path_ref *ref, uint64_t nodeid)
{
	return node_open(ref->srv, nodeid, &ref->path);
}
/* "/proc/self/fd/N": for calls that cannot take an O_PATH fd. */
struct proc_path {
	char text[32];
};
struct proc_path proc_path_of(int fd);

/* server_cred.c */
enum cred_mode {
	CRED_CREATE,	/* caller's ids, our capabilities: make objects */
	CRED_NO_FSETID,	/* the same without CAP_FSETID: suid/sgid are cleared */
	CRED_CALLER,	/* caller's ids, and no capability unless it is root */
};
struct cred_scope {
	bool changed;
};
int cred_enter(fuse_req_t req, enum cred_mode mode, struct cred_scope *scope);
void cred_leave(struct cred_scope *scope);
#define _cleanup_cred_	__attribute__((cleanup(cred_leave)))
int cred_set_umask(mode_t mask);

/* server_attr.c */
void attr_to_stat(uint64_t nodeid, const struct statx *stx, struct stat *st);
void attr_to_proto(uint64_t nodeid, const struct statx *stx,
		   struct proto_statx *out);
void attr_timeout(double timeout, uint64_t *sec, uint32_t *nsec);
void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void attr_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		  struct fuse_file_info *fi);
void attr_statx(fuse_req_t req, fuse_ino_t ino);
void attr_access(fuse_req_t req, fuse_ino_t ino, int mask);
void attr_statfs(fuse_req_t req, fuse_ino_t ino);
void attr_readlink(fuse_req_t req, fuse_ino_t ino);

/* server_reply.c */
void reply_name(fuse_req_t req, int err, const struct node_entry *entry);
void reply_negative(fuse_req_t req);
void reply_sync(fuse_req_t req, int fd, int datasync);
bool reply_open(fuse_req_t req, const struct node_entry *entry,
		const struct fuse_file_info *fi);
void reply_param(struct server *srv, const struct node_entry *entry,
		 struct fuse_entry_param *param);

/* server_name.c */
void name_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void name_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void name_forget_multi(fuse_req_t req, size_t count,
		       struct fuse_forget_data *forgets);
void name_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		mode_t mode, dev_t rdev);
void name_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		mode_t mode);
void name_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		  const char *name);
void name_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	       const char *name);
void name_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void name_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void name_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		 fuse_ino_t newparent, const char *newname, unsigned int flags);
int name_entry(struct server *srv, uint64_t parent, const char *name, int dirfd,
	       struct node_entry *entry);

/* server_file.c */
struct open_file {
	int fd;
	struct node *pin;	/* see node_pin() */
};
/* -1, that is EBADF, for a file that the kernel opened without us (fh 0). */
static inline int file_fd(const struct fuse_file_info *fi)
{
	const struct open_file *file = (const void *)(uintptr_t)fi->fh;

	return file ? file->fd : -1;
}
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi);
void file_tmpfile(fuse_req_t req, fuse_ino_t parent);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	       struct fuse_file_info *fi);
void file_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		off_t off, struct fuse_file_info *fi);
void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		struct fuse_file_info *fi);
void file_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		    off_t length, struct fuse_file_info *fi);
void file_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		struct fuse_file_info *fi);
void file_copy_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
		     struct fuse_file_info *fi_in, fuse_ino_t ino_out,
		     off_t off_out, struct fuse_file_info *fi_out, size_t len,
		     int flags);
void file_copy_range_64(fuse_req_t req, fuse_ino_t ino);

/* server_dir.c */
void dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	      struct fuse_file_info *fi);
void dir_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi);
void dir_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	       struct fuse_file_info *fi);
int dir_fd(const struct fuse_file_info *fi);

/* server_xattr.c */
void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
	       const char *value, size_t size, int flags);
void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name);
void xattr_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		 struct fuse_file_info *fi, unsigned int flags,
		 const void *in, size_t in_size, size_t out_size);

/* server_ctl.c */
struct server_ctl;
int server_ctl_start(struct server *srv, struct server_ctl **ctl);
void server_ctl_stop(struct server_ctl *ctl);

#endif
