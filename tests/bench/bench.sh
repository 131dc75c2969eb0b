#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench.sh - l4lb and its rivals, side by side in one run on one lab
#
#	tests/bench/bench.sh [OUTPUT_DIRECTORY]
#
# Parameters, from the environment:
#	ROUNDS=3	everybody in turn, so often (A B C A B C)
#	SECS=2		of each measurement; CONN_SECS=10 of new connections
#	CONTESTANTS=	of: none l4lb haproxy nginx nftables pen
#	WORKLOADS=	of: req conn bulk rtt off mem overload flows
#	VARIANTS=	other builds of l4lb as contestants: 'NAME=PROGRAM ...',
#			named l4lb-NAME in CONTESTANTS
#	L4LB_ARGS=	more arguments for l4lb
#
# Writes figures.tsv (one figure a line: round, contestant, workload, name,
# value) into OUTPUT_DIRECTORY, and has report.py make results.json, a table
# and plots of it. What is measured and how: README.md.
# shellcheck source=../lab/lab.sh
LAB_SELF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_OUT=${1:-bench-out}
mkdir -p "$BENCH_OUT"
if [ -z "${LAB_INSIDE:-}" ]; then
	exec "$LAB_SELF/../lab/run" "$LAB_SELF/bench.sh" "$BENCH_OUT"
fi
. "$LAB_SELF/../lab/lab.sh"
# shellcheck source=contestants.sh
. "$LAB_SELF/contestants.sh"

ROUNDS=${ROUNDS:-3} SECS=${SECS:-2} CONN_SECS=${CONN_SECS:-10}
CONTESTANTS=${CONTESTANTS:-none l4lb haproxy nginx nftables pen}
WORKLOADS=${WORKLOADS:-req conn bulk rtt off mem overload flows}
OVERLOAD_RATES=${OVERLOAD_RATES:-25 50 100 150 200 300 400 600 800} # kpps
OVERLOAD_BY=${OVERLOAD_BY:-l4lb nftables}
TOOLS=$L4LB_BUILD/tests/bench
FIGURES=$BENCH_OUT/figures.tsv

# As start, whose name may have been used before: what that one said is gone.
anew() {
	rm -f "$LAB_TMP/$1.out" "$LAB_TMP/$1.err"
	start "$@"
}

wants() { [[ " $WORKLOADS " == *" $1 "* ]]; }

# --- writing down ------------------------------------------------------------

ROUND=0 CONTESTANT=''
figure() { # WORKLOAD NAME VALUE
	printf '%s\t%s\t%s\t%s\t%s\n' "$ROUND" "$CONTESTANT" "$1" "$2" "$3" \
		>>"$FIGURES"
}

# `name value` lines of a tool's output.
figures() { # WORKLOAD < LINES
	local name value
	while read -r name value; do figure "$1" "$name" "$value"; done
}

describe() {
	CONTESTANT=-
	local key
	figure machine cores "$(nproc)"
	figure machine cpu "$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
	figure machine kernel "$(uname -sr)"
	figure machine arch "$(uname -m)"
	figure machine memory_mib "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
	figure machine date "$(date -u +%F)"
	figure machine command "make bench ROUNDS=$ROUNDS SECS=$SECS CONN_SECS=$CONN_SECS"
	figure machine load_before "$(cut -d' ' -f1 /proc/loadavg)"
	for CONTESTANT in "${PRESENT[@]}"; do
		figure version "$CONTESTANT" "$(of_contestant version)"
	done
	CONTESTANT=-
	figure version wrk "$(dpkg-query -W -f '${Version}' wrk 2>/dev/null || echo unknown)"
	figure version iperf3 "$(iperf3 -v | sed -n '1s/iperf \([^ ]*\).*/\1/p')"
	for key in "${ABSENT[@]}"; do figure absent "$key" 1; done
}

# --- CPU and losses around one measurement -----------------------------------

# User and system ticks of all its processes; 0 0 for the kernel's own.
cpu_process() {
	local pid files=()
	for pid in $(pids_of_contestant); do files+=("/proc/$pid/stat"); done
	[ ${#files[@]} -gt 0 ] || { echo 0 0; return; }
	sed 's/.*) //' "${files[@]}" | awk '{ u += $12; s += $13 } END { print u, s }'
}

# Busy and softirq ticks of the whole machine.
cpu_machine() {
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9, $8 }' /proc/stat
}

ring_drops() {
	is_l4lb || { echo 0; return; }
	local log=$LAB_TMP/l4lb.err n
	n=$(grep -c 'ring_drops=' "$log" || true)
	kill -USR1 "$(pid_of l4lb)"
	holds_within 5 drops_logged "$log" "$n" || { echo 0; return; }
	sleep 0.1 # more interfaces, more lines
	tail -n +1 "$log" | sed -n 's/.*capture \([^ ]*\) .*ring_drops=\([0-9]*\).*/\1 \2/p' |
		awk '{ last[$1] = $2 } END { for (i in last) n += last[i]; print n + 0 }'
}
drops_logged() { [ "$(grep -c 'ring_drops=' "$1" || true)" -gt "$2" ]; }

# measure WORKLOAD COMMAND...: the command prints `name value` lines.
measure() {
	local workload=$1 before after drops out=$LAB_TMP/measured
	shift
	drops=$(ring_drops)
	before="$(cpu_process) $(cpu_machine)"
	"$@" >"$out" || say "    $CONTESTANT: $workload failed"
	after="$(cpu_process) $(cpu_machine)"
	drops=$(($(ring_drops) - drops))
	figures "$workload" <"$out"
	echo "$before $after" | awk -v hz="$(getconf CLK_TCK)" '{
		print "cpu_user_s", ($5 - $1) / hz
		print "cpu_system_s", ($6 - $2) / hz
		print "machine_busy_s", ($7 - $3) / hz
		print "machine_softirq_s", ($8 - $4) / hz }' | figures "$workload"
	! is_l4lb || figure "$workload" ring_drops "$drops"
	printf '    %-9s %-8s %s\n' "$CONTESTANT" "$workload" \
		"$(head -n 3 "$out" | tr '\n' ' ')"
}

# --- the workloads -----------------------------------------------------------

# Requests over kept connections: wrk, one thread.
requests() { # CONNECTIONS
	on client "${ON_CPU[@]}" wrk -t1 -c"$1" -d"${SECS}s" --latency "http://$WEB/" | awk '
		function us(t) {
			if (t ~ /us$/) return t + 0
			if (t ~ /ms$/) return t * 1e3
			return t * 1e6
		}
		/Requests\/sec/   { print "per_s", $2 }
		/requests in/     { print "count", $1 }
		$1 == "50%"       { print "p50_us", us($2) }
		$1 == "99%"       { print "p99_us", us($2) }
		/Socket errors/   { gsub(",", ""); print "failed", $4 + $6 + $8 + $10 }'
}

connections() {
	on client "$TOOLS/conns" "${WEB%:*}" "${WEB#*:}" "$CONN_SECS" 64
}

bulk() { # STREAMS [-R]
	on client iperf3 -c "${BULK%:*}" -p "${BULK#*:}" -P "$1" ${2:+"$2"} \
		-t "$SECS" --connect-timeout 5000 -J |
		"$PYTHON" -c '
import json, sys
end = json.load(sys.stdin)["end"]
got = end["sum_received"]
print("gbit_s", got["bits_per_second"] / 1e9)
print("bytes", got["bytes"])
print("retransmits", end["sum_sent"].get("retransmits", 0))'
}

round_trip() {
	on client "${ON_CPU[@]}" "$TOOLS/rtt" "${ECHO%:*}" "${ECHO#*:}" "$SECS"
}

# With one connection nearly all the time goes into waking up the next process:
# 10 us on the same core and 40 us on another, and where the scheduler happens
# to put them decides the result. So it is decided here.
pin() { # CORE OF THE BALANCER, of all others: or everybody anywhere
	local last=$(($(nproc) - 1)) pid
	ON_CPU=(taskset -c "${2:-0-$last}")
	for pid in $(pids_of_contestant); do taskset -acp "${1:-0-$last}" "$pid"; done >/dev/null
	for pid in $(pids_of_backends); do taskset -acp "${2:-0-$last}" "$pid"; done >/dev/null
}
ON_CPU=()

alone() { # one connection, one core; and with the balancer on another
	pin 0 0
	if wants req; then measure req1 requests 1; fi
	if wants rtt; then
		measure rtt round_trip
		if [ "$(nproc)" -gt 1 ]; then
			pin 1 0
			measure rtt_apart round_trip
		fi
	fi
	pin
}

# Bytes of user memory, shared pages divided among who shares them.
memory() {
	local pid sum=0
	for pid in $(pids_of_contestant); do
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
	done
	echo $((sum * 1024))
}

hold_memory() { # HOW MANY...
	local n held=0 names=() at=0
	sleep 0.5
	figure mem "held_0" "$(memory)"
	for n; do
		at=$((at + 1))
		anew "hold$at" client "$TOOLS/hold" "${ECHO%:*}" "${ECHO#*:}" \
			$((n - held)) "198.18.0.$((3 + at))"
		names+=("hold$at")
		holds_within 60 log_has "hold$at" '^held' ||
			{ say "    $CONTESTANT: cannot hold $n: $(tail -n1 "$LAB_TMP/hold$at.err")"; break; }
		held=$n
		sleep 0.5
		figure mem "held_$n" "$(memory)"
	done
	for n in "${names[@]}"; do stop "$n"; done
	printf '    %-9s mem      held %s, now %s bytes\n' "$CONTESTANT" "$held" "$(memory)"
}

# --- offered and carried -----------------------------------------------------

# Backends without sockets: their kernels count and drop what comes.
quiet_backends() {
	local i
	on client ip route replace blackhole 198.18.128.0/17
	on lb ip route replace 198.18.128.0/17 via 198.18.0.2
	for i in 1 2 3; do
		on b$i nft "table ip bench { counter carried {}; chain in {
			type filter hook prerouting priority -300;
			tcp dport $PORT_BLAST tcp flags & syn == 0 counter name carried drop
			tcp dport $PORT_BLAST drop; }; }"
		on b$i ip route replace 198.18.128.0/17 via 198.18.0.2
	done
}

carried() {
	local i sum=0
	for i in 1 2 3; do
		sum=$((sum + $(on b$i nft list counter ip bench carried |
			awk '/packets/ { print $2 }')))
	done
	echo "$sum"
}

# Opens FLOWS and leaves blast waiting for orders; its answers by $LAB_TMP/blast.out
open_blast() { # FLOWS PAYLOAD
	local i
	for i in 1 2 3; do
		anew "answer$i" b$i "$LAB_TOOLS/synth" answer eth0 "$PORT_BLAST"
		wait_log "answer$i" '^answering'
	done
	rm -f "$LAB_TMP/orders"
	mkfifo "$LAB_TMP/orders"
	exec {ORDERS}<>"$LAB_TMP/orders"
	LAB_STDIN=$LAB_TMP/orders anew blast client "$TOOLS/blast" eth0 \
		"$(lab_mac "$VIP")" "$VIP" "$PORT_BLAST" 198.18.128.1 "$1" "$2"
	wait_log blast '^opened' 120
	read -r _ OPENED _ LOST < <(grep '^opened' "$LAB_TMP/blast.out")
	say "    $CONTESTANT: opened $OPENED, not $LOST"
	for i in 1 2 3; do stop "answer$i"; done
}

close_blast() {
	stop blast
	exec {ORDERS}>&-
}

order() { # LINE: sets SENT and SENT_SECONDS
	local n
	n=$(grep -c '^sent' "$LAB_TMP/blast.out" || true)
	printf '%s\n' "$1" >&"$ORDERS"
	wait_until 60 "blast to do: $1" blast_said $((n + 1))
	read -r _ SENT _ SENT_SECONDS < <(tail -n 1 "$LAB_TMP/blast.out")
	sleep 0.3 # what is on its way arrives
}
blast_said() { [ "$(grep -c '^sent' "$LAB_TMP/blast.out" || true)" -ge "$1" ]; }

# Small segments of 1000 flows, ever more a second.
overload() {
	local rate before
	open_blast 1000 64
	for rate in $OVERLOAD_RATES; do
		before=$(carried)
		order "rate ${rate}000 $SECS"
		figure overload "offered_$rate" "$(ratio "$SENT" "$SENT_SECONDS")"
		figure overload "carried_$rate" \
			"$(ratio $(($(carried) - before)) "$SENT_SECONDS")"
		printf '    %-9s overload %s kpps: offered %s carried %s\n' \
			"$CONTESTANT" "$rate" "$SENT" $(($(carried) - before))
	done
	close_blast
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'; }

# 100,000 flows at once, each still there afterwards; a packet's cost.
many_flows() {
	local n before cpu
	for n in 1000 100000; do
		restart_contestant
		open_blast "$n" 64
		figure flows "opened_$n" "$OPENED"
		figure flows "lost_opening_$n" "$LOST"
		cpu=$(cpu_process)
		order "rate ${FLOWS_RATE:-60000} 5"
		echo "$cpu $(cpu_process) $SENT" | awk -v hz="$(getconf CLK_TCK)" \
			'{ printf "%.0f\n", ($3 + $4 - $1 - $2) / hz * 1e9 / $5 }' |
			{ read -r ns; figure flows "cpu_ns_per_packet_$n" "$ns"
			  printf '    %-9s flows    %s: %s ns a packet\n' \
				"$CONTESTANT" "$n" "$ns"; }
		before=$(carried)
		order 'each 20000'
		figure flows "one_packet_each_carried_$n" $(($(carried) - before))
		figure flows "established_$n" "$(dump_flows l4lb ESTABLISHED)"
		printf '    %-9s flows    %s: a packet each: %s carried\n' "$CONTESTANT" "$n" \
			$(($(carried) - before))
		close_blast
	done
}

# --- rounds ------------------------------------------------------------------

begin_contestant() {
	CONTESTANT=$1
	of_contestant start
	local where
	where=$(of_contestant addresses)
	read -r WEB BULK ECHO <<<"$where"
	wait_until 10 "$1 to answer" answers
}
answers() {
	on client curl -sf -o /dev/null --max-time 2 "http://$WEB/"
}
end_contestant() { of_contestant stop; }
restart_contestant() { end_contestant; begin_contestant "$CONTESTANT"; }

workloads_on() {
	local n
	alone
	if wants req; then for n in 64 512; do measure "req$n" requests "$n"; done; fi
	if wants conn; then measure conn connections; fi
	if wants bulk; then bulks on; fi
}

bulks() { # on|off
	measure "bulk1_up_$1" bulk 1
	measure "bulk1_down_$1" bulk 1 -R
	measure "bulk8_up_$1" bulk 8
	measure "bulk8_down_$1" bulk 8 -R
}

rounds() {
	local name
	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		bench_offloads on
		for name in "${PRESENT[@]}"; do
			say "  round $ROUND: $name"
			begin_contestant "$name"
			workloads_on
			end_contestant
		done
		wants off || continue
		bench_offloads off
		for name in "${PRESENT[@]}"; do
			say "  round $ROUND: $name, offloads off"
			begin_contestant "$name"
			bulks off
			end_contestant
		done
	done
	bench_offloads on
}

# Once each: these do not depend on what else the machine is doing.
once() {
	local name
	ROUND=1
	if wants mem; then
		say "  memory of idle connections"
		for name in "${PRESENT[@]}"; do
			has_process "$name" || continue
			begin_contestant "$name"
			if is_l4lb; then
				hold_memory 1000 4000 9000 20000 35000 50000
			else
				hold_memory 1000 4000 9000
			fi
			end_contestant
		done
	fi
	if wants overload; then
		say "  offered and carried"
		for name in $OVERLOAD_BY; do
			[[ " ${PRESENT[*]} " == *" $name "* ]] || continue
			begin_contestant "$name"
			overload
			end_contestant
		done
	fi
	if wants flows && [[ " ${PRESENT[*]} " == *" l4lb "* ]]; then
		say "  100,000 flows"
		begin_contestant l4lb
		many_flows
		end_contestant
	fi
}

title "bench: ${CONTESTANTS}; ROUNDS=$ROUNDS SECS=$SECS"
need wrk iperf3 nginx curl ethtool nft
need_program l4lb tests/bench/conns tests/bench/blast tests/lab/synth
find_contestants
: >"$FIGURES"
describe
lab_up lan
tune
start_backends
rounds
if wants overload || wants flows; then quiet_backends; fi
once
"$PYTHON" "$LAB_SELF/report.py" "$FIGURES" "$BENCH_OUT"
