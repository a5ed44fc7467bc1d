#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Install the Debian packages that building and testing need. Does nothing, and needs
# neither root nor network, when all are there. SKIP_PACKAGES=1 leaves that to the user.
#
#     scripts/setup-packages.sh [bench|distro]
#
# "bench" is for the charts of `make bench` too, "distro" for what runs on Debian's kernels.

. "$(dirname "$0")/lib.sh"

PACKAGES="
	build-essential bc bison flex cpio rsync kmod xz-utils perl python3 git
	libelf-dev libssl-dev zlib1g-dev libcap-dev dwarves
	clang llvm sparse pkg-config
	libfuse3-dev fuse3 libncurses-dev
	sqlite3 fio bindfs mergerfs unionfs-fuse
	qemu-system-x86 e2fsprogs xfsprogs btrfs-progs attr acl util-linux procps iproute2 man-db
	python3-ply python3-git ca-certificates debian-archive-keyring
"

case ${1:-} in
bench) PACKAGES+=" gnuplot-nox" ;;
distro) PACKAGES+=" debootstrap busybox-static cpio zstd" ;;
esac

missing() {
	local p
	for p in $PACKAGES; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed$' ||
			echo "$p"
	done
	# An early Debian 12 has the keyring but not the key of the suite we fetch from.
	[ -e /usr/share/keyrings/debian-archive-trixie-automatic.gpg ] ||
		echo debian-archive-keyring
}

install_packages() {	# PACKAGE...
	export DEBIAN_FRONTEND=noninteractive
	# A broken foreign source must not stop us; what counts is whether these install.
	apt-get -o Acquire::Retries=3 update || true
	apt-get -y -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold \
		install --no-install-recommends "$@"
}

check_machine() {
	[ "$(uname -m)" = x86_64 ] || die "only x86-64 is supported, this is $(uname -m)"
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
		die "this is no Debian system: install what '$0' lists and set SKIP_PACKAGES=1"
}

[ "${SKIP_PACKAGES:-0}" != 1 ] || exit 0
check_machine
want=$(missing | tr '\n' ' ')
[ -n "$want" ] || exit 0
[ "$(id -u)" -eq 0 ] || die "packages are missing and only root can install them: $want"
say "installing $want"
# shellcheck disable=SC2086
run_logged packages 0 install_packages $want
