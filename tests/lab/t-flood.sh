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

# shellcheck source=flood.sh
. "$LAB_DIR/flood.sh"
HONEST_PER_S=10
COUNT=$((RATE * SECONDS_LONG))
HONEST=$((HONEST_PER_S * SECONDS_LONG))
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of lb)/status"; }

flood_up
start_clock
start_l4lb lb --state none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
	198.18.0.13 "$PORT"
hold_some
ok "$HELD established connections exchange lines"
# So that each page that half-open flows will ever need has been used once.
start_flood warm-up "$RATE" "$RATE"
finish warm-up 20
before=$(rss_kib)

# --- the flood
rounds_before=$rounds slowest_round=0
late=$(late_ms)
start_flood flood "$RATE" "$COUNT"
start_honest honest "$HONEST" "$HONEST_PER_S"
while is_running flood; do exchange; done
finish flood 20
expect "the flood's exit status" "$STATUS" 0
read -r _ sent _ ms <"$LAB_TMP/flood.out"
expect "SYNs sent" "$sent" "$COUNT"
limit=$((COUNT * 100000 / RATE / 95))
expect_true "  in $ms ms: $((sent * 1000 / ms)) a second, of $RATE" \
	took_at_most "$ms" $limit "$late"
expect_true "established: $HELD of $HELD answered in each of $((rounds - rounds_before)) rounds, the slowest $slowest_round ms" \
	[ $((rounds - rounds_before)) -ge $((SECONDS_LONG / 2)) ]

# --- it is over
begin=$(now_ms)
late=$(late_ms)
start_honest after 100 100
finish after 40
late=$(($(late_ms) - late))
expect "the 100 connections after it that were served in a second, and what the clock was late" \
	"$(visited after $((1000 + 3 * late)))" 100
say "        slowest connect $(slowest after) ms, all in $(($(now_ms) - begin)) ms"

finish honest 60
# Each of them asks again after 1, 3 and 7 s. Where not even the flood could be
# sent in time, chance decides which SYNs are read, and some ask twice.
within=$(visited honest 3000)
expect "honest: served, the slowest connect in $(slowest honest) ms" \
	"$(visited honest 30000)" "$HONEST"
if [ "$ms" -le $limit ]; then
	expect_true "  within 3 s: $within of $HONEST" \
		[ $((within * 100)) -ge $((HONEST * 99)) ]
else
	say "        within 3 s on this busy machine: $within of $HONEST"
fi
after=$(rss_kib)
# 4 MiB is what remembers SYNs, from the first one that is lost (syn_gate.h), and
# 12 MiB the journal, whose memory comes as it is written to for the first time.
expect_true "memory: $before KiB before, $after KiB after" \
	[ $((after - before)) -lt $((6144 + 12288)) ]
expect_false "no backend was thought to be down, or ejected" \
	log_has lb 'is down|is ejected'
exchange
ok "established: $HELD of $HELD"
release
dump lb >"$LAB_TMP/dump"
say "        $(sed -n 1p "$LAB_TMP/dump")"
resets=$(counter lb TcpOutRsts)
stop lb
expect "  exit status" "$STATUS" 0
say "        $(grep ' recycled=' "$LAB_TMP/lb.err" | tail -n 1 | cut -c 1-300)"
expect "  RST sent by the balancer's kernel" "$resets" 0
