// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Comparing a mount with a directory: names of either, types, sizes, owners and modes,
 * targets of links, and of some files the bytes at the beginning, in the middle and at the end.
 *
 * Each name is looked up on both sides, so what is in one listing only by chance, because
 * a limit was met, is no difference. Directories are visited breadth first: what a limit
 * cuts off is deep. The files are a sample of all that were met (algorithm R), always the same one
 * for the same tree.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib.h"
#include "probe.h"

#define BLOCK	4096

static const struct {
	const char *name, *effect;
} kinds[PROBE_NR] = {
	[PROBE_ONLY_MOUNT] = { "only on the mount", "a policy would hide them" },
	[PROBE_ONLY_BACKING] = { "only in the directory", "a policy would show them" },
	[PROBE_TYPE] = { "of another type", "they would have that of the directory's" },
	[PROBE_SIZE] = { "of another size", "they would have the directory's bytes" },
	[PROBE_TARGET] = { "links to somewhere else", "they would lead where the directory's do" },
	[PROBE_OWNER] = { "with another owner or mode",
			  "they would have the directory's" },
	[PROBE_CONTENT] = { "with other bytes", "they would have the directory's" },
	[PROBE_UNREADABLE] = { "not readable", "not compared" },
};

const char *probe_kind_name(enum probe_kind kind)
{
	return kinds[kind].name;
}

const char *probe_kind_effect(enum probe_kind kind)
{
	return kinds[kind].effect;
}

uint64_t probe_differences(const struct probe *p)
{
	uint64_t n = 0;

	for (int i = 0; i < PROBE_UNREADABLE; i++)
		n += p->found[i].count;
	return n;
}

static void found(struct probe *p, enum probe_kind kind, const char *path)
{
	struct probe_finding *f = &p->found[kind];

	if (f->count < PROBE_EXAMPLES && asprintf(&f->examples[f->count], "/%s", path) < 0)
		f->examples[f->count] = NULL;
	f->count++;
	if (kind == PROBE_UNREADABLE)
		p->complete = false;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Is there something left of the limits? */
static bool may_go_on(struct probe *p)
{
	if (p->names < p->max_names && now() < p->end)
		return true;
	p->complete = false;
	return false;
}

/* Sampling ------------------------------------------------------------------- */

/* xorshift64; the same row each time. */
static uint64_t number_below(struct probe *p, uint64_t n)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random % n;
}

static void sample_add(struct probe *p, const char *path)
{
	uint64_t at = p->candidates++;
	char *copy;

	if (!p->max_files)
		return;
	if (at >= p->max_files)
		at = number_below(p, p->candidates);
	if (at >= p->max_files)
		return;
	copy = strdup(path);
	if (!copy)
		return;
	free(p->sample[at]);
	p->sample[at] = copy;
}

static ssize_t read_block(int fd, char *buf, off_t at)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = pread(fd, buf + len, BLOCK - len, at + len);
		if (got < 0)
			return -errno;
		len += got;
	} while (got && len < BLOCK);
	return len;
}

/* 1: they differ; 0, or -errno. */
static int compare_block(int a, int b, off_t at)
{
	char x[BLOCK], y[BLOCK];
	ssize_t nx = read_block(a, x, at), ny = read_block(b, y, at);

	if (nx < 0 || ny < 0)
		return nx < 0 ? nx : ny;
	return nx != ny || memcmp(x, y, nx);
}

static int compare_bytes(int a, int b, off_t size)
{
	const off_t last = size > BLOCK ? size - BLOCK : 0;
	const off_t at[] = { 0, last / 2, last };
	int ret = 0;

	for (size_t i = 0; !ret && i < ARRAY_SIZE(at); i++)
		ret = compare_block(a, b, at[i]);
	return ret;
}

static int open_file(int dir, const char *path)
{
	return openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		      O_CLOEXEC);
}

static void compare_content(struct probe *p, const char *path)
{
	_cleanup_fd_ int a = open_file(p->mount_fd, path);
	_cleanup_fd_ int b = open_file(p->backing_fd, path);
	struct stat st;
	int ret;

	if (a < 0 || b < 0 || fstat(b, &st)) {
		found(p, PROBE_UNREADABLE, path);
		return;
	}
	/* It is another one by now. */
	if (!S_ISREG(st.st_mode))
		return;
	ret = compare_bytes(a, b, st.st_size);
	p->files++;
	if (ret)
		found(p, ret < 0 ? PROBE_UNREADABLE : PROBE_CONTENT, path);
}

/* Names ------------------------------------------------------------------------ */

static bool same_target(const struct probe *p, const char *path)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t na = readlinkat(p->mount_fd, path, a, sizeof(a));
	ssize_t nb = readlinkat(p->backing_fd, path, b, sizeof(b));

	return na >= 0 && na == nb && !memcmp(a, b, na);
}

static void queue_add(struct probe *p, const char *path)
{
	struct probe_queue *q = &p->queue;
	char **paths = realloc(q->paths, (q->nr + 1) * sizeof(*paths));
	char *copy = strdup(path);

	if (paths)
		q->paths = paths;
	if (!paths || !copy) {
		free(copy);
		p->complete = false;
		return;
	}
	q->paths[q->nr++] = copy;
}

static unsigned int depth_of(const char *path)
{
	unsigned int n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static void compare_found(struct probe *p, const char *path, const struct stat *m,
			  const struct stat *b)
{
	if ((m->st_mode ^ b->st_mode) & S_IFMT) {
		found(p, PROBE_TYPE, path);
		return;
	}
	if ((m->st_mode ^ b->st_mode) & 07777 || m->st_uid != b->st_uid ||
	    m->st_gid != b->st_gid)
		found(p, PROBE_OWNER, path);
	if (S_ISLNK(m->st_mode) && !same_target(p, path))
		found(p, PROBE_TARGET, path);
	if (S_ISDIR(m->st_mode)) {
		if (depth_of(path) <= p->max_depth)
			queue_add(p, path);
		else if (p->max_depth)
			p->complete = false;
	}
	if (!S_ISREG(m->st_mode))
		return;
	if (m->st_size != b->st_size)
		found(p, PROBE_SIZE, path);
	else if (m->st_size)
		sample_add(p, path);
}

static void compare_name(struct probe *p, const char *path)
{
	struct stat m, b;
	int on_mount = fstatat(p->mount_fd, path, &m, AT_SYMLINK_NOFOLLOW) ? errno : 0;
	int in_backing = fstatat(p->backing_fd, path, &b, AT_SYMLINK_NOFOLLOW) ? errno : 0;

	p->names++;
	/* What is mounted there is the server's, or nobody's. */
	if ((!on_mount && m.st_dev != p->mount_dev) ||
	    (!in_backing && b.st_dev != p->backing_dev))
		p->beneath++;
	else if (!on_mount && !in_backing)
		compare_found(p, path, &m, &b);
	else if (!on_mount && in_backing == ENOENT)
		found(p, PROBE_ONLY_MOUNT, path);
	else if (on_mount == ENOENT && !in_backing)
		found(p, PROBE_ONLY_BACKING, path);
	else if (on_mount != ENOENT || in_backing != ENOENT)
		found(p, PROBE_UNREADABLE, path);
}

/* Directories ------------------------------------------------------------------- */

struct listing {
	char **names;
	size_t nr, size;
};

static void listing_clear(struct listing *l)
{
	while (l->nr)
		free(l->names[--l->nr]);
	free(l->names);
}

static int listing_add(struct listing *l, const char *name)
{
	if (l->nr == l->size) {
		size_t size = l->size * 2 + 64;
		char **names = realloc(l->names, size * sizeof(*names));

		if (!names)
			return -ENOMEM;
		l->names = names;
		l->size = size;
	}
	l->names[l->nr] = strdup(name);
	return l->names[l->nr] ? (l->nr++, 0) : -ENOMEM;
}

static DIR *directory_open(int root, const char *path)
{
	int fd = openat(root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* No more names than may be compared. */
static int list(struct probe *p, int root, const char *path, struct listing *l)
{
	_cleanup_dir_ DIR *dir = directory_open(root, path);
	uint64_t room = p->max_names - p->names;
	struct dirent *e;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (errno = 0, e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!room--) {
			p->complete = false;
			return 0;
		}
		ret = listing_add(l, e->d_name);
	}
	return ret ? ret : -errno;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare_names(struct probe *p, const char *dir, struct listing *l)
{
	char path[PATH_MAX];

	if (l->nr)
		qsort(l->names, l->nr, sizeof(*l->names), by_text);
	for (size_t i = 0; i < l->nr; i++) {
		if (i && !strcmp(l->names[i], l->names[i - 1]))
			continue;
		if (!may_go_on(p))
			return;
		if (snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "",
			     l->names[i]) < (int)sizeof(path))
			compare_name(p, path);
		else
			p->complete = false;
	}
}

static int compare_directory(struct probe *p, const char *path)
{
	struct listing l = { .nr = 0 };
	int ret = list(p, p->mount_fd, path, &l);

	if (!ret)
		ret = list(p, p->backing_fd, path, &l);
	if (!ret)
		compare_names(p, path, &l);
	p->directories++;
	listing_clear(&l);
	return ret;
}

static void compare_queue(struct probe *p)
{
	while (p->queue.done < p->queue.nr && may_go_on(p)) {
		const char *path = p->queue.paths[p->queue.done++];

		if (compare_directory(p, path))
			found(p, PROBE_UNREADABLE, path);
	}
}

int probe_run(struct probe *p, int mount_fd, int backing_fd)
{
	struct stat m, b;
	int ret;

	p->mount_fd = mount_fd;
	p->backing_fd = backing_fd;
	p->end = now() + p->seconds;
	p->random = 0x9e3779b97f4a7c15;
	p->complete = true;
	p->sample = calloc(p->max_files ?: 1, sizeof(*p->sample));
	if (!p->sample)
		return -ENOMEM;
	if (fstat(mount_fd, &m) || fstat(backing_fd, &b))
		return -errno;
	if (m.st_dev == b.st_dev)
		return -ELOOP;
	p->mount_dev = m.st_dev;
	p->backing_dev = b.st_dev;
	ret = compare_directory(p, "");
	if (ret)
		return ret;
	compare_queue(p);
	for (uint64_t i = 0; i < p->max_files && p->sample[i]; i++)
		if (now() < p->end)
			compare_content(p, p->sample[i]);
		else
			p->complete = false;
	return 0;
}

void probe_clear(struct probe *p)
{
	for (int i = 0; i < PROBE_NR; i++)
		for (int j = 0; j < PROBE_EXAMPLES; j++)
			free(p->found[i].examples[j]);
	while (p->queue.nr)
		free(p->queue.paths[--p->queue.nr]);
	free(p->queue.paths);
	for (uint64_t i = 0; p->sample && i < p->max_files; i++)
		free(p->sample[i]);
	free(p->sample);
	*p = (struct probe){ 0 };
}

/* The short form ----------------------------------------------------------------- */

#define SHORT_NAMES	1000
#define SHORT_SECONDS	2

static const char *example_of(const struct probe *p, enum probe_kind *kind)
{
	for (*kind = 0; *kind < PROBE_UNREADABLE; ++*kind)
		if (p->found[*kind].count)
			return p->found[*kind].examples[0] ?: "";
	return "";
}

/* In a process of its own, which may hang for as long as the server likes. */
static void tell_difference(const struct fusepass_mount *m, int backing, int to)
{
	struct probe p = { .max_names = SHORT_NAMES, .seconds = SHORT_SECONDS };
	_cleanup_free_ char *text = NULL;
	enum probe_kind kind;
	const char *example;
	int len, fd = open(m->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || probe_run(&p, fd, backing) || !probe_differences(&p))
		return;
	example = example_of(&p, &kind);
	len = asprintf(&text, "at the root of %s, %" PRIu64 " of %" PRIu64 " names are not "
		       "as in the backing directory (%s: %s), and a policy that passes "
		       "them shows what is there; 'fusepass probe' tells more",
		       m->mountpoint, probe_differences(&p), p.names,
		       probe_kind_name(kind), example);
	if (len > 0 && write(to, text, len) != len)
		return;
}

/* Ours tells what it does. One that is stopped is ours too. */
static bool is_ours(const struct fusepass_mount *m)
{
	_cleanup_free_ char *reply = NULL;
	const char *subtype = strchr(m->type, '.');

	return (subtype && !strcmp(subtype, ".fusepass")) ||
	       fusepass_server_ask(m->connection, "backing", &reply) != -ENOENT;
}

/* What the process wrote, until it closes the pipe or time is over. */
static void gather(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t len;

	if (poll(&p, 1, SHORT_SECONDS * 1000) != 1)
		return;
	len = read(fd, text, size - 1);
	text[len < 0 ? 0 : len] = '\0';
}

static void ask_short(const struct fusepass_mount *m, int backing, char *text, size_t size)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		tell_difference(m, backing, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	if (pid > 0) {
		gather(fds[0], text, size);
		kill(pid, SIGKILL);
		/* It may not hear of it before the server answers. */
		waitpid(pid, NULL, WNOHANG);
	}
	close(fds[0]);
}

const char *probe_warning(const char *path, const char *backing)
{
	static char text[PIPE_BUF];
	struct fusepass_status s;
	struct fusepass_mount m;
	int fd;

	*text = '\0';
	if (fusepass_mount_find(path, &m))
		return text;
	if (!is_ours(&m) &&
	    (fusepass_status_read(m.connection, &s, sizeof(s)) || !s.policy[0])) {
		fd = lib_backing_open(&m, backing);
		if (fd >= 0)
			ask_short(&m, fd, text, sizeof(text));
		util_cleanup_fd(&fd);
	}
	fusepass_mount_clear(&m);
	return text;
}
