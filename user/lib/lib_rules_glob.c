// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Globs for one name: what they mean, and one automaton for all of them.
 *
 *     *  any characters, also none     [abc] [a-z] [!a-z]  one of these, or not
 *     ?  any one                       {a,b}  either, may be nested
 *     \  the next one as it is
 *
 * Characters are bytes, and a dot at the beginning is one like the others.
 *
 * Each glob becomes nodes (non-deterministic), all together become states by
 * subsets. With many globs that have text between two stars there are more
 * subsets than is good, so their number is limited. Names are read from the end or
 * from the beginning, whichever has fewer stars where it begins: from the end, "*.iso"
 * is decided after one character of most names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ruleset.h"
#include "util.h"

#define MAX_STATES	50000
#define MAX_CELLS	(2u << 20)

/* Globs ------------------------------------------------------------------- */

enum item_kind { ITEM_CHAR, ITEM_STAR, ITEM_EITHER };

struct items;
struct item {
	enum item_kind kind;
	uint64_t set[4];
	struct items *either;	/* nr of them */
	size_t nr;
};
struct items {
	struct item *v;
	size_t nr;
};

static void items_clear(struct items *items)
{
	size_t i, k;

	for (i = 0; i < items->nr; i++) {
		for (k = 0; k < items->v[i].nr; k++)
			items_clear(&items->v[i].either[k]);
		free(items->v[i].either);
	}
	free(items->v);
	items->v = NULL;
	items->nr = 0;
}

static struct item *items_new(struct items *items, enum item_kind kind)
{
	struct item *v = reallocarray(items->v, items->nr + 1, sizeof(*v));

	if (!v)
		return NULL;
	items->v = v;
	memset(&v[items->nr], 0, sizeof(*v));
	v[items->nr].kind = kind;
	return &v[items->nr++];
}

struct glob_text {
	const char *p, *end;
	const char *error;	/* what is wrong at p; NULL with -ENOMEM */
	unsigned int depth;
};

static int glob_wrong(struct glob_text *t, const char *error)
{
	t->error = error;
	return -EINVAL;
}

static void set_add(uint64_t set[4], unsigned int from, unsigned int to)
{
	for (; from <= to; from++)
		set[from / 64] |= 1ull << from % 64;
}

/* One character of a set, with its backslash. */
static int set_char(struct glob_text *t, unsigned char *c)
{
	if (t->p < t->end && *t->p == '\\')
		t->p++;
	if (t->p == t->end)
		return glob_wrong(t, "']' is expected");
	*c = *t->p++;
	return 0;
}

static int parse_range(struct glob_text *t, struct item *item)
{
	unsigned char from, to;
	const char *start = t->p;
	int ret = set_char(t, &from);

	to = from;
	if (!ret && t->end - t->p >= 2 && *t->p == '-' && t->p[1] != ']') {
		t->p++;
		ret = set_char(t, &to);
	}
	if (!ret && to < from) {
		t->p = start;
		return glob_wrong(t, "a range from low to high is expected");
	}
	if (!ret)
		set_add(item->set, from, to);
	return ret;
}

/* Behind the '['. */
static int parse_set(struct glob_text *t, struct item *item)
{
	bool not = t->p < t->end && (*t->p == '!' || *t->p == '^');
	const char *first;
	int i, ret;

	t->p += not;
	first = t->p;
	do {
		if (t->p == t->end)
			return glob_wrong(t, "']' is expected");
		ret = parse_range(t, item);
		if (ret)
			return ret;
	} while (t->p == t->end || *t->p != ']' || t->p == first);
	t->p++;
	for (i = 0; not && i < 4; i++)
		item->set[i] = ~item->set[i];
	return 0;
}

static int parse_items(struct glob_text *t, struct items *items, bool inside);

/* Behind the '{'. */
static int parse_either(struct glob_text *t, struct items *items)
{
	struct item *item = items_new(items, ITEM_EITHER);
	struct items *v;
	int ret;

	if (!item)
		return -ENOMEM;
	if (++t->depth > 8)
		return glob_wrong(t, "at most 8 nested braces are expected");
	do {
		v = reallocarray(item->either, item->nr + 1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		item->either = v;
		v[item->nr++] = (struct items){ NULL, 0 };
		ret = parse_items(t, &v[item->nr - 1], true);
		if (ret)
			return ret;
		if (t->p == t->end)
			return glob_wrong(t, "'}' is expected");
	} while (*t->p++ == ',');
	t->depth--;
	return 0;
}

static int parse_star(struct items *items)
{
	if (items->nr && items->v[items->nr - 1].kind == ITEM_STAR)
		return 0;
	return items_new(items, ITEM_STAR) ? 0 : -ENOMEM;
}

static int parse_char(struct glob_text *t, struct items *items, unsigned char c)
{
	struct item *item = items_new(items, ITEM_CHAR);

	if (!item)
		return -ENOMEM;
	if (c == '?')
		set_add(item->set, 0, 255);
	else if (c == '[')
		return parse_set(t, item);
	else if (c == '\\' && t->p == t->end)
		return glob_wrong(t, "a character after '\\' is expected");
	else
		set_add(item->set, c == '\\' ? (unsigned char)*t->p : c,
			c == '\\' ? (unsigned char)*t->p : c);
	t->p += c == '\\';
	return 0;
}

/* Up to the end, or inside braces up to the ',' or '}'. */
static int parse_items(struct glob_text *t, struct items *items, bool inside)
{
	unsigned char c;
	int ret = 0;

	while (!ret && t->p < t->end) {
		c = *t->p;
		if (inside && (c == ',' || c == '}'))
			break;
		t->p++;
		if (c == '*')
			ret = parse_star(items);
		else if (c == '{')
			ret = parse_either(t, items);
		else
			ret = parse_char(t, items, c);
	}
	return ret;
}

static int glob_parse(const char *text, size_t len, struct items *items,
		      struct glob_text *t)
{
	*t = (struct glob_text){ .p = text, .end = text + len };
	*items = (struct items){ NULL, 0 };
	return parse_items(t, items, false);
}

const char *glob_check(const char *text, size_t len, size_t *at)
{
	struct items items;
	struct glob_text t;
	int ret = glob_parse(text, len, &items, &t);

	items_clear(&items);
	*at = t.p - text;
	return ret == -EINVAL ? t.error : NULL;
}

int64_t globs_add(struct globs *g, const char *text, size_t len)
{
	char **v;
	size_t i;

	if (len == 1 && *text == '*')
		return GLOB_ANY;
	for (i = 0; i < g->nr; i++)
		if (strlen(g->text[i]) == len && !memcmp(g->text[i], text, len))
			return i;
	v = reallocarray(g->text, g->nr + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	g->text = v;
	v[g->nr] = strndup(text, len);
	return v[g->nr] ? (int64_t)g->nr++ : -ENOMEM;
}

void globs_clear(struct globs *g)
{
	while (g->nr)
		free(g->text[--g->nr]);
	free(g->text);
	free(g->first);
	free(g->final);
	memset(g, 0, sizeof(*g));
}

/* Nodes -------------------------------------------------------------------- */

enum node_kind { NODE_CHAR, NODE_STAR, NODE_SPLIT, NODE_END };

struct node {
	enum node_kind kind;
	uint32_t a, b;		/* what follows; SPLIT: both */
	uint32_t glob;
	uint64_t set[4];
};

struct nfa {
	struct node *v;
	size_t nr, room;
	struct numbers starts;
	uint32_t glob;		/* that nodes are made for */
	bool backward;
	uint32_t *mark;		/* of each node: the round in which it was met */
	uint32_t round;
	struct numbers stack;
};

static int64_t node_add(struct nfa *n, struct node node)
{
	struct node *v;

	if (n->nr == n->room) {
		n->room = n->room ? n->room * 2 : 256;
		v = reallocarray(n->v, n->room, sizeof(*v));
		if (!v)
			return -ENOMEM;
		n->v = v;
	}
	node.glob = n->glob;
	n->v[n->nr] = node;
	return n->nr++;
}

static int64_t nodes_of(struct nfa *n, const struct items *items, int64_t next);

static int64_t nodes_of_item(struct nfa *n, const struct item *item,
			     int64_t next)
{
	struct node node = { .kind = NODE_CHAR, .a = next };
	int64_t entry = -1, one;
	size_t i;

	if (item->kind == ITEM_STAR)
		node.kind = NODE_STAR;
	memcpy(node.set, item->set, sizeof(node.set));
	if (item->kind != ITEM_EITHER)
		return node_add(n, node);
	for (i = 0; i < item->nr; i++) {
		one = nodes_of(n, &item->either[i], next);
		if (one >= 0 && entry >= 0)
			one = node_add(n, (struct node){ .kind = NODE_SPLIT,
				       .a = entry, .b = one });
		if (one < 0)
			return one;
		entry = one;
	}
	return entry;
}

/* From what is read last to what is read first. */
static int64_t nodes_of(struct nfa *n, const struct items *items, int64_t next)
{
	size_t i;

	for (i = 0; next >= 0 && i < items->nr; i++)
		next = nodes_of_item(n, &items->v[n->backward ? i :
				     items->nr - 1 - i], next);
	return next;
}

static int nodes_of_glob(struct nfa *n, const char *text, uint32_t glob)
{
	struct items items;
	struct glob_text t;
	int64_t entry;
	int ret = glob_parse(text, strlen(text), &items, &t);

	n->glob = glob;
	if (!ret) {
		entry = node_add(n, (struct node){ .kind = NODE_END });
		entry = nodes_of(n, &items, entry);
		ret = entry < 0 ? -ENOMEM : numbers_add(&n->starts, entry);
	}
	items_clear(&items);
	return ret;
}

static void nfa_clear(struct nfa *n)
{
	free(n->v);
	free(n->mark);
	free(n->starts.v);
	free(n->stack.v);
}

static int nfa_build(struct nfa *n, const struct globs *globs, bool backward)
{
	size_t i;
	int ret = 0;

	*n = (struct nfa){ .backward = backward };
	for (i = 0; !ret && i < globs->nr; i++)
		ret = nodes_of_glob(n, globs->text[i], i);
	if (ret)
		return ret;
	n->mark = calloc(n->nr + 1, sizeof(*n->mark));
	return n->mark ? 0 : -ENOMEM;
}

/* Characters that no glob tells apart are one. ------------------------------ */

static void split_chars(struct names_dfa *dfa, const uint64_t set[4])
{
	int in[256], c;
	unsigned int k, nr = dfa->nr_chars;
	bool some[256] = { false };

	for (k = 0; k < nr; k++)
		in[k] = -1;
	for (c = 0; c < 256; c++)
		if (!(set[c / 64] >> c % 64 & 1))
			some[dfa->char_class[c]] = true;
	for (c = 0; c < 256; c++) {
		k = dfa->char_class[c];
		if (!(set[c / 64] >> c % 64 & 1) || !some[k])
			continue;
		if (in[k] < 0)
			in[k] = dfa->nr_chars++;
		dfa->char_class[c] = in[k];
	}
}

static void find_chars(struct names_dfa *dfa, const struct nfa *n)
{
	size_t i;

	memset(dfa->char_class, 0, sizeof(dfa->char_class));
	dfa->nr_chars = 1;
	for (i = 0; i < n->nr; i++)
		if (n->v[i].kind == NODE_CHAR)
			split_chars(dfa, n->v[i].set);
}

/* Subsets ------------------------------------------------------------------- */

struct subset {
	struct nfa *n;
	const struct globs *globs;
	struct names_dfa *dfa;
	struct sets states;
	struct numbers set;
	size_t next_room;
	unsigned char sample[256];	/* a byte of each character class */
};

/* Adds a node and what can be reached from it without a character. */
static int subset_add(struct subset *s, uint32_t node)
{
	struct nfa *n = s->n;
	int ret = numbers_add(&n->stack, node);

	while (!ret && n->stack.nr) {
		const struct node *v = &n->v[node = n->stack.v[--n->stack.nr]];

		if (n->mark[node] == n->round)
			continue;
		n->mark[node] = n->round;
		if (v->kind != NODE_SPLIT)
			ret = numbers_add(&s->set, node);
		if (!ret && (v->kind == NODE_SPLIT || v->kind == NODE_STAR))
			ret = numbers_add(&n->stack, v->a);
		if (!ret && v->kind == NODE_SPLIT)
			ret = numbers_add(&n->stack, v->b);
	}
	return ret;
}

/*
 * Once a name has matched, whatever follows, the glob of a rule that nothing can
 * turn away, rules that come later and go by this name alone are of no interest.
 * This is what keeps "*a*", "*b*", ... from making a state for each combination.
 */
static void subset_prune(struct subset *s)
{
	const struct node *v = s->n->v;
	const struct globs *g = s->globs;
	uint32_t least = UINT32_MAX;
	size_t i, to = 0;

	for (i = 0; i < s->set.nr; i++) {
		const struct node *star = &v[s->set.v[i]];

		if (star->kind == NODE_STAR && v[star->a].kind == NODE_END &&
		    g->final[star->glob] < least)
			least = g->final[star->glob];
	}
	for (i = 0; i < s->set.nr; i++)
		if (g->first[v[s->set.v[i]].glob] <= least)
			s->set.v[to++] = s->set.v[i];
	s->set.nr = to;
}

/* The number of the state that s->set is. */
static int subset_done(struct subset *s)
{
	int ret;

	subset_prune(s);
	numbers_sort(&s->set);
	ret = sets_add(&s->states, s->set.v, s->set.nr);
	s->set.nr = 0;
	s->n->round++;
	if (ret >= MAX_STATES)
		return -E2BIG;
	return ret;
}

/* The globs that have come to their end. */
static int subset_class(struct subset *s, const uint32_t *set, size_t nr)
{
	size_t i;
	int ret = 0;

	s->set.nr = 0;
	for (i = 0; !ret && i < nr; i++)
		if (s->n->v[set[i]].kind == NODE_END)
			ret = numbers_add(&s->set, s->n->v[set[i]].glob);
	if (ret)
		return ret;
	numbers_sort(&s->set);
	ret = sets_add(&s->dfa->classes, s->set.v, s->set.nr);
	s->set.nr = 0;
	return ret;
}

static bool node_takes(const struct node *v, unsigned char c)
{
	return v->kind == NODE_STAR ||
	       (v->kind == NODE_CHAR && v->set[c / 64] >> c % 64 & 1);
}

/* The state behind a character; a star stays where it is. */
static int subset_next(struct subset *s, size_t state, unsigned char c)
{
	size_t i, nr;
	const uint32_t *set = sets_get(&s->states, state, &nr);
	int ret = 0;

	for (i = 0; !ret && i < nr; i++) {
		const struct node *v = &s->n->v[set[i]];

		if (node_takes(v, c))
			ret = subset_add(s, v->kind == NODE_STAR ? set[i] :
					 v->a);
	}
	return ret ? ret : subset_done(s);
}

static int dfa_room(struct names_dfa *dfa, size_t nr)
{
	size_t room = 64;
	void *next, *class;

	if (nr * (dfa->nr_chars + 3) > MAX_CELLS)
		return -E2BIG;
	while (room < nr)
		room *= 2;
	next = reallocarray(dfa->next, room * dfa->nr_chars,
			    sizeof(*dfa->next));
	if (next)
		dfa->next = next;
	class = reallocarray(dfa->class, room, sizeof(*dfa->class));
	if (class)
		dfa->class = class;
	return next && class ? 0 : -ENOMEM;
}

static int subset_state(struct subset *s, size_t state)
{
	struct names_dfa *dfa = s->dfa;
	size_t nr;
	const uint32_t *set = sets_get(&s->states, state, &nr);
	unsigned int c;
	int ret = dfa_room(dfa, state + 1);

	if (ret)
		return ret;
	ret = subset_class(s, set, nr);
	for (c = 0; ret >= 0 && c < dfa->nr_chars; c++) {
		if (!c)
			dfa->class[state] = ret;
		ret = subset_next(s, state, s->sample[c]);
		if (ret >= 0)
			dfa->next[state * dfa->nr_chars + c] = ret;
	}
	return ret < 0 ? ret : 0;
}

/* State 0 is the empty set, from which nothing is reached. */
static int subset_all(struct subset *s)
{
	size_t i;
	int ret, c;

	for (c = 255; c >= 0; c--)
		s->sample[s->dfa->char_class[c]] = c;
	s->n->round = 1;
	ret = subset_done(s);
	if (ret >= 0)
		ret = sets_add(&s->dfa->classes, NULL, 0);
	for (i = 0; ret >= 0 && i < s->n->starts.nr; i++)
		ret = subset_add(s, s->n->starts.v[i]);
	if (ret >= 0)
		ret = subset_done(s);
	if (ret >= 0)
		s->dfa->start = ret;
	for (i = 0; ret >= 0 && i < s->states.nr; i++)
		ret = subset_state(s, i);
	s->dfa->nr_states = s->states.nr;
	return ret < 0 ? ret : 0;
}

static int build_one(struct names_dfa *dfa, const struct globs *globs,
		     bool backward)
{
	struct nfa n;
	struct subset s = { .n = &n, .globs = globs, .dfa = dfa };
	int ret = nfa_build(&n, globs, backward);

	memset(dfa, 0, sizeof(*dfa));
	dfa->backward = backward;
	if (!ret) {
		find_chars(dfa, &n);
		ret = subset_all(&s);
	}
	sets_clear(&s.states);
	free(s.set.v);
	nfa_clear(&n);
	return ret;
}

void names_dfa_clear(struct names_dfa *dfa)
{
	free(dfa->next);
	free(dfa->class);
	sets_clear(&dfa->classes);
	memset(dfa, 0, sizeof(*dfa));
}

/* A star that is read first is in every state. */
static bool backward_is_better(const struct globs *g)
{
	size_t i, first = 0, last = 0;

	for (i = 0; i < g->nr; i++) {
		first += g->text[i][0] == '*';
		last += *g->text[i] && g->text[i][strlen(g->text[i]) - 1] == '*';
	}
	return first >= last;
}

int names_dfa_build(struct names_dfa *dfa, const struct globs *globs)
{
	bool backward = backward_is_better(globs);
	int ret = build_one(dfa, globs, backward);

	if (ret != -E2BIG)
		return ret;
	names_dfa_clear(dfa);
	return build_one(dfa, globs, !backward);
}
