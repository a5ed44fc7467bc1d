// SPDX-License-Identifier: GPL-2.0-only
/* A policy that the verifier refuses, for what the command says about it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"

char _license[] SEC("license") = "GPL";

SEC("struct_ops/lookup")
int BPF_PROG(stray_lookup, const struct fuse_policy_lookup *l)
{
	const volatile int *stray = (const volatile int *)(long)l->size;

	return *stray;
}

SEC(".struct_ops.link")
struct fuse_policy_ops stray = {
	.lookup	= (void *)stray_lookup,
	.name	= "stray",
};
