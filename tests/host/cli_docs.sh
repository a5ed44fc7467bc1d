#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command's own tables, its help, the man page and the completion name the
# same commands and options. The program is the authority: it accepts or
# refuses; the others have to agree.

. "$(dirname "$0")/lib.sh"
man=$TOP/man/fusepass.1
completion=$TOP/bash-completion/fusepass

names() {	# KEY
	"$FUSEPASS" -j --help | python3 -c \
		"import json, sys; print(*json.load(sys.stdin)['$1'], sep='\n')"
}

plain_man() {
	sed -e 's/\\f[BIR]//g; s/\\-/-/g; s/^\.[A-Z]* //' "$man"
}

# Words that completion offers behind the given ones.
complete_words() {
	bash -c 'source "$1"; shift
		COMP_WORDS=(fusepass "$@" "$last"); COMP_CWORD=$(($# + 1))
		_fusepass fusepass; printf "%s\n" "${COMPREPLY[@]}"' _ "$completion" "$@" | sort
}

# The long options that a command does not refuse as unknown.
accepted() {	# COMMAND...
	local opt
	for opt in policy policy-optional knob foreground timeout options backing rules tree reset \
		replace log debug verifier-log template output prometheus interval batch path uid \
		server-only sample names depth json pretty help; do
		"$FUSEPASS" "$@" "--$opt" 2>&1 </dev/null | grep -q 'no option' || echo "--$opt"
	done | sort
}

commands=$(names commands)
policy=$(names policy)
rules=$(names rules)
all=

is completion_knows_the_commands "$(last= complete_words)" "$(sort <<<"$commands")"
is completion_knows_the_policy_commands "$(last= complete_words policy)" \
	"$(sort <<<"$policy")"
is completion_knows_the_commands_of_rules "$(last= complete_words rules)" "$(sort <<<"$rules")"

for c in $commands; do
	[ "$c" != policy ] && [ "$c" != rules ] || continue
	all="$all$c
"
done
for c in $policy; do
	all="${all}policy $c
"
done
for c in $rules; do
	all="${all}rules $c
"
done
while read -r c; do
	[ -n "$c" ] || continue
	usage=$("$FUSEPASS" --help | sed -n "s/^  fusepass \($c\( .*\)\?\)$/\1/p")
	claim "help_shows: $c" test -n "$usage"
	is "man_page_has_the_usage_of_the_help: $c" \
		"$(plain_man | grep -Fx "fusepass $usage")" "fusepass $usage"
	claim "man_page_describes: $c" test "$(plain_man | grep -c "^$c\\b")" -ge 1
	# shellcheck disable=SC2086
	is "completion_offers_what_is_accepted: $c" "$(last=-- complete_words $c)" \
		"$(accepted $c)"
done <<<"$all"

for opt in $(grep -o -- '--[a-z][a-z-]*' "$completion" | sort -u); do
	claim "man_page_describes_option: $opt" grep -q -- "${opt//-/\\\\-}" "$man"
done
for page in "$TOP"/man/*.[1-8]; do
	name=$(basename "$page")
	if command -v man >/dev/null; then
		is "renders_without_warning: $name" \
			"$(man --warnings -l "$page" 2>&1 >/dev/null)" ""
	else
		skip "renders_without_warning: $name" "no man(1)"
	fi
done
is man_page_has_the_version "$(grep -o 'fusepass [0-9.]*' "$TOP/build/man/fusepass.1" | head -n 1)" \
	"$("$FUSEPASS" --version)"
claim completion_is_valid bash -n "$completion"

# How readline parts it: at = and : too.
is completion_goes_on_behind_a_knob "$(cd "$work" && mkdir -p dir && last=di complete_words mount -k suffixes = .txt,.h)" dir
is completion_of_an_attach_behind_a_knob \
	"$(FUSEPASS_POLICY_DIR=$TOP/build/bpf last=mir complete_words policy attach -k a = b : c)" mirror
is completion_behind_the_dashes_of_run_is_of_commands "$(last=tru complete_words run mnt -- | grep -x true | sort -u)" true
is completion_of_the_arguments_of_a_server_is_of_files \
	"$(cd "$work" && last=di complete_words run --policy mirror mnt -- bindfs -f)" dir
is options_of_a_server_are_not_ours "$(last=--po complete_words run mnt -- bindfs)" ""
is completion_finds_policies_that_are_files \
	"$(cd "$work" && mkdir -p sub && touch own.bpf.o other.c && last=./ complete_words policy attach)" \
	"$(printf '%s\n' ./dir ./own.bpf.o ./sub | sort)"

blank_mount() {
	bash -c 'source "$1"
		_fusepass_mounts() { printf "%s\n" "/m n/a b" /other; }
		for cur in "" "/m\\ n"; do
			COMP_WORDS=(fusepass stat "$cur"); COMP_CWORD=2
			_fusepass fusepass; printf "%s|" "${COMPREPLY[@]}"
		done' _ "$completion"
}
is completion_keeps_blanks_of_mount_points "$(blank_mount)" "/m n/a b|/other|/m n/a b|"

done_testing
