#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One of three backends dies under a stream of new connections: its process
# (RST), its host (silence), its cable (no neighbour). Nobody notices: no
# connection fails, and none takes as long as the client's own retransmission
# of its SYN, 1 s. Then the backend returns, and takes its share again.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "a backend dies under 600 new connections, 100 a second"

CLIENTS=$LAB_DIR/clients.py
B2=198.18.0.12:$PORT

names() { awk '$1 ~ /^echo/ { n[$1]++ } END { printf "%d %d %d", n["echo1"], n["echo2"], n["echo3"] }' "$LAB_TMP/$1.out"; }
value_of() { sed -n "s/^done.* $2=\([0-9]*\).*/\1/p" "$LAB_TMP/$1.out"; }
visits() { grep -c . "$LAB_TMP/$1.out" 2>/dev/null || true; }
has_visits() { [ "$(visits "$1")" -ge "$2" ] 2>/dev/null; }

# each_takes_its_share NAME: of 90 new ones
each_takes_its_share() {
	start "$1" client "$PYTHON" "$CLIENTS" stream "$VIP" "$VIP_PORT" 90 100
	finish "$1" 30
	expect "  then 90 more, by backend" "$(names "$1")" "30 30 30"
}

# dies NAME HOW_BACK COMMAND...: the command kills b2 after 150 of 600.
dies() {
	local name=$1 back=$2
	shift 2
	again=$(counter client TcpExtTCPSynRetrans)
	start "$name" client "$PYTHON" "$CLIENTS" stream "$VIP" "$VIP_PORT" 600 100
	wait_until 20 "150 connections" has_visits "$name" 150
	"$@"
	dead_ms=$(now_ms)
	finish "$name" 60
	expect "$name: connections that failed" "$(value_of "$name" failed)" 0
	# Those that the backend had accepted and took with it nobody can save.
	expect "  begun after its death, and not served ($(value_of "$name" cut) before)" \
		"$(awk -v dead="$dead_ms" '$1 == "cut" && $2 > dead' "$LAB_TMP/$name.out" | wc -l)" 0
	expect "  SYNs that a client had to send again (slowest connect: $(value_of "$name" slowest_ms) ms)" \
		$(($(counter client TcpExtTCPSynRetrans) - again)) 0
	say "        by backend: $(names "$name")"
	wait_log lb "backend $B2 is down" 10
	"$back"
	wait_log lb "backend $B2 is up again" 20
	each_takes_its_share "$name-after"
	resets=$(counter lb TcpOutRsts)
	stop lb
	expect "  exit status" "$STATUS" 0
	expect "  RST sent by the balancer's kernel" "$resets" 0
}

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
balance() {
	start_l4lb lb --state none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
		198.18.0.13 "$PORT"
}

balance
kill_echo() { stop echo2 KILL; }
start_again() { start_echo echo2 b2 198.18.0.12 "$PORT"; }
dies "process killed" start_again kill_echo

balance
speak_again() { speak b2; }
dies "host silent" speak_again go_silent b2

balance
pull() { ip link set b2-eth0 down; }
plug_in() { ip link set b2-eth0 up; }
dies "cable pulled" plug_in pull
