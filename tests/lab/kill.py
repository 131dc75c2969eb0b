#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill.py - kills l4lb within its transactions; see t-change-kill.sh

    kill.py L4LB NAME FILE LOG COUNT SEED

Starts `L4LB --config FILE`, output to LOG, and changes it COUNT times, in part
by FILE and SIGHUP. Each change sets the same number in four places, so that one
carried out in part is seen. A thread kills l4lb at a random moment of it; then
it is started again and must run as before the change, or as after it. Leaves it
running and prints its pid last.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

from live import Balancer, Model, count_check_resets, fail, kernel_resets, wait_for

SPARE = "198.18.0.13:9002"    # comes and goes
RUNTIME = "198.18.0.11:9002"  # not in the file, and stays
EXTRA = "198.18.0.1:20090"


class Test:
    def __init__(self, program, name, path, log, seed):
        self.program, self.name, self.path, self.log = program, name, path, log
        self.random = random.Random(seed)
        self.file = Model()
        self.file.add_service("web", "198.18.0.1:20000", scheduler="lc", interval="900ms")
        for n in (11, 12, 13):
            self.file.add_backend("web", f"198.18.0.{n}:9001", weight="9")
        self.number = 0
        self.seen = {"before": 0, "after": 0}
        self.typical_s = 0.004  # a transaction, until one was measured

    def start(self):
        with open(self.log, "a") as log:
            at = log.tell()
            self.process = subprocess.Popen([self.program, "--config", self.path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            with open(self.log) as f:
                f.seek(at)
                text = f.read()
            if self.process.poll() is not None:
                fail("l4lb ended", text[-2000:])
            return " ready " in text
        wait_for("l4lb to be ready", ready)
        self.l4lb = Balancer(self.name, self.process.pid)

    def write_file(self):
        """Killed again and again, l4lb is away most of the time: who connects
        is not to be refused for that."""
        with open(self.path + ".new", "w") as f:
            f.write(self.file.file(
                name=self.name, syn_sent_timeout="5m", syn_received_timeout="5m"))
        os.rename(self.path + ".new", self.path)

    def commands(self, wanted, by_file):
        """A transaction: what changes must be the same number everywhere."""
        self.number = self.number % 200 + 1
        commands = [f"service set web interval={1000 + self.number}ms"]
        commands += [f"backend set web {a} weight={self.number}"
                     for a in self.file.backends("web") if a != SPARE]
        if by_file:
            # A backend that the file no longer has, when l4lb starts, is reset.
            return commands
        if SPARE in wanted.backends("web"):
            commands.append(f"backend remove web {SPARE}")
        else:
            commands.insert(0, f"backend add web {SPARE} weight=5")
        if "extra" in wanted.services:
            commands.append("service remove extra")
        else:
            commands[0:0] = [f"service add extra listen={EXTRA}",
                             "backend add extra 198.18.0.12:9001"]
        return commands

    def kill_after(self, seconds):
        def kill():
            time.sleep(seconds)
            self.process.send_signal(signal.SIGKILL)
        thread = threading.Thread(target=kill)
        thread.start()
        return thread

    def step(self):
        by_file = self.random.random() < 0.25
        before = self.l4lb.running()
        after = before.copy()
        commands = self.commands(after, by_file)
        for command in commands:
            after.apply(command)
            if by_file:
                self.file.apply(command)
        if by_file:
            self.write_file()
        begin = time.monotonic()
        # A reload has a process to start; a few come through before the kill.
        span = 0.12 if by_file else 1.3 * self.typical_s
        killer = self.kill_after(self.random.uniform(0, span))
        try:
            if by_file:
                self.l4lb.reload()
            else:
                self.l4lb.do(*commands)
            done_s = time.monotonic() - begin
        except (ConnectionError, BrokenPipeError, ProcessLookupError):
            done_s = None
        killer.join()
        self.process.wait()
        if done_s and not by_file:
            self.typical_s = 0.7 * self.typical_s + 0.3 * done_s
        self.start()
        self.compare(before, after, commands, by_file, done_s)

    def compare(self, before, after, commands, by_file, done_s):
        runs = self.l4lb.running().plain()
        if runs == after.plain():
            self.seen["after"] += 1
        # The start has read the file, also if the reload had not begun.
        elif runs == before.plain() and not by_file and not done_s:
            self.seen["before"] += 1
        else:
            fail(f"neither before nor after (by_file={by_file} done={done_s})", *commands,
                 f"before {before.plain()}", f"after  {after.plain()}", f"runs   {runs}")
        if RUNTIME not in self.l4lb.running().backends("web"):
            fail(f"{RUNTIME} is gone")
        self.l4lb.check_guard(self.l4lb.running(), leaving=True)


def main(program, name, path, log, count, seed):
    test = Test(program, name, path, log, seed)
    test.write_file()
    test.start()
    test.l4lb.do(f"backend add web {RUNTIME} id=runtime")
    count_check_resets()
    resets = kernel_resets()
    print("started", flush=True)
    sys.stdin.readline()
    for n in range(int(count)):
        test.step()
    print(f"{count} kills: as before {test.seen['before']}, as after {test.seen['after']}, "
          f"a transaction takes {test.typical_s * 1000:.1f} ms", flush=True)
    if kernel_resets() != resets:
        fail(f"the host's kernel sent {kernel_resets() - resets} resets")
    print("resets by the host's kernel 0", flush=True)
    print(test.process.pid, flush=True)


main(*sys.argv[1:])
