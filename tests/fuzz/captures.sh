#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# captures.sh FOLDER - real connections, as inputs of the fuzz targets
#
# Runs connections of many kinds through l4lb in the lab, each kind captured on
# the balancer's wire, and makes of them FOLDER/corpus-engine/NAME and
# FOLDER/corpus-icmp/NAME-N; of a state file left by kill -9, FOLDER/
# corpus-state_file. Which of them reach new code is for merge to say. The
# committed ones were made so:
#
#	make && tests/fuzz/run.sh build build/fuzzing
#	tests/fuzz/captures.sh build/fuzzing
#	for t in engine icmp state_file; do tests/fuzz/run.sh merge $t build/fuzzing; done
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
LAB_QUIET=1
need nft ethtool nginx curl nc.openbsd

INPUTS=$LAB_DIR/../fuzz/inputs.py
[ -d "${1:-}" ] || fail "usage: $0 FOLDER"
mkdir -p "$1"/corpus-{engine,icmp,state_file}
OUT=$(cd "$1" && pwd)

# balance BACKEND...: without health checks, whose packets would be among those
# of the connections.
balance() {
	{
		printf '[global]\nguard = auto\n[service s]\nlisten = %s:%s\n' "$VIP" "$VIP_PORT"
		printf 'check = none\n'
		printf 'backend = %s\n' "$@"
	} >"$LAB_TMP/l4lb.conf"
	start_l4lb lb --state none -i eth0 --config "$LAB_TMP/l4lb.conf"
}

# record NAME COMMAND...: what came in while it ran, until all was closed.
record() {
	local name=$1
	shift
	capture "$name" lb eth0 "tcp or icmp"
	"$@"
	wait_closed lb
	capture_end "$name"
	stop lb
	"$PYTHON" "$INPUTS" engine "$LAB_TMP/$name.pcap" "$OUT/corpus-engine/$name"
	"$PYTHON" "$INPUTS" icmp "$LAB_TMP/$name.pcap" "$OUT/corpus-icmp/$name"
	ok "$name: $(packets "$name" | wc -l) frames," \
		"$(wc -c <"$OUT/corpus-engine/$name") bytes"
}

talks() { # COUNT [HOST]
	start_hold hold "${2:-client}" "$VIP" "$VIP_PORT" "$1"
	tell hold 'say hello' '^said' 1
	tell hold 'say again' '^said' 2
	tell hold close '^closed'
	finish hold 10
	rm "$LAB_TMP/hold.orders"
}

downloads() { # BYTES
	head -c "$1" /dev/urandom >"$LAB_TMP/files/data"
	on client curl -sS --fail --max-time 20 -o /dev/null \
		"http://$VIP:$VIP_PORT/files/data"
}

uploads() { # BYTES: the server answers only after the client's FIN
	head -c "$1" /dev/urandom | on "${2:-client}" timeout 20 \
		nc.openbsd -N "$VIP" "$VIP_PORT" >/dev/null
}

# client_does PYTHON: with s, a connection through the balancer
client_does() {
	on client timeout 20 "$PYTHON" -c "
import socket, struct
linger = lambda s: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack('ii', 1, 0))
def connect(port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('', port))
    s.connect(('$VIP', $VIP_PORT))
    return s
def say(s):
    s.sendall(b'hello\n')
    return s.recv(100)
s = connect()
$1"
}

# serve_once PYTHON: with s, the connection that b1 accepts
serve_once() {
	start once b1 timeout 20 "$PYTHON" -c "
import socket, struct
l = socket.create_server(('', $PORT))
print('listening', flush=True)
s = l.accept()[0]
$1"
	wait_log once '^listening'
}

kept_alive() { [ "$(counter client TcpExtTCPKeepAlive)" -gt 1 ]; }
idles() {
	start idle client "$PYTHON" -c "
import signal, socket
s = socket.create_connection(('$VIP', $VIP_PORT))
for option, value in ('KEEPIDLE', 1), ('KEEPINTVL', 1), ('KEEPCNT', 9):
    s.setsockopt(socket.IPPROTO_TCP, getattr(socket, 'TCP_' + option), value)
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
print('idle', flush=True)
signal.pause()"
	wait_log idle '^idle'
	wait_until 10 "keepalive probes" kept_alive
	stop idle
}

lab_up lan
lab_offloads off # a frame is a segment, and has the checksum of it
mkdir -p "$LAB_TMP/files"
B1=198.18.0.11:$PORT B2=198.18.0.12:$PORT B3=198.18.0.13:$PORT
start_echo echo2 b2 198.18.0.12 "$PORT"
start_nginx b3

# --- whole connections -----------------------------------------------------

balance "$B2"
record echo talks 3

old_client() {
	on client sysctl -qw net.ipv4.tcp_timestamps="$1" \
		net.ipv4.tcp_sack="$1" net.ipv4.tcp_window_scaling="$1"
}
old_client 0
balance "$B2"
record no-options talks 2
old_client 1

balance "$B3"
record download downloads 20000

lab_offloads on # super-packets, checksums left to a card
balance "$B3"
record download-offloads downloads 8000
lab_offloads off

# One in four of what comes does not arrive: repeated segments, SACK blocks.
on client nft -f - <<-'END'
	table ip loss {
		chain in {
			type filter hook prerouting priority -500
			ip saddr 198.18.0.1 tcp sport 20000 numgen inc mod 4 == 3 drop
		}
	}
END
balance "$B3"
record loss downloads 30000
on client nft delete table ip loss

balance "$B2"
record keepalive idles

# --- backends that do not take it ------------------------------------------

balance "$B1" "$B2" # nothing listens on b1
record refused talks 2

balance "$B1"
nobody() { on client timeout 20 nc.openbsd -z "$VIP" "$VIP_PORT" || true; }
record refused-by-all nobody

go_silent b1
balance "$B1" "$B2"
record silent talks 2
speak b1

on b1 nft -f - <<-END
	table ip no {
		chain in {
			type filter hook input priority 0
			tcp dport $PORT reject with icmp type host-unreachable
		}
	}
END
balance "$B1" "$B2"
record unreachable talks 2
on b1 nft delete table ip no

# --- ends ------------------------------------------------------------------

start digest b1 "$PYTHON" "$LAB_DIR/peer.py" digest digest 198.18.0.11 "$PORT"
wait_log digest '^listening'
balance "$B1"
record client-closes-first uploads 10000
stop digest

balance "$B1"
server_first() {
	serve_once 's.sendall(b"x" * 5000); s.shutdown(socket.SHUT_WR)
while s.recv(65536): pass'
	client_does 'while s.recv(65536): pass
s.sendall(b"y" * 5000); s.close()'
	finish once 10
}
record server-closes-first server_first

balance "$B2"
record client-resets client_does 'say(s); linger(s); s.close()'

balance "$B1"
server_resets() {
	serve_once 's.recv(1); s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
    struct.pack("ii", 1, 0)); s.close()'
	client_does '
try: say(s)
except ConnectionResetError: pass'
	finish once 10
}
record server-resets server_resets

# The same port again while the balancer still knows the connection before.
balance "$B2"
record port-again client_does '
port = s.getsockname()[1]
for _ in range(3):
    say(s); linger(s); s.close(); s = connect(port)
say(s); s.close()'

# The client is gone without a word, and another one has its port.
mute() {
	on client nft -f - <<-END
		table ip mute {
			chain out {
				type filter hook output priority 0
				tcp dport $VIP_PORT tcp flags & (fin | rst) != 0 drop
			}
		}
	END
	client_does 'say(s); linger(s); port = s.getsockname()[1]; s.close()
print(port)' >"$LAB_TMP/port"
	on client nft delete table ip mute
	client_does "s.close(); s = connect($(cat "$LAB_TMP/port")); say(s); s.close()"
}
balance "$B2"
record reborn mute

# --- a narrow link: b1 and its router, 198.18.0.3, are 1400 bytes apart ------

lab_host router
lab_host far
lab_switch br1
lab_cable router eth0 198.18.0.3 br0
lab_cable router eth1 198.19.0.1 br1
lab_cable far eth0 198.19.0.11 br1
lab_offloads off
on router ip link set eth1 mtu 1400
on router sysctl -qw net.ipv4.ip_forward=1
on far ip route add default via 198.19.0.1
on lb ip route add 198.19.0.0/24 via 198.18.0.3

start digest far "$PYTHON" "$LAB_DIR/peer.py" digest digest 198.19.0.11 "$PORT"
wait_log digest '^listening'
balance "198.19.0.11:$PORT"
record narrow-backend uploads 10000
stop digest

balance "$B3"
head -c 10000 /dev/urandom >"$LAB_TMP/files/data"
record narrow-client on far curl -sS --fail --max-time 20 -o /dev/null \
	"http://$VIP:$VIP_PORT/files/data"

# --- a state file, as kill -9 leaves it -------------------------------------

start_l4lb killed --flows 8 --state "$LAB_TMP/flows" "$VIP" 198.18.0.13 "$PORT" \
	198.18.0.12 "$PORT"
on client curl -sS --fail -o /dev/null "http://$VIP:$VIP_PORT/"
start_hold hold client "$VIP" "$VIP_PORT" 3
stop killed KILL
"$PYTHON" "$INPUTS" state "$LAB_TMP/flows" "$OUT/corpus-state_file/killed"
ok "state file: $(find "$OUT/corpus-state_file" -name 'killed*' | wc -l) inputs"
