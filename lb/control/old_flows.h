/* SPDX-License-Identifier: MIT */
/*
 * old_flows.h - what flows of an earlier process need beside the configuration
 */
#ifndef L4LB_OLD_FLOWS_H
#define L4LB_OLD_FLOWS_H

#include "control/plan.h"
#include "host/needs.h"

/*
 * A backend that is no longer configured becomes one of its service that
 * leaves, in the configuration too, so that nobody else gets its place. A
 * source address that is no longer configured goes into a second entry of its
 * backend, which leaves as well, but keeps the flows. Counts the flows that
 * cannot continue in .lost_service, .lost_room.
 */
void old_flows_add(struct plan *p, struct config *config,
		   const struct needs *needs);

#endif
