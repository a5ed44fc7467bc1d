#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The mirror that the kernel source comes from is the machine's own, in whichever form its
# sources are written down.

. "$(dirname "$0")/lib.sh"

etc=$work/etc
export APT_ETC=$etc

fresh() {
	rm -rf "$etc"
	mkdir -p "$etc/sources.list.d"
}

mirror_is() {	# URI
	local got
	got=$(scripts/fetch-kernel.sh --mirror)
	echo "got: $got"
	[ "$got" = "$1" ]
}

fresh
cat >"$etc/sources.list" <<'LIST'
# deb http://old.example.org/debian bookworm main
deb http://sec.example.org/debian-security bookworm-security main
deb-src http://src.example.org/debian bookworm main
deb http://list.example.org/debian/ bookworm main contrib
LIST
claim one_line_form_is_read mirror_is http://list.example.org/debian

fresh
cat >"$etc/sources.list.d/a.list" <<'LIST'
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://other.example.org/apt stable-tool main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://opt.example.org/debian bookworm-updates main
LIST
sed -i 1d "$etc/sources.list.d/a.list"
claim options_in_brackets_are_skipped mirror_is http://opt.example.org/debian

fresh
cat >"$etc/sources.list.d/debian.sources" <<'DEB822'
Types: deb
URIs: http://sec.example.org/debian-security
Suites: bookworm-security
Components: main

# a comment: http://old.example.org
Types: deb-src
URIs: http://src.example.org/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://off.example.org/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb deb-src
# http://old.example.org
URIs: http://deb822.example.org/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
DEB822
cat >"$etc/sources.list.d/tool.sources" <<'DEB822'
Types: deb
URIs: https://tool.example.org/node_20.x
Suites: nodistro
Components: main
DEB822
claim deb822_form_is_read mirror_is http://deb822.example.org/debian

fresh
claim no_sources_no_mirror mirror_is ''
done_testing
