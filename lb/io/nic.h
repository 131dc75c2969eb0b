/* SPDX-License-Identifier: MIT */
/* nic.h - what one interface does to packets before we see them */
#ifndef L4LB_NIC_H
#define L4LB_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "io/netlink.h"

/* Link header, a VLAN tag, and the longest IPv4 packet. */
#define NIC_SUPER_SNAPLEN (14 + 4 + 65535)

/*
 * The longest frame it can deliver: its MTU, or a super-packet where GRO or a
 * virtual link may hand us one (design rule 3).
 */
uint32_t nic_snaplen(const struct link *link);

/*
 * LRO merges segments beyond repair (a forwarding host must not use it).
 * Switches it off; true if it was on, and must be restored at exit.
 */
bool nic_lro_off(const char *ifname);
void nic_lro_restore(const char *ifname);

#endif
