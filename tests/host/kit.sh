#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The policy kit, from an installed tree: each template makes a folder that one `make`
# compiles, and mistakes are told. Whether the kernel takes what is built, and what it does,
# is tested in the guest (policy/kit_test.sh).

. "$(dirname "$0")/lib.sh"

prefix=$work/usr
FUSEPASS=$prefix/bin/fusepass
BPF_CFLAGS=-I$(. scripts/lib.sh && echo "$TOOLS")/include
export BPF_CFLAGS

[ -d "${BPF_CFLAGS#-I}/bpf" ] || skip_all "no libbpf (run 'make tools')"
make -s install PREFIX="$prefix" >"$work/install" 2>&1 || { comment <"$work/install"; exit 1; }
mkdir "$work/in" && cd "$work/in" || exit 1

template_builds() {	# TEMPLATE
	local name=of_$1
	"$FUSEPASS" policy new --template "$1" "$name" && make -C "$name" || return
	[ -s "$name/$name.bpf.o" ] && ! grep -rn '@[A-Z]*@' "$name" &&
		[ "$(ls "$name" | wc -l)" -eq 3 ]
}

# What make says of a policy that this kernel cannot be asked about, or that it takes.
make_tells_of_the_kernel() {
	"$FUSEPASS" policy new told && make -C told >out 2>&1 &&
		grep -qE 'policy told, (accepted by this kernel|not tried: )' out
}

without_a_template_it_counts() {
	"$FUSEPASS" policy new plain | grep -q 'from the template count' && grep -q 'map dump name counts' plain/plain.bpf.c
}

a_folder_elsewhere_has_the_last_part_as_name() {
	mkdir -p deep/er && "$FUSEPASS" policy new deep/er/name && grep -q '"name"' deep/er/name/name.bpf.c
}

json_names_policy_and_template() {
	"$FUSEPASS" -j policy new -T caller two | python3 -c '
import json, sys
j = json.load(sys.stdin)
assert (j["policy"], j["folder"], j["template"]) == ("two", "two", "caller"), j'
}

fails() {	# TEXT COMMAND...
	local text=$1 status=0
	shift
	run_quietly "$@" || status=$?
	[ $status -eq 2 ] && tail -n 1 "$work/err" | grep -qF "$text"
}

nothing_is_overwritten() {
	mkdir there && fails "make policy there: File exists" "$FUSEPASS" policy new there && [ -z "$(ls there)" ]
}

compiler_is_heard() {
	echo 'int x = ;' >bad.bpf.c
	fails "compile bad.bpf.c: Invalid argument (the compiler ends with status 1)" \
		"$FUSEPASS" policy build bad.bpf.c && grep -q 'bad.bpf.c:1:9: error' "$work/err" && [ ! -e bad.bpf.o ]
}

compiler_is_heard_in_json() {
	echo 'int x = ;' >bad.bpf.c
	! "$FUSEPASS" -j policy build bad.bpf.c >out 2>err && [ ! -s err ] && python3 -c '
import json
j = json.load(open("out"))
assert j["status"] == 2 and "bad.bpf.c:1:9: error" in j["error"], j'
}

object_without_a_policy() {
	echo 'int x = 1;' >none.bpf.c
	fails "no struct fuse_policy_ops" "$FUSEPASS" policy build none.bpf.c
}

output_goes_where_it_is_told() {
	"$FUSEPASS" policy new here && mkdir to && "$FUSEPASS" policy build --output to/it.bpf.o here/here.bpf.c &&
		[ -s to/it.bpf.o ] && [ ! -e here/here.bpf.o ]
}

without_headers() {
	local moved=$work/alone
	mkdir -p "$moved/bin" && cp "$FUSEPASS" "$moved/bin" && echo >x.bpf.c &&
		fails "the headers of fusepass are not installed" "$moved/bin/fusepass" policy build x.bpf.c &&
		fails "no templates are installed" "$moved/bin/fusepass" policy new x
}

for t in "$prefix"/share/fusepass/templates/*.bpf.c; do
	t=$(basename "$t" .bpf.c)
	claim "template_builds_with_one_make: $t" template_builds "$t"
done
is there_are_the_templates "$(echo of_*)" "of_caller of_cgroup of_count of_redirect"
claim make_tells_whether_the_kernel_takes_it make_tells_of_the_kernel
claim without_a_template_it_counts without_a_template_it_counts
claim a_folder_elsewhere_has_the_last_part_as_name a_folder_elsewhere_has_the_last_part_as_name
claim json_names_policy_and_template json_names_policy_and_template
claim new_wants_a_name is_misuse "policy new: NAME is expected" "$FUSEPASS" policy new
claim new_wants_a_good_name is_misuse "policy new: '1st' is no name: letters, digits and _, up to 15" \
	"$FUSEPASS" policy new 1st
claim new_wants_a_short_name is_misuse "policy new: 'a123456789012345' is no name: letters, digits and _, up to 15" \
	"$FUSEPASS" policy new a123456789012345
claim new_lists_the_templates fails "there are caller, cgroup, count, redirect" "$FUSEPASS" policy new -T no x
claim new_takes_no_path_as_template fails "there are caller" "$FUSEPASS" policy new -T ../templates/count x
claim new_overwrites_nothing nothing_is_overwritten
claim build_shows_what_the_compiler_says compiler_is_heard
claim build_has_the_first_error_in_json compiler_is_heard_in_json
claim build_refuses_an_object_without_a_policy object_without_a_policy
claim build_wants_a_source is_misuse "policy build: a file NAME.bpf.c is expected, not 'x.c'" "$FUSEPASS" policy build x.c
claim build_of_no_file fails "compile none_such.bpf.c: No such file or directory" "$FUSEPASS" policy build none_such.bpf.c
claim build_without_clang fails "clang is not installed" env CLANG=nosuch "$FUSEPASS" policy build bad.bpf.c
claim build_writes_to_output output_goes_where_it_is_told
claim without_headers_it_says_so without_headers
claim verify_wants_a_policy is_misuse "policy verify: POLICY is expected" "$FUSEPASS" policy verify
claim verify_of_no_policy fails "open policy nosuch: No such file or directory" "$FUSEPASS" policy verify nosuch
done_testing
