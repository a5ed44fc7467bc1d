// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function of the kernel is called that is not for policies.
 *
 * program: case_lookup
 * line: refused
 * register:
 * reason: may not call this function
 * change: take the call out
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

struct sock_common {
	int unused;
} __attribute__((preserve_access_index));

extern int bpf_sock_destroy(struct sock_common *sock) __ksym;

SEC("struct_ops/lookup")
int BPF_PROG(case_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_sock_destroy((void *)l); /* refused */
}

SEC(".struct_ops.link")
struct fuse_policy_ops verifier_case = {
	.lookup	= (void *)case_lookup,
	.name	= "case",
};
