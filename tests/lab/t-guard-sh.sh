#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The guard by hand: iptables/guard.sh, with either tool, in place of l4lb's.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft iptables
title "iptables/guard.sh in place of l4lb's own guard"

GUARD=$LAB_DIR/../../iptables/guard.sh
lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done

status_is() { # WANT
	local status=0
	on lb "$GUARD" status hand >/dev/null || status=$?
	expect "  guard.sh status says" $status "$1"
}

for tool in nft iptables; do
	say "  -- $tool"
	if [ $tool = iptables ] && ! on lb iptables -t raw -nL >/dev/null 2>&1; then
		say "  (no iptables raw table in this kernel)"
		continue
	fi
	for _ in once twice; do
		on lb "$GUARD" up hand --tool $tool --service "$VIP:$VIP_PORT" \
			--backend 198.18.0.11:"$PORT" --backend 198.18.0.12:"$PORT" \
			--backend 198.18.0.13:"$PORT" --source "$VIP" \
			--nat-ports 10240-32767 >/dev/null
	done
	ok "up, and up again"
	status_is 0
	start_l4lb lb --guard none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
		198.18.0.13 "$PORT"
	start_hold "$tool" client "$VIP" "$VIP_PORT" 30
	tell "$tool" 'say hello' '^said'
	expect "30 connections" "$(tail -n 1 "$LAB_TMP/$tool.out")" \
		"said echo1=10 echo2=10 echo3=10"
	tell "$tool" close '^closed'
	wait_closed lb
	expect "RST sent by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
	stop lb
	for _ in once twice; do on lb "$GUARD" down hand >/dev/null; done
	ok "down, and down again"
	status_is 3
	expect "rules left" "$(on lb nft list ruleset | grep -c -E 'drop|notrack' || true)" 0
done
