// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Knobs: `const volatile` globals of a policy, found by name in its BTF and
 * changed in the initial value of .rodata before the policy is loaded.
 */
#include <errno.h>
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

static int fits_signed(int64_t v, size_t size)
{
	int64_t max = size == 8 ? INT64_MAX : (1LL << (size * 8 - 1)) - 1;

	return v <= max && v >= -max - 1;
}

static int fits_unsigned(uint64_t v, size_t size)
{
	return size == 8 || v < 1ULL << (size * 8);
}

static int set_signed(struct knob *k, const char *value)
{
	int64_t v;
	int ret = util_parse_s64(value, &v);

	if (!ret && !fits_signed(v, k->size))
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

	if (!ret && !fits_unsigned(v, k->size))
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

static bool knob_find(struct fusepass_policy *p, const char *name,
		      struct knob *k)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	const struct btf_type *sec = rodata_section(btf);
	struct bpf_map *map = rodata_map(p->obj);
	struct btf_var_secinfo *v;
	size_t size;
	char *data;
	unsigned int i;

	data = map && sec ? bpf_map__initial_value(map, &size) : NULL;
	if (!data)
		return false;
	v = btf_var_secinfos(sec);
	for (i = 0; i < btf_vlen(sec); i++, v++) {
		const struct btf_type *var = btf__type_by_id(btf, v->type);

		if (strcmp(name, btf__name_by_offset(btf, var->name_off)))
			continue;
		*k = (struct knob){ btf, skip_mods(btf, var->type),
				    data + v->offset, v->size };
		return k->type && v->offset + v->size <= size;
	}
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
