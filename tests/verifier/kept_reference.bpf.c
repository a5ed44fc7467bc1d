// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a ring buffer is not given back on one of the ways out.
 *
 * program: case_lookup
 * line: refused
 * register:
 * reason: not given back
 * change: submit or discard
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	__u64 *n = bpf_ringbuf_reserve(&ring, sizeof(*n), 0);

	if (!n || l->uid) /* refused */
		return FUSEPASS_SERVER;
	*n = l->ino;
	bpf_ringbuf_submit(n, 0);
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
