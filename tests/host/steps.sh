#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Long steps (scripts/lib.sh): one that fails says in one line what went wrong and where
# the rest of it is, one that is done is not done again. And tests that cannot run are not
# taken for tests that were left out (scripts/check.sh).

. "$(dirname "$0")/lib.sh"

make_checkout
log=$work/top/build/log

# A script of a step, as those in scripts/ are.
script() {	# NAME, its lines on stdin
	{
		echo '. "$(dirname "$0")/lib.sh"'
		cat
	} >"$work/top/scripts/$1"
}

run() {	# SCRIPT
	run_quietly bash "$work/top/scripts/$1"
}

script compile.sh <<'STEP'
compile() {
	echo "  CC      fs/fuse/dir.o"
	echo "fs/fuse/dir.c:12:3: error: 'x' undeclared"
	echo "fs/fuse/dir.c:99:3: error: another one"
	echo "make: *** [fs/fuse/dir.o] Error 1"
	false
	echo "the step runs on"
}
run_logged compile 10 compile
echo "the script runs on"
STEP

script silent.sh <<'STEP'
silent() {
	printf '%s\n' "first" "the last line that is not empty" "" "  "
	exit 3
}
run_logged silent 0 silent
STEP

script good.sh <<'STEP'
good() {
	echo "  CC      error.o"
	echo "a warning" >&2
}
run_logged good 0 good
STEP

script stamped.sh <<'STEP'
stamp=$CACHE/stamp
step() {
	echo "$KEY" >>"$CACHE/done"
	[ -z "${BREAK:-}" ]
}
if ! stamp_is "$stamp" "$KEY"; then
	run_logged stamped 0 step
	stamp_set "$stamp" "$KEY"
fi
STEP

log_has_all() {
	grep -q 'another one' "$log/compile.log" && grep -q '^make: ' "$log/compile.log" &&
		! grep -q 'runs on' "$log/compile.log" "$work/said"
}

good_step_says_how_long() {
	run good.sh && [ ! -s "$work/err" ] &&
		grep -qE '^fusepass: good: done in [0-9]+ s$' "$work/said" &&
		! grep -q warning "$work/said" && grep -q warning "$log/good.log"
}

verbose_step_shows_all() {
	V=1 run good.sh && grep -q 'a warning' "$work/said"
}

done_steps() {
	cat "$work/cache/fusepass/done"
}

stamped_step_is_done_once() {
	KEY=one run stamped.sh && KEY=one run stamped.sh &&
		[ ! -s "$work/said" ] && [ ! -s "$work/err" ] && [ "$(done_steps)" = one ]
}

other_key_does_it_again() {
	KEY=two run stamped.sh && [ "$(done_steps | tail -n 1)" = two ]
}

failed_step_is_done_again() {
	local n
	! BREAK=1 KEY=three run stamped.sh && ! BREAK=1 KEY=three run stamped.sh &&
		KEY=three run stamped.sh && KEY=three run stamped.sh &&
		n=$(done_steps | grep -c three) && [ "$n" -eq 3 ]
}

nothing_beside_the_stamp() {
	ls "$work/cache/fusepass"
	[ -z "$(ls "$work/cache/fusepass" | grep -vxE 'stamp|done')" ]
}

packages_can_be_skipped() {
	SKIP_PACKAGES=1 run setup-packages.sh && [ ! -s "$work/said" ] && [ ! -s "$work/err" ]
}

# A suite that lost its mode would be the silent end of all tests in the guest.
suite_that_cannot_run_fails() {
	mkdir -p "$work/top/tests/vm" "$work/top/tests/lib"
	cp tests/lib/tap-sum.sh tests/lib/tap.sh "$work/top/tests/lib"
	echo '#!/bin/sh' >"$work/top/tests/vm/suite.sh"
	! run_quietly "$work/top/scripts/check.sh" vm &&
		grep -q 'suite.sh is not executable' "$work/said" &&
		[ "$(tail -n 1 "$work/said")" = '0 passed, 1 failed, 0 skipped' ]
}

claim failed_step_says_the_first_error fails_with \
	"fusepass: compile failed: fs/fuse/dir.c:12:3: error: 'x' undeclared (log: build/log/compile.log)" \
	bash "$work/top/scripts/compile.sh"
claim its_log_has_all_of_it_and_nothing_runs_on log_has_all
claim failed_step_without_an_error_says_its_last_line fails_with \
	'fusepass: silent failed: the last line that is not empty (log: build/log/silent.log)' \
	bash "$work/top/scripts/silent.sh"
claim good_step_says_how_long good_step_says_how_long
claim verbose_step_shows_all verbose_step_shows_all
claim stamped_step_is_done_once stamped_step_is_done_once
claim other_key_does_it_again other_key_does_it_again
claim failed_step_is_done_again failed_step_is_done_again
claim nothing_is_left_beside_the_stamp nothing_beside_the_stamp
claim packages_can_be_skipped packages_can_be_skipped
claim suite_that_cannot_run_fails suite_that_cannot_run_fails
done_testing
