#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On a kernel without the series: the server serves, as any FUSE server does, and the
# command says what is missing.

. "$(dirname "$0")/cases.sh"

test_mount_works_and_says_that_it_is_an_ordinary_server() {
	contains fusepass mount src mnt -- "PASSTHROUGH_INO"
	same_as_native
	expect_asked LOOKUP
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
	"$tests/vm/lockstep" "$PWD/native" "$PWD/src" "$PWD/mnt" unpatched |
		grep -v '^ok\|^1\.\.' | sed 's/^not ok/# not ok/'
	[ "${PIPESTATUS[0]}" -eq 0 ]
}

cases_run "$@"
