#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients that are silent learn of a reset by the reset alone: nobody sends it
# again. So none may be lost in the balancer itself: not when a dead backend's
# resets wait for a neighbour that never answers, and fill a socket, nor when
# the way out has no room for a burst.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft tc
FLOWS=20000
title "resets of $FLOWS flows of a dead host, and of 500 by a slow link"

lab_up lan
on lb tc qdisc add dev eth0 root tbf rate 1mbit burst 2k limit 3k 2>/dev/null ||
	skip "no tbf queue in this kernel"
on lb tc qdisc del dev eth0 root

on b1 nft 'table ip quiet { chain in {
	type filter hook input priority 0; tcp dport 9001 drop; }; }'
start answer b1 "$LAB_TOOLS/synth" answer eth0 "$PORT"
wait_log answer '^answering'
for i in 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
on lb ip route add 198.18.128.0/17 via "$CLIENT"
cat >"$LAB_TMP/lb.conf" <<-END
	[global]
	flows = 65536
	[service many]
	listen = $VIP:$VIP_PORT
	interval = 200ms
	timeout = 300ms
	backend = 198.18.0.11:$PORT
	[service few]
	listen = $VIP:20001
	interval = 200ms
	timeout = 300ms
	backend = 198.18.0.12:$PORT
	[service alive]
	listen = $VIP:20002
	interval = 200ms
	timeout = 300ms
	backend = 198.18.0.13:$PORT
END
start_l4lb lb --config "$LAB_TMP/lb.conf"
expect "$FLOWS flows" "$(on client "$LAB_TOOLS/synth" open eth0 \
	"$(lab_mac "$VIP")" "$VIP" "$VIP_PORT" 198.18.128.1 $FLOWS)" \
	"opened $FLOWS refused 0 unanswered 0"
start_hold few client "$VIP" 20001 500
start_hold alive client "$VIP" 20002 200

# --- a dead host
# One dead neighbour may hold more than a socket may send; by default it takes
# a few of them.
on lb sysctl -qw net.ipv4.neigh.eth0.unres_qlen_bytes=$((64 << 20))
# A capture might lose some of so many.
on client nft "table ip seen { counter resets {}; chain in {
	type filter hook prerouting priority raw;
	tcp sport $VIP_PORT tcp flags & rst == rst counter name resets; }; }"
on b1 ip link set eth0 down
on lb ip neigh flush to 198.18.0.11 dev eth0
wait_log lb 'backend 198.18.0.11:9001 is down'
all_reset() { ! dump lb | awk '$3 ~ /:20000$/ && $6 == "ESTABLISHED" { found = 1 } END { exit !found }'; }
wait_until 20 "every flow of b1 to be reset" all_reset
tell alive 'say meanwhile' '^said'
expect "a living backend's connections go on" "$(tail -n 1 "$LAB_TMP/alive.out")" "said echo3=200"
expect "resets at the client" "$(on client nft list counter ip seen resets |
	sed -n 's/.*packets \([0-9]*\).*/\1/p')" $FLOWS

# --- a slow link
# b1 is away: its synth would answer for b2, whose frames the switch floods.
connections() { on client ss -Htn state established "dport = :$1" | wc -l; }
no_connections() { [ "$(connections "$1")" -eq 0 ]; }
expect "silent connections" "$(connections 20001)" 500
on lb tc qdisc add dev eth0 root tbf rate 1mbit burst 2k limit 3k
on b2 ip link set eth0 down
wait_log lb 'backend 198.18.0.12:9001 is down'
holds_within 20 no_connections 20001 || true
expect "  left a little after their backend went down" "$(connections 20001)" 0
on lb tc qdisc del dev eth0 root
tell alive 'say at last' '^said' 2
expect "a living backend's connections go on" "$(tail -n 1 "$LAB_TMP/alive.out")" "said echo3=200"
expect_false "it never was down" log_has lb 'backend 198.18.0.13:9001 is down'
on lb tc qdisc add dev eth0 root tbf rate 1mbit burst 2k limit 3k
resets=$(counter lb TcpOutRsts)
stop lb
expect "a clean exit by the slow link, exit status" "$STATUS" 0
expect "  connections left at the client" "$(connections 20002)" 0
expect "  and at the backend" "$(on b3 ss -Htn state established "sport = :$PORT" | wc -l)" 0
expect "RST sent by the balancer's kernel" "$resets" 0
