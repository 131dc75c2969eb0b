#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh build FOLDER         the fuzz targets, with clang and its sanitizers
# run.sh TARGET SECONDS FOLDER  fuzz one of them, from the committed corpus:
#                             chat, command, config, engine, http_query, icmp, plan,
#                             state, state_file; of the chat's core: hook, http,
#                             linecmd, resp, ws, wsjson
# run.sh merge TARGET FOLDER  what of FOLDER/corpus-TARGET reaches new code goes
#                             into the committed corpus
#
# FUZZ_SEED: 0 (default) is another one each time; ctest takes 1, so that what it
# tries is what it tried before, and new ground is make fuzz's.
# Finds go to FOLDER; a crash prints the input and fails. New inputs that reach
# new code stay in FOLDER/corpus-TARGET, where captures.sh puts its own, too.
# What libFuzzer says is in FOLDER/TARGET.log; the last line printed is of the
# form "engine: 427046 runs, 1204 edges, clean": inputs tried, and edges of the
# control flow, of all that is linked into the target, that any of them took.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
clang=$(command -v clang-14 || command -v clang || true)
if [ -z "$clang" ]; then
	echo 'skipped: clang is not installed'
	exit 77
fi

# Files of the targets: in memory where that is possible, and gone afterwards.
scratch() {
	for where in /dev/shm "${TMPDIR:-/tmp}"; do
		TMPDIR=$(mktemp -d -p "$where" l4lb-fuzz.XXXXXX 2>/dev/null) && break
	done
	export TMPDIR
	trap 'rm -rf "$TMPDIR"' EXIT
}

# last PATTERN FILE: the number behind its last occurrence
last() { sed -n "s/.*$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1; }

fuzz() { # TARGET SECONDS FOLDER
	log=$3/$1.log
	mkdir -p "$3/corpus-$1"
	scratch
	verdict=clean status=0
	"$3/fuzz_$1" -seed="${FUZZ_SEED:-0}" -max_total_time="$2" -timeout=10 \
		-error_exitcode=1 -timeout_exitcode=1 -rss_limit_mb=2048 \
		-max_len=4096 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$3/" "$3/corpus-$1" "$here/corpus/$1" \
		>"$log" 2>&1 &
	fuzzer=$!
	trap 'kill "$fuzzer"; exit 130' HUP INT TERM
	wait "$fuzzer" || status=$?
	if [ "$status" -ne 0 ]; then
		verdict="FAILED, see $log"
		tail -n 80 "$log"
	fi
	runs=$(last stat::number_of_executed_units "$log")
	edges=$(last cov "$log")
	echo "$1: ${runs:-?} runs, ${edges:-?} edges, $verdict"
	return "$status"
}

# By the names that they have in FOLDER: libFuzzer's own are checksums.
merge() { # TARGET FOLDER
	scratch
	"$2/fuzz_$1" -merge=1 "$here/corpus/$1" "$2/corpus-$1"
	for input in "$2/corpus-$1"/*; do
		[ -e "$input" ] || continue
		new=$here/corpus/$1/$(sha1sum "$input" | cut -c 1-40)
		[ ! -e "$new" ] || [ "${new##*/}" = "${input##*/}" ] ||
			mv "$new" "$here/corpus/$1/${input##*/}"
	done
}

case $1 in
build)
	mkdir -p "$2"
	if ! { cmake -S "$here/../.." -B "$2" -DCMAKE_C_COMPILER="$clang" \
		-DL4LB_FUZZ=ON -DCMAKE_BUILD_TYPE=Debug &&
		cmake --build "$2" --target fuzz -j2; } >"$2.log" 2>&1; then
		tail -n 20 "$2.log"
		exit 1
	fi
	;;
merge) merge "$2" "$3" ;;
*) fuzz "$1" "$2" "$3" ;;
esac
