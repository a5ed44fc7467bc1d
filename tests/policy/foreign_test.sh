#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Policies on mounts of servers from Debian's packages, which know nothing of passthrough:
# bindfs and mergerfs know their files by paths. What passes makes no request, what does not
# pass has the result that it has without a policy.

. "$(dirname "$0")/../lib/cases.sh"
cases_are=quick

# serve SERVER: src on mnt, by that program.
serve() {
	command -v "$1" >/dev/null || skip_case "$1 is not installed"
	[ "$fuse" = fuse ] || skip_case "$1 opens /dev/fuse, which has no policies here"
	case $1 in
	bindfs) works bindfs -o dev,suid src mnt ;;
	mergerfs) works mergerfs -o allow_other,use_ino,dev,suid,minfreespace=1M,cache.files=off src mnt ;;
	esac
}

# Requests since the mount, of this opcode or all, as the kernel counts them.
sent() {	# [OPCODE]
	fusepass stat mnt | awk -v op="${1:-}" 'NR > 2 && $4 ~ /^[0-9]+$/ && (op == "" || $1 == op) { n += $4 } END { print n + 0 }'
}

# no_request COMMAND...: it works, and the server is not asked.
no_request() {
	local before
	before=$(sent)
	works "$@"
	[ "$(sent)" -eq "$before" ] || fail "$*: the server got $(($(sent) - before)) requests"
}

# The same names, attributes and contents on both sides.
same_tree() {
	local a b
	a=$(cd src && find . -printf '%P %y %m %s %n %l\n' | sort)
	b=$(cd mnt && find . -printf '%P %y %m %s %n %l\n' | sort)
	[ "$a" = "$b" ] || fail "trees differ: $(diff <(echo "$a") <(echo "$b"))"
	works diff -r --no-dereference src mnt
}

read_all() {
	same_tree && stat mnt/dir/c.h && cat mnt/a.txt && ls -lR mnt && ! cat mnt/none
}

change_all() {
	mkdir mnt/new mnt/new/sub &&
		echo text >mnt/new/sub/f &&
		ln mnt/new/sub/f mnt/new/g &&
		ln -s g mnt/new/l &&
		mv mnt/new/sub mnt/new/moved &&
		echo more >>mnt/new/moved/f &&
		chmod 640 mnt/new/g &&
		truncate -s 3 mnt/new/g &&
		rm mnt/new/l &&
		same_tree &&
		rm -r mnt/new
}

passes_all() {	# SERVER
	serve "$1"
	works fusepass policy attach mirror --backing src mnt
	no_request read_all
	no_request change_all
	same_tree
}

test_bindfs_is_asked_nothing_where_all_passes() {
	passes_all bindfs
}

test_mergerfs_is_asked_nothing_where_all_passes() {
	passes_all mergerfs
}

# Under readonly the server changes; what it was told of, it is told of.
server_changes() {	# SERVER
	serve "$1"
	works fusepass policy attach readonly --backing src mnt
	no_request read_all
	works change_all
	[ "$(sent RENAME)" -gt 0 ] || [ "$(sent RENAME2)" -gt 0 ] || fail "the server was not asked to rename"
	echo one >mnt/dir/one
	mv mnt/dir mnt/dir2
	echo two >>mnt/dir2/one
	[ "$(cat src/dir2/one)" = $'one\ntwo' ] || fail "dir2/one is $(cat src/dir2/one)"
	no_request same_tree
}

test_bindfs_changes_what_it_was_told_of() {
	server_changes bindfs
}

test_mergerfs_changes_what_it_was_told_of() {
	server_changes mergerfs
}

# Others rename in the tree what the server knows by another path.
follows_others() {	# SERVER
	serve "$1"
	# The server looks up some names before the policy is there.
	[ -z "${2:-}" ] || works ls -lR mnt
	works fusepass policy attach readonly --backing src mnt
	echo 1 >>mnt/a.txt
	mv src/a.txt src/dir/b.txt
	echo 2 >>mnt/dir/b.txt
	[ "$(tail -n 2 src/dir/b.txt)" = $'1\n2' ] || fail "b.txt ends with $(tail -n 2 src/dir/b.txt)"
	mv src/dir src/other
	echo 3 >>mnt/other/b.txt
	[ "$(tail -n 1 src/other/b.txt)" = 3 ] || fail "b.txt ends with $(tail -n 1 src/other/b.txt)"
	same_tree
}

test_bindfs_follows_what_others_rename() {
	follows_others bindfs
}

test_bindfs_follows_what_others_rename_and_it_knew_before() {
	follows_others bindfs known
}

test_mergerfs_follows_what_others_rename() {
	follows_others mergerfs
}

# What is open, and a working directory, go on.
survives_detach() {	# SERVER
	serve "$1"
	works fusepass policy attach mirror --backing src mnt
	(
		cd mnt/dir || exit
		exec 7<c.h 8>>new
		fusepass policy detach "$OLDPWD/mnt" || fail "detach"
		cmp - c.h <&7 || fail "an open file differs"
		echo open >&8
		ls -l . >/dev/null || fail "ls of a working directory"
		stat c.h >/dev/null || fail "stat in a working directory"
		echo more >>c.h || fail "write in a working directory"
		mkdir below || fail "mkdir in a working directory"
	) || exit
	[ "$(cat src/dir/new)" = open ] || fail "new is $(cat src/dir/new)"
	same_tree
	works fusepass policy attach mirror --backing src mnt
	no_request read_all
}

test_bindfs_survives_detach() {
	survives_detach bindfs
}

test_mergerfs_survives_detach() {
	survives_detach mergerfs
}

test_files_of_any_server_are_used_while_policies_come_and_go() {
	local pid
	serve bindfs
	( while :; do
		fusepass policy attach readonly --backing src mnt || exit
		fusepass policy replace mirror --backing src mnt || exit
		fusepass policy detach mnt || exit
	done ) >turns 2>&1 &
	pid=$!
	for _ in {1..12}; do
		works cmp src/a.txt mnt/a.txt
		works ls -l mnt/dir
		echo line >>mnt/dir/log || fail "write"
		mv mnt/dir/log mnt/dir/log2 && mv mnt/dir/log2 mnt/dir/log || fail "mv"
	done
	kill -0 $pid 2>/dev/null || fail "changing policies ended: $(cat turns)"
	kill $pid
	wait $pid
	[ "$(wc -l <src/dir/log)" -eq 12 ] || fail "$(wc -l <src/dir/log) lines"
}

cases_run "$@"
