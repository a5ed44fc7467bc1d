// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Doing things as the caller.
 *
 * The kernel has checked the caller's permissions before a request is sent
 * (default_permissions), with groups and capabilities that we do not know. So
 * objects are made with the caller's ids but with our capabilities, and only
 * where the capability itself matters is it given up. Ids and capabilities
 * belong to the thread: raw system calls, the C library would change them for
 * all threads. Not run as root, all of this does nothing.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server.h"

/* Effective: all that is permitted, less what the mode gives up. */
static int caps_apply(enum cred_mode mode, bool root)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	int i;

	if (syscall(SYS_capget, &h, caps))
		return -errno;
	for (i = 0; i < 2; i++)
		caps[i].effective = mode == CRED_CALLER && !root ?
				    0 : caps[i].permitted;
	if (mode == CRED_NO_FSETID)
		caps[0].effective &= ~(1u << CAP_FSETID);
	return syscall(SYS_capset, &h, caps) ? -errno : 0;
}

int cred_enter(fuse_req_t req, enum cred_mode mode, struct cred_scope *scope)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int ret;

	scope->changed = false;
	if (geteuid() != 0)
		return 0;
	if (mode != CRED_NO_FSETID && ctx->uid == 0 && ctx->gid == 0)
		return 0;
	scope->changed = true;
	syscall(SYS_setfsgid, ctx->gid);
	syscall(SYS_setfsuid, ctx->uid);
	ret = caps_apply(mode, ctx->uid == 0);
	if (ret)
		cred_leave(scope);
	return ret;
}

void cred_leave(struct cred_scope *scope)
{
	if (!scope->changed)
		return;
	scope->changed = false;
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	/* Giving ourselves back what is permitted cannot fail. */
	caps_apply(CRED_CREATE, true);
}

/*
 * The umask of this thread, for the file system to apply: it knows whether a
 * default ACL overrides it. Threads share one until they ask for their own.
 */
int cred_set_umask(mode_t mask)
{
	static __thread bool own;

	if (!own && unshare(CLONE_FS))
		return -errno;
	own = true;
	umask(mask);
	return 0;
}
