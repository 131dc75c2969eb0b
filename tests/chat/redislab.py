# SPDX-License-Identifier: MIT
"""Real Redis servers for the tests of the bus.

Each has a temporary folder and a port of its own, and is ended by its pid. A
cluster is put together by hand (ADDSLOTSRANGE, MEET), which takes a second.
"""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

WAIT = 30
SERVER = shutil.which("redis-server")


def until(what, condition, wait=WAIT):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + wait
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"in {wait} s not: {what}")
        time.sleep(0.02)  # between two looks, not instead of one


class Ports:
    """Ports for servers, below those that the kernel gives to clients; the bus
    of a cluster has 10000 more. A block of them is ours while its lock, a port
    as well, is bound: several tests may run at a time."""
    FIRST, BLOCK, BLOCKS = 20000, 50, 40

    def __init__(self):
        self.next = 0

    def lock(self):
        for block in range(self.BLOCKS):
            self.held = socket.socket()
            try:
                self.held.bind(("127.0.0.1", self.FIRST - 1 - block))
                return self.FIRST + block * self.BLOCK
            except OSError:
                self.held.close()
        raise AssertionError("no free block of ports")

    def take(self):
        """Each one once, as long as there are any."""
        if self.next == 0:
            self.first = self.lock()
        for _ in range(self.BLOCK):
            port = self.first + self.next % self.BLOCK
            self.next += 1
            try:
                for each in (port, port + 10000):
                    with socket.socket() as probe:
                        probe.setsockopt(socket.SOL_SOCKET,
                                         socket.SO_REUSEADDR, 1)
                        probe.bind(("127.0.0.1", each))
                return port
            except OSError:
                continue
        raise AssertionError("no free port")

    def close(self):
        if self.next:
            self.held.close()


PORTS = Ports()
atexit.register(PORTS.close)


class Error(Exception):
    """An error that Redis answers."""


class Client:
    """As little of RESP as the tests need."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(out))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server has closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self.file.read(int(rest) + 2)[:-2]
            return data.decode("utf-8", "replace")
        if int(rest) < 0:
            return None
        out = []
        for _ in range(int(rest)):
            try:
                out.append(self.read())
            except Error as error:
                out.append(error)
        return out

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    def __init__(self, *options, port=None):
        self.port = port or PORTS.take()
        self.folder = tempfile.mkdtemp(prefix="chat_redis.")
        self.options = [str(option) for option in options]
        self.process = None
        try:
            self.start()
        except BaseException:
            self.end()
            raise

    def start(self):
        log = os.path.join(self.folder, "log")
        self.process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", self.folder, "--save", "", "--logfile", log,
             "--protected-mode", "no", *self.options],
            stdout=subprocess.DEVNULL)
        until("redis-server answers", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.folder, "log")) as log:
                raise AssertionError(f"redis-server ended: {log.read()}")
        try:
            return self.ask("PING") == "PONG"
        except (OSError, ConnectionError):
            return False
        except Error as error:
            return "NOAUTH" in str(error)

    def ask(self, *words):
        client = Client(self.port)
        try:
            return client(*words)
        finally:
            client.close()

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(WAIT)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process and self.process.poll() is None:
            self.resume()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """Masters with the slots shared out, and perhaps a replica of each."""

    def __init__(self, masters=3, replicas=False, more=()):
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                   "--cluster-replica-validity-factor", "0",
                   "--repl-diskless-sync-delay", "0",
                   "--repl-ping-replica-period", "1", *more)
        count = masters * (2 if replicas else 1)
        self.servers = []
        try:
            for _ in range(count):
                self.servers.append(Server(*options))
            self.join(masters, count)
        except BaseException:
            self.end()
            raise

    def join(self, masters, count):
        self.masters = self.servers[:masters]
        self.replicas = self.servers[masters:]
        for i, server in enumerate(self.masters):
            server.ask("CLUSTER", "ADDSLOTSRANGE", 16384 * i // masters,
                       16384 * (i + 1) // masters - 1)
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in self.servers[1:]:
            server.ask("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        for server in self.servers:
            until("all nodes are known", lambda: server.ask(
                "CLUSTER", "NODES").count(" connected") == count)
        for master, replica in zip(self.masters, self.replicas):
            until("it is a replica", lambda: replicate(replica, master))
        for server in self.servers:
            until("the cluster is well", lambda: "cluster_state:ok" in
                  server.ask("CLUSTER", "INFO"))
        for replica in self.replicas:
            until("it has its master's data", lambda:
                  "master_link_status:up" in replica.ask("INFO", "replication"))

    @property
    def address(self):
        return ",".join(f"127.0.0.1:{s.port}" for s in self.servers[:2])

    def owner(self, key):
        slot = self.servers[-1].ask("CLUSTER", "KEYSLOT", key)
        for server in self.masters:
            for low, high, node, *_ in server.ask("CLUSTER", "SLOTS"):
                if low <= slot <= high:
                    for each in self.servers:
                        if each.port == node[1]:
                            return slot, each
        raise AssertionError("nobody has the slot")

    def move(self, slot, source, target, between=lambda: None):
        """As redis-cli --cluster reshard does; between: halfway."""
        source_id = source.ask("CLUSTER", "MYID")
        target_id = target.ask("CLUSTER", "MYID")
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while True:
            keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10)
            if not keys:
                break
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000,
                       "KEYS", *keys)
            between()
        for server in (target, source, *self.masters):
            try:
                server.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
            except (Error, OSError):
                pass  # of a replica or a dead one

    def end(self):
        for server in self.servers:
            server.end()


def replicate(replica, master):
    try:
        return replica.ask("CLUSTER", "REPLICATE",
                           master.ask("CLUSTER", "MYID")) == "OK"
    except Error:
        return False
