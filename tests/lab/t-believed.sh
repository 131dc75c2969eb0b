#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A reset is believed only at exactly the sequence that its receiver expects,
# and what that is nobody in the middle knows for sure: segments are lost behind
# the balancer, acknowledgements before it. Each time the backend's host falls
# silent then, and the client must learn from the balancer alone, at once:
#
#	segments lost          the client's last ACK says what it expects
#	acknowledgements lost  it has all that was sent to it: the end of that
#	both                   neither; its challenge ACK to the second says it
#
# Then the same toward a backend, at a clean exit.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft nc.openbsd
title "resets after losses are believed"

CLIENTS=$LAB_DIR/clients.py
B1=198.18.0.11
LINE=$(printf '%99s' x) # 100 bytes with its newline

# --- what is lost, inside a host's own namespace: the balancer has seen it, or
# will never do so

# lose HOST segments|acks: without data, RST and SYN pass the first, and
# everything but ACKs without data the second
lose() {
	local what hook
	case $2 in
	segments) hook=prerouting what="ip length > 100" ;;
	acks) hook=output what="ip length < 80 tcp flags & (syn | fin | rst | ack) == ack" ;;
	esac
	on "$1" nft -f - <<-END
		table ip lose_$2 {
			chain it {
				type filter hook $hook priority -400;
				tcp dport { $PORT, $VIP_PORT } $what counter drop
				tcp sport { $PORT, $VIP_PORT } $what counter drop
			}
		}
	END
}
find_again() { on "$1" nft delete table ip "lose_$2"; }
lost() { # HOST WHAT: how many
	on "$1" nft list table ip "lose_$2" |
		awk '/counter packets/ { for (i = 1; i < NF; i++) if ($i == "packets") n += $(i + 1) } END { print n + 0 }'
}
# unheard HOST FILTER BYTES: it has sent so many, all it was given, and heard of
# none. What was lost twice counts as lost twice: that does not tell.
unheard() {
	on "$1" ss -HtniO state established "$2" |
		awk -v n="$3" '$2 == n && !/ notsent:/ { yes = 1 } END { exit !yes }'
}
has_lost() { [ "$(lost "$1" "$2")" -ge "$3" ]; }

# --- one connection; the backend says what is written to $SAY

lab_up lan
# Nobody sends anything again so soon that it comes between two steps of this
# test, and once a sender has, it may not send more.
for host in client b1; do
	on $host ip route change 198.18.0.0/24 dev eth0 rto_min 3s
done
mkfifo "$LAB_TMP/say"
exec {SAY}<>"$LAB_TMP/say"
LAB_STDIN=$LAB_TMP/say start server b1 nc.openbsd -l -k "$PORT"
wait_listens b1 "$PORT"
cat >"$LAB_TMP/lb.conf" <<-END
	[service one]
	listen = $VIP:$VIP_PORT
	interval = 200ms
	fast_interval = 50ms
	backend = $B1:$PORT
END
start_l4lb lb --config "$LAB_TMP/lb.conf"

says() { printf '%s\n' "$LINE" >&"$SAY"; }
has_none() { [ -z "$(on "$1" ss -Htn state established "$2")" ]; }
is_reset() { log_has "$1" '^reset'; }
connect() { # NAME: and a line that arrives
	start "$1" client "$PYTHON" "$CLIENTS" watch "$VIP" "$VIP_PORT"
	wait_log "$1" '^watching'
	says
	wait_log "$1" '^got 100$'
	wait_until 10 "the ACK of it" acknowledged
}
acknowledged() { [ -z "$(on b1 ss -Htn state established "sport = :$PORT" | awk '$2 > 0')" ]; }

# What the client was sent and said, in the capture of that name: sequence
# numbers of the resets, in order; last ACK before them, and end of the data.
resets() { packets "$1" | awk -v vip="$VIP:$VIP_PORT" '$2 == vip && $4 ~ /R/ { print $6 }' | xargs; }
last_ack() {
	packets "$1" | awk -v vip="$VIP:$VIP_PORT" '$2 == vip && $4 ~ /R/ { exit }
		$3 == vip && $4 ~ /A/ { ack = $7 } END { print ack }'
}
data_end() {
	packets "$1" | awk -v vip="$VIP:$VIP_PORT" '$2 == vip && $8 { end = $6 + $8 } END { printf "%.0f\n", end }'
}

# learns NAME: b1 is silent; the client is reset, and b1, when it is back.
learns() {
	local name=$1 began
	began=$(now_ms)
	wait_until 10 "the client to learn" is_reset "$name"
	finish "$name" 20
	expect_true "$1: the client is reset, $(($(now_ms) - began)) ms after the silence began" \
		is_reset "$name"
	capture_end "wire-$name"
}
returns() {
	speak b1
	wait_log lb "backend $B1:$PORT is up again" 10
	wait_until 20 "b1 to learn" has_none b1 "sport = :$PORT"
	ok "  b1 is back, repeats, and learns"
	: >"$LAB_TMP/lb.err"
}

# --- segments are lost behind the balancer
connect segments
capture wire-segments client eth0 "tcp port $VIP_PORT"
lose client segments
says
wait_until 10 "a segment to be lost" has_lost client segments 1
says
wait_until 10 "another one to be sent" unheard b1 "sport = :$PORT" 200
wait_until 10 "segments to be lost" has_lost client segments 2
go_silent b1
learns segments
find_again client segments
end=$(data_end wire-segments)
expect "  at its last ACK, and at the end of what it was sent" \
	"$(resets wire-segments | cut -d' ' -f 1-2)" "$((end - 200)) $end"
returns

# --- its acknowledgements are lost before the balancer
connect acks
capture wire-acks client eth0 "tcp port $VIP_PORT"
lose client acks
says
wait_log acks '^got 200$'
wait_until 10 "ACKs to be lost" has_lost client acks 1
go_silent b1
learns acks
find_again client acks
end=$(data_end wire-acks)
expect "  it had all: the second one it was" \
	"$(resets wire-acks | cut -d' ' -f 1-2)" "$((end - 100)) $end"
returns

# --- both: some arrives, and nobody hears of it, and some does not
connect both
capture wire-both client eth0 "tcp port $VIP_PORT"
lose client acks
says
wait_log both '^got 200$'
lose client segments
says
wait_until 10 "another line to be sent" unheard b1 "sport = :$PORT" 200
wait_until 10 "segments to be lost" has_lost client segments 1
go_silent b1
find_again client acks # from here on it may speak, and is not spoken to
learns both
find_again client segments
end=$(data_end wire-both)
expect "  neither of the two: its challenge ACK was answered" \
	"$(resets wire-both)" "$((end - 200)) $end $((end - 100))"
returns
expect "RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0

# --- toward a backend, both ways of losing, and the balancer ends cleanly. Only
# what it sends before it ends can tell: afterwards nobody speaks.
lines=$LAB_TMP/lines
mkfifo "$lines"
exec {LINES}<>"$lines"
LAB_STDIN=$lines start talker client nc.openbsd "$VIP" "$VIP_PORT"
talks() { printf '%s\n' "$LINE" >&"$LINES"; }
arrived() { [ "$(wc -c <"$LAB_TMP/server.out")" -ge "$1" ]; }
heard_back() { [ -z "$(on client ss -Htn state established "dport = :$VIP_PORT" | awk '$2 > 0')" ]; }
talks
wait_until 10 "a line at b1" arrived 100
wait_until 10 "the ACK of it" heard_back
lose b1 acks
talks
wait_until 10 "another line at b1" arrived 200
lose b1 segments
talks
wait_until 10 "another line to be sent" unheard client "dport = :$VIP_PORT" 200
wait_until 10 "segments to be lost" has_lost b1 segments 1
go_silent client
find_again b1 acks
resets=$(counter lb TcpOutRsts)
stop lb
expect "a clean exit, status" "$STATUS" 0
wait_until 20 "b1 to learn" has_none b1 "sport = :$PORT"
ok "  b1, which had lost both kinds, has learnt"
expect "  RST sent by the balancer's kernel" "$resets" 0
