#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 200 changes of a running balancer, by its file and by commands, and nobody
# notices: 500 new connections a second, 200 that are held and a GiB each way.
#
#	t-reload.sh [CHANGES]
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=traffic.sh
. "$LAB_DIR/traffic.sh"
need nft nginx curl
COUNT=${1:-200}
title "$COUNT changes under load"

lab_up lan
client_ports
for i in 1 2 3; do
	start_answer echo$i b$i 198.18.0.1$i 9001
	start_answer spare$i b$i 198.18.0.1$i 9002
done
start_nginx b1 8080
start digest b2 "$PYTHON" "$LAB_DIR/peer.py" digest up 198.18.0.12 8081
wait_log digest '^listening'

# In memory, on the lab's tmpfs: smaller where memory is small.
mib=1024
[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt 3000 ] || mib=128
head -c $((mib << 20)) /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")

cat >"$LAB_TMP/lb.conf" <<END
[global]
name = lb
closed_timeout = 3s
[service web]
listen = $VIP:20000
interval = 500ms
backend = 198.18.0.11:9001
backend = 198.18.0.12:9001
backend = 198.18.0.13:9001
[service bulk]
listen = $VIP:20080
backend = 198.18.0.11:8080
[service up]
listen = $VIP:20081
backend = 198.18.0.12:8081
END
start_l4lb lb --config "$LAB_TMP/lb.conf"

start_traffic load "$VIP" 20000
start_traffic drained "$VIP" 20000
start_traffic extra "$VIP" 20090
order load 'hold 200' '^holding 200'
order load 'rate 500' '^rate 500'
# Slow enough to last for the changes.
start bulk client bash -c "curl -sS --fail --limit-rate $((mib / 33))M \
	http://$VIP:20080/files/data | sha256sum"
start upload client "$PYTHON" "$LAB_DIR/peer.py" send "$VIP" 20081 \
	"$LAB_TMP/files/data" $((mib / 33))

RANDOM=${SEED:=$RANDOM}
say "  SEED=$SEED"
start reload lb "$PYTHON" "$LAB_DIR/reload.py" lb "$(pid_of lb)" \
	"$LAB_TMP/lb.conf" "$COUNT" "$SEED" "$LAB_TMP"
finish reload 240
while read -r line; do ok "$line"; done <"$LAB_TMP/reload.out"
[ "$STATUS" -eq 0 ] || fail "the changes, SEED=$SEED"

finish bulk 120
expect "$mib MiB down, their SHA-256" "$(cut -c 1-64 "$LAB_TMP/bulk.out")" "$sum"
finish upload 120
expect "$mib MiB up" "$(cat "$LAB_TMP/upload.out")" "$sum"
order load check '^held'
expect_true "held connections: $(last load)" log_has load '^held .* lost=0$'
stop load
expect_true "$(last load)" log_has load ' failed 0 broken 0 wrong 0 .* lost 0 '
order drained check '^held .*lost=0$'
ok "held by backends that were removed: $(last drained)"
for name in drained extra; do
	stop $name
	expect_true "$name: $(last $name)" [ "$STATUS" -eq 0 ]
done

ok "$(on lb "$PYTHON" "$LAB_DIR/reload.py" lb "$(pid_of lb)" "$LAB_TMP/lb.conf")"
stop lb
expect "exit status" "$STATUS" 0
