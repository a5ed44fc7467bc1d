// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Policies: open, load, attach, replace, detach.
 *
 * A policy is the one struct_ops map of type fuse_policy_ops in a BPF object.
 * Its members are found by name in the object's own BTF, so that a policy made
 * for an older or newer kernel loads as long as libbpf can relate the types.
 */
#include <dlfcn.h>
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

static int path_in(const char *dir, const char *name, char *path)
{
	if (snprintf(path, PATH_MAX, "%s/%s.bpf.o", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(path, R_OK) ? -errno : 0;
}

/* The directory of the file @path, with @tail. */
static bool beside(const char *path, const char *tail, char *dir)
{
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 0;

	return slash && snprintf(dir, PATH_MAX, "%.*s/%s", len, path, tail) < PATH_MAX;
}

/* The program's file, or that of the shared library; false if this is not in one. */
static bool own_file(bool library, char *path)
{
	Dl_info info;
	ssize_t len;

	if (library) {
		if (!dladdr(own_file, &info) || !strstr(info.dli_fname, ".so"))
			return false;
		return snprintf(path, PATH_MAX, "%s", info.dli_fname) < PATH_MAX;
	}
	len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	path[len < 0 ? 0 : len] = '\0';
	return len > 0;
}

/* An installation is found wherever it was put. */
static bool installed_dir(size_t i, char *dir)
{
	static const struct {
		bool library;
		const char *tail;
	} places[] = {
		{ false, "../bpf" }, { false, "../lib/fusepass" },
		{ true, "fusepass" }, { true, "../fusepass" },
	};
	char path[PATH_MAX];

	for (size_t n = 0; n < ARRAY_SIZE(places); n++)
		if (own_file(places[n].library, path) &&
		    beside(path, places[n].tail, dir) && !i--)
			return true;
	return !i && snprintf(dir, PATH_MAX, "%s", FUSEPASS_POLICY_DIR) < PATH_MAX;
}

bool lib_policy_dir(size_t i, char *dir)
{
	const char *only = getenv("FUSEPASS_POLICY_DIR");

	if (only)
		return i == 0 && snprintf(dir, PATH_MAX, "%s", only) < PATH_MAX;
	return installed_dir(i, dir);
}

static int policy_find(const char *name, char *path)
{
	char dir[PATH_MAX], tried[400] = "";
	size_t i, len = 0;
	int ret = -ENOENT;

	for (i = 0; ret == -ENOENT && lib_policy_dir(i, dir); i++) {
		ret = path_in(dir, name, path);
		if (len < sizeof(tried))
			len += snprintf(tried + len, sizeof(tried) - len, "%s%s",
					i ? ", " : "", dir);
	}
	if (ret == -ENOENT)
		lib_error_set("not in %s; 'fusepass policy available' lists what "
			      "there is", tried);
	return ret;
}

/* Opening ---------------------------------------------------------------- */

static const struct btf_type *map_type(const struct bpf_object *obj,
				       const struct bpf_map *map)
{
	return btf__type_by_id(bpf_object__btf(obj),
			       bpf_map__btf_value_type_id(map));
}

static int find_ops(struct fusepass_policy *p)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	const struct btf_type *t;
	struct bpf_map *m;

	bpf_object__for_each_map(m, p->obj) {
		if (bpf_map__type(m) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		t = map_type(p->obj, m);
		if (!t || strcmp(btf__name_by_offset(btf, t->name_off), OPS_TYPE))
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

const struct btf_member *lib_btf_member(const struct btf *btf,
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

void *lib_policy_member(const struct fusepass_policy *p, const char *name)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	const struct btf_member *m = lib_btf_member(btf, p->type, name);
	char *data = bpf_map__initial_value(p->ops, NULL);

	return m && data ? data + m->offset / 8 : NULL;
}

static int policy_open_file(const char *path, struct fusepass_policy *p)
{
	const char *name;
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
	if (ret)
		return ret;
	name = lib_policy_member(p, "name");
	if (!name || !*name) {
		lib_error_set("its struct " OPS_TYPE " has no name");
		return -EINVAL;
	}
	memcpy(p->name, name, sizeof(p->name) - 1);
	return 0;
}

int fusepass_policy_open(const char *name, struct fusepass_policy **policy)
{
	size_t len = strlen(name);
	struct fusepass_policy *p;
	char path[PATH_MAX];
	int ret;

	lib_error_clear();
	lib_bpf_quiet();
	if (strchr(name, '/') || (len > 6 && !strcmp(name + len - 6, ".bpf.o"))) {
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
	lib_rules_free(p->rules);
	free(p->log);
	free(p);
}

const char *fusepass_policy_name(const struct fusepass_policy *p)
{
	return p->name;
}

const char *fusepass_policy_log(const struct fusepass_policy *p)
{
	return p->log;
}

int fusepass_policy_set(struct fusepass_policy *p, const char *knob,
			const char *value)
{
	lib_error_clear();
	return lib_knob_set(p, knob, value);
}

/* Loading ---------------------------------------------------------------- */

/* The BTF that has our struct_ops. */
static int kernel_btf(struct lib_btf *b)
{
	int ret = lib_btf_find(b, OPS_VALUE_TYPE, BTF_KIND_STRUCT);

	if (ret == -ENODATA)
		lib_error_set("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	else if (ret)
		lib_error_set("this kernel has no struct " OPS_TYPE
			      ": it lacks the fusepass series or "
			      "CONFIG_BPF_JIT");
	return ret ? -ENOTSUP : 0;
}

int fusepass_kernel_check(void)
{
	_cleanup_btf_ struct lib_btf b = { NULL, NULL, NULL };

	lib_error_clear();
	lib_bpf_quiet();
	return kernel_btf(&b);
}

static int set_target(struct fusepass_policy *p, int mount_fd, int backing_fd,
		      uint32_t connection)
{
	int32_t *mount = lib_policy_member(p, "mount_fd");
	int32_t *backing = lib_policy_member(p, "backing_fd");
	uint32_t *conn = lib_policy_member(p, "connection");

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

#define REFUSED	"the kernel refused the policy"

static void explain_refusal(const struct fusepass_policy *p,
			    struct fusepass_refusal *r)
{
	const char *text = fusepass_error();

	if (p->log || !strncmp(text, REFUSED ": ", strlen(REFUSED ": ")))
		lib_verifier_explain(p->log, text + strlen(REFUSED ": "), r);
}

/* What the verifier says, in plain words too. */
static void add_advice(const struct fusepass_policy *p)
{
	_cleanup_free_ char *text = strdup(fusepass_error());
	struct fusepass_refusal r = { .meaning = "", .change = "" };

	explain_refusal(p, &r);
	if (text && r.meaning[0])
		lib_error_set("%s: %s; %s", text, r.meaning, r.change);
}

static int policy_load(struct fusepass_policy *p)
{
	int ret;

	if (p->used)
		return -EBUSY;
	if (lib_rules_wanted(p)) {
		lib_error_set("policy \"%s\" needs a file of rules", p->name);
		return -EINVAL;
	}
	p->used = true;
	ret = fusepass_kernel_check();
	if (ret)
		return ret;
	ret = bpf_object__load(p->obj);
	if (!ret && p->rules)
		ret = lib_rules_fill(p);
	if (ret == -EPERM)
		lib_error_set("CAP_BPF or CAP_SYS_ADMIN is needed");
	if (ret)
		lib_error_from_bpf(REFUSED);
	p->log = lib_error_take_log();
	if (ret)
		add_advice(p);
	return ret;
}

int fusepass_policy_check(struct fusepass_policy *p, struct fusepass_refusal *r)
{
	int ret;

	lib_error_clear();
	*r = (struct fusepass_refusal){ .insn = -1, .meaning = "", .change = "" };
	ret = policy_load(p);
	if (ret)
		explain_refusal(p, r);
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

static uint32_t link_id(int fd)
{
	struct bpf_link_info info = { .type = 0 };
	uint32_t len = sizeof(info);

	return bpf_link_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Is it the link by which the connection has its policy? Numbers are used again. */
static bool pin_in_force(uint32_t connection)
{
	struct fusepass_status s;
	_cleanup_fd_ int fd = -1;
	char path[64];

	pin_path(connection, path);
	fd = bpf_obj_get(path);
	return fd >= 0 && !fusepass_status_read(connection, &s, sizeof(s)) &&
	       s.link && s.link == link_id(fd);
}

/* Those of servers that were killed. Without control files nobody knows which. */
static void pins_sweep(void)
{
	_cleanup_dir_ DIR *dir = opendir(FUSEPASS_PIN_DIR);
	struct dirent *e;
	uint64_t id;

	for (int i = 0; i < LIB_NR_KINDS; i++)
		if (!access(lib_kinds[i].connections, F_OK) &&
		    !lib_kind_controlled(&lib_kinds[i]))
			return;
	while (dir && (e = readdir(dir)))
		if (!util_parse_u64(e->d_name, &id) && !pin_in_force(id))
			unlinkat(dirfd(dir), e->d_name, 0);
}

/*
 * A pin that is there already is of a connection that is gone: the kernel has
 * just accepted ours, and numbers are reused.
 */
static int pin_link(int link_fd, uint32_t connection)
{
	_cleanup_fd_ int lock = -1;
	char path[64];
	int ret = pin_dir_prepare();

	pin_path(connection, path);
	if (!ret)
		lock = util_dir_lock(FUSEPASS_PIN_DIR);
	if (!ret && lock < 0)
		ret = lock;
	if (!ret)
		pins_sweep();
	if (!ret && unlink(path) && errno != ENOENT)
		ret = -errno;
	if (!ret)
		ret = bpf_obj_pin(link_fd, path);
	lib_error_clear();
	if (ret)
		lib_error_set("pinning the link in " FUSEPASS_PIN_DIR);
	return ret;
}

int fusepass_pin_remove(uint32_t connection)
{
	_cleanup_fd_ int lock = util_dir_lock(FUSEPASS_PIN_DIR);
	char path[64];
	int ret = 0;

	pin_path(connection, path);
	if (lock < 0)
		return lock;
	/* Of the next connection with that number, perhaps. */
	if (pin_in_force(connection))
		ret = -EBUSY;
	else if (unlink(path))
		ret = -errno;
	lib_error_clear();
	return ret;
}

/* Attaching -------------------------------------------------------------- */

static void explain_attach(int err, uint32_t connection)
{
	struct fusepass_status s;

	switch (err) {
	case -EBUSY:
		if (fusepass_status_read(connection, &s, sizeof(s)))
			lib_error_set("a policy is attached, or the root has "
				      "another backing directory");
		else if (s.policy[0])
			lib_error_set("policy \"%s\" is attached", s.policy);
		else
			lib_error_set("the root of the mount has another backing "
				      "directory, which stays while it is mounted");
		break;
	case -ETIMEDOUT:
		lib_error_set("the server has not answered INIT, or somebody "
			      "waits to unmount");
		break;
	case -EOPNOTSUPP:
		lib_error_set("the backing mount is idmapped, or the server "
			      "negotiated the writeback cache, submounts or "
			      "DAX, but not FUSE_PASSTHROUGH_INO");
		break;
	case -EPERM:
		lib_error_set("CAP_SYS_ADMIN is needed");
		break;
	case -ELOOP:
		lib_error_set("the backing directory is on the mount itself, on "
			      "a stacked file system, or on FUSE: take the "
			      "directory below that");
		break;
	case -ENOTCONN:
		lib_error_set("unmounted meanwhile");
		break;
	}
}

#define ATTEMPTS	500	/* 20 ms apart: 10 seconds */

/*
 * The kernel waits neither for the server to answer INIT nor for who is about to
 * unmount, so this does, for a while. True: try again.
 */
static bool wait_after(int *err, int *attempts)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	if (*err != -EAGAIN)
		return false;
	if (!*attempts) {
		*err = -ETIMEDOUT;
		return false;
	}
	--*attempts;
	nanosleep(&pause, NULL);
	return true;
}

static int make_link(struct fusepass_policy *p, uint32_t connection)
{
	int attempts = ATTEMPTS;
	struct bpf_link *link;
	int fd, ret;

	do {
		link = bpf_map__attach_struct_ops(p->ops);
		ret = link ? 0 : -errno;
	} while (!link && wait_after(&ret, &attempts));
	if (!link) {
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
	int fd, ret = fusepass_status_read(connection, &s, sizeof(s));

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
	const struct btf_member *k = lib_btf_member(kern, kern_ops, name);
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
	const struct btf_member *data = lib_btf_member(kern, value_type, "data");
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

static int map_fill(const struct fusepass_policy *p)
{
	_cleanup_btf_ struct lib_btf b = { NULL, NULL, NULL };
	_cleanup_free_ char *value = NULL;
	const struct btf_type *t;
	int id, key = 0, ret = kernel_btf(&b);

	if (ret)
		return ret;
	id = btf__find_by_name_kind(b.btf, OPS_VALUE_TYPE, BTF_KIND_STRUCT);
	t = id < 0 ? NULL : btf__type_by_id(b.btf, id);
	if (!t)
		return -ENOTSUP;
	value = calloc(1, t->size);
	if (!value)
		return -ENOMEM;
	ret = value_fill(p, b.btf, t, value);
	return ret ? ret : bpf_map_update_elem(bpf_map__fd(p->ops), &key, value, 0);
}

int fusepass_policy_replace(struct fusepass_policy *p, const char *path,
			    const char *backing)
{
	_cleanup_target_ struct target t = { .mount_fd = -1, .backing_fd = -1 };
	_cleanup_fd_ int link = -1;
	int ret, attempts = ATTEMPTS;

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
	if (ret)
		return ret;
	do {
		ret = bpf_link_update(link, bpf_map__fd(p->ops), NULL);
	} while (ret && wait_after(&ret, &attempts));
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
