#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fusepass explain says of each name on a path what the kernel then does.

. "$(dirname "$0")/../lib/cases.sh"
cases_are=quick

mount_rules() {
	printf '%s\n' 'server name *.dat' 'hide name hidden' 'deny EPERM name secret' \
		'pass read path /dir/**' 'pass all' >rules
	echo 1 >src/hidden
	echo 2 >src/secret
	works fusepass mount --rules rules src mnt
}

# says PATH NAME LINE...: these lines are below NAME, which is a path within the mount.
says() {
	local out line
	out=$(fusepass explain "$1") || fail "explain $1: status $?: $out"
	out=$(awk -v name="$2" '/^\// { on = $0 == name; next } on { sub(/^ +/, ""); gsub(/  +/, ": "); print }' <<<"$out")
	[ -n "$out" ] || fail "explain $1 does not tell of $2"
	shift 2
	for line; do
		# shellcheck disable=SC2053
		while read -r got; do
			[[ $got != $line ]] || continue 2
		done <<<"$out"
		fail "no line \"$line\" in: $out"
	done
}

test_explain_a_name_that_passes() {
	mount_rules
	says mnt/a.txt /a.txt "verdict: pass" "rule: line 5: pass all" "passes: all" \
		"backing: */src/a.txt, inode $(stat -c %i src/a.txt) on *" "read: kernel" "write: kernel"
	reset_counts
	cat mnt/a.txt >/dev/null
	expect_asked_0 "it said that the kernel reads"
}

test_explain_a_mask() {
	mount_rules
	says mnt/dir/c.h /dir/c.h "rule: line 4: pass read path /dir/**" "passes: read" "read: kernel" "write: server"
	says mnt/dir/c.h /dir "rule: line 5: pass all" "passes: all"
	reset_counts
	echo more >>mnt/dir/c.h
	expect_asked WRITE
}

test_explain_a_name_of_the_server() {
	mount_rules
	says mnt/b.dat /b.dat "verdict: server" "rule: line 1: server name \*.dat" "served by: the server: *" \
		"lookup: asked the server * times" "read: server" "write: server"
}

test_explain_names_that_fail() {
	mount_rules
	says mnt/hidden /hidden "verdict: ENOENT" "rule: line 2: hide name hidden" "error: No such file or directory"
	says mnt/secret /secret "verdict: EPERM" "rule: line 3: *" "error: Operation not permitted"
}

test_explain_goes_as_far_as_there_are_names() {
	local out
	mount_rules
	out=$(fusepass explain mnt/none/of/it) || fail "status"
	grep -qx /none <<<"$out" && ! grep -q '^/none/of' <<<"$out" || fail "$out"
}

test_explain_what_is_known_already() {
	mount_rules
	cat mnt/a.txt >/dev/null
	says mnt/a.txt /a.txt "verdict: known already" "passes: all" "read: kernel"
}

test_explain_after_the_rules_have_changed() {
	mount_rules
	says mnt/b.dat /b.dat "read: server"
	echo 'pass all' >rules
	works fusepass rules update mnt rules
	says mnt/b.dat /b.dat "verdict: pass" "rule: line 1: pass all" "passes: all" "read: kernel"
}

test_explain_without_a_policy() {
	works fusepass mount src mnt
	says mnt/a.txt /a.txt "served by: the server: no policy is attached" "read: server"
}

test_explain_in_json() {
	mount_rules
	fusepass -j explain mnt/dir/c.h >out || fail "status $?"
	python3 -c '
import json
n = json.load(open("out"))["names"]
assert [x["path"] for x in n] == ["/", "/dir", "/dir/c.h"], n
assert n[2]["passes"] == "read" and n[2]["line"] == 4 and n[2]["attached"], n
assert (n[2]["read"], n[2]["write"]) == ("kernel", "server"), n' || fail "$(cat out)"
}

test_explain_what_is_on_no_fuse_mount_is_refused() {
	refused 2 "explain src/a.txt: Invalid argument" fusepass explain src/a.txt
}

cases_run "$@"
