// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The errnos that a call may give on a native file system, whatever others do to
 * the same names at the same moment.
 *
 * From the manual pages, and from hours of runs on two bind mounts of ext4, xfs,
 * btrfs and tmpfs, which are checked against this table as well. That an errno is
 * here does not mean that it is right at that moment; that one is not here means
 * that it never is. So ESTALE, EIO, ECHILD, ENOSYS, ENOTCONN, EREMOTEIO, EINTR,
 * ENOMEM and the like are nowhere, nor is ETXTBSY: no file is a program. EBUSY would
 * need a mount point. Nothing is larger than the file systems, and no rights to
 * devices are asked for.
 */
#include "conc.h"

/* Of whatever walks a path. */
#define PATH ENOENT, ENOTDIR, EACCES, ELOOP
/* EPERM is for directories with the sticky bit. */
#define RENAME PATH, EPERM, EINVAL

enum { MOST = 12 };

static const int legal[CALL_KINDS][MOST] = {
	/* ENXIO: a whiteout, or to write, a pipe that nobody reads. */
	[CALL_open_read] = { PATH, ENXIO },
	[CALL_open_write] = { PATH, EISDIR, ENXIO },
	[CALL_open_trunc] = { PATH, EISDIR, ENXIO },
	[CALL_open_create] = { PATH, EISDIR, ENXIO },
	[CALL_open_excl] = { PATH, EEXIST },
	[CALL_open_dir] = { PATH },
	[CALL_open_path] = { PATH },
	[CALL_open_tmpfile] = { PATH },
	[CALL_link_tmpfile] = { PATH, EEXIST },
	[CALL_read] = { 0 },
	[CALL_write] = { 0 },
	[CALL_map] = { EFAULT },
	[CALL_ftruncate] = { 0 },
	[CALL_fallocate] = { EOPNOTSUPP },
	/* Overlapping ranges of one file. */
	[CALL_copy_range] = { EINVAL },
	[CALL_fsync] = { 0 },
	[CALL_fstat] = { 0 },
	[CALL_fchmod] = { EPERM },
	[CALL_fchown] = { EPERM },
	[CALL_futimens] = { EPERM },
	[CALL_fsetxattr] = { EACCES, EPERM, EEXIST, ENODATA },
	[CALL_set_flags] = { EPERM },
	[CALL_close] = { 0 },
	[CALL_mkdir] = { PATH, EEXIST },
	[CALL_rmdir] = { PATH, EPERM, ENOTEMPTY },
	[CALL_unlink] = { PATH, EPERM, EISDIR },
	/* xfs has EEXIST where others have ENOTEMPTY. */
	[CALL_rename] = { RENAME, EISDIR, ENOTEMPTY, EEXIST },
	[CALL_rename_noreplace] = { RENAME, EEXIST },
	[CALL_rename_exchange] = { RENAME },
	[CALL_rename_whiteout] = { RENAME, EISDIR, ENOTEMPTY, EEXIST },
	[CALL_rename_whiteout_noreplace] = { RENAME, EEXIST },
	[CALL_link] = { PATH, EEXIST, EPERM },
	[CALL_symlink] = { PATH, EEXIST },
	[CALL_readlink] = { PATH, EINVAL },
	[CALL_mknod] = { PATH, EEXIST },
	[CALL_stat] = { PATH },
	[CALL_lstat] = { PATH },
	[CALL_access] = { PATH },
	[CALL_list] = { PATH },
	/* EOPNOTSUPP: of a symbolic link itself. */
	[CALL_chmod] = { PATH, EPERM, EOPNOTSUPP },
	[CALL_chown] = { PATH, EPERM },
	[CALL_utimens] = { PATH, EPERM },
	[CALL_truncate] = { PATH, EISDIR, EINVAL },
	/* EPERM: not for pipes, nor for others' sticky directories. */
	[CALL_setxattr] = { PATH, EPERM, EEXIST, ENODATA },
	[CALL_getxattr] = { PATH, ENODATA },
	[CALL_listxattr] = { PATH },
	[CALL_removexattr] = { PATH, EPERM, ENODATA },
	[CALL_set_acl] = { PATH, EPERM, EOPNOTSUPP },
	[CALL_get_acl] = { PATH, ENODATA },
	[CALL_remove_acl] = { PATH, EPERM, ENODATA, EOPNOTSUPP },
	[CALL_chdir] = { PATH },
	[CALL_statfs] = { PATH },
	[CALL_lock] = { EWOULDBLOCK },
	[CALL_pread] = { 0 },
};

/*
 * A server has a node where natively there is a path that was walked: it is told what
 * to do with an object when that may be gone. And what it does by itself it does
 * without a page cache, of which there can be no shared mapping.
 */
static bool is_served_errno(enum call_kind kind, int err)
{
	return err == ESTALE || (err == ENODEV && kind == CALL_map);
}

bool errno_is_legal(enum call_kind kind, int err)
{
	if (!err || (conc.served && is_served_errno(kind, err)))
		return true;
	for (int i = 0; i < MOST && legal[kind][i]; i++)
		if (legal[kind][i] == err)
			return true;
	return false;
}
