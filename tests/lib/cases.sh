# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Cases in shell, for what is tested through the command. Sourced by *_test.sh.
#
# A case is a function test_<claim>. It runs in a process and mount namespace of its own,
# in an empty directory below $FUSEPASS_WORK with src/ (a small tree) and mnt/ in it, and
# ends at the first check that fails. cases_run runs those that are selected, each after
# before_case, if the script has that.

tests=$FUSEPASS_TOP/build/tests
policies=$FUSEPASS_TOP/build/bpf

. "$FUSEPASS_TOP/tests/lib/tap.sh"

# What type, device, directories and slabs of FUSE are called; see fuse_name() in harness.h.
fuse=fuse
[ ! -e /dev/fusepass ] || fuse=fusepass

note() {
	printf '%s\n' "$*" | comment
}

fail() {
	note "$*"
	exit 1
}

# Ends the case.
skip_case() {	# REASON
	printf '%s\n' "$*" >"$case_dir.skip"
	exit 77
}

# The command fails with this exit status and says this (a part of its one line).
refused() {	# STATUS TEXT COMMAND...
	local want=$1 text=$2 status=0 out
	shift 2
	out=$("$@" 2>&1) || status=$?
	[ "$status" -eq "$want" ] || fail "$*: status $status, not $want: $out"
	case $out in *"$text"*) ;; *) fail "$*: \"$out\" does not say \"$text\"" ;; esac
	[ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] || fail "$*: more than one line: $out"
}

works() {
	local out
	out=$("$@" 2>&1) || fail "$*: status $?: $out"
}

# contains COMMAND... -- TEXT...: each of these is in its output.
contains() {
	local cmd=() out
	while [ "$1" != -- ]; do
		cmd+=("$1")
		shift
	done
	shift
	out=$("${cmd[@]}" 2>&1) || fail "${cmd[*]}: status $?: $out"
	for text; do
		case $out in *"$text"*) ;; *) fail "${cmd[*]}: no \"$text\" in: $out" ;; esac
	done
}

# Requests the server has seen since the last reset; of one opcode, or all but the
# bookkeeping of what earlier work left.
asked() {	# [OPCODE]
	fusepass stat mnt | awk -v op="${1:-}" '
		NR > 1 && $2 ~ /^[0-9]+$/ && $1 != "total" {
			if (op != "" ? $1 == op : $1 !~ /^(BATCH_)?FORGET$|^INTERRUPT$/)
				n += $2
		}
		END { print n + 0 }'
}

reset_counts() {
	works fusepass stat --reset mnt
}

expect_asked_0() {	# WHAT
	[ "$(asked)" -eq 0 ] || fail "$1: the server was asked: $(fusepass stat mnt)"
}

expect_asked() {	# OPCODE
	[ "$(asked "$1")" -ge 1 ] || fail "the server saw no $1: $(fusepass stat mnt)"
}

make_src() {
	mkdir -p src/dir/sub mnt
	echo 'text of a' >src/a.txt
	echo 'data of b' >src/b.dat
	echo 'header' >src/dir/c.h
	echo 'deep' >src/dir/sub/d.txt
	ln -s a.txt src/link
}

# Reads all there is, and a name there is not. Its output is that of native's.
use() {	# DIRECTORY
	(
		cd "$1" || exit
		ls -lR . | sed 1d
		find . -type f | LC_ALL=C sort | xargs cat
		readlink link
		stat -c %s none
		df . >/dev/null
	) 2>&1
}

same_as_native() {
	local a b
	a=$(use src)
	b=$(use mnt)
	[ "$a" = "$b" ] || fail "output differs from native's: $(diff <(echo "$a") <(echo "$b"))"
}

one_case() {	# NAME
	case_dir=$(mktemp -d "$FUSEPASS_WORK/${1:0:60}.XXXXXX") || exit 1
	export case_dir
	chmod 755 "$case_dir"
	(
		set -u
		cd "$case_dir" || exit 1
		make_src
		! declare -F before_case >/dev/null || before_case
		"test_$1"
	)
	local status=$?
	cd "$case_dir" && umount -q mnt 2>/dev/null
	return $status
}

# In this very script again, in namespaces; a case that hangs is killed.
run_case() {	# NAME
	local status=0
	timeout -k 5 $((60 * ${FUSEPASS_PATIENCE:-1})) \
		unshare -m --propagation private "$0" --one "$1" </dev/null 2>&1 || status=$?
	case $status in
	77) skip "$1" "$(cat "$FUSEPASS_WORK/${1:0:60}".*.skip)"; return ;;
	124|137) note "no end" ;;
	esac
	tap $status "$1"
}

selected() {	# NAME PATTERN...
	local name=$1 p
	shift
	[ $# -eq 0 ] && return 0
	for p; do
		# shellcheck disable=SC2254
		case $name in $p) return 0 ;; esac
	done
	return 1
}

# Of a group that leaves this case out? Cases named long_* are no quick ones, and of the
# others those of a script that says cases_are=quick; cases_are=long is what each name says
# there.
left_out() {	# NAME
	local kind=${cases_are:-}
	case $1 in long_*) kind=long ;; esac
	case $group-$kind in --short-long) return 0 ;; --quick-quick) return 1 ;; --quick-*) return 0 ;; esac
	return 1
}

cases_run() {	# "$@" of the script: [--list] [--short|--quick] [PATTERN...]
	local name list= group= why
	if [ "${1:-}" = --one ]; then
		one_case "$2"
		exit
	fi
	while :; do
		case ${1:-} in
		--list) list=1 ;;
		--short|--quick) group=$1 ;;
		*) break ;;
		esac
		shift
	done
	for name in $(declare -F | sed -n 's/^declare -f test_//p'); do
		if ! selected "$name" "$@" || left_out "$name"; then
			continue
		elif [ -n "$list" ]; then
			echo "$name"
		elif why=$(listed_skip "$name"); then
			skip "$name" "$why"
		else
			run_case "$name"
		fi
	done
	[ -z "$list" ] || exit 0
	done_testing
}
