#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody has taken over l4lb-api and floods the channel with rubbish and with
# commands, while connections go on: no packet's fate changes, others are served,
# and with api_writes = no nothing is changed.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$(dirname "$0")/traffic.sh"
need nft curl
need_program l4lb
title "a hostile l4lb-api"

lab_up lan
client_ports
for i in 1 2; do
	start_answer b$i b$i 198.18.0.1$i $PORT
done
mkdir "$LAB_TMP/bin"
cp "$L4LB_BUILD/l4lb" "$LAB_TMP/bin/l4lb"
cp "$LAB_TOOLS/hostile" "$LAB_TMP/bin/l4lb-api"
cat >"$LAB_TMP/flood.conf" <<END
[global]
name = flood
api_writes = no
[service 20000]
listen = $VIP:$VIP_PORT
backend = 198.18.0.11:$PORT
backend = 198.18.0.12:$PORT
END
CONTROL=/run/l4lb/flood.control

start lb lb "$LAB_TMP/bin/l4lb" --config "$LAB_TMP/flood.conf"
wait_log lb "$L4LB_READY"
wait_log lb '^flooded [1-9]'
before=$(show_lb)
at=$(generation)

start_traffic t "$VIP" "$VIP_PORT" 10
order t 'hold 50' '^holding 50'
order t 'rate 200' '^rate 200'
floods() { grep -c '^flooded' "$LAB_TMP/lb.err"; }
more_floods() { [ "$(floods)" -ge "$1" ]; }
n=$(floods)
wait_until 120 "a flood of 40000 datagrams" more_floods $((n + 5))
now=$(now_ms)
status=$(control status) || fail "another one who asks is not served"
ok "another one who asks is served in $(($(now_ms) - now)) ms"
expect "  lines" "$(grep -c '^backend ' <<<"$status")" 2
expect "the generation" "$(generation)" "$at"
expect "what runs" "$(show_lb)" "$before"
order t check '^held .*lost=0'
ok "connections that were open go on: $(last t)"
order t stop '^new .* failed 0 broken 0 wrong 0 .* lost 0 '
ok "and others are opened: $(last t)"
expect_true "nobody stops it" is_running lb
expect_false "or could ask for it" log_has lb 'stop: asked for'
longest=$(control loop | sed -n 's/.*longest_us=//p')
say "        the longest turn took $longest us"

say "  -- it stops when told by somebody who may"
done_so stop
finish lb 20
expect "clean exit, status" "$STATUS" 0
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
