#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""clients.py - clients whose fortune the lab's tests follow

    clients.py stream ADDRESS PORT COUNT PER_S
            opens COUNT connections to a server of peer.py, so many a second,
            whatever became of those before. Each says a line, reads the answer
            and closes. Prints for each, in the order in which they end:
                NAME CONNECT_MS   NAME of the backend that answered, or
                failed MS ERROR   begun at that time, refused or timed out
                cut MS ERROR      the same, but connected and not answered
            and at the end "done failed=N cut=N slowest_ms=N".
    clients.py ask ADDRESS PORT [SOURCE]
            one connection to an answer.c; prints the name of who answers
    clients.py watch ADDRESS PORT
            opens one, says "watching", then "got N" for all bytes that have
            come, whenever more do, and how it ends: "reset" or "closed".
"""
import asyncio
import os
import socket
import sys
import time


async def visit(address, port, seen):
    began, began_ms = time.monotonic(), time.time() * 1000
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(address, int(port)), 30)
    except OSError as e:
        # Reset, not refused: after the SYN-ACK, before we could look.
        fate = "cut" if isinstance(e, ConnectionResetError) else "failed"
        seen[fate] += 1
        print(fate, f"{began_ms:.0f} {e!r}", flush=True)
        return
    took_ms = (time.monotonic() - began) * 1000
    seen["slowest_ms"] = max(seen["slowest_ms"], took_ms)
    try:
        writer.write(b"hello\n")
        answer = (await asyncio.wait_for(reader.readline(), 30)).decode().split()
        if answer[1:] != ["hello"]:
            raise ConnectionError(f"answered {answer!r}")
        print(f"{answer[0]} {took_ms:.1f}", flush=True)
    except OSError as e:
        seen["cut"] += 1
        print(f"cut {began_ms:.0f} {e!r}", flush=True)
    writer.close()


async def stream(address, port, count, per_s):
    seen = {"failed": 0, "cut": 0, "slowest_ms": 0}
    began = time.monotonic()
    visits = []
    for i in range(int(count)):
        await asyncio.sleep(max(0, began + i / float(per_s) - time.monotonic()))
        visits.append(asyncio.create_task(visit(address, port, seen)))
    await asyncio.gather(*visits)
    print(f"done failed={seen['failed']} cut={seen['cut']} "
          f"slowest_ms={seen['slowest_ms']:.0f}", flush=True)


async def ask(address, port, source=None):
    local = (source, 0) if source else None
    with socket.create_connection((address, int(port)), 10, local) as s:
        question = os.urandom(64)
        s.sendall(question)
        answer = s.makefile("rb").read(80)
        if answer[16:] != question:
            sys.exit(f"other bytes: {answer!r}")
        print(answer[:16].rstrip(b"\0").decode())


async def watch(address, port):
    with socket.create_connection((address, int(port)), 10) as s:
        s.settimeout(None)
        print("watching", flush=True)
        got = 0
        try:
            while part := s.recv(65536):
                got += len(part)
                print("got", got, flush=True)
            print("closed", flush=True)
        except ConnectionResetError:
            print("reset", flush=True)


VERBS = {"stream": stream, "ask": ask, "watch": watch}
if len(sys.argv) < 4 or sys.argv[1] not in VERBS:
    sys.exit(__doc__)
asyncio.run(VERBS[sys.argv[1]](*sys.argv[2:]))
