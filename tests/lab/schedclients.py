#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""schedclients.py - connections from many client addresses

    schedclients.py serve NAME ADDRESS PORT   sends NAME to whoever connects, and
                                      holds the connection until the client ends
    schedclients.py map ADDRESS PORT FROM COUNT   one connection after another, from
                                      COUNT addresses on; prints "client NAME"
                                      for each
    schedclients.py hold ADDRESS PORT FROM COUNT   the same, but all stay open
                                      until the last is

Prints "refused" for NAME when there was no connection.
"""
import ipaddress
import socket
import sys
import threading


def serve(name, address, port):
    def hold(connection):
        with connection:
            try:
                connection.sendall(name.encode() + b"\n")
                connection.recv(1)
            except OSError:
                pass

    listener = socket.create_server((address, int(port)), backlog=4096)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=hold, args=(connection,), daemon=True).start()


def connect(to, source):
    """The connection and who answered; (None, "refused") if nobody did."""
    s = socket.socket()
    s.settimeout(30)
    try:
        s.bind((source, 0))
        s.connect(to)
        with s.makefile() as lines:
            return s, lines.readline().strip() or "refused"
    except OSError:
        s.close()
        return None, "refused"


def clients(address, port, first, count, hold):
    first = ipaddress.ip_address(first)
    held = []
    for i in range(int(count)):
        source = str(first + i)
        s, name = connect((address, int(port)), source)
        print(source, name)
        if s and hold:
            held.append(s)
        elif s:
            s.close()
    for s in held:
        s.close()


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    clients(*sys.argv[2:], hold=sys.argv[1] == "hold")
