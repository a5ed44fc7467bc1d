// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Patterns for paths: a glob for each name between the slashes, and "**" for any
 * names, also none; at the end it is one name at least, so what the pattern of a
 * directory followed by it means is all that is in there.
 *
 * The automaton reads one class of names after the other (lib_rules_glob.c), and
 * its states, the dirs, are what a directory remembers. A dir is a set of places in
 * patterns. Most names match nothing that is waited for there, so each dir has one
 * move for these, and further moves for the classes that matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ruleset.h"
#include "util.h"

#define MAX_DIRS	30000
#define MAX_MOVES	300000
#define MAX_VARIANTS	256	/* of a pattern with braces */

/* Patterns ----------------------------------------------------------------- */

/* Behind a set, which begins at @p with '['. */
static const char *skip_set(const char *p)
{
	p++;
	p += *p == '!' || *p == '^';
	if (*p == '\\' && p[1])
		p++;
	if (*p)
		p++;
	for (; *p && *p != ']'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* Behind the next character or set. */
static const char *skip(const char *p)
{
	if (*p == '[')
		return skip_set(p);
	return p + (*p == '\\' && p[1] ? 2 : 1);
}

/* The end of an alternative in braces: its ',' or '}', or the end of the text. */
static const char *skip_alternative(const char *p)
{
	unsigned int depth = 0;

	while (*p && (depth || (*p != ',' && *p != '}'))) {
		if (*p == '{')
			depth++;
		else if (*p == '}')
			depth--;
		p = skip(p);
	}
	return p;
}

static const char *skip_braces(const char *open)
{
	const char *p = open;

	do {
		p = skip_alternative(p + 1);
	} while (*p == ',');
	return *p ? p + 1 : p;
}

/* Braces in which there is more than a part of one name. */
static const char *find_braces(const char *p, const char **end)
{
	const char *q;

	while (*p) {
		if (*p != '{') {
			p = skip(p);
			continue;
		}
		*end = skip_braces(p);
		for (q = p; q < *end; q++)
			if (*q == '/' || (q[0] == '*' && q[1] == '*'))
				return p;
		p = *end;
	}
	return NULL;
}

/* Calls @one for each variant without such braces. */
static int expand(const char *text, unsigned int *budget,
		  int (*one)(const char *text, void *arg), void *arg)
{
	const char *end, *open = find_braces(text, &end), *p = open, *q;
	_cleanup_free_ char *variant = NULL;
	int ret = 0;

	if (!open)
		return (*budget)-- ? one(text, arg) : -E2BIG;
	do {
		q = skip_alternative(p + 1);
		free(variant);
		if (asprintf(&variant, "%.*s%.*s%s", (int)(open - text), text,
			     (int)(q - p - 1), p + 1, end) < 0) {
			variant = NULL;
			return -ENOMEM;
		}
		ret = expand(variant, budget, one, arg);
		p = q;
	} while (!ret && *p == ',');
	return ret;
}

static size_t part_length(const char *p)
{
	return strcspn(p, "/");
}

struct path_error {
	const char *text;
	size_t at;
};

static int check_variant(const char *text, void *arg)
{
	struct path_error *e = arg;
	const char *p = text;
	size_t len, at;

	if (*p != '/')
		e->text = "a path beginning with '/' is expected";
	while (!e->text && *p == '/' && p[1]) {
		len = part_length(++p);
		e->at = p - text;
		e->text = glob_check(p, len, &at);
		if (!len)
			e->text = "a name between slashes is expected";
		else if ((len == 1 && *p == '.') || (len == 2 && !memcmp(p, "..", 2)))
			e->text = "a name, not '.' or '..', is expected";
		else if (len != 2 && memmem(p, len, "**", 2))
			e->text = "'**' alone between slashes is expected";
		p += len;
		if (!e->text && *p == '/' && !p[1]) {
			e->at = p - text;
			e->text = "a name after '/' is expected";
		}
	}
	return e->text ? -EINVAL : 0;
}

const char *path_check(const char *text, size_t *at)
{
	unsigned int budget = MAX_VARIANTS;
	struct path_error e = { NULL, 0 };
	const char *end, *wrong = glob_check(text, strlen(text), at), *open;
	int ret;

	if (wrong)
		return wrong;
	ret = expand(text, &budget, check_variant, &e);
	open = find_braces(text, &end);
	*at = open ? (size_t)(open - text) : e.at;
	if (ret == -E2BIG)
		return "fewer alternatives in braces are expected";
	return e.text;
}

struct adder {
	struct path_pattern **patterns;
	size_t *nr;
	struct globs *globs;
	uint32_t rule;
};

static int64_t part_of(struct globs *globs, const char *p, size_t len)
{
	if (len == 2 && !memcmp(p, "**", 2))
		return PATH_ANY;
	return globs_add(globs, p, len);
}

static int split(const char *p, struct globs *globs, struct numbers *parts)
{
	int64_t part;
	size_t len;
	int ret = 0;

	for (; !ret && *p == '/' && p[1]; p += len) {
		len = part_length(++p);
		part = part_of(globs, p, len);
		/* Twice in a row is once. */
		if (part == PATH_ANY && parts->nr &&
		    parts->v[parts->nr - 1] == PATH_ANY)
			continue;
		ret = part < 0 ? -ENOMEM : numbers_add(parts, part);
	}
	return ret;
}

static int add_variant(const char *text, void *arg)
{
	struct adder *a = arg;
	struct numbers parts = { NULL, 0, 0 };
	struct path_pattern *v;
	int ret = split(text, a->globs, &parts);

	v = reallocarray(*a->patterns, *a->nr + 1, sizeof(*v));
	if (v)
		*a->patterns = v;
	if (ret || !v) {
		free(parts.v);
		return -ENOMEM;
	}
	v[(*a->nr)++] = (struct path_pattern){ a->rule, parts.v, parts.nr };
	return 0;
}

int path_patterns_add(struct path_pattern **patterns, size_t *nr,
		      struct globs *globs, const char *text, uint32_t rule)
{
	struct adder a = { patterns, nr, globs, rule };
	unsigned int budget = MAX_VARIANTS;

	return expand(text, &budget, add_variant, &a);
}

void path_patterns_clear(struct path_pattern *patterns, size_t nr)
{
	while (nr)
		free(patterns[--nr].parts);
	free(patterns);
}

/* Places --------------------------------------------------------------------- */

/* Where one is in a pattern: the part that is waited for. */
struct place {
	uint32_t part;
	uint32_t rule;
	bool last;
};

struct build {
	struct paths_dfa *dfa;
	const struct path_rule *rules;
	uint32_t first_other;
	const struct sets *classes;
	struct numbers *classes_of;	/* of each glob */
	struct place *places;		/* those of one pattern in a row */
	size_t nr_places;
	struct sets dirs;		/* sets of places */
	struct numbers next, list, open, relevant;
};

static int places_fill(struct build *b, const struct path_pattern *p, size_t nr,
		       struct numbers *starts)
{
	size_t i, k, n = 0;
	int ret = 0;

	for (i = 0; i < nr; i++)
		n += p[i].nr;
	b->places = calloc(n + 1, sizeof(*b->places));
	if (!b->places)
		return -ENOMEM;
	for (i = 0; !ret && i < nr; i++) {
		if (p[i].nr)
			ret = numbers_add(starts, b->nr_places);
		for (k = 0; k < p[i].nr; k++)
			b->places[b->nr_places++] = (struct place){
				p[i].parts[k], p[i].rule, k + 1 == p[i].nr };
	}
	return ret;
}

static int classes_index(struct build *b, size_t nr_globs)
{
	const uint32_t *globs;
	size_t i, k, nr;
	int ret = 0;

	b->classes_of = calloc(nr_globs + 1, sizeof(*b->classes_of));
	if (!b->classes_of)
		return -ENOMEM;
	for (i = 0; i < b->classes->nr; i++) {
		globs = sets_get(b->classes, i, &nr);
		for (k = 0; !ret && k < nr; k++)
			ret = numbers_add(&b->classes_of[globs[k]], i);
	}
	return ret;
}

static bool class_has(const struct build *b, uint32_t class, uint32_t glob)
{
	size_t nr, low = 0, mid;
	const uint32_t *globs = sets_get(b->classes, class, &nr);

	if (glob == GLOB_ANY)
		return true;
	while (low < nr) {
		mid = (low + nr) / 2;
		if (globs[mid] == glob)
			return true;
		if (globs[mid] < glob)
			low = mid + 1;
		else
			nr = mid;
	}
	return false;
}

/* Adds a place, and the one behind a "**" that may be nothing. */
static int next_add(struct build *b, uint32_t place)
{
	const struct place *p = &b->places[place];
	int ret = numbers_add(&b->next, place);

	if (!ret && p->part == PATH_ANY && !p->last)
		ret = numbers_add(&b->next, place + 1);
	return ret;
}

/*
 * Where a rule that nothing can turn away holds for all that is below, later rules
 * never decide, and need not be followed.
 */
static void next_prune(struct build *b)
{
	uint32_t least = UINT32_MAX;
	size_t i, to = 0;

	for (i = 0; i < b->next.nr; i++) {
		const struct place *p = &b->places[b->next.v[i]];

		if (p->part == PATH_ANY && p->last && p->rule < least &&
		    b->rules[p->rule].final)
			least = p->rule;
	}
	for (i = 0; i < b->next.nr; i++)
		if (b->places[b->next.v[i]].rule <= least)
			b->next.v[to++] = b->next.v[i];
	b->next.nr = to;
}

static int next_done(struct build *b)
{
	int ret;

	next_prune(b);
	numbers_sort(&b->next);
	ret = sets_add(&b->dirs, b->next.v, b->next.nr);
	b->next.nr = 0;
	return ret >= MAX_DIRS ? -E2BIG : ret;
}

/* A name of this class is met where this place is waited for. */
static int place_meet(struct build *b, uint32_t place, uint32_t class)
{
	const struct place *p = &b->places[place];
	const struct path_rule *r = &b->rules[p->rule];
	bool any = p->part == PATH_ANY;
	int ret = 0;

	if (!any && !class_has(b, class, p->part))
		return 0;
	if (any)
		ret = next_add(b, place);
	else if (!p->last)
		ret = next_add(b, place + 1);
	if (!ret && p->last && class_has(b, class, r->name))
		ret = numbers_add(r->open ? &b->open : &b->list, p->rule);
	return ret;
}

/* Nothing behind a rule that always fits. */
static void list_cut(struct build *b)
{
	size_t i;

	for (i = 0; i < b->list.nr; i++)
		if (b->rules[b->list.v[i]].final) {
			b->list.nr = i + 1;
			break;
		}
}

/* Below what the first rule closes nothing is judged. */
static bool list_closes(const struct build *b)
{
	return b->list.nr && b->rules[b->list.v[0]].final &&
	       b->rules[b->list.v[0]].closes && b->list.v[0] < b->first_other;
}

static int move_make(struct build *b, size_t dir, uint32_t class,
		     struct paths_move *m)
{
	size_t i, nr;
	const uint32_t *places = sets_get(&b->dirs, dir, &nr);
	int ret = 0, list, open;

	b->list.nr = b->open.nr = b->next.nr = 0;
	for (i = 0; !ret && i < nr; i++)
		ret = place_meet(b, places[i], class);
	if (ret)
		return ret;
	numbers_sort(&b->list);
	numbers_sort(&b->open);
	list_cut(b);
	if (list_closes(b))
		b->next.nr = 0;
	ret = next_done(b);
	list = sets_add(b->dfa->lists, b->list.v, b->list.nr);
	open = sets_add(b->dfa->lists, b->open.v, b->open.nr);
	if (ret < 0 || list < 0 || open < 0)
		return ret < 0 ? ret : -ENOMEM;
	*m = (struct paths_move){ class, ret, list, open };
	return 0;
}

/* The classes that are told apart in this dir. */
static int relevant_find(struct build *b, size_t dir)
{
	size_t i, k, j, nr;
	const uint32_t *places = sets_get(&b->dirs, dir, &nr);
	int ret = 0;

	b->relevant.nr = 0;
	for (i = 0; !ret && i < nr; i++) {
		const struct place *p = &b->places[places[i]];
		uint32_t globs[2] = { p->part, p->last ?
			b->rules[p->rule].name : GLOB_ANY };

		for (k = 0; k < 2; k++) {
			if (globs[k] == GLOB_ANY || globs[k] == PATH_ANY)
				continue;
			for (j = 0; !ret && j < b->classes_of[globs[k]].nr; j++)
				ret = numbers_add(&b->relevant,
					b->classes_of[globs[k]].v[j]);
		}
	}
	numbers_sort(&b->relevant);
	return ret;
}

static bool same_move(const struct paths_move *a, const struct paths_move *b)
{
	return a->next == b->next && a->list == b->list && a->open == b->open;
}

static int dir_make(struct build *b, size_t i, struct paths_dir *dir)
{
	size_t k;
	int ret = move_make(b, i, 0, &dir->other);

	if (!ret)
		ret = relevant_find(b, i);
	if (!ret && b->dfa->nr_moves + b->relevant.nr > MAX_MOVES)
		ret = -E2BIG;
	if (ret)
		return ret;
	dir->moves = calloc(b->relevant.nr + 1, sizeof(*dir->moves));
	if (!dir->moves)
		return -ENOMEM;
	for (k = 0; !ret && k < b->relevant.nr; k++) {
		ret = move_make(b, i, b->relevant.v[k], &dir->moves[dir->nr]);
		if (!ret && !same_move(&dir->moves[dir->nr], &dir->other))
			dir->nr++;
	}
	b->dfa->nr_moves += dir->nr;
	return ret;
}

static int dirs_make(struct build *b)
{
	struct paths_dfa *dfa = b->dfa;
	struct paths_dir *v;
	int ret = 0;

	while (!ret && dfa->nr_dirs < b->dirs.nr) {
		if (!(dfa->nr_dirs & (dfa->nr_dirs - 1))) {
			v = reallocarray(dfa->dirs, dfa->nr_dirs ?
					 dfa->nr_dirs * 2 : 1, sizeof(*v));
			if (!v)
				return -ENOMEM;
			dfa->dirs = v;
		}
		memset(&dfa->dirs[dfa->nr_dirs], 0, sizeof(*v));
		dfa->nr_dirs++;
		ret = dir_make(b, dfa->nr_dirs - 1,
			       &dfa->dirs[dfa->nr_dirs - 1]);
	}
	return ret;
}

static void build_clear(struct build *b, size_t nr_globs)
{
	size_t i;

	for (i = 0; b->classes_of && i < nr_globs; i++)
		free(b->classes_of[i].v);
	free(b->classes_of);
	free(b->places);
	sets_clear(&b->dirs);
	free(b->next.v);
	free(b->list.v);
	free(b->open.v);
	free(b->relevant.v);
}

int paths_dfa_build(struct paths_dfa *dfa, const struct path_pattern *patterns,
		    size_t nr, const struct path_rule *rules,
		    uint32_t first_other, const struct sets *classes,
		    size_t nr_globs, struct sets *lists)
{
	struct build b = { .dfa = dfa, .rules = rules, .classes = classes,
			   .first_other = first_other };
	struct numbers starts = { NULL, 0, 0 };
	size_t i;
	int ret;

	*dfa = (struct paths_dfa){ .lists = lists };
	ret = places_fill(&b, patterns, nr, &starts);
	if (!ret)
		ret = classes_index(&b, nr_globs);
	if (!ret)
		ret = next_done(&b);	/* 0: nothing is waited for */
	for (i = 0; ret >= 0 && i < starts.nr; i++)
		ret = next_add(&b, starts.v[i]);
	if (ret >= 0)
		ret = next_done(&b);
	dfa->root = ret < 0 ? 0 : ret;
	if (ret >= 0)
		ret = dirs_make(&b);
	free(starts.v);
	build_clear(&b, nr_globs);
	return ret < 0 ? ret : 0;
}

void paths_dfa_clear(struct paths_dfa *dfa)
{
	while (dfa->nr_dirs)
		free(dfa->dirs[--dfa->nr_dirs].moves);
	free(dfa->dirs);
	dfa->dirs = NULL;
}
