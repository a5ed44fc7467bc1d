#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel series, kept as kernel/patches/PART/*.patch, and the tree's branch `series`:
#
#     scripts/series.sh apply     make the branch what the patches say
#     scripts/series.sh export    make the patches what the branch says; with SUBMITTER='Name
#                                 <address>' write them to build/submit/ instead, with that
#                                 author and sign-off
#     scripts/series.sh verify    TAP: do the two agree, on the pristine base?
#
# Patch by patch building and checking is series-check.sh.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

# The new commits are made in a clone and then checked out, so that files which do not
# differ keep their times and the next build stays incremental.
series_apply() {
	local tmp=$CACHE/series.tmp
	clone_sparse "$tmp"
	am_all "$tmp"
	tree_git fetch -q "$tmp" series:refs/fusepass/series --force
	tree_git checkout -q -B series refs/fusepass/series
	take_parts "$tmp"
	rm -rf "$tmp"
	tree_mark_applied
}

cmd_apply() {
	if [ "${TREE:-}" = asis ]; then
		say "notice: TREE=asis, building $LINUX as it stands"
		return
	fi
	if tree_is_applied && ! tree_dirty; then
		return
	fi
	tree_may_move || exit 1
	run_logged series-apply 0 series_apply
}

# The author is also who signs off, in patches and cover letters.
set_submitter() {	# DIR
	local from
	from=$(tree_git log -1 --format='%an <%ae>')
	find "$1" -name '*.patch' -exec perl -i -pe '
		BEGIN {
			($from, $to) = splice @ARGV, 0, 2;
			($from_name, $to_name) = map { s/ <.*//r } $from, $to;
		}
		s/^(From|Signed-off-by): \Q$from\E$/$1: $to/;
		s/^\Q$from_name\E( \(\d+\):)$/$to_name$1/' "$from" "$SUBMITTER" {} +
}

submit() {
	local new=$BUILD/submit
	[[ $SUBMITTER =~ ^[^\<\>]+\ \<[^\<\>\ ]+@[^\<\>\ ]+\>$ ]] ||
		die "SUBMITTER is not 'Name <address>': $SUBMITTER"
	rm -rf "$new"
	mkdir -p "$new"
	tree_export "$new"
	set_submitter "$new"
	say "exported for $SUBMITTER to ${new#"$TOP"/}"
}

cmd_export() {
	local new=$PATCHES.new n
	! tree_busy || die "$LINUX: an am, rebase or merge is under way there; end it first"
	! tree_dirty || say "notice: uncommitted changes in $LINUX are not exported"
	if [ -n "${SUBMITTER:-}" ]; then
		submit
		return
	fi
	rm -rf "$new"
	mkdir -p "$new"
	tree_export "$new"
	rm -rf "$PATCHES"
	mv "$new" "$PATCHES"
	tree_mark_applied
	n=$(patch_files | wc -l)
	say "exported $n patches to ${PATCHES#"$TOP"/}"
}

tap_n=0
tap() {	# STATUS NAME
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $tap_n - $2"; else echo "not ok $tap_n - $2"; fi
}

comment() {
	sed 's/^/# /'
}

# What the commits of a repository say, whoever committed them.
story() {	# REPOSITORY
	git -C "$1" log --reverse --format='%T %an <%ae> %at%n%B' "$(tree_base)..HEAD" --
}

cmd_verify() {
	local tmp=$CACHE/series.tmp dir status
	dir=$(mktemp -d)
	echo "1..3"

	status=0
	clone_sparse "$tmp"
	am_all "$tmp" >"$dir/log" 2>&1 || status=1
	comment <"$dir/log"
	tap $status series_applies_to_the_pristine_base

	status=0
	mkdir "$dir/export"
	tree_export "$dir/export"
	if [ "$(tree_base)" = "base-$(base_get version)" ]; then
		mkdir -p "$PATCHES"
		diff -rq "$dir/export" "$PATCHES" >"$dir/diff" 2>&1 || status=1
	else
		diff <(story "$tmp") <(story "$LINUX") >"$dir/diff" || status=1
	fi
	head -n 10 "$dir/diff" | comment
	tap $status series_is_the_trees_own_export

	status=0
	{ tree_git status --porcelain --untracked-files=no; tree_untracked; } >"$dir/dirty"
	[ ! -s "$dir/dirty" ] || status=1
	head -n 10 "$dir/dirty" | comment
	tap $status tree_holds_nothing_but_the_series

	rm -rf "$tmp" "$dir"
}

[ -d "$LINUX/.git" ] || die "no kernel tree at $LINUX (run 'make kernel-tree')"
cache_lock
case ${1:-} in
apply) cmd_apply ;;
export) cmd_export ;;
verify) cmd_verify ;;
*) die "usage: series.sh apply|export|verify" ;;
esac
