/* SPDX-License-Identifier: MIT */
/*
 * lane.h - a descriptor to send packets by
 *
 * A lane is one link, or raw IP, where the kernel looks up route and neighbour.
 * A raw socket that brings its own IP header makes that look-up without a
 * source. So every raw message names its source (IP_PKTINFO), or policy rules
 * (`ip rule add from`) would not apply to it.
 */
#ifndef L4LB_LANE_H
#define L4LB_LANE_H

#include <libnet.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/addr.h"
#include "core/err.h"

struct lane {
	libnet_t *net; /* NULL: a link */
	int fd;
	int ifindex;   /* 0: raw IP, or a link that is not used now */
	bool vnet;     /* a virtio_net_hdr precedes every frame */
	bool resolves; /* raw IP for packets to unresolved neighbours only */
	struct sockaddr_ll link;
};

int lane_open_raw(struct lane *lane, struct err *err);

/* For frames of Ethernet. False: no descriptor. */
bool lane_open_link(struct lane *lane);

/* Now it is for that interface; 0: for none. */
void lane_use_link(struct lane *lane, int ifindex);

/*
 * Only builds packets and has no descriptor: libnet returns what it has built
 * in its advanced link mode only.
 */
int lane_open_builder(struct lane *lane, struct err *err);

/* Accepts a zeroed lane. */
void lane_close(struct lane *lane);

/* Destination and source of one raw message; must live as long as it. */
struct raw_address {
	struct sockaddr_in to;
	union {
		struct cmsghdr first; /* forces the alignment */
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
};

/* Addresses @msg, whose data begins with an IP header of these addresses. */
void lane_address_raw(struct msghdr *msg, struct raw_address *address,
		      const struct ip_addr *src, const struct ip_addr *dst);

#endif
