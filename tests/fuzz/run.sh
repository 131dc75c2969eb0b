#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh build FOLDER         the fuzz targets, with clang and its sanitizers
# run.sh TARGET SECONDS FOLDER  fuzz one of them, from the committed corpus
#
# FUZZ_SEED: 0 (default) is another one each time; ctest takes 1, so that what it
# tries is what it tried before, and new ground is make fuzz's.
# Finds go to FOLDER; a crash prints the input and fails. New inputs that reach
# new code stay in FOLDER/corpus-TARGET: `run.sh merge TARGET FOLDER` takes them
# into the committed corpus.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
clang=$(command -v clang-14 || command -v clang || true)
if [ -z "$clang" ]; then
	echo 'skipped: clang is not installed'
	exit 77
fi

case $1 in
build)
	if ! { cmake -S "$here/../.." -B "$2" -DCMAKE_C_COMPILER="$clang" \
		-DL4LB_FUZZ=ON -DCMAKE_BUILD_TYPE=Debug &&
		cmake --build "$2" --target fuzz -j2; } >"$2.log" 2>&1; then
		tail -n 20 "$2.log"
		exit 1
	fi
	;;
merge)
	exec "$3/fuzz_$2" -merge=1 "$here/corpus/$2" "$3/corpus-$2"
	;;
*)
	mkdir -p "$3/corpus-$1"
	exec "$3/fuzz_$1" -seed="${FUZZ_SEED:-0}" -max_total_time="$2" -timeout=10 \
		-error_exitcode=1 -timeout_exitcode=1 -rss_limit_mb=2048 \
		-max_len=4096 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$3/" "$3/corpus-$1" "$here/corpus/$1"
	;;
esac
