#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A host of the LAN sends what this host's kernel would not take from a wire:
# from loopback, from the balancer itself, from nobody; to loopback; about such
# segments. And a backend opens connections to the clients of a service. None of
# it gets through, and what is local goes on by lo.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "martians from the wire, SYNs from a backend"

B1=198.18.0.11 B2=198.18.0.12 LOCAL=127.0.0.2

lab_up lan
start_echo echo1 b1 $B1 "$PORT"
go_silent b2
cat >"$LAB_TMP/lb.conf" <<-END
	[service lan]
	listen = $VIP:$VIP_PORT
	check = none
	backend = $B1:$PORT
	[service local]
	listen = $LOCAL:$VIP_PORT
	check = none
	backend = $B1:$PORT
	[service silent]
	listen = $VIP:20001
	check = none
	eject_after = 0
	backend = $B2:$PORT
END
start_l4lb lb -vv --state none --config "$LAB_TMP/lb.conf"
mac=$(lab_mac "$VIP")

forge() { # HOST: what comes by its input, from there to lb
	local n
	cat >"$LAB_TMP/forged"
	n=$(wc -l <"$LAB_TMP/forged")
	expect "  sent by $1" "$(on "$1" "$PYTHON" "$LAB_DIR/forge.py" eth0 "$mac" \
		<"$LAB_TMP/forged")" "sent $n"
}
counts() { [ "$(counted lb "$1")" = "$2" ]; }
expect_count() { # REASON N
	wait_until 10 "l4lb to count $2 $1" counts "$1" "$2"
	ok "  dropped and counted: $1 $2"
}

# --- sources
martians=0
for source in 127.0.0.1 127.200.0.1 "$VIP" 198.18.0.255 0.0.0.1 224.0.0.1 \
	240.0.0.1 255.255.255.255; do
	say "a SYN from $source"
	printf '%s 4000 %s %s S 1000 0\n' "$source" "$VIP" "$VIP_PORT" | forge client
	martians=$((martians + 1))
	expect_count martian $martians
done
expect "flows that they opened" "$(dump_flows lb)" 0

say "a SYN to the service that listens on loopback alone"
printf '%s 4000 %s %s S 1000 0\n' "$CLIENT" $LOCAL "$VIP_PORT" | forge client
martians=$((martians + 1))
expect_count martian $martians
start_hold local lb $LOCAL "$VIP_PORT" 1
tell local 'say something' '^said'
expect "  a client of this host reaches it" "$(tail -n 1 "$LAB_TMP/local.out")" "said echo1=1"

# Local by a route, of which no interface's address says anything.
on lb ip route add local 203.0.113.0/24 dev lo
say "a SYN from 203.0.113.5, which is local by a route"
printf '203.0.113.5 4000 %s %s S 1000 0\n' "$VIP" "$VIP_PORT" | forge client
martians=$((martians + 1))
expect_count martian $martians
on lb ip route del local 203.0.113.0/24 dev lo

# An address that is new here is one of them at once, and no more when it goes.
on lb ip address add 198.18.0.77/32 dev lo
seen() { printf '198.18.0.77 %s %s %s S 1000 0\n' "$1" "$VIP" "$VIP_PORT" | forge client; }
say "a SYN from an address that is new here"
wait_log lb 'lo has a new address: 198.18.0.77'
seen 4000
martians=$((martians + 1))
expect_count martian $martians
on lb ip address del 198.18.0.77/32 dev lo
wait_log lb 'lo has lost an address: 198.18.0.77'
seen 4001
has_flows() { [ "$(dump_flows lb)" = "$1" ]; }
wait_until 10 "it to be somebody else's" has_flows 2
ok "and from one that is here no more: a flow"

# --- segments of a connection that is there: from lo, as no wire can bring them
capture own lb lo "tcp port $VIP_PORT"
start_hold here lb "$VIP" "$VIP_PORT" 1 127.0.0.1
tell here 'say something' '^said'
capture_end own
read -r port seq ack < <(packets own | awk '
	index($2, "127.0.0.1:") == 1 { port = substr($2, 11); c = $6 + $8; next }
	{ b = $6 + $8 } END { printf "%s %.0f %.0f\n", port, c, b }')
say "RST at exactly what 127.0.0.1:$port sends next, from the wire"
{
	printf '127.0.0.1 %s %s %s R %s 0\n' "$port" "$VIP" "$VIP_PORT" "$seq"
	printf '127.0.0.1 %s %s %s RA %s %s\n' "$port" "$VIP" "$VIP_PORT" "$seq" "$ack"
} | forge client
martians=$((martians + 2))
expect_count martian $martians
tell here 'say something' '^said' 2
expect "  it goes on" "$(tail -n 1 "$LAB_TMP/here.out")" "said echo1=1"

# --- errors about segments that are on their way
printf '%s 4000 %s 20001 S 1000 0\n' "$CLIENT" "$VIP" | forge client
nat_of() { dump lb | awk -v c="$CLIENT:4000" -v v="$VIP:20001" '$2 == c && $3 == v { sub(".*:", "", $4); print $4 }'; }
has_nat() { [ -n "$(nat_of)" ]; }
wait_until 10 "its flow" has_nat
nat=$(nat_of)
cat >"$LAB_TMP/icmp.py" <<'PY'
"""icmp.py MAC OUTER_SOURCE OUTER_DESTINATION QUOTED_SOURCE PORT QUOTED_DESTINATION PORT SEQ"""
import socket, struct, sys
mac, osrc, odst, src, sport, dst, dport, seq = sys.argv[1:]
def csum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return struct.pack("!H", n ^ 0xffff)
def ip(proto, a, b, body):
    h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, proto, 0) + \
        socket.inet_aton(a) + socket.inet_aton(b)
    return h[:10] + csum(h) + h[12:] + body
quote = ip(6, src, dst, struct.pack("!HHIIBBHHH", int(sport), int(dport), int(seq), 0, 0x50, 2, 500, 0, 0))
body = struct.pack("!BBHI", 3, 1, 0, 0) + quote
body = body[:2] + csum(body) + body[4:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
s.send(bytes.fromhex(mac.replace(":", "")) + s.getsockname()[4] + b"\x08\x00" + ip(1, osrc, odst, body))
PY
error() { on client "$PYTHON" "$LAB_TMP/icmp.py" "$mac" "$@"; }
say "host unreachable, about a SYN to the backend, from loopback and from us"
error 127.0.0.1 "$VIP" "$VIP" "$nat" $B2 "$PORT" 1000
error "$VIP" "$VIP" "$VIP" "$nat" $B2 "$PORT" 1000
martians=$((martians + 2))
expect_count martian $martians
say "and about a segment to 127.0.0.1:$port"
error 198.18.0.9 "$VIP" "$VIP" "$VIP_PORT" 127.0.0.1 "$port" "$ack"
martians=$((martians + 1))
expect_count martian $martians
say "from a router: it is passed on, the client learns"
capture told client eth0 icmp
error 198.18.0.9 "$VIP" "$VIP" "$nat" $B2 "$PORT" 1000
consumed() { [ -z "$(nat_of)" ] || [ -s "$LAB_TMP/told.pcap" ]; }
wait_until 10 "the error to be dealt with" consumed
capture_end told
expect_count martian $martians

# --- a backend that connects to the clients, and a client that answers nobody
start_hold held client "$VIP" "$VIP_PORT" 1
tell held 'say something' '^said'
read -r cport nat < <(dump lb | awk -v c="$CLIENT:" -v v="$VIP:$VIP_PORT" '
	index($2, c) == 1 && $3 == v && $6 == "ESTABLISHED" {
		sub(".*:", "", $2); sub(".*:", "", $4); print $2, $4 }')
capture syns client eth0 "tcp and src host $VIP"
capture synacks b1 eth0 "tcp and src host $VIP"
say "SYNs of a backend to the port of a client's connection"
for flags in S SP SU; do
	printf '%s %s %s %s %s 77 0\n' $B1 "$PORT" "$VIP" "$nat" $flags
done | forge b1
expect_count wrong-way 3
say "SYN-ACKs of the client's"
for flags in SA SAP; do
	printf '%s %s %s %s %s 77 88\n' "$CLIENT" "$cport" "$VIP" "$VIP_PORT" $flags
done | forge client
expect_count wrong-way 5
say "and what no end sends: FIN with RST"
printf '%s %s %s %s FR 77 88\n' $B1 "$PORT" "$VIP" "$nat" | forge b1
expect_count bad-tcp 1
tell held 'say something' '^said' 2
expect "  the connection goes on" "$(tail -n 1 "$LAB_TMP/held.out")" "said echo1=1"
capture_end syns
capture_end synacks
expect "  SYNs that the client saw" "$(packets syns | awk '$4 ~ /S/' | wc -l)" 0
expect "  SYN-ACKs that the backend saw" "$(packets synacks | awk '$4 ~ /S/' | wc -l)" 0

for name in local here held; do tell $name close '^closed'; done
stop lb
expect "  exit status" "$STATUS" 0
