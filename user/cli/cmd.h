/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: tables of commands, output, errors.
 *
 * A command returns an exit status. It reports a failure once, through
 * cmd_usage() or cmd_fail(): one line on stderr, or with -j one JSON document
 * on stdout. What succeeds and has nothing to say prints nothing as text.
 */
#ifndef FUSEPASS_CMD_H
#define FUSEPASS_CMD_H

#include <getopt.h>
#include <stdbool.h>

#include "fusepass.h"
#include "json.h"
#include "util.h"

enum {
	CMD_OK = 0,
	CMD_MISUSE = 1,
	CMD_FAILED = 2,
};

/* One entry of a table of commands; the help is printed from it. */
struct cmd {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
	const char *args;
	const char *help;
	const char *options;			/* a line for each, or NULL */
};

/* Lines of options that several commands have. */
#define CMD_HELP_KNOB							\
	"  -k, --knob NAME=VALUE     set a knob of the policy; may be repeated\n"
#define CMD_HELP_RULES							\
	"  -R, --rules FILE          the file that the policy rules goes by\n"
#define CMD_HELP_BACKING						\
	"  -b, --backing DIR         directory behind the root of the mount; as a rule\n" \
	"                            the server tells\n"

extern bool cmd_json, cmd_pretty;

int cmd_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For a command of which CMD_MISUSE says something else. */
void cmd_misuse_is(int status);
int cmd_fail(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with @cause in place of fusepass_error(). */
int cmd_fail_cause(int err, const char *cause, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* @text says it all, such as FILE:LINE:COLUMN: what is wrong. */
int cmd_fail_text(int err, const char *text);
/* The same of what has no errno, with an exit status of somebody else. */
int cmd_fail_status(int status, const char *text);
/* A file of rules that cannot be used. */
int cmd_fail_rules(int err, const char *file, const char *text);

/* @text on stderr, unless it is empty or goes into the document of -j. Returns it. */
const char *cmd_warn(const char *text);

/* The document of a successful command with -j. */
void cmd_json_begin(struct json *j);
void cmd_json_end(struct json *j);
/*
 * The end of a document that was begun before it was known whether all goes well: with
 * the error in it, if @err is one. Returns the exit status. @cause may be "".
 */
int cmd_json_finish(struct json *j, int err, const char *cause, const char *what);

/* -j and -p of every command; false: not one of them, or -h. */
bool cmd_common_option(int c);
#define CMD_COMMON_SHORT ":jph"
#define CMD_COMMON_LONG							\
	{ "json", no_argument, NULL, 'j' },				\
	{ "pretty", no_argument, NULL, 'p' },				\
	{ "help", no_argument, NULL, 'h' }
/* Shows the help for -h, else what is wrong with the option. */
int cmd_bad_option(int c, char **argv);

/* Knobs collected from -k NAME=VALUE. */
struct cmd_knobs {
	const char *list[64];
	size_t nr;
	const char *rules;	/* file of rules, or NULL */
};
int cmd_knob_add(struct cmd_knobs *knobs, const char *arg);
/* Opens a policy and sets its knobs; reports what fails. */
int cmd_policy_open(const char *name, const struct cmd_knobs *knobs,
		    struct fusepass_policy **policy);

extern const struct cmd cmd_table[];
extern const struct cmd cmd_policy_table[];
extern const struct cmd cmd_rules_table[];

int cmd_list(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* Runs one command of a table; @object begins messages, "policy: ". */
int cmd_dispatch(const struct cmd *table, const char *object, int argc,
		 char **argv);
/* The same of a command that has a table of its own, after the options of all. */
int cmd_group(const struct cmd *table, const char *object, int argc, char **argv);
/* The whole help, from the tables. */
void cmd_help(void);

#endif
