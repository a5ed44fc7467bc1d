/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of fusepass policy. */
#ifndef FUSEPASS_CMD_POLICY_H
#define FUSEPASS_CMD_POLICY_H

#include "cmd.h"

/* Options and arguments of the commands; each policy_parse() call names those it allows. */
struct policy_args {
	struct cmd_knobs knobs;
	const char *backing;
	bool foreground;
	bool verifier_log;
	char **argv;		/* behind the options */
	bool done;		/* --help, or a mistake that was shown */
};

/* @allowed: short options beyond the common ones; @nr: what follows them. */
int policy_parse(int argc, char **argv, const char *allowed, int nr,
		 struct policy_args *a);

int cmd_policy_list(int argc, char **argv);
int cmd_policy_show(int argc, char **argv);
int cmd_policy_available(int argc, char **argv);
int cmd_policy_info(int argc, char **argv);

#endif
