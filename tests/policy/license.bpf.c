// SPDX-License-Identifier: GPL-2.0-only
/* A policy that says it is proprietary, which may not call kernel functions. */
#include "vmlinux.h"
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "Proprietary";

SEC("struct_ops/lookup")
int BPF_PROG(closed_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_ops(l, 0);
}

SEC(".struct_ops.link")
struct fuse_policy_ops closed = {
	.lookup	= (void *)closed_lookup,
	.name	= "closed",
};
