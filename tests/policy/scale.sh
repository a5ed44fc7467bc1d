#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Large directories and trees on a mount with the policy `mirror`: all is found, the
# server is asked nothing and does not grow, and what the kernel keeps for it goes away
# again when memory is short, on drop_caches and on unmount.
#
# WORKLOAD_FULL=1 takes 100,000 entries and 200,000 inodes, for `make check-workload`;
# SCALE_DIR and SCALE_DIRS (of 100 files each) are sizes in between.

. "$(dirname "$0")/../lib/cases.sh"

full=${WORKLOAD_FULL:-}
big=${SCALE_DIR:-${full:+100000}}
big=${big:-10000}
dirs=${SCALE_DIRS:-${full:+2000}}
dirs=${dirs:-100}
per_dir=100

# Trees that take long to make are kept for all cases, outside of their directories.
big_dir=$FUSEPASS_WORK/scale.big
tree=$FUSEPASS_WORK/scale.tree

make_big() {
	[ ! -d "$big_dir" ] || return 0
	mkdir -p "$big_dir/d"
	( cd "$big_dir/d" && seq -f 'entry%.0f' "$big" | xargs touch ) || fail "cannot make the directory"
}

make_tree() {	# [DIRECTORY]
	local to=${1:-$tree}
	[ ! -d "$to" ] || return 0
	mkdir "$to"
	(
		cd "$to" || exit
		seq -f 'dir%.0f' "$dirs" | xargs mkdir &&
			awk -v dirs="$dirs" -v files="$per_dir" 'BEGIN {
				for (d = 1; d <= dirs; d++)
					for (f = 1; f <= files; f++)
						print "dir" d "/file" f
			}' | xargs touch
	) || fail "cannot make the tree"
}

# Objects of a slab cache, without those that are free but not given back yet.
slab() {	# CACHE
	local dir=/sys/kernel/slab/$1
	if [ -w "$dir/shrink" ]; then
		echo 1 >"$dir/shrink"
		cut -d' ' -f1 "$dir/objects"
	elif [ -r /proc/slabinfo ]; then
		awk -v c="$1" '$1 == c { print $2 }' /proc/slabinfo
	else
		skip_case "no slab statistics in this kernel"
	fi
}

# Objects are freed after a grace period.
eventually_at_most() {	# CACHE NUMBER
	local i now
	for ((i = 0; i < 100; i++)); do
		now=$(slab "$1")
		[ "$now" -gt "$2" ] || return 0
		sleep 0.1
	done
	fail "$now objects of $1 are left, not $2"
}

drop_caches() {
	local i
	for i in 1 2 3; do
		echo 2 >/proc/sys/vm/drop_caches
	done
}

walk() {	# DIRECTORY [GLOB]
	# shellcheck disable=SC2086
	( cd "$1" && find ${2:-.} -printf '%p %y %m %s %n\n' | LC_ALL=C sort | md5sum )
}

test_scale_large_directory_is_listed_and_looked_up() {
	local n
	make_big
	works fusepass mount --policy mirror "$big_dir" mnt
	reset_counts
	n=$(ls -f mnt/d | sort -u | wc -l)
	[ "$n" -eq $((big + 2)) ] || fail "$n names are listed, not $((big + 2))"
	SECONDS=0
	[ "$(walk mnt)" = "$(walk "$big_dir")" ] || fail "what is listed differs from native"
	note "$big entries looked up, natively and on the mount: $SECONDS s"
	( cd mnt/d && "$tests/bin/names" 1000 ) >/dev/null || fail "names that are not there"
	[ -e mnt/d/entry"$big" ] || fail "the last entry is missing"
	expect_asked_0 "large directory"
}

test_scale_large_directory_changes_while_it_is_listed() {
	local n
	mkdir src/d
	( cd src/d && seq -f 'entry%.0f' 3000 | xargs touch )
	works fusepass mount --policy mirror src mnt
	( cd src/d && seq -f 'entry%.0f' 1 2 3000 | xargs rm; seq -f 'new%.0f' 1000 | xargs touch ) &
	n=$(ls -f mnt/d | grep -c '^entry[0-9]*[02468]$')
	wait $!
	[ "$n" -eq 1500 ] || fail "$n of the 1500 entries that stayed were listed"
	n=$(ls mnt/d | wc -l)
	[ "$n" -eq 2500 ] || fail "$n entries afterwards"
}

# Makes files in a directory of its own, changes their names and contents, removes some.
write_files() {	# DIRECTORY
	local i
	mkdir "$1" || return
	for ((i = 0; i < 60; i++)); do
		echo "$i" >"$1/file$i" || return
	done
	for ((i = 0; i < 60; i += 3)); do
		echo more >>"$1/file$i" || return
	done
	mkdir "$1/sub" && mv "$1"/file?[05] "$1/sub" && rm "$1"/file?[19] &&
		chmod 600 "$1"/file?2 && ln "$1/file13" "$1/sub/link" && mv "$1/sub" "$1/moved"
}

all_of() {	# DIRECTORY
	walk "$1"
	cat "$1"/file* "$1"/moved/*
}

test_scale_eight_read_while_eight_write() {
	local want written i dir
	make_tree
	works fusepass mount --policy mirror "$tree" mnt
	write_files native || fail "cannot write natively"
	# Ninety of the directories, else it takes too long where the guest is emulated.
	want=$(walk "$tree" 'dir??')
	written=$(all_of native)
	reset_counts
	for ((i = 0; i < 8; i++)); do
		walk mnt 'dir??' >walk.$i 2>&1 &
		write_files "mnt/written$i" >write.$i 2>&1 &
	done
	# Meanwhile what they hold is taken away.
	for ((i = 0; i < 5; i++)); do
		sleep 0.3
		echo 2 >/proc/sys/vm/drop_caches
	done
	wait
	for ((i = 0; i < 8; i++)); do
		[ "$(cat walk.$i)" = "$want" ] || fail "reader $i: $(cat walk.$i), natively $want"
		[ ! -s write.$i ] || fail "writer $i: $(cat write.$i)"
		for dir in mnt "$tree"; do
			[ "$(all_of "$dir/written$i")" = "$written" ] ||
				fail "$dir/written$i differs from native"
		done
		rm -r "mnt/written$i" || fail "rm"
	done
	expect_asked_0 "eight readers and eight writers"
}

server_fds() {	# PID
	ls "/proc/$1/fd" | wc -l
}

server_rss() {	# PID; in kB
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

test_scale_server_does_not_grow_with_a_walk() {
	local pid fds rss
	make_tree
	works fusepass mount --policy mirror "$tree" mnt
	pid=$(pgrep -f "fusepass mount --policy mirror $tree mnt" | head -n 1)
	[ -n "$pid" ] || fail "no server process"
	fds=$(server_fds "$pid") rss=$(server_rss "$pid")
	[ "$(walk mnt)" = "$(walk "$tree")" ] || fail "the tree differs"
	note "before the walk $fds open files, $rss kB; after it" \
		"$(server_fds "$pid"), $(server_rss "$pid") kB"
	[ "$(server_fds "$pid")" -le "$fds" ] || fail "more open files"
	# A thread may touch a page late, whatever is walked.
	rss=$((rss + 64))
	[ "$(server_rss "$pid")" -le "$rss" ] || fail "more memory"
	# Without the policy it does grow, so that is what is seen here.
	works fusepass policy detach mnt
	walk mnt 'dir??' >/dev/null
	note "without a policy $(server_fds "$pid"), $(server_rss "$pid") kB"
	[ "$(server_rss "$pid")" -gt "$rss" ] || fail "the server knows nodes and has not grown"
}

test_scale_nodes_are_freed_by_drop_caches_and_unmount() {
	local before n
	make_tree
	drop_caches
	before=$(slab ${fuse}_inode) || exit
	works fusepass mount --policy mirror "$tree" mnt
	walk mnt >/dev/null
	n=$(slab ${fuse}_inode)
	note "$n fuse inodes after the walk, $before before the mount"
	[ "$n" -ge $((before + dirs * per_dir)) ] || fail "$n fuse inodes: fewer than the tree has"
	drop_caches
	eventually_at_most ${fuse}_inode $((before + 100))
	[ "$(walk mnt)" = "$(walk "$tree")" ] || fail "the tree differs after dropping it"
	umount mnt || fail "umount"
	eventually_at_most ${fuse}_inode "$before"
}

# A file system of its own to show, so that it can be unmounted too.
mount_own() {
	truncate -s 1G own.img
	mke2fs -q -t ext4 -N $((dirs * per_dir * 5 / 4 + 1000)) own.img || fail "mke2fs"
	mkdir own
	mount -o loop own.img own || fail "mount"
	make_tree own/tree
}

# The mount and what is below it are unmounted, and nothing is kept of either. Names of
# programs and of /proc come and go meanwhile.
nothing_is_kept() {	# FUSE-INODES DENTRIES
	umount mnt || fail "umount of the mount"
	eventually_at_most ${fuse}_inode "$1"
	umount own || fail "umount of the file system below"
	drop_caches
	eventually_at_most dentry $(($2 + 500))
}

test_scale_unmounting_both_frees_inodes_and_dentries() {
	local inodes dentries
	drop_caches
	inodes=$(slab ${fuse}_inode) || exit
	dentries=$(slab dentry)
	mount_own
	works fusepass mount --policy mirror own/tree mnt
	[ "$(walk mnt)" = "$(walk own/tree)" ] || fail "the tree differs"
	note "$(slab dentry) dentries after the walk, $dentries before"
	[ "$(slab dentry)" -ge $((dentries + 2 * dirs * per_dir)) ] || fail "fewer than both trees have"
	nothing_is_kept "$inodes" "$dentries"
}

# tmpfs takes the memory that the caches could have.
fill_memory() {	# KILOBYTES TO LEAVE
	local avail
	avail=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
	[ "$avail" -gt "$1" ] || return 0
	mkdir -p fill
	mount -t tmpfs -o size=100% fill fill || fail "tmpfs"
	head -c $(((avail - $1) * 1024)) /dev/zero >fill/memory || fail "cannot fill memory"
}

# A node with what belongs to it in both file systems takes two kilobytes and more, so
# the tree does not fit into what is left.
test_scale_tree_is_walked_under_memory_pressure() {
	local want n inodes dentries left=$((dirs * per_dir * 7 / 10))
	# With less than this the programs themselves are read again and again.
	[ "$left" -ge 120000 ] || left=120000
	[ "$dirs" -ge 700 ] || skip_case "only with WORKLOAD_FULL=1: a small tree fits into any memory"
	drop_caches
	inodes=$(slab ${fuse}_inode) || exit
	dentries=$(slab dentry)
	mount_own
	want=$(walk own/tree)
	works fusepass mount --policy mirror own/tree mnt
	fill_memory "$left"
	reset_counts
	[ "$(walk mnt)" = "$want" ] || fail "first walk differs"
	[ "$(walk mnt)" = "$want" ] || fail "second walk differs"
	n=$(slab ${fuse}_inode)
	note "$n fuse inodes for $((dirs * per_dir + dirs)) objects"
	[ "$n" -lt $((dirs * per_dir)) ] || fail "no inode was given up"
	expect_asked_0 "walk under memory pressure"
	nothing_is_kept "$inodes" "$dentries"
	umount fill
}

cases_are=long
cases_run "$@"
