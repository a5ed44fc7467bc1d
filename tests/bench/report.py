#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make tables, JSON and the data of charts from what tests/bench/guest.sh printed.

    bench-report.py DIRECTORY

DIRECTORY has PART.tsv for each part that was measured, and unpoliced-base.tsv from the
kernel without the series; tables and, after them, lines with the figures that are goals
go to standard output. bench.json (all systems), PART.json and *.dat go to DIRECTORY; in
unpoliced.json the systems of the kernel without the series end in "-base". Figures are
medians.
"""
import json
import os
import statistics
import sys

SYSTEMS = {
    "native": "native",
    "native-again": "again",
    "bind": "bind mount",
    "overlayfs": "overlayfs",
    "fuse": "FUSE, coherent",
    "fuse-plain": "FUSE, coherent, as Linux 7.3",
    "fuse-cached": "FUSE, cached for a day",
    "fuse-passthrough": "FUSE, read/write passed",
    "fuse-day": "FUSE, names cached for a day",
    "fuse-second": "FUSE, cached for 1 s",
    "fusepass": "fusepass",
    "policy-server": "always the server",
    "policy-pass": "always pass",
    "policy-mirror": "mirror",
    "policy-suffix": "suffix",
    "rules-1": "1 rule",
    "rules-10": "10 rules",
    "rules-100": "100 rules",
    "rules-1000": "1,000 rules",
    "rules-name": "1 name",
    "rules-names": "1,000 names",
}
ABOVE = 1.02        # of overlayfs: more than layout effects
UNPOLICED = 1.01    # of the unpatched kernel
RULES_LIMITS = {"rules-1": 150, "rules-name": 150, "rules-1000": 1000,
                "rules-names": 1000}

goals = []          # the last lines


def read(path):
    """Rows as lists of fields; none if the part was not measured."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t")[1:] for line in f]


class Figures:
    """min, median and max by operation and system, in the order measured. Of several
    guests the one with the least median counts: what disturbs only adds."""

    def __init__(self, *paths):
        self.ops, self.systems, self.rows = [], [], {}
        for op, system, *values in [row for path in paths for row in read(path)]:
            if op not in self.ops:
                self.ops.append(op)
            if system not in self.systems:
                self.systems.append(system)
            row = [float(v) for v in values]
            old = self.rows.setdefault((op, system), row)
            if row[1] < old[1]:
                self.rows[op, system] = row

    def get(self, op, system):
        return self.rows[op, system][1]

    def ratio(self, op, system, to="native"):
        return self.get(op, system) / self.get(op, to)

    def spread(self, op):
        """The largest distance between rounds of any system, in per cent."""
        return max(100 * (r[2] - r[0]) / r[1]
                   for (o, _), r in self.rows.items() if o == op)


def table(title, head, rows):
    print("\n## %s\n" % title)
    rows = [[str(c) for c in row] for row in rows]
    width = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    for n, row in enumerate([head] + rows):
        print("| " + " | ".join(c.ljust(w) if not i else c.rjust(w)
                                for i, (c, w) in enumerate(zip(row, width))) + " |")
        if not n:
            print("|" + "|".join("-" * (w + 1) + ("-" if not i else ":")
                                 for i, w in enumerate(width)) + "|")


def goal(line, *values):
    goals.append("bench: " + line % values)


def number(x):
    return "%.1f" % x if x >= 10 else "%.2f" % x


def report_systems(fig):
    shown = [s for s in fig.systems if s not in ("native", "native-again")]
    head = ["operation", "native"] + [SYSTEMS[s] for s in shown]
    rows, above = [], []
    for op in fig.ops:
        ours = fig.ratio(op, "fusepass", "overlayfs")
        if ours > ABOVE:
            above.append(op)
        rows.append([op, "%.0f" % fig.get(op, "native")] +
                    [number(fig.ratio(op, s)) for s in shown] +
                    ["%.3f%s" % (ours, " *" if ours > ABOVE else ""),
                     "%.1f %%" % fig.spread(op)])
    table("Instructions per operation, native = 1",
          head + ["fusepass / overlayfs", "spread"], rows)
    print("\n* %d of %d rows are above overlayfs by more than 2 %%%s" %
          (len(above), len(fig.ops), ": " + "; ".join(above) if above else ""))
    goal("%d of %d rows above overlayfs", len(above), len(fig.ops))
    if "native-again" not in fig.systems:
        return
    again = [abs(fig.ratio(op, "native-again") - 1) for op in fig.ops]
    print("\nThe same directory's twin differs from native by %.1f %% at most, %.2f %% in "
          "the median." % (100 * max(again), 100 * statistics.median(again)))


def report_hook(fig):
    systems = [s for s in fig.systems if s != "native"]
    table("Lookups under different policies, native = 1",
          ["operation", "native"] + [SYSTEMS[s] for s in systems],
          [[op, "%.0f" % fig.get(op, "native")] +
           [number(fig.ratio(op, s)) for s in systems] for op in fig.ops])


def report_rules(fig):
    """What a lookup costs by rules, above mirror, which has none."""
    counts = [s for s in fig.systems if s.startswith("rules-")]
    if not counts or "policy-mirror" not in fig.systems:
        return
    above = {s: max(fig.get(op, s) - fig.get(op, "policy-mirror") for op in fig.ops)
             for s in counts}
    table("Instructions of a lookup by rules, above mirror",
          ["operation"] + [SYSTEMS[s] for s in counts],
          [[op] + ["%.0f" % (fig.get(op, s) - fig.get(op, "policy-mirror"))
                   for s in counts] for op in fig.ops])
    for s, limit in RULES_LIMITS.items():
        if s in above:
            goal("%s: %.0f instructions above mirror, %s %d", SYSTEMS[s], above[s],
                 "limit" if above[s] <= limit else "ABOVE THE LIMIT OF", limit)


def report_bits(fig):
    kinds = ["none", "lookup", "only", "without", "all"]
    rows = []
    for op in fig.ops:
        names = dict.fromkeys(s.split(" ", 1)[1] for o, s in fig.rows if o == op)
        for name in names:
            rows.append([name, op] +
                        ["%.0f" % fig.get(op, "%s %s" % (k, name))
                         if (op, "%s %s" % (k, name)) in fig.rows else "" for k in kinds])
    table("Each operation of the mask by itself, instructions per operation",
          ["bit", "operation", "no policy", "LOOKUP alone", "LOOKUP and this",
           "all but this", "all"], rows)


def differ(a, b):
    """How many figures differ by more than 1 % one way or the other."""
    ratios = [a.get(*key) / b.get(*key) for key in a.rows if key in b.rows]
    return sum(r > UNPOLICED or 1 / r > UNPOLICED for r in ratios), len(ratios)


def report_unpoliced(new, old, guests):
    systems = [s for s in new.systems if s != "native"]
    rows, above, every = [], [], []
    for op in new.ops:
        ratios = [new.get(op, s) / old.get(op, s) for s in ["native"] + systems]
        every += ratios[1:]
        above += ["%s (%s)" % (op, SYSTEMS[s]) for s, r in zip(systems, ratios[1:])
                  if r > UNPOLICED]
        rows.append([op] + ["%.3f%s" % (r, " *" if i and r > UNPOLICED else "")
                            for i, r in enumerate(ratios)])
    table("Without a policy, patched kernel / unpatched kernel",
          ["operation", "native"] + [SYSTEMS[s] for s in systems], rows)
    print("\n* %d of %d figures are more than 1 %% above the unpatched kernel%s" %
          (len(above), len(rows) * len(systems), ": " + "; ".join(above) if above else ""))
    print("\n%d are more than 1 %% below it. In the median they are %.2f %% above." %
          (sum(1 / r > UNPOLICED for r in every), 100 * (statistics.median(every) - 1)))
    goal("%d of %d figures above the unpatched kernel", len(above), len(rows) * len(systems))
    if all(g.ops for g in guests):
        print("\nTwo guests with the unpatched kernel differ by more than 1 %% in %d of %d figures." %
              differ(*guests))


def report_memory(rows):
    systems = list(dict.fromkeys(r[0] for r in rows))
    things = list(dict.fromkeys(r[1] for r in rows))
    value = {(s, t): float(v) for s, t, v in rows}
    most = {t: max(abs(value.get((s, t), 0)) for s in systems) for t in things}
    per_file = sorted((t for t in things if not t.startswith("server")),
                      key=lambda t: -most[t])
    table("Memory, bytes per file looked up", ["cache"] + [SYSTEMS[s] for s in systems],
          [[t] + ["%.0f" % value.get((s, t), 0) for s in systems] for t in per_file])
    table("Memory of the server", ["", *(SYSTEMS[s] for s in systems)],
          [[t] + ["%.0f" % value[s, t] if (s, t) in value else "" for s in systems]
           for t in things if t.startswith("server")])
    goals_memory(value)


def goals_memory(value):
    """Of all slabs, since a passed inode keeps objects of the file system beneath."""
    ours, plain = value.get(("fusepass", "Slab")), value.get(("fuse-day", "Slab"))
    if ours is not None and plain is not None:
        goal("%.0f bytes per passed inode above a plain FUSE inode", ours - plain)
    for what, unit in (("fds", "open files"), ("RSS", "bytes of memory")):
        before, after = (value.get(("fusepass", "server %s %s" % (what, when)))
                         for when in ("before", "after"))
        if before is not None and after is not None:
            goal("%.0f more %s of the server of passed inodes after the walk",
                 after - before, unit)


def report_jobs(rows, directory):
    jobs = list(dict.fromkeys(r[0] for r in rows))
    systems = list(dict.fromkeys(r[1] for r in rows))
    best = {(j, s): min(float(v) for a, b, v in rows if (a, b) == (j, s))
            for j in jobs for s in systems}
    table("Whole jobs by the clock, two CPUs: native in ms, others with native = 1",
          ["job"] + [SYSTEMS[s] for s in systems],
          [[j, "%.0f" % best[j, systems[0]]] +
           [number(best[j, s] / best[j, systems[0]]) for s in systems[1:]] for j in jobs])
    with open(os.path.join(directory, "jobs.dat"), "w", encoding="utf-8") as f:
        f.write("\t".join(["job"] + [SYSTEMS[s] for s in systems]) + "\n")
        for j in jobs:
            f.write("\t".join([j] + ["%.3f" % (best[j, s] / best[j, systems[0]])
                                     for s in systems]) + "\n")


def json_rows(fig, suffix=""):
    return [{"op": op, "system": s + suffix, "instructions_per_op": round(fig.get(op, s), 1)}
            for op in fig.ops for s in fig.systems if (op, s) in fig.rows]


def write_json(data, directory, name):
    with open(os.path.join(directory, name + ".json"), "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1)
        f.write("\n")


def write_chart_data(fig, directory):
    systems = ["bind", "overlayfs", "fusepass", "fuse-passthrough", "fuse-cached", "fuse"]
    if not set(systems) <= set(fig.systems):
        return
    with open(os.path.join(directory, "systems.dat"), "w", encoding="utf-8") as f:
        f.write("\t".join(["operation"] + [SYSTEMS[s] for s in systems]) + "\n")
        for op in fig.ops:
            f.write("\t".join([op] + ["%.4f" % fig.ratio(op, s) for s in systems]) + "\n")


def main():
    directory = sys.argv[1]

    def path(part):
        return os.path.join(directory, part + ".tsv")

    fig = Figures(path("systems"))
    if fig.ops:
        report_systems(fig)
        write_json(json_rows(fig), directory, "bench")
        write_chart_data(fig, directory)
    for part, report in (("hook", report_hook), ("bits", report_bits)):
        fig = Figures(path(part))
        if fig.ops:
            report(fig)
            write_json(json_rows(fig), directory, part)
            if part == "hook":
                report_rules(fig)
    guests = [path("unpoliced-base"), path("unpoliced-base-2")]
    new, old = Figures(path("unpoliced"), path("unpoliced-2")), Figures(*guests)
    if new.ops and old.ops:
        report_unpoliced(new, old, [Figures(g) for g in guests])
        write_json(json_rows(new) + json_rows(old, "-base"), directory, "unpoliced")
    if read(path("memory")):
        report_memory(read(path("memory")))
    if read(path("jobs")):
        report_jobs(read(path("jobs")), directory)
    if goals:
        print("\n" + "\n".join(goals))


main()
