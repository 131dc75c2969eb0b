#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What l4lb-api has, and what it has not: another user, no capability, nothing
# open in /run/l4lb, memory that it cannot write to, without the secret of the
# hashes. From outside, and from inside by who goes the same way.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft setpriv curl
need_program l4lb
need_program l4lb-api
title "what l4lb-api may"

lab_up lan
start_echo b1 b1 198.18.0.11 $PORT
B1=(198.18.0.11 "$PORT")
L4LB=$L4LB_BUILD/l4lb
# In a user namespace there is nobody else to be.
ALONE=
awk '{ n += $3 } END { exit n < 2 }' /proc/self/uid_map || ALONE=1

said=$("$LAB_TOOLS/breakout" child) || true
FILTERED=2
[[ $said != 'no filter'* ]] || FILTERED=0

# child_of PID COMM: the child of that name.
child_of() { pgrep -P "$1" -x "$2"; }
has_child() { child_of "$@" >/dev/null; }
find_api() {
	LB=$(pid_of "$1")
	wait_until 20 "l4lb-keep" has_child "$LB" l4lb-keep
	KEEPER=$(child_of "$LB" l4lb-keep)
	wait_until 20 "l4lb-api" has_child "$KEEPER" l4lb-api
	WORKER=$(child_of "$KEEPER" l4lb-api)
}
field() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
answers() {
	on lb curl -sS -m 5 --unix-socket "/run/l4lb/${1:-20000}.sock" \
		http://localhost/lb/health >"$LAB_TMP/health" 2>&1
}

start_l4lb lb --api 127.0.0.1:9090 --flow-log "$LAB_TMP/flows.log" "$VIP" "${B1[@]}"
find_api lb
wait_until 20 "an answer" answers

say "  -- who they are"
uid=$(field "$LB" Uid)
for pid in "$KEEPER" "$WORKER"; do
	name=$(cat "/proc/$pid/comm")
	if [ -z "$ALONE" ]; then
		api=$(field "$pid" Uid)
		expect_true "$name is not root" [ "$api" -ne 0 ]
		expect_true "  nor the user of l4lb" [ "$api" -ne "$uid" ]
		expect "  in all four ways" \
			"$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "/proc/$pid/status")" \
			"$api $api $api $api"
		expect "  with a group of its own" \
			"$(awk '$1 == "Gid:" { print $2, $3, $4, $5 }' "/proc/$pid/status")" \
			"$api $api $api $api"
		expect "  and no others" "$(field "$pid" Groups)" ""
	fi
	for set in CapInh CapPrm CapEff CapAmb; do
		expect "  $name $set" "$(field "$pid" $set)" 0000000000000000
	done
	expect "  $name CapBnd" "$(field "$pid" CapBnd)" 0000000000000000
	expect "  no_new_privs" "$(field "$pid" NoNewPrivs)" 1
	expect "  a filter of system calls" "$(field "$pid" Seccomp)" "$FILTERED"
	expect "  after packets" "$(ps -o ni= -p "$pid" | tr -d ' ')" 10
	expect "  first to go when memory runs out" "$(cat "/proc/$pid/oom_score_adj")" 500
	expect "  nothing of our environment" \
		"$(tr '\0' '\n' <"/proc/$pid/environ" | sed '/^TZ=/d; /^JOURNAL_STREAM=/d')" ""
done
expect "l4lb keeps three capabilities" "$(field "$LB" CapEff)" 0000000000003400
expect "ps shows the keeper as" "$(tr '\0' ' ' <"/proc/$KEEPER/cmdline")" "l4lb-keep 20000 "
expect "and the worker as" "$(tr -s '\0' ' ' <"/proc/$WORKER/cmdline")" "l4lb-api 20000 "

say "  -- what they have open and mapped"
open_files() { find "/proc/$1/fd" -type l -printf '%l\n' | sed 's/:\[.*//' | sort -u; }
for pid in "$KEEPER" "$WORKER"; do
	name=$(cat "/proc/$pid/comm")
	expect "$name has nothing of /run/l4lb open" \
		"$(open_files "$pid" | sed -n '/run.l4lb/p; /memfd/p')" ""
	maps=$(grep -e '/run/l4lb' -e memfd:l4lb "/proc/$pid/maps")
	expect "  it maps read-only" "$(awk '{ print $2 }' <<<"$maps" | sort -u)" r--s
	expect "  flows, from behind the secret on" \
		"$(grep /run/l4lb <<<"$maps" | awk '{ print $3, $6 }')" \
		"00010000 /run/l4lb/20000.flows"
	expect "  and the others" "$(grep -o 'l4lb-[a-z]*' <<<"$maps" | sort | xargs)" \
		"l4lb-board l4lb-journal l4lb-notes"
done
plan=$(child_of "$LB" l4lb-plan || true)
expect "processes of l4lb" "$(pgrep -P "$LB" -l | awk '{ print $2 }' | sort | xargs)" \
	"${plan:+l4lb-plan }l4lb-keep"
listening=$(find "/proc/$LB/fd" -type l -printf '%l\n' | sort)
for listener in $(on lb ss -Hltnxe | grep -e ':9090 ' -e 20000.sock | grep -o 'ino:[0-9]*' | cut -d : -f 2); do
	! grep -qxF "socket:[$listener]" <<<"$listening" || fail "l4lb still has a listener of the API"
done
ok "l4lb has no listener of the API"
expect "the socket's mode" "$(stat -c %a /run/l4lb/20000.sock)" 600
expect "its owner is l4lb's" "$(stat -c %u /run/l4lb/20000.sock)" "$uid"
expect "the flow log is that of who writes it" "$(stat -c %u "$LAB_TMP/flows.log")" \
	"$(field "$WORKER" Uid)"
stop lb
expect "clean exit, status" "$STATUS" 0
gone() { ! kill -0 "$1" 2>/dev/null; }
wait_until 20 "the end of l4lb-keep" gone "$KEEPER"
wait_until 20 "the end of l4lb-api" gone "$WORKER"
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""

say "  -- from inside: a program that goes the same way, and tries"
mkdir "$LAB_TMP/bin"
cp "$L4LB" "$LAB_TMP/bin/l4lb"
cp "$LAB_TOOLS/hostile" "$LAB_TMP/bin/l4lb-api"
start lb lb "$LAB_TMP/bin/l4lb" --name breakout "$VIP" "${B1[@]}"
wait_log lb "$L4LB_READY"
wait_log lb '^tried all'
tried() { # THING REGEX
	local said
	said=$(sed -n "s/^tried $1: //p" "$LAB_TMP/lb.err")
	[[ $said =~ ^($2)$ ]] || fail "$1" "expected: $2" "seen:     $said"
	ok "$1: $said"
}
tried store-into-flows 'Segmentation fault'
tried store-into-board 'Segmentation fault'
for memory in flows board journal; do
	tried $memory-writable 'Permission denied'
done
tried lock-something 'Bad file descriptor'
if [ -z "$ALONE" ]; then
	for thing in open-flows open-ports list-folder open-shadow connect-control; do
		tried $thing 'Permission denied'
	done
	tried kill-l4lb 'Operation not permitted'
	tried raw-socket 'Operation not permitted'
fi
if [ "$FILTERED" = 2 ]; then
	for thing in ptrace-l4lb exec setuid namespace code; do
		tried $thing 'Bad system call'
	done
	for thing in packet-socket vsock; do
		tried $thing 'Address family not supported by protocol'
	done
fi
stop lb

say "  -- whom it becomes"
if [ -z "$ALONE" ]; then
	{
		grep -v '^l4lb-api:' /etc/passwd
		echo 'l4lb-api:x:995:994::/:/usr/sbin/nologin'
	} >"$LAB_TMP/passwd"
	mount --bind "$LAB_TMP/passwd" /etc/passwd
	start_l4lb lb "$VIP" "${B1[@]}"
	find_api lb
	expect "where there is a user l4lb-api it is that one" "$(field "$WORKER" Uid)" 995
	expect "  and its group" "$(field "$WORKER" Gid)" 994
	stop lb
	# As systemd does with User=, AmbientCapabilities=, RuntimeDirectory=.
	rmdir /run/l4lb
	mkdir -m 700 /run/l4lb
	chown 1234:1234 /run/l4lb
	as_unit() { # CAPABILITIES
		start lb lb setpriv --reuid 1234 --regid 1234 --clear-groups --no-new-privs \
			--inh-caps "$1" --ambient-caps "$1" --bounding-set "-all,$1" \
			"$L4LB" "$VIP" "${B1[@]}"
		wait_log lb "$L4LB_READY"
		find_api lb
		wait_until 20 "an answer" answers
		expect "  capabilities of l4lb" "$(field "$LB" CapEff)" 0000000000003400
		expect "  of l4lb-api" "$(field "$WORKER" CapEff)$(field "$WORKER" CapAmb)" \
			00000000000000000000000000000000
		expect "  of l4lb-keep" "$(field "$KEEPER" CapPrm)" 0000000000000000
	}
	caps=+net_raw,+net_admin,+net_bind_service
	as_unit $caps,+setuid,+setgid
	expect "by a unit it becomes its user, too" "$(field "$WORKER" Uid)" 995
	expect "  while l4lb stays" "$(field "$LB" Uid)" 1234
	stop lb
	as_unit $caps
	expect "without these capabilities it stays" "$(field "$WORKER" Uid)" 1234
	expect_true "  which is said" log_has lb 'l4lb-api runs as uid=1234, as l4lb does'
	stop lb
	umount /etc/passwd
else
	start_l4lb lb "$VIP" "${B1[@]}"
	expect_true "alone in its user namespace it says so" \
		log_has lb 'l4lb-api runs as uid=0, as l4lb does'
	stop lb
fi
