#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""screen.py - a user of the distributed chat, as its page behaves

    screen.py ADDRESS PORT NICK

Speaks JSON, an object a line. When its connection ends it comes back to
whichever server answers, brings the last id that it has, and says again what
was not acknowledged. Prints a line each time:

    on INSTANCE           it is in the room
    SENDER: TEXT          a message, when it is shown for the first time

and obeys its input:

    say TEXT
    talk COUNT SECONDS    says "NICK 1" to "NICK COUNT", so far apart
    count                 prints "count shown=N ids=FIRST-LAST missing=N twice=N"
"""
import asyncio
import json
import random
import sys
import uuid


class Screen:
    def __init__(self, address, port, nick):
        self.where, self.nick = (address, port), nick
        self.token = self.after = self.writer = None
        self.unacked = {}  # mid -> text
        self.shown = {}    # mid -> id or None
        self.twice = 0

    def tell(self, **fields):
        if self.writer:
            self.writer.write(json.dumps(fields).encode() + b"\n")

    def say(self, text):
        mid = uuid.uuid4().hex
        self.unacked[mid] = text
        self.tell(t="msg", room="lobby", mid=mid, text=text)

    def show(self, heard):
        mid, known = heard["mid"], heard.get("id")
        if mid not in self.shown:
            print(f"{heard['sender']}: {heard['text']}", flush=True)
        elif known and self.shown[mid] == known:
            self.twice += 1
        if known or mid not in self.shown:
            self.shown[mid] = known
        if known:
            self.after = max(self.after or "0-0", known, key=number)

    def hear(self, heard):
        kind = heard["t"]
        if kind == "welcome":
            self.token = heard["token"]
            print("on", heard["instance"], flush=True)
        elif kind == "joined":
            for mid, text in self.unacked.items():
                self.tell(t="msg", room="lobby", mid=mid, text=text,
                          retry=True)
        elif kind == "ack":
            self.unacked.pop(heard["mid"], None)
        elif kind == "message":
            self.show(heard)

    async def live(self):
        reader, self.writer = await asyncio.open_connection(*self.where)
        self.writer.write(b"/json\n")
        room = {"id": "lobby", **({"after": self.after} if self.after else {})}
        self.tell(t="hello", nick=self.nick, rooms=[room], client="screen",
                  **({"token": self.token} if self.token else {}))
        while line := await reader.readline():
            if line.startswith(b"{"):
                self.hear(json.loads(line))

    async def stay(self):
        while True:
            try:
                await self.live()
            except (OSError, ValueError):
                pass
            if self.writer:
                self.writer.close()
            self.writer = None
            await asyncio.sleep(random.uniform(0, 0.3))  # not all at once

    async def talk(self, count, seconds):
        for i in range(1, count + 1):
            self.say(f"{self.nick} {i}")
            await asyncio.sleep(seconds)  # the pace of a person

    def count(self):
        ids = sorted(number(i)[1] for i in self.shown.values() if i)
        missing = ids[-1] - ids[0] + 1 - len(set(ids)) if ids else 0
        twice = self.twice + len(ids) - len(set(ids))
        print(f"count shown={len(self.shown)} "
              f"ids={ids[0] if ids else 0}-{ids[-1] if ids else 0} "
              f"missing={missing} twice={twice}", flush=True)

    async def obey(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        tasks = [asyncio.create_task(self.stay())]
        while line := (await reader.readline()).decode():
            order, _, rest = line.strip().partition(" ")
            if order == "say":
                self.say(rest)
            elif order == "talk":
                count, seconds = rest.split()
                tasks.append(asyncio.create_task(
                    self.talk(int(count), float(seconds))))
            elif order == "count":
                self.count()


def number(text):
    epoch, _, seq = text.partition("-")
    return int(epoch), int(seq)


if __name__ == "__main__":
    asyncio.run(Screen(sys.argv[1], int(sys.argv[2]), sys.argv[3]).obey())
