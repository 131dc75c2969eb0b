#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prometheus's own parser takes the metrics, all of the manual are there, and in
# 10 000 scrapes under load total = succeeded + failed + pending. The numbers are
# those that the clients and the servers have counted, too.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
need_program l4lb-api
"$PYTHON" -c 'import prometheus_client' 2>/dev/null ||
	skip "no python3-prometheus-client here (make deps)"
SCRAPES=${SCRAPES:-10000}
title "$SCRAPES scrapes under load"

SOCKET=/run/l4lb/lb.sock
scrape() { "$PYTHON" "$LAB_DIR/scrape.py" "$1" "$SOCKET" "${@:2}"; }
at_least() {
	local n
	n=$(scrape value "${@:2}" 2>/dev/null) && [ "$n" -ge "$1" ]
}

lab_up lan
client_ports
for i in 1 2; do start_answer answer$i b$i 198.18.0.1$i "$PORT"; done
install -d -m 777 "$LAB_TMP/log"
cat >"$LAB_TMP/lb.conf" <<-END
	[global]
	name = lb
	flow_log = $LAB_TMP/log/flows.log
	[service web]
	listen = $VIP:$VIP_PORT
	backend = 198.18.0.11:$PORT id=one
	backend = 198.18.0.12:$PORT id=two
	backend = 198.18.0.13:$PORT id=three
	fall = 2
	[service empty]
	listen = $VIP:30000
	backend = 198.18.0.13:9999 id=none
	fall = 2
END
start_l4lb lb --config "$LAB_TMP/lb.conf"
wait_until 20 "the API" [ -S "$SOCKET" ]
wait_until 20 "both dead backends to be down" at_least 2 l4lb_service_backends state=down

start_traffic traffic "$VIP" "$VIP_PORT"
order traffic "hold 20" '^holding 20'
order traffic "rate 300" '^rate 300'
say "        $(scrape manual "$LAB_DIR/../../docs/metrics.md")"
ok "Prometheus's parser takes all metrics, and they are those of the manual"
# Nobody is behind the other service: its SYNs are refused meanwhile.
start refused client bash -c "while :; do true 2>/dev/null >/dev/tcp/$VIP/30000; sleep 0.02; done"
seen=$(scrape equation "$SCRAPES") || fail "the equation" "$seen"
ok "in each, total = succeeded + failed + pending, and packets add up: $seen"
stop refused
order traffic stop '^new '
finish traffic 30
[[ $(last traffic) =~ ^new\ ([0-9]+)\ answered\ ([0-9]+)\ failed\ 0\ broken\ 0 ]] ||
	fail "no connection of the load fails" "$(last traffic)"
opened=$((BASH_REMATCH[1]))
ok "no connection of the load failed: $(last traffic)"

settled() { [ "$(scrape value l4lb_service_flows service=web)" = 0 ]; }
wait_until 20 "all connections to end" settled
expect "connections, as the clients counted them ($opened and 20 that were held)" \
	"$(scrape value l4lb_service_connections_total service=web)" $((opened + 20))
expect "  all of them succeeded" \
	"$(scrape value l4lb_service_connections_succeeded_total service=web)" $((opened + 20))
expect "  given to backends" \
	"$(scrape value l4lb_backend_answered_total service=web)" $((opened + 20))
expect "  handshakes that were timed" \
	"$(scrape value l4lb_backend_handshake_seconds_count service=web)" $((opened + 20))
expect "  ended" "$(scrape value l4lb_backend_ends_total service=web)" $((opened + 20))
expect "  closed by both sides" \
	"$(scrape value l4lb_backend_ends_total service=web reason=closed)" $((opened + 20))
logged() { [ "$(scrape value l4lb_flow_log_lines_total)" = $((opened + 20)) ]; }
wait_until 10 "a line in the flow log for each" logged
refused=$(scrape value l4lb_service_connections_failed_total service=empty)
expect_true "connections to nobody failed ($refused)" [ "$refused" -ge 10 ]
expect "  for want of a backend" \
	"$(scrape value l4lb_service_refused_total service=empty reason=no-backend)" "$refused"

expect "as JSON" "$(scrape json)" \
	"total=$((opened + 20 + refused)) success=$((opened + 20)) failed=$refused"
expect "as HAProxy's CSV, a frontend" \
	"$(scrape csv web FRONTEND status stot scur)" "status=OPEN stot=$((opened + 20)) scur=0"
expect "  a server that is down" \
	"$(scrape csv web three status stot type mode)" "status=DOWN stot=0 type=2 mode=tcp"
expect "  a backend without servers" \
	"$(scrape csv empty BACKEND status act)" "status=DOWN act=0"
expect "as events, those that went down" \
	"$(scrape events kind=backend down)" "empty/none web/three"
expect "  all connections" \
	"$(scrape events "kind=flow&limit=1000&since=1" opened | tr ' ' '\n' | sort -u | paste -sd ' ')" \
	"web/one web/two"
expect "wrong questions are refused" \
	"$(scrape status '/metrics?scope=all' '/metrics?histograms=no' '/metrics?x=1' \
		'/lb/events?since=x' '/lb/events?kind=' '/lb/events?limit=1001')" \
	"400 400 400 400 400 400"
stop lb
expect "exit status" "$STATUS" 0
