// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which programs load as policies, and with which errno others are refused.
 *
 * The programs are in refused.bpf.c. A refusal proves nothing if the program
 * would be refused anyway, so part of each message of the verifier is expected
 * too.
 */
#define TEST_DEFAULT T_QUICK
#include "harness.h"

#include <bpf/libbpf.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char log_text[65536];
static size_t log_len;

static int keep_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_DEBUG && log_len < sizeof(log_text))
		log_len += vsnprintf(log_text + log_len,
				     sizeof(log_text) - log_len, fmt, ap);
	return 0;
}

static struct bpf_object *open_object(const char *file)
{
	char path[PATH_MAX + 64];
	struct bpf_object *obj;

	libbpf_set_print(keep_log);
	snprintf(path, sizeof(path), "%s/../bpf/%s", harness_bin, file);
	obj = bpf_object__open_file(path, NULL);
	if (!obj)
		FAIL("open %s: %s", path, strerrorname_np(errno));
	return obj;
}

/* Leaves out every ops map but this one, and with it their programs. */
static struct bpf_map *choose_map(struct bpf_object *obj, const char *name)
{
	struct bpf_map *map, *found = NULL;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		if (!strcmp(bpf_map__name(map), name))
			found = map;
		else
			bpf_map__set_autocreate(map, false);
	}
	return found;
}

static int load_ops(const char *file, const char *name, struct bpf_map **map)
{
	struct bpf_object *obj = open_object(file);
	struct bpf_map *found = choose_map(obj, name);

	if (!found)
		FAIL("no ops %s in %s", name, file);
	if (map)
		*map = found;
	return bpf_object__load(obj);
}

static void expect_loads(const char *name)
{
	int err = load_ops("refused.bpf.o", name, NULL);

	if (err)
		FAIL("%s: %s: %.800s", name, strerrorname_np(-err), log_text);
}

static void expect_message(const char *part)
{
	if (!strstr(log_text, part)) {
		note("%.900s", strlen(log_text) > 900 ? log_text + strlen(log_text) - 900 : log_text);
		FAIL("the verifier does not say \"%s\"", part);
	}
}

static void expect_refused(const char *name, int error, const char *part)
{
	int err = load_ops("refused.bpf.o", name, NULL);

	if (err != -error)
		FAIL("%s: load gives %d, not -%s: %.600s", name, err,
		     strerrorname_np(error), log_text);
	expect_message(part);
}

TEST(program_that_uses_all_kfuncs_loads)
{
	expect_loads("good");
}

TEST(open_program_loads)
{
	expect_loads("good_opens");
}

TEST(sleepable_program_is_refused)
{
	expect_refused("sleeps", EINVAL, "attach to unsupported member lookup");
}

TEST(sleepable_open_program_is_refused)
{
	expect_refused("sleeps_in_open", EINVAL,
		       "attach to unsupported member open");
}

TEST(kfunc_may_be_called_from_a_subprogram)
{
	expect_loads("good_sub");
}

TEST(write_to_the_lookup_is_refused)
{
	expect_refused("writes_arg", EACCES, "only read is supported");
}

TEST(read_behind_the_lookup_is_refused)
{
	expect_refused("reads_behind", EACCES, "access beyond");
}

TEST(write_to_the_open_is_refused)
{
	expect_refused("writes_open", EACCES, "only read is supported");
}

TEST(read_behind_the_open_is_refused)
{
	expect_refused("behind_open", EACCES, "access beyond");
}

TEST(direct_read_of_the_name_loads)
{
	expect_loads("reads_name");
}

TEST(write_to_the_name_is_refused)
{
	expect_refused("writes_name", EACCES, "cannot write");
}

TEST(kfunc_with_null_is_refused)
{
	expect_refused("null_arg", EACCES, "R1");
}

TEST(kfunc_with_a_struct_of_its_own_is_refused)
{
	expect_refused("stack_arg", EINVAL, "R1");
}

TEST(kfunc_with_a_number_for_the_lookup_is_refused)
{
	expect_refused("number_arg", EINVAL, "R1");
}

TEST(kfunc_with_a_moved_pointer_is_refused)
{
	expect_refused("moved_arg", EINVAL, "R1");
}

TEST(buffer_smaller_than_its_size_is_refused)
{
	expect_refused("long_buffer", EINVAL, "R3");
}

TEST(kfunc_in_other_struct_ops_is_refused)
{
	expect_refused("other_ops", EACCES, "is not allowed");
}

TEST(kfunc_in_an_open_program_is_refused)
{
	static const char *const names[] = {
		"ops_in_open", "cookie_in_open", "valid_in_open",
		"backing_in_open",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		log_len = 0;
		expect_refused(names[i], EACCES, "is not allowed");
	}
}

static void expect_prog_refused(const char *name)
{
	struct bpf_object *obj = open_object("refused.bpf.o");
	struct bpf_program *prog;
	int err;

	choose_map(obj, "");
	prog = bpf_object__find_program_by_name(obj, name);
	CHECK(prog);
	bpf_program__set_autoload(prog, true);
	err = bpf_object__load(obj);
	if (err != -EACCES)
		FAIL("%s: load gives %d, not -EACCES: %.600s", name, err,
		     log_text);
	expect_message("is not allowed");
}

TEST(kfunc_in_a_tracing_program_is_refused)
{
	expect_prog_refused("kfunc_in_tracing");
}

TEST(kfunc_in_a_syscall_program_is_refused)
{
	expect_prog_refused("kfunc_in_syscall");
}

TEST(kfunc_without_a_gpl_compatible_license_is_refused)
{
	NERR(load_ops("license.bpf.o", "closed", NULL), EINVAL);
	expect_message("GPL");
}

TEST(policy_without_lookup_is_refused_at_attach)
{
	struct bpf_link *link;
	struct bpf_map *map;

	EQ(load_ops("refused.bpf.o", "no_lookup", &map), 0);
	errno = 0;
	link = bpf_map__attach_struct_ops(map);
	CHECK(!link);
	EQ(errno, EINVAL);
}
