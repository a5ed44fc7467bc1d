# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# TAP for the tests on the host that are shell scripts. Not executable: check.sh runs
# what is.
#
#     . "$(dirname "$0")/lib.sh"
#     claim name_of_the_claim COMMAND...     passes when COMMAND succeeds
#     claim_not name_of_the_claim COMMAND... passes when it fails
#     done_testing

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export TOP
cd "$TOP" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tap_n=0

tap_report() {	# STATUS NAME
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n - $2"
	else
		head -n 20 "$work/out" | sed 's/^/# /'
		echo "not ok $tap_n - $2"
	fi
}

claim() {
	local name=$1 status=0
	shift
	"$@" >"$work/out" 2>&1 </dev/null || status=1
	tap_report $status "$name"
}

claim_not() {
	local name=$1 status=1
	shift
	"$@" >"$work/out" 2>&1 </dev/null || status=0
	tap_report $status "$name"
}

done_testing() {
	echo "1..$tap_n"
}

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

# Files of the checkout that are under version control or about to be.
repo_files() {	# [PATHSPEC...]
	git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}
