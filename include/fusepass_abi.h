/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values and types that BPF policies and C programs of fusepass share.
 *
 * Fixed-width types, explicit padding, a size assert per struct; nothing else
 * is shared between the two sides. Policies include it after vmlinux.h, C code
 * as it is. The terms (pass, ops_mask, verdict) are the kernel's own: see
 * Documentation/filesystems/fuse/fuse-passthrough.rst of the patched kernel.
 */
#ifndef FUSEPASS_ABI_H
#define FUSEPASS_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define FUSEPASS_ABI_ASSERT(cond, text)	static_assert(cond, text)
#else
#define FUSEPASS_ABI_ASSERT(cond, text)	_Static_assert(cond, text)
#endif

/*
 * The verdict, which is what .lookup and .open return. A value of -1 to -511 other than
 * -ECHILD and -ESTALE fails the lookup or the open with it; anything else is taken for
 * FUSEPASS_SERVER.
 */
#define FUSEPASS_SERVER	0	/* ask the server; it serves that open file alone */
#define FUSEPASS_PASS	1	/* serve it from its backing object, by the ops_mask */

/*
 * Bits of an ops_mask, one for each FUSE opcode that can be passed. The same
 * values as in <linux/fuse.h>, repeated because macros are not in BTF.
 */
#ifndef FUSE_PASSTHROUGH_OP
#define FUSE_PASSTHROUGH_OP(op)		(1ULL << ((op) - 1))
#define FUSE_PASSTHROUGH_OP_LOOKUP	FUSE_PASSTHROUGH_OP(1)
#define FUSE_PASSTHROUGH_OP_GETATTR	FUSE_PASSTHROUGH_OP(3)
#define FUSE_PASSTHROUGH_OP_SETATTR	FUSE_PASSTHROUGH_OP(4)
#define FUSE_PASSTHROUGH_OP_READLINK	FUSE_PASSTHROUGH_OP(5)
#define FUSE_PASSTHROUGH_OP_SYMLINK	FUSE_PASSTHROUGH_OP(6)
#define FUSE_PASSTHROUGH_OP_MKNOD	FUSE_PASSTHROUGH_OP(8)
#define FUSE_PASSTHROUGH_OP_MKDIR	FUSE_PASSTHROUGH_OP(9)
#define FUSE_PASSTHROUGH_OP_UNLINK	FUSE_PASSTHROUGH_OP(10)
#define FUSE_PASSTHROUGH_OP_RMDIR	FUSE_PASSTHROUGH_OP(11)
#define FUSE_PASSTHROUGH_OP_RENAME	FUSE_PASSTHROUGH_OP(12)
#define FUSE_PASSTHROUGH_OP_LINK	FUSE_PASSTHROUGH_OP(13)
#define FUSE_PASSTHROUGH_OP_OPEN	FUSE_PASSTHROUGH_OP(14)
#define FUSE_PASSTHROUGH_OP_READ	FUSE_PASSTHROUGH_OP(15)
#define FUSE_PASSTHROUGH_OP_WRITE	FUSE_PASSTHROUGH_OP(16)
#define FUSE_PASSTHROUGH_OP_STATFS	FUSE_PASSTHROUGH_OP(17)
#define FUSE_PASSTHROUGH_OP_RELEASE	FUSE_PASSTHROUGH_OP(18)
#define FUSE_PASSTHROUGH_OP_FSYNC	FUSE_PASSTHROUGH_OP(20)
#define FUSE_PASSTHROUGH_OP_SETXATTR	FUSE_PASSTHROUGH_OP(21)
#define FUSE_PASSTHROUGH_OP_GETXATTR	FUSE_PASSTHROUGH_OP(22)
#define FUSE_PASSTHROUGH_OP_LISTXATTR	FUSE_PASSTHROUGH_OP(23)
#define FUSE_PASSTHROUGH_OP_REMOVEXATTR	FUSE_PASSTHROUGH_OP(24)
#define FUSE_PASSTHROUGH_OP_FLUSH	FUSE_PASSTHROUGH_OP(25)
#define FUSE_PASSTHROUGH_OP_OPENDIR	FUSE_PASSTHROUGH_OP(27)
#define FUSE_PASSTHROUGH_OP_READDIR	FUSE_PASSTHROUGH_OP(28)
#define FUSE_PASSTHROUGH_OP_RELEASEDIR	FUSE_PASSTHROUGH_OP(29)
#define FUSE_PASSTHROUGH_OP_FSYNCDIR	FUSE_PASSTHROUGH_OP(30)
#define FUSE_PASSTHROUGH_OP_GETLK	FUSE_PASSTHROUGH_OP(31)
#define FUSE_PASSTHROUGH_OP_SETLK	FUSE_PASSTHROUGH_OP(32)
#define FUSE_PASSTHROUGH_OP_SETLKW	FUSE_PASSTHROUGH_OP(33)
#define FUSE_PASSTHROUGH_OP_ACCESS	FUSE_PASSTHROUGH_OP(34)
#define FUSE_PASSTHROUGH_OP_CREATE	FUSE_PASSTHROUGH_OP(35)
#define FUSE_PASSTHROUGH_OP_IOCTL	FUSE_PASSTHROUGH_OP(39)
#define FUSE_PASSTHROUGH_OP_FALLOCATE	FUSE_PASSTHROUGH_OP(43)
#define FUSE_PASSTHROUGH_OP_READDIRPLUS	FUSE_PASSTHROUGH_OP(44)
#define FUSE_PASSTHROUGH_OP_RENAME2	FUSE_PASSTHROUGH_OP(45)
#define FUSE_PASSTHROUGH_OP_LSEEK	FUSE_PASSTHROUGH_OP(46)
#define FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE FUSE_PASSTHROUGH_OP(47)
#define FUSE_PASSTHROUGH_OP_TMPFILE	FUSE_PASSTHROUGH_OP(51)
#define FUSE_PASSTHROUGH_OP_STATX	FUSE_PASSTHROUGH_OP(52)
#define FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE_64 FUSE_PASSTHROUGH_OP(53)
#define FUSE_PASSTHROUGH_OPS \
	(FUSE_PASSTHROUGH_OP_LOOKUP | FUSE_PASSTHROUGH_OP_GETATTR | \
	 FUSE_PASSTHROUGH_OP_SETATTR | FUSE_PASSTHROUGH_OP_READLINK | \
	 FUSE_PASSTHROUGH_OP_SYMLINK | FUSE_PASSTHROUGH_OP_MKNOD | \
	 FUSE_PASSTHROUGH_OP_MKDIR | FUSE_PASSTHROUGH_OP_UNLINK | \
	 FUSE_PASSTHROUGH_OP_RMDIR | FUSE_PASSTHROUGH_OP_RENAME | \
	 FUSE_PASSTHROUGH_OP_LINK | FUSE_PASSTHROUGH_OP_OPEN | \
	 FUSE_PASSTHROUGH_OP_READ | FUSE_PASSTHROUGH_OP_WRITE | \
	 FUSE_PASSTHROUGH_OP_STATFS | FUSE_PASSTHROUGH_OP_RELEASE | \
	 FUSE_PASSTHROUGH_OP_FSYNC | FUSE_PASSTHROUGH_OP_SETXATTR | \
	 FUSE_PASSTHROUGH_OP_GETXATTR | FUSE_PASSTHROUGH_OP_LISTXATTR | \
	 FUSE_PASSTHROUGH_OP_REMOVEXATTR | FUSE_PASSTHROUGH_OP_FLUSH | \
	 FUSE_PASSTHROUGH_OP_OPENDIR | FUSE_PASSTHROUGH_OP_READDIR | \
	 FUSE_PASSTHROUGH_OP_RELEASEDIR | FUSE_PASSTHROUGH_OP_FSYNCDIR | \
	 FUSE_PASSTHROUGH_OP_GETLK | FUSE_PASSTHROUGH_OP_SETLK | \
	 FUSE_PASSTHROUGH_OP_SETLKW | FUSE_PASSTHROUGH_OP_ACCESS | \
	 FUSE_PASSTHROUGH_OP_CREATE | FUSE_PASSTHROUGH_OP_IOCTL | \
	 FUSE_PASSTHROUGH_OP_FALLOCATE | FUSE_PASSTHROUGH_OP_READDIRPLUS | \
	 FUSE_PASSTHROUGH_OP_RENAME2 | FUSE_PASSTHROUGH_OP_LSEEK | \
	 FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE | FUSE_PASSTHROUGH_OP_TMPFILE | \
	 FUSE_PASSTHROUGH_OP_STATX | FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE_64)
#endif

/* Longest policy name with its NUL, as in struct fuse_policy_ops. */
#define FUSEPASS_NAME_SIZE	16
/* Longest name of a knob with its NUL. */
#define FUSEPASS_KNOB_NAME_SIZE	64
/* Largest text knob, `const volatile char knob[]`, with its NUL. */
#define FUSEPASS_KNOB_TEXT_SIZE	4096

/*
 * Value of the map `counters` of the shipped policies (per CPU, one entry).
 * Each member only grows; asked + passed + negative == lookups for a policy
 * that fails no lookup.
 */
struct fusepass_counters {
	__u64 lookups;		/* the program ran */
	__u64 passed;		/* it passed a name that exists */
	__u64 negative;		/* it passed a name that does not exist */
	__u64 asked;		/* it left the name to the server */
	__u64 created;		/* of lookups: the name was just created */
	__u64 listed;		/* of lookups: an entry of a listing */
};

FUSEPASS_ABI_ASSERT(sizeof(struct fusepass_counters) == 48,
		    "size of struct fusepass_counters");

/*
 * What the policy `rules` tells through its map `rule_log`, a ring buffer, when a
 * rule with the word log has decided.
 */
struct fusepass_rule_event {
	__u64 time;		/* nanoseconds, CLOCK_MONOTONIC */
	__u32 rule;		/* 0 is the first rule of the file */
	__s32 verdict;		/* 0 server, 1 pass, or a negative errno */
	__u32 open;		/* 0 a lookup, 1 an open */
	__u32 pid;		/* who looked or opened */
	__u32 uid;
	__u32 pad;
	char name[256];		/* "" for the root, and for an open */
};

FUSEPASS_ABI_ASSERT(sizeof(struct fusepass_rule_event) == 288,
		    "size of struct fusepass_rule_event");

#endif
