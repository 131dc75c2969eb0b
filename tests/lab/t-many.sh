#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Very many connections at once: as many as ports and table hold, and then a
# refusal, never silence. The ends are synthetic (synth.c): no sockets.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "100,000 connections; a table and a port pool that are full"

lab_up lan
on lb ip address add 198.18.0.3/24 dev eth0
# The clients: 198.18.128.0/17, all behind the client's host.
on lb ip route add 198.18.128.0/17 via 198.18.0.2
for i in 1 2 3; do
	on b$i nft 'table ip quiet { chain in {
		type filter hook input priority 0; tcp dport 9001 drop; }; }'
	start answer$i b$i "$LAB_TOOLS/synth" answer eth0 "$PORT"
	wait_log answer$i '^answering'
done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")
open_flows() { # FIRST_SOURCE COUNT
	on client "$LAB_TOOLS/synth" open eth0 "$(lab_mac "$VIP")" "$VIP" \
		"$VIP_PORT" "$1" "$2"
}

# --- two source addresses: 2 x 3 x 22,000 ports and more
{
	printf '[global]\nflows = 131072\n[service many]\n'
	printf 'listen = %s\n' "$VIP:$VIP_PORT"
	printf 'backend = %s\n' 198.18.0.1{1,2,3}:"$PORT"
	printf 'source = %s\n' "$VIP 198.18.0.3"
} >"$LAB_TMP/many.conf"
start_l4lb many --config "$LAB_TMP/many.conf"
begin=$(now_ms)
expect "100,000 from two source addresses" "$(open_flows 198.18.128.1 100000)" \
	"opened 100000 refused 0 unanswered 0"
say "        $(($(now_ms) - begin)) ms"
dump many >"$LAB_TMP/dump"
expect "  the dump shows them all ESTABLISHED" \
	"$(grep -c ' ESTABLISHED ' "$LAB_TMP/dump")" 100000
expect "  none shares a NAT address, port and backend with another" \
	"$(awk '/ ESTABLISHED / { print $4, $5 }' "$LAB_TMP/dump" | sort | uniq -d | wc -l)" 0
expect "  from both addresses" "$(awk '/ ESTABLISHED / { sub(":.*", "", $4); print $4 }' \
	"$LAB_TMP/dump" | sort -u | tr '\n' ' ')" "$VIP 198.18.0.3 "

# --- asked for again while one is being written
written() { [ "$(grep -c "^# $1 " "$LAB_TMP/many.out")" -ge "$2" ]; }
kill -USR1 "$(pid_of many)"
wait_until 10 "another dump to begin" written l4lb 2
kill -USR1 "$(pid_of many)"
wait_until 10 "the one asked for meanwhile to end" written backend 3
expect "  a dump asked for while another is written follows it, whole" \
	"$(grep -c ' ESTABLISHED ' "$LAB_TMP/many.out")" 300000
stop many

# --- one source address: 70,000 do not fit. First all that do, then the rest:
# while half-open ones are about, a new SYN may rightly take the place of one.
start_l4lb one --flows 131072 "$VIP" "${BACKENDS[@]}"
ports=$(grep -o ' free=[0-9]*' "$LAB_TMP/one.err" | cut -d= -f2)
fit=$((3 * ports)) rest=$((70000 - 3 * ports))
expect_true "one source address has $ports ports toward each of 3 backends" \
	[ "$ports" -gt 22000 -a "$rest" -gt 0 ]
expect "  it takes as many" "$(open_flows 198.18.136.1 $fit)" \
	"opened $fit refused 0 unanswered 0"
expect "  and of 70,000 refuses the rest, with RST" "$(open_flows 198.18.143.1 $rest)" \
	"opened 0 refused $rest unanswered 0"
expect "  while every established one stays" "$(dump_flows one ESTABLISHED)" $fit
stop one
expect_true "  the refusals are counted, by reason" log_has one "no-port $rest\b"

# --- a full table
start_l4lb full --flows 1000 "$VIP" "${BACKENDS[@]}"
expect "a table of 1000 takes 1000" "$(open_flows 198.18.144.1 1000)" \
	"opened 1000 refused 0 unanswered 0"
expect "  and refuses more, with RST" "$(open_flows 198.18.145.1 500)" \
	"opened 0 refused 500 unanswered 0"
wait_log full 'warning: the flow table is full, [0-9]* new connections were refused; .* above 1000' 20
expect "  while every established one stays" "$(dump_flows full ESTABLISHED)" 1000
stop full
expect_true "  the refusals are counted, by reason" log_has full 'table-full 500\b'
