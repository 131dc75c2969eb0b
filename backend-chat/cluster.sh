#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# cluster.sh - the chat as a service: three chat_serv behind one address of l4lb
#
#	cluster.sh up [--supervise] [--redis HOST[:PORT]] [--instance NAME]
#	              [--also ADDRESS]...
#	cluster.sh status | down
#	cluster.sh kill NAME... | stop NAME... | start NAME...
#
# up        starts what does not run yet. Nothing is asked, but sudo may ask for
#           a password: l4lb needs root, nothing else does.
#   --supervise       starts again what dies, until `down`
#   --redis HOST      uses the Redis there. REDIS_PASSWORD_FILE has its password:
#                     that of another `up` is CLUSTER_DIR/redis.password
#   --instance NAME   one chat_serv of that name and nothing else: a further
#                     host of a cluster, whose Redis --redis names
#   --also ADDRESS    that host's chat_serv (see --instance) is one of ours
#
#	pi1$ ADDRESS=192.168.0.11 cluster.sh up --also 192.168.0.12
#	pi2$ ADDRESS=192.168.0.12 REDIS_PASSWORD_FILE=copied.from.pi1 \
#	     cluster.sh up --instance pi2 --redis 192.168.0.11
# status    exit 0 if all that was started runs, 1 if not, 3 if nothing does
# kill      kill -9: NAME is 1, 2, 3 (chat_serv), sorry, l4lb, redis or all
# stop      the same with a goodbye, and --supervise leaves it alone
#
# Environment: ADDRESS (127.0.0.1: this machine alone), REDIS (standalone,
# cluster or off; standalone if redis-server is installed), FAST=1 (l4lb checks
# each second instead of each five), BUILD (the folder of the programs),
# CLUSTER_DIR ($BUILD/cluster: logs, histories, Redis' files, and the process
# numbers, by which everything is ended).
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(cd "${BUILD:-$HERE/../build}" && pwd)
DIR=${CLUSTER_DIR:-$BUILD/cluster}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not in a user's path on Debian

# Ports. Of chat_serv N: web 500N, lines 999N, both 900N; the sorry server's end
# in 9. What clients use is behind l4lb.
WEB=8000 LINE=9000 ALL=20000 HOOK=4000
REDIS_PORT=6390       # standalone
REDIS_NODES="1 2 3"   # cluster: 6391 to 6393, and 10000 more for its bus
WEIGHTS=(3 2 1)
START_S=20 END_S=15

say() { printf '%s\n' "$*"; }
die() {
	printf 'cluster: %s\n' "$*" >&2
	exit 1
}
as_root() {
	if [ "$EUID" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo ${QUIET_SUDO:+-n} "$@"
	else
		die "l4lb needs root, and there is no sudo here: run this as root"
	fi
}

# wait_for SECONDS COMMAND...: polls until it is true.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# --- processes, by file ------------------------------------------------------
# A file NAME.pid holds the pid and when it started (clock ticks since boot): the
# number alone may be another's by now.

# When the process started; nothing if it is gone, or dead and not waited for.
born() {
	local stat fields
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	read -ra fields <<<"${stat##*) }"
	[ "${fields[0]}" = Z ] || printf '%s' "${fields[19]}"
}

pid_of() { cut -d ' ' -f 1 "$DIR/$1.pid"; }
runs() {
	local pid since
	{ read -r pid since <"$DIR/$1.pid"; } 2>/dev/null || return 1
	[ -n "$since" ] && [ "$(born "$pid")" = "$since" ]
}
is_gone() { ! runs "$1"; }

# launch NAME COMMAND...: in a session of its own, so that it stays when this
# terminal goes; output in NAME.log.
launch() {
	local name=$1 pid user=()
	shift
	[ "$name" != l4lb ] || user=(as_root)
	# shellcheck disable=SC2016 # expanded there
	pid=$("${user[@]}" sh -c '
		log=$1
		shift
		setsid "$@" </dev/null >"$log" 2>&1 9>&- &
		echo $!' sh "$DIR/$name.log" "$@") || die "$name cannot be started"
	echo "$pid $(born "$pid")" >"$DIR/$name.pid"
}

# ready NAME COMMAND...: waits until the command is true, while NAME runs.
ready() {
	local name=$1
	shift
	wait_for "$START_S" is_ready_or_dead "$name" "$@" || true
	"$@" && runs "$name" && say "  started  $(about "$name")" && return
	printf 'cluster: %s does not start. The end of %s:\n' "$name" "$DIR/$name.log" >&2
	tail -n 5 "$DIR/$name.log" >&2
	rm -f "$DIR/$name.pid"
	exit 1
}
is_ready_or_dead() {
	local name=$1
	shift
	"$@" || is_gone "$name"
}
logged() { grep -Eqs -- "$2" "$DIR/$1.log"; }

send_signal() { # NAME SIGNAL
	local user=()
	[ "$1" != l4lb ] || user=(as_root)
	"${user[@]}" kill "-$2" "$(pid_of "$1")" 2>/dev/null || true
}
# end NAME: its own way, then the hard one.
end() {
	if runs "$1"; then
		send_signal "$1" TERM
		wait_for "$END_S" is_gone "$1" || send_signal "$1" KILL
		wait_for "$END_S" is_gone "$1" || die "$1 does not end"
		say "  stopped  $1"
	elif [ "$1" = l4lb ] && [ -e "$DIR/l4lb.pid" ]; then
		as_root "$BUILD/l4lb" --down chat # its guard and ports
	fi
	rm -f "$DIR/$1.pid"
}

# --- the parts, in the order in which they start -----------------------------

parts() {
	local n
	case $MODE in
	standalone) echo redis ;;
	cluster) for n in $REDIS_NODES; do echo "redis$n"; done ;;
	esac
	echo chat1
	[ -z "$INSTANCE" ] || return 0
	printf '%s\n' chat2 chat3 sorry l4lb
}

# What the user calls it: several parts, perhaps.
named() {
	case $1 in
	[123]) parts | grep -x "chat$1" ;;
	redis) parts | grep '^redis' ;;
	all) parts ;;
	*) parts | grep -Fx -- "$1" ;;
	esac || die "there is no $1 here; the parts: $(parts | tr '\n' ' ')"
}

about() {
	case $1 in
	redis) say "redis    port $REDIS_PORT" ;;
	redis?) say "$1   port 639${1#redis}, of a cluster of three" ;;
	chat?) say "$1    web 500${1#chat}, lines 999${1#chat}, both 900${1#chat}" ;;
	sorry) say "sorry    web 5009, lines 9999, both 9009: when no chat is left" ;;
	l4lb) say "l4lb     web $WEB, lines $LINE, both $ALL, webhook $HOOK" ;;
	esac
}

start_part() {
	if runs "$1"; then
		say "  already running: $(about "$1")"
		return
	fi
	case $1 in
	redis) start_redis redis "$REDIS_PORT" ;;
	redis?) start_redis "$1" "639${1#redis}" --cluster-enabled yes \
		--cluster-config-file nodes.conf --cluster-announce-ip "$ADDRESS" ;;
	chat?) start_chat "${1#chat}" ;;
	sorry) start_sorry ;;
	l4lb) start_l4lb ;;
	esac
}

# --- Redis

password() { cat "$PASSWORD"; }
ask_redis() { # PORT COMMAND...
	local port=$1
	shift
	REDISCLI_AUTH=$(password) redis-cli -h "$ADDRESS" -p "$port" "$@" 2>/dev/null
}
redis_answers() { [ "$(ask_redis "$1" ping)" = PONG ]; }

start_redis() { # NAME PORT OPTIONS...
	local name=$1 port=$2 bind=127.0.0.1
	shift 2
	command -v redis-server >/dev/null ||
		die "there is no redis-server here: install it (apt-get install" \
			"redis-server), or give REDIS=off: rooms of each server apart"
	[ -s "$PASSWORD" ] || (
		umask 077
		od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$PASSWORD"
	)
	mkdir -p "$DIR/$name"
	[ "$ADDRESS" = "$bind" ] || bind="$bind $ADDRESS"
	(
		umask 077
		printf '%s %s\n' requirepass "$(password)" masterauth "$(password)" \
			bind "$bind" port "$port" dir "$DIR/$name" \
			appendonly yes save '""' >"$DIR/$name.conf"
	)
	launch "$name" redis-server "$DIR/$name.conf" "$@"
	ready "$name" redis_answers "$port"
}

# The nodes do not know each other yet, at the first start.
join_redis() {
	local n nodes=()
	for n in $REDIS_NODES; do nodes+=("$ADDRESS:639$n"); done
	cluster_is_ok || REDISCLI_AUTH=$(password) redis-cli --cluster create \
		"${nodes[@]}" --cluster-yes >"$DIR/redis-create.log" 2>&1 ||
		wait_for "$START_S" cluster_is_ok || # it was one, and comes back
		die "the Redis cluster does not come up; see $DIR/redis-create.log"
	wait_for "$START_S" cluster_is_ok ||
		die "the Redis cluster does not come up: redis-cli -p 6391 cluster info"
}
cluster_is_ok() {
	local n
	for n in $REDIS_NODES; do
		ask_redis "639$n" cluster info | grep -q '^cluster_state:ok' || return 1
	done
}

# --- the chat

redis_section() {
	local n nodes=()
	[ "$MODE" != off ] || return 0
	say "[redis]"
	case $MODE in
	cluster)
		for n in $REDIS_NODES; do nodes+=("$ADDRESS:639$n"); done
		say "mode = cluster"
		(IFS=,; say "nodes = ${nodes[*]}") ;;
	standalone) printf '%s\n' "mode = standalone" "host = $ADDRESS" \
		"port = $REDIS_PORT" ;;
	*) printf '%s\n' "mode = standalone" "host = ${MODE%:*}" \
		"port = ${MODE##*:}" ;;
	esac
	[ -z "$PASSWORD" ] || say "password_file = $PASSWORD"
}

start_chat() { # N
	local n=$1 conf=$DIR/chat$1.conf
	{
		printf '%s\n' "[chat]" "listen = $ADDRESS:500$n web" \
			"listen = $ADDRESS:999$n line" "listen = $ADDRESS:900$n" \
			"instance = ${INSTANCE:-$(uname -n)-900$n}"
		redis_section
		printf '%s\n' "[history]" "file = $DIR/chat$n.db"
	} >"$conf"
	launch "chat$n" "$BUILD/chat_serv" -c "$conf"
	ready "chat$n" logged "chat$n" '^listening .*port=900'
}

start_sorry() {
	printf '%s\n' "[chat]" "listen = $ADDRESS:5009 web" \
		"listen = $ADDRESS:9999 line" "listen = $ADDRESS:9009" \
		>"$DIR/sorry.conf"
	launch sorry "$BUILD/chat_serv" --sorry -c "$DIR/sorry.conf"
	ready sorry logged sorry '^listening .*port=9009'
}

# --- the balancer

service() { # NAME PORT CHECK FIRST DIGITS OF THE BACKENDS' PORTS
	local n other interval=5s
	[ -z "$FAST" ] || interval=1s
	printf '%s\n' "" "[service $1]" "listen = $ADDRESS:$2" "scheduler = wrr" \
		"check = $3" "interval = $interval" "fall = 3"
	for n in 1 2 3; do
		say "backend = $ADDRESS:$4$n weight=${WEIGHTS[n - 1]}"
	done
	for other in $ALSO; do say "backend = $other:${4}1 weight=1"; done
	say "backend = $ADDRESS:${4}9 backup"
}

start_l4lb() {
	{
		printf '%s\n' "[global]" "name = chat"
		service web $WEB "http GET /health" 500
		service lines $LINE 'expect "HEALTH CHECK"' 999
		service all $ALL "http GET /health" 900
		service webhook $HOOK "http GET /health" 500
	} >"$DIR/l4lb.conf"
	# Before the others on this machine: while it waits for a processor, what
	# they send finds its ring full and is lost. Where sessions share the
	# processors (autogroup), that is the session's. It goes on if it may not.
	# shellcheck disable=SC2016 # expanded there
	launch l4lb sh -c '
		{ echo -10 >/proc/self/autogroup; } 2>/dev/null
		exec nice -n -10 "$@"' sh "$BUILD/l4lb" --config "$DIR/l4lb.conf"
	ready l4lb logged l4lb ' ready pid='
}

# --- what was started, for the commands after `up` ---------------------------

SETTINGS=(ADDRESS MODE PASSWORD INSTANCE ALSO FAST)

settings() {
	local name
	for name in "${SETTINGS[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done
}
recall() {
	[ -e "$DIR/settings" ] || {
		say "There is no cluster; start it with: make cluster"
		exit "$1"
	}
	# shellcheck source=/dev/null # written by up
	. "$DIR/settings"
}

something_runs() {
	local part
	for part in $(parts); do
		! runs "$part" || return 0
	done
	return 1
}

# --- commands ----------------------------------------------------------------

choose_settings() {
	local redis
	ADDRESS=${ADDRESS:-127.0.0.1} INSTANCE='' ALSO='' SUPERVISE='' redis=''
	case ${FAST:-} in '' | 0) FAST='' ;; *) FAST=1 ;; esac
	while [ $# -gt 0 ]; do
		case $1 in
		--supervise) SUPERVISE=1 ;;
		--redis | --instance | --also)
			[ $# -gt 1 ] || die "$1 needs a value"
			case $1 in
			--redis) redis=$2 ;;
			--instance) INSTANCE=$2 ;;
			--also) ALSO="$ALSO $2" ;;
			esac
			shift ;;
		*) die "up knows no $1; see the head of $0" ;;
		esac
		shift
	done
	PASSWORD=$DIR/redis.password # of our own Redis, made at its first start
	if [ -n "$redis" ]; then
		MODE=$redis PASSWORD=${REDIS_PASSWORD_FILE:-}
		[ "${MODE%:*}" != "$MODE" ] || MODE=$redis:$REDIS_PORT
	elif [ -n "${REDIS:-}" ]; then
		MODE=$REDIS
	elif command -v redis-server >/dev/null; then
		MODE=standalone
	else
		MODE=off
		say "No redis-server here, so each server is a chat of its own; REDIS=off" \
			"says that this is wanted, apt-get install redis-server ends it."
	fi
	case $MODE in
	standalone | cluster | off | *:*) ;;
	*) die "REDIS is standalone, cluster or off, not $MODE" ;;
	esac
	[ -z "$INSTANCE" ] || [ -n "$redis" ] ||
		die "--instance is for a further host: say where Redis is, --redis HOST"
}

up() {
	local now part
	choose_settings "$@"
	for part in l4lb chat_serv; do
		[ -x "$BUILD/$part" ] || die "there is no $BUILD/$part: run make first"
	done
	now=$(settings)
	if [ -e "$DIR/settings" ] && [ "$(cat "$DIR/settings")" != "$now" ]; then
		if (recall 0 && something_runs); then
			die "a cluster with other settings runs ($(tr '\n' ' ' <"$DIR/settings"));" \
				"end it first: make cluster-down"
		fi
	fi
	settings >"$DIR/settings"
	for part in $(parts); do
		start_part "$part"
		[ "$part" != redis3 ] || join_redis
	done
	[ -z "$SUPERVISE" ] || runs supervise || {
		launch supervise env BUILD="$BUILD" CLUSTER_DIR="$DIR" "$HERE/cluster.sh" supervise
		say "  started  supervise: starts again what dies"
	}
	show
}

show() {
	local me=${0#"$PWD/"} mine
	[ -z "$INSTANCE" ] || {
		say "$INSTANCE runs. The balancer's host gives it clients after: up --also $ADDRESS"
		return
	}
	cat <<-END

		The chat runs: three servers behind one address, any of them may die.
		  page      http://$ADDRESS:$WEB/
		  terminal  $BUILD/chat_clnt $ADDRESS $LINE alice
		            nc $ADDRESS $LINE
		  webhook   curl -d '{"roomId":"lobby","message":"Hello"}' \\
		              -H 'Content-Type: application/json' http://$ADDRESS:$HOOK/webhook
		  state     curl http://$ADDRESS:$WEB/health
		  pages and lines on one port: $ADDRESS:$ALL
		Try:
		  $me kill 2              a server dies; $me start 2
		  $me kill redis          the chat goes on; $me start redis
		  $me stop 1 2 3          nobody left: look at the page
		  make cluster-status; make cluster-down
	END
	[ "$MODE" != off ] || say "Without Redis the three servers are three chats apart."
	mine=$(ip -4 -o address show scope global 2>/dev/null |
		awk '{ sub("/.*", "", $4); print $4; exit }') || true
	[ "$ADDRESS" != 127.0.0.1 ] || [ -z "$mine" ] ||
		say "For phones: make cluster-down; make cluster ADDRESS=$mine"
}

# http_get PORT PATH: "STATUS BODY", nothing without an answer.
http_get() (
	exec 3<>"/dev/tcp/$ADDRESS/$1" || exit 0
	printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' \
		"$2" "$ADDRESS" >&3
	read -r -t 2 _ status _ <&3 || exit 0
	while read -r -t 2 line && [ "$line" != $'\r' ]; do :; done <&3
	read -r -t 2 body <&3 || true
	printf '%s %s' "$status" "$body"
) 2>/dev/null

status() {
	local part down=0 up=0 more
	recall 3
	for part in $(parts) supervise; do
		if [ "$part" = supervise ] && [ ! -e "$DIR/supervise.pid" ]; then
			continue
		fi
		if runs "$part"; then
			up=$((up + 1)) more=
			case $part in
			chat?) more=$(http_get "500${part#chat}" /health) ;;
			l4lb) more="page: $(http_get $WEB /health)" ;;
			esac
			printf '%-9s pid %-7s %s\n' "$part" "$(pid_of "$part")" "$more"
		else
			down=$((down + 1))
			printf '%-9s DOWN\n' "$part"
		fi
	done
	[ "$up" -gt 0 ] || exit 3
	[ "$down" -eq 0 ]
}

down() {
	local part
	if [ -e "$DIR/settings" ]; then
		recall 0
		for part in supervise $(parts | tac); do end "$part"; done
	fi
	say "No cluster runs. Histories and logs are in $DIR"
}

each() { # COMMAND NAME...
	local command=$1 name part names
	shift
	recall 1
	[ $# -gt 0 ] || die "$command needs a name: 1, 2, 3, redis, sorry, l4lb or all"
	for name in "$@"; do
		names=$(named "$name") || exit 1
		for part in $names; do
			case $command in
			start) start_part "$part" ;;
			stop) end "$part" ;;
			kill)
				runs "$part" || continue
				send_signal "$part" KILL
				wait_for "$END_S" is_gone "$part" || die "$part does not die"
				say "  killed   $part" ;;
			esac
		done
	done
}

# A part that has a file and no process was not stopped by us. sudo cannot ask
# for a password here.
supervise() {
	local part
	recall 1
	QUIET_SUDO=1
	while sleep 1; do
		for part in $(parts); do
			if [ ! -e "$DIR/$part.pid" ] || runs "$part"; then
				continue
			fi
			(
				flock 9
				[ -e "$DIR/$part.pid" ] || exit 0 # stopped meanwhile
				say "$(date '+%F %T') $part died"
				start_part "$part"
			) 9>"$DIR/lock" || true
		done
	done
}

case ${1:-} in
up | down | kill | stop | start | status | supervise) ;;
*)
	sed -n '4,/^set -/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
	[ $# -eq 0 ] || printf '\ncluster: there is no command %s\n' "$1" >&2
	exit 2 ;;
esac
mkdir -p "$DIR"
# One change at a time; nobody inherits the lock.
case $1 in
up | kill | stop | start | down)
	exec 9>"$DIR/lock"
	flock 9 ;;
esac
case $1 in
up | down | status | supervise) "$@" ;;
*) each "$@" ;;
esac
