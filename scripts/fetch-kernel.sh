#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Put the pristine kernel source into the cache as a git tree: $CACHE/linux, with the
# source as one commit tagged base-<version>. kernel/base says which source.
#
# It comes as a Debian package from the mirror that this machine already uses, through
# a private apt state, so that neither the machine's sources nor its package lists
# change. With KERNEL_SRC=DIR the user's own tree is copied instead.
#
#     scripts/fetch-kernel.sh             (--mirror: only print which mirror it would use)

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

APT=$CACHE_ROOT/apt
APT_ETC=${APT_ETC:-/etc/apt}	# for the test of mirror_find
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Where another point release may be found, nearest first.
SUITES="trixie-backports trixie-backports-sloppy trixie trixie-updates
	forky-backports forky sid experimental"

# The URI that this machine's own sources give for Debian's main archive: the first
# one whose components have "main" and whose suite is no security suite.
mirror_uris() {
	local f
	for f in "$APT_ETC/sources.list" "$APT_ETC"/sources.list.d/*.list; do
		[ ! -f "$f" ] || sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) +([^ ]+) +(.*)$/\2 \3 \4/p' "$f"
	done
	for f in "$APT_ETC"/sources.list.d/*.sources; do
		[ ! -f "$f" ] || awk -v RS= -F '\n' '
			{ uris = suites = comps = ""; types = "deb"; off = 0
			  for (i = 1; i <= NF; i++) {
				k = tolower($i); sub(/:.*/, "", k); v = $i; sub(/^[^:]*: */, "", v)
				if (k == "uris") uris = v
				else if (k == "suites") suites = v
				else if (k == "components") comps = v
				else if (k == "types") types = v
				else if (k == "enabled" && v ~ /^no/) off = 1
			  }
			  split(uris, u, " "); split(suites, s, " ")
			  if (!off && u[1] && types ~ /(^| )deb( |$)/) print u[1], s[1], comps }' "$f"
	done
}

mirror_find() {
	mirror_uris | awk '$2 !~ /security/ && $1 !~ /security/ && $1 !~ /^cdrom/ &&
		$2 ~ /^(bookworm|trixie|bullseye|forky|sid|stable|oldstable|testing|unstable)/ &&
		/ main( |$)/ { print $1; exit }' | sed 's,/*$,,'
}

# Ours alone: own lists, own archive cache, own sources.
apt_private() {	# COMMAND ARGUMENT...
	local cmd=$1
	shift
	"$cmd" -q -o Dir::State::lists="$APT/lists" -o Dir::Cache="$APT/cache" \
		-o Dir::Etc::sourcelist="$APT/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Sandbox::User=root \
		-o APT::Get::List-Cleanup=false "$@"
}

apt_use_suite() {	# MIRROR SUITE
	mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"
	printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$1" "$2" >"$APT/sources.list"
	rm -rf "$APT/cache"/*.bin
	apt_private apt-get update
}

# Versions of the package in the suite just updated, newest first.
apt_versions() {
	apt_private apt-cache madison "$(base_get package)" | awk -F' *[|] *' '{ print $2 }' |
		sort -rVu
}

apt_download() {	# VERSION: the file's path goes to $deb
	local tmp=$CACHE_ROOT/download.$$
	rm -rf "$CACHE_ROOT"/download.*
	mkdir -p "$tmp"
	( cd "$tmp" && apt_private apt-get download "$(base_get package)=$1" ) || return 1
	deb=$CACHE_ROOT/$(basename "$tmp"/*.deb | sed 's/%3a/:/g')
	mv "$tmp"/*.deb "$deb"
	rmdir "$tmp"
}

# The pinned package, if the cache or its suite has it. apt itself checks what it loads
# against the signed lists; the pinned hash holds the exact file on top of that.
deb_pinned() {	# MIRROR (may be empty)
	local want version
	want=$(base_get deb_sha256)
	version=$(base_get package_version)
	deb=$CACHE_ROOT/$(base_get package)_${version}_all.deb
	[ -f "$deb" ] && [ "$(sha256_of "$deb")" = "$want" ] && return
	apt_use_suite "$1" "$(base_get suite)" || return 1
	apt_versions | grep -qxF "$version" || return 1
	apt_download "$version" || return 1
	[ "$(sha256_of "$deb")" = "$want" ] && return
	rm -f "$deb"
	die "$(basename "$deb") is not the pinned file (sha256 differs)"
}

deb_other() {	# MIRROR
	local suite version
	for suite in $SUITES; do
		apt_use_suite "$1" "$suite" || continue
		for version in $(apt_versions); do
			case $version in "$(base_get branch)".[0-9]*) ;; *) continue ;; esac
			say "notice: $(base_get package_version) is gone, taking $version from $suite"
			apt_download "$version" && return
		done
	done
	return 1
}

# Unpack the source tarball of $deb into DIR.
unpack_deb() {	# DIR PINNED
	local tar=$CACHE_ROOT/unpack.$$.tar.xz
	rm -f "$CACHE_ROOT"/unpack.*
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./$(base_get tarball)" >"$tar"
	if [ "$2" = 1 ] && [ "$(sha256_of "$tar")" != "$(base_get tarball_sha256)" ]; then
		die "$(base_get tarball) is not the pinned file (sha256 differs)"
	fi
	# The checkpoints are for the progress line: one about every 50 MB.
	tar -xf "$tar" -C "$1" --strip-components=1 \
		--checkpoint=5000 --checkpoint-action=echo='Unpacking record %u'
	rm -f "$tar"
}

# The files of the user's own tree as they are now, without what git does not track.
copy_own() {	# DIR
	if git -C "$KERNEL_SRC" rev-parse --git-dir >/dev/null 2>&1; then
		( cd "$KERNEL_SRC" && git ls-files -z | tar -c --null -T - ) | tar -x -C "$1"
	else
		tar -c -C "$KERNEL_SRC" --exclude=.git . | tar -x -C "$1"
		make -s -C "$1" mrproper
	fi
}

own_id() {
	if git -C "$KERNEL_SRC" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$KERNEL_SRC" rev-parse HEAD
		git -C "$KERNEL_SRC" diff HEAD
	else
		( cd "$KERNEL_SRC" && find . -type f -printf '%P %s %T@\n' | sort )
	fi | sha256sum | cut -c1-16
}

kernel_version() {	# DIR
	make -s -C "$1" kernelversion
}

# One commit, with nothing in it of who made it where and when.
commit_base() {	# DIR VERSION
	local git=(git -C "$1" -c core.autocrlf=false -c gc.auto=0 -c core.looseCompression=1
		   -c user.name=fusepass -c user.email=fusepass@invalid -c core.hooksPath=/dev/null)
	echo "Unpacking done, now making it a git tree"
	git init -q -b base "$1"
	"${git[@]}" config gc.auto 0
	"${git[@]}" add -f -A
	GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' \
		"${git[@]}" commit -q --no-verify --no-gpg-sign -m "Linux $2, as distributed"
	"${git[@]}" tag "base-$2"
	"${git[@]}" checkout -q -b series
	"${git[@]}" rev-parse HEAD >"$1/.git/fusepass-applied"
}

# Everything is made beside the final place and renamed into it.
make_tree() {
	local new=$CACHE/linux.new version pinned=0
	rm -rf "$new"
	mkdir -p "$new"
	if [ -n "${KERNEL_SRC:-}" ]; then
		copy_own "$new"
	else
		local mirror
		mirror=$(mirror_find)
		if deb_pinned "$mirror"; then
			pinned=1
		else
			[ -n "$mirror" ] || die "apt's sources name no Debian mirror; use KERNEL_SRC=DIR"
			deb_other "$mirror" ||
				die "no $(base_get package) on $mirror; use KERNEL_SRC=DIR"
		fi
		unpack_deb "$new" "$pinned"
	fi
	version=$(kernel_version "$new")
	case $version in
	"$(base_get branch)"*) ;;
	*) say "notice: this is Linux $version; the series is made for $(base_get branch)" ;;
	esac
	commit_base "$new" "$version"
	if [ "$pinned" = 1 ] &&
	   [ "$(git -C "$new" rev-parse 'HEAD^{tree}')" != "$(base_get tree)" ]; then
		die "the unpacked source is not the tree that kernel/base names"
	fi
	# What the series was applied to is what the old tree's builds were made of.
	[ ! -d "$LINUX" ] || mv "$LINUX" "$CACHE/linux.old"
	mv "$new" "$LINUX"
	rm -rf "$CACHE/linux.old"
	stamp_set "$LINUX/.git/fusepass-source" "$want"
}

# A tree that holds the pinned source is recognised by its content, whoever made it.
tree_is_pinned() {
	[ -z "${KERNEL_SRC:-}" ] && [ -d "$LINUX/.git" ] &&
		[ "$(tree_git rev-parse -q --verify "base-$(base_get version)^{tree}")" = "$(base_get tree)" ]
}

if [ "${1:-}" = --mirror ]; then
	mirror_find
	exit
fi
if [ -n "${KERNEL_SRC:-}" ]; then
	want="own $(own_id)"
else
	want="deb $(base_get deb_sha256)"
fi
cache_lock
rm -rf "$CACHE/linux.new"
# Interrupted between the two renames: the old tree is still the tree.
[ -d "$LINUX" ] || [ ! -d "$CACHE/linux.old" ] || mv "$CACHE/linux.old" "$LINUX"
if [ -d "$LINUX/.git" ]; then
	stamp_is "$LINUX/.git/fusepass-source" "$want" && exit 0
	if tree_is_pinned; then
		stamp_set "$LINUX/.git/fusepass-source" "$want"
		exit 0
	fi
	tree_may_move || exit 1
fi
run_logged kernel-source 38 make_tree
