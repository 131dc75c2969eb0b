#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One client fills the flow table, or the NAT ports, with connections that it
# has finished and the server has not. Whoever comes then is served at once, in
# the place of the one that was idle longest, whose ends both learn of it; and
# a download that moves (its client has said all) is none of those.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "half-closed connections make room"

B1=198.18.0.11 OTHERS=20

cat >"$LAB_TMP/half.py" <<'PY'
"""half.py serve ADDRESS PORT       a byte to whoever sends one, and never a FIN:
                                    "reset N" for each that is reset
half.py open ADDRESS PORT COUNT     sends a byte, waits for the answer, finishes its
                                    side ("finished COUNT"), then the same as serve
half.py ask ADDRESS PORT COUNT      one after another: a byte there and back, "served N"
half.py download ADDRESS PORT       finishes after the first byte; prints "moving" and
                                    then, at the end of file, how many bytes came
"""
import select, socket, sys
verb, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = int(sys.argv[4]) if len(sys.argv) > 4 else 0

def watch(poll, socks, listener=None, streams=()):
    resets, streams = 0, list(streams)
    # A reset of a side that has heard the end of the other is EPIPE.
    while True:
        for fd, _ in poll.poll(20):
            if listener and fd == listener.fileno():
                s, _ = listener.accept()
                socks[s.fileno()] = s
                poll.register(s, select.POLLIN)
                continue
            s = socks[fd]
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                resets += 1
                print("reset", resets, flush=True)
                poll.unregister(fd)
            elif data := s.recv(10):
                s.sendall(data)
                if data == b"d":
                    streams.append(s)
            else:
                poll.modify(fd, 0) # an error comes unasked
        for s in streams:
            try:
                s.sendall(b"x" * 1000)
            except OSError:
                streams.remove(s)

if verb == "serve":
    listener = socket.create_server((address, port), backlog=1024)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    print("listening", flush=True)
    watch(poll, {}, listener)
elif verb == "open":
    poll, socks = select.poll(), {}
    for _ in range(count):
        s = socket.create_connection((address, port), 10)
        s.sendall(b"a")
        assert s.recv(10) == b"a"
        s.shutdown(socket.SHUT_WR)
        socks[s.fileno()] = s
        poll.register(s, select.POLLIN)
    print("finished", len(socks), flush=True)
    watch(poll, socks)
elif verb == "ask":
    kept = []
    for n in range(count):
        s = socket.create_connection((address, port), 5)
        s.sendall(b"a")
        assert s.recv(10) == b"a"
        kept.append(s)
    print("served", len(kept), flush=True)
    sys.stdin.readline()
else:
    s = socket.create_connection((address, port), 10)
    s.sendall(b"d")
    s.shutdown(socket.SHUT_WR)
    total = 0
    while data := s.recv(65536):
        total += len(data)
        if total > 20000 and count == 0:
            print("moving", flush=True)
            count = 1
        if total > 10000000:
            break
    print("got", total)
PY
lab_up lan
cat >"$LAB_TMP/lb.conf" <<-END
	[service half]
	listen = $VIP:$VIP_PORT
	check = none
	backend = $B1:$PORT
END

resets() { sed -n 's/^reset //p' "$LAB_TMP/$1.out" | tail -n 1; }
has_resets() { [ "$(resets "$1")" = "$2" ]; }

stand() { # NAME N: so many were idle for 0.3 s
	[ "$(dump "$1" | awk '$6 == "FIN_WAIT" && $8 >= 0.3' | wc -l)" = "$2" ]
}

# pressure NAME REASON PLACES ARGUMENTS...: with these, there are so many places
pressure() {
	local name=$1 what=$2 places=$3
	shift 3
	say "$what: $places places"
	start "srv$name" b1 "$PYTHON" "$LAB_TMP/half.py" serve $B1 "$PORT"
	wait_log "srv$name" '^listening'
	start_l4lb "$name" --state none "$@" --config "$LAB_TMP/lb.conf"
	start "down$name" client "$PYTHON" "$LAB_TMP/half.py" download "$VIP" "$VIP_PORT"
	wait_log "down$name" '^moving'
	start "open$name" client "$PYTHON" "$LAB_TMP/half.py" open "$VIP" "$VIP_PORT" $((places - 1))
	wait_log "open$name" "^finished $((places - 1))"
	expect "  half-closed connections of one client" "$(dump_flows "$name" FIN_WAIT)" "$places"
	# The last of them is the server's delayed ACK of their FINs.
	wait_until 20 "those to stand" stand "$name" $((places - 1))
	mkfifo "$LAB_TMP/go$name"
	exec 9<>"$LAB_TMP/go$name" # they stay until told
	LAB_STDIN=$LAB_TMP/go$name start "ask$name" b3 "$PYTHON" "$LAB_TMP/half.py" ask "$VIP" "$VIP_PORT" $OTHERS
	wait_log "ask$name" "^served $OTHERS"
	ok "  $OTHERS connections of another one: served"
	expect "  recycled for them" "$(counted "$name" recycled-half-closed)" $OTHERS
	wait_until 10 "the client to learn" has_resets "open$name" $OTHERS
	wait_until 10 "the server to learn" has_resets "srv$name" $OTHERS
	ok "  reset at the client, and at the server: $OTHERS"
	is_running "down$name" || expect_true "  the download went on" log_has "down$name" '^got 1'
	expect "  refused" "$(counted "$name" "$what")" ""
	expect "  what is left of them" "$(dump_flows "$name" FIN_WAIT)" $((places - OTHERS))
	wait_log "$name" '[0-9]+ half-closed connections were reset to make room'
	echo >&9
	exec 9>&-
	finish "ask$name" 10
	for p in "open$name" "down$name" "srv$name"; do stop "$p"; done
	stop "$name"
	expect "  exit status" "$STATUS" 0
}

pressure table table-full 64 --flows 64
# 64 of the ports are for checks.
pressure ports no-port 960 --nat-ports 30000-31023
