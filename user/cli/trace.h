/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of FUSE's trace points, for cmd_trace.c and cmd_top.c.
 *
 * Functions return -errno on failure, and fusepass_error() tells more.
 */
#ifndef FUSEPASS_TRACE_H
#define FUSEPASS_TRACE_H

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "trace_event.h"

struct trace;

/* @path begins with a slash, the root of the mount; NULL: not known. */
typedef void (*trace_fn)(const struct trace_event *e, const char *path, void *arg);

/* @connection: of one mount, or 0; @requests: only what the server is asked. */
int trace_start(uint32_t connection, bool requests, trace_fn fn, void *arg,
		struct trace **trace);
/* Calls the function for what happened. Returns -EINTR after a signal. */
int trace_poll(struct trace *t, int milliseconds);
/* Calls it for what has happened already. */
int trace_take(struct trace *t);
/* What the kernel has of the inode that is open here, which is on a FUSE mount. */
int trace_inode(struct trace *t, int fd, struct trace_state *state);
/* The path that strings are the parts of, the last name first. */
void trace_path(const char *parts, uint32_t nr, char path[PATH_MAX]);
/* Events that were too many. */
uint64_t trace_lost(const struct trace *t);
void trace_stop(struct trace *t);

#endif
