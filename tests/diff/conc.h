/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The concurrent test: processes on a mount and others on the tree behind it, on
 * the same few names at the same moment. This header is what its parts share.
 *
 *   conc.c         options, the phases, TAP
 *   conc_call.c    one system call on names or open files, and it as text
 *   conc_errno.c   which errnos a call may give on a native file system
 *   conc_duel.c    two processes that meet at a barrier, and how that may end
 *   conc_pair.c    the two processes of a duel
 *   conc_storm.c   two processes that do the same again and again
 *   conc_duels.c   who duels with whom, and all storms
 *   conc_arena.c   the directory of duels and storms
 *   conc_work.c    many processes with random calls, for a while
 *   conc_pick.c    which random call comes next
 *   conc_count.c   how often each call gave what
 *   conc_check.c   what has to hold when all of them have stopped
 *
 * Terms: the tree is the native directory, the view another way to the same
 * directory: a mount of it, or for comparison a bind mount. A side is one of
 * both; hands are the open files and directories of a process.
 */
#ifndef FUSEPASS_CONC_H
#define FUSEPASS_CONC_H

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum conc_side { TREE, VIEW, CONC_SIDES };

enum {
	CONC_PATH = 32,
	CONC_FILES = 4,		/* open at a time, of one process */
	CONC_DIRS = 2,
	CONC_ERRNOS = 134,	/* from 0 on, which is success */
	CONC_TEXT = 1024,
};

/* Calls ---------------------------------------------------------------------- */

/* Effect of a successful call on the number of names. */
enum conc_names { SAME = 0, ADDS = 1, TAKES = -1, MAYBE = 2 };

/* name, weight when the next one is chosen, effect on the number of names */
#define CONC_CALLS(X)							\
	X(open_read, 30, SAME) X(open_write, 20, SAME)			\
	X(open_trunc, 6, SAME) X(open_create, 40, MAYBE)		\
	X(open_excl, 40, ADDS) X(open_dir, 12, SAME)			\
	X(open_path, 6, SAME) X(open_tmpfile, 10, SAME)			\
	X(link_tmpfile, 16, ADDS)					\
	X(read, 16, SAME) X(write, 30, SAME) X(map, 6, SAME)		\
	X(ftruncate, 8, SAME) X(fallocate, 4, SAME)			\
	X(copy_range, 4, SAME) X(fsync, 1, SAME) X(fstat, 8, SAME)	\
	X(fchmod, 10, SAME) X(fchown, 8, SAME) X(futimens, 4, SAME)	\
	X(fsetxattr, 6, SAME) X(set_flags, 6, SAME) X(close, 12, SAME)	\
	X(mkdir, 30, ADDS) X(rmdir, 24, TAKES) X(unlink, 50, TAKES)	\
	X(rename, 50, MAYBE) X(rename_noreplace, 24, SAME)		\
	X(rename_exchange, 24, SAME) X(rename_whiteout, 6, MAYBE)	\
	X(rename_whiteout_noreplace, 6, ADDS)				\
	X(link, 24, ADDS) X(symlink, 16, ADDS) X(readlink, 8, SAME)	\
	X(mknod, 10, ADDS) X(stat, 30, SAME) X(lstat, 20, SAME)		\
	X(access, 12, SAME) X(list, 16, SAME) X(chmod, 30, SAME)	\
	X(chown, 20, SAME) X(utimens, 8, SAME) X(truncate, 8, SAME)	\
	X(setxattr, 10, SAME) X(getxattr, 8, SAME)			\
	X(listxattr, 6, SAME) X(removexattr, 6, SAME)			\
	X(set_acl, 12, SAME) X(get_acl, 6, SAME)			\
	X(remove_acl, 4, SAME) X(chdir, 8, SAME) X(statfs, 2, SAME)	\
	X(lock, 0, SAME) X(pread, 0, SAME)

enum call_kind {
#define KIND(name, weight, names) CALL_##name,
	CONC_CALLS(KIND)
#undef KIND
	CALL_KINDS
};

/* Where a path begins. */
enum call_base {
	AT_TOP,			/* where the process is: the top of its side */
	AT_DIR,			/* at a held directory, as with openat(2) */
	IN_DIR,			/* same, after a chdir(2) to it */
};

/* Fields that a kind does not use are 0. */
struct call {
	enum call_kind kind;
	enum call_base base;
	int slot;		/* which of the open files */
	int dir;		/* which of the held directories */
	char path[CONC_PATH], path2[CONC_PATH];	/* or the text of a symlink */
	int flags;		/* of open(2) or setxattr(2), or not to follow a link */
	/* Also of access(2), as bits of an ACL, and of lstat(2): those that a file of
	 * root must not have. */
	mode_t mode;
	int uid, gid;		/* -1: as it is */
	int value;		/* a length, an offset, a number to be written */
	bool keeps;		/* a listing in which KEEP has to be */
};

struct conc_file {
	int fd;			/* -1: none */
	bool readable, writable;
	bool nameless;		/* of O_TMPFILE, without a link yet */
};

struct hands {
	int top;
	struct conc_file file[CONC_FILES];
	int dir[CONC_DIRS];
	/* Data that the last call has read, to compare with. */
	char got[256];
	/* A mistake that no file system may make, in words; "" if there was none. */
	char broken[160];
	/* No name that begins with 'h' may be seen. */
	bool hidden;
};

struct call_info {
	const char *name;
	int weight;
	enum conc_names names;
};
extern const struct call_info call_info[CALL_KINDS];

void hands_init(struct hands *h, int top);
void hands_clear(struct hands *h);
bool call_has_name(enum call_kind kind);
/* Do its hands have what the call needs? */
bool call_ready(const struct hands *h, const struct call *c);
/* 0 or the errno. */
int call_do(struct hands *h, const struct call *c);
/* As text, without the end of a line. */
void call_text(const struct call *c, char *buf, size_t size);
const char *errno_text(int err);

/* May a native file system give this? */
bool errno_is_legal(enum call_kind kind, int err);

/* A file that everybody may read and nobody changes, and what is in it. */
#define KEEP "keep"
#define KEEP_TEXT "This file is never changed.\n"

/* Options and output ------------------------------------------------------------ */

struct conc_options {
	const char *path[CONC_SIDES];
	int top[CONC_SIDES];
	uint64_t seed;
	unsigned int seconds, procs, patience;
	const char *only;	/* pattern of the tests to be run */
	int round;		/* this one, again and again; -1: one after the other */
	bool served;		/* the server may be asked */
	bool hidden;		/* names with 'h' are hidden on the view */
	const char *reference;	/* histogram of a native run */
	const char *save;	/* where this run's goes */
	const char *plant;	/* a misdeed that has to be found */
};
extern struct conc_options conc;

/* Also in soak.h, whose walks of trees are used here. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

bool wanted(const char *name);
bool planted(const char *what);

extern const char *const side_text[CONC_SIDES];

uint64_t now_ns(void);
/* A process that has to end by now: false if it does not, else its status. */
bool wait_for_process(pid_t pid, int *status);
/* Where a process is that does not end. */
void say_where(pid_t pid);
void pin_to_cpu(unsigned int cpu);
void spin(unsigned int loops);
/* Effective user with its groups; root again with 0. */
void become_user(uid_t uid);

/* Random numbers that a seed determines. */
struct rng {
	uint64_t state;
};
void rng_init(struct rng *r, uint64_t a, uint64_t b, uint64_t c);
uint64_t rng_next(struct rng *r);
unsigned int rng_below(struct rng *r, unsigned int n);

/* Phases -------------------------------------------------------------------------- */

size_t duels_wanted(void);
size_t storms_wanted(void);
void duels_run(unsigned int seconds);
void storms_run(unsigned int seconds);
void work_run(unsigned int seconds);

/* Invariants when nothing moves -------------------------------------------- */

/* Number of names below, links counted in each tree; says what is wrong. */
struct census {
	long names;
	bool links_add_up;
	bool nobody_s_suid;	/* no setuid file of somebody who did not set it */
	bool kept;		/* what nobody removed is there */
};
struct census take_census(enum conc_side side);
bool views_are_equal(void);
void wipe(int parent, const char *name);

#endif
