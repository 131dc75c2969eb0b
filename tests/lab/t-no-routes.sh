#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two thousand backends lose their route. The balancer asks the kernel about
# them again and again, and packets of other connections do not wait for that.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "many backends without a route, and one with"

lab_up lan
start_echo e1 b1 198.18.0.11 "$PORT"
ch() { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "$@"; }
{
	printf '[global]\nname = chat\n[service chat]\nlisten = %s:%s\nbackend = 198.18.0.11:%s\n' \
		"$VIP" "$VIP_PORT" "$PORT"
	for s in {1..8}; do
		printf '[service s%s]\nlisten = %s:%s\ncheck = none\n' "$s" "$VIP" $((21000 + s))
		printf "backend = 198.19.$s.%s:$PORT\n" {0..255}
	done
} >"$LAB_TMP/chat.conf"

# Processor time: the wall time is that of everything else on this machine, too.
longest_us() { ch loop | sed -E 's/.*recent_cpu_us=([0-9]+).*/\1/'; }
waiting() { log_has lb "service s8: no way to backend 198.19.8.255"; }
all_routed() { [ "$(grep -c "backend 198\.19\..*source=$VIP" "$LAB_TMP/lb.err")" -eq 2048 ]; }

start_l4lb lb --config "$LAB_TMP/chat.conf"
expect_true "the last backend has no route" waiting
start_hold hold client "$VIP" "$VIP_PORT" 4
longest_us >/dev/null
looks=0
# Each new route is a reason to look again, beside once a second.
for n in {1..20}; do
	on lb ip route add 198.20.0.0/24 dev eth0
	on lb ip route del 198.20.0.0/24 dev eth0
	tell hold "say round $n" '^said' "$n"
	looks=$((looks + 1))
done
us=$(longest_us)
expect_true "the longest turn took $us us of processor time" [ "$us" -lt 5000 ]
expect "connections, $looks rounds" "$(grep -c '^said e1=4' "$LAB_TMP/hold.out")" "$looks"

# All of them are found, whichever place they have.
on lb ip route add 198.19.0.0/16 via 198.18.0.12
wait_until 30 "all 2048 to have a route" all_routed
tell hold "say at last" '^said' 21
expect "the connections at last" "$(tail -n 1 "$LAB_TMP/hold.out")" "said e1=4"
stop lb
