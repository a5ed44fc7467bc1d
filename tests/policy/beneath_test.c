// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes in the tree beneath a mount while it is served: file systems mounted
 * in it, and files removed from it.
 *
 * The tree is a private clone of its mount. What anybody mounts in it is not seen
 * on the mount, which shows the directory beneath, and changes nothing there.
 * Removed objects are let go of, though nobody looks for their names again.
 */
#include "harness.h"
#include "passed.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Looks at everything beneath a directory: lists, stats, and reads files. */
static int look_at_all(const char *path)
{
	char in[PATH_MAX];
	struct dirent *e;
	struct stat st;
	int n = 0;
	DIR *d = opendir(path);

	if (!d)
		FAIL("opendir %s: %s", path, strerrorname_np(errno));
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(in, sizeof(in), "%s/%s", path, e->d_name);
		OK(lstat(in, &st));
		n++;
		if (S_ISDIR(st.st_mode))
			n += look_at_all(in);
		else if (S_ISREG(st.st_mode))
			get_file(in);
	}
	closedir(d);
	return n;
}

/* Mounts in the tree --------------------------------------------------------- */

/* b/media/usb is to be mounted on; there is a file in it already. */
static void make_media(void)
{
	run("mkdir -p b/media/usb/in b/other && echo beneath >b/media/usb/under &&"
	    " echo deep >b/media/usb/in/f && echo text >b/f");
}

static void plug_in(void)
{
	OK(mount("stick", "b/media/usb", "tmpfs", 0, NULL));
	run("mkdir b/media/usb/dir && echo a >b/media/usb/stick && echo b >b/media/usb/dir/f");
}

static void expect_the_directory_beneath(void)
{
	struct stat st;

	CHECK(dir_has("m/media/usb", "under"));
	CHECK(!dir_has("m/media/usb", "stick"));
	CHECK(file_is("m/media/usb/under", "beneath\n"));
	CHECK(file_is("m/media/usb/in/f", "deep\n"));
	ERR(lstat("m/media/usb/stick", &st), ENOENT);
	ERR(lstat("m/media/usb/dir/f", &st), ENOENT);
	EQ(stat_of("m/media/usb").st_dev, stat_of("m").st_dev);
	EQ(stat_of("m/media/usb/under").st_dev, stat_of("m").st_dev);
}

/* Makes and changes something there; the file system on top is not touched. */
static void expect_changes_go_beneath(void)
{
	put_file("m/media/usb/new", "new\n", 0644);
	OK(rename("m/f", "m/media/usb/moved"));
	OK(rename("m/media/usb/moved", "m/f"));
	CHECK(file_is("b/media/usb/stick", "a\n"));
	CHECK(!dir_has("b/media/usb", "new"));
}

static void pull_out(void)
{
	/* At once: nobody holds it. */
	OK(umount("b/media/usb"));
	CHECK(file_is("b/media/usb/new", "new\n"));
	CHECK(file_is("m/media/usb/new", "new\n"));
	EQ(look_at_all("m/media"), look_at_all("b/media"));
}

TEST(what_was_mounted_in_the_tree_before_is_not_seen_on_the_mount)
{
	make_media();
	plug_in();
	mount_passed("b", "m", "");
	asked_reset("m");
	expect_the_directory_beneath();
	expect_changes_go_beneath();
	pull_out();
	expect_silence_of("m");
}

TEST(what_is_mounted_in_the_tree_later_is_not_seen_on_the_mount)
{
	make_media();
	mount_passed("b", "m", "");
	look_at_all("m");
	asked_reset("m");
	plug_in();
	expect_the_directory_beneath();
	drop_caches();
	expect_the_directory_beneath();
	expect_changes_go_beneath();
	pull_out();
	expect_silence_of("m");
}

/* By the names alone: how many things below a directory are called so. */
static long found(const char *top, const char *option, const char *name)
{
	return atol(line_of("find %s %s -name %s | wc -l", top, option, name));
}

TEST(commands_that_stay_on_one_file_system_do_not_touch_what_is_mounted_in_the_tree)
{
	make_media();
	mount_passed("b", "m", "");
	look_at_all("m");
	plug_in();
	EQ(found("b", "", "stick"), 1);
	EQ(found("b", "-xdev", "stick"), 0);
	EQ(found("m", "-xdev", "stick"), 0);
	/* The name beneath is on the file system, and goes; the mount on top is not. */
	shell("rm -r --one-file-system m/media 2>/dev/null");
	CHECK(file_is("b/media/usb/stick", "a\n"));
	CHECK(file_is("b/media/usb/dir/f", "b\n"));
	shell("find m -xdev -delete 2>/dev/null");
	CHECK(file_is("b/media/usb/stick", "a\n"));
	OK(umount("b/media/usb"));
	EQ(found("b", "", "under"), 0);
}

/* In a mount namespace of its own, as a container. */
struct elsewhere {
	const char *target;
	const char *source;	/* a file to bind, or NULL for a new file system */
	int ready, end;		/* pipes */
};

static int mount_elsewhere(void *p)
{
	struct elsewhere *e = p;
	char c;

	OK(unshare(CLONE_NEWNS));
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (e->source)
		OK(mount(e->source, e->target, NULL, MS_BIND, NULL));
	else
		OK(mount("x", e->target, "tmpfs", 0, NULL));
	EQ(write(e->ready, "x", 1), 1);
	EQ(read(e->end, &c, 1), 0);
	return 0;
}

/* Returns what to close to end it. */
static int begin_elsewhere(const char *target, const char *source, pid_t *pid)
{
	struct elsewhere e = { target, source, 0, 0 };
	int ready[2], end[2];
	char c;

	OK(pipe2(ready, O_CLOEXEC));
	OK(pipe2(end, O_CLOEXEC));
	e.ready = ready[1];
	e.end = end[0];
	*pid = fork();
	if (!*pid) {
		close(end[1]);
		_exit(mount_elsewhere(&e));
	}
	EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	return end[1];
}

static void end_elsewhere(int end, pid_t pid)
{
	close(end);
	EQ(reap(pid), 0);
}

static void expect_elsewhere_changes_nothing(const char *target, const char *source, bool look)
{
	int entries = look_at_all("m"), end;
	pid_t pid;

	note("something is mounted on %s elsewhere", target);
	asked_reset("m");
	end = begin_elsewhere(target, source, &pid);
	if (look)
		EQ(look_at_all("m"), entries);
	expect_silence_of("m");
	end_elsewhere(end, pid);
	EQ(look_at_all("m"), entries);
	EQ(look_at_all("m"), entries);
	expect_silence_of("m");
	drop_caches();
	EQ(look_at_all("m"), entries);
	expect_silence_of("m");
}

TEST(mount_that_somebody_makes_in_a_namespace_of_its_own_changes_nothing)
{
	make_media();
	mount_passed("b", "m", "");
	expect_elsewhere_changes_nothing("b/media", NULL, true);
	expect_elsewhere_changes_nothing("b/media/usb", NULL, false);
	/* As containers do with files of /etc. */
	expect_elsewhere_changes_nothing("b/media/usb/under", "/proc/version", true);
	expect_elsewhere_changes_nothing("b", NULL, true);
}

TEST(directory_that_is_mounted_on_elsewhere_is_removed_and_renamed_as_natively)
{
	pid_t pid;
	int end;

	make_media();
	run("rm -r b/media/usb/*; cp -a b n");
	mount_passed("b", "m", "");
	look_at_all("m");
	asked_reset("m");
	end = begin_elsewhere("n/other", NULL, &pid);
	OK(rename("n/other", "n/other2"));
	OK(rmdir("n/other2"));
	end_elsewhere(end, pid);
	end = begin_elsewhere("b/other", NULL, &pid);
	OK(rename("m/other", "m/other2"));
	OK(rmdir("m/other2"));
	end_elsewhere(end, pid);
	/* Where it is mounted on in the caller's own namespace, it is busy. */
	OK(mount("x", "b/media/usb", "tmpfs", 0, NULL));
	ERR(rmdir("b/media/usb"), EBUSY);
	ERR(rmdir("m/media/usb"), EBUSY);
	ERR(rename("m/media/usb", "m/media/usb2"), EBUSY);
	OK(umount("b/media/usb"));
	OK(rmdir("m/media/usb"));
	expect_silence_of("m");
}

/* Has some loop device the image of this case?  Its last user gives it back. */
static bool disk_is_in_use(void)
{
	char top[PATH_MAX], want[PATH_MAX + 16], path[64], image[PATH_MAX + 16] = "";
	bool found = false;
	FILE *f;

	CHECK(getcwd(top, sizeof(top)));
	snprintf(want, sizeof(want), "%s/b.img\n", top);
	for (int i = 0; i < 64 && !found; i++) {
		snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", i);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fgets(image, sizeof(image), f) && !strcmp(image, want);
		fclose(f);
	}
	return found;
}

TEST(mount_of_the_source_may_be_moved_and_detached)
{
	make_disk("ext4", "-q -F", 32, "b", "");
	make_media();
	mount_passed("b", "m", "");
	asked_reset("m");
	EQ(look_at_all("m/media"), 4);
	OK(mkdir("c", 0755));
	OK(mount("b", "c", NULL, MS_MOVE, NULL));
	EQ(look_at_all("m/media"), 4);
	put_file("m/media/new", "new\n", 0644);
	CHECK(file_is("c/media/new", "new\n"));
	OK(umount2("c", MNT_DETACH));
	drop_caches();
	EQ(look_at_all("m/media"), 5);
	put_file("m/media/newer", "newer\n", 0644);
	expect_silence_of("m");
	/* The mount was the last user of the file system. */
	CHECK(disk_is_in_use());
	OK(umount("m"));
	EVENTUALLY(!disk_is_in_use());
	run("e2fsck -fn b.img >/dev/null 2>&1");
}

/* A tree that holds its own mount point --------------------------------------- */

static void make_tree_of_its_own(void)
{
	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	run("mkdir t/in t/in/beneath && echo text >t/f");
}

/* Of this case: there are no other processes in its name space. A server that has ended
 * is its child. */
static bool server_runs(void)
{
	char path[300], name[32] = "";
	DIR *proc = opendir("/proc");
	bool found = false;
	struct dirent *e;
	FILE *f;

	CHECK(proc);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	while (!found && (e = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = e->d_name[0] > '0' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && !strcmp(name, "fusepass\n");
		fclose(f);
	}
	closedir(proc);
	return found;
}

TEST(tree_may_hold_the_mount_point)
{
	make_tree_of_its_own();
	/* As a bind mount, which has the directory beneath. */
	OK(mount("t", "t/in", NULL, MS_BIND, NULL));
	EQ(look_at_all("t/in/in"), 1);
	OK(umount("t/in"));
	mount_passed("t", "t/in", "");
	CHECK(server_runs());
	asked_reset("t/in");
	CHECK(file_is("t/in/f", "text\n"));
	EQ(look_at_all("t/in/in"), 1);
	OK(access("t/in/in/beneath", F_OK));
	expect_silence_of("t/in");
	OK(umount("t/in"));
	EVENTUALLY(!server_runs());
	OK(umount("t"));
}

TEST(mount_over_its_own_source_works_and_can_be_unmounted)
{
	make_tree_of_its_own();
	mount_passed("t", "t", "");
	asked_reset("t");
	CHECK(file_is("t/f", "text\n"));
	put_file("t/in/new", "new\n", 0644);
	expect_silence_of("t");
	OK(umount("t"));
	EVENTUALLY(!server_runs());
	CHECK(file_is("t/in/new", "new\n"));
	OK(umount("t"));
}

TEST(policy_of_a_mount_over_its_own_source_is_replaced_and_attached)
{
	make_tree_of_its_own();
	mount_passed("t", "t", "");
	run("fusepass policy replace readonly t");
	asked_reset("t");
	CHECK(file_is("t/f", "text\n"));
	expect_silence_of("t");
	run("fusepass policy detach t");
	CHECK(file_is("t/f", "text\n"));
	CHECK(asked("t") > 0);
	run("fusepass policy attach mirror t");
	asked_reset("t");
	CHECK(file_is("t/f", "text\n"));
	expect_silence_of("t");
	OK(umount("t"));
}

/* Removed in the tree --------------------------------------------------------- *
 *
 * The disk is b, of which the mount m shows the directory b/src.
 */

enum { MB = 1 << 20, DISK_MB = 48, FILE_MB = 12 };

static long long start_free, start_inodes;

static long long bytes_free(void)
{
	struct statfs s;

	OK(statfs("b", &s));
	return (long long)s.f_bfree * s.f_bsize;
}

static long long inodes_free(void)
{
	struct statfs s;

	OK(statfs("b", &s));
	return s.f_ffree;
}

static void mount_small_disk(void)
{
	make_disk("ext4", "-q -F", DISK_MB, "b", "");
	OK(mkdir("b/src", 0755));
	mount_passed("b/src", "m", "");
	look_at_all("m");
	asked_reset("m");
	start_free = bytes_free();
	start_inodes = inodes_free();
}

static void write_file(const char *path, unsigned int mbytes)
{
	static char block[MB];
	int fd = OK(open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644));

	memset(block, 'x', sizeof(block));
	for (unsigned int i = 0; i < mbytes; i++)
		if (write(fd, block, sizeof(block)) != sizeof(block))
			FAIL("write %s: %s, %lld of %lld bytes are free", path,
			     strerrorname_np(errno), bytes_free(), start_free);
	close(fd);
}

static void read_file(const char *path)
{
	static char block[MB];
	int fd = OK(open(path, O_RDONLY));

	while (OK(read(fd, block, sizeof(block))) > 0)
		;
	close(fd);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Within two seconds, of a fast machine, and without anybody's looking. */
static double expect_within(bool (*cond)(void), const char *what)
{
	double begin = now(), limit = 2.0 * harness_patience;

	while (!cond()) {
		if (now() - begin > limit)
			FAIL("%s: not after %.0f s; %lld of %lld bytes and %lld of %lld inodes are free",
			     what, limit, bytes_free(), start_free, inodes_free(), start_inodes);
		usleep(20000);
	}
	return now() - begin;
}

/* But for what the directory itself has grown by. */
static bool all_is_free(void)
{
	return bytes_free() >= start_free - 65536 && inodes_free() >= start_inodes - 1;
}

static bool becomes_readonly(void)
{
	return !mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

static void make_writable(void)
{
	OK(mount(NULL, "b", NULL, MS_REMOUNT, NULL));
}

TEST(space_of_files_removed_in_the_tree_is_free_soon)
{
	double longest = 0, took;

	mount_small_disk();
	/* Ten times what the disk has. */
	for (int i = 0; i < 10 * DISK_MB / FILE_MB; i++) {
		write_file("b/src/log", FILE_MB);
		read_file("m/log");
		CHECK(!all_is_free());
		OK(unlink("b/src/log"));
		took = expect_within(all_is_free, "a file that was removed");
		longest = took > longest ? took : longest;
	}
	note("the longest took %.2f s", longest);
	expect_silence_of("m");
}

/* Of each name in the tree that was seen on the mount, and of some that were not there. */
TEST(directories_removed_in_the_tree_are_let_go_soon)
{
	struct stat st;

	mount_small_disk();
	for (int round = 0; round < 3; round++) {
		run("for d in 1 2 3 4 5; do mkdir -p b/src/top/$d/sub; for f in 1 2 3 4; do"
		    " echo x >b/src/top/$d/$f; echo y >b/src/top/$d/sub/$f; done; done");
		write_file("b/src/top/3/sub/large", FILE_MB);
		look_at_all("m");
		ERR(lstat("m/top/none", &st), ENOENT);
		ERR(lstat("m/top/3/none", &st), ENOENT);
		ERR(lstat("m/top/3/sub/none", &st), ENOENT);
		run("rm -r b/src/top");
		expect_within(all_is_free, "a directory that was removed");
	}
	expect_silence_of("m");
}

TEST(file_that_was_renamed_over_in_the_tree_is_let_go_soon)
{
	mount_small_disk();
	for (int round = 0; round < 6; round++) {
		write_file("b/src/f", FILE_MB);
		read_file("m/f");
		write_file("b/src/tmp", 0);
		OK(rename("b/src/tmp", "b/src/f"));
		expect_within(all_is_free, "a file that was renamed over");
		OK(unlink("b/src/f"));
		expect_within(all_is_free, "what was in its place");
	}
	expect_silence_of("m");
}

TEST(file_moved_in_the_tree_and_removed_there_is_let_go_soon)
{
	mount_small_disk();
	OK(mkdir("b/elsewhere", 0755));
	start_inodes = inodes_free();
	for (int round = 0; round < 6; round++) {
		write_file("b/src/f", FILE_MB);
		read_file("m/f");
		/* Out of what the mount shows. */
		OK(rename("b/src/f", "b/elsewhere/f"));
		OK(unlink("b/elsewhere/f"));
		expect_within(all_is_free, "a file that was moved and removed");
	}
	expect_silence_of("m");
}

TEST(last_of_several_links_removed_in_the_tree_frees_the_file)
{
	mount_small_disk();
	write_file("b/src/f", FILE_MB);
	OK(link("b/src/f", "b/src/g"));
	OK(link("b/src/f", "b/h"));
	read_file("m/f");
	read_file("m/g");
	OK(unlink("b/src/f"));
	OK(unlink("b/src/g"));
	usleep(1000000);
	CHECK(!all_is_free());
	EQ(stat_of("b/h").st_size, FILE_MB * MB);
	OK(unlink("b/h"));
	expect_within(all_is_free, "a file with several names");
	expect_silence_of("m");
}

/* An object in use stays for as long, as natively. */
static void expect_held_until(int fd, void *map)
{
	char c;

	OK(unlink("b/src/f"));
	usleep(1500000);
	CHECK(!all_is_free());
	CHECK(!becomes_readonly());
	if (map)
		CHECK(((char *)map)[MB] == 'x');
	else
		EQ(pread(fd, &c, 1, MB), 1);
	if (map)
		munmap(map, 2 * MB);
	else
		close(fd);
	expect_within(all_is_free, "a file that was in use");
}

TEST(removed_file_that_is_open_or_mapped_is_let_go_when_it_is_closed)
{
	void *map;
	int fd;

	mount_small_disk();
	write_file("b/src/f", FILE_MB);
	expect_held_until(OK(open("m/f", O_RDONLY)), NULL);
	write_file("b/src/f", FILE_MB);
	fd = OK(open("m/f", O_RDONLY));
	map = mmap(NULL, 2 * MB, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	close(fd);
	expect_held_until(-1, map);
	expect_silence_of("m");
}

TEST(removed_directory_that_is_a_working_directory_is_let_go_when_it_is_left)
{
	int top = OK(open(".", O_PATH | O_DIRECTORY));

	mount_small_disk();
	run("mkdir -p b/src/d/e && echo x >b/src/d/e/f");
	look_at_all("m");
	OK(chdir("m/d/e"));
	EQ(shell("cd /proc/%d/cwd && test -e f", getpid()), 0);
	OK(fchdir(top));
	run("rm -r b/src/d");
	expect_within(all_is_free, "a directory that was a working directory");
}

TEST(file_system_becomes_readonly_soon_after_files_were_removed_in_the_tree)
{
	int fd;

	mount_small_disk();
	run("mkdir b/src/d && echo x >b/src/d/f && echo x >b/src/g && echo x >b/src/h");
	look_at_all("m");
	/* Natively it does at once. */
	CHECK(becomes_readonly());
	make_writable();
	run("rm -r b/src/d b/src/g");
	expect_within(becomes_readonly, "read-only");
	ERR(open("m/h", O_WRONLY), EROFS);
	CHECK(file_is("m/h", "x\n"));
	make_writable();
	/* Not as long as a removed file is open. */
	fd = OK(open("m/h", O_RDONLY));
	OK(unlink("b/src/h"));
	usleep(1500000);
	CHECK(!becomes_readonly());
	close(fd);
	expect_within(becomes_readonly, "read-only once it is closed");
	make_writable();
	expect_silence_of("m");
}

TEST(file_system_is_unmounted_after_the_mount_whatever_was_removed)
{
	mount_small_disk();
	run("mkdir b/src/d && echo x >b/src/d/f");
	look_at_all("m");
	run("rm -r b/src/d");
	OK(umount("m"));
	EVENTUALLY(!server_runs());
	OK(umount("b"));
	EVENTUALLY(!disk_is_in_use());
	run("e2fsck -fn b.img >/dev/null 2>&1");
}
