// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on open files and on extended attributes: passed with their bit,
 * and done by the server without it.
 *
 * A directory d is registered with a mask, and the kernel makes the nodes beneath
 * it. A file whose mask has OPEN is opened by the kernel alone; if the server has
 * to be asked for something on it, it gets an OPEN late. Without OPEN the server
 * opens it and the kernel adds the backing file. Lookup and the rest of part A are
 * in raw_test.c.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"
#include "rawfuse.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ALL_BUT(ops)	(RF_OPS & ~(ops))
#define COPY_OPS	(RF_OP_COPY_FILE_RANGE | RF_OP_COPY_FILE_RANGE_64)
#define LOCK_OPS	(RF_OP_GETLK | RF_OP_SETLK | RF_OP_SETLKW)
#define LOCK_FLAGS	(FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS)
#define RF_FOPEN_NOFLUSH (1U << 5)

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x00000020
#endif

#define TRACING "/sys/kernel/tracing/"

static int32_t dir_id;
static uint64_t dir_mask;

static void entry_hook(struct rf *rf, uint32_t opcode, const char *name,
		       struct rf_entry2 *e)
{
	if (strcmp(name, "d"))
		return;
	if (!dir_id)
		dir_id = rf_backing_open(rf, rf_node_fd(rf, e->nodeid), 0,
					 dir_mask);
	if (dir_id <= 0)
		FAIL("register d: %s", strerrorname_np(errno));
	e->backing_id = dir_id;
}

/* d is registered with this mask; d/f and d/g exist. */
static struct rf *mount_conf(uint64_t mask, struct rf_conf *conf)
{
	struct stat st;
	struct rf *rf;

	rf_make_tree();
	put_file("b/d/f", "hello, world\n", 0644);
	put_file("b/d/g", "", 0644);
	conf->entry = entry_hook;
	dir_mask = mask;
	rf = rf_mount(NULL, conf);
	OK(stat("m/d/f", &st));
	rf_reset(rf);
	return rf;
}

static struct rf *mount_dir(uint64_t mask)
{
	struct rf_conf conf = RF_DEFAULT;

	return mount_conf(mask, &conf);
}

static struct rf *mount_flags(uint64_t mask, uint64_t flags)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.flags |= flags;
	return mount_conf(mask, &conf);
}

/* Requests but for what a walk from the root to d costs. */
static unsigned long count_beneath(struct rf *rf)
{
	return rf_count_all(rf) - rf_count(rf, FUSE_LOOKUP) -
	       rf->stats->root_getattr;
}

static void expect_silence(struct rf *rf)
{
	if (count_beneath(rf))
		rf_note_counts(rf);
	EQ(count_beneath(rf), 0);
}

/* The server was asked once for this, and for nothing else but to open. */
static void expect_asked_once(struct rf *rf, uint32_t opcode)
{
	if (rf_count(rf, opcode) != 1)
		rf_note_counts(rf);
	EQ(rf_count(rf, opcode), 1);
	EQ(count_beneath(rf) - rf_count(rf, FUSE_OPEN) -
	   rf_count(rf, FUSE_OPENDIR), 1);
	EQ(rf_count(rf, FUSE_OPEN) + rf_count(rf, FUSE_OPENDIR), 1);
}

static int open_file(const char *path, int flags)
{
	return OK(open(path, flags | O_CLOEXEC, 0600));
}

static int open_f(int flags)
{
	return open_file("m/d/f", flags);
}

static off_t size_of(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
	return st.st_size;
}

/* The file opened late */

TEST(late_open_is_followed_by_flush_and_release)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC | RF_OP_FLUSH));
	char buf[16] = "";
	int fd = open_f(O_RDWR);

	expect_silence(rf);
	OK(fsync(fd));
	expect_asked_once(rf, FUSE_FSYNC);
	OK(fsync(fd));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf_count(rf, FUSE_FSYNC), 2);
	/* Passed operations go on passing. */
	EQ(pread(fd, buf, 5, 0), 5);
	EQ(pwrite(fd, "J", 1, 0), 1);
	EQ(rf_count(rf, FUSE_READ) + rf_count(rf, FUSE_WRITE), 0);
	OK(close(fd));
	EQ(rf_count(rf, FUSE_FLUSH), 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	CHECK(file_is("b/d/f", "Jello, world\n"));
}

TEST(file_that_the_server_is_not_asked_for_is_never_opened_there)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC | RF_OP_FLUSH));
	int fd = open_f(O_RDWR);

	EQ(pwrite(fd, "J", 1, 0), 1);
	OK(close(fd));
	expect_silence(rf);
}

TEST(late_open_has_the_flags_of_the_file)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC));
	int fd = open_f(O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_NOCTTY);

	EQ(write(fd, "x", 1), 1);
	expect_silence(rf);
	OK(fsync(fd));
	EQ(rf->stats->open_flags & O_ACCMODE, O_RDWR);
	CHECK(rf->stats->open_flags & O_APPEND);
	EQ(rf->stats->open_flags & (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC), 0);
	CHECK(file_is("b/d/f", "x"));
}

static int fsync_fd(void *p)
{
	OK(fsync(*(int *)p));
	return 0;
}

TEST(late_open_is_in_the_name_of_who_opened_the_file)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC));
	int fd = open_f(O_RDONLY);

	EQ(as_uid(1000, fsync_fd, &fd), 0);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf->stats->open_uid, 0);
}

static pthread_barrier_t together;

static void *fsync_together(void *p)
{
	pthread_barrier_wait(&together);
	OK(fsync(*(int *)p));
	return NULL;
}

TEST(late_open_is_one_request_for_many_threads)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC));
	pthread_t threads[8];
	int fd;

	pthread_barrier_init(&together, NULL, ARRAY_SIZE(threads));
	for (int round = 0; round < 20; round++) {
		fd = open_f(O_RDWR);
		rf_reset(rf);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			CHECK(!pthread_create(&threads[i], NULL, fsync_together,
					      &fd));
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		EQ(rf_count(rf, FUSE_OPEN), 1);
		EQ(rf_count(rf, FUSE_FSYNC), ARRAY_SIZE(threads));
		OK(close(fd));
		EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	}
}

TEST(failed_late_open_leaves_the_file_as_it_was)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC | RF_OP_FLUSH));
	char buf[16] = "";
	int fd = open_f(O_RDWR);

	rf->conf.open_error = ENFILE;
	ERR(fsync(fd), ENFILE);
	EQ(rf_count(rf, FUSE_FSYNC), 0);
	EQ(pread(fd, buf, 5, 0), 5);
	/* And the next one tries again. */
	rf->conf.open_error = 0;
	OK(fsync(fd));
	EQ(rf_count(rf, FUSE_OPEN), 2);
	OK(close(fd));
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
}

TEST(file_that_could_not_be_opened_late_is_not_released)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNC | RF_OP_FLUSH));
	int fd = open_f(O_RDWR);

	rf->conf.open_error = EACCES;
	ERR(fsync(fd), EACCES);
	OK(close(fd));
	usleep(100000);
	EQ(rf_count(rf, FUSE_FLUSH) + rf_count(rf, FUSE_RELEASE), 0);
}

TEST(late_open_at_a_dead_server_fails_and_the_rest_works)
{
	struct rf_conf conf = RF_DEFAULT;
	char buf[16] = "";
	struct rf *rf;
	int fd;

	conf.process = true;
	rf = mount_conf(ALL_BUT(RF_OP_FSYNC), &conf);
	fd = open_f(O_RDWR);
	OK(kill(rf->pid, SIGKILL));
	reap(rf->pid);
	close(rf->dev);
	CHECK(fsync(fd) < 0);
	CHECK(errno == ENOTCONN || errno == ECONNABORTED);
	EQ(pread(fd, buf, 5, 0), 5);
	EQ(pwrite(fd, "J", 1, 0), 1);
	OK(fallocate(fd, 0, 0, 4096));
	OK(close(fd));
}

static void noflush_hook(struct rf *rf, uint64_t nodeid,
			 struct fuse_open_out *o, int32_t *backing_id)
{
	/* Direct io, keep cache and nonseekable come too late. */
	o->open_flags |= RF_FOPEN_NOFLUSH | 1 | 2 | 4;
}

TEST(late_open_takes_noflush_and_no_other_flag)
{
	struct rf_conf conf = RF_DEFAULT;
	char buf[16] = "";
	struct rf *rf;
	int fd;

	conf.open = noflush_hook;
	rf = mount_conf(ALL_BUT(RF_OP_FSYNC | RF_OP_FLUSH), &conf);
	fd = open_f(O_RDWR);
	OK(fsync(fd));
	EQ(pread(fd, buf, 5, 1), 5);
	EQ(lseek(fd, 0, SEEK_END), 13);
	EQ(rf_count(rf, FUSE_READ), 0);
	OK(close(fd));
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	EQ(rf_count(rf, FUSE_FLUSH), 0);
}

TEST(server_without_open_gets_no_release)
{
	struct rf_conf conf = RF_DEFAULT;
	struct flock fl = { .l_type = F_WRLCK };
	struct rf *rf;
	int fd;

	conf.no_open = true;
	conf.flags |= LOCK_FLAGS;
	rf = mount_conf(ALL_BUT(LOCK_OPS), &conf);
	fd = open_f(O_RDWR);
	OK(fcntl(fd, F_SETLK, &fl));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf_count(rf, FUSE_SETLK), 1);
	OK(close(fd));
	EQ(rf_count(rf, FUSE_FLUSH), 1);
	fd = open_f(O_RDWR);
	OK(fcntl(fd, F_SETLK, &fl));
	EQ(rf_count(rf, FUSE_SETLK), 2);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	OK(close(fd));
	usleep(100000);
	EQ(rf_count(rf, FUSE_RELEASE), 0);
}

/* fsync */

static void do_fsync(const char *path, int flags)
{
	int fd = open_file(path, flags);

	OK(fsync(fd));
	OK(fdatasync(fd));
	close(fd);
}

TEST(fsync_passes_with_its_bit)
{
	struct rf *rf = mount_dir(RF_OPS);

	do_fsync("m/d/f", O_RDWR);
	do_fsync("m/d", O_RDONLY | O_DIRECTORY);
	expect_silence(rf);
}

TEST(fsync_of_a_file_that_the_server_opened_passes_with_its_bit)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_OPEN));

	do_fsync("m/d/f", O_RDWR);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf_count(rf, FUSE_FSYNC), 0);
}

TEST(fsync_of_a_file_that_the_server_opened_is_its_own_without_the_bit)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_OPEN | RF_OP_FSYNC));

	do_fsync("m/d/f", O_RDWR);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(rf_count(rf, FUSE_FSYNC), 2);
}

TEST(fsync_of_a_directory_opens_it_late)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FSYNCDIR));
	int fd = open_file("m/d", O_RDONLY | O_DIRECTORY);

	OK(fsync(fd));
	expect_asked_once(rf, FUSE_FSYNCDIR);
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	close(fd);
	EVENTUALLY(rf_count(rf, FUSE_RELEASEDIR) == 1);
}

TEST(fsync_of_a_directory_works_at_a_server_without_opendir)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	int fd;

	conf.no_open = true;
	conf.no_fsync = true;
	rf = mount_conf(ALL_BUT(RF_OP_FSYNCDIR), &conf);
	for (int i = 0; i < 2; i++) {
		fd = open_file("m/d", O_RDONLY | O_DIRECTORY);
		OK(fsync(fd));
		OK(fsync(fd));
		close(fd);
	}
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	EQ(rf_count(rf, FUSE_FSYNCDIR), 1);
	usleep(100000);
	EQ(rf_count(rf, FUSE_RELEASEDIR), 0);
}

TEST(what_was_passed_is_synced_if_the_server_has_no_fsync)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	long before;
	int fd;

	conf.no_fsync = true;
	rf = mount_conf(ALL_BUT(RF_OP_FSYNC), &conf);
	fd = open_f(O_RDWR);
	before = rf_policy_number(rf, "op FSYNC passed");
	OK(fsync(fd));
	OK(fsync(fd));
	EQ(rf_count(rf, FUSE_FSYNC), 1);
	CHECK(rf_policy_number(rf, "op FSYNC passed") >= before + 2);
	close(fd);
}

/* flush */

static struct rf *close_of_a_server_file(uint64_t mask, uint64_t flags)
{
	struct rf *rf = mount_flags(mask & ~RF_OP_OPEN, flags);
	int fd = open_f(O_RDWR);

	EQ(pwrite(fd, "J", 1, 0), 1);
	OK(close(fd));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	return rf;
}

TEST(flush_of_a_file_that_the_server_opened_is_left_out_with_its_bit)
{
	EQ(rf_count(close_of_a_server_file(RF_OPS, 0), FUSE_FLUSH), 0);
}

TEST(flush_of_a_file_that_the_server_opened_is_sent_without_its_bit)
{
	EQ(rf_count(close_of_a_server_file(ALL_BUT(RF_OP_FLUSH), 0),
		    FUSE_FLUSH), 1);
}

TEST(flush_is_sent_if_the_server_does_the_writes)
{
	EQ(rf_count(close_of_a_server_file(ALL_BUT(RF_OP_WRITE), 0),
		    FUSE_FLUSH), 1);
}

TEST(flush_is_left_out_if_no_lock_was_taken_at_the_server)
{
	EQ(rf_count(close_of_a_server_file(ALL_BUT(LOCK_OPS), LOCK_FLAGS),
		    FUSE_FLUSH), 0);
}

/* fallocate */

TEST(fallocate_passes_with_its_bit)
{
	struct rf *rf = mount_dir(RF_OPS);
	int fd = open_f(O_RDWR);

	OK(fallocate(fd, 0, 0, 8192));
	EQ(size_of("m/d/f"), 8192);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	OK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
	EQ(size_of("m/d/f"), 4096);
	expect_silence(rf);
}

TEST(fallocate_of_a_file_that_the_server_opened_passes_with_its_bit)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_OPEN | RF_OP_WRITE));
	int fd = open_f(O_RDWR | O_APPEND);

	OK(fallocate(fd, 0, 0, 8192));
	EQ(rf_count(rf, FUSE_FALLOCATE), 0);
	/* The server writes at the end that the kernel has made. */
	EQ(write(fd, "x", 1), 1);
	EQ(rf_count(rf, FUSE_WRITE), 1);
	EQ(size_of("b/d/f"), 8193);
	EQ(lseek(fd, 0, SEEK_END), 8193);
}

TEST(fallocate_without_its_bit_is_the_servers_and_writes_see_it)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_FALLOCATE));
	int fd = open_f(O_RDWR | O_APPEND);

	EQ(write(fd, "x", 1), 1);
	OK(fallocate(fd, 0, 0, 8192));
	expect_asked_once(rf, FUSE_FALLOCATE);
	EQ(lseek(fd, 0, SEEK_END), 8192);
	EQ(write(fd, "x", 1), 1);
	EQ(size_of("m/d/f"), 8193);
	EQ(rf_count(rf, FUSE_WRITE), 0);
	ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
}

static int fallocate_f(void *p)
{
	int fd = open_f(O_RDWR);

	OK(fallocate(fd, 0, 0, 8192));
	return 0;
}

static void expect_mode(const char *path, mode_t mode)
{
	EQ(stat_of(path).st_mode & 07777, mode);
}

static void expect_fallocate_clears_suid(uint64_t mask)
{
	mount_dir(mask);
	/* Set behind the back of the fuse mount. */
	OK(chmod("b/d/f", 06777));
	EQ(as_uid(1000, fallocate_f, NULL), 0);
	expect_mode("b/d/f", 0777);
	expect_mode("m/d/f", 0777);
}

TEST(passed_fallocate_clears_suid)
{
	expect_fallocate_clears_suid(RF_OPS);
}

TEST(fallocate_by_the_server_clears_suid)
{
	expect_fallocate_clears_suid(ALL_BUT(RF_OP_FALLOCATE));
}

/* The file is open since it had no such bits. */

static int ftruncate_fd(void *p)
{
	OK(ftruncate(*(int *)p, 3));
	return 0;
}

static void expect_ftruncate_clears_suid(uint64_t mask)
{
	struct rf *rf = mount_dir(mask);
	struct stat st;
	int fd;

	OK(chmod("b/d/f", 0777));
	fd = open_f(O_RDWR);
	OK(fstat(fd, &st));
	EQ(st.st_mode & 07777, 0777);
	OK(chmod("b/d/f", 06777));
	EQ(as_uid(1000, ftruncate_fd, &fd), 0);
	EQ(rf_count(rf, FUSE_SETATTR), mask & RF_OP_SETATTR ? 0 : 1);
	EQ(size_of("b/d/f"), 3);
	expect_mode("b/d/f", 0777);
	OK(fstat(fd, &st));
	EQ(st.st_mode & 07777, 0777);
	/* Root keeps them. */
	OK(chmod("b/d/f", 06777));
	OK(ftruncate(fd, 2));
	expect_mode("b/d/f", 06777);
}

TEST(ftruncate_clears_suid_that_was_set_since_the_open)
{
	expect_ftruncate_clears_suid(RF_OPS);
}

TEST(ftruncate_by_the_server_clears_suid_that_was_set_since_the_open)
{
	expect_ftruncate_clears_suid(ALL_BUT(RF_OP_SETATTR));
}

/* lseek */

static void make_hole(void)
{
	int fd = open_file("b/d/f", O_WRONLY | O_TRUNC);

	OK(ftruncate(fd, 1 << 20));
	EQ(pwrite(fd, "x", 1, 512 << 10), 1);
	OK(fsync(fd));
	close(fd);
}

static void expect_seeks(int fd)
{
	EQ(lseek(fd, 0, SEEK_DATA), 512 << 10);
	EQ(lseek(fd, 0, SEEK_HOLE), 0);
	ERR(lseek(fd, 1 << 20, SEEK_DATA), ENXIO);
	EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(lseek_passes_with_its_bit)
{
	struct rf *rf = mount_dir(RF_OPS);

	make_hole();
	expect_seeks(open_f(O_RDONLY));
	expect_silence(rf);
}

TEST(lseek_of_a_file_that_the_server_opened_passes_with_its_bit)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_OPEN));

	make_hole();
	expect_seeks(open_f(O_RDONLY));
	EQ(rf_count(rf, FUSE_LSEEK), 0);
}

TEST(lseek_without_its_bit_is_the_servers_for_data_and_holes_only)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_LSEEK | RF_OP_GETATTR |
					  RF_OP_STATX));
	int fd;

	make_hole();
	fd = open_f(O_RDONLY);
	rf_reset(rf);
	EQ(lseek(fd, 0, SEEK_END), 1 << 20);
	EQ(lseek(fd, 5, SEEK_SET), 5);
	EQ(lseek(fd, 5, SEEK_CUR), 10);
	ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	ERR(lseek(fd, 0, 99), EINVAL);
	expect_silence(rf);
	EQ(lseek(fd, 0, SEEK_DATA), 512 << 10);
	expect_asked_once(rf, FUSE_LSEEK);
	EQ(lseek(fd, 0, SEEK_END), 1 << 20);
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

/* copy_file_range */

static void expect_copy(int in, int out)
{
	off_t from = 7, to = 1;

	EQ(copy_file_range(in, &from, out, &to, 100, 0), 6);
	EQ(from, 13);
	EQ(to, 7);
	CHECK(!memcmp(get_file("b/d/g") + 1, "world\n", 6));
	EQ(size_of("m/d/g"), 7);
	EQ(size_of("b/d/g"), 7);
}

TEST(copy_passes_with_the_new_bit_alone)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_COPY_FILE_RANGE));

	expect_copy(open_f(O_RDONLY), open_file("m/d/g", O_WRONLY));
	expect_silence(rf);
}

TEST(copy_passes_with_the_old_bit_alone)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_COPY_FILE_RANGE_64));

	expect_copy(open_f(O_RDONLY), open_file("m/d/g", O_WRONLY));
	expect_silence(rf);
}

static unsigned long copies(struct rf *rf)
{
	return rf_count(rf, FUSE_COPY_FILE_RANGE) +
	       rf_count(rf, RF_COPY_FILE_RANGE_64);
}

TEST(copy_without_its_bits_opens_both_files_late)
{
	struct rf *rf = mount_dir(ALL_BUT(COPY_OPS));
	int out = open_file("m/d/g", O_RDWR | O_CLOEXEC);

	expect_copy(open_f(O_RDONLY), out);
	EQ(rf_count(rf, FUSE_OPEN), 2);
	EQ(copies(rf), 1);
	EQ(count_beneath(rf), 3);
	EQ(lseek(out, 0, SEEK_END), 7);
}

TEST(copy_passes_between_files_whoever_opened_them)
{
	/* Only opens for writing go to the server. */
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_WRITE));

	expect_copy(open_f(O_RDONLY), open_file("m/d/g", O_WRONLY));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(copies(rf), 0);
}

TEST(copy_to_a_file_that_does_not_pass_is_the_servers)
{
	struct rf *rf = mount_dir(RF_OPS);
	off_t from = 0, to = 0;
	int in = open_f(O_RDONLY), out = open_file("m/g", O_WRONLY);

	rf_reset(rf);
	EQ(copy_file_range(in, &from, out, &to, 5, 0), 5);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(copies(rf), 1);
	CHECK(!memcmp(get_file("b/g"), "hello", 5));
}

static int copy_f(void *p)
{
	off_t from = 0, to = 0;
	int in, out;

	in = open_f(O_RDONLY);
	out = open_file("m/d/g", O_WRONLY);
	EQ(copy_file_range(in, &from, out, &to, 5, 0), 5);
	return 0;
}

static void expect_copy_clears_suid(uint64_t mask)
{
	struct stat st;

	mount_dir(mask);
	OK(chmod("b/d/g", 06777));
	EQ(as_uid(1000, copy_f, NULL), 0);
	OK(stat("b/d/g", &st));
	EQ(st.st_mode & 07777, 0777);
}

TEST(passed_copy_clears_suid)
{
	expect_copy_clears_suid(RF_OPS);
}

TEST(copy_by_the_server_clears_suid)
{
	expect_copy_clears_suid(ALL_BUT(COPY_OPS));
}

TEST(copy_works_once_the_file_is_no_longer_for_appending)
{
	struct rf *rf = mount_dir(RF_OPS);
	int in = open_f(O_RDONLY), out = open_file("m/d/g", O_RDWR | O_APPEND);
	off_t from = 7, to = 1;

	ERR(copy_file_range(in, &from, out, &to, 6, 0), EBADF);
	OK(fcntl(out, F_SETFL, 0));
	expect_copy(in, out);
	OK(fcntl(out, F_SETFL, O_APPEND));
	ERR(copy_file_range(in, &from, out, &to, 6, 0), EBADF);
	expect_silence(rf);
}

/* Splicing: what was not written stays in the pipe. Without it a second splice would
 * wait for more. */

static int bytes_in(int fd)
{
	int n;

	OK(ioctl(fd, FIONREAD, &n));
	return n;
}

static void expect_in_pipe(int fd, const char *text)
{
	char buf[32] = "";

	EQ(bytes_in(fd), strlen(text));
	EQ(read(fd, buf, sizeof(buf)), strlen(text));
	CHECK(!strcmp(buf, text));
}

static int splice_beyond_limit(void *path)
{
	struct rlimit lim = { 4096, 4096 };
	off_t at = 4090;
	int p[2], fd;

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &lim));
	fd = open_file(path, O_RDWR);
	OK(pipe(p));
	EQ(write(p[1], "0123456789abcdef", 16), 16);
	EQ(splice(p[0], NULL, fd, &at, 16, 0), 6);
	EQ(at, 4096);
	EQ(bytes_in(p[0]), 10);
	ERR(splice(p[0], NULL, fd, &at, 10, 0), EFBIG);
	expect_in_pipe(p[0], "6789abcdef");
	return 0;
}

static struct rf *expect_splice_to_limit(uint64_t mask)
{
	struct rf *rf = mount_dir(mask);

	put_file("native", "", 0644);
	EQ(in_child(splice_beyond_limit, "native"), 0);
	EQ(in_child(splice_beyond_limit, "m/d/g"), 0);
	EQ(size_of("b/d/g"), 4096);
	CHECK(!strcmp(get_file("b/d/g") + 4090, "012345"));
	return rf;
}

TEST(splice_to_the_file_size_limit_leaves_the_rest_in_the_pipe)
{
	EQ(rf_count(expect_splice_to_limit(RF_OPS), FUSE_WRITE), 0);
}

TEST(splice_to_the_file_size_limit_by_the_server_leaves_the_rest_in_the_pipe)
{
	EQ(rf_count(expect_splice_to_limit(ALL_BUT(RF_OP_WRITE)), FUSE_WRITE), 1);
}

static void expect_short_splices(struct rf *rf, const char *path, const char *at)
{
	int fd = open_file(path, O_RDWR), p[2];
	loff_t off = 0;

	rf->conf.short_write = 5;
	OK(pipe(p));
	EQ(write(p[1], "0123456789abcdef", 16), 16);
	EQ(splice(p[0], NULL, fd, &off, 16, 0), 5);
	EQ(off, 5);
	CHECK(file_is(at, "01234"));
	EQ(bytes_in(p[0]), 11);
	EQ(splice(p[0], NULL, fd, &off, 16, 0), 5);
	expect_in_pipe(p[0], "abcdef");
	CHECK(file_is(at, "0123456789"));
	EQ(rf_count(rf, FUSE_WRITE), 2);
}

TEST(splice_of_which_the_server_writes_less_leaves_the_rest_in_the_pipe)
{
	expect_short_splices(mount_dir(ALL_BUT(RF_OP_WRITE)), "m/d/g", "b/d/g");
}

/* Two that take from one pipe: what one of them got, the other one does not get. */

enum { RECORDS = 4096, AT_ONCE = 64 };

static int take_from_pipe(void *p)
{
	uint64_t got[AT_ONCE];
	int *ends = p;
	ssize_t n;
	int fd;

	close(ends[1]);
	fd = open_file("taken", O_CREAT | O_WRONLY);
	while ((n = OK(read(ends[0], got, sizeof(got)))) > 0)
		EQ(write(fd, got, n), n);
	return 0;
}

static int splice_from_pipe(void *p)
{
	int *ends = p, fd = open_file("m/d/g", O_RDWR);
	loff_t at = 0;

	close(ends[1]);
	while (OK(splice(ends[0], NULL, fd, &at, AT_ONCE * sizeof(uint64_t), 0)) > 0)
		;
	return 0;
}

static void count_records(const char *path, unsigned int *times)
{
	int fd = open_file(path, O_RDONLY);
	uint64_t record;
	ssize_t n;

	while ((n = OK(read(fd, &record, sizeof(record)))) > 0) {
		EQ(n, sizeof(record));
		CHECK(record < RECORDS);
		times[record]++;
	}
	close(fd);
}

static void expect_each_once(uint64_t mask)
{
	static unsigned int times[RECORDS];
	pid_t pids[2];
	int ends[2];

	mount_dir(mask);
	OK(truncate("b/d/g", 0));
	OK(pipe2(ends, O_CLOEXEC));
	pids[0] = spawn(splice_from_pipe, ends);
	pids[1] = spawn(take_from_pipe, ends);
	for (uint64_t i = 0; i < RECORDS; i++)
		EQ(write(ends[1], &i, sizeof(i)), sizeof(i));
	close(ends[0]);
	close(ends[1]);
	EQ(reap(pids[0]), 0);
	EQ(reap(pids[1]), 0);
	count_records("b/d/g", times);
	count_records("taken", times);
	note("%lld were spliced", (long long)size_of("b/d/g") / 8);
	for (int i = 0; i < RECORDS; i++)
		EQ(times[i], 1);
}

TEST(splice_from_a_pipe_with_two_readers_gives_each_byte_to_one)
{
	expect_each_once(RF_OPS);
}

/* syncfs(2) has no bit: what was written by passing is not the server's to sync. */
TEST(syncfs_reaches_the_backing_file_system)
{
	static const char event[] = TRACING "events/ext4/ext4_sync_fs/enable";
	char line[64];
	struct stat st;
	int fd;

	if (access(event, W_OK))
		test_skip("no tracepoint %s", event);
	mount_dir(RF_OPS);
	OK(stat("b", &st));
	snprintf(line, sizeof(line), "ext4_sync_fs: dev %u,%u wait 1",
		 major(st.st_dev), minor(st.st_dev));
	fd = open_f(O_RDWR);
	EQ(write(fd, "written", 7), 7);
	close(OK(open(TRACING "trace", O_WRONLY | O_TRUNC)));
	set_sysctl(event, "1");
	OK(fstat(fd, &st));
	CHECK(!strstr(get_file(TRACING "trace"), line));
	OK(syncfs(fd));
	set_sysctl(event, "0");
	if (!strstr(get_file(TRACING "trace"), line))
		FAIL("no \"%s\"", line);
}

/* Reflink */

static int clone_file(const char *from, const char *to)
{
	int in = open_file(from, O_RDONLY), out = open_file(to, O_RDWR);
	int res = ioctl(out, FICLONE, in), error = errno;

	close(in);
	close(out);
	errno = error;
	return res;
}

static int dedupe_status(const char *from, const char *to)
{
	struct {
		struct file_dedupe_range r;
		struct file_dedupe_range_info info;
	} arg = { .r = { .src_length = 4096, .dest_count = 1 } };
	int in = open_file(from, O_RDONLY), res;

	arg.info.dest_fd = open_file(to, O_RDWR);
	res = ioctl(in, FIDEDUPERANGE, &arg);
	return res ? -errno : arg.info.status;
}

TEST(reflink_fails_as_on_a_backing_file_system_without_it)
{
	struct rf *rf = mount_dir(RF_OPS);

	ERR(clone_file("b/d/f", "b/d/g"), EOPNOTSUPP);
	ERR(clone_file("m/d/f", "m/d/g"), EOPNOTSUPP);
	expect_silence(rf);
}

TEST(reflink_without_its_bits_fails)
{
	struct rf *rf = mount_dir(ALL_BUT(COPY_OPS));

	OK(truncate("b/d/f", 4096));
	OK(truncate("b/d/g", 4096));
	ERR(clone_file("m/d/f", "m/d/g"), EOPNOTSUPP);
	EQ(dedupe_status("m/d/f", "m/d/g"), dedupe_status("b/d/f", "b/d/g"));
	expect_silence(rf);
}

TEST(reflink_on_plain_fuse_fails_as_ever)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.flags = RF_PASSTHROUGH;
	rf_make_tree();
	OK(truncate("b/f", 4096));
	OK(truncate("b/g", 4096));
	rf_mount(NULL, &conf);
	ERR(clone_file("m/f", "m/g"), EOPNOTSUPP);
	EQ(dedupe_status("m/f", "m/g"), -EOPNOTSUPP);
}

static void make_xfs(const char *at)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd),
		 "truncate -s 400M x.img && mkfs.xfs -q -m reflink=1 x.img && "
		 "mkdir %s && mount -o loop x.img %s", at, at);
	if (system("grep -qw xfs /proc/filesystems && command -v mkfs.xfs >/dev/null"))
		test_skip("no xfs in this kernel, or no mkfs.xfs");
	if (system(cmd))
		FAIL("no xfs made or mounted: %s", cmd);
}

static struct rf *mount_on_xfs(uint64_t mask)
{
	struct rf_conf conf = RF_DEFAULT;
	char block[4096];
	struct stat st;
	struct rf *rf;
	int fd;

	make_xfs("x");
	OK(mkdir("x/d", 0755));
	memset(block, 'f', sizeof(block));
	fd = open_file("x/d/f", O_CREAT | O_WRONLY);
	EQ(write(fd, block, sizeof(block)), sizeof(block));
	close(fd);
	put_file("x/d/g", "", 0666);
	conf.backing = "x";
	conf.entry = entry_hook;
	dir_mask = mask;
	rf = rf_mount(NULL, &conf);
	OK(stat("m/d/f", &st));
	rf_reset(rf);
	return rf;
}

static int clone_f(void *p)
{
	OK(clone_file("m/d/f", "m/d/g"));
	return 0;
}

TEST(reflink_passes_with_the_bits_of_copying)
{
	struct rf *rf = mount_on_xfs(RF_OPS);
	struct stat st;

	OK(chmod("x/d/f", 0644));
	OK(chmod("x/d/g", 06777));
	EQ(as_uid(1000, clone_f, NULL), 0);
	EQ(size_of("m/d/g"), 4096);
	OK(stat("x/d/g", &st));
	EQ(st.st_mode & 07777, 0777);
	EQ(dedupe_status("m/d/f", "m/d/g"), FILE_DEDUPE_RANGE_SAME);
	expect_silence(rf);
}

/* Locks */

static int set_lock(int fd, int cmd, short type)
{
	struct flock fl = { .l_type = type, .l_len = 4 };

	return fcntl(fd, cmd, &fl);
}

static int other_process_locks(void *p)
{
	int fd = open_f(O_RDWR);

	ERR(set_lock(fd, F_SETLK, F_WRLCK), EAGAIN);
	return 0;
}

TEST(locks_pass_with_any_of_their_bits)
{
	struct rf *rf = mount_flags(ALL_BUT(RF_OP_GETLK | RF_OP_SETLKW),
				    LOCK_FLAGS);
	struct flock fl = { .l_type = F_WRLCK };
	int fd = open_f(O_RDWR), fd2 = open_f(O_RDWR);

	OK(set_lock(fd, F_SETLKW, F_WRLCK));
	EQ(in_child(other_process_locks, NULL), 0);
	ERR(set_lock(fd2, F_OFD_SETLK, F_RDLCK), EAGAIN);
	OK(fcntl(fd2, F_OFD_GETLK, &fl));
	EQ(fl.l_type, F_WRLCK);
	OK(flock(fd, LOCK_EX));
	ERR(flock(fd2, LOCK_EX | LOCK_NB), EAGAIN);
	OK(close(fd));
	/* Closing a file drops them, of the other file too. */
	OK(set_lock(fd2, F_OFD_SETLK, F_RDLCK));
	OK(flock(fd2, LOCK_EX | LOCK_NB));
	OK(close(fd2));
	expect_silence(rf);
}

TEST(locks_without_their_bits_are_the_servers)
{
	struct rf *rf = mount_flags(ALL_BUT(LOCK_OPS | RF_OP_FLUSH),
				    LOCK_FLAGS);
	struct flock fl = { .l_type = F_WRLCK };
	int fd = open_f(O_RDWR);

	OK(set_lock(fd, F_SETLK, F_WRLCK));
	expect_asked_once(rf, FUSE_SETLK);
	OK(set_lock(fd, F_SETLKW, F_WRLCK));
	EQ(rf_count(rf, FUSE_SETLKW), 1);
	OK(fcntl(fd, F_GETLK, &fl));
	EQ(rf_count(rf, FUSE_GETLK), 1);
	OK(flock(fd, LOCK_EX | LOCK_NB));
	EQ(rf_count(rf, FUSE_SETLK), 2);
	EQ(rf_count(rf, FUSE_OPEN), 1);
}

TEST(locks_of_a_connection_without_them_are_local)
{
	struct rf *rf = mount_dir(ALL_BUT(LOCK_OPS));
	int fd = open_f(O_RDWR);

	OK(set_lock(fd, F_SETLK, F_WRLCK));
	EQ(in_child(other_process_locks, NULL), 0);
	OK(flock(fd, LOCK_EX | LOCK_NB));
	OK(close(fd));
	expect_silence(rf);
}

TEST(locks_conflict_between_files_whoever_opened_them)
{
	struct rf *rf = mount_flags(ALL_BUT(RF_OP_WRITE), LOCK_FLAGS);
	int local = open_f(O_RDONLY), server = open_f(O_RDWR);

	EQ(rf_count(rf, FUSE_OPEN), 1);
	OK(set_lock(server, F_OFD_SETLK, F_WRLCK));
	ERR(set_lock(local, F_OFD_SETLK, F_RDLCK), EAGAIN);
	EQ(rf_count(rf, FUSE_SETLK), 0);
}

TEST(closing_another_file_tells_the_server_that_has_the_locks)
{
	struct rf *rf = mount_flags(ALL_BUT(LOCK_OPS), LOCK_FLAGS);
	int fd = open_f(O_RDWR), fd2 = open_f(O_RDONLY);

	OK(set_lock(fd, F_SETLK, F_WRLCK));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	OK(close(fd2));
	EQ(rf_count(rf, FUSE_OPEN), 2);
	EQ(rf_count(rf, FUSE_FLUSH), 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	OK(close(fd));
	EQ(rf_count(rf, FUSE_FLUSH), 2);
}

/* Each kind of lock, on the whole file; -1 and errno on failure. */

static int wait_posix(int fd, bool on)
{
	return set_lock(fd, F_SETLKW, on ? F_WRLCK : F_UNLCK);
}

static int wait_ofd(int fd, bool on)
{
	return set_lock(fd, F_OFD_SETLKW, on ? F_WRLCK : F_UNLCK);
}

static int wait_flock(int fd, bool on)
{
	return flock(fd, on ? LOCK_EX : LOCK_UN);
}

struct waiter {
	const char *path;
	int (*lock)(int fd, bool on);
	int tell;	/* a pipe: it begins to wait, and it has the lock */
};

static int wait_for_lock(void *p)
{
	struct waiter *w = p;
	int fd = open_file(w->path, O_RDWR);

	EQ(write(w->tell, "w", 1), 1);
	OK(w->lock(fd, true));
	EQ(write(w->tell, "h", 1), 1);
	return 0;
}

static void no_action(int sig)
{
}

static int wait_interrupted(void *p)
{
	struct sigaction action = { .sa_handler = no_action };	/* no SA_RESTART */
	struct waiter *w = p;
	int fd = open_file(w->path, O_RDWR);

	OK(sigaction(SIGALRM, &action, NULL));
	/* More than once: it may come before the wait begins. */
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 50000 }, { 0, 50000 } }, NULL));
	ERR(w->lock(fd, true), EINTR);
	return 0;
}

static char told(int fd)
{
	char c = 0;

	EQ(read(fd, &c, 1), 1);
	return c;
}

static void contend_for(const char *path, int (*lock)(int fd, bool on))
{
	int fd = open_file(path, O_RDWR), ends[2];
	struct pollfd ready = { .events = POLLIN };
	struct waiter w = { path, lock, 0 };
	pid_t pid;

	OK(pipe(ends));
	ready.fd = ends[0];
	w.tell = ends[1];
	OK(lock(fd, true));
	pid = spawn(wait_for_lock, &w);
	EQ(told(ends[0]), 'w');
	EQ(poll(&ready, 1, 100), 0);
	EQ(in_child(wait_interrupted, &w), 0);
	OK(lock(fd, false));
	EQ(told(ends[0]), 'h');
	EQ(reap(pid), 0);
	OK(lock(fd, true));
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST(locks_are_waited_for_in_the_kernel_as_natively)
{
	static int (*const kinds[])(int, bool) = { wait_posix, wait_ofd, wait_flock };
	struct rf *rf = mount_flags(RF_OPS, LOCK_FLAGS);

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		contend_for("b/d/f", kinds[i]);
		contend_for("m/d/f", kinds[i]);
	}
	expect_silence(rf);
}

static void lock_byte(int fd, int cmd, off_t byte, int want)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = byte, .l_len = 1 };

	EQ(fcntl(fd, cmd, &fl) ? errno : 0, want);
}

static int lock_second_then_first(void *p)
{
	struct waiter *w = p;
	int fd = open_file(w->path, O_RDWR);

	lock_byte(fd, F_SETLK, 1, 0);
	EQ(write(w->tell, "w", 1), 1);
	lock_byte(fd, F_SETLKW, 0, 0);
	return 0;
}

static void deadlock_on(const char *path)
{
	int fd = open_file(path, O_RDWR), ends[2];
	struct waiter w = { path, NULL, 0 };
	pid_t pid;

	OK(pipe(ends));
	w.tell = ends[1];
	lock_byte(fd, F_SETLK, 0, 0);
	pid = spawn(lock_second_then_first, &w);
	EQ(told(ends[0]), 'w');
	/* Until the other one waits, this one would wait too, and then the other fails. */
	EVENTUALLY(waits_for_lock(pid));
	lock_byte(fd, F_SETLKW, 1, EDEADLK);
	close(fd);
	EQ(reap(pid), 0);
	close(ends[0]);
	close(ends[1]);
}

TEST(deadlock_of_passed_locks_is_edeadlk_as_natively)
{
	struct rf *rf = mount_flags(RF_OPS, LOCK_FLAGS);

	deadlock_on("b/d/f");
	deadlock_on("m/d/f");
	expect_silence(rf);
}

static int open_for_reading(void *p)
{
	struct waiter *w = p;

	EQ(write(w->tell, "w", 1), 1);
	close(open_file(w->path, O_RDONLY));
	EQ(write(w->tell, "h", 1), 1);
	return 0;
}

static atomic_int lease_breaks;

static void count_break(int sig)
{
	lease_breaks++;
}

static void break_lease_of(const char *path)
{
	struct pollfd ready = { .events = POLLIN };
	struct sigaction action = { .sa_handler = count_break, .sa_flags = SA_RESTART };
	struct waiter w = { path, NULL, 0 };
	int fd = open_file(path, O_RDWR), ends[2];
	pid_t pid;

	lease_breaks = 0;
	OK(sigaction(SIGIO, &action, NULL));
	OK(pipe(ends));
	ready.fd = ends[0];
	w.tell = ends[1];
	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = spawn(open_for_reading, &w);
	EQ(told(ends[0]), 'w');
	EVENTUALLY(lease_breaks == 1);
	EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	EQ(poll(&ready, 1, 100), 0);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	EQ(told(ends[0]), 'h');
	EQ(reap(pid), 0);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST(write_lease_is_broken_by_an_open_as_natively)
{
	struct rf *rf = mount_dir(RF_OPS);

	break_lease_of("b/d/f");
	break_lease_of("m/d/f");
	expect_silence(rf);
}

TEST(lease_of_a_passed_file_works)
{
	struct rf *rf = mount_dir(RF_OPS);
	int fd = open_f(O_RDONLY);

	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	ERR(open("m/d/f", O_WRONLY | O_NONBLOCK), EAGAIN);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	OK(open("m/d/f", O_WRONLY | O_NONBLOCK));
	expect_silence(rf);
}

/* ioctl */

static int get_flags(const char *path)
{
	int fd = open_file(path, O_RDONLY | O_NONBLOCK), flags = -1;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	close(fd);
	return flags;
}

static int set_flags(const char *path, int flags)
{
	int fd = open_file(path, O_RDONLY), error, res;

	res = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	error = errno;
	close(fd);
	errno = error;
	return res;
}

TEST(file_attributes_pass_with_their_bit)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct fsxattr x = { 0 };
	int flags, fd;

	OK(set_flags("b/d/f", get_flags("b/d/f") | FS_NODUMP_FL));
	flags = get_flags("m/d/f");
	EQ(flags, get_flags("b/d/f"));
	CHECK(flags & FS_NODUMP_FL);
	OK(set_flags("m/d/f", flags & ~FS_NODUMP_FL));
	EQ(get_flags("b/d/f"), flags & ~FS_NODUMP_FL);
	fd = open_f(O_RDONLY);
	OK(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	x.fsx_xflags |= FS_XFLAG_NOATIME;
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	CHECK(get_flags("b/d/f") & FS_NOATIME_FL);
	OK(set_flags("m/d", get_flags("m/d") | FS_NODUMP_FL));
	CHECK(get_flags("b/d") & FS_NODUMP_FL);
	expect_silence(rf);
}

TEST(file_attributes_without_their_bit_are_the_servers)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_IOCTL));
	int flags = get_flags("m/d/f");

	CHECK(rf_count(rf, FUSE_IOCTL) >= 1);
	EQ(flags, get_flags("b/d/f"));
	OK(set_flags("m/d/f", flags | FS_NODUMP_FL));
	CHECK(get_flags("b/d/f") & FS_NODUMP_FL);
}

#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

TEST(file_attribute_syscalls_pass)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
	} a = { 0 };

	OK(syscall(SYS_file_getattr, AT_FDCWD, "m/d/f", &a, sizeof(a), 0));
	a.xflags |= FS_XFLAG_NODUMP;
	OK(syscall(SYS_file_setattr, AT_FDCWD, "m/d/f", &a, sizeof(a), 0));
	CHECK(get_flags("b/d/f") & FS_NODUMP_FL);
	/* No such thing for a symbolic link, here as there. */
	OK(symlink("f", "b/d/l"));
	ERR(syscall(SYS_file_getattr, AT_FDCWD, "b/d/l", &a, sizeof(a),
		    AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
	ERR(syscall(SYS_file_getattr, AT_FDCWD, "m/d/l", &a, sizeof(a),
		    AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
	expect_silence(rf);
}

TEST(immutable_flag_that_was_set_by_passing_holds)
{
	struct rf *rf = mount_dir(RF_OPS);
	int flags = get_flags("m/d/f"), fd = open_f(O_RDWR);

	OK(set_flags("m/d/f", flags | FS_IMMUTABLE_FL));
	ERR(open("m/d/f", O_WRONLY), EPERM);
	ERR(chmod("m/d/f", 0600), EPERM);
	ERR(setxattr("m/d/f", "user.a", "1", 1, 0), EPERM);
	ERR(fallocate(fd, 0, 0, 8192), EPERM);
	OK(set_flags("m/d/f", flags));
	OK(open("m/d/f", O_WRONLY));
	expect_silence(rf);
}

static int expect_no_flags(void *p)
{
	int flags = get_flags("m/d/f");

	ERR(set_flags("m/d/f", flags | FS_NODUMP_FL), EPERM);
	return 0;
}

static int expect_owner_flags(void *p)
{
	int flags = get_flags("m/d/f");

	OK(set_flags("m/d/f", flags | FS_NODUMP_FL));
	ERR(set_flags("m/d/f", flags | FS_IMMUTABLE_FL), EPERM);
	ERR(set_flags("m/d/f", flags | FS_APPEND_FL), EPERM);
	return 0;
}

TEST(file_attributes_are_for_owners_and_some_for_the_privileged)
{
	struct rf *rf = mount_dir(RF_OPS);

	EQ(as_uid(1000, expect_no_flags, NULL), 0);
	OK(chown("b/d/f", 1000, 1000));
	EQ(as_uid(1000, expect_owner_flags, NULL), 0);
	EQ(get_flags("b/d/f") & (FS_IMMUTABLE_FL | FS_APPEND_FL), 0);
	expect_silence(rf);
}

static int set_journal_flag_unprivileged(void *p)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	int flags = get_flags("m/d/f");

	OK(syscall(SYS_capget, &head, caps));
	caps[0].effective &= ~(1U << CAP_SYS_RESOURCE);
	OK(syscall(SYS_capset, &head, caps));
	ERR(set_flags("b/d/f", flags | FS_JOURNAL_DATA_FL), EPERM);
	ERR(set_flags("m/d/f", flags | FS_JOURNAL_DATA_FL), EPERM);
	return 0;
}

/* A flag that ext4 lets only those change who may use its reserves. */
TEST(passing_does_not_lend_the_right_to_use_reserves)
{
	int flags;

	mount_dir(RF_OPS);
	flags = get_flags("b/d/f");
	EQ(in_child(set_journal_flag_unprivileged, NULL), 0);
	/* A caller with CAP_FSETID keeps the bits. */
	OK(set_flags("m/d/f", flags | FS_JOURNAL_DATA_FL));
	EQ(get_flags("b/d/f"), flags | FS_JOURNAL_DATA_FL);
	OK(set_flags("m/d/f", flags));
}

#define OTHER_IOCTL _IOR('f', 77, int)

TEST(other_ioctls_are_enotty_with_the_bit)
{
	struct rf *rf = mount_dir(RF_OPS);
	int fd = open_f(O_RDWR), dir, arg;

	dir = open_file("m/d", O_RDONLY | O_DIRECTORY);
	ERR(ioctl(fd, OTHER_IOCTL, &arg), ENOTTY);
	ERR(ioctl(dir, OTHER_IOCTL, &arg), ENOTTY);
	CHECK(!isatty(fd));
	expect_silence(rf);
}

TEST(other_ioctls_are_the_servers_without_the_bit)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_IOCTL));
	int fd = open_f(O_RDWR), dir, version;

	OK(ioctl(fd, FS_IOC_GETVERSION, &version));
	expect_asked_once(rf, FUSE_IOCTL);
	ERR(ioctl(fd, OTHER_IOCTL, &version), ENOTTY);
	EQ(rf_count(rf, FUSE_IOCTL), 2);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	dir = open_file("m/d", O_RDONLY | O_DIRECTORY);
	rf_reset(rf);
	OK(ioctl(dir, FS_IOC_GETVERSION, &version));
	expect_asked_once(rf, FUSE_IOCTL);
}

static int fiemap(const char *path, struct fiemap *map)
{
	int fd = open_file(path, O_RDONLY);

	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	return ioctl(fd, FS_IOC_FIEMAP, map);
}

TEST(fiemap_passes_with_the_bit_of_ioctl)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct fiemap a = { 0 }, b = { 0 };

	make_hole();
	OK(fiemap("b/d/f", &a));
	OK(fiemap("m/d/f", &b));
	EQ(a.fm_mapped_extents, 1);
	EQ(b.fm_mapped_extents, 1);
	expect_silence(rf);
}

TEST(fiemap_without_the_bit_is_not_supported)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_IOCTL));
	struct fiemap map = { 0 };

	ERR(fiemap("m/d/f", &map), EOPNOTSUPP);
	expect_silence(rf);
}

TEST(fiemap_on_plain_fuse_fails_as_ever)
{
	struct rf_conf conf = RF_DEFAULT;
	int fd;

	conf.flags = RF_PASSTHROUGH;
	rf_make_tree();
	rf_mount(NULL, &conf);
	fd = open_file("m/f", O_RDONLY);
	ERR(ioctl(fd, FS_IOC_FIEMAP, NULL), EOPNOTSUPP);
}

/* Extended attributes */

static void expect_xattrs(void)
{
	char buf[16];

	OK(setxattr("m/d/f", "user.a", "1", 1, XATTR_CREATE));
	ERR(setxattr("m/d/f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	OK(setxattr("m/d/f", "user.a", "2", 1, XATTR_REPLACE));
	EQ(getxattr("b/d/f", "user.a", buf, sizeof(buf)), 1);
	CHECK(buf[0] == '2');
	OK(setxattr("m/d/f", "user.empty", "", 0, 0));
	EQ(getxattr("b/d/f", "user.empty", buf, sizeof(buf)), 0);
	OK(setxattr("m/d/f", "trusted.a", "1", 1, 0));
	OK(removexattr("m/d/f", "trusted.a"));
	OK(removexattr("m/d/f", "user.a"));
	ERR(getxattr("b/d/f", "user.a", buf, sizeof(buf)), ENODATA);
	ERR(removexattr("m/d/f", "user.a"), ENODATA);
	ERR(setxattr("m/d/f", "user.a", "2", 1, XATTR_REPLACE), ENODATA);
}

TEST(setxattr_passes_with_its_bit)
{
	struct rf *rf = mount_dir(RF_OPS);

	expect_xattrs();
	ERR(setxattr("b/d/f", "other.a", "1", 1, 0), EOPNOTSUPP);
	ERR(setxattr("m/d/f", "other.a", "1", 1, 0), EOPNOTSUPP);
	expect_silence(rf);
}

TEST(setxattr_without_its_bit_is_the_servers)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_SETXATTR));

	expect_xattrs();
	EQ(rf_count(rf, FUSE_SETXATTR), 6);
	EQ(rf_count(rf, FUSE_REMOVEXATTR), 0);
	EQ(count_beneath(rf), 6);
}

TEST(removexattr_without_its_bit_is_the_servers)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_REMOVEXATTR));

	expect_xattrs();
	EQ(rf_count(rf, FUSE_REMOVEXATTR), 3);
	EQ(count_beneath(rf), 3);
}

static int expect_foreign_xattrs(void *p)
{
	OK(chdir(p));
	ERR(setxattr("f", "user.a", "1", 1, 0), EACCES);
	ERR(setxattr("f", "trusted.a", "1", 1, 0), EPERM);
	ERR(setxattr("f", "security.a", "1", 1, 0), EPERM);
	ERR(removexattr("f", "user.b"), EACCES);
	ERR(removexattr("f", "trusted.b"), EPERM);
	ERR(removexattr("f", "security.b"), EPERM);
	ERR(setxattr("sticky", "user.a", "1", 1, 0), EPERM);
	return 0;
}

TEST(setxattr_is_checked_for_the_caller)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct stat st;

	OK(setxattr("m/d/f", "user.b", "1", 1, 0));
	OK(setxattr("m/d/f", "trusted.b", "1", 1, 0));
	OK(setxattr("m/d/f", "security.b", "1", 1, 0));
	OK(mkdir("b/d/sticky", 0777));
	OK(stat("m/d/sticky", &st));
	OK(chmod("b/d/sticky", 01777));
	EQ(as_uid(1000, expect_foreign_xattrs, "b/d"), 0);
	EQ(as_uid(1000, expect_foreign_xattrs, "m/d"), 0);
	expect_silence(rf);
}

static int set_sticky_fd(void *p)
{
	ERR(fsetxattr(*(int *)p, "user.a", "1", 1, 0), EPERM);
	return 0;
}

TEST(sticky_bit_is_looked_at_as_it_is_now)
{
	int fd;

	mount_dir(RF_OPS);
	OK(mkdir("b/d/sticky", 0777));
	OK(chmod("b/d/sticky", 0777));
	fd = open_file("m/d/sticky", O_RDONLY | O_DIRECTORY);
	OK(fsetxattr(fd, "user.a", "1", 1, 0));
	OK(chmod("b/d/sticky", 01777));
	EQ(as_uid(1000, set_sticky_fd, &fd), 0);
}

/* cap_net_raw=ep, version 2 */
static const unsigned char caps[20] = {
	0x01, 0, 0, 0x02, 0x00, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static int write_f(void *p)
{
	int fd = open_f(O_WRONLY);

	EQ(pwrite(fd, "x", 1, 0), 1);
	return 0;
}

TEST(file_capabilities_are_set_and_cleared_by_passing)
{
	struct rf *rf = mount_dir(RF_OPS);
	char buf[64];

	OK(chmod("b/d/f", 0666));
	OK(setxattr("m/d/f", "security.capability", caps, sizeof(caps), 0));
	EQ(getxattr("b/d/f", "security.capability", buf, sizeof(buf)),
	   sizeof(caps));
	CHECK(!memcmp(buf, caps, sizeof(caps)));
	EQ(as_uid(1000, write_f, NULL), 0);
	ERR(getxattr("b/d/f", "security.capability", buf, sizeof(buf)),
	    ENODATA);
	/* Also where looking for them was skipped a moment ago. */
	OK(setxattr("m/d/f", "security.capability", caps, sizeof(caps), 0));
	EQ(as_uid(1000, write_f, NULL), 0);
	ERR(getxattr("m/d/f", "security.capability", buf, sizeof(buf)),
	    ENODATA);
	expect_silence(rf);
}

/* ACLs: rwx for the user, rw for user 1001, r for the rest. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[5];
};

static const struct acl acl_1001 = { 2, {
	{ 0x01, 6, -1 }, { 0x02, 6, 1001 }, { 0x04, 4, -1 }, { 0x10, 6, -1 },
	{ 0x20, 4, -1 },
} };

static int set_acl(const char *path, const char *name)
{
	return setxattr(path, name, &acl_1001, sizeof(acl_1001), 0);
}

#define ACL_ACCESS	"system.posix_acl_access"
#define ACL_DEFAULT	"system.posix_acl_default"

static int expect_no_acl_rights(void *p)
{
	ERR(set_acl("m/d/f", ACL_ACCESS), EPERM);
	ERR(removexattr("m/d/f", ACL_ACCESS), EPERM);
	return 0;
}

static int expect_may_write(void *p)
{
	OK(open("m/d/f", O_WRONLY));
	return 0;
}

static int expect_may_not_write(void *p)
{
	ERR(open("m/d/f", O_WRONLY), EACCES);
	return 0;
}

static void expect_acls(struct rf *rf)
{
	struct stat st;
	struct acl acl;

	EQ(as_uid(1000, expect_no_acl_rights, NULL), 0);
	EQ(as_uid(1001, expect_may_not_write, NULL), 0);
	OK(set_acl("m/d/f", ACL_ACCESS));
	EQ(getxattr("b/d/f", ACL_ACCESS, &acl, sizeof(acl)), sizeof(acl));
	CHECK(!memcmp(&acl, &acl_1001, sizeof(acl)));
	EQ(getxattr("m/d/f", ACL_ACCESS, &acl, sizeof(acl)), sizeof(acl));
	OK(stat("m/d/f", &st));
	EQ(st.st_mode & 0777, 0664);
	EQ(as_uid(1001, expect_may_write, NULL), 0);
	EQ(as_uid(1000, expect_no_acl_rights, NULL), 0);
	OK(removexattr("m/d/f", ACL_ACCESS));
	ERR(getxattr("b/d/f", ACL_ACCESS, &acl, sizeof(acl)), ENODATA);
	EQ(as_uid(1001, expect_may_not_write, NULL), 0);
	ERR(set_acl("m/d/f", ACL_DEFAULT), EACCES);
	OK(set_acl("m/d", ACL_DEFAULT));
	EQ(getxattr("b/d", ACL_DEFAULT, &acl, sizeof(acl)), sizeof(acl));
	expect_silence(rf);
}

TEST(acls_are_set_by_passing)
{
	expect_acls(mount_dir(RF_OPS));
}

TEST(acls_are_set_by_passing_without_posix_acl)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.options = "";
	expect_acls(mount_conf(RF_OPS, &conf));
}

TEST(acls_without_the_bits_are_set_by_the_server)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_SETXATTR | RF_OP_REMOVEXATTR));
	struct acl acl;

	OK(set_acl("m/d/f", ACL_ACCESS));
	EQ(rf_count(rf, FUSE_SETXATTR), 1);
	EQ(getxattr("b/d/f", ACL_ACCESS, &acl, sizeof(acl)), sizeof(acl));
	EQ(as_uid(1001, expect_may_write, NULL), 0);
	OK(removexattr("m/d/f", ACL_ACCESS));
	EQ(rf_count(rf, FUSE_REMOVEXATTR), 1);
	ERR(getxattr("b/d/f", ACL_ACCESS, &acl, sizeof(acl)), ENODATA);
}

static int set_acl_at(void *p)
{
	OK(set_acl(p, ACL_ACCESS));
	return 0;
}

static mode_t sgid_after_acl(const char *at)
{
	char path[16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/d/f", at);
	OK(chown("b/d/f", 1000, 50));
	OK(chmod("b/d/f", 02755));
	/* The VFS compares the caller with the owner that the mount knows. */
	OK(stat(path, &st));
	EQ(as_uid(1000, set_acl_at, path), 0);
	OK(stat("b/d/f", &st));
	return st.st_mode & 07777;
}

TEST(acl_that_is_set_by_passing_clears_sgid_as_native)
{
	struct stat st;

	mount_dir(RF_OPS);
	EQ(sgid_after_acl("b"), 0664);
	OK(removexattr("b/d/f", ACL_ACCESS));
	EQ(sgid_after_acl("m"), 0664);
	/* Not for who may do anything. */
	OK(removexattr("b/d/f", ACL_ACCESS));
	OK(chmod("b/d/f", 02755));
	OK(set_acl("m/d/f", ACL_ACCESS));
	OK(stat("b/d/f", &st));
	EQ(st.st_mode & 07777, 02664);
}

/* Flags and limits of open files */

TEST(direct_io_of_a_passed_file_works)
{
	struct rf *rf = mount_dir(RF_OPS);
	void *buf;
	int fd;

	CHECK(!posix_memalign(&buf, 4096, 4096));
	memset(buf, 'd', 4096);
	fd = open_f(O_RDWR | O_DIRECT);
	EQ(pwrite(fd, buf, 4096, 0), 4096);
	EQ(pread(fd, buf, 4096, 0), 4096);
	ERR(pread(fd, (char *)buf + 1, 100, 1), EINVAL);
	expect_silence(rf);
}

TEST(direct_io_follows_fcntl)
{
	struct rf *rf = mount_dir(RF_OPS);
	static char buf[100];
	int fd = open_f(O_RDWR | O_DIRECT);

	ERR(pread(fd, buf + 1, 5, 1), EINVAL);
	OK(fcntl(fd, F_SETFL, 0));
	EQ(pread(fd, buf + 1, 5, 1), 5);
	OK(fcntl(fd, F_SETFL, O_DIRECT));
	ERR(pread(fd, buf + 1, 5, 1), EINVAL);
	expect_silence(rf);
}

static void expect_appends(const char *path)
{
	struct iovec v = { (char *)"x", 1 };
	int fd = open_file(path, O_RDWR | O_APPEND);

	EQ(write(fd, "a", 1), 1);
	EQ(lseek(fd, 0, SEEK_CUR), 14);
	EQ(pwritev2(fd, &v, 1, 0, RWF_NOAPPEND), 1);
	OK(fcntl(fd, F_SETFL, 0));
	EQ(pwrite(fd, "J", 1, 0), 1);
	EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 1);
	OK(fcntl(fd, F_SETFL, O_APPEND));
	EQ(pwrite(fd, "z", 1, 0), 1);
	if (!file_is(path, "Jello, world\naxz"))
		FAIL("%s: %s", path, get_file(path));
}

TEST(append_mode_works_as_native)
{
	struct rf *rf = mount_dir(RF_OPS);

	expect_appends("b/d/f");
	put_file("b/d/f", "hello, world\n", 0644);
	expect_appends("m/d/f");
	expect_silence(rf);
}

static void expect_file_limit(const char *path)
{
	struct rlimit lim = { 4096, 4096 };
	int fd = open_file(path, O_RDWR);

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &lim));
	EQ(pwrite(fd, "xy", 2, 4095), 1);
	ERR(pwrite(fd, "x", 1, 4096), EFBIG);
	ERR(fallocate(fd, 0, 0, 8192), EFBIG);
	ERR(ftruncate(fd, 8192), EFBIG);
	EQ(size_of(path), 4096);
}

static int file_limit(void *p)
{
	expect_file_limit(p);
	return 0;
}

TEST(file_size_limit_works_as_native)
{
	struct rf *rf = mount_dir(RF_OPS);

	EQ(in_child(file_limit, "b/d/g"), 0);
	OK(truncate("b/d/g", 0));
	EQ(in_child(file_limit, "m/d/g"), 0);
	expect_silence(rf);
}
