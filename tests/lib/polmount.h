/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts for tests of policies: a raw server on the tree of rf_make_tree(), at m, with the
 * backing tree at b; rules for the policy rules.bpf.c; and what many cases compare.
 */
#ifndef FUSEPASS_POLMOUNT_H
#define FUSEPASS_POLMOUNT_H

#include "polload.h"

struct rf *mount_conf(struct rf_conf *conf);
struct rf *mount_tree(void);
/* Names and attributes the server gave are valid for an hour. */
struct rf *mount_caching(void);

/* Rules that pass: these operations; names beneath see this cookie; this object. */
struct rule *rule_ops(struct pol *p, const char *name, uint64_t ops);
struct rule *rule_cookie(struct pol *p, const char *name, uint64_t cookie);
struct rule *rule_backing(struct pol *p, const char *name, int id, const char *path);

/* A "-1 and errno" as a test of lookup alone. */
int lookup(const char *path);
/* The read side of everything in the tree. */
void use_tree(void);
bool policy_is(struct rf *rf, const char *name);

void expect_same_stat(const char *a, const char *b);
/* No policy is attached, and one can be. */
void expect_attach_works(struct rf *rf);
/* The program saw these attributes. */
void expect_object(const struct rules_call *c, const struct stat *st);
/* The decision about m/f cannot be applied: the server serves, and it is counted. */
void expect_backing_fallback(struct rf *rf);

#endif
