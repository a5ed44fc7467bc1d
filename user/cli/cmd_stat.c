// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass stat: requests by opcode.
 *
 * Two counters side by side: what the server has seen, and what the kernel
 * says it passed and asked. Either may be missing; a server of somebody else
 * has no control socket, an unpatched kernel no policy file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "prom.h"

struct stat_report {
	struct fusepass_mount mount;
	char *server;			/* JSON, or NULL */
	int server_err;
	struct fusepass_status kernel;
	int kernel_err;
};

/* The number behind "NAME": in the server's answer; 0 if it is not there. */
static uint64_t server_count(const struct stat_report *r, const char *name)
{
	char key[40];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = r->server ? strstr(r->server, key) : NULL;
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static const struct fusepass_count *kernel_count(const struct stat_report *r,
						 const char *name)
{
	static const struct fusepass_count none;
	size_t i;

	for (i = 0; i < r->kernel.nr_ops; i++)
		if (!strcmp(name, r->kernel.ops[i].name))
			return &r->kernel.ops[i];
	return &none;
}

static void column(bool known, uint64_t value)
{
	if (known)
		printf(" %12" PRIu64, value);
	else
		printf(" %12s", "-");
}

static void show_text(const struct stat_report *r)
{
	unsigned int op;

	printf("%s: connection %" PRIu32 ", policy %s\n", r->mount.mountpoint,
	       r->mount.connection,
	       r->kernel.policy[0] ? r->kernel.policy : "none");
	if (r->server_err)
		printf("server: no counts (%s)\n", strerror(-r->server_err));
	if (r->kernel_err)
		printf("kernel: no counts (%s)\n", strerror(-r->kernel_err));
	printf("%-20s %12s %12s %12s\n", "OPERATION", "SERVER", "PASSED",
	       "ASKED");
	for (op = 1; op < 64; op++) {
		const char *name = util_opcode_name(op);
		const struct fusepass_count *k = kernel_count(r, name ?: "");
		uint64_t served = name ? server_count(r, name) : 0;

		if (!served && !k->passed && !k->asked)
			continue;
		printf("%-20s", name);
		column(!r->server_err, served);
		column(!r->kernel_err, k->passed);
		column(!r->kernel_err, k->asked);
		printf("\n");
	}
	printf("%-20s", "total");
	column(!r->server_err, server_count(r, "total"));
	printf("\n");
}

static void show_json(const struct stat_report *r)
{
	const struct fusepass_status *s = &r->kernel;
	struct json j;
	size_t i;

	cmd_json_begin(&j);
	json_string(&j, "mountpoint", r->mount.mountpoint);
	json_u64(&j, "connection", r->mount.connection);
	json_raw(&j, "server", r->server ? r->server : "null");
	if (r->kernel_err) {
		json_raw(&j, "kernel", "null");
		cmd_json_end(&j);
		return;
	}
	json_object_begin(&j, "kernel");
	json_string(&j, "policy", s->policy);
	json_object_begin(&j, "ops");
	for (i = 0; i < s->nr_ops; i++) {
		json_object_begin(&j, s->ops[i].name);
		json_u64(&j, "passed", s->ops[i].passed);
		json_u64(&j, "asked", s->ops[i].asked);
		json_object_end(&j);
	}
	json_object_end(&j);
	json_object_end(&j);
	cmd_json_end(&j);
}

/* Not by a look at the mount, which would wait for a server that is stopped. */
static int stat_fail(const struct stat_report *r)
{
	if (r->server_err == -ECONNREFUSED)
		return cmd_fail_cause(ENOTCONN, "its server has died; unmount it",
				      "count requests of %s", r->mount.mountpoint);
	return cmd_fail(r->server_err, "count requests of %s",
			r->mount.mountpoint);
}

static int stat_show(struct stat_report *r)
{
	uint32_t id = r->mount.connection;

	r->kernel_err = fusepass_status_read(id, &r->kernel, sizeof(r->kernel));
	/* Last: what it was about is told if there are no counts at all. */
	r->server_err = fusepass_server_ask(id, "stat", &r->server);
	if (r->server_err && r->kernel_err)
		return stat_fail(r);
	if (cmd_json)
		show_json(r);
	else
		show_text(r);
	return CMD_OK;
}

static int stat_reset(const struct fusepass_mount *m)
{
	_cleanup_free_ char *reply = NULL;
	int ret = fusepass_server_ask(m->connection, "reset", &reply);

	if (ret)
		return cmd_fail(ret, "reset counts of %s", m->mountpoint);
	if (cmd_json)
		printf("%s\n", reply);
	return CMD_OK;
}

/* What is to be done with the mount. */
struct stat_args {
	bool reset, prometheus, done;
};

static int parse(int argc, char **argv, struct stat_args *a)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "reset", no_argument, NULL, 'r' },
		{ "prometheus", no_argument, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	a->done = true;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "rP", options,
				NULL)) != -1) {
		if (c == 'r')
			a->reset = true;
		else if (c == 'P')
			a->prometheus = true;
		else if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	}
	if (a->prometheus && (cmd_json || a->reset))
		return cmd_usage("stat: --prometheus goes with neither --json nor --reset");
	if (argc - optind > 1 || (argc == optind && !a->prometheus))
		return cmd_usage("stat: MNT is expected");
	a->done = false;
	return CMD_OK;
}

int cmd_stat(int argc, char **argv)
{
	struct stat_report r = { .server = NULL };
	struct stat_args a = { .done = false };
	int ret = parse(argc, argv, &a);

	if (a.done)
		return ret;
	if (argc == optind)
		return prom_show(NULL);
	ret = fusepass_mount_find(argv[optind], &r.mount);
	if (ret)
		return cmd_fail(ret, "count requests of %s", argv[optind]);
	if (a.prometheus)
		ret = prom_show(&r.mount);
	else
		ret = a.reset ? stat_reset(&r.mount) : stat_show(&r);
	fusepass_mount_clear(&r.mount);
	free(r.server);
	return ret;
}
