// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Invariants when nothing moves: the tree by itself, and the view compared with
 * it. The comparison is that of the random operations in lockstep (soak_tree.c).
 */
#include "conc.h"
#include "soak.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An inode with more than one name. */
struct linked {
	ino_t ino;
	unsigned int links, names;
	char path[CONC_TEXT];
};

struct walk {
	const char *what;
	struct census census;
	struct linked *linked;
	size_t n, room;
	int kept;
};

static void count_link(struct walk *w, const char *path, const struct stat *st)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->linked[i].ino == st->st_ino) {
			w->linked[i].names++;
			return;
		}
	if (w->n == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		w->linked = realloc(w->linked, w->room * sizeof(*w->linked));
	}
	w->linked[w->n] = (struct linked){ st->st_ino, st->st_nlink, 1, "" };
	w->linked[w->n].names += planted("link") && !w->n;
	snprintf(w->linked[w->n++].path, CONC_TEXT, "%s", path);
}

static bool is_others_suid(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return false;
	return (!st->st_uid && st->st_mode & S_ISUID) ||
	       (!st->st_gid && st->st_mode & S_ISGID && st->st_mode & S_IXGRP);
}

static void visit(struct walk *w, const char *path, const struct stat *st)
{
	w->census.names++;
	if (!S_ISDIR(st->st_mode))
		count_link(w, path, st);
	if (is_others_suid(st)) {
		say("%s: %s is %d:%d %06o: root never set that bit", w->what, path,
		    st->st_uid, st->st_gid, st->st_mode);
		w->census.nobody_s_suid = false;
	}
}

static void walk_dir(struct walk *w, int top, const char *path);

static void walk_name(struct walk *w, int top, const char *path)
{
	struct stat st;

	if (fstatat(top, path, &st, AT_SYMLINK_NOFOLLOW)) {
		say("%s: %s is listed, but lstat gives %s", w->what, path,
		    errno_text(errno));
		w->census.kept = false;
		return;
	}
	visit(w, path, &st);
	if (S_ISDIR(st.st_mode))
		walk_dir(w, top, path);
}

/* btrfs does not count subdirectories. */
static void check_dir_links(struct walk *w, int fd, const char *path, unsigned int dirs)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_nlink == 1 || st.st_nlink == dirs + 2)
		return;
	say("%s: directory %s has %d links and %u directories", w->what, path,
	    (int)st.st_nlink, dirs);
	w->census.links_add_up = false;
}

static void walk_dir(struct walk *w, int top, const char *path)
{
	int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char *name = malloc(PATH_MAX);
	unsigned int dirs = 0;
	struct dirent *e;

	if (!dir) {
		say("%s: %s: %s", w->what, path, errno_text(errno));
		w->census.kept = false;
		free(name);
		return;
	}
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		dirs += e->d_type == DT_DIR;
		if (snprintf(name, PATH_MAX, "%s/%s", path, e->d_name) >= PATH_MAX)
			die("%s/%s is too long to be looked at", path, e->d_name);
		walk_name(w, top, name);
	}
	check_dir_links(w, dirfd(dir), path, dirs);
	closedir(dir);
	free(name);
}

static void check_links(struct walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->linked[i].links != w->linked[i].names) {
			say("%s: %s has %u links, and %u names", w->what,
			    w->linked[i].path, w->linked[i].links,
			    w->linked[i].names);
			w->census.links_add_up = false;
		}
}

static void check_kept(struct walk *w, int top, const char *path)
{
	struct stat st;

	if (!fstatat(top, path, &st, 0) && st.st_size == strlen(KEEP_TEXT))
		return;
	say("%s: %s is gone or changed", w->what, path);
	w->census.kept = false;
}

struct census take_census(enum conc_side side)
{
	int top = conc.top[side];
	struct walk w = { .what = side_text[side],
			  .census = { 0, true, true, true } };

	walk_dir(&w, top, ".");
	check_links(&w);
	check_kept(&w, top, "d0/" KEEP);
	check_kept(&w, top, "d1/" KEEP);
	free(w.linked);
	return w.census;
}

bool views_are_equal(void)
{
	exactness.served = conc.served;
	return trees_equal_exactly(conc.top[VIEW], conc.top[TREE]);
}

void wipe(int parent, const char *name)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (!S_ISDIR(st.st_mode))
		unlinkat(parent, name, 0);
	else
		tree_wipe(parent, name);
}
