// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket of a server, /run/fusepass/<connection>.sock, mode 0600.
 *
 * One line in, one line of JSON out, then the connection is closed:
 *
 *   stat      requests so far by opcode, nodes, cached fds
 *   reset     counts from 0 again
 *   backing   what is served, where, by which process
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fusepass.h"
#include "json.h"
#include "server.h"

struct server_ctl {
	struct server *srv;
	int listen_fd;
	int stop_fd;
	struct sockaddr_un addr;
	pthread_t thread;
};

static void reply_stat(struct server *srv, struct json *j)
{
	uint64_t nodes, fds, total = 0;
	unsigned int op;

	node_stats(srv, &nodes, &fds);
	json_object_begin(j, "requests");
	for (op = 0; op < PROTO_OP_MAX; op++) {
		uint64_t n = srv->requests[op];
		const char *name = util_opcode_name(op);

		total += n;
		if (n && name)
			json_u64(j, name, n);
	}
	json_object_end(j);
	json_u64(j, "total", total);
	json_u64(j, "nodes", nodes);
	json_u64(j, "cached_fds", fds);
	json_bool(j, "inode_passthrough", srv->inode_passthrough);
}

static void reply_reset(struct server *srv, struct json *j)
{
	unsigned int op;

	for (op = 0; op < PROTO_OP_MAX; op++)
		srv->requests[op] = 0;
	json_bool(j, "reset", true);
}

static void reply_backing(struct server *srv, struct json *j)
{
	json_string(j, "source", srv->source);
	json_string(j, "mountpoint", srv->mountpoint);
	json_u64(j, "connection", srv->connection);
	json_u64(j, "pid", getpid());
}

static const struct {
	const char *name;
	void (*reply)(struct server *srv, struct json *j);
} commands[] = {
	{ "stat", reply_stat },
	{ "reset", reply_reset },
	{ "backing", reply_backing },
};

static void answer(struct server *srv, const char *line, FILE *out)
{
	struct json j;
	size_t i;

	json_init(&j, out, false);
	json_object_begin(&j, NULL);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(line, commands[i].name))
			break;
	if (i < ARRAY_SIZE(commands))
		commands[i].reply(srv, &j);
	else
		json_string(&j, "error", "unknown command");
	json_object_end(&j);
	json_finish(&j);
}

/* Up to the newline, which is cut off. False: the client went away. */
static bool read_line(int fd, char *line, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len < size - 1) {
		got = recv(fd, line + len, size - 1 - len, 0);
		if (got <= 0)
			return false;
		len += got;
		line[len] = '\0';
		if (strchr(line, '\n'))
			break;
	}
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* A client that says nothing must not block the others for long. */
static void serve(struct server *srv, int fd)
{
	struct timeval tv = { .tv_sec = 2 };
	_cleanup_file_ FILE *out = NULL;
	char line[64];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	out = fdopen(fd, "w");
	if (!out)
		close(fd);
	else if (read_line(fd, line, sizeof(line)))
		answer(srv, line, out);
}

static void *ctl_loop(void *arg)
{
	struct server_ctl *ctl = arg;
	struct pollfd p[2] = {
		{ .fd = ctl->listen_fd, .events = POLLIN },
		{ .fd = ctl->stop_fd, .events = POLLIN },
	};

	for (;;) {
		int fd;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(ctl->srv, fd);
	}
}

static int ctl_listen(struct server_ctl *ctl)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (mkdir(FUSEPASS_RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	snprintf(ctl->addr.sun_path, sizeof(ctl->addr.sun_path),
		 FUSEPASS_RUN_DIR "/%u.sock", ctl->srv->connection);
	/* A number is reused only after its connection is gone. */
	unlink(ctl->addr.sun_path);
	if (fchmod(fd, 0600))
		return -errno;
	if (bind(fd, (struct sockaddr *)&ctl->addr, sizeof(ctl->addr)))
		return -errno;
	if (chmod(ctl->addr.sun_path, 0600) || listen(fd, 16))
		return -errno;
	ctl->listen_fd = util_take_fd(&fd);
	return 0;
}

/* Signals are the main thread's. */
static int ctl_start_thread(struct server_ctl *ctl)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&ctl->thread, NULL, ctl_loop, ctl);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static void ctl_free(struct server_ctl *ctl)
{
	if (ctl->listen_fd >= 0) {
		unlink(ctl->addr.sun_path);
		close(ctl->listen_fd);
	}
	if (ctl->stop_fd >= 0)
		close(ctl->stop_fd);
	free(ctl);
}

int server_ctl_start(struct server *srv, struct server_ctl **out)
{
	struct server_ctl *ctl = calloc(1, sizeof(*ctl));
	int ret;

	if (!ctl)
		return -ENOMEM;
	ctl->srv = srv;
	ctl->addr.sun_family = AF_UNIX;
	ctl->listen_fd = -1;
	ctl->stop_fd = eventfd(0, EFD_CLOEXEC);
	ret = ctl->stop_fd < 0 ? -errno : ctl_listen(ctl);
	if (!ret)
		ret = ctl_start_thread(ctl);
	if (ret) {
		ctl_free(ctl);
		return ret;
	}
	*out = ctl;
	return 0;
}

void server_ctl_stop(struct server_ctl *ctl)
{
	uint64_t one = 1;

	if (!ctl)
		return;
	if (write(ctl->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(ctl->thread, NULL);
	ctl_free(ctl);
}
