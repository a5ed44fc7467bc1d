// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks are those of the tree: what is locked on the mount is locked for who works
 * in the tree, and on another mount of it, and the other way round.
 *
 * Each case is done with the same file by two paths: natively, which tells that the
 * case is right, then from the mount to the tree, from the tree to the mount, and
 * between two mounts.
 */
#include "harness.h"
#include "passed.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pair {
	const char *here, *there;
} pairs[] = {
	{ "n/f", "n/f" }, { "m/f", "b/f" }, { "b/f", "m/f" }, { "m/f", "m2/f" },
};

static void make_pairs(void)
{
	mount_both();
	mount_passed("b", "m2", "");
	put_file("n/f", "some text\n", 0666);
	put_file("b/f", "some text\n", 0666);
	run("mkdir n/d b/d");
	asked_reset("m");
	asked_reset("m2");
}

/* Does the same with each pair, and sees that nobody was asked. */
static void with_each_pair(void (*fn)(const struct pair *p))
{
	make_pairs();
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		note("%s and %s", pairs[i].here, pairs[i].there);
		fn(&pairs[i]);
	}
	expect_silence_of("m");
	expect_silence_of("m2");
}

static int open_file(const char *path)
{
	return OK(open(path, O_RDWR | O_CLOEXEC));
}

/* One kind of lock, on the whole file or on some bytes. 0 or an errno. */

static int lock_range(int fd, int cmd, short type, off_t from, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = from, .l_len = len };

	return fcntl(fd, cmd, &fl) ? errno : 0;
}

static int flock_is(int fd, int op)
{
	return flock(fd, op) ? errno : 0;
}

/* In another process: what trying to take a lock there gives. */
struct attempt {
	const char *path;
	int cmd;	/* 0: flock */
	short type;
	off_t from, len;
};

static int attempt(void *p)
{
	struct attempt *a = p;
	int fd = open_file(a->path);

	if (a->cmd)
		return lock_range(fd, a->cmd, a->type, a->from, a->len);
	return flock_is(fd, (a->type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
}

static int other_gets(const char *path, int cmd, short type, off_t from, off_t len)
{
	struct attempt a = { path, cmd, type, from, len };

	return in_child(attempt, &a);
}

static int other_gets_all(const char *path, int cmd)
{
	return other_gets(path, cmd, F_WRLCK, 0, 0);
}

/* Conflicts ------------------------------------------------------------------ */

static void flock_conflicts(const struct pair *p)
{
	int a = open_file(p->here), b = open_file(p->there);

	OK(flock(a, LOCK_EX));
	EQ(flock_is(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	EQ(flock_is(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	/* Not to be unlocked by the other one. */
	OK(flock(b, LOCK_UN));
	EQ(flock_is(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	/* A process that cannot get the larger lock loses the one it has. */
	EQ(flock_is(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(b, LOCK_EX | LOCK_NB));
	EQ(flock_is(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX | LOCK_NB));
	close(a);
	OK(flock(b, LOCK_EX | LOCK_NB));
	close(b);
}

TEST(flock_conflicts_on_both_sides)
{
	with_each_pair(flock_conflicts);
}

static void flock_of_a_directory(const struct pair *p)
{
	char path[2][16];
	int a, b;

	/* f becomes d. */
	snprintf(path[0], sizeof(path[0]), "%.*sd", (int)strlen(p->here) - 1, p->here);
	snprintf(path[1], sizeof(path[1]), "%.*sd", (int)strlen(p->there) - 1, p->there);
	a = OK(open(path[0], O_RDONLY | O_DIRECTORY));
	b = OK(open(path[1], O_RDONLY | O_DIRECTORY));
	OK(flock(a, LOCK_EX));
	EQ(flock_is(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(a);
	OK(flock(b, LOCK_EX | LOCK_NB));
	close(b);
}

TEST(flock_of_a_directory_conflicts_on_both_sides)
{
	with_each_pair(flock_of_a_directory);
}

static void posix_conflicts(const struct pair *p)
{
	int a = open_file(p->here), b = open_file(p->there);

	EQ(lock_range(a, F_SETLK, F_WRLCK, 10, 10), 0);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	EQ(other_gets(p->there, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 0, 10), 0);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 20, 0), 0);
	EQ(other_gets(p->here, F_SETLK, F_WRLCK, 19, 1), EAGAIN);
	/* One's own do not conflict, by whatever path. */
	EQ(lock_range(b, F_SETLK, F_WRLCK, 0, 0), 0);
	EQ(lock_range(a, F_SETLK, F_RDLCK, 0, 0), 0);
	EQ(other_gets(p->there, F_SETLK, F_RDLCK, 0, 0), 0);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	/* Unlocked by the other path, and in the middle. */
	EQ(lock_range(b, F_SETLK, F_UNLCK, 5, 10), 0);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 5, 10), 0);
	EQ(other_gets(p->here, F_SETLK, F_WRLCK, 4, 1), EAGAIN);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
	EQ(lock_range(b, F_SETLK, F_UNLCK, 0, 0), 0);
	EQ(other_gets_all(p->here, F_SETLK), 0);
	close(a);
	close(b);
}

TEST(posix_locks_conflict_on_both_sides)
{
	with_each_pair(posix_conflicts);
}

static void ofd_conflicts(const struct pair *p)
{
	int a = open_file(p->here), b = open_file(p->there);

	EQ(lock_range(a, F_OFD_SETLK, F_WRLCK, 10, 10), 0);
	EQ(lock_range(b, F_OFD_SETLK, F_RDLCK, 15, 1), EAGAIN);
	EQ(lock_range(b, F_OFD_SETLK, F_WRLCK, 20, 5), 0);
	/* Not unlocked by another open file. */
	EQ(lock_range(b, F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	EQ(lock_range(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	/* Nor by closing one. */
	close(b);
	b = open_file(p->there);
	EQ(lock_range(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	/* A lock of the process itself is one of somebody else. */
	EQ(lock_range(b, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	close(a);
	EQ(lock_range(b, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	close(b);
}

TEST(ofd_locks_conflict_on_both_sides)
{
	with_each_pair(ofd_conflicts);
}

static void rights_of_descriptors(const struct pair *p)
{
	int r = OK(open(p->here, O_RDONLY)), w = OK(open(p->here, O_WRONLY));

	EQ(lock_range(r, F_SETLK, F_WRLCK, 0, 0), EBADF);
	EQ(lock_range(w, F_SETLK, F_RDLCK, 0, 0), EBADF);
	EQ(lock_range(r, F_OFD_SETLK, F_WRLCK, 0, 0), EBADF);
	EQ(lock_range(r, F_SETLK, F_RDLCK, 0, 0), 0);
	EQ(other_gets(p->there, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	EQ(other_gets(p->there, F_SETLK, F_RDLCK, 0, 0), 0);
	/* flock does not ask what a file was opened for. */
	OK(flock(r, LOCK_EX));
	EQ(other_gets(p->there, 0, F_RDLCK, 0, 0), EWOULDBLOCK);
	close(r);
	close(w);
}

TEST(locks_need_a_file_that_is_open_for_them)
{
	with_each_pair(rights_of_descriptors);
}

/* F_GETLK -------------------------------------------------------------------- */

struct holder {
	const char *path;
	int cmd;
	short type;
	off_t from, len;
	int ready, end;		/* pipes */
};

static int hold_lock(void *p)
{
	struct holder *h = p;
	int fd = open_file(h->path);
	char c;

	if (h->cmd)
		EQ(lock_range(fd, h->cmd, h->type, h->from, h->len), 0);
	else
		OK(flock(fd, h->type == F_WRLCK ? LOCK_EX : LOCK_SH));
	EQ(write(h->ready, "x", 1), 1);
	EQ(read(h->end, &c, 1), 0);
	return 0;
}

/* A process that holds a lock until let_go(). */
static pid_t hold(struct holder h, int *end)
{
	int ready[2], stop[2];
	pid_t pid;
	char c;

	OK(pipe2(ready, O_CLOEXEC));
	OK(pipe2(stop, O_CLOEXEC));
	h.ready = ready[1];
	h.end = stop[0];
	pid = OK(fork());
	if (!pid) {
		close(stop[1]);
		_exit(hold_lock(&h));
	}
	EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(stop[0]);
	*end = stop[1];
	return pid;
}

static void let_go(pid_t pid, int end)
{
	close(end);
	EQ(reap(pid), 0);
}

static void expect_told(int fd, int cmd, short type, off_t from, off_t len, pid_t pid)
{
	struct flock fl = { .l_type = F_WRLCK };

	OK(fcntl(fd, cmd, &fl));
	EQ(fl.l_type, type);
	if (type == F_UNLCK)
		return;
	EQ(fl.l_whence, SEEK_SET);
	EQ(fl.l_start, from);
	EQ(fl.l_len, len);
	EQ(fl.l_pid, pid);
}

static void getlk_tells(const struct pair *p)
{
	int fd = open_file(p->there), end;
	pid_t pid;

	pid = hold((struct holder){ p->here, F_SETLK, F_RDLCK, 3, 4, 0, 0 }, &end);
	expect_told(fd, F_GETLK, F_RDLCK, 3, 4, pid);
	expect_told(fd, F_OFD_GETLK, F_RDLCK, 3, 4, pid);
	let_go(pid, end);
	expect_told(fd, F_GETLK, F_UNLCK, 0, 0, 0);
	pid = hold((struct holder){ p->here, F_SETLK, F_WRLCK, 5, 0, 0, 0 }, &end);
	expect_told(fd, F_GETLK, F_WRLCK, 5, 0, pid);
	let_go(pid, end);
	pid = hold((struct holder){ p->here, F_OFD_SETLK, F_WRLCK, 7, 1, 0, 0 }, &end);
	expect_told(fd, F_GETLK, F_WRLCK, 7, 1, -1);
	let_go(pid, end);
	/* One's own are not told. */
	EQ(lock_range(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	expect_told(fd, F_GETLK, F_UNLCK, 0, 0, 0);
	close(fd);
}

TEST(getlk_tells_of_a_lock_of_the_other_side)
{
	with_each_pair(getlk_tells);
}

/* Closing -------------------------------------------------------------------- */

static void close_drops_posix(const struct pair *p)
{
	int a = open_file(p->here), b;

	/* Any descriptor of the file, by any path, and a duplicate. */
	EQ(lock_range(a, F_SETLK, F_WRLCK, 0, 0), 0);
	EQ(other_gets_all(p->there, F_SETLK), EAGAIN);
	close(OK(open(p->there, O_RDONLY)));
	EQ(other_gets_all(p->there, F_SETLK), 0);
	EQ(other_gets_all(p->here, F_SETLK), 0);
	EQ(lock_range(a, F_SETLK, F_WRLCK, 0, 0), 0);
	close(OK(open(p->here, O_RDONLY)));
	EQ(other_gets_all(p->there, F_SETLK), 0);
	EQ(lock_range(a, F_SETLK, F_WRLCK, 0, 0), 0);
	close(OK(dup(a)));
	EQ(other_gets_all(p->there, F_SETLK), 0);
	EQ(lock_range(a, F_SETLK, F_WRLCK, 0, 0), 0);
	b = open_file(p->there);
	OK(dup2(b, a));
	EQ(other_gets_all(p->there, F_SETLK), 0);
	close(a);
	close(b);
}

TEST(closing_any_descriptor_of_the_file_drops_posix_locks)
{
	with_each_pair(close_drops_posix);
}

static void close_keeps_others(const struct pair *p)
{
	int a = open_file(p->here), b = dup(a);

	EQ(lock_range(a, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	OK(flock(a, LOCK_EX));
	close(OK(open(p->there, O_RDWR)));
	close(OK(open(p->here, O_RDWR)));
	close(a);
	EQ(other_gets_all(p->there, F_OFD_SETLK), EAGAIN);
	EQ(other_gets_all(p->there, 0), EWOULDBLOCK);
	close(b);
	EQ(other_gets_all(p->there, F_OFD_SETLK), 0);
	EQ(other_gets_all(p->there, 0), 0);
}

TEST(last_close_drops_flock_and_ofd_locks)
{
	with_each_pair(close_keeps_others);
}

static void mapping_keeps(const struct pair *p)
{
	int fd = open_file(p->here);
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	OK(flock(fd, LOCK_EX));
	EQ(lock_range(fd, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	EQ(lock_range(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	close(fd);
	/* The mapping has the file open. */
	EQ(other_gets_all(p->there, 0), EWOULDBLOCK);
	EQ(other_gets_all(p->there, F_SETLK), EAGAIN);
	munmap(map, 4096);
	EQ(other_gets_all(p->there, 0), 0);
	EQ(other_gets_all(p->there, F_SETLK), 0);
}

TEST(locks_of_a_mapped_file_are_kept_until_it_is_unmapped)
{
	with_each_pair(mapping_keeps);
}

static void death_drops(const struct pair *p)
{
	static const int cmds[] = { F_SETLK, F_OFD_SETLK, 0 };
	int end;
	pid_t pid;

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		pid = hold((struct holder){ p->here, cmds[i], F_WRLCK, 0, 0, 0, 0 }, &end);
		EQ(other_gets_all(p->there, cmds[i]), EAGAIN);
		OK(kill(pid, SIGKILL));
		reap(pid);
		EQ(other_gets_all(p->there, cmds[i]), 0);
		close(end);
	}
}

TEST(death_of_a_process_drops_its_locks)
{
	with_each_pair(death_drops);
}

/* fork ----------------------------------------------------------------------- */

static int inherited;
static const char *inherited_path, *other_path;

static int child_of_posix(void *p)
{
	/* It has none of them, and to close the file drops nothing of the parent. */
	EQ(lock_range(inherited, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
	EQ(lock_range(inherited, F_SETLK, F_UNLCK, 0, 0), 0);
	close(inherited);
	close(open_file(other_path));
	return 0;
}

static int child_of_flock(void *p)
{
	/* It is the same open file, so the same lock. */
	OK(flock(inherited, LOCK_EX | LOCK_NB));
	EQ(lock_range(inherited, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	close(inherited);
	return 0;
}

static int child_unlocks(void *p)
{
	OK(flock(inherited, LOCK_UN));
	EQ(lock_range(inherited, F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	return 0;
}

static void fork_inherits(const struct pair *p)
{
	inherited_path = p->here;
	other_path = p->there;
	inherited = open_file(p->here);
	EQ(lock_range(inherited, F_SETLK, F_WRLCK, 0, 0), 0);
	EQ(in_child(child_of_posix, NULL), 0);
	EQ(other_gets_all(p->there, F_SETLK), EAGAIN);
	EQ(lock_range(inherited, F_SETLK, F_UNLCK, 0, 0), 0);
	OK(flock(inherited, LOCK_EX));
	EQ(lock_range(inherited, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	EQ(in_child(child_of_flock, NULL), 0);
	EQ(other_gets_all(p->there, 0), EWOULDBLOCK);
	EQ(other_gets_all(p->there, F_OFD_SETLK), EAGAIN);
	EQ(in_child(child_unlocks, NULL), 0);
	EQ(other_gets_all(p->there, 0), 0);
	EQ(other_gets_all(p->there, F_OFD_SETLK), 0);
	close(inherited);
}

TEST(fork_inherits_flock_and_ofd_locks_and_no_posix_locks)
{
	with_each_pair(fork_inherits);
}

/* Waiting -------------------------------------------------------------------- */

static int wait_posix(int fd, bool on)
{
	return lock_range(fd, F_SETLKW, on ? F_WRLCK : F_UNLCK, 0, 0);
}

static int wait_ofd(int fd, bool on)
{
	return lock_range(fd, F_OFD_SETLKW, on ? F_WRLCK : F_UNLCK, 0, 0);
}

static int wait_flock(int fd, bool on)
{
	return flock_is(fd, on ? LOCK_EX : LOCK_UN);
}

static int (*const kinds[])(int fd, bool on) = { wait_posix, wait_ofd, wait_flock };

struct waiter {
	const char *path;
	int (*lock)(int fd, bool on);
	int tell;	/* a pipe: it begins to wait, and it has the lock */
};

static int wait_for_lock(void *p)
{
	struct waiter *w = p;
	int fd = open_file(w->path);

	EQ(write(w->tell, "w", 1), 1);
	EQ(w->lock(fd, true), 0);
	EQ(write(w->tell, "h", 1), 1);
	return 0;
}

static void no_action(int sig)
{
}

static int wait_interrupted(void *p)
{
	struct sigaction action = { .sa_handler = no_action };	/* no SA_RESTART */
	struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	struct waiter *w = p;
	int fd = open_file(w->path);

	OK(sigaction(SIGALRM, &action, NULL));
	/* More than once: it may come before the wait begins. */
	OK(setitimer(ITIMER_REAL, &often, NULL));
	EQ(w->lock(fd, true), EINTR);
	return 0;
}

static char told(int fd)
{
	char c = 0;

	EQ(read(fd, &c, 1), 1);
	return c;
}

static void wait_for_other_side(const struct pair *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = open_file(p->here), ends[2];
		struct pollfd ready = { .events = POLLIN };
		struct waiter w = { p->there, kinds[i], 0 };
		pid_t pid;

		OK(pipe2(ends, O_CLOEXEC));
		ready.fd = ends[0];
		w.tell = ends[1];
		EQ(kinds[i](fd, true), 0);
		pid = spawn(wait_for_lock, &w);
		EQ(told(ends[0]), 'w');
		EQ(poll(&ready, 1, 200), 0);
		EQ(in_child(wait_interrupted, &w), 0);
		EQ(kinds[i](fd, false), 0);
		EQ(told(ends[0]), 'h');
		EQ(reap(pid), 0);
		EQ(kinds[i](fd, true), 0);
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
}

TEST(lock_of_the_other_side_is_waited_for)
{
	with_each_pair(wait_for_other_side);
}

static int lock_second_then_first(void *p)
{
	struct waiter *w = p;
	int fd = open_file(w->path);

	EQ(lock_range(fd, F_SETLK, F_WRLCK, 1, 1), 0);
	EQ(write(w->tell, "w", 1), 1);
	EQ(lock_range(fd, F_SETLKW, F_WRLCK, 0, 1), 0);
	return 0;
}

static void deadlock(const struct pair *p)
{
	int fd = open_file(p->here), ends[2];
	struct waiter w = { p->there, NULL, 0 };
	pid_t pid;

	OK(pipe2(ends, O_CLOEXEC));
	w.tell = ends[1];
	EQ(lock_range(fd, F_SETLK, F_WRLCK, 0, 1), 0);
	pid = spawn(lock_second_then_first, &w);
	EQ(told(ends[0]), 'w');
	EVENTUALLY(waits_for_lock(pid));
	EQ(lock_range(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	close(fd);
	EQ(reap(pid), 0);
	close(ends[0]);
	close(ends[1]);
}

TEST(deadlock_of_two_sides_is_edeadlk)
{
	with_each_pair(deadlock);
}

/* Many at a time: a counter in the file, each time read and written under a lock. */

enum { ADDERS = 2, ADDS = 150 };

struct adder {
	const char *path;
	int (*lock)(int fd, bool on);
};

static int add_up(void *p)
{
	struct adder *a = p;
	int fd = open_file(a->path);
	long n;

	for (int i = 0; i < ADDS; i++) {
		EQ(a->lock(fd, true), 0);
		EQ(pread(fd, &n, sizeof(n), 0), sizeof(n));
		n++;
		EQ(pwrite(fd, &n, sizeof(n), 0), sizeof(n));
		EQ(a->lock(fd, false), 0);
	}
	return 0;
}

static void counters_add_up(const struct pair *p)
{
	pid_t pids[2 * ADDERS];
	long n;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = open_file(p->here);
		n = 0;
		EQ(pwrite(fd, &n, sizeof(n), 0), sizeof(n));
		for (int k = 0; k < 2 * ADDERS; k++)
			pids[k] = spawn(add_up, &(struct adder){ k & 1 ? p->there : p->here,
								 kinds[i] });
		for (int k = 0; k < 2 * ADDERS; k++)
			EQ(reap(pids[k]), 0);
		EQ(pread(fd, &n, sizeof(n), 0), sizeof(n));
		EQ(n, 2 * ADDERS * ADDS);
		close(fd);
	}
}

TEST(what_is_done_under_locks_of_both_sides_is_not_lost)
{
	with_each_pair(counters_add_up);
}

/* Leases --------------------------------------------------------------------- */

static atomic_int lease_breaks;

static void count_break(int sig)
{
	lease_breaks++;
}

/* 0: the attempt went on at once. */
static int write_at_once(void *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	return fd < 0 ? errno : 0;
}

static int read_at_once(void *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	return fd < 0 ? errno : 0;
}

static int truncate_it(void *path)
{
	return truncate(path, 5) ? errno : 0;
}

static int lease_begin(const char *path, int flags, int type)
{
	int fd = OK(open(path, flags));

	OK(fcntl(fd, F_SETLEASE, type));
	EQ(fcntl(fd, F_GETLEASE), type);
	lease_breaks = 0;
	return fd;
}

/* The lease goes when it is asked for, and then the other one goes on. */
static void expect_broken(int fd, pid_t pid, int target)
{
	int status;

	EVENTUALLY(lease_breaks == 1);
	EQ(fcntl(fd, F_GETLEASE), target);
	usleep(50000);
	EQ(waitpid(pid, &status, WNOHANG), 0);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	EQ(reap(pid), 0);
	close(fd);
}

static int open_to_write(void *path)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 ? errno : 0;
}

static int open_to_read(void *path)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 ? errno : 0;
}

static void leases_break(const struct pair *p)
{
	struct sigaction action = { .sa_handler = count_break, .sa_flags = SA_RESTART };
	void *there = (void *)p->there;
	int fd;

	OK(sigaction(SIGIO, &action, NULL));
	fd = lease_begin(p->here, O_RDONLY, F_RDLCK);
	EQ(in_child(read_at_once, there), 0);
	EQ(in_child(write_at_once, there), EWOULDBLOCK);
	EVENTUALLY(lease_breaks == 1);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	EQ(in_child(write_at_once, there), 0);
	close(fd);
	fd = lease_begin(p->here, O_RDONLY, F_RDLCK);
	expect_broken(fd, spawn(open_to_write, there), F_UNLCK);
	fd = lease_begin(p->here, O_RDWR, F_WRLCK);
	EQ(in_child(read_at_once, there), EWOULDBLOCK);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
	fd = lease_begin(p->here, O_RDWR, F_WRLCK);
	expect_broken(fd, spawn(open_to_read, there), F_RDLCK);
	fd = lease_begin(p->here, O_RDONLY, F_RDLCK);
	expect_broken(fd, spawn(truncate_it, there), F_UNLCK);
}

/* Opens, some time after it was started. */
static int open_soon(void *path)
{
	for (int n = rand() % 40000; n; n--)
		__asm__ volatile("" ::: "memory");
	return open_to_write(path);
}

/* A lease that is given while the other side opens the file is broken as well. */
static void leases_break_at_once(const struct pair *p)
{
	struct sigaction action = { .sa_handler = count_break, .sa_flags = SA_RESTART };
	int given = 0, status;

	OK(sigaction(SIGIO, &action, NULL));
	for (int i = 0; i < 150; i++) {
		int fd = OK(open(p->here, O_RDONLY | O_CLOEXEC));
		bool ended = false;
		pid_t pid;

		srand(i);
		lease_breaks = 0;
		pid = spawn(open_soon, (void *)p->there);
		if (!fcntl(fd, F_SETLEASE, F_RDLCK)) {
			given++;
			EVENTUALLY(lease_breaks || (ended = waitpid(pid, &status, WNOHANG) == pid));
			OK(fcntl(fd, F_SETLEASE, F_UNLCK));
		}
		if (!ended)
			EQ(reap(pid), 0);
		close(fd);
	}
	CHECK(given > 10);
}

TEST(lease_given_during_an_open_of_the_other_side_is_broken)
{
	with_each_pair(leases_break_at_once);
}

/* The signal about one that was given back does not concern the next one. */
static void leases_given_back_do_not_break(const struct pair *p)
{
	struct sigaction action = { .sa_handler = count_break, .sa_flags = SA_RESTART };
	int fd, other = 0;

	OK(sigaction(SIGIO, &action, NULL));
	for (int i = 0; i < 100; i++) {
		fd = lease_begin(p->here, O_RDWR, F_WRLCK);
		EQ(in_child(read_at_once, (void *)p->there), EWOULDBLOCK);
		OK(fcntl(fd, F_SETLEASE, F_UNLCK));
		OK(fcntl(fd, F_SETLEASE, F_WRLCK));
		usleep(2000);
		other += fcntl(fd, F_GETLEASE) != F_WRLCK;
		close(fd);
	}
	EQ(other, 0);
}

TEST(lease_is_not_broken_for_one_that_was_given_back)
{
	with_each_pair(leases_given_back_do_not_break);
}

TEST(lease_is_broken_by_the_other_side)
{
	with_each_pair(leases_break);
}

/* None is given where somebody has the file open otherwise. */
static void leases_are_refused(const struct pair *p)
{
	int there = OK(open(p->there, O_RDONLY)), here = OK(open(p->here, O_RDWR));

	EQ(fcntl(here, F_SETLEASE, F_WRLCK) ? errno : 0, EAGAIN);
	close(there);
	OK(fcntl(here, F_SETLEASE, F_WRLCK));
	OK(fcntl(here, F_SETLEASE, F_UNLCK));
	close(here);
	there = OK(open(p->there, O_WRONLY));
	here = OK(open(p->here, O_RDONLY));
	EQ(fcntl(here, F_SETLEASE, F_RDLCK) ? errno : 0, EAGAIN);
	close(there);
	OK(fcntl(here, F_SETLEASE, F_RDLCK));
	close(here);
	EQ(in_child(write_at_once, (void *)p->there), 0);
}

TEST(lease_is_refused_while_the_other_side_has_the_file_open)
{
	with_each_pair(leases_are_refused);
}

/* When the rules change ------------------------------------------------------- */

static void expect_dropped_after(const char *command)
{
	int fd = open_file("m/f");

	EQ(lock_range(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	EQ(other_gets_all("b/f", F_SETLK), EAGAIN);
	run("%s", command);
	EQ(other_gets_all("b/f", F_SETLK), EAGAIN);
	EQ(lock_range(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	EQ(other_gets_all("b/f", F_SETLK), 0);
	close(fd);
	run("fusepass policy detach m 2>/dev/null; fusepass policy attach mirror m");
	fd = open_file("m/f");
	EQ(lock_range(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	OK(flock(fd, LOCK_EX));
	EQ(other_gets_all("b/f", 0), EWOULDBLOCK);
	run("%s", command);
	close(fd);
	EQ(other_gets_all("b/f", F_SETLK), 0);
	EQ(other_gets_all("b/f", 0), 0);
	run("fusepass policy detach m 2>/dev/null; fusepass policy attach mirror m");
}

TEST(lock_is_dropped_though_the_policy_was_replaced_or_detached_meanwhile)
{
	make_pairs();
	expect_dropped_after("fusepass policy replace readonly m");
	expect_dropped_after("fusepass policy detach m");
}

/* sqlite --------------------------------------------------------------------- */

static void sqlite_writers(const char *mode, int count)
{
	if (shell("/usr/bin/python3 -c 'import sqlite3' 2>/dev/null"))
		test_skip("no python3 with sqlite3");
	make_pairs();
	run("/usr/bin/python3 %s/../../../tests/policy/sqlite_writer.py %s %d"
	    " n/db n/db m/db b/db m/db m2/db", harness_bin, mode, count);
	expect_silence_of("m");
	expect_silence_of("m2");
}

TEST(two_sqlite_writers_with_a_rollback_journal_lose_nothing)
{
	sqlite_writers("delete", 40);
}

TEST(two_sqlite_writers_with_a_wal_lose_nothing)
{
	sqlite_writers("wal", 40);
}

TEST_FLAGS(two_sqlite_writers_with_a_rollback_journal_lose_nothing_of_many, T_LONG)
{
	sqlite_writers("delete", 200);
}

TEST_FLAGS(two_sqlite_writers_with_a_wal_lose_nothing_of_many, T_LONG)
{
	sqlite_writers("wal", 200);
}
