/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small TAP harness for tests that mount things.
 *
 * TEST(claim) { ... } registers a case. Each case runs in a process of its own
 * with its own mount and pid namespace, in an empty directory of its own below
 * $FUSEPASS_WORK (a file system that can back FUSE); whatever it leaves behind
 * dies with it, and one that hangs is killed and reported. The checks end the
 * case at the first failure.
 */
#ifndef FUSEPASS_HARNESS_H
#define FUSEPASS_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Groups that a test belongs to. */
enum {
	T_LONG	= 1,	/* left out with --short and --quick, for the debugging kernel */
	T_QUICK	= 2,	/* what --quick leaves: through most code of the kernel in little time */
};
/* Groups of each TEST() of a file that defines this before it includes the harness. */
#ifndef TEST_DEFAULT
#define TEST_DEFAULT 0
#endif

struct test {
	const char *name;
	void (*run)(void);
	unsigned int flags;
	struct test *next;
};

void test_register(struct test *test);

#define TEST_FLAGS(id, fl)						\
	static void id(void);						\
	__attribute__((constructor)) static void register_##id(void)	\
	{								\
		static struct test test = { #id, id, fl, NULL };	\
		test_register(&test);					\
	}								\
	static void id(void)
#define TEST(id) TEST_FLAGS(id, TEST_DEFAULT)

/* Ends the case: failed, or not applicable for a reason that is printed. */
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void test_skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* A line of diagnosis. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What the names of FUSE's type, device, directories, slabs and trace system begin with:
 * "fuse", or "fusepass" where that module has the hook and the kernel's own has not.
 */
const char *fuse_name(void);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("not so: %s (errno %s)", #cond,		\
			     strerrorname_np(errno));			\
	} while (0)

/* Integers are equal; both are printed. */
#define EQ(got, want)							\
	do {								\
		long long got_ = (long long)(got);			\
		long long want_ = (long long)(want);			\
		if (got_ != want_)					\
			FAIL("%s is %lld, not %lld", #got, got_, want_);	\
	} while (0)

/* A system call succeeds; the value is its result. */
#define OK(call)							\
	({								\
		long r_ = (long)(call);					\
		if (r_ < 0)						\
			FAIL("%s: %s", #call, strerrorname_np(errno));	\
		r_;							\
	})

/* A system call fails with exactly this errno. */
#define ERR(call, want)							\
	do {								\
		errno = 0;						\
		long r_ = (long)(call);					\
		if (r_ >= 0)						\
			FAIL("%s gives %ld, not %s", #call, r_, #want);	\
		if (errno != (want))					\
			FAIL("%s fails with %s, not %s", #call,		\
			     strerrorname_np(errno), #want);		\
	} while (0)

/* As above for what returns -errno. */
#define NERR(call, want)						\
	do {								\
		long r_ = (long)(call);					\
		if (r_ != -(want))					\
			FAIL("%s gives %ld (%s), not -%s", #call, r_,	\
			     r_ < 0 ? strerrorname_np(-r_) : "no error",	\
			     #want);					\
	} while (0)

/* Waits up to ten seconds (longer on a slow kernel) for a condition. */
#define EVENTUALLY(cond)						\
	do {								\
		int tries_ = 1000 * harness_patience;			\
		while (!(cond)) {					\
			if (!tries_--)					\
				FAIL("never became so: %s", #cond);	\
			usleep(10000);					\
		}							\
	} while (0)

/*
 * Called when a process of the case ends by the harness's hand. A server that is
 * a thread of the case cannot answer any more then, and the last close of a file
 * on its mount would wait for it: it has to let go first.
 */
extern void (*harness_at_end)(void);
extern int harness_patience;	/* 1; more on a kernel full of checks */
extern char harness_bin[];	/* directory of the running binary */

/* Runs fn in a child and gives its exit status; fn's return value is it. */
int in_child(int (*fn)(void *), void *arg);
/* Same, as this uid (no groups, no capabilities). */
int as_uid(uid_t uid, int (*fn)(void *), void *arg);
/* Forks; the child dies with the case. */
pid_t spawn(int (*fn)(void *), void *arg);
int reap(pid_t pid);
/* For a lock of a file. */
bool waits_for_lock(pid_t pid);

/* Small helpers on files; each fails the case when it cannot do its work. */
void put_file(const char *path, const char *text, mode_t mode);
/* Whole file, NUL terminated, in a static buffer. */
const char *get_file(const char *path);
bool file_is(const char *path, const char *text);
/* An O_PATH descriptor, and the attributes, of what is there: links too. */
int open_path(const char *path);
struct stat stat_of(const char *path);
void set_sysctl(const char *path, const char *text);
/* Throws away all dentries and inodes that nobody uses. */
void drop_caches(void);
bool dir_has(const char *dir, const char *name);
/* An fd of a mount of this directory in which uid and gid n are base + n; skips
 * the case where the kernel or the file system has no idmapped mounts. */
int idmapped_clone(const char *dir, unsigned int base);
/* FS_APPEND_FL and the like on, or off again. */
void set_file_flags(const char *path, int flags, bool on);
int dir_count(const char *dir);

#endif
