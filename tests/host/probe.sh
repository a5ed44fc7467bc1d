#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fusepass probe on this machine's kernel, whatever it is: what is found to differ between a
# mount of our own server and a directory that is not quite its source, and the limits. With
# other servers it is tested in the guest (policy/run_test.sh).

. "$(dirname "$0")/lib.sh"

! can_mount || own_mounts "$@"

src=$work/src mnt=$work/mnt other=$work/other
finish() {
	umount -q -l "$other/dir" "$mnt"
	rm -rf --one-file-system "$work"
}
trap finish EXIT
mkdir -p "$src/dir/sub" "$mnt"
echo text >"$src/a"
echo deep >"$src/dir/sub/b"
ln -s a "$src/link"
mkfifo "$src/fifo"

misuse_is_2() {	# TEXT COMMAND...
	says 2 "fusepass: $1
Try 'fusepass --help'." "${@:2}"
}
claim probe_without_mount misuse_is_2 "probe: MNT is expected" fp probe
claim probe_of_two_mounts misuse_is_2 "probe: MNT is expected" fp probe "$mnt" "$mnt"
claim probe_with_bad_number misuse_is_2 "probe: sample 'x' is no number up to 1000000" fp probe --sample x "$mnt"
claim probe_with_large_depth misuse_is_2 "probe: depth '1001' is no number up to 1000" fp probe -d 1001 "$mnt"
claim probe_of_nothing says 2 "fusepass: probe $work/none: No such file or directory" fp probe "$work/none"
not_fuse() { fp -j probe "$mnt" | grep -q '"errno":"EINVAL","status":2'; }
claim probe_of_what_is_no_mount_of_fuse not_fuse

can_mount || { skip mounts "needs root, /dev/fuse and a mount namespace"; done_testing; }

fp mount "$src" "$mnt" 2>/dev/null
cp -a "$src" "$other"

found() {	# WANTED ARGUMENT...: kinds with their numbers, then whether it is complete
	local got
	got=$(fp -j probe --backing "$other" "${@:2}" "$mnt" | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["same"] == (not [f for f in d["findings"] if f["kind"] != "not readable"])
print(*["%s %d %s" % (f["kind"], f["count"], " ".join(f["examples"])) for f in d["findings"]],
      "all" if d["complete"] else "more", sep=", ")')
	echo "$got"
	[ "$got" = "$1" ]
}
differs() {	# WANTED COMMAND...: in the other directory, which is put right again
	(cd "$other" && "${@:2}")
	found "$1"
	local status=$?
	put_right
	return $status
}
put_right() { rm -rf "$other"; cp -a "$src" "$other"; }

claim probe_finds_nothing found all
claim probe_exits_with_0 fp probe --backing "$other" "$mnt"
claim probe_finds_names_of_the_mount differs "only on the mount 1 /dir/sub/b, all" rm dir/sub/b
claim probe_finds_names_of_the_directory differs "only in the directory 1 /dir/new, all" touch dir/new
claim probe_finds_types differs "of another type 1 /a, all" bash -c 'rm a; mkdir a'
claim probe_finds_sizes differs "of another size 1 /dir/sub/b, all" truncate -s 7 dir/sub/b
claim probe_finds_targets differs "links to somewhere else 1 /link, all" ln -sfn dir link
claim probe_finds_modes differs "with another owner or mode 1 /dir/sub/b, all" chmod 600 dir/sub/b
claim probe_finds_bytes differs "with other bytes 1 /a, all" bash -c 'echo tExt >a'
claim probe_tells_all_at_once differs \
	"only on the mount 1 /link, only in the directory 1 /new, of another size 1 /a, all" \
	bash -c 'rm link; touch new; echo longer >a'
status_of_a_difference() { touch "$other/new"; fp probe --backing "$other" "$mnt" >/dev/null; [ $? -eq 1 ]; }
claim probe_exits_with_1 status_of_a_difference
claim probe_says_what_a_policy_does bash -c '"$1" probe --backing "$2" "$3" | grep -qx "only in the directory: 1; a policy would show them"' \
	_ "$FUSEPASS" "$other" "$mnt"
put_right

large() {	# a byte in the middle of a file, at no border
	truncate -s 1M "$src/large"
	cp "$src/large" "$other/large"
	printf x | dd of="$other/large" bs=1 seek=$((522240 + $1)) conv=notrunc status=none
	found "${@:2}"
}
claim probe_looks_at_the_middle large 100 "with other bytes 1 /large, all"
claim probe_samples_no_bytes_if_told_so large 100 all --sample 0
rm "$src/large"
put_right
rm "$other/dir/sub/b"
claim probe_looks_no_deeper found all --depth 0
claim probe_tells_that_there_is_more_below found more --depth 1
claim probe_looks_at_so_many_names found more --names 2
claim probe_looks_as_deep_as_told found "only on the mount 1 /dir/sub/b, all" --depth 2
put_right
mount -t tmpfs none "$other/dir"
beneath() { fp -j probe --backing "$other" "$mnt" | grep -q '"mounted_beneath":1,"findings":\[\]'; }
claim probe_leaves_out_what_is_mounted_beneath beneath
umount "$other/dir"
claim probe_of_the_mount_with_itself says 2 \
	"fusepass: probe $mnt: compare with $mnt/dir: Too many levels of symbolic links (it is on the mount itself)" \
	fp probe --backing "$mnt/dir" "$mnt"
claim probe_without_directory says 2 \
	"fusepass: probe $mnt: backing directory: No such file or directory (backing directory $work/none)" \
	fp probe --backing "$work/none" "$mnt"
own() { fp probe "$mnt" | grep -q "^$mnt and $src: no difference$"; }
claim probe_knows_the_directory_of_our_server own
sampled() {	# NUMBER ARGUMENT...
	fp -j probe --backing "$other" "${@:2}" "$mnt" | grep -q "\"files\":$1,"
}
for i in {1..30}; do echo "$i" >"$src/dir/$i"; done
put_right
claim probe_compares_bytes_of_all_files_if_few sampled 32
claim probe_compares_bytes_of_a_sample sampled 10 --sample 10

done_testing
