// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket of a server, /run/fusepass/<connection>.sock, mode 0600; of one that
 * is not root's in $XDG_RUNTIME_DIR/fusepass.
 *
 * One line in, one line of JSON out, then the connection is closed:
 *
 *   stat      requests so far by opcode, nodes, cached fds
 *   reset     counts from 0 again
 *   backing   what is served, where, by which process
 *   root      the directory that is served: its descriptor comes with the line
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

#include "json.h"
#include "lib.h"
#include "server.h"

#define CTL_CLIENTS	16

/* Who has not said all yet. */
struct ctl_client {
	int fd;
	size_t len;
	char line[64];
};

struct server_ctl {
	struct server *srv;
	int listen_fd;
	int stop_fd;
	struct ctl_client clients[CTL_CLIENTS];	/* oldest first */
	size_t nr;
	char dir[LIB_RUN_DIR_SIZE];
	struct sockaddr_un addr;
	struct stat bound;	/* the socket's own entry in its directory */
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

/* Whoever may connect may open the directory too: mode 0600. */
static void send_root(struct server *srv, int fd)
{
	char text[] = "{\"root\":true}\n";
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {
		.head = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &srv->root_fd, sizeof(int));
	sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* Consumes @fd. */
static void serve(struct server *srv, int fd, const char *line)
{
	struct timeval tv = { .tv_sec = 2 };
	_cleanup_file_ FILE *out = fdopen(fd, "w");

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (!out)
		close(fd);
	else if (!strcmp(line, "root"))
		send_root(srv, fd);
	else
		answer(srv, line, out);
}

static void client_remove(struct server_ctl *ctl, size_t i)
{
	ctl->nr--;
	memmove(&ctl->clients[i], &ctl->clients[i + 1],
		(ctl->nr - i) * sizeof(ctl->clients[0]));
}

/* One that says nothing blocks nobody, and goes when there are too many. */
static void client_add(struct server_ctl *ctl)
{
	int fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (ctl->nr == CTL_CLIENTS) {
		close(ctl->clients[0].fd);
		client_remove(ctl, 0);
	}
	ctl->clients[ctl->nr++] = (struct ctl_client){ .fd = fd };
}

/* It has said something, or went away. */
static void client_read(struct server_ctl *ctl, size_t i)
{
	struct ctl_client *c = &ctl->clients[i];
	ssize_t got = recv(c->fd, c->line + c->len,
			   sizeof(c->line) - 1 - c->len, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		c->len += got;
	if (got > 0 && !memchr(c->line, '\n', c->len) &&
	    c->len < sizeof(c->line) - 1)
		return;
	c->line[strcspn(c->line, "\n")] = '\0';
	if (got > 0)
		serve(ctl->srv, c->fd, c->line);
	else
		close(c->fd);
	client_remove(ctl, i);
}

static void *ctl_loop(void *arg)
{
	struct server_ctl *ctl = arg;
	struct pollfd p[2 + CTL_CLIENTS] = {
		{ .fd = ctl->listen_fd, .events = POLLIN },
		{ .fd = ctl->stop_fd, .events = POLLIN },
	};

	for (;;) {
		size_t i;

		for (i = 0; i < ctl->nr; i++)
			p[2 + i] = (struct pollfd){ .fd = ctl->clients[i].fd,
						    .events = POLLIN };
		if (poll(p, 2 + ctl->nr, -1) < 0) {
			if (errno == EINTR)
				continue;
			return NULL;
		}
		if (p[1].revents)
			return NULL;
		while (i--)
			if (p[2 + i].revents)
				client_read(ctl, i);
		if (p[0].revents)
			client_add(ctl);
	}
}

/* What a server that was killed had mounted is there still: its socket tells that it has died. */
static bool is_mounted(const char *socket)
{
	struct fusepass_mount m;
	unsigned int connection;

	if (sscanf(socket, "%u.sock", &connection) != 1 ||
	    fusepass_mount_by_connection(connection, &m))
		return false;
	fusepass_mount_clear(&m);
	return true;
}

/* The sockets of servers that were killed. */
static void remove_stale(int dirfd, const char *path)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		struct sockaddr_un addr = { .sun_family = AF_UNIX };
		_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
					     SOCK_NONBLOCK, 0);

		if (!strstr(e->d_name, ".sock") ||
		    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", path,
			     e->d_name) >= (int)sizeof(addr.sun_path))
			continue;
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
		    errno == ECONNREFUSED && !is_mounted(e->d_name))
			unlinkat(dirfd, e->d_name, 0);
	}
}

static int ctl_bind(struct server_ctl *ctl, int fd)
{
	/* A number is reused only after its connection is gone. */
	unlink(ctl->addr.sun_path);
	if (fchmod(fd, 0600) ||
	    bind(fd, (struct sockaddr *)&ctl->addr, sizeof(ctl->addr)) ||
	    chmod(ctl->addr.sun_path, 0600) || listen(fd, 16) ||
	    stat(ctl->addr.sun_path, &ctl->bound))
		return -errno;
	return 0;
}

static int ctl_listen(struct server_ctl *ctl)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_fd_ int lock = -1;
	int ret = fd < 0 ? -errno : lib_run_dir(geteuid() != 0, ctl->dir);

	if (ret)
		return ret;
	if (mkdir(ctl->dir, 0755) && errno != EEXIST)
		return -errno;
	lock = util_dir_lock(ctl->dir);
	if (lock < 0)
		return lock;
	remove_stale(lock, ctl->dir);
	snprintf(ctl->addr.sun_path, sizeof(ctl->addr.sun_path), "%s/%u.sock",
		 ctl->dir, ctl->srv->connection);
	ret = ctl_bind(ctl, fd);
	if (!ret)
		ctl->listen_fd = util_take_fd(&fd);
	return ret;
}

/* Its number may be that of an inode that was removed meanwhile, but not at that time. */
static bool is_bound(const struct server_ctl *ctl)
{
	struct stat st;

	return !stat(ctl->addr.sun_path, &st) && st.st_ino == ctl->bound.st_ino &&
	       st.st_ctim.tv_sec == ctl->bound.st_ctim.tv_sec &&
	       st.st_ctim.tv_nsec == ctl->bound.st_ctim.tv_nsec;
}

/* After the unmount another server may have the number, and a socket. */
static void ctl_unbind(struct server_ctl *ctl)
{
	_cleanup_fd_ int lock = util_dir_lock(ctl->dir);

	if (lock >= 0 && is_bound(ctl))
		unlink(ctl->addr.sun_path);
	close(ctl->listen_fd);
}

static void ctl_free(struct server_ctl *ctl)
{
	if (ctl->listen_fd >= 0)
		ctl_unbind(ctl);
	while (ctl->nr)
		close(ctl->clients[--ctl->nr].fd);
	if (ctl->stop_fd >= 0)
		close(ctl->stop_fd);
	free(ctl);
}

int server_ctl_start(struct server *srv, struct server_ctl **out)
{
	struct server_ctl *ctl = calloc(1, sizeof(*ctl));
	sigset_t all, old;
	int ret;

	if (!ctl)
		return -ENOMEM;
	ctl->srv = srv;
	ctl->addr.sun_family = AF_UNIX;
	ctl->listen_fd = -1;
	ctl->stop_fd = eventfd(0, EFD_CLOEXEC);
	ret = ctl->stop_fd < 0 ? -errno : ctl_listen(ctl);
	if (!ret) {
		/* Signals are the main thread's. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		ret = -pthread_create(&ctl->thread, NULL, ctl_loop, ctl);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
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
