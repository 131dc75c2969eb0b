#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that can be wrong at the start: exit 2 for what is wrong by
# itself, 1 for what this host does not allow; the message names the value.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
need_program l4lb
title "bad input, each with its message and exit status"

lab_up lan
start_echo taken lb "$VIP" 20009
L4LB=$L4LB_BUILD/l4lb
B1=(198.18.0.11 9001)

# refuses STATUS REGEX COMMAND...: on one line of stderr, nothing left behind.
refuses() {
	local want=$1 regex=$2 status=0 line
	shift 2
	on lb timeout 10 "$@" >"$LAB_TMP/said.out" 2>"$LAB_TMP/said.err" </dev/null || status=$?
	line=$(grep -E -- "$regex" "$LAB_TMP/said.err" | head -n 1) || true
	[[ $status =~ ^$want$ && -n $line ]] ||
		fail "$*" "expected: exit $want and /$regex/" \
			"seen:     exit $status and" "$(head -n 5 "$LAB_TMP/said.err")"
	[ -z "$(on lb nft list tables)" ] || fail "$*: a guard is left behind"
	ok "exit $status  ${line:0:120}"
}

say "  -- wrong by itself"
refuses 2 '[Uu]sage|SOURCE_IP' "$L4LB"
refuses 2 'bogus' "$L4LB" --bogus "$VIP" "${B1[@]}"
refuses 2 'SERVER_PORT|port' "$L4LB" "$VIP" 198.18.0.11
refuses 2 '70000' "$L4LB" "$VIP" 198.18.0.11 70000
refuses 2 '"?0"?' "$L4LB" "$VIP" 198.18.0.11 0
refuses 2 '65536' "$L4LB" -p 65536 "$VIP" "${B1[@]}"
refuses 2 '12ab' "$L4LB" -p 12ab "$VIP" "${B1[@]}"
refuses 2 '198\.18\.0\.300' "$L4LB" "$VIP" 198.18.0.300 9001
refuses 2 '198\.18\.0\.11.9001.*(twice|already)' "$L4LB" "$VIP" "${B1[@]}" "${B1[@]}"
refuses 2 '198\.18\.0\.1.20000' "$L4LB" "$VIP" "$VIP" 20000
refuses 2 'fastest' "$L4LB" -s fastest "$VIP" "${B1[@]}"
refuses 2 'sometimes' "$L4LB" --guard sometimes "$VIP" "${B1[@]}"
refuses 2 'bpf' "$L4LB" --datapath bpf "$VIP" "${B1[@]}"
refuses 2 'many' "$L4LB" --flows many "$VIP" "${B1[@]}"
refuses 2 '(500|1024)' "$L4LB" --nat-ports 20001-20500 "$VIP" "${B1[@]}"
refuses 2 '30000' "$L4LB" --nat-ports 30000-20000 "$VIP" "${B1[@]}"

say "  -- a configuration file, with the line's number"
bad_line() { # NUMBER REGEX LINES
	printf '%s\n' "$3" >"$LAB_TMP/bad.conf"
	refuses 2 "bad\.conf:$1:.*$2" "$L4LB" --config "$LAB_TMP/bad.conf"
	refuses 2 "bad\.conf:$1:.*$2" "$L4LB" --check --config "$LAB_TMP/bad.conf"
}
GOOD="[service web]
listen = $VIP:20000"
bad_line 3 '198\.18\.0\.300' "$GOOD
backend = 198.18.0.300:9001"
bad_line 4 'colour' "$GOOD
backend = 198.18.0.11:9001
colour = blue"
bad_line 1 'globl' "[globl]
flows = 10"
bad_line 3 'weight' "$GOOD
backend = 198.18.0.11:9001 weight=heavy"
bad_line 4 '198\.18\.0\.11:9001' "$GOOD
backend = 198.18.0.11:9001
backend = 198.18.0.11:9001"
bad_line 3 'KEY = VALUE' "$GOOD
no key"
refuses '[12]' 'missing\.conf' "$L4LB" --config "$LAB_TMP/missing.conf"

say "  -- what is no configuration, and has no end"
no_config() { # STATUS REGEX PATH
	refuses "$1" "$3: .*$2" "$L4LB" --config "$3"
	refuses "$1" "$3: .*$2" "$L4LB" --check --config "$3"
}
mkfifo "$LAB_TMP/fifo"
no_config 1 'nothing came out of it for 5 s' "$LAB_TMP/fifo"
no_config 2 'it is a device' /dev/zero
no_config 2 'it is a device' /dev/null
no_config 2 'Is a directory' "$LAB_TMP"
"$PYTHON" -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
	"$LAB_TMP/socket"
no_config 2 'No such device or address' "$LAB_TMP/socket"
truncate -s 1G "$LAB_TMP/huge"
no_config 2 'larger than 1048576 bytes' "$LAB_TMP/huge"
rm "$LAB_TMP/huge"
printf '%s\nbackend = 198.18.0.11:9001\n' "$GOOD" >"$LAB_TMP/good.conf"
cat "$LAB_TMP/good.conf" >"$LAB_TMP/fifo" &
expect "a FIFO that somebody writes to, or <(COMMAND)" \
	"$("$L4LB" --check --config "$LAB_TMP/fifo")" \
	"l4lb: the configuration is right: 1 service"
# A terminal, which `script` makes where it is installed.
if command -v script >/dev/null; then
	status=0
	timeout 10 script -qec "$L4LB --check --config /dev/stdin" /dev/null \
		</dev/null >"$LAB_TMP/said" || status=$?
	expect "a terminal, status" "$status" 2
	grep -q 'it is a terminal' "$LAB_TMP/said" || fail "what it said" "$(cat "$LAB_TMP/said")"
fi

say "  -- where the files shall be"
no_place() { # STATUS REGEX OPTION PATH
	refuses "$1" "$2" "$L4LB" --check "$3" "$4" "$VIP" "${B1[@]}"
	printf '[global]\n%s = %s\n%s\nbackend = 198.18.0.11:9001\n' \
		"${3#--}" "$4" "$GOOD" >"$LAB_TMP/place.conf"
	refuses "$1" "$2" "$L4LB" --check --config "$LAB_TMP/place.conf"
}
mkdir "$LAB_TMP/folder"
long=$LAB_TMP/$(printf 'x%.0s' {1..100})
for option in --state --control; do
	no_place 2 'that is a folder' $option /tmp/
	no_place 2 'that is a folder' $option "$LAB_TMP/."
	no_place 2 'a path of 1 to 107 bytes' $option "$long"
	no_place 1 'something else of that name' $option "$LAB_TMP/folder"
	no_place 1 'something else of that name' $option "$LAB_TMP/fifo"
	no_place 1 'something else of that name' $option /dev/null
	no_place 1 'cannot be made' $option "$LAB_TMP/no/such/place"
	no_place 1 'cannot be made' $option "$LAB_TMP/good.conf/file"
	no_place 1 'cannot be made' $option /proc/sys/kernel/file
done
no_place 1 'something else of that name' --state "$LAB_TMP/socket"
no_place 1 'something else of that name' --control "$LAB_TMP/good.conf"
# A name mistaken for another must not cost that one.
cp -p "$LAB_TMP/good.conf" "$LAB_TMP/precious"
no_place 1 'that l4lb has not written' --state "$LAB_TMP/precious"
before=$(stat -c %i.%u.%a.%Z "$LAB_TMP/precious")
refuses 1 'that l4lb has not written' "$L4LB" --state "$LAB_TMP/precious" \
	"$VIP" "${B1[@]}"
expect "it is as it was" "$(stat -c %i.%u.%a.%Z "$LAB_TMP/precious")" "$before"
expect_true "to the byte" cmp "$LAB_TMP/good.conf" "$LAB_TMP/precious"

say "  -- what this host does not allow"
# Root without capabilities is nobody.
refuses 1 '(root|sudo|CAP_NET|cap_net|[Pp]rivilege|[Pp]ermission)' \
	setpriv --bounding-set=-all --inh-caps=-all "$L4LB" "$VIP" "${B1[@]}"
refuses 1 '20009' "$L4LB" -p 20009 "$VIP" "${B1[@]}"
mkdir -p /run/l4lb/20000.ports
refuses 1 'cannot write /run/l4lb/20000\.ports: Is a directory: remove what is there' \
	"$L4LB" "$VIP" "${B1[@]}"
rmdir /run/l4lb/20000.ports
refuses 1 '^l4lb: 100 open files are allowed and 256 are needed: .*ulimit -n' \
	prlimit --nofile=100:100 "$L4LB" "$VIP" "${B1[@]}"
refuses 1 'no room for its [0-9.]* MiB; lower --flows' \
	prlimit --fsize=100000:100000 "$L4LB" "$VIP" "${B1[@]}"
# With a backend on this host the ring has slots of 128 KiB: 128 MiB, or a
# 24th of the machine's memory.
limit=(prlimit --as=$((100 << 20)))
# A build with sanitizers does not even start with so little.
if "${limit[@]}" "$L4LB" --version >/dev/null 2>&1; then
	refuses 1 '^l4lb: cannot capture: no memory for a ring of [0-9]{5,6} KiB .*; free as much' \
		"${limit[@]}" "$L4LB" "$VIP" "$VIP" 9001
fi
# 1100 ports in the range, and listeners on 100 of them.
start listeners lb "$PYTHON" -c '
import socket, time
held = [socket.create_server(("198.18.0.1", p)) for p in range(21000, 21100)]
print("listening", flush=True)
time.sleep(600)'
wait_log listeners '^listening'
refuses 1 '(1000|1024)' "$L4LB" --nat-ports 21000-22099 "$VIP" "${B1[@]}"

say "  -- a dump that nobody can read; started by somebody who ignores SIGCHLD"
start lb lb "$PYTHON" -c '
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
sys.stdout = None
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
os.execv(sys.argv[1], sys.argv[1:])' "$L4LB" "$VIP" "${B1[@]}"
wait_log lb "$L4LB_READY"
unwritten() { [ "$(grep -c 'dump could not be written to stdout: No space left' "$LAB_TMP/lb.err")" -eq "$1" ]; }
for n in 1 2; do
	kill -USR1 "$(pid_of lb)"
	wait_until 10 "dump $n to be told of" unwritten $n
done
ok "both dumps were tried, and what became of them was said"
stop lb

say "  -- and what is right"
printf '%s\nbackend = 198.18.0.11:9001\n' "$GOOD" >"$LAB_TMP/good.conf"
status=0
on lb timeout 10 "$L4LB" --check --config "$LAB_TMP/good.conf" >/dev/null || status=$?
expect "--check of a good file, exit status" "$status" 0
for option in --help --version; do
	status=0
	on lb timeout 10 "$L4LB" $option >"$LAB_TMP/said" || status=$?
	expect "$option, exit status" "$status" 0
	expect_true "  says something" [ -s "$LAB_TMP/said" ]
done
