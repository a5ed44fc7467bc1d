// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attach of a policy: its errors, each of which leaves no trace, so each case ends with
 * an attach that works.
 */
#include "harness.h"
#include "polload.h"
#include "polmount.h"
#include "rawfuse.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(attach_to_an_fd_that_is_not_fuse_is_ebadf)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("b"), rf->root, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, open_path("/dev/null"), rf->root, 0, 0),
	     EBADF);
	NERR(pol_attach_with(NULL, 9999, rf->root, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, -1, rf->root, 0, 0), EBADF);
	expect_attach_works(rf);
}

static int attach_without_admin(void *arg)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	OK(syscall(SYS_capget, &head, caps));
	caps[0].effective &= ~(1U << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	OK(syscall(SYS_capset, &head, caps));
	NERR(pol_try_attach(arg), EPERM);
	return 0;
}

TEST(attach_without_cap_sys_admin_is_eperm)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_open(NULL, open_path("m"), rf->root, 0, 0);

	/* It keeps what BPF itself needs: CAP_BPF and CAP_PERFMON. */
	pol_load(p);
	EQ(in_child(attach_without_admin, p), 0);
	expect_attach_works(rf);
}

TEST(attach_checks_the_number_of_the_connection)
{
	struct rf *rf = mount_tree();
	int m = open_path("m");

	NERR(pol_attach_with(NULL, m, rf->root, rf_connection(rf) + 1, 0),
	     EINVAL);
	EQ(pol_attach_with(NULL, m, rf->root, rf_connection(rf), 0), 0);
	EQ(pol_attach_with(NULL, m, rf->root, 0, 0), 0);
}

TEST(attach_with_unknown_flags_is_einval)
{
	struct rf *rf = mount_tree();

	for (unsigned int bit = 0; bit < 32; bit++) {
		int err = pol_attach_with(NULL, open_path("m"), rf->root, 0,
					  1U << bit);

		EQ(err, 1U << bit == POL_F_HIDES ? 0 : -EINVAL);
		if (bit == 3)
			bit = 30;
	}
}

TEST(attach_without_a_name_is_einval)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with("", open_path("m"), rf->root, 0, 0), EINVAL);
	expect_attach_works(rf);
}

TEST(attach_with_an_unterminated_name_is_refused)
{
	struct rf *rf = mount_tree();
	int err = pol_attach_with("0123456789abcdef", open_path("m"), rf->root,
				  0, 0);

	if (err != -EINVAL && err != -E2BIG)
		FAIL("attach gives %d", err);
	expect_attach_works(rf);
}

TEST(attach_with_a_bad_backing_fd_is_ebadf)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), 9999, 0, 0), EBADF);
	NERR(pol_attach_with(NULL, open_path("m"), -1, 0, 0), EBADF);
	expect_attach_works(rf);
}

TEST(attach_with_a_file_as_backing_root_is_enotdir)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), open_path("b/f"), 0, 0),
	     ENOTDIR);
	expect_attach_works(rf);
}

TEST(attach_with_its_own_mount_as_backing_root_is_eloop)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), open_path("m"), 0, 0), ELOOP);
	NERR(pol_attach_with(NULL, open_path("m"), open_path("m/d"), 0, 0),
	     ELOOP);
	expect_attach_works(rf);
}

TEST(attach_with_a_backing_root_too_deep_is_eloop)
{
	struct rf *rf = mount_tree();

	OK(mkdir("u", 0755));
	OK(mkdir("w", 0755));
	OK(mkdir("o", 0755));
	if (mount("overlay", "o", "overlay", 0,
		  "lowerdir=b,upperdir=u,workdir=w")) {
		if (errno == ENODEV)
			test_skip("no overlayfs in this kernel");
		FAIL("overlay: %s", strerrorname_np(errno));
	}
	NERR(pol_attach_with(NULL, open_path("m"), open_path("o"), 0, 0), ELOOP);
	expect_attach_works(rf);
}

TEST(attach_with_an_idmapped_backing_root_is_eopnotsupp)
{
	struct rf *rf = mount_tree();

	NERR(pol_attach_with(NULL, open_path("m"), idmapped_clone("b", 100000),
			     0, 0), EOPNOTSUPP);
	expect_attach_works(rf);
}

TEST(second_policy_on_a_connection_is_ebusy)
{
	struct rf *rf = mount_tree();
	struct pol *p = pol_attach(rf, 0);

	NERR(pol_attach_with("second", open_path("m"), rf->root, 0, 0), EBUSY);
	pol_detach(p);
	EQ(pol_attach_with("second", open_path("m"), rf->root, 0, 0), 0);
}

TEST(two_connections_may_have_a_policy_each)
{
	struct rf_conf conf = RF_DEFAULT;
	struct rf *rf = mount_tree(), *rf2 = rf_mount("m2", &conf);
	struct pol *p = pol_attach(rf, 0), *p2 = pol_attach(rf2, 0);

	pol_rule(p, "f", -EACCES);
	ERR(lookup("m/f"), EACCES);
	OK(lookup("m2/f"));
	pol_detach(p);
	OK(lookup("m/f"));
	pol_rule(p2, "g", -EACCES);
	ERR(lookup("m2/g"), EACCES);
}

TEST(attach_to_an_unmounted_connection_is_enotconn)
{
	struct rf *rf = mount_tree();
	int root = open_path("b"), dev = dup(rf->dev);

	rf_umount(rf);
	NERR(pol_attach_with(NULL, dev, root, 0, 0), ENOTCONN);
}

TEST(any_fd_of_the_connection_names_it)
{
	struct rf *rf = mount_tree();
	int fds[] = { open_path("m"), open_path("m/f"), rf->dev,
		      OK(open("m/f", O_RDONLY)),
		      OK(open("m/d", O_RDONLY | O_DIRECTORY)) };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		EQ(pol_attach_with(NULL, fds[i], rf->root, 0, 0), 0);
}

/* The caller has to try again: libfusepass does. */
TEST(attach_before_init_is_eagain_and_works_after)
{
	struct rf_conf conf = RF_DEFAULT;
	struct pol *p;
	struct rf *rf;

	rf_make_tree();
	conf.hold_init = true;
	rf = rf_open(&conf);
	rf_serve(rf, NULL);
	p = pol_open(NULL, rf->dev, rf->root, 0, 0);
	pol_load(p);
	EQ(pol_try_attach(p), -EAGAIN);
	rf_answer_init(rf);
	rf_reset(rf);
	EQ(pol_try_attach(p), 0);
	OK(lookup("m/f"));
	EQ(rf_count_all(rf), 0);
}
