# SPDX-License-Identifier: MIT
"""Who talks in mixed.py, and what each of them was shown.

A message is known by its tag, "m" and eight digits, in its text; mids of JSON
clients are made of it. All come to one address and know of no instance.
"""
import itertools
import random
import re
import socket
import threading
import time

from chatlab import Peer
from instances import Client, number
from weblab import JsonLines, Response, Socket

ROOM = "lobby"


def tag_of(text):
    found = re.search(r"\bm\d{8}\b", text)
    return found and found[0]


def mid_of(tag):
    return f"mixed-message-{tag}"


class LineSocket(JsonLines):
    """JSON lines, by the names of a WebSocket."""

    def open(self):
        self.start()
        return Response(101, {}, b"")

    def read_frame(self):
        while True:
            line = self.line()
            if not line.startswith(b"["):  # lines until /json was read
                return (1, line) if line else (None, b"")


class Json(Client):
    """Shown to its user, in this order: .stream of (id, tag)."""

    def __init__(self, kind, nick, address, port):
        self.kind, self.address = kind, address
        self.stream, self.known = [], {}
        self.told = {}       # tag -> when it came without an id
        self.refused = []    # mids: said again a little later
        self.late, self.repeats, self.renamed = [], 0, []
        super().__init__([port], nick)

    def connect(self):
        return self.kind(self.ports[0], address=self.address)

    def speak(self, tag):
        self.say(mid_of(tag), f"{tag} from {self.nick}")
        return True

    @property
    def heard(self):
        return len(self.stream)

    def lacks(self, said):
        """Those of it that had no place here until now."""
        return [tag for tag in said if tag not in self.known]

    def hear(self, peer, heard):
        kind, room = heard["t"], heard.get("room", ROOM)
        if kind == "error" and heard.get("ref") in self.unacked:
            with self.lock:
                self.refused.append(heard["ref"])
        elif room == ROOM:
            super().hear(peer, heard)

    def again(self):
        with self.lock:
            refused, self.refused = self.refused, []
            for mid in refused:
                if mid in self.unacked:
                    self.send(mid, True)

    def show(self, heard):
        tag, id_ = tag_of(heard["text"]), heard.get("id")
        if not id_:
            if tag in self.known or tag in self.told:
                self.repeats += 1
            else:
                self.told[tag] = time.monotonic()
        elif self.after and number(id_) <= number(self.after):
            if self.known.get(tag) == id_:
                self.repeats += 1
            else:
                self.late.append(f"{tag} {id_} after {self.after}")
        else:
            self.after = id_
            if tag in self.known:
                self.renamed.append((tag, id_))
            else:
                self.known[tag] = id_
                self.stream.append((id_, tag))

    @property
    def is_here(self):
        return self.peer is not None


class Connection:
    """One of a line client's: what it said and was shown."""

    def __init__(self, peer):
        self.peer, self.began = peer, time.monotonic()
        self.lines, self.said = [], []
        self.open = True


class Lines(threading.Thread):
    """A person at nc, who dials again when it ends."""

    def __init__(self, nick, address, port):
        super().__init__(daemon=True)
        self.nick, self.address, self.port = nick, address, port
        self.connections, self.notices = [], []
        self.ended = False
        self.start()

    def run(self):
        while not self.ended:
            try:
                peer = Peer(self.port, address=self.address)
            except OSError:
                time.sleep(random.uniform(0, 0.2))
                continue
            connection = Connection(peer)
            self.connections.append(connection)
            try:
                self.listen(connection)
            except OSError:
                pass
            connection.open = False
            peer.close()

    def listen(self, connection):
        for line in iter(connection.peer.line, b""):
            text = line.decode()
            if tag_of(text):
                connection.lines.append(tag_of(text))
            else:
                self.notices.append(text)

    def speak(self, tag):
        """Whether it could be said."""
        if not self.is_here:
            return False
        connection = self.connections[-1]
        try:
            connection.peer.send(f"[{self.nick}] {tag} from {self.nick}\n"
                                 .encode())
        except OSError:
            return False
        connection.said.append(tag)
        return True

    def again(self):
        pass

    @property
    def is_here(self):
        return bool(self.connections) and self.connections[-1].open

    @property
    def heard(self):
        return sum(len(each.lines) for each in self.connections)

    def lacks(self, said):
        if not self.connections:
            return []
        connection = self.connections[-1]
        lines = set(connection.lines)
        return [tag for tag, (_, when) in said.items()
                if tag not in lines and when >= connection.began]

    def end(self):
        self.ended = True
        if self.connections:
            try:
                self.connections[-1].peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.join(10)


# What has scrolled out at the top of the page was shown, too: not always in its
# order, as what has its place early, by an ack, may go before what is late. What
# is on the screen is there once and in order at any time.
WATCH = """
window.gone = [];
window.disorder = [];
const list = document.querySelector("#log"), top = list.firstElementChild;
function order() {
	const items = [...list.children].map(node => node.item)
		.filter(item => item?.id && !item.kind);
	for (let i = 1; i < items.length; i++) {
		const [one, other] = [items[i - 1].id, items[i].id];
		const [epoch, seq] = one.split("-").map(Number);
		const [nextEpoch, nextSeq] = other.split("-").map(Number);
		if (epoch > nextEpoch || (epoch === nextEpoch && seq >= nextSeq))
			disorder.push(one + " before " + other);
	}
}
new MutationObserver(records => {
	for (const record of records)
		if (record.previousSibling === top && !record.addedNodes.length)
			for (const node of record.removedNodes)
				if (node.item)
					gone.push(node);
	order();
}).observe(list, { childList: true });"""
SHOWN = """
return [[...window.gone, ...document.querySelector("#log").children]
	.filter(node => node.item)
	.map(({ item }) => [item.id, item.text, item.kind, item.state]),
	window.disorder]"""
SAY = """
const field = document.querySelector("#text");
for (const text of arguments[0]) {
	field.value = text;
	field.dispatchEvent(new Event("input"));
	document.querySelector("#say").requestSubmit();
}"""


class Page(threading.Thread):
    """A person at a browser."""

    def __init__(self, window, nick):
        super().__init__(daemon=True)
        self.window, self.nick = window, nick
        self.wanted, self.changed = [], threading.Condition()
        self.ended = False
        window.run(WATCH)
        self.start()

    def run(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.wanted or self.ended)
                texts, self.wanted = self.wanted, []
                if not texts:
                    return
            self.window.run(SAY, texts)

    def speak(self, tag):
        with self.changed:
            self.wanted.append(f"{tag} from {self.nick}")
            self.changed.notify()
        return True

    @property
    def heard(self):
        return len(self.shown()[0])

    def lacks(self, said):
        """To ask the page would take long, and it is shown all by its id."""
        return []

    def again(self):
        pass

    is_here = True  # it shows nothing of its connection that we rely on

    def shown(self):
        """([(id, tag)], gaps, what is not acknowledged, what was out of order
        or twice)"""
        items, disorder = self.window.run(SHOWN)
        said = [(id_, tag_of(text)) for id_, text, kind, _ in items
                if not kind and tag_of(text)]
        # Without an id it scrolls out and comes again, in its place.
        placed = {tag for id_, tag in said if id_}
        unplaced = [(id_, tag) for id_, tag in said
                    if not id_ and tag not in placed]
        # When it gets its id at the top, it goes from there to its place.
        said = sorted({one for one in said if one[0]},
                      key=lambda one: number(one[0]))
        return (said + unplaced, [item for item in items if item[2] == "gap"],
                [item for item in items if item[3] not in (None, "sent")],
                disorder)

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify()
        self.join(60)


class Talk(threading.Thread):
    """All of them in turn, RATE messages a second."""
    RATE = 50

    def __init__(self, people):
        super().__init__(daemon=True)
        self.people = people
        self.said = {}  # tag -> (who, when)
        self.began = time.monotonic()
        self.stopped = threading.Event()
        self.start()

    def run(self):
        due = time.monotonic()
        for i, person in zip(itertools.count(),
                             itertools.cycle(self.people)):
            if i % self.RATE == 0:
                for each in self.people:
                    each.again()
            tag, now = f"m{i:08d}", time.monotonic()
            self.said[tag] = (person.nick, now)
            if not person.speak(tag):
                del self.said[tag]
            due = max(due + 1 / self.RATE, now - 1)
            if self.stopped.wait(max(0, due - time.monotonic())):
                break
        self.took = time.monotonic() - self.began

    def until(self, more):
        """So many more are said."""
        end = len(self.said) + more
        while len(self.said) < end:
            if self.stopped.wait(0.02) or not self.is_alive():
                raise AssertionError("nobody talks any more")

    def end(self):
        self.stopped.set()
        self.join(60)
