#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Backends that listen with MPTCP, and a client of ill will who joins
# connections that nobody has: no backend is ejected for that, whether such SYNs
# are refused here (mptcp = strip) or by every backend (mptcp = pass). An honest
# client of MPTCP is served, by plain TCP.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "SYNs of MPTCP"

MPTCP="import socket, sys
def sock(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)"
SERVE="$MPTCP
s = sock()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', int(sys.argv[2])))
s.listen(512)
print('listening', flush=True)
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[1].encode() + b'\n')
    c.close()"
VISIT="$MPTCP
for _ in range(int(sys.argv[3])):
    s = sock()
    s.settimeout(10)
    s.connect((sys.argv[1], int(sys.argv[2])))
    print(s.makefile().readline().strip())
    s.close()"
JOIN="import os, random, socket, struct, sys, time
def csum(b):
    t = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
source, to, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s.bind((source, 0))
for i in range(60):
    opt = b'\x02\x04\x05\xb4' + b'\x1e\x0c\x10\x01' + os.urandom(8)
    h = struct.pack('!HHIIBBHHH', 25000 + i, port, random.getrandbits(32), 0,
                    (5 + len(opt) // 4) << 4, 2, 64240, 0, 0) + opt
    ph = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack('!BBH', 0, 6, len(h))
    s.sendto(h[:16] + struct.pack('!H', csum(ph + h)) + h[18:], (to, 0))
    time.sleep(0.05)"

"$PYTHON" -c "$MPTCP
sock()" 2>/dev/null || skip "this kernel has no MPTCP"
lab_up lan
on client ip address add 198.18.0.3/24 dev eth0
for i in 1 2 3; do
	on b$i sysctl -qw net.mptcp.enabled=1
	start server$i b$i "$PYTHON" -c "$SERVE" b$i "$PORT"
	wait_log server$i '^listening'
done
{
	printf '[service strip]\nlisten = %s:20000\ncheck = none\n' "$VIP"
	printf "backend = 198.18.0.%s:$PORT\n" 11 12 13
	printf '[service pass]\nlisten = %s:20001\ncheck = none\nmptcp = pass\n' "$VIP"
	printf "backend = 198.18.0.%s:$PORT\n" 11 12 13
} >"$LAB_TMP/lb.conf"
start_l4lb lb --config "$LAB_TMP/lb.conf" --state none

visits() { on client "$PYTHON" -c "$VISIT" "$VIP" "$1" 30 | grep -c '^b[123]$'; }
asked() { counter b1 MPTcpExtMPJoinSynRx; }
for port in 20000 20001; do
	joined=$(asked)
	for source in 198.18.0.2 198.18.0.3; do
		start join-$port-$source client "$PYTHON" -c "$JOIN" "$source" "$VIP" $port
	done
	expect "port $port, 30 honest clients meanwhile, served" "$(visits $port)" 30
	for source in 198.18.0.2 198.18.0.3; do
		finish join-$port-$source 30
		expect "  SYNs that join, exit status" "$STATUS" 0
	done
	expect "  ejected" "$(grep -c 'is ejected' "$LAB_TMP/lb.err" || true)" 0
	[ $port != 20000 ] ||
		expect "  and no backend has heard of them" $(($(asked) - joined)) 0
done
# What the client's own port resets is counted too: at least these.
expect_true "120 were refused here: $(counted lb mptcp-join)" [ "$(counted lb mptcp-join)" -ge 120 ]
stop lb
expect "exit status" "$STATUS" 0
