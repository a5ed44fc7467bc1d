// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * FUSE mounts and their connection numbers, from /proc/self/mountinfo.
 *
 * A path is opened with O_PATH and its mount taken from the fd's fdinfo: that
 * is exact where mounts lie over one another, and asks the server nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib.h"

void fusepass_mount_clear(struct fusepass_mount *m)
{
	free(m->mountpoint);
	free(m->source);
	free(m->type);
	*m = (struct fusepass_mount){ 0 };
}

/* A copy without the \ooo that mountinfo has for blanks and backslashes. */
static char *unescape(const char *s)
{
	char *copy = malloc(strlen(s) + 1), *out = copy;

	if (!copy)
		return NULL;
	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 |
				 (s[3] - '0');
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
	return copy;
}

/* One line of mountinfo, cut into its fields. */
struct mount_line {
	uint32_t id;
	uint32_t connection;	/* the device number as the kernel keeps it */
	char *mountpoint, *type, *source;
};

static bool line_parse(char *line, struct mount_line *l)
{
	char *save, *tail = strstr(line, " - ");
	unsigned int major, minor;

	if (!tail || sscanf(line, "%" SCNu32 " %*u %u:%u", &l->id, &major,
			    &minor) != 3)
		return false;
	*tail = '\0';
	l->connection = major << 20 | minor;
	strtok_r(line, " ", &save);		/* id */
	strtok_r(NULL, " ", &save);		/* parent */
	strtok_r(NULL, " ", &save);		/* device */
	strtok_r(NULL, " ", &save);		/* root */
	l->mountpoint = strtok_r(NULL, " ", &save);
	l->type = strtok_r(tail + 3, " ", &save);
	l->source = strtok_r(NULL, " ", &save);
	return l->mountpoint && l->type && l->source;
}

static int line_to_mount(const struct mount_line *l, struct fusepass_mount *m)
{
	m->connection = l->connection;
	m->mountpoint = unescape(l->mountpoint);
	m->source = unescape(l->source);
	m->type = strdup(l->type);
	if (m->mountpoint && m->source && m->type)
		return 0;
	fusepass_mount_clear(m);
	return -ENOMEM;
}

/* The mount by its id, or, with @id 0, the first of a connection. */
static int mount_scan(uint32_t id, uint32_t connection,
		      struct fusepass_mount *m)
{
	_cleanup_free_ char *text = NULL;
	char *line, *save;
	int ret = util_file_read("/proc/self/mountinfo", &text);

	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line l;

		if (!line_parse(line, &l))
			continue;
		if (id ? l.id != id :
		    l.connection != connection || !lib_kind_type(l.type))
			continue;
		if (lib_kind_type(l.type))
			return line_to_mount(&l, m);
		lib_error_set("not a FUSE mount but %s", l.type);
		return -EINVAL;
	}
	return -ENOENT;
}

static int mount_id_of(int fd, uint32_t *id)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *line;
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ret = util_file_read(path, &text);
	if (ret)
		return ret;
	line = strstr(text, "mnt_id:");
	return line && sscanf(line, "mnt_id: %" SCNu32, id) == 1 ? 0 : -ENODATA;
}

int fusepass_mount_find(const char *path, struct fusepass_mount *m)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	uint32_t id = 0;
	int ret;

	lib_error_clear();
	if (fd < 0)
		return -errno;
	ret = mount_id_of(fd, &id);
	return ret ? ret : mount_scan(id, 0, m);
}

int fusepass_mount_by_connection(uint32_t connection, struct fusepass_mount *m)
{
	lib_error_clear();
	return mount_scan(0, connection, m);
}

int lib_mounts(void (*each)(const struct fusepass_mount *m, void *arg), void *arg)
{
	_cleanup_free_ char *text = NULL;
	char *line, *save;
	int ret = util_file_read("/proc/self/mountinfo", &text);

	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line && !ret;
	     line = strtok_r(NULL, "\n", &save)) {
		struct fusepass_mount m;
		struct mount_line l;

		if (!line_parse(line, &l) || !lib_kind_type(l.type))
			continue;
		ret = line_to_mount(&l, &m);
		if (ret)
			return ret;
		each(&m, arg);
		fusepass_mount_clear(&m);
	}
	return ret;
}
