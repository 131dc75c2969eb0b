#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 1 GiB down and 1 GiB up, byte for byte. With offloads on these are super-
# packets of up to 64 KiB with partial checksums, with off plain frames.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool
title "1 GiB each way, offloads on and off"

lab_up lan
start_nginx b1

# In memory, on the lab's tmpfs: smaller where memory is small.
mib=1024
[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt 3000 ] || mib=128
say "  ($mib MiB)"
head -c $((mib << 20)) /dev/urandom >"$LAB_TMP/files/big"
sum=$(sha256 <"$LAB_TMP/files/big")

for offloads in on off; do
	lab_offloads $offloads
	start_l4lb lb "$VIP" 198.18.0.11 "$PORT"
	begin=$(now_ms)
	expect "download, offloads $offloads" "$(on client curl -sS --fail --max-time 120 \
		"http://$VIP:$VIP_PORT/files/big" | sha256)" "$sum"
	say "        $(($(now_ms) - begin)) ms"
	stop lb

	# shellcheck disable=SC2016 # expanded there
	start sink b1 bash -c 'nc.openbsd -l "$1" | sha256sum | cut -c 1-64' sink 9002
	wait_listens b1 9002
	start_l4lb lb "$VIP" 198.18.0.11 9002
	begin=$(now_ms)
	on client timeout 120 nc.openbsd -N "$VIP" "$VIP_PORT" <"$LAB_TMP/files/big"
	finish sink 10
	expect "upload, offloads $offloads" "$(cat "$LAB_TMP/sink.out")" "$sum"
	say "        $(($(now_ms) - begin)) ms"
	stop lb
	expect "exit status" "$STATUS" 0
done
