#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As many lines in the flow log as connections ended, and each request that nginx
# has logged leads by its NAT port and time to one line and so to its client.
# Meanwhile the worker is killed again and again, the file is rotated, and the
# disk is full. No connection notices.
#
#   SECS=1200 RATE=500 FORMAT=json tests/lab/run t-flow-log.sh
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
need nginx
need_program l4lb-api
"$PYTHON" -c 'import prometheus_client' 2>/dev/null ||
	skip "no python3-prometheus-client here (make deps)"
SECS=${SECS:-12} RATE=${RATE:-200} FORMAT=${FORMAT:-text}
title "the flow log under $SECS s of $RATE connections a second"

SOCKET=/run/l4lb/lb.sock LOG=$LAB_TMP/log/flows.log
scrape() { "$PYTHON" "$LAB_DIR/scrape.py" "$1" "$SOCKET" "${@:2}"; }
flow_log() { "$PYTHON" "$LAB_DIR/flowlog.py" "$@"; }

start_logging_nginx() { # HOST
	local host=$1 dir=$LAB_TMP/nginx-$1
	mkdir -p "$dir/tmp"
	cat >"$dir/nginx.conf" <<-END
		user root;
		daemon off;
		pid $dir/pid;
		error_log $dir/error.log;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			log_format lab '\$msec \$remote_addr:\$remote_port \$status \$request_uri';
			access_log $dir/access.log lab;
			client_body_temp_path $dir/tmp;
			proxy_temp_path $dir/tmp;
			fastcgi_temp_path $dir/tmp;
			uwsgi_temp_path $dir/tmp;
			scgi_temp_path $dir/tmp;
			server {
				listen $PORT backlog=4096;
				location / { return 200 "$host\n"; }
			}
		}
	END
	start "nginx-$host" "$host" nginx -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_listens "$host" "$PORT"
}

start_load() { # NAME
	mkfifo "$LAB_TMP/$1.orders"
	exec {load}<>"$LAB_TMP/$1.orders" # both ways: neither side waits
	LAB_STDIN=$LAB_TMP/$1.orders start "$1" client "$PYTHON" \
		"$LAB_DIR/flowlog.py" load "$1" "$VIP" "$VIP_PORT" "$RATE"
	wait_log "$1" '^load'
	LOADS+=("$LAB_TMP/$1.out")
}
end_load() { # NAME
	printf 'stop\n' >&"$load"
	finish "$1" 60
	[[ $(tail -n 1 "$LAB_TMP/$1.out") =~ ^done\ ok=([0-9]+)\ failed=0$ ]] ||
		fail "connections of the load fail" "$(tail -n 1 "$LAB_TMP/$1.out")"
	ok "$1: no connection failed: $(tail -n 1 "$LAB_TMP/$1.out")"
}
LOADS=()
new_ids() { [ "$(wc -l <"$LAB_TMP/$1.out")" -ge "$2" ]; }

# The worker, not its keeper, is called l4lb-api.
worker() { pgrep -x l4lb-api || true; }
another_worker() { local pid; pid=$(worker); [ -n "$pid" ] && [ "$pid" != "$1" ]; }
answers() { scrape value l4lb_build_info >/dev/null 2>&1; }
ended() { scrape value l4lb_backend_ends_total; }
all_written() {
	local lines lost
	lines=$(scrape value l4lb_flow_log_lines_total)
	lost=$(scrape value l4lb_flow_log_lost_total)
	[ $((lines + lost)) = "$(ended)" ]
}
all_ended() { [ "$(scrape value l4lb_service_flows)" = 0 ] && all_written; } 2>/dev/null
failing() { [ "$(scrape value l4lb_flow_log_failing)" = "$1" ]; }
warnings() { grep -c "flow log .*: it cannot be written" "$LAB_TMP/lb.err" || true; }

# leads LOGS: checks them against nginx, and says the figures.
leads() {
	cat "${LOADS[@]}" >"$LAB_TMP/clients"
	flow_log check "$LAB_TMP/clients" "$1" \
		"198.18.0.11=$LAB_TMP/nginx-b1/access.log" \
		"198.18.0.12=$LAB_TMP/nginx-b2/access.log"
}

lab_up lan
client_ports
for host in b1 b2; do start_logging_nginx $host; done
mkdir "$LAB_TMP/log"
mount -t tmpfs -o "mode=777,size=$((2 + RATE * SECS / 1000))m" log "$LAB_TMP/log"
cat >"$LAB_TMP/lb.conf" <<-END
	[global]
	name = lb
	flow_log = $LOG
	flow_log_format = $FORMAT
	journal = 4096
	[service web]
	listen = $VIP:$VIP_PORT
	backend = 198.18.0.11:$PORT
	backend = 198.18.0.12:$PORT
END
start_l4lb lb --config "$LAB_TMP/lb.conf"
wait_until 20 "the API" answers

# --- killed and rotated ------------------------------------------------------
# In a long run, one that has lived for 10 s: it starts again at once.
life=$((SECS > 60 ? 11 * RATE : RATE / 2))
start_load first
kills=0 files=1
until [ $(($(now_ms) - LAB_START)) -gt $((SECS * 1000)) ]; do
	pid=$(worker)
	[ -n "$pid" ] || fail "no worker"
	kill -KILL "$pid"
	kills=$((kills + 1))
	wait_until 20 "another worker" another_worker "$pid"
	wait_until 10 "its answer" answers
	had=$(wc -l <"$LAB_TMP/first.out")
	wait_until 60 "more connections" new_ids first $((had + life))
	mv "$LOG" "$LOG.$files"
	files=$((files + 1))
	# l4lb and l4lb-api in turn.
	if ((files % 2)); then kill -HUP "$(pid_of lb)"; else kill -HUP "$(pgrep -x l4lb-keep)"; fi
	wait_until 10 "a new file" [ -e "$LOG" ]
done
end_load first
wait_until 30 "a line for each end" all_ended
LOGS=$LOG
for ((i = 1; i < files; i++)); do LOGS=$LOG.$i,$LOGS; done
seen=$(leads "$LOGS") || fail "nginx's log leads to clients" "$seen"
ok "each request leads to its client: $seen"
ok "  over $kills kills of the worker and $files files"
requests=$(sed -E 's/.*requests=([0-9]+).*/\1/' <<<"$seen")
expect "  a line for each connection that ended" \
	"$(sed -E 's/.* (lines=.*) ends.*/\1/' <<<"$seen")" "lines=$(ended) lost=0 repeated=0"
expect "  and as many as requests" "$(ended)" "$requests"
expect "  mode of all files" "$(stat -c %a "$LOG"* | sort -u)" 640

# --- the disk is full, for a short time --------------------------------------
start_load second
head -c 1G /dev/zero >"$LAB_TMP/log/filler" 2>/dev/null || true
wait_until 20 "the full disk to be noticed" failing 1
had=$(wc -l <"$LAB_TMP/second.out")
wait_until 20 "more connections" new_ids second $((had + 2 * RATE))
expect_true "the API answers while the disk is full" answers
rm "$LAB_TMP/log/filler"
wait_until 10 "it to be written again" failing 0
end_load second
wait_until 30 "a line for each end" all_ended
expect "the full disk was said once" "$(warnings)" 1
seen=$(leads "$LOGS") || fail "nginx's log leads to clients" "$seen"
expect "  and lost no line: they waited" \
	"$(sed -E 's/.* (lines=.*) ends.*/\1/' <<<"$seen")" "lines=$(ended) lost=0 repeated=0"

# --- it cannot be opened -----------------------------------------------------
start_load unopened
mv "$LOG" "$LOG.$files"
mkdir "$LOG"
LOGS=$LOG.$files,$LOGS
kill -HUP "$(pgrep -x l4lb-keep)"
wait_until 20 "it to be noticed" failing 1
had=$(wc -l <"$LAB_TMP/unopened.out")
wait_until 20 "more connections" new_ids unopened $((had + RATE))
rmdir "$LOG"
wait_until 10 "it to be written again" failing 0
end_load unopened
wait_until 30 "a line for each end" all_ended
expect "a folder in its place was said once" \
	"$(grep -c "flow log .*: it cannot be opened: Is a directory" "$LAB_TMP/lb.err")" 1
seen=$(leads "$LOGS") || fail "nginx's log leads to clients" "$seen"
expect "  and lost no line" \
	"$(sed -E 's/.* (lines=.*) ends.*/\1/' <<<"$seen")" "lines=$(ended) lost=0 repeated=0"

# --- the disk is full for longer than the journal lasts ----------------------
start_load third
head -c 1G /dev/zero >"$LAB_TMP/log/filler" 2>/dev/null || true
wait_until 20 "the full disk to be noticed" failing 1
wait_until 120 "more connections than the journal can hold" new_ids third 3500
rm "$LAB_TMP/log/filler"
wait_until 10 "it to be written again" failing 0
end_load third
wait_until 30 "a line for each end, or that it is lost" all_ended
seen=$(leads "$LOGS") || fail "nginx's log leads to clients" "$seen"
ok "a disk that is full for too long: $seen"
lost=$(sed -E 's/.*lost=([0-9]+).*/\1/' <<<"$seen")
lines=$(sed -E 's/.*lines=([0-9]+).*/\1/' <<<"$seen")
expect_true "  lines were lost" [ "$lost" -gt 1000 ]
expect "  and exactly those that are missing" $((lines + lost)) "$(ended)"

# --- the end -----------------------------------------------------------------
start_hold held client "$VIP" "$VIP_PORT" 7
ended_before=$(ended)
stop lb
expect "exit status" "$STATUS" 0
no_api() { [ -z "$(pgrep -x l4lb-keep)$(worker)" ]; }
wait_until 20 "l4lb-api to end" no_api
seen=$(leads "$LOGS") || fail "nginx's log leads to clients" "$seen"
expect "connections that l4lb reset at its end are in the log, too" \
	"$(grep -o 'shutdown:[0-9]*' <<<"$seen")" shutdown:7
expect "  and nothing is missing" \
	"$(sed -E 's/.*lines=([0-9]+).*/\1/' <<<"$seen")" $((ended_before - lost + 7))
