// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two functions together need too much stack.
 *
 * program: case_lookup
 * line: none
 * register:
 * reason: more than 512 bytes
 * change: BPF_MAP_TYPE_PERCPU_ARRAY
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

static __noinline int longest(const struct fuse_policy_lookup *l)
{
	char name[300];

	if (bpf_probe_read_kernel_str(name, sizeof(name), l->name) < 0)
		return 0;
	return name[11];
}

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	char name[300];

	if (bpf_probe_read_kernel_str(name, sizeof(name), l->name) < 0)
		return FUSEPASS_SERVER;
	return longest(l) + name[7] == 0;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
