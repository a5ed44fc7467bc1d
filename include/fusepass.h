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
/* Control sockets of root's servers: <connection>.sock; of others $XDG_RUNTIME_DIR/fusepass. */
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
 * @connection: its number in /sys/fs/fuse/connections, or with the module in
 *	/sys/fs/fusepass/connections
 * @mountpoint: where it is mounted, absolute
 * @source: what it says it shows (fsname)
 * @type: file system type, "fuse" or "fuse.SUBTYPE"; "fusepass" of the module
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
 * @name: a name ("mirror"), looked for as NAME.bpf.o in $FUSEPASS_POLICY_DIR or,
 *	without that, in ../bpf and ../lib/fusepass beside the program's directory, in
 *	fusepass and ../fusepass beside the shared library, and where the library was
 *	configured for; or a file, if it has a '/' or ends in ".bpf.o"
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

/**
 * fusepass_policy_rules - let the policy "rules" go by a file of rules
 * @file: see fusepass-rules(5)
 *
 * Return: 0; -EINVAL a mistake in the file, or another policy, fusepass_error() says
 * which; -EBUSY the policy is loaded or has rules already; what opening the file
 * gave; -ENOMEM.
 */
int fusepass_policy_rules(struct fusepass_policy *policy, const char *file);

/** Keep the link in FUSEPASS_PIN_DIR, so that it outlives this process. */
#define FUSEPASS_PIN	(1u << 0)

/**
 * struct fusepass_refusal - why a policy does not load
 * @program: of the object, "" if it is about no single one
 * @file: of its source, "" if not known
 * @line: in it, 0 if not known
 * @source: text of that line
 * @insn: number of the instruction, -1 if not known
 * @reg: register that it is about, such as "R1", or ""
 * @verifier: the message of the kernel, or of libbpf
 * @meaning: that in plain words, "" if there are none
 * @change: what to change, "" if not known
 */
struct fusepass_refusal {
	char program[64];
	char file[256];
	unsigned int line;
	char source[256];
	int insn;
	char reg[8];
	char verifier[256];
	const char *meaning;
	const char *change;
};

/**
 * fusepass_policy_check - would this kernel load the policy?
 * @policy: an open policy, with its knobs set; afterwards it can only be closed
 * @refusal: filled in if not
 *
 * Return: 0; -ENOTSUP the kernel has no policies; -EPERM; -EINVAL, -EACCES and others
 * of bpf(2): refused.
 */
int fusepass_policy_check(struct fusepass_policy *policy,
			  struct fusepass_refusal *refusal);

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
 * -EOPNOTSUPP the backing mount is idmapped, or the server negotiated, without
 * FUSE_PASSTHROUGH_INO, the writeback cache, submounts or DAX; -ELOOP the
 * backing file system is the mount itself or stacked too deep, or, without
 * FUSE_PASSTHROUGH, stacked at all or FUSE; -ETIMEDOUT the server does not
 * answer INIT; -ENOTDIR; -ENOTCONN unmounted meanwhile; -ENOENT for paths.
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
 * Return: 0; -ENOENT there is none; -EBUSY the number is that of another connection by
 * now, whose policy it pins; -EPERM.
 */
int fusepass_pin_remove(uint32_t connection);

/**
 * fusepass_policy_log - what the verifier said about a policy that it refused
 * Return: its whole log, NULL if it refused nothing; valid while the policy is open.
 */
const char *fusepass_policy_log(const struct fusepass_policy *policy);

/** fusepass_policy_close - free; what is attached stays attached */
void fusepass_policy_close(struct fusepass_policy *policy);

/* Rules that are attached ------------------------------------------------ */

struct fusepass_rules;

/**
 * fusepass_rules_open - the rules that a mount goes by now
 * @path: the mount point, or anything on the mount
 * @rules: fusepass_rules_close() frees it
 *
 * Return: 0; -ENOENT no policy is attached; -EINVAL not a FUSE mount, or the policy
 * has no rules; -EPERM; -ENOMEM.
 */
int fusepass_rules_open(const char *path, struct fusepass_rules **rules);

/** fusepass_rules_text - the file as it was when they were attached */
const char *fusepass_rules_text(const struct fusepass_rules *rules);

/**
 * fusepass_rules_count - how often a rule has decided
 * @rule: 0 is the first one of the file
 *
 * Return: 0; -ENOENT there is no such rule. Rules without the word count are not
 * counted.
 */
int fusepass_rules_count(const struct fusepass_rules *rules, uint32_t rule,
			 uint64_t *count);

/**
 * fusepass_rules_follow - call @event for each decision of a rule with log
 *
 * Return: only a failure: -EINTR a signal was caught; -ENOENT these rules are not
 * attached any more; -EBUSY somebody else follows them.
 */
int fusepass_rules_follow(const struct fusepass_rules *rules,
			  void (*event)(const struct fusepass_rule_event *event,
					void *arg), void *arg);

/** fusepass_rules_close - free; NULL is fine */
void fusepass_rules_close(struct fusepass_rules *rules);

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
 * @opens: the same about opens, for policies that judge them
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
	struct fusepass_count opens[8];
	size_t nr_opens;
	struct fusepass_count fallbacks[16];
	size_t nr_fallbacks;
	struct fusepass_count ops[64];
	size_t nr_ops;
};

/**
 * fusepass_status_read - what the kernel says about a connection
 * @status: filled in
 * @size: sizeof(*status); a later version may have more members at its end
 *
 * Return: 0; -ENOENT no such connection, fusectl is not mounted, or a kernel
 * without the policy file (fusepass_error() says which); -EACCES; -ENOMEM.
 */
int fusepass_status_read(uint32_t connection, struct fusepass_status *status,
			 size_t size);

/**
 * fusepass_server_ask - send one command to the server of a connection
 * @command: "stat", "reset" or "backing"
 * @reply: set to one line of JSON; free() it
 *
 * Return: 0; -ENOENT no server of ours there; -ECONNREFUSED it is gone;
 * -ETIMEDOUT it does not answer or is stopped; -EACCES; -ENOMEM.
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
