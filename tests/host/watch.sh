#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# explain, trace, top and stat --prometheus on a kernel that has no policies: they say so, or have
# nothing to show. What they show is tested in the guest (policy/watch_test.sh).

. "$(dirname "$0")/lib.sh"

! grep -qs fuse_policy_ops /sys/kernel/btf/* || skip_all "this kernel has policies"

no_kernel() {	# COMMAND...
	local status=0
	run_quietly "$@" || status=$?
	[ $status -eq 2 ] && grep -q "Operation not supported (this kernel has no struct fuse_policy_ops)" "$work/err" &&
		[ "$(wc -l <"$work/err")" -eq 1 ]
}

in_json() {	# STATUS EXPRESSION COMMAND...
	local want=$1 expression=$2 status=0
	shift 2
	run_quietly "$@" || status=$?
	[ $status -eq "$want" ] && [ ! -s "$work/err" ] && python3 -c "
import json, sys
j = json.load(open(sys.argv[1]))
assert $expression, j" "$work/said"
}

only_heads() {
	run_quietly "$FUSEPASS" stat --prometheus &&
		[ "$(grep -c '^# TYPE fusepass_[a-z_]* ' "$work/said")" -eq 6 ] && ! grep -v '^#' "$work/said"
}

claim trace_needs_the_kernel no_kernel "$FUSEPASS" trace
claim trace_needs_the_kernel_in_json in_json 2 'j["errno"] == "EOPNOTSUPP" and j["status"] == 2' "$FUSEPASS" -j trace
claim trace_wants_a_number is_misuse "trace: 'x' is no uid" "$FUSEPASS" trace --uid x
claim trace_wants_a_small_number is_misuse "trace: '4294967296' is no uid" "$FUSEPASS" trace --uid 4294967296
claim trace_of_one_mount is_misuse "trace: more than one MNT" "$FUSEPASS" trace a b
claim explain_wants_a_path is_misuse "explain: PATH is expected" "$FUSEPASS" explain
claim explain_of_no_fuse_mount in_json 2 'j["errno"] == "EINVAL"' "$FUSEPASS" -j explain "$work"
claim top_is_empty in_json 0 'j["mounts"] == [] and j["seconds"] >= 0.2' "$FUSEPASS" -j top --interval 0.2
claim top_wants_a_number is_misuse "top: 'x' is no number of seconds" "$FUSEPASS" top --interval x
claim top_wants_a_time_that_passes is_misuse "top: '0' is no number of seconds" "$FUSEPASS" top -i 0
claim top_of_one_mount is_misuse "top: more than one MNT" "$FUSEPASS" top a b
claim prometheus_has_all_metrics_and_no_mount only_heads
claim prometheus_is_not_json is_misuse "stat: --prometheus goes with neither --json nor --reset" \
	"$FUSEPASS" stat --prometheus --reset
claim prometheus_refuses_json in_json 1 '"--prometheus" in j["error"]' "$FUSEPASS" -j stat --prometheus
done_testing
