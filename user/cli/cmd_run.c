// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass run: somebody else's server, unchanged.
 *
 * The server mounts by itself, or, where an argument of it is {}, is handed a mount that is
 * made here as /dev/fd/N. A second process supervises it (run_server.c); this one waits until
 * the mount is there and INIT is answered, attaches the policy, and ends when the
 * server's first process ends, with its status.
 *
 * INIT is waited for in a third process, which asks the mount for the attributes of its root:
 * that one may hang for as long as the server likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "probe.h"
#include "run.h"
#include "server.h"

#define PLACEHOLDER	"{}"

/* What is known of the server by now. */
struct state {
	struct run *r;
	int signals, mounts;	/* signalfd; /proc/self/mountinfo, polled for changes */
	int init;		/* pipe of the process that waits for INIT; -1: none */
	pid_t init_pid;
	bool ready;		/* mounted, INIT answered, the policy attached */
	bool first_ended;	/* with this: */
	int status;		/* of wait(2) */
	bool background;	/* others go on */
	bool refused;		/* it does not take /dev/fd/N */
	bool failed;		/* and that was shown */
};

/* Options ------------------------------------------------------------------- */

static int parse_option(int c, struct run *r, char **argv)
{
	switch (c) {
	case 'P':
		r->policy_name = optarg;
		return CMD_OK;
	case 'k':
		return cmd_knob_add(&r->knobs, optarg);
	case 'R':
		r->knobs.rules = optarg;
		return CMD_OK;
	case 'b':
		r->backing = optarg;
		return CMD_OK;
	case 'o':
		r->options = optarg;
		return CMD_OK;
	default:
		return cmd_common_option(c) ? CMD_OK : cmd_bad_option(c, argv);
	}
}

/* Our arguments end at the first "--", or, without one, with the last. */
static int own_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return i;
	return argc;
}

static bool has_placeholder(char **server)
{
	for (; *server; server++)
		if (!strcmp(*server, PLACEHOLDER))
			return true;
	return false;
}

static int check(const struct run *r, int nr_own)
{
	if (nr_own != 1 || !*r->server)
		return cmd_usage("run: MNT -- SERVER is expected");
	if ((r->knobs.nr || r->backing) && !r->policy_name)
		return cmd_usage("run: -k and --backing need --policy");
	if (r->options && !has_placeholder(r->server))
		return cmd_usage("run: -o needs an argument " PLACEHOLDER
				 " of the server: else it mounts by itself");
	return CMD_OK;
}

static int parse(int argc, char **argv, struct run *r, bool *done)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "policy", required_argument, NULL, 'P' },
		{ "knob", required_argument, NULL, 'k' },
		{ "rules", required_argument, NULL, 'R' },
		{ "backing", required_argument, NULL, 'b' },
		{ "options", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const int own = own_arguments(argc, argv);
	int c, ret;

	*done = true;
	while ((c = getopt_long(own, argv, CMD_COMMON_SHORT "P:k:R:b:o:", options,
				NULL)) != -1) {
		ret = parse_option(c, r, argv);
		if (ret || c == 'h')
			return ret;
	}
	if (r->knobs.rules && !r->policy_name)
		r->policy_name = "rules";
	r->server = argv + (own < argc ? own + 1 : argc);
	ret = check(r, own - optind);
	if (ret)
		return ret;
	r->path = argv[optind];
	*done = false;
	return CMD_OK;
}

/* Before the server runs -------------------------------------------------------- */

static int find_mountpoint(struct run *r)
{
	struct fusepass_mount m;
	struct stat st;

	if (!realpath(r->path, r->mountpoint) || stat(r->mountpoint, &st))
		return cmd_fail_cause(errno, "", "run: %s", r->path);
	if (!S_ISDIR(st.st_mode))
		return cmd_fail_cause(ENOTDIR, "", "run: %s", r->path);
	if (!fusepass_mount_find(r->mountpoint, &m)) {
		r->before = m.connection;
		fusepass_mount_clear(&m);
	}
	return CMD_OK;
}

/* Options of ours that the kernel takes as they are. */
static bool is_plain(const char *option)
{
	return !strcmp(option, "allow_other") || !strcmp(option, "default_permissions");
}

static const char *name_of(const char *program)
{
	const char *slash = strrchr(program, '/');

	return slash && slash[1] ? slash + 1 : program;
}

struct own_mount {
	struct mount_args args;
	char source[256], type[128], data[2400];
};

/* One of those that server_mount_args() leaves to libfuse. */
static int own_option(struct own_mount *m, const char *option, const char *kind)
{
	size_t len = strlen(m->data);

	if (server_mount_is_flag(option))
		return CMD_OK;
	if (!strncmp(option, "fsname=", 7))
		snprintf(m->source, sizeof(m->source), "%s", option + 7);
	else if (!strncmp(option, "subtype=", 8))
		snprintf(m->type, sizeof(m->type), "%s.%s", kind, option + 8);
	else if (is_plain(option))
		snprintf(m->data + len, sizeof(m->data) - len, ",%s", option);
	else
		return cmd_usage("run: no mount option '%s'", option);
	return CMD_OK;
}

static int own_options(struct run *r, struct own_mount *m)
{
	const char *kind = r->redirect.kind->type, *name = name_of(r->server[0]);
	char *save, *option;
	int ret = server_mount_args(&m->args, r->options);

	if (ret)
		return cmd_fail(ret, "run: options");
	snprintf(m->source, sizeof(m->source), "%s", r->backing ?: name);
	snprintf(m->type, sizeof(m->type), "%s.%s", kind, name);
	snprintf(m->data, sizeof(m->data), "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s%s",
		 r->device, S_IFDIR, geteuid(), getegid(),
		 m->args.data.len ? "," : "", m->args.data.text);
	for (option = strtok_r(m->args.libfuse.text, ",", &save); option && !ret;
	     option = strtok_r(NULL, ",", &save))
		ret = own_option(m, option, kind);
	return ret;
}

static int mount_for_server(struct run *r)
{
	struct own_mount m;
	int ret;

	r->device = open(r->redirect.kind->device, O_RDWR | O_CLOEXEC);
	if (r->device < 0)
		return cmd_fail_cause(errno, "", "run: %s", r->redirect.kind->device);
	ret = own_options(r, &m);
	if (ret)
		return ret;
	if (mount(m.source, r->mountpoint, m.type, m.args.flags, m.data))
		return cmd_fail_cause(errno, errno == EPERM ? "only root can: leave {} out"
				      : "", "run: mount on %s", r->mountpoint);
	if (!run_find_mount(r)) {
		umount2(r->mountpoint, MNT_DETACH);
		return cmd_fail(ENOENT, "run: the mount on %s", r->mountpoint);
	}
	return CMD_OK;
}

/* "{}" becomes /dev/fd/N. */
static void fill_in(struct run *r)
{
	static char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", r->device);
	for (char **arg = r->server; *arg; arg++)
		if (!strcmp(*arg, PLACEHOLDER))
			*arg = path;
}

static int prepare(struct run *r)
{
	int ret = find_mountpoint(r);

	r->redirect.kind = lib_kind_here();
	r->watched = r->redirect.kind != &lib_kinds[0];
	if (!ret && r->policy_name)
		ret = cmd_policy_open(r->policy_name, &r->knobs, &r->policy);
	if (ret || !has_placeholder(r->server))
		return ret;
	r->watched = r->redirect.refuse = true;
	ret = mount_for_server(r);
	if (!ret)
		fill_in(r);
	return ret;
}

/* Ready --------------------------------------------------------------------------- */

/* False if it has gone, or goes while we ask. */
static bool init_is_answered(int root, uint32_t connection)
{
	struct fusepass_mount m;
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", root);
	if (root < 0 || fusepass_mount_find(path, &m) || m.connection != connection)
		return false;
	return !fstat(root, &st) || (errno != ENOTCONN && errno != ECONNABORTED &&
				     errno != ECONNREFUSED);
}

/* The pipe has a byte when the server has answered, and ends without one if it cannot. */
static void wait_for_init(struct state *s)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return;
	s->init_pid = fork();
	if (!s->init_pid) {
		int root = open(s->r->mountpoint, O_PATH | O_CLOEXEC);

		if (init_is_answered(root, s->r->connection) && write(fds[1], "", 1) == 1)
			_exit(0);
		_exit(1);
	}
	close(fds[1]);
	if (s->init_pid > 0)
		s->init = fds[0];
	else
		close(fds[0]);
}

static void report(const struct run *r, const char *warning)
{
	struct json j;

	if (!cmd_json)
		return;
	cmd_json_begin(&j);
	json_u64(&j, "connection", r->connection);
	json_string(&j, "mountpoint", r->mountpoint);
	json_string(&j, "server", r->server[0]);
	json_bool(&j, "by_descriptor", r->device >= 0);
	if (r->policy)
		json_string(&j, "policy", fusepass_policy_name(r->policy));
	if (*warning)
		json_string(&j, "warning", warning);
	cmd_json_end(&j);
	fflush(stdout);
}

static void give_up(struct state *s)
{
	s->failed = true;
	run_unmount(s->r);
	run_tell(s->r->supervisor, RUN_STOP, 0);
}

static void attach(struct state *s)
{
	const char *warning = "";
	struct run *r = s->r;
	int link = -1, ret = 0;

	if (r->policy) {
		warning = cmd_warn(probe_warning(r->mountpoint, r->backing));
		ret = fusepass_policy_attach(r->policy, r->mountpoint, r->backing,
					     FUSEPASS_PIN, &link);
	}
	util_cleanup_fd(&link);
	if (ret) {
		cmd_fail(ret, "attach %s to %s", r->policy_name, r->mountpoint);
		give_up(s);
		return;
	}
	s->ready = true;
	report(r, warning);
}

/* Events ----------------------------------------------------------------------------- */

static void on_init(struct state *s)
{
	bool answered;
	char byte;

	answered = read(s->init, &byte, 1) == 1;
	close(util_take_fd(&s->init));
	waitpid(s->init_pid, NULL, 0);
	if (answered && !s->failed)
		attach(s);
}

static void on_mounts(struct state *s)
{
	struct run *r = s->r;

	if (r->connection || !run_find_mount(r))
		return;
	run_tell(r->supervisor, RUN_MOUNTED, r->connection);
	wait_for_init(s);
}

static void no_server(struct state *s, int err)
{
	cmd_fail_cause(err, "", "run %s", s->r->server[0]);
	s->failed = true;
}

static void on_note(struct state *s)
{
	struct run_note note;

	if (recv(s->r->supervisor, &note, sizeof(note), 0) != sizeof(note)) {
		close(util_take_fd(&s->r->supervisor));
		waitpid(s->r->supervisor_pid, NULL, 0);
		return;
	}
	switch (note.what) {
	case RUN_NO_SERVER:
		no_server(s, note.value);
		break;
	case RUN_REFUSED:
		s->refused = true;
		break;
	case RUN_ENDED:
		s->first_ended = true;
		s->status = note.value;
		break;
	case RUN_BACKGROUND:
		s->background = true;
		break;
	default:
		break;
	}
}

/* What a terminal sends has come to the supervisor too. */
static void on_signal(struct state *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) == sizeof(info) &&
	    info.ssi_code != SI_KERNEL)
		kill(s->r->supervisor_pid, info.ssi_signo);
}

/* Until the supervisor has ended, or everything is well and goes on without us. */
static void follow(struct state *s)
{
	while (s->r->supervisor >= 0 && !(s->background && (s->ready || s->failed))) {
		struct pollfd p[] = {
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->r->supervisor, .events = POLLIN },
			{ .fd = s->mounts, .events = POLLPRI },
			{ .fd = s->init, .events = POLLIN },
		};

		poll(p, ARRAY_SIZE(p), -1);
		if (p[0].revents)
			on_signal(s);
		if (p[1].revents)
			on_note(s);
		if (p[2].revents)
			on_mounts(s);
		if (p[3].revents)
			on_init(s);
	}
}

/* The end ------------------------------------------------------------------------------ */

static int status_of(const struct state *s)
{
	if (WIFSIGNALED(s->status))
		return 128 + WTERMSIG(s->status);
	return s->first_ended ? WEXITSTATUS(s->status) : CMD_FAILED;
}

/* Before it was ready; why, as far as that is known. */
static int ended_early(const struct state *s)
{
	const struct run *r = s->r;
	const char *name = r->server[0];
	const char *stage = r->connection ? "answered INIT" : "mounted";
	char text[PATH_MAX + 512];

	if (s->refused)
		snprintf(text, sizeof(text), "run %s: it does not take /dev/fd/N as a "
			 "mount point: give it %s in the place of " PLACEHOLDER,
			 name, r->mountpoint);
	else if (WIFSIGNALED(s->status))
		snprintf(text, sizeof(text), "run %s: it was killed by signal %d before it "
			 "had %s on %s", name, WTERMSIG(s->status), stage, r->mountpoint);
	else
		snprintf(text, sizeof(text), "run %s: it ended with status %d before it "
			 "had %s on %s", name, WEXITSTATUS(s->status), stage, r->mountpoint);
	return cmd_fail_status(status_of(s) ?: CMD_FAILED, text);
}

static int result(const struct state *s)
{
	if (s->failed)
		return CMD_FAILED;
	return s->ready ? status_of(s) : ended_early(s);
}

static int follow_server(struct run *r)
{
	struct state s = { .r = r, .init = -1 };
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	s.mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (s.signals < 0 || s.mounts < 0) {
		cmd_fail(errno, "run");
		give_up(&s);
	}
	if (r->connection)
		wait_for_init(&s);
	else
		on_mounts(&s);
	follow(&s);
	/* It may not hear of it before the server answers. */
	if (s.init >= 0 && !kill(s.init_pid, SIGKILL))
		waitpid(s.init_pid, NULL, WNOHANG);
	return result(&s);
}

static void block_signals(void)
{
	static const int handed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(handed_on); i++)
		sigaddset(&set, handed_on[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static int cannot_start(const struct run *r)
{
	int ret = cmd_fail(errno, "run");

	run_unmount(r);
	return ret;
}

static int run(struct run *r)
{
	int fds[2];

	fflush(NULL);
	block_signals();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return cannot_start(r);
	r->supervisor_pid = fork();
	if (!r->supervisor_pid) {
		close(fds[0]);
		run_supervise(r, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	r->supervisor = fds[0];
	if (r->device >= 0)
		close(r->device);
	return r->supervisor_pid < 0 ? cannot_start(r) : follow_server(r);
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .device = -1, .supervisor = -1 };
	bool done;
	int ret = parse(argc, argv, &r, &done);

	if (done)
		return ret;
	ret = prepare(&r);
	if (!ret)
		ret = run(&r);
	else
		run_unmount(&r);
	fusepass_policy_close(r.policy);
	return ret;
}
