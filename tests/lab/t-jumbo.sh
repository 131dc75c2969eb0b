#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Ends with a larger MTU than the balancer's link, as a NAS and a PC with jumbo
# frames beside a small machine: what is longer than its link takes never
# arrives, and nobody tells the sender. So both ends are told what is, whatever
# mss_clamp says, also by the SYN of the balancer's own to the next backend.
# Then a balancer whose link to the backends alone is narrow, as a tunnel's is,
# and one whose route says so.
# shellcheck disable=SC2016 # the $ in single quotes are another shell's
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool nc.openbsd
title "jumbo ends, narrow links of the balancer"

SINK=9002
lab_up two-armed
start_nginx b1
head -c 300000 /dev/urandom >"$LAB_TMP/files/data"
want=$(sha256 <"$LAB_TMP/files/data")
lab_offloads off # longer frames than an MTU would pass a veth whole
for link in br0 br1 client-eth0 lb-eth0 lb-eth1 b1-eth0 b2-eth0; do
	on - ip link set $link mtu 9000
done
for host in client b1 b2; do on $host ip link set eth0 mtu 9000; done

mss_of() { # CAPTURE SOURCE: what SYNs from there announce, each once
	"$PYTHON" - "$LAB_TMP/$1.pcap" "$2" <<-'END'
		import socket, struct, sys
		data, at, mss = open(sys.argv[1], "rb").read(), 24, set()
		while at + 16 <= len(data):
		    have = struct.unpack("=I", data[at + 8:at + 12])[0]
		    ip = data[at + 16 + 14:at + 16 + have]
		    at += 16 + have
		    if ip[12:16] == socket.inet_aton(sys.argv[2]) and ip[33] & 2 and ip[40:42] == b"\2\4":
		        mss.add(struct.unpack("!H", ip[42:44])[0])
		print(*sorted(mss))
	END
}

# transfers NAME CLAMP MSS_CLIENT MSS_BACKEND: what the SYN-ACK says to the
# client, and the SYNs to the backends. The first one that is asked refuses.
transfers() {
	local name=$1 host
	# What they learned of paths, by the balancer's word.
	for host in client b1; do on $host ip route flush cache; done
	say "$name: mss_clamp = $2"
	cat >"$LAB_TMP/$name.conf" <<-END
		[global]
		mss_clamp = $2
		[service web]
		listen = $VIP:$VIP_PORT
		check = none
		eject_after = 0
		backend = 198.19.0.12:$PORT
		backend = 198.19.0.11:$PORT
		[service sink]
		listen = $VIP:20001
		check = none
		eject_after = 0
		backend = 198.19.0.12:$SINK
		backend = 198.19.0.11:$SINK
	END
	start_l4lb "$name" --state none --config "$LAB_TMP/$name.conf"
	for host in client b1 b2; do
		capture "$name-$host" $host eth0 "tcp[tcpflags] & tcp-syn != 0"
	done
	expect "  the download" "$(on client curl -sS --fail --max-time 20 \
		"http://$VIP:$VIP_PORT/files/data" | sha256)" "$want"
	start "sink$name" b1 bash -c 'nc.openbsd -l "$1" | sha256sum | cut -c 1-64' sink $SINK
	wait_listens b1 $SINK
	on client timeout 20 nc.openbsd -N "$VIP" 20001 <"$LAB_TMP/files/data" ||
		fail "the upload did not end"
	finish "sink$name" 10
	expect "  the upload" "$(cat "$LAB_TMP/sink$name.out")" "$want"
	for host in client b1 b2; do capture_end "$name-$host"; done
	expect "  to the client" "$(mss_of "$name-client" "$VIP")" "$3"
	expect "  to the backend that refuses" "$(mss_of "$name-b2" 198.19.0.1)" "$4"
	expect "  to the other one" "$(mss_of "$name-b1" 198.19.0.1)" "$4"
	wait_closed "$name"
	stop "$name"
	expect "  exit status" "$STATUS" 0
}

transfers both off 1460 1460
transfers auto auto 1460 1460
# Wide toward the clients, a tunnel's MTU toward the backends, and the reverse.
on lb ip link set eth0 mtu 9000
on lb ip link set eth1 mtu 1420
transfers backends off 8960 1380
on lb ip link set eth0 mtu 1420
on lb ip link set eth1 mtu 9000
transfers clients off 1380 8960
# What a route carries, not its link.
on lb ip link set eth0 mtu 1500
on lb ip link set eth1 mtu 1500
on lb ip route add 198.19.0.11 dev eth1 mtu 1300
on lb ip route add 198.19.0.12 dev eth1 mtu 1300
transfers route off 1460 1260
