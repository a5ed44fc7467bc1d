// SPDX-License-Identifier: GPL-2.0-only
/*
 * @NAME@: one name of the root comes from another directory.
 *
 *   fusepass policy attach -k backing_id=1 -k entry=cache ./@NAME@.bpf.o /mnt
 *
 * That directory is one that the server has registered (FUSE_DEV_IOC_BACKING_OPEN); the
 * server knows the number. The name is looked up in it instead of the root's own backing
 * directory, and what is beneath the name follows. All else passes as it is.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <fusepass_abi.h>
#include <fusepass.bpf.h>

char _license[] SEC("license") = "GPL";

/* Number of the registered directory. Default 0: nothing is redirected. */
const volatile __s32 backing_id
	FUSEPASS_HELP("number that the server registered the directory by") = 0;
/* The name in the root that is looked up there. */
const volatile char entry[32]
	FUSEPASS_HELP("the name") = "";

/* The cookie of the root, by which its names are known. */
#define ROOT	1

static int is_entry(const struct fuse_policy_lookup *l, char name[sizeof(entry)])
{
	if (l->parent_cookie != ROOT || !backing_id)
		return 0;
	if (bpf_probe_read_kernel_str(name, sizeof(entry), l->name) < 0)
		return 0;
	return !bpf_strncmp(name, sizeof(entry), (const char *)entry);
}

SEC("struct_ops/lookup")
int BPF_PROG(@NAME@_lookup, const struct fuse_policy_lookup *l)
{
	char name[sizeof(entry)] = {};

	if (l->flags & FUSE_POLICY_ROOT)
		bpf_fuse_set_cookie(l, ROOT);
	else if (is_entry(l, name) &&
		 bpf_fuse_set_backing(l, backing_id, name, sizeof(name)))
		return FUSEPASS_SERVER;
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops @NAME@
	FUSEPASS_HELP("looks for one name of the root in another directory") = {
	.lookup	= (void *)@NAME@_lookup,
	.name	= "@NAME@",
};
