// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop goes on until a condition that the verifier cannot see the end of.
 *
 * program: case_lookup
 * line: refused
 * register:
 * reason: a loop has no end
 * change: use bpf_loop()
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

static volatile int go_on = 1;

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	while (go_on) /* refused */
		;
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
