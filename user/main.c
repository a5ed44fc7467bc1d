// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass: mount a directory, decide by policy what the kernel serves alone.
 *
 * Here are the table of commands, the help made from it, and the one place
 * where errors are shown. The commands are in cmd_*.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

bool cmd_json, cmd_pretty;

const struct cmd cmd_table[] = {
	{ "mount", cmd_mount,
	  "[--policy POLICY] [-k NAME=VALUE]... [-f] [-t SECONDS] [-o OPTIONS] "
	  "SRC MNT",
	  "serve the directory SRC at MNT" },
	{ "policy", cmd_policy, "COMMAND ...",
	  "attach, detach, replace, list and show policies" },
	{ "stat", cmd_stat, "[--reset] MNT",
	  "count requests that server and kernel have served" },
	{ "doctor", cmd_doctor, "",
	  "tell what this machine allows, and what to do" },
	{ NULL, NULL, NULL, NULL },
};

/* Errors ----------------------------------------------------------------- */

static void error_json(const char *message, int err, int status)
{
	const char *name = err ? util_errno_name(err) : NULL;
	struct json j;

	cmd_json_begin(&j);
	json_string(&j, "error", message);
	if (name)
		json_string(&j, "errno", name);
	json_u64(&j, "status", status);
	cmd_json_end(&j);
}

static int error_show(const char *message, int err, int status)
{
	if (cmd_json) {
		error_json(message, err, status);
		return status;
	}
	fprintf(stderr, "fusepass: %s\n", message);
	if (status == CMD_MISUSE)
		fprintf(stderr, "Try 'fusepass --help'.\n");
	return status;
}

int cmd_usage(const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return error_show(message, 0, CMD_MISUSE);
}

static int fail(int err, const char *cause, const char *fmt, va_list ap)
{
	char message[2048];
	size_t len;

	err = err < 0 ? -err : err;
	vsnprintf(message, 1024, fmt, ap);
	len = strlen(message);
	len += snprintf(message + len, sizeof(message) - len, ": %s",
			strerror(err));
	if (cause && *cause)
		snprintf(message + len, sizeof(message) - len, " (%s)", cause);
	return error_show(message, err, CMD_FAILED);
}

int cmd_fail(int err, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fail(err, fusepass_error(), fmt, ap);
	va_end(ap);
	return ret;
}

int cmd_fail_cause(int err, const char *cause, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fail(err, cause, fmt, ap);
	va_end(ap);
	return ret;
}

/* Output ----------------------------------------------------------------- */

void cmd_json_begin(struct json *j)
{
	json_init(j, stdout, cmd_pretty);
	json_object_begin(j, NULL);
}

void cmd_json_end(struct json *j)
{
	json_object_end(j);
	json_finish(j);
}

/* Help ------------------------------------------------------------------- */

static void help_table(const char *object, const struct cmd *table)
{
	for (; table->name; table++)
		printf("  fusepass %s%s%s%s\n      %s\n", object, table->name,
		       *table->args ? " " : "", table->args, table->help);
}

void cmd_help(void)
{
	printf("Usage:\n");
	help_table("", cmd_table);
	printf("\nPolicies:\n");
	help_table("policy ", cmd_policy_table);
	printf("\nPOLICY is the name of a shipped policy or a file NAME.bpf.o.\n"
	       "\nEvery command:\n"
	       "  -j, --json     one JSON document, errors included\n"
	       "  -p, --pretty   the same, indented\n"
	       "  -h, --help     this text\n"
	       "  -V, --version  the version\n"
	       "\nExit status: 0 done, 1 wrong usage, 2 failed.\n");
}

static int help_show(void)
{
	struct json j;

	if (!cmd_json) {
		cmd_help();
		return CMD_OK;
	}
	cmd_json_begin(&j);
	json_array_begin(&j, "commands");
	for (const struct cmd *c = cmd_table; c->name; c++)
		json_string(&j, NULL, c->name);
	json_array_end(&j);
	json_array_begin(&j, "policy");
	for (const struct cmd *c = cmd_policy_table; c->name; c++)
		json_string(&j, NULL, c->name);
	json_array_end(&j);
	cmd_json_end(&j);
	return CMD_OK;
}

static int version_show(void)
{
	struct json j;

	if (!cmd_json) {
		printf("fusepass %s\n", FUSEPASS_VERSION);
		return CMD_OK;
	}
	cmd_json_begin(&j);
	json_string(&j, "version", FUSEPASS_VERSION);
	cmd_json_end(&j);
	return CMD_OK;
}

/* Options ---------------------------------------------------------------- */

bool cmd_common_option(int c)
{
	switch (c) {
	case 'p':
		cmd_pretty = true;
		__attribute__((fallthrough));
	case 'j':
		cmd_json = true;
		return true;
	default:
		return false;
	}
}

int cmd_bad_option(int c, char **argv)
{
	if (c == 'h')
		return help_show();
	if (c == ':')
		return cmd_usage("option '%s' needs a value", argv[optind - 1]);
	if (optopt && optopt < 256)
		return cmd_usage("no option '-%c'", optopt);
	return cmd_usage("no option '%s'", argv[optind - 1]);
}

int cmd_knob_add(struct cmd_knobs *knobs, const char *arg)
{
	const char *eq = strchr(arg, '=');

	if (!eq || eq == arg || eq - arg >= FUSEPASS_KNOB_NAME_SIZE)
		return cmd_usage("knob '%s' is not NAME=VALUE", arg);
	if (knobs->nr == ARRAY_SIZE(knobs->list))
		return cmd_usage("more than %zu knobs", knobs->nr);
	knobs->list[knobs->nr++] = arg;
	return CMD_OK;
}

static int knobs_apply(const struct cmd_knobs *knobs,
		       struct fusepass_policy *policy)
{
	size_t i;

	for (i = 0; i < knobs->nr; i++) {
		const char *eq = strchr(knobs->list[i], '=');
		char name[FUSEPASS_KNOB_NAME_SIZE] = "";
		int ret;

		memcpy(name, knobs->list[i], eq - knobs->list[i]);
		ret = fusepass_policy_set(policy, name, eq + 1);
		if (ret)
			return cmd_fail(ret, "set knob %s", knobs->list[i]);
	}
	return CMD_OK;
}

int cmd_policy_open(const char *name, const struct cmd_knobs *knobs,
		    struct fusepass_policy **policy)
{
	int ret = fusepass_policy_open(name, policy);

	if (ret)
		return cmd_fail(ret, "open policy %s", name);
	ret = knobs_apply(knobs, *policy);
	if (ret)
		fusepass_policy_close(util_take_ptr(*policy));
	return ret;
}

/* Running ---------------------------------------------------------------- */

int cmd_dispatch(const struct cmd *table, const char *object, int argc,
		 char **argv)
{
	if (!argc)
		return cmd_usage("%scommand expected", object);
	for (; table->name; table++) {
		if (strcmp(argv[0], table->name))
			continue;
		optind = 0;
		return table->run(argc, argv);
	}
	return cmd_usage("%sno command '%s'", object, argv[0]);
}

/*
 * Whether an error goes out as JSON must not depend on where it is found, so
 * the plain form of the option is looked for before anything is parsed.
 */
static void find_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			cmd_json = true;
		if (!strcmp(argv[i], "-p") || !strcmp(argv[i], "--pretty"))
			cmd_json = cmd_pretty = true;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool version = false;
	int c;

	find_json(argc, argv);
	opterr = 0;
	/* '+': what follows the name of a command is the command's. */
	while ((c = getopt_long(argc, argv, "+" CMD_COMMON_SHORT "V", options,
				NULL)) != -1) {
		if (c == 'V')
			version = true;
		else if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	}
	if (version)
		return version_show();
	return cmd_dispatch(cmd_table, "", argc - optind,
			    argv + optind);
}
