// SPDX-License-Identifier: GPL-2.0-only
/*
 * The value of a map is used without a look at whether it is there.
 *
 * program: case_lookup
 * line: refused
 * register: R0
 * reason: the pointer may be NULL
 * change: compare it with NULL
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	__u32 key = 0;
	__u64 *n = bpf_map_lookup_elem(&numbers, &key);

	*n += 1; /* refused */
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
