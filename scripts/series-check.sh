#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Judge the series patch by patch, as TAP. For each patch, on top of those before it:
#
#     it applies; checkpatch.pl --strict has nothing to say; fs/fuse and everything that
#     includes a header it changes builds without a warning; sparse says no more than it
#     said of the base
#
# and at the end that fs/fuse also builds where what the series needs is configured out.
#
#     scripts/series-check.sh [FIRST [LAST]]    only these patches, by number
#
# All in a checkout and O= directory of its own ($CACHE/series-check, kept: the
# preparation of a build takes longer than the rest), so nobody's tree is touched.

. "$(dirname "$0")/lib.sh"
. "$TOP/scripts/tree.sh"

WORK=$CACHE/series-check
SRC=$WORK/src
OUT=$WORK/out
LOG=$LOGS/series-check
first=${1:-1}
last=${2:-9999}

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
	if ! cmp -s "$CACHE/out-fast/.config" "$OUT/.config.from"; then
		cp "$CACHE/out-fast/.config" "$OUT/.config"
		cmake -s olddefconfig
		cp "$CACHE/out-fast/.config" "$OUT/.config.from"
	fi
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

check_build() {	# PATCH LOG
	local targets
	targets=$(dependents "$1")
	# shellcheck disable=SC2086
	cmake C=1 fs/fuse/ $targets >"$2" 2>&1 || return 1
	[ -z "$(gcc_lines "$2")" ]
}

# A count per complaint: one more of a kind that the base has is new as well.
check_sparse() {	# LOG
	sparse_lines "$1" | uniq -c >"$WORK/sparse.now"
	uniq -c "$WORK/sparse.base" | awk '
		{ n = $1; $1 = ""; if (FILENAME == "-") base[$0] = n
		  else if (n > base[$0] && $0 ~ /fs\/fuse|include\//) print "new:" $0 }' - "$WORK/sparse.now" >"$WORK/sparse.new"
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

check_one() {	# PATCH
	local p=$1 name status
	name=$(basename "$p" .patch)
	status=0
	am_one "$SRC" "$p" >"$LOG.am" 2>&1 || status=1
	tap $status "$name applies" "$LOG.am"
	[ "$status" -eq 0 ] || return 1
	num=$((10#${name%%-*}))
	[ "$num" -ge "$first" ] && [ "$num" -le "$last" ] || return 0

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

# The stubs in the headers are only seen where their option is off.
check_without() {	# OPTION...
	local status=0 opt args=()
	for opt; do
		args+=(-d "$opt")
	done
	cp "$OUT/.config" "$WORK/config.kept"
	"$SRC/scripts/config" --file "$OUT/.config" "${args[@]}"
	{ cmake -s olddefconfig && cmake fs/fuse/; } >"$LOG.without" 2>&1 || status=1
	for opt; do
		! grep -q "^CONFIG_$opt=" "$OUT/.config" || { echo "$opt stays on" >>"$LOG.without"; status=1; }
	done
	[ -z "$(gcc_lines "$LOG.without")" ] || status=1
	gcc_lines "$LOG.without" >"$LOG.gcc"
	[ -s "$LOG.gcc" ] || tail -n 5 "$LOG.without" >"$LOG.gcc"
	tap $status "fs_fuse_builds_without $*" "$LOG.gcc"
	cp "$WORK/config.kept" "$OUT/.config"
	cmake -s olddefconfig >/dev/null
}

check_all() {
	local p
	for p in $(patch_files); do
		check_one "$p" || break
	done
	if [ "$failed" -eq 0 ] && [ "$last" -eq 9999 ]; then
		check_without FUSE_PASSTHROUGH
		check_without BPF_JIT_ALWAYS_ON BPF_JIT
	fi
	echo "1..$n"
}

[ -f "$CACHE/out-fast/.config" ] || die "no fast kernel is built yet (run 'make kernel')"
cache_lock
run_logged series-check-prepare 0 prepare
run_logged series-check-base 0 base_sparse
check_all
exit "$failed"
