#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""reliability.py - the load of reliability.sh

    reliability.py ADDRESS PORT COUNT PER_S PATIENCE
            opens COUNT connections to a server of peer.py, so many a second,
            whatever became of those before. Each says a line, waits at most
            PATIENCE seconds for the answer, and closes. Prints for each, in the
            order in which they end:
                NAME BEGAN_MS TOOK_MS           that backend answered
                failed BEGAN_MS TOOK_MS ERROR   no answer

The time counts from connect() to the answer: a proxy accepts a connection
before it has a backend for it, so that the connect alone says nothing.
"""
import asyncio
import sys
import time


async def ask(address, port):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"hello\n")
        name, _, text = (await reader.readline()).decode().strip().partition(" ")
        if text != "hello":
            raise ConnectionError(f"answered {name!r}")
        return name
    finally:
        writer.close()


async def visit(address, port, patience):
    began_ms = time.time() * 1000
    try:
        fate, why = await asyncio.wait_for(ask(address, port), patience), ""
    except (OSError, asyncio.TimeoutError) as e:
        fate, why = "failed", f" {e!r}"
    print(f"{fate} {began_ms:.0f} {time.time() * 1000 - began_ms:.0f}{why}", flush=True)


async def main(address, port, count, per_s, patience):
    began = time.monotonic()
    visits = []
    for i in range(int(count)):
        await asyncio.sleep(max(0, began + i / float(per_s) - time.monotonic()))
        visits.append(asyncio.create_task(visit(address, int(port), float(patience))))
    await asyncio.gather(*visits)


if len(sys.argv) != 6:
    sys.exit(__doc__)
asyncio.run(main(*sys.argv[1:]))
