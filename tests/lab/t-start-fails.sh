#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A start that fails at any step undoes the steps before it: exit 1 with one
# sentence, and no guard, no reserved port and no file is left. strace makes one
# system call fail, the next one at each start, until all were tried.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need strace nft
need_program l4lb
title "a start that fails at any step leaves nothing"

lab_up lan
RESERVED=net.ipv4.ip_local_reserved_ports
# So that the NAT range must be reserved.
on lb sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
before=$(on lb sysctl -n $RESERVED)

nothing_left() {
	[ -z "$(on lb nft list tables)" ] || fail "$1: a guard is left"
	[ "$(on lb sysctl -n $RESERVED)" = "$before" ] || fail "$1: ports are left reserved"
	[ -z "$(ls /run/l4lb 2>/dev/null)" ] || fail "$1: left in /run/l4lb" "$(ls /run/l4lb)"
}
is_over() { is_gone lb || log_has lb "$L4LB_READY"; }

# sweep CALL: each CALL of the start fails once.
sweep() {
	local failed=0 n said tried
	for ((n = 1, tried = 0; !tried; n++)); do
		rm -rf /run/l4lb
		start lb lb strace -f -o "$LAB_TMP/trace" -e trace="$1" \
			-e inject="$1:error=ENOMEM:when=$n" \
			"$L4LB_BUILD/l4lb" "$VIP" 198.18.0.11 9001
		wait_until 20 "the start to succeed or fail" is_over
		# It can do without this one, or all were tried. The call may fail
		# at the end then, where that is a warning.
		if log_has lb "$L4LB_READY"; then
			grep -q INJECTED "$LAB_TMP/trace" || tried=1
			kill "$(sed -n 's/.*ready pid=\([0-9]*\).*/\1/p' "$LAB_TMP/lb.err")"
			finish lb 20
			on lb nft flush ruleset
			on lb sysctl -qw "$RESERVED=$before"
			continue
		fi
		finish lb 20
		said=$(grep '^l4lb: ' "$LAB_TMP/lb.err") || said=nothing
		[ "$STATUS" = 1 ] || fail "$1 $n fails: exit $STATUS" "$said"
		[ "$(wc -l <<<"$said")" = 1 ] || fail "$1 $n fails: one sentence" "$said"
		nothing_left "$1 $n fails ($said)"
		failed=$((failed + 1))
	done
	[ $failed -gt 0 ] || fail "no $1 of the start failed"
	ok "$1: $failed starts failed, nothing left"
}

sweep socket
sweep bind
sweep sendto

rm -rf /run/l4lb
start_l4lb lb "$VIP" 198.18.0.11 9001
[ "$(on lb sysctl -n $RESERVED)" != "$before" ] || fail "ports are reserved while it runs"
stop lb
nothing_left "a clean exit"
ok "a clean exit: nothing left"
