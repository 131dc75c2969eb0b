/* SPDX-License-Identifier: MIT */
/*
 * probe_ports.h - which ports of the NAT range are kept for half-open checks
 */
#ifndef L4LB_PROBE_PORTS_H
#define L4LB_PROBE_PORTS_H

#include <stdint.h>

#include "host/reserve.h"
#include "host/state.h"

/*
 * The first of the PROBE_PORTS ports for half-open checks; 0: there are none.
 * They are those of the previous process, or else the highest block of the NAT
 * range in which no flow of @state has a port. If every block has flows, the
 * one with the fewest is taken, since a service must notice dead backends.
 * Flows never get these ports, even if no such check is configured, as one may
 * be after a restart.
 */
uint16_t probe_ports_choose(const struct reservation *r,
			    const struct state *state);

#endif
