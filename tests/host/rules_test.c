// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of rules: the tables decide as a matcher does that knows no automata.
 *
 * The naive matcher goes through the rules one by one for each name of a path and
 * compares whole paths with whole patterns. 100,000 random rule sets are decided by
 * both. What single words mean, and mistakes, are tables below.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fusepass_abi.h"
#include "ruleset.h"
#include "tap.h"
#include "../../bpf/readonly.h"
#include "rules_gen.h"

static void ok(bool good, const char *claim, const char *detail)
{
	tap(good, claim, good ? NULL : "%s", detail);
}

/* The naive matcher ----------------------------------------------------------- */

/* A set matches or not; *p is moved behind it. */
static bool naive_set(const char **p, char c)
{
	unsigned char ch = c, from, to;
	bool not = false, in = false, first = true;

	++*p;
	if (**p == '!' || **p == '^') {
		not = true;
		++*p;
	}
	for (; first || **p != ']'; first = false) {
		*p += **p == '\\';
		from = to = *(*p)++;
		if (**p == '-' && (*p)[1] != ']') {
			++*p;
			*p += **p == '\\';
			to = *(*p)++;
		}
		in |= ch >= from && ch <= to;
	}
	++*p;
	return in != not;
}

static const char *naive_skip(const char *p)
{
	if (*p == '[') {
		naive_set(&p, 'x');
		return p;
	}
	return p + (*p == '\\' ? 2 : 1);
}

static bool naive(const char *p, const char *s, bool start, bool path);

/* Each alternative in the place of the braces. */
static bool naive_braces(const char *p, const char *s, bool start, bool path)
{
	const char *end = p, *from = p + 1, *q;
	int depth = 0, i, nr = 0;
	const char *cut[32];
	bool match = false;

	for (q = p; ; q = naive_skip(q)) {
		if (*q == '{')
			depth++;
		if (*q == '}' && !--depth)
			break;
		if (*q == ',' && depth == 1)
			cut[nr++] = q;
	}
	cut[nr++] = q;
	end = q + 1;
	for (i = 0; i < nr && !match; i++) {
		char *text = malloc(strlen(p) + 1);

		sprintf(text, "%.*s%s", (int)(cut[i] - from), from, end);
		match = naive(text, s, start, path);
		free(text);
		from = cut[i] + 1;
	}
	return match;
}

/* Does the pattern @p match @s? @start: both are at the beginning of a name. */
static bool naive(const char *p, const char *s, bool start, bool path)
{
	const char *next;

	if (*p == '{')
		return naive_braces(p, s, start, path);
	if (path && start && p[0] == '*' && p[1] == '*' && !p[2])
		return *s;
	if (path && start && p[0] == '*' && p[1] == '*' && p[2] == '/') {
		next = strchr(s, '/');
		return naive(p + 3, s, true, path) ||
		       (next && naive(p, next + 1, true, path));
	}
	if (*p == '*')
		return naive(p + 1, s, false, path) ||
		       (*s && (!path || *s != '/') &&
			naive(p, s + 1, false, path));
	if (!*p || !*s)
		return !*p && !*s;
	if (path && *s == '/')
		return *p == '/' && naive(p + 1, s + 1, true, path);
	if (*p == '[')
		return naive_set(&p, *s) && naive(p, s + 1, false, path);
	if (*p == '?')
		return naive(p + 1, s + 1, false, path);
	p += *p == '\\';
	return *p == *s && naive(p + 1, s + 1, false, path);
}

/* The root has no name that a star could match. */
static bool naive_path(const char *pattern, const char *path)
{
	return path[1] ? naive(pattern, path, false, true) : !strcmp(pattern, "/");
}

/* Objects are made up from the path. */
struct object {
	uint64_t value[RULES_FIELDS];
	uint32_t mode;
};

static struct object object_of(const char *path, size_t len, bool must_be_dir,
			       uint64_t seed)
{
	static const uint32_t types[] = { S_IFREG, S_IFREG, S_IFDIR, S_IFLNK, 0 };
	struct rnd r = { seed };
	struct object o = { .mode = S_IFDIR };
	size_t i;

	for (i = 0; i < len; i++)
		r.state = r.state * 31 + path[i];
	rnd(&r, 1);
	if (!must_be_dir)
		o.mode = types[rnd(&r, 5)];
	o.value[RULES_TYPE] = 1ull << (o.mode >> 12);
	o.value[RULES_SIZE] = rnd(&r, 5) * rnd(&r, 2000);
	o.value[RULES_MODE] = rnd(&r, 2) ? 0644 : rnd(&r, 010000);
	o.value[RULES_UID] = rnd(&r, 4);
	o.value[RULES_GID] = rnd(&r, 4);
	o.value[RULES_CALLER_UID] = rnd(&r, 4);
	o.value[RULES_CALLER_GID] = rnd(&r, 3);
	if (o.mode)
		o.mode |= o.value[RULES_MODE];
	return o;
}

static bool naive_tests(const struct rule *r, const struct object *o)
{
	size_t i, k;
	uint64_t v;
	bool hit;

	for (i = 0; i < r->nr_tests; i = k) {
		hit = false;
		for (k = i; k < r->nr_tests &&
		     r->tests[k].group == r->tests[i].group; k++) {
			const struct rule_test *t = &r->tests[k];

			v = o->value[t->field] & t->mask;
			hit |= v >= t->min && v <= t->max &&
			       (o->mode || t->field < RULES_SIZE ||
				t->field > RULES_AGE);
		}
		if (!hit)
			return false;
	}
	return true;
}

/* By path and name only. */
static bool naive_place(const struct rule *r, const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (r->path && !naive_path(r->path, path))
		return false;
	if (r->name && (!*name || !naive(r->name, name, false, false)))
		return false;
	return true;
}

#define NONE	UINT32_MAX

static uint32_t naive_rule(const struct ruleset *set, const char *path,
			   const struct object *o, bool open, uint32_t end)
{
	uint32_t i;

	for (i = 0; i < set->nr && i < end; i++)
		if (set->rules[i].open == open &&
		    naive_place(&set->rules[i], path) &&
		    (!o || naive_tests(&set->rules[i], o)))
			return i;
	return NONE;
}

/* Comparing --------------------------------------------------------------------- */

struct pair {
	struct ruleset set;
	struct rules_tables t;
	const char *why;
	char what[512];
};

static uint32_t number(const struct pair *p, uint32_t rule)
{
	return rule == RULES_NONE ? NONE : rules_number(&p->t, rule);
}

static struct rules_eval eval_of(const struct pair *p, const struct object *o,
				 bool listing)
{
	struct rules_eval e = { .t = p->t.cells, .mask = p->t.mask,
				.listing = listing };

	if (o)
		memcpy(e.value, o->value, sizeof(e.value));
	return e;
}

static void judge(const struct pair *p, uint32_t dir, const char *path,
		  const struct object *o, bool listing, struct rules_decision *d)
{
	struct rules_eval e = eval_of(p, o, listing);
	const char *name = strrchr(path, '/') + 1;

	if (!*name)
		rules_judge_root(&e, e.mask, NULL, d);
	else
		rules_judge(&e, e.mask, NULL, dir, (const unsigned char *)name,
			    strlen(name), d);
}

static bool differs(struct pair *p, const char *why, const char *path,
		    uint32_t naive_, uint32_t tables)
{
	p->why = why;
	snprintf(p->what, sizeof(p->what), "%s: naive %d, tables %d", path,
		 (int)naive_, (int)tables);
	return false;
}

/* A listing goes by what is known without the object. */
static bool same_listing(struct pair *p, uint32_t dir, const char *path)
{
	uint32_t want = naive_rule(&p->set, path, NULL, false, NONE), got;
	struct rules_decision d;

	judge(p, dir, path, NULL, true, &d);
	got = number(p, d.rule);
	return want == got || differs(p, "listing", path, want, got);
}

static bool same_open(struct pair *p, const char *path, const struct object *o,
		      const struct rules_decision *d)
{
	struct rules_eval e = eval_of(p, o, false);
	uint32_t want = naive_rule(&p->set, path, o, true, number(p, d->rule));
	uint32_t got = number(p, rules_judge_open(&e, NULL,
						  rules_open_cookie(d)));

	return want == got || differs(p, "open", path, want, got);
}

/* Below where the tables stop, no rule may decide. */
static bool nothing_below(struct pair *p, const char *path, size_t from,
			  uint64_t seed)
{
	char part[256];
	uint32_t rule;
	size_t len;

	for (len = from + 1; path[len - 1]; len++) {
		if (path[len] && path[len] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		struct object o = object_of(part, len, path[len], seed);

		rule = naive_rule(&p->set, part, &o, false, NONE);
		if (rule != NONE && !p->set.rules[rule].bare)
			return differs(p, "below", part, rule, NONE);
		if (!path[len])
			break;
	}
	return true;
}

/*
 * One name of a path. Returns 1 to go on, 0 at the end, -1 for a difference. *dir is
 * what its directory remembers, then what it does.
 */
static int same_name(struct pair *p, uint32_t *dir, const char *path, size_t len,
		     uint64_t seed)
{
	char part[256];
	struct rules_decision d;
	struct object o = object_of(path, len, path[len] && len > 1, seed);
	const struct rule *r;
	uint32_t want, got;

	if (len == 1)
		o = object_of(path, len, true, seed);
	snprintf(part, sizeof(part), "%.*s", (int)len, path);
	want = naive_rule(&p->set, part, &o, false, NONE);
	judge(p, *dir, part, &o, false, &d);
	got = number(p, d.rule);
	if (want != got)
		return differs(p, "lookup", part, want, got) - 1;
	if (!same_listing(p, *dir, part))
		return -1;
	*dir = d.next;
	r = want == NONE ? NULL : &p->set.rules[want];
	if (!r || (r->bare && r->action == RULE_SERVER)) {
		if (!rules_look_through(p->t.cells, S_IFDIR, d.next))
			return nothing_below(p, path, len, seed) ? 0 : -1;
		return 1;
	}
	if (r->action != RULE_PASS)
		return 0;
	if (!S_ISDIR(o.mode) && !same_open(p, part, &o, &d))
		return -1;
	return 1;
}

static bool same_path(struct pair *p, const char *path, uint64_t seed)
{
	uint32_t dir = 0;
	size_t len = 1;
	int ret = same_name(p, &dir, path, 1, seed);

	while (ret > 0 && path[len]) {
		len += path[len] == '/';
		len += strcspn(path + len, "/");
		ret = same_name(p, &dir, path, len, seed);
	}
	return ret >= 0;
}

static void random_path(struct gen *g)
{
	int n = 1 + rnd(&g->r, 4);

	g->len = 0;
	while (n--) {
		gen_add(g, "/");
		gen_letters(g);
		if (!rnd(&g->r, 3))
			gen_letters(g);
	}
}

/* Returns false with what differs printed. */
static bool same_set(uint64_t seed, int rules, int paths)
{
	static struct gen g, path;
	struct pair p = { .why = NULL };
	int i, ret;

	gen_rules(&g, seed, rules);
	path.r.state = seed + 77;
	ret = ruleset_parse(&p.set, "rules", g.text);
	if (!ret)
		ret = rules_build(&p.set, &p.t);
	for (i = 0; !ret && !p.why && i < paths; i++) {
		random_path(&path);
		same_path(&p, path.text, seed + i);
	}
	if (ret)
		printf("# seed %llu: %s\n%s", (unsigned long long)seed,
		       p.set.error, g.text);
	else if (p.why)
		printf("# seed %llu: %s: %s\n%s", (unsigned long long)seed,
		       p.why, p.what, g.text);
	rules_tables_clear(&p.t);
	ruleset_clear(&p.set);
	return !ret && !p.why;
}

/* The comparison itself has to be able to fail: rules that are not the same. */
static bool sees_difference(void)
{
	struct pair p = { .why = NULL }, q = { .why = NULL };
	bool seen;

	if (ruleset_parse(&p.set, "p", "server path /a/b\npass all\n") ||
	    ruleset_parse(&q.set, "q", "server path /a/c\npass all\n") ||
	    rules_build(&q.set, &p.t))
		return false;
	seen = !same_path(&p, "/a/b", 1);
	rules_tables_clear(&p.t);
	ruleset_clear(&p.set);
	ruleset_clear(&q.set);
	return seen;
}

static void test_random(void)
{
	uint64_t seed;
	int bad = 0;

	for (seed = 1; seed <= 99000 && bad < 3; seed++)
		bad += !same_set(seed, 1 + seed % 7, 8);
	for (; seed <= 100000 && bad < 3; seed++)
		bad += !same_set(seed, 8 + seed % 12, 30);
	ok(!bad, "tables_decide_as_the_naive_matcher_100000_random_sets",
	   "see above");
	ok(sees_difference(), "a_difference_is_seen", "");
}

/* Limits -------------------------------------------------------------------------- */

static int build_text(const char *text, struct rules_tables *t, char *error)
{
	struct ruleset set;
	int ret = ruleset_parse(&set, "rules", text);

	memset(t, 0, sizeof(*t));
	if (!ret)
		ret = rules_build(&set, t);
	if (error)
		snprintf(error, sizeof(set.error), "%s", set.error);
	ruleset_clear(&set);
	return ret;
}

/* 1,000 rules of one kind stay small: states grow with them, not with their square. */
static void many(const char *claim, const char *format, size_t nr, size_t limit)
{
	char *text = malloc(nr * 128), *p = text, detail[600] = "";
	struct rules_tables t;
	size_t i;
	int ret;

	for (i = 0; i < nr; i++)
		p += sprintf(p, format, (int)i, (int)i);
	strcpy(p, "pass all\n");
	ret = build_text(text, &t, detail);
	if (!ret)
		snprintf(detail, sizeof(detail), "%zu states, %zu dirs, %zu moves",
			 t.names_states, t.dirs, t.moves);
	ok(!ret && t.names_states + t.dirs + t.moves < limit, claim, detail);
	if (!ret)
		printf("# %s: %zu states, %zu dirs, %zu moves, %zu kB\n", claim,
		       t.names_states, t.dirs, t.moves, t.size / 1024);
	rules_tables_clear(&t);
	free(text);
}

static void test_many(void)
{
	many("thousand_names", "server name n%04d\n", 1000, 20000);
	many("thousand_suffixes", "server name *.n%04d\n", 1000, 20000);
	many("thousand_prefixes", "server name n%04d*\n", 1000, 20000);
	many("parts_of_names", "server name *x%04dx*\n", 60, 40000);
	many("thousand_paths", "server path /a/d%04d/f%04d\n", 1000, 30000);
	many("thousand_trees", "pass read path /d%04d/**/*.x%04d\n", 1000, 40000);
	many("thousand_names_of_directories_anywhere",
	     "pass read path /**/d%04d/**\n", 300, 100000);
	many("thousand_attributes", "server size = %d uid %d\n", 1000, 100);
	many("four_thousand_rules", "server path /d%04d/**/*.x%04d\n", 4000, 160000);
}

static void test_too_many(void)
{
	char text[8192], *p = text, error[512] = "";
	struct rules_tables t;
	int i, ret;

	for (i = 0; i < 20; i++)
		p += sprintf(p, "server name *a%c*b%c* size > %d\n", 'a' + i,
			     'a' + i, i);
	ret = build_text(text, &t, error);
	ok(ret == -EINVAL && !strncmp(error, "rules:20:13: too many", 21),
	   "too_many_combinations_are_told_with_the_rule", error);
	rules_tables_clear(&t);
	for (i = 0, p = text; i < 20; i++)
		p += sprintf(p, "pass all path /**/a%d/**/b%d\n", i, i);
	ret = build_text(text, &t, error);
	ok(ret == -EINVAL && !strncmp(error, "rules:20:15: too many", 21),
	   "too_many_combinations_of_paths_are_told", error);
	rules_tables_clear(&t);
}

/* Words --------------------------------------------------------------------------- */

static void test_mistakes(void)
{
	static const struct {
		const char *text, *error;
	} table[] = {
		{ "foo", "1:1: pass, server, hide or deny is expected, not 'foo'" },
		{ "\n\n  pass", "3:7: all, read, names" },
		{ "pass al", "1:6: all, read, names" },
		{ "pass all,", "1:6: all, read, names" },
		{ "pass FORGET", "1:6: all, read, names" },
		{ "pass all nam x", "1:10: path, name, type" },
		{ "deny", "1:5: an error such as EACCES or EPERM is expected at" },
		{ "deny ESTALE", "1:6: an error such as" },
		{ "deny 13", "1:6: an error such as" },
		{ "server path a", "1:13: a path beginning with '/' is expected" },
		{ "server path /a//b", "1:16: a name between slashes is expected" },
		{ "server path /a/", "1:15: a name after '/' is expected" },
		{ "server path /a/..", "1:16: a name, not '.' or '..', is expected" },
		{ "server path /a/b**", "1:16: '**' alone between slashes" },
		{ "server path /a path /b", "1:16: one pattern is expected" },
		{ "server name a/b", "1:14: a name without '/' is expected" },
		{ "server name [b", "1:15: ']' is expected" },
		{ "server name [b-a]", "1:14: a range from low to high" },
		{ "server name {a,b", "1:17: '}' is expected" },
		{ "server name a\\", "1:15: a character after '\\' is expected" },
		{ "server name \"a", "1:13: '\"' is expected at the end" },
		{ "server type fil", "1:13: file, dir, link" },
		{ "server size 3", "1:13: one of < <= = >= > is expected" },
		{ "server size >= x", "1:16: a size such as" },
		{ "server size >= 99999999999T", "1:16: a size such as" },
		{ "server mode 888", "1:13: a mode in octal" },
		{ "server mode 10000", "1:13: a mode in octal" },
		{ "server uid 2-1", "1:12: users such as" },
		{ "server uid 1,,2", "1:12: users such as" },
		{ "server uid no.such.user", "1:12: users such as" },
		{ "server gid", "1:11: a group is expected at the end" },
		{ "server age > 3", "1:14: a time such as" },
		{ "server age > 1ms", "1:12: an age of whole seconds" },
		{ "server open by", "1:15: uid, gid or cgroup is expected at" },
		{ "server open by size", "1:16: uid, gid or cgroup is expected" },
		{ "pass read open", "1:6: 'pass all' is expected" },
		{ "hide open", "1:1: 'hide' is expected for names" },
		{ "pass all open for 1s", "1:1: 'for' is expected for names" },
		{ "server open age > 1d", "1:1: 'age' is not known" },
		{ "server for 1s", "1:8: 'for' is expected with 'pass' only" },
		{ "pass all for ever", "1:14: a time such as" },
		{ "hide size > 1", "1:1: 'hide' is expected to go by" },
		{ "server xattr", "1:13: the name of an extended attribute" },
		{ "server xattr user.policy = redact", "1:14: xattr: policies are" },
		{ "server xattr user.policy =", "1:27: the value of the attribute" },
	};
	char error[512], detail[1024], claim[128];
	struct rules_tables t;
	size_t i, n;
	int ret;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ret = build_text(table[i].text, &t, error);
		n = strlen(table[i].error);
		snprintf(detail, sizeof(detail), "%s: %s", table[i].text, error);
		snprintf(claim, sizeof(claim), "mistake_is_told_where_it_is: %s",
			 table[i].error);
		claim[strcspn(claim, "#")] = '\0';
		ok(ret == -EINVAL && !strncmp(error, "rules:", 6) &&
		   !strncmp(error + 6, table[i].error, n), claim, detail);
		rules_tables_clear(&t);
	}
}

/* Does this path have this rule? Files, with a size of 100 and of uid 7. */
static int decides(const char *text, const char *path)
{
	struct pair p = { .why = NULL };
	struct object o = { .mode = S_IFREG };
	struct rules_decision d = { .next = 0 };
	char part[256];
	size_t len = 0;
	int ret = -2;

	o.value[RULES_TYPE] = 1ull << (S_IFREG >> 12);
	o.value[RULES_SIZE] = 100;
	o.value[RULES_MODE] = 0640;
	o.value[RULES_UID] = 7;
	o.value[RULES_AGE] = 3600;
	if (!ruleset_parse(&p.set, "rules", text) &&
	    !rules_build(&p.set, &p.t)) {
		judge(&p, 0, "/", &o, false, &d);
		while (path[len]) {
			len += 1 + strcspn(path + len + 1, "/");
			snprintf(part, sizeof(part), "%.*s", (int)len, path);
			judge(&p, d.next, part, &o, false, &d);
		}
		ret = (int)number(&p, d.rule);
	}
	rules_tables_clear(&p.t);
	ruleset_clear(&p.set);
	return ret;
}

static void test_meaning(void)
{
	static const struct {
		const char *claim, *text, *path;
		int rule;
	} table[] = {
		{ "first_rule_decides", "server name a\npass all name a", "/a", 0 },
		{ "no_rule_decides", "server name a", "/b", -1 },
		{ "path_is_from_the_root", "server path /a", "/b/a", -1 },
		{ "star_does_not_cross_slashes", "server path /*", "/a/b", -1 },
		{ "star_matches_a_dot_in_front", "server path /*", "/.a", 0 },
		{ "two_stars_are_any_names", "server path /**/x", "/a/b/x", 0 },
		{ "two_stars_are_no_name_too", "server path /**/x", "/x", 0 },
		{ "two_stars_at_the_end_are_what_is_in_it",
		  "server path /a/**", "/a", -1 },
		{ "two_stars_at_the_end_are_all_that_is_in_it",
		  "pass all path /a/**", "/a/b/c", 0 },
		{ "nothing_is_judged_below_what_is_the_servers",
		  "server path /a/**\nserver name c", "/a/b/c", 1 },
		{ "braces_are_alternatives", "server path /{a,b}/*.{c,h}",
		  "/b/x.h", 0 },
		{ "braces_cross_slashes", "server path /{a/b,c}/x", "/a/b/x", 0 },
		{ "braces_with_nothing_and_all", "server path /a{,/**}", "/a", 0 },
		{ "name_is_anywhere", "server name *.key", "/a/b.key", 0 },
		{ "name_is_the_last", "server name a", "/a/b", -1 },
		{ "name_and_path_have_to_match", "server path /a/** name *.c",
		  "/a/b/x.h", -1 },
		{ "both_match", "server path /a/** name *.c", "/a/b/x.c", 0 },
		{ "set_that_is_not", "server name [!a]", "/b", 0 },
		{ "backslash_takes_the_star", "server name \\*", "/a", -1 },
		{ "quotes_keep_spaces", "server path \"/a b/c\"", "/a b/c", 0 },
		{ "question_mark_is_one", "server name a?", "/a", -1 },
		{ "size_in_units", "server size < 1K", "/a", 0 },
		{ "size_has_to_match", "server size >100", "/a", -1 },
		{ "size_is_equal", "server size = 100", "/a", 0 },
		{ "mode_exactly", "server mode 0640", "/a", 0 },
		{ "mode_all_bits", "server mode -0600", "/a", 0 },
		{ "mode_any_bit", "server mode /0006", "/a", -1 },
		{ "uid_in_a_list", "server uid 1-3,7", "/a", 0 },
		{ "uid_not_in_a_list", "server uid 1-6,8", "/a", -1 },
		{ "type_in_a_list", "server type dir,file", "/a", 0 },
		{ "type_that_is_not", "server type none,dir", "/a", -1 },
		{ "age", "server age >= 1h", "/a", 0 },
		{ "young", "server age < 1h", "/a", -1 },
		{ "all_have_to_match", "server size > 1 uid 8", "/a", -1 },
		{ "rules_of_opens_do_not_decide_names",
		  "server open\nhide name a", "/a", 1 },
		{ "comments_and_empty_lines",
		  "# c\n\n server # all\n", "/a", 0 },
		{ "carriage_return_is_space", "server name a\r\n", "/a", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ok(decides(table[i].text, table[i].path) == table[i].rule,
		   table[i].claim, table[i].text);
}

static void test_masks(void)
{
	uint64_t mask = 0, one;
	unsigned int op, missing = 0;
	const char *const parts[] = { "names", "attr", "links", "tree", "data",
				      "xattr", "locks", "ioctl" };
	size_t i;

	ok(rules_word_mask("read", &mask) &&
	   mask == readonly_ops(FUSE_PASSTHROUGH_OPS),
	   "read_is_what_the_policy_readonly_passes", "");
	ok(rules_word_mask("all", &mask) && mask == FUSE_PASSTHROUGH_OPS,
	   "all_is_all", "");
	for (i = 0, mask = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ok(rules_word_mask(parts[i], &one) && !(mask & one),
		   "groups_do_not_overlap", parts[i]);
		mask |= one;
	}
	for (op = 1; op <= 64; op++)
		missing += (FUSE_PASSTHROUGH_OPS & ~mask) >> (op - 1) & 1;
	ok(!missing, "groups_are_all_together", "");
	ok(rules_word_mask("GETATTR,READ", &mask) &&
	   mask == (FUSE_PASSTHROUGH_OP_GETATTR | FUSE_PASSTHROUGH_OP_READ),
	   "operations_have_their_names", "");
}

int main(void)
{
	test_masks();
	test_meaning();
	test_mistakes();
	test_many();
	test_too_many();
	test_random();
	return tap_done();
}
