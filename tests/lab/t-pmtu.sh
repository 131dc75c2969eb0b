#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Path MTU discovery through the balancer: a link of 1400 bytes in the middle,
# 1500 at both ends, so that neither end's MSS says anything about it.
#
#	t-pmtu.sh backend|client|own-backend|own-client
#
# backend: on that side of the balancer, behind a router r1. It tells the
# balancer, which must tell the client.
#
#      client        lb          r1               r2         b1
#   198.18.0.2  198.18.0.1    .0.3 198.19.1.1  .1.2  .0.3  198.19.0.11
#        |           |          |   |   1400    |      |     |
#     ---+-----------+----------+   +-----------+      +-----+---
#
# own-backend: the balancer is in r1's place, and must tell the client itself.
#
# client, own-client: client and b1 change places (198.19.0.2, 198.18.0.11).
# shellcheck disable=SC2016 # the $ in single quotes are awk's columns
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool nc.openbsd
title "a link of 1400 bytes: ${1:-}"

SINK=9002
case ${1:-} in
*backend)
	sender=client far=b1 narrow_way=upload
	CLIENT=198.18.0.2 B1=198.19.0.11 ;;
*client)
	sender=b1 far=client narrow_way=download
	CLIENT=198.19.0.2 B1=198.18.0.11 ;;
esac
# taps: nothing tells that clients come by the second interface.
case ${1:-} in
backend | client) r1=r1 taps=(-i eth0) ;;
own-backend | own-client) r1=lb taps=(-i eth0 -i eth1) ;;
*) fail "usage: $0 backend|client|own-backend|own-client" ;;
esac

network() {
	local name hosts="client lb b1 r2"
	[ $r1 = lb ] || hosts+=" r1"
	for name in br0 narrow br1; do lab_switch $name; done
	for name in $hosts; do lab_host "$name"; done

	lab_cable lb eth0 "$VIP" br0
	[ $r1 = lb ] || lab_cable r1 eth0 198.18.0.3 br0
	lab_cable $r1 eth1 198.19.1.1 narrow
	lab_cable r2 eth1 198.19.1.2 narrow
	lab_cable r2 eth0 198.19.0.3 br1
	case $far in
	b1)
		lab_cable client eth0 "$CLIENT" br0
		lab_cable b1 eth0 "$B1" br1 ;;
	client)
		lab_cable client eth0 "$CLIENT" br1
		lab_cable b1 eth0 "$B1" br0 ;;
	esac

	for name in $r1 r2; do on "$name" ip link set eth1 mtu 1400; done
	on r2 sysctl -qw net.ipv4.ip_forward=1
	on r2 ip route add 198.18.0.0/24 via 198.19.1.1
	on $r1 ip route add 198.19.0.0/24 via 198.19.1.2
	on "$far" ip route add default via 198.19.0.3
	# The sender has no route but its own: what it gets and sends is all
	# between it and the balancer.
	if [ $r1 = r1 ]; then
		on r1 sysctl -qw net.ipv4.ip_forward=1
		on lb ip route add 198.19.0.0/24 via 198.18.0.3
	fi
}

# errors NAME: the ICMP errors of a capture, one a line. Columns: 1 source
# 2 destination 3 type 4 code 5 MTU 6 TTL 7 quoted source 8 quoted destination
# 9 quoted sequence 10 ok, if the checksums of the IP header, of the message
# and of the quoted IP header are right
errors() {
	"$PYTHON" - "$LAB_TMP/$1.pcap" <<-'END'
		import struct, sys

		def right(data):
		    data += b"\0" * (len(data) % 2)
		    return sum(struct.unpack(f"!{len(data) // 2}H", data)) % 0xFFFF == 0

		def address(raw):
		    return ".".join(map(str, raw))

		data = open(sys.argv[1], "rb").read()
		at = 24
		while at + 16 <= len(data):
		    have = struct.unpack("=I", data[at + 8:at + 12])[0]
		    ip = data[at + 16 + 14:at + 16 + have]
		    at += 16 + have
		    icmp = ip[20:struct.unpack("!H", ip[2:4])[0]]
		    quote = icmp[8:]
		    ihl = (quote[0] & 15) * 4
		    sport, dport, seq = struct.unpack("!HHI", quote[ihl:ihl + 8])
		    sums = right(ip[:20]) and right(icmp) and right(quote[:ihl])
		    print(address(ip[12:16]), address(ip[16:20]), icmp[0], icmp[1],
		          struct.unpack("!H", icmp[6:8])[0], ip[8],
		          f"{address(quote[12:16])}:{sport}",
		          f"{address(quote[16:20])}:{dport}", seq,
		          "ok" if sums else "bad")
	END
}

# Lines of $LAB_TMP/FILE for which the awk condition does not hold.
others() { awk "!($2)" "$LAB_TMP/$1"; }
sequences() { cut -d' ' -f 9 "$LAB_TMP/$1" | sort; }
# What a host believes the path to carry, after what it was told.
path_mtu() { on "$1" ip route get "$2" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }

upload() {
	start "sink$run" b1 bash -c 'nc.openbsd -l "$1" | sha256sum | cut -c 1-64' sink $SINK
	wait_listens b1 $SINK
	start_l4lb "lb$run" -v "${taps[@]}" "$VIP" "$B1" $SINK
	on client timeout 20 nc.openbsd -N "$VIP" "$VIP_PORT" \
		<"$LAB_TMP/files/data" || fail "the upload did not end"
	finish "sink$run" 10
	got=$(cat "$LAB_TMP/sink$run.out")
}

download() {
	start_l4lb "lb$run" -v "${taps[@]}" "$VIP" "$B1" "$PORT"
	got=$(on client curl -sS --fail --max-time 20 \
		"http://$VIP:$VIP_PORT/files/data" | sha256) ||
		fail "the download did not end"
}

transfer() { # upload|download, while nobody knows the path
	local host
	run=$((run + 1)) # a name of its own for everything that is started
	for host in client b1 lb; do on $host ip route flush cache; done
	capture "at-sender$run" "$sender" eth0 "icmp"
	capture "at-lb$run" lb eth0 "icmp and dst host $VIP"
	"$1"
	expect "$1, offloads $offloads" "$got" "$want"
	# Without l4lb the last ACK would meet the kernel, which answers RST.
	wait_log "lb$run" 'flow ended'
	stop "lb$run"
	expect "  exit status" "$STATUS" 0
	capture_end "at-sender$run"
	capture_end "at-lb$run"
	errors "at-sender$run" >"$LAB_TMP/told"
	errors "at-lb$run" >"$LAB_TMP/heard"
}

# Every error that reached the sender is about its own connection, as it knows
# it, and comes from the balancer ($1: with this TTL).
expect_told() {
	local told
	told=$(wc -l <"$LAB_TMP/told")
	expect_true "  $sender was told ($told times)" [ "$told" -gt 0 ]
	expect "  of that, anything but frag-needed, 1400, from the balancer, about its own" \
		"$(others told "\$1 == \"$VIP\" && \$2 == \"$sender_ip\" &&
		\$3 == 3 && \$4 == 4 && \$5 == 1400 && \$6 == $1 &&
		\$10 == \"ok\" && $as_sender")" ""
	expect "  path MTU it believes" "$(path_mtu "$sender" "$VIP")" 1400
}

# r1's errors, about what the balancer sent: each was passed on, once.
expect_heard() {
	expect_true "  the balancer was told ($(wc -l <"$LAB_TMP/heard") times)" \
		[ -s "$LAB_TMP/heard" ]
	expect "  of that, anything but frag-needed, 1400, from r1, about what it sent" \
		"$(others heard "\$1 == \"198.18.0.3\" && \$3 == 3 &&
		\$4 == 4 && \$5 == 1400 && \$10 == \"ok\" && $as_balancer")" ""
	expect_true "  each was passed on, once" \
		[ "$(sequences heard)" = "$(sequences told)" ]
}

case $sender in
client)
	sender_ip=$CLIENT
	as_sender="\$7 ~ /^$CLIENT:/ && \$8 == \"$VIP:$VIP_PORT\""
	as_balancer="\$7 ~ /^$VIP:/ && \$8 == \"$B1:$SINK\"" ;;
b1)
	sender_ip=$B1
	as_sender="\$7 == \"$B1:$PORT\" && \$8 ~ /^$VIP:/"
	as_balancer="\$7 == \"$VIP:$VIP_PORT\" && \$8 ~ /^$CLIENT:/" ;;
esac

network
start_nginx b1
head -c $((4 << 20)) /dev/urandom >"$LAB_TMP/files/data"
want=$(sha256 <"$LAB_TMP/files/data")

run=0
for offloads in off on; do
	lab_offloads $offloads
	for way in upload download; do
		transfer $way
		[ $way = "$narrow_way" ] || continue
		if [ $r1 = r1 ]; then
			expect_heard
			expect_told 63
		elif [ $offloads = off ]; then
			# With offloads on, super-packets are cut to fit.
			expect_told 64
		fi
	done
done
expect "RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
