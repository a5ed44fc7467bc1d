// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies behind the argument is read.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: no such member
 * change: by their names
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
	return *(volatile int *)((char *)l + 4096); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
