// SPDX-License-Identifier: GPL-2.0-only
/*
 * A helper is called that is not for policies.
 *
 * program: case_lookup
 * line: refused
 * register:
 * reason: may not call this helper
 * change: take the call out
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
	return bpf_skb_pull_data((void *)l, 1); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
