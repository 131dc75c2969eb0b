#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""inputs.py - makes inputs of the fuzz targets from what the lab saw

    inputs.py engine CAPTURE OUT   a pcap file taken at the balancer, as the
                                   records of fuzz_engine.c
    inputs.py icmp CAPTURE OUT     the same, as inputs of fuzz_icmp.c: OUT-1,
                                   OUT-2 ... for each ICMP error that came in,
                                   each SYN, and the first large segment
    inputs.py state FILE OUT       a state file, as inputs of
                                   fuzz_state_file.c: OUT, and hostile ones
                                   made from it, OUT-...

The balancer is 198.18.0.1 and has one service, port 20000, as everywhere in the
lab, without health checks. What came in is taken, what went out is not: the
engine under test says that itself. An input has room for LIMIT bytes; what is
later in the capture is left out.
"""
import struct
import sys

VIP, VIP_PORT = bytes([198, 18, 0, 1]), 20000
LIMIT = 4096
CLIENTS = 6  # and the other names: as in fuzz_engine.c
ACT_TIME, ACT_OUTBOX, ACT_HEARD = 4 | 20 << 3, 5, 7 | 4 << 3
ACT_CAPTURED, CAPTURED_REPLY, CAPTURED_PARTIAL = 2 | 8, 8, 16
TCP, ICMP, SYN = 6, 1, 2


def frames(path):
    """Seconds and IP packet of each Ethernet frame of a capture."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] != struct.pack("=I", 0xA1B2C3D4):
        sys.exit(f"{path}: not a capture of this machine")
    at = 24
    while at + 16 <= len(data):
        sec, usec, have = struct.unpack("=III", data[at:at + 12])
        frame = data[at + 16:at + 16 + have]
        at += 16 + have
        if len(frame) >= 34 and frame[12:14] == b"\x08\0" and frame[14] == 0x45:
            yield (sec + usec / 1e6,
                   frame[14:14 + struct.unpack("!H", frame[16:18])[0]])


class Segment:
    def __init__(self, ip):
        self.src, self.dst = ip[12:16], ip[16:20]
        self.sport, self.dport, self.seq = struct.unpack("!HHI", ip[20:28])
        self.flags = ip[33] if len(ip) > 33 else 0  # of a quote: not there
        self.bare = 20 + (ip[32] >> 4) * 4 if len(ip) > 32 else len(ip)


def is_partial(ip):
    """Its checksum is the sum of the pseudo header, and nothing more."""
    pseudo = ip[12:20] + struct.pack("!HH", TCP, len(ip) - 20)
    total = sum(struct.unpack("!6H", pseudo))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.unpack("!H", ip[36:38])[0] == total


class Connections:
    """Which client an incoming packet belongs to, and from which side it is."""

    def __init__(self):
        self.clients = {}  # address and port: number
        self.syns = {}     # sequence of a SYN: number, as it is kept by NAT
        self.nat = {}      # backend's and our endpoint: number

    def learn(self, s):
        """From a segment that leaves: a SYN shows where it was sent."""
        if s.sport != VIP_PORT and s.flags & 0x3F == SYN and s.seq in self.syns:
            self.nat[s.dst, s.dport, s.sport] = self.syns[s.seq]

    def find(self, s):
        if s.dport == VIP_PORT:
            who = self.clients.setdefault((s.src, s.sport), len(self.clients))
            if s.flags & 0x3F == SYN:
                self.syns[s.seq] = who
            return who % CLIENTS
        who = self.nat.get((s.src, s.sport, s.dport))
        return None if who is None else who % CLIENTS | CAPTURED_REPLY

    def find_quoted(self, quoted):
        """An error's: it comes from where the quoted segment was going."""
        s = Segment(quoted)
        s.src, s.dst, s.sport, s.dport = s.dst, s.src, s.dport, s.sport
        s.flags = 0
        return self.find(s)


def step(ms):
    """Everything until now was heard; time goes on, and what is due leaves."""
    return struct.pack("!BBBHB", ACT_HEARD, ACT_TIME, ms >> 16, ms & 0xFFFF,
                       ACT_OUTBOX)


def engine(capture, out):
    known, data, last = Connections(), b"", None
    for when, ip in frames(capture):
        whose, keep = None, len(ip)
        if ip[9] == TCP and ip[12:16] == VIP:
            known.learn(Segment(ip))
        elif ip[9] == TCP:
            segment = Segment(ip)
            whose, keep = known.find(segment), segment.bare
            if whose is not None and is_partial(ip):
                whose |= CAPTURED_PARTIAL
        elif ip[9] == ICMP and ip[16:20] == VIP and len(ip) >= 56:
            whose = known.find_quoted(ip[28:])
        if whose is None:
            continue
        ms = 0 if last is None else int((when - last) * 1000)
        if last is None or ms > 0:
            last = when
        record = step(ms) if ms else b""
        keep = min(keep, 255)
        record += bytes([ACT_CAPTURED, whose, keep]) + ip[:keep]
        if len(data) + len(record) + len(step(0)) > LIMIT:
            break
        data += record
    if not data:
        sys.exit(f"{capture}: no connection to the service in it")
    write(out, data + step(1))


def icmp(capture, out):
    n, large = 0, False
    for _, ip in frames(capture):
        if ip[16:20] != VIP:
            continue
        is_large = not large and 1400 < len(ip) < LIMIT
        if ip[9] == ICMP or ip[33] & 0x3F == SYN or is_large:
            large = large or is_large
            n += 1
            # Checksums made right, and a hop of 1392 bytes.
            write(f"{out}-{n}", bytes([1400 // 12 << 1 | 1]) + ip)


# The first byte of an input of fuzz_state_file.c.
HERE, NETNS, SEAL, PAGE, SIZE, SEAL_FLOWS, SHARED = (1 << i for i in range(7))
FLOWS_AT, HEADER, FLOW = 65536, 280, 192


def state(path, out):
    with open(path, "rb") as f:
        data = f.read()
    header, flows = data[:HEADER], data[FLOWS_AT:]
    if header[:8] != b"l4lbflow" or header[12:16] != struct.pack("=I", FLOW):
        sys.exit(f"{path}: not a state file that this script knows")
    n = len(flows) // FLOW
    # Of which boot and network it is, is the fuzz target's to say.
    header = (header[:20] + bytes(4 + 40 + 8) + header[72:80] + bytes(range(192))
              + bytes(8))
    right = HERE | NETNS | SEAL | PAGE

    def put(name, flags, wanted, head, rest):
        write(out + name, bytes([flags, wanted - 1]) + head + rest)

    def patch(at, new):
        return header[:at] + new + header[at + len(new):]

    put("", right, n, header, flows)
    put("-grows", right, 4 * n, header, flows)
    put("-shrinks", right, n // 2, header, flows)
    put("-has-no-room", right, 1, header, flows)
    put("-long", right | SIZE, n, patch(16, struct.pack("=I", 4 * n)), flows)
    put("-short", right, n, header, flows[:-1])
    put("-other-boot", right & ~HERE, n, header, flows)
    put("-other-network", right & ~NETNS, n, header, flows)
    put("-damaged", right & ~SEAL, n, header, flows)
    put("-shared", right | SHARED, n, header, flows)
    put("-cut-in-header", right & ~PAGE, n, header[:100], b"")
    put("-cut-in-magic", right & ~PAGE, n, header[:5], b"")
    put("-foreign", right, n, patch(0, b"not ours"), flows)
    put("-version-3", right, n, patch(8, struct.pack("=I", 3)), flows)
    first = patch(8, struct.pack("=I", 1))
    put("-of-version-1", right, n, first, flows)
    put("-of-version-1-grows", right, 4 * n, first, flows)
    put("-of-version-1-has-no-room", right, 1, first, flows)
    put("-of-version-1-short", right, n, first, flows[:-1])
    put("-of-version-1-damaged", right & ~SEAL, n, first, flows)
    put("-flow-of-128", right, n, patch(12, struct.pack("=I", 128)), flows)
    put("-no-flows", right | SIZE, n, patch(16, bytes(4)), b"")
    put("-all-flows", right, n, patch(16, b"\xff" * 4), flows)
    put("-wrong-ports", right, n, patch(72, struct.pack("=HH", 9, 3)), flows)
    put("-flows-of-noise", right | SEAL_FLOWS, n, header,
        bytes(i * i % 251 for i in range(len(flows))))


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


VERBS = {"engine": engine, "icmp": icmp, "state": state}
if len(sys.argv) != 4 or sys.argv[1] not in VERBS:
    sys.exit(__doc__)
VERBS[sys.argv[1]](*sys.argv[2:])
