// SPDX-License-Identifier: GPL-2.0-only
/*
 * A number is used as a pointer.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: a number is used as a pointer
 * change: bpf_probe_read_kernel
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
	return *(int *)l->ino; /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
