# SPDX-License-Identifier: MIT
"""chat_serv and the programs of others: nc, ncat, telnet, curl, websockets.

Each of them runs as a process of its own, against a bare chat_serv and against
one with a log and a port for the web; one that is not installed skips its
tests. The probers are sockets that behave as the known ones do.
"""
import fcntl
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import termios
import threading
import unittest

from chatlab import CLNT, WAIT, Output, Program
from weblab import WebTest

PROBE = b"HEALTH CHECK"
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = ("[chat]\nlisten = 127.0.0.1:0\nlisten = 127.0.0.1:0 web\n"
          "instance = one\nrate = off\n")


def needs(program):
    return unittest.skipUnless(shutil.which(program),
                               f"{program} is not installed")


class InteropTest(WebTest):
    def servers(self):
        """(server, port for HTTP): a bare one, and one with rooms."""
        bare = self.serve()
        yield bare, bare.port
        rooms = self.configure(CONFIG)
        yield rooms, rooms.ports["web"]

    def talk_both_ways(self, server, program, name):
        """Waits for lines, so nothing hangs on who comes first."""
        ann = self.join(server, "ann")
        program.write(f"[{name}] chào\n")
        self.assertEqual(ann.line(), f"[{name}] chào\n".encode())
        ann.send(b"[ann] hi\n")
        self.assertEqual(ann.line(), b"[ann] hi\n")
        program.out.wait(rf"^\[{name}\] chào\r?$")
        program.out.wait(r"^\[ann\] hi\r?$")
        return ann


class Netcats(InteropTest):
    @needs("nc")
    def test_nc(self):
        for server, _ in self.servers():
            nc = self.start(["nc", "127.0.0.1", str(server.port)])
            self.talk_both_ways(server, nc, "nc")
            nc.write("q\n")
            server.out.wait("left, clients=1$")
            nc.end_input()
            self.assertEqual(nc.wait(), 0)

    @needs("ncat")
    def test_ncat(self):
        for server, _ in self.servers():
            for options, end in ((), "\n"), (("-C",), "\r\n"):
                ncat = self.start(["ncat", *options, "127.0.0.1",
                                   str(server.port)])
                ann = self.talk_both_ways(server, ncat, "ncat")
                ncat.write("/server\n")
                ncat.out.wait(r"^\[chat_serv\] .*")
                ncat.end_input()  # half closes, and gets the rest
                self.assertEqual(ncat.wait(), 0, end)
                ann.close()

    @needs("ncat")
    def test_ncat_with_tls_is_turned_away_and_never_said(self):
        for server, _ in self.servers():
            ann = self.join(server, "ann")
            ncat = self.start(["ncat", "--ssl", "127.0.0.1",
                               str(server.port)])
            self.assertNotEqual(ncat.wait(), 0)
            ann.send(b"[ann] only I\n")
            self.assertEqual(ann.line(), b"[ann] only I\n")

    @needs("nc")
    def test_a_file_and_its_rest(self):
        lines = b"".join(b"[nc] line %d\n" % i for i in range(500))
        for server, _ in self.servers():
            done = subprocess.run(["nc", "-N", "127.0.0.1", str(server.port)],
                                  input=lines + b"[nc] no newline",
                                  stdout=subprocess.PIPE, timeout=WAIT,
                                  check=True)
            self.assertEqual(done.stdout, lines + b"[nc] no newline\n")


class Terminal(Program):
    """A program with a person at a terminal: control-C is a key."""

    def __init__(self, command):
        self.master, slave = pty.openpty()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, stdin=slave, stdout=slave,
                                        stderr=slave,
                                        preexec_fn=take_terminal)
        os.close(slave)
        self.stdin = self.err = None
        self.out = Output(self._lines())

    def _lines(self):
        return _PtyLines(self.master)

    def write(self, text):
        os.write(self.master, text.encode())


class _PtyLines:
    """The master's lines; a terminal that is gone reads as EIO."""

    def __init__(self, master):
        self.master = master

    def __iter__(self):
        data = b""
        while True:
            try:
                data += os.read(self.master, 65536)
            except OSError:
                return
            *lines, data = data.split(b"\n")
            for line in lines:
                yield line.rstrip(b"\r") + b"\n"

    def close(self):
        os.close(self.master)


@needs("telnet")
class Telnet(InteropTest):
    def telnet(self, port):
        telnet = Terminal(["telnet", "--", "127.0.0.1", str(port)])
        self.addCleanup(telnet.kill)
        telnet.out.wait("^Escape character is")
        return telnet

    def test_talks_and_leaves(self):
        for server, _ in self.servers():
            telnet = self.telnet(server.port)
            self.talk_both_ways(server, telnet, "telnet")
            telnet.write("q\n")
            telnet.out.wait("^Connection closed by foreign host")
            telnet.wait()

    def test_its_options_are_declined_and_never_said(self):
        for server, _ in self.servers():
            # "-PORT": it begins with its offers, as it would on port 23.
            telnet = self.telnet(-server.port)
            ann = self.talk_both_ways(server, telnet, "telnet")
            ann.send("/who\n".encode())
            self.assertRegex(ann.line().decode(), r"^\[chat_serv\] ")

    def test_control_c_is_not_said_and_leaves_telnet_working(self):
        for server, _ in self.servers():
            telnet = self.telnet(server.port)
            ann = self.talk_both_ways(server, telnet, "telnet")
            telnet.write("half a line\x03")
            telnet.write("[telnet] after\n")
            self.assertEqual(ann.line(), b"[telnet] after\n")
            # Deaf until its timing mark is answered.
            ann.send(b"[ann] do you hear me\n")
            telnet.out.wait(r"^\[ann\] do you hear me$")

    def test_its_urgent_byte_is_not_lost(self):
        for server, _ in self.servers():
            telnet = self.telnet(server.port)
            ann = self.talk_both_ways(server, telnet, "telnet")
            telnet.write("\x1d")
            telnet.write("send synch\n")  # IAC, and DM as urgent data
            telnet.write("[telnet] after\n")
            self.assertEqual(ann.line(), b"[telnet] after\n")


class Probers(InteropTest):
    def test_it_sends_once_reads_once_and_compares(self):
        """As a health check in Go: conn.Write, then one conn.Read."""
        for server, _ in self.servers():
            ann = self.join(server, "ann")
            for probe in (PROBE, PROBE + b"\n"):
                for _ in range(20):
                    with socket.create_connection(("127.0.0.1", server.port),
                                                  WAIT) as prober:
                        prober.sendall(probe)
                        self.assertEqual(prober.recv(1024), probe)
            self.check_no_trace(server, ann)

    def test_it_connects_and_closes(self):
        for server, _ in self.servers():
            ann = self.join(server, "ann")
            for linger in (False, True):
                for _ in range(20):
                    prober = socket.create_connection(
                        ("127.0.0.1", server.port), WAIT)
                    if linger:  # closes by a reset
                        prober.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
                    prober.close()
            self.check_no_trace(server, ann)

    def test_it_half_closes(self):
        for server, _ in self.servers():
            ann = self.join(server, "ann")
            for sent in (b"", PROBE, PROBE + b"\n"):
                prober = self.connect(server)
                prober.send(sent)
                prober.half_close()
                self.assertEqual(prober.rest(), sent)
            self.check_no_trace(server, ann)

    def check_no_trace(self, server, ann):
        ann.send(b"[ann] heard nothing\n")
        self.assertEqual(ann.line(), b"[ann] heard nothing\n")
        ann.close()
        server.out.wait(r"^client .* left, clients=0$")
        self.assertEqual(len([line for line in server.out.lines
                              if line.startswith("client ")]), 2,
                         server.out.lines)


@needs("curl")
class Curl(InteropTest):
    def curl(self, *arguments, code=0, body=None):
        done = subprocess.run(["curl", "-sS", "-m", str(int(WAIT)),
                               *arguments], input=body,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, (done.stdout, done.stderr))
        return done

    def answer(self, *arguments, **options):
        """(status, headers as text, body) of the last response."""
        text = self.curl("-i", *arguments, **options).stdout
        head = b""
        while re.match(rb"HTTP/1\.1 1?", text) and (
                not head or head.startswith(b"HTTP/1.1 100")):
            head, _, text = text.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), text

    def test_the_page_health_and_metrics(self):
        for server, port in self.servers():
            url = f"http://127.0.0.1:{port}"
            status, head, page = self.answer(url + "/")
            self.assertEqual(status, 200)
            self.assertIn("Content-Type: text/html", head)
            self.assertTrue(page.startswith(b"<!doctype html>"), page[:99])
            etag = re.search(r'ETag: (".*?")', head)[1]
            status, _, body = self.answer(
                "-H", f"If-None-Match: {etag}", url + "/")
            self.assertEqual((status, body), (304, b""))
            head = self.curl("-I", url + "/").stdout.decode()
            self.assertIn(f"Content-Length: {len(page)}\r\n", head)
            health = json.loads(self.curl("-f", url + "/health").stdout)
            self.assertEqual(health["status"], "ok")
            counters = json.loads(self.curl(url + "/metrics").stdout)
            self.assertEqual(counters["failed_requests"], 0)
            text = self.curl("-H", "Accept: text/plain",
                             url + "/metrics").stdout
            self.assertIn(b"\nchat_http_requests_total ", text)
            self.assertEqual(self.answer("--compressed", "--http1.0",
                                         url + "/health")[0], 200)

    def test_hooks_in_every_form_of_a_body(self):
        for server, port in self.servers():
            url = f"http://127.0.0.1:{port}/webhook"
            ann = self.join(server, "ann")
            kind = ("-H", "Content-Type: application/json")
            for options in ((), ("-H", "Transfer-Encoding: chunked"),
                            ("-H", "Expect: 100-continue")):
                text = f"by {len(options)} {options}"
                body = json.dumps({"roomId": "lobby", "message": text,
                                   "sender": "ci"}).encode()
                status, _, got = self.answer("--data-binary", "@-", *kind,
                                             *options, url, body=body)
                self.assertEqual(status, 200, got)
                self.assertTrue(json.loads(got)["success"])
                self.assertEqual(ann.line(), f"[ci] {text}\n".encode())

    def test_a_body_that_waits_for_100(self):
        for _, port in self.servers():
            done = self.curl("-v", "-d", '{"roomId":"r","message":"m"}', "-H",
                             "Content-Type: application/json", "-H",
                             "Expect: 100-continue", "--expect100-timeout",
                             str(WAIT), f"http://127.0.0.1:{port}/webhook")
            self.assertIn(b"< HTTP/1.1 100 Continue", done.stderr)

    def test_errors_have_their_status(self):
        for _, port in self.servers():
            url = f"http://127.0.0.1:{port}"
            kind = ("-H", "Content-Type: application/json")
            big = b"a" * 3_000_000
            for status, arguments, body in (
                    (400, ("-d", "{", *kind, url + "/webhook"), None),
                    (400, ("-d", "{}", *kind, url + "/webhook"), None),
                    (404, (url + "/nothing",), None),
                    (404, ("--path-as-is", url + "/../etc/passwd"), None),
                    (405, ("-X", "DELETE", url + "/webhook"), None),
                    (411, ("-X", "POST", url + "/webhook"), None),
                    (413, ("--data-binary", "@-", *kind, url + "/webhook"),
                     big),
                    (413, ("--data-binary", "@-", *kind, "-H", "Expect:",
                           url + "/webhook"), big),
                    (413, ("--data-binary", "@-", *kind, "-H", "Expect:", "-H",
                           "Transfer-Encoding: chunked", url + "/webhook"),
                     big),
                    (414, (url + "/" + "a" * 5000,), None),
                    (415, ("-d", "{}", url + "/webhook"), None),
                    (417, ("-H", "Expect: wonders", url + "/"), None),
                    (426, (url + "/ws",), None),
                    (431, ("-H", "X: " + "a" * 9000, url + "/"), None),
                    (501, ("-X", "BREW", url + "/"), None)):
                got, _, text = self.answer(*arguments, body=body)
                self.assertEqual(got, status, arguments)
                error = json.loads(text)
                self.assertIs(error["success"], False)
                self.assertRegex(error["message"], r"\.$")
            self.curl("-f", url + "/nothing", code=22)

    def test_one_connection_for_many_requests(self):
        for _, port in self.servers():
            url = f"http://127.0.0.1:{port}"
            done = self.curl("-v", url + "/health", url + "/nothing",
                             "-d", '{"roomId":"r","message":"m"}', "-H",
                             "Content-Type: application/json", url + "/webhook")
            self.assertEqual(done.stderr.count(b"Re-using existing"), 2)

    def test_http2_is_not_taken_up(self):
        for server, port in self.servers():
            ann = self.join(server, "ann")
            url = f"http://127.0.0.1:{port}/health"
            status, head, _ = self.answer("--http2", url)
            self.assertEqual((status, head[:8]), (200, "HTTP/1.1"))
            for each in {port, server.port}:
                done = self.curl("--http2-prior-knowledge",
                                 f"http://127.0.0.1:{each}/health", code=None)
                self.assertNotEqual(done.returncode, 0)
            ann.send(b"[ann] only I\n")
            self.assertEqual(ann.line(), b"[ann] only I\n")

    def test_https_is_turned_away(self):
        for server, port in self.servers():
            ann = self.join(server, "ann")
            for each in {port, server.port}:
                self.curl("-k", f"https://127.0.0.1:{each}/health", code=35)
            ann.send(b"[ann] only I\n")
            self.assertEqual(ann.line(), b"[ann] only I\n")

    def test_its_websocket(self):
        if b" ws " not in self.curl("-V").stdout.replace(b"\n", b" "):
            self.skipTest("this curl has no ws://")
        for _, port in self.servers():
            done = subprocess.run(
                ["curl", "-sS", "-v", "-m", "2", "-N",
                 f"ws://127.0.0.1:{port}/ws"], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertIn(b"HTTP/1.1 101", done.stderr)


def python_with_websockets():
    """websockets is Debian's, so perhaps only for Debian's Python."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.access(python, os.X_OK) and subprocess.run(
                [python, "-c", "import websockets"], check=False,
                stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


PYTHON = python_with_websockets()


@unittest.skipUnless(PYTHON, "python3-websockets is not installed")
class Websockets(InteropTest):
    def ask(self, port, story):
        done = subprocess.run([PYTHON, "-B",
                               os.path.join(HERE, "interop_ws.py"),
                               f"ws://127.0.0.1:{port}/ws", story],
                              stdout=subprocess.PIPE, timeout=WAIT, check=True)
        return json.loads(done.stdout)

    def test_joins_says_and_hears(self):
        for server, port in self.servers():
            ann = self.join(server, "ann")
            got = self.ask(port, "talk")
            self.assertEqual(got["subprotocol"], "chat.1")
            self.assertEqual(got["welcome"]["nick"], "lan")
            self.assertEqual(got["message"]["text"], "hi, chào")
            self.assertEqual(got["message"]["id"], got["ack"]["id"])
            self.assertEqual(ann.line(), "[lan] hi, chào\n".encode())

    def test_compression_is_declined(self):
        for _, port in self.servers():
            got = self.ask(port, "compression")
            self.assertIn("permessage-deflate", got["offered"])
            self.assertEqual(got["agreed"], [])
            self.assertEqual(got["pong"], 7)

    def test_pings_and_fragments(self):
        for _, port in self.servers():
            got = self.ask(port, "fragments")
            self.assertTrue(got["ping"])
            self.assertEqual(got["pong"], 9)

    def test_close_codes(self):
        for _, port in self.servers():
            for story, code in (("bye", 1000), ("own", 4321), ("binary", 1003),
                                ("too_big", 1009), ("bad_utf8", 1007),
                                ("many_fragments", 1009)):
                self.assertEqual(self.ask(port, story)["code"], code, story)

    def test_its_own_command(self):
        for server, port in self.servers():
            client = self.start([PYTHON, "-m", "websockets",
                                 f"ws://127.0.0.1:{port}/ws"])
            client.out.wait("Connected to ws://")
            client.write('{"t":"hello","nick":"lan"}\n')
            client.out.wait('"t":"welcome"')
            client.end_input()
            client.wait()


class Tap:
    """Between chat_clnt and chat_serv; keeps what each of them sends."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent, self.told = bytearray(), bytearray()
        self.server = port
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        client = self.listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", self.server), WAIT)
        back = threading.Thread(target=self._pass,
                                args=(server, client, self.told))
        back.start()
        self._pass(client, server, self.sent)
        back.join()
        client.close()
        server.close()
        self.listener.close()

    @staticmethod
    def _pass(source, target, kept):
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            kept.extend(piece)
            target.sendall(piece)
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class ClassicPair(InteropTest):
    def test_every_byte_is_as_ever(self):
        for server, _ in self.servers():
            tap = Tap(server.port)
            bob = self.start([CLNT, "127.0.0.1", str(tap.port), "bob"])
            bob.write("I am here\n")
            bob.out.wait(r"^\[bob\] I am here$|^bob: |I am here")
            ann = self.join(server, "ann")
            bob.out.wait(r"\[ann\] hello")
            bob.write("chào, ann\n  blanks  \n")
            self.assertEqual(ann.line(), "[bob] chào, ann\n".encode())
            self.assertEqual(ann.line(), b"[bob]   blanks  \n")
            bob.write("q\n")
            self.assertEqual(bob.wait(), 0)
            tap.thread.join(WAIT)
            said = "[bob] I am here\n", "[bob] chào, ann\n[bob]   blanks  \n"
            self.assertEqual(bytes(tap.sent).decode(), "".join(said))
            self.assertEqual(bytes(tap.told).decode(),
                             said[0] + "[ann] hello\n" + said[1])


if __name__ == "__main__":
    unittest.main()
