#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Which functions an operation spends its instructions in:
#
#     tests/bench/profile.sh SYSTEM OPERATION [KERNEL]
#
# SYSTEM is one of tests/bench/guest.sh (native, overlayfs, fusepass, ...), OPERATION one of
# `build/tests/bin/bench list`. Exact counts by a plugin of the emulator (profile.c), as a
# tree of calls per operation.

. "$(dirname "$0")/../../scripts/lib.sh"

[ $# -ge 2 ] || { sed -n '4,10s/^# \{0,1\}//p' "$0" >&2; exit 1; }
export BENCH_SYSTEM=$1 BENCH_OP=$2
kernel=${3:-$CACHE/out-fast/vmlinux}
dir=$BUILD/profile
name=$(printf '%s-%s' "$1" "$2" | tr -c 'A-Za-z0-9\n-' _)

mkdir -p "$dir"
[ "$dir/profile.so" -nt "$TOP/tests/bench/profile.c" ] ||
	gcc -O2 -Wall -Wextra -fPIC -shared -o "$dir/profile.so" "$TOP/tests/bench/profile.c"
VM_ICOUNT=1 VM_NAME=profile VM_ENV="BENCH_SYSTEM BENCH_OP" \
	VM_QEMU="-plugin $dir/profile.so,out=$dir/$name.raw" \
	"$TOP/tests/vm/vmtest.sh" "$kernel" "$TOP/tests/bench/guest.sh" profile >&2
# 300 files, four rounds.
"$TOP/tests/bench/profile.py" "$dir/$name.raw" "$kernel" 1200 | tee "$dir/$name.txt"
