#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""wire.py - prints a capture, one TCP packet a line, checksums judged

    wire.py FILE.pcap

Columns: seconds source destination flags ttl seq ack bytes ip tcp smac dmac
  flags  letters of FSRPAU          bytes  TCP payload
  ip     checksum: ok | bad
  tcp    checksum: ok | partial | bad | cut
         partial: exactly the sum of the pseudo header, which a sender leaves
         to the card (on a veth: to nobody). Anything else is an error.
Other frames print as: seconds - - KIND ...  (arp, icmp, fragment, other)
"""
import struct
import sys


def csum(data, start=0):
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def tcp_verdict(ip, seg, length):
    pseudo = csum(ip[12:20] + struct.pack("!HH", 6, length))
    if len(seg) < length:
        return "cut"
    if csum(seg, pseudo) == 0xFFFF:
        return "ok"
    return "partial" if struct.unpack("!H", seg[16:18])[0] == pseudo else "bad"


def mac(raw):
    return ":".join(f"{b:02x}" for b in raw)


def address(raw):
    return ".".join(str(b) for b in raw)


def line(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    macs = f"{mac(frame[6:12])} {mac(frame[0:6])}"
    if kind == 0x0806:
        op = struct.unpack("!H", frame[20:22])[0]
        return (f"- - arp {'request' if op == 1 else 'reply'} "
                f"{address(frame[28:32])} {address(frame[38:42])} {macs}")
    if kind != 0x0800:
        return f"- - other {kind:04x} {macs}"
    ip = frame[14:]
    ihl = (ip[0] & 15) * 4
    total = struct.unpack("!H", ip[2:4])[0]
    # A super-packet above 64 KiB has 0 here; none of ours is that large.
    frag = struct.unpack("!H", ip[6:8])[0] & 0x3FFF
    src, dst = address(ip[12:16]), address(ip[16:20])
    if frag:
        return f"{src} {dst} fragment {macs}"
    if ip[9] == 1:
        return f"{src} {dst} icmp {ip[ihl]} {ip[ihl + 1]} {macs}"
    if ip[9] != 6:
        return f"{src} {dst} other {ip[9]} {macs}"
    seg = ip[ihl:total]
    sport, dport, seq, ack, off, bits = struct.unpack("!HHIIBB", seg[:14])
    flags = "".join(c for i, c in enumerate("FSRPAU") if bits >> i & 1)
    length = total - ihl
    return (f"{src}:{sport} {dst}:{dport} {flags} {ip[8]} {seq} {ack} "
            f"{length - (off >> 4) * 4} "
            f"{'ok' if csum(ip[:ihl]) == 0xFFFF else 'bad'} "
            f"{tcp_verdict(ip, seg, length)} {macs}")


def main():
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if struct.unpack(order + "I", data[20:24])[0] != 1:
        sys.exit("wire.py: not an Ethernet capture")
    at = 24
    while at + 16 <= len(data):
        sec, usec, have, _ = struct.unpack(order + "IIII", data[at:at + 16])
        if at + 16 + have > len(data):
            break  # cut off at the end: still being written
        print(f"{sec}.{usec:06d} {line(data[at + 16:at + 16 + have])}")
        at += 16 + have


main()
