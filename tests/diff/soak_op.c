// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations as text, one a line: the kind, then KEY=VALUE for what is not 0,
 * then perhaps a comment. Paths have %XX for what is no plain character.
 */
#include "soak.h"

#include <ctype.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

const char *const op_names[] = {
#define NAME(name, weight) #name,
	SOAK_OPS(NAME)
#undef NAME
};

static const struct {
	const char *key;
	size_t off;
	bool hex;
} numbers[] = {
#define N(member, hex) { #member, offsetof(struct op, member), hex }
	N(actor, false), N(slot, false), N(slot2, false), N(dir, false),
	N(how, false), N(flags, true), N(mode, true), N(off, false),
	N(off2, false), N(len, false), N(val, false), N(left_out, false),
	N(shared, false),
#undef N
};

static const struct {
	const char *key;
	size_t off, size;
} strings[] = {
#define S(member) \
	{ #member, offsetof(struct op, member), sizeof(((struct op *)0)->member) }
	S(path), S(path2), S(name),
#undef S
};

struct flag_name {
	int64_t value;
	const char *name;
};

static const struct flag_name open_flags[] = {
#define F(x) { x, #x }
	F(O_TMPFILE), F(O_WRONLY), F(O_RDWR), F(O_CREAT), F(O_EXCL), F(O_TRUNC),
	F(O_APPEND), F(O_DIRECT), F(O_DIRECTORY), F(O_NOFOLLOW), F(O_PATH),
	F(O_SYNC), F(O_DSYNC), F(O_NOATIME), { 0, NULL },
}, rename_flags[] = {
	F(RENAME_NOREPLACE), F(RENAME_EXCHANGE), F(RENAME_WHITEOUT),
	{ 0, NULL },
}, fallocate_flags[] = {
	F(FALLOC_FL_KEEP_SIZE), F(FALLOC_FL_PUNCH_HOLE),
	F(FALLOC_FL_ZERO_RANGE), F(FALLOC_FL_COLLAPSE_RANGE),
	F(FALLOC_FL_INSERT_RANGE), { 0, NULL },
}, file_flags[] = {
	F(FS_APPEND_FL), F(FS_IMMUTABLE_FL), F(FS_NODUMP_FL), F(FS_NOATIME_FL),
	F(FS_SYNC_FL), { 0, NULL },
#undef F
};

static const struct flag_name *flag_names(int64_t kind)
{
	switch (kind) {
	case OP_open:
	case OP_setfl:
		return open_flags;
	case OP_rename:
		return rename_flags;
	case OP_fallocate:
		return fallocate_flags;
	case OP_set_flags:
		return file_flags;
	default:
		return NULL;
	}
}

bool op_uses_path(const struct op *op)
{
	return op->path[0];
}

/* Most of it is empty paths: this is called for each operation. */
void op_copy(struct op *to, const struct op *from)
{
	memcpy(to, from, offsetof(struct op, path));
	strcpy(to->path, from->path);
	strcpy(to->path2, from->path2);
	strcpy(to->name, from->name);
}

static size_t print_string(const char *s, char *buf, size_t room)
{
	size_t n = 0;

	for (; *s && n + 4 < room; s++) {
		unsigned char c = *s;

		if (isalnum(c) || (c && strchr("/._-:", c)))
			buf[n++] = c;
		else
			n += sprintf(buf + n, "%%%02x", c);
	}
	buf[n] = '\0';
	return n;
}

static size_t print_flags(const struct op *op, char *buf, size_t room)
{
	const struct flag_name *f = flag_names(op->kind);
	int64_t left = op->flags;
	size_t n = 0;

	for (; f && f->name && left; f++)
		if (f->value && (left & f->value) == f->value &&
		    n + strlen(f->name) + 4 < room) {
			n += sprintf(buf + n, "%s%s", n ? "|" : " # ", f->name);
			left &= ~f->value;
		}
	return n;
}

size_t op_print(const struct op *op, char *buf, size_t size)
{
	size_t n = snprintf(buf, size, "%s", op_names[op->kind]);

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t v = *(int64_t *)((char *)op + numbers[i].off);

		if (v && n + 40 < size)
			n += sprintf(buf + n, numbers[i].hex ? " %s=0x%llx" :
				     " %s=%lld", numbers[i].key, (long long)v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		const char *s = (char *)op + strings[i].off;

		if (*s && n + 12 < size) {
			n += sprintf(buf + n, " %s=", strings[i].key);
			n += print_string(s, buf + n, size - n);
		}
	}
	return n + print_flags(op, buf + n, size - n);
}

static void parse_string(const char *s, size_t len, char *to, size_t room)
{
	char digits[3] = "";

	while (len && room > 1) {
		if (*s == '%' && len >= 3) {
			memcpy(digits, s + 1, 2);
			*to++ = strtol(digits, NULL, 16);
			s += 3;
			len -= 3;
		} else {
			*to++ = *s++;
			len--;
		}
		room--;
	}
	*to = '\0';
}

/* @key is "KEY=VALUE", len long. */
static bool parse_member(struct op *op, const char *key, size_t len)
{
	const char *eq = memchr(key, '=', len);
	size_t n = eq ? (size_t)(eq - key) : 0;

	for (size_t i = 0; eq && i < ARRAY_SIZE(numbers); i++)
		if (strlen(numbers[i].key) == n &&
		    !memcmp(key, numbers[i].key, n)) {
			*(int64_t *)((char *)op + numbers[i].off) =
				strtoll(eq + 1, NULL, 0);
			return true;
		}
	for (size_t i = 0; eq && i < ARRAY_SIZE(strings); i++)
		if (strlen(strings[i].key) == n &&
		    !memcmp(key, strings[i].key, n)) {
			parse_string(eq + 1, len - n - 1,
				     (char *)op + strings[i].off,
				     strings[i].size);
			return true;
		}
	return false;
}

static bool parse_kind(struct op *op, const char *word, size_t len)
{
	for (int k = 0; k < OP_KINDS; k++)
		if (strlen(op_names[k]) == len && !memcmp(op_names[k], word, len)) {
			op->kind = k;
			return true;
		}
	return false;
}

static bool numbers_are_sane(const struct op *op)
{
	return op->actor >= 0 && op->actor < ACTORS && op->slot >= 0 &&
	       op->slot < SLOTS && op->slot2 >= 0 && op->slot2 < SLOTS &&
	       op->dir >= 0 && op->dir <= SLOTS && op->len <= FILE_MAX &&
	       (op->kind != OP_give || (op->how >= 0 && op->how < ACTORS));
}

bool op_parse(struct op *op, const char *line)
{
	size_t len = strcspn(line, " \n");

	memset(op, 0, sizeof(*op));
	if (!parse_kind(op, line, len))
		return false;
	for (line += len; *line == ' '; line += len) {
		line += strspn(line, " ");
		len = strcspn(line, " \n");
		if (*line == '#' || !len)
			break;
		if (!parse_member(op, line, len))
			return false;
	}
	return numbers_are_sane(op);
}

/* Sequences ---------------------------------------------------------------- */

static void *grow(void *p, size_t need, size_t *room, size_t size)
{
	if (need <= *room)
		return p;
	*room = need * 2;
	p = realloc(p, *room * size);
	if (!p)
		die("out of memory");
	return p;
}

static void add_line(struct sequence *seq, const char *line, size_t len)
{
	seq->text = grow(seq->text, seq->len + len + 1, &seq->room, 1);
	seq->line = grow(seq->line, seq->n + 1, &seq->lines_room,
			 sizeof(*seq->line));
	seq->line[seq->n++] = seq->len;
	memcpy(seq->text + seq->len, line, len);
	seq->len += len;
	seq->text[seq->len++] = '\n';
}

void sequence_add(struct sequence *seq, const struct op *op)
{
	char line[3 * sizeof(struct op)];

	add_line(seq, line, op_print(op, line, sizeof(line)));
}

void sequence_get(const struct sequence *seq, size_t i, struct op *op)
{
	if (!op_parse(op, seq->text + seq->line[i]))
		die("operation %zu cannot be read", i + 1);
}

void sequence_free(struct sequence *seq)
{
	free(seq->text);
	free(seq->line);
	memset(seq, 0, sizeof(*seq));
}

bool sequence_save(const struct sequence *seq, const char *path)
{
	FILE *f = fopen(path, "w");
	bool good = f && fwrite(seq->text, 1, seq->len, f) == seq->len;

	return f && fclose(f) == 0 && good;
}

bool sequence_load(struct sequence *seq, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	struct op op;
	ssize_t n;

	while (f && (n = getline(&line, &room, f)) > 0) {
		line[n - (line[n - 1] == '\n')] = '\0';
		if (line[0] == '#' || !line[0])
			continue;
		if (!op_parse(&op, line))
			die("%s: not an operation: %s", path, line);
		add_line(seq, line, strlen(line));
	}
	free(line);
	return f && !fclose(f);
}
