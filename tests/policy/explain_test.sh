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

# Why a name that is to pass does not

test_explain_a_file_that_is_open_at_the_server() {
	local fd
	printf '%s\n' 'server name a.txt' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	exec {fd}<mnt/a.txt
	read -r -u $fd || fail read
	echo 'pass all' >rules
	works fusepass rules update mnt rules
	says mnt/a.txt /a.txt "verdict: pass" "rule: line 1: pass all" "served by: the server: busy: *" \
		"read: server" "write: server"
	exec {fd}<&-
}

# The narrower verdict holds, whichever name is looked up.
test_explain_a_file_whose_names_are_judged_differently() {
	local fd
	ln src/a.txt src/b.txt
	printf '%s\n' 'pass read name b.txt' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	exec {fd}<mnt/a.txt
	says mnt/b.txt /b.txt "verdict: pass" "rule: line 1: *" "passes: read" "but: conflict: *" "read: kernel" "write: server"
	says mnt/a.txt /a.txt "passes: read" "read: kernel" "write: server"
	exec {fd}<&-
}

test_explain_a_file_of_which_one_name_is_the_servers() {
	local fd
	ln src/a.txt src/b.txt
	printf '%s\n' 'server name b.txt' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	exec {fd}<mnt/a.txt
	says mnt/b.txt /b.txt "verdict: server" "served by: the server: the verdict gave it to the server" "read: server"
	exec {fd}<&-
}

# Of an overlay, files of the lower file system have numbers of that.
test_explain_a_number_of_another_file_system() {
	mkdir lower upper work both
	works mount -t tmpfs lower lower
	echo 'of another' >lower/other
	mount -t overlay overlay both -o lowerdir=lower,upperdir=upper,workdir=work,xino=off 2>/dev/null ||
		skip_case "no overlayfs in this kernel"
	works fusepass mount --policy mirror both mnt
	says mnt/other /other "verdict: pass" "served by: the server: number: *" "read: server" "write: server"
}

# debugfs has an automount of tracefs.
test_explain_an_automount() {
	[ -d /sys/kernel/debug/tracing ] || skip_case "no automount in debugfs"
	works fusepass mount --policy mirror /sys/kernel/debug mnt
	says mnt/tracing /tracing "verdict: pass" "served by: the server: mount: *"
}

test_explain_a_choice_that_is_not_registered() {
	works fusepass mount --policy "$tests/kit/my_redirect/my_redirect.bpf.o" -k entry=dir -k backing_id=77 src mnt
	says mnt/dir /dir "verdict: pass" "served by: the server: backing: *"
}

test_explain_a_file_whose_directory_became_the_servers() {
	local fd
	printf '%s\n' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	exec {fd}<mnt/dir/c.h
	printf '%s\n' 'server name dir' 'pass all' >rules
	works fusepass rules update mnt rules
	says mnt/dir/c.h /dir "verdict: server" "served by: the server: the verdict gave it to the server"
	says mnt/dir/c.h /dir/c.h "verdict: none, the server is asked for the name" \
		"served by: the server: the server answers for its directory, *" "read: server" "write: server"
	exec {fd}<&-
}

# A name that the server gave, and that is not looked up again for an hour, of a file that was judged
# by another name.
test_explain_a_file_that_was_judged_before_the_rules_changed() {
	local fd
	ln src/a.txt src/dir/b.txt
	printf '%s\n' 'server name dir' 'pass all' >rules
	works fusepass mount -t 3600 --rules rules src mnt
	stat mnt/dir/b.txt >/dev/null || fail stat
	exec {fd}<mnt/a.txt
	works fusepass rules update mnt rules
	says mnt/dir/b.txt /dir/b.txt "verdict: known already" \
		"served by: the server: it was judged before the policy changed, *" "read: server" "write: server"
	says mnt/a.txt /a.txt "verdict: pass" "passes: all"
	exec {fd}<&-
}

test_explain_tells_the_reason_in_json() {
	printf '%s\n' 'server name a.txt' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	fusepass -j explain mnt/a.txt >out || fail "status $?"
	python3 -c '
import json
n = json.load(open("out"))["names"][-1]
assert n["why_not"] == "no name of it was passed" and n["requests"] >= 1 and not n["attached"], n
assert n["read"] == "server" and "passes" not in n, n' || fail "$(cat out)"
}

test_explain_needs_privileges() {
	chmod 755 src
	mount_rules
	setpriv --reuid 1000 --clear-groups fusepass explain mnt/a.txt >out 2>&1
	[ $? -eq 2 ] && grep -q "^fusepass: explain mnt/a.txt: Operation not permitted" out || fail "$(cat out)"
	setpriv --reuid 1000 --clear-groups fusepass -j explain mnt/a.txt >out 2>err
	[ $? -eq 2 ] && [ ! -s err ] && python3 -c '
import json
assert json.load(open("out"))["errno"] == "EPERM"' || fail "$(cat out err)"
}

test_explain_wants_the_path_of_the_mount() {
	mount_rules
	ln -s mnt other
	refused 2 "explain other/a.txt: Invalid argument (name it by the path of its mount, without links and '..')" \
		fusepass explain other/a.txt
	refused 2 "without links and '..'" fusepass explain mnt/dir/../../src/a.txt
	says mnt/./dir//./c.h /dir/c.h "passes: read"
}

test_explain_tells_which_rules_look_at_opens() {
	printf '%s\n' 'server open by uid 1000 name *.txt' 'deny EACCES open by gid 7' 'pass all name a*' \
		'server open by uid 7' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	says mnt/a.txt /a.txt "read: kernel" "opens: line 1, if it fits: server open by uid 1000 name \*.txt" \
		"opens: line 2, if it fits: deny EACCES open by gid 7"
	says mnt/dir/c.h /dir/c.h "opens: line 2, *" "opens: line 4, if it fits: server open by uid 7"
	! fusepass explain mnt/a.txt | grep -q 'line 4' || fail "a rule behind that of the name"
	fusepass -j explain mnt/a.txt | python3 -c '
import json, sys
assert json.load(sys.stdin)["names"][-1]["opens"] == [1, 2]' || fail JSON
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
