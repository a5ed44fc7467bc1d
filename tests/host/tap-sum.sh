#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The sum of TAP files counts what they say and fails on what they leave out.

. "$(dirname "$0")/lib.sh"

file() {	# NAME TEXT
	printf '%b' "$2" >"$work/$1"
}

sums_to() {	# SUM FILE...
	local want=$1 got
	shift
	got=$(cd "$work" && "$TOP/tests/lib/tap-sum.sh" "$@" | tail -n 1)
	echo "got: $got"
	[ "$got" = "$want" ]
}

fails() {
	! ( cd "$work" && "$TOP/tests/lib/tap-sum.sh" "$@" )
}

shows() {	# TEXT FILE
	( cd "$work" && "$TOP/tests/lib/tap-sum.sh" "$2" ) | grep -q "^not ok: .* | $1"
}

file told '1..2\n# got: 2\nok 1 - a\n# got: 1\nnot ok 2 - b\n'
file good '1..2\nok 1 - a\nok 2 - b # SKIP no KVM\n'
file last 'ok 1 - a\nok 2 - b\n1..2\n'
file bad '1..2\nok 1 - a\nnot ok 2 - b\n'
file several '1..1\nok 1 - a\nok 1 - b\n1..1\n1..2\nok 1\nok 2\n'
file noise 'TAP version 13\n# ok so far\n  ok 1 - nested\nok 1 - a\r\n1..1\r\n'
file short '1..3\nok 1 - a\n'
file long '1..1\nok 1 - a\nok 2 - b\n'
file noplan 'ok 1 - a\n'
file empty ''
file bail '1..1\nok 1 - a\nBail out! no mount\n'
file skipall '1..0 # SKIP no suite\n'
file cut '1..3\nok 1 - a\n1..1\nok 1 - b\n'

claim counts_passed_and_skipped sums_to '1 passed, 0 failed, 1 skipped' good
claim takes_a_plan_at_the_end sums_to '2 passed, 0 failed, 0 skipped' last
claim counts_failed sums_to '1 passed, 1 failed, 0 skipped' bad
claim takes_several_documents sums_to '4 passed, 0 failed, 0 skipped' several
claim ignores_comments_and_nested_tests sums_to '1 passed, 0 failed, 0 skipped' noise
claim adds_files_up sums_to '4 passed, 1 failed, 1 skipped' good last bad
claim counts_a_skipped_document sums_to '1 passed, 0 failed, 2 skipped' good skipall
claim short_plan_is_a_failure sums_to '1 passed, 1 failed, 0 skipped' short
claim exceeded_plan_is_a_failure fails long
claim missing_plan_is_a_failure sums_to '1 passed, 1 failed, 0 skipped' noplan
claim short_plan_before_another_document_is_a_failure sums_to '2 passed, 1 failed, 0 skipped' cut
claim empty_file_is_a_failure sums_to '0 passed, 1 failed, 0 skipped' empty
claim missing_file_is_a_failure fails good nosuchfile
claim bail_out_is_a_failure sums_to '1 passed, 1 failed, 0 skipped' bail
claim failure_reaches_the_exit_status fails bad
claim nothing_passed_is_a_failure fails skipall
claim diagnosis_of_a_failure_is_shown shows 'got: 1' told
claim_not diagnosis_of_what_passed_is_not_shown shows 'got: 2' told
claim_not success_reaches_the_exit_status fails good
done_testing
