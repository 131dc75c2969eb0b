#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""slow_clients.py - clients of the API that cost it something

    slow_clients.py ADDRESS PORT COUNT

COUNT connections, a third of each kind: says nothing; asks half a request, a
byte now and then; asks for all flows and reads a few bytes now and then. Each
that is closed is opened again. Ends by SIGTERM: prints "closed SILENT HALF SLOW",
how many of each the API has closed.
"""
import signal
import socket
import sys
import time

KINDS = ("silent", "half", "slow")
REQUEST = b"GET /lb/flows?stream=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Client:
    def __init__(self, kind, where):
        self.kind = kind
        self.where = where
        self.open()

    def open(self):
        self.sent = 0
        self.socket = socket.socket()
        if self.kind == "slow":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(self.where)
        self.socket.setblocking(False)
        if self.kind == "slow":
            self.socket.send(REQUEST)

    def poke(self):
        """Does a little; false: it was closed."""
        try:
            if self.kind == "half" and self.sent < len(REQUEST) - 4:
                self.socket.send(REQUEST[self.sent:self.sent + 1])
                self.sent += 1
            return self.socket.recv(16) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def main():
    where, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
    clients = [Client(KINDS[i % 3], where) for i in range(count)]
    closed = dict.fromkeys(KINDS, 0)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    print("ready", flush=True)
    while not ended:
        for client in clients:
            if not client.poke():
                closed[client.kind] += 1
                client.socket.close()
                try:
                    client.open()
                except OSError:
                    pass  # the next turn tries again
        time.sleep(0.2)
    print("closed", *closed.values(), flush=True)


main()
