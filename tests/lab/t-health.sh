#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What becomes of backends that do not answer, and of their connections: each
# kind of check, ejection, backups, nobody left, on_down, draining, idling, slow
# start.
# t-health.sh checks|failures
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl nc.openbsd
title "health checks and failures: $1"

CLIENTS=$LAB_DIR/clients.py
B1=198.18.0.11:$PORT B2=198.18.0.12:$PORT B3=198.18.0.13:$PORT

# balance NAME: l4lb with the configuration that comes in
balance() {
	cat >"$LAB_TMP/$1.conf"
	start_l4lb "$1" --config "$LAB_TMP/$1.conf"
}
ends() {
	stop "$1"
	[ "$STATUS" -eq 0 ] || fail "$1 ended with status $STATUS"
}
THREE="backend = $B1
backend = $B2
backend = $B3"
QUICK="interval = 200ms
fast_interval = 50ms"

echo_up() { start_echo "echo$1" "b$1" "198.18.0.1$1" "$PORT"; }
waits_down() { wait_log "$1" "backend $2 is down: $3" 10; }
# The last word on a backend, since it may be up and down more than once.
is_up_again() { grep -E "backend $2 is (down|up)" "$LAB_TMP/$1.err" | tail -n 1 | grep -q 'up again'; }
waits_up() { wait_until 10 "$1 to say that $2 is up again" is_up_again "$1" "$2"; }

shares() { awk '$1 ~ /^(b|echo)[0-9]/ { n[$1]++ } END { for (k in n) print k "=" n[k] }' | sort | tr '\n' ' '; }
web() { # COUNT: by backend
	on client curl -sS --no-progress-meter --fail --max-time 20 -H 'Connection: close' \
		"http://$VIP:$VIP_PORT/?[1-$1]" | shares
}
visit() { # COUNT [PORT]: by backend
	on client "$PYTHON" "$CLIENTS" stream "$VIP" "${2:-$VIP_PORT}" "$1" 100 | shares
}
state_of() { dump "$1" | awk -v b="$2" '/^# backend/ { last = 1 } last && $1 == b { printf "%s ", $3 }'; }

# ----------------------------------------------------------------- checks

# A web server dies, and one that answers with another status than expected.
check_http() {
	local host
	for host in b1 b2 b3; do start_nginx $host; done
	balance http <<-END
		[service web]
		listen = $VIP:$VIP_PORT
		check = http GET /health
		$QUICK
		$THREE
	END
	expect "http: 30 requests" "$(web 30)" "b1=10 b2=10 b3=10 "
	stop nginx-b2-9001
	waits_down http "$B2" "connection refused"
	expect "  one has died" "$(web 30)" "b1=15 b3=15 "
	start_nginx b2
	waits_up http "$B2"
	expect "  it is back" "$(web 30)" "b1=10 b2=10 b3=10 "
	ends http

	balance status <<-END
		[service web]
		listen = $VIP:$VIP_PORT
		check = http GET /health expect 204
		$QUICK
		$THREE
	END
	for host in "$B1" "$B2" "$B3"; do
		waits_down status "$host" "unexpected status"
	done
	expect_false "  200 where 204 is expected: refused" \
		on client curl -s --max-time 5 "http://$VIP:$VIP_PORT/"
	ends status
	for host in b1 b2 b3; do stop nginx-$host-9001; done
}

# outcome PORT SECONDS: of a connection that is given so long
outcome() {
	local said
	said=$(on client nc.openbsd -v -z -w "$2" "$VIP" "$1" 2>&1) || true
	case $said in
	*succeeded*) echo connected ;;
	*refused*) echo refused ;;
	*'timed out'*) echo silence ;;
	*) echo "$said" ;;
	esac
}
probed() { [ "$(counter b1 TcpPassiveOpens)" -ge "$1" ]; }

# A chat client must never hear of the checks; a server that hangs fails them,
# and passes syn, which its kernel answers.
check_expect() {
	local host heard before
	for host in 1 2 3; do
		start chat$host b$host "$L4LB_BUILD/chat_serv" "$PORT"
		wait_listens b$host "$PORT"
	done
	balance expect <<-END
		[service chat]
		listen = $VIP:$VIP_PORT
		check = expect "HEALTH CHECK"
		$QUICK
		$THREE
		[service same]
		listen = $VIP:20001
		check = syn
		$QUICK
		$THREE
	END
	# It connects to the server itself and listens.
	mkfifo "$LAB_TMP/silence"
	# shellcheck disable=SC2034 # held open, so that nc waits
	exec {SILENCE}<>"$LAB_TMP/silence"
	LAB_STDIN=$LAB_TMP/silence start listener b1 nc.openbsd 127.0.0.1 "$PORT"
	wait_log chat1 'client 127.0.0.1:[0-9]* came'
	heard=$(wc -c <"$LAB_TMP/listener.out")
	before=$(counter b1 TcpPassiveOpens)
	wait_until 20 "20 checks" probed $((before + 20))
	expect "expect: bytes a chat client heard during 20 checks" \
		$(($(wc -c <"$LAB_TMP/listener.out") - heard)) 0
	stop listener

	kill -STOP "$(pid_of chat2)"
	waits_down expect "$B2" "no answer"
	expect "  a server that hangs: expect fails, syn passes" \
		"$(state_of expect "$B2")" "DOWN UP "
	kill -CONT "$(pid_of chat2)"
	waits_up expect "$B2"
	ok "  it goes on: up again"
	stop chat2 KILL
	wait_until 10 "both services to find it down" both_down expect
	ok "  killed: down for both"
	start chat2 b2 "$L4LB_BUILD/chat_serv" "$PORT"
	wait_until 10 "both services to find it up" both_up expect
	ok "  started: up for both"
	ends expect
	for host in 1 2 3; do stop chat$host; done
}
both_down() { [ "$(state_of "$1" "$B2")" = "DOWN DOWN " ]; }
both_up() { [ "$(state_of "$1" "$B2")" = "UP UP " ]; }

# Who is said to have come or gone, in that order.
turns() { grep -Eo 'backend [0-9.:]+ is (down|up again)' "$LAB_TMP/$1.err" | cut -d ' ' -f 2-4; }
refused() { [ "$(counter "$1" TcpOutRsts)" -ge "$2" ]; }

# check_plain syn|tcp: the server accepts no connection for them, ever.
check_plain() {
	local before resets host
	for host in 1 2 3; do echo_up $host; done
	resets=$(counter lb TcpOutRsts)
	before=$(counter b1 TcpPassiveOpens)
	balance "$1" <<-END
		[service echo]
		listen = $VIP:$VIP_PORT
		check = $1
		$QUICK
		$THREE
	END
	stop echo2 KILL
	waits_down "$1" "$B2" "connection refused"
	expect "$1: one has died" "$(visit 30)" "echo1=15 echo3=15 "
	wait_until 10 "5 more checks to be refused" refused b2 $(($(counter b2 TcpOutRsts) + 5))
	echo_up 2
	waits_up "$1" "$B2"
	expect "  it is back" "$(visit 30)" "echo1=10 echo2=10 echo3=10 "
	expect "  connections that b1 took, all of clients" \
		$(($(counter b1 TcpPassiveOpens) - before)) 25
	go_silent b3
	waits_down "$1" "$B3" "no answer"
	speak b3
	waits_up "$1" "$B3"
	ok "  silent: down, and up again"
	# However many checks failed while they were, and passed since.
	expect "  what the log says of all that" "$(turns "$1" | tr '\n' ',')" \
		"$B2 is down,$B2 is up,$B3 is down,$B3 is up,"
	# tcp is this kernel's own, and ends with its RST; syn knows nothing of it.
	[ "$1" = tcp ] || expect "  RST sent by the balancer's kernel" \
		$(($(counter lb TcpOutRsts) - resets)) 0
	ends "$1"
	for host in 1 2 3; do stop echo$host; done
}

# --------------------------------------------------------------- failures

ejection() {
	local host
	for host in 1 2 3; do echo_up $host; done
	balance eject <<-END
		[service echo]
		listen = $VIP:$VIP_PORT
		check = none
		eject_time = 500ms
		eject_max = 1s
		$THREE
	END
	stop echo2 KILL
	expect "no checks, one has died" "$(visit 60)" "echo1=30 echo3=30 "
	expect_false "  one client is no evidence" log_has eject "is ejected"
	on client ip address add 198.18.0.3/24 dev eth0
	for host in 1 2 3; do
		on client nc.openbsd -z -w 2 -s 198.18.0.3 "$VIP" "$VIP_PORT" ||
			fail "a second client is not served"
		visit 2 >/dev/null # every other one is for b2
	done
	expect_true "  it is ejected" log_has eject "backend $B2 is ejected: connection refused"
	echo_up 2
	wait_until 10 "a connection to bring it back" comes_back
	expect "  it is back" "$(visit 30)" "echo1=10 echo2=10 echo3=10 "
	ends eject
	for host in 1 2 3; do stop echo$host; done
}
comes_back() {
	visit 3 >/dev/null
	log_has eject "backend $B2 has recovered"
}

backups() {
	local host
	for host in 1 2 3; do echo_up $host; done
	balance backup <<-END
		[service refuses]
		listen = $VIP:$VIP_PORT
		$QUICK
		backend = $B1
		backend = $B2
		backend = $B3 backup
		[service silent]
		listen = $VIP:20001
		all_down = drop
		$QUICK
		backend = $B1
		backend = $B3 backup
	END
	expect "a backup, with the others up" "$(visit 20)" "echo1=10 echo2=10 "
	stop echo1 KILL
	expect "  one has died" "$(visit 10)" "echo2=10 "
	stop echo2 KILL
	expect "  both have" "$(visit 10)" "echo3=10 "
	waits_down backup "$B1" "connection refused"
	waits_down backup "$B2" "connection refused"
	expect "  known to be down" "$(visit 10)" "echo3=10 "
	stop echo3 KILL
	waits_down backup "$B3" "connection refused"
	wait_until 10 "all to be down" all_down backup

	expect "all down, reset: a connection is" "$(outcome "$VIP_PORT" 20)" refused
	expect "all down, drop: a connection is, for 2 s" "$(outcome 20001 2)" silence
	echo_up 1
	wait_log backup "backend $B1 is up again: .* service=refuses" 10
	expect "one is back" "$(visit 10)" "echo1=10 "
	ends backup
	stop echo1
}
all_down() { ! dump "$1" | awk '/^# backend/ { b = 1; next } b && $3 != "DOWN" { bad = 1 } END { exit !bad }'; }

# The host is gone without a word: only resets of ours can tell the client.
down() {
	local took late
	echo_up 2
	balance down <<-END
		[service reset]
		listen = $VIP:$VIP_PORT
		backend = $B2
		[service keep]
		listen = $VIP:20001
		on_down = keep
		backend = $B2
	END
	start watch client "$PYTHON" "$CLIENTS" watch "$VIP" "$VIP_PORT"
	wait_log watch '^watching'
	start_hold keep client "$VIP" 20001 1
	late=$(late_ms)
	go_silent b2
	took=$(now_ms)
	wait_log watch '^(reset|closed)' 30
	took=$(($(now_ms) - took))
	expect "on_down = reset: an established connection to a silent host" \
		"$(tail -n 1 "$LAB_TMP/watch.out")" reset
	expect_true "  after $took ms, within 4000 and what the clock was late" \
		took_at_most "$took" 4000 "$late"
	finish watch 20
	wait_until 10 "both services to find it down" both_down down
	speak b2
	tell keep "say hello" '^said'
	expect "on_down = keep: the other one goes on when it is back" \
		"$(tail -n 1 "$LAB_TMP/keep.out")" "said echo2=1"
	tell keep close '^closed'
	finish keep 10
	ends down
	stop echo2
}

draining() {
	local host
	for host in 1 2 3; do echo_up $host; done
	config() {
		cat <<-END
			[global]
			guard = keep
			[service echo]
			listen = $VIP:$VIP_PORT
			drain_timeout = 10s
			backend = $B1
			backend = $B2 $1
			backend = $B3
		END
	}
	balance before <<<"$(config "")"
	start_hold hold client "$VIP" "$VIP_PORT" 30
	ends before
	balance drain <<<"$(config weight=0)"
	tell hold "say hello" '^said'
	expect "drain: connections go on" "$(tail -n 1 "$LAB_TMP/hold.out")" "said echo1=10 echo2=10 echo3=10"
	expect "  new ones go elsewhere" "$(visit 20)" "echo1=10 echo3=10 "
	wait_log drain "backend $B2 is drained: .* flows=10 " 40
	tell hold "say again" '^said' 2
	expect_true "  then its are reset: $(tail -n 1 "$LAB_TMP/hold.out")" \
		grep -Eq '^said ConnectionResetError.*=10 echo1=10 echo3=10$' "$LAB_TMP/hold.out"
	expect "  and it has none" "$(dump drain | awk -v b="$B2" '/^# backend/ { l = 1 } l && $1 == b { print $3, $4 }')" "DRAIN 0"
	tell hold close '^closed'
	finish hold 10
	ends drain
	on lb "$L4LB_BUILD/l4lb" --down "$VIP_PORT" >/dev/null
	for host in 1 2 3; do stop echo$host; done
}

# Silence is ended by resets, or found to be none by asking.
idling() {
	local began watching over late
	echo_up 1
	config() {
		printf '%s\n' "[global]" "idle_timeout = 4s" "$1" "[service echo]" \
			"listen = $VIP:$VIP_PORT" "backend = $B1"
	}
	balance idle <<<"$(config "")"
	late=$(late_ms)
	began=$(now_ms)
	start watch client "$PYTHON" "$CLIENTS" watch "$VIP" "$VIP_PORT"
	wait_log watch '^watching'
	watching=$(now_ms)
	finish watch 30
	over=$(now_ms)
	expect "idle_timeout = 4s: a silent connection" "$(tail -n 1 "$LAB_TMP/watch.out")" reset
	expect_true "  not before 4 s: $((over - began)) ms after it was begun" \
		[ $((over - began)) -ge 3950 ]
	expect_true "  after $((over - watching)) ms, within 6000 and what the clock was late" \
		took_at_most $((over - watching)) 6000 "$late"
	expect "  connections its backend still has" "$(on b1 ss -Htn state established | wc -l)" 0
	ends idle

	balance asks <<<"$(config "keepalive = 1s")"
	start_hold quiet client "$VIP" "$VIP_PORT" 3
	sleep 6 # longer than idle_timeout
	tell quiet "say hello" '^said'
	expect "with keepalive = 1s, after 6 s" "$(tail -n 1 "$LAB_TMP/quiet.out")" "said echo1=3"
	tell quiet close '^closed'
	finish quiet 10
	ends asks
	stop echo1
}

slow_start() {
	local host few
	for host in 1 2 3; do echo_up $host; done
	balance slow <<-END
		[service echo]
		listen = $VIP:$VIP_PORT
		slow_start = 12s
		$QUICK
		$THREE
	END
	stop echo2 KILL
	waits_down slow "$B2" "connection refused"
	echo_up 2
	waits_up slow "$B2"
	few=$(visit 200)
	# At 11 of 12 s it would still be less than 50 of its 67.
	expect_true "slow start: 200 connections in the first 2 of 12 s: $few" \
		awk -v few="$few" 'BEGIN { split(few, n, /[= ]/); exit !(n[4] > 0 && n[4] < 50) }'
	wait_until 40 "equal shares after it" equal_shares
	ok "  after it they are equal"
	ends slow
	for host in 1 2 3; do stop echo$host; done
}

equal_shares() { [ "$(visit 30)" = "echo1=10 echo2=10 echo3=10 " ]; }

lab_up lan
start_clock
case $1 in
checks)
	need_program chat_serv
	check_http
	check_expect
	check_plain syn
	check_plain tcp ;;
failures)
	ejection
	backups
	down
	draining
	idling
	slow_start ;;
*) fail "no part $1" ;;
esac
