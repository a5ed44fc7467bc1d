#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Boot a kernel in QEMU and run one script in it, on this machine's own files:
#
#     tests/vm/vmtest.sh KERNEL SCRIPT [ARGUMENT...]
#
# The guest's root is this machine's / (9p, read-only) with tmpfs over /tmp, /run and
# the like, so there is no image to build; tests/vm/init is its init. What SCRIPT
# prints comes out here and in the output file; the serial console, where the kernel
# talks, is kept apart from it so that neither breaks the other's lines.
#
# Exit status: SCRIPT's own; 125 when the guest died, hung or could not start; 124 when
# SCRIPT passed but the kernel complained (tests/vm/dmesg-scan.sh).
#
# Environment:
#   VM_NAME     what the run is called; files go to build/vm/NAME/   (default: SCRIPT's name)
#   VM_MEM      guest memory                (default 2G, debugging kernel 4G)
#   VM_TIMEOUT  seconds until it is killed  (default 900)
#   VM_APPEND   more kernel arguments
#   VM_ICOUNT   1: one vCPU, one ns per instruction, no KVM: the same figures anywhere
#   VM_ENV      names of variables to hand to SCRIPT, e.g. "ROUNDS SEED"
#   VM_MODULES  files of kernel modules to load first
#   VM_INITRD   initramfs, for a kernel that has as modules what it takes to boot
#   VM_ROOT     image of a root of its own, labelled "fusepass", in which tests/distro/guest-init
#               is a service; what is done to it stays there
#   VM_TERMINAL 1: this terminal is the guest's /dev/hvc0
#   VM_DISKS    sizes of empty scratch disks, as /dev/vda ...  (default "2G 1G")
#   VM_SCAN     0: do not judge the kernel's log (for tests of this script only)
#   VM_ACCEL    kvm or tcg instead of finding out
#   VM_QEMU     more arguments for QEMU

. "$(dirname "$0")/../../scripts/lib.sh"

usage() {
	sed -n '5,36s/^# \{0,1\}//p' "$0"
	exit "$1"
}

# /dev/kvm may exist and yet run no guest (nested, no permission), so a guest is tried:
# any kernel that gets as far as its banner will do.
accel_probe() {	# KERNEL
	local log
	log=$(mktemp)
	[ -w /dev/kvm ] && timeout -k 2 20 qemu-system-x86_64 -accel kvm -cpu max -m 512M \
		-nodefaults -nographic -no-reboot -serial stdio -kernel "$1" \
		-append 'console=ttyS0 panic=-1' </dev/null >"$log" 2>&1
	if grep -q '^.*Linux version' "$log"; then echo kvm; else echo tcg; fi
	rm -f "$log"
}

# Kept for this boot of the machine: a probe costs seconds.
accel_find() {	# KERNEL
	local kept=$BUILD/vm/accel boot
	boot=$(cat /proc/sys/kernel/random/boot_id)
	if [ "${VM_ICOUNT:-0}" = 1 ]; then
		echo icount
	elif [ -n "${VM_ACCEL:-}" ]; then
		echo "$VM_ACCEL"
	else
		if [ "$(cut -d' ' -f1 "$kept" 2>/dev/null)" != "$boot" ]; then
			echo "$boot $(accel_probe "$1")" >"$kept.$$"
			mv "$kept.$$" "$kept"
		fi
		cut -d' ' -f2 "$kept"
	fi
}

accel_args() {	# KIND
	case $1 in
	kvm) echo "-accel kvm -cpu host -smp 2" ;;
	icount) echo "-accel tcg,thread=single -icount shift=0,sleep=off -cpu max -smp 1" ;;
	*) echo "-accel tcg,thread=multi -cpu max -smp 2,sockets=2" ;;
	esac
}

# Is it the debugging kernel? Its name says so (CONFIG_LOCALVERSION).
kernel_is_debug() {
	case $kernel in *debug*) true ;; *) false ;; esac
}

# The guest's orders: a file, because a kernel command line has neither room nor quotes.
write_orders() {
	local v
	{
		printf 'export FUSEPASS_TOP=%q\n' "$TOP"
		printf 'export FUSEPASS_CACHE=%q\n' "$CACHE"
		printf 'export FUSEPASS_KERNEL=%q\n' "$kernel"
		printf 'export FUSEPASS_ACCEL=%q\n' "$accel"
		printf 'export PATH=%q\n' "$BUILD/bin:$TOOLS/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		kernel_is_debug && printf 'export FUSEPASS_DEBUG_KERNEL=1\n'
		for v in ${VM_ENV:-}; do
			[ -z "${!v+x}" ] || printf 'export %s=%q\n' "$v" "${!v}"
		done
		printf 'VM_TIMEOUT=%q\n' "$timeout"
		printf 'export VM_MODULES=%q\n' "${VM_MODULES:-}"
		printf 'run_script() { %s; }\n' "$(printf '%q ' "$@")"
	} >"$share/orders"
}

make_disks() {
	local size n=0
	disk_args=()
	for size in ${VM_DISKS:-2G 1G}; do
		rm -f "$dir/disk$n"
		truncate -s "$size" "$dir/disk$n"
		disk_args+=(-drive "file=$dir/disk$n,format=raw,if=none,id=d$n,cache=unsafe,discard=unmap"
			    -device "virtio-blk-pci,drive=d$n")
		n=$((n + 1))
	done
	[ -z "${VM_ROOT:-}" ] || disk_args+=(-drive "file=$VM_ROOT,format=raw,if=none,id=root-disk"
					     -device "virtio-blk-pci,drive=root-disk")
}

root_arguments() {
	if [ -n "${VM_ROOT:-}" ]; then
		echo "root=LABEL=fusepass rootfstype=ext4 rw init=/sbin/init"
	else
		echo "root=rootfs rootfstype=9p rootflags=trans=virtio,version=9p2000.L,cache=loose,msize=262144" \
			"ro init=$TOP/tests/vm/init"
	fi
}

# The child is waited for and killed by its own id, so nothing is left behind when
# this script is interrupted.
qemu_run() {
	local initrd=() terminal=() append input=/dev/null output=$dir/qemu.log
	append="console=ttyS0 loglevel=7 printk.time=1 panic=-1 oops=panic $(root_arguments)"
	append+=" nokaslr mitigations=off net.ifnames=0"
	append+=" log_buf_len=4M sysctl.kernel.hung_task_timeout_secs=120"
	# With ACPI the interpreter under KASAN takes longer than all the rest of the boot.
	# Without it the kernel sees only the first CPU of each socket.
	kernel_is_debug && append+=" acpi=off"
	append+=" ${VM_APPEND:-}"
	if [ "${VM_TERMINAL:-0}" = 1 ]; then
		input=/dev/tty
		output=/dev/tty
		terminal=(-chardev "stdio,id=tty,signal=off" -device virtconsole,chardev=tty)
	fi
	[ -z "${VM_INITRD:-}" ] || initrd=(-initrd "$VM_INITRD")
	# shellcheck disable=SC2046,SC2086
	timeout ${terminal[0]:+--foreground} -k 10 "$timeout" qemu-system-x86_64 $(accel_args "$accel") -m "$mem" \
		-nodefaults -display none -no-reboot -kernel "$kernel" -append "$append" \
		"${initrd[@]}" -serial "file:$dir/console" \
		-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap" \
		-device virtio-9p-pci,fsdev=root,mount_tag=rootfs \
		-fsdev "local,id=share,path=$share,security_model=none" \
		-device virtio-9p-pci,fsdev=share,mount_tag=share \
		-device virtio-rng-pci \
		-device virtio-serial-pci -chardev "file,id=out,path=$dir/output" \
		-device virtserialport,chardev=out,name=output \
		"${terminal[@]}" "${disk_args[@]}" ${VM_QEMU:-} <"$input" >"$output" 2>"$dir/qemu.log" &
	qemu=$!
	follow_output
	qemu_status=0
	wait "$qemu" || qemu_status=$?
	qemu=
}

# Show the script's output as it comes. tail ends when QEMU does.
follow_output() {
	tail -n +1 -s 0.2 --pid="$qemu" -f "$dir/output" &
	tail=$!
	wait "$tail" || true
}

cleanup() {
	[ -z "${qemu:-}" ] || kill "$qemu" 2>/dev/null || true
	rm -f "$dir"/disk*
}

# When the kernel patches its code at boot, the emulator now and then runs a breakpoint
# that is not there any more. Nothing of ours has run by then.
died_of_the_emulator() {
	[ "$accel" != kvm ] && [ ! -e "$share/status" ] && grep -aq 'Oops: int3' "$dir/console" &&
		! grep -aq 'fusepass-vm: start' "$dir/console"
}

# Why a guest without an exit status ended, in one line.
death_reason() {
	if [ "$qemu_status" -eq 124 ] || [ "$qemu_status" -eq 137 ]; then
		echo "no end after $timeout s, killed"
	elif [ "$qemu_status" -ne 0 ]; then
		echo "QEMU: $(tail -n 1 "$dir/qemu.log")"
	else
		grep -aEm1 'Kernel panic|Oops|BUG:' "$dir/console" || echo "the guest ended by itself"
	fi
}

report() {
	local status
	status=$(cat "$share/status" 2>/dev/null) || status=
	if [ -z "$status" ]; then
		printf 'fusepass: vm %s: %s (console: %s)\n' "$name" \
			"$(death_reason)" "${dir#"$TOP"/}/console" >&2
		return 125
	fi
	if [ "${VM_SCAN:-1}" = 1 ] &&
	   ! "$TOP/tests/vm/dmesg-scan.sh" "$dir/console" "$share/dmesg" >&2; then
		printf 'fusepass: vm %s: the kernel complained (console: %s)\n' "$name" \
			"${dir#"$TOP"/}/console" >&2
		[ "$status" -ne 0 ] || status=124
	fi
	return "$status"
}

case ${1:-} in -h|--help) usage 0 ;; esac
[ $# -ge 2 ] || usage 1 >&2
kernel=$(realpath -e "$1") || exit 125
script=$(realpath -e "$2") || exit 125
shift 2
case $TOP$CACHE in *[[:space:]]*) die "a path with blanks cannot be the guest's init: $TOP" ;; esac

name=${VM_NAME:-$(basename "$script" .sh)}
dir=$BUILD/vm/$name
share=$dir/share
mem=${VM_MEM:-$(kernel_is_debug && echo 4G || echo 2G)}
timeout=${VM_TIMEOUT:-900}
rm -rf "$dir"
mkdir -p "$share"
: >"$dir/output"
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

accel=$(accel_find "$kernel")
write_orders "$script" "$@"
make_disks
qemu_run
if died_of_the_emulator; then
	mv "$dir/console" "$dir/console.died"
	printf 'fusepass: vm %s: notice: the emulator failed at boot, starting again\n' "$name" >&2
	qemu_run
fi
report
