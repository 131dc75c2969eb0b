#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# chat.sh - three chat_serv with Redis behind l4lb, under load
#
#	tests/bench/chat.sh [OUTFILE]
#
# Requests at once, WebSocket clients in one room, memory: tables in markdown. A
# file that has the two marker lines (docs/bench/chat.md) keeps all but what is
# between them. Parameters, from the environment:
#	ROUNDS=5	everything in turn, so often (A B C A B C)
#	AT_ONCE=	how many requests: '100 500 1000 5000'
#	CLIENTS=3000	WebSocket clients in one room, in all
#	RATE=20 SECS=10	messages a second, and how long, each round
#	PARTS=		of: memory at_once many
#	KEEP=1		adds to the figures of a run before, of other parts
#	REDIS=standalone	or off: then the clients are all on one server
# Every figure of every round also goes to $L4LB_BUILD/bench/chat.tsv. What is
# measured and how: README.md.
# shellcheck source=../lab/lab.sh
CHAT_SELF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${LAB_INSIDE:-}" ]; then
	exec "$CHAT_SELF/../lab/run" "$CHAT_SELF/chat.sh" "$@"
fi
. "$CHAT_SELF/../lab/lab.sh"
# shellcheck source=chat-lab.sh
. "$CHAT_SELF/chat-lab.sh"
OUTFILE=${1:-}
ROUNDS=${ROUNDS:-5} CLIENTS=${CLIENTS:-3000} RATE=${RATE:-20} SECS=${SECS:-10}
REDIS=${REDIS:-standalone}
read -ra AT_ONCE <<<"${AT_ONCE:-100 500 1000 5000}"
BEGIN='<!-- made by tests/bench/chat.sh: begin -->'
END='<!-- made by tests/bench/chat.sh: end -->'

# The shop's mean, and the goals for mean and p99, by requests at once.
declare -A SHOP=([100]=120 [500]=240 [1000]=360)
declare -A GOAL=([100]='15 / 40' [500]='50 / 120' [1000]='90 / 250')

mkdir -p "$L4LB_BUILD/bench"
FIGURES=$L4LB_BUILD/bench/chat.tsv
[ -n "${KEEP:-}" ] || : >"$FIGURES"
figures() { # ROUND WHAT < `name value` LINES
	local name number
	while read -r name number; do
		printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$name" "$number" >>"$FIGURES"
	done
}
# of WHAT NAME: median (smallest-largest) of the rounds.
of() {
	awk -F'\t' -v what="$1" -v name="$2" '$2 == what && $3 == name { print $4 }' \
		"$FIGURES" | sort -n | awk '
		{ v[NR] = $1 }
		END {
			if (NR == 0) printf "-"
			else if (v[1] == v[NR]) printf "%s", v[1]
			else printf "%s (%s-%s)", v[int((NR + 1) / 2)], v[1], v[NR]
		}'
}
# total WHAT NAME: of all rounds.
total() {
	awk -F'\t' -v what="$1" -v name="$2" '$2 == what && $3 == name { n += $4 }
		END { printf "%d", n }' "$FIGURES"
}

cpu_of() { # NAMES...: seconds, user and system
	local name files=()
	for name; do files+=("/proc/$(pid_of "$name")/stat"); done
	sed 's/.*) //' "${files[@]}" |
		awk -v hz="$(getconf CLK_TCK)" '{ n += $12 + $13 } END { print n / hz }'
}
# What was lost: frames that found l4lb's ring full, segments sent again by the
# servers, after a timeout or not.
lost_by_ring() {
	local log=$LAB_TMP/l4lb.err n
	n=$(grep -c 'capture total ' "$log" || true)
	kill -USR1 "$(pid_of l4lb)"
	wait_until 20 "l4lb's counters" logged_more "$log" "$n"
	sed -n 's/.*capture total .*[ (]ring_drops=\([0-9]*\).*/\1/p' "$log" | tail -n 1
}
logged_more() { [ "$(grep -c 'capture total ' "$1" || true)" -gt "$2" ]; }
losses() {
	local i again=0 late=0
	for i in 1 2 3; do
		again=$((again + $(counter b$i TcpRetransSegs)))
		late=$((late + $(counter b$i TcpExtTCPTimeouts)))
	done
	echo "$(lost_by_ring) $again $late"
}

# measure ROUND WHAT COMMAND...: its figures, who used the processors, losses.
measure() {
	local round=$1 what=$2 who lost before=() i=0
	shift 2
	local names=(l4lb chat1 chat2 chat3)
	[ "$REDIS" = off ] || names+=(redis)
	[ -z "${LAB_PID[many]:-}" ] || names+=(many)
	for who in "${names[@]}"; do before+=("$(cpu_of "$who")"); done
	lost=$(losses)
	"$@" >"$LAB_TMP/figures"
	figures "$round" "$what" <"$LAB_TMP/figures"
	for who in "${names[@]}"; do
		echo "cpu_$who $(cpu_of "$who") ${before[i]}" |
			awk '{ print $1, $2 - $3 }' | figures "$round" "$what"
		i=$((i + 1))
	done
	echo "$lost $(losses)" | awk '{ print "ring_drops", $4 - $1
		print "resent", $5 - $2; print "timeouts", $6 - $3 }' |
		tee -a "$LAB_TMP/figures" | figures "$round" "$what"
	printf 'load %s\n' "$(cut -d' ' -f1 /proc/loadavg)" | figures "$round" "$what"
	say "  $round $what: $(grep -E '^(answered|heard|mean|p99|max|ring|resent|time)' \
		"$LAB_TMP/figures" | tr '\n' ' ')"
}

# --- measuring ---------------------------------------------------------------

at_once() {
	local round n
	for ((round = 1; round <= ROUNDS; round++)); do
		for n in "${AT_ONCE[@]}"; do
			measure "$round" "page $n" chat_at_once "$VIP" $CHAT_PORT "$n"
			measure "$round" "hook $n" chat_at_once "$VIP" $CHAT_PORT "$n" hooks
			measure "$round" "one $n" chat_at_once 198.18.0.11 "$PORT" "$n"
		done
	done
}

memory() { # on a server that had nobody before
	chat_join thousand 198.18.0.13 "$PORT" 1000 20 memory
	printf 'joined %s\n' "$(chat_memory chat3 VmRSS)" | figures 1 memory
	chat_say thousand 20 5 | figures 1 memory
	printf 'heard_kb %s\npeak %s\n' "$(chat_memory chat3 VmRSS)" \
		"$(chat_memory chat3 VmHWM)" | figures 1 memory
	chat_leave thousand
	say "  memory: $(of memory joined) kB with 1000, $(of memory heard_kb) after" \
		"they heard 100 messages, at most $(of memory peak)"
}

many() {
	local round address=$VIP port=$CHAT_PORT
	[ "$REDIS" != off ] || address=198.18.0.11 port=$PORT
	chat_join many "$address" "$port" "$CLIENTS" 20 many
	for ((round = 1; round <= ROUNDS; round++)); do
		measure "$round" "many" chat_say many "$RATE" "$SECS"
	done
	chat_leave many
}

# --- the tables --------------------------------------------------------------

answered_of() { # WHAT N
	printf '%d of %d' "$(total "$1" answered)" $(($2 * ROUNDS))
}
row() { # WHAT TITLE N
	printf '| %s | %s | %s | %s | %s | %s |\n' "$2" "$(answered_of "$1" "$3")" \
		"$(of "$1" mean_ms)" "$(of "$1" p99_ms)" "$(of "$1" max_ms)" "$(of "$1" all_ms)"
}
tables() {
	local n
	printf '%s processor cores (%s), Linux %s, %s; %d rounds, load average %s.\n\n' \
		"$(nproc)" \
		"$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)" \
		"$(uname -r)" "$(date -u +%F)" "$ROUNDS" \
		"$(awk -F'\t' '$3 == "load" { print $4 }' "$FIGURES" | sort -n |
			awk '{ v[NR] = $1 } END { print v[1] " to " v[NR] }')"
	printf '| at once | the shop: mean, ms | goal: mean / p99, ms '
	printf '| answered | mean, ms | p99, ms | slowest, ms | all done, ms |\n'
	printf '|---|---|---|---|---|---|---|---|\n'
	for n in "${AT_ONCE[@]}"; do
		printf '| %s, POST /webhook | %s | %s %s\n' "$n" "${SHOP[$n]:--}" \
			"${GOAL[$n]:--}" "$(row "hook $n" '' "$n" | sed 's/^|  //')"
	done
	for n in "${AT_ONCE[@]}"; do
		printf '| %s, GET / | %s | - %s\n' "$n" "${SHOP[$n]:--}" \
			"$(row "page $n" '' "$n" | sed 's/^|  //')"
	done
	for n in "${AT_ONCE[@]}"; do
		printf '| %s, GET /, one server without l4lb | %s | - %s\n' "$n" \
			"${SHOP[$n]:--}" "$(row "one $n" '' "$n" | sed 's/^|  //')"
	done
	printf '\n| %s WebSocket clients, %s messages/s in one room, %s s | |\n|---|---|\n' \
		"$CLIENTS" "$RATE" "$SECS"
	printf '| heard, of %s | %s |\n' $((CLIENTS * RATE * SECS * ROUNDS)) \
		"$(awk -F'\t' '$2 == "many" && $3 == "heard" { n = $4 } END { print n }' "$FIGURES")"
	for n in double disordered gaps lost; do
		printf '| %s | %s |\n' $n "$(awk -F'\t' -v n=$n \
			'$2 == "many" && $3 == n { v = $4 } END { print v }' "$FIGURES")"
	done
	printf '| mean, ms | %s |\n' "$(of many mean_ms)"
	printf '| p50, ms | %s |\n' "$(of many p50_ms)"
	printf '| p99, ms (goal 100) | %s |\n' "$(of many p99_ms)"
	printf '| slowest, ms | %s |\n' "$(of many max_ms)"
	for n in l4lb chat1 chat2 chat3 redis many; do
		printf '| processor seconds: %s | %s |\n' "${n/many/the clients}" "$(of many cpu_$n)"
	done
	printf '\n| 1000 WebSocket clients on one server | resident memory, kB (goal 30 MiB = 30720) |\n|---|---|\n'
	printf '| all there | %s |\n| after 100 messages to each | %s |\n| at most | %s |\n' \
		"$(of memory joined)" "$(of memory heard_kb)" "$(of memory peak)"
}

title "the chat under load: ${AT_ONCE[*]} requests at once, $CLIENTS clients; Redis: $REDIS"
[ "$REDIS" = off ] || need redis-server
need nft
need_program l4lb chat_serv tests/bench/chat_http tests/bench/chat_ws
lab_up lan
[ "$REDIS" = off ] || chat_start_redis
for i in 1 2 3; do chat_start_server $i "$REDIS"; done
chat_tune
chat_start_l4lb
for part in ${PARTS:-memory at_once many}; do $part; done
tables >"$LAB_TMP/table"
put_table "$LAB_TMP/table" "$OUTFILE" "$BEGIN" "$END"
