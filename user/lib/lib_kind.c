// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kinds of FUSE that this system has: the kernel's own, and that of the module
 * fusepass.ko beside it, which has device, file system type and control files of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib.h"

const struct lib_kind lib_kinds[LIB_NR_KINDS] = {
	{ "fuse", "/dev/fuse", "fusectl", "/sys/fs/fuse/connections" },
	{ "fusepass", "/dev/fusepass", "fusepassctl",
	  "/sys/fs/fusepass/connections" },
};

/* In whose types the hook is says whose hook it is. */
static bool types_have_hook(const char *file)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return !util_file_load(file, &text, &len) &&
	       memmem(text, len, "fuse_policy_ops", sizeof("fuse_policy_ops"));
}

/* The module is for kernels without the series, and mounts by root only. */
const struct lib_kind *lib_kind_here(void)
{
	const struct lib_kind *own = &lib_kinds[0], *module = &lib_kinds[1];

	if (access(module->device, R_OK | W_OK) ||
	    types_have_hook("/sys/kernel/btf/vmlinux") ||
	    types_have_hook("/sys/kernel/btf/fuse"))
		return own;
	return module;
}

#define CONTROL_MAGIC	0x65735543

bool lib_kind_controlled(const struct lib_kind *kind)
{
	struct statfs st;

	return !statfs(kind->connections, &st) && st.f_type == CONTROL_MAGIC;
}

static bool type_is(const char *type, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(type, name, len) && (!type[len] || type[len] == '.');
}

bool lib_kind_type(const char *type)
{
	for (int i = 0; i < LIB_NR_KINDS; i++)
		if (type_is(type, lib_kinds[i].type))
			return true;
	return type_is(type, "fuseblk");
}
