// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass rules check: which rule decides about a path.
 *
 * The tables that the kernel would get are asked, from the root name by name, so
 * what is said here is what happens there. What is not known of an object (all but
 * its name, without --tree) makes the rules that look at it possible ones: they
 * are listed up to the first that is certain.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd.h"
#include "cmd_rules.h"

enum fits { FITS_NOT, FITS_MAYBE, FITS };

/* An object, or what is known of it. */
struct object {
	bool known[RULES_FIELDS];
	uint64_t value[RULES_FIELDS];
};

struct check {
	const struct ruleset *set;
	const struct rules_tables *t;
	const char *tree;
	struct json *j;
	/* Rules that may decide, the last one for certain if `certain`. */
	uint32_t rules[RULES_RULES_MAX];
	size_t nr;
	bool certain;
};

/* Objects ---------------------------------------------------------------------- */

static void object_know(struct object *o, enum rules_field field, uint64_t value)
{
	o->known[field] = true;
	o->value[field] = value;
}

static int object_stat(struct object *o, const char *tree, const char *path)
{
	_cleanup_free_ char *full = NULL;
	time_t now = time(NULL);
	struct stat st;

	if (asprintf(&full, "%s%s", tree, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	if (lstat(full, &st)) {
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		memset(&st, 0, sizeof(st));
	}
	object_know(o, RULES_TYPE, 1ull << (st.st_mode >> 12 & 15));
	object_know(o, RULES_SIZE, st.st_size);
	object_know(o, RULES_MODE, st.st_mode & 07777);
	object_know(o, RULES_UID, st.st_uid);
	object_know(o, RULES_GID, st.st_gid);
	object_know(o, RULES_AGE, now > st.st_mtime ? now - st.st_mtime : 0);
	return 0;
}

/* Rules ------------------------------------------------------------------------ */

static enum fits both(enum fits a, enum fits b)
{
	return a == b ? a : FITS_MAYBE;
}

static enum fits test_fits(const struct check *c, const struct object *o,
			   uint32_t at)
{
	const struct rules_test *t = RULES_AT(rules_test, c->t->cells,
					      c->t->mask, at);
	enum fits hit, miss;

	if (o->known[t->field] &&
	    (o->value[t->field] & t->mask) - t->min <= t->span)
		return t->hit ? test_fits(c, o, t->hit) : FITS;
	if (o->known[t->field])
		return t->miss ? test_fits(c, o, t->miss) : FITS_NOT;
	hit = t->hit ? test_fits(c, o, t->hit) : FITS;
	miss = t->miss ? test_fits(c, o, t->miss) : FITS_NOT;
	return both(hit, miss);
}

static enum fits rule_fits(const struct check *c, const struct object *o,
			   uint32_t at)
{
	const struct rules_rule *r = RULES_AT(rules_rule, c->t->cells,
					      c->t->mask, at);

	return r->test ? test_fits(c, o, r->test) : FITS;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void collect(struct check *c, uint32_t list, uint32_t end)
{
	const uint32_t one[] = { list - RULES_ONE, 0 };
	const uint32_t *p = list & RULES_ONE ? one : c->t->cells + list;

	for (; *p; p++)
		if (*p < end && c->nr < ARRAY_SIZE(c->rules))
			c->rules[c->nr++] = *p;
}

/* Collects what is in three lists, in the order of the file. */
static void candidates(struct check *c, const struct object *o,
		       const uint32_t lists[3], uint32_t end)
{
	size_t i, to = 0;

	c->nr = 0;
	for (i = 0; i < 3; i++)
		collect(c, lists[i], end);
	qsort(c->rules, c->nr, sizeof(*c->rules), by_number);
	c->certain = false;
	for (i = 0; i < c->nr && !c->certain; i++) {
		enum fits fits = rule_fits(c, o, c->rules[i]);

		if (fits != FITS_NOT)
			c->rules[to++] = c->rules[i];
		c->certain = fits == FITS;
	}
	c->nr = to;
}

static const struct rule *rule_of(const struct check *c, size_t i)
{
	return &c->set->rules[rules_number(c->t, c->rules[i])];
}

/* Output ----------------------------------------------------------------------- */

static void say_rule(const struct check *c, const struct rule *r, bool maybe)
{
	if (!c->j) {
		printf("  line %u%s: %s\n", r->line, maybe ? ", if it fits" : "",
		       r->text);
		return;
	}
	json_object_begin(c->j, NULL);
	json_u64(c->j, "line", r->line);
	json_string(c->j, "rule", r->text);
	json_bool(c->j, "certain", !maybe);
	json_object_end(c->j);
}

static void say_rules(const struct check *c)
{
	size_t i;

	for (i = 0; i < c->nr; i++)
		say_rule(c, rule_of(c, i), i + 1 < c->nr || !c->certain);
}

/* What is said about one path, or about the directory that decides about it. */
static void say_decision(const struct check *c, const char *path, size_t len,
			 bool look_through)
{
	if (!c->j) {
		printf("%s:", path);
		if (path[len])
			printf(" as %.*s", (int)len, path);
		printf("\n");
		say_rules(c);
		if (!c->certain)
			printf("  no rule%s: %s\n", c->nr ? " else" : "",
			       look_through ? "the server's, but names in it are "
			       "judged" : "the server's");
		return;
	}
	json_string(c->j, "path", path);
	if (path[len]) {
		_cleanup_free_ char *dir = strndup(path, len);

		json_string(c->j, "as", dir ? dir : "");
	}
	json_array_begin(c->j, "rules");
	say_rules(c);
	json_array_end(c->j);
	json_bool(c->j, "decided", c->certain);
}

static void say_opens(struct check *c)
{
	if (c->j)
		json_array_begin(c->j, "opens");
	else if (c->nr)
		printf("  each open:\n");
	say_rules(c);
	if (c->j)
		json_array_end(c->j);
}

/* Walking ---------------------------------------------------------------------- */

/* Where a walk is. */
struct walk {
	uint32_t dir;
	struct rules_decision d;
	struct object o;
};

static int walk_object(struct check *c, struct walk *w, const char *path,
		       size_t len, bool is_dir)
{
	_cleanup_free_ char *part = strndup(path, len);

	memset(&w->o, 0, sizeof(w->o));
	if (!part)
		return -ENOMEM;
	if (is_dir) {
		object_know(&w->o, RULES_TYPE,
			    1ull << (RULES_S_IFDIR >> 12));
	}
	return c->tree ? object_stat(&w->o, c->tree, part) : 0;
}

static uint32_t decided(const struct check *c)
{
	return c->certain ? c->rules[c->nr - 1] : RULES_NONE;
}

/* Does what is decided about a directory leave nothing to decide below it? */
static bool closes(const struct check *c)
{
	const struct rule *r = c->nr ? rule_of(c, 0) : NULL;

	return r && c->nr == 1 && c->certain && r->action != RULE_PASS &&
	       !r->bare;
}

static void judge_root(struct check *c, struct walk *w)
{
	const uint32_t *t = c->t->cells;

	rules_place_root(t, c->t->mask, &w->d);
	w->dir = w->d.next;
	candidates(c, &w->o, (const uint32_t[3]){ t[RULES_ROOT_LIST],
		   RULES_NOTHING, RULES_NOTHING }, RULES_NONE);
}

static void judge(struct check *c, struct walk *w, const char *name, size_t len)
{
	const uint32_t *t = c->t->cells;

	rules_place(t, c->t->mask, w->dir, (const unsigned char *)name, len,
		    &w->d);
	w->dir = w->d.next;
	candidates(c, &w->o, (const uint32_t[3]){ w->d.path->list,
		   w->d.name->list, t[RULES_ANY_LIST] }, RULES_NONE);
}

static void judge_open(struct check *c, struct walk *w)
{
	uint32_t end = decided(c);

	candidates(c, &w->o, (const uint32_t[3]){ w->d.path->open,
		   w->d.name->open, c->t->cells[RULES_ANY_OPEN] }, end);
	say_opens(c);
}

/* A directory that may be one, by its name. */
static bool is_dir(const struct walk *w)
{
	return !w->o.known[RULES_TYPE] ||
	       w->o.value[RULES_TYPE] == 1ull << (RULES_S_IFDIR >> 12);
}

static int check_path(struct check *c, const char *path)
{
	struct walk w = { .dir = 0 };
	const char *p = path;
	size_t len;
	int ret = walk_object(c, &w, "/", 1, true);

	if (ret)
		return ret;
	judge_root(c, &w);
	while (p[1] && !closes(c)) {
		len = strcspn(++p, "/");
		ret = walk_object(c, &w, path, p + len - path, p[len]);
		if (ret)
			return ret;
		judge(c, &w, p, len);
		p += len;
		if (!*p)
			break;
	}
	say_decision(c, path, p == path ? 1 : p - path + (*p && !p[1]),
		     is_dir(&w) && (w.dir != RULES_ELSEWHERE ||
				    c->t->cells[RULES_FLAGS] &
				    RULES_F_EVERYWHERE));
	/* Directories are opened without being judged. */
	if (!closes(c) && !(is_dir(&w) && w.o.known[RULES_TYPE]))
		judge_open(c, &w);
	return 0;
}

static int check_paths(struct check *c, const struct rules_args *a)
{
	int i, ret = 0;

	for (i = 1; !ret && i < a->nr; i++) {
		if (c->j)
			json_object_begin(c->j, NULL);
		ret = check_path(c, a->argv[i]);
		if (c->j)
			json_object_end(c->j);
	}
	return ret;
}

static bool is_path(const char *p)
{
	return *p == '/' && !strstr(p, "//") && !strstr(p, "/./") &&
	       !strstr(p, "/../");
}

int rules_check_paths(const struct rules_args *a)
{
	int i;

	for (i = 1; i < a->nr; i++)
		if (!is_path(a->argv[i]))
			return cmd_usage("rules check: '%s' is not a path from the "
					 "root of the mount", a->argv[i]);
	if (a->tree && a->nr > 1 && access(a->tree, X_OK))
		return cmd_fail(errno, "rules check: %s", a->tree);
	return CMD_OK;
}

static void say_size(struct json *j, const struct ruleset *set,
		     const struct rules_tables *t)
{
	if (!j) {
		printf("%s: %zu rule%s, %zu kB of tables\n", set->file, set->nr,
		       set->nr == 1 ? "" : "s", (t->size + 1023) / 1024);
		return;
	}
	json_string(j, "file", set->file);
	json_u64(j, "rules", set->nr);
	json_u64(j, "bytes", t->size);
	json_u64(j, "dirs", t->dirs);
	json_u64(j, "moves", t->moves);
	json_u64(j, "states", t->names_states);
}

int rules_check(const struct ruleset *set, const struct rules_tables *tables,
		const struct rules_args *a)
{
	struct json j;
	struct check *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return cmd_fail(ENOMEM, "rules check");
	*c = (struct check){ .set = set, .t = tables, .tree = a->tree,
			     .j = cmd_json ? &j : NULL };
	if (cmd_json)
		cmd_json_begin(&j);
	if (cmd_json || a->nr == 1)
		say_size(c->j, set, tables);
	if (cmd_json)
		json_array_begin(&j, "paths");
	ret = check_paths(c, a);
	free(c);
	if (cmd_json) {
		json_array_end(&j);
		return cmd_json_finish(&j, ret, a->tree ?: "", "rules check");
	}
	return ret ? cmd_fail(ret, "rules check: %s", a->tree) : CMD_OK;
}
