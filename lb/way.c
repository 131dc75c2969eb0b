/* SPDX-License-Identifier: MIT */
#include "clock.h"
#include "way.h"

/* The link that its packets leave by; NULL: no route, or *unknown is set. */
static const struct link *link_to(const struct app *app,
				  const struct ip_addr *source,
				  const struct ip_addr *backend, bool *unknown)
{
	struct hop hop;

	netlink_hop(app->netlink, source, backend, clock_now_ns(), &hop);
	*unknown = hop.ifindex == HOP_UNKNOWN;
	return netlink_link(app->netlink, hop.ifindex);
}

bool way_can_reach(void *arg, const struct ip_addr *source,
		   const struct ip_addr *backend)
{
	bool unknown;
	const struct link *link = link_to(arg, source, backend, &unknown);

	return unknown || (link && link->up);
}

/*
 * When anything was last heard by the link: captured frames for us, neighbours
 * that the kernel verified, and answers to checks by sockets, which are not
 * captured. A backend on this host needs no link.
 */
uint64_t way_heard_ns(void *arg, const struct ip_addr *source,
		      const struct ip_addr *backend, enum way_wish wish)
{
	const struct app *app = arg;
	uint64_t frame_ns, other_ns;
	const struct link *link;
	bool unknown;

	link = link_to(app, source, backend, &unknown);
	if (!link || link->loopback)
		return UINT64_MAX;
	switch (wish) {
	case WAY_LOOK: break;
	case WAY_ASK:
		netlink_ask_link(app->netlink, link->ifindex, clock_now_ns());
		break;
	case WAY_ANSWERED:
		netlink_note_heard(app->netlink, link->ifindex, clock_now_ns());
		break;
	}
	frame_ns = taps_heard_ns(&app->taps, link->ifindex);
	other_ns = netlink_heard_ns(app->netlink, link->ifindex);
	return frame_ns > other_ns ? frame_ns : other_ns;
}
