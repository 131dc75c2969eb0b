# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# lab.sh - a small network on one machine, and what a test needs to use it
#
# A script that sources this runs inside private namespaces (see `run`, which
# it is handed to when started directly). lab_up then builds one of:
#
#   lan            client        lb          b1        b2        b3
#               198.18.0.2  198.18.0.1      .11       .12       .13
#                    |           |           |         |         |
#                ----+-----------+-----------+---------+---------+---- br0
#
#   two-armed      client        lb          b1        b2        b3
#               198.18.0.2   .0.1  198.19.0.1 .11      .12       .13
#                    |        |     |        |         |         |
#                ----+--------+     +--------+---------+---------+---- br1
#                  br0                backends know no route but their own
#
#   containers     client        lb  ~~~ br-c 198.19.0.1, inside lb
#               198.18.0.2   .0.1      |         |         |
#                    |        |       b1 .11    b2 .12    b3 .13
#                ----+--------+---- br0
#
#   single-host    client        lb   the backends run on lb itself
#               198.18.0.2   .0.1
#                    |        |
#                ----+--------+---- br0
#
# Each host is a network namespace of that name with eth0 (lb also eth1, two-
# armed). br0 and br1 are the switches, in the lab's own namespace. MACs end in
# the last byte of the address: 02:00:00:00:12:0b is 198.18.0.11 (12 hex for
# .18, 13 for .19).
#
# Tests wait for conditions, never for time, and say what they expected.

if [ -z "${LAB_INSIDE:-}" ]; then
	exec "$(dirname "${BASH_SOURCE[0]}")/run" "$0" "$@"
fi

set -euo pipefail
ulimit -n "$(ulimit -Hn)"
set -E # the ERR trap below holds inside functions too

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_TMP=/run/lab # on the private tmpfs: vanishes with the lab
L4LB_BUILD=$(cd "${L4LB_BUILD:-$LAB_DIR/../../build}" 2>/dev/null && pwd) ||
	L4LB_BUILD=/nonexistent
LAB_TOOLS=$L4LB_BUILD/tests/lab # sniff and synth
# The system's own: a version manager's shims need files of the user's.
PYTHON=/usr/bin/python3

declare -A LAB_PID=()  # of what start() started and nobody stopped
LAB_HOSTS=()
declare -A LAB_LAST=() # of every name ever started, for fail()

# shellcheck disable=SC2034 # for the scripts
VIP=198.18.0.1 CLIENT=198.18.0.2 VIP_PORT=20000 PORT=9001 STATUS=0

sha256() { sha256sum | cut -c 1-64; }
now_ms() { printf '%s' $((${EPOCHREALTIME/[.,]/} / 1000)); }
LAB_START=$(now_ms)

# --- saying what happens ---------------------------------------------------

say() { printf '%s\n' "$*"; }
ok() { printf '  ok    %s\n' "$*"; }
title() { printf '%s\n' "$*"; }

skip() {
	printf 'skipped: %s\n' "$*"
	trap - EXIT
	exit 77
}

# What was expected and seen, then the end of every program's output.
fail() {
	trap - ERR
	printf '  FAIL  %s\n' "$1"
	printf '        at %s\n' "$(lab_where)"
	shift
	[ $# -eq 0 ] || printf '        %s\n' "$@"
	local name stream
	for name in "${!LAB_LAST[@]}"; do
		for stream in out err; do
			[ -s "$LAB_TMP/$name.$stream" ] || continue
			printf '  ---- %s, end of std%s\n' "$name" "$stream"
			tail -n 15 "$LAB_TMP/$name.$stream" | cut -c 1-300
		done
	done
	exit 1
}

# The innermost line of the test script itself, not of this library.
lab_where() {
	local i
	for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
		[ "${BASH_SOURCE[i]##*/}" = lab.sh ] && continue
		printf '%s:%s' "${BASH_SOURCE[i]##*/}" "${BASH_LINENO[i - 1]}"
		return
	done
	printf 'lab.sh:%s' "${BASH_LINENO[0]}"
}

lab_end() {
	local status=$?
	local ms=$(($(now_ms) - LAB_START))
	trap - ERR
	[ -z "${LAB_QUIET:-}" ] || exit "$status"
	[ "$status" -eq 0 ] && printf 'passed' || printf 'failed'
	printf ' in %d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
	exit "$status"
}
trap lab_end EXIT
trap 'fail "command failed: $BASH_COMMAND"' ERR
trap 'exit 130' INT TERM HUP # the first process of a namespace needs asking

# expect WHAT GOT WANT: equal, or it fails.
expect() {
	[ "$2" = "$3" ] || fail "$1" "expected: $3" "seen:     $2"
	ok "$1: $2"
}

# expect_true WHAT COMMAND...
expect_true() {
	local what=$1
	shift
	"$@" || fail "$what" "false: $*"
	ok "$what"
}

expect_false() {
	local what=$1
	shift
	! "$@" || fail "$what" "true, and should not be: $*"
	ok "$what"
}

# --- waiting ---------------------------------------------------------------

# wait_until SECONDS WHAT COMMAND...: polls until the command is true.
wait_until() {
	local seconds=$1 what=$2
	shift 2
	holds_within "$seconds" "$@" ||
		fail "waited $seconds s for: $what" "never true: $*"
}

holds_within() {
	local begin end
	begin=$(now_ms)
	end=$((begin + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		pause "$begin"
	done
}

# pause BEGIN_MS: between two looks, a tenth of the time that the waiting has
# taken: a look costs more than it seems, a dump for instance.
pause() {
	local ms=$((($(now_ms) - $1) / 10))
	((ms > 20)) || ms=20
	((ms < 200)) || ms=200
	sleep "0.$(printf '%03d' $ms)"
}

# A clock beside the test, for those that bound a time: what it was late, in
# milliseconds since its start, everything else may have been as well.
# took_at_most MS LIMIT_MS LATE_BEFORE: true if no more, but for that.
start_clock() {
	start clock - "$PYTHON" "$LAB_DIR/late.py" "$LAB_TMP/late"
	wait_until 20 "the clock" [ -s "$LAB_TMP/late" ]
}
late_ms() { printf '%d' "$(cat "$LAB_TMP/late")"; }
took_at_most() { [ "$1" -le $(($2 + 3 * ($(late_ms) - $3))) ]; }

# --- hosts -----------------------------------------------------------------

# on HOST COMMAND...: `-` is the lab's own namespace, where the switches are.
on() {
	local host=$1
	shift
	if [ "$host" = - ]; then
		"$@"
	else
		ip netns exec "$host" "$@"
	fi
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "no $tool here (make deps)"
	done
}

need_program() {
	local name
	for name; do
		[ -x "$L4LB_BUILD/$name" ] ||
			fail "no program $name in $L4LB_BUILD" \
				"build it, or set L4LB_BUILD"
	done
}

lab_up() {
	local topology=${1:-lan} host
	# The token of an l4lb of this machine is not the lab's.
	[ ! -d /etc/l4lb ] || mount -t tmpfs none /etc/l4lb
	lab_switch br0
	ip link set lo up
	lab_host client
	lab_host lb
	lab_cable client eth0 198.18.0.2 br0
	lab_cable lb eth0 198.18.0.1 br0
	case $topology in
	lan)
		for host in 1 2 3; do
			lab_host b$host
			lab_cable b$host eth0 198.18.0.1$host br0
			on b$host ip route add default via 198.18.0.1
		done ;;
	two-armed)
		lab_switch br1
		lab_cable lb eth1 198.19.0.1 br1
		for host in 1 2 3; do
			lab_host b$host
			lab_cable b$host eth0 198.19.0.1$host br1
		done
		on lb sysctl -qw net.ipv4.ip_forward=0 \
			net.ipv4.conf.all.rp_filter=1 \
			net.ipv4.conf.eth0.rp_filter=1 \
			net.ipv4.conf.eth1.rp_filter=1 ;;
	containers)
		on lb ip link add br-c address 02:00:00:00:13:01 type bridge
		on lb ip address add 198.19.0.1/24 dev br-c
		on lb ip link set br-c up
		for host in 1 2 3; do
			lab_host b$host
			lab_cable b$host eth0 198.19.0.1$host br-c lb
			on b$host ip route add default via 198.19.0.1
		done ;;
	single-host) ;;
	*) fail "no topology $topology" ;;
	esac
}

lab_switch() {
	ip link add "$1" type bridge
	ip link set "$1" up
}

lab_host() {
	ip netns add "$1"
	LAB_HOSTS+=("$1")
	# No IPv6: its chatter would be in every capture and counter.
	on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	on "$1" ip link set lo up
}

# lab_cable HOST INTERFACE ADDRESS SWITCH [HOST OF THE SWITCH]
lab_cable() {
	local host=$1 nic=$2 address=$3 switch=$4 where=${5:--}
	local mac port=$host-$nic
	mac=$(lab_mac "$address")
	ip link add "$port" address "02:01${mac#02:00}" type veth \
		peer name "$nic" netns "$host" address "$mac"
	[ "$where" = - ] || ip link set "$port" netns "$where"
	on "$where" ip link set "$port" master "$switch" up
	on "$host" ip address add "$address/24" dev "$nic"
	on "$host" ip link set "$nic" up
}

# 198.18.0.11 -> 02:00:00:00:12:0b
lab_mac() {
	local IFS=.
	# shellcheck disable=SC2086 # split on purpose
	set -- $1
	printf '02:00:00:%02x:%02x:%02x' "$3" "$2" "$4"
}

# lab_offloads on|off: TSO, GSO, GRO and checksums of every cable's both ends.
# With them on, a frame may be 64 KiB and its checksum is left to a card that
# does not exist: captures then show the partial sum.
lab_offloads() {
	local host nic
	for host in - "${LAB_HOSTS[@]}"; do
		for nic in $(on "$host" ip -o link show type veth |
			sed -E 's/^[0-9]+: ([^@:]+).*/\1/'); do
			on "$host" ethtool -K "$nic" tx "$1" rx "$1" tso "$1" \
				gso "$1" gro "$1" >/dev/null 2>&1 ||
				fail "ethtool -K $nic on $host"
		done
	done
}

# --- programs --------------------------------------------------------------

# start NAME HOST COMMAND...: in the background; output in $LAB_TMP/NAME.out
# and .err. Wait for what tells that it is ready: wait_log, wait_listens.
# Feed it through $LAB_STDIN if set, otherwise its input is empty.
start() {
	local name=$1 host=$2
	shift 2
	[ -z "${LAB_PID[$name]:-}" ] || fail "$name runs already"
	local where=(ip netns exec "$host")
	[ "$host" != - ] || where=()
	# Emptied here, not by the child: what is waited for must be its own words.
	: >"$LAB_TMP/$name.out" 2>"$LAB_TMP/$name.err"
	# A plain command, so that $! is the program and not a shell around it.
	"${where[@]}" "$@" <"${LAB_STDIN:-/dev/null}" \
		>"$LAB_TMP/$name.out" 2>"$LAB_TMP/$name.err" &
	LAB_PID[$name]=$!
	LAB_LAST[$name]=$!
}

pid_of() { printf '%s' "${LAB_PID[$1]}"; }
is_running() { kill -0 "${LAB_LAST[$1]}" 2>/dev/null; }
is_gone() { ! kill -0 "${LAB_LAST[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL]: waits for its end; its exit status is in $STATUS.
stop() {
	kill "-${2:-TERM}" "${LAB_PID[$1]}" 2>/dev/null || true
	finish "$1" 20
}

# finish NAME SECONDS: waits until it ends by itself; status in $STATUS.
# shellcheck disable=SC2034 # for the scripts
finish() {
	STATUS=0
	{ # no stderr: bash itself would announce "Killed" here
		wait_until "$2" "$1 to end" is_gone "$1"
		wait "${LAB_PID[$1]}" || STATUS=$?
	} 2>/dev/null
	unset "LAB_PID[$1]"
}

log_has() { grep -Eqs -- "$2" "$LAB_TMP/$1.out" "$LAB_TMP/$1.err"; }

# wait_log NAME REGEX [SECONDS]: in either of its outputs.
wait_log() {
	local begin end
	begin=$(now_ms)
	end=$((begin + ${3:-20} * 1000))
	until log_has "$1" "$2"; do
		is_running "$1" || log_has "$1" "$2" ||
			fail "$1 ended before it said: $2"
		[ "$(now_ms)" -lt "$end" ] ||
			fail "waited ${3:-20} s for $1 to say: $2"
		pause "$begin"
	done
}

listens() { [ -n "$(on "$1" ss -Hltn "sport = :$2")" ]; }
wait_listens() { wait_until 20 "a listener on $1, port $2" listens "$1" "$2"; }

# --- the balancer ----------------------------------------------------------

L4LB_READY='ready' # what it says when it forwards

# start_l4lb NAME ARGUMENTS...: on lb, and waits until it forwards.
start_l4lb() {
	local name=$1
	shift
	need_program l4lb
	start "$name" lb "$L4LB_BUILD/l4lb" "$@"
	wait_log "$name" "$L4LB_READY"
}

# The program's SIGUSR1 dump, complete, on our stdout.
dump() {
	local name=$1 from
	from=$(($(wc -c <"$LAB_TMP/$name.out") + 1))
	kill -USR1 "${LAB_PID[$name]}"
	wait_until 20 "the flow dump of $name" dump_complete "$name" "$from"
	tail -c "+$from" "$LAB_TMP/$name.out"
}

# The first line says how many backends there are; theirs are the last lines.
dump_complete() {
	tail -c "+$2" "$LAB_TMP/$1.out" | awk '
		/^# l4lb flows/ { split($6, n, "/") }
		/^# backend /   { last = 1; next }
		last            { seen++ }
		END             { exit !(last && seen >= n[2]) }'
}

# dump_flows NAME [STATE]: how many flows it shows (in that state).
dump_flows() {
	dump "$1" | awk -v state="${2:-}" '
		/^# backend / { exit }
		!/^#/ && (state == "" || $6 == state) { n++ }
		END { print n + 0 }'
}

# Waits until every flow of NAME is finished: what is still on its way when the
# balancer ends meets an unguarded kernel, which resets it, and rightly so.
wait_closed() { wait_until 20 "every flow of $1 to close" all_closed "$1"; }
all_closed() {
	dump "$1" | awk '/^# backend / { exit }
		!/^#/ && $6 !~ /^(TIME_WAIT|RESET)$/ { open = 1 }
		END { exit open }'
}

# counted NAME COUNTER: a counter of that l4lb, as it is now: one of its own
# (name=N in the log) or the reason of a drop (nothing, if there was none).
counter_lines() { grep -c ' dropped=' "$LAB_TMP/$1.err" || true; }
more_counters() { [ "$(counter_lines "$1")" -gt "$2" ]; }
counted() {
	local before
	before=$(counter_lines "$1")
	dump "$1" >/dev/null
	wait_until 10 "the counters of $1" more_counters "$1" "$before"
	grep ' dropped=' "$LAB_TMP/$1.err" | tail -n 1 |
		sed -nE "s/.*[(, ]$2[= ]([0-9]+).*/\1/p"
}

# --- backends --------------------------------------------------------------

# A line server that answers every line with its name before it.
start_echo() { # NAME HOST ADDRESS PORT
	start "$1" "$2" "$PYTHON" "$LAB_DIR/peer.py" serve "$1" "$3" "$4"
	wait_log "$1" '^listening'
}

# Connections held open by peer.py: start_hold NAME HOST ADDRESS PORT COUNT
# [SOURCE], then tell NAME LINE ANSWER [HOW OFTEN IT WAS SAID BY THEN].
declare -A LAB_ORDERS=()
start_hold() {
	local name=$1 host=$2 fd
	shift 2
	mkfifo "$LAB_TMP/$name.orders"
	exec {fd}<>"$LAB_TMP/$name.orders" # both ways: neither side waits
	LAB_ORDERS[$name]=$fd
	LAB_STDIN=$LAB_TMP/$name.orders start "$name" "$host" \
		"$PYTHON" "$LAB_DIR/peer.py" hold "$@"
	wait_log "$name" "^holding $3" 60
}

tell() {
	printf '%s\n' "$2" >&"${LAB_ORDERS[$1]}"
	wait_until 60 "$1 to do: $2" said "$1" "$3" "${4:-1}"
}
said() { [ "$(grep -Ec -- "$2" "$LAB_TMP/$1.out")" -ge "$3" ]; }

# nginx on HOST, port $PORT: / says the host's name, /files/ is $LAB_TMP/files.
start_nginx() {
	local host=$1 port=${2:-$PORT} dir=$LAB_TMP/nginx-$1-${2:-$PORT}
	mkdir -p "$dir/tmp" "$LAB_TMP/files"
	cat >"$dir/nginx.conf" <<-END
		# root, since in a user namespace there is nobody else
		user root;
		daemon off;
		pid $dir/pid;
		error_log $dir/error.log;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_max_body_size 0;
			client_body_temp_path $dir/tmp;
			proxy_temp_path $dir/tmp;
			fastcgi_temp_path $dir/tmp;
			uwsgi_temp_path $dir/tmp;
			scgi_temp_path $dir/tmp;
			sendfile on;
			server {
				listen $port backlog=4096;
				location / { return 200 "$host\n"; }
				location /files/ { root $LAB_TMP; }
			}
		}
	END
	start "nginx-$host-$port" "$host" nginx -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_listens "$host" "$port"
}

# --- faults ------------------------------------------------------------------

# Nobody hears of that host any more, nor it of anybody: dropped in its own
# namespace, so that no error comes back from anywhere.
go_silent() { # HOST
	on "$1" nft -f - <<-END
		table inet dead {
			chain in { type filter hook prerouting priority -500; drop; }
			chain out { type filter hook output priority -500; drop; }
		}
	END
}
speak() { on "$1" nft delete table inet dead; }

# --- figures ---------------------------------------------------------------

# put_table TABLE OUTFILE BEGIN END: to stdout without an OUTFILE. One that has
# the two marker lines keeps all but what is between them.
put_table() {
	if [ -z "$2" ]; then
		cat "$1"
	elif [ -e "$2" ] && grep -qxF -- "$3" "$2" && grep -qxF -- "$4" "$2"; then
		awk -v begin="$3" -v end="$4" -v table="$1" '
			$0 == end { skip = 0 }
			!skip
			$0 == begin { skip = 1; while ((getline line < table) > 0) print line }
		' "$2" >"$LAB_TMP/new"
		cat "$LAB_TMP/new" >"$2"
	else
		cat "$1" >"$2"
	fi
}

# --- the wire --------------------------------------------------------------

# capture NAME HOST INTERFACE FILTER: into $LAB_TMP/NAME.pcap. Returns when it
# listens.
capture() {
	start "$1" "$2" "$LAB_TOOLS/sniff" "$3" "$LAB_TMP/$1.pcap" "$4"
	wait_log "$1" '^listening'
}

# Returns when all that was before is in the file.
capture_end() {
	stop "$1"
	[ "$STATUS" -eq 0 ] || fail "the capture $1 is not complete"
}

# The packets of a capture, one line each (see wire.py).
packets() { "$PYTHON" "$LAB_DIR/wire.py" "$LAB_TMP/$1.pcap"; }

# counter HOST NAME: a counter of the host's own stack, as TcpOutRsts.
counter() { on "$1" nstat -asz "$2" | awk -v n="$2" '$1 == n { print $2 }'; }
