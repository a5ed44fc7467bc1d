/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that a test and the policy rules.bpf.c share: rules one way, calls the other.
 *
 * Both lie in the policy's .bss, which the test has mapped: a rule is changed
 * and a call read while the policy is attached. Included after vmlinux.h or
 * <linux/types.h>.
 */
#ifndef FUSEPASS_RULES_H
#define FUSEPASS_RULES_H

enum {
	RULES_MAX	= 8,
	RULES_CALLS	= 256,
	RULES_OPENS	= 64,
	RULES_NAME	= 32,
};

/* Which decisions a rule stages. */
enum {
	RULE_SET_OPS		= 1,
	RULE_SET_COOKIE		= 2,
	RULE_SET_VALID		= 4,
	RULE_SET_BACKING	= 8,
	/* The cookie staged is the parent's plus this rule's. */
	RULE_ADD_COOKIE		= 16,
};

struct rule {
	char name[RULES_NAME];	/* "": any name that no other rule has */
	__s32 verdict;
	__u32 set;
	__u64 ops;
	__u64 cookie;
	__u64 valid;
	char path[RULES_NAME];	/* set_backing: name beneath the id */
	__s32 backing;
	__s32 result;		/* out: what the last kfunc of this rule gave */
	/* Applies only to lookups with these flags, to parents with this cookie
	 * when it is not 0, and to callers with this uid when by_caller is set. */
	__u32 flags;
	__u32 hits;		/* out */
	__u64 parent_cookie;
	__s32 in_use;
	__u32 by_caller;
	__u32 caller;
	__u32 pad;
	__u64 spin;		/* nanoseconds that the program takes, or until go_on */
};

/* One call of .lookup as the program saw it. */
struct rules_call {
	char name[RULES_NAME];
	__u64 parent_nodeid, parent_cookie, ino, size;
	__s64 atime, mtime, ctime;
	__u32 atime_nsec, mtime_nsec, ctime_nsec;
	__u32 name_len, flags, mode, uid, gid, nlink;
	__s32 verdict;
	__u32 caller;		/* uid of whoever looks */
};

/* A verdict of .open; an open that no rule fits goes by the mask. */
struct open_rule {
	__u64 cookie;		/* of the file; 0: any */
	__s32 verdict;
	__s32 in_use;
	__u32 by_caller;
	__u32 caller;
	__u32 hits;		/* out */
	__u32 pad;
};

/* One call of .open as the program saw it, and what BPF itself says about the caller. */
struct rules_open {
	__u64 cookie, ino, size, caller_cgroup, cgroup;
	__u32 mode, uid, gid, flags;
	__u32 caller_uid, caller_gid, caller_pid, pid;
	__s32 verdict;
	__u32 pad;
};

struct rules_shared {
	struct rule rules[RULES_MAX];
	struct rules_call calls[RULES_CALLS];
	__u64 ncalls;
	struct open_rule open_rules[RULES_MAX];
	struct rules_open opens[RULES_OPENS];
	__u64 nopens;
	__u64 go_on;
};

#endif
