/* SPDX-License-Identifier: MIT */
/*
 * leaving.h - places for backends that are there only for their old flows
 */
#ifndef L4LB_LEAVING_H
#define L4LB_LEAVING_H

#include "control/config.h"

/*
 * Takes a free place of the service for a leaving backend, whose id becomes
 * "old" and a number, so that it takes none of those that users see. Its
 * address may be that of a live one. Returns the slot; -1: the service is full.
 */
int leaving_add(struct service_config *s, const struct endpoint *addr,
		enum leave leaves);

/* The service's backend @backend gets another place, and the old one leaves
 * with its flows, which keep what they have. Returns the new slot, or -1.
 */
int leaving_move(struct service_config *s, unsigned backend);

#endif
