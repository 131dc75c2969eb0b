#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who gets the connections after a change: shares, states of the administrator,
# newcomers, and which clients move when a backend leaves.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
title "shares after live changes"

lab_up lan
client_ports
for i in 1 2 3; do
	start_answer a$i b$i 198.18.0.1$i 9001
	start_answer b$i b$i 198.18.0.1$i 9002
done
service() { # NAME PORT SCHEDULER BACKEND...
	printf '[service %s]\nlisten = %s\nscheduler = %s\n' "$1" "$VIP:$2" "$3"
	shift 3
	printf 'backend = %s\n' "$@"
}
ALL=(198.18.0.1{1,2,3}:900{1,2})
{
	printf '[global]\nname = lb\nclosed_timeout = 3s\n'
	service web 20000 wrr 198.18.0.1{1,2,3}:9001
	service keyed 20001 hash "${ALL[@]}"
	service table 20002 maglev "${ALL[@]}"
} >"$LAB_TMP/lb.conf"
start_l4lb lb --config "$LAB_TMP/lb.conf"
start_traffic web "$VIP" 20000
start_traffic keyed "$VIP" 20001
start_traffic table "$VIP" 20002

# --- weights: exact over each cycle, from the first connection after the change
order web 'burst 30' '^burst a1=10 a2=10 a3=10 lost=0$'
ok "weights 1 1 1: $(last web)"
for weights in '3 2 1' '1 7 2' '0 1 4' '256 128 128' '1 1 1'; do
	read -r w1 w2 w3 <<<"$weights"
	done_so begin "backend set web 198.18.0.11:9001 weight=$w1" \
		"backend set web 198.18.0.12:9001 weight=$w2" \
		"backend set web 198.18.0.13:9001 weight=$w3" commit
	want=$(for i in 1 2 3; do
		w=w$i
		[ "${!w}" -eq 0 ] || printf 'a%d=%d ' $i "${!w}"
	done)
	for cycle in first second; do
		order web "burst $((w1 + w2 + w3))" '^burst'
		expect "weights $weights, the $cycle cycle" "$(last web)" "burst ${want}lost=0"
	done
done
# In the middle of a long cycle, too: what was owed by the old weights is no
# longer owed.
done_so "backend set web 198.18.0.11:9001 weight=256"
order web 'burst 128' '^burst a1=127 a2=1 lost=0$'
done_so "backend set web 198.18.0.11:9001 weight=1"
order web 'burst 3' '^burst'
expect "weights 256 1 1, half a cycle, then 1 1 1" "$(last web)" "burst a1=1 a2=1 a3=1 lost=0"

# --- drained, disabled, enabled again
done_so begin "backend set web 198.18.0.11:9001 weight=1" \
	"backend set web 198.18.0.12:9001 weight=1" commit
order web 'hold 30' '^holding 30'
order web 'check' '^held a1=10 a2=10 a3=10 lost=0'
for state in drain 'disable then=keep'; do
	how=${state#* }
	[ "$how" != "$state" ] || how=
	done_so "backend ${state%% *} web 198.18.0.12:9001 $how"
	order web 'burst 30' '^burst a1=15 a3=15 lost=0$'
	order web check '^held a1=10 a2=10 a3=10 lost=0'
	ok "$state: no new connection, the others go on: $(last web)"
	done_so "backend enable web 198.18.0.12:9001"
	# Who was disabled was not checked, and has to pass one first.
	wait_until 20 "it to be up" is_up 198.18.0.12:9001
	order web 'burst 30' '^burst a1=10 a2=10 a3=10 lost=0$'
	ok "  enabled again: $(last web)"
done
stop web
expect_true "  $(last web)" [ "$STATUS" -eq 0 ]

# --- and with the rest of its connections reset: after a time, or at once
for state in 'drain for=1s then=reset' 'disable then=reset' 'remove then=reset'; do
	start watch client "$PYTHON" "$LAB_DIR/clients.py" watch "$VIP" 20000
	wait_log watch '^watching'
	there=$(dump lb | awk '/^# backend / { exit }
		$6 == "ESTABLISHED" && $1 > id { id = $1; there = $5 } END { print there }')
	begin=$(now_ms)
	done_so "backend ${state%% *} web $there ${state#* }"
	wait_log watch '^reset' 20
	took=$(($(now_ms) - begin))
	ok "$state: a connection is reset, after $took ms"
	[ "${state%% *}" != drain ] ||
		expect_true "  not before its time" [ "$took" -ge 1000 ]
	finish watch 10
	[ "${state%% *}" = remove ] || done_so "backend enable web $there"
done
done_so "backend add web $there"

# --- a newcomer gets nothing until a check has passed
start_traffic web "$VIP" 20000
for i in 1 2 3; do wait_until 20 "backend $i to be up" is_up "198.18.0.1$i:9001"; done
tried() { state_of "$1" | sed -E 's/.* total=([0-9]*) failed=([0-9]*).*/\1 \2/'; }
for newcomer in 198.18.0.13:9003 198.18.0.99:9001; do
	done_so "backend add web $newcomer"
	order web 'burst 60' '^burst a1=20 a2=20 a3=20 lost=0$'
	expect "newcomer $newcomer, not there: total and failed connections" "$(tried $newcomer)" "0 0"
done
start_answer late b3 198.18.0.13 9003
wait_until 20 "the newcomer that came to be up" is_up 198.18.0.13:9003
order web 'burst 40' '^burst a1=10 a2=10 a3=10 late=10 lost=0$'
ok "  when it is there: $(last web)"
done_so begin "service set web check=none" "backend remove web 198.18.0.99:9001 then=reset" \
	"backend remove web 198.18.0.13:9003 then=drain" commit
done_so "backend add web 198.18.0.13:9002"
order web 'burst 40' '^burst a1=10 a2=10 a3=10 b3=10 lost=0$'
ok "without checks it gets its share at once: $(last web)"

# --- weights that change all the time cost no connection
start_traffic steady "$VIP" 20000
order steady 'rate 200' '^rate'
for n in 1 2 3 4 5 6 7 8 9 10; do
	done_so "backend set web 198.18.0.11:9001 weight=$n" \
		"backend set web 198.18.0.12:9001 weight=$((11 - n))"
done
stop steady
expect_true "weights under load: $(last steady)" [ "$STATUS" -eq 0 ]

# --- who leaves takes only its own clients along
CLIENTS=600
on client ip route add local 198.18.64.0/22 dev lo
on lb ip route add 198.18.64.0/22 via 198.18.0.2
sweep() { # SERVICE FILE
	order "$1" "sweep 198.18.64.1 $CLIENTS" '^sweep' 120
	last "$1" | tr ' ' '\n' | tail -n "+2" >"$LAB_TMP/$2"
	expect_false "  $1: nobody without an answer" grep -qxF -- - "$LAB_TMP/$2"
}
# moved FILE FILE [SERVER]: how many of those that are not SERVER's.
moved() {
	paste "$LAB_TMP/$1" "$LAB_TMP/$2" |
		awk -v gone="${3:-}" '$1 != gone && $1 != $2 { n++ } END { print n + 0 }'
}
for s in keyed table; do
	sweep $s before
	say "        $(sort "$LAB_TMP/before" | uniq -c | awk '{ printf "%s=%s ", $2, $1 }')"
	sweep $s again
	expect "$s: clients that move without a change" "$(moved before again)" 0
	done_so "backend remove $s 198.18.0.12:9001 then=drain"
	# Its table, where there is one, is built anew within a turn or two.
	sweep $s without
	expect "  with the leaver" "$(grep -cx a2 "$LAB_TMP/without" || true)" 0
	n=$(moved before without a2)
	if [ $s = keyed ]; then
		expect "  others that moved when one of six left" "$n" 0
	else
		expect_true "  others that moved when one of six left: $n of $CLIENTS" \
			[ $((n * 100)) -le $((CLIENTS * 2)) ]
	fi
	done_so "backend add $s 198.18.0.12:9001"
	wait_until 20 "the backend to be up again" is_up 198.18.0.12:9001
	sweep $s returned
	expect "  that are elsewhere when it is back" "$(moved before returned)" 0
done
for s in web keyed table; do
	stop $s
	expect_true "$(last $s)" [ "$STATUS" -eq 0 ]
done
stop lb
expect "exit status" "$STATUS" 0
