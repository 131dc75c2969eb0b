#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Links of every type that libpcap presents in a way of its own, with a client
# behind one and a backend behind another, and traffic both ways: PPP, GRE, IPIP,
# and bare IP as WireGuard and tun are. (Ethernet and loopback: all other tests.)
# Where the kernel has the real thing, it too; VLANs likewise.
#
#	t-links.sh ppp|gre|ipip|none|vlan|kernel
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "clients and backends behind links of type $1"

lab_up lan
mkdir -p "$LAB_TMP/files"
head -c 5000000 /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
lab_host far
lab_host back

address() { # HOST INTERFACE LB'S INTERFACE NETWORK
	on lb ip address add "$4.1" peer "$4.2" dev "$3"
	on "$1" ip address add "$4.2" peer "$4.1" dev "$2"
	on lb ip link set "$3" mtu 1400 up
	on "$1" ip link set "$2" mtu 1400 up
	on "$1" ip route add default dev "$2"
}
tun_link() { # HOST TYPE NETWORK
	start "tun-$1" - "$PYTHON" "$LAB_DIR/tunpair.py" lb "x-$1" "$1" tun0 "$2"
	wait_until 10 "the link to $1" log_has "tun-$1" '^up$|^no such link'
	log_has "tun-$1" '^up$' || skip "$(tail -n 1 "$LAB_TMP/tun-$1.out")"
	address "$1" tun0 "x-$1" "$3"
}
# Over a cable to lb that carries nothing else.
under() { # HOST NETWORK
	on lb ip link add "u-$1" type veth peer name under netns "$1"
	on lb ip address add "$2.1/24" dev "u-$1"
	on lb ip link set "u-$1" up
	on "$1" ip address add "$2.2/24" dev under
	on "$1" ip link set under up
}
kernel_link() { # HOST TYPE NETWORK OF THE CABLE, OF THE LINK
	under "$1" "$3"
	on lb ip link add "x-$1" type "$2" local "$3.1" remote "$3.2" 2>"$LAB_TMP/why" ||
		skip "no $2 in this kernel: $(cat "$LAB_TMP/why")"
	on "$1" ip link add tun0 type "$2" local "$3.2" remote "$3.1"
	address "$1" tun0 "x-$1" "$4"
}
vlan_link() { # HOST NETWORK OF THE CABLE, OF THE LINK
	under "$1" "$2"
	on lb ip link add link "u-$1" name "x-$1" type vlan id 7 2>"$LAB_TMP/why" ||
		skip "no VLANs in this kernel: $(cat "$LAB_TMP/why")"
	on "$1" ip link add link under name tun0 type vlan id 7
	address "$1" tun0 "x-$1" "$3"
}
case $1 in
ppp) type=512 ;;
gre) type=778 ;;
ipip) type=768 ;;
none) type=65534 ;;
esac
case $1 in
vlan)
	vlan_link far 198.18.81 198.18.91
	vlan_link back 198.18.82 198.18.92 ;;
kernel)
	kernel_link far gre 198.18.81 198.18.91
	kernel_link back ipip 198.18.82 198.18.92 ;;
*)
	tun_link far "$type" 198.18.91
	tun_link back "$type" 198.18.92 ;;
esac
start_nginx b1
start_nginx back
ok "$(on lb ip -o link show x-far | sed -E 's/.*(link\/[a-z0-9]*).*/\1/')"

both_ways() { # WHAT HOST ADDRESS BACKEND
	expect "$1" "$(on "$2" curl -sS -m 5 "http://$3:$VIP_PORT/")" "$4"
	expect "  5 MB down" "$(on "$2" curl -sS -m 30 \
		"http://$3:$VIP_PORT/files/data" | sha256)" "$sum"
	expect "  5 MB up" "$(on "$2" curl -sS -m 30 -o /dev/null -w '%{http_code}' \
		--data-binary "@$LAB_TMP/files/data" "http://$3:$VIP_PORT/")" 200
}
balance() { # L4LB'S ARGUMENTS
	start_l4lb lb "$@"
	# The answer to the last check of the one before met no guard.
	resets=$(counter lb TcpOutRsts)
}
stop_clean() {
	expect "  RST sent by the balancer's kernel" \
		"$(($(counter lb TcpOutRsts) - resets))" 0
	stop lb
	expect "  exit status" "$STATUS" 0
}
run() { # WHAT, L4LB'S ARGUMENTS
	local what=$1
	shift
	balance "$@" 198.18.91.1 198.18.0.11 "$PORT"
	both_ways "a client behind it$what" far 198.18.91.1 b1
	wait_closed lb
	stop_clean
	balance "$@" "$VIP" 198.18.92.2 "$PORT"
	both_ways "a backend behind it$what" client "$VIP" back
	wait_closed lb
	stop_clean
	balance "$@" 198.18.91.1 198.18.92.2 "$PORT"
	both_ways "both$what" far 198.18.91.1 back
	wait_closed lb
	stop_clean
}
run ""
run ", by name" -i x-far -i x-back -i eth0

# A bus by which IPv4 never comes (ARPHRD_CAN).
if [ -n "${type:-}" ]; then
	start tun-can - "$PYTHON" "$LAB_DIR/tunpair.py" lb can0 far can0 280
	wait_until 10 "can0" log_has tun-can '^up$'
	status=0
	on lb timeout 10 "$L4LB_BUILD/l4lb" -i eth0,can0 "$VIP" 198.18.0.11 "$PORT" \
		2>"$LAB_TMP/refused" || status=$?
	expect "an interface that cannot be served is refused: exit status" "$status" 1
	expect "  by name" "$(grep -o '^l4lb: can0: an interface of this kind never brings IPv4' \
		"$LAB_TMP/refused")" "l4lb: can0: an interface of this kind never brings IPv4"
fi
