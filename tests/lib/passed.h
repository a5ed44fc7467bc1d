/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts made with the shipped server and the policy mirror, and what that
 * server is asked. Whether an operation passed is seen by its counts: they are
 * the server's own, and not what the kernel says about itself.
 */
#ifndef FUSEPASS_PASSED_H
#define FUSEPASS_PASSED_H

/* Exit status of a shell command. */
int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Fails the case if it is not 0. */
void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* First line that a command prints, without its end, in a static buffer. */
const char *line_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* fusepass mount --policy mirror OPTIONS SOURCE MNT; makes MNT. */
void mount_passed(const char *source, const char *mnt, const char *options);

/* A native directory n, and a backing directory b with its mount m. */
void mount_both(void);

/* Requests since the last reset, but for those that nobody waits for. */
long asked(const char *mnt);
void asked_reset(const char *mnt);
/* Fails the case, and tells which, if there were any. */
void expect_silence_of(const char *mnt);

/* A file system on a loop device of its own, made with mkfs.TYPE and mounted on a new
 * directory. Skips the case if that is not to be had here. */
void make_disk(const char *type, const char *mkfs_options, unsigned int mbytes,
	       const char *at, const char *options);

#endif
