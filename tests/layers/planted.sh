#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# planted.sh - layers.py sees a breach of each rule, planted in a small tree
#
#   planted.sh LAYERS_PY
set -euo pipefail

layers=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}

# A tree that keeps all rules: b calls a, io knows core.
plant() {
	rm -rf "$tmp/lb" "$tmp/lib.a"
	mkdir -p "$tmp/lb/core" "$tmp/lb/io" "$tmp/lb/control"
	printf '#pragma once\nint a(void);\n' >"$tmp/lb/core/a.h"
	printf '#include "core/a.h"\nint a(void)\n{\n\treturn 1;\n}\n' \
		>"$tmp/lb/core/a.c"
	printf '#include "core/a.h"\nint b(void);\nint b(void)\n{\n\treturn a();\n}\n' \
		>"$tmp/lb/core/b.c"
	printf '#pragma once\nint b(void);\n' >"$tmp/lb/core/b.h"
	printf '#include "core/a.h"\n' >"$tmp/lb/io/wire.c"
	printf '\n' >"$tmp/lb/control/config.h"
}

# As CMake does: the objects are called a.c.o.
build() {
	local c
	for c in "$tmp"/lb/core/*.c; do
		"$cc" -c -O0 -I "$tmp/lb" -o "$tmp/$(basename "$c").o" "$c"
	done
	ar rcs "$tmp/lib.a" "$tmp"/*.c.o
	rm -f "$tmp"/*.c.o
}

# expect STATUS WORDS...: what layers.py says of the tree as it is now.
expect() {
	local want=$1 status=0 said
	shift
	build
	said=$(python3 "$layers" "$tmp/lb" "$tmp/lib.a" 2>&1) || status=$?
	if [ "$status" != "$want" ] || [[ $said != *"$*"* ]]; then
		printf 'expected exit %s and "%s", got exit %s:\n%s\n' \
			"$want" "$*" "$status" "$said"
		exit 1
	fi
	printf 'ok: %s\n' "$*"
}

plant
expect 0 'no circle, layers kept'

plant
printf '#include "io/wire.h"\n' >>"$tmp/lb/core/a.h"
: >"$tmp/lb/io/wire.h"
expect 1 'core includes io/wire.h, which is not core'

plant
printf '#include "log.h"\n' >>"$tmp/lb/core/a.c"
: >"$tmp/lb/log.h"
expect 1 'core includes log.h, which is not core'

plant
: >"$tmp/lb/clock.h"
printf '#include "clock.h"\n' >>"$tmp/lb/io/wire.c"
expect 0 'no circle, layers kept'
printf '#include "clock.h"\n' >>"$tmp/lb/core/a.c"
expect 1 'core includes clock.h, which is not core'
rm "$tmp/lb/clock.h"

plant
printf '#pragma once\n' >"$tmp/lb/core/state.h"
printf '#include "core/state.h"\n' >>"$tmp/lb/core/b.h"
expect 0 'no circle, layers kept'
printf '#include "core/b.h"\n' >>"$tmp/lb/io/wire.c"
expect 1 'core/b.h is private to core'
plant
printf '#pragma once\n' >"$tmp/lb/core/state.h"
mkdir -p "$tmp/tests/rig" "$tmp/tests/rules"
printf '#include "core/state.h"\n' >"$tmp/tests/rig/inside.c"
expect 0 'no circle, layers kept'
cp "$tmp/tests/rig/inside.c" "$tmp/tests/rules/down.c"
expect 1 'core/state.h is private to core'
rm -r "$tmp/tests"

plant
printf '#include "control/config.h"\n' >>"$tmp/lb/io/wire.c"
expect 1 'io includes control/config.h of control'

plant
mkdir -p "$tmp/lb/net"
printf '#include "io/wire.h"\n' >"$tmp/lb/net/links.c"
expect 1 'net includes io/wire.h of io'
rm -r "$tmp/lb/net"

plant
mkdir -p "$tmp/lb/api" "$tmp/lb/host" "$tmp/lb/board"
: >"$tmp/lb/host/syscall_filter.h"
: >"$tmp/lb/host/guard.h"
printf '#include "core/a.h"\n' >"$tmp/lb/board/board.h"
printf '#include "board/board.h"\n#include "host/syscall_filter.h"\n' \
	>"$tmp/lb/api/main.c"
expect 0 'no circle, layers kept'
printf '#include "host/guard.h"\n' >>"$tmp/lb/api/main.c"
expect 1 'api includes host/guard.h of host'
rm "$tmp/lb/api/main.c"
printf '#include "host/syscall_filter.h"\n' >>"$tmp/lb/board/board.h"
expect 1 'board includes host/syscall_filter.h of host'
rm -r "$tmp/lb/api" "$tmp/lb/host" "$tmp/lb/board"

plant
mkdir -p "$tmp/lb/core/health"
printf '#include "net/links.h"\n' >"$tmp/lb/core/health/when.c"
expect 1 'core includes net/links.h, which is not core'

plant
printf '#include "core/b.h"\n' >>"$tmp/lb/core/a.h"
printf '#include "core/a.h"\n' >>"$tmp/lb/core/b.h"
expect 1 'a circle of includes: a.h -> b.h -> a.h'

plant
printf 'int b(void);\nint again(void);\nint again(void)\n{\n\treturn b();\n}\n' \
	>>"$tmp/lb/core/a.c"
expect 1 'a circle of calls: a -> b -> a'
