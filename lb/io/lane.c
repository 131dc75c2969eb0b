/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <string.h>
#include <unistd.h>

#include "io/lane.h"

#define SEND_BUFFER (4 << 20) /* bytes */

/* Above wmem_max only with privilege; without it, up to the host's limit. */
static void widen(int fd)
{
	const int size = SEND_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int lane_open_raw(struct lane *lane, struct err *err)
{
	char why[LIBNET_ERRBUF_SIZE];
	const int on = 1;

	*lane = (struct lane){.net = libnet_init(LIBNET_RAW4, NULL, why)};
	if (!lane->net)
		return err_set(err, -EPERM,
			       "cannot open a raw socket: %s; run as root or "
			       "with CAP_NET_RAW",
			       why);
	lane->fd = libnet_getfd(lane->net);
	widen(lane->fd);
	/*
	 * A reset must keep its source even if the host has lost that address:
	 * without this option the kernel refuses a message that names it.
	 */
	setsockopt(lane->fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on));
	if (fcntl(lane->fd, F_SETFL, O_NONBLOCK) == -1)
		return err_set(err, -errno, "raw socket: %s", strerror(errno));
	return 0;
}

/*
 * Not by libnet: its link socket receives every frame of every interface, and
 * to end that the kernel waits until no processor delivers one: 5 to 15 ms, for
 * the first packet to each new interface. A socket of no protocol receives
 * nothing from the beginning, and each message names its protocol and link.
 */
bool lane_open_link(struct lane *lane)
{
	const int on = 1;

	*lane = (struct lane){
		.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0),
		.link = {.sll_family = AF_PACKET,
			 .sll_protocol = htons(ETH_P_IP),
			 .sll_halen = ETH_ALEN},
	};
	if (lane->fd == -1)
		return false;
	widen(lane->fd);
	lane->vnet = setsockopt(lane->fd, SOL_PACKET, PACKET_VNET_HDR, &on,
				sizeof(on)) == 0;
	return true;
}

void lane_use_link(struct lane *lane, int ifindex)
{
	lane->ifindex = ifindex;
	lane->link.sll_ifindex = ifindex;
}

int lane_open_builder(struct lane *lane, struct err *err)
{
	char why[LIBNET_ERRBUF_SIZE];

	/* With LINK_ADV from the beginning it would want a link that is up. */
	*lane = (struct lane){.net = libnet_init(LIBNET_NONE, NULL, why)};
	if (!lane->net)
		return err_set(err, -ENOMEM, "cannot build packets: %s", why);
	lane->net->injection_type = LIBNET_LINK_ADV;
	lane->fd = -1;
	return 0;
}

void lane_close(struct lane *lane)
{
	if (lane->net)
		libnet_destroy(lane->net);
	else if (lane->link.sll_family == AF_PACKET)
		close(lane->fd);
	*lane = (struct lane){0};
}

void lane_address_raw(struct msghdr *msg, struct raw_address *address,
		      const struct ip_addr *src, const struct ip_addr *dst)
{
	const struct in_pktinfo from = {
		.ipi_spec_dst.s_addr = addr_to_v4(src),
	};
	struct cmsghdr *cmsg = &address->control.first;

	address->to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = addr_to_v4(dst),
	};
	msg->msg_name = &address->to;
	msg->msg_namelen = sizeof(address->to);
	msg->msg_control = address->control.bytes;
	msg->msg_controllen = sizeof(address->control.bytes);
	cmsg->cmsg_level = SOL_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(cmsg), &from, sizeof(from));
}
