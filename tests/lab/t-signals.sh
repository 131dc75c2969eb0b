#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The flow dump is a contract; SIGHUP does not kill; output that nobody reads
# does not stall forwarding.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "SIGUSR1, SIGHUP, and an output that nobody reads"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")

start_l4lb lb -v "$VIP" "${BACKENDS[@]}"
expect "flows before any connection" "$(dump_flows lb)" 0
start_hold hold client "$VIP" "$VIP_PORT" 6
tell hold 'say hello' '^said'
dump lb >"$LAB_TMP/dump"
IP='[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+'
STATE='(SYN_SENT|SYN_RECEIVED|ESTABLISHED|FIN_WAIT|CLOSING|TIME_WAIT|RESET)'
is_line() { # NUMBER REGEX
	[[ $(sed -n "$1p" "$LAB_TMP/dump") =~ ^$2$ ]] ||
		fail "line $1 of the dump" "expected: $2" "seen:     $(sed -n "$1p" "$LAB_TMP/dump")"
}
is_line 1 '# l4lb flows 6/65536 backends 3/3 uptime [0-9]+s'
is_line 2 '# id client vip nat backend state age_s idle_s c2s_packets c2s_bytes s2c_packets s2c_bytes'
for line in 3 4 5 6 7 8; do
	is_line $line "[0-9]+ 198\.18\.0\.2:[0-9]+ 198\.18\.0\.1:20000 198\.18\.0\.1:[0-9]+ $IP:9001 $STATE [0-9]+\.[0-9] [0-9]+\.[0-9] [0-9]+ [0-9]+ [0-9]+ [0-9]+"
done
is_line 9 '# backend weight state flows total failed'
for line in 10 11 12; do
	is_line $line "198\.18\.0\.1$((line - 9)):9001 1 UP 2 2 0"
done
expect "lines of the dump, each as the contract says" "$(wc -l <"$LAB_TMP/dump")" 12
# "hello\n" went up, "echoN hello\n" came down.
expect "bytes of the payload that it counts, c2s and s2c" \
	"$(awk '/ ESTABLISHED / { print $10, $12 }' "$LAB_TMP/dump" | sort -u)" "6 12"
expect_true "-v logs a line when a flow opens" log_has lb '198\.18\.0\.2:[0-9]+'

kill -HUP "$(pid_of lb)"
tell hold 'say after HUP' '^said' 2
expect "SIGHUP: the connections go on" "$(tail -n 1 "$LAB_TMP/hold.out")" \
	"said echo1=2 echo2=2 echo3=2"
wait_until 5 "a word about SIGHUP" log_has lb '(HUP|reload)'
ok "  and it says that it cannot reload yet"
tell hold close '^closed'
finish hold 10
stop lb
expect "exit status" "$STATUS" 0

# --- a pipe that is full: nobody reads what l4lb prints
mkfifo "$LAB_TMP/full"
exec 4<>"$LAB_TMP/full" # kept open, never read
on lb "$L4LB_BUILD/l4lb" -v "$VIP" "${BACKENDS[@]}" >"$LAB_TMP/full" 2>&1 </dev/null &
mute=$!
reachable() { on client timeout 2 nc.openbsd -N "$VIP" "$VIP_PORT" <<<hi >/dev/null; }
wait_until 10 "the balancer behind the pipe" reachable
start_hold held client "$VIP" "$VIP_PORT" 500
n=0
for _ in 1 2 3 4 5; do
	kill -USR1 "$mute" # each 50 KB; a pipe holds 64
	tell held 'say still' '^said' "$((++n))"
	expect "500 connections, output blocked" "$(tail -n 1 "$LAB_TMP/held.out")" \
		"said echo1=167 echo2=167 echo3=166"
done
pipe_full() { ! "$PYTHON" -c '
import os, sys
os.set_blocking(4, False)
try:
    os.write(4, b"\n" * 4096)
except BlockingIOError:
    sys.exit(1)'; }
expect_true "the pipe is really full" pipe_full
start_hold more client "$VIP" "$VIP_PORT" 300
tell more 'say new' '^said'
expect "300 new connections, output blocked" "$(tail -n 1 "$LAB_TMP/more.out")" \
	"said echo1=100 echo2=100 echo3=100"
kill -TERM "$mute"
status=0
ended() { ! kill -0 "$mute" 2>/dev/null; }
wait_until 20 "the end, output blocked" ended
wait "$mute" || status=$?
expect "SIGTERM with output blocked, exit status" "$status" 0
