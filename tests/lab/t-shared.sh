#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many services ask the same backends, and each gets its own answers: 64 with
# default checks of the same three, and seven that ask every five minutes beside
# one that asks every 200 ms. Nothing is wrong with any backend, so none is ever
# found down, and connections stay.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "many services share three backends"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
services() { # COUNT LINE...
	local i n=$1
	shift
	for ((i = 0; i < n; i++)); do
		printf '[service s%d]\nlisten = %s:%d\n' "$next" "$VIP" $((20000 + next))
		printf '%s\n' "$@"
		printf 'backend = 198.18.0.%s:9001\n' 11 12 13
		next=$((next + 1))
	done
}
downs() { grep -Ec 'backend .* is (down|ejected)' "$LAB_TMP/$1.err" || true; }
asked() { [ "$(counted "$1" originated)" -ge "$2" ]; }

next=0 && services 64 "check = syn" >"$LAB_TMP/many.conf"
start_l4lb many --config "$LAB_TMP/many.conf" --state none
start_hold held client "$VIP" "$VIP_PORT" 30
# A check is a SYN and a RST: 192 backends, 15 checks of each.
wait_until 60 "15 checks of each backend" asked many $((192 * 15 * 2))
expect "64 services, 15 checks of each backend: found down" "$(downs many)" 0
tell held "say there" '^said'
expect "  connections" "$(tail -n 1 "$LAB_TMP/held.out")" "said echo1=10 echo2=10 echo3=10"
stop many
expect "  exit status" "$STATUS" 0

next=0
services 7 "interval = 5m" >"$LAB_TMP/paces.conf"
services 1 "interval = 200ms" >>"$LAB_TMP/paces.conf"
start_l4lb paces --config "$LAB_TMP/paces.conf" --state none
# Three times as many as there are ports: each comes around.
wait_until 60 "200 checks of each backend by one service" asked paces $((3 * 200 * 2))
expect "every five minutes beside every 200 ms: found down" "$(downs paces)" 0
stop paces
expect "  exit status" "$STATUS" 0
