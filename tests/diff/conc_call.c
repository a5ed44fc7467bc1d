// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One system call. Where there is no call with a directory, the process changes to
 * the held one and back again, so that names are also looked up from a working
 * directory that others move or remove.
 */
#include "conc.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum {
	BUF = 8192,
	RECORD = 64,		/* sizes and offsets are multiples of it */
	FILE_END = 64 * RECORD,	/* nothing is written behind it */
	PAGE = 4096,
};

/*
 * Each byte that a test process writes has its two upper bits set. Of bytes, because
 * that is all a kernel promises: who reads while another writes may see half a word,
 * where the processor copies byte by byte.
 */
enum { MARK = 0xc0 };

static const char access_acl[] = "system.posix_acl_access";
static const char default_acl[] = "system.posix_acl_default";
static const char xattr_name[] = "user.conc";

const struct call_info call_info[CALL_KINDS] = {
#define INFO(name, weight, names) { #name, weight, names },
	CONC_CALLS(INFO)
#undef INFO
};

/* Hands ------------------------------------------------------------------------ */

void hands_init(struct hands *h, int top)
{
	memset(h, 0, sizeof(*h));
	h->top = top;
	for (int i = 0; i < CONC_FILES; i++)
		h->file[i].fd = -1;
	for (int i = 0; i < CONC_DIRS; i++)
		h->dir[i] = -1;
}

static void file_put(struct conc_file *f, int fd)
{
	if (f->fd >= 0)
		close(f->fd);
	memset(f, 0, sizeof(*f));
	f->fd = fd;
}

static void dir_put(struct hands *h, int slot, int fd)
{
	if (h->dir[slot] >= 0)
		close(h->dir[slot]);
	h->dir[slot] = fd;
}

void hands_clear(struct hands *h)
{
	for (int i = 0; i < CONC_FILES; i++)
		file_put(&h->file[i], -1);
	for (int i = 0; i < CONC_DIRS; i++)
		dir_put(h, i, -1);
}

static void broken(struct hands *h, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void broken(struct hands *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->broken, sizeof(h->broken), fmt, ap);
	va_end(ap);
}

/* Open files ----------------------------------------------------------------------- */

static int open_flags(const struct call *c)
{
	int common = O_NONBLOCK | O_CLOEXEC | c->flags;

	switch (c->kind) {
	case CALL_open_write:
		return O_RDWR | common;
	case CALL_open_trunc:
		return O_WRONLY | O_TRUNC | common;
	case CALL_open_create:
		return O_RDWR | O_CREAT | common;
	case CALL_open_excl:
		return O_RDWR | O_CREAT | O_EXCL | common;
	case CALL_open_tmpfile:
		return O_RDWR | O_TMPFILE | common;
	default:
		return O_RDONLY | common;
	}
}

/* Only ordinary files are held: what else there is, behaves in too many ways. */
static void hold_file(struct hands *h, const struct call *c, int fd)
{
	struct conc_file *f = &h->file[c->slot];
	int flags = open_flags(c);
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return;
	}
	file_put(f, fd);
	f->readable = (flags & O_ACCMODE) != O_WRONLY;
	f->writable = (flags & O_ACCMODE) != O_RDONLY;
	f->nameless = c->kind == CALL_open_tmpfile;
}

static int do_open(struct hands *h, const struct call *c, int at)
{
	int fd = openat(at, c->path, open_flags(c), c->mode);

	if (fd < 0)
		return errno;
	hold_file(h, c, fd);
	return 0;
}

static int do_open_dir(struct hands *h, const struct call *c, int at)
{
	int how = c->kind == CALL_open_path ? O_PATH | O_NOFOLLOW : O_RDONLY;
	int fd = openat(at, c->path, how | O_CLOEXEC | c->flags |
			(c->kind == CALL_open_dir ? O_DIRECTORY : 0));
	struct stat st;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) || !S_ISDIR(st.st_mode))
		close(fd);
	else
		dir_put(h, c->dir, fd);
	return 0;
}

static int do_link_tmpfile(struct hands *h, const struct call *c, int at)
{
	struct conc_file *f = &h->file[c->slot];
	char proc[40];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
	if (linkat(AT_FDCWD, proc, at, c->path, AT_SYMLINK_FOLLOW))
		return errno;
	f->nameless = false;
	return 0;
}

static uint64_t marked(int value)
{
	uint64_t word;

	memset(&word, MARK | value, sizeof(word));
	return word;
}

/* A reader sees zeros or bytes that some process has written. */
static void check_content(struct hands *h, const void *data, ssize_t n)
{
	const uint8_t *byte = data;

	for (ssize_t i = 0; i < n; i++)
		if (byte[i] && (byte[i] & MARK) != MARK)
			return broken(h, "content that nobody wrote: %02x at %zd of %zd",
				      byte[i], i, n);
}

static int offset_of(const struct call *c)
{
	return c->value % FILE_END / RECORD * RECORD;
}

static int do_read(struct hands *h, const struct call *c, int at)
{
	uint64_t buf[BUF / 8];
	ssize_t n = pread(h->file[c->slot].fd, buf, sizeof(buf), offset_of(c));

	if (n < 0)
		return errno;
	check_content(h, buf, n);
	return 0;
}

static int do_pread(struct hands *h, const struct call *c, int at)
{
	ssize_t n = pread(h->file[c->slot].fd, h->got, sizeof(h->got) - 1, 0);

	if (n < 0)
		return errno;
	h->got[n] = '\0';
	return 0;
}

static int do_write(struct hands *h, const struct call *c, int at)
{
	size_t len = (c->value / FILE_END % 8 + 1) * RECORD;
	uint64_t buf[8 * RECORD / 8];

	/* For a duel: a letter that is seen afterwards. */
	if (c->path2[0]) {
		len = strlen(c->path2);
		memcpy(buf, c->path2, len);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(buf); i++)
			buf[i] = marked(c->value);
	}
	return pwrite(h->file[c->slot].fd, buf, len, offset_of(c)) < 0 ? errno : 0;
}

static sigjmp_buf beyond_end;

static void on_sigbus(int sig)
{
	siglongjmp(beyond_end, 1);
}

/* A mapped file may be truncated by another process at any moment: SIGBUS. */
static void touch_map(struct hands *h, const struct call *c, char *map)
{
	struct sigaction act = { .sa_handler = on_sigbus }, old;

	sigaction(SIGBUS, &act, &old);
	if (!sigsetjmp(beyond_end, 1)) {
		check_content(h, map, PAGE);
		if (h->file[c->slot].writable)
			*(volatile uint64_t *)(map + offset_of(c)) =
				marked(c->value);
	}
	sigaction(SIGBUS, &old, NULL);
}

static int do_map(struct hands *h, const struct call *c, int at)
{
	const struct conc_file *f = &h->file[c->slot];
	char *map = mmap(NULL, PAGE, PROT_READ | (f->writable ? PROT_WRITE : 0),
			 MAP_SHARED, f->fd, 0);
	int err = 0;

	if (map == MAP_FAILED)
		return errno;
	if (madvise(map, PAGE, f->writable ? MADV_POPULATE_WRITE
					   : MADV_POPULATE_READ))
		err = errno;
	else
		touch_map(h, c, map);
	munmap(map, PAGE);
	return err;
}

static int do_ftruncate(struct hands *h, const struct call *c, int at)
{
	return ftruncate(h->file[c->slot].fd, offset_of(c)) ? errno : 0;
}

static int do_fallocate(struct hands *h, const struct call *c, int at)
{
	int mode = c->value & 1 ? FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE : 0;

	return fallocate(h->file[c->slot].fd, mode, offset_of(c), RECORD) ?
		errno : 0;
}

static int do_copy_range(struct hands *h, const struct call *c, int at)
{
	off_t from = offset_of(c), to = FILE_END - from;
	int other = (c->slot + 1) % CONC_FILES;

	return copy_file_range(h->file[c->slot].fd, &from, h->file[other].fd,
			       &to, RECORD, 0) < 0 ? errno : 0;
}

static int do_fsync(struct hands *h, const struct call *c, int at)
{
	return fsync(h->file[c->slot].fd) ? errno : 0;
}

static int do_fstat(struct hands *h, const struct call *c, int at)
{
	struct stat st;

	return fstat(h->file[c->slot].fd, &st) ? errno : 0;
}

static int do_fchmod(struct hands *h, const struct call *c, int at)
{
	return fchmod(h->file[c->slot].fd, c->mode) ? errno : 0;
}

static int do_fchown(struct hands *h, const struct call *c, int at)
{
	return fchown(h->file[c->slot].fd, c->uid, c->gid) ? errno : 0;
}

static int do_futimens(struct hands *h, const struct call *c, int at)
{
	struct timespec t[2] = { { .tv_sec = c->value }, { .tv_sec = c->value } };

	return futimens(h->file[c->slot].fd, t) ? errno : 0;
}

static int do_fsetxattr(struct hands *h, const struct call *c, int at)
{
	return fsetxattr(h->file[c->slot].fd, xattr_name, &c->value,
			 sizeof(c->value), c->flags) ? errno : 0;
}

static int do_set_flags(struct hands *h, const struct call *c, int at)
{
	int flags = c->value & 1 ? FS_NODUMP_FL : 0, old;

	if (ioctl(h->file[c->slot].fd, FS_IOC_GETFLAGS, &old))
		return errno;
	flags |= old & ~FS_NODUMP_FL;
	return ioctl(h->file[c->slot].fd, FS_IOC_SETFLAGS, &flags) ? errno : 0;
}

static int do_lock(struct hands *h, const struct call *c, int at)
{
	return flock(h->file[c->slot].fd, LOCK_EX | LOCK_NB) ? errno : 0;
}

static int do_close(struct hands *h, const struct call *c, int at)
{
	int fd = h->file[c->slot].fd;

	h->file[c->slot].fd = -1;
	return close(fd) ? errno : 0;
}

/* Names -------------------------------------------------------------------------------- */

static int do_mkdir(struct hands *h, const struct call *c, int at)
{
	return mkdirat(at, c->path, c->mode) ? errno : 0;
}

static int do_rmdir(struct hands *h, const struct call *c, int at)
{
	return unlinkat(at, c->path, AT_REMOVEDIR) ? errno : 0;
}

static int do_unlink(struct hands *h, const struct call *c, int at)
{
	return unlinkat(at, c->path, 0) ? errno : 0;
}

static unsigned int rename_flags(const struct call *c)
{
	switch (c->kind) {
	case CALL_rename_noreplace:
		return RENAME_NOREPLACE;
	case CALL_rename_exchange:
		return RENAME_EXCHANGE;
	case CALL_rename_whiteout:
		return RENAME_WHITEOUT;
	case CALL_rename_whiteout_noreplace:
		return RENAME_WHITEOUT | RENAME_NOREPLACE;
	default:
		return 0;
	}
}

/* The second name begins at the top, so that names also leave a held directory. */
static int do_rename(struct hands *h, const struct call *c, int at)
{
	int to = c->base == AT_DIR ? h->top : at;

	return renameat2(at, c->path, to, c->path2, rename_flags(c)) ? errno : 0;
}

static int do_link(struct hands *h, const struct call *c, int at)
{
	int to = c->base == AT_DIR ? h->top : at;

	return linkat(at, c->path, to, c->path2, 0) ? errno : 0;
}

static int do_symlink(struct hands *h, const struct call *c, int at)
{
	return symlinkat(c->path2, at, c->path) ? errno : 0;
}

static int do_readlink(struct hands *h, const struct call *c, int at)
{
	ssize_t n = readlinkat(at, c->path, h->got, sizeof(h->got) - 1);

	if (n < 0)
		return errno;
	h->got[n] = '\0';
	return 0;
}

static int do_mknod(struct hands *h, const struct call *c, int at)
{
	return mknodat(at, c->path, S_IFIFO | c->mode, 0) ? errno : 0;
}

static int do_stat(struct hands *h, const struct call *c, int at)
{
	struct stat st;

	if (fstatat(at, c->path, &st,
		    c->kind == CALL_lstat ? AT_SYMLINK_NOFOLLOW : 0))
		return errno;
	snprintf(h->got, sizeof(h->got), "%o", st.st_mode & S_IFMT);
	if (c->kind == CALL_lstat && !st.st_uid && st.st_mode & c->mode)
		broken(h, "%s belongs to root and has mode %o", c->path, st.st_mode);
	return 0;
}

static int do_access(struct hands *h, const struct call *c, int at)
{
	return faccessat(at, c->path, c->mode, AT_EACCESS) ? errno : 0;
}

/* A listing -------------------------------------------------------------------------- */

struct listing {
	char *name[256];
	int n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Also checks what the directory that never goes away has to have. */
static void check_listing(struct hands *h, const struct call *c,
			  const struct listing *l)
{
	int kept = 0;
	size_t at = 0;

	for (int i = 0; i < l->n; i++) {
		kept += !strcmp(l->name[i], KEEP);
		if (h->hidden && l->name[i][0] == 'h')
			broken(h, "hidden name %s is listed", l->name[i]);
		at += snprintf(h->got + at, sizeof(h->got) - at, "%s%s",
			       i ? " " : "", l->name[i]);
		if (at >= sizeof(h->got))
			break;
	}
	if (c->keeps && kept != 1)
		broken(h, KEEP " is listed %d times: %.100s", kept, h->got);
}

static int read_entries(DIR *dir, struct listing *l)
{
	struct dirent *e;

	for (errno = 0; (e = readdir(dir)); errno = 0)
		if (e->d_name[0] != '.' && l->n < (int)ARRAY_SIZE(l->name))
			l->name[l->n++] = strdup(e->d_name);
	return errno;
}

static int do_list(struct hands *h, const struct call *c, int at)
{
	int fd = openat(at, c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct listing l = { .n = 0 };
	DIR *dir;

	if (fd < 0)
		return errno;
	dir = fdopendir(fd);
	err = read_entries(dir, &l);
	closedir(dir);
	h->got[0] = '\0';
	qsort(l.name, l.n, sizeof(l.name[0]), by_name);
	if (!err)
		check_listing(h, c, &l);
	while (l.n)
		free(l.name[--l.n]);
	return err;
}

/* Attributes --------------------------------------------------------------------------- */

static int do_chmod(struct hands *h, const struct call *c, int at)
{
	/* The C library knows no flag for it. */
	if (c->flags)
		return syscall(SYS_fchmodat2, at, c->path, c->mode, c->flags) ?
			errno : 0;
	return fchmodat(at, c->path, c->mode, 0) ? errno : 0;
}

static int do_chown(struct hands *h, const struct call *c, int at)
{
	return fchownat(at, c->path, c->uid, c->gid, c->flags) ? errno : 0;
}

static int do_utimens(struct hands *h, const struct call *c, int at)
{
	struct timespec t[2] = { { .tv_sec = c->value }, { .tv_sec = c->value } };

	return utimensat(at, c->path, t, AT_SYMLINK_NOFOLLOW) ? errno : 0;
}

static int do_truncate(struct hands *h, const struct call *c, int at)
{
	return truncate(c->path, offset_of(c)) ? errno : 0;
}

static int do_setxattr(struct hands *h, const struct call *c, int at)
{
	return setxattr(c->path, xattr_name, &c->value, sizeof(c->value),
			c->flags) ? errno : 0;
}

static int do_getxattr(struct hands *h, const struct call *c, int at)
{
	return getxattr(c->path, xattr_name, h->got, sizeof(h->got) - 1) < 0 ?
		errno : 0;
}

static int do_listxattr(struct hands *h, const struct call *c, int at)
{
	return llistxattr(c->path, h->got, sizeof(h->got)) < 0 ? errno : 0;
}

static int do_removexattr(struct hands *h, const struct call *c, int at)
{
	return removexattr(c->path, xattr_name) ? errno : 0;
}

/* As in linux/posix_acl_xattr.h; owner, user 1001, group, mask, others. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entry[5];
};

static int do_set_acl(struct hands *h, const struct call *c, int at)
{
	uint16_t owner = c->mode >> 6 & 7, group = c->mode >> 3 & 7;
	uint16_t other = c->mode & 7;
	struct acl acl = { 2, { { 0x01, owner, -1 }, { 0x02, group, 1001 },
				{ 0x04, group, -1 }, { 0x10, group, -1 },
				{ 0x20, other, -1 } } };

	if (c->flags)
		return lsetxattr(c->path, access_acl, &acl, sizeof(acl), 0) ?
			errno : 0;
	return setxattr(c->path, access_acl, &acl, sizeof(acl), 0) ? errno : 0;
}

static int do_get_acl(struct hands *h, const struct call *c, int at)
{
	return getxattr(c->path, c->value & 1 ? access_acl : default_acl, h->got,
			sizeof(h->got)) < 0 ? errno : 0;
}

static int do_remove_acl(struct hands *h, const struct call *c, int at)
{
	if (c->flags)
		return lremovexattr(c->path, access_acl) ? errno : 0;
	return removexattr(c->path, access_acl) ? errno : 0;
}

static int do_chdir(struct hands *h, const struct call *c, int at)
{
	if (chdir(c->path))
		return errno;
	if (fchdir(h->top))
		broken(h, "cannot change back to the top: %s", errno_text(errno));
	return 0;
}

static int do_statfs(struct hands *h, const struct call *c, int at)
{
	struct statfs st;

	return statfs(c->path, &st) ? errno : 0;
}

/* All of them -------------------------------------------------------------------------- */

enum call_needs {
	NAME,		/* one name that exists or not */
	FD,		/* an open file */
	FD_READ, FD_WRITE, FD_NAMELESS,
	FD_BOTH,	/* two of them: one to read, one to write */
};

static const struct {
	int (*fn)(struct hands *h, const struct call *c, int at);
	enum call_needs needs;
	bool no_at;	/* there is no call with a directory */
} how[CALL_KINDS] = {
	[CALL_open_read] = { do_open },
	[CALL_open_write] = { do_open },
	[CALL_open_trunc] = { do_open },
	[CALL_open_create] = { do_open },
	[CALL_open_excl] = { do_open },
	[CALL_open_dir] = { do_open_dir },
	[CALL_open_path] = { do_open_dir },
	[CALL_open_tmpfile] = { do_open },
	[CALL_link_tmpfile] = { do_link_tmpfile, FD_NAMELESS },
	[CALL_read] = { do_read, FD_READ },
	[CALL_write] = { do_write, FD_WRITE },
	[CALL_map] = { do_map, FD_READ },
	[CALL_ftruncate] = { do_ftruncate, FD_WRITE },
	[CALL_fallocate] = { do_fallocate, FD_WRITE },
	[CALL_copy_range] = { do_copy_range, FD_BOTH },
	[CALL_fsync] = { do_fsync, FD },
	[CALL_fstat] = { do_fstat, FD },
	[CALL_fchmod] = { do_fchmod, FD },
	[CALL_fchown] = { do_fchown, FD },
	[CALL_futimens] = { do_futimens, FD },
	[CALL_fsetxattr] = { do_fsetxattr, FD },
	[CALL_set_flags] = { do_set_flags, FD },
	[CALL_lock] = { do_lock, FD },
	[CALL_pread] = { do_pread, FD_READ },
	[CALL_close] = { do_close, FD },
	[CALL_mkdir] = { do_mkdir },
	[CALL_rmdir] = { do_rmdir },
	[CALL_unlink] = { do_unlink },
	[CALL_rename] = { do_rename },
	[CALL_rename_noreplace] = { do_rename },
	[CALL_rename_exchange] = { do_rename },
	[CALL_rename_whiteout] = { do_rename },
	[CALL_rename_whiteout_noreplace] = { do_rename },
	[CALL_link] = { do_link },
	[CALL_symlink] = { do_symlink },
	[CALL_readlink] = { do_readlink },
	[CALL_mknod] = { do_mknod },
	[CALL_stat] = { do_stat },
	[CALL_lstat] = { do_stat },
	[CALL_access] = { do_access },
	[CALL_list] = { do_list },
	[CALL_chmod] = { do_chmod },
	[CALL_chown] = { do_chown },
	[CALL_utimens] = { do_utimens },
	[CALL_truncate] = { do_truncate, NAME, true },
	[CALL_setxattr] = { do_setxattr, NAME, true },
	[CALL_getxattr] = { do_getxattr, NAME, true },
	[CALL_listxattr] = { do_listxattr, NAME, true },
	[CALL_removexattr] = { do_removexattr, NAME, true },
	[CALL_set_acl] = { do_set_acl, NAME, true },
	[CALL_get_acl] = { do_get_acl, NAME, true },
	[CALL_remove_acl] = { do_remove_acl, NAME, true },
	[CALL_chdir] = { do_chdir, NAME, true },
	[CALL_statfs] = { do_statfs, NAME, true },
};

bool call_has_name(enum call_kind kind)
{
	return how[kind].needs == NAME || how[kind].needs == FD_NAMELESS;
}

static bool files_ready(const struct hands *h, const struct call *c)
{
	const struct conc_file *f = &h->file[c->slot];
	const struct conc_file *g = &h->file[(c->slot + 1) % CONC_FILES];

	switch (how[c->kind].needs) {
	case NAME:
		return true;
	case FD:
		return f->fd >= 0;
	case FD_READ:
		return f->fd >= 0 && f->readable;
	case FD_WRITE:
		return f->fd >= 0 && f->writable;
	case FD_NAMELESS:
		return f->fd >= 0 && f->nameless;
	case FD_BOTH:
		return f->fd >= 0 && f->readable && g->fd >= 0 && g->writable;
	}
	return false;
}

bool call_ready(const struct hands *h, const struct call *c)
{
	return files_ready(h, c) && (c->base == AT_TOP || h->dir[c->dir] >= 0);
}

/* Whether one of the names on the path is one that is hidden. */
static bool is_hidden(const char *path)
{
	return path[0] == 'h' || strstr(path, "/h");
}

int call_do(struct hands *h, const struct call *c)
{
	bool there = c->base == IN_DIR || (c->base == AT_DIR && how[c->kind].no_at);
	int at = c->base == AT_DIR && !there ? h->dir[c->dir] : AT_FDCWD, err;

	h->got[0] = h->broken[0] = '\0';
	if (there && fchdir(h->dir[c->dir]))
		return errno;
	err = how[c->kind].fn(h, c, at);
	if (there && fchdir(h->top))
		broken(h, "cannot change back to the top: %s", errno_text(errno));
	if (!err && h->hidden && how[c->kind].needs == NAME &&
	    is_hidden(c->path))
		broken(h, "a hidden name is found");
	return err;
}

/* Text --------------------------------------------------------------------------------- */

const char *errno_text(int err)
{
	const char *name = err ? strerrorname_np(err) : "ok";

	return name ? name : "unknown";
}

static const char *const base_text[] = { "", "at dir %d: ", "in dir %d: " };

static void add(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void add(char *buf, size_t size, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + at, size - at, fmt, ap);
	va_end(ap);
}

static bool has_mode(enum call_kind kind)
{
	switch (kind) {
	case CALL_open_create:
	case CALL_open_excl:
	case CALL_open_tmpfile:
	case CALL_mkdir:
	case CALL_mknod:
	case CALL_chmod:
	case CALL_fchmod:
	case CALL_access:
	case CALL_set_acl:
		return true;
	default:
		return false;
	}
}

void call_text(const struct call *c, char *buf, size_t size)
{
	const char *comma = "";

	buf[0] = '\0';
	if (c->base)
		add(buf, size, c->base == AT_DIR ? base_text[1] : base_text[2],
		    c->dir);
	add(buf, size, "%s(", call_info[c->kind].name);
	if (how[c->kind].needs != NAME) {
		add(buf, size, "file %d", c->slot);
		comma = ", ";
	}
	if (c->path[0]) {
		add(buf, size, "%s%s", comma, c->path);
		comma = ", ";
	}
	if (c->path2[0])
		add(buf, size, "%s%s", comma, c->path2);
	if (has_mode(c->kind))
		add(buf, size, ", 0%o", c->mode);
	if (c->kind == CALL_chown || c->kind == CALL_fchown)
		add(buf, size, ", %d:%d", c->uid, c->gid);
	if (c->flags)
		add(buf, size, ", flags 0x%x", c->flags);
	add(buf, size, ")");
}
