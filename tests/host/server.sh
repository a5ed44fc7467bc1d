#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server on this machine's kernel, whatever it is: what is done on the
# mount has the outcome that it has natively (mirror_ops.py), a real tree comes
# through whole, the number of open files stays bounded, ends are clean.

. "$(dirname "$0")/lib.sh"
ops=$(dirname "$0")/mirror_ops.py

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -w /dev/fuse ] || skip_all "no /dev/fuse"
can_unshare || skip_all "no mount namespace of its own"
own_mounts "$@"

dir=$work
finish() {
	umount "$dir/mnt" 2>/dev/null
	umount "$dir/src/sub" 2>/dev/null
	rm -rf --one-file-system "$dir"
}
trap finish EXIT
mkdir "$dir/src" "$dir/mnt" "$dir/native"
src=$dir/src mnt=$dir/mnt

server_pid() {
	local socket=/run/fusepass/$1.sock
	python3 - "$socket" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(b"backing\n")
		print(json.loads(s.makefile().read())["pid"])
	END
}

connection() {
	"$FUSEPASS" -j stat "$mnt" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["connection"])'
}

server_says() {	# KEY
	"$FUSEPASS" -j stat "$mnt" |
		python3 -c "import json, sys; print(json.load(sys.stdin)['server']['$1'])"
}

mounted() {
	mountpoint -q "$mnt"
}

# Mounting and its ends ---------------------------------------------------------

claim mount_succeeds "$FUSEPASS" mount "$src" "$mnt"
is type_is_fuse_fusepass "$(findmnt -no FSTYPE "$mnt")" fuse.fusepass
is source_is_shown "$(findmnt -no SOURCE "$mnt")" "$src"
id=$(connection)
socket=/run/fusepass/$id.sock
is socket_is_private "$(stat -c %a "$socket")" 600
bound=$(stat -c '%i %z' "$socket")
pid=$(server_pid "$id")
claim umount_succeeds umount "$mnt"
claim umount_ends_the_server gone "$pid"
# A server that runs beside this test may have the number now, and a socket of its own.
claim_not umount_removes_the_socket test "$(stat -c '%i %z' "$socket" 2>&1)" = "$bound"

"$FUSEPASS" mount "$src" "$mnt" 2>/dev/null
pid=$(server_pid "$(connection)")
kill "$pid"
claim sigterm_ends_the_server gone "$pid"
is sigterm_unmounts "$(mounted && echo mounted)" ""

"$FUSEPASS" mount -f "$src" "$mnt" 2>/dev/null &
fg=$!
for i in {1..50}; do mounted && break; sleep 0.1; done
kill -TERM "$fg"
wait "$fg"
is foreground_server_exits_0_on_sigterm "$?" 0

out=$("$FUSEPASS" -j mount -o nosuchoption "$src" "$mnt")
is bad_mount_option_fails "$?" 2
claim bad_mount_option_is_named grep -q nosuchoption <<<"$out"
is failed_mount_leaves_nothing "$(mounted && echo mounted)" ""

# Only where policies cannot work: the mount must not stay behind.
if [ -e "$TOP/build/bpf/mirror.bpf.o" ] && ! "$FUSEPASS" doctor | grep -q '^ok *series'; then
	out=$("$FUSEPASS" mount --policy mirror "$src" "$mnt" 2>&1)
	is policy_without_the_series_fails "$?" 2
	claim policy_without_the_series_says_so grep -q \
		"attach mirror to $mnt: Operation not supported (this kernel has no" <<<"$out"
	is policy_failure_unmounts "$(mounted && echo mounted)" ""
else
	skip policy_without_the_series_fails "no policy is built, or this kernel has the series"
fi

# The same outcome as natively ---------------------------------------------------

"$FUSEPASS" mount "$src" "$mnt" 2>/dev/null
python3 "$ops" "$dir/native" >"$dir/want" 2>"$dir/native.err"
python3 "$ops" "$mnt" >"$dir/got" 2>"$dir/mount.err"
is operations_ran_to_the_end "$(wc -l <"$dir/got")$(cat "$dir/mount.err")" \
	"$(wc -l <"$dir/want")$(cat "$dir/native.err")"
while IFS=$'\t' read -r name wanted; do
	is "$name" "$(grep -P "^$name\t" "$dir/got" | cut -f 2-)" "$wanted"
done <"$dir/want"

# A real tree, many processes ----------------------------------------------------

copy_and_check() {	# NUMBER
	mkdir "$mnt/p$1" && cp -a "$TOP/scripts" "$TOP/user" "$mnt/p$1/" &&
		tar cf - -C "$mnt/p$1" . | (mkdir "$mnt/q$1" && tar xf - -C "$mnt/q$1") &&
		diff -r "$mnt/p$1" "$mnt/q$1" && diff -r "$TOP/user" "$src/q$1/user" &&
		mv "$mnt/q$1" "$mnt/r$1" && rm -r "$mnt/r$1"
}
for i in {1..8}; do
	copy_and_check "$i" >"$dir/log$i" 2>&1 && touch "$dir/done$i" &
done
wait
is eight_processes_copy_a_tree "$(ls -d "$dir"/done* | wc -l)$(cat "$dir"/log*)" 8

mkdir "$src/wide"
(cd "$src/wide" && seq 1 3000 | xargs touch)
ls -l "$mnt/wide" >/dev/null
fds=$(find "/proc/$(server_pid "$(connection)")/fd" -mindepth 1 | wc -l)
claim open_files_stay_bounded test "$fds" -lt 300
claim nodes_are_more_than_open_files test "$(server_says nodes)" -ge 3000

# Coherent by default ------------------------------------------------------------

echo one >"$src/direct"
cat "$mnt/direct" >/dev/null
echo other >"$src/direct"
is direct_change_is_seen "$(cat "$mnt/direct")" other
mv "$src/direct" "$src/moved"
is direct_rename_is_seen "$(cat "$mnt/moved"; ls "$mnt/direct" 2>/dev/null)" other
rm "$src/moved"
is direct_unlink_is_seen "$(ls "$mnt/moved" 2>/dev/null)" ""

# Another file system beneath the source -----------------------------------------

mkdir "$src/sub"
mount -t tmpfs none "$src/sub"
echo sub >"$mnt/sub/f"
is mount_beneath_the_source_is_served "$(cat "$src/sub/f")" sub
is rename_across_is_a_copy "$(mv "$mnt/sub/f" "$mnt/f" && cat "$src/f")" sub

"$FUSEPASS" stat --reset "$mnt"
claim reset_starts_counting_anew test "$(server_says total)" -lt 10

# Caching ------------------------------------------------------------------------

umount "$mnt"
"$FUSEPASS" mount -t 60 "$src" "$mnt" 2>/dev/null
touch "$mnt/cached"
stat "$mnt/cached" >/dev/null
"$FUSEPASS" stat --reset "$mnt"
for i in {1..20}; do stat "$mnt/cached" >/dev/null; done
claim timeout_caches_names test "$(server_says total)" -lt 5

done_testing
