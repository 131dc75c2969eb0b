#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What make install puts where, that it keeps a configuration, that uninstall
# takes all else away; that the configuration it brings is right and names every
# key, and that systemd understands the unit, if it is installed here.
# Usage: install.sh TOP_OF_TREE BUILD
set -eu
build=$2
cd "$1"
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

complain() {
	echo "$*" >&2
	failed=1
}

# With the programs of this build: make finds nothing to do for them.
install_to() { # DESTDIR VARIABLES...
	dest=$1
	shift
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory "$@" \
		BUILD="$build" DESTDIR="$dest" >"$dir/said" 2>&1 ||
		{ cat "$dir/said" >&2; complain "make $* failed"; }
}

list() { (cd "$1" && find . -type f | sort); }

install_to "$dir/a" install
for file in sbin/l4lb sbin/l4lbctl bin/chat_serv bin/chat_clnt \
	libexec/l4lb/l4lb-api lib/tmpfiles.d/l4lb.conf lib/systemd/system/l4lb.service lib/systemd/system/l4lb@.service \
	lib/sysusers.d/l4lb.conf share/man/man8/l4lb.8 \
	share/man/man8/l4lb-api.8 \
	share/man/man8/l4lbctl.8 share/bash-completion/completions/l4lbctl \
	share/man/man5/l4lb.conf.5 share/man/man1/chat_serv.1 \
	share/man/man1/chat_clnt.1 share/l4lb/iptables/guard.sh \
	share/l4lb/iptables/README.md share/l4lb/l4lb.conf.example \
	share/doc/l4lb/README.md share/doc/l4lb/LICENSE \
	share/doc/l4lb/iptables/README.md; do
	echo "./usr/local/$file"
done >"$dir/want"
{
	echo ./etc/l4lb/l4lb.conf
	for file in docs/*.md docs/*.png docs/bench/*.md; do
		echo "./usr/local/share/doc/l4lb/$file"
	done
} >>"$dir/want"
sort -o "$dir/want" "$dir/want"
list "$dir/a" | diff "$dir/want" - >&2 || complain "other files are installed"
for file in sbin/l4lb sbin/l4lbctl bin/chat_serv bin/chat_clnt \
	libexec/l4lb/l4lb-api share/l4lb/iptables/guard.sh; do
	[ -x "$dir/a/usr/local/$file" ] || complain "$file cannot be executed"
done
unit=$dir/a/usr/local/lib/systemd/system/l4lb.service
[ "$(stat -c %a "$unit")" = 644 ] || complain "the unit's mode is not 644"
! grep -n '@[A-Z]*@' "$unit" "${unit%.service}@.service" >&2 ||
	complain "not all of the unit was filled in"
grep -q '^ExecStart=/usr/local/sbin/l4lb --config /etc/l4lb/l4lb.conf$' "$unit" ||
	complain "the unit starts another program"
grep -q '^ExecStart=.*/sbin/l4lb --config /etc/l4lb/%i.conf --name %i$' \
	"${unit%.service}@.service" || complain "the template starts another"

# A page's links to files lead to files, from where it is installed; those to
# tests are for who has the sources.
for page in $(cd "$dir/a/usr/local/share/doc/l4lb" && find . -name '*.md'); do
	page=$dir/a/usr/local/share/doc/l4lb/$page
	grep -o '](\([^)#]*\)' "$page" | sed 's/^](//' | grep -v -e ':' -e /tests/ |
		while read -r link; do
			[ -z "$link" ] || [ -e "$(dirname "$page")/$link" ] || echo "$link"
		done >"$dir/broken"
	[ ! -s "$dir/broken" ] || complain "$page leads nowhere: $(cat "$dir/broken")"
done

# What the administrator wrote stays, through all of it.
echo '; mine' >"$dir/a/etc/l4lb/l4lb.conf"
install_to "$dir/a" install
[ "$(cat "$dir/a/etc/l4lb/l4lb.conf")" = '; mine' ] ||
	complain "an existing configuration is overwritten"
install_to "$dir/a" uninstall
[ "$(list "$dir/a")" = ./etc/l4lb/l4lb.conf ] ||
	complain "uninstall leaves: $(list "$dir/a")"

install_to "$dir/b" install PREFIX=/usr SYSCONFDIR=/opt/etc
grep -q '^ExecStart=/usr/sbin/l4lb --config /opt/etc/l4lb/l4lb.conf$' \
	"$dir/b/usr/lib/systemd/system/l4lb.service" ||
	complain "the unit does not follow PREFIX and SYSCONFDIR"
[ -e "$dir/b/opt/etc/l4lb/l4lb.conf" ] || complain "nor does the configuration"

# The configuration: right as it comes, and complete.
conf=lb/service/l4lb.conf
"$build/l4lb" --check --config "$conf" >"$dir/said" ||
	complain "the configuration that is installed is wrong"
keys=$(sed -n 's/^[[:space:]]*{ *"\([a-z_]*\)", set_[a-z_]*, .*/\1/p' \
	lb/control/config_keys.c | sort -u)
[ "$(echo "$keys" | wc -l)" -ge 30 ] || complain "found no key table"
for key in $keys; do
	grep -Eq "^;?$key = " $conf || complain "$conf does not mention $key"
done
# And with every key of it in force, but the file's own name of an interface.
sed 's/^;\([a-z_]* = \)/\1/' $conf | grep -v -e '^interface' >"$dir/all.conf"
"$build/l4lb" --check --config "$dir/all.conf" >"$dir/said" 2>&1 ||
	complain "a default that $conf shows is wrong: $(cat "$dir/said")"

# systemd's own opinion. It looks for the program and for the manual.
if command -v systemd-analyze >/dev/null; then
	mkdir -p "$dir/c/sbin" "$dir/c/units"
	cp "$build/l4lb" "$dir/c/sbin"
	for name in l4lb.service l4lb@.service; do
		lb/service/unit.sh $name "$dir/c/sbin" /etc >"$dir/c/units/$name"
		sed -i '/^Documentation=/d' "$dir/c/units/$name"
	done
	for name in l4lb.service l4lb@web.service; do
		systemd-analyze verify --man=no "$dir/c/units/$name" \
			>"$dir/said" 2>&1 || echo failed >>"$dir/said"
		# Other units of this host may have faults of their own.
		! grep -e "$dir" -e '^l4lb' -e '^failed' "$dir/said" >&2 ||
			complain "systemd-analyze verify $name complains"
	done
	exposure=$(systemd-analyze security --offline=true --no-pager \
		"$dir/c/units/l4lb.service" 2>/dev/null |
		sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
	echo "exposure level: $exposure"
	# 2.5 without CAP_SETUID and CAP_SETGID, which only the start has.
	[ "$(echo "${exposure:-99}" | tr -d .)" -le 27 ] ||
		complain "the unit is exposed more than it was: $exposure"
else
	echo "systemd-analyze is not installed: the unit was not verified"
fi
exit $failed
