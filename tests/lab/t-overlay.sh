#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was changed at run time outlives kill -9 together with its connections,
# and an edited file, and a reboot if it was saved. A file of changes that is
# damaged, of a later version or somebody else's does not stop a start.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
title "changes at run time: killed, restarted, edited, damaged, saved"

lab_up lan
CHANGES=/run/l4lb/chat.changes SAVED=/var/lib/l4lb/chat.changes
for n in 1 2 3; do start_echo "e$n" "b$n" "198.18.0.1$n" "$PORT"; done
ch() { on lb "$PYTHON" "$LAB_DIR/channel.py" /run/l4lb/chat.control "$@"; }
write_conf() { # BACKEND-LINES
	printf '[global]\nname = chat\nguard = %s\nclosed_timeout = 3s\n[service chat]\nlisten = %s:%s\n' \
		"$GUARD" "$VIP" "$VIP_PORT" >"$LAB_TMP/chat.conf"
	printf 'backend = %s\n' "$@" >>"$LAB_TMP/chat.conf"
}
status_has() { grep -q "$1" <<<"$(ch status)"; }
start_it() { start_l4lb lb --config "$LAB_TMP/chat.conf"; }
backends() { ch status | awk '$1 == "backend" && /state=live/ { print $4, $7 }' | xargs; }
answers() { # WHO=N...
	round=$((${round:-0} + 1))
	tell hold "say round $round" "^said" "$round"
	tail -n 1 "$LAB_TMP/hold.out"
}

GUARD=keep
write_conf "198.18.0.11:$PORT"
start_it
expect_false "without changes there is a file" [ -e "$CHANGES" ]
ch "backend add chat 198.18.0.12:$PORT weight=3" "set mss_clamp=1400" >/dev/null
expect_true "changes, a file" [ -s "$CHANGES" ]
expect "  of mode" "$(stat -c %a "$CHANGES")" 600
wait_until 10 "b2 takes connections" status_has '198.18.0.12.*health=up'
start_hold hold client "$VIP" "$VIP_PORT" 8
answers >/dev/null
spread=$(answers)

stop lb KILL
start_it
expect "killed: the backend of run time is there" "$(backends)" \
	"198.18.0.11:$PORT weight=1 198.18.0.12:$PORT weight=3"
expect "  so are its connections" "$(answers)" "$spread"
expect "  and the other key" "$(ch show | grep -o 'mss_clamp=1400')" "mss_clamp=1400"

# A removed one leaves as it was told to, also after a crash.
ch "backend remove chat backend2 then=keep" >/dev/null
stop lb KILL
start_it
expect "removed and killed: gone from the configuration" "$(backends)" "198.18.0.11:$PORT weight=1"
expect "  its connections go on" "$(answers)" "$spread"

# The file says something else meanwhile.
ch "backend set chat backend1 weight=5" "backend add chat 198.18.0.12:$PORT weight=2" >/dev/null
stop lb KILL
write_conf "198.18.0.11:$PORT" "198.18.0.13:$PORT"
start_it
expect "edited: what the file does not touch stays, what it adds comes" "$(backends | tr ' ' '\n' | paste - - | sort | xargs)" \
	"198.18.0.11:$PORT weight=5 198.18.0.12:$PORT weight=2 198.18.0.13:$PORT weight=1"
expect "  the connections go on" "$(answers)" "$spread"
ch "backend set chat backend1 weight=1" "backend remove chat 198.18.0.12:$PORT then=keep" \
	"set mss_clamp=off" >/dev/null

# A start of the same name that fails takes nothing away.
start second lb "$L4LB_BUILD/l4lb" --config "$LAB_TMP/chat.conf" --state none --guard auto
finish second 20
expect "a second one of that name ends" "$STATUS" 1
expect_true "  and the changes stay" [ -s "$CHANGES" ]

# Nothing of it may stop a start.
spoilt() { # WHAT WORDS
	stop lb KILL
	"$3"
	start_it
	wait_log lb "$2"
	expect "$1: it starts as the file says" "$(ch status | grep -c "^backend.*state=live")" 2
	expect_true "  and nothing is overwritten" eval "[ -e $CHANGES.damaged ] || [ -L $CHANGES.damaged ]"
	rm -rf "$CHANGES.damaged"
	ch "backend set chat backend1 weight=2" >/dev/null
	ch "backend set chat backend1 weight=1" >/dev/null
}
garbage() { head -c 3000 /dev/urandom >"$CHANGES"; }
cut_off() { printf 'l4lb-changes 1\nbase service add ch' >"$CHANGES"; }
later() { printf 'l4lb-changes 2\nbackend add chat 198.18.0.12:9001\n' >"$CHANGES"; }
wrong() { printf 'l4lb-changes 1\nbase service add chat listen=198.18.0.1:20000\nbackend set chat nobody weight=3\n' >"$CHANGES"; }
a_link() { rm -f "$CHANGES" && ln -s /etc/passwd "$CHANGES"; }
for_all() { printf 'l4lb-changes 1\n' >"$CHANGES" && chmod 666 "$CHANGES"; }
spoilt "noise" "changes made at run time are lost" garbage
spoilt "cut off" "changes made at run time are lost" cut_off
spoilt "of a later version" "not written by this version" later
spoilt "a command that cannot be" "nobody" wrong
spoilt "a link" "symbolic link" a_link
spoilt "writable for all" "others may write" for_all
expect "the link's target is as it was" "$(grep -c '^root:' /etc/passwd)" 1

# A word that the channel does not know: it says which ones it does.
expect_true "an unknown command" grep -q '^error invalid unknown command "shwo"; expected set, .* show, .* flow kill ID$' \
	<<<"$(ch shwo || true)"

# Where it cannot be written, nothing is changed.
mkdir "$CHANGES.new" # no file can be created under this name
was=$(ch show)
expect "not written: refused" "$({ ch "backend add chat 198.18.0.99:$PORT" || true; } | cut -d ' ' -f 1,2)" "error refused"
expect "  nothing has changed" "$(ch show)" "$was"
expect_false "  the guard knows the backend" eval "on lb nft list set ip l4lb_chat backends | grep -q 198.18.0.99"
rmdir "$CHANGES.new"
ch "backend add chat 198.18.0.12:$PORT" >/dev/null

# A reboot takes /run away.
ch save >/dev/null
expect_true "saved" [ -s "$SAVED" ]
stop lb
GUARD=auto
write_conf "198.18.0.11:$PORT" "198.18.0.13:$PORT"
rm -rf /run/l4lb
start_it
expect "saved changes are there after a reboot" "$(backends | grep -c 198.18.0.12)" 1
stop lb
expect_false "after a clean end without keep there are changes" [ -e "$CHANGES" ]
expect_true "  but not those that were saved" [ -s "$SAVED" ]
start_it
ch "backend remove chat 198.18.0.12:$PORT" save >/dev/null
expect_false "saved again: the backend is added there" grep -q '^backend add' "$SAVED"

# Undone at run time after that: a crash does not bring them back.
stop lb
rm -f "$SAVED"
start_it
ch "backend set chat backend1 weight=4" save "backend set chat backend1 weight=1" >/dev/null
expect_true "saved with another weight" grep -q weight=4 "$SAVED"
stop lb KILL
start_it
expect_false "killed after the weight was taken back: it is there again" grep -q weight=4 <<<"$(backends)"

# A channel in a folder where only root may write.
stop lb
rm -f "$SAVED"
mkdir -m 755 "$LAB_TMP/roots"
in_roots() { on lb "$PYTHON" "$LAB_DIR/channel.py" "$LAB_TMP/roots/channel" "$@"; }
for how in KILL TERM TERM; do
	start_l4lb lb --config "$LAB_TMP/chat.conf" --control "$LAB_TMP/roots/channel"
	expect "a channel in root's folder answers" "$(in_roots generation)" "ok generation=0"
	expect "  its mode" "$(stat -c %a "$LAB_TMP/roots/channel")" 600
	stop lb "$how"
done
