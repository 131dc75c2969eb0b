/* SPDX-License-Identifier: MIT */
/* link.h - ways that lose, repeat, delay, overtake and corrupt */
#ifndef L4LB_SIM_LINK_H
#define L4LB_SIM_LINK_H

#include <stdbool.h>

#include "world.h"

/* Takes @p, toward the balancer or away from it. @client: by which link. */
void link_carry(struct world *w, struct pkt *p, bool to_lb, bool client);

#endif
