#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""flowlog.py - clients of web servers, and what the flow log says of them

    flowlog.py load NAME ADDRESS PORT PER_S
            opens so many connections a second, each with one request for
            /NAME-NUMBER, until its input says "stop". Says "load" once it has begun, and at
            the end "done ok=N failed=N". Each line before is
                NAME-NUMBER SOURCE_PORT
            of one that was answered.
    flowlog.py check CLIENT FLOW_LOG[,FLOW_LOG...] HOST=NGINX_LOG...
            Each request that nginx has logged (MSEC ADDRESS:PORT STATUS /NAME-NUMBER)
            leads by nat=, backend= and its time to exactly one line of the flow
            log, whose client= is the one that sent this request; no line is led
            to twice. Prints "requests=N lines=N lost=N repeated=N ends=NAME:N,...".
"""
import asyncio
import collections
import datetime
import json
import re
import sys

SLOP_S = 0.25  # between nginx's clock reading and the packet


async def visit(address, port, what, seen):
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(address, int(port)), 30)
        source = writer.get_extra_info("sockname")[1]
        writer.write(b"GET /%s HTTP/1.1\r\nHost: lab\r\n"
                     b"Connection: close\r\n\r\n" % what.encode())
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    except (OSError, asyncio.TimeoutError) as e:
        seen["failed"] += 1
        print(f"failed: {what}: {e!r}", file=sys.stderr, flush=True)
        return
    if not answer.startswith(b"HTTP/1.1 200 "):
        seen["failed"] += 1
        print(f"failed: {what}: {answer[:40]!r}", file=sys.stderr, flush=True)
        return
    seen["ok"] += 1
    print(what, source)


async def load(name, address, port, per_s):
    loop = asyncio.get_running_loop()
    stop = loop.run_in_executor(None, sys.stdin.readline)
    seen, visits, number = collections.Counter(), set(), 0
    began = loop.time()
    print("load", flush=True)
    while not stop.done():
        await asyncio.sleep(max(0, began + number / float(per_s) - loop.time()))
        number += 1
        task = asyncio.create_task(visit(address, port, f"{name}-{number}", seen))
        visits.add(task)
        task.add_done_callback(visits.discard)
    await asyncio.gather(*visits)
    print(f"done ok={seen['ok']} failed={seen['failed']}", flush=True)


def fail(what):
    sys.exit(f"flowlog.py: {what}")


def seconds_of(time):
    at = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ")
    return at.replace(tzinfo=datetime.timezone.utc).timestamp()


def parse(line):
    """Either form as one: keys of a dict, all text; "time" in seconds."""
    if line.startswith("{"):
        flow = json.loads(line)
    else:
        time, *pairs = line.split(" ")
        flow = dict(pair.split("=", 1) for pair in pairs)
        flow["time"] = time
    flow["time"] = seconds_of(flow["time"])
    return flow


def read_flows(names):
    flows, lost, ids = [], 0, collections.Counter()
    for name in names.split(","):
        with open(name, encoding="ascii") as log:
            for line in log:
                if not line.endswith("\n"):
                    fail(f"{name}: not a whole line: {line!r}")
                flow = parse(line[:-1])
                if "lost" in flow:
                    lost += int(flow["lost"])
                else:
                    flows.append(flow)
                    ids[flow["flow"]] += 1
    return flows, lost, sum(n - 1 for n in ids.values())


def check(client, logs, *nginx_logs):
    flows, lost, repeated = read_flows(logs)
    by_place, taken = collections.defaultdict(list), set()
    for flow in flows:
        by_place[flow["nat"], flow["backend"].split(":")[0]].append(flow)
    ports = {}
    with open(client, encoding="ascii") as lines:
        for line in lines:
            if re.fullmatch(r"\w+-\d+ \d+\n", line):
                what, port = line.split()
                ports[what] = port
    requests = unmatched = 0
    for host_and_name in nginx_logs:
        backend, name = host_and_name.split("=", 1)
        with open(name, encoding="ascii") as log:
            for line in log:
                msec, peer, _, uri = line.split()
                requests += 1
                found = [f for f in by_place[peer, backend]
                         if f["time"] - float(f["dur_s"]) - SLOP_S
                         <= float(msec) <= f["time"] + SLOP_S]
                if not found:
                    unmatched += 1
                    if lost == 0:
                        fail(f"{name}: no line of the flow log for: {line}")
                    continue
                if len(found) > 1:
                    fail(f"{name}: {len(found)} lines of the flow log for: "
                         f"{line}: {found}")
                flow = found[0]
                if id(flow) in taken:
                    fail(f"two requests lead to one line: {flow}")
                taken.add(id(flow))
                port = ports.get(uri[1:])
                if port and flow["client"].split(":")[1] != port:
                    fail(f"{uri} came from port {port}, not from "
                         f"{flow['client']}")
    if unmatched > lost:
        fail(f"{unmatched} requests have no line, but lost={lost}")
    ends = collections.Counter(flow["end"] for flow in flows)
    print(f"requests={requests} lines={len(flows)} lost={lost} "
          f"repeated={repeated} ends="
          + ",".join(f"{name}:{n}" for name, n in sorted(ends.items())))


if sys.argv[1] == "load":
    asyncio.run(load(*sys.argv[2:]))
else:
    check(*sys.argv[2:])
