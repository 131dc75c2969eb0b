#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where the backends may be: across two interfaces, on the balancer's own
# host, in containers behind a bridge on it. (One-armed: all other tests.)
#
#	t-topologies.sh two-armed|single-host|containers
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft ethtool
title "topology $1"

# A megabyte each way beside the small talk, so that large packets pass too.
echo_back() { # HOST: what it sends comes back
	on "$1" timeout 30 "$PYTHON" -c '
import socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
line = b"x" * 9999 + b"\n"
def send():
    for _ in range(100):
        s.sendall(line)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = 0
while part := s.recv(65536):
    got += part.count(b"\n")
print(got)' "$VIP" "$VIP_PORT"
}

talk() { # HOST WANT: 30 connections from there, split like this
	start_hold "hold-$1" "$1" "$VIP" "$VIP_PORT" 30
	tell "hold-$1" 'say hello there' '^said'
	expect "30 connections from $1" "$(tail -n 1 "$LAB_TMP/hold-$1.out")" "said $2"
	expect "  the balancer shows them" "$(dump_flows lb ESTABLISHED)" 30
	tell "hold-$1" close '^closed'
	finish "hold-$1" 10
	rm "$LAB_TMP/hold-$1.orders"
	expect "  lines of 10 kB that came back" "$(echo_back "$1")" 100
}

topology=$1
lab_up "$topology"
case $topology in
two-armed)
	for i in 1 2 3; do start_echo echo$i b$i 198.19.0.1$i "$PORT"; done
	backends=(198.19.0.11 "$PORT" 198.19.0.12 "$PORT" 198.19.0.13 "$PORT")
	expect "b1's routes" "$(on b1 ip route | wc -l)" 1
	from=client want="echo1=10 echo2=10 echo3=10" ;;
containers)
	for i in 1 2 3; do start_echo echo$i b$i 198.19.0.1$i "$PORT"; done
	backends=(198.19.0.11 "$PORT" 198.19.0.12 "$PORT" 198.19.0.13 "$PORT")
	from="client lb" want="echo1=10 echo2=10 echo3=10" ;;
single-host)
	start_echo echo1 lb 127.0.0.1 9001
	start_echo echo2 lb "$VIP" 9002
	start_echo echo3 lb 127.0.0.1 9003
	backends=(127.0.0.1 9001 "$VIP" 9002 127.0.0.1 9003)
	from="client lb" want="echo1=10 echo2=10 echo3=10"
	# A usual host's firewall: what connection tracking calls invalid is
	# dropped. Our packets must not be what it calls so.
	on lb nft -f - <<-'END' || say "  (no connection tracking here)"
		table inet own {
			chain in {
				type filter hook input priority 0
				ct state invalid counter drop
			}
			chain out {
				type filter hook output priority 0
				ct state invalid counter drop
			}
		}
	END
	;;
*) fail "no topology $1" ;;
esac

# The backends' kernel is the same one here, and resets what it has closed when
# an ACK comes that others overtook. So those count that it sends for the service
# or a NAT port; those of health checks are l4lb's, what it forwards has a TTL
# less by one.
watch_resets() {
	for nic in lo eth0; do
		capture rst-$nic lb $nic 'tcp[tcpflags] & tcp-rst != 0 and
			not src portrange 9001-9003 and not src portrange 32704-32767'
	done
}
expect_no_own_resets() {
	for nic in lo eth0; do
		capture_end rst-$nic
		expect "RST sent by the balancer's kernel on $nic, not as a backend" \
			"$(packets rst-$nic | awk '$5 == 64' | wc -l)" 0
	done
}

run() { # WHAT
	say "  -- $1"
	start_l4lb lb "$VIP" "${backends[@]}"
	# The answer to the last check of the one before met no guard.
	local before
	before=$(counter lb TcpOutRsts)
	[ "$topology" != single-host ] || watch_resets
	for host in $from; do talk "$host" "$want"; done
	wait_closed lb
	if [ "$topology" = single-host ]; then
		expect_no_own_resets
	else
		expect "RST sent by the balancer's kernel" \
			"$(($(counter lb TcpOutRsts) - before))" 0
	fi
	stop lb
	expect "exit status" "$STATUS" 0
}

for offloads in off on; do
	lab_offloads $offloads
	run "offloads $offloads"
done

# Docker's hosts pass bridged frames through the IP hooks, before any capture
# on the bridge sees them. A setting of each namespace, where the kernel has it.
bridged=/proc/sys/net/bridge/bridge-nf-call-iptables
if [ "$1" = containers ] && on lb test -e $bridged; then
	now=$(on lb cat $bridged)
	on lb sh -c "echo $((1 - now)) >$bridged"
	run "bridge-nf-call-iptables=$((1 - now)), was $now"
fi
