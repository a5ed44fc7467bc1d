#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The measurements cover every operation that can be passed, and the report says of
# small tables of figures what it has to: its JSON and its last lines.

. "$(dirname "$0")/lib.sh"

bench=build/tests/bin/bench

# "NUMBER NAME" of each bit: of the measurements, and of the header for policies.
table_bits() {
	sed -n "/^bit_table='/,/^'/p" tests/bench/guest.sh | awk '/^[0-9]/ { print $1, $2 }' | sort -n
}

header_bits() {
	sed -nE 's/^#define FUSE_PASSTHROUGH_OP_([A-Z0-9_]+)[[:space:]]+FUSE_PASSTHROUGH_OP\(([0-9]+)\)$/\2 \1/p' \
		include/fusepass_abi.h | sort -n
}

# Names of the bits that the series defines, and of those in its FUSE_PASSTHROUGH_OPS.
series_bits() {
	sed -nE 's/^\+#define[[:space:]]+FUSE_PASSTHROUGH_OP_([A-Z0-9_]+)[[:space:]].*/\1/p' \
		kernel/patches/*/*.patch | LC_ALL=C sort -u
}

all_measured() {
	diff <(series_bits) <(table_bits | cut -d' ' -f2 | LC_ALL=C sort) &&
		[ "$(series_bits | wc -l)" -ge 40 ]
}

numbers_are_the_header_s() {
	diff <(header_bits) <(table_bits)
}

operations_exist() {
	[ -x "$bench" ] || return
	sed -n "/^bit_table='/,/^'/p" tests/bench/guest.sh |
		sed -nE 's/^[0-9]+ [A-Z0-9_]+ [0-9,-]+ [0-9,-]+ //p' | tr ';' '\n' | sort -u >"$work/used"
	[ "$(wc -l <"$work/used")" -ge 40 ] &&
		! grep -vxF -f <("$bench" list | sed 's/^(\(.*\))$/\1/') "$work/used"
}

# Tables as tests/bench/guest.sh prints them: PART OPERATION SYSTEM MIN MEDIAN MAX.
figures() {	# PART OPERATION SYSTEM MEDIAN
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$4" "$4"
}

tables() {	# STAT-OF-FUSEPASS STAT-WITHOUT-POLICY: where 1000 is what they are compared with
	local s
	rm -rf "$work/bench"
	mkdir "$work/bench"
	for s in native:900 native-again:901 bind:910 overlayfs:1000 fuse:9000 fuse-cached:1000 \
		fuse-passthrough:1000 "fusepass:$1"; do
		figures systems 'stat, warm' "${s%:*}" "${s#*:}"
		figures systems chmod "${s%:*}" 2000
	done >"$work/bench/systems.tsv"
	for s in native overlayfs policy-pass; do
		figures hook 'lookup, cold' $s 300
	done >"$work/bench/hook.tsv"
	for s in none lookup only without all; do
		figures bits fstat "$s GETATTR" 77.25
	done >"$work/bench/bits.tsv"
	for s in native fuse; do
		figures unpoliced 'stat, warm' $s "$2"
		figures unpoliced chmod $s 2000
	done >"$work/bench/unpoliced.tsv"
	for s in native fuse; do
		figures unpoliced 'stat, warm' $s 1000
		figures unpoliced chmod $s 2000
	done >"$work/bench/unpoliced-base.tsv"
	printf 'memory\t%s\t%s\t%s\n' fuse-day Slab 3000 fuse-day fuse_inode 900 \
		fusepass Slab 3210.4 fusepass fuse_inode 960 \
		fuse-day 'server fds before' 12 fuse-day 'server fds after' 99 \
		fusepass 'server fds before' 12 fusepass 'server fds after' 13 \
		fusepass 'server RSS before' 4096 fusepass 'server RSS after' 12288 \
		>"$work/bench/memory.tsv"
	tests/bench/report.py "$work/bench" >"$work/report"
}

last_lines_are() {	# LINE...
	cat "$work/report"
	[ "$(tail -n $# "$work/report")" = "$(printf '%s\n' "$@")" ]
}

starred() {	# NUMBER OF FIGURES
	[ "$(grep -c '[0-9] \* *|' "$work/report")" -eq "$1" ]
}

json_is() {	# NAME ROWS OP SYSTEM FIGURE: so many rows, this among them, and no other keys
	python3 - "$work/bench/$1.json" "${@:2}" <<-'END'
		import json, sys
		name, rows, op, system, figure = sys.argv[1:]
		data = json.load(open(name))
		print(data)
		assert len(data) == int(rows)
		assert all(list(d) == ["op", "system", "instructions_per_op"] for d in data)
		assert {"op": op, "system": system, "instructions_per_op": float(figure)} in data
	END
}

chart_has_a_bar_for_each_system() {
	local columns
	columns=$(head -n 1 "$work/bench/systems.dat" | tr '\t' '\n' | wc -l)
	head -n 1 "$work/bench/systems.dat" | grep 'bind mount' && grep "i=2:$columns]" tests/bench/charts.gp
}

nothing_measured_says_nothing() {
	mkdir "$work/none"
	[ -z "$(tests/bench/report.py "$work/none")" ] && [ -z "$(ls "$work/none")" ]
}

part_alone_is_reported() {
	rm "$work/bench"/[!b]*.tsv "$work/bench"/*.json
	tests/bench/report.py "$work/bench" >"$work/report" &&
		grep -q GETATTR "$work/report" && ! grep '^bench: ' "$work/report" &&
		[ "$(cd "$work/bench" && echo *.json)" = bits.json ]
}

claim every_operation_that_can_pass_is_measured all_measured
claim numbers_are_those_of_the_header numbers_are_the_header_s
claim measured_operations_exist operations_exist

claim report_is_made tables 1019 1009
claim last_lines_are_the_goals last_lines_are \
	'bench: 0 of 2 rows above overlayfs' \
	'bench: 0 of 2 figures above the unpatched kernel' \
	'bench: 210 bytes per passed inode above a plain FUSE inode' \
	'bench: 1 more open files of the server of passed inodes after the walk' \
	'bench: 8192 more bytes of memory of the server of passed inodes after the walk'
claim no_figure_has_a_star starred 0
claim bench_json_has_all_systems json_is bench 16 'stat, warm' fusepass 1019
claim bits_json_has_the_masks json_is bits 5 fstat 'without GETATTR' 77.2
claim hook_json_has_the_policies json_is hook 3 'lookup, cold' policy-pass 300
claim unpoliced_json_has_both_kernels json_is unpoliced 8 'stat, warm' fuse-base 1000
claim chart_has_a_bar_for_each_system chart_has_a_bar_for_each_system

# More than 2 % above overlayfs, and more than 1 % above the unpatched kernel.
claim report_above_the_limits_is_made tables 1021 1011
claim rows_above_the_limits_are_counted last_lines_are \
	'bench: 1 of 2 rows above overlayfs' \
	'bench: 1 of 2 figures above the unpatched kernel' \
	'bench: 210 bytes per passed inode above a plain FUSE inode' \
	'bench: 1 more open files of the server of passed inodes after the walk' \
	'bench: 8192 more bytes of memory of the server of passed inodes after the walk'
claim figures_above_the_limits_have_a_star starred 2
claim rows_above_the_limits_are_named grep -q 'above overlayfs by more than 2 %: stat, warm$' "$work/report"

# A difference that only one of two guests of a kernel shows is chance.
second_guests() {	# STAT-WITHOUT-POLICY STAT-OF-THE-UNPATCHED-KERNEL
	figures unpoliced 'stat, warm' fuse "$1" >"$work/bench/unpoliced-2.tsv"
	figures unpoliced 'stat, warm' fuse "$2" >"$work/bench/unpoliced-base-2.tsv"
	tests/bench/report.py "$work/bench" >"$work/report"
}

claim guest_with_less_is_found second_guests 1009 1020
claim least_of_two_guests_counts grep -q '0 of 2 figures above the unpatched' "$work/report"
claim guests_are_compared grep -q 'differ by more than 1 % in 1 of 1 figures' "$work/report"

claim part_alone_is_reported part_alone_is_reported
claim nothing_measured_says_nothing nothing_measured_says_nothing
done_testing
