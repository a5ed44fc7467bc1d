// SPDX-License-Identifier: GPL-2.0-only
/*
 * rules: decide by a file of rules.
 *
 *   fusepass policy attach rules --rules FILE /mnt
 *
 * The file is compiled in user space into the map `tables`; fusepass_rules.h has
 * their form, and the decision. A directory's cookie tells where it is in the patterns
 * for paths, so a name costs one step whatever the path. See fusepass-rules(5).
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fusepass_abi.h"
#include "fusepass.bpf.h"

/* Set by the loader: number of cells in the tables, a power of 2, less 1. */
const volatile __u32 cells_mask FUSEPASS_HELP("set by the loader") = 0;

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

struct rules_eval;
static long step(__u32 i, struct rules_eval *e);
static __u32 search(const __u32 *t, const struct fuse_policy_lookup *l,
		    __u32 path, __u32 name, __u32 any);
static __u32 search_open(const __u32 *t, const struct fuse_policy_open *o,
			 __u32 path, __u32 name, __u32 any);
#define RULES_SEARCH(e, l, path, name, any) search((e)->t, l, path, name, any)
#define RULES_SEARCH_OPEN(e, o, path, name, any) \
	search_open((e)->t, o, path, name, any)
#define RULES_LOOP(e)		bpf_loop(RULES_STEPS, step, e, 0)
#define RULES_MASK(e)		cells_mask
#define RULES_CGROUP_OF(e, level) bpf_get_current_ancestor_cgroup_id(level)
#define RULES_NAME(name)	bpf_rdonly_cast(name, 0)
#include "fusepass_rules.h"
#include "count.h"

#define ENOENT	2

char _license[] SEC("license") = "GPL";

/* One value: the cells. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32) * (1 + RULES_SLACK));
} tables SEC(".maps");

/* How often each rule with `count` has decided, by its number. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rule_counts SEC(".maps");

/* What rules with `log` have decided. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} rule_log SEC(".maps");

/* The text of the file, for who asks what is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 1);
} rule_text SEC(".maps");

static __u64 type_bit(__u32 mode)
{
	return 1ULL << (mode >> 12 & 15);
}

static void fill_lookup(struct rules_eval *e, const struct fuse_policy_lookup *l)
{
	__s64 now;

	e->value[RULES_TYPE] = type_bit(l->mode);
	e->value[RULES_SIZE] = l->size;
	e->value[RULES_MODE] = l->mode & 07777;
	e->value[RULES_UID] = l->uid;
	e->value[RULES_GID] = l->gid;
	if (!(e->t[RULES_FLAGS] & RULES_F_AGE))
		return;
	now = bpf_ktime_get_tai_ns() / 1000000000 - (__s32)e->t[RULES_TAI_OFFSET];
	/* What was changed in the future was changed now. */
	e->value[RULES_AGE] = now > l->mtime ? now - l->mtime : 0;
}

static void fill_open(struct rules_eval *e, const struct fuse_policy_open *o)
{
	e->value[RULES_TYPE] = type_bit(o->mode);
	e->value[RULES_SIZE] = o->size;
	e->value[RULES_MODE] = o->mode & 07777;
	e->value[RULES_UID] = o->uid;
	e->value[RULES_GID] = o->gid;
	e->value[RULES_CALLER_UID] = o->caller_uid;
	e->value[RULES_CALLER_GID] = o->caller_gid;
}

static long step(__u32 i, struct rules_eval *e)
{
	return rules_step(e);
}

/* Only where tests are to be made values are wanted. */
static __noinline __u32 search(const __u32 *t,
			       const struct fuse_policy_lookup *l, __u32 path,
			       __u32 name, __u32 any)
{
	struct rules_eval e;

	e.t = t;
	e.listing = l->flags & FUSE_POLICY_READDIR;
	fill_lookup(&e, l);
	return rules_search(&e, path, name, any);
}

static __noinline __u32 search_open(const __u32 *t,
				    const struct fuse_policy_open *o,
				    __u32 path, __u32 name, __u32 any)
{
	struct rules_eval e;

	e.t = t;
	e.listing = 0;
	fill_open(&e, o);
	return rules_search(&e, path, name, any);
}

/*
 * The key is 8 bytes on the stack, or the compiler may keep a number in the other 4, of
 * which the verifier then knows nothing any more.
 */
static const __u32 *get_tables(void)
{
	__u64 key = 0;

	return bpf_map_lookup_elem(&tables, &key);
}

/* What the rule asks for beyond its verdict. */
static void note(const struct rules_rule *r, const char *name, __u32 what)
{
	struct fusepass_rule_event *ev;
	__u32 key = r->number;
	__u64 *n;

	if (r->flags & RULES_R_COUNT) {
		n = bpf_map_lookup_elem(&rule_counts, &key);
		if (n)
			*n += 1;
	}
	if (!(r->flags & RULES_R_LOG))
		return;
	ev = bpf_ringbuf_reserve(&rule_log, sizeof(*ev), 0);
	if (!ev)
		return;
	ev->time = bpf_ktime_get_ns();
	ev->rule = r->number;
	ev->verdict = r->verdict;
	ev->open = what;
	ev->pid = bpf_get_current_pid_tgid() >> 32;
	ev->uid = (__u32)bpf_get_current_uid_gid();
	ev->name[0] = '\0';
	if (name)
		bpf_probe_read_kernel_str(ev->name, sizeof(ev->name), name);
	bpf_ringbuf_submit(ev, 0);
}

/* What is done where no rule decides. */
static __noinline int by_default(const struct fuse_policy_lookup *l,
				 const __u32 *t, __u32 next)
{
	if (!rules_look_through(t, l->mode, next))
		return FUSEPASS_SERVER;
	if (bpf_fuse_set_ops(l, FUSE_PASSTHROUGH_OP_LOOKUP))
		return FUSEPASS_SERVER;
	bpf_fuse_set_cookie(l, next);
	return FUSEPASS_PASS;
}

static __always_inline int pass(const struct fuse_policy_lookup *l,
				const struct rules_rule *r, __u32 next)
{
	if (bpf_fuse_set_ops(l, r->ops))
		return FUSEPASS_SERVER;
	if (rules_is_dir(l->mode))
		bpf_fuse_set_cookie(l, next);
	return FUSEPASS_PASS;
}

/* A rule that has more to it than most. @opens: cookie of a file. */
static __noinline int decide_more(const struct fuse_policy_lookup *l,
				  const __u32 *t, const struct rules_rule *r,
				  __u32 next, __u64 opens)
{
	note(r, l->name, 0);
	if (r->flags & RULES_R_DEFAULT)
		return by_default(l, t, next);
	if (r->verdict != FUSEPASS_PASS)
		return r->verdict;
	if (r->flags & RULES_R_FOR)
		bpf_fuse_set_valid(l, r->valid);
	if (r->flags & RULES_R_OPENS)
		bpf_fuse_set_cookie(l, opens);
	return pass(l, r, next);
}

/* A listing is only asked about what is hidden. */
static __always_inline int decide(const struct fuse_policy_lookup *l,
				  const __u32 *t, __u32 mask,
				  const struct rules_decision *d)
{
	const struct rules_rule *r;

	if (d->rule == RULES_NONE)
		return by_default(l, t, d->next);
	r = RULES_AT(rules_rule, t, mask, d->rule);
	if (l->flags & FUSE_POLICY_READDIR)
		return r->flags & RULES_R_HIDE ? -ENOENT : FUSEPASS_PASS;
	if (r->flags & ~RULES_R_HIDE)
		return decide_more(l, t, r, d->next, rules_open_cookie(d));
	return r->verdict == FUSEPASS_PASS ? pass(l, r, d->next) : r->verdict;
}

/*
 * The root of the mount, or a name in a directory that the server registered: nobody
 * knows where that is.
 */
static __noinline int decide_other(const struct fuse_policy_lookup *l,
				   const __u32 *t)
{
	struct rules_eval e;
	struct rules_decision d;

	if (!(l->flags & FUSE_POLICY_ROOT))
		return FUSEPASS_SERVER;
	e.t = t;
	rules_judge_root(&e, cells_mask, l, &d);
	return decide(l, t, cells_mask, &d);
}

SEC("struct_ops/lookup")
int BPF_PROG(rules_lookup, const struct fuse_policy_lookup *l)
{
	struct rules_eval e;
	struct rules_decision d;
	__u32 dir = l->parent_cookie, mask;

	e.t = get_tables();
	if (!e.t)
		return FUSEPASS_SERVER;
	mask = cells_mask;
	if (!dir)
		return count_verdict(l, decide_other(l, e.t));
	rules_judge(&e, mask, l, dir, (const unsigned char *)l->name,
		    l->name_len, &d);
	return count_verdict(l, decide(l, e.t, mask, &d));
}

SEC("struct_ops/open")
int BPF_PROG(rules_open, const struct fuse_policy_open *o)
{
	/* What the server registered has none: only who opens it is known. */
	const __u64 unknown = (__u64)RULES_NOTHING << 40 |
			      (__u64)RULES_NOTHING << 16 | 0xffff;
	const struct rules_rule *r;
	struct rules_eval e;
	__u32 rule;

	e.t = get_tables();
	if (!e.t)
		return FUSEPASS_SERVER;
	rule = rules_judge_open(&e, o, o->cookie ? o->cookie : unknown);
	if (rule == RULES_NONE)
		return FUSEPASS_PASS;
	r = RULES_AT(rules_rule, e.t, cells_mask, rule);
	if (r->flags & (RULES_R_COUNT | RULES_R_LOG))
		note(r, NULL, 1);
	return r->verdict;
}

SEC(".struct_ops.link")
struct fuse_policy_ops rules
	FUSEPASS_HELP("decides by a file of rules, see fusepass-rules(5)") = {
	.lookup	= (void *)rules_lookup,
	.open	= (void *)rules_open,
	.name	= "rules",
};
