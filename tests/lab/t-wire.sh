#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is on the wire, packet by packet, at a backend and at the client.
# shellcheck disable=SC2016 # the $ in single quotes are awk's columns
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool
title "on the wire: addresses, checksums, TTL, and no RST"

# All on one processor: on two, the lab's virtual wires have a queue each and
# packets overtake each other on the way to the balancer.
taskset -p -c "$(taskset -p -c $$ | sed 's/.*: *\([0-9]*\).*/\1/')" $$ >/dev/null

lab_up lan
start_nginx b1
head -c 200000 /dev/urandom >"$LAB_TMP/files/data"
transfer() {
	on client curl -sS --fail --max-time 20 -o /dev/null \
		"http://$VIP:$VIP_PORT/files/data"
}
# count NAME AWK-CONDITION: packets of a capture for which it holds.
# Columns: 1 seconds 2 source 3 destination 4 flags 5 ttl 6 seq 7 ack 8 bytes
# 9 IP checksum 10 TCP checksum 11 source MAC 12 destination MAC
count() { packets "$1" | awk "$2 { n++ } END { print n + 0 }"; }

# What follows counts packets of connections: no health checks among them.
cat >"$LAB_TMP/unchecked.conf" <<-END
	[service web]
	listen = $VIP:$VIP_PORT
	check = none
	backend = 198.18.0.11:$PORT
END

lab_offloads off
start_l4lb lb --config "$LAB_TMP/unchecked.conf"
capture at-client client eth0 tcp
capture at-b1 b1 eth0 tcp
transfer
wait_closed lb
capture_end at-client
capture_end at-b1
resets=$(counter lb TcpOutRsts)
stop lb

expect_true "captured at the client: $(count at-client 1), at b1: $(count at-b1 1)" \
	[ "$(count at-b1 1)" -gt 20 ]
expect "wrong checksums at b1" "$(count at-b1 '$9 != "ok" || $10 != "ok"')" 0
expect "wrong checksums at the client" "$(count at-client '$9 != "ok" || $10 != "ok"')" 0
expect "at b1, peers other than the balancer's NAT ports" "$(count at-b1 \
	'($2 != "198.18.0.11:9001" && $2 !~ /^198\.18\.0\.1:(1[0-9]|2[0-9]|3[0-2])[0-9][0-9][0-9]$/) ||
	 ($2 == "198.18.0.11:9001" && $3 !~ /^198\.18\.0\.1:/)')" 0
expect "  source MACs other than the balancer's" \
	"$(count at-b1 '$2 ~ /^198\.18\.0\.1:/ && $11 != "02:00:00:00:12:01"')" 0
expect "at the client, peers other than the VIP" "$(count at-client \
	'$2 != "198.18.0.1:20000" && $3 != "198.18.0.1:20000"')" 0
expect "TTL from the balancer other than one less than sent (63), at b1" \
	"$(count at-b1 '$2 ~ /^198\.18\.0\.1:/ && $5 != 63')" 0
expect "  at the client" "$(count at-client '$2 ~ /^198\.18\.0\.1:/ && $5 != 63')" 0
expect "RST at b1" "$(count at-b1 '$4 ~ /R/')" 0
expect "RST at the client" "$(count at-client '$4 ~ /R/')" 0
expect "RST sent by the balancer's kernel" "$resets" 0

# Same segments, same order: only addresses and ports may differ.
segments() { packets "$1" | awk -v side="$2" '$2 ~ side { print $4, $6, $7, $8 }'; }
segments at-client '^198\\.18\\.0\\.2:' >"$LAB_TMP/sent"
segments at-b1 '^198\\.18\\.0\\.1:' >"$LAB_TMP/arrived"
expect_true "b1 got the client's segments, in order, unchanged" \
	cmp -s "$LAB_TMP/sent" "$LAB_TMP/arrived"
segments at-b1 '^198\\.18\\.0\\.11:' >"$LAB_TMP/sent"
segments at-client '^198\\.18\\.0\\.1:' >"$LAB_TMP/arrived"
expect_true "the client got b1's" cmp -s "$LAB_TMP/sent" "$LAB_TMP/arrived"

# --- a damaged or broken-up packet is not made whole
start_l4lb strict -v --config "$LAB_TMP/unchecked.conf"
capture damaged b1 eth0 tcp
on client "$PYTHON" - "$VIP" "$VIP_PORT" <<-'END'
	import socket, struct, sys
	src, dst = map(socket.inet_aton, ("198.18.0.2", sys.argv[1]))
	s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
	def send(tcp, frag=0):
	    s.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 7, frag, 64, 6, 0,
	                         src, dst) + tcp, (sys.argv[1], 0))
	syn = struct.pack("!HHIIBBHHH", 40000, int(sys.argv[2]), 1, 0, 0x50, 2, 65535, 0xdead, 0)
	send(syn)                 # its checksum is wrong
	send(syn[:16], 0x2000)    # a first fragment, too short for a header
	send(syn[8:], 0x2001)     # a later fragment
END
transfer
capture_end damaged
expect "SYNs at b1 after one with a wrong checksum, fragments, and one right one" \
	"$(count damaged '$4 == "S"')" 1
stop strict
expect_true "  the wrong checksum is counted" log_has strict 'bad-checksum[ =:]+1\b'
expect_true "  the fragments are counted" log_has strict 'fragment[ =:]+[12]\b'

# --- offloads on: super-packets, and sums left to the card
lab_offloads on
start_l4lb lb --config "$LAB_TMP/unchecked.conf"
# The answer to the last check of the one before met no guard.
resets=$(counter lb TcpOutRsts)
capture on-client client eth0 tcp
capture on-b1 b1 eth0 tcp
transfer
wait_closed lb
capture_end on-client
capture_end on-b1
for where in on-client on-b1; do
	expect "offloads on, $where: sums neither right nor exactly partial" \
		"$(count $where '$9 != "ok" || $10 !~ /^(ok|partial)$/')" 0
done
expect "RST sent by the balancer's kernel" $(($(counter lb TcpOutRsts) - resets)) 0
stop lb
