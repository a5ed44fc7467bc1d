/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside libfusepass.
 *
 * lib_error.c    text of the last failure, libbpf's messages
 * lib_mount.c    mountinfo
 * lib_policy.c   open, load, attach, replace, detach, pins
 * lib_verifier.c why the verifier refuses a policy
 * lib_knob.c     knobs of a policy
 * lib_status.c   what kernel and server tell
 * lib_btf.c      types of the kernel
 * lib_kind.c     the kernel's own FUSE, and that of the module fusepass.ko
 * lib_live.c     programs and maps of a policy that is attached
 * lib_rules*.c   files of rules: see ruleset.h
 */
#ifndef FUSEPASS_LIB_H
#define FUSEPASS_LIB_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>

#include "fusepass.h"
#include "util.h"

/* Not exported by libfusepass.so. */
#pragma GCC visibility push(hidden)

/* Remembers what fusepass_error() tells; every public function starts anew. */
void lib_error_clear(void);
void lib_error_set(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
/* Likewise, unless there is a text already; libbpf's last warning if not. */
void lib_error_from_bpf(const char *what);
void lib_bpf_quiet(void);
/* The log of the verifier that came with the last warnings, or NULL. */
char *lib_error_take_log(void);

/* From the verifier's log, or, if that is NULL, from @other, a warning of libbpf. */
void lib_verifier_explain(const char *log, const char *other,
			  struct fusepass_refusal *r);

struct fusepass_policy {
	struct bpf_object *obj;
	struct bpf_map *ops;		/* the struct_ops map */
	const struct btf_type *type;	/* its type in the object's BTF */
	char name[FUSEPASS_NAME_SIZE];
	bool used;			/* loaded or tried to */
	char *log;			/* of the verifier, if it refused it */
	struct lib_rules *rules;	/* that it goes by, or NULL */
};

/* Where a member of the ops lies, NULL if the policy's type has none. */
void *lib_policy_member(const struct fusepass_policy *p, const char *name);
#define LIB_POLICY_F_HIDES	1	/* FUSE_POLICY_F_HIDES of the kernel */

/* Does it need a file of rules, but has none? */
bool lib_rules_wanted(const struct fusepass_policy *p);
/* Fills the maps of a loaded policy. */
int lib_rules_fill(struct fusepass_policy *p);
void lib_rules_free(struct lib_rules *r);

/* Sets one knob; the text of the error says what was expected. */
int lib_knob_set(struct fusepass_policy *p, const char *knob,
		 const char *value);

/* A knob, as it is shown; all of it is the callee's for the time of the call. */
struct lib_knob {
	const char *name;
	const char *type;	/* "text", "bool", "u32", ..., or names of an enum, "A|B" */
	uint32_t size;
	const char *value;	/* as fusepass_policy_set() takes it */
	const char *help;	/* "" if the policy says nothing */
};
typedef void (*lib_knob_fn)(const struct lib_knob *knob, void *arg);
/* Of a policy before it is loaded, and of one that is attached, by its map. */
void lib_knobs(const struct fusepass_policy *p, lib_knob_fn each, void *arg);
int lib_live_knobs(uint32_t map, lib_knob_fn each, void *arg);
/* What the policy says of itself, or "". */
const char *lib_policy_help(const struct fusepass_policy *p);
/* The directories where policies are looked for: false when @i is behind the last. */
bool lib_policy_dir(size_t i, char *dir);

/* A program of a policy: what it is in the ops. */
struct lib_program {
	uint32_t id;
	char member[16];
};
#define LIB_NR_PROGRAMS	8
/* Their number, or -errno. @map: id of the map of the ops. */
int lib_live_programs(uint32_t map, struct lib_program *progs, int max);
/* Calls @each for each map of each program, until it returns not 0. */
int lib_live_maps(uint32_t map, int (*each)(int fd, const struct bpf_map_info *info,
					    void *arg), void *arg);

/* All FUSE mounts of this mount namespace. */
int lib_mounts(void (*each)(const struct fusepass_mount *m, void *arg), void *arg);

/* BTF of the kernel or of a module that has a type, see lib_btf_find(). */
struct lib_btf {
	struct btf *btf;		/* what was found: one of the others */
	struct btf *base;
	struct btf *module;		/* or NULL */
};

/*
 * -ENOENT if there is no such type, -ENODATA if the kernel has no types at all;
 * otherwise lib_btf_clear() frees it.
 */
const struct btf_member *lib_btf_member(const struct btf *btf,
					const struct btf_type *t,
					const char *name);
int lib_btf_find(struct lib_btf *b, const char *name, unsigned int kind);
void lib_btf_clear(struct lib_btf *b);

#define _cleanup_btf_ __attribute__((cleanup(lib_btf_clear)))

/* A FUSE: names that exist once per system. */
struct lib_kind {
	const char *type;		/* of mounts, without subtype */
	const char *device;
	const char *control_type;	/* of the file system on @connections */
	const char *connections;	/* directory of a connection's number */
};

/* Connection numbers are device numbers: no two kinds have one in common. */
#define LIB_NR_KINDS	2
extern const struct lib_kind lib_kinds[LIB_NR_KINDS];

/* The one that has the hook, else the kernel's own; never NULL. */
const struct lib_kind *lib_kind_here(void);
/* Is its control file system mounted? */
bool lib_kind_controlled(const struct lib_kind *kind);
/* Is it a type of FUSE mounts, of whichever kind? */
bool lib_kind_type(const char *type);

/* Directory of the control sockets of root's servers, or of those of this user. */
#define LIB_RUN_DIR_SIZE	80
int lib_run_dir(bool user, char dir[LIB_RUN_DIR_SIZE]);

/* Backing directory of a mount: O_RDONLY fd or -errno. */
int lib_backing_open(const struct fusepass_mount *m, const char *backing);

#pragma GCC visibility pop

#endif
