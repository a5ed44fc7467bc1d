// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Knobs: `const volatile` globals of a policy, found by name in its BTF and
 * changed in the initial value of .rodata before the policy is loaded. Of one that is
 * attached, they are read from that map in the kernel.
 *
 * Help is a declaration tag of the variable: FUSEPASS_HELP() of fusepass.bpf.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib.h"

/* A knob where it lies. */
struct knob {
	const struct btf *btf;
	const struct btf_type *type;	/* without typedefs and qualifiers */
	char *data;
	size_t size;
};

static const struct btf_type *skip_mods(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

static int set_signed(struct knob *k, const char *value)
{
	int64_t max = k->size == 8 ? INT64_MAX : (1LL << (k->size * 8 - 1)) - 1;
	int64_t v;
	int ret = util_parse_s64(value, &v);

	if (!ret && (v > max || v < -max - 1))
		ret = -ERANGE;
	if (ret)
		lib_error_set("a number of %zu bytes, with sign, is expected",
			      k->size);
	else
		memcpy(k->data, &v, k->size);
	return ret;
}

static int set_unsigned(struct knob *k, const char *value)
{
	uint64_t v;
	int ret = util_parse_u64(value, &v);

	if (!ret && k->size < 8 && v >= 1ULL << (k->size * 8))
		ret = -ERANGE;
	if (ret)
		lib_error_set("a number of %zu bytes, not negative, is expected",
			      k->size);
	else
		memcpy(k->data, &v, k->size);
	return ret;
}

static int set_bool(struct knob *k, const char *value)
{
	bool yes = !strcmp(value, "true") || !strcmp(value, "1");

	if (!yes && strcmp(value, "false") && strcmp(value, "0")) {
		lib_error_set("true or false is expected");
		return -EINVAL;
	}
	*k->data = yes;
	return 0;
}

static int set_text(struct knob *k, const char *value)
{
	size_t len = strlen(value);

	if (len >= k->size || len >= FUSEPASS_KNOB_TEXT_SIZE) {
		lib_error_set("a text of at most %zu bytes is expected",
			      k->size - 1);
		return -ERANGE;
	}
	memset(k->data, 0, k->size);
	memcpy(k->data, value, len);
	return 0;
}

static int set_enum(struct knob *k, const char *value)
{
	const struct btf_enum *e = btf_enum(k->type);
	unsigned int i;

	for (i = 0; i < btf_vlen(k->type); i++) {
		if (strcmp(value, btf__name_by_offset(k->btf, e[i].name_off)))
			continue;
		memcpy(k->data, &e[i].val, k->size);
		return 0;
	}
	return set_signed(k, value);
}

static bool is_text(const struct knob *k)
{
	const struct btf_type *e;

	if (!btf_is_array(k->type))
		return false;
	e = skip_mods(k->btf, btf_array(k->type)->type);
	return e && btf_is_int(e) && e->size == 1;
}

static int knob_set(struct knob *k, const char *value)
{
	if (is_text(k))
		return set_text(k, value);
	if (btf_is_enum(k->type) && k->size == 4)
		return set_enum(k, value);
	if (!btf_is_int(k->type) || k->size > 8) {
		lib_error_set("its type cannot be set as text");
		return -EOPNOTSUPP;
	}
	if (btf_int_encoding(k->type) & BTF_INT_BOOL)
		return set_bool(k, value);
	if (btf_int_encoding(k->type) & BTF_INT_SIGNED)
		return set_signed(k, value);
	return set_unsigned(k, value);
}

static const struct btf_type *rodata_section(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

/* The map of .rodata; its name has the object's in front. */
static struct bpf_map *rodata_map(struct bpf_object *obj)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj) {
		const char *dot = strchr(bpf_map__name(m), '.');

		if (dot && !strcmp(dot, ".rodata"))
			return m;
	}
	return NULL;
}

/* Where the knobs of a policy lie. */
struct area {
	const struct btf *btf;
	const struct btf_type *section;	/* .rodata */
	char *data;
	size_t size;
};

static bool area_of(const struct fusepass_policy *p, struct area *a)
{
	struct bpf_map *map = rodata_map(p->obj);

	a->btf = bpf_object__btf(p->obj);
	a->section = rodata_section(a->btf);
	a->data = map ? bpf_map__initial_value(map, &a->size) : NULL;
	return a->section && a->data;
}

/* False: it is not a variable that others may set. */
static bool area_knob(const struct area *a, const struct btf_var_secinfo *v,
		      struct knob *k, const char **name)
{
	const struct btf_type *var = btf__type_by_id(a->btf, v->type);

	*k = (struct knob){ a->btf, skip_mods(a->btf, var->type),
			    a->data + v->offset, v->size };
	*name = btf__name_by_offset(a->btf, var->name_off);
	return k->type && v->offset + v->size <= a->size &&
	       btf_var(var)->linkage == BTF_VAR_GLOBAL_ALLOCATED;
}

static bool knob_find(struct fusepass_policy *p, const char *wanted,
		      struct knob *k)
{
	struct btf_var_secinfo *v;
	const char *name;
	struct area a;
	unsigned int i;

	if (!area_of(p, &a))
		return false;
	v = btf_var_secinfos(a.section);
	for (i = 0; i < btf_vlen(a.section); i++, v++)
		if (area_knob(&a, v, k, &name) && !strcmp(name, wanted))
			return true;
	return false;
}

int lib_knob_set(struct fusepass_policy *p, const char *knob,
		 const char *value)
{
	struct knob k;

	if (p->used)
		return -EBUSY;
	if (!knob_find(p, knob, &k)) {
		lib_error_set("policy \"%s\" has no such knob", p->name);
		return -ENOENT;
	}
	return knob_set(&k, value);
}

/* Showing ---------------------------------------------------------------- */

#define HELP_TAG	"help:"

static const char *tag_of(const struct btf *btf, uint32_t id)
{
	uint32_t i, nr = btf__type_cnt(btf);

	for (i = 1; i < nr; i++) {
		const struct btf_type *t = btf__type_by_id(btf, i);
		const char *text = btf__name_by_offset(btf, t->name_off);

		if (btf_is_decl_tag(t) && t->type == id &&
		    btf_decl_tag(t)->component_idx == -1 &&
		    !strncmp(text, HELP_TAG, strlen(HELP_TAG)))
			return text + strlen(HELP_TAG);
	}
	return "";
}

static int64_t number_of(const struct knob *k, bool is_signed)
{
	int64_t v = 0;

	memcpy(&v, k->data, k->size);
	if (is_signed && k->size < 8 && v >> (k->size * 8 - 1) & 1)
		v -= 1LL << (k->size * 8);
	return v;
}

static void show_enum(const struct knob *k, char *type, char *value, size_t size)
{
	const struct btf_enum *e = btf_enum(k->type);
	int32_t v = number_of(k, true);
	unsigned int i;
	int len = 0;

	snprintf(value, size, "%d", v);
	for (i = 0; i < btf_vlen(k->type) && len < (int)size; i++) {
		const char *name = btf__name_by_offset(k->btf, e[i].name_off);

		len += snprintf(type + len, size - len, "%s%s", i ? "|" : "", name);
		if (e[i].val == v)
			snprintf(value, size, "%s", name);
	}
}

static void show_int(const struct knob *k, char *type, char *value, size_t size)
{
	bool is_signed = btf_int_encoding(k->type) & BTF_INT_SIGNED;

	snprintf(type, size, "%c%zu", is_signed ? 's' : 'u', k->size * 8);
	if (is_signed)
		snprintf(value, size, "%" PRId64, number_of(k, true));
	else
		snprintf(value, size, "%" PRIu64, (uint64_t)number_of(k, false));
}

static void show_text(const struct knob *k, char *type, char *value, size_t size)
{
	int len = k->size < size ? k->size : size - 1;

	snprintf(type, size, "text");
	snprintf(value, size, "%.*s", len, k->data);
}

/* As knob_set() takes it. */
static void knob_show(const struct knob *k, char *type, char *value, size_t size)
{
	if (is_text(k))
		show_text(k, type, value, size);
	else if (btf_is_enum(k->type) && k->size == 4)
		show_enum(k, type, value, size);
	else if (!btf_is_int(k->type) || k->size > 8)
		snprintf(type, size, "other");
	else if (btf_int_encoding(k->type) & BTF_INT_BOOL) {
		snprintf(type, size, "bool");
		snprintf(value, size, "%s", *k->data ? "true" : "false");
	} else {
		show_int(k, type, value, size);
	}
}

static void area_each(const struct area *a, lib_knob_fn each, void *arg)
{
	struct btf_var_secinfo *v = btf_var_secinfos(a->section);
	unsigned int i;

	for (i = 0; i < btf_vlen(a->section); i++, v++) {
		char type[256] = "", value[256] = "";
		struct lib_knob shown = { .type = type, .value = value };
		struct knob k;

		if (!area_knob(a, v, &k, &shown.name))
			continue;
		shown.size = k.size;
		shown.help = tag_of(a->btf, v->type);
		knob_show(&k, type, value, sizeof(value));
		each(&shown, arg);
	}
}

void lib_knobs(const struct fusepass_policy *p, lib_knob_fn each, void *arg)
{
	struct area a;

	if (area_of(p, &a))
		area_each(&a, each, arg);
}

const char *lib_policy_help(const struct fusepass_policy *p)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	int id = btf__find_by_name_kind(btf, bpf_map__name(p->ops), BTF_KIND_VAR);

	return id < 0 ? "" : tag_of(btf, id);
}

struct live_call {
	lib_knob_fn each;
	void *arg;
};

/* Returns 1 when it was the map of the knobs. */
static int live_knobs(int fd, const struct bpf_map_info *info, void *arg)
{
	const char *dot = strchr(info->name, '.');
	struct live_call *call = arg;
	_cleanup_free_ char *data = NULL;
	struct area a = { .size = info->value_size };
	struct btf *btf;
	uint32_t key = 0;
	int ret;

	if (!dot || strcmp(dot, ".rodata") || !info->btf_value_type_id)
		return 0;
	btf = btf__load_from_kernel_by_id(info->btf_id);
	/* Of each value, the kernel copies a multiple of 8. */
	data = calloc(1, info->value_size + 8);
	a.btf = btf;
	a.data = data;
	a.section = btf ? btf__type_by_id(btf, info->btf_value_type_id) : NULL;
	ret = !a.section || !data ? -ENOMEM : bpf_map_lookup_elem(fd, &key, data);
	if (!ret && btf_is_datasec(a.section))
		area_each(&a, call->each, call->arg);
	btf__free(btf);
	return ret ? ret : 1;
}

int lib_live_knobs(uint32_t map, lib_knob_fn each, void *arg)
{
	struct live_call call = { each, arg };
	int ret = lib_live_maps(map, live_knobs, &call);

	return ret < 0 ? ret : 0;
}
