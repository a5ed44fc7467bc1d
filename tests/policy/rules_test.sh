#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files of rules: each kind of match and each action, with the requests counted at the
# server. What the words mean for any rule and path is compared on the host, by
# tests/host/rules_test.c.

. "$(dirname "$0")/../lib/cases.sh"

# The rules are what comes on stdin.
mount_rules() {
	cat >rules
	works fusepass mount --rules rules src mnt
}

update_rules() {
	cat >rules
	works fusepass rules update mnt rules
}

# Reading these asks the server nothing.
passes() {	# FILE...
	local f
	for f; do
		reset_counts
		cat "mnt/$f" >/dev/null || fail "cat $f"
		expect_asked_0 "$f"
	done
}

# The server is asked for these, and shows the same.
asks() {	# FILE...
	local f
	for f; do
		reset_counts
		cmp -s "mnt/$f" "src/$f" || fail "$f differs"
		[ "$(asked)" -ge 1 ] || fail "$f: the server was not asked"
	done
}

fails_with_errno() {	# TEXT COMMAND...
	local text=$1 out
	shift
	! out=$("$@" 2>&1) || fail "$*: succeeded"
	case $out in *"$text"*) ;; *) fail "$*: not \"$text\": $out" ;; esac
}

more_src() {
	mkdir -p src/pub/deep/er src/private src/.snapshot
	local f
	for f in pub/a.iso pub/b.img pub/deep/er/c.iso pub/d.txt private/x .snapshot/old a.key; do
		echo "$f" >"src/$f"
	done
	truncate -s 2M src/pub/deep/er/c.iso
}

# What matches

test_rules_example_of_the_manual_decides() {
	more_src
	truncate -s 2M src/pub/b.img
	mount_rules <<-'EOR'
		# data served by the daemon, everything else from the tree
		server  name  *.key
		hide    name  .snapshot
		deny EACCES path /private/**
		pass read path /pub/**/*.{iso,img}  size >= 1M
		server  open by uid 1000-1999
		pass    all
	EOR
	passes a.txt pub/a.iso pub/b.img pub/deep/er/c.iso
	asks a.key
	fails_with_errno "Permission denied" cat mnt/private/x
	fails_with_errno "No such file" cat mnt/.snapshot/old
	[ "$(ls -A mnt | grep -c snapshot)" -eq 0 ] || fail "listed: $(ls -A mnt)"
	[ "$(ls mnt/private)" = x ] || fail "private is not listed"
	reset_counts
	# The first is by its size no rule's but the last one.
	echo more >>mnt/pub/a.iso
	expect_asked_0 "write to what passes all"
	echo more >>mnt/pub/b.img
	expect_asked WRITE
}

test_rules_by_name() {
	mount_rules <<<$'server name b*\npass all'
	passes a.txt dir/c.h
	asks b.dat
}

test_rules_by_path_are_of_the_whole_path() {
	mkdir -p src/x/dir
	echo 1 >src/x/dir/c.h
	mount_rules <<<$'server path /dir/*.h\npass all'
	passes x/dir/c.h dir/sub/d.txt
	asks dir/c.h
}

test_rules_by_path_with_any_directories() {
	mkdir -p src/x/sub
	echo 1 >src/x/sub/d.txt
	echo 2 >src/x/d.txt
	mount_rules <<<$'server path /**/sub/*\npass all'
	passes x/d.txt a.txt
	asks x/sub/d.txt dir/sub/d.txt
}

test_rules_by_type() {
	mount_rules <<<$'pass all type dir,link\nserver type none\nserver name b.dat\npass all'
	passes a.txt
	reset_counts
	[ "$(readlink mnt/link)" = a.txt ] || fail "readlink"
	ls mnt/dir >/dev/null
	expect_asked_0 "directory and link"
	asks b.dat
	reset_counts
	stat mnt/none >/dev/null 2>&1
	expect_asked LOOKUP
}

test_rules_by_size() {
	truncate -s 64K src/large
	mount_rules <<<$'server size > 4K type file\npass all'
	passes a.txt
	asks large
}

test_rules_by_mode() {
	chmod 755 src/a.txt
	chmod 600 src/b.dat
	mount_rules <<<$'server mode -0111 type file\nserver mode 0600\npass all'
	passes dir/c.h
	asks a.txt b.dat
}

test_rules_by_owner() {
	chown 1000:5 src/a.txt
	chown 5:2000 src/b.dat
	mount_rules <<<$'server uid 1000-1010,7\nserver gid 2000\npass all'
	passes dir/c.h
	asks a.txt b.dat
}

test_rules_by_age() {
	touch -d '3 days ago' src/a.txt
	mount_rules <<<$'server age > 2d type file\npass all'
	passes b.dat
	asks a.txt
}

# Files that are made are judged by what they are.
test_rules_by_size_judge_what_is_created() {
	mount_rules <<<$'server size > 1K type file\npass all'
	reset_counts
	echo new >mnt/new
	cat mnt/new >/dev/null
	expect_asked_0 "a new file"
	[ "$(cat src/new)" = new ] || fail "not made"
}

test_rules_for_what_no_rule_matches() {
	mount_rules <<<$'pass all path /dir/sub/*'
	asks a.txt
	reset_counts
	cat mnt/dir/sub/d.txt >/dev/null || fail "cat"
	[ "$(asked OPEN)" -eq 0 ] && [ "$(asked READ)" -eq 0 ] && [ "$(asked LOOKUP)" -eq 0 ] ||
		fail "what passes was asked: $(fusepass stat mnt)"
	asks dir/c.h
	same_as_native
}

test_rules_server_takes_all_below_a_directory() {
	mount_rules <<<$'server path /dir\npass all'
	asks dir/c.h dir/sub/d.txt
	passes a.txt
	same_as_native
}

test_rules_xattr_is_refused_with_the_reason() {
	echo 'server xattr user.policy = redact' >rules
	refused 2 "rules:1:14: xattr: policies are not told" fusepass mount --rules rules src mnt
	! mountpoint -q mnt || fail "mounted"
}

# Who opens

as() {	# UID COMMAND...
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}

test_rules_by_who_opens() {
	chmod 755 src
	mount_rules <<<$'server open by uid 1000-1999\ndeny EPERM open by gid 3000 name b.dat\npass all' ||
		fail mount
	passes a.txt
	reset_counts
	[ "$(as 1000 cat mnt/a.txt)" = "text of a" ] || fail "cat as 1000"
	expect_asked OPEN
	expect_asked READ
	[ "$(asked LOOKUP)" -eq 0 ] || fail "LOOKUP reached the server"
	passes a.txt
	fails_with_errno "not permitted" as 3000 cat mnt/b.dat
	[ "$(as 3000 cat mnt/a.txt)" = "text of a" ] || fail "cat of another name"
	passes b.dat
}

# A rule that decides about the name comes first, and with it no rule behind it.
test_rules_for_opens_count_before_the_rule_of_the_name_only() {
	mount_rules <<<$'pass all name a.txt\nserver open\npass all'
	passes a.txt
	asks b.dat
}

test_rules_for_opens_by_path() {
	mount_rules <<<$'server open by uid 0 path /dir/**\npass all'
	passes a.txt
	asks dir/c.h dir/sub/d.txt
}

in_cgroup() {	# CGROUP COMMAND...
	local cg=$1
	shift
	(
		echo $BASHPID >"$cg/cgroup.procs" || exit
		exec "$@"
	)
}

test_rules_by_cgroup_and_those_in_it() {
	mkdir -p cg
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
	[ -e /sys/fs/cgroup/cgroup.procs ] || skip "no cgroup2"
	mkdir -p /sys/fs/cgroup/rules-test/inner /sys/fs/cgroup/rules-other
	mount_rules <<<$'server open by cgroup rules-test\npass all'
	passes a.txt
	reset_counts
	in_cgroup /sys/fs/cgroup/rules-test cat mnt/a.txt >/dev/null || fail "cat"
	expect_asked OPEN
	reset_counts
	in_cgroup /sys/fs/cgroup/rules-test/inner cat mnt/a.txt >/dev/null || fail "cat"
	expect_asked OPEN
	reset_counts
	in_cgroup /sys/fs/cgroup/rules-other cat mnt/a.txt >/dev/null || fail "cat"
	expect_asked_0 "another cgroup"
	echo 'server open by cgroup nosuch' >rules
	refused 2 "rules:1:23: a cgroup below" fusepass rules update mnt rules
	rmdir /sys/fs/cgroup/rules-test/inner /sys/fs/cgroup/rules-test /sys/fs/cgroup/rules-other
}

# What is done

test_rules_pass_groups_and_operations() {
	mount_rules <<<$'pass read name a.txt\npass names,attr name b.dat\npass GETATTR,OPEN,READ name c.h\npass all'
	passes a.txt dir/c.h
	reset_counts
	chmod 640 mnt/a.txt
	expect_asked SETATTR
	reset_counts
	chmod 640 mnt/b.dat
	expect_asked_0 "attributes"
	cat mnt/b.dat >/dev/null
	expect_asked OPEN
	reset_counts
	chmod 640 mnt/dir/c.h
	expect_asked SETATTR
}

test_rules_deny_with_the_errno() {
	mount_rules <<<$'deny EIO name a.txt\ndeny EPERM path /dir\npass all'
	fails_with_errno "Input/output error" cat mnt/a.txt
	fails_with_errno "not permitted" cat mnt/dir/c.h
	passes b.dat
	ls mnt | grep -q a.txt || fail "what is denied is listed"
}

test_rules_hide_from_lookups_and_listings() {
	mount_rules <<<$'hide path /dir/sub\nhide name *.dat\npass all'
	fails_with_errno "No such file" stat mnt/dir/sub
	fails_with_errno "No such file" stat mnt/b.dat
	[ "$(ls mnt | tr '\n' ' ')" = "a.txt dir link " ] || fail "listing: $(ls mnt)"
	[ "$(ls mnt/dir)" = c.h ] || fail "listing: $(ls mnt/dir)"
	fails_with_errno "Permission denied" touch mnt/new.dat
}

test_rules_for_a_time_are_asked_again() {
	mount_rules <<<$'server name a.txt size > 20\npass all for 200ms'
	passes a.txt
	echo 'a much longer text than before, for sure' >src/a.txt
	sleep 0.5
	# A verdict in the same generation may take away.
	asks a.txt
}

test_rules_count_and_show() {
	mount_rules <<<$'server name b.dat count # text\npass all type dir\npass all count'
	cat mnt/b.dat mnt/a.txt mnt/dir/c.h >/dev/null
	contains fusepass rules show mnt -- "DECIDED   LINE  RULE" \
		"         1      1  server name b.dat count" \
		"         -      2  pass all type dir" "         2      3  pass all count"
	contains fusepass -j rules show mnt -- \
		'{"line":3,"rule":"pass all count","decided":2}' '{"line":2,"rule":"pass all type dir"}'
}

test_rules_log_what_they_decide() {
	local pid i
	mount_rules <<<$'deny EACCES name a.txt log\nserver open by uid 0 name b.dat log\npass all'
	fusepass rules log mnt >log 2>&1 &
	pid=$!
	sleep 1
	cat mnt/a.txt mnt/b.dat >/dev/null 2>&1
	for ((i = 0; i < 50; i++)); do
		[ "$(wc -l <log)" -lt 2 ] || break
		sleep 0.1
	done
	kill -INT $pid
	wait $pid || fail "log: status $?"
	grep -q '^name a.txt pid [0-9]* uid 0 line 1: deny EACCES name a.txt log$' log ||
		fail "no name: $(cat log)"
	grep -q '^open - pid [0-9]* uid 0 line 2: server open' log || fail "no open: $(cat log)"
}

test_rules_log_ends_with_the_rules() {
	local pid status=0
	mount_rules <<<$'pass all'
	fusepass -j rules log mnt >log 2>err &
	pid=$!
	sleep 2
	works fusepass policy detach mnt
	wait $pid || status=$?
	[ $status -eq 2 ] && [ ! -s err ] && python3 -c '
import json
j = json.load(open("log"))
assert j["events"] == [] and j["errno"] == "ENOENT" and "not attached any more" in j["error"], j' ||
		fail "status $status: $(cat log err)"
}

# The command

test_rules_attach_replace_and_update() {
	works fusepass mount src mnt
	echo 'server name a.txt' >one
	echo 'pass all' >>one
	echo 'pass all name a.txt' >two
	refused 2 "needs a file of rules" fusepass policy attach rules mnt
	refused 2 "does not go by a file" fusepass policy attach mirror --rules one mnt
	refused 2 "no policy is attached" fusepass rules update mnt one
	works fusepass policy attach rules --rules one mnt
	contains fusepass policy show mnt -- "policy rules"
	passes b.dat
	asks a.txt
	works fusepass rules update mnt two
	cat mnt/a.txt >/dev/null
	asks b.dat
	contains fusepass rules show mnt -- "pass all name a.txt"
	works fusepass policy replace mirror mnt
	refused 2 'policy "mirror" is attached' fusepass rules update mnt two
	refused 2 "does not go by a file of rules" fusepass rules show mnt
	works fusepass policy replace rules --rules one mnt
	asks a.txt
}

test_rules_with_a_mistake_change_nothing() {
	mount_rules <<<$'server name a.txt\npass all'
	echo 'pass all pth /x' >bad
	refused 2 "bad:1:10: path, name" fusepass rules update mnt bad
	asks a.txt
	passes b.dat
	mkdir other
	refused 2 "bad:1:10: path, name" fusepass mount --rules bad src other
}

test_rules_a_thousand_of_them() {
	local i
	mkdir -p src/d500/x
	echo 1 >src/d500/x/f.e500
	echo 2 >src/d500/x/f.e501
	echo 3 >src/n750
	for ((i = 0; i < 500; i++)); do
		printf 'server path /d%d/**/*.e%d\nserver name n%d\n' $i $((i + 1)) $((500 + i))
	done >rules
	sed -i 's|^server path /d499|server path /d500|' rules
	echo 'pass all' >>rules
	[ "$(wc -l <rules)" -eq 1001 ] || fail "rules"
	works fusepass mount --rules rules src mnt
	asks d500/x/f.e500 n750
	passes d500/x/f.e501 a.txt
	same_as_native
}

# Two files of rules that deny the same name with different errors, by a path that goes
# through different states. A mix of both would let it through, or give another error.
test_rules_update_under_load_shows_no_mix() {
	local pids=() i other
	cat >one <<-'EOR'
		deny EACCES path /dir/sub/d.txt
		deny EACCES path /dir/sub/x*
		pass all
	EOR
	cat >two <<-'EOR'
		server path /other/**
		deny EPERM path /dir/sub/[a-f]*.txt
		pass read path /more/of/it/**/*.c
		server path /**/deep/in/**
		pass all name *
	EOR
	works fusepass mount --rules one src mnt
	for i in 1 2; do
		while [ ! -e stop ]; do
			cat mnt/dir/sub/d.txt
			cat mnt/dir/c.h >/dev/null
		done >"out.$i" 2>"err.$i" &
		pids+=($!)
	done
	for ((i = 0; i < 8; i++)); do
		works fusepass rules update mnt two
		works fusepass rules update mnt one
	done
	touch stop
	wait "${pids[@]}"
	[ ! -s out.1 ] && [ ! -s out.2 ] || fail "read: $(cat out.*)"
	other=$(cat err.* | grep -v '/d.txt: Permission denied$\|/d.txt: Operation not permitted$')
	[ -z "$other" ] || fail "other errors: $other"
	grep -q 'Permission denied' err.1 || fail "no error of the first"
	grep -q 'not permitted' err.1 || fail "no error of the second"
	note "$(cat err.* | wc -l) lookups while rules were updated 16 times"
}

cases_run "$@"
