// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A policy that is attached, found from its map in the kernel: the map of the ops tells
 * its programs, and these their maps.
 */
#include <errno.h>
#include <string.h>

#include "lib.h"

#define OPS_VALUE_TYPE	"bpf_struct_ops_fuse_policy_ops"

/* The type of the map's value, and in it the ops. */
static int value_types(const struct btf *btf, const struct btf_type **value,
		       const struct btf_member **data)
{
	int id = btf__find_by_name_kind(btf, OPS_VALUE_TYPE, BTF_KIND_STRUCT);

	*value = id < 0 ? NULL : btf__type_by_id(btf, id);
	*data = *value ? lib_btf_member(btf, *value, "data") : NULL;
	return *data ? 0 : -ENOTSUP;
}

static int value_read(uint32_t map, char *value)
{
	_cleanup_fd_ int fd = bpf_map_get_fd_by_id(map);
	uint32_t key = 0;

	return fd < 0 ? fd : bpf_map_lookup_elem(fd, &key, value);
}

/* For each member that is a function the value has the id of its program. */
static int programs_of(const struct btf *btf, const struct btf_type *ops,
		       const char *value, struct lib_program *progs, int max)
{
	const struct btf_member *m = btf_members(ops);
	unsigned int i;
	int nr = 0;

	for (i = 0; i < btf_vlen(ops) && nr < max; i++, m++) {
		uint32_t id;

		if (!btf_is_ptr(btf__type_by_id(btf, m->type)))
			continue;
		memcpy(&id, value + m->offset / 8, sizeof(id));
		if (!id)
			continue;
		progs[nr].id = id;
		snprintf(progs[nr].member, sizeof(progs[nr].member), "%s",
			 btf__name_by_offset(btf, m->name_off));
		nr++;
	}
	return nr;
}

int lib_live_programs(uint32_t map, struct lib_program *progs, int max)
{
	_cleanup_btf_ struct lib_btf b = { NULL, NULL, NULL };
	const struct btf_type *value_type;
	const struct btf_member *data;
	_cleanup_free_ char *value = NULL;
	int ret = lib_btf_find(&b, OPS_VALUE_TYPE, BTF_KIND_STRUCT);

	if (!ret)
		ret = value_types(b.btf, &value_type, &data);
	if (ret)
		return -ENOTSUP;
	value = calloc(1, value_type->size);
	if (!value)
		return -ENOMEM;
	ret = value_read(map, value);
	if (ret)
		return ret;
	return programs_of(b.btf, btf__type_by_id(b.btf, data->type),
			   value + data->offset / 8, progs, max);
}

/* The maps of one program. */
static int maps_each(int prog, int (*each)(int fd, const struct bpf_map_info *info,
					   void *arg), void *arg)
{
	uint32_t ids[32], i;
	struct bpf_prog_info info = { .nr_map_ids = ARRAY_SIZE(ids),
				      .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof(info);
	int ret = bpf_prog_get_info_by_fd(prog, &info, &len);

	for (i = 0; !ret && i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++) {
		_cleanup_fd_ int fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = { .type = 0 };

		len = sizeof(map);
		ret = fd < 0 ? fd : bpf_map_get_info_by_fd(fd, &map, &len);
		if (!ret)
			ret = each(fd, &map, arg);
	}
	return ret;
}

int lib_live_maps(uint32_t map, int (*each)(int fd, const struct bpf_map_info *info,
					    void *arg), void *arg)
{
	struct lib_program progs[LIB_NR_PROGRAMS];
	int i, nr = lib_live_programs(map, progs, ARRAY_SIZE(progs)), ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(progs[i].id);

		ret = fd < 0 ? fd : maps_each(fd, each, arg);
	}
	return nr < 0 ? nr : ret;
}
