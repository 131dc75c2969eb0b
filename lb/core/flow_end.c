/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "core/flow_end.h"

static const char *const names[] = {
	[FLOW_END_NONE] = "none",
	[FLOW_END_CLOSED] = "closed",
	[FLOW_END_CLIENT_RESET] = "client-reset",
	[FLOW_END_BACKEND_RESET] = "backend-reset",
	[FLOW_END_REFUSED] = "refused",
	[FLOW_END_SYN_TIMEOUT] = "syn-timeout",
	[FLOW_END_UNREACHABLE] = "unreachable",
	[FLOW_END_CLIENT_LOST] = "client-lost",
	[FLOW_END_IDLE] = "idle",
	[FLOW_END_HALF_CLOSED_IDLE] = "half-closed-idle",
	[FLOW_END_DOWN] = "down",
	[FLOW_END_DRAINED] = "drained",
	[FLOW_END_DISABLED] = "disabled",
	[FLOW_END_REMOVED] = "removed",
	[FLOW_END_KILLED] = "killed",
	[FLOW_END_SUPERSEDED] = "superseded",
	[FLOW_END_RECYCLED] = "recycled",
	[FLOW_END_SHUTDOWN] = "shutdown",
};
static_assert(sizeof(names) / sizeof(names[0]) == FLOW_ENDS,
	      "a name for every reason");

const char *flow_end_name(enum flow_end end)
{
	assert(end < FLOW_ENDS);
	return names[end];
}
