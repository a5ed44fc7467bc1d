// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The text of rules; fusepass-rules(5) describes the language.
 *
 * A line is split into words first. Then come the action with its argument, and
 * in any order what has to match and how the decision is modified. A mistake is
 * told with file, line and column, and with what was expected there.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "fusepass_abi.h"
#include "ruleset.h"
#include "util.h"

struct word {
	char *text;
	unsigned int column;
	bool quoted;		/* columns inside of it are not those of the line */
};

/* One line that is parsed. */
struct line {
	struct ruleset *set;
	unsigned int number;
	struct word *words;
	size_t nr, at;
	unsigned int end;	/* column behind the last word */
	struct rule *rule;
	unsigned int group;
};

int ruleset_error(struct ruleset *set, unsigned int line, unsigned int column,
		  const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(set->error, sizeof(set->error), "%s:%u:%u: ",
			 set->file, line, column);

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(set->error))
		vsnprintf(set->error + n, sizeof(set->error) - n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Words -------------------------------------------------------------------- */

/*
 * Copies a word without its quotes, inside of which only \" and \\ are special:
 * elsewhere a backslash belongs to the pattern.
 */
static const char *word_copy(const char *p, struct word *w)
{
	bool quoted = false;
	char *to = w->text;

	for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
		if (*p == '"') {
			w->quoted = true;
			quoted = !quoted;
		} else {
			if (quoted && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
				p++;
			*to++ = *p;
		}
	}
	*to = '\0';
	return quoted ? NULL : p;
}

static int word_add(struct line *l, const char *start, const char **p)
{
	struct word *v = reallocarray(l->words, l->nr + 1, sizeof(*v)), *w;
	const char *next;

	if (!v)
		return -ENOMEM;
	l->words = v;
	w = &v[l->nr];
	*w = (struct word){ .column = *p - start + 1 };
	w->text = malloc(strlen(*p) + 1);
	if (!w->text)
		return -ENOMEM;
	l->nr++;
	next = word_copy(*p, w);
	if (!next)
		return ruleset_error(l->set, l->number, w->column,
				     "'\"' is expected at the end of the word");
	*p = next;
	return 0;
}

static int words_split(struct line *l, const char *text)
{
	const char *p = text;
	int ret = 0;

	while (!ret) {
		l->end = p - text + 1;
		p += strspn(p, " \t\r\v\f");
		if (!*p || *p == '#')
			break;
		ret = word_add(l, text, &p);
	}
	return ret;
}

static void words_clear(struct line *l)
{
	while (l->nr)
		free(l->words[--l->nr].text);
	free(l->words);
}

static const char *word_peek(const struct line *l)
{
	return l->at < l->nr ? l->words[l->at].text : NULL;
}

static unsigned int word_column(const struct line *l)
{
	return l->at < l->nr ? l->words[l->at].column : l->end;
}

/* What is there instead of what was expected. */
static int expected(const struct line *l, const char *what)
{
	const char *word = word_peek(l);

	if (!word)
		return ruleset_error(l->set, l->number, word_column(l),
				     "%s expected at the end of the line", what);
	return ruleset_error(l->set, l->number, word_column(l),
			     "%s expected, not '%s'", what, word);
}

/* Something that is right by itself, but not here. */
static int not_here(const struct line *l, unsigned int column, const char *why)
{
	return ruleset_error(l->set, l->number, column, "%s", why);
}

static bool word_is(struct line *l, const char *word)
{
	const char *w = word_peek(l);

	if (!w || strcmp(w, word))
		return false;
	l->at++;
	return true;
}

/* Tests --------------------------------------------------------------------- */

static int test_add(struct line *l, struct rule_test test)
{
	struct rule *r = l->rule;
	struct rule_test *v = reallocarray(r->tests, r->nr_tests + 1,
					   sizeof(*v));

	if (!v)
		return -ENOMEM;
	r->tests = v;
	test.group = l->group;
	v[r->nr_tests++] = test;
	return 0;
}

/* ">= 1M", in one word or in two. */
static int parse_comparison(struct line *l, const char *what,
			    bool (*value)(const char *text, uint64_t *v),
			    char op[3], uint64_t *v)
{
	static const char *const ops[] = { ">=", "<=", ">", "<", "=" };
	const char *word = word_peek(l);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (word && !strncmp(word, ops[i], strlen(ops[i])))
			break;
	if (i == ARRAY_SIZE(ops))
		return expected(l, "one of < <= = >= > is");
	strcpy(op, ops[i]);
	word += strlen(op);
	if (!*word) {
		l->at++;
		word = word_peek(l);
	}
	if (!word || !value(word, v))
		return expected(l, what);
	l->at++;
	return 0;
}

static struct rule_test compare(enum rules_field field, const char *op,
				uint64_t v)
{
	struct rule_test t = { .field = field, .mask = ~0ull, .min = 0,
			       .max = ~0ull };

	bool never = (!strcmp(op, ">") && v == ~0ull) ||
		     (!strcmp(op, "<") && !v);

	if (*op != '<')
		t.min = v + !strcmp(op, ">");
	if (*op != '>')
		t.max = v - !strcmp(op, "<");
	/* Nothing of a value is 1. */
	if (never)
		t = (struct rule_test){ .field = field, .min = 1, .max = 1 };
	return t;
}

static int parse_size(struct line *l)
{
	uint64_t v = 0;
	char op[3];
	int ret = parse_comparison(l, "a size such as 4096, 64K or 1M is",
				   rules_word_size, op, &v);

	return ret ? ret : test_add(l, compare(RULES_SIZE, op, v));
}

static int parse_age(struct line *l)
{
	unsigned int column = word_column(l);
	uint64_t v = 0;
	char op[3];
	int ret = parse_comparison(l, "a time such as 30s, 12h or 7d is",
				   rules_word_time, op, &v);

	if (ret)
		return ret;
	if (v % 1000000000)
		return not_here(l, column, "an age of whole seconds is expected");
	return test_add(l, compare(RULES_AGE, op, v / 1000000000));
}

static int parse_type(struct line *l)
{
	struct rule_test t = { .field = RULES_TYPE, .min = 1, .max = ~0ull };

	if (!word_peek(l) || !rules_word_types(word_peek(l), &t.mask))
		return expected(l, "file, dir, link, fifo, socket, char, block or "
				"none, or several with commas, is");
	l->at++;
	return test_add(l, t);
}

/* As find -perm: 0644 exactly, -0111 all of these bits, /0222 any of them. */
static int parse_mode(struct line *l)
{
	struct rule_test t = { .field = RULES_MODE };
	const char *word = word_peek(l), *digits = word;
	unsigned long mode;
	char *end;

	if (digits && (*digits == '-' || *digits == '/'))
		digits++;
	mode = digits && isdigit((unsigned char)*digits) ?
		strtoul(digits, &end, 8) : ~0ul;
	if (mode > 07777 || *end)
		return expected(l, "a mode in octal is, 0644, or -0111 for all or "
				"/0222 for any of the bits,");
	t.mask = digits == word ? 07777 : mode;
	t.min = *word == '/' ? 1 : mode;
	t.max = *word == '/' ? 07777 : mode;
	l->at++;
	return test_add(l, t);
}

static int parse_ids(struct line *l, enum rules_field field, bool group)
{
	struct rule_test t = { .field = field, .mask = ~0ull };
	const char *p = word_peek(l);
	int ret = 0;

	if (!p)
		return expected(l, group ? "a group is" : "a user is");
	do {
		if (!rules_word_ids(&p, group, &t.min, &t.max))
			return expected(l, group ?
				"groups such as 100, 1000-1999 or users are" :
				"users such as 0, 1000-1999 or alice are");
		ret = test_add(l, t);
	} while (!ret && *p);
	l->at++;
	return ret;
}

static int parse_cgroup(struct line *l)
{
	struct rule_test t = { .field = RULES_CGROUP, .mask = ~0ull,
			       .column = word_column(l) };
	const char *p = word_peek(l);

	if (!p || !*p)
		return expected(l, "a cgroup such as system.slice is");
	t.cgroup = strdup(p + strspn(p, "/"));
	if (!t.cgroup)
		return -ENOMEM;
	l->at++;
	if (test_add(l, t)) {
		free(t.cgroup);
		return -ENOMEM;
	}
	return 0;
}

/* Matches -------------------------------------------------------------------- */

static int parse_pattern(struct line *l, char **pattern, unsigned int *column,
			 const char *(*check)(const char *text, size_t *at),
			 const char *what)
{
	const struct word *w = &l->words[l->at];
	const char *wrong;
	size_t at = 0;

	if (*pattern)
		return not_here(l, l->words[l->at - 1].column,
				"one pattern is expected; alternatives go in {a,b}");
	if (!word_peek(l) || !*w->text)
		return expected(l, what);
	wrong = check(w->text, &at);
	*column = w->column + (w->quoted ? 0 : at);
	if (wrong)
		return not_here(l, *column, wrong);
	*column = w->column;
	*pattern = strdup(w->text);
	l->at++;
	return *pattern ? 0 : -ENOMEM;
}

static const char *name_check(const char *text, size_t *at)
{
	const char *wrong = glob_check(text, strlen(text), at);

	if (wrong || !strchr(text, '/'))
		return wrong;
	*at = strchr(text, '/') - text;
	return "a name without '/' is expected; for a path there is 'path'";
}

static int parse_path(struct line *l)
{
	return parse_pattern(l, &l->rule->path, &l->rule->path_column,
			     path_check, "a path such as /pub/**/*.iso is");
}

static int parse_name(struct line *l)
{
	return parse_pattern(l, &l->rule->name, &l->rule->name_column,
			     name_check, "a name such as *.key is");
}

static int parse_xattr(struct line *l)
{
	struct rule *r = l->rule;
	const char *word = word_peek(l), *eq;

	if (!word || !*word || *word == '=')
		return expected(l, "the name of an extended attribute is");
	r->xattr_column = word_column(l);
	eq = strchr(word, '=');
	free(r->xattr);
	r->xattr = eq ? strndup(word, eq - word) : strdup(word);
	l->at++;
	if (!eq && word_peek(l) && *word_peek(l) == '=') {
		eq = word_peek(l);
		l->at++;
	}
	if (r->xattr && eq && !eq[1]) {
		if (!word_peek(l))
			return expected(l, "the value of the attribute is");
		eq = word_peek(l) - 1;
		l->at++;
	}
	free(r->xattr_value);
	r->xattr_value = eq ? strdup(eq + 1) : NULL;
	return r->xattr && (!eq || r->xattr_value) ? 0 : -ENOMEM;
}

static int parse_caller(struct line *l)
{
	int ret;

	if (word_is(l, "uid"))
		ret = parse_ids(l, RULES_CALLER_UID, false);
	else if (word_is(l, "gid"))
		ret = parse_ids(l, RULES_CALLER_GID, true);
	else if (word_is(l, "cgroup"))
		ret = parse_cgroup(l);
	else
		ret = expected(l, "uid, gid or cgroup is");
	l->group++;
	return ret;
}

static int parse_open(struct line *l)
{
	int ret = 0;

	l->rule->open = true;
	while (!ret && word_is(l, "by"))
		ret = parse_caller(l);
	return ret;
}

/* Modifiers ------------------------------------------------------------------ */

static int parse_for(struct line *l)
{
	if (l->rule->action != RULE_PASS)
		return not_here(l, l->words[l->at - 1].column,
				"'for' is expected with 'pass' only: nothing else "
				"is kept for a time");
	if (!word_peek(l) || !rules_word_time(word_peek(l), &l->rule->valid))
		return expected(l, "a time such as 500ms, 30s or 2h is");
	l->at++;
	return 0;
}

static int parse_more(struct line *l)
{
	if (word_is(l, "for"))
		return parse_for(l);
	if (word_is(l, "count"))
		l->rule->count = true;
	else if (word_is(l, "log"))
		l->rule->log = true;
	else
		return expected(l, "path, name, type, size, mode, uid, gid, age, "
				"xattr, open, for, count or log is");
	return 0;
}

static int parse_match(struct line *l)
{
	l->group++;
	if (word_is(l, "path"))
		return parse_path(l);
	if (word_is(l, "name"))
		return parse_name(l);
	if (word_is(l, "type"))
		return parse_type(l);
	if (word_is(l, "size"))
		return parse_size(l);
	if (word_is(l, "mode"))
		return parse_mode(l);
	if (word_is(l, "uid"))
		return parse_ids(l, RULES_UID, false);
	if (word_is(l, "gid"))
		return parse_ids(l, RULES_GID, true);
	if (word_is(l, "age"))
		return parse_age(l);
	if (word_is(l, "xattr"))
		return parse_xattr(l);
	if (word_is(l, "open"))
		return parse_open(l);
	return parse_more(l);
}

/* Actions -------------------------------------------------------------------- */

static int parse_action(struct line *l)
{
	struct rule *r = l->rule;

	r->valid = FUSEPASS_RULE_FOREVER;
	if (word_is(l, "server")) {
		r->action = RULE_SERVER;
	} else if (word_is(l, "hide")) {
		r->action = RULE_HIDE;
		r->err = ENOENT;
	} else if (word_is(l, "deny")) {
		r->action = RULE_DENY;
		if (!word_peek(l) || !rules_word_errno(word_peek(l), &r->err))
			return expected(l, "an error such as EACCES or EPERM is");
		l->at++;
	} else if (word_is(l, "pass")) {
		if (!word_peek(l) || !rules_word_mask(word_peek(l), &r->ops))
			return expected(l, "all, read, names, attr, links, tree, "
				"data, xattr, locks, ioctl or operations such as "
				"GETATTR,OPEN are");
		l->at++;
	} else {
		return expected(l, "pass, server, hide or deny is");
	}
	return 0;
}

/* What fits the grammar, but cannot be. */
static int check_open(struct line *l)
{
	const struct rule *r = l->rule;
	size_t i;

	if (r->action == RULE_HIDE)
		return not_here(l, 1, "'hide' is expected for names; an open can be "
				"refused by 'deny'");
	if (r->action == RULE_PASS && r->ops != FUSE_PASSTHROUGH_OPS)
		return not_here(l, l->words[1].column, "'pass all' is expected: an "
				"open passes what its name passes");
	if (r->valid != FUSEPASS_RULE_FOREVER)
		return not_here(l, 1, "'for' is expected for names; each open is "
				"decided anew");
	for (i = 0; i < r->nr_tests; i++)
		if (r->tests[i].field == RULES_AGE)
			return not_here(l, 1, "'age' is not known when a file is "
					"opened");
	return 0;
}

static int check(struct line *l)
{
	struct rule *r = l->rule;

	r->bare = !r->open && !r->path && !r->name && !r->nr_tests && !r->xattr;
	if (r->open)
		return check_open(l);
	if (r->action == RULE_HIDE && (r->nr_tests || r->xattr))
		return not_here(l, l->words[0].column, "'hide' is expected to go by "
				"path and name only: a listing tells nothing else");
	return 0;
}

/* Lines ---------------------------------------------------------------------- */

/* From the first word to the last one. */
static char *line_text(const struct line *l, const char *text)
{
	unsigned int from = l->words[0].column - 1;

	return strndup(text + from, l->end - 1 - from);
}

static int rule_add(struct line *l)
{
	struct ruleset *set = l->set;
	struct rule *v;

	if (set->nr == RULES_RULES_MAX)
		return ruleset_error(set, l->number, 1,
				     "at most %d rules are expected",
				     RULES_RULES_MAX);
	v = reallocarray(set->rules, set->nr + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	set->rules = v;
	l->rule = &v[set->nr++];
	*l->rule = (struct rule){ .line = l->number };
	return 0;
}

static int line_parse(struct line *l, const char *text)
{
	int ret = words_split(l, text);

	if (ret || !l->nr)
		return ret;
	ret = rule_add(l);
	if (ret)
		return ret;
	l->rule->text = line_text(l, text);
	if (!l->rule->text)
		return -ENOMEM;
	ret = parse_action(l);
	while (!ret && l->at < l->nr)
		ret = parse_match(l);
	return ret ? ret : check(l);
}

static int lines_parse(struct ruleset *set, char *text)
{
	unsigned int number = 0;
	char *line, *rest = text;
	int ret = 0;

	while (!ret && (line = strsep(&rest, "\n"))) {
		struct line l = { .set = set, .number = ++number };

		ret = line_parse(&l, line);
		words_clear(&l);
	}
	return ret;
}

int ruleset_parse(struct ruleset *set, const char *file, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);

	memset(set, 0, sizeof(*set));
	set->file = strdup(file);
	set->text = strdup(text);
	if (!copy || !set->file || !set->text)
		return -ENOMEM;
	return lines_parse(set, copy);
}

static unsigned int count_lines(const char *text, const char *end)
{
	unsigned int n = 1;

	for (; text < end; text++)
		n += *text == '\n';
	return n;
}

int ruleset_read(struct ruleset *set, const char *file)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int ret = util_file_load(file, &text, &size);

	memset(set, 0, sizeof(*set));
	if (ret)
		return ret;
	ret = ruleset_parse(set, file, text);
	if (!ret && strlen(text) < size)
		ret = ruleset_error(set, count_lines(text, text + strlen(text)), 1,
				    "text is expected, not a byte 0");
	return ret;
}

static void rule_clear(struct rule *r)
{
	size_t i;

	for (i = 0; i < r->nr_tests; i++)
		free(r->tests[i].cgroup);
	free(r->tests);
	free(r->path);
	free(r->name);
	free(r->xattr);
	free(r->xattr_value);
	free(r->text);
}

void ruleset_clear(struct ruleset *set)
{
	while (set->nr)
		rule_clear(&set->rules[--set->nr]);
	free(set->rules);
	free(set->file);
	free(set->text);
	set->rules = NULL;
	set->file = set->text = NULL;
}
