// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two processes at the same names, one on the mount and one in the tree behind it.
 *
 * The cases that went wrong once, and their kinds, each for a few seconds; what
 * processes do at random is the business of the concurrent tester. Everything is
 * done a second time with a bind mount of the tree in the place of the mount, which
 * tells that what is expected is what happens natively.
 *
 * Terms: whoever moves changes names in the tree, whoever looks uses them by a view,
 * which is the mount or the bind mount. In a duel each does one thing, at about the
 * same time, and what is there afterwards tells whether one came before the other.
 */
#include "harness.h"
#include "passed.h"
#include "polload.h"
#include "rawfuse.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { ERRNOS = 140, MOST_LOOPS = 8, SETS = 32 };

/* Of all processes of a case. */
static struct shared {
	atomic_bool stop;
	/* Results of the steps of each loop: 0 or an errno. */
	long results[MOST_LOOPS][ERRNOS];
	/* Of duels: how many were begun, and ended by whoever moves. */
	atomic_long begun, ended;
	struct set {
		char native[32], view[32];	/* its directory */
		uint64_t a, c, x;		/* numbers of what was there */
		uint64_t seen;			/* as b, by whoever moved a to b */
		long delay;			/* of one of them, as spins */
		int moved, other;		/* results */
	} sets[SETS];
} *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* For who has more time than a test may take. */
static double times_longer(void)
{
	const char *times = getenv("FUSEPASS_RACE_TIMES");

	return times && atof(times) > 0 ? atof(times) : 1;
}

/* "top/name", in one of some buffers. */
static const char *in(const char *top, const char *name)
{
	static char path[8][128];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, name);
	return path[turn];
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int closed(int fd)
{
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* b, its mount m by the shipped server, and v, the same directory natively. */
static void mount_views(void)
{
	share();
	OK(mkdir("b", 0755));
	OK(mkdir("v", 0755));
	OK(mount("b", "v", NULL, MS_BIND, NULL));
	mount_passed("b", "m", "");
	asked_reset("m");
}

/* Loops ---------------------------------------------------------------------- */

struct loop {
	int (*step)(const char *top);	/* 0 or an errno */
	const char *top;
	uid_t uid;
	int number;	/* of its results; also its CPU */
	pid_t pid;
};

static int loop_run(void *p)
{
	struct loop *l = p;
	long *results = shared->results[l->number];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(l->number);
	if (l->uid) {
		OK(setresgid(l->uid, l->uid, l->uid));
		OK(setresuid(l->uid, l->uid, l->uid));
	}
	while (!shared->stop) {
		int err = l->step(l->top);

		results[err >= 0 && err < ERRNOS ? err : ERRNOS - 1]++;
	}
	return 0;
}

static void loops_begin(struct loop *loops, int n)
{
	CHECK(n <= MOST_LOOPS);
	memset(shared, 0, sizeof(*shared));
	for (int i = 0; i < n; i++) {
		loops[i].number = i;
		loops[i].pid = spawn(loop_run, &loops[i]);
	}
}

static long results_of(int number)
{
	long n = 0;

	for (int e = 0; e < ERRNOS; e++)
		n += shared->results[number][e];
	return n;
}

/* Lets them run for so long, and longer on a machine that had no time for one of them. */
static void loops_end(struct loop *loops, int n, double seconds)
{
	double end = now() + seconds * times_longer(), latest = end + 5 * harness_patience;

	for (int i = 0; i < n; i++)
		while (now() < end || (results_of(i) < 10 && now() < latest))
			usleep(10000);
	shared->stop = true;
	for (int i = 0; i < n; i++)
		EQ(reap(loops[i].pid), 0);
}

/* Nothing but these came of it, and it was done at all. */
static void expect_only(int number, const char *what, const int *errnos)
{
	long *results = shared->results[number], n = results_of(number), good = 0, bad = 0;

	for (; *errnos >= 0; errnos++) {
		good += results[*errnos];
		results[*errnos] = 0;
	}
	for (int e = 0; e < ERRNOS; e++)
		if (results[e]) {
			bad += results[e];
			note("%s: %ld of %ld %s", what, results[e], n,
			     e ? strerrorname_np(e) : "succeeded");
		}
	if (bad)
		FAIL("%s: %ld of %ld are not as natively", what, bad, n);
	if (!good)
		FAIL("%s: never done", what);
}

static const int none[] = { 0, -1 }, or_enoent[] = { 0, ENOENT, -1 },
	or_eexist[] = { 0, EEXIST, -1 }, only_enoent[] = { ENOENT, -1 };

/* Looking at names that come and go ------------------------------------------- */

static int do_stat(const char *top)
{
	struct stat st;

	return result(stat(in(top, "f"), &st));
}

static int do_open(const char *top)
{
	return closed(open(in(top, "f"), O_RDWR));
}

static int do_create(const char *top)
{
	return closed(open(in(top, "f"), O_CREAT | O_RDWR, 0644));
}

static int do_create_new(const char *top)
{
	return closed(open(in(top, "f"), O_CREAT | O_EXCL | O_RDWR, 0644));
}

static int do_create_empty(const char *top)
{
	return closed(open(in(top, "f"), O_CREAT | O_TRUNC | O_WRONLY, 0644));
}

static int do_chmod(const char *top)
{
	return result(chmod(in(top, "f"), 0600));
}

static int do_truncate(const char *top)
{
	return result(truncate(in(top, "f"), 3));
}

static int do_utimens(const char *top)
{
	return result(utimensat(AT_FDCWD, in(top, "f"), NULL, 0));
}

static int do_setxattr(const char *top)
{
	return result(setxattr(in(top, "f"), "user.a", "v", 1, 0));
}

static int do_access(const char *top)
{
	return result(access(in(top, "f"), R_OK));
}

static int do_link(const char *top)
{
	int err = result(link(in(top, "f"), in(top, "link")));

	unlink(in(top, "link"));
	return err;
}

/* Results while the name comes and goes, and while it is only replaced. A link
 * cannot be made to what has lost its last name meanwhile, by whatever name it was found. */
static const struct looker {
	const char *what;
	int (*step)(const char *top);
	const int *coming, *staying;
	bool makes;
} lookers[] = {
	{ "stat", do_stat, or_enoent, none, false },
	{ "open", do_open, or_enoent, none, false },
	{ "open with O_CREAT", do_create, none, none, true },
	{ "open with O_CREAT and O_TRUNC", do_create_empty, none, none, true },
	{ "chmod", do_chmod, or_enoent, none, false },
	{ "truncate", do_truncate, or_enoent, none, false },
	{ "utimensat", do_utimens, or_enoent, none, false },
	{ "setxattr", do_setxattr, or_enoent, none, false },
	{ "access", do_access, or_enoent, none, false },
	{ "link", do_link, or_enoent, or_enoent, false },
};

static void must(long r, const char *what)
{
	if (r < 0)
		FAIL("native %s: %s", what, strerrorname_np(errno));
}

static int move_by_creating(const char *top)
{
	int fd = open(in(top, "f"), O_CREAT | O_WRONLY, 0644);

	must(fd, "open with O_CREAT");
	close(fd);
	must(unlink(in(top, "f")), "unlink");
	return 0;
}

static int move_by_renaming(const char *top)
{
	must(rename(in(top, "f"), in(top, "g")), "rename");
	must(rename(in(top, "g"), in(top, "f")), "rename back");
	return 0;
}

static int move_by_replacing(const char *top)
{
	int fd = open(in(top, "tmp"), O_CREAT | O_WRONLY, 0644);

	must(fd, "open with O_CREAT");
	close(fd);
	must(rename(in(top, "tmp"), in(top, "f")), "rename");
	return 0;
}

static int move_by_exchanging(const char *top)
{
	must(renameat2(AT_FDCWD, in(top, "f"), AT_FDCWD, in(top, "g"), RENAME_EXCHANGE),
	     "exchange");
	return 0;
}

static void look_while(int (*move)(const char *top), const struct looker *l,
		       const char *view, double seconds, const int *errnos)
{
	struct loop loops[] = {
		{ .step = move, .top = "b" }, { .step = l->step, .top = view },
	};
	char what[64];

	snprintf(what, sizeof(what), "%s on %s", l->what, view);
	loops_begin(loops, 2);
	loops_end(loops, 2, seconds);
	expect_only(1, what, errnos);
	if (!shared->results[0][0])
		FAIL("nothing was moved");
}

/* @stays: the name is there at each moment, as something or other. */
static void look_at_moving(int (*move)(const char *top), bool stays)
{
	mount_views();
	put_file("b/f", "some text\n", 0644);
	put_file("b/g", "other text\n", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(lookers); i++) {
		const struct looker *l = &lookers[i];
		const int *errnos = stays ? l->staying : l->coming;

		/* It would be in the way of a rename back. */
		if (l->makes && move == move_by_renaming)
			continue;
		look_while(move, l, "v", 0.3, errnos);
		look_while(move, l, "m", 1, errnos);
	}
	expect_silence_of("m");
}

TEST(name_that_is_created_and_removed_in_the_tree_gives_no_other_error)
{
	look_at_moving(move_by_creating, false);
}

TEST(name_that_is_renamed_to_and_fro_in_the_tree_gives_no_other_error)
{
	look_at_moving(move_by_renaming, false);
}

TEST(name_that_is_replaced_in_the_tree_is_always_there)
{
	look_at_moving(move_by_replacing, true);
}

TEST(name_that_is_exchanged_in_the_tree_is_always_there)
{
	look_at_moving(move_by_exchanging, true);
}

static int do_mkdir(const char *top)
{
	return result(mkdir(in(top, "d"), 0755));
}

static int move_by_mkdir(const char *top)
{
	if (mkdir(in(top, "d"), 0755) && errno != EEXIST)
		must(-1, "mkdir");
	must(rmdir(in(top, "d")), "rmdir");
	return 0;
}

TEST(exclusive_creation_of_what_comes_and_goes_in_the_tree_works_or_is_eexist)
{
	static const struct looker make[] = {
		{ "mkdir", do_mkdir, NULL, NULL, true },
		{ "open with O_EXCL", do_create_new, NULL, NULL, true },
	};

	mount_views();
	look_while(move_by_mkdir, &make[0], "v", 0.3, or_eexist);
	look_while(move_by_mkdir, &make[0], "m", 2, or_eexist);
	rmdir("b/d");
	look_while(move_by_creating, &make[1], "v", 0.3, or_eexist);
	look_while(move_by_creating, &make[1], "m", 2, or_eexist);
	expect_silence_of("m");
}

/* Directories that are exchanged and moved ------------------------------------- */

static int beneath_stat(const char *top)
{
	struct stat st;

	return result(stat(in(top, "A/f"), &st));
}

static int beneath_read(const char *top)
{
	int fd = open(in(top, "A/f"), O_RDONLY), err;
	char buf[8];

	if (fd < 0)
		return errno;
	err = result(read(fd, buf, sizeof(buf)));
	close(fd);
	return err;
}

static int beneath_list(const char *top)
{
	DIR *d = opendir(in(top, "A"));
	int n = 0, err;

	if (!d)
		return errno;
	errno = 0;
	while (readdir(d))
		n++;
	err = errno;
	closedir(d);
	return err ? err : n < 3 ? EBADMSG : 0;
}

/* The new object is in A or in B when it is to be removed; one of them has it, each time. */
static int beneath_make(const char *top)
{
	int err = closed(open(in(top, "A/new"), O_CREAT | O_RDWR, 0644));

	return err ?: result(chmod(in(top, "A/f"), 0644));
}

static int beneath_deep(const char *top)
{
	struct stat st;

	return result(stat(in(top, "A/sub/deep"), &st));
}

static const struct looker beneath[] = {
	{ "stat beneath", beneath_stat, or_enoent, none, false },
	{ "stat further beneath", beneath_deep, or_enoent, none, false },
	{ "open and read beneath", beneath_read, or_enoent, none, false },
	{ "listing", beneath_list, or_enoent, none, false },
	{ "creating beneath", beneath_make, or_enoent, none, false },
};

static int exchange(const char *top)
{
	return result(renameat2(AT_FDCWD, in(top, "A"), AT_FDCWD, in(top, "B"),
				RENAME_EXCHANGE));
}

static int exchange_now_and_then(const char *top)
{
	usleep(1000);
	return exchange(top);
}

static int move_round(const char *top)
{
	return result(rename(in(top, "A"), in(top, "T"))) ?:
	       result(rename(in(top, "B"), in(top, "A"))) ?:
	       result(rename(in(top, "T"), in(top, "B")));
}

static void look_beneath(int (*move)(const char *top), const char *mover, const char *view,
			 double seconds, bool stays)
{
	for (size_t i = 0; i < ARRAY_SIZE(beneath); i++) {
		struct loop loops[] = {
			{ .step = move, .top = mover },
			{ .step = beneath[i].step, .top = view },
		};
		char what[64];

		snprintf(what, sizeof(what), "%s, by %s, moved on %s", beneath[i].what, view,
			 mover);
		loops_begin(loops, 2);
		loops_end(loops, 2, seconds);
		expect_only(0, "moving", none);
		expect_only(1, what, stays ? beneath[i].staying : beneath[i].coming);
	}
}

static void make_two_directories(void)
{
	mount_views();
	run("for d in A B; do mkdir -p b/$d/sub; echo text >b/$d/f; echo x >b/$d/sub/deep; done");
}

static void look_at_exchanged(const char *mover, double seconds)
{
	make_two_directories();
	look_beneath(exchange, "b", "v", 0.3, true);
	look_beneath(exchange, mover, "m", seconds, true);
	look_beneath(exchange_now_and_then, mover, "m", seconds / 2, true);
	expect_silence_of("m");
}

TEST(directories_exchanged_through_the_mount_give_no_error_beneath)
{
	look_at_exchanged("m", 1);
}

TEST(directories_exchanged_in_the_tree_give_no_error_beneath)
{
	look_at_exchanged("b", 1);
}

TEST_FLAGS(directories_exchanged_many_times_through_the_mount_give_no_error_beneath, T_LONG)
{
	look_at_exchanged("m", 4);
}

TEST(directories_that_are_moved_are_there_or_not)
{
	make_two_directories();
	look_beneath(move_round, "b", "v", 0.3, false);
	look_beneath(move_round, "m", "m", 1, false);
	look_beneath(move_round, "b", "m", 1, false);
	expect_silence_of("m");
}

/* Files that are exchanged on the mount, too: whoever reads gets one of them whole. */
static int read_whole(const char *top)
{
	char buf[4096];
	int fd = open(in(top, "f"), O_RDONLY), err;

	if (fd < 0)
		return errno;
	err = read(fd, buf, sizeof(buf)) == sizeof(buf) ? 0 : EBADMSG;
	for (size_t i = 1; !err && i < sizeof(buf); i++)
		err = buf[i] == buf[0] ? 0 : EBADMSG;
	close(fd);
	return err;
}

static int exchange_files(const char *top)
{
	return result(renameat2(AT_FDCWD, in(top, "f"), AT_FDCWD, in(top, "g"),
				RENAME_EXCHANGE));
}

TEST(files_exchanged_through_the_mount_are_always_there)
{
	static const char *const names[] = { "b/f", "b/g" };
	static const struct looker look[] = {
		{ "read", read_whole, NULL, none, false }, { "stat", do_stat, NULL, none, false },
	};
	char block[4096];

	mount_views();
	for (int i = 0; i < 2; i++) {
		int fd = OK(open(names[i], O_CREAT | O_WRONLY, 0644));

		memset(block, 'f' + i, sizeof(block));
		EQ(write(fd, block, sizeof(block)), sizeof(block));
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(look); i++) {
		struct loop loops[] = {
			{ .step = exchange_files, .top = "m" },
			{ .step = look[i].step, .top = "m" },
		};

		loops_begin(loops, 2);
		loops_end(loops, 2, 1.5);
		expect_only(0, "exchanging", none);
		expect_only(1, look[i].what, look[i].staying);
	}
	expect_silence_of("m");
}

/* Duels ----------------------------------------------------------------------- *
 *
 * There is a in the tree, and c, and x; b is what a is renamed to. Whoever moves
 * does it natively, and at the same moment the other one, by the view, does another
 * thing to the same names.
 */

/* The names that are fought for. There are many such sets, each in a directory of its
 * own, so that those who fight have to wait for nothing but each other. */
static struct set *set;

/* Number of what has a name in the tree now; 0: nothing. */
static uint64_t at(const char *name)
{
	struct stat st;

	if (!lstat(in(set->native, name), &st))
		return st.st_ino;
	if (errno != ENOENT)
		FAIL("lstat %s: %s", name, strerrorname_np(errno));
	return 0;
}

static nlink_t links_of(const char *name)
{
	return stat_of(in(set->native, name)).st_nlink;
}

struct duel {
	const char *dirs;	/* which of a, c and x are directories */
	int (*native)(const char *top);
	int (*other)(const char *top);
	/* Could one have come before the other? */
	bool (*right)(int native, int other);
	/* Besides a, c and x. */
	void (*prepare)(void);
};

/* The moved object is known by looking at once: an object that is there later may be of another
 * put there. */
static int rename_a_b_seen(const char *top)
{
	int err = result(rename(in(top, "a"), in(top, "b")));
	struct set *s = &shared->sets[shared->ended % SETS];
	struct stat st;

	s->seen = lstat(in(top, "b"), &st) ? 0 : st.st_ino;
	return err;
}

#define MOVE(id, call) static int id(const char *top) { return result(call); }
MOVE(rename_a_b, rename(in(top, "a"), in(top, "b")))
MOVE(rename_a_c, rename(in(top, "a"), in(top, "c")))
MOVE(rename_c_a, rename(in(top, "c"), in(top, "a")))
MOVE(rename_x_a, rename(in(top, "x"), in(top, "a")))
MOVE(rename_x_d, rename(in(top, "x"), in(top, "d")))
MOVE(rename_x_a_new, renameat2(AT_FDCWD, in(top, "x"), AT_FDCWD, in(top, "a"), RENAME_NOREPLACE))
MOVE(rename_a_new, renameat2(AT_FDCWD, in(top, "a"), AT_FDCWD, in(top, "d"), RENAME_NOREPLACE))
MOVE(rename_c_new, renameat2(AT_FDCWD, in(top, "c"), AT_FDCWD, in(top, "d"), RENAME_NOREPLACE))
MOVE(exchange_a_c, renameat2(AT_FDCWD, in(top, "a"), AT_FDCWD, in(top, "c"), RENAME_EXCHANGE))
MOVE(link_a_d, link(in(top, "a"), in(top, "d")))
MOVE(unlink_a, unlink(in(top, "a")))
MOVE(rmdir_a, rmdir(in(top, "a")))
MOVE(create_a, closed(open(in(top, "a"), O_CREAT | O_EXCL | O_WRONLY, 0644)) ? -1 : 0)
MOVE(mkdir_d, mkdir(in(top, "d"), 0755))
MOVE(symlink_d, symlink("t", in(top, "d")))
MOVE(rename_a_into_c, rename(in(top, "a"), in(top, "c/a")))
MOVE(rename_c_into_a, rename(in(top, "c"), in(top, "a/c")))
MOVE(unlink_a_in, unlink(in(top, "a/in")))
MOVE(rename_a_in, rename(in(top, "a/in"), in(top, "d")))

static bool one(int native, int other, int error)
{
	return (!native && other == error) || (native == error && !other);
}

static bool right_unlink(int n, int o)
{
	return one(n, o, ENOENT) && !at("a") && at("b") == (n ? 0 : set->a);
}

static bool right_rename(int n, int o)
{
	return one(n, o, ENOENT) && !at("a") && at(n ? "c" : "b") == set->a &&
	       (n ? !at("b") : at("c") == set->c);
}

static bool right_target(int n, int o)
{
	if (n || o || at("c") || at("b") != set->seen)
		return false;
	return (at("b") == set->a && at("a") == set->c) || (at("b") == set->c && !at("a"));
}

static bool right_two_targets(int n, int o)
{
	return !n && !o && !at("c") && !at("x") && (at("a") == set->c || at("a") == set->x);
}

static bool right_link(int n, int o)
{
	if (n || (o && o != ENOENT) || at("b") != set->a)
		return false;
	return at("d") == (o ? 0 : set->a) && links_of("b") == (o ? 1 : 2);
}

static bool right_link_target(int n, int o)
{
	return !n && (!o || o == EEXIST) && at("d") == set->x && at("a") == set->a &&
	       links_of("a") == 1;
}

static bool right_exchange(int n, int o)
{
	if (n || (o && o != ENOENT) || at("a") || at("b") != set->seen)
		return false;
	return at("b") == (o ? set->a : set->c) && at("c") == (o ? set->c : set->a);
}

static bool right_both_unlink(int n, int o)
{
	return one(n, o, ENOENT) && !at("a");
}

static bool right_create(int n, int o)
{
	return one(n, o, EEXIST) && (n ? at("x") == set->x && at("a") : at("a") == set->x);
}

static bool right_new_target(int n, int o)
{
	return one(n, o, EEXIST) && at("d") == (n ? set->c : set->a);
}

static bool right_new(int n, int o)
{
	return one(n, o, EEXIST) && at("d");
}

/* Each into the other one: there would be nothing left that leads to them. */
static bool right_loop(int n, int o)
{
	if (n && o)
		return false;
	if (!n && !o)
		return false;
	return n ? (n == EINVAL || n == ENOENT) && at("a/c") == set->c
		 : (o == EINVAL || o == ENOENT) && at("c/a") == set->a;
}

static bool right_unlink_in(int n, int o)
{
	return !n && (!o || o == ENOENT) && at("b") == set->a && !!at("b/in") == !!o &&
	       at("b/keep");
}

static bool right_rename_in(int n, int o)
{
	return !n && (!o || o == ENOENT) && at("b") == set->a && !!at("b/in") == !!o &&
	       !!at("d") == !o && at("b/keep");
}

static void without_a(void)
{
	OK(unlink(in(set->native, "a")));
}

static void filled_a(void)
{
	close(OK(creat(in(set->native, "a/in"), 0644)));
	close(OK(creat(in(set->native, "a/keep"), 0644)));
}

static uint64_t make(const struct duel *d, const char *name)
{
	if (strchr(d->dirs, *name))
		OK(mkdir(in(set->native, name), 0755));
	else
		close(OK(creat(in(set->native, name), 0644)));
	return at(name);
}

static void remove_all(const char *top)
{
	struct dirent *e;
	char path[300];
	DIR *d = opendir(top);

	CHECK(d);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", top, e->d_name);
		if (!unlink(path))
			continue;
		if (rmdir(path)) {
			remove_all(path);
			OK(rmdir(path));
		}
	}
	closedir(d);
}

static void set_prepare(const struct duel *d, int i, const char *view)
{
	struct stat st;

	set = &shared->sets[i];
	snprintf(set->native, sizeof(set->native), "b/s%d", i);
	snprintf(set->view, sizeof(set->view), "%s/s%d", view, i);
	OK(mkdir(set->native, 0755));
	set->a = make(d, "a");
	set->c = make(d, "c");
	set->x = make(d, "x");
	if (d->prepare)
		d->prepare();
	/* They are known there. */
	for (const char *name = "a\0c\0d\0"; *name; name += 2)
		lstat(in(set->view, name), &st);
}

static void spin(long n)
{
	for (volatile long i = 0; i < n; i++)
		;
}

static int duel_native(void *p)
{
	const struct duel *d = p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(0);
	for (long i = 0;; i++) {
		struct set *s = &shared->sets[i % SETS];

		while (shared->begun <= i)
			if (shared->stop)
				return 0;
		if (s->delay < 0)
			spin(-s->delay);
		s->moved = d->native(s->native);
		shared->ended = i + 1;
	}
}

static double one_spin(void)
{
	double begin = now();

	spin(100000);
	return (now() - begin) / 100000;
}

/* How far one could be ahead for them to meet, as spins: what this takes. */
static long longest_delay(const struct duel *d, const char *view)
{
	double begin, took;

	for (int i = 0; i < SETS; i++)
		set_prepare(d, i, view);
	begin = now();
	for (int i = 0; i < SETS; i++)
		d->other(shared->sets[i].view);
	took = now() - begin;
	remove_all("b");
	return took / SETS / one_spin() + 1;
}

static const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "OK";
}

/* Could what came of it have come about with one after the other? */
static bool set_is_right(const struct duel *d)
{
	if (d->right(set->moved, set->other))
		return true;
	note("natively %s, on %s %s; a was %lu, c %lu, x %lu; a is %lu, b %lu, c %lu, d %lu",
	     name_of(set->moved), set->view, name_of(set->other), set->a, set->c, set->x,
	     at("a"), at("b"), at("c"), at("d"));
	return false;
}

/* All sets once; how many went wrong. */
static int fight_all_sets(const struct duel *d, const char *view, long most)
{
	static unsigned int seed = 1;
	int wrong = 0;

	for (int i = 0; i < SETS; i++) {
		set_prepare(d, i, view);
		set->delay = rand_r(&seed) % (2 * most + 1) - most;
	}
	for (int i = 0; i < SETS; i++) {
		struct set *s = &shared->sets[i];
		long number = ++shared->begun;

		if (s->delay > 0)
			spin(s->delay);
		s->other = d->other(s->view);
		while (shared->ended < number)
			;
	}
	for (int i = 0; i < SETS; i++) {
		set = &shared->sets[i];
		wrong += !set_is_right(d);
	}
	remove_all("b");
	return wrong;
}

static void fight(const struct duel *d, const char *view, double seconds)
{
	long wrong = 0, rounds = 0, most = longest_delay(d, view);
	double end = now() + seconds * times_longer(), latest = end + 4;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = spawn(duel_native, (void *)d);
	pin(1);
	while (!wrong && (now() < end || (rounds < 4 * SETS && now() < latest))) {
		wrong += fight_all_sets(d, view, most);
		rounds += SETS;
	}
	shared->stop = true;
	EQ(reap(pid), 0);
	if (wrong)
		FAIL("on %s: %ld of %ld are wrong", view, wrong, rounds);
	note("on %s: %ld times", view, rounds);
}

/* A case for each pair. */
#define DUEL(id, ...)							\
	TEST(id)							\
	{								\
		static const struct duel duel = { __VA_ARGS__ };	\
									\
		mount_views();						\
		fight(&duel, "v", 0.5);					\
		fight(&duel, "m", 2);					\
		expect_silence_of("m");					\
	}

DUEL(unlink_or_rename_of_the_name_succeeds, "", rename_a_b, unlink_a, right_unlink, NULL)
DUEL(one_of_two_unlinks_succeeds, "", unlink_a, unlink_a, right_both_unlink, NULL)
DUEL(rmdir_or_rename_of_the_name_succeeds, "a", rename_a_b, rmdir_a, right_unlink, NULL)
DUEL(one_of_two_renames_succeeds, "", rename_a_b, rename_a_c, right_rename, NULL)
DUEL(one_of_two_renames_of_a_directory_succeeds, "ac", rename_a_b, rename_a_c, right_rename, NULL)
DUEL(rename_replaces_what_has_the_name_then, "", rename_a_b_seen, rename_c_a,
     right_target, NULL)
DUEL(rename_replaces_the_directory_that_has_the_name_then, "ac", rename_a_b_seen, rename_c_a,
     right_target, NULL)
DUEL(rename_replaces_what_replaced_another, "", rename_x_a, rename_c_a, right_two_targets, NULL)
DUEL(one_of_two_renames_to_a_new_name_succeeds, "", rename_a_new, rename_c_new,
     right_new_target, NULL)
DUEL(link_is_to_what_has_the_name_then, "", rename_a_b, link_a_d, right_link, NULL)
DUEL(link_replaces_nothing, "", rename_x_d, link_a_d, right_link_target, NULL)
DUEL(exchange_is_of_what_has_the_names_then, "", rename_a_b_seen, exchange_a_c, right_exchange,
     NULL)
DUEL(exchange_is_of_the_directories_that_have_the_names_then, "ac", rename_a_b_seen, exchange_a_c,
     right_exchange, NULL)
DUEL(exclusive_creation_or_rename_to_the_name_succeeds, "", rename_x_a_new, create_a,
     right_create, without_a)
DUEL(one_of_two_mkdirs_succeeds, "", mkdir_d, mkdir_d, right_new, NULL)
DUEL(mkdir_or_symlink_of_the_name_succeeds, "", mkdir_d, symlink_d, right_new, NULL)
DUEL(one_of_two_renames_into_each_other_succeeds, "ac", rename_a_into_c, rename_c_into_a,
     right_loop, NULL)
DUEL(unlink_is_in_the_directory_wherever_it_is, "a", rename_a_b, unlink_a_in, right_unlink_in,
     filled_a)
DUEL(rename_is_out_of_the_directory_wherever_it_is, "a", rename_a_b, rename_a_in,
     right_rename_in, filled_a)

/* Losing a file ---------------------------------------------------------- *
 *
 * A user changes a file that root takes away from him in the tree. Once chown() has
 * returned, nothing that only the owner may do happens to it any more.
 */

enum { USER = 1000 };

static unsigned int turn;

static int change_mode(const char *top)
{
	return result(chmod(in(top, "f"), turn++ & 1 ? 04755 : 04711));
}

static int change_acl(const char *top)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[5];
	} acl = { 2, { { 1, 7, -1 }, { 2, turn++ & 1 ? 7 : 6, 1001 }, { 4, 5, -1 },
		       { 16, 7, -1 }, { 32, 5, -1 } } };

	return result(setxattr(in(top, "f"), "system.posix_acl_access", &acl, sizeof(acl), 0));
}

static int change_xattr(const char *top)
{
	turn++;
	return result(setxattr(in(top, "f"), "user.a", &turn, sizeof(turn), 0));
}

static int change_no_xattr(const char *top)
{
	setxattr(in(top, "f"), "user.a", "v", 1, 0);
	return result(removexattr(in(top, "f"), "user.a"));
}

static int change_times(const char *top)
{
	struct timespec ts[2] = { { turn, 0 }, { turn, 0 } };

	turn++;
	return result(utimensat(AT_FDCWD, in(top, "f"), ts, 0));
}

static int change_group(const char *top)
{
	return result(chown(in(top, "f"), -1, USER));
}

static int change_flags(const char *top)
{
	int fd = open(in(top, "f"), O_RDONLY), flags, err;

	if (fd < 0)
		return errno;
	err = result(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags ^= FS_NODUMP_FL;
	err = err ?: result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	return err;
}

static const struct change {
	const char *what;
	int (*step)(const char *top);
	/* The VFS checks the owner before it takes the inode's lock: it may happen
	 * natively too, but not more often than that. */
	bool unlocked;
} changes[] = {
	{ "chmod", change_mode, false }, { "setting an ACL", change_acl, false },
	{ "setxattr", change_xattr, false }, { "removexattr", change_no_xattr, false },
	{ "utimensat", change_times, false },
	{ "chown", change_group, false }, { "chattr", change_flags, true },
};

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* It is the user's again, as it was in the beginning. */
static void give_away(const char *path)
{
	removexattr(path, "system.posix_acl_access");
	OK(chmod(path, 0755));
	OK(chown(path, USER, USER));
}

/* How often the file was changed after it was taken away. */
static int take_away(const struct change *c, const char *view, int rounds)
{
	struct loop user = { .step = c->step, .top = view, .uid = USER };
	int changed = 0, before = 0;
	unsigned int seed = 1;

	loops_begin(&user, 1);
	pin(1);
	for (int i = 0; i < rounds; i++) {
		struct stat begin, taken, then;

		give_away("b/f");
		begin = stat_of("b/f");
		usleep(500 + rand_r(&seed) % 3000);
		then = stat_of("b/f");
		before += !same_time(begin.st_ctim, then.st_ctim);
		OK(chown("b/f", 0, 0));
		taken = stat_of("b/f");
		usleep(1500);
		then = stat_of("b/f");
		if (same_time(taken.st_ctim, then.st_ctim) && taken.st_mode == then.st_mode)
			continue;
		if (!changed++)
			note("%s on %s: uid %u mode %o, then uid %u mode %o", c->what, view,
			     taken.st_uid, taken.st_mode, then.st_uid, then.st_mode);
	}
	loops_end(&user, 1, 0);
	/* The user did change it while it was his. */
	if (before < rounds / 10)
		FAIL("%s on %s: done in %d of %d rounds only", c->what, view, before, rounds);
	return changed;
}

static void take_away_all(int rounds)
{
	int bad = 0;

	rounds *= times_longer();
	mount_views();
	put_file("b/f", "some text of the user\n", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		int native = take_away(c, "v", rounds / 2);
		int passed = take_away(c, "m", rounds);

		if (native && !c->unlocked)
			FAIL("%s natively: %d of %d", c->what, native, rounds / 2);
		if (passed > (c->unlocked ? 2 * native + rounds / 20 : 0)) {
			note("%s: %d of %d files were changed after they were taken away, natively %d of %d",
			     c->what, passed, rounds, native, rounds / 2);
			bad++;
		}
	}
	expect_silence_of("m");
	if (bad)
		FAIL("%d of %zu operations change files of others", bad, ARRAY_SIZE(changes));
}

TEST(file_that_was_taken_away_is_not_changed_any_more)
{
	take_away_all(120);
}

/* A write takes the bits of a program away: content that was written after
 * they were set does not have them. */

static int open_f;

static int write_it(const char *top)
{
	turn++;
	return result(pwrite(open_f, &turn, sizeof(turn), 0));
}

static int allocate_it(const char *top)
{
	return result(fallocate(open_f, 0, 0, 100 + (turn++ & 1023)));
}

static int copy_it(const char *top)
{
	off_t from = 0, to = 64 + (turn++ & 63);

	return result(copy_file_range(open_f, &from, open_f, &to, 8, 0));
}

static const struct change writes[] = {
	{ "write", write_it, false }, { "fallocate", allocate_it, false },
	{ "copy_file_range", copy_it, false },
};

static int set_bits(const struct change *c, const char *view, int rounds)
{
	struct loop user = { .step = c->step, .top = view, .uid = USER };
	int kept = 0, written = 0;
	unsigned int seed = 1;

	open_f = OK(open(in(view, "f"), O_RDWR));
	loops_begin(&user, 1);
	pin(1);
	for (int i = 0; i < rounds; i++) {
		struct stat begin, then;

		OK(chmod("b/f", 04777));
		begin = stat_of("b/f");
		usleep(rand_r(&seed) % 2000);
		then = stat_of("b/f");
		if (same_time(begin.st_ctim, then.st_ctim))
			continue;
		written++;
		if ((then.st_mode & S_ISUID) && !kept++)
			note("%s on %s: mode %o after it was written", c->what, view,
			     then.st_mode);
	}
	loops_end(&user, 1, 0);
	close(open_f);
	if (written < rounds / 10)
		FAIL("%s on %s: written in %d of %d rounds only", c->what, view, written, rounds);
	return kept;
}

TEST(bits_of_a_program_that_are_set_in_the_tree_do_not_outlive_a_write)
{
	int bad = 0;

	mount_views();
	run("head -c 4096 /dev/zero >b/f && chmod 777 b/f");
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		int passed;

		EQ(set_bits(&writes[i], "v", 150), 0);
		passed = set_bits(&writes[i], "m", 400);
		if (passed) {
			note("%s: %d of 400 files kept the bit", writes[i].what, passed);
			bad++;
		}
	}
	expect_silence_of("m");
	EQ(bad, 0);
}

/* Policies that are replaced --------------------------------------------------- */

static int policy_stat(const char *top)
{
	struct stat st;

	return result(stat(in(top, "d/x/y"), &st));
}

static int policy_absent(const char *top)
{
	struct stat st;

	return result(stat(in(top, "d/x/none"), &st));
}

static int policy_open(const char *top)
{
	return closed(open(in(top, "d/x/y"), O_RDONLY));
}

/* Everything that is there but for f, if that is hidden. */
static int policy_list(const char *top)
{
	DIR *d = opendir(top);
	struct dirent *e;
	int n = 0, f = 0, err;

	if (!d)
		return errno;
	errno = 0;
	while ((e = readdir(d))) {
		n++;
		f += !strcmp(e->d_name, "f");
	}
	err = errno;
	closedir(d);
	return err ?: n != 6 || f ? EBADMSG : 0;
}

static int policy_ls(const char *top)
{
	DIR *d = opendir(in(top, "d"));
	struct dirent *e;
	struct stat st;
	int n = 0, err = 0;

	if (!d)
		return errno;
	errno = 0;
	while (!err && (e = readdir(d))) {
		n++;
		err = result(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
		errno = 0;
	}
	err = err ?: errno;
	closedir(d);
	return err ?: n == 3 ? 0 : EBADMSG;
}

static int policy_hidden(const char *top)
{
	struct stat st;

	return result(stat(in(top, "f"), &st));
}

static int policy_make(const char *top)
{
	return closed(open(in(top, "d/new"), O_CREAT | O_EXCL | O_RDWR, 0600)) ?:
	       result(rename(in(top, "d/new"), in(top, "d/newer"))) ?:
	       result(link(in(top, "d/newer"), in(top, "d/link"))) ?:
	       result(unlink(in(top, "d/link"))) ?:
	       result(unlink(in(top, "d/newer"))) ?:
	       result(mkdir(in(top, "d/new"), 0700)) ?:
	       result(rmdir(in(top, "d/new"))) ?:
	       result(symlink("t", in(top, "d/new"))) ?:
	       result(unlink(in(top, "d/new")));
}

static const struct policy_loop {
	const char *what;
	int (*step)(const char *top);
	const int *errnos;
	bool hiding;	/* only if f is hidden */
} policy_loops[] = {
	{ "stat", policy_stat, none, false }, { "open", policy_open, none, false },
	{ "stat of what is not there", policy_absent, only_enoent, false },
	{ "ls", policy_ls, none, false }, { "making names", policy_make, none, false },
	{ "listing", policy_list, none, true },
	{ "stat of what is hidden", policy_hidden, only_enoent, true },
};

static void look_under_replaced(const struct policy_loop *l, struct pol *p, double seconds)
{
	struct loop loop = { .step = l->step, .top = "m" };
	double end = now() + seconds * times_longer();
	int n = 0;

	loops_begin(&loop, 1);
	pin(1);
	/* It has to look while policies are replaced, not only afterwards. */
	while (now() < end || results_of(0) < 3)
		EQ(bpf_link__update_map(p->link, n++ & 1 ? p->map : p->map_2), 0);
	loops_end(&loop, 1, 0);
	note("%s: %ld times, %d replacements", l->what, results_of(0), n);
	expect_only(0, l->what, l->errnos);
}

static void replace_while_looking(unsigned int flags, double seconds)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	struct pol *p;

	share();
	rf_make_tree();
	conf.process = true;
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, flags);
	if (flags & POL_F_HIDES)
		pol_rule(p, "f", -ENOENT);
	rf_reset(rf);
	for (size_t i = 0; i < ARRAY_SIZE(policy_loops); i++)
		if (!policy_loops[i].hiding || (flags & POL_F_HIDES))
			look_under_replaced(&policy_loops[i], p, seconds);
	/* Lookups between two policies may ask the server; nobody sees that. */
	note("%lu requests", rf_count_all(rf));
}

TEST(nobody_sees_that_a_policy_is_replaced)
{
	replace_while_looking(0, 2);
}

TEST(nobody_sees_that_a_hiding_policy_is_replaced)
{
	replace_while_looking(POL_F_HIDES, 2);
}

TEST_FLAGS(nobody_sees_that_a_policy_is_replaced_many_times, T_LONG)
{
	replace_while_looking(0, 8);
}

/* A storm ----------------------------------------------------------------------- */

static int storm(const char *top)
{
	static unsigned int seed;
	char a[64], b[64];
	int what;

	if (!seed)
		seed = getpid();
	what = rand_r(&seed) % 8;
	snprintf(a, sizeof(a), "%s/d%d/n%d", top, rand_r(&seed) & 1, rand_r(&seed) & 3);
	snprintf(b, sizeof(b), "%s/d%d/n%d", top, rand_r(&seed) & 1, rand_r(&seed) & 3);
	switch (what) {
	case 0:
	case 1:
		return result(unlink(a));
	case 2:
		return result(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
	case 3:
		return result(link(a, b));
	case 4:
		return closed(open(a, O_CREAT | O_RDWR, 0644));
	}
	return result(rename(a, b));
}

static void storm_for(double seconds)
{
	static const int errnos[] = { 0, ENOENT, EEXIST, -1 };
	struct loop loops[] = {
		{ .step = storm, .top = "m" }, { .step = storm, .top = "b" },
		{ .step = storm, .top = "m" }, { .step = storm, .top = "m" },
	};

	mount_views();
	run("mkdir b/d0 b/d1");
	asked_reset("m");
	loops_begin(loops, 4);
	loops_end(loops, 4, seconds);
	for (int i = 0; i < 4; i++) {
		note("%ld operations on %s", results_of(i), loops[i].top);
		expect_only(i, "storm", errnos);
	}
	expect_silence_of("m");
}

TEST(storm_of_renames_and_unlinks_asks_nobody)
{
	storm_for(5);
}

TEST_FLAGS(long_storm_of_renames_and_unlinks_asks_nobody, T_LONG)
{
	storm_for(30);
}
