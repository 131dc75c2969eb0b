# SPDX-License-Identifier: MIT
"""chat_serv --sorry: what everybody is told when no server is left."""
import time
import unittest

from weblab import Web, WebTest

MAINTENANCE = ("Service under maintenance, please come back soon. / "
               "Dịch vụ đang bảo trì, xin vui lòng quay lại sau.")
SENTENCE = f"[chat_serv] {MAINTENANCE}\n".encode()
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Sorry(WebTest):
    def setUp(self):
        self.server = self.serve("--sorry")

    def ended(self, peer):
        self.assertEqual(peer.rest(), b"")


class Http(Sorry):
    def test_a_browser_gets_a_page_that_reloads_itself(self):
        for path in ("/", "/app.js", "/rooms/lobby?x=1"):
            web = self.web(self.server)
            page = web.get(path, BROWSER)
            self.assertEqual(page.status, 503)
            self.assertEqual(page.headers["retry-after"], "5")
            self.assertEqual(page.headers["connection"], "close")
            self.assertEqual(page.headers["cache-control"], "no-store")
            self.assertIn("text/html", page.headers["content-type"])
            text = page.body.decode()
            self.assertIn('http-equiv="refresh" content="5"', text)
            for sentence in MAINTENANCE.split(" / "):
                self.assertIn(sentence, text)
            self.ended(web)

    def test_programs_get_json(self):
        for accept in ({"Accept": "application/json"}, {}):
            web = self.web(self.server)
            answer = web.post("/webhook", {"roomId": "lobby", "message": "x"},
                              accept)
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.headers["retry-after"], "5")
            self.assertEqual(answer.headers["connection"], "close")
            self.assertEqual(answer.json(), {
                "success": False, "error": "maintenance",
                "message": MAINTENANCE})
            self.ended(web)

    def test_a_large_body_is_not_awaited(self):
        web = self.web(self.server)
        web.send(b"POST /webhook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue"
                 b"\r\nContent-Length: 60000\r\n\r\n")
        self.assertEqual(web.response().status, 503)
        web = self.web(self.server)
        self.assertEqual(web.post("/webhook", b"x" * 60000).status, 503)

    def test_websockets_and_head(self):
        web = self.web(self.server)
        answer = web.ask("GET", "/ws", {
            "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        self.assertEqual(answer.status, 503)
        web = self.web(self.server)
        self.assertEqual(web.ask("HEAD", "/").status, 503)
        self.ended(web)

    def test_a_balancer_finds_it_healthy_but_a_person_does_not(self):
        web = self.web(self.server)
        answer = web.get("/health")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json(), {"status": "sorry"})
        self.ended(web)

    def test_a_request_in_pieces_and_a_bad_one(self):
        web = self.web(self.server)
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\n\r\n":
            web.send(bytes([byte]))
        self.assertEqual(web.response().status, 503)
        web = self.web(self.server)
        web.send(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        self.assertEqual(web.response().status, 400)
        self.ended(web)


class Lines(Sorry):
    def test_the_sentence_and_a_close_two_seconds_later(self):
        ann = self.connect(self.server)
        ann.send(b"[ann] hello\n")
        self.assertEqual(ann.line(), SENTENCE)
        before = time.monotonic()
        ann.send(b"[ann] hello?\n")
        self.ended(ann)
        self.assertGreater(time.monotonic() - before, 1.5)

    def test_who_is_silent_is_told_as_well(self):
        ann = self.connect(self.server)
        self.assertEqual(ann.line(), SENTENCE)
        self.ended(ann)

    def test_half_a_request_line_waits_and_text_at_the_end_is_answered(self):
        ann = self.connect(self.server)
        ann.send(b"GET me")
        ann.half_close()
        self.assertEqual(ann.rest(), SENTENCE)

    def test_who_says_nothing_and_goes_is_told_nothing(self):
        ann = self.connect(self.server)
        ann.half_close()
        self.ended(ann)

    def test_the_chat_client_shows_it(self):
        from chatlab import CLNT  # pylint: disable=import-outside-toplevel
        client = self.start([CLNT, "127.0.0.1", str(self.server.port), "ann"])
        client.out.wait("Service under maintenance")
        client.end_input()
        client.wait()


class Probes(Sorry):
    def test_health_checks_are_answered_as_by_the_chat(self):
        for probe, answer in ((b"HEALTH CHECK", b"HEALTH CHECK"),
                              (b"HEALTH CHECK\n", b"HEALTH CHECK\n"),
                              (b"HEALTH CHECK\r\n", b"HEALTH CHECK\n"),
                              (b"HEALTH CHECK" * 2, b"HEALTH CHECK" * 2)):
            prober = self.connect(self.server)
            prober.send(probe)
            self.assertEqual(prober.receive(len(answer)), answer, probe)
            prober.half_close()
            self.ended(prober)

    def test_a_line_behind_a_probe_is_told_on_a_line_of_its_own(self):
        prober = self.connect(self.server)
        prober.send(b"HEALTH CHECK")
        self.assertEqual(prober.receive(12), b"HEALTH CHECK")
        self.assertEqual(prober.line(), b"\n")
        self.assertEqual(prober.line(), SENTENCE)

    def test_probes_leave_no_trace_but_their_count(self):
        server = self.serve("--sorry")
        prober = self.connect(server)
        prober.send(b"HEALTH CHECK\n")
        prober.line()
        prober.close()
        self.web(server).get("/health")
        web = self.web(server)
        web.get("/", BROWSER)
        server.out.wait(r"^client 127\.0\.0\.1:\d+ told: page$")
        server.process.terminate()
        server.wait()
        self.assertEqual(len(server.out.lines), 3, server.out.lines)
        server.out.wait("^closing, clients=[0-9] told=1 probes_answered=2$")


class Ports(Sorry):
    def test_ports_of_one_kind(self):
        server = self.configure_sorry(
            "[chat]\nlisten = 127.0.0.1:0 line\nlisten = 127.0.0.1:0 web\n")
        line = self.peer(Web, server, server.ports["line"])
        line.send(b"GET / HTTP/1.1\n")
        self.assertEqual(line.line(), SENTENCE)
        web = self.web(server, server.ports["web"])
        web.send(b"hello there\n\n")
        self.assertEqual(web.response().status, 400)
        web = self.web(server, server.ports["web"])
        self.assertEqual(web.get("/").status, 503)

    def configure_sorry(self, text):
        wrap = self.wrap
        self.wrap = lambda: [*wrap(), "--sorry"]
        return self.configure(text)

    def test_more_than_max_clients_are_closed(self):
        server = self.serve("--sorry", "-m", "2")
        first = [self.connect(server) for _ in range(2)]
        third = self.connect(server)
        self.ended(third)
        for peer in first:
            self.assertEqual(peer.line(), SENTENCE)

    def test_tls_without_a_certificate_is_closed(self):
        peer = self.connect(self.server)
        peer.send(b"\x16\x03\x01\x02\x00")
        self.ended(peer)


if __name__ == "__main__":
    unittest.main()
