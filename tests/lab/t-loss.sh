#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every cable loses 5 % of the TCP frames in both directions: nothing is lost
# or damaged for good.
#
# The frames are dropped in the switch: inside the balancer's own namespace a
# drop would come after the tap and be invisible to it.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft ethtool nginx curl
title "20 MiB each way over cables that lose 5 %"

lab_up lan
lab_offloads off # else one drop is up to 64 KiB, and few frames are sent
start_nginx b1

nft add table netdev loss
for host in client lb b1; do
	nft -f - <<-END
		table netdev loss {
			chain $host {
				type filter hook ingress device "$host-eth0" priority 0;
				ip protocol tcp numgen random mod 100 < 5 counter drop
			}
		}
	END
done
dropped() {
	nft list chain netdev loss "$1" |
		sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'
}

head -c $((20 << 20)) /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
expect "download" "$(on client curl -sS --fail --max-time 120 \
	"http://$VIP:$VIP_PORT/files/data" | sha256)" "$sum"
stop lb

# shellcheck disable=SC2016 # expanded there
start sink b1 bash -c 'nc.openbsd -l "$1" | sha256sum | cut -c 1-64' sink 9002
wait_listens b1 9002
start_l4lb lb "$VIP" 198.18.0.11 9002
on client timeout 120 nc.openbsd -N "$VIP" "$VIP_PORT" <"$LAB_TMP/files/data"
finish sink 60
expect "upload" "$(cat "$LAB_TMP/sink.out")" "$sum"
stop lb

for host in client lb b1; do
	expect_true "frames from $host were lost: $(dropped $host)" \
		[ "$(dropped $host)" -gt 0 ]
done
for host in client b1; do
	again=$(counter $host TcpRetransSegs)
	expect_true "$host sent segments again: $again" [ "$again" -gt 0 ]
done
