#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make the ext4 image that the demonstration serves (on the host, once):
#
#     tests/vm/demo-image.sh IMAGE KERNEL-SOURCE
#
# A real tree: fs/, include/linux/ and include/uapi/ of the kernel source, more than
# 5,000 files in more than 300 directories. The times are set to a fixed one and the
# owner to root, so that the image depends on the source alone.

set -eu -o pipefail

image=$1
source=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp" "$image.tmp"' EXIT

mkdir "$tmp/tree"
for dir in fs include/linux include/uapi; do
	mkdir -p "$tmp/tree/$dir"
	tar -C "$source/$dir" --owner=0 --group=0 --mtime=@1700000000 \
		--exclude='*.o' --exclude='.*.cmd' --exclude='*.a' -cf - . |
		tar -C "$tmp/tree/$dir" -xpf -
done
# Names without meaning to a compiler, but to a file system.
ln -s fs/fuse/dir.c "$tmp/tree/a-symlink"
ln "$tmp/tree/fs/fuse/dir.c" "$tmp/tree/a-hard-link"
find "$tmp/tree" -exec touch -h -d @1700000000 {} +
truncate -s 320M "$image.tmp"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$tmp" "$image.tmp"
mv "$image.tmp" "$image"
