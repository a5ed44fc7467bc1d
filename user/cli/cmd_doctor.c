// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass doctor: what this machine allows, and what to do about the rest.
 *
 * A check says whether a thing is there and, if not, how to get it. Exit
 * status 0 means that policies can be attached.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "cmd.h"
#include "lib.h"

#define FUSECTL_MAGIC	0x65735543

/* A check writes what it found to @found and returns whether that is fine. */
struct check {
	const char *name;
	bool (*run)(char *found, size_t size);
	const char *advice;
};

static bool check_kernel(char *found, size_t size)
{
	struct utsname u;

	uname(&u);
	snprintf(found, size, "%s", u.release);
	return true;
}

static bool check_btf(char *found, size_t size)
{
	bool there = !access("/sys/kernel/btf/vmlinux", R_OK);

	snprintf(found, size, "%s", there ? "kernel types are readable" :
		 "no kernel types");
	return there;
}

static bool check_series(char *found, size_t size)
{
	int err = fusepass_kernel_check();

	snprintf(found, size, "%s", err ? fusepass_error() :
		 "struct fuse_policy_ops is there");
	return !err;
}

/* FUSE may be built in or a module; either has types. */
static bool check_passthrough(char *found, size_t size)
{
	_cleanup_btf_ struct lib_btf b = { NULL, NULL, NULL };
	bool there = !lib_btf_find(&b, "fuse_backing_open", BTF_KIND_FUNC);

	snprintf(found, size, "%s", there ? "FUSE can pass to backing files" :
		 "FUSE cannot pass to backing files, or its types are unknown");
	return there;
}

static bool check_device(char *found, size_t size)
{
	const char *device = lib_kind_here()->device;
	_cleanup_fd_ int fd = open(device, O_RDWR | O_CLOEXEC);

	snprintf(found, size, "%s%s%s", device, fd < 0 ? ": " : "",
		 fd < 0 ? strerror(errno) : "");
	return fd >= 0;
}

static bool check_privilege(char *found, size_t size)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	bool admin;

	syscall(SYS_capget, &h, caps);
	admin = caps[0].effective & 1u << CAP_SYS_ADMIN;
	snprintf(found, size, "uid %u, %s CAP_SYS_ADMIN", geteuid(),
		 admin ? "with" : "without");
	return admin;
}

static bool check_jit(char *found, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int err = util_file_read("/proc/sys/net/core/bpf_jit_enable", &text);
	bool on = !err && text[0] != '0';

	snprintf(found, size, "%s", on ? "on" : err ? strerror(-err) : "off");
	return on;
}

static bool is_mounted(const char *path, long magic, char *found, size_t size)
{
	struct statfs st;
	bool yes = !statfs(path, &st) && (long)st.f_type == magic;

	snprintf(found, size, "%s on %s", yes ? "mounted" : "not mounted",
		 path);
	return yes;
}

static bool check_bpffs(char *found, size_t size)
{
	return is_mounted("/sys/fs/bpf", BPF_FS_MAGIC, found, size);
}

static bool check_fusectl(char *found, size_t size)
{
	return is_mounted(lib_kind_here()->connections, FUSECTL_MAGIC, found,
			  size);
}

static bool check_libfuse(char *found, size_t size)
{
	int v = fuse_version();

	snprintf(found, size, "%s", fuse_pkgversion());
	/* 314 for 3.14; 3.17 and later count in hundreds of tens. */
	return v >= 314;
}

static const struct check checks[] = {
	{ "kernel", check_kernel, "" },
	{ "types", check_btf, "build the kernel with CONFIG_DEBUG_INFO_BTF=y" },
	/* Where FUSE is a module, that has the types; opening the device loads it. */
	{ "device", check_device,
	  "load the module (modprobe fuse, modprobe fusepass), or allow access "
	  "to its device" },
	{ "passthrough", check_passthrough,
	  "build the kernel with CONFIG_FUSE_PASSTHROUGH=y" },
	{ "series", check_series,
	  "load the module fusepass.ko (make dkms), or boot a kernel built from "
	  "kernel/patches (make kernel); without them 'fusepass mount' is an "
	  "ordinary FUSE server" },
	{ "jit", check_jit, "sysctl net.core.bpf_jit_enable=1" },
	{ "privilege", check_privilege, "run fusepass as root" },
	{ "libfuse", check_libfuse, "install libfuse3 3.14 or later" },
	{ "bpffs", check_bpffs,
	  "mount -t bpf bpffs /sys/fs/bpf (policy attach does it)" },
	{ "fusectl", check_fusectl,
	  "mount -t fusectl none /sys/fs/fuse/connections (with the module "
	  "fusepass.ko: -t fusepassctl, /sys/fs/fusepass/connections)" },
};

static void show(struct json *j, const struct check *c, bool ok, const char *found)
{
	if (!cmd_json) {
		printf("%-8s %-12s %s\n", ok ? "ok" : "missing", c->name, found);
		if (!ok)
			printf("%22sdo: %s\n", "", c->advice);
		return;
	}
	json_object_begin(j, NULL);
	json_string(j, "name", c->name);
	json_bool(j, "ok", ok);
	json_string(j, "found", found);
	if (!ok)
		json_string(j, "advice", c->advice);
	json_object_end(j);
}

static bool run_checks(struct json *j)
{
	char found[256];
	bool all = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		bool ok = checks[i].run(found, sizeof(found));

		all = all && ok;
		show(j, &checks[i], ok, found);
	}
	return all;
}

static bool examine(void)
{
	struct json j;
	bool all;

	if (!cmd_json)
		return run_checks(NULL);
	cmd_json_begin(&j);
	json_array_begin(&j, "checks");
	all = run_checks(&j);
	json_array_end(&j);
	json_bool(&j, "ok", all);
	cmd_json_end(&j);
	return all;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT, options,
				NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	if (argc != optind)
		return cmd_usage("doctor takes no arguments");
	return examine() ? CMD_OK : CMD_FAILED;
}
