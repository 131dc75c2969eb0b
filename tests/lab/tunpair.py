# SPDX-License-Identifier: MIT
"""tunpair.py NAMESPACE INTERFACE NAMESPACE INTERFACE ARPHRD

A point-to-point link of bare IP packets between two network namespaces, with
the type of link that is asked for: as PPP (512), GRE (778), IPIP (768) and
WireGuard (65534, none) present themselves. Says "up", or why it cannot be and
ends with 77.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETLINK = 0x400454CA, 0x400454CD
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ARPHRD_NONE = 65534
libc = ctypes.CDLL(None, use_errno=True)


def tun(namespace, name, link):
    fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
    t = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(t, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    if link != ARPHRD_NONE:
        fcntl.ioctl(t, TUNSETLINK, link)
    return t


def carry(a, b):
    try:
        os.write(b, os.read(a, 65536))
    except OSError:  # nothing there, or the other end is down: lost, as on a wire
        return


try:
    ends = [tun(*sys.argv[1:3], int(sys.argv[5])), tun(*sys.argv[3:5], int(sys.argv[5]))]
except OSError as e:
    print(f"no such link here: {e}", flush=True)
    sys.exit(77)
print("up", flush=True)
poll = select.poll()
for end in ends:
    poll.register(end, select.POLLIN)
while True:
    for fd, _ in poll.poll():
        carry(fd, ends[1] if fd == ends[0] else ends[0])
