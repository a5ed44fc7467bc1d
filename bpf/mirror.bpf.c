// SPDX-License-Identifier: GPL-2.0-only
/*
 * mirror: pass all that can be passed.
 *
 *   fusepass policy attach mirror /mnt
 *
 * The server sees no request for what this kernel can do on the backing
 * object. Which operations these are is the kernel's default mask, so the
 * program sets none. See suffix.bpf.c for a policy with a rule.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"
#include "count.h"

char _license[] SEC("license") = "GPL";

SEC("struct_ops/lookup")
int BPF_PROG(mirror_lookup, const struct fuse_policy_lookup *l)
{
	return count_verdict(l, FUSEPASS_PASS);
}

SEC(".struct_ops.link")
struct fuse_policy_ops mirror
	FUSEPASS_HELP("passes all that can be passed") = {
	.lookup	= (void *)mirror_lookup,
	.name	= "mirror",
};
