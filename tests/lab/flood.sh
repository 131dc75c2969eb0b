# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# flood.sh - SYNs from 32,000 addresses that nobody has, honest clients beside
# them, and connections that were there before. Sourced after lab.sh, by the
# test (t-flood.sh) and by the measurement (flood-curve.sh).

STREAM=$LAB_DIR/clients.py
HELD=20

flood_up() {
	local i
	lab_up lan
	# What answers them goes to the client's host, and no further: its kernel
	# has no such connection and would reset it, which would be the flood's end.
	on lb ip route add 198.18.128.0/17 via "$CLIENT"
	on client nft 'table ip nobody { chain in {
		type filter hook prerouting priority raw; ip daddr 198.18.128.0/17 drop; }; }'
	for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
}

# start_flood NAME RATE COUNT: prints "sent N ms N" at its end
start_flood() {
	start "$1" client "$LAB_TOOLS/flood" eth0 "$(lab_mac "$VIP")" "$VIP" \
		"$VIP_PORT" 198.18.128.0 32768 "$2" "$3"
}

# start_honest NAME COUNT PER_S; visited NAME MOST_MS: how many were served
start_honest() { start "$1" client "$PYTHON" "$STREAM" stream "$VIP" "$VIP_PORT" "$2" "$3"; }
visited() { awk -v most="$2" '$1 ~ /^echo/ && $2 <= most { n++ } END { print n + 0 }' "$LAB_TMP/$1.out"; }
slowest() { sed -n 's/^done.* slowest_ms=\([0-9]*\).*/\1/p' "$LAB_TMP/$1.out"; }

# A line there and back on each of the connections that are held.
rounds=0 slowest_round=0
hold_some() {
	rounds=0
	start_hold held client "$VIP" "$VIP_PORT" $HELD
	exchange
}
exchange() {
	local began
	began=$(now_ms)
	rounds=$((rounds + 1))
	tell held "say round $rounds" '^said' "$rounds"
	[ "$(answered)" -eq $HELD ] ||
		fail "round $rounds of the established" "$(tail -n 1 "$LAB_TMP/held.out")"
	began=$(($(now_ms) - began))
	[ $began -le "$slowest_round" ] || slowest_round=$began
}
answered() {
	tail -n 1 "$LAB_TMP/held.out" | tr ' ' '\n' |
		awk -F= '/^echo[0-9]=/ { n += $2 } END { print n + 0 }'
}
release() {
	tell held close '^closed'
	finish held 10
	local fd=${LAB_ORDERS[held]}
	exec {fd}>&-
	rm "$LAB_TMP/held.orders"
}
