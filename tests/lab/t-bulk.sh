#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 1 GiB down and 1 GiB up, byte for byte, with offloads on: super-packets of up
# to 64 KiB with partial checksums. With off a quarter of it: plain frames, of
# which that takes more.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl nc.openbsd ethtool
title "1 GiB each way with offloads on, 256 MiB with off"

lab_up lan
start_nginx b1

# In memory, on the lab's tmpfs: smaller where memory is small.
mib=1024
[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt 3000 ] || mib=128
head -c $((mib << 20)) /dev/urandom >"$LAB_TMP/files/on"
head -c $((mib << 18)) "$LAB_TMP/files/on" >"$LAB_TMP/files/off"

for offloads in on off; do
	file=$LAB_TMP/files/$offloads
	say "  -- offloads $offloads, $(($(stat -c %s "$file") >> 20)) MiB"
	lab_offloads $offloads
	start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
	begin=$(now_ms)
	expect "download" "$(on client curl -sS --fail --max-time 120 \
		"http://$VIP:$VIP_PORT/files/$offloads" | cmp - "$file" && echo same)" same
	say "        $(($(now_ms) - begin)) ms"
	stop lb

	# shellcheck disable=SC2016 # expanded there
	start sink b1 bash -c 'nc.openbsd -l "$1" | cmp - "$2" && echo same' \
		sink 9002 "$file"
	wait_listens b1 9002
	start_l4lb lb "$VIP" 198.18.0.11 9002
	begin=$(now_ms)
	on client timeout 120 nc.openbsd -N "$VIP" "$VIP_PORT" <"$file"
	finish sink 60
	expect "upload" "$(cat "$LAB_TMP/sink.out")" same
	say "        $(($(now_ms) - begin)) ms"
	stop lb
	expect "exit status" "$STATUS" 0
done
