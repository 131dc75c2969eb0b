#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The lab itself, without a balancer: if this fails, no other result counts.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
if [ "${1:-}" = nested ]; then # what is killed below
	lab_up lan
	start victim b1 sleep 98765
	echo up
	wait_until 60 "the end" false
fi

need ethtool nginx curl nft

title "the lab: hosts, programs, captures, offloads"
lab_up lan
start_nginx b1
expect "client reaches nginx on b1" "$(on client curl -s "http://198.18.0.11:$PORT/")" b1

start_echo echo b2 198.18.0.12 "$PORT"
start_hold hold client 198.18.0.12 "$PORT" 20
tell hold 'say hello' '^said'
expect "20 held connections answer" "$(tail -n 1 "$LAB_TMP/hold.out")" "said echo=20"
tell hold close '^closed'
finish hold 20
expect "the holder's exit status" "$STATUS" 0
stop echo
expect "a stopped program's exit status is known" "$STATUS" 143

for offloads in on off; do
	lab_offloads $offloads
	capture "wire-$offloads" b1 eth0 "tcp port $PORT"
	on client curl -s "http://198.18.0.11:$PORT/" >/dev/null
	capture_end "wire-$offloads"
	[ $offloads = on ] && want='ok|partial' || want=ok
	expect "capture with offloads $offloads: packets without SYN, checksum" \
		"$(packets "wire-$offloads" | awk -v want="^($want)$" '$10 !~ want || $9 != "ok"' | wc -l)" 0
	expect "  the client's SYN is there, with its MAC" \
		"$(packets "wire-$offloads" | awk '$4 == "S" { print $2 " " $11 }' | sed 's/:[0-9]* / /')" \
		"198.18.0.2 02:00:00:00:12:02"
done

expect "a reset is counted" "$(on client curl -s http://198.18.0.13:1/ || true
	counter b3 TcpOutRsts)" 1

# The kernel must not answer what synth answers, or the other way round.
on b1 nft 'table ip quiet { chain in { type filter hook input priority 0; tcp dport 7 drop; }; }'
start answer b1 "$LAB_TOOLS/synth" answer eth0 7
wait_log answer '^answering'
on b1 ip route add 198.18.128.0/17 via 198.18.0.2
expect "synthetic connections" "$(on client "$LAB_TOOLS/synth" open eth0 \
	"$(lab_mac 198.18.0.11)" 198.18.0.11 7 198.18.128.1 25000)" \
	"opened 25000 refused 0 unanswered 0"
stop answer
# On a busy machine some SYNs are sent again, after 250 ms.
answered=$(sed -n 's/^answered //p' "$LAB_TMP/answer.out")
expect_true "  the other end does not count each twice: $answered" \
	[ "$answered" -ge 25000 -a "$answered" -lt 50000 ]

# However it ends, nothing of a lab stays: here of one inside this one.
victims() { pgrep -f 'sleep 98765' >"$LAB_TMP/victims"; }
none_left() { ! victims; }
for signal in KILL TERM; do
	start nested - env -u LAB_INSIDE "$LAB_DIR/run" "$LAB_DIR/t-lab.sh" nested
	wait_log nested '^up'
	expect_true "a lab runs inside this one" victims
	stop nested $signal
	wait_until 10 "all of it to end" none_left
	ok "nothing of it is left after SIG$signal"
done
