#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run tests that are already built, keep what each says as TAP in build/tap/, and end
# with the sum of it:
#
#     scripts/check.sh PART...
#
# Parts: host, series, vmlinux, vm, workload, vm-base (the kernel without the series),
# vm-debug-short, vm-debug, kmemleak, soak (long; SOAK_EXT4, SOAK_OTHER and SOAK_PROCS are the
# numbers of operations, SEED is the first of the random ones).

. "$(dirname "$0")/lib.sh"

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

# How far it is and what went wrong, the first of it; V=1 shows all.
show_tap() {	# NAME
	local tty=0
	[ -t 1 ] && tty=1
	if [ "${V:-0}" = 1 ]; then
		cat
		return
	fi
	awk -v name="$1" -v tty="$tty" -v every="${PROGRESS_EVERY:-30}" '
		/^(not )?ok / {
			n++
			now = systime()
			if (!last)
				last = now
			if (now - last >= (tty ? 1 : every)) {
				last = now
				printf tty ? "\r%s: %d tests\033[K" : "# %s: %d tests\n", name, n
				fflush()
			}
		}
		/^not ok / || /^fusepass: / || /^dmesg scan: / {
			if (++bad <= 20)
				printf "%s%s\n", tty ? "\r\033[K" : "", $0
			fflush()
		}
		END {
			if (tty)
				printf "\r\033[K"
			if (bad > 20)
				print "... and " bad - 20 " more, see build/tap/" name ".tap"
		}'
}

tap_counts() {	# FILE
	"$TOP/tests/tap-sum.sh" "$1" | tail -n 1
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
	VM_NAME=$name "$TOP/tests/vmtest.sh" "$kernel" "$script" "$@" 2>"$BUILD/vm-$name.err" |
		show_tap "$name" || status=$?
	cat "$BUILD/vm-$name.err" >&2
	cp "$BUILD/vm/$name/output" "$TAP/$name.tap"
	{
		echo 1..2
		case $status in
		125) echo "not ok 1 - $name guest_ends_by_itself"
		     echo "not ok 2 - $name kernel_log_is_clean" ;;
		124) echo "ok 1 - $name guest_ends_by_itself"
		     echo "not ok 2 - $name kernel_log_is_clean" ;;
		*) echo "ok 1 - $name guest_ends_by_itself"
		   if [ -s "$BUILD/vm-$name.err" ] && grep -q '^dmesg scan' "$BUILD/vm-$name.err"; then
			echo "not ok 2 - $name kernel_log_is_clean"
		   else
			echo "ok 2 - $name kernel_log_is_clean"
		   fi ;;
		esac
	} >"$TAP/$name-guest.tap"
	if [ "$status" -ne 0 ] && ! grep -aq '^not ok' "$TAP/$name.tap" "$TAP/$name-guest.tap"; then
		printf '1..1\nnot ok 1 - %s # exit status %s\n' "$name" "$status" >"$TAP/$name-exit.tap"
	fi
	say "$name: $(tap_counts "$TAP/$name.tap"), $((SECONDS - start)) s"
}

part_host() {
	local t
	for t in "$TOP"/tests/host/*.sh "$BUILD"/tests/host/* "$BUILD"/tests/policy/*; do
		[ -f "$t" ] && [ -x "$t" ] || continue
		run_tap "host-$(basename "$t" .sh)" "$t"
	done
}

part_vm_base() {
	VM_TIMEOUT=${VM_TIMEOUT:-300} run_vm vm-base "$CACHE/out-fast/vmlinux-base"
}

# Real programs at full size, and large trees: more inodes than the usual disk has.
part_workload() {
	WORKLOAD_FULL=1 VM_DISKS=${VM_DISKS:-8G 1G} FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-10} \
		VM_ENV="${VM_ENV:-} WORKLOAD_FULL FUSEPASS_PATIENCE" VM_TIMEOUT=${VM_TIMEOUT:-3600} \
		run_vm workload "$fast" 'workload_*' 'scale_*'
}

part_vm_debug_short() {
	VM_TIMEOUT=${VM_TIMEOUT:-1500} run_vm vm-debug-short "$debug" quick
}

part_vm_debug() {
	VM_TIMEOUT=${VM_TIMEOUT:-7200} run_vm vm-debug "$debug"
}

# kmemleak's own bookkeeping slows every allocation, so it has a pass of its own.
part_kmemleak() {
	VM_TIMEOUT=${VM_TIMEOUT:-3600} VM_APPEND="${VM_APPEND:-} kmemleak=on" FUSEPASS_KMEMLEAK=1 \
		VM_ENV="${VM_ENV:-} FUSEPASS_KMEMLEAK" run_vm kmemleak "$debug" quick
}

# One guest for each run, so that one that dies takes no other with it.
soak() {	# OPERATIONS KERNEL RUN
	OPS=$1 VM_ENV="OPS SEED SOAK_ARGS CHURN_MS PROCS" VM_SCRIPT=$TOP/tests/vm/soak.sh \
		VM_TIMEOUT=${VM_TIMEOUT:-$((600 + $1 / 10))} run_vm "soak-$3" "$2" "$3"
}

part_soak() {
	local other=${SOAK_OTHER:-200000}
	soak "${SOAK_EXT4:-1000000}" "$fast" ext4-mirror
	for run in xfs-mirror btrfs-mirror tmpfs-mirror ext4-suffix ext4-mirror-churn ext4-none; do
		soak "$other" "$fast" $run
	done
	soak "${SOAK_PROCS:-20000}" "$debug" ext4-mirror-procs
}

run_part() {	# PART
	case $1 in
	host) part_host ;;
	series) run_tap series "$TOP/scripts/series.sh" verify ;;
	vmlinux) run_tap vmlinux "$TOP/scripts/gen-vmlinux-h.sh" --check ;;
	vm) VM_TIMEOUT=${VM_TIMEOUT:-1800} run_vm vm "$fast" ;;
	workload) part_workload ;;
	vm-base) part_vm_base ;;
	vm-debug-short) part_vm_debug_short ;;
	vm-debug) part_vm_debug ;;
	kmemleak) part_kmemleak ;;
	soak) part_soak ;;
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

rm -rf "$TAP"
mkdir -p "$TAP"
lanes "$@"
exec "$TOP/tests/tap-sum.sh" "$TAP"/*.tap
