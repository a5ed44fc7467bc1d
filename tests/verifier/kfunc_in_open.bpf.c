// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function of .lookup is called from .open.
 *
 * program: case_open
 * line: refused
 * register:
 * reason: from .lookup alone
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
	return FUSEPASS_PASS;
}

SEC("struct_ops/open")
int BPF_PROG(case_open, const struct fuse_policy_open *o)
{
	return bpf_fuse_set_ops((void *)o, 0); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.open	= (void *)case_open,
	.name	= "case",
};
