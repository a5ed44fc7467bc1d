// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the trace points of FUSE tell, for trace.c.
 *
 * A raw trace point has the kernel's structures as arguments. They are read at offsets
 * that the loader took from the kernel's types, so that the kernel's own FUSE and the
 * module fusepass.ko are read alike. A path comes from the walk that the task is in: it
 * is at the directory when a name is looked up, and at the file when that is opened.
 */
/* The hook's own structures are read as a whole. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "vmlinux.h"
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "fusepass_abi.h"
#include "trace_event.h"

char _license[] SEC("license") = "GPL";

/* Set by the loader. */
const volatile struct trace_offsets at = {};
/* 0: of all. */
const volatile __u32 only_connection = 0;
const volatile __u32 only_requests = 0;

#define DEPTH	32

/* As in <linux/fuse.h>. */
struct in_header {
	__u32 len;
	__u32 opcode;
	__u64 unique;
	__u64 nodeid;
	__u32 uid;
	__u32 gid;
	__u32 pid;
};

struct out_header {
	__u32 len;
	__s32 error;
	__u64 unique;
};

/* struct fuse_in_arg and struct fuse_arg. */
struct arg {
	__u64 size;
	const void *value;
};

struct key {
	__u64 unique;
	__u64 connection;
};

/* Requests that are not answered yet. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct key);
	__type(value, struct trace_event);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* How many did not fit. */
__u64 lost = 0;

static const struct trace_event nothing = {};

static const void *pointer(const void *from, __u32 offset)
{
	const void *p = NULL;

	bpf_probe_read_kernel(&p, sizeof(p), from + offset);
	return p;
}

static __u32 number(const void *from, __u32 offset)
{
	__u32 n = 0;

	bpf_probe_read_kernel(&n, sizeof(n), from + offset);
	return n;
}

static __u64 node_of(const void *inode)
{
	__u64 n = 0;

	if (inode)
		bpf_probe_read_kernel(&n, sizeof(n), inode + at.fuse_inode_nodeid);
	return n;
}

/* The names from a dentry up to the root of its file system; 0 if that is too deep. */
static int read_path(char path[TRACE_PATH_SIZE], const void *dentry, __u32 *parts)
{
	const void *parent, *name;
	__u32 used = 0;
	long len;

	for (int i = 0; i < DEPTH; i++) {
		parent = pointer(dentry, at.dentry_parent);
		if (!parent || parent == dentry)
			return 1;
		if (used > TRACE_PATH_SIZE - TRACE_NAME_SIZE)
			break;
		name = pointer(dentry, at.dentry_name + at.qstr_name);
		len = bpf_probe_read_kernel_str(path + used, TRACE_NAME_SIZE, name);
		if (len <= 0)
			break;
		used += len;
		*parts = i + 1;
		dentry = parent;
	}
	return 0;
}

static void read_walk(struct trace_event *e)
{
	const void *task = (const void *)bpf_get_current_task();
	const void *nd = pointer(task, at.task_nameidata);
	const void *dentry;

	if (!nd)
		return;
	dentry = pointer(nd, at.nameidata_path + at.path_dentry);
	if (!dentry ||
	    number(pointer(dentry, at.dentry_sb), at.sb_dev) != e->connection)
		return;
	e->walk_node = node_of(pointer(dentry, at.dentry_inode));
	if (e->walk_node && !read_path(e->path, dentry, &e->parts))
		e->walk_node = 0;
}

static void begin(struct trace_event *e, __u32 kind, __u32 connection)
{
	e->time = bpf_ktime_get_ns();
	e->kind = kind;
	e->connection = connection;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	read_walk(e);
}

static int wanted(__u32 connection)
{
	return !only_connection || connection == only_connection;
}

static struct trace_event *reserve(__u32 kind, __u32 connection)
{
	struct trace_event *e;

	if (!wanted(connection) || only_requests)
		return NULL;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return NULL;
	}
	__builtin_memset(e, 0, offsetof(struct trace_event, comm));
	e->name[0] = '\0';
	begin(e, kind, connection);
	return e;
}

/* Requests ------------------------------------------------------------------- */

/* Is it about a name in the directory? */
static int has_name(__u32 opcode)
{
	switch (opcode) {
	case 1:		/* LOOKUP */
	case 6:		/* SYMLINK */
	case 8:		/* MKNOD */
	case 9:		/* MKDIR */
	case 10:	/* UNLINK */
	case 11:	/* RMDIR */
	case 12:	/* RENAME */
	case 13:	/* LINK */
	case 35:	/* CREATE */
	case 45:	/* RENAME2 */
		return 1;
	}
	return 0;
}

/* The second argument; the first is what else there is to say, which may be nothing. */
static void read_name(struct trace_event *e, const void *req)
{
	struct arg arg = {};

	if (!has_name(e->opcode))
		return;
	bpf_probe_read_kernel(&arg, sizeof(arg),
			      pointer(req, at.req_args) + at.args_in + sizeof(arg));
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), arg.value);
}

static __u32 connection_of(const void *req)
{
	const void *chan = pointer(req, at.req_chan);

	return number(pointer(chan, at.chan_conn), at.conn_dev);
}

SEC("raw_tp")
int request_send(__u64 *ctx)
{
	const void *req = (const void *)ctx[0];
	struct in_header h = {};
	struct trace_event *e;
	struct key key;

	key.connection = connection_of(req);
	if (!wanted(key.connection))
		return 0;
	bpf_probe_read_kernel(&h, sizeof(h), req + at.req_in);
	key.unique = h.unique;
	bpf_map_update_elem(&pending, &key, &nothing, BPF_ANY);
	e = bpf_map_lookup_elem(&pending, &key);
	if (!e)
		return 0;
	begin(e, TRACE_REQUEST, key.connection);
	e->node = h.nodeid;
	e->opcode = h.opcode;
	read_name(e, req);
	return 0;
}

/* A reply to these begins with the node that the name leads to. */
static int has_entry(__u32 opcode)
{
	return opcode == 1 || opcode == 6 || opcode == 8 || opcode == 9 ||
	       opcode == 13 || opcode == 35;
}

SEC("raw_tp")
int request_end(__u64 *ctx)
{
	const void *req = (const void *)ctx[0];
	struct out_header h = {};
	struct trace_event *e;
	struct arg arg = {};
	struct key key;

	key.connection = connection_of(req);
	bpf_probe_read_kernel(&h, sizeof(h), req + at.req_out);
	/* An aborted request has no answer with a number. */
	bpf_probe_read_kernel(&key.unique, sizeof(key.unique),
			      req + at.req_in + offsetof(struct in_header, unique));
	e = bpf_map_lookup_elem(&pending, &key);
	if (!e)
		return 0;
	e->took = bpf_ktime_get_ns() - e->time;
	e->result = h.error;
	if (!h.error && has_entry(e->opcode)) {
		bpf_probe_read_kernel(&arg, sizeof(arg),
				      pointer(req, at.req_args) + at.args_out);
		bpf_probe_read_kernel(&e->child, sizeof(e->child), arg.value);
	}
	if (bpf_ringbuf_output(&events, e, sizeof(*e), 0))
		__sync_fetch_and_add(&lost, 1);
	bpf_map_delete_elem(&pending, &key);
	return 0;
}

/* Policies ------------------------------------------------------------------- */

SEC("raw_tp")
int policy_verdict(__u64 *ctx)
{
	struct fuse_policy_lookup l;
	struct trace_event *e;

	e = reserve(TRACE_VERDICT, number((const void *)ctx[0], at.conn_dev));
	if (!e)
		return 0;
	bpf_probe_read_kernel(&l, sizeof(l), (const void *)ctx[1]);
	e->node = l.parent_nodeid;
	e->child = l.ino;
	e->flags = l.flags;
	e->opcode = l.mode;
	e->result = (int)ctx[3];
	/* struct fuse_verdict begins with it. */
	bpf_probe_read_kernel(&e->mask, sizeof(e->mask), (const void *)ctx[2]);
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), l.name);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp")
int policy_open(__u64 *ctx)
{
	struct fuse_policy_open o;
	struct trace_event *e;

	e = reserve(TRACE_OPEN, number((const void *)ctx[0], at.conn_dev));
	if (!e)
		return 0;
	bpf_probe_read_kernel(&o, sizeof(o), (const void *)ctx[1]);
	e->node = o.ino;
	e->flags = o.flags;
	e->result = (int)ctx[2];
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp")
int policy_fallback(__u64 *ctx)
{
	const void *dir = (const void *)ctx[0];
	struct trace_event *e;

	e = reserve(TRACE_FALLBACK, number(pointer(dir, at.inode_sb), at.sb_dev));
	if (!e)
		return 0;
	e->node = node_of(dir);
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), (const void *)ctx[1]);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* The state of an inode ------------------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_state);
} state SEC(".maps");

static __u64 wide(const void *from, __u32 offset)
{
	return (__u64)pointer(from, offset);
}

/* The file of this task with the number. */
static const void *file_of(__s32 fd)
{
	const void *task = (const void *)bpf_get_current_task();
	const void *fdt = pointer(pointer(task, at.task_files), at.files_fdt);

	return pointer(pointer(fdt, at.fdt_fd), fd * sizeof(void *));
}

static void read_backing(struct trace_state *s, const void *fb)
{
	const void *dentry = pointer(fb, at.fb_path + at.path_dentry);
	const void *inode = pointer(dentry, at.dentry_inode);
	__u8 byte = 0;

	s->attached = 1;
	s->registered = !!pointer(fb, at.fb_file);
	s->mask = wide(fb, at.fb_mask);
	s->cookie = wide(fb, at.fb_cookie);
	s->generation = number(fb, at.fb_gen);
	bpf_probe_read_kernel(&byte, sizeof(byte), fb + at.fb_at_server);
	s->at_server = byte;
	s->ino = wide(inode, at.inode_ino);
	s->dev = number(pointer(inode, at.inode_sb), at.sb_dev);
	read_path(s->path, dentry, &s->parts);
}

SEC("syscall")
int inode_state(void *ctx)
{
	const void *inode, *fb, *sb, *fc;
	__u32 key = 0;
	struct trace_state *s = bpf_map_lookup_elem(&state, &key);

	if (!s)
		return 0;
	inode = pointer(file_of(s->fd), at.file_inode);
	sb = pointer(inode, at.inode_sb);
	fc = pointer(pointer(sb, at.sb_fs_info), at.fm_fc);
	s->connection = number(sb, at.sb_dev);
	s->current = number(fc, at.conn_gen);
	s->node = node_of(inode);
	fb = pointer(inode, at.fuse_inode_fb);
	if (fb)
		read_backing(s, fb);
	return 0;
}
