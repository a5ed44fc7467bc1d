#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Watching: fusepass trace, top and stat --prometheus tell what happens on a mount.

. "$(dirname "$0")/../lib/cases.sh"
cases_are=quick

mount_rules() {
	printf '%s\n' 'server name *.dat' 'deny EACCES name secret' 'pass read path /dir/**' 'pass all' >rules
	echo secret >src/secret
	works fusepass mount --rules rules src mnt
}

# traced OPTION... -- COMMAND...: what trace says meanwhile, in the file traced.
traced() {
	local options=() pid i
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	fusepass trace "${options[@]}" >traced 2>traced.err &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		! grep -q tracing traced.err || break
		sleep 0.1
	done
	"$@" >/dev/null 2>&1
	sleep 1
	kill -INT $pid
	wait $pid || fail "trace: status $?: $(cat traced.err)"
}

has_line() {	# PATTERN
	grep -qE "$1" traced || fail "no line $1 in: $(cat traced)"
}

has_no_line() {	# PATTERN
	! grep -E "$1" traced || fail "a line $1"
}

test_trace_shows_verdicts_with_path_and_mask() {
	mount_rules
	traced mnt -- cat mnt/a.txt mnt/dir/sub/d.txt mnt/secret
	has_line ' verdict +LOOKUP +pass +/a\.txt \(all\) cat\[[0-9]+\] uid 0$'
	has_line ' verdict +LOOKUP +pass +/dir/sub/d\.txt \(read\)'
	has_line ' verdict +LOOKUP +EACCES +/secret '
	has_no_line '^ *[0-9.]+ server +(OPEN|READ) '
}

test_trace_shows_requests_with_path_and_time() {
	mount_rules
	traced -- cat mnt/b.dat
	has_line ' verdict +LOOKUP +server +/b\.dat '
	has_line ' server +LOOKUP +ok +/b\.dat [0-9]+ us cat\['
	has_line ' server +OPEN +ok +/b\.dat '
	has_line ' server +READ +ok +/b\.dat '
}

test_trace_server_only_shows_no_verdict() {
	mount_rules
	traced --server-only mnt -- cat mnt/a.txt mnt/b.dat
	has_line ' server +READ +ok +/b\.dat '
	has_no_line ' verdict '
}

test_trace_path_selects() {
	mount_rules
	traced --path '/dir/*' -- cat mnt/a.txt mnt/dir/sub/d.txt
	has_line '/dir/sub/d\.txt'
	has_no_line 'a\.txt'
}

test_trace_uid_selects() {
	chmod 755 src
	mount_rules
	traced --uid 1000 -- sh -c 'cat mnt/a.txt; setpriv --reuid 1000 --clear-groups cat mnt/dir/c.h'
	has_line '/dir/c\.h .* uid 1000$'
	has_no_line 'uid 0$'
}

test_trace_shows_opens_by_caller() {
	printf '%s\n' 'server open by uid 0' 'pass all' >rules
	works fusepass mount --rules rules src mnt
	traced mnt -- cat mnt/a.txt
	has_line ' open +OPEN +server '
}

test_trace_in_json_is_one_document() {
	local pid
	mount_rules
	fusepass -j trace mnt >traced 2>traced.err &
	pid=$!
	sleep 5
	cat mnt/b.dat >/dev/null
	sleep 1
	kill -INT $pid
	wait $pid || fail "status $?"
	[ ! -s traced.err ] || fail "stderr: $(cat traced.err)"
	python3 -c '
import json
e = json.load(open("traced"))["events"]
assert any(x["kind"] == "server" and x["operation"] == "READ" and x["path"] == "/b.dat" for x in e), e
assert any(x["kind"] == "verdict" and x["result"] == "server" for x in e), e' || fail "not so: $(cat traced)"
}

test_trace_of_no_fuse_mount_is_refused() {
	refused 2 "trace src: Invalid argument" fusepass trace src
	refused 2 "watch src: Invalid argument" fusepass top --batch src
}

test_watching_without_privileges() {
	chmod 755 src
	mount_rules
	refused 2 "trace: Operation not permitted" setpriv --reuid 1000 --clear-groups "$(command -v fusepass)" trace mnt
	setpriv --reuid 1000 --clear-groups fusepass top --batch --interval 0.2 mnt >out 2>&1
	case $? in
	0) grep -q '^directories: not known (' out || fail "$(cat out)" ;;
	2) grep -q '^fusepass: watch .*: Permission denied' out || fail "$(cat out)" ;;
	*) fail "status: $(cat out)" ;;
	esac
}

# Reads and asks until the file stop is there.
load() {
	while [ ! -e stop ]; do
		cat mnt/a.txt mnt/dir/b.dat
	done >/dev/null 2>&1
}

test_top_shows_rates_and_directories() {
	local pid out rate='([1-9][0-9.]*|0\.[1-9])'
	cp src/b.dat src/dir/b.dat
	mount_rules
	load &
	pid=$!
	out=$(fusepass top --batch --interval $((3 * ${FUSEPASS_PATIENCE:-1})) mnt) || fail "status $?"
	note "$out"
	touch stop
	wait $pid
	grep -qE '^.*/mnt: connection [0-9]+, policy rules$' <<<"$out" || fail "no head"
	grep -qE "^  READ +$rate +$rate\$" <<<"$out" || fail "no READ"
	grep -qE "^  total +$rate" <<<"$out" || fail "no total"
	grep -qE '^  verdicts +pass [0-9]+ server [0-9]+' <<<"$out" || fail "no verdicts"
	grep -qE "^$rate +0\.0 +.*/mnt/dir\$" <<<"$out" || fail "no directory"
}

test_top_in_json() {
	works fusepass mount src mnt
	fusepass -j top -i 0.5 >out || fail "status $?"
	python3 -c '
import json, os
m = json.load(open("out"))["mounts"]
assert any(x["mountpoint"] == os.getcwd() + "/mnt" and x["policy"] == "" for x in m), m' || fail "$(cat out)"
}

test_top_needs_a_terminal() {
	works fusepass mount src mnt
	refused 2 "--batch prints once" fusepass top mnt
}

# On a terminal: it draws, obeys a key and ends with q.
test_top_on_a_terminal() {
	works fusepass mount --policy mirror src mnt
	(sleep 6; printf A; sleep 2; printf q) |
		TERM=xterm COLUMNS=100 LINES=30 timeout 60 script -qec "fusepass top -i 1 $PWD/mnt" /dev/null >out 2>&1 ||
		fail "status $?: $(cat out)"
	grep -aq 'fusepass top - ' out && grep -aq 'PASSED/s' out && grep -aq 'policy mirror' out || fail "$(cat -v out)"
}

metric() {	# NAME LABELS
	sed -n "s|^$1{mountpoint=\"$PWD/mnt\",connection=\"[0-9]*\",$2} ||p"
}

test_prometheus_has_the_counts() {
	local out n
	mount_rules
	cat mnt/a.txt mnt/b.dat >/dev/null
	out=$(fusepass stat --prometheus mnt) || fail "status $?"
	[ "$(metric fusepass_policy_attached 'policy="rules"' <<<"$out")" = 1 ] || fail "policy: $out"
	[ "$(metric fusepass_passed_total 'op="READ"' <<<"$out")" -ge 1 ] || fail "passed: $out"
	[ "$(metric fusepass_asked_total 'op="READ"' <<<"$out")" -ge 1 ] || fail "asked: $out"
	[ "$(metric fusepass_verdicts_total 'verdict="server"' <<<"$out")" -ge 1 ] || fail "verdicts: $out"
	# Each line is a comment or a sample, each sample's metric has a type before it.
	awk '/^# TYPE / { type[$3] = 1; next } /^# HELP / { next }
		match($0, /^[a-z_]+\{([a-z]+="([^"\\]|\\.)*",?)+\} [0-9]+$/) && type[substr($0, 1, index($0, "{") - 1)] { n++; next }
		{ print; bad = 1 } END { exit bad || !n }' <<<"$out" || fail "format"
	fusepass stat --prometheus | grep -q "mountpoint=\"$PWD/mnt\"" || fail "not among all"
}

cases_run "$@"
