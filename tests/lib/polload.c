// SPDX-License-Identifier: GPL-2.0-or-later
/* The loader of polload.h. */
#include "polload.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages of libbpf are kept, and shown when a case fails on them. */
static char log_text[16384];
static size_t log_len;

static int keep_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_DEBUG || log_len >= sizeof(log_text))
		return 0;
	log_len += vsnprintf(log_text + log_len, sizeof(log_text) - log_len,
			     fmt, ap);
	return 0;
}

bool pol_wants_open;

static void show_log(void)
{
	for (char *line = strtok(log_text, "\n"); line; line = strtok(NULL, "\n"))
		note("%s", line);
}

static void fill_ops(struct bpf_map *map, const char *name, int mount_fd,
		     int backing_fd, __u32 connection, __u32 flags)
{
	struct pol_ops *ops;
	size_t size;

	ops = bpf_map__initial_value(map, &size);
	CHECK(ops && size >= sizeof(*ops));
	if (name) {
		memset(ops->name, 0, sizeof(ops->name));
		memcpy(ops->name, name, strnlen(name, sizeof(ops->name)));
	}
	ops->mount_fd = mount_fd;
	ops->backing_fd = backing_fd;
	ops->connection = connection;
	ops->flags = flags;
}

struct pol *pol_open(const char *name, int mount_fd, int backing_fd,
		     __u32 connection, __u32 flags)
{
	struct pol *p = calloc(1, sizeof(*p));
	char path[PATH_MAX + 32];

	libbpf_set_print(keep_log);
	snprintf(path, sizeof(path), "%s/../bpf/rules.bpf.o", harness_bin);
	p->obj = bpf_object__open_file(path, NULL);
	if (!p->obj)
		FAIL("open %s: %s", path, strerrorname_np(errno));
	p->map = bpf_object__find_map_by_name(p->obj, "rules");
	p->map_2 = bpf_object__find_map_by_name(p->obj, "rules_2");
	p->map_open = bpf_object__find_map_by_name(p->obj, "rules_open");
	CHECK(p->map && p->map_2 && p->map_open);
	fill_ops(p->map, name, mount_fd, backing_fd, connection, flags);
	fill_ops(p->map_2, NULL, mount_fd, backing_fd, connection, flags);
	fill_ops(p->map_open, NULL, mount_fd, backing_fd, connection, flags);
	bpf_map__set_autocreate(p->map_open, pol_wants_open);
	return p;
}

void pol_load(struct pol *p)
{
	struct bpf_map *bss;
	size_t size;
	int err = bpf_object__load(p->obj);

	if (err) {
		show_log();
		FAIL("load rules.bpf.o: %s", strerrorname_np(-err));
	}
	bss = bpf_object__find_map_by_name(p->obj, ".bss");
	CHECK(bss);
	p->shared = bpf_map__initial_value(bss, &size);
	CHECK(p->shared && size >= sizeof(*p->shared));
}

int pol_try_attach(struct pol *p)
{
	p->link = bpf_map__attach_struct_ops(p->map);
	return p->link ? 0 : -errno;
}

int pol_attach_with(const char *name, int mount_fd, int backing_fd,
		    __u32 connection, __u32 flags)
{
	struct pol *p = pol_open(name, mount_fd, backing_fd, connection, flags);
	int err;

	pol_load(p);
	err = pol_try_attach(p);
	bpf_link__destroy(p->link);
	bpf_object__close(p->obj);
	free(p);
	return err;
}

struct pol *pol_attach(struct rf *rf, __u32 flags)
{
	/* Stays open: a link update looks at it again. */
	int mount_fd = OK(open(rf->mnt, O_PATH | O_CLOEXEC)), err;
	struct pol *p = pol_open(NULL, mount_fd, rf->root, 0, flags);

	pol_load(p);
	err = pol_try_attach(p);
	if (err) {
		show_log();
		FAIL("attach: %s", strerrorname_np(-err));
	}
	p->mount_fd = mount_fd;
	return p;
}

void pol_detach(struct pol *p)
{
	EQ(bpf_link__destroy(p->link), 0);
	p->link = NULL;
	close(p->mount_fd);
}

struct rule *pol_rule(struct pol *p, const char *name, int verdict)
{
	for (int i = 0; i < RULES_MAX; i++) {
		struct rule *r = &p->shared->rules[i];

		if (r->in_use)
			continue;
		snprintf(r->name, sizeof(r->name), "%s", name);
		r->verdict = verdict;
		r->in_use = 1;
		return r;
	}
	FAIL("more than %d rules", RULES_MAX);
}

struct open_rule *pol_open_rule(struct pol *p, __u64 cookie, int verdict)
{
	for (int i = 0; i < RULES_MAX; i++) {
		struct open_rule *r = &p->shared->open_rules[i];

		if (r->in_use)
			continue;
		r->cookie = cookie;
		r->verdict = verdict;
		r->in_use = 1;
		return r;
	}
	FAIL("more than %d rules for opens", RULES_MAX);
}

void pol_clear(struct pol *p)
{
	memset(p->shared->open_rules, 0, sizeof(p->shared->open_rules));
	p->shared->nopens = 0;
	memset(p->shared->rules, 0, sizeof(p->shared->rules));
	p->shared->ncalls = 0;
}

static bool call_is(const struct rules_call *c, const char *name,
		    unsigned int flags)
{
	return !strncmp(c->name, name, sizeof(c->name) - 1) &&
	       (c->flags & flags) == flags;
}

static int calls_kept(struct pol *p)
{
	return p->shared->ncalls < RULES_CALLS ? p->shared->ncalls : RULES_CALLS;
}

struct rules_call *pol_call(struct pol *p, const char *name)
{
	struct rules_call *found = NULL;

	for (int i = 0; i < calls_kept(p); i++)
		if (call_is(&p->shared->calls[i], name, 0))
			found = &p->shared->calls[i];
	return found;
}

int pol_calls(struct pol *p, const char *name, unsigned int flags)
{
	int n = 0;

	for (int i = 0; i < calls_kept(p); i++)
		n += call_is(&p->shared->calls[i], name, flags);
	return n;
}
