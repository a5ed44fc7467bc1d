#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory that the series costs where nothing is passed: the size of what there is for
# each name, file, inode and mount, and the stack of the functions of fs/fuse, compared
# between the fast kernel and the same one without the series. VMLINUX and VMLINUX_BASE
# choose other kernels.

. "$(dirname "$0")/lib.sh"

CACHE=$(. scripts/lib.sh && echo "$CACHE")
VMLINUX=${VMLINUX:-$CACHE/out-fast/vmlinux}
VMLINUX_BASE=${VMLINUX_BASE:-$CACHE/out-fast/vmlinux-base}

# Bytes that a frame may grow by: where names are looked up and made, and elsewhere.
TOLERANCE=64
TOLERANCE_OTHER=96

# The functions below which the VFS and the server's replies are deep already.
DEEP='fuse_lookup fuse_lookup_name fuse_dentry_revalidate fuse_create_open create_new_entry'

command -v pahole >/dev/null || skip_all "pahole is not installed"
for v in "$VMLINUX_BASE" "$VMLINUX"; do
	[ -f "$v" ] || skip_all "no ${v##*/} (run 'make kernel')"
done

size_of() {	# VMLINUX STRUCT
	pahole -F btf -C "$2" "$1" 2>/dev/null | sed -n 's,.*/\* size: \([0-9]*\).*,\1,p' | grep .
}

grows_by_at_most() {	# BYTES STRUCT
	local base now
	base=$(size_of "$VMLINUX_BASE" "$2") && now=$(size_of "$VMLINUX" "$2") || return
	echo "$2: $base bytes in the base, $now here"
	[ "$now" -le $((base + $1)) ]
}

# Where the text of fs/fuse is: its objects are linked side by side, so this is the longest
# row of functions named fuse_*.
fuse_text() {	# VMLINUX: START END
	nm -n "$1" | awk '
		$2 ~ /^[tT]$/ { n++; address[n] = "0x" $1; mine[n] = $3 ~ /^_*fuse_/ }
		END {
			for (i = 1; i <= n; i++) {
				if (!mine[i])
					continue
				if (i - last > 40) {
					first = i
					count = 0
				}
				last = i
				if (++count > most) {
					most = count
					start = address[first]
					end = address[i + 1]
				}
			}
			print start, end
		}'
}

# Stack of each function: saved registers, and room for variables.
frames() {	# VMLINUX: FUNCTION BYTES
	local start end
	read -r start end < <(fuse_text "$1")
	objdump -d --no-show-raw-insn --start-address="$start" --stop-address="$end" "$1" | awk '
		function hex(s,    i, n) {
			for (i = 1; i <= length(s); i++)
				n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return n
		}
		function done() { if (name != "") print name, bytes }
		/^[0-9a-f]+ <.*>:$/ {
			done()
			name = $2
			gsub(/^<|>:$|\.(isra|constprop)\.[0-9]+/, "", name)
			bytes = 0
			split("", saved)
		}
		$2 == "push" && !($3 in saved) { saved[$3]; bytes += 8 }
		$2 == "sub" && $3 ~ /^\$0x[0-9a-f]+,%rsp$/ {
			sub(/^\$0x/, "", $3)
			sub(/,%rsp$/, "", $3)
			bytes += hex($3)
		}
		END { done() }'
}

frame_of() {	# FILE FUNCTION
	awk -v f="$2" '$1 == f { print $2; found = 1 } END { exit !found }' "$1"
}

# Enough of them, and some that are known to be large.
frames_are_known() {
	local f
	wc -l "$work/base" "$work/now"
	for f in base now; do
		[ "$(wc -l <"$work/$f")" -ge 300 ] &&
			[ "$(frame_of "$work/$f" fuse_create_open)" -ge 200 ] || return
	done
}

# With what it calls to do its work, where that is a function of its own here only.
frame_grows_little() {	# FUNCTION
	local base now part bytes
	base=$(frame_of "$work/base" "$1") && now=$(frame_of "$work/now" "$1") || return
	for part in "__$1" fuse_entry_request; do
		! frame_of "$work/base" "$part" >/dev/null || continue
		bytes=$(frame_of "$work/now" "$part") && now=$((now + bytes))
	done
	echo "$1: $base bytes in the base, $now here"
	[ "$now" -le $((base + TOLERANCE)) ]
}

other_frames_grow_little() {
	awk -v t="$TOLERANCE_OTHER" '
		NR == FNR { base[$1] = $2; next }
		$1 in base { n++; if ($2 > base[$1] + t) { print $1 ": " base[$1] " -> " $2; bad = 1 } }
		END { print n " functions are in both"; exit bad || n < 250 }' "$work/base" "$work/now"
}

claim data_of_a_dentry_is_as_large_as_in_the_base grows_by_at_most 0 fuse_dentry
claim data_of_an_open_file_is_as_large_as_in_the_base grows_by_at_most 0 fuse_file
claim inode_is_as_large_as_in_the_base grows_by_at_most 0 fuse_inode
claim mount_is_as_large_as_in_the_base grows_by_at_most 0 fuse_mount
# One for each mount: the worker that lets go of removed objects, the private mounts.
claim connection_grows_by_at_most_five_cache_lines grows_by_at_most 320 fuse_conn

frames "$VMLINUX_BASE" >"$work/base"
frames "$VMLINUX" >"$work/now"
claim frames_of_both_kernels_are_known frames_are_known
for f in $DEEP; do
	claim "${f}_needs_as_much_stack_as_in_the_base" frame_grows_little "$f"
done
claim no_other_function_needs_much_more_stack other_frames_grow_little
done_testing
