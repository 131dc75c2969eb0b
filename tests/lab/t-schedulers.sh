#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every scheduler, through real connections from a thousand client addresses:
# what each backend gets, and for hash and maglev who moves when one backend
# fails, comes back, or is no longer configured.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "the schedulers: 1000 clients, three backends"

CLIENTS=1000
FIRST=198.18.8.1 # and so on: a prefix of their own behind the client host
KEY=00112233445566778899aabbccddeeff

clients() { # map|hold [FIRST] [COUNT]
	on client "$PYTHON" "$LAB_DIR/schedclients.py" "$1" "$VIP" "$VIP_PORT" \
		"${2:-$FIRST}" "${3:-$CLIENTS}"
}
start_backend() { # 1..3
	start "b$1" "b$1" "$PYTHON" "$LAB_DIR/schedclients.py" serve "b$1" \
		"198.18.0.1$1" "$PORT"
	wait_log "b$1" '^listening'
}
config() { # SCHEDULER BACKENDS [WEIGHTS] [LINES]: 1, 2 or 3 with their weights
	printf '[service s]\nlisten = %s:%s\nscheduler = %s\n' \
		"$VIP" "$VIP_PORT" "$1"
	printf 'interval = 200ms\nfast_interval = 50ms\n'
	local i
	for i in $2; do
		printf 'backend = 198.18.0.1%s:%s weight=%s\n' "$i" "$PORT" \
			"$(cut -d ' ' -f "$i" <<<"${3:-1 1 1}")"
	done
	printf '%b' "${4:-}"
}
balance() { config "$@" >"$LAB_TMP/l4lb.conf" && start_l4lb l4lb --config "$LAB_TMP/l4lb.conf"; }

# How many clients of a map each backend has: "b1=500 b2=300 b3=200".
shares() {
	awk '{ n[$2]++ } END {
		printf "b1=%d b2=%d b3=%d", n["b1"], n["b2"], n["b3"]
		if (n["refused"]) printf " refused=%d", n["refused"] }' "$1"
}
share() { awk -v b="$2" '$2 == b { n++ } END { print n + 0 }' "$1"; }
# near FILE BACKEND COUNT WITHIN
near() {
	local seen
	seen=$(share "$1" "$2")
	[ "$seen" -ge $(($3 - $4)) ] && [ "$seen" -le $(($3 + $4)) ]
}
# moved BEFORE AFTER [LEAVER]: clients elsewhere now, but for the leaver's.
moved() {
	paste "$1" "$2" | awk -v leaver="${3:-}" \
		'$2 != leaver && $2 != $4 { n++ } END { print n + 0 }'
}
sees() { dump l4lb | awk '/^# backend / { on = 1; next } on' | grep -Eq "$1"; }
is_down() { sees "198.18.0.1$1:$PORT .*DOWN"; }
is_up() { ! is_down "$1"; }

lab_up lan
on client ip address add 198.18.8.0/21 dev lo
on client sysctl -qw net.ipv4.ip_nonlocal_bind=1
on lb ip route add 198.18.8.0/21 via "$CLIENT"
for i in 1 2 3; do start_backend $i; done

map=$LAB_TMP/map
balance rr "1 2 3"
clients map >"$map"
for b in b1 b2 b3; do
	expect_true "rr: $b has a third of $(shares "$map")" near "$map" $b 333 1
done
stop l4lb

balance weighted-round-robin "1 2 3" "5 3 2"
clients map >"$map"
expect "wrr 5:3:2" "$(shares "$map")" "b1=500 b2=300 b3=200"
expect "wrr, exact in every ten" "$(awk '{ n[$2]++ }
	NR % 10 == 0 { bad += n["b1"] != 5 || n["b2"] != 3; delete n }
	END { print bad + 0 }' "$map")" 0
stop l4lb

balance least_conn "1 2 3"
clients hold >"$map"
for b in b1 b2 b3; do
	expect_true "lc, all held: $b has a third of $(shares "$map")" \
		near "$map" $b 333 1
done
stop l4lb

balance wlc "1 2 3" "5 3 2"
clients hold >"$map"
expect_true "wlc 5:3:2, all held: $(shares "$map")" near "$map" b1 500 2
expect_true "b2 as well" near "$map" b2 300 2
stop l4lb

# Of three it looks at two; what handshakes take differs by chance, too.
balance p2c "1 2 3"
clients hold >"$map"
for b in b1 b2 b3; do
	expect_true "p2c, all held: $b has its part of $(shares "$map")" \
		near "$map" $b 333 200
done
stop l4lb

# --- by client: distribution, one fails, comes back, is no longer configured ---

# by_client SCHEDULER MOVED: of the others' clients at most so many move when
# a backend is no longer configured.
by_client() {
	local first=$LAB_TMP/$1.first now=$LAB_TMP/$1.now i

	# Of 1000 clients by chance: five standard deviations are 75.
	balance "$1" "1 2 3" "" "hash_key = $KEY\n"
	clients map >"$first"
	for i in 1 2 3; do
		expect_true "$1: b$i has its part of $(shares "$first")" \
			near "$first" "b$i" 333 75
	done
	clients map >"$now"
	expect "$1: clients elsewhere the next time" "$(moved "$first" "$now")" 0

	stop b2 KILL
	wait_until 20 "b2 to be down" is_down 2
	clients map >"$now"
	expect "$1: of a failed backend's clients, still there" "$(share "$now" b2)" 0
	expect "$1: of the others' clients, moved" "$(moved "$first" "$now" b2)" 0
	expect_true "$1: its clients went to both others: $(shares "$now")" \
		near "$now" b1 500 90
	start_backend 2
	wait_until 20 "b2 to be up" is_up 2
	clients map >"$now"
	expect "$1: it is back, clients elsewhere" "$(moved "$first" "$now")" 0
	stop l4lb

	# In another order: nobody goes by that.
	balance "$1" "3 1 2" "" "hash_key = $KEY\n"
	clients map >"$now"
	expect "$1: other order, clients elsewhere" "$(moved "$first" "$now")" 0
	stop l4lb

	balance "$1" "3 1" "" "hash_key = $KEY\n"
	clients map >"$now"
	expect "$1: b2 is not configured, clients there" "$(share "$now" b2)" 0
	expect_true "$1: $(moved "$first" "$now" b2) clients of others moved, at most $2" \
		[ "$(moved "$first" "$now" b2)" -le "$2" ]
	stop l4lb

	balance "$1" "1 2 3" "5 3 2" "hash_key = $KEY\n"
	clients map >"$now"
	expect_true "$1 5:3:2: $(shares "$now")" near "$now" b1 500 80
	expect_true "$1, and b3" near "$now" b3 200 65
	stop l4lb

	balance "$1" "1 2 3" "" "hash_key = ff${KEY#00}\n"
	clients map >"$now"
	expect_true "$1: another key moves about two of three: $(moved "$first" "$now")" \
		[ "$(moved "$first" "$now")" -ge 560 ]
	stop l4lb
}
by_client ip_hash 0
by_client maglev 13 # 2 % of two thirds

# Without a key: hash has its own, which is in the state file.
config hash "1 2 3" >"$LAB_TMP/l4lb.conf"
start_l4lb l4lb --config "$LAB_TMP/l4lb.conf" --guard keep
clients map >"$LAB_TMP/first"
stop l4lb
start_l4lb l4lb --config "$LAB_TMP/l4lb.conf" --guard auto
clients map >"$map"
expect "hash with its own key: clients elsewhere after a restart" \
	"$(moved "$LAB_TMP/first" "$map")" 0
stop l4lb
