# SPDX-License-Identifier: MIT
"""live.py - a running l4lb, as the tests of live changes see it from outside

Used by reload.py and others: what runs (by the control channel), what the guard
has (by nft), what the process holds (by /proc), and a model of a configuration
that is changed in the same way, to compare with.
"""
import copy
import json
import os
import shlex
import signal
import subprocess
import time

from channel import Channel

# What a test sets of a service; everything else has its default.
BACKEND = {"weight": "1", "backup": False, "admin": "enabled"}
# Of what the tests change: a value that is the default is not shown.
DEFAULTS = {"scheduler": "rr", "check": "syn", "interval": "1s", "fall": "3",
            "slow_start": "off", "retries": "3", "source": "auto"}


def fail(what, *more):
    raise SystemExit("\n  ".join([f"FAILED: {what}", *map(str, more)]))


def wait_for(what, is_true, seconds=20):
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        seen = is_true()
        if seen:
            return seen
        if time.monotonic() > end:
            fail(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Model:
    """Services by name: {"listen": .., "keys": {..}, "backends": {A:P: {..}}}."""

    def __init__(self):
        self.services = {}
        self.keys = {}  # of [global]

    def copy(self):
        return copy.deepcopy(self)

    def add_service(self, name, listen, **keys):
        self.services[name] = {"listen": listen, "keys": keys, "backends": {}}

    def add_backend(self, name, address, **options):
        self.services[name]["backends"][address] = {**BACKEND, **options}

    def backends(self, name):
        return self.services[name]["backends"]

    def endpoints(self):
        return {a for s in self.services.values() for a in s["backends"]}

    def file(self, **fixed):
        """The text of a configuration file; @fixed: more keys of [global]."""
        lines = ["[global]", *(f"{k} = {v}" for k, v in {**fixed, **self.keys}.items())]
        for name, s in self.services.items():
            lines += [f"[service {name}]", f"listen = {s['listen']}"]
            lines += [f"{k} = {v}" for k, v in s["keys"].items()]
            for address, b in s["backends"].items():
                lines.append(f"backend = {address} weight={b['weight']}"
                             + (" backup" if b["backup"] else ""))
        return "\n".join(lines) + "\n"

    def apply(self, line):
        """One command, as docs/commands.md has it; ids are left out."""
        words = shlex.split(line)
        what, options = " ".join(words[:2]), dict(
            w.split("=", 1) for w in words if "=" in w)
        if words[0] == "set":
            options.pop("next_id", None)
            self.keys |= options
        elif what == "service add":
            self.add_service(words[2], options.pop("listen"), **options)
        elif what == "service set":
            self.services[words[2]]["keys"] |= options
        elif what == "service remove":
            del self.services[words[2]]
        elif what == "backend add":
            self.add_backend(words[2], words[3], weight=options.get("weight", "1"),
                             backup="backup" in words)
            if "id" in options:
                self.backends(words[2])[words[3]]["id"] = options["id"]
        else:
            backends = self.backends(words[2])
            address = next((a for a, b in backends.items() if b.get("id") == words[3]),
                           words[3])
            if what == "backend remove":
                del backends[address]
            elif what == "backend set":
                if "backup" in options:
                    options["backup"] = options["backup"] == "yes"
                backends[address] |= options
            else:
                backends[address]["admin"] = words[1]

    def plain(self):
        """Without ids and defaults, for a comparison."""
        services = copy.deepcopy(self.services)
        for s in services.values():
            s["keys"] = {k: v for k, v in s["keys"].items() if DEFAULTS.get(k) != v}
            for b in s["backends"].values():
                b.pop("id", None)
        return {"services": services, "keys": dict(self.keys)}


class Balancer:
    def __init__(self, name, pid):
        self.name, self.pid = name, int(pid)
        self.channel = Channel(f"/run/l4lb/{name}.control")

    def do(self, *commands):
        """All in one transaction, if there are several."""
        if len(commands) > 1:
            commands = ("begin", *commands, "commit")
        for command in commands:
            lines = self.channel.do(command)
        return lines

    def generation(self):
        return int(self.channel.ask("generation")[1].removeprefix("ok generation="))

    def running(self):
        model = Model()
        for line in self.channel.do("show"):
            model.apply(line)
        return model

    def status(self):
        return self.channel.do("status")

    def reload(self, why=""):
        """By SIGHUP; returns when it has changed something."""
        before = self.generation()
        os.kill(self.pid, signal.SIGHUP)
        wait_for(f"a reload that changes something {why}", lambda: self.generation() > before)

    # ------------------------------------------------------- the guard

    def guard(self):
        """{"services": {"A:P"}, "backends": {"A:P"}, "sources": {"A"}}."""
        text = subprocess.run(["nft", "-j", "list", "table", "ip", f"l4lb_{self.name}"],
                              check=True, capture_output=True).stdout
        sets = {}
        for item in json.loads(text)["nftables"]:
            if "set" in item:
                sets[item["set"]["name"]] = {
                    ":".join(map(str, e["concat"])) if isinstance(e, dict) else e
                    for e in item["set"].get("elem", [])}
        return sets

    def check_guard(self, wanted, leaving):
        """Exactly the live endpoints; and those that leave, if @leaving."""
        sets = self.guard()
        listens = {s["listen"] for s in wanted.services.values()}
        for name, live in (("services", listens), ("backends", wanted.endpoints())):
            if live - sets[name]:
                fail(f"the guard's {name} lack {sorted(live - sets[name])}")
            if not leaving and sets[name] - live:
                return False
        return True

    # ----------------------------------------------------- the process

    def anonymous_kib(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return f.read().split()


class Traffic:
    """traffic.c, by the pipe of its orders and the file of its answers."""

    def __init__(self, orders, answers):
        self.orders = open(orders, "w", buffering=1)
        self.answers = open(answers)
        self.answers.seek(0, os.SEEK_END)

    def order(self, line, seconds=60):
        self.orders.write(line + "\n")
        answer = ""

        def complete():
            nonlocal answer
            answer += self.answers.readline()
            return answer.endswith("\n")
        wait_for(f"the answer of traffic to: {line}", complete, seconds)
        return answer.strip()


def count_check_resets():
    """The check `tcp` ends its connections by a reset: a rule counts these."""
    subprocess.run(["nft", "table ip counted { chain out { type filter hook output priority 0; "
                    "tcp flags & rst == rst tcp sport 32768-60999 counter; }; }"], check=True)


def kernel_resets():
    """TcpOutRsts of this namespace, without those of checks."""
    with open("/proc/self/net/snmp") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    text = subprocess.run(["nft", "-j", "list", "table", "ip", "counted"],
                          check=True, capture_output=True).stdout
    counted = next(e["counter"]["packets"] for item in json.loads(text)["nftables"]
                   if "rule" in item for e in item["rule"]["expr"] if "counter" in e)
    return int(values[names.index("OutRsts")]) - counted
