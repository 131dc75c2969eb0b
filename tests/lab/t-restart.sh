#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The balancer is killed, or stopped with --guard keep, and started again: no
# connection notices. A clean exit without keep tells both sides.
#
#	t-restart.sh [KILLS UNDER LOAD]		20; 200 for a long run
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft nginx curl
KILLS=${1:-20}
title "restart without loss, $KILLS kills under load"

lab_up lan
# Killed again and again, the balancer is away for two thirds of the time. Who
# sends into a gap waits twice as long each time, after ten of them for minutes,
# and gives up in the end: not here, where the kernel knows how to put a limit
# to the wait (Linux 6.15); and then by the count of tries nobody gives up, with
# a connection that its program has closed neither, which else ends at the limit.
for host in client b1 b2 b3; do
	on $host sysctl -qw net.ipv4.tcp_rto_max_ms=2000 2>/dev/null || continue
	on $host sysctl -qw net.ipv4.tcp_retries2=120 \
		net.ipv4.tcp_syn_retries=120 net.ipv4.tcp_synack_retries=120 \
		net.ipv4.tcp_orphan_retries=120
done
for i in 1 2 3; do
	start_echo echo$i b$i 198.18.0.1$i "$PORT"
	start_nginx b$i 8080
done
head -c 60000000 /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
FILE=/run/l4lb/lb.flows
WEB=$VIP:20080

config() { # BACKENDS OF ECHO, AS LAST BYTES
	printf '[global]\nname = lb\n[service echo]\n'
	printf 'listen = %s\n' "$VIP:$VIP_PORT"
	printf "backend = 198.18.0.%s:$PORT\n" "$@"
	[ -n "${NO_WEB:-}" ] || {
		printf '[service web]\nlisten = %s\n' "$WEB"
		printf 'backend = 198.18.0.%s:8080\n' 11 12 13
	}
}
config 11 12 13 >"$LAB_TMP/lb.conf"
CONF=(--config "$LAB_TMP/lb.conf")

# A RST, from whomever, while connections are to go on. Those of health checks,
# from the top of the NAT ports, are no connection's.
watch_resets() { # HOST...
	local host
	WATCHED=("$@")
	for host; do
		capture "rst-$host" "$host" eth0 \
			'tcp[tcpflags] & tcp-rst != 0 and not src portrange 32704-32767'
	done
}
resets() { # HOST [AWK CONDITION]
	packets "rst-$1" | awk "${2:-1}"
}
expect_no_reset() { # [AWK CONDITION]: only those for which it holds
	local host n=0
	for host in "${WATCHED[@]}"; do
		capture_end "rst-$host"
		n=$((n + $(resets "$host" "$@" | wc -l)))
	done
	[ "$n" -eq 0 ] || for host in "${WATCHED[@]}"; do
		resets "$host" "$@" | head -n 3 | sed "s/^/        $host /"
	done
	expect "  resets on the wire at ${WATCHED[*]}" "$n" 0
	expect "  resets by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
}
# Not to be taken for ready by what the one before has said.
again() { # ARGUMENTS
	rm "$LAB_TMP/lb.out" "$LAB_TMP/lb.err"
	start_l4lb lb "$@"
}
took_over() { sed -n 's/.*took over flows=\([0-9]*\).*/\1/p' "$LAB_TMP/lb.err"; }
last() { tail -n 1 "$LAB_TMP/$1.out"; }
# Nothing in the table that could not be: a key, or a port, that two share.
expect_consistent() {
	dump lb >"$LAB_TMP/dump"
	[ -z "$(awk '/^# backend / { exit } !/^#/ { print $2, $3 }' "$LAB_TMP/dump" | sort | uniq -d)" ] ||
		fail "two flows of one client and service"
	[ -z "$(awk '/^# backend / { exit } !/^#/ { print $4, $5 }' "$LAB_TMP/dump" | sort | uniq -d)" ] ||
		fail "two flows of one NAT port and backend"
}
arrived() { # FILE BYTES
	[ -e "$1" ] && [ "$(stat -c %s "$1")" -ge "$2" ]
}
download() {
	start bulk client curl -sS --fail --limit-rate 12M -o "$LAB_TMP/got" \
		"http://$WEB/files/data"
	wait_until 20 "the bulk transfer to be under way" \
		arrived "$LAB_TMP/got" 3000000
}
expect_download() {
	finish bulk 60
	expect "  the bulk transfer's exit status" "$STATUS" 0
	expect "  its SHA-256" "$(sha256 <"$LAB_TMP/got")" "$sum"
	rm "$LAB_TMP/got"
}

# --- a thousand connections and a transfer; killed, and back 2 s later
start_l4lb lb "${CONF[@]}"
start_hold hold client "$VIP" "$VIP_PORT" 1000
tell hold 'say before' '^said'
download
watch_resets client b1 b2 b3
stop lb KILL
expect "after kill -9 there is the state file, mode and bytes" \
	"$(stat -c '%a %s' $FILE)" "600 $((65536 + 65536 * 192))"
sleep 2 # the time that somebody needs to notice
again "${CONF[@]}"
expect "flows taken over" "$(took_over)" 1001
grep -o 'took over.*ms=.*' "$LAB_TMP/lb.err" | sed 's/^/        /'
tell hold 'say after' '^said' 2
expect "  all of them work" "$(last hold)" "said echo1=334 echo2=333 echo3=333"
expect_download
expect_consistent
expect_no_reset

# --- who else would use the file
status=0
on lb timeout 10 "$L4LB_BUILD/l4lb" --name other -p 20099 --state $FILE \
	"$VIP" 198.18.0.11 "$PORT" >"$LAB_TMP/second" 2>&1 || status=$?
expect "a second l4lb with the same file, exit status" "$status" 1
expect_true "  it names the file and who has it" \
	grep -q "$FILE.*pid $(pid_of lb)" "$LAB_TMP/second"

# --- SIGTERM with --guard keep, then another binary
stop lb KILL
again --guard keep "${CONF[@]}"
download
watch_resets client b1 b2 b3
stop lb
expect "SIGTERM with --guard keep, exit status" "$STATUS" 0
cp "$L4LB_BUILD/l4lb" "$LAB_TMP/l4lb-new"
rm "$LAB_TMP/lb.out" "$LAB_TMP/lb.err"
start lb lb "$LAB_TMP/l4lb-new" "${CONF[@]}"
wait_log lb "$L4LB_READY"
tell hold 'say kept' '^said' 3
expect "  a new binary goes on" "$(last hold)" "said echo1=334 echo2=333 echo3=333"
expect_download
expect_no_reset

# --- killed again and again while everything happens
cat >"$LAB_TMP/load.py" <<'END'
"""Echoes on 60 connections for ever and on ever new ones; says what broke.

Who sends again and again into the gaps between two lives of the balancer waits
twice as long each time: slow is not broken.
"""
import asyncio, random, signal, sys, time
stop, broken, lines, opened, slowest = asyncio.Event(), [], 0, 0, 0
PATIENCE = 150  # the kernel's longest wait is 120 s

async def ask(r, w):
    global lines, slowest
    begin = time.monotonic()
    text = random.randbytes(random.randrange(1, 4000)).hex().encode() + b"\n"
    w.write(text)
    await w.drain()
    back = await asyncio.wait_for(r.readline(), PATIENCE)
    if back.partition(b" ")[2] != text:
        raise ValueError(f"{len(back)} bytes came back for {len(text)}")
    lines += 1
    slowest = max(slowest, time.monotonic() - begin)

async def talk(kind, again):
    global opened
    while not stop.is_set():
        try:
            r, w = await asyncio.wait_for(
                asyncio.open_connection(sys.argv[1], int(sys.argv[2]), limit=1 << 20), PATIENCE)
            opened += 1
            while True:
                await ask(r, w)
                if again or stop.is_set():
                    break
            w.close()
            await w.wait_closed()
        except Exception as e:
            broken.append(f"{kind}: {e!r}")
            return

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("loading", flush=True)
    await asyncio.gather(*(talk("held", False) for _ in range(60)),
                         *(talk("new", True) for _ in range(20)))
    print(f"lines {lines} connections {opened} slowest {slowest:.1f} s broken {len(broken)}",
          *broken[:5])

asyncio.run(main())
END
# At the backends there may be some: of a SYN-ACK that took 300 ms, and came
# when another backend had the connection.
watch_resets client
start load client "$PYTHON" "$LAB_TMP/load.py" "$VIP" "$VIP_PORT"
wait_log load '^loading'
RANDOM=${SEED:=$RANDOM}
say "  -- $KILLS kills at random moments, SEED=$SEED"
for ((n = 0; n < KILLS; n++)); do
	sleep "0.$(printf '%03d' $((RANDOM % 400)))"
	stop lb KILL
	again "${CONF[@]}"
	# One may be: the kill came while its SYN was being written down, which
	# nobody was sent yet. The client sends it again.
	refused=$(sed -n 's/.*took over.* refused=\([0-9]*\).*/\1/p' "$LAB_TMP/lb.err")
	[ "$refused" -le 1 ] || fail "kill $n: $refused flows were refused"
	expect_consistent
done
kill -TERM "$(pid_of load)"
finish load 160
ok "load: $(tail -n 1 "$LAB_TMP/load.out")"
expect_true "  nothing broke in $KILLS kills" log_has load ' broken 0$'
tell hold 'say survived' '^said' 4
expect "  the thousand, too" "$(last hold)" "said echo1=334 echo2=333 echo3=333"
# A backend may reset what it has closed, when an ACK comes twice: passed on,
# with a TTL less by one. None may come from the balancer itself.
# shellcheck disable=SC2016 # awk's column
expect_no_reset '$5 == 64'

# --- a backend and a service that are gone when it comes back
sockets() { on "$1" ss -Htn state established "sport = :$PORT" | wc -l; }
client_sockets() { on client ss -Htn state established "dport = :$VIP_PORT" | wc -l; }
no_longer() { [ "$(client_sockets)" -le "$1" ]; } # resets are paced
on client curl -sS --fail -o /dev/null "http://$WEB/" # a flow of the service
stop lb KILL
NO_WEB=1 config 11 12 >"$LAB_TMP/lb.conf"
again "${CONF[@]}"
expect_true "a backend that is gone is told" log_has lb 'backend 198.18.0.13:9001 .*gone'
expect_true "  so are the connections of the service, and of no others" \
	log_has lb 'cannot go on: service_gone=[1-9][0-9]* too_many_backends=0$'
wait_until 10 "the connections of the backend that is gone to be reset" no_longer 667
tell hold 'say two' '^said' 5
expect "  its connections were reset" "$(last hold | grep -o 'ResetError[^=]*=[0-9]*' |
	awk -F= '{ n += $2 } END { print n }')" 333
expect "  the others go on" "$(last hold | grep -o 'echo.*')" "echo1=334 echo2=333"

# --- a clean exit: both sides learn
expect_true "before a clean exit b1 has connections: $(sockets b1)" [ "$(sockets b1)" -ge 334 ]
stop lb
expect "clean exit, status" "$STATUS" 0
grep -o 'reset [0-9]* flows.*' "$LAB_TMP/lb.err" | sed 's/^/        /'
expect "  connections left at b1 and b2" "$(sockets b1) $(sockets b2)" "0 0"
expect "  and at the client" "$(client_sockets)" 0
expect "  what is left in /run/l4lb" "$(ls /run/l4lb)" ""
expect "  and of the guard" "$(on lb nft list tables)" ""
tell hold close '^closed'

# --- a hundred thousand flows in the file
for i in 1 2 3; do
	stop echo$i
	on b$i nft 'table ip quiet { chain in {
		type filter hook input priority 0; tcp dport 9001 drop; }; }'
	start answer$i b$i "$LAB_TOOLS/synth" answer eth0 "$PORT"
	wait_log answer$i '^answering'
done
on lb ip address add 198.18.0.3/24 dev eth0
on lb ip route add 198.18.128.0/17 via 198.18.0.2
{
	printf '[global]\nname = lb\nflows = 131072\n[service many]\n'
	printf 'listen = %s\n' "$VIP:$VIP_PORT"
	printf 'backend = %s\n' 198.18.0.1{1,2,3}:"$PORT"
	printf 'source = %s\n' "$VIP 198.18.0.3"
} >"$LAB_TMP/many.conf"
again --config "$LAB_TMP/many.conf"
expect "100,000 flows" "$(on client "$LAB_TOOLS/synth" open eth0 \
	"$(lab_mac "$VIP")" "$VIP" "$VIP_PORT" 198.18.128.1 100000)" \
	"opened 100000 refused 0 unanswered 0"
stop lb KILL
again --config "$LAB_TMP/many.conf"
expect "  taken over" "$(took_over)" 100000
grep -oE '(took over|ready).*ms=.*' "$LAB_TMP/lb.err" | sed 's/^/        /'
expect "  as the dump says" "$(dump_flows lb ESTABLISHED)" 100000
kill -TERM "$(pid_of lb)"
wait_log lb 'a second signal ends it'
stop lb
expect_true "  told to stop twice it does not reset them all: $(grep -o 'reset .*' "$LAB_TMP/lb.err")" \
	log_has lb 'reset [0-9]{1,5} flows in [0-9]+ ms, the others have to find out'
expect "  exit status" "$STATUS" 0
expect "  what is left in /run/l4lb" "$(ls /run/l4lb)" ""
again --config "$LAB_TMP/many.conf"
expect "40,000 flows" "$(on client "$LAB_TOOLS/synth" open eth0 \
	"$(lab_mac "$VIP")" "$VIP" "$VIP_PORT" 198.18.128.1 40000)" \
	"opened 40000 refused 0 unanswered 0"
start_clock
late=$(late_ms)
begin=$(now_ms)
stop lb
took=$(($(now_ms) - begin))
expect "  a clean exit resets them all" \
	"$(sed -n 's/.* reset \([0-9]*\) flows.*/\1/p' "$LAB_TMP/lb.err")" 40000
expect_true "  after $took ms, within 15000 and what the clock was late" \
	took_at_most $took 15000 "$late"
