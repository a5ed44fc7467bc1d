// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life of a link, of its loader, of the server and of the mount: what stays and what goes when
 * one of them ends or is replaced.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* Life of the link */

struct loader {
	struct rf *rf;
	const char *pin;
	int ready[2];
};

static int load_and_wait(void *arg)
{
	struct loader *l = arg;
	struct pol *p = pol_attach(l->rf, 0);

	if (l->pin)
		EQ(bpf_link__pin(p->link, l->pin), 0);
	EQ(write(l->ready[1], "x", 1), 1);
	pause();
	return 0;
}

/* Starts a process that attaches and pins, and kills it once it has. */
static void attach_and_kill(struct rf *rf, const char *pin)
{
	struct loader l = { .rf = rf, .pin = pin };
	char c, name[32];
	pid_t pid;

	OK(pipe(l.ready));
	pid = spawn(load_and_wait, &l);
	EQ(read(l.ready[0], &c, 1), 1);
	CHECK(rf_policy_line(rf, "policy", name, sizeof(name)));
	CHECK(!strcmp(name, "rules"));
	OK(kill(pid, SIGKILL));
	reap(pid);
}

TEST(policy_of_a_killed_loader_is_detached)
{
	struct rf *rf = mount_tree();

	attach_and_kill(rf, NULL);
	EVENTUALLY(policy_is(rf, "none"));
	rf_reset(rf);
	use_tree();
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 5);
	expect_attach_works(rf);
}

TEST_FLAGS(pinned_policy_outlives_its_killed_loader, T_QUICK)
{
	struct rf *rf = mount_tree();
	const char *pin = "/sys/fs/bpf/test_pin";

	unlink(pin);
	attach_and_kill(rf, pin);
	usleep(200000);
	CHECK(policy_is(rf, "rules"));
	rf_reset(rf);
	use_tree();
	EQ(rf_count_all(rf), 0);
	OK(unlink(pin));
	EVENTUALLY(policy_is(rf, "none"));
	use_tree();
	CHECK(rf_count(rf, FUSE_LOOKUP) >= 5);
}

TEST_FLAGS(link_detach_detaches, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	EQ(bpf_link__detach(p->link), 0);
	CHECK(policy_is(rf, "none"));
	expect_attach_works(rf);
	pol_detach(p);
}

TEST_FLAGS(replace_judges_every_name_again, T_QUICK)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);
	long generation = rf_policy_number(rf, "generation");

	OK(lookup("m/d/x/y"));
	EQ(pol_calls(p, "y", 0), 1);
	EQ(bpf_link__update_map(p->link, p->map_2), 0);
	CHECK(policy_is(rf, "rules_2"));
	CHECK(rf_policy_number(rf, "generation") > generation);
	EQ(pol_calls(p, "", POL_ROOT), 2);
	rf_reset(rf);
	OK(lookup("m/d/x/y"));
	EQ(pol_calls(p, "y", 0), 2);
	EQ(rf_count_all(rf), 0);
	EQ(bpf_link__update_map(p->link, p->map), 0);
	CHECK(policy_is(rf, "rules"));
}

TEST(replace_that_changes_mount_or_directory_is_einval)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf = mount_tree(), *rf2 = rf_mount("m2", &conf);
	struct pol *p = pol_attach(rf, 0), *other;

	other = pol_open(NULL, open_path("m2"), rf->root, 0, 0);
	pol_load(other);
	NERR(bpf_link__update_map(p->link, other->map), EINVAL);
	other = pol_open(NULL, open_path("m"), open_path("b/d"), 0, 0);
	pol_load(other);
	NERR(bpf_link__update_map(p->link, other->map), EINVAL);
	CHECK(policy_is(rf, "rules"));
	CHECK(policy_is(rf2, "none"));
	other = pol_open("fine", open_path("m"), rf->root, 0, 0);
	pol_load(other);
	EQ(bpf_link__update_map(p->link, other->map), 0);
	CHECK(policy_is(rf, "fine"));
}

/* Walkers for the test below: each compares what it finds, until told to end. */

enum { WALK_FILES = 24, WALK_DIRS = 4 };

static volatile int *walk_on, *walk_rounds;

static void walk_share(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(shared != MAP_FAILED);
	walk_on = shared;
	walk_rounds = shared + 1;
	*walk_on = 1;
}

static int walk(void *arg)
{
	char path[64], want[64];

	while (*walk_on) {
		for (int i = 0; i < WALK_FILES; i++) {
			snprintf(path, sizeof(path), "m/w%d/file%d",
				 i % WALK_DIRS, i);
			snprintf(want, sizeof(want), "content of %d\n", i);
			CHECK(file_is(path, want));
			EQ(stat_of(path).st_size, strlen(want));
			snprintf(path, sizeof(path), "m/w%d/file%d",
				 (i + 1) % WALK_DIRS, i);
			ERR(lookup(path), ENOENT);
		}
		for (int d = 0; d < WALK_DIRS; d++) {
			snprintf(path, sizeof(path), "m/w%d", d);
			EQ(dir_count(path), WALK_FILES / WALK_DIRS + 2);
		}
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void make_walk_tree(void)
{
	char path[64], text[64];

	for (int d = 0; d < WALK_DIRS; d++) {
		snprintf(path, sizeof(path), "b/w%d", d);
		OK(mkdir(path, 0755));
	}
	for (int i = 0; i < WALK_FILES; i++) {
		snprintf(path, sizeof(path), "b/w%d/file%d", i % WALK_DIRS, i);
		snprintf(text, sizeof(text), "content of %d\n", i);
		put_file(path, text, 0644);
	}
}

static void replace_under_walkers(int times)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	pid_t pids[4];
	int rounds;

	rf_make_tree();
	make_walk_tree();
	conf.process = true;
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	walk_share();
	/* Some files the server's at every other turn. */
	pol_rule(p, "file3", FUSEPASS_PASS);
	pol_rule(p, "w2", FUSEPASS_PASS);
	rule_ops(p, "file8", RF_OPS);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = spawn(walk, NULL);
	/* They have to walk while the policies are replaced, not only afterwards. */
	for (int i = 0; i < times || *walk_rounds < 8; i++) {
		CHECK(i < 100 * times);
		p->shared->rules[0].verdict = i & 1;
		p->shared->rules[1].verdict = !!(i & 2);
		p->shared->rules[2].ops = i & 4 ? RF_OPS : RF_OPS & ~RF_OP_OPEN;
		EQ(bpf_link__update_map(p->link, i & 1 ? p->map : p->map_2), 0);
		if (i % 16 == 0)
			usleep(20000);
	}
	rounds = *walk_rounds;
	*walk_on = 0;
	CHECK(rf_policy_number(rf, "generation") >= times);
	note("%d rounds of the walkers", rounds);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		EQ(reap(pids[i]), 0);
}

TEST_FLAGS(policy_replaced_1000_times_under_four_walkers, T_LONG)
{
	replace_under_walkers(1000);
}

TEST(policy_replaced_100_times_under_four_walkers)
{
	replace_under_walkers(100);
}

static int create_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	return fd < 0 ? fd : close(fd);
}

static int create_on(void *arg)
{
	char path[64], to[64];

	for (int i = 0; *walk_on; i++) {
		snprintf(path, sizeof(path), "m/d/new%d", i);
		snprintf(to, sizeof(to), "m/d/to%d", i);
		OK(create_file(path));
		OK(rename(path, to));
		OK(unlink(to));
		OK(mkdir(path, 0700));
		OK(rmdir(path));
		OK(symlink("t", path));
		OK(unlink(path));
		OK(link("m/f", path));
		OK(unlink(path));
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST_FLAGS(names_are_created_and_removed_while_the_policy_is_replaced, T_QUICK)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	pid_t pid;
	int seen;

	conf.process = true;
	rf = mount_conf(&conf);
	p = pol_attach(rf, 0);
	walk_share();
	pid = spawn(create_on, NULL);
	EVENTUALLY(*walk_rounds >= 1);
	seen = *walk_rounds;
	for (int i = 0; i < 100 || *walk_rounds < seen + 8; i++) {
		CHECK(i < 10000);
		EQ(bpf_link__update_map(p->link, i & 1 ? p->map : p->map_2), 0);
		usleep(i % 8 * 500);
	}
	note("%d rounds meanwhile", *walk_rounds - seen);
	*walk_on = 0;
	EQ(reap(pid), 0);
	EQ(dir_count("b/d"), 3);
}

/* The server dies, the mount goes away */

static int read_on(void *arg)
{
	int fd = OK(open("m/d/x/y", O_RDONLY));
	struct rf *rf = arg;
	char buf[8];

	/* The server has to be the last that has the device open. */
	close(rf->dev);
	__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	while (*walk_on) {
		EQ(pread(fd, buf, sizeof(buf), 0), 5);
		CHECK(!memcmp(buf, "deep\n", 5));
		__atomic_fetch_add(walk_rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST_FLAGS(reads_of_passed_files_go_on_when_the_server_is_killed, T_QUICK)
{
	struct rf_conf conf = RF_DEFAULT;
	struct stat st;
	struct pol *p;
	struct rf *rf;
	pid_t pid;
	int seen;

	conf.process = true;
	rf = mount_conf(&conf);
	p = pol_attach(rf, 0);
	pol_rule(p, "g", FUSEPASS_SERVER);
	walk_share();
	pid = spawn(read_on, rf);
	EVENTUALLY(*walk_rounds > 5);
	close(rf->dev);
	OK(kill(rf->pid, SIGKILL));
	reap(rf->pid);
	seen = *walk_rounds;
	EVENTUALLY(*walk_rounds > seen + 5);
	/* Requests to the server fail at once. */
	CHECK(stat("m/g", &st) < 0);
	CHECK(errno == ENOTCONN || errno == ECONNABORTED);
	*walk_on = 0;
	EQ(reap(pid), 0);
	close(p->mount_fd);
	OK(umount("m"));
	bpf_link__destroy(p->link);
}

TEST_FLAGS(unmount_leaves_the_link_defunct, T_QUICK)
{
	struct bpf_link_info info = { 0 };
	struct pol *p, *next;
	struct rf *rf;
	struct rf_conf conf = RF_DEFAULT;
	unsigned int len = sizeof(info);

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/f", "f\n", 0644);
	conf.backing = "t";
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	CHECK(file_is("m/f", "f\n"));
	ERR(umount("t"), EBUSY);
	close(p->mount_fd);
	rf_umount(rf);
	/* The link is there, but holds neither mount nor backing tree. */
	EVENTUALLY(umount("t") == 0);
	OK(bpf_link_get_info_by_fd(bpf_link__fd(p->link), &info, &len));
	CHECK(bpf_link__update_map(p->link, p->map_2) < 0);
	EQ(bpf_link__destroy(p->link), 0);
	/* And the next connection is free for another one. */
	rf_make_tree();
	rf = rf_mount("m3", &(struct rf_conf)RF_DEFAULT);
	next = pol_attach(rf, 0);
	OK(lookup("m3/f"));
	pol_detach(next);
}

TEST_FLAGS(lazy_unmount_with_open_files_lets_go_in_the_end, T_QUICK)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;
	char c;
	int fd;

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, NULL));
	put_file("t/f", "f\n", 0644);
	conf.backing = "t";
	rf = rf_mount(NULL, &conf);
	p = pol_attach(rf, 0);
	fd = OK(open("m/f", O_RDONLY));
	close(p->mount_fd);
	OK(umount2("m", MNT_DETACH));
	EQ(read(fd, &c, 1), 1);
	close(fd);
	bpf_link__destroy(p->link);
	pthread_join(rf->thread, NULL);
	close(rf->dev);
	close(rf->root);
	EVENTUALLY(umount("t") == 0);
}

static long slab_objects(const char *cache)
{
	char path[128];
	FILE *f;
	long n = -1;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	if (access(path, W_OK))
		test_skip("no %s: kernel without slab statistics", path);
	set_sysctl(path, "1");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	f = fopen(path, "r");
	CHECK(f);
	EQ(fscanf(f, "%ld", &n), 1);
	fclose(f);
	return n;
}

TEST_FLAGS(unmount_gives_all_inodes_back, T_QUICK)
{
	struct pol *p;
	struct rf *rf;
	char path[64], slab[32];

	rf = mount_tree();
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "b/n%d", i);
		put_file(path, "x", 0644);
	}
	p = pol_attach(rf, 0);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "m/n%d", i);
		OK(lookup(path));
	}
	snprintf(slab, sizeof(slab), "%s_inode", fuse_name());
	CHECK(slab_objects(slab) >= 300);
	close(p->mount_fd);
	rf_umount(rf);
	pol_detach(p);
	/* Inodes are freed after a grace period. */
	EVENTUALLY(slab_objects(slab) == 0);
}
