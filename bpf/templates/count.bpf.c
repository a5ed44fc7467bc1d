// SPDX-License-Identifier: GPL-2.0-only
/*
 * @NAME@: pass everything, and count what is looked up.
 *
 *   fusepass policy attach ./@NAME@.bpf.o /mnt
 *   bpftool map dump name counts
 *
 * A place to begin: the numbers tell what a policy would have to decide about.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <fusepass_abi.h>
#include <fusepass.bpf.h>

char _license[] SEC("license") = "GPL";

struct counts {
	__u64 files;
	__u64 directories;
	__u64 others;		/* links, devices, ... */
	__u64 absent;		/* names that do not exist */
};

/* One copy for each CPU: no CPU waits for another. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

#define IS_TYPE(mode, type)	(((mode) & 0170000) == (type))
#define FILE_TYPE	0100000
#define DIR_TYPE	0040000

static void count(struct counts *c, __u32 mode)
{
	if (!mode)
		c->absent++;
	else if (IS_TYPE(mode, FILE_TYPE))
		c->files++;
	else if (IS_TYPE(mode, DIR_TYPE))
		c->directories++;
	else
		c->others++;
}

SEC("struct_ops/lookup")
int BPF_PROG(@NAME@_lookup, const struct fuse_policy_lookup *l)
{
	__u32 key = 0;
	struct counts *c = bpf_map_lookup_elem(&counts, &key);

	/* The verifier wants to see that this pointer is looked at. */
	if (c)
		count(c, l->mode);
	return FUSEPASS_PASS;
}

SEC(".struct_ops.link")
struct fuse_policy_ops @NAME@
	FUSEPASS_HELP("counts what is looked up") = {
	.lookup	= (void *)@NAME@_lookup,
	.name	= "@NAME@",
};
