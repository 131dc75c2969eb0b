#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SIGHUP and the command reload: what the edited file says is carried out, what
# was changed at run time stays where the file says nothing new, a file that is
# wrong changes nothing, and what needs a restart is said.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "SIGHUP: an edited file, a wrong one, one that needs a restart"

lab_up lan
for n in 1 2 3; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done
ch() { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "$@"; }
status_has() { grep -q "$1" <<<"$(ch status)"; }
conf() { # LINES
	printf '[global]\nname = chat\n%s\n' "$1" >"$LAB_TMP/chat.conf"
	shift
	printf '%s\n' "[service chat]" "listen = $VIP:$VIP_PORT" "$@" >>"$LAB_TMP/chat.conf"
}
reloads=0
reload() { # WORDS that the log then has
	reloads=$((reloads + 1))
	kill -HUP "$(pid_of lb)"
	wait_until 20 "$1" reloaded "$reloads"
	wait_log lb "$1"
}
reloaded() { [ "$(grep -Ec 'reloaded: |reload: nothing was changed' "$LAB_TMP/lb.err")" -ge "$1" ]; }
live() { ch status | awk '$1 == "backend" && /state=live/ { print $4, $7 }' | sort | xargs; }
generation() { ch generation | grep -o '[0-9]*'; }

conf "" "backend = 198.18.0.11:$PORT" "backend = 198.18.0.12:$PORT"
start_l4lb lb --config "$LAB_TMP/chat.conf"
start_hold hold client "$VIP" "$VIP_PORT" 6

reload "nothing is different"
expect "the same file: generation" "$(generation)" 0

ch "backend set chat backend1 weight=7" >/dev/null
conf "mss_clamp = 1300" "scheduler = wrr" "backend = 198.18.0.11:$PORT" "backend = 198.18.0.13:$PORT weight=2"
reload "change: backend add chat 198.18.0.13:$PORT"
expect "the file's changes, and that of run time" "$(live)" "198.18.0.11:$PORT weight=7 198.18.0.13:$PORT weight=2"
wait_log lb "change: backend remove chat backend2"
wait_log lb "change: service set chat scheduler=wrr"
wait_log lb "change: set mss_clamp=1300"
wait_log lb "kept: backend1 weight=7"
tell hold "say a" '^said' 1
expect "  nobody notices" "$(tail -n 1 "$LAB_TMP/hold.out")" "said e1=3 e2=3"

was=$(ch show | grep -v '^ok')
conf "" "backend = 198.18.0.11:$PORT" "bakend = 198.18.0.14:$PORT"
reload "chat.conf:[0-9]*: unknown key"
expect "a wrong file changes nothing" "$(ch show | grep -v '^ok')" "$was"

mv "$LAB_TMP/chat.conf" "$LAB_TMP/away.conf"
reload "nothing was changed: .*chat.conf"
expect "  nor does one that is not there" "$(ch show | grep -v '^ok')" "$was"

conf "flows = 1000" "backend = 198.18.0.11:$PORT" "backend = 198.18.0.13:$PORT"
reload "needs a restart: .*flows"
expect "the rest of it applies" "$(live)" "198.18.0.11:$PORT weight=7 198.18.0.13:$PORT weight=1"

conf "" "backend = 198.18.0.11:$PORT"
expect "a dry run says what would change" "$(ch "reload dry" | grep '^change')" \
	"change backend remove chat backend3"
expect "  and changes nothing" "$(live)" "198.18.0.11:$PORT weight=7 198.18.0.13:$PORT weight=1"
expect "by command, without what was set at run time" "$(ch "reload reset" | grep -c '^change')" 2
expect "  it is as the file says" "$(live)" "198.18.0.11:$PORT weight=1"

# One that comes while a change is open waits for its end.
conf "" "backend = 198.18.0.11:$PORT weight=4"
coproc OPEN { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control -; }
printf 'begin\n' >&"${OPEN[1]}"
read -r answer <&"${OPEN[0]}"
expect "a change is open" "${answer%%=*}" "ok generation"
kill -HUP "$(pid_of lb)"
wait_until 10 "SIGHUP to be read" eval "[ \$(grep -c 'read again' '$LAB_TMP/lb.err') -ge 6 ]"
printf 'backend set chat backend1 backup=yes\ncommit\n' >&"${OPEN[1]}"
read -r answer <&"${OPEN[0]}"
read -r answer <&"${OPEN[0]}"
expect "  it is committed" "${answer%%=*}" "ok generation"
wait_until 10 "the reload after it" status_has 'weight=4 backup=yes'
ok "  and then the file is read"
tell hold "say b" '^said' 2
expect "nobody has noticed" "$(tail -n 1 "$LAB_TMP/hold.out")" "said e1=3 e2=3"
