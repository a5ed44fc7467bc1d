// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass stat --prometheus: counts of the kernel in the text format of Prometheus.
 *
 * Written to a file NAME.prom by a timer, node_exporter's textfile collector takes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd.h"
#include "lib.h"
#include "prom.h"

/* A mount, and what the kernel says of it. */
struct target {
	struct fusepass_mount mount;
	struct fusepass_status status;
};

static int add_connections(const char *path, uint32_t **list, size_t *nr)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *e;
	uint32_t *more;
	uint64_t id;

	while (dir && (e = readdir(dir))) {
		if (util_parse_u64(e->d_name, &id))
			continue;
		more = reallocarray(*list, *nr + 1, sizeof(**list));
		if (!more)
			return -ENOMEM;
		*list = more;
		more[(*nr)++] = id;
	}
	return 0;
}

int prom_connections(uint32_t **list)
{
	size_t nr = 0;
	int ret = 0;

	*list = NULL;
	for (int i = 0; i < LIB_NR_KINDS && !ret; i++)
		ret = add_connections(lib_kinds[i].connections, list, &nr);
	return ret ?: (int)nr;
}

static int add_target(uint32_t connection, struct target **list, size_t *nr)
{
	struct target *more, t = { .mount = { 0 } };

	/* Gone meanwhile, or of a FUSE that does not count. */
	if (fusepass_status_read(connection, &t.status, sizeof(t.status)))
		return 0;
	if (fusepass_mount_by_connection(connection, &t.mount))
		t.mount.connection = connection;
	more = reallocarray(*list, *nr + 1, sizeof(t));
	if (!more)
		return -ENOMEM;
	*list = more;
	more[(*nr)++] = t;
	return 0;
}

static int collect(const struct fusepass_mount *only, struct target **list)
{
	_cleanup_free_ uint32_t *ids = NULL;
	size_t nr = 0;
	int ret, n;

	if (only) {
		ret = add_target(only->connection, list, &nr);
		return ret ?: nr ? 1 : -ENOENT;
	}
	n = prom_connections(&ids);
	for (ret = n < 0 ? n : 0; n-- > 0 && !ret;)
		ret = add_target(ids[n], list, &nr);
	return ret ?: (int)nr;
}

/* The value of a label: backslash, quote and newline are not as they are. */
static void label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", stdout);
		else if (*value == '\\' || *value == '"')
			printf("\\%c", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

static void sample(const char *metric, const struct target *t, const char *key,
		   const char *value, uint64_t n)
{
	printf("%s{", metric);
	label("mountpoint", t->mount.mountpoint ?: "");
	printf(",connection=\"%" PRIu32 "\"", t->mount.connection);
	if (key) {
		putchar(',');
		label(key, value);
	}
	printf("} %" PRIu64 "\n", n);
}

/* One kind of counts of a status. */
struct metric {
	const char *name, *help, *key;
	size_t list, nr;	/* offsets in struct fusepass_status */
	size_t value;		/* offset in struct fusepass_count */
};

#define METRIC(name, help, key, member, value)				\
	{ name, help, key, offsetof(struct fusepass_status, member),	\
	  offsetof(struct fusepass_status, nr_##member),			\
	  offsetof(struct fusepass_count, value) }

static const struct metric metrics[] = {
	METRIC("fusepass_passed_total", "Operations that the kernel served from the backing tree.",
	       "op", ops, passed),
	METRIC("fusepass_asked_total", "Requests that were sent to the server.",
	       "op", ops, asked),
	METRIC("fusepass_verdicts_total", "Answers of the policy to lookups.",
	       "verdict", verdicts, passed),
	METRIC("fusepass_opens_total", "Answers of the policy to opens.",
	       "verdict", opens, passed),
	METRIC("fusepass_fallbacks_total", "Names that were to pass and went to the server.",
	       "reason", fallbacks, passed),
};

static void show_metric(const struct metric *m, const struct target *list, int nr)
{
	const struct fusepass_count *c;
	const char *s;

	printf("# HELP %s %s\n# TYPE %s counter\n", m->name, m->help, m->name);
	for (int i = 0; i < nr; i++) {
		s = (const char *)&list[i].status;
		c = (const void *)(s + m->list);
		for (size_t k = *(const size_t *)(s + m->nr); k--; c++)
			sample(m->name, &list[i], m->key, c->name,
			       *(const uint64_t *)((const char *)c + m->value));
	}
}

static void show_policies(const struct target *list, int nr)
{
	printf("# HELP fusepass_policy_attached Which policy is attached.\n"
	       "# TYPE fusepass_policy_attached gauge\n");
	for (int i = 0; i < nr; i++)
		sample("fusepass_policy_attached", &list[i], "policy",
		       list[i].status.policy, !!list[i].status.policy[0]);
}

int prom_show(const struct fusepass_mount *only)
{
	struct target *list = NULL;
	int nr = collect(only, &list);

	if (nr < 0)
		return cmd_fail(nr, "count requests%s%s", only ? " of " : "",
				only ? only->mountpoint : "");
	show_policies(list, nr);
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		show_metric(&metrics[i], list, nr);
	while (nr--)
		fusepass_mount_clear(&list[nr].mount);
	free(list);
	return CMD_OK;
}
