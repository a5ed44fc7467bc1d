// SPDX-License-Identifier: GPL-2.0-only
/*
 * A register is read that was never set.
 *
 * program: case_lookup
 * line: refused
 * register: R7
 * reason: never set
 * change: set the variable
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
	int verdict;

	asm volatile("%0 = r7" : "=r"(verdict)); /* refused */
	return verdict;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
