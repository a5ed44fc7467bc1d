/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule of the readonly policy: which operations belong to the read side.
 *
 * Compiles on the host too, where tests/host/decide_test.c checks it; the BPF side is
 * readonly.bpf.c. The constants are the UAPI's FUSE_PASSTHROUGH_OP_*.
 */
#ifndef FUSEPASS_READONLY_H
#define FUSEPASS_READONLY_H

/*
 * Taken away from what can be passed, not added up: an operation that a later
 * kernel passes and that reads is then passed without a change here, and one
 * that writes has to be named here.
 */
static inline unsigned long long readonly_ops(unsigned long long all)
{
	return all & ~(FUSE_PASSTHROUGH_OP_SETATTR | FUSE_PASSTHROUGH_OP_WRITE |
		       FUSE_PASSTHROUGH_OP_MKNOD | FUSE_PASSTHROUGH_OP_MKDIR |
		       FUSE_PASSTHROUGH_OP_SYMLINK | FUSE_PASSTHROUGH_OP_LINK |
		       FUSE_PASSTHROUGH_OP_CREATE | FUSE_PASSTHROUGH_OP_TMPFILE |
		       FUSE_PASSTHROUGH_OP_UNLINK | FUSE_PASSTHROUGH_OP_RMDIR |
		       FUSE_PASSTHROUGH_OP_RENAME | FUSE_PASSTHROUGH_OP_RENAME2 |
		       FUSE_PASSTHROUGH_OP_SETXATTR |
		       FUSE_PASSTHROUGH_OP_REMOVEXATTR |
		       FUSE_PASSTHROUGH_OP_FALLOCATE |
		       FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE |
		       FUSE_PASSTHROUGH_OP_COPY_FILE_RANGE_64 |
		       FUSE_PASSTHROUGH_OP_IOCTL);
}

#endif
