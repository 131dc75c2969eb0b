/* SPDX-License-Identifier: MIT */
/*
 * iface.h - the links of this host and their addresses
 *
 * Two plain arrays: there are few entries, and no packet causes a search. They
 * are bounded. A link that does not fit is not remembered, and packets that
 * leave by it go by raw IP.
 *
 * No system calls: netlink.c fills the table, the tests fill it by hand.
 */
#ifndef L4LB_IFACE_H
#define L4LB_IFACE_H

#include <stdbool.h>

#include "core/addr.h"
#include "io/netlink.h"

#define IFACE_LINKS_MAX 4096
#define IFACE_ADDRS_MAX 4096

/*
 * A link may hold an address several times, with different prefix lengths or
 * peers.
 */
struct iface_addr {
	int ifindex;
	uint8_t prefix_len;
	struct ip_addr addr;
	struct ip_addr peer; /* equal to @addr if there is none */
};

struct iface_table;

int iface_table_new(struct iface_table **out);
void iface_table_free(struct iface_table *t);

/* Return NULL if there is no such link. Valid until the table changes. */
const struct link *iface_link(const struct iface_table *t, int ifindex);
const struct link *iface_link_by_name(const struct iface_table *t,
				      const char *name);
const struct link *iface_link_at(const struct iface_table *t, unsigned i);
const struct iface_addr *iface_addr_at(const struct iface_table *t, unsigned i);
/* Of the links that are up, without loopback; UINT16_MAX if there are none. */
uint32_t iface_largest_mtu(const struct iface_table *t);
uint32_t iface_smallest_mtu(const struct iface_table *t);

/* See netlink_carries(). */
#define IFACE_ABOVE_MAX 64 /* links above one; further ones are not found */
bool iface_carries(const struct iface_table *t, int lower, int ifindex);

/*
 * Life of a link besides captured frames: when something was last heard, and
 * when its neighbours were last asked. 0: never, or no such link.
 */
struct iface_life {
	uint64_t heard_ns, asked_ns;
};
struct iface_life *iface_life(struct iface_table *t, int ifindex); /* or NULL */

bool iface_link_equal(const struct link *a, const struct link *b);

/* Returns -ENOSPC if the table is full; the link is not remembered then. */
int iface_set_link(struct iface_table *t, const struct link *link);
bool iface_remove_link(struct iface_table *t, int ifindex, struct link *gone);

/* @ifindex 0: any link. Ignores prefix length and peer. */
const struct iface_addr *iface_holder(const struct iface_table *t, int ifindex,
				      const struct ip_addr *addr);
int iface_add_addr(struct iface_table *t, const struct iface_addr *addr);
bool iface_remove_addr(struct iface_table *t, const struct iface_addr *addr);

/*
 * Call these around a complete reading. The sweep functions then remove, one
 * per call, what was not seen since the begin; they return false when done.
 */
void iface_sweep_begin(struct iface_table *t);
bool iface_sweep_link(struct iface_table *t, struct link *gone);
bool iface_sweep_addr(struct iface_table *t, struct iface_addr *gone);

#endif
