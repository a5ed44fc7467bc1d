#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real programs that write: each does its work in a native directory and on a mount with
# the policy `mirror`, and has to leave and say the same. What reached the server is
# counted, and nothing may.
#
# WORKLOAD_FULL=1 takes larger trees and files, for `make check-workload`.

# Client and server on one CPU, see demo.sh.
[ -n "${WORKLOAD_PINNED:-}" ] || WORKLOAD_PINNED=1 exec taskset -c "$(($(nproc) - 1))" "$0" "$@"

. "$(dirname "$0")/../lib/cases.sh"

full=${WORKLOAD_FULL:-}

# Requests that arrived, one "OPCODE COUNT" a line, without the bookkeeping of dropped inodes.
requests() {
	fusepass stat mnt | awk 'NR > 1 && $2 ~ /^[0-9]+$/ && $2 > 0 &&
		$1 !~ /^(total|(BATCH_)?FORGET|INTERRUPT)$/ { print $1, $2 }'
}

expect_no_requests() {
	requests >requests
	[ ! -s requests ] || fail "reached the server: $(tr '\n' ' ' <requests)"
}

# All that can be seen of a tree; with $times the time stamps that programs restore.
manifest() {	# DIRECTORY
	(
		cd "$1" || exit
		find . -name .git -prune -o -mindepth 1 ! -type d \
			-printf "%P %y %m %U %G %n %s %l${times:+ %T@}\n" | LC_ALL=C sort
		find . -name .git -prune -o -type d -printf '%P %y %m %U %G\n' | LC_ALL=C sort
		[ -n "${skip_data:-}" ] ||
			find . -name .git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0r md5sum
	)
}

same() {	# WHAT A B
	cmp -s "$2" "$3" || fail "$1 differs: $(diff "$2" "$3" | head -n 10)"
}

# Does the work in native/ and on the mount, and compares.
workload() {	# FUNCTION
	local dir status
	rm -rf src
	mkdir native src
	works fusepass mount --policy mirror src mnt
	for dir in native mnt; do
		reset_counts
		SECONDS=0
		( cd "$dir" && set -e && "$1" ) >"$dir.out" 2>&1
		status=$?
		note "$dir: $SECONDS s"
		[ $status -eq 0 ] || fail "$1 in $dir: status $status: $(tail -n 5 "$dir.out")"
	done
	expect_no_requests
	same "output" native.out mnt.out
	for dir in native mnt src; do
		manifest "$dir" >"$dir.tree"
	done
	same "tree on the mount" native.tree mnt.tree
	same "tree in the backing directory" native.tree src.tree
	mnt_is_removed
}

# All of it can be removed again, and is gone.
mnt_is_removed() {
	find mnt -mindepth 1 -delete || fail "cannot remove it all"
	[ -z "$(ls -A mnt)" ] && [ -z "$(ls -A src)" ] || fail "something is left"
}

# A tree of ours to work on, kept for all cases.
tarball=/tmp/workload.tar
make_tarball() {
	[ -e "$tarball" ] || tar -C "$FUSEPASS_TOP" -cf "$tarball" user include ${full:+docs tests kernel scripts}
}

do_tar() {
	tar -xpf "$tarball"
	tar -cf - user | tar -xf - --transform 's,^,again/,'
	tar -df "$tarball"
	ls -R
}

test_workload_tar() {
	make_tarball
	times=1 workload do_tar
}

# Sources that need nothing but the C library. Paths do not reach the objects.
do_build() {
	tar -xf "$tarball" user/server/json.c user/server/json.h
	printf '%s\n' "OBJS = main.o ${full:+json.o}" 'prog: $(OBJS)' '	cc -o $@ $(OBJS)' \
		'%.o: user/server/%.c' '	cc -O1 -MMD -D_GNU_SOURCE -Iuser/server -c $<' \
		'clean:' '	rm -f prog $(OBJS) *.d' '-include $(wildcard *.d)' >Makefile
	printf '%s\n' 'int puts(const char *);' 'int main(void)' '{' '	return !puts("built");' '}' >user/server/main.c
	make prog
	./prog
	make prog
	[ -n "$full" ] || return 0
	touch -d '+1 minute' user/server/json.h
	make prog
	make clean
	make -j4 --output-sync prog >/dev/null
	./prog
}

test_workload_build() {
	command -v gcc make >/dev/null || skip_case "no compiler"
	make_tarball
	workload do_build
}

repo=/tmp/workload.git
git_env() {
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
	export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' \
		GIT_CONFIG_KEY_1=gc.auto GIT_CONFIG_VALUE_1=0 \
		GIT_CONFIG_KEY_2=init.defaultBranch GIT_CONFIG_VALUE_2=main
}

make_repo() {
	[ -d "$repo" ] && return
	git init -q "$repo" || fail "git init"
	tar -C "$repo" -xf "$tarball"
	git -C "$repo" add . && git -C "$repo" commit -qm one || fail "git commit"
	git -C "$repo" mv include headers && git -C "$repo" commit -qm two || fail "git commit"
}

do_git() {
	git clone -q "$repo" one
	git -C one status --short
	echo more >>one/user/server/json.c
	git -C one status --short
	git -C one commit -qam three
	git -C one log --format='%H %s'
	git -C one fsck --full
	[ -n "$full" ] || return 0
	git clone -q one two
	git -C two checkout -q HEAD~2
	git -C two gc -q
	git -C two fsck --full
	git -C two status --short
}

test_workload_git() {
	command -v git >/dev/null || skip_case "no git"
	git_env
	make_tarball
	make_repo
	workload do_git
}

do_sqlite() {
	local n=${full:+20000}
	sqlite3 db "PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${n:-2000})
			INSERT INTO t SELECT x, hex(x * x) FROM c;
		SELECT count(*), sum(length(b)) FROM t;"
	# Two writers at a time, which need locks and shared memory that work.
	for i in 1 2 3 4 5; do
		echo ".timeout 60000"
		echo "INSERT INTO t (b) VALUES ('from a writer');"
	done >writer.sql
	sqlite3 db <writer.sql &
	sqlite3 db <writer.sql
	wait $!
	rm writer.sql
	sqlite3 db "SELECT count(*) FROM t; DELETE FROM t WHERE a % 3 = 0;
		PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check; VACUUM;
		PRAGMA journal_mode = DELETE; BEGIN; DELETE FROM t; ROLLBACK;
		SELECT count(*) FROM t; PRAGMA integrity_check;"
}

test_workload_sqlite() {
	command -v sqlite3 >/dev/null || skip_case "no sqlite3"
	skip_data=1 workload do_sqlite
}

# One run of fio with a job for each engine, one after the other; the data is verified
# by fio itself and differs from run to run.
do_fio() {
	local e args=() size=${full:+4m}
	for e in psync pvsync2 mmap libaio io_uring; do
		args+=(--name="$e" --stonewall --ioengine="$e" --filename="file.$e")
	done
	args+=(--name=direct --stonewall --ioengine=psync --direct=1 --filename=file.direct)
	fio --output=/dev/null --size="${size:-128k}" --bs=4k --rw=randrw --verify=crc32c \
		--do_verify=1 --verify_fatal=1 --fallocate=none --thread --group_reporting \
		--allow_file_create=1 "${args[@]}" || return
	ls | cat
}

test_workload_fio() {
	command -v fio >/dev/null || skip_case "no fio"
	skip_data=1 workload do_fio
}

do_copy() {
	tar -xf "$tarball"
	ln -s user link
	ln user/server/json.c user/hard.c
	mkfifo fifo
	truncate -s 1M sparse
	setfattr -n user.note -v text user/server/json.h
	setfacl -m u:1000:r user/server/json.c
	chmod 4755 user/cli/main.c
	touch -h -d @1000000000 link fifo sparse
	mkdir copy
	cp --reflink=auto -a user include link fifo sparse copy
	diff -r user copy/user
	getfattr -d copy/user/server/json.h
	getfacl -n copy/user/server/json.c
	mv copy moved
	rm -r moved/include
}

test_workload_copy() {
	make_tarball
	times=1 workload do_copy
}

do_rsync() {
	tar -xf "$tarball"
	rsync -aHAX user include copy
	echo changed >>user/server/json.c
	rm user/cli/main.c
	rsync -aHAX --delete --inplace --checksum --itemize-changes user include copy
	diff -r user copy/user
}

test_workload_rsync() {
	command -v rsync >/dev/null || skip_case "no rsync"
	make_tarball
	workload do_rsync
}

cases_are=long
cases_run "$@"
