#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demonstration: a mount serves a real tree and no request reaches its server.
#
# Runs in the guest (tests/vm/vmtest.sh). The same work is done four times: on the tree
# itself, on a mount without a policy, with the policy `mirror` attached by the command
# while it is mounted, and after it was detached. What each printed is compared with
# what the native tree printed, byte for byte; the server counts its requests.
#
# Exit status: 0 when no output differs, the server was asked without the policy, and
# was not asked with it.

set -u

# Client and server on one CPU: to wake the other one costs an emulated machine more than
# the request itself.
[ -n "${DEMO_PINNED:-}" ] || DEMO_PINNED=1 exec taskset -c 1 "$0" "$@"

top=$FUSEPASS_TOP
tests=$top/build/tests
image=$tests/demo.img
work=/mnt/demo
src=$work/disk/tree
mnt=$work/mnt
failed=0

fail() {
	printf 'demo: %s\n' "$*"
	failed=1
}

die() {
	printf 'demo: %s\n' "$*"
	exit 1
}

# The image is on the host's file system, which the guest must not write to.
prepare() {
	mkdir -p "$work/disk" "$mnt" "$work/out"
	[ -r "$image" ] || die "no $image: make tests"
	if [ -b /dev/vda ]; then
		dd if="$image" of=/dev/vda bs=4M conv=sparse status=none ||
			die "cannot copy $image"
		mount -t ext4 /dev/vda "$work/disk" || die "cannot mount the image"
	else
		cp --sparse=always "$image" "$work/image" || die "cannot copy $image"
		mount -t ext4 -o loop "$work/image" "$work/disk" ||
			die "cannot mount the image"
	fi
	files=$(find "$src" -type f | wc -l)
	dirs=$(find "$src" -type d | wc -l)
	echo "tree: $files files in $dirs directories, $(du -sm "$src" | cut -f1) MB, on ext4"
	[ "$files" -ge 5000 ] && [ "$dirs" -ge 300 ] || die "the tree is too small"
}

# The work, in the current directory. Each prints what it found.
work_find() { find . -ls; }
work_ls() { ls -lR .; }
work_sum() { find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum; }
work_names() { "$tests/bin/names" 10000; }

milliseconds() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# Directory and file names of a run go into variables named after it, for the table.
run_work() {	# RUN DIRECTORY
	local run=$1 w start
	sync
	echo 3 >/proc/sys/vm/drop_caches
	forget_settled
	[ "$run" = native ] || fusepass stat --reset "$mnt" || die "no counts"
	cd "$2" || die "cannot enter $2"
	for w in find ls sum names; do
		start=$(milliseconds)
		"work_$w" >"$work/out/$run.$w" 2>&1
		echo $(($(milliseconds) - start)) >"$work/out/$run.$w.ms"
	done
	cd /
	[ "$run" = native ] || requests >"$work/out/$run.requests"
}

# Dropped inodes are forgotten in the background, which is not part of the work.
forget_settled() {
	local before=- now=0
	mountpoint -q "$mnt" || return 0
	while [ "$before" != "$now" ]; do
		before=$now
		sleep 0.3
		now=$(fusepass stat "$mnt" | awk '$1 == "FORGET" || $1 == "BATCH_FORGET" { print $2 }')
	done
}

# Lines "OPCODE COUNT" of what the server has seen, and their total.
requests() {
	fusepass stat "$mnt" | awk 'NR > 1 && $2 ~ /^[0-9]+$/ && ($2 > 0 || $1 == "total") { print $1, $2 }'
}

total() {	# RUN
	awk '$1 == "total" { print $2 }' "$work/out/$1.requests"
}

ratio() {	# RUN WORK
	awk -v a="$(cat "$work/out/$1.$2.ms")" -v b="$(cat "$work/out/native.$2.ms")" \
		'BEGIN { printf "%.2f", b ? a / b : 0 }'
}

compare() {	# RUN
	local w same=equal
	for w in find ls sum names; do
		if ! cmp -s "$work/out/native.$w" "$work/out/$1.$w"; then
			same=DIFFERENT
			fail "$w: output differs from native's:"
			diff "$work/out/native.$w" "$work/out/$1.$w" | head -n 6
		fi
	done
	echo "output: $same"
}

report() {	# RUN TITLE
	echo
	echo "== $2"
	if [ "$1" = native ]; then
		for w in find ls sum names; do
			printf '   %-28s %6d ms, %d lines\n' "${title[$w]}" \
				"$(cat "$work/out/native.$w.ms")" "$(wc -l <"$work/out/native.$w")"
		done
		return
	fi
	for w in find ls sum names; do
		printf '   %-28s %6d ms, %s of native\n' "${title[$w]}" \
			"$(cat "$work/out/$1.$w.ms")" "$(ratio "$1" "$w")"
	done
	echo "   requests that reached the server:"
	sed 's/^/      /' "$work/out/$1.requests"
	compare "$1"
}

show() {
	echo
	echo "\$ $*"
	"$@" || fail "$* failed"
}

declare -A title=(
	[find]='find -ls' [ls]='ls -lR' [sum]='checksum of all bytes'
	[names]='10,000 names that are not'
)

prepare
run_work native "$src"
report native "the tree itself"

# With the timeouts that libfuse has by default; without them it takes minutes.
fusepass mount -t 1 "$src" "$mnt" || die "mount failed"
run_work without "$mnt"
report without "mounted, no policy, names and attributes cached for 1 s"

show fusepass policy attach mirror "$mnt"
run_work with "$mnt"
report with "mounted, policy mirror"
show fusepass policy show "$mnt"
# It knows the types of the kernel, and crashes on those of a module.
[ -e /dev/fusepass ] || show bpftool struct_ops list
show bpftool link list
show bpftool prog list
[ -e /dev/fusepass ] || show bpftool struct_ops dump name mirror
show bpftool map dump name counters

show fusepass policy detach "$mnt"
run_work after "$mnt"
report after "mounted, policy detached"

umount "$mnt" || fail "cannot unmount"
n=$(total without)
m=$(total with)
[ "${n:-0}" -gt 0 ] || fail "the server was not even asked without the policy"
[ "$(total after)" -gt 0 ] || fail "the server is not asked after detaching"
[ "${m:-1}" -eq 0 ] || fail "the server was asked although all was to pass"
echo
echo "demo: server requests without policy ${n:-?}, with policy ${m:-?}"
exit $failed
