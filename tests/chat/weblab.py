# SPDX-License-Identifier: MIT
"""HTTP and WebSocket peers for the chat tests, by raw sockets."""
import base64
import json
import os
import shutil
import struct
import tempfile

from chatlab import SERV, WRAP, ChatTest, Peer


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Web(Peer):
    """One connection of HTTP/1.1, kept alive."""

    def send_request(self, method, path, headers=None, body=None):
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        lines += [f"{name}: {value}"
                  for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def response(self, head=False):
        status = self.line().decode()
        if not status.startswith("HTTP/1.1 "):
            raise AssertionError(f"no response: {status!r}")
        headers = {}
        while True:
            line = self.line().decode().strip()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head else int(headers.get("content-length", 0))
        return Response(int(status.split()[1]), headers, self.receive(length))

    def ask(self, method, path, headers=None, body=None):
        self.send_request(method, path, headers, body)
        return self.response(head=method == "HEAD")

    def get(self, path, headers=None):
        return self.ask("GET", path, headers)

    def post(self, path, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, {"Content-Type": "application/json",
                                       **(headers or {})}, data)


class Socket(Web):
    """A WebSocket client."""

    def open(self, headers=None):
        key = base64.b64encode(os.urandom(16)).decode()
        answer = self.ask("GET", "/ws", {
            "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": "chat.1", **(headers or {})})
        return answer

    def frame(self, opcode, payload, final=True, masked=True):
        head = bytes([(0x80 if final else 0) | opcode])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if not masked:
            return head + payload
        mask = os.urandom(4)
        return head + mask + bytes(
            byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def say(self, **fields):
        self.send(self.frame(1, json.dumps(fields).encode()))

    def read_frame(self):
        """(opcode, payload); (None, b"") at the end of the stream."""
        head = self.receive(2)
        if len(head) < 2:
            return None, b""
        length = head[1] & 0x7f
        if length == 126:
            length = struct.unpack(">H", self.receive(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.receive(8))[0]
        return head[0] & 0x0f, self.receive(length)

    def hear(self, kind=None, **wanted):
        """The next object, or the next one of that kind and fields."""
        while True:
            opcode, payload = self.read_frame()
            if opcode != 1:
                raise AssertionError(
                    f"waited for {kind} {wanted}, got frame {opcode} "
                    f"{payload!r}")
            heard = json.loads(payload)
            if kind in (None, heard["t"]) and all(
                    heard.get(name) == value
                    for name, value in wanted.items()):
                return heard

    def close_code(self):
        """The code of the close frame, whatever comes before it."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0]
            if opcode is None:
                raise AssertionError("the stream ended without a close frame")


class JsonLines(Peer):
    """The same objects, one a line."""

    def start(self):
        self.send(b"/json\n")

    def say(self, **fields):
        self.send(json.dumps(fields).encode() + b"\n")

    def hear(self, kind=None, **wanted):
        while True:
            line = self.line()
            if not line:
                raise AssertionError(f"waited for {kind} {wanted}, got the end")
            heard = json.loads(line)
            if kind in (None, heard["t"]) and all(
                    heard.get(name) == value
                    for name, value in wanted.items()):
                return heard


class WebTest(ChatTest):
    mids = 0

    def peer(self, kind, server, port=None, **options):
        peer = kind(port or server.port, **options)
        self.addCleanup(peer.close)
        return peer

    def web(self, server, port=None):
        return self.peer(Web, server, port)

    def socket(self, server, nick=None, rooms=("lobby",), token=None,
               after=None, **options):
        """A WebSocket client that is in its rooms; .welcome, .joined."""
        peer = self.peer(Socket, server, **options)
        self.assertEqual(peer.open().status, 101)
        self.hello(peer, nick, rooms, token, after)
        return peer

    def hello(self, peer, nick=None, rooms=("lobby",), token=None,
              after=None):
        fields = {"rooms": [{"id": room, **({"after": after} if after else {})}
                            for room in rooms]}
        if nick:
            fields["nick"] = nick
        if token:
            fields["token"] = token
        peer.say(t="hello", client="test", **fields)
        peer.welcome = peer.hear("welcome")
        peer.joined = {room: peer.hear("joined", room=room) for room in rooms}

    def mid(self):
        WebTest.mids += 1
        return f"test-message-{WebTest.mids:08d}"

    def say(self, peer, text, room="lobby", **more):
        """Says it and waits for its ack: the id."""
        mid = self.mid()
        peer.say(t="msg", room=room, mid=mid, text=text, **more)
        return peer.hear("ack", mid=mid)["id"]

    def configure(self, text, **popen):
        """A server with a configuration file, on ports of the kernel's."""
        path = self.file(text)
        server = self.start([*self.wrap(), "-c", path], **popen)
        self.addCleanup(self.stop, server)
        server.ports = {}
        for _ in range(text.count("listen =")):
            found = server.out.wait(r"^listening .*port=(\d+)( line| web)?$",
                                    len(server.ports) + 1)
            server.ports[(found[2] or " auto").strip()] = int(found[1])
        server.port = next(iter(server.ports.values()))
        return server

    @staticmethod
    def wrap():
        return [*WRAP, SERV]

    def folder(self):
        path = tempfile.mkdtemp(prefix="chat-test-")
        self.addCleanup(shutil.rmtree, path)
        return path

    def file(self, text):
        handle, path = tempfile.mkstemp(prefix="chat-test-")
        self.addCleanup(os.unlink, path)
        os.write(handle, text.encode())
        os.close(handle)
        return path
