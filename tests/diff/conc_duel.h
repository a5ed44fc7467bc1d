/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes with a short script of calls each, in a small directory, the arena:
 * duels, where each script is done once, and storms, where it is done again and again.
 */
#ifndef FUSEPASS_CONC_DUEL_H
#define FUSEPASS_CONC_DUEL_H

#include "conc.h"

enum { SCRIPT_STEPS = 3, STATE_TEXT = 1500, STORM_ERRNOS = 4,
       STORM_PROCESSES = 3 };

struct script {
	uid_t uid;
	/* Opened before it begins, as slot 0: a file to read and write, with '+' in
	 * front a new one without a name, with '/' behind a directory. */
	const char *hold;
	struct call step[SCRIPT_STEPS];
	int steps;
};

struct duel {
	const char *name;
	/*
	 * Objects there at the beginning, separated by blanks: "a" a file, "d/" a
	 * directory, "l=a" a link to a, "s>a" a symbolic one. All of it belongs to
	 * user 1000; what is in a file is its name.
	 */
	const char *start;
	struct script script[2];
};

enum { DUEL_USER = 1000 };

/* A storm: what each step may give is written down. */
struct storm_step {
	struct call call;
	int may[STORM_ERRNOS];	/* besides success */
	unsigned int pause;	/* before it, at most so many turns of a loop */
};

struct storm {
	const char *name, *start;
	struct {
		uid_t uid;
		const char *hold;
		struct storm_step step[SCRIPT_STEPS];
		int steps;	/* 0: there is no third one */
	} script[STORM_PROCESSES];
	bool replaces;		/* names by rename, so that they are not counted */
};

extern const struct storm storms[];
extern const size_t storms_n;
extern const struct duel duels[];
extern const size_t duels_n;

/* Any two calls that behave natively as if one was done after the other. */
void duel_random(struct duel *d, char start[CONC_TEXT], struct rng *rng);

/* The two processes of a duel, and what each of them did. */
struct part {
	int err[SCRIPT_STEPS];
	/* Drawn from one counter before and after the step. */
	unsigned int begin[SCRIPT_STEPS], end[SCRIPT_STEPS];
	char got[SCRIPT_STEPS][64];
	char broken[160];
};

struct meeting {
	enum conc_side side[2];
	bool warm[2];		/* looks at all names before */
	unsigned int delay[2];
};

void pair_start(void);
void pair_stop(void);
const struct part *pair_part(int who);
/* False: one of them never came back, and there are new ones. */
bool pair_fight(const struct duel *d, const struct meeting *m);
/* Natively, in this order: bit n is set if step n is one of the second's. */
void pair_in_order(const struct duel *d, unsigned int order);

void hands_prepare(struct hands *h, enum conc_side side, uid_t uid, const char *hold);

/* The arena. */
extern int arena_top[CONC_SIDES];
void arena_open(void);
void arena_close(void);
void arena_start(const char *start);
/* Everything in it, as text of at most STATE_TEXT, which arena_put() appends to. */
void arena_describe(char *buf, enum conc_side side);
void arena_put(char *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* How many names there are in such a text. */
int arena_names(const char *description);
/* The test itself cannot go on. */
void must(bool good, const char *what);

#endif
