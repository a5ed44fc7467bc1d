// SPDX-License-Identifier: GPL-2.0-only
/*
 * hides: all passes but names that begin with 'h', which nobody sees; see conc.sh.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

#define ENOENT 2

char _license[] SEC("license") = "GPL";

SEC("struct_ops/lookup")
int BPF_PROG(hides_lookup, const struct fuse_policy_lookup *l)
{
	char first;

	if (bpf_probe_read_kernel(&first, sizeof(first), l->name))
		return FUSEPASS_SERVER;
	return first == 'h' ? -ENOENT : FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops hides = {
	.lookup	= (void *)hides_lookup,
	.name	= "hides",
	.flags	= FUSE_POLICY_F_HIDES,
};
