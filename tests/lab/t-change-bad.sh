#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Changes that are wrong, or that this host refuses: a sentence says why, and
# everything is as it was before: configuration, guard, record, sockets, packets.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
need nft
title "changes that fail"

lab_up lan
client_ports
for i in 1 2 3; do start_answer a$i b$i 198.18.0.1$i 9001; done
CONF=$LAB_TMP/lb.conf
good() {
	cat <<-END
		[global]
		name = lb
		[service web]
		listen = $VIP:20000
		backend = 198.18.0.11:9001
		backend = 198.18.0.12:9001
	END
}
good >"$CONF"
start_l4lb lb --config "$CONF"
start_traffic load "$VIP" 20000
order load 'hold 20' '^holding 20'
order load 'rate 100' '^rate 100'

# All that a change may touch. After one that was undone by another: no numbers.
state() { # [undone]
	show_lb | if [ -n "${1:-}" ]; then grep -v next_id; else cat; fi
	on lb nft list table ip l4lb_lb | grep -v counter
	cat /run/l4lb/lb.ports
	find /run/l4lb ! -name "${1:+lb.changes}" | sort
	on lb ss -Htan state unconnected state listening
	find "/proc/$(pid_of lb)/fd" | wc -l
	[ -n "${1:-}" ] || generation
}
# l4lb closes what its askers have closed a bit later.
before() { state "${1:-}" >"$LAB_TMP/state.before"; }
is_as_before() {
	state "${1:-}" >"$LAB_TMP/state.after"
	cmp -s "$LAB_TMP/state.before" "$LAB_TMP/state.after"
}
expect_as_before() { # [SECONDS [undone]]
	holds_within "${1:-5}" is_as_before "${2:-}" || fail "  everything is as before" \
		"$(diff "$LAB_TMP/state.before" "$LAB_TMP/state.after" || true)"
	ok "  everything is as before"
}

# --- commands
say "  -- commands"
before
refused "an unknown command" 'invalid unknown command "bakcend add .*expected set, service, .*reload' "bakcend add web 198.18.0.13:9001"
refused "an unknown key" 'invalid unknown key "intervall"; did you mean "interval"' "service set web intervall=1s"
refused "a bad value" 'invalid scheduler "best": expected rr,' "service set web scheduler=best"
refused "an unknown service" 'not-found service "wbe" is not known; there is web' "backend add wbe 198.18.0.13:9001"
refused "an unknown backend" 'not-found .* has no backend "backend9"; it has backend1, backend2' "backend remove web backend9"
refused "a backend that is there" 'exists .*198\.18\.0\.11:9001' "backend add web 198.18.0.11:9001"
refused "an address that is none" 'invalid .*198\.18\.0\.999.*999 is not' "backend add web 198.18.0.999:9001"
refused "a key that is fixed" 'fixed flows is fixed.*restart' "set flows=100000"
refused "a commit without a begin" 'invalid no change was begun' commit
refused "an abort without a begin" 'invalid no change was begun' abort
refused "a line that is too long" 'too-long .*2048 bytes, this one 30' \
	"backend add web $(printf 'x%.0s' {1..3000})"
refused "bytes that are no text" 'bad-command .*one line of text' --raw 00ff0a80
refused "a contradiction between two commands" 'invalid service "web": fast_interval \(30s\)' \
	begin "service set web fast_interval=30s" "service set web interval=1s" commit
# Whoever does not look at the answers must not get a half of it.
last_reply() { printf '%s\n' "$@" | control - | tail -n 1; }
expect "the commit after a command that was refused" "$(last_reply begin \
	"backend add web 198.18.0.13:9001" "service set web scheduler=best" commit | cut -d ' ' -f 1)" error
expect_as_before

# --- transactions
say "  -- transactions"
cp "$LAB_TMP/state.before" "$LAB_TMP/state.alone" # nobody has a channel open
CHANNEL=/run/l4lb/lb.control
# open_channel NAME: one that stays; then tell NAME COMMAND ANSWER.
open_channel() {
	mkfifo "$LAB_TMP/$1.orders"
	local fd
	exec {fd}<>"$LAB_TMP/$1.orders"
	# shellcheck disable=SC2004 # an associative array
	LAB_ORDERS[$1]=$fd
	LAB_STDIN=$LAB_TMP/$1.orders start "$1" lb "$PYTHON" "$LAB_DIR/channel.py" $CHANNEL -
}
open_channel one
before
tell one begin '^ok'
tell one 'backend add web 198.18.0.13:9001' '^ok' 2
refused "a second transaction" 'busy .*' begin
refused "a command beside it" 'busy .*' "backend add web 198.18.0.13:9001"
expect_true "  queries are answered: $(control generation)" control generation
tell one abort '^ok' 3
expect_as_before
tell one begin '^ok' 4
tell one 'backend add web 198.18.0.13:9001' '^ok' 5
stop one KILL
may_begin() { control begin abort >/dev/null; }
wait_until 10 "an asker that is gone to be forgotten" may_begin
cp "$LAB_TMP/state.alone" "$LAB_TMP/state.before"
expect_as_before
rm "$LAB_TMP/one.orders"
open_channel one
before
tell one begin '^ok'
tell one 'backend add web 198.18.0.13:9001' '^ok' 2
wait_until 10 "an asker that is silent to be forgotten" may_begin
printf 'commit\n' >&"${LAB_ORDERS[one]}"
wait_log one '^error'
ok "  its commit is refused: $(last one)"
expect_as_before
stop one KILL
cp "$LAB_TMP/state.alone" "$LAB_TMP/state.before"
done_so begin "backend add web 198.18.0.13:9001" "commit dry"
expect_as_before

# --- this host refuses: another has the port
say "  -- the host"
start_answer taken lb "$VIP" 20500
before
refused "a service whose port another has" ".*$VIP:20500.*" begin \
	"backend add web 198.18.0.13:9001" "service add more listen=$VIP:20501" \
	"backend add more 198.18.0.13:9001" \
	"service add late listen=$VIP:20500" "backend add late 198.18.0.13:9001" commit
expect_as_before
stop taken KILL

# --- no room
say "  -- no room"
before undone
many() { # FROM TO
	local n
	for ((n = $1; n <= $2; n++)); do
		printf 'service add s%d listen=%s:%d\n' "$n" "$VIP" $((21000 + n))
		printf 'backend add s%d 198.18.0.13:9001\n' "$n"
	done
}
services=$({ echo begin; many 2 64; echo commit; } | control - | grep -c '^error' || true)
expect "63 more services, refusals" "$services" 0
refused "the 65th service" '.*64.*' "service add s65 listen=$VIP:21065"
backends=$({ echo begin
	for ((n = 0; n < 254; n++)); do
		echo "backend add web 198.18.$((1 + n / 200)).$((1 + n % 200)):9001 weight=0"
	done
	echo commit; } | control - | grep -c '^error' || true)
expect "254 more backends, refusals" "$backends" 0
refused "the 257th backend" '.*256.*' "backend add web 198.18.9.9:9001"
order load check '^held .*lost=0$'
ok "  beside them, $(last load)"
{ echo begin
	for ((n = 2; n <= 64; n++)); do echo "service remove s$n then=reset"; done
	for ((n = 0; n < 254; n++)); do
		echo "backend remove web 198.18.$((1 + n / 200)).$((1 + n % 200)):9001 then=reset"
	done
	echo commit; } | control - >"$LAB_TMP/removed"
expect "all of them removed, refusals" "$(grep -c '^error' "$LAB_TMP/removed" || true)" 0
expect_as_before 30 undone

# --- files
say "  -- files"
before
# reload_fails WHAT REGEX: with the file as it is now.
reload_fails() {
	local lines
	refused "$1" "$2" reload
	lines=$(wc -l <"$LAB_TMP/lb.err")
	kill -HUP "$(pid_of lb)"
	logged() { tail -n "+$((lines + 1))" "$LAB_TMP/lb.err" | grep -Eq -- "$1"; }
	wait_until 20 "the log to say it too" logged "$2"
	expect_as_before
}
{ good; echo "backend = 198.18.0.13"; } >"$CONF"
reload_fails "a file with a wrong line" '.*lb\.conf:7.*'
{ good; printf 'shceduler = wrr\n'; } >"$CONF"
reload_fails "an unknown key" '.*lb\.conf:7.*shceduler.*'
good | grep -v listen >"$CONF"
reload_fails "a service without listen" '.*lb\.conf.*listen.*'
rm "$CONF"
reload_fails "no file" '.*lb\.conf.*'
mkdir "$CONF"
reload_fails "a directory" '.*lb\.conf.*'
rmdir "$CONF"
{ good; head -c 2000000 /dev/zero | tr '\0' x; } >"$CONF"
reload_fails "a file that is too large" '.*lb\.conf.*'

{ good | sed 's/^name = lb/&\nflows = 131072\nnat_ports = 20000-30000/'
	echo "backend = 198.18.0.13:9001"; } >"$CONF"
expect_true "--check --diff says what would change" bash -c \
	"ip netns exec lb $L4LB_BUILD/l4lb --check --config $CONF --diff |
	grep -q 'backend add web 198.18.0.13:9001'"
expect_as_before
gen=$(generation)
kill -HUP "$(pid_of lb)"
wait_until 20 "the reload" newer "$gen"
expect_true "what needs a restart is said" log_has lb 'flows.*restart|restart.*flows'
expect_true "  each key" log_has lb 'nat_ports.*restart|restart.*nat_ports'
expect_true "  and the rest applies" bash -c \
	"ip netns exec lb $PYTHON $LAB_DIR/channel.py $CHANNEL show | grep -q 198.18.0.13:9001"

# --- nothing left: that is a configuration as well, also for the next start
say "  -- no service"
order load check '^held .*lost=0$'
stop load
expect_true "all the time, $(last load)" log_has load ' failed 0 broken 0 wrong 0 .* lost 0 '
done_so "service remove web then=reset"
stop lb KILL
rm "$LAB_TMP/lb.out" "$LAB_TMP/lb.err"
start_l4lb lb --config "$CONF"
expect "the only service was removed, and after kill -9 it is not back" \
	"$(show_lb | grep -c '^service' || true)" 0
good >"$CONF"
done_so "reload reset"
expect_true "until the file is all that counts" bash -c \
	"ip netns exec lb $PYTHON $LAB_DIR/channel.py $CHANNEL show | grep '^service add web' >/dev/null"

# --- the planner
say "  -- the planner"
planner() { pgrep -P "$(pid_of lb)" -x l4lb-plan; }
read -ra planners <<<"$(planner)"
expect "l4lb has one planner" "${#planners[@]}" 1
kill -KILL "${planners[0]}"
wait_until 20 "the log to say that the planner is gone" log_has lb 'plan'
good >"$CONF"
refused "a reload without it" '.*' reload
expect "resets by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
stop lb
expect "exit status" "$STATUS" 0
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
expect "  and of the guard" "$(on lb nft list tables)" ""
