/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "core/drop.h"

static const char *const names[] = {
	[DROP_TRUNCATED] = "truncated",
	[DROP_NOT_IPV4] = "not-ipv4",
	[DROP_BAD_IP] = "bad-ip",
	[DROP_IP_OPTIONS] = "ip-options",
	[DROP_FRAGMENT] = "fragment",
	[DROP_NOT_TCP] = "not-tcp",
	[DROP_BAD_TCP] = "bad-tcp",
	[DROP_BAD_CHECKSUM] = "bad-checksum",
	[DROP_TTL] = "ttl",
	[DROP_MARTIAN] = "martian",
	[DROP_ICMP_OTHER] = "icmp-other",
	[DROP_BAD_ICMP] = "bad-icmp",
	[DROP_ICMP_STALE] = "icmp-stale",
	[DROP_NOT_OURS] = "not-ours",
	[DROP_OUT_OF_STATE] = "out-of-state",
	[DROP_RESET] = "reset",
	[DROP_WRONG_WAY] = "wrong-way",
	[DROP_MPTCP_JOIN] = "mptcp-join",
	[DROP_SYN_OVERLOAD] = "syn-overload",
	[DROP_NO_BACKEND] = "no-backend",
	[DROP_TABLE_FULL] = "table-full",
	[DROP_NO_PORT] = "no-port",
	[DROP_NO_ROUTE] = "no-route",
	[DROP_TOO_BIG] = "too-big",
	[DROP_SEND_FULL] = "send-full",
	[DROP_SEND_FAILED] = "send-failed",
};
static_assert(sizeof(names) / sizeof(names[0]) == DROP_REASONS,
	      "a name for every reason");

const char *drop_name(enum drop_reason why)
{
	assert(why < DROP_REASONS);
	return names[why];
}
