#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The policy kit: what the templates make does what it says, and what the
# verifier refuses is told in plain words. Each source in tests/verifier/ is a program that
# it refuses; the comment at its head says what is to be told, and the line is marked. How
# folders are made and built is tested on the host, by kit.sh.

. "$(dirname "$0")/../lib/cases.sh"
cases_are=quick

# Of a folder that `fusepass policy new --template NAME` made.
object() {	# TEMPLATE
	echo "$tests/kit/my_$1/my_$1.bpf.o"
}

# Templates

test_template_caller_decides_by_who_opens() {
	chmod 755 src
	works fusepass mount --policy "$(object caller)" -k uid=1000 src mnt
	reset_counts
	setpriv --reuid 1000 --clear-groups cat mnt/a.txt >/dev/null || fail cat
	expect_asked_0 "opened by the user of the knob"
	cat mnt/a.txt >/dev/null
	expect_asked OPEN
	expect_asked READ
	[ "$(asked LOOKUP)" -eq 0 ] || fail "LOOKUP reached the server"
}

test_template_cgroup_decides_by_the_cgroup() {
	local cg=/sys/fs/cgroup/kit-test id
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
	[ -e /sys/fs/cgroup/cgroup.procs ] || skip_case "no cgroup2"
	mkdir -p $cg/inner
	id=$(stat -c %i $cg)
	works fusepass mount --policy "$(object cgroup)" -k cgroup="$id" src mnt
	reset_counts
	cat mnt/a.txt >/dev/null
	expect_asked OPEN
	reset_counts
	(echo $BASHPID >$cg/inner/cgroup.procs && exec cat mnt/a.txt >/dev/null) || fail cat
	expect_asked_0 "opened in a cgroup below that of the knob"
	rmdir $cg/inner $cg
}

# The number of a directory that nobody registered: counted, and the server is asked.
test_template_redirect_looks_elsewhere_for_one_name() {
	works fusepass mount --policy "$(object redirect)" -k entry=dir -k backing_id=77 src mnt
	reset_counts
	cat mnt/a.txt >/dev/null
	expect_asked_0 "another name"
	ls mnt/dir >/dev/null
	expect_asked LOOKUP
	fusepass policy show mnt | grep -q 'backing [1-9]' || fail "not counted: $(fusepass policy show mnt)"
	works fusepass policy replace "$(object redirect)" mnt
	reset_counts
	same_as_native
	expect_asked_0 "without the knob"
}

test_template_count_counts_what_is_looked_up() {
	local map sum
	works fusepass mount --policy "$(object count)" src mnt
	reset_counts
	cat mnt/a.txt mnt/b.dat mnt/dir/c.h >/dev/null
	stat mnt/none >/dev/null 2>&1
	expect_asked_0 "counting"
	map=$(bpftool -j map dump name counts) || fail "no map"
	sum=$(python3 -c '
import json, sys
n = dict(files=0, directories=0, others=0, absent=0)
for cpu in json.loads(sys.argv[1])[0]["formatted"]["values"]:
    for k in n: n[k] += cpu["value"][k]
print(*n.values())' "$map")
	# The root and dir are the directories.
	[ "$sum" = "3 2 0 1" ] || fail "files directories others absent: $sum"
}

# The commands

test_verify_takes_the_templates() {
	local t
	for t in caller cgroup redirect count; do
		contains fusepass policy verify "$(object $t)" -- "policy my_$t, accepted by this kernel"
	done
}

test_verify_takes_the_shipped_policies() {
	local p
	for p in mirror suffix readonly; do
		contains fusepass policy verify $p -- "policy $p, accepted by this kernel"
	done
	echo 'pass all' >rules
	contains fusepass -j policy verify --rules rules rules -- '"accepted":true'
	refused 2 "needs a file of rules" fusepass policy verify rules
	refused 2 "set knob nosuch=1" fusepass policy verify -k nosuch=1 mirror
}

test_attach_tells_why_a_policy_is_refused() {
	works fusepass mount src mnt
	refused 2 "null_value.bpf.c:" fusepass policy attach "$tests/bpf/null_value.bpf.o" mnt
	refused 2 "compare it with NULL first" fusepass policy attach "$tests/bpf/null_value.bpf.o" mnt
}

# What the verifier refuses

head_of() {	# SOURCE KEY
	sed -n "s/^ \* $2: *//p" "$1"
}

# "KEY=VALUE" lines of the answer in JSON.
answer() {	# OBJECT
	fusepass -p policy verify "$1" | sed -n '/"refused": {/,/}/{
		/[{}]$/d
		s/,$//
		s/^ *"\([a-z]*\)": /\1=/
		s/="\(.*\)"$/=\1/
		s/\\"/"/g
		p
	}'
}

explain_refusal() {	# NAME
	local source=$FUSEPASS_TOP/tests/verifier/$1.bpf.c said line k want
	said=$(answer "$tests/bpf/$1.bpf.o") || fail "no refusal"
	note "$said"
	for k in program register; do
		grep -qx "$k=$(head_of "$source" $k)" <<<"$said" || fail "$k"
	done
	for k in reason change; do
		want=$(head_of "$source" $k)
		[ -n "$want" ] && grep -qF "$want" <<<"$(grep "^$k=" <<<"$said")" || fail "$k"
	done
	line=$(sed -n 's/^line=//p' <<<"$said")
	case $(head_of "$source" line) in
	refused) want=$(grep -n '/\* refused \*/' "$source") && want=${want%%:*} ;;
	any) [ "$line" -gt 0 ] && want=$line ;;
	none) want=0 ;;
	*) fail "no line in the head" ;;
	esac
	[ "$line" = "$want" ] || fail "line $line, not $want"
	[ "$line" -eq 0 ] || grep -qx "file=$1.bpf.c" <<<"$said" || fail "file"
}

for source in "$FUSEPASS_TOP"/tests/verifier/*.bpf.c; do
	name=$(basename "$source" .bpf.c)
	eval "test_refusal_is_explained_$name() { explain_refusal $name; }"
done

cases_run "$@"
