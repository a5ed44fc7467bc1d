#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers that nobody here wrote, from Debian's packages and unchanged: fusepass run starts
# them, and fusepass probe and policy attach tell what a policy would change. How run ends and what
# it says of mistakes is tested on the host too (host/run.sh).

. "$(dirname "$0")/../lib/cases.sh"

examples=$tests/examples

needs() {	# PROGRAM
	command -v "$1" >/dev/null || skip_case "no $1"
}

# wait_until COMMAND...: until it succeeds, for 20 seconds.
wait_until() {
	local i
	for ((i = 0; i < 200; i++)); do
		! "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "never: $*"
}

# A dead one is no mount point to mountpoint(1).
no_mount() {
	! grep -q " $PWD/mnt " /proc/self/mountinfo
}

# With the module it is one of the module.
type_is_ours() {
	case $(findmnt -no FSTYPE mnt) in "$fuse"|"$fuse".*) ;; *) fail "type $(findmnt -no FSTYPE mnt)" ;; esac
}

server_pid() {
	fusepass list | awk -v mnt="$PWD/mnt" '$1 == mnt { print $3 }'
}

# In the background by itself: run ends, and what is behind it goes with the mount.
test_bindfs_is_run_unchanged() {
	local pid
	needs bindfs
	works timeout 30 fusepass run mnt -- bindfs src mnt
	type_is_ours
	same_as_native
	echo new >mnt/new || fail "no write"
	[ "$(cat src/new)" = new ] || fail "what was written is not there"
	pid=$(server_pid)
	works umount mnt
	wait_until eval "! kill -0 $pid"
}

test_mergerfs_is_run_unchanged() {
	needs mergerfs
	mkdir other
	echo second >other/second
	works timeout 30 fusepass run mnt -- mergerfs src:other mnt
	type_is_ours
	[ "$(cat mnt/second mnt/a.txt)" = "second
text of a" ] || fail "$(ls -l mnt)"
	works umount mnt
}

test_unionfs_is_run_unchanged() {
	needs unionfs
	works timeout 30 fusepass run mnt -- unionfs src=RO mnt
	type_is_ours
	[ "$(cat mnt/a.txt)" = "text of a" ] || fail "$(ls -l mnt)"
	works umount mnt
}

test_example_of_libfuse_takes_a_descriptor() {
	local run
	[ -x "$examples/passthrough" ] || skip_case "no examples of libfuse"
	fusepass run -o default_permissions,allow_other,noatime,fsname=some,subtype=thing mnt -- \
		"$examples/passthrough" -f -o modules=subdir,subdir="$PWD/src" {} &
	run=$!
	wait_until test -e mnt/a.txt
	[ "$(findmnt -no FSTYPE,SOURCE mnt | tr -s ' ')" = "$fuse.thing some" ] || fail "$(findmnt mnt)"
	case ,$(findmnt -no OPTIONS mnt), in *,noatime,*,allow_other,*) ;; *) fail "$(findmnt mnt)" ;; esac
	same_as_native
	works umount mnt
	wait "$run" || fail "status $?"
}

# It would mount on the device itself.
test_server_that_takes_no_descriptor_is_told() {
	needs bindfs
	# What it would follow to the device; udev makes it.
	[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
	fusepass run mnt -- bindfs -f src {} >out 2>&1 && fail "it does"
	grep -qxF "fusepass: run bindfs: it does not take /dev/fd/N as a mount point: give it $PWD/mnt in the place of {}" out ||
		fail "$(cat out)"
	! grep -q " /dev/fuse\| $PWD/mnt " /proc/self/mountinfo || fail "$(cat /proc/self/mountinfo)"
}

test_ends_with_the_server_and_its_status() {
	local run
	needs bindfs
	fusepass run mnt -- bindfs -f src mnt &
	run=$!
	wait_until mountpoint -q mnt
	kill "$run"
	wait "$run" || fail "asked to end: status $?"
	no_mount || fail "still mounted"
	fusepass run mnt -- bindfs -f src mnt 2>out &
	run=$!
	wait_until mountpoint -q mnt
	kill -KILL "$(server_pid)"
	wait "$run"
	[ $? -eq 137 ] || fail "killed: another status"
	no_mount || fail "a dead mount is left"
}

test_killed_server_in_the_background_leaves_no_mount() {
	needs mergerfs
	works timeout 30 fusepass run mnt -- mergerfs src mnt
	kill -KILL "$(server_pid)"
	wait_until no_mount
}

test_own_server_gets_its_policy() {
	local run
	fusepass run --policy mirror mnt -- fusepass mount -f src mnt &
	run=$!
	wait_until eval 'fusepass policy show mnt | grep -q "policy mirror"'
	reset_counts
	same_as_native
	expect_asked_0 "all names"
	works umount mnt
	wait "$run" || fail "status $?"
	[ -z "$(ls /sys/fs/bpf/fusepass)" ] || fail "pins: $(ls /sys/fs/bpf/fusepass)"
}

# Any server's mount takes one where the kernel looks names up late; elsewhere it says why not,
# and nothing stays mounted.
test_policy_on_any_server_is_attached_or_refused_clearly() {
	local status=0
	needs bindfs
	timeout 60 fusepass run --policy mirror mnt -- bindfs src mnt >out 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		contains fusepass policy show mnt -- "policy mirror" "backing   $PWD/src"
		same_as_native
		fusepass -j policy show mnt | grep -q '"pass":[1-9]' || fail "nothing has passed"
		works umount mnt
		return
	fi
	[ "$status" -eq 2 ] || fail "status $status: $(cat out)"
	grep -q '^fusepass: attach mirror to .*: Operation not supported (.*FUSE_PASSTHROUGH_INO' out ||
		fail "$(cat out)"
	no_mount || fail "still mounted"
}

test_policy_that_cannot_be_attached_ends_the_server() {
	needs bindfs
	refused 2 "open policy nosuch" timeout 30 fusepass run --policy nosuch mnt -- bindfs -f src mnt
	no_mount || fail "still mounted"
	refused 2 "No such file or directory" timeout 30 \
		fusepass run --policy mirror --backing none mnt -- bindfs -f src mnt
	no_mount || fail "still mounted"
}

# Probing

differences() {	# DIRECTORY: kinds of what is found with their numbers
	fusepass -p probe --backing "$1" mnt | sed -n 's/^ *"kind": "\(.*\)",/\1/p; s/^ *"count": \([0-9]*\),/\1/p' | paste -sd ' '
}

test_probe_finds_what_a_policy_would_change() {
	needs mergerfs
	mkdir other
	echo second >other/second
	echo other >other/a.txt
	works timeout 30 fusepass run mnt -- mergerfs other:src mnt
	[ "$(differences src)" = "only on the mount 1 of another size 1" ] || fail "$(differences src)"
	[ "$(differences other)" = "only on the mount 3" ] || fail "$(differences other)"
	fusepass probe --backing src mnt >out
	[ $? -eq 1 ] || fail "status is not 1: $(cat out)"
	rm other/*
	# The kernel keeps for a second what it was told.
	wait_until eval 'fusepass probe --backing src mnt >out'
	grep -q "no difference" out || fail "$(cat out)"
	works umount mnt
}

test_attach_warns_of_what_would_change() {
	needs mergerfs
	mkdir other
	echo second >other/second
	works timeout 30 fusepass run mnt -- mergerfs src:other mnt
	timeout 30 fusepass policy attach --backing src mirror mnt >out 2>&1
	grep -q '^fusepass: warning: at the root of .* 1 of 5 names .*only on the mount: /second' out ||
		fail "$(cat out)"
	! fusepass policy detach mnt >/dev/null 2>&1 || contains fusepass -j policy attach --backing src mirror mnt -- \
		'"warning":"at the root'
	works umount mnt
	works fusepass mount src mnt
	timeout 30 fusepass policy attach --backing other mirror mnt >out 2>&1 || fail "$(cat out)"
	! grep -q warning out || fail "of our own server: $(cat out)"
}

test_probe_tells_of_an_attached_policy() {
	works fusepass mount --policy mirror src mnt
	contains fusepass probe mnt -- "no difference" "policy mirror is attached"
}

cases_run "$@"
