#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measurements in the guest, started by tests/bench/run.sh:
#
#     tests/bench/guest.sh PART... [quick]
#
# systems    every operation on every system              (VM_ICOUNT=1)
# unpoliced  every operation on mounts without a policy   (VM_ICOUNT=1)
# hook       lookups under different policies             (VM_ICOUNT=1)
# bits       each operation of the mask by itself         (VM_ICOUNT=1)
# memory     what 100,000 files take                      (slab_nomerge)
# jobs       whole jobs by the clock, two CPUs
# profile    one operation on one system, for tests/bench/profile.sh
#
# BENCH_SYSTEMS is a choice of the systems, for development.
#
# All prints tables of tab separated lines whose first field is the part; everything
# else is a message. What is measured lies on one ext4, in a directory for each system.

set -u

bin=$FUSEPASS_TOP/build/tests/bin
bench=$bin/bench
policy=$FUSEPASS_TOP/build/tests/bpf/bench.bpf.o
work=/mnt/bench
disk=$work/disk
rounds=3
n_files=300
quick=

die() {
	printf 'bench: %s\n' "$*"
	exit 1
}

make_disk() {
	mkdir -p "$disk"
	mountpoint -q "$disk" && return
	mke2fs -q -F -t ext4 -N 300000 /dev/vda || die "cannot make a file system"
	# Nothing is to be written in the background while something is measured, and the
	# fsync of what is clean already is not to wait for the disk.
	mount -o commit=3000,barrier=0 /dev/vda "$disk" || die "cannot mount the disk"
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
}

# Where a system shows its directory; made and filled at the first use.
place() {	# SYSTEM
	if [ ! -d "$disk/$1" ]; then
		mkdir -p "$disk/$1" "$work/$1"
		[ -n "${empty:-}" ] || "$bench" -n "$n_files" make "$disk/$1" || die "cannot fill $1"
	fi
	mkdir -p "$work/$1"
}

other_server() {	# MODE SRC MNT
	"$bin/bench_server" "$@" &
	until mountpoint -q "$3"; do
		kill -0 $! || return
		sleep 0.1
	done
}

# Rules of which the last one decides, by path; "name" and "names" have none by path. All look
# at the names that are looked up, in the directory d.
rules_of() {	# SYSTEM
	local i n=${1#rules-}
	case $n in
	name)
		echo 'pass all name ?*'
		return ;;
	names)
		for ((i = 1; i < 1000; i++)); do echo "server name *.e$i"; done
		echo 'pass all'
		return ;;
	esac
	for ((i = 1; i < n; i += 2)); do
		echo "server path /d/**/*.e$i"
		[ $((i + 1)) -ge "$n" ] || echo "pass read path /other$i/*/{a,b}.c"
	done
	echo 'pass all path /**'
}

# The systems. Each mounts $disk/SYSTEM on $work/SYSTEM.
start() {	# SYSTEM
	local src=$disk/$1 mnt=$work/$1
	place "$1"
	case $1 in
	native*|bind) mount --bind "$src" "$mnt" ;;
	overlayfs)
		mkdir -p "$disk/lower" "$disk/ovl-work"
		mount -t overlay overlay "$mnt" \
			-o "lowerdir=$disk/lower,upperdir=$src,workdir=$disk/ovl-work" ;;
	fuse) fusepass mount -t 0 "$src" "$mnt" ;;
	fuse-day) fusepass mount -t 86400 "$src" "$mnt" ;;
	fuse-plain) other_server coherent "$src" "$mnt" ;;
	fuse-cached) other_server cached "$src" "$mnt" ;;
	fuse-passthrough) other_server passthrough "$src" "$mnt" ;;
	fusepass) fusepass mount -t 0 --policy mirror "$src" "$mnt" ;;
	policy-mirror) fusepass mount -t 0 --policy mirror "$src" "$mnt" ;;
	policy-suffix) fusepass mount -t 0 --policy suffix \
		-k suffixes=0,1,2,3,4,5,6,7,8,9 "$src" "$mnt" ;;
	rules-*) rules_of "$1" >"/tmp/$1.rules" &&
		fusepass mount -t 0 --rules "/tmp/$1.rules" "$src" "$mnt" ;;
	policy-pass) fusepass mount -t 0 --policy "$policy" "$src" "$mnt" ;;
	policy-server) fusepass mount -t 0 --policy "$policy" -k verdict=0 "$src" "$mnt" ;;
	*) die "no system $1" ;;
	esac || die "cannot mount $1"
}

# Native is the directory itself, without the bind mount that others are reached by.
where() {	# SYSTEM
	case $1 in
	native*) echo "$disk/$1" ;;
	*) echo "$work/$1" ;;
	esac
}

measure() {	# PART OPTIONS... -- SYSTEM...
	local part=$1 options=() args=() s
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	for s; do
		[[ $s = native* ]] && place "$s" || start "$s"
		args+=("$s=$(where "$s")")
	done
	"$bench" -r "$rounds" -n "$n_files" "${options[@]}" run "${args[@]}" >"/tmp/$part.tsv" ||
		die "$part: bench failed"
	sed "s/^/$part\t/" "/tmp/$part.tsv"
	for s; do
		[[ $s = native* ]] || umount "$work/$s" || die "cannot unmount $s"
	done
}

# Whether what RCU frees is freed within a round or after it, is chance: in three rounds
# it may be within most of one system's and few of another's.
part_systems() {
	[ -n "$quick" ] || rounds=7
	# shellcheck disable=SC2086
	measure systems -- ${BENCH_SYSTEMS:-native native-again bind overlayfs fuse \
		fuse-cached fuse-passthrough fusepass}
}

part_unpoliced() {
	measure unpoliced -- native fuse fuse-plain fuse-cached fuse-passthrough
}

part_hook() {
	# shellcheck disable=SC2086
	measure hook -o 'lookup, cold;lookup, negative' -- \
		${BENCH_SYSTEMS:-native overlayfs fuse policy-server policy-pass policy-mirror \
		policy-suffix rules-1 rules-10 rules-100 rules-1000 rules-name rules-names}
}

# OPCODE NAME NEEDS ALSO OPERATIONS. NEEDS are the bits without which this one passes
# nothing, ALSO those that have to be off as well before the server is asked: bits that
# mean the same, or an operation that comes first. RELEASE and RELEASEDIR pass nothing,
# and of this server neither do locks and ACCESS, for which it does not ask. What this
# kernel can't pass is left out.
bit_table='
1 LOOKUP - - lookup, cold;lookup, negative
3 GETATTR - - stat, warm;fstat;ls -l, warm
4 SETATTR - - chmod;utimens;truncate
5 READLINK - - readlink
6 SYMLINK - - symlink
8 MKNOD - - mknod
9 MKDIR - - mkdir
10 UNLINK - - unlink
11 RMDIR - - rmdir
12 RENAME - - rename
13 LINK - - link
14 OPEN 15 - open+close;open+read 4K+close
15 READ 14 - pread 4K
16 WRITE 14,15 - pwrite 4K
17 STATFS - - statfs
18 RELEASE - - open+close
20 FSYNC - - fsync, clean
21 SETXATTR - - setxattr
22 GETXATTR - - getxattr
23 LISTXATTR - - listxattr
24 REMOVEXATTR - - removexattr
25 FLUSH - 14 open+close
27 OPENDIR 28 - open+close directory
28 READDIR 27 44 readdir, per entry
29 RELEASEDIR - - open+close directory
30 FSYNCDIR 27,28 - fsync of a directory
31 GETLK - 32,33 F_GETLK
32 SETLK - 31,33 F_SETLK+unlock;flock+unlock
33 SETLKW - 31,32 F_SETLKW+unlock
34 ACCESS - - access
35 CREATE 14,15,16 - create+write 4K+close
39 IOCTL - - FS_IOC_GETFLAGS;chattr
43 FALLOCATE - - fallocate
44 READDIRPLUS 27 28 ls -l, cold
45 RENAME2 - - rename with flags
46 LSEEK - - lseek, data
47 COPY_FILE_RANGE - 53 copy_file_range 4K
51 TMPFILE 14,15,16 - tmpfile+close
52 STATX - 3 statx with birth time
53 COPY_FILE_RANGE_64 - 47 copy_file_range 4K
'

# A mask of what this kernel can pass; "-" is none.
bits() {	# NUMBER[,NUMBER...]...
	local n mask=0
	for n in ${*//[,-]/ }; do
		mask=$((mask | 1 << (n - 1)))
	done
	echo $((mask & all))
}

# One run under one mask; "none" is without a policy.
run_mask() {	# LABEL MASK OPERATIONS
	if [ "$2" != none ]; then
		fusepass policy attach "$policy" -k "ops=$2" "$work/fuse" ||
			die "cannot attach with mask $2"
	fi
	"$bench" -r "$rounds" -n "$n_files" -o "$3" run "$1=$work/fuse" >/tmp/bits.tsv ||
		die "bits: bench failed"
	sed "s/^/bits\t/" /tmp/bits.tsv
	[ "$2" = none ] || fusepass policy detach "$work/fuse" || die "cannot detach"
}

# With fewer files than elsewhere: there are many runs, which are compared with each other.
part_bits() {
	local n_files=100 all number name needs also ops
	all=$("$bench" mask)
	start fuse
	while read -r number name needs also ops; do
		[ -n "$number" ] && [ "$(bits "$number")" -ne 0 ] || continue
		run_mask "none $name" none "$ops"
		[ "$name" = LOOKUP ] || run_mask "lookup $name" "$(bits 1)" "$ops"
		run_mask "only $name" "$(bits 1 "$number" "$needs")" "$ops"
		run_mask "without $name" $((all & ~$(bits "$number" "$also"))) "$ops"
		run_mask "all $name" "$all" "$ops"
	done <<<"$bit_table"
	umount "$work/fuse"
}

# BENCH_OP on BENCH_SYSTEM
part_profile() {
	start "$BENCH_SYSTEM"
	"$bench" -p -r 4 -o "$BENCH_OP" run "x=$(where "$BENCH_SYSTEM")" || die "profile failed"
	umount "$work/$BENCH_SYSTEM"
}

# Memory -------------------------------------------------------------------------

# Bytes in use by cache, and the whole.
slabs() {
	awk 'NR > 2 { print $1, $2 * $4 }' /proc/slabinfo
	awk '$1 == "Slab:" { print "Slab", $2 * 1024 }
	     $1 == "Percpu:" { print "Percpu", $2 * 1024 }' /proc/meminfo
}

drop() {
	sync
	for _ in 1 2 3 4 5; do
		echo 2 >/proc/sys/vm/drop_caches
		sleep 0.5
	done
}

server_memory() {	# SYSTEM WHEN PID
	[ -n "$3" ] || return 0
	printf 'memory\t%s\tserver fds %s\t%d\n' "$1" "$2" "$(ls "/proc/$3/fd" | wc -l)"
	printf 'memory\t%s\tserver RSS %s\t%d\n' "$1" "$2" \
		"$(awk '$1 == "VmRSS:" { print $2 * 1024 }' "/proc/$3/status")"
}

server_pid() {	# MOUNTPOINT
	local p
	for p in /proc/[0-9]*; do
		tr '\0' ' ' <"$p/cmdline" | grep -q -- " $1 \$" && echo "${p#/proc/}"
	done 2>/dev/null | head -n 1
}

memory_of() {	# SYSTEM FILES
	local pid
	pid=$(server_pid "$work/$1")
	drop
	slabs >/tmp/before
	server_memory "$1" before "$pid"
	[ "$("$bench" walk "$work/$1")" = "$2" ] || die "memory: $1 does not show $2 files"
	slabs >/tmp/after
	server_memory "$1" after "$pid"
	awk -v name="$1" -v n="$2" '
		NR == FNR { old[$1] = $2; next }
		{
			d = ($2 - old[$1]) / n
			if (d > 3 || d < -3)
				printf "memory\t%s\t%s\t%.1f\n", name, $1, d
		}' /tmp/before /tmp/after
}

# One tree, shown by one system after the other.
part_memory() {
	local n=${BENCH_FILES:-100000} s
	empty=1
	[ -z "$quick" ] || n=20000
	place native
	"$bench" tree "$disk/native" "$n" 1000 || die "cannot make the tree"
	sync
	for s in native overlayfs fuse-day fusepass; do
		[ "$s" = native ] || mv "$disk/$previous" "$disk/$s"
		previous=$s
		start "$s"
		memory_of "$s" "$n"
		umount "$work/$s" || die "cannot unmount $s"
	done
	rm -rf "${disk:?}/$previous"
}

# Jobs ---------------------------------------------------------------------------

job_find() { find tree -size +100M; }
job_ls() { ls -lR tree; }
job_git() { git -C repo status --short; }
job_tar() { mkdir unpacked && tar -C unpacked -xf /tmp/job.tar; }
job_make() { make -s -j2 -C build; }

# A part of the kernel source that is compiled with no configuration. The kernel itself
# takes too long where the guest is emulated: `make tinyconfig` alone took 461 s there,
# before its first object.
prepare_build() {	# DIRECTORY
	(
		cd "$FUSEPASS_CACHE/linux" &&
			tar -cf - tools/lib/*.c tools/include tools/arch/x86/include
	) | tar -C "$1" -xf - || die "no kernel source in the cache"
	printf '%s\n' 'CFLAGS = -O1 -D_GNU_SOURCE -Itools/include -Itools/include/uapi -Itools/lib' \
		'SRCS = $(filter-out tools/lib/slab.c,$(wildcard tools/lib/*.c))' \
		'all: $(SRCS:.c=.o)' >"$1/Makefile"
}

prepare_jobs() {	# DIRECTORY
	mkdir -p "$1/tree" "$1/repo" "$1/build"
	"$bench" tree "$1/tree" "$n_tree" 100
	"$bench" tree "$1/repo" 2000 50
	git -C "$1/repo" init -q
	git -C "$1/repo" add -A
	git -C "$1/repo" -c user.name=a -c user.email=a@b commit -qm all
	git -C "$1/repo" status --short
	tar -C "$1/repo" --exclude=.git -cf /tmp/job.tar .
	prepare_build "$1/build"
}

# The programs come from elsewhere: they are to be in memory whatever is dropped.
clean_jobs() {	# DIRECTORY
	rm -rf "$1/unpacked"
	find "$1/build" -name '*.o' -delete
	sync
	echo 2 >/proc/sys/vm/drop_caches
	{
		find --version
		ls --version
		git --version
		tar --version
		make -s -C "$1/build" tools/lib/zalloc.o
	} >/dev/null
	rm "$1/build/tools/lib/zalloc.o"
}

time_job() {	# SYSTEM JOB
	local start=${EPOCHREALTIME/[.,]/}
	"job_$2" >/tmp/job.out 2>&1 || { tail -n 3 /tmp/job.out; die "$1: $2 failed"; }
	printf 'jobs\t%s\t%s\t%d\n' "$2" "$1" $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

# The tree is one and the same for all; what a job makes is removed natively.
part_jobs() {
	local n_tree=20000 jobs_rounds=2 r s
	empty=1
	[ -z "$quick" ] || { n_tree=4000 jobs_rounds=1; }
	git config --global --add safe.directory '*'
	git config --global gc.auto 0
	place native
	prepare_jobs "$disk/native"
	for ((r = 0; r < jobs_rounds; r++)); do
		for s in native overlayfs fuse-second fusepass; do
			jobs_on "$s"
		done
	done
}

jobs_on() {	# SYSTEM
	local j mnt=$work/$1
	mkdir -p "$mnt" "$disk/lower" "$disk/ovl-work"
	case $1 in
	native) mount --bind "$disk/native" "$mnt" ;;
	overlayfs) mount -t overlay overlay "$mnt" \
		-o "lowerdir=$disk/lower,upperdir=$disk/native,workdir=$disk/ovl-work" ;;
	fuse-second) fusepass mount -t 1 "$disk/native" "$mnt" ;;
	fusepass) fusepass mount -t 0 --policy mirror "$disk/native" "$mnt" ;;
	esac || die "cannot mount $1"
	for j in find ls git tar make; do
		clean_jobs "$disk/native"
		cd "$mnt" || die "cannot enter $mnt"
		time_job "$1" "$j"
		cd /
	done
	clean_jobs "$disk/native"
	umount "$mnt" || die "cannot unmount $1"
}

# Under instruction counting a wait for the disk takes any time.
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
make_disk
parts=()
for a; do
	case $a in
	quick) quick=1 rounds=1 ;;
	*) parts+=("$a") ;;
	esac
done
for part in "${parts[@]}"; do
	"part_$part"
done
