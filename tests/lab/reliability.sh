#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# l4lb, HAProxy and nginx stream through the same faults, under the same load,
# before the same three echo servers: a table in markdown.
#
#	reliability.sh [OUTFILE]
#
# Without a file it goes to stdout. A file that has the two marker lines
# (docs/reliability.md) keeps all but what is between them. CONTESTANTS names
# who takes part. About ten minutes; nothing else should load the machine.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need haproxy nginx nft pgrep
need_program l4lb
STREAM_MODULE=/usr/lib/nginx/modules/ngx_stream_module.so
[ -e "$STREAM_MODULE" ] || skip "no stream module of nginx here"

OUTFILE=${1:-}
read -ra WHO <<<"${CONTESTANTS:-l4lb haproxy haproxy-tuned nginx nginx-tuned}"
COUNT=1600 PER_S=100 BEFORE=100 # the fault comes after BEFORE of COUNT
PATIENCE=20                     # of a client, in seconds
SLOW=200                        # ms: who waits longer has noticed
HELD=50
BEGIN='<!-- made by tests/lab/reliability.sh: begin -->'
END='<!-- made by tests/lab/reliability.sh: end -->'

declare -A RESULT=()
result() { # ROW VALUE
	RESULT[$1,$who]=$2
	ok "$who, $1: $2"
}

# --- who takes part ----------------------------------------------------------
# Each has begin_NAME (again after an end), NAME-tuned being the same with what
# its manual offers against these faults.

tuned() { [[ $who = *-tuned ]]; }
balancer() { "$1_${who%-tuned}" "${@:2}"; }
backends() { # TEXT BEFORE AND AFTER EACH
	local i
	for i in 1 2 3; do printf '%s%s%s\n' "$1" "198.18.0.1$i:$PORT" "${2:-}"; done
}

begin_l4lb() { # ARGUMENTS
	{
		printf '[global]\nname = lb\n[service echo]\n'
		printf 'listen = %s\n' "$VIP:$VIP_PORT"
		backends 'backend = '
	} >"$LAB_TMP/l4lb.conf"
	start_l4lb lb "$@" --config "$LAB_TMP/l4lb.conf"
}

begin_haproxy() { # ARGUMENTS
	local redispatch='option redispatch' down='' i=0 address
	tuned && redispatch='option redispatch 1' \
		down='inter 1s fastinter 200ms on-marked-down shutdown-sessions observe layer4'
	{
		printf 'global\n\tmaxconn 9000\ndefaults\n\tmode tcp\n\tbalance roundrobin\n'
		printf '\t%s\n\tretries 3\n\ttimeout connect 1s\n' "$redispatch"
		printf '\ttimeout check 500ms\n'
		printf '\ttimeout client 1h\n\ttimeout server 1h\n'
		printf 'listen echo\n\tbind :%s backlog 4096\n' "$VIP_PORT"
		while read -r address; do
			printf '\tserver b%d %s check %s\n' $((++i)) "$address" "$down"
		done < <(backends '')
	} >"$LAB_TMP/haproxy.cfg"
	start "${NAME:-lb}" lb haproxy -db -f "$LAB_TMP/haproxy.cfg" "$@"
	wait_listens lb "$VIP_PORT"
}

begin_nginx() {
	local dir=$LAB_TMP/stream
	mkdir -p "$dir"
	cat >"$dir/nginx.conf" <<-CONF
		load_module $STREAM_MODULE;
		user root;
		daemon off;
		pid $dir/pid;
		error_log $dir/error.log;
		worker_processes 1;
		events { worker_connections 9000; }
		stream {
			proxy_next_upstream on;
			$(! tuned || echo 'proxy_connect_timeout 1s;')
			upstream echo {
				$(backends 'server ' ';')
			}
			server { listen $VIP_PORT backlog=4096; proxy_pass echo; }
		}
	CONF
	start lb lb nginx -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_listens lb "$VIP_PORT"
	wait_until 10 "nginx to have a worker" has_child "$(pid_of lb)"
}
has_child() { pgrep -P "$1" >/dev/null; }

version() {
	case $1 in
	l4lb) "$L4LB_BUILD/l4lb" --version 2>&1 | head -n 1 ;;
	haproxy*) haproxy -v | awk 'NR == 1 { print "HAProxy " $3 }' ;;
	nginx*) nginx -v 2>&1 | sed 's/.*nginx\//nginx /; s/ (.*//' ;;
	esac
}

is_free() { ! listens lb "$VIP_PORT"; }

# All of its processes at once: nginx's worker would outlive its master.
kill_balancer() {
	local child
	for child in $(pgrep -P "$(pid_of lb)" || true); do kill -KILL "$child"; done
	stop lb KILL
	wait_until 10 "port $VIP_PORT to be free" is_free
}

# Nothing of one contestant may be left for the next.
end_balancer() {
	stop lb
	wait_until 20 "port $VIP_PORT to be free" is_free
	[ -z "$(on lb nft list tables)" ] || fail "rules are left on lb"
}

# --- the faults ----------------------------------------------------------------

speak_again() { speak b2; }
kill_echo() { stop echo2 KILL; }
echo_again() { start_echo echo2 b2 198.18.0.12 "$PORT"; }

visits() { [ "$(wc -l <"$LAB_TMP/load.out")" -ge "$1" ]; }

# What became of the load: failed, of those in flight, slow, slowest, recovery.
# In flight is what began before the fault was complete.
judge() { # BEGIN AND END OF THE FAULT, MS
	awk -v at="$1" -v done="$2" -v slow=$SLOW '
		$2 > last                      { last = $2 }
		$1 == "failed"                 { failed++; if ($2 <= done) flying++ }
		$1 != "failed" && $3 > slowest { slowest = $3 }
		$1 != "failed" && $3 > slow    { waited++ }
		($1 == "failed" && $2 > done || $1 != "failed" && $3 > slow) && $2 > bad { bad = $2 }
		END {
			printf "%d|%d|%d|%.2f|", failed, flying, waited, slowest / 1000
			if (!bad || bad < at) print "at once"
			else if (bad > last - 500) printf "not within %.0f\n", (last - at) / 1000
			else printf "%.1f\n", (bad - at) / 1000
		}' "$LAB_TMP/load.out"
}

# one_dies ROW HOW_BACK COMMAND...
one_dies() {
	local row=$1 back=$2 at over failed flying waited slowest recovery
	shift 2
	balancer begin
	start load client "$PYTHON" "$LAB_DIR/reliability.py" "$VIP" "$VIP_PORT" \
		$COUNT $PER_S $PATIENCE
	wait_until 20 "$BEFORE connections" visits $BEFORE
	[ "$(grep -c '^echo2 ' "$LAB_TMP/load.out" || true)" -ge $((BEFORE / 4)) ] ||
		fail "b2 had no share before it died"
	at=$(now_ms)
	"$@"
	over=$(now_ms)
	finish load 90
	[ "$(wc -l <"$LAB_TMP/load.out")" -eq $COUNT ] || fail "not every connection told its fate"
	IFS='|' read -r failed flying waited slowest recovery <<<"$(judge "$at" "$over")"
	[ "$flying" -eq 0 ] || failed="$failed ($flying in flight)"
	result "$row: failed" "$failed"
	result "$row: waited" "$waited"
	result "$row: slowest" "$slowest"
	result "$row: recovery" "$recovery"
	end_balancer
	"$back"
}

# survive ROW: how many of those held still echo.
survive() {
	tell hold 'say after' '^said' 2
	result "$1: survive" "$(tail -n 1 "$LAB_TMP/hold.out" | tr ' ' '\n' |
		awk -F= '/^echo[0-9]=/ { n += $2 } END { print n + 0 }')"
}
hold_some() {
	start_hold hold client "$VIP" "$VIP_PORT" $HELD
	tell hold 'say before' '^said'
	grep -Eq '^said echo1=[0-9]+ echo2=[0-9]+ echo3=[0-9]+$' "$LAB_TMP/hold.out" ||
		fail "not all of those held work before the fault"
}
release() {
	tell hold close '^closed'
	finish hold 20
	local fd=${LAB_ORDERS[hold]}
	exec {fd}>&-
	rm "$LAB_TMP/hold.orders"
}

killed() {
	balancer begin
	hold_some
	kill_balancer
	sleep 2 # the fault itself: as long as somebody needs to start it again
	balancer begin
	survive killed
	release
	end_balancer
}

restarted() {
	local keep=()
	[ "$who" != l4lb ] || keep=(--guard keep)
	balancer begin "${keep[@]}"
	hold_some
	stop lb
	wait_until 20 "port $VIP_PORT to be free" is_free
	balancer begin # without keep, so that it clears up in the end
	survive restarted
	release
	end_balancer
}

# The rivals' own way to a new configuration: the old process, or worker, stays
# for its connections. It must not stay for ever, so it ends before release.
count_children() { { pgrep -P "$(pid_of lb)" || true; } | wc -l; }
another_worker() { [ "$(count_children)" -ge 2 ]; }
has_port() { on lb ss -Hltnp "sport = :$VIP_PORT" | grep -q "pid=$(pid_of "$1"),"; }
has_handed_over() { has_port new && ! has_port lb; }
reloaded() {
	case $who in
	haproxy*)
		balancer begin
		hold_some
		NAME=new balancer begin -sf "$(pid_of lb)"
		wait_until 10 "the new process to have the port alone" has_handed_over ;;
	nginx*)
		balancer begin
		hold_some
		kill -HUP "$(pid_of lb)"
		wait_until 10 "a second worker" another_worker ;;
	*)
		result "reloaded: survive" "${RESULT[restarted: survive,$who]}"
		return ;;
	esac
	survive reloaded
	release
	[ -z "${LAB_PID[new]:-}" ] || stop new
	end_balancer
}

# Three connections that only listen, one of them to b2.
watchers() { cat "$LAB_TMP"/watch[123].out; }
learned() { watchers | grep -Eq '^(reset|closed)'; }
to_b2() { [ -n "$(on b2 ss -Htn state established "sport = :$PORT")" ]; }
learns() {
	local i at
	balancer begin
	for i in 1 2 3; do
		start watch$i client "$PYTHON" "$LAB_DIR/clients.py" watch "$VIP" "$VIP_PORT"
		wait_log watch$i '^watching'
	done
	wait_until 5 "a connection to b2" to_b2
	at=$(now_ms)
	go_silent b2
	if holds_within 20 learned; then
		at=$(($(now_ms) - at))
		result "learns" "$((at / 1000)).$((at % 1000 / 100)) ($(watchers | awk '/^(reset|closed)/ && !n++ { print $1 }'))"
	else
		result "learns" "not within 20"
	fi
	for i in 1 2 3; do stop watch$i; done
	end_balancer
	speak b2
}

# --- the table -------------------------------------------------------------------

row() { # ROW TEXT
	local w
	printf '| %s |' "$2"
	for w in "${WHO[@]}"; do printf ' %s |' "${RESULT[$1,$w]}"; done
	echo
}
table() {
	local w seen=''
	printf '%s processor cores, Linux %s' "$(nproc)" "$(uname -r)"
	for w in "${WHO[@]}"; do
		[[ $seen = *" ${w%-tuned} "* ]] || printf ', %s' "$(version "$w")"
		seen+=" ${w%-tuned} "
	done
	printf '; %s.\n\n' "$(date -u +%F)"
	printf '| |'; printf ' %s |' "${WHO[@]}"; echo
	printf '|---|'; for w in "${WHO[@]}"; do printf -- '---|'; done; echo
	row "process: failed" "**backend process killed:** failed, of $COUNT"
	row "process: waited" "answered, after more than 0.$((SLOW / 100)) s"
	row "process: slowest" "slowest answer, s"
	row "process: recovery" "until nobody notices any more, s"
	row "silent: failed" "**backend host silent:** failed, of $COUNT"
	row "silent: waited" "answered, after more than 0.$((SLOW / 100)) s"
	row "silent: slowest" "slowest answer, s"
	row "silent: recovery" "until nobody notices any more, s"
	row "killed: survive" "**balancer killed**, back after 2 s: survive, of $HELD"
	row "restarted: survive" "**clean stop and start:** survive, of $HELD"
	row "reloaded: survive" "**own way of reloading:** survive, of $HELD"
	row "learns" "**established, backend silent:** until the client learns, s"
}

title "the same faults for ${WHO[*]}"
lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
for who in "${WHO[@]}"; do
	one_dies process echo_again kill_echo
	one_dies silent speak_again go_silent b2
	killed
	restarted
	reloaded
	learns
done

table >"$LAB_TMP/table"
put_table "$LAB_TMP/table" "$OUTFILE" "$BEGIN" "$END"
