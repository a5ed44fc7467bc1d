// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass probe: would a policy change what a mount shows? The comparison is in probe.c.
 *
 * Exit status as that of diff(1): 0 the same, 1 not the same, 2 trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib.h"
#include "probe.h"

enum { DIFFERS = 1 };

struct probe_cmd {
	struct probe p;
	const char *backing;
	struct fusepass_mount mount;
	char directory[PATH_MAX];
	char policy[FUSEPASS_NAME_SIZE];	/* attached already, or "" */
};

static int parse_number(const char *what, uint64_t max, uint64_t *value)
{
	if (util_parse_u64(optarg, value) || *value > max)
		return cmd_usage("probe: %s '%s' is no number up to %" PRIu64, what,
				 optarg, max);
	return CMD_OK;
}

static int parse_option(int c, struct probe_cmd *cmd, char **argv)
{
	switch (c) {
	case 'b':
		cmd->backing = optarg;
		return CMD_OK;
	case 's':
		return parse_number("sample", 1000000, &cmd->p.max_files);
	case 'n':
		return parse_number("names", 1000000000, &cmd->p.max_names);
	case 'd':
		return parse_number("depth", 1000, &cmd->p.max_depth);
	case 't':
		return parse_number("timeout", 1000000, &cmd->p.seconds);
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

static int parse(int argc, char **argv, struct probe_cmd *cmd, const char **path)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "backing", required_argument, NULL, 'b' },
		{ "sample", required_argument, NULL, 's' },
		{ "names", required_argument, NULL, 'n' },
		{ "depth", required_argument, NULL, 'd' },
		{ "timeout", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	*path = NULL;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "b:s:n:d:t:", options,
				NULL)) != -1) {
		ret = parse_option(c, cmd, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind != 1)
		return cmd_usage("probe: MNT is expected");
	*path = argv[optind];
	return CMD_OK;
}

/* Output --------------------------------------------------------------------------- */

static void finding_text(const struct probe_finding *f, enum probe_kind kind)
{
	if (!f->count)
		return;
	printf("%s: %" PRIu64 "; %s\n", probe_kind_name(kind), f->count,
	       probe_kind_effect(kind));
	for (uint64_t i = 0; i < f->count && i < PROBE_EXAMPLES; i++)
		printf("    %s\n", f->examples[i] ?: "");
	if (f->count > PROBE_EXAMPLES)
		printf("    ...\n");
}

static void show_text(const struct probe_cmd *cmd)
{
	const struct probe *p = &cmd->p;

	for (int i = 0; i < PROBE_NR; i++)
		finding_text(&p->found[i], i);
	printf("%s and %s: %s\n", cmd->mount.mountpoint, cmd->directory,
	       probe_differences(p) ? "not the same" : "no difference");
	printf("compared %" PRIu64 " names in %" PRIu64 " directories, bytes of %" PRIu64
	       " files%s\n", p->names, p->directories, p->files,
	       p->complete ? "" : "; there are more");
	if (p->beneath)
		printf("left out: %" PRIu64 " names where something is mounted\n",
		       p->beneath);
	if (cmd->policy[0])
		printf("policy %s is attached: what it passes was compared with "
		       "itself\n", cmd->policy);
}

static void finding_json(struct json *j, const struct probe_finding *f,
			 enum probe_kind kind)
{
	if (!f->count)
		return;
	json_object_begin(j, NULL);
	json_string(j, "kind", probe_kind_name(kind));
	json_string(j, "effect", probe_kind_effect(kind));
	json_u64(j, "count", f->count);
	json_array_begin(j, "examples");
	for (uint64_t i = 0; i < f->count && i < PROBE_EXAMPLES; i++)
		json_string(j, NULL, f->examples[i] ?: "");
	json_array_end(j);
	json_object_end(j);
}

static void show_json(const struct probe_cmd *cmd)
{
	const struct probe *p = &cmd->p;
	struct json j;

	cmd_json_begin(&j);
	json_string(&j, "mountpoint", cmd->mount.mountpoint);
	json_string(&j, "backing", cmd->directory);
	json_string(&j, "policy", cmd->policy);
	json_bool(&j, "same", !probe_differences(p));
	json_bool(&j, "complete", p->complete);
	json_u64(&j, "names", p->names);
	json_u64(&j, "directories", p->directories);
	json_u64(&j, "files", p->files);
	json_u64(&j, "mounted_beneath", p->beneath);
	json_array_begin(&j, "findings");
	for (int i = 0; i < PROBE_NR; i++)
		finding_json(&j, &p->found[i], i);
	json_array_end(&j);
	cmd_json_end(&j);
}

/* Running ---------------------------------------------------------------------------- */

static void note_names(struct probe_cmd *cmd, int backing)
{
	struct fusepass_status s;
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", backing);
	len = readlink(link, cmd->directory, sizeof(cmd->directory) - 1);
	cmd->directory[len < 0 ? 0 : len] = '\0';
	if (!fusepass_status_read(cmd->mount.connection, &s, sizeof(s)))
		snprintf(cmd->policy, sizeof(cmd->policy), "%s", s.policy);
}

static int probe(struct probe_cmd *cmd, const char *path)
{
	_cleanup_fd_ int mount = -1, backing = -1;
	int ret = fusepass_mount_find(path, &cmd->mount);

	if (ret)
		return cmd_fail(ret, "probe %s", path);
	mount = open(cmd->mount.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0)
		return cmd_fail_cause(errno, "", "probe %s", path);
	backing = lib_backing_open(&cmd->mount, cmd->backing);
	if (backing < 0)
		return cmd_fail(backing, "probe %s: backing directory", path);
	note_names(cmd, backing);
	ret = probe_run(&cmd->p, mount, backing);
	if (ret)
		return cmd_fail_cause(ret, ret == -ELOOP ? "it is on the mount itself" : "",
				      "probe %s: compare with %s", path, cmd->directory);
	if (cmd_json)
		show_json(cmd);
	else
		show_text(cmd);
	return probe_differences(&cmd->p) ? DIFFERS : CMD_OK;
}

int cmd_probe(int argc, char **argv)
{
	struct probe_cmd cmd = {
		.p = { .max_names = 10000, .max_depth = 32, .max_files = 100,
		       .seconds = 60 },
	};
	const char *path;
	int ret;

	cmd_misuse_is(CMD_FAILED);
	ret = parse(argc, argv, &cmd, &path);
	if (path)
		ret = probe(&cmd, path);
	probe_clear(&cmd.p);
	fusepass_mount_clear(&cmd.mount);
	return ret;
}
