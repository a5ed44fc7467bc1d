# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel tree in the cache: what is its base, does it hold somebody's work, and
# how its commits are exported. Sourced after lib.sh.
#
# The tree is a git repository: tag base-<version> is the pristine source, branch
# `series` is that plus kernel/patches. People work in it, so nothing here moves it
# unless all it holds is known: `fusepass-applied` in its git directory names the
# last commit that was exported or applied; a head that is neither that one nor the
# base holds somebody's commits.

# Never take the index lock for a mere look: its owner may be committing.
export GIT_OPTIONAL_LOCKS=0

# Commits that scripts make are the same on every machine, whatever the user's
# git configuration is.
tree_git() {
	git -C "$LINUX" -c core.autocrlf=false -c core.hooksPath=/dev/null "$@"
}

tree_base() {	# the tag of the pristine base that the series sits on
	tree_git describe --tags --abbrev=0 --match 'base-*' HEAD 2>/dev/null ||
		die "$LINUX has no base-<version> tag (remove it and run 'make kernel-tree')"
}

tree_dirty() {
	[ -n "$(tree_git status --porcelain --untracked-files=no)" ]
}
