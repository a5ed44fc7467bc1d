/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside libfusepass.
 *
 * lib_error.c    text of the last failure, libbpf's messages
 * lib_mount.c    mountinfo
 * lib_policy.c   open, load, attach, replace, detach, pins
 * lib_knob.c     knobs of a policy
 * lib_status.c   what kernel and server tell
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

struct fusepass_policy {
	struct bpf_object *obj;
	struct bpf_map *ops;		/* the struct_ops map */
	const struct btf_type *type;	/* its type in the object's BTF */
	char name[FUSEPASS_NAME_SIZE];
	bool used;			/* loaded or tried to */
};

/* Sets one knob; the text of the error says what was expected. */
int lib_knob_set(struct fusepass_policy *p, const char *knob,
		 const char *value);

/* Backing directory of a mount: O_RDONLY fd or -errno. */
int lib_backing_open(const struct fusepass_mount *m, const char *backing);

#pragma GCC visibility pop

#endif
