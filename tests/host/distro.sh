#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is made for a distribution's kernel: the generated source of the module has no name
# that the kernel's own FUSE has, and tests that are left out there are tests. The mount
# helper of the packages.

set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/lib/tap.sh"
LINUX=$(. "$TOP/scripts/lib.sh" && echo "$LINUX")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names are those of tests of the suite.
unknown_skips() {
	local name
	grep -v '^#' "$TOP/tests/distro/skips" | while read -r name _; do
		grep -qrE "^(TEST\($name\)|TEST_FLAGS\($name,|test_$name\(\))|^programs=.*\b$name\b" \
			"$TOP/tests" || echo "$name"
	done
}

is left_out_tests_exist "$(unknown_skips)" ""
is left_out_tests_have_a_reason "$(grep -v '^#' "$TOP/tests/distro/skips" | awk 'NF < 3')" ""

# The helper runs `fusepass`: here one that tells how.
helper() {	# ARGUMENT...
	mkdir -p "$work/bin"
	printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >"$work/bin/fusepass"
	sed 's/^printf/printf "<mount>"; printf/' "$work/bin/fusepass" >"$work/bin/mount"
	printf '#!/bin/sh\n' >"$work/bin/modprobe"
	chmod +x "$work"/bin/*
	PATH=$work/bin:$PATH "$TOP/packaging/mount.fuse.fusepass" "$@"
}

is helper_mounts "$(helper /src '/m n' -o rw)" "<mount><-o><rw><--></src></m n>"
is helper_takes_policy_and_knobs \
	"$(helper /s /m -n -o policy=suffix,knob.suffixes=.a:.b,ro,nofail,x-systemd.automount,noatime)" \
	"<mount><--policy><suffix><-k><suffixes=.a,.b><-o><ro,noatime><--></s></m>"
is helper_takes_rules_timeout_and_an_optional_policy \
	"$(helper /s /m -o rules=/r,timeout=3,policy_optional,policy=rules,strictatime)" \
	"<mount><--policy><rules><--rules></r><--timeout><3><--policy-optional><-o><strictatime><--></s></m>"
is helper_takes_options_in_pieces "$(helper /s /m -o ro -o noatime)" "<mount><-o><ro,noatime><--></s></m>"
is helper_remounts_what_every_file_system_has \
	"$(helper /s /m -o remount,ro,policy=mirror,user_id=0,default_permissions,noatime)" \
	"<mount><-i><-n><-o><remount,nosuid,nodev,ro,noatime></s></m>"
is helper_without_options "$(helper /s /m)" "<mount><--></s></m>"
is helper_does_nothing_with_f "$(helper /s /m -f -o ro)" ""
: >"$work/policy=file"
is helper_keeps_patterns "$(cd "$work" && helper /s /m -o 'policy=*')" "<mount><--policy><*><--></s></m>"

if [ -d "$LINUX/.git" ]; then
	source=$("$TOP/scripts/dkms.sh" "$work/module") || source=
	claim module_source_is_made test -n "$source"
	# What is registered under a name: types, device, slabs, folders.
	is names_are_the_modules_own "$(grep -nE '"(fuse|fusectl|fuse_inode|fuse_request|fs/fuse)"' "$source"/*.c |
		grep -v fuseblk)" ""
	is trace_system_is_the_modules_own "$(grep -h '^#define TRACE_SYSTEM' "$source"/*.h)" \
		"#define TRACE_SYSTEM fusepass"
	is nothing_is_mounted_by_users "$(grep -l FS_USERNS_MOUNT "$source"/*.c)" ""
	is base_is_not_in_the_checkout "$(git -C "$TOP" ls-files packaging/dkms | grep '\.c$')" ""
else
	skip module_source_is_made "no kernel tree"
fi
done_testing
