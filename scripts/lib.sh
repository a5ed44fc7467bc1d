# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by all scripts here: where things are, how messages look, and how a long
# step is run so that its progress is seen, its log is kept and its failure is
# one line. Sourced, never run. The kernel tree's own rules are in tree.sh.

set -eu -o pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$TOP/build
LOGS=$BUILD/log

# Downloads are shared; everything that depends on the kernel source is in CACHE.
# A tree of the user's own has a CACHE of its own, so that going back and forth
# between it and the pinned base rebuilds nothing.
CACHE_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/fusepass
CACHE=$CACHE_ROOT
if [ -n "${KERNEL_SRC:-}" ]; then
	KERNEL_SRC=$(cd "$KERNEL_SRC" && pwd -P)
	CACHE=$CACHE_ROOT/own-$(printf %s "$KERNEL_SRC" | sha256sum | cut -c1-12)
fi
LINUX=$CACHE/linux
TOOLS=$CACHE/tools
PATCHES=$TOP/kernel/patches
JOBS=${JOBS:-$(nproc)}

# Who only asks where things are makes nothing.
[ "${FUSEPASS_ASK:-0}" = 1 ] || mkdir -p "$LOGS" "$CACHE"

say() {
	printf 'fusepass: %s\n' "$*"
}

die() {
	printf 'fusepass: %s\n' "$*" >&2
	exit 1
}

base_get() {	# KEY: a value of kernel/base
	sed -n "s/^$1=//p" "$TOP/kernel/base"
}

fusepass_version() {
	sed -nE 's/^#define FUSEPASS_VERSION[[:space:]]+"(.*)"$/\1/p' "$TOP/include/fusepass.h"
}

sha256_of() {	# FILE
	sha256sum "$1" | cut -d' ' -f1
}

# A step is skipped when its stamp holds the key it would be done for. The stamp
# is written last and by rename, so an interrupted step is simply done again.
stamp_is() {	# FILE KEY
	[ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

stamp_set() {	# FILE KEY
	printf '%s\n' "$2" > "$1.tmp.$$"
	mv "$1.tmp.$$" "$1"
}

# One at a time: two builds of one O= directory destroy each other.
# A script that calls another one holds the lock for both.
cache_lock() {
	[ -z "${FUSEPASS_LOCKED:-}" ] || return 0
	exec 9>"$CACHE_ROOT/.lock"
	if ! flock -n 9; then
		say "waiting for another fusepass build that uses $CACHE_ROOT"
		flock 9
	fi
	export FUSEPASS_LOCKED=1
}

# The line of a log that says what went wrong: the first real error, else the last line.
log_reason() {	# LOG
	local re='(^|[^a-z_])(fatal )?error:|^E: |undefined reference|No space left|No such file|not found|\*\*\* |^fatal: |^Killed'
	grep -aE -m1 "$re" "$1" || grep -av '^[[:space:]]*$' "$1" | tail -n 1
}

# Progress: one line every few seconds on a terminal's own line, else a new line every
# PROGRESS_EVERY seconds. STEPS and SHOWN are patterns of lines: those that count, and those
# that are shown, the first 20 of them. EXPECTED is how many steps the last run had; 0 where
# it is not known.
progress_filter() {	# NAME UNIT EXPECTED STEPS SHOWN
	local tty=0
	[ -t 1 ] && tty=1
	awk -v name="$1" -v unit="$2" -v expected="$3" -v steps="$4" -v shown="$5" \
		-v tty="$tty" -v every="${PROGRESS_EVERY:-15}" '
		function progress(    s) {
			s = "fusepass: " name ": " n
			if (expected > 0)
				s = s " of about " (n > expected ? n : expected)
			printf tty ? "\r%s %s\033[K" : "%s %s\n", s, unit
			fflush()
		}
		$0 ~ steps {
			n++
			now = systime()
			if (!last)
				last = now
			if (now - last >= (tty ? 1 : every)) {
				last = now
				progress()
			}
		}
		$0 ~ shown {
			if (++told <= 20)
				printf "%s%s\n", tty ? "\r\033[K" : "", $0
			fflush()
		}
		END {
			if (tty && n)
				printf "\r\033[K"
			if (told > 20)
				print "... and " told - 20 " more"
		}'
}

# Run a long step: output to build/log/NAME.log, progress to the terminal. V=1 shows
# everything. On failure the line that matters and the log's place, and exit.
# Never call it in a condition: bash would then run on after errors inside the step.
run_logged() {	# NAME EXPECTED COMMAND...
	local name=$1 expected=$2 log=$LOGS/$1.log start=$SECONDS status
	shift 2
	say "$name ..."
	set +e
	if [ "${V:-0}" = 1 ]; then
		( set -e; "$@" ) 2>&1 </dev/null | tee "$log"
		status=${PIPESTATUS[0]}
	else
		( set -e; "$@" ) 2>&1 </dev/null | tee "$log" | progress_filter "$name" steps "$expected" \
			'^ +[A-Z][A-Z0-9_.]+ +[^ ]|^(Get:|(tar: )?Unpacking|Setting up|Applying|ok |not ok )' \
			'^fusepass: notice: '
		status=${PIPESTATUS[0]}
	fi
	set -e
	if [ "$status" -ne 0 ]; then
		printf 'fusepass: %s failed: %s (log: %s)\n' \
			"$name" "$(log_reason "$log")" "${log#"$TOP"/}" >&2
		exit 1
	fi
	say "$name: done in $((SECONDS - start)) s"
}
