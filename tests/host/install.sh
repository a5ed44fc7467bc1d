#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An installation is enough to use the library and to compile the shipped policies and the
# example of the manual, all of it has one version, and `make uninstall` takes it away
# again. What the library shows to others, and what `make help` leaves behind.

. "$(dirname "$0")/lib.sh"

prefix=$work/usr
tools=$(. scripts/lib.sh && echo "$TOOLS")/include

[ -d "$tools/bpf" ] || pkg-config --exists libbpf || skip_all "no libbpf (run 'make tools')"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

installs() {
	make -s install PREFIX="$prefix"
}

# Only from what was installed, and libbpf.
compile_policy() {	# FILE OBJECT
	# shellcheck disable=SC2046
	clang -O2 -g -target bpf -mcpu=v3 -Wall -Werror -Wno-unused-function \
		$(pkg-config --cflags libfusepass) -I "$tools" -c "$1" -o "$2"
}

policies_compile() {
	local c n=0
	for c in "$prefix"/share/fusepass/policies/*.bpf.c; do
		compile_policy "$c" "$work/policy.o" || return
		n=$((n + 1))
	done
	[ "$n" -ge 3 ]
}

# The example is the first block of the page.
example_compiles() {
	awk '/^\.EX/ { n++; next } /^\.EE/ && n == 1 { exit } n == 1' \
		"$prefix/share/man/man7/fusepass_policy.7" | sed 's/\\-/-/g; s/\\e/\\/g' >"$work/rootonly.bpf.c"
	grep -q SEC "$work/rootonly.bpf.c" && compile_policy "$work/rootonly.bpf.c" "$work/rootonly.bpf.o" &&
		"$prefix/bin/fusepass" policy info "$work/rootonly.bpf.o" | grep -A1 '^  needed=292$'
}

program_compiles() {
	printf '%s\n' '#include <fusepass.h>' 'int main(void) { return fusepass_kernel_check() > 0; }' \
		>"$work/prog.c"
	# shellcheck disable=SC2046
	cc -Wall -Werror "$work/prog.c" $(pkg-config --cflags --libs libfusepass) \
		-Wl,-rpath,"$prefix/lib" -o "$work/prog" && "$work/prog"
}

# A program of somebody else, somewhere else: what it finds is beside the library.
policies_are_found_from_the_library() {
	printf '%s\n' '#include <fusepass.h>' '#include <stdio.h>' 'int main(void)' '{' \
		'	struct fusepass_policy *p;' '	if (fusepass_policy_open("mirror", &p))' \
		'		return puts(fusepass_error()), 1;' '	fusepass_policy_close(p);' '	return 0;' '}' >"$work/find.c"
	# shellcheck disable=SC2046
	cc -Wall -Werror "$work/find.c" $(pkg-config --cflags --libs libfusepass) \
		-Wl,-rpath,"$prefix/lib" -o "$work/find" && env -u FUSEPASS_POLICY_DIR "$work/find"
}

only_fusepass() {	# NM-ARGUMENT...: no other symbol is defined for others
	nm --defined-only --extern-only "$@" | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' >"$work/symbols"
	! grep -v '^fusepass_\|^FUSEPASS_' "$work/symbols" && [ "$(wc -l <"$work/symbols")" -ge 20 ]
}

symbols_have_versions() {
	nm -D --defined-only "$prefix/lib/libfusepass.so" | grep ' fusepass_' >"$work/versions"
	! grep -v '@@FUSEPASS_0' "$work/versions" && [ -s "$work/versions" ]
}

# A function that the header declares and the library lacks, or the other way round.
header_is_what_is_exported() {
	sed -nE 's/^[a-z].*[ *](fusepass_[a-z_]+)\(.*/\1/p' "$prefix/include/fusepass.h" | sort >"$work/declared"
	only_fusepass -D "$prefix/lib/libfusepass.so"
	grep '^fusepass_' "$work/symbols" | sort | diff "$work/declared" -
}

static_linking_is_described() {
	if make -s -p -n help | grep -q '^LIBBPF := system'; then
		grep -q '^Requires.private: libbpf' "$prefix/lib/pkgconfig/libfusepass.pc"
	else
		pkg-config --static --libs libfusepass | grep -e '-lbpf.* -lelf.* -lz'
	fi
}

# A caller with less room, and one with more.
status_takes_any_size() {
	printf '%s\n' '#include <fusepass.h>' '#include <string.h>' 'int main(void)' '{' \
		'	char b[sizeof(struct fusepass_status) + 64];' '	size_t i;' \
		'	memset(b, 1, sizeof(b));' '	fusepass_status_read(~0u, (void *)b, 16);' \
		'	if (b[15] || b[16] != 1)' '		return 1;' \
		'	fusepass_status_read(~0u, (void *)b, sizeof(b));' \
		'	for (i = 0; i < sizeof(b); i++)' '		if (b[i])' '			return 2;' \
		'	return 0;' '}' >"$work/size.c"
	# shellcheck disable=SC2046
	cc "$work/size.c" $(pkg-config --cflags --libs libfusepass) -Wl,-rpath,"$prefix/lib" -o "$work/size" &&
		"$work/size"
}

# The header's, which --version tells too.
version_is_one() {
	local v
	v=$("$prefix/bin/fusepass" --version) && v=${v#fusepass } &&
		[ "$(pkg-config --modversion libfusepass)" = "$v" ] &&
		[ "$(grep -l "\"fusepass $v\"" "$prefix"/share/man/man*/* | wc -l)" -eq "$(ls man | wc -l)" ] &&
		grep -q "^## $v" CHANGELOG.md
}

uninstalls() {
	make -s uninstall PREFIX="$prefix"
	find "$prefix" ! -type d
	[ -z "$(find "$prefix" ! -type d)" ] && [ ! -e "$prefix/lib/fusepass" ] &&
		[ ! -e "$prefix/share/fusepass" ] && [ ! -e "$prefix/include/fusepass" ]
}

help_makes_nothing() {
	mkdir "$work/fresh" "$work/cache"
	git ls-files | grep -vE '^(kernel|docs|LICENSES)/' | cpio -pdm --quiet "$work/fresh"
	( cd "$work/fresh" && find . | sort >"$work/before" && env XDG_CACHE_HOME="$work/cache" make -s help >/dev/null &&
		find . | sort | diff "$work/before" - ) && [ -z "$(ls "$work/cache")" ]
}

claim install_succeeds installs
claim shipped_policies_compile_from_what_is_installed policies_compile
claim example_of_the_manual_compiles_from_what_is_installed example_compiles
claim program_compiles_with_the_library program_compiles
claim program_elsewhere_finds_the_policies policies_are_found_from_the_library
claim static_library_shows_nothing_else only_fusepass "$prefix/lib/libfusepass.a"
claim shared_library_shows_nothing_else only_fusepass -D "$prefix/lib/libfusepass.so"
claim symbols_have_versions symbols_have_versions
claim header_declares_what_is_exported header_is_what_is_exported
claim pkg_config_tells_what_static_linking_takes static_linking_is_described
claim status_is_as_large_as_the_caller_says status_takes_any_size
claim version_is_the_same_everywhere version_is_one
claim uninstall_leaves_no_file uninstalls
claim make_help_makes_nothing help_makes_nothing
done_testing
