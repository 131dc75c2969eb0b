#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What l4lb shows to l4lb-api, read by another process from its memory: the rows
# of services and backends, the flows with their notes, what happens to all of
# them in the journal; and it is right while it changes.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "board, journal and flows, read from outside"

board() { "$LAB_TOOLS/board" "$(pid_of lb)" "$@"; }
# row WORDS...: the row that begins with them, as it is now.
row() { board | grep -E "^$*( |$)"; }
# value KEY WORDS...: of that row.
value() {
	local key=$1
	shift
	row "$@" | sed -nE "s/.* $key=([^ ]*).*/\1/p"
}
becomes() { # SECONDS KEY VALUE WORDS...
	local seconds=$1 key=$2 want=$3
	shift 3
	wait_until "$seconds" "$key=$want of $*" eval \
		"[ \"\$(value $key '$*')\" = '$want' ]"
	ok "$*: $key=$want"
}
ch() { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "$@"; }
conf() {
	printf '[global]\nname = chat\n[service chat]\nlisten = %s\n' "$VIP:$VIP_PORT" >"$LAB_TMP/chat.conf"
	printf '%s\n' "$@" >>"$LAB_TMP/chat.conf"
}

lab_up lan
for n in 1 2 3; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done
conf "backend = 198.18.0.11:$PORT" "backend = 198.18.0.12:$PORT"
start_l4lb lb --config "$LAB_TMP/chat.conf"
start journal - "$LAB_TOOLS/board" "$(pid_of lb)" follow
wait_log journal '^1 operator started'
ok "the journal begins with the start"

# --- rows
becomes 10 up 2 service 0 chat
expect "the service" "$(row service 0 chat | cut -d ' ' -f 1-9)" \
	"service 0 chat $VIP:$VIP_PORT slot=2 live=2 up=2 takes_flows=2 flows=0"
start_hold hold client "$VIP" "$VIP_PORT" 6
tell hold "say hello" '^said'
becomes 10 succeeded 6 service 0 chat
expect "  its flows" "$(value flows service 0 chat)" 6
expect "  its requests" "$(row service 0 chat | cut -d ' ' -f 10-)" \
	"requests=6 succeeded=6 failed=0 pending=0"
expect "the backends share them" "$(value flows backend 0 backend1) $(value flows backend 0 backend2)" "3 3"
expect "flows with notes" "$(board | grep -cE '^flow .*state=ESTABLISHED handshake_us=[1-9][0-9]* tries=1 end=none')" 6
becomes 10 used 3 pool "198.18.0.11:$PORT"
came() { [ "$(value captured tap eth0)" -ge 18 ]; }
wait_until 10 "18 frames by eth0" came
ok "  and what came by the interface"
wait_until 10 "six records" said journal '^[0-9]+ opened ' 6
ok "six flows opened in the journal"

# --- what happens to a backend is there at once, and so is a change
go_silent b2
becomes 10 health down backend 0 backend2
expect "the service has one left" "$(value takes_flows service 0 chat)" 1
wait_log journal '^[0-9]+ backend what=0 service=0 backend=1 text=no answer, 3 checks in a row'
ok "the journal says so, and why"
speak b2
becomes 10 health up backend 0 backend2
ch "backend set chat backend1 weight=7" >/dev/null
becomes 10 weight 7 backend 0 backend1
expect "the generation" "$(value generation global)" 1
wait_log journal '^[0-9]+ operator changed by=.* text=backend set chat backend1 weight=7'
ok "the command is in the journal"
ch "backend add chat 198.18.0.13:$PORT" >/dev/null
becomes 10 health up backend 0 backend3
ch "backend remove chat backend2 then=reset" >/dev/null
becomes 10 slot 3 backend 0 backend2
becomes 10 live 2 service 0 chat
conf "backend = 198.18.0.11:$PORT" "backend = 198.18.0.12:$PORT" "mss = 1"
kill -HUP "$(pid_of lb)"
becomes 20 hups 1 global
becomes 20 reloads 0/1 global
wait_log journal '^[0-9]+ operator refused by=.* text=.*unknown key'
ok "a reload that fails is in the journal"
tell hold close '^closed'
finish hold 10

# --- under load: every row keeps what it promises, in each copy of it
start load client "$PYTHON" "$LAB_DIR/clients.py" stream "$VIP" "$VIP_PORT" 1500 300
board check 4 >"$LAB_TMP/check.out"
expect "rows that contradict themselves" "$(grep -o 'wrong=[0-9]*' "$LAB_TMP/check.out")" wrong=0
rows=$(sed -nE 's/.*rows=([0-9]+).*/\1/p' "$LAB_TMP/check.out")
expect_true "  of $rows" [ "$rows" -gt 10000 ]
finish load 60
expect "all were served" "$(tail -n 1 "$LAB_TMP/load.out" | cut -d ' ' -f 2,3)" "failed=0 cut=0"
becomes 10 succeeded 1506 global
expect "their sum" "$(row global | grep -o 'requests=.*')" "requests=1506 succeeded=1506 failed=0 pending=0"

# --- the end: all flows have one, before l4lb is gone
start_hold last client "$VIP" "$VIP_PORT" 5
stop lb
expect "exit status" "$STATUS" 0
finish journal 20
count() { grep -cE "^[0-9]+ $1" "$LAB_TMP/journal.out" || true; }
expect "flows opened" "$(count opened)" 1511
expect "  revived" "$(count revived)" 0
expect "  and ended" "$(count ended)" 1511
expect "  by the end of l4lb" "$(count 'ended why=shutdown')" 5
expect "  each of them once" "$(sed -nE 's/^[0-9]+ ended why.* id=([0-9]+) .*/\1/p' "$LAB_TMP/journal.out" | sort -u | wc -l)" 1511
expect "nothing is lost" "$(tail -n 1 "$LAB_TMP/journal.out" | sed -E 's/read=[0-9]+ //')" "over lost=0 ends=1511"
wait_log journal '^[0-9]+ operator stops by= text=connections are reset'
ok "  and it says that it was told to end"
