#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On a kernel without the series: the server serves, as any FUSE server does, and the
# command says what is missing.

. "$(dirname "$0")/../lib/cases.sh"

test_mount_works_and_says_that_it_is_an_ordinary_server() {
	contains fusepass mount src mnt -- "PASSTHROUGH_INO"
	same_as_native
	expect_asked LOOKUP
}

test_optional_policy_is_left_out() {
	refused 2 "fuse_policy_ops" fusepass mount --policy mirror src mnt
	contains fusepass mount --policy mirror --policy-optional src mnt -- "without the policy mirror"
	same_as_native
	contains fusepass list -- "$PWD/mnt" " no "
}

test_doctor_says_what_is_missing() {
	local out
	out=$(fusepass doctor)
	case $out in *missing*fuse_policy_ops*) ;; *) fail "doctor: $out" ;; esac
}

test_policy_attach_says_what_is_missing() {
	works fusepass mount src mnt
	local out status=0
	out=$(fusepass policy attach mirror mnt 2>&1) || status=$?
	[ "$status" -eq 2 ] || fail "status $status: $out"
	case $out in *fuse_policy_ops*) ;; *) fail "attach: $out" ;; esac
	same_as_native
}

test_lockstep_with_native() {
	mkdir native
	works fusepass mount src mnt
	"$tests/bin/lockstep" "$PWD/native" "$PWD/src" "$PWD/mnt" unpatched |
		grep -v '^ok\|^1\.\.' | sed 's/^not ok/# not ok/'
	[ "${PIPESTATUS[0]}" -eq 0 ]
}

cases_run "$@"
