#!/bin/sh
# SPDX-License-Identifier: MIT
# After make install on this host: the users l4lb and l4lb-api, the folder of the
# flow log, and systemd knows the unit. What is not possible is said; it is no
# error, as l4lb runs by hand without.
# Usage: registered.sh FILE_OF_SYSUSERS FILE_OF_TMPFILES
set -u
for user in l4lb l4lb-api; do
	if id $user >/dev/null 2>&1; then
		continue
	elif command -v systemd-sysusers >/dev/null; then
		systemd-sysusers "$1"
	else
		useradd --system --user-group --no-create-home \
			--home-dir /nonexistent --shell /usr/sbin/nologin $user
	fi || echo "there is no user $user yet, and the unit needs one:" \
		"sudo useradd --system $user"
done
if [ ! -d /var/log/l4lb ]; then
	install -d -m 750 -o l4lb-api -g l4lb-api /var/log/l4lb ||
		echo "there is no folder for a flow log yet: systemd-tmpfiles --create $2"
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
