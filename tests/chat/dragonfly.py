# SPDX-License-Identifier: MIT
"""A server that differs from Redis as Dragonfly is said to.

A proxy before a real redis-server. Known of Dragonfly from its issues and from
fakeredis, not from running it:
 - scripts may not publish (here: SPUBLISH has another name at the server);
 - SUNSUBSCRIBE is confirmed as "unsubscribe", and, shared, all channels are of
   one kind: SSUBSCRIBE is confirmed as "subscribe", messages come as "message";
 - with cluster_mode=yes PUBLISH and SUBSCRIBE are refused.
"""
import socket
import threading

from redislab import PORTS, WAIT, Server


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


class Dragonfly:
    def __init__(self, shared):
        self.server = Server("--rename-command", "SPUBLISH", "REALLYPUBLISH")
        self.shared = shared
        self.published = 0
        self.lose = 0  # so many answers to posts: the connection breaks
        self.sockets = set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = PORTS.take()
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(
                ("127.0.0.1", self.server.port), WAIT)
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
        name = words[0].upper()
        if name in (b"PUBLISH", b"SUBSCRIBE"):
            raw = bulks([b"REFUSED"])
        if name == b"SPUBLISH":
            self.published += 1
            raw = bulks([b"REALLYPUBLISH"] + words[1:])
        server.sendall(raw)

    def answer(self, file, client, server):
        raw, words = read_reply(file)
        if self.lose and isinstance(words, list) and len(words) == 3 and (
                words[2] in (b"0", b"1")):
            self.lose -= 1
            raise ConnectionError
        if isinstance(words, list) and words:
            names = {b"sunsubscribe": b"unsubscribe"}
            if self.shared:
                names.update({b"ssubscribe": b"subscribe",
                              b"smessage": b"message"})
            old = words[0]
            if isinstance(old, bytes) and old in names:
                new = names[old]
                raw = raw.replace(b"$%d\r\n%s\r\n" % (len(old), old),
                                  b"$%d\r\n%s\r\n" % (len(new), new), 1)
        client.sendall(raw)

    def cut(self):
        """Every connection."""
        for each in list(self.sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.listener.close()
        self.cut()
        for each in list(self.sockets):
            each.close()
        self.server.end()
