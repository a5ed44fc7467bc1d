// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A verdict means what it says: what a policy leaves to the server is the server's,
 * at once and for everybody, and what one open is refused or left to the server, that
 * one alone.
 *
 * The server here writes all that it reads in capitals. So bytes tell where they come
 * from, whatever way they were read.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static const char raw[] = "file f\n", redacted[] = "FILE F\n";
enum { LENGTH = sizeof(raw) - 1, USER = 1000 };

static void redact(struct rf *rf, uint64_t nodeid, char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = toupper((unsigned char)data[i]);
}

static struct rf *mount_redacting(void)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.read = redact;
	rf_make_tree();
	OK(chmod("b/f", 0666));
	OK(chmod("b/g", 0666));
	return rf_mount(NULL, &conf);
}

static struct rule *rule_for(struct pol *p, const char *name, int verdict, uid_t uid)
{
	struct rule *r = pol_rule(p, name, verdict);

	r->by_caller = 1;
	r->caller = uid;
	return r;
}

/* Judged again at each lookup. */
static struct rule *never_valid(struct rule *r)
{
	r->set |= RULE_SET_VALID;
	r->valid = 0;
	return r;
}

/* Checks whether server or kernel serves a read of this path by a user. */

static const char *path_of_child;

static int reads_redacted(void *p)
{
	CHECK(file_is(path_of_child, redacted));
	return 0;
}

static int reads_raw(void *p)
{
	CHECK(file_is(path_of_child, raw));
	return 0;
}

static void expect_server(struct rf *rf, const char *path, uid_t uid)
{
	path_of_child = path;
	rf_reset(rf);
	EQ(as_uid(uid, reads_redacted, NULL), 0);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	CHECK(rf_count(rf, FUSE_READ) >= 1);
}

static void expect_passed(struct rf *rf, const char *path, uid_t uid)
{
	path_of_child = path;
	rf_reset(rf);
	EQ(as_uid(uid, reads_raw, NULL), 0);
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

/* Files that the server had open may be closed a little later. */
static void replace(struct rf *rf, struct pol *p)
{
	static bool odd;

	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= rf_count(rf, FUSE_OPEN));
	odd = !odd;
	EQ(bpf_link__update_map(p->link, odd ? p->map_2 : p->map), 0);
}

/* Narrowing ------------------------------------------------------------------- */

TEST(verdict_0_for_another_caller_holds_at_once_and_for_everybody)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *others;

	never_valid(rule_for(p, "f", 1, 0));
	others = never_valid(pol_rule(p, "f", FUSEPASS_SERVER));
	expect_passed(rf, "m/f", 0);
	expect_server(rf, "m/f", USER);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	expect_server(rf, "m/f", 0);
	/* Not widened by another verdict of the same rules. */
	others->verdict = 1;
	expect_server(rf, "m/f", USER);
	expect_server(rf, "m/f", 0);
	replace(rf, p);
	expect_passed(rf, "m/f", USER);
	expect_passed(rf, "m/f", 0);
}

/* Each of them is the server's, not only what is read. */
TEST(verdict_0_leaves_each_operation_on_the_file_to_the_server)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = never_valid(pol_rule(p, "f", FUSEPASS_PASS));
	char buf[16];
	int fd;

	expect_passed(rf, "m/f", 0);
	OK(setxattr("b/f", "user.a", "v", 1, 0));
	r->verdict = 0;
	rf_reset(rf);
	OK(lookup("m/f"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	OK(chmod("m/f", 0640));
	EQ(rf_count(rf, FUSE_SETATTR), 1);
	EQ(getxattr("m/f", "user.a", buf, sizeof(buf)), 1);
	CHECK(rf_count(rf, FUSE_GETXATTR) >= 1);
	fd = OK(open("m/f", O_WRONLY));
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(pwrite(fd, "FILE", 4, 0), 4);
	EQ(rf_count(rf, FUSE_WRITE), 1);
	OK(fsync(fd));
	EQ(rf_count(rf, FUSE_FSYNC), 1);
	close(fd);
	OK(unlink("m/f"));
	EQ(rf_count(rf, FUSE_UNLINK), 1);
}

TEST(verdict_0_of_a_directory_that_passed_leaves_its_names_to_the_server)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = never_valid(pol_rule(p, "d", FUSEPASS_PASS));
	struct stat st;

	OK(mkdir("b/d/z", 0755));
	OK(lookup("m/d/x"));
	r->verdict = 0;
	rf_reset(rf);
	OK(lookup("m/d/x"));
	OK(lookup("m/d/z"));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 3);
	EQ(dir_count("m/d"), 4);
	CHECK(rf_count(rf, FUSE_OPENDIR) >= 1);
	CHECK(rf_count(rf, FUSE_READDIR) >= 1);
	r->verdict = 1;
	rf_reset(rf);
	OK(lookup("m/d/z"));
	OK(stat("m/d", &st));
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASEDIR) >= rf_count(rf, FUSE_OPENDIR));
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	OK(lookup("m/d/z"));
	rf_reset(rf);
	OK(lookup("m/d/z"));
	EQ(dir_count("m/d"), 4);
	EQ(rf_count_all(rf), 0);
}

TEST(second_name_judged_with_less_narrows_what_the_file_passes)
{
	struct rf *rf = mount_redacting();
	struct pol *p;

	OK(link("b/f", "b/h"));
	p = pol_attach(rf, 0);
	rule_ops(p, "h", RF_OPS & ~(RF_OP_READ | RF_OP_OPEN));
	expect_passed(rf, "m/f", 0);
	OK(lookup("m/h"));
	expect_server(rf, "m/f", 0);
	expect_server(rf, "m/h", 0);
	EQ(rf_count(rf, FUSE_GETATTR), 0);
	pol_clear(p);
	replace(rf, p);
	expect_passed(rf, "m/f", 0);
	expect_passed(rf, "m/h", 0);
}

TEST(second_name_judged_with_more_does_not_widen_what_the_file_passes)
{
	struct rf *rf = mount_redacting();
	struct pol *p;

	OK(link("b/f", "b/h"));
	p = pol_attach(rf, 0);
	rule_ops(p, "h", RF_OPS & ~(RF_OP_READ | RF_OP_OPEN));
	OK(lookup("m/h"));
	OK(lookup("m/f"));
	expect_server(rf, "m/h", 0);
	expect_server(rf, "m/f", 0);
	expect_server(rf, "m/f", USER);
}

TEST(second_name_with_verdict_0_leaves_the_file_to_the_server)
{
	struct rf *rf = mount_redacting();
	struct pol *p;

	OK(link("b/f", "b/h"));
	p = pol_attach(rf, 0);
	pol_rule(p, "h", FUSEPASS_SERVER);
	expect_passed(rf, "m/f", 0);
	expect_server(rf, "m/h", 0);
	expect_server(rf, "m/f", 0);
}

TEST(verdict_whose_time_is_over_narrows_and_does_not_widen)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = rule_ops(p, "f", RF_OPS);

	r->set |= RULE_SET_VALID;
	r->valid = 100 * 1000 * 1000;
	expect_passed(rf, "m/f", 0);
	r->ops = RF_OPS & ~(RF_OP_READ | RF_OP_OPEN);
	usleep(200000);
	expect_server(rf, "m/f", 0);
	r->ops = RF_OPS;
	usleep(200000);
	expect_server(rf, "m/f", 0);
	/* The remaining time stays, and a shorter time is shorter. */
	OK(lookup("m/f"));
	EQ(rf_count(rf, FUSE_GETATTR), 0);
	r->ops = RF_OPS & ~(RF_OP_GETATTR | RF_OP_STATX);
	usleep(200000);
	rf_reset(rf);
	OK(lookup("m/f"));
	CHECK(rf_count(rf, FUSE_GETATTR) >= 1);
	expect_server(rf, "m/f", 0);
	r->ops = RF_OPS;
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= rf_count(rf, FUSE_OPEN));
	replace(rf, p);
	expect_passed(rf, "m/f", 0);
}

/* Errnos ----------------------------------------------------------------------- */

static int make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	return fd < 0 ? fd : close(fd);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700);
}

static int make_fifo(const char *path)
{
	return mknod(path, S_IFIFO | 0600, 0);
}

static int make_link(const char *path)
{
	return symlink("t", path);
}

static int make_name(const char *path)
{
	return link("m/g", path);
}

static const struct {
	int (*make)(const char *path);
	mode_t type;
} makers[] = {
	{ make_file, S_IFREG }, { make_dir, S_IFDIR }, { make_fifo, S_IFIFO },
	{ make_link, S_IFLNK }, { make_name, S_IFREG },
};

/* A name that exists was made, even if the policy denies it then. */
static void expect_made(unsigned int flags, int error)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, flags);
	struct rule *r = pol_rule(p, "", -error);
	char path[2][32];

	r->flags = POL_CREATE;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		snprintf(path[0], sizeof(path[0]), "m/made%zu", i);
		snprintf(path[1], sizeof(path[1]), "b/made%zu", i);
		OK(makers[i].make(path[0]));
		EQ(r->hits, i + 1);
		EQ(stat_of(path[1]).st_mode & S_IFMT, makers[i].type);
		/* Judged again at the next lookup, which has other flags. */
		EQ(pol_calls(p, path[0] + 2, POL_CREATE), 1);
		rf_reset(rf);
		EQ(stat_of(path[0]).st_ino, stat_of(path[1]).st_ino);
		CHECK(pol_calls(p, path[0] + 2, 0) >= 3);
	}
}

TEST(errno_about_what_was_created_does_not_fail_the_creation)
{
	expect_made(0, EACCES);
}

TEST(enoent_about_what_was_created_does_not_fail_the_creation)
{
	expect_made(POL_F_HIDES, ENOENT);
}

TEST(file_whose_creation_was_judged_with_an_errno_is_the_servers)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = pol_rule(p, "made", -EACCES);
	char buf[8] = "";
	int fd;

	r->flags = POL_CREATE;
	rf_reset(rf);
	fd = OK(open("m/made", O_CREAT | O_EXCL | O_RDWR, 0600));
	EQ(r->hits, 1);
	EQ(write(fd, "text", 4), 4);
	CHECK(rf_count(rf, FUSE_WRITE) >= 1);
	EQ(pread(fd, buf, sizeof(buf), 0), 4);
	CHECK(!strcmp(buf, "TEXT"));
	close(fd);
	CHECK(file_is("b/made", "text"));
	/* If the policy refuses the name for lookups as well, it does so from the next on. */
	r->flags = 0;
	ERR(lookup("m/made"), EACCES);
	r->verdict = 1;
	OK(lookup("m/made"));
}

TEST(errno_about_a_temporary_file_does_not_fail_it)
{
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = pol_rule(p, "", -EACCES);
	struct stat st;
	int fd;

	r->flags = POL_CREATE;
	fd = OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	EQ(r->hits, 1);
	EQ(write(fd, "text", 4), 4);
	OK(fstat(fd, &st));
	EQ(st.st_size, 4);
	EQ(st.st_nlink, 0);
}

TEST(errnos_that_the_vfs_acts_upon_are_invalid_and_the_server_is_asked)
{
	static const int errors[] = { ECHILD, ESTALE };
	struct rf *rf = mount_redacting();
	struct pol *p = pol_attach(rf, 0);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		long before = rf_policy_number(rf, "verdict invalid");

		pol_clear(p);
		pol_rule(p, "f", -errors[i]);
		drop_caches();
		expect_server(rf, "m/f", 0);
		CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
		CHECK(rf_policy_number(rf, "verdict invalid") > before);
		EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= 1);
	}
}

/* Mappings ---------------------------------------------------------------------- */

/* Everything that reads a file, each as it gets it. */

static void by_read(int fd, char *buf)
{
	EQ(pread(fd, buf, LENGTH, 0), LENGTH);
}

static void by_map(int fd, char *buf)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(map != MAP_FAILED);
	memcpy(buf, map, LENGTH);
	munmap(map, 4096);
}

static void by_writable_private_map(int fd, char *buf)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(map != MAP_FAILED);
	map[LENGTH] = 'x';
	memcpy(buf, map, LENGTH);
	munmap(map, 4096);
}

static void by_splice(int fd, char *buf)
{
	loff_t from = 0;
	int p[2];

	OK(pipe(p));
	EQ(splice(fd, &from, p[1], NULL, LENGTH, 0), LENGTH);
	EQ(read(p[0], buf, LENGTH), LENGTH);
	close(p[0]);
	close(p[1]);
}

static void by_sendfile(int fd, char *buf)
{
	off_t from = 0;
	int p[2];

	OK(pipe(p));
	EQ(sendfile(p[1], fd, &from, LENGTH), LENGTH);
	EQ(read(p[0], buf, LENGTH), LENGTH);
	close(p[0]);
	close(p[1]);
}

static const struct way {
	const char *name;
	void (*read)(int fd, char *buf);
} ways[] = {
	{ "read", by_read }, { "mmap", by_map }, { "splice", by_splice },
	{ "sendfile", by_sendfile }, { "private writable mmap", by_writable_private_map },
	{ "read again", by_read }, { "mmap again", by_map },
};

static void expect_bytes(int fd, const char *want)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		char buf[LENGTH + 1] = "";

		ways[i].read(fd, buf);
		if (memcmp(buf, want, LENGTH))
			FAIL("%s gives \"%.6s\", not \"%.6s\"", ways[i].name, buf, want);
	}
}

/* Shared with the file there is none, rather than one that shows other bytes. */
static void expect_no_shared_map(const char *path)
{
	int fd = OK(open(path, O_RDWR));
	char *map;

	ERR(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0,
	    ENODEV);
	close(fd);
	fd = OK(open(path, O_RDONLY));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		EQ(errno, ENODEV);
	else
		CHECK(!memcmp(map, redacted, LENGTH));
	close(fd);
}

static void expect_redacted_without(uint64_t ops)
{
	struct pol *p = pol_attach(mount_redacting(), 0);
	int fd;

	rule_ops(p, "f", RF_OPS & ~ops);
	fd = OK(open("m/f", O_RDONLY));
	expect_bytes(fd, redacted);
	close(fd);
	fd = OK(open("m/f", O_RDWR));
	expect_bytes(fd, redacted);
	close(fd);
	expect_no_shared_map("m/f");
	/* The converse. */
	fd = OK(open("m/g", O_RDONLY));
	expect_bytes(fd, "file g,");
	close(fd);
}

TEST(mapping_never_shows_what_read_would_not)
{
	expect_redacted_without(RF_OP_READ);
}

TEST(mapping_of_a_file_that_the_server_opens_never_shows_what_read_would_not)
{
	expect_redacted_without(RF_OP_READ | RF_OP_OPEN);
}

TEST(mapping_of_a_file_without_read_and_write_never_shows_what_read_would_not)
{
	expect_redacted_without(RF_OP_READ | RF_OP_WRITE | RF_OP_OPEN | RF_OP_GETATTR);
}

/* .open ------------------------------------------------------------------------- */

static struct pol *attach_opens(struct rf *rf)
{
	struct pol *p;

	pol_wants_open = true;
	p = pol_open(NULL, open_path("m"), rf->root, 0, 0);
	pol_load(p);
	p->link = bpf_map__attach_struct_ops(p->map_open);
	if (!p->link)
		FAIL("attach a policy that judges opens: %s", strerrorname_np(errno));
	return p;
}

static void rule_for_user(struct pol *p, int verdict)
{
	struct open_rule *r = pol_open_rule(p, 0, verdict);

	r->by_caller = 1;
	r->caller = USER;
}

/* Two processes that both have the file open, and go on when told. */
struct reader {
	const char *want;
	int begin[2], done[2];
};

static int read_in_turn(void *p)
{
	struct reader *r = p;
	char c;
	int fd;

	EQ(read(r->begin[0], &c, 1), 1);
	fd = OK(open("m/f", O_RDWR));
	expect_bytes(fd, r->want);
	EQ(write(r->done[1], "x", 1), 1);
	EQ(read(r->begin[0], &c, 1), 1);
	expect_bytes(fd, r->want);
	EQ(write(r->done[1], "x", 1), 1);
	return 0;
}

static int read_in_turn_as_user(void *p)
{
	OK(setresgid(USER, USER, USER));
	OK(setresuid(USER, USER, USER));
	return read_in_turn(p);
}

static void turn_of(struct reader *r)
{
	char c;

	EQ(write(r->begin[1], "x", 1), 1);
	EQ(read(r->done[0], &c, 1), 1);
}

TEST(open_is_raw_for_one_and_redacted_for_another_at_the_same_time)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	struct reader root = { .want = raw }, user = { .want = redacted };
	pid_t pids[2];
	char *map;
	int fd;

	rule_for_user(p, 0);
	OK(pipe(root.begin));
	OK(pipe(root.done));
	OK(pipe(user.begin));
	OK(pipe(user.done));
	pids[0] = spawn(read_in_turn, &root);
	pids[1] = spawn(read_in_turn_as_user, &user);
	fd = OK(open("m/f", O_RDONLY));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, raw, LENGTH));
	rf_reset(rf);
	turn_of(&root);
	EQ(rf_count_all(rf), 0);
	turn_of(&user);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	CHECK(rf_count(rf, FUSE_READ) >= 1);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	rf_reset(rf);
	turn_of(&root);
	EQ(rf_count_all(rf), 0);
	turn_of(&user);
	CHECK(rf_count(rf, FUSE_READ) >= 1);
	CHECK(!memcmp(map, raw, LENGTH));
	EQ(reap(pids[0]), 0);
	EQ(reap(pids[1]), 0);
	/* In the other order, and after all are closed. */
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	expect_server(rf, "m/f", USER);
	expect_passed(rf, "m/f", 0);
	expect_server(rf, "m/f", USER);
}

static int write_as_user(void *p)
{
	int fd = OK(open("m/f", O_RDWR));
	char buf[4] = "";

	EQ(pwrite(fd, "user", 4, 0), 4);
	EQ(pread(fd, buf, 4, 0), 4);
	CHECK(!memcmp(buf, "USER", 4));
	return 0;
}

TEST(file_that_the_server_opened_for_one_is_written_there_and_seen_by_all)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	char buf[4] = "";
	int fd;

	rule_for_user(p, 0);
	fd = OK(open("m/f", O_RDWR));
	rf_reset(rf);
	EQ(as_uid(USER, write_as_user, NULL), 0);
	EQ(rf_count(rf, FUSE_WRITE), 1);
	EQ(pread(fd, buf, 4, 0), 4);
	CHECK(!memcmp(buf, "user", 4));
	EQ(pwrite(fd, "root", 4, 0), 4);
	EQ(rf_count(rf, FUSE_WRITE), 1);
	CHECK(file_is("b/f", "root f\n"));
}

static int shared_map_as_user(void *p)
{
	expect_no_shared_map("m/f");
	return 0;
}

TEST(shared_mapping_of_a_file_that_the_server_opened_for_one_shows_no_raw_byte)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	int fd = OK(open("m/f", O_RDWR));
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	rule_for_user(p, 0);
	EQ(as_uid(USER, shared_map_as_user, NULL), 0);
	CHECK(!memcmp(map, raw, LENGTH));
}

static int opens_are_refused(void *error)
{
	int want = *(int *)error;
	struct stat st;

	EQ(open("m/f", O_RDONLY) < 0 ? errno : 0, want);
	EQ(open("m/f", O_RDWR) < 0 ? errno : 0, want);
	EQ(open("m/f", O_WRONLY | O_TRUNC) < 0 ? errno : 0, want);
	EQ(open("m/f", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0, want);
	EQ(open("m/d/x/y", O_RDONLY) < 0 ? errno : 0, want);
	/* An O_PATH open opens nothing, and is not judged. */
	OK(stat("m/f", &st));
	OK(open("m/f", O_PATH));
	OK(open("m/d", O_RDONLY | O_DIRECTORY));
	return 0;
}

TEST(open_is_refused_with_an_errno_and_nobody_is_asked)
{
	static int errors[] = { EACCES, EPERM, EIO, 511 };
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pol_clear(p);
		rule_for_user(p, -errors[i]);
		rf_reset(rf);
		EQ(as_uid(USER, opens_are_refused, &errors[i]), 0);
		EQ(rf_count_all(rf), 0);
		CHECK(file_is("b/f", raw));
		expect_passed(rf, "m/f", 0);
	}
}

/* Of the line "opens pass N server N error N invalid N". */
static long opens_counted(struct rf *rf, const char *verdict)
{
	char line[128], *at;

	CHECK(rf_policy_line(rf, "opens", line, sizeof(line)));
	at = strstr(line, verdict);
	CHECK(at);
	return atol(at + strlen(verdict));
}

TEST(opens_are_counted_by_what_was_answered)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	int error = EACCES;

	expect_passed(rf, "m/f", 0);
	EQ(opens_counted(rf, "pass "), 1);
	rule_for_user(p, 0);
	expect_server(rf, "m/f", USER);
	EQ(opens_counted(rf, "server "), 1);
	EQ(opens_counted(rf, "error "), 0);
	pol_clear(p);
	rule_for_user(p, -error);
	EQ(as_uid(USER, opens_are_refused, &error), 0);
	EQ(opens_counted(rf, "error "), 5);
	EQ(opens_counted(rf, "pass "), 1);
	EQ(opens_counted(rf, "invalid "), 0);
}

TEST(answer_about_an_open_that_is_none_leaves_it_to_the_server)
{
	static const int bad[] = { 2, 99, -512, -4095, -4096, INT32_MIN, -ECHILD, -ESTALE };
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pol_clear(p);
		rule_for_user(p, bad[i]);
		expect_server(rf, "m/f", USER);
		EQ(opens_counted(rf, "invalid "), i + 1);
		expect_passed(rf, "m/f", 0);
	}
}

static struct rules_open *last_open(struct pol *p)
{
	CHECK(p->shared->nopens);
	return &p->shared->opens[(p->shared->nopens - 1) % RULES_OPENS];
}

static int open_as_user(void *p)
{
	*(volatile pid_t *)p = getpid();
	close(OK(open("m/f", O_WRONLY | O_APPEND)));
	return 0;
}

/* Of this process, in the hierarchy of cgroup v2; 0 if there is none. */
static uint64_t cgroup_of_self(void)
{
	char path[512] = "/sys/fs/cgroup", *end = path + strlen(path), line[256];
	FILE *f = fopen("/proc/self/cgroup", "r");
	struct stat st;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "0::%255s", end) == 1)
			break;
	fclose(f);
	return stat(path, &st) ? 0 : st.st_ino;
}

TEST(program_sees_who_opens_what_and_for_what)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	struct rule *r = pol_rule(p, "f", FUSEPASS_PASS);
	struct rules_open *o;
	pid_t *pid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	r->set = RULE_SET_COOKIE;
	r->cookie = 0x123456789abcULL;
	OK(chown("b/f", 12, 34));
	EQ(as_uid(USER, open_as_user, pid), 0);
	o = last_open(p);
	EQ(o->cookie, 0x123456789abcULL);
	EQ(o->ino, ino_of("b/f"));
	EQ(o->size, LENGTH);
	EQ(o->mode, S_IFREG | 0666);
	EQ(o->uid, 12);
	EQ(o->gid, 34);
	EQ(o->flags & O_ACCMODE, O_WRONLY);
	EQ(o->flags & O_APPEND, O_APPEND);
	EQ(o->caller_uid, USER);
	EQ(o->caller_gid, USER);
	/* Its number here is one of a name space. */
	EQ(o->caller_pid, o->pid);
	CHECK(o->pid && *pid);
	EQ(o->caller_cgroup, o->cgroup);
	EQ(o->caller_cgroup, cgroup_of_self());
	close(OK(open("m/f", O_RDONLY)));
	o = last_open(p);
	EQ(o->flags & O_ACCMODE, O_RDONLY);
	EQ(o->flags & O_APPEND, 0);
	EQ(o->caller_uid, 0);
	EQ(o->caller_pid, o->pid);
}

/* The cookie tells which file it is: a rule for one of them does not reach the other. */
TEST(open_is_judged_by_the_cookie_of_the_file)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	struct rule *r = pol_rule(p, "f", FUSEPASS_PASS);

	r->set = RULE_SET_COOKIE;
	r->cookie = 7;
	pol_open_rule(p, 7, FUSEPASS_SERVER);
	expect_server(rf, "m/f", 0);
	rf_reset(rf);
	CHECK(file_is("m/g", "file g, longer\n"));
	EQ(rf_count_all(rf), 0);
}

TEST(each_open_of_a_passed_file_is_judged_and_nothing_else)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	char path[64], c;
	struct stat st;
	int fd, fd2;

	fd = OK(open("m/f", O_RDWR));
	EQ(p->shared->nopens, 1);
	EQ(pread(fd, &c, 1, 0), 1);
	EQ(pwrite(fd, &c, 1, 0), 1);
	OK(fstat(fd, &st));
	close(OK(dup(fd)));
	OK(stat("m/f", &st));
	OK(truncate("m/g", 3));
	close(OK(open("m/f", O_PATH)));
	close(OK(open("m/d", O_RDONLY | O_DIRECTORY)));
	EQ(p->shared->nopens, 1);
	/* Once more by the same name, and by another one. */
	close(OK(open("m/f", O_RDONLY)));
	EQ(p->shared->nopens, 2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd2 = OK(open(path, O_RDONLY));
	EQ(p->shared->nopens, 3);
	close(fd2);
	close(fd);
	EQ(rf_count_all(rf), 0);
	/* Of a file that the server serves, there is nothing to judge. */
	pol_rule(p, "g", FUSEPASS_SERVER);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	EQ(bpf_link__update_map(p->link, p->map_open), 0);
	p->shared->nopens = 0;
	close(OK(open("m/g", O_RDONLY)));
	EQ(p->shared->nopens, 0);
}

TEST(policy_without_open_is_not_called_for_any)
{
	struct rf *rf = mount_redacting();
	struct pol *p = attach_opens(rf);
	unsigned long calls;

	rule_for_user(p, 0);
	expect_server(rf, "m/f", USER);
	EQ(p->shared->nopens, 1);
	replace(rf, p);
	expect_passed(rf, "m/f", USER);
	calls = p->shared->ncalls;
	for (int i = 0; i < 5; i++)
		close(OK(open("m/f", O_RDONLY)));
	EQ(p->shared->nopens, 1);
	EQ(p->shared->ncalls, calls);
}

/* Programs that take their time ------------------------------------------------- */

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

static int look_slowly(void *p)
{
	run_on(0);
	lookup("m/slow");
	return 0;
}

static int detach_it(void *p)
{
	EQ(bpf_link__detach(p), 0);
	return 0;
}

static bool ended(pid_t pid)
{
	siginfo_t info = { 0 };

	OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid == pid;
}

TEST(program_of_one_mount_does_not_delay_attach_and_detach_of_another)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf, *rf2;
	struct pol *p, *p2;
	struct rule *r;
	pid_t looker, detacher;

	/* The kernel preempts no program: the others stay off its CPU. */
	run_on(1);
	rf = mount_redacting();
	rf2 = rf_mount("m2", &conf);
	p = pol_attach(rf, 0);
	p2 = pol_open(NULL, open_path("m2"), rf2->root, 0, 0);
	r = pol_rule(p, "slow", FUSEPASS_PASS);

	pol_load(p2);
	/* Below what the kernel takes for a stall. */
	r->spin = 15000000000ULL;
	looker = spawn(look_slowly, NULL);
	EVENTUALLY(r->hits == 1);
	/* It may wait for the program, as it is the program's own policy. */
	detacher = spawn(detach_it, p->link);
	usleep(200000);
	EQ(pol_try_attach(p2), 0);
	EQ(bpf_link__update_map(p2->link, p2->map_2), 0);
	OK(lookup("m2/f"));
	EQ(rf_policy_number(rf2, "verdict server"), 0);
	EQ(bpf_link__detach(p2->link), 0);
	if (ended(looker))
		FAIL("all of it was done only when the slow program had ended");
	p->shared->go_on = 1;
	EQ(reap(looker), 0);
	EQ(reap(detacher), 0);
}
