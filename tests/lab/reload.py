#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""reload.py - changes a running l4lb again and again; see t-reload.sh

    reload.py NAME PID FILE COUNT SEED FOLDER
    reload.py NAME PID FILE                     when all connections are closed

Two of three changes come by FILE and SIGHUP, the others by the control channel.
After each, what runs must be what the model says. In FOLDER are the orders and
the answers of two traffic.c: `extra` talks to the service that comes and goes,
`drained` holds connections to backends that are removed again and again.
"""
import random
import sys
import time

from live import DEFAULTS, Balancer, Model, Traffic, count_check_resets, fail, kernel_resets, wait_for

SCHEDULERS = "rr wrr lc wlc hash maglev p2c".split()
CHECKS = ["syn", "tcp", "none"]
SPARE = [f"198.18.0.{n}:9002" for n in (11, 12, 13)]
UNUSED = "198.18.0.13:9003"  # nothing listens: never gets a connection
EXTRA = "198.18.0.1:20090"


def first_model():
    model = Model()
    model.add_service("web", "198.18.0.1:20000", interval="500ms")
    model.add_service("bulk", "198.18.0.1:20080")
    for n in (11, 12, 13):
        model.add_backend("web", f"198.18.0.{n}:9001")
    model.add_service("up", "198.18.0.1:20081")
    model.add_backend("bulk", "198.18.0.11:8080")
    model.add_backend("up", "198.18.0.12:8081")
    return model


class Test:
    def __init__(self, name, pid, path, seed, folder):
        self.l4lb, self.path = Balancer(name, pid), path
        self.extra, self.drained = (
            Traffic(f"{folder}/{t}.orders", f"{folder}/{t}.out") if folder else None
            for t in ("extra", "drained"))
        self.random = random.Random(seed)
        self.file = first_model()     # what the file says
        self.wanted = self.file.copy()  # what should run
        self.counts = {"reload": 0, "command": 0}

    def candidates(self, by_file):
        """Changes that are possible now, as commands."""
        r, web = self.random, self.wanted.backends("web")
        models = (self.wanted, self.file) if by_file else (self.wanted,)

        def everywhere(is_so):
            return all(is_so(m) for m in models)
        for address in SPARE:
            if everywhere(lambda m, a=address: a not in m.backends("web")):
                yield f"backend add web {address} weight={r.randint(1, 4)}"
            elif everywhere(lambda m, a=address: a in m.backends("web")):
                yield f"backend remove web {address}" + ("" if by_file else " then=drain")
        if not by_file and UNUSED not in web:
            yield f"backend add web {UNUSED} weight=0"
        elif not by_file:
            yield f"backend remove web {UNUSED} then=reset"
        for address in web:
            if address != UNUSED and everywhere(lambda m, a=address: a in m.backends("web")):
                weight = r.choice([w for w in "12345" if everywhere(
                    lambda m, a=address, w=w: m.backends("web")[a]["weight"] != w)])
                yield f"backend set web {address} weight={weight}"
        keys = {"scheduler": r.choice(SCHEDULERS), "check": r.choice(CHECKS),
                "interval": r.choice(["200ms", "500ms", "1s"]),
                "fall": r.choice("345"), "slow_start": r.choice(["off", "1s", "5s"]),
                "retries": r.choice("123")}
        for service in ("web", "bulk"):
            for key, value in keys.items():
                if everywhere(lambda m, s=service, k=key, v=value:
                              m.services[s]["keys"].get(k, DEFAULTS[k]) != v):
                    yield f"service set {service} {key}={value}"
        if everywhere(lambda m: "extra" not in m.services) and not self.leaves("extra"):
            yield f"service add extra listen={EXTRA}"
        elif everywhere(lambda m: "extra" in m.services):
            yield "service remove extra" + ("" if by_file else " then=drain")

    def leaves(self, service):
        """Its connections have not all ended: none can be added there yet."""
        return any(line.startswith(f"service {service} ")
                   for line in self.l4lb.status())

    def choose(self, by_file):
        """One kind as probable as another, not one command as another."""
        kinds = {}
        for command in self.candidates(by_file):
            words = command.split()
            kinds.setdefault(tuple(words[:2] + [words[-1].split("=")[0]]), []).append(command)
        commands = [self.random.choice(kinds[self.random.choice(sorted(kinds))])]
        if commands[0].startswith("service add"):
            commands += [f"backend add extra 198.18.0.{n}:9001" for n in (11, 12)]
        return commands

    def step(self):
        by_file = self.random.random() < 0.67
        commands = self.choose(by_file)
        before = self.l4lb.generation()
        for command in commands:
            self.wanted.apply(command)
            if by_file:
                self.file.apply(command)
        if by_file:
            self.write_file()
            self.l4lb.reload(commands)
        else:
            self.l4lb.do(*commands)
        self.counts["reload" if by_file else "command"] += 1
        if self.l4lb.generation() != before + 1:
            fail("the generation", f"{before} -> {self.l4lb.generation()}", *commands)
        self.compare(commands)
        if commands[0].startswith("service add"):
            answer = self.extra.order("burst 4")
            if answer != "burst echo1=2 echo2=2 lost=0":
                fail("connections to the service that was added", answer)

    def write_file(self):
        with open(self.path, "w") as f:
            f.write(self.file.file(name=self.l4lb.name, closed_timeout="3s"))

    def compare(self, commands=()):
        seen, wanted = self.l4lb.running().plain(), self.wanted.plain()
        for name in sorted({*seen["services"], *wanted["services"]}):
            runs, should = seen["services"].get(name), wanted["services"].get(name)
            if runs != should:
                fail(f"service {name} after", *commands, f"runs {runs}", f"not  {should}")

    def quiet(self):
        """What comes and goes is gone, so that figures can be compared."""
        commands = [f"backend remove web {a} then=drain"
                    for a in [*SPARE, UNUSED] if a in self.wanted.backends("web")]
        if "extra" in self.wanted.services:
            commands.append("service remove extra then=drain")
        commands.append("service set web check=syn")
        for command in commands:
            self.l4lb.do(command)
            self.wanted.apply(command)
        # From here on the file and what runs agree again.
        self.file = self.wanted.copy()
        self.write_file()
        self.l4lb.do("reload")
        self.compare(["quiet"])

    def everything(self):
        """Each of what comes and goes, once: what is kept for them is there."""
        commands = [f"backend add web {a}" for a in SPARE]
        commands += [f"service add extra listen={EXTRA}", "backend add extra 198.18.0.11:9001"]
        self.l4lb.do(*commands)
        for command in commands:
            self.wanted.apply(command)
        self.compare(commands)
        self.extra.order("burst 4")
        wait_for("those that were added to be up", lambda: all(
            any(f" {a} " in line and " health=up " in line for line in self.l4lb.status())
            for a in SPARE))
        self.drained.order("hold 60")
        seen = self.drained.order("check")
        if not all(f"spare{n}=" in seen for n in "123"):
            fail("connections that will be drained", seen)


def figures(l4lb):
    return l4lb.descriptors(), l4lb.anonymous_kib(), len(l4lb.children())


def main(name, pid, path, count, seed, folder):
    test = Test(name, pid, path, seed, folder)
    l4lb = test.l4lb
    count_check_resets()
    resets = kernel_resets()
    test.everything()
    for _ in range(20):
        test.step()
    test.quiet()
    before = figures(l4lb)
    begin = time.monotonic()
    for n in range(int(count)):
        # Not to wait for something: what was opened before a change, and what
        # drains after it, is to meet the next ones.
        time.sleep(test.random.uniform(0, 0.3))
        test.step()
        if n % 10 == 0:
            l4lb.check_guard(test.wanted, leaving=True)
    took = time.monotonic() - begin
    print(f"changed {count} times in {took:.1f} s: {test.counts['reload']} reloads, "
          f"{test.counts['command']} by command, generation {l4lb.generation()}", flush=True)
    test.quiet()
    wait_for("the descriptors to be as before", lambda: l4lb.descriptors() == before[0])
    after = figures(l4lb)
    print("descriptors {} -> {}, anonymous memory {} -> {} KiB, children {} -> {}".format(
        *(x for pair in zip(before, after) for x in pair)), flush=True)
    if after[1] > before[1] + 256:
        # Where the machine is busy more SYNs wait at a time, and room for them
        # is kept. What the changes lose grows again with as many more of them.
        for _ in range(int(count)):
            test.step()
        test.quiet()
        again = l4lb.anonymous_kib()
        print(f"and with {count} more changes at once {again} KiB", flush=True)
        if again > after[1] + 256:
            fail("memory grows with each change")
    if after[2] != before[2]:
        fail("processes stay")
    wait_for("the last checks to be counted", lambda: kernel_resets() == resets)
    print("resets by the host's kernel, but for checks, 0", flush=True)


def last(name, pid, path):
    """After the traffic: the guard has the live endpoints and no others."""
    test = Test(name, pid, path, 0, None)
    running = test.l4lb.running()
    wait_for("the guard to have no endpoint that is not live",
             lambda: test.l4lb.check_guard(running, leaving=False), 60)
    sets = test.l4lb.guard()
    print("guard services", *sorted(sets["services"]), "backends", *sorted(sets["backends"]))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        last(*sys.argv[1:])
    else:
        main(*sys.argv[1:])
