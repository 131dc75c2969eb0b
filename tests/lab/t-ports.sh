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
stop lb
expect "resets by the balancer's kernel" "$(counter lb TcpOutRsts)" 0
