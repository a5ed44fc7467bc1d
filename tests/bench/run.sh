#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measure everything, in guests, and report:
#
#     tests/bench/run.sh [quick] [PART...]
#
# Parts: those of tests/bench/guest.sh, all by default. Figures go to build/bench/ as
# PART.tsv, JSON, report.md and charts; what was measured before and is not now stays.
# The tables are printed, and last what is to be 0 or small. BENCH_KERNEL and BENCH_BASE
# are other kernels than those in the cache.

. "$(dirname "$0")/../../scripts/lib.sh"

out=$BUILD/bench
kernel=${BENCH_KERNEL:-$CACHE/out-fast/vmlinux}
base=${BENCH_BASE:-$CACHE/out-fast/vmlinux-base}
quick=
parts=()

# A guest; its lines of figures go to one file for each part.
run_vm() {	# NAME KERNEL ICOUNT PART...
	local name=$1 vmlinux=$2 start=$SECONDS part
	export VM_ICOUNT=$3
	shift 3
	VM_ENV="${VM_ENV:-} BENCH_SYSTEMS" VM_NAME=bench-$name VM_TIMEOUT=${VM_TIMEOUT:-1800} \
		"$TOP/tests/vm/vmtest.sh" "$vmlinux" "$TOP/tests/bench/guest.sh" "$@" $quick \
		>"$LOGS/bench-$name.log" 2>&1 ||
		die "bench $name failed: $(grep -av $'\t' "$LOGS/bench-$name.log" | tail -n 1)" \
			"(log: ${LOGS#"$TOP"/}/bench-$name.log)"
	for part; do
		grep -a "^$part"$'\t' "$LOGS/bench-$name.log" >"$out/${file:-$part}.tsv"
	done
	say "bench $name: done in $((SECONDS - start)) s"
}

# Two guests at a time where instructions are counted: load changes nothing there.
together() {
	local pids=() pid bad=0
	if [ "$JOBS" -lt 2 ]; then
		"$1"; "$2"
		return
	fi
	"$1" & pids+=($!)
	"$2" & pids+=($!)
	for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
	[ "$bad" -eq 0 ] || exit 1
}

wanted() {	# PART
	[ "${#parts[@]}" -eq 0 ] || [[ " ${parts[*]} " = *" $1 "* ]]
}

systems() { ! wanted systems || run_vm systems "$kernel" 1 systems; }
hook_and_bits() {
	! wanted hook || run_vm hook "$kernel" 1 hook
	! wanted bits || run_vm bits "$kernel" 1 bits
}
# In two guests each: what differs by chance between boots must not look like a difference
# between kernels.
unpoliced() {	# NAME KERNEL
	wanted unpoliced || return 0
	file=$1 run_vm "$1" "$2" 1 unpoliced
	file=$1-2 run_vm "$1-2" "$2" 1 unpoliced
}
patched() { unpoliced unpoliced "$kernel"; }
unpatched() { unpoliced unpoliced-base "$base"; }
memory() {
	! wanted memory ||
		VM_APPEND="${VM_APPEND:-} slab_nomerge" run_vm memory "$kernel" 0 memory
}
jobs_() { ! wanted jobs || run_vm jobs "$kernel" 0 jobs; }

charts() {
	if ! command -v gnuplot >/dev/null; then
		say "no charts: gnuplot is not installed"
	elif [ -s "$out/systems.dat" ]; then
		gnuplot -e "dir='$out'" "$TOP/tests/bench/charts.gp" &&
			say "charts: ${out#"$TOP"/}/*.svg"
	fi
}

for a; do
	case $a in
	quick) quick=quick ;;
	systems|unpoliced|hook|bits|memory|jobs) parts+=("$a") ;;
	*) die "bench: no such part: $a" ;;
	esac
done
mkdir -p "$out"
say "measuring, this takes a while ..."
together systems hook_and_bits
together patched unpatched
memory
jobs_
"$TOP/tests/bench/report.py" "$out" >"$out/report.md"
charts
say "figures: ${out#"$TOP"/}/*.json, report.md"
cat "$out/report.md"
