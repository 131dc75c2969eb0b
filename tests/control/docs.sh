#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The manual defines every option and key; this proves that it names each one
# the program knows, and none that it does not, and that its examples work.
# Usage: docs.sh TOP_OF_TREE [PROGRAM]
set -eu
program=${2-}
cd "$1"
failed=0

complain() {
	echo "$*" >&2
	failed=1
}

# Both lists come from the tables that the program itself works with.
options=$(sed -n 's/^\t{ *"\([a-z-]*\)", [a-z]*_argument,.*/\1/p' \
	lb/control/cmdline.c)
keys=$(sed -n 's/^[[:space:]]*{ *"\([a-z_]*\)", set_[a-z_]*, .*/\1/p' \
	lb/control/config_keys.c)
[ "$(echo "$options" | wc -l)" -ge 10 ] || complain "found no option table"
[ "$(echo "$keys" | wc -l)" -ge 10 ] || complain "found no key table"

help=$(sed -n '/^static const char help/,/;$/p' lb/control/cmdline.c)
for option in $options; do
	grep -Eq "^\.It .*Fl -$option( |\$)" docs/l4lb.8 ||
		complain "l4lb.8 does not define --$option"
	echo "$help" | grep -Eq -e "--$option( |,|\$)" ||
		complain "--help does not show --$option"
done
for key in $keys; do
	grep -Eq "^\.It Cm $key( |\$)" docs/l4lb.conf.5 ||
		complain "l4lb.conf.5 does not define $key"
done

# shellcheck disable=SC2013 # words are wanted
for option in $(sed -n 's/^\.It .*Fl -\([a-z-]*\).*/\1/p' docs/l4lb.8); do
	echo "$options" | grep -qx -e "$option" ||
		complain "l4lb.8 defines --$option, which l4lb does not know"
done
# shellcheck disable=SC2013 # words are wanted
for key in $(sed -n 's/^\.It Cm \([a-z_]*\) =.*/\1/p' docs/l4lb.conf.5); do
	echo "$keys" | grep -qx -e "$key" ||
		complain "l4lb.conf.5 defines $key, which l4lb does not know"
done

# The same for chat_serv(1): options, keys of the file, variables.
chat_options=$(sed -n 's/^\t\t{"\([a-z-]*\)", [a-z]*_argument, NULL, .*/\1/p' \
	backend-chat/main.c)
chat_keys=$(sed -n 's/^\t{"[a-z]*", "\([a-z_]*\)", [a-z_]*},$/\1/p' \
	backend-chat/config.c)
chat_variables=$(sed -n 's/^\t\t{"\([A-Z_]*\)", key_[a-z_]*},$/\1/p' \
	backend-chat/config.c)
for list in "$chat_options" "$chat_keys" "$chat_variables"; do
	[ "$(echo "$list" | wc -l)" -ge 5 ] ||
		complain "found no table of chat_serv"
done
for option in $chat_options; do
	grep -Eq "^\.It .*Fl -$option( |\$)" docs/chat_serv.1 ||
		complain "chat_serv.1 does not define --$option"
	grep -Eq "^\s*\".*--${option}[ \\]" backend-chat/main.c ||
		complain "chat_serv --help does not show --$option"
done
for key in $chat_keys; do
	grep -Eq "^\.It [^\"]*(Va|,) $key( |\$)" docs/chat_serv.1 ||
		complain "chat_serv.1 does not define $key"
done
for variable in $chat_variables; do
	grep -Eq "^\.It .*(Ev|,) $variable( |\$)" docs/chat_serv.1 ||
		complain "chat_serv.1 does not define $variable"
done

# Defaults: a number of config.h, and the page that states it.
default() {
	value=$(sed -n "s/^#define $1[[:space:]]*\([0-9]*\).*/\1/p" \
		lb/control/config.h)
	grep -q -e "${value:-no such macro}" "$2" ||
		complain "$2 does not say $1 ($value)"
}
for name in CONFIG_FLOWS_DEFAULT CONFIG_PORT_DEFAULT CONFIG_NAT_LO \
	CONFIG_NAT_HI; do
	default $name docs/l4lb.8
done
for name in CONFIG_FLOWS_DEFAULT CONFIG_NAT_LO CONFIG_NAT_HI CONFIG_NAT_MIN \
	CONFIG_WEIGHT_MAX CONFIG_SERVICES_MAX CONFIG_BACKENDS_MAX \
	CONFIG_SOURCES_MAX CONFIG_INTERFACES_MAX; do
	default $name docs/l4lb.conf.5
done

# SIGUSR1: every state of a flow that the program can print.
for state in SYN_SENT SYN_RECEIVED ESTABLISHED FIN_WAIT CLOSING TIME_WAIT \
	RESET; do
	grep -q "^\.It Dv $state" docs/l4lb.8 ||
		complain "l4lb.8 does not explain the state $state"
done

# Every counter and every reason of a drop that the log can show.
for name in $(sed -n 's/.*"\([a-z0-9-]*\)",$/\1/p' lb/core/drop.c) \
	$(sed -n '/^void dump_counters/,/^}/p' lb/control/dump.c |
		grep -o '[a-z-]*=%' | tr -d '=%'); do
	grep -Eq "^\.It Li .*\b$name( |\$)" docs/l4lb.8 ||
		complain "l4lb.8 does not explain the counter $name"
done

# The files shown in l4lb.conf(5), and the calls shown in l4lb(8), are right.
# (A numeric address or localhost only: no name server is asked.)
if [ -n "$program" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	awk -v dir="$dir" '
		/^\.Bd/ { text = ""; inside = 1; next }
		/^\.Ed/ && inside && text ~ /\nlisten = / {
			file = dir "/" ++n ".conf"
			printf "%s", text > file
			close(file)
		}
		/^\.Ed/ { inside = 0 }
		inside { text = text $0 "\n" }
	' docs/l4lb.conf.5
	[ -e "$dir/2.conf" ] || complain "l4lb.conf.5 shows no two files"
	for file in "$dir"/*.conf; do
		"$program" --check --config "$file" >/dev/null ||
			complain "an example of l4lb.conf.5 is wrong"
	done
	sed -n 's/^\(\.Dl \)\{0,1\}# l4lb \([-a-z0-9 .]*[0-9]\)\( \\e\)\{0,1\}$/\2/p' \
		docs/l4lb.8 >"$dir/calls"
	[ "$(wc -l <"$dir/calls")" -ge 3 ] || complain "l4lb.8 shows no calls"
	while read -r arguments; do
		# shellcheck disable=SC2086 # to be split
		"$program" --check $arguments >/dev/null ||
			complain "an example of l4lb.8 is wrong: $arguments"
	done <"$dir/calls"
fi

if command -v mandoc >/dev/null; then
	mandoc -Tlint -Wwarning docs/l4lb.8 docs/l4lb.conf.5 \
		docs/chat_serv.1 docs/chat_clnt.1 || failed=1
else
	echo "mandoc is not installed: the pages are not checked" >&2
fi
exit $failed
