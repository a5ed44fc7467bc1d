/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What trace.bpf.c tells trace.c, and where it finds it. */
#ifndef FUSEPASS_TRACE_EVENT_H
#define FUSEPASS_TRACE_EVENT_H

enum trace_kind {
	TRACE_REQUEST,		/* the server was asked, and has answered */
	TRACE_VERDICT,		/* a name was judged */
	TRACE_OPEN,		/* an open was judged */
	TRACE_FALLBACK,		/* a name that was to pass cannot; @name is the reason */
};

#define TRACE_PATH_SIZE	768
#define TRACE_NAME_SIZE	256

struct trace_event {
	__u64 time;		/* nanoseconds, CLOCK_MONOTONIC */
	__u64 took;		/* of a request: until it was answered */
	__u64 node;		/* that it is about; of a verdict: the directory */
	__u64 child;		/* what the name led to, or 0 */
	__u64 mask;		/* of a verdict: what passes */
	__u64 walk_node;	/* what @path leads to, or 0 */
	__u32 connection;
	__u32 kind;
	__u32 opcode;
	__u32 flags;		/* of a verdict or an open */
	__u32 pid;
	__u32 uid;
	__s32 result;		/* of a request: 0 or -errno; else the verdict */
	__u32 parts;		/* number of strings in @path, the last name first */
	char comm[16];
	char name[TRACE_NAME_SIZE];
	char path[TRACE_PATH_SIZE];
};

/* What the kernel has of an inode, for who has it open as @fd. */
struct trace_state {
	__s32 fd;		/* set by who asks */
	__u32 connection;
	__u64 node;
	__u64 mask;		/* what passes */
	__u64 cookie;
	__u64 ino;		/* of the backing object */
	__u32 dev;
	__u32 generation;	/* of the policy that decided */
	__u32 current;		/* generation in force, 0: no policy yet */
	__u32 attached;		/* there is a backing object */
	__u32 at_server;	/* the verdict gave the inode to the server */
	__u32 registered;	/* by the server; no policy decides */
	__u32 parts;		/* as in struct trace_event */
	__u32 pad;
	char path[TRACE_PATH_SIZE];
};

/* Offsets in structures of the kernel, from its types. */
struct trace_offsets {
	__u32 req_args, req_in, req_out, req_chan;
	__u32 chan_conn, conn_dev;
	__u32 args_in, args_out;
	__u32 fuse_inode_nodeid;
	__u32 task_nameidata, nameidata_path, path_dentry;
	__u32 dentry_parent, dentry_name, dentry_inode, dentry_sb;
	__u32 qstr_name, inode_sb, sb_dev, inode_ino;
	__u32 task_files, files_fdt, fdt_fd, file_inode;
	__u32 fuse_inode_fb, fb_path, fb_mask, fb_cookie, fb_gen, fb_at_server, fb_file;
	__u32 sb_fs_info, fm_fc, conn_gen;
};

#endif
