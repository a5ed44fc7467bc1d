// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The supervisor of fusepass run: starts the server, answers what it asks the system
 * (redirect.c), hands signals on, and removes the mount when the server has ended.
 *
 * Processes that the server leaves behind when it goes to the background are handed to the
 * supervisor (PR_SET_CHILD_SUBREAPER), so it knows when the last one has ended. It never waits
 * for the mount, whose server may wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "run.h"

#define PATIENCE	10	/* seconds, until a server that was asked to end is killed */

struct supervisor {
	struct run *r;
	int front;		/* socket to fusepass run; -1: that has ended */
	int signals;
	int listener;		/* of redirect.c; or -1 */
	pid_t server;		/* its first process; 0: ended */
	bool ended;
	time_t kill_at;		/* by the monotonic clock; 0: never */
};

bool run_tell(int fd, enum run_what what, uint32_t value)
{
	struct run_note note = { what, value };

	return send(fd, &note, sizeof(note), MSG_NOSIGNAL) == sizeof(note);
}

/* The mount ------------------------------------------------------------------ */

static uint32_t mounted_at(const char *path)
{
	struct fusepass_mount m;
	uint32_t connection;

	if (fusepass_mount_find(path, &m))
		return 0;
	connection = strcmp(m.mountpoint, path) ? 0 : m.connection;
	fusepass_mount_clear(&m);
	return connection;
}

bool run_find_mount(struct run *r)
{
	uint32_t connection = mounted_at(r->mountpoint);

	if (!connection || connection == r->before)
		return false;
	r->connection = connection;
	return true;
}

/* What users may unmount, they unmount by a helper. */
static bool unmount_once(const char *path)
{
	char *argv[] = { "fusermount3", "-u", "-z", "-q", (char *)path, NULL };
	extern char **environ;
	int status;
	pid_t pid;

	if (!umount2(path, MNT_DETACH))
		return true;
	if (errno != EPERM || posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return false;
	return waitpid(pid, &status, 0) == pid && !status;
}

void run_unmount(const struct run *r)
{
	while (r->connection && mounted_at(r->mountpoint) == r->connection)
		if (!unmount_once(r->mountpoint))
			return;
}

/* Starting ----------------------------------------------------------------------- */

static void send_fd(int to, int fd)
{
	char byte = 0, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	sendmsg(to, &msg, MSG_NOSIGNAL);
}

/* A descriptor, or -1 if something else came or nothing; @err: an errno that came. */
static int receive_fd(int from, int *err)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { err, sizeof(*err) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	struct cmsghdr *c;
	int fd = -1;

	*err = 0;
	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Not without it, unless it only tells why something else fails. */
static int install(const struct run *r, int to)
{
	int fd;

	if (!r->watched)
		return 0;
	fd = redirect_install(&r->redirect);
	if (fd < 0)
		return r->redirect.refuse ? 0 : fd;
	send_fd(to, fd);
	close(fd);
	return 0;
}

/* In the server's process. Its calls may be stopped from install() on. */
static void become_server(const struct run *r, int to)
{
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (cmd_json)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	if (r->device >= 0)
		fcntl(r->device, F_SETFD, 0);
	err = -install(r, to);
	if (!err) {
		execvp(r->server[0], r->server);
		err = errno;
	}
	send(to, &err, sizeof(err), MSG_NOSIGNAL);
	_exit(CMD_FAILED);
}

/* 0 when the server's program runs, or an errno. */
static int start(struct supervisor *s)
{
	int fds[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return errno;
	s->server = fork();
	if (!s->server)
		become_server(s->r, fds[1]);
	if (s->server < 0)
		err = errno;
	close(fds[1]);
	if (s->server > 0)
		s->listener = receive_fd(fds[0], &err);
	/* Until the program has replaced our own, or has not. */
	if (s->listener >= 0)
		receive_fd(fds[0], &err);
	close(fds[0]);
	if (s->r->device >= 0)
		close(s->r->device);
	return err;
}

/* Staying -------------------------------------------------------------------------- */

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Who started us must not wait for what it has in common with us. */
static void leave_terminal(const struct supervisor *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	uint64_t fd;

	setsid();
	if (chdir("/") || null < 0)
		return;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(null, i);
	while (dir && (e = readdir(dir)))
		if (!util_parse_u64(e->d_name, &fd) && fd > STDERR_FILENO &&
		    (int)fd != dirfd(dir) && (int)fd != s->front &&
		    (int)fd != s->signals && (int)fd != s->listener)
			close(fd);
}

static void first_ended(struct supervisor *s, int status)
{
	s->server = 0;
	run_tell(s->front, RUN_ENDED, status);
	if (status)
		s->ended = true;
}

static void reap(struct supervisor *s)
{
	bool first = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != s->server)
			continue;
		first = true;
		first_ended(s, status);
	}
	if (pid < 0)
		s->ended = true;
	if (first && !s->ended) {
		run_tell(s->front, RUN_BACKGROUND, 0);
		leave_terminal(s);
	}
}

/* A server in the background ends when its mount has gone. */
static void stop(struct supervisor *s, int sig)
{
	if (s->server)
		kill(s->server, sig);
	else
		run_unmount(s->r);
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		reap(s);
	/* What a terminal sends has come to the server too. */
	else if (info.ssi_code != SI_KERNEL)
		stop(s, info.ssi_signo);
}

static void on_note(struct supervisor *s)
{
	struct run_note note;

	if (recv(s->front, &note, sizeof(note), 0) != sizeof(note)) {
		close(s->front);
		s->front = -1;
	} else if (note.what == RUN_MOUNTED) {
		s->r->connection = note.value;
	} else if (note.what == RUN_STOP) {
		run_unmount(s->r);
		stop(s, SIGTERM);
		s->kill_at = now() + PATIENCE;
	}
}

static void on_call(struct supervisor *s)
{
	bool refused = s->r->redirect.refused;

	if (!redirect_answer(&s->r->redirect, s->listener)) {
		close(s->listener);
		s->listener = -1;
	} else if (!refused && s->r->redirect.refused) {
		run_tell(s->front, RUN_REFUSED, 0);
	}
}

static void wait_for_more(struct supervisor *s)
{
	struct pollfd p[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->front, .events = POLLIN },
		{ .fd = s->listener, .events = POLLIN },
	};

	poll(p, ARRAY_SIZE(p), s->kill_at ? 1000 : -1);
	if (p[2].revents)
		on_call(s);
	if (p[1].revents)
		on_note(s);
	if (p[0].revents)
		on_signal(s);
	if (s->kill_at && now() >= s->kill_at && s->server)
		kill(s->server, SIGKILL);
}

void run_supervise(struct run *r, int front)
{
	struct supervisor s = { .r = r, .front = front, .listener = -1 };
	sigset_t set;
	int err;

	sigprocmask(SIG_BLOCK, NULL, &set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	err = s.signals < 0 ? errno : start(&s);
	if (err)
		run_tell(front, RUN_NO_SERVER, err);
	while (!err && !s.ended)
		wait_for_more(&s);
	if (!r->connection)
		run_find_mount(r);
	run_unmount(r);
	if (r->connection)
		fusepass_pin_remove(r->connection);
}
