#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients of the API that are silent, slow or stop in the middle, and listings of
# a million flows all the time: what packets notice of it is no more than what
# they would notice of any program that takes as much of the processors.
#
#   t-api-slow.sh [FLOWS [ROUNDS]]
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$(dirname "$0")/traffic.sh"
need nft curl
need_program l4lb
need_program l4lb-api
FLOWS=${1:-1000000} ROUNDS=${2:-3} SECONDS_EACH=12
title "slow clients of the API, and listings of $FLOWS flows"

lab_up lan
client_ports
SOURCES=("$VIP")
for i in {30..44}; do
	on lb ip address add "198.18.0.$i/24" dev eth0
	SOURCES+=("198.18.0.$i")
done
on lb ip route add 198.18.128.0/17 via 198.18.0.2
for i in 1 2 3; do
	on b$i nft 'table ip quiet { chain in {
		type filter hook input priority 0; tcp dport 9001 drop; }; }'
	start synth$i b$i "$LAB_TOOLS/synth" answer eth0 "$PORT"
	wait_log synth$i '^answering'
done
start_answer b1 b1 198.18.0.11 9002
{
	printf '[global]\nname = lb\nflows = %s\napi = 127.0.0.1:9090\n' $((FLOWS + 1000))
	printf '[service many]\nlisten = %s\n' "$VIP:$VIP_PORT"
	printf 'backend = %s\n' 198.18.0.1{1,2,3}:"$PORT"
	printf 'source = %s\n' "${SOURCES[*]}"
	printf '[service few]\nlisten = %s\n' "$VIP:20001"
	printf 'backend = 198.18.0.11:9002\n'
} >"$LAB_TMP/many.conf"
start_l4lb lb --config "$LAB_TMP/many.conf"
begin=$(now_ms)
opened=$(on client "$LAB_TOOLS/synth" open eth0 "$(lab_mac "$VIP")" "$VIP" \
	"$VIP_PORT" 198.18.128.1 "$FLOWS")
expect "flows" "$opened" "opened $FLOWS refused 0 unanswered 0"
say "        $(($(now_ms) - begin)) ms"

keeper=$(pgrep -P "$(pid_of lb)" -x l4lb-keep)
worker=$(pgrep -P "$keeper" -x l4lb-api)
# Milliseconds of a process and of those of its children that have ended.
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13 + $14 + $15) * 1000 / hz) }' "/proc/$1/stat"; }
p99() { sed -n 's/.* p99_us \([0-9]*\) .*/\1/p' "$LAB_TMP/rtt.out"; }
measure() {
	start rtt client "$LAB_TOOLS/rtt" "$VIP" 20001 $SECONDS_EACH
	finish rtt $((SECONDS_EACH * 3 + 30))
	[ "$STATUS" = 0 ] || fail "rtt" "$(cat "$LAB_TMP/rtt.out")"
	say "        $1: $(cat "$LAB_TMP/rtt.out")"
}
cat >"$LAB_TMP/list.sh" <<'END'
n=0
trap 'echo "listed $n, the last of $lines flows"; exit' TERM
while :; do
	lines=$(curl -sN -m 60 --unix-socket /run/l4lb/lb.sock 'http://localhost/lb/flows?stream=1' | wc -l)
	n=$((n + 1))
	echo "listing $lines"
done
END
listed() { log_has list '^listing'; }

measure alone
best=
for ((round = 1; round <= ROUNDS; round++)); do
	start slow lb nice -n 10 "$PYTHON" "$LAB_DIR/slow_clients.py" 127.0.0.1 9090 64
	wait_log slow '^ready'
	start list lb nice -n 10 bash "$LAB_TMP/list.sh"
	before=$(($(cpu_ms "$worker") + $(cpu_ms "$(pid_of slow)") + $(cpu_ms "$(pid_of list)")))
	measure "with the clients"
	used=$(($(cpu_ms "$worker") + $(cpu_ms "$(pid_of slow)") + $(cpu_ms "$(pid_of list)") - before))
	with=$(p99)
	wait_until 120 "a whole listing" listed
	expect "  flows in a listing" "$(sed -n 's/^listing //p' "$LAB_TMP/list.out" | head -n 1 |
		awk -v n="$FLOWS" '{ print ($1 >= n && $1 <= n + 1000) }')" 1
	stop slow
	kill -TERM "$(pid_of list)"
	finish list 70
	say "        they took $used ms of the processors; API $(tail -n 1 "$LAB_TMP/slow.out")"
	# As many processes as took it: the API, and who reads of it.
	share=$((used * 1000 / SECONDS_EACH / 1000 / 2))
	[ "$share" -gt 10 ] || fail "nothing was asked of the API"
	[ "$share" -lt 1000 ] || share=1000
	for i in 1 2; do
		start burn$i lb nice -n 10 "$LAB_TOOLS/burn" $share $((SECONDS_EACH + 1))
	done
	measure "with burners ($((2 * share)) permille)"
	control=$(p99)
	finish burn1 60
	finish burn2 60
	ratio=$((with * 100 / control))
	say "        p99 $with us with the clients, $control us with the burners: $ratio %"
	[ -n "$best" ] && [ "$best" -le "$ratio" ] || best=$ratio
	[ "$best" -gt 150 ] || break
done
expect_true "p99 is at most 1.5 times that of the burners ($best %)" [ "$best" -le 150 ]
kill -0 "$worker" || fail "the worker died"
ok "the API is still there"

say "  -- a silent client is closed"
start slow lb "$PYTHON" -c '
import socket, time
s = socket.create_connection(("127.0.0.1", 9090))
print("ready", flush=True)
begin = time.monotonic()
s.settimeout(60)
print("closed", s.recv(1), round(time.monotonic() - begin), flush=True)'
wait_log slow '^closed' 60
took=$(awk '/^closed/ { print $3 }' "$LAB_TMP/slow.out")
expect_true "after 10 s ($took)" [ "$took" -ge 8 -a "$took" -le 25 ]
finish slow 10
# Resetting a million connections takes its time; this is not about that.
stop lb USR2
expect "exit status" "$STATUS" 0
