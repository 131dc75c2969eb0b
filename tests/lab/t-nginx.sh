#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Three web servers and 3000 new connections: none fails, and the split is
# exactly what the scheduler promises.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "3000 new connections to three nginx, rr and wrr"

BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")

# One curl, one connection after the other: the server closes each.
requests() { # COUNT [CURL OPTIONS]
	local count=$1
	shift
	on client curl -sS --no-progress-meter --fail --max-time 60 -H 'Connection: close' "$@" \
		"http://$VIP:$VIP_PORT/?[1-$count]"
}
shares() { sort "$1" | uniq -c | awk '{ printf "%s%s=%s", s, $2, $1; s = " " }'; }

lab_up lan
for host in b1 b2 b3; do start_nginx $host; done

start_l4lb rr "$VIP" "${BACKENDS[@]}"
requests 3000 >"$LAB_TMP/rr"
expect "rr, one after the other" "$(shares "$LAB_TMP/rr")" "b1=1000 b2=1000 b3=1000"
requests 3000 -Z --parallel-max 64 >"$LAB_TMP/rr-parallel"
expect "rr, 64 at a time" "$(shares "$LAB_TMP/rr-parallel")" "b1=1000 b2=1000 b3=1000"

dump rr >"$LAB_TMP/rr.dump"
expect "the dump's totals by backend" \
	"$(awk '/^# backend/ { b = 1; next } b { printf "%s ", $5 }' "$LAB_TMP/rr.dump")" \
	"2000 2000 2000 "
stop rr
expect "exit status" "$STATUS" 0

cat >"$LAB_TMP/wrr.conf" <<-END
	[service web]
	listen = $VIP:$VIP_PORT
	scheduler = wrr
	backend = 198.18.0.11:$PORT weight=3
	backend = 198.18.0.12:$PORT weight=2
	backend = 198.18.0.13:$PORT weight=1
END
start_l4lb wrr --config "$LAB_TMP/wrr.conf"
requests 3000 >"$LAB_TMP/wrr"
expect "wrr 3:2:1" "$(shares "$LAB_TMP/wrr")" "b1=1500 b2=1000 b3=500"
expect "wrr spreads within a round of 6" "$(head -n 600 "$LAB_TMP/wrr" |
	awk '{ n[$1]++ } NR % 6 == 0 { if (n["b1"] != 3 || n["b2"] != 2) bad++; delete n }
		END { print bad + 0 }')" 0
stop wrr
