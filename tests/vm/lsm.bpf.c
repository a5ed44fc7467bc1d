// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsm: counts, and denies where told, what is done to one inode.
 *
 * Attached by security_test.c, which has the same struct. Of the kernel's
 * structures only what is read is declared; CO-RE finds the offsets.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct dentry {
	struct inode *d_inode;
};

struct path {
	struct dentry *dentry;
};

struct mnt_idmap;
struct iattr;

#pragma clang attribute pop

enum { HOOK_OPEN, HOOK_PERMISSION, HOOK_SETATTR, HOOK_GETATTR, HOOK_GETXATTR, HOOKS };

struct {
	__u64 ino;
	__u32 dev;
	__u32 deny;
	__u64 calls[HOOKS];
} shared;

static int judge(struct inode *inode, int hook, int before)
{
	if (before || !shared.ino || BPF_CORE_READ(inode, i_ino) != shared.ino ||
	    BPF_CORE_READ(inode, i_sb, s_dev) != shared.dev)
		return before;
	__sync_fetch_and_add(&shared.calls[hook], 1);
	return shared.deny & (1U << hook) ? -1 : 0;
}

SEC("lsm/file_open")
int BPF_PROG(on_open, struct file *file, int ret)
{
	return judge(BPF_CORE_READ(file, f_inode), HOOK_OPEN, ret);
}

SEC("lsm/inode_permission")
int BPF_PROG(on_permission, struct inode *inode, int mask, int ret)
{
	return judge(inode, HOOK_PERMISSION, ret);
}

SEC("lsm/inode_setattr")
int BPF_PROG(on_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr,
	     int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_SETATTR, ret);
}

SEC("lsm/inode_getattr")
int BPF_PROG(on_getattr, struct path *path, int ret)
{
	return judge(BPF_CORE_READ(path, dentry, d_inode), HOOK_GETATTR, ret);
}

SEC("lsm/inode_getxattr")
int BPF_PROG(on_getxattr, struct dentry *dentry, const char *name, int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_GETXATTR, ret);
}
