#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cluster.sh: three chat servers behind one address; one is killed and comes
# back, all are stopped and the friendly page answers, what dies is started
# again, nothing is left at the end.
# t-cluster.sh standalone|cluster|off: what Redis is
# t-cluster.sh two-hosts: one server more, on another host
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need curl nft
[ "$1" = off ] || need redis-server redis-cli
title "the chat as a service, Redis: $1"

case $1 in
two-hosts)
	lab_up lan
	export REDIS=standalone ;;
*)
	lab_up single-host
	export REDIS=$1 ;;
esac
export BUILD=$L4LB_BUILD CLUSTER_DIR=$LAB_TMP/cluster ADDRESS=$VIP FAST=1
WHERE=lb

# cluster COMMAND...: output in cluster.out, exit status in $STATUS.
cluster() {
	STATUS=0
	on $WHERE "$LAB_DIR/../../backend-chat/cluster.sh" "$@" \
		>"$LAB_TMP/cluster.out" 2>&1 || STATUS=$?
	LAB_LAST[cluster]=0 # its output is shown if the test fails
}
works() {
	cluster "$@"
	[ "$STATUS" -eq 0 ] || fail "cluster.sh $* failed"
}
said_so() { grep -Eq -- "$1" "$LAB_TMP/cluster.out"; }

get() { # PORT PATH [CURL OPTIONS]: status and body
	local port=$1 path=$2
	shift 2
	on client curl -sS --max-time 5 -w '%{http_code}' "$@" "http://$VIP:$port$path"
}
get_code() { get "$@" -o /dev/null; }
answers() { [ "$(get_code 8000 / 2>/dev/null)" = "$1" ]; }
posts() { # TEXT STATUS WORD: the hook's answer has both
	get 4000 /webhook -H 'Content-Type: application/json' \
		-d '{"roomId":"lobby","message":"'"$1"'"}' >"$LAB_TMP/posted"
	tr -d '\n' <"$LAB_TMP/posted" | grep -q "\"$3\".*}$2\$"
}
history_of() { # N: by its own port
	get "500$1" /api/rooms/lobby/history | grep -o '"text":"[^"]*"' | cut -d '"' -f 4 |
		tr '\n' ' '
}
has_history() { [ "$(history_of "$1")" = "$2" ]; }
line_of() { # what a line client gets first on port 9000, when it says $1
	on client "$PYTHON" - "$VIP" "$1" <<-'END'
		import socket, sys
		s = socket.create_connection((sys.argv[1], 9000), 10)
		s.sendall(sys.argv[2].encode() + b"\n")
		print(s.makefile(encoding="utf-8").readline(), end="")
	END
}
served_by() { # COUNT: how many of so many requests each instance answered
	local i
	for ((i = 0; i < $1; i++)); do
		get 8000 /health | grep -o '"instance":"[^"]*"'
	done | sort | uniq -c | awk '{ printf "%s%s", s, $1; s = " " }'
}

pi2_answers() { get 8000 /health | grep -q '"instance":"pi2"'; }
pi2_has() { # TEXT
	on client curl -sS http://198.18.0.11:5001/api/rooms/lobby/history |
		grep -q "\"text\":\"$1\""
}

if [ "$1" = two-hosts ]; then
	works up --also 198.18.0.11
	expect_true "without the other server: a line comes back" \
		[ "$(line_of '[ann] hello')" = '[ann] hello' ]
	(
		WHERE=b1
		export CLUSTER_DIR=$LAB_TMP/pi2 ADDRESS=198.18.0.11
		export REDIS_PASSWORD_FILE=$LAB_TMP/cluster/redis.password
		works up --instance pi2 --redis "$VIP"
		works status
		expect "parts there" "$(grep -c ' pid ' "$LAB_TMP/cluster.out")" 1
		works kill 1
		works start 1
	)
	wait_until 20 "pi2 to be given clients" pi2_answers
	expect_true "what is said at VIP" posts "to-all" 200 success
	wait_until 10 "pi2 to have it" pi2_has to-all
	(
		WHERE=b1
		CLUSTER_DIR=$LAB_TMP/pi2 works down
	)
	works down
	exit
fi

works up
expect_true "it says where the page is" said_so "http://$VIP:8000/"
if [ "$1" != off ]; then
	for i in 1 2 3; do
		expect_true "what is posted ($i)" posts "said-$i" 200 success
	done
	for i in 1 2 3; do
		wait_until 10 "server $i to have all" has_history $i "said-1 said-2 said-3 "
	done
fi
expect "a line comes back" "$(line_of '[ann] hello')" '[ann] hello'
expect "12 requests by weight, 3:2:1" "$(served_by 12)" "6 4 2"
works up
expect_true "up again: already running" said_so 'already running: chat2'
works status
expect_true "status shows a server's health" said_so '^chat2 .*"status":"ok"'

if [ "$1" = standalone ]; then
	works kill 2
	cluster status
	expect "status with a dead server" "$STATUS" 1
	expect_true "status names it" said_so '^chat2 +DOWN'
	expect "30 requests without it: all answered" \
		"$(for i in {1..30}; do get_code 8000 /; echo; done | sort | uniq -c | tr -s ' ')" " 30 200"
	works start 2
	works status

	works stop 1 2 3
	wait_until 20 "the sorry server" answers 503
	get 8000 / -H 'Accept: text/html' >"$LAB_TMP/page"
	expect_true "a browser gets the friendly page" grep -q 'come back soon' "$LAB_TMP/page"
	expect_true "the page reloads itself" grep -q 'http-equiv="refresh"' "$LAB_TMP/page"
	expect_true "a hook gets JSON" posts x 503 maintenance
	expect "a line client gets the sentence" \
		"$(line_of '[ann] hello' | cut -d , -f 1)" "[chat_serv] Service under maintenance"
	works start 1 2 3
	wait_until 20 "the chat to be back" answers 200
	wait_until 20 "what was said before" has_history 2 "said-1 said-2 said-3 hello "

	works kill redis
	expect_true "without Redis the page is served" answers 200
	works start redis
	works up --supervise
	works kill 1
	back() { cluster status && [ "$STATUS" -eq 0 ]; }
	wait_until 20 "the dead server to be started again" back
fi

works down
for name in chat_serv l4lb redis-server chat/cluster.sh; do
	expect_false "no $name is left" pgrep -f "$name "
done
expect "nftables tables that are left" "$(on lb nft list tables | wc -l)" 0
works down
cluster status
expect "status of nothing" "$STATUS" 3
