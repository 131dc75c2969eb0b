#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
canned.py - an HTTP server that answers as l4lb-api does, without a balancer

Its answers have the forms that l4lb-api(8) defines. What was asked is kept, so a
test can see what l4lbctl sent.
"""

import http.server
import json
import os
import socket
import socketserver
import sys
import threading
import traceback
import urllib.parse


def backend(ident, address, **more):
    """One backend of /lb/backends."""
    host, _, port = address.rpartition(":")
    return {
        "id": ident, "service": "chat", "host": host, "port": port,
        "address": address, "weight": 1, "backup": False, "state": "live",
        "admin": "enabled", "health": "up", "healthy": True,
        "breaker": "closed", "active_connections": 602,
        "total_connections": 15012, "failed_connections": 0,
        "packets": {"to": 100000, "from": 100000},
        "retransmits": {"to": 10, "from": 20},
        "bytes": {"to": 21200000, "from": 1140000000},
        "handshake_ms": {"last": 0.41, "avg": 0.44, "p50": 0.4, "p99": 0.9},
        "first_byte_ms": {"last": 3.2, "avg": 3.1, "p50": 3.0, "p99": 12.5},
        "check": {"last": "ok", "ms": 0.3, "fails": 0},
        "since_s": 72, "downtime_s": 0, **more}


BACKENDS = [
    backend("backend1", "198.18.0.11:9001", weight=3),
    backend("backend2", "198.18.0.12:9001", weight=2, admin="drain",
            active_connections=402, total_connections=9431),
    backend("backend3", "198.18.0.13:9001", health="down", healthy=False,
            active_connections=0, total_connections=17,
            failed_connections=9, since_s=41, downtime_s=41,
            packets={"to": 0, "from": 0}, bytes={"to": 0, "from": 0},
            handshake_ms={"last": None, "avg": None, "p50": None,
                          "p99": None},
            check={"last": "connection refused", "ms": 0.2, "fails": 12}),
    backend("spare", "198.18.0.14:9001", backup=True, active_connections=0,
            total_connections=0),
]

SERVICES = [{
    "name": "chat", "listen": "198.18.0.1:20000", "scheduler": "wrr",
    "check": "http GET /", "state": "live", "away": False, "backends": 4,
    "backends_up": 3, "flows": 1004, "total_requests": 24460,
    "failed_requests": 9}]

STATS = {
    "name": "20000", "uptime_s": 273845, "generation": 42,
    "total_requests": 24460, "successful_requests": 24449,
    "failed_requests": 9, "pending_requests": 2,
    "flows": {"used": 1204, "size": 65536}, "services": SERVICES}


def flow(number):
    """One flow of /lb/flows."""
    return {
        "id": number, "service": "chat",
        "client": f"203.0.113.{number % 250}:40112",
        "vip": "198.18.0.1:20000", "nat": f"198.18.0.1:{10240 + number % 20000}",
        "backend": "198.18.0.11:9001", "backend_id": "backend1",
        "state": "ESTABLISHED", "age_s": 12.4 * number, "idle_s": 0.8,
        "c2s": {"packets": 4, "bytes": 212, "retransmits": 0},
        "s2c": {"packets": 9, "bytes": 1140, "retransmits": 1},
        "handshake_ms": 0.41, "first_byte_ms": 3.2, "tries": 2, "why": "wrr"}


EVENTS = [
    {"seq": 9811, "time": "2026-11-29T06:25:09.123Z", "kind": "backend",
     "what": "down", "service": "chat", "backend": "backend3",
     "why": "no answer, 3 checks", "by": None},
    {"seq": 9812, "time": "2026-11-29T06:25:50.456Z", "kind": "operator",
     "what": "command", "why": "backend drain chat backend2", "by": "uid:0"},
    {"seq": 9813, "time": "2026-11-29T06:26:00.456Z", "kind": "flow",
     "what": "ended", "service": "chat", "backend": "backend1", "flow": 17,
     "client": "203.0.113.17:40112", "why": "closed"},
]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from .server.answers: {"METHOD /path": (status, body)}."""

    protocol_version = "HTTP/1.1"

    def do_any(self):
        """Whatever the method."""
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode()
        path, _, query = self.path.partition("?")
        self.server.seen.append((self.command, path, query, body,
                                 dict(self.headers)))
        found = self.server.answers.get(f"{self.command} {path}")
        if callable(found):
            found = found(urllib.parse.parse_qs(query, True), body)
        if found is None:
            found = 404, {"error": {"code": "no-such-path", "message":
                                    f"there is no {path}", "generation": 42}}
        self.close_connection |= self.server.hang_up or found == "hang up"
        if found == "hang up":
            return
        try:
            self.reply(*found)
        except ConnectionError: # who asked has heard enough
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_any

    def reply(self, status, answer):
        """An iterator goes out line by line, a text as it is, else JSON."""
        if hasattr(answer, "__next__"):
            self.send_response(status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in answer:
                data = (line + "\n").encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
            return
        data = (answer if isinstance(answer, str)
                else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Says nothing."""

    def address_string(self):
        """A Unix socket has none."""
        return "unix"


class Quiet:
    """Who goes before it has heard all is nothing to tell of."""

    def handle_error(self, _request, _address):
        """What is wrong here shows in the test."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


class UnixServer(Quiet, socketserver.ThreadingMixIn,
                 socketserver.UnixStreamServer):
    """On a Unix socket."""
    daemon_threads = True
    request_queue_size = 64


class TcpServer(Quiet, socketserver.ThreadingMixIn, socketserver.TCPServer):
    """On 127.0.0.1, a port of the kernel's choice."""
    daemon_threads = True
    allow_reuse_address = True


def start(path=None):
    """Serves at @path, or over TCP; .answers may be changed at any time."""
    server = UnixServer(path, Handler) if path else \
        TcpServer(("127.0.0.1", 0), Handler)
    server.seen = []
    server.hang_up = False # after each answer
    server.answers = {
        "GET /lb/stats": (200, STATS),
        "GET /lb/backends": (200, BACKENDS),
        "GET /lb/health": (200, {"status": "healthy"}),
        "GET /lb/events": (200, {"events": EVENTS, "next": 9814, "lost": 0}),
    }
    threading.Thread(target=server.serve_forever, args=(0.02,),
                     daemon=True).start()
    return server


def stale(path):
    """A socket that a dead process has left."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    assert os.path.exists(path)
