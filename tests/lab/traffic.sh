# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# traffic.sh - traffic.c and answer.c, and a balancer that is changed while it
# runs, for scripts that have sourced lab.sh

# Enough ports for hundreds of connections a second, each a minute in TIME_WAIT.
client_ports() { on client sysctl -qw net.ipv4.ip_local_port_range="1024 65535"; }

start_answer() { # NAME HOST ADDRESS PORT
	start "$1" "$2" "$LAB_TOOLS/answer" "$1" "$3" "$4"
	wait_log "$1" '^listening'
}

# Then `order NAME ORDER ANSWER`: the answer is the first line of its output
# after those that there were, and `last NAME` is it.
start_traffic() { # NAME ADDRESS PORT [PATIENCE_S]
	local name=$1 fd
	shift
	rm -f "$LAB_TMP/$name.orders"
	mkfifo "$LAB_TMP/$name.orders"
	exec {fd}<>"$LAB_TMP/$name.orders" # both ways: neither side waits
	# shellcheck disable=SC2004 # an associative array
	LAB_ORDERS[$name]=$fd
	LAB_STDIN=$LAB_TMP/$name.orders start "$name" client "$LAB_TOOLS/traffic" "$@"
	wait_log "$name" '^traffic'
}

order() { # NAME ORDER ANSWER [SECONDS]
	local lines
	lines=$(wc -l <"$LAB_TMP/$1.out")
	printf '%s\n' "$2" >&"${LAB_ORDERS[$1]}"
	wait_until "${4:-60}" "$1 to do: $2" more_lines "$1" "$lines"
	[[ $(last "$1") =~ $3 ]] || fail "$1 did: $2" "answered: $(last "$1")" "expected: $3"
}
more_lines() { [ "$(wc -l <"$LAB_TMP/$1.out")" -gt "$2" ]; }
last() { tail -n 1 "$LAB_TMP/$1.out"; }

# control COMMAND...: what the balancer `lb` replies to them; false if refused.
control() { on lb "$PYTHON" "$LAB_DIR/channel.py" "${CONTROL:-/run/l4lb/lb.control}" "$@"; }

# done_so COMMAND...: they are carried out.
done_so() {
	local reply
	reply=$(control "$@" 2>&1) || fail "refused: $*" "$reply"
}

# refused WHAT REGEX COMMAND...: the last of the replies is an error that says so.
refused() {
	local what=$1 regex=$2 reply
	shift 2
	! reply=$(control "$@" 2>&1) || fail "$what" "not refused: $*" "$reply"
	reply=$(tail -n 1 <<<"$reply")
	[[ $reply =~ ^error\ $regex ]] || fail "$what" "expected: error $regex" "seen:     $reply"
	ok "$what: $reply"
}

generation() { control generation | sed -n 's/^ok generation=//p'; }
newer() { [ "$(generation)" -gt "$1" ]; }

# state_of ADDRESS: its live lines of the status; is_up ADDRESS: in each service.
state_of() { control status | grep -F " $1 " | grep ' state=live '; }
is_up() { [ -n "$(state_of "$1")" ] && ! state_of "$1" | grep -v ' health=up ' >/dev/null; }

# What runs, as commands; and one set of the guard, sorted.
show_lb() { control show | sed '/^ok/d'; }
guard_set() { # SET
	on lb nft -j list set ip l4lb_lb "$1" | "$PYTHON" -c '
import json, sys
for item in json.load(sys.stdin)["nftables"]:
    for e in item.get("set", {}).get("elem", []):
        print(":".join(map(str, e["concat"])) if isinstance(e, dict) else e)' | sort | tr "\n" " "
}
