#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""supervisor.py - the socket of sd_notify(3), as systemd has it

    supervisor.py PATH      a path, or @NAME in the abstract space

Says "listening", then for each message a line: who sent it (a pid, as the
kernel says), and its lines, separated by blanks.
"""
import os
import socket
import struct
import sys

path = sys.argv[1]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    s.bind("\0" + path[1:] if path[0] == "@" else path)
    if path[0] != "@":
        os.chmod(path, 0o777)
    print("listening", flush=True)
    while True:
        text, extra, _, _ = s.recvmsg(4096, 256)
        pid = next(struct.unpack("iii", data)[0] for level, kind, data in extra
                   if kind == socket.SCM_CREDENTIALS)
        print(pid, text.decode().replace("\n", " "), flush=True)
