/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and attaches policies with any fields, right or wrong.
 *
 * The command's own loader refuses much of what the tests have to try, so they
 * go to libbpf themselves.
 */
#ifndef FUSEPASS_POLLOAD_H
#define FUSEPASS_POLLOAD_H

#include <bpf/libbpf.h>
#include <linux/types.h>

#include "fusepass_abi.h"
#include "rawfuse.h"
#include "rules.h"

/* The struct as the object files have it; the kernel's may be larger. */
struct pol_ops {
	void *lookup;
	void *open;
	char name[16];
	__s32 mount_fd;
	__s32 backing_fd;
	__u32 connection;
	__u32 flags;
};

enum { POL_F_HIDES = 1 };
enum {
	POL_ROOT = 1, POL_CREATE = 2, POL_READDIR = 4, POL_RENAME_TARGET = 8,
	POL_EXCL = 16, POL_OPEN = 32,
};

struct pol {
	struct bpf_object *obj;
	struct bpf_map *map;		/* the ops `rules` */
	struct bpf_map *map_2;		/* the ops `rules_2`, to replace with */
	struct bpf_map *map_open;	/* the ops `rules_open`, if pol_wants_open */
	struct bpf_link *link;
	int mount_fd;			/* of pol_attach(); close to unmount */
	struct rules_shared *shared;	/* of rules.bpf.c, else NULL */
};

/* Whether policies that are opened from now on have the ops that judge opens, too. A
 * kernel without .open refuses to load them. */
extern bool pol_wants_open;
/* Opens rules.bpf.o and fills all ops of it in; NULL name keeps the name. */
struct pol *pol_open(const char *name, int mount_fd, int backing_fd,
		     __u32 connection, __u32 flags);
void pol_load(struct pol *p);
/* 0 or -errno. */
int pol_try_attach(struct pol *p);
/* All of it for a mount, with the right fields; fails the case on an error. */
struct pol *pol_attach(struct rf *rf, __u32 flags);
void pol_detach(struct pol *p);
/* Opens, loads and tries to attach with these fields; what attach gave. */
int pol_attach_with(const char *name, int mount_fd, int backing_fd,
		    __u32 connection, __u32 flags);

/* Rules in order; returns it to be filled in further. */
struct rule *pol_rule(struct pol *p, const char *name, int verdict);
/* Same for opens: of files with this cookie (0: any), 1 unless one fits. */
struct open_rule *pol_open_rule(struct pol *p, __u64 cookie, int verdict);
void pol_clear(struct pol *p);
/* Last recorded call for a name, NULL if there was none. */
struct rules_call *pol_call(struct pol *p, const char *name);
/* Number of recorded calls for a name with all of these flags. */
int pol_calls(struct pol *p, const char *name, unsigned int flags);

#endif
