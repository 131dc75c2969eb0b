#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Backends that still hold the service's address on lo, left from direct
# routing: what comes from that address is a martian to them. They are reached
# from the other address of the balancer, with every kind of check, and the log
# says what is wrong; a restart finds them at once. A backend that does not hold
# it keeps the service's address.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "backends that hold the service's address"

VIP=198.18.0.100 # $lb has 198.18.0.1 as well, which its route prefers
lab_up lan
on lb ip address add $VIP/32 dev eth0
for i in 1 2 3; do
	start_nginx b$i
	[ $i -eq 3 ] && continue
	on b$i ip address add $VIP/32 dev lo
	on b$i sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
done
port=20000
for check in syn tcp "http GET /" none; do
	printf '[service %s]\nlisten = %s:%d\ncheck = %s\n' "${check%% *}" $VIP $port "$check"
	printf 'backend = 198.18.0.%s:9001\n' 11 12 13
	port=$((port + 1))
done >"$LAB_TMP/lb.conf"

web() { # PORT: who answered 30
	on client curl -sS --no-progress-meter --fail --max-time 20 -H 'Connection: close' \
		"http://$VIP:$1/?[1-30]" | sort | uniq -c | awk '{ printf "%s=%s ", $2, $1 }'
}
downs() { grep -Ec 'backend .* is (down|ejected)' "$LAB_TMP/lb.err" || true; }
told() { grep -Ec "backend $1 answers 198.18.0.1 and not $VIP: it probably holds" "$LAB_TMP/lb.err" || true; }
both_told() { [ "$(told '198.18.0.1[12]:9001')" -ge 2 ]; }

start_l4lb lb --config "$LAB_TMP/lb.conf" --guard keep
wait_until 20 "the log to say what is wrong" both_told
for port in 20000 20001 20002 20003; do
	expect "port $port: 30 requests" "$(web $port)" "b1=10 b2=10 b3=10 "
done
expect "  told of b1 and b2, once each" "$(told '198.18.0.1[12]:9001')" 2
expect "  told of b3, which does not hold it" "$(told '198.18.0.13:9001')" 0
expect "  found down" "$(downs)" 0
stop lb KILL
start_l4lb lb --config "$LAB_TMP/lb.conf"
for port in 20000 20001 20002 20003; do
	expect "after a restart, port $port" "$(web $port)" "b1=10 b2=10 b3=10 "
done
expect "  found down" "$(downs)" 0
stop lb
expect "  exit status" "$STATUS" 0

# Nothing else to try: then the hint says what to do.
printf '[service s]\nlisten = 198.18.0.1:20000\nbackend = 198.18.0.11:9001\n' >"$LAB_TMP/lb.conf"
on b1 ip address add 198.18.0.1/32 dev lo
start_l4lb lb --config "$LAB_TMP/lb.conf" --state none
wait_log lb 'backend 198.18.0.11:9001 has never answered 198.18.0.1: if it holds' 20
ok "no other source: a hint"
stop lb
