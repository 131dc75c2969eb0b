# SPDX-License-Identifier: MIT
"""The bus over Redis: several instances (bus_probe.c), real redis-servers.

What must hold, whatever happens to Redis: each message that was acknowledged
comes to each instance once, in one order, or a gap is told.
"""
import os
import re
import tempfile
import threading
import unittest

import chatlab
from dragonfly import Dragonfly
from proxy import Proxy
from redislab import SERVER, WAIT, Client, Cluster, Server, until

PROBE = os.environ.get("BUS_PROBE", "bus_probe")


def mid(number, who="a"):
    return f"0a1b2c.{who}-message-{number:010d}"


class Instance:
    def __init__(self, name, redis, kind="standalone", store=None, env=None):
        command = [PROBE, name, kind, redis]
        if store:
            command.append(store)
        self.name = name
        self.program = chatlab.Program(
            command, env={**os.environ, **(env or {})})
        self.out = self.program.out

    def ready(self):
        self.out.wait("^(ready|refused)")
        return self

    def say(self, *words):
        self.program.write(" ".join(str(word) for word in words) + "\n")

    def follow(self, room):
        self.say("follow", room)
        self.out.wait(f"^open {room} ")

    def up(self, count=1):
        self.out.wait("^state up", count)

    def lines(self, pattern):
        with self.out.changed:
            found = [re.search(pattern, line) for line in self.out.lines]
        return [match for match in found if match]

    def seen(self, room):
        """(id, mid) in the order in which members get them; what was told
        without an id takes its place when it gets one."""
        return [(match[2], match[3]) for match in self.lines(
            f"^(message|identified) {room} (\\S+) (\\S+)")
            if match[2] != "0-0"]

    def told(self, room):
        """mids as a line client sees them."""
        return [match[1] for match in self.lines(
            f"^message {room} \\S+ (\\S+)")]

    def acked(self, room):
        return {match[2]: match[1] for match in self.lines(
            f"^(?:posted|late) {room} (\\S+) (\\S+)")}

    def answers(self, room, kind):
        """mids, in order, that were answered so."""
        return [match[1] for match in self.lines(
            f"^{kind} {room} \\S+ (\\S+)")]

    def holder(self, nick):
        """As it is now."""
        count = len(self.lines(f"^holder {nick} ")) + 1
        self.say("holder", nick)
        return self.out.wait(f"^holder {nick} (.*)", count)[1]

    def end(self):
        """It ends well, whatever Redis does; unless the test has killed it."""
        killed = self.program.process.poll() is not None
        try:
            if not killed:
                self.program.end_input()
                code = self.program.wait()
                assert code == 0, (code, self.program.err.lines)
        finally:
            self.program.kill()


def number(text):
    epoch, seq = text.split("-")
    return int(epoch), int(seq)


class Talk(threading.Thread):
    """Posts at a steady rate, in turn to each of the instances."""

    def __init__(self, instances, room, rate=100, first=0):
        super().__init__()
        self.instances, self.room, self.rate = instances, room, rate
        self.count = first
        self.stopped = threading.Event()
        self.start()

    def run(self):
        while not self.stopped.wait(1 / self.rate):
            instance = self.instances[self.count % len(self.instances)]
            try:
                instance.say("post", self.room, mid(self.count, instance.name),
                             f"text-{self.count}")
            except BrokenPipeError:
                pass  # it was killed
            self.count += 1

    def until(self, more):
        """So many more are said."""
        end = self.count + more
        until("it is said", lambda: self.count >= end)

    def end(self):
        self.stopped.set()
        self.join()
        return self.count


class LateAnswer(Proxy):
    """The first list that is_late(words) comes late."""

    def __init__(self, server, is_late):
        self.is_late = is_late
        self.made, self.wanted = threading.Event(), threading.Event()
        super().__init__(server)

    def reply(self, raw, words):
        if isinstance(words, list) and self.is_late(words):
            self.made.set()
            self.wanted.wait()
        return raw

    def wait(self):
        """Redis has made it."""
        if not self.made.wait(WAIT):
            raise AssertionError("it was not asked for")

    def let_it_come(self):
        self.wanted.set()

    def end(self):
        self.let_it_come()
        super().end()


class Case(unittest.TestCase):
    def instance(self, *args, **options):
        instance = Instance(*args, **options)
        self.addCleanup(instance.end)
        return instance.ready()

    def redis(self, *options):
        server = Server(*options)
        self.addCleanup(server.end)
        return server, f"127.0.0.1:{server.port}"

    def three(self, address, kind="standalone", room="ops"):
        instances = [self.instance(name, address, kind)
                     for name in ("a", "b", "c")]
        for instance in instances:
            instance.up()
            instance.follow(room)
        return instances

    def nicks(self, instances):
        """What one does with its nick, all know."""
        one, *others = instances
        one.say("claim", "lan", "11" * 32)
        one.out.wait("^claimed lan")
        for word, last in (("keep", "11111111 a left"), ("drop", "nobody")):
            for each in others:
                until("all know the holder", lambda: each.holder("lan") ==
                      "11111111 a here")
            one.say("release", "lan", "11" * 32, word)
            for each in others:
                until("all know that it has left",
                      lambda: each.holder("lan") == last)
            if word == "keep":
                one.say("claim", "lan", "11" * 32)
                one.out.wait("^claimed lan", 2)

    def agree(self, instances, count, room="ops", gaps=0):
        """Every message was acked, and came to all, once, in one order."""
        def acked():
            return {m: i for instance in instances
                    for m, i in instance.acked(room).items()}
        until(f"{count} are acked", lambda: len(acked()) >= count)
        self.assertEqual(len(acked()), count)
        for instance in instances:
            until(f"{instance.name} has {count}",
                  lambda: len({m for _, m in instance.seen(room)}) >= count)
        first = instances[0].seen(room)
        for instance in instances:
            seen = instance.seen(room)
            mids = [m for _, m in seen]
            self.assertEqual(len(mids), len(set(mids)), instance.name)
            told = instance.told(room)
            self.assertEqual(len(told), len(set(told)), instance.name)
            self.assertEqual(sorted(seen), sorted(first), instance.name)
            ids = [number(i) for i, _ in seen]
            self.assertEqual(ids, sorted(ids), instance.name)
            self.assertEqual(len(instance.lines("^gap")), gaps,
                             instance.name)
        return first


class Standalone(Case):
    def test_one_order(self):
        _, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops", 300)
        talk.until(600)
        seen = self.agree(instances, talk.end())
        self.assertEqual([number(i)[1] for i, _ in seen],
                         list(range(1, len(seen) + 1)))

    def test_a_room_opens_with_its_end(self):
        server, address = self.redis()
        a = self.instance("a", address)
        a.follow("ops")
        for i in range(100):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^posted ops \\S+-100 ")
        a.say("topic", "ops", "lan", "Deploys")
        a.out.wait("^signal topic room=ops nick=lan text=Deploys")
        b = self.instance("b", address)
        b.say("follow", "ops")
        b.out.wait("^open ops \\d+-100 64 Deploys$")
        b.say("read", "bus", "ops", "before", "0-0", 3)
        b.out.wait("^page ops 3 more \\d+-98 \\d+-99 \\d+-100$")
        epoch = number(a.seen("ops")[0][0])[0]
        b.say("read", "bus", "ops", "after", f"{epoch}-97", 50)
        b.out.wait("^page ops 3 \\d+-98 \\d+-99 \\d+-100$")
        self.assertEqual(b.seen("ops"), [])
        self.assertEqual(server.ask("XLEN", "{ops}:log"), 100)

    def test_repeats_are_known_in_pages(self):
        _, address = self.redis()
        a, b, c = [self.instance(name, address) for name in "abc"]
        a.follow("ops")
        for i in (1, 2, 1, 3) + (1,) * 40 + (4,):
            a.say("post", "ops", mid(i), "x")
        epoch = a.out.wait("^message ops (\\d+)-45 ")[1]
        b.follow("ops")
        for instance in (a, b):
            # It has them from the pages that it followed the room with.
            instance.say("read", "bus", "ops", "after", f"{epoch}-2", 3)
            instance.out.wait("^page ops 3 more \\d+-3r \\d+-4 \\d+-5r$")
        # Nobody follows the room here: the page itself shows it.
        c.say("read", "bus", "ops", "after", f"{epoch}-0", 5)
        c.out.wait("^page ops 5 more \\d+-1 \\d+-2 \\d+-3r \\d+-4 \\d+-5r$")
        for instance in (a, b):
            instance.say("read", "bus", "ops", "once", "0-0", 2)
            instance.out.wait("^page ops 2 more \\d+-4 \\d+-45$")
        for instance in (a, b, c):
            instance.say("read", "bus", "ops", "once", "0-0", 50)
            instance.out.wait(
                "^page ops 4 \\d+-1 \\d+-2 \\d+-4 \\d+-45$")

    def test_a_room_that_nobody_follows(self):
        _, address = self.redis()
        a, b = [self.instance(name, address) for name in "ab"]
        b.follow("ops")
        a.say("post", "ops", mid(1), "hook")
        a.out.wait("^posted ops \\d+-1 ")
        b.out.wait("^message ops \\d+-1 ")
        self.assertEqual(a.seen("ops"), [])

    def test_a_retry_is_posted_once(self):
        server, address = self.redis()
        a, b = [self.instance(name, address) for name in "ab"]
        a.follow("ops")
        a.say("post", "ops", mid(1), "x")
        a.out.wait("^posted ops \\d+-1 ")
        b.say("retry", "ops", mid(1), "x")
        b.out.wait("^posted ops \\d+-1 ")
        b.say("retry", "ops", mid(2), "y")
        b.out.wait("^posted ops \\d+-2 ")
        b.follow("ops")
        b.say("retry", "ops", mid(2), "y")
        b.out.wait("^posted ops \\d+-2 ", 2)
        self.assertEqual(server.ask("XLEN", "{ops}:log"), 2)

    def test_redis_is_killed_and_comes_back(self):
        server, address = self.redis("--appendonly", "yes",
                                     "--appendfsync", "always")
        instances = self.three(address)
        talk = Talk(instances, "ops")
        talk.until(100)
        server.kill()
        for instance in instances:
            instance.out.wait("^state down")
        talk.until(100)
        for instance in instances:
            instance.out.wait("^queued ops 0-0 ")
        server.start()
        for instance in instances:
            instance.up(2)
        talk.until(100)
        self.agree(instances, talk.end())
        for instance in instances:
            # An answer that said "queued" is followed by one that says "late".
            self.assertEqual(sorted(instance.answers("ops", "late")),
                             sorted(instance.answers("ops", "queued")))
            self.assertFalse(set(instance.answers("ops", "posted")) &
                             set(instance.answers("ops", "queued")))

    def test_redis_has_forgotten_all(self):
        server, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        talk.until(100)
        server.kill()
        talk.until(50)
        server.start()
        for instance in instances:
            instance.up(2)
        talk.until(100)
        count = talk.end()
        # What Redis lost before it was read is a gap, told to all.
        for instance in instances:
            until("the last one is there", lambda: len(
                instance.acked("ops")) >= count // 3)
        ids = [number(i) for i, _ in instances[0].seen("ops")]
        self.assertEqual(ids, sorted(ids))
        self.assertGreater(ids[-1][0], ids[0][0])
        for instance in instances:
            mids = [m for _, m in instance.seen("ops")]
            self.assertEqual(len(mids), len(set(mids)))

    def test_redis_has_lost_its_tail(self):
        server, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        talk.until(50)
        server.ask("SAVE")
        talk.until(50)
        before = talk.end()
        self.agree(instances, before)
        server.kill()
        server.start()
        self.assertLess(server.ask("XLEN", "{ops}:log"), before)
        talk = Talk(instances, "ops", first=before)
        talk.until(50)
        seen = self.agree(instances, talk.end())
        epochs = sorted({number(i)[0] for i, _ in seen})
        self.assertEqual(len(epochs), 2)
        self.assertEqual([number(i)[1] for i, _ in seen][before:],
                         list(range(1, len(seen) - before + 1)))

    def test_an_instance_is_killed_while_it_speaks(self):
        _, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        talk.until(100)
        instances[2].program.process.kill()
        talk.until(100)
        talk.end()
        alive = instances[:2]
        acked = [m for each in instances for m in each.acked("ops")]
        for instance in alive:
            until("it has all that was acked", lambda: set(acked) <=
                  {m for _, m in instance.seen("ops")})
            mids = [m for _, m in instance.seen("ops")]
            self.assertEqual(len(mids), len(set(mids)))
        until("one order", lambda: alive[0].seen("ops") ==
              alive[1].seen("ops"))

    def test_flushall(self):
        server, address = self.redis()
        instances = self.three(address)
        a = instances[0]
        a.say("join", "ops", "lan")
        a.say("claim", "lan", "11" * 32)
        for i in range(10):
            a.say("post", "ops", mid(i), "x")
        for instance in instances:
            instance.out.wait("^message ops \\S+-10 ")
        server.ask("FLUSHALL")
        for i in range(10, 20):
            a.say("post", "ops", mid(i), "x")
        seen = self.agree(instances, 20)
        epochs = [number(i)[0] for i, _ in seen]
        self.assertEqual(epochs[:10], [epochs[0]] * 10)
        self.assertEqual(epochs[10:], [epochs[10]] * 10)
        self.assertGreater(epochs[10], epochs[0])
        # What is known of people is written again.
        until("who is there again", lambda: server.ask(
            "HGET", "{ops}:who", "lan") == "a")
        until("the nick is there again", lambda: server.ask(
            "HGET", "{chat}:nicks", "lan") == "11" * 32 + " a 0")
        until("all leases are there", lambda: server.ask(
            "HLEN", "{chat}:inst") == 3)
        # Whose lease was lost is not taken for dead.
        for instance in instances:
            self.assertEqual(instance.lines("^signal (gone|part)"), [])

    def test_redis_is_stopped_for_ten_seconds(self):
        server, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        talk.until(100)
        server.pause()
        for instance in instances:
            instance.out.wait("^state down")
        talk.until(800)
        server.resume()
        for instance in instances:
            instance.up(2)
        talk.until(50)
        self.agree(instances, talk.end())

    def test_what_was_told_is_refused(self):
        server, address = self.redis()
        a = self.instance("a", address)
        a.up()
        a.follow("ops")
        operator = Client(server.port)
        self.addCleanup(operator.close)
        # Redis keeps the order of what waits: the operator is before us.
        server.ask("CLIENT", "PAUSE", 120000, "WRITE")
        operator.send("SET", "{ops}:log", "no log any more")
        until("the operator waits",
              lambda: " cmd=set " in server.ask("CLIENT", "LIST"))
        for i in range(2):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^queued ops ", 2)
        server.ask("CLIENT", "UNPAUSE")
        for i in range(2):
            a.out.wait(f"^untaken ops 0-0 {mid(i)}")
        self.assertEqual(a.answers("ops", "refused"), [])
        a.say("post", "ops", mid(2), "x")
        a.out.wait(f"^refused ops 0-0 {mid(2)}")

    def test_subscribers_are_cut_off(self):
        server, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        for _ in range(5):
            talk.until(50)
            self.assertGreater(
                server.ask("CLIENT", "KILL", "TYPE", "pubsub"), 0)
        talk.until(50)
        self.agree(instances, talk.end())

    def test_connections_are_cut_off(self):
        server, address = self.redis()
        instances = self.three(address)
        talk = Talk(instances, "ops")
        for _ in range(5):
            talk.until(50)
            server.ask("CLIENT", "KILL", "TYPE", "normal")
        talk.until(50)
        self.agree(instances, talk.end())

    def test_an_instance_dies(self):
        server, address = self.redis()
        a, b, c = self.three(address)
        c.say("join", "ops", "lan")
        for instance in (a, b):
            instance.out.wait("^signal join room=ops nick=lan .*instance=c")
        c.program.process.kill()
        for instance in (a, b):
            instance.out.wait("^signal gone .*instance=c")
        until("its people are gone", lambda: server.ask(
            "HGETALL", "{ops}:who") == [])
        self.assertEqual(server.ask("HLEN", "{chat}:inst"), 2)

    def test_a_full_outbox(self):
        server, address = self.redis()
        a = self.instance("a", address)
        a.up()
        a.follow("ops")
        server.pause()
        a.out.wait("^state down")
        text = "x" * 4000
        for i in range(3000):
            a.say("post", "ops", mid(i), text)
        a.out.wait("^error \\S+ Resource temporarily")
        refused = len(a.lines("^error"))
        server.resume()
        a.up(2)
        until("what was taken is posted", lambda: len(
            a.acked("ops")) == 3000 - len(a.lines("^error")))
        self.assertGreater(refused, 0)
        until("all of it is said", lambda: set(a.told("ops")) ==
              set(a.acked("ops")))
        told = a.told("ops")
        self.assertEqual(len(told), len(set(told)))

    def test_it_begins_without_redis(self):
        server, address = self.redis()
        server.kill()
        a = self.instance("a", address)
        a.follow("ops")
        a.say("post", "ops", mid(1), "x")
        a.out.wait("^message ops 0-0 ")
        a.out.wait("^queued ops 0-0 ")
        server.start()
        a.up()
        a.out.wait("^identified ops \\d+-1 ")
        a.out.wait("^late ops \\d+-1 ")
        self.assertEqual(a.answers("ops", "posted"), [])

    def test_a_password(self):
        server, address = self.redis("--requirepass", "secret")
        a = self.instance("a", address, env={"BUS_PASSWORD": "secret"})
        a.up()
        a.follow("ops")
        a.say("post", "ops", mid(1), "x")
        a.out.wait("^posted ops ")
        b = self.instance("b", address, env={"BUS_PASSWORD": "wrong"})
        b.out.wait("the password is refused")

    def test_a_prefix(self):
        server, address = self.redis()
        a = self.instance("a", address, env={"BUS_PREFIX": "school."})
        a.up()
        a.follow("ops")
        a.say("post", "ops", mid(1), "x")
        a.out.wait("^message ops ")
        self.assertEqual(server.ask("XLEN", "{school.ops}:log"), 1)
        for key in server.ask("KEYS", "*"):
            self.assertRegex(key, r"^(\{school\.|school\.socket)")


class OtherServers(Case):
    """What is no Redis 7."""

    def without(self, *commands):
        options = []
        for command in commands:
            options += ["--rename-command", command, ""]
        return self.redis(*options)

    def test_redis_6_has_no_sharded_channels(self):
        server, address = self.without("SSUBSCRIBE", "SPUBLISH", "SUNSUBSCRIBE")
        instances = self.three(address)
        instances[0].say("topic", "ops", "lan", "Deploys")
        for instance in instances:
            instance.out.wait("^signal topic ")
        talk = Talk(instances, "ops")
        talk.until(50)
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        talk.until(50)
        self.agree(instances, talk.end())

    def test_a_server_whose_scripts_cannot_publish(self):
        for shared in (False, True):
            with self.subTest(shared=shared):
                fake = Dragonfly(shared)
                self.addCleanup(fake.end)
                instances = self.three(f"127.0.0.1:{fake.port}")
                talk = Talk(instances, "ops")
                talk.until(50)
                fake.cut()
                talk.until(50)
                count = talk.end()
                self.agree(instances, count)
                # Not in the midst of it: log and channel are two steps here,
                # and what is lost between them is a gap, or comes late.
                fake.server.ask("FLUSHALL")
                talk = Talk(instances, "ops", first=count)
                talk.until(50)
                self.agree(instances, talk.end())
                self.assertGreater(fake.published, 100)
                self.nicks(instances)
                for instance in instances:
                    instance.say("unfollow", "ops")


    def test_lost_answers(self):
        fake = Dragonfly(False)
        self.addCleanup(fake.end)
        instances = self.three(f"127.0.0.1:{fake.port}")
        talk = Talk(instances, "ops")
        for _ in range(5):
            talk.until(20)
            fake.lose = 3
            until("they are lost", lambda: fake.lose == 0)
        talk.until(20)
        count = talk.end()
        self.agree(instances, count)
        # What is sent again is looked for first.
        self.assertEqual(fake.server.ask("XLEN", "{ops}:log"), count)


class People(Case):
    LAN, LINH = "11" * 32, "22" * 32

    def test_one_holder_of_a_nick(self):
        _, address = self.redis()
        a, b, _ = self.three(address)
        a.say("claim", "Lan", self.LAN)
        a.out.wait("^claimed Lan")
        b.say("claim", "lan", self.LINH)
        b.out.wait("^taken lan")
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan")
        for instance in (a, b):
            until("all know the holder", lambda: instance.holder("LAN") ==
                  "11111111 b here")

    def one(self, name, address):
        instance = self.instance(name, address)
        instance.up()
        instance.follow("ops")
        return instance

    def behind_proxy(self, name, server, is_late=None):
        proxy = LateAnswer(server, is_late) if is_late else Proxy(server)
        self.addCleanup(proxy.end)
        return self.one(name, proxy.address), proxy

    def heard_all(self, speaker, instance):
        """All that was published before."""
        word = f"{speaker.name}{instance.name}"
        speaker.say("kick", "-", word)
        instance.out.wait(f"^signal kick .*nick={word} ")

    def test_a_claim_and_its_notice_are_one(self):
        server, address = self.redis()
        a, proxy = self.behind_proxy("a", server)
        b = self.one("b", address)
        proxy.hold("answers")
        a.say("claim", "lan", self.LAN)
        until("b knows it before a does",
              lambda: b.holder("lan") == "11111111 a here")
        self.assertEqual(a.lines("^claimed"), [])
        proxy.let_go()
        a.out.wait("^claimed lan")

    def test_a_notice_that_is_older_than_an_answer(self):
        server, address = self.redis()
        a = self.one("a", address)
        b, proxy = self.behind_proxy("b", server)
        proxy.hold("channels")
        for instance in (a, b):
            instance.say("claim", "lan", self.LAN)
            instance.out.wait("^claimed lan")
        proxy.let_go()
        self.heard_all(a, b)
        self.assertEqual(b.holder("lan"), "11111111 b here")

    def test_an_answer_that_is_older_than_a_notice(self):
        server, address = self.redis()
        a, proxy = self.behind_proxy("a", server)
        b = self.one("b", address)
        proxy.hold("answers")
        a.say("claim", "lan", self.LAN)
        until("it is claimed", lambda: server.ask(
            "HGET", "{chat}:nicks", "lan"))
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan")
        self.heard_all(b, a)
        proxy.let_go()
        a.out.wait("^claimed lan")
        self.assertEqual(a.holder("lan"), "11111111 b here")

    def test_who_is_not_the_holder_does_not_free_a_nick(self):
        server, address = self.redis()
        a, proxy = self.behind_proxy("a", server)
        b = self.one("b", address)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan")
        proxy.hold("channels")
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan")
        a.say("release", "lan", self.LAN, "drop")
        self.heard_all(a, b)
        self.assertEqual(b.holder("lan"), "11111111 b here")
        proxy.let_go()
        self.heard_all(b, a)
        until("a knows it, too", lambda: a.holder("lan") == "11111111 b here")

    def test_nicks_are_read_after_a_channel_was_lost(self):
        server, _ = self.redis()
        _, proxy = self.behind_proxy("a", server)
        def asked(*words):
            return proxy.asked[since:].count([w.encode() for w in words])

        # The leases are read each two seconds, the nicks each thirty.
        since = 0
        until("it has begun", lambda: asked("HGETALL", "{chat}:inst") > 2)
        self.assertGreater(asked("HGETALL", "{chat}:nicks"), 0)
        since = len(proxy.asked)
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        until("it follows again", lambda: asked("SSUBSCRIBE", "{chat}:all"))
        until("it asks", lambda: asked("HGETALL", "{chat}:nicks") or
              asked("HGETALL", "{chat}:inst") > 3)
        self.assertEqual(asked("HGETALL", "{chat}:nicks"), 1)

    def test_redis_has_forgotten_how_many_changes_there_were(self):
        server, address = self.redis()
        a, b, _ = self.three(address)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan")
        # Greater than Redis' time, as if that had gone back meanwhile.
        server.ask("HSET", "{chat}:nicks", "", 8 * 10**15)
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan")
        until("a knows it", lambda: a.holder("lan") == "11111111 b here")
        server.ask("FLUSHALL")
        for instance in (a, b):
            until("the nick is there again", lambda: instance.holder("lan") ==
                  "11111111 b here" and server.ask(
                      "HGET", "{chat}:nicks", "lan"))
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan", 2)
        for instance in (a, b):
            until("all know it",
                  lambda: instance.holder("lan") == "11111111 a here")

    def test_a_claim_while_changes_are_counted_anew(self):
        """Its notice comes before a list that was made before the claim."""
        server, address = self.redis()
        a, proxy = self.behind_proxy(
            "a", server, lambda words: b"nam" in words and b"lan" not in words)
        b = self.one("b", address)
        for nick in ("nam", "lan"):
            b.say("claim", nick, self.LAN)
            b.out.wait(f"^claimed {nick}")
        server.ask("HSET", "{chat}:nicks", "", 8 * 10**15)
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan", 2)
        self.heard_all(b, a)
        server.ask("HDEL", "{chat}:nicks", "", "lan")
        proxy.cut(proxy.followers)  # and it reads all nicks again
        proxy.wait()
        b.say("claim", "lan", self.LAN)
        b.out.wait("^claimed lan", 3)
        self.heard_all(b, a)
        since = len(proxy.asked)
        proxy.let_it_come()
        # The leases are read each two seconds, the nicks each thirty.
        until("a has read all", lambda: proxy.asked[since:].count(
            [b"HGETALL", b"{chat}:inst"]) > 3)
        self.assertEqual(a.holder("lan"), "11111111 b here")

    def test_a_nick_is_kept_for_a_while(self):
        server, address = self.redis()
        a, b, _ = self.three(address)
        a.say("claim", "lan", self.LAN)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan", 2)
        a.say("release", "lan", self.LAN, "keep")
        b.say("claim", "lan", self.LINH)
        b.out.wait("^taken lan")
        a.say("release", "lan", self.LAN, "keep")
        until("it has left", lambda: not server.ask(
            "HGET", "{chat}:nicks", "lan").endswith(" 0"))
        b.say("claim", "lan", self.LINH)
        b.out.wait("^taken lan", 2)
        a.say("claim", "nam", self.LAN)
        a.out.wait("^claimed nam")
        a.say("release", "nam", self.LAN, "drop")
        until("it is free", lambda: server.ask(
            "HGET", "{chat}:nicks", "nam") is None)
        b.say("claim", "nam", self.LINH)
        b.out.wait("^claimed nam")

    def test_a_nick_of_a_dead_instance_is_free(self):
        _, address = self.redis()
        a, _, c = self.three(address)
        c.say("claim", "lan", self.LAN)
        c.out.wait("^claimed lan")
        a.say("claim", "lan", self.LINH)
        a.out.wait("^taken lan")
        c.program.process.kill()
        a.out.wait("^signal gone .*instance=c")
        a.say("claim", "lan", self.LINH)
        a.out.wait("^claimed lan")

    def test_a_nick_that_redis_alone_has_lost(self):
        server, address = self.redis()
        a = self.one("a", address)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan")
        server.ask("HDEL", "{chat}:nicks", "lan")
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")  # it reads all again
        until("it is claimed again", lambda: server.ask(
            "HGET", "{chat}:nicks", "lan") == f"{self.LAN} a 0")

    def holder_is_away(self, server, instance):
        """And is known to be."""
        until("it is said to be away", lambda: not server.ask(
            "HGET", "{chat}:nicks", "lan").endswith(" 0"))
        until("it is known to be away", lambda: instance.holder(
            "lan") == "11111111 a left")

    def test_a_leave_that_was_lost(self):
        server, address = self.redis("--appendonly", "yes",
                                     "--appendfsync", "always")
        a, b, _ = self.three(address)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan")
        server.kill()
        a.out.wait("^state down")
        a.say("release", "lan", self.LAN, "drop")
        # What is asked after it is given up, and so is it.
        a.say("read", "bus", "ops", "before", "0-0", 5)
        a.out.wait("^page ops 0 failed")
        server.start()
        a.up(2)
        b.up(2)
        self.holder_is_away(server, b)

    def test_a_nick_of_an_instance_that_was_killed_and_is_back(self):
        server, address = self.redis()
        a, b, _ = self.three(address)
        a.say("claim", "lan", self.LAN)
        a.out.wait("^claimed lan")
        a.program.process.kill()
        self.instance("a", address)
        self.holder_is_away(server, b)

    def test_joins_and_parts(self):
        server, address = self.redis()
        a, b, _ = self.three(address)
        a.say("join", "ops", "lan")
        a.say("join", "ops", "lan")  # a second connection
        b.out.wait("^signal join room=ops nick=lan .*instance=a")
        d = self.instance("d", address)
        d.follow("ops")
        d.out.wait("^signal join room=ops nick=lan .*instance=a")
        a.say("part", "ops", "lan")
        a.say("nick", "ops", "lan", "linh")
        b.out.wait("^signal nick room=ops nick=lan text=linh instance=a")
        a.say("part", "ops", "linh")
        b.out.wait("^signal part room=ops nick=linh")
        self.assertEqual(len(b.lines("^signal join")), 1)
        self.assertEqual(len(b.lines("^signal part")), 1)
        until("nobody is there", lambda: server.ask(
            "HGETALL", "{ops}:who") == [])

    def test_a_new_name_that_a_list_has_told_already(self):
        server, address = self.redis()
        a = self.one("a", address)
        b, proxy = self.behind_proxy("b", server)
        a.say("join", "ops", "guest")
        b.out.wait("^signal join room=ops nick=guest ")
        proxy.hold("channels")
        a.say("nick", "ops", "guest", "lan")
        until("it is written", lambda: server.ask(
            "HGETALL", "{ops}:who") == ["lan", "a"])
        b.say("unfollow", "ops")
        b.say("follow", "ops")
        b.out.wait("^signal join room=ops nick=lan ")
        proxy.let_go()
        a.say("part", "ops", "lan")
        self.heard_all(a, b)
        # For its hub: as often here as gone.
        self.assertEqual(len(b.lines("^signal (join|nick) .*=lan ")),
                         len(b.lines("^signal part .*nick=lan ")))

    def test_a_list_that_was_made_before_the_room_was_followed_again(self):
        server, address = self.redis()
        a = self.one("a", address)
        a.say("join", "ops", "guest")
        until("it is written", lambda: server.ask(
            "HGETALL", "{ops}:who") == ["guest", "a"])
        b, proxy = self.behind_proxy("b", server,
                                     lambda words: words == [b"guest", b"a"])
        proxy.wait()
        b.say("unfollow", "ops")
        self.heard_all(b, a)
        a.say("nick", "ops", "guest", "lan")
        self.heard_all(a, b)  # but not that, as it does not follow the room
        b.say("follow", "ops")
        b.out.wait("^open ops", 2)
        proxy.let_it_come()
        b.out.wait("^signal join room=ops nick=lan ")

    def test_one_of_two_connections_gets_a_new_name(self):
        _, address = self.redis()
        a, b, _ = self.three(address)
        for _ in range(2):
            a.say("join", "ops", "lan")
        a.say("nick", "ops", "lan", "linh")
        b.out.wait("^signal join room=ops nick=linh .*instance=a")
        a.say("nick", "ops", "lan", "Linh")
        b.out.wait("^signal part room=ops nick=lan .*instance=a")
        self.assertEqual(b.lines("^signal nick"), [])

    def test_signals_to_all(self):
        _, address = self.redis()
        a, b, c = self.three(address)
        a.say("kick", "-", "lan")
        for instance in (a, b, c):
            instance.out.wait("^signal kick ")
        self.assertEqual(len(a.lines("^signal kick")), 1)

    def test_what_is_known_of_others(self):
        server, address = self.redis()
        a, b, c = self.three(address)
        a.say("join", "ops", "lan")
        c.say("join", "ops", "linh")
        b.say("topic", "ops", "nam", "Deploys")
        until("the directory has it", lambda: (
            a.say("rooms"), a.lines("^room ops here=2 topic=Deploys"))[1])
        until("all instances are known", lambda: (
            a.say("instances"), a.lines("^instances 2"))[1])
        a.out.wait("^instance b clients=7 rooms=2")
        # They are written after the lease.
        until("its clients are counted", lambda: server.ask(
            "HGET", "socket:clients:counts", "b") == "7")
        until("its time is told", lambda: int(server.ask(
            "HGET", "socket:clients:lastUpdate", "b") or 0) > 10**12)
        c.program.end_input()
        self.assertEqual(c.program.wait(), 0)
        # It does not wait long for Redis to have done so.
        for key, field in (("socket:clients:counts", "c"),
                           ("{chat}:inst", "c"), ("{ops}:who", "linh")):
            until(f"it has left {key}",
                  lambda: server.ask("HGET", key, field) is None)

    def test_two_instances_of_one_name(self):
        _, address = self.redis()
        a = self.instance("a", address)
        other = self.instance("a", address)
        other.out.wait("^refused: instance = a: another instance")
        self.assertEqual(other.program.wait(), 1)
        # One that was killed may start again, a little later.
        a.program.process.kill()
        self.instance("a", address).out.wait("^ready")


class History(Case):
    def store(self):
        folder = tempfile.TemporaryDirectory(prefix="chat_store.")
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "chat.db")

    def test_the_archive_has_what_was_said_while_it_was_away(self):
        _, address = self.redis()
        path = self.store()
        a = self.instance("a", address)
        a.follow("ops")
        b = self.instance("b", address, store=path)
        b.follow("ops")
        a.say("post", "ops", mid(0), "x")
        b.out.wait("^message ops \\d+-1 ")
        b.program.end_input()
        b.program.wait()
        for i in range(1, 1300):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^posted ops \\d+-1300 ")
        b = self.instance("b", address, store=path)
        b.follow("ops")
        b.say("read", "store", "ops", "after", "0-0", 500)
        first = b.out.wait("^page ops 500 more (\\d+)-1 ")
        for after in (500, 1000):
            b.say("read", "store", "ops", "after", f"{first[1]}-{after}", 500)
        b.out.wait(f"^page ops 500 more {first[1]}-501 ")
        b.out.wait(f"^page ops 300 {first[1]}-1001 ")
        b.say("retry", "ops", mid(0), "x")  # long ago
        b.out.wait("^posted ops \\d+-1 ")

    def test_the_archive_has_repeats(self):
        _, address = self.redis()
        a = self.instance("a", address, store=self.store())
        a.follow("ops")
        for i in (1, 2, 1, 3):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^message ops \\d+-4 ")
        a.out.wait("^repeat ops \\d+-3 ")
        a.say("read", "store", "ops", "after", "0-0", 10)
        a.out.wait("^page ops 4 \\d+-1 \\d+-2 \\d+-3r \\d+-4$")

    def test_a_room_that_nobody_here_follows(self):
        _, address = self.redis()
        a = self.instance("a", address)
        a.follow("ops")
        for i in range(10):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^posted ops \\d+-10 ")
        until("it is listed", lambda: (
            a.say("rooms"), a.lines("^room ops"))[1])
        b = self.instance("b", address, store=self.store())
        until("the archive has it", lambda: (
            b.say("read", "store", "ops", "before", "0-0", 50),
            b.lines("^page ops 10 "))[1])

    def test_history_without_redis(self):
        server, address = self.redis()
        path = self.store()
        a = self.instance("a", address, store=path)
        a.follow("ops")
        for i in range(10):
            a.say("post", "ops", mid(i), "x")
        a.out.wait("^message ops \\d+-10 ")
        a.program.end_input()
        a.program.wait()
        server.kill()
        a = self.instance("a", address, store=path)
        a.say("follow", "ops")
        a.out.wait("^open ops \\d+-10 10 ")
        a.say("read", "bus", "ops", "before", "0-0", 5)
        a.out.wait("^page ops 0 failed")


class InCluster(Case):
    def cluster(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(cluster.end)
        return cluster

    def test_rooms_on_all_nodes(self):
        cluster = self.cluster()
        instances = self.three(cluster.address, "cluster")
        rooms = [f"room{i}" for i in range(12)]
        for room in rooms:
            for instance in instances:
                instance.follow(room)
            for i in range(10):
                instances[i % 3].say("post", room, mid(i, room), "x")
        for room in rooms:
            self.agree(instances, 10, room)
        self.nicks(instances)
        instances[0].say("shards")
        instances[0].out.wait("^shards 3")
        owners = {cluster.owner(f"{{{room}}}:log")[1].port for room in rooms}
        self.assertEqual(len(owners), 3)

    def test_a_slot_moves_there_and_back(self):
        cluster = self.cluster()
        instances = self.three(cluster.address, "cluster")
        talk = Talk(instances, "ops")
        slot, source = cluster.owner("{ops}:log")
        target = [m for m in cluster.masters if m is not source][0]
        def settle():
            """Half moved: what is said now gets its id at the other node."""
            talk.until(20)
            count = talk.count
            until("it is acked", lambda: sum(
                len(each.acked("ops")) for each in instances) >= count)

        for _ in range(3):
            talk.until(50)
            cluster.move(slot, source, target, settle)
            talk.until(50)
            cluster.move(slot, target, source, settle)
        talk.until(50)
        seen = self.agree(instances, talk.end())
        self.assertEqual([number(i)[1] for i, _ in seen],
                         list(range(1, len(seen) + 1)))

    def test_a_master_with_a_replica_is_killed(self):
        cluster = self.cluster(replicas=True)
        instances = self.three(cluster.address, "cluster")
        _, master = cluster.owner("{ops}:log")
        replica = cluster.replicas[cluster.masters.index(master)]
        talk = Talk(instances, "ops")
        talk.until(100)
        master.kill()
        until("the replica has taken over", lambda:
              "role:master" in replica.ask("INFO", "replication"))
        for instance in instances:
            instance.up(2)
        talk.until(100)
        count = talk.end()
        # The last moment of the master may be lost, but never in silence,
        # and nothing comes twice.
        for instance in instances:
            until("all is acked", lambda: len(
                instance.acked("ops")) >= len(range(
                    instances.index(instance), count, 3)))
        for instance in instances:
            mids = [m for _, m in instance.seen("ops")]
            self.assertEqual(len(mids), len(set(mids)))
        last = instances[0].seen("ops")[-1]
        for instance in instances:
            until("all have the last one",
                  lambda: last in instance.seen("ops"))

    def test_a_node_is_stopped(self):
        cluster = self.cluster()
        instances = self.three(cluster.address, "cluster")
        other = None
        for i in range(100):
            if cluster.owner(f"{{r{i}}}:log")[1] is not cluster.owner(
                    "{ops}:log")[1]:
                other = f"r{i}"
                break
        for instance in instances:
            instance.follow(other)
        talk = Talk(instances, "ops")
        talk.until(50)
        cluster.owner(f"{{{other}}}:log")[1].pause()
        for instance in instances:
            instance.out.wait("^state down")
        instances[0].say("post", other, mid(1), "x")
        instances[0].out.wait(f"^queued {other} ")
        for server in cluster.servers:
            server.resume()
        instances[0].out.wait(f"^late {other} ")
        talk.until(50)
        self.agree(instances, talk.end())


if __name__ == "__main__":
    if not SERVER:
        chatlab.skip_all("there is no redis-server (make deps)")
    unittest.main()
