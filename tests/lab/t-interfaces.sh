#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Linux takes packets for its addresses by whatever interface they come, and the
# guard drops those for us by all of them. So clients are served who come by an
# interface that no address or route of ours points to: another network's, a
# second one in the same network, a bridge of containers, one that comes later;
# and to an address on lo. And with -i, what comes by others is the host's.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl
title "clients by interfaces that no address or route points to"

# vpn       lan2     box (a container)
#  | vpn0    | eth9   | br-c
#  +------- lb -------+
#            | eth0
#  client, b1, b2 (br0; eth9 and lan2 are there as well)
lab_up lan
mkdir -p "$LAB_TMP/files"
head -c 5000000 /dev/urandom >"$LAB_TMP/files/data"
sum=$(sha256 <"$LAB_TMP/files/data")
for i in 1 2; do start_nginx b$i; done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT")

plug() { # HOST INTERFACE ADDRESS: straight to lb, whose end is HOST with .1
	local peer=${3%.*}.1
	on lb ip link add "$1" address "$(lab_mac "$peer")" type veth \
		peer name "$2" netns "$1" address "$(lab_mac "$3")"
	on "$1" ip address add "$3/24" dev "$2"
	on "$1" ip link set "$2" up
	on "$1" ip neigh replace "$peer" lladdr "$(lab_mac "$peer")" dev "$2" nud permanent
	on lb ip address add "$peer/24" dev "$1"
	on lb ip link set "$1" up
	# A queue that the kernel has not started yet loses the first packet.
	wait_until 10 "$2 to be up" is_on "$1" "$2"
	wait_until 10 "$1 to be up" is_on lb "$1"
}
is_on() { on "$1" ip link show dev "$2" | grep -q ' state UP '; }
lab_host vpn
plug vpn vpn0 198.18.70.2
on vpn ip route add 198.18.0.0/24 via 198.18.70.1
lab_host box
on lb ip link add br-c address "$(lab_mac 198.18.71.1)" type bridge
on lb ip address add 198.18.71.1/24 dev br-c
on lb ip link set br-c up
lab_cable box eth0 198.18.71.11 br-c lb
on box ip route add default via 198.18.71.1
# Two interfaces in one network: whichever MAC its ARP learned is used.
on lb ip link add eth9 address 02:00:00:00:99:09 type veth peer name lb-eth9
on lb ip link set lb-eth9 netns 1
ip link set lb-eth9 master br0 up
on lb ip address add 198.18.0.9/24 dev eth9
on lb ip link set eth9 up
lab_host lan2
lab_cable lan2 eth0 198.18.0.22 br0
on lan2 ip neigh replace "$VIP" lladdr 02:00:00:00:99:09 dev eth0 nud permanent
# As a routing daemon announces one.
on lb ip address add 198.18.72.1/32 dev lo
on client ip route add 198.18.72.0/24 via "$VIP"

get() { # HOST ADDRESS: which backend, or curl's exit status
	local status=0
	on "$1" curl -sS -m 5 "http://$2:$VIP_PORT/" 2>"$LAB_TMP/curl" || status=$?
	[ $status = 0 ] || printf 'curl %d' $status
}
serves() { # WHAT HOST ADDRESS: both backends; bulk each way
	expect "$1" "$(get "$2" "$3") $(get "$2" "$3")" "b1 b2"
	expect "  5 MB down" "$(on "$2" curl -sS -m 20 \
		"http://$3:$VIP_PORT/files/data" | sha256)" "$sum"
	expect "  5 MB up" "$(on "$2" curl -sS -m 20 -o /dev/null -w '%{http_code}' \
		--data-binary "@$LAB_TMP/files/data" "http://$3:$VIP_PORT/")" 200
}
came_by() { # INTERFACE: frames, as the last counters say
	sed -nE "s/.*capture $1 received=([0-9]+) .*/\1/p" "$LAB_TMP/lb.err" | tail -n 1
}

for service in "$VIP" 198.18.72.1; do
	printf '[service at-%s]\nlisten = %s:%s\n' "${service//./-}" "$service" "$VIP_PORT"
	printf 'backend = %s\n' 198.18.0.11:$PORT 198.18.0.12:$PORT
done >"$LAB_TMP/lb.conf"
before=$(counter lb TcpOutRsts)
start_l4lb lb --config "$LAB_TMP/lb.conf"
serves "a client in the network of the service" client "$VIP"
serves "one behind another interface" vpn "$VIP"
serves "a container on this host" box "$VIP"
serves "one whose ARP was answered by a second interface in the same network" lan2 "$VIP"
serves "the address on lo, from outside" client 198.18.72.1
serves "and from this host itself" lb 198.18.72.1

# It comes when all is running, and a client is behind it from the first moment.
lab_host late
plug late late0 198.18.73.2
on late ip route add 198.18.0.0/24 via 198.18.73.1
serves "a client behind an interface that came later" late "$VIP"
# Again and again, with a connection at once: nobody may be waited for.
for i in $(seq 10); do
	on lb ip link delete late
	plug late late0 198.18.73.2
	on late ip route add 198.18.0.0/24 via 198.18.73.1
	expect "  made anew, time $i: the first connection" "$(get late "$VIP" | cut -c 1)" b
done
expect "  SYNs that had to be sent again" "$(counter late TcpExtTCPSynRetrans)" 0

dump lb >/dev/null
wait_log lb 'capture total received='
for nic in eth0 vpn br-c eth9 lo late; do
	expect_true "frames counted by $nic: $(came_by $nic)" [ "$(came_by $nic)" -gt 5 ]
done
expect "RST sent by the balancer's kernel" "$(($(counter lb TcpOutRsts) - before))" 0
stop lb
expect "exit status" "$STATUS" 0

# Its ARP answers draw clients there.
on lb ip link delete eth9
for host in client b1 b2; do on $host ip neigh flush dev eth0; done
say "  -- a way that no tap sees: this host's own NAT"
start_l4lb lb "$VIP" "${BACKENDS[@]}"
if on lb nft -f - 2>"$LAB_TMP/why" <<-END
	table ip own {
		chain pre {
			type nat hook prerouting priority -100
			ip daddr $VIP tcp dport 80 dnat to $VIP:$VIP_PORT
		}
	}
END
then
	dump lb >/dev/null # from here on it is counted
	expect "redirected to the service by a rule of the host's: SYNs" "$(on client \
		"$LAB_TOOLS/synth" open eth0 "$(lab_mac "$VIP")" "$VIP" 80 \
		198.18.0.2 40)" "opened 0 refused 0 unanswered 40"
	dump lb >/dev/null
	wait_log lb 'warning: [0-9]+ packets for a service came by a way that cannot be captured'
	ok "said: $(grep -o '[0-9]* packets for a service came.*' "$LAB_TMP/lb.err")"
	expect_true "counted" log_has lb 'guard took=[0-9]+ uncaptured=[1-9][0-9]+'
	on lb nft delete table ip own
else
	ok "left out, no NAT in this kernel: $(head -n 1 "$LAB_TMP/why")"
fi
told=$(grep -c 'cannot be captured' "$LAB_TMP/lb.err" || true)
serves "others are served" client "$VIP"
dump lb >/dev/null
stop lb
expect "  which is no reason for another warning" \
	"$(grep -c 'cannot be captured' "$LAB_TMP/lb.err" || true)" "$told"

say "  -- the hook ingress comes before the tap"
start_l4lb lb "$VIP" "${BACKENDS[@]}"
if on lb nft -f - 2>"$LAB_TMP/why" <<-END
	table netdev own {
		chain in {
			type filter hook ingress device eth0 priority 0
			ip saddr $CLIENT tcp dport $VIP_PORT counter drop
		}
	}
END
then
	expect "a client that a rule there drops" "$(get client "$VIP")" "curl 28"
	expect "  another one" "$(get vpn "$VIP")" b1
	on lb nft delete table netdev own
else
	ok "left out, no such hook in this kernel: $(head -n 1 "$LAB_TMP/why")"
fi
stop lb

say "  -- only some of them: -i"
start_l4lb lb -i eth0,vpn "$VIP" "${BACKENDS[@]}"
expect_true "said" log_has lb 'capturing on eth0,vpn '
serves "by one that is named" client "$VIP"
serves "by the other one" vpn "$VIP"
expect "by one that is not: the host's kernel refuses, at once" \
	"$(get box "$VIP")" "curl 7"
expect "  rules of the guard that ask for the interface" "$(on lb nft list \
	table ip l4lb_$VIP_PORT | grep -c 'iifname @interfaces')" 4
# Made anew under its name: another interface, of another number.
on lb ip link delete vpn
plug vpn vpn0 198.18.70.2
on vpn ip route add 198.18.0.0/24 via 198.18.70.1
serves "one that is named was made anew" vpn "$VIP"
# It becomes a port: what comes by it comes by its bridge then.
on lb ip link add br-v type bridge
on lb ip link set br-v up
on lb ip link set vpn master br-v
wait_log lb 'warning: -i vpn: it is a port of br-v, by which its packets come in; add -i br-v'
ok "it becomes a port: said"
stop lb
expect "exit status" "$STATUS" 0
start_l4lb waits -i eth0,nosuch0 "$VIP" "${BACKENDS[@]}"
expect_true "a name that nobody has yet is waited for, and said" \
	log_has waits 'warning: -i nosuch0: there is no such interface now'
stop waits
expect "  exit status" "$STATUS" 0
