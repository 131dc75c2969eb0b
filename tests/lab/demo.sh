#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh - see l4lb work, in less than a minute and without touching this
# machine's network: three chat servers, one address in front of them, six
# people. Exit 0 only if every line that was said arrived at everyone on the
# same server, in order, and at nobody else.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
LAB_QUIET=1 # the verdict is the last line
need nft
need_program l4lb chat_serv chat_clnt

bold='' dim='' plain=''
[ ! -t 1 ] || bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
# The heading of a step, and what it means in the words after it.
step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
shown() { sed "s/^/    $dim/; s/\$/$plain/"; } # the output of a program

# --- the people and what they say, one after the other

PEOPLE=(alice bob carol dave erin frank)
SAYS=(
	"alice:Good morning! Who else is on this server?"
	"dave:Me. We hear each other, but not bob, who is on another one."
	"bob:Hello, is this the server of carol?"
	"erin:No, carol is on the next. Grüße, bob, 안녕하세요!"
	"carol:Three servers, one address. Nobody told us which."
	"frank:And yet every line finds its way back."
	"alice:See you, dave."
	"dave:Bye, alice."
)
LEAVES=dave
AFTER="alice:Now I talk to myself."

declare -A FD=() BACKEND=() # of each person: what is typed, which server

joins() {
	local name=$1 fd
	mkfifo "$LAB_TMP/$name.in"
	exec {fd}<>"$LAB_TMP/$name.in" # kept open: its end would mean leaving
	FD[$name]=$fd
	LAB_STDIN=$LAB_TMP/$name.in start "$name" client \
		"$L4LB_BUILD/chat_clnt" "$VIP" "$VIP_PORT" "$name"
	people=$((people + 1))
	wait_until 10 "$name to reach a server" served "$people"
	BACKEND[$name]=$(backend_of "$name")
}

# As many have come to the three servers together.
served() { [ "$(cat "$LAB_TMP"/chat?.out | grep -c ' came, ')" -eq "$1" ]; }

# The person's own port, then the flow table's line with it.
backend_of() {
	local port
	port=$(on client ss -Htnp "dport = :$VIP_PORT" |
		sed -nE "s/.* 198\.18\.0\.2:([0-9]+) .*pid=$(pid_of "$1"),.*/\1/p")
	dump l4lb | awk -v c="198.18.0.2:$port" '$2 == c { print $5 }'
}

# Whoever shares the server must get it; that all of them did is awaited, so
# that the next line is said later.
says() {
	local name=${1%%:*} text=${1#*:} other
	printf '%s\n' "$text" >&"${FD[$name]}"
	for other in "${PEOPLE[@]}"; do
		[ "${BACKEND[$other]}" = "${BACKEND[$name]}" ] || continue
		[ -n "${LAB_PID[$other]:-}" ] || continue # has left
		printf '[%s] %s\n' "$name" "$text" >>"$LAB_TMP/$other.want"
		holds_within 20 has_all "$other" || true # judged at the end
	done
}
has_all() { [ "$(wc -l <"$LAB_TMP/$1.out")" -ge "$(wc -l <"$LAB_TMP/$1.want")" ]; }

# --- the show

cat <<END

${bold}l4lb: three chat servers behind one address${plain}

    alice bob carol dave erin frank      all on the host "client", 198.18.0.2
       |    |    |    |    |    |
       +----+----+-+--+----+----+        they know one address only:
                   |
            198.18.0.1:20000             the host "lb", where l4lb runs
           /       |        \\
      b1 :9001  b2 :9001  b3 :9001       198.18.0.11, .12, .13: chat_serv

The hosts are network namespaces: private, gone when this ends.
END

people=0
lab_up lan
step "1. Three chat servers start, and l4lb in front of them"
for i in 1 2 3; do
	start chat$i b$i "$L4LB_BUILD/chat_serv" "$PORT"
	wait_log chat$i '^listening'
	echo "b$i\$ chat_serv $PORT" | shown
done
echo "lb\$ l4lb $VIP 198.18.0.11 $PORT 198.18.0.12 $PORT 198.18.0.13 $PORT" | shown
start_l4lb l4lb "$VIP" 198.18.0.11 "$PORT" 198.18.0.12 "$PORT" 198.18.0.13 "$PORT"
sed -E 's/^[^ ]+ l4lb: /  /' "$LAB_TMP/l4lb.err" | shown

step "2. Six people join: each runs  chat_clnt $VIP $VIP_PORT NICK"
for name in "${PEOPLE[@]}"; do
	joins "$name"
	printf '    %-6s ->  l4lb  ->  %s\n' "$name" "${BACKEND[$name]}"
done
echo "  The scheduler is rr, round robin: server by server, in turn."

step "3. They talk, and $LEAVES leaves"
for line in "${SAYS[@]}"; do
	says "$line"
done
printf 'q\n' >&"${FD[$LEAVES]}"
finish "$LEAVES" 10
left_status=$STATUS
says "$AFTER"
for i in 1 2 3; do
	here=()
	for name in "${PEOPLE[@]}"; do
		[ "${BACKEND[$name]}" != "198.18.0.1$i:$PORT" ] || here+=("$name")
	done
	echo "  On b$i: ${here[*]:-nobody}.${here[0]:+ What ${here[0]} saw:}"
	[ ${#here[@]} -eq 0 ] || shown <"$LAB_TMP/${here[0]}.out"
done

step "4. The flow table, as l4lb prints it at SIGUSR1 (kill -USR1 \$(pidof l4lb))"
dump l4lb >"$LAB_TMP/table"
shown <"$LAB_TMP/table"
cat <<END
  A line is a connection, seen from the middle:
    client    who connected; to the address in  vip
    nat       what the server sees instead: l4lb's own address and a port of
              its own, so the answer comes back here and needs no route
    backend   the server that was chosen, for as long as the connection lives
    state     ESTABLISHED: open. TIME_WAIT: closed by both sides ($LEAVES).
    age_s idle_s         seconds since it was opened, since its last packet
    c2s_*, s2c_*         packets, and bytes with their IP and TCP headers,
                         client to server and server to client
  Below it, for each server: weight, UP or not, flows open now, flows in all,
  and how many attempts failed.
END

step "5. The kernel kept out of it"
resets=$(counter lb TcpOutRsts)
on lb nft list ruleset | grep -E 'counter' | sed 's/^[\t ]*//' | shown
cat <<END
  l4lb's packets also reach the kernel of its host, which has no such
  connection and would answer RST: the end of it. The guard above, a table of
  l4lb's own, drops just these. Resets sent by the kernel of lb, by its own
  count (TcpOutRsts): $resets
END

step "6. Everybody leaves, l4lb ends"
statuses=$left_status
for name in "${PEOPLE[@]}"; do
	[ -n "${LAB_PID[$name]:-}" ] || continue
	printf 'q\n' >&"${FD[$name]}"
	finish "$name" 10
	statuses+=" $STATUS"
done
stop l4lb
ended=$STATUS
rules=$(on lb nft list tables | wc -l)
echo "    exit status of l4lb: $ended, of the six: $statuses; rules left on lb: $rules"

# --- the verdict

said=0 wrong=0
for name in "${PEOPLE[@]}"; do
	if ! cmp -s "$LAB_TMP/$name.want" "$LAB_TMP/$name.out"; then
		wrong=$((wrong + 1))
		echo "  $name should have seen (-) and saw (+):"
		diff -u "$LAB_TMP/$name.want" "$LAB_TMP/$name.out" | tail -n +3 | shown || true
	fi
	said=$((said + $(wc -l <"$LAB_TMP/$name.out")))
done
servers=$(printf '%s\n' "${BACKEND[@]}" | sort | uniq -c | awk '$1 == 2' | wc -l)

step "Verdict"
if [ "$wrong" -ne 0 ] || [ "$servers" -ne 3 ] || [ "$resets" -ne 0 ] ||
	[ "$ended" -ne 0 ] || [ "$statuses" != "0 0 0 0 0 0" ] || [ "$rules" -ne 0 ]; then
	echo "  FAILED: $wrong of 6 saw other lines than they should; $servers of 3" \
		"servers have 2 people; $resets resets; $rules rules left"
	exit 1
fi
echo "  WORKS: $said lines, each at everyone on the same server and at nobody else;" \
	"2 people a server; no reset."
