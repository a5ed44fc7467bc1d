#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fusepass mount as others use it: options that every file system takes, readiness for a
# service manager, mounts of users, and what goes wrong. On this machine's kernel, whatever
# it is.

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -w /dev/fuse ] || skip_all "no /dev/fuse"
can_unshare || skip_all "no mount namespace of its own"
own_mounts "$@"

src=$work/src mnt=$work/mnt
finish() {
	umount -q -l "$mnt" "$mnt" "$mnt" "$work/user/mnt" /dev/fuse
	rm -rf --one-file-system "$work"
}
trap finish EXIT
chmod 755 "$work"
mkdir "$src" "$mnt"
echo text >"$src/a"
export FUSEPASS_POLICY_DIR=$TOP/build/bpf

fp_seconds=20

options() {	# of the mount, each between commas
	echo ",$(findmnt -no VFS-OPTIONS "$mnt"),"
}

has() {	# TEXT PART...
	local p
	for p in "${@:2}"; do
		case $1 in *"$p"*) ;; *) echo "no \"$p\" in: $1"; return 1 ;; esac
	done
}

mount_with() {	# OPTIONS WANTED...
	fp mount -o "$1" "$src" "$mnt" && has "$(options)" "${@:2}"
	local status=$?
	umount "$mnt"
	return $status
}

connection() {
	fp -j list | python3 -c 'import json, sys
for m in json.load(sys.stdin)["mounts"]:
    if m["mountpoint"] == sys.argv[1]: print(m[sys.argv[2]])' "$mnt" "$1"
}

# Options ------------------------------------------------------------------------

claim default_options_are_nosuid_and_nodev mount_with defaults ,nosuid, ,nodev,
claim noatime_is_taken mount_with noatime ,noatime,
claim strictatime_is_taken mount_with strictatime ,nosuid,nodev,
strict() { fp mount -o strictatime "$src" "$mnt" && ! has "$(options)" relatime; local s=$?; umount "$mnt"; return $s; }
claim strictatime_is_not_relatime strict
claim relatime_and_nodiratime_are_taken mount_with relatime,nodiratime ,nodiratime, ,relatime,
claim nosymfollow_is_taken mount_with nosymfollow ,nosymfollow,
claim options_without_a_meaning_are_taken mount_with lazytime,iversion,silent ,nosuid,
claim read_only_with_others mount_with ro,strictatime,noexec ,ro, ,noexec, ,nosuid,

# Readiness ----------------------------------------------------------------------

# A service manager that waits: prints what it was told.
listen() {	# SOCKET
	timeout 20 python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)' "$1"
}

is_ready_when_mounted() {
	local out=$work/notified socket=$work/notify pid i
	listen "$socket" >"$out" &
	for i in {1..50}; do grep -q bound "$out" && break; sleep 0.1; done
	NOTIFY_SOCKET=$socket "$FUSEPASS" mount -f "$src" "$mnt" &
	pid=$!
	for i in {1..100}; do grep -q READY "$out" && break; sleep 0.1; done
	grep -x READY=1 "$out" && mountpoint -q "$mnt" && [ "$(cat "$mnt/a")" = text ]
	local status=$?
	kill "$pid"
	wait "$pid" || status=1
	return $status
}
claim service_manager_is_told_when_the_mount_is_there is_ready_when_mounted

unit_is_valid() {
	local unit
	for unit in "$TOP"/packaging/systemd/*; do
		# It runs what is installed.
		sed 's|/usr/bin/fusepass|/bin/true|' "$unit" >"$work/${unit##*/}"
	done
	cp "$work/fusepass@.service" "$work/fusepass@x.service"
	systemd-analyze verify --man=no "$work/fusepass@x.service" "$work"/*.mount 2>&1 |
		tee "$work/verify" | grep "^$work\|fusepass" && return 1
	[ -e "$work/verify" ]
}
if command -v systemd-analyze >/dev/null; then
	claim units_are_valid unit_is_valid
else
	skip units_are_valid "no systemd-analyze"
fi

# Policies where the kernel has none ---------------------------------------------

if "$FUSEPASS" doctor | grep -q '^ok *series'; then
	skip policy_optional "this kernel has policies"
else
	out=$(fp mount --policy mirror --policy-optional "$src" "$mnt" 2>&1)
	is optional_policy_is_no_failure "$?$(cat "$mnt/a")" 0text
	claim optional_policy_that_is_not_there_is_told has "$out" "without the policy mirror: this kernel has no"
	umount "$mnt"
	out=$(fp -j mount --policy mirror --policy-optional "$src" "$mnt")
	claim optional_policy_is_told_in_json has "$out" '"without_policy":"this kernel has no'
	umount "$mnt"
fi

# Standard and other descriptors ------------------------------------------------

serves() { [ "$(timeout 10 cat "$mnt/a")" = text ] && [ "$(timeout 10 ls "$mnt")" = a ]; }
closed() {	# REDIRECTIONS
	eval "fp mount \"$src\" \"$mnt\" $1" && serves
	local status=$?
	umount -l "$mnt"
	return $status
}
claim works_without_stdin closed '<&- 2>/dev/null'
claim works_without_stdin_stdout_and_stderr closed '<&- >&- 2>&-'

# A pipe that the server inherits would not end here.
claim inherited_descriptors_are_closed timeout 10 bash -c \
	'"$1" mount "$2" "$3" 2>/dev/null 7>&1 8</dev/null | cat' _ "$FUSEPASS" "$src" "$mnt"
pid=$(connection pid)
inherited() { ! readlink "/proc/$pid/fd/"* | grep -E '^pipe:'; }
claim server_has_no_pipe_of_others inherited

# List ----------------------------------------------------------------------------

claim list_shows_mount_source_and_server grep -E \
	"^$mnt +$src +$pid +(no|yes|\?) +-$" <("$FUSEPASS" list)
claim stopped_server_is_listed_at_once timeout 2 bash -c \
	'kill -STOP $1; "$2" list; s=$?; kill -CONT $1; exit $s' _ "$pid" "$FUSEPASS"

# The control socket ----------------------------------------------------------------

silent_clients() {	# NUMBER: they say nothing while somebody asks
	timeout 20 python3 -c 'import socket, subprocess, sys, time
clients = []
for i in range(int(sys.argv[1])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[2])
    clients.append(s)
start = time.time()
subprocess.run(sys.argv[3:], check=True, stdout=subprocess.DEVNULL)
sys.exit(time.time() - start > 1.5)' "$1" "/run/fusepass/$(connection connection).sock" "$FUSEPASS" stat "$mnt"
}
claim silent_client_blocks_nobody silent_clients 1
claim forty_silent_clients_block_nobody silent_clients 40

stopped() {
	local start status
	kill -STOP "$pid"
	until grep -q '^State:.T' "/proc/$pid/status"; do sleep 0.1; done
	start=$SECONDS
	fp stat "$mnt" >"$work/out" 2>&1
	status=$?
	kill -CONT "$pid"
	cat "$work/out"
	[ "$status" -eq 2 ] && [ $((SECONDS - start)) -le 2 ] && grep "process $pid, is stopped" "$work/out"
}
if [ -e /sys/fs/fuse/connections/"$(connection connection)"/policy ]; then
	skip stopped_server_is_told_at_once "the kernel has counts of its own"
else
	claim stopped_server_is_told_at_once stopped
fi

# A server that has died -------------------------------------------------------------

id=$(connection connection)
kill -KILL "$pid"
gone "$pid"
out=$(fp mount "$src" "$mnt" 2>&1)
is mount_over_a_dead_server_fails "$?" 2
claim mount_over_a_dead_server_says_what_to_do has "$out" "Transport endpoint is not connected" "unmount it, or use --replace"
out=$(fp stat "$mnt" 2>&1)
claim counts_of_a_dead_server_say_why_not has "$out" "its server has died"
claim dead_mount_is_replaced fp mount --replace "$src" "$mnt"
claim mount_in_its_place_works serves
claim one_mount_is_there test "$(findmnt -no TARGET "$mnt" | wc -l)" -eq 1
claim mount_of_a_living_server_is_not_replaced fp mount --replace "$src" "$mnt"
claim it_is_mounted_over test "$(findmnt -no TARGET "$mnt" | wc -l)" -eq 2
umount "$mnt" "$mnt"
fp mount "$src" "$mnt" 2>/dev/null
claim_not socket_of_a_killed_server_is_removed bash -c \
	"[ -e /run/fusepass/$id.sock ] && ! fuser -s /run/fusepass/$id.sock && [ $id != $(connection connection) ]"
umount "$mnt"

# Mistakes ----------------------------------------------------------------------------

: >"$work/file"
out=$(fp mount "$src" "$work/file" 2>&1)
is mount_on_a_file_fails "$?$out" "2fusepass: mount: $work/file: Not a directory"
out=$(fp mount -o nosuchoption "$src" "$mnt" 2>&1)
claim message_of_libfuse_is_whole has "$out" "unknown option(s): \`-o nosuchoption'"
out=$(fp mount --log nowhere "$src" "$mnt" 2>&1)
claim log_has_two_places has "$out" "log 'nowhere' is neither stderr nor syslog"

# Logs ----------------------------------------------------------------------------------

debugs() {
	local pid i
	"$FUSEPASS" mount -d "$src" "$mnt" 2>"$work/debug" &
	pid=$!
	for i in {1..50}; do mountpoint -q "$mnt" && break; sleep 0.1; done
	ls "$mnt" >/dev/null
	umount "$mnt"
	wait "$pid" && grep -q 'OPENDIR' "$work/debug"
}
claim debug_shows_each_request debugs

# Users -------------------------------------------------------------------------------------

user() {
	setpriv --reuid nobody --regid nogroup --clear-groups env XDG_RUNTIME_DIR="${run-}" HOME=/ "$@"
}
mkdir "$work/user" "$work/run" "$work/bin"
echo own >"$work/user/f"
# The checkout may be where this user cannot look.
cp "$FUSEPASS" "$work/bin/fusepass"
umnt=$work/user/mnt
mkdir "$umnt"
chown -R nobody:nogroup "$work/user" "$work/run"
as_user() {
	run=$1
	user timeout 20 "$work/bin/fusepass" mount "$work/user" "$umnt" 2>"$work/out"
	local status=$?
	cat "$work/out"
	[ $status -eq 0 ] && [ "$(user cat "$umnt/f")" = own ] && user touch "$umnt/new" &&
		[ "$(stat -c %U "$work/user/new")" = nobody ]
}
unmounts() { user fusermount3 -u "$umnt" && ! mountpoint -q "$umnt"; }
# A device that users may open, as udev makes it.
mknod -m 666 "$work/device" c 10 229 2>/dev/null && mount --bind "$work/device" /dev/fuse
if user fusermount3 --version >/dev/null 2>&1 && [ -u "$(command -v fusermount3)" ] &&
   user test -w /dev/fuse; then
	claim user_mounts_without_a_control_socket as_user ""
	claim missing_control_socket_is_told grep "no control socket" "$work/out"
	claim user_unmounts unmounts
	claim user_mounts_with_a_control_socket as_user "$work/run"
	claim socket_is_in_the_runtime_directory bash -c "ls '$work/run/fusepass/'*.sock"
	claim user_gets_counts user "$work/bin/fusepass" stat "$umnt"
	claim user_unmounts_again unmounts
	claim_not socket_is_removed bash -c "sleep 1; ls '$work/run/fusepass/'*.sock"
else
	skip users "no fusermount3 for users"
fi
done_testing
