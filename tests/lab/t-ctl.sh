#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# l4lbctl against a real l4lb: every subcommand, what it shows and changes, and
# what it says when it cannot.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft nginx
need_program l4lb
need_program l4lbctl
title "l4lbctl: every subcommand, by its shape and its effect"

lab_up lan
for n in 1 2 3; do start_nginx b$n; done
cat >"$LAB_TMP/l4lb.conf" <<-END
	[global]
	name = main
	[service chat]
	listen = $VIP:20000
	scheduler = wrr
	check = http GET /
	interval = 200ms
	backend = 198.18.0.11:9001 weight=2
	backend = 198.18.0.12:9001
	backend = 198.18.0.13:9001 backup id=spare
END

# In 80 columns. The exit code is in $CODE, what it wrote in $OUT and $ERR.
ctl() { # WORDS...
	CODE=0
	on lb env COLUMNS=80 LC_ALL=C.UTF-8 TZ=UTC "$L4LB_BUILD/l4lbctl" "$@" \
		</dev/null >"$LAB_TMP/ctl.out" 2>"$LAB_TMP/ctl.err" || CODE=$?
	OUT=$(cat "$LAB_TMP/ctl.out")
	ERR=$(cat "$LAB_TMP/ctl.err")
}
done_ok() {
	ctl "$@"
	[ "$CODE$ERR" = 0 ] || fail "l4lbctl $*" "exit $CODE: $ERR"
}
# shows WORDS... <<END: the shape of its output (shape.py).
shows() {
	local want
	want=$(cat)
	done_ok "$@"
	[ "$("$PYTHON" "$LAB_DIR/shape.py" <<<"$OUT")" = "$want" ] ||
		fail "l4lbctl $*: another shape" "$want" "---- seen:" "$OUT"
	expect_true "l4lbctl $*: its shape, in 80 columns" \
		awk 'length > 80 { exit 1 }' "$LAB_TMP/ctl.out"
}
says() { # WORDS... -- TEXT
	local words=()
	while [ "$1" != -- ]; do words+=("$1"); shift; done
	done_ok "${words[@]}"
	[ "$OUT" = "$2" ] || fail "l4lbctl ${words[*]}" "expected: $2" "seen:     $OUT"
	ok "l4lbctl ${words[*]}: $OUT"
}
refuses() { # CODE REGEX WORDS...
	local code=$1 regex=$2
	shift 2
	ctl "$@"
	[ "$CODE$OUT" = "$code" ] ||
		fail "l4lbctl $*" "expected: exit $code" "seen: exit $CODE, $OUT $ERR"
	grep -Eq -- "$regex" <<<"$ERR" ||
		fail "l4lbctl $*" "expected: $regex" "seen:     $ERR"
	ok "l4lbctl $*: exit $CODE: ${ERR#l4lbctl: }"
}
# of WHAT.. a value of the JSON that l4lbctl passes on: value 'EXPRESSION OF d' WORDS
value() {
	local expression=$1
	shift
	done_ok --json "$@"
	"$PYTHON" -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' \
		"$expression" <<<"$OUT"
}
health_is() { [ "$(value "[b['health'] for b in d if b['id'] == '$1']" backend list)" = "['$2']" ]; }
fetch() { # HOW MANY
	local i
	for ((i = 0; i < $1; i++)); do
		on client curl -s "http://$VIP:20000/" >>"$LAB_TMP/pages"
	done
}

say "  -- nobody there"
refuses 3 'nobody answers in /run/l4lb' status
start_l4lb lb --config "$LAB_TMP/l4lb.conf"
answers() { on lb "$L4LB_BUILD/l4lbctl" "$@" service list >"$LAB_TMP/answered" 2>&1; }
wait_until 20 "the API" answers
for id in backend1 backend2 spare; do
	wait_until 20 "$id to be up" health_is $id up
done

say "  -- looking"
fetch 30
start_hold held client "$VIP" 20000 3
shows status <<'END'
l4lb main up N generation N flows N/N N conns N failed

SERVICE chat 198.18.0.1:20000 wrr check http N of N up
ID ADDRESS W ADMIN HEALTH FLOWS TOTAL BYTES FAIL SHAKE RETX
backend1 198.18.0.11:9001 N enabled up N N N N N N
backend2 198.18.0.12:9001 N enabled up N N N N N N
spare 198.18.0.13:9001 N backup up N N N N - -
END
shows status --rate <<'END'
l4lb main up N generation N flows N/N N conn/s N failed

SERVICE chat 198.18.0.1:20000 wrr check http N of N up
ID ADDRESS W ADMIN HEALTH FLOWS CONN/S Mbit/s FAIL SHAKE RETX
backend1 198.18.0.11:9001 N enabled up N N N N N N
backend2 198.18.0.12:9001 N enabled up N N N N N N
spare 198.18.0.13:9001 N backup up N N N N - -
END
shows service list <<'END'
SERVICE LISTEN SCHEDULER CHECK UP FLOWS TOTAL FAIL
chat 198.18.0.1:20000 wrr http N/N N N N
END
shows flows state=ESTABLISHED <<'END'
FLOW CLIENT NAT BACKEND STATE AGE IDLE SENT GOT
N 198.18.0.2:PORT N backend1 ESTABLISHED N N N N
N 198.18.0.2:PORT N backend2 ESTABLISHED N N N N
N 198.18.0.2:PORT N backend1 ESTABLISHED N N N N
END
shows flows state=ESTABLISHED backend=backend2 'age<1h' --all <<'END'
FLOW CLIENT NAT BACKEND STATE AGE IDLE SENT GOT
N 198.18.0.2:PORT N backend2 ESTABLISHED N N N N
END
expect "--limit" "$(value "len(d['flows'])" flows --limit 2)" 2
expect "all of them, a line each" "$(done_ok --json flows --all && wc -l <"$LAB_TMP/ctl.out")" \
	"$(value "len(d['flows'])" flows)"
flow=$(value "d['flows'][0]['id']" flows state=ESTABLISHED backend=backend2)
shows flow "$flow" <<'END'
flow N chat ESTABLISHED age N idle N
client 198.18.0.2:PORT -> 198.18.0.1:20000
backend 198.18.0.1:PORT -> 198.18.0.12:9001 (backend2)
PACKETS BYTES RETRANSMITS
to backend N N N
to client N N N
handshake N, first byte -
N backend2 opened: wrr
END
says flow "$flow" kill -- "flow $flow is reset"
refuses 1 "there is no flow 987654321" flow 987654321
refuses 1 'flow "x": expected its number' flow x
refuses 1 'state' flows state=OPEN

say "  -- backends"
says backend drain backend2 for=5m then=reset -- \
	"backend2  198.18.0.12:9001 of chat: drain, up, weight 1, $(value \
		"[b['active_connections'] for b in d if b['id'] == 'backend2'][0]" backend list) connections"
expect "it is drained" "$(value "[b['admin'] for b in d]" backend list)" "['enabled', 'drain', 'enabled']"
done_ok backend enable chat backend2
done_ok backend disable 198.18.0.12:9001
done_ok backend enable backend2
expect "and back" "$(value "[b['admin'] for b in d]" backend list)" "['enabled', 'enabled', 'enabled']"
done_ok backend weight backend1 5
expect "its weight" "$(value "d[0]['weight']" backend list)" 5
says backend add 198.18.0.11:9002 weight=2 id=new --dry-run -- \
	"backend add chat 198.18.0.11:9002 weight=2 id=new"
expect "a dry run adds none" "$(value 'len(d)' backend list)" 3
done_ok backend add 198.18.0.11:9002 weight=2 id=new
wait_until 20 "it to be down" health_is new down
shows backend show new <<'END'
new 198.18.0.11:9002 of chat
admin enabled
weight N
health down for N; down N time, N in all
last check connection refused, took N
breaker closed
connections N open, N in all, N failed
bytes N to it, N from it
retransmits N to it, N from it
handshake last -, average -, half below -, N below -
first byte last -, average -, half below -, N below -
last event TIME down: connection refused, N checks in a row
END
says backend remove new -- "new is removed"
refuses 1 'no backend|not known' backend drain new
refuses 1 'weight' backend weight backend1 100000
refuses 1 'known|exists|already' backend add 198.18.0.11:9001
generation=$(value "d['generation']" status)
refuses 1 'rubbish|then' backend remove backend1 then=rubbish
refuses 1 'weight' raw 'backend set chat backend1 weight=3' 'backend set chat backend2 weight=x'
expect "what is refused changes nothing" "$(value "d['generation']" status)" "$generation"

say "  -- services, keys, commands"
done_ok service add dns "listen=$VIP:53" check=tcp
done_ok backend add dns 198.18.0.12:53
refuses 1 'service' backend add 198.18.0.12:54
done_ok service set dns name=names 'check=http GET / expect 200-204'
expect "its new name" "$(value "[s['name'] for s in d]" service list)" "['chat', 'names']"
done_ok set idle_timeout=2h keepalive=off
done_ok service remove names then=reset
refuses 1 'service "names" is not known' service set names fall=2
done_ok raw show
grep -q 'set idle_timeout=2h' <<<"$OUT" || fail "raw show" "$OUT"
ok "raw: $(grep -c . <<<"$OUT") lines of show"
done_ok raw 'backend set chat backend1 weight=3' 'set keepalive=20s'

say "  -- the file"
done_ok diff
expect "diff: what was changed at run time" "$(sort <<<"$OUT" | xargs)" \
	"backend set chat backend1 weight=3 set idle_timeout=2h keepalive=20s"
says save -- "saved in /var/lib/l4lb/main.changes"
expect_true "and it is there" [ -s /var/lib/l4lb/main.changes ]
done_ok save --print
grep -v '^\[global\]' <<<"$OUT" >"$LAB_TMP/rest"
printf '%s\n' "$OUT" >"$LAB_TMP/printed.conf"
expect "save --print is a file" \
	"$(on lb "$L4LB_BUILD/l4lb" --check --config "$LAB_TMP/printed.conf")" \
	"l4lb: the configuration is right: 1 service"
says reload --dry-run -- "nothing would change
kept: idle_timeout=2h (set at run time)
kept: keepalive=20s (set at run time)
kept: backend1 weight=3 (set at run time)"
sed -i 's/^interval = .*/interval = 300ms/' "$LAB_TMP/l4lb.conf"
says reload --dry-run -- "service set chat interval=300ms
kept: idle_timeout=2h (set at run time)
kept: keepalive=20s (set at run time)
kept: backend1 weight=3 (set at run time)"
done_ok reload
grep -q '^service set chat interval=300ms$' <<<"$OUT" || fail "reload" "$OUT"
done_ok reload --reset
done_ok diff
expect "after reload --reset" "$OUT" "nothing was changed at run time"
echo 'bakend = 1' >>"$LAB_TMP/l4lb.conf"
refuses 1 'l4lb.conf:[0-9]+: ' reload
sed -i '$d' "$LAB_TMP/l4lb.conf"

say "  -- events"
done_ok events kind=operator
grep -q 'changed: backend drain chat backend2 for=300s then=reset  (by uid:0)' <<<"$OUT" ||
	fail "events have who did what" "$OUT"
ok "$(grep -m 1 'drain' <<<"$OUT")"
start follow lb "$L4LB_BUILD/l4lbctl" events -f --json
wait_log follow '"seq"'
done_ok backend weight backend2 7
wait_log follow 'weight=7'
ok "events -f: $(grep -m 1 'weight=7' "$LAB_TMP/follow.out")"
stop follow

say "  -- which balancer"
start_l4lb other --name other --nat-ports 33000-40000 -p 8080 "$VIP" 198.18.0.11 9001
wait_until 20 "its API" answers -n other
refuses 2 'main, other; choose one with -n NAME' status
done_ok -n other status
grep -q '^l4lb other ' <<<"$OUT" || fail "-n other" "$OUT"
refuses 3 'no l4lb named "third" answers; there is main, other' -n third status
done_ok --json --socket /run/l4lb/main.sock status
says -n other stop -- "l4lb has ended"
finish other 20
expect "stop: its exit status" "$STATUS" 0
if awk '{ n += $3 } END { exit n < 2 }' /proc/self/uid_map; then
	CODE=0
	on lb setpriv --reuid 65534 --clear-groups "$L4LB_BUILD/l4lbctl" status \
		>"$LAB_TMP/ctl.out" 2>"$LAB_TMP/ctl.err" || CODE=$?
	expect "another user" "$CODE $(cat "$LAB_TMP/ctl.err")" \
		"1 l4lbctl: /run/l4lb: only root and l4lb's own user may ask there; run it with sudo"
fi
says stop -- "l4lb has ended"
finish lb 20
expect "what is left in /run/l4lb" "$(ls /run/l4lb)" ""
expect "  and of the guard" "$(on lb nft list tables | grep -c l4lb || true)" 0
refuses 3 'nobody answers in /run/l4lb' status
