// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads trace.bpf.c, and makes paths of the numbers that its events have.
 *
 * An event tells the node it is about, and where the path walk of its task was. What is
 * learned of one event names the nodes of later ones: a directory is known as soon as a
 * name in it was looked up, a file as soon as it was looked up or opened.
 */
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "lib.h"
#include "trace.h"

/* The object is part of the command: no file of it has to be found. */
__asm__(".section .rodata\n"
	".balign 8\n"
	"trace_object: .incbin \"" TRACE_OBJECT "\"\n"
	"trace_object_end: .byte 0\n"
	".previous\n");
extern const char trace_object[], trace_object_end[];

#define NR_NODES	(1 << 15)
#define NR_PROGRAMS	5

struct node {
	uint64_t id;
	uint32_t connection;
	char *path;
};

struct trace {
	struct bpf_object *obj;
	struct bpf_link *links[NR_PROGRAMS];
	struct ring_buffer *ring;
	struct node nodes[NR_NODES];	/* by a hash; who comes later takes the place */
	bool no_state;			/* the kernel's inodes are not as we know them */
	trace_fn fn;
	void *arg;
};

/* Offsets -------------------------------------------------------------------- */

/* The module's own type comes before one of the same name in vmlinux. */
static const struct btf_type *find_struct(const struct lib_btf *b, const char *name)
{
	uint32_t id = b->module ? btf__type_cnt(b->base) : 1;
	const struct btf_type *t;

	for (; id < btf__type_cnt(b->btf); id++) {
		t = btf__type_by_id(b->btf, id);
		if (btf_is_struct(t) &&
		    !strcmp(btf__name_by_offset(b->btf, t->name_off), name))
			return t;
	}
	id = btf__find_by_name_kind(b->btf, name, BTF_KIND_STRUCT);
	return (int32_t)id < 0 ? NULL : btf__type_by_id(b->btf, id);
}

/* In bits, also within members without a name; -1: none. */
static int64_t find_member(const struct btf *btf, const struct btf_type *t,
			   const char *name)
{
	const struct btf_member *m = btf_members(t);
	const struct btf_type *inner;
	const char *is;
	int64_t at;

	for (unsigned int i = 0; i < btf_vlen(t); i++, m++) {
		is = btf__name_by_offset(btf, m->name_off);
		if (!strcmp(is, name))
			return btf_member_bit_offset(t, i);
		inner = btf__type_by_id(btf, m->type);
		if (*is || !btf_is_composite(inner))
			continue;
		at = find_member(btf, inner, name);
		if (at >= 0)
			return at + btf_member_bit_offset(t, i);
	}
	return -1;
}

#define OFFSET(member, type, name) \
	{ offsetof(struct trace_offsets, member), type, name }

static const struct {
	size_t to;
	const char *type, *member;
} wanted[] = {
	OFFSET(req_args, "fuse_req", "args"),
	OFFSET(req_in, "fuse_req", "in"),
	OFFSET(req_out, "fuse_req", "out"),
	OFFSET(req_chan, "fuse_req", "chan"),
	OFFSET(chan_conn, "fuse_chan", "conn"),
	OFFSET(conn_dev, "fuse_conn", "dev"),
	OFFSET(args_in, "fuse_args", "in_args"),
	OFFSET(args_out, "fuse_args", "out_args"),
	OFFSET(fuse_inode_nodeid, "fuse_inode", "nodeid"),
	OFFSET(task_nameidata, "task_struct", "nameidata"),
	OFFSET(nameidata_path, "nameidata", "path"),
	OFFSET(path_dentry, "path", "dentry"),
	OFFSET(dentry_parent, "dentry", "d_parent"),
	OFFSET(dentry_name, "dentry", "d_name"),
	OFFSET(dentry_inode, "dentry", "d_inode"),
	OFFSET(dentry_sb, "dentry", "d_sb"),
	OFFSET(qstr_name, "qstr", "name"),
	OFFSET(inode_sb, "inode", "i_sb"),
	OFFSET(sb_dev, "super_block", "s_dev"),
	OFFSET(inode_ino, "inode", "i_ino"),
	OFFSET(task_files, "task_struct", "files"),
	OFFSET(files_fdt, "files_struct", "fdt"),
	OFFSET(fdt_fd, "fdtable", "fd"),
	OFFSET(file_inode, "file", "f_inode"),
	OFFSET(fuse_inode_fb, "fuse_inode", "fb"),
	OFFSET(fb_path, "fuse_backing", "path"),
	OFFSET(fb_mask, "fuse_backing", "ops_mask"),
	OFFSET(fb_cookie, "fuse_backing", "cookie"),
	OFFSET(fb_gen, "fuse_backing", "rules_gen"),
	OFFSET(fb_at_server, "fuse_backing", "at_server"),
	OFFSET(fb_file, "fuse_backing", "file"),
	OFFSET(sb_fs_info, "super_block", "s_fs_info"),
	OFFSET(fm_fc, "fuse_mount", "fc"),
	OFFSET(conn_gen, "fuse_conn", "rules_gen"),
};

/* Only trace_inode() needs those from inode_ino on. */
#define NEEDED(i)	(wanted[i].to < offsetof(struct trace_offsets, inode_ino))

static int find_offsets(struct trace_offsets *o, bool *module, bool *no_state)
{
	_cleanup_btf_ struct lib_btf b = { NULL, NULL, NULL };
	const struct btf_type *t;
	int64_t at;

	if (lib_btf_find(&b, "fuse_policy_ops", BTF_KIND_STRUCT)) {
		lib_error_set("this kernel has no struct fuse_policy_ops");
		return -ENOTSUP;
	}
	*module = b.module;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		t = find_struct(&b, wanted[i].type);
		at = t ? find_member(b.btf, t, wanted[i].member) : -1;
		if (at < 0) {
			lib_error_set("this kernel's struct %s has no %s",
				      wanted[i].type, wanted[i].member);
			*no_state = true;
			if (NEEDED(i))
				return -ENOTSUP;
			continue;
		}
		*(uint32_t *)((char *)o + wanted[i].to) = at / 8;
	}
	return 0;
}

/* Starting ------------------------------------------------------------------- */

/* Names of trace points in the kernel's own FUSE, and in the module. */
static const struct {
	const char *program, *own, *module;
} programs[NR_PROGRAMS] = {
	{ "request_send", "fuse_request_send", "fusepass_request_send" },
	{ "request_end", "fuse_request_end", "fusepass_request_end" },
	{ "policy_verdict", "fuse_policy_verdict", "fuse_policy_verdict" },
	{ "policy_open", "fuse_policy_open", "fuse_policy_open" },
	{ "policy_fallback", "fuse_policy_fallback", "fuse_policy_fallback" },
};

/* The variables that the program has before it is loaded. */
static int set_variable(struct trace *t, const char *name, const void *value,
			size_t size)
{
	const struct btf *btf = bpf_object__btf(t->obj);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *sec = id < 0 ? NULL : btf__type_by_id(btf, id);
	struct bpf_map *map = bpf_object__find_map_by_name(t->obj, ".rodata");
	size_t room = 0;
	char *data = map ? bpf_map__initial_value(map, &room) : NULL;
	const struct btf_var_secinfo *v;
	const struct btf_type *var;

	for (unsigned int i = 0; sec && data && i < btf_vlen(sec); i++) {
		v = btf_var_secinfos(sec) + i;
		var = btf__type_by_id(btf, v->type);
		if (strcmp(btf__name_by_offset(btf, var->name_off), name) ||
		    v->offset + size > room)
			continue;
		memcpy(data + v->offset, value, size);
		return 0;
	}
	return -EINVAL;
}

static int attach_all(struct trace *t, bool module)
{
	struct bpf_program *p;

	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		p = bpf_object__find_program_by_name(t->obj, programs[i].program);
		t->links[i] = bpf_program__attach_raw_tracepoint(p, module ?
						programs[i].module : programs[i].own);
		if (!t->links[i])
			return -errno;
	}
	return 0;
}

static int load(struct trace *t, uint32_t connection, bool requests)
{
	struct trace_offsets offsets = { 0 };
	uint32_t only = requests;
	bool module = false;
	int ret = find_offsets(&offsets, &module, &t->no_state);

	if (ret)
		return ret;
	t->obj = bpf_object__open_mem(trace_object, trace_object_end - trace_object,
				      NULL);
	if (!t->obj)
		return -errno;
	ret = set_variable(t, "at", &offsets, sizeof(offsets));
	if (!ret)
		ret = set_variable(t, "only_connection", &connection, sizeof(connection));
	if (!ret)
		ret = set_variable(t, "only_requests", &only, sizeof(only));
	if (!ret)
		ret = bpf_object__load(t->obj);
	return ret ?: attach_all(t, module);
}

static int event(void *arg, void *data, size_t size);

int trace_start(uint32_t connection, bool requests, trace_fn fn, void *arg,
		struct trace **trace)
{
	struct trace *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	lib_error_clear();
	lib_bpf_quiet();
	t->fn = fn;
	t->arg = arg;
	ret = load(t, connection, requests);
	if (!ret) {
		t->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(t->obj, "events"),
					   event, t, NULL);
		ret = t->ring ? 0 : -errno;
	}
	if (ret) {
		lib_error_from_bpf("trace points");
		trace_stop(t);
	} else {
		*trace = t;
	}
	return ret;
}

void trace_stop(struct trace *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < NR_PROGRAMS; i++)
		bpf_link__destroy(t->links[i]);
	ring_buffer__free(t->ring);
	bpf_object__close(t->obj);
	for (size_t i = 0; i < NR_NODES; i++)
		free(t->nodes[i].path);
	free(t);
}

int trace_poll(struct trace *t, int milliseconds)
{
	int ret = ring_buffer__poll(t->ring, milliseconds);

	return ret < 0 ? ret : 0;
}

int trace_take(struct trace *t)
{
	int ret = ring_buffer__consume(t->ring);

	return ret < 0 ? ret : 0;
}

int trace_inode(struct trace *t, int fd, struct trace_state *state)
{
	struct bpf_program *p = bpf_object__find_program_by_name(t->obj, "inode_state");
	int map = bpf_object__find_map_fd_by_name(t->obj, "state");
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint32_t key = 0;
	int ret;

	if (t->no_state)
		return -ENOTSUP;
	*state = (struct trace_state){ .fd = fd };
	ret = bpf_map_update_elem(map, &key, state, BPF_ANY);
	if (!ret)
		ret = bpf_prog_test_run_opts(bpf_program__fd(p), &opts);
	return ret ?: bpf_map_lookup_elem(map, &key, state);
}

uint64_t trace_lost(const struct trace *t)
{
	struct bpf_map *map = bpf_object__find_map_by_name(t->obj, ".bss");
	uint64_t lost = 0;
	uint32_t key = 0;

	if (map && bpf_map__value_size(map) == sizeof(lost))
		bpf_map__lookup_elem(map, &key, sizeof(key), &lost, sizeof(lost), 0);
	return lost;
}

/* Paths ---------------------------------------------------------------------- */

static struct node *node_slot(struct trace *t, uint32_t connection, uint64_t id)
{
	uint64_t h = (id ^ (uint64_t)connection << 40) * 0x9e3779b97f4a7c15ULL;

	return &t->nodes[h >> 32 & (NR_NODES - 1)];
}

/* "" of the root, so that a name can be put behind it. */
static const char *node_path(struct trace *t, uint32_t connection, uint64_t id)
{
	struct node *n = node_slot(t, connection, id);

	if (id <= 1)
		return "";
	return n->path && n->id == id && n->connection == connection ? n->path : NULL;
}

static void node_learn(struct trace *t, uint32_t connection, uint64_t id,
		       const char *path)
{
	struct node *n = node_slot(t, connection, id);

	if (id <= 1 || (n->path && n->id == id && n->connection == connection &&
			!strcmp(n->path, path)))
		return;
	free(n->path);
	*n = (struct node){ .id = id, .connection = connection, .path = strdup(path) };
}

/* At most TRACE_PATH_SIZE bytes of strings. */
void trace_path(const char *parts, uint32_t nr, char path[PATH_MAX])
{
	const char *part[64], *p = parts, *end = parts + TRACE_PATH_SIZE - 1;
	char *out = path;
	uint32_t i;

	*out = '\0';
	nr = nr < 64 ? nr : 64;
	for (i = 0; i < nr && p < end; i++) {
		part[i] = p;
		p += strnlen(p, end - p) + 1;
	}
	while (i--)
		out += sprintf(out, "/%s", part[i]);
}

/* What it is about, or NULL. */
static const char *event_path(struct trace *t, const struct trace_event *e,
			      char path[PATH_MAX])
{
	const char *dir;

	if (e->walk_node) {
		trace_path(e->path, e->parts, path);
		node_learn(t, e->connection, e->walk_node, path);
	}
	dir = node_path(t, e->connection, e->node);
	if (!dir)
		return NULL;
	if (!e->name[0] || e->kind == TRACE_FALLBACK)
		return *dir ? dir : "/";
	if (snprintf(path, PATH_MAX, "%s/%s", dir, e->name) >= PATH_MAX)
		return NULL;
	if (e->child)
		node_learn(t, e->connection, e->child, path);
	return path;
}

static int event(void *arg, void *data, size_t size)
{
	struct trace *t = arg;
	char path[PATH_MAX];

	if (size >= sizeof(struct trace_event))
		t->fn(data, event_path(t, data, path), t->arg);
	return 0;
}
