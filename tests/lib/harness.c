// SPDX-License-Identifier: GPL-2.0-or-later
/* The harness of harness.h: case processes, their namespaces, TAP. */
#include "harness.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_OK, EXIT_FAILED, EXIT_SKIPPED = 77 };

static struct test *first, **last = &first;
void (*harness_at_end)(void);
int harness_patience = 1;
char harness_bin[PATH_MAX];
/* Shared with the processes of the cases, which say here why they skip. */
enum { SKIP_REASON_SIZE = 256 };
static char *skip_reason;

void test_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line("# ", fmt, ap);
	va_end(ap);
}

static void __attribute__((noreturn)) end_process(int status)
{
	void (*at_end)(void) = harness_at_end;

	/* It may fail itself. */
	harness_at_end = NULL;
	if (at_end)
		at_end();
	_exit(status);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char head[128];
	va_list ap;

	snprintf(head, sizeof(head), "# %s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	tap_line(head, fmt, ap);
	va_end(ap);
	end_process(EXIT_FAILED);
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(skip_reason, SKIP_REASON_SIZE, fmt, ap);
	va_end(ap);
	end_process(EXIT_SKIPPED);
}

pid_t spawn(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerrorname_np(errno));
	if (!pid)
		_exit(fn(arg));
	return pid;
}

int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			FAIL("waitpid: %s", strerrorname_np(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 128 + WTERMSIG(status);
}

int in_child(int (*fn)(void *), void *arg)
{
	return reap(spawn(fn, arg));
}

struct as_uid {
	uid_t uid;
	int (*fn)(void *arg);
	void *arg;
};

static int become_uid(void *p)
{
	struct as_uid *a = p;

	OK(setgroups(0, NULL));
	OK(setresgid(a->uid, a->uid, a->uid));
	OK(setresuid(a->uid, a->uid, a->uid));
	return a->fn(a->arg);
}

int as_uid(uid_t uid, int (*fn)(void *), void *arg)
{
	struct as_uid a = { uid, fn, arg };

	return in_child(become_uid, &a);
}

void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		FAIL("create %s: %s", path, strerrorname_np(errno));
	EQ(write(fd, text, strlen(text)), strlen(text));
	OK(fchmod(fd, mode));
	close(fd);
}

const char *get_file(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n, got = 0;

	if (fd < 0)
		FAIL("open %s: %s", path, strerrorname_np(errno));
	while ((n = read(fd, buf + got, sizeof(buf) - 1 - got)) > 0)
		got += n;
	if (n < 0)
		FAIL("read %s: %s", path, strerrorname_np(errno));
	close(fd);
	buf[got] = '\0';
	return buf;
}

int open_path(const char *path)
{
	return OK(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		FAIL("lstat %s: %s", path, strerrorname_np(errno));
	return st;
}

bool file_is(const char *path, const char *text)
{
	const char *got = get_file(path);

	if (!strcmp(got, text))
		return true;
	note("%s holds \"%.60s\", not \"%.60s\"", path, got, text);
	return false;
}

void set_sysctl(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY));

	EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void drop_caches(void)
{
	/* Entries used since the last time are spared once. */
	for (int i = 0; i < 3; i++)
		set_sysctl("/proc/sys/vm/drop_caches", "2");
}

int dir_count(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	if (!d)
		FAIL("opendir %s: %s", dir, strerrorname_np(errno));
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

bool dir_has(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	if (!d)
		FAIL("opendir %s: %s", dir, strerrorname_np(errno));
	while ((e = readdir(d)))
		found |= !strcmp(e->d_name, name);
	closedir(d);
	return found;
}

void set_file_flags(const char *path, int flags, bool on)
{
	int fd = OK(open(path, O_RDONLY | O_NONBLOCK)), have;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &have));
	have = on ? have | flags : have & ~flags;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &have));
	close(fd);
}

static void write_id_map(pid_t pid, const char *file, unsigned int base)
{
	char path[64], map[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	snprintf(map, sizeof(map), "0 %u 65536", base);
	set_sysctl(path, map);
}

static int userns_wait(void *arg)
{
	int *ready = arg;

	OK(unshare(CLONE_NEWUSER));
	EQ(write(ready[1], "x", 1), 1);
	pause();
	return 0;
}

/* An fd of a user namespace; whoever made it is gone again. */
static int userns_make(unsigned int base)
{
	char path[64], c;
	int ready[2], fd;
	pid_t pid;

	OK(pipe(ready));
	pid = spawn(userns_wait, ready);
	EQ(read(ready[0], &c, 1), 1);
	write_id_map(pid, "uid_map", base);
	write_id_map(pid, "gid_map", base);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = OK(open(path, O_RDONLY | O_CLOEXEC));
	OK(kill(pid, SIGKILL));
	reap(pid);
	close(ready[0]);
	close(ready[1]);
	return fd;
}

int idmapped_clone(const char *dir, unsigned int base)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int fd = OK(open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));

	attr.userns_fd = userns_make(base);
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
		if (errno == EINVAL || errno == ENOSYS)
			test_skip("no idmapped mounts of this file system");
		FAIL("mount_setattr: %s", strerrorname_np(errno));
	}
	close(attr.userns_fd);
	return fd;
}

/* Everything below runs the cases. */

static void enter_case_dir(const char *name)
{
	const char *work = getenv("FUSEPASS_WORK");
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/%s.XXXXXX", work ? work : "/tmp", name);
	if (!mkdtemp(dir) || chdir(dir) || chmod(".", 0755))
		FAIL("directory %s: %s", dir, strerrorname_np(errno));
}

static void run_as_init(const struct test *test)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	/* Ours names the processes of the new pid namespace. */
	OK(mount("proc", "/proc", "proc", 0, NULL));
	enter_case_dir(test->name);
	test->run();
	end_process(EXIT_OK);
}

/* Between harness and case, so that the pid namespace begins with the case. */
static void run_in_namespaces(const struct test *test)
{
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNS | CLONE_NEWPID))
		FAIL("unshare: %s", strerrorname_np(errno));
	pid = fork();
	if (pid < 0)
		FAIL("fork: %s", strerrorname_np(errno));
	if (!pid)
		run_as_init(test);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		note("killed by signal %d", WTERMSIG(status));
		_exit(EXIT_FAILED);
	}
	_exit(WEXITSTATUS(status));
}

static void show_stacks(void)
{
	DIR *proc = opendir("/proc");
	char path[300], line[256];
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stack", e->d_name);
		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
		    !(f = fopen(path, "r")))
			continue;
		for (int n = 0; n < 8 && fgets(line, sizeof(line), f); n++)
			if (strstr(line, "fuse") || strstr(line, "bpf"))
				note("%s %s", path, line);
		fclose(f);
	}
	if (proc)
		closedir(proc);
}

const char *fuse_name(void)
{
	return access("/dev/fusepass", F_OK) ? "fuse" : "fusepass";
}

/* Frees whoever waits for a server that is no more. */
static void abort_connections(void)
{
	char dir[64], path[400];
	struct dirent *e;
	DIR *d;
	int fd;

	snprintf(dir, sizeof(dir), "/sys/fs/%s/connections", fuse_name());
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s/abort", dir, e->d_name);
		fd = open(path, O_WRONLY);
		if (fd >= 0 && write(fd, "1", 1) != 1)
			note("cannot abort %s", path);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
}

/* Waits for the case, not longer than it may take. */
static int wait_case(pid_t pid)
{
	int tenths = 400 * harness_patience, status;

	for (int i = 0; i < tenths; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : EXIT_FAILED;
		usleep(i < 100 ? 10000 : 100000);
	}
	note("hangs; stacks that mention fuse or bpf:");
	show_stacks();
	kill(pid, SIGKILL);
	abort_connections();
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return EXIT_FAILED;
		usleep(100000);
	}
	note("and cannot be killed");
	return EXIT_FAILED;
}

/* Options of the program. */
static bool opt_short, opt_quick, opt_list;

static bool selected(const struct test *test, char **patterns)
{
	if ((opt_short || opt_quick) && (test->flags & T_LONG))
		return false;
	if (opt_quick && !(test->flags & T_QUICK))
		return false;
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, test->name, 0))
			return true;
	return false;
}

/* A waiting process has a line of its own in /proc/locks, with an arrow. */
bool waits_for_lock(pid_t pid)
{
	char line[128], want[32];
	bool found = false;
	FILE *f = fopen("/proc/locks", "r");

	CHECK(f);
	snprintf(want, sizeof(want), " %d ", pid);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "->") && strstr(line, want);
	fclose(f);
	return found;
}

/* Why the test cannot work on this kernel, by the list that suite.sh names; or NULL. */
static const char *listed_skip(const char *name)
{
	const char *list = getenv("FUSEPASS_SKIPS");
	size_t len = strlen(name);
	static char line[512];
	bool found = false;
	FILE *f;

	if (!list || !(f = fopen(list, "r")))
		return NULL;
	while (!found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, name, len) && strchr(" \t", line[len]) &&
			line[len];
	}
	fclose(f);
	return found ? line + len + strspn(line + len, " \t") : NULL;
}

static void run_case(const struct test *test)
{
	const char *why = listed_skip(test->name);
	struct timespec a, b;
	int status;
	pid_t pid;

	if (why) {
		tap_skip(test->name, why);
		return;
	}
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (!pid)
		run_in_namespaces(test);
	status = pid < 0 ? EXIT_FAILED : wait_case(pid);
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (status == EXIT_SKIPPED)
		tap_skip(test->name, skip_reason);
	else
		tap(status == EXIT_OK, test->name, "%ld ms",
		    (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
}

static void find_self(void)
{
	ssize_t n = readlink("/proc/self/exe", harness_bin,
			     sizeof(harness_bin) - 1);

	harness_bin[n < 0 ? 0 : n] = '\0';
	if (strrchr(harness_bin, '/'))
		*strrchr(harness_bin, '/') = '\0';
}

int main(int argc, char **argv)
{
	const char *patience = getenv("FUSEPASS_PATIENCE");

	find_self();
	skip_reason = mmap(NULL, SKIP_REASON_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_reason == MAP_FAILED)
		return 1;
	if (patience)
		harness_patience = atoi(patience) > 0 ? atoi(patience) : 1;
	for (argv++, argc--; argc > 0 && !strncmp(*argv, "--", 2); argv++, argc--) {
		opt_short |= !strcmp(*argv, "--short");
		opt_quick |= !strcmp(*argv, "--quick");
		opt_list |= !strcmp(*argv, "--list");
	}
	for (struct test *t = first; t; t = t->next) {
		if (!selected(t, argv))
			continue;
		if (opt_list)
			printf("%s\n", t->name);
		else
			run_case(t);
	}
	return opt_list ? 0 : tap_done();
}
