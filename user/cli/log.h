/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of a server; see log.c. */
#ifndef FUSEPASS_LOG_H
#define FUSEPASS_LOG_H

enum log_target {
	LOG_TO_NONE,	/* nowhere; log_last() tells the last line */
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
};

/* Takes libfuse's messages from now on. */
void log_start(void);
void log_to(enum log_target target);
/* The last complaint, "" if there was none. */
const char *log_last(void);
/* One line of our own, without newline. */
void log_note(const char *text);

#endif
