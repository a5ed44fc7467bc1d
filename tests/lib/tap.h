/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP for test programs in C; scripts have tap.sh.
 *
 * Each line is one write(2), so that lines of several processes do not mix. Whoever prints
 * with stdio as well flushes before.
 */
#ifndef FUSEPASS_TAP_H
#define FUSEPASS_TAP_H

#include <stdarg.h>
#include <stdbool.h>

/* The next test, with a comment unless @comment is NULL. */
void tap(bool good, const char *name, const char *comment, ...)
	__attribute__((format(printf, 3, 4)));
void tap_skip(const char *name, const char *reason);
/* Tests so far. */
int tap_count(void);
/* Prints the plan; the exit status of the program. */
int tap_done(void);

/* A line that begins with @head: "# ", "Bail out! ". */
void tap_line(const char *head, const char *fmt, va_list ap);

#endif
