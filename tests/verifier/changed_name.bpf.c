// SPDX-License-Identifier: GPL-2.0-only
/*
 * The name is written to.
 *
 * program: case_lookup
 * line: refused
 * register: R1
 * reason: can be read but not changed
 * change: copy it
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
	*(volatile char *)l->name = 'x'; /* refused */
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
