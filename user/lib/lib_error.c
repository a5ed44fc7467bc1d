// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The text of the last failure.
 *
 * libbpf prints; here its warnings are kept instead, per thread, so that one
 * line of them can be shown with the error. Of a log of the verifier that line is made
 * of the program, the source line and the reason, and the log is kept too.
 */
#include <stdarg.h>
#include <string.h>

#include "lib.h"

static __thread char error_text[1024];
static __thread char bpf_text[512];
static __thread char *bpf_log;

void lib_error_clear(void)
{
	error_text[0] = bpf_text[0] = '\0';
	free(util_take_ptr(bpf_log));
}

char *lib_error_take_log(void)
{
	return util_take_ptr(bpf_log);
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

/* Instructions, states of registers, how the verifier got there, and what it suggests. */
static bool is_trace(const char *line)
{
	static const char *const begins[] = {
		" ", "At:", "Suggestion:", ";", "from ", "old state", "cur state", "mark_", "func#", "Func#",
		"Validating ", "Live regs", "arg#", "caller", "callee", "returning ",
		"last_idx", "regs=", "parent ", "propagat", "safe", "to caller",
		"frame", "fp-", "--", "update_", "stack=", "processed ", "verification time",
	};
	size_t i, digits = strspn(line, "0123456789");

	if (!*line || *line == '\n' || (digits && line[digits] == ':'))
		return true;
	if (*line == 'R' && line[1 + strspn(line + 1, "0123456789_w")] == '=')
		return true;
	for (i = 0; i < ARRAY_SIZE(begins); i++)
		if (!strncmp(line, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/* Newer verifiers have a section for it, of wrapped lines; else the last line that is one. */
static void find_reason(const char *text, char *reason, size_t size)
{
	const char *at = strstr(text, "\nReason:\n"), *line, *found = "";
	size_t len = 0;

	for (line = strchr(text, '\n'); !at && line && line[1]; line = strchr(line + 1, '\n'))
		if (!is_trace(line + 1))
			found = line + 1;
	if (!at) {
		snprintf(reason, size, "%.*s", (int)strcspn(found, "\n"), found);
		return;
	}
	for (at += strlen("\nReason:\n"); *at == ' ' && len < size; at += *at == '\n') {
		at += strspn(at, " ");
		len += snprintf(reason + len, size - len, "%s%.*s", len ? " " : "",
				(int)strcspn(at, "\n"), at);
		at += strcspn(at, "\n");
	}
}

/* "program x, at SOURCE: REASON"; the last source line of the log. */
static void keep_log(const char *text)
{
	const char *name = strchr(text, '\''), *line = strchr(text, '\n');
	const char *source = NULL;
	int name_len = name ? strcspn(name + 1, "'") : 0;
	char reason[256] = "";

	for (; line && line[1]; line = strchr(line + 1, '\n'))
		if (!strncmp(line + 1, "; ", 2))
			source = line + 3;
	find_reason(text, reason, sizeof(reason));
	snprintf(bpf_text, sizeof(bpf_text), "program %.*s%s%.*s: %s",
		 name_len, name ? name + 1 : "", source ? ", at " : "",
		 source ? (int)strcspn(source, "\n") : 0, source ?: "", reason);
}

static int keep_message(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (level != LIBBPF_WARN || vasprintf(&text, fmt, ap) < 0)
		return 0;
	if (strstr(text, "BEGIN PROG LOAD LOG")) {
		keep_log(text);
		free(bpf_log);
		bpf_log = util_take_ptr(text);
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
