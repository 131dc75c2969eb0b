#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# l4lb as a guest: other services of its host do not notice it, and when it is
# gone nothing of it is left. A crash leaves the guard, the next start goes on.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "other services of the host, and what is left after the end"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")
NAT=(--nat-ports 10240-32767)
on lb ip address add 198.18.0.3/24 dev eth0

# What the host had before: a firewall, reserved ports, ephemeral ports that
# overlap ours, an ssh-like listener, one in the middle of our NAT range, and
# one on the service's port of another address.
on lb nft 'table inet own { chain in { type filter hook input priority 0; tcp dport 81 reject; }; }'
on lb sysctl -qw net.ipv4.ip_local_port_range="10240 60999" \
	net.ipv4.ip_local_reserved_ports=5000,6000-6010,12000-12005
start_echo ssh lb 0.0.0.0 22
start_echo inrange lb "$VIP" 12345
start_echo sameport lb 198.18.0.3 "$VIP_PORT"

host_state() {
	on lb nft list ruleset
	on lb sysctl net.ipv4.ip_local_reserved_ports net.ipv4.ip_local_port_range
	find /run/l4lb -mindepth 1 2>/dev/null || true
}
host_state >"$LAB_TMP/before"
nothing_left() { # WHAT
	host_state >"$LAB_TMP/after"
	cmp -s "$LAB_TMP/before" "$LAB_TMP/after" ||
		fail "$1: nothing is left" "$(diff "$LAB_TMP/before" "$LAB_TMP/after")"
	ok "$1: no rule, no sysctl, no file is left"
}
answers() { # HOST ADDRESS PORT NAME
	expect "from $1 to $2:$3" "$(on "$1" timeout 10 nc.openbsd -N "$2" "$3" <<<hello)" "$4 hello"
}
others_work() {
	answers client "$VIP" 22 ssh
	answers b1 "$VIP" 22 ssh
	answers lb "$VIP" 22 ssh
	answers client "$VIP" 12345 inrange
	answers client 198.18.0.3 "$VIP_PORT" sameport
	answers lb 198.18.0.11 "$PORT" echo1
	start_hold own lb 198.18.0.11 "$PORT" 200
	tell own 'say own' '^said'
	expect "200 connections of the host's own to a backend" \
		"$(tail -n 1 "$LAB_TMP/own.out")" "said echo1=200"
	tell own close '^closed'
	finish own 10
	rm "$LAB_TMP/own.orders"
}
refused() { # ADDRESS PORT: at once, not after a time
	local status=0
	on client timeout 20 nc.openbsd -z "$1" "$2" || status=$?
	[ "$status" -eq 1 ]
}

start_l4lb lb "${NAT[@]}" "$VIP" "${BACKENDS[@]}"
start_hold hold client "$VIP" "$VIP_PORT" 60
others_work
expect_true "a closed port is still refused" refused "$VIP" 23
tell hold 'say on' '^said'
expect "and the balanced connections work" "$(tail -n 1 "$LAB_TMP/hold.out")" \
	"said echo1=20 echo2=20 echo3=20"
reserved=$(on lb sysctl -n net.ipv4.ip_local_reserved_ports)
expect_true "the reserved ports are the host's and ours: $reserved" \
	[ "$reserved" != 5000,6000-6010,12000-12005 ]
stop lb
expect "SIGTERM: exit status" "$STATUS" 0
nothing_left "after SIGTERM"
tell hold close '^closed'
finish hold 10

start_l4lb lb "${NAT[@]}" "$VIP" "${BACKENDS[@]}"
stop lb INT
expect "SIGINT: exit status" "$STATUS" 0
nothing_left "after SIGINT"

# --- killed: the guard stays, so that the kernel resets nothing
start_l4lb lb "${NAT[@]}" "$VIP" "${BACKENDS[@]}"
start_hold cut client "$VIP" "$VIP_PORT" 30
before=$(counter lb TcpOutRsts)
stop lb KILL
expect "after kill -9 the guard is there" "$(on lb nft list tables | grep -c l4lb_20000)" 1
sent=$(counter client TcpRetransSegs)
printf 'say anybody there\n' >&"${LAB_ORDERS[cut]}"
resends() { [ "$(counter client TcpRetransSegs)" -gt "$sent" ]; }
wait_until 10 "the client to send again" resends
expect "  RSTs the kernel sent since" $(($(counter lb TcpOutRsts) - before)) 0
start_l4lb lb "${NAT[@]}" "$VIP" "${BACKENDS[@]}"
start_hold again client "$VIP" "$VIP_PORT" 30
tell again 'say hello' '^said'
expect "the next start takes over" "$(tail -n 1 "$LAB_TMP/again.out")" \
	"said echo1=10 echo2=10 echo3=10"
expect "  with one guard" "$(on lb nft list tables | grep -c l4lb_)" 1
stop lb
nothing_left "after the next clean exit"

# --- the other modes
start_l4lb keep "${NAT[@]}" --guard keep "$VIP" "${BACKENDS[@]}"
stop keep
expect "--guard keep: exit status" "$STATUS" 0
expect "  the guard is there" "$(on lb nft list tables | grep -c l4lb_20000)" 1
start_l4lb keep "${NAT[@]}" "$VIP" "${BACKENDS[@]}"
stop keep
nothing_left "after the next start without keep"

start_l4lb none "${NAT[@]}" --guard none "$VIP" "${BACKENDS[@]}"
expect "--guard none: tables" "$(on lb nft list tables | grep -c l4lb_ || true)" 0
# The proof that this test would see it: unguarded, the kernel resets.
before=$(counter lb TcpOutRsts)
on client timeout 5 nc.openbsd -N "$VIP" "$VIP_PORT" <<<hello >/dev/null 2>&1 || true
resets=$(($(counter lb TcpOutRsts) - before))
expect_true "  the kernel resets connections: $resets" [ "$resets" -gt 0 ]
stop none
nothing_left "after it"
