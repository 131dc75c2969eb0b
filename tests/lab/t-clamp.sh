#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mss_clamp: what SYNs announce, and how large the segments are that leave. The
# first backend refuses, so that the SYN of the balancer's own, to the next one,
# is among them. Offloads are on: segments come merged and are cut again. Into
# what their sender made of them, or the clamp is in vain.
# shellcheck disable=SC2016 # the $ in single quotes are another shell's
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool nc.openbsd
title "mss_clamp: SYNs, and what is cut again"

SINK=9002
lab_up two-armed
start_nginx b1
head -c 300000 /dev/urandom >"$LAB_TMP/files/data"
want=$(sha256 <"$LAB_TMP/files/data")
lab_offloads on
# The balancer's kernel cuts, and the receivers' leave it as it is cut.
for nic in eth0 eth1; do on lb ethtool -K $nic tso off gso off; done
for host in client b1; do on $host ethtool -K eth0 gro off; done
for nic in lb-eth0 lb-eth1 client-eth0 b1-eth0; do
	on - ethtool -K $nic gro off
done

# seen NAME SOURCE DESTINATION: of the TCP packets from there to there, the MSS
# of SYNs (all of them), and the most payload: "1000 988"
seen() {
	"$PYTHON" - "$LAB_TMP/$1.pcap" "$2" "$3" <<-'END'
		import socket, struct, sys

		name, src, dst = sys.argv[1:]
		data, at, mss, most = open(name, "rb").read(), 24, set(), 0
		while at + 16 <= len(data):
		    have = struct.unpack("=I", data[at + 8:at + 12])[0]
		    ip = data[at + 16 + 14:at + 16 + have]
		    at += 16 + have
		    if ip[12:20] != socket.inet_aton(src) + socket.inet_aton(dst):
		        continue
		    tcp = ip[20:]
		    offset = (tcp[12] >> 4) * 4
		    if tcp[13] & 2 and tcp[20:22] == b"\2\4":
		        mss.add(struct.unpack("!H", tcp[22:24])[0])
		    most = max(most, struct.unpack("!H", ip[2:4])[0] - 20 - offset)
		print(*sorted(mss), most)
	END
}

download() {
	expect "  the download" "$(on client curl -sS --fail --max-time 20 \
		"http://$VIP:$VIP_PORT/files/data" | sha256)" "$want"
}

upload() {
	start "sink$1" b1 bash -c 'nc.openbsd -l "$1" | sha256sum | cut -c 1-64' sink $SINK
	wait_listens b1 $SINK
	on client timeout 20 nc.openbsd -N "$VIP" 20001 <"$LAB_TMP/files/data" ||
		fail "the upload did not end"
	finish "sink$1" 10
	expect "  the upload" "$(cat "$LAB_TMP/sink$1.out")" "$want"
}

# clamp NAME VALUE MSS: of each service, the first backend that is asked
# refuses. 12 bytes of a segment are options.
clamp() {
	local name=$1 most=$(($3 - 12))
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
	start_l4lb "$name" --config "$LAB_TMP/$name.conf"
	capture "$name-client" client eth0 "tcp and src host $VIP"
	capture "$name-b1" b1 eth0 "tcp and dst host 198.19.0.11"
	capture "$name-b2" b2 eth0 "tcp and dst host 198.19.0.12"
	say "$name: mss_clamp = $2"
	download
	upload "$name"
	wait_closed "$name"
	for host in client b1 b2; do capture_end "$name-$host"; done
	expect "  the clients' SYN to the first backend" \
		"$(seen "$name-b2" 198.19.0.1 198.19.0.12)" "$3 0"
	expect "  to the next one, and the uploaded segments" \
		"$(seen "$name-b1" 198.19.0.1 198.19.0.11)" "$3 $most"
	expect "  the SYN-ACK, and the downloaded segments" \
		"$(seen "$name-client" "$VIP" "$CLIENT")" "$3 $most"
	stop "$name"
	expect "  exit status" "$STATUS" 0
}

clamp bytes 1000 1000
# The links of 1500 bytes that both ends have say nothing of this one.
on lb ip link set eth0 mtu 1300
clamp near auto 1260
on lb ip link set eth0 mtu 1500
on lb ip link set eth1 mtu 1300
clamp far auto 1260
clamp both 1100 1100
