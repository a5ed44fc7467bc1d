/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of rules, inside libfusepass and the command.
 *
 * lib_rules_parse.c   text -> struct ruleset
 * lib_rules_words.c   the values in it: masks, errnos, sizes, lists of ids
 * lib_rules_glob.c    patterns for one name -> automaton that reads a name
 * lib_rules_paths.c   patterns for paths -> automaton over the classes of names
 * lib_rules_build.c   both and the rules -> tables, see fusepass_rules.h
 * lib_rules_sets.c    sets of numbers, each kept once
 * lib_rules.c         tables -> maps of the policy `rules`
 *
 * A pattern for one name is a glob; one for a path has several, between slashes.
 */
#ifndef FUSEPASS_RULESET_H
#define FUSEPASS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fusepass_rules.h"

#pragma GCC visibility push(hidden)

enum rule_action {
	RULE_PASS,
	RULE_SERVER,
	RULE_HIDE,
	RULE_DENY,
};

/* A value that is looked at; those of one field are alternatives if they follow. */
struct rule_test {
	enum rules_field field;
	unsigned int group;	/* tests with the same number are alternatives */
	uint64_t mask, min, max;
	uint32_t level;		/* of RULES_CGROUP */
	char *cgroup;		/* its path, which is looked up when it is loaded */
	unsigned int column;
};

struct rule {
	unsigned int line;
	enum rule_action action;
	int err;		/* of deny, positive */
	uint64_t ops;		/* of pass */
	uint64_t valid;
	bool open, count, log;
	bool bare;		/* no match at all */
	char *path, *name;	/* patterns, or NULL */
	unsigned int path_column, name_column;
	char *xattr, *xattr_value;
	unsigned int xattr_column;
	struct rule_test *tests;
	size_t nr_tests;
	char *text;		/* as written, without comment */
};

struct ruleset {
	char *file;
	char *text;
	struct rule *rules;
	size_t nr;
	char error[512];	/* FILE:LINE:COLUMN: ... */
};

/*
 * Reads rules. -EINVAL with set->error filled in for a mistake in the text, else what
 * reading gave. ruleset_clear() frees in either case.
 */
int ruleset_read(struct ruleset *set, const char *file);
int ruleset_parse(struct ruleset *set, const char *file, const char *text);
void ruleset_clear(struct ruleset *set);
int ruleset_error(struct ruleset *set, unsigned int line, unsigned int column,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Looks up the cgroups that are named, as is to be done before the rules are used. */
int ruleset_find_cgroups(struct ruleset *set);

/* What a mask passes, in the words of rules: "read", "names,attr,OPEN", "nothing". */
#define RULES_MASK_TEXT	512
const char *rules_mask_text(uint64_t mask, char text[RULES_MASK_TEXT]);

/* Values of words; false: it is none. */
bool rules_word_mask(const char *text, uint64_t *mask);
bool rules_word_errno(const char *text, int *value);
bool rules_word_size(const char *text, uint64_t *value);
/* In nanoseconds. */
bool rules_word_time(const char *text, uint64_t *value);
bool rules_word_types(const char *text, uint64_t *mask);
/* The next of "0,1000-1999,alice"; moves @text behind it, to "" at the end. */
bool rules_word_ids(const char **text, bool group, uint64_t *min, uint64_t *max);

/* Sets of numbers, each kept once and known by a number. */
struct sets {
	uint32_t *pool;
	size_t used, room;
	struct sets_entry { size_t at; uint32_t nr, hash; } *entries;
	size_t nr, entries_room;
	uint32_t *index;
	size_t index_size;
};
/* Returns its number or -ENOMEM. @v is sorted, or its order matters. */
int sets_add(struct sets *s, const uint32_t *v, size_t nr);
const uint32_t *sets_get(const struct sets *s, size_t i, size_t *nr);
void sets_clear(struct sets *s);

/* A row of numbers that grows. */
struct numbers {
	uint32_t *v;
	size_t nr, room;
};
int numbers_add(struct numbers *n, uint32_t v);
/* Sorted, and each once. */
void numbers_sort(struct numbers *n);

/* Globs for one name ------------------------------------------------------ */

/* For as long as the name is what it is. */
#define FUSEPASS_RULE_FOREVER	UINT64_MAX

#define GLOB_ANY	UINT32_MAX	/* "*": not part of any class */

/*
 * Of rules that go by a name alone: @first is the first of a glob that nothing else
 * uses, else 0; @final the first that fits whatever the object is, else UINT32_MAX.
 */
struct globs {
	char **text;
	uint32_t *first, *final;
	size_t nr;
};

/* Number of a glob, GLOB_ANY, or -ENOMEM as a negative number. */
int64_t globs_add(struct globs *g, const char *text, size_t len);
void globs_clear(struct globs *g);
/* NULL if it is a well-formed glob, else what is wrong with it. */
const char *glob_check(const char *text, size_t len, size_t *at);

/* The automaton: states * (1 + nr_chars) numbers. */
struct names_dfa {
	bool backward;
	uint8_t char_class[256];
	unsigned int nr_chars;
	uint32_t *next;		/* of state and character class; 0 is the dead state */
	uint32_t *class;	/* of each state */
	size_t nr_states;
	struct sets classes;	/* the globs of each class; 0 is of none */
	uint32_t start;
};
/* -E2BIG if there are too many combinations. */
int names_dfa_build(struct names_dfa *dfa, const struct globs *globs);
void names_dfa_clear(struct names_dfa *dfa);

/* Paths -------------------------------------------------------------------- */

/* A pattern of one rule. */
struct path_pattern {
	uint32_t rule;
	uint32_t *parts;	/* globs, GLOB_ANY or PATH_ANY */
	size_t nr;
};
#define PATH_ANY	(UINT32_MAX - 1)	/* "**" */

/* What the automaton has to know of a rule. */
struct path_rule {
	bool open;
	bool final;		/* fits whatever the object is */
	bool closes;		/* and then nothing below is judged */
	uint32_t name;		/* glob that the name has to match too; GLOB_ANY */
};

/* What follows from a class of names in a dir. */
struct paths_move {
	uint32_t class, next, list, open;
};

struct paths_dir {
	struct paths_move other;	/* for classes without a move */
	struct paths_move *moves;
	size_t nr;
};

struct paths_dfa {
	struct paths_dir *dirs;	/* 0: below it no path leads */
	size_t nr_dirs, nr_moves;
	struct sets *lists;
	uint32_t root;
};
/*
 * @closed: rules before this one may decide otherwise than by path.
 * -E2BIG if there are too many combinations.
 */
int paths_dfa_build(struct paths_dfa *dfa, const struct path_pattern *patterns,
		    size_t nr, const struct path_rule *rules,
		    uint32_t first_other, const struct sets *classes,
		    size_t nr_globs, struct sets *lists);
void paths_dfa_clear(struct paths_dfa *dfa);
/* Splits a path at its slashes, braces first; see the file. */
int path_patterns_add(struct path_pattern **patterns, size_t *nr,
		      struct globs *globs, const char *text, uint32_t rule);
void path_patterns_clear(struct path_pattern *patterns, size_t nr);
const char *path_check(const char *text, size_t *at);

/* Tables ------------------------------------------------------------------- */

struct rules_tables {
	uint32_t *cells;
	uint32_t mask;
	size_t size;		/* bytes, with the slack */
	size_t nr_rules;
	bool opens, hides;
	/* For who wants to know how large it became. */
	size_t names_states, dirs, moves;
};
/* -EINVAL with set->error filled in, or -ENOMEM. */
int rules_build(struct ruleset *set, struct rules_tables *tables);
void rules_tables_clear(struct rules_tables *tables);
/* Number of a rule from where it is in the tables. */
static inline uint32_t rules_number(const struct rules_tables *t, uint32_t at)
{
	return RULES_AT(rules_rule, t->cells, t->mask, at)->number;
}

#pragma GCC visibility pop

#endif
