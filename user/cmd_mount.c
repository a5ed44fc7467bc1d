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
#include <sys/wait.h>

#include "cmd.h"
#include "server.h"

struct mount_cmd {
	struct server_options opts;
	struct cmd_knobs knobs;
	const char *policy_name;
	struct fusepass_policy *policy;
	bool foreground;
	bool reported;		/* a failure was shown already */
	int parent_fd;		/* a byte tells the parent how it went; or -1 */
	int link_fd;
};

/* libfuse's last complaint, shown as the cause of ours. */
static char fuse_text[256];

static void fuse_log_keep(enum fuse_log_level level, const char *fmt,
			  va_list ap)
{
	char *text = fuse_text;

	if (level > FUSE_LOG_WARNING)
		return;
	vsnprintf(text, sizeof(fuse_text), fmt, ap);
	if (!strncmp(text, "fuse: ", 6))
		memmove(text, text + 6, strlen(text + 6) + 1);
	text[strcspn(text, "\n")] = '\0';
}

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

static int parse_option(int c, struct mount_cmd *m, char **argv)
{
	switch (c) {
	case 'P':
		m->policy_name = optarg;
		return CMD_OK;
	case 'k':
		return cmd_knob_add(&m->knobs, optarg);
	case 'f':
		m->foreground = true;
		return CMD_OK;
	case 't':
		return parse_timeout(optarg, &m->opts.timeout);
	case 'o':
		m->opts.mount_options = optarg;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* Sets @done if there is nothing more to do, after --help for instance. */
static int parse(int argc, char **argv, struct mount_cmd *m, bool *done)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "policy", required_argument, NULL, 'P' },
		{ "knob", required_argument, NULL, 'k' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "options", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret = CMD_OK;

	*done = true;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "P:k:ft:o:",
				options, NULL)) != -1) {
		ret = parse_option(c, m, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (argc - optind != 2)
		return cmd_usage("mount: SRC and MNT are expected");
	if (m->knobs.nr && !m->policy_name)
		return cmd_usage("mount: -k needs --policy");
	m->opts.source = argv[optind];
	m->opts.mountpoint = argv[optind + 1];
	*done = false;
	return CMD_OK;
}

/* Readiness -------------------------------------------------------------- */

static void report_ready(const struct server *srv, const struct mount_cmd *m)
{
	struct json j;

	if (!srv->inode_passthrough && !cmd_json)
		fprintf(stderr, "fusepass: this kernel has no "
			"FUSE_PASSTHROUGH_INO: every request on %s goes to "
			"the server\n", srv->mountpoint);
	if (!cmd_json)
		return;
	cmd_json_begin(&j);
	json_u64(&j, "connection", srv->connection);
	json_string(&j, "source", srv->source);
	json_string(&j, "mountpoint", srv->mountpoint);
	json_bool(&j, "inode_passthrough", srv->inode_passthrough);
	if (m->policy)
		json_string(&j, "policy", fusepass_policy_name(m->policy));
	cmd_json_end(&j);
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
	fflush(NULL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (write(m->parent_fd, &ok, 1) != 1)
		return -EPIPE;
	close(m->parent_fd);
	m->parent_fd = -1;
	return 0;
}

static int attach_policy(struct server *srv, struct mount_cmd *m)
{
	int ret;

	ret = fusepass_policy_attach_fd(m->policy, fuse_session_fd(srv->se),
					srv->root_fd, srv->connection,
					FUSEPASS_PIN, &m->link_fd);
	if (!ret)
		return 0;
	m->reported = true;
	cmd_fail(ret, "attach %s to %s", m->policy_name, srv->mountpoint);
	return ret;
}

/* INIT is through and nothing else is answered yet. */
static int ready(struct server *srv, void *arg)
{
	struct mount_cmd *m = arg;
	int ret = m->policy ? attach_policy(srv, m) : 0;

	if (ret)
		return ret;
	report_ready(srv, m);
	return detach_from_parent(m);
}

/* Serving ---------------------------------------------------------------- */

static int serve_mounted(struct server *srv, struct mount_cmd *m)
{
	int ret = server_mount(srv, m->opts.mount_options);

	if (ret)
		return cmd_fail_cause(ret, fuse_text, "mount %s on %s",
				      srv->source, m->opts.mountpoint);
	ret = server_run(srv, ready, m);
	if (!ret || m->reported)
		return ret ? CMD_FAILED : CMD_OK;
	return cmd_fail_cause(ret, fuse_text, "serve %s", srv->mountpoint);
}

/* Which of the two paths a failed set-up was about. */
static int fail_create(int err, const struct mount_cmd *m)
{
	const char *path = access(m->opts.source, F_OK) ||
			   !access(m->opts.mountpoint, F_OK) ?
			   m->opts.source : m->opts.mountpoint;

	return cmd_fail(err, "mount: %s", path);
}

static int serve(struct mount_cmd *m)
{
	struct server *srv;
	uint32_t connection;
	int ret;

	if (m->policy_name) {
		ret = cmd_policy_open(m->policy_name, &m->knobs, &m->policy);
		if (ret)
			return ret;
	}
	ret = server_create(&m->opts, &srv);
	if (ret) {
		ret = fail_create(ret, m);
	} else {
		ret = serve_mounted(srv, m);
		connection = srv->connection;
		server_destroy(srv);
		if (connection)
			fusepass_pin_remove(connection);
	}
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
	fuse_set_log_func(fuse_log_keep);
	return m.foreground ? serve(&m) : serve_in_background(&m);
}
