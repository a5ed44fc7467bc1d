// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pairs of duellists. The first table has those that went wrong once, or would do
 * harm; the last one has single calls, any two of which can be put together. Between
 * them are the storms.
 */
#include "conc_duel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define NAME(k, p, ...) { .kind = CALL_##k, .path = p, ##__VA_ARGS__ }
#define NAMES(k, p, q, ...) \
	{ .kind = CALL_##k, .path = p, .path2 = q, ##__VA_ARGS__ }
#define CHMOD(p, m) { .kind = CALL_chmod, .path = p, .mode = m }
#define CHOWN(p, u) { .kind = CALL_chown, .path = p, .uid = u, .gid = u }
#define FD_CALL(k, ...) { .kind = CALL_##k, ##__VA_ARGS__ }
#define CREATE(k, p, ...) \
	{ .kind = CALL_##k, .path = p, .mode = 0640, ##__VA_ARGS__ }
#define HELD .base = AT_DIR
#define WRITE(text) { .kind = CALL_write, .path2 = text }

#define ONE(...) { __VA_ARGS__ }, 1
#define TWO(...) { __VA_ARGS__ }, 2
#define USER DUEL_USER
#define SINGLE(n, u, h, c, ...) \
	{ .needs = n, .script = { u, h, ONE(c) }, ##__VA_ARGS__ }

const struct duel duels[] = {
	/* A user that has just lost a file must not change it any more. */
	{ "chown_chmod_suid", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, NULL, ONE(CHMOD("a", 04755)) } } },
	{ "chown_chmod_sgid", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, NULL, ONE(CHMOD("a", 02755)) } } },
	{ "chown_fchmod_suid", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, "a", ONE(FD_CALL(fchmod, .mode = 06755)) } } },
	{ "chown_set_acl", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, NULL, ONE(NAME(set_acl, "a", .mode = 0777)) } } },
	{ "chown_remove_acl", "a", {
		{ 0, NULL, TWO(NAME(set_acl, "a", .mode = 0700), CHOWN("a", 0)) },
		{ USER, NULL, ONE(NAME(remove_acl, "a")) } } },
	{ "chown_setxattr", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, NULL, ONE(NAME(setxattr, "a", .value = 7)) } } },
	{ "chown_set_flags", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, "a", ONE(FD_CALL(set_flags, .value = 1)) } } },
	/* Content that is written after the bit was set has to clear it. (When a
	 * file is truncated, the VFS looks before it takes the lock, so it can miss it.) */
	{ "chmod_suid_read_write", "a", {
		{ 0, "a", TWO(CHMOD("a", 04755), FD_CALL(pread)) },
		{ USER, "a", ONE(WRITE("w")) } } },
	{ "chmod_sgid_read_write", "a", {
		{ 0, "a", TWO(CHMOD("a", 02775), FD_CALL(pread)) },
		{ USER, "a", ONE(WRITE("w")) } } },
	{ "chmod_suid_chown_back", "a", {
		{ 0, NULL, ONE(CHOWN("a", 0)) },
		{ USER, NULL, TWO(CHMOD("a", 0755), CHMOD("a", 04711)) } } },

	/* One name, one file. */
	{ "rename_unlink", "a", {
		{ USER, NULL, ONE(NAMES(rename, "a", "b")) },
		{ USER, NULL, ONE(NAME(unlink, "a")) } } },
	{ "rename_rename", "a", {
		{ USER, NULL, ONE(NAMES(rename, "a", "b")) },
		{ USER, NULL, ONE(NAMES(rename, "a", "c")) } } },
	{ "rename_over_unlink", "a b", {
		{ USER, NULL, ONE(NAMES(rename, "a", "b")) },
		{ USER, NULL, ONE(NAME(unlink, "b")) } } },
	{ "rename_rename_onto", "a b", {
		{ USER, NULL, ONE(NAMES(rename, "a", "c")) },
		{ USER, NULL, ONE(NAMES(rename, "b", "a")) } } },
	{ "rename_to_other_directory_unlink", "a d/", {
		{ USER, NULL, ONE(NAMES(rename, "a", "d/a")) },
		{ USER, NULL, ONE(NAME(unlink, "a")) } } },
	{ "rename_rmdir", "e/", {
		{ USER, NULL, ONE(NAMES(rename, "e", "c")) },
		{ USER, NULL, ONE(NAME(rmdir, "e")) } } },
	{ "rename_rmdir_other", "e/ d/", {
		{ USER, NULL, ONE(NAMES(rename, "e", "d")) },
		{ USER, NULL, ONE(NAME(rmdir, "d")) } } },
	{ "rename_link", "a", {
		{ USER, NULL, ONE(NAMES(rename, "a", "b")) },
		{ USER, NULL, ONE(NAMES(link, "a", "c")) } } },
	{ "exchange_unlink", "a b", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "a", "b")) },
		{ USER, NULL, ONE(NAME(unlink, "a")) } } },
	{ "exchange_rename", "a b", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "a", "b")) },
		{ USER, NULL, ONE(NAMES(rename, "a", "c")) } } },
	{ "exchange_exchange", "a b d/", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "a", "b")) },
		{ USER, NULL, ONE(NAMES(rename_exchange, "a", "d")) } } },
	{ "exchange_directories_stat", "d/ d/x e/", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "d", "e")) },
		{ USER, NULL, ONE(NAME(stat, "d/x")) } } },
	{ "exchange_file_and_directory_rmdir", "a e/", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "a", "e")) },
		{ USER, NULL, ONE(NAME(rmdir, "e")) } } },
	{ "rmdir_create_in_it", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, NULL, ONE(CREATE(open_excl, "e/y")) } } },
	{ "rmdir_rename_into_it", "a e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, NULL, ONE(NAMES(rename, "a", "e/y")) } } },
	{ "unlink_link", "a", {
		{ USER, NULL, ONE(NAME(unlink, "a")) },
		{ USER, NULL, ONE(NAMES(link, "a", "c")) } } },
	{ "unlink_both_links", "a l=a", {
		{ USER, NULL, ONE(NAME(unlink, "a")) },
		{ USER, NULL, ONE(NAME(unlink, "l")) } } },

	/* Directories that somebody holds while they go or go elsewhere. */
	{ "rmdir_create_in_held", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(CREATE(open_excl, "y", HELD)) } } },
	{ "rmdir_mkdir_in_held", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(CREATE(mkdir, "y", HELD)) } } },
	{ "rmdir_symlink_in_held", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(NAMES(symlink, "y", "a", HELD)) } } },
	{ "rmdir_link_in_held", "a e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(NAMES(link, "../a", "y", .base = IN_DIR)) } } },
	{ "rmdir_rename_into_held", "a e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(NAMES(rename, "../a", "y", .base = IN_DIR)) } } },
	{ "rmdir_tmpfile_in_held", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(CREATE(open_tmpfile, ".", HELD)) } } },
	{ "rmdir_list_held", "e/", {
		{ USER, NULL, ONE(NAME(rmdir, "e")) },
		{ USER, "e/", ONE(NAME(list, ".", HELD)) } } },
	{ "remove_all_unlink_in_held", "d/ d/x", {
		{ USER, NULL, TWO(NAME(unlink, "d/x"), NAME(rmdir, "d")) },
		{ USER, "d/", ONE(NAME(unlink, "x", HELD)) } } },
	{ "rename_create_in_held", "d/", {
		{ USER, NULL, ONE(NAMES(rename, "d", "c")) },
		{ USER, "d/", ONE(CREATE(open_excl, "y", HELD)) } } },
	{ "rename_unlink_in_held", "d/ d/x", {
		{ USER, NULL, ONE(NAMES(rename, "d", "c")) },
		{ USER, "d/", ONE(NAME(unlink, "x", HELD)) } } },
	{ "replace_create_in_held", "d/ e/", {
		{ USER, NULL, ONE(NAMES(rename, "d", "e")) },
		{ USER, "e/", ONE(CREATE(open_excl, "y", HELD)) } } },
	{ "exchange_rmdir_held", "d/ d/x e/", {
		{ USER, NULL, ONE(NAMES(rename_exchange, "d", "e")) },
		{ USER, "d/", ONE(NAME(rmdir, "d")) } } },
	{ "move_rename_held", "d/ d/s/ e/", {
		{ USER, NULL, ONE(NAMES(rename, "d/s", "e/s")) },
		{ USER, "d/s/", ONE(NAMES(rename, "e/s", "d/t")) } } },
	{ "move_replace_held", "d/ d/s/ e/ e/t/", {
		{ USER, NULL, ONE(NAMES(rename, "d/s", "e/s")) },
		{ USER, "d/s/", ONE(NAMES(rename, "e/t", "e/s")) } } },
	{ "move_stat_held", "d/ d/s/ d/s/x e/", {
		{ USER, NULL, ONE(NAMES(rename, "d/s", "e/s")) },
		{ USER, "d/s/", ONE(NAME(stat, "e/s/x")) } } },

	/* Objects that can be made once. */
	{ "create_create", "", {
		{ USER, NULL, ONE(CREATE(open_excl, "c")) },
		{ 0, NULL, ONE(CREATE(open_excl, "c")) } } },
	{ "create_mkdir", "", {
		{ USER, NULL, ONE(CREATE(open_create, "c")) },
		{ USER, NULL, ONE(CREATE(mkdir, "c")) } } },
	{ "mkdir_mkdir", "", {
		{ USER, NULL, ONE(CREATE(mkdir, "c")) },
		{ 0, NULL, ONE(CREATE(mkdir, "c")) } } },
	{ "symlink_mknod", "", {
		{ USER, NULL, ONE(NAMES(symlink, "c", "a")) },
		{ USER, NULL, ONE(CREATE(mknod, "c")) } } },
	{ "link_link", "a b", {
		{ USER, NULL, ONE(NAMES(link, "a", "c")) },
		{ USER, NULL, ONE(NAMES(link, "b", "c")) } } },
	{ "link_tmpfile_create", "", {
		{ USER, "+.", ONE(NAME(link_tmpfile, "c")) },
		{ 0, NULL, ONE(CREATE(open_excl, "c")) } } },
	{ "noreplace_noreplace", "a b", {
		{ USER, NULL, ONE(NAMES(rename_noreplace, "a", "c")) },
		{ USER, NULL, ONE(NAMES(rename_noreplace, "b", "c")) } } },
	{ "noreplace_create", "a", {
		{ USER, NULL, ONE(NAMES(rename_noreplace, "a", "c")) },
		{ USER, NULL, ONE(CREATE(open_excl, "c")) } } },
	{ "rename_create", "a", {
		{ USER, NULL, ONE(NAMES(rename, "a", "c")) },
		{ USER, NULL, ONE(CREATE(open_create, "a")) } } },

	/* A name that comes and goes. */
	{ "create_unlink_create", "", {
		{ USER, NULL, TWO(CREATE(open_excl, "c"), NAME(unlink, "c")) },
		{ USER, NULL, ONE(CREATE(open_create, "c")) } } },
	{ "unlink_create_open", "a", {
		{ USER, NULL, TWO(NAME(unlink, "a"), CREATE(mkdir, "a")) },
		{ USER, NULL, ONE(NAME(open_read, "a")) } } },
	{ "rename_back_stat", "d/ d/x", {
		{ USER, NULL, TWO(NAMES(rename, "d", "c"), NAMES(rename, "c", "d")) },
		{ USER, NULL, ONE(NAME(stat, "d/x")) } } },
	{ "rename_into_place_open", "a b", {
		{ USER, NULL, TWO(NAMES(rename, "b", "a"), CREATE(open_excl, "b")) },
		{ USER, NULL, ONE(NAME(open_read, "a")) } } },

	/* A lock that only one can have. */
	{ "lock_lock", "a", {
		{ USER, "a", ONE(FD_CALL(lock)) },
		{ USER, "a", ONE(FD_CALL(lock)) } } },
};
const size_t duels_n = ARRAY_SIZE(duels);

#define STEP(c, ...) { .call = c, .may = { __VA_ARGS__ } }
#define LATER(n, c) { .call = c, .pause = n }

#define STORM(n, s, ...) { .name = n, .start = s, .script = { __VA_ARGS__ } }
#define REPLACING_STORM(n, s, ...) \
	{ .name = n, .start = s, .script = { __VA_ARGS__ }, .replaces = true }

const struct storm storms[] = {
	STORM("setuid", "a",
		{ 0, NULL, { STEP(CHOWN("a", 1000)), LATER(20000, CHOWN("a", 0)),
		       LATER(20000, NAME(lstat, "a", .mode = S_ISUID | S_ISGID)) }, 3 },
		{ USER, NULL, { STEP(CHMOD("a", 06755), EPERM) }, 1 }),
	/* A name that comes and goes. */
	STORM("create_remove", "",
		{ USER, NULL, { STEP(CREATE(open_excl, "c"), EEXIST),
			  STEP(NAME(unlink, "c")) }, 2 },
		{ USER, NULL, { STEP(CREATE(open_create, "c")) }, 1 }),
	STORM("create_remove_both", "",
		{ USER, NULL, { STEP(CREATE(open_excl, "c"), EEXIST),
			  STEP(NAME(unlink, "c"), ENOENT) }, 2 },
		{ USER, NULL, { STEP(CREATE(open_excl, "c"), EEXIST),
			  STEP(NAME(unlink, "c"), ENOENT) }, 2 }),
	STORM("create_look", "",
		{ USER, NULL, { STEP(CREATE(open_excl, "c")), STEP(NAME(unlink, "c")) }, 2 },
		{ USER, NULL, { STEP(NAME(stat, "c"), ENOENT),
			  STEP(NAME(open_read, "c"), ENOENT),
			  STEP(CHMOD("c", 0600), ENOENT) }, 3 }),
	STORM("mkdir_create_in_it", "",
		{ USER, NULL, { STEP(NAME(mkdir, "e", .mode = 0777), EEXIST),
			  STEP(NAME(rmdir, "e"), ENOTEMPTY) }, 2 },
		{ USER, NULL, { STEP(CREATE(open_excl, "e/y"), ENOENT),
			  STEP(NAME(unlink, "e/y"), ENOENT) }, 2 }),
	STORM("tmpfile_remove", "",
		{ USER, NULL, { STEP(CREATE(open_tmpfile, ".")),
			  STEP(NAME(link_tmpfile, "c"), EEXIST) }, 2 },
		{ USER, NULL, { STEP(NAME(unlink, "c"), ENOENT) }, 1 }),
	STORM("link_remove", "a",
		{ USER, NULL, { STEP(NAMES(link, "a", "l")), STEP(NAME(unlink, "l")) }, 2 },
		{ USER, NULL, { STEP(NAME(open_read, "l"), ENOENT), STEP(NAME(stat, "a")),
			  STEP(NAME(lstat, "l"), ENOENT) }, 3 }),
	STORM("file_and_directory", "",
		{ USER, NULL, { STEP(CREATE(mkdir, "c"), EEXIST),
			  STEP(NAME(rmdir, "c"), ENOTDIR, ENOENT) }, 2 },
		{ USER, NULL, { STEP(CREATE(open_create, "c"), EISDIR),
			  STEP(NAME(unlink, "c"), EISDIR, ENOENT) }, 2 }),
	/* A name that is always there, whatever it is the name of. */
	STORM("replace", "a",
		{ USER, NULL, { STEP(CREATE(open_create, "b")),
			  STEP(NAMES(rename, "b", "a")) }, 2 },
		{ USER, NULL, { STEP(NAME(stat, "a")), STEP(NAME(open_read, "a")) }, 2 }),
	STORM("exchange", "a b",
		{ USER, NULL, { STEP(NAMES(rename_exchange, "a", "b")) }, 1 },
		{ USER, NULL, { STEP(NAME(lstat, "a")), STEP(NAME(open_read, "b")),
			  STEP(CREATE(open_create, "a")) }, 3 }),
	STORM("exchange_directories", "d/ d/x e/ e/x",
		{ USER, NULL, { STEP(NAMES(rename_exchange, "d", "e")) }, 1 },
		{ USER, NULL, { STEP(NAME(stat, "d/x")), STEP(NAME(open_read, "e/x")),
			  STEP(NAME(list, "d")) }, 3 }),
	STORM("exchange_file_and_directory", "a d/",
		{ USER, NULL, { STEP(NAMES(rename_exchange, "a", "d")) }, 1 },
		{ USER, NULL, { STEP(NAME(lstat, "a")), STEP(NAME(open_trunc, "d"), EISDIR),
			  STEP(NAME(list, "a"), ENOTDIR) }, 3 }),
	STORM("exchange_both", "a b",
		{ USER, NULL, { STEP(NAMES(rename_exchange, "a", "b")) }, 1 },
		{ USER, NULL, { STEP(NAMES(rename_exchange, "b", "a")) }, 1 }),
	/* In the text of a removed link that somebody is just reading, ext4 lets zeros
	 * show up: it leads to the directory then. */
	REPLACING_STORM("replace_link", "a s>a",
		{ USER, NULL, { STEP(NAMES(symlink, "t", "a")),
			  STEP(NAMES(rename, "t", "s")) }, 2 },
		{ USER, NULL, { STEP(NAME(readlink, "s")), STEP(NAME(stat, "s")),
			  STEP(NAME(open_write, "s"), EISDIR) }, 3 }),
	/* A name that is elsewhere in between. */
	STORM("rename_back", "d/ d/x",
		{ USER, NULL, { STEP(NAMES(rename, "d", "c")),
			  STEP(NAMES(rename, "c", "d")) }, 2 },
		{ USER, NULL, { STEP(NAME(stat, "d/x"), ENOENT),
			  STEP(NAME(open_read, "c/x"), ENOENT),
			  STEP(NAME(list, "d"), ENOENT) }, 3 }),
	STORM("rename_rename", "a",
		{ USER, NULL, { STEP(NAMES(rename, "a", "b"), ENOENT),
			  STEP(NAMES(rename, "b", "a"), ENOENT) }, 2 },
		{ USER, NULL, { STEP(NAMES(rename, "a", "c"), ENOENT),
			  STEP(NAMES(rename, "c", "a"), ENOENT) }, 2 }),
	STORM("rename_in_and_out", "d/ d/x e/",
		{ USER, NULL, { STEP(NAMES(rename, "d/x", "e/x"), ENOENT),
			  STEP(NAMES(rename, "e/x", "d/x"), ENOENT) }, 2 },
		{ USER, NULL, { STEP(NAMES(rename, "d/x", "e/y"), ENOENT),
			  STEP(NAMES(rename, "e/y", "d/x"), ENOENT) }, 2 }),
	STORM("rename_remove", "a b",
		{ USER, NULL, { STEP(NAMES(rename_noreplace, "a", "b"), ENOENT, EEXIST),
			  STEP(NAMES(rename_noreplace, "b", "a"), ENOENT, EEXIST) }, 2 },
		{ USER, NULL, { STEP(NAME(unlink, "a"), ENOENT),
			  STEP(CREATE(open_excl, "a"), EEXIST) }, 2 }),
	STORM("move_directory", "d/ d/s/ d/s/x e/",
		{ USER, NULL, { STEP(NAMES(rename, "d/s", "e/s"), ENOENT),
				STEP(NAMES(rename, "e/s", "d/s"), ENOENT) }, 2 },
		{ USER, NULL, { STEP(NAMES(rename, "d/s", "e/t"), ENOENT),
				STEP(NAMES(rename, "e/t", "d/s"), ENOENT) }, 2 }),
	STORM("move_directory_look", "a d/ d/s/ d/s/x e/",
		{ USER, NULL, { STEP(NAMES(rename, "d/s", "e/s")),
				STEP(NAMES(rename, "e/s", "d/s")) }, 2 },
		{ USER, "d/s/", { STEP(NAME(stat, "d/s/x"), ENOENT),
				  STEP(NAME(open_dir, "e/s"), ENOENT),
				  STEP(NAME(list, "d/s"), ENOENT) }, 3 },
		{ USER, NULL, { STEP(NAMES(rename, "a", "e/a")),
				STEP(NAMES(rename, "e/a", "a")) }, 2 }),
	STORM("remove_held", "e/",
		{ USER, NULL, { STEP(NAME(rmdir, "e"), ENOTEMPTY),
				STEP(NAME(mkdir, "e", .mode = 0777), EEXIST) }, 2 },
		{ USER, "e/", { STEP(NAME(open_dir, "e"), ENOENT),
				STEP(CREATE(open_excl, "y", HELD), ENOENT),
				STEP(NAME(unlink, "y", HELD), ENOENT) }, 3 }),
	/* Rights that come and go. */
	STORM("chmod_directory", "d/ d/x",
		{ 0, NULL, { STEP(CHMOD("d", 0)), STEP(CHMOD("d", 0777)) }, 2 },
		{ USER, NULL, { STEP(NAME(stat, "d/x"), EACCES),
			  STEP(NAME(list, "d"), EACCES),
			  STEP(NAME(open_read, "d/x"), EACCES) }, 3 }),
	STORM("set_acl_remove_acl", "a",
		{ USER, NULL, { STEP(NAME(set_acl, "a", .mode = 0770)),
			  STEP(NAME(remove_acl, "a")) }, 2 },
		{ USER, NULL, { STEP(NAME(open_read, "a")), STEP(NAME(get_acl, "a"), ENODATA),
			  STEP(CHMOD("a", 0755)) }, 3 }),
	STORM("setxattr_removexattr", "a",
		{ USER, NULL, { STEP(NAME(setxattr, "a", .flags = XATTR_CREATE)),
			  STEP(NAME(removexattr, "a")) }, 2 },
		{ USER, NULL, { STEP(NAME(getxattr, "a"), ENODATA),
			  STEP(NAME(listxattr, "a")) }, 2 }),
};
const size_t storms_n = ARRAY_SIZE(storms);

/*
 * Two calls are not always like one after the other natively, since a path is walked
 * before the directory at its end is locked. In a directory that was removed in between
 * nothing can be made any more, though another one has its name now; a file that lost
 * its last name cannot be linked; and a rename that found one directory by its name may
 * find it a second time by another one. Such pairs are left out.
 */
static const struct single {
	const char *needs;
	struct script script;
	const char *uses;	/* walked before */
	const char *replaces;	/* removes what is there, and puts something else there */
	const char *two;	/* walked for one of two names */
	const char *moves;	/* what is there is elsewhere afterwards */
} singles[] = {
	SINGLE("a", USER, NULL, NAME(unlink, "a")),
	SINGLE("b", USER, NULL, NAME(unlink, "b")),
	SINGLE("a l=a", USER, NULL, NAME(unlink, "l")),
	SINGLE("d/ d/x", USER, NULL, NAME(unlink, "d/x")),
	SINGLE("e/", USER, NULL, NAME(rmdir, "e")),
	SINGLE("d/ d/x", USER, NULL, NAME(rmdir, "d")),
	SINGLE("a", USER, NULL, NAMES(rename, "a", "b"), .replaces = "b"),
	SINGLE("a", USER, NULL, NAMES(rename, "a", "c"), .replaces = "c"),
	SINGLE("b", USER, NULL, NAMES(rename, "b", "a"), .replaces = "a"),
	SINGLE("a l=a", USER, NULL, NAMES(rename, "l", "a"), .replaces = "a"),
	SINGLE("a d/", USER, NULL, NAMES(rename, "a", "d/y"), .two = "d"),
	SINGLE("d/ d/x", USER, NULL, NAMES(rename, "d/x", "c"), .replaces = "c", .two = "d"),
	SINGLE("a d/ d/x", USER, NULL, NAMES(rename, "d/x", "a"), .replaces = "a", .two = "d"),
	SINGLE("d/", USER, NULL, NAMES(rename, "d", "c"), .moves = "d"),
	SINGLE("d/ e/", USER, NULL, NAMES(rename, "d", "e"), .replaces = "e", .moves = "d"),
	SINGLE("d/ d/x e/", USER, NULL, NAMES(rename, "e", "d"), .replaces = "d", .moves = "d"),
	SINGLE("a e/", USER, NULL, NAMES(rename, "a", "e")),
	SINGLE("a d/", USER, NULL, NAMES(rename, "d", "a")),
	SINGLE("d/", USER, NULL, NAMES(rename, "d", "d/z"), .two = "d"),
	SINGLE("a", USER, NULL, NAMES(rename_noreplace, "a", "c")),
	SINGLE("b", USER, NULL, NAMES(rename_noreplace, "b", "c")),
	SINGLE("a b", USER, NULL, NAMES(rename_noreplace, "a", "b")),
	SINGLE("a b", USER, NULL, NAMES(rename_exchange, "a", "b")),
	SINGLE("a d/", USER, NULL, NAMES(rename_exchange, "a", "d"), .moves = "d"),
	SINGLE("d/ e/", USER, NULL, NAMES(rename_exchange, "d", "e"), .moves = "d"),
	SINGLE("a d/ d/x", USER, NULL, NAMES(rename_exchange, "d/x", "a"), .two = "d"),
	SINGLE("a", 0, NULL, NAMES(rename_whiteout, "a", "c"), .replaces = "c"),
	SINGLE("a", USER, NULL, NAMES(link, "a", "c"), .uses = "a"),
	SINGLE("b", USER, NULL, NAMES(link, "b", "c"), .uses = "b"),
	SINGLE("a", USER, NULL, NAMES(link, "a", "b"), .uses = "a"),
	SINGLE("a e/", USER, NULL, NAMES(link, "a", "e/y"), .uses = "a e"),
	SINGLE("", USER, NULL, CREATE(open_excl, "c")),
	SINGLE("", USER, NULL, CREATE(open_excl, "a")),
	SINGLE("", USER, NULL, CREATE(open_create, "c")),
	SINGLE("", USER, NULL, CREATE(open_create, "a")),
	SINGLE("d/", USER, NULL, CREATE(open_create, "d/y"), .uses = "d"),
	SINGLE("a", USER, NULL, NAME(open_trunc, "a")),
	SINGLE("", USER, "+.", NAME(link_tmpfile, "c")),
	SINGLE("", USER, NULL, CREATE(mkdir, "c")),
	SINGLE("e/", USER, NULL, CREATE(mkdir, "e/y"), .uses = "e"),
	SINGLE("", USER, NULL, NAMES(symlink, "c", "a")),
	SINGLE("", USER, NULL, CREATE(mknod, "c")),
	SINGLE("a", USER, NULL, NAME(stat, "a")),
	SINGLE("", USER, NULL, NAME(stat, "c")),
	SINGLE("d/ d/x", USER, NULL, NAME(lstat, "d/x"), .uses = "d"),
	SINGLE("s>a", USER, NULL, NAME(readlink, "s")),
	SINGLE("a", USER, NULL, NAME(open_read, "a")),
	SINGLE("a", USER, NULL, NAME(access, "a", .mode = 4)),
	SINGLE("a", USER, NULL, CHMOD("a", 04755)),
	SINGLE("a", USER, NULL, CHMOD("a", 02751)),
	SINGLE("a", 0, NULL, CHMOD("a", 0644)),
	SINGLE("a", 0, NULL, CHOWN("a", 0)),
	SINGLE("a", 0, NULL, CHOWN("a", 1000)),
	SINGLE("a", USER, NULL, NAME(truncate, "a")),
	SINGLE("a", USER, NULL, NAME(setxattr, "a", .value = 5)),
	SINGLE("a", USER, NULL, NAME(setxattr, "a", .value = 6, .flags = XATTR_CREATE)),
	SINGLE("a", USER, NULL, NAME(removexattr, "a")),
	SINGLE("a", USER, NULL, NAME(set_acl, "a", .mode = 0770)),
	SINGLE("a", USER, NULL, NAME(remove_acl, "a")),
	SINGLE("a", USER, "a", WRITE("w")),
	SINGLE("a", USER, "a", FD_CALL(pread)),
	SINGLE("a", USER, "a", FD_CALL(ftruncate)),
	SINGLE("a", USER, "a", FD_CALL(fchmod, .mode = 06755)),
};

static bool has_word(const char *list, const char *word, size_t len)
{
	for (const char *p = list; p && *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (!strncmp(p, word, len) && (p[len] == ' ' || !p[len]))
			return true;
	}
	return false;
}

static bool have_common_word(const char *list, const char *word)
{
	return list && word && has_word(list, word, strlen(word));
}

/*
 * link(2) looks up what it links before it looks at the new name.  A rename of the one to
 * the other may come between: EEXIST, which no order of the two gives.
 */
static bool is_overtaken(const struct single *a, const struct single *b)
{
	const struct call *link = &a->script.step[0], *rename = &b->script.step[0];

	return link->kind == CALL_link &&
	       (rename->kind == CALL_rename || rename->kind == CALL_rename_noreplace) &&
	       !strcmp(link->path, rename->path) && !strcmp(link->path2, rename->path2);
}

static bool is_walked(const struct single *a, const struct single *b)
{
	return have_common_word(a->uses, b->replaces) ||
	       have_common_word(a->two, b->moves) || is_overtaken(a, b);
}

/* Adds those words of a list that are not there. */
static void add_words(char start[CONC_TEXT], const char *list)
{
	for (const char *p = list; *p;) {
		size_t len = strcspn(p, " ");

		if (!has_word(start, p, len))
			snprintf(start + strlen(start), CONC_TEXT - strlen(start),
				 "%s%.*s", *start ? " " : "", (int)len, p);
		p += len + strspn(p + len, " ");
	}
}

/* Things that nobody needs, so that names are taken or free. Directories first. */
static void add_more(char start[CONC_TEXT], struct rng *rng)
{
	static const char *const more[] = {
		"d/ d/x", "e/", "a", "b", "c", "l=a", "s>a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (!rng_below(rng, 4) &&
		    (more[i][1] != '=' || has_word(start, "a", 1)))
			add_words(start, more[i]);
}

void duel_random(struct duel *d, char start[CONC_TEXT], struct rng *rng)
{
	const struct single *a, *b;

	do {
		a = &singles[rng_below(rng, ARRAY_SIZE(singles))];
		b = &singles[rng_below(rng, ARRAY_SIZE(singles))];
	} while (is_walked(a, b) || is_walked(b, a));
	start[0] = '\0';
	add_words(start, a->needs);
	add_words(start, b->needs);
	add_more(start, rng);
	*d = (struct duel){ "random", start, { a->script, b->script } };
}
