#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The switch is away while the carrier stays: all backends fall silent at once,
# which says nothing of them. No connection is reset, none is found down, and
# who died meanwhile is found down when the switch is back. A backend that is
# silent while its neighbours, or only its own ARP, still answer is reset as
# ever.
# t-cut-off.sh port|switch|alone|apart
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "cut off: $1"

downs() { grep -Ec 'backend .* is (down|ejected)' "$LAB_TMP/lb.err" || true; }
told() { grep -c "$1" "$LAB_TMP/lb.err" || true; }
arrived() { [ -e "$LAB_TMP/got" ] && [ "$(stat -c %s "$LAB_TMP/got")" -ge "$1" ]; }
silences() { [ "$(counted lb cut-off)" -ge "$1" ]; }
has_died() { [ "$(grep -c "backend $NET.13:$PORT is down" "$LAB_TMP/lb.err")" -eq 3 ]; }

# cut_off AWAY BACK: for some ten seconds
cut_off() {
	local i service sum
	for i in 1 2 3; do
		start_echo echo$i b$i "$NET.1$i" "$PORT"
		start_nginx b$i 8080
	done
	head -c 60000000 /dev/urandom >"$LAB_TMP/files/data"
	sum=$(sha256 <"$LAB_TMP/files/data")
	for service in "syn 20000 $PORT syn" "tcp 20081 $PORT tcp" \
		"http 20080 8080 http GET /" "none 20082 $PORT none"; do
		# shellcheck disable=SC2086 # split on purpose
		set -- "$1" "$2" $service
		printf '[service %s]\nlisten = %s:%s\ncheck = %s\n' "$3" "$VIP" "$4" "${*:6}"
		printf "backend = $NET.1%s:$5\n" 1 2
		[ "$4" = 20080 ] || printf "backend = $NET.13:%s\n" "$5"
	done >"$LAB_TMP/lb.conf"
	printf "[service more]\nlisten = $VIP:20083\ncheck = syn\nbackend = $NET.13:%s\n" "$PORT" >>"$LAB_TMP/lb.conf"
	start_l4lb lb --config "$LAB_TMP/lb.conf" --state none
	for service in syn tcp none; do
		case $service in syn) i=20000 ;; tcp) i=20081 ;; none) i=20082 ;; esac
		start_hold $service client "$VIP" $i 9
	done
	start bulk client curl -sS --fail --limit-rate 12M -o "$LAB_TMP/got" \
		"http://$VIP:20080/files/data"
	wait_until 20 "the transfer to be under way" arrived 3000000

	eval "$1"
	wait_log lb 'cut off: no answer' 20
	# A client who comes meanwhile waits, and is served: SYNs are still sent.
	start new client curl -sS --fail --max-time 60 "http://$VIP:20080/"
	# 11 checked backends, one in half a second each: some ten seconds.
	wait_until 60 "silences of ten seconds" silences 170
	expect "silent for ten seconds: found down" "$(downs)" 0
	go_silent b3 # dies while nobody sees it
	eval "$2"
	wait_log lb 'no longer cut off' 20
	finish bulk 60
	expect "  the transfer's exit status" "$STATUS" 0
	expect "  its SHA-256" "$(sha256 <"$LAB_TMP/got")" "$sum"
	finish new 70
	expect "  a client who came meanwhile: exit status" "$STATUS" 0
	wait_until 20 "the one that died to be found down" has_died
	ok "  b3, which died meanwhile, is found down by three services"
	tell none "say there" '^said'
	for service in syn tcp; do
		tell $service "say there" '^said'
		expect "  check = $service: connections that go on" \
			"$(tail -n 1 "$LAB_TMP/$service.out" | grep -Eo 'echo[12]=3' | tr '\n' ' ')" \
			"echo1=3 echo2=3 "
	done
	expect "  all that was found down" "$(downs)" 3
	expect "  told that we are cut off" "$(told 'warning: cut off')" 1
	expect "  and that it is over" "$(told 'no longer cut off')" 1
	stop lb
	expect "  exit status" "$STATUS" 0
}

# One backend that nobody is beside, until it is by ARP.
single() {
	printf '[service one]\nlisten = %s:20000\nbackend = %s:%s\n' "$VIP" "$NET.11" "$PORT" \
		>"$LAB_TMP/lb.conf"
	start_l4lb lb --config "$LAB_TMP/lb.conf" --state none
	start_hold "$1" client "$VIP" "$VIP_PORT" 3
}
found_down() { # WHAT
	local from took late
	late=$(late_ms)
	from=$(now_ms)
	wait_log lb "backend $NET.11:$PORT is down: no answer" 30
	took=$(($(now_ms) - from))
	expect_true "$1: found down after $took ms, within 5000 and what the clock was late" \
		took_at_most $took 5000 "$late"
	expect "  told that we are cut off" "$(told 'cut off')" 0
}
alone() {
	start_clock
	start_echo echo1 b1 "$NET.11" "$PORT"
	single dropped
	go_silent b1
	found_down "it drops all IP and answers ARP"
	speak b1
	stop lb
	single unplugged
	# Refused, or not: now it is a neighbour.
	on lb timeout 5 bash -c "exec 3<>/dev/tcp/$NET.12/9" 2>/dev/null || true
	ip link set b1-eth0 down
	found_down "its cable is out, and a neighbour answers ARP"
	ip link set b1-eth0 up
	stop lb
	ip link set b2-eth0 down
	ip link set b3-eth0 down
	on lb ip neigh flush dev eth1
	single nobody
	ip link set b1-eth0 down
	wait_log lb 'cut off: no answer' 20
	ip link set b1-eth0 up
	wait_log lb 'no longer cut off' 20
	tell nobody "say there" '^said'
	expect "nobody is there: connections that went on" \
		"$(tail -n 1 "$LAB_TMP/nobody.out")" "said echo1=3"
	expect "  found down" "$(downs)" 0
	stop lb
}

# Each backend has a network of its own, where nobody else is.
apart() {
	local i
	start_clock
	for i in 1 2; do
		lab_switch br$i
		lab_host b$i
		lab_cable lb eth$i 198.19.$i.1 br$i
		lab_cable b$i eth0 198.19.$i.11 br$i
		start_echo echo$i b$i 198.19.$i.11 "$PORT"
	done
	start_l4lb lb --state none "$VIP" 198.19.1.11 "$PORT" 198.19.2.11 "$PORT"
	start_hold hold client "$VIP" "$VIP_PORT" 4
	NET=198.19.1
	on b1 ip link set eth0 down # with its ARP, while the switch is there
	found_down "alone on its link, beside another elsewhere"
	on b1 ip link set eth0 up
	wait_log lb "backend $NET.11:$PORT is up" 20
	# All of them: nobody is left who says that it is not us.
	on b1 ip link set eth0 down
	on b2 ip link set eth0 down
	wait_log lb 'cut off: no answer' 20
	expect "all silent at once: found down since" "$(($(downs) - 1))" 0
	stop lb
}

case $1 in
port)
	lab_up lan
	NET=198.18.0
	cut_off 'ip link set lb-eth0 nomaster' 'ip link set lb-eth0 master br0' ;;
switch)
	lab_up two-armed
	NET=198.19.0
	cut_off 'ip link set br1 down' 'ip link set br1 up' ;;
alone)
	lab_up two-armed
	NET=198.19.0
	alone ;;
apart)
	lab_up single-host
	apart ;;
*) fail "no test $1" ;;
esac
