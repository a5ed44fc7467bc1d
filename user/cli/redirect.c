// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server that opens /dev/fuse and mounts by itself, on a system where policies are in
 * the module fusepass.ko: it gets the module's device, and a mount of the module's type.
 *
 * It is done by seccomp user notification, which reaches static programs and those of
 * other languages too. The filter sees numbers only, so it stops mount(2) and those
 * openings that could be of the device, for reading and writing and without creating; all
 * others run as ever. What is stopped and has nothing to do with FUSE goes on. Here nothing
 * may wait for the server: it waits for us.
 *
 * The server belongs to whoever runs it: a thread of it that changes the path after it
 * was read here gains nothing that it could not do without us.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "redirect.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL		/* Linux 6.9 */
#endif

#if defined(__x86_64__)
#define NATIVE_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH	AUDIT_ARCH_AARCH64
#endif

/* The filter -------------------------------------------------------------- */

/* The low half, on the little-endian machines that there are. */
#define ARG(n)	(offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD(at)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define JUMP(op, k, yes, no)	BPF_JUMP(BPF_JMP | (op) | BPF_K, k, yes, no)
#define RETURN(what)	BPF_STMT(BPF_RET | BPF_K, what)

/* Of the flags of open(2), those that say what it is. */
#define OPEN_MASK	(O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY | O_PATH)

static int listen_with(const struct sock_filter *code, unsigned short len)
{
	struct sock_fprog prog = { .len = len, .filter = (struct sock_filter *)code };
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			 SECCOMP_FILTER_FLAG_NEW_LISTENER |
			 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);

	return fd < 0 ? -errno : fd;
}

#ifdef NATIVE_ARCH
static int install(bool opens)
{
	const unsigned int open_nr =
#ifdef SYS_open
		SYS_open;
#else
		~0U;
#endif
	const struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		JUMP(BPF_JEQ, NATIVE_ARCH, 0, 9),
		LOAD(offsetof(struct seccomp_data, nr)),
		JUMP(BPF_JEQ, SYS_mount, 8, 0),
		JUMP(BPF_JEQ, opens ? SYS_openat : ~0U, 3, 0),
		JUMP(BPF_JEQ, opens ? open_nr : ~0U, 0, 5),
		LOAD(ARG(1)),
		JUMP(BPF_JA, 1, 0, 0),
		LOAD(ARG(2)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, OPEN_MASK),
		JUMP(BPF_JEQ, O_RDWR, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_USER_NOTIF),
	};

	return listen_with(code, ARRAY_SIZE(code));
}
#else
static int install(bool opens)
{
	return -EOPNOTSUPP;
}
#endif

int redirect_install(const struct redirect *r)
{
	return install(r->kind != &lib_kinds[0]);
}

/* What the caller means ------------------------------------------------------ */

struct call {
	int listener;
	struct seccomp_notif req;
};

/* A number of a process that ended may be another's by now. */
static bool waits_still(const struct call *c)
{
	return !ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->req.id);
}

/* Its text at @address; false if there is none. What does not fit is cut off. */
static bool text_of(const struct call *c, uint64_t address, char *text, size_t size)
{
	_cleanup_fd_ int fd = -1;
	char path[48];
	ssize_t len;

	*text = '\0';
	snprintf(path, sizeof(path), "/proc/%u/mem", c->req.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!address || fd < 0 || !waits_still(c))
		return false;
	len = pread(fd, text, size - 1, address);
	text[len < 0 ? 0 : len] = '\0';
	return len > 0;
}

/* A path of it as we can use it. */
static bool path_of(const struct call *c, uint64_t address, char *path, size_t size)
{
	char text[PATH_MAX];

	if (!text_of(c, address, text, sizeof(text)) || !*text)
		return false;
	if (*text == '/')
		return snprintf(path, size, "%s", text) < (int)size;
	return snprintf(path, size, "/proc/%u/cwd/%s", c->req.pid, text) < (int)size;
}

/* A descriptor of the same open file as the caller's. */
static int file_of(const struct call *c, int fd)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, c->req.pid, PIDFD_THREAD);
	int copy;

	if (pidfd < 0 || !waits_still(c))
		return -ESRCH;
	copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return copy < 0 ? -errno : copy;
}

/* Answers ---------------------------------------------------------------------- */

/* @err: 0 or -errno, what the call returns. */
static void say(const struct call *c, int err)
{
	struct seccomp_notif_resp resp = { .id = c->req.id, .error = err };

	ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void let_go_on(const struct call *c)
{
	struct seccomp_notif_resp resp = {
		.id = c->req.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void answer_open(const struct redirect *r, const struct call *c,
			uint64_t path, uint64_t flags)
{
	struct seccomp_notif_addfd add = {
		.id = c->req.id, .flags = SECCOMP_ADDFD_FLAG_SEND,
		.newfd_flags = flags & O_CLOEXEC,
	};
	_cleanup_fd_ int fd = -1;
	char text[sizeof("/dev/fuse") + 1];

	if (!text_of(c, path, text, sizeof(text)) || strcmp(text, lib_kinds[0].device)) {
		let_go_on(c);
		return;
	}
	fd = open(r->kind->device, O_RDWR | O_CLOEXEC | (flags & O_NONBLOCK));
	add.srcfd = fd;
	if (fd < 0)
		say(c, -errno);
	else
		ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
}

/* "fd=4,rootmode=..." with our copy of the descriptor in the place of the caller's. */
static int own_data(const struct call *c, char *data, size_t size, int *fd)
{
	char text[4096], *at;
	int n, theirs;

	if (!text_of(c, c->req.data.args[4], text, sizeof(text)))
		return -EINVAL;
	at = strstr(text, "fd=");
	if (!at || (at > text && at[-1] != ',') ||
	    sscanf(at, "fd=%d%n", &theirs, &n) != 1)
		return -EINVAL;
	*fd = file_of(c, theirs);
	if (*fd < 0)
		return *fd;
	*at = '\0';
	if (snprintf(data, size, "%sfd=%d%s", text, *fd, at + n) >= (int)size)
		return -EINVAL;
	return 0;
}

static int mount_instead(const struct redirect *r, const struct call *c, const char *subtype)
{
	char source[PATH_MAX], target[PATH_MAX + 32], data[4096 + 16], type[128];
	_cleanup_fd_ int fd = -1;
	int ret;

	if (!path_of(c, c->req.data.args[1], target, sizeof(target)))
		return -ENOENT;
	text_of(c, c->req.data.args[0], source, sizeof(source));
	if (snprintf(type, sizeof(type), "%s%s", r->kind->type, subtype) >=
	    (int)sizeof(type))
		return -ENODEV;
	ret = own_data(c, data, sizeof(data), &fd);
	if (!ret && mount(source, target, type, c->req.data.args[3], data))
		ret = -errno;
	return ret;
}

static void answer_mount(struct redirect *r, const struct call *c)
{
	const size_t len = strlen(lib_kinds[0].type);
	char type[128];

	text_of(c, c->req.data.args[2], type, sizeof(type));
	if (strncmp(type, lib_kinds[0].type, len) || (type[len] && type[len] != '.')) {
		let_go_on(c);
	} else if (r->refuse) {
		r->refused = true;
		say(c, -ENOTDIR);
	} else {
		say(c, mount_instead(r, c, type + len));
	}
}

bool redirect_answer(struct redirect *r, int listener)
{
	struct call c = { .listener = listener };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &c.req))
		return errno == EINTR || errno == ENOENT;
	switch (c.req.data.nr) {
	case SYS_mount:
		answer_mount(r, &c);
		break;
	case SYS_openat:
		answer_open(r, &c, c.req.data.args[1], c.req.data.args[2]);
		break;
	default:
		answer_open(r, &c, c.req.data.args[0], c.req.data.args[1]);
	}
	return true;
}
