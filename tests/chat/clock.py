# SPDX-License-Identifier: MIT
"""The clock of an instance goes back by an hour while it runs, or that of Redis
did.

libfaketime (Debian: faketime) gives a program a clock that follows a file; the
monotonic clock is left alone, as when a real clock is set.
"""
import glob
import os
import tempfile
import time
import unittest

import chatlab
from bus import Case, mid, number
from redislab import SERVER, until
from weblab import WebTest

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
HOUR_MS = 3600 * 1000


class Clock:
    """Of a program that is started with .env."""

    def __init__(self):
        handle, self.path = tempfile.mkstemp(prefix="chat_clock.")
        os.close(handle)
        self.set("+0")
        self.env = {"LD_PRELOAD": LIBRARY, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_TIMESTAMP_FILE": self.path,
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        """At once, never half."""
        with open(self.path + ".new", "w") as file:
            file.write(offset + "\n")
        os.replace(self.path + ".new", self.path)

    def end(self):
        os.unlink(self.path)


class Alone(WebTest):
    """A server whose log is its own: it gives the ids."""

    def setUp(self):
        self.clock = Clock()
        self.addCleanup(self.clock.end)
        self.path = os.path.join(self.folder(), "chat.db")

    def start_server(self):
        return self.configure(
            "[chat]\nlisten = 127.0.0.1:0\nrate = off\n"
            f"[history]\nfile = {self.path}\n",
            env={**os.environ, **self.clock.env})

    def heard(self, peer, count):
        return [peer.hear("message") for _ in range(count)]

    def test_the_clock_goes_back(self):
        server = self.start_server()
        ann = self.socket(server, "ann")
        ids = [self.say(ann, "before")]
        first = self.peer_history(server)[0]["ts"]
        self.clock.set("-1h")
        ids += [self.say(ann, f"after {i}") for i in range(5)]
        items = self.peer_history(server)
        self.assertLess(items[-1]["ts"], first - HOUR_MS + 60000)
        # Who was away gets what came after, in order.
        ben = self.socket(server, "ben", after=ids[0])
        self.assertEqual([m["id"] for m in self.heard(ben, 5)], ids[1:])
        self.stop(server)
        # A new start is a new epoch, above those of the future.
        server = self.start_server()
        ann = self.socket(server, "ann", after=ids[2])
        self.assertEqual([m["id"] for m in self.heard(ann, 3)], ids[3:])
        ids.append(self.say(ann, "started again"))
        self.assertEqual([number(i) for i in ids],
                         sorted({number(i) for i in ids}))
        self.assertEqual([m["id"] for m in self.peer_history(server)], ids)

    def peer_history(self, server):
        return self.web(server).get(
            "/api/rooms/lobby/history").json()["items"]


class WithRedis(Case):
    def test_the_clock_of_an_instance_goes_back(self):
        server, address = self.redis()
        clock = Clock()
        self.addCleanup(clock.end)
        a = self.instance("a", address, env=clock.env)
        b, c = [self.instance(name, address) for name in "bc"]
        instances = (a, b, c)
        for instance in instances:
            instance.up()
            instance.follow("ops")
        a.say("claim", "lan", "11" * 32)
        a.out.wait("^claimed lan")
        self.talk(instances, 0, 60)
        clock.set("-1h")
        self.talk(instances, 60, 120)
        self.agree(instances, 120)
        until("its clock is an hour behind", lambda: int(server.ask(
            "HGET", "socket:clients:lastUpdate", "a")) < time.time() * 1000
            - HOUR_MS + 60000)
        # It lives, and holds its nick.
        b.say("claim", "lan", "22" * 32)
        b.out.wait("^taken lan")
        for other in (b, c):
            self.assertEqual(other.lines("^signal gone"), [])

    def test_the_clock_of_redis_was_ahead(self):
        """Not played by libfaketime, which redis-server does not bear: its
        log begins in an hour."""
        server, address = self.redis()
        a, b, c = [self.instance(name, address) for name in "abc"]
        a.follow("seed")
        a.say("post", "seed", mid(0, "seed"), "x")
        a.out.wait("^posted seed ")
        (_, (_, body)), = server.ask("XRANGE", "{seed}:log", "-", "+")
        ahead = int(server.ask("TIME")[0]) * 1000 + HOUR_MS
        server.ask("XADD", "{ops}:log", f"{ahead}-1", "b",
                   body.replace('"seed"', '"ops"'))
        for instance in (a, b, c):
            instance.follow("ops")
        self.talk((a, b, c), 0, 60)
        seen = self.agree((a, b, c), 60)
        self.assertEqual({number(i)[0] for i, _ in seen}, {ahead})
        server.ask("FLUSHALL")
        self.talk((a, b, c), 60, 120)
        seen = self.agree((a, b, c), 120)
        self.assertEqual(len({number(i)[0] for i, _ in seen}), 2)

    def talk(self, instances, first, end):
        for i in range(first, end):
            instances[i % 3].say("post", "ops", mid(i, "abc"[i % 3]), "x")
        for instance in instances:
            instance.out.wait("^posted ops", end // 3)


if __name__ == "__main__":
    if not LIBRARY:
        chatlab.skip_all("there is no libfaketime (Debian: faketime)")
    if not SERVER:
        chatlab.skip_all("there is no redis-server (make deps)")
    unittest.main()
