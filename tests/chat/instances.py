# SPDX-License-Identifier: MIT
"""Three instances of chat_serv and a real Redis, with clients that behave as
the page does: they come back to any instance that is there, bring the last id
that they have, and say again what was not acknowledged.

Whatever dies: each acknowledged message is shown to each JSON client once, in
one order; line clients get theirs once while they are connected.
"""
import itertools
import json
import random
import signal
import socket
import threading
import time
import unittest

from chatlab import Peer, skip_all
from redislab import SERVER, Cluster, Server, until
from weblab import SERV, Socket, WebTest


def number(text):
    epoch, seq = text.split("-")
    return int(epoch), int(seq)


class Client(threading.Thread):
    def __init__(self, ports, nick):
        super().__init__(daemon=True)
        self.ports, self.nick = ports, nick
        self.lock = threading.Lock()
        self.peer = self.token = self.after = None
        self.unacked = {}
        self.acked = {}
        self.shown = {}    # mid -> id or None, in the order of being shown
        self.order = []    # ids of those that came with one
        self.twice, self.gaps = [], []
        self.connections = 0
        self.ended = False
        self.start()

    def say(self, mid, text):
        with self.lock:
            self.unacked[mid] = text
            self.send(mid, False)

    def send(self, mid, retry):
        if self.peer:
            try:
                self.peer.say(t="msg", room="lobby", mid=mid,
                              text=self.unacked[mid], retry=retry)
            except OSError:
                self.peer = None

    def connect(self):
        return Socket(random.choice(self.ports))

    def run(self):
        while not self.ended:
            peer = None
            try:
                peer = self.connect()
                self.talk(peer)
            except (OSError, AssertionError, ValueError):
                pass
            with self.lock:
                self.peer = None
            if peer:
                peer.close()
            time.sleep(random.uniform(0, 0.1))  # as reconnects are spread

    def talk(self, peer):
        if peer.open().status != 101:
            return
        room = {"id": "lobby"}
        if self.after:
            room["after"] = self.after
        peer.say(t="hello", nick=self.nick, rooms=[room], client="test",
                 **({"token": self.token} if self.token else {}))
        while not self.ended:
            opcode, payload = peer.read_frame()
            if opcode == 9:
                peer.send(peer.frame(10, payload))
            elif opcode == 1:
                self.hear(peer, json.loads(payload))
            else:
                break

    def hear(self, peer, heard):
        kind = heard["t"]
        if kind == "welcome":
            self.token = heard["token"]
        elif kind == "joined":
            with self.lock:
                self.connections += 1
                if not self.after and number(heard["head"]) > (0, 0):
                    self.after = heard["head"]
                self.peer = peer
                for mid in self.unacked:
                    self.send(mid, True)
        elif kind == "ack":
            with self.lock:
                self.unacked.pop(heard["mid"], None)
                self.acked[heard["mid"]] = heard["id"]
        elif kind == "gap":
            self.gaps.append(heard)
        elif kind == "message":
            self.show(heard)

    def show(self, heard):
        mid, id_ = heard["mid"].split(".")[-1], heard.get("id")
        if mid in self.shown and (self.shown[mid] or not id_):
            if self.shown[mid] == id_:
                self.twice.append(mid)  # known by its id: not shown
        elif mid in self.shown:
            self.shown[mid] = id_
        else:
            self.shown[mid] = id_
            if id_:
                self.order.append(id_)
        if id_ and (not self.after or number(id_) > number(self.after)):
            self.after = id_

    def end(self):
        self.ended = True
        peer = self.peer
        if peer:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.join(10)


class Listener(threading.Thread):
    """A line client that never comes back."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.peer = Peer(port)
        self.lines = []
        self.start()

    def run(self):
        try:
            while True:
                line = self.peer.line()
                if not line:
                    return
                self.lines.append(line)
        except OSError:
            return

    def end(self):
        try:
            self.peer.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.join(10)
        self.peer.close()


class Instances(WebTest):
    CLIENTS = 9
    RATE = 50

    def begin(self, address, mode="standalone"):
        self.servers, self.ports = [], []
        for i in range(3):
            text = (f"[chat]\nlisten = 127.0.0.1:0\ninstance = i{i}\n"
                    f"[redis]\nmode = {mode}\n")
            if mode == "cluster":
                text += f"nodes = {address}\n"
            else:
                text += f"host = 127.0.0.1\nport = {address}\n"
            text += f"[history]\nfile = {self.folder()}/chat.db\n"
            server = self.start([SERV, "-c", self.file(text)])
            server.port = int(
                server.out.wait(r"^listening .*port=(\d+)")[1])
            server.out.wait("^redis: up")
            self.servers.append(server)
            self.ports.append(server.port)
        self.clients = [Client(self.ports, f"nick{i}")
                        for i in range(self.CLIENTS)]
        for client in self.clients:
            self.addCleanup(client.end)
        self.listeners = [Listener(port) for port in self.ports]
        for listener in self.listeners:
            self.addCleanup(listener.end)
        until("all are connected",
              lambda: all(client.peer for client in self.clients))
        self.said = itertools.count()
        self.count = 0
        self.greet()

    def greet(self):
        """Until each listener hears: it is connected before it is let in."""
        for client in itertools.cycle(self.clients):
            if all(listener.lines for listener in self.listeners):
                return
            client.say(f"test-hello-{self.count:08d}", f"hello {self.count}")
            self.count += 1
            until("it is acked", lambda: not client.unacked)

    def talk(self, count):
        for _ in range(count):
            i = next(self.said)
            self.texts = i + 1
            self.count += 1
            self.clients[i % self.CLIENTS].say(
                f"test-message-{i:08d}", f"text {i}")
            time.sleep(1 / self.RATE)  # the rate of people

    def check(self, alive=3):
        until("all is acked",
              lambda: not any(client.unacked for client in self.clients))
        acked = {}
        for client in self.clients:
            acked.update(client.acked)
        self.assertEqual(len(acked), self.count)
        for client in self.clients:
            until(f"{client.nick} has all of it", lambda: all(
                client.shown.get(mid) for mid in acked))
            self.assertEqual(client.gaps, [])
            ids = [number(id_) for id_ in client.order]
            self.assertEqual(ids, sorted(ids), client.nick)
        for listener in self.listeners[:alive]:
            until("lines have come", lambda: len(
                [l for l in listener.lines if b"text" in l]) >= self.texts)
            self.assertEqual(len(listener.lines), len(set(listener.lines)))
        for server in self.servers:
            if server.process.poll() is None:
                self.stop(server)

    def test_who_joins_finds_itself(self):
        redis = Server()
        self.addCleanup(redis.end)
        server = self.start([SERV, "-c", self.file(
            f"[chat]\nlisten = 127.0.0.1:0\ninstance = i0\n"
            f"[redis]\nmode = standalone\nport = {redis.port}\n")])
        port = int(server.out.wait(r"^listening .*port=(\d+)")[1])
        server.out.wait("^redis: up")
        for i in range(20):
            peer = Socket(port)
            self.addCleanup(peer.close)
            self.assertEqual(peer.open().status, 101)
            peer.say(t="hello", nick=f"nick{i}", rooms=[{"id": "lobby"}])
            joined = peer.hear("joined", room="lobby")
            self.assertEqual(joined["members_n"], i + 1)
        self.stop(server)

    def test_an_instance_is_killed(self):
        redis = Server()
        self.addCleanup(redis.end)
        self.begin(redis.port)
        self.talk(100)
        self.servers[2].process.send_signal(signal.SIGKILL)
        del self.ports[2]
        self.talk(150)
        self.check(alive=2)

    def test_an_instance_is_ended(self):
        redis = Server()
        self.addCleanup(redis.end)
        self.begin(redis.port)
        self.talk(50)
        del self.ports[2]
        self.servers[2].process.terminate()
        self.talk(100)
        self.assertEqual(self.servers[2].wait(), 0)
        self.check(alive=2)

    def test_redis_is_killed_and_comes_back(self):
        redis = Server("--appendonly", "yes", "--appendfsync", "always")
        self.addCleanup(redis.end)
        self.begin(redis.port)
        self.talk(50)
        redis.kill()
        self.talk(100)
        redis.start()
        self.talk(100)
        self.check()

    def test_redis_is_stopped(self):
        redis = Server()
        self.addCleanup(redis.end)
        self.begin(redis.port)
        self.talk(50)
        redis.pause()
        self.talk(500)
        redis.resume()
        self.talk(50)
        self.check()

    def test_a_slot_moves_and_an_instance_is_killed(self):
        cluster = Cluster()
        self.addCleanup(cluster.end)
        self.begin(cluster.address, "cluster")
        slot, source = cluster.owner("{lobby}:log")
        target = [m for m in cluster.masters if m is not source][0]
        self.talk(50)
        cluster.move(slot, source, target, lambda: self.talk(20))
        self.talk(50)
        self.servers[2].process.send_signal(signal.SIGKILL)
        del self.ports[2]
        cluster.move(slot, target, source, lambda: self.talk(20))
        self.talk(50)
        self.check(alive=2)


if __name__ == "__main__":
    if not SERVER:
        skip_all("there is no redis-server (make deps)")
    unittest.main()
