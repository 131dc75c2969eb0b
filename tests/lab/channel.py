#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""channel.py - speaks with a running l4lb by its control channel

    channel.py PATH COMMAND...    one command an argument; prints each reply;
                                  ends with 1 at the first that is refused
    channel.py PATH -             commands from standard input, a line each;
                                  prints each reply, also refusals
    channel.py PATH --raw HEX     one datagram of any bytes; the same

PATH is the socket, /run/l4lb/NAME.control. A reply is its lines, then the last
datagram: "ok ..." or "error CODE sentence".
"""
import socket
import sys

REPLY_MAX = 16384


class Channel:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def send(self, command):
        data = command if isinstance(command, bytes) else command.encode()
        self.socket.send(data)

    def reply(self):
        """(lines, end): what came before the last datagram, and that one."""
        lines = []
        while True:
            data = self.socket.recv(REPLY_MAX + 1)
            if not data:
                raise ConnectionError("l4lb has closed the connection")
            text = data.decode()
            if text[0] != "+":
                return lines, text
            lines += text[1:].splitlines()

    def ask(self, command):
        self.send(command)
        return self.reply()

    def do(self, command):
        """The lines of a reply that must be ok."""
        lines, end = self.ask(command)
        if not end.startswith("ok"):
            raise RuntimeError(f"{command}: {end}")
        return lines

    def close(self):
        self.socket.close()


def show(reply):
    lines, end = reply
    for line in [*lines, end]:
        print(line, flush=True)
    return end.startswith("ok")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    channel = Channel(sys.argv[1])
    if sys.argv[2] == "-":
        for line in sys.stdin:
            show(channel.ask(line.rstrip("\n")))
    elif sys.argv[2] == "--raw":
        if not show(channel.ask(bytes.fromhex(sys.argv[3]))):
            sys.exit(1)
    else:
        for command in sys.argv[2:]:
            if not show(channel.ask(command)):
                sys.exit(1)


if __name__ == "__main__":
    main()
