#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is left of root once it runs: another user, three capabilities, none to
# gain, a list of system calls. And that its files follow: the end gives back
# all, the next start goes on, whoever owned them.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft setpriv
need_program l4lb
title "what is left of root"

lab_up lan
start_echo b1 b1 198.18.0.11 $PORT
L4LB=$L4LB_BUILD/l4lb
BREAKOUT=$LAB_TOOLS/breakout
B1=(198.18.0.11 "$PORT")
# Ports of the host's own connections: these are reserved.
NEAR=(--nat-ports 33000-40000)

# In a user namespace there is nobody else to be.
ALONE=
awk '{ n += $3 } END { exit n < 2 }' /proc/self/uid_map || ALONE=1

status_of() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$(pid_of "$1")/status"; }
said=$("$BREAKOUT" child) || true
FILTERED=2
[[ $said != 'no filter'* ]] || FILTERED=0

say "  -- from outside"
start_l4lb lb -v "${NEAR[@]}" "$VIP" "${B1[@]}"
log_has lb 'runs as uid=[0-9]+.* caps=net_raw,net_admin,net_bind_service no_new_privs filter=' ||
	fail "the log does not say what is left"
if [ -n "$ALONE" ]; then
	expect "alone in its user namespace it stays uid" "$(status_of lb Uid)" 0
	expect_true "  and says why" log_has lb 'uid=0 \(this user namespace has no other user\)'
else
	uid=$(status_of lb Uid)
	[ "$uid" -ne 0 ] || fail "it runs as uid 0"
	ok "it runs as uid $uid"
	expect "in all four ways" "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' \
		"/proc/$(pid_of lb)/status")" "$uid $uid $uid $uid"
	expect_true "with a group that is not root's" [ "$(status_of lb Gid)" -ne 0 ]
	expect "and none besides" "$(status_of lb Groups)" ""
	expect "its files are that user's" \
		"$(stat -c %u /run/l4lb /run/l4lb/20000.flows /run/l4lb/20000.ports | sort -u)" "$uid"
fi
# bit 10 CAP_NET_BIND_SERVICE, 12 CAP_NET_ADMIN, 13 CAP_NET_RAW
expect "capabilities in force" "$(status_of lb CapEff)" 0000000000003400
expect "and permitted" "$(status_of lb CapPrm)" 0000000000003400
expect "and for others to inherit" "$(status_of lb CapInh)$(status_of lb CapAmb)" \
	00000000000000000000000000000000
expect "and that could be had" "$(status_of lb CapBnd)" 0000000000000000
expect "no_new_privs" "$(status_of lb NoNewPrivs)" 1
expect "a filter of system calls" "$(status_of lb Seccomp)" "$FILTERED"
expect "nobody but the owner can open the folder" "$(stat -c %a /run/l4lb)" 700
expect "or the files" "$(stat -c %a /run/l4lb/* | sort -u)" 600

say "  -- from inside: a program that goes the same way, and tries"
# tried THING WANTED [FILE]: what it said, or the signal that ended it.
tried() {
	local said status=0
	said=$("$BREAKOUT" "$1" ${3:+"$3"} 2>/dev/null </dev/null) || status=$?
	[ $status -ne 159 ] || said="killed by SIGSYS" # 128 + 31
	[ $status -eq 0 ] || [ $status -eq 159 ] || said="status $status: $said"
	[[ $said =~ ^($2)$ ]] || fail "$1" "expected: $2" "seen:     $said"
	ok "$1: $said"
}
secret=$LAB_TMP/secret
printf 'root only\n' >"$secret"
chmod 600 "$secret"
if [ "$FILTERED" = 2 ]; then
	if [ -z "$ALONE" ]; then
		tried read 'Permission denied' /etc/shadow
		tried write 'Permission denied' /etc/shadow
		tried read 'Permission denied' "$secret"
		tried create 'Permission denied'
	fi
	tried kill_init 'Function not implemented'
	for thing in exec ptrace setuid namespace clone_namespace mount code \
		data_as_code bpf module ring; do
		tried "$thing" 'killed by SIGSYS'
	done
	tried 32_bit 'killed by SIGSYS|not on this machine'
	for thing in clone3 memory_file daemon_socket vsock type_into_terminal; do
		tried "$thing" 'Function not implemented'
	done
	tried child 'done'
	tried packet_socket 'done'
else
	say "        (built with sanitizers: no filter)"
fi

say "  -- the end gives all back, as another user"
reserved() { on lb cat /proc/sys/net/ipv4/ip_local_reserved_ports; }
[ -n "$(reserved)" ] || fail "no ports are reserved"
stop lb
expect "clean exit, status" "$STATUS" 0
expect "reserved ports" "$(reserved)" ""
expect "files" "$(find /run/l4lb -type f | wc -l)" 0
expect "tables" "$(on lb nft list tables | wc -l)" 0

say "  -- killed, the next start goes on"
go_on() { # NAME [WHOSE THE FILES ARE THEN]
	start_hold "$1" client "$VIP" $VIP_PORT 3
	stop lb KILL
	[ -z "${2:-}" ] || chown -R "$2" /run/l4lb
	start_l4lb lb -vv "${NEAR[@]}" "$VIP" "${B1[@]}"
	expect_true "three connections are taken over${2:+ from files of $2}" \
		log_has lb 'took over flows=[3-9] refused=0'
	# Who wrote them may have been broken into.
	expect "  after what root can do was given up" \
		"$(grep -Eo 'uid=[0-9]+ from here on|took over' "$LAB_TMP/lb.err" | cut -c 1-4 | xargs)" \
		"uid= took"
	tell "$1" 'say after' '^said b1=3$'
	tell "$1" close '^closed'
	finish "$1" 20
}
start_l4lb lb "${NEAR[@]}" "$VIP" "${B1[@]}"
go_on hold
[ -n "$ALONE" ] || go_on held 0:0
stop lb
expect "reserved ports" "$(reserved)" ""
expect "files" "$(find /run/l4lb -type f | wc -l)" 0

start_l4lb lb "${NEAR[@]}" "$VIP" "${B1[@]}"
stop lb KILL
[ -n "$(reserved)" ] || fail "no ports are reserved"
on lb "$L4LB" --down 20000 >"$LAB_TMP/said"
expect "--down clears what it left: ports" "$(reserved)" ""
expect "tables" "$(on lb nft list tables | wc -l)" 0
expect "files" "$(find /run/l4lb -type f | wc -l)" 0

say "  -- two instances in one folder"
start_l4lb one --name one -p 20001 "$VIP" "${B1[@]}"
start_l4lb two --name two -p 20002 "${NEAR[@]}" "$VIP" "${B1[@]}"
stop one
expect "the files that are left" "$(cd /run/l4lb && echo *)" "two.control two.flows two.ports two.sock"
start_l4lb one --name one -p 20001 "$VIP" "${B1[@]}"
stop two
stop one
expect "reserved ports" "$(reserved)" ""

say "  -- a folder of root's for the state: emptied, if it cannot be removed"
mkdir -m 755 "$LAB_TMP/state"
start_l4lb lb --state "$LAB_TMP/state/flows" "$VIP" "${B1[@]}"
stop lb
expect "files with anything in them" "$(find "$LAB_TMP/state" -type f -size +0 | wc -l)" 0
start_l4lb lb --state "$LAB_TMP/state/flows" "$VIP" "${B1[@]}"
expect_false "the next start does not complain" log_has lb 'is not used'
stop lb

say "  -- root trusts nothing that is in the folder"
mkdir -p /run/l4lb
mkfifo /run/l4lb/other.ports
status=0
on lb timeout 10 "$L4LB" "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
expect "a FIFO there is no record, status" "$status" 1
grep -q 'other.ports: File exists: remove what is there' "$LAB_TMP/said" ||
	fail "the message" "$(cat "$LAB_TMP/said")"
rm /run/l4lb/other.ports
if [ -z "$ALONE" ]; then
	ln "$secret" /run/l4lb/20000.ports 2>/dev/null || cp -l "$secret" /run/l4lb/20000.ports
	status=0
	on lb timeout 10 "$L4LB" "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
	expect "a second name of a file of root's, status" "$status" 1
	expect "it stays root's" "$(stat -c %u "$secret")" 0
	rm /run/l4lb/20000.ports
	ln "$secret" /run/l4lb/20000.flows
	status=0
	on lb timeout 10 "$L4LB" "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
	expect "nor is it a state file, status" "$status" 1
	grep -q '20000.flows: .* l4lb has not written' "$LAB_TMP/said" ||
		fail "the message" "$(cat "$LAB_TMP/said")"
	expect "it stays root's" "$(stat -c %u "$secret")" 0
	rm /run/l4lb/20000.flows
fi

say "  -- who it is said to be"
start_l4lb lb --sandbox off "$VIP" "${B1[@]}"
expect "--sandbox off, filter" "$(status_of lb Seccomp)" 0
stop lb
start_l4lb lb --user root "$VIP" "${B1[@]}"
expect "--user root" "$(status_of lb Uid)" 0
expect "with three capabilities" "$(status_of lb CapEff)" 0000000000003400
stop lb
if [ -z "$ALONE" ]; then
	{
		grep -v '^l4lb:' /etc/passwd
		echo 'l4lb:x:997:996::/:/usr/sbin/nologin'
	} >"$LAB_TMP/passwd"
	mount --bind "$LAB_TMP/passwd" /etc/passwd
	start_l4lb lb "$VIP" "${B1[@]}"
	expect_true "where there is a user l4lb it is that one" log_has lb 'uid=997 user=l4lb '
	expect "  by its number" "$(status_of lb Uid)" 997
	expect "  and group" "$(status_of lb Gid)" 996
	stop lb
	umount /etc/passwd
fi
status=0
on lb timeout 10 "$L4LB" --user nosuch "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
expect "--user nosuch, status" "$status" 1
grep -q 'no user "nosuch"' "$LAB_TMP/said" || fail "the message" "$(cat "$LAB_TMP/said")"
status=0
on lb timeout 10 "$L4LB" --user 61184 "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
expect "--user 61184, status" "$status" 1
grep -q 'a number is not the name' "$LAB_TMP/said" || fail "the message" "$(cat "$LAB_TMP/said")"
status=0
on lb timeout 10 "$L4LB" --user 'a:b' "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
expect "--user a:b, status" "$status" 2
if [ -z "$ALONE" ]; then
	start_l4lb lb --user daemon "$VIP" "${B1[@]}"
	expect "--user daemon" "$(status_of lb Uid)" "$(id -u daemon)"
	expect "its group" "$(status_of lb Gid)" "$(id -g daemon)"
	stop lb
	expect "files" "$(find /run/l4lb -type f | wc -l)" 0
	# As systemd does with User=, AmbientCapabilities=, RuntimeDirectory=.
	rmdir /run/l4lb
	mkdir -m 700 /run/l4lb
	chown 1234:1234 /run/l4lb
	caps=+net_raw,+net_admin,+net_bind_service
	start lb lb setpriv --reuid 1234 --regid 1234 --clear-groups \
		--inh-caps $caps --ambient-caps $caps --bounding-set -all,$caps \
		"$L4LB" -v -p 80 "${NEAR[@]}" "$VIP" "${B1[@]}"
	wait_log lb "$L4LB_READY"
	expect "started as uid 1234 it stays that" "$(status_of lb Uid)" 1234
	expect "with three capabilities" "$(status_of lb CapEff)" 0000000000003400
	expect "and no more to inherit" "$(status_of lb CapAmb)" 0000000000000000
	expect "no_new_privs" "$(status_of lb NoNewPrivs)" 1
	stop lb
	# Whoever cannot bind low ports at the start, cannot later: no error.
	caps=+net_raw,+net_admin
	start lb lb setpriv --reuid 1234 --regid 1234 --clear-groups \
		--inh-caps $caps --ambient-caps $caps --bounding-set -all,$caps \
		"$L4LB" -v "${NEAR[@]}" "$VIP" "${B1[@]}"
	wait_log lb "$L4LB_READY"
	expect "without the right to low ports" "$(status_of lb CapEff)" 0000000000003000
	log_has lb 'caps=net_raw,net_admin no_new_privs' || fail "it is not said"
	[ -n "$(reserved)" ] || fail "no ports are reserved"
	stop lb
	expect "reserved ports" "$(reserved)" ""
	expect "files" "$(find /run/l4lb -type f | wc -l)" 0
fi
