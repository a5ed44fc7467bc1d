// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words in rules that stand for a value. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "fusepass_abi.h"
#include "ruleset.h"
#include "util.h"

#define OP(name)	FUSE_PASSTHROUGH_OP_##name

/* What changes something; all else is `read`, as with the policy readonly. */
#define WRITES	(OP(SETATTR) | OP(WRITE) | OP(MKNOD) | OP(MKDIR) | OP(SYMLINK) | \
		 OP(LINK) | OP(CREATE) | OP(TMPFILE) | OP(UNLINK) | OP(RMDIR) | \
		 OP(RENAME) | OP(RENAME2) | OP(SETXATTR) | OP(REMOVEXATTR) | \
		 OP(FALLOCATE) | OP(COPY_FILE_RANGE) | OP(COPY_FILE_RANGE_64) | \
		 OP(IOCTL))

static const struct {
	const char *name;
	uint64_t mask;
} groups[] = {
	{ "all", FUSE_PASSTHROUGH_OPS },
	{ "read", FUSE_PASSTHROUGH_OPS & ~WRITES },
	{ "names", OP(LOOKUP) | OP(READDIR) | OP(READDIRPLUS) | OP(OPENDIR) |
		   OP(RELEASEDIR) | OP(FSYNCDIR) },
	{ "attr", OP(GETATTR) | OP(STATX) | OP(SETATTR) | OP(ACCESS) |
		  OP(STATFS) },
	{ "links", OP(READLINK) | OP(SYMLINK) | OP(LINK) },
	{ "tree", OP(MKNOD) | OP(MKDIR) | OP(UNLINK) | OP(RMDIR) | OP(RENAME) |
		  OP(RENAME2) | OP(CREATE) | OP(TMPFILE) },
	{ "data", OP(OPEN) | OP(READ) | OP(WRITE) | OP(FLUSH) | OP(RELEASE) |
		  OP(FSYNC) | OP(FALLOCATE) | OP(LSEEK) |
		  OP(COPY_FILE_RANGE) | OP(COPY_FILE_RANGE_64) },
	{ "xattr", OP(GETXATTR) | OP(SETXATTR) | OP(LISTXATTR) |
		   OP(REMOVEXATTR) },
	{ "locks", OP(GETLK) | OP(SETLK) | OP(SETLKW) },
	{ "ioctl", OP(IOCTL) },
};

/* One word more, after a comma. */
static void add_word(char *text, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, RULES_MASK_TEXT - len, "%s%s", len ? "," : "", word);
}

const char *rules_mask_text(uint64_t mask, char text[RULES_MASK_TEXT])
{
	uint64_t left = mask & FUSE_PASSTHROUGH_OPS;

	*text = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(groups) && left; i++) {
		/* All of it passes, and part of it is not told yet. */
		if ((mask & groups[i].mask) != groups[i].mask ||
		    !(left & groups[i].mask))
			continue;
		add_word(text, groups[i].name);
		left &= ~groups[i].mask;
	}
	for (unsigned int op = 1; op <= 64; op++)
		if (left & FUSE_PASSTHROUGH_OP(op) && util_opcode_name(op))
			add_word(text, util_opcode_name(op));
	return *text ? text : "nothing";
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

static bool mask_of(const char *text, size_t len, uint64_t *mask)
{
	unsigned int op;
	const char *name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (is_word(text, len, groups[i].name)) {
			*mask |= groups[i].mask;
			return true;
		}
	for (op = 1; op <= 64; op++) {
		name = util_opcode_name(op);
		if (!name || !is_word(text, len, name))
			continue;
		*mask |= FUSE_PASSTHROUGH_OP(op);
		return FUSE_PASSTHROUGH_OP(op) & FUSE_PASSTHROUGH_OPS;
	}
	return false;
}

static bool types_of(const char *text, size_t len, uint64_t *mask)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} types[] = {
		{ "none", 0 }, { "fifo", 1 }, { "char", 2 }, { "dir", 4 },
		{ "block", 6 }, { "file", 8 }, { "link", 10 },
		{ "socket", 12 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (is_word(text, len, types[i].name)) {
			*mask |= 1ull << types[i].bit;
			return true;
		}
	return false;
}

/* Each of the words between commas. */
static bool words(const char *text, uint64_t *mask,
		  bool (*one)(const char *text, size_t len, uint64_t *mask))
{
	size_t len;

	*mask = 0;
	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (!one(text, len, mask))
			return false;
		if (!text[len])
			return true;
	}
}

bool rules_word_mask(const char *text, uint64_t *mask)
{
	return words(text, mask, mask_of);
}

bool rules_word_types(const char *text, uint64_t *mask)
{
	return words(text, mask, types_of);
}

/* Errnos that a policy may fail a lookup with. */
bool rules_word_errno(const char *text, int *value)
{
	const char *name;
	int err;

	for (err = 1; err < 512; err++) {
		name = util_errno_name(err);
		if (name && !strcmp(name, text) && err != ECHILD &&
		    err != ESTALE) {
			*value = err;
			return true;
		}
	}
	return false;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A number with one of the units behind it; the first is that of no unit. */
static bool number(const char *text, const struct unit *units, size_t nr,
		   uint64_t *value)
{
	char *end;
	size_t i;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	for (i = 0; i < nr; i++)
		if (!strcmp(end, units[i].name))
			return !errno && !__builtin_mul_overflow(*value,
						units[i].factor, value);
	return false;
}

bool rules_word_size(const char *text, uint64_t *value)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1ull << 10 }, { "M", 1ull << 20 },
		{ "G", 1ull << 30 }, { "T", 1ull << 40 },
	};

	return number(text, units, ARRAY_SIZE(units), value);
}

bool rules_word_time(const char *text, uint64_t *value)
{
	static const struct unit units[] = {
		{ "s", 1000000000ull }, { "ms", 1000000 },
		{ "m", 60 * 1000000000ull }, { "h", 3600 * 1000000000ull },
		{ "d", 86400 * 1000000000ull },
		{ "w", 7 * 86400 * 1000000000ull },
	};

	return number(text, units, ARRAY_SIZE(units), value);
}

static bool id_of_name(const char *name, bool group, uint64_t *id)
{
	const struct passwd *pw = group ? NULL : getpwnam(name);
	const struct group *gr = group ? getgrnam(name) : NULL;

	if (!pw && !gr)
		return false;
	*id = pw ? pw->pw_uid : gr->gr_gid;
	return true;
}

static bool id_range(const char *text, uint64_t *min, uint64_t *max)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*min = *max = strtoull(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*max = strtoull(end + 1, &end, 10);
	return !errno && !*end && *min <= *max && *max < UINT32_MAX;
}

bool rules_word_ids(const char **text, bool group, uint64_t *min, uint64_t *max)
{
	size_t len = strcspn(*text, ",");
	_cleanup_free_ char *word = strndup(*text, len);

	if (!word || !len)
		return false;
	*text += len;
	if (**text == ',' && !*++*text)
		return false;
	if (id_range(word, min, max))
		return true;
	if (!id_of_name(word, group, min))
		return false;
	*max = *min;
	return true;
}
