#!/bin/sh
# SPDX-License-Identifier: MIT
# After make install on this host: the user l4lb, and systemd knows the unit.
# What is not possible is said; it is no error, as l4lb runs by hand without.
# Usage: registered.sh FILE_OF_SYSUSERS
set -u
if ! id l4lb >/dev/null 2>&1; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers "$1"
	else
		useradd --system --user-group --no-create-home \
			--home-dir /nonexistent --shell /usr/sbin/nologin l4lb
	fi || echo "there is no user l4lb yet, and the unit needs one:" \
		"sudo useradd --system l4lb"
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
