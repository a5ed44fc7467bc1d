// SPDX-License-Identifier: GPL-2.0-only
/*
 * opens: a policy that passes all names, and lets one user read and write what they lead
 * to as it is. What others open is the server's.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

/* The uid whose opens pass. */
const volatile __u32 reader;

SEC("struct_ops/lookup")
int BPF_PROG(opens_lookup, const struct fuse_policy_lookup *l)
{
	return FUSEPASS_PASS;
}

SEC("struct_ops/open")
int BPF_PROG(opens_open, const struct fuse_policy_open *o)
{
	return o->caller_uid == reader ? FUSEPASS_PASS : FUSEPASS_SERVER;
}

SEC(".struct_ops.link")
struct fuse_policy_ops opens = {
	.lookup	= (void *)opens_lookup,
	.open	= (void *)opens_open,
	.name	= "opens",
};
