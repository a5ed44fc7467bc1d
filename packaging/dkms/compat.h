/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module has otherwise than the series in the kernel, read before every file.
 *
 * Names that exist once per system are not here: scripts/dkms.sh gives the module its own.
 */
#ifndef _FUSEPASS_COMPAT_H
#define _FUSEPASS_COMPAT_H

/*
 * What Kconfig would have said.  The symbols that the built-in fuse exports stay its own,
 * and with them virtiofs and its DAX.
 */
#undef CONFIG_FUSE_DAX
#undef CONFIG_VIRTIO_FS
#define CONFIG_FUSE_POLICY 1
#define __DISABLE_EXPORTS

#include <linux/version.h>
#include <linux/fs.h>
#include <linux/security.h>

/*
 * The kernel exports security_inode_permission() to no module.  This checks mode bits, too,
 * which has been done by then: the answer is the same.  Idmapped mounts back nothing.
 */
#define security_inode_permission(inode, mask) \
	inode_permission(&nop_mnt_idmap, inode, mask)

/*
 * The kernel's backing_file_write_iter() appends whatever is written to a file that is in
 * append mode, RWF_NOAPPEND or not.  So the backing file is not in append mode; each write
 * that is to append says so by itself.  Of an append-only inode nothing else is allowed.
 */
static inline unsigned int compat_backing_flags(const struct file *backing_file,
						unsigned int flags)
{
	return IS_APPEND(file_inode(backing_file)) ? flags : flags & ~O_APPEND;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#undef CONFIG_FUSE_IO_URING
#define iomap_folio_mark_uptodate(folio) folio_mark_uptodate(folio)
/* ->create() has another argument, which the definition gets here; nobody calls it. */
#define fuse_create(idmap, dir, entry, mode) fuse_create(idmap, dir, entry, mode, bool excl)
#endif

#endif /* _FUSEPASS_COMPAT_H */
