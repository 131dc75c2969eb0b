# SPDX-License-Identifier: MIT
"""[redis] wait: a message is acknowledged when replicas had time to get it."""
import re
import signal
import time
import unittest

from chatlab import skip_all
from proxy import Proxy
from redislab import SERVER, Server, until
from weblab import WebTest


class HoldsWait(Proxy):
    """From the first WAIT on, nothing is answered."""
    waits = False

    def request(self, raw, words):
        if words[0].upper() == b"WAIT" and not self.waits:
            self.hold("answers")
            self.waits = True
        return raw


class Replicas(WebTest):
    def redis(self, *options):
        server = Server("--repl-diskless-sync-delay", "0",
                        "--repl-ping-replica-period", "1", *options)
        self.addCleanup(server.end)
        return server

    def chat(self, redis, more=""):
        """redis: a server, or a proxy before one."""
        server = self.configure(
            "[chat]\nlisten = 127.0.0.1:0\nrate = off\n[redis]\n"
            f"mode = standalone\nport = {redis.port}\n{more}")
        server.out.wait("^redis: up$")
        return server

    @staticmethod
    def waits(redis):
        found = re.search(r"cmdstat_wait:calls=(\d+)",
                          redis.ask("INFO", "commandstats"))
        return int(found[1]) if found else 0

    def test_a_replica_has_what_was_acknowledged(self):
        redis, replica = self.redis(), self.redis()
        replica.ask("REPLICAOF", "127.0.0.1", redis.port)
        until("it is a replica", lambda: "master_link_status:up" in
              replica.ask("INFO", "replication"))
        # It is up a while before writes are sent to it.
        redis.ask("SET", "seen", "1")
        until("it follows", lambda: replica.ask("EXISTS", "seen") == 1)
        before = self.waits(redis)
        ws = self.socket(self.chat(redis, "wait = 1\n"), "ws")
        for i in range(1, 21):
            began = time.monotonic()
            self.say(ws, str(i))
            took = time.monotonic() - began
            # 50 ms are waited for, and no longer.
            self.assertTrue(replica.ask("XLEN", "{lobby}:log") == i or
                            took >= 0.05, f"acknowledged after {took} s")
        self.assertEqual(self.waits(redis) - before, 20)
        # One that does not answer is not waited for.
        replica.pause()
        self.say(ws, "alone")
        replica.resume()
        self.assertEqual(self.waits(redis) - before, 21)
        self.assertEqual(redis.ask("XLEN", "{lobby}:log"), 21)

    def test_nobody_waits_unasked(self):
        redis = self.redis()
        ws = self.socket(self.chat(redis), "ws")
        self.say(ws, "one")
        self.assertEqual(self.waits(redis), 0)

    def test_a_server_that_dies_while_it_is_waited_for(self):
        """It forgets all; what had no ack is said again, and shown once."""
        redis = self.redis()
        proxy = HoldsWait(redis)
        self.addCleanup(proxy.end)
        server = self.chat(proxy, "wait = 1\n")
        ws = self.socket(server, "ws")
        mid = self.mid()
        ws.say(t="msg", room="lobby", mid=mid, text="once")
        until("it waits", lambda: proxy.waits)
        redis.kill(signal.SIGKILL)
        proxy.cut()
        proxy.let_go()
        shown = ws.hear("message")
        redis.start()
        self.assertEqual(ws.hear("ack", mid=mid)["id"].split("-")[1], "1")
        until("it is in the log", lambda: redis.ask("XLEN", "{lobby}:log") == 1)
        again = self.socket(server, "again", after="0-0")
        heard = again.hear("message")
        self.assertEqual((heard["mid"], heard["text"]), (shown["mid"], "once"))

    def test_what_is_wrong(self):
        program = self.start([*self.wrap(), "-c", self.file(
            "[redis]\nwait = 17\n")])
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.err.lines[0],
                         ":2: wait: '17': give a number from 0 to 16")


if __name__ == "__main__":
    if not SERVER:
        skip_all("there is no redis-server")
    unittest.main()
