#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The order of a change: the guard knows a backend before its first packet, and
# as long as one may come; a service's port, guard and captures come and go
# together; what the host refuses leaves nothing. Seen in what this host's own
# TCP answers, which is nothing.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "backends and services come and go, and the host's TCP says nothing"

lab_up lan
for n in 1 2; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done
ch() { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "$@"; }
resets() { on lb nstat -asz TcpOutRsts | awk 'END { print $2 }'; }
status_has() { grep -q "$1" <<<"$(ch status)"; }
status_lacks() { ! status_has "$1"; }
guards_only() { [ "$(guarded backends)" = "$1" ]; }
guarded() { on lb nft list set ip l4lb_chat "$1" | grep -o '198\.18\.0\.[0-9]* \. [0-9]*' | tr -d ' ' | sort | xargs; }

# No check: a new backend gets connections at once.
cat >"$LAB_TMP/chat.conf" <<-END
	[global]
	name = chat
	closed_timeout = 3s
	[service chat]
	listen = $VIP:$VIP_PORT
	check = none
	backend = 198.18.0.11:$PORT
END
start_l4lb lb --config "$LAB_TMP/chat.conf"
before=$(resets)

# Short connections without a pause, until the file is there.
start many client "$PYTHON" -c '
import os, socket, sys
done = failed = 0
who = set()
while not os.path.exists(sys.argv[3]):
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as s:
            s.sendall(b"x\n")
            who.add(s.recv(100).split()[0])
            done += 1
    except OSError as e:
        print("failed:", e, flush=True)
        failed += 1
print(f"done={done} failed={failed} servers={len(who)}", flush=True)' "$VIP" "$VIP_PORT" "$LAB_TMP/enough"

for _ in {1..40}; do
	ch "backend add chat 198.18.0.12:$PORT" "backend remove chat 198.18.0.12:$PORT" >/dev/null
done
expect "after 40 times it is guarded once, as its last connections may still speak" \
	"$(guarded backends)" "198.18.0.11.9001 198.18.0.12.9001"
touch "$LAB_TMP/enough"
finish many 60
expect_true "connections meanwhile: $(tail -n 1 "$LAB_TMP/many.out")" \
	grep -Eq '^done=[0-9]{2,} failed=0 servers=2$' "$LAB_TMP/many.out"
wait_until 30 "the guard to forget the backend" guards_only 198.18.0.11.9001
expect "resets by this host's own TCP" "$(($(resets) - before))" 0

# A service: its port is taken, guarded, captured; all of it is given back.
connects() { on client timeout 5 "$PYTHON" -c '
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 4) as s:
    s.sendall(b"x\n")
    print(s.recv(100).decode().split()[0])' "$VIP" "$1"; }
ch "service add web listen=$VIP:80" "backend add web 198.18.0.12:$PORT" >/dev/null
expect "a service on port 80" "$(connects 80)" e2
expect "  guarded" "$(guarded services)" "198.18.0.1.20000 198.18.0.1.80"
expect "  recorded" "$(grep -c '^service 198.18.0.1:80$' /run/l4lb/chat.ports)" 1
expect_false "  and nobody else can take the port" on lb "$PYTHON" -c '
import socket
socket.create_server(("198.18.0.1", 80))' 2>/dev/null

# Removed by mistake, and added again at once, with connections.
start_hold hold client "$VIP" 80 3
ch "service remove web" >/dev/null
expect_false "removed: it takes connections" connects 80 2>/dev/null
ch begin "service add web listen=$VIP:80" "backend add web 198.18.0.11:$PORT" commit >/dev/null
expect "added again: at once" "$(connects 80)" e1
tell hold "say a" '^said' 1
expect "  the old connections go on" "$(tail -n 1 "$LAB_TMP/hold.out")" "said e2=3"
tell hold close '^closed'
wait_until 30 "the old one to be gone" status_lacks state=leaving
expect "  the new one stays" "$(connects 80)" e1
expect "  recorded" "$(grep -c '^service 198.18.0.1:80$' /run/l4lb/chat.ports)" 1
ch "service remove web then=reset" >/dev/null
wait_until 30 "it to be gone, too" status_lacks web
expect "removed: the guard" "$(guarded services)" "198.18.0.1.20000"
expect_false "  the record has it" grep -q '^service 198.18.0.1:80$' /run/l4lb/chat.ports
expect_true "  the port is free" on lb "$PYTHON" -c '
import socket
socket.create_server(("198.18.0.1", 80))'
expect "resets by this host's own TCP" "$(($(resets) - before))" 0

# What the host refuses in the middle leaves nothing of it.
start taken lb "$PYTHON" -c '
import socket, time
s = socket.create_server(("198.18.0.1", 8080))
print("taken", flush=True)
time.sleep(600)'
wait_log taken '^taken'
was="$(ch show) $(guarded services) $(guarded backends) $(cat /run/l4lb/chat.ports)"
expect "one of two ports is taken: refused" \
	"$({ ch begin "service add one listen=$VIP:81" "backend add one 198.18.0.12:$PORT" \
		"service add two listen=$VIP:8080" commit || true; } | tail -n 1 | grep -o '^error refused.*another program')" \
	"error refused service 198.18.0.1:8080: another program"
expect "  nothing is left of it" \
	"$(ch show) $(guarded services) $(guarded backends) $(cat /run/l4lb/chat.ports)" "$was"
expect "  it goes on" "$(connects "$VIP_PORT")" e1

# Nor of a source that cannot be guarded, as the guard's table is another's now.
start owner lb bash -c '{
	echo "delete table ip l4lb_chat; add table ip l4lb_chat { flags owner; }"
	echo "list table ip l4lb_chat"
	sleep 600
} | nft -i'
wait_log owner 'flags owner'
was=$(cat /run/l4lb/chat.ports)
expect "a source that cannot be guarded: refused" \
	"$({ ch "service set chat source=198.18.0.99" || true; } | cut -d ' ' -f 1,2)" "error refused"
expect "  it is not recorded" "$(cat /run/l4lb/chat.ports)" "$was"
