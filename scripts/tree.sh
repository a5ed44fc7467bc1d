# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel tree in the cache: what is its base, does it hold somebody's work, how are
# its commits exported and how are patches made commits again. Sourced after lib.sh.
#
# The tree is a git repository: tag base-<version> is the pristine source, branch
# `series` is that plus kernel/patches. The series has parts, each in a folder of its own:
# branch part/NAME ends at the last commit of a part, and its description is the cover
# letter (the first line is the subject). People work in it, so nothing here moves it
# unless all it holds is known: `fusepass-applied` in its git directory names the
# last commit that was exported or applied and the hash of the patches it came from.
# A head that is neither that one nor the base holds somebody's commits.

# Never take the index lock for a mere look: its owner may be committing. And git does
# the same on every machine, whatever its users have configured.
export GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

tree_git() {
	git -C "$LINUX" -c core.hooksPath=/dev/null "$@"
}

tree_base() {	# the tag of the pristine base that the series sits on
	tree_git describe --tags --abbrev=0 --match 'base-*' HEAD 2>/dev/null ||
		die "$LINUX has no base-<version> tag (move it away and run 'make kernel-tree')"
}

tree_dirty() {
	[ -n "$(tree_git status --porcelain --untracked-files=no)" ]
}

# New files that nobody has added yet. The distributed source ignores everything at its
# top, so git's own idea of ignored files is of no use ('git add' needs -f for a new one).
tree_untracked() {
	tree_git ls-files --others -x '*.o' -x '*.cmd' -x '*.d' -x '*.a' -x '*.pyc' -x '*.patch' \
		-- fs include kernel lib mm Documentation tools/testing/selftests/filesystems
}

tree_busy() {	# somebody is in the middle of an am, rebase or merge
	local d
	for d in rebase-apply rebase-merge MERGE_HEAD CHERRY_PICK_HEAD; do
		[ ! -e "$LINUX/.git/$d" ] || return 0
	done
	return 1
}

patch_files() {	# [FOLDER], in the order of the series, without cover letters
	local dir=${1:-$PATCHES}
	[ ! -d "$dir" ] || find "$dir" -name '*.patch' ! -name '0000-*' | sort
}

part_folders() {
	find "$PATCHES" -mindepth 1 -maxdepth 1 -type d | sort
}

# Subject and text of a cover letter, without what git adds below it.
cover_text() {	# FILE
	awk '
		!body && /^Subject: / { sub(/^Subject: (\[[^]]*\] )?/, ""); printf "%s", $0; subject = 1; next }
		!body && subject && /^ / { printf "%s", $0; next }
		!body && subject { subject = 0; print "" }
		!body && /^$/ { body = 1; print ""; next }
		body && /^[^ ].* \([0-9]+\):$/ { exit }
		body' "$1"
}

# What a set of patches says, apart from their file names.
patches_hash() {	# DIR
	find "$1" -name '*.patch' 2>/dev/null | sort | xargs -r cat | sha256sum | cut -d' ' -f1
}

tree_parts() {
	tree_git for-each-ref --format='%(refname:short)' --merged HEAD 'refs/heads/part/*'
}

# Deterministic: no commit ids, no git version, nothing that depends on how many
# objects the repository has; cover letters have author and date of the last patch.
export_part() {	# DIR FROM BRANCH
	local name email date
	IFS='|' read -r name email date < <(tree_git log -1 --format='%an|%ae|%aI' "$3")
	GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$email GIT_COMMITTER_DATE=$date \
		tree_git format-patch -q -o "$1/${3#part/}" --zero-commit \
		--cover-letter --cover-from-description=subject \
		--no-signature -n --no-thread --full-index -M --stat=72 --no-base --no-notes \
		"$2..$3" --
}

tree_export() {	# DIR
	local dir from part
	dir=$(realpath "$1")
	from=$(tree_base)
	for part in $(tree_parts); do
		export_part "$dir" "$from" "$part"
		from=$part
	done
	[ "$(tree_git rev-parse "$from^{commit}")" = "$(tree_git rev-parse HEAD)" ] ||
		die "$LINUX: the last part ends at $from, not at the head of the series" \
			"(git branch -f $from)"
}

tree_export_hash() {
	local dir hash
	dir=$(mktemp -d)
	tree_export "$dir"
	hash=$(patches_hash "$dir")
	rm -rf "$dir"
	echo "$hash"
}

tree_mark_applied() {
	stamp_set "$LINUX/.git/fusepass-applied" "$(tree_git rev-parse HEAD) $(patches_hash "$PATCHES")"
}

# Does the tree's head hold exactly what kernel/patches says? On a base that is not the
# pinned one an export differs in line numbers, so the mark is asked first.
tree_is_applied() {
	local mark=$LINUX/.git/fusepass-applied
	stamp_is "$mark" "$(tree_git rev-parse HEAD) $(patches_hash "$PATCHES")" && return
	[ "$(tree_export_hash)" = "$(patches_hash "$PATCHES")" ] || return 1
	tree_mark_applied
}

# Is a commit of the tree known: the base, or what was last exported or applied?
tree_knows() {	# COMMIT
	[ "$1" = "$(tree_git rev-parse "$(tree_base)^{commit}")" ] ||
		[ "$1" = "$(cut -d' ' -f1 "$LINUX/.git/fusepass-applied" 2>/dev/null)" ]
}

# May a script give the tree another content? Says why not, in one line. The branch counts
# beside the head: it would be moved too, and an interrupted build leaves the head alone.
tree_may_move() {
	local head branch
	head=$(tree_git rev-parse HEAD)
	branch=$(tree_git rev-parse -q --verify refs/heads/series || echo "$head")
	if tree_busy; then
		say "$LINUX: an am, rebase or merge is under way there; end it first" >&2
	elif tree_dirty; then
		say "$LINUX has uncommitted changes: commit them there and run 'make series-export'," \
		    "or use TREE=asis to build what is there" >&2
	elif ! { tree_knows "$head" && tree_knows "$branch"; } &&
	     ! { [ "$head" = "$branch" ] && tree_is_applied; }; then
		say "$LINUX holds commits that kernel/patches does not: run 'make series-export'," \
		    "or use TREE=asis to build what is there" >&2
	else
		return 0
	fi
	return 1
}

# The files that the patches touch, as patterns for a sparse checkout.
patches_paths() {
	# shellcheck disable=SC2046
	sed -nE 's,^(diff --git a/(.*) b/.*)$,/\2,p; s,^rename to (.*)$,/\1,p' \
		/dev/null $(patch_files) | sort -u
	echo /Makefile
}

# A clone that shares the tree's objects and holds only the files that the series
# touches: made in a second, and nobody's work is in it.
clone_sparse() {	# DIR
	rm -rf "$1"
	git clone -q --shared --no-checkout "$LINUX" "$1"
	git -C "$1" sparse-checkout init --no-cone
	patches_paths | git -C "$1" sparse-checkout set --no-cone --stdin
	git -C "$1" -c advice.detachedHead=false checkout -q -B series "$(tree_base)"
}

# Commits made by scripts depend on the patch and its parent only.
am_one() {	# REPOSITORY PATCH
	GIT_COMMITTER_NAME=fusepass GIT_COMMITTER_EMAIL=fusepass@invalid \
		git -C "$1" -c gc.auto=0 -c core.hooksPath=/dev/null am -q --no-3way --no-gpg-sign \
		--committer-date-is-author-date "$2" </dev/null
}

am_all() {	# REPOSITORY; stops at the first that fails and names it
	local p out
	for p in $(patch_files); do
		out=$(am_one "$1" "$p" 2>&1) || {
			printf 'error: %s does not apply\n%s\n' "$(basename "$p")" "$out"
			return 1
		}
		git -C "$1" branch -q -f "part/$(basename "$(dirname "$p")")"
	done
}

# The parts of the series as in a repository where am_all was run, with their cover letters.
take_parts() {	# REPOSITORY
	local part dir
	for part in $(tree_git for-each-ref --format='%(refname)' 'refs/heads/part/*'); do
		tree_git update-ref -d "$part"
	done
	tree_git fetch -q "$1" '+refs/heads/part/*:refs/heads/part/*'
	for dir in $(part_folders); do
		tree_git config "branch.part/$(basename "$dir").description" \
			"$(cover_text "$dir/0000-cover-letter.patch")"
	done
	# A rebase moves them with their commits.
	tree_git config rebase.updateRefs true
}
