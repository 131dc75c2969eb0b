#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The way back of the service's packets depends on their source (ip rule), as on
# a host with two uplinks. Everything that the balancer sends takes it: what it
# forwards while the gateway's MAC is still unknown, its own resets, its ICMP
# messages. At the other gateway nothing from the service's address arrives.
#
#      gw-a             lb             gw-b  198.18.200.1   client
#   198.18.0.3  198.18.0.1  198.19.0.1  .0.3       |     198.18.200.2
#        |           |           |       |         |          |
#     ---+-----------+ br0       +---+---+ br1     +----------+ br2
#        main table's default        | .11
#                                    b1
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "source-based routing"

VIP=198.19.0.1 CLIENT=198.18.200.2
for switch in br0 br1 br2; do lab_switch $switch; done
for host in lb gw-a gw-b b1 client; do lab_host $host; done
lab_cable lb eth0 198.18.0.1 br0
lab_cable gw-a eth0 198.18.0.3 br0
lab_cable lb eth1 $VIP br1
lab_cable gw-b eth0 198.19.0.3 br1
lab_cable b1 eth0 198.19.0.11 br1
lab_cable gw-b eth1 198.18.200.1 br2
lab_cable client eth0 $CLIENT br2
on gw-b sysctl -qw net.ipv4.ip_forward=1
on client ip route add default via 198.18.200.1
on lb ip route add default via 198.18.0.3 dev eth0
on lb ip route add 198.19.0.0/24 dev eth1 table 100
on lb ip route add default via 198.19.0.3 dev eth1 table 100
on lb ip rule add from $VIP table 100
on lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
# The gateway never asks for the balancer's MAC, so that the balancer learns
# the gateway's only by asking.
on gw-b ip neigh replace $VIP lladdr "$(lab_mac $VIP)" dev eth0 nud permanent
forget_gateway() { on lb ip neigh flush to 198.19.0.3 dev eth1; }
knows_gateway() { on lb ip neigh show to 198.19.0.3 dev eth1 | grep -q lladdr; }

start_echo echo b1 198.19.0.11 "$PORT"
cat >"$LAB_TMP/lb.conf" <<-END
	[service echo]
	listen = $VIP:$VIP_PORT
	check = none
	eject_after = 0
	backend = 198.19.0.11:$PORT
	[service none]
	listen = $VIP:20001
	check = none
	backend = 198.19.0.11:9 weight=0
END
start_l4lb lb -i eth0 -i eth1 --config "$LAB_TMP/lb.conf"
capture wrong gw-a eth0 "host $VIP"

expect_false "the gateway's MAC is not known" knows_gateway
start_hold hold client $VIP "$VIP_PORT" 1
tell hold 'say forwarded' '^said'
expect "forwarded by raw IP, a connection works" "$(tail -n 1 "$LAB_TMP/hold.out")" "said echo=1"
expect_true "  and asked the right gateway" knows_gateway

# A SYN that is refused: the reset is the balancer's own, its TTL 64 less one.
refused() {
	! on client timeout 10 bash -c "exec 3<>/dev/tcp/$VIP/20001" 2>"$LAB_TMP/refused" &&
		grep -q refused "$LAB_TMP/refused"
}
expect_true "its own reset arrives" refused
forget_gateway
expect_false "the gateway's MAC is forgotten" knows_gateway
expect_true "its own reset by raw IP arrives, too" refused

# Fragmentation needed, to the client: the way on carries less than it sends.
on lb ip route add 198.19.0.11 dev eth1 mtu lock 600 table 100
forget_gateway
told() { on client ip route get $VIP | grep -q 'mtu 600'; }
printf 'say %01400d\n' 1 >&"${LAB_ORDERS[hold]}"
wait_until 10 "the client to be told of the narrow way" told
ok "its own ICMP message arrives"
wait_until 10 "the long line to arrive" said hold '^said' 2
expect "  the connection goes on" "$(tail -n 1 "$LAB_TMP/hold.out")" "said echo=1"

stop lb
expect "exit status" "$STATUS" 0
tell hold 'say over' '^said' 3
expect_true "the reset of a clean exit arrives" log_has hold '^said .*ResetError'

# The address is taken away: who comes new is not served, nor told anything, as
# another host may have it now; connections of before are still answered.
on lb ip address add 198.19.1.1/32 dev eth1 # or the routes would go as well
start_l4lb again -i eth0 -i eth1 --config "$LAB_TMP/lb.conf"
start_hold stay client $VIP "$VIP_PORT" 1
on lb ip address del $VIP/24 dev eth1
wait_log again 'is not on this host any more'
silent() {
	local status=0
	on client timeout 2 bash -c "exec 3<>/dev/tcp/$VIP/20001" 2>/dev/null || status=$?
	[ "$status" -eq 124 ] # as timeout(1) says
}
expect_true "without the address who comes new is not answered" silent
stop again
tell stay 'say over' '^said'
expect_true "the reset of a clean exit arrives without it" log_has stay '^said .*ResetError'
