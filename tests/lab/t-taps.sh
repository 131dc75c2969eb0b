#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Interfaces that come and go under ever new names, many of them, and no memory
# for a ring.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "interfaces of new names, 40 of them, no memory for a longer ring"

lab_up two-armed
start_echo echo b1 198.19.0.11 "$PORT"
connects=0
connects_to() { # WHAT ADDRESS NAME: a new connection is answered, by NAME
	connects=$((connects + 1))
	start_hold "new$connects" client "$2" "$VIP_PORT" 1
	tell "new$connects" 'say hello' '^said'
	expect "$1" "$(tail -n 1 "$LAB_TMP/new$connects.out")" "said $3=1"
	tell "new$connects" close '^closed'
	finish "new$connects" 10
}
is_up() { dump "$1" | awk '/^# backend/ { b = 1; next } b { up = $3 == "UP" } END { exit !up }'; }
backend_up() { wait_until 20 "the backend to be up" is_up "$1"; }
times() { grep -Ec -- "$2" "$LAB_TMP/$1.err" || true; }
# --- as Docker does it: a network that is made anew has a bridge of a new name
lab_host box
make_bridge() { # NAME
	on lb ip link add "$1" address 02:00:00:00:14:01 type veth \
		peer name eth0 netns box
	on box ip address add 198.18.64.11/24 dev eth0
	on box ip link set eth0 up
	on lb ip address add 198.18.64.1/24 dev "$1"
	on lb ip link set "$1" up
}
make_bridge br-0
start_echo boxed box 0.0.0.0 "$PORT"
start_l4lb names "$VIP" 198.18.64.11 "$PORT"
connects_to "a backend behind br-0" "$VIP" boxed
for i in $(seq 40); do
	on lb ip link delete br-$((i - 1))
	make_bridge "br-$i"
done
backend_up names
connects_to "after 40 new names" "$VIP" boxed
on lb ip link delete br-40
make_bridge br-40
backend_up names
connects_to "after the same name once more" "$VIP" boxed
on lb ip link delete br-40
make_bridge other
backend_up names
connects_to "under another name" "$VIP" boxed
on lb ip link set other name br-40
wait_log names 'interface other is called br-40 now'
connects_to "that takes the name of one that is gone" "$VIP" boxed
expect "captures that were opened" "$(times names 'capturing on')" 1
stop names
expect "exit status" "$STATUS" 0

# --- an address on each of 40 interfaces, and clients behind the last ones
for i in $(seq 40); do
	on lb ip link add "s$i" type bridge
	on lb ip address add "198.18.65.$i/32" dev "s$i"
	on lb ip link set "s$i" up
	printf '[service s%d]\nlisten = 198.18.65.%d:%d\nbackend = 198.19.0.11:%d\n' \
		"$i" "$i" "$VIP_PORT" "$PORT"
done >"$LAB_TMP/many.conf"
start_l4lb many --config "$LAB_TMP/many.conf"
on client ip route add 198.18.65.0/24 via "$VIP"
for i in 1 20 40; do connects_to "the service on interface $i of 40" "198.18.65.$i" echo; done
stop many
expect "exit status" "$STATUS" 0

# --- no room for their filter in the kernel: done in user space. (The limit is
# one of each network namespace since Linux 6.9, else of the whole machine.)
if on lb sysctl -qw net.core.optmem_max=4096 2>"$LAB_TMP/why"; then
	start_l4lb room --config "$LAB_TMP/many.conf"
	for i in 1 40; do connects_to "no room for the filter: interface $i" "198.18.65.$i" echo; done
	start other lb "$PYTHON" -m http.server 8000
	wait_listens lb 8000
	on client curl -sS -o "$LAB_TMP/page" "http://$VIP:8000/"
	expect "  packets of others that were looked at" "$(counted room not-ours)" ""
	stop other
	stop room
	expect "exit status" "$STATUS" 0
else
	ok "left out, no limit for filters that could be set: $(cat "$LAB_TMP/why")"
fi

# --- no memory for the ring with longer slots
cat >"$LAB_TMP/long.py" <<'END'
"""long.py INTERFACE MAC SOURCE DESTINATION PORT: one super-packet, longer than
any that TCP makes, so that a slot of 64 KiB does not take it"""
import socket
import struct
import sys

name, mac, source, destination, port = sys.argv[1:]


def total(data):
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xFFFF) + (n >> 16)
    return n


link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((name, 0))
link.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
size = 65500
addresses = socket.inet_aton(source) + socket.inet_aton(destination)
ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0) + addresses
ip = ip[:10] + struct.pack("!H", total(ip) ^ 0xFFFF) + ip[12:]
tcp = struct.pack("!HHIIBBHHH", 5555, int(port), 1, 1, 5 << 4, 0x10, 500,
                  total(addresses + struct.pack("!HH", 6, size - 20)), 0)
# The checksum is left to the card; TCP over IPv4, cut by 1448 bytes.
vnet = struct.pack("=BBHHHH", 1, 1, 14 + 40, 1448, 34, 16)
ether = bytes.fromhex(mac.replace(":", "")) + link.getsockname()[4] + b"\x08\x00"
link.send(vnet + ether + ip + tcp + bytes(size - 40))
END
long_frame() {
	on b1 "$PYTHON" "$LAB_TMP/long.py" eth0 "$(lab_mac 198.19.0.1)" \
		198.19.0.11 "$VIP" "$VIP_PORT"
}
memory_kib() { awk '/^VmSize/ { print $2 }' "/proc/$(pid_of "$1")/status"; }
# As its own user: root may lack CAP_SYS_RESOURCE here.
set_limit() { # NAME BYTES
	local status
	status=/proc/$(pid_of "$1")/status
	setpriv --reuid "$(awk '/^Uid/ { print $2 }' "$status")" \
		--regid "$(awk '/^Gid/ { print $2 }' "$status")" --keep-groups \
		prlimit --pid "$(pid_of "$1")" "--as=$2:"
}
limit() { # NAME MIB: it may have as much more than it has now, or less
	set_limit "$1" $((($(memory_kib "$1") + $2 * 1024) * 1024))
}
ring() { grep -o "capturing on .*" "$LAB_TMP/$1.err" | tail -n 1; }
opened() { wait_until 20 "$1 to open its ring $2 times" has_opened "$@"; }
has_opened() { [ "$(times "$1" "capturing on ")" -ge "$2" ]; }
no_longer='no memory for a ring with longer slots'
has_counted() { [ "$(counted "$1" "$2")" = "$3" ]; }

start_l4lb short "$VIP" 198.19.0.11 "$PORT"
usual=$(ring short)
limit short 20
long_frame
opened short 2
expect "no memory for longer slots: as before" "$(ring short)" "$usual"
wait_until 10 "the long frame to be counted" has_counted short truncated 1
long_frame
wait_until 10 "the next one too" has_counted short truncated 2
expect "  after another long frame: rings opened" "$(times short 'capturing on ')" 2
expect "  said" "$(times short "$no_longer")" 1
expect "  not captured on for a while, said" "$(times short 'cannot capture')" 0
connects_to "  a connection" "$VIP" echo
stop short

start_l4lb again "$VIP" 198.19.0.11 "$PORT"
long_frame
opened again 2
expect_true "with memory: longer slots, $(ring again)" [ "$(ring again)" != "$usual" ]
expect "  the next long frame is carried" "$(counted again truncated)" 1
long_frame
backend_up again
connects_to "  a connection" "$VIP" echo
expect "  and it was" "$(counted again truncated)" 1
stop again

start_l4lb none "$VIP" 198.19.0.11 "$PORT"
limit none -40
long_frame
wait_log none 'cannot capture: no memory'
expect "no memory for any ring: opened" "$(times none 'capturing on ')" 1
set_limit none unlimited
opened none 2
backend_up none
connects_to "  when there is: a connection" "$VIP" echo
stop none
expect "exit status" "$STATUS" 0
