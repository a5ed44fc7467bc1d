#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build the Debian packages in the trixie root of scripts/distro.sh and put them into
# build/deb/: fusepass, libfusepass0, libfusepass-dev and fusepass-dkms. What lintian finds
# in them is an error. Nothing is done when they are those of this source.

. "$(dirname "$0")/lib.sh"

OUT=$BUILD/deb
WORK=/usr/src/fusepass-deb
DISTRO_ROOT=$CACHE_ROOT/distro/root
FILES=(Makefile README.md vmlinux.h bash-completion bpf include man packaging scripts/lib.sh
	user tests/Makefile.inc)

# The last commit's date: the same source gives the same packages.
changelog() {
	local who date
	who=$(sed -n 's/^Maintainer: //p' "$TOP/packaging/debian/control")
	date=$(git -C "$TOP" log -1 --format=%aD 2>/dev/null || date -R -r "$TOP/Makefile")
	printf 'fusepass (%s) unstable; urgency=medium\n\n  * Built from source.\n\n -- %s  %s\n' \
		"$(fusepass_version)" "$who" "$date"
}

# What the packages are made of, as one folder.
lay_out() {	# DIR MODULE-SOURCE
	rm -rf "$1"
	mkdir -p "$1"
	tar -c -C "$TOP" --exclude='*.o' --exclude='*.d' "${FILES[@]}" | tar -x -C "$1"
	mv "$1/packaging/debian" "$1/debian"
	cp -r "$2" "$1/dkms"
	changelog >"$1/debian/changelog"
}

source_key() {	# DIR
	( cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum ) |
		sha256sum | cut -d' ' -f1
}

in_root() {	# SHELL-COMMANDS
	"$TOP/scripts/distro.sh" run sh -ec "$1"
}

build() {	# DIR
	local root=$DISTRO_ROOT$WORK
	rm -rf "$root"
	mkdir -p "$root"
	cp -r "$1" "$root/fusepass-$(fusepass_version)"
	in_root "cd $WORK/fusepass-$(fusepass_version) && dpkg-buildpackage -b -us -uc"
	in_root "cd $WORK && lintian --fail-on error,warning --info *.changes"
	rm -rf "$OUT.new"
	mkdir -p "$OUT.new"
	cp "$root"/*.deb "$OUT.new/"
	rm -rf "$root" "$OUT"
	mv "$OUT.new" "$OUT"
}

cache_lock
"$TOP/scripts/distro.sh" root
module=$("$TOP/scripts/dkms.sh")
source=$BUILD/deb-source
lay_out "$source" "$module"
key=$(source_key "$source")
if [ ! -d "$OUT" ] || ! stamp_is "$OUT/.stamp" "$key"; then
	run_logged deb 0 build "$source"
	stamp_set "$OUT/.stamp" "$key"
fi
