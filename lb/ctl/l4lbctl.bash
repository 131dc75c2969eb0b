# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion of l4lbctl for bash. The program itself says what may come: its
# subcommands, and the names of services and backends of the balancer that runs.
# Names need the right to ask it, so they come to root, or with --url.

_l4lbctl() {
	local line=${COMP_LINE:0:COMP_POINT} words current offered
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	current=${words[-1]}
	offered=$("${words[0]}" complete "${words[@]:1}" 2>/dev/null) || return
	# bash replaces only what follows the last = or :.
	local before=${current%"${current##*[=:]}"} word
	COMPREPLY=()
	while IFS= read -r word; do
		[ -n "$word" ] || continue
		word=${word#"$before"}
		COMPREPLY+=("$word")
	done <<<"$offered"
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=\<\>] ]] &&
		compopt -o nospace
	return 0
}
complete -F _l4lbctl l4lbctl
