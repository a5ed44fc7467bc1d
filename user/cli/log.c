// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libfuse has to say: kept as the cause of a failure while the mount is made, and
 * then written to stderr or to syslog(3). libfuse gives lines piece by piece.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define FUSE_USE_VERSION 314
#include <fuse_log.h>

#include "log.h"
#include "util.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char line[512];		/* not at its end yet */
static char last[512];		/* the last one that was whole */
static enum log_target target = LOG_TO_NONE;

static int priority(enum fuse_log_level level)
{
	return level <= FUSE_LOG_DEBUG ? (int)level : LOG_DEBUG;
}

static void line_end(enum fuse_log_level level)
{
	const char *text = strncmp(line, "fuse: ", 6) ? line : line + 6;

	if (level <= FUSE_LOG_WARNING)
		snprintf(last, sizeof(last), "%s", text);
	if (target == LOG_TO_STDERR)
		fprintf(stderr, "fusepass: %s\n", text);
	else if (target == LOG_TO_SYSLOG)
		syslog(priority(level), "%s", text);
	line[0] = '\0';
}

static void take(enum fuse_log_level level, const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	const char *at, *end;
	size_t len;

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return;
	}
	pthread_mutex_lock(&lock);
	for (at = text; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		len = strlen(line);
		snprintf(line + len, sizeof(line) - len, "%.*s", (int)(end - at), at);
		if (*end)
			line_end(level);
	}
	pthread_mutex_unlock(&lock);
}

void log_start(void)
{
	fuse_set_log_func(take);
}

void log_to(enum log_target to)
{
	if (to == LOG_TO_SYSLOG)
		openlog("fusepass", LOG_PID, LOG_DAEMON);
	target = to;
}

const char *log_last(void)
{
	if (line[0])
		line_end(FUSE_LOG_ERR);
	return last;
}

void log_note(const char *text)
{
	if (target == LOG_TO_SYSLOG)
		syslog(LOG_NOTICE, "%s", text);
	else
		fprintf(stderr, "fusepass: %s\n", text);
}
