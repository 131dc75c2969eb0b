#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""late.py - how much time this machine takes from its processes

    late.py FILE    writes to FILE, all the time, by how many milliseconds the
                    sleeps of 20 ms of this process were too long, in all

A test that bounds a time by this is true on a machine that is busy, too.
"""
import os
import sys
import time

TICK = 0.02

file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
late, before = 0.0, time.monotonic()
while True:
    os.pwrite(file, b"%12d\n" % (late * 1000), 0)
    time.sleep(TICK)
    now = time.monotonic()
    late += max(0.0, now - before - TICK)
    before = now
