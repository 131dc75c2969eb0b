#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The balancer's own cable, interface or route is away for longer than it takes
# to find a backend down: that says nothing of the backends, and connections,
# idle ones and a transfer, go on when it is back. TCP survives that, so do we.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "the balancer's cable, interface and route are away"

lab_up lan
for i in 1 2; do
	start_echo echo$i b$i 198.18.0.1$i "$PORT"
	start_nginx b$i 8080
done
head -c 60000000 /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
{
	printf '[service syn]\nlisten = %s\ncheck = syn\n' "$VIP:$VIP_PORT"
	printf "backend = 198.18.0.%s:$PORT\n" 11 12
	printf '[service tcp]\nlisten = %s\ncheck = tcp\n' "$VIP:20081"
	printf "backend = 198.18.0.%s:$PORT\n" 11 12
	printf '[service http]\nlisten = %s\ncheck = http GET /\n' "$VIP:20080"
	printf 'backend = 198.18.0.%s:8080\n' 11 12
} >"$LAB_TMP/lb.conf"
start_l4lb lb --config "$LAB_TMP/lb.conf"
start_hold syn client "$VIP" "$VIP_PORT" 10
start_hold tcp client "$VIP" 20081 10

arrived() { [ -e "$1" ] && [ "$(stat -c %s "$1")" -ge "$2" ]; }
unreached() { [ "$(counted lb unreached)" -ge "$1" ]; }
# Six backends, one check a second of each: four in a row of each, and more.
away=0
outage() { # WHAT, HOW, HOW BACK
	start bulk client curl -sS --fail --limit-rate 12M -o "$LAB_TMP/got" \
		"http://$VIP:20080/files/data"
	wait_until 20 "the transfer to be under way" arrived "$LAB_TMP/got" 3000000
	away=$((away + 1))
	eval "$2"
	wait_until 30 "checks to find no way out" unreached $((away * 30))
	eval "$3"
	for service in syn tcp; do
		tell $service "say $away" '^said' $away
		expect "$1 was away, check = $service: the connections that were idle" \
			"$(tail -n 1 "$LAB_TMP/$service.out")" "said echo1=5 echo2=5"
	done
	finish bulk 60
	expect "  the transfer's exit status" "$STATUS" 0
	expect "  its SHA-256" "$(sha256 <"$LAB_TMP/got")" "$sum"
	rm "$LAB_TMP/got"
}
outage "the cable" 'ip link set lb-eth0 down' 'ip link set lb-eth0 up'
outage "the interface" 'on lb ip link set eth0 down' 'on lb ip link set eth0 up'
outage "the route" 'on lb ip route del 198.18.0.0/24 dev eth0' \
	'on lb ip route add 198.18.0.0/24 dev eth0 src 198.18.0.1'
expect_true "it is told" log_has lb \
	'health checks .* since this host has no way to their backends'
expect "no backend was found down" "$(grep -c 'backend .* is down' "$LAB_TMP/lb.err" || true)" 0
stop lb
expect "exit status" "$STATUS" 0
