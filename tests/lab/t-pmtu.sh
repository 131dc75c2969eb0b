#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Path MTU discovery through the balancer: a link of 1400 bytes in the middle,
# 1500 at both ends, so that neither end's MSS says anything about it.
#
#	t-pmtu.sh backend|client|own-backend|own-client
#
# backend, client: behind a router, on that side of the balancer. The router
# tells the balancer, which must tell the sender.
#
#   client 198.18.0.2     lb        r1               r2          b1
#        |            198.18.0.1    .0.3 198.19.1.1  .1.2  .0.3  198.19.0.11
#        |                 |         |   |  1400     |      |     |
#     ---+-----------------+---------+   +-----------+      +-----+---
#
# own-*: the balancer takes the place of r1, and must tell by itself.
#
# client and own-client have client 198.19.0.2 and b1 198.18.0.11 instead.
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
need nginx curl ethtool nc.openbsd
case ${1:-} in
backend | client | own-backend | own-client) ;;
*) fail "usage: $0 backend|client|own-backend|own-client" ;;
esac
title "a link of 1400 bytes: $1"

CLIENT=198.18.0.2 B1=198.18.0.11
case $1 in
*backend) far=b1 sender=client direction=upload B1=198.19.0.11 ;;
*client) far=client sender=b1 direction=download CLIENT=198.19.0.2 ;;
esac
near=$r1_is_lb r1=r1 # filled in below
case $1 in
own-*) near=lb r1=lb ;;
*) near=r1 r1=r1 ;;
esac
