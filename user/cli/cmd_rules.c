// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass rules: check a file, put it in the place of what is attached, show and
 * follow what is attached. What `check` says about paths is in cmd_rules_check.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cmd.h"
#include "cmd_rules.h"
#include "ruleset.h"

static int parse_option(int c, struct rules_args *a, char **argv)
{
	switch (c) {
	case 'T':
		a->tree = optarg;
		return CMD_OK;
	case 'b':
		a->backing = optarg;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* @min to @max words behind the options. */
static int parse(int argc, char **argv, const char *shorts,
		 const struct option *options, int min, int max,
		 struct rules_args *a)
{
	int c, ret;

	a->done = true;
	while ((c = getopt_long(argc, argv, shorts, options, NULL)) != -1) {
		ret = parse_option(c, a, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind < min || argc - optind > max)
		return cmd_usage("rules %s: %d argument%s expected", argv[0], min,
				 min == 1 ? " is" : "s are");
	a->argv = argv + optind;
	a->nr = argc - optind;
	a->done = false;
	return CMD_OK;
}

/* check ---------------------------------------------------------------------- */

static int compile(const char *file, struct ruleset *set,
		   struct rules_tables *tables)
{
	int ret = ruleset_read(set, file);

	if (!ret)
		ret = rules_build(set, tables);
	return ret ? cmd_fail_rules(ret, file, set->error) : CMD_OK;
}

static int cmd_rules_check(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "tree", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	struct rules_args a = { .done = false };
	struct rules_tables tables = { .cells = NULL };
	struct ruleset set = { .file = NULL };
	int ret = parse(argc, argv, CMD_COMMON_SHORT "T:", options, 1, 1 << 20,
			&a);

	if (a.done)
		return ret;
	ret = rules_check_paths(&a);
	if (!ret)
		ret = compile(a.argv[0], &set, &tables);
	if (!ret)
		ret = rules_check(&set, &tables, &a);
	rules_tables_clear(&tables);
	ruleset_clear(&set);
	return ret;
}

/* update --------------------------------------------------------------------- */

/* Rules take the place of rules; for another policy there is replace. */
static int goes_by_rules(const char *mnt)
{
	struct fusepass_status s;
	struct fusepass_mount m;
	int ret = fusepass_mount_find(mnt, &m);

	if (ret)
		return cmd_fail(ret, "update rules of %s", mnt);
	ret = fusepass_status_read(m.connection, &s, sizeof(s));
	fusepass_mount_clear(&m);
	if (ret)
		return cmd_fail(ret, "update rules of %s", mnt);
	if (!s.policy[0])
		return cmd_fail_cause(ENOENT, "no policy is attached",
				      "update rules of %s", mnt);
	if (strcmp(s.policy, "rules")) {
		char cause[64];

		snprintf(cause, sizeof(cause), "policy \"%s\" is attached",
			 s.policy);
		return cmd_fail_cause(EBUSY, cause, "update rules of %s", mnt);
	}
	return CMD_OK;
}

static int update(struct fusepass_policy *p, const struct rules_args *a)
{
	struct json j;
	int ret = fusepass_policy_replace(p, a->argv[0], a->backing);

	if (ret)
		return cmd_fail(ret, "update rules of %s", a->argv[0]);
	if (!cmd_json)
		return CMD_OK;
	cmd_json_begin(&j);
	json_bool(&j, "updated", true);
	json_string(&j, "rules", a->argv[1]);
	cmd_json_end(&j);
	return CMD_OK;
}

static int cmd_rules_update(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "backing", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	struct rules_args a = { .done = false };
	struct cmd_knobs knobs = { .nr = 0 };
	struct fusepass_policy *p = NULL;
	int ret = parse(argc, argv, CMD_COMMON_SHORT "b:", options, 2, 2, &a);

	if (a.done)
		return ret;
	knobs.rules = a.argv[1];
	ret = cmd_policy_open("rules", &knobs, &p);
	if (!ret)
		ret = goes_by_rules(a.argv[0]);
	if (!ret)
		ret = update(p, &a);
	fusepass_policy_close(p);
	return ret;
}

/* show and log ----------------------------------------------------------------- */

/* The rules that are attached: their text comes from the kernel. */
static int live_open(const char *mnt, const char *what, struct fusepass_rules **r,
		     struct ruleset *set)
{
	int ret = fusepass_rules_open(mnt, r);

	if (ret)
		return cmd_fail(ret, "%s rules of %s", what, mnt);
	ret = ruleset_parse(set, mnt, fusepass_rules_text(*r));
	if (ret)
		return cmd_fail_cause(ret, set->error, "%s rules of %s", what, mnt);
	return CMD_OK;
}

static void show_rule(struct json *j, const struct rule *r, uint64_t n)
{
	if (!cmd_json) {
		if (r->count)
			printf("%10" PRIu64 "  %5u  %s\n", n, r->line, r->text);
		else
			printf("%10s  %5u  %s\n", "-", r->line, r->text);
		return;
	}
	json_object_begin(j, NULL);
	json_u64(j, "line", r->line);
	json_string(j, "rule", r->text);
	if (r->count)
		json_u64(j, "decided", n);
	json_object_end(j);
}

static int show(const struct fusepass_rules *r, const struct ruleset *set)
{
	struct json j;
	uint64_t n = 0;
	size_t i;
	int ret = 0;

	if (cmd_json) {
		cmd_json_begin(&j);
		json_array_begin(&j, "rules");
	} else {
		printf("%10s  %5s  %s\n", "DECIDED", "LINE", "RULE");
	}
	for (i = 0; !ret && i < set->nr; i++) {
		if (set->rules[i].count)
			ret = fusepass_rules_count(r, i, &n);
		if (!ret)
			show_rule(&j, &set->rules[i], n);
	}
	if (cmd_json) {
		json_array_end(&j);
		return cmd_json_finish(&j, ret, fusepass_error(), "show rules");
	}
	return ret ? cmd_fail(ret, "show rules") : CMD_OK;
}

static int with_live(int argc, char **argv, const char *what,
		     int (*run)(const struct fusepass_rules *r,
				const struct ruleset *set))
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	struct rules_args a = { .done = false };
	struct ruleset set = { .file = NULL };
	struct fusepass_rules *r = NULL;
	int ret = parse(argc, argv, CMD_COMMON_SHORT, options, 1, 1, &a);

	if (a.done)
		return ret;
	ret = live_open(a.argv[0], what, &r, &set);
	if (!ret)
		ret = run(r, &set);
	fusepass_rules_close(r);
	ruleset_clear(&set);
	return ret;
}

static int cmd_rules_show(int argc, char **argv)
{
	return with_live(argc, argv, "show", show);
}

/* What a rule with log has decided. */
struct follower {
	const struct ruleset *set;
	struct json j;
};

static void event_text(const struct rule *r,
		       const struct fusepass_rule_event *ev)
{
	printf("%s %s pid %" PRIu32 " uid %" PRIu32 " line %u: %s\n",
	       ev->open ? "open" : "name",
	       ev->open ? "-" : *ev->name ? ev->name : "/", ev->pid, ev->uid,
	       r->line, r->text);
	fflush(stdout);
}

static void event_json(struct json *j, const struct rule *r,
		       const struct fusepass_rule_event *ev)
{
	json_object_begin(j, NULL);
	json_bool(j, "open", ev->open);
	json_string(j, "name", ev->name);
	json_u64(j, "pid", ev->pid);
	json_u64(j, "uid", ev->uid);
	json_u64(j, "line", r->line);
	json_string(j, "rule", r->text);
	json_object_end(j);
	fflush(stdout);
}

static void event_show(const struct fusepass_rule_event *ev, void *arg)
{
	struct follower *f = arg;

	if (ev->rule >= f->set->nr)
		return;
	if (cmd_json)
		event_json(&f->j, &f->set->rules[ev->rule], ev);
	else
		event_text(&f->set->rules[ev->rule], ev);
}

static void stop(int sig)
{
}

/* Until a signal, which ends the document. */
static int follow(const struct fusepass_rules *r, const struct ruleset *set)
{
	const struct sigaction sa = { .sa_handler = stop };
	struct follower f = { .set = set };
	int ret;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (cmd_json) {
		cmd_json_begin(&f.j);
		json_array_begin(&f.j, "events");
	}
	ret = fusepass_rules_follow(r, event_show, &f);
	ret = ret == -EINTR ? 0 : ret;
	if (cmd_json) {
		json_array_end(&f.j);
		return cmd_json_finish(&f.j, ret, fusepass_error(), "log rules");
	}
	return ret ? cmd_fail(ret, "log rules") : CMD_OK;
}

static int cmd_rules_log(int argc, char **argv)
{
	return with_live(argc, argv, "log", follow);
}

const struct cmd cmd_rules_table[] = {
	{ "check", cmd_rules_check, "[--tree DIR] FILE [PATH...]",
	  "find mistakes in a file, and which rule decides about a path",
	  "  -T, --tree DIR            take type, size, owner ... from what is in DIR\n" },
	{ "update", cmd_rules_update, "[--backing DIR] MNT FILE",
	  "put a file of rules in the place of the attached one, in one step",
	  CMD_HELP_BACKING },
	{ "show", cmd_rules_show, "MNT",
	  "show the rules of a mount, and how often those with count decided",
	  NULL },
	{ "log", cmd_rules_log, "MNT",
	  "print what rules with log decide, as it happens", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

int cmd_rules(int argc, char **argv)
{
	return cmd_group(cmd_rules_table, "rules: ", argc, argv);
}
