#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody who cannot see a connection sends RST, FIN and SYN in the name of
# either end, with sequence numbers that are wrong: nothing happens to it. With
# the right one it is over, or for a FIN that direction of it.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "blind RST, FIN and SYN"

B1=198.18.0.11

# --- what l4lb says of itself: one dump into $LAB_TMP/dump, its counters' line
# into $COUNTERS

look() {
	local before
	before=$(counter_lines lb)
	dump lb >"$LAB_TMP/dump"
	wait_until 10 "l4lb's counters" more_counters lb "$before"
	COUNTERS=$(grep ' bad-rst=' "$LAB_TMP/lb.err" | tail -n 1)
}
value() { sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" <<<"$COUNTERS"; }
state() { awk -v c="$CLIENT:$1" '/^# backend / { exit } $2 == c { print $6 }' "$LAB_TMP/dump"; }
has_state() { look; [ "$(state "$1")" = "$2" ]; }
counts() { look; [ "$(value "$1")" -ge "$2" ]; }

# --- one connection: its ports, and what either end sends next

# connect NAME: held open, with a line exchanged; sets CPORT, NAT, CSEQ, BSEQ.
connect() {
	capture "wire-$1" client eth0 "tcp port $VIP_PORT"
	start_hold "$1" client "$VIP" "$VIP_PORT" 1
	exchange "$1"
	capture_end "wire-$1"
	read -r CPORT CSEQ BSEQ < <(packets "wire-$1" | last_word)
	look
	NAT=$(awk -v c="$CLIENT:$CPORT" '$2 == c { sub(".*:", "", $4); print $4 }' "$LAB_TMP/dump")
	expect "$1: from $CLIENT:$CPORT, by way of NAT port $NAT" "$(state "$CPORT")" ESTABLISHED
}
# The client's port, and the sequences that it and the backend send next.
last_word() {
	awk -v c="$CLIENT:" '
		index($2, c) == 1 { port = substr($2, length(c) + 1); client = $6 + $8; next }
		{ backend = $6 + $8 }
		END { printf "%s %.0f %.0f\n", port, client, backend }'
}

declare -A SAID=()
exchange() { # NAME: a line there and back
	SAID[$1]=$((${SAID[$1]:-0} + 1))
	tell "$1" "say word ${SAID[$1]}" '^said' "${SAID[$1]}"
	expect "  $1: a line there and back" "$(tail -n 1 "$LAB_TMP/$1.out")" "said echo1=1"
}

# forge: segments from the other host on the wire; see forge.py
forge() {
	local n
	tee -a "$LAB_TMP/all" >"$LAB_TMP/forged"
	n=$(wc -l <"$LAB_TMP/forged")
	expect "  forged" "$(on b3 "$PYTHON" "$LAB_DIR/forge.py" eth0 "$(lab_mac "$VIP")" \
		<"$LAB_TMP/forged")" "sent $n"
}
as_client() { printf '%s %s %s %s %s %s %s\n' "$CLIENT" "$CPORT" "$VIP" "$VIP_PORT" "$@"; }
as_backend() { printf '%s %s %s %s %s %s %s\n' "$B1" "$PORT" "$VIP" "$NAT" "$@"; }

lab_up lan
start_echo echo1 b1 "$B1" "$PORT"
# No checks: theirs would be among the counters.
cat >"$LAB_TMP/lb.conf" <<-CONF
	[service echo]
	listen = $VIP:$VIP_PORT
	check = none
	backend = $B1:$PORT
CONF
start_l4lb lb --state none --config "$LAB_TMP/lb.conf"

connect held
# Where the next byte is expected there may be anything but a guess: inside the
# window, just before it, far away on either side.
WRONG=(1 1000 30000 -1 -1000 1000000000 -1000000000 2147483647)

rst0=$(value bad-rst)
{
	for off in "${WRONG[@]}"; do
		as_client R $((CSEQ + off)) 0
		as_client RA $((CSEQ + off)) "$BSEQ"
		as_backend R $((BSEQ + off)) 0
		as_backend RA $((BSEQ + off)) "$CSEQ"
	done
} | forge
wait_until 10 "l4lb to count them" counts bad-rst $((rst0 + 4 * ${#WRONG[@]}))
expect "RST with wrong sequence numbers, from either end: bad-rst" \
	"$(value bad-rst)" $((rst0 + 4 * ${#WRONG[@]}))
expect "  state" "$(state "$CPORT")" ESTABLISHED
# What comes next moves the sequence: both stand for the next forgeries.
moved() { # NAME BYTES THERE BYTES BACK
	exchange "$1"
	CSEQ=$((CSEQ + $2)) BSEQ=$((BSEQ + $3))
}
line() { printf 'word %s\n' $((SAID[held] + 1)) | wc -c; }
there=$(line)
moved held "$there" $((there + 6)) # "echo1 " before it

# A guess must hit the window and the acknowledgement, both.
FAR=(1000000000 -1000000000 2147483647)
oow0=$(value out-of-window)
{
	for off in "${FAR[@]}"; do
		as_client FA $((CSEQ + off)) "$BSEQ"
		as_client FA "$CSEQ" $((BSEQ + off))
		as_client FA $((CSEQ + 1000)) $((BSEQ + off))
		as_client F $((CSEQ + off)) 0
		as_backend FA $((BSEQ + off)) "$CSEQ"
		as_backend FA "$BSEQ" $((CSEQ + off))
		as_backend FA $((BSEQ + 1000)) $((CSEQ + off))
		as_backend F $((BSEQ + off)) 0
	done
} | forge
wait_until 10 "l4lb to count them" counts out-of-window $((oow0 + 6 * ${#FAR[@]}))
expect "FIN with wrong numbers, from either end: out-of-window" \
	"$(value out-of-window)" $((oow0 + 6 * ${#FAR[@]}))
expect_true "  FIN without ACK, which no TCP sends: dropped, counted" \
	grep -q "bad-tcp $((2 * ${#FAR[@]}))\b" <<<"$COUNTERS"
expect "  state" "$(state "$CPORT")" ESTABLISHED
there=$(line)
moved held "$there" $((there + 6))

# The backend's SYN-ACKs go to the client, which challenges them, its SYNs to
# nobody; the client's l4lb challenges itself, at most twice a second, for it
# must not lose the flow to them. Only one that ends where its side does may be a
# copy of the connection's own, and is passed on.
wrong_way() { sed -n 's/.*[(, ]wrong-way \([0-9]*\).*/\1/p' <<<"$COUNTERS"; }
oow0=$(value out-of-window) consumed0=$(value consumed)
SYNS=(0 1 1000 30000 -1000 1000000000 -1000000000 2147483647)
{
	as_client S $((CSEQ - 1)) 0
	as_backend S $((BSEQ - 1)) 0
	as_backend SA $((BSEQ - 1)) "$CSEQ"
} | forge
{
	for off in "${SYNS[@]}"; do
		as_client S $((CSEQ + off)) 0
		as_backend S $((BSEQ + off)) 0
		as_backend SA $((BSEQ + off)) "$CSEQ"
	done
} | forge
n=${#SYNS[@]}
wait_until 10 "l4lb to count them" counts out-of-window $((oow0 + n))
wait_until 10 "l4lb to challenge the client's" counts consumed $((consumed0 + n))
# Of the three before, some may count, too.
oow=$(($(value out-of-window) - oow0))
expect_true "SYN from either end: $oow out-of-window (the backend's, with ACK)" \
	[ $oow -ge "$n" -a $oow -le $((n + 2)) ]
expect "  the backend's without, dropped and counted" "$(wrong_way)" $((n + 1))
expect "  state" "$(state "$CPORT")" ESTABLISHED
there=$(line)
moved held "$there" $((there + 6))

# Two thousand guesses all over the sequence space, paced as l4lb counts them.
rst0=$(value bad-rst)
for part in 0 1 2 3; do
	for ((i = 0; i < 250; i++)); do
		off=$((1 + (part * 250 + i) * 4294967))
		as_client R $((CSEQ + off)) 0
		as_backend R $((BSEQ + off)) 0
	done | forge
	wait_until 10 "l4lb to count them" counts bad-rst $((rst0 + (part + 1) * 500))
done
expect "2000 RSTs all over the sequence space: bad-rst" \
	"$(value bad-rst)" $((rst0 + 2000))
expect "  state" "$(state "$CPORT")" ESTABLISHED
there=$(line)
moved held "$there" $((there + 6))
say "        $(wc -l <"$LAB_TMP/all") forged, the connection goes on"

# --- the right one, in the client's name
rst0=$(value bad-rst)
as_client R "$CSEQ" 0 | forge
wait_until 10 "the RST to be believed" has_state "$CPORT" RESET
expect "RST at exactly the next sequence, as the client: state" "$(state "$CPORT")" RESET
expect "  bad-rst, as before" "$(value bad-rst)" "$rst0"
has_none() { [ -z "$(on "$1" ss -Htn state established "$2")" ]; }
wait_until 10 "the backend to close" has_none b1 "sport = :$PORT"
ok "  the backend's connection is gone at once"
tell held 'say more' '^said' $((SAID[held] + 1))
expect_true "  the client learns when it speaks: $(tail -n 1 "$LAB_TMP/held.out")" \
	grep -q '^said Connection.*=1$' "$LAB_TMP/held.out"

# --- and in the backend's
connect other
as_backend R "$BSEQ" 0 | forge
wait_until 10 "the RST to be believed" has_state "$CPORT" RESET
expect "RST at exactly the next sequence, as the backend: state" "$(state "$CPORT")" RESET
wait_until 10 "the client to close" has_none client "dst $VIP"
ok "  the client's connection is gone at once"

# --- FIN: at the right place it ends what its side says, and nothing else
socket() { # HOST PORT PEER'S PORT: its state
	on "$1" ss -Htan "sport = :$2 and dport = :$3" | cut -d ' ' -f 1
}
has_socket() { [ "$(socket "$1" "$2" "$3")" = "$4" ]; }
fin() { # as_client|as_backend SEQ ACK: far from there, then there
	local off oow0
	oow0=$(value out-of-window)
	for off in "${FAR[@]}"; do "$1" FA $(($2 + off)) "$3"; done | forge
	wait_until 10 "l4lb to count them" counts out-of-window $((oow0 + ${#FAR[@]}))
	expect "FIN far from the next sequence, $1: state" "$(state "$CPORT")" ESTABLISHED
	expect "  client, backend" \
		"$(socket client "$CPORT" "$VIP_PORT") $(socket b1 "$PORT" "$NAT")" "ESTAB ESTAB"
	"$1" FA "$2" "$3" | forge
}

connect heard # by a client that keeps its own side open
fin as_backend "$BSEQ" "$CSEQ"
wait_until 10 "the FIN to be believed" has_state "$CPORT" FIN_WAIT
wait_until 10 "the client's kernel to take it" has_socket client "$CPORT" "$VIP_PORT" CLOSE-WAIT
expect "FIN at the next sequence, as the backend: state" "$(state "$CPORT")" FIN_WAIT
expect "  the backend's connection" "$(socket b1 "$PORT" "$NAT")" ESTAB
tell heard 'say more' '^said' $((SAID[heard] + 1))
expect "  the client's program reads nothing, which is the end of file" \
	"$(tail -n 1 "$LAB_TMP/heard.out")" "said ValueError(said 'more', got [])=1"
# It would send that again and again, also while the next one is captured.
as_backend R $((BSEQ + 1)) 0 | forge
wait_until 10 "the client to close" has_none client "dst $VIP"

# The server closes at the end of file. What it sends then acknowledges a FIN
# that the client knows nothing of, so its kernel takes no notice.
connect spoken
fin as_client "$CSEQ" "$BSEQ"
wait_until 10 "both FINs to be believed" has_state "$CPORT" CLOSING
wait_until 10 "the server to close" has_socket b1 "$PORT" "$NAT" LAST-ACK
expect "FIN at the next sequence, as the client, and the server's: state" \
	"$(state "$CPORT")" CLOSING
expect "  client, backend" \
	"$(socket client "$CPORT" "$VIP_PORT") $(socket b1 "$PORT" "$NAT")" "ESTAB LAST-ACK"

resets=$(counter lb TcpOutRsts)
stop lb
expect "  exit status" "$STATUS" 0
expect "  RST sent by the balancer's kernel" "$resets" 0
