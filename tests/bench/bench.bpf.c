// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: a policy with a choice of masks and verdicts, for measurements.
 *
 * It counts nothing, so that what is measured is the kernel's part.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

/* Operations that pass, FUSE_PASSTHROUGH_OP_*; 0: the kernel's default. */
const volatile __u64 ops;
/* The verdict for all names but the root. */
const volatile int verdict = FUSEPASS_PASS;

SEC("struct_ops/lookup")
int BPF_PROG(bench_lookup, const struct fuse_policy_lookup *l)
{
	if (ops)
		bpf_fuse_set_ops(l, ops);
	/* Directories pass, or no name beneath them would be judged. */
	if (l->flags & FUSE_POLICY_ROOT || (l->mode & 0170000) == 0040000)
		return FUSEPASS_PASS;
	return verdict;
}

SEC(".struct_ops.link")
struct fuse_policy_ops bench = {
	.lookup	= (void *)bench_lookup,
	.name	= "bench",
};
