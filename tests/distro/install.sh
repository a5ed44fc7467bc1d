#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The packages as somebody installs them: in a fresh trixie root with Debian's kernel, then
# two boots of it (installed.sh): the first one adds a line to fstab, the second one finds
# the tree mounted with its policy, and purges everything. Prints TAP.
#
# They are installed in the root before it boots, where the compiler is not emulated; that
# runs the packages' scripts all the same.

. "$(dirname "$0")/../../scripts/lib.sh"

distro=$TOP/scripts/distro.sh
fresh=$CACHE_ROOT/distro/fresh
root=$CACHE_ROOT/distro/installed
image=$BUILD/vm/install-root
log=$LOGS/install.log
n=0
bad=0

result() {	# NAME STATUS
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		bad=1
	fi
}

finish() {
	rm -f "$image"
	echo "1..$n"
	exit $bad
}

# What a purge may leave changed: what apt, dpkg and DKMS themselves keep.
list_files() {	# ROOT
	"$distro" in "$1" find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache \
		-o -path /var/log -o -path /tmp -o -path /run -o -path /opt -o -path /dev \) -prune \
		-o -print | LC_ALL=C sort
}

install_packages() {
	mkdir -p "$root/opt/debs"
	find "$BUILD/deb" -name '*.deb' ! -name '*-dbgsym_*' -exec cp -t "$root/opt/debs" {} +
	"$distro" in "$root" sh -c 'apt-get -q -y install /opt/debs/*.deb && rm -r /opt/debs'
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

make_image() {
	rm -f "$image"
	mkdir -p "$(dirname "$image")"
	truncate -s 4G "$image"
	mke2fs -q -F -t ext4 -L fusepass -d "$root" "$image"
}

# Its tests go on with our numbers.
boot() {	# STAGE
	local status=0 out=$BUILD/vm/install-$1.tap
	VM_NAME=install-$1 VM_ROOT=$image VM_INITRD=$initrd VM_TIMEOUT=${VM_TIMEOUT:-1200} \
		"$TOP/tests/vm/vmtest.sh" "$kernel" "$TOP/tests/distro/installed.sh" "$1" >"$out" || status=$?
	while IFS= read -r line; do
		case $line in
		ok\ *) result "$1: ${line#ok * - }" 0 ;;
		not\ ok\ *) result "$1: ${line#not ok * - }" 1 ;;
		1..*) ;;
		*) echo "$line" ;;
		esac
	done < <(tr -d '\r' <"$out")
	grep -q '^1\.\.' "$out" || status=1
	result "$1: guest ends with a clean log" "$status"
}

cache_lock
"$distro" fresh >&2
rm -rf "$root"
cp -a --reflink=auto "$fresh" "$root"
add_test_service
list_files "$root" >"$root/opt/files-before"
status=0
install_packages >"$log" 2>&1 </dev/null || status=$?
result "packages are installed" "$status"
[ "$status" -eq 0 ] || { sed 's/^/# /' "$log" | tail -n 20; finish; }
ls "$root"/usr/lib/modules/*/updates/dkms/fusepass.ko* >/dev/null 2>&1 || status=1
result "DKMS has built the module" "$status"
kernel=$BUILD/vm/install-kernel
initrd=$BUILD/vm/install-initrd
cp "$(find "$root/boot" -name 'vmlinuz-*' | head -n 1)" "$kernel"
cp "$(find "$root/boot" -name 'initrd.img-*' | head -n 1)" "$initrd"
make_image
rm -rf "$root"
boot first
boot second
finish
