#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The page for operators: every command of docs/operations.md, in its order, with
# what it shows.
#
#	t-operations.sh [write]		write: what is seen goes into the page
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nft curl nginx
need_program l4lb
need_program l4lbctl
title "the commands of docs/operations.md"

PAGE=$LAB_DIR/../../docs/operations.md
STEPS=$LAB_TMP/steps
mkdir "$STEPS" "$LAB_TMP/etc" "$LAB_TMP/log"
chmod 755 "$LAB_TMP" "$LAB_TMP/etc"
chmod 777 "$LAB_TMP/log" # l4lb-api is another user
"$PYTHON" "$LAB_DIR/operations.py" split "$PAGE" "$STEPS"

# What the page calls /etc/l4lb and /var/log/l4lb is the lab's own.
to_lab() { sed "s,/etc/l4lb,$LAB_TMP/etc,g; s,/var/log/l4lb,$LAB_TMP/log,g"; }
from_lab() { sed "s,$LAB_TMP/etc,/etc/l4lb,g; s,$LAB_TMP/log,/var/log/l4lb,g"; }

# shellcheck disable=SC2317 # called by the page
sudo() { "$@"; }
# shellcheck disable=SC2317
l4lbctl() {
	on lb env COLUMNS=80 LC_ALL=C.UTF-8 TZ=UTC "$L4LB_BUILD/l4lbctl" "$@"
}
# shellcheck disable=SC2317
curl() { on lb curl -sS "$@"; }
# What the unit does: SIGUSR2 ends it so that the next one continues.
# shellcheck disable=SC2317
systemctl() {
	[ "$*" = "restart l4lb" ] || fail "systemctl $*"
	stop lb USR2
	balancer
}
balancer() { start_l4lb lb --config "$LAB_TMP/etc/l4lb.conf"; answers; }
answers() {
	wait_until 20 "the API" l4lbctl --json service list >"$LAB_TMP/answered" 2>&1
}
# jq-free looks at what runs.
value() { # KEY OF A BACKEND, ID
	l4lbctl --json backend list | "$PYTHON" -c '
import json, sys
for b in json.load(sys.stdin):
    if b["id"] == sys.argv[2]:
        print(b[sys.argv[1]])' "$@"
}
# shellcheck disable=SC2317
has_value() { [ "$(value "$2" "$1")" = "$3" ]; } # ID KEY VALUE
# shellcheck disable=SC2317
becomes() { wait_until 30 "$1 to have $2 $3" has_value "$@"; }
# A number of this run, in place of the page's.
declare -A INSTEAD=()
# shellcheck disable=SC2317
instead() { # #NAME=VALUE# OF THIS RUN
	local name=${1//#/}
	INSTEAD[${name#*=}]=$2
	printf '%s\n' "$2" >"$STEPS/${name%%=*}"
}
with_numbers() {
	local text old
	text=$(cat)
	for old in "${!INSTEAD[@]}"; do
		text=$(sed -E "s/(^|[^0-9.])$old([^0-9.]|\$)/\1${INSTEAD[$old]}\2/g" <<<"$text")
	done
	printf '%s\n' "$text"
}

for step in "$STEPS"/*.lab "$STEPS"/*.cmd; do printf '%s\n' "$step"; done | sort >"$LAB_TMP/order"
while read -r step <&9; do
	case $step in
	*.lab) eval "$(to_lab <"$step")" ;;
	*.cmd)
		command=$(with_numbers <"$step" | to_lab)
		{ eval "$command" || true; } </dev/null >"$step.raw" 2>&1
		from_lab <"$step.raw" >"${step%.cmd}.seen" ;;
	esac
done 9<"$LAB_TMP/order"

if [ "${1:-}" = write ]; then
	"$PYTHON" "$LAB_DIR/operations.py" write "$PAGE" "$STEPS"
	exit
fi
"$PYTHON" "$LAB_DIR/operations.py" judge "$PAGE" "$STEPS" ||
	fail "the page shows something else" \
		"if it is right now: $0 write"
