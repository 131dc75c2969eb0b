# SPDX-License-Identifier: MIT
"""The page of chat_serv in a real browser.

With SHOTS=FOLDER the pictures of Cluster.test_pictures are kept there.
"""
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import browser
from browser import ENTER, Browser, Driver
from chatlab import SERV, skip_all
from door import Door
from redislab import SERVER, Server as Redis
from weblab import WebTest

SHOTS = os.environ.get("SHOTS")
CONFIG = "[chat]\nlisten = 127.0.0.1:0\ninstance = pi1-9001\nrate = off\n"

SAID = """
return [...document.querySelectorAll("#log .message .said")]
	.map(node => node.innerText)"""
STATES = """
return [...document.querySelectorAll("#log .own")]
	.map(node => node.item.state ?? "sent")"""


class PageTest(WebTest):
    @classmethod
    def setUpClass(cls):
        cls.driver = Driver()

    @classmethod
    def tearDownClass(cls):
        cls.driver.stop()

    def start_server(self, more=""):
        return self.configure(CONFIG + more)

    def open_browser(self, port, path="/", **options):
        window = Browser(self.driver, **options)
        self.addCleanup(window.close)
        window.open(f"http://127.0.0.1:{port}{path}")
        return window

    def page(self, port, nick, path="/", **options):
        """A window whose user has a name and is in its room."""
        window = self.open_browser(port, path, **options)
        self.take_name(window, nick)
        return window

    def take_name(self, window, nick):
        window.wait("return document.querySelector('#nick').open")
        window.press(*nick, ENTER)
        window.wait("return !document.querySelector('#nick').open")
        window.wait("return document.querySelector('#people').textContent"
                    ".includes(arguments[0])", nick)

    def reconnect(self, window):
        """At once, unless it has done so by itself."""
        window.run("document.querySelector('#bar-button').click()")

    def say_in(self, window, text):
        window.write("#text", text)
        window.press(ENTER)

    def wait_said(self, window, *texts):
        """Exactly these are shown, in this order."""
        texts = list(texts)
        try:
            window.wait(SAID.replace("return ", "return JSON.stringify(") +
                        ") === arguments[0]",
                        json.dumps(texts, separators=(",", ":"),
                                   ensure_ascii=False))
        except AssertionError:
            self.assertEqual(window.run(SAID), texts)

    def wait_states(self, window, *states):
        try:
            window.wait(STATES.replace("return ", "return String(") +
                        ") === arguments[0]", ",".join(states))
        except AssertionError:
            self.assertEqual(window.run(STATES), list(states))

    def hook(self, server, text, room="lobby", sender="ci"):
        web = self.web(server)
        self.assertEqual(web.post("/webhook", {
            "roomId": room, "message": text, "sender": sender}).status, 200)
        web.close()

    def assert_heard(self, peer, *texts):
        """Exactly these were said in the room."""
        peer.say(t="msg", room="lobby", mid=self.mid(), text="end")
        for text in (*texts, "end"):
            self.assertEqual(peer.hear("message")["text"], text)

    def door(self, server):
        door = Door(server.port)
        self.addCleanup(door.close)
        return door


class Talk(PageTest):
    def test_two_pages_and_a_line_client(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ben = self.page(server.port, "ben")
        line = self.join(server, "minh")
        self.say_in(ann, "xin chào")
        self.assertEqual(line.line(), "[ann] xin chào\n".encode())
        self.say_in(ben, "안녕하세요")
        for window in (ann, ben):
            self.wait_said(window, "hello", "xin chào", "안녕하세요")
        self.wait_states(ann, "sent")
        self.assertEqual(ann.run(STATES), ["sent"])
        self.assertEqual(ann.text("#instance"), "pi1-9001")
        self.assertEqual(ann.text("#redis"), "off")
        ann.wait_text("#instances", "pi1-9001")
        ann.wait_text("#people-list", "ben")
        ann.wait_text("#people-list", "pi1-9001")
        self.assertEqual(ann.log(), [])

    def test_a_bare_server(self):
        """chat_serv PORT: without a log, still a chat."""
        server = self.serve()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        line = self.join(server, "minh")
        self.say_in(ann, "xin chào")
        self.assertEqual(line.line(), "[ann] xin chào\n".encode())
        self.wait_said(ann, "hello", "xin chào")
        self.wait_states(ann, "sent")
        door.cut()
        ann.wait("return document.querySelector('#bar').hidden")
        self.say_in(ann, "again")
        self.wait_said(ann, "hello", "xin chào", "again")
        self.wait_states(ann, "sent", "sent")

    def test_unread_rooms(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ann.write("#join-name", "Kitchen")
        ann.press(ENTER)
        ann.wait_text("#name", "#kitchen")
        ann.wait("return document.title === '#kitchen – chat'")
        self.hook(server, "one")
        self.hook(server, "two")
        ann.wait("return document.title === '(2) #kitchen – chat'")
        self.assertEqual(ann.text("#room-list .badge"), "2")
        ann.click("#room-list button")
        self.wait_said(ann, "one", "two")
        ann.wait("return document.title === '#lobby – chat'")
        # What we are in and what was said there is there after a reload.
        ann.reload()
        self.wait_said(ann, "one", "two")
        ann.wait_text("#room-list", "#kitchen")
        ann.click("#leave")
        ann.wait_text("#name", "#kitchen")
        ann.wait("return document.querySelector('#room-list').children"
                 ".length === 1")

    def test_a_room_by_its_address(self):
        server = self.start_server()
        ann = self.page(server.port, "ann", "/#b%E1%BA%BFp")
        ann.wait_text("#name", "#bếp")
        self.hook(server, "phở", room="bếp")
        self.wait_said(ann, "phở")

    def test_joins_are_folded(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        peers = [self.socket(server, nick) for nick in ("binh", "chi", "dao")]
        ann.wait_text("#log .presence", "binh")
        ann.wait_text("#log .presence", "dao")
        self.assertEqual(ann.text("#log .presence"), "binh, chi, dao joined")
        ann.wait_text("#people-list", "dao")
        self.say(peers[0], "hi")
        self.wait_said(ann, "hi")

    def test_mentions(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        for text in ("planning without", "Ann, look", "(ann)", "annähernd"):
            self.hook(server, text)
        ann.wait_text("#log", "annähernd")
        self.assertEqual(ann.run(
            "return [...document.querySelectorAll('#log .mention .said')]"
            ".map(node => node.innerText)"), ["Ann, look", "(ann)"])

    def test_typing(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ben = self.page(server.port, "ben")
        ben.write("#text", "wai")
        ann.wait_text("#typing", "ben is typing")
        ben.press("t", ENTER)
        self.wait_said(ann, "wait")
        ann.wait("return document.querySelector('#typing').innerText === ''")

    def test_direct_messages(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ben = self.page(server.port, "ben")
        ann.wait_text("#people-list", "ben")
        ann.click("#people-list li:nth-child(2) button")
        ann.wait_text("#name", "@ben")
        self.say_in(ann, "psst")
        self.wait_states(ann, "sent")
        ben.wait_text("#room-list", "@ann")
        ben.wait("return document.title.startsWith('(1) ')")
        self.wait_said(ben)
        ben.click("#room-list li:nth-child(2) button")
        self.wait_said(ben, "psst")
        self.say_in(ben, "what?")
        self.wait_said(ann, "psst", "what?")
        # Ours are not in our inbox: the tab keeps them.
        ann.reload()
        self.wait_said(ann, "psst", "what?")
        self.say_in(ann, "/msg nobody hello")
        ann.wait_text("#log .failed", "Nobody has that name")

    def test_commands(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        socket = self.socket(server, "zoe")
        for text in ("/me waves", "//me is a command", "/usr/bin is no command",
                     "/mgs zoe secret", "/help", "/join", "/server", "/rooms"):
            self.say_in(ann, text)
        self.wait_said(ann, "* ann waves", "/me is a command",
                       "/usr/bin is no command")
        notes = ann.text("#log")
        for part in ("/mgs is not known", "/topic [text]", "Write /join ROOM",
                     "Server Instance pi1-9001 Redis off"):
            self.assertIn(part, notes)
        self.say_in(ann, "/topic tea")
        ann.wait_text("#topic", "tea")
        self.say_in(ann, "/nick zoe")
        ann.wait_text("#nick-why", "zoe is taken, try zoe2.")
        ann.click("#nick-cancel")
        self.say_in(ann, "/nick Ánh")
        ann.wait_text("#me-name", "Ánh")
        self.say_in(ann, "/quit")
        ann.wait_text("#bar", "You left the chat")
        ann.click("#bar-button")
        ann.wait("return document.querySelector('#bar').hidden")
        self.assertNotIn("secret", json.dumps(socket_texts(socket, "Ánh")))


def socket_texts(peer, nick):
    """All that was said to it until somebody had that nick."""
    texts = []
    while True:
        heard = peer.hear()
        texts.append(heard.get("text"))
        if heard["t"] == "presence" and any(
                one["to"] == nick for one in heard["nick"]):
            return texts


EVIL = "<img src=x onerror='window.hacked=1'><b>&amp;"
# The page's socket as window.wire: what another server might say.
WIRE = """
WebSocket = class extends WebSocket {
	constructor(...arguments_) {
		super(...arguments_);
		window.wire = this;
	}
}"""


class Server(PageTest):
    """What no server of ours says, or only with others beside it."""

    def wired(self):
        server = self.start_server()
        window = Browser(self.driver)
        self.addCleanup(window.close)
        window.devtools("Page.addScriptToEvaluateOnNewDocument", source=WIRE)
        window.open(f"http://127.0.0.1:{server.port}/")
        self.take_name(window, "ann")
        return server, window

    def hear(self, window, **fields):
        window.run("wire.onmessage({data: arguments[0]})", json.dumps(fields))

    def message(self, window, text, mid="aaaaaa.0123456789abcdef", **fields):
        self.hear(window, t="message", room="lobby", mid=mid, text=text,
                  sender="ben", ts=1796000000000, instance="i", via="ws",
                  verified=True, metadata={"type": "text"}, **fields)

    def test_names_are_text(self):
        _, ann = self.wired()
        self.message(ann, EVIL)
        self.hear(ann, t="message", event="message:file", room="lobby",
                  mid="b", sender=EVIL, text=EVIL, ts=1796000000000,
                  instance=EVIL, via=EVIL, verified=False,
                  metadata={"type": "file", "fileUrl": "javascript:hacked=1",
                            "fileName": EVIL})
        self.hear(ann, t="presence", room="lobby", join=[EVIL], part=[],
                  nick=[{"from": EVIL, "to": EVIL + "2"}])
        self.hear(ann, t="typing", room="lobby", nick=EVIL)
        self.hear(ann, t="rooms", rooms=[
            {"id": EVIL, "topic": EVIL, "here": 1, "e2ee": False}])
        self.hear(ann, t="error", code="x", message=EVIL)
        self.hear(ann, t="notice", text=EVIL)
        self.assertGreater(ann.text("body").count("<img src=x"), 8)
        self.assertEqual(ann.run(
            "return document.querySelectorAll('body :is(img, script), #log b b,"
            " #log a').length"), 0)
        self.assertIsNone(ann.run("return window.hacked"))
        self.assertEqual(ann.log(), [])

    def test_a_new_name_keeps_its_instance(self):
        """The list that was asked for comes before the news of the name."""
        _, ann = self.wired()
        self.hear(ann, t="members", room="lobby", unnamed=0, members=[
            {"nick": "ben", "instance": "pi7"}])
        self.hear(ann, t="presence", room="lobby", join=[], part=[],
                  nick=[{"from": "guest-1a2b", "to": "ben"}])
        self.assertIn("pi7", ann.text("#people-list"))

    def test_a_crowd(self):
        _, ann = self.wired()
        self.hear(ann, t="presence", room="lobby", part=[], nick=[],
                  join=[f"p{number}" for number in range(1000)])
        self.assertEqual(ann.text("#people-more"), "and 801 more")
        self.assertEqual(ann.run("return document.querySelector("
                                 "'#people-list').children.length"), 200)
        self.assertEqual(ann.text("#log .presence"),
                         "p0, p1, p2 and 997 more joined")
        ann.run("""
            for (let i = 1; i <= 600; i++)
                wire.onmessage({data: JSON.stringify({
                    t: "message", room: "lobby", id: "1-" + i,
                    mid: "aaaaaa." + i, text: "x", sender: "ben", ts: i,
                    instance: "i", via: "ws", verified: true})})""")
        self.assertEqual(ann.run("return document.querySelector('#log')"
                                 ".children.length"), 501)

    def test_who_reads_at_the_end_stays_there(self):
        """However much comes between two pictures."""
        _, ann = self.wired()
        ann.run("""
            window.left = 0;
            let i = 0;
            const more = () => {
                left += !document.querySelector("#latest").hidden;
                wire.onmessage({data: JSON.stringify({
                    t: "message", room: "lobby", id: "1-" + ++i,
                    mid: "aaaaaa." + i, text: "x" + i, sender: "ben" + i % 2,
                    ts: i, instance: "i", via: "ws", verified: true})});
                if (i < 600)
                    setTimeout(more, 5);
                else
                    window.done = true;
            };
            more();""")
        ann.wait("return window.done")
        self.assertEqual(ann.run(SAID)[-1:], ["x600"])
        self.assertEqual(ann.run("return left"), 0)

    def test_redis_down_and_up(self):
        _, ann = self.wired()
        self.hear(ann, t="state", redis="down")
        ann.wait_text("#redis-bar", "Redis is down")
        self.assertEqual(ann.text("#redis"), "down")
        # Delivered here without an id, which comes later.
        self.message(ann, "degraded")
        self.wait_said(ann, "degraded")
        self.message(ann, "degraded", id="1-5")
        self.message(ann, "after", id="1-6", mid="aaaaaa.x")
        self.message(ann, "before", id="1-4", mid="aaaaaa.y")
        self.wait_said(ann, "before", "degraded", "after")
        self.hear(ann, t="state", redis="up")
        ann.wait("return document.querySelector('#redis-bar').hidden")

    def test_our_own_while_redis_is_down(self):
        _, ann = self.wired()
        # Only what is said: a ping or a typing may follow it at once.
        ann.run("""
            WebSocket.prototype.send = text => {
                const said = JSON.parse(text);
                if (said.t === "msg")
                    window.sent = said;
            }""")
        self.say_in(ann, "mine")
        ann.wait("return window.sent?.t === 'msg'")
        mid = ann.run("return sent.mid")
        mine = {"t": "message", "room": "lobby", "mid": "abcdef." + mid,
                "text": "mine", "sender": "ann", "ts": 1796000000000,
                "instance": "i", "via": "ws", "verified": True}
        self.hear(ann, **mine)
        self.assertEqual(ann.run(STATES), ["sending"])
        self.hear(ann, **mine, id="1-5")
        self.assertEqual(ann.run(STATES), ["sent"])
        self.hear(ann, t="ack", mid=mid, id="1-5")
        self.wait_said(ann, "mine")
        self.say_in(ann, "refused")
        ann.wait("return window.sent.text === 'refused'")
        self.hear(ann, t="error", code="maintenance", message="Come back soon.",
                  ref=ann.run("return sent.mid"))
        ann.wait_text("#log .failed", "Not sent: Come back soon.")
        ann.run("window.sent = 0")
        ann.click("#log .failed button")
        ann.wait("return window.sent?.retry")
        self.assertEqual(ann.run(STATES), ["sent", "sending"])

    def test_too_much_at_once(self):
        server = self.configure("[chat]\nlisten = 127.0.0.1:0\nrate = on\n")
        ann = self.page(server.port, "ann")
        lines = [f"line {number}" for number in range(45)]
        for text in lines:
            ann.run("""
                const text = document.querySelector("#text");
                text.value = arguments[0];
                text.dispatchEvent(new Event("input"));
                document.querySelector("#send").click()""", text)
        self.wait_said(ann, *lines)
        ann.wait("return document.querySelectorAll('#log .own .mark').length "
                 "=== 45")
        self.wait_states(ann, *["sent"] * 45)


class Hostile(PageTest):
    def test_everything_is_text(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        self.hook(server, EVIL)
        line = self.connect(server)
        line.send(f"[{EVIL}] <script>window.hacked=2</script>\n".encode())
        ann.wait_text("#log", "hacked=2")
        self.hook(server, "javascript:window.hacked=3 "
                          "https://example.org/\"onclick='window.hacked=4' "
                          "http://[bad \u202egnp.exe")
        ann.wait_text("#log", "gnp.exe")
        said = ann.run(SAID)
        self.assertEqual(said[0], EVIL)
        self.assertIn("<script>window.hacked=2</script>", said[1])
        self.assertNotIn("\u202e", ann.text("#log"))
        self.assertEqual(ann.run(
            "return [...document.querySelectorAll('#log a')]"
            ".map(a => a.href)"), ["https://example.org/"])
        self.say_in(ann, "/topic <i>no</i>")
        ann.wait_text("#topic", "<i>no</i>")
        self.assertEqual(ann.run(
            "return document.querySelectorAll('#log :is(img, b, i, script),"
            " #topic *').length"), 0)
        self.assertIsNone(ann.run("return window.hacked"))
        self.assertEqual(ann.log(), [])

    def test_nothing_comes_from_elsewhere(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        self.web(server).post("/webhook/image", {
            "roomId": "lobby", "imageUrl": "https://pictures.invalid/a.png",
            "caption": "a cat"})
        ann.wait_text("#log .attachment", "from pictures.invalid")
        loaded = "return performance.getEntriesByType('resource')" \
                 ".map(entry => new URL(entry.name).host)"
        own = f"127.0.0.1:{server.port}"
        self.assertEqual(set(ann.run(loaded)), {own})
        ann.click("#log .attachment")
        ann.wait_text("#log .picture", "The image cannot be loaded.")
        self.assertIn("pictures.invalid", ann.run(loaded))

    def test_typed_messages(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        web = self.web(server)
        for kind, fields in (
                ("file", {"fileUrl": "https://x.invalid/r.pdf",
                          "fileName": "<r>.pdf", "fileSize": 12345,
                          "fileType": "application/pdf"}),
                ("location", {"latitude": 10.7769, "longitude": 106.7009,
                              "address": "Bến Thành"}),
                ("audio", {"audioUrl": "https://x.invalid/a.ogg",
                           "duration": 73}),
                ("image", {"imageUrl": "http://x.invalid/plain.png"})):
            self.assertEqual(web.post(f"/webhook/{kind}", {
                "roomId": "lobby", **fields}).status, 200)
        ann.wait("return document.querySelectorAll('#log .attachment').length "
                 "=== 4")
        shown = ann.text("#log")
        for part in ("<r>.pdf", "12.3 kB · application/pdf", "Bến Thành",
                     "10.7769, 106.7009", "1:13"):
            self.assertIn(part, shown)
        # A plain http image is a link: the page's rules load none.
        self.assertEqual(ann.run(
            "return [...document.querySelectorAll('#log a')]"
            ".map(a => a.href + ' ' + a.rel)"), [
                f"{url} noopener noreferrer" for url in (
                    "https://x.invalid/r.pdf",
                    "https://www.openstreetmap.org/?mlat=10.7769&mlon="
                    "106.7009#map=16/10.7769/106.7009",
                    "https://x.invalid/a.ogg", "http://x.invalid/plain.png")])


class Resume(PageTest):
    def test_a_cut(self):
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        witness = self.socket(server, "witness")
        self.say_in(ann, "before")
        self.wait_states(ann, "sent")
        door.shut()
        ann.wait_text("#bar", "Connection lost. Reconnecting in ")
        self.say_in(ann, "said while away")
        self.wait_states(ann, "sent", "sending")
        for number in range(70):  # more than a room's ring has
            self.hook(server, f"missed {number}")
        door.open()
        self.reconnect(ann)
        self.wait_said(ann, "before",
                       *(f"missed {number}" for number in range(70)),
                       "said while away")
        self.wait_states(ann, "sent", "sent")
        self.assert_heard(witness, "before",
                          *(f"missed {number}" for number in range(70)),
                          "said while away")

    def test_it_comes_back_by_itself(self):
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        for number in range(3):
            door.cut()
            self.hook(server, f"after cut {number}")
            self.wait_said(ann, *(f"after cut {n}" for n in range(number + 1)))
        ann.wait("return document.querySelector('#bar').hidden")

    def test_a_line_that_went_dead(self):
        """What was sent into it arrives late, and again: it is said once."""
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        witness = self.socket(server, "witness")
        door.freeze()
        self.say_in(ann, "into the dark")
        ann.run("dispatchEvent(new Event('online'))")
        self.wait_states(ann, "sending")
        ann.wait_text("#bar", "Connection lost.")
        door.thaw()
        self.reconnect(ann)
        self.wait_states(ann, "sent")
        self.wait_said(ann, "into the dark")
        self.assert_heard(witness, "into the dark")

    def test_a_reload_loses_nothing_unsent(self):
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        door.shut()
        ann.wait_text("#bar", "Connection lost.")
        self.say_in(ann, "kept")
        self.wait_states(ann, "sending")
        door.open()
        ann.reload()
        self.wait_said(ann, "kept")
        self.wait_states(ann, "sent")

    def test_a_gap_is_shown(self):
        server = self.start_server("log = 10\n")
        door = self.door(server)
        ann = self.page(door.port, "ann")
        self.hook(server, "seen")
        self.wait_said(ann, "seen")
        door.shut()
        ann.wait_text("#bar", "Connection lost.")
        for number in range(200):
            self.hook(server, f"m{number}")
        door.open()
        self.reconnect(ann)
        ann.wait_text("#log .gap", "messages are missing here")
        missing = int(ann.text("#log .gap").split()[0])
        self.wait_said(ann, "seen", *(f"m{n}" for n in range(missing, 200)))
        self.assertGreater(missing, 100)

    def test_a_full_server(self):
        full = self.start_server("max_clients = 1\n")
        self.join(full, "minh")
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        door.ports = [full.port]
        door.cut()
        ann.wait_text("#bar", "The server is full.")
        door.ports = [server.port]
        ann.wait("return document.querySelector('#bar').hidden")

    def test_taken_over(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        me = ann.run("return localStorage['chat.me']")
        other = self.open_browser(server.port)
        other.wait("return document.querySelector('#nick').open")
        other.run("localStorage['chat.me'] = arguments[0]", me)
        other.reload()
        other.wait_text("#me-name", "ann")
        ann.wait_text("#bar", "You are connected in another tab")
        ann.click("#bar-button")
        other.wait_text("#bar", "You are connected in another tab")
        ann.wait("return document.querySelector('#bar').hidden")

    def test_offline(self):
        server = self.start_server()
        door = self.door(server)
        ann = self.page(door.port, "ann")
        door.freeze()
        ann.devtools("Network.enable")
        ann.devtools("Network.emulateNetworkConditions", offline=True,
                     latency=0, downloadThroughput=0, uploadThroughput=0)
        ann.wait_text("#bar", "You are offline.")
        self.say_in(ann, "from the tunnel")
        self.wait_states(ann, "sending")
        door.thaw()
        self.hook(server, "meanwhile")
        ann.devtools("Network.emulateNetworkConditions", offline=False,
                     latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.wait_said(ann, "meanwhile", "from the tunnel")
        self.wait_states(ann, "sent")

    def test_a_memory_of_no_use(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ann.run("""
            localStorage["chat.me"] = '{"nick": "a b", "token": "xyz"}';
            localStorage["chat.rooms"] = '["lobby", "no room", 7]';
            sessionStorage["chat.outbox"] = "{";""")
        ann.reload()
        ann.wait_text("#me-name", "guest-")
        ann.wait("return document.querySelector('#bar').hidden")

    def test_a_server_that_goes(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        server.process.terminate()
        ann.wait_text("#bar", "Connection lost. Reconnecting in ")


@unittest.skipUnless(SERVER, "there is no redis-server")
class Cluster(PageTest):
    """Three instances with a Redis, behind one address."""

    def start_cluster(self):
        self.redis = Redis()
        self.addCleanup(self.redis.end)
        self.instances = {}
        for number in (1, 2, 3):
            name = f"pi{number}-9001"
            server = self.start([SERV, "-c", self.file(
                CONFIG.replace("pi1-9001", name) +
                f"[redis]\nmode = standalone\nport = {self.redis.port}\n")])
            server.port = int(server.out.wait("^listening .*port=([0-9]+)")[1])
            self.instances[name] = server
        door = Door(*(each.port for each in self.instances.values()))
        self.addCleanup(door.close)
        return door

    def pages(self, door, *nicks):
        """Pages that are not all on one instance."""
        pages = [self.page(door.port, nick) for nick in nicks]
        while len({page.text("#instance") for page in pages}) < 2:
            self.reopen(pages[0])
        for page in pages:
            page.wait_text("#redis", "up")
        return pages

    @staticmethod
    def reopen(page):
        page.run("document.querySelector('#instance').textContent = ''")
        page.reload()
        page.wait("return document.querySelector('#instance').innerText"
                  ".startsWith('pi')")

    def test_an_instance_is_killed(self):
        self.lose_one(lambda server: server.kill())

    def test_an_instance_is_drained(self):
        self.lose_one(lambda server: server.process.terminate())

    def lose_one(self, end):
        door = self.start_cluster()
        ann, ben = self.pages(door, "ann", "ben")
        said = []
        for number in range(30):
            for window, nick in ((ann, "ann"), (ben, "ben")):
                said.append(f"{nick} {number}")
                self.say_in(window, said[-1])
            if number == 10:
                end(self.instances.pop(ann.text("#instance")))
        for window in (ann, ben):
            window.wait("return document.querySelectorAll('#log .message')"
                        ".length === arguments[0]", len(said))
            self.wait_states(window, *["sent"] * 30)
        shown = ann.run(SAID)
        self.assertEqual(ben.run(SAID), shown)
        self.assertEqual(sorted(shown), sorted(said))
        # Each one's own stayed in order, over the cut too.
        for nick in ("ann", "ben"):
            self.assertEqual([text for text in shown if nick in text],
                             [text for text in said if nick in text])
        self.assertIn(ann.text("#instance"), self.instances)
        self.assertEqual(ann.run(
            "return document.querySelectorAll('#log .gap').length"), 0)

    def test_redis_goes_and_comes(self):
        door = self.start_cluster()
        ann, ben = self.pages(door, "ann", "ben")
        self.say_in(ann, "before")
        self.wait_said(ben, "before")
        self.redis.kill()
        for window in (ann, ben):
            window.wait_text("#redis-bar", "Redis is down")
            self.assertEqual(window.text("#redis"), "down")
        self.say_in(ann, "meanwhile")
        self.wait_said(ann, "before", "meanwhile")
        self.wait_states(ann, "sent", "sending")
        self.redis.start()
        for window in (ann, ben):
            window.wait_text("#redis", "up")
            self.wait_said(window, "before", "meanwhile")
        self.wait_states(ann, "sent", "sent")
        ann.wait("return document.querySelector('#redis-bar').hidden")

    def test_instances_are_listed(self):
        door = self.start_cluster()
        ann = self.page(door.port, "ann")
        for name in self.instances:
            ann.wait("""
                document.dispatchEvent(new Event("visibilitychange"));
                return document.querySelector("#instances").innerText
                    .includes(arguments[0])""", name)

    def test_pictures(self):
        door = self.start_cluster()
        servers = list(self.instances.values())
        folder = SHOTS or tempfile.mkdtemp(prefix="chat-page-")
        if not SHOTS:
            self.addCleanup(os.rmdir, folder)
        ann = self.page(door.port, "lan")
        peers = {nick: self.socket(server, nick, rooms=("lobby", "kitchen"))
                 for nick, server in zip(("minh", "jisoo", "ha"), servers)}
        ann.wait_text("#log .presence", "minh")
        ann.wait_text("#log .presence", "jisoo")
        ann.wait_text("#log .presence", "ha")
        self.say_in(ann, "/topic Three instances, one address")
        self.say(peers["minh"], "chào cả nhà! Is everybody on an instance of "
                                "their own?")
        self.say(peers["jisoo"], "안녕하세요 – I am")
        self.say(peers["ha"], "kill -9 one of them and see")
        self.web(servers[0]).post("/webhook", {
            "roomId": "lobby", "sender": "ci",
            "message": "build 214 passed: https://example.org/build/214"})
        self.web(servers[0]).post("/webhook/location", {
            "roomId": "lobby", "sender": "ha", "latitude": 10.7725,
            "longitude": 106.698, "address": "Chợ Bến Thành"})
        self.say_in(ann, "Nothing lost here, lan is still in order.")
        self.say_in(ann, "/join garden")
        ann.wait_text("#name", "garden")
        self.say(peers["ha"], "who has the key?", room="kitchen")
        ann.prefer(reduced_motion="reduce")
        ann.click("#room-list button")
        # The instances tell each other every two seconds.
        ann.wait("""
            document.dispatchEvent(new Event("visibilitychange"));
            return document.querySelector("#other-list").innerText
                .includes("#kitchen") &&
                [...document.querySelectorAll("#instances meter")]
                .every(meter => meter.value > 0)""")
        ann.wait_text("#log", "still in order")
        ann.wait_text("#people-list", "minh")
        for name, size in (("wide", (1280, 800)), ("phone", (390, 844))):
            for scheme in ("light", "dark"):
                ann.resize(*size)
                ann.prefer(color_scheme=scheme, reduced_motion="reduce")
                path = os.path.join(folder, f"{name}-{scheme}.png")
                ann.screenshot(path)
                self.assertGreater(os.path.getsize(path), 10000)
                # Nothing is wider than the screen.
                self.assertEqual(ann.run(
                    "return document.documentElement.scrollWidth"), size[0])
                if not SHOTS:
                    os.unlink(path)


class History(PageTest):
    def test_old_messages_come_by_scrolling(self):
        server = self.start_server()
        peer = self.socket(server, "log")
        for number in range(700):
            self.say(peer, f"line {number}")
        ann = self.page(server.port, "ann")
        self.wait_said(ann, *(f"line {n}" for n in range(650, 700)))
        self.assertTrue(ann.run(
            "const log = document.querySelector('#log');"
            "return log.scrollHeight - log.scrollTop - log.clientHeight < 2"))
        for _ in range(3):
            first = ann.run(SAID)[0]
            ann.run("document.querySelector('#log').scrollTop = 0")
            ann.wait("return document.querySelector('#log .said').innerText "
                     "!== arguments[0]", first)
        self.assertTrue(ann.run(
            "return document.querySelector('#log').scrollTop > 0"))
        while ann.run(SAID)[0] != "line 0":
            first = ann.run(SAID)[0]
            ann.run("document.querySelector('#log').scrollTop = 0")
            ann.wait("return document.querySelector('#log .said').innerText "
                     "!== arguments[0]", first)
        self.wait_said(ann, *(f"line {n}" for n in range(500)))
        ann.run("document.querySelector('#log').scrollTop = 0")
        ann.wait_text("#log", "This is the beginning of #lobby.")
        # New ones are only counted until the reader comes back.
        self.say(peer, "new")
        ann.wait_text("#latest", "1 new")
        ann.click("#latest")
        self.wait_said(ann, *(f"line {n}" for n in range(651, 700)), "new")

    def test_reading_above_the_end_is_not_disturbed(self):
        server = self.start_server()
        peer = self.socket(server, "log")
        for number in range(40):
            self.say(peer, f"line {number}")
        ann = self.page(server.port, "ann")
        ann.wait_text("#log", "line 39")
        ann.run("document.querySelector('#log').scrollTop = 100")
        ann.wait("return !document.querySelector('#latest').hidden")
        self.say(peer, "new")
        ann.wait_text("#latest", "1 new")
        self.assertEqual(
            ann.run("return document.querySelector('#log').scrollTop"), 100)
        ann.click("#latest")
        ann.wait("return document.querySelector('#latest').hidden")


class Hands(PageTest):
    def test_enter_of_an_input_method(self):
        """The Enter that ends a composition is not ours."""
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ann.click("#text")
        ann.devtools("Input.imeSetComposition", text="안녕",
                     selectionStart=2, selectionEnd=2)
        ann.run("""
            for (const more of [{isComposing: true}, {keyCode: 229}])
                document.querySelector("#text").dispatchEvent(
                    new KeyboardEvent("keydown", {key: "Enter",
                        bubbles: true, cancelable: true, ...more}))""")
        self.assertEqual(
            ann.run("return document.querySelector('#text').value"), "안녕")
        self.assertEqual(ann.run(SAID), [])
        ann.devtools("Input.insertText", text="안녕")
        ann.press(ENTER)
        self.wait_said(ann, "안녕")

    def test_lines_and_length(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        ann.click("#text")
        ann.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": [
                {"type": "keyDown", "value": "a"},
                {"type": "keyUp", "value": "a"},
                {"type": "keyDown", "value": "\ue008"},  # Shift
                {"type": "keyDown", "value": ENTER},
                {"type": "keyUp", "value": ENTER},
                {"type": "keyUp", "value": "\ue008"},
                {"type": "keyDown", "value": "b"},
                {"type": "keyUp", "value": "b"}]}]})
        ann.press(ENTER)
        self.wait_said(ann, "a\nb")
        ann.devtools("Input.insertText", text="ế" * 1400)
        ann.wait_text("#limit", "Too long by 104 bytes")
        ann.press(ENTER)
        self.wait_said(ann, "a\nb")

    def test_names_roles_and_contrast(self):
        server = self.start_server()
        ann = self.page(server.port, "ann")
        self.hook(server, "see https://example.org/ for more")
        self.hook(server, "ann: this is for you", sender="minh")
        self.say_in(ann, "thanks")
        self.wait_states(ann, "sent")
        for size in ((1280, 800), (390, 844)):
            ann.resize(*size)
            for scheme in ("light", "dark"):
                ann.prefer(color_scheme=scheme)
                self.assertEqual(ann.run(PROBLEMS), [], (size, scheme))
        # From a place with another one behind it: behind the last, Tab goes
        # to the browser's own buttons.
        ann.run("document.querySelector('#rooms-open').focus()")
        ann.press("\ue004")  # Tab
        ann.wait("return getComputedStyle(document.activeElement)"
                 ".outlineStyle === 'solid'")
        self.assertEqual(ann.run(
            "const log = document.querySelector('#log');"
            "return [log.role, log.ariaLive]"), ["log", "polite"])

    def test_a_phone(self):
        server = self.start_server()
        ann = self.page(server.port, "ann", width=390, height=844)
        ann.click("#rooms-open")
        ann.wait("return document.activeElement.id === 'rooms-close'")
        self.assertTrue(ann.run("return document.querySelector('main').inert"))
        ann.press("\ue00c")  # Escape
        ann.wait("return document.activeElement.id === 'rooms-open'")
        ann.click("#people-open")
        ann.wait_text("#people-list", "ann")

    def test_languages(self):
        server = self.start_server()
        for language, code, words in (("vi-VN", "vi", "Nhắn tới #lobby"),
                                      ("ko-KR", "ko", "#lobby에 메시지 보내기"),
                                      ("fr-FR", "en", "Message to #lobby")):
            window = self.open_browser(server.port, language=language)
            window.wait("return document.querySelector('#text')"
                        ".placeholder === arguments[0]", words)
            self.assertEqual(
                window.run("return document.documentElement.lang"), code)
            self.assertNotIn("undefined", window.text("body"))


# Controls without a name, and texts with less contrast than WCAG AA wants.
PROBLEMS = r"""
const problems = [];
const seen = node => node.checkVisibility({visibilityProperty: true});
for (const node of document.querySelectorAll("button, input, textarea, select, a"))
	if (seen(node) && !(node.ariaLabel || node.innerText.trim()))
		problems.push("no name: " + node.outerHTML.slice(0, 100));
const numbers = color => color.match(/[\d.]+/g).map(Number);
const background = node => {
	for (; node; node = node.parentElement) {
		const color = numbers(getComputedStyle(node).backgroundColor);
		if (color.length === 3 || color[3] === 1)
			return color;
	}
	return [255, 255, 255];
};
const luminance = color => {
	const [r, g, b] = color.map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
for (const node of document.querySelectorAll("body *")) {
	if (![...node.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !seen(node) || node.closest("option, symbol"))
		continue;
	const a = luminance(numbers(getComputedStyle(node).color).slice(0, 3));
	const b = luminance(background(node).slice(0, 3));
	const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	if (ratio < 4.5)
		problems.push(`contrast ${ratio.toFixed(2)}: ${node.outerHTML.slice(0, 100)}`);
}
return problems;
"""


if __name__ == "__main__":
    if browser.missing():
        skip_all(browser.missing())
    unittest.main()
