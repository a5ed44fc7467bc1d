// SPDX-License-Identifier: LGPL-2.1-or-later
/* Helpers of util.h: small files, numbers, names of numbers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "util.h"

int util_file_load(const char *path, char **data, size_t *length)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, size = 0;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		if (size - len < 2) {
			char *grown = realloc(buf, size += size + 4096);

			if (!grown)
				return -ENOMEM;
			buf = grown;
		}
		got = read(fd, buf + len, size - len - 1);
		if (got < 0)
			return -errno;
		len += got;
	} while (got > 0);
	buf[len] = '\0';
	*length = len;
	*data = util_take_ptr(buf);
	return 0;
}

int util_file_read(const char *path, char **text)
{
	size_t len;

	return util_file_load(path, text, &len);
}

int util_dir_lock(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX))
		return -errno;
	return util_take_fd(&fd);
}

int util_parse_u64(const char *text, uint64_t *value)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno)
		return -errno;
	*value = v;
	return 0;
}

int util_parse_s64(const char *text, int64_t *value)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	long long v;
	char *end;

	if (*digits < '0' || *digits > '9')
		return -EINVAL;
	errno = 0;
	v = strtoll(text, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno)
		return -errno;
	*value = v;
	return 0;
}

const char *util_errno_name(int err)
{
	return strerrorname_np(err);
}

const char *util_opcode_name(unsigned int opcode)
{
	static const char *const names[] = {
		[1] = "LOOKUP", [2] = "FORGET", [3] = "GETATTR",
		[4] = "SETATTR", [5] = "READLINK", [6] = "SYMLINK",
		[8] = "MKNOD", [9] = "MKDIR", [10] = "UNLINK",
		[11] = "RMDIR", [12] = "RENAME", [13] = "LINK",
		[14] = "OPEN", [15] = "READ", [16] = "WRITE",
		[17] = "STATFS", [18] = "RELEASE", [20] = "FSYNC",
		[21] = "SETXATTR", [22] = "GETXATTR", [23] = "LISTXATTR",
		[24] = "REMOVEXATTR", [25] = "FLUSH", [26] = "INIT",
		[27] = "OPENDIR", [28] = "READDIR", [29] = "RELEASEDIR",
		[30] = "FSYNCDIR", [31] = "GETLK", [32] = "SETLK",
		[33] = "SETLKW", [34] = "ACCESS", [35] = "CREATE",
		[36] = "INTERRUPT", [37] = "BMAP", [38] = "DESTROY",
		[39] = "IOCTL", [40] = "POLL", [41] = "NOTIFY_REPLY",
		[42] = "BATCH_FORGET", [43] = "FALLOCATE",
		[44] = "READDIRPLUS", [45] = "RENAME2", [46] = "LSEEK",
		[47] = "COPY_FILE_RANGE", [48] = "SETUPMAPPING",
		[49] = "REMOVEMAPPING", [50] = "SYNCFS", [51] = "TMPFILE",
		[52] = "STATX", [53] = "COPY_FILE_RANGE_64",
	};

	return opcode < ARRAY_SIZE(names) ? names[opcode] : NULL;
}
