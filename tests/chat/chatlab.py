# SPDX-License-Identifier: MIT
"""Programs and peers for the chat tests.

Everything runs on loopback, on ports the kernel chooses. Nothing sleeps: a
test waits for a line or an end of file, and WAIT only bounds a failure.
"""
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import unittest

WAIT = float(os.environ.get("CHAT_WAIT", "30"))
SERV = os.environ.get("CHAT_SERV", "chat_serv")
CLNT = os.environ.get("CHAT_CLNT", "chat_clnt")
# A command the server runs under, such as valgrind.
WRAP = shlex.split(os.environ.get("CHAT_WRAP", ""))


class Output:
    """The lines of a stream, read as they come by a thread."""

    def __init__(self, stream):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,))
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.decode().rstrip("\n"))
                self.changed.notify_all()
        stream.close()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def has(self, pattern, count=1):
        """Whether so many lines match until now."""
        with self.changed:
            return len([line for line in self.lines
                        if re.search(pattern, line)]) >= count

    def wait(self, pattern, count=1):
        """The count-th line that matches."""
        def found():
            return [match for match in
                    (re.search(pattern, line) for line in self.lines) if match]
        with self.changed:
            self.changed.wait_for(
                lambda: len(found()) >= count or self.ended, WAIT)
            if len(found()) < count:
                raise AssertionError(
                    f"no line {pattern!r} (x{count}) in {self.lines[-20:]}")
            return found()[count - 1]


class Program:
    def __init__(self, command, **popen):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE}
        options.update(popen)
        self.process = subprocess.Popen(command, **options)
        self.stdin = self.process.stdin
        self.out = self.process.stdout and Output(self.process.stdout)
        self.err = self.process.stderr and Output(self.process.stderr)

    def write(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.stdin.write(data)
        self.stdin.flush()

    def end_input(self):
        self.stdin.close()

    def wait(self):
        """The exit code, once all output has been read."""
        code = self.process.wait(WAIT)
        for output in (self.out, self.err):
            if output:
                output.thread.join(WAIT)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        if self.stdin and not self.stdin.closed:
            try:
                self.stdin.close()
            except BrokenPipeError:
                pass


class Peer:
    """A raw socket that knows nothing of chat but lines."""

    def __init__(self, port, receive_buffer=None, address="127.0.0.1"):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.settimeout(WAIT)
        try:
            self.socket.connect((address, port))
        except OSError:
            self.socket.close()
            raise
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, want):
        """Exactly so many bytes, less at the end of the stream."""
        while len(self.data) < want:
            more = self.socket.recv(65536)
            if not more:
                break
            self.data += more
        got, self.data = self.data[:want], self.data[want:]
        return got

    def line(self):
        """One line with its newline, b"" at the end of the stream."""
        while b"\n" not in self.data:
            more = self.socket.recv(65536)
            if not more:
                got, self.data = self.data, b""
                return got
            self.data += more
        got, _, self.data = self.data.partition(b"\n")
        return got + b"\n"

    def rest(self):
        """Everything up to the end of the stream."""
        pieces = [self.data]
        self.data = b""
        while True:
            more = self.socket.recv(65536)
            if not more:
                return b"".join(pieces)
            pieces.append(more)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()


class ChatTest(unittest.TestCase):
    def start(self, command, **popen):
        program = Program(command, **popen)
        self.addCleanup(program.kill)
        return program

    def serve(self, *options, **popen):
        """A server on a free port; it must end well when the test ends."""
        server = self.start(WRAP + [SERV, *options, "0"], **popen)
        server.port = int(server.out.wait(r"^listening .*port=(\d+)$")[1])
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server):
        server.process.terminate()
        self.assertEqual(server.wait(), 0, server.err and server.err.lines)

    def connect(self, server, **options):
        peer = Peer(server.port, **options)
        self.addCleanup(peer.close)
        return peer

    def join(self, server, nick, others=(), **options):
        """A peer that is in the room: its first line has come back to all."""
        peer = self.connect(server, **options)
        hello = f"[{nick}] hello\n".encode()
        peer.send(hello)
        for each in (peer, *others):
            self.assertEqual(each.line(), hello)
        return peer


def skip_all(reason):
    print("skipped:", reason)
    sys.exit(77)
