#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sum up TAP files and print, last, `N passed, N failed, N skipped`:
#
#     tests/lib/tap-sum.sh FILE...
#
# A file may hold several documents, each with its plan first or last. A plan that is
# missing, short or exceeded, a "Bail out!" and a file without any test each count as
# a failure of their own. Failures are named on lines before the sum, each with the last of
# the diagnosis that stands before it, on the same line: who reads a log often sees no more
# of it than that. Exit status 0 only when nothing failed and something
# passed.

exec awk -v SHOWN=10 '
# One failure often brings a hundred: the first of them tell.
function fail(why,	i) {
	failed++
	if (failed <= 40) {
		printf "not ok: %s: %s", file, why
		for (i = told > SHOWN ? told - SHOWN : 0; i < told; i++)
			printf " | %s", diagnosis[i % SHOWN]
		print ""
	} else if (failed == 41)
		print "not ok: ... and more, see the files"
}

# A document ends where its plan is fulfilled, or where the next one begins.
function end_document() {
	if (planned < 0 && seen > 0)
		fail("no plan after " seen " tests")
	else if (planned >= 0 && seen != planned)
		fail(planned " tests planned, " seen " run")
	planned = -1
	seen = 0
	told = 0
}

function end_file() {
	if (file == "")
		return
	end_document()
	if (!tests)
		fail("no tests")
}

FNR == 1 {
	end_file()
	file = FILENAME
	tests = 0
	planned = -1
	seen = 0
	told = 0
}

{ sub(/\r$/, "") }

/^#/ {
	diagnosis[told++ % SHOWN] = substr($0, 3)
	next
}

/^1\.\.[0-9]+/ {
	n = substr($1, 4) + 0
	if (planned >= 0) {
		end_document()
	}
	planned = n
	if (n == 0) {
		skipped++
		tests++
		planned = -1
		next
	}
	if (seen > 0)		# the plan came last
		end_document()
	next
}

/^ok / || /^not ok / {
	if (planned >= 0 && seen == planned)
		end_document()
	seen++
	tests++
	if (/# *[Ss][Kk][Ii][Pp]/)
		skipped++
	else if (/^ok /)
		passed++
	else
		fail(substr($0, 8))
	told = 0
	next
}

/^Bail out!/ { fail($0) }

END {
	end_file()
	for (i = 1; i < ARGC; i++)
		if ((getline line < ARGV[i]) <= 0) {
			file = ARGV[i]
			fail("missing or empty")
		}
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0 || passed == 0
}' "$@"
