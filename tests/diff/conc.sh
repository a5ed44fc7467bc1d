#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The concurrent test in the guest (tests/vm/vmtest.sh): processes on a mount, and others
# on the tree behind it, change the same names at the same moment. Prints TAP.
#
#     tests/diff/conc.sh [RUN...]
#
# A RUN is FS-POLICY or FS-POLICY-VARIANT. FS is ext4, xfs, btrfs or tmpfs. POLICY is a
# shipped one, hides (names with 'h' in front), none (the server alone) or native (two
# bind mounts, no FUSE at all: what fails there is a mistake of the test). VARIANT is
#
#   churn   the policy is replaced by itself all the time
#   swap    by turns with another one, see CONC_SWAP
#   detach  it is detached and attached
#
# Environment:
#
#   CONC_SECONDS  of each run, for duels, storms and random calls         (default 20)
#   CONC_PROCS    processes on each side                                  (default 3)
#   CONC_ONLY     pattern of tests: duel_NAME, duels_of_any_two,
#                 storm_NAME, work                                        (default all)
#   CONC_SWAP     the policy for swap                                     (default readonly)
#   CONC_ARGS     more arguments of build/tests/bin/conc, e.g. "--round 3"
#   CHURN_MS      time between two replacements                           (default 50)
#   SEED          first number of all that is random                      (default: the time)
#
# To find something again: SEED is in the first line of the run, and the round in each
# line of a finding of the random calls. The same SEED with CONC_ONLY=work and
# CONC_ARGS="--round N" lets each process do the same calls as in that round, again and
# again; how the processes meet is up to chance, so it may take some rounds. A duel or
# storm that fails is told with all that it needs: CONC_ONLY=duel_NAME repeats it. What
# went wrong is printed with the calls that the others did at that moment.

set -u

conc=$FUSEPASS_TOP/build/tests/bin/conc
work=/mnt/conc
size=${CONC_SIZE:-768M}
. "$(dirname "$0")/../lib/fs.sh"

. "$(dirname "$0")/../lib/tap.sh"

policy_file() {	# POLICY
	case $1 in
	hides) echo "$FUSEPASS_TOP/build/tests/bpf/hides.bpf.o" ;;
	*) echo "$1" ;;
	esac
}

policy_args() {	# POLICY
	case $1 in
	none) ;;
	suffix) echo "--policy suffix -k suffixes=0" ;;
	*) echo "--policy $(policy_file "$1")" ;;
	esac
}

# Two commands by turns until it is killed. If one fails, the run has failed: it would
# have been one without.
by_turns() {	# COMMAND COMMAND
	local seconds
	printf -v seconds '0.%03d' "${CHURN_MS:-50}"
	while sleep "$seconds" && $1 >/tmp/conc.turn 2>&1 && echo >>/tmp/conc.turns &&
	      sleep "$seconds" && $2 >/tmp/conc.turn 2>&1 && echo >>/tmp/conc.turns; do
		:
	done
	touch /tmp/conc.turn-failed
}

start_turns() {	# POLICY VARIANT
	local replace="fusepass policy replace" mine other
	mine=$(policy_file "$1")
	other=$(policy_file "${CONC_SWAP:-readonly}")
	rm -f /tmp/conc.turn-failed
	: >/tmp/conc.turns
	case $2 in
	churn) by_turns "$replace $mine $work/mnt" "$replace $mine $work/mnt" ;;
	swap) by_turns "$replace $other $work/mnt" "$replace $mine $work/mnt" ;;
	detach) by_turns "fusepass policy detach $work/mnt" "fusepass policy attach $mine $work/mnt" ;;
	esac &
	turner=$!
}

stop_turns() {	# RUN
	kill "$turner" 2>/dev/null
	wait "$turner" 2>/dev/null
	[ ! -e /tmp/conc.turn-failed ] || sed 's/^/# /' /tmp/conc.turn
	[ ! -e /tmp/conc.turn-failed ] && [ -s /tmp/conc.turns ]
	tap $? "$1: policy_was_changed_meanwhile" "$(wc -l </tmp/conc.turns) times"
}

# Requests that the server got, without those that need no answer.
server_requests() {
	fusepass stat "$work/mnt" | awk 'NR > 1 && $2 + 0 > 0 &&
		$1 !~ /^(total|INIT|DESTROY|FORGET|BATCH_FORGET|INTERRUPT)$/ { print $1, $2 }'
}

# Nothing where all passes, whatever happens at the same time.
report_requests() {	# RUN POLICY VARIANT
	local requests
	requests=$(server_requests | tr '\n' ' ')
	case $2-$3 in
	mirror-|hides-)
		# Why the kernel asked it, as far as it counts that.
		[ -z "$requests" ] || fusepass policy show "$work/mnt" | sed 's/^/# /'
		[ -z "$requests" ]
		tap $? "$1: server_is_asked_nothing" "${requests:-no requests}" ;;
	*) echo "# $1: requests: ${requests:-none}" ;;
	esac
}

conc_args() {	# FS POLICY VARIANT
	echo "--seconds ${CONC_SECONDS:-20} --procs ${CONC_PROCS:-3} ${SEED:+--seed $SEED}"
	echo "--patience $((20 * ${FUSEPASS_PATIENCE:-2})) ${CONC_ARGS:-}"
	case $2-$3 in
	native-*) echo "--save /tmp/conc.$1.native" ;;
	*) [ ! -s "/tmp/conc.$1.native" ] || echo "--reference /tmp/conc.$1.native" ;;
	esac
	case $2-$3 in
	none-*|readonly-*|suffix-*|*-swap|*-detach) echo "--served" ;;
	hides-|hides-churn) echo "--hidden" ;;
	esac
}

# Its tests get the number in this script's row, and the name of the run.
run_conc() {	# RUN FS POLICY VARIANT
	# shellcheck disable=SC2046
	adopt "$1: " "$1: conc_ends_with_a_plan" "$conc" $(conc_args "$2" "$3" "$4") \
		${CONC_ONLY:+--only "$CONC_ONLY"} "$work/tree/top" "$work/mnt"
}

mount_view() {	# POLICY
	mkdir -p "$work/mnt"
	chmod 755 "$work/tree/top"
	if [ "$1" = native ]; then
		mount --bind "$work/tree/top" "$work/mnt"
		return
	fi
	# shellcheck disable=SC2046
	fusepass mount -o dev,suid $(policy_args "$1") "$work/tree/top" "$work/mnt" >/tmp/conc.mount 2>&1 &&
		return
	sed 's/^/# /' /tmp/conc.mount
	return 1
}

run_on_view() {	# RUN FS POLICY VARIANT
	if ! mount_view "$3"; then
		tap 1 "$1: mounted"
		return
	fi
	[ -z "$4" ] || start_turns "$3" "$4"
	run_conc "$@"
	[ -z "$4" ] || stop_turns "$1"
	[ "$3" = native ] || report_requests "$1" "$3" "$4"
	umount "$work/mnt"
	tap $? "$1: view_unmounts"
}

run() {	# RUN
	local fs policy variant why
	IFS=- read -r fs policy variant <<<"$1"
	why=$(missing "$fs" | head -n 1)
	if [ -n "$why" ]; then
		skip "$1" "$why"
		return
	fi
	if ! mount_fs "$fs" tree /dev/vda || ! mkdir "$work/tree/top"; then
		tap 1 "$1: file_system_made"
		return
	fi
	run_on_view "$1" "$fs" "$policy" "${variant:-}"
	unmount_fs tree "$fs"
	tap $? "$1: file_system_is_whole"
}

mountpoint -q "$work" || { mkdir -p "$work" && mount -t tmpfs conc "$work"; }
[ $# -gt 0 ] || set -- ext4-native ext4-mirror
for r; do
	run "$r"
done
done_testing
