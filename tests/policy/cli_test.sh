#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shipped policies, the server and the command together: what passes is counted as
# 0 requests at the server, and what does not, is not. Any behaviour of the kernel that
# needs no command is in lookup_test.c.

. "$(dirname "$0")/../lib/cases.sh"

# Operations that pass, per policy

test_without_a_policy_the_server_is_asked() {
	works fusepass mount src mnt
	reset_counts
	same_as_native
	expect_asked LOOKUP
	expect_asked OPEN
	expect_asked READ
}

test_mirror_attached_by_the_command_passes_all() {
	works fusepass mount src mnt
	same_as_native
	works fusepass policy attach mirror mnt
	reset_counts
	same_as_native
	expect_asked_0 "with mirror"
	works fusepass policy detach mnt
	reset_counts
	same_as_native
	expect_asked LOOKUP
}

test_policy_of_the_mount_command_is_there_before_the_first_lookup() {
	works fusepass mount --policy mirror src mnt
	same_as_native
	[ "$(asked LOOKUP)" -eq 0 ] || fail "LOOKUP reached the server: $(fusepass stat mnt)"
	[ "$(asked OPENDIR)" -eq 0 ] || fail "OPENDIR reached the server"
	contains fusepass policy show mnt -- mirror
}

test_suffix_passes_by_the_end_of_the_name() {
	works fusepass mount --policy suffix -k suffixes=.txt,.h src mnt
	reset_counts
	cat mnt/a.txt mnt/dir/c.h mnt/dir/sub/d.txt >/dev/null || fail "cat"
	stat mnt/none.txt >/dev/null 2>&1
	expect_asked_0 "matching names"
	cat mnt/b.dat >/dev/null
	expect_asked LOOKUP
	expect_asked READ
	reset_counts
	stat mnt/none.dat >/dev/null 2>&1
	expect_asked LOOKUP
	same_as_native
}

test_suffix_without_its_knob_passes_directories_only() {
	works fusepass mount --policy suffix src mnt
	reset_counts
	ls mnt/dir/sub >/dev/null
	expect_asked_0 "directories"
	cat mnt/a.txt >/dev/null
	expect_asked READ
}

test_readonly_passes_the_read_side_only() {
	works fusepass mount --policy readonly src mnt
	reset_counts
	same_as_native
	expect_asked_0 "reading"
	chmod 600 mnt/a.txt || fail "chmod"
	expect_asked SETATTR
	echo more >>mnt/a.txt || fail "append"
	expect_asked OPEN
	expect_asked WRITE
	[ "$(tail -n 1 src/a.txt)" = more ] || fail "not written"
	[ "$(stat -c %a src/a.txt)" = 600 ] || fail "mode not changed"
	same_as_native
}

test_replace_changes_what_passes() {
	works fusepass mount --policy mirror src mnt
	cat mnt/b.dat >/dev/null
	works fusepass policy replace -k suffixes=.txt suffix mnt
	contains fusepass policy show mnt -- suffix
	reset_counts
	cat mnt/a.txt >/dev/null
	expect_asked_0 "matching name"
	cat mnt/b.dat >/dev/null
	expect_asked LOOKUP
	works fusepass policy replace mirror mnt
	reset_counts
	same_as_native
	expect_asked_0 "mirror again"
}

# FUSE_PASSTHROUGH_OP_LOOKUP, _GETATTR, _OPEN and _READ, of fusepass_abi.h
lookup_getattr=$((1 << 0 | 1 << 2))
open_read=$((1 << 13 | 1 << 14))

test_policy_of_a_file_takes_its_knob_and_is_replaced() {
	local file=$tests/bpf/bench.bpf.o
	works fusepass mount src mnt
	works fusepass policy attach -k ops=$lookup_getattr "$file" mnt
	contains fusepass policy show mnt -- "policy bench"
	stat mnt >/dev/null
	reset_counts
	stat mnt/a.txt mnt/dir/c.h >/dev/null || fail "stat"
	expect_asked_0 "what the knob names"
	[ "$(cat mnt/a.txt)" = "text of a" ] || fail "cat"
	expect_asked OPEN
	[ "$(asked LOOKUP)" -eq 0 ] || fail "LOOKUP reached the server"
	works fusepass policy replace -k ops=$((lookup_getattr | open_read)) "$file" mnt
	cat mnt/a.txt mnt/dir/c.h >/dev/null
	reset_counts
	cat mnt/a.txt mnt/dir/c.h >/dev/null || fail "cat"
	expect_asked_0 "with more in the knob"
	ls mnt >/dev/null
	expect_asked OPENDIR
	works fusepass policy replace mirror mnt
	reset_counts
	same_as_native
	expect_asked_0 "mirror in the place of a file"
}

# Like native, whatever the policy

lockstep() {	# LABEL POLICY...; $without is a scenario that is left out
	local label=$1
	shift
	mkdir native
	works fusepass mount "$@" src mnt
	# From now on the tree of this case is in the way of none of the scenarios.
	"$tests/bin/lockstep" "$PWD/native" "$PWD/src" "$PWD/mnt" "$label" \
		${without:+"^$without"} |
		grep -v '^ok\|^1\.\.' | sed 's/^not ok/# not ok/'
	[ "${PIPESTATUS[0]}" -eq 0 ]
}

test_mount_without_a_policy_behaves_as_native() {
	lockstep none
}

test_mount_with_mirror_behaves_as_native() {
	lockstep mirror --policy mirror
}

test_mount_with_suffix_behaves_as_native() {
	lockstep suffix --policy suffix -k suffixes=file,a,c,d,.1
}

# Writes to a mapping would bypass the server, which has WRITE.
test_mount_with_readonly_behaves_as_native() {
	without=mapping lockstep readonly --policy readonly
}

map_for_writing() {	# FILE
	python3 -c 'import mmap, os, sys
mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0)' "$1" 2>&1
}

test_shared_mapping_for_writing_is_refused_where_writing_is_the_servers() {
	works fusepass mount --policy readonly src mnt
	case $(map_for_writing mnt/a.txt) in
	*'[Errno 19]'*) ;;
	*) fail "no ENODEV: $(map_for_writing mnt/a.txt)" ;;
	esac
	works fusepass policy replace mirror mnt
	[ -z "$(map_for_writing mnt/a.txt)" ] || fail "mirror: $(map_for_writing mnt/a.txt)"
}

# Faults

test_second_policy_is_refused_and_named() {
	works fusepass mount --policy mirror src mnt
	refused 2 "Device or resource busy" fusepass policy attach readonly mnt
	contains fusepass policy show mnt -- mirror
}

test_attach_to_what_is_not_fuse_is_refused() {
	refused 2 "src" fusepass policy attach mirror src
	refused 2 "missing" fusepass policy attach mirror missing
}

# In text there is the heading, in JSON an empty list.
no_policy_is_listed() {
	[ "$(fusepass policy list | sed 1d)" = "" ] || fail "listed: $(fusepass policy list)"
	contains fusepass -j policy list -- '"policies":[]'
}

test_unknown_policy_and_knob_are_refused() {
	works fusepass mount src mnt
	refused 2 "nosuch" fusepass policy attach nosuch mnt
	refused 2 "nosuch" fusepass policy attach -k nosuch=1 suffix mnt
	no_policy_is_listed
	works fusepass policy attach mirror mnt
}

test_attach_without_privilege_is_refused() {
	works fusepass mount src mnt
	local out status=0
	# The checkout may be where this user can't look.
	mkdir -m 755 /tmp/shared
	cp "$(command -v fusepass)" "$FUSEPASS_TOP"/build/bpf/*.bpf.o /tmp/shared
	chmod -R a+rX /tmp/shared
	out=$(FUSEPASS_POLICY_DIR=/tmp/shared setpriv --reuid 1000 --regid 1000 --clear-groups \
		/tmp/shared/fusepass policy attach mirror mnt 2>&1) || status=$?
	[ "$status" -ne 0 ] || fail "attached as uid 1000"
	case $out in *ermi*|*rivilege*) ;; *) fail "no cause: $out" ;; esac
	reset_counts
	same_as_native
	expect_asked LOOKUP
}

test_killed_server_leaves_passed_files_readable() {
	works fusepass mount --policy mirror src mnt
	local id pid
	exec 7<mnt/dir/sub/d.txt
	id=$(connection)
	pid=$(pgrep -f "fusepass mount --policy mirror src mnt" | head -n 1)
	[ -n "$pid" ] || fail "no server process"
	kill -9 "$pid"
	sleep 0.5
	[ "$(cat <&7)" = deep ] || fail "read after the server's death"
	exec 7<&-
	umount mnt || fail "umount"
	[ ! -e "/sys/fs/$fuse/connections/$id" ] || fail "connection $id is left"
}

test_foreground_server_ends_on_sigterm_and_detaches() {
	local pid id i status=0
	fusepass mount --foreground --policy mirror src mnt >server.out 2>&1 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		fusepass policy list | grep -q "$PWD/mnt" && break
		sleep 0.1
	done
	contains fusepass policy list -- mirror "$PWD/mnt"
	same_as_native
	id=$(connection)
	[ -e "/sys/fs/bpf/fusepass/$id" ] || fail "the link is not pinned"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 0 ] || fail "status $status: $(cat server.out)"
	! mountpoint -q mnt || fail "still mounted"
	[ ! -e "/sys/fs/bpf/fusepass/$id" ] || fail "the pin is left"
	no_policy_is_listed
	eventually_no_link
}

# Those that there are before a case begins are not its own.
links() {
	bpftool link list | grep -c struct_ops
}
counter_maps() {
	bpftool map list | awk -F: '/ name counters / { print $1 }'
}
before_case() {
	old_links=$(links)
	old_maps=" $(counter_maps | tr '\n' ' ')"
}

# The kernel frees a link after a grace period.
eventually_no_link() {
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$(links)" -gt "$old_links" ] || return 0
		sleep 0.1
	done
	fail "a link is left: $(bpftool link list)"
}

connection() {
	fusepass -j stat mnt | sed 's/.*"connection":\([0-9]*\).*/\1/'
}

test_unmount_with_a_policy_leaves_nothing_behind() {
	works fusepass mount --policy mirror src mnt
	same_as_native
	umount mnt || fail "umount"
	sleep 0.5
	no_policy_is_listed
	# The same directory can be mounted and policed again.
	works fusepass mount --policy mirror src mnt
	same_as_native
}

test_change_of_the_source_is_seen_at_once() {
	works fusepass mount --policy mirror src mnt
	cat mnt/a.txt >/dev/null
	stat mnt/new >/dev/null 2>&1
	echo changed >src/a.txt
	echo new >src/new
	rm src/b.dat
	mv src/dir src/moved
	[ "$(cat mnt/a.txt)" = changed ] || fail "old content"
	[ "$(cat mnt/new)" = new ] || fail "new name not seen"
	[ ! -e mnt/b.dat ] || fail "removed name still there"
	[ ! -e mnt/dir ] || fail "old directory name still there"
	[ "$(cat mnt/moved/c.h)" = header ] || fail "moved directory not seen"
	same_as_native
}

# Output of the commands

test_bpftool_shows_ops_link_program_and_counters() {
	local id
	works fusepass mount --policy mirror src mnt
	same_as_native
	id=$(connection)
	contains bpftool struct_ops list -- mirror fuse_policy_ops
	contains bpftool link list -- struct_ops
	contains bpftool prog list -- mirror_lookup struct_ops
	contains bpftool struct_ops dump name mirror -- fuse_policy_ops mirror connection "$id"
	contains bpftool map dump name counters -- lookups passed asked negative
}

# Counts of the policy, of all CPUs, from the dump with names and types.
dump_counters() {
	local id
	for id in $(counter_maps); do
		[[ $old_maps == *" $id "* ]] || bpftool map dump id "$id"
	done
}

counted() {	# MEMBER
	dump_counters | awk -F: -v member="$1" '
		{ gsub(/[" ,]/, "") }
		$1 == member { n += $2; seen = 1 }
		END { print seen ? n : "none" }'
}

# With any policy, each lookup is in one of three counters.
counters_add_up() {
	[ "$(counted lookups)" -eq \
	  $(($(counted passed) + $(counted negative) + $(counted asked))) ] ||
		fail "counters: $(dump_counters)"
}

test_counters_of_mirror_add_up() {
	works fusepass mount --policy mirror src mnt
	cat mnt/a.txt >/dev/null
	stat mnt/none >/dev/null 2>&1
	counters_add_up
	[ "$(counted lookups)" -ge 2 ] || fail "lookups"
	[ "$(counted negative)" -ge 1 ] || fail "a name that is not there"
	[ "$(counted asked)" -eq 0 ] || fail "mirror has asked"
	[ "$(counted created)" -eq 0 ] || fail "nothing was created"
	touch mnt/new
	[ "$(counted created)" -ge 1 ] || fail "a file was created"
	ls -l mnt/dir >/dev/null
	counters_add_up
}

test_counters_of_suffix_tell_names_apart() {
	local passed
	works fusepass mount --policy suffix -k suffixes=.txt src mnt
	cat mnt/a.txt >/dev/null
	[ "$(counted asked)" -eq 0 ] || fail "asked for a matching name"
	passed=$(counted passed)
	[ "$passed" -ge 1 ] || fail "a matching name"
	stat mnt/none.txt >/dev/null 2>&1
	[ "$(counted negative)" -eq 1 ] || fail "a matching name that is not there"
	cat mnt/b.dat >/dev/null
	stat mnt/none.dat >/dev/null 2>&1
	[ "$(counted asked)" -ge 2 ] || fail "names that do not match"
	[ "$(counted passed)" -eq "$passed" ] || fail "passed a name that does not match"
	[ "$(counted negative)" -eq 1 ] || fail "passed a missing name that does not match"
	counters_add_up
}

# Its verdict is always to pass: what the server does is outside of the mask.
test_counters_of_readonly_pass_every_name() {
	works fusepass mount --policy readonly src mnt
	same_as_native
	chmod 600 mnt/a.txt || fail "chmod"
	expect_asked SETATTR
	[ "$(counted passed)" -ge 6 ] || fail "names"
	[ "$(counted negative)" -ge 1 ] || fail "a name that is not there"
	[ "$(counted asked)" -eq 0 ] || fail "a name was the server's"
	counters_add_up
}

test_opens_are_judged_by_the_caller_and_counted() {
	local file=$tests/bpf/opens.bpf.o
	works fusepass mount src mnt
	works fusepass policy attach -k reader=0 "$file" mnt
	contains fusepass policy show mnt -- "opens     pass 0 server 0 error 0 invalid 0"
	reset_counts
	cat mnt/a.txt >/dev/null || fail "cat"
	expect_asked_0 "whose opens pass"
	works fusepass policy replace -k reader=12345 "$file" mnt
	reset_counts
	[ "$(cat mnt/a.txt)" = "text of a" ] || fail "cat by somebody else"
	expect_asked OPEN
	expect_asked READ
	[ "$(asked LOOKUP)" -eq 0 ] || fail "LOOKUP reached the server"
	contains fusepass policy show mnt -- "opens     pass 1 server 1 error 0 invalid 0"
	contains fusepass -j policy show mnt -- '"opens":{"pass":1,"server":1,"error":0,"invalid":0}'
	works fusepass policy replace mirror mnt
	reset_counts
	cat mnt/a.txt >/dev/null || fail "cat"
	expect_asked_0 "without a program for opens"
}

test_list_show_and_stat_tell_about_the_mount() {
	works fusepass mount src mnt
	works fusepass policy attach mirror mnt
	contains fusepass policy list -- mirror "$PWD/mnt"
	contains fusepass policy show mnt -- mirror pass
	contains fusepass -j policy show mnt -- '"mirror"'
	contains fusepass -j policy list -- '"mirror"'
	cat mnt/a.txt >/dev/null
	contains fusepass stat mnt -- LOOKUP PASSED
}

test_doctor_finds_nothing_missing() {
	local out
	out=$(fusepass doctor)
	case $out in *missing*) fail "$out" ;; esac
}

cases_run "$@"
