/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libfusepass: load FUSE policies, attach them to mounts, ask what they do.
 *
 *   struct fusepass_policy *p;
 *   int link;
 *
 *   if (!fusepass_policy_open("suffix", &p) &&
 *       !fusepass_policy_set(p, "suffixes", ".txt,.h") &&
 *       !fusepass_policy_attach(p, "/mnt", NULL, FUSEPASS_PIN, &link))
 *           close(link);    // the pin keeps the policy attached
 *   fusepass_policy_close(p);
 *
 * Functions return 0 (or what their comment says) or a negative errno. They
 * print nothing; fusepass_error() tells more about the last failure. Only
 * fusepass_mount_find() and what reads /sys may be used without privileges.
 * Different threads may use different policies at the same time.
 */
#ifndef FUSEPASS_H
#define FUSEPASS_H

#include <stddef.h>
#include <stdint.h>

#include "fusepass_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FUSEPASS_VERSION	"0.1"
/* Control sockets of servers: <connection>.sock. */
#define FUSEPASS_RUN_DIR	"/run/fusepass"
/* Links of attached policies: <connection>. */
#define FUSEPASS_PIN_DIR	"/sys/fs/bpf/fusepass"

/**
 * fusepass_error - what the last failure in this thread was about
 *
 * Return: one line without newline, "" if the errno says it all. Valid until
 * the next call of the library in this thread.
 */
const char *fusepass_error(void);

/* Mounts ----------------------------------------------------------------- */

/**
 * struct fusepass_mount - a FUSE mount
 * @connection: its number in /sys/fs/fuse/connections
 * @mountpoint: where it is mounted, absolute
 * @source: what it says it shows (fsname)
 * @type: file system type, "fuse" or "fuse.SUBTYPE"
 */
struct fusepass_mount {
	uint32_t connection;
	char *mountpoint;
	char *source;
	char *type;
};

/**
 * fusepass_mount_find - the FUSE mount that a path is on
 * @path: the mount point or anything beneath it; the server is not asked
 *	anything about the path itself
 * @mount: filled in; fusepass_mount_clear() frees it
 *
 * Return: 0; -EINVAL if the path is not on a FUSE mount; -ENOENT, -EACCES,
 * ... from open(2); -ENOMEM.
 */
int fusepass_mount_find(const char *path, struct fusepass_mount *mount);

/**
 * fusepass_mount_by_connection - the mount of a connection number
 * @connection: number in /sys/fs/fuse/connections
 * @mount: filled in; fusepass_mount_clear() frees it
 *
 * Return: 0; -ENOENT if it is not mounted in this mount namespace; -ENOMEM.
 */
int fusepass_mount_by_connection(uint32_t connection,
				 struct fusepass_mount *mount);

/** fusepass_mount_clear - free the members of a struct fusepass_mount */
void fusepass_mount_clear(struct fusepass_mount *mount);

/* Policies --------------------------------------------------------------- */

struct fusepass_policy;

/**
 * fusepass_policy_open - open a policy, without loading it
 * @name: a name ("mirror"), looked for as NAME.bpf.o in $FUSEPASS_POLICY_DIR,
 *	in ../bpf and in ../lib/fusepass beside the program's directory; or a
 *	file, if it has a '/' or ends in ".bpf.o"
 * @policy: set to the policy; fusepass_policy_close() frees it
 *
 * Return: 0; -ENOENT no such policy; -EINVAL the file is no BPF object or does
 * not have exactly one struct fuse_policy_ops; -ENOMEM; -EACCES.
 */
int fusepass_policy_open(const char *name, struct fusepass_policy **policy);

/**
 * fusepass_policy_name - the name that a policy gives itself
 * Return: up to 15 bytes, valid while the policy is open.
 */
const char *fusepass_policy_name(const struct fusepass_policy *policy);

/**
 * fusepass_policy_set - set a knob, a `const volatile` global of the policy
 * @knob: its name
 * @value: text for an array of char; true, false, 1 or 0 for a bool; a decimal
 *	or 0x number for an integer; a name or number for an enum
 *
 * Return: 0; -ENOENT no such knob; -EINVAL the value does not fit the type;
 * -ERANGE number or text too large; -EBUSY the policy is loaded already;
 * -EOPNOTSUPP the knob has a type that cannot be set as text.
 */
int fusepass_policy_set(struct fusepass_policy *policy, const char *knob,
			const char *value);

/** Keep the link in FUSEPASS_PIN_DIR, so that it outlives this process. */
#define FUSEPASS_PIN	(1u << 0)

/**
 * fusepass_policy_attach - load a policy and attach it to a mount
 * @policy: an open policy; it can be attached or used for a replacement once
 * @path: the mount point, or anything on the mount
 * @backing: directory that backs the root of the mount; NULL: what the
 *	server's control socket says, else the mount's source
 * @flags: 0 or FUSEPASS_PIN
 * @link_fd: set to the link's fd; the policy stays attached while it is open
 *	or pinned
 *
 * Return: 0; -ENOTSUP the kernel has no struct fuse_policy_ops (not the
 * fusepass kernel, or no BTF); -EINVAL not a FUSE mount, or flags of the
 * policy that this kernel does not know, or the verifier refused the policy;
 * -ENODATA no backing directory is known; -EPERM; -EBUSY a policy is attached;
 * -EOPNOTSUPP the connection was set up without FUSE_PASSTHROUGH_INO, or the
 * backing mount is idmapped; -ELOOP the backing file system is the mount
 * itself or stacked too deep; -ENOTDIR; -ENOTCONN unmounted meanwhile; -ENOENT
 * for paths.
 */
int fusepass_policy_attach(struct fusepass_policy *policy, const char *path,
			   const char *backing, unsigned int flags,
			   int *link_fd);

/**
 * fusepass_policy_attach_fd - the same for a server, by its own fds
 * @mount_fd: /dev/fuse, once INIT is answered, or an fd on the mount, of which
 *	O_PATH is enough
 * @backing_fd: the directory; O_PATH is enough
 * @connection: number of the connection
 *
 * Not for the thread that has to answer INIT. Return: as above.
 */
int fusepass_policy_attach_fd(struct fusepass_policy *policy, int mount_fd,
			      int backing_fd, uint32_t connection,
			      unsigned int flags, int *link_fd);

/**
 * fusepass_policy_replace - put a policy in the place of the attached one
 * @policy: an open policy
 * @path: the mount point, or anything on the mount
 * @backing: as for fusepass_policy_attach(); must be the same directory
 *
 * No lookup in between finds no policy. Return: 0; -ENOENT none is attached;
 * else as above.
 */
int fusepass_policy_replace(struct fusepass_policy *policy, const char *path,
			    const char *backing);

/**
 * fusepass_policy_detach - detach the policy of a mount and remove its pin
 * Return: 0; -ENOENT none is attached; -EINVAL not a FUSE mount; -EPERM.
 */
int fusepass_policy_detach(const char *path);

/**
 * fusepass_pin_remove - remove the pin of a connection that is gone
 * Return: 0; -ENOENT there is none; -EPERM.
 */
int fusepass_pin_remove(uint32_t connection);

/** fusepass_policy_close - free; what is attached stays attached */
void fusepass_policy_close(struct fusepass_policy *policy);

/* Asking ----------------------------------------------------------------- */

/** One line of the kernel's report that counts something. */
struct fusepass_count {
	char name[24];		/* opcode without FUSE_, or a reason */
	uint64_t passed;	/* of an opcode; of a reason: its count */
	uint64_t asked;		/* of an opcode: requests to the server */
};

/**
 * struct fusepass_status - /sys/fs/fuse/connections/N/policy
 * @policy: name, "" if none is attached
 * @link: BPF link id, 0 if none
 * @map: BPF map id, 0 if none
 * @generation: number of attaches, replaces and detaches so far
 * @verdicts: pass, server, error, invalid
 * @fallbacks: why a passing verdict went to the server
 * @ops: requests by opcode
 */
struct fusepass_status {
	char policy[FUSEPASS_NAME_SIZE];
	uint32_t link;
	uint32_t map;
	uint64_t generation;
	struct fusepass_count verdicts[8];
	size_t nr_verdicts;
	struct fusepass_count fallbacks[16];
	size_t nr_fallbacks;
	struct fusepass_count ops[64];
	size_t nr_ops;
};

/**
 * fusepass_status_read - what the kernel says about a connection
 * Return: 0; -ENOENT no such connection, fusectl is not mounted, or a kernel
 * without the policy file (fusepass_error() says which); -EACCES; -ENOMEM.
 */
int fusepass_status_read(uint32_t connection, struct fusepass_status *status);

/**
 * fusepass_server_ask - send one command to the server of a connection
 * @command: "stat", "reset" or "backing"
 * @reply: set to one line of JSON; free() it
 *
 * Return: 0; -ENOENT no server of ours there; -ECONNREFUSED it is gone;
 * -ETIMEDOUT it does not answer; -EACCES; -ENOMEM.
 */
int fusepass_server_ask(uint32_t connection, const char *command, char **reply);

/**
 * fusepass_kernel_check - can this kernel run policies?
 * Return: 0; -ENOTSUP if not, fusepass_error() says what is missing.
 */
int fusepass_kernel_check(void);

#ifdef __cplusplus
}
#endif

#endif
