#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is not there yet at the start, as at a boot with DHCP or keepalived: it
# is said once, all else is served, and so is the rest when it comes.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft curl
need_program l4lb
title "started before what it needs"

lab_up two-armed
VIP2=198.18.0.3
for host in 1 2; do start_nginx b$host; done
L4LB=$L4LB_BUILD/l4lb
B1=(198.19.0.11 "$PORT") B2=(198.19.0.12 "$PORT")

get() { on client curl -sS --fail --max-time "${2:-3}" "http://$1:$VIP_PORT/" 2>&1; }
is_served() { [[ $(get "$1") =~ ^b[12]$ ]]; }
served() { wait_until 10 "$1 to be served" is_served "$1"; ok "$2"; }
times() { grep -Ec -- "$2" "$LAB_TMP/$1.err" || true; }
told_once() { expect "it is told once: $2" "$(times "$1" "$2")" 1; }
# Nobody was found down for what this host lacked.
nobody_down() { expect "no backend was found down" "$(times "$1" 'backend .* is (down|ejected)')" 0; }
no_vip() { on lb ip address del "$VIP/24" dev eth0; }
vip() { on lb ip address add "$VIP/24" dev eth0; }
# So that a packet does come: as to a host that has just lost the address.
keep_neighbour() { on client ip neigh replace "$VIP" lladdr "$(lab_mac "$VIP")" dev eth0; }
forget_neighbour() { on client ip neigh del "$VIP" dev eth0; }
# No answer at all: neither a connection nor a reset.
is_silent() { [[ $(get "$1" 1) == *'timed out'* ]]; }

say "  -- the service's address"
no_vip
start_l4lb lb "$VIP" "${B1[@]}"
told_once lb "warning: service 20000: address $VIP is not on this host yet"
status=0
on lb timeout 10 "$L4LB" --name two "$VIP" "${B1[@]}" 2>"$LAB_TMP/said" || status=$?
expect_true "its port is reserved all the same" \
	grep -q 'is served by instance "20000"' "$LAB_TMP/said"
keep_neighbour
expect_true "no answer while it is away" is_silent "$VIP"
expect_true "  its packets are nobody's" [ "$(counted lb not-ours)" -gt 0 ]
vip
wait_log lb "service 20000: address $VIP is there, it is served"
served "$VIP" "served when it is there"
nobody_down lb

say "  -- it goes and comes again while running"
no_vip
wait_log lb "warning: service 20000: address $VIP is not on this host any more"
expect_true "no answer" is_silent "$VIP"
vip
is_there_twice() { [ "$(times lb 'is there, it is served')" -eq 2 ]; }
wait_until 10 "it to be told" is_there_twice
served "$VIP" "served again"
nobody_down lb

say "  -- the same in a restart: connections wait for the address, too"
start_hold hold client "$VIP" $VIP_PORT 1
start_echo e b1 198.19.0.11 9002
stop hold
stop lb
start_l4lb lb "$VIP" 198.19.0.11 9002
start_hold held client "$VIP" $VIP_PORT 3
stop lb KILL
no_vip
start_l4lb lb "$VIP" 198.19.0.11 9002
expect_true "three connections are taken over" log_has lb 'took over flows=[3-9] refused=0'
vip
wait_log lb 'it is served'
tell held 'say after' '^said e=3$'
tell held close '^closed'
finish held 20
stop lb
forget_neighbour

say "  -- two services, one of them late"
cat >"$LAB_TMP/two.conf" <<END
[service here]
listen = $VIP:$VIP_PORT
backend = 198.19.0.11:$PORT
[service late]
listen = $VIP2:$VIP_PORT
backend = 198.19.0.11:$PORT
backend = 198.19.0.12:$PORT
END
start_l4lb lb --config "$LAB_TMP/two.conf"
told_once lb "service late: address $VIP2 is not on this host yet"
served "$VIP" "the other one is served meanwhile"
on lb ip address add $VIP2/24 dev eth0
wait_log lb "service late: address $VIP2 is there"
served "$VIP2" "and the late one then"
served "$VIP" "the other one still"
nobody_down lb
stop lb
on lb ip address del $VIP2/24 dev eth0

say "  -- the way to the backends, which decides the source"
on lb ip address del 198.19.0.1/24 dev eth1
start_l4lb lb "$VIP" "${B1[@]}" "${B2[@]}"
# The answer to the last check of the one before met no guard.
resets=$(counter lb TcpOutRsts)
told_once lb 'no way to backend 198.19.0.11:9001: '
told_once lb 'no way to backend 198.19.0.12:9001: '
expect_true "clients are neither served nor refused" is_silent "$VIP"
on lb ip address add 198.19.0.1/24 dev eth1
wait_log lb 'backend 198.19.0.11:9001 weight=1 source=198.19.0.1 via=eth1'
wait_log lb 'backend 198.19.0.12:9001 weight=1 source=198.19.0.1 via=eth1'
served "$VIP" "served when it is there, from the source of the route"
has_source() { [[ $(on lb nft list set ip l4lb_20000 sources) == *"$1"* ]]; }
expect_true "which the guard has" has_source 198.19.0.1
expect_true "and the record" grep -q '^source 198.19.0.1$' /run/l4lb/20000.ports
expect "no resets of the host's own" $(($(counter lb TcpOutRsts) - resets)) 0
nobody_down lb
stop lb

say "  -- a default route that is there before the backends' network"
on lb ip address del 198.19.0.1/24 dev eth1
on lb ip route add default via "$CLIENT"
start_l4lb lb "$VIP" "${B1[@]}"
wait_log lb "backend 198.19.0.11:9001 weight=1 source=$VIP via=eth0"
wait_log lb 'backend 198.19.0.11:9001 is down'
on lb ip address add 198.19.0.1/24 dev eth1
wait_log lb 'backend 198.19.0.11:9001 weight=1 source=198.19.0.1 via=eth1'
wait_log lb 'backend 198.19.0.11:9001 is up again'
served "$VIP" "the source is chosen anew for a backend that is down"
stop lb
on lb ip route del default

say "  -- two instances, for which a route will choose the same source"
on lb ip address add $VIP2/24 dev eth0
on lb ip address del 198.19.0.1/24 dev eth1
start_l4lb lb "$VIP" "${B1[@]}"
start_l4lb other --name other "$VIP2" "${B1[@]}"
on lb ip address add 198.19.0.1/24 dev eth1
wait_log lb 'backend 198.19.0.11:9001 weight=1 source=198.19.0.1'
wait_log other 'backend 198.19.0.11:9001 weight=1 source=198.19.0.1'
ports_of() { sed -nE 's/^ports (.*)/\1/p' "/run/l4lb/$1.ports"; }
expect_true "they have other ports: $(ports_of 20000), $(ports_of other)" \
	[ "$(ports_of 20000 | cut -d- -f2)" -lt "$(ports_of other | cut -d- -f1)" ]
served "$VIP" "one is served"
served "$VIP2" "and the other one"
nobody_down lb
nobody_down other
stop other
stop lb
on lb ip address del $VIP2/24 dev eth0

say "  -- a route by a gateway, of one backend of two"
on b2 ip address add 203.0.113.12/32 dev lo
start_l4lb lb "$VIP" "${B1[@]}" 203.0.113.12 "$PORT"
told_once lb 'no way to backend 203.0.113.12:9001: '
expect "the other one serves all" "$(for _ in 1 2 3 4; do get "$VIP"; done | sort -u)" b1
on lb ip route add 203.0.113.0/24 via 198.19.0.12
wait_log lb 'backend 203.0.113.12:9001 weight=1 source=198.19.0.1 via=eth1'
both() { [ "$(for _ in 1 2 3 4; do get "$VIP"; done | sort -u | tr '\n' ' ')" = "b1 b2 " ]; }
wait_until 10 "both to serve" both
ok "and both when it has one"
nobody_down lb
stop lb
on lb ip route del 203.0.113.0/24

say "  -- a source address that was named"
cat >"$LAB_TMP/source.conf" <<END
[service s]
listen = $VIP:$VIP_PORT
source = 198.19.0.1, 198.19.0.50
backend = 198.19.0.11:$PORT
END
start_l4lb lb --config "$LAB_TMP/source.conf"
told_once lb 'source 198.19.0.50 is not on this host yet'
expect "the one that is there serves all" \
	"$(for _ in 1 2 3 4 5 6; do get "$VIP" 1; done | sort | uniq -c | tr -s ' ')" " 6 b1"
on lb ip address add 198.19.0.50/24 dev eth1
wait_log lb 'source 198.19.0.50 is there'
uses_both() {
	get "$VIP" >/dev/null
	[[ $(dump lb) == *' 198.19.0.50:'* ]]
}
wait_until 10 "the other one to be used" uses_both
ok "and both when it is there"
nobody_down lb
stop lb
on lb ip address del 198.19.0.50/24 dev eth1

say "  -- an interface that was named"
on lb ip link set eth1 down
on lb ip link set eth1 name late0
start_l4lb lb -i eth0 -i eth1 "$VIP" "${B1[@]}"
told_once lb '-i eth1: there is no such interface now'
on lb ip link set late0 name eth1
on lb ip link set eth1 up
wait_log lb '-i eth1: the interface is there'
served "$VIP" "served when it is there"
nobody_down lb
stop lb

say "  -- a link that is down"
on lb ip link set eth0 down
on lb ip link set eth1 down
start_l4lb lb "$VIP" "${B1[@]}"
on lb ip link set eth0 up
on lb ip link set eth1 up
served "$VIP" "served when both are up"
nobody_down lb
stop lb
# As in a fresh network namespace; nothing of this service goes by it.
on lb ip link set lo down
start_l4lb lb "$VIP" "${B1[@]}"
served "$VIP" "served while lo is down"
nobody_down lb
on lb ip link set lo up
stop lb

say "  -- a host name"
cp /etc/hosts "$LAB_TMP/hosts"
: >"$LAB_TMP/resolv.conf"
mount --bind "$LAB_TMP/hosts" /etc/hosts
[ ! -e /etc/resolv.conf ] || mount --bind "$LAB_TMP/resolv.conf" /etc/resolv.conf
status=0
on lb timeout 20 "$L4LB" --check "$VIP" late.l4lb.test "$PORT" >"$LAB_TMP/said" 2>&1 || status=$?
[[ $status =~ ^[12]$ ]] || fail "--check waits, or is content" "status $status"
ok "--check does not wait: exit $status  $(head -c 100 "$LAB_TMP/said")"
printf '[service p]\nlisten = %s:20099\nbackend = late.l4lb.test:%s\n' "$VIP" "$PORT" >"$LAB_TMP/piped.conf"
# shellcheck disable=SC2016 # expanded there
start piped lb bash -c 'exec "$0" --config <(cat "$1")' "$L4LB" "$LAB_TMP/piped.conf"
wait_log piped 'host .*; l4lb waits for it'
start lb lb "$L4LB" "$VIP" late.l4lb.test "$PORT"
wait_log lb 'warning: SERVER_IP "late.l4lb.test": host .*; l4lb waits for it'
echo "198.19.0.11 late.l4lb.test" >>"$LAB_TMP/hosts"
wait_log lb 'all host names are known'
wait_log lb "$L4LB_READY"
told_once lb 'l4lb waits for it'
served "$VIP" "served when it is known"
stop lb
wait_log piped "$L4LB_READY"
ok "one whose configuration came by a pipe, which is read once, starts as well"
stop piped
umount /etc/hosts
