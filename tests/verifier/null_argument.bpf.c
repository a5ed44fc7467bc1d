// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function gets NULL in place of the argument.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: may be NULL where it is handed on
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
	return bpf_fuse_set_ops(NULL, 0); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
