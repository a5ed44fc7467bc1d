#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mounts as they are made by mount(8) and fstab(5), with the helper of the packages, and
# what is shown of them and their policies.

. "$(dirname "$0")/../lib/cases.sh"

# mount(8) looks for helpers in one place only, and the guest's is not to be written.
install_helper() {
	mkdir helpers
	works mount -t tmpfs none helpers
	mkdir helpers/upper helpers/work
	cp "$FUSEPASS_TOP/packaging/mount.fuse.fusepass" helpers/upper/
	ln -s mount.fuse.fusepass helpers/upper/mount.fusepass
	ln -s "$(command -v fusepass)" helpers/upper/fusepass
	works mount -t overlay -o "lowerdir=/usr/sbin,upperdir=helpers/upper,workdir=helpers/work" \
		none /usr/sbin
}

before_case() {
	install_helper
}

type_options() {	# of the mount
	findmnt -no OPTIONS "$PWD/mnt"
}

option_is() {	# OPTION
	case ,$(type_options), in *",$1,"*) ;; *) fail "no $1: $(type_options)" ;; esac
}

read_only() {
	! touch mnt/new 2>/dev/null || fail "not read-only: $(type_options)"
}

test_mount_takes_policy_and_knobs_as_options() {
	works mount -t fuse.fusepass src mnt -o policy=suffix,knob.suffixes=.txt:.h,ro,nofail
	option_is ro
	read_only
	contains fusepass policy show mnt -- "policy suffix" "suffixes=.txt,.h"
	reset_counts
	cat mnt/a.txt mnt/dir/c.h >/dev/null || fail "cat"
	expect_asked_0 "matching names"
	cat mnt/b.dat >/dev/null
	expect_asked READ
}

test_fstab_line_is_mounted() {
	echo "$PWD/src $PWD/mnt fuse.fusepass policy=mirror,noatime,nofail,x-systemd.automount 0 0" >fstab
	works mount -T fstab "$PWD/mnt"
	option_is noatime
	contains fusepass policy show mnt -- "policy mirror"
	same_as_native
	works umount mnt
	works mount -T fstab -a
	same_as_native
}

test_rules_and_timeout_are_options() {
	echo 'pass all name *.txt' >my.rules
	works mount -t fuse.fusepass src mnt -o "rules=$PWD/my.rules,timeout=5"
	contains fusepass rules show mnt -- "pass all"
	same_as_native
}

test_remount_changes_what_was_asked_for() {
	works mount -t fuse.fusepass src mnt -o policy=mirror
	works mount -o remount,ro "$PWD/mnt"
	option_is ro
	option_is nosuid
	read_only
	works mount -o remount,rw,noatime "$PWD/mnt"
	option_is noatime
	option_is nodev
	touch mnt/new || fail "still read-only"
	contains fusepass policy show mnt -- "policy mirror"
	same_as_native
}

test_remount_of_a_line_of_fstab() {
	echo "$PWD/src $PWD/mnt fuse.fusepass policy=mirror 0 0" >fstab
	works mount -T fstab "$PWD/mnt"
	works mount -T fstab -o remount,ro "$PWD/mnt"
	read_only
	option_is nosuid
	contains fusepass policy show mnt -- "policy mirror"
}

test_fusermount_unmounts() {
	works fusepass mount --policy mirror src mnt
	works fusermount3 -u mnt
	! mountpoint -q mnt || fail "still mounted"
	works fusepass mount src mnt
	same_as_native
}

test_optional_policy_is_attached_where_it_can() {
	works mount -t fuse.fusepass src mnt -o policy=mirror,policy_optional
	contains fusepass policy show mnt -- "policy mirror"
	works umount mnt
	refused 2 nosuch fusepass mount --policy nosuch --policy-optional src mnt
}

# What is shown

test_list_shows_all_mounts() {
	mkdir other "with blank"
	works fusepass mount --policy mirror src mnt
	works fusepass mount src other
	works fusepass mount -o ro src "with blank"
	fusepass list | grep -E "^$PWD/mnt +$PWD/src +[0-9]+ +yes +mirror\$" >/dev/null ||
		fail "$(fusepass list)"
	fusepass list | grep -E "^$PWD/other +$PWD/src +[0-9]+ +yes +-\$" >/dev/null ||
		fail "$(fusepass list)"
	contains fusepass -j list -- "\"mountpoint\":\"$PWD/with blank\"" '"inode_passthrough":true'
	works umount other "with blank"
}

test_policy_show_tells_knobs_backing_and_programs() {
	local id
	works fusepass mount --policy suffix -k suffixes=.c src mnt
	contains fusepass policy show mnt -- "suffixes=.c" "backing   $PWD/src" "programs  lookup "
	id=$(fusepass -j policy show mnt | sed 's/.*"lookup":\([0-9]*\).*/\1/')
	contains bpftool prog show id "$id" -- suffix_lookup
	works fusepass policy replace -k reader=7 "$tests/bpf/opens.bpf.o" mnt
	contains fusepass policy show mnt -- "reader=7" "lookup " "open "
	contains fusepass -j policy show mnt -- '"knobs":{' '"reader":"7"' "\"backing\":\"$PWD/src\""
}

# Servers that end badly

server_pid() {
	fusepass -j list | python3 -c 'import json, sys
print([m["pid"] for m in json.load(sys.stdin)["mounts"] if m["mountpoint"] == sys.argv[1]][0])' "$PWD/mnt"
}

connection() {
	fusepass -j policy show mnt | sed 's/.*"connection":\([0-9]*\).*/\1/'
}

test_pin_of_a_killed_server_goes() {
	local id
	works fusepass mount --policy mirror src mnt
	id=$(connection)
	[ -e "/sys/fs/bpf/fusepass/$id" ] || fail "no pin"
	mkdir other
	works fusepass mount src other
	kill -KILL "$(server_pid)"
	works umount mnt
	works fusepass policy attach mirror other
	[ "$(ls /sys/fs/bpf/fusepass)" = "$(fusepass -j policy show other | sed 's/.*"connection":\([0-9]*\).*/\1/')" ] ||
		fail "pins: $(ls /sys/fs/bpf/fusepass), killed: $id"
	works umount other
}

# All of it passes: that nobody serves it any more is not seen by a look at it.
test_mount_that_passes_is_replaced_when_its_server_was_killed() {
	local pid
	works fusepass mount --policy mirror src mnt
	pid=$(server_pid)
	kill -KILL "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	same_as_native
	refused 2 "unmount it, or use --replace" fusepass mount src mnt
	# Another one leaves its socket alone.
	mkdir other
	works fusepass mount src other
	works fusepass mount --replace --policy mirror src mnt
	[ "$(findmnt -no TARGET "$PWD/mnt" | wc -l)" -eq 1 ] || fail "mounted over it"
	same_as_native
	works fusepass mount --replace src mnt
	[ "$(findmnt -no TARGET "$PWD/mnt" | wc -l)" -eq 2 ] || fail "a living one was replaced"
	works umount mnt mnt other
}

# The number of the connection is used again at once, before the old server has ended.
test_dying_server_leaves_its_successor_alone() {
	local i id
	for ((i = 0; i < 20; i++)); do
		works fusepass mount --policy mirror src mnt
		id=$(connection)
		works umount mnt
		works fusepass mount --policy mirror src mnt
		[ "$(connection)" -ne "$id" ] || same=1
		sleep 0.2
		contains fusepass policy show mnt -- "policy mirror"
		[ -e "/sys/fs/bpf/fusepass/$(connection)" ] || fail "the pin is gone"
		works fusepass stat --reset mnt
		works umount mnt
	done
	[ -n "${same:-}" ] || note "no number was used again"
}

stop() {	# PID: returns when it has stopped
	local i
	kill -STOP "$1" || fail "no server to stop"
	for ((i = 0; i < 100; i++)); do
		! grep -q '^State:.T' "/proc/$1/status" || return 0
		sleep 0.1
	done
	fail "the server does not stop"
}

test_stopped_server_stops_no_command() {
	local pid
	works fusepass mount src mnt
	pid=$(server_pid)
	stop "$pid"
	timeout 3 fusepass stat mnt >out 2>&1 || fail "stat: $? $(cat out)"
	timeout 3 fusepass list >out 2>&1 || fail "list: $? $(cat out)"
	refused 2 "process $pid, is stopped" timeout 3 fusepass policy attach mirror mnt
	timeout 3 fusepass policy attach --backing src mirror mnt >out 2>&1 || fail "attach: $? $(cat out)"
	timeout 3 fusepass policy show mnt >out 2>&1 || fail "show: $? $(cat out)"
	kill -CONT "$pid"
	same_as_native
}

test_mount_over_its_own_source_takes_policies() {
	works fusepass mount --policy mirror src src
	works fusepass policy replace readonly src
	works fusepass policy detach src
	works fusepass policy attach mirror src
	contains fusepass policy show src -- "policy mirror"
	[ "$(cat src/a.txt)" = "text of a" ] || fail "cat"
	works umount src
}

# The server must not hold what is mounted by itself.
test_tree_with_the_mount_in_it_can_be_unmounted() {
	local pid i option
	mkdir src/in
	for option in "" "--policy mirror"; do
		# shellcheck disable=SC2086
		works fusepass mount $option src src/in
		pid=$(fusepass -j list | sed 's/.*"pid":\([0-9]*\).*/\1/')
		timeout 10 ls -lR src/in >/dev/null 2>&1
		timeout 10 ls src/in/in >/dev/null 2>&1
		works umount src/in
		for ((i = 0; i < 50; i++)); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
		! kill -0 "$pid" 2>/dev/null || fail "the server runs still"
	done
}

# Reasons

test_refused_program_is_told_with_line_and_reason() {
	local out
	works fusepass mount src mnt
	out=$(fusepass policy attach "$tests/bpf/stray.bpf.o" mnt 2>&1)
	# How the reason is put depends on the kernel's verifier.
	case $out in *"program stray_lookup, at return *stray; @ stray.bpf.c:"*": R"*" is an integer scalar here"*|\
	*"program stray_lookup, at return *stray; @ stray.bpf.c:"*": R"*" invalid mem access"*) ;;
	*) fail "$out" ;; esac
	[ "$(wc -l <<<"$out")" -eq 1 ] || fail "more than a line: $out"
	out=$(fusepass policy attach --verifier-log "$tests/bpf/stray.bpf.o" mnt 2>&1)
	case $out in *"BEGIN PROG LOAD LOG"*processed*) ;; *) fail "no log: $out" ;; esac
}

test_list_of_policies_needs_the_control_files() {
	works umount "/sys/fs/$fuse/connections"
	refused 2 "not mounted" fusepass policy list
	works fusepass mount src mnt
	refused 2 "is not mounted on" fusepass policy show mnt
	works umount mnt
}

test_backing_directory_that_is_another_is_told() {
	mkdir other
	works fusepass mount --policy mirror src mnt
	works fusepass policy detach mnt
	refused 2 "another backing directory" fusepass policy attach --backing other mirror mnt
	works fusepass policy attach mirror mnt
}

# A server that opens the device, mounts, and says nothing.
test_attach_to_a_server_that_does_not_begin_ends() {
	local pid out status=0
	python3 -c 'import ctypes, os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
data = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
if libc.mount(b"silent", b"mnt", sys.argv[2].encode(), 0, data):
    sys.exit(os.strerror(ctypes.get_errno()))
time.sleep(100)' "/dev/$fuse" "$fuse" &
	pid=$!
	local i
	for ((i = 0; i < 50; i++)); do grep -q " $PWD/mnt " /proc/self/mountinfo && break; sleep 0.1; done
	out=$(timeout 30 fusepass policy attach --backing src mirror mnt 2>&1) || status=$?
	kill "$pid"
	umount -l mnt
	[ "$status" -eq 2 ] || fail "status $status: $out"
	case $out in *"has not answered INIT"*) ;; *) fail "$out" ;; esac
}

test_signal_ends_attach_in_the_foreground() {
	local pid i
	works fusepass mount src mnt
	stop "$(server_pid)"
	fusepass policy attach --foreground --backing src mirror mnt &
	pid=$!
	for ((i = 0; i < 50; i++)); do fusepass policy list | grep -q mirror && break; sleep 0.1; done
	kill -INT "$pid"
	wait "$pid"
	kill -CONT "$(server_pid)"
	for ((i = 0; i < 50; i++)); do fusepass policy list | grep -q mirror || break; sleep 0.1; done
	! fusepass policy list | grep -q mirror || fail "still attached"
}

cases_run "$@"
