# SPDX-License-Identifier: MIT
"""Twenty people behind l4lb, and everything that may fail does, under fifty
messages a second: mixed.sh runs this in a network of its own.

Seven speak lines, six JSON lines, six WebSocket, one sits at a browser. The
order of the faults is random; MIXED_SEED repeats one, MIXED_ROUNDS goes through
them so many times.
"""
import os
import random
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "web"))

from browser import Browser, Driver, missing
from chatlab import SERV, skip_all
from mixed_judge import Judge
from mixed_people import (ROOM, Json, Lines, LineSocket, Page, Socket, Talk)
from redislab import SERVER, Cluster, Error, Server, until
from weblab import Web, WebTest

L4LB = os.environ.get("L4LB", "l4lb")
SEED = int(os.environ.get("MIXED_SEED") or random.randrange(10**6))
ROUNDS = int(os.environ.get("MIXED_ROUNDS") or 1)
VIP, PORT = "198.18.0.1", 20000
REDIS, CHAT = "198.18.0.2", 9001
SERVERS = 3
# Of a chat_serv, which needs 10 MiB for this; sanitizers need more.
RSS_MAX_KB = 32 * 1024
# When nobody heard more for so long, nobody will: a page whose server died
# tries again after 15 s at most, and each try may take 10 s.
QUIET = 120
SANITIZED = os.environ.get("CHAT_SANITIZED")
LASTING = ("--bind", "127.0.0.1", REDIS, "--appendonly", "yes",
           "--appendfsync", "always")


def address(i):
    return f"198.18.0.1{i + 1}"


def on(host, *command):
    return ["ip", "netns", "exec", host, *command]


class Mixed(WebTest):
    def setUp(self):
        self.began = time.monotonic()
        self.random = random.Random(SEED)
        self.outages, self.rss_kb = [], 0
        self.programs = []
        self.note(f"seed {SEED} (MIXED_SEED={SEED} repeats this order)")

    def note(self, text):
        print(f"  {time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    # ------------------------------------------------------------- the parts

    def run_on(self, host, *command):
        program = self.start(on(host, *command), stdin=None)
        self.programs.append((f"{host} {os.path.basename(command[0])}",
                              program))
        return program

    def start_chat(self, redis):
        self.configs = [self.file(
            f"[chat]\nlisten = {address(i)}:{CHAT}\ninstance = i{i}\n"
            f"[redis]\n{redis}"
            f"[history]\nfile = {self.folder()}/chat.db\n")
            for i in range(SERVERS)]
        self.servers = [None] * SERVERS
        for i in range(SERVERS):
            self.start_server(i)
        for server in self.servers:
            server.out.wait("^redis: up")

    def start_server(self, i):
        self.servers[i] = self.run_on(f"b{i + 1}", SERV, "-c",
                                      self.configs[i])
        self.servers[i].out.wait("^listening ")

    def start_l4lb(self):
        backends = "".join(f"backend = {address(i)}:{CHAT}\n"
                           for i in range(SERVERS))
        self.l4lb = self.run_on("lb", L4LB, "--config", self.file(
            f"[service chat]\nlisten = {VIP}:{PORT}\n"
            f"check = http GET /health\ninterval = 1s\n{backends}"))
        self.l4lb.err.wait(" ready pid=")

    def start_people(self):
        kinds = [Lines] * 7 + [LineSocket] * 6 + [Socket] * 6
        self.people = []
        for i, kind in enumerate(kinds):
            person = (kind(f"lines{i}", VIP, PORT) if kind is Lines else
                      Json(kind, f"json{i}", VIP, PORT))
            self.addCleanup(person.end)
            self.people.append(person)
        why = missing()
        if why:
            self.note(f"nobody is at a browser: {why}")
            self.people.append(Json(Socket, "json19", VIP, PORT))
            self.addCleanup(self.people[-1].end)
        else:
            self.people.append(self.start_page())
        self.all_are_here()

    def start_page(self):
        driver = Driver()
        self.addCleanup(driver.stop)
        window = Browser(driver)
        self.addCleanup(window.close)
        window.open(f"http://{VIP}:{PORT}/")
        window.wait("return document.querySelector('#nick').open")
        window.press(*"page", "\ue007")
        window.wait_text("#people", "page")
        page = Page(window, "page")
        self.addCleanup(page.end)
        return page

    # ------------------------------------------------------------- conditions

    def all_are_here(self):
        until("all are connected",
              lambda: all(person.is_here for person in self.people))

    def health(self, i):
        try:
            web = Web(CHAT, address=address(i))
            try:
                return web.get("/health").json()
            finally:
                web.close()
        except (OSError, AssertionError, ValueError):
            return {}

    def redis_is(self, state):
        for i in range(SERVERS):
            until(f"i{i} says that Redis is {state}",
                  lambda: self.health(i).get("redis") == state)

    def look_at_memory(self):
        for server in self.servers:
            with open(f"/proc/{server.process.pid}/status") as status:
                found = [line.split()[1] for line in status
                         if line.startswith("VmHWM:")]
            self.rss_kb = max(self.rss_kb, *map(int, found))

    # ----------------------------------------------------------------- faults

    def kill_instance(self, i):
        server = self.servers[i]
        server.process.kill()
        server.wait()
        self.talk.until(50)
        self.all_are_here()
        self.start_server(i)
        until("it works", lambda: self.health(i).get("redis") == "up")
        self.talk.until(50)

    def in_place(self):
        """What all have been shown in its place, before Redis goes. One server
        may have heard of a message what the one that posted it has not."""
        said = dict(self.talk.said)
        return set(said).difference(*(person.lacks(said)
                                      for person in self.people))

    def while_redis_is_away(self, leave, come_back, more=100):
        in_place = self.in_place()
        leave()
        self.redis_is("down")
        self.talk.until(more)
        come_back()
        self.redis_is("up")
        # What was said until now has an id, or is known to be acknowledged.
        until("what was said meanwhile is acknowledged", self.is_acked)
        self.outages.append((in_place, time.monotonic()))

    def is_acked(self):
        now = list(self.talk.said)
        def old(mid):
            return mid[-9:] in now[:-100]
        return not any(old(mid) for person in self.people
                       if isinstance(person, Json)
                       for mid in list(person.unacked))

    def run_faults(self, faults):
        faults += [("kill -9 of i" + str(i), lambda i=i: self.kill_instance(i))
                   for i in range(SERVERS)]
        faults *= ROUNDS
        self.random.shuffle(faults)
        self.note("faults: " + ", ".join(name for name, _ in faults))
        self.talk = Talk(self.people)
        self.addCleanup(self.talk.end)
        self.talk.until(50)
        for name, fault in faults:
            before = len(self.talk.said)
            fault()
            self.look_at_memory()
            self.note(f"{name}: {len(self.talk.said) - before} messages")
        self.talk.until(50)
        self.talk.end()

    # -------------------------------------------------------------- the end

    def entries(self):
        return self.log_server().ask("XRANGE", f"{{{ROOM}}}:log", "-", "+")

    def look(self):
        """A look at what holds now."""
        for person in self.people:
            person.again()
        judge = Judge(self.entries(), self.people, self.talk.said,
                      self.outages)
        return judge, judge.all()

    def heard(self):
        """How much all of them were shown."""
        return sum(person.heard for person in self.people)

    def judge(self):
        """What is under way when the talk ends comes, as long as anybody hears
        more; what is broken does not mend itself by that."""
        heard = -1
        judge, broken = self.look()
        def holds():
            nonlocal judge, broken
            if broken:
                judge, broken = self.look()
            return not broken
        while broken and heard != self.heard():
            heard = self.heard()
            self.note("waits for " + "; ".join(
                each[:60] for each in broken[:5]))
            try:
                until("all of it holds", holds, QUIET)
            except AssertionError as error:
                self.note(f"never: {error}")
        json_ = [p for p in self.people if isinstance(p, Json)]
        lines = [p for p in self.people if isinstance(p, Lines)]
        self.look_at_memory()
        self.note(
            f"{len(self.talk.said)} messages said in {self.talk.took:.0f} s, "
            f"{len(self.talk.said) / self.talk.took:.0f} a second; "
            f"{len(judge.log)} in the log, {judge.again} of them twice there; "
            f"{sum(len(p.told) for p in json_)} shown without an id first; "
            f"{sum(p.connections for p in json_)} connections of JSON "
            f"clients, {sum(len(p.connections) for p in lines)} of line "
            f"clients")
        self.note(f"the most memory of a chat_serv: {self.rss_kb} KiB")
        if self.rss_kb > RSS_MAX_KB and not SANITIZED:
            broken.append(f"memory: {self.rss_kb} KiB")
        if broken:
            self.show_all()
        self.assertEqual(broken, [])
        for server in self.servers:
            server.process.terminate()
        for i, server in enumerate(self.servers):
            self.assertEqual(server.wait(), 0, f"i{i}: {server.err.lines}")

    def show_all(self):
        for name, program in self.programs:
            for which, output in ("out", program.out), ("err", program.err):
                if output.lines:
                    print(f"  ---- {name}, end of std{which}", *output.lines[
                        -15:], sep="\n  ", flush=True)



class Standalone(Mixed):
    def log_server(self):
        return self.redis

    def kill_redis(self):
        self.while_redis_is_away(self.redis.kill, self.redis.start)

    def stop_redis(self):
        self.while_redis_is_away(self.redis.pause, self.redis.resume, 500)

    def test_all(self):
        self.redis = Server(*LASTING)
        self.addCleanup(self.redis.end)
        self.start_chat(f"mode = standalone\nhost = {REDIS}\n"
                        f"port = {self.redis.port}\n")
        self.start_l4lb()
        self.start_people()
        self.run_faults([
            ("kill -9 of Redis", self.kill_redis),
            ("SIGSTOP of Redis for 10 s", self.stop_redis)])
        self.judge()


class InCluster(Mixed):
    KEY = f"{{{ROOM}}}:log"

    def nodes(self, key=KEY):
        """Who has it now, and that one's replica."""
        def find():
            for server in self.cluster.servers:
                try:
                    slot = server.ask("CLUSTER", "KEYSLOT", key)
                    for low, high, *nodes in server.ask("CLUSTER", "SLOTS"):
                        if low <= slot <= high and len(nodes) == 2:
                            by_port = {s.port: s
                                       for s in self.cluster.servers}
                            return slot, *(by_port[n[1]] for n in nodes)
                except (OSError, Error):
                    pass
        return until("it has a master and a replica", find)

    def log_server(self):
        return self.nodes()[1]

    def is_well(self):
        """All nodes agree, and each master has its replica's ear."""
        def well(server):
            try:
                info = server.ask("INFO", "replication")
                return "cluster_state:ok" in server.ask("CLUSTER", "INFO") and (
                    "master_link_status:up" in info if "role:slave" in info
                    else "connected_slaves:1" in info)
            except (OSError, Error):
                return False
        until("the cluster is well", lambda: all(
            well(server) for server in self.cluster.servers))

    def stop_redis(self):
        def each(what):
            for server in self.cluster.servers:
                what(server)
        self.while_redis_is_away(lambda: each(Server.pause),
                                 lambda: each(Server.resume), 500)
        self.is_well()

    def kill_master(self):
        _, master, replica = self.nodes()
        in_place = self.in_place()
        master.kill()
        until("the replica has taken over", lambda:
              "role:master" in replica.ask("INFO", "replication"))
        self.redis_is("up")
        until("what was said meanwhile is acknowledged", self.is_acked)
        self.outages.append((in_place, time.monotonic()))
        self.talk.until(50)
        master.start()
        self.is_well()

    def kill_both(self):
        _, master, replica = self.nodes()
        def kill():
            replica.kill()
            master.kill()
        def start():
            master.start()
            replica.start()
        self.while_redis_is_away(kill, start)
        self.is_well()

    def move_slot(self):
        slot, source, _ = self.nodes()
        others = [node[1] for _, _, node, *_ in source.ask("CLUSTER", "SLOTS")
                  if node[1] != source.port]
        target = [s for s in self.cluster.servers if s.port == others[0]][0]
        for one, other in (source, target), (target, source):
            self.cluster.move(slot, one, other, lambda: self.talk.until(25))
            self.talk.until(50)

    def test_all(self):
        self.cluster = Cluster(replicas=True, more=(
            *LASTING, "--cluster-announce-ip", REDIS))
        self.addCleanup(self.cluster.end)
        nodes = ",".join(f"{REDIS}:{s.port}" for s in self.cluster.masters)
        self.start_chat(f"mode = cluster\nnodes = {nodes}\n")
        self.start_l4lb()
        self.start_people()
        self.run_faults([
            ("SIGSTOP of Redis for 10 s", self.stop_redis),
            ("kill -9 of a master", self.kill_master),
            ("kill -9 of a master and its replica", self.kill_both),
            ("a slot moves there and back", self.move_slot)])
        self.judge()


if __name__ == "__main__":
    if not SERVER:
        skip_all("there is no redis-server (make deps)")
    unittest.main()
