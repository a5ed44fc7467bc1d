/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters that every shipped policy keeps, one copy per CPU.
 *
 * For BPF code only. `bpftool map dump name counters` shows them with names,
 * since the map's value is a struct of fusepass_abi.h.
 */
#ifndef FUSEPASS_COUNT_H
#define FUSEPASS_COUNT_H

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fusepass_counters);
} counters SEC(".maps");

/* Counts one decision and hands the verdict through, to be returned. */
static inline int count_verdict(const struct fuse_policy_lookup *l, int verdict)
{
	struct fusepass_counters *c;
	__u32 key = 0;

	c = bpf_map_lookup_elem(&counters, &key);
	/* Never NULL for this key, but the verifier does not know. */
	if (!c)
		return verdict;

	/*
	 * The program may be preempted here, and a count be lost. Statistics may
	 * be off by one; atomics would cost every lookup.
	 */
	c->lookups++;
	if (l->flags & FUSE_POLICY_CREATE)
		c->created++;
	if (l->flags & FUSE_POLICY_READDIR)
		c->listed++;
	if (verdict == FUSEPASS_SERVER)
		c->asked++;
	else if (verdict < 0)
		return verdict;
	/* A name that exists has a type. */
	else if (l->mode)
		c->passed++;
	else
		c->negative++;
	return verdict;
}

#endif
