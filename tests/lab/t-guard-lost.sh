#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody deletes the guard while l4lb runs, as the first line of Debian's
# /etc/nftables.conf does: it is up again at once.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "somebody flushes the firewall"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")
guard() { on lb nft -s list table ip l4lb_20000 2>/dev/null; }
is_up() { [ "$(guard)" = "$whole" ]; }
last() { tail -n 1 "$LAB_TMP/$1.out"; }
warnings() { grep -c "warning: the guard was deleted by \"nft\"" "$LAB_TMP/lb.err"; }

began=$(now_ms)
start_l4lb lb "$VIP" "${BACKENDS[@]}"
whole=$(guard)
start_hold hold client "$VIP" "$VIP_PORT" 300
tell hold 'say before' '^said'

# --- a reload of somebody's firewall
cat >"$LAB_TMP/nftables.conf" <<-END
	flush ruleset
	table inet filter {
		chain input { type filter hook input priority filter; }
	}
END
on lb nft -f "$LAB_TMP/nftables.conf"
wait_until 20 "the guard to be up again" is_up
ok "the guard is up again"
tell hold 'say after' '^said' 2
expect "  connections that were there" "$(last hold)" "said echo1=100 echo2=100 echo3=100"
expect "  the other's rules are there" "$(on lb nft list table inet filter | grep -c hook)" 1
wait_until 20 "a word about it" log_has lb 'deleted by "nft".*times=1'
ok "  it is told, and by whom"

# --- a part of it
on lb nft flush chain ip l4lb_20000 input
wait_until 20 "the rules to be there again" is_up
ok "rules that were deleted are there again"
tell hold 'say more' '^said' 3
expect "  connections" "$(last hold)" "said echo1=100 echo2=100 echo3=100"

# --- in a loop
for _ in {1..50}; do on lb nft delete table ip l4lb_20000 2>/dev/null || true; done
wait_until 20 "the guard to be up after that" is_up
ok "after 50 times it is up again"
times=$(warnings) # counted first: time goes on
may=$(((($(now_ms) - began) / 10000) + 1))
expect_true "  and said $times times, once in 10 s" [ "$times" -le $may ]
tell hold 'say still' '^said' 4
expect "  connections" "$(last hold)" "said echo1=100 echo2=100 echo3=100"

tell hold close '^closed'
finish hold 10
wait_closed lb
stop lb
expect "a clean exit, status" "$STATUS" 0
expect "  tables that are left" "$(on lb nft list tables)" "table inet filter"

# --- not ours
start_l4lb none --guard none "$VIP" "${BACKENDS[@]}"
on lb nft add table ip l4lb_20000
on lb nft flush ruleset
dump none >"$LAB_TMP/dump" # a turn of its loop later
expect "--guard none: tables" "$(on lb nft list tables)" ""
stop none
