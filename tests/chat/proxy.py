# SPDX-License-Identifier: MIT
"""A proxy before a real redis-server, which sees every command and reply.

Commands and what comes on channels have a connection each; either can be held
back, so that what is asked and what is told come in an order that a test wants.
"""
import socket
import threading

from redislab import PORTS, WAIT

FOLLOW = (b"SUBSCRIBE", b"SSUBSCRIBE")


def read_reply(file):
    """The bytes of one reply, and the words of it if it is a list."""
    line = file.readline()
    if not line:
        raise ConnectionError
    if line[:1] == b"$" and int(line[1:]) >= 0:
        data = file.read(int(line[1:]) + 2)
        return line + data, data[:-2]
    if line[:1] == b"*" and int(line[1:]) >= 0:
        parts = [read_reply(file) for _ in range(int(line[1:]))]
        return line + b"".join(raw for raw, _ in parts), [
            word for _, word in parts]
    return line, line[1:-2]


def bulks(words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Proxy:
    def __init__(self, server):
        self.server = server
        self.asked = []  # the words of all commands
        self.sockets, self.followers = set(), set()
        self.gates = {kind: threading.Event() for kind in (
            "answers", "channels")}
        for gate in self.gates.values():
            gate.set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = PORTS.take()
        self.address = f"127.0.0.1:{self.port}"
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(
                    ("127.0.0.1", self.server.port), WAIT)
            except OSError:  # it is down
                client.close()
                continue
            server.settimeout(None)
            self.sockets |= {client, server}
            for run in (self.ask, self.answer):
                threading.Thread(target=self.until_closed, daemon=True,
                                 args=(run, client, server)).start()

    def until_closed(self, run, client, server):
        try:
            with (client if run == self.ask else server).makefile("rb") as file:
                while True:
                    run(file, client, server)
        except (OSError, ValueError, ConnectionError):
            pass
        for each in (client, server):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def ask(self, file, client, server):
        raw, words = read_reply(file)
        if words[0].upper() in FOLLOW:
            self.followers.add(client)
        self.asked.append(words)
        server.sendall(self.request(raw, words))

    def answer(self, file, client, server):
        raw, words = read_reply(file)
        kind = "channels" if client in self.followers else "answers"
        self.gates[kind].wait()
        client.sendall(self.reply(raw, words))

    def request(self, raw, words):
        return raw

    def reply(self, raw, words):
        return raw

    def hold(self, kind):
        """What comes of that kind ("answers", "channels") waits."""
        self.gates[kind].clear()

    def let_go(self):
        for gate in self.gates.values():
            gate.set()

    def cut(self, sockets=None):
        """Every connection, or those."""
        for each in list(self.sockets if sockets is None else sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.let_go()
        self.listener.close()
        self.cut()
        for each in list(self.sockets):
            each.close()
