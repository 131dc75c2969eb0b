# SPDX-License-Identifier: MIT
"""The log of chat_serv: levels, formats, its file, and SIGHUP."""
import json
import os
import re
import signal
import time
import unittest

from chatlab import WAIT
from weblab import WebTest

LISTEN = "[chat]\nlisten = 127.0.0.1:0\ninstance = pi1\n"
DATED = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z pi1 "


class LogTest(WebTest):
    def start_with(self, text, path):
        """A server whose log is a file: its port is there."""
        server = self.start([*self.wrap(), "-c", self.file(
            LISTEN + text + f"file = {path}\n")])
        self.addCleanup(self.stop, server)
        line = self.wait_line(path, r"listening .*port=\d+")
        server.port = int(re.search(r"port=(\d+)", line)[1])
        return server

    @staticmethod
    def lines(path):
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()

    def wait_line(self, path, pattern):
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for line in self.lines(path):
                if re.search(pattern, line):
                    return line
            time.sleep(0.01)
        self.fail(f"no line {pattern!r} in {self.lines(path)}")


class Requests(LogTest):
    def test_text(self):
        path = os.path.join(self.folder(), "log")
        server = self.start_with("[log]\nlevel = request\n", path)
        web = self.web(server)
        web.get("/health")
        answer = web.get("/api/rooms?token=secret",
                         {"Authorization": "Bearer secret"})
        given = web.post("/webhook", {"roomId": "secret", "message": "secret"},
                         {"X-Request-Id": "order-66"})
        self.assertEqual(given.headers["x-request-id"], "order-66")
        forged = web.get("/nothing", {"X-Request-Id": "a b"})
        self.assertEqual(forged.status, 404)
        self.assertRegex(forged.headers["x-request-id"], "^[0-9a-f]{16}$")
        self.wait_line(path, "/nothing")
        lines = [line for line in self.lines(path) if " request " in line]
        self.assertEqual(len(lines), 3)
        self.assertRegex(
            lines[0], DATED + r"request GET /api/rooms status=200 ms=\d+ "
            r"bytes=\d+ id=" + answer.headers["x-request-id"] + "$")
        self.assertRegex(
            lines[1], DATED + r"request POST /webhook status=200 ms=\d+ "
            r"bytes=\d+ id=order-66$")
        self.assertRegex(lines[2], "GET /nothing status=404 .* id=" +
                         forged.headers["x-request-id"])
        self.assertNotIn("secret", "\n".join(lines))

    def test_json_and_every_kind_of_answer(self):
        path = os.path.join(self.folder(), "log")
        server = self.start_with("[log]\nlevel = debug\nformat = json\n", path)
        web = self.web(server)
        size = len(web.get("/health").body)
        web.ask("POST", "/health", body=b"")
        self.socket(server, "ann")
        bad = self.web(server)
        bad.send(b"GET / HTTP/1.1\r\n\r\n")
        bad.response()
        self.wait_line(path, '"status":400')
        objects = [json.loads(line) for line in self.lines(path)]
        for one in objects:
            self.assertEqual(one["instance"], "pi1")
            self.assertRegex(one["time"], r"Z$")
        asked = [one for one in objects if "status" in one]
        self.assertEqual(
            [(one["level"], one["method"], one["path"], one["status"])
             for one in asked],
            [("debug", "GET", "/health", 200), ("debug", "POST", "/health", 405),
             ("request", "GET", "/ws", 101), ("request", "", "", 400)])
        self.assertGreater(asked[0]["bytes"], size)
        self.assertEqual(len({one["request_id"] for one in asked}), 4)
        said = {one["message"] for one in objects if one["level"] == "info"}
        self.assertTrue(any(text.endswith("came, clients=1") for text in said))

    def test_none_without_being_asked(self):
        server = self.configure(LISTEN)
        answer = self.web(server).get("/api/rooms")
        self.assertNotIn("x-request-id", answer.headers)
        ann = self.join(server, "ann")
        ann.close()
        server.out.wait("left, clients=0$")
        self.assertFalse(server.out.has("/api/rooms"))
        self.assertFalse(server.out.has("Z pi1"))


class Levels(LogTest):
    def test_notice_is_silent_about_clients(self):
        path = os.path.join(self.folder(), "log")
        server = self.start_with("[log]\nlevel = notice\n", path)
        self.join(server, "ann").close()
        self.web(server).get("/")
        server.process.terminate()
        self.assertEqual(server.wait(), 0)
        texts = [re.sub(DATED, "", line) for line in self.lines(path)]
        self.assertEqual(len(texts), 3, texts)
        self.assertRegex(texts[1], r"^webhooks are open to everybody: ")
        self.assertRegex(texts[2], r"^closing, clients=\d")
        self.assertEqual(server.out.lines, [])

    def test_what_is_wrong(self):
        for text, pattern in (
                ("level = loud", "'loud': give notice, info, request or debug"),
                ("format = xml", "'xml': give text or json"),
                ("file =", "give a path, or off")):
            program = self.start([*self.wrap(), "-c", self.file(
                LISTEN + f"[log]\n{text}\n")])
            self.assertEqual(program.wait(), 2, text)
            self.assertRegex(program.err.lines[0], pattern)
        program = self.start([*self.wrap(), "-c", self.file(
            LISTEN + "[log]\nfile = /nonexistent/log\n")])
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.err.lines[0], "^chat_serv: file = "
                         "/nonexistent/log: No such file or directory; make")

    def test_a_full_disk_does_not_stop_the_chat(self):
        """Nobody can read its port there: another file takes over at once."""
        path = os.path.join(self.folder(), "log")
        server = self.start_with("[log]\nlevel = debug\n", path)
        os.unlink(path)
        os.symlink("/dev/full", path)
        server.process.send_signal(signal.SIGHUP)
        web = self.web(server)
        # More than its buffer holds.
        for _ in range(1000):
            self.assertEqual(web.get("/health").status, 200)
        os.unlink(path)
        server.process.send_signal(signal.SIGHUP)
        self.wait_line(path, r"output stalled, lines_lost=\d+$")


class Hangup(LogTest):
    def test_a_renamed_file_is_begun_anew(self):
        folder = self.folder()
        path = os.path.join(folder, "log")
        server = self.start_with("[log]\n", path)
        ann = self.join(server, "ann")
        self.wait_line(path, "came, clients=1$")
        os.rename(path, path + ".1")
        server.process.send_signal(signal.SIGHUP)
        self.wait_line(path, DATED + "SIGHUP: the log was opened anew; a new "
                       "configuration needs a restart$")
        ann.send(b"[ann] still here\n")
        self.assertEqual(ann.line(), b"[ann] still here\n")
        ann.close()
        self.wait_line(path, "left, clients=0$")
        self.assertRegex("\n".join(self.lines(path + ".1")), "came, clients=1")
        self.assertNotIn("came,", "\n".join(self.lines(path)))
        # A folder that is gone: the old file goes on.
        os.rename(folder, folder + "-moved")
        server.process.send_signal(signal.SIGHUP)
        self.wait_line(os.path.join(folder + "-moved", "log"),
                       "cannot open .* anew: No such file")
        os.rename(folder + "-moved", folder)

    def test_without_a_file_it_goes_on(self):
        server = self.configure(LISTEN)
        server.process.send_signal(signal.SIGHUP)
        server.out.wait("^SIGHUP: there is no log file; a new configuration "
                        "needs a restart$")
        self.assertEqual(self.web(server).get("/health").status, 200)

    def test_without_a_configuration_it_ends(self):
        server = self.serve()
        ann = self.join(server, "ann")
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(ann.rest(),
                         b"[chat_serv] the server is closing, goodbye\n")
        ann.close()
        self.assertEqual(server.wait(), 0)

    def test_the_sorry_server_goes_on(self):
        server = self.start([*self.wrap(), "--sorry", "-c", self.file(LISTEN)])
        self.addCleanup(self.stop, server)
        server.port = int(server.out.wait(r"^listening .*port=(\d+)$")[1])
        server.process.send_signal(signal.SIGHUP)
        server.out.wait("^SIGHUP: there is no log file")
        self.assertEqual(self.web(server).get("/").status, 503)


if __name__ == "__main__":
    unittest.main()
