# SPDX-License-Identifier: MIT
"""What must hold at the end of mixed.py.

The room's log, as Redis has it, says what was said in which order. Each
message of it was shown to each JSON client and on the page, once, in that
order; to a line client once and in order while it was connected.
"""
import json

from mixed_people import Json, Lines, tag_of


def read_log(entries):
    """[(id, mid, tag)] of a stream, each mid once; how often a mid came again."""
    log, mids, again = [], set(), 0
    for id_, (_, body) in entries:
        message = json.loads(body)
        tag = tag_of(message["text"])
        if not tag:
            continue
        if message["mid"] in mids:
            again += 1
            continue
        mids.add(message["mid"])
        log.append((id_, message["mid"].split(".")[-1], tag))
    return log, again


def first_difference(seen, wanted):
    for i, (one, other) in enumerate(zip(seen, wanted)):
        if one != other:
            return (f"at {i} of {len(wanted)}: {seen[max(0, i - 2):i + 3]}, "
                    f"the log has {wanted[max(0, i - 2):i + 3]}")
    if len(seen) == len(wanted):
        return ""
    if len(seen) < len(wanted):
        return f"lacks the last {len(wanted) - len(seen)}: {wanted[len(seen)]}"
    return f"has {len(seen) - len(wanted)} more: {seen[len(wanted)]}"


class Judge:
    """broken: sentences; outages: [(what had its place before, end)] of each
    time when Redis was away."""

    def __init__(self, entries, people, said, outages):
        self.log, self.again = read_log(entries)
        self.order = [(id_, tag) for id_, _, tag in self.log]
        self.place = {tag: i for i, (_, _, tag) in enumerate(self.log)}
        self.people, self.said, self.outages = people, said, outages
        self.broken = []

    def check(self, what, ok, detail=""):
        if not ok:
            self.broken.append(f"{what}: {detail}")

    def all(self):
        tags = [tag for _, _, tag in self.log]
        self.check("the log: one message under two mids",
                   len(tags) == len(set(tags)),
                   sorted({t for t in tags if tags.count(t) > 1})[:5])
        lines = {person.nick for person in self.people
                 if isinstance(person, Lines)}
        lost = [tag for tag, (nick, _) in self.said.items()
                if tag not in self.place and nick not in lines]
        self.check("said, and not in the log", not lost, lost[:5])
        for person in self.people:
            if isinstance(person, Json):
                self.json(person)
            elif isinstance(person, Lines):
                self.lines(person)
            else:
                self.page(person)
        return self.broken

    def json(self, client):
        name = client.nick
        self.check(f"{name}: no ack", not client.unacked,
                   list(client.unacked)[:5])
        self.check(f"{name}: out of order", not client.late, client.late[:5])
        self.check(f"{name}: gaps", not client.gaps, client.gaps[:5])
        self.check(f"{name}: not what the log has",
                   client.stream == self.order,
                   first_difference(client.stream, self.order))
        ids = {mid: id_ for id_, mid, _ in self.log}
        with client.lock:
            acked = list(client.acked.items())
        wrong = [(mid, id_, ids.get(mid)) for mid, id_ in acked
                 if ids.get(mid) != id_]
        self.check(f"{name}: acks of other ids", not wrong, wrong[:5])

    def page(self, page):
        said, gaps, pending, disorder = page.shown()
        self.check("page: out of order", not disorder, disorder[:5])
        self.check("page: gaps", not gaps, gaps[:5])
        self.check("page: not acknowledged", not pending, pending[:5])
        said = [tuple(one) for one in said]
        self.check("page: not what the log has", said == self.order,
                   first_difference(said, self.order))

    def was_away(self, tag):
        """Said while Redis was, or under way then: it may have come before
        its place."""
        return any(self.said[tag][1] <= end and tag not in in_place
                   for in_place, end in self.outages)

    def is_excused(self, tag, connection):
        """Its place is later than when it was told."""
        return self.was_away(tag) and (
            not connection.open or self.said[tag][1] < connection.began)

    def lines(self, client):
        for i, connection in enumerate(client.connections):
            name = f"{client.nick}, connection {i + 1}"
            tags, set_of_tags = connection.lines, set(connection.lines)
            self.check(f"{name}: twice", len(tags) == len(set_of_tags),
                       [t for t in tags if tags.count(t) > 1][:5])
            unknown = [tag for tag in tags if tag not in self.place]
            self.check(f"{name}: not in the log", not unknown, unknown[:5])
            lost = [tag for tag in connection.said if tag not in self.place]
            self.check(f"{name}: said, and not in the log",
                       not lost or not connection.open, lost[:5])
            places = [self.place[tag] for tag in tags
                      if tag in self.place and not self.was_away(tag)]
            late = [self.log[b] for a, b in zip(places, places[1:]) if a >= b]
            self.check(f"{name}: out of order", not late, late[:5])
            if not places:
                continue
            end = len(self.log) - 1 if connection.open else places[-1]
            missing = [tag for _, _, tag in self.log[places[0]:end + 1]
                       if tag not in set_of_tags
                       and not self.is_excused(tag, connection)]
            self.check(f"{name}: missing", not missing, missing[:5])
