#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make the source of the module fusepass.ko, which runs beside the kernel's own fuse:
#
#     scripts/dkms.sh [DIR]           default build/dkms/fusepass-VERSION; prints the folder
#
# It is fs/fuse of the patched kernel tree under names of its own, with packaging/dkms.
# Nothing of it is edited by hand. A change below that finds nothing to change is an
# error: the series has moved, and the module would get in the way of the built-in fuse.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

HERE=$TOP/packaging/dkms
BRANCHES="7.2 $(base_get branch)"

# Branch `series`, wherever the head is just now; with TREE=asis what lies in the tree.
take_source() {	# DIR
	local paths=(fs/fuse include/uapi/linux/fuse.h)
	if [ "${TREE:-}" = asis ]; then
		( cd "$LINUX" && git ls-files -z "${paths[@]}" | tar -c --null -T - )
	else
		tree_git archive series -- "${paths[@]}"
	fi | tar -x -C "$1"
}

# What fuse.ko is made of, as the series' own Makefile says it, without DAX (see compat.h).
objects() {	# FUSE-MAKEFILE
	sed -nE '/CONFIG_FUSE_DAX/d; s/^fuse-(.*)/fusepass-\1/p' "$1"
}

# Sources of these objects, and all headers.
place() {	# FROM TO
	local o
	cp "$1"/fs/fuse/*.h "$2/"
	mkdir -p "$2/include/uapi/linux" "$2/include/linux"
	cp "$1/include/uapi/linux/fuse.h" "$2/include/uapi/linux/"
	cp "$1/include/uapi/linux/fuse.h" "$2/include/linux/"
	cp "$HERE/Kbuild" "$HERE/compat.h" "$2/"
	objects "$1/fs/fuse/Makefile" >>"$2/Kbuild"
	for o in $(objects "$1/fs/fuse/Makefile" | sed 's/#.*//' | grep -oE '[a-z_]+\.o'); do
		cp "$1/fs/fuse/${o%.o}.c" "$2/"
	done
	sed "s/@VERSION@/$(fusepass_version)/; s/@BRANCHES@/$(echo "$BRANCHES" | sed 's/\./\\\\&/g; s/ /|/g')/" \
		"$HERE/dkms.conf.in" >"$2/dkms.conf"
}

change() {	# FILE SED-EXPRESSION...
	local file=$1 e
	shift
	for e; do
		sed -E -i.before "$e" "$file"
		! cmp -s "$file" "$file.before" || die "dkms: nothing to change in $(basename "$file"): $e"
		rm "$file.before"
	done
}

# Names that exist once per system, and what only one of two modules can be.
rename_all() {	# DIR
	local file
	change "$1/fuse_trace.h" 's/(#define TRACE_SYSTEM) fuse$/\1 fusepass/'
	# Events that are like the kernel's own have no types of their own in BTF, by which
	# programs would find them.
	change "$1/fuse_trace.h" 's/(TRACE_EVENT\()fuse_(request_)/\1fusepass_\2/'
	for file in $(grep -lw -E 'trace_fuse_request_[a-z]+' "$1"/*.c); do
		change "$file" 's/\btrace_fuse_(request_)/trace_fusepass_\1/'
	done
	change "$1/fuse_i.h" 's/(pr_fmt\(fmt\)) "fuse: "/\1 "fusepass: "/'
	change "$1/dev.c" \
		's/"fuse_request"/"fusepass_request"/' \
		's/(\.minor = )FUSE_MINOR/\1MISC_DYNAMIC_MINOR/' \
		's/^(\t\.name  = )"fuse",/\1"fusepass",\n\t.mode  = 0600,/' \
		'/^MODULE_ALIAS/d'
	change "$1/control.c" 's/"fusectl"/"fusepassctl"/'
	change "$1/sysctl.c" 's,"fs/fuse","fs/fusepass",'
	change "$1/inode.c" \
		's/"fuse_inode"/"fusepass_inode"/' \
		's/(\.name\t\t= )"fuse"/\1"fusepass"/' \
		's/(MODULE_ALIAS_FS\()"fuse"/\1"fusepass"/' \
		's/(kobject_create_and_add\()"fuse"/\1"fusepass"/' \
		's/^(MODULE_DESCRIPTION\(").*"/\1Filesystem in Userspace, with policies (fusepass)"/'
	# Mounts by root only, and none of block devices.
	change "$1/inode.c" \
		's/(FS_HAS_SUBTYPE) \| FS_USERNS_MOUNT/\1/' \
		's/^#ifdef CONFIG_BLOCK$/#ifdef FUSEPASS_BLOCK/'
}

# What of the series lies outside fs/fuse; see compat.h.
change_rest() {	# DIR
	change "$1/passthrough.c" \
		's/(flags = )(fuse_passthrough_flags\(file\));/\1compat_backing_flags(backing_file, \2);/'
}

out=${1:-$BUILD/dkms/fusepass-$(fusepass_version)}
[ -d "$LINUX/.git" ] || die "there is no kernel tree: run 'make kernel-tree'"
new=$out.new
rm -rf "$new" "$new.tree"
mkdir -p "$new" "$new.tree"
take_source "$new.tree"
place "$new.tree" "$new"
rename_all "$new"
change_rest "$new"
rm -rf "$new.tree" "$out"
mv "$new" "$out"
echo "$out"
