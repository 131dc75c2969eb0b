/* SPDX-License-Identifier: MIT */
/*
 * iface.h - the links of this host and the addresses they hold
 *
 * Two plain arrays, since there are few and they are not searched per packet.
 * Bounded: what does not fit is not remembered, and packets that leave by a
 * link not remembered go by raw IP.
 *
 * No system calls: netlink.c fills it, the tests do so by hand.
 */
#ifndef L4LB_IFACE_H
#define L4LB_IFACE_H

#include <stdbool.h>

#include "core/addr.h"
#include "io/netlink.h"

#define IFACE_LINKS_MAX 4096
#define IFACE_ADDRS_MAX 4096

/* The kernel lets one link hold an address several times, with different
 * prefix lengths or peers.
 */
struct iface_addr {
	int ifindex;
	uint8_t prefix_len;
	struct ip_addr addr;
	struct ip_addr peer; /* @addr itself if there is none */
};

struct iface_table;

int iface_table_new(struct iface_table **out);
void iface_table_free(struct iface_table *t);

/* NULL: none. Valid until the table changes. */
const struct link *iface_link(const struct iface_table *t, int ifindex);
const struct link *iface_link_by_name(const struct iface_table *t,
				      const char *name);
const struct link *iface_link_at(const struct iface_table *t, unsigned i);
const struct iface_addr *iface_addr_at(const struct iface_table *t, unsigned i);
/* Of those that are up, loopback aside; UINT16_MAX if there is none. */
uint32_t iface_largest_mtu(const struct iface_table *t);
uint32_t iface_smallest_mtu(const struct iface_table *t);

/* See netlink_carries(). */
#define IFACE_ABOVE_MAX 64 /* of links above one: others are not found */
bool iface_carries(const struct iface_table *t, int lower, int ifindex);

/* When anything was heard by the link, apart from frames, and when its
 * neighbours were last asked; 0: never, or there is no such link.
 */
struct iface_life {
	uint64_t heard_ns, asked_ns;
};
struct iface_life *iface_life(struct iface_table *t, int ifindex); /* NULL */

bool iface_link_equal(const struct link *a, const struct link *b);

/* -ENOSPC: full, not remembered */
int iface_set_link(struct iface_table *t, const struct link *link);
bool iface_remove_link(struct iface_table *t, int ifindex, struct link *gone);

/* @ifindex 0: any. True also if it is held with another prefix or peer. */
const struct iface_addr *iface_holder(const struct iface_table *t, int ifindex,
				      const struct ip_addr *addr);
int iface_add_addr(struct iface_table *t, const struct iface_addr *addr);
bool iface_remove_addr(struct iface_table *t, const struct iface_addr *addr);

/* Around a reading of everything: what was not heard of since the begin is
 * then taken out one by one, until false.
 */
void iface_sweep_begin(struct iface_table *t);
bool iface_sweep_link(struct iface_table *t, struct link *gone);
bool iface_sweep_addr(struct iface_table *t, struct iface_addr *gone);

#endif
