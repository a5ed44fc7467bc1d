#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Remove what the builds left in the cache. The kernel tree is only removed when nothing
# in it is anybody's work; downloads stay, they are verified whenever they are used.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

cache_lock
if [ -d "$LINUX/.git" ]; then
	tree_may_move || exit 1
fi
rm -rf "$CACHE/out-fast" "$CACHE/out-debug" "$CACHE/out-module" "$CACHE/series-check" "$TOOLS" \
	"$CACHE"/tools-build "$CACHE"/tools-stage "$CACHE"/config-* "$CACHE"/series.tmp
rm -rf "$CACHE_ROOT"/distro/{root,fresh,installed,kernels}	# packages stay: they are downloads
rm -rf "$LINUX" "$CACHE/linux.new" "$CACHE/linux.old"
