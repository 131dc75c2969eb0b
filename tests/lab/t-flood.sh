#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A SYN flood from 32,000 addresses that nobody has: established connections
# do not notice, honest new ones are served, memory stays, and when it is over
# it is over.
#
#	t-flood.sh [SYNS A SECOND] [SECONDS]		20000 10
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
RATE=${1:-20000} SECONDS_LONG=${2:-10}
title "a SYN flood of $RATE a second for $SECONDS_LONG s"

CLIENTS=$LAB_DIR/clients.py
HONEST_PER_S=10
COUNT=$((RATE * SECONDS_LONG))
HONEST=$((HONEST_PER_S * SECONDS_LONG))

lab_up lan
# What answers them goes to the client's host, and no further: its kernel has
# no such connection and would reset it, which would be the flood's end.
on lb ip route add 198.18.128.0/17 via "$CLIENT"
on client nft 'table ip nobody { chain in {
	type filter hook prerouting priority raw; ip daddr 198.18.128.0/17 drop; }; }'
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
start_l4lb lb --state none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
	198.18.0.13 "$PORT"

rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of lb)/status"; }
visited() { awk -v most="$2" '$1 ~ /^echo/ && $2 <= most { n++ } END { print n + 0 }' "$LAB_TMP/$1.out"; }
slowest() { sed -n 's/^done.* slowest_ms=\([0-9]*\).*/\1/p' "$LAB_TMP/$1.out"; }
flood() { # NAME COUNT
	start "$1" client "$LAB_TOOLS/flood" eth0 "$(lab_mac "$VIP")" "$VIP" \
		"$VIP_PORT" 198.18.128.0 32768 "$RATE" "$2"
}
rounds=0 slowest_round=0
exchange() {
	local began
	began=$(now_ms)
	rounds=$((rounds + 1))
	tell held "say round $rounds" '^said' "$rounds"
	[ "$(tail -n 1 "$LAB_TMP/held.out")" = "said echo1=7 echo2=7 echo3=6" ] ||
		fail "round $rounds of the established" "$(tail -n 1 "$LAB_TMP/held.out")"
	began=$(($(now_ms) - began))
	[ $began -le $slowest_round ] || slowest_round=$began
}

start_hold held client "$VIP" "$VIP_PORT" 20
exchange
ok "20 established connections exchange lines"
# So that each page that half-open flows will ever need has been used once.
flood warm-up "$RATE"
finish warm-up 20
before=$(rss_kib)

# --- the flood
rounds_before=$rounds slowest_round=0
flood flood "$COUNT"
start honest client "$PYTHON" "$CLIENTS" stream "$VIP" "$VIP_PORT" "$HONEST" "$HONEST_PER_S"
while is_running flood; do
	exchange
	sleep 0.05
done
finish flood 5
expect "the flood's exit status" "$STATUS" 0
read -r _ sent _ ms <"$LAB_TMP/flood.out"
expect "SYNs sent" "$sent" "$COUNT"
expect_true "  in $ms ms: $((sent * 1000 / ms)) a second, of $RATE" \
	[ $((sent * 1000 / ms)) -ge $((RATE * 95 / 100)) ]
expect_true "established: 20 of 20 answered in each of $((rounds - rounds_before)) rounds, the slowest $slowest_round ms" \
	[ $((rounds - rounds_before)) -ge $((2 * SECONDS_LONG)) ]

# --- it is over
begin=$(now_ms)
start after client "$PYTHON" "$CLIENTS" stream "$VIP" "$VIP_PORT" 100 100
finish after 40
expect "the 100 connections after it that were served" "$(visited after 1000)" 100
say "        slowest connect $(slowest after) ms, all in $(($(now_ms) - begin)) ms"

finish honest 60
within=$(visited honest 3000)
expect_true "honest: $within of $HONEST served within 3 s, the slowest connect $(slowest honest) ms" \
	[ $((within * 100)) -ge $((HONEST * 99)) ]
after=$(rss_kib)
expect_true "memory: $before KiB before, $after KiB after" \
	[ $((after - before)) -lt 4096 ]
expect_false "no backend was thought to be down, or ejected" \
	log_has lb 'is down|is ejected'
exchange
ok "established: 20 of 20"
tell held close '^closed'
finish held 10
dump lb >"$LAB_TMP/dump"
say "        $(sed -n 1p "$LAB_TMP/dump")"
stop lb
expect "  exit status" "$STATUS" 0
say "        $(grep ' recycled=' "$LAB_TMP/lb.err" | tail -n 1 | cut -c 1-300)"
expect "  RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
