#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make vmlinux.h, the kernel types that bpf/ is compiled against, from the BTF of the
# kernel that was built:
#
#     scripts/gen-vmlinux-h.sh            write vmlinux.h
#     scripts/gen-vmlinux-h.sh --check    TAP: is the one in the checkout current?
#
# Reduced to the types in scripts/vmlinux.types and what they refer to: the whole header is
# a hundred thousand lines that differ with every option of the kernel.
# VMLINUX, TYPES and OUT choose other files.

. "$(dirname "$0")/lib.sh"

VMLINUX=${VMLINUX:-$CACHE/out-fast/vmlinux}
TYPES=${TYPES:-$TOP/scripts/vmlinux.types}
OUT=${OUT:-$TOP/vmlinux.h}

# The ids of "struct x", "enum x", "typedef x" ... as given in the list.
root_ids() {
	"$TOOLS/bin/bpftool" btf dump file "$VMLINUX" format raw |
	awk -v types="$TYPES" '
		BEGIN {
			while ((getline line < types) > 0) {
				if (line ~ /^#|^[ \t]*$/)
					continue
				split(line, f, " ")
				if (f[1] == "value")
					value[f[2]] = line
				else
					want[toupper(f[1]) " " f[2]] = line
			}
		}
		match($0, /^\[[0-9]+\] [A-Z_]+ \047[^\047]*\047/) {
			split($0, q, "\047")
			split($0, w, " ")
			k = w[2] " " q[2]
			id = w[1]
			gsub(/[][]/, "", id)
			if (k in want) {
				print id
				delete want[k]
			}
		}
		/^\t\047[A-Za-z0-9_]+\047 val=/ {
			split($0, q, "\047")
			if (q[2] in value) {
				print id
				delete value[q[2]]
			}
		}
		END {
			for (k in value)
				want[k] = value[k]
			for (k in want) {
				print "error: the kernel has no type: " want[k] > "/dev/stderr"
				bad = 1
			}
			exit bad
		}'
}

dump_roots() {	# ID...
	local args=()
	while [ $# -gt 0 ]; do
		args+=(root_id "$1")
		shift
	done
	"$TOOLS/bin/bpftool" btf dump file "$VMLINUX" format c "${args[@]}"
}

release() {
	strings -n 8 "$VMLINUX" | sed -nE 's/^Linux version ([0-9]+\.[0-9]+\.[0-9]+).*/\1/p' | head -n 1
}

generate() {	# FILE
	local ids
	ids=$(root_ids)
	# shellcheck disable=SC2086
	{
		echo "/* Types of Linux $(release), made by scripts/gen-vmlinux-h.sh: do not edit. */"
		echo "/* SPDX-License-Identifier: GPL-2.0-only */"
		dump_roots $ids
	} >"$1.new"
	mv "$1.new" "$1"
}

# The version line may differ where another point release was built.
check() {
	local new=$BUILD/vmlinux.h
	echo "1..1"
	generate "$new"
	if diff -u <(tail -n +2 "$OUT") <(tail -n +2 "$new") >"$BUILD/vmlinux.h.diff"; then
		echo "ok 1 - vmlinux_h_is_current"
	else
		head -n 20 "$BUILD/vmlinux.h.diff" | sed 's/^/# /'
		echo "# run 'make vmlinux-h'"
		echo "not ok 1 - vmlinux_h_is_current"
	fi
}

[ -f "$VMLINUX" ] || die "no kernel at $VMLINUX (run 'make kernel')"
[ -x "$TOOLS/bin/bpftool" ] || die "no bpftool (run 'make tools')"
case ${1:-} in
--check) check ;;
'') generate "$OUT" ;;
*) die "usage: gen-vmlinux-h.sh [--check]" ;;
esac
