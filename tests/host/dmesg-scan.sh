#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The scan of kernel logs fails on every kind of splat and on a log it cannot judge, and
# passes an ordinary boot.

. "$(dirname "$0")/lib.sh"

log=$work/log

write_log() {	# LINE...
	{
		echo "[    0.000000] Linux version 7.3.4-fusepass (gcc) #1 SMP PREEMPT"
		echo "[    0.000000] Command line: console=ttyS0 oops=panic"
		echo "[    0.100000] VFS: Mounted root (9p filesystem) readonly on device 0:18."
		printf '[    1.000000] %s\r\n' "$@"
		echo "[    2.000000] fusepass-vm: end"
	} >"$log"
}

scan() {
	tests/vm/dmesg-scan.sh "$log"
}

write_log "EXT4-fs (vda): mounted filesystem with ordered data mode"
claim ordinary_log_passes scan

while IFS='|' read -r name line; do
	write_log "$line"
	claim_not "${name}_fails" scan
done <<'SPLATS'
warn|WARNING: fs/fuse/dir.c:123 at fuse_lookup+0x10/0x20, CPU#0: ls/77
cut_here|------------[ cut here ]------------
kernel_bug|kernel BUG at fs/fuse/dir.c:123!
null_pointer|BUG: kernel NULL pointer dereference, address: 0000000000000008
unmapped|BUG: unable to handle page fault for address: ffffc90000000000
oops|Oops: 0002 [#1] SMP PTI
panic|Kernel panic - not syncing: Fatal exception
general_protection|general protection fault, probably for non-canonical address 0xdead: 0000 [#1]
kasan|BUG: KASAN: slab-use-after-free in fuse_iget+0x1/0x2
ubsan|UBSAN: array-index-out-of-bounds in fs/fuse/dir.c:1:2
recursive_lock|WARNING: possible recursive locking detected
circular_lock|WARNING: possible circular locking dependency detected
inconsistent_lock|WARNING: inconsistent lock state
suspicious_rcu|WARNING: suspicious RCU usage
invalid_context|[ BUG: Invalid wait context ]
lockdep_off|turning off the locking correctness validator.
lock_held|WARNING: lock held when returning to user space!
atomic_sleep|BUG: sleeping function called from invalid context at kernel/locking/rwsem.c:1
atomic_schedule|BUG: scheduling while atomic: ls/77/0x00000002
hung_task|INFO: task ls:77 blocked for more than 120 seconds.
rcu_stall|rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu_self_stall|rcu: INFO: rcu_preempt self-detected stall on CPU
soft_lockup|watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [ls:77]
refcount|refcount_t: underflow; use-after-free.
list_corruption|list_add corruption. prev->next should be next
leak|kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
leak_listed|fusepass-vm: kmemleak: unreferenced object 0xffff888 (size 64):
leak_scan_refused|fusepass-vm: kmemleak: cannot scan
slab|BUG kmalloc-64 (Not tainted): Redzone overwritten
busy_inodes|VFS: Busy inodes after unmount of fuse (fuse)
oom|Out of memory: Killed process 77 (ls) total-vm:1kB
crash_of_a_program|fusepass[77]: segfault at 8 ip 0000 sp 0000 error 4 in fusepass
ext4_error|EXT4-fs error (device vda): ext4_lookup:1: inode #2: comm ls: deleted inode referenced
module_refused|fusepass-vm: modules: cannot load fuse.ko
hang_in_the_guest|fusepass-vm: watchdog: the script still runs, blocked tasks follow
SPLATS

# The same without a time stamp, as on a console without printk.time.
write_log "quiet"
echo "BUG: KASAN: slab-out-of-bounds in fuse_iget" >>"$log"
claim_not line_without_time_stamp_fails scan

printf '# a driver that is not ours, harmless\n^WARNING: fs/other\n' >"$work/allow"
write_log "WARNING: fs/other.c:1 at other+0x1/0x2"
DMESG_ALLOW=$work/allow claim allowed_line_passes scan
write_log "WARNING: fs/other.c:1 at other+0x1/0x2" "WARNING: fs/fuse/dir.c:1 at x+0x1/0x2"
DMESG_ALLOW=$work/allow claim_not line_beside_an_allowed_one_fails scan
write_log "quiet"
printf '^WARNING: fs/other\n' >"$work/allow"
DMESG_ALLOW=$work/allow claim_not allowed_line_without_reason_fails scan
DMESG_ALLOW=$work/none claim_not missing_list_of_allowed_lines_fails scan
DMESG_SPLATS=$work/none claim_not missing_list_of_splats_fails scan

write_log "quiet"
sed -i '/fusepass-vm: end/d' "$log"
claim_not log_of_a_guest_that_died_fails scan
write_log "quiet"
sed -i 1d "$log"
claim_not log_without_its_beginning_fails scan
: >"$log"
claim_not empty_log_fails scan
rm "$log"
claim_not missing_log_fails scan
claim_not no_log_fails tests/vm/dmesg-scan.sh
done_testing
