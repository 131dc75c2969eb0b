#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A SYN with data (Fast Open) that is larger than what the way to the backend
# carries: never a second SYN, and all of the data arrives. With the balancer's
# ICMP error, which makes the client send its SYN again without data, and
# without, when the backend acknowledges the part that fitted.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft ethtool
title "Fast Open: more data in the SYN than fits"

lab_up two-armed
lab_offloads off # the balancer's kernel cuts, and sums are whole
on lb ip link set eth1 mtu 1400
# Both without a cookie, the server on every listener.
on client sysctl -qw net.ipv4.tcp_fastopen=0x5
on b1 sysctl -qw net.ipv4.tcp_fastopen=0x602
start sink b1 "$PYTHON" "$LAB_DIR/peer.py" digest sink 198.19.0.11 "$PORT"
wait_log sink '^listening'

# syns NAME: of each SYN of a capture, how far behind the first one its sequence
# is, how much data it has, and its checksums.
syns() {
	packets "$1" | awk '$4 ~ /S/ && $4 !~ /A/ {
		if (first == "")
			first = $6
		print $6 - first, $8, $9, $10 }' | sort -u
}

run=0
# opens BYTES FIT: of a SYN with BYTES, one with FIT leaves for the backend.
opens() {
	local said got sent
	run=$((run + 1))
	capture "in$run" lb eth0 "tcp and dst host $VIP"
	capture "out$run" b1 eth0 "tcp and dst host 198.19.0.11"
	said=$(on client timeout 30 "$PYTHON" "$LAB_DIR/peer.py" fast \
		"$VIP" "$VIP_PORT" "$1") || fail "$1 bytes in a SYN: no answer"
	read -r sent got <<<"$said"
	expect "$1 bytes arrive" "$got" "$sent"
	wait_closed lb
	capture_end "in$run"
	capture_end "out$run"
	expect_true "  they were in a SYN" grep -q "^0 $1 " <(syns "in$run")
	expect_true "  $2 of them left in it" grep -qx "0 $2 ok ok" <(syns "out$run")
	expect "  any other SYN, but one without data" \
		"$(syns "out$run" | sed "/^0 \($2\|0\) ok ok\$/d")" ""
}

# No checks: their SYNs would be among those that are looked at.
cat >"$LAB_TMP/lb.conf" <<-END
	[service web]
	listen = $VIP:$VIP_PORT
	check = none
	backend = 198.19.0.11:$PORT
END
start_l4lb lb --config "$LAB_TMP/lb.conf"
# 40 bytes of headers, and 20 of options
opens 1380 1340 # by raw IP: the neighbour is not known yet
opens 1300 1300
opens 1380 1340
on client nft -f - <<-END
	table ip deaf { chain in {
		type filter hook input priority 0; ip protocol icmp drop; }; }
END
opens 1380 1340
stop lb
expect "exit status" "$STATUS" 0
