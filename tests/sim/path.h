/* SPDX-License-Identifier: MIT */
/* path.h - routers on the way: what they report by ICMP */
#ifndef L4LB_SIM_PATH_H
#define L4LB_SIM_PATH_H

#include <stdbool.h>

#include "world.h"

/* All take what they are given, but for the last three, which only look. */
void path_from_host(struct world *w, struct pkt *p, bool client);
/* From the balancer; may be too long for a narrow way. */
void path_from_lb(struct world *w, struct pkt *p);

bool path_is_icmp(const struct pkt *p);
void path_receive_icmp(struct world *w, const struct pkt *p);
/* @p was sent to a host that is not there. */
void path_unreachable(struct world *w, const struct pkt *p);

/* An ICMP error about the segment @about, from @router to its sender. */
uint32_t path_build_icmp(uint8_t *out, const struct ip_addr *router,
			 uint8_t type, uint8_t code, uint16_t mtu,
			 const uint8_t *about, uint32_t len);

#endif
