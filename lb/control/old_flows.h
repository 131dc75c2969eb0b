/* SPDX-License-Identifier: MIT */
/*
 * old_flows.h - what flows of an earlier process need beside the configuration
 */
#ifndef L4LB_OLD_FLOWS_H
#define L4LB_OLD_FLOWS_H

#include "control/plan.h"
#include "host/needs.h"

/*
 * A backend that is no longer configured becomes one of its service with .gone
 * set. A source address that is no longer configured goes into a second entry
 * of its backend, of weight 0. @needs are those of plan_new(), which left room
 * for them. Counts the flows that cannot continue in .lost_service, .lost_room.
 */
void old_flows_add(struct plan *p, const struct needs *needs);

#endif
