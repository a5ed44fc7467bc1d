// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations on open files. An empty slot gives EBADF, on both sides alike. */
#include "soak.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Helpers ------------------------------------------------------------------ */

void put(struct doing *d, const char *label, int64_t v)
{
	struct result *r = d->res;

	if (r->values < VALUES)
		r->value[r->values++] = (struct value){ label, v };
}

int64_t put_call(struct doing *d, int64_t ret)
{
	put(d, "result", ret < 0 ? -errno : ret);
	return ret;
}

int64_t put_ok(struct doing *d, int64_t ret)
{
	put(d, "result", ret < 0 ? -errno : 0);
	return ret;
}

struct slot *slot_of(struct doing *d, int64_t slot)
{
	return &d->side->slot[slot];
}

int fd_of(struct doing *d, int64_t slot)
{
	return d->side->slot[slot].fd;
}

static void slot_unmap(struct slot *s)
{
	if (s->map)
		munmap(s->map, s->map_len);
	s->map = NULL;
}

void slot_clear(struct slot *s)
{
	slot_unmap(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->given = false;
}

static size_t small_len(const struct op *op)
{
	return op->len < 0 ? 0 : op->len < BUF_SIZE ? op->len : BUF_SIZE;
}

static void put_position(struct doing *d, int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	put(d, "position", at < 0 ? -errno : at);
}

/* No file that is tested has offsets like this. */
static const int64_t FAR = 1LL << 43;

/* Open, close -------------------------------------------------------------- */

/*
 * O_NONBLOCK: neither a fifo nor a lease may stop the run. What fcntl() says of
 * the flags is theirs who opened it.
 */
void do_open(struct doing *d)
{
	const struct op *op = d->op;
	struct slot *s = slot_of(d, op->slot);

	slot_clear(s);
	s->fd = open(op->path, op->flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		     (mode_t)op->mode);
	put_ok(d, s->fd);
	if (s->fd >= 0)
		put(d, "F_GETFL", fcntl(s->fd, F_GETFL));
}

/*
 * A mapping keeps the file and so its locks, but that of a mount is one of the
 * backing file, as with overlayfs, and lets the file go.
 */
static void drop_locks(int fd)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	flock(fd, LOCK_UN);
	fcntl(fd, F_OFD_SETLK, &all);
}

void do_close(struct doing *d)
{
	struct slot *s = slot_of(d, d->op->slot);
	int fd = s->fd;

	if (s->map && !d->op->how)
		drop_locks(fd);
	s->fd = -1;
	put_ok(d, close(fd));
	/* Others could lock a file that they share with the mapping. */
	if (d->op->how || s->given)
		slot_unmap(s);
	s->given = false;
}

void do_setfl(struct doing *d)
{
	int fd = fd_of(d, d->op->slot);

	put_ok(d, fcntl(fd, F_SETFL, (int)d->op->flags | O_NONBLOCK));
	put(d, "F_GETFL", fcntl(fd, F_GETFL));
	/* The backing file has them from the next use on, and then checks them. */
	put_position(d, fd);
}

/* Data --------------------------------------------------------------------- */

/* Three pieces, the first one odd. */
static int pieces(char *buf, size_t len, struct iovec iov[3])
{
	size_t first = len > 7 ? 7 : len, second = (len - first) / 2;

	iov[0] = (struct iovec){ buf, first };
	iov[1] = (struct iovec){ buf + first, second };
	iov[2] = (struct iovec){ buf + first + second, len - first - second };
	return 3;
}

/*
 * Reading and writing a FIFO changes its times natively. On a mount these are the
 * backing inode's, which no data goes through; overlayfs is the same.
 */
static bool is_fifo(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

static bool is_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT;
}

void do_read(struct doing *d)
{
	const struct op *op = d->op;
	int fd = fd_of(d, op->slot);
	size_t len = small_len(op);
	char *buf = buf_get();
	struct iovec iov[3];
	ssize_t n;

	if (is_fifo(fd))
		return;
	memset(buf, 0x55, len);
	if (op->how == 0)
		n = read(fd, buf, len);
	else if (op->how == 1)
		n = pread(fd, buf, len, op->off);
	else if (op->how == 2)
		n = readv(fd, iov, pieces(buf, len, iov));
	else
		n = preadv(fd, iov, pieces(buf, len, iov), op->off);
	put_call(d, n);
	/* A direct one that is not aligned has read the extents before the last. */
	if (n >= 0 || !is_direct(fd))
		put(d, "data", hash(buf, len, 0));
	put_position(d, fd);
}

/*
 * How much of a direct write that is not aligned is done before it fails, depends on
 * where the blocks of the file are, and whether suid is cleared, on the file system.
 */
static bool is_unaligned(int fd, const struct op *op, size_t len)
{
	off_t at = op->how ? op->off : lseek(fd, 0, SEEK_CUR);

	return op->how > 1 || (at | len) % PAGE;
}

/*
 * Nothing is written with a length of 0: some file systems still refuse that for an
 * immutable file, while a mount, as with overlayfs, does not ask them.
 */
void do_write(struct doing *d)
{
	const struct op *op = d->op;
	int fd = fd_of(d, op->slot);
	size_t len = small_len(op);
	char *buf = buf_filled(len, op->val);
	struct iovec iov[3];
	ssize_t n;

	if (!len || is_fifo(fd) || (is_direct(fd) && is_unaligned(fd, op, len)))
		return;
	if (op->how == 0)
		n = write(fd, buf, len);
	else if (op->how == 1)
		n = pwrite(fd, buf, len, op->off);
	else if (op->how == 2)
		n = writev(fd, iov, pieces(buf, len, iov));
	else
		n = pwritev2(fd, iov, pieces(buf, len, iov), op->off,
			     op->how == 3 ? 0 : op->how == 4 ? RWF_DSYNC :
			     RWF_APPEND);
	put_call(d, n);
	put_position(d, fd);
}

/* Mappings ------------------------------------------------------------------ */

static sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	siglongjmp(bus_error, 1);
}

/* Touches a page; false if there is nothing behind it. */
static bool page_access(char *to, const char *from, size_t len)
{
	if (sigsetjmp(bus_error, 1))
		return false;
	memcpy(to, from, len);
	return true;
}

void do_map(struct doing *d)
{
	const struct op *op = d->op;
	struct slot *s = slot_of(d, op->slot);
	char *map;

	signal(SIGBUS, on_bus_error);
	slot_unmap(s);
	map = mmap(NULL, op->len, op->flags, op->how ? MAP_PRIVATE : MAP_SHARED,
		   s->fd, op->off);
	put_ok(d, map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	s->map = map;
	s->map_len = op->len;
}

void do_map_read(struct doing *d)
{
	struct slot *s = slot_of(d, d->op->slot);
	uint64_t sum = 0, missing = 0;
	char page[PAGE];

	if (!s->map)
		return put(d, "result", -EBADF);
	for (size_t at = 0; at < s->map_len; at += PAGE) {
		missing <<= 1;
		if (page_access(page, s->map + at, PAGE))
			sum = hash(page, PAGE, sum);
		else
			missing |= 1;
	}
	put(d, "result", 0);
	put(d, "pages missing", missing);
	put(d, "data", sum);
}

/*
 * The pages are taken out first: a page that is still writable changes no time,
 * and whether it is depends on when the system has written it back.
 */
void do_map_write(struct doing *d)
{
	const struct op *op = d->op;
	struct slot *s = slot_of(d, op->slot);
	size_t at = op->off, len = op->len;
	char *buf;

	if (!s->map || at + len > s->map_len || len > PAGE)
		return put(d, "result", -EBADF);
	if (op->how == 0)
		madvise(s->map, s->map_len, MADV_DONTNEED);
	buf = buf_filled(len, op->val);
	/* A mapping without PROT_WRITE: the fault is the result. */
	signal(SIGSEGV, on_bus_error);
	put(d, "result", page_access(s->map + at, buf, len) ? 0 : -EFAULT);
	signal(SIGSEGV, SIG_DFL);
}

void do_map_sync(struct doing *d)
{
	struct slot *s = slot_of(d, d->op->slot);

	if (!s->map)
		return put(d, "result", -EBADF);
	put_ok(d, msync(s->map, s->map_len, d->op->how ? MS_ASYNC : MS_SYNC));
}

void do_unmap(struct doing *d)
{
	slot_unmap(slot_of(d, d->op->slot));
	put(d, "result", 0);
}

/* From file to file --------------------------------------------------------- */

static off_t *offset_or_null(off_t *value, int64_t off)
{
	*value = off;
	return off < 0 ? NULL : value;
}

/* Overlapping ranges are copied in another order through the page cache of a server. */
static bool is_served_overlap(int in, int out)
{
	struct stat a, b;

	return exactness.served && !fstat(in, &a) && !fstat(out, &b) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Is what is written to it through a pipe the same on every file system? */
static bool takes_pipe(int in, int out)
{
	return !is_fifo(out) && !is_direct(out) && !is_served_overlap(in, out);
}

/* Through a pipe, which is made for it so that nothing is left in it. */
void do_splice(struct doing *d)
{
	const struct op *op = d->op;
	off_t off, off2;
	ssize_t n;
	int in = fd_of(d, op->slot), out = fd_of(d, op->slot2), p[2];

	if (is_fifo(in) || !takes_pipe(in, out))
		return;
	if (pipe2(p, O_NONBLOCK | O_CLOEXEC))
		die("pipe: %s", strerrorname_np(errno));
	n = splice(in, offset_or_null(&off, op->off), p[1],
		   NULL, small_len(op), SPLICE_F_NONBLOCK);
	put_call(d, n);
	if (n > 0 && op->how == 0) {
		put_call(d, splice(p[0], NULL, out,
				   offset_or_null(&off2, op->off2), n,
				   SPLICE_F_NONBLOCK));
		put_position(d, out);
	} else if (n > 0) {
		n = read(p[0], buf_get(), BUF_SIZE);
		put(d, "data", n < 0 ? -errno : (int64_t)hash(buf_get(), n, 0));
	}
	put_position(d, in);
	close(p[0]);
	close(p[1]);
}

static bool is_no_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !S_ISREG(st.st_mode);
}

void do_sendfile(struct doing *d)
{
	const struct op *op = d->op;
	int in = fd_of(d, op->slot), out = fd_of(d, op->slot2);
	off_t off;

	/*
	 * The VFS takes it for an access without one, which no mount is told of. It
	 * also compares with the largest size of a file, which a mount does not know.
	 */
	if (!small_len(op) || op->off > FAR || is_no_file(in) || !takes_pipe(in, out))
		return;
	put_call(d, sendfile(out, in, offset_or_null(&off, op->off), small_len(op)));
	put_position(d, in);
	put_position(d, out);
}

void do_copy(struct doing *d)
{
	const struct op *op = d->op;
	off_t off, off2;

	if (is_direct(fd_of(d, op->slot2)))
		return;
	put_call(d, copy_file_range(fd_of(d, op->slot),
				    offset_or_null(&off, op->off),
				    fd_of(d, op->slot2),
				    offset_or_null(&off2, op->off2),
				    small_len(op), 0));
	put_position(d, fd_of(d, op->slot));
	put_position(d, fd_of(d, op->slot2));
}

void do_clone(struct doing *d)
{
	const struct op *op = d->op;
	struct file_clone_range range = {
		.src_fd = fd_of(d, op->slot), .src_offset = op->off,
		.src_length = op->len, .dest_offset = op->off2,
	};
	int fd = fd_of(d, op->slot2);

	if (op->how)
		put_ok(d, ioctl(fd, FICLONE, range.src_fd));
	else
		put_ok(d, ioctl(fd, FICLONERANGE, &range));
}

void do_dedupe(struct doing *d)
{
	const struct op *op = d->op;
	char room[sizeof(struct file_dedupe_range) +
		  sizeof(struct file_dedupe_range_info)] = "";
	struct file_dedupe_range *range = (void *)room;

	range->src_offset = op->off;
	range->src_length = op->len;
	range->dest_count = 1;
	range->info[0].dest_fd = fd_of(d, op->slot2);
	range->info[0].dest_offset = op->off2;
	put_ok(d, ioctl(fd_of(d, op->slot), FIDEDUPERANGE, range));
	put(d, "status", range->info[0].status);
	put(d, "bytes", range->info[0].bytes_deduped);
}

/* The rest ------------------------------------------------------------------- */

void do_sync(struct doing *d)
{
	const struct op *op = d->op;
	int fd = fd_of(d, op->slot);

	if (op->how == 0)
		put_ok(d, fsync(fd));
	else if (op->how == 1)
		put_ok(d, fdatasync(fd));
	else
		put_ok(d, sync_file_range(fd, op->off, op->len,
					  SYNC_FILE_RANGE_WAIT_BEFORE |
					  SYNC_FILE_RANGE_WRITE |
					  SYNC_FILE_RANGE_WAIT_AFTER));
}

void do_advise(struct doing *d)
{
	const struct op *op = d->op;
	int fd = fd_of(d, op->slot);

	if (op->how > 5)
		put_ok(d, readahead(fd, op->off, op->len));
	else
		put(d, "result", -posix_fadvise(fd, op->off, op->len, op->how));
}

void do_fallocate(struct doing *d)
{
	const struct op *op = d->op;

	put_ok(d, fallocate(fd_of(d, op->slot), op->flags, op->off, op->len));
}

static bool is_dir(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/* How a directory counts its entries is not told through the FUSE protocol. */
void do_seek(struct doing *d)
{
	int fd = fd_of(d, d->op->slot);

	/* A mount does not know the largest size of the files beneath. */
	if (exactness.served && d->op->off > FAR)
		return;
	/* The end of a directory is for xfs where it was when that was read. */
	if ((exactness.served || d->op->how >= SEEK_END) && is_dir(fd))
		put(d, "result", 0);
	/* Pages read ahead from blocks that are allocated, but not written, count as data. */
	else if (exactness.served && (d->op->how == SEEK_DATA || d->op->how == SEEK_HOLE))
		put(d, "result", 0);
	else
		put_call(d, lseek(fd, d->op->off, d->op->how));
}

void do_ftruncate(struct doing *d)
{
	put_ok(d, ftruncate(fd_of(d, d->op->slot), d->op->off));
}
