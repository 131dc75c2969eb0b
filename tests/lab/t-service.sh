#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As a service: the command of the unit, with the user and the capabilities that
# the unit gives it and no more, and a supervisor that hears what systemd would.
# Restarts keep connections, a stop leaves nothing. The sandbox of the unit is
# compared with what l4lb does (strace); no systemd runs here.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft setpriv strace
need_program l4lb
title "a service: what its supervisor hears, and what a stop and a restart leave"

awk '{ n += $3 } END { exit n < 2 }' /proc/self/uid_map ||
	skip "this user namespace has no other user"
lab_up lan
for n in 1 2 3; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done

TREE=$LAB_DIR/../..
"$TREE/lb/service/unit.sh" l4lb.service "$(realpath "$L4LB_BUILD")" "$LAB_TMP" >"$LAB_TMP/unit"
of_unit() { sed -n "s/^$1=//p" "$LAB_TMP/unit"; }
mkdir "$LAB_TMP/l4lb"
CONF=$LAB_TMP/l4lb/l4lb.conf
# Ports of the host's own connections: these are reserved in /proc/sys.
conf() { # BACKENDS, AS LAST BYTES
	printf '[global]\nname = l4lb\nnat_ports = 33000-40000\n[service chat]\n'
	printf 'listen = %s\n' "$VIP:80"
	printf "backend = 198.18.0.%s:$PORT\n" "$@"
} >"$CONF"
conf 11 12
mkdir -m 700 /run/l4lb
chown 1234:1234 /run/l4lb
chmod 755 "$LAB_TMP" "$LAB_TMP/l4lb"

caps=$(of_unit CapabilityBoundingSet | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
expect "the unit lets it have" "$caps" \
	+net_admin,+net_raw,+net_bind_service,+setuid,+setgid
expect "l4lb-api may die of want of memory, and only it" "$(of_unit OOMPolicy)" continue
AS_UNIT=(setpriv --reuid 1234 --regid 1234 --clear-groups --no-new-privs
	--inh-caps "$caps" --ambient-caps "$caps" --bounding-set "-all,$caps")
read -ra EXEC <<<"$(of_unit ExecStart)"

SOCKET=$LAB_TMP/notify
start sup - "$TREE/tests/lab/supervisor.py" "$SOCKET"
wait_log sup listening
heard_count() { grep -Ec -- "$1" "$LAB_TMP/sup.out" || true; }
heard_more() { [ "$(heard_count "$1")" -gt "$2" ]; }
begin() { # [WATCHDOG_USEC]: READY comes
	local before
	before=$(heard_count READY=1)
	start lb lb "${AS_UNIT[@]}" env NOTIFY_SOCKET="$SOCKET" \
		WATCHDOG_USEC="${1:-60000000}" "${EXEC[@]}"
	wait_until 20 "READY=1" heard_more "^$(pid_of lb) READY=1" 0
	expect "  told once" "$(heard_count READY=1)" $((before + 1))
}

say "  -- start, and reload"
begin
expect "READY comes with the status" "$(grep -o 'READY=1 .*' "$LAB_TMP/sup.out")" \
	"READY=1 STATUS=2 of 2 backends up, 0 flows"
log_has lb "$L4LB_READY" || fail "not before it is ready"
expect "it has the user of the unit" "$(awk '$1 == "Uid:" { print $2 }' "/proc/$(pid_of lb)/status")" 1234
expect "and three capabilities" "$(awk '$1 == "CapEff:" { print $2 }' "/proc/$(pid_of lb)/status")" 0000000000003400
start_hold hold client "$VIP" 80 6
conf 11 13
kill -HUP "$(pid_of lb)"
wait_until 20 "READY=1 after the reload" heard_more READY=1 1
expect "a reload: RELOADING with its time, then READY" \
	"$(grep -Eo 'RELOADING=1 MONOTONIC_USEC=[0-9]|READY=1' "$LAB_TMP/sup.out" |
		sed 's/C=[0-9]/C=/' | xargs)" "READY=1 RELOADING=1 MONOTONIC_USEC= READY=1"
log_has lb "change: backend add chat 198.18.0.13:$PORT" || fail "it was not reloaded"
conf 11 13
echo 'bakend = 1.2.3.4:5' >>"$CONF"
kill -HUP "$(pid_of lb)"
wait_until 20 "READY=1 after the wrong file" heard_more READY=1 2
expect_true "a reload that is refused ends, too, and STATUS says why" \
	heard_more 'READY=1 STATUS=.*the last reload changed nothing: .*l4lb.conf:[0-9]+: ' 0
conf 11 13
kill -HUP "$(pid_of lb)"
wait_until 20 "READY=1 after the right file" heard_more READY=1 3
tail -n 1 "$LAB_TMP/sup.out" | grep -q 'nothing' && fail "STATUS still complains"
kill -USR1 "$(pid_of lb)"
wait_until 20 "the dump" log_has lb '^# backend'

say "  -- stop and restart: what ExecStop does, with a systemctl of the test's"
mkdir "$LAB_TMP/bin"
cat >"$LAB_TMP/bin/systemctl" <<'END'
#!/bin/sh
[ "$1" = list-jobs ] || exit 1
cat "${0%/*}/jobs"
END
chmod +x "$LAB_TMP/bin/systemctl"
stop_command=$(of_unit ExecStop | sed "s/^-+\/bin\/sh -c '\(.*\)'\$/\1/; s/%n/l4lb.service/")
# As systemd: ExecStop, then SIGTERM to the main process.
end_by() { # JOBS
	printf '%s\n' "$1" >"$LAB_TMP/bin/jobs"
	PATH=$LAB_TMP/bin:$PATH MAINPID=$(pid_of lb) sh -c "$stop_command" || true
	kill -TERM "$(pid_of lb)" 2>/dev/null || true
	finish lb 20
	expect "  exit status" "$STATUS" 0
}
guard_is_there() { on lb nft list table ip l4lb_l4lb >/dev/null 2>&1 ||
	on lb nft list table inet l4lb_l4lb >/dev/null 2>&1; }
expect_true "a guard is there" guard_is_there
end_by "  7 ssh.service      start   waiting
123 l4lb.service     restart running"
expect_true "STOPPING=1 is told" heard_more 'STOPPING=1' 0
expect_true "a restart leaves the guard" guard_is_there
begin
log_has lb 'took over flows=6' || fail "the flows are not taken over"
tell hold "say a" '^said' 1
expect "  and no connection notices" "$(tail -n 1 "$LAB_TMP/hold.out" | tr ' ' '\n' |
	grep -Ec '^e[12]=3')" 2
end_by "  7 l4lb.service     stop    running
  8 xl4lb.service    restart waiting
  9 l4lb.service.x   restart waiting"
expect_false "a stop leaves no guard" guard_is_there
expect "  no files" "$(find /run/l4lb -type f | wc -l)" 0
expect "  no reserved ports" "$(on lb cat /proc/sys/net/ipv4/ip_local_reserved_ports)" ""
tell hold "say b" '^said' 2
tail -n 1 "$LAB_TMP/hold.out" | grep -q 'e[123]=' && fail "a connection still answers"
ok "  and clients are told: $(tail -n 1 "$LAB_TMP/hold.out" | cut -c 1-60)"
begin
printf '' >"$LAB_TMP/bin/jobs"
end_by ""
expect_false "systemctl that knows nothing: it is a stop" guard_is_there

say "  -- the watchdog"
begin 400000
fed() { heard_count "^$(pid_of lb) WATCHDOG=1"; }
wait_until 20 "five meals" heard_more "^$(pid_of lb) WATCHDOG=1" 4
kill -STOP "$(pid_of lb)"
is_stopped() { grep -q '^State:.*T' "/proc/$(pid_of lb)/status"; }
wait_until 20 "it to stand still" is_stopped
settled() { local n; n=$(fed); sleep 0.5; [ "$n" -eq "$(fed)" ]; }
wait_until 20 "the last meal to arrive" settled
was=$(fed)
# More than twice the watchdog's time; nothing can be waited for.
sleep 1
expect "a loop that stands still is not fed: meals" "$(fed)" "$was"
kill -CONT "$(pid_of lb)"
wait_until 20 "it is fed again" heard_more "^$(pid_of lb) WATCHDOG=1" "$was"
ok "it is fed again when it goes on"
end_by ""

expect "who has sent: the main processes of four starts, no child of theirs" \
	"$(awk 'NR > 1 { print $1 }' "$LAB_TMP/sup.out" | sort -u | wc -l)" 4

say "  -- what the sandbox of the unit forbids, it does not do"
command -v systemd-analyze >/dev/null || skip "systemd-analyze is missing (apt install systemd)"
members() { # GROUP: system calls in it and in its groups
	local word
	for word in $(systemd-analyze syscall-filter "$1" | sed 1d | sed 's/#.*//'); do
		case $word in
		@*) members "$word" ;;
		*) printf '%s\n' "$word" ;;
		esac
	done
}
for word in $(of_unit SystemCallFilter); do
	case $word in
	@*) members "$word" ;;
	*) printf '%s\n' "$word" ;;
	esac
done | sort -u >"$LAB_TMP/may"
[ "$(wc -l <"$LAB_TMP/may")" -gt 200 ] || fail "the list of system calls was not read"
mkdir -m 777 "$LAB_TMP/trace"
start lb lb "${AS_UNIT[@]}" strace -f -qq -o "$LAB_TMP/trace/calls" "${EXEC[@]}"
wait_log lb "$L4LB_READY"
main=$(on lb pgrep -x l4lb | head -n 1)
kill -HUP "$main"
wait_log lb 'reloaded: generation='
kill -USR1 "$main"
wait_until 20 "the dump" log_has lb '^# backend'
kill -TERM "$main"
finish lb 20
sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$LAB_TMP/trace/calls" | sort -u >"$LAB_TMP/does"
[ "$(wc -l <"$LAB_TMP/does")" -gt 30 ] || fail "nothing was traced"
expect "system calls that it makes and may not" \
	"$(comm -23 "$LAB_TMP/does" "$LAB_TMP/may" | xargs)" ""
expect "families of sockets that it opens and may not" "$(grep -o 'socket(AF_[A-Z0-9]*\|socketpair(AF_[A-Z]*' \
	"$LAB_TMP/trace/calls" | sed 's/.*(//' | sort -u |
	{ grep -vxF "$(of_unit RestrictAddressFamilies | tr ' ' '\n')" || true; } | xargs)" ""
grep -q 'socket(AF_PACKET' "$LAB_TMP/trace/calls" || fail "no socket was traced"
expect "memory to be written and executed" \
	"$(grep -c 'PROT_WRITE.*PROT_EXEC' "$LAB_TMP/trace/calls" || true)" 0
