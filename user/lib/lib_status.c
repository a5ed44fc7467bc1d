// SPDX-License-Identifier: LGPL-2.1-or-later
/* Status of a connection, from the kernel (fusectl) and the server (control socket). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib.h"

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
	int len;

	if (sscanf(line, "policy %15s", s->policy) == 1 ||
	    sscanf(line, "link %" SCNu32, &s->link) == 1 ||
	    sscanf(line, "map %" SCNu32, &s->map) == 1 ||
	    sscanf(line, "generation %" SCNu64, &s->generation) == 1)
		return;
	/* "opens NAME COUNT NAME COUNT ..." */
	if (!strncmp(line, "opens ", 6))
		for (line += 6; sscanf(line, "%23s %" SCNu64 "%n", c.name, &c.passed, &len) == 2;
		     line += len)
			ADD_COUNT(s, opens, &c);
	else if (sscanf(line, "verdict %23s %" SCNu64, c.name, &c.passed) == 2)
		ADD_COUNT(s, verdicts, &c);
	else if (sscanf(line, "fallback %23s %" SCNu64, c.name, &c.passed) == 2)
		ADD_COUNT(s, fallbacks, &c);
	else if (sscanf(line, "op %23s passed %" SCNu64 " asked %" SCNu64,
			c.name, &c.passed, &c.asked) == 3)
		ADD_COUNT(s, ops, &c);
}

static void explain_missing(uint32_t connection)
{
	const struct lib_kind *kind = lib_kind_here();
	char path[64];

	snprintf(path, sizeof(path), "%s/%" PRIu32, kind->connections,
		 connection);
	if (access(kind->connections, F_OK))
		lib_error_set("this kernel has no FUSE");
	else if (!lib_kind_controlled(kind))
		lib_error_set("%s is not mounted on %s", kind->control_type,
			      kind->connections);
	else if (!access(path, F_OK))
		lib_error_set("this kernel does not have the fusepass series");
	else
		lib_error_set("the connection is gone: its server has ended");
}

/* In the control files of the kind of FUSE that it is a connection of. */
static int policy_file_read(uint32_t connection, char **text)
{
	int ret = -ENOENT;
	char path[64];

	for (int i = 0; i < LIB_NR_KINDS && ret == -ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/%" PRIu32 "/policy",
			 lib_kinds[i].connections, connection);
		ret = util_file_read(path, text);
	}
	return ret;
}

/* As much as the caller has room for, who may be older or newer than we are. */
static int status_give(const struct fusepass_status *s,
		       struct fusepass_status *status, size_t size)
{
	size_t known = size < sizeof(*s) ? size : sizeof(*s);

	memset(status, 0, size);
	memcpy(status, s, known);
	return 0;
}

int fusepass_status_read(uint32_t connection, struct fusepass_status *status,
			 size_t size)
{
	struct fusepass_status s = { .link = 0 };
	_cleanup_free_ char *text = NULL;
	char *line, *save;
	int ret;

	lib_error_clear();
	memset(status, 0, size);
	ret = policy_file_read(connection, &text);
	if (ret == -ENOENT)
		explain_missing(connection);
	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(line, &s);
	/* A policy may be called "none"; it has a link. */
	if (!s.link)
		s.policy[0] = '\0';
	return status_give(&s, status, size);
}

/* The server's socket ---------------------------------------------------- */

int lib_run_dir(bool user, char dir[LIB_RUN_DIR_SIZE])
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	int len;

	if (user && (!run || *run != '/'))
		return -ENOENT;
	len = snprintf(dir, LIB_RUN_DIR_SIZE, "%s%s", user ? run : "",
		       user ? "/fusepass" : FUSEPASS_RUN_DIR);
	return len < LIB_RUN_DIR_SIZE ? 0 : -ENAMETOOLONG;
}

static int socket_connect(bool user, uint32_t connection)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 2 };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char dir[LIB_RUN_DIR_SIZE];
	int ret = fd < 0 ? -errno : lib_run_dir(user, dir);

	if (ret)
		return ret;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%" PRIu32 ".sock",
		 dir, connection);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return util_take_fd(&fd);
}

/* Of who listens; 0 if it cannot be told. */
static pid_t peer_pid(int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return peer.pid;
}

/* By a signal: it would be waited for in vain. */
static bool is_stopped(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[32];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!pid || util_file_read(path, &text))
		return false;
	end = strrchr(text, ')');
	return end && (end[2] == 'T' || end[2] == 't');
}

/* To the server of root, or of the user who asks. */
static int server_connect(uint32_t connection)
{
	_cleanup_fd_ int fd = socket_connect(false, connection);
	int ret;

	if (fd < 0) {
		ret = fd;
		fd = socket_connect(true, connection);
		return fd < 0 ? ret : util_take_fd(&fd);
	}
	if (!is_stopped(peer_pid(fd)))
		return util_take_fd(&fd);
	lib_error_set("the server, process %d, is stopped", peer_pid(fd));
	return -ETIMEDOUT;
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
	_cleanup_fd_ int fd = -1;
	char line[32];
	int len;

	lib_error_clear();
	fd = server_connect(connection);
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

/*
 * The descriptor that the server itself has of the directory: a path may lead to
 * another one by now, or to the mount that covers it.
 */
static int server_root(uint32_t connection)
{
	_cleanup_fd_ int fd = server_connect(connection);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char reply[256];
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(reply) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int root;

	if (fd < 0)
		return fd;
	if (send(fd, "root\n", 5, MSG_NOSIGNAL) != 5 ||
	    recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (!CMSG_FIRSTHDR(&msg) || control.head.cmsg_type != SCM_RIGHTS ||
	    control.head.cmsg_len != CMSG_LEN(sizeof(root)))
		return -ENODATA;
	memcpy(&root, CMSG_DATA(&control.head), sizeof(root));
	return root;
}

/* Only where there is no server of ours to ask: another tree may be there by now. */
static int open_source(const struct fusepass_mount *m, int err)
{
	int fd;

	if (err != -ENOENT && err != -ECONNREFUSED && err != -EACCES) {
		if (!*fusepass_error())
			lib_error_set("the server does not tell its directory; "
				      "name it with --backing");
		return err;
	}
	if (m->source[0] != '/') {
		lib_error_set("the backing directory is not known; name it "
			      "with --backing");
		return -ENODATA;
	}
	fd = open(m->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	fd = -errno;
	lib_error_set("backing directory %s", m->source);
	return fd;
}

int lib_backing_open(const struct fusepass_mount *m, const char *backing)
{
	int fd;

	if (!backing) {
		fd = server_root(m->connection);
		return fd >= 0 ? fd : open_source(m, fd);
	}
	fd = open(backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	fd = -errno;
	lib_error_set("backing directory %s", backing);
	return fd;
}
