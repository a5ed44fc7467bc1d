// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mount whose operations pass does the same as a native directory: programs,
 * probes and swap files, access times, attributes of files and of the file system,
 * errors of the disk, and what is removed or mounted in the tree meanwhile.
 *
 * Each case does the same on the native directory, or on a bind mount of it, and
 * where the claim is about who serves, counts what the server was asked. Locks
 * are in lock_test.c, two processes at the same name in race_test.c.
 */
#include "harness.h"
#include "passed.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* This binary as a program --------------------------------------------------- *
 *
 * Copied into the tree and run from there. What it does then, it is told by the
 * environment, and does before main().
 */

#define PLAY "FUSEPASS_NATIVE_TEST"

/* As that of an USDT probe: a tracer counts it up while it listens. */
static volatile unsigned short semaphore __attribute__((section(".probes"), used)) = 0;

static void play_waiting(void)
{
	pid_t self = getpid();
	char c;

	/* Says who it is; ends when the other end of its input is closed. */
	if (write(STDOUT_FILENO, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	_exit(0);
}

static void play_forking(void)
{
	pid_t parent = getpid();

	if (fork())
		_exit(0);
	while (getppid() == parent)
		usleep(1000);
	play_waiting();
}

__attribute__((constructor)) static void play(void)
{
	const char *part = getenv(PLAY);

	if (!part)
		return;
	if (!strcmp(part, "waiting"))
		play_waiting();
	if (!strcmp(part, "forking"))
		play_forking();
	_exit(semaphore);
}

static void copy_self(const char *to)
{
	run("cp /proc/%d/exe %s", getpid(), to);
}

/* Probes -------------------------------------------------------------------- */

#define TRACING "/sys/kernel/tracing/"

extern int main(int argc, char **argv);

/* Where in its file something of this program is. */
static unsigned long file_offset_of(const void *what)
{
	unsigned long at = (unsigned long)what, from, to, offset, found = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[PATH_MAX + 128];

	CHECK(f);
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 &&
		    at >= from && at < to)
			found = at - from + offset;
	fclose(f);
	CHECK(found);
	return found;
}

static void probe_set(const char *path)
{
	char real[PATH_MAX];

	CHECK(realpath(path, real));
	shell("cd " TRACING "; [ ! -d events/uprobes ] || echo 0 >events/uprobes/enable;"
	      " echo >uprobe_events");
	run("cd " TRACING " && echo 'p:fusepass_test %s:0x%lx(0x%lx)' >uprobe_events &&"
	    " echo >trace && echo 1 >events/uprobes/fusepass_test/enable",
	    real, file_offset_of((void *)main), file_offset_of((void *)&semaphore));
}

static int probe_hits(void)
{
	return atoi(line_of("grep -c ' fusepass_test: ' " TRACING "trace"));
}

/* The probe fires each time, its semaphore is up, and both only while it is set. */
static void expect_probed(const char *probe, const char *program)
{
	note("probe on %s, %s runs", probe, program);
	probe_set(probe);
	run("%s --list >/dev/null", program);
	run("%s --list >/dev/null", program);
	EQ(probe_hits(), 2);
	EQ(WEXITSTATUS(shell(PLAY "=semaphore %s", program)), 1);
	run("echo 0 >" TRACING "events/uprobes/enable");
	run("%s --list >/dev/null", program);
	EQ(probe_hits(), 2);
	EQ(WEXITSTATUS(shell(PLAY "=semaphore %s", program)), 0);
	run("echo >" TRACING "uprobe_events");
}

TEST(uprobe_on_program_of_the_mount_fires)
{
	if (access(TRACING "uprobe_events", F_OK))
		test_skip("no uprobes in this kernel");
	mount_both();
	copy_self("n/prog");
	copy_self("b/prog");
	expect_probed("n/prog", "n/prog");
	asked_reset("m");
	expect_probed("m/prog", "m/prog");
	expect_probed("b/prog", "m/prog");
	expect_probed("m/prog", "b/prog");
	expect_silence_of("m");
}

/* A probe that was set before the program runs from another mount of the tree. */
TEST(uprobe_on_a_program_is_seen_by_a_process_that_runs_already)
{
	if (access(TRACING "uprobe_events", F_OK))
		test_skip("no uprobes in this kernel");
	mount_both();
	mount_passed("b", "m2", "");
	copy_self("b/prog");
	expect_probed("m2/prog", "m/prog");
}

/* Programs ------------------------------------------------------------------ */

struct program {
	pid_t pid;
	int input;
};

static struct program program_start(const char *path, const char *part)
{
	char *argv[] = { (char *)path, NULL }, env[64], *envp[] = { env, NULL };
	int in[2], out[2];
	struct program p;
	pid_t first;

	snprintf(env, sizeof(env), PLAY "=%s", part);
	OK(pipe2(in, O_CLOEXEC));
	OK(pipe2(out, O_CLOEXEC));
	first = OK(fork());
	if (!first) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execve(path, argv, envp);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	if (read(out[0], &p.pid, sizeof(p.pid)) != sizeof(p.pid))
		FAIL("%s does not run", path);
	close(out[0]);
	p.input = in[1];
	if (p.pid != first)
		EQ(reap(first), 0);
	return p;
}

/* One that forked has become a child of the case. */
static void program_end(struct program p)
{
	close(p.input);
	EQ(reap(p.pid), 0);
}

/* Runs a program; its status, or the errno of execve(). */
static int run_or_errno(void *path)
{
	char *argv[] = { path, NULL }, *envp[] = { PLAY "=semaphore", NULL };

	execve(path, argv, envp);
	return errno;
}

/* By which path it is run, and by which it is written. */
static const struct sides {
	const char *run, *write;
} sides[] = {
	{ "n/prog", "n/prog" }, { "m/prog", "b/prog" }, { "b/prog", "m/prog" },
	{ "m/prog", "m/prog" }, { "m/prog", "m2/prog" },
};

static void make_programs(void)
{
	mount_both();
	mount_passed("b", "m2", "");
	copy_self("n/prog");
	copy_self("b/prog");
}

static void expect_busy(const struct sides *s, const char *part)
{
	off_t size = stat_of(s->run).st_size;
	struct program p = program_start(s->run, part);

	note("%s runs, %s is written", s->run, s->write);
	ERR(open(s->write, O_WRONLY), ETXTBSY);
	ERR(open(s->write, O_RDWR), ETXTBSY);
	ERR(open(s->write, O_WRONLY | O_APPEND), ETXTBSY);
	ERR(open(s->write, O_RDWR | O_TRUNC), ETXTBSY);
	ERR(truncate(s->write, 0), ETXTBSY);
	EQ(stat_of(s->run).st_size, size);
	close(OK(open(s->write, O_RDONLY)));
	program_end(p);
	close(OK(open(s->write, O_RDWR)));
	OK(truncate(s->write, size));
}

TEST(running_program_cannot_be_written_on_either_side)
{
	make_programs();
	asked_reset("m");
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		expect_busy(&sides[i], "waiting");
	expect_silence_of("m");
}

/* Its child runs the same program, and goes on when the parent has ended. */
TEST(program_that_forked_cannot_be_written_on_either_side)
{
	make_programs();
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		expect_busy(&sides[i], "forking");
}

TEST(program_that_is_open_for_writing_cannot_be_run_on_either_side)
{
	make_programs();
	asked_reset("m");
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		const struct sides *s = &sides[i];
		int fd = OK(open(s->write, O_WRONLY | O_CLOEXEC));

		note("%s is open for writing, %s is run", s->write, s->run);
		EQ(in_child(run_or_errno, (void *)s->run), ETXTBSY);
		close(fd);
		EQ(in_child(run_or_errno, (void *)s->run), 0);
	}
	expect_silence_of("m");
}

/* Swap files ---------------------------------------------------------------- */

static void make_swap(const char *path)
{
	run("head -c 1M /dev/zero >%s && chmod 600 %s && mkswap %s >/dev/null", path,
	    path, path);
}

static void need_swap(void)
{
	if (access("/proc/swaps", F_OK))
		test_skip("no swap in this kernel");
	mount_both();
	make_swap("n/swap");
	make_swap("b/swap");
	asked_reset("m");
}

TEST(swap_file_on_the_mount_is_einval)
{
	need_swap();
	OK(swapon("n/swap", 0));
	OK(swapoff("n/swap"));
	ERR(swapon("m/swap", 0), EINVAL);
	expect_silence_of("m");
}

static void end_swap(void)
{
	swapoff("b/swap");
}

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

static int use_open(const char *path, int (*use)(int fd))
{
	int fd = open(path, O_RDWR), ret;

	if (fd < 0)
		return -errno;
	ret = use(fd);
	close(fd);
	return ret;
}

static int swap_write(int fd)
{
	return result(pwrite(fd, "x", 1, 0));
}

static int swap_punch(int fd)
{
	return result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192));
}

static int swap_shorten(int fd)
{
	return result(ftruncate(fd, 4096));
}

TEST(swap_file_of_the_tree_is_guarded_on_the_mount_as_natively)
{
	static int (*const uses[])(int fd) = { swap_write, swap_punch, swap_shorten };
	int native;

	need_swap();
	harness_at_end = end_swap;
	OK(swapon("b/swap", 0));
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		native = use_open("b/swap", uses[i]);
		CHECK(native < 0);
		EQ(use_open("m/swap", uses[i]), native);
	}
	ERR(truncate("b/swap", 0), ETXTBSY);
	ERR(truncate("m/swap", 0), ETXTBSY);
	ERR(unlink("b/swap"), EPERM);
	ERR(unlink("m/swap"), EPERM);
	expect_silence_of("m");
	OK(swapoff("b/swap"));
	EQ(use_open("m/swap", swap_write), 0);
	OK(unlink("m/swap"));
}

/* Access times --------------------------------------------------------------- */

static void look_read(const char *path)
{
	char c;
	int fd = OK(open(path, O_RDONLY));

	EQ(read(fd, &c, 1), 1);
	close(fd);
}

static void look_map(const char *path)
{
	int fd = OK(open(path, O_RDONLY));
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(map != MAP_FAILED);
	CHECK(*(volatile char *)map);
	munmap(map, 4096);
	close(fd);
}

static void look_sendfile(const char *path)
{
	int fd = OK(open(path, O_RDONLY)), out = OK(open("/dev/null", O_WRONLY));

	EQ(sendfile(out, fd, NULL, 1), 1);
	close(fd);
	close(out);
}

static void look_list(const char *path)
{
	dir_count(path);
}

static void look_readlink(const char *path)
{
	char to[64];

	OK(readlink(path, to, sizeof(to)));
}

static void look_follow(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
}

static const struct look {
	const char *how, *object;
	void (*look)(const char *path);
} looks[] = {
	{ "read", "f", look_read }, { "mmap", "f", look_map },
	{ "sendfile", "f", look_sendfile }, { "readdir", "d", look_list },
	{ "readlink", "l", look_readlink }, { "following the link", "l", look_follow },
};

static void make_objects(const char *top)
{
	run("echo text >%s/f && mkdir %s/d && touch %s/d/x && ln -s f %s/l", top, top,
	    top, top);
}

/* Is the time of the object in the tree another one after looking at it by @view? */
static bool changes_atime(const struct look *l, const char *tree, const char *view)
{
	struct timespec past[2] = { { 1000, 0 }, { 0, UTIME_OMIT } };
	char real[64], seen[64];

	snprintf(real, sizeof(real), "%s/%s", tree, l->object);
	snprintf(seen, sizeof(seen), "%s/%s", view, l->object);
	OK(utimensat(AT_FDCWD, real, past, AT_SYMLINK_NOFOLLOW));
	l->look(seen);
	return stat_of(real).st_atim.tv_sec != 1000;
}

/* v is the native directory mounted with the same flags. */
static void expect_atimes_as_bound(const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const struct look *l = &looks[i];
		bool bound = changes_atime(l, "n", "v"), passed = changes_atime(l, "b", "m");

		if (bound != passed)
			FAIL("%s: %s %s the time, on a bind mount %s", what, l->how,
			     passed ? "changes" : "keeps", bound ? "changes" : "keeps");
	}
}

static void make_views(const char *options)
{
	OK(mkdir("n", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("v", 0755));
	make_objects("n");
	make_objects("b");
	OK(mount("n", "v", NULL, MS_BIND, NULL));
	mount_passed("b", "m", options);
}

static void set_flags_of(const char *mnt, unsigned long flags)
{
	OK(mount(NULL, mnt, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

/* The converse, by which each of the looks is seen to be one. */
static void expect_all_change(const char *tree, const char *view)
{
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		if (!changes_atime(&looks[i], tree, view))
			FAIL("%s by %s changes nothing", looks[i].how, view);
}

TEST(noatime_of_the_mount_is_kept)
{
	make_views("-o noatime");
	expect_all_change("n", "v");
	set_flags_of("v", MS_NOATIME);
	asked_reset("m");
	expect_atimes_as_bound("noatime");
	expect_silence_of("m");
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		CHECK(!changes_atime(&looks[i], "b", "m"));
}

TEST(flags_about_access_times_follow_a_remount_of_the_mount)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} sets[] = {
		{ "noatime", MS_NOATIME }, { "relatime", MS_RELATIME },
		{ "nodiratime", MS_NODIRATIME | MS_RELATIME },
		{ "strictatime", MS_STRICTATIME },
		{ "both", MS_NOATIME | MS_NODIRATIME },
	};

	make_views("");
	expect_all_change("b", "m");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		set_flags_of("v", sets[i].flags);
		set_flags_of("m", sets[i].flags);
		expect_atimes_as_bound(sets[i].name);
	}
	set_flags_of("m", MS_RELATIME);
	expect_all_change("b", "m");
}

TEST(noatime_of_the_mount_of_the_tree_is_kept)
{
	OK(mkdir("b", 0755));
	make_objects("b");
	OK(mkdir("v", 0755));
	OK(mount("b", "v", NULL, MS_BIND, NULL));
	set_flags_of("v", MS_NOATIME);
	mount_passed("v", "m", "");
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		CHECK(!changes_atime(&looks[i], "b", "m"));
	expect_all_change("b", "b");
}

/* Does reading a link that is open change a time that was set in the tree meanwhile? */
static bool changes_atime_of_open_link(const char *tree, const char *view, time_t atime)
{
	struct timespec times[2] = { { atime, 0 }, { 1000, 0 } };
	char real[64], seen[64], to[64];
	bool changed = false;
	int fd;

	snprintf(real, sizeof(real), "%s/l", tree);
	snprintf(seen, sizeof(seen), "%s/l", view);
	fd = OK(open(seen, O_PATH | O_NOFOLLOW));
	for (int i = 0; i < 3; i++) {
		OK(utimensat(AT_FDCWD, real, times, AT_SYMLINK_NOFOLLOW));
		OK(readlinkat(fd, "", to, sizeof(to)));
		changed |= stat_of(real).st_atim.tv_sec != atime;
	}
	close(fd);
	return changed;
}

TEST(access_time_of_an_open_link_is_updated_as_on_a_bind_mount)
{
	static const struct {
		const char *name;
		unsigned long tree, view;
	} sets[] = {
		{ "relatime", MS_RELATIME, MS_RELATIME },
		{ "strictatime", MS_STRICTATIME, MS_STRICTATIME },
		{ "strictatime of the mount", MS_RELATIME, MS_STRICTATIME },
	};
	time_t later = time(NULL) + 3600;	/* than the change time */

	make_views("");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		bool old, fresh;

		set_flags_of("v", sets[i].tree);
		old = changes_atime_of_open_link("n", "v", 1000);
		fresh = changes_atime_of_open_link("n", "v", later);
		EQ(old, true);
		EQ(fresh, sets[i].tree == MS_STRICTATIME);
		OK(umount("m"));
		OK(mount("b", "b", NULL, MS_BIND, NULL));
		set_flags_of("b", sets[i].tree);
		mount_passed("b", "m", "");
		set_flags_of("m", sets[i].view);
		EQ(changes_atime_of_open_link("b", "m", 1000), old);
		EQ(changes_atime_of_open_link("b", "m", later), fresh);
		OK(umount("m"));
		OK(umount2("b", MNT_DETACH));	/* the server may not have ended */
		mount_passed("b", "m", "");
	}
}

/* statfs -------------------------------------------------------------------- */

static long long fsid_of(const char *path, struct statfs *s)
{
	long long id;

	OK(statfs(path, s));
	memcpy(&id, &s->f_fsid, sizeof(id));
	return id;
}

TEST(fsid_of_the_mount_is_not_zero_and_stable)
{
	static const char *const paths[] = { "m", "m/d", "m/d/x", "m/f", "m" };
	struct statfs s, native;
	long long id;

	OK(mkdir("b", 0755));
	make_objects("b");
	mount_passed("b", "m", "");
	CHECK(fsid_of("b", &native));
	asked_reset("m");
	id = fsid_of("m", &s);
	CHECK(id);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		EQ(fsid_of(paths[i], &s), id);
	drop_caches();
	EQ(fsid_of("m/d/x", &s), id);
	expect_silence_of("m");
	EQ(s.f_type, 0x65735546);
	EQ(s.f_bsize, native.f_bsize);
	EQ(s.f_frsize, native.f_frsize);
	EQ(s.f_blocks, native.f_blocks);
	EQ(s.f_files, native.f_files);
	EQ(s.f_namelen, native.f_namelen);
}

/* Cloning, deduplication, file attributes ------------------------------------ */

enum { RANGE = 65536 };

static const struct range_case {
	const char *what;
	bool dedupe;
	const char *from, *to;
	int from_flags, to_flags;
	uint64_t from_at, len, to_at;
} range_cases[] = {
	{ "clone", false, "a", "g", O_RDONLY, O_RDWR, 0, 0, 0 },
	{ "clone a block", false, "a", "g", O_RDONLY, O_RDWR, 4096, 4096, 8192 },
	{ "clone at the end", false, "a", "g", O_RDONLY, O_RDWR, 0, RANGE, RANGE },
	{ "clone part of a block", false, "a", "g", O_RDONLY, O_RDWR, 0, 100, 0 },
	{ "clone behind the end", false, "a", "g", O_RDONLY, O_RDWR, 0, 2 * RANGE, 0 },
	{ "clone within a file", false, "a", "a", O_RDONLY, O_RDWR, 0, 8192, 8192 },
	{ "clone onto itself", false, "a", "a", O_RDONLY, O_RDWR, 0, 8192, 4096 },
	{ "clone for reading", false, "a", "g", O_RDONLY, O_RDONLY, 0, 0, 0 },
	{ "clone for writing", false, "a", "g", O_WRONLY, O_RDWR, 0, 0, 0 },
	{ "clone for appending", false, "a", "g", O_RDONLY, O_WRONLY | O_APPEND, 0, 0, 0 },
	{ "clone a directory", false, "d", "g", O_RDONLY, O_RDWR, 0, 0, 0 },
	{ "dedupe", true, "a", "same", O_RDONLY, O_RDWR, 0, RANGE, 0 },
	{ "dedupe a block", true, "a", "same", O_RDONLY, O_RDWR, 4096, 4096, 4096 },
	{ "dedupe what differs", true, "a", "g", O_RDONLY, O_RDWR, 0, RANGE, 0 },
	{ "dedupe part of a block", true, "a", "same", O_RDONLY, O_RDWR, 10, 100, 10 },
	{ "dedupe behind the end", true, "a", "same", O_RDONLY, O_RDWR, 0, 2 * RANGE, 0 },
	{ "dedupe for reading", true, "a", "same", O_RDONLY, O_RDONLY, 0, RANGE, 0 },
	{ "dedupe for writing", true, "a", "same", O_WRONLY, O_RDWR, 0, RANGE, 0 },
	{ "dedupe nothing", true, "a", "same", O_RDONLY, O_RDWR, 0, 0, 0 },
	{ "dedupe a directory", true, "a", "d", O_RDONLY, O_RDONLY, 0, RANGE, 0 },
	{ "dedupe of a directory", true, "d", "a", O_RDONLY, O_RDWR, 0, RANGE, 0 },
};

static void fill_with(const char *path, int c)
{
	static char block[RANGE];
	int fd = OK(open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644));

	memset(block, c, sizeof(block));
	EQ(write(fd, block, sizeof(block)), sizeof(block));
	close(fd);
}

static ssize_t read_all(const char *path, char *data, size_t size)
{
	int fd = OK(open(path, O_RDONLY));
	ssize_t n = OK(read(fd, data, size));

	close(fd);
	return n;
}

static const char range_files[] = "a\0same\0g\0";

static void make_ranges(const char *top)
{
	char path[64];

	for (const char *name = range_files; *name; name += strlen(name) + 1) {
		snprintf(path, sizeof(path), "%s/%s", top, name);
		fill_with(path, *name == 'g' ? 'g' : 'a');
	}
	snprintf(path, sizeof(path), "%s/d", top);
	mkdir(path, 0755);
}

/* errno of the call, then status and bytes of the range, as one line. */
static void dedupe(const struct range_case *c, int in, int out, char *line, size_t size)
{
	struct {
		struct file_dedupe_range r;
		struct file_dedupe_range_info info;
	} arg = { .r = { c->from_at, c->len, 1, 0, 0 },
		  .info = { out, c->to_at, 0, 0, 0 } };
	int err = ioctl(in, FIDEDUPERANGE, &arg) ? errno : 0;

	snprintf(line, size, "%s, status %d, %llu bytes", err ? strerrorname_np(err) : "OK",
		 arg.info.status, (unsigned long long)arg.info.bytes_deduped);
}

static void clone_range(const struct range_case *c, int in, int out, char *line, size_t size)
{
	struct file_clone_range arg = { in, c->from_at, c->len, c->to_at };
	int err = ioctl(out, FICLONERANGE, &arg) ? errno : 0;

	snprintf(line, size, "%s", err ? strerrorname_np(err) : "OK");
}

static void do_range(const struct range_case *c, const char *top, char *line, size_t size)
{
	char from[64], to[64];
	int in, out;

	snprintf(from, sizeof(from), "%s/%s", top, c->from);
	snprintf(to, sizeof(to), "%s/%s", top, c->to);
	in = OK(open(from, c->from_flags));
	out = OK(open(to, c->to_flags));
	(c->dedupe ? dedupe : clone_range)(c, in, out, line, size);
	close(in);
	close(out);
}

static void expect_same_ranges(const char *what)
{
	static char data[3][4 * RANGE];
	const char *tops[] = { "x/n", "x/b", "m" };
	char path[64];
	ssize_t size[3];

	for (const char *name = range_files; *name; name += strlen(name) + 1) {
		for (int i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "%s/%s", tops[i], name);
			size[i] = read_all(path, data[i], sizeof(data[i]));
		}
		if (size[0] != size[1] || size[0] != size[2] ||
		    memcmp(data[0], data[1], size[0]) || memcmp(data[0], data[2], size[0]))
			FAIL("%s: %s differs", what, name);
	}
}

/* On the disk in x: x/n is native, x/b behind the mount m. */
static int expect_ranges_as_native(void)
{
	char native[128], passed[128];
	int good = 0;

	OK(mkdir("x/n", 0755));
	OK(mkdir("x/b", 0755));
	mount_passed("x/b", "m", "");
	asked_reset("m");
	for (size_t i = 0; i < ARRAY_SIZE(range_cases); i++) {
		const struct range_case *c = &range_cases[i];

		make_ranges("x/n");
		make_ranges("x/b");
		do_range(c, "x/n", native, sizeof(native));
		do_range(c, "m", passed, sizeof(passed));
		if (strcmp(native, passed))
			FAIL("%s: %s, natively %s", c->what, passed, native);
		expect_same_ranges(c->what);
		good += native[0] == 'O';
	}
	expect_silence_of("m");
	return good;
}

TEST(cloning_and_deduplication_on_ext4_fail_as_natively)
{
	char line[128];

	OK(mkdir("x", 0755));
	/* Of a file that has no data in common with any: the call itself works. */
	CHECK(expect_ranges_as_native() < (int)ARRAY_SIZE(range_cases));
	do_range(&range_cases[11], "m", line, sizeof(line));
	if (!strstr(line, "EOPNOTSUPP") && !strstr(line, "status -95"))
		FAIL("deduplication on ext4: %s", line);
}

TEST(cloning_and_deduplication_on_xfs_are_as_natively)
{
	make_disk("xfs", "-q -m reflink=1", 400, "x", "");
	CHECK(expect_ranges_as_native() >= 6);
}

TEST(cloning_and_deduplication_on_btrfs_are_as_natively)
{
	make_disk("btrfs", "-q", 256, "x", "");
	CHECK(expect_ranges_as_native() >= 6);
}

static void drop_cap(unsigned int cap)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	OK(syscall(SYS_capget, &head, caps));
	caps[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	OK(syscall(SYS_capset, &head, caps));
}

/* Changes one flag and changes it back; what happened, and what it had become. */
static void change_flag(const char *path, unsigned int bit, char *line, size_t size)
{
	int fd = OK(open(path, O_RDONLY)), have = 0, then = 0, err;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &have));
	then = have ^ (1U << bit);
	err = ioctl(fd, FS_IOC_SETFLAGS, &then) ? errno : 0;
	OK(ioctl(fd, FS_IOC_GETFLAGS, &then));
	snprintf(line, size, "%s, %x", err ? strerrorname_np(err) : "OK", then ^ have);
	if (then != have && ioctl(fd, FS_IOC_SETFLAGS, &have))
		snprintf(line, size, "cannot be changed back: %s", strerrorname_np(errno));
	close(fd);
}

static int flags_without_cap = -1;

static int expect_flags_as_native(void *p)
{
	char native[128], passed[128], paths[2][64];
	int changed = 0;

	if (flags_without_cap >= 0)
		drop_cap(flags_without_cap);
	for (const char *name = "f\0d\0"; *name; name += 2)
		for (unsigned int bit = 0; bit < 32; bit++) {
			snprintf(paths[0], sizeof(paths[0]), "%sn/%s", (char *)p, name);
			snprintf(paths[1], sizeof(paths[1]), "m/%s", name);
			change_flag(paths[0], bit, native, sizeof(native));
			change_flag(paths[1], bit, passed, sizeof(passed));
			if (strcmp(native, passed))
				FAIL("flag %x of %s: %s, natively %s", 1U << bit, name,
				     passed, native);
			changed += native[0] == 'O' && native[4] != '0';
		}
	/* Some can be changed by anybody who owns the file. */
	return changed < 4;
}

static void expect_flags_by_all(const char *top)
{
	char path[64];

	for (const char *dir = "n\0b\0"; *dir; dir += 2) {
		snprintf(path, sizeof(path), "%s%s", top, dir);
		OK(mkdir(path, 0755));
		make_objects(path);
		run("chown -R 1000:1000 %s", path);
	}
	snprintf(path, sizeof(path), "%sb", top);
	mount_passed(path, "m", "");
	/* Blocks that are not allocated yet make a difference for FS_EXTENT_FL. */
	sync();
	asked_reset("m");
	EQ(as_uid(1000, expect_flags_as_native, (void *)top), 0);
	EQ(in_child(expect_flags_as_native, (void *)top), 0);
	flags_without_cap = CAP_SYS_RESOURCE;
	EQ(in_child(expect_flags_as_native, (void *)top), 0);
	flags_without_cap = CAP_LINUX_IMMUTABLE;
	EQ(in_child(expect_flags_as_native, (void *)top), 0);
	expect_silence_of("m");
}

TEST(each_file_attribute_of_ext4_can_be_changed_by_who_may_natively)
{
	char line[128];

	expect_flags_by_all("");
	/* The flag that matters most is FS_JOURNAL_DATA_FL: by root and by nobody else. */
	change_flag("m/f", 14, line, sizeof(line));
	if (strcmp(line, "OK, 4000"))
		FAIL("chattr +j by root: %s", line);
}

TEST(each_file_attribute_of_btrfs_can_be_changed_by_who_may_natively)
{
	make_disk("btrfs", "-q", 256, "x", "");
	expect_flags_by_all("x/");
}

/* Errors of the disk --------------------------------------------------------- */

enum { WRITTEN_MB = 8 };

/* There is no room for what is written to f, but for all else there is: the blocks of
 * f are allocated, and those that say so are written. */
static void make_failing_disk(const char *at)
{
	run("mkdir %s %s.small && mount -t tmpfs -o size=24M t %s.small && cd %s.small &&"
	    " truncate -s 64M img && mkfs.ext4 -q -F -b 4096 -O ^has_journal"
	    " -E lazy_itable_init=0 img && mount -o loop,errors=continue img ../%s &&"
	    " mkdir ../%s/d && fallocate -l %dM ../%s/d/f && sync -f ../%s/d", at, at, at, at,
	    at, at, WRITTEN_MB, at, at);
	/* Until there is no more. */
	shell("cat /dev/zero >%s.small/rest 2>/dev/null", at);
}

static void make_journaled_disk(const char *at)
{
	make_disk("ext4", "-q -F", 64, at, "");
	run("mkdir %s/d", at);
}

static const char *name_of(long ret)
{
	return ret < 0 ? strerrorname_np(errno) : "OK";
}

/* Result of each sync of a file after a failed write, as one line. The first
 * and the second file descriptor are open while it is, the third one is later. */
static void sync_results(const char *path, void (*fail)(const char *tree), const char *tree,
			 char *line, size_t size)
{
	int one = OK(open(path, O_CREAT | O_RDWR, 0644)), two = OK(open(path, O_RDWR)), three;
	static char block[1 << 20];
	size_t n = 0;

	memset(block, 5, sizeof(block));
	for (int i = 0; i < WRITTEN_MB; i++)
		EQ(pwrite(one, block, sizeof(block), (off_t)i << 20), sizeof(block));
	if (fail)
		fail(tree);
#define ADD(what, call) n += snprintf(line + n, size - n, what " %s; ", name_of(call))
	ADD("fsync", fsync(one));
	ADD("again", fsync(one));
	ADD("of the second", fsync(two));
	ADD("its data", fdatasync(two));
	three = open(path, O_RDWR);
	ADD("open", three);
	ADD("of the third", three < 0 ? 0 : fsync(three));
	ADD("close", close(one));
	ADD("close", close(two));
#undef ADD
	if (three >= 0)
		close(three);
}

static void expect_syncs_as_native(void (*make)(const char *at), void (*fail)(const char *tree),
				   const char *first)
{
	char native[512], passed[512];

	make("n");
	make("b");
	mount_passed("b/d", "m", "");
	sync_results("n/d/f", fail, "n", native, sizeof(native));
	sync_results("m/f", fail, "b", passed, sizeof(passed));
	note("natively: %s", native);
	CHECK(!strncmp(native, first, strlen(first)));
	if (strcmp(native, passed))
		FAIL("on the mount: %s", passed);
}

TEST(fsync_after_a_write_error_says_what_it_says_natively)
{
	expect_syncs_as_native(make_failing_disk, NULL, "fsync ENOSPC; again OK; of the second ENOSPC");
}

static int syncfs_after_error(const char *path)
{
	int one = OK(open(path, O_RDWR)), two = OK(open(path, O_RDONLY)), err;
	static char block[WRITTEN_MB << 20];

	EQ(pwrite(one, block, sizeof(block), 0), sizeof(block));
	err = syncfs(one) ? errno : 0;
	/* Once for each open file. */
	OK(syncfs(one));
	EQ(syncfs(two) ? errno : 0, err);
	OK(syncfs(two));
	close(one);
	close(two);
	return err;
}

TEST(syncfs_after_a_write_error_says_what_it_says_natively)
{
	make_failing_disk("n");
	make_failing_disk("b");
	mount_passed("b/d", "m", "");
	EQ(syncfs_after_error("n/d/f"), ENOSPC);
	EQ(syncfs_after_error("m/f"), ENOSPC);
}

static void shut_down(const char *tree)
{
	int fd = OK(open(tree, O_RDONLY | O_DIRECTORY));
	uint32_t how = 2;	/* without writing back the journal */

	OK(ioctl(fd, _IOR('X', 125, uint32_t), &how));
	close(fd);
}

TEST(fsync_on_a_file_system_that_was_shut_down_says_what_it_says_natively)
{
	expect_syncs_as_native(make_journaled_disk, shut_down, "fsync EIO; again EIO");
}
