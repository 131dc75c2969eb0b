#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The HTTP interface: the examples of the manual, what is refused and changes
# nothing, and the commands of another balancer's users, as they know them.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "HTTP: the manual's examples, refusals, another balancer's commands"
need curl curl

lab_up lan
for n in 1 2 3 4; do
	[ "$n" -lt 4 ] || on b1 ip address add 198.18.0.14/24 dev eth0
	start_echo "e$n" "b$((n % 4 + n / 4))" "198.18.0.1$n" "$PORT"
done
# Its /etc/l4lb/token, the default, is a file of the lab's own here, and so is
# printed with the configuration.
MANUAL=$LAB_TMP/l4lb-api.8
sed -e "/^api = /{n;s,^\$,api_token_file = $LAB_TMP/token\n,}" \
	-e "s,/etc/l4lb/token,$LAB_TMP/token,g" \
	"$LAB_DIR/../../docs/l4lb-api.8" >"$MANUAL"
S=/run/l4lb/demo.sock
TCP=198.18.0.1:8404
printf 'a-token-of-the-lab\n' >"$LAB_TMP/token"
chmod 600 "$LAB_TMP/token"
# The configuration of the manual, as it stands there.
awk '/^\[global\]/ { on = 1 } on && /^\.Ed/ { exit } on' "$MANUAL" >"$LAB_TMP/demo.conf"
start_l4lb lb --config "$LAB_TMP/demo.conf"

# ask STATUS ARGUMENTS...: curl's status; the answer is in $LAB_TMP/answer
ask() {
	local status=$1
	shift
	expect "$(printf '%s ' "$@" | cut -c 1-70)" \
		"$(on lb curl -s -o "$LAB_TMP/answer" -w '%{http_code}' "$@")" "$status"
}
sock() { # STATUS PATH ARGUMENTS...
	local status=$1 path=$2
	shift 2
	ask "$status" --unix-socket "$S" "http://l4lb$path" "$@"
}
answer_has() { expect_true "  says: $1" grep -q -- "$1" "$LAB_TMP/answer"; }
generation() {
	on lb curl -s --unix-socket "$S" http://l4lb/lb/stats |
		sed 's/.*"generation":\([0-9]*\).*/\1/'
}
is_up() { on lb curl -s --unix-socket "$S" http://l4lb/lb/health | grep -q '"healthy"'; }
wait_until 10 "the API answers, and all backends are up" is_up

start_hold hold client "$VIP" "$VIP_PORT" 8
tell hold "say hello" '^said' 1

say "what is refused, and changes nothing"
JSON='Content-Type: application/json'
before=$(generation)
sock 404 /lb/nothing
sock 404 /lb/backends/backend9
sock 404 /lb/backends/198.18.0.99:1/enable -X POST
sock 404 /lb/flows/999999
sock 405 /lb/health -X POST
sock 405 /lb/backends/backend1/enable
sock 405 /lb/backends/backend1/weight -X PUT
sock 400 '/lb/health?x=1'
answer_has 'there are none here'
sock 400 '/lb/flows?age=3'
sock 400 /lb/backends/add -H "$JSON" -d '{"host":'
sock 400 /lb/backends/add -H "$JSON" -d '{"host":"198.18.0.15","prt":1}'
answer_has 'expected host, port'
sock 400 /lb/backends/add -H "$JSON" -d '{"host":"198.18.0.300","port":1}'
sock 409 /lb/backends/add -H "$JSON" -d "{\"host\":\"198.18.0.11\",\"port\":$PORT}"
sock 415 /lb/backends/add -d '{"host":"198.18.0.15","port":1}'
sock 400 /lb/backends/backend1/weight -H "$JSON" -d '{"weight":-1}'
sock 400 /lb/backends/backend1/drain -H "$JSON" -d '{"for":"for ever"}'
sock 400 /lb/commands -H 'Content-Type: text/plain' -d begin
sock 404 /lb/commands -H 'Content-Type: text/plain' --data-binary \
	$'backend disable chat backend1\nbackend disable chat backend9'
sock 412 /lb/backends/backend1/disable -X POST -H "If-Match: \"$((before + 1))\""
sock 400 /lb/backends/backend1/disable -X POST -H 'If-Match: "x"'
head -c 70000 /dev/zero | tr '\0' ' ' >"$LAB_TMP/big"
sock 413 /lb/commands -H 'Content-Type: text/plain' --data-binary "@$LAB_TMP/big"
sock 413 /lb/commands -H 'Content-Type: text/plain' -H 'Transfer-Encoding: chunked' \
	--data-binary "@$LAB_TMP/big"
sock 414 "/lb/flows?filter=$(head -c 5000 /dev/zero | tr '\0' x)"
sock 200 '/lb/backends/backend1/disable?dry_run=1' -X POST
answer_has '"backend disable chat backend1"'

TOKEN='Authorization: Bearer a-token-of-the-lab'
ask 401 "http://$TCP/lb/health?" -H 'Authorization: Bearer wrong'
ask 401 -X POST "http://$TCP/lb/backends/backend1/disable"
ask 401 -X POST "http://$TCP/lb/stop" -H 'Authorization: Basic eDp5'
ask 401 "http://$TCP/lb/stats"
ask 200 "http://$TCP/lb/health"
ask 200 "http://$TCP/lb/stats" -H "$TOKEN"
ask 421 "http://$TCP/lb/stats" -H "$TOKEN" -H 'Host: evil.example'
ask 403 -X POST "http://$TCP/lb/backends/backend1/disable" -H "$TOKEN" \
	-H 'Origin: http://evil.example'
# One curl asks quickly enough, if the machine has time for it.
mapfile -t guesses < <(for _ in $(seq 20); do printf '%s\n' -o /dev/null "http://$TCP/lb/stats"; done)
guesses_too_often() {
	on client curl -s -w '%{http_code}\n' -H 'Authorization: Bearer guess' \
		"${guesses[@]}" | grep -q 429
}
wait_until 60 "who guesses to be told to wait" guesses_too_often
ok "who guesses is told to wait"
ask 200 "http://$TCP/lb/stats" -H "$TOKEN"
if setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	status=$(on lb setpriv --reuid 65534 --clear-groups curl -s -o /dev/null \
		-w '%{http_code}' --unix-socket "$S" http://l4lb/lb/stats || true)
	expect "another user does not get to the UNIX socket" "$status" 000
else
	say "        this user namespace has no other user to try the UNIX socket"
fi
expect "the generation is what it was" "$(generation)" "$before"
tell hold "say still" '^said' 2
expect "  and so are the connections" "$(grep ^said "$LAB_TMP/hold.out" | uniq | wc -l)" 1

say "the manual's examples"
expect_true "each gives what it shows" on lb "$PYTHON" "$LAB_DIR/api_examples.py" "$MANUAL"
finish lb 20
expect "  the last one ends l4lb, cleanly" "$STATUS" 0
stop hold

say "another balancer's commands"
cat >"$LAB_TMP/demo.conf" <<END
[global]
name = demo
api = 127.0.0.1:8080
api_token_file = none
[service chat]
listen = $VIP:$VIP_PORT
backend = 198.18.0.11:$PORT
backend = 198.18.0.12:$PORT
backend = 198.18.0.13:$PORT
END
# Ids are not used again, not even after /lb/save and a stop.
rm -f /var/lib/l4lb/demo.changes
start_l4lb lb2 --config "$LAB_TMP/demo.conf"
wait_until 10 "the API answers" is_up
ask 200 http://localhost:8080/lb/health
answer_has '"total_backends":3'
ask 200 http://localhost:8080/lb/stats
answer_has '^{"load_balancer":"RoundRobinBalancer","total_requests":'
ask 200 http://localhost:8080/lb/backends
answer_has '^\[{"id":"backend1"'
ask 200 http://localhost:8080/lb/config
ask 201 -X POST http://localhost:8080/lb/backends/add \
	-H "Content-Type: application/json" \
	-d '{"host": "198.18.0.14", "port": 9001, "weight": 1}'
answer_has '"id":"backend4"'
ask 200 -X POST http://localhost:8080/lb/backends/backend1/disable
answer_has '"admin":"disabled"'
ask 200 -X POST http://localhost:8080/lb/backends/backend1/enable
answer_has '"admin":"enabled"'
ask 200 -X DELETE http://localhost:8080/lb/backends/backend4/remove
answer_has '"state":"removed"'
ask 200 http://localhost:8080/metrics
stop lb2
