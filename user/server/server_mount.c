// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mounting: the options that every file system takes, of which libfuse knows some, and
 * mounts of the module fusepass.ko, of whose device and file system type libfuse does not
 * know. It is handed the open device.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib.h"
#include "server.h"

#define MS_ATIMES	(MS_NOATIME | MS_RELATIME | MS_STRICTATIME)
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW	256
#endif

struct mount_flag {
	const char *name;
	unsigned long set, clear;
	bool libfuse;		/* it takes this one, and so does fusermount3 */
};

static const struct mount_flag mount_flags[] = {
	{ "ro", MS_RDONLY, 0, true },	{ "rw", 0, MS_RDONLY, true },
	{ "nosuid", MS_NOSUID, 0, true }, { "suid", 0, MS_NOSUID, true },
	{ "nodev", MS_NODEV, 0, true },	{ "dev", 0, MS_NODEV, true },
	{ "noexec", MS_NOEXEC, 0, true }, { "exec", 0, MS_NOEXEC, true },
	{ "sync", MS_SYNCHRONOUS, 0, true }, { "async", 0, MS_SYNCHRONOUS, true },
	{ "dirsync", MS_DIRSYNC, 0, true },
	{ "noatime", MS_NOATIME, MS_ATIMES, true },
	{ "atime", 0, MS_NOATIME, false },
	{ "nodiratime", MS_NODIRATIME, 0, false },
	{ "diratime", 0, MS_NODIRATIME, false },
	{ "relatime", MS_RELATIME, MS_ATIMES, false },
	{ "norelatime", 0, MS_RELATIME, false },
	{ "strictatime", MS_STRICTATIME, MS_ATIMES, false },
	{ "nostrictatime", 0, MS_STRICTATIME, false },
	{ "nosymfollow", MS_NOSYMFOLLOW, 0, false },
	{ "symfollow", 0, MS_NOSYMFOLLOW, false },
	/* Without a meaning here. */
	{ "lazytime", 0, 0, false },	{ "nolazytime", 0, 0, false },
	{ "iversion", 0, 0, false },	{ "noiversion", 0, 0, false },
	{ "silent", 0, 0, false },	{ "loud", 0, 0, false },
	{ "defaults", 0, 0, false },
};

/* What the kernel's fuse takes besides; the others are libfuse's. */
static const char * const data_options[] = {
	"max_read=", "context=", "fscontext=", "defcontext=", "rootcontext=",
};

/* -ENOSPC if it does not fit. */
static int text_add(struct mount_text *t, const char *text)
{
	int n = snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s%s",
			 t->len ? "," : "", text);

	if (n < 0 || (size_t)n >= sizeof(t->text) - t->len)
		return -ENOSPC;
	t->len += n;
	return 0;
}

static const struct mount_flag *flag_find(const char *option)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mount_flags); i++)
		if (!strcmp(option, mount_flags[i].name))
			return &mount_flags[i];
	return NULL;
}

bool server_mount_is_flag(const char *option)
{
	return flag_find(option);
}

static bool is_data(const char *option)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(data_options); i++)
		if (!strncmp(option, data_options[i], strlen(data_options[i])))
			return true;
	return false;
}

static int option_add(struct mount_args *a, const char *option)
{
	const struct mount_flag *f = flag_find(option);
	int ret = 0;

	if (f) {
		a->flags = (a->flags & ~f->clear) | f->set;
		a->beyond = (a->beyond & ~f->clear) | (f->libfuse ? 0 : f->set);
	}
	if (!f && is_data(option))
		ret = text_add(&a->data, option);
	return !ret && (!f || f->libfuse) ? text_add(&a->libfuse, option) : ret;
}

/* Commas part options, but where a backslash or quotes are before them. */
static char *option_end(char *p)
{
	bool quoted = false;

	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
	}
	return p;
}

int server_mount_args(struct mount_args *a, const char *options)
{
	_cleanup_free_ char *copy = strdup(options ?: "");
	char *p, *end;
	int ret = 0;

	*a = (struct mount_args){ .flags = MS_NOSUID | MS_NODEV };
	if (!copy)
		return -ENOMEM;
	for (p = copy; !ret && *p; p = end) {
		end = option_end(p);
		if (*end)
			*end++ = '\0';
		ret = *p ? option_add(a, p) : 0;
	}
	return ret;
}

/* relatime is what mounts have anyway. Others take root. */
int server_mount_flags(struct server *srv, const struct mount_args *a)
{
	if (!(a->beyond & ~MS_RELATIME))
		return 0;
	return mount(NULL, srv->mountpoint, NULL, MS_REMOUNT | MS_BIND | a->flags,
		     NULL) ? -errno : 0;
}

/* The session owns the device from here on. */
static int hand_over(struct server *srv, int *fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", *fd);
	if (fuse_session_mount(srv->se, path))
		return errno ? -errno : -EIO;
	util_take_fd(fd);
	return 0;
}

static int mount_kind(struct server *srv, const struct lib_kind *kind,
		      struct mount_args *a, int fd)
{
	char base[160];
	int ret;

	snprintf(base, sizeof(base), "fd=%d,rootmode=%o,user_id=%u,group_id=%u,"
		 "default_permissions,allow_other", fd, S_IFDIR, geteuid(),
		 getegid());
	ret = text_add(&a->data, base);
	if (!ret && mount(srv->source, srv->mountpoint, kind->type, a->flags,
			  a->data.text))
		ret = -errno;
	return ret;
}

int server_mount_module(struct server *srv, const struct lib_kind *kind,
			struct mount_args *a)
{
	_cleanup_fd_ int fd = open(kind->device, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? -errno : mount_kind(srv, kind, a, fd);

	if (ret)
		return ret;
	ret = hand_over(srv, &fd);
	if (ret)
		umount2(srv->mountpoint, MNT_DETACH);
	else
		srv->by_module = true;
	return ret;
}

/* Somebody else has unmounted it: its number may be that of another mount by now. */
bool server_mount_is_gone(struct server *srv)
{
	struct pollfd p = { .fd = fuse_session_fd(srv->se) };

	return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

/* As libfuse does it, with the device closed: nobody answers any more. */
void server_umount_module(struct server *srv)
{
	struct fusepass_mount m;

	if (!srv->by_module || fusepass_mount_find(srv->mountpoint, &m))
		return;
	if (m.connection == srv->connection)
		umount2(srv->mountpoint, MNT_DETACH);
	fusepass_mount_clear(&m);
}
