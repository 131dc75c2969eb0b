#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Balancing goes on whatever happens to l4lb-api, and l4lb-api comes back: it is
# killed, its keeper is, l4lb is, it is missing, its address is taken.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$(dirname "$0")/traffic.sh"
need nft curl
need_program l4lb
need_program l4lb-api
title "the life of l4lb-api"

lab_up lan
client_ports
for i in 1 2; do
	start_answer b$i b$i 198.18.0.1$i $PORT
done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT")
CONTROL=/run/l4lb/20000.control

child_of() { pgrep -P "$1" -x "$2"; }
has_child() { child_of "$@" >/dev/null; }
other_child() { has_child "$1" "$2" && [ "$(child_of "$1" "$2")" != "$3" ]; }
find_api() {
	LB=$(pid_of lb)
	wait_until 20 "l4lb-keep" has_child "$LB" l4lb-keep
	KEEPER=$(child_of "$LB" l4lb-keep)
	wait_until 20 "l4lb-api" has_child "$KEEPER" l4lb-api
	WORKER=$(child_of "$KEEPER" l4lb-api)
}
gone() { ! kill -0 "$1" 2>/dev/null; }
by_socket() {
	on lb curl -sS -m 5 --unix-socket /run/l4lb/20000.sock \
		http://localhost/lb/health >"$LAB_TMP/health" 2>&1
}
by_tcp() { on lb curl -sS -m 5 http://127.0.0.1:9090/lb/health >"$LAB_TMP/health" 2>&1; }
answers() { by_socket && by_tcp; }
# Both ways, within so many ms; a busy machine may take longer.
answers_within() { # WHAT MS FROM LATE
	wait_until 30 "an answer of the API $1" answers
	local took=$(($(now_ms) - $3))
	took_at_most $took "$2" "$4" || fail "$1 it took $took ms, more than $2"
	ok "$1 it answers after $took ms"
}
lb() { start_l4lb lb --api 127.0.0.1:9090 "$@" "$VIP" "${BACKENDS[@]}"; }
start_clock

say "  -- the worker is killed"
lb
find_api
wait_until 20 "an answer" answers
for pid in "$KEEPER" "$WORKER"; do
	expect "$(cat "/proc/$pid/comm") has left the session of who started l4lb" \
		"$(ps -o sid= -p "$pid" | tr -d ' ')" "$KEEPER"
done
start_traffic t "$VIP" "$VIP_PORT" 10
order t 'hold 50' '^holding 50'
order t 'rate 200' '^rate 200'
for i in 1 2; do
	late=$(late_ms)
	now=$(now_ms)
	kill -KILL "$WORKER"
	wait_until 20 "another worker" other_child "$KEEPER" l4lb-api "$WORKER"
	answers_within "killed, $i," 2000 "$now" "$late"
	WORKER=$(child_of "$KEEPER" l4lb-api)
done
expect_true "it is said" log_has lb 'l4lb-api has ended \(Killed\) and starts again in'
# Whoever means all that are called l4lb..., or the group of processes.
kill -TERM "$KEEPER" "$WORKER"
kill -INT "$KEEPER" "$WORKER"
kill -USR1 "$KEEPER" "$WORKER"
kill -USR2 "$KEEPER" "$WORKER"
kill -HUP "$KEEPER" "$WORKER"
wait_until 20 "an answer" answers
expect "other signals do nothing, worker" "$(child_of "$KEEPER" l4lb-api)" "$WORKER"

say "  -- the worker hangs, with a question that is not answered"
kill -STOP "$WORKER"
expect_true "others are served by the control channel" control status
kill -CONT "$WORKER"
wait_until 20 "an answer" answers

say "  -- the keeper is killed: what there is goes on"
kill -KILL "$KEEPER"
wait_log lb 'l4lb-api has ended for good \(signal 9\)'
wait_until 20 "an answer" answers
order t check '^held .*lost=0'
ok "connections that were open go on: $(last t)"
expect_true "the worker lives" kill -0 "$WORKER"

say "  -- l4lb is killed: all of it ends, and the next one has its addresses"
order t 'rate 0' '^rate 0'
stop lb KILL
late=$(late_ms)
now=$(now_ms)
lb
expect_false "nothing was in the way" log_has lb 'cannot listen'
answers_within "after the next start" 2000 "$now" "$late"
wait_until 20 "the end of the old worker" gone "$WORKER"
find_api
for i in 1 2 3; do
	stop lb KILL
	lb
	expect_false "killed again, nothing was in the way" log_has lb 'cannot listen'
	wait_until 20 "an answer" answers
	wait_until 20 "the end of the old keeper" gone "$KEEPER"
	find_api
done
stop lb USR2
expect "SIGUSR2, status" "$STATUS" 0
lb
expect_false "nothing was in the way" log_has lb 'cannot listen'
wait_until 20 "an answer" answers
find_api
# Stopped, it cannot let go of the address.
kill -STOP "$KEEPER" "$WORKER"
stop lb KILL
lb
expect_true "an old one that hangs is no reason not to start" \
	log_has lb 'API cannot listen at 127.0.0.1:9090: .*; the connections are more important'
wait_until 20 "an answer by the UNIX socket" by_socket
kill -KILL "$KEEPER" "$WORKER"
order t check '^held .*lost=0'
ok "after all of that: $(last t)"
order t stop '^new .* failed 0 broken 0 wrong 0 .* lost 0 '
ok "no connection failed: $(last t)"
finish t 20
stop lb
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""

say "  -- it hangs, and l4lb is told to end, twice"
lb
find_api
kill -STOP "$KEEPER" "$WORKER"
kill -TERM "$LB"
naps() { awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$LB/status" 2>/dev/null; }
gave_up() { [ ! -e /run/l4lb/20000.sock ]; }
wait_until 10 "the end of the API's socket" gave_up
kill -TERM "$LB"
begun=$(naps)
naps_more() { [ "$(naps || true)" -ge $((begun + 50)) ]; } 2>/dev/null
wait_until 2 "l4lb sleeps while it waits for l4lb-api" naps_more
ok "it sleeps while it waits"
finish lb 20
expect "  and ends without it, status" "$STATUS" 0
kill -KILL "$KEEPER" "$WORKER"

say "  -- the address is somebody else's"
start other lb nc -lk 127.0.0.1 9090
wait_listens lb 9090
status=0
on lb timeout 10 "$L4LB_BUILD/l4lb" --api 127.0.0.1:9090 "$VIP" "${BACKENDS[@]}" \
	2>"$LAB_TMP/said" || status=$?
expect "a first start fails, status" "$status" 1
expect_true "and says why" grep -q 'the API cannot listen at 127.0.0.1:9090: Address already in use; choose another port' "$LAB_TMP/said"
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
stop other

say "  -- a port of the API is no NAT port"
start_l4lb lb --api 198.18.0.1:10300 "$VIP" "${BACKENDS[@]}"
expect_true "it is left out, as the port of the service is" log_has lb 'nat ports 10240-32767 .*in_use_by_this_host=2'
stop lb

say "  -- a wrong token, or a path that cannot be"
printf 'short\n' >"$LAB_TMP/token"
cat >"$LAB_TMP/lb.conf" <<END
[global]
api = 127.0.0.1:9090
api_token_file = $LAB_TMP/token
[service 20000]
listen = $VIP:$VIP_PORT
backend = 198.18.0.11:$PORT
END
status=0
on lb timeout 10 "$L4LB_BUILD/l4lb" --config "$LAB_TMP/lb.conf" 2>"$LAB_TMP/said" || status=$?
expect "status" "$status" 1
expect_true "and says why" grep -q 'token: expected one line of 16 to 255 printable' "$LAB_TMP/said"
sed -i "s|^api_token_file.*|api_socket = $LAB_TMP/nosuch/sock|" "$LAB_TMP/lb.conf"
status=0
on lb timeout 10 "$L4LB_BUILD/l4lb" --config "$LAB_TMP/lb.conf" 2>"$LAB_TMP/said" || status=$?
expect "no such folder, status" "$status" 1
expect_true "and says why" grep -q 'nosuch/sock: No such file' "$LAB_TMP/said"
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""

say "  -- there is no such program, or another one"
mkdir "$LAB_TMP/bin"
cp "$L4LB_BUILD/l4lb" "$LAB_TMP/bin/l4lb"
alone() {
	start lb lb "$LAB_TMP/bin/l4lb" "$@" "$VIP" "${BACKENDS[@]}"
	wait_log lb "$L4LB_READY"
}
goes_on() {
	start_traffic t "$VIP" "$VIP_PORT" 10
	order t 'burst 20' '^burst .*lost=0'
	order t stop '^new '
	finish t 20
	stop lb
	expect "$1 it balances; status" "$STATUS" 0
}
alone --api 127.0.0.1:9090 --flow-log /var/log/flows.log
expect "one warning" "$(grep -c warning "$LAB_TMP/lb.err")" 1
expect_true "  that says what is not there" log_has lb \
	'l4lb-api is not installed .* by HTTP, and there is no flow log; it balances all the same'
goes_on "without it"
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
printf '#!/bin/sh\nexit 7\n' >"$LAB_TMP/bin/l4lb-api"
chmod +x "$LAB_TMP/bin/l4lb-api"
alone
wait_log lb 'l4lb-api has ended for good \(exit 7\)'
goes_on "with one that fails"
printf 'no program\n' >"$LAB_TMP/bin/l4lb-api"
status=0
on lb timeout 10 "$LAB_TMP/bin/l4lb" "$VIP" "${BACKENDS[@]}" 2>"$LAB_TMP/said" || status=$?
expect "with what is no program, status" "$status" 1
expect_true "and says why" grep -q 'cannot start .*/l4lb-api: Exec format error' "$LAB_TMP/said"
"$L4LB_BUILD/l4lb-api" 2>"$LAB_TMP/said" </dev/null 3<&- && fail "started by hand it does something"
expect_true "by hand it says who starts it" grep -q 'started by l4lb, not by hand' "$LAB_TMP/said"

say "  -- the command \`stop\`, with guard = keep"
lb --guard keep
done_so stop
finish lb 20
expect "clean exit, status" "$STATUS" 0
expect_true "it is said who" log_has lb 'stop: asked for by uid:0'
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
expect "tables" "$(on lb nft list tables | wc -l)" 0
