// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole trees: what is in them, whether two are equal, and wiping one. */
#include "soak.h"

#include <dirent.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FLAGGED = 0x10 | 0x20 };	/* immutable, append-only: of stx.attributes */

static int by_name(const void *a, const void *b)
{
	char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/*
 * The names in a directory, sorted, without a trace in its times. An array that
 * ends with NULL, of which all has to be freed; NULL if it cannot be read.
 */
static char **names_of(int top, const char *path)
{
	int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char **names = NULL;
	struct dirent *e;
	size_t n = 0;

	if (!dir)
		return NULL;
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (n % 64 == 0)
			names = realloc(names, (n + 65) * sizeof(*names));
		names[n++] = strdup(e->d_name);
		names[n] = NULL;
	}
	closedir(dir);
	if (names)
		qsort(names, n, sizeof(*names), by_name);
	return names;
}

static void join(char *to, const char *dir, const char *name)
{
	if (!strcmp(dir, "."))
		snprintf(to, PATH_MAX, "%s", name);
	else
		snprintf(to, PATH_MAX, "%s/%s", dir, name);
}

typedef void (*visit_fn)(void *arg, int top, const char *path,
			 const struct look *look);

/* Everything below a directory, parents first. */
static void walk(int top, const char *dir, visit_fn visit, void *arg)
{
	char **names = names_of(top, dir), *path = malloc(PATH_MAX);
	struct look look;

	for (char **name = names; name && *name; name++) {
		join(path, dir, *name);
		look_at(top, path, AT_SYMLINK_NOFOLLOW, &look);
		visit(arg, top, path, &look);
		if (!look.err && S_ISDIR(look.x.mode))
			walk(top, path, visit, arg);
		free(*name);
	}
	free(names);
	free(path);
}

/* Knowledge of the generator ------------------------------------------------ */

void known_add(struct known_list *list, const char *path, mode_t mode)
{
	if (list->n == list->room) {
		list->room = list->room ? list->room * 2 : 256;
		list->at = realloc(list->at, list->room * sizeof(*list->at));
	}
	list->at[list->n++] = (struct known){ strdup(path), mode, false };
}

void known_free(struct known_list *list)
{
	while (list->n)
		free(list->at[--list->n].path);
}

static void visit_known(void *arg, int top, const char *path,
			const struct look *look)
{
	struct known_list *list = arg;

	/* Such as a long name in a deep directory. */
	if (look->err || strlen(path) > PATH_SIZE - 600)
		return;
	known_add(list, path, look->x.mode);
	list->at[list->n - 1].flagged = look->x.attributes & FLAGGED;
}

void known_scan(struct known_list *list, int top)
{
	known_free(list);
	walk(top, ".", visit_known, list);
}

/* Equality -------------------------------------------------------------------------- */

struct object {
	char *path;
	struct look look;
	uint64_t content, xattrs;
	int64_t first;		/* index of the first name of the same inode */
};

struct objects {
	struct object *at;
	size_t n, room;
	uint64_t content;	/* 0: do not read it */
};

static uint64_t content_of(int top, const char *path, mode_t mode)
{
	char *buf = buf_get();
	uint64_t sum = 1;
	ssize_t n;
	int fd;

	if (S_ISLNK(mode)) {
		n = readlinkat(top, path, buf, PATH_MAX);
		return n < 0 ? (uint64_t)-errno : hash(buf, n, 0);
	}
	if (!S_ISREG(mode))
		return 0;
	fd = openat(top, path, O_RDONLY | O_NOATIME | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, BUF_SIZE)) > 0)
		sum = hash(buf, n, sum);
	if (n < 0)
		sum = -errno;
	close(fd);
	return sum;
}

static uint64_t xattrs_of(int top, const char *path)
{
	char proc[PATH_MAX + 40], list[4096];
	char *value = buf_get();
	uint64_t sum = 0;
	ssize_t n, v;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", top, path);
	n = llistxattr(proc, list, sizeof(list));
	for (char *p = list; p < list + n; p += strlen(p) + 1) {
		v = lgetxattr(proc, p, value, BUF_SIZE);
		sum += random_mix(hash(p, strlen(p), 0) ^
				  (v < 0 ? (uint64_t)-errno : hash(value, v, 0)));
	}
	return n < 0 ? (uint64_t)-errno : sum;
}

static int64_t first_name(const struct objects *all, const struct look *look)
{
	for (size_t i = 0; i < all->n; i++)
		if (look->x.nlink > 1 && !S_ISDIR(look->x.mode) &&
		    all->at[i].look.x.ino == look->x.ino)
			return all->at[i].first;
	return all->n;
}

static void visit_object(void *arg, int top, const char *path,
			 const struct look *look)
{
	struct objects *all = arg;
	struct object *o;

	if (all->n == all->room) {
		all->room = all->room ? all->room * 2 : 256;
		all->at = realloc(all->at, all->room * sizeof(*all->at));
	}
	o = &all->at[all->n];
	*o = (struct object){ .path = strdup(path), .look = *look,
			      .first = first_name(all, look) };
	all->n++;
	o->content = content_of(top, path, look->x.mode);
	o->xattrs = xattrs_of(top, path);
}

static void objects_read(struct objects *all, int top)
{
	struct look look;

	memset(all, 0, sizeof(*all));
	look_at(top, "", AT_EMPTY_PATH, &look);
	visit_object(all, top, ".", &look);
	walk(top, ".", visit_object, all);
}

static void objects_free(struct objects *all)
{
	while (all->n)
		free(all->at[--all->n].path);
	free(all->at);
}

static const char *object_differs(const struct object *a, const struct object *b,
				  bool exact)
{
	const char *what = exact ? look_differs_exactly(&a->look, &b->look)
				 : look_differs(&a->look, &b->look);

	if (what)
		return what;
	if (a->content != b->content)
		return "content";
	if (a->xattrs != b->xattrs)
		return "xattrs";
	return a->first != b->first ? "hard links" : NULL;
}

static void object_print(const char *what, const struct objects *all, size_t i)
{
	const struct object *o = &all->at[i];

	if (i >= all->n)
		return say("  %s: no such name", what);
	say("  %s: %s content %llx xattrs %llx first name %s", what, o->path,
	    (long long)o->content, (long long)o->xattrs,
	    all->at[o->first].path);
	look_print(what, &o->look);
}

static bool objects_equal(const struct objects *a, const struct objects *b,
			  const char *name_a, const char *name_b, bool exact)
{
	for (size_t i = 0; i < a->n || i < b->n; i++) {
		const char *what;

		if (i >= a->n || i >= b->n ||
		    strcmp(a->at[i].path, b->at[i].path))
			what = "names";
		else
			what = object_differs(&a->at[i], &b->at[i], exact);
		if (!what)
			continue;
		say("trees differ: %s", what);
		object_print(name_a, a, i);
		object_print(name_b, b, i);
		return false;
	}
	return true;
}

/* Reading takes its time: the looks that are compared exactly are new ones. */
static void look_again(struct objects *a, int top_a, struct objects *b, int top_b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		look_at(top_a, a->at[i].path, AT_SYMLINK_NOFOLLOW,
			&a->at[i].look);
		look_at(top_b, b->at[i].path, AT_SYMLINK_NOFOLLOW,
			&b->at[i].look);
	}
}

bool trees_equal_exactly(int a, int b)
{
	struct objects x, y;
	bool equal;

	objects_read(&x, a);
	objects_read(&y, b);
	look_again(&x, a, &y, b);
	equal = objects_equal(&x, &y, "mount", "backing", true);
	objects_free(&x);
	objects_free(&y);
	return equal;
}

bool trees_equal(const int top[SIDES])
{
	struct objects all[SIDES];
	bool equal;

	for (int s = 0; s < SIDES; s++)
		objects_read(&all[s], top[s]);
	equal = objects_equal(&all[NATIVE], &all[MOUNT], "native", "mount",
			      false);
	look_again(&all[MOUNT], top[MOUNT], &all[BACKING], top[BACKING]);
	equal &= objects_equal(&all[MOUNT], &all[BACKING], "mount", "backing",
			       true);
	for (int s = 0; s < SIDES; s++)
		objects_free(&all[s]);
	return equal;
}

void tree_list(int top, const char *path, const char *what)
{
	char **names = names_of(top, path);

	for (char **name = names; name && *name; name++) {
		say("  %s: %s", what, *name);
		free(*name);
	}
	free(names);
}

/* Wiping ------------------------------------------------------------------------------ */

static void clear_flags(int top, const char *path, const struct look *look)
{
	int fd, flags;

	if (!(look->x.attributes & FLAGGED))
		return;
	fd = openat(top, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	if (fd >= 0)
		close(fd);
}

static void visit_clear(void *arg, int top, const char *path,
			const struct look *look)
{
	clear_flags(top, path, look);
}

/* Deepest first: the order of a walk, backwards. */
void tree_wipe(int parent, const char *name)
{
	struct known_list list = { 0 };
	int top = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct look look;

	if (top < 0)
		return;
	look_at(top, "", AT_EMPTY_PATH, &look);
	clear_flags(parent, name, &look);
	walk(top, ".", visit_clear, NULL);
	walk(top, ".", visit_known, &list);
	while (list.n) {
		struct known *k = &list.at[--list.n];

		unlinkat(top, k->path, S_ISDIR(k->mode) ? AT_REMOVEDIR : 0);
		free(k->path);
	}
	free(list.at);
	close(top);
	unlinkat(parent, name, AT_REMOVEDIR);
}
