#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Answers of the fusepass command to wrong input: exit status, one line that
# names object and cause, and with -j one valid JSON document, errors included.
# Needs no privileges and mounts nothing.

. "$(dirname "$0")/lib.sh"

# run ARGS...: sets out, err, status.
run() {
	local e
	e=$(mktemp)
	out=$("$FUSEPASS" "$@" 2>"$e" </dev/null)
	status=$?
	err=$(cat "$e")
	rm -f "$e"
}

one_json_document() {
	python3 -c 'import json, sys; json.load(sys.stdin)' <<<"$1"
}

# misuse NAME ARGS...: status 1, the line and the hint on stderr, nothing else.
misuse() {
	local name=$1
	shift
	run "$@"
	is "$name: status" "$status" 1
	is "$name: stdout is empty" "$out" ""
	claim "$name: two lines of stderr" test "$(wc -l <<<"$err")" -eq 2
	is "$name: hint" "$(tail -n 1 <<<"$err")" "Try 'fusepass --help'."
	claim "$name: names the program" test "${err#fusepass: }" != "$err"
	run -j "$@"
	is "$name: status with -j" "$status" 1
	claim "$name: JSON" one_json_document "$out"
	is "$name: stderr is empty with -j" "$err" ""
}

# failure NAME MESSAGE ARGS...: status 2 and exactly that line.
failure() {
	local name=$1 message=$2
	shift 2
	run "$@"
	is "$name: status" "$status" 2
	is "$name: message" "$err" "fusepass: $message"
	run "$@" -j
	is "$name: status with -j" "$status" 2
	claim "$name: JSON" one_json_document "$out"
	is "$name: stderr is empty with -j" "$err" ""
}

# fine NAME ARGS...: status 0, with -j valid JSON.
fine() {
	local name=$1
	shift
	run "$@"
	is "$name: status" "$status" 0
	is "$name: stderr is empty" "$err" ""
	claim "$name: says something" test -n "$out"
	run -j "$@"
	claim "$name: JSON" one_json_document "$out"
	run -p "$@"
	claim "$name: pretty JSON" one_json_document "$out"
	claim "$name: pretty is indented" test "$(wc -l <<<"$out")" -gt 1
}

dir=$work
mkdir "$dir/src" "$dir/mnt"
echo junk >"$dir/junk.bpf.o"
printf 'deny EACCES path /a\npass read size > 1M\nserver open by uid 5\npass all # rest\n' >"$dir/good.rules"
printf '# text\n\tdeny ACCESS\n' >"$dir/bad.rules"

fine help --help
fine version --version
fine "help of a command" policy attach --help
fine help_about_a_command help mount
fine help_about_a_command_of_a_table help policy attach
fine help_about_a_table help rules
fine list list
run help policy attach
is help_and_option_say_the_same "$out" "$("$FUSEPASS" policy attach --help)"
claim help_tells_options grep -q -- '--verifier-log' <<<"$out"

misuse no_command
misuse unknown_command frobnicate
misuse abbreviated_command mo
misuse unknown_option --frobnicate
misuse unknown_short_option mount -x
misuse no_mount_arguments mount
misuse one_mount_argument mount "$dir/src"
misuse three_mount_arguments mount a b c
misuse option_without_value mount a b --policy
misuse bad_timeout mount -t soon "$dir/src" "$dir/mnt"
misuse negative_timeout mount -t -1 "$dir/src" "$dir/mnt"
misuse knob_without_policy mount -k a=b "$dir/src" "$dir/mnt"
misuse knob_without_value policy attach -k novalue mirror "$dir"
misuse knob_without_name policy attach -k =value mirror "$dir"
misuse no_policy_command policy
misuse unknown_policy_command policy frobnicate
misuse attach_without_mount policy attach mirror
misuse option_of_another_command policy detach -k a=b "$dir"
misuse detach_without_mount policy detach
misuse list_with_argument policy list x
misuse stat_without_mount stat
misuse log_that_is_none mount --log x "$dir/src" "$dir/mnt"
misuse info_without_policy policy info
misuse help_of_nothing help frobnicate
misuse help_of_too_much help policy attach x
misuse list_with_an_argument list x
misuse no_rules_command rules
misuse unknown_rules_command rules frobnicate
misuse rules_check_without_file rules check
misuse rules_check_of_a_relative_path rules check "$dir/good.rules" a/b
misuse rules_update_without_file rules update "$dir/mnt"
misuse rules_show_without_mount rules show
misuse rules_log_with_two_mounts rules log "$dir/mnt" "$dir/mnt"
misuse rules_option_of_another_command rules show --tree "$dir" "$dir/mnt"
misuse doctor_with_argument doctor x

failure source_missing "mount: $dir/none: No such file or directory" \
	mount "$dir/none" "$dir/mnt"
failure source_is_a_file "mount: $dir/junk.bpf.o: Not a directory" \
	mount "$dir/junk.bpf.o" "$dir/mnt"
failure mount_point_missing "mount: $dir/none: No such file or directory" \
	mount "$dir/src" "$dir/none"
export FUSEPASS_POLICY_DIR=$TOP/build/bpf
failure policy_missing "open policy none: No such file or directory (not in $TOP/build/bpf; 'fusepass policy available' lists what there is)" \
	policy attach none "$dir/mnt"
failure policy_file_missing "open policy ./none.bpf.o: No such file or directory" \
	policy attach ./none.bpf.o "$dir/mnt"
type=$(stat -f -c %T "$dir")
run policy show "$dir/mnt"
is "not_fuse: status" "$status" 2
claim "not_fuse: message ($type)" grep -Eq \
	"^fusepass: show policy of $dir/mnt: Invalid argument \(not a FUSE mount but [a-z0-9]+\)$" \
	<<<"$err"
failure stat_missing "count requests of $dir/none: No such file or directory" \
	stat "$dir/none"
failure detach_missing "detach policy of $dir/none: No such file or directory" \
	policy detach "$dir/none"

run policy attach "$dir/junk.bpf.o" "$dir/mnt"
is "junk_is_no_policy: status" "$status" 2
claim "junk_is_no_policy: message" grep -q \
	"^fusepass: open policy $dir/junk.bpf.o: Invalid argument (not a BPF object" <<<"$err"

failure rules_file_missing "read rules $dir/none: No such file or directory" rules check "$dir/none"
failure rules_with_a_mistake \
	"$dir/bad.rules:2:7: an error such as EACCES or EPERM is expected, not 'ACCESS'" \
	rules check "$dir/bad.rules"
failure rules_tree_missing "rules check: $dir/none: No such file or directory" \
	rules check --tree "$dir/none" "$dir/good.rules" /a
failure rules_show_missing "show rules of $dir/none: No such file or directory" \
	rules show "$dir/none"
failure rules_log_missing "log rules of $dir/none: No such file or directory" \
	rules log "$dir/none"
fine rules_check rules check "$dir/good.rules" /x
run rules check "$dir/good.rules" /a/b /x /
is rules_check_says_which_rules_decide "$out" "/a/b: as /a
  line 1: deny EACCES path /a
/x:
  line 2, if it fits: pass read size > 1M
  line 4: pass all
  each open:
  line 3, if it fits: server open by uid 5
/:
  line 2, if it fits: pass read size > 1M
  line 4: pass all"
truncate -s 2M "$dir/src/x"
run rules check --tree "$dir/src" "$dir/good.rules" /x /none
is rules_check_looks_at_the_tree "$out" "/x:
  line 2: pass read size > 1M
/none:
  line 4: pass all
  each open:
  line 3, if it fits: server open by uid 5"

long=/$(printf 'x%.0s' {1..300})
failure rules_check_of_a_name_that_is_none "rules check: $dir/src: File name too long" \
	rules check --tree "$dir/src" "$dir/good.rules" "$long"

run doctor
claim "doctor_exits_0_or_2" test "$status" = 0 -o "$status" = 2
is doctor_complains_in_its_own_words "$err" ""
claim "doctor_gives_advice_for_what_is_missing" test \
	"$(grep -c '^missing' <<<"$out")" = "$(grep -c '^ *do: ' <<<"$out")"
run doctor -j
claim "doctor_json" one_json_document "$out"

if [ -e "$TOP/build/bpf/suffix.bpf.o" ]; then
	fine policies_are_listed policy available
	run policy available
	for p in "$TOP"/bpf/*.bpf.c; do
		p=$(basename "$p" .bpf.c)
		claim "policy_is_available_and_says_what_it_does: $p" grep -qE "^$p +[a-z]" <<<"$out"
	done
	fine policy_info policy info suffix
	run policy info suffix
	claim policy_info_has_knob_type_and_help grep -q "text of 127 bytes: suffixes" <<<"$out"
	run -j policy info suffix
	claim policy_info_has_the_default grep -q '"name":"suffixes","type":"text","size":128,"default":""' <<<"$out"
	failure info_of_none "open policy none: No such file or directory (not in $TOP/build/bpf; 'fusepass policy available' lists what there is)" \
		policy info none
	mkdir "$dir/policies"
	cp "$TOP/build/bpf/mirror.bpf.o" "$dir/junk.bpf.o" "$dir/policies"
	out=$(FUSEPASS_POLICY_DIR=$dir/policies "$FUSEPASS" policy available)
	claim unusable_policy_is_told grep -q "^junk  *unusable: " <<<"$out"
	failure unknown_knob 'set knob nosuch=1: No such file or directory (policy "suffix" has no such knob)' \
		policy attach -k nosuch=1 suffix "$dir/mnt"
	long=$(printf 'x%.0s' {1..300})
	failure knob_text_too_long "set knob suffixes=$long: Numerical result out of range (a text of at most 127 bytes is expected)" \
		policy attach -k "suffixes=$long" suffix "$dir/mnt"
else
	skip knobs "build/bpf/suffix.bpf.o is not built"
fi

if [ -e "$TOP/build/bpf/rules.bpf.o" ]; then
	failure attach_with_bad_rules \
		"$dir/bad.rules:2:7: an error such as EACCES or EPERM is expected, not 'ACCESS'" \
		policy attach rules --rules "$dir/bad.rules" "$dir/mnt"
	failure mount_with_bad_rules \
		"$dir/bad.rules:2:7: an error such as EACCES or EPERM is expected, not 'ACCESS'" \
		mount --rules "$dir/bad.rules" "$dir/src" "$dir/mnt"
	failure update_with_bad_rules \
		"$dir/bad.rules:2:7: an error such as EACCES or EPERM is expected, not 'ACCESS'" \
		rules update "$dir/mnt" "$dir/bad.rules"
	failure rules_of_another_policy "read rules $dir/good.rules: Invalid argument (policy \"mirror\" does not go by a file of rules)" \
		policy attach mirror --rules "$dir/good.rules" "$dir/mnt"
else
	skip rules "build/bpf/rules.bpf.o is not built"
fi

done_testing
