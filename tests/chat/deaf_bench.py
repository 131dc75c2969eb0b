# SPDX-License-Identifier: MIT
"""How long an honest speaker waits for its own line while others are deaf.

    deaf_bench.py CHAT_SERV [DEAF] [SECONDS] [KIB_A_SECOND]

DEAF clients talk, KIB_A_SECOND together (0: as fast as they can), never read,
and come again every second. One honest speaker reads everything and says a
short line every 10 ms. Prints percentiles of the time until its line is back.
By hand: it judges nothing.
"""
import selectors
import socket
import subprocess
import sys
import threading
import time


def connect(port, receive_buffer=None):
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.connect(("127.0.0.1", port))
    return peer


def be_deaf(port, number, rate, until):
    line = b"[deaf%d] %s\n" % (number, b"x" * 4000)
    while time.monotonic() < until:
        peer = connect(port, 4096)
        peer.settimeout(0.1)
        end = time.monotonic() + 1
        try:
            while time.monotonic() < min(end, until):
                peer.send(line)
                if rate:
                    time.sleep(len(line) / rate)
        except OSError:
            pass  # held up, or dropped: it comes again
        while time.monotonic() < min(end, until):
            time.sleep(0.01)
        peer.close()


def echo_times(port, until):
    peer = connect(port)
    peer.setblocking(False)
    ready = selectors.DefaultSelector()
    ready.register(peer, selectors.EVENT_READ)
    times, data, sent_at, number = [], b"", None, 0
    next_at = time.monotonic()
    while True:
        now = time.monotonic()
        if sent_at is None and now >= until:
            return times
        if sent_at is None and now >= next_at:
            number += 1
            want = b"[honest] %d\n" % number
            sent_at = time.monotonic()
            peer.send(want)
            next_at = now + 0.01
        if not ready.select(max(0, next_at - now) if sent_at is None else 5):
            if sent_at is not None and time.monotonic() - sent_at > 30:
                raise SystemExit("no echo in 30 s")
            continue
        got = peer.recv(1 << 20)
        if not got:
            raise SystemExit("the honest speaker was dropped")
        data += got
        if sent_at is not None and want in data:
            times.append(time.monotonic() - sent_at)
            sent_at = None
        data = data[data.rfind(b"\n") + 1:]


def main():
    deaf = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else 4096
    server = subprocess.Popen([sys.argv[1], "--bind", "127.0.0.1", "0"],
                              stdout=subprocess.PIPE)
    port = int(server.stdout.readline().split(b"port=")[1])
    threading.Thread(target=server.stdout.read, daemon=True).start()
    until = time.monotonic() + seconds
    crowd = subprocess.Popen(
        [sys.executable, __file__, "--deaf", str(port), str(deaf),
         str(seconds), str(rate)]) if deaf else None
    times = sorted(echo_times(port, until))
    if crowd:
        crowd.wait()
    server.terminate()
    server.wait()

    def part(share):
        return times[min(len(times) - 1, int(len(times) * share))] * 1000
    print(f"deaf={deaf} kib_per_s={rate:g} lines={len(times)} "
          f"p50_ms={part(.5):.2f} p90_ms={part(.9):.2f} "
          f"p99_ms={part(.99):.2f} max_ms={times[-1] * 1000:.2f}")


def crowd_main():
    port, deaf = int(sys.argv[2]), int(sys.argv[3])
    until = time.monotonic() + float(sys.argv[4])
    rate = float(sys.argv[5]) * 1024 / deaf
    threads = [threading.Thread(target=be_deaf, args=(port, i, rate, until))
               for i in range(deaf)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    if sys.argv[1] == "--deaf":
        crowd_main()
    else:
        main()
