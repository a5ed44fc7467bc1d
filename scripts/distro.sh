#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's own kernels, and a Debian root to build for them in:
#
#     scripts/distro.sh root             a trixie root with their headers and a compiler
#     scripts/distro.sh boot [BRANCH]    ... and for one of them fusepass.ko and an initrd
#     scripts/distro.sh guest SCRIPT [ARGUMENT...]   ... boot it and run a script there
#     scripts/distro.sh fresh            a root as somebody's machine has it, to install in
#     scripts/distro.sh path [BRANCH]    print the folder of that kernel, and do nothing
#     scripts/distro.sh run COMMAND...   run a command in the root
#     scripts/distro.sh in DIR COMMAND...   or in another one, such as a copy of fresh/
#
# All of it is in $CACHE_ROOT/distro:
#
#     debs/               every package that was downloaded, for the next time
#     root/               suite trixie, with what builds modules and packages
#     fresh/              suite trixie, with systemd, that kernel, its headers and DKMS
#     kernels/VERSION/    vmlinuz, fusepass.ko, initrd, and all modules (usr/lib/modules/)
#
# BRANCH is that of the series if none is given.
#
# The kernels are the newest ones of the branches below in trixie-backports; which ones is
# decided when the root is made and kept until DISTRO_REFRESH=1. Their headers need the
# glibc of their own suite, so that modules are built in the root and nowhere else.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

DISTRO=$CACHE_ROOT/distro
ROOT=$DISTRO/root
DEBS=$DISTRO/debs
KERNELS=$DISTRO/kernels
SUITE=trixie
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# What the module is made for: the branch of the series, and another.
BRANCHES="$(base_get branch) 7.2"

PACKAGES="build-essential bc kmod xz-utils dkms dh-dkms debhelper lintian fakeroot pkg-config
	clang llvm libelf-dev zlib1g-dev libfuse3-dev libbpf-dev libncurses-dev"

# A mount namespace of its own: nothing of it is left when the command ends, however it ends.
in_root() {	# COMMAND...
	unshare --mount --pid --fork --kill-child bash -c '
		set -e
		root=$1 debs=$2
		shift 2
		mount --make-rprivate /
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mkdir -p "$root/var/cache/apt/archives"
		mount --bind "$debs" "$root/var/cache/apt/archives"
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root TERM=dumb \
			DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"' -- "$ROOT" "$DEBS" "$@"
}

apt_in_root() {	# ARGUMENT...
	in_root apt-get -q -y -o Acquire::Retries=3 "$@"
}

# The same in another root.
in_other() {	# ROOT COMMAND...
	local ROOT=$1
	shift
	"$@"
}

# As this machine's own apt reaches its mirror, so does the root's.
root_sources() {	# MIRROR
	local s
	for s in $SUITE $SUITE-backports; do
		printf 'deb [signed-by=%s] %s %s main\n' $KEYRING "$1" $s
	done >"$ROOT/etc/apt/sources.list"
	{
		apt-config dump Acquire | grep -i proxy || true
		echo 'APT::Keep-Downloaded-Packages "true";'
		echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";'
		echo 'APT::Sandbox::User "root";'
		echo 'APT::Install-Recommends "false";'
		echo 'Acquire::Languages "none";'
	} >"$ROOT/etc/apt/apt.conf.d/00fusepass"
	rm -f "$ROOT/etc/apt/apt.conf.d/docker-clean"
	cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
}

# The newest kernel of a branch for which the suite has both image and headers.
newest_kernel() {	# BRANCH
	local re="^linux-(image|headers)-${1//./\\.}\\.[0-9]+\\+deb[0-9]+-amd64\$"
	in_root apt-cache pkgnames linux- | sed -nE "/$re/s/^linux-[a-z]+-//p" | sort -V |
		uniq -d | tail -n 1
}

pick_kernels() {
	local branch version
	: >"$ROOT/kernels"
	for branch in $BRANCHES; do
		version=$(newest_kernel "$branch")
		[ -n "$version" ] || { echo "error: no $branch kernel in $SUITE-backports"; return 1; }
		echo "$branch $version" >>"$ROOT/kernels"
	done
}

# An image is only unpacked: nothing in the root is to be booted.
unpack_image() {	# VERSION
	local dir=$KERNELS/$1 part deb
	rm -rf "$dir.new" "$dir"
	mkdir -p "$dir.new"
	apt_in_root --download-only install "linux-image-$1"
	for part in image base binary modules; do
		deb=$(find "$DEBS" -name "linux-$part-$1_*.deb" | sort -V | tail -n 1)
		[ -z "$deb" ] || dpkg-deb -x "$deb" "$dir.new"
	done
	cp "$(find "$dir.new" -name 'vmlinuz*' -type f -print -quit)" "$dir.new/kernel"
	mv "$dir.new/kernel" "$dir.new/vmlinuz"
	depmod -b "$dir.new/usr" "$1"
	mv "$dir.new" "$dir"
}

get_kernel() {	# VERSION
	apt_in_root install "linux-base/$SUITE-backports" "linux-headers-$1"
	unpack_image "$1"
}

step_kernel() {	# VERSION
	if [ ! -d "$KERNELS/$1" ] || [ ! -d "$ROOT/usr/src/linux-headers-$1" ]; then
		run_logged "distro-kernel-$1" 30 get_kernel "$1"
	fi
}

# A minimal root in $ROOT.
bootstrap() {	# PACKAGE,...
	local mirror
	mirror=$("$TOP/scripts/fetch-kernel.sh" --mirror)
	[ -n "$mirror" ] || { echo "error: no Debian mirror in this machine's apt sources"; return 1; }
	rm -rf "$ROOT"
	mkdir -p "$ROOT" "$DEBS/partial" "$KERNELS"
	debootstrap --variant=minbase --keyring=$KEYRING --cache-dir="$DEBS" \
		--include="ca-certificates,debian-archive-keyring$1" $SUITE "$ROOT" "$mirror"
	root_sources "$mirror"
	apt_in_root update
}

make_root() {
	bootstrap ""
	# shellcheck disable=SC2086
	apt_in_root install $PACKAGES
	pick_kernels
}

# The initramfs has what a virtual machine needs, else half of it is drivers.
make_fresh() {	# VERSION
	bootstrap ,systemd-sysv,udev,kmod,initramfs-tools
	mkdir -p "$ROOT/etc/initramfs-tools/conf.d"
	echo MODULES=list >"$ROOT/etc/initramfs-tools/conf.d/fusepass"
	printf '%s\n' virtio_pci virtio_blk ext4 >"$ROOT/etc/initramfs-tools/modules"
	apt_in_root install "linux-base/$SUITE-backports" "linux-image-$1" "linux-headers-$1" dkms
}

# The version of a branch's kernel; empty before there is a root.
kernel_of() {	# BRANCH
	awk -v b="$1" '$1 == b { print $2 }' "$ROOT/kernels" 2>/dev/null
}

# As DKMS does it: a copy of the source, and the headers of that kernel.
make_module() {	# VERSION SOURCE
	local build=/usr/src/fusepass-build
	rm -rf "$ROOT$build"
	cp -r "$2" "$ROOT$build"
	in_root make -j"$JOBS" -C "/usr/src/linux-headers-$1" M=$build modules
	in_root strip -g $build/fusepass.ko
	mv "$ROOT$build/fusepass.ko" "$KERNELS/$1/fusepass.ko"
	rm -rf "$ROOT$build"
}

step_module() {	# VERSION
	local source key
	source=$("$TOP/scripts/dkms.sh")
	key=$(cd "$source" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
	if [ ! -f "$KERNELS/$1/fusepass.ko" ] || ! stamp_is "$KERNELS/$1/.module" "$key"; then
		run_logged "distro-module-$1" 27 make_module "$1" "$source"
		stamp_set "$KERNELS/$1/.module" "$key"
	fi
}

# Modules that the guest needs, each after those that it needs itself, unpacked.
INITRD_MODULES="virtio_pci virtio_console virtio_blk virtio-rng 9pnet_virtio 9p loop
	ext4 xfs btrfs overlay quota_v2"

initrd_modules() {	# VERSION FOLDER
	local modules=$KERNELS/$1/usr/lib/modules/$1 m line file
	for m in $INITRD_MODULES; do
		! grep -q "/$m\.ko$" "$modules/modules.builtin" || continue
		line=$(grep -E "/$m\.ko[.a-z]*:" "$modules/modules.dep") ||
			{ echo "error: $1 has no module $m"; return 1; }
		for file in $(echo "${line#*:}" | xargs -n1 | tac) "${line%%:*}"; do
			[ ! -e "$2/$(basename "${file%.xz}")" ] || continue
			xz -dc "$modules/$file" >"$2/$(basename "${file%.xz}")"
			basename "${file%.xz}" >>"$2/list"
		done
	done
	cp "$KERNELS/$1/fusepass.ko" "$2/"
	echo fusepass.ko >>"$2/list"
}

make_initrd() {	# VERSION
	local dir=$KERNELS/$1/initrd.d
	rm -rf "$dir"
	mkdir -p "$dir"/{bin,proc,sys,dev,sysroot,modules}
	initrd_modules "$1" "$dir/modules"
	cp "$(command -v busybox)" "$dir/bin/busybox"
	cp "$TOP/tests/distro/initrd-init" "$dir/init"
	( cd "$dir" && find . | LC_ALL=C sort | cpio -o -H newc --quiet ) | zstd -q -3 >"$KERNELS/$1/initrd.new"
	mv "$KERNELS/$1/initrd.new" "$KERNELS/$1/initrd"
	rm -rf "$dir"
}

step_boot() {	# VERSION
	local key
	step_kernel "$1"
	step_module "$1"
	key=$( { echo "$INITRD_MODULES"; sha256sum <"$KERNELS/$1/fusepass.ko"
		 cat "$TOP/tests/distro/initrd-init"; } | sha256sum)
	if [ ! -f "$KERNELS/$1/initrd" ] || ! stamp_is "$KERNELS/$1/.initrd" "$key"; then
		run_logged "distro-initrd-$1" 0 make_initrd "$1"
		stamp_set "$KERNELS/$1/.initrd" "$key"
	fi
}

root_key() {
	echo "$SUITE $BRANCHES $PACKAGES" | sha256sum | cut -d' ' -f1
}

step_root() {
	local key
	key=$(root_key)
	if [ "${DISTRO_REFRESH:-0}" != 1 ] && stamp_is "$ROOT/.fusepass" "$key"; then
		return
	fi
	"$TOP/scripts/setup-packages.sh" distro
	[ "$(id -u)" -eq 0 ] || die "only root can make a Debian root (debootstrap)"
	run_logged distro-root 500 make_root
	stamp_set "$ROOT/.fusepass" "$key"
}

step_fresh() {	# VERSION
	local key="$SUITE $1"
	stamp_is "$DISTRO/fresh/.fusepass" "$key" ||
		in_other "$DISTRO/fresh" run_logged distro-fresh 500 make_fresh "$1"
	stamp_set "$DISTRO/fresh/.fusepass" "$key"
}

case ${1:-} in
boot|path|fresh) branch=${2:-$(base_get branch)} ;;
*) branch=$(base_get branch) ;;
esac
if [ "${1:-}" = path ]; then
	echo "$KERNELS/$(kernel_of "$branch")"
	exit
fi
cache_lock
step_root
case ${1:-} in
root) ;;
fresh) step_fresh "$(kernel_of "$branch")" ;;
run) shift; in_root "$@" ;;
in) shift; in_other "$1" in_root "${@:2}" ;;
boot) step_boot "$(kernel_of "$branch")" ;;
guest)
	version=$(kernel_of "$branch")
	step_boot "$version"
	flock -u 9 2>/dev/null || true	# others may build while it runs
	VM_INITRD=$KERNELS/$version/initrd exec "$TOP/tests/vm/vmtest.sh" "$KERNELS/$version/vmlinuz" "${@:2}" ;;
*) die "distro: no such step: ${1:-}" ;;
esac
