/* SPDX-License-Identifier: MIT */
/*
 * lane.h - a descriptor of libnet's that packets leave by
 *
 * Either one link, or raw IP, where the kernel looks up route and neighbour
 * itself. It would do so without regard to the source, since a socket that
 * brings its own IP header has none: so every raw message names its source
 * (IP_PKTINFO), or policy rules (`ip rule add from`) would not hold for it.
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
	libnet_t *net;
	int fd;
	int ifindex;   /* 0: raw IP */
	bool vnet;     /* a virtio_net_hdr precedes every frame */
	bool resolves; /* raw IP to neighbours that are not known, only */
	struct sockaddr_ll link;
};

int lane_open_raw(struct lane *lane, struct err *err);

/* False: no such link, or it cannot be sent on. */
bool lane_open_link(struct lane *lane, int ifindex);

/*
 * Nothing leaves by this one, and it has no descriptor: libnet gives away what
 * it has built only in its advanced link mode.
 */
int lane_open_builder(struct lane *lane, struct err *err);

/* Accepts a lane that is all zero. */
void lane_close(struct lane *lane);

/* Where one raw message goes, and from where; it lives as long as the message.
 */
struct raw_address {
	struct sockaddr_in to;
	union {
		struct cmsghdr first; /* for its alignment */
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
};

/* Addresses @msg, whose data begins with an IP header of the same addresses. */
void lane_address_raw(struct msghdr *msg, struct raw_address *address,
		      const struct ip_addr *src, const struct ip_addr *dst);

#endif
