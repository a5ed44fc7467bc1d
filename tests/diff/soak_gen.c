// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which operation comes next. All of it follows from the seed and from what the
 * native side gave, so the same seed makes the same sequence; what it makes is
 * concrete, so a sequence can be replayed, and shortened, without the seed.
 *
 * No path may lead out of the tree: ".." only comes after a name, and the target
 * of a symbolic link has none, so that a walk never gets above where it began.
 */
#include "soak.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>

enum { MANY = 160, DEPTH = 6, OWN_SLOTS = SLOTS - SHARED_SLOTS };

struct generator {
	uint64_t state;
	bool open[ACTORS][SLOTS];
	const struct known_list *known;
};

struct generator *generator_new(uint64_t seed)
{
	struct generator *g = calloc(1, sizeof(*g));

	if (!g)
		die("out of memory");
	g->state = random_mix(seed + 0x9e3779b97f4a7c15);
	return g;
}

void generator_free(struct generator *g)
{
	free(g);
}

static uint64_t next(struct generator *g)
{
	g->state += 0x9e3779b97f4a7c15;
	return random_mix(g->state);
}

static uint64_t below(struct generator *g, uint64_t n)
{
	return next(g) % n;
}

static bool percent(struct generator *g, unsigned int p)
{
	return below(g, 100) < p;
}

#define PICK(g, array) ((array)[below(g, ARRAY_SIZE(array))])

/* Choice of actor and open file ------------------------------------------------------- */

static int64_t pick_actor(struct generator *g)
{
	static const char actors[] = "00011112233445";

	return actors[below(g, sizeof(actors) - 1)] - '0';
}

static int64_t pick_slot(struct generator *g, const struct op *op)
{
	if (op->shared)
		return OWN_SLOTS + below(g, SHARED_SLOTS);
	return below(g, OWN_SLOTS);
}

/* Mostly one that is open. */
static int64_t pick_open(struct generator *g, const struct op *op)
{
	int64_t slot = 0;

	for (int i = 0; i < 12; i++) {
		slot = pick_slot(g, op);
		if (g->open[op->actor][slot] || percent(g, 2))
			break;
	}
	return slot;
}

/* Names and paths ------------------------------------------------------------------ */

/* Half of them end in what the suffix policy passes. */
static void add_name(struct generator *g, char *to)
{
	size_t len = strlen(to);

	if (percent(g, 2)) {
		memset(to + len, 'L', NAME_MAX);
		strcpy(to + len + NAME_MAX - 1, percent(g, 50) ? "1" : "2");
		if (percent(g, 30))
			strcat(to + len, "x");
	} else if (percent(g, 3)) {
		static const char *const odd[] = {
			"\xc3\xa9", "\xff\x80", "a b", "\n", ".hid", "...",
			"..x", "%", "\\", ".p", "-r.p", ".fuse_hidden0",
		};

		strcpy(to + len, PICK(g, odd));
	} else {
		sprintf(to + len, "%c%s", (int)('a' + below(g, 10)),
			percent(g, 50) ? ".p" : "");
	}
}

static const struct known *pick_known(struct generator *g, mode_t type)
{
	for (int i = 0; i < 24 && g->known->n; i++) {
		const struct known *k = &g->known->at[below(g, g->known->n)];

		if (!type || (k->mode & S_IFMT) == type)
			return k;
	}
	return NULL;
}

static int depth_of(const char *path)
{
	int n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* A directory and a '/', or nothing: the top. */
static void put_dir(struct generator *g, char *to)
{
	const struct known *k = percent(g, 15) ? NULL : pick_known(g, S_IFDIR);

	*to = '\0';
	if (k && depth_of(k->path) < DEPTH)
		sprintf(to, "%s/", k->path);
}

static void put_new(struct generator *g, char *to)
{
	put_dir(g, to);
	add_name(g, to);
}

static void put_existing(struct generator *g, char *to, mode_t type)
{
	const struct known *k = pick_known(g, type);

	if (k)
		strcpy(to, k->path);
	else
		put_new(g, to);
}

/* Through something that may be no directory, a symbolic link or missing. */
static void put_through(struct generator *g, char *to)
{
	put_existing(g, to, percent(g, 60) ? S_IFLNK : 0);
	strcat(to, "/");
	add_name(g, to);
}

/* The same place, said in another way. */
static void put_detour(struct generator *g, char *to)
{
	char plain[PATH_SIZE];

	strcpy(plain, to);
	switch (below(g, 5)) {
	case 0:
		strcat(to, "/");
		break;
	case 1:
		strcat(to, "/.");
		break;
	case 2:
		snprintf(to, PATH_SIZE, "./%s", plain);
		break;
	case 3:
		put_existing(g, to, percent(g, 80) ? S_IFDIR : 0);
		strcat(to, "/..//");
		add_name(g, to);
		break;
	default:
		strcat(to, "/..");
	}
}

/* @existing: in how many of 100 cases something that is known. */
static void put_path(struct generator *g, char *to, unsigned int existing,
		     mode_t type)
{
	if (percent(g, existing))
		put_existing(g, to, type);
	else if (percent(g, 88))
		put_new(g, to);
	else
		put_through(g, to);
	if (percent(g, 5))
		put_detour(g, to);
	if (percent(g, 1))
		strcpy(to, ".");
}

/* From a directory that is open, now and then: it may have been moved or removed. */
static void put_short(struct generator *g, struct op *op)
{
	if (op->shared || !percent(g, 5))
		return;
	op->dir = 1 + pick_open(g, op);
	op->path[0] = '\0';
	add_name(g, op->path);
	if (op->path2[0] && op->kind != OP_symlink) {
		op->path2[0] = '\0';
		add_name(g, op->path2);
	}
}

/* Numbers ---------------------------------------------------------------------------- */

static int64_t pick_len(struct generator *g)
{
	switch (below(g, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		return below(g, 100);
	case 4:
	case 5:
		return below(g, 5000);
	case 6:
	case 7:
		return 4096 * below(g, 9);
	case 8:
		return below(g, 65536);
	default:
		return percent(g, 80) ? 512 * below(g, 64) : below(g, 200000);
	}
}

static int64_t pick_off(struct generator *g)
{
	static const int64_t odd[] = {
		-1, INT64_MAX, INT64_MAX - 4096, FILE_MAX, FILE_MAX - 100,
		FILE_MAX + 1, INT64_MIN,
	};

	switch (below(g, 12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		return 0;
	case 4:
	case 5:
	case 6:
		return below(g, 5000);
	case 7:
	case 8:
	case 9:
		return 4096 * below(g, 32);
	case 10:
		return 512 * below(g, 400);
	default:
		return percent(g, 10) ? PICK(g, odd) : (int64_t)below(g, 300000);
	}
}

static int64_t pick_mode(struct generator *g)
{
	static const mode_t usual[] = {
		0644, 0755, 0777, 0666, 0700, 0600, 0640, 0775, 01777, 02775,
		04755, 06777, 02767,
	};

	return percent(g, 75) ? PICK(g, usual) : below(g, 010000);
}

static int64_t pick_id(struct generator *g)
{
	static const int64_t ids[] = { -1, 0, 1000, 1001, 1002, 1003, 1000, -1 };

	return PICK(g, ids);
}

/* Variants 0 and 2 have a path, 1 a slot. */
static void put_target(struct generator *g, struct op *op, mode_t type)
{
	op->how = below(g, 3);
	if (op->how == 1)
		op->slot = pick_open(g, op);
	else
		put_path(g, op->path, 90, type);
}

/* One function for each kind, or for a few that are alike ----------------------------- */

static void gen_open(struct generator *g, struct op *op)
{
	static const int access[] = { O_RDONLY, O_RDWR, O_RDWR, O_WRONLY };
	static const struct {
		int flag;
		unsigned int percent;
	} flags[] = {
		{ O_CREAT, 45 }, { O_EXCL, 8 }, { O_TRUNC, 8 }, { O_APPEND, 8 },
		{ O_DIRECT, 5 }, { O_DIRECTORY, 3 }, { O_NOFOLLOW, 5 },
		{ O_PATH, 3 }, { O_SYNC, 2 }, { O_DSYNC, 2 }, { O_NOATIME, 3 },
	};

	op->slot = pick_slot(g, op);
	op->mode = pick_mode(g);
	op->flags = PICK(g, access);
	if (percent(g, 6)) {
		op->flags |= O_TMPFILE | (percent(g, 10) ? O_EXCL : 0);
		put_path(g, op->path, 95, S_IFDIR);
		return;
	}
	if (percent(g, 10)) {
		op->flags = O_RDONLY | (percent(g, 50) ? O_DIRECTORY : 0);
		put_path(g, op->path, 95, S_IFDIR);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (percent(g, flags[i].percent))
			op->flags |= flags[i].flag;
	/* The server leaves it out: what a request carries is not aligned. */
	if (exactness.served)
		op->flags &= ~O_DIRECT;
	if (op->flags & O_CREAT)
		put_path(g, op->path, 40, percent(g, 85) ? S_IFREG : 0);
	else
		put_path(g, op->path, 92, percent(g, 85) ? S_IFREG : 0);
}

static void gen_slot(struct generator *g, struct op *op)
{
	op->slot = pick_open(g, op);
	op->how = below(g, 2);
}

static void gen_read(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	op->how = below(g, 4);
	op->len = pick_len(g);
	op->off = pick_off(g);
	/* To read nothing is an access on tmpfs, and nothing at all on others. */
	if (op->kind == OP_read && !op->len)
		op->len = 1;
}

static void gen_write(struct generator *g, struct op *op)
{
	gen_read(g, op);
	op->how = percent(g, 90) ? below(g, 4) : 4 + below(g, 2);
	op->val = below(g, 1 << 20);
}

static void gen_map(struct generator *g, struct op *op)
{
	static const int prot[] = { PROT_READ, PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_WRITE };

	gen_slot(g, op);
	op->flags = PICK(g, prot);
	op->off = 4096 * below(g, 4);
	op->len = 4096 * (1 + below(g, 6));
}

static void gen_map_write(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	op->how = 0;
	op->off = below(g, 16384);
	op->len = 1 + below(g, 200);
	op->val = below(g, 1 << 20);
}

static void gen_between(struct generator *g, struct op *op)
{
	op->slot = pick_open(g, op);
	op->slot2 = pick_open(g, op);
	op->how = percent(g, 30);
	op->len = pick_len(g);
	op->off = percent(g, 40) ? -1 : pick_off(g);
	op->off2 = percent(g, 40) ? -1 : pick_off(g);
}

static void gen_clone(struct generator *g, struct op *op)
{
	gen_between(g, op);
	op->off = 4096 * below(g, 16);
	op->off2 = 4096 * below(g, 16);
	op->len = percent(g, 80) ? 4096 * (int64_t)below(g, 16) : pick_len(g);
}

static void gen_sync(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	op->how = below(g, 3);
	op->off = 4096 * below(g, 3);
	op->len = pick_len(g);
}

static void gen_advise(struct generator *g, struct op *op)
{
	gen_sync(g, op);
	op->how = below(g, 8);
}

static void gen_fallocate(struct generator *g, struct op *op)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_UNSHARE_RANGE, 0x1000,
	};

	gen_slot(g, op);
	/* The protocol has none of the others, which are EOPNOTSUPP. */
	op->flags = exactness.served ? modes[below(g, 5)] : PICK(g, modes);
	op->off = pick_off(g);
	op->len = pick_len(g);
	if (op->flags & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) &&
	    percent(g, 80)) {
		op->off = 4096 * below(g, 8);
		op->len = 4096 * (1 + below(g, 4));
	}
}

static void gen_seek(struct generator *g, struct op *op)
{
	static const int whence[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA,
				      SEEK_HOLE, SEEK_SET };

	gen_slot(g, op);
	op->how = PICK(g, whence);
	op->off = pick_off(g);
}

static void gen_ftruncate(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	op->off = pick_off(g);
}

static void gen_truncate(struct generator *g, struct op *op)
{
	put_path(g, op->path, 92, percent(g, 90) ? S_IFREG : 0);
	op->off = pick_off(g);
}

static void gen_setfl(struct generator *g, struct op *op)
{
	static const int flags[] = { 0, O_APPEND, O_DIRECT, O_NOATIME,
				     O_APPEND | O_NOATIME };

	gen_slot(g, op);
	op->flags = PICK(g, flags);
	if (exactness.served)
		op->flags &= ~O_DIRECT;
}

static void gen_mkdir(struct generator *g, struct op *op)
{
	put_path(g, op->path, 8, 0);
	op->mode = percent(g, 60) ? 0777 : pick_mode(g);
}

static void gen_mknod(struct generator *g, struct op *op)
{
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR,
					S_IFCHR, 0, S_IFDIR, S_IFBLK };

	put_path(g, op->path, 8, 0);
	op->mode = PICK(g, types);
	/* A block device of number 0 is none; a real one must not be opened. */
	op->how = op->mode == S_IFCHR && percent(g, 70);
	op->mode |= pick_mode(g);
}

/* Relative to where the link is, most of them; some are loops by chance. */
static void gen_symlink(struct generator *g, struct op *op)
{
	put_path(g, op->path, 8, 0);
	if (percent(g, 70)) {
		add_name(g, op->path2);
	} else if (percent(g, 10)) {
		memset(op->path2, 't', 1000);
		op->path2[below(g, 1000)] = '\0';
	} else {
		put_new(g, op->path2);
	}
	if (percent(g, 2))
		op->path2[0] = '\0';
}

static void gen_readlink(struct generator *g, struct op *op)
{
	put_path(g, op->path, 95, percent(g, 85) ? S_IFLNK : 0);
	op->len = percent(g, 80) ? 2000 : (int64_t)below(g, 10);
}

static void gen_link(struct generator *g, struct op *op)
{
	put_path(g, op->path, 92, percent(g, 75) ? S_IFREG : 0);
	put_path(g, op->path2, 10, 0);
	op->how = percent(g, 25);
}

static void gen_link_open(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	put_path(g, op->path, 10, 0);
}

static void gen_unlink(struct generator *g, struct op *op)
{
	put_path(g, op->path, 92, 0);
	/* So that trees do not grow for ever. */
	if (g->known->n > MANY && percent(g, 70))
		op->actor = 0;
}

static void gen_rmdir(struct generator *g, struct op *op)
{
	put_path(g, op->path, 92, percent(g, 90) ? S_IFDIR : 0);
	if (g->known->n > MANY && percent(g, 70))
		op->actor = 0;
}

static void gen_rename(struct generator *g, struct op *op)
{
	static const int flags[] = {
		0, 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE,
		RENAME_EXCHANGE, RENAME_WHITEOUT,
		RENAME_NOREPLACE | RENAME_EXCHANGE,
		RENAME_WHITEOUT | RENAME_NOREPLACE, 0x100,
	};

	op->flags = percent(g, 95) ? flags[below(g, 9)] : PICK(g, flags);
	put_path(g, op->path, 92, 0);
	put_path(g, op->path2, op->flags & RENAME_EXCHANGE ? 90 : 40, 0);
}

static void gen_chmod(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	op->mode = pick_mode(g);
}

static void gen_chown(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	op->off = pick_id(g);
	op->off2 = pick_id(g);
}

/* Far from now, so that it shows whether a time was set; see soak_look.c. */
static void gen_utimens(struct generator *g, struct op *op)
{
	static const int flags[] = { 0, 0, 0, 1, 2, 3, 4, 8, 12, 6, 9, 16, 48 };

	put_target(g, op, 0);
	op->flags = PICK(g, flags);
	op->off = below(g, 1000000000);
	op->off2 = below(g, 1000000000);
	if (percent(g, 10))
		op->off = 4000000000LL + below(g, 10000000);
	if (percent(g, 10))
		op->off2 = -(int64_t)below(g, 1000000);
	op->val = below(g, 1000000000);
}

static void gen_access(struct generator *g, struct op *op)
{
	static const int flags[] = { 0, 0, AT_EACCESS, AT_SYMLINK_NOFOLLOW,
				     AT_EACCESS | AT_SYMLINK_NOFOLLOW, 1 };

	put_path(g, op->path, 85, 0);
	op->mode = percent(g, 98) ? below(g, 8) : 8;
	op->flags = PICK(g, flags);
}

static void gen_stat(struct generator *g, struct op *op)
{
	static const int flags[] = {
		0, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_NOFOLLOW,
		AT_SYMLINK_NOFOLLOW | 0x2000, AT_SYMLINK_NOFOLLOW | 0x4000,
		AT_NO_AUTOMOUNT,
	};

	put_path(g, op->path, 85, 0);
	op->flags = PICK(g, flags);
}

static void gen_list(struct generator *g, struct op *op)
{
	put_path(g, op->path, 95, percent(g, 92) ? S_IFDIR : 0);
	if (percent(g, 15))
		strcpy(op->path, ".");
	op->val = below(g, 12);
}

static const char *const xattr_names[] = {
	"user.a", "user.b", "user.c", "user.a", "user.b", "trusted.t",
	"trusted.u", "security.s", "security.capability", "user.", "user",
	"system.none", "none.a", "", "system.posix_acl_access",
	"system.posix_acl_default", "trusted.overlay.opaque",
};

static void put_xattr_name(struct generator *g, struct op *op)
{
	strcpy(op->name, percent(g, 50) ? xattr_names[below(g, 3)]
					: PICK(g, xattr_names));
	if (percent(g, 3)) {
		memset(op->name, 'n', 254);
		memcpy(op->name, "user.", 5);
		op->name[254 + below(g, 3)] = '\0';
		for (char *p = op->name + 254; *p; p++)
			*p = 'n';
	}
}

static int64_t pick_size(struct generator *g)
{
	static const int sizes[] = { 0, 1, 5, 20, 100, 500, 1000, 3000, 4096,
				     16000, 65536, 65537 };

	return percent(g, 80) ? sizes[below(g, 6)] : PICK(g, sizes);
}

static void gen_set_xattr(struct generator *g, struct op *op)
{
	static const int flags[] = { 0, 0, 0, XATTR_CREATE, XATTR_REPLACE,
				     XATTR_CREATE | XATTR_REPLACE };

	put_target(g, op, 0);
	put_xattr_name(g, op);
	op->len = pick_size(g);
	op->flags = PICK(g, flags);
	op->val = below(g, 1 << 20);
}

static void gen_get_xattr(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	put_xattr_name(g, op);
	op->len = percent(g, 75) ? 65536 : pick_size(g);
}

static void gen_list_xattr(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	op->len = percent(g, 75) ? 65536 : pick_size(g);
}

static void gen_remove_xattr(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	put_xattr_name(g, op);
}

static void gen_set_acl(struct generator *g, struct op *op)
{
	put_target(g, op, 0);
	op->flags = percent(g, 40);
	if (op->flags && op->how != 1 && percent(g, 80))
		put_existing(g, op->path, S_IFDIR);
	op->val = below(g, 1 << 30);
}

static void gen_lock(struct generator *g, struct op *op)
{
	static const int types[] = { F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK };
	static const int flock_types[] = { LOCK_SH, LOCK_EX, LOCK_UN };

	gen_slot(g, op);
	op->how = below(g, 5);
	op->flags = op->how == 4 ? PICK(g, flock_types) : PICK(g, types);
	op->mode = percent(g, 85) ? SEEK_SET : percent(g, 50) ? SEEK_END
							      : SEEK_CUR;
	op->off = percent(g, 90) ? (int64_t)below(g, 50) * 10 : pick_off(g);
	op->len = percent(g, 70) ? (int64_t)below(g, 200) : 0;
}

static void gen_lease(struct generator *g, struct op *op)
{
	static const int types[] = { F_RDLCK, F_WRLCK, F_UNLCK };

	gen_slot(g, op);
	op->flags = PICK(g, types);
	op->mode = below(g, 3);
}

static void put_ioctl_target(struct generator *g, struct op *op)
{
	op->how = percent(g, 40);
	if (op->how)
		op->slot = pick_open(g, op);
	else
		put_path(g, op->path, 92, 0);
}

static void gen_get_flags(struct generator *g, struct op *op)
{
	put_ioctl_target(g, op);
}

static const struct known *pick_flagged(struct generator *g)
{
	size_t n = g->known->n, at = n ? below(g, n) : 0;

	for (size_t i = 0; i < n; i++)
		if (g->known->at[(at + i) % n].flagged)
			return &g->known->at[(at + i) % n];
	return NULL;
}

/*
 * Immutable objects stop much else: they are looked for and made mutable again. The
 * kernel does not know these flags of the server's objects: what they forbid is found
 * out late, after what else may fail, or not at all if there is nothing to do.
 */
static void gen_set_flags(struct generator *g, struct op *op)
{
	static const int flags[] = { FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL, 0,
				     FS_APPEND_FL, FS_IMMUTABLE_FL };
	const struct known *flagged = pick_flagged(g);

	put_ioctl_target(g, op);
	op->flags = exactness.served ? flags[below(g, 4)] : PICK(g, flags);
	if (flagged && percent(g, 60)) {
		op->actor = 0;
		op->how = op->slot = op->flags = 0;
		strcpy(op->path, flagged->path);
	} else if (percent(g, 10)) {
		op->actor = 0;
		op->how = op->slot = op->flags = 0;
		strcpy(op->path, ".");
	}
}

static void gen_ioctl(struct generator *g, struct op *op)
{
	gen_slot(g, op);
	op->how = below(g, 4);
}

static void gen_statfs(struct generator *g, struct op *op)
{
	op->how = percent(g, 30);
	if (op->how)
		op->slot = pick_open(g, op);
	else
		put_path(g, op->path, 95, 0);
}

static void gen_umask(struct generator *g, struct op *op)
{
	static const mode_t masks[] = { 022, 022, 0, 077, 027, 002 };

	op->mode = PICK(g, masks);
}

static void gen_give(struct generator *g, struct op *op)
{
	op->slot = pick_open(g, op);
	op->how = pick_actor(g);
	op->slot2 = pick_slot(g, op);
}

static void gen_forget(struct generator *g, struct op *op)
{
	op->actor = 0;
}

#define gen_close gen_slot
#define gen_map_read gen_slot
#define gen_map_sync gen_slot
#define gen_unmap gen_slot
#define gen_fiemap gen_slot
#define gen_splice gen_between
#define gen_sendfile gen_between
#define gen_copy gen_between
#define gen_dedupe gen_clone
#define gen_get_fsx gen_get_flags

static const struct {
	void (*fill)(struct generator *g, struct op *op);
	unsigned int weight;
} kinds[] = {
#define KIND(name, w) { gen_##name, w },
	SOAK_OPS(KIND)
#undef KIND
};

static int64_t pick_kind(struct generator *g)
{
	static unsigned int sum;
	uint64_t at;
	size_t k;

	if (!sum)
		for (k = 0; k < OP_KINDS; k++)
			sum += kinds[k].weight;
	at = below(g, sum);
	for (k = 0; at >= kinds[k].weight; k++)
		at -= kinds[k].weight;
	return k;
}

/* In a crowded tree, what makes things becomes what removes them. */
static int64_t pick_kind_for(struct generator *g)
{
	int64_t kind = pick_kind(g);

	if (g->known->n < MANY || !percent(g, 60))
		return kind;
	switch (kind) {
	case OP_mkdir:
	case OP_mknod:
	case OP_symlink:
	case OP_link:
		return percent(g, 50) ? OP_unlink : OP_rmdir;
	default:
		return kind;
	}
}

/* A lease or a file that is given would matter to the others. */
static bool may_share(const struct op *op)
{
	return op->kind != OP_lease && op->kind != OP_give &&
	       op->kind != OP_umask && op->kind != OP_forget;
}

void generator_next(struct generator *g, const struct known_list *known,
		    struct op *op)
{
	memset(op, 0, offsetof(struct op, path));
	op->path[0] = op->path2[0] = op->name[0] = '\0';
	g->known = known;
	do {
		op->kind = pick_kind_for(g);
	} while (in_list(options.without, op_names[op->kind]));
	op->actor = pick_actor(g);
	op->shared = options.procs > 1 && may_share(op) && percent(g, 20);
	kinds[op->kind].fill(g, op);
	if (op->path[0])
		put_short(g, op);
}

void generator_done(struct generator *g, const struct op *op, int64_t result)
{
	if (op->kind == OP_open)
		g->open[op->actor][op->slot] = result >= 0;
	else if (op->kind == OP_close)
		g->open[op->actor][op->slot] = false;
	else if (op->kind == OP_give && result >= 0)
		g->open[op->how][op->slot2] = true;
}
