#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The balancer itself stands still, as a process does that was swapped out or
# whose machine was suspended: five times for 0.4 s, more than the SYN timeout
# of 0.3 s, while 20 threads connect. What has arrived meanwhile is not late
# because the balancer is: nobody is asked twice, nobody blamed.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "the balancer stands still, five times for 0.4 s"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
start_l4lb lb --state none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
	198.18.0.13 "$PORT"
cat >"$LAB_TMP/load.py" <<'END'
"""20 threads connect and reset, again and again, until told to stop.

Prints "made N" all the time, and a summary at the end.
"""
import signal, socket, struct, sys, threading
stop, made, failed = threading.Event(), [0] * 20, []

def run(i):
    while not stop.is_set():
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.settimeout(10)
            try:
                s.connect((sys.argv[1], int(sys.argv[2])))
                made[i] += 1
            except OSError as e:
                failed.append(repr(e))

threads = [threading.Thread(target=run, args=(i,)) for i in range(20)]
signal.signal(signal.SIGTERM, lambda *_: stop.set())
for t in threads: t.start()
while not stop.wait(0.02): print("made", sum(made), flush=True)
for t in threads: t.join()
print(f"connected {sum(made)} failed {len(failed)}", *failed[:3])
END
start load client "$PYTHON" "$LAB_TMP/load.py" "$VIP" "$VIP_PORT"
wait_log load '^made'
total() { tail -n 1 "$LAB_TMP/load.out" | cut -d ' ' -f 2; }
more_than() { [ "$(total)" -gt "$1" ]; }
for ((n = 0; n < 5; n++)); do
	before=$(total)
	wait_until 10 "some more connections" more_than $((before + 200))
	kill -STOP "$(pid_of lb)"
	sleep 0.4 # the fault itself
	kill -CONT "$(pid_of lb)"
done
kill -TERM "$(pid_of load)"
finish load 30
ok "$(tail -n 1 "$LAB_TMP/load.out")"
expect_true "nobody failed" log_has load ' failed 0$'
expect_false "no backend was thought to be down, or ejected" \
	log_has lb 'is down|is ejected'
resets=$(counter lb TcpOutRsts)
stop lb
expect "exit status" "$STATUS" 0
expect "SYNs given to another backend" \
	"$(sed -n 's/.* redispatched=\([0-9]*\).*/\1/p' "$LAB_TMP/lb.err" | tail -n 1)" 0
expect "RST sent by the balancer's kernel" "$resets" 0
