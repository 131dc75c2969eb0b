#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shell.sh - the lab to play in: a shell on every host
#
#	tests/lab/shell.sh [lan|two-armed|containers|single-host]
#
# In tmux, a window for each host, where there is tmux and a terminal;
# otherwise one shell with `on HOST COMMAND`. All of it is gone at the end.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck disable=SC2034 # for lab.sh
LAB_QUIET=1
trap - ERR

lab_up "${1:-lan}"
net=198.19.0
[ "${1:-lan}" != lan ] || net=198.18.0

cat >"$LAB_TMP/help" <<END

The lab: ${LAB_HOSTS[*]}
  client $CLIENT    lb $VIP    b1 b2 b3 $net.11 .12 .13
Yours to try, on the host before the \$:
  b1\$ chat_serv 9001                      the same on b2 and b3
  lb\$ l4lb -v $VIP $net.11 9001 $net.12 9001 $net.13 9001
  client\$ chat_clnt $VIP 20000 alice   and more of them
  lb\$ kill -USR1 \$(pidof l4lb)            the flow table, where l4lb runs
  lb\$ tcpdump -ni eth0 tcp                if it is installed
END
cat >"$LAB_TMP/bashrc" <<'END'
PS1='\[\e[1m\]${LAB_HOST:-lab}\[\e[0m\]$ '
on() { local host=$1; shift; LAB_HOST=$host ip netns exec "$host" "${@:-bash}"; }
export -f on
END
export PATH=$L4LB_BUILD:$PATH TMUX_TMPDIR=$LAB_TMP

if command -v tmux >/dev/null && [ -t 0 ] && [ -t 1 ] && [ -z "${TMUX:-}" ]; then
	for host in "${LAB_HOSTS[@]}"; do
		first="cat $LAB_TMP/help; exec ip netns exec $host bash --rcfile $LAB_TMP/bashrc"
		if tmux has-session -t lab 2>/dev/null; then
			tmux new-window -t lab -n "$host" -e "LAB_HOST=$host" "$first"
		else
			tmux -f /dev/null new-session -d -s lab -n "$host" \
				-e "LAB_HOST=$host" "$first"
		fi
	done
	tmux set -g mouse on
	tmux set -g status-right ' C-b NUMBER: a host   C-b d: end of the lab '
	tmux set -g status-right-length 60
	tmux select-window -t lab:0
	tmux attach -t lab
else
	cat "$LAB_TMP/help"
	echo "  on HOST COMMAND runs it there, on HOST alone is a shell; exit ends the lab"
	if [ -t 0 ]; then
		bash --rcfile "$LAB_TMP/bashrc" -i
	else
		BASH_ENV=$LAB_TMP/bashrc bash # commands from a pipe
	fi
fi
