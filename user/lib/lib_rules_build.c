// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From rules to tables; fusepass_rules.h says what these are.
 *
 * First the automata are made, of numbers that begin at 0. Then each part gets its
 * place in the tables, and at last all is written with the places of what it
 * refers to.
 */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "fusepass_abi.h"
#include "ruleset.h"
#include "util.h"

#define MAX_CELLS	(4u << 20)
#define RULE_CELLS	(sizeof(struct rules_rule) / sizeof(uint32_t))
#define TEST_CELLS	(sizeof(struct rules_test) / sizeof(uint32_t))
#define ROW_CELLS	(sizeof(struct rules_row) / sizeof(uint32_t))
#define OBJECT_EXISTS	(~1ull)	/* of RULES_TYPE */

struct build {
	struct ruleset *set;
	struct globs globs;
	struct path_pattern *patterns;
	size_t nr_patterns;
	struct path_rule *rules;	/* of each rule */
	struct names_dfa names;
	struct paths_dfa paths;
	struct sets lists;		/* of numbers of rules */
	/* Of each class of names: rules that go by a name alone. */
	uint32_t *class_list, *class_open;
	uint32_t root_list, any_list, any_open;
	struct numbers list, open;
	uint32_t *dir_base;		/* of each dir, in moves */
	uint8_t *taken;			/* moves */
	size_t nr_moves, moves_room;
	/* Where things are in the tables. */
	uint32_t tests, lists_at, dirs, moves, live, end;
	uint32_t *rows;		/* of each state of names */
	uint32_t next_test;
	bool opens;		/* there are rules for opens */
	uint32_t *cells;
	uint32_t mask;
};

/* Rules ----------------------------------------------------------------------- */

static bool rule_final(const struct rule *r)
{
	return !r->open && !r->nr_tests;
}

static int refuse_xattr(struct build *b)
{
	size_t i;

	for (i = 0; i < b->set->nr; i++) {
		const struct rule *r = &b->set->rules[i];

		if (r->xattr)
			return ruleset_error(b->set, r->line, r->xattr_column,
				"xattr: policies are not told of extended "
				"attributes by this kernel");
	}
	return 0;
}

static int rule_globs(struct build *b, uint32_t i)
{
	const struct rule *r = &b->set->rules[i];
	int64_t name = GLOB_ANY;
	int ret = 0;

	if (r->name)
		name = globs_add(&b->globs, r->name, strlen(r->name));
	if (name < 0)
		return -ENOMEM;
	b->rules[i] = (struct path_rule){
		.open = r->open, .name = name,
		.final = rule_final(r) && (!r->path || !r->name),
		.closes = r->action != RULE_PASS && !r->bare };
	if (r->path)
		ret = path_patterns_add(&b->patterns, &b->nr_patterns,
					&b->globs, r->path, i);
	return ret;
}

/* What lib_rules_glob.c wants to know of each glob. */
static int globs_uses(struct build *b)
{
	struct globs *g = &b->globs;
	size_t i, k;

	g->first = malloc((g->nr + 1) * sizeof(*g->first));
	g->final = malloc((g->nr + 1) * sizeof(*g->final));
	if (!g->first || !g->final)
		return -ENOMEM;
	memset(g->first, 0xff, (g->nr + 1) * sizeof(*g->first));
	memset(g->final, 0xff, (g->nr + 1) * sizeof(*g->final));
	for (i = 0; i < b->set->nr; i++) {
		const struct rule *r = &b->set->rules[i];
		uint32_t name = b->rules[i].name;

		if (name == GLOB_ANY)
			continue;
		if (r->path)
			g->first[name] = 0;
		else if (i < g->first[name])
			g->first[name] = i;
		if (!r->path && rule_final(r) && i < g->final[name])
			g->final[name] = i;
	}
	for (i = 0; i < b->nr_patterns; i++)
		for (k = 0; k < b->patterns[i].nr; k++)
			if (b->patterns[i].parts[k] < PATH_ANY)
				g->first[b->patterns[i].parts[k]] = 0;
	return 0;
}

/* Lists ----------------------------------------------------------------------- */

static int list_add(struct build *b, uint32_t rule)
{
	return numbers_add(b->set->rules[rule].open ? &b->open : &b->list, rule);
}

/* Sorted, and ending with the first rule that always fits. */
static int list_done(struct build *b, uint32_t *list, uint32_t *open)
{
	size_t i;
	int l, o;

	numbers_sort(&b->list);
	numbers_sort(&b->open);
	for (i = 0; i < b->list.nr; i++)
		if (rule_final(&b->set->rules[b->list.v[i]])) {
			b->list.nr = i + 1;
			break;
		}
	l = sets_add(&b->lists, b->list.v, b->list.nr);
	o = sets_add(&b->lists, b->open.v, b->open.nr);
	b->list.nr = b->open.nr = 0;
	if (l < 0 || o < 0)
		return -ENOMEM;
	*list = l;
	*open = o;
	return 0;
}

static bool is_any_name(const struct build *b, uint32_t rule)
{
	return b->set->rules[rule].name && b->rules[rule].name == GLOB_ANY;
}

/* Rules that go by neither path nor name; "*" is any but that of the root. */
static int lists_any(struct build *b)
{
	uint32_t i, unused;
	int ret = 0;

	for (i = 0; !ret && i < b->set->nr; i++) {
		const struct rule *r = &b->set->rules[i];

		if (!r->path && (!r->name || is_any_name(b, i)))
			ret = list_add(b, i);
	}
	if (!ret)
		ret = list_done(b, &b->any_list, &b->any_open);
	for (i = 0; !ret && i < b->set->nr; i++) {
		const struct rule *r = &b->set->rules[i];

		if (!r->name && (!r->path || !strcmp(r->path, "/")))
			ret = list_add(b, i);
	}
	return ret ? ret : list_done(b, &b->root_list, &unused);
}

static int lists_of_class(struct build *b, size_t class,
			  const struct numbers *rules_of)
{
	size_t i, k, nr;
	const uint32_t *globs = sets_get(&b->names.classes, class, &nr);
	int ret = 0;

	for (i = 0; i < nr; i++)
		for (k = 0; !ret && k < rules_of[globs[i]].nr; k++)
			ret = list_add(b, rules_of[globs[i]].v[k]);
	return ret ? ret : list_done(b, &b->class_list[class],
				     &b->class_open[class]);
}

static int lists_names(struct build *b)
{
	size_t i, nr = b->names.classes.nr;
	struct numbers *rules_of = calloc(b->globs.nr + 1, sizeof(*rules_of));
	int ret = rules_of ? 0 : -ENOMEM;

	b->class_list = calloc(nr + 1, sizeof(*b->class_list));
	b->class_open = calloc(nr + 1, sizeof(*b->class_open));
	if (!b->class_list || !b->class_open)
		ret = -ENOMEM;
	for (i = 0; !ret && i < b->set->nr; i++)
		if (!b->set->rules[i].path && b->rules[i].name != GLOB_ANY)
			ret = numbers_add(&rules_of[b->rules[i].name], i);
	for (i = 0; !ret && i < nr; i++)
		ret = lists_of_class(b, i, rules_of);
	for (i = 0; rules_of && i < b->globs.nr; i++)
		free(rules_of[i].v);
	free(rules_of);
	return ret;
}

/* Automata --------------------------------------------------------------------- */

/* The first rule that does not go by its path. */
static uint32_t first_other(const struct build *b)
{
	uint32_t i;

	for (i = 0; i < b->set->nr; i++)
		if (!b->set->rules[i].path && !b->set->rules[i].open)
			return i;
	return UINT32_MAX;
}

static int too_large(struct build *b, bool names)
{
	size_t i;
	const struct rule *r;

	/* It may be any of them; the last one is where it became too much. */
	for (i = b->set->nr; i > 1; i--)
		if (names ? b->set->rules[i - 1].name != NULL ||
			    b->set->rules[i - 1].path != NULL :
			    b->set->rules[i - 1].path != NULL)
			break;
	r = &b->set->rules[i - 1];
	return ruleset_error(b->set, r->line, r->path ? r->path_column :
			     r->name_column, names ?
			     "too many combinations of patterns up to here: fewer "
			     "names with several '*' are expected" :
			     "too many combinations of patterns up to here: fewer "
			     "paths with several '**' are expected");
}

static int automata(struct build *b)
{
	int ret = names_dfa_build(&b->names, &b->globs);

	if (ret)
		return ret == -E2BIG ? too_large(b, true) : ret;
	ret = paths_dfa_build(&b->paths, b->patterns, b->nr_patterns, b->rules,
			      first_other(b), &b->names.classes, b->globs.nr,
			      &b->lists);
	return ret == -E2BIG ? too_large(b, false) : ret;
}

static int patterns(struct build *b)
{
	uint32_t i;
	int ret = sets_add(&b->lists, NULL, 0);	/* 0: the empty list */

	b->rules = calloc(b->set->nr + 1, sizeof(*b->rules));
	if (ret < 0 || !b->rules)
		return -ENOMEM;
	for (i = 0; i < b->set->nr; i++) {
		ret = rule_globs(b, i);
		if (ret)
			return ret;
	}
	return globs_uses(b);
}

/*
 * A short list of rules that go by neither path nor name is made part of the lists
 * of those that go by path, which are looked at anyway.
 */
#define MERGED_MAX	32	/* rules */

static int list_merge(struct build *b, uint32_t *list)
{
	const uint32_t *v;
	size_t i, nr;
	uint32_t unused;
	int ret = 0;

	for (v = sets_get(&b->lists, *list, &nr), i = 0; !ret && i < nr; i++)
		ret = list_add(b, v[i]);
	for (v = sets_get(&b->lists, b->any_list, &nr), i = 0; !ret && i < nr; i++)
		ret = list_add(b, v[i]);
	return ret ? ret : list_done(b, list, &unused);
}

static int lists_merge(struct build *b)
{
	size_t i, k, nr;
	int ret = 0;

	sets_get(&b->lists, b->any_list, &nr);
	if (!nr || nr > MERGED_MAX)
		return 0;
	for (i = 0; !ret && i < b->paths.nr_dirs; i++) {
		struct paths_dir *d = &b->paths.dirs[i];

		ret = list_merge(b, &d->other.list);
		for (k = 0; !ret && k < d->nr; k++)
			ret = list_merge(b, &d->moves[k].list);
	}
	b->any_list = 0;
	return ret;
}

/* Moves ------------------------------------------------------------------------- */

static int moves_room(struct build *b, size_t need)
{
	size_t room = b->moves_room ? b->moves_room : 1024;
	uint8_t *v;

	if (need <= b->moves_room)
		return 0;
	while (room < need)
		room *= 2;
	v = realloc(b->taken, room);
	if (!v)
		return -ENOMEM;
	memset(v + b->moves_room, 0, room - b->moves_room);
	b->taken = v;
	b->moves_room = room;
	return 0;
}

static bool fits_at(const struct build *b, const struct paths_dir *d, size_t base)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		if (b->taken[base + d->moves[i].class])
			return false;
	return true;
}

/*
 * The rows of moves lie over each other, where the gaps of one are the moves of
 * others; each move says whose it is. Rows are put where they fit first; the
 * search begins further on as places fill up.
 */
static int moves_place(struct build *b, size_t i, size_t *from)
{
	const struct paths_dir *d = &b->paths.dirs[i];
	size_t classes = b->names.classes.nr, base = *from, k;
	int ret;

	b->dir_base[i] = 0;
	if (!d->nr)
		return 0;
	for (;; base++) {
		ret = moves_room(b, base + classes);
		if (ret)
			return ret;
		if (fits_at(b, d, base))
			break;
		if (base - *from > 512)
			*from = base - 256;
	}
	b->dir_base[i] = base;
	for (k = 0; k < d->nr; k++)
		b->taken[base + d->moves[k].class] = 1;
	if (base + classes > b->nr_moves)
		b->nr_moves = base + classes;
	return 0;
}

static int moves(struct build *b)
{
	size_t i, from = 0;
	int ret = 0;

	b->dir_base = calloc(b->paths.nr_dirs + 1, sizeof(*b->dir_base));
	if (!b->dir_base)
		return -ENOMEM;
	b->nr_moves = b->names.classes.nr;
	for (i = 0; !ret && i < b->paths.nr_dirs; i++)
		ret = moves_place(b, i, &from);
	return ret;
}

/* Places in the tables ------------------------------------------------------------ */

static uint32_t aligned(uint64_t cells)
{
	return (cells + 3) / 4 * 4;
}

static size_t count_tests(const struct build *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->set->nr; i++)
		n += b->set->rules[i].nr_tests + 1;
	return n;
}

/* Whatever follows, the state is the same. */
static bool state_stays(const struct names_dfa *n, size_t state)
{
	unsigned int c;

	for (c = 0; c < n->nr_chars; c++)
		if (n->next[state * n->nr_chars + c] != state)
			return false;
	return true;
}

/* Of those of one kind, from @at on. Returns the end. */
static uint64_t place_rows(struct build *b, uint64_t at, bool stays, size_t size)
{
	size_t i;

	for (i = 1; i < b->names.nr_states; i++) {
		if (state_stays(&b->names, i) != stays)
			continue;
		b->rows[i] = at;
		at += size;
	}
	return at;
}

static int layout(struct build *b)
{
	uint64_t lists = b->lists.used + b->lists.nr;
	uint64_t moves = 4ull * b->nr_moves, dirs = 4ull * b->paths.nr_dirs;
	uint64_t end;

	b->rows = calloc(b->names.nr_states + 1, sizeof(*b->rows));
	if (!b->rows)
		return -ENOMEM;
	b->rows[0] = RULES_DEAD;
	b->tests = RULES_RULES + RULE_CELLS * b->set->nr;
	b->next_test = b->tests;
	b->lists_at = b->tests + TEST_CELLS * count_tests(b);
	b->dirs = aligned(b->lists_at + lists);
	b->moves = b->dirs + dirs;
	b->live = place_rows(b, b->moves + moves, true, ROW_CELLS);
	end = place_rows(b, b->live, false, ROW_CELLS + b->names.nr_chars);
	if (end > MAX_CELLS)
		return too_large(b, true);
	b->end = end;
	for (b->mask = 1; b->mask < end; b->mask *= 2)
		;
	b->mask--;
	b->cells = calloc((size_t)b->mask + 1 + RULES_SLACK, sizeof(*b->cells));
	return b->cells ? 0 : -ENOMEM;
}

static uint32_t rule_at(uint32_t rule)
{
	return RULES_RULES + RULE_CELLS * rule;
}

/* The lists follow each other with a 0 between; list 0 is nothing. */
static uint32_t list_start(const struct build *b, uint32_t list)
{
	return b->lists_at + b->lists.entries[list].at + list;
}

/* What points to a list; one rule without tests stands for itself. */
static uint32_t list_at(const struct build *b, uint32_t list)
{
	size_t nr;
	const uint32_t *v = sets_get(&b->lists, list, &nr);

	if (!nr)
		return RULES_NOTHING;
	if (nr == 1 && !b->set->rules[*v].nr_tests)
		return rule_at(*v) | RULES_ONE;
	return list_start(b, list);
}

/*
 * The same of what goes by path. Where there are rules besides, which are looked at for
 * each name, nothing stands for itself.
 */
static uint32_t path_list_at(const struct build *b, uint32_t list)
{
	return b->any_list ? list_start(b, list) : list_at(b, list);
}

static uint32_t dir_at(const struct build *b, uint32_t dir)
{
	return dir ? b->dirs + 4 * dir : RULES_ELSEWHERE;
}

#define AT(b, type, at) ((struct type *)((b)->cells + (at)))

/* Writing -------------------------------------------------------------------------- */

static void write_lists(struct build *b)
{
	const uint32_t *v;
	size_t i, k, nr;

	for (i = 1; i < b->lists.nr; i++) {
		v = sets_get(&b->lists, i, &nr);
		for (k = 0; k < nr; k++)
			b->cells[list_start(b, i) + k] = rule_at(v[k]);
	}
}

static int verdict(const struct rule *r)
{
	switch (r->action) {
	case RULE_PASS:
		return 1;
	case RULE_SERVER:
		return 0;
	default:
		return -r->err;
	}
}

static uint32_t rule_flags(const struct rule *r)
{
	return (r->action == RULE_HIDE ? RULES_R_HIDE : 0) |
	       (r->count ? RULES_R_COUNT : 0) | (r->log ? RULES_R_LOG : 0) |
	       (r->action == RULE_SERVER && r->bare ? RULES_R_DEFAULT : 0) |
	       (r->valid != FUSEPASS_RULE_FOREVER ? RULES_R_FOR : 0);
}

static bool needs_object(const struct rule *r)
{
	size_t i;

	for (i = 0; i < r->nr_tests; i++)
		if (r->tests[i].field >= RULES_SIZE &&
		    r->tests[i].field <= RULES_AGE)
			return true;
	return false;
}

static void write_test(struct build *b, const struct rule_test *t, uint32_t hit,
		       uint32_t miss)
{
	*AT(b, rules_test, b->next_test) = (struct rules_test){
		.field = t->field, .hit = hit, .miss = miss,
		.level = t->level, .mask = t->mask, .min = t->min,
		.span = t->max - t->min };
	b->next_test += TEST_CELLS;
}

/* After a hit the other alternatives are skipped. */
static void write_tests(struct build *b, const struct rule *r)
{
	static const struct rule_test exists = {
		.field = RULES_TYPE, .mask = OBJECT_EXISTS, .min = 1,
		.max = ~0ull };
	const struct rule_test *t = r->tests;
	size_t i, end;

	if (needs_object(r))
		write_test(b, &exists, b->next_test + TEST_CELLS, 0);
	for (i = 0; i < r->nr_tests; i++) {
		for (end = i + 1; end < r->nr_tests &&
		     t[end].group == t[i].group; end++)
			;
		write_test(b, &t[i], end < r->nr_tests ? b->next_test +
			   TEST_CELLS * (end - i) : 0, i + 1 < end ?
			   b->next_test + TEST_CELLS : 0);
	}
}

static void write_rules(struct build *b)
{
	uint32_t i;

	for (i = 0; i < b->set->nr; i++) {
		const struct rule *r = &b->set->rules[i];

		*AT(b, rules_rule, rule_at(i)) = (struct rules_rule){
			.test = r->nr_tests ? b->next_test : 0,
			.verdict = verdict(r),
			.flags = rule_flags(r) | (b->opens ? RULES_R_OPENS : 0),
			.number = i, .valid = r->valid,
			/* Names below a directory have rules of their own. */
			.ops = r->ops | FUSE_PASSTHROUGH_OP_LOOKUP };
		write_tests(b, r);
	}
}

static void write_dirs(struct build *b)
{
	size_t i, k;

	for (i = 0; i < b->paths.nr_dirs; i++) {
		const struct paths_dir *d = &b->paths.dirs[i];
		uint32_t base = b->moves + 4 * b->dir_base[i];

		*AT(b, rules_dir, dir_at(b, i)) = (struct rules_dir){
			base, dir_at(b, d->other.next),
			path_list_at(b, d->other.list), list_at(b, d->other.open) };
		for (k = 0; k < d->nr; k++)
			*AT(b, rules_move, base + 4 * d->moves[k].class) =
				(struct rules_move){
					dir_at(b, i),
					dir_at(b, d->moves[k].next),
					path_list_at(b, d->moves[k].list),
					list_at(b, d->moves[k].open) };
	}
}

/* A row that is never left has no members for characters. */
static void write_rows(struct build *b)
{
	const struct names_dfa *n = &b->names;
	unsigned int c;
	size_t i;

	for (c = 0; c < 256; c++)
		b->cells[RULES_CHARS + c] = ROW_CELLS + n->char_class[c];
	for (i = 0; i < n->nr_states; i++) {
		struct rules_row *row = AT(b, rules_row, b->rows[i]);

		row->class = n->class[i];
		row->list = list_at(b, b->class_list[n->class[i]]);
		row->open = list_at(b, b->class_open[n->class[i]]);
		for (c = 0; b->rows[i] >= b->live && c < n->nr_chars; c++)
			row->to[c] = b->rows[n->next[i * n->nr_chars + c]];
	}
}

static bool decides_everywhere(const struct rule *r)
{
	return !r->path && !r->open && !(r->action == RULE_SERVER && r->bare);
}

static uint32_t set_flags(const struct ruleset *set)
{
	uint32_t flags = 0;
	size_t i, k;

	for (i = 0; i < set->nr; i++) {
		const struct rule *r = &set->rules[i];

		flags |= r->open ? RULES_F_OPEN : 0;
		flags |= decides_everywhere(r) ? RULES_F_EVERYWHERE : 0;
		for (k = 0; k < r->nr_tests; k++)
			if (r->tests[k].field == RULES_AGE)
				flags |= RULES_F_AGE;
	}
	return flags;
}

/* In whole seconds, whenever in a second it is looked at. */
static uint32_t tai_offset(void)
{
	struct timespec tai, real;

	clock_gettime(CLOCK_REALTIME, &real);
	if (clock_gettime(CLOCK_TAI, &tai))
		return 0;
	return ((tai.tv_sec - real.tv_sec) * 1000000000ll +
		tai.tv_nsec - real.tv_nsec + 500000000) / 1000000000;
}

static void write_header(struct build *b)
{
	uint32_t *c = b->cells;

	c[RULES_START] = b->rows[b->names.start];
	c[RULES_LIVE] = b->live;
	c[RULES_BACKWARD] = b->names.backward;
	c[RULES_ROOT] = dir_at(b, b->paths.root);
	c[RULES_ROOT_LIST] = list_at(b, b->root_list);
	c[RULES_ANY_LIST] = list_at(b, b->any_list);
	c[RULES_ANY_OPEN] = list_at(b, b->any_open);
	c[RULES_FLAGS] = set_flags(b->set);
	b->opens = c[RULES_FLAGS] & RULES_F_OPEN;
	c[RULES_TAI_OFFSET] = tai_offset();
	c[RULES_NR] = b->set->nr;
}

static void hand_over(struct build *b, struct rules_tables *t)
{
	size_t i;

	*t = (struct rules_tables){
		.cells = util_take_ptr(b->cells), .mask = b->mask,
		.size = ((size_t)b->mask + 1 + RULES_SLACK) * sizeof(*b->cells),
		.nr_rules = b->set->nr,
		.names_states = b->names.nr_states,
		.dirs = b->paths.nr_dirs, .moves = b->paths.nr_moves };
	t->opens = t->cells[RULES_FLAGS] & RULES_F_OPEN;
	for (i = 0; i < b->set->nr; i++)
		t->hides |= b->set->rules[i].action == RULE_HIDE;
}

static int build_all(struct build *b)
{
	int ret = refuse_xattr(b);

	if (!ret)
		ret = patterns(b);
	if (!ret)
		ret = automata(b);
	if (!ret)
		ret = lists_any(b);
	if (!ret)
		ret = lists_names(b);
	if (!ret)
		ret = lists_merge(b);
	if (!ret)
		ret = moves(b);
	return ret ? ret : layout(b);
}

static void build_clear(struct build *b)
{
	globs_clear(&b->globs);
	path_patterns_clear(b->patterns, b->nr_patterns);
	names_dfa_clear(&b->names);
	paths_dfa_clear(&b->paths);
	sets_clear(&b->lists);
	free(b->rules);
	free(b->class_list);
	free(b->class_open);
	free(b->list.v);
	free(b->open.v);
	free(b->dir_base);
	free(b->taken);
	free(b->rows);
	free(b->cells);
}

int rules_build(struct ruleset *set, struct rules_tables *tables)
{
	struct build b = { .set = set };
	int ret = build_all(&b);

	if (!ret) {
		write_header(&b);
		write_rules(&b);
		write_lists(&b);
		write_dirs(&b);
		write_rows(&b);
		hand_over(&b, tables);
	}
	build_clear(&b);
	return ret;
}

void rules_tables_clear(struct rules_tables *tables)
{
	free(tables->cells);
	tables->cells = NULL;
}

/* Cgroups --------------------------------------------------------------------------- */

static const char *cgroup_root(void)
{
	struct statfs st;

	if (!statfs("/sys/fs/cgroup", &st) && st.f_type == CGROUP2_SUPER_MAGIC)
		return "/sys/fs/cgroup";
	return "/sys/fs/cgroup/unified";
}

/* The id of a cgroup is the number of its inode; its level that of its names. */
static int cgroup_find(struct rule_test *t)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	const char *p;

	if (asprintf(&path, "%s/%s", cgroup_root(), t->cgroup) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (stat(path, &st))
		return -errno;
	t->min = t->max = st.st_ino;
	t->level = 0;
	for (p = t->cgroup; *p; p += strspn(p, "/")) {
		t->level++;
		p += strcspn(p, "/");
	}
	return 0;
}

int ruleset_find_cgroups(struct ruleset *set)
{
	size_t i, k;
	int ret;

	for (i = 0; i < set->nr; i++)
		for (k = 0; k < set->rules[i].nr_tests; k++) {
			struct rule_test *t = &set->rules[i].tests[k];

			ret = t->cgroup ? cgroup_find(t) : 0;
			if (ret == -ENOMEM)
				return ret;
			if (ret)
				return ruleset_error(set, set->rules[i].line,
					t->column, "a cgroup below %s is expected, "
					"not '%s'", cgroup_root(), t->cgroup);
		}
	return 0;
}
