// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The small directory in which two processes meet: making what is there when they
 * begin, and telling what is there when they have ended.
 */
#include "conc_duel.h"

#include <dirent.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ARENA_DIR "arena"

int arena_top[CONC_SIDES];

/* Start ------------------------------------------------------------------------- */

void must(bool good, const char *what)
{
	if (!good)
		die("%s: %s", what, errno_text(errno));
}

static void make_file(const char *name)
{
	const char *base = strrchr(name, '/');
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	base = base ? base + 1 : name;
	must(fd >= 0 && write(fd, base, strlen(base)) > 0 &&
	     !fchown(fd, DUEL_USER, DUEL_USER), name);
	close(fd);
}

static void make_one(char *spec)
{
	char *to = strpbrk(spec, "=>");
	char kind = to ? *to : '\0';

	if (to)
		*to++ = '\0';
	if (kind == '=') {
		must(!link(to, spec), spec);
	} else if (kind == '>') {
		must(!symlink(to, spec), spec);
	} else if (spec[strlen(spec) - 1] == '/') {
		spec[strlen(spec) - 1] = '\0';
		must(!mkdir(spec, 0777) &&
		     !chown(spec, DUEL_USER, DUEL_USER), spec);
	} else {
		make_file(spec);
	}
}

/* Everything below the working directory goes away. */
static void clear_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[PATH_MAX];

	must(dir != NULL, path);
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (!unlink(name))
			continue;
		clear_dir(name);
		must(!rmdir(name), name);
	}
	closedir(dir);
}

void arena_start(const char *start)
{
	char list[CONC_TEXT], *p = list, *spec;

	must(!fchdir(arena_top[TREE]), "chdir");
	clear_dir(".");
	snprintf(list, sizeof(list), "%s", start);
	while ((spec = strsep(&p, " ")))
		if (*spec)
			make_one(spec);
}

/* Contents of a directory ------------------------------------------------------------ */

void arena_put(char *buf, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + at, STATE_TEXT - at, fmt, ap);
	va_end(ap);
}

static void put_file(char *buf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), flags = 0, n;
	char text[64];

	if (fd < 0)
		return arena_put(buf, " open:%s", errno_text(errno));
	n = read(fd, text, sizeof(text));
	if (n < 0)
		arena_put(buf, " read:%s", errno_text(errno));
	else
		arena_put(buf, " '%.*s'", n, text);
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_NODUMP_FL)
		arena_put(buf, " nodump");
	close(fd);
}

static void put_xattrs(char *buf, const char *path)
{
	char acl[200];
	int value;
	ssize_t n;

	/* Most have none, or one of a security module. */
	if (llistxattr(path, acl, sizeof(acl)) <= 0)
		return;
	n = lgetxattr(path, "system.posix_acl_access", acl, sizeof(acl));
	if (n > 0) {
		arena_put(buf, " acl:");
		for (ssize_t i = 4; i + 2 < n; i += 8)
			arena_put(buf, "%d", acl[i + 2]);
	}
	if (lgetxattr(path, "user.conc", &value, sizeof(value)) == sizeof(value))
		arena_put(buf, " xattr:%d", value);
}

static void put_entry(char *buf, const char *path);

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dot(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void put_dir(char *buf, const char *path)
{
	struct dirent **e;
	char name[PATH_MAX];
	int n = scandir(path, &e, no_dot, by_name);

	if (n < 0)
		return arena_put(buf, " list:%s", errno_text(errno));
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%s%s", strcmp(path, ".") ? path : "",
			 strcmp(path, ".") ? "/" : "", e[i]->d_name);
		put_entry(buf, name);
		free(e[i]);
	}
	free(e);
}

static void put_entry(char *buf, const char *path)
{
	char target[64] = "";
	struct stat st;

	if (lstat(path, &st))
		return arena_put(buf, "; %s:%s", path, errno_text(errno));
	arena_put(buf, "; %s: %06o %d:%d", path, st.st_mode, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		arena_put(buf, " links %d size %d", (int)st.st_nlink, (int)st.st_size);
	if (S_ISREG(st.st_mode))
		put_file(buf, path);
	if (S_ISLNK(st.st_mode) && readlink(path, target, sizeof(target) - 1) > 0)
		arena_put(buf, " to %s", target);
	if (!S_ISLNK(st.st_mode))
		put_xattrs(buf, path);
	if (S_ISDIR(st.st_mode))
		put_dir(buf, path);
}

void arena_describe(char *buf, enum conc_side side)
{
	buf[0] = '\0';
	must(!fchdir(arena_top[side]), "chdir");
	put_dir(buf, ".");
}

int arena_names(const char *description)
{
	int n = 0;

	for (const char *p = description; *p; p++)
		n += *p == ';';
	return n;
}

/* The whole of it -------------------------------------------------------------------- */

void arena_open(void)
{
	struct stat st;

	wipe(conc.top[TREE], ARENA_DIR);
	if (mkdirat(conc.top[TREE], ARENA_DIR, 0777))
		die("cannot make " ARENA_DIR ": %s", errno_text(errno));
	for (int s = 0; s < CONC_SIDES; s++) {
		arena_top[s] = openat(conc.top[s], ARENA_DIR,
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(arena_top[s] >= 0 && !fstat(arena_top[s], &st), ARENA_DIR);
	}
}

void arena_close(void)
{
	must(!fchdir(conc.top[TREE]), "chdir");
	wipe(conc.top[TREE], ARENA_DIR);
	for (int s = 0; s < CONC_SIDES; s++)
		close(arena_top[s]);
}
