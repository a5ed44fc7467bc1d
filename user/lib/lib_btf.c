// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Types of the kernel: in the BTF of vmlinux, or in that of a module if FUSE is one.
 *
 * The module need not be called fuse: a kernel that has FUSE built in can be given
 * another by a module of another name.
 */
#include <errno.h>
#include <string.h>

#include "lib.h"

#define BTF_DIR	"/sys/kernel/btf"

static bool has_type(const struct btf *btf, const char *name, unsigned int kind)
{
	return btf && btf__find_by_name_kind(btf, name, kind) >= 0;
}

/* Looks for the bare name first: there may be hundreds of modules to take apart. */
static bool module_names(const char *module, const char *name)
{
	_cleanup_free_ char *text = NULL;
	char path[512];
	size_t len;

	if (snprintf(path, sizeof(path), BTF_DIR "/%s", module) >=
	    (int)sizeof(path) || util_file_load(path, &text, &len))
		return false;
	return memmem(text, len, name, strlen(name) + 1);
}

static struct btf *module_with(struct btf *base, const char *name,
			       unsigned int kind)
{
	_cleanup_dir_ DIR *dir = opendir(BTF_DIR);
	struct dirent *e;
	struct btf *btf;

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "vmlinux") ||
		    !module_names(e->d_name, name))
			continue;
		btf = btf__load_module_btf(e->d_name, base);
		if (has_type(btf, name, kind))
			return btf;
		btf__free(btf);
	}
	return NULL;
}

int lib_btf_find(struct lib_btf *b, const char *name, unsigned int kind)
{
	lib_bpf_quiet();
	*b = (struct lib_btf){ .base = btf__load_vmlinux_btf() };
	if (!b->base)
		return -ENODATA;
	if (has_type(b->base, name, kind)) {
		b->btf = b->base;
		return 0;
	}
	b->btf = b->module = module_with(b->base, name, kind);
	if (b->btf)
		return 0;
	lib_btf_clear(b);
	return -ENOENT;
}

void lib_btf_clear(struct lib_btf *b)
{
	btf__free(b->module);
	btf__free(b->base);
	*b = (struct lib_btf){ NULL, NULL, NULL };
}
