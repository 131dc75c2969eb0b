#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
program.py - l4lbctl against a server with canned answers

    program.py L4LBCTL TOP_OF_TREE

Runs with a /run of its own (tests/kernel/in_namespace.sh).
"""

import json
import os
import pty
import re
import subprocess
import sys
import time
import unittest

import canned

CTL = os.path.abspath(sys.argv[1])
TOP = os.path.abspath(sys.argv[2])
DIR = "/run/l4lb"
ERROR = {"error": {"code": "no-such-backend", "message":
                   'backend "backend9" is not known; there are backend1',
                   "generation": 42}}


def run(*words, given="", env=None):
    """l4lbctl with @words: exit code, output, errors. In 80 columns, UTF-8."""
    done = subprocess.run(
        [CTL, *words], input=given, capture_output=True, text=True, timeout=60,
        check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                          "COLUMNS": "80", "TZ": "UTC", **(env or {})})
    return done.returncode, done.stdout, done.stderr


class Balancer(unittest.TestCase):
    """With a balancer called 20000."""

    def setUp(self):
        os.makedirs(DIR, exist_ok=True)
        self.server = canned.start(f"{DIR}/20000.sock")

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        for name in os.listdir(DIR):
            os.unlink(f"{DIR}/{name}")

    def answer(self, what, answer, status=200):
        """@what: "GET /lb/..."; @answer: JSON, a text or a function."""
        self.server.answers[what] = \
            answer if callable(answer) else (status, answer)

    def ok(self, *words, **more):
        """Its output; it must succeed and complain of nothing."""
        code, out, err = run(*words, **more)
        self.assertEqual((code, err), (0, ""))
        return out

    def asked(self):
        """The last request: method, path, query, body."""
        return self.server.seen[-1][:4]

    def asked_body(self):
        """What it carried."""
        return json.loads(self.asked()[3])


class Tables(Balancer):
    """What is shown."""

    def test_status(self):
        self.assertEqual(self.ok("status"), """\
l4lb 20000  up 3d04h  generation 42  flows 1204/65536  24460 conns  9 failed

SERVICE chat  198.18.0.1:20000  wrr  check http GET /  3 of 4 up
  ID       ADDRESS          W ADMIN   HEALTH   FLOWS TOTAL BYTES FAIL SHAKE RETX
  backend1 198.18.0.11:9001 3 enabled up         602 15012  1.2G    0 0.4ms 0.0%
  backend2 198.18.0.12:9001 2 drain   up         402  9431  1.2G    0 0.4ms 0.0%
  backend3 198.18.0.13:9001 1 enabled DOWN 41s     0    17     0    9     -    -
  spare    198.18.0.14:9001 1 backup  up           0     0  1.2G    0 0.4ms 0.0%
""")

    def test_lines_fit_80_columns_in_any_locale(self):
        self.answer("GET /lb/backends", [
            canned.backend("a-name-of-thirty-one-characters",
                           "255.255.255.255:65535", weight=256,
                           admin="disabled", health="down", since_s=8e6,
                           active_connections=65536, total_connections=1e12,
                           failed_connections=1e9)])
        self.answer("GET /lb/stats", {**canned.STATS, "services": [
            {**canned.SERVICES[0], "check": "http GET /health" + "x" * 99,
             "listen": "255.255.255.255:65535", "away": True}]})
        for locale in "C.UTF-8", "C":
            for words in ("status",), ("backend", "list"):
                out = self.ok(*words, env={"LC_ALL": locale})
                self.assertIn("255.255.255.255:65535", out)
                for row in out.splitlines():
                    self.assertLessEqual(len(row), 80, out)
                self.assertEqual("…" in out, locale == "C.UTF-8")
                self.assertEqual("~" in out, locale == "C")

    def test_a_pipe_has_no_width(self):
        name = "a-name-of-thirty-one-characters"
        self.answer("GET /lb/backends", [
            canned.backend(name, "255.255.255.255:65535", weight=256,
                           admin="disabled", health="down", since_s=8e6)])
        out = self.ok("backend", "list", env={"COLUMNS": ""})
        self.assertIn(name, out)

    def test_a_terminal_has_one(self):
        parent, child = pty.openpty()
        subprocess.run([CTL, "status"], stdout=child, check=True, timeout=60,
                       env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        os.close(child)
        out = os.read(parent, 65536).decode()
        os.close(parent)
        self.assertIn("backend1", out)

    def test_rate(self):
        answers = iter([15012, 15324])

        def count(_query, _body):
            n = next(answers)
            return 200, [canned.backend("backend1", "198.18.0.11:9001",
                                        total_connections=n,
                                        bytes={"to": 0, "from": n * 10000})]
        self.answer("GET /lb/backends", count)
        begin = time.monotonic()
        out = self.ok("status", "--rate")
        took = time.monotonic() - begin
        row = re.search(r"backend1.* 602 +(\S+) +(\S+) ", out)
        self.assertAlmostEqual(float(row[1]), 312 / took, delta=100)
        self.assertAlmostEqual(float(row[2]), 24.96 / took, delta=8)
        self.assertIn("0.0 conn/s", out.splitlines()[0])

    def test_what_is_missing_is_a_dash(self):
        self.answer("GET /lb/backends", [{"id": "b", "service": "chat"}, 7])
        self.answer("GET /lb/stats", {"services": [{"name": "chat"}, "x"]})
        out = self.ok("status")
        self.assertTrue(out.startswith("l4lb -  up -  generation -  flows -/-"))
        self.assertIn("SERVICE chat  -  -", out)
        for words in ("flow", "7"), ("backend", "show", "b"), ("events",), \
                ("flows",), ("service", "list"), ("reload",), ("diff",), \
                ("save",), ("backend", "enable", "b"), ("set", "a=b"):
            for answer in {}, [], [7], {"flows": [7], "events": 7}:
                for method in "GET", "POST":
                    for path in ("flows/7", "backends/b", "events", "flows",
                                 "stats", "reload", "diff", "save",
                                 "backends/b/enable", "commands"):
                        self.answer(f"{method} /lb/{path}", answer)
                self.ok(*words)

    def test_hostile_text_does_nothing_to_a_terminal(self):
        self.answer("GET /lb/backends", [
            canned.backend("\x1b[2J", "\x1b]0;x\x07", service="chat")])
        out = self.ok("status")
        self.assertNotIn("\x1b", out)
        self.assertIn("?[2J", out)

    def test_neither_do_errors_and_what_should_be_a_number(self):
        self.answer("GET /lb/backends", {"error": {
            "code": "x", "message": "\x1b[2J \x9b2J"}}, 400)
        code, _, err = run("backend", "list")
        self.assertEqual((code, err), (1, "l4lbctl: ?[2J ?2J\n"))
        self.answer("GET /lb/stats", {**canned.STATS, "generation": "\x1b[2J"})
        self.answer("GET /lb/backends", [])
        self.assertIn("generation ?[2J", self.ok("status"))
        self.answer("GET /lb/flows/17", {**canned.flow(17), "id": "\x1b[2J"})
        self.assertIn("flow ?[2J ", self.ok("flow", "17"))

    def test_backend_show(self):
        self.answer("GET /lb/backends/backend3", {
            **canned.BACKENDS[2], "downs": 1,
            "check": {"last": "failed", "text": "connection refused",
                      "ms": 0.2, "fails": 12}})
        out = self.ok("backend", "show", "backend3")
        self.assertEqual(out, """\
backend3  198.18.0.13:9001 of chat
  admin        enabled
  weight       1
  health       down for 41s; down 1 time, 41s in all
  last check   connection refused, took 0.2ms, 12 failed in a row
  breaker      closed
  connections  0 open, 17 in all, 9 failed
  bytes        0 to it, 0 from it
  retransmits  10 to it, 20 from it
  handshake    last -, average -, half below -, 99% below -
  first byte   last 3.2ms, average 3.1ms, half below 3.0ms, 99% below 12ms
  last event   Nov 29 06:25:09  down: no answer, 3 checks
""")

    def test_flows(self):
        self.answer("GET /lb/flows", {"flows": [canned.flow(17),
                                                canned.flow(123456)],
                                      "scanned": 65536, "next": 500})
        self.assertEqual(
            self.ok("flows", "client=10.0.0.0/8", "age>10m", "--limit", "2"),
            """\
  FLOW CLIENT                NAT BACKEND  STATE          AGE IDLE SENT  GOT
    17 203.0.113.17:40112  10257 backend1 ESTABLISHED  3m30s 0.8s  212 1.1k
123456 203.0.113.206:40112 13696 backend1 ESTABLISHED 17d17h 0.8s  212 1.1k
there are more: --limit N or --all
""")
        self.assertEqual(self.asked(), (
            "GET", "/lb/flows", "client=10.0.0.0%2F8&age%3E10m&limit=2", ""))

    def test_flow(self):
        self.answer("GET /lb/flows/17", {
            **canned.flow(17), "end": "closed", "events": [
                {"seq": 7, "t_s": 0, "what": "opened", "backend": "backend3",
                 "why": "wrr"},
                {"seq": 8, "t_s": 0.302, "what": "redispatched",
                 "backend": "backend1", "why": "wrr"}]})
        self.assertEqual(self.ok("flow", "17"), """\
flow 17  chat  ESTABLISHED  age 3m30s  idle 0.8s
  client    203.0.113.17:40112 -> 198.18.0.1:20000
  backend   198.18.0.1:10257 -> 198.18.0.11:9001 (backend1)
              PACKETS  BYTES  RETRANSMITS
  to backend        4    212            0
  to client         9   1140            1
  handshake 0.4ms, first byte 3.2ms, 2 backends tried, ended: closed
  +0.000s  backend3  opened: wrr
  +0.302s  backend1  redispatched: wrr
""")

    def test_events(self):
        self.assertEqual(self.ok("events", "kind=backend"), """\
Nov 29 06:25:09  chat/backend3  down: no answer, 3 checks
Nov 29 06:25:50  command: backend drain chat backend2  (by uid:0)
Nov 29 06:26:00  chat/backend1  203.0.113.17:40112  flow 17  ended: closed
""")
        self.assertEqual(self.asked()[2], "kind=backend")

    def test_service_list(self):
        self.assertEqual(self.ok("service", "list"), """\
SERVICE  LISTEN            SCHEDULER  CHECK        UP  FLOWS  TOTAL  FAIL
chat     198.18.0.1:20000  wrr        http GET /  3/4   1004  24460     9
""")


class Requests(Balancer):
    """What is sent, and what is said of the answer."""

    def setUp(self):
        super().setUp()
        for path in "backends/add", "backends/backend2/drain", \
                "backends/backend2/enable", "backends/backend2/disable", \
                "backends/backend2/weight":
            self.answer(f"POST /lb/{path}", canned.BACKENDS[1])

    def test_backend_changes(self):
        line = "backend2  198.18.0.12:9001 of chat: drain, up, weight 2, " \
               "402 connections\n"
        for words, path, query, body in (
                ("drain backend2 for=5m then=reset", "backend2/drain", "",
                 {"for": "5m", "then": "reset"}),
                ("drain chat backend2", "backend2/drain", "service=chat", {}),
                ("enable backend2", "backend2/enable", "", {}),
                ("disable backend2 then=keep", "backend2/disable", "",
                 {"then": "keep"}),
                ("weight backend2 5", "backend2/weight", "", {"weight": 5}),
                ("weight chat backend2 0", "backend2/weight", "service=chat",
                 {"weight": 0}),
                ("add localhost:8004 weight=2", "add", "",
                 {"host": "localhost", "port": 8004, "weight": 2}),
                ("add chat 10.0.0.1:80 backup id=x", "add", "",
                 {"host": "10.0.0.1", "port": 80, "backup": True, "id": "x",
                  "service": "chat"})):
            with self.subTest(words):
                self.assertEqual(self.ok("backend", *words.split()), line)
                self.assertEqual(self.asked()[:3],
                                 ("POST", f"/lb/backends/{path}", query))
                self.assertEqual(self.asked_body(), body)

    def test_backend_remove(self):
        self.answer("DELETE /lb/backends/backend2/remove",
                    {"id": "backend2", "state": "leaving", "flows": 7}, 202)
        self.assertEqual(self.ok("backend", "remove", "backend2", "then=keep"),
                         "backend2 leaves: 7 connections are left\n")
        self.assertEqual(self.asked()[:3], (
            "DELETE", "/lb/backends/backend2/remove", "then=keep"))
        self.answer("DELETE /lb/backends/backend2/remove",
                    {"id": "backend2", "state": "removed", "flows": 0})
        self.assertEqual(self.ok("backend", "remove", "backend2"),
                         "backend2 is removed\n")

    def test_dry_run(self):
        change = {"generation": 42, "dry_run": True,
                  "changes": ["backend drain chat backend2"]}
        self.answer("POST /lb/backends/backend2/drain", change)
        self.assertEqual(
            self.ok("backend", "drain", "backend2", "--dry-run"),
            "backend drain chat backend2\n")
        self.assertEqual(self.asked()[2], "dry_run=1")

    def test_commands(self):
        self.answer("POST /lb/commands", {"generation": 43, "lines": []})
        self.assertEqual(
            self.ok("service", "set", "web", "check=http GET /"),
            "done; generation 43\n")
        self.assertEqual(self.asked(), ("POST", "/lb/commands", "",
                                        "service set web 'check=http GET /'\n"))
        self.assertIn("text/plain", self.server.seen[-1][4]["Content-Type"])
        self.ok("set", "idle_timeout=2h", "keepalive=off")
        self.assertEqual(self.asked()[3],
                         "set idle_timeout=2h keepalive=off\n")
        self.ok("raw", given="set keepalive=off\nset mss_clamp=auto\n")
        self.assertEqual(self.asked()[3],
                         "set keepalive=off\nset mss_clamp=auto\n")
        self.answer("POST /lb/commands",
                    {"generation": 43, "lines": ["loop recent_us=7"]})
        self.assertEqual(self.ok("raw", "loop"), "loop recent_us=7\n")
        self.assertEqual(run("raw", given="x" * 70000)[0], 2)

    def test_reload_diff_save(self):
        reload = {
            "generation": 43,
            "changes": ["backend add chat 198.18.0.14:9001 weight=1"],
            "kept": ["backend2 weight=5 (set at run time)"],
            "needs_restart": ["flows 65536 -> 131072"]}
        self.answer("POST /lb/reload", reload)
        told = """\
backend add chat 198.18.0.14:9001 weight=1
kept: backend2 weight=5 (set at run time)
needs a restart: flows 65536 -> 131072
"""
        self.assertEqual(self.ok("reload"), told + "done; generation 43\n")
        self.assertEqual(self.ok("reload", "--dry-run", "--reset"), told)
        self.assertEqual(self.asked()[2], "dry_run=1&reset=1")
        self.answer("POST /lb/reload", {"generation": 43, "changes": []})
        self.assertEqual(self.ok("reload"),
                         "nothing had to change; generation 43\n")
        self.answer("GET /lb/diff", {
            "changes": [*reload["changes"], "set next_id=7"]})
        self.assertEqual(self.ok("diff"), told.splitlines(True)[0])
        self.answer("POST /lb/save", {"saved": "/var/lib/l4lb/x.changes"})
        self.assertEqual(self.ok("save"), "saved in /var/lib/l4lb/x.changes\n")
        self.answer("GET /lb/config", "[global]\nname = x\n")
        self.assertEqual(self.ok("save", "--print"), "[global]\nname = x\n")
        self.assertEqual(self.asked()[2], "format=ini")

    def test_kill(self):
        self.answer("DELETE /lb/flows/17", {"id": 17}, 202)
        self.assertEqual(self.ok("flow", "17", "kill"), "flow 17 is reset\n")
        self.assertEqual(run("flow", "17", "kil")[0], 2)

    def test_stop_waits_for_the_end(self):
        def end(_query, _body):
            self.server.hang_up = True
            os.unlink(f"{DIR}/20000.sock")
            return 202, {"state": "stopping"}
        self.answer("POST /lb/stop", end)
        self.assertEqual(self.ok("stop"), "l4lb has ended\n")

    def test_a_refusal_is_a_sentence_and_exit_1(self):
        self.answer("POST /lb/backends/backend2/drain", ERROR, 404)
        words = "backend", "drain", "backend2"
        self.assertEqual(run(*words), (
            1, "", 'l4lbctl: backend "backend9" is not known; there are '
            'backend1\n'))
        code, out, err = run("--json", *words)
        self.assertEqual((code, json.loads(out)), (1, ERROR))
        self.assertIn("is not known", err)
        for rubbish in "", "<html>", "[]", '{"error":7}', "\0":
            self.answer("POST /lb/backends/backend2/drain", rubbish, 500)
            code, out, err = run(*words)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("HTTP status 500", err)
            self.answer("POST /lb/backends/backend2/drain", rubbish)
            if rubbish != "[]" and not rubbish.startswith("{"):
                code, out, err = run(*words)
                self.assertEqual((code, out), (1, ""))
                self.assertIn("is not JSON", err)

    def test_a_balancer_that_does_not_answer_is_exit_3(self):
        self.answer("GET /lb/stats", {"error": {
            "message": "l4lb does not answer"}}, 503)
        self.assertEqual(run("service", "list"), (
            3, "", "l4lbctl: l4lb does not answer\n"))
        self.answer("GET /lb/stats", lambda _query, _body: "hang up")
        code, _, err = run("service", "list")
        self.assertEqual(code, 3)
        self.assertIn("broke the connection", err)

    def test_json_is_passed_on(self):
        self.assertEqual(json.loads(self.ok("status", "--json")),
                         canned.STATS)
        self.assertEqual(json.loads(self.ok("service", "list", "--json")),
                         canned.SERVICES)
        self.assertEqual(json.loads(self.ok("-j", "backend", "list")),
                         canned.BACKENDS)
        self.assertEqual(
            json.loads(self.ok("backend", "enable", "backend2", "--json")),
            canned.BACKENDS[1])


class Streams(Balancer):
    """Answers of any length."""

    def test_a_million_flows_in_little_memory(self):
        line = json.dumps(canned.flow(17))
        held = []

        def lines(ctl):
            for n in range(50000):
                if n in (5000, 49999):
                    with open(f"/proc/{ctl.pid}/status", encoding="ascii") as f:
                        held.append(int(re.search(r"VmHWM:\s+(\d+)",
                                                  f.read())[1]))
                yield line
        for words in (), ("--json",):
            with subprocess.Popen(
                    [CTL, *words, "flows", "--all", "state=ESTABLISHED"],
                    stdout=subprocess.PIPE, text=True) as ctl:
                self.answer("GET /lb/flows", lambda *_: (200, lines(ctl)))
                out = ctl.stdout.read().splitlines()
            self.assertEqual(self.asked()[2], "state=ESTABLISHED&stream=1")
            if words:
                self.assertEqual(out, [line] * 50000)
            else:
                self.assertEqual((len(out), len(set(out))), (50001, 2))
            # All lines are 18 MB, as objects five times as much.
            self.assertLess(held[-1] - held[-2], 2000)

    def test_an_error_in_the_middle(self):
        self.answer("GET /lb/flows", lambda query, _: (
            200, iter([json.dumps(canned.flow(17)), json.dumps(ERROR)])))
        code, out, err = run("flows", "--all")
        self.assertEqual(code, 1)
        self.assertIn("203.0.113.17", out)
        self.assertIn("is not known", err)

    def test_a_reader_that_has_enough(self):
        self.answer("GET /lb/flows", lambda query, _: (
            200, (json.dumps(canned.flow(n)) for n in range(10**9))))
        with subprocess.Popen([CTL, "flows", "--all"], text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as ctl:
            self.assertIn("CLIENT", ctl.stdout.readline())
            ctl.stdout.close()
            self.assertEqual(ctl.wait(60), 0)
            self.assertEqual(ctl.stderr.read(), "")

    def test_a_line_without_end(self):
        self.answer("GET /lb/flows", lambda query, _: (
            200, iter(["x" * 200000])))
        code, _, err = run("flows", "--all")
        self.assertEqual(code, 1)
        self.assertIn("longer than any", err)

    def test_follow(self):
        def events(query, _body):
            since = int(query.get("since", ["9811"])[0])
            more = {**canned.EVENTS[0], "seq": since, "why": f"number {since}"}
            return 200, {"events": [more], "next": since + 1,
                         "lost": 3 if since == 9812 else 0}
        self.answer("GET /lb/events", events)
        with subprocess.Popen([CTL, "events", "-f"], text=True,
                              stdout=subprocess.PIPE,
                              env={"TZ": "UTC"}) as ctl:
            self.assertIn("number 9811", ctl.stdout.readline())
            self.assertIn("3 events are lost", ctl.stdout.readline())
            self.assertIn("number 9812", ctl.stdout.readline())
            # Nobody there for a moment: it goes on where it was.
            self.answer("GET /lb/events", lambda query, _: "hang up")
            count = len(self.server.seen)
            while len(self.server.seen) < count + 2:
                time.sleep(0.01)
            self.answer("GET /lb/events", events)
            self.assertRegex(ctl.stdout.readline(), "number 981[34]")
            ctl.kill()

    def test_follow_keeps_up_with_many(self):
        asked_at = []
        def events(query, _body):
            since = int(query.get("since", ["1"])[0])
            asked_at.append(time.monotonic())
            return 200, {"events": [{**canned.EVENTS[0], "seq": since + i,
                                     "why": f"number {since + i}"}
                                    for i in range(100)],
                         "next": since + 100, "lost": 0}
        self.answer("GET /lb/events", events)
        with subprocess.Popen([CTL, "events", "-f"], text=True,
                              stdout=subprocess.PIPE,
                              env={"TZ": "UTC"}) as ctl:
            for _ in range(2000):
                line = ctl.stdout.readline()
            ctl.kill()
        self.assertIn("number 2000\n", line)
        # It pauses for half a second only when there is no more.
        self.assertLess(min(after - before for before, after
                            in zip(asked_at, asked_at[1:])), 0.45)


class Finding(Balancer):
    """Which balancer is asked."""

    def test_several(self):
        other = canned.start(f"{DIR}/web.sock")
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        code, out, err = run("status")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("20000, web; choose one with -n NAME", err)
        self.ok("-n", "20000", "status")
        self.assertEqual(other.seen, [])
        self.ok("status", "--name", "web")
        self.assertNotEqual(other.seen, [])

    def test_a_dead_one_is_not_one(self):
        canned.stale(f"{DIR}/dead.sock")
        self.ok("status")
        code, _, err = run("-n", "dead", "status")
        self.assertEqual(code, 3)
        self.assertIn('no l4lb named "dead" answers; there is 20000', err)

    def test_none(self):
        os.rename(f"{DIR}/20000.sock", "/run/elsewhere.sock")
        code, _, err = run("status")
        self.assertEqual(code, 3)
        self.assertIn(f"nobody answers in {DIR}", err)
        self.ok("status", "--socket", "/run/elsewhere.sock")
        code, _, err = run("status", "--socket", "/run/nowhere.sock")
        self.assertEqual(code, 3)
        self.assertIn("nobody answers at /run/nowhere.sock", err)
        with open(f"{DIR}/web.control", "w", encoding="ascii"):
            pass
        code, _, err = run("status")
        self.assertEqual(code, 3)
        self.assertIn('l4lb "web" has no API', err)
        os.unlink("/run/elsewhere.sock")
        for name in "", "a/b", "x" * 200:
            code, _, err = run("-n", name, "status")
            self.assertEqual(code, 2)
            self.assertIn("cannot be the name", err)

    def test_somebody_else_is_told_to_use_sudo(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        os.chmod("/run", 0o755)
        for path, mode in (DIR, 0o700), (f"{DIR}/20000.sock", 0o600):
            os.chmod(DIR, 0o755)
            os.chmod(path, mode)
            for words in (), ("-n", "20000"), \
                    ("--socket", f"{DIR}/20000.sock"):
                try:
                    done = subprocess.run([CTL, *words, "status"], user=65534,
                                          capture_output=True, text=True,
                                          check=False, timeout=60)
                except PermissionError:
                    self.skipTest("no other user here")
                self.assertEqual(done.returncode, 1)
                self.assertIn("run it with sudo", done.stderr)

    def test_another_host(self):
        server = canned.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with open("/run/token", "w", encoding="ascii") as f:
            f.write("secret-word\n")
        proxy = {"http_proxy": "http://127.0.0.1:9"}
        self.ok("--url", url, "status", env=proxy)
        self.assertNotIn("Authorization", server.seen[-1][4])
        self.ok("--url", url + "/", "status", "--token-file", "/run/token")
        self.assertEqual(server.seen[-1][4]["Authorization"],
                         "Bearer secret-word")
        self.ok("--url", url, "status", env={"L4LB_TOKEN_FILE": "/run/token"})
        self.assertIn("Authorization", server.seen[-1][4])
        # By the socket nobody needs it.
        self.ok("status", env={"L4LB_TOKEN_FILE": "/run/token"})
        self.assertNotIn("Authorization", self.server.seen[-1][4])
        for text, why in ("", "is empty"), ("a b\n", "character"), \
                ("x" * 600, "longer"):
            with open("/run/token", "w", encoding="ascii") as f:
                f.write(text)
            code, _, err = run("--url", url, "status", "--token-file",
                               "/run/token")
            self.assertEqual(code, 2)
            self.assertIn(why, err)
        self.assertEqual(run("--url", url, "--token-file", "/nowhere",
                             "status")[0], 2)
        self.assertEqual(run("--url", "ftp://127.0.0.1/", "status")[0], 2)
        self.assertEqual(run("--url", "http://127.0.0.1:1", "status")[0], 3)


class Usage(Balancer):
    """What is wrong by itself is exit 2, and nobody is asked."""

    def test_wrong_words(self):
        for words, why in (
                ("", "no subcommand"), ("stat", 'unknown subcommand "stat"'),
                ("backend", "backend what? There are list, show, add"),
                ("backend kill", 'unknown action "kill" of backend'),
                ("status now", "that is too much; usage: l4lbctl status"),
                ("flow", "something is missing; usage: l4lbctl flow NUMBER"),
                ("status --limit 5", "status does not take --limit"),
                ("flows --rate", "flows does not take --rate"),
                ("flows --all --limit 5", "contradict each other"),
                ("flows --limit", "option --limit needs a value"),
                ("-x status", "unknown option -x"),
                ("--wrong status", "option --wrong is unknown"),
                ("-n a --url http://b status", "only one of them"),
                ("backend weight b1 much", 'weight "much"'),
                ("backend add chat", '"chat": expected HOST:PORT'),
                ("backend add 10.0.0.1:0", "expected HOST:PORT"),
                ("backend add :80", "expected HOST:PORT"),
                ("backend remove b1 for=5m", "takes then="),
                ("backend drain a b c", "expected [SERVICE] ID"),
                ("flows " + "x" * 5000, "longer than")):
            with self.subTest(words[:40]):
                code, out, err = run(*words.split())
                self.assertEqual((code, out), (2, ""))
                self.assertIn(why, err)
        self.assertEqual(self.server.seen, [])

    def test_every_line_of_help_fits(self):
        overview = self.ok("--help")
        names = re.findall(r"^  ([a-z]+)(?: ([a-z]+))?  ", overview, re.M)
        self.assertGreater(len(names), 20)
        self.assertEqual(overview, self.ok("help"))
        for name, action in names:
            words = [name, action] if action else [name]
            text = self.ok(*words, "--help")
            self.assertEqual(text, self.ok("help", *words))
            self.assertTrue(text.startswith(
                f"Usage: l4lbctl {' '.join(words)}"), text)
            overview += text
        for line in overview.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([CTL, "status"], stdout=full, check=False,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write to standard output: No space left",
                      done.stderr)

    def test_the_manual_has_all_and_no_more(self):
        with open(f"{TOP}/docs/l4lbctl.8", encoding="utf-8") as f:
            page = f.read()
        shown = self.ok("--help")
        names = {" ".join(filter(None, found)) for found in re.findall(
            r"^  ([a-z]+)(?: ([a-z]+))?  ", shown, re.M)}
        items = set()
        for item in re.findall(r"^\.It Cm (.*)$", page, re.M):
            words = re.match(r"[a-z]+(?: [a-z]+)?", item)[0]
            items.add(words if words in names else words.split()[0])
        self.assertEqual(items, names)
        options = set(re.findall(r"^  (?:-\w, |    )--([a-z-]+)", shown, re.M))
        for name in names:
            options |= set(re.findall(r"^  (?:-\w, |    )--([a-z-]+)",
                                      self.ok(*name.split(), "--help"), re.M))
        self.assertGreater(len(options), 12)
        self.assertEqual(set(re.findall(r"^\.It .*Fl -([a-z-]+)", page, re.M)),
                         options)


class Completion(Balancer):
    """What bash offers."""

    def offered(self, line):
        """All that may follow @line, by the script that is installed."""
        script = (
            f'source "{TOP}/lb/ctl/l4lbctl.bash"\n'
            'compopt() { :; }\n'
            f'COMP_LINE={json.dumps(line)} COMP_POINT=${{#COMP_LINE}}\n'
            '_l4lbctl && printf "%s\\n" "${COMPREPLY[@]}"\n')
        done = subprocess.run(
            ["bash", "-c", f'l4lbctl() {{ "{CTL}" "$@"; }}\n' + script],
            capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_words(self):
        for line, words in (
                ("l4lbctl st", ["status", "stop"]),
                ("l4lbctl backend e", ["enable"]),
                ("l4lbctl flow 17 ", ["kill"]),
                ("l4lbctl --li", ["--limit"]),
                ("l4lbctl backend drain b",
                 ["backend1", "backend2", "backend3"]),
                ("l4lbctl -n 20000 backend weight s", ["spare"]),
                ("l4lbctl -n nobody backend weight s", []),
                ("l4lbctl backend drain spare then=", ["drain", "reset",
                                                       "keep"]),
                ("l4lbctl backend drain spare fo", ["for="]),
                ("l4lbctl service remove ", ["chat", "then=drain",
                                             "then=reset", "then=keep"]),
                ("l4lbctl flows backend=b", ["backend1", "backend2",
                                             "backend3"]),
                ("l4lbctl flows ret", ["retransmits>", "retransmits<"]),
                ("l4lbctl -n ", []),
                ("l4lbctl nothing ", [])):
            with self.subTest(line):
                self.assertEqual(self.offered(line), words)

    def test_nothing_of_the_balancer_without_one(self):
        os.unlink(f"{DIR}/20000.sock")
        self.assertEqual(self.offered("l4lbctl backend drain "),
                         ["for=", "then=drain", "then=reset", "then=keep"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
