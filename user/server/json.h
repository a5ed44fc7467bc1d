/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes one JSON document, members in the order of the calls.
 *
 * @key is NULL for elements of arrays and for the outermost value. Text that
 * is not UTF-8 (file names may be anything) is shown byte by byte as U+FFFD.
 */
#ifndef FUSEPASS_JSON_H
#define FUSEPASS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool first;		/* nothing yet in the innermost value */
	bool pretty;		/* one member a line, indented */
};

void json_init(struct json *j, FILE *out, bool pretty);
void json_object_begin(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array_begin(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_string(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* @value is JSON already. */
void json_raw(struct json *j, const char *key, const char *value);
void json_finish(struct json *j);

#endif
