// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function of the kernel is declared in another way than it has.
 *
 * program:
 * line: none
 * register:
 * reason: in another way
 * change: fusepass.bpf.h
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

extern int bpf_sock_destroy(void *sock) __ksym;

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_sock_destroy((void *)l);
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
