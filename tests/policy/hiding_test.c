// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names that a policy hides: absent from listings and lookups, and neither made, removed
 * nor replaced. Directories that were opened under another policy follow the present one.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <dirent.h>
#include <sys/mount.h>
#include <unistd.h>

/* Hiding */

TEST_FLAGS(hidden_name_is_absent_from_readdir_and_lookup, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);

	pol_rule(p, "f", -ENOENT);
	rf_reset(rf);
	ERR(lookup("m/f"), ENOENT);
	CHECK(!dir_has("m", "f"));
	CHECK(dir_has("m", "g"));
	EQ(dir_count("m"), dir_count("b") - 1);
	EQ(rf_count_all(rf), 0);
	CHECK(pol_calls(p, "f", POL_READDIR) >= 1);
	EQ(pol_call(p, "g")->ino, stat_of("b/g").st_ino);
	pol_clear(p);
	CHECK(dir_has("m", "f"));
}

TEST(policy_that_does_not_hide_is_not_asked_per_entry)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	pol_rule(p, "f", -ENOENT);
	ERR(lookup("m/f"), ENOENT);
	CHECK(dir_has("m", "f"));
	EQ(pol_calls(p, "f", POL_READDIR), 0);
	EQ(pol_calls(p, "g", POL_READDIR), 0);
}

TEST(only_enoent_hides_from_a_listing)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);

	pol_rule(p, "f", -EACCES);
	pol_rule(p, "g", FUSEPASS_SERVER);
	pol_rule(p, "d", 99);
	EQ(dir_count("m"), dir_count("b"));
}

static int list_and_look(void *p)
{
	bool hidden = *(bool *)p;

	EQ(dir_has("m", "f"), !hidden);
	CHECK(dir_has("m", "g"));
	if (hidden)
		ERR(lookup("m/f"), ENOENT);
	else
		OK(lookup("m/f"));
	return 0;
}

/* The listing is read with the rights of whoever attached the policy. */
TEST_FLAGS(names_of_a_listing_are_judged_for_the_caller, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	bool yes = true, no = false;
	struct rule *r;

	r = pol_rule(p, "f", -ENOENT);
	r->by_caller = 1;
	r->caller = 1000;
	EQ(as_uid(1000, list_and_look, &yes), 0);
	CHECK(pol_calls(p, "f", POL_READDIR) >= 1);
	EQ(pol_call(p, "f")->caller, 1000);
	EQ(pol_call(p, "g")->caller, 1000);
	EQ(as_uid(1001, list_and_look, &no), 0);
	EQ(pol_call(p, "g")->caller, 1001);
	drop_caches();
	EQ(as_uid(0, list_and_look, &no), 0);
	/* A listing opened by one and read by another is the reader's. */
	drop_caches();
	r->caller = 0;
	EQ(as_uid(1000, list_and_look, &no), 0);
	EQ(rf_count_all(rf), 0);
}

/* A hidden name is there: it can be neither made again nor written over, and no
 * call tells more of it than the listing does. */

static struct rf *mount_hiding(struct pol **p)
{
	struct rf *rf = mount_tree();

	*p = pol_attach(rf, POL_F_HIDES);
	pol_rule(*p, "f", -ENOENT);
	return rf;
}

TEST_FLAGS(hidden_name_cannot_be_created, T_QUICK)
{
	struct pol *p;
	struct rf *rf = mount_hiding(&p);

	rf_reset(rf);
	ERR(open("m/f", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(open("m/f", O_CREAT | O_EXCL | O_WRONLY, 0600), EACCES);
	ERR(open("m/f", O_CREAT | O_TRUNC | O_RDWR, 0600), EACCES);
	ERR(mkdir("m/f", 0700), EACCES);
	ERR(mknod("m/f", S_IFREG | 0600, 0), EACCES);
	ERR(mknod("m/f", S_IFIFO | 0600, 0), EACCES);
	ERR(symlink("g", "m/f"), EACCES);
	ERR(link("m/g", "m/f"), EACCES);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\n"));
	/* The converse: a name beside it can, and so can this one later. */
	put_file("m/f2", "made", 0600);
	pol_clear(p);
	close(OK(open("m/f", O_CREAT | O_WRONLY, 0600)));
}

TEST_FLAGS(hidden_name_that_is_not_there_cannot_be_created_either, T_QUICK)
{
	struct pol *p;

	mount_hiding(&p);
	pol_rule(p, "none", -ENOENT);
	ERR(open("m/none", O_CREAT | O_WRONLY, 0600), EACCES);
	ERR(mkdir("m/none", 0700), EACCES);
	ERR(lookup("b/none"), ENOENT);
}

TEST(temporary_file_cannot_be_given_a_hidden_name)
{
	char path[64];
	struct pol *p;
	int fd;

	mount_hiding(&p);
	fd = OK(open("m", O_TMPFILE | O_RDWR, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ERR(linkat(AT_FDCWD, path, AT_FDCWD, "m/f", AT_SYMLINK_FOLLOW), EACCES);
	CHECK(file_is("b/f", "file f\n"));
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "m/f2", AT_SYMLINK_FOLLOW));
}

TEST_FLAGS(hidden_name_cannot_be_removed_or_renamed, T_QUICK)
{
	struct pol *p;
	struct rf *rf = mount_hiding(&p);

	pol_rule(p, "d", -ENOENT);
	rf_reset(rf);
	ERR(unlink("m/f"), ENOENT);
	ERR(rmdir("m/d"), ENOENT);
	ERR(rename("m/f", "m/f2"), ENOENT);
	ERR(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/f", RENAME_EXCHANGE), ENOENT);
	EQ(rf_count_all(rf), 0);
	CHECK(file_is("b/f", "file f\n"));
	OK(lookup("b/d/x/y"));
}

TEST_FLAGS(rename_onto_a_hidden_name_is_refused, T_QUICK)
{
	struct pol *p;

	mount_hiding(&p);
	ERR(rename("m/g", "m/f"), EACCES);
	CHECK(file_is("b/f", "file f\n"));
	CHECK(file_is("m/g", "file g, longer\n"));
	OK(rename("m/g", "m/g2"));
}

TEST_FLAGS(rename_without_replacing_onto_a_hidden_name_is_refused, T_QUICK)
{
	struct pol *p;

	mount_hiding(&p);
	ERR(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/f", RENAME_NOREPLACE),
	    EACCES);
	CHECK(file_is("b/f", "file f\n"));
	OK(renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/g2", RENAME_NOREPLACE));
}

/* A directory that was opened under another policy: what the rules of now hide must
 * not show. */

static int count_entries(int dir)
{
	DIR *d = fdopendir(dup(dir));
	int n = 0;

	CHECK(d);
	rewinddir(d);
	errno = 0;
	while (readdir(d))
		n++;
	if (errno)
		n = -errno;
	closedir(d);
	return n;
}

TEST(listing_through_a_directory_opened_under_another_policy_is_by_the_rules_of_now)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	int d = OK(open("m/d", O_RDONLY | O_DIRECTORY));

	EQ(count_entries(d), 3);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	EQ(count_entries(d), 3);
	/* Nobody has walked to it since. */
	pol_rule(p, "x", -ENOENT);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	EQ(count_entries(d), 2);
	EQ(rf_count(rf, FUSE_READDIR) + rf_count(rf, FUSE_LOOKUP), 0);
	EQ(dir_count("m/d"), 2);
}

TEST(listing_through_an_old_directory_works_if_no_policy_hides)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	int d = OK(open("m/d", O_RDONLY | O_DIRECTORY));

	EQ(count_entries(d), 3);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	EQ(count_entries(d), 3);
	pol_detach(p);
	EQ(count_entries(d), 3);
}

/* The mount is used by the rules of p; then those of p->map_2 hold. */
TEST_FLAGS(hidden_name_is_not_found_through_a_directory_held_since_before, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, POL_F_HIDES);
	int x = OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	struct stat st;

	OK(fstatat(x, "y", &st, 0));
	pol_rule(p, "y", -ENOENT);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	ERR(fstatat(x, "y", &st, 0), ENOENT);
	ERR(openat(x, "y", O_RDONLY), ENOENT);
	ERR(lookup("m/d/x/y"), ENOENT);
	ERR(fstatat(x, "y", &st, 0), ENOENT);
}

/* A directory that is held is judged by its own name when a name in it is looked
 * up: nobody has to walk to it from the top first. */

enum { HELD_FD, HELD_CWD, HELD_BIND };

static int hold(struct rf *rf, int how)
{
	char top[200];

	/* The counts are found by way of the mount, wherever we are. */
	CHECK(getcwd(top, sizeof(top)));
	snprintf(rf->mnt, sizeof(rf->mnt), "%s/m", top);
	switch (how) {
	case HELD_FD:
		return OK(open("m/d/x", O_RDONLY | O_DIRECTORY));
	case HELD_CWD:
		OK(chdir("m/d/x"));
		return AT_FDCWD;
	}
	OK(mkdir("bind", 0755));
	OK(mount("m/d/x", "bind", NULL, MS_BIND, NULL));
	return OK(open("bind", O_PATH | O_DIRECTORY));
}

static void expect_held_is_judged(int how, unsigned int flags)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, flags);
	struct stat st;
	int x, calls;

	put_file("b/d/x/z", "z\n", 0644);
	x = hold(rf, how);
	OK(fstatat(x, "y", &st, 0));
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	calls = pol_calls(p, "y", 0);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	rf_reset(rf);
	/* Cached and cold, there and not. */
	OK(fstatat(x, "y", &st, 0));
	EQ(pol_calls(p, "y", 0), calls + 1);
	EQ(st.st_size, 5);
	ERR(fstatat(x, "none", &st, 0), ENOENT);
	ERR(fstatat(x, "none2", &st, 0), ENOENT);
	close(OK(openat(x, "z", O_RDWR)));
	close(OK(openat(x, "new", O_CREAT | O_EXCL | O_RDWR, 0600)));
	OK(unlinkat(x, "new", 0));
	/* The server may be asked once for the directory that is held. */
	EQ(rf_count_all(rf) - rf_count(rf, FUSE_GETATTR), 0);
	/* And by what the rules say now. */
	pol_rule(p, "y", -EACCES);
	pol_rule(p, "z", flags & POL_F_HIDES ? -ENOENT : -EPERM);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	ERR(fstatat(x, "y", &st, 0), EACCES);
	ERR(openat(x, "y", O_RDONLY), EACCES);
	if (flags & POL_F_HIDES)
		ERR(fstatat(x, "z", &st, 0), ENOENT);
	else
		ERR(fstatat(x, "z", &st, 0), EPERM);
	EQ(rf_count(rf, FUSE_LOOKUP), 0);
}

TEST(held_directory_makes_no_request_after_the_policy_was_replaced)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	struct stat st;
	int x = hold(rf, HELD_FD);

	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	rf_reset(rf);
	OK(fstatat(x, "y", &st, 0));
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(names_in_an_open_directory_are_judged_by_the_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_FD, 0);
}

TEST_FLAGS(names_in_the_working_directory_are_judged_by_the_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_CWD, 0);
}

TEST_FLAGS(names_in_a_bind_mount_are_judged_by_the_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_BIND, 0);
}

TEST_FLAGS(names_in_an_open_directory_are_judged_by_the_hiding_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_FD, POL_F_HIDES);
}

TEST_FLAGS(names_in_the_working_directory_are_judged_by_the_hiding_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_CWD, POL_F_HIDES);
}

TEST_FLAGS(names_in_a_bind_mount_are_judged_by_the_hiding_policy_that_replaced, T_QUICK)
{
	expect_held_is_judged(HELD_BIND, POL_F_HIDES);
}
