#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The process that reads the file again: it has a name of its own, keeps nothing
# open, takes no harm from signals that are meant for l4lb, and ends with it.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "l4lb-plan: pkill, pidof, its end, ours; --check --diff"

lab_up lan
for n in 1 2; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done
conf() { # LINES of the service
	printf '%s\n' "[global]" "name = chat" "[service chat]" \
		"listen = $VIP:$VIP_PORT" "backend = 198.18.0.11:$PORT" \
		"$@" >"$LAB_TMP/chat.conf"
}
conf
start_l4lb lb --config "$LAB_TMP/chat.conf"

# The lab's processes are alone in their namespace.
keeper=$(pgrep -x l4lb-plan)
expect "one process of that name, a child of l4lb" \
	"$(awk '/^PPid/ { print $2 }' "/proc/$keeper/status")" "$(pid_of lb)"
expect "descriptors: three of /dev/null, its socket, its children" \
	"$(find "/proc/$keeper/fd" -mindepth 1 | wc -l)" 5
expect "  nothing of l4lb's files" \
	"$(find "/proc/$keeper/fd" -lname '/run/*' | wc -l)" 0

reloads() { grep -Ec 'reloaded: |nothing is different' "$LAB_TMP/lb.err"; }
reloaded() { [ "$(reloads)" -ge "$1" ]; }
conf "fall = 7"
pkill -HUP l4lb
wait_until 20 "the reload that pkill -HUP asks for" reloaded 1
wait_log lb 'change: service set chat fall=7'
# shellcheck disable=SC2046 # a pid each
kill -USR1 $(pidof l4lb)
wait_until 10 "the dump" log_has lb '^# l4lb flows'
expect "it is still there" "$(pgrep -x l4lb-plan)" "$keeper"
kill -INT "$keeper"
kill -TERM "$keeper"
conf "fall = 8"
kill -HUP "$(pid_of lb)"
wait_until 20 "a reload after all these signals" reloaded 2
wait_log lb 'change: service set chat fall=8'

# --- what a reload would change, asked by another process
diff_of() { on lb "$L4LB_BUILD/l4lb" --check --diff --config "$LAB_TMP/chat.conf" 2>"$LAB_TMP/diff.err"; }
expect "--diff: nothing" "$(diff_of)" ""
conf "fall = 8" "backend = 198.18.0.12:$PORT weight=3" "retries = 1"
expect "--diff: the commands" "$(diff_of)" "service set chat retries=1
backend add chat 198.18.0.12:$PORT weight=3 id=backend2"
on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "backend set chat backend1 weight=5" >/dev/null
expect "--diff, with changes of run time: the same" "$(diff_of | wc -l)" 2
expect "  and what stays" "$(cat "$LAB_TMP/diff.err")" "l4lb: kept: backend1 weight=5 (set at run time)"

# --- its end
echoes() { on client timeout 5 nc.openbsd -N "$VIP" "$VIP_PORT" <<<hi; }
kill -KILL "$keeper"
wait_log lb 'l4lb-plan\) has ended: balancing goes on'
expect "balancing goes on" "$(echoes)" "e1 hi"
kill -HUP "$(pid_of lb)"
wait_log lb 'restart l4lb to read it again'
gone() { ! pgrep -x l4lb-plan >/dev/null; }
wait_until 10 "no zombie of it" gone
ok "  and nothing is left of it"
stop lb
expect "exit status" "$STATUS" 0

# --- ours
start_l4lb lb --config "$LAB_TMP/chat.conf"
there() { ! gone; }
expect_true "there is one again" there
stop lb KILL
wait_until 10 "its end after kill -9 of l4lb" gone
ok "kill -9 of l4lb ends it"
start_l4lb lb --config "$LAB_TMP/chat.conf"
stop lb
expect "a clean exit: status" "$STATUS" 0
expect_true "  ends it as well" gone

start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
expect_true "without a file there is none" gone
kill -HUP "$(pid_of lb)"
wait_log lb 'no configuration file to read again'
ok "  and SIGHUP says so"
stop lb
