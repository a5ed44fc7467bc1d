#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Rules for every file of the checkout: licence, syntax, and nothing in it that is
# true on one machine only.

. "$(dirname "$0")/lib.sh"

# SPDX in the first lines of every source file; patches and texts have none of their own.
no_spdx() {
	repo_files | grep -vE '\.(md|patch|txt)$|^(COPYING|AUTHORS|LICENSES/|\.gitignore)' |
		grep -vxE 'packaging/debian/(copyright|source/format)' |
	while read -r f; do
		head -n 5 "$f" | grep -q 'SPDX-License-Identifier: ' || echo "$f"
	done
}

every_source_names_its_licence() {
	local bad
	bad=$(no_spdx)
	echo "$bad"
	[ -z "$bad" ]
}

licence_is() {	# EXPRESSION PATHSPEC...
	local want=$1 f bad=0
	shift
	for f in $(repo_files "$@"); do
		case $f in *.md|*.patch) continue ;; esac
		head -n 5 "$f" | grep -q "SPDX-License-Identifier: $want" ||
			{ echo "$f is not $want"; bad=1; }
	done
	return $bad
}

licence_texts_are_there() {
	[ -s LICENSES/GPL-2.0.txt ] && [ -s LICENSES/LGPL-2.1.txt ] && [ -s COPYING ]
}

shell_scripts() {
	repo_files | while read -r f; do
		case $f in
		*.sh) echo "$f" ;;
		*) head -n 1 "$f" | grep -qE '^#! ?/bin/(ba)?sh' && echo "$f" ;;
		esac
	done
	return 0
}

scripts_parse() {
	local f bad=0
	for f in $(shell_scripts); do
		bash -n "$f" || bad=1
	done
	return $bad
}

scripts_with_interpreter_are_executable() {
	local f bad=0
	for f in $(shell_scripts); do
		! head -n 1 "$f" | grep -q '^#!' || [ -x "$f" ] || { echo "$f"; bad=1; }
	done
	return $bad
}

# The homes of whoever wrote this, and hosts: the mirror is the machine's own.
no_machine_in_files() {
	! repo_files | grep -vE '^LICENSES/' | xargs -d '\n' grep -nIE \
		'(^|[^A-Za-z0-9_/.$-])/(root|work|home/[a-z]+)/|(deb|security|snapshot)\.debian\.org|https?://[a-z0-9.-]*(mirror|registry|proxy)'
}

no_blanks_at_line_ends() {
	! repo_files | grep -vE '\.(patch|md)$|^LICENSES/' | xargs -d '\n' grep -nIE '[ 	]+$'
}

allowed_lines_have_reasons() {
	awk '/^# ./ { r = 1; next } /^[ \t]*$/ { r = 0; next }
	     { if (!r) { print; bad = 1 } r = 0 } END { exit bad }' tests/vm/dmesg-allow
}

base_is_pinned() {
	local k
	for k in version package package_version deb_sha256 tarball_sha256 tree; do
		grep -q "^$k=." kernel/base || { echo "$k"; return 1; }
	done
}

# Each patch as format-patch makes it, by number without a gap, after a cover letter.
patches_are_numbered() {
	local f dir= n
	for f in $(repo_files 'kernel/patches/*.patch' | sort); do
		[ "${f%/*}" = "$dir" ] && n=$((n + 1)) || n=0
		dir=${f%/*}
		case $f in "kernel/patches/"[1-9]-*/"$(printf %04d $n)-"*) ;; *) echo "$f"; return 1 ;; esac
		head -n 1 "$f" | grep -q '^From 0000000000000000000000000000000000000000 ' ||
			{ echo "$f: not exported by 'make series-export'"; return 1; }
	done
	[ -n "$dir" ]
}

make_help_names_the_two_commands() {
	make -s help >"$work/help" && grep -q '^  demo ' "$work/help" && grep -q '^  check ' "$work/help"
}

claim every_source_names_its_licence every_source_names_its_licence
claim kernel_and_bpf_are_gpl_2_only licence_is GPL-2.0-only kernel bpf
claim include_is_lgpl licence_is LGPL-2.1-or-later include
claim licence_texts_are_there licence_texts_are_there
claim shell_scripts_parse scripts_parse
claim scripts_are_executable scripts_with_interpreter_are_executable
claim no_file_names_a_machine no_machine_in_files
claim no_blanks_at_line_ends no_blanks_at_line_ends
claim allowed_kernel_messages_have_reasons allowed_lines_have_reasons
claim kernel_base_is_pinned base_is_pinned
claim patches_are_a_numbered_export patches_are_numbered
claim make_help_names_the_two_commands make_help_names_the_two_commands
done_testing
