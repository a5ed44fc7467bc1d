#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Command and server with the address, undefined and thread sanitizers, on this machine's
# kernel: what server.sh, cli.sh, run.sh and probe.sh do, with the same results and without a report.

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -w /dev/fuse ] || skip_all "no /dev/fuse"
for s in address thread; do
	[ -x "build/san-$s/bin/fusepass" ] || skip_all "not built"
done

export FUSEPASS_POLICY_DIR=$TOP/build/bpf

# Reports are files.
with() {	# SANITIZER NAME COMMAND...
	local log=$work/report.$2
	env "ASAN_OPTIONS=log_path=$log" "UBSAN_OPTIONS=log_path=$log:print_stacktrace=1" \
		"TSAN_OPTIONS=log_path=$log" FUSEPASS="$TOP/build/san-$1/bin/fusepass" "${@:3}"
}

no_report() {	# NAME
	local f bad=0
	for f in "$work/report.$1".*; do
		[ ! -e "$f" ] || { head -n 12 "$f"; bad=1; }
	done
	return $bad
}

run() {	# SANITIZER SCRIPT
	with "$1" "$2-$1" "tests/host/$2.sh" >"$work/$2-$1.tap" 2>&1
}

passed() {	# SANITIZER SCRIPT
	grep -v '^ok' "$work/$2-$1.tap"
	tests/lib/tap-sum.sh "$work/$2-$1.tap"
}

# A planted mistake, which is not found if a report goes elsewhere.
planted() {	# SANITIZER
	case $1 in
	address) echo 'int main(int n, char **v) { char *p = __builtin_malloc(8); p[7 + n] = 1; return *p; }' ;;
	thread) printf '%s\n' '#include <pthread.h>' 'int x; void *f(void *p) { x++; return p; }' \
		'int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); x++; return pthread_join(t, 0); }' ;;
	esac >"$work/$1.c"
	cc -g "-fsanitize=$1" "$work/$1.c" -o "$work/$1"
	with "$1" "planted-$1" "$work/$1"
	! no_report "planted-$1" && nm -D "build/san-$1/bin/fusepass" | grep -q "U __${1:0:1}san_init"
}

for s in address thread; do
	run $s server &
done
run address cli &
run address run &
run address probe &
wait
for s in address thread; do
	claim "planted_mistake_is_reported_by_the_${s}_sanitizer" planted $s
	claim "server_works_with_the_${s}_sanitizer" passed $s server
	claim "server_has_no_report_of_the_${s}_sanitizer" no_report server-$s
done
for t in cli run probe; do
	claim "command_works_with_the_address_sanitizer: $t" passed address $t
	claim "command_has_no_report_of_the_address_sanitizer: $t" no_report $t-address
done
done_testing
