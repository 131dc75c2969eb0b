# SPDX-License-Identifier: MIT
"""A TCP relay in front of servers: what a balancer, or a bad line, does."""
import socket
import threading


class Door:
    """
    Connections go to the servers that answer, in turn. Open, shut (new ones are
    closed), or frozen (nothing moves).
    """

    def __init__(self, *ports):
        self.ports = list(ports)
        self.is_open = True
        self.moves = threading.Event()
        self.moves.set()
        self.lock = threading.Lock()
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepter = threading.Thread(target=self._accept)
        self.accepter.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepter.join()
        self.listener.close()
        self.thaw()
        self.cut()

    def cut(self):
        """Ends all connections."""
        with self.lock:
            for end in self.sockets:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # gone already

    def shut(self):
        self.is_open = False
        self.cut()

    def open(self):
        self.is_open = True

    def freeze(self):
        self.moves.clear()

    def thaw(self):
        self.moves.set()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            if not self.is_open:
                client.close()
                continue
            server = self._connect()
            if not server:
                client.close()
                continue
            with self.lock:
                self.sockets |= {client, server}
            ended = []
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._carry,
                                 args=(*ends, ended)).start()

    def _connect(self):
        for _ in self.ports:
            self.ports.append(self.ports.pop(0))
            try:
                return socket.create_connection(("127.0.0.1", self.ports[-1]))
            except ConnectionRefusedError:
                pass  # it is dead: the next
        return None

    def _carry(self, source, sink, ended):
        try:
            while True:
                data = source.recv(65536)
                self.moves.wait()
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end is gone
        with self.lock:
            ended.append(source)
            if len(ended) == 2:  # both directions
                self.sockets -= set(ended)
                for end in ended:
                    end.close()
