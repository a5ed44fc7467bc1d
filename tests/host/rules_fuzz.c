// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of rules that are none: the parser and the compiler get random rules with
 * random mistakes, and run with each access to memory checked. What they answer has to
 * be 0, or a mistake that is told with file, line and column of this text.
 *
 *     rules_fuzz [SEED [COUNT]]
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ruleset.h"
#include "rules_gen.h"
#include "tap.h"

static const char *const words[] = {
	"pass", "all", "server", "hide", "deny", "EACCES", "path", "name", "type",
	"size", "mode", "uid", "gid", "age", "xattr", "open", "by", "cgroup", "for",
	"count", "log", ">=", "<", "=", "1M", "7d", "0644", "-1", "/", "/**", "**",
	"{", "}", "{a,", "[", "[!", "]", "\\", "\"", "#", "\n", ",", "1-2", "*",
	"18446744073709551615", "99999999999999999999", "T", "\t", "\r", "root",
};

static void insert(struct gen *g, size_t at, const char *text)
{
	size_t n = strlen(text);

	if (g->len + n + 1 >= sizeof(g->text))
		return;
	memmove(g->text + at + n, g->text + at, g->len - at + 1);
	memcpy(g->text + at, text, n);
	g->len += n;
}

static void cut(struct gen *g, size_t at, size_t n)
{
	if (n > g->len - at)
		n = g->len - at;
	memmove(g->text + at, g->text + at + n, g->len - at - n + 1);
	g->len -= n;
}

static void change(struct gen *g)
{
	size_t at = rnd(&g->r, g->len + 1);
	char byte[2] = { 1 + rnd(&g->r, 255), 0 };

	switch (rnd(&g->r, 6)) {
	case 0:
		cut(g, at, 1 + rnd(&g->r, 8));
		break;
	case 1:
		insert(g, at, byte);
		break;
	case 2:
		g->text[at] = at < g->len ? byte[0] : '\0';
		break;
	case 3:
		insert(g, at, " ");
		break;
	default:
		insert(g, at, words[rnd(&g->r, sizeof(words) / sizeof(*words))]);
	}
}

static unsigned long lines(const char *text)
{
	unsigned long n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static size_t line_length(const char *text, unsigned long line)
{
	while (--line)
		text = strchr(text, '\n') + 1;
	return strcspn(text, "\n");
}

/* "f:LINE:COLUMN: text", within the text. */
static bool told(const char *error, const char *text)
{
	unsigned long line, column;
	int n = 0;

	if (sscanf(error, "f:%lu:%lu: %n", &line, &column, &n) != 2 || !n ||
	    !error[n])
		return false;
	return line >= 1 && line <= lines(text) && column >= 1 &&
	       column <= line_length(text, line) + 1;
}

/* What was accepted can be asked. */
static void ask(const struct rules_tables *t)
{
	struct rules_eval e = { .t = t->cells, .mask = t->mask };
	struct rules_decision d;
	static const unsigned char name[] = "ab.c";
	unsigned int i;

	rules_judge_root(&e, e.mask, NULL, &d);
	for (i = 0; i <= sizeof(name); i++)
		rules_judge(&e, e.mask, NULL, d.next, name, i % sizeof(name),
			    &d);
	rules_judge_open(&e, NULL, rules_open_cookie(&d));
}

/* Returns 1 if it was accepted, 0 if not, -1 if it should have said more. */
static int one(struct gen *g)
{
	struct ruleset set;
	struct rules_tables t = { .cells = NULL };
	int ret = ruleset_parse(&set, "f", g->text), good;

	if (!ret)
		ret = rules_build(&set, &t);
	if (!ret)
		ask(&t);
	good = !ret || (ret == -EINVAL && told(set.error, g->text));
	if (!good)
		printf("# %d \"%s\" for:\n%s\n", ret, set.error, g->text);
	rules_tables_clear(&t);
	ruleset_clear(&set);
	return good ? !ret : -1;
}

int main(int argc, char **argv)
{
	static struct gen g;
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, i;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 30000;
	uint64_t accepted = 0, refused = 0;
	int n, ret = 0;

	for (i = 0; ret >= 0 && i < count; i++) {
		gen_rules(&g, seed + i, 1 + i % 4);
		for (n = rnd(&g.r, 6); n > 0; n--)
			change(&g);
		ret = one(&g);
		accepted += ret == 1;
		refused += ret == 0;
	}
	printf("# seed %llu: %llu accepted, %llu refused\n",
	       (unsigned long long)seed, (unsigned long long)accepted,
	       (unsigned long long)refused);
	fflush(stdout);
	tap(ret >= 0, "mistakes_are_told_with_file_line_and_column", NULL);
	/* Otherwise nothing was tried. */
	tap(accepted > count / 20 && refused > count / 20,
	    "both_good_and_bad_rules_were_tried", NULL);
	return tap_done();
}
