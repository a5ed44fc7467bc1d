// SPDX-License-Identifier: GPL-2.0-only
/*
 * @NAME@: which cgroup opens a file decides what is read.
 *
 *   id=$(stat -c %i /sys/fs/cgroup/build.slice)
 *   fusepass policy attach -k cgroup=$id ./@NAME@.bpf.o /mnt
 *
 * Processes in this cgroup, or in one beneath it, get files from the backing tree, all
 * others what the server makes of them.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <fusepass_abi.h>
#include <fusepass.bpf.h>

char _license[] SEC("license") = "GPL";

/* Number of the cgroup, that is the inode number of its directory. Default 0: none. */
const volatile __u64 cgroup
	FUSEPASS_HELP("number of the cgroup; 0 is none") = 0;

/* How deep a cgroup of a process may lie below the root. */
#define LEVELS	16

static int inside(void)
{
	for (int level = 1; level <= LEVELS; level++)
		if (bpf_get_current_ancestor_cgroup_id(level) == cgroup)
			return 1;
	return 0;
}

SEC("struct_ops/lookup")
int BPF_PROG(@NAME@_lookup, const struct fuse_policy_lookup *l)
{
	return FUSEPASS_PASS;
}

SEC("struct_ops/open")
int BPF_PROG(@NAME@_open, const struct fuse_policy_open *o)
{
	/* A level that the process does not have is cgroup 0. */
	return cgroup && inside() ? FUSEPASS_PASS : FUSEPASS_SERVER;
}

SEC(".struct_ops.link")
struct fuse_policy_ops @NAME@
	FUSEPASS_HELP("one cgroup opens files of the backing tree") = {
	.lookup	= (void *)@NAME@_lookup,
	.open	= (void *)@NAME@_open,
	.name	= "@NAME@",
};
