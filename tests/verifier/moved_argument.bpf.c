// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function gets a pointer into the argument.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: something else than it takes
 * change: own argument
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
	return bpf_fuse_set_ops((void *)((char *)l + 8), 0); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
