#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run by install.sh in the root where the packages were installed, with a compiler: what
# somebody builds who has the packages and nothing else of ours. What is to be tried on a
# kernel stays in the current directory. Prints TAP.

set -u
. "$(dirname "$0")/tap.sh"

policies=/usr/share/fusepass/policies

compile_policy() {	# FILE OBJECT
	# shellcheck disable=SC2046
	clang -O2 -g -target bpf -mcpu=v3 -Wall -Werror -Wno-unused-function \
		$(pkg-config --cflags libfusepass) -c "$1" -o "$2"
}

shipped_policies_compile() {
	local c n=0
	for c in "$policies"/*.bpf.c; do
		compile_policy "$c" "shipped_$(basename "$c" .c).o" || return
		n=$((n + 1))
	done
	[ "$n" -eq "$(find /usr/lib/fusepass -name '*.bpf.o' | wc -l)" ]
}

# The first block of the page.
example_compiles() {
	zcat /usr/share/man/man7/fusepass_policy.7.gz |
		awk '/^\.EX/ { n++; next } /^\.EE/ && n == 1 { exit } n == 1' |
		sed 's/\\-/-/g; s/\\e/\\/g' >rootonly.bpf.c
	compile_policy rootonly.bpf.c rootonly.bpf.o && fusepass policy info ./rootonly.bpf.o | grep '^rootonly'
}

folders_build() {
	local template
	for template in /usr/share/fusepass/templates/*.bpf.c; do
		template=$(basename "$template" .bpf.c)
		fusepass policy new --template "$template" "my_$template" &&
			make -C "my_$template" && [ -s "my_$template/my_$template.bpf.o" ] || return
	done
}

# Attaches a policy to the mount that it is told, and prints which one is there then.
program() {
	cat <<-'END'
		#include <fusepass.h>
		#include <stdio.h>
		int main(int argc, char **argv)
		{
			struct fusepass_policy *p;
			struct fusepass_mount m;
			struct fusepass_status s;
			int link, ret = fusepass_policy_open(argv[1], &p);

			if (!ret && argc > 2)
				ret = fusepass_policy_attach(p, argv[2], NULL, FUSEPASS_PIN, &link);
			if (!ret && argc > 2)
				ret = fusepass_mount_find(argv[2], &m);
			if (!ret && argc > 2)
				ret = fusepass_status_read(m.connection, &s, sizeof(s));
			if (ret)
				printf("%d %s\n", ret, fusepass_error());
			else
				printf("%s\n", argc > 2 ? s.policy : fusepass_policy_name(p));
			return ret ? 1 : 0;
		}
	END
}

shared_program_works() {
	# shellcheck disable=SC2046
	cc -Wall -Werror attach.c $(pkg-config --cflags --libs libfusepass) -o attach &&
		ldd attach | grep 'libfusepass.so.0 => /' && [ "$(./attach mirror)" = mirror ]
}

static_program_works() {
	# shellcheck disable=SC2046
	cc -Wall -Werror attach.c $(pkg-config --static --cflags --libs libfusepass |
		sed 's/-lfusepass/-l:libfusepass.a/') -o attach-static &&
		! ldd attach-static | grep libfusepass && [ "$(./attach-static mirror)" = mirror ]
}

completes() {
	bash -c '. /usr/share/bash-completion/completions/fusepass
		COMP_WORDS=(fusepass policy attach mirr) COMP_CWORD=3
		_fusepass fusepass
		[ "${COMPREPLY[*]}" = mirror ]'
}

# Headers of a kernel that the module was not made for.
other_kernel_is_declined() {
	local other=/usr/lib/modules/6.12.1-other out
	mkdir -p $other/build/include
	out=$(dkms build "fusepass/$(fusepass --version | sed 's/.* //')" -k 6.12.1-other 2>&1)
	rm -r $other
	echo "$out"
	grep -i 'BUILD_EXCLUSIVE' <<<"$out" && ! dkms status -k 6.12.1-other | grep built
}

module_is_signed() {
	local module
	module=$(find /usr/lib/modules -name 'fusepass.ko*')
	[ "$(modinfo -F sig_id "$module")" = PKCS#7 ] && modinfo -F signer "$module" | grep -i dkms
}

claim shipped_policies_compile_from_what_is_installed shipped_policies_compile
claim example_of_the_manual_compiles_from_what_is_installed example_compiles
claim folders_of_all_templates_build folders_build
program >attach.c
claim program_with_the_shared_library_finds_the_policies shared_program_works
claim program_with_the_static_library_finds_the_policies static_program_works
claim completion_knows_the_policies completes
claim dkms_declines_another_kernel other_kernel_is_declined
claim module_is_signed_with_the_key_of_dkms module_is_signed
done_testing
