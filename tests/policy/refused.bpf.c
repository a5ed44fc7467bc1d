// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the verifier has to refuse, and some that it must not.
 *
 * verifier_test.c loads one at a time and expects what its table says.
 */
#include "vmlinux.h"
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

char _license[] SEC("license") = "GPL";

#define POLICY_WITH_OPEN(id)						\
	SEC(".struct_ops.link")						\
	struct fuse_policy_ops id = {					\
		.lookup	= (void *)good_lookup,				\
		.open	= (void *)id##_open,				\
		.name	= #id,						\
	}

#define POLICY(id)							\
	SEC(".struct_ops.link")						\
	struct fuse_policy_ops id = {					\
		.lookup	= (void *)id##_lookup,				\
		.name	= #id,						\
	}

/* The good ones: the refusals below are not for another reason. */

SEC("struct_ops/lookup")
int BPF_PROG(good_lookup, const struct fuse_policy_lookup *l)
{
	char name[8] = "name";

	bpf_fuse_set_ops(l, FUSE_PASSTHROUGH_OPS);
	bpf_fuse_set_cookie(l, l->parent_cookie + 1);
	bpf_fuse_set_valid(l, l->size);
	bpf_fuse_set_backing(l, 1, name, sizeof(name));
	return l->mode ? FUSEPASS_PASS : FUSEPASS_SERVER;
}
POLICY(good);

static __noinline int set_from_subprog(const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_cookie(l, 7);
}

SEC("struct_ops/lookup")
int BPF_PROG(good_sub_lookup, const struct fuse_policy_lookup *l)
{
	return set_from_subprog(l) ? FUSEPASS_SERVER : FUSEPASS_PASS;
}
POLICY(good_sub);

SEC("struct_ops/open")
int BPF_PROG(good_opens_open, const struct fuse_policy_open *o)
{
	__u64 seen = o->cookie ^ o->ino ^ o->size ^ o->caller_cgroup;

	seen ^= o->mode ^ o->uid ^ o->gid ^ o->flags;
	seen ^= o->caller_uid ^ o->caller_gid ^ o->caller_pid;
	return seen ? FUSEPASS_PASS : FUSEPASS_SERVER;
}
POLICY_WITH_OPEN(good_opens);

/* None of them sleeps: somebody may wait for it. */

SEC("struct_ops.s/lookup")
int BPF_PROG(sleeps_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_ops(l, 0);
}
POLICY(sleeps);

SEC("struct_ops.s/open")
int BPF_PROG(sleeps_in_open_open, const struct fuse_policy_open *o)
{
	return FUSEPASS_PASS;
}
POLICY_WITH_OPEN(sleeps_in_open);

/* The name is memory that the program may read and not trust. */

SEC("struct_ops/lookup")
int BPF_PROG(reads_name_lookup, const struct fuse_policy_lookup *l)
{
	return *(volatile const char *)l->name == 'x';
}
POLICY(reads_name);

/* The program cannot change its argument. */

SEC("struct_ops/lookup")
int BPF_PROG(writes_arg_lookup, const struct fuse_policy_lookup *l)
{
	((struct fuse_policy_lookup *)l)->size = 1;
	return FUSEPASS_PASS;
}
POLICY(writes_arg);

SEC("struct_ops/lookup")
int BPF_PROG(reads_behind_lookup, const struct fuse_policy_lookup *l)
{
	return *(volatile int *)((char *)l + 4096);
}
POLICY(reads_behind);

SEC("struct_ops/lookup")
int BPF_PROG(writes_name_lookup, const struct fuse_policy_lookup *l)
{
	*(volatile char *)l->name = 'x';
	return FUSEPASS_PASS;
}
POLICY(writes_name);

SEC("struct_ops/open")
int BPF_PROG(writes_open_open, const struct fuse_policy_open *o)
{
	((struct fuse_policy_open *)o)->caller_uid = 0;
	return FUSEPASS_PASS;
}
POLICY_WITH_OPEN(writes_open);

SEC("struct_ops/open")
int BPF_PROG(behind_open_open, const struct fuse_policy_open *o)
{
	return *(volatile int *)((char *)o + 4096);
}
POLICY_WITH_OPEN(behind_open);

/* The kfuncs take the program's own argument and nothing like it. */

SEC("struct_ops/lookup")
int BPF_PROG(null_arg_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_ops(NULL, 0);
}
POLICY(null_arg);

SEC("struct_ops/lookup")
int BPF_PROG(stack_arg_lookup, const struct fuse_policy_lookup *l)
{
	struct fuse_policy_lookup mine = {};

	return bpf_fuse_set_ops(&mine, 0);
}
POLICY(stack_arg);

SEC("struct_ops/lookup")
int BPF_PROG(number_arg_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_ops((void *)l->ino, 0);
}
POLICY(number_arg);

SEC("struct_ops/lookup")
int BPF_PROG(moved_arg_lookup, const struct fuse_policy_lookup *l)
{
	return bpf_fuse_set_ops((void *)((char *)l + 8), 0);
}
POLICY(moved_arg);

SEC("struct_ops/lookup")
int BPF_PROG(long_buffer_lookup, const struct fuse_policy_lookup *l)
{
	char name[8] = "name";

	return bpf_fuse_set_backing(l, 1, name, 64);
}
POLICY(long_buffer);

/* Nor may anyone else call them, such as an open program of the same policy. */

SEC("struct_ops/open")
int BPF_PROG(ops_in_open_open, const struct fuse_policy_open *o)
{
	return bpf_fuse_set_ops((void *)o, 0);
}
POLICY_WITH_OPEN(ops_in_open);

SEC("struct_ops/open")
int BPF_PROG(cookie_in_open_open, const struct fuse_policy_open *o)
{
	return bpf_fuse_set_cookie((void *)o, 0);
}
POLICY_WITH_OPEN(cookie_in_open);

SEC("struct_ops/open")
int BPF_PROG(valid_in_open_open, const struct fuse_policy_open *o)
{
	return bpf_fuse_set_valid((void *)o, 0);
}
POLICY_WITH_OPEN(valid_in_open);

SEC("struct_ops/open")
int BPF_PROG(backing_in_open_open, const struct fuse_policy_open *o)
{
	char name[8] = "name";

	return bpf_fuse_set_backing((void *)o, 1, name, sizeof(name));
}
POLICY_WITH_OPEN(backing_in_open);

/* Of another struct_ops, as much as is needed here. */
struct sock {
	int unused;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops/tcp_ssthresh")
__u32 BPF_PROG(tcp_ssthresh, struct sock *sk)
{
	return bpf_fuse_set_ops((void *)sk, 0);
}

SEC("struct_ops/tcp_undo_cwnd")
__u32 BPF_PROG(tcp_undo_cwnd, struct sock *sk)
{
	return 1;
}

SEC("struct_ops/tcp_cong_avoid")
void BPF_PROG(tcp_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC(".struct_ops.link")
struct tcp_congestion_ops other_ops = {
	.ssthresh	= (void *)tcp_ssthresh,
	.undo_cwnd	= (void *)tcp_undo_cwnd,
	.cong_avoid	= (void *)tcp_cong_avoid,
	.name		= "other_ops",
};

SEC("?raw_tp/sys_enter")
int kfunc_in_tracing(void *ctx)
{
	return bpf_fuse_set_ops(ctx, 0);
}

SEC("?syscall")
int kfunc_in_syscall(void *ctx)
{
	return bpf_fuse_set_ops(ctx, 0);
}

/* Loads; refused at attach. */

SEC(".struct_ops.link")
struct fuse_policy_ops no_lookup = {
	.name	= "no_lookup",
};
