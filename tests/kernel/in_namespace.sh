#!/bin/sh
# Runs a program with networks and a /run of its own: as root, or without in a
# user namespace. Everything it starts dies with it. 77: not possible here.
skip() {
	echo "skipped: $*"
	exit 77
}

for tool in unshare:util-linux ip:iproute2 nft:nftables; do
	PATH=$PATH:/usr/sbin:/sbin command -v "${tool%:*}" >/dev/null ||
		skip "${tool%:*} is missing (apt install ${tool#*:})"
done
user=
[ "$(id -u)" = 0 ] || user=Ur
flags="-${user}nm --pid --fork --kill-child --mount-proc"
# shellcheck disable=SC2086 # several flags
unshare $flags true 2>/dev/null || skip "this host does not allow: unshare $flags"
# shellcheck disable=SC2086
unshare $flags nft add table ip l4lb_probe 2>/dev/null ||
	skip "this kernel has no nf_tables"

# shellcheck disable=SC2086,SC2016
exec unshare $flags sh -c '
	PATH=$PATH:/usr/sbin:/sbin
	L4LB_IN_NAMESPACE=1
	export PATH L4LB_IN_NAMESPACE
	mount -t tmpfs run /run && ip link set lo up && exec "$@"' sh "$@"
