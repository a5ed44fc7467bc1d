#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each bit of the ops_mask by itself: without it the server is asked for that operation,
# with it (and little else) it is not, and either way the mount behaves like the native
# directory. One case for each bit; what is done in it is the scenario one_of_each of
# lockstep.c, and where operations of several sorts meet, more of them.
#
# BITS_FULL=1 does all scenarios with every mask, which takes some minutes.

# Client and server on one CPU, see demo.sh.
[ -n "${BITS_PINNED:-}" ] || BITS_PINNED=1 exec taskset -c "$(($(nproc) - 1))" "$0" "$@"

. "$(dirname "$0")/../lib/cases.sh"

# shellcheck disable=SC2154  # cases.sh
policy=$tests/bpf/bench.bpf.o

# OPCODE NAME NEEDS ALSO SCENARIOS. NEEDS are the bits without which it is not passed
# everywhere (a file without a name that the server made has no backing object, and what
# does not pass on an open file opens it late), ALSO
# those that have to be off as well before the server is asked: bits that mean the same,
# or an operation that comes first. "nothing": the server is never asked, because it does
# not offer that (locks, access) or the bit has no effect.
table='
1  LOOKUP             -        -        lookup_and_stat
3  GETATTR            51       -        attributes_by_users
4  SETATTR            -        -        suid_and_sgid
5  READLINK           -        -        readlinks
6  SYMLINK            -        -        -
8  MKNOD              -        -        -
9  MKDIR              -        -        -
10 UNLINK             -        -        open_and_unlinked
11 RMDIR              -        -        -
12 RENAME             -        -        renames
13 LINK               -        -        links
14 OPEN               4,15,16,20,39,43,46,47 - open_flags
15 READ               -        -        mapping_to_read
16 WRITE              51       -        append
17 STATFS             -        -        -
18 RELEASE            -        nothing  -
20 FSYNC              -        -        -
21 SETXATTR           -        -        xattrs
22 GETXATTR           51       -        xattrs
23 LISTXATTR          -        -        xattrs
24 REMOVEXATTR        -        -        xattrs
25 FLUSH              16,51    14       locks
27 OPENDIR            28,30    -        -
28 READDIR            27       44       -
29 RELEASEDIR         -        nothing  -
30 FSYNCDIR           27,28    -        -
31 GETLK              -        nothing  locks
32 SETLK              -        nothing  -
33 SETLKW             -        nothing  -
34 ACCESS             -        nothing  -
35 CREATE             -        -        create_and_remove
39 IOCTL              -        -        -
43 FALLOCATE          -        -        holes
44 READDIRPLUS        27       28       -
45 RENAME2            -        -        renames
46 LSEEK              -        -        holes
47 COPY_FILE_RANGE    -        53       copies
51 TMPFILE            -        -        temporary_file
52 STATX              -        3        -
53 COPY_FILE_RANGE_64 -        47       copies
'

# The work for each bit starts no process that it can do without: to start one is
# what an emulated machine takes longest for.

bits() {	# NUMBER,...: sets $mask
	local n
	mask=0
	for n in ${1//,/ }; do
		mask=$((mask | 1 << (n - 1)))
	done
}

# Requests since this was last called, by opcode: sets count[OPCODE] and $total, which is
# without what the kernel sends when it drops inodes, and $counts for people.
declare -A count seen
count_requests() {
	local op n rest
	total=0 counts=
	fusepass stat mnt >requests || fail "fusepass stat"
	while read -r op n rest; do
		case $op$n in total*|INIT*|*FORGET*|INTERRUPT*|*[!A-Z_0-9]*) continue ;; esac
		[[ $n = [0-9]* ]] || continue
		count[$op]=$((n - ${seen[$op]:-0}))
		seen[$op]=$n
		total=$((total + ${count[$op]}))
		[ "${count[$op]}" -eq 0 ] || counts+=" $op ${count[$op]}"
	done <requests
}

# With this mask like native; what reached the server is counted then.
with_mask() {	# LABEL MASK SCENARIO...
	local label=$1 ops=$2
	shift 2
	if [ -n "${mounted:-}" ]; then
		works fusepass policy replace "$policy" -k "ops=$ops" mnt
	else
		works fusepass mount --policy "$policy" -k "ops=$ops" src mnt
		mounted=1
	fi
	# Of a file whose READ or WRITE is the server's, no mapping can be for writing.
	if [ -n "${BITS_FULL:-}" ]; then
		set --
		[ $((ops >> 14 & 3)) -eq 3 ] || set -- ^mapping
	fi
	"$tests/bin/lockstep" "$PWD/native" "$PWD/src" "$PWD/mnt" "$label" "$@" >compared || {
		grep -v '^ok\|^1\.\.' compared | sed 's/^not ok/# not ok/'
		fail "$label: mask $ops differs from native"
	}
	count_requests
}

# Of those that mean the same too: sets $number.
requests_of() {	# NAME
	case $1 in
	READDIR*) number=$((${count[READDIR]:-0} + ${count[READDIRPLUS]:-0})) ;;
	COPY_*) number=$((${count[COPY_FILE_RANGE]:-0} + ${count[COPY_FILE_RANGE_64]:-0})) ;;
	*) number=${count[$1]:-0} ;;
	esac
}

expect_none() {	# LABEL NAME
	requests_of "$2"
	[ "$number" -eq 0 ] || fail "$1: the server was asked for $2:$counts"
}

expect_some() {	# LABEL NAME
	requests_of "$2"
	[ "$number" -ge 1 ] || fail "$1: the server saw no $2:$counts"
}

expect_silence() {	# LABEL
	[ "$total" -eq 0 ] || fail "$1: the server was asked:$counts"
}

# All bits but this one.
one_off() {	# NUMBER NAME ALSO SCENARIO...
	local label=without_$2 ops name=$2 also=$3
	bits "$1"
	ops=$((all & ~mask))
	shift 3
	with_mask "$label" "$ops" one_of_each "$@"
	case $also in
	-) expect_some "$label" "$name" ;;
	nothing) expect_silence "$label" ;;
	*)
		expect_none "$label" "$name"
		label+=_and_more
		bits "$also"
		with_mask "$label" $((ops & ~mask)) one_of_each
		expect_some "$label" "$name"
		;;
	esac
}

# Only this one, and what it needs.
one_on() {	# NUMBER NAME NEEDS
	local label=only_$2
	bits "1,$1,${3/-/1}"
	with_mask "$label" "$mask" one_of_each
	# These follow from who opened the file, and it was the server.
	case $2 in RELEASE*) return ;; esac
	expect_none "$label" "$2"
}

one_bit() {	# NUMBER NAME NEEDS ALSO SCENARIO...
	local bit=$1 name=$2 needs=$3 also=$4
	shift 4
	[ "$*" != - ] || set --
	mkdir native
	one_off "$bit" "$name" "$also" "$@"
	one_on "$bit" "$name" "$needs"
}

# A case for each line of the table. Only some of them on the debugging kernel.
define_cases() {
	local number name needs also scenarios long claim
	while read -r number name needs also scenarios; do
		[ -n "$number" ] || continue
		case $name in
		LOOKUP|GETATTR|OPEN|READ|WRITE|FLUSH|READDIR|CREATE|RENAME|UNLINK) long= ;;
		*) long=long_ ;;
		esac
		claim=is_asked_for_without_its_bit_and_not_with_it
		[ "$also" != nothing ] || claim=is_not_asked_for_with_its_bit_or_without
		eval "test_$long${name}_$claim() { one_bit $number $name $needs $also $scenarios; }"
	done <<<"$table"
}

# The table has a line for each bit that can be passed: one that is added needs one too.
test_bits_of_the_mask_have_a_case_each() {
	local bit have=0
	while read -r bit _; do
		[ -z "$bit" ] || have=$((have | 1 << (bit - 1)))
	done <<<"$table"
	[ "$have" -eq "$all" ] || fail "$(printf 'table %x, policies can pass %x' $have "$all")"
}

test_all_bits_together_make_no_request() {
	mkdir native
	# All scenarios.
	with_mask all "$all"
	expect_silence all
}

# Requests that the cases above count as 0 are there to be counted.
test_one_of_each_does_one_of_each() {
	local name also
	mkdir native
	with_mask lookup 1 one_of_each
	while read -r _ name _ also _; do
		case $name,$also in ,*|LOOKUP,*|STATX,*|*,nothing) continue ;; esac
		expect_some "LOOKUP only" "$name"
	done <<<"$table"
}

define_cases
all=$("$tests/bin/bench" mask)
cases_run "$@"
