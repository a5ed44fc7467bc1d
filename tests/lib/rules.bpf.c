// SPDX-License-Identifier: GPL-2.0-only
/*
 * rules: a policy that does what a test writes into its memory.
 *
 * It may return any verdict and stage anything, so that one program serves all
 * tests of the hook. The first rule that fits wins; with none the name passes.
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"
#include "rules.h"

char _license[] SEC("license") = "GPL";

struct rules_shared shared;

static void record(const struct fuse_policy_lookup *l, int verdict)
{
	__u64 n = __sync_fetch_and_add(&shared.ncalls, 1);
	struct rules_call *c = &shared.calls[n % RULES_CALLS];

	bpf_probe_read_kernel_str(c->name, sizeof(c->name), l->name);
	c->parent_nodeid = l->parent_nodeid;
	c->parent_cookie = l->parent_cookie;
	c->ino = l->ino;
	c->size = l->size;
	c->atime = l->atime;
	c->mtime = l->mtime;
	c->ctime = l->ctime;
	c->atime_nsec = l->atime_nsec;
	c->mtime_nsec = l->mtime_nsec;
	c->ctime_nsec = l->ctime_nsec;
	c->name_len = l->name_len;
	c->flags = l->flags;
	c->mode = l->mode;
	c->uid = l->uid;
	c->gid = l->gid;
	c->nlink = l->nlink;
	c->verdict = verdict;
	c->caller = (__u32)bpf_get_current_uid_gid();
}

static bool same_name(const char *a, const char *b)
{
	int i;

	for (i = 0; i < RULES_NAME; i++) {
		if (a[i] != b[i])
			return false;
		if (!a[i])
			break;
	}
	return true;
}

static bool fits(const struct rule *r, const struct fuse_policy_lookup *l,
		 const char *name)
{
	if (!r->in_use || (r->flags & l->flags) != r->flags)
		return false;
	if (r->parent_cookie && r->parent_cookie != l->parent_cookie)
		return false;
	if (r->by_caller && r->caller != (__u32)bpf_get_current_uid_gid())
		return false;
	return !r->name[0] || same_name(r->name, name);
}

static void stage(struct rule *r, const struct fuse_policy_lookup *l)
{
	char path[RULES_NAME];
	__u64 cookie = r->cookie;

	if (r->set & RULE_SET_OPS)
		r->result = bpf_fuse_set_ops(l, r->ops);
	if (r->set & RULE_ADD_COOKIE)
		cookie += l->parent_cookie;
	if (r->set & (RULE_SET_COOKIE | RULE_ADD_COOKIE))
		r->result = bpf_fuse_set_cookie(l, cookie);
	if (r->set & RULE_SET_VALID)
		r->result = bpf_fuse_set_valid(l, r->valid);
	if (r->set & RULE_SET_BACKING) {
		__builtin_memcpy(path, r->path, sizeof(path));
		r->result = bpf_fuse_set_backing(l, r->backing, path,
						 sizeof(path));
	}
}

static long spin_step(__u64 i, __u64 *end)
{
	return shared.go_on || bpf_ktime_get_ns() >= *end;
}

static long spin_round(__u64 i, __u64 *end)
{
	bpf_loop(1 << 20, spin_step, end, 0);
	return shared.go_on || bpf_ktime_get_ns() >= *end;
}

/* Takes its time, as a program may that does not sleep. */
static void spin(__u64 nsec)
{
	__u64 end = bpf_ktime_get_ns() + nsec;

	bpf_loop(256, spin_round, &end, 0);
}

static int decide(const struct fuse_policy_lookup *l)
{
	char name[RULES_NAME] = {};
	int i;

	bpf_probe_read_kernel_str(name, sizeof(name), l->name);
	for (i = 0; i < RULES_MAX; i++) {
		struct rule *r = &shared.rules[i];

		if (!fits(r, l, name))
			continue;
		r->hits++;
		stage(r, l);
		if (r->spin)
			spin(r->spin);
		return r->verdict;
	}
	return FUSEPASS_PASS;
}

SEC("struct_ops/lookup")
int BPF_PROG(rules_lookup, const struct fuse_policy_lookup *l)
{
	int verdict = decide(l);

	record(l, verdict);
	return verdict;
}

SEC("struct_ops/lookup")
int BPF_PROG(rules_2_lookup, const struct fuse_policy_lookup *l)
{
	int verdict = decide(l);

	record(l, verdict);
	return verdict;
}

SEC("struct_ops/lookup")
int BPF_PROG(rules_open_lookup, const struct fuse_policy_lookup *l)
{
	int verdict = decide(l);

	record(l, verdict);
	return verdict;
}

static int decide_open(const struct fuse_policy_open *o)
{
	int i;

	for (i = 0; i < RULES_MAX; i++) {
		struct open_rule *r = &shared.open_rules[i];

		if (!r->in_use || (r->cookie && r->cookie != o->cookie) ||
		    (r->by_caller && r->caller != o->caller_uid))
			continue;
		r->hits++;
		return r->verdict;
	}
	return FUSEPASS_PASS;
}

SEC("struct_ops/open")
int BPF_PROG(rules_open_open, const struct fuse_policy_open *o)
{
	__u64 n = __sync_fetch_and_add(&shared.nopens, 1);
	struct rules_open *c = &shared.opens[n % RULES_OPENS];

	c->cookie = o->cookie;
	c->ino = o->ino;
	c->size = o->size;
	c->mode = o->mode;
	c->uid = o->uid;
	c->gid = o->gid;
	c->flags = o->flags;
	c->caller_uid = o->caller_uid;
	c->caller_gid = o->caller_gid;
	c->caller_pid = o->caller_pid;
	c->caller_cgroup = o->caller_cgroup;
	c->pid = bpf_get_current_pid_tgid() >> 32;
	c->cgroup = bpf_get_current_cgroup_id();
	c->verdict = decide_open(o);
	return c->verdict;
}

SEC(".struct_ops.link")
struct fuse_policy_ops rules = {
	.lookup	= (void *)rules_lookup,
	.name	= "rules",
};

/* Same decisions by another policy: the one to replace with. */
SEC(".struct_ops.link")
struct fuse_policy_ops rules_2 = {
	.lookup	= (void *)rules_2_lookup,
	.name	= "rules_2",
};

/* Decides about opens as well. */
SEC(".struct_ops.link")
struct fuse_policy_ops rules_open = {
	.lookup	= (void *)rules_open_lookup,
	.open	= (void *)rules_open_open,
	.name	= "rules_open",
};
