#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Transcripts in documents: what is shown, and is it what the commands print?

    transcript.py script FILE [FROM [TO]]          the commands, as a script for bash
    transcript.py compare FILE OUTPUT [FROM [TO]]  OUTPUT is what that script printed

A transcript is in lines indented by four: "$ " and a command, then what it printed. FROM
and TO are headings; what stands between them counts. Numbers and the width of gaps may
differ. What depends on chance (COUNTS) may have other lines besides those shown, in another
order; anything else may not. Prints the differences.
"""
import re
import sys

MARK = "@@@ "
COUNTS = re.compile(r"fusepass (top|stat) |cat seen")
SHELL = re.compile(r"^\[\d+\]|Terminated")      # what bash says of jobs


def transcript(path, begin=None, end=None):
    """Pairs of a command and the lines that it printed."""
    found, inside, shown = [], begin is None, False
    for line in open(path, encoding="utf-8").read().split("\n"):
        if line.startswith("#"):
            inside = (inside or line.lstrip("# ") == begin) and line.lstrip("# ") != end
        if line and not line.startswith("    "):
            shown = False
        elif inside and line.startswith("    $ "):
            found.append((line[6:], []))
            shown = True
        elif shown:
            found[-1][1].append(line[4:])
    return found


def script(commands):
    """What follows a command in the background finds it at work."""
    for n, (command, _) in enumerate(commands):
        print("echo '%s%d'" % (MARK, n))
        print(command)
        if command.endswith("&"):
            print("sleep $((3 * ${FUSEPASS_PATIENCE:-1}))")


def masked(lines):
    lines = [re.sub(r"\d+(\.\d+)?", "N", " ".join(line.split()))
             for line in lines if not SHELL.search(line)]
    return [line for line in lines if line]


def printed(path):
    parts, n = {}, None
    for line in open(path, encoding="utf-8", errors="replace").read().split("\n"):
        if line.startswith(MARK):
            n = int(line[len(MARK):])
            parts[n] = []
        elif n is not None:
            parts[n].append(line)
    return parts


def compare(commands, parts):
    bad = not commands
    for n, (command, lines) in enumerate(commands):
        want, got = masked(lines), masked(parts.get(n, []))
        if command.startswith("ls "):       # on a terminal in columns
            want, got = [sorted(" ".join(x).split()) for x in (want, got)]
        if COUNTS.search(command):
            missing = [line for line in want if line not in got]
        else:
            missing = want if want != got else []
        if missing or n not in parts:
            bad = True
            print("$ %s\nis to print\n%s\nprints\n%s" % (
                command, "\n".join(missing), "\n".join(got)))
    return bad


if sys.argv[1] == "script":
    script(transcript(sys.argv[2], *sys.argv[3:]))
else:
    sys.exit(compare(transcript(sys.argv[2], *sys.argv[4:]), printed(sys.argv[3])))
