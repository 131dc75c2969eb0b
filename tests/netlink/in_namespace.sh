#!/bin/sh
# Runs a program where it may build networks and the host's own is not seen:
# as root, or without in a user namespace. 77: not possible here.
if ! command -v unshare >/dev/null || ! command -v ip >/dev/null; then
	echo "skipped: unshare (util-linux) or ip (iproute2) is missing"
	exit 77
fi
user=r
[ "$(id -u)" = 0 ] && user=
flags="-${user:+U$user}nm --pid --fork --kill-child --mount-proc"
# shellcheck disable=SC2086 # several flags
if ! unshare $flags true 2>/dev/null; then
	echo "skipped: this host does not allow: unshare $flags"
	exit 77
fi
# shellcheck disable=SC2086
exec unshare $flags "$@"
