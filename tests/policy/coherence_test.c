// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names on the mount stay right when the tree changes: by changes in the backing tree, by
 * renames on the mount, when the policy is replaced, by notifications of the server.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

/* Coherence with the backing tree */

TEST_FLAGS(direct_change_is_seen_at_the_next_lookup, T_QUICK)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	rf_reset(rf);
	CHECK(file_is("m/f", "file f\n"));
	put_file("b/f", "changed\n", 0600);
	CHECK(file_is("m/f", "changed\n"));
	expect_same_stat("m/f", "b/f");
	ERR(lookup("m/new"), ENOENT);
	put_file("b/new", "new\n", 0644);
	CHECK(file_is("m/new", "new\n"));
	OK(rename("b/new", "b/renamed"));
	ERR(lookup("m/new"), ENOENT);
	CHECK(file_is("m/renamed", "new\n"));
	OK(rename("b/renamed", "b/f"));
	CHECK(file_is("m/f", "new\n"));
	ERR(lookup("m/renamed"), ENOENT);
	OK(unlink("b/f"));
	ERR(lookup("m/f"), ENOENT);
	OK(mkdir("b/f", 0755));
	EQ(stat_of("m/f").st_mode, S_IFDIR | 0755);
	ERR(lookup("m/f/x"), ENOENT);
	put_file("b/f/x", "beneath\n", 0644);
	CHECK(file_is("m/f/x", "beneath\n"));
	OK(rename("b/d", "b/e"));
	ERR(lookup("m/d/x/y"), ENOENT);
	CHECK(file_is("m/e/x/y", "deep\n"));
	CHECK(!dir_has("m", "d"));
	CHECK(dir_has("m", "e"));
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

TEST(two_directories_exchanged_in_the_backing_tree_are_seen)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	OK(mkdir("b/d2", 0755));
	put_file("b/d2/only2", "2\n", 0644);
	OK(lookup("m/d/x/y"));
	OK(lookup("m/d2/only2"));
	OK(renameat2(AT_FDCWD, "b/d", AT_FDCWD, "b/d2", RENAME_EXCHANGE));
	OK(lookup("m/d2/x/y"));
	OK(lookup("m/d/only2"));
	ERR(lookup("m/d/x"), ENOENT);
	ERR(lookup("m/d2/only2"), ENOENT);
}

TEST_FLAGS(rename_of_a_directory_on_the_mount_takes_its_names_along, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct stat st;
	int x;

	pol_attach(rf, 0);
	x = open_path("m/d/x");
	OK(lookup("m/d/x/y"));
	OK(rename("m/d", "m/e"));
	ERR(lookup("m/d"), ENOENT);
	CHECK(file_is("m/e/x/y", "deep\n"));
	OK(fstatat(x, "y", &st, 0));
	expect_same_stat("m/e/x", "b/e/x");
	EQ(rf_count_all(rf), 0);
}

/* A verdict holds for the name that was judged: a rename judges again. */

/* Requests that reading all of it makes. */
static unsigned long requests_to_read(struct rf *rf, const char *path,
				      const char *text)
{
	rf_reset(rf);
	CHECK(file_is(path, text));
	return rf_count(rf, FUSE_OPEN) + rf_count(rf, FUSE_READ);
}

TEST(file_renamed_to_a_name_of_the_server_is_the_servers)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "server", FUSEPASS_SERVER);
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	OK(rename("m/f", "m/server"));
	CHECK(requests_to_read(rf, "m/server", "file f\n") >= 2);
	CHECK(pol_calls(p, "server", 0) > 0);
}

TEST(file_renamed_from_a_name_of_the_server_passes)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "g", FUSEPASS_SERVER);
	CHECK(requests_to_read(rf, "m/g", "file g, longer\n") >= 2);
	OK(rename("m/g", "m/plain"));
	/* The server's handle of the cached open may take a moment to go. */
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= 1);
	EQ(requests_to_read(rf, "m/plain", "file g, longer\n"), 0);
	expect_same_stat("m/plain", "b/plain");
}

TEST(file_moved_to_another_directory_is_judged_there)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	rule_cookie(p, "d", 5);
	pol_rule(p, "f", FUSEPASS_SERVER)->parent_cookie = 5;
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	OK(rename("m/f", "m/d/f"));
	CHECK(requests_to_read(rf, "m/d/f", "file f\n") >= 2);
}

TEST(file_renamed_from_a_name_of_the_server_to_a_denied_one_is_denied)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r;

	pol_rule(p, "g", FUSEPASS_SERVER);
	/* Only of what exists: the name to rename to has to be looked up. */
	r = pol_rule(p, "denied", FUSEPASS_PASS);
	OK(lookup("m/g"));
	OK(rename("m/g", "m/denied"));
	r->verdict = -EACCES;
	ERR(lookup("m/denied"), EACCES);
	ERR(open("m/denied", O_RDONLY), EACCES);
}

TEST(file_renamed_from_a_passed_name_to_a_denied_one_is_denied)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct rule *r = pol_rule(p, "denied", FUSEPASS_PASS);

	OK(lookup("m/g"));
	OK(rename("m/g", "m/denied"));
	r->verdict = -EACCES;
	ERR(lookup("m/denied"), EACCES);
	ERR(open("m/denied", O_RDONLY), EACCES);
}

TEST_FLAGS(names_exchanged_are_both_judged_again, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "g", FUSEPASS_SERVER);
	EQ(requests_to_read(rf, "m/f", "file f\n"), 0);
	CHECK(requests_to_read(rf, "m/g", "file g, longer\n") >= 2);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) >= 1);
	OK(renameat2(AT_FDCWD, "m/f", AT_FDCWD, "m/g", RENAME_EXCHANGE));
	CHECK(requests_to_read(rf, "m/g", "file f\n") >= 2);
	EQ(requests_to_read(rf, "m/f", "file g, longer\n"), 0);
}

/* Every directory hands its cookie on; beneath "closed", y is denied. */
static struct pol *attach_closed(struct rf *rf)
{
	struct pol *p = pol_attach(rf, 0);

	rule_cookie(p, "closed", 9);
	pol_rule(p, "y", -EACCES)->parent_cookie = 9;
	rule_cookie(p, "", 0)->set = RULE_ADD_COOKIE;
	return p;
}

TEST_FLAGS(names_beneath_a_renamed_directory_are_judged_again, T_QUICK)
{
	struct rf *rf = mount_tree();

	attach_closed(rf);
	CHECK(file_is("m/d/x/y", "deep\n"));
	OK(rename("m/d", "m/closed"));
	ERR(lookup("m/closed/x/y"), EACCES);
	ERR(open("m/closed/x/y", O_RDONLY), EACCES);
	OK(lookup("m/closed/x"));
	OK(rename("m/closed", "m/d"));
	CHECK(file_is("m/d/x/y", "deep\n"));
}

/* An open directory goes by the old name until it is looked up by the new one. */
TEST_FLAGS(names_through_an_fd_follow_a_rename_when_the_directory_is_looked_up, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct stat st;
	int x;

	attach_closed(rf);
	x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	OK(fstatat(x, "y", &st, 0));
	rf_reset(rf);
	OK(rename("m/d", "m/closed"));
	OK(fstatat(x, "y", &st, 0));
	OK(lookup("m/closed/x"));
	ERR(openat(x, "y", O_RDONLY), EACCES);
	ERR(fstatat(x, "y", &st, 0), EACCES);
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(rename_of_another_directory_does_not_open_a_denied_name, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int x;

	pol_rule(p, "y", -EACCES);
	x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	ERR(openat(x, "y", O_RDONLY), EACCES);
	OK(mkdir("m/mine", 0755));
	OK(rename("m/mine", "m/other"));
	ERR(openat(x, "y", O_RDONLY), EACCES);
	ERR(open("m/d/x/y", O_RDONLY), EACCES);
}

TEST_FLAGS(rename_and_unlink_on_the_mount_are_right_afterwards, T_QUICK)
{
	struct rf *rf = mount_tree();

	pol_attach(rf, 0);
	OK(lookup("m/f"));
	OK(rename("m/f", "m/d/f"));
	ERR(lookup("m/f"), ENOENT);
	CHECK(file_is("m/d/f", "file f\n"));
	OK(rename("m/g", "m/d/f"));
	CHECK(file_is("m/d/f", "file g, longer\n"));
	ERR(lookup("m/g"), ENOENT);
	OK(renameat2(AT_FDCWD, "m/d/f", AT_FDCWD, "m/l", RENAME_EXCHANGE));
	EQ(stat_of("m/l").st_mode & S_IFMT, S_IFREG);
	EQ(stat_of("m/d/f").st_mode & S_IFMT, S_IFLNK);
	ERR(renameat2(AT_FDCWD, "m/l", AT_FDCWD, "m/d/f", RENAME_NOREPLACE),
	    EEXIST);
	OK(unlink("m/d/f"));
	ERR(lookup("m/d/f"), ENOENT);
	ERR(rmdir("m/d"), ENOTEMPTY);
	OK(unlink("m/d/x/y"));
	OK(rmdir("m/d/x"));
	OK(rmdir("m/d"));
	ERR(lookup("m/d"), ENOENT);
	ERR(lookup("b/d"), ENOENT);
	put_file("m/d", "a file now\n", 0644);
	CHECK(file_is("m/d", "a file now\n"));
}

TEST_FLAGS(working_directory_stays_right_across_replace, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	char before[PATH_MAX], after[PATH_MAX + 8];

	OK(chdir("m/d/x"));
	CHECK(getcwd(before, sizeof(before)));
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	OK(lookup("y"));
	CHECK(getcwd(after, PATH_MAX));
	CHECK(!strcmp(before, after));
	CHECK(file_is("y", "deep\n"));
	CHECK(file_is("../x/y", "deep\n"));
	/* Through the names from the top as well: still the same directory. */
	snprintf(after, sizeof(after), "%s/y", before);
	CHECK(file_is(after, "deep\n"));
	CHECK(getcwd(after, PATH_MAX));
	CHECK(!strcmp(before, after));
}

TEST_FLAGS(kernel_made_node_can_be_opened_after_replace_and_detach, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	uint64_t x = ino_of("m/d/x");
	int held = open_path("m/d/x");

	close(OK(rf_node_open(rf, x, 0, 0)));
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	close(OK(rf_node_open(rf, x, 0, 0)));
	pol_detach(p);
	close(OK(rf_node_open(rf, x, 0, 0)));
	close(held);
}

TEST_FLAGS(names_beneath_a_held_directory_are_found_after_detach, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int x = open_path("m/d/x");
	struct stat st;

	OK(fstatat(x, "y", &st, 0));
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
	pol_detach(p);
	OK(fstatat(x, "y", &st, 0));
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	close(OK(openat(x, "y", O_RDONLY)));
}

TEST_FLAGS(working_directory_follows_a_direct_rename, T_QUICK)
{
	struct rf *rf = mount_tree();
	char cwd[PATH_MAX], top[PATH_MAX], path[PATH_MAX + 32];

	pol_attach(rf, 0);
	CHECK(getcwd(top, sizeof(top)));
	OK(chdir("m/d/x"));
	snprintf(path, sizeof(path), "%s/b/d", top);
	snprintf(cwd, sizeof(cwd), "%.4000s/b/e", top);
	OK(rename(path, cwd));
	snprintf(path, sizeof(path), "%s/m/e/x/y", top);
	OK(lookup(path));
	CHECK(file_is("y", "deep\n"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "%s/m/e/x", top);
	if (strcmp(cwd, path))
		FAIL("working directory is %s, not %s", cwd, path);
}

TEST(hard_links_are_one_inode)
{
	struct rf *rf = mount_tree();
	struct stat a, b;

	OK(link("b/f", "b/h"));
	pol_attach(rf, 0);
	rf_reset(rf);
	a = stat_of("m/f");
	b = stat_of("m/h");
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_nlink, 2);
	OK(chmod("m/h", 0600));
	EQ(stat_of("m/f").st_mode & 0777, 0600);
	OK(unlink("b/f"));
	CHECK(file_is("m/h", "file f\n"));
	EQ(stat_of("m/h").st_nlink, 1);
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(second_name_judged_otherwise_is_a_conflict_not_an_error, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p;
	int fd;

	OK(link("b/f", "b/h"));
	p = pol_attach(rf, 0);
	rule_ops(p, "h", RF_OP_GETATTR);
	fd = open_path("m/f");
	CHECK(file_is("m/h", "file f\n"));
	CHECK(rf_policy_number(rf, "fallback conflict") >= 1);
	close(fd);
}

TEST_FLAGS(open_unlinked_file_goes_on, T_QUICK)
{
	struct rf *rf = mount_tree();
	char buf[16] = "";
	struct stat st;
	int fd;

	pol_attach(rf, 0);
	fd = OK(open("m/d/x/y", O_RDWR));
	OK(unlink("b/d/x/y"));
	ERR(lookup("m/d/x/y"), ENOENT);
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(pwrite(fd, "DEEP", 4, 0), 4);
	put_file("b/d/x/y", "another\n", 0644);
	CHECK(file_is("m/d/x/y", "another\n"));
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "DEEP\n", 5));
}

/* Flags that the kernel copied from the backing inode are not left behind. */
TEST(flags_of_the_backing_file_are_gone_with_the_policy)
{
	struct rf *rf = mount_tree();
	struct pol *p;

	set_file_flags("b/f", FS_IMMUTABLE_FL, true);
	p = pol_attach(rf, 0);
	ERR(chmod("m/f", 0600), EPERM);
	ERR(open("m/f", O_WRONLY), EPERM);
	pol_detach(p);
	set_file_flags("b/f", FS_IMMUTABLE_FL, false);
	OK(chmod("m/f", 0600));
	put_file("m/f", "new", 0600);
}

/* Notifications of the server, about names and files that the kernel looks after. */

enum { NOTIFY_INC_EPOCH = 8, EXPIRE_ONLY = 1 };	/* not in older headers */

static void notify(struct rf *rf, int code, const void *arg, size_t size,
		   const void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size + len, .error = code,
	};
	struct iovec iov[] = {
		{ &head, sizeof(head) }, { (void *)arg, size }, { (void *)data, len },
	};

	EQ(OK(writev(rf->dev, iov, ARRAY_SIZE(iov))), head.len);
}

static void invalidate_entry(struct rf *rf, const char *dir, const char *name,
			     uint32_t flags)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = ino_of(dir), .namelen = strlen(name), .flags = flags,
	};

	notify(rf, FUSE_NOTIFY_INVAL_ENTRY, &out, sizeof(out), name, strlen(name) + 1);
}

static void expect_looked_up_once_more(struct rf *rf, struct pol *p)
{
	int calls = pol_calls(p, "y", 0);

	EQ(ino_of("m/d/x/y"), ino_of("b/d/x/y"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(pol_calls(p, "y", 0), calls + 1);
	EQ(rf_count_all(rf), 0);
}

TEST(name_that_the_server_invalidates_is_looked_up_by_the_kernel_again)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	struct pol *p;

	rf_make_tree();
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	CHECK(file_is("m/d/x/y", "deep\n"));
	rf_reset(rf);
	invalidate_entry(rf, "b/d/x", "y", 0);
	expect_looked_up_once_more(rf, p);
	notify(rf, NOTIFY_INC_EPOCH, NULL, 0, NULL, 0);
	expect_looked_up_once_more(rf, p);
	/* Only its time is up, which it does not go by: nothing has changed beneath. */
	invalidate_entry(rf, "b/d/x", "y", EXPIRE_ONLY);
	CHECK(file_is("m/d/x/y", "deep\n"));
	EQ(rf_count_all(rf), 0);
}

TEST(data_that_the_server_stores_does_not_hide_those_of_a_passed_file)
{
	struct fuse_notify_store_out out = { .offset = 4, .size = 8 };
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	int fd;

	rf_make_tree();
	rf = rf_mount(NULL, &conf);
	pol_attach(rf, 0);
	fd = OK(open("m/f", O_RDWR));
	out.nodeid = ino_of("b/f");
	rf_reset(rf);
	notify(rf, FUSE_NOTIFY_STORE, &out, sizeof(out), "whatever", 8);
	EQ(stat_of("m/f").st_size, 7);
	EQ(lseek(fd, 0, SEEK_END), 7);
	CHECK(file_is("m/f", "file f\n"));
	OK(pwrite(fd, "F", 1, 0));
	CHECK(file_is("b/f", "File f\n"));
	CHECK(file_is("m/f", "File f\n"));
	EQ(rf_count_all(rf), 0);
}
