#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Connections that do nothing for a while, and connections that close one way.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "500 connections held idle and then used; half-close both ways"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
start_l4lb lb "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT"

start_hold hold client "$VIP" "$VIP_PORT" 500
expect "flows the balancer shows as ESTABLISHED" "$(dump_flows lb ESTABLISHED)" 500
tell hold 'say hello' '^said'
expect "all 500 answer, by backend" "$(tail -n 1 "$LAB_TMP/hold.out")" \
	"said echo1=167 echo2=167 echo3=166"
tell hold close '^closed'
finish hold 10

wait_closed lb
ok "all are TIME_WAIT after they closed"
stop lb
for i in 1 2 3; do stop echo$i; done

# nc -N closes its sending side at the end of its input, and must still get
# all that comes the other way.
# These servers take one connection and stop listening: no health checks.
cat >"$LAB_TMP/unchecked.conf" <<-END
	[service once]
	listen = $VIP:$VIP_PORT
	check = none
	backend = 198.18.0.11:$PORT
END
start_l4lb unchecked --config "$LAB_TMP/unchecked.conf"
head -c 3000000 /dev/urandom >"$LAB_TMP/data"
sum=$(sha256 <"$LAB_TMP/data")

# The client closes first: the server answers only after the end of input.
start server b1 "$PYTHON" "$LAB_DIR/peer.py" digest server 198.18.0.11 "$PORT"
wait_log server '^listening'
expect "client closes first, and then hears the server's answer" \
	"$(on client timeout 20 nc.openbsd -N "$VIP" "$VIP_PORT" <"$LAB_TMP/data")" "$sum"
stop server

# The server closes first: what the client sends later still arrives.
# shellcheck disable=SC2016 # expanded there
start server b1 bash -c 'nc.openbsd -N -l "$1" <"$2" | sha256sum | cut -c 1-64' \
	server "$PORT" "$LAB_TMP/data"
wait_listens b1 "$PORT"
# shellcheck disable=SC2016 # expanded there
on client timeout 20 "$PYTHON" -c '
import hashlib, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
got = hashlib.sha256()
while part := s.recv(65536):
    got.update(part)
print(got.hexdigest())
s.sendall(open(sys.argv[3], "rb").read())
s.close()' "$VIP" "$VIP_PORT" "$LAB_TMP/data" >"$LAB_TMP/heard"
finish server 10
expect "server closes first: the client has all of it" "$(cat "$LAB_TMP/heard")" "$sum"
expect "  and the server all that came after" "$(cat "$LAB_TMP/server.out")" "$sum"
stop unchecked
