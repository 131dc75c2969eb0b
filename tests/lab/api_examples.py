#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
api_examples.py - the examples of l4lb-api(8), run and compared

    api_examples.py MANUAL         runs them in one shell, in their order, and
                                   says which gave something else
    api_examples.py --fill MANUAL  puts what came into the manual, for @@

An example is a line that begins with "$ ", with those that continue it, and the
lines behind it up to the next one: what it prints. Blanks do not count there,
all numbers are equal, and ... stands for anything. Exits 1 if one differs.
"""

import re
import subprocess
import sys

END = "--8<--"
WIDTH = 72
SHOWN = 560  # bytes of an answer that --fill shows


def plain(line):
    """A line of the manual as a reader sees it."""
    line = line[2:] if line.startswith("\\&") else line
    return line.replace("\\e", "\\").replace("\\-", "-")


def roff(line):
    line = line.replace("\\", "\\e")
    return "\\&" + line if line[:1] in (".", "'") else line


def continues(command):
    """The shell wants more lines of @command."""
    return subprocess.run(["bash", "-n", "-c", command],
                          capture_output=True, check=False).returncode != 0 \
        or command.endswith("\\") or "here-document" in subprocess.run(
            ["bash", "-n", "-c", command], capture_output=True, text=True,
            check=False).stderr


def examples(lines):
    """(command, first line of the output, behind its last) of each."""
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            at += 1
            continue
        command = plain(lines[at])[2:]
        at += 1
        while continues(command):
            command += "\n" + plain(lines[at])
            at += 1
        begin = at
        while not lines[at].startswith("$ ") and lines[at] != ".Ed":
            at += 1
        yield command, begin, at


def run(commands):
    """What each printed; all of them in one shell."""
    script = "".join(f"{c}\nprintf '\\n%s\\n' '{END}'\n" for c in commands)
    out = subprocess.run(["bash", "-s"], input=script, capture_output=True,
                         text=True, check=False)
    sys.stderr.write(out.stderr)
    parts = out.stdout.split(f"\n{END}\n")
    return parts[:len(commands)]


def normal(text):
    return re.sub(r"\d+(\.\d+)?", "N", re.sub(r"\s+", "", text))


def matches(expected, came):
    pattern = ".*".join(re.escape(p) for p in normal(expected).split("..."))
    return re.fullmatch(pattern, normal(came), re.S) is not None


def wrapped(text):
    """As in the manual: JSON is cut and wrapped, other text is cut by lines."""
    text = text.rstrip("\n")
    if not text.startswith(("{", "[{")):
        lines = text.split("\n")
        return [line if len(line) <= WIDTH else line[:WIDTH - 3] + "..."
                for line in lines[:14]] + (["..."] if len(lines) > 14 else [])
    if len(text) > SHOWN + 60:
        text = text[:text.rindex(",", 0, SHOWN) + 1] + "..."
    lines = []
    while len(text) > WIDTH:
        cut = max(text.rfind(c, 0, WIDTH) for c in ",{ ") + 1 or WIDTH
        lines.append(text[:cut].rstrip())
        text = text[cut:]
    return lines + [text]


def main():
    fill = sys.argv[1] == "--fill"
    with open(sys.argv[-1], encoding="utf-8") as f:
        lines = f.read().split("\n")
    found = list(examples(lines))
    came = run([command for command, _, _ in found])
    if len(came) != len(found):
        print(f"{len(found)} examples, but {len(came)} answers")
        return 1
    if fill:
        for (_, begin, end), text in reversed(list(zip(found, came))):
            if lines[begin:end] == ["@@"]:
                lines[begin:end] = [roff(line) for line in wrapped(text)]
        with open(sys.argv[-1], "w", encoding="utf-8") as f:
            f.write("\n".join(lines))
        return 0
    wrong = 0
    for (command, begin, end), text in zip(found, came):
        expected = "\n".join(plain(line) for line in lines[begin:end])
        if not matches(expected, text):
            wrong += 1
            print(f"$ {command}\n  expected: {expected}\n  came:     {text}")
    print(f"{len(found)} examples, {wrong} differ")
    return 1 if wrong or len(found) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
