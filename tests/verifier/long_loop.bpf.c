// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop has an end, but too many ways lead to it.
 *
 * program: case_lookup
 * line: any
 * register:
 * reason: too many ways
 * change: use bpf_loop()
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

static volatile int seen;

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	int odd = 0;

	for (int i = 0; i < 100000; i++)
		if (seen & 1)
			odd += seen;
	return odd & 1;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
