#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh - see l4lb work, in less than a minute and without touching this
# machine's network: three chat servers, one address in front of them, six
# people. Then the same servers as one chat, of which a server dies, Redis goes
# and comes back, and all servers are stopped. Exit 0 only if every line that
# was said arrived at everyone on the same server, in order, and at nobody else;
# and in the one chat, each once on all screens.
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

# --- the same servers as one chat

SCREENS=(ann ben cho)
TALK=30 # lines that each of them says
ENOUGH=0

chat_conf() { # I
	cat <<-END
		[chat]
		listen = $PORT
		instance = b$1
		[history]
		file = $LAB_TMP/b$1.db
	END
	[ -z "$redis" ] || cat <<-END
		[redis]
		mode = standalone
		host = $VIP
	END
}
start_redis() {
	start redis lb redis-server --bind "$VIP" --protected-mode no --save "" \
		--appendonly yes --dir "$LAB_TMP"
	wait_log redis 'Ready to accept connections'
}
where() { grep '^on ' "$LAB_TMP/$1.out" | tail -n 1 | cut -d ' ' -f 2; }
is_somewhere() { [ -n "$(where "$1")" ]; }
tell_all() { for name in "${SCREENS[@]}"; do printf '%s\n' "$1" >&"${FD[$name]}"; done; }
has_shown() { [ "$(grep -c ': ' "$LAB_TMP/$1.out")" -ge "$2" ]; }
all_have() { # COUNT: messages, each with its id
	for name in "${SCREENS[@]}"; do
		[[ "$(counted_by "$name")" == "shown=$1 ids=1-$1 "* ]] || return 1
	done
}
counted_by() {
	local before
	before=$(grep -c '^count ' "$LAB_TMP/$1.out" || true)
	echo count >&"${FD[$1]}"
	holds_within 5 counted_more "$1" "$before" || true
	grep '^count ' "$LAB_TMP/$1.out" | tail -n 1 | cut -d ' ' -f 2-
}
counted_more() { [ "$(grep -c '^count ' "$LAB_TMP/$1.out")" -gt "$2" ]; }
screens_show() {
	local name
	for name in "${SCREENS[@]}"; do
		printf '    %s on %s: %s\n' "$name" "$(where "$name")" "$(counted_by "$name")"
	done
}
judge() { # COUNT: it is right, or it is said at the end
	holds_within 20 all_have "$1" || one_chat=no
	for name in "${SCREENS[@]}"; do
		[ "$(counted_by "$name")" = "shown=$1 ids=1-$1 missing=0 twice=0" ] || one_chat=no
	done
}
page() { # what a browser gets: status and title
	on client "$PYTHON" - "http://$VIP:$VIP_PORT/" <<-'END'
		import re, sys, urllib.error, urllib.request
		request = urllib.request.Request(sys.argv[1], headers={"Accept": "text/html"})
		try:
		    answer = urllib.request.urlopen(request, timeout=5)
		except urllib.error.HTTPError as error:
		    answer = error
		except OSError as error:
		    sys.exit(str(error))
		text = answer.read().decode()
		print(answer.status, re.search("<title>(.*)</title>", text)[1])
	END
}
page_is() { page 2>/dev/null | grep -q "^$1"; }

redis=$(command -v redis-server || true) one_chat=yes
for i in 1 2 3; do stop chat$i; done
step "7. The same servers as one chat${redis:+: Redis on lb keeps the order of what is said}"
[ -z "$redis" ] || start_redis
for i in 1 2 3; do
	chat_conf $i >"$LAB_TMP/chat$i.conf"
	start chat$i b$i "$L4LB_BUILD/chat_serv" -c "$LAB_TMP/chat$i.conf"
	wait_log chat$i "$([ -n "$redis" ] && echo '^redis: up' || echo '^listening')"
done
start sorry lb "$L4LB_BUILD/chat_serv" --sorry 9009
wait_log sorry '^listening'
cat >"$LAB_TMP/chat.conf" <<-END
	[service chat]
	listen = $VIP:$VIP_PORT
	check = http GET /health
	interval = 300ms
	backend = 198.18.0.11:$PORT
	backend = 198.18.0.12:$PORT
	backend = 198.18.0.13:$PORT
	backend = $VIP:9009 backup
END
start_l4lb balancer --config "$LAB_TMP/chat.conf"
echo "  On lb as well: chat_serv --sorry 9009, for when no server is left."

if [ -z "$redis" ]; then
	echo "  No redis-server here (make deps), so three chats apart: steps 8, 9 not shown."
else
	for name in "${SCREENS[@]}"; do
		mkfifo "$LAB_TMP/$name.in"
		exec {fd}<>"$LAB_TMP/$name.in"
		FD[$name]=$fd
		LAB_STDIN=$LAB_TMP/$name.in start "$name" client \
			"$PYTHON" "$LAB_DIR/screen.py" "$VIP" "$VIP_PORT" "$name"
		wait_until 10 "$name to be in the room" is_somewhere "$name"
		printf '    %-6s ->  l4lb  ->  %s\n' "$name" "$(where "$name")"
	done

	ENOUGH=$((3 * TALK))
	step "8. They talk, $TALK lines each, and the server of b2 dies: kill -9"
	tell_all "talk $TALK 0.05"
	wait_until 20 "a third of it" has_shown ann $TALK
	stop chat2 KILL
	judge $ENOUGH
	screens_show
	echo "  Each screen counts the ids that it has shown: none is missing, none came"
	echo "  twice. ben was on b2; he came back to another server, with his last id."

	step "9. Redis is stopped; they go on; Redis comes back"
	stop redis
	tell_all "say Redis is away"
	for name in "${SCREENS[@]}"; do # at once: the own server shows it
		wait_until 20 "$name to see the own line" grep -q "^$name: Redis is away" "$LAB_TMP/$name.out"
	done
	start_redis
	ENOUGH=$((ENOUGH + 3))
	judge $ENOUGH
	screens_show
	echo "  What was said meanwhile was shown on the speaker's server, and now has its id"
	echo "  and its place on all screens."
	for name in "${SCREENS[@]}"; do stop "$name"; done
fi

step "10. All servers are stopped"
echo "    before: $(page)"
for i in 1 3; do stop chat$i; done
[ -z "${LAB_PID[chat2]:-}" ] || stop chat2
holds_within 10 page_is 503 || one_chat=no
echo "    after:  $(page || true)"
echo "  The page reloads itself every five seconds until a server is back."
stop balancer

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
	[ "$ended" -ne 0 ] || [ "$statuses" != "0 0 0 0 0 0" ] || [ "$rules" -ne 0 ] ||
	[ "$one_chat" != yes ]; then
	echo "  FAILED: $wrong of 6 saw other lines than they should; $servers of 3" \
		"servers have 2 people; $resets resets; $rules rules left; one chat: $one_chat"
	exit 1
fi
echo "  WORKS: $said lines, each at everyone on the same server and at nobody else;" \
	"2 people a server; no reset."
[ -z "$redis" ] ||
	echo "  One chat: $ENOUGH lines, ids 1 to $ENOUGH, each once on three screens, though a" \
		"server and Redis died."
