#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ports that l4lb takes from its host: what the host has already stays its
# own.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "NAT ports and the host's own"

lab_up lan
start_echo echo b1 198.18.0.11 "$PORT"
last() { tail -n 1 "$LAB_TMP/$1.out"; }

# --- a program of the host's own, connected to the backend from such a port
on lb sysctl -qw net.ipv4.ip_local_port_range="20550 20569"
start_hold own lb 198.18.0.11 "$PORT" 3
on lb sysctl -qw net.ipv4.ip_local_port_range="32768 60999"
tell own 'say before' '^said'
start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
tell own 'say after' '^said' 2
expect "connections of the host's own from the NAT range" "$(last own)" "said echo=3"
start_hold hold client "$VIP" "$VIP_PORT" 100
tell hold 'say hello' '^said'
expect "  and of clients" "$(last hold)" "said echo=100"
tell own close '^closed'
finish own 10
tell hold close '^closed'
finish hold 10
wait_closed lb
expect "resets by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
stop lb

# --- a host that takes its ports from the middle of the default NAT range
on lb sysctl -qw net.ipv4.ip_local_port_range="15000 30000"
start_echo other client 198.18.0.2 7000
host_connects() { # WHAT
	expect "$1, TCP" "$(on lb timeout 10 nc.openbsd -N 198.18.0.2 7000 <<<hello)" "other hello"
	on lb "$PYTHON" -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("198.18.0.2", 53))' || fail "$1, UDP"
	ok "  and UDP"
}
start_l4lb moved "$VIP" 198.18.0.11 "$PORT"
host_connects "the host connects beside l4lb"
expect_false "  and there is nothing to warn of" log_has moved warning
stop moved KILL
start_l4lb again "$VIP" 198.18.0.11 "$PORT"
range() { grep -o 'nat ports [0-9-]*' "$LAB_TMP/$1.err"; }
expect "the next start after a kill stays there" "$(range again)" "$(range moved)"
stop again
start_l4lb given --nat-ports 10240-32767 "$VIP" 198.18.0.11 "$PORT"
expect_true "a range that was given is taken, with a warning" \
	log_has given 'warning: NAT ports 10240-32767 leave this host 0 of its 15001'
stop given

# --- those of health checks: not a flow's, at the next start neither
# The top of a small range is taken, so the checks' ports are below it and
# connections get all that is above. Then it is free again.
start_echo top lb "$VIP" 11267
start_l4lb before --nat-ports 10240-11300 "$VIP" 198.18.0.11 "$PORT"
start_hold full client "$VIP" "$VIP_PORT" 990
tell full 'say before' '^said'
expect "connections on nearly every NAT port" "$(last full)" "said echo=990"
stop before KILL
stop top KILL
start_l4lb after --nat-ports 10240-11300 "$VIP" 198.18.0.11 "$PORT"
expect "the next start takes over" \
	"$(grep -o 'flows=990 refused=[0-9]*' "$LAB_TMP/after.err")" "flows=990 refused=0"
tell full 'say after' '^said' 2
expect "  all of them" "$(last full)" "said echo=990"
tell full close '^closed'
finish full 10
wait_closed after
stop after

# --- a pool that is nearly full: said once, and of which
on lb ip address add 198.18.0.9/24 dev eth0
start_echo other2 b2 198.18.0.12 "$PORT"
cat >"$LAB_TMP/pools.conf" <<-END
	[service echo]
	listen = $VIP:$VIP_PORT
	backend = 198.18.0.11:$PORT
	[service other]
	listen = $VIP:20001
	source = 198.18.0.9
	backend = 198.18.0.12:$PORT
END
start_l4lb pools --nat-ports 12240-13300 --config "$LAB_TMP/pools.conf"
# It looks once a second: when it is 3 s older, in whole ones, it has looked
# twice.
age() { dump pools | sed -n 's/^# l4lb flows.* uptime \([0-9]*\)s$/\1/p'; }
is_aged() { [ "$(age)" -ge "$1" ]; }
looks_again() { wait_until 10 "l4lb to look twice" is_aged $(($(age) + 3)); }
warnings() { grep -c '% of the NAT ports of' "$LAB_TMP/pools.err" || true; }
ports=$(grep -o 'nat ports .* free=[0-9]*' "$LAB_TMP/pools.err" | grep -o '[0-9]*$')
start_hold few client "$VIP" "$VIP_PORT" 10
start_hold most client "$VIP" 20001 $((ports * 85 / 100))
looks_again
expect "connections on 85 % of $ports NAT ports: warnings" "$(warnings)" 0
start_hold more client "$VIP" 20001 $((ports * 10 / 100))
wait_log pools "warning: 9[0-5]% of the NAT ports of 198\.18\.0\.9 toward 198\.18\.0\.12:$PORT are used; add a source address \(source = in l4lb\.conf\) or widen --nat-ports\$"
looks_again
expect "  on 95 %: $(grep -o '9[0-5]% of .* used' "$LAB_TMP/pools.err"): warnings" "$(warnings)" 1
tell most 'say hello' '^said'
tell more 'say hello' '^said'
expect "  all of them go on" "$(last most), $(last more)" \
	"said other2=$((ports * 85 / 100)), said other2=$((ports * 10 / 100))"
