/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup attributes and small helpers, used by library, CLI and server.
 *
 * Functions return 0 or a positive result, or -errno; none of them prints.
 */
#ifndef FUSEPASS_UTIL_H
#define FUSEPASS_UTIL_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Not exported by libfusepass.so. */
#pragma GCC visibility push(hidden)

static inline void util_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void util_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void util_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void util_cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_fd_	__attribute__((cleanup(util_cleanup_fd)))
#define _cleanup_free_	__attribute__((cleanup(util_cleanup_free)))
#define _cleanup_file_	__attribute__((cleanup(util_cleanup_file)))
#define _cleanup_dir_	__attribute__((cleanup(util_cleanup_dir)))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Hands an fd over to the caller, so that its cleanup does not close it. */
static inline int util_take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

/* Likewise for memory. */
#define util_take_ptr(p) ({ __typeof__(p) _taken = (p); (p) = NULL; _taken; })

/*
 * Reads a small file (procfs, sysfs) to its end, NUL terminated.
 * Returns -ENOMEM or what open(2) and read(2) gave.
 */
int util_file_load(const char *path, char **data, size_t *size);
int util_file_read(const char *path, char **text);

/*
 * A descriptor of the directory, with which others who lock it are kept out until it is
 * closed, or -errno.
 */
int util_dir_lock(const char *path);

/* strtoull for a whole string: -EINVAL for anything else, -ERANGE. */
int util_parse_u64(const char *text, uint64_t *value);
int util_parse_s64(const char *text, int64_t *value);

/* "EBUSY" for EBUSY; NULL if the C library has no name for it. */
const char *util_errno_name(int err);

/* Name of a FUSE opcode without FUSE_, or NULL. */
const char *util_opcode_name(unsigned int opcode);

#pragma GCC visibility pop

#endif
