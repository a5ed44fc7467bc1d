#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fusepass run on this machine's kernel, whatever it is: wrong arguments, and how a server
# begins and ends. With servers of packages and with policies it is tested in the guest
# (policy/run_test.sh).

. "$(dirname "$0")/lib.sh"

! can_mount || own_mounts "$@"

src=$work/src mnt=$work/mnt
finish() {
	umount -q -l "$mnt" "$mnt"
	rm -rf --one-file-system "$work"
}
trap finish EXIT
mkdir "$src" "$mnt"
echo text >"$src/a"
export FUSEPASS_POLICY_DIR=$TOP/build/bpf

wait_until() {	# COMMAND...
	local i
	for ((i = 0; i < 1200; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}

# The exit status of a child, which is killed if it does not end.
status_of() {	# PID
	wait_until ended "$1" || kill -KILL "$1"
	wait "$1" 2>/dev/null
}
ended() { [ ! -e "/proc/$1/status" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# Wrong arguments -------------------------------------------------------------------

expected="run: MNT -- SERVER is expected"
claim run_without_arguments is_misuse "$expected" fp run
claim run_without_server is_misuse "$expected" fp run "$mnt"
claim run_with_an_empty_server is_misuse "$expected" fp run "$mnt" --
claim run_without_dashes is_misuse "$expected" fp run "$mnt" true
claim run_without_mount_point is_misuse "$expected" fp run -- true
claim run_with_two_mount_points is_misuse "$expected" fp run "$mnt" "$mnt" -- true
claim run_knob_without_policy is_misuse "run: -k and --backing need --policy" fp run -k a=b "$mnt" -- true
claim run_backing_without_policy is_misuse "run: -k and --backing need --policy" fp run -b "$src" "$mnt" -- true
claim run_options_of_no_mount_of_ours is_misuse \
	"run: -o needs an argument {} of the server: else it mounts by itself" fp run -o ro "$mnt" -- true
claim run_mount_point_missing says 2 "fusepass: run: $work/none: No such file or directory" \
	fp run "$work/none" -- true
claim run_mount_point_is_a_file says 2 "fusepass: run: $src/a: Not a directory" fp run "$src/a" -- true
claim run_policy_missing says 2 "fusepass: open policy none: No such file or directory (not in $FUSEPASS_POLICY_DIR; 'fusepass policy available' lists what there is)" \
	fp run --policy none "$mnt" -- true
claim run_server_missing says 2 "fusepass: run nosuchserver: No such file or directory" \
	fp run "$mnt" -- nosuchserver
claim run_hands_an_exit_status_on says 7 \
	"fusepass: run sh: it ended with status 7 before it had mounted on $mnt" fp run "$mnt" -- sh -c 'exit 7'
claim run_of_what_mounts_nothing says 2 \
	"fusepass: run true: it ended with status 0 before it had mounted on $mnt" fp run "$mnt" -- true
claim run_tells_the_signal says 137 \
	"fusepass: run sh: it was killed by signal 9 before it had mounted on $mnt" fp run "$mnt" -- sh -c 'kill -KILL $$'
options_are_the_servers() { [ "$(fp run "$mnt" -- echo -j --help -- {x} 2>/dev/null)" = "-j --help -- {x}" ]; }
claim run_leaves_options_behind_dashes_alone options_are_the_servers
json_status() {
	local out status=0
	out=$(fp -j run "$mnt" -- sh -c 'exit 7') || status=$?
	[ "$status" -eq 7 ] && grep -q '"status":7}' <<<"$out"
}
claim run_tells_the_exit_status_in_json json_status
json_alone() {
	fp -j run "$mnt" -- echo noise 2>"$work/err" | python3 -c \
		'import json, sys; sys.exit(json.load(sys.stdin)["status"] != 2)' && grep -qx noise "$work/err"
}
claim run_with_json_keeps_the_output_of_the_server_apart json_alone
signal_is_handed_on() {
	local pid status=0
	"$FUSEPASS" run "$mnt" -- sh -c 'trap "exit 5" TERM; : >"$1"; while :; do sleep 0.05; done' _ "$work/up" 2>"$work/err" &
	pid=$!
	wait_until test -e "$work/up"
	kill "$pid"
	status_of "$pid" || status=$?
	[ "$status" -eq 5 ]
}
claim run_hands_signals_on signal_is_handed_on

can_mount || { skip mounts "needs root, /dev/fuse and a mount namespace"; done_testing; }

# Servers that mount by themselves ----------------------------------------------------

# A dead one is no mount point to mountpoint(1).
no_mount() { ! grep -q " $mnt " /proc/self/mountinfo; }
serves() { [ "$(timeout 60 cat "$mnt/a")" = text ]; }
supervisors() {	# process ids
	pgrep -f "^$FUSEPASS run $mnt "
}
nobody_left() { no_mount && ! supervisors; }

runs_in_the_background() {
	fp run "$mnt" -- "$FUSEPASS" mount "$src" "$mnt" 2>/dev/null && serves &&
		[ "$(supervisors | wc -l)" -eq 1 ] && umount "$mnt" && wait_until nobody_left
}
claim run_goes_to_the_background_with_its_server runs_in_the_background

lets_go() {
	timeout 120 bash -c '"$1" run "$2" -- "$1" mount "$3" "$2" 2>&1 | cat' _ "$FUSEPASS" "$mnt" "$src" &&
		serves && umount "$mnt" && wait_until nobody_left
}
claim run_in_the_background_holds_no_pipe lets_go

foreground() {	# starts one; $pid
	"$FUSEPASS" run "$mnt" -- "$FUSEPASS" mount -f "$src" "$mnt" 2>"$work/err" &
	pid=$!
	wait_until mountpoint -q "$mnt" && serves
}
server_pid() {
	fp -j list | python3 -c 'import json, sys
for m in json.load(sys.stdin)["mounts"]:
    if m["mountpoint"] == sys.argv[1]: print(m["pid"])' "$mnt"
}
ends_by() {	# STATUS COMMAND...
	local status=0
	foreground && "${@:2}" && { status_of "$pid" || status=$?; } && [ "$status" -eq "$1" ] && wait_until nobody_left
}
# A server that ends with a file open has not freed it: wait for RELEASE of what was read.
released() {
	fp stat "$mnt" 2>/dev/null | awk '$1 == "OPEN" { n += $2 } $1 == "RELEASE" { n -= $2 } END { exit n != 0 }'
}
kill_front() { wait_until released && kill "$pid"; }
kill_server() { kill -KILL "$(server_pid)"; }
claim run_ends_when_it_is_unmounted ends_by 0 umount "$mnt"
claim run_ends_by_a_signal ends_by 0 kill_front
claim run_of_a_killed_server_leaves_no_mount ends_by 137 kill_server
outlives() {
	foreground && kill -KILL "$pid" && { wait "$pid" 2>/dev/null || true; } && serves &&
		umount "$mnt" && wait_until nobody_left
}
claim server_goes_on_without_run outlives
over_another() {
	fp mount "$src" "$mnt" 2>/dev/null && fp run "$mnt" -- "$FUSEPASS" mount "$src" "$mnt" 2>/dev/null &&
		[ "$(findmnt -no TARGET "$mnt" | wc -l)" -eq 2 ] && umount "$mnt" && serves && umount "$mnt" &&
		wait_until nobody_left
}
claim run_over_another_mount over_another
json_of_run() {
	fp -j run "$mnt" -- "$FUSEPASS" mount "$src" "$mnt" 2>/dev/null | python3 -c 'import json, sys
d = json.load(sys.stdin)
sys.exit((d["mountpoint"], d["by_descriptor"]) != (sys.argv[1], False) or d["connection"] <= 0)' "$mnt" &&
		umount "$mnt" && wait_until nobody_left
}
claim run_tells_json json_of_run

# Servers that take /dev/fd/N ------------------------------------------------------------

example=$TOP/build/tests/examples/passthrough
descriptor() {	# COMMAND...: then it is unmounted
	"$FUSEPASS" run "$mnt" -- "$example" -f -o modules=subdir,subdir="$src" {} 2>"$work/err" &
	local pid=$! status=0
	wait_until serves 2>/dev/null && "$@"
	status=$?
	umount "$mnt" && status_of "$pid" && wait_until nobody_left && return $status
}
if [ -x "$example" ]; then
	claim server_takes_a_descriptor descriptor serves
	claim server_that_has_one_is_probed descriptor fp probe --backing "$src" "$mnt"
else
	skip server_takes_a_descriptor "no examples of libfuse"
fi
claim descriptor_that_nobody_answers says 3 \
	"fusepass: run sh: it ended with status 3 before it had answered INIT on $mnt" fp run "$mnt" -- sh -c 'exit 3' {}
claim nothing_is_left_of_it nobody_left
claim unknown_option_of_the_mount is_misuse "run: no mount option 'nosuch'" fp run -o nosuch "$mnt" -- true {}
if command -v bindfs >/dev/null; then
	# What it says itself comes first.
	refuses() { ! fp run "$mnt" -- bindfs -f "$src" {} 2>"$work/err" && grep -qxF "$1" "$work/err"; }
	claim server_that_takes_no_descriptor refuses \
		"fusepass: run bindfs: it does not take /dev/fd/N as a mount point: give it $mnt in the place of {}"
	claim it_has_not_mounted_on_the_device bash -c "! grep -q ' /dev/fuse ' /proc/self/mountinfo"
else
	skip server_that_takes_no_descriptor "no bindfs"
fi

done_testing
