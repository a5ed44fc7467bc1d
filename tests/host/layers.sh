#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Layers of docs/architecture.md, by the symbols of the objects: no two files of the server call
# each other, directly or around, the library calls neither server nor command, the server
# does not call the command. And the shipped policies use one vocabulary of verdicts.

. "$(dirname "$0")/lib.sh"

obj=build/obj/user
[ -d "$obj/server" ] || skip_all "not built"

# "CALLER CALLEE" of the objects in these directories.
calls() {	# DIRECTORY...
	local files=() c
	for c in "${@/#/user/}"; do
		files+=($(printf '%s\n' "$c"/*.c | sed 's|.*|build/obj/&|; s/c$/o/'))
	done
	nm -A "${files[@]}" | awk '
		{ file = $1; sub(/:.*/, "", file); sub(/.*\//, "", file) }
		$(NF - 1) ~ /^[TDBRV]$/ { where[$NF] = file }
		$(NF - 1) == "U" { uses[file " " $NF] = 1 }
		END {
			for (u in uses) {
				split(u, f, " ")
				if (f[2] in where && where[f[2]] != f[1])
					print f[1], where[f[2]]
			}
		}' | sort -u
}

server_has_no_cycle() {
	calls server >"$work/calls"
	[ "$(wc -l <"$work/calls")" -ge 20 ] && tsort "$work/calls" >/dev/null
}

# Header and calls agree: each file is above those that it calls.
server_header_lists_from_top_to_bottom() {
	sed -n 's/^ \* \(server[a-z_]*\)\.c .*/\1.o/p' user/server/server.h >"$work/order"
	[ "$(wc -l <"$work/order")" -eq "$(ls user/server/server*.c | wc -l)" ] &&
		awk 'NR == FNR { at[$1] = NR; next }
			($1 in at) && ($2 in at) && at[$1] > at[$2] { print; bad = 1 }
			END { exit bad }' "$work/order" "$work/calls"
}

calls_nothing_of() {	# LAYER OTHER
	calls "$1" "$2" >"$work/between"
	ls "$obj/$1" | grep '\.o$' >"$work/mine"
	! awk 'NR == FNR { mine[$1]; next } ($1 in mine) && !($2 in mine)' \
		"$work/mine" "$work/between" | grep .
}

policies_name_verdicts() {
	! grep -nE 'DECIDE_|FUSE_VERDICT_|return [01];' bpf/*.bpf.c && grep -q FUSEPASS_PASS bpf/*.bpf.c
}

claim server_files_call_each_other_in_one_direction server_has_no_cycle
claim header_lists_files_from_top_to_bottom server_header_lists_from_top_to_bottom
claim library_calls_nothing_of_the_server calls_nothing_of lib server
claim library_calls_nothing_of_the_command calls_nothing_of lib cli
claim server_calls_nothing_of_the_command calls_nothing_of server cli
claim_not command_calls_the_server calls_nothing_of cli server
claim shipped_policies_name_their_verdicts policies_name_verdicts
done_testing
