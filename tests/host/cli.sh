#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the fusepass command answers to wrong input: exit status, one line that
# names object and cause, and with -j one valid JSON document, errors included.
# Needs no privileges and mounts nothing.

. "$(dirname "$0")/tap.bash"

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
	ok "$name: two lines of stderr" test "$(wc -l <<<"$err")" -eq 2
	is "$name: hint" "$(tail -n 1 <<<"$err")" "Try 'fusepass --help'."
	ok "$name: names the program" test "${err#fusepass: }" != "$err"
	run -j "$@"
	is "$name: status with -j" "$status" 1
	ok "$name: JSON" one_json_document "$out"
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
	ok "$name: JSON" one_json_document "$out"
	is "$name: stderr is empty with -j" "$err" ""
}

# fine NAME ARGS...: status 0, with -j valid JSON.
fine() {
	local name=$1
	shift
	run "$@"
	is "$name: status" "$status" 0
	is "$name: stderr is empty" "$err" ""
	ok "$name: says something" test -n "$out"
	run -j "$@"
	ok "$name: JSON" one_json_document "$out"
	run -p "$@"
	ok "$name: pretty JSON" one_json_document "$out"
	ok "$name: pretty is indented" test "$(wc -l <<<"$out")" -gt 1
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src" "$dir/mnt"
echo junk >"$dir/junk.bpf.o"

fine help --help
fine version --version
fine "help of a command" policy attach --help

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
misuse doctor_with_argument doctor x

failure source_missing "mount: $dir/none: No such file or directory" \
	mount "$dir/none" "$dir/mnt"
failure source_is_a_file "mount: $dir/junk.bpf.o: Not a directory" \
	mount "$dir/junk.bpf.o" "$dir/mnt"
failure mount_point_missing "mount: $dir/none: No such file or directory" \
	mount "$dir/src" "$dir/none"
failure policy_missing "open policy none: No such file or directory" \
	policy attach none "$dir/mnt"
failure policy_file_missing "open policy ./none.bpf.o: No such file or directory" \
	policy attach ./none.bpf.o "$dir/mnt"
type=$(stat -f -c %T "$dir")
run policy show "$dir/mnt"
is "not_fuse: status" "$status" 2
ok "not_fuse: message ($type)" grep -Eq \
	"^fusepass: show policy of $dir/mnt: Invalid argument \(not a FUSE mount but [a-z0-9]+\)$" \
	<<<"$err"
failure stat_missing "count requests of $dir/none: No such file or directory" \
	stat "$dir/none"
failure detach_missing "detach policy of $dir/none: No such file or directory" \
	policy detach "$dir/none"

run policy attach "$dir/junk.bpf.o" "$dir/mnt"
is "junk_is_no_policy: status" "$status" 2
ok "junk_is_no_policy: message" grep -q \
	"^fusepass: open policy $dir/junk.bpf.o: Invalid argument (not a BPF object" <<<"$err"

run doctor
ok "doctor_exits_0_or_2" test "$status" = 0 -o "$status" = 2
ok "doctor_gives_advice_for_what_is_missing" test \
	"$(grep -c '^missing' <<<"$out")" = "$(grep -c '^ *do: ' <<<"$out")"
run doctor -j
ok "doctor_json" one_json_document "$out"

if [ -e "$TOP/build/bpf/suffix.bpf.o" ]; then
	failure unknown_knob 'set knob nosuch=1: No such file or directory (policy "suffix" has no such knob)' \
		policy attach -k nosuch=1 suffix "$dir/mnt"
	long=$(printf 'x%.0s' {1..300})
	failure knob_text_too_long "set knob suffixes=$long: Numerical result out of range (a text of at most 127 bytes is expected)" \
		policy attach -k "suffixes=$long" suffix "$dir/mnt"
else
	skip knobs "build/bpf/suffix.bpf.o is not built"
fi

done_testing
