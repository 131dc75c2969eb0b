#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Frames that the balancer's interface sees and its kernel would not take: of
# another MAC, of a macvlan above it, of a VLAN; and one that it would, with a
# priority and no VLAN.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "frames of other hosts, of a macvlan, with a tag"

lab_up lan
start_echo echo b1 198.18.0.11 "$PORT"

# --- another MAC, which the switch floods, as it knows nobody of that name
on lb ip link set eth0 promisc on
start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
before=$(counted lb received)
capture flooded lb eth0 "ether dst 02:00:00:00:99:99"
expect "SYNs for a MAC that nobody has" "$(on client "$LAB_TOOLS/synth" open \
	eth0 02:00:00:00:99:99 "$VIP" "$VIP_PORT" 198.18.0.2 10)" \
	"opened 0 refused 0 unanswered 10"
capture_end flooded
expect_true "  reach the interface: $(packets flooded | wc -l)" \
	[ "$(packets flooded | wc -l)" -ge 10 ]
expect "  and open nothing" "$(dump_flows lb)" 0
expect_true "  nor are they looked at: $(($(counted lb received) - before)) frames, of checks" \
	[ "$(($(counted lb received) - before))" -lt 10 ]
on lb ip link set eth0 promisc off

# --- a tag: a priority and no VLAN (802.1p), or one that nobody here is in
cat >"$LAB_TMP/syn.py" <<'PY'
"""syn.py INTERFACE MAC SOURCE ADDRESS PORT VLAN: sends a tagged SYN; answered?"""
import select, socket, struct, sys, time
nic, mac, src, dst, port, vlan = sys.argv[1:]
here = 40000 + int(vlan)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.bind((nic, 0x0800))

def csum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff

ends = socket.inet_aton(src) + socket.inet_aton(dst)
ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
tcp = struct.pack("!HHIIBBHHH", here, int(port), 1000, 0, 0x50, 2, 1000, 0, 0)
tcp = tcp[:16] + struct.pack("!H", csum(ends + struct.pack("!HH", 6, 20) + tcp)) + tcp[18:]
s.send(bytes.fromhex(mac.replace(":", "")) + s.getsockname()[4] +
       struct.pack("!HHH", 0x8100, 3 << 13 | int(vlan), 0x0800) + ip + tcp)
end = time.monotonic() + 2
while (left := end - time.monotonic()) > 0 and select.select([s], [], [], left)[0]:
    b = s.recv(2048)[14:]
    if b[9] == 6 and struct.unpack("!HH", b[20:24]) == (int(port), here):
        sys.exit(print("answered"))
print("nothing")
PY
tagged() { # VLAN
	on client "$PYTHON" "$LAB_TMP/syn.py" eth0 "$(lab_mac "$VIP")" \
		198.18.0.2 "$VIP" "$VIP_PORT" "$1"
}
expect "a SYN with a priority" "$(tagged 0)" answered
before=$(counted lb received)
expect "a SYN of a VLAN" "$(tagged 7)" nothing
expect_true "  it is not looked at" [ "$(($(counted lb received) - before))" -lt 10 ]
stop lb

# --- an address on a macvlan, as keepalived makes them: both interfaces see it
on lb ip link add link eth0 name mac0 type macvlan mode bridge
on lb ip address add 198.18.0.9/32 dev mac0
on lb ip link set mac0 up
start_l4lb lb 198.18.0.9 198.18.0.11 "$PORT"
start_hold mac client 198.18.0.9 "$VIP_PORT" 1
tell mac 'say something' '^said'
expect "through a macvlan" "$(tail -n 1 "$LAB_TMP/mac.out")" "said echo=1"
# SYN, ACK, the line, the ACK of its answer, and no more
c2s=$(dump lb | awk '$3 == "198.18.0.9:'"$VIP_PORT"'" { print $9 }')
expect_true "  each packet came once: $c2s" [ "$c2s" -ge 3 -a "$c2s" -le 4 ]
expect "  nothing else was read" "$(counted lb not-ours)$(counted lb not-ipv4)" ""
tell mac close '^closed'
wait_closed lb
stop lb
