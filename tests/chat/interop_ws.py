# SPDX-License-Identifier: MIT
"""A client by python3-websockets: interop_ws.py URL STORY, for interop.py.

Plays one story and writes what it saw as JSON.
"""
import asyncio
import json
import sys

import websockets

MID = "interop-message-0001"


async def hear(client, kind):
    while True:
        got = json.loads(await client.recv())
        if got["t"] == kind:
            return got


async def say(client, **fields):
    await client.send(json.dumps(fields))


async def talk(client):
    await say(client, t="hello", nick="lan", rooms=[{"id": "lobby"}])
    got = {"subprotocol": client.subprotocol,
           "welcome": await hear(client, "welcome")}
    await hear(client, "joined")
    await say(client, t="msg", room="lobby", mid=MID, text="hi, chào")
    first, second = await hear_two(client, "ack", "message")
    got.update(ack=first, message=second)
    return got


async def hear_two(client, one, other):
    """In whatever order they come."""
    heard = {}
    while len(heard) < 2:
        got = json.loads(await client.recv())
        if got["t"] in (one, other):
            heard[got["t"]] = got
    return heard[one], heard[other]


async def compression(client):
    await say(client, t="hello")
    await say(client, t="ping", n=7)
    return {"offered": client.request_headers["Sec-WebSocket-Extensions"],
            "agreed": [each.name for each in client.extensions],
            "pong": (await hear(client, "pong"))["n"]}


async def fragments(client):
    await (await client.ping(b"are you there"))
    await say(client, t="hello")
    text = json.dumps({"t": "ping", "n": 9})
    await client.send([text[:3], text[3:7], text[7:]])
    return {"ping": True, "pong": (await hear(client, "pong"))["n"]}


async def closed(client):
    """The code that both agree on."""
    await client.wait_closed()
    return {"code": client.close_code}


async def bye(client):
    await client.close(1000)
    return await closed(client)


async def own(client):
    await client.close(4321, "of its own")
    return await closed(client)


async def binary(client):
    await client.send(b"\0\1\2")
    return await closed(client)


async def too_big(client):
    await client.send("x" * 20000)
    return await closed(client)


async def bad_utf8(client):
    await client.write_frame(True, 1, b"\xff\xff")
    return await closed(client)


async def many_fragments(client):
    try:
        await client.send(["x"] * 100)
    except websockets.ConnectionClosed:
        pass
    return await closed(client)


async def main():
    url, story = sys.argv[1:]
    async with websockets.connect(
            url, subprotocols=["chat.1"], max_size=None) as client:
        print(json.dumps(await globals()[story](client)))


asyncio.run(main())
