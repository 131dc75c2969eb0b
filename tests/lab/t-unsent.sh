#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A packet that cannot be sent on is counted by the reason, and nothing else
# comes of it: once the way is free again, the connection goes on. Each reason
# of io in turn: no route, no room for a header, a full queue, a firewall that
# says no. (The core's reasons: tests/sim reaches every one of them.)
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "packets that cannot be sent"

AFAR=198.18.200.1 # of the client, by a route that comes and goes

counts() { [ "$(counted lb "$1")" -gt 0 ] 2>/dev/null; }

lab_up lan
on client ip address add $AFAR/32 dev lo
on lb ip route add $AFAR via "$CLIENT"
start_echo echo1 b1 198.18.0.11 "$PORT"
start_echo here lb 198.18.0.1 "$PORT"
# No checks: what stops the connections' packets would stop theirs.
cat >"$LAB_TMP/lb.conf" <<-END
	[service far]
	listen = $VIP:$VIP_PORT
	check = none
	backend = 198.18.0.11:$PORT
	[service here]
	listen = $VIP:20001
	check = none
	backend = 198.18.0.1:$PORT
END
start_l4lb lb --config "$LAB_TMP/lb.conf"

start_hold far client "$VIP" "$VIP_PORT" 1 $AFAR
start_hold near client "$VIP" 20001 1

route_gone() { on lb ip route del $AFAR; }
route_back() { on lb ip route add $AFAR via "$CLIENT"; }
route_narrow() { on lb ip route change $AFAR via "$CLIENT" mtu lock 100; }
route_wide() { on lb ip route change $AFAR via "$CLIENT"; }
queue_full() { on lb tc qdisc add dev eth0 root bfifo limit 500; }
queue_gone() { on lb tc qdisc del dev eth0 root; }
refuse() {
	on lb nft "table ip refuses { chain out {
		type filter hook output priority 0; tcp dport $PORT drop; }; }"
}
allow() { on lb nft delete table ip refuses; }


# through NAME ANSWER REASON STOP GO: after STOP, a line on NAME's connection
# cannot be sent on; after GO it arrives.
declare -A SAID=()
through() {
	local name=$1 answer=$2 reason=$3 stop=$4 go=$5
	expect "$reason: counted before" "$(counted lb "$reason")" ""
	"$stop"
	SAID[$name]=$((${SAID[$name]:-0} + 1))
	printf 'say %01000d\n' "${SAID[$name]}" >&"${LAB_ORDERS[$name]}"
	wait_until 10 "l4lb to count $reason" counts "$reason"
	ok "  counted: $(counted lb "$reason")"
	"$go"
	wait_until 60 "the line to arrive" said "$name" '^said' "${SAID[$name]}"
	expect "  the way is free again" "$(tail -n 1 "$LAB_TMP/$name.out")" "$answer"
}
through far "said echo1=1" no-route route_gone route_back
through far "said echo1=1" too-big route_narrow route_wide
through far "said echo1=1" send-full queue_full queue_gone
through near "said here=1" send-failed refuse allow
expect "RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
stop lb
expect "exit status" "$STATUS" 0
balance=$(grep ' dropped=' "$LAB_TMP/lb.err" | tail -n 1 | tr ' ' '\n' |
	awk -F= '{ v[$1] = $2 } END { print v["received"], v["forwarded"] + v["consumed"] + v["dropped"] }')
expect "received = forwarded + consumed + dropped" "${balance#* }" "${balance% *}"
