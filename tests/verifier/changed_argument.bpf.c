// SPDX-License-Identifier: GPL-2.0-only
/*
 * The argument is written to.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: cannot be changed
 * change: return value
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	((struct fuse_policy_lookup *)l)->uid = 0; /* refused */
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
