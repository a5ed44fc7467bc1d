#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The generator of random operations (tests/diff/soak.c) against itself: two plain
# directories do not differ, and a difference that is planted is found and shrunk.

. "$(dirname "$0")/lib.sh"

soak=$TOP/build/tests/bin/soak
# Operations are done as several users, in a directory they can reach.
chmod 755 "$work"

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$soak" ] || skip_all "not built"
unshare -m --propagation private true 2>/dev/null || skip_all "no mount namespace of its own"
if [ -z "${SOAK_UNSHARED:-}" ]; then
	SOAK_UNSHARED=1 exec unshare -m --propagation private "$0" "$@"
fi
mount -t tmpfs -o mode=755 soak "$work"
trap 'umount -l "$work"; rm -rf "$work"' EXIT
mkdir "$work/a" "$work/b"

two_directories_do_not_differ() {	# SEED
	"$soak" --seed "$1" --ops 8000 --check 1000 "$work/a" "$work/b"
}

several_processes_do_not_differ() {
	"$soak" --seed 7 --ops 1500 --procs 4 "$work/a" "$work/b"
}

nothing_is_left() {
	[ -z "$(ls -A "$work/a" "$work/b" | grep -v ":$")" ]
}

seed_gives_the_same_sequence() {
	"$soak" --seed 9 --ops 3000 --plant 2900 --save "$work/one" "$work/a" "$work/b"
	"$soak" --seed 9 --ops 3000 --plant 2900 --save "$work/two" "$work/a" "$work/b"
	[ -s "$work/one" ] && cmp "$work/one" "$work/two"
}

planted_difference_is_found() {	# SEED
	! "$soak" --seed "$1" --ops 8000 --plant 1000 --save "$work/long" \
		--shrink="$work/small" "$work/a" "$work/b"
}

planted_difference_is_shrunk_to_a_few() {
	cat "$work/small"
	grep -q left_out=1 "$work/small" && [ "$(wc -l <"$work/long")" -ge 1000 ] &&
		[ "$(wc -l <"$work/small")" -le 8 ]
}

shrunk_sequence_differs_when_replayed() {
	"$soak" --replay "$work/small" "$work/a" "$work/b"
	[ $? -eq 1 ]
}

shrunk_sequence_without_the_plant_does_not() {
	sed -i 's/ left_out=1//' "$work/small"
	"$soak" --replay "$work/small" "$work/a" "$work/b"
}

bad_sequence_is_refused() {
	echo 'mkdir where=nowhere' >"$work/bad"
	"$soak" --replay "$work/bad" "$work/a" "$work/b"
	[ $? -eq 2 ]
}

# Two file systems with another limit each are not alike, and nobody has planted that.
other_file_system_is_noticed() {
	mkdir -p "$work/c"
	mount -t tmpfs -o nr_inodes=30 small "$work/c"
	"$soak" --seed 3 --ops 8000 "$work/a" "$work/c"
	local status=$?
	umount "$work/c"
	[ "$status" -eq 1 ]
}

claim two_directories_do_not_differ two_directories_do_not_differ 1
claim two_directories_do_not_differ_with_another_seed two_directories_do_not_differ 2
claim several_processes_do_not_differ several_processes_do_not_differ
claim nothing_is_left nothing_is_left
claim seed_gives_the_same_sequence seed_gives_the_same_sequence
for seed in 4 5; do
	claim "planted_difference_is_found_$seed" planted_difference_is_found $seed
	claim "planted_difference_is_shrunk_to_a_few_$seed" planted_difference_is_shrunk_to_a_few
	claim "shrunk_sequence_differs_when_replayed_$seed" shrunk_sequence_differs_when_replayed
	claim "shrunk_sequence_without_the_plant_does_not_$seed" \
		shrunk_sequence_without_the_plant_does_not
done
claim bad_sequence_is_refused bad_sequence_is_refused
claim other_file_system_is_noticed other_file_system_is_noticed
done_testing
