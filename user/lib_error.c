// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The text of the last failure.
 *
 * libbpf prints; here its warnings are kept instead, per thread, so that one
 * line of them can be shown with the error. Of a verifier log the line that
 * says why is the last one before the statistics.
 */
#include <stdarg.h>
#include <string.h>

#include "lib.h"

static __thread char error_text[512];
static __thread char bpf_text[512];

void lib_error_clear(void)
{
	error_text[0] = bpf_text[0] = '\0';
}

void lib_error_set(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error_text, sizeof(error_text), fmt, ap);
	va_end(ap);
}

const char *fusepass_error(void)
{
	return error_text;
}

void lib_error_from_bpf(const char *what)
{
	if (error_text[0])
		return;
	if (bpf_text[0])
		lib_error_set("%s: %s", what, bpf_text);
	else
		lib_error_set("%s", what);
}

static void keep_line(const char *line, size_t len)
{
	if (len >= sizeof(bpf_text))
		len = sizeof(bpf_text) - 1;
	memcpy(bpf_text, line, len);
	bpf_text[len] = '\0';
}

/* The last line of @text before "processed N insns", if it is a log. */
static void keep_verdict(const char *text)
{
	const char *end = strstr(text, "\nprocessed ");
	const char *start = end;

	if (!end)
		return;
	while (start > text && start[-1] != '\n')
		start--;
	keep_line(start, end - start);
}

static int keep_message(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (level != LIBBPF_WARN || vasprintf(&text, fmt, ap) < 0)
		return 0;
	if (strstr(text, "BEGIN PROG LOAD LOG")) {
		keep_verdict(text);
		return 0;
	}
	/* The first warning names the cause, later ones what follows. */
	line = strncmp(text, "libbpf: ", 8) ? text : text + 8;
	if (!bpf_text[0])
		keep_line(line, strcspn(line, "\n"));
	return 0;
}

void lib_bpf_quiet(void)
{
	libbpf_set_print(keep_message);
}
