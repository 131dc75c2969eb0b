#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The network changes under live connections: a neighbour gets another MAC and
# tells nobody, the balancer's interface goes down and comes back, a route
# moves to another gateway and to another interface, an interface gets another
# name.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "a new MAC, an interface down and up, a route that moves"

lab_up two-armed
start_echo echo b1 198.19.0.11 "$PORT"
# A second arm for the client, and an address behind both.
lab_cable client eth1 198.19.0.2 br1
lab_cable client eth2 198.18.0.4 br0
on client sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.rp_filter=0 \
	net.ipv4.conf.eth1.rp_filter=0 net.ipv4.conf.eth2.rp_filter=0
on client ip address add 198.18.200.1/32 dev lo
on lb ip route add 198.18.200.1 via 198.18.0.2 dev eth0
# The kernel needs half a minute to doubt a neighbour; here it doubts at once, yet
# takes two seconds to ask three times: longer than three checks.
for nic in eth0 eth1; do
	on lb sysctl -qw net.ipv4.neigh.$nic.base_reachable_time_ms=1000 \
		net.ipv4.neigh.$nic.delay_first_probe_time=1 \
		net.ipv4.neigh.$nic.retrans_time_ms=300
done

start_l4lb lb -i eth0 -i eth1 "$VIP" 198.19.0.11 "$PORT"
start_hold hold client "$VIP" "$VIP_PORT" 10 198.18.200.1
works() { # WHAT: the held connections still do, after N others
	said=$((said + 1))
	tell hold "say round $said" '^said' "$said"
	expect "$1" "$(tail -n 1 "$LAB_TMP/hold.out")" "said echo=10"
	start_hold "new$said" client "$VIP" "$VIP_PORT" 1 198.18.200.1
	tell "new$said" "say round $said" '^said'
	expect "  a new connection too" "$(tail -n 1 "$LAB_TMP/new$said.out")" "said echo=1"
}
said=0
works "before any change: the connections that are held"

# Silently: b1 knows the balancer's MAC for good, so it never asks, and nothing
# it sends shows the new one before the balancer has found it.
on b1 ip link set eth0 down
on b1 ip link set eth0 address 02:00:00:00:13:bb up
on b1 ip neigh replace 198.19.0.1 lladdr "$(lab_mac 198.19.0.1)" dev eth0 nud permanent
works "after b1's MAC changed"
expect "  the balancer's kernel knows it" \
	"$(on lb ip neigh show 198.19.0.11 | grep -o 02:00:00:00:13:bb)" 02:00:00:00:13:bb

for nic in eth1 eth0; do
	on lb ip link set $nic down
	on lb ip link set $nic up
	# With the interface go its routes, except the one to its own network.
	on lb ip route replace 198.18.200.1 via 198.18.0.2 dev eth0
	works "after the balancer's $nic went down and came back"
done

capture moved client eth2 'tcp and src host 198.18.0.1'
on lb ip route replace 198.18.200.1 via 198.18.0.4 dev eth0
works "after the route to the client moved to another gateway"
capture_end moved
expect_true "  it is used: $(packets moved | wc -l) packets" [ "$(packets moved | wc -l)" -gt 10 ]

capture moved client eth1 'tcp and src host 198.18.0.1'
on lb ip route replace 198.18.200.1 via 198.19.0.2 dev eth1
works "after it moved to another interface"
capture_end moved
expect_true "  it is used: $(packets moved | wc -l) packets" [ "$(packets moved | wc -l)" -gt 10 ]

# As udev may do it, or somebody by hand: kernels before 6.2 refuse it.
if on lb ip link set eth1 name lan1 2>"$LAB_TMP/rename"; then
	wait_log lb 'interface eth1 is called lan1 now'
	capture renamed b1 eth0 "tcp and dst host 198.19.0.11 and dst port $PORT"
	works "after the balancer's eth1 was renamed while it was up"
	capture_end renamed
	expect "  segments with data that came to the backend twice" \
		"$(packets renamed | awk '$8 { print $2, $6, $8 }' | sort | uniq -d | wc -l)" 0
else
	ok "not renamed: $(cat "$LAB_TMP/rename")"
fi

expect "RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
# It was away for seconds, but nothing at all was heard by that way then.
expect "times that the backend was found down" \
	"$(grep -c 'backend .* is down' "$LAB_TMP/lb.err" || true)" 0
stop lb
expect "exit status" "$STATUS" 0
