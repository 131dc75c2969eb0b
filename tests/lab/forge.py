#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""forge.py - sends TCP segments in somebody else's name

    forge.py INTERFACE MAC

Each line of its input is a segment, sent to the next hop MAC:
    SOURCE PORT DESTINATION PORT FLAGS SEQ ACK      FLAGS: letters of FSRPAU
Numbers are taken modulo 2^32. Prints "sent N" at the end.
"""
import socket
import struct
import sys


def csum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def segment(source, sport, destination, dport, flags, seq, ack):
    src, dst = socket.inet_aton(source), socket.inet_aton(destination)
    bits = sum(1 << "FSRPAU".index(c) for c in flags)
    head = struct.pack("!HHIIBBH", int(sport), int(dport), int(seq) % 2**32,
                       int(ack) % 2**32, 5 << 4, bits, 500)
    pseudo = src + dst + struct.pack("!HH", socket.IPPROTO_TCP, 20)
    tcp = head + struct.pack("!HH", csum(pseudo + head + bytes(4)), 0)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0x4000, 64,
                     socket.IPPROTO_TCP, 0) + src + dst
    return ip[:10] + struct.pack("!H", csum(ip)) + ip[12:] + tcp


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((sys.argv[1], 0))
    own = link.getsockname()[4]
    ether = bytes.fromhex(sys.argv[2].replace(":", "")) + own + b"\x08\x00"
    n = 0
    for line in sys.stdin:
        link.send(ether + segment(*line.split()))
        n += 1
    print(f"sent {n}")


main()
