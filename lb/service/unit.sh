#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a unit, made of l4lb.service.in.
# Usage: unit.sh l4lb.service|l4lb@.service SBINDIR SYSCONFDIR
set -eu
case $1 in
l4lb.service) name=l4lb of='' options='' ;;
l4lb@.service) name=%i of=' %i' options=' --name %i' ;;
*)
	echo "unit.sh: no such unit: $1" >&2
	exit 1
	;;
esac
sed -e "s|@SBINDIR@|$2|" -e "s|@NAME@|$name|" -e "s|@OF@|$of|" \
	-e "s|@OPTIONS@|$options|" -e "s|/etc/l4lb|$3/l4lb|" \
	"$(dirname "$0")/l4lb.service.in"
