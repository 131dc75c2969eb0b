#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A backend remembers connections that the balancer has forgotten, on each of
# its ports: established ones, or in TIME_WAIT. New connections from these ports
# succeed at once all the same.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "connections that only the backend remembers"

CLIENTS=$LAB_DIR/clients.py
B1=198.18.0.11
# As few ports as it takes, so that every one of them can be made stale.
NAT=24000-25099

balance() { # PORT OF THE BACKEND
	cat >"$LAB_TMP/lb.conf" <<-CONF
		[service one]
		listen = $VIP:$VIP_PORT
		check = none
		backend = $B1:$1
	CONF
	start_l4lb lb --state none --nat-ports $NAT --config "$LAB_TMP/lb.conf"
	ports=$(grep -o ' free=[0-9]*' "$LAB_TMP/lb.err" | cut -d= -f2)
}
# It dies, and the next one knows nothing of its flows.
forget() { # PORT OF THE BACKEND
	stop lb KILL
	rm "$LAB_TMP/lb.out" "$LAB_TMP/lb.err"
	balance "$1"
	expect "  l4lb killed, started without state: flows" "$(dump_flows lb)" 0
}
# From its start, through its death, to now there was a guard. After it what is
# left of the forgotten connections meets the kernel, which rightly resets it.
ends() {
	expect "  RST sent by the balancer's kernel" \
		$(($(counter lb TcpOutRsts) - resets)) 0
	stop lb
	expect "  exit status" "$STATUS" 0
}
has() { on b1 ss -Htn state "$1" "sport = :$2" | awk '{ print $4 }' | sort -u | wc -l; }
value_of() { sed -n "s/^done.* $2=\([0-9]*\).*/\1/p" "$LAB_TMP/$1.out"; }

lab_up lan
start_echo echo1 b1 "$B1" "$PORT"
start_nginx b1 8080

# --- established at the backend
balance "$PORT"
resets=$(counter lb TcpOutRsts)
expect_true "l4lb has $ports ports toward the backend" [ "$ports" -ge 1024 ]
start_hold old client "$VIP" "$VIP_PORT" "$ports"
expect "stale: connections at the backend, each on a port of its own" \
	"$(has established "$PORT")" "$ports"
forget "$PORT"
expect "  connections at the backend" "$(has established "$PORT")" "$ports"
again=$(counter client TcpExtTCPSynRetrans)
start new client "$PYTHON" "$CLIENTS" stream "$VIP" "$VIP_PORT" "$ports" 200
finish new 60
expect "  $ports new ones from the same ports: failed" \
	"$(value_of new failed) $(value_of new cut)" "0 0"
expect "  served" "$(grep -c '^echo1 ' "$LAB_TMP/new.out")" "$ports"
# A client asks again after a second, the balancer after 300 ms: neither has.
expect "  SYNs sent again (slowest connect: $(value_of new slowest_ms) ms)" \
	$(($(counter client TcpExtTCPSynRetrans) - again)) 0
expect "  repaired" "$(counted lb repaired)" "$ports"
expect "  redispatched" "$(counted lb redispatched)" 0
expect "  the backend blamed, times" \
	"$(dump lb | awk '/^# backend / { b = 1; next } b { print $6 }')" 0
stop old KILL
wait_closed lb
ends

# --- TIME_WAIT at the backend, which closes first. With timestamps it takes a
# SYN whenever it is newer: without them only above the old sequence, which for
# a new port of the client's is a matter of chance.
on client sysctl -qw net.ipv4.tcp_timestamps=0
web() { # NAME COUNT: prints each one's status and time to connect
	on client curl -sS --no-progress-meter --fail --max-time 60 \
		-H 'Connection: close' -o /dev/null -w '%{http_code} %{time_connect}\n' \
		"http://$VIP:$VIP_PORT/?[1-$2]" >"$LAB_TMP/$1.web" || true
}
served() { grep -c '^200 ' "$LAB_TMP/$1.web" || true; }
slowest_ms() { awk '$2 > m { m = $2 } END { printf "%.0f", m * 1000 }' "$LAB_TMP/$1.web"; }

balance 8080
resets=$(counter lb TcpOutRsts)
web old "$ports"
expect "TIME_WAIT: requests served" "$(served old)" "$ports"
# Now and then the client closes at the same time, or before.
remembered=$(has time-wait 8080)
expect_true "  in TIME_WAIT at the backend, each on a port of its own: $remembered" \
	[ "$remembered" -gt $((ports * 9 / 10)) ]
forget 8080
expect "  in TIME_WAIT at the backend" "$(has time-wait 8080)" "$remembered"
again=$(counter client TcpExtTCPSynRetrans)
web new "$ports"
expect "  $ports new requests from the same ports: served" "$(served new)" "$ports"
expect "  SYNs sent again (slowest connect: $(slowest_ms new) ms)" \
	$(($(counter client TcpExtTCPSynRetrans) - again)) 0
repaired=$(counted lb repaired)
expect_true "  repaired, for their sequence was below the old one: $repaired of $ports" \
	[ "$repaired" -gt $((ports / 5)) ]
expect "  redispatched" "$(counted lb redispatched)" 0
wait_closed lb
ends
