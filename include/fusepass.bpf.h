/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For writers of fusepass policies: the kernel functions of the hook.
 *
 *   #include "vmlinux.h"
 *   #include <bpf/bpf_helpers.h>
 *   #include <bpf/bpf_tracing.h>
 *   #include <fusepass_abi.h>
 *   #include <fusepass.bpf.h>
 *
 * The types (struct fuse_policy_ops, struct fuse_policy_lookup, struct
 * fuse_policy_open and the enums of their flags) come from the kernel's BTF by
 * way of vmlinux.h; the bits of an ops_mask are in fusepass_abi.h. A policy is
 * one variable of type struct fuse_policy_ops in SEC(".struct_ops.link"); its
 * loader sets mount_fd, backing_fd and connection. fusepass_policy(7) is the
 * guide.
 *
 * .lookup decides about names, for everybody. .open, which a policy need not
 * have, decides about one open of a file that passes, by who opens it. Programs
 * do not sleep.
 *
 * The functions may be called from .lookup only, with the program's own
 * argument. They stage one decision: the last call of each wins, and nothing
 * stays staged when the program returns an error.
 */
#ifndef FUSEPASS_BPF_H
#define FUSEPASS_BPF_H

/*
 * What 'fusepass policy info' says about a knob, or about the policy: behind the name of
 * the variable, before its value.
 */
#define FUSEPASS_HELP(text)	__attribute__((btf_decl_tag("help:" text)))

/* Keep a decision for as long as the backing name is unchanged (default). */
#define FUSEPASS_VALID_FOREVER	(~0ULL)

/*
 * Which operations pass on the object, FUSE_PASSTHROUGH_OP_*. Default: the
 * mask of the parent; for the root: all that the kernel supports. Operations
 * on directories are ignored for anything else, so one mask serves all types.
 * Return: 0, -EINVAL for a bit that the kernel does not know.
 */
extern int bpf_fuse_set_ops(const struct fuse_policy_lookup *l,
			    __u64 ops_mask) __ksym;

/*
 * A number kept on the object; a lookup beneath it sees it as parent_cookie.
 * Default 0. Return: 0.
 */
extern int bpf_fuse_set_cookie(const struct fuse_policy_lookup *l,
			       __u64 cookie) __ksym;

/*
 * For how many nanoseconds the decision holds before the program is asked
 * again. Return: 0.
 */
extern int bpf_fuse_set_valid(const struct fuse_policy_lookup *l,
			      __u64 nsec) __ksym;

/*
 * Another backing object: the one registered as @backing_id itself (@name ""),
 * or the name @name beneath that registered directory. @name__sz is the size
 * of the buffer with its NUL. Return: 0, -EINVAL for an id below 1 or a name
 * that is not one path component; whether the id exists is found out
 * afterwards, and counted as fallback "backing".
 */
extern int bpf_fuse_set_backing(const struct fuse_policy_lookup *l,
				__s32 backing_id, const char *name,
				unsigned long name__sz) __ksym;

#endif
