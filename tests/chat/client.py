# SPDX-License-Identifier: MIT
"""chat_clnt: in a pipe, on a terminal, and when things go wrong."""
import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import unittest

from chatlab import CLNT, SERV, WAIT, ChatTest
from terminal import Terminal

EVIL = (b"[evil] \x1b]0;pwn\x07\x1b[31mred\xc2\x9b2J\xe2\x80\xae end"
        b"\x08\x7f \xff\n")
TAMED = "[evil] ]0;pwn[31mred2J end \ufffd"


class ClientTest(ChatTest):
    def client(self, port, nick, host="127.0.0.1", **popen):
        return self.start([CLNT, host, str(port), nick], **popen)

    def listen(self):
        """A server of the test's own."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(WAIT)
        self.addCleanup(listener.close)
        return listener, listener.getsockname()[1]

    def accept(self, listener):
        connection = listener.accept()[0]
        connection.settimeout(WAIT)
        self.addCleanup(connection.close)
        return connection

    def check_end(self, client, code, pattern):
        self.assertEqual(client.wait(), code)
        self.assertEqual(len(client.err.lines), 1, client.err.lines)
        self.assertRegex(client.err.lines[0], "^chat_clnt: .*" + pattern)


def receive_all(connection):
    pieces = []
    while True:
        piece = connection.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


class Pipe(ClientTest):
    def test_lines_go_out_and_all_come_back(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.client(server.port, "밥", host="localhost")
        bob.write("xin chào các bạn\n")
        self.assertEqual(ann.line(), "[밥] xin chào các bạn\n".encode())
        ann.send("[ann] 안녕\n".encode())
        bob.out.wait(r"^\[ann\] 안녕$")  # while its input is still open
        bob.write("without newline")
        bob.end_input()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(bob.out.lines, ["[밥] xin chào các bạn", "[ann] 안녕",
                                         "[밥] without newline"])
        self.assertEqual(bob.err.lines, [])
        server.out.wait("left, clients=1")

    def test_a_script_gets_back_every_line(self):
        server = self.serve()
        lines = [f"line {i} {'x' * (i % 90)}" for i in range(20000)]
        bob = self.client(server.port, "bob")
        bob.write("\n".join(lines) + "\n")
        bob.end_input()
        self.assertEqual(bob.wait(), 0)
        self.assertTrue(bob.out.lines == [f"[bob] {line}" for line in lines])

    def test_q_leaves_and_is_not_sent(self):
        listener, port = self.listen()
        for word in ("q", "Q"):
            bob = self.client(port, "bob")
            server = self.accept(listener)
            bob.write(f"one\nqq\n{word}\nnever\n")
            self.assertEqual(receive_all(server), b"[bob] one\n[bob] qq\n")
            server.close()
            self.assertEqual(bob.wait(), 0)

    def test_control_characters_of_others_are_removed(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.client(server.port, "bob")
        bob.write("here\n")
        self.assertEqual(ann.line(), b"[bob] here\n")
        ann.send(EVIL)
        bob.out.wait("evil")
        bob.end_input()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(bob.out.lines, ["[bob] here", TAMED])

    def test_overlong_input_becomes_several_messages(self):
        server = self.serve()
        text = "한글" * 3000
        bob = self.client(server.port, "bob")
        bob.write(text + "\n")
        bob.end_input()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(len(bob.out.lines), 5)
        self.assertTrue(all(line.startswith("[bob] ")
                            for line in bob.out.lines))
        self.assertTrue("".join(line[6:] for line in bob.out.lines) == text)

    def test_a_server_that_does_not_read_does_not_stop_the_output(self):
        """Both directions full must not lock each other."""
        listener, port = self.listen()
        bob = self.client(port, "bob")
        server = self.accept(listener)
        feeder = threading.Thread(target=lambda: (
            bob.write(b"0123456789\n" * 1000000), bob.end_input()))
        feeder.start()
        for i in range(1000):
            server.sendall(b"[x] %d %s\n" % (i, b"y" * 4000))
        bob.out.wait(r"^\[x\] 999 ")
        received = receive_all(server)
        feeder.join()
        server.close()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(received, b"[bob] 0123456789\n" * 1000000)

    def test_a_classic_server_that_echoes_raw_reads(self):
        listener, port = self.listen()
        bob = self.client(port, "bob")
        server = self.accept(listener)
        bob.write("một\nhai\n")
        bob.end_input()
        while True:
            piece = server.recv(7)  # cuts lines and characters
            if not piece:
                break
            server.sendall(piece)
        server.close()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(bob.out.lines, ["[bob] một", "[bob] hai"])

    def test_sigterm_leaves_politely(self):
        server = self.serve()
        bob = self.client(server.port, "bob")
        bob.write("hi\n")
        bob.out.wait("hi")
        bob.process.send_signal(signal.SIGTERM)
        self.assertEqual(bob.wait(), 0)
        server.out.wait("left, clients=0")

    @unittest.skipUnless(shutil.which("nc"), "nc is not installed")
    def test_nc_as_the_server(self):
        listener, port = self.listen()
        listener.close()
        nc = self.start(["nc", "-v", "-l", "127.0.0.1", str(port)])
        nc.err.wait("Listening")
        bob = self.client(port, "bob")
        bob.write("hi nc\n")
        nc.out.wait(r"^\[bob\] hi nc$")
        nc.write("[nc] hi bob\n")
        bob.out.wait(r"^\[nc\] hi bob$")
        nc.end_input()
        bob.end_input()
        self.assertEqual(bob.wait(), 0)


class Trouble(ClientTest):
    def test_refused_by_the_host(self):
        listener, port = self.listen()
        listener.close()
        self.check_end(self.client(port, "bob"), 1,
                       f"127.0.0.1 port {port}: Connection refused; "
                       "no server listens there")

    def test_refused_by_a_full_server(self):
        server = self.serve("--max-clients", "1")
        self.join(server, "ann")
        for text in ("", "hello\n" * 2000):  # input open, input ended
            bob = self.client(server.port, "bob")
            if text:
                try:
                    bob.write(text)
                    bob.end_input()
                except BrokenPipeError:
                    pass
            self.check_end(bob, 1, "the server closed the connection")
            self.assertEqual(bob.out.lines, ["[chat_serv] refused: the room "
                                             "is full, try again later"])

    def test_server_goes_away(self):
        server = self.serve()
        bob = self.client(server.port, "bob")
        bob.write("hi\n")
        bob.out.wait("hi")
        server.process.terminate()
        self.check_end(bob, 1, "the server closed the connection$")
        self.assertEqual(server.wait(), 0)  # a second signal would kill it
        self.assertEqual(bob.out.lines[-1],
                         "[chat_serv] the server is closing, goodbye")

    def test_connection_reset(self):
        listener, port = self.listen()
        bob = self.client(port, "bob")
        server = self.accept(listener)
        bob.write("hi\n")
        server.recv(100)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
        server.close()
        self.check_end(bob, 1, "broke: Connection reset by peer")

    def test_unreachable_and_unknown(self):
        """In a namespace without network, so that nothing leaves here."""
        cut_off = ["unshare", "-Urn"]
        if subprocess.run(cut_off + ["true"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            self.skipTest("no user namespaces here")
        for host, pattern in (
                ("198.18.0.1", "198.18.0.1 port 7: Network is unreachable; "
                               "unreachable: check the address"),
                ("no-such-host.invalid", "cannot resolve no-such-host")):
            self.check_end(self.start(cut_off + [CLNT, host, "7", "bob"]), 1,
                           pattern)

    def test_wrong_usage(self):
        for arguments, pattern in (
                ([], "give ADDRESS, PORT and NICK"),
                (["h", "1"], "give ADDRESS"), (["h", "0", "n"], "PORT '0'"),
                (["h", "65536", "n"], "PORT '65536'"),
                (["h", "1", ""], "NICK is empty"),
                (["h", "1", "x" * 256], "NICK has 256 bytes: give at most"),
                (["h", "1", "a\nb"], "NICK must be"),
                (["h", "1", b"\xff"], "NICK must be"),
                (["h", "1", "Chat serv"], "NICK chat_serv is the server's own"),
                (["h", "1", "chat_serv] x"], "NICK chat_serv is the server's"),
                (["h", "1", "ann", "lee"],
                 "'lee' after NICK 'ann': put a NICK of several words in"),
                (["--nonsense"], "there is no option --nonsense;"),
                (["-x"], "there is no option -x;"),
                (["h", "-1"], "there is no option -1;"),
                (["--help=me"], "option --help takes no value;")):
            self.check_end(self.start([CLNT, *arguments]), 2, pattern)

    def test_the_longest_nick(self):
        server = self.serve()
        nick = "n" * 255
        bob = self.client(server.port, nick)
        bob.write("hi\n")
        bob.end_input()
        self.assertEqual(bob.wait(), 0)
        self.assertEqual(bob.out.lines, [f"[{nick}] hi"])


class Lost(ClientTest):
    """What reads the output goes away, or never was."""

    def piped(self, server, **popen):
        reading, writing = os.pipe()
        bob = self.client(server.port, "bob", stdout=writing, **popen)
        os.close(writing)
        return bob, reading

    def test_reader_gone_is_said_though_nothing_arrives(self):
        server = self.serve()
        bob, reading = self.piped(server)
        bob.write("hi\n")
        self.assertEqual(os.read(reading, 100), b"[bob] hi\n")
        os.close(reading)
        self.check_end(bob, 1, "nobody reads the output any more$")
        server.out.wait("left, clients=0")

    def test_what_was_typed_before_is_still_said(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob, reading = self.piped(server)
        os.close(reading)
        lines = b"one more line\n" * 4000  # less than a pipe holds
        try:
            bob.write(lines)
        except BrokenPipeError:
            pass  # it left before it had read all of them
        self.check_end(bob, 1, "nobody reads the output any more$")
        ann.half_close()
        said = ann.rest()
        self.assertEqual(said, b"[bob] one more line\n" * said.count(b"\n"))
        server.out.wait(r"\d left, clients=[01]$")

    def test_output_closed_from_the_start(self):
        self.check_end(self.start(
            ["sh", "-c", '"$@" >&-', "sh", CLNT, "127.0.0.1", "9", "bob"]), 1,
            "standard output is closed: give it a file, or /dev/null")

    def test_a_full_disk(self):
        server = self.serve()
        with open("/dev/full", "wb") as full:
            bob = self.client(server.port, "bob", stdout=full)
            bob.write("hi\n")
            self.check_end(bob, 1, "cannot write the output: No space left")
            for program in (CLNT, SERV):
                done = self.start([program, "--version"], stdout=full)
                self.assertEqual(done.wait(), 1)
                self.assertRegex(done.err.lines[0], "No space left on device$")

    def test_input_that_cannot_be_read(self):
        server = self.serve()
        directory = os.open("/", os.O_RDONLY)
        bob = self.client(server.port, "bob", stdin=directory)
        os.close(directory)
        self.check_end(bob, 1, "cannot read the input: Is a directory$")

    def test_a_nonblocking_output_loses_nothing(self):
        server = self.serve()
        ann = self.join(server, "ann")
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        bob = self.client(server.port, "bob", stdout=writing)
        os.close(writing)
        bob.write("here\n")
        self.assertEqual(ann.line(), b"[bob] here\n")
        lines = b"".join(b"[ann] %d %s\n" % (i, b"x" * 1000)
                         for i in range(300))  # more than a pipe holds
        ann.send(lines)
        for _ in range(300):
            ann.line()
        bob.end_input()
        with os.fdopen(reading, "rb") as pipe:
            self.assertTrue(pipe.read() == b"[bob] here\n" + lines)
        self.assertEqual(bob.wait(), 0)

    def test_the_terminal_vanishes(self):
        server = self.serve()
        primary, secondary = pty.openpty()
        bob = self.client(server.port, "bob", stdin=secondary,
                          stdout=secondary, env=dict(os.environ, TERM="xterm"))
        os.close(secondary)
        server.out.wait("came, clients=1")
        os.close(primary)
        self.check_end(bob, 1, "the terminal is gone$")
        server.out.wait("left, clients=0")


class Typing(ClientTest):
    """The client on a pseudo-terminal, seen through a terminal emulator."""

    def setUp(self):
        self.server = self.serve()
        self.ann = self.join(self.server, "ann")
        self.primary, secondary = pty.openpty()
        self.addCleanup(os.close, self.primary)
        fcntl.ioctl(secondary, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, 60, 0, 0))
        self.before = termios.tcgetattr(secondary)
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8",
                           INPUTRC="/dev/null")
        self.bob = self.client(self.server.port, "bob", stdin=secondary,
                               stdout=secondary, env=environment)
        self.secondary = secondary
        self.addCleanup(os.close, secondary)
        self.terminal = Terminal(60)
        self.wait_screen(["bob>"])
        self.server.out.wait("came, clients=2")

    def wait_screen(self, expected):
        while self.terminal.lines()[-len(expected):] != expected:
            if not select.select([self.primary], [], [], WAIT)[0]:
                raise AssertionError(f"{self.terminal.lines()[-10:]} is not "
                                     f"{expected}")
            self.terminal.feed(os.read(self.primary, 65536))
        self.assertEqual(self.terminal.unknown, [])

    def type(self, text):
        os.write(self.primary, text.encode())

    def test_arriving_lines_do_not_garble_what_is_typed(self):
        self.type("xin chà")
        self.wait_screen(["bob> xin chà"])
        self.ann.send("[ann] 안녕\n".encode() * 2)
        self.wait_screen(["[ann] 안녕", "[ann] 안녕", "bob> xin chà"])
        self.type("o 한국")
        self.wait_screen(["bob> xin chào 한국"])
        self.ann.send(EVIL)
        self.wait_screen([TAMED, "bob> xin chào 한국"])
        self.type("\x7f\x7f")  # backspace takes whole characters
        self.wait_screen(["bob> xin chào"])
        self.type("\r")
        for _ in range(3):
            self.ann.line()
        self.assertEqual(self.ann.line(), "[bob] xin chào \n".encode())
        self.wait_screen(["[ann] 안녕", "[ann] 안녕", TAMED, "[bob] xin chào",
                          "bob>"])

    def test_a_typed_line_longer_than_the_screen(self):
        text = "0123456789" * 12
        self.type(text)
        shown = "bob> " + text
        rows = [shown[i:i + 60] for i in range(0, len(shown), 60)]
        self.wait_screen(rows)
        self.ann.send(b"[ann] one\n")
        self.wait_screen(["[ann] one"] + rows)
        self.type("\r")
        self.ann.line()
        self.assertEqual(self.ann.line(), f"[bob] {text}\n".encode())

    def test_history_brings_back_the_last_line(self):
        self.type("once\r")
        self.assertEqual(self.ann.line(), b"[bob] once\n")
        self.wait_screen(["[bob] once", "bob>"])
        self.type("\x1b[A")
        self.wait_screen(["[bob] once", "bob> once"])
        self.type(" more\r")
        self.assertEqual(self.ann.line(), b"[bob] once more\n")

    def check_goodbye(self):
        self.assertEqual(self.bob.wait(), 0)
        self.assertEqual(termios.tcgetattr(self.secondary), self.before)
        self.server.out.wait("left, clients=1")

    def test_q_leaves_and_restores_the_terminal(self):
        self.type("\r")  # an empty line says nothing
        self.type("q\r")
        self.check_goodbye()
        self.ann.send(b"[ann] alone\n")
        self.assertEqual(self.ann.line(), b"[ann] alone\n")

    def test_control_d_leaves(self):
        self.type("\x04")
        self.check_goodbye()

    def test_a_signal_leaves_and_restores_the_terminal(self):
        self.type("half a li")
        self.wait_screen(["bob> half a li"])
        self.bob.process.send_signal(signal.SIGINT)
        self.check_goodbye()

    def test_server_gone_is_said_on_a_clean_line(self):
        self.type("half a li")
        self.wait_screen(["bob> half a li"])
        self.ann.close()
        self.server.process.terminate()
        self.assertEqual(self.server.wait(), 0)
        self.assertEqual(self.bob.wait(), 1)
        self.wait_screen(["[chat_serv] the server is closing, goodbye", ""])
        self.assertRegex(self.bob.err.lines[0],
                         "the server closed the connection$")


if __name__ == "__main__":
    unittest.main()
