#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Eight streams at once for ten seconds: none stalls, none breaks.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need iperf3
title "iperf3, 8 streams, 10 s"

lab_up lan
start iperf b1 iperf3 -s -1 -p 5201
wait_listens b1 5201
start_l4lb lb "$VIP" 198.18.0.11 5201
on client timeout 60 iperf3 -c "$VIP" -p "$VIP_PORT" -P 8 -t 10 -J >"$LAB_TMP/iperf.json" ||
	fail "iperf3 failed" "$(grep '"error"' "$LAB_TMP/iperf.json")"
finish iperf 10
expect "the server's exit status" "$STATUS" 0

# One line: streams, those that moved data, those that did in every second.
"$PYTHON" - "$LAB_TMP/iperf.json" >"$LAB_TMP/result" <<-'END'
	import json, sys
	r = json.load(open(sys.argv[1]))
	alive = set(range(8))
	for second in r["intervals"]:
	    alive -= {i for i, s in enumerate(second["streams"]) if s["bytes"] == 0}
	moved = [s for s in r["end"]["streams"] if s["receiver"]["bytes"] > 0]
	print(len(r["end"]["streams"]), len(moved), len(alive),
	      int(r["end"]["sum_received"]["bits_per_second"] / 1e6), r.get("error", "none"))
END
read -r streams moved alive mbits error <"$LAB_TMP/result"
expect "streams" "$streams" 8
expect "streams that moved data" "$moved" 8
expect "error" "$error" none
say "        $mbits Mbit/s together; $alive streams moved data in every second"
stop lb
