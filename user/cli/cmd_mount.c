// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass mount: the server.
 *
 * It goes to the background by itself, unless -f is given: the child mounts,
 * answers INIT and attaches the policy; only then does the parent exit, with
 * the child's status, and the child begin to serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cmd.h"
#include "log.h"
#include "server.h"

struct mount_cmd {
	struct server_options opts;
	struct cmd_knobs knobs;
	const char *policy_name;
	struct fusepass_policy *policy;
	bool policy_optional;
	char without[256];	/* why it is served without the policy, or "" */
	bool foreground;
	bool replace;		/* the mount of a dead server */
	enum log_target log;	/* LOG_TO_NONE: none was asked for */
	bool reported;		/* a failure was shown already */
	int parent_fd;		/* a byte tells the parent how it went; or -1 */
	int link_fd;
	int inherited[256];	/* descriptors that are not ours */
	size_t nr_inherited;
};

/* Options ---------------------------------------------------------------- */

static int parse_timeout(const char *text, double *timeout)
{
	char *end;

	errno = 0;
	*timeout = strtod(text, &end);
	if (end == text || *end || errno || !(*timeout >= 0 && *timeout <= 1e9))
		return cmd_usage("timeout '%s' is not a number of seconds",
				 text);
	return CMD_OK;
}

static int parse_log(const char *text, enum log_target *log)
{
	if (!strcmp(text, "stderr"))
		*log = LOG_TO_STDERR;
	else if (!strcmp(text, "syslog"))
		*log = LOG_TO_SYSLOG;
	else
		return cmd_usage("log '%s' is neither stderr nor syslog", text);
	return CMD_OK;
}

/* Those that have no short form. */
enum { OPTION_LOG = 256, OPTION_OPTIONAL, OPTION_REPLACE };

static int parse_long(int c, struct mount_cmd *m, char **argv)
{
	switch (c) {
	case OPTION_LOG:
		return parse_log(optarg, &m->log);
	case OPTION_OPTIONAL:
		m->policy_optional = true;
		return CMD_OK;
	case OPTION_REPLACE:
		m->replace = true;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

static int parse_option(int c, struct mount_cmd *m, char **argv)
{
	switch (c) {
	case 'P':
		m->policy_name = optarg;
		return CMD_OK;
	case 'k':
		return cmd_knob_add(&m->knobs, optarg);
	case 'R':
		m->knobs.rules = optarg;
		return CMD_OK;
	case 'f':
		m->foreground = true;
		return CMD_OK;
	case 't':
		return parse_timeout(optarg, &m->opts.timeout);
	case 'o':
		m->opts.mount_options = optarg;
		return CMD_OK;
	case 'd':
		m->opts.debug = m->foreground = true;
		return CMD_OK;
	default:
		return parse_long(c, m, argv);
	}
}

/* Sets @done if there is nothing more to do, after --help for instance. */
static int parse(int argc, char **argv, struct mount_cmd *m, bool *done)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "policy", required_argument, NULL, 'P' },
		{ "knob", required_argument, NULL, 'k' },
		{ "rules", required_argument, NULL, 'R' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "options", required_argument, NULL, 'o' },
		{ "debug", no_argument, NULL, 'd' },
		{ "log", required_argument, NULL, OPTION_LOG },
		{ "policy-optional", no_argument, NULL, OPTION_OPTIONAL },
		{ "replace", no_argument, NULL, OPTION_REPLACE },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret = CMD_OK;

	*done = true;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "P:k:R:ft:o:d",
				options, NULL)) != -1) {
		ret = parse_option(c, m, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind != 2)
		return cmd_usage("mount: SRC and MNT are expected");
	if (m->knobs.nr && !m->policy_name)
		return cmd_usage("mount: -k needs --policy");
	if (m->knobs.rules && !m->policy_name)
		m->policy_name = "rules";
	m->opts.source = argv[optind];
	m->opts.mountpoint = argv[optind + 1];
	*done = false;
	return CMD_OK;
}

/* Readiness -------------------------------------------------------------- */

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_note(text);
}

static void report_text(const struct server *srv, const struct mount_cmd *m)
{
	if (m->without[0])
		say("%s is served without the policy %s: %s", srv->mountpoint,
		    m->policy_name, m->without);
	else if (!srv->inode_passthrough)
		say("this kernel has no FUSE_PASSTHROUGH_INO: every request on "
		    "%s goes to the server", srv->mountpoint);
	if (srv->ctl_error)
		say("%s has no control socket: %s", srv->mountpoint,
		    strerror(-srv->ctl_error));
}

static void report_json(const struct server *srv, const struct mount_cmd *m)
{
	struct json j;

	cmd_json_begin(&j);
	json_u64(&j, "connection", srv->connection);
	json_string(&j, "source", srv->source);
	json_string(&j, "mountpoint", srv->mountpoint);
	json_bool(&j, "inode_passthrough", srv->inode_passthrough);
	json_bool(&j, "control_socket", !srv->ctl_error);
	if (m->without[0])
		json_string(&j, "without_policy", m->without);
	else if (m->policy)
		json_string(&j, "policy", fusepass_policy_name(m->policy));
	cmd_json_end(&j);
}

/* sd_notify(3), for units of type notify. */
static void notify_manager(void)
{
	static const char text[] = "READY=1\nSTATUS=Mounted";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_fd_ int fd = -1;
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&addr,
		       offsetof(struct sockaddr_un, sun_path) + len);
	unsetenv("NOTIFY_SOCKET");
}

/* Of whoever started us: a pipe or a terminal would never end. */
static void note_inherited(struct mount_cmd *m)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	uint64_t fd;

	while (dir && (e = readdir(dir)))
		if (!util_parse_u64(e->d_name, &fd) && fd > STDERR_FILENO &&
		    (int)fd != dirfd(dir) &&
		    m->nr_inherited < ARRAY_SIZE(m->inherited))
			m->inherited[m->nr_inherited++] = fd;
}

static void close_inherited(struct mount_cmd *m, int null)
{
	while (m->nr_inherited)
		close(m->inherited[--m->nr_inherited]);
	fflush(NULL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (m->log != LOG_TO_STDERR)
		dup2(null, STDERR_FILENO);
}

/* Lets the parent go, and the terminal with it. */
static int detach_from_parent(struct mount_cmd *m)
{
	_cleanup_fd_ int null = -1;
	char ok = CMD_OK;

	if (m->parent_fd < 0)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || chdir("/"))
		return -errno;
	close_inherited(m, null);
	if (write(m->parent_fd, &ok, 1) != 1)
		return -EPIPE;
	close(m->parent_fd);
	m->parent_fd = -1;
	return 0;
}

/* -EOPNOTSUPP: it was asked for, and cannot be without. */
static int attach(struct server *srv, struct mount_cmd *m)
{
	if (!m->policy)
		return 0;
	if (!srv->inode_passthrough && m->policy_optional) {
		snprintf(m->without, sizeof(m->without),
			 "this kernel has no FUSE_PASSTHROUGH_INO");
		return 0;
	}
	return fusepass_policy_attach_fd(m->policy, fuse_session_fd(srv->se),
					 srv->root_fd, srv->connection,
					 FUSEPASS_PIN, &m->link_fd);
}

/* INIT is through and nothing else is answered yet. */
static int ready(struct server *srv, void *arg)
{
	struct mount_cmd *m = arg;
	int ret = attach(srv, m);

	if (ret) {
		m->reported = true;
		cmd_fail(ret, "attach %s to %s", m->policy_name, srv->mountpoint);
		return ret;
	}
	if (cmd_json)
		report_json(srv, m);
	else
		report_text(srv, m);
	notify_manager();
	log_to(m->log ?: m->foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG);
	return detach_from_parent(m);
}

/* Serving ---------------------------------------------------------------- */

static int serve_mounted(struct server *srv, struct mount_cmd *m)
{
	int ret = server_mount(srv, m->opts.mount_options);

	if (ret)
		return cmd_fail_cause(ret, log_last(), "mount %s on %s",
				      srv->source, m->opts.mountpoint);
	ret = server_run(srv, ready, m);
	if (!ret || m->reported)
		return ret ? CMD_FAILED : CMD_OK;
	return cmd_fail_cause(ret, log_last(), "serve %s", srv->mountpoint);
}

/* What passes is there without a server; then it is the socket that tells. */
static bool socket_is_dead(const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL), *reply = NULL;
	struct fusepass_mount m;
	bool dead;

	if (!real || fusepass_mount_find(real, &m))
		return false;
	dead = !strcmp(real, m.mountpoint) &&
		(!strcmp(m.type, "fuse.fusepass") || !strcmp(m.type, "fusepass")) &&
		fusepass_server_ask(m.connection, "backing", &reply) == -ECONNREFUSED;
	fusepass_mount_clear(&m);
	return dead;
}

/* Its server has died: nobody has unmounted it yet. */
static bool is_dead(const char *path)
{
	struct stat st;

	return stat(path, &st) ? errno == ENOTCONN : socket_is_dead(path);
}

/* Sees to it that there is a directory to mount on. */
static int prepare_mountpoint(const struct mount_cmd *m)
{
	const char *path = m->opts.mountpoint;
	struct stat st;

	while (m->replace && is_dead(path))
		if (umount2(path, MNT_DETACH))
			return cmd_fail_cause(errno, "", "unmount %s", path);
	if (is_dead(path))
		return cmd_fail_cause(ENOTCONN, "the server of what is mounted "
				      "there has died: unmount it, or use "
				      "--replace", "mount: %s", path);
	if (stat(path, &st))
		return cmd_fail_cause(errno, "", "mount: %s", path);
	if (!S_ISDIR(st.st_mode))
		return cmd_fail_cause(ENOTDIR, "", "mount: %s", path);
	return CMD_OK;
}

/* Without it where the kernel has no policies, if that is allowed. */
static int open_policy(struct mount_cmd *m)
{
	if (!m->policy_name)
		return CMD_OK;
	if (m->policy_optional && fusepass_kernel_check()) {
		snprintf(m->without, sizeof(m->without), "%s", fusepass_error());
		return CMD_OK;
	}
	return cmd_policy_open(m->policy_name, &m->knobs, &m->policy);
}

static int serve_source(struct mount_cmd *m)
{
	struct server *srv;
	uint32_t connection;
	int ret = server_create(&m->opts, &srv);

	if (ret)
		return cmd_fail_cause(ret, "", "mount: %s", m->opts.source);
	ret = serve_mounted(srv, m);
	connection = srv->connection;
	server_destroy(srv);
	if (connection)
		fusepass_pin_remove(connection);
	return ret;
}

static int serve(struct mount_cmd *m)
{
	int ret = access(m->opts.source, F_OK) ?
		cmd_fail_cause(errno, "", "mount: %s", m->opts.source) :
		prepare_mountpoint(m);

	if (!ret)
		ret = open_policy(m);
	if (!ret)
		ret = serve_source(m);
	util_cleanup_fd(&m->link_fd);
	fusepass_policy_close(m->policy);
	return ret;
}

/* Background ------------------------------------------------------------- */

static int wait_for_child(pid_t pid, int fd)
{
	int status = 0;
	char byte;

	if (read(fd, &byte, 1) == 1)
		return byte;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return cmd_fail(ECHILD, "mount: the server was killed");
}

static int serve_in_background(struct mount_cmd *m)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return cmd_fail(errno, "mount: pipe");
	pid = fork();
	if (pid < 0)
		return cmd_fail(errno, "mount: fork");
	if (pid) {
		close(fds[1]);
		return wait_for_child(pid, fds[0]);
	}
	close(fds[0]);
	setsid();
	m->parent_fd = fds[1];
	return serve(m);
}

int cmd_mount(int argc, char **argv)
{
	struct mount_cmd m = { .parent_fd = -1, .link_fd = -1 };
	bool done;
	int ret = parse(argc, argv, &m, &done);

	if (done)
		return ret;
	note_inherited(&m);
	log_start();
	if (m.opts.debug)
		log_to(m.log ?: LOG_TO_STDERR);
	return m.foreground ? serve(&m) : serve_in_background(&m);
}
