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
struct vm_area_struct;

#pragma clang attribute pop

/* Hooks that make, remove and move names are about their directory. */
enum {
	HOOK_OPEN, HOOK_PERMISSION, HOOK_SETATTR, HOOK_GETATTR, HOOK_GETXATTR,
	HOOK_SETXATTR, HOOK_LISTXATTR, HOOK_REMOVEXATTR, HOOK_READLINK, HOOK_STATFS,
	HOOK_FILE_PERMISSION, HOOK_MMAP, HOOK_CREATE, HOOK_MKDIR, HOOK_MKNOD, HOOK_SYMLINK,
	HOOK_LINK, HOOK_UNLINK, HOOK_RMDIR, HOOK_RENAME, HOOKS
};

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

SEC("lsm/inode_setxattr")
int BPF_PROG(on_setxattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     const void *value, unsigned long size, int flags, int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_SETXATTR, ret);
}

SEC("lsm/inode_listxattr")
int BPF_PROG(on_listxattr, struct dentry *dentry, int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_LISTXATTR, ret);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(on_removexattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_REMOVEXATTR, ret);
}

SEC("lsm/inode_readlink")
int BPF_PROG(on_readlink, struct dentry *dentry, int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_READLINK, ret);
}

SEC("lsm/sb_statfs")
int BPF_PROG(on_statfs, struct dentry *dentry, int ret)
{
	return judge(BPF_CORE_READ(dentry, d_inode), HOOK_STATFS, ret);
}

SEC("lsm/file_permission")
int BPF_PROG(on_file_permission, struct file *file, int mask, int ret)
{
	return judge(BPF_CORE_READ(file, f_inode), HOOK_FILE_PERMISSION, ret);
}

/* mmap_file is called for the file that was asked for, this for what is behind it. */
SEC("lsm/mmap_backing_file")
int BPF_PROG(on_mmap, struct vm_area_struct *vma, struct file *backing, struct file *user,
	     int ret)
{
	return judge(BPF_CORE_READ(backing, f_inode), HOOK_MMAP, ret);
}

SEC("lsm/inode_create")
int BPF_PROG(on_create, struct inode *dir, struct dentry *dentry, int mode, int ret)
{
	return judge(dir, HOOK_CREATE, ret);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(on_mkdir, struct inode *dir, struct dentry *dentry, int mode, int ret)
{
	return judge(dir, HOOK_MKDIR, ret);
}

SEC("lsm/inode_mknod")
int BPF_PROG(on_mknod, struct inode *dir, struct dentry *dentry, int mode, int dev, int ret)
{
	return judge(dir, HOOK_MKNOD, ret);
}

SEC("lsm/inode_symlink")
int BPF_PROG(on_symlink, struct inode *dir, struct dentry *dentry, const char *target, int ret)
{
	return judge(dir, HOOK_SYMLINK, ret);
}

SEC("lsm/inode_link")
int BPF_PROG(on_link, struct dentry *old, struct inode *dir, struct dentry *new, int ret)
{
	return judge(dir, HOOK_LINK, ret);
}

SEC("lsm/inode_unlink")
int BPF_PROG(on_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return judge(dir, HOOK_UNLINK, ret);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(on_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
	return judge(dir, HOOK_RMDIR, ret);
}

SEC("lsm/inode_rename")
int BPF_PROG(on_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
	     struct dentry *new, int ret)
{
	return judge(new_dir, HOOK_RENAME, ret);
}
