// SPDX-License-Identifier: GPL-2.0-or-later
/* fusepass policy: list, show, available, info. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd_policy.h"
#include "lib.h"

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
	show_counts_json(j, "opens", s->opens, s->nr_opens);
	show_counts_json(j, "fallbacks", s->fallbacks, s->nr_fallbacks);
}

/* What neither the mount nor the kernel's file tells; empty where it cannot be found. */
struct shown {
	char backing[PATH_MAX];
	struct lib_program programs[LIB_NR_PROGRAMS];
	int nr_programs;
};

static void shown_find(const struct fusepass_mount *m, uint32_t map,
		       struct shown *s)
{
	_cleanup_fd_ int fd = lib_backing_open(m, NULL);
	char path[32];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = fd < 0 ? -1 : readlink(path, s->backing, sizeof(s->backing) - 1);
	s->backing[len < 0 ? 0 : len] = '\0';
	s->nr_programs = map ? lib_live_programs(map, s->programs,
						 LIB_NR_PROGRAMS) : 0;
}

static void knob_text(const struct lib_knob *k, void *arg)
{
	printf("  knob      %s=%s\n", k->name, k->value);
}

static void knob_json(const struct lib_knob *k, void *arg)
{
	json_string(arg, k->name, k->value);
}

static void shown_text(const struct shown *s, uint32_t map)
{
	int i;

	if (s->backing[0])
		printf("  backing   %s\n", s->backing);
	if (s->nr_programs > 0)
		printf("  programs ");
	for (i = 0; i < s->nr_programs; i++)
		printf(" %s %" PRIu32, s->programs[i].member, s->programs[i].id);
	if (s->nr_programs > 0)
		printf("\n");
	if (map)
		lib_live_knobs(map, knob_text, NULL);
}

static void shown_json(struct json *j, const struct shown *s, uint32_t map)
{
	int i;

	json_string(j, "backing", s->backing);
	json_object_begin(j, "programs");
	for (i = 0; i < s->nr_programs; i++)
		json_u64(j, s->programs[i].member, s->programs[i].id);
	json_object_end(j);
	json_object_begin(j, "knobs");
	if (map)
		lib_live_knobs(map, knob_json, j);
	json_object_end(j);
}

static void show_text(const struct fusepass_mount *m,
		      const struct fusepass_status *s, const struct shown *more)
{
	printf("%s: connection %" PRIu32 ", policy %s\n", m->mountpoint,
	       m->connection, s->policy[0] ? s->policy : "none");
	if (s->policy[0])
		printf("  link %" PRIu32 ", map %" PRIu32 ", generation %"
		       PRIu64 "\n", s->link, s->map, s->generation);
	shown_text(more, s->map);
	show_counts_text("verdicts", s->verdicts, s->nr_verdicts);
	show_counts_text("opens", s->opens, s->nr_opens);
	show_counts_text("fallbacks", s->fallbacks, s->nr_fallbacks);
}

static int show(const struct fusepass_mount *m)
{
	struct shown more = { .nr_programs = 0 };
	struct fusepass_status s;
	struct json j;
	int ret = fusepass_status_read(m->connection, &s, sizeof(s));

	if (ret)
		return cmd_fail(ret, "show policy of %s", m->mountpoint);
	shown_find(m, s.map, &more);
	if (!cmd_json) {
		show_text(m, &s, &more);
		return CMD_OK;
	}
	cmd_json_begin(&j);
	show_json(&j, m->mountpoint, m->connection, &s);
	shown_json(&j, &more, s.map);
	cmd_json_end(&j);
	return CMD_OK;
}

int cmd_policy_show(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	struct fusepass_mount m;
	int ret = policy_parse(argc, argv, "", 1, &a);

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

	if (fusepass_status_read(connection, &s, sizeof(s)) || !s.policy[0])
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

static int list_all(struct json *j, const char *path)
{
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

/* Of all kinds of FUSE that there are: one of them has policies. */
static void list(struct json *j)
{
	for (int i = 0; i < LIB_NR_KINDS; i++)
		list_all(j, lib_kinds[i].connections);
}

int cmd_policy_list(int argc, char **argv)
{
	const struct lib_kind *kind = lib_kind_here();
	struct policy_args a = { .done = false };
	struct json j;
	int ret = policy_parse(argc, argv, "", 0, &a);

	if (a.done)
		return ret;
	if (!lib_kind_controlled(kind))
		return cmd_fail_cause(ENOENT, "its file system is not mounted",
				      "list policies in %s", kind->connections);
	if (access(kind->connections, R_OK | X_OK))
		return cmd_fail(errno, "list policies in %s", kind->connections);
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

/* available, info -------------------------------------------------------- */

/* "x" of "x.bpf.o", in @name. */
static bool policy_name_of(const char *file, char *name, size_t size)
{
	size_t len = strlen(file);

	if (len <= 6 || strcmp(file + len - 6, ".bpf.o") || len - 6 >= size)
		return false;
	memcpy(name, file, len - 6);
	name[len - 6] = '\0';
	return true;
}

/* Of a file that is none, why. */
static void available_one(struct json *j, const char *dir, const char *file,
			  const char *name)
{
	char path[PATH_MAX];
	struct fusepass_policy *p = NULL;
	const char *help;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= PATH_MAX)
		return;
	help = fusepass_policy_open(path, &p) ? fusepass_error() :
		lib_policy_help(p);
	if (j) {
		json_object_begin(j, NULL);
		json_string(j, "name", name);
		json_string(j, "file", path);
		json_bool(j, "usable", p);
		json_string(j, "help", help);
		json_object_end(j);
	} else {
		printf("%-15s %s%s\n", name, p ? "" : "unusable: ", help);
	}
	fusepass_policy_close(p);
}

/* One that an earlier directory has is the one that is taken. */
static bool is_hidden(const char *name, size_t before)
{
	char path[PATH_MAX], dir[PATH_MAX];
	size_t i;

	for (i = 0; i < before && lib_policy_dir(i, dir); i++)
		if (snprintf(path, sizeof(path), "%s/%s.bpf.o", dir, name) < PATH_MAX &&
		    !access(path, R_OK))
			return true;
	return false;
}

static void available_in(struct json *j, const char *dir, size_t nr)
{
	struct dirent **files;
	int i, n = scandir(dir, &files, NULL, alphasort);
	char name[64];

	for (i = 0; i < n; i++) {
		if (policy_name_of(files[i]->d_name, name, sizeof(name)) &&
		    !is_hidden(name, nr))
			available_one(j, dir, files[i]->d_name, name);
		free(files[i]);
	}
	if (n >= 0)
		free(files);
}

static void available(struct json *j)
{
	char dir[PATH_MAX];
	size_t i;

	for (i = 0; lib_policy_dir(i, dir); i++)
		available_in(j, dir, i);
}

int cmd_policy_available(int argc, char **argv)
{
	struct policy_args a = { .done = false };
	int ret = policy_parse(argc, argv, "", 0, &a);
	struct json j;

	if (a.done)
		return ret;
	if (!cmd_json) {
		available(NULL);
		return CMD_OK;
	}
	cmd_json_begin(&j);
	json_array_begin(&j, "policies");
	available(&j);
	json_array_end(&j);
	cmd_json_end(&j);
	return CMD_OK;
}

static void info_knob_text(const struct lib_knob *k, void *arg)
{
	char size[24] = "";

	if (!strcmp(k->type, "text"))
		snprintf(size, sizeof(size), " of %" PRIu32 " bytes", k->size - 1);
	printf("  %s=%s\n      %s%s%s%s\n", k->name, k->value, k->type, size,
	       *k->help ? ": " : "", k->help);
}

static void info_knob_json(const struct lib_knob *k, void *arg)
{
	struct json *j = arg;

	json_object_begin(j, NULL);
	json_string(j, "name", k->name);
	json_string(j, "type", k->type);
	json_u64(j, "size", k->size);
	json_string(j, "default", k->value);
	json_string(j, "help", k->help);
	json_object_end(j);
}

static void info(const struct fusepass_policy *p)
{
	const char *help = lib_policy_help(p);
	struct json j;

	if (!cmd_json) {
		printf("%s%s%s\n", fusepass_policy_name(p), *help ? ": " : "", help);
		lib_knobs(p, info_knob_text, NULL);
		return;
	}
	cmd_json_begin(&j);
	json_string(&j, "policy", fusepass_policy_name(p));
	json_string(&j, "help", help);
	json_array_begin(&j, "knobs");
	lib_knobs(p, info_knob_json, &j);
	json_array_end(&j);
	cmd_json_end(&j);
}

int cmd_policy_info(int argc, char **argv)
{
	struct cmd_knobs none = { .nr = 0 };
	struct policy_args a = { .done = false };
	struct fusepass_policy *p;
	int ret = policy_parse(argc, argv, "", 1, &a);

	if (a.done)
		return ret;
	ret = cmd_policy_open(a.argv[0], &none, &p);
	if (ret)
		return ret;
	info(p);
	fusepass_policy_close(p);
	return CMD_OK;
}
