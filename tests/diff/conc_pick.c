// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which call comes next. The names are few, on three levels; what decides is the seed,
 * and what the process has open.
 */
#include "conc_work.h"

#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { NAMES = 5 };	/* in each directory */

static unsigned int one_of(struct picker *p, unsigned int n)
{
	return rng_below(&p->rng, n);
}

static const char *name_of(struct picker *p)
{
	static const char *const names[NAMES] = { "n0", "h0", "n1", "n2", "n3" };

	return names[one_of(p, p->mix->names)];
}

/* The lower levels have less of them, so that they are hit. */
static const char *inner_of(struct picker *p)
{
	static const char *const names[] = { "n0", "x0", "x1" };

	return names[one_of(p, ARRAY_SIZE(names))];
}

static void path_from_top(struct picker *p, char path[CONC_PATH])
{
	int d = one_of(p, p->mix->dirs);
	const char *a = name_of(p), *b = inner_of(p), *c = inner_of(p);

	switch (one_of(p, 16)) {
	case 0:
		snprintf(path, CONC_PATH, "d%d/%s/%s/%s", d, a, b, c);
		break;
	case 1:
		snprintf(path, CONC_PATH, "d%d/%s/../%s", d, a, b);
		break;
	case 2 ... 6:
		snprintf(path, CONC_PATH, "d%d/%s/%s", d, a, b);
		break;
	default:
		snprintf(path, CONC_PATH, "d%d/%s", d, a);
	}
}

static void path_from_dir(struct picker *p, char path[CONC_PATH])
{
	switch (one_of(p, 8)) {
	case 0:
		snprintf(path, CONC_PATH, "%s/%s", inner_of(p), inner_of(p));
		break;
	case 1:
		snprintf(path, CONC_PATH, "../%s", name_of(p));
		break;
	default:
		snprintf(path, CONC_PATH, "%s", inner_of(p));
	}
}

static bool only_looks(enum call_kind kind)
{
	switch (kind) {
	case CALL_open_read:
	case CALL_open_dir:
	case CALL_open_path:
	case CALL_stat:
	case CALL_lstat:
	case CALL_access:
	case CALL_list:
	case CALL_getxattr:
	case CALL_listxattr:
	case CALL_get_acl:
	case CALL_chdir:
	case CALL_statfs:
		return true;
	default:
		return false;
	}
}

/* The two directories and what is kept in them are looked at, never changed. */
static bool path_of_the_fixed(struct picker *p, struct call *c)
{
	int d = one_of(p, 2);

	if (!only_looks(c->kind) || one_of(p, 4))
		return false;
	c->keeps = c->kind == CALL_list && c->base == AT_TOP;
	if (c->base != AT_TOP)
		strcpy(c->path, ".");
	else if (c->keeps || c->kind == CALL_open_read || one_of(p, 2))
		snprintf(c->path, CONC_PATH, "d%d", d);
	else
		snprintf(c->path, CONC_PATH, "d%d/" KEEP, d);
	return true;
}

static void choose_path(struct picker *p, struct call *c)
{
	if (!call_has_name(c->kind))
		return;
	c->dir = one_of(p, CONC_DIRS);
	if (p->hands->dir[c->dir] >= 0 && !one_of(p, 3))
		c->base = one_of(p, 2) ? AT_DIR : IN_DIR;
	if (path_of_the_fixed(p, c))
		return;
	if (c->base == AT_TOP)
		path_from_top(p, c->path);
	else
		path_from_dir(p, c->path);
}

static bool has_two_names(enum call_kind kind)
{
	switch (kind) {
	case CALL_rename:
	case CALL_rename_noreplace:
	case CALL_rename_exchange:
	case CALL_rename_whiteout:
	case CALL_rename_whiteout_noreplace:
	case CALL_link:
		return true;
	default:
		return false;
	}
}

static void choose_second(struct picker *p, struct call *c)
{
	static const char *const targets[] = {
		"n0", "n1", "../d0/n2", "../d1/n0/x0", "n0/x1", "nowhere",
	};

	if (c->kind == CALL_symlink)
		strcpy(c->path2, targets[one_of(p, ARRAY_SIZE(targets))]);
	else if (has_two_names(c->kind) && c->base == IN_DIR)
		path_from_dir(p, c->path2);
	else if (has_two_names(c->kind))
		path_from_top(p, c->path2);
}

/*
 * Root never sets suid and sgid, nor lets the group of an ACL execute: so nothing of
 * root has them in the end, whoever did what in between.
 */
static mode_t mode_of(struct picker *p, enum call_kind kind)
{
	static const mode_t of_users[] = {
		0644, 0600, 0666, 0777, 0755, 04755, 02755, 06777, 0444,
	};
	static const mode_t of_root[] = { 0777, 0777, 0755, 0666, 0644, 0700 };
	static const mode_t of_dirs[] = { 0777, 0777, 01777, 0755, 0700 };

	if (kind == CALL_access)
		return one_of(p, 8);
	if (kind == CALL_lstat)
		return 0;
	if (kind == CALL_mkdir)
		return of_dirs[one_of(p, ARRAY_SIZE(of_dirs))];
	if (p->uid)
		return of_users[one_of(p, ARRAY_SIZE(of_users))];
	return of_root[one_of(p, ARRAY_SIZE(of_root))] &
		(kind == CALL_set_acl ? ~0010 : ~0);
}

static int owner_of(struct picker *p)
{
	static const int owners[] = { -1, 0, 1000, 1001 };

	return p->uid && one_of(p, 2) ? (int)p->uid
					 : owners[one_of(p, ARRAY_SIZE(owners))];
}

static int flags_of(struct picker *p, enum call_kind kind)
{
	static const int xattr[] = { 0, XATTR_CREATE, XATTR_REPLACE };

	switch (kind) {
	case CALL_setxattr:
	case CALL_fsetxattr:
		return xattr[one_of(p, ARRAY_SIZE(xattr))];
	/*
	 * Root does not follow links: natively, where one is just removed, it may
	 * lead to its own directory, and that is not to be changed.
	 */
	case CALL_chmod:
	case CALL_set_acl:
	case CALL_remove_acl:
		return p->uid ? 0 : AT_SYMLINK_NOFOLLOW;
	case CALL_chown:
		return !p->uid || one_of(p, 2) ? AT_SYMLINK_NOFOLLOW : 0;
	case CALL_open_read:
	case CALL_open_write:
		return one_of(p, 4) ? 0 : O_NOFOLLOW;
	case CALL_open_create:
		return one_of(p, 4) ? 0 : O_TRUNC;
	case CALL_open_path:
		return one_of(p, 2) ? O_DIRECTORY : 0;
	default:
		return 0;
	}
}

static enum call_kind kind_of(struct picker *p)
{
	static int total;
	int at;

	if (!total)
		for (int k = 0; k < CALL_KINDS; k++)
			total += call_info[k].weight;
	at = one_of(p, total);
	for (int k = 0;; k++) {
		at -= call_info[k].weight;
		if (at < 0)
			return k;
	}
}

void pick_call(struct picker *p, struct call *c)
{
	do {
		memset(c, 0, sizeof(*c));
		c->kind = kind_of(p);
		c->slot = one_of(p, CONC_FILES);
		c->value = rng_next(&p->rng) & 0xffffff;
		c->flags = flags_of(p, c->kind);
		c->mode = mode_of(p, c->kind);
		c->uid = owner_of(p);
		c->gid = owner_of(p);
		choose_path(p, c);
		choose_second(p, c);
	} while (!p->mix->kinds[c->kind] || !call_ready(p->hands, c));
}

/*
 * Each round has another one: the fewer names and the fewer kinds of calls, the more
 * often the same two meet. The first ones have all.
 */
void mixture_make(struct mixture *mix, int number, struct rng *rng)
{
	bool all = number < 2 || !rng_below(rng, 4);

	mix->counted = number % 2;
	mix->names = all ? NAMES : 1 + rng_below(rng, NAMES);
	mix->dirs = all ? 2 : 1 + rng_below(rng, 2);
	for (int k = 0; k < CALL_KINDS; k++) {
		bool made = call_info[k].names == ADDS || k == CALL_open_create;

		mix->kinds[k] = (all || made || rng_next(rng) & 1) &&
			!(mix->counted && call_info[k].names == MAYBE);
	}
}
