#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build libbpf (static) and bpftool from the kernel tree's own tools/ and install
# them, with libbpf's headers, below $CACHE/tools: bin/bpftool, lib/libbpf.a,
# include/bpf. The user's own libbpf, if any, is never used: it may be older than
# what struct_ops links and kfuncs need.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

# Sources of the tools. Uncommitted work in these directories counts too.
tools_key() {
	local paths=(tools/lib/bpf tools/bpf tools/include tools/build tools/scripts
		     kernel/bpf/disasm.c kernel/bpf/disasm.h)
	{
		tree_git ls-tree HEAD "${paths[@]}"
		tree_git diff HEAD -- "${paths[@]}"
		sha256sum < "$0"
	} | sha256sum | cut -d' ' -f1
}

# bpftool's own BPF programs are compiled against some kernel's BTF; the machine's
# kernel may have none, ours always has, and so have the headers of Debian's.
tools_btf() {
	local f
	for f in "$CACHE/out-fast/vmlinux-base" "$CACHE/out-fast/vmlinux" \
		"$CACHE_ROOT"/distro/root/usr/src/linux-headers-*-amd64/vmlinux; do
		if [ -f "$f" ]; then
			echo "$f"
			return
		fi
	done
	die "tools: no kernel is built yet (run 'make kernel', or scripts/distro.sh boot)"
}

tools_make() {
	local work=$CACHE/tools-build stage=$CACHE/tools-stage
	rm -rf "$stage" "$work"
	mkdir -p "$work/libbpf" "$work/bpftool" "$stage"
	# Position independent, because libfusepass.so takes it in.
	make -C "$LINUX/tools/lib/bpf" -j"$JOBS" OUTPUT="$work/libbpf/" \
		EXTRA_CFLAGS='-g -O2 -fPIC' \
		prefix="$TOOLS" libdir="$TOOLS/lib" DESTDIR="$stage" \
		install install_headers
	make -C "$LINUX/tools/bpf/bpftool" -j"$JOBS" OUTPUT="$work/bpftool/" \
		VMLINUX_BTF="$(tools_btf)" prefix="$TOOLS" DESTDIR="$stage" \
		bash_compdir="$TOOLS/share/bash-completion" install
	mkdir -p "$stage$TOOLS/bin"
	cp "$stage$TOOLS/sbin/bpftool" "$stage$TOOLS/bin/bpftool"
	# Static only: -lbpf must not pick up a library that no loader path names.
	rm -rf "$stage$TOOLS/sbin" "$stage$TOOLS"/lib/libbpf.so*
	rm -rf "$TOOLS"
	mv "$stage$TOOLS" "$TOOLS"
	rm -rf "$stage" "$work"
}

cache_lock
key=$(tools_key)
if ! stamp_is "$TOOLS/.stamp" "$key"; then
	run_logged tools 110 tools_make
	stamp_set "$TOOLS/.stamp" "$key"
fi
