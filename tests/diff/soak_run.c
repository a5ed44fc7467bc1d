// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One run in fresh directories: each operation is done on both sides, and what
 * it gave, what it did to the objects it names and to their directories, has to
 * be the same. The mount's view of them has to be the backing tree's in all.
 */
#include "soak.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCAN_EVERY = 150, POINTS = 4 };

struct run {
	struct actors actors;
	struct generator *gen;
	struct known_list known;
	const struct sequence *list;
	struct sequence *log;
	char name[32];
	int parent[SIDES], top[SIDES], shared;
	uint64_t done;
	bool planted;
	struct op op;
	char point[POINTS][PATH_SIZE];	/* what the operation may change */
	int points;
	struct look before[SIDES][POINTS], after[SIDES][POINTS];
};

/* Directories ----------------------------------------------------------------- */

static int open_dir(int parent, const char *path)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("open %s: %s", path, strerrorname_np(errno));
	return fd;
}

/* Made on the backing side: that it appears on the mount is the first test. */
static void run_begin(struct run *r)
{
	static unsigned int number;

	snprintf(r->name, sizeof(r->name), "run%u.%u", options.process, number++);
	for (int s = 0; s < SIDES; s++)
		r->parent[s] = open_dir(AT_FDCWD, options.dir[s]);
	for (int s = 0; s < SIDES; s++)
		tree_wipe(r->parent[s], r->name);
	if (mkdirat(r->parent[NATIVE], r->name, 0777) ||
	    mkdirat(r->parent[BACKING], r->name, 0777) ||
	    fchmodat(r->parent[NATIVE], r->name, 0777, 0) ||
	    fchmodat(r->parent[BACKING], r->name, 0777, 0))
		die("mkdir %s: %s", r->name, strerrorname_np(errno));
	for (int s = 0; s < SIDES; s++)
		r->top[s] = open_dir(r->parent[s], r->name);
	r->shared = options.procs > 1 ? open_dir(r->parent[MOUNT], "shared") : -1;
	actors_start(&r->actors, r->top, r->shared, options.patience);
}

static void run_end(struct run *r, bool same)
{
	actors_stop(&r->actors);
	known_free(&r->known);
	for (int s = 0; s < SIDES; s++)
		close(r->top[s]);
	if (r->shared >= 0)
		close(r->shared);
	/* On the mount before the backing side: it is to let go of what it knows. */
	for (int s = 0; s < SIDES; s++)
		tree_wipe(r->parent[s], r->name);
	for (int s = 0; s < SIDES; s++)
		close(r->parent[s]);
}

/* Looking at the trees -------------------------------------------------------------- */

static void add_point(struct run *r, const char *path)
{
	char *p = r->point[r->points++];
	size_t n;

	strcpy(p, path);
	/* A '/' at the end would follow a link. */
	for (n = strlen(p); n > 1 && p[n - 1] == '/'; n--)
		p[n - 1] = '\0';
}

static void add_parent(struct run *r)
{
	const char *child = r->point[r->points - 1];
	const char *slash = strrchr(child, '/');
	char *p = r->point[r->points++];

	strcpy(p, ".");
	if (slash) {
		memcpy(p, child, slash - child);
		p[slash - child] = '\0';
	}
}

static void choose_points(struct run *r)
{
	const struct op *op = &r->op;

	r->points = 0;
	if (op->shared || op->left_out || op->dir || !op->path[0])
		return;
	add_point(r, op->path);
	add_parent(r);
	if (op->path2[0] && op->kind != OP_symlink) {
		add_point(r, op->path2);
		add_parent(r);
	}
}

static void look_all(struct run *r, enum side_number s,
		     struct look looks[SIDES][POINTS])
{
	for (int i = 0; i < r->points; i++)
		look_at(r->top[s], r->point[i], AT_SYMLINK_NOFOLLOW,
			&looks[s][i]);
}

/* The state before is asked beneath the mount: names should be new to the mount. */
static void look_before(struct run *r)
{
	choose_points(r);
	look_all(r, NATIVE, r->before);
	look_all(r, BACKING, r->before);
}

/* On the mount, not always: what is looked up, is cached. */
static bool looks_at_mount(const struct run *r)
{
	return r->done % 4 != 3;
}

static void look_after(struct run *r)
{
	look_all(r, NATIVE, r->after);
	if (looks_at_mount(r))
		look_all(r, MOUNT, r->after);
	look_all(r, BACKING, r->after);
	for (int i = 0; i < r->points; i++) {
		r->after[NATIVE][i].changed =
			look_changes(&r->before[NATIVE][i], &r->after[NATIVE][i]);
		r->after[BACKING][i].changed =
			look_changes(&r->before[BACKING][i],
				     &r->after[BACKING][i]);
	}
}

/* Comparing ------------------------------------------------------------------------ */

static void print_looks(struct run *r, int i, const char *what)
{
	static const char *const names[] = { "native ", "mount  ", "backing" };

	say("  %s: %s", r->point[i], what);
	for (int s = 0; s < SIDES; s++)
		if (s != MOUNT || looks_at_mount(r))
			look_print(names[s], &r->after[s][i]);
}

/*
 * Blocks change by themselves when data is written back, and looking through a
 * symbolic link is an access to it: a second look decides.
 */
static const char *mount_differs(struct run *r, int i)
{
	const char *what = NULL;

	for (int tries = 0; tries < 3; tries++) {
		what = look_differs_exactly(&r->after[MOUNT][i],
					    &r->after[BACKING][i]);
		if (!what || (strcmp(what, "blocks") && strcmp(what, "atime")))
			break;
		look_at(r->top[MOUNT], r->point[i], AT_SYMLINK_NOFOLLOW,
			&r->after[MOUNT][i]);
		look_at(r->top[BACKING], r->point[i], AT_SYMLINK_NOFOLLOW,
			&r->after[BACKING][i]);
	}
	return what;
}

/* Named by --ignore as KIND:WHAT. */
static bool is_ignored(const struct run *r, const char *what)
{
	char name[80];

	snprintf(name, sizeof(name), "%s:%s", op_names[r->op.kind], what);
	return in_list(options.ignore, name);
}

static const char *looks_differ(struct run *r)
{
	for (int i = 0; i < r->points; i++) {
		const char *what = look_differs(&r->after[NATIVE][i],
						&r->after[BACKING][i]);

		if (!what && looks_at_mount(r))
			what = mount_differs(r, i);
		if (what && !is_ignored(r, what)) {
			print_looks(r, i, what);
			return what;
		}
	}
	return NULL;
}

static const char *op_differs(struct run *r)
{
	struct channel *ch = r->actors.actor[r->op.actor].ch;
	const char *what;

	if (r->op.shared || r->op.left_out)
		return NULL;
	what = result_differs(&ch->res[NATIVE], &ch->res[MOUNT]);
	if (what && !is_ignored(r, what)) {
		result_print(&ch->res[NATIVE], &ch->res[MOUNT]);
		if (r->op.kind == OP_list) {
			tree_list(r->top[NATIVE], r->op.path, "native");
			tree_list(r->top[MOUNT], r->op.path, "mount ");
		}
		return what;
	}
	return looks_differ(r);
}

/* The run ---------------------------------------------------------------------------- */

static bool next_op(struct run *r)
{
	if (r->list) {
		if (r->done == r->list->n)
			return false;
		sequence_get(r->list, r->done, &r->op);
		return true;
	}
	if (r->done == options.ops)
		return false;
	if (r->done % SCAN_EVERY == 0)
		known_scan(&r->known, r->top[NATIVE]);
	generator_next(r->gen, &r->known, &r->op);
	return true;
}

static mode_t made_type(const struct op *op)
{
	switch (op->kind) {
	case OP_mkdir:
		return S_IFDIR;
	case OP_symlink:
		return S_IFLNK;
	case OP_mknod:
		return op->mode & S_IFMT ? op->mode & S_IFMT : S_IFREG;
	case OP_open:
		return op->flags & O_CREAT ? S_IFREG : 0;
	default:
		return 0;
	}
}

/* New objects are there for the next operations. */
static void note_result(struct run *r)
{
	const struct op *op = &r->op;
	int64_t result = r->actors.actor[op->actor].ch->res[NATIVE].value[0].v;

	if (!r->gen)
		return;
	generator_done(r->gen, op, result);
	if (result >= 0 && made_type(op) && !op->dir && !op->shared)
		known_add(&r->known, op->path, made_type(op));
	if (result >= 0 && op->kind == OP_rename && !op->dir && !op->shared)
		known_add(&r->known, op->path2, S_IFREG);
}

static void report_op(struct run *r, const char *what)
{
	char line[3 * sizeof(struct op)];

	op_print(&r->op, line, sizeof(line));
	say("operation %llu: %s: %s", (long long)r->done + 1, what, line);
}

static const char *step(struct run *r)
{
	bool plant = options.plant && !r->planted && !r->list &&
		     r->done + 1 >= options.plant;
	const char *what;

	look_before(r);
	if (!actors_do(&r->actors, &r->op, plant)) {
		report_op(r, "hangs, or has killed its process");
		return "no end";
	}
	if (r->actors.actor[r->op.actor].ch->planted) {
		r->planted = true;
		r->op.left_out = 1;
	}
	if (r->op.left_out)
		r->points = 0;
	if (r->log)
		sequence_add(r->log, &r->op);
	look_after(r);
	what = op_differs(r);
	if (what)
		report_op(r, what);
	note_result(r);
	return what;
}

static bool check_trees(struct run *r)
{
	if (trees_equal(r->top))
		return true;
	say("after operation %llu", (long long)r->done);
	return false;
}

/* A replay, which ended with a difference, is looked at closely there. */
static bool trees_are_due(const struct run *r, bool shrinking)
{
	if (r->done % options.check_every == 0)
		return true;
	return r->list && !shrinking && r->list->n - r->done < (size_t)options.check_every &&
		r->done % 50 == 0;
}

struct outcome run_ops(const struct sequence *list, struct sequence *log,
		       bool quiet)
{
	struct run *r = calloc(1, sizeof(*r));
	struct outcome o = { .same = true, .kind = -1 };

	r->list = list;
	r->log = log;
	r->gen = list ? NULL : generator_new(options.seed);
	say_quiet = quiet;
	run_begin(r);
	while (o.same && next_op(r)) {
		o.what = step(r);
		o.same = !o.what;
		o.kind = o.same ? -1 : r->op.kind;
		r->done++;
		if (o.same && trees_are_due(r, quiet))
			o.same = check_trees(r);
	}
	if (o.same)
		o.same = check_trees(r);
	o.done = r->done;
	run_end(r, o.same);
	say_quiet = false;
	generator_free(r->gen);
	free(r->known.at);
	free(r);
	return o;
}
