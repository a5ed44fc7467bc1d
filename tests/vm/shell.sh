#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A prompt in the guest, with a tree to work on: /mnt/demo/disk/tree is what the demonstration
# serves, and /mnt/demo/mnt the same through fusepass, with the policy `mirror`; disk/src,
# tree.rules and the empty directory src are those of README.md. Run by `make shell`; it ends
# with the shell. VM_TERMINAL of tests/vm/vmtest.sh gives it the terminal.

set -u

work=/mnt/demo
image=$FUSEPASS_TOP/build/tests/demo.img
terminal=/dev/hvc0

mkdir -p "$work/disk" "$work/mnt"
if ! dd if="$image" of=/dev/vda bs=4M conv=sparse status=none ||
   ! mount -t ext4 /dev/vda "$work/disk" ||
   ! "$FUSEPASS_TOP/tests/vm/source-tree.sh" "$work/disk/src" "$work/tree.rules" ||
   ! mkdir "$work/src" ||
   ! fusepass mount --policy mirror "$work/disk/tree" "$work/mnt"; then
	echo "shell: nothing to show"
	exit 1
fi
cd "$work" || exit 1
export PS1='guest:\w\$ ' TERM=${TERM:-vt100} HOME=/tmp/home
# Lines are as long as those of the terminal outside.
[ -z "${COLUMNS:-}" ] || stty cols "$COLUMNS" rows "${LINES:-24}" <$terminal
printf '%s\r\n' "$(uname -sr): $work/mnt shows $work/disk/tree" "" >$terminal
setsid --ctty --wait bash --norc -i <$terminal >$terminal 2>&1
cd /
umount -q "$work/src"
umount "$work/mnt" "$work/disk"
