// SPDX-License-Identifier: LGPL-2.1-or-later
/* What kernel (fusectl) and server (control socket) tell of a connection. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib.h"

#define CONNECTIONS	"/sys/fs/fuse/connections"

/* The kernel's file ------------------------------------------------------ */

static void add_count(struct fusepass_count *list, size_t max, size_t *nr,
		      const struct fusepass_count *c)
{
	if (*nr < max)
		list[(*nr)++] = *c;
}

#define ADD_COUNT(s, member, c) \
	add_count((s)->member, ARRAY_SIZE((s)->member), &(s)->nr_##member, c)

/* Lines with keys that we do not know are left out: the kernel may be newer. */
static void parse_line(const char *line, struct fusepass_status *s)
{
	struct fusepass_count c = { { 0 }, 0, 0 };

	if (sscanf(line, "policy %15s", s->policy) == 1 ||
	    sscanf(line, "link %" SCNu32, &s->link) == 1 ||
	    sscanf(line, "map %" SCNu32, &s->map) == 1 ||
	    sscanf(line, "generation %" SCNu64, &s->generation) == 1)
		return;
	if (sscanf(line, "verdict %23s %" SCNu64, c.name, &c.passed) == 2)
		ADD_COUNT(s, verdicts, &c);
	else if (sscanf(line, "fallback %23s %" SCNu64, c.name, &c.passed) == 2)
		ADD_COUNT(s, fallbacks, &c);
	else if (sscanf(line, "op %23s passed %" SCNu64 " asked %" SCNu64,
			c.name, &c.passed, &c.asked) == 3)
		ADD_COUNT(s, ops, &c);
}

static void explain_missing(uint32_t connection)
{
	char path[64];

	snprintf(path, sizeof(path), CONNECTIONS "/%" PRIu32, connection);
	if (access(CONNECTIONS, F_OK))
		lib_error_set("this kernel has no FUSE");
	else if (!access(path, F_OK))
		lib_error_set("this kernel does not have the fusepass series");
	else
		lib_error_set("fusectl is not mounted on " CONNECTIONS
			      ", or the connection is gone");
}

int fusepass_status_read(uint32_t connection, struct fusepass_status *s)
{
	_cleanup_free_ char *text = NULL;
	char path[64], *line, *save;
	int ret;

	lib_error_clear();
	*s = (struct fusepass_status){ 0 };
	snprintf(path, sizeof(path), CONNECTIONS "/%" PRIu32 "/policy",
		 connection);
	ret = util_file_read(path, &text);
	if (ret == -ENOENT)
		explain_missing(connection);
	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(line, s);
	/* A policy may be called "none"; it has a link. */
	if (!s->link)
		s->policy[0] = '\0';
	return 0;
}

/* The server's socket ---------------------------------------------------- */

static int server_connect(uint32_t connection)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 5 };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	snprintf(addr.sun_path, sizeof(addr.sun_path),
		 FUSEPASS_RUN_DIR "/%" PRIu32 ".sock", connection);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return util_take_fd(&fd);
}

/* Reads to the end of the stream. */
static int read_reply(int fd, char **reply)
{
	_cleanup_free_ char *buf = malloc(65536);
	size_t len = 0;
	ssize_t got;

	if (!buf)
		return -ENOMEM;
	while ((got = recv(fd, buf + len, 65535 - len, 0)) > 0)
		len += got;
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (buf[0] != '{')
		return -EPROTO;
	*reply = util_take_ptr(buf);
	return 0;
}

int fusepass_server_ask(uint32_t connection, const char *command, char **reply)
{
	_cleanup_fd_ int fd = server_connect(connection);
	char line[32];
	int len;

	lib_error_clear();
	if (fd < 0)
		return fd;
	len = snprintf(line, sizeof(line), "%s\n", command);
	if (len >= (int)sizeof(line))
		return -EINVAL;
	if (send(fd, line, len, MSG_NOSIGNAL) != len)
		return -errno;
	return read_reply(fd, reply);
}

/* The backing directory -------------------------------------------------- */

/* Undoes JSON's quoting of one character; 0 for what is not ours. */
static char json_char(const char **s)
{
	unsigned int code;

	if (**s != '\\')
		return *(*s)++;
	if ((*s)[1] != 'u') {
		*s += 2;
		return (*s)[-1];
	}
	if (sscanf(*s + 2, "%4x", &code) != 1 || code > 0x7f)
		return 0;
	*s += 6;
	return code;
}

/* The text of a member of the outermost object, as our server writes it. */
static char *json_member(const char *text, const char *key)
{
	char quoted[32], c;
	char *value, *out;

	snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
	text = strstr(text, quoted);
	value = out = text ? malloc(strlen(text) + 1) : NULL;
	if (!value)
		return NULL;
	for (text += strlen(quoted); *text && *text != '"'; *out++ = c) {
		c = json_char(&text);
		if (!c) {
			free(value);
			return NULL;
		}
	}
	*out = '\0';
	return value;
}

static char *backing_of_server(uint32_t connection)
{
	_cleanup_free_ char *reply = NULL;

	if (fusepass_server_ask(connection, "backing", &reply))
		return NULL;
	return json_member(reply, "source");
}

int lib_backing_open(const struct fusepass_mount *m, const char *backing)
{
	_cleanup_free_ char *told = NULL;
	const char *dir = backing;
	int fd;

	if (!dir)
		dir = told = backing_of_server(m->connection);
	if (!dir && m->source[0] == '/')
		dir = m->source;
	if (!dir) {
		lib_error_set("the backing directory is not known; name it "
			      "with --backing");
		return -ENODATA;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	fd = -errno;
	lib_error_set("backing directory %s", dir);
	return fd;
}
