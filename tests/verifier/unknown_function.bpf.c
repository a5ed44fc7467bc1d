// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function is called that this kernel does not have.
 *
 * program:
 * line: none
 * register:
 * reason: does not have
 * change: fusepass.bpf.h
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

extern int bpf_fuse_set_colour(const struct fuse_policy_lookup *l) __ksym;

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_colour(l);
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
