#!/bin/sh
# SPDX-License-Identifier: MIT
#
# guard.sh - the firewall guard of l4lb by hand, with nft or iptables
#
# l4lb --guard auto|keep does the same by itself (lb/host/guard.c). This is for
# kernels without nf_tables, and for those who want to see and own each rule
# (l4lb --guard none). README.md beside it explains every rule. Everything may be
# called twice.

set -u
PATH=$PATH:/usr/sbin:/sbin

run_dir=/run/l4lb

usage() {
	cat <<'EOF'
usage: guard.sh up NAME [OPTIONS]           install the guard, or replace it
       guard.sh down NAME                   remove it, by whichever tool it was
                                            made; l4lb --down NAME removes what
                                            a crashed l4lb left beside it
       guard.sh status [NAME]               show rules and counters
       guard.sh rst-drop up NAME [OPTIONS]  last resort: drop the kernel's RST
       guard.sh rst-drop down NAME

  NAME                  l4lb's --name (default there: the service port)
  --service VIP:PORT    address clients connect to; repeatable
  --backend IP:PORT     repeatable; not needed for rst-drop
  --source IP           l4lb's address toward the backends, often the VIP;
                        repeatable
  --nat-ports LO-HI     ports l4lb uses toward the backends, at least 1024,
                        none below 1024; its start-up line says which
  --skip PORT           one of these that a socket of this host has, as ss -tan
                        shows: left to the host, by l4lb too; repeatable
  --interface NAME      as l4lb's -i: only what comes in by this one is taken from
                        the host; repeatable; default: all
  --tool nft|iptables   default: nft where it works, else iptables

Exit: 0 done (status: the guard is up), 1 failed, 2 wrong use, 3 status: no guard
EOF
}

die() {
	echo "guard.sh: $*" >&2
	exit 1
}

misuse() {
	echo "guard.sh: $*" >&2
	echo "Try: guard.sh --help" >&2
	exit 2
}

# --- arguments ---------------------------------------------------------------

# A leading 0 would mean octal to some.
is_port() {
	case $1 in
	'' | 0* | *[!0-9]* | ??????*) return 1 ;;
	esac
	[ "$1" -ge 1 ] && [ "$1" -le 65535 ]
}

is_ipv4() {
	echo "$1" | awk -F. '{
		ok = NF == 4
		for (i = 1; i <= NF; i++)
			if ($i !~ /^[0-9]+$/ || $i > 255)
				ok = 0
		exit !ok
	}'
}

check_endpoint() {
	if ! is_ipv4 "${2%:*}" || ! is_port "${2##*:}"; then
		misuse "$1 \"$2\": expected ADDRESS:PORT, for example 192.168.0.11:9001"
	fi
}

check_interface() {
	case $2 in
	'' | *[!A-Za-z0-9_.@-]* | ????????????????*)
		misuse "$1 \"$2\": expected the name of a network interface, for example eth0" ;;
	esac
}

# As l4lb's own --nat-ports (CONFIG_NAT_MIN)
nat_min=1024
nat_example=10240-32767

check_nat_ports() {
	nat_lo=${2%-*}
	nat_hi=${2#*-}
	if [ "$2" != "$nat_lo-$nat_hi" ] || ! is_port "$nat_lo" ||
		! is_port "$nat_hi"; then
		misuse "$1 \"$2\": expected LO-HI, ports from 1024 to 65535," \
			"for example $nat_example"
	fi
	[ "$nat_lo" -le "$nat_hi" ] || misuse "$1 \"$2\": wrong order: the lower" \
		"port comes first, as in $nat_hi-$nat_lo"
	[ "$nat_lo" -ge 1024 ] || misuse "$1 \"$2\": ports below 1024 are" \
		"privileged: expected for example $nat_example"
	[ $((nat_hi - nat_lo + 1)) -ge $nat_min ] || misuse "$1 \"$2\":" \
		"$((nat_hi - nat_lo + 1)) ports are too few, at least $nat_min are" \
		"needed: for example $nat_example"
}

name=
services=
backends=
sources=
nat_lo=
nat_hi=
skipped=
interfaces=
tool=

need_root() {
	[ "$(id -u)" = 0 ] || die "run it as root: sudo $0 ..."
}

parse_name() {
	name=${1:-}
	[ -n "$name" ] || misuse "no NAME given: l4lb's --name, by default the port" \
		"of its first service"
	case $name in
	-* | *[!A-Za-z0-9_-]*)
		misuse "instance name \"$name\": expected letters, digits, _ and -" ;;
	esac
	[ ${#name} -le 31 ] || misuse "instance name \"$name\" is longer than 31 bytes"
	table=l4lb_$name
	rst_table=l4lb-rst_$name
	# A chain's name has at most 28 bytes in iptables.
	chain=$name
	if [ ${#name} -gt 19 ]; then
		chain=$(printf %.8s "$name")-$(printf %s "$name" | cksum | cut -d' ' -f1)
	fi
	chain=l4lb-$chain
}

parse_options() {
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || misuse "$1: expected a value after it"
		case $1 in
		--service)
			check_endpoint "$1" "$2"
			services="$services $2" ;;
		--backend)
			check_endpoint "$1" "$2"
			backends="$backends $2" ;;
		--source)
			is_ipv4 "$2" || misuse "$1 \"$2\": expected an IPv4 address"
			sources="$sources $2" ;;
		--nat-ports)
			check_nat_ports "$1" "$2" ;;
		--skip)
			is_port "$2" || misuse "$1 \"$2\": expected a port, for example 20555"
			skipped="$skipped $2" ;;
		--interface)
			check_interface "$1" "$2"
			interfaces="$interfaces $2" ;;
		--tool)
			case $2 in
			nft | iptables) tool=$2 ;;
			*) misuse "$1 \"$2\": expected nft or iptables" ;;
			esac ;;
		*) misuse "unknown option \"$1\"" ;;
		esac
		shift 2
	done
}

need() {
	[ -n "$services" ] || misuse "no --service VIP:PORT given"
	[ -n "$sources" ] || misuse "no --source IP given"
	[ -n "$nat_lo" ] || misuse "no --nat-ports LO-HI given"
}

# Without them half of the rules would match nothing.
need_backends() {
	[ -n "$backends" ] || misuse "no --backend IP:PORT given; expected one for" \
		"each backend of l4lb, for example --backend 192.168.0.11:9001"
}

has() {
	command -v "$1" >/dev/null 2>&1
}

find_tool() {
	[ -z "$tool" ] || return 0
	if has nft && nft list tables >/dev/null 2>&1; then
		tool=nft
	elif has iptables; then
		tool=iptables
	else
		die "neither nft nor iptables works here: install one (apt install nftables) and run as root"
	fi
}

# --- nft: the same table, sets and rules as lb/host/guard.c ----------------------

# "1.2.3.4:80 ..." -> "1.2.3.4 . 80, ..."
nft_endpoints() {
	# shellcheck disable=SC2086 # a list of words
	printf '%s\n' $1 | sort -u | sed 's/:/ . /' | paste -sd, -
}

nft_list() {
	# shellcheck disable=SC2086 # a list of words
	printf '%s\n' $1 | sort -u | paste -sd, -
}

# CHAIN early|late: what becomes of our packets at prerouting
nft_branch_text() {
	[ "$2" = late ] || cat <<EOF
add rule ip $table $1 meta iifkind "bridge" notrack accept
add rule ip $table $1 meta iifkind "vlan" notrack accept
add rule ip $table $1 fib daddr type local counter drop
EOF
	echo "add rule ip $table $1 notrack accept"
}

# early|late: whether to drop what can be at prerouting, or all at input
nft_up_text() {
	cat <<EOF
add table ip $table
add set ip $table services { type ipv4_addr . inet_service; }
add set ip $table backends { type ipv4_addr . inet_service; }
add set ip $table sources { type ipv4_addr; }
add set ip $table skipped { type inet_service; }
add set ip $table interfaces { type ifname; }
add chain ip $table from_clients
add chain ip $table from_backends
add chain ip $table prerouting { type filter hook prerouting priority -300; policy accept; }
add chain ip $table input { type filter hook input priority -300; policy accept; }
add chain ip $table output { type filter hook output priority -300; policy accept; }
flush chain ip $table prerouting
flush chain ip $table input
flush chain ip $table output
flush chain ip $table from_clients
flush chain ip $table from_backends
flush set ip $table services
flush set ip $table backends
flush set ip $table sources
flush set ip $table skipped
flush set ip $table interfaces
add element ip $table services { $(nft_endpoints "$services") }
add element ip $table sources { $(nft_list "$sources") }
add element ip $table backends { $(nft_endpoints "$backends") }
EOF
	[ -z "$skipped" ] ||
		echo "add element ip $table skipped { $(nft_list "$skipped") }"
	nft_by=
	if [ -n "$interfaces" ]; then
		echo "add element ip $table interfaces { $(nft_list "$interfaces") }"
		nft_by="iifname @interfaces "
	fi
	nft_branch_text from_clients "$1"
	nft_branch_text from_backends "$1"
	cat <<EOF
add rule ip $table prerouting ip daddr . tcp dport @services ${nft_by}goto from_clients
add rule ip $table prerouting tcp dport $nat_lo-$nat_hi tcp dport != @skipped ip daddr @sources ip saddr . tcp sport @backends ${nft_by}goto from_backends
add rule ip $table input ip daddr . tcp dport @services ${nft_by}counter drop
add rule ip $table input tcp dport $nat_lo-$nat_hi tcp dport != @skipped ip daddr @sources ip saddr . tcp sport @backends ${nft_by}counter drop
add rule ip $table output ip daddr . tcp dport @services notrack accept
add rule ip $table output ip saddr . tcp sport @services notrack accept
add rule ip $table output tcp dport $nat_lo-$nat_hi tcp dport != @skipped ip daddr @sources ip saddr . tcp sport @backends notrack accept
add rule ip $table output tcp sport $nat_lo-$nat_hi tcp sport != @skipped ip saddr @sources ip daddr . tcp dport @backends notrack accept
EOF
}

# early|late: made anew, for a table of that name that has another shape
nft_afresh_text() {
	printf 'add table ip %s\ndelete table ip %s\n' "$table" "$table"
	nft_up_text "$1"
}

# Refilled in place if possible, so that no packet slips past. Older kernels and
# versions of nft know no iifkind or fib.
nft_up() {
	nft_up_text early | nft -f - 2>/dev/null && return
	nft_afresh_text early | nft -f - 2>/dev/null && return
	nft_up_text late | nft -f - 2>/dev/null && return
	nft_afresh_text late | nft -f - ||
		die "nft refused table $table (above is why)"
}

nft_has() {
	has nft && nft list table ip "$1" >/dev/null 2>&1
}

nft_drop_table() {
	nft_has "$1" || return 0
	nft delete table ip "$1" || die "nft could not remove table $1"
}

# The highest uid there is: a user namespace may know fewer, and iptables
# refuses one that it does not.
last_uid() {
	awk '$1 + $3 > n { n = $1 + $3 } END { printf "%.0f", n ? n - 1 : 4294967294 }' \
		/proc/self/uid_map
}

# What l4lb sends by raw IP is of a socket, and so of a user, whichever; the
# kernel's own RST is of none, to which skuid does not apply.
nft_rst_text() {
	cat <<EOF
add table ip $rst_table
delete table ip $rst_table
add table ip $rst_table
add chain ip $rst_table output { type filter hook output priority 0; policy accept; }
add rule ip $rst_table output meta skuid 0-$(last_uid) accept
EOF
	for s in $services; do
		echo "add rule ip $rst_table output ip saddr ${s%:*} tcp sport ${s#*:} tcp flags & rst == rst counter drop"
	done
	for s in $sources; do
		echo "add rule ip $rst_table output ip saddr $s tcp sport $nat_lo-$nat_hi tcp flags & rst == rst counter drop"
	done
}

# --- iptables: chains of our own in raw and mangle ---------------------------

# The variants that may hold chains of ours. Asking the legacy one would load
# its tables, so it is asked only where they are there already.
iptables_variants() {
	if has iptables-nft; then
		echo iptables-nft
	elif has iptables; then
		echo iptables
	fi
	if has iptables-legacy && [ -s /proc/net/ip_tables_names ]; then
		echo iptables-legacy
	fi
}

# VARIANT TABLE: the chains of this instance there
iptables_chains() {
	"$1-save" -t "$2" 2>/dev/null | sed -n "s/^:\($chain-[a-z][a-z]\) .*/\1/p"
}

# CHAIN TABLE HOOK: the jump there, unless there is one
iptables_jump() {
	iptables -w -t "$2" -C "$3" -j "$1" 2>/dev/null ||
		echo "-I $3 -j $1"
}

# Each interface as a match, or one that is empty: all of them.
iptables_by() {
	for i in $interfaces; do echo "-i $i"; done
	[ -n "$interfaces" ] || echo
}

# Chains first, jumps if they are missing: a transaction for each table. raw has
# no INPUT. mangle is the first that has, and nobody minds who is first in its
# chain; in filter fail2ban and others insert themselves before us.
iptables_up_text() {
	cat <<EOF
*mangle
:$chain-in - [0:0]
:$chain-ib - [0:0]
EOF
	iptables_by | while read -r by; do
		for s in $services; do
			echo "-A $chain-in $by -d ${s%:*} -p tcp -m tcp --dport ${s#*:} -j DROP"
		done
		for s in $sources; do
			echo "-A $chain-in $by -d $s -p tcp -m tcp --dport $nat_lo:$nat_hi -j $chain-ib"
		done
	done
	for p in $skipped; do
		echo "-A $chain-ib -p tcp -m tcp --dport $p -j RETURN"
	done
	for b in $backends; do
		echo "-A $chain-ib -s ${b%:*} -p tcp -m tcp --sport ${b#*:} -j DROP"
	done
	iptables_jump "$chain-in" mangle INPUT
	cat <<EOF
COMMIT
*raw
:$chain-pr - [0:0]
:$chain-ou - [0:0]
:$chain-of - [0:0]
:$chain-ot - [0:0]
EOF
	iptables_by | while read -r by; do
		for s in $services; do
			echo "-A $chain-pr $by -d ${s%:*} -p tcp -m tcp --dport ${s#*:} -j CT --notrack"
		done
		for s in $sources; do
			echo "-A $chain-pr $by -d $s -p tcp -m tcp --dport $nat_lo:$nat_hi -j $chain-of"
		done
	done
	for s in $services; do
		echo "-A $chain-ou -d ${s%:*} -p tcp -m tcp --dport ${s#*:} -j CT --notrack"
		echo "-A $chain-ou -s ${s%:*} -p tcp -m tcp --sport ${s#*:} -j CT --notrack"
	done
	for s in $sources; do
		echo "-A $chain-ou -d $s -p tcp -m tcp --dport $nat_lo:$nat_hi -j $chain-of"
		echo "-A $chain-ou -s $s -p tcp -m tcp --sport $nat_lo:$nat_hi -j $chain-ot"
	done
	for p in $skipped; do
		echo "-A $chain-of -p tcp -m tcp --dport $p -j RETURN"
		echo "-A $chain-ot -p tcp -m tcp --sport $p -j RETURN"
	done
	for b in $backends; do
		echo "-A $chain-of -s ${b%:*} -p tcp -m tcp --sport ${b#*:} -j CT --notrack"
		echo "-A $chain-ot -d ${b%:*} -p tcp -m tcp --dport ${b#*:} -j CT --notrack"
	done
	iptables_jump "$chain-pr" raw PREROUTING
	iptables_jump "$chain-ou" raw OUTPUT
	echo COMMIT
}

iptables_rst_text() {
	users=0-$(last_uid)
	echo "*filter"
	echo ":$chain-rs - [0:0]"
	for s in $services; do
		echo "-A $chain-rs -s ${s%:*} -p tcp -m tcp --sport ${s#*:} --tcp-flags RST RST -m owner ! --uid-owner $users -j DROP"
	done
	for s in $sources; do
		echo "-A $chain-rs -s $s -p tcp -m tcp --sport $nat_lo:$nat_hi --tcp-flags RST RST -m owner ! --uid-owner $users -j DROP"
	done
	iptables_jump "$chain-rs" filter OUTPUT
	echo COMMIT
}

# VARIANT TABLE HOOK...: jumps out of the hooks, then the chains
iptables_remove() {
	variant=$1 ipt_table=$2
	shift 2
	chains=$(iptables_chains "$variant" "$ipt_table")
	[ -n "$chains" ] || return 0
	for hook in "$@"; do
		for c in $chains; do
			while "$variant" -w -t "$ipt_table" -D "$hook" -j "$c" 2>/dev/null; do :; done
		done
	done
	for c in $chains; do
		"$variant" -w -t "$ipt_table" -F "$c" || die "$variant could not empty chain $c"
	done
	for c in $chains; do
		"$variant" -w -t "$ipt_table" -X "$c" || die "$variant could not remove chain $c"
	done
}

# --- what an instance leaves in /run/l4lb: l4lb's own business --------------

point_to_l4lb() {
	[ ! -e "$run_dir/$name.ports" ] && [ ! -e "$run_dir/$name.flows" ] ||
		echo "what l4lb itself holds for \"$name\" stays; if it does not" \
			"run: l4lb --down $name"
}

# --- commands ------------------------------------------------------------------

do_up() {
	need
	need_backends
	find_tool
	if [ "$tool" = nft ]; then
		nft_up
	else
		iptables_up_text | iptables-restore -w --noflush ||
			die "iptables refused the chains $chain-* (above is why)"
	fi
	echo "guard \"$name\" is up ($tool)"
}

do_down() {
	nft_drop_table "$table"
	do_rst_down
	for v in $(iptables_variants); do
		iptables_remove "$v" mangle INPUT || exit 1
		iptables_remove "$v" raw PREROUTING OUTPUT || exit 1
	done
	echo "guard \"$name\" is down"
	point_to_l4lb
}

do_rst_up() {
	need
	find_tool
	if [ "$tool" = nft ]; then
		nft_rst_text | nft -f - || die "nft refused table $rst_table (above is why)"
	else
		iptables_rst_text | iptables-restore -w --noflush ||
			die "iptables refused the chain $chain-rs (above is why)"
	fi
	echo "rst-drop \"$name\" is up ($tool)"
}

do_rst_down() {
	nft_drop_table "$rst_table"
	for v in $(iptables_variants); do
		iptables_remove "$v" filter OUTPUT || exit 1
	done
}

# Prints what there is of $name; 3 if there is no guard
status_of() {
	found=3
	if nft_has "$table"; then
		nft list table ip "$table"
		found=0
	fi
	rst=none
	if nft_has "$rst_table"; then
		nft list table ip "$rst_table"
		rst=up
	fi
	for v in $(iptables_variants); do
		for t in raw mangle filter; do
			for c in $(iptables_chains "$v" "$t"); do
				"$v" -w -t "$t" -nvxL "$c"
				[ "$t" != mangle ] || found=0
				[ "$t" != filter ] || rst=up
			done
		done
	done
	[ "$found" = 0 ] || echo "guard \"$name\": none"
	[ $rst = none ] || echo "rst-drop \"$name\": up"
	return $found
}

all_names() {
	{
		has nft && nft list tables 2>/dev/null |
			sed -n 's/^table ip l4lb\(-rst\)\{0,1\}_//p'
		# Long names are cut there, and cannot be told from here.
		for v in $(iptables_variants); do
			for t in mangle filter; do
				"$v-save" -t $t 2>/dev/null
			done | sed -n -e 's/^:l4lb-\(.*\)-in .*/\1/p' \
				-e 's/^:l4lb-\(.*\)-rs .*/\1/p'
		done
	} | sort -u
}

do_status() {
	result=3
	if [ $# -gt 0 ]; then
		parse_name "$1"
		status_of
		return
	fi
	for n in $(all_names); do
		parse_name "$n"
		! status_of || result=0
	done
	[ $result = 0 ] || echo "no guard is up"
	return $result
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
up | down)
	parse_name "${1:-}"
	shift
	parse_options "$@"
	need_root
	"do_$command" ;;
rst-drop)
	command=${1:-}
	parse_name "${2:-}"
	shift 2
	parse_options "$@"
	need_root
	case $command in
	up) do_rst_up ;;
	down)
		do_rst_down
		echo "rst-drop \"$name\" is down" ;;
	*) misuse "rst-drop: expected up or down" ;;
	esac ;;
status)
	need_root
	do_status "$@" ;;
-h | --help | help) usage ;;
*)
	usage >&2
	exit 2 ;;
esac
