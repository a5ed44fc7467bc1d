// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass: mount a directory, decide by policy what the kernel serves alone.
 *
 * Here are the table of commands, the help made from it, and the one place
 * where errors are shown. The commands are in cmd_*.c.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

bool cmd_json, cmd_pretty;

static int cmd_help_about(int argc, char **argv);

const struct cmd cmd_table[] = {
	{ "mount", cmd_mount,
	  "[--policy POLICY] [-k NAME=VALUE]... [--rules FILE] [-f] [-t SECONDS] "
	  "[-o OPTIONS] SRC MNT",
	  "serve the directory SRC at MNT",
	  "  -P, --policy POLICY       attach it before the first lookup is answered\n"
	  CMD_HELP_KNOB CMD_HELP_RULES
	  "      --policy-optional     serve without the policy if the kernel has none\n"
	  "  -f, --foreground          stay in the foreground\n"
	  "  -t, --timeout SECONDS     how long the kernel keeps names and attributes\n"
	  "  -o, --options OPTIONS     options of mount(8) and mount.fuse3(8)\n"
	  "      --replace             take the place of a mount whose server has died\n"
	  "      --log stderr|syslog   where messages go while it serves\n"
	  "  -d, --debug               show each request, in the foreground\n" },
	{ "run", cmd_run,
	  "[--policy POLICY] [-k NAME=VALUE]... [--rules FILE] [--backing DIR] "
	  "[-o OPTIONS] MNT -- SERVER [ARGUMENT...]",
	  "run another FUSE server, with a policy on its mount MNT",
	  "  -P, --policy POLICY       attach it when the server has answered INIT\n"
	  CMD_HELP_KNOB CMD_HELP_RULES
	  "  -b, --backing DIR         directory behind the root of the mount; as a rule\n"
	  "                            what the mount says is its source\n"
	  "  -o, --options OPTIONS     of the mount, if an argument of SERVER is {}: it\n"
	  "                            becomes /dev/fd/N, where MNT is mounted already\n" },
	{ "list", cmd_list, "",
	  "list all FUSE mounts: can they carry a policy, which one do they have?",
	  NULL },
	{ "policy", cmd_policy, "COMMAND ...",
	  "attach, detach, replace, list and show policies", NULL },
	{ "rules", cmd_rules, "COMMAND ...",
	  "check, update, show and log files of rules", NULL },
	{ "explain", cmd_explain, "PATH",
	  "tell name by name who serves a path, by what verdict and rule", NULL },
	{ "stat", cmd_stat, "[--reset] [--prometheus] [MNT]",
	  "count requests that server and kernel have served",
	  "  -r, --reset               let the server count from 0 again\n"
	  "  -P, --prometheus          metrics of one mount or all\n" },
	{ "top", cmd_top, "[--interval SECONDS] [--batch] [MNT]",
	  "watch operations per second, and which directories ask the server",
	  "  -i, --interval SECONDS    how long to count for; 2\n"
	  "  -B, --batch               print once, as text\n" },
	{ "trace", cmd_trace, "[--path GLOB] [--uid N] [--server-only] [MNT]",
	  "print what policies decide and servers are asked, as it happens",
	  "  -P, --path GLOB           only of paths that match\n"
	  "  -u, --uid N               only what this user does\n"
	  "  -s, --server-only         only requests to servers\n" },
	{ "probe", cmd_probe,
	  "[--backing DIR] [--sample N] [--names N] [--depth N] [--timeout SECONDS] MNT",
	  "tell what a policy would change: compare a mount with the directory behind it",
	  CMD_HELP_BACKING
	  "  -s, --sample N            compare bytes of so many files; 100\n"
	  "  -n, --names N             look at no more names; 10000\n"
	  "  -d, --depth N             look no deeper; 32, 0: the root directory only\n"
	  "  -t, --timeout SECONDS     look no longer; 60\n" },
	{ "doctor", cmd_doctor, "",
	  "tell what this machine allows, and what to do", NULL },
	{ "help", cmd_help_about, "[COMMAND...]",
	  "tell about a command and its options", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

/* Tables of commands that belong to a command. */
static const struct {
	const char *object;
	const struct cmd *table;
} groups[] = {
	{ "policy", cmd_policy_table },
	{ "rules", cmd_rules_table },
};

/* Which command runs; NULL: none yet. */
static const struct cmd *running;
static const char *running_object = "";

static int misuse = CMD_MISUSE;

/* Errors ----------------------------------------------------------------- */

static void json_error(struct json *j, const char *message, int err, int status)
{
	const char *name = err ? util_errno_name(err) : NULL;

	json_string(j, "error", message);
	if (name)
		json_string(j, "errno", name);
	json_u64(j, "status", status);
}

static int error_show(const char *message, int err, int status, bool hint)
{
	struct json j;

	if (!cmd_json) {
		fprintf(stderr, "fusepass: %s\n", message);
		if (hint)
			fprintf(stderr, "Try 'fusepass --help'.\n");
		return status;
	}
	cmd_json_begin(&j);
	json_error(&j, message, err, status);
	cmd_json_end(&j);
	return status;
}

int cmd_usage(const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return error_show(message, 0, misuse, true);
}

void cmd_misuse_is(int status)
{
	misuse = status;
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
	return error_show(message, err, CMD_FAILED, false);
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

int cmd_json_finish(struct json *j, int err, const char *cause, const char *what)
{
	char message[1024];

	err = err < 0 ? -err : err;
	if (err) {
		snprintf(message, sizeof(message), "%s: %s%s%s%s", what, strerror(err),
			 *cause ? " (" : "", cause, *cause ? ")" : "");
		json_error(j, message, err, CMD_FAILED);
	}
	cmd_json_end(j);
	return err ? CMD_FAILED : CMD_OK;
}

int cmd_fail_text(int err, const char *text)
{
	return error_show(text, err < 0 ? -err : err, CMD_FAILED, false);
}

int cmd_fail_status(int status, const char *text)
{
	return error_show(text, 0, status, false);
}

int cmd_fail_rules(int err, const char *file, const char *text)
{
	/* A mistake in it tells where it is. */
	if (err == -EINVAL && !strncmp(text, file, strlen(file)))
		return cmd_fail_text(err, text);
	return cmd_fail_cause(err, text, "read rules %s", file);
}

const char *cmd_warn(const char *text)
{
	if (*text && !cmd_json)
		fprintf(stderr, "fusepass: warning: %s\n", text);
	return text;
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
		printf("  fusepass %s%s%s%s%s\n      %s\n", object,
		       *object ? " " : "", table->name,
		       *table->args ? " " : "", table->args, table->help);
}

void cmd_help(void)
{
	printf("Usage:\n");
	help_table("", cmd_table);
	printf("\nPolicies:\n");
	help_table("policy", cmd_policy_table);
	printf("\nRules:\n");
	help_table("rules", cmd_rules_table);
	printf("\nPOLICY is the name of a policy ('fusepass policy available') or a file\n"
	       "NAME.bpf.o. 'fusepass help COMMAND' tells about its options.\n"
	       "\nEvery command:\n"
	       "  -j, --json     one JSON document, errors included\n"
	       "  -p, --pretty   the same, indented\n"
	       "  -h, --help     this text\n"
	       "  -V, --version  the version\n"
	       "\nExit status: 0 done, 1 wrong usage, 2 failed.\n");
}

static int help_json(void)
{
	struct json j;

	cmd_json_begin(&j);
	json_array_begin(&j, "commands");
	for (const struct cmd *c = cmd_table; c->name; c++)
		json_string(&j, NULL, c->name);
	json_array_end(&j);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		json_array_begin(&j, groups[i].object);
		for (const struct cmd *c = groups[i].table; c->name; c++)
			json_string(&j, NULL, c->name);
		json_array_end(&j);
	}
	cmd_json_end(&j);
	return CMD_OK;
}

static int help_one_json(const struct cmd *c)
{
	struct json j;

	cmd_json_begin(&j);
	json_string(&j, "command", c->name);
	json_string(&j, "arguments", c->args);
	json_string(&j, "help", c->help);
	json_string(&j, "options", c->options ?: "");
	cmd_json_end(&j);
	return CMD_OK;
}

/* @object: "", or that of a command's own table. */
static int help_one(const char *object, const struct cmd *c)
{
	size_t i;

	if (cmd_json)
		return help_one_json(c);
	printf("Usage: fusepass %s%s%s%s%s\n\n%c%s.\n", object,
	       *object ? " " : "", c->name, *c->args ? " " : "", c->args,
	       toupper(*c->help), c->help + 1);
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		if (strcmp(groups[i].object, c->name) || *object)
			continue;
		printf("\n");
		help_table(groups[i].object, groups[i].table);
	}
	printf("\n%s"
	       "  -j, --json                one JSON document, errors included\n"
	       "  -p, --pretty              the same, indented\n"
	       "  -h, --help                this text\n", c->options ?: "");
	return CMD_OK;
}

static int help_show(void)
{
	if (running)
		return help_one(running_object, running);
	if (cmd_json)
		return help_json();
	cmd_help();
	return CMD_OK;
}

static const struct cmd *find(const struct cmd *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(name, table->name))
			return table;
	return NULL;
}

/* fusepass help X: a command, or one of a table of its own. */
static int cmd_help_about(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	const struct cmd *found, *table = cmd_table;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT, options, NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	argv += optind;
	argc -= optind;
	running = NULL;
	if (!argc)
		return help_show();
	for (i = 0; argc > 1 && i < ARRAY_SIZE(groups); i++)
		if (!strcmp(groups[i].object, argv[0]))
			table = groups[i].table;
	found = table == cmd_table && argc > 1 ? NULL : find(table, argv[argc - 1]);
	if (!found || argc > 2)
		return cmd_usage("help: no command '%s%s%s'", argv[0],
				 argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	return help_one(argc > 1 ? argv[0] : "", found);
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
	if (!ret && knobs->rules) {
		ret = fusepass_policy_rules(*policy, knobs->rules);
		if (ret)
			ret = cmd_fail_rules(ret, knobs->rules,
					     fusepass_error());
	}
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
	table = find(table, argv[0]);
	if (!table)
		return cmd_usage("%sno command '%s'", object, argv[0]);
	running_object = running ? running->name : "";
	running = table;
	optind = 0;
	return table->run(argc, argv);
}

int cmd_group(const struct cmd *table, const char *object, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+" CMD_COMMON_SHORT, options,
				NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	return cmd_dispatch(table, object, argc - optind,
			    argv + optind);
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

/* What is opened later must not become stdin, stdout or stderr. */
static void open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	util_cleanup_fd(&fd);
}

static int show_version(void)
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

int main(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool version = false;
	int c;

	open_standard_fds();
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
		return show_version();
	return cmd_dispatch(cmd_table, "", argc - optind,
			    argv + optind);
}
