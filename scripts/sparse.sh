#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sparse for `make C=1 CHECK=scripts/sparse.sh`. Debian 12's is older than two things that
# this kernel uses: __typeof_unqual__, without which the kernel's makefile does not run it
# at all, and __builtin_strlen in a static assertion, which is an error to it; after an
# error it keeps all its warnings to itself.

exec sparse -D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s) - 1)' "$@"
