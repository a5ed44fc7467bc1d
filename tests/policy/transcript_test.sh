#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What README.md and docs/tutorial.md show of a session at the prompt of `make shell` is what the
# commands print.

. "$(dirname "$0")/../lib/cases.sh"
transcript=$FUSEPASS_TOP/tests/lib/transcript.py

# As tests/vm/shell.sh has it, in the directory demo.
make_place() {
	mkdir -p demo/disk demo/src
	works "$FUSEPASS_TOP/tests/vm/source-tree.sh" demo/disk/src demo/tree.rules
	cd demo || fail "no place"
}

# The paths there: that of the place, and within the file system of the tree.
as_in_the_shell() {
	sed -e "s|$PWD/|/mnt/demo/|g" -e "s|${PWD#"$FUSEPASS_WORK"}/disk/|/|g"
}

follow() {	# FILE [FROM [TO]]
	local file=$FUSEPASS_TOP/$1
	shift
	make_place
	"$transcript" script "$file" "$@" >script || fail "no script"
	bash script 2>&1 </dev/null | as_in_the_shell >output
	umount -q src
	"$transcript" compare "$file" output "$@" >differ || fail "$(cat differ)"
	note "$(grep -c '^echo' script) commands"
}

test_transcript_of_the_readme_is_what_commands_print() {
	follow README.md "Using it" "Limits"
	[ "$(wc -l <tree.rules)" -eq 20 ] || fail "these are no 20 lines"
}

# What is told of a policy in C needs a compiler; policy/kit_test.sh has it.
test_transcript_of_the_tutorial_is_what_commands_print() {
	follow docs/tutorial.md "From zero to a rule set" "When rules are not enough"
}

test_transcript_that_is_wrong_is_seen() {
	printf '%s\n' '# A' '    $ echo 1 a' '    2 b' '    $ echo 3 # cat seen' '    4' '# B' '    $ false' >doc
	"$transcript" script doc A B >script
	bash script >output
	! "$transcript" compare doc output A B >differ || fail "b is a"
	grep -q '^N b$' differ && ! grep -q 'cat seen' differ || fail "$(cat differ)"
	! grep -q false script || fail "behind the end"
}

cases_run "$@"
