// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The policy `rules` with a file of rules: what the compiler made goes into its
 * maps, whose sizes are set before it is loaded.
 */
#include <errno.h>
#include <string.h>

#include "lib.h"
#include "ruleset.h"

struct lib_rules {
	struct ruleset set;
	struct rules_tables tables;
};

static struct bpf_map *find_map(const struct fusepass_policy *p,
				const char *name)
{
	return bpf_object__find_map_by_name(p->obj, name);
}

bool lib_rules_wanted(const struct fusepass_policy *p)
{
	return find_map(p, "rule_text") && !p->rules;
}

void lib_rules_free(struct lib_rules *r)
{
	if (!r)
		return;
	ruleset_clear(&r->set);
	rules_tables_clear(&r->tables);
	free(r);
}

static int compile(struct lib_rules *r, const char *file)
{
	int ret = ruleset_read(&r->set, file);

	if (!ret)
		ret = ruleset_find_cgroups(&r->set);
	if (!ret)
		ret = rules_build(&r->set, &r->tables);
	if (ret)
		lib_error_set("%s", r->set.error);
	return ret;
}

/* Maps cannot be empty, so there is the NUL too. */
static int set_sizes(struct fusepass_policy *p, const struct lib_rules *r)
{
	struct bpf_map *tables = find_map(p, "tables");
	struct bpf_map *text = find_map(p, "rule_text");
	struct bpf_map *counts = find_map(p, "rule_counts");
	int ret;

	if (!tables || !text || !counts) {
		lib_error_set("policy \"%s\" does not go by a file of rules",
			      p->name);
		return -EINVAL;
	}
	ret = bpf_map__set_value_size(tables, r->tables.size);
	if (!ret)
		ret = bpf_map__set_value_size(text, strlen(r->set.text) + 1);
	if (!ret)
		ret = bpf_map__set_max_entries(counts, r->tables.nr_rules ?
					       r->tables.nr_rules : 1);
	return ret;
}

/* What the rules do not need costs nothing. */
static int set_ops(struct fusepass_policy *p, const struct rules_tables *t)
{
	uint32_t *flags = lib_policy_member(p, "flags");
	struct bpf_program **open = lib_policy_member(p, "open");

	if (!flags || !open || !lib_policy_member(p, "lookup"))
		return -EINVAL;
	if (t->hides)
		*flags |= LIB_POLICY_F_HIDES;
	if (t->opens)
		return 0;
	bpf_program__set_autoload(*open, false);
	*open = NULL;
	return 0;
}

static int prepare(struct fusepass_policy *p, const struct lib_rules *r)
{
	char mask[16];
	int ret = set_sizes(p, r);

	snprintf(mask, sizeof(mask), "%u", r->tables.mask);
	if (!ret)
		ret = lib_knob_set(p, "cells_mask", mask);
	return ret ? ret : set_ops(p, &r->tables);
}

int fusepass_policy_rules(struct fusepass_policy *p, const char *file)
{
	struct lib_rules *r;
	int ret;

	lib_error_clear();
	if (p->used || p->rules)
		return -EBUSY;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	ret = compile(r, file);
	if (!ret)
		ret = prepare(p, r);
	if (ret)
		lib_rules_free(r);
	else
		p->rules = r;
	return ret;
}

/* A map that no program uses would go when its last descriptor is closed. */
static int keep_text(struct fusepass_policy *p)
{
	struct bpf_program **lookup = lib_policy_member(p, "lookup");

	return bpf_prog_bind_map(bpf_program__fd(*lookup),
				 bpf_map__fd(find_map(p, "rule_text")), NULL);
}

int lib_rules_fill(struct fusepass_policy *p)
{
	const struct lib_rules *r = p->rules;
	const uint32_t key = 0;
	int ret = bpf_map__update_elem(find_map(p, "tables"), &key, sizeof(key),
				       r->tables.cells, r->tables.size, 0);

	if (!ret)
		ret = bpf_map__update_elem(find_map(p, "rule_text"), &key,
					   sizeof(key), r->set.text,
					   strlen(r->set.text) + 1, 0);
	return ret ? ret : keep_text(p);
}
