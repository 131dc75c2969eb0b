#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
shape.py - output without what differs from run to run

    shape.py <OUTPUT

Blanks become one, numbers N, local times TIME, ports that a kernel or l4lb chose
PORT. What stays are words, ids, and the addresses that the test gave out.
"""

import re
import sys

OWN_PORTS = {"20000", "9001", "9002", "80", "8080"}
UNITS = r"(?:ms|[kMGTPE%smhd]|m\d\ds|h\d\dm|d\d\dh)?"
NUMBER = re.compile(rf"\+?\d+(?:\.\d+)?{UNITS}")
EDGES = re.compile(r"^([(\"'<]*)(.*?)([)\"',;:.>]*)$")


def word(text):
    """One word of a line."""
    begin, inner, end = EDGES.match(text).groups()
    key, equals, value = inner.rpartition("=")
    if equals and re.fullmatch(r"\w+", key):
        return f"{begin}{key}={word(value)}{end}"
    if NUMBER.fullmatch(inner):
        inner = "N"
    elif re.fullmatch(rf"{NUMBER.pattern}(?:/{NUMBER.pattern})+", inner):
        inner = "/".join("N" for _ in inner.split("/"))
    elif re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", inner):
        inner = "TIME"
    elif re.fullmatch(r"\d+(?:\.\d+){3}:\d+", inner):
        host, _, port = inner.partition(":")
        if port not in OWN_PORTS:
            inner = f"{host}:PORT"
    return begin + inner + end


def shape(text):
    """The lines of @text, as above."""
    lines = []
    for line in text.splitlines():
        # How many checks have failed since it is down depends on the moment.
        line = re.sub(r", \d+ failed in a row", "", line)
        line = re.sub(r"\b[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\b", "TIME", line)
        lines.append(" ".join(word(w) for w in line.split()))
    return "".join(line + "\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(shape(sys.stdin.read()))
