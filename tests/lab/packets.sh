#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# packets.sh - three packets of one connection, byte by byte, before and behind
# the balancer: what docs/how-a-packet-travels.md shows
#
#	make && tests/lab/packets.sh
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
LAB_QUIET=1
need nft ethtool
need_program chat_serv chat_clnt

lab_up lan
lab_offloads off # on, the checksums would be left to a card that is not there
start chat1 b1 "$L4LB_BUILD/chat_serv" "$PORT"
wait_log chat1 '^listening'
# Without health checks: their packets would be among those shown.
cat >"$LAB_TMP/l4lb.conf" <<END
[service chat]
listen = $VIP:$VIP_PORT
backend = 198.18.0.11:$PORT
check = none
END
start_l4lb l4lb -v --config "$LAB_TMP/l4lb.conf"
capture at-client client eth0 tcp
capture at-lb lb eth0 tcp
capture at-b1 b1 eth0 tcp

mkfifo "$LAB_TMP/typed"
exec {typed}<>"$LAB_TMP/typed"
LAB_STDIN=$LAB_TMP/typed start alice client \
	"$L4LB_BUILD/chat_clnt" "$VIP" "$VIP_PORT" alice
echo hello >&"$typed"
wait_log alice 'hello'
echo q >&"$typed"
finish alice 10
wait_closed l4lb
for where in client lb b1; do capture_end at-$where; done
stop l4lb

echo "The log of l4lb -v:"
{
	grep ' flow ' "$LAB_TMP/l4lb.err"
	grep ' sent ' "$LAB_TMP/l4lb.err" | tail -n 1
} | sed -E 's/^[^ ]+ l4lb: /    /'

echo
echo "All packets on the wire of lb, in and out (see wire.py):"
packets at-lb | awk '{ printf "    %-20s %-20s %-3s ttl %s, %3d bytes, checksums %s %s\n",
	$2, $3, $4, $5, $8, $9, $10 }'

"$PYTHON" - "$LAB_TMP" <<'END'
import struct, sys

ROWS = (  # name, first byte, bytes
    ("to MAC", 0, 6), ("from MAC", 6, 6), ("type", 12, 2),
    ("IP version, length", 14, 4), ("IP id, fragment", 18, 4), ("TTL", 22, 1),
    ("protocol", 23, 1), ("IP checksum", 24, 2), ("from address", 26, 4),
    ("to address", 30, 4), ("from port", 34, 2), ("to port", 36, 2),
    ("sequence", 38, 4), ("acknowledged", 42, 4), ("offset, flags", 46, 2),
    ("window", 48, 2), ("TCP checksum", 50, 2), ("urgent", 52, 2))

def frames(name):
    with open(f"{sys.argv[1]}/{name}.pcap", "rb") as f:
        data = f.read()
    at, found = 24, []
    while at + 16 <= len(data):
        have = struct.unpack("=IIII", data[at:at + 16])[2]
        found.append(data[at + 16:at + 16 + have])
        at += 16 + have
    return found

def pick(found, what, to_port):
    """The first SYN, segment with data, or FIN to that port, if it is one."""
    for f in found:
        payload = struct.unpack("!H", f[16:18])[0] - 20 - (f[46] >> 4) * 4
        is_it = {"SYN": f[47] & 0x12 == 2, "data": payload > 0,
                 "FIN": f[47] & 1}[what]
        if is_it and to_port(struct.unpack("!H", f[36:38])[0]):
            return f
    sys.exit(f"no {what}")

def show(title, seen, sent):
    end = 54 + ((seen[46] >> 4) - 5) * 4
    rows = ROWS + (("TCP options", 54, end - 54), ("data", end, len(seen) - end))
    print(f"\n{title}")
    for name, at, n in rows:
        for i in range(at, at + n, 12):
            part = slice(i, min(i + 12, at + n))
            a, b = seen[part], sent[part]
            print(f"    {name if i == at else '':19} {a.hex(' '):36} "
                  f"{'' if a == b else b.hex(' ')}".rstrip())

client, lb, b1 = frames("at-client"), frames("at-lb"), frames("at-b1")
for found in client, b1:
    assert all(f in lb for f in found), "the wire of lb shows the same frames"
service, backend = lambda p: p == 20000, lambda p: p == 9001
nat = lambda p: 10240 <= p <= 32767
show("SYN            at the client's wire                  at b1's, where changed",
     pick(client, "SYN", service), pick(b1, "SYN", backend))
show("A line         at b1's wire                          at the client's, where changed",
     pick(b1, "data", nat), pick(client, "data", lambda p: p != 20000))
show("FIN            at the client's wire                  at b1's, where changed",
     pick(client, "FIN", service), pick(b1, "FIN", backend))
END
