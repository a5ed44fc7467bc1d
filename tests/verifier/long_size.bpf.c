// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function is told a size that the buffer does not have.
 *
 * program: case_lookup
 * line: refused
 * register: R3
 * reason: more than the buffer has
 * change: sizeof() of the buffer
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
	char name[8] = "name";

	return bpf_fuse_set_backing(l, 1, name, 64); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
