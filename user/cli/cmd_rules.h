/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between cmd_rules.c and cmd_rules_check.c. */
#ifndef FUSEPASS_CMD_RULES_H
#define FUSEPASS_CMD_RULES_H

#include "cmd.h"
#include "ruleset.h"

struct rules_args {
	const char *tree;	/* of check: where attributes come from */
	const char *backing;
	char **argv;		/* behind the options */
	int nr;
	bool done;		/* --help, or a mistake that was shown */
};

/* Are the paths behind the file such as can be asked about? */
int rules_check_paths(const struct rules_args *a);
/* Says which rules decide about them. */
int rules_check(const struct ruleset *set, const struct rules_tables *tables,
		const struct rules_args *a);

#endif
