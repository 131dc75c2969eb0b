# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# chat-lab.sh - three chat_serv behind l4lb, and load for them
#
# For scripts that have sourced tests/lab/lab.sh and made the LAN. Redis, if
# any, has a host of its own there. Limits of what one may say are off: the load
# is what many would say.

CHAT_TOOLS=$L4LB_BUILD/tests/bench
CHAT_REDIS=198.18.0.20
CHAT_PORT=8000 # of the balancer; the servers have $PORT

# A socket that would go to TIME_WAIT is destroyed: see tests/bench/README.md.
chat_tune() {
	local host
	for host in "${LAB_HOSTS[@]}"; do
		on "$host" sysctl -qw net.ipv4.tcp_max_tw_buckets=0 \
			net.ipv4.ip_local_port_range='1024 65535'
	done
}

chat_start_redis() {
	lab_host redis
	lab_cable redis eth0 $CHAT_REDIS br0
	mkdir -p "$LAB_TMP/redis"
	start redis redis redis-server --bind $CHAT_REDIS --protected-mode no \
		--dir "$LAB_TMP/redis" --appendonly yes --save ''
	wait_listens redis 6379
}

# chat_start_server N standalone|off: on bN, with the name chatN.
chat_start_server() {
	local name=chat$1
	{
		printf '[chat]\nlisten = %s web\ninstance = %s\n' "$PORT" "$name"
		printf 'rate = off\nmax_clients = 10000\nmax_rooms = 10000\n'
		printf '[redis]\nmode = %s\nhost = %s\n' "$2" $CHAT_REDIS
	} >"$LAB_TMP/$name.conf"
	start "$name" "b$1" "$L4LB_BUILD/chat_serv" -c "$LAB_TMP/$name.conf"
	wait_log "$name" '^listening '
	[ "$2" = off ] || wait_log "$name" '^redis: up'
}

chat_start_l4lb() {
	{
		printf '[service web]\nlisten = %s\n' "$VIP:$CHAT_PORT"
		# Patient: a server that is only busy must keep its clients.
		printf 'check = http GET /health\ntimeout = 10s\n'
		printf 'backend = %s\n' 198.18.0.1{1,2,3}:"$PORT"
	} >"$LAB_TMP/chat.conf"
	start_l4lb l4lb --config "$LAB_TMP/chat.conf"
	# As cluster.sh does: see there.
	renice -n -10 -p "$(pid_of l4lb)" >/dev/null 2>&1 || true
}

# chat_at_once ADDRESS PORT COUNT [ROOM]: figures, `name value` lines.
chat_at_once() { on client "$CHAT_TOOLS/chat_http" "$1" "$2" "$3" 60 "${@:4}"; }

# chat_join NAME ADDRESS PORT CLIENTS SPEAKERS ROOM; then chat_say NAME RATE
# SECONDS, whose figures go to stdout, and chat_leave NAME.
declare -A CHAT_ORDERS=()
chat_join() {
	local fd name=$1
	shift
	rm -f "$LAB_TMP/$name.orders"
	mkfifo "$LAB_TMP/$name.orders"
	exec {fd}<>"$LAB_TMP/$name.orders" # both ways: neither side waits
	CHAT_ORDERS[$name]=$fd
	LAB_STDIN=$LAB_TMP/$name.orders start "$name" client \
		"$CHAT_TOOLS/chat_ws" "$@"
	wait_log "$name" '^joined' 120
}
chat_said() { [ "$(grep -c '^done' "$LAB_TMP/$1.out")" -gt "$2" ]; }
chat_say() {
	local before lines
	before=$(grep -c '^done' "$LAB_TMP/$1.out" || true)
	lines=$(wc -l <"$LAB_TMP/$1.out")
	printf 'say %s %s\n' "$2" "$3" >&"${CHAT_ORDERS[$1]}"
	wait_until $((120 + 2 * $3)) "$1 to have heard all" chat_said "$1" "$before"
	tail -n +$((lines + 1)) "$LAB_TMP/$1.out"
}
chat_leave() {
	local fd=${CHAT_ORDERS[$1]}
	stop "$1"
	exec {fd}>&-
	unset "CHAT_ORDERS[$1]"
}

# Kilobytes that a program has, or had at most: of NAME, VmRSS or VmHWM.
chat_memory() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$(pid_of "$1")/status"; }

# value NAME < LINES: of `name value` lines.
value() { awk -v n="$1" '$1 == n { print $2 }'; }
