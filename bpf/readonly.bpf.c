// SPDX-License-Identifier: GPL-2.0-only
/*
 * readonly: pass the read side only.
 *
 *   fusepass policy attach readonly /mnt
 *
 * Names, attributes, listings and the bytes of files come from the backing
 * tree. What changes an existing file (SETATTR, SETXATTR, WRITE, FALLOCATE, an
 * open for writing and the like) goes to the server, which may refuse it, log it
 * or do it elsewhere.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"
#include "readonly.h"
#include "count.h"

char _license[] SEC("license") = "GPL";

SEC("struct_ops/lookup")
int BPF_PROG(readonly_lookup, const struct fuse_policy_lookup *l)
{
	/*
	 * Set for every name and not for the root alone: a parent's mask is
	 * inherited, but only while the parent was judged by this policy.
	 */
	if (bpf_fuse_set_ops(l, readonly_ops(FUSE_PASSTHROUGH_OPS)))
		return count_verdict(l, FUSEPASS_SERVER);
	return count_verdict(l, FUSEPASS_PASS);
}

SEC(".struct_ops.link")
struct fuse_policy_ops readonly
	FUSEPASS_HELP("passes what reads; what changes something is the server's") = {
	.lookup	= (void *)readonly_lookup,
	.name	= "readonly",
};
