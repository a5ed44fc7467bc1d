/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differential test: random operations, done on a native directory and on a
 * mount, must give the same. This header is what the parts of it share.
 *
 *   soak.c         options, processes, the report
 *   soak_run.c     one run: each operation on both sides, and what is compared
 *   soak_gen.c     which operation comes next
 *   soak_op.c      operations as text, for reports and --replay
 *   soak_file.c    operations on open files
 *   soak_name.c    operations on names
 *   soak_meta.c    attributes of all kinds, locks, ioctls
 *   soak_look.c    observing an object, and comparing two observations
 *   soak_tree.c    whole trees: comparing, listing, wiping
 *   soak_actor.c   the processes that do the operations, as several users
 *   soak_shrink.c  the shortest sequence that still differs
 *   soak_util.c    numbers and buffers
 *
 * Terms: a side is one of the trees an operation is done on, an actor a process
 * with credentials of its own, a slot a place for an open file of an actor (the
 * same number on both sides), a look an observation of an object.
 */
#ifndef FUSEPASS_SOAK_H
#define FUSEPASS_SOAK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum side_number { NATIVE, MOUNT, BACKING, SIDES };
enum {
	ACTORS = 6,
	SLOTS = 12,
	SHARED_SLOTS = 4,	/* of them; the last ones, for the shared tree */
	PATH_SIZE = 1800,
	NAME_SIZE = 320,
	BUF_SIZE = 1 << 18,
	FILE_MAX = 4 << 20,	/* RLIMIT_FSIZE of the actors */
	LOOKS = 4,
	VALUES = 40,
};

/* Operations -------------------------------------------------------------- */

/* name, weight when the next one is chosen */
#define SOAK_OPS(X)							\
	X(open, 110) X(close, 30) X(read, 40) X(write, 60) X(map, 12)	\
	X(map_read, 14) X(map_write, 14) X(map_sync, 4) X(unmap, 4)	\
	X(splice, 10) X(sendfile, 8) X(sync, 5) X(advise, 4)		\
	X(fallocate, 20) X(seek, 20) X(copy, 14) X(clone, 12)		\
	X(dedupe, 5) X(truncate, 14) X(ftruncate, 14) X(setfl, 5)	\
	X(mkdir, 40) X(mknod, 20) X(symlink, 20) X(readlink, 12)	\
	X(link, 24) X(link_open, 12) X(unlink, 36) X(rmdir, 20)		\
	X(rename, 60) X(chmod, 30) X(chown, 30) X(utimens, 30)		\
	X(access, 24) X(stat, 30) X(list, 24) X(set_xattr, 40)		\
	X(get_xattr, 20) X(list_xattr, 14) X(remove_xattr, 12)		\
	X(set_acl, 30) X(lock, 30) X(lease, 6) X(get_flags, 8)		\
	X(set_flags, 16) X(get_fsx, 4) X(fiemap, 6) X(ioctl, 6)		\
	X(statfs, 8) X(umask, 6) X(give, 8) X(forget, 1)

enum op_kind {
#define KIND(name, weight) OP_##name,
	SOAK_OPS(KIND)
#undef KIND
	OP_KINDS,
	OP_adopt,	/* the other end of a give; never in a sequence */
};

/* Everything about one operation; what a kind does not use, is 0. */
struct op {
	int64_t kind, actor;
	int64_t slot, slot2;	/* of the actor */
	int64_t dir;		/* 1 + slot of the directory paths begin in; 0: top */
	int64_t how;		/* variant: which of several system calls */
	int64_t flags, mode, off, off2, len;
	int64_t val;		/* seed of data, or a number */
	int64_t left_out;	/* planted: not done on the mount */
	int64_t shared;		/* in the tree that several processes share */
	char path[PATH_SIZE], path2[PATH_SIZE], name[NAME_SIZE];
};

extern const char *const op_names[];
void op_copy(struct op *to, const struct op *from);
/* One line, without the end; also for people: flags are named behind a '#'. */
size_t op_print(const struct op *op, char *buf, size_t size);
bool op_parse(struct op *op, const char *line);
/* Does the kind use these members? */
bool op_uses_path(const struct op *op);

/* Results ------------------------------------------------------------------ */

/* The kernel's struct statx, with members newer than the C library's. */
struct stx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct stx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct stx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id;
	uint32_t dio_mem_align, dio_offset_align;
	uint64_t subvol;
	uint32_t atomic_min, atomic_max, atomic_segments, dio_read_align;
	uint64_t spare[9];
};

struct look {
	int err;
	int changed;	/* CHANGED_*, or -1: there is no before */
	struct stx x;
};

enum { CHANGED_MTIME = 1, CHANGED_CTIME = 2, CHANGED_BTIME = 4 };

struct value {
	const char *label;
	int64_t v;
};

/* Results of an operation on one side. value[0] is the result or -errno. */
struct result {
	int values, looks;
	struct value value[VALUES];
	struct look look[LOOKS];
};

/* How exactly things can be compared. */
struct exactness {
	bool blocks;		/* st_blocks is determined by the operations */
	bool files;		/* and so is the number of free inodes */
	bool times;		/* and which times an operation changes */
	bool drop_caches;	/* may do so */
	bool served;		/* the server may be asked: see soak_look.c */
};
extern struct exactness exactness;

void look_at(int dirfd, const char *path, int flags, struct look *look);
/* Differences between the second look and the first. */
int look_changes(const struct look *before, const struct look *after);
/* The first member that differs, NULL if none does. */
const char *look_differs(const struct look *a, const struct look *b);
/* Same for two looks at one object, which has to be equal in everything. */
const char *look_differs_exactly(const struct look *a, const struct look *b);
void look_print(const char *what, const struct look *look);

const char *result_differs(const struct result *a, const struct result *b);
void result_print(const struct result *a, const struct result *b);

/* Doing it ------------------------------------------------------------------ */

struct slot {
	int fd;		/* -1: empty */
	char *map;
	size_t map_len;
	bool given;	/* the file may be open in another actor too */
};

struct side {
	int top, shared;	/* directories */
	struct slot slot[SLOTS];
};

struct doing {
	const struct op *op;
	struct side *side;
	struct result *res;
};

typedef void (*op_fn)(struct doing *d);
#define DECLARE(name, weight) void do_##name(struct doing *d);
SOAK_OPS(DECLARE)
#undef DECLARE

/* A value with a label, which must be a literal. */
void put(struct doing *d, const char *label, int64_t v);
/* The result of a system call: itself, or -errno. */
int64_t put_call(struct doing *d, int64_t ret);
/* Same, when only success matters. */
int64_t put_ok(struct doing *d, int64_t ret);
int fd_of(struct doing *d, int64_t slot);
struct slot *slot_of(struct doing *d, int64_t slot);
void slot_clear(struct slot *s);

uint64_t hash(const void *data, size_t len, uint64_t start);
/* Page aligned, BUF_SIZE, of this process. */
char *buf_get(void);
/* The first len bytes of it, from a seed. */
char *buf_filled(size_t len, uint64_t seed);
/* An ACL as its xattr has it; valid or nearly so. */
size_t acl_make(uint64_t seed, char *buf);
uint64_t random_mix(uint64_t x);

/* Actors ------------------------------------------------------------------- */

struct channel;

struct actor {
	pid_t pid;
	int sock;
	struct channel *ch;
};

/* Memory that an actor shares with the process that gives it work. */
struct channel {
	struct op op;
	bool plant;		/* leave the next change out on the mount */
	bool planted;		/* done so */
	struct result res[2];
};

struct actors {
	struct actor actor[ACTORS];
	unsigned int patience;	/* seconds until an operation hangs */
};

void actors_start(struct actors *all, const int top[SIDES], int shared,
		  unsigned int patience);
void actors_stop(struct actors *all);
/* Is it root without capabilities? */
bool actor_is_powerless(int64_t a);
/* False: it hangs, or its process is no more. */
bool actors_do(struct actors *all, const struct op *op, bool plant);

/* Trees --------------------------------------------------------------------- */

struct known {
	char *path;
	mode_t mode;
	bool flagged;	/* append-only or immutable */
};

struct known_list {
	struct known *at;
	size_t n, room;
};

void known_scan(struct known_list *list, int top);
void known_add(struct known_list *list, const char *path, mode_t mode);
void known_free(struct known_list *list);
/* Prints what differs and returns false. */
bool trees_equal(const int top[SIDES]);
bool trees_equal_exactly(int a, int b);
void tree_list(int top, const char *path, const char *what);
void tree_wipe(int parent, const char *name);

/* Sequences and runs ------------------------------------------------------- */

/* Operations as text, one a line. */
struct sequence {
	char *text;
	size_t len, room;
	size_t *line;
	size_t n, lines_room;
};

void sequence_add(struct sequence *seq, const struct op *op);
void sequence_get(const struct sequence *seq, size_t i, struct op *op);
void sequence_free(struct sequence *seq);
bool sequence_save(const struct sequence *seq, const char *path);
bool sequence_load(struct sequence *seq, const char *path);

struct options {
	const char *dir[SIDES];
	uint64_t seed;
	uint64_t ops;
	uint64_t plant;		/* from this operation on; 0: never */
	unsigned int check_every, patience, procs, process;
	bool shrink, verbose;
	const char *save, *replay, *small;
	const char *ignore, *without;	/* lists, with commas */
};
extern struct options options;
bool in_list(const char *list, const char *word);

struct generator;
struct generator *generator_new(uint64_t seed);
void generator_free(struct generator *g);
void generator_next(struct generator *g, const struct known_list *known,
		    struct op *op);
/* Tells what became of the operation, so that the next ones have something. */
void generator_done(struct generator *g, const struct op *op, int64_t result);

/* How a run ended. */
struct outcome {
	bool same;
	uint64_t done;
	int64_t kind;		/* of the operation that differs; -1: the trees */
	const char *what;	/* label that differs */
};

/* From the list, or from a generator if the list is NULL; adds to log. */
struct outcome run_ops(const struct sequence *list, struct sequence *log,
		       bool quiet);
void shrink(const struct sequence *from, const struct outcome *first);

/* Says it unless the run is quiet; a TAP comment. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern bool say_quiet;
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
