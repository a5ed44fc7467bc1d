#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Show what tests/bench/profile.c has counted, as a tree of calls.

    profile.py FILE VMLINUX OPERATIONS [LEAST]

Instructions and calls are per operation; what has less than LEAST is left out. "self"
is what a function executes by itself, jumps into other functions' ends included.
"""
import bisect
import collections
import subprocess
import sys


def symbols(vmlinux):
    addrs, names = [], []
    out = subprocess.run(["nm", "-n", vmlinux], capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        addr, kind, name = line.split()
        if kind in "tTwW" and not name.startswith(("__pfx_", "__cfi_", ".L")):
            addrs.append(int(addr, 16))
            names.append(name)
    return addrs, names


class Names:
    def __init__(self, vmlinux):
        self.addrs, self.names = symbols(vmlinux)

    def of(self, addr):
        if addr < 1 << 63:
            return "[user]"
        i = bisect.bisect_right(self.addrs, addr) - 1
        if i < 0 or addr > self.addrs[-1] or addr >> 28 != self.addrs[i] >> 28:
            return "[bpf]"
        return self.names[i]


class Node:
    def __init__(self, name):
        self.name, self.calls, self.self = name, 0, 0
        self.children = {}

    def child(self, name):
        return self.children.setdefault(name, Node(name))

    def total(self):
        return self.self + sum(c.total() for c in self.children.values())


def read(path, names):
    root, nodes, flat = Node("all"), {}, collections.Counter()
    nodes[0] = root
    for line in open(path, encoding="ascii"):
        kind, a, b, c, *rest = line.split()
        if kind == "node":
            node = nodes[int(a, 16)].child(names.of(int(c, 16)))
            node.calls += int(rest[0], 16)
            nodes[int(b, 16)] = node
        else:
            count = int(c, 16)
            nodes[int(a, 16)].self += count
            flat[names.of(int(b, 16))] += count
    return root, flat


def show(node, ops, least, depth=0):
    total = node.total() / ops
    if total < least:
        return
    print("%8.0f %7.0f %6.2f  %s%s" % (total, node.self / ops, node.calls / ops,
                                       "  " * depth, node.name))
    for child in sorted(node.children.values(), key=lambda c: -c.total()):
        show(child, ops, least, depth + 1)


def main():
    path, vmlinux, ops = sys.argv[1:4]
    least = float(sys.argv[4]) if len(sys.argv) > 4 else 10
    root, flat = read(path, Names(vmlinux))
    print("%8s %7s %6s" % ("total", "self", "calls"))
    show(root, float(ops), least)
    print("\nself, by function")
    for name, count in flat.most_common():
        if count / float(ops) >= least:
            print("%8.0f  %s" % (count / float(ops), name))


main()
