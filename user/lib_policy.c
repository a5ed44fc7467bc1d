// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Policies: open, load, attach, replace, detach.
 *
 * A policy is the one struct_ops map of type fuse_policy_ops in a BPF object.
 * Its members are found by name in the object's own BTF, so that a policy made
 * for an older or newer kernel loads as long as libbpf can relate the types.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "lib.h"

/* The system's <linux/bpf.h> may be older than the kernel. */
#ifndef BPF_F_LINK
#define BPF_F_LINK	(1U << 13)
#endif

#define OPS_TYPE	"fuse_policy_ops"
#define OPS_VALUE_TYPE	"bpf_struct_ops_" OPS_TYPE

#ifndef FUSEPASS_POLICY_DIR
#define FUSEPASS_POLICY_DIR "/usr/local/lib/fusepass"
#endif

/* Finding the file ------------------------------------------------------- */

static bool is_file_name(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') ||
	       (len > 6 && !strcmp(name + len - 6, ".bpf.o"));
}

static int path_in(const char *dir, const char *name, char *path)
{
	if (snprintf(path, PATH_MAX, "%s/%s.bpf.o", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(path, R_OK) ? -errno : 0;
}

/* Directory of the program, with @tail. */
static int beside_program(const char *tail, char *dir)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (len < 0)
		return -errno;
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	return snprintf(dir, PATH_MAX, "%s/%s", exe, tail) < PATH_MAX ?
	       0 : -ENAMETOOLONG;
}

static int policy_find(const char *name, char *path)
{
	static const char *const beside[] = { "../bpf", "../lib/fusepass" };
	const char *dir = getenv("FUSEPASS_POLICY_DIR");
	char near[PATH_MAX];
	size_t i;

	if (dir)
		return path_in(dir, name, path);
	for (i = 0; i < ARRAY_SIZE(beside); i++)
		if (!beside_program(beside[i], near) &&
		    !path_in(near, name, path))
			return 0;
	return path_in(FUSEPASS_POLICY_DIR, name, path);
}

/* Opening ---------------------------------------------------------------- */

static const struct btf_type *map_type(const struct bpf_object *obj,
				       const struct bpf_map *map)
{
	return btf__type_by_id(bpf_object__btf(obj),
			       bpf_map__btf_value_type_id(map));
}

static bool is_ops_map(const struct bpf_object *obj, const struct bpf_map *map)
{
	const struct btf_type *t;

	if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
		return false;
	t = map_type(obj, map);
	return t && !strcmp(btf__name_by_offset(bpf_object__btf(obj),
						t->name_off), OPS_TYPE);
}

static int find_ops(struct fusepass_policy *p)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, p->obj) {
		if (!is_ops_map(p->obj, m))
			continue;
		if (p->ops) {
			lib_error_set("it has two struct " OPS_TYPE);
			return -EINVAL;
		}
		p->ops = m;
	}
	if (!p->ops) {
		lib_error_set("it has no struct " OPS_TYPE);
		return -EINVAL;
	}
	if (!(bpf_map__map_flags(p->ops) & BPF_F_LINK)) {
		lib_error_set("its struct " OPS_TYPE
			      " is not in section .struct_ops.link");
		return -EINVAL;
	}
	p->type = map_type(p->obj, p->ops);
	return 0;
}

static const struct btf_member *find_member(const struct btf *btf,
					    const struct btf_type *t,
					    const char *name)
{
	const struct btf_member *m = btf_members(t);
	unsigned int i;

	for (i = 0; i < btf_vlen(t); i++, m++)
		if (!strcmp(name, btf__name_by_offset(btf, m->name_off)))
			return m;
	return NULL;
}

/* Where a member of the ops lies, NULL if the policy's type has none. */
static void *ops_member(const struct fusepass_policy *p, const char *name)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	const struct btf_member *m = find_member(btf, p->type, name);
	char *data = bpf_map__initial_value(p->ops, NULL);

	return m && data ? data + m->offset / 8 : NULL;
}

static int read_name(struct fusepass_policy *p)
{
	const char *name = ops_member(p, "name");

	if (!name || !*name) {
		lib_error_set("its struct " OPS_TYPE " has no name");
		return -EINVAL;
	}
	memcpy(p->name, name, sizeof(p->name) - 1);
	return 0;
}

static int policy_open_file(const char *path, struct fusepass_policy *p)
{
	int ret;

	if (access(path, R_OK))
		return -errno;
	p->obj = bpf_object__open_file(path, NULL);
	if (!p->obj) {
		ret = -errno;
		lib_error_from_bpf("not a BPF object");
		return ret == -ENOMEM ? ret : -EINVAL;
	}
	ret = find_ops(p);
	return ret ? ret : read_name(p);
}

int fusepass_policy_open(const char *name, struct fusepass_policy **policy)
{
	struct fusepass_policy *p;
	char path[PATH_MAX];
	int ret;

	lib_error_clear();
	lib_bpf_quiet();
	if (is_file_name(name)) {
		if (snprintf(path, sizeof(path), "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
	} else {
		ret = policy_find(name, path);
		if (ret)
			return ret;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	ret = policy_open_file(path, p);
	if (ret)
		fusepass_policy_close(p);
	else
		*policy = p;
	return ret;
}

void fusepass_policy_close(struct fusepass_policy *p)
{
	if (!p)
		return;
	bpf_object__close(p->obj);
	free(p);
}

const char *fusepass_policy_name(const struct fusepass_policy *p)
{
	return p->name;
}

int fusepass_policy_set(struct fusepass_policy *p, const char *knob,
			const char *value)
{
	lib_error_clear();
	return lib_knob_set(p, knob, value);
}

/* Loading ---------------------------------------------------------------- */

static struct btf *kernel_btf(void)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		lib_error_set("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	return btf;
}

static int kernel_has_ops(const struct btf *btf)
{
	if (btf__find_by_name_kind(btf, OPS_VALUE_TYPE, BTF_KIND_STRUCT) >= 0)
		return 0;
	lib_error_set("this kernel has no struct " OPS_TYPE
		      ": it lacks the fusepass series or CONFIG_BPF_JIT");
	return -ENOTSUP;
}

int fusepass_kernel_check(void)
{
	struct btf *btf;
	int ret;

	lib_error_clear();
	lib_bpf_quiet();
	btf = kernel_btf();
	ret = btf ? kernel_has_ops(btf) : -ENOTSUP;
	btf__free(btf);
	return ret;
}

static int set_target(struct fusepass_policy *p, int mount_fd, int backing_fd,
		      uint32_t connection)
{
	int32_t *mount = ops_member(p, "mount_fd");
	int32_t *backing = ops_member(p, "backing_fd");
	uint32_t *conn = ops_member(p, "connection");

	if (!mount || !backing) {
		lib_error_set("its struct " OPS_TYPE " is incomplete");
		return -EINVAL;
	}
	*mount = mount_fd;
	*backing = backing_fd;
	if (conn)
		*conn = connection;
	return 0;
}

static int policy_load(struct fusepass_policy *p)
{
	int ret;

	if (p->used)
		return -EBUSY;
	p->used = true;
	ret = fusepass_kernel_check();
	if (ret)
		return ret;
	ret = bpf_object__load(p->obj);
	if (ret == -EPERM)
		lib_error_set("CAP_BPF or CAP_SYS_ADMIN is needed");
	if (ret)
		lib_error_from_bpf("the kernel refused the policy");
	return ret;
}

/* Pins ------------------------------------------------------------------- */

static void pin_path(uint32_t connection, char path[64])
{
	snprintf(path, 64, FUSEPASS_PIN_DIR "/%" PRIu32, connection);
}

static int pin_dir_prepare(void)
{
	struct statfs st;

	if (statfs("/sys/fs/bpf", &st))
		return -errno;
	if (st.f_type != BPF_FS_MAGIC &&
	    mount("bpffs", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
		return -errno;
	if (mkdir(FUSEPASS_PIN_DIR, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * A pin that is there already is of a connection that is gone: the kernel has
 * just accepted ours, and numbers are reused.
 */
static int pin_link(int link_fd, uint32_t connection)
{
	char path[64];
	int ret = pin_dir_prepare();

	pin_path(connection, path);
	if (!ret && unlink(path) && errno != ENOENT)
		ret = -errno;
	if (!ret)
		ret = bpf_obj_pin(link_fd, path);
	if (ret)
		lib_error_set("pinning the link in " FUSEPASS_PIN_DIR);
	return ret;
}

int fusepass_pin_remove(uint32_t connection)
{
	char path[64];

	lib_error_clear();
	pin_path(connection, path);
	return unlink(path) ? -errno : 0;
}

/* Attaching -------------------------------------------------------------- */

/* Says which policy is in the way. */
static void explain_busy(uint32_t connection)
{
	struct fusepass_status s;

	if (fusepass_status_read(connection, &s) || !s.policy[0])
		lib_error_set("a policy is attached");
	else
		lib_error_set("policy \"%s\" is attached", s.policy);
}

static void explain_attach(int err, uint32_t connection)
{
	switch (err) {
	case -EBUSY:
		explain_busy(connection);
		break;
	case -EOPNOTSUPP:
		lib_error_set("the server did not negotiate "
			      "FUSE_PASSTHROUGH_INO, or the backing mount is "
			      "idmapped");
		break;
	case -EPERM:
		lib_error_set("CAP_SYS_ADMIN is needed");
		break;
	case -ELOOP:
		lib_error_set("the backing directory is on the mount itself or "
			      "on a stacked file system");
		break;
	case -ENOTCONN:
		lib_error_set("unmounted meanwhile");
		break;
	}
}

/* The kernel does not wait for the server to answer INIT, so this does. */
static struct bpf_link *attach_after_init(struct fusepass_policy *p)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct bpf_link *link;

	while (!(link = bpf_map__attach_struct_ops(p->ops)) && errno == EAGAIN)
		nanosleep(&pause, NULL);
	return link;
}

static int make_link(struct fusepass_policy *p, uint32_t connection)
{
	struct bpf_link *link = attach_after_init(p);
	int fd, ret;

	if (!link) {
		ret = -errno;
		explain_attach(ret, connection);
		return ret;
	}
	fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
	ret = fd < 0 ? -errno : fd;
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return ret;
}

int fusepass_policy_attach_fd(struct fusepass_policy *p, int mount_fd,
			      int backing_fd, uint32_t connection,
			      unsigned int flags, int *link_fd)
{
	int fd, ret;

	lib_error_clear();
	ret = set_target(p, mount_fd, backing_fd, connection);
	if (!ret)
		ret = policy_load(p);
	if (ret)
		return ret;
	fd = make_link(p, connection);
	if (fd < 0)
		return fd;
	ret = flags & FUSEPASS_PIN ? pin_link(fd, connection) : 0;
	if (ret)
		close(fd);
	else
		*link_fd = fd;
	return ret;
}

/* The fds that a policy is bound by, of a mount given by path. */
struct target {
	struct fusepass_mount mount;
	int mount_fd;
	int backing_fd;
};

static void target_clear(struct target *t)
{
	fusepass_mount_clear(&t->mount);
	util_cleanup_fd(&t->mount_fd);
	util_cleanup_fd(&t->backing_fd);
}

#define _cleanup_target_ __attribute__((cleanup(target_clear)))

static int target_open(const char *path, const char *backing, struct target *t)
{
	int ret = fusepass_mount_find(path, &t->mount);

	if (ret)
		return ret;
	/* O_PATH: it must work without a living server. */
	t->mount_fd = open(t->mount.mountpoint, O_PATH | O_CLOEXEC);
	if (t->mount_fd < 0)
		return -errno;
	t->backing_fd = lib_backing_open(&t->mount, backing);
	return t->backing_fd < 0 ? t->backing_fd : 0;
}

int fusepass_policy_attach(struct fusepass_policy *p, const char *path,
			   const char *backing, unsigned int flags,
			   int *link_fd)
{
	_cleanup_target_ struct target t = { .mount_fd = -1, .backing_fd = -1 };
	int ret;

	lib_error_clear();
	ret = target_open(path, backing, &t);
	if (ret)
		return ret;
	return fusepass_policy_attach_fd(p, t.mount_fd, t.backing_fd,
					 t.mount.connection, flags, link_fd);
}

/* Replacing -------------------------------------------------------------- */

static int link_open(uint32_t connection)
{
	struct fusepass_status s;
	int fd, ret = fusepass_status_read(connection, &s);

	if (ret)
		return ret;
	if (!s.link) {
		lib_error_set("no policy is attached");
		return -ENOENT;
	}
	fd = bpf_link_get_fd_by_id(s.link);
	return fd < 0 ? -errno : fd;
}

/* Copies one member of the ops into the value that the kernel wants. */
static int value_member(const struct fusepass_policy *p, const struct btf *kern,
			const struct btf_type *kern_ops,
			const struct btf_member *m, char *data)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	const char *name = btf__name_by_offset(btf, m->name_off);
	const struct btf_member *k = find_member(kern, kern_ops, name);
	const char *src = bpf_map__initial_value(p->ops, NULL);
	const struct btf_type *t = btf__type_by_id(btf, m->type);
	const struct bpf_program *prog;
	uint64_t fd;
	int size;

	if (!k)
		return -ENOTSUP;
	src += m->offset / 8;
	data += k->offset / 8;
	if (!btf_is_ptr(t)) {
		size = btf__resolve_size(btf, m->type);
		if (size < 0 || size != btf__resolve_size(kern, k->type))
			return -EINVAL;
		memcpy(data, src, size);
		return 0;
	}
	memcpy(&prog, src, sizeof(prog));
	fd = prog ? bpf_program__fd(prog) : 0;
	memcpy(data, &fd, sizeof(fd));
	return 0;
}

/*
 * libbpf fills a struct_ops map when it makes a link for it. A replacement has
 * a link already, of another process, so the map is filled here.
 */
static int value_fill(const struct fusepass_policy *p, const struct btf *kern,
		      const struct btf_type *value_type, char *value)
{
	const struct btf_member *data = find_member(kern, value_type, "data");
	const struct btf_member *m = btf_members(p->type);
	const struct btf_type *ops;
	unsigned int i;
	int ret = 0;

	if (!data)
		return -ENOTSUP;
	ops = btf__type_by_id(kern, data->type);
	for (i = 0; !ret && i < btf_vlen(p->type); i++, m++)
		ret = value_member(p, kern, ops, m, value + data->offset / 8);
	return ret;
}

static int map_fill_with(const struct fusepass_policy *p,
			 const struct btf *kern)
{
	int id = btf__find_by_name_kind(kern, OPS_VALUE_TYPE, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(kern, id);
	_cleanup_free_ char *value = t ? calloc(1, t->size) : NULL;
	int ret, key = 0;

	if (!value)
		return t ? -ENOMEM : -ENOTSUP;
	ret = value_fill(p, kern, t, value);
	if (ret)
		return ret;
	return bpf_map_update_elem(bpf_map__fd(p->ops), &key, value, 0);
}

static int map_fill(const struct fusepass_policy *p)
{
	struct btf *kern = kernel_btf();
	int ret = kern ? map_fill_with(p, kern) : -ENOTSUP;

	btf__free(kern);
	return ret;
}

int fusepass_policy_replace(struct fusepass_policy *p, const char *path,
			    const char *backing)
{
	_cleanup_target_ struct target t = { .mount_fd = -1, .backing_fd = -1 };
	_cleanup_fd_ int link = -1;
	int ret;

	lib_error_clear();
	ret = target_open(path, backing, &t);
	if (ret)
		return ret;
	link = link_open(t.mount.connection);
	if (link < 0)
		return link;
	ret = set_target(p, t.mount_fd, t.backing_fd, t.mount.connection);
	if (!ret)
		ret = policy_load(p);
	if (!ret)
		ret = map_fill(p);
	if (!ret)
		ret = bpf_link_update(link, bpf_map__fd(p->ops), NULL);
	if (ret == -EINVAL && !fusepass_error()[0])
		lib_error_set("the kernel refused it: another backing directory"
			      "?");
	return ret;
}

/* Detaching -------------------------------------------------------------- */

int fusepass_policy_detach(const char *path)
{
	struct fusepass_mount m;
	_cleanup_fd_ int link = -1;
	uint32_t connection;
	int ret = fusepass_mount_find(path, &m);

	if (ret)
		return ret;
	connection = m.connection;
	fusepass_mount_clear(&m);
	link = link_open(connection);
	if (link < 0)
		return link;
	if (bpf_link_detach(link))
		return -errno;
	fusepass_pin_remove(connection);
	return 0;
}
