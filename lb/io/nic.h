/* SPDX-License-Identifier: MIT */
/* nic.h - what an interface does to packets before we see them */
#ifndef L4LB_NIC_H
#define L4LB_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "io/netlink.h"

#define NIC_LRO_MAX 64

/* Interfaces whose LRO was on. */
struct nic_lro {
	unsigned n;
	int ifindex[NIC_LRO_MAX];
};

/*
 * LRO merges segments beyond repair (a forwarding host must not use it).
 * Switches it off, which is undone for all of them at the exit.
 */
void nic_lro_off(struct nic_lro *lro, const struct link *link);
void nic_lro_restore(const struct nic_lro *lro);

/*
 * Whether packets may come by it that are longer than its MTU (design rule 3):
 * merged by GRO, or by the sender's card, as virtual links hand them on.
 */
bool nic_brings_supers(const struct link *link);

/*
 * False for an interface by which IPv4 never comes, whatever one sets: raw
 * radio, buses, monitors of other things. NULL is fine.
 */
bool nic_carries_ipv4(const struct link *link);

#endif
