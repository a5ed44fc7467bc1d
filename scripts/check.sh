#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run tests that are already built, keep what each says as TAP in build/tap/, and end
# with the sum of it:
#
#     scripts/check.sh PART...
#
# Parts: host, series, vmlinux, vm, race, workload, conc, conc-short, vm-base (the kernel without the series),
# vm-debug-short, vm-debug, kmemleak, module (FUSE as a module), distro, distro-short (Debian's own
# kernel with the module fusepass.ko), distro-7.2-short (an older one), install (the packages there),
# soak (long; SOAK_EXT4, SOAK_OTHER and SOAK_PROCS are the numbers of operations in lockstep, CONC_EXT4,
# CONC_REST and CONC_DEBUG the seconds of those at the same time; SEED is the first of the random ones).
# Of vm and vm-base, VM_TESTS selects tests by patterns, separated by blanks.

. "$(dirname "$0")/lib.sh"
. "$TOP/tests/lib/tap.sh"

TAP=$BUILD/tap
fast=$CACHE/out-fast/vmlinux
debug=$CACHE/out-debug/vmlinux
suite=$TOP/tests/vm/suite.sh

# A program that prints TAP. Its exit status counts as well: one that dies after its last
# test, or cannot start, must not pass.
run_tap() {	# NAME COMMAND...
	local name=$1 status=0 start=$SECONDS
	shift
	"$@" </dev/null 2>&1 | tee "$TAP/$name.tap" | show_tap "$name" || status=$?
	say "$name: $(tap_counts "$TAP/$name.tap"), $((SECONDS - start)) s"
	if [ "$status" -ne 0 ] && ! grep -aq '^not ok' "$TAP/$name.tap"; then
		printf '1..1\nnot ok 1 - %s # exit status %s\n' "$name" "$status" >"$TAP/$name-exit.tap"
	fi
}

# How far it is and what went wrong; V=1 shows all.
show_tap() {	# NAME
	if [ "${V:-0}" = 1 ]; then
		cat
	else
		progress_filter "$1" tests 0 '^(not )?ok ' '^(not ok |fusepass: |dmesg scan: )'
	fi
}

tap_counts() {	# FILE
	"$TOP/tests/lib/tap-sum.sh" "$1" | tail -n 1
}

# How the guest ended, by the exit status of vmtest.sh.
guest_tap() {	# NAME STATUS
	local dead=0 dirty=0
	[ "$2" -ne 125 ] || dead=1
	[ "$dead" -eq 0 ] && [ "$2" -ne 124 ] && ! grep -q '^dmesg scan' "$BUILD/vm-$1.err" || dirty=1
	tap_n=0
	tap $dead "$1 guest_ends_by_itself"
	tap $dirty "$1 kernel_log_is_clean"
	echo "1..$tap_n"
}

# The suite, or another script, in a guest. Its output is kept apart from what vmtest.sh
# itself has to say, and how the guest ended is a test of its own.
run_vm() {	# NAME KERNEL ARGUMENT...
	local name=$1 kernel=$2 script=${VM_SCRIPT:-$suite} status=0 start=$SECONDS
	shift 2
	if [ ! -x "$script" ]; then
		printf '1..1\nnot ok 1 - %s # %s is not executable\n' "$name" "${script#"$TOP"/}" |
			tee "$TAP/$name.tap"
		return
	fi
	say "$name ..."
	VM_NAME=$name "$TOP/tests/vm/vmtest.sh" "$kernel" "$script" "$@" 2>"$BUILD/vm-$name.err" |
		show_tap "$name" || status=$?
	cat "$BUILD/vm-$name.err" >&2
	cp "$BUILD/vm/$name/output" "$TAP/$name.tap"
	guest_tap "$name" "$status" >"$TAP/$name-guest.tap"
	if [ "$status" -ne 0 ] && ! grep -aq '^not ok' "$TAP/$name.tap" "$TAP/$name-guest.tap"; then
		printf '1..1\nnot ok 1 - %s # exit status %s\n' "$name" "$status" >"$TAP/$name-exit.tap"
	fi
	say "$name: $(tap_counts "$TAP/$name.tap"), $((SECONDS - start)) s"
}

part_host() {
	local t
	for t in "$TOP"/tests/host/*.sh "$BUILD"/tests/host/*; do
		[ -f "$t" ] && [ -x "$t" ] || continue
		run_tap "host-$(basename "$t" .sh)" "$t"
	done
}

# No guest where no test is selected.
part_vm() {
	[ ${#vm_tests[@]} -eq 0 ] || selects || return 0
	VM_TIMEOUT=${VM_TIMEOUT:-4000} run_vm vm "$fast" "${vm_tests[@]}"
}

part_vm_base() {
	[ ${#vm_tests[@]} -eq 0 ] || selects plain || return 0
	VM_TIMEOUT=${VM_TIMEOUT:-300} run_vm vm-base "$CACHE/out-fast/vmlinux-base" "${vm_tests[@]}"
}

selects() {	# [GROUP]
	[ -n "$("$suite" --list "$@" "${vm_tests[@]}")" ]
}

# Two processes at the same names, with the machine for itself.
part_race() {
	VM_TIMEOUT=${VM_TIMEOUT:-1500} run_vm race "$fast" race
}

# Real programs at full size, and large trees: more inodes than the usual disk has.
part_workload() {
	WORKLOAD_FULL=1 VM_DISKS=${VM_DISKS:-8G 1G} FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-10} \
		VM_ENV="${VM_ENV:-} WORKLOAD_FULL FUSEPASS_PATIENCE" VM_TIMEOUT=${VM_TIMEOUT:-3600} \
		run_vm workload "$fast" 'workload_*' 'scale_*'
}

part_vm_debug_short() {
	VM_TIMEOUT=${VM_TIMEOUT:-4200} run_vm vm-debug-short "$debug" quick
}

part_vm_debug() {
	VM_TIMEOUT=${VM_TIMEOUT:-7200} run_vm vm-debug "$debug"
}

# kmemleak's own bookkeeping slows every allocation, so it has a pass of its own.
part_kmemleak() {
	VM_TIMEOUT=${VM_TIMEOUT:-3600} VM_APPEND="${VM_APPEND:-} kmemleak=on" FUSEPASS_KMEMLEAK=1 \
		VM_ENV="${VM_ENV:-} FUSEPASS_KMEMLEAK" run_vm kmemleak "$debug" quick
}

part_module() {
	VM_MODULES=$CACHE/out-module/fs/fuse/fuse.ko VM_TIMEOUT=${VM_TIMEOUT:-900} \
		run_vm module "$CACHE/out-module/vmlinux" quick
}

# Debian's own kernel, of the branch of the series or another one, with fusepass.ko.
run_distro() {	# NAME BRANCH ARGUMENT...
	local name=$1 dir
	dir=$("$TOP/scripts/distro.sh" path "$2")
	shift 2
	VM_INITRD=$dir/initrd run_vm "$name" "$dir/vmlinuz" "$@"
}

part_distro() {
	VM_TIMEOUT=${VM_TIMEOUT:-5400} run_distro distro ""
}

# Of each program of the suite a few, and all of the command.
part_distro_short() {
	VM_TIMEOUT=${VM_TIMEOUT:-2000} run_distro distro-short "" quick
}

part_distro_older_short() {
	VM_TIMEOUT=${VM_TIMEOUT:-2000} run_distro distro-7.2-short 7.2 quick
}

# One guest for each run, so that one that dies takes no other with it.
soak() {	# OPERATIONS KERNEL RUN
	OPS=$1 VM_ENV="OPS SEED SOAK_ARGS CHURN_MS PROCS" VM_SCRIPT=$TOP/tests/diff/soak.sh \
		VM_TIMEOUT=${VM_TIMEOUT:-$((600 + $1 / 10))} run_vm "soak-$3" "$2" "$3"
}

conc() {	# SECONDS KERNEL RUN
	CONC_SECONDS=$1 VM_ENV="CONC_SECONDS CONC_PROCS CONC_ONLY CONC_SWAP CONC_ARGS CHURN_MS SEED" \
		VM_SCRIPT=$TOP/tests/diff/conc.sh VM_TIMEOUT=${VM_TIMEOUT:-$((900 + $1 * 2))} \
		run_vm "conc-$3" "$2" "$3"
}

# Each file system as it is by itself, too: that is what all others are compared with.
part_conc() {
	local rest=${CONC_REST:-1200} run
	conc "${CONC_EXT4:-3600}" "$fast" ext4-mirror
	for run in {xfs,btrfs,tmpfs}-mirror {ext4,xfs,btrfs,tmpfs}-native {ext4,tmpfs}-mirror-churn \
		ext4-hides-churn; do
		conc "$rest" "$fast" "$run"
	done
	conc "${CONC_DEBUG:-1200}" "$debug" ext4-mirror-churn
}

# A minute and a half of it, for make check.
part_conc_short() {
	conc "${CONC_SHORT:-90}" "$fast" ext4-mirror
}

part_soak() {
	local other=${SOAK_OTHER:-200000}
	soak "${SOAK_EXT4:-1000000}" "$fast" ext4-mirror
	for run in xfs-mirror btrfs-mirror tmpfs-mirror ext4-suffix ext4-mirror-churn ext4-none; do
		soak "$other" "$fast" $run
	done
	soak "${SOAK_PROCS:-20000}" "$debug" ext4-mirror-procs
	part_conc
}

run_part() {	# PART
	case $1 in
	host) part_host ;;
	series) run_tap series "$TOP/scripts/series.sh" verify ;;
	vmlinux) run_tap vmlinux "$TOP/scripts/gen-vmlinux-h.sh" --check ;;
	vm) part_vm ;;
	workload) part_workload ;;
	vm-base) part_vm_base ;;
	race) part_race ;;
	vm-debug-short) part_vm_debug_short ;;
	vm-debug) part_vm_debug ;;
	kmemleak) part_kmemleak ;;
	module) part_module ;;
	distro) part_distro ;;
	distro-short) part_distro_short ;;
	distro-7.2-short) part_distro_older_short ;;
	install) run_tap install "$TOP/tests/distro/install.sh" ;;
	soak) part_soak ;;
	conc) part_conc ;;
	conc-short) part_conc_short ;;
	*) die "check: no such part: $1" ;;
	esac
}

lane() {	# PART...
	local part
	for part; do
		run_part "$part"
	done
}

# The suite takes as long as all the rest and leaves a CPU idle most of the time.
lanes() {	# PART...
	local rest=() part pid
	for part; do
		[ "$part" = vm ] || rest+=("$part")
	done
	if [ "$JOBS" -lt 2 ] || [ "${#rest[@]}" -eq $# ] || [ "${#rest[@]}" -eq 0 ]; then
		lane "$@"
		return
	fi
	lane "${rest[@]}" &
	pid=$!
	lane vm
	wait "$pid"
}

read -ra vm_tests <<<"${VM_TESTS:-}"
[ ${#vm_tests[@]} -eq 0 ] || selects || selects plain || die "no test is called $VM_TESTS"
rm -rf "$TAP"
mkdir -p "$TAP"
# Last and alone: its processes wait for each other on two CPUs.
parts=()
for part; do
	[ "$part" = race ] || parts+=("$part")
done
lanes "${parts[@]}"
[ "${#parts[@]}" -eq $# ] || lane race
exec "$TOP/tests/lib/tap-sum.sh" "$TAP"/*.tap
