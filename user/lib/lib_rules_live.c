// SPDX-License-Identifier: LGPL-2.1-or-later
/* The rules that are attached, found from the mount, among the maps of its policy. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib.h"

struct fusepass_rules {
	uint32_t connection;
	uint32_t map;		/* of the ops */
	int text_fd, counts_fd, log_fd;
	char *text;
};

/* Keeps a descriptor of the map if it is one of ours. */
static int map_take(int fd, const struct bpf_map_info *info, void *arg)
{
	struct fusepass_rules *r = arg;
	int *to = NULL;

	if (!strcmp(info->name, "rule_text"))
		to = &r->text_fd;
	else if (!strcmp(info->name, "rule_counts"))
		to = &r->counts_fd;
	else if (!strcmp(info->name, "rule_log"))
		to = &r->log_fd;
	if (!to || *to >= 0)
		return 0;
	*to = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *to < 0 ? -errno : 0;
}

static int text_read(struct fusepass_rules *r)
{
	struct bpf_map_info info = { .type = 0 };
	uint32_t len = sizeof(info), key = 0;
	int ret = bpf_map_get_info_by_fd(r->text_fd, &info, &len);

	if (ret)
		return ret;
	/* Of each entry, the kernel copies a multiple of 8. */
	r->text = calloc(1, info.value_size + 8);
	if (!r->text)
		return -ENOMEM;
	return bpf_map_lookup_elem(r->text_fd, &key, r->text);
}

static int rules_find(struct fusepass_rules *r)
{
	int ret = lib_live_maps(r->map, map_take, r);

	if (ret < 0)
		return ret;
	if (r->text_fd < 0 || r->counts_fd < 0 || r->log_fd < 0) {
		lib_error_set("its policy does not go by a file of rules");
		return -EINVAL;
	}
	return text_read(r);
}

static int attached(const char *path, struct fusepass_rules *r)
{
	struct fusepass_mount m;
	struct fusepass_status s;
	int ret = fusepass_mount_find(path, &m);

	if (ret)
		return ret;
	r->connection = m.connection;
	fusepass_mount_clear(&m);
	ret = fusepass_status_read(r->connection, &s, sizeof(s));
	if (ret)
		return ret;
	if (!s.map) {
		lib_error_set("no policy is attached");
		return -ENOENT;
	}
	r->map = s.map;
	return 0;
}

int fusepass_rules_open(const char *path, struct fusepass_rules **rules)
{
	struct fusepass_rules *r = malloc(sizeof(*r));
	int ret;

	lib_error_clear();
	lib_bpf_quiet();
	if (!r)
		return -ENOMEM;
	*r = (struct fusepass_rules){ .text_fd = -1, .counts_fd = -1,
				      .log_fd = -1 };
	ret = attached(path, r);
	if (!ret)
		ret = rules_find(r);
	if (ret)
		fusepass_rules_close(r);
	else
		*rules = r;
	return ret;
}

const char *fusepass_rules_text(const struct fusepass_rules *r)
{
	return r->text;
}

int fusepass_rules_count(const struct fusepass_rules *r, uint32_t rule,
			 uint64_t *count)
{
	int i, ret, nr = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *each = nr < 1 ? NULL :
		calloc(nr, sizeof(*each));

	lib_error_clear();
	if (!each)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(r->counts_fd, &rule, each);
	*count = 0;
	for (i = 0; !ret && i < nr; i++)
		*count += each[i];
	return ret;
}

struct follower {
	void (*event)(const struct fusepass_rule_event *event, void *arg);
	void *arg;
};

static int take_event(void *arg, void *data, size_t size)
{
	const struct follower *f = arg;

	if (size >= sizeof(struct fusepass_rule_event))
		f->event(data, f->arg);
	return 0;
}

static bool still_attached(const struct fusepass_rules *r)
{
	struct fusepass_status s;

	return !fusepass_status_read(r->connection, &s, sizeof(s)) && s.map == r->map;
}

int fusepass_rules_follow(const struct fusepass_rules *r,
			  void (*event)(const struct fusepass_rule_event *event,
					void *arg), void *arg)
{
	struct follower f = { event, arg };
	struct ring_buffer *ring;
	int ret;

	lib_error_clear();
	lib_bpf_quiet();
	ring = ring_buffer__new(r->log_fd, take_event, &f, NULL);
	if (!ring)
		return -errno;
	do {
		ret = ring_buffer__poll(ring, 500);
	} while (ret >= 0 && (ret || still_attached(r)));
	ring_buffer__free(ring);
	if (ret >= 0)
		lib_error_set("the rules are not attached any more");
	return ret < 0 ? ret : -ENOENT;
}

void fusepass_rules_close(struct fusepass_rules *r)
{
	if (!r)
		return;
	util_cleanup_fd(&r->text_fd);
	util_cleanup_fd(&r->counts_fd);
	util_cleanup_fd(&r->log_fd);
	free(r->text);
	free(r);
}
