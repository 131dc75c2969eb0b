#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How much SYN flood l4lb, and HAProxy behind the kernel's SYN cookies, carry in
# this lab, where flood, balancer, backends and clients share the processors:
# a table in markdown.
#
#	flood-curve.sh [OUTFILE]
#
# Without a file it goes to stdout. A file that has the two marker lines
# (docs/reliability.md) keeps all but what is between them. RATES names the SYNs
# a second. About two minutes; nothing else should load the machine.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=flood.sh
. "$LAB_DIR/flood.sh"
need nft haproxy
OUTFILE=${1:-}
read -ra RATES <<<"${RATES:-10000 20000 40000 60000 80000 120000 160000}"
SECONDS_EACH=5 HONEST_PER_S=20
HONEST=$((SECONDS_EACH * HONEST_PER_S))
BEGIN='<!-- made by tests/lab/flood-curve.sh: begin -->'
END='<!-- made by tests/lab/flood-curve.sh: end -->'

begin_l4lb() {
	start_l4lb lb --state none "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" \
		198.18.0.13 "$PORT"
}
begin_haproxy() {
	local i
	{
		printf 'global\n\tmaxconn 9000\ndefaults\n\tmode tcp\n'
		printf '\ttimeout connect 1s\n\ttimeout client 1h\n\ttimeout server 1h\n'
		printf 'listen echo\n\tbind :%s backlog 4096\n' "$VIP_PORT"
		for i in 1 2 3; do printf '\tserver b%d 198.18.0.1%d:%s check\n' $i $i "$PORT"; done
	} >"$LAB_TMP/haproxy.cfg"
	on lb sysctl -qw net.ipv4.tcp_syncookies=1
	start lb lb haproxy -db -f "$LAB_TMP/haproxy.cfg"
	wait_listens lb "$VIP_PORT"
}

# How many SYNs l4lb gave to backends, of those that came: what its ring had no
# room for, and what it looked at and dropped, it did not.
carried() {
	awk '
		match($0, /syn-overload [0-9]+/) { over = substr($0, RSTART + 13) + 0 }
		/capture total / { split($0, part, /syns=|syn_drops=/); came = part[2] + 0; lost = part[3] + 0 }
		END { printf "%d", came - lost - over }' "$LAB_TMP/lb.err"
}

ROWS=()
measure() { # WHO RATE
	local sent ms carried='-'
	"begin_$1"
	slowest_round=0
	hold_some
	slowest_round=0
	start_flood flood "$2" $(($2 * SECONDS_EACH))
	start_honest honest $HONEST $HONEST_PER_S
	while is_running flood; do exchange; done
	finish flood 30
	read -r _ sent _ ms <"$LAB_TMP/flood.out"
	finish honest 60
	exchange
	release
	stop lb
	[ "$1" != l4lb ] || carried=$(($(carried) * 1000 / ms))
	ROWS+=("| $1 | $2 | $((sent * 1000 / ms)) | $(visited honest 3000) | $(slowest honest) | $slowest_round | $carried |")
	ok "${ROWS[-1]}"
}

table() {
	printf '%s processor cores, Linux %s; %s.\n\n' "$(nproc)" "$(uname -r)" "$(date -u +%F)"
	printf '| | SYN/s asked for | sent | honest of %d served within 3 s | slowest connect, ms ' $HONEST
	printf '| slowest round of %d established, ms | SYN/s given to backends |\n' $HELD
	printf '|---|---|---|---|---|---|---|\n'
	printf '%s\n' "${ROWS[@]}"
}

title "SYN floods of ${RATES[*]} a second, $SECONDS_EACH s each"
flood_up
for rate in "${RATES[@]}"; do
	measure l4lb "$rate"
	measure haproxy "$rate"
done
table >"$LAB_TMP/table"
put_table "$LAB_TMP/table" "$OUTFILE" "$BEGIN" "$END"
