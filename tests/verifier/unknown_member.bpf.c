// SPDX-License-Identifier: GPL-2.0-only
/*
 * A member is read that this kernel does not have.
 *
 * program: case_lookup
 * line: refused
 * register:
 * reason: does not have
 * change: bpf_core_field_exists
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

struct fuse_policy_lookup___new {
	__u64 colour;
} __attribute__((preserve_access_index));

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return ((struct fuse_policy_lookup___new *)l)->colour == 3; /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
