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
# Bytes are IP bytes: 52 of header in each packet and 8 more in a SYN, then
# "hello\n" up and "echoN hello\n" down. Independent of how many bare ACKs.
expect "bytes less all headers, c2s and s2c" "$(awk '/ ESTABLISHED / {
	print $10 - 52 * $9 - 8, $12 - 52 * $11 - 8 }' "$LAB_TMP/dump" | sort -u)" "6 12"

kill -HUP "$(pid_of lb)"
tell hold 'say after HUP' '^said' 2
expect "SIGHUP: the connections go on" "$(tail -n 1 "$LAB_TMP/hold.out")" \
	"said echo1=2 echo2=2 echo3=2"
wait_until 20 "a word about SIGHUP" log_has lb '(HUP|reload)'
ok "  and it says that it cannot reload yet"
tell hold close '^closed'
finish hold 10
logged() { # how many flows with: client, NAT, backend, state, bytes
	grep -Ec "flow $1 .*client=198\.18\.0\.2:[0-9]+ nat=198\.18\.0\.1:[0-9]+ backend=$IP:9001 state=$STATE .*bytes=" \
		"$LAB_TMP/lb.err"
}
six_closed() { [ "$(logged ended)" -eq 6 ]; }
wait_until 10 "six closed flows in the log" six_closed
expect "-v logs each flow when it opens" "$(logged opened)" 6
expect "  and when it closes" "$(logged ended)" 6
stop lb
expect "exit status" "$STATUS" 0

# --- a pipe that is full: nobody reads what l4lb prints
mkfifo "$LAB_TMP/mute.out"
ln -s mute.out "$LAB_TMP/mute.err"
exec 4<>"$LAB_TMP/mute.out" # kept open, never read
start mute lb "$L4LB_BUILD/l4lb" -v "$VIP" "${BACKENDS[@]}"
reachable() { on client timeout 2 nc.openbsd -N "$VIP" "$VIP_PORT" <<<hi >/dev/null; }
wait_until 10 "the balancer behind the pipe" reachable
answers() { # HOLDER: how many of its connections were answered, of all it has
	tail -n 1 "$LAB_TMP/$1.out" | grep -o 'echo.=[0-9]*' | awk -F= '{ n += $2 } END { print n + 0 }'
}

start_hold held client "$VIP" "$VIP_PORT" 500
for n in 1 2 3 4 5; do
	kill -USR1 "$(pid_of mute)" # each dump is 50 KB; a pipe holds 64
	tell held 'say still' '^said' "$n"
	expect "connections that work after dump $n" "$(answers held)" 500
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
expect "new connections with the output blocked" "$(answers more)" 300
stop mute
expect "SIGTERM with the output blocked, exit status" "$STATUS" 0
