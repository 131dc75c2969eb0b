/* SPDX-License-Identifier: MIT */
/* nic.h - what an interface does to packets before we see them */
#ifndef L4LB_NIC_H
#define L4LB_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "net/netlink.h"

#define NIC_LRO_MAX 64

/* Interfaces whose LRO was on. */
struct nic_lro {
	unsigned n;
	int ifindex[NIC_LRO_MAX];
};

/*
 * LRO merges segments in a way that cannot be undone; a forwarding host must
 * not use it. nic_lro_off() switches it off, nic_lro_restore() switches it on
 * again for all interfaces at the exit.
 */
void nic_lro_off(struct nic_lro *lro, const struct link *link);
void nic_lro_restore(const struct nic_lro *lro);

/*
 * True if packets longer than its MTU may come by the interface (design rule
 * 3): merged by GRO, or left to the sender's card and passed on by a virtual
 * link.
 */
bool nic_brings_supers(const struct link *link);

/*
 * False for an interface that can never carry IPv4: raw radio, buses, monitors
 * of other devices. Accepts NULL.
 */
bool nic_carries_ipv4(const struct link *link);

#endif
