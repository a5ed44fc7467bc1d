// SPDX-License-Identifier: GPL-2.0-or-later
/* fusepass trace: what policies decide and what servers are asked, as it happens. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cmd.h"
#include "ruleset.h"
#include "trace.h"

struct tracer {
	const char *glob;
	bool by_uid;
	uint32_t uid;
	bool server_only;
	uint64_t begin;		/* time of the first event */
	struct json j;
	bool done;		/* --help, or a mistake that was shown */
};

static const char *const kinds[] = {
	[TRACE_REQUEST] = "server", [TRACE_VERDICT] = "verdict",
	[TRACE_OPEN] = "open", [TRACE_FALLBACK] = "fallback",
};

/* "pass", "server" or an error; of a request "ok". */
static const char *result_text(const struct trace_event *e, char text[32])
{
	const char *name = e->result < 0 ? util_errno_name(-e->result) : NULL;

	if (e->kind == TRACE_FALLBACK)
		return e->name;
	if (name)
		return name;
	if (e->kind == TRACE_REQUEST && !e->result)
		return "ok";
	if (e->kind != TRACE_REQUEST && e->result == FUSEPASS_PASS)
		return "pass";
	if (e->kind != TRACE_REQUEST && e->result == FUSEPASS_SERVER)
		return "server";
	snprintf(text, 32, "%" PRId32, e->result);
	return text;
}

static const char *operation(const struct trace_event *e)
{
	if (e->kind == TRACE_REQUEST)
		return util_opcode_name(e->opcode) ?: "?";
	return e->kind == TRACE_OPEN ? "OPEN" : "LOOKUP";
}

static void show_text(struct tracer *t, const struct trace_event *e,
		      const char *path)
{
	char result[32], node[32], words[RULES_MASK_TEXT];
	const char *passes = "";

	snprintf(node, sizeof(node), "node %" PRIu64, (uint64_t)e->node);
	if (e->kind == TRACE_VERDICT && e->result == FUSEPASS_PASS)
		passes = rules_mask_text(e->mask, words);
	printf("%11.6f %-8s %-12s %-8s %s", (e->time - t->begin) / 1e9,
	       kinds[e->kind], operation(e), result_text(e, result), path ?: node);
	if (e->kind == TRACE_REQUEST)
		printf(" %" PRIu64 " us", (uint64_t)e->took / 1000);
	if (*passes)
		printf(" (%s)", passes);
	printf(" %s[%" PRIu32 "] uid %" PRIu32 "\n", e->comm, e->pid, e->uid);
	fflush(stdout);
}

static void show_json(struct json *j, const struct trace_event *e,
		      const char *path)
{
	char result[32], words[RULES_MASK_TEXT];

	json_object_begin(j, NULL);
	json_u64(j, "time", e->time);
	json_string(j, "kind", kinds[e->kind]);
	json_u64(j, "connection", e->connection);
	json_string(j, "operation", operation(e));
	json_string(j, "result", result_text(e, result));
	if (path)
		json_string(j, "path", path);
	json_u64(j, "node", e->node);
	if (e->kind == TRACE_REQUEST)
		json_u64(j, "took", e->took);
	if (e->kind == TRACE_VERDICT && e->result == FUSEPASS_PASS)
		json_string(j, "passes", rules_mask_text(e->mask, words));
	json_u64(j, "pid", e->pid);
	json_string(j, "command", e->comm);
	json_u64(j, "uid", e->uid);
	json_object_end(j);
	fflush(stdout);
}

static void show(const struct trace_event *e, const char *path, void *arg)
{
	struct tracer *t = arg;

	if (e->kind >= ARRAY_SIZE(kinds) || (t->by_uid && e->uid != t->uid) ||
	    (t->glob && (!path || fnmatch(t->glob, path, 0))))
		return;
	if (!t->begin)
		t->begin = e->time;
	if (cmd_json)
		show_json(&t->j, e, path);
	else
		show_text(t, e, path);
}

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = 1;
}

/* Until a signal, which ends the document. */
static int follow(struct tracer *t, uint32_t connection)
{
	const struct sigaction sa = { .sa_handler = stop };
	struct trace *trace;
	uint64_t lost;
	int ret = trace_start(connection, t->server_only, show, t, &trace);

	if (ret)
		return cmd_fail(ret, "trace");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (cmd_json) {
		cmd_json_begin(&t->j);
		json_array_begin(&t->j, "events");
	} else {
		fprintf(stderr, "fusepass: tracing; ends with ^C\n");
	}
	while (!stopped && !ret) {
		ret = trace_poll(trace, 1000);
		ret = ret == -EINTR ? 0 : ret;
	}
	lost = trace_lost(trace);
	trace_stop(trace);
	if (cmd_json) {
		json_array_end(&t->j);
		json_u64(&t->j, "lost", lost);
		return cmd_json_finish(&t->j, ret, fusepass_error(), "trace");
	}
	if (lost)
		fprintf(stderr, "fusepass: %" PRIu64 " events lost\n", lost);
	return ret ? cmd_fail(ret, "trace") : CMD_OK;
}

static int parse_option(int c, struct tracer *t, char **argv)
{
	uint64_t uid;

	switch (c) {
	case 'P':
		t->glob = optarg;
		return CMD_OK;
	case 's':
		t->server_only = true;
		return CMD_OK;
	case 'u':
		if (util_parse_u64(optarg, &uid) || uid > UINT32_MAX)
			return cmd_usage("trace: '%s' is no uid", optarg);
		t->uid = uid;
		t->by_uid = true;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

static int parse(int argc, char **argv, struct tracer *t)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "path", required_argument, NULL, 'P' },
		{ "uid", required_argument, NULL, 'u' },
		{ "server-only", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	t->done = true;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "P:u:s", options,
				NULL)) != -1) {
		ret = parse_option(c, t, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind > 1)
		return cmd_usage("trace: more than one MNT");
	t->done = false;
	return CMD_OK;
}

int cmd_trace(int argc, char **argv)
{
	struct tracer t = { .glob = NULL };
	struct fusepass_mount m = { 0 };
	int ret = parse(argc, argv, &t);

	if (t.done)
		return ret;
	if (optind < argc) {
		ret = fusepass_mount_find(argv[optind], &m);
		if (ret)
			return cmd_fail(ret, "trace %s", argv[optind]);
	}
	ret = follow(&t, m.connection);
	fusepass_mount_clear(&m);
	return ret;
}
