#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each command of docs/debugging.md succeeds, in the order in which they stand there, and shows
# what the text says.

. "$(dirname "$0")/../lib/cases.sh"

commands() {
	sed -n 's/^    \$ //p' "$FUSEPASS_TOP/docs/debugging.md"
}

# What the output of a command has to have in it.
wanted() {	# COMMAND
	case $1 in
	*"policy verify"*) echo "accepted by this kernel" ;;
	*"struct_ops list") echo fuse_policy_ops ;;
	*"struct_ops dump"*) echo mirror_lookup ;;
	*"link list") echo struct_ops ;;
	*"prog list"*) echo mirror_lookup ;;
	*"-p prog show"*) echo run_cnt ;;
	*"dump xlated"*) echo exit ;;
	*"map dump"*) echo lookups ;;
	grep*) echo "name new" ;;
	esac
}

test_commands_of_the_debugging_guide_work() {
	local c out n=0
	[ "$fuse" = fuse ] || skip_case "bpftool struct_ops looks for all types in those of vmlinux"
	mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || fail tracefs
	commands >commands
	while IFS= read -r c <&3; do
		out=$(bash -c "$c" 2>&1 </dev/null) || fail "$c: status $?: $out"
		[[ $out == *"$(wanted "$c")"* ]] || fail "$c: no $(wanted "$c") in: ${out:0:2000}"
		n=$((n + 1))
	done 3<commands
	[ "$n" -ge 20 ] || fail "only $n commands"
	note "$n commands"
}

cases_run "$@"
