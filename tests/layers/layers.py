#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
layers.py - holds the program to its layers (docs/design.md section 3)

    layers.py SOURCES LIBRARY...

SOURCES is the folder lb/, LIBRARY a static library built from some of it. Four
rules:

  1. lb/core includes nothing of ours but lb/core;
  2. no other layer includes one that stands above it (MAY_INCLUDE below);
  3. outside lb/core nobody includes core/state.h, the inside of the engine, nor
     a header that includes it; of the folder tests/ beside lb/, tests/rig alone;
  4. the files of lb/core form no circle, neither by what they include nor by
     what they call.

Calls are read from the symbol tables of LIBRARY, so a call through an inline
function of a header counts for the file that it was compiled into. Prints each
breach with its place, and exits 1; 2 when it cannot be told.
"""

import collections
import pathlib
import re
import subprocess
import sys

# Layer: the layers that it may include besides itself. "" is lb/ itself, which
# may include all.
MAY_INCLUDE = {
    "core": set(),
    "net": {"core"},
    "host": {"core"},
    "io": {"core", "net"},
    "control": {"core", "net", "io", "host", ""},
    # What l4lb and l4lb-api share.
    "board": {"core"},
    # Another process, without privileges: of the host only what is in ALSO.
    "api": {"core", "board", "control"},
    # It knows the balancer by HTTP alone.
    "ctl": set(),
}
# Single headers that a layer may include besides.
ALSO = {
    # One sentence for the user.
    "ctl": {"core/err.h"},
    "api": {"host/syscall_filter.h", "log.h"},
}
# What any layer but core may include, though it lies in lb/ itself.
SHARED = {"clock.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def includes(path):
    """(line number, what is included) of every include of ours in @path."""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1)


def layer(name):
    """The layer of an include or a file below lb/: its first folder, or ""."""
    return name.partition("/")[0] if "/" in name else ""


def check_layers(sources):
    """One sentence for each include that a layer may not have."""
    for path in sorted(sources.rglob("*.[ch]")):
        here = layer(str(path.relative_to(sources)))
        for number, name in includes(path):
            there = layer(name)
            if here == "" or there == here or there in MAY_INCLUDE.get(here, set()):
                continue
            if name in SHARED and here != "core":
                continue
            if name in ALSO.get(here, set()):
                continue
            if here == "core":
                yield f"{path}:{number}: core includes {name}, which is not core"
            else:
                yield (f"{path}:{number}: {here} includes {name} of "
                       f"{there or 'lb'}")


def private_headers(core):
    """core/state.h and all headers of @core that include it, at any depth."""
    private, before = {"core/state.h"}, 0
    while len(private) > before:
        before = len(private)
        for path in core.rglob("*.h"):
            if any(name in private for _, name in includes(path)):
                private.add(str(path.relative_to(core.parent)))
    return private


def check_private(sources):
    """One sentence for each include of the inside of the engine."""
    private = private_headers(sources / "core")
    root = sources.resolve().parent
    # The chat has a core/room.h of its own.
    may = {root / sources.name / "core", root / "tests" / "rig",
           root / "tests" / "chat"}
    for path in sorted([*(root / sources.name).rglob("*.[ch]"),
                        *(root / "tests").rglob("*.[ch]")]):
        if not may.isdisjoint(path.parents):
            continue
        for number, name in includes(path):
            if name in private:
                yield (f"{path}:{number}: {name} is private to core; "
                       f"engine.h and view.h are for others")


def unit(name):
    """foo for core/foo.c and its object, foo.c.o."""
    return re.sub(r"\.c(\.o)?$", "", pathlib.PurePath(name).name)


def include_edges(core):
    """{file: {file it includes: where}} of the files in @core."""
    edges = collections.defaultdict(dict)
    for path in sorted(core.rglob("*.[ch]")):
        for number, name in includes(path):
            if layer(name) == "core":
                edges[path.name].setdefault(
                    pathlib.PurePath(name).name,
                    f"{path}:{number} includes {name}")
    return edges


def symbols(library):
    """(defined, wanted): {symbol: object}, {object: symbols} of @library."""
    out = subprocess.run(["nm", "-A", library], check=True,
                         capture_output=True, text=True).stdout
    defined, wanted = {}, collections.defaultdict(set)
    for line in out.splitlines():
        found = re.match(r".*?:([^:]+\.o):\S*\s+(\w)\s+(\S+)$", line)
        if not found:
            continue
        member, kind, symbol = found.groups()
        if kind == "U":
            wanted[member].add(symbol)
        elif kind in "TDBRV":
            defined[symbol] = member
    return defined, wanted


def call_edges(libraries, units):
    """{unit: {unit it calls: which function}} between @units."""
    defined, wanted = {}, {}
    for library in libraries:
        more_defined, more_wanted = symbols(library)
        defined.update(more_defined)
        wanted.update(more_wanted)
    edges = collections.defaultdict(dict)
    for member in sorted(wanted):
        for symbol in sorted(wanted[member]):
            target = defined.get(symbol)
            a, b = unit(member), unit(target) if target else None
            if b and a != b and a in units and b in units:
                edges[a].setdefault(b, f"{a} calls {symbol}() of {b}")
    return edges


def circle(edges):
    """The units of a circle in @edges, the first once more at the end, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for following in sorted(edges.get(node, {})):
            found = visit(following)
            if found:
                return found
        done.add(path.pop())
        return None

    for start in sorted(edges):
        found = visit(start)
        if found:
            return found
    return None


def check_circle(edges, what):
    """Sentences that show a circle in @edges, if there is one."""
    found = circle(edges)
    if not found:
        return
    yield f"lb/core has a circle of {what}: {' -> '.join(found)}"
    for a, b in zip(found, found[1:]):
        yield f"    {edges[a][b]}"


def main():
    if len(sys.argv) < 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    sources = pathlib.Path(sys.argv[1])
    core = sources / "core"
    units = {unit(path.name) for path in core.rglob("*.c")}
    if not units:
        print(f"{core}: there are no sources", file=sys.stderr)
        return 2
    try:
        calls = call_edges(sys.argv[2:], units)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"the symbols cannot be read: {error}", file=sys.stderr)
        return 2
    if not calls:
        print("no call between files of lb/core was found: are the libraries "
              "those of lb/core?", file=sys.stderr)
        return 2
    breaches = [*check_layers(sources),
                *check_private(sources),
                *check_circle(include_edges(core), "includes"),
                *check_circle(calls, "calls")]
    for breach in breaches:
        print(breach)
    if not breaches:
        print(f"{len(units)} files of lb/core: no circle, layers kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
