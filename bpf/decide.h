/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy does with one name, as seen by its counters.
 *
 * Pure arithmetic on numbers, so that it compiles on the host as well and is
 * tested there from tables (tests/policy). What touches a BPF map is in
 * count.h; the rule of a single policy is beside it (suffix.h) or in it.
 *
 * Terms are the project's: verdict, pass, server. The values of the flags are
 * the kernel's (enum fuse_policy_lookup_flags); vmlinux.h has them for BPF
 * code, and whoever includes this on the host defines them first.
 */
#ifndef FUSEPASS_DECIDE_H
#define FUSEPASS_DECIDE_H

enum decide_verdict {
	DECIDE_SERVER	= 0,	/* ask the server */
	DECIDE_PASS	= 1,	/* serve it from the backing object */
};

#define DECIDE_S_IFMT	0170000
#define DECIDE_S_IFDIR	0040000

/* A name that exists in the backing directory has a type; mode 0 has none. */
static inline int decide_exists(unsigned int mode)
{
	return mode != 0;
}

static inline int decide_is_dir(unsigned int mode)
{
	return (mode & DECIDE_S_IFMT) == DECIDE_S_IFDIR;
}

#endif
