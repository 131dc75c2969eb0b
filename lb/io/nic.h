/* SPDX-License-Identifier: MIT */
/* nic.h - what one interface does to packets before we see them */
#ifndef L4LB_NIC_H
#define L4LB_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "io/netlink.h"

/* Link header, a VLAN tag, and the longest IPv4 packet. */
#define NIC_FRAME_MAX (14 + 4 + 65535)

/*
 * A ring's blocks are powers of two: a slot for the longest frame there can be
 * takes 128 KiB. Super-packets that TCP and GRO make end well below 64 KiB, so
 * a slot of that size carries them in half the memory; should a longer one
 * come, the ring is opened anew (capture_truncated).
 */
#define NIC_SUPER_SNAPLEN (65536 - 128)

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
