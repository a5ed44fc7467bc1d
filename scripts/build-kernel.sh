#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build a kernel from the tree in the cache:
#
#     scripts/build-kernel.sh fast     kernel/config                  -> out-fast/vmlinux
#     scripts/build-kernel.sh debug    ... and kernel/config.debug    -> out-debug/vmlinux
#     scripts/build-kernel.sh module   ... and kernel/config.module   -> out-module/vmlinux
#                                                                and out-module/fs/fuse/fuse.ko
#
# The first build of the fast kernel is of the pristine base, kept as vmlinux-base for
# the tests that need a kernel without the series; the series then rebuilds only what it
# touches. Nothing runs when tree and configuration are those of the last build.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

flavour=${1:-fast}
O=$CACHE/out-$flavour
fragments=("$TOP/kernel/config")
[ "$flavour" = fast ] || fragments+=("$TOP/kernel/config.$flavour")
products=(vmlinux)
[ "$flavour" != module ] || products+=(fs/fuse/fuse.ko)

kmake() {	# O-DIRECTORY ARGUMENT...
	local dir=$1
	shift
	# LOCALVERSION set: no "+" in the release because somebody's work is not committed.
	make -C "$LINUX" O="$dir" -j"$JOBS" LOCALVERSION= "$@"
}

# The series may bring options of its own, so the configuration depends on it too.
config_key() {
	{
		tree_git rev-parse "$(tree_base)^{tree}"
		tree_git diff "$(tree_base)" -- '*Kconfig*'
		cat "${fragments[@]}"
		gcc --version
	} | sha256sum | cut -d' ' -f1
}

# Options of the fragments that the configuration does not have: an option that was
# renamed or lacks a dependency would otherwise be missed silently.
config_missing() {	# .CONFIG
	local line name
	# A later fragment overrides an earlier one, so the last word on an option counts.
	sed -nE 's/^# (CONFIG_[A-Z0-9_]+) is not set.*/\1=n/p; /^CONFIG_/p' "${fragments[@]}" |
	awk -F= '{ v[$1] = $0 } END { for (k in v) print v[k] }' | sort |
	while read -r line; do
		name=${line%%=*}
		if [ "${line#*=}" = n ]; then
			! grep -q "^$name=" "$1" || echo "$name is set"
		else
			grep -qxF -- "$line" "$1" || echo "$line is missing"
		fi
	done
}

# The configuration is kept beside the one that the build uses (see config_use).
config_make() {
	local new=$CACHE/config-$flavour missing
	rm -rf "$new"
	mkdir -p "$new" "$O"
	kmake "$new" -s tinyconfig
	( cd "$new" && "$LINUX/scripts/kconfig/merge_config.sh" -m -O "$new" \
		"$new/.config" "${fragments[@]}" )
	kmake "$new" -s olddefconfig
	missing=$(config_missing "$new/.config")
	if [ -n "$missing" ]; then
		echo "error: options that did not take: $(echo "$missing" | tr '\n' ';')"
		return 1
	fi
	mv "$new/.config" "$O/.fusepass-dotconfig"
	rm -rf "$new"
}

# Put the configuration in place when it is not there, and only then, so that nothing is
# rebuilt for a changed comment in a fragment. The base does not know the options of the
# series; they are dropped for its build.
config_use() {
	cmp -s "$O/.fusepass-dotconfig" "$O/.config" || cp "$O/.fusepass-dotconfig" "$O/.config"
	kmake "$O" -s olddefconfig
}

# FUSE is the only module that a configuration of ours has.
make_kernel() {
	config_use
	if [ "${#products[@]}" -eq 1 ]; then
		kmake "$O" vmlinux
	else
		kmake "$O" vmlinux modules
	fi
}

# Objects of another base are of no use: their times say nothing about the new source.
# A directory from before there were stamps is taken as it is.
drop_other_base() {
	local base
	base=$(tree_git rev-parse "$(tree_base)^{tree}")
	if [ -f "$O/.fusepass-base" ] && ! stamp_is "$O/.fusepass-base" "$base"; then
		say "the base of the series has changed: building $flavour anew"
		rm -rf "$O"
	fi
	mkdir -p "$O"
	stamp_set "$O/.fusepass-base" "$base"
}

# How many steps the build had last time; for a cold one of ours an estimate.
steps_expected() {	# NAME
	local last
	if [ -f "$O/vmlinux" ]; then	# only what changed
		echo 0
		return
	fi
	last=$(cat "$CACHE/steps-$1" 2>/dev/null) || last=2200
	echo "$last"
}

steps_keep() {	# NAME
	local n
	n=$(grep -cE '^ +[A-Z]+ ' "$LOGS/$1.log") || true
	[ "$n" -lt 1000 ] || echo "$n" >"$CACHE/steps-$1"
}

# The tree's content, uncommitted work included.
source_key() {
	{ tree_git rev-parse 'HEAD^{tree}'; tree_git diff HEAD; tree_untracked; } |
		sha256sum | cut -d' ' -f1
}

built_key() {	# also notices what somebody rebuilt by hand
	local p
	echo "$(source_key) $(sha256_of "$O/.fusepass-dotconfig")" \
		"$(for p in "${products[@]}"; do stat -c '%Y.%s' "$O/$p" 2>/dev/null || echo none; done | xargs)"
}

# Without the series, so the tree has to be moved to its base and back; when somebody
# works in it, an older vmlinux-base must do.
build_base() {
	local want
	want=$(cat "$O/.fusepass-base" "${fragments[@]}" | sha256sum | cut -d' ' -f1)
	if [ -f "$O/vmlinux-base" ] &&
	   { [ ! -f "$O/.fusepass-vmlinux-base" ] || [ "${TREE:-}" = asis ]; }; then
		stamp_set "$O/.fusepass-vmlinux-base" "$want"
	fi
	! stamp_is "$O/.fusepass-vmlinux-base" "$want" || [ ! -f "$O/vmlinux-base" ] || return 0
	tree_may_move || die "the base kernel has to be built from the unpatched tree"
	# An interrupted build leaves the tree at its base; 'apply' then puts the series back.
	tree_git checkout -q --detach "$(tree_base)"
	run_logged kernel-base "$(steps_expected kernel-base)" make_kernel
	steps_keep kernel-base
	cp --reflink=auto "$O/vmlinux" "$O/vmlinux-base.new"
	mv "$O/vmlinux-base.new" "$O/vmlinux-base"
	stamp_set "$O/.fusepass-vmlinux-base" "$want"
	tree_git checkout -q series
}

build() {
	local name=kernel-$flavour
	if [ -f "$O/vmlinux" ] && stamp_is "$O/.fusepass-built" "$(built_key)"; then
		return
	fi
	run_logged "$name" "$(steps_expected "$name")" make_kernel
	steps_keep "$name"
	stamp_set "$O/.fusepass-built" "$(built_key)"
}

cache_lock
drop_other_base
key=$(config_key)
if [ ! -f "$O/.fusepass-dotconfig" ] || ! stamp_is "$O/.fusepass-config" "$key"; then
	run_logged "config-$flavour" 0 config_make
	stamp_set "$O/.fusepass-config" "$key"
fi
[ "$flavour" != fast ] || build_base
build
