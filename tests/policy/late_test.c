// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies on the mount of a server that knows nothing of passthrough: inodes that the
 * kernel made get a node id of the server before the first request about them.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct rf *mount_flags(uint64_t flags)
{
	struct rf_conf conf = RF_DEFAULT;

	conf.flags = flags;
	conf.max_stack_depth = flags & RF_PASSTHROUGH ? 1 : 0;
	return mount_conf(&conf);
}

static struct rf *mount_any(void)
{
	return mount_flags(0);
}

/* Passes all but changes of attributes, which are requests about an inode. */
static struct pol *attach_without_setattr(struct rf *rf)
{
	struct pol *p = pol_attach(rf, 0);

	rule_ops(p, "y", RF_OPS & ~RF_OP_SETATTR);
	rule_ops(p, "f", RF_OPS & ~RF_OP_SETATTR);
	return p;
}

/* The server is asked for no node that it did not give out. */
static void expect_requests(struct rf *rf, int lookups, int setattrs)
{
	rf_note_counts(rf);
	EQ(rf_count(rf, FUSE_LOOKUP), lookups);
	EQ(rf_count(rf, FUSE_SETATTR), setattrs);
	EQ(rf->stats->unknown, 0);
	rf_reset(rf);
}

TEST_FLAGS(tree_of_any_server_passes_without_a_request, T_QUICK)
{
	struct rf *rf = mount_any();

	pol_attach(rf, 0);
	rf_reset(rf);
	use_tree();
	rf_note_counts(rf);
	EQ(rf_count_all(rf), 0);
}

TEST(tree_of_a_server_that_passes_open_files_passes)
{
	struct rf *rf = mount_flags(RF_PASSTHROUGH);

	pol_attach(rf, 0);
	rf_reset(rf);
	use_tree();
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(components_are_looked_up_once_before_the_first_request, T_QUICK)
{
	struct rf *rf = mount_any();

	attach_without_setattr(rf);
	rf_reset(rf);
	OK(chmod("m/d/x/y", 0601));
	expect_requests(rf, 3, 1);
	OK(chmod("m/d/x/y", 0602));
	expect_requests(rf, 0, 1);
	EQ(stat_of("b/d/x/y").st_mode & 07777, 0602);
	OK(chmod("m/f", 0603));
	expect_requests(rf, 1, 1);
}

TEST_FLAGS(late_lookups_are_given_back_at_eviction, T_QUICK)
{
	struct rf *rf = mount_any();

	attach_without_setattr(rf);
	OK(chmod("m/d/x/y", 0601));
	CHECK(rf->stats->given >= 3);
	EQ(rf->stats->forgotten, 0);
	drop_caches();
	EVENTUALLY(rf->stats->forgotten == rf->stats->given);
	OK(chmod("m/d/x/y", 0602));
	EQ(rf->stats->unknown, 0);
}

TEST(name_that_others_rename_is_looked_up_again)
{
	struct rf *rf = mount_any();

	attach_without_setattr(rf);
	OK(chmod("m/d/x/y", 0601));
	rf_reset(rf);
	OK(rename("b/d/x/y", "b/f"));
	OK(chmod("m/f", 0602));
	expect_requests(rf, 1, 1);
	EQ(stat_of("b/f").st_mode & 07777, 0602);
	OK(rename("b/f", "b/d/x/y"));
	OK(rename("b/d", "b/e"));
	/* The server gives e the node that d was, in which it has looked up x. */
	OK(chmod("m/e/x/y", 0603));
	expect_requests(rf, 2, 1);
	EQ(stat_of("b/e/x/y").st_mode & 07777, 0603);
}

TEST(open_file_that_others_rename_is_found_by_its_new_name)
{
	struct rf *rf = mount_any();
	int y;

	attach_without_setattr(rf);
	y = OK(open("m/d/x/y", O_RDONLY));
	OK(rename("b/d/x/y", "b/d/z"));
	OK(fchmod(y, 0604));
	EQ(rf->stats->unknown, 0);
	EQ(stat_of("b/d/z").st_mode & 07777, 0604);
	/* Without a name, it stays what it was for the server. */
	OK(unlink("b/d/z"));
	OK(fchmod(y, 0605));
	EQ(stat_of("m/d/x").st_nlink, 2);
	close(y);
}

TEST(file_without_a_name_is_the_servers_if_it_will_be_asked)
{
	struct rf *rf = mount_any();
	struct pol *p = pol_attach(rf, 0);
	int fd;

	rf_reset(rf);
	fd = OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	OK(fchmod(fd, 0640));
	close(fd);
	EQ(rf_count(rf, FUSE_TMPFILE), 0);
	rule_ops(p, "", RF_OPS & ~RF_OP_SETATTR);
	fd = OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	OK(fchmod(fd, 0640));
	EQ(write(fd, "x", 1), 1);
	close(fd);
	EQ(rf_count(rf, FUSE_TMPFILE), 1);
	EQ(rf->stats->unknown, 0);
}

TEST_FLAGS(names_that_the_server_knows_are_changed_by_it, T_QUICK)
{
	struct rf *rf = mount_any();

	attach_without_setattr(rf);
	rf_reset(rf);
	OK(rename("m/g", "m/g2"));
	OK(unlink("m/g2"));
	EQ(rf_count_all(rf), 0);
	OK(chmod("m/d/x/y", 0601));
	rf_reset(rf);
	OK(rename("m/d/x", "m/d/w"));
	EQ(rf_count(rf, FUSE_RENAME) + rf_count(rf, FUSE_RENAME2), 1);
	OK(chmod("m/d/w/y", 0602));
	EQ(stat_of("b/d/w/y").st_mode & 07777, 0602);
	OK(unlink("m/d/w/y"));
	EQ(rf_count(rf, FUSE_UNLINK), 1);
	OK(rmdir("m/d/w"));
	EQ(rf_count(rf, FUSE_RMDIR), 1);
	EQ(rf->stats->unknown, 0);
	ERR(lookup("b/d/w"), ENOENT);
}

TEST_FLAGS(what_was_found_before_the_policy_is_judged_on_the_same_inodes, T_QUICK)
{
	struct rf *rf = mount_any();
	struct stat before, after;
	int d;

	OK(lookup("m/d/x/y"));
	d = OK(open("m/d", O_PATH | O_DIRECTORY));
	OK(mount("b", "m/d/x", NULL, MS_BIND, NULL));
	OK(fstat(d, &before));
	pol_attach(rf, 0);
	rf_reset(rf);
	OK(stat("m/d", &after));
	EQ(rf_count_all(rf), 0);
	EQ(before.st_ino, after.st_ino);
	/* The mount on a directory in use is still there. */
	CHECK(file_is("m/d/x/f", "file f\n"));
	OK(umount("m/d/x"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	OK(fstatat(d, "x/y", &after, 0));
	EQ(rf_count_all(rf), 0);
}

TEST_FLAGS(what_is_open_goes_on_after_detach, T_QUICK)
{
	struct rf *rf = mount_any();
	struct pol *p = pol_attach(rf, 0);
	int fd = OK(open("m/d/x/y", O_RDWR));
	int x = OK(open("m/d/x", O_PATH | O_DIRECTORY));
	struct stat st;
	char buf[8];

	pol_detach(p);
	rf_reset(rf);
	EQ(pread(fd, buf, 4, 0), 4);
	EQ(rf_count_all(rf), 0);
	OK(fchmod(fd, 0606));
	OK(fstatat(x, "y", &st, 0));
	close(OK(openat(x, "y", O_RDONLY)));
	close(OK(openat(x, "new", O_WRONLY | O_CREAT, 0644)));
	EQ(rf_count(rf, FUSE_CREATE), 1);
	put_file("m/d/x/new", "by the server\n", 0644);
	CHECK(file_is("b/d/x/new", "by the server\n"));
	EQ(stat_of("b/d/x/y").st_mode & 07777, 0606);
	EQ(rf->stats->unknown, 0);
	close(fd);
	close(x);
	CHECK(file_is("m/d/x/y", "deep\n"));
}

TEST(open_file_that_others_replace_after_detach_stays_what_it_is)
{
	struct rf *rf = mount_any();
	struct pol *p = attach_without_setattr(rf);
	struct stat before, after;
	int fd = OK(open("m/f", O_RDONLY));

	/* The server gets to know it. */
	OK(fchmod(fd, 0644));
	OK(fstat(fd, &before));
	pol_detach(p);
	put_file("b/other", "another file\n", 0644);
	OK(rename("b/other", "b/f"));
	CHECK(file_is("m/f", "another file\n"));
	OK(fstat(fd, &after));
	EQ(after.st_ino, before.st_ino);
	EQ(after.st_size, before.st_size);
	EQ(stat_of("m/f").st_ino, ino_of("b/f"));
	close(fd);
}

TEST(attach_again_finds_the_same_inodes)
{
	struct rf *rf = mount_any();
	struct pol *p = pol_attach(rf, 0);
	int fd = OK(open("m/d/x/y", O_RDONLY));
	struct stat a, b;

	pol_detach(p);
	OK(lookup("m/d/x/y"));
	p = pol_attach(rf, 0);
	rf_reset(rf);
	OK(stat("m/d/x/y", &b));
	OK(fstat(fd, &a));
	EQ(a.st_ino, b.st_ino);
	use_tree();
	EQ(rf_count_all(rf), 0);
	close(fd);
}

static void answer_with_root(struct rf *rf, uint32_t opcode, const char *name,
			     struct rf_entry2 *e)
{
	if (!strcmp(name, "f"))
		e->nodeid = FUSE_ROOT_ID;
}

TEST(node_that_cannot_be_that_of_the_inode_is_eio_and_counted)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.flags = 0;
	conf.entry = answer_with_root;
	rf = mount_conf(&conf);
	attach_without_setattr(rf);
	ERR(chmod("m/f", 0601), EIO);
	EQ(rf_count(rf, FUSE_SETATTR), 0);
	CHECK(rf_policy_number(rf, "fallback conflict") >= 1);
	/* What passes still does. */
	CHECK(file_is("m/f", "file f\n"));
}

TEST(handle_of_what_the_server_does_not_know_is_eoverflow)
{
	struct { struct file_handle h; char room[MAX_HANDLE_SZ]; } fh;
	struct rf *rf = mount_any();
	int mount_id, m = OK(open("m", O_RDONLY | O_DIRECTORY));

	attach_without_setattr(rf);
	fh.h.handle_bytes = MAX_HANDLE_SZ;
	ERR(name_to_handle_at(AT_FDCWD, "m/f", &fh.h, &mount_id, 0), EOVERFLOW);
	OK(chmod("m/f", 0601));
	fh.h.handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, "m/f", &fh.h, &mount_id, 0));
	close(OK(open_by_handle_at(m, &fh.h, O_RDONLY)));
}

TEST(attach_with_writeback_cache_is_eopnotsupp)
{
	struct rf *rf = mount_flags(FUSE_WRITEBACK_CACHE);

	NERR(pol_attach_with(NULL, open_path("m"), rf->root, 0, 0), EOPNOTSUPP);
	use_tree();
}

TEST(attach_to_any_mount_over_a_stacked_file_system_is_eloop)
{
	struct rf_conf conf = { .backing = "m" };
	struct rf *below = mount_any();

	rf_mount("top", &conf);
	NERR(pol_attach_with(NULL, open_path("top"), open_path("m"), 0, 0), ELOOP);
	NERR(pol_attach_with(NULL, open_path("m"), open_path("top"), 0, 0), ELOOP);
	EQ(pol_attach_with(NULL, open_path("m"), below->root, 0, 0), 0);
	OK(lookup("top/f"));
}

/* Two processes: one renames in the tree, one changes files that it holds open. */

static int exchange(void *unused)
{
	for (;;) {
		OK(renameat2(AT_FDCWD, "b/f", AT_FDCWD, "b/g", RENAME_EXCHANGE));
		/* Longer than a request: if none is without a rename, it is ESTALE. */
		usleep(20000 * harness_patience);
	}
	return 0;
}

TEST_FLAGS(request_is_about_the_open_file_whatever_others_rename, T_QUICK)
{
	struct rf *rf = mount_any();
	struct pol *p = pol_attach(rf, 0);
	struct stat st;
	pid_t pid;
	int f;

	rule_ops(p, "f", RF_OPS & ~RF_OP_SETATTR);
	rule_ops(p, "g", RF_OPS & ~RF_OP_SETATTR);
	pid = spawn(exchange, NULL);
	for (unsigned int i = 0; i < 300; i++) {
		f = OK(open("m/f", O_RDONLY));
		OK(fchmod(f, 0600 + i % 64));
		/* The attributes are those of the backing inode. */
		OK(fstat(f, &st));
		EQ(st.st_mode & 07777, 0600 + i % 64);
		close(f);
		if (i % 10 == 0)
			drop_caches();
	}
	OK(kill(pid, SIGKILL));
	reap(pid);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 30);
	EQ(rf->stats->unknown, 0);
}
