# SPDX-License-Identifier: MIT
"""Rooms, commands of line clients, JSON clients, resume, readers that lag."""
import json
import os
import re
import sqlite3
import threading
import time
import unittest

from redislab import until
from weblab import JsonLines, Socket, WebTest

LOG = "[chat]\nlisten = 127.0.0.1:0\nrate = off\n"


class Commands(WebTest):
    def ask(self, peer, line, *answers):
        peer.send(line.encode() + b"\n")
        for answer in answers:
            self.assertRegex(peer.line().decode(), f"^{answer}\n$", line)

    def test_rooms_are_apart(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        self.ask(bob, "/join Tea", r"\[chat_serv\] you are in tea, 1 here",
                 r"\[chat_serv\] last 0 of tea",
                 r"\[chat_serv\] end of history")
        bob.send(b"[bob] in tea\n")
        self.assertEqual(bob.line(), b"[bob] in tea\n")
        ann.send(b"[ann] in lobby\n")
        self.assertEqual(ann.line(), b"[ann] in lobby\n")
        self.ask(ann, "[ann] /rooms", r"\[chat_serv\] lobby 1 here",
                 r"\[chat_serv\] tea 1 here")
        self.ask(ann, "/who tea", rf"\[chat_serv\] bob \S+-{server.port}")
        self.ask(ann, "/JOIN tea", r"\[chat_serv\] you are in tea, 2 here",
                 r"\[chat_serv\] last 1 of tea", r"\[bob\] in tea",
                 r"\[chat_serv\] end of history")
        bob.send(b"[bob] welcome\n")
        self.assertEqual(ann.line(), b"[bob] welcome\n")
        self.assertEqual(bob.line(), b"[bob] welcome\n")

    def test_names_and_direct_messages(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        self.ask(ann, "/nick bob",
                 r"\[chat_serv\] bob is taken, try bob2")
        self.ask(ann, "/nick Anna", r"\[chat_serv\] you are Anna")
        self.ask(ann, "/msg bob psst", r"\[Anna -> bob\] psst")
        self.assertEqual(bob.line(), b"[Anna -> bob] psst\n")
        self.ask(ann, "/msg carl psst", r"\[chat_serv\] carl is not here")
        self.ask(ann, "/me waves", r"\[Anna\] \* waves")
        self.assertEqual(bob.line(), b"[Anna] * waves\n")
        # Her first name is free again.
        self.ask(bob, "/nick ann", r"\[chat_serv\] you are ann")

    def test_what_is_said_and_what_is_not(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for said in ("/usr/bin", "/42", "/", "/ x", "[ann] /usr/bin/env x",
                     "say /help"):
            self.ask(ann, said, said.replace("[", r"\[").replace("]", r"\]"))
        self.ask(ann, "//help", "/help")
        self.ask(ann, "[ann] //me too", r"\[ann\] /me too")
        self.ask(ann, "/mgs bob secret", r"\[chat_serv\] .*/mgs.*not said.*")
        self.ask(ann, "[ann] after", r"\[ann\] after")

    def test_history_topic_server_quit(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for i in range(70):
            self.ask(ann, f"[ann] {i}", rf"\[ann\] {i}")
        self.ask(ann, "/history 3", r"\[chat_serv\] last 3 of lobby",
                 *[rf"\[ann\] {i}" for i in (67, 68, 69)],
                 r"\[chat_serv\] end of history")
        self.ask(ann, "/topic Đề tài", r"\[chat_serv\] lobby: Đề tài")
        self.ask(ann, "/server",
                 rf"\[chat_serv\] instance \S+-{server.port}",
                 r"\[chat_serv\] uptime \d+ s", r"\[chat_serv\] redis off",
                 r"\[chat_serv\] wire lines", r"\[chat_serv\] clients 1")
        ann.send(b"/quit\n")
        self.assertEqual(ann.rest(), b"")
        server.out.wait("left, clients=0$")

    def test_classic_knows_no_commands(self):
        server = self.serve("--classic")
        ann = self.join(server, "ann")
        for line in ("/help", "//help", "/mgs x", "/quit"):
            self.ask(ann, line, line)

    def test_line_clients_are_told_nothing_unasked(self):
        server = self.serve()
        ann = self.join(server, "ann")
        page = self.socket(server, "page")
        page.say(t="topic", room="lobby", text="quiet")
        page.hear("topic", text="quiet")
        page.say(t="typing", room="lobby")
        page.say(t="nick", nick="other")
        page.hear("nick")
        page.close()
        ann.send(b"[ann] alone\n")
        self.assertEqual(ann.line(), b"[ann] alone\n")

    def test_strict_nicks(self):
        server = self.configure(LOG + "strict_nicks = on\n")
        ann = self.join(server, "ann")
        eve = self.connect(server)
        eve.send(b"[ann] I am she\n[eve] I am eve\n")
        self.assertEqual(eve.line(), b"[chat_serv] not said: somebody else has "
                                     b"this name\n")
        self.assertEqual(ann.line(), b"[eve] I am eve\n")


class Json(WebTest):
    def test_both_wires_and_lines_hear_each_other(self):
        server = self.serve()
        line = self.join(server, "line")
        ws = self.socket(server, "ws")
        pipe = self.peer(JsonLines, server)
        pipe.start()
        self.hello(pipe, "pipe")
        first = self.say(ws, "from ws", metadata={"type": "text"})
        second = self.say(pipe, "from pipe")
        line.send("[line] từ nc\n".encode())
        for peer in (ws, pipe):
            messages = []
            while len(messages) < 3:
                heard = peer.hear()
                if heard["t"] == "message":
                    messages.append(heard)
            self.assertEqual([m["text"] for m in messages],
                             ["from ws", "from pipe", "từ nc"])
            self.assertEqual([m["id"] for m in messages[:2]], [first, second])
            self.assertEqual([m["via"] for m in messages],
                             ["ws", "ws", "line"])
            self.assertEqual([m["sender"] for m in messages],
                             ["ws", "pipe", "line"])
            self.assertTrue(all(m["verified"] for m in messages))
            numbers = [int(m["id"].split("-")[1]) for m in messages]
            self.assertEqual(numbers, [numbers[0] + i for i in range(3)])
        self.assertEqual([line.line() for _ in range(3)],
                         [b"[ws] from ws\n", b"[pipe] from pipe\n",
                          "[line] từ nc\n".encode()])

    # `say` may swallow messages: both hear all before the next is said.
    def say(self, peer, text, room="lobby", **more):
        mid = self.mid()
        peer.say(t="msg", room=room, mid=mid, text=text, **more)
        pending = []
        while True:
            heard = peer.hear()
            if heard["t"] == "ack" and heard["mid"] == mid:
                break
            pending.append(heard)
        hear = peer.hear

        def again(kind=None, **wanted):
            while pending:
                heard = pending.pop(0)
                if kind in (None, heard["t"]) and all(
                        heard.get(n) == v for n, v in wanted.items()):
                    return heard
            return hear(kind, **wanted)
        peer.hear = again
        return heard["id"]

    def test_errors_keep_the_connection(self):
        server = self.serve()
        ws = self.peer(Socket, server)
        ws.open()
        ws.say(t="msg", room="lobby", mid=self.mid(), text="x")
        self.assertEqual(ws.hear("error")["code"], "hello_first")
        self.hello(ws, "ann")
        for text, code in (
                (b"nonsense", "bad_json"), (b"[]", "bad_json"),
                (b'{"t":"fly"}', "unknown_type"),
                (b'{"t":"join"}', "missing_field"),
                (b'{"t":"join","room":"a b"}', "bad_field"),
                (b'{"t":"msg","room":"lobby","mid":"0123456789abcdef"}',
                 "missing_field"),
                (b'{"t":"msg","room":"else","mid":"0123456789abcdef",'
                 b'"text":"x"}', "not_in_room"),
                (json.dumps({"t": "msg", "room": "lobby", "text": "x" * 5000,
                             "mid": "0123456789abcdef"}).encode(),
                 "too_long"),
                (b'{"t":"dm","to":"nobody","mid":"0123456789abcdef",'
                 b'"text":"x"}', "not_here"),
                (b'{"t":"leave","room":"else"}', "not_in_room")):
            ws.send(ws.frame(1, text))
            self.assertEqual(ws.hear("error")["code"], code, text)
        ws.say(t="nick", nick="no blanks")
        self.assertEqual(ws.hear("error")["message"],
                         '"nick" must be 1 to 32 letters, digits, dots, _ or '
                         '-.')
        ws.say(t="ping", n=7)
        self.assertEqual(ws.hear("pong")["n"], 7)

    def test_a_retry_is_acked_and_said_once(self):
        server = self.serve()
        ann = self.join(server, "ann")
        ws = self.socket(server, "ws")
        ids = set()
        for _ in range(3):
            ws.say(t="msg", room="lobby", mid="0123456789abcdef", text="once",
                   retry=True)
            ids.add(ws.hear("ack")["id"])
        self.assertEqual(len(ids), 1)
        self.assertEqual(ann.line(), b"[ws] once\n")
        ann.send(b"[ann] next\n")
        self.assertEqual(ann.line(), b"[ann] next\n")

    def test_rooms_members_topic_history(self):
        server = self.serve()
        ws = self.socket(server, "ws", rooms=("lobby", "tea"))
        other = self.socket(server, "other", rooms=("tea",))
        ids = [WebTest.say(self, other, str(i), room="tea")
               for i in range(10)]
        ws.say(t="topic", room="tea", text="leaves")
        self.assertEqual(other.hear("topic")["text"], "leaves")
        ws.say(t="who", room="tea")
        members = ws.hear("members")
        self.assertEqual(sorted(m["nick"] for m in members["members"]),
                         ["other", "ws"])
        ws.say(t="rooms")
        rooms = {room["id"]: room["here"] for room in ws.hear("rooms")["rooms"]}
        self.assertEqual(rooms, {"lobby": 1, "tea": 2})
        ws.say(t="history", room="tea", limit=4, before=ids[8])
        self.assertEqual([m["id"] for m in ws.hear("history")["items"]],
                         ids[4:8])
        ws.say(t="leave", room="tea")
        ws.hear("left")
        ws.say(t="rooms")
        rooms = {room["id"]: room["here"] for room in ws.hear("rooms")["rooms"]}
        self.assertEqual(rooms["tea"], 1)

    def test_presence_in_batches(self):
        server = self.serve()
        ws = self.socket(server, "ws")
        ws.hear("presence")
        other = self.socket(server, "other")
        self.assertIn("other", str(ws.hear("presence")["join"]))
        other.say(t="nick", nick="renamed")
        self.assertIn("renamed", str(ws.hear("presence")["nick"]))

    def test_direct_messages_wait_for_their_nick(self):
        server = self.serve()
        ann = self.socket(server, "ann")
        bob = self.socket(server, "bob")
        ann.say(t="dm", to="bob", mid=self.mid(), text="now")
        ann.hear("ack")
        self.assertEqual(bob.hear("message")["text"], "now")
        token = bob.welcome["token"]
        bob.close()
        server.out.wait("(left|lost: .*), clients=1$")
        ann.say(t="dm", to="bob", mid=self.mid(), text="later")
        ann.hear("ack")
        bob = self.peer(Socket, server)
        bob.open()
        bob.say(t="hello", nick="bob", token=token)
        self.assertEqual(bob.hear("message", text="later")["sender"], "ann")
        self.assertEqual(bob.welcome["nick"] if hasattr(bob, "welcome")
                         else "bob", "bob")

    def test_a_nick_is_its_tokens(self):
        server = self.serve()
        ann = self.socket(server, "ann")
        thief = self.peer(Socket, server)
        thief.open()
        thief.say(t="hello", nick="Ann", rooms=[])
        self.assertEqual(thief.hear("error")["code"], "nick_taken")
        self.assertRegex(thief.hear("welcome")["nick"], "^guest-")
        again = self.socket(server, "ann", token=ann.welcome["token"])
        self.assertEqual(again.welcome["nick"], "ann")
        self.assertEqual(ann.close_code(), 4000)
        server.out.wait("(left|lost: .*), clients=2$")

    def test_goodbye_is_a_close_frame(self):
        server = self.serve()
        ws = self.socket(server, "ws")
        server.process.terminate()
        self.assertLess(ws.hear("reconnect")["in_ms"], 2000)
        self.assertEqual(ws.close_code(), 1001)
        ws.close()
        self.assertEqual(server.wait(), 0)


class Frames(WebTest):
    def open(self):
        ws = self.peer(Socket, self.server)
        self.assertEqual(ws.open().status, 101)
        return ws

    def test_the_rules_of_the_protocol(self):
        self.server = self.serve()
        frame = self.peer(Socket, self.server).frame
        for bytes_, code in (
                (frame(1, b"{}", masked=False), 1002),
                (bytes([0xf1, 0x80, 0, 0, 0, 0]), 1002),
                (frame(1, b"\xff\xfe"), 1007),
                (frame(1, b"x" * 20000), 1009),
                (frame(8, b"\x03\xe8"), 1000),
                (frame(8, b"\x00\x01"), 1002),
                (frame(2, b"binary"), 1003)):
            ws = self.open()
            ws.send(bytes_)
            self.assertEqual(ws.close_code(), code, bytes_[:10])
            self.assertEqual(ws.rest(), b"")

    def test_ping_fragments_and_frames_behind_the_request(self):
        self.server = self.serve()
        ws = self.open()
        ws.send(ws.frame(9, b"are you there"))
        self.assertEqual(ws.read_frame(), (10, b"are you there"))
        ws.send(ws.frame(1, b'{"t":"pi', final=False) + ws.frame(9, b"") +
                ws.frame(0, b'ng","n":1}'))
        self.assertEqual(ws.read_frame(), (10, b""))
        self.assertEqual(ws.hear("pong")["n"], 1)
        early = self.peer(Socket, self.server)
        early.send_request("GET", "/ws", {
            "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        early.say(t="ping", n=2)
        answer = early.response()
        self.assertEqual(answer.headers["sec-websocket-accept"],
                         "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertEqual(early.hear("pong")["n"], 2)

    def test_who_may_open_it(self):
        self.server = self.serve()
        for headers, status in (
                ({"Origin": "http://test"}, 101),
                ({"Origin": "http://evil.example"}, 403),
                ({"Sec-WebSocket-Version": "8"}, 426),
                ({"Upgrade": "h2c"}, 426)):
            ws = self.peer(Socket, self.server)
            self.assertEqual(ws.open(headers).status, status, headers)


class Resume(WebTest):
    def messages(self, peer, count):
        return [peer.hear("message")["text"] for _ in range(count)]

    def test_what_was_missed_comes_once_and_in_order(self):
        server = self.configure(LOG)
        ann = self.join(server, "ann")
        ws = self.socket(server, "ws")
        ann.send(b"[ann] 0\n")
        last = ws.hear("message")
        ws.close()
        for i in range(1, 300):
            ann.send(b"[ann] %d\n" % i)
        for i in range(300):
            self.assertEqual(ann.line(), b"[ann] %d\n" % i)
        stop = threading.Event()

        def talk():
            i = 300
            while not stop.is_set() and i < 2000:
                ann.send(b"[ann] %d\n" % i)
                ann.line()
                i += 1
        talker = threading.Thread(target=talk)
        talker.start()
        back = self.peer(Socket, server)
        back.open()
        self.hello(back, "ws", token=ws.welcome["token"], after=last["id"])
        heard = self.messages(back, 600)
        stop.set()
        talker.join()
        self.assertEqual(heard, [str(i) for i in range(1, 601)])

    def test_a_gap_is_told(self):
        server = self.configure(LOG + "log = 100\n")
        ann = self.join(server, "ann")
        ws = self.socket(server, "ws")
        ann.send(b"[ann] first\n")
        ann.line()
        last = ws.hear("message")
        ws.close()
        for i in range(500):
            ann.send(b"[ann] %d\n" % i)
            ann.line()
        back = self.peer(Socket, server)
        back.open()
        self.hello(back, "ws", token=ws.welcome["token"], after=last["id"])
        gap = back.hear("gap")
        self.assertEqual(gap["from"], last["id"])
        self.assertEqual(self.messages(back, 100),
                         [str(i) for i in range(400, 500)])

    def test_another_server_has_another_log(self):
        one, two = self.serve(), self.serve()
        ws = self.socket(one, "ws")
        id_ = self.say(ws, "here")
        ann = self.join(two, "ann")
        for i in range(3):
            ann.send(b"[ann] %d\n" % i)
        back = self.peer(Socket, two)
        back.open()
        self.hello(back, "ws", after=id_)
        back.hear("message", text="2")


class Archive(WebTest):
    """With a history file a restart loses nothing."""

    def serve_with(self, path, more=""):
        return self.configure(LOG + more + f"[history]\nfile = {path}\n")

    def restart(self, server, path, more=""):
        server.process.terminate()
        self.assertEqual(server.wait(), 0)
        return self.serve_with(path, more)

    def test_a_restart_between(self):
        path = os.path.join(self.folder(), "chat.db")
        server = self.serve_with(path)
        ws = self.socket(server, "ws")
        first = self.say(ws, "before")
        ws.say(t="msg", room="lobby", mid="0123456789abcdef", text="retried")
        second = ws.hear("ack")["id"]
        ws.close()
        server = self.restart(server, path)
        ann = self.join(server, "ann")
        back = self.peer(Socket, server)
        back.open()
        self.hello(back, "ws", token=ws.welcome["token"], after=first)
        self.assertEqual(back.hear("message")["text"], "retried")
        self.assertEqual(back.hear("message")["text"], "hello")
        back.say(t="msg", room="lobby", mid="0123456789abcdef",
                 text="retried", retry=True)
        self.assertEqual(back.hear("ack")["id"], second)
        ann.send(b"/history\n")
        self.assertEqual([ann.line() for _ in range(5)],
                         [b"[chat_serv] last 3 of lobby\n", b"[ws] before\n",
                          b"[ws] retried\n", b"[ann] hello\n",
                          b"[chat_serv] end of history\n"])
        health = self.web(server).get("/health").json()
        self.assertEqual(health["history"], "ok")

    def test_a_reader_is_fed_from_the_archive(self):
        path = os.path.join(self.folder(), "chat.db")
        server = self.serve_with(path, "log = 100\n")
        ann = self.join(server, "ann")
        ann.send(b"[ann] start\n")
        ann.line()
        web = self.web(server)
        start = web.get("/api/rooms/lobby/history").json()["items"][-1]["id"]
        for i in range(1000):
            ann.send(b"[ann] %d\n" % i)
            ann.line()
        back = self.peer(Socket, server)
        back.open()
        self.hello(back, "ws", after=start)
        for i in range(1000):
            heard = back.hear()
            while heard["t"] in ("presence", "joined"):
                heard = back.hear()
            self.assertEqual((heard["t"], heard.get("text")),
                             ("message", str(i)), heard)
        back.say(t="history", room="lobby", limit=200, before=start)
        history = back.hear("history")
        self.assertEqual(history["items"][-1]["text"], "hello")
        self.assertTrue(history["complete"])

    def test_a_file_that_fails_is_no_empty_history(self):
        for kind in ("http", "ws", "line"):
            path = os.path.join(self.folder(), "chat.db")
            server = self.serve_with(path)
            ann = self.join(server, "ann")
            ws = self.socket(server, "ws")
            for i in range(79):
                ann.send(b"[ann] %d\n" % i)
                ann.line()
            self.spoil(path, 80)
            web = self.web(server)
            if kind == "http":
                answer = web.get("/api/rooms/lobby/history?limit=200")
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.json()["error"], "history_unavailable")
                self.assertGreater(int(answer.headers["retry-after"]), 0)
            elif kind == "ws":
                ws.say(t="history", room="lobby", limit=200)
                error = ws.hear("error")
                self.assertEqual((error["code"], error["ref"]),
                                 ("history_unavailable", "lobby"))
            else:
                ann.send(b"/history 200\n")
                self.assertEqual(ann.line(), b"[chat_serv] the history cannot "
                                             b"be read now\n")
            # What is in memory is shown from now on, and the chat goes on.
            server.out.wait("^history: .*; nothing is archived until")
            page = web.get("/api/rooms/lobby/history?limit=200").json()
            self.assertEqual(len(page["items"]), 80)
            health = web.get("/health").json()
            self.assertEqual((health["status"], health["history"]),
                             ("degraded", "failed"))
            ann.send(b"[ann] on\n")
            self.assertEqual(ann.line(), b"[ann] on\n")

    @staticmethod
    def spoil(path, rows):
        """Once so many messages are in the file, it has no table for them."""
        database = sqlite3.connect(path)
        until("all is archived", lambda: database.execute(
            "SELECT count(*) FROM message").fetchone()[0] == rows)
        database.execute("DROP TABLE message")
        database.commit()
        database.close()

    def test_a_file_that_is_not_ours(self):
        program = self.start([*self.wrap(), "-c", self.file(
            LOG + f"[history]\nfile = {self.file('no database ' * 100)}\n")])
        program.wait()
        self.assertRegex(program.err.lines[0] if program.err.lines else
                         program.out.lines[-1], "chat|history|database")


class Lagging(WebTest):
    """With a log a slow reader loses nothing, and nobody waits for it."""

    def flood(self, ann, count, size):
        for i in range(count):
            ann.send(b"[ann] %d %s\n" % (i, b"x" * size))
            ann.line()

    def test_a_slow_line_client_gets_everything(self):
        server = self.configure(LOG)
        ann = self.join(server, "ann")
        slow = self.join(server, "slow", others=[ann], receive_buffer=4096)
        self.flood(ann, 4000, 3000)
        for i in range(4000):
            self.assertEqual(slow.line().split()[1], b"%d" % i)
        ann.send(b"[ann] live\n")
        self.assertEqual(slow.line(), b"[ann] live\n")
        counted = self.web(server).get("/metrics").json()
        self.assertGreater(counted["lagged"], 0)
        self.assertEqual(counted["dropped"], 0)

    def test_a_slow_websocket_gets_everything(self):
        server = self.configure(LOG)
        ann = self.join(server, "ann")
        slow = self.socket(server, "slow", receive_buffer=4096)
        self.flood(ann, 4000, 3000)
        for i in range(4000):
            self.assertEqual(slow.hear("message")["text"].split()[0], str(i))

    def test_whom_the_log_has_passed(self):
        server = self.configure(LOG + "log = 100\n")
        ann = self.join(server, "ann")
        line = self.join(server, "line", others=[ann], receive_buffer=4096)
        page = self.socket(server, "page", receive_buffer=4096)
        self.flood(ann, 4000, 3000)
        numbers = []
        while not numbers or numbers[-1] != 3999:
            heard = page.hear()
            if heard["t"] == "gap":
                numbers.append(heard)
            elif heard["t"] == "message" and "x" in heard["text"]:
                numbers.append(int(heard["text"].split()[0]))
        gaps = [i for i, n in enumerate(numbers) if isinstance(n, dict)]
        self.assertTrue(gaps)
        for before, after in zip(numbers, numbers[1:]):
            if isinstance(before, int) and isinstance(after, int):
                self.assertEqual(after, before + 1)
        self.assertTrue(line.rest().endswith(
            b"[chat_serv] you did not read what was sent, so you are "
            b"dropped\n"))

    def test_memory_is_bounded(self):
        server = self.configure(LOG + "log = 1000\n")
        with open(f"/proc/{server.process.pid}/maps") as maps:
            if re.search("lib[at]san|valgrind", maps.read()):
                self.skipTest("a tool keeps memory of its own")
        ann = self.join(server, "ann")
        deaf = [self.join(server, f"deaf{i}", others=[ann],
                          receive_buffer=4096) for i in range(5)]
        self.assertTrue(deaf)

        def rss():
            with open(f"/proc/{server.process.pid}/statm") as file:
                return int(file.read().split()[1]) * 4096
        self.flood(ann, 2000, 2000)
        before = rss()
        self.flood(ann, 8000, 2000)
        self.assertLess(rss() - before, 8 << 20)


class Limits(WebTest):
    def test_rates(self):
        server = self.configure("[chat]\nlisten = 127.0.0.1:0\n")
        ws = self.socket(server, "ws")
        mids = [self.mid() for _ in range(40)]
        for i, mid in enumerate(mids):
            ws.say(t="msg", room="lobby", mid=mid, text=str(i))
        refused = ws.hear("error")
        self.assertEqual(refused["code"], "rate")
        self.assertIn(refused["ref"], mids[30:])
        ann = self.join(server, "ann")
        # Nothing is lost, only read later: ten a second above the burst.
        began = time.monotonic()
        ann.send(b"[ann] %s\n" % (b"x" * 1000) * 50)
        for _ in range(50):
            ann.line()
        self.assertGreater(time.monotonic() - began, 1)

    def test_what_a_rate_refuses_is_named(self):
        server = self.configure("[chat]\nlisten = 127.0.0.1:0\n")
        ws = self.socket(server, "ws", rooms=())
        for i in range(12):
            ws.say(t="join", room=f"r{i}")
        self.assertEqual(ws.hear("error", code="rate")["ref"], "r10")
        other = self.socket(server, "other", rooms=())
        for _ in range(12):
            other.say(t="rooms")
        self.assertEqual(other.hear("error", code="rate")["ref"], "rooms")

    def test_rooms_of_a_connection_and_of_the_server(self):
        server = self.configure(LOG + "max_rooms = 40\n")
        ws = self.socket(server, "ws", rooms=())
        for i in range(40):
            ws.say(t="join", room=f"r{i}")
        self.assertEqual(ws.hear("error", ref="r32")["code"],
                         "too_many_rooms")
        ws.hear("joined", room="r31")
        other = self.socket(server, "other", rooms=())
        for i in range(20):
            other.say(t="join", room=f"other{i}")
        self.assertEqual(other.hear("error")["code"], "too_many_rooms")
        # Rooms that nobody is in make place.
        ws.close()
        server.out.wait("(left|lost: .*), clients=1$")
        other.say(t="join", room="more")
        other.hear("joined", room="more")

    def test_inboxes_are_not_among_the_rooms(self):
        server = self.configure(LOG + "max_rooms = 2\n")
        people = [self.socket(server, f"p{i}", rooms=("lobby", "side"))
                  for i in range(5)]
        for i in range(1, 5):
            people[0].say(t="dm", to=f"p{i}", text="to you", mid=self.mid())
            people[i].hear("message", text="to you")
        gauges = self.web(server).get("/metrics").json()
        self.assertEqual(gauges["rooms"], 2)

    def test_a_guest_gets_a_name_that_is_free(self):
        # 65,536 names: among 900 some 6 are drawn twice.
        server = self.serve()
        guests = [self.peer(Socket, server) for _ in range(900)]
        for guest in guests:
            guest.open()
            guest.say(t="hello", rooms=[])
        names = set()
        for guest in guests:
            first = guest.hear()
            self.assertEqual(first["t"], "welcome")
            names.add(first["nick"])
        self.assertEqual(len(names), 900)


    def test_a_full_server(self):
        server = self.serve("--max-clients", "1")
        self.join(server, "ann")
        web = self.web(server)
        self.assertEqual(web.get("/health").status, 200)
        answer = web.get("/")
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["retry-after"]), 0)
        line = self.connect(server)
        line.send(b"[bob] hi\n")
        self.assertEqual(line.rest(), b"[chat_serv] refused: the room is full, "
                         b"try again later\n")
        silent = self.connect(server)
        self.assertEqual(silent.rest(), b"[chat_serv] refused: the room is "
                         b"full, try again later\n")
        # A browser does not show a status of an upgrade, but a close code.
        ws = self.peer(Socket, server)
        self.assertEqual(ws.open().status, 101)
        ws.say(t="hello", nick="bob")
        self.assertEqual(ws.close_code(), 4003)
        server.out.wait("refused: the room is full, clients=1$", 3)


if __name__ == "__main__":
    unittest.main()
