#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The concurrent test (tests/diff/conc.c) on two bind mounts of one directory: there it
# finds nothing, and each misdeed that is planted fails the test that is for it.

. "$(dirname "$0")/lib.sh"

conc=$TOP/build/tests/bin/conc
# Calls are made as several users, in a directory they can reach.
chmod 755 "$work"

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$conc" ] || skip_all "not built"
unshare -m --propagation private true 2>/dev/null || skip_all "no mount namespace of its own"
if [ -z "${CONC_UNSHARED:-}" ]; then
	CONC_UNSHARED=1 exec unshare -m --propagation private "$0" "$@"
fi
mount -t tmpfs -o mode=755 conc "$work"
trap 'umount -l "$work"; rm -rf "$work"' EXIT
mkdir "$work/tree" "$work/view" "$work/other"
mount --bind "$work/tree" "$work/view"

run() {	# ARGUMENT...
	"$conc" --seed 5 "$@" "$work/tree" "$work/view" >"$work/said" 2>&1
	local status=$?
	grep -v '^ok' "$work/said"
	return $status
}

finds_nothing() {	# PATTERN SECONDS
	run --only "$1" --seconds "$2" && ! grep -q '^not ok' "$work/said"
}

# Exactly this test fails.
finds() {	# MISDEED PATTERN TEST
	run --plant "$1" --only "$2" --seconds 2
	[ $? -eq 1 ] && [ "$(grep -c '^not ok' "$work/said")" -eq 1 ] &&
		grep -q "^not ok [0-9]* - $3 " "$work/said"
}

says_what_was_done() {	# PATTERN
	grep -q "^# .*$1" "$work/said"
}

# Another directory is no view, and its test would prove nothing.
refuses_another_directory() {
	"$conc" --seconds 1 "$work/tree" "$work/other" >"$work/said"
	[ $? -eq 2 ] && grep -q '^Bail out!' "$work/said"
}

refuses_a_pattern_without_tests() {
	run --only nonsense --seconds 1
	[ $? -eq 2 ]
}

histogram_of_another_run_is_compared() {
	run --only work --seconds 2 --save "$work/histogram" && [ -s "$work/histogram" ] || return
	run --only work --seconds 2 --reference "$work/histogram" || return
	! grep -q '\*open_excl' "$work/said"
	# Without a line, its errno is marked.
	sed -i '/ 17$/d' "$work/histogram"
	run --only work --seconds 2 --reference "$work/histogram"
	grep -q ' \*EEXIST ' "$work/said"
}

claim two_bind_mounts_pass_random_calls finds_nothing work 4
claim two_bind_mounts_pass_duels finds_nothing 'duel*' 6
claim two_bind_mounts_pass_storms finds_nothing 'storm_*' 4
claim planted_errno_is_found finds errno work errnos_are_native_ones
claim planted_errno_is_told_with_what_others_did says_what_was_done ESTALE
claim planted_name_is_found finds name work names_are_as_many_as_succeeded
claim planted_setuid_file_is_found finds suid work no_setuid_file_of_root
claim planted_loss_is_found finds kept work nothing_disappears_by_itself
claim planted_content_is_found finds content work what_is_read_was_written
claim planted_link_is_found finds link work link_counts_add_up
claim planted_change_in_a_duel_is_found finds duel duel_rename_unlink duel_rename_unlink
claim planted_change_in_a_duel_is_told says_what_was_done planted
claim planted_errno_in_a_storm_is_found finds storm storm_replace storm_replace
claim planted_difference_is_found finds view duel_rename_unlink duel_rename_unlink
claim another_directory_is_refused refuses_another_directory
claim pattern_without_tests_is_refused refuses_a_pattern_without_tests
claim histogram_of_another_run_is_compared histogram_of_another_run_is_compared
done_testing
