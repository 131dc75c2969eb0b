#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The guard by hand: iptables/guard.sh, with either tool, in place of l4lb's.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft iptables setpriv nc
title "iptables/guard.sh in place of l4lb's own guard"

GUARD=$LAB_DIR/../../iptables/guard.sh
lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done

status_is() { # WANT
	local status=0
	on lb "$GUARD" status hand >/dev/null || status=$?
	expect "  guard.sh status says" $status "$1"
}

says() { # STATUS REGEX ARGUMENTS...: what guard.sh says, and how it ends
	local want=$1 regex=$2 status=0 said
	shift 2
	said=$(on lb "$GUARD" "$@" 2>&1) || status=$?
	[[ $status = "$want" && $said =~ $regex ]] ||
		fail "guard.sh $*" "expected: exit $want and /$regex/" \
			"seen:     exit $status and" "$said"
	ok "guard.sh ${*:1:3}: exit $status and /$regex/"
}

# RSTs that rst-drop has dropped so far, by either tool.
dropped() {
	on lb sh -c 'nft list ruleset; iptables -vxnL 2>/dev/null || true' |
		awk '/rst.* counter packets/ { for (i = 1; i < NF; i++)
				if ($i == "packets") n += $(i + 1) }
		     /DROP.*tcp.*owner/ && !/packets/ { n += $1 }
		     END { print n + 0 }'
}

# l4lb says its own by raw IP, as whatever user it is; here another one does.
only_the_kernels_resets() {
	local before caps=+net_raw
	local user=(setpriv --reuid 1234 --regid 1234 --clear-groups
		--inh-caps "$caps" --ambient-caps "$caps")
	before=$(dropped)
	# A user namespace may know no other user than root.
	awk '{ n += $3 } END { exit n < 2 }' /proc/self/uid_map || user=()
	on lb "${user[@]}" "$PYTHON" - "$VIP" "$VIP_PORT" "$CLIENT" <<-'EOF'
		import socket, struct, sys
		vip, port, client = sys.argv[1], int(sys.argv[2]), sys.argv[3]
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
		s.bind((vip, 0))
		s.sendto(struct.pack("!HHIIBBHHH", port, 40000, 1, 0, 0x50, 4, 0, 0, 0),
			 (client, 0))
	EOF
	expect "RSTs of a user's socket dropped" "$(dropped)" "$before"
	on client nc -z -w 1 "$VIP" "$VIP_PORT" && fail "somebody listens there"
	[ "$(dropped)" -gt "$before" ] || fail "the kernel's own RST was not dropped"
	ok "the kernel's own RST is dropped"
}

say "  -- wrong use"
FULL=(--service "$VIP:$VIP_PORT" --source "$VIP" --nat-ports 10240-32767)
says 2 'no NAME given' down
says 2 'no NAME given' up
says 2 'no --backend IP:PORT' up hand "${FULL[@]}"
says 2 'no --service' up hand --backend 198.18.0.11:"$PORT"
says 2 '"1023-9000": ports below 1024 are privileged' up hand --nat-ports 1023-9000
says 2 '"2000-3022": 1023 ports are too few, at least 1024' \
	up hand --nat-ports 2000-3022
says 2 '"32767-10240": wrong order' up hand --nat-ports 32767-10240
for range in 10240 02000-04000 1-2-3 -; do
	says 2 "\"$range\": expected LO-HI" up hand --nat-ports $range
done
expect "rules left" "$(on lb nft list tables)" ""

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
	before=$(counter lb TcpOutRsts)
	start_hold "$tool" client "$VIP" "$VIP_PORT" 30
	tell "$tool" 'say hello' '^said'
	expect "30 connections" "$(tail -n 1 "$LAB_TMP/$tool.out")" \
		"said echo1=10 echo2=10 echo3=10"
	tell "$tool" close '^closed'
	wait_closed lb
	expect "RST sent by the balancer's kernel" \
		$(($(counter lb TcpOutRsts) - before)) 0
	stop lb
	for _ in once twice; do on lb "$GUARD" down hand >/dev/null; done
	ok "down, and down again"
	status_is 3
	says 3 '^no guard is up$' status
	says 0 'rst-drop "last" is up' rst-drop up last "${FULL[@]}" --tool $tool
	says 3 'rst-drop "last": up.*no guard is up' status
	only_the_kernels_resets
	says 0 'is down' rst-drop down last
	says 3 '^no guard is up$' status
	expect "rules left" "$(on lb nft list ruleset | grep -c -E 'drop|notrack' || true)" 0
done
