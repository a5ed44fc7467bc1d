// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The UAPI of passthrough of inode operations, against a raw server.
 *
 * No BPF here: this is part A of the series alone. What a policy adds is in
 * lookup_test.c.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"
#include "rawfuse.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Parameters of the entry hooks below, set by the case. */
static uint64_t reg_mask;	/* register every object with this; 0: none */
static int32_t give_id;		/* answer with this id instead */
static const char *only_name;	/* hooks apply to this name only */

static bool hook_applies(const char *name)
{
	return !only_name || !strcmp(only_name, name);
}

/* A directory op is no use on a file and refused there. */
static uint64_t mask_for(uint64_t mask, mode_t mode)
{
	return S_ISDIR(mode) ? mask : mask & ~RF_OPS_DIR;
}

static struct {
	uint64_t nodeid;
	int32_t id;
} ids[512];

/* Index of the node's id, or of a free slot. */
static size_t known_id(uint64_t nodeid)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(ids) && ids[i].nodeid && ids[i].nodeid != nodeid)
		i++;
	CHECK(i < ARRAY_SIZE(ids));
	return i;
}

/* The id of an object: the same one each time, since an inode keeps its own. */
static int32_t id_of(struct rf *rf, uint64_t nodeid, uint64_t mask)
{
	size_t i = known_id(nodeid);

	if (ids[i].id)
		return ids[i].id;
	ids[i].nodeid = nodeid;
	ids[i].id = rf_backing_open(rf, rf_node_fd(rf, nodeid), 0, mask);
	if (ids[i].id <= 0)
		FAIL("register: %s", strerrorname_np(errno));
	return ids[i].id;
}

static void entry_hook(struct rf *rf, uint32_t opcode, const char *name,
		       struct rf_entry2 *e)
{
	if (!hook_applies(name))
		return;
	if (give_id)
		e->backing_id = give_id;
	else if (mask_for(reg_mask, e->statx.mode))
		e->backing_id = id_of(rf, e->nodeid,
				      mask_for(reg_mask, e->statx.mode));
}

/* An open of an inode that has an id has to name it. */
static void entry_open_hook(struct rf *rf, uint64_t nodeid,
			    struct fuse_open_out *o, int32_t *backing_id)
{
	*backing_id = ids[known_id(nodeid)].id;
	if (*backing_id)
		o->open_flags |= RF_FOPEN_PASSTHROUGH;
}

/* Every object that is looked up or made is registered with this mask. */
static struct rf *mount_flags(uint64_t mask, uint64_t flags)
{
	struct rf_conf conf = RF_DEFAULT;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.open = entry_open_hook;
	conf.flags |= flags;
	reg_mask = mask;
	return rf_mount(NULL, &conf);
}

static struct rf *mount_masked(uint64_t mask)
{
	return mount_flags(mask, 0);
}

static struct rf *mount_plain(void)
{
	return mount_flags(0, 0);
}

/* d is registered, by name, and nothing else: what is beneath is the kernel's. */
static struct rf *mount_dir(uint64_t mask)
{
	struct stat st;
	struct rf *rf;

	only_name = "d";
	rf = mount_masked(mask);
	OK(stat("m/d", &st));
	rf_reset(rf);
	return rf;
}

/* Requests but for what a walk from the root to d costs. */
static unsigned long count_beneath(struct rf *rf)
{
	return rf_count_all(rf) - rf_count(rf, FUSE_LOOKUP) -
	       rf->stats->root_getattr;
}

/* INIT */

TEST(init_offers_passthrough_ino_with_minor_47)
{
	struct rf *rf = mount_plain();

	CHECK(rf->stats->minor >= 47);
	CHECK(rf->stats->offered & RF_PASSTHROUGH_INO);
	CHECK(rf->stats->offered & RF_PASSTHROUGH);
}

static void expect_plain_fuse(uint64_t flags, uint32_t depth)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.flags = flags;
	conf.max_stack_depth = depth;
	rf = rf_mount(NULL, &conf);
	CHECK(!rf->entry2);
	CHECK(file_is("m/f", "file f\n"));
	ERR(rf_backing_open(rf, open_path("b/f"), 0, 0), EPERM);
}

TEST(passthrough_ino_without_passthrough_is_ignored)
{
	expect_plain_fuse(RF_PASSTHROUGH_INO, 1);
}

TEST(passthrough_ino_without_stack_depth_is_ignored)
{
	expect_plain_fuse(RF_PASSTHROUGH | RF_PASSTHROUGH_INO, 0);
}

TEST(passthrough_alone_keeps_old_entry_replies)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.flags = RF_PASSTHROUGH;
	rf = rf_mount(NULL, &conf);
	CHECK(!rf->entry2);
	CHECK(file_is("m/f", "file f\n"));
	CHECK(rf_register(rf, "b/f", 0) > 0);
	CHECK(rf_register(rf, "b/f", RF_OP_READ | RF_OP_WRITE) > 0);
	ERR(rf_backing_open(rf, open_path("b/f"), 0, RF_OP_GETATTR), EINVAL);
}

/* Objects in use of a cache that kmalloc() takes what can be reclaimed from. */
static long reclaimable_objects(unsigned int size)
{
	char line[512], cache[32];
	long active = -1;
	FILE *f = fopen("/proc/slabinfo", "r");

	if (!f)
		test_skip("no /proc/slabinfo (CONFIG_SLUB_DEBUG)");
	snprintf(cache, sizeof(cache), "kmalloc-rcl-%u ", size);
	while (active < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, cache, strlen(cache)))
			sscanf(line + strlen(cache), "%ld", &active);
	fclose(f);
	if (active < 0)
		FAIL("there is no cache %s", cache);
	return active;
}

enum { MANY_NAMES = 4000 };

/* Each of many names, of which none is there, takes an object of @size bytes. */
static void expect_size_per_name(uint64_t flags, unsigned int size,
				 unsigned int other_size)
{
	struct rf_conf conf = RF_DEFAULT;
	long objects, others;
	char path[32];
	struct stat st;
	struct rf *rf;

	rf_make_tree();
	conf.flags = flags;
	rf = rf_mount(NULL, &conf);
	OK(stat("m/f", &st));
	drop_caches();
	objects = reclaimable_objects(size);
	others = reclaimable_objects(other_size);
	for (int i = 0; i < MANY_NAMES; i++) {
		snprintf(path, sizeof(path), "m/none%d", i);
		ERR(stat(path, &st), ENOENT);
	}
	objects = reclaimable_objects(size) - objects;
	others = reclaimable_objects(other_size) - others;
	note("%ld more objects of %u bytes, %ld of %u", objects, size, others,
	     other_size);
	/* Slabs count as full while a CPU has them. */
	CHECK(objects >= MANY_NAMES * 3 / 4);
	CHECK(others <= MANY_NAMES / 4);
	rf_umount(rf);
}

TEST(name_takes_no_more_memory_than_ever_without_passthrough_ino)
{
	expect_size_per_name(RF_PASSTHROUGH, 64, 96);
}

TEST(name_has_room_for_its_backing_name_with_passthrough_ino)
{
	expect_size_per_name(RF_PASSTHROUGH | RF_PASSTHROUGH_INO, 96, 64);
}

TEST(old_entry_reply_is_refused_with_passthrough_ino)
{
	struct rf *rf = mount_plain();
	struct stat st;

	OK(stat("m/f", &st));
	rf->entry2 = false;
	ERR(stat("m/g", &st), EIO);
	EVENTUALLY(rf->stats->last_error == EINVAL);
}

/* BACKING_OPEN: one case per row of the table of errors, and each with the errors
 * of all rows below it present as well, which shows the order. */

enum { BAD_FLAGS = 1 };
#define BAD_BIT (1ULL << 63)
#define INODE_OP RF_OP_GETATTR

TEST(backing_open_without_passthrough_is_eperm)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.flags = 0;
	rf = rf_mount(NULL, &conf);
	ERR(rf_backing_open(rf, -1, BAD_FLAGS, BAD_BIT), EPERM);
}

static int open_unprivileged(void *p)
{
	struct rf *rf = p;

	ERR(rf_backing_open(rf, -1, BAD_FLAGS, BAD_BIT), EPERM);
	ERR(rf_backing_open(rf, open("b/f", O_RDONLY), 0, 0), EPERM);
	return 0;
}

TEST(backing_open_without_cap_sys_admin_is_eperm)
{
	struct rf *rf = mount_plain();

	EQ(as_uid(1000, open_unprivileged, rf), 0);
	/* The converse: the same fd is fine for root. */
	CHECK(rf_register(rf, "b/f", 0) > 0);
}

TEST(backing_open_with_flags_is_einval_before_ebadf)
{
	ERR(rf_backing_open(mount_plain(), -1, BAD_FLAGS, 0), EINVAL);
}

TEST(backing_open_with_an_unknown_op_is_einval_before_ebadf)
{
	struct rf *rf = mount_plain();

	for (int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ULL << bit;

		if (mask & RF_OPS)
			ERR(rf_backing_open(rf, -1, 0, mask), EBADF);
		else
			ERR(rf_backing_open(rf, -1, 0, mask), EINVAL);
	}
	ERR(rf_backing_open(rf, -1, 0, RF_OPS | BAD_BIT), EINVAL);
}

TEST(backing_open_with_inode_ops_needs_passthrough_ino)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.flags = RF_PASSTHROUGH;
	rf = rf_mount(NULL, &conf);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ULL << bit;
		bool rw = mask & (RF_OP_READ | RF_OP_WRITE);

		if (rw)
			ERR(rf_backing_open(rf, -1, 0, mask), EBADF);
		else
			ERR(rf_backing_open(rf, -1, 0, mask), EINVAL);
	}
}

TEST(backing_open_with_a_bad_fd_is_ebadf)
{
	struct rf *rf = mount_plain();

	ERR(rf_backing_open(rf, -1, 0, 0), EBADF);
	ERR(rf_backing_open(rf, 9999, 0, RF_OPS), EBADF);
}

TEST(backing_open_of_a_directory_for_read_write_is_eisdir)
{
	struct rf *rf = mount_plain();

	ERR(rf_backing_open(rf, open_path("b/d"), 0, 0), EISDIR);
	ERR(rf_backing_open(rf, open_path("b/d"), 0,
			    RF_OP_READ | RF_OP_WRITE), EISDIR);
	CHECK(rf_register(rf, "b/d", INODE_OP) > 0);
}

TEST(backing_open_of_a_special_file_for_read_write_is_einval)
{
	struct rf *rf = mount_plain();

	ERR(rf_backing_open(rf, open_path("b/p"), 0, 0), EINVAL);
	ERR(rf_backing_open(rf, open_path("b/l"), 0, RF_OP_READ), EINVAL);
	ERR(rf_backing_open(rf, open_path("/dev/null"), 0, RF_OP_WRITE), EINVAL);
	CHECK(rf_register(rf, "b/p", INODE_OP) > 0);
	CHECK(rf_register(rf, "b/l", RF_OP_READLINK) > 0);
}

TEST(backing_open_with_a_directory_op_of_a_file_is_enotdir)
{
	struct rf *rf = mount_plain();
	static const uint64_t ops[] = { RF_OP_LOOKUP, RF_OP_OPENDIR,
					RF_OP_READDIR, RF_OP_READDIRPLUS };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		ERR(rf_backing_open(rf, open_path("b/f"), 0, ops[i]), ENOTDIR);
		ERR(rf_backing_open(rf, open_path("b/l"), 0, ops[i]), ENOTDIR);
		CHECK(rf_register(rf, "b/d", ops[i]) > 0);
	}
	ERR(rf_backing_open(rf, open_path("b/f"), 0, RF_OPS), ENOTDIR);
}

TEST(backing_open_of_its_own_mount_is_eloop)
{
	struct rf *rf = mount_plain();
	int dir = open_path("m"), file = open_path("m/f");

	ERR(rf_backing_open(rf, dir, 0, RF_OPS), ELOOP);
	ERR(rf_backing_open(rf, file, 0, INODE_OP), ELOOP);
	/* The directory op on a file is found out first. */
	ERR(rf_backing_open(rf, file, 0, RF_OPS), ENOTDIR);
	ERR(rf_backing_open(rf, dir, 0, 0), EISDIR);
}

/* An overlay of this lower directory on at; a directory for each in at.d. */
static void mount_overlay(const char *lower, const char *at)
{
	char dir[64], upper[80], work[80], options[512];

	snprintf(dir, sizeof(dir), "%s.d", at);
	snprintf(upper, sizeof(upper), "%s/upper", dir);
	snprintf(work, sizeof(work), "%s/work", dir);
	OK(mkdir(dir, 0755));
	OK(mkdir(upper, 0755));
	OK(mkdir(work, 0755));
	OK(mkdir(at, 0755));
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 lower, upper, work);
	if (mount("overlay", at, "overlay", 0, options)) {
		if (errno == ENODEV)
			test_skip("no overlayfs in this kernel");
		FAIL("overlay: %s", strerrorname_np(errno));
	}
}

static void expect_depth(uint32_t max, const char *ok, const char *too_deep)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.max_stack_depth = max;
	rf = rf_mount(NULL, &conf);
	CHECK(rf_register(rf, ok, RF_OPS) > 0);
	ERR(rf_backing_open(rf, open_path(too_deep), 0, RF_OPS), ELOOP);
}

TEST(overlayfs_is_too_deep_for_stack_depth_1)
{
	rf_make_tree();
	mount_overlay("b", "o1");
	expect_depth(1, "b", "o1");
}

TEST(overlayfs_on_overlayfs_is_too_deep_for_stack_depth_2)
{
	rf_make_tree();
	mount_overlay("b", "o1");
	mount_overlay("o1", "o2");
	expect_depth(2, "o1", "o2");
}

TEST(backing_open_of_an_idmapped_mount_is_eopnotsupp)
{
	struct rf *rf = mount_plain();
	int dir = idmapped_clone("b", 100000);
	int file = OK(openat(dir, "f", O_RDONLY));

	ERR(rf_backing_open(rf, dir, 0, RF_OPS), EOPNOTSUPP);
	ERR(rf_backing_open(rf, file, 0, INODE_OP), EOPNOTSUPP);
	/* Access was checked when the file was opened. */
	CHECK(rf_backing_open(rf, file, 0, RF_OP_READ | RF_OP_WRITE) > 0);
	CHECK(rf_register(rf, "b/f", INODE_OP) > 0);
}

static int close_unprivileged(void *p)
{
	ERR(rf_backing_close(p, 1), EPERM);
	return 0;
}

TEST(backing_close_tells_what_is_wrong)
{
	struct rf *rf = mount_plain();
	int id = rf_register(rf, "b/f", 0);

	EQ(as_uid(1000, close_unprivileged, rf), 0);
	ERR(rf_backing_close(rf, 0), EINVAL);
	ERR(rf_backing_close(rf, id + 1000), ENOENT);
	OK(rf_backing_close(rf, id));
	ERR(rf_backing_close(rf, id), ENOENT);
}

/* Attach by entry replies */

/* Attributes of an object on the mount, asked for as fstat() does. */
static void expect_same_stat(int fd, const char *backing)
{
	struct stat a, b;

	OK(fstat(fd, &a));
	OK(lstat(backing, &b));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_mode, b.st_mode);
	EQ(a.st_nlink, b.st_nlink);
	EQ(a.st_uid, b.st_uid);
	EQ(a.st_size, b.st_size);
	EQ(a.st_blocks, b.st_blocks);
	EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	EQ(a.st_ctim.tv_nsec, b.st_ctim.tv_nsec);
}

/* The object just made by this call has its backing object: fstat passes. */
static void expect_attached(struct rf *rf, int fd, const char *backing)
{
	EQ(rf_count(rf, FUSE_GETATTR), 0);
	OK(chmod(backing, 0604));
	expect_same_stat(fd, backing);
	EQ(rf_count(rf, FUSE_GETATTR) + rf_count(rf, RF_STATX), 0);
}

TEST(lookup_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP);

	expect_attached(rf, open_path("m/f"), "b/f");
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
}

TEST(lookup_reply_attaches_a_directory)
{
	struct rf *rf = mount_masked(INODE_OP);

	expect_attached(rf, open_path("m/d"), "b/d");
}

TEST(mknod_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP);

	OK(mknod("m/new", S_IFREG | 0600, 0));
	EQ(rf_count(rf, FUSE_MKNOD), 1);
	expect_attached(rf, open_path("m/new"), "b/new");
}

TEST(mkdir_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP);

	OK(mkdir("m/new", 0700));
	EQ(rf_count(rf, FUSE_MKDIR), 1);
	expect_attached(rf, open_path("m/new"), "b/new");
}

TEST(symlink_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP | RF_OP_READLINK);
	char buf[64] = "";

	OK(symlink("somewhere", "m/new"));
	EQ(rf_count(rf, FUSE_SYMLINK), 1);
	EQ(readlink("m/new", buf, sizeof(buf)), 9);
	CHECK(!strcmp(buf, "somewhere"));
	EQ(rf_count(rf, FUSE_READLINK), 0);
}

TEST(link_reply_attaches)
{
	struct rf *rf = mount_plain();
	struct stat st;

	/* f itself has nothing attached: only the reply to LINK can do it. */
	OK(stat("m/f", &st));
	reg_mask = INODE_OP;
	only_name = "new";
	OK(link("m/f", "m/new"));
	EQ(rf_count(rf, FUSE_LINK), 1);
	rf_reset(rf);
	OK(chmod("b/f", 0604));
	/* Through the old name, whose lookup replies carry no id. */
	expect_same_stat(open_path("m/f"), "b/f");
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

TEST(create_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP);
	int fd = OK(open("m/new", O_CREAT | O_EXCL | O_RDWR, 0600));

	EQ(rf_count(rf, FUSE_CREATE), 1);
	expect_attached(rf, fd, "b/new");
}

TEST(tmpfile_reply_attaches)
{
	struct rf *rf = mount_masked(INODE_OP);
	int fd = OK(open("m", O_TMPFILE | O_RDWR, 0600));
	struct stat st;

	EQ(rf_count(rf, FUSE_TMPFILE), 1);
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

TEST(nothing_attached_means_getattr_goes_to_the_server)
{
	struct rf *rf = mount_plain();
	int fd = open_path("m/f");

	rf_reset(rf);
	expect_same_stat(fd, "b/f");
	CHECK(rf_count(rf, FUSE_GETATTR) >= 1);
}

/* A refused attach fails the lookup and leaves no trace: without the id the name
 * is found, and the lookup that was handed out is forgotten. */
static void expect_refused(const char *path, int error)
{
	struct stat st;

	if (stat(path, &st) == 0)
		FAIL("stat %s works", path);
	if (errno != error)
		FAIL("stat %s: %s, not %s", path, strerrorname_np(errno),
		     strerrorname_np(error));
	give_id = 0;
	only_name = NULL;
	OK(stat(path, &st));
}

static void expect_all_forgotten(struct rf *rf)
{
	drop_caches();
	EVENTUALLY(rf->stats->given == rf->stats->forgotten);
}

/* Before anything else is done: the node that was refused has no inode. */
static void expect_refused_and_forgotten(struct rf *rf, const char *path,
					 int error)
{
	struct stat st;

	ERR(stat(path, &st), error);
	CHECK(rf->stats->given >= 1);
	EVENTUALLY(rf->stats->given == rf->stats->forgotten);
	expect_refused(path, error);
	expect_all_forgotten(rf);
}

TEST(backing_object_of_another_type_is_eio)
{
	struct rf *rf = mount_plain();

	give_id = rf_register(rf, "b/d", INODE_OP);
	only_name = "f";
	expect_refused_and_forgotten(rf, "m/f", EIO);
}

TEST(backing_object_of_another_number_is_eio)
{
	struct rf *rf = mount_plain();

	give_id = rf_register(rf, "b/g", INODE_OP);
	only_name = "f";
	expect_refused_and_forgotten(rf, "m/f", EIO);
}

TEST(unknown_backing_id_is_eio)
{
	struct rf *rf = mount_plain();

	give_id = rf_register(rf, "b/f", INODE_OP) + 1000;
	only_name = "f";
	expect_refused_and_forgotten(rf, "m/f", EIO);
}

TEST(refused_attach_of_a_created_file_is_returned)
{
	struct rf *rf = mount_plain();

	give_id = rf_register(rf, "b/g", INODE_OP);
	only_name = "new";
	ERR(mkdir("m/new", 0700), EIO);
	OK(rmdir("b/new"));
	ERR(mknod("m/new", S_IFREG | 0600, 0), EIO);
	OK(unlink("b/new"));
	ERR(open("m/new", O_CREAT | O_EXCL | O_RDWR, 0600), EIO);
	EVENTUALLY(rf->stats->forgotten == rf->stats->given);
}

TEST(second_backing_object_is_ebusy)
{
	struct rf *rf = mount_plain();
	int fd;

	give_id = rf_register(rf, "b/f", INODE_OP);
	only_name = "f";
	fd = open_path("m/f");
	give_id = rf_register(rf, "b/f", INODE_OP);
	expect_refused("m/f", EBUSY);
	expect_same_stat(fd, "b/f");
	close(fd);
	expect_all_forgotten(rf);
}

TEST(same_backing_id_again_is_fine)
{
	struct rf *rf = mount_plain();

	give_id = rf_register(rf, "b/f", INODE_OP);
	only_name = "f";
	for (int i = 0; i < 3; i++)
		close(open_path("m/f"));
	EQ(rf_count(rf, FUSE_GETATTR), 0);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 3);
}

TEST(attach_to_a_file_open_in_cached_mode_is_etxtbsy)
{
	struct rf *rf = mount_plain();
	char c;
	int fd = OK(open("m/f", O_RDONLY));

	EQ(read(fd, &c, 1), 1);
	give_id = rf_register(rf, "b/f", INODE_OP);
	only_name = "f";
	expect_refused("m/f", ETXTBSY);
	/* Once it is closed nothing is in the way. */
	close(fd);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	give_id = rf_register(rf, "b/f", INODE_OP);
	only_name = "f";
	rf_reset(rf);
	expect_attached(rf, open_path("m/f"), "b/f");
}

TEST(read_write_id_in_a_lookup_reply_is_no_error)
{
	struct rf *rf = mount_plain();
	int fd;

	give_id = rf_register(rf, "b/f", RF_OP_READ | RF_OP_WRITE);
	only_name = "f";
	fd = open_path("m/f");
	rf_reset(rf);
	expect_same_stat(fd, "b/f");
	CHECK(rf_count(rf, FUSE_GETATTR) >= 1);
}

static int32_t open_id;

static void open_hook(struct rf *rf, uint64_t nodeid, struct fuse_open_out *o,
		      int32_t *backing_id)
{
	if (open_id) {
		o->open_flags |= RF_FOPEN_PASSTHROUGH;
		*backing_id = open_id;
	}
}

static uint32_t more_flags;

static void open_with_flags(struct rf *rf, uint64_t nodeid,
			    struct fuse_open_out *o, int32_t *backing_id)
{
	open_hook(rf, nodeid, o, backing_id);
	o->open_flags |= more_flags;
}

static struct rf *mount_with_open_flags(uint64_t mask, uint32_t flags)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.open = open_with_flags;
	more_flags = flags;
	rf = rf_mount(NULL, &conf);
	only_name = "f";
	open_id = rf_register(rf, "b/f", mask);
	give_id = mask & ~(RF_OP_READ | RF_OP_WRITE) ? open_id : 0;
	return rf;
}

static int run_program(void *path)
{
	execl(path, path, NULL);
	return errno;
}

/* What running m/f gives while b/f is open for writing. */
static int run_what_is_written(uint64_t mask)
{
	static const char text[] = "#!/bin/true\n";
	struct rf *rf = mount_with_open_flags(mask, 0);
	int fd = OK(open("b/f", O_WRONLY | O_TRUNC | O_CLOEXEC)), err;

	EQ(write(fd, text, strlen(text)), strlen(text));
	OK(fchmod(fd, 0755));
	err = in_child(run_program, "m/f");
	CHECK(rf_count(rf, FUSE_OPEN) >= 1);
	close(fd);
	EQ(in_child(run_program, "m/f"), 0);
	return err;
}

TEST(program_that_is_written_runs_if_only_opens_pass)
{
	EQ(run_what_is_written(RF_OP_READ | RF_OP_WRITE), 0);
}

TEST(program_that_is_written_is_etxtbsy_if_its_inode_passes)
{
	EQ(run_what_is_written(RF_OPS_FILE), ETXTBSY);
}

static void expect_direct_io(uint64_t mask, uint32_t flags, bool asked)
{
	struct rf *rf = mount_with_open_flags(mask, flags);
	int fd = OK(open("m/f", O_RDWR)), p[2];
	char buf[16], *map;
	off_t off = 0;

	EQ(rf_count(rf, FUSE_OPEN), 1);
	EQ(pread(fd, buf, sizeof(buf), 0), 7);
	EQ(rf_count(rf, FUSE_READ) > 0, asked);
	EQ(pwrite(fd, "F", 1, 0), 1);
	EQ(rf_count(rf, FUSE_WRITE) > 0, asked);
	CHECK(file_is("b/f", "File f\n"));
	OK(pipe(p));
	rf_reset(rf);
	EQ(splice(fd, &off, p[1], NULL, 4, 0), 4);
	EQ(rf_count(rf, FUSE_READ) > 0, asked);
	/* A mapping is of the backing file in both cases. */
	rf_reset(rf);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(!memcmp(map, "File f\n", 7));
	map[0] = 'X';
	CHECK(file_is("b/f", "Xile f\n"));
	EQ(rf_count(rf, FUSE_READ) + rf_count(rf, FUSE_WRITE), 0);
	OK(munmap(map, 4096));
	close(fd);
}

TEST(direct_io_and_passthrough_is_direct_io_to_the_server)
{
	expect_direct_io(RF_OP_READ | RF_OP_WRITE, FOPEN_DIRECT_IO, true);
}

TEST(passthrough_without_direct_io_is_not)
{
	expect_direct_io(RF_OP_READ | RF_OP_WRITE, 0, false);
}

TEST(direct_io_is_the_servers_on_an_inode_with_inode_ops_too)
{
	expect_direct_io(RF_OPS_FILE, FOPEN_DIRECT_IO, true);
}

TEST(inode_ops_come_on_at_a_lookup_after_an_open_attached)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;
	int fd;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.open = open_hook;
	rf = rf_mount(NULL, &conf);
	open_id = rf_register(rf, "b/f", RF_OPS_FILE);
	fd = OK(open("m/f", O_RDONLY));
	give_id = open_id;
	only_name = "f";
	close(open_path("m/f"));
	rf_reset(rf);
	expect_same_stat(fd, "b/f");
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

static void zero_statx(struct rf *rf, uint32_t opcode, const char *name,
		       struct rf_entry2 *e)
{
	entry_hook(rf, opcode, name, e);
	e->statx.mask = 0;
}

TEST(entry_with_statx_mask_0_is_taken)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.entry = zero_statx;
	rf = rf_mount(NULL, &conf);
	CHECK(file_is("m/f", "file f\n"));
	CHECK(file_is("m/d/x/y", "deep\n"));
	reg_mask = INODE_OP;
	expect_same_stat(open_path("m/g"), "b/g");
	OK(mkdir("m/new", 0700));
	EQ(rf->stats->last_error, 0);
}

TEST(negative_entry2_reply_is_cached)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.valid = 3600;
	rf = rf_mount(NULL, &conf);
	ERR(access("m/none", F_OK), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
	ERR(access("m/none", F_OK), ENOENT);
	EQ(rf_count(rf, FUSE_LOOKUP), 1);
}

TEST(every_lookup_handed_out_is_forgotten)
{
	struct rf *rf = mount_masked(RF_OPS);
	char name[32];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "m/n%d", i);
		put_file(name, "x", 0600);
		CHECK(file_is(name, "x"));
	}
	OK(link("m/n1", "m/link"));
	OK(symlink("x", "m/sym"));
	OK(mkdir("m/dir", 0700));
	OK(rename("m/n2", "m/dir/n2"));
	OK(unlink("m/n3"));
	close(OK(open("m", O_TMPFILE | O_RDWR, 0600)));
	CHECK(rf->stats->given > 50);
	drop_caches();
	EVENTUALLY(rf->stats->given == rf->stats->forgotten);
}

/* A server that has no directories passed: it registers regular files at lookup
 * with four bits, and answers OPEN with the same id. */

static int32_t file_ids[64];

static void file_entry(struct rf *rf, uint32_t opcode, const char *name,
		       struct rf_entry2 *e)
{
	int32_t *id = &file_ids[e->nodeid % ARRAY_SIZE(file_ids)];

	if (!S_ISREG(e->statx.mode))
		return;
	if (!*id)
		*id = rf_backing_open(rf, rf_node_fd(rf, e->nodeid), 0,
				      RF_OPS_FILE);
	e->backing_id = *id;
	e->statx.mask = 0;
}

static void file_open(struct rf *rf, uint64_t nodeid, struct fuse_open_out *o,
		      int32_t *backing_id)
{
	*backing_id = file_ids[nodeid % ARRAY_SIZE(file_ids)];
	o->open_flags |= RF_FOPEN_PASSTHROUGH;
}

TEST(server_that_registers_files_only_has_their_data_and_attributes_passed)
{
	struct rf_conf conf = RF_DEFAULT;
	struct stat st;
	struct rf *rf;
	int fd;

	rf_make_tree();
	conf.entry = file_entry;
	conf.open = file_open;
	rf = rf_mount(NULL, &conf);
	fd = OK(open("m/f", O_RDWR));
	EQ(pwrite(fd, "FILE", 4, 0), 4);
	CHECK(file_is("b/f", "FILE f\n"));
	CHECK(file_is("m/f", "FILE f\n"));
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 4));
	OK(stat("b/f", &st));
	EQ(st.st_mode & 0777, 0600);
	EQ(st.st_size, 4);
	expect_same_stat(fd, "b/f");
	put_file("m/new", "made\n", 0644);
	CHECK(file_is("b/new", "made\n"));
	CHECK(rf_count(rf, FUSE_OPEN) >= 2);
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 1);
	EQ(rf_count(rf, FUSE_READ), 0);
	EQ(rf_count(rf, FUSE_WRITE), 0);
	EQ(rf_count(rf, FUSE_GETATTR), 0);
	EQ(rf_count(rf, FUSE_SETATTR), 0);
}

TEST(backing_close_keeps_what_inodes_hold)
{
	struct rf *rf = mount_plain();
	int fd;

	give_id = rf_register(rf, "b/f", INODE_OP);
	only_name = "f";
	fd = open_path("m/f");
	OK(rf_backing_close(rf, give_id));
	rf_reset(rf);
	expect_attached(rf, fd, "b/f");
	/* The id itself is gone. */
	close(fd);
	drop_caches();
	expect_refused("m/f", EIO);
}

/* One bit at a time: with it the server is not asked, without it it is. */

static int fd_f, fd_l;

static void do_getattr(void)
{
	struct stat st;

	OK(fstat(fd_f, &st));
}

static void do_setattr(void)
{
	OK(chmod("m/f", 0640));
}

static void do_truncate(void)
{
	OK(truncate("m/f", 3));
}

static void do_utimes(void)
{
	struct timespec ts[2] = { { 1, 2 }, { 3, 4 } };

	OK(utimensat(AT_FDCWD, "m/f", ts, 0));
}

static void do_readlink(void)
{
	char buf[64];

	EQ(readlinkat(fd_l, "", buf, sizeof(buf)), 11);
}

static void do_statfs(void)
{
	struct statvfs a, b;

	OK(statvfs("m/f", &a));
	OK(statvfs("b/f", &b));
	EQ(a.f_blocks, b.f_blocks);
	EQ(a.f_files, b.f_files);
}

static void do_getxattr(void)
{
	char buf[16] = "";

	EQ(getxattr("m/f", "user.a", buf, sizeof(buf)), 5);
	CHECK(!strcmp(buf, "value"));
	ERR(getxattr("m/f", "user.none", buf, sizeof(buf)), ENODATA);
}

static void do_listxattr(void)
{
	char buf[64];

	EQ(listxattr("m/f", buf, sizeof(buf)), 7);
	CHECK(!strcmp(buf, "user.a"));
}

static void do_open_read(void)
{
	CHECK(file_is("m/f", "file f\n"));
}

static void do_open_write(void)
{
	int fd = OK(open("m/f", O_WRONLY));

	EQ(write(fd, "F", 1), 1);
	close(fd);
	CHECK(file_is("b/f", "File f\n"));
}

static void do_open_trunc(void)
{
	close(OK(open("m/f", O_WRONLY | O_TRUNC)));
	CHECK(file_is("b/f", ""));
}

static void do_readdir(void)
{
	CHECK(dir_has("m/d", "x"));
	CHECK(!dir_has("m/d", "y"));
}

static void do_btime(void)
{
	struct statx a, b;

	OK(statx(fd_f, "", AT_EMPTY_PATH, STATX_BTIME | STATX_BASIC_STATS, &a));
	OK(statx(AT_FDCWD, "b/f", 0, STATX_BTIME | STATX_BASIC_STATS, &b));
	CHECK(b.stx_mask & STATX_BTIME);
	CHECK(a.stx_mask & STATX_BTIME);
	EQ(a.stx_btime.tv_nsec, b.stx_btime.tv_nsec);
}

/* Runs op in a mount with this mask and gives the requests it caused of up to
 * two opcodes. */
static unsigned long requests_of(uint64_t mask, void (*op)(void), int a, int b)
{
	struct rf *rf = mount_masked(mask);
	unsigned long n;

	OK(setxattr("b/f", "user.a", "value", 5, 0));
	fd_f = open_path("m/f");
	fd_l = open_path("m/l");
	close(open_path("m/d"));
	rf_reset(rf);
	op();
	n = rf_count(rf, a) + (b ? rf_count(rf, b) : 0);
	rf_note_counts(rf);
	return n;
}

#define BIT_TESTS(op, with, without, a, b)				\
	TEST(op##_passes)						\
	{								\
		EQ(requests_of(with, do_##op, a, b), 0);		\
	}								\
	TEST(op##_without_its_bit_goes_to_the_server)			\
	{								\
		CHECK(requests_of(without, do_##op, a, b) >= 1);	\
	}

#define ALL_BUT(ops) (RF_OPS & ~(ops))

BIT_TESTS(getattr, RF_OP_GETATTR, ALL_BUT(RF_OP_GETATTR | RF_OP_STATX),
	  FUSE_GETATTR, RF_STATX)
BIT_TESTS(setattr, RF_OP_GETATTR | RF_OP_SETATTR, ALL_BUT(RF_OP_SETATTR),
	  FUSE_SETATTR, 0)
BIT_TESTS(truncate, RF_OP_GETATTR | RF_OP_SETATTR, ALL_BUT(RF_OP_SETATTR),
	  FUSE_SETATTR, 0)
BIT_TESTS(utimes, RF_OP_GETATTR | RF_OP_SETATTR, ALL_BUT(RF_OP_SETATTR),
	  FUSE_SETATTR, 0)
BIT_TESTS(readlink, RF_OP_READLINK, ALL_BUT(RF_OP_READLINK), FUSE_READLINK, 0)
BIT_TESTS(statfs, RF_OP_STATFS, ALL_BUT(RF_OP_STATFS), FUSE_STATFS, 0)
BIT_TESTS(getxattr, RF_OP_GETXATTR, ALL_BUT(RF_OP_GETXATTR), FUSE_GETXATTR, 0)
BIT_TESTS(listxattr, RF_OP_LISTXATTR, ALL_BUT(RF_OP_LISTXATTR),
	  FUSE_LISTXATTR, 0)
BIT_TESTS(open_read, RF_OP_OPEN | RF_OP_READ, ALL_BUT(RF_OP_OPEN),
	  FUSE_OPEN, FUSE_READ)
BIT_TESTS(open_write, RF_OP_OPEN | RF_OP_WRITE, ALL_BUT(RF_OP_OPEN),
	  FUSE_OPEN, FUSE_WRITE)
BIT_TESTS(open_trunc, RF_OP_OPEN | RF_OP_WRITE | RF_OP_SETATTR | RF_OP_GETATTR,
	  ALL_BUT(RF_OP_SETATTR), FUSE_OPEN, 0)
BIT_TESTS(readdir, RF_OP_OPENDIR | RF_OP_READDIR,
	  ALL_BUT(RF_OP_READDIR | RF_OP_READDIRPLUS), FUSE_OPENDIR, FUSE_READDIR)

TEST(birth_time_passes)
{
	EQ(requests_of(RF_OP_STATX | RF_OP_GETATTR, do_btime, RF_STATX,
		       FUSE_GETATTR), 0);
}

TEST(birth_time_passes_with_statx_alone)
{
	EQ(requests_of(RF_OP_STATX, do_btime, RF_STATX, FUSE_GETATTR), 0);
}

static void ask_btime(void)
{
	struct statx x;

	OK(statx(fd_f, "", AT_EMPTY_PATH, STATX_BTIME, &x));
}

TEST(birth_time_without_its_bits_is_asked_of_the_server)
{
	CHECK(requests_of(ALL_BUT(RF_OP_GETATTR | RF_OP_STATX), ask_btime,
			  RF_STATX, 0) >= 1);
}

TEST(open_for_writing_without_write_goes_to_the_server)
{
	CHECK(requests_of(RF_OP_OPEN | RF_OP_READ | RF_OP_GETATTR,
			  do_open_write, FUSE_OPEN, 0) >= 1);
}

TEST(open_for_reading_without_read_goes_to_the_server)
{
	CHECK(requests_of(RF_OP_OPEN | RF_OP_WRITE | RF_OP_GETATTR,
			  do_open_read, FUSE_OPEN, 0) >= 1);
}

TEST(opendir_without_its_bit_goes_to_the_server)
{
	CHECK(requests_of(ALL_BUT(RF_OP_OPENDIR), do_readdir, FUSE_OPENDIR,
			  0) >= 1);
}

/* Listings of directories that the server opens */

static unsigned long listings(struct rf *rf)
{
	return rf_count(rf, FUSE_READDIR) + rf_count(rf, FUSE_READDIRPLUS);
}

static uint32_t dir_flags;	/* what OPENDIR is answered with */
static int32_t dir_id;

static void opendir_hook(struct rf *rf, uint64_t nodeid,
			 struct fuse_open_out *o, int32_t *backing_id)
{
	o->open_flags |= dir_flags;
	*backing_id = dir_id;
}

static struct rf *mount_opendir(void)
{
	struct rf_conf conf = RF_DEFAULT;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.opendir = opendir_hook;
	return rf_mount(NULL, &conf);
}

static void look_up_d(uint64_t mask)
{
	struct stat st;

	only_name = "d";
	reg_mask = mask;
	OK(stat("m/d", &st));
}

/* The server has no id for a directory that the kernel found, and needs none. */
TEST(readdir_without_opendir_passes_if_the_server_says_so)
{
	struct rf *rf = mount_opendir();

	look_up_d(RF_OP_LOOKUP | RF_OP_READDIR);
	EQ(dir_count("m/d/x"), 3);
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	CHECK(listings(rf) >= 1);
	dir_flags = RF_FOPEN_PASSTHROUGH;
	rf_reset(rf);
	EQ(dir_count("m/d/x"), 3);
	CHECK(dir_has("m/d/x", "y"));
	EQ(rf_count(rf, FUSE_OPENDIR), 2);
	EQ(listings(rf), 0);
	EVENTUALLY(rf_count(rf, FUSE_RELEASEDIR) == 2);
}

TEST(opendir_reply_with_passthrough_passes_the_listing)
{
	struct rf *rf = mount_opendir();

	look_up_d(RF_OP_LOOKUP | RF_OP_READDIR);
	dir_id = id_of(rf, ino_of("b/d"), 0);
	dir_flags = RF_FOPEN_PASSTHROUGH;
	rf_reset(rf);
	CHECK(dir_has("m/d", "x"));
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	EQ(listings(rf), 0);
	EVENTUALLY(rf_count(rf, FUSE_RELEASEDIR) == 1);
}

TEST(opendir_reply_attaches_the_root)
{
	struct rf *rf = mount_opendir();

	dir_id = rf_register(rf, "b", RF_OP_READDIR);
	dir_flags = RF_FOPEN_PASSTHROUGH;
	EQ(dir_count("m"), dir_count("b"));
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	EQ(listings(rf), 0);
}

TEST(opendir_reply_without_passthrough_leaves_the_listing_to_the_server)
{
	struct rf *rf = mount_opendir();

	EQ(dir_count("m"), dir_count("b"));
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	CHECK(listings(rf) >= 1);
}

/* The server has opened it, and gets to close it. */
static void expect_opendir_eio(const char *backing, uint64_t mask,
			       uint32_t flags, int32_t more_id)
{
	struct rf *rf = mount_opendir();

	dir_id = rf_register(rf, backing, mask) + more_id;
	dir_flags = RF_FOPEN_PASSTHROUGH | flags;
	ERR(open("m", O_RDONLY | O_DIRECTORY), EIO);
	EQ(rf_count(rf, FUSE_OPENDIR), 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASEDIR) == 1);
	dir_id = 0;
	dir_flags = 0;
	EQ(dir_count("m"), dir_count("b"));
}

TEST(opendir_reply_with_passthrough_and_a_cache_is_eio)
{
	expect_opendir_eio("b", RF_OP_READDIR, FOPEN_CACHE_DIR, 0);
}

TEST(opendir_reply_with_an_id_that_lists_nothing_is_eio)
{
	expect_opendir_eio("b", RF_OP_GETATTR, 0, 0);
}

TEST(opendir_reply_with_an_unknown_id_is_eio)
{
	expect_opendir_eio("b", RF_OP_READDIR, 0, 1000);
}

TEST(opendir_reply_with_the_id_of_a_file_is_eio)
{
	expect_opendir_eio("b/f", RF_OP_GETATTR, 0, 0);
}

TEST(open_reply_without_passthrough_of_a_registered_file_is_eio)
{
	struct rf *rf = mount_masked(INODE_OP);

	rf->conf.open = NULL;
	ERR(open("m/f", O_RDONLY), EIO);
	EQ(rf_count(rf, FUSE_OPEN), 1);
	EVENTUALLY(rf_count(rf, FUSE_RELEASE) == 1);
	/* A caller that names the id opens it. */
	rf->conf.open = entry_open_hook;
	CHECK(file_is("m/f", "file f\n"));
	/* And a file that is not registered needs none. */
	rf->conf.open = NULL;
	only_name = "f";
	CHECK(file_is("m/g", "file g, longer\n"));
}

TEST(attributes_of_an_attached_file_are_what_the_backing_has_now)
{
	struct rf *rf = mount_masked(RF_OP_GETATTR);
	int fd = open_path("m/f");

	for (int i = 0; i < 5; i++) {
		OK(chmod("b/f", 0600 + i));
		OK(truncate("b/f", 1000 * i));
		expect_same_stat(fd, "b/f");
	}
	EQ(rf_count(rf, FUSE_GETATTR), 0);
}

TEST(statx_asked_for_one_field_leaves_the_others_right)
{
	struct statx x;
	int fd;

	mount_masked(RF_OP_GETATTR | RF_OP_STATX);
	fd = open_path("m/f");
	OK(chmod("b/f", 0604));
	OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	EQ(x.stx_size, 7);
	expect_same_stat(fd, "b/f");
	OK(statx(fd, "", AT_EMPTY_PATH, 0, &x));
	expect_same_stat(fd, "b/f");
}

/* The VFS has old attributes of the fuse inode: it was changed on the backing
 * tree since. */

static void set_privileged_bits(const char *path, mode_t mode)
{
	put_file(path, "program", mode);
	OK(chown(path, 1000, 1000));
	OK(chmod(path, mode));
}

/* As root, whose chown takes the bits away as everybody's does. */
static void expect_chown_drops(const char *name, mode_t mode, mode_t left)
{
	char native[64], backing[64], mounted[64];
	struct stat st;
	int fd;

	snprintf(native, sizeof(native), "native_%s", name);
	snprintf(backing, sizeof(backing), "b/%s", name);
	snprintf(mounted, sizeof(mounted), "m/%s", name);
	set_privileged_bits(native, 0755);
	set_privileged_bits(backing, 0755);
	fd = OK(open(mounted, O_RDONLY));
	OK(fstat(fd, &st));
	EQ(st.st_mode & 07777, 0755);
	OK(chmod(native, mode));
	OK(chmod(backing, mode));
	OK(chown(native, 1001, 1001));
	OK(fchown(fd, 1001, 1001));
	OK(stat(native, &st));
	EQ(st.st_mode & 07777, left);
	OK(stat(backing, &st));
	EQ(st.st_mode & 07777, left);
	OK(fstat(fd, &st));
	EQ(st.st_mode & 07777, left);
	close(fd);
}

TEST(chown_drops_suid_and_sgid_that_were_just_set_on_the_backing_file)
{
	struct rf *rf = mount_masked(RF_OP_GETATTR | RF_OP_SETATTR);

	expect_chown_drops("sgid", 02755, 0755);
	expect_chown_drops("suid", 04755, 0755);
	expect_chown_drops("both", 06755, 0755);
	EQ(rf_count(rf, FUSE_SETATTR), 0);
}

TEST(chown_keeps_sgid_that_is_no_privilege)
{
	mount_masked(RF_OP_GETATTR | RF_OP_SETATTR);
	/* Without the bit for executing, for one who may have the group. */
	expect_chown_drops("nox", 02745, 02745);
}

static void expect_no_truncate(const char *path)
{
	int fd = OK(open(path, O_WRONLY | O_APPEND));

	ERR(truncate(path, 3), EPERM);
	ERR(truncate(path, 100), EPERM);
	ERR(ftruncate(fd, 3), EPERM);
	ERR(open(path, O_WRONLY | O_TRUNC | O_APPEND), EPERM);
	ERR(open(path, O_WRONLY), EPERM);
	EQ(write(fd, "more\n", 5), 5);
	close(fd);
}

static struct rf *mount_dir_for_flags(void)
{
	struct rf *rf = mount_dir(RF_OPS);

	OK(mkdir("native", 0755));
	put_file("native/y", "deep\n", 0644);
	return rf;
}

TEST(append_only_backing_file_cannot_be_truncated)
{
	struct rf *rf = mount_dir_for_flags();
	struct stat st;

	/* The fuse inode is there before the flag is. */
	OK(stat("m/d/x/y", &st));
	set_file_flags("native/y", FS_APPEND_FL, true);
	set_file_flags("b/d/x/y", FS_APPEND_FL, true);
	expect_no_truncate("native/y");
	expect_no_truncate("m/d/x/y");
	CHECK(file_is("b/d/x/y", "deep\nmore\n"));
	set_file_flags("native/y", FS_APPEND_FL, false);
	set_file_flags("b/d/x/y", FS_APPEND_FL, false);
	OK(truncate("m/d/x/y", 3));
	CHECK(file_is("b/d/x/y", "dee"));
	EQ(count_beneath(rf), 0);
}

/* The file is open before: the open does not see the flag, the call must. */
TEST(ftruncate_of_a_file_made_append_only_is_eperm)
{
	int native, fd;

	mount_dir_for_flags();
	native = OK(open("native/y", O_RDWR));
	fd = OK(open("m/d/x/y", O_RDWR));
	OK(ftruncate(fd, 4));
	set_file_flags("native/y", FS_APPEND_FL, true);
	set_file_flags("b/d/x/y", FS_APPEND_FL, true);
	ERR(ftruncate(native, 2), EPERM);
	ERR(ftruncate(fd, 2), EPERM);
	CHECK(file_is("b/d/x/y", "deep"));
	set_file_flags("native/y", FS_APPEND_FL, false);
	set_file_flags("b/d/x/y", FS_APPEND_FL, false);
}

static void expect_no_change(const char *path)
{
	ERR(truncate(path, 3), EPERM);
	ERR(chmod(path, 0600), EPERM);
	ERR(chown(path, 1, 1), EPERM);
	ERR(utimensat(AT_FDCWD, path, NULL, 0), EPERM);
	ERR(open(path, O_WRONLY), EPERM);
	ERR(open(path, O_WRONLY | O_APPEND), EPERM);
	close(OK(open(path, O_RDONLY)));
}

TEST(immutable_backing_file_cannot_be_changed)
{
	struct rf *rf = mount_dir_for_flags();
	struct stat st;

	OK(stat("m/d/x/y", &st));
	set_file_flags("native/y", FS_IMMUTABLE_FL, true);
	set_file_flags("b/d/x/y", FS_IMMUTABLE_FL, true);
	expect_no_change("native/y");
	expect_no_change("m/d/x/y");
	set_file_flags("native/y", FS_IMMUTABLE_FL, false);
	set_file_flags("b/d/x/y", FS_IMMUTABLE_FL, false);
	EQ(count_beneath(rf), 0);
}

/* The flag is off on the backing file, and nothing but this call is done on the
 * mount: what the fuse inode had of it must not stay. */
static void expect_flag_forgotten(int flag, int (*op)(int fd, const char *path))
{
	struct stat st;
	int fd;

	mount_dir(RF_OPS);
	fd = OK(open("m/d/x/y", O_RDWR));
	set_file_flags("b/d/x/y", flag, true);
	/* Brings the flag over. */
	OK(stat("m/d/x/y", &st));
	set_file_flags("b/d/x/y", flag, false);
	OK(op(fd, "m/d/x/y"));
}

static int by_chmod(int fd, const char *path)
{
	return chmod(path, 0600);
}

static int by_open(int fd, const char *path)
{
	return open(path, O_WRONLY);
}

/* Through an open file nothing is looked up, so somebody has to look first. */
static int by_ftruncate(int fd, const char *path)
{
	struct stat st;

	OK(fstat(fd, &st));
	return ftruncate(fd, 1);
}

TEST(chmod_works_once_the_backing_file_is_no_longer_immutable)
{
	expect_flag_forgotten(FS_IMMUTABLE_FL, by_chmod);
}

TEST(open_works_once_the_backing_file_is_no_longer_immutable)
{
	expect_flag_forgotten(FS_IMMUTABLE_FL, by_open);
}

TEST(chmod_works_once_the_backing_file_is_no_longer_append_only)
{
	expect_flag_forgotten(FS_APPEND_FL, by_chmod);
}

TEST(ftruncate_works_once_the_backing_file_is_no_longer_append_only)
{
	expect_flag_forgotten(FS_APPEND_FL, by_ftruncate);
}

/* A capability set of version 2: cap_chown, permitted and effective. */
static void set_file_caps(const char *path)
{
	static const uint32_t caps[] = { 0x02000001, 1, 0, 0, 0 };

	OK(setxattr(path, "security.capability", caps, sizeof(caps), 0));
}

static bool has_file_caps(const char *path)
{
	char buf[64];

	return getxattr(path, "security.capability", buf, sizeof(buf)) > 0;
}

static void do_chown(const char *path)
{
	OK(chown(path, 1001, 1001));
}

static void do_write(const char *path)
{
	int fd = OK(open(path, O_WRONLY));

	EQ(write(fd, "x", 1), 1);
	close(fd);
}

static void do_shorten(const char *path)
{
	OK(truncate(path, 2));
}

static void do_chmod(const char *path)
{
	OK(chmod(path, 0700));
}

/* As on a native file, and removed by the kernel itself where it passes. */
static void expect_caps(void (*op)(const char *), uint64_t mask, bool kept,
			bool asked)
{
	struct rf *rf = mount_masked(mask);

	put_file("native", "program", 0755);
	put_file("b/caps", "program", 0755);
	set_file_caps("native");
	set_file_caps("b/caps");
	close(open_path("m/caps"));
	rf_reset(rf);
	op("native");
	op("m/caps");
	rf_note_counts(rf);
	EQ(has_file_caps("native"), kept);
	EQ(has_file_caps("b/caps"), kept);
	EQ(has_file_caps("m/caps"), kept);
	EQ(rf_count(rf, FUSE_REMOVEXATTR) > 0, asked);
}

TEST(chown_drops_file_capabilities_without_a_request)
{
	expect_caps(do_chown, RF_OPS, false, false);
}

TEST(write_drops_file_capabilities_without_a_request)
{
	expect_caps(do_write, RF_OPS, false, false);
}

TEST(truncate_drops_file_capabilities_without_a_request)
{
	expect_caps(do_shorten, RF_OPS, false, false);
}

TEST(chmod_keeps_file_capabilities)
{
	expect_caps(do_chmod, RF_OPS, true, false);
}

TEST(chown_at_the_server_asks_it_to_drop_file_capabilities)
{
	expect_caps(do_chown, RF_OPS & ~(RF_OP_SETATTR | RF_OP_REMOVEXATTR),
		    false, true);
}

TEST(ftruncate_without_setattr_goes_to_the_server)
{
	struct rf *rf = mount_dir(RF_OPS & ~RF_OP_SETATTR);
	struct stat st;
	int fd = OK(open("m/d/x/y", O_RDWR));

	/* The kernel has opened it: there is no handle to send. */
	EQ(rf_count(rf, FUSE_OPEN), 0);
	OK(ftruncate(fd, 2));
	EQ(rf_count(rf, FUSE_SETATTR), 1);
	CHECK(file_is("b/d/x/y", "de"));
	OK(fstat(fd, &st));
	EQ(st.st_size, 2);
	OK(ftruncate(fd, 5000));
	OK(fstat(fd, &st));
	EQ(st.st_size, 5000);
	EQ(pwrite(fd, "x", 1, 4999), 1);
	EQ(rf_count(rf, FUSE_WRITE), 0);
	OK(fchmod(fd, 0600));
	EQ(rf_count(rf, FUSE_SETATTR), 3);
	OK(stat("b/d/x/y", &st));
	EQ(st.st_mode & 0777, 0600);
	close(fd);
	close(OK(open("m/d/x/y", O_WRONLY | O_TRUNC)));
	CHECK(file_is("b/d/x/y", ""));
}

static int write_s(void *p)
{
	do_write("m/s");
	return 0;
}

/* The server's promise about these bits does not matter: it does not see the write. */
static void expect_write_clears(uint64_t mask, uint64_t flags)
{
	struct rf *rf = mount_flags(mask, flags);

	CHECK((rf->stats->offered & flags) == flags);
	put_file("b/s", "suid", 0777);
	OK(chown("b/s", 1000, 1000));
	/* Seen without the bits at first, and then with them. */
	EQ(stat_of("m/s").st_mode & 07777, 0777);
	for (int seen = 0; seen < 2; seen++) {
		OK(chmod("b/s", 06777));
		if (seen)
			EQ(stat_of("m/s").st_mode & 07777, 06777);
		rf_reset(rf);
		EQ(as_uid(1001, write_s, NULL), 0);
		EQ(stat_of("b/s").st_mode & 07777, 0777);
		EQ(stat_of("m/s").st_mode & 07777, 0777);
		EQ(rf_count(rf, FUSE_WRITE), 0);
	}
	CHECK(file_is("b/s", "xuid"));
	/* The converse: not for who may keep them. */
	OK(chmod("b/s", 06777));
	do_write("m/s");
	EQ(stat_of("b/s").st_mode & 07777, 06777);
}

TEST(write_by_another_user_clears_suid_and_sgid)
{
	expect_write_clears(RF_OPS, 0);
}

TEST(write_clears_suid_and_sgid_without_setattr)
{
	expect_write_clears(ALL_BUT(RF_OP_SETATTR), 0);
}

TEST(write_clears_suid_and_sgid_if_the_server_says_that_it_does)
{
	expect_write_clears(RF_OPS, FUSE_HANDLE_KILLPRIV_V2);
}

TEST(write_clears_suid_and_sgid_without_setattr_if_the_server_says_that_it_does)
{
	expect_write_clears(ALL_BUT(RF_OP_SETATTR), FUSE_HANDLE_KILLPRIV_V2);
}

/* Names beneath a directory with the LOOKUP bit */

TEST(names_beneath_a_passed_directory_need_no_server)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct stat a, b;

	OK(stat("m/d/x/y", &a));
	OK(stat("b/d/x/y", &b));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_size, b.st_size);
	CHECK(file_is("m/d/x/y", "deep\n"));
	CHECK(dir_has("m/d/x", "y"));
	ERR(stat("m/d/x/none", &a), ENOENT);
	ERR(stat("m/d/x/y/z", &a), ENOTDIR);
	/* d itself is looked up in the root, which is the server's. */
	EQ(count_beneath(rf), 0);
	EQ(rf->stats->unknown, 0);
}

TEST(names_beneath_a_directory_without_the_bit_are_the_servers)
{
	struct rf *rf = mount_dir(ALL_BUT(RF_OP_LOOKUP));
	struct stat st;
	int d = open_path("m/d");

	rf_reset(rf);
	OK(fstatat(d, "x/y", &st, 0));
	EQ(rf_count(rf, FUSE_LOOKUP), 2);
}

TEST(lookups_from_a_directory_fd_make_no_request_at_all)
{
	struct rf *rf = mount_dir(RF_OPS);
	struct stat st;
	int d = open_path("m/d");

	rf_reset(rf);
	for (int i = 0; i < 3; i++) {
		OK(fstatat(d, "x/y", &st, 0));
		ERR(fstatat(d, "x/none", &st, 0), ENOENT);
		drop_caches();
	}
	close(OK(openat(d, "x/y", O_RDWR)));
	EQ(rf_count_all(rf), 0);
}

TEST(server_resolves_a_node_that_the_kernel_made)
{
	struct rf *rf = mount_dir(RF_OPS & ~(RF_OP_UNLINK | RF_OP_MKDIR));
	struct stat st;

	OK(stat("m/d/x/y", &st));
	EQ(rf->stats->unknown, 0);
	OK(unlink("m/d/x/y"));
	CHECK(rf->stats->resolved >= 1);
	ERR(stat("b/d/x/y", &st), ENOENT);
	ERR(stat("m/d/x/y", &st), ENOENT);
	OK(mkdir("m/d/x/new", 0700));
	OK(stat("b/d/x/new", &st));
	OK(rename("m/d/x/new", "m/d/moved"));
	OK(stat("b/d/moved", &st));
	ERR(stat("m/d/x/new", &st), ENOENT);
	OK(stat("m/d/moved", &st));
	OK(rmdir("m/d/moved"));
	ERR(stat("b/d/moved", &st), ENOENT);
	drop_caches();
	EVENTUALLY(rf->stats->given == rf->stats->forgotten);
}

TEST(names_made_through_the_server_are_passed_afterwards)
{
	struct rf *rf = mount_dir(RF_OPS);
	int d = open_path("m/d");
	struct stat st;
	int fd;

	OK(mkdirat(d, "new", 0755));
	OK(symlinkat("t", d, "sym"));
	OK(linkat(d, "x/y", d, "hard", 0));
	fd = OK(openat(d, "file", O_CREAT | O_EXCL | O_RDWR, 0644));
	rf_reset(rf);
	EQ(write(fd, "text", 4), 4);
	OK(fstat(fd, &st));
	EQ(st.st_size, 4);
	OK(fstatat(d, "new", &st, 0));
	OK(fstatat(d, "sym", &st, AT_SYMLINK_NOFOLLOW));
	OK(fstatat(d, "hard", &st, 0));
	EQ(st.st_nlink, 2);
	OK(fstatat(d, "file", &st, 0));
	EQ(st.st_size, 4);
	EQ(rf_count(rf, FUSE_LOOKUP) + rf_count(rf, FUSE_GETATTR), 0);
	CHECK(file_is("b/d/file", "text"));
}

/* NODE_OPEN */

static int node_open_unprivileged(void *p)
{
	ERR(rf_node_open(p, ~0ULL, 1, 1), EPERM);
	return 0;
}

TEST(node_open_tells_what_is_wrong)
{
	struct rf *rf = mount_dir(RF_OPS);
	uint64_t y = ino_of("m/d/x/y"), f = ino_of("m/f");

	EQ(as_uid(1000, node_open_unprivileged, rf), 0);
	ERR(rf_node_open(rf, y, 2, 0), EINVAL);
	ERR(rf_node_open(rf, y, 0, 1), EINVAL);
	ERR(rf_node_open(rf, 1ULL << 62, 2, 0), EINVAL);
	ERR(rf_node_open(rf, 1ULL << 62, RF_NODE_OPEN_MOUNT, -1), EBADF);
	ERR(rf_node_open(rf, 1ULL << 62, 0, 0), ENOENT);
	/* f is known, but has no backing object. */
	ERR(rf_node_open(rf, f, 0, 0), ENOENT);
	OK(rf_node_open(rf, y, 0, 0));
	/* On another file system, and not beneath the root of that mount. */
	ERR(rf_node_open(rf, y, RF_NODE_OPEN_MOUNT, rf->dev), EXDEV);
	OK(mkdir("other", 0755));
	OK(mkdir("b/other", 0755));
	OK(mount("b/other", "other", NULL, MS_BIND, NULL));
	ERR(rf_node_open(rf, y, RF_NODE_OPEN_MOUNT, open_path("other")), EXDEV);
	OK(rf_node_open(rf, y, RF_NODE_OPEN_MOUNT, rf->root));
}

TEST(node_opened_on_the_servers_mount_can_be_linked_there)
{
	struct rf *rf = mount_dir(RF_OPS);
	uint64_t y = ino_of("m/d/x/y");
	int fd = OK(rf_node_open(rf, y, 0, 0));

	ERR(linkat(fd, "", rf->root, "linked", AT_EMPTY_PATH), EXDEV);
	fd = OK(rf_node_open(rf, y, RF_NODE_OPEN_MOUNT, rf->root));
	OK(linkat(fd, "", rf->root, "linked", AT_EMPTY_PATH));
	EQ(ino_of("b/linked"), y);
}

TEST(node_open_without_passthrough_ino_is_eperm)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	conf.flags = RF_PASSTHROUGH;
	rf = rf_mount(NULL, &conf);
	ERR(rf_node_open(rf, 1, 1, 1), EPERM);
}

TEST(node_open_gives_the_backing_object_and_a_lookup)
{
	struct rf *rf = mount_dir(RF_OPS);
	uint64_t y = ino_of("m/d/x/y");
	unsigned long forgotten;
	struct stat a, b;
	char c;
	int fd;

	fd = OK(rf_node_open(rf, y, 0, 0));
	OK(fstat(fd, &a));
	OK(stat("b/d/x/y", &b));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_dev, b.st_dev);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ERR(read(fd, &c, 1), EBADF);
	/* Twice: the FORGET counts both. */
	close(OK(rf_node_open(rf, y, 0, 0)));
	close(fd);
	/* d was handed out by the server, and is forgotten as well. */
	forgotten = rf->stats->given + 2;
	drop_caches();
	EVENTUALLY(rf->stats->forgotten == forgotten);
}

TEST(node_open_of_a_forgotten_node_is_enoent)
{
	struct rf *rf = mount_dir(RF_OPS);
	uint64_t y = ino_of("m/d/x/y");

	close(OK(rf_node_open(rf, y, 0, 0)));
	drop_caches();
	ERR(rf_node_open(rf, y, 0, 0), ENOENT);
}

/* Coherence beneath a passed directory */

TEST(change_of_the_backing_tree_is_seen_at_the_next_lookup)
{
	struct stat st;
	int d;

	mount_dir(RF_OPS);
	d = open_path("m/d");
	OK(fstatat(d, "x/y", &st, 0));
	ERR(fstatat(d, "x/new", &st, 0), ENOENT);
	put_file("b/d/x/new", "created", 0644);
	OK(fstatat(d, "x/new", &st, 0));
	OK(rename("b/d/x/new", "b/d/x/renamed"));
	ERR(fstatat(d, "x/new", &st, 0), ENOENT);
	OK(fstatat(d, "x/renamed", &st, 0));
	OK(unlink("b/d/x/renamed"));
	ERR(fstatat(d, "x/renamed", &st, 0), ENOENT);
	put_file("b/d/x/other", "replaces y", 0600);
	OK(rename("b/d/x/other", "b/d/x/y"));
	OK(fstatat(d, "x/y", &st, 0));
	EQ(st.st_size, 10);
	CHECK(file_is("m/d/x/y", "replaces y"));
	OK(rename("b/d/x", "b/d/z"));
	ERR(fstatat(d, "x/y", &st, 0), ENOENT);
	OK(fstatat(d, "z/y", &st, 0));
	OK(unlink("b/d/z/y"));
	OK(rmdir("b/d/z"));
	ERR(fstatat(d, "z", &st, 0), ENOENT);
	OK(mkdir("b/d/z", 0755));
	OK(fstatat(d, "z", &st, 0));
	ERR(fstatat(d, "z/y", &st, 0), ENOENT);
}

/* Permission: what the caller may do, not what the server may. */

static int expect_no_access(void *p)
{
	struct stat st;

	ERR(open("m/d/secret", O_RDONLY), EACCES);
	ERR(open("m/d/secret", O_WRONLY), EACCES);
	ERR(truncate("m/d/secret", 0), EACCES);
	ERR(chmod("m/d/secret", 0666), EPERM);
	ERR(stat("m/d/closed/y", &st), EACCES);
	ERR(stat("m/d/closed/none", &st), EACCES);
	ERR(open("m/d/closed", O_RDONLY | O_DIRECTORY), EACCES);
	ERR(access("m/d/secret", R_OK), EACCES);
	OK(stat("m/d/secret", &st));
	OK(open("m/d/x/y", O_RDONLY));
	ERR(open("m/d/x/y", O_WRONLY), EACCES);
	return 0;
}

static void expect_permissions(const char *options)
{
	struct rf_conf conf = RF_DEFAULT;
	struct stat st;
	struct rf *rf;

	rf_make_tree();
	put_file("b/d/secret", "secret", 0600);
	OK(mkdir("b/d/closed", 0700));
	put_file("b/d/closed/y", "closed", 0644);
	conf.entry = entry_hook;
	conf.options = options;
	only_name = "d";
	reg_mask = RF_OPS;
	rf = rf_mount(NULL, &conf);
	OK(stat("m/d", &st));
	rf_reset(rf);
	EQ(as_uid(1000, expect_no_access, NULL), 0);
	EQ(count_beneath(rf), 0);
	CHECK(file_is("b/d/secret", "secret"));
}

TEST(passed_operations_check_the_caller)
{
	expect_permissions(",default_permissions");
}

TEST(passed_operations_check_the_caller_without_default_permissions)
{
	expect_permissions("");
}

/* One for chdir(2) and one for access(2). */
static unsigned long access_requests(uint64_t mask, const char *options)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.options = options;
	reg_mask = mask;
	rf = rf_mount(NULL, &conf);
	close(open_path("m/d"));
	rf_reset(rf);
	OK(chdir("m/d"));
	OK(access(".", R_OK));
	return rf_count(rf, FUSE_ACCESS);
}

TEST(access_without_a_backing_object_goes_to_the_server)
{
	EQ(access_requests(0, ""), 2);
}

TEST(access_passes_with_its_bit)
{
	EQ(access_requests(RF_OPS, ""), 0);
}

TEST(access_without_its_bit_goes_to_the_server)
{
	EQ(access_requests(ALL_BUT(RF_OP_ACCESS), ""), 2);
}

TEST(access_is_not_sent_with_default_permissions)
{
	EQ(access_requests(ALL_BUT(RF_OP_ACCESS), ",default_permissions"), 0);
}

/* Open files stay usable. */

TEST(passed_file_is_mapped_and_written_like_any_other)
{
	struct rf *rf = mount_dir(RF_OPS);
	char *map;
	int fd;

	fd = OK(open("m/d/x/y", O_RDWR));
	rf_reset(rf);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(!memcmp(map, "deep\n", 5));
	EQ(pwrite(fd, "D", 1, 0), 1);
	CHECK(map[0] == 'D');
	map[1] = 'E';
	CHECK(file_is("b/d/x/y", "DEep\n"));
	OK(fsync(fd));
	OK(munmap(map, 4096));
	close(fd);
	EQ(rf_count(rf, FUSE_READ) + rf_count(rf, FUSE_WRITE) +
	   rf_count(rf, FUSE_FLUSH) + rf_count(rf, FUSE_RELEASE) +
	   rf_count(rf, FUSE_FSYNC), 0);
}

TEST(unlinked_open_file_keeps_its_data)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	mount_dir(RF_OPS);
	fd = OK(open("m/d/x/y", O_RDWR));
	OK(unlink("m/d/x/y"));
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	CHECK(!strcmp(buf, "deep\n"));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 2));
	OK(fstat(fd, &st));
	EQ(st.st_size, 2);
}

TEST(passed_file_is_read_after_the_server_was_killed)
{
	struct rf_conf conf = RF_DEFAULT;
	char buf[16] = "";
	struct stat st;
	struct rf *rf;
	int fd, d;

	rf_make_tree();
	conf.entry = entry_hook;
	conf.open = entry_open_hook;
	conf.process = true;
	only_name = "d";
	reg_mask = RF_OPS;
	rf = rf_mount(NULL, &conf);
	d = open_path("m/d");
	fd = OK(openat(d, "x/y", O_RDONLY));
	OK(kill(rf->pid, SIGKILL));
	reap(rf->pid);
	close(rf->dev);
	/* The fd is open and the connection is dead: reads go on. */
	EQ(pread(fd, buf, sizeof(buf), 0), 5);
	OK(fstat(fd, &st));
	CHECK(stat("m/f", &st) < 0);
	CHECK(errno == ENOTCONN || errno == ECONNABORTED);
	close(fd);
	close(d);
	OK(umount("m"));
}

TEST(unmount_lets_the_backing_file_system_go)
{
	struct rf_conf conf = RF_DEFAULT;
	struct stat st;
	struct rf *rf;

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	OK(mkdir("t/d", 0755));
	put_file("t/d/y", "deep\n", 0644);
	conf.backing = "t";
	conf.entry = entry_hook;
	reg_mask = RF_OPS;
	rf = rf_mount(NULL, &conf);
	OK(stat("m/d/y", &st));
	CHECK(file_is("m/d/y", "deep\n"));
	ERR(umount("t"), EBUSY);
	rf_umount(rf);
	drop_caches();
	for (unsigned int i = 0; i < ARRAY_SIZE(rf->nodes); i++)
		for (struct rf_node *n = rf->nodes[i]; n; n = n->next)
			close(n->fd);
	EVENTUALLY(umount("t") == 0);
}
