// SPDX-License-Identifier: GPL-2.0-only
/*
 * An array is read by an index that nothing limits.
 *
 * program: case_lookup
 * line: refused
 * register: R2
 * reason: nothing limits the index
 * change: compare it with a constant
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

static volatile int verdicts[16];

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return verdicts[l->nlink]; /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
