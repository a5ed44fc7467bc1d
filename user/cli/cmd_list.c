// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass list: the FUSE mounts, whoever serves them.
 *
 * The process that serves a mount is found by its open device, so nobody has to answer.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib.h"

/* Who has the device of which connection open. */
struct servers {
	struct {
		uint32_t connection;
		pid_t pid;
	} *list;
	size_t nr;
};

static bool is_device(const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	for (int i = 0; i < LIB_NR_KINDS; i++)
		if (!strcmp(target, lib_kinds[i].device))
			return true;
	return false;
}

static void servers_add(struct servers *s, pid_t pid, const char *fd)
{
	_cleanup_free_ char *text = NULL;
	uint32_t connection;
	const char *line;
	char path[64];
	void *list;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", pid, fd);
	if (util_file_read(path, &text))
		return;
	line = strstr(text, "fuse_connection:");
	if (!line || sscanf(line, "fuse_connection: %" SCNu32, &connection) != 1)
		return;
	list = realloc(s->list, (s->nr + 1) * sizeof(*s->list));
	if (!list)
		return;
	s->list = list;
	s->list[s->nr].connection = connection;
	s->list[s->nr++].pid = pid;
}

static void servers_of(struct servers *s, pid_t pid)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *e;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, e->d_name);
		if (is_device(path))
			servers_add(s, pid, e->d_name);
	}
}

static void servers_find(struct servers *s)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	struct dirent *e;
	uint64_t pid;

	while (dir && (e = readdir(dir)))
		if (!util_parse_u64(e->d_name, &pid))
			servers_of(s, pid);
}

static pid_t server_of_connection(const struct servers *s, uint32_t connection)
{
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (s->list[i].connection == connection)
			return s->list[i].pid;
	return 0;
}

struct list {
	struct json *j;		/* NULL: text */
	struct servers servers;
};

static void show_text(const struct fusepass_mount *m, pid_t pid, const char *ino,
		      const char *policy)
{
	char number[16] = "-";

	if (pid)
		snprintf(number, sizeof(number), "%d", pid);
	printf("%-24s %-24s %7s %-4s %s\n", m->mountpoint, m->source, number, ino,
	       policy);
}

static void show_json(struct json *j, const struct fusepass_mount *m, pid_t pid,
		      const char *ino, const char *policy)
{
	json_object_begin(j, NULL);
	json_string(j, "mountpoint", m->mountpoint);
	json_string(j, "source", m->source);
	json_string(j, "type", m->type);
	json_u64(j, "connection", m->connection);
	if (pid)
		json_u64(j, "pid", pid);
	json_raw(j, "inode_passthrough", *ino == '?' ? "null" :
		 *ino == 'y' ? "true" : "false");
	json_string(j, "policy", policy);
	json_object_end(j);
}

/* The kernel counts verdicts where FUSE_PASSTHROUGH_INO is negotiated. */
static const char *ino_of(int err, const struct fusepass_status *s)
{
	if (!err)
		return s->nr_verdicts ? "yes" : "no";
	/* A kernel that does not know it has no such file. */
	return err == -ENOENT && lib_kind_controlled(&lib_kinds[0]) ? "no" : "?";
}

static void show(const struct fusepass_mount *m, void *arg)
{
	struct list *l = arg;
	struct fusepass_status s;
	int err = fusepass_status_read(m->connection, &s, sizeof(s));
	const char *ino = ino_of(err, &s);
	pid_t pid = server_of_connection(&l->servers, m->connection);

	if (l->j)
		show_json(l->j, m, pid, ino, s.policy);
	else
		show_text(m, pid, ino, s.policy[0] ? s.policy : "-");
}

static int list_show(struct list *l)
{
	struct json j;
	int ret;

	if (!cmd_json) {
		printf("%-24s %-24s %7s %-4s %s\n", "MOUNT", "SOURCE", "SERVER",
		       "INO", "POLICY");
		return lib_mounts(show, l);
	}
	l->j = &j;
	cmd_json_begin(&j);
	json_array_begin(&j, "mounts");
	ret = lib_mounts(show, l);
	json_array_end(&j);
	cmd_json_end(&j);
	return ret;
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	struct list l = { .j = NULL };
	int c, ret;

	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT, options,
				NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	if (argc != optind)
		return cmd_usage("list takes no arguments");
	servers_find(&l.servers);
	ret = list_show(&l);
	free(l.servers.list);
	return ret && !cmd_json ? cmd_fail(ret, "list mounts") : CMD_OK;
}
