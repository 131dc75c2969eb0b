#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The balancer is killed within transactions and started again: it runs as
# before the transaction or as after it, and no connection notices; also not
# those of a backend that only a command has added.
#
#	t-change-kill.sh [KILLS]
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
need nft
KILLS=${1:-100}
title "$KILLS kills within transactions"

lab_up lan
client_ports
# As in t-restart.sh: who sends into the gaps must neither wait for minutes nor
# give up.
for host in client b1 b2 b3; do
	on $host sysctl -qw net.ipv4.tcp_rto_max_ms=2000 2>/dev/null || continue
	on $host sysctl -qw net.ipv4.tcp_retries2=120 \
		net.ipv4.tcp_syn_retries=120 net.ipv4.tcp_synack_retries=120 \
		net.ipv4.tcp_orphan_retries=120
done
for i in 1 2 3; do start_answer echo$i b$i 198.18.0.1$i 9001; done
start_answer runtime b1 198.18.0.11 9002
start_answer spare b3 198.18.0.13 9002

RANDOM=${SEED:=$RANDOM}
say "  SEED=$SEED"
mkfifo "$LAB_TMP/go"
exec {go}<>"$LAB_TMP/go"
LAB_STDIN=$LAB_TMP/go start kill lb "$PYTHON" "$LAB_DIR/kill.py" \
	"$L4LB_BUILD/l4lb" lb "$LAB_TMP/lb.conf" "$LAB_TMP/lb.err" "$KILLS" "$SEED"
wait_log kill '^started' 20
start_traffic load "$VIP" 20000 150
wait_until 20 "the backend that was added to be up" is_up 198.18.0.11:9002
order load 'hold 80' '^holding 80'
order load check 'runtime=20 .*lost=0'
order load 'rate 40' '^rate 40'
echo >&$go
finish kill 280
while read -r line; do [[ $line =~ ^[0-9]+$ ]] || ok "$line"; done <"$LAB_TMP/kill.out"
[ "$STATUS" -eq 0 ] || fail "the kills, SEED=$SEED" "$(tail -n 5 "$LAB_TMP/lb.err")"
lb=$(last kill)

order load check '^held' 160
expect_true "held connections: $(last load)" log_has load '^held .*runtime=20 .*lost=0$'
kill -TERM "$(pid_of load)"
finish load 160
expect_true "$(last load)" log_has load ' failed 0 broken 0 wrong 0 .* lost 0 '
kill -TERM "$lb"
gone() { ! kill -0 "$lb" 2>/dev/null; }
wait_until 20 "l4lb to end" gone
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
expect "  and of the guard" "$(on lb nft list tables | grep -c l4lb || true)" 0
