/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rules and paths for rules_test.c and rules_fuzz.c, the same ones for the same
 * seed everywhere.
 */
#ifndef FUSEPASS_RULES_GEN_H
#define FUSEPASS_RULES_GEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct rnd {
	uint64_t state;
};

static inline uint32_t rnd(struct rnd *r, uint32_t below)
{
	r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(r->state >> 33) % below;
}

/* Text that grows in a buffer that is large enough for all that is made here. */
struct gen {
	struct rnd r;
	char text[1 << 16];
	size_t len;
};

static inline void gen_add(struct gen *g, const char *text)
{
	size_t n = strlen(text);

	if (g->len + n < sizeof(g->text)) {
		memcpy(g->text + g->len, text, n + 1);
		g->len += n;
	}
}

#define GEN_PICK(g, ...) gen_add(g, ((const char *const[]){ __VA_ARGS__ })[ \
	rnd(&(g)->r, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))])

/* Few letters, so that much matches. */
static inline void gen_letters(struct gen *g)
{
	GEN_PICK(g, "a", "b", "c", "ab", "ba", "a.c", "abc", "b.c", "aa");
}

/* Two stars in a row, also where braces are resolved, would be any names. */
static inline bool gen_star(struct gen *g)
{
	char last = g->len ? g->text[g->len - 1] : ' ';

	if (last == '*' || last == '}')
		return false;
	gen_add(g, "*");
	return true;
}

static inline void gen_glob(struct gen *g, int depth)
{
	int i, n = 1 + rnd(&g->r, 3);

	for (i = 0; i < n; i++) {
		switch (rnd(&g->r, depth ? 8 : 7)) {
		case 0: case 1:
			if (!gen_star(g))
				gen_letters(g);
			break;
		case 2:
			GEN_PICK(g, "?", "[ab]", "[!a]", "[a-c]", "\\a", "[]a]", "[^b.]");
			break;
		case 7:
			if (g->text[g->len - 1] == '*')
				gen_letters(g);
			gen_add(g, "{");
			gen_glob(g, depth - 1);
			gen_add(g, ",");
			if (rnd(&g->r, 3))
				gen_glob(g, depth - 1);
			gen_add(g, "}");
			break;
		default:
			gen_letters(g);
		}
	}
}

static inline void gen_path(struct gen *g)
{
	int i, n = rnd(&g->r, 4);

	if (!n) {
		GEN_PICK(g, "/", "/**", "/a/**", "/**/b/**", "/{a,b/c}/*", "/a{,/**}",
			 "/{**,a}/c");
		return;
	}
	for (i = 0; i < n; i++) {
		gen_add(g, "/");
		switch (rnd(&g->r, 5)) {
		case 0: gen_add(g, "**"); break;
		case 1: gen_glob(g, 1); break;
		case 2: gen_add(g, "*"); break;
		default: gen_letters(g);
		}
	}
}

static inline void gen_tests(struct gen *g)
{
	while (!rnd(&g->r, 3)) {
		switch (rnd(&g->r, 5)) {
		case 0: GEN_PICK(g, " type dir", " type file,link", " type none", " type none,dir"); break;
		case 1: GEN_PICK(g, " size >= 2", " size <1K", " size = 3", " size > 0", " size < 0"); break;
		case 2: GEN_PICK(g, " mode 0644", " mode -0100", " mode /0022"); break;
		case 3: GEN_PICK(g, " uid 0", " uid 1-2,0", " uid 3", " uid 1,3"); break;
		default: GEN_PICK(g, " gid 0", " gid 1-3");
		}
	}
}

static inline void gen_matches(struct gen *g, bool tests)
{
	uint32_t what = rnd(&g->r, 8);

	if (what < 4 || what == 7) {
		gen_add(g, " path ");
		gen_path(g);
	}
	if (what >= 4 && what < 7)
		gen_add(g, " name ");
	else if (what == 7)
		gen_add(g, " name ");
	if (what >= 4)
		gen_glob(g, 1);
	if (tests)
		gen_tests(g);
}

static inline void gen_open(struct gen *g)
{
	GEN_PICK(g, "server open", "deny EPERM open", "pass all open");
	if (rnd(&g->r, 4))
		GEN_PICK(g, " by uid 0", " by uid 1-2", " by gid 1 by uid 1", " by uid 2,3");
	if (rnd(&g->r, 2))
		gen_matches(g, true);
}

static inline void gen_rule(struct gen *g)
{
	uint32_t what = rnd(&g->r, 10);

	if (what == 0) {
		gen_open(g);
	} else if (what < 3) {
		gen_add(g, "hide");
		gen_matches(g, false);
	} else {
		GEN_PICK(g, "pass all", "pass read", "pass names,GETATTR", "server",
			 "deny EACCES", "pass all", "pass all");
		if (rnd(&g->r, 12))
			gen_matches(g, true);
	}
	GEN_PICK(g, "", "", "", " count", " log", "  # text");
	gen_add(g, "\n");
}

static inline void gen_rules(struct gen *g, uint64_t seed, int nr)
{
	g->r.state = seed * 0x9e3779b97f4a7c15ull + 1;
	g->len = 0;
	g->text[0] = '\0';
	while (nr--)
		gen_rule(g);
}

#endif
