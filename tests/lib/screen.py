#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Draw a terminal's screen as SVG, as docs/top.svg was made:

    tmux capture-pane -e -p | screen.py >docs/top.svg

Of the attributes, reverse, bold and normal are known, which is what `fusepass top` uses.
"""
import html
import re
import sys

WIDTH, HEIGHT = 8.4, 18         # of a character of 14 px
BACK, FRONT = "#1e1e1e", "#dddddd"


def spans(line):
    """Parts of a line: column, text, reverse, bold."""
    column, reverse, bold = 0, False, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line.rstrip("\n")):
        if part.startswith("\x1b"):
            for code in part[2:-1].split(";"):
                reverse = code == "7" or (reverse and code not in ("", "0", "27"))
                bold = code == "1" or (bold and code not in ("", "0", "22"))
        elif part:
            yield column, re.sub(r"\x1b\(.|\x0f", "", part), reverse, bold
            column += len(part)


def draw(lines):
    columns = max(at + len(text) for line in lines for at, text, _, _ in spans(line))
    print('<!-- SPDX-License-Identifier: GPL-2.0-or-later -->')
    print('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">'
          % ((columns + 2) * WIDTH, (len(lines) + 1) * HEIGHT))
    print('<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % BACK)
    print('<g font-family="monospace" font-size="14" xml:space="preserve" fill="%s">' % FRONT)
    for n, line in enumerate(lines):
        y = (n + 1) * HEIGHT
        for at, text, reverse, bold in spans(line):
            x = (at + 1) * WIDTH
            if reverse:
                print('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>'
                      % (x, y - 13, len(text) * WIDTH, HEIGHT, FRONT))
            if text.strip():
                print('<text x="%.1f" y="%d" textLength="%.1f"%s%s>%s</text>' % (
                    x, y, len(text) * WIDTH, ' fill="%s"' % BACK if reverse else "",
                    ' font-weight="bold"' if bold else "", html.escape(text)))
    print("</g>\n</svg>")


screen = sys.stdin.read().rstrip().split("\n")
draw(screen)
