/* SPDX-License-Identifier: MIT */
/*
 * links.h - the links of this host and their addresses
 *
 * Two plain arrays: there are few entries, and no packet causes a search. They
 * are bounded. A link that does not fit is not remembered, and packets that
 * leave by it go by raw IP.
 *
 * No system calls: netlink.c fills the table, the tests fill it by hand.
 */
#ifndef L4LB_LINKS_H
#define L4LB_LINKS_H

#include <stdbool.h>

#include "core/addr.h"
#include "net/netlink.h"

#define IFACE_LINKS_MAX 4096
#define IFACE_ADDRS_MAX 4096

/*
 * A link may hold an address several times, with different prefix lengths or
 * peers.
 */
struct link_addr {
	int ifindex;
	uint8_t prefix_len;
	struct ip_addr addr;
	struct ip_addr peer; /* equal to @addr if there is none */
};

struct link_table;

int link_table_new(struct link_table **out);
void link_table_free(struct link_table *t);

/* Return NULL if there is no such link. Valid until the table changes. */
const struct link *links_link(const struct link_table *t, int ifindex);
const struct link *links_link_by_name(const struct link_table *t,
				      const char *name);
const struct link *links_link_at(const struct link_table *t, unsigned i);
const struct link_addr *links_addr_at(const struct link_table *t, unsigned i);
/* Of the links that are up, without loopback; UINT16_MAX if there are none. */
uint32_t links_largest_mtu(const struct link_table *t);
uint32_t links_smallest_mtu(const struct link_table *t);

/* See netlink_carries(). */
#define IFACE_ABOVE_MAX 64 /* links above one; further ones are not found */
bool links_carries(const struct link_table *t, int lower, int ifindex);

/*
 * Life of a link besides captured frames: when something was last heard, and
 * when its neighbours were last asked. 0: never, or no such link.
 */
struct link_life {
	uint64_t heard_ns, asked_ns;
};
struct link_life *links_life(struct link_table *t, int ifindex); /* or NULL */

bool links_link_equal(const struct link *a, const struct link *b);

/* Returns -ENOSPC if the table is full; the link is not remembered then. */
int links_set_link(struct link_table *t, const struct link *link);
bool links_remove_link(struct link_table *t, int ifindex, struct link *gone);

/* @ifindex 0: any link. Ignores prefix length and peer. */
const struct link_addr *links_holder(const struct link_table *t, int ifindex,
				     const struct ip_addr *addr);
int links_add_addr(struct link_table *t, const struct link_addr *addr);
bool links_remove_addr(struct link_table *t, const struct link_addr *addr);

/*
 * Call these around a complete reading. The sweep functions then remove, one
 * per call, what was not seen since the begin; they return false when done.
 */
void links_sweep_begin(struct link_table *t);
bool links_sweep_link(struct link_table *t, struct link *gone);
bool links_sweep_addr(struct link_table *t, struct link_addr *gone);

#endif
