# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by the tests on the host. Not executable: check.sh runs executable files.
#
#     . "$(dirname "$0")/lib.sh"
#     claim name_of_the_claim COMMAND...     and the rest of tests/lib/tap.sh
#     done_testing
#
# They run in the checkout, with a directory of their own, $work, that is removed afterwards.

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export TOP
cd "$TOP" || exit 1
. "$TOP/tests/lib/tap.sh"
FUSEPASS=${FUSEPASS:-$TOP/build/bin/fusepass}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A checkout and a cache of their own, for tests of scripts that change them: in $work/top
# and $work/cache, without anybody's mirror or kernel.
make_checkout() {
	unset KERNEL_SRC FUSEPASS_LOCKED V
	export XDG_CACHE_HOME=$work/cache
	mkdir -p "$work/top/kernel/patches" "$work/cache"
	cp -r scripts "$work/top"
}

# Runs a command; what it says goes to $work/said and $work/err.
run_quietly() {	# COMMAND...
	"$@" >"$work/said" 2>"$work/err"
	local status=$?
	sed 's/^/said: /' "$work/said"
	sed 's/^/err: /' "$work/err"
	return $status
}

# The command fails, and stderr is this one line.
fails_with() {	# LINE COMMAND...
	local line=$1
	shift
	! run_quietly "$@" && [ "$(cat "$work/err")" = "$line" ]
}

# The command ends with this status, and this text is all of its stderr.
says() {	# STATUS TEXT COMMAND...
	local status=0
	run_quietly "${@:3}" || status=$?
	[ "$status" -eq "$1" ] && [ "$(cat "$work/err")" = "$2" ]
}

# The command line is wrong: exit status 1, this text and the hint.
is_misuse() {	# TEXT COMMAND...
	says 1 "fusepass: $1
Try 'fusepass --help'." "${@:2}"
}

# fusepass, which is not to hang.
fp() {
	timeout -k 1 "${fp_seconds:-120}" "$FUSEPASS" "$@"
}

can_unshare() {
	unshare -m --propagation private true 2>/dev/null
}

can_mount() {
	[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] && can_unshare
}

# Goes on in a mount namespace of its own, which ends with the script.
own_mounts() {	# "$@" of the script
	[ -z "${FUSEPASS_UNSHARED:-}" ] || return 0
	rm -rf "$work"
	FUSEPASS_UNSHARED=1 exec unshare -m --propagation private "$0" "$@"
}

# The process ends within 5 seconds.
gone() {	# PID
	local i
	for i in {1..50}; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# Files of the checkout that are under version control or about to be.
repo_files() {	# [PATHSPEC...]
	git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}
