#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
operations.py - a page of commands and their outputs, as a test

    operations.py split PAGE DIR    DIR/NNN.cmd: a command, NNN.want: what the
                                    page shows for it, NNN.lab: what the lab does
    operations.py judge PAGE DIR    compares NNN.want with NNN.seen by its shape
    operations.py write PAGE DIR    puts what was seen into the page

In the page, commands are lines that begin with "$ " in blocks ```console; their
output follows. <!-- lab: ... --> is what happens around them. A number of one run
(a port, a flow) is written #NAME=VALUE# in such a comment, and DIR/NAME has that
of this run.
"""

import difflib
import pathlib
import re
import sys

from shape import shape


def steps(lines):
    """(kind, text, line of its output, lines of it) for all of the page."""
    at, inside = 0, False
    while at < len(lines):
        line = lines[at]
        comment = re.fullmatch(r"<!-- lab: (.*) -->", line)
        at += 1
        if line.startswith("```"):
            inside = line == "```console"
        elif comment:
            yield "lab", comment[1], at, 0
        elif inside and line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + lines[at].lstrip("> ")
                at += 1
            begin = at
            while not lines[at].startswith(("$ ", "```")):
                at += 1
            yield "cmd", command, begin, at - begin


def numbered(lines):
    """The same with a name for each step."""
    for n, (kind, *rest) in enumerate(steps(lines)):
        yield f"{n:03}", kind, *rest


def split(page, folder):
    """Writes the steps."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for name, kind, text, begin, count in numbered(lines):
        (folder / f"{name}.{kind}").write_text(text + "\n", encoding="utf-8")
        if kind == "cmd":
            want = "".join(s + "\n" for s in lines[begin:begin + count])
            (folder / f"{name}.want").write_text(want, encoding="utf-8")


def judge(page, folder):
    """True if the page tells the truth."""
    right = True
    lines = page.read_text(encoding="utf-8").splitlines()
    for name, kind, text, _, _ in numbered(lines):
        if kind != "cmd":
            continue
        want = shape((folder / f"{name}.want").read_text(encoding="utf-8"))
        seen = (folder / f"{name}.seen").read_text(encoding="utf-8")
        if want == shape(seen):
            print(f"  ok    {text}")
            continue
        right = False
        print(f"  FAIL  {text}")
        print("".join(difflib.unified_diff(
            want.splitlines(True), shape(seen).splitlines(True),
            "the page", "this run")), end="")
        print("  ---- as it came:\n" + seen)
    return right


def write(page, folder):
    """Replaces outputs, from the last to the first, then numbers."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for name, kind, _, begin, count in reversed(list(numbered(lines))):
        if kind == "cmd":
            seen = (folder / f"{name}.seen").read_text(encoding="utf-8")
            lines[begin:begin + count] = [s.rstrip() for s in seen.splitlines()]
    text = "".join(line + "\n" for line in lines)
    for name, old in re.findall(r"#(\w+)=(\d+)#", text):
        new = (folder / name).read_text(encoding="utf-8").strip()
        text = re.sub(rf"(?<![\d.]){old}(?![\d.])", new, text)
    page.write_text(text, encoding="utf-8")


def main():
    """See above."""
    what, page, folder = sys.argv[1], *map(pathlib.Path, sys.argv[2:4])
    if what == "judge":
        return 0 if judge(page, folder) else 1
    (split if what == "split" else write)(page, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
