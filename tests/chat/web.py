# SPDX-License-Identifier: MIT
"""chat_serv's one port: lines and HTTP side by side, and the paths of HTTP."""
import json
import re
import shutil
import socket
import subprocess
import unittest

from chatlab import Peer
from weblab import WebTest

LISTEN = "[chat]\nlisten = 127.0.0.1:0\n"


class Sniff(WebTest):
    def test_one_port_speaks_lines_and_http(self):
        server = self.serve()
        ann = self.join(server, "ann")
        web = self.web(server)
        self.assertEqual(web.get("/health").json()["clients"], 1)
        self.assertEqual(web.get("/health").status, 200)
        ann.send(b"[ann] still a room\n")
        self.assertEqual(ann.line(), b"[ann] still a room\n")

    def test_what_only_looks_like_http_is_said(self):
        server = self.serve()
        for text in (b"GET me a coffee\n", b"POST it HTTP/2.0\n",
                     b"get / HTTP/1.1\n", b"GET / HTTP/1.1 \n",
                     b"HEALTHY CHECK\n", b"GE", b"GET / HTT"):
            ann = self.connect(server)
            ann.send(text)
            ann.half_close()
            self.assertEqual(ann.rest(), text.rstrip(b"\n") + b"\n", text)

    def test_a_request_in_pieces(self):
        server = self.serve()
        web = self.web(server)
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
            web.send(bytes([byte]))
        self.assertEqual(web.response().status, 200)

    def test_http_after_a_silence_is_served_if_nothing_was_told(self):
        server = self.serve()
        web = self.web(server)
        server.out.wait("came, clients=1$")
        self.assertEqual(web.get("/health").status, 200)

    def test_http_behind_lines_is_a_reset_and_never_said(self):
        server = self.serve()
        ann = self.join(server, "ann")
        silent = self.connect(server)
        server.out.wait("came, clients=2$")
        ann.send(b"[ann] hear this\n")
        self.assertEqual(silent.line(), b"[ann] hear this\n")
        silent.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with self.assertRaises(ConnectionResetError):
            silent.rest()
        ann.line()
        ann.send(b"[ann] only I\n")
        self.assertEqual(ann.line(), b"[ann] only I\n")

    def test_ports_of_one_kind(self):
        server = self.configure(
            "[chat]\nlisten = 127.0.0.1:0 line\nlisten = 127.0.0.1:0 web\n")
        line = Peer(server.ports["line"])
        self.addCleanup(line.close)
        line.send(b"GET / HTTP/1.1\n")
        self.assertEqual(line.line(), b"GET / HTTP/1.1\n")
        line.send(b"HEALTH CHECK")
        self.assertEqual(line.receive(12), b"HEALTH CHECK")
        web = self.web(server, server.ports["web"])
        self.assertEqual(web.get("/health").status, 200)
        bad = self.web(server, server.ports["web"])
        bad.send(b"hello there\n\n")
        self.assertEqual(bad.response().status, 400)
        self.assertEqual(bad.rest(), b"")

    def test_tls_without_a_certificate_is_closed(self):
        server = self.serve()
        peer = self.connect(server)
        peer.send(b"\x16\x03\x01\x02\x00")
        self.assertEqual(peer.rest(), b"")


class Paths(WebTest):
    def test_health_and_metrics(self):
        server = self.serve()
        web = self.web(server)
        health = web.get("/health").json()
        self.assertEqual(health["status"], "ok")
        self.assertEqual(health["redis"], "off")
        self.assertEqual(health["history"], "off")
        self.assertRegex(health["instance"], rf"-{server.port}$")
        self.assertEqual(web.get("/nothing").status, 404)
        counted = web.get("/metrics").json()
        self.assertEqual((counted["total_requests"],
                          counted["success_requests"],
                          counted["failed_requests"]), (2, 1, 1))
        text = web.get("/metrics", {"Accept": "text/plain;version=0.0.4"})
        self.assertEqual(text.headers["content-type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        lines = text.body.decode().splitlines()
        self.assertIn("chat_http_requests_total 3", lines)
        for line in lines:
            self.assertRegex(line, r"^(# (HELP|TYPE) chat_\w+ .+"
                                   r"|chat_\w+ \d+)$")
        web.get("/metrics.json", {"Accept": "text/plain"}).json()
        web.get("/metrics?format=json", {"Accept": "text/plain"}).json()
        self.assertTrue(web.get("/metrics?format=prometheus").body.startswith(
            b"# HELP"))

    def test_the_page_and_its_files(self):
        server = self.serve()
        web = self.web(server)
        page = web.get("/")
        self.assertEqual(page.status, 200)
        self.assertEqual(page.headers["content-type"],
                         "text/html; charset=utf-8")
        self.assertIn("default-src 'none'",
                      page.headers["content-security-policy"])
        self.assertEqual(page.headers["cache-control"], "no-cache")
        again = web.get("/", {"If-None-Match": page.headers["etag"]})
        self.assertEqual((again.status, again.body), (304, b""))
        names = re.findall(rb'(?:href|src)="(/[^"]+)"', page.body)
        self.assertTrue(names)
        for name in names:
            file = web.get(name.decode())
            self.assertEqual(file.status, 200, name)
            self.assertIn("immutable", file.headers["cache-control"])
        head = web.ask("HEAD", "/")
        self.assertEqual(head.headers["content-length"], str(len(page.body)))
        self.assertEqual(web.get("/health").status, 200)

    def test_files_of_another_version(self):
        web = self.web(self.serve())
        page = web.get("/").body
        own = re.search(rb'src="/([0-9a-f]{12})/app.js"', page)[1].decode()
        app = web.get(f"/{own}/app.js")
        other = web.get("/0123456789ab/app.js")
        self.assertEqual((other.status, other.body), (200, app.body))
        self.assertEqual(other.headers["cache-control"], "no-cache")
        for path in (f"/{own}/", f"/{own}/index.html", f"/{own}/nothing.js",
                     f"/{own}", f"/{own}//app.js", "/0123/app.js"):
            self.assertEqual(web.get(path).status, 404, path)
        # What a module imports is there beside it.
        names = {"app.js"}
        sizes = {}
        while names - set(sizes):
            name = min(names - set(sizes))
            file = web.get(f"/{own}/{name}")
            self.assertEqual(file.status, 200, name)
            self.assertIn("javascript", file.headers["content-type"])
            sizes[name] = len(file.body)
            names |= {found.decode() for found in
                      re.findall(rb"from '\./([^']+)'", file.body)}
        # The page's words in three languages are no code.
        del sizes["texts.js"]
        self.assertGreater(len(sizes), 8)
        self.assertLess(sum(sizes.values()), 40000)

    def test_methods_and_addresses(self):
        server = self.serve()
        web = self.web(server)
        for method, path, status in (
                ("PUT", "/health", 405), ("POST", "/", 405),
                ("GET", "/webhook", 405), ("GET", "/webhook/video", 404),
                ("GET", "/../etc/passwd", 404), ("GET", "/api/nope", 404),
                ("GET", "/api/rooms//history", 404),
                ("GET", "/api/rooms/%00/history", 404),
                ("POST", "/api/admin/kick", 404)):
            answer = web.ask(method, path, body=b"" if method != "GET"
                             else None)
            self.assertEqual(answer.status, status, (method, path))
            if status == 405:
                self.assertTrue(answer.headers["allow"])

    def test_browsers_get_pages_of_errors(self):
        server = self.serve()
        answer = self.web(server).get("/nope", {"Accept": "text/html"})
        self.assertEqual(answer.status, 404)
        self.assertIn("text/html", answer.headers["content-type"])

    def test_bad_requests_are_answered_and_closed(self):
        server = self.serve()
        for text, status in (
                (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
                (b"GET /" + b"a" * 4070 + b" HTTP/1.1\r\nHost: x\r\n"
                 + b"A: " + b"a" * 9000 + b"\r\n\r\n", 431),
                (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 70 + b"\r\n",
                 431),
                (b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                 400),
                (b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Length: 99999999\r\n\r\n", 413)):
            web = self.web(server)
            web.send(text)
            self.assertEqual(web.response().status, status, text[:60])
            web.rest()

    def test_a_request_line_without_end(self):
        server = self.configure(LISTEN.strip() + " web\n")
        web = self.web(server)
        web.send(b"GET /" + b"a" * 5000)
        self.assertEqual(web.response().status, 414)

    def test_pipelined_requests_are_answered_in_order(self):
        server = self.serve()
        web = self.web(server)
        body = json.dumps({"roomId": "a", "message": "m"}).encode()
        hook = (b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(body)) + body
        health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        web.send(b"".join(hook + health for _ in range(20)))
        for _ in range(20):
            self.assertIn("id", web.response().json())
            self.assertEqual(web.response().json()["status"], "ok")

    def test_a_half_closed_client_gets_its_answer(self):
        server = self.serve()
        web = self.web(server)
        web.send_request("GET", "/api/rooms/lobby/history")
        web.half_close()
        self.assertEqual(web.response().status, 200)
        self.assertEqual(web.rest(), b"")

    def test_instances_and_rooms(self):
        server = self.serve()
        ann = self.join(server, "ann")
        ann.send(b"/topic of the day\n")
        self.assertEqual(ann.line(), b"[chat_serv] lobby: of the day\n")
        web = self.web(server)
        only, = web.get("/api/instances").json()["instances"]
        self.assertEqual((only["clients"], only["rooms"]), (1, 1))
        self.assertRegex(only["address"], rf"^[^:]+:{server.port}$")
        room, = web.get("/api/rooms").json()["rooms"]
        self.assertEqual(room, {"id": "lobby", "topic": "of the day",
                                "here": 1, "e2ee": False})


class Hooks(WebTest):
    FORMS = (
        ("", {"message": "plain"}, "[bot] plain"),
        ("/image", {"imageUrl": "https://x.example/a.png", "caption": "cat",
                    "width": 3, "height": 4, "fileSize": 5},
         r"\[bot\] sent an image: https://x.example/a.png \(cat\)"),
        ("/file", {"fileUrl": "https://x.example/a.pdf", "fileName": "a.pdf"},
         r"\[bot\] sent a file: https://x.example/a.pdf \(a.pdf\)"),
        ("/location", {"latitude": 21.03, "longitude": 105.85,
                       "address": "Hà Nội"}, r"\[bot\] sent a location: .*"),
        ("/audio", {"audioUrl": "https://x.example/a.mp3", "duration": 2.5},
         r"\[bot\] sent a recording: https://x.example/a.mp3.*"),
    )

    def test_every_kind_reaches_lines_and_pages(self):
        server = self.serve()
        ann = self.join(server, "ann")
        page = self.socket(server, "page")
        web = self.web(server)
        for path, fields, line in self.FORMS:
            answer = web.post("/webhook" + path,
                              {"roomId": "lobby", "sender": "bot", **fields})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.json()["roomId"], "lobby")
            if path:
                self.assertRegex(ann.line().decode(), f"^{line}\n$")
            else:
                self.assertEqual(ann.line().decode(), line + "\n")
            heard = page.hear("message")
            self.assertEqual(heard["id"], answer.json()["id"])
            self.assertEqual(heard["via"], "webhook")
            kind = path[1:] or "text"
            self.assertEqual(heard["metadata"]["type"], kind)
            self.assertEqual(heard["event"],
                             "message:" + kind if path else "message")
        # As the sender wrote it, not 21.030000000000001.
        self.assertIn(b'"latitude":21.03,',
                      web.get("/api/rooms/lobby/history").body)

    # All fields of each kind; those that are needed; the one that is the text.
    WHOLE = (
        ("", "text", {"message": "plain"}, ("message",), "message"),
        ("/image", "image",
         {"imageUrl": "https://x.example/a.png", "caption": "cat",
          "width": 640, "height": 480, "fileSize": 245760},
         ("imageUrl",), "caption"),
        ("/file", "file",
         {"fileUrl": "https://x.example/a.pdf", "fileName": "a.pdf",
          "fileSize": 1048576, "fileType": "application/pdf"},
         ("fileUrl", "fileName"), "fileName"),
        ("/location", "location",
         {"latitude": 10.7769, "longitude": 106.7009,
          "address": "Quận 1, TP.HCM"},
         ("latitude", "longitude"), "address"),
        ("/audio", "audio",
         {"audioUrl": "https://x.example/a.mp3", "duration": 30},
         ("audioUrl",), None),
    )

    def open_room(self):
        server = self.configure(LISTEN + "rate = off\n")
        return self.web(server), self.socket(server, "page", rooms=("room1",))

    def test_every_field_arrives(self):
        web, page = self.open_room()
        for path, kind, fields, _, text in self.WHOLE:
            answer = web.post("/webhook" + path, {
                "roomId": "room1", "sender": "System", **fields})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(set(answer.json()), {"success", "id", "roomId"})
            heard = page.hear("message")
            metadata = {"type": kind}
            if path:
                metadata.update(fields)
            self.assertEqual(heard["metadata"], metadata)
            self.assertEqual(heard["text"], fields.get(text, ""))
            self.assertEqual((heard["sender"], heard["roomId"]),
                             ("System", "room1"))
        items = web.get("/api/rooms/room1/history").json()["items"]
        self.assertEqual([item["metadata"]["type"] for item in items],
                         [kind for _, kind, *_ in self.WHOLE])

    def test_each_field_that_is_missing(self):
        web, page = self.open_room()
        for path, _, fields, needed, text in self.WHOLE:
            whole = {"roomId": "room1", "sender": "System", **fields}
            for name in whole:
                less = {key: value for key, value in whole.items()
                        if key != name}
                answer = web.post("/webhook" + path, less)
                if name in ("roomId", *needed):
                    self.assertEqual(answer.status, 400, (path, name))
                    self.assertEqual(answer.json()["error"], "missing_field")
                    self.assertEqual(answer.json()["message"],
                                     f'"{name}" is missing.')
                    continue
                self.assertEqual(answer.status, 200, (path, name))
                heard = page.hear("message")
                self.assertNotIn(name, heard["metadata"])
                if name == "sender":
                    self.assertEqual(heard["sender"], "webhook")
                if name == text:
                    self.assertEqual(heard["text"], "")

    def test_each_kind_is_said_once(self):
        web, page = self.open_room()
        ids = []
        for path, kind, fields, *_ in self.WHOLE:
            body = {"roomId": "room1", **fields}
            key = f"repeated-{kind:_<16}"
            answers = [web.post("/webhook" + path, {**body, "id": key}),
                       web.post("/webhook" + path, {**body, "id": key}),
                       web.post("/webhook" + path, body,
                                {"Idempotency-Key": key})]
            self.assertEqual([one.status for one in answers], [200] * 3)
            got = {one.json()["id"] for one in answers}
            self.assertEqual(len(got), 1, kind)
            ids += got
        self.assertEqual([page.hear("message")["id"] for _ in ids], ids)
        items = web.get("/api/rooms/room1/history").json()["items"]
        self.assertEqual([item["id"] for item in items], ids)

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_as_the_other_system_is_called(self):
        """Hooks of the Socket.IO design, by curl."""
        server = self.serve()
        page = self.socket(server, "page", rooms=("room1",))
        for path, body, kind in (
                ("", '{"roomId": "room1", "message": "Hello from webhook!", '
                     '"sender": "System"}', "text"),
                ("/image", '{"roomId": "room1", "imageUrl": '
                           '"https://example.com/image.jpg", "caption": '
                           '"Check this out!", "sender": "System"}', "image"),
                ("/file", '{"roomId": "room1", "fileUrl": '
                          '"https://example.com/document.pdf", "fileName": '
                          '"document.pdf", "sender": "System"}', "file")):
            said = subprocess.run(
                ["curl", "-sS", "-X", "POST",
                 f"http://127.0.0.1:{server.port}/webhook{path}",
                 "-H", "Content-Type: application/json", "-d", body],
                check=True, capture_output=True, timeout=30)
            self.assertIs(json.loads(said.stdout)["success"], True)
            heard = page.hear("message")
            self.assertEqual((heard["metadata"]["type"], heard["sender"]),
                             (kind, "System"))

    def test_what_is_missing_is_named(self):
        server = self.serve()
        web = self.web(server)
        for path, body, code, word in (
                ("/webhook", {"message": "m"}, "missing_field", "roomId"),
                ("/webhook", {"roomId": "r"}, "missing_field", "message"),
                ("/webhook/image", {"roomId": "r"}, "missing_field",
                 "imageUrl"),
                ("/webhook/image", {"roomId": "r", "imageUrl": "ftp://x"},
                 "bad_field", "imageUrl"),
                ("/webhook/location", {"roomId": "r", "latitude": 91,
                                       "longitude": 0}, "bad_field",
                 "latitude"),
                ("/webhook", {"roomId": "{x}", "message": "m"}, "bad_field",
                 "roomId"),
                ("/webhook", b"not json", "bad_json", "")):
            answer = web.post(path, body)
            self.assertEqual(answer.status, 400, body)
            self.assertFalse(answer.json()["success"])
            self.assertEqual(answer.json()["error"], code, body)
            self.assertIn(word, answer.json()["message"])
        answer = web.ask("POST", "/webhook", {"Content-Type": "text/plain"},
                         b"{}")
        self.assertEqual(answer.status, 415)

    def test_a_repeated_hook_posts_once(self):
        server = self.serve()
        ann = self.join(server, "ann")
        web = self.web(server)
        body = {"roomId": "lobby", "message": "once"}
        ids = {web.post("/webhook", {**body, "id": "0123456789abcdef"})
               .json()["id"] for _ in range(3)}
        ids |= {web.post("/webhook", body,
                         {"Idempotency-Key": "0123456789abcdef"}).json()["id"]}
        self.assertEqual(len(ids), 1)
        self.assertEqual(ann.line(), b"[webhook] once\n")
        ann.send(b"[ann] next\n")
        self.assertEqual(ann.line(), b"[ann] next\n")
        self.assertEqual(web.post("/webhook", {**body, "id": "short"}).status,
                         400)

    def test_history_over_http(self):
        server = self.serve()
        web = self.web(server)
        ids = [web.post("/webhook", {"roomId": "Room", "message": str(i)})
               .json()["id"] for i in range(30)]
        whole = web.get("/api/rooms/room/history").json()
        self.assertEqual([item["id"] for item in whole["items"]], ids)
        self.assertFalse(whole["more"])
        part = web.get("/api/rooms/ROOM/history?limit=10").json()
        self.assertEqual([item["id"] for item in part["items"]], ids[-10:])
        self.assertTrue(part["more"])
        part = web.get(f"/api/rooms/room/history?limit=5&before={ids[10]}")
        self.assertEqual([item["id"] for item in part.json()["items"]],
                         ids[5:10])
        part = web.get(f"/api/rooms/room/history?limit=5&after={ids[10]}")
        self.assertEqual([item["id"] for item in part.json()["items"]],
                         ids[11:16])
        for query in ("limit=0", "limit=201", "limit=x", "before=x"):
            self.assertEqual(
                web.get(f"/api/rooms/room/history?{query}").status, 400)


    def test_a_rate_of_its_own(self):
        server = self.configure(LISTEN + "rate = off\n[webhook]\nrate = 2/s\n")
        web = self.web(server)
        body = {"roomId": "r", "message": "m"}
        answers = [web.post("/webhook", body) for _ in range(20)]
        self.assertEqual([one.status for one in answers[:4]], [200] * 4)
        refused = [one for one in answers if one.status == 429]
        self.assertTrue(refused)
        for one in refused:
            self.assertEqual(one.json()["error"], "rate")
            self.assertEqual(one.headers["retry-after"], "1")
        # What others say is not limited by it, nor hooks by what they say.
        ann = self.join(server, "ann")
        ann.send(b"[ann] x\n" * 50)
        for _ in range(50):
            self.assertEqual(ann.line(), b"[ann] x\n")
        free = self.configure(LISTEN + "[webhook]\nrate = off\n")
        web = self.web(free)
        for _ in range(100):
            self.assertEqual(web.post("/webhook", body).status, 200)

    def test_the_usual_rate(self):
        web = self.web(self.configure(LISTEN))
        statuses = [web.post("/webhook", {"roomId": "r", "message": "m"})
                    .status for _ in range(100)]
        self.assertEqual(statuses[:40], [200] * 40)
        self.assertIn(429, statuses)


class Secrets(WebTest):
    def test_who_is_open_says_so(self):
        self.configure(LISTEN).out.wait("^webhooks are open to everybody: ")
        closed = self.configure(
            LISTEN + f"[webhook]\nsecret_file = {self.file('hush')}\n")
        closed.process.terminate()
        closed.wait()
        self.assertFalse(closed.out.has("webhooks"))

    def test_webhooks_with_a_secret(self):
        server = self.configure(
            LISTEN + f"[webhook]\nsecret_file = {self.file('hush hush')}\n")
        web = self.web(server)
        body = {"roomId": "r", "message": "m"}
        self.assertEqual(web.post("/webhook", body).status, 401)
        self.assertEqual(web.post("/webhook", body, {
            "Authorization": "Bearer wrong"}).status, 401)
        self.assertEqual(web.post("/webhook", body, {
            "Authorization": "Bearer hush hush"}).status, 200)

    def test_the_administrator(self):
        server = self.configure(
            LISTEN + f"[admin]\ntoken_file = {self.file('master key')}\n")
        ann = self.join(server, "ann")
        page = self.socket(server, "page")
        web = self.web(server)
        auth = {"Authorization": "Bearer master key"}
        self.assertEqual(web.post("/api/admin/broadcast", {"text": "x"})
                         .status, 401)
        self.assertEqual(web.post("/api/admin/broadcast",
                                  {"text": "soon down"}, auth).status, 200)
        self.assertEqual(ann.line(), b"[chat_serv] soon down\n")
        self.assertEqual(page.hear("notice")["text"], "soon down")
        self.assertEqual(web.post("/api/admin/kick", {}, auth).status, 400)
        web.post("/api/admin/kick", {"nick": "ann"}, auth)
        self.assertEqual(ann.rest(), b"[chat_serv] refused: an operator "
                                     b"removed you\n")
        web.post("/api/admin/kick", {"nick": "page"}, auth)
        self.assertEqual(page.close_code(), 4000)
        other = self.socket(server, "other")
        self.assertEqual(web.post("/api/admin/drain", {}, auth).status, 200)
        other.hear("reconnect")
        self.assertEqual(other.close_code(), 1001)
        server.out.wait("left, clients=0$")
        drained = web.get("/health")
        self.assertEqual((drained.status, drained.json()["status"]),
                         (503, "draining"))


class Config(WebTest):
    def test_what_is_wrong_names_file_and_line(self):
        for text, pattern in (
                ("[chat]\nlisten = 0\ncolour = red\n",
                 r":3: there is no key colour in \[chat\]"),
                ("[chat]\nlisten = 70000\n", r":2: listen: '70000': give a "
                 "number from 0 to 65535"),
                ("[chat]\nlisten = 0 tls\n", r":2: listen: 'tls': give auto, "
                 "line or web"),
                ("[chat]\n\n# x\nqueue = 1k\n", r":4: queue: '1k': give a size"),
                ("[chat]\ncommands = yes\n", ":2: commands: 'yes': give on or "
                 "off"),
                ("[chat]\ndrain = 5\n", ":2: drain: '5': give a time"),
                ("[history]\nmax_size = 5k\n",
                 ":2: max_size: '5k': give 1m or more"),
                ("[webhook]\nrate = 20\n", ":2: rate: '20': give a rate such "
                 "as 20/s, from 1/s to 10000/s, or off"),
                ("[webhook]\nrate = 0/s\n", ":2: rate: '0/s': give a rate"),
                ("nonsense\n", r":1: expected \[SECTION\] or KEY = VALUE"),
                ("[admin]\ntoken_file = /nonexistent\n",
                 ":2: token_file: /nonexistent: cannot be read"),
                ("[chat]\nmotd = " + "x" * 5000 + "\n", ":2: the line is too "
                 "long")):
            program = self.start([*self.wrap(), "-c", self.file(text)])
            self.assertEqual(program.wait(), 2, text[:60])
            self.assertRegex(program.err.lines[0],
                             "^chat_serv: .*" + pattern, text[:60])
        program = self.start([*self.wrap(), "-c", self.file("[chat]\n")])
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.err.lines[0], "there is no port")
        program = self.start([*self.wrap(), "-c", self.file(
            "[chat]\n" + "listen = 0\n" * 16), "9001"])
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.err.lines[0], "there are too many ports")

    def test_a_redis_that_is_away_at_the_start_is_said(self):
        closed = socket.socket()  # bound, so nobody else listens there
        self.addCleanup(closed.close)
        closed.bind(("127.0.0.1", 0))
        server = self.configure(
            LISTEN + "[redis]\nmode = standalone\n"
            f"port = {closed.getsockname()[1]}\n")
        server.out.wait("^redis: down: messages wait in memory: 127.0.0.1:"
                        rf"{closed.getsockname()[1]}: Connection refused$")
        self.assertEqual(self.web(server).get("/health").json()["redis"],
                         "down")

    def test_the_command_line_wins(self):
        path = self.file(LISTEN + "max_clients = 5\ninstance = one\n")
        server = self.start([*self.wrap(), "-c", path, "-m", "7"])
        self.addCleanup(self.stop, server)
        server.port = int(server.out.wait(r"max_clients=7 port=(\d+)$")[1])
        self.assertEqual(self.web(server).get("/health").json()["instance"],
                         "one")


if __name__ == "__main__":
    unittest.main()
