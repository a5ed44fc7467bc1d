/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a file of rules is compiled into, and how a name is decided by it.
 *
 * For the policy bpf/rules.bpf.c and for the library, which compiles rules into this
 * form; `fusepass rules check` asks the same functions on the host, and there a test
 * compares them with a naive matcher.
 *
 * All is in one array of cells of 32 bits, the tables. What is pointed to in them
 * is pointed to by the number of its first cell. An index is
 * masked before it is used, so that the verifier sees its bound: there are mask + 1
 * cells, and RULES_SLACK behind them.
 *
 * Terms: a row is a state of the automaton that reads one name. Where it ends
 * tells the class of the name, that is which of all patterns for one name it
 * matches. A dir is a state of the automaton whose letters are the classes; the
 * directory's cookie is that of its dir, never 0. A list has rules in the order of
 * the file and ends with 0. Most have one rule that has no test, or none: then there is
 * no list, and what would point to it is the rule, or RULES_NONE, with the bit RULES_ONE.
 */
#ifndef FUSEPASS_RULES_ABI_H
#define FUSEPASS_RULES_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum {
	RULES_START = 1,	/* row to begin with */
	RULES_BACKWARD,		/* names are read from their end */
	RULES_ROOT,		/* dir of the root */
	RULES_ROOT_LIST,	/* what may decide about the root */
	RULES_ANY_LIST,		/* what goes by neither, if it is not in the lists by path */
	RULES_ANY_OPEN,		/* the same of rules for opens */
	RULES_FLAGS,
	RULES_TAI_OFFSET,	/* seconds that CLOCK_TAI is ahead of the time of day */
	RULES_NR,		/* number of rules */
	RULES_LIVE,		/* rows from here on may lead to others */
	RULES_CHARS = 32,	/* of each byte: the member of a row for it */
	RULES_DEAD = RULES_CHARS + 256,	/* row of names that match no pattern */
	RULES_ELSEWHERE = RULES_DEAD + 4, /* dir below which no path leads */
	RULES_RULES = RULES_ELSEWHERE + 4, /* the rules */
	RULES_SLACK = 32,
	RULES_NAME_MAX = 255,
	RULES_RULES_MAX = 4095,	/* rules in one file */
	RULES_STEPS = 1 << 16,	/* rules and tests that are gone through at most */
	RULES_ONE = 1 << 23,	/* the list is this one rule, which always fits */
	RULES_NONE = RULES_ONE - 1, /* behind all rules: no rule */
	RULES_NOTHING = RULES_ONE + RULES_NONE, /* an empty list */
};

/* RULES_FLAGS */
enum {
	RULES_F_OPEN	= 1,	/* there are rules for opens */
	RULES_F_AGE	= 2,	/* there are tests of the age */
	RULES_F_EVERYWHERE = 4,	/* a rule may decide below any directory */
};

#define RULES_CELLS	__attribute__((__may_alias__))

struct rules_row {
	__u32 class;
	__u32 list;		/* rules that go by this name alone */
	__u32 open;		/* the same of rules for opens */
	__u32 to[];		/* rows that follow */
} RULES_CELLS;

/* What follows from a class: the move at base + 4 * class if it is of this dir. */
struct rules_dir {
	__u32 base;
	__u32 next;		/* dir of all other names */
	__u32 list;
	__u32 open;
} RULES_CELLS;

struct rules_move {
	__u32 dir;
	__u32 next;
	__u32 list;
	__u32 open;
} RULES_CELLS;

enum rules_rule_flags {
	RULES_R_HIDE	= 1,
	RULES_R_COUNT	= 2,
	RULES_R_LOG	= 4,
	RULES_R_DEFAULT	= 8,	/* decides as if no rule did */
	RULES_R_FOR	= 16,	/* for a time */
	RULES_R_OPENS	= 32,	/* rules for opens may apply to what it passes */
};

struct rules_rule {
	__u32 test;		/* the first; 0: it always fits */
	__s32 verdict;
	__u32 flags;
	__u32 number;		/* 0 is the first of the file */
	__u64 ops;
	__u64 valid;		/* nanoseconds */
} RULES_CELLS;

/* Of an object or of who opens it; a test looks at one of these. */
enum rules_field {
	RULES_TYPE,		/* 1 << (mode >> 12): 1 if there is no object */
	RULES_SIZE,
	RULES_MODE,
	RULES_UID,
	RULES_GID,
	RULES_AGE,		/* seconds */
	RULES_CALLER_UID,
	RULES_CALLER_GID,
	RULES_CGROUP,		/* the ancestor of the caller's at a level */
	RULES_FIELDS,
};

/* Is (value & mask) one of min to min + span? */
struct rules_test {
	__u32 field;
	__u32 hit;		/* test that follows; 0: the rule fits */
	__u32 miss;		/* 0: it does not */
	__u32 level;
	__u64 mask;
	__u64 min;
	__u64 span;
} RULES_CELLS;

/* Whom is asked, and going through one list. */
struct rules_eval {
	const __u32 *t;
	__u32 mask;
	__u32 listing;		/* nothing is known of the object */
	__u32 pos;		/* in the list */
	__u32 end;		/* a rule before this one is looked for */
	__u32 found;
	__u32 rule;
	__u32 test;		/* of the rule; 0: the next rule is to be taken */
	__u64 value[RULES_FIELDS];
};

/* What is decided about a name. */
struct rules_decision {
	__u32 rule;		/* RULES_NONE: by none */
	__u32 next;		/* dir of the names below */
	const struct rules_row *name;	/* has the rules that may, by name alone */
	const struct rules_move *path;	/* by path */
};

#define RULES_S_IFMT	0170000
#define RULES_S_IFDIR	0040000

static inline int rules_is_dir(__u32 mode)
{
	return (mode & RULES_S_IFMT) == RULES_S_IFDIR;
}

#define RULES_AT(type, t, mask, i) ((const struct type *)((t) + ((i) & (mask))))

/*
 * What differs between the BPF side and the host: where the values come from, who goes
 * through lists, and on until rules_step() returns 1, how a name is read, and the mask,
 * of which the verifier knows nothing any more when it was in @e while a callback ran.
 */
#ifndef RULES_LOOP
#define RULES_CGROUP_OF(e, level) ((e)->value[RULES_CGROUP])
#define RULES_SEARCH(e, from, path, name, any) \
	rules_search(e, path, name, any)
#define RULES_SEARCH_OPEN(e, from, path, name, any) \
	rules_search(e, path, name, any)
#define RULES_LOOP(e)	do { } while (!rules_step(e))
#define RULES_MASK(e)	((e)->mask)
#define RULES_NAME(name) (name)
#endif

/* The rest of the verifier's doubts: a field is one of them. */
static inline __u64 rules_value(const struct rules_eval *e,
				const struct rules_test *test)
{
	__u32 field = test->field;

	if (field == RULES_CGROUP)
		return RULES_CGROUP_OF(e, test->level);
	return field < RULES_FIELDS ? e->value[field] : 0;
}

/* One rule or one test further. Returns 1 at the end. */
static inline int rules_step(struct rules_eval *e)
{
	const struct rules_test *test;
	__u32 rule, mask = RULES_MASK(e);

	if (!e->test) {
		/* Which fits if it has no test. */
		rule = e->t[e->pos & mask];
		if (!rule || rule >= e->end)
			return 1;
		/* Masked, so that it has a bound from the first step on. */
		e->pos = (e->pos + 1) & mask;
		e->rule = rule;
		e->test = RULES_AT(rules_rule, e->t, mask, rule)->test;
	} else {
		test = RULES_AT(rules_test, e->t, mask, e->test);
		if ((rules_value(e, test) & test->mask) - test->min <= test->span) {
			e->test = test->hit;
		} else {
			e->test = test->miss;
			return 0;
		}
	}
	if (e->test)
		return 0;
	e->found = e->rule;
	return 1;
}

/*
 * The row that a name leads to. @name is read within its length only; the loop ends
 * with the first character from which all that may follow leads to the same row.
 */
static inline __u32 rules_read(const __u32 *t, __u32 mask,
			       const unsigned char *name, __u32 len)
{
	__u32 row = t[RULES_START], live = t[RULES_LIVE];
	long step = 1;

	if (row < live)
		return row;
	if (len > RULES_NAME_MAX)
		len = RULES_NAME_MAX;
	name = RULES_NAME(name);
	if (t[RULES_BACKWARD]) {
		name += (long)len - 1;
		step = -1;
	}
	for (; len; len--, name += step) {
		row = t[(row + t[RULES_CHARS + *name]) & mask];
		if (row < live)
			break;
	}
	return row;
}

/* Goes through a list until a rule before @end fits; otherwise @end. */
static __attribute__((noinline)) __u32
rules_search_list(struct rules_eval *e, __u32 list, __u32 end)
{
	__u32 rule;

	if (list & RULES_ONE || e->listing) {
		rule = list & RULES_ONE ? list - RULES_ONE :
		       e->t[list & RULES_MASK(e)];
		return rule < end ? rule : end;
	}
	e->pos = list & RULES_MASK(e);
	e->end = end;
	e->found = end;
	e->test = 0;
	RULES_LOOP(e);
	return e->found;
}

/* The first rule that fits, of those in three lists. */
static inline __u32 rules_search(struct rules_eval *e, __u32 path, __u32 name,
				 __u32 any)
{
	__u32 rule = rules_search_list(e, path, RULES_NONE);

	rule = rules_search_list(e, name, rule);
	return rules_search_list(e, any, rule);
}

/* Most often no test is to be made: two rules, of which the first decides. */
static inline int rules_are_sure(__u32 path, __u32 name)
{
	return path & name & RULES_ONE;
}

static inline __u32 rules_first(__u32 path, __u32 name)
{
	return (path < name ? path : name) - RULES_ONE;
}

/* The root has no name, and is in no directory. */
static inline void rules_place_root(const __u32 *t, __u32 mask,
				    struct rules_decision *d)
{
	d->next = t[RULES_ROOT];
	d->name = RULES_AT(rules_row, t, mask, RULES_DEAD);
	d->path = RULES_AT(rules_move, t, mask, RULES_ELSEWHERE);
}

/* What is decided about the root of the mount. */
static inline void rules_judge_root(struct rules_eval *e, __u32 mask,
				    const void *from, struct rules_decision *d)
{
	rules_place_root(e->t, mask, d);
	d->rule = RULES_SEARCH(e, from, e->t[RULES_ROOT_LIST], RULES_NOTHING,
			       RULES_NOTHING);
}

/* Which rules may decide about a name in the directory with the dir @parent. */
static inline void rules_place(const __u32 *t, __u32 mask, __u32 parent,
			       const unsigned char *name, __u32 len,
			       struct rules_decision *d)
{
	__u32 row = rules_read(t, mask, name, len);
	const struct rules_row *r = RULES_AT(rules_row, t, mask, row);
	const struct rules_dir *dir = RULES_AT(rules_dir, t, mask, parent);
	const struct rules_move *m = RULES_AT(rules_move, t, mask,
					      dir->base + 4 * r->class);

	/* A dir and a move are alike behind their first member. */
	if (m->dir != parent)
		m = (const struct rules_move *)dir;
	d->next = m->next;
	d->path = m;
	d->name = r;
}

/* What is decided about it. */
static inline void rules_judge(struct rules_eval *e, __u32 mask,
			       const void *from, __u32 parent,
			       const unsigned char *name, __u32 len,
			       struct rules_decision *d)
{
	__u32 path, alone;

	rules_place(e->t, mask, parent, name, len, d);
	path = d->path->list;
	alone = d->name->list;
	if (rules_are_sure(path, alone))
		d->rule = rules_first(path, alone);
	else
		d->rule = RULES_SEARCH(e, from, path, alone,
				       e->t[RULES_ANY_LIST]);
}

/* A directory that no rule decides about is looked through for those beneath it. */
static inline int rules_look_through(const __u32 *t, __u32 mode, __u32 next)
{
	return rules_is_dir(mode) &&
	       (next != RULES_ELSEWHERE ||
		(t[RULES_FLAGS] & RULES_F_EVERYWHERE));
}

/*
 * A file remembers for its opens which rules may apply, and which rule decided:
 * only those before that one do.
 */
static inline __u64 rules_open_cookie(const struct rules_decision *d)
{
	__u32 rule = d->rule == RULES_NONE ? 0xffff : d->rule;

	return (__u64)d->path->open << 40 | (__u64)d->name->open << 16 | rule;
}

/* The rule that decides about an open, or RULES_NONE. */
static inline __u32 rules_judge_open(struct rules_eval *e, const void *from,
				     __u64 cookie)
{
	__u32 path = cookie >> 40, name = cookie >> 16 & 0xffffff;
	__u32 any = e->t[RULES_ANY_OPEN], end = cookie & 0xffff, rule;

	if (rules_are_sure(path & any, name))
		rule = rules_first(path, name < any ? name : any);
	else
		rule = RULES_SEARCH_OPEN(e, from, path, name, any);
	return rule < end ? rule : RULES_NONE;
}

#endif
