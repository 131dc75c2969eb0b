#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh - installs what deps.txt lists and this machine lacks
#
#	tests/deps.sh build test
#
# Says what it installs; asks nothing and changes nothing when nothing is
# missing. Through sudo when not root. A server that comes along as a test's
# peer (nginx, Redis) is neither started now nor enabled for the next boot.
set -eu

list=$(dirname "$0")/deps.txt

missing=
for group in "$@"; do
	# shellcheck disable=SC2013 # the words are what is wanted
	for package in $(awk -v g="$group" '$1 == g { print $2 }' "$list"); do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" \
			2>/dev/null || true)
		[ "$status" = installed ] || missing="$missing $package"
	done
done
missing=${missing# }
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "deps: no apt-get on this system. Needed, by their Debian names:"
	echo "  $missing"
	exit 0 # they may be there: the build will tell
fi

root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: missing, and neither root nor sudo to install them:" >&2
		echo "  apt-get install $missing" >&2
		exit 1
	fi
	root=sudo
fi

echo "deps: installing with apt-get${root:+ (through sudo)}: $missing"

# Run as root: with a policy that lets no service start while packages are
# being set up, unless this machine has a policy of its own.
# shellcheck disable=SC2016 # expanded there
install='
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap "rm -f $policy" EXIT
	trap "exit 130" HUP INT TERM
	printf "#!/bin/sh\nexit 101\n" >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends install "$@"
'
# shellcheck disable=SC2086 # a list of words
$root sh -c "$install" deps $missing </dev/null

for package in $missing; do
	case $package in
	nginx | redis-server)
		[ -d /run/systemd/system ] || continue
		echo "deps: $package is here for tests and demo only: not starting at boot"
		$root systemctl --quiet disable "$package" ;;
	esac
done
