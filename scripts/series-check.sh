#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Judge the series patch by patch, as TAP. For each patch, on top of those before it:
#
#     it applies; checkpatch.pl --strict has nothing to say; fs/fuse and everything that
#     includes a header it changes builds without a warning; sparse says no more than it
#     said of the base
#
# and at the end of each part that fs/fuse also builds without what the series adds, as a
# module that links, for 32 bit, and with W=1 without a warning that the base does not have.
#
#     scripts/series-check.sh [PART [FIRST [LAST]]]    only this part, and of it only these
#                                                      patches, by number
#
# All in a checkout and O= directory of its own ($CACHE/series-check, kept: the
# preparation of a build takes longer than the rest), so nobody's tree is touched.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

WORK=$CACHE/series-check
SRC=$WORK/src
OUT=$WORK/out
OUT32=$WORK/out-i386
LOG=$LOGS/series-check
only=${1:-}
first=${2:-1}
last=${3:-9999}

cmake() {	# ARGUMENT...
	make -C "$SRC" O="$OUT" -j"$JOBS" LOCALVERSION= CHECK="$TOP/scripts/sparse.sh" "$@"
}

# The base, in a checkout that shares the tree's objects. What an earlier run left is
# reset, and only files that differ get a new time.
prepare_source() {
	local base
	base=$(tree_git rev-parse "$(tree_base)^{commit}")
	if [ "$(git -C "$SRC" rev-parse -q --verify "$base^{commit}" 2>/dev/null)" != "$base" ]; then
		rm -rf "$WORK"
		mkdir -p "$WORK"
		git clone -q --shared --no-checkout "$LINUX" "$SRC"
	fi
	rm -rf "$SRC/.git/rebase-apply"
	git -C "$SRC" reset -q --hard
	# Not 'clean -x': the distributed source ignores everything at its top.
	git -C "$SRC" ls-files --others -z | ( cd "$SRC" && xargs -0 -r rm -f )
	git -C "$SRC" -c advice.detachedHead=false checkout -q -f --detach "$base"
}

prepare_build() {
	mkdir -p "$OUT"
	config_fresh
	cmake prepare
}

prepare() {
	prepare_source
	prepare_build
}

# sparse's complaints without their line numbers, which move with every patch.
sparse_lines() {	# LOG
	grep -E '(warning|error): ' "$1" | grep -vE ' (warning|error): .* \[-W' |
		sed -E "s|^.*/?(fs\|include\|mm\|kernel\|lib)/|\1/|; s/:[0-9]+:[0-9]+: /: /" | sort || true
}

# Those of NOW that BASE does not have, or not so often, in fs/fuse or a header.
new_lines() {	# BASE NOW
	uniq -c "$1" | awk '
		{ n = $1; $1 = ""; if (FILENAME == "-") base[$0] = n
		  else if (n > base[$0] && $0 ~ /fs\/fuse|include\//) print "new:" $0 }' - <(uniq -c "$2")
}

# gcc names the option of each of its warnings; sparse does not.
gcc_lines() {	# LOG
	grep -E ' (warning|error): .* \[-W|: error: |\*\*\* ' "$1" || true
}

# A checker that is not run, or says nothing, must not look like a clean series.
sparse_works() {
	local c=$WORK/sparse-works.c
	echo 'int f(int __attribute__((noderef, address_space(__user))) *p); int f(int __attribute__((noderef, address_space(__user))) *p) { return *p; }' >"$c"
	"$TOP/scripts/sparse.sh" "$c" 2>&1 | grep -q 'dereference of noderef' ||
		{ echo "error: sparse does not see a wrong dereference"; return 1; }
}

base_sparse() {
	sparse_works
	cmake C=2 fs/fuse/ >"$LOG.base" 2>&1
	grep -q '^  CHECK ' "$LOG.base" ||
		{ echo "error: the kernel's makefile did not run sparse"; return 1; }
	sparse_lines "$LOG.base" >"$WORK/sparse.base"
}

# With W=1 comments are read as well: what is wrong with those has no option.
w1_lines() {	# LOG
	grep -E '[Ww]arning: |[Ee]rror: ' "$1" |
		sed -E "s|^(.*[ /])?((fs\|include\|mm\|kernel\|lib)/)|\2|; s/:[0-9]+(:[0-9]+)?:? /: /" | sort || true
}

base_w1() {
	cmake W=1 fs/fuse/ >"$LOG.base-w1" 2>&1
	grep -q '^  CC ' "$LOG.base-w1" ||
		{ echo "error: the kernel's makefile did not compile with W=1"; return 1; }
	w1_lines "$LOG.base-w1" >"$WORK/w1.base"
}

changed_files() {	# PATCH
	sed -nE 's,^\+\+\+ b/(.*)$,\1,p' "$1"
}

new_files() {	# PATCH
	awk '/^diff --git / { f = substr($4, 3) } /^new file mode/ { print f }' "$1"
}

# Objects of the fast kernel that were made from any of the changed files, and are not in
# fs/fuse, which is built anyhow. The dependency files of the kernel build know.
dependents() {	# PATCH
	local f fast=$CACHE/out-fast
	changed_files "$1" | grep -E '\.(c|h)$' | grep -vE '^(fs/fuse|tools|Documentation)/' |
	while read -r f; do
		grep -rlF --include='.*.o.cmd' -e "$LINUX/$f " -e " $LINUX/$f" "$fast" || true
	done | sed -E "s,^$fast/,,; s,/\.([^/]*)\.cmd\$,/\1," |
		grep -vE '^(fs/fuse|arch/x86/(boot|entry/vdso|tools|realmode)|scripts|tools|usr|certs)/' |
		grep -vE 'built-in|vmlinux|\.mod\.o$' | sort -u
}

# The fast kernel's, with the options that the source has by now.
config_fresh() {
	cp "$CACHE/out-fast/.config" "$OUT/.config"
	cmake -s olddefconfig
}

check_build() {	# PATCH LOG
	local targets
	! changed_files "$1" | grep -q 'Kconfig$' || config_fresh
	targets=$(dependents "$1")
	# shellcheck disable=SC2086
	cmake C=1 fs/fuse/ $targets >"$2" 2>&1 || return 1
	[ -z "$(gcc_lines "$2")" ]
}

# A count per complaint: one more of a kind that the base has is new as well.
check_sparse() {	# LOG
	sparse_lines "$1" >"$WORK/sparse.now"
	new_lines "$WORK/sparse.base" "$WORK/sparse.now" >"$WORK/sparse.new"
	[ ! -s "$WORK/sparse.new" ]
}

# checkpatch asks about MAINTAINERS for every new file, also where an entry already
# covers the directory; only then is the question left out.
covered_by_maintainers() {	# PATCH
	local f
	for f in $(new_files "$1"); do
		awk -v f="$f" '/^F:/ { p = $2; sub(/\*$/, "", p); if (index(f, p) == 1) found = 1 }
			END { exit !found }' "$SRC/MAINTAINERS" || return 1
	done
}

check_patch() {	# PATCH LOG
	local args=(--strict --terse --show-types)
	covered_by_maintainers "$1" && args+=(--ignore FILE_PATH_CHANGES)
	# The packages that it needs are for the system's own python.
	( cd "$SRC" && PATH=/usr/bin:$PATH scripts/checkpatch.pl "${args[@]}" "$1" ) >"$2" 2>&1
}

n=0
failed=0
tap() {	# STATUS NAME LOG
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		head -n 20 "$3" | sed 's/^/# /'
		echo "not ok $n - $2"
		failed=1
	fi
}

wanted() {	# PART
	[ -z "$only" ] || [ "$only" = "$1" ]
}

check_one() {	# PATCH
	local p=$1 name part status num
	name=$(basename "$p" .patch)
	num=$((10#${name%%-*}))
	part=$(basename "$(dirname "$p")")
	name=$part/$name
	status=0
	am_one "$SRC" "$p" >"$LOG.am" 2>&1 || status=1
	tap $status "$name applies" "$LOG.am"
	[ "$status" -eq 0 ] || return 1
	wanted "$part" && [ "$num" -ge "$first" ] && [ "$num" -le "$last" ] || return 0

	status=0
	check_patch "$p" "$LOG.checkpatch" || status=1
	tap $status "$name is_checkpatch_strict_clean" "$LOG.checkpatch"

	status=0
	check_build "$p" "$LOG.build" || status=1
	gcc_lines "$LOG.build" >"$LOG.gcc"
	[ -s "$LOG.gcc" ] || tail -n 5 "$LOG.build" >"$LOG.gcc"
	tap $status "$name builds_without_warnings" "$LOG.gcc"

	status=0
	check_sparse "$LOG.build" || status=1
	tap $status "$name adds_no_sparse_warning" "$WORK/sparse.new"
}

# Is each option as scripts/config was told?
config_took() {	# .CONFIG [-d|-e|-m OPTION]...
	local bad=0 want
	while [ $# -ge 3 ]; do
		case $2 in -e) want=y ;; -m) want=m ;; *) want= ;; esac
		[ "$(sed -n "s/^CONFIG_$3=//p" "$1")" = "$want" ] ||
			{ echo "error: CONFIG_$3 does not become ${want:-n}"; bad=1; }
		set -- "$1" "${@:4}"
	done
	return $bad
}

# From the configuration that all patches were built with, which is put back in the end.
config_use() {	# [-d|-e|-m OPTION]...
	cp "$WORK/config.kept" "$OUT/.config"
	[ $# -eq 0 ] || "$SRC/scripts/config" --file "$OUT/.config" "$@"
	cmake -s olddefconfig && config_took "$OUT/.config" "$@"
}

# Run a check of the whole series, and tell how long it takes.
check_last() {	# NAME FUNCTION ARGUMENT...
	local name=$1 status start=$SECONDS
	shift
	set +e
	( set -e; "$@" ) >"$LOG.last" 2>&1
	status=$?
	set -e
	[ -z "$(gcc_lines "$LOG.last")" ] || status=1
	gcc_lines "$LOG.last" >"$LOG.gcc"
	[ -s "$LOG.gcc" ] || tail -n 5 "$LOG.last" >"$LOG.gcc"
	tap $status "$name" "$LOG.gcc"
	echo "# $((SECONDS - start)) s"
}

# The stubs in the headers are only seen where their option is off.
build_with() {	# [-d|-e|-m OPTION]...
	config_use "$@"
	cmake fs/fuse/
}

# There is no vmlinux of this configuration, and none is needed: what the module may use
# is what the fast kernel exports, less what fuse itself does there.
kernel_symvers() {	# MODULE
	[ -f "$CACHE/out-fast/vmlinux.o" ] || { echo "error: no fast kernel is built"; return 1; }
	ln -sf "$CACHE/out-fast/vmlinux.o" vmlinux.o
	scripts/mod/modpost -M -o vmlinux.symvers vmlinux.o 2>"$LOG.modpost-vmlinux"
	objdump -t "$1" | sed -n 's/.* __export_symbol_//p' | sort -u |
		awk 'NR == FNR { own[$1]; next } !($2 in own)' - vmlinux.symvers >kernel.symvers
	[ -s kernel.symvers ]
}

build_module() {
	config_use -e MODULES -m FUSE_FS -e FUSE_PASSTHROUGH "${policy[@]}"
	cmake modules_prepare
	cmake fs/fuse/
	cd "$OUT"
	kernel_symvers fs/fuse/fuse.o
	echo fs/fuse/fuse.o >modules.order
	scripts/mod/modpost -M -i kernel.symvers -o fuse.symvers -T modules.order >"$LOG.modpost" 2>&1 || true
	sed 's/^\(ERROR\|WARNING\): modpost:/error:/' "$LOG.modpost"
	[ ! -s "$LOG.modpost" ] && [ -s fs/fuse/fuse.mod.c ]
}

build_w1() {
	config_use
	cmake W=1 fs/fuse/ >"$LOG.w1" 2>&1
	grep -q '^  CC ' "$LOG.w1"
	w1_lines "$LOG.w1" >"$WORK/w1.now"
	new_lines "$WORK/w1.base" "$WORK/w1.now" >"$WORK/w1.new"
	cat "$WORK/w1.new"
	[ ! -s "$WORK/w1.new" ]
}

make32() {	# ARGUMENT...
	make -C "$SRC" O="$OUT32" ARCH=i386 -j"$JOBS" LOCALVERSION= "$@"
}

# gcc compiles for 32 bit without the packages that a program would need. What it calls
# for what a machine word is too small for is not in the kernel, and seen here only.
build_i386() {
	local no64='# CONFIG_64BIT is not set' foreign
	mkdir -p "$OUT32"
	make32 -s tinyconfig
	( cd "$OUT32" && "$SRC/scripts/kconfig/merge_config.sh" -m -O "$OUT32" "$OUT32/.config" \
		"$TOP/kernel/config" <(echo "$no64") )
	make32 -s olddefconfig
	config_took "$OUT32/.config" -e X86_32 -e FUSE_FS -e FUSE_PASSTHROUGH "${policy[@]}"
	make32 fs/fuse/
	foreign=$(nm -u "$OUT32"/fs/fuse/*.o |
		grep -oE '\b(__u?(div|mod|divmod)[dt]i[34]|__(ash|lsh)[lr]di3|\w*_(wrong_size|bad_size))$' || true)
	[ -z "$foreign" ] || { echo "error: not in the kernel:" $foreign; return 1; }
}

# The options that the part in the source has.
check_configs() {	# PART
	policy=()
	! grep -q '^config FUSE_POLICY$' "$SRC/fs/fuse/Kconfig" || policy=(-e FUSE_POLICY)
	config_fresh
	cp "$OUT/.config" "$WORK/config.kept"
	check_last "$1 builds_into_the_kernel" build_with -e FUSE_FS -e FUSE_PASSTHROUGH "${policy[@]}"
	[ ${#policy[@]} -eq 0 ] || check_last "$1 builds_without_FUSE_POLICY" build_with -d FUSE_POLICY
	check_last "$1 builds_without_FUSE_PASSTHROUGH" build_with -d FUSE_PASSTHROUGH
	check_last "$1 builds_and_links_as_a_module" build_module
	check_last "$1 has_no_more_warnings_than_the_base_with_W=1" build_w1
	check_last "$1 builds_for_i386" build_i386
	config_use >/dev/null
}

check_part() {	# FOLDER
	local p
	for p in $(patch_files "$1"); do
		check_one "$p" || return
	done
	wanted "$(basename "$1")" && [ "$failed" -eq 0 ] && [ "$last" -eq 9999 ] || return 0
	check_configs "$(basename "$1")"
}

check_all() {
	local dir
	for dir in $(part_folders); do
		check_part "$dir" || break
	done
	echo "1..$n"
}

[ -z "$only" ] || [ -d "$PATCHES/$only" ] || die "no part $only; there are: $(ls "$PATCHES" | tr '\n' ' ')"
[ -f "$CACHE/out-fast/.config" ] || die "no fast kernel is built yet (run 'make kernel')"
cache_lock
run_logged series-check-prepare 0 prepare
run_logged series-check-base 0 base_sparse
run_logged series-check-base-w1 0 base_w1
check_all
exit "$failed"
