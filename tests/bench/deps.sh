#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh - installs the rivals and the tools of the bench, what is missing
#
# The script one level up does it, with the list that lies beside this one.
# The proxies come along as programs: none is to serve from the next boot on.
set -eu

here=$(dirname "$0")
new=
for service in haproxy pen; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$service" \
		2>/dev/null || true)
	[ "$status" = installed ] || new="$new $service"
done

set -- bench
(
	# shellcheck source=../deps.sh
	. "$here/../deps.sh"
)
[ -d /run/systemd/system ] || exit 0
for service in $new; do
	if [ "$(id -u)" -eq 0 ]; then
		systemctl --quiet disable "$service" || true
	else
		sudo systemctl --quiet disable "$service" || true
	fi
done
