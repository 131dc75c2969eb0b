#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# many.sh - the whole test suite, again and again, on a busy machine
#
#   tests/many.sh [RUNS] [CTEST ARGUMENTS]      20 runs
#
# A program that spins runs beside it on each core. One line a run: its number,
# how it ended, seconds, the tests that failed. What a run with failures said
# stays in BUILD/many/N.log; BUILD and TEST_JOBS are those of the Makefile.
# Exit: 0 if no test failed in any run.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-20}
[ $# -eq 0 ] || shift
build=${BUILD:-build}
logs=$build/many
mkdir -p "$logs"

loops=()
trap 'kill "${loops[@]}"' EXIT
for ((i = $(nproc); i > 0; i--)); do
	sh -c 'while :; do :; done' &
	loops+=($!)
done

failures=0
for ((run = 1; run <= runs; run++)); do
	log=$logs/$run.log start=$SECONDS status=0
	make test BUILD="$build" CTEST_FLAGS="$*" >"$log" 2>&1 </dev/null || status=$?
	# ctest lists them at the end, a line each: "	 96 - lab/t-wire (Failed)"
	failed=$(sed -nE 's/^[[:space:]]+[0-9]+ - ([^ ]+) \((Failed|Timeout|SEGFAULT|.*Exception.*)\).*/\1/p' "$log" | xargs)
	if [ "$status" -eq 0 ]; then
		result=passed
		rm "$log"
	else
		result=FAILED
		failures=$((failures + 1))
		[ -n "$failed" ] || failed="see $log"
	fi
	printf 'run %d of %d  %s  %d s  %s\n' "$run" "$runs" "$result" \
		$((SECONDS - start)) "$failed"
done
[ "$failures" -eq 0 ]
