#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""scrape.py - what the lab's tests read of l4lb's metrics

    scrape.py value SOCKET NAME [LABEL=VALUE...]
            the sum of all series of that name with these labels
    scrape.py equation SOCKET COUNT
            scrapes COUNT times by one connection. In each, total = succeeded +
            failed + pending, of all and of each service; packets received = the
            sum by verdict; and no counter falls.
            Prints "scrapes=N connections=FIRST-LAST per_s=N pending_seen=N".
    scrape.py manual SOCKET METRICS_MD
            Prometheus's own parser takes the answer; each metric of the manual
            is there with its type and a text, has the labels that the manual
            says, and there is no other. Prints "metrics=N series=N".
    scrape.py json SOCKET     /metrics.json, and /metrics with Accept, are equal
    scrape.py csv SOCKET SERVICE NAME COLUMN...    these columns of that row
    scrape.py events SOCKET QUERY WHAT
            SERVICE/BACKEND of each event of that kind, sorted
    scrape.py status SOCKET PATH...                the status of each answer
"""
import csv
import http.client
import json
import re
import socket
import sys
import time

from prometheus_client.parser import text_string_to_metric_families


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(connection, path, **headers):
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        sys.exit(f"scrape.py: GET {path}: {answer.status} {body}")
    return body, answer


def value(path, name, *labels):
    wanted = dict(label.split("=", 1) for label in labels)
    body, _ = get(Connection(path), "/metrics")
    total, found = 0, False
    for family in text_string_to_metric_families(body):
        for s in family.samples:
            if s.name == name and wanted.items() <= s.labels.items():
                total, found = total + s.value, True
    if not found:
        sys.exit(f"scrape.py: no {name}{wanted}")
    print(f"{total:.15g}")


def numbers(body):
    """{series: number} of what must add up, without Prometheus's slow parser."""
    return {name: float(number) for name, number in re.findall(
        r"^(l4lb_(?:(?:service_)?connections|packets)_\w+(?:\{[^}]*\})?) (\d+)$",
        body, re.M)}


def equation(path, count):
    connection, before, first, pending = Connection(path), {}, None, 0
    began = time.monotonic()
    for i in range(int(count)):
        body, _ = get(connection, "/metrics?scope=global,service&histograms=0")
        now = numbers(body)
        totals = [name for name in now
                  if re.match(r"l4lb_(service_)?connections_total", name)]
        if len(totals) < 2:
            sys.exit(f"scrape.py: no totals in: {body}")
        for name in totals:
            part = [now[name.replace("_total", "_" + p)]
                    for p in ("succeeded_total", "failed_total", "pending")]
            if now[name] != sum(part):
                sys.exit(f"scrape.py: scrape {i}: {name} is {now[name]}, "
                         f"not the sum of {part}")
            pending += part[2] > 0
        verdicts = sum(n for name, n in now.items()
                       if name.startswith("l4lb_packets_total{"))
        if now["l4lb_packets_received_total"] != verdicts:
            sys.exit(f"scrape.py: scrape {i}: the verdicts are {verdicts} of "
                     f"{now['l4lb_packets_received_total']} packets")
        for name, number in before.items():
            if not re.search("pending", name) and now[name] < number:
                sys.exit(f"scrape.py: scrape {i}: {name} fell from {number} "
                         f"to {now[name]}")
        before = now
        if first is None:
            first = now["l4lb_connections_total"]
    print(f"scrapes={count} connections={first:.0f}-"
          f"{before['l4lb_connections_total']:.0f} "
          f"per_s={int(count) / (time.monotonic() - began):.0f} "
          f"pending_seen={pending}")


def manual(path, page):
    body, answer = get(Connection(path), "/metrics")
    kind = answer.getheader("Content-Type")
    if not kind.startswith("text/plain; version=0.0.4"):
        sys.exit(f"scrape.py: Content-Type: {kind}")
    families, series = {}, 0
    for family in text_string_to_metric_families(body):
        # The parser takes _total off a counter.
        name = family.name + ("_total" if family.type == "counter" else "")
        if name in families:
            sys.exit(f"scrape.py: {name} is there twice")
        families[name] = family
        series += len(family.samples)
        if not family.samples:
            sys.exit(f"scrape.py: {name} has no number")
        if not family.documentation:
            sys.exit(f"scrape.py: {name} has no HELP")
    with open(page, encoding="utf-8") as text:
        rows = re.findall(r"^\| (l4lb_\w+) \| (\w+) \| ([^|]*) \|", text.read(),
                          re.M)
    for name, kind, labels in rows:
        family = families.pop(name, None)
        if not family:
            sys.exit(f"scrape.py: {name} is in the manual, but not printed")
        if family.type != kind:
            sys.exit(f"scrape.py: {name} is a {family.type}, not a {kind}")
        wanted = set(re.findall(r"\w+", labels))
        for s in family.samples:
            if set(s.labels) - {"le"} != wanted:
                sys.exit(f"scrape.py: {s.name} has the labels "
                         f"{sorted(s.labels)}, not {sorted(wanted)}")
    if families:
        sys.exit(f"scrape.py: not in the manual: {sorted(families)}")
    print(f"metrics={len(rows)} series={series}")


def as_json(path):
    connection = Connection(path)
    one, _ = get(connection, "/metrics.json")
    two, answer = get(connection, "/metrics", Accept="application/json")
    if answer.getheader("Content-Type") != "application/json" or one != two:
        sys.exit(f"scrape.py: {one} and {two} differ")
    n = json.loads(one)
    print(f"total={n['total_requests']} success={n['success_requests']} "
          f"failed={n['failed_requests']}")


def as_csv(path, service, name, *columns):
    connection = Connection(path)
    body, _ = get(connection, "/lb/stats.csv")
    other, _ = get(connection, "/;csv")
    head = body.split("\n", 1)[0]
    if not head.startswith("# pxname,svname,") or other.split("\n", 1)[0] != head:
        sys.exit(f"scrape.py: the header is {head}")
    for row in csv.DictReader(body[2:].splitlines()):
        if (row["pxname"], row["svname"]) == (service, name):
            print(" ".join(f"{c}={row[c]}" for c in columns))
            return
    sys.exit(f"scrape.py: no row {service},{name}")


def events(path, query, what):
    body, _ = get(Connection(path), f"/lb/events?{query}")
    print(*sorted(f"{e.get('service')}/{e.get('backend')}"
                  for e in json.loads(body)["events"] if e["what"] == what))


def status(path, *paths):
    connection, seen = Connection(path), []
    for what in paths:
        connection.request("GET", what)
        answer = connection.getresponse()
        answer.read()
        seen.append(answer.status)
    print(*seen)


{"value": value, "equation": equation, "manual": manual, "json": as_json,
 "csv": as_csv, "events": events, "status": status}[sys.argv[1]](*sys.argv[2:])
