// SPDX-License-Identifier: GPL-2.0-only
/*
 * @NAME@: who opens a file decides what is read.
 *
 *   fusepass policy attach -k uid=1000 ./@NAME@.bpf.o /mnt
 *
 * One user gets files from the backing tree, all others what the server makes of them.
 * A name is looked up once for everybody, so names, attributes and listings pass for
 * all; .open is asked at each open.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <fusepass_abi.h>
#include <fusepass.bpf.h>

char _license[] SEC("license") = "GPL";

/* Who reads the backing files. Default 0: root. */
const volatile __u32 uid
	FUSEPASS_HELP("who opens files of the backing tree") = 0;

SEC("struct_ops/lookup")
int BPF_PROG(@NAME@_lookup, const struct fuse_policy_lookup *l)
{
	return FUSEPASS_PASS;
}

/* There are caller_gid, caller_pid and caller_cgroup too; man 7 fusepass_policy. */
SEC("struct_ops/open")
int BPF_PROG(@NAME@_open, const struct fuse_policy_open *o)
{
	return o->caller_uid == uid ? FUSEPASS_PASS : FUSEPASS_SERVER;
}

SEC(".struct_ops.link")
struct fuse_policy_ops @NAME@
	FUSEPASS_HELP("one user opens files of the backing tree") = {
	.lookup	= (void *)@NAME@_lookup,
	.open	= (void *)@NAME@_open,
	.name	= "@NAME@",
};
