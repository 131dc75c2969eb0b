#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mixed.sh Standalone|InCluster: mixed.py in a network of its own. The people,
# the browser and Redis are on client, a chat server on each of b1 to b3.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
need nft redis-server
need_program l4lb chat_serv
title "everybody talks, everything fails: $1"

lab_up lan
# chromedriver does not say its port where there is no ::1.
on client sysctl -qw net.ipv6.conf.lo.disable_ipv6=0
export CHAT_SERV=$L4LB_BUILD/chat_serv L4LB=$L4LB_BUILD/l4lb
on client "$PYTHON" -B "$(dirname "$0")/mixed.py" -v "$1"
