#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scripts/fetch-kernel.sh takes the pinned source and no other, and copies a tree of the
# user's own without changing it. The kernel here is a few files, and apt a stand-in that
# serves one package.

. "$(dirname "$0")/lib.sh"

make_checkout
cache=$work/cache/fusepass
package=linux-source-9.9
deb=${package}_9.9.1-1_all.deb
mkdir -p "$cache" "$work/bin" "$work/served"
export APT_ETC=$work/etc PATH=$work/bin:$PATH

make_source() {	# DIRECTORY
	mkdir -p "$1/fs"
	printf '%s\n' 'kernelversion:' '	@echo 9.9.1' 'mrproper:' '	@rm -f .config fs/*.o' \
		>"$1/Makefile"
	echo 'int x;' >"$1/fs/x.c"
	echo '#!/bin/sh' >"$1/run.sh"
	chmod 755 "$1/run.sh"
	ln -s fs "$1/link"
}

make_deb() {	# its files: $work/served/$deb
	local dir=$work/package
	mkdir -p "$dir/DEBIAN" "$dir/usr/src"
	make_source "$work/$package"
	tar -C "$work" -cJf "$dir/usr/src/$package.tar.xz" "$package"
	printf '%s\n' "Package: $package" 'Version: 9.9.1-1' 'Architecture: all' \
		'Maintainer: nobody <nobody@example.org>' 'Description: a few files' >"$dir/DEBIAN/control"
	dpkg-deb -b --root-owner-group "$dir" "$work/served/$deb"
}

# The stand-in for apt.
make_apt() {
	mkdir -p "$APT_ETC"
	echo 'deb http://apt.example.org/debian trixie main' >"$APT_ETC/sources.list"
	cat >"$work/bin/apt-get" <<-END
		#!/bin/sh
		case "\$*" in *" download "*) cp "$work/served/$deb" . ;; esac
	END
	cat >"$work/bin/apt-cache" <<-END
		#!/bin/sh
		echo "$package | 9.9.1-1 | a suite"
	END
	chmod 755 "$work"/bin/*
}

hash_of() {	# FILE
	sha256sum "$1" | cut -d' ' -f1
}

tree_of() {	# DIRECTORY: the id that git gives its files
	(
		cd "$1" && git init -q "$work/id" && git --git-dir="$work/id/.git" --work-tree=. add -f -A &&
			git --git-dir="$work/id/.git" write-tree
	)
}

pin() {	# KEY VALUE
	sed -i "s/^$1=.*/$1=$2/" "$work/top/kernel/base"
}

pin_all() {
	printf '%s\n' branch=9.9 version=9.9.1 "package=$package" package_version=9.9.1-1 suite=trixie \
		deb_sha256= "tarball=usr/src/$package.tar.xz" tarball_sha256= tree= >"$work/top/kernel/base"
	pin deb_sha256 "$(hash_of "$work/served/$deb")"
	pin tarball_sha256 "$(hash_of "$work/package/usr/src/$package.tar.xz")"
	pin tree "$(tree_of "$work/$package")"
}

fetch=$work/top/scripts/fetch-kernel.sh
wrong=0000000000000000000000000000000000000000000000000000000000000000

refused() {	# WHY
	fails_with "fusepass: kernel-source failed: fusepass: $1 (log: build/log/kernel-source.log)" \
		"$fetch" && [ ! -e "$cache/linux" ]
}

pinned_source_is_taken() {
	run_quietly "$fetch" && [ ! -s "$work/err" ] &&
		diff -r --no-dereference --exclude=.git "$work/$package" "$cache/linux" &&
		[ "$(git -C "$cache/linux" rev-parse 'base-9.9.1^{tree}')" = "$(tree_of "$work/$package")" ]
}

second_run_does_nothing() {
	local before
	before=$(all_of "$cache/linux")
	run_quietly "$fetch" && [ ! -s "$work/said" ] && [ ! -s "$work/err" ] &&
		[ "$(all_of "$cache/linux")" = "$before" ]
}

work_in_the_tree_is_not_lost() {
	echo 'int y;' >>"$cache/linux/fs/x.c"
	pin deb_sha256 "$wrong"
	pin tree "$wrong"
	! run_quietly "$fetch" && grep -q 'uncommitted changes' "$work/err" &&
		[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q 'int y' "$cache/linux/fs/x.c"
}

# Everything about a tree, times of change included.
all_of() {	# DIRECTORY
	find "$1" -printf '%P %y %m %s %l %T@ %C@\n' | LC_ALL=C sort
	find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

own_linux() {
	echo "$cache"/own-*/linux
}

own_tree_is_copied_and_stays() {	# FILE THAT IS NOT COPIED
	local before
	rm -rf "$cache"/own-*
	before=$(all_of "$work/own")
	KERNEL_SRC=$work/own run_quietly "$fetch" || return
	[ "$(all_of "$work/own")" = "$before" ] || { echo "it has changed"; return 1; }
	diff -r --no-dereference --exclude=.git --exclude="$1" "$work/own" "$(own_linux)" &&
		[ -e "$work/own/$1" ] && [ ! -e "$(own_linux)/$1" ] &&
		[ "$(git -C "$(own_linux)" describe --tags)" = base-9.9.1 ]
}

own_tree_is_copied_once() {
	KERNEL_SRC=$work/own run_quietly "$fetch" && [ ! -s "$work/said" ]
}

changed_own_tree_is_copied_again() {
	echo 'int z;' >>"$work/own/fs/x.c"
	KERNEL_SRC=$work/own run_quietly "$fetch" && grep -q 'int z' "$(own_linux)/fs/x.c"
}

own_tree_of_git() {
	git init -q "$work/own" && git -C "$work/own" add Makefile fs link run.sh &&
		git -C "$work/own" -c user.name=a -c user.email=a@b commit -qm all &&
		echo new >"$work/own/untracked"
}

claim package_is_made make_deb
make_apt
pin_all

pin deb_sha256 $wrong
claim package_of_another_hash_is_refused refused "$deb is not the pinned file (sha256 differs)"
claim_not refused_package_is_not_kept test -e "$cache/$deb"
pin_all
pin tarball_sha256 $wrong
claim tarball_of_another_hash_is_refused refused "usr/src/$package.tar.xz is not the pinned file (sha256 differs)"
pin_all
pin tree $wrong
claim other_tree_is_refused refused 'the unpacked source is not the tree that kernel/base names'
echo junk >>"$cache/$deb"
rm "$APT_ETC/sources.list"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/apt-get"
pin_all
claim damaged_package_without_a_mirror_is_refused refused \
	"apt's sources name no Debian mirror; use KERNEL_SRC=DIR"
make_apt
claim pinned_source_is_taken_in_its_place pinned_source_is_taken
claim second_run_does_nothing second_run_does_nothing
claim work_in_the_tree_is_not_lost work_in_the_tree_is_not_lost
pin_all

make_source "$work/own"
touch "$work/own/.config"
claim own_tree_is_copied_and_stays own_tree_is_copied_and_stays .config
claim own_tree_is_copied_once own_tree_is_copied_once
claim changed_own_tree_is_copied_again changed_own_tree_is_copied_again
rm "$work/own/.config"
claim own_tree_gets_a_repository own_tree_of_git
claim own_tree_of_git_is_copied_and_stays own_tree_is_copied_and_stays untracked
done_testing
