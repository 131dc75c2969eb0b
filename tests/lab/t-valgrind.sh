#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Once under valgrind: no invalid access, no leak, nothing left open.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need valgrind nginx curl
need_program l4lb
title "l4lb under valgrind"

lab_up lan
for host in b1 b2 b3; do start_nginx $host; done
head -c 300000 /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
cat >"$LAB_TMP/lb.conf" <<-END
	[global]
	flows = 4096
	[service web]
	listen = $VIP:$VIP_PORT
	scheduler = wrr
	backend = 198.18.0.11:$PORT weight=2
	backend = 198.18.0.12:$PORT
	backend = 198.18.0.13:$PORT
END
# Without its pipes in /tmp, which is everybody's: the lab's processes have the
# same few numbers in each run, and another user's may lie there.
start lb lb valgrind --vgdb=no --error-exitcode=99 --leak-check=full --track-fds=no \
	--errors-for-leak-kinds=definite,indirect,possible \
	"$L4LB_BUILD/l4lb" -v --sandbox off --config "$LAB_TMP/lb.conf"
wait_log lb "$L4LB_READY" 60

expect "40 requests" "$(on client curl -sS --fail --max-time 60 \
	-H 'Connection: close' "http://$VIP:$VIP_PORT/?[1-40]" | sort | uniq -c |
	awk '{ printf "%s=%s ", $2, $1 }')" "b1=20 b2=10 b3=10 "
expect "a file" "$(on client curl -sS --fail --max-time 60 \
	"http://$VIP:$VIP_PORT/files/data" | sha256)" "$sum"
# A packet for no flow is answered with RST: that goes through libnet.
on client "$PYTHON" -c '
import socket, struct, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()' "$VIP" "$VIP_PORT"
expect_true "the dump" [ "$(dump lb | wc -l)" -gt 40 ]
stop lb
expect "exit status (99: valgrind found something)" "$STATUS" 0
expect_true "valgrind's own word" log_has lb 'ERROR SUMMARY: 0 errors'
