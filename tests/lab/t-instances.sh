#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two instances on one host, in front of the same backends, at once.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft
title "two instances in front of the same backends"

lab_up lan
for i in 1 2 3; do start_echo echo$i b$i 198.18.0.1$i "$PORT"; done
BACKENDS=(198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT")
tables() { on lb nft list tables | sort | tr '\n' ' '; }

start_l4lb one -p 20000 "$VIP" "${BACKENDS[@]}"
start_l4lb two -p 20001 "$VIP" "${BACKENDS[@]}"
expect "a guard of its own for each" "$(tables)" \
	"table ip l4lb_20000 table ip l4lb_20001 "

start_hold hold1 client "$VIP" 20000 300
start_hold hold2 client "$VIP" 20001 300
tell hold1 'say hello' '^said'
tell hold2 'say hello' '^said'
expect "the first's connections" "$(tail -n 1 "$LAB_TMP/hold1.out")" \
	"said echo1=100 echo2=100 echo3=100"
expect "the second's connections" "$(tail -n 1 "$LAB_TMP/hold2.out")" \
	"said echo1=100 echo2=100 echo3=100"

nat_ports() { dump "$1" | awk '/^# backend/ { exit } !/^#/ { split($4, a, ":"); print a[2] }'; }
comm -12 <(nat_ports one | sort -u) <(nat_ports two | sort -u) >"$LAB_TMP/both"
expect "NAT ports that both use" "$(wc -l <"$LAB_TMP/both")" 0

tell hold1 close '^closed'
finish hold1 10
stop one
expect "the first's exit status" "$STATUS" 0
expect "only the second's guard stays" "$(tables)" "table ip l4lb_20001 "
tell hold2 'say again' '^said.*' 2
expect "the second's connections go on" "$(tail -n 1 "$LAB_TMP/hold2.out")" \
	"said echo1=100 echo2=100 echo3=100"

# The same name, the same port: the holder is named, nothing of it is harmed.
status=0
on lb timeout 10 "$L4LB_BUILD/l4lb" -p 20001 "$VIP" "${BACKENDS[@]}" \
	>"$LAB_TMP/third" 2>&1 || status=$?
expect "a third on the second's port is refused, exit status" "$status" 1
expect "the second's guard is still there" "$(tables)" "table ip l4lb_20001 "
status=0
taken=$(grep -o 'nat ports [0-9]*-[0-9]*' "$LAB_TMP/two.err" | cut -d ' ' -f 3)
on lb timeout 10 "$L4LB_BUILD/l4lb" -p 20002 --nat-ports "$taken" "$VIP" \
	"${BACKENDS[@]}" >"$LAB_TMP/fourth" 2>&1 || status=$?
expect "one that insists on the second's NAT ports, $taken, exit status" "$status" 1
expect_true "  and told who holds them" grep -q 20001 "$LAB_TMP/fourth"
tell hold2 'say more' '^said.*' 3
expect "the second's connections go on" "$(tail -n 1 "$LAB_TMP/hold2.out")" \
	"said echo1=100 echo2=100 echo3=100"

# Killed, and the next one at once, while the kernel still takes it apart.
kill -KILL "$(pid_of two)"
start next lb "$L4LB_BUILD/l4lb" -p 20001 "$VIP" "${BACKENDS[@]}"
wait_log next "$L4LB_READY"
tell hold2 'say on' '^said.*' 4
expect "the next one, started at once after a kill, goes on" \
	"$(tail -n 1 "$LAB_TMP/hold2.out")" "said echo1=100 echo2=100 echo3=100"
stop next

# No socket of its gets the number of a descriptor that was closed.
# shellcheck disable=SC2016 # expanded there
start closed lb bash -c 'exec "$0" "$@" <&- >&-' "$L4LB_BUILD/l4lb" "$VIP" "${BACKENDS[@]}"
wait_log closed "$L4LB_READY"
expect "started with 0 and 1 closed, they are" \
	"$(readlink "/proc/$(pid_of closed)/fd/0" "/proc/$(pid_of closed)/fd/1" | xargs)" \
	"/dev/null /dev/null"
stop closed

# Of an address each, too; the third's port is not among the others'.
on lb ip address add 198.18.0.77/24 dev eth0
on lb ip address add 198.18.0.78/24 dev eth0
n=0
for address in 198.18.0.77 198.18.0.78 198.18.0.1; do
	n=$((n + 1))
	start_l4lb own$n --name own$n -p 2010$n $address "${BACKENDS[@]}"
done
expect "three instances of an address each have other NAT ports each" \
	"$(grep -ho 'nat ports [0-9-]*' "$LAB_TMP"/own?.err | sort -u | wc -l)" 3
expect "  and take none of the host's own" \
	"$(on lb sysctl -n net.ipv4.ip_local_reserved_ports)" ""
for n in 1 2 3; do
	stop own$n
	expect "  exit status of one" "$STATUS" 0
done
on lb ip address del 198.18.0.77/24 dev eth0
on lb ip address del 198.18.0.78/24 dev eth0

# The port of a service may be a NAT port of an instance that was there before:
# these connections need all that there are, toward each backend.
title "a service on a NAT port of an instance that started before it"
start_l4lb early -p 20000 --nat-ports 20001-21100 "$VIP" "${BACKENDS[@]}"
all=$(sed -nE 's/.*nat ports .* free=([0-9]+).*/\1/p' "$LAB_TMP/early.err")
start_l4lb late -p 20001 "$VIP" "${BACKENDS[@]}"
start_hold many client "$VIP" 20000 $((all * 3))
tell many 'say hello' '^said'
expect "the earlier one's connections" "$(tail -n 1 "$LAB_TMP/many.out")" \
	"said echo1=$all echo2=$all echo3=$all"
start_hold some client "$VIP" 20001 30
tell some 'say hello' '^said'
expect "the later one's connections" "$(tail -n 1 "$LAB_TMP/some.out")" \
	"said echo1=10 echo2=10 echo3=10"
expect "NAT port 20001 of the earlier one, toward each backend" \
	"$(nat_ports early | grep -c '^20001$')" 3
expect_true "the later one says so" log_has late \
	'service 198.18.0.1:20001 is among the NAT ports 20001-21100 of instance "20000"'
stop early
stop late

start_l4lb blind -i eth0 "$VIP" "$VIP" "$PORT"
expect_true "a backend that -i leaves out is warned of" \
	log_has blind 'warning: backend 198.18.0.1:9001 is reached via lo, which -i does not name'
