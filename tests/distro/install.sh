#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The packages as somebody installs them: in a fresh trixie root with Debian's kernel, then
# two boots of it (installed.sh): the first one adds a line to fstab, the second one finds
# the tree mounted with its policy, and purges everything. Before the boots, with a compiler,
# what somebody builds with the packages (develop.sh). Prints TAP.
#
# They are installed in the root before it boots, where the compiler is not emulated; that
# runs the packages' scripts all the same.

. "$(dirname "$0")/../../scripts/lib.sh"
. "$TOP/tests/lib/tap.sh"
set +e	# what fails is a test

distro=$TOP/scripts/distro.sh
fresh=$CACHE_ROOT/distro/fresh
root=$CACHE_ROOT/distro/installed
image=$BUILD/vm/install-root
kernel=$BUILD/vm/install-kernel
initrd=$BUILD/vm/install-initrd
built=$BUILD/vm/install-built

# What it takes to build with them.
DEVELOP="clang make pkg-config"

# What a purge may leave changed: what apt, dpkg and DKMS themselves keep.
list_files() {
	"$distro" in "$root" find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache \
		-o -path /var/log -o -path /tmp -o -path /run -o -path /opt -o -path /dev \) -prune \
		-o -print | LC_ALL=C sort
}

# Not part of what is tested: what runs installed.sh at each boot. The initramfs has nothing of
# the packages; to make it anew takes minutes there.
add_test_service() {
	sed -i 's/^update_initramfs=.*/update_initramfs=no/' "$root/etc/initramfs-tools/update-initramfs.conf"
	install -m 755 "$TOP/tests/distro/guest-init" "$root/opt/guest-init"
	cat >"$root/etc/systemd/system/fusepass-guest.service" <<-'UNIT'
		[Unit]
		Description=Test of the packages
		After=multi-user.target
		[Service]
		Type=simple
		ExecStart=/opt/guest-init
	UNIT
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sf ../fusepass-guest.service "$root/etc/systemd/system/multi-user.target.wants/"
}

make_root() {
	"$distro" fresh >&2 && rm -rf "$root" && cp -a --reflink=auto "$fresh" "$root" &&
		add_test_service && list_files >"$root/opt/files-before"
}

install_packages() {
	mkdir -p "$root/opt/debs"
	find "$BUILD/deb" -name '*.deb' ! -name '*-dbgsym_*' -exec cp -t "$root/opt/debs" {} + &&
		"$distro" in "$root" sh -c 'apt-get -q -y install /opt/debs/*.deb && rm -r /opt/debs'
}

make_image() {
	rm -f "$image"
	truncate -s 4G "$image" && mke2fs -q -F -t ext4 -L fusepass -d "$root" "$image"
}

take_kernel() {
	cp "$root"/boot/vmlinuz-* "$kernel" && cp "$root"/boot/initrd.img-* "$initrd"
}

# What it builds is tried in the second boot.
develop() {
	local status
	mkdir -p "$root/opt/develop" && cp "$TOP/tests/lib/tap.sh" "$TOP/tests/distro/develop.sh" "$root/opt/"
	"$distro" in "$root" sh -c 'cd /opt/develop && exec /opt/develop.sh'
	status=$?
	rm -rf "$built"
	mv "$root/opt/develop" "$built"
	return $status
}

boot() {	# STAGE SCRIPT ARGUMENT...
	local stage=$1
	shift
	adopt "$stage: " "$stage: guest ends with a clean log" env VM_NAME=install-"$stage" VM_ROOT="$image" \
		VM_INITRD="$initrd" VM_TIMEOUT="${VM_TIMEOUT:-1200}" "$TOP/tests/vm/vmtest.sh" "$kernel" "$@"
}

end() {
	rm -rf "$image" "$root"
	done_testing
}

# Without what it does nothing else can be tested.
step() {	# NAME COMMAND...
	local name=$1
	shift
	claim "$name" "$@"
	[ "$tap_failed" -eq 0 ] || end
}

cache_lock
mkdir -p "$BUILD/vm"
step root_is_there make_root
step packages_are_installed install_packages
step module_is_built_by_DKMS sh -c "ls $root/usr/lib/modules/*/updates/dkms/fusepass.ko*"
step image_is_there make_image
step kernel_is_there take_kernel
# shellcheck disable=SC2086
step compiler_is_installed "$distro" in "$root" apt-get -q -y install $DEVELOP
adopt "develop: " "develop: ends with its plan" develop
boot first "$TOP/tests/distro/installed.sh" first
boot second "$TOP/tests/distro/installed.sh" second
end
