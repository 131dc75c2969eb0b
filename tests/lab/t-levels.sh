#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One frame, seen at two levels: by a port and its bridge, a member and its bond,
# a parent and its macvlan, ipvlan or VLAN. It is handled once, whether they are
# stacked at the start or while a transfer runs. Whatever this kernel cannot make
# is left out, with its reason.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "a bridge and its port, a macvlan and its parent, and others"

lab_up two-armed
mkdir -p "$LAB_TMP/files"
SIZE=20000000
head -c $SIZE /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
start_nginx b1

# transfer WHAT ADDRESS: whole, and each of its packets was handled once. Twice
# would be twice the bytes in the flow's line; a retransmission or two is none.
transfer() {
	local seen more
	expect "$1: 20 MB" "$(on client curl -sS -m 60 \
		"http://$2:$VIP_PORT/files/data" | sha256)" "$sum"
	seen=$(dump lb | awk -v vip="$2:$VIP_PORT" '
		/^# backend / { exit } $3 == vip { n = $12 } END { print n + 0 }')
	more=$((seen - SIZE))
	expect_true "  bytes beyond the file's own: $more" \
		[ "$more" -gt 0 -a "$more" -lt $((SIZE / 20)) ]
}
not_here() { ok "left out, no $1 in this kernel: $(head -n 1 "$LAB_TMP/why")"; }

# --- a bridge over the interface toward the clients, and one toward b1
bridge_over() { # INTERFACE BRIDGE ADDRESS
	on lb ip link set "$1" master "$2"
	on lb ip address delete "$3/24" dev "$1"
	on lb ip address add "$3/24" dev "$2"
}
unbridge() { # INTERFACE BRIDGE ADDRESS
	on lb ip address delete "$3/24" dev "$2"
	on lb ip link set "$1" nomaster
	on lb ip address add "$3/24" dev "$1"
}
for i in 0 1; do
	on lb ip link add "br-e$i" address "$(lab_mac 198.1$((8 + i)).0.1)" type bridge
	on lb ip link set "br-e$i" up
done
start_l4lb lb --config <(printf '[service web]\nlisten = %s\nbackend = %s\non_down = keep\n' \
	"$VIP:$VIP_PORT" "198.19.0.11:$PORT")
transfer "two interfaces" "$VIP"

# While one runs: the clients' interface, then the backend's.
start bulk client curl -sS --limit-rate 8M -m 60 -o "$LAB_TMP/got" \
	"http://$VIP:$VIP_PORT/files/data"
arrived() { [ -e "$LAB_TMP/got" ] && [ "$(stat -c %s "$LAB_TMP/got")" -ge "$1" ]; }
wait_until 20 "the transfer to be under way" arrived 2000000
bridge_over eth0 br-e0 "$VIP"
bridge_over eth1 br-e1 198.19.0.1
finish bulk 60
expect "both become ports during a transfer: exit status" "$STATUS" 0
expect "  its SHA-256" "$(sha256 <"$LAB_TMP/got")" "$sum"
transfer "both are ports" "$VIP"
# What came by the ports from now on, and what by the bridges.
came_by() {
	dump lb >/dev/null
	wait_until 10 "the counters" counters_of $(($(counter_lines lb)))
	sed -nE "s/.*capture $1 received=([0-9]+) .*/\1/p" "$LAB_TMP/lb.err" | tail -n 1
}
counters_of() { [ "$(grep -c 'capture total ' "$LAB_TMP/lb.err")" -ge "$1" ]; }
port=$(came_by eth0) bridge=$(came_by br-e0)
transfer "  again" "$VIP"
expect "  frames counted by the port" "$(($(came_by eth0) - port))" 0
expect_true "  by the bridge: $(($(came_by br-e0) - bridge))" \
	[ "$(($(came_by br-e0) - bridge))" -gt 100 ]
unbridge eth0 br-e0 "$VIP"
unbridge eth1 br-e1 198.19.0.1
transfer "neither is any more" "$VIP"
bridge_over eth0 br-e0 "$VIP"
bridge_over eth1 br-e1 198.19.0.1
stop lb
expect "exit status" "$STATUS" 0

start_l4lb lb "$VIP" 198.19.0.11 "$PORT"
transfer "ports at the start" "$VIP"
stop lb
start_l4lb lb -i br-e0 -i br-e1 "$VIP" 198.19.0.11 "$PORT"
transfer "the bridges by name" "$VIP"
stop lb
unbridge eth0 br-e0 "$VIP"
unbridge eth1 br-e1 198.19.0.1

# --- an address on an interface above eth0, made before and after the start
upper() { # KIND OF NAME, ARGUMENTS OF ip link add link eth0 ...
	local kind=$1
	shift
	if ! on lb ip link add link eth0 name up0 type "$@" 2>"$LAB_TMP/why"; then
		not_here "$kind"
		return
	fi
	on lb ip address add 198.18.0.9/32 dev up0
	on lb ip link set up0 up
	on client ip neigh flush dev eth0
	start_l4lb lb 198.18.0.9 198.19.0.11 "$PORT"
	transfer "$kind over its parent, at the start" 198.18.0.9
	on lb ip link delete up0
	on lb ip link add link eth0 name up0 type "$@"
	on lb ip address add 198.18.0.9/32 dev up0
	on lb ip link set up0 up
	on client ip neigh flush dev eth0
	transfer "  made anew while it runs" 198.18.0.9
	stop lb
	expect "  exit status" "$STATUS" 0
	# The parent's own address, with the other one above it.
	start_l4lb lb "$VIP" 198.19.0.11 "$PORT"
	transfer "  the parent's address" "$VIP"
	stop lb
	on lb ip link delete up0
	on client ip neigh flush dev eth0
}
for mode in bridge vepa private; do upper "macvlan, $mode," macvlan mode $mode; done
for mode in l2 l3 l3s; do upper "ipvlan, $mode," ipvlan mode $mode; done

# A macvlan of mode passthru has all of its parent's frames, and its MAC.
if on lb ip link add link eth0 name up0 type macvlan mode passthru 2>"$LAB_TMP/why"; then
	on lb ip address delete "$VIP/24" dev eth0
	on lb ip address add "$VIP/24" dev up0
	on lb ip link set up0 up
	start_l4lb lb "$VIP" 198.19.0.11 "$PORT"
	transfer "macvlan, passthru" "$VIP"
	stop lb
	on lb ip link delete up0
	on lb ip address add "$VIP/24" dev eth0
else
	not_here "macvlan passthru"
fi

# --- a master: its members' frames come in by it
master() { # TYPE OF ip link add
	if ! on lb ip link add up0 address "$(lab_mac "$VIP")" type "$1" 2>"$LAB_TMP/why"; then
		not_here "$1"
		return
	fi
	on lb ip link set eth0 down
	on lb ip link set eth0 master up0
	on lb ip link set eth0 up
	on lb ip link set up0 up
	on lb ip address delete "$VIP/24" dev eth0 2>"$LAB_TMP/why" || true
	on lb ip address add "$VIP/24" dev up0
	start_l4lb lb "$VIP" 198.19.0.11 "$PORT"
	transfer "$1 over its member" "$VIP"
	stop lb
	on lb ip link delete up0
	on lb ip link set eth0 up
	on lb ip address add "$VIP/24" dev eth0
}
master bond
master team

# --- a VRF is no such master: packets come in by its port
if on lb ip link add up0 type vrf table 100 2>"$LAB_TMP/why"; then
	on lb ip link set up0 up
	on lb ip link set eth0 master up0
	start_l4lb lb "$VIP" 198.19.0.11 "$PORT"
	transfer "a VRF over its port" "$VIP"
	stop lb
else
	not_here VRF
fi
