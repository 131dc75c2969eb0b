#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Three chat servers with Redis behind l4lb: many requests at once are all
# answered, many WebSocket clients hear each message once and in one order, and
# 1000 of them take at most 30 MiB. Counts and sizes; times: tests/bench/chat.sh.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=../bench/chat-lab.sh
. "$LAB_DIR/../bench/chat-lab.sh"
need nft redis-server redis-cli
need_program chat_serv tests/bench/chat_http tests/bench/chat_ws
title "the chat: requests at once, WebSocket clients, memory"
MEMORY_MAX=30720 # kB, of a server with 1000 clients

lab_up lan
chat_start_redis
for i in 1 2 3; do chat_start_server $i standalone; done
chat_tune
chat_start_l4lb

counts() { grep -E "^($1) " | tr '\n' ' '; }
ask_redis() { on redis redis-cli -h $CHAT_REDIS "$@"; }

# --- at once
start monitor redis redis-cli -h $CHAT_REDIS monitor
wait_log monitor '^OK'
expect "100 hooks, each once" \
	"$(chat_at_once "$VIP" $CHAT_PORT 100 asked | counts 'answered|ids')" \
	"answered 100 ids 100 "
ask_redis ping >/dev/null
wait_log monitor '"ping"'
stop monitor
# They had no id of their own, so they cannot have been said before: each batch
# is only written (the script asks for the last id).
expect "times that Redis was searched for them" \
	"$(grep -c '"COUNT" "1000"' "$LAB_TMP/monitor.out" || true)" 0
for n in 100 500 1000 5000; do
	expect "$n hooks at once" \
		"$(chat_at_once "$VIP" $CHAT_PORT $n "hooks-$n" |
			counts 'answered|refused|failed|unanswered|ids')" \
		"answered $n refused 0 failed 0 unanswered 0 ids $n "
done
expect "5000 pages at once" "$(chat_at_once "$VIP" $CHAT_PORT 5000 |
	counts 'answered|refused|failed|unanswered')" \
	"answered 5000 refused 0 failed 0 unanswered 0 "

# --- in one room, on three servers
chat_join many "$VIP" $CHAT_PORT 300 20 many
expect "300 clients hear 60 messages" \
	"$(chat_say many 20 3 | counts '[a-z]*' | sed 's/ done.*//; s/mean_ms.*//')" \
	"clients 300 lost 0 said 60 acked 60 heard 18000 missing 0 double 0 disordered 0 gaps 0 errors 0 "
chat_leave many

# --- a server with 1000
chat_join thousand 198.18.0.13 "$PORT" 1000 20 thousand
expect "1000 clients hear 20 messages" \
	"$(chat_say thousand 20 1 | counts 'clients|heard|missing|double|disordered')" \
	"clients 1000 heard 20000 missing 0 double 0 disordered 0 "
kb=$(chat_memory chat3 VmHWM)
expect_true "$kb kB at most, after 2000 other requests" [ "$kb" -le $MEMORY_MAX ]
chat_leave thousand
for i in 1 2 3; do stop chat$i; done
