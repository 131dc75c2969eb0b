#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""peer.py - the ends of connections that the lab's tests open

    peer.py serve NAME ADDRESS PORT   answers every line with "NAME line"
    peer.py digest NAME ADDRESS PORT  answers all that comes until the end of it
                                      with its SHA-256, and closes
    peer.py hold ADDRESS PORT COUNT [SOURCE]
                                      opens COUNT connections, says "holding",
                                      and does as its input says, a line each:
            say TEXT    one line on every connection; prints, sorted, how many
                        got which first word back: "said b1=167 b2=167 ..."
            close       closes all, prints "closed" and ends
    peer.py send ADDRESS PORT FILE MIB_S
                                      sends FILE, so much of it a second, and
                                      prints the line that is answered
    peer.py fast ADDRESS PORT BYTES   sends so many bytes in the SYN (RFC 7413,
                                      Fast Open), prints their SHA-256 and the
                                      line that is answered
"""
import asyncio
import collections
import hashlib
import os
import socket
import sys
import time


async def echo(name, reader, writer):
    while line := await reader.readline():
        writer.write(name.encode() + b" " + line)
        await writer.drain()


async def digest(name, reader, writer):
    seen = hashlib.sha256()
    while part := await reader.read(65536):
        seen.update(part)
    print(f"{name} {seen.hexdigest()}", flush=True)
    writer.write(seen.hexdigest().encode() + b"\n")
    await writer.drain()


async def serve(talk, name, address, port):
    async def client(reader, writer):
        try:
            await talk(name, reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, address, int(port), backlog=4096)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


async def ask(connection, text):
    reader, writer = connection
    writer.write(text.encode() + b"\n")
    await writer.drain()
    answer = (await asyncio.wait_for(reader.readline(), 30)).decode().split()
    if answer[1:] != text.split():
        raise ValueError(f"said {text!r}, got {answer!r}")
    return answer[0]


async def hold(address, port, count, source=None):
    local = (source, 0) if source else None
    gate = asyncio.Semaphore(100)  # SYNs at once: no listener's queue overflows

    async def connect():
        async with gate:
            return await asyncio.wait_for(
                asyncio.open_connection(address, int(port), local_addr=local), 30)

    held = await asyncio.gather(*(connect() for _ in range(int(count))))
    print(f"holding {len(held)}", flush=True)

    # A thread of its own: plain files and pipes are both fine as input.
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, _, text = line.strip().partition(" ")
        if verb == "say":
            got = await asyncio.gather(*(ask(c, text) for c in held),
                                       return_exceptions=True)
            names = collections.Counter(
                g if isinstance(g, str) else f"{type(g).__name__}({g})" for g in got)
            print("said", *(f"{k}={v}" for k, v in sorted(names.items())), flush=True)
        elif verb == "close":
            break
    for _, writer in held:
        writer.close()
    await asyncio.gather(*(w.wait_closed() for _, w in held), return_exceptions=True)
    print("closed", flush=True)


async def send(address, port, path, mib_s):
    reader, writer = await asyncio.open_connection(address, int(port))
    began, sent, part = time.monotonic(), 0, 256 << 10
    with open(path, "rb") as f:
        while data := f.read(part):
            writer.write(data)
            await writer.drain()
            sent += len(data)
            await asyncio.sleep(began + sent / float(mib_s) / (1 << 20) - time.monotonic())
    writer.write_eof()
    print((await reader.readline()).decode().strip())


async def fast(address, port, count):
    data = os.urandom(int(count))
    with socket.socket() as s:
        s.settimeout(30)
        sent = s.sendto(data, socket.MSG_FASTOPEN, (address, int(port)))
        s.sendall(data[sent:])
        s.shutdown(socket.SHUT_WR)
        print(hashlib.sha256(data).hexdigest(), s.makefile().readline().strip())


VERBS = {
    "serve": lambda *args: serve(echo, *args),
    "digest": lambda *args: serve(digest, *args),
    "hold": hold,
    "send": send,
    "fast": fast,
}
if len(sys.argv) < 5 or sys.argv[1] not in VERBS:
    sys.exit(__doc__)
asyncio.run(VERBS[sys.argv[1]](*sys.argv[2:]))
