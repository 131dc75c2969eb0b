# SPDX-License-Identifier: MIT
"""A server that differs from Redis as Dragonfly is said to.

A proxy before a real redis-server. Known of Dragonfly from its issues and from
fakeredis, not from running it:
 - scripts may not publish (here: SPUBLISH has another name at the server);
 - SUNSUBSCRIBE is confirmed as "unsubscribe", and, shared, all channels are of
   one kind: SSUBSCRIBE is confirmed as "subscribe", messages come as "message";
 - with cluster_mode=yes PUBLISH and SUBSCRIBE are refused.
"""
from proxy import Proxy, bulks
from redislab import Server


class Dragonfly(Proxy):
    def __init__(self, shared):
        self.shared = shared
        self.published = 0
        self.lose = 0  # so many answers to posts: the connection breaks
        super().__init__(
            Server("--rename-command", "SPUBLISH", "REALLYPUBLISH"))

    def request(self, raw, words):
        name = words[0].upper()
        if name in (b"PUBLISH", b"SUBSCRIBE"):
            return bulks([b"REFUSED"])
        if name == b"SPUBLISH":
            self.published += 1
            return bulks([b"REALLYPUBLISH"] + words[1:])
        return raw

    def reply(self, raw, words):
        if self.lose and isinstance(words, list) and len(words) == 3 and (
                words[2] in (b"0", b"1")):
            self.lose -= 1
            raise ConnectionError
        if isinstance(words, list) and words:
            names = {b"sunsubscribe": b"unsubscribe"}
            if self.shared:
                names.update({b"ssubscribe": b"subscribe",
                              b"smessage": b"message"})
            old = words[0]
            if isinstance(old, bytes) and old in names:
                new = names[old]
                return raw.replace(b"$%d\r\n%s\r\n" % (len(old), old),
                                   b"$%d\r\n%s\r\n" % (len(new), new), 1)
        return raw

    def end(self):
        super().end()
        self.server.end()
