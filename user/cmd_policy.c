// SPDX-License-Identifier: GPL-2.0-or-later
/* fusepass policy: attach, detach, replace, list, show. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

/* What the commands take; which of it, the table of a command says. */
struct policy_args {
	struct cmd_knobs knobs;
	const char *backing;
	bool foreground;
	char **argv;		/* behind the options */
	bool done;		/* --help, or a mistake that was shown */
};

static int parse_option(int c, struct policy_args *a, char **argv)
{
	switch (c) {
	case 'k':
		return cmd_knob_add(&a->knobs, optarg);
	case 'b':
		a->backing = optarg;
		return CMD_OK;
	case 'f':
		a->foreground = true;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* The options of one command: the common ones and those in @allowed. */
struct policy_options {
	struct option longs[8];
	char shorts[16];
};

static void select_options(const char *allowed, struct policy_options *o)
{
	static const struct option common[] = { CMD_COMMON_LONG };
	static const struct option all[] = {
		{ "knob", required_argument, NULL, 'k' },
		{ "backing", required_argument, NULL, 'b' },
		{ "foreground", no_argument, NULL, 'f' },
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

/* @allowed: short options beyond the common ones; @nr: what follows them. */
static int parse(int argc, char **argv, const char *allowed, int nr,
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

static void report_done(const char *what, const char *policy, const char *path)
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
	cmd_json_end(&j);
}

static void wait_for_signal(const sigset_t *set)
{
	int sig;

	while (sigwait(set, &sig))
		;
}

static int attach(struct fusepass_policy *p, const struct policy_args *a)
{
	_cleanup_fd_ int link = -1;
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (a->foreground)
		sigprocmask(SIG_BLOCK, &set, NULL);
	ret = fusepass_policy_attach(p, a->argv[1], a->backing,
				     a->foreground ? 0 : FUSEPASS_PIN, &link);
	if (ret)
		return cmd_fail(ret, "attach %s to %s", a->argv[0], a->argv[1]);
	report_done("attached", fusepass_policy_name(p), a->argv[1]);
	if (a->foreground)
		wait_for_signal(&set);
	return CMD_OK;
}

static int replace(struct fusepass_policy *p, const struct policy_args *a)
{
	int ret = fusepass_policy_replace(p, a->argv[1], a->backing);

	if (ret)
		return cmd_fail(ret, "replace policy of %s by %s", a->argv[1],
				a->argv[0]);
	report_done("replaced", fusepass_policy_name(p), a->argv[1]);
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
	int ret = parse(argc, argv, "kbf", 2, &a);

	return a.done ? ret : with_policy(&a, attach);
}

static int cmd_policy_replace(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = parse(argc, argv, "kb", 2, &a);

	return a.done ? ret : with_policy(&a, replace);
}

static int cmd_policy_detach(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = parse(argc, argv, "", 1, &a);

	if (a.done)
		return ret;
	ret = fusepass_policy_detach(a.argv[0]);
	if (ret)
		return cmd_fail(ret, "detach policy of %s", a.argv[0]);
	report_done("detached", NULL, a.argv[0]);
	return CMD_OK;
}

/* show ------------------------------------------------------------------- */

static void show_counts_text(const char *title,
			     const struct fusepass_count *c, size_t nr)
{
	size_t i;

	printf("  %-9s", title);
	for (i = 0; i < nr; i++)
		printf(" %s %" PRIu64, c[i].name, c[i].passed);
	printf("\n");
}

static void show_counts_json(struct json *j, const char *title,
			     const struct fusepass_count *c, size_t nr)
{
	size_t i;

	json_object_begin(j, title);
	for (i = 0; i < nr; i++)
		json_u64(j, c[i].name, c[i].passed);
	json_object_end(j);
}

static void show_text(const char *mountpoint, uint32_t connection,
		      const struct fusepass_status *s)
{
	printf("%s: connection %" PRIu32 ", policy %s\n", mountpoint,
	       connection, s->policy[0] ? s->policy : "none");
	if (s->policy[0])
		printf("  link %" PRIu32 ", map %" PRIu32 ", generation %"
		       PRIu64 "\n", s->link, s->map, s->generation);
	show_counts_text("verdicts", s->verdicts, s->nr_verdicts);
	show_counts_text("fallbacks", s->fallbacks, s->nr_fallbacks);
}

static void show_json(struct json *j, const char *mountpoint,
		      uint32_t connection, const struct fusepass_status *s)
{
	json_string(j, "mountpoint", mountpoint);
	json_u64(j, "connection", connection);
	json_bool(j, "attached", s->policy[0]);
	json_string(j, "policy", s->policy);
	json_u64(j, "link", s->link);
	json_u64(j, "map", s->map);
	json_u64(j, "generation", s->generation);
	show_counts_json(j, "verdicts", s->verdicts, s->nr_verdicts);
	show_counts_json(j, "fallbacks", s->fallbacks, s->nr_fallbacks);
}

static int show(const struct fusepass_mount *m)
{
	struct fusepass_status s;
	struct json j;
	int ret = fusepass_status_read(m->connection, &s);

	if (ret)
		return cmd_fail(ret, "show policy of %s", m->mountpoint);
	if (!cmd_json) {
		show_text(m->mountpoint, m->connection, &s);
		return CMD_OK;
	}
	cmd_json_begin(&j);
	show_json(&j, m->mountpoint, m->connection, &s);
	cmd_json_end(&j);
	return CMD_OK;
}

static int cmd_policy_show(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	struct fusepass_mount m;
	int ret = parse(argc, argv, "", 1, &a);

	if (a.done)
		return ret;
	ret = fusepass_mount_find(a.argv[0], &m);
	if (ret)
		return cmd_fail(ret, "show policy of %s", a.argv[0]);
	ret = show(&m);
	fusepass_mount_clear(&m);
	return ret;
}

/* list ------------------------------------------------------------------- */

static void list_one(struct json *j, uint32_t connection)
{
	struct fusepass_mount m = { 0 };
	struct fusepass_status s;
	const char *where;

	if (fusepass_status_read(connection, &s) || !s.policy[0])
		return;
	fusepass_mount_by_connection(connection, &m);
	where = m.mountpoint ? m.mountpoint : "";
	if (cmd_json) {
		json_object_begin(j, NULL);
		show_json(j, where, connection, &s);
		json_object_end(j);
	} else {
		printf("%-10" PRIu32 " %-15s %-5" PRIu32 " %s\n", connection,
		       s.policy, s.link, *where ? where : "(not mounted here)");
	}
	fusepass_mount_clear(&m);
}

static int list(struct json *j)
{
	const char *path = "/sys/fs/fuse/connections";
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *e;
	uint64_t id;

	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		if (!util_parse_u64(e->d_name, &id))
			list_one(j, id);
	return 0;
}

static int cmd_policy_list(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	struct json j;
	int ret = parse(argc, argv, "", 0, &a);

	if (a.done)
		return ret;
	if (access("/sys/fs/fuse/connections", R_OK | X_OK))
		return cmd_fail(errno, "list policies in "
				"/sys/fs/fuse/connections");
	if (!cmd_json) {
		printf("%-10s %-15s %-5s %s\n", "CONNECTION", "POLICY", "LINK",
		       "MOUNT");
		list(NULL);
		return CMD_OK;
	}
	cmd_json_begin(&j);
	json_array_begin(&j, "policies");
	list(&j);
	json_array_end(&j);
	cmd_json_end(&j);
	return CMD_OK;
}

const struct cmd cmd_policy_table[] = {
	{ "attach", cmd_policy_attach,
	  "[-k NAME=VALUE]... [--backing DIR] [--foreground] POLICY MNT",
	  "attach a policy to a mount" },
	{ "detach", cmd_policy_detach, "MNT",
	  "detach it: every request goes to the server again" },
	{ "replace", cmd_policy_replace,
	  "[-k NAME=VALUE]... [--backing DIR] POLICY MNT",
	  "put another policy in its place, in one step" },
	{ "list", cmd_policy_list, "",
	  "list the mounts that have a policy" },
	{ "show", cmd_policy_show, "MNT",
	  "show the policy of a mount and its verdicts" },
	{ NULL, NULL, NULL, NULL },
};

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+" CMD_COMMON_SHORT, options,
				NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	return cmd_dispatch(cmd_policy_table, "policy: ", argc - optind,
			    argv + optind);
}
