// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which nodeid is which object.
 *
 * A node is what the kernel knows of us: nodeid and number of lookups. It does
 * not keep its object open. The object is found again when a request needs it:
 *
 *   1. an O_PATH fd in the cache, a bounded list of the latest used ones;
 *   2. its file handle, which follows renames and holds for unlinked files;
 *   3. parent and name, where there are no file handles (some file systems,
 *      mounts beneath the source), checked against the number it had;
 *   4. the kernel, for nodes that it made by itself from a policy.
 *
 * nodeid is the inode number where that is unique (same mount and device as
 * the source); "foreign" objects get numbers with the top bit set. One mutex
 * covers the table, the cache and every member of struct node; it is never
 * held over a system call that may wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "server.h"

#define NODE_CACHED_MAX		256	/* idle O_PATH fds */
#define NODE_HASH_MIN		1024	/* buckets; a power of two */

struct node {
	struct node *id_next;		/* bucket of by_id */
	struct node *key_next;		/* bucket of by_key; foreign nodes */
	uint64_t nodeid;
	uint64_t nlookup;		/* 0: no longer in the table */
	uint64_t ino, mnt;
	uint32_t dev_major, dev_minor;
	uint32_t generation;		/* another object, another value */
	unsigned int refs;		/* table, users, children */
	unsigned int pins;		/* > 0: its fd is not evicted */
	struct path_fd *path;		/* cached fd, holds a reference */
	struct file_handle *handle;	/* NULL: found by parent and name */
	struct node *parent;		/* holds a reference; may be NULL */
	char *name;			/* in parent */
};

struct node_table {
	pthread_mutex_t lock;
	struct node **by_id, **by_key;
	size_t buckets, count;
	uint64_t next_foreign;
	uint64_t root_mnt;
	uint32_t root_major, root_minor;
	struct path_fd idle;		/* head of the list, newest first */
	unsigned int cached;
	struct node *root;
};

static void table_unlock(pthread_mutex_t **lock)
{
	if (*lock)
		pthread_mutex_unlock(*lock);
}

#define TABLE_GUARD(t)							\
	__attribute__((cleanup(table_unlock), unused))			\
	pthread_mutex_t *_guard = (pthread_mutex_lock(&(t)->lock), &(t)->lock)

struct proc_path proc_path_of(int fd)
{
	struct proc_path p;

	snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", fd);
	return p;
}

/* Hashing ---------------------------------------------------------------- */

static size_t bucket_of(const struct node_table *t, uint64_t v)
{
	return (v * 0x9e3779b97f4a7c15ULL >> 32) & (t->buckets - 1);
}

static uint64_t node_key(uint64_t mnt, uint32_t major, uint32_t minor,
			 uint64_t ino)
{
	return ino ^ mnt << 40 ^ (uint64_t)major << 52 ^ (uint64_t)minor << 20;
}

static struct node *find_id(const struct node_table *t, uint64_t nodeid)
{
	struct node *n = t->by_id[bucket_of(t, nodeid)];

	while (n && n->nodeid != nodeid)
		n = n->id_next;
	return n;
}

static bool node_is(const struct node *n, const struct statx *stx)
{
	return n->ino == stx->stx_ino && n->mnt == stx->stx_mnt_id &&
	       n->dev_major == stx->stx_dev_major &&
	       n->dev_minor == stx->stx_dev_minor;
}

static uint64_t key_of(const struct node *n)
{
	return node_key(n->mnt, n->dev_major, n->dev_minor, n->ino);
}

static void hash_link(struct node_table *t, struct node *n)
{
	struct node **b = &t->by_id[bucket_of(t, n->nodeid)];

	n->id_next = *b;
	*b = n;
	if (!(n->nodeid & SERVER_FOREIGN_BIT))
		return;
	b = &t->by_key[bucket_of(t, key_of(n))];
	n->key_next = *b;
	*b = n;
}

static void hash_unlink(struct node_table *t, struct node *n)
{
	struct node **b = &t->by_id[bucket_of(t, n->nodeid)];

	while (*b != n)
		b = &(*b)->id_next;
	*b = n->id_next;
	if (!(n->nodeid & SERVER_FOREIGN_BIT))
		return;
	b = &t->by_key[bucket_of(t, key_of(n))];
	while (*b != n)
		b = &(*b)->key_next;
	*b = n->key_next;
}

/* Doubles the buckets. Without memory the chains just get longer. */
static void hash_grow(struct node_table *t)
{
	struct node_table old = *t;
	struct node **ids = calloc(t->buckets * 2, sizeof(*ids));
	struct node **keys = calloc(t->buckets * 2, sizeof(*keys));
	size_t i;

	if (!ids || !keys) {
		free(ids);
		free(keys);
		return;
	}
	t->by_id = ids;
	t->by_key = keys;
	t->buckets *= 2;
	for (i = 0; i < old.buckets; i++) {
		struct node *n = old.by_id[i], *next;

		for (; n; n = next) {
			next = n->id_next;
			hash_link(t, n);
		}
	}
	free(old.by_id);
	free(old.by_key);
}

/* The cache of O_PATH fds ------------------------------------------------ */

static void idle_remove(struct node_table *t, struct path_fd *p)
{
	if (!p->newer)
		return;
	p->newer->older = p->older;
	p->older->newer = p->newer;
	p->newer = p->older = NULL;
	t->cached--;
}

static void idle_add(struct node_table *t, struct path_fd *p)
{
	p->newer = &t->idle;
	p->older = t->idle.older;
	p->older->newer = p;
	t->idle.older = p;
	t->cached++;
}

/* Drops a reference; whoever gets a path_fd back frees it, unlocked. */
static struct path_fd *path_drop(struct path_fd *p)
{
	return --p->refs ? NULL : p;
}

static void path_free(struct path_fd *p)
{
	if (!p)
		return;
	close(p->fd);
	free(p);
}

/* Takes the fd out of the cache. */
static struct path_fd *path_uncache(struct node_table *t, struct path_fd *p)
{
	idle_remove(t, p);
	p->node->path = NULL;
	p->node = NULL;
	return path_drop(p);
}

/* Makes room for one; what has to be closed is returned. */
static struct path_fd *cache_evict(struct node_table *t)
{
	if (t->cached <= NODE_CACHED_MAX)
		return NULL;
	return path_uncache(t, t->idle.newer);
}

/* The cached fd with a reference for the caller. */
static struct path_fd *cache_get(struct node_table *t, struct node *n)
{
	struct path_fd *p = n->path;

	p->refs++;
	if (p->newer) {
		idle_remove(t, p);
		idle_add(t, p);
	}
	return p;
}

static void cache_put_in(struct node_table *t, struct node *n,
			 struct path_fd *p)
{
	n->path = p;
	p->node = n;
	p->refs++;
	if (!n->pins)
		idle_add(t, p);
}

void path_put(struct server *srv, struct path_fd *path)
{
	struct node_table *t = srv->nodes;
	struct path_fd *dead;

	pthread_mutex_lock(&t->lock);
	dead = path_drop(path);
	pthread_mutex_unlock(&t->lock);
	path_free(dead);
}

static struct path_fd *path_new(int fd)
{
	struct path_fd *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return NULL;
	}
	p->fd = fd;
	p->refs = 1;
	return p;
}

/* Nodes ------------------------------------------------------------------ */

/* Drops references up the chain of parents. */
static void node_drop(struct node *n)
{
	while (n && --n->refs == 0) {
		struct node *parent = n->parent;

		free(n->handle);
		free(n->name);
		free(n);
		n = parent;
	}
}

static void node_set_place(struct node *n, struct node *parent,
			   const char *name)
{
	char *copy = name ? strdup(name) : NULL;

	if (!copy || !parent || parent == n) {
		free(copy);
		return;
	}
	parent->refs++;
	node_drop(n->parent);
	free(n->name);
	n->parent = parent;
	n->name = copy;
}

/* The file handle of @fd; NULL where there are none or we may not use them. */
static struct file_handle *handle_of(int fd)
{
	struct file_handle *h = calloc(1, sizeof(*h) + MAX_HANDLE_SZ);
	struct file_handle *small;
	int mount_id;

	if (!h)
		return NULL;
	h->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", h, &mount_id, AT_EMPTY_PATH)) {
		free(h);
		return NULL;
	}
	small = realloc(h, sizeof(*h) + h->handle_bytes);
	return small ? small : h;
}

/*
 * A number that differs when the same inode number names another object. The
 * kernel compares 32 bits.
 */
static uint32_t generation_of(const struct file_handle *h,
			      const struct statx *stx)
{
	const unsigned char *bytes = h ? h->f_handle :
				     (const void *)&stx->stx_btime;
	size_t i, len = h ? h->handle_bytes : sizeof(stx->stx_btime);
	uint32_t hash = 2166136261u;

	for (i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static bool on_root_dev(const struct node_table *t, const struct statx *stx)
{
	return stx->stx_dev_major == t->root_major &&
	       stx->stx_dev_minor == t->root_minor;
}

static bool is_native(const struct node_table *t, const struct statx *stx)
{
	return stx->stx_mnt_id == t->root_mnt && on_root_dev(t, stx) &&
	       stx->stx_ino > SERVER_ROOT_ID &&
	       !(stx->stx_ino & SERVER_FOREIGN_BIT);
}

static void node_set_object(struct node *n, const struct statx *stx,
			    struct file_handle *handle, uint32_t generation)
{
	n->ino = stx->stx_ino;
	n->mnt = stx->stx_mnt_id;
	n->dev_major = stx->stx_dev_major;
	n->dev_minor = stx->stx_dev_minor;
	n->generation = generation;
	free(n->handle);
	n->handle = handle;
}

static struct node *node_new(struct node_table *t, uint64_t nodeid,
			     const struct statx *stx)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	if (!nodeid)
		nodeid = is_native(t, stx) ? stx->stx_ino :
			 SERVER_FOREIGN_BIT | t->next_foreign++;
	n->nodeid = nodeid;
	n->refs = 1;
	node_set_object(n, stx, NULL, 0);
	if (++t->count > t->buckets)
		hash_grow(t);
	hash_link(t, n);
	return n;
}

static struct node *node_find(struct node_table *t, uint64_t nodeid,
			      const struct statx *stx)
{
	uint64_t key = node_key(stx->stx_mnt_id, stx->stx_dev_major,
				stx->stx_dev_minor, stx->stx_ino);
	struct node *n;

	if (nodeid)
		return find_id(t, nodeid);
	if (is_native(t, stx))
		return find_id(t, stx->stx_ino);
	n = t->by_key[bucket_of(t, key)];
	while (n && !node_is(n, stx))
		n = n->key_next;
	return n;
}

/* One object as node_enter_locked() gets it. */
struct node_object {
	uint64_t nodeid;		/* 0: to be chosen */
	uint64_t parent;		/* nodeid, 0: unknown */
	const char *name;
	struct file_handle *handle;	/* ours to keep or to free */
	struct path_fd *path;		/* one reference, the caller's */
};

/*
 * Finds or makes the node and counts one lookup, all under one lock, so that
 * two lookups of one name cannot make two nodes, and no FORGET comes between.
 */
static int node_enter_locked(struct node_table *t, struct node_object *o,
			     struct node_entry *e, struct path_fd *dead[2])
{
	struct node *n = node_find(t, o->nodeid, &e->stx);

	e->generation = generation_of(o->handle, &e->stx);
	if (!n)
		n = node_new(t, o->nodeid, &e->stx);
	if (!n)
		return -ENOMEM;
	if (n->path && n->generation != e->generation)
		dead[0] = path_uncache(t, n->path);
	if (n != t->root)
		node_set_object(n, &e->stx, util_take_ptr(o->handle),
				e->generation);
	if (!n->handle && o->parent)
		node_set_place(n, find_id(t, o->parent), o->name);
	if (!n->path)
		cache_put_in(t, n, o->path);
	dead[1] = cache_evict(t);
	n->nlookup++;
	e->nodeid = n->nodeid;
	return 0;
}

static int node_enter_object(struct server *srv, struct node_object *o, int fd,
			     struct node_entry *entry)
{
	struct node_table *t = srv->nodes;
	struct path_fd *dead[2] = { NULL, NULL };
	int ret;

	/* A handle of another file system could name a wrong object here. */
	if (entry->stx.stx_mnt_id == t->root_mnt ||
	    (o->nodeid && on_root_dev(t, &entry->stx)))
		o->handle = handle_of(fd);
	o->path = path_new(fd);
	if (!o->path) {
		free(o->handle);
		return -ENOMEM;
	}
	pthread_mutex_lock(&t->lock);
	ret = node_enter_locked(t, o, entry, dead);
	pthread_mutex_unlock(&t->lock);
	path_free(dead[0]);
	path_free(dead[1]);
	path_put(srv, o->path);
	free(o->handle);
	return ret;
}

/* Is it on the mount that we serve? The number of the connection is that of its device. */
static bool is_ours(const struct server *srv, const struct statx *stx)
{
	return srv->connection &&
	       (stx->stx_dev_major << 20 | stx->stx_dev_minor) == srv->connection;
}

/*
 * Enters the object behind the O_PATH fd, found as @name in the node @parent
 * (0: nowhere), and counts one lookup. Consumes @fd. -EXDEV: it is on our own mount,
 * which nobody could unmount if we held on to it.
 */
int node_enter(struct server *srv, uint64_t parent, const char *name, int fd,
	       struct node_entry *entry)
{
	struct node_object o = { .parent = parent, .name = name };
	int err = 0;

	if (statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &entry->stx))
		err = -errno;
	else if (is_ours(srv, &entry->stx))
		err = -EXDEV;
	if (err) {
		close(fd);
		return err;
	}
	return node_enter_object(srv, &o, fd, entry);
}

void node_forget(struct server *srv, uint64_t nodeid, uint64_t count)
{
	struct node_table *t = srv->nodes;
	struct path_fd *dead = NULL;
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, nodeid);
	if (n && n != t->root) {
		n->nlookup -= count < n->nlookup ? count : n->nlookup;
		if (!n->nlookup) {
			hash_unlink(t, n);
			t->count--;
			if (n->path)
				dead = path_uncache(t, n->path);
			node_drop(n);
		}
	}
	pthread_mutex_unlock(&t->lock);
	path_free(dead);
}

/* Finding the object of a node again ------------------------------------- */

static int open_by_handle(struct server *srv, const struct file_handle *h)
{
	int fd = open_by_handle_at(srv->root_fd, (struct file_handle *)h,
				   O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* By way of a copy of the directory's mount, on which nothing is mounted. */
static int open_beneath(int dirfd, const char *name)
{
	_cleanup_fd_ int tree = open_tree(dirfd, "", AT_EMPTY_PATH |
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int fd = tree < 0 ? -1 : openat(tree, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* And then on the mount that is served. */
int node_enter_beneath(struct server *srv, uint64_t parent, const char *name,
		       int dirfd, struct node_entry *entry)
{
	_cleanup_fd_ int beneath = open_beneath(dirfd, name);
	_cleanup_free_ struct file_handle *h = NULL;
	struct statx stx;
	int fd;

	if (beneath < 0)
		return beneath;
	if (statx(beneath, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx))
		return -errno;
	h = on_root_dev(srv->nodes, &stx) ? handle_of(beneath) : NULL;
	if (!h)
		return -ELOOP;
	fd = open_by_handle(srv, h);
	return fd < 0 ? fd : node_enter(srv, parent, name, fd, entry);
}

/* Asks the kernel; it counts a lookup that a FORGET will take back. */
static int open_by_kernel(struct server *srv, uint64_t nodeid)
{
	/* On our own mount: between two of them nothing can be renamed or linked. */
	struct proto_node_open arg = {
		.nodeid = nodeid,
		.flags = PROTO_NODE_OPEN_MOUNT,
		.mount_fd = srv->root_fd,
	};
	int fd;

	if (!srv->inode_passthrough)
		return -ESTALE;
	fd = ioctl(fuse_session_fd(srv->se), PROTO_IOC_NODE_OPEN, &arg);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESTALE : -errno;
}

static int node_open_held(struct server *srv, struct node *n,
			  struct path_fd **path);

/* Where a node without handle was last seen; a reference on the parent. */
static struct node *node_place(struct node_table *t, struct node *n,
			       char **name)
{
	TABLE_GUARD(t);

	if (!n->parent)
		return NULL;
	*name = strdup(n->name);
	if (!*name)
		return NULL;
	n->parent->refs++;
	return n->parent;
}

static int open_child(int dirfd, const char *name, const struct node *n)
{
	struct statx stx;
	int err, fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	err = statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) ? -errno : 0;
	if (!err && node_is(n, &stx))
		return fd;
	close(fd);
	return err ? err : -ESTALE;
}

static int open_by_place(struct server *srv, struct node *n)
{
	struct path_ref dir = { srv, NULL };
	_cleanup_free_ char *name = NULL;
	struct node *parent = node_place(srv->nodes, n, &name);
	int ret;

	if (!parent)
		return -ESTALE;
	ret = node_open_held(srv, parent, &dir.path);
	if (!ret)
		ret = open_child(dir.path->fd, name, n);
	path_ref_cleanup(&dir);
	pthread_mutex_lock(&srv->nodes->lock);
	node_drop(parent);
	pthread_mutex_unlock(&srv->nodes->lock);
	return ret;
}

static int node_reopen(struct server *srv, struct node *n)
{
	_cleanup_free_ struct file_handle *h = NULL;
	int fd;

	{
		TABLE_GUARD(srv->nodes);

		if (n->handle)
			h = malloc(sizeof(*h) + n->handle->handle_bytes);
		if (h)
			memcpy(h, n->handle, sizeof(*h) + n->handle->handle_bytes);
	}
	fd = h ? open_by_handle(srv, h) : open_by_place(srv, n);
	if (fd != -ESTALE)
		return fd;
	fd = open_by_kernel(srv, n->nodeid);
	if (fd >= 0) {
		TABLE_GUARD(srv->nodes);

		n->nlookup++;
	}
	return fd;
}

/* Puts a fresh fd into the cache, unless somebody was faster. */
static struct path_fd *node_cache(struct node_table *t, struct node *n,
				  struct path_fd *fresh)
{
	struct path_fd *evicted = NULL, *path = fresh;

	pthread_mutex_lock(&t->lock);
	if (n->nlookup || n->pins) {
		if (n->path) {
			path = cache_get(t, n);
		} else {
			cache_put_in(t, n, fresh);
			evicted = cache_evict(t);
		}
	}
	pthread_mutex_unlock(&t->lock);
	path_free(evicted);
	if (path != fresh)
		path_free(fresh);
	return path;
}

/* The object of a node on which the caller holds a reference. */
static int node_open_held(struct server *srv, struct node *n,
			  struct path_fd **path)
{
	struct node_table *t = srv->nodes;
	struct path_fd *fresh;
	int fd;

	{
		TABLE_GUARD(t);

		if (n->path) {
			*path = cache_get(t, n);
			return 0;
		}
	}
	fd = node_reopen(srv, n);
	if (fd < 0)
		return fd;
	fresh = path_new(fd);
	if (!fresh)
		return -ENOMEM;
	*path = node_cache(t, n, fresh);
	return 0;
}

static struct node *node_hold(struct node_table *t, uint64_t nodeid)
{
	struct node *n;
	TABLE_GUARD(t);

	n = find_id(t, nodeid);
	if (n)
		n->refs++;
	return n;
}

/*
 * The object may come on a private mount of the kernel's, from which renames
 * to our own mount would be EXDEV: reach it over the source's mount.
 */
static int resolve_fd(struct server *srv, uint64_t nodeid)
{
	_cleanup_free_ struct file_handle *h = NULL;
	int fd = open_by_kernel(srv, nodeid), ours;
	struct statx stx;

	if (fd < 0)
		return fd;
	if (!statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) &&
	    on_root_dev(srv->nodes, &stx))
		h = handle_of(fd);
	ours = h ? open_by_handle(srv, h) : -ESTALE;
	if (ours < 0)
		return fd;
	close(fd);
	return ours;
}

/* A nodeid that we never handed out: the kernel made it and knows. */
static int node_resolve(struct server *srv, uint64_t nodeid)
{
	struct node_object o = { .nodeid = nodeid };
	struct node_entry entry;
	int fd = resolve_fd(srv, nodeid);

	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &entry.stx)) {
		close(fd);
		return -EIO;
	}
	return node_enter_object(srv, &o, fd, &entry);
}

/* The object of a nodeid, known to us or not; path_put() ends its use. */
int node_open(struct server *srv, uint64_t nodeid, struct path_fd **path)
{
	struct node *n = node_hold(srv->nodes, nodeid);
	int ret;

	if (!n) {
		ret = node_resolve(srv, nodeid);
		if (ret)
			return ret;
		n = node_hold(srv->nodes, nodeid);
	}
	if (!n)
		return -ESTALE;
	ret = node_open_held(srv, n, path);
	pthread_mutex_lock(&srv->nodes->lock);
	node_drop(n);
	pthread_mutex_unlock(&srv->nodes->lock);
	return ret;
}

/*
 * While the object is open as @fd its node keeps an O_PATH fd, if it could not
 * be found again by a handle: an unlinked file has no name. NULL: no need to.
 */
struct node *node_pin(struct server *srv, uint64_t nodeid, int fd)
{
	struct path_fd *fresh = NULL;
	struct node *n;
	int path;

	{
		TABLE_GUARD(srv->nodes);

		n = find_id(srv->nodes, nodeid);
		if (!n || n->handle || n == srv->nodes->root)
			return NULL;
		n->pins++;
		n->refs++;
		if (n->path) {
			idle_remove(srv->nodes, n->path);
			return n;
		}
	}
	path = open(proc_path_of(fd).text, O_PATH | O_CLOEXEC);
	if (path >= 0)
		fresh = path_new(path);
	if (fresh)
		path_put(srv, node_cache(srv->nodes, n, fresh));
	return n;
}

/* Ends a pin; the node may have been forgotten meanwhile. */
void node_unpin(struct server *srv, struct node *n)
{
	struct node_table *t = srv->nodes;
	struct path_fd *dead = NULL;

	if (!n)
		return;
	pthread_mutex_lock(&t->lock);
	if (--n->pins == 0 && n->path) {
		idle_add(t, n->path);
		dead = n->nlookup ? cache_evict(t) : path_uncache(t, n->path);
	}
	node_drop(n);
	pthread_mutex_unlock(&t->lock);
	path_free(dead);
}

/* After a rename: what is now @name in @dirfd, the node @parent, has moved. */
void node_moved(struct server *srv, int dirfd, uint64_t parent,
		const char *name)
{
	struct node_table *t = srv->nodes;
	struct statx stx;
	struct node *n;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW, NODE_STATX_MASK, &stx))
		return;
	TABLE_GUARD(t);
	n = node_find(t, 0, &stx);
	if (n && !n->handle)
		node_set_place(n, find_id(t, parent), name);
}

void node_stats(struct server *srv, uint64_t *nodes, uint64_t *fds)
{
	TABLE_GUARD(srv->nodes);

	*nodes = srv->nodes->count;
	*fds = srv->nodes->cached;
}

/* The table -------------------------------------------------------------- */

static int root_enter(struct server *srv, const struct statx *stx)
{
	struct node_table *t = srv->nodes;
	int fd = openat(srv->root_fd, ".", O_PATH | O_CLOEXEC);
	struct path_fd *path;

	if (fd < 0)
		return -errno;
	path = path_new(fd);
	if (!path)
		return -ENOMEM;
	t->root = node_new(t, SERVER_ROOT_ID, stx);
	if (!t->root) {
		path_free(path);
		return -ENOMEM;
	}
	t->root->nlookup = 1;
	t->root->pins = 1;
	t->root->path = path;
	path->node = t->root;
	return 0;
}

int node_table_create(struct server *srv)
{
	struct node_table *t = calloc(1, sizeof(*t));
	struct statx stx;

	if (!t)
		return -ENOMEM;
	srv->nodes = t;
	pthread_mutex_init(&t->lock, NULL);
	t->idle.newer = t->idle.older = &t->idle;
	t->buckets = NODE_HASH_MIN;
	t->next_foreign = 1;
	t->by_id = calloc(t->buckets, sizeof(*t->by_id));
	t->by_key = calloc(t->buckets, sizeof(*t->by_key));
	if (!t->by_id || !t->by_key)
		return -ENOMEM;
	if (statx(srv->root_fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx))
		return -errno;
	t->root_mnt = stx.stx_mnt_id;
	t->root_major = stx.stx_dev_major;
	t->root_minor = stx.stx_dev_minor;
	return root_enter(srv, &stx);
}

/* No thread uses the table any more: no references, no lock. */
void node_table_destroy(struct server *srv)
{
	struct node_table *t = srv->nodes;
	size_t i;

	if (!t)
		return;
	for (i = 0; t->by_id && i < t->buckets; i++) {
		struct node *n = t->by_id[i], *next;

		for (; n; n = next) {
			next = n->id_next;
			path_free(n->path);
			free(n->handle);
			free(n->name);
			free(n);
		}
	}
	free(t->by_id);
	free(t->by_key);
	pthread_mutex_destroy(&t->lock);
	free(t);
	srv->nodes = NULL;
}
