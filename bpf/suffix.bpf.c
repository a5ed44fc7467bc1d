// SPDX-License-Identifier: GPL-2.0-only
/*
 * suffix: pass files by the end of their name.
 *
 *   fusepass policy attach suffix -k suffixes=.txt,.h /mnt
 *
 * The rule itself is in suffix.h. A name that does not match, existing or not,
 * is the server's: it may show what the backing tree does not have.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"
#include "suffix.h"
#include "count.h"

char _license[] SEC("license") = "GPL";

/* Suffixes, separated by commas. Default "": only directories pass. */
const volatile char suffixes[SUFFIX_LIST_SIZE]
	FUSEPASS_HELP("suffixes separated by commas; with none, only directories pass") = "";

/* Copies the end of the name to @tail and returns how many bytes it has. */
static int name_tail(const struct fuse_policy_lookup *l,
		     char tail[SUFFIX_TAIL_SIZE + 1])
{
	__u32 len = l->name_len, off = 0;

	if (len > SUFFIX_TAIL_SIZE) {
		off = len - SUFFIX_TAIL_SIZE;
		len = SUFFIX_TAIL_SIZE;
	}
	/* The size counts the NUL. */
	if (bpf_probe_read_kernel_str(tail, SUFFIX_TAIL_SIZE + 1,
				      l->name + off) != (long)len + 1)
		return -1;
	return len;
}

static int matches(const struct fuse_policy_lookup *l)
{
	char tail[SUFFIX_TAIL_SIZE + 1] = {};
	int len;

	len = name_tail(l, tail);
	return len > 0 && suffix_match(tail, len, suffixes);
}

SEC("struct_ops/lookup")
int BPF_PROG(suffix_lookup, const struct fuse_policy_lookup *l)
{
	return count_verdict(l, suffix_verdict(l->mode, matches(l)));
}

SEC(".struct_ops.link")
struct fuse_policy_ops suffix
	FUSEPASS_HELP("passes names by their end, and directories") = {
	.lookup	= (void *)suffix_lookup,
	.name	= "suffix",
};
