// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program says that it sleeps.
 *
 * program: case_lookup
 * line: none
 * register:
 * reason: cannot be that member
 * change: policies do not sleep
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

SEC("struct_ops.s/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
