// SPDX-License-Identifier: GPL-2.0-or-later
/* fusepass policy: attach, detach, replace, list. What only shows is in cmd_policy_show.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd_policy.h"
#include "kit.h"
#include "lib.h"
#include "probe.h"

static int parse_option(int c, struct policy_args *a, char **argv)
{
	switch (c) {
	case 'k':
		return cmd_knob_add(&a->knobs, optarg);
	case 'b':
		a->backing = optarg;
		return CMD_OK;
	case 'R':
		a->knobs.rules = optarg;
		return CMD_OK;
	case 'f':
		a->foreground = true;
		return CMD_OK;
	case 'v':
		a->verifier_log = true;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* The options of one command: the common ones and those in @allowed. */
struct policy_options {
	struct option longs[9];
	char shorts[20];
};

static void select_options(const char *allowed, struct policy_options *o)
{
	static const struct option common[] = { CMD_COMMON_LONG };
	static const struct option all[] = {
		{ "knob", required_argument, NULL, 'k' },
		{ "backing", required_argument, NULL, 'b' },
		{ "rules", required_argument, NULL, 'R' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "verifier-log", no_argument, NULL, 'v' },
	};
	size_t i, nr = ARRAY_SIZE(common);
	char *s = stpcpy(o->shorts, CMD_COMMON_SHORT);

	memcpy(o->longs, common, sizeof(common));
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (!strchr(allowed, all[i].val))
			continue;
		o->longs[nr++] = all[i];
		*s++ = all[i].val;
		if (all[i].has_arg)
			*s++ = ':';
	}
	*s = '\0';
}

int policy_parse(int argc, char **argv, const char *allowed, int nr,
		 struct policy_args *a)
{
	struct policy_options o = { 0 };
	int c, ret;

	select_options(allowed, &o);
	a->done = true;
	while ((c = getopt_long(argc, argv, o.shorts, o.longs, NULL)) != -1) {
		ret = parse_option(c, a, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind != nr)
		return cmd_usage("policy %s: %d arguments are expected",
				 argv[0], nr);
	a->argv = argv + optind;
	a->done = false;
	return CMD_OK;
}

/* attach, replace, detach ------------------------------------------------ */

static void report_done(const char *what, const char *policy, const char *path,
			const char *warning)
{
	struct fusepass_mount m;
	struct json j;

	if (!cmd_json)
		return;
	cmd_json_begin(&j);
	json_bool(&j, what, true);
	if (policy)
		json_string(&j, "policy", policy);
	if (!fusepass_mount_find(path, &m)) {
		json_string(&j, "mountpoint", m.mountpoint);
		json_u64(&j, "connection", m.connection);
		fusepass_mount_clear(&m);
	}
	if (*warning)
		json_string(&j, "warning", warning);
	cmd_json_end(&j);
}

/* It says more than the line of the error, and goes before that. */
static void show_log(const struct fusepass_policy *p, const struct policy_args *a)
{
	const char *log = fusepass_policy_log(p);

	if (log && a->verifier_log && !cmd_json)
		fprintf(stderr, "%s", log);
}

/* Until a signal comes; whoever is killed before has detached it too. */
static void hold(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigwait(&set, &sig))
		;
}

static int attach(struct fusepass_policy *p, const struct policy_args *a)
{
	_cleanup_fd_ int link = -1;
	const char *warning;
	int ret;

	warning = cmd_warn(probe_warning(a->argv[1], a->backing));
	ret = fusepass_policy_attach(p, a->argv[1], a->backing,
				     a->foreground ? 0 : FUSEPASS_PIN, &link);
	show_log(p, a);
	if (ret)
		return cmd_fail(ret, "attach %s to %s", a->argv[0], a->argv[1]);
	report_done("attached", fusepass_policy_name(p), a->argv[1],
		    warning);
	fflush(stdout);
	if (a->foreground)
		hold();
	return CMD_OK;
}

static int replace(struct fusepass_policy *p, const struct policy_args *a)
{
	int ret = fusepass_policy_replace(p, a->argv[1], a->backing);

	show_log(p, a);
	if (ret)
		return cmd_fail(ret, "replace policy of %s by %s", a->argv[1],
				a->argv[0]);
	report_done("replaced", fusepass_policy_name(p), a->argv[1], "");
	return CMD_OK;
}

static int with_policy(const struct policy_args *a,
		       int (*run)(struct fusepass_policy *p,
				  const struct policy_args *a))
{
	struct fusepass_policy *p = NULL;
	int ret = cmd_policy_open(a->argv[0], &a->knobs, &p);

	if (!ret)
		ret = run(p, a);
	fusepass_policy_close(p);
	return ret;
}

static int cmd_policy_attach(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = policy_parse(argc, argv, "kbfRv", 2, &a);

	return a.done ? ret : with_policy(&a, attach);
}

static int cmd_policy_replace(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = policy_parse(argc, argv, "kbRv", 2, &a);

	return a.done ? ret : with_policy(&a, replace);
}

static int cmd_policy_detach(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = policy_parse(argc, argv, "", 1, &a);

	if (a.done)
		return ret;
	ret = fusepass_policy_detach(a.argv[0]);
	if (ret)
		return cmd_fail(ret, "detach policy of %s", a.argv[0]);
	report_done("detached", NULL, a.argv[0], "");
	return CMD_OK;
}

const struct cmd cmd_policy_table[] = {
	{ "attach", cmd_policy_attach,
	  "[-k NAME=VALUE]... [--rules FILE] [--backing DIR] [--foreground] "
	  "[--verifier-log] POLICY MNT",
	  "attach a policy to a mount",
	  CMD_HELP_KNOB CMD_HELP_RULES CMD_HELP_BACKING
	  "  -f, --foreground          hold it in this process, until a signal\n"
	  "  -v, --verifier-log        if the kernel refuses it, show the whole log\n" },
	{ "detach", cmd_policy_detach, "MNT",
	  "detach it: every request goes to the server again", NULL },
	{ "replace", cmd_policy_replace,
	  "[-k NAME=VALUE]... [--rules FILE] [--backing DIR] [--verifier-log] "
	  "POLICY MNT",
	  "put another policy in its place, in one step",
	  CMD_HELP_KNOB CMD_HELP_RULES CMD_HELP_BACKING
	  "  -v, --verifier-log        if the kernel refuses it, show the whole log\n" },
	{ "list", cmd_policy_list, "",
	  "list the mounts that have a policy", NULL },
	{ "show", cmd_policy_show, "MNT",
	  "show the policy of a mount, its knobs and its verdicts", NULL },
	{ "available", cmd_policy_available, "",
	  "list the policies that there are to attach", NULL },
	{ "info", cmd_policy_info, "POLICY",
	  "tell about a policy and its knobs", NULL },
	{ "new", cmd_policy_new, "[--template TEMPLATE] NAME",
	  "write a folder with a policy to begin with",
	  "  -T, --template TEMPLATE   caller, cgroup, count (the default) or redirect\n" },
	{ "build", cmd_policy_build, "[--output FILE] FILE.bpf.c",
	  "compile a policy and ask the kernel about it",
	  "  -O, --output FILE         the object; as a rule beside the source\n" },
	{ "verify", cmd_policy_verify, "[-k NAME=VALUE]... [--rules FILE] POLICY",
	  "ask the kernel whether it takes a policy", CMD_HELP_KNOB CMD_HELP_RULES },
	{ NULL, NULL, NULL, NULL, NULL },
};

int cmd_policy(int argc, char **argv)
{
	return cmd_group(cmd_policy_table, "policy: ", argc, argv);
}
