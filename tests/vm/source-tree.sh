#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make the source tree that README and tutorial work on, in the guest:
#
#     tests/vm/source-tree.sh DIRECTORY RULES
#
# Some directories of fusepass itself, a history, compiled objects, a folder of keys and a
# hidden one. The file RULES has the rules for it, which README.md shows.

set -eu

tree=$1
rules=$2
top=${FUSEPASS_TOP:?}

mkdir -p "$tree"/{docs,include,user,build,keys,.snapshot,.git/objects}
cp "$top/README.md" "$top/Makefile" "$tree"
cp "$top"/docs/*.md "$tree/docs"
cp "$top"/include/*.h "$tree/include"
cp "$top"/user/cli/cmd_*.c "$tree/user"
printf 'ref: refs/heads/main\n' >"$tree/.git/HEAD"
head -c 4000 /dev/zero >"$tree/.git/objects/pack"
for o in main server; do
	head -c 9000 /dev/zero >"$tree/build/$o.o"
done
head -c 100000 /dev/zero >"$tree/user/logo.png"
printf 'secret\n' >"$tree/keys/release.key"
printf 'before\n' >"$tree/.snapshot/old"
sed -n '/^    \$ cat tree.rules$/,/^    \$ fusepass/s/^    \([^$]\)/\1/p' "$top/README.md" >"$rules"
[ -s "$rules" ]
