// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decisions of the shipped policies, from tables, on the host.
 *
 * bpf/<policy>.h holds what a policy decides as plain functions; here they run
 * as ordinary C. That the BPF side hands them the right numbers, and that the
 * kernel does what they say, is tested in the VM (tests/policy).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OP(op)		(1ULL << ((op) - 1))

#include "fusepass_abi.h"
#include "tap.h"
#include "../../bpf/readonly.h"
#include "../../bpf/suffix.h"

/* Feeds suffix_match() the way suffix.bpf.c does: the end of the name. */
static bool ends_in(const char *name, const char *list)
{
	char padded[SUFFIX_LIST_SIZE] = "", tail[SUFFIX_TAIL_SIZE + 1] = "";
	size_t len = strlen(name);

	strncpy(padded, list, sizeof(padded) - 1);
	if (len > SUFFIX_TAIL_SIZE) {
		name += len - SUFFIX_TAIL_SIZE;
		len = SUFFIX_TAIL_SIZE;
	}
	memcpy(tail, name, len);
	return len && suffix_match(tail, len, padded);
}

static void test_suffix_match(void)
{
	static const struct {
		const char *claim, *name, *list;
		bool match;
	} table[] = {
		{ "suffix_alone_in_the_list_matches", "a.txt", ".txt", true },
		{ "first_of_the_list_matches", "a.txt", ".txt,.h", true },
		{ "last_of_the_list_matches", "a.h", ".txt,.h", true },
		{ "middle_of_the_list_matches", "a.c", ".txt,.c,.h", true },
		{ "other_suffix_does_not_match", "a.o", ".txt,.h", false },
		{ "suffix_in_the_middle_of_a_name_does_not_match",
		  "a.txt.gz", ".txt", false },
		{ "part_of_a_suffix_does_not_match", "a.tx", ".txt", false },
		{ "name_shorter_than_the_suffix_does_not_match",
		  "xt", ".txt", false },
		{ "name_equal_to_the_suffix_matches", ".txt", ".txt", true },
		{ "case_counts", "a.TXT", ".txt", false },
		{ "no_dot_is_needed", "Makefile", "file", true },
		{ "empty_list_matches_nothing", "a.txt", "", false },
		{ "lone_comma_matches_nothing", "a.txt", ",", false },
		{ "empty_suffix_at_the_end_matches_nothing",
		  "a.o", ".txt,", false },
		{ "empty_suffix_at_the_front_matches_nothing",
		  "a.o", ",.txt", false },
		{ "suffix_after_an_empty_one_matches", "a.txt", ",,.txt", true },
		{ "suffix_before_an_empty_one_matches", "a.txt", ".txt,,", true },
		{ "mismatch_does_not_leak_into_the_next_suffix",
		  "a.c", ".h,.txt", false },
		{ "match_does_not_need_the_later_suffixes",
		  "a.txt", ".txt,.zzzz", true },
		{ "two_suffixes_are_not_glued", "a.ab", "a,b", true },
		{ "comma_in_a_name_is_not_matched", "a,b", "x,", false },
		{ "name_longer_than_the_tail_matches",
		  "0123456789012345678901234567890123456789.txt", ".txt", true },
		{ "suffix_as_long_as_the_tail_matches",
		  "x0123456789012345678901234567.txt",
		  "0123456789012345678901234567.txt", true },
		{ "suffix_longer_than_the_tail_never_matches",
		  "x0123456789012345678901234567.txt",
		  "x0123456789012345678901234567.txt", false },
		{ "bytes_above_127_are_compared", "a.\xc3\xa9", ".\xc3\xa9", true },
		{ "different_bytes_above_127_differ",
		  "a.\xc3\xa8", ".\xc3\xa9", false },
		{ "empty_name_never_matches", "", ".txt", false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		tap(ends_in(table[i].name, table[i].list) == table[i].match,
		    table[i].claim, "%s", table[i].name);
}

static void test_suffix_verdict(void)
{
	static const struct {
		const char *claim;
		unsigned int mode;
		bool match;
		int verdict;
	} table[] = {
		{ "matching_file_passes", S_IFREG | 0644, true, FUSEPASS_PASS },
		{ "other_file_is_the_servers", S_IFREG | 0644, false, FUSEPASS_SERVER },
		{ "directory_passes_by_any_name", S_IFDIR | 0755, false, FUSEPASS_PASS },
		{ "matching_directory_passes", S_IFDIR | 0755, true, FUSEPASS_PASS },
		{ "matching_symlink_passes", S_IFLNK | 0777, true, FUSEPASS_PASS },
		{ "other_symlink_is_the_servers", S_IFLNK | 0777, false, FUSEPASS_SERVER },
		{ "block_device_is_not_taken_for_a_directory",
		  S_IFBLK | 0600, false, FUSEPASS_SERVER },
		{ "socket_is_not_taken_for_a_directory",
		  S_IFSOCK | 0755, false, FUSEPASS_SERVER },
		{ "matching_name_that_does_not_exist_passes", 0, true, FUSEPASS_PASS },
		{ "other_name_that_does_not_exist_is_the_servers", 0, false, FUSEPASS_SERVER },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		tap(suffix_verdict(table[i].mode, table[i].match) ==
		    table[i].verdict, table[i].claim, NULL);
}

/* Operations that change something, in an ops_mask of all that can be passed. */
static void test_readonly_ops(void)
{
	static const int writes[] = { 4, 6, 8, 9, 10, 11, 12, 13, 16,
				      21, 24, 35, 39, 43, 45, 47, 51, 53 };
	unsigned long long all = FUSE_PASSTHROUGH_OPS, out = 0;
	char op[16];
	size_t i;

	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		snprintf(op, sizeof(op), "opcode %d", writes[i]);
		tap(!(readonly_ops(all) & OP(writes[i])),
		    "readonly_leaves_out_what_changes", "%s", op);
		out |= OP(writes[i]);
	}
	tap((readonly_ops(all) | out) == all, "readonly_keeps_all_else", NULL);
	tap(!(readonly_ops(OP(1)) & ~OP(1)), "readonly_adds_nothing", NULL);
}

int main(void)
{
	test_suffix_match();
	test_suffix_verdict();
	test_readonly_ops();
	return tap_done();
}
