/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "core/time.h"
#include "net/netlink_state.h"
#include "net/rtmsg.h"

/* Bytes. Holds bursts, as when a bridge of many ports is deleted. */
#define EVENT_BUFFER (4 * 1024 * 1024)

/* Datagrams per netlink_read(), so that packets get their turn. */
#define READ_BATCH 256

/* The same after an overrun: more than the buffer holds, all discarded. */
#define DRAIN_BATCH 65536

/* --- what the kernel says, into the tables ---------------------------- */

static void tell(const struct netlink *nl, enum netlink_event_kind kind,
		 const struct link *link, const struct ip_addr *addr)
{
	struct netlink_event event = {.kind = kind, .link = link};

	if (addr)
		event.addr = *addr;
	if (nl->fn)
		nl->fn(nl->arg, &event);
}

static void links_changed(struct netlink *nl)
{
	route_cache_forget_all(nl->routes);
	nl->largest_mtu = links_largest_mtu(nl->links);
	nl->smallest_mtu = links_smallest_mtu(nl->links);
	nl->martians_stale = true;
}

static void on_link(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct link *known;
	struct link was = {0}, is;
	int ifindex = rtmsg_link_index(nlh);

	if (!ifindex)
		return;
	known = links_link(nl->links, ifindex);
	if (known)
		was = *known;
	is = was;
	rtmsg_read_link(nlh, &is);
	if (links_set_link(nl->links, &is)) {
		nl->counters.table_full++;
		return;
	}
	if (links_link_equal(&was, &is))
		return;

	links_changed(nl);
	if (is.up && !was.up)
		tell(nl, NETLINK_LINK_UP, &is, NULL);
	else if (was.up && !is.up)
		tell(nl, NETLINK_LINK_DOWN, &is, NULL);
	else if (is.up)
		tell(nl, NETLINK_LINK_CHANGED, &is, NULL);
}

static void link_gone(struct netlink *nl, const struct link *link)
{
	links_changed(nl);
	neigh_remove_link(nl->neighs, link->ifindex);
	tell(nl, NETLINK_LINK_DOWN, link, NULL);
}

static void on_link_gone(struct netlink *nl, const struct nlmsghdr *nlh)
{
	struct link gone;

	if (links_remove_link(nl->links, rtmsg_link_index(nlh), &gone))
		link_gone(nl, &gone);
}

static void on_addr(struct netlink *nl, const struct nlmsghdr *nlh)
{
	struct link_addr a;
	bool held;

	if (!rtmsg_read_addr(nlh, &a))
		return;
	held = links_holder(nl->links, a.ifindex, &a.addr);
	if (links_add_addr(nl->links, &a)) {
		nl->counters.table_full++;
		return;
	}
	nl->martians_stale = true;
	if (held)
		return;
	route_cache_forget_all(nl->routes);
	tell(nl, NETLINK_ADDR_NEW, netlink_link(nl, a.ifindex), &a.addr);
}

static void addr_gone(struct netlink *nl, const struct link_addr *a)
{
	nl->martians_stale = true;
	if (links_holder(nl->links, a->ifindex, &a->addr))
		return; /* still held, with another prefix or peer */
	route_cache_forget_all(nl->routes);
	tell(nl, NETLINK_ADDR_GONE, netlink_link(nl, a->ifindex), &a->addr);
}

static void on_addr_gone(struct netlink *nl, const struct nlmsghdr *nlh)
{
	struct link_addr a;

	if (rtmsg_read_addr(nlh, &a) && links_remove_addr(nl->links, &a))
		addr_gone(nl, &a);
}

static void note_heard(struct netlink *nl, int ifindex)
{
	struct link_life *life = links_life(nl->links, ifindex);

	if (life)
		life->heard_ns = clock_now_ns();
}

static void on_neigh(struct netlink *nl, const struct nlmsghdr *nlh)
{
	struct neigh_key key = {0};
	const uint8_t *mac = NULL;
	uint16_t state = NUD_NONE;

	if (!rtmsg_read_neigh(nlh, &key, &state, &mac))
		return;
	if (nlh->nlmsg_type == RTM_DELNEIGH)
		neigh_remove(nl->neighs, &key);
	else if (neigh_update(nl->neighs, &key, state, mac))
		nl->counters.table_full++;
	if (nlh->nlmsg_type == RTM_NEWNEIGH && (state & NUD_REACHABLE) &&
	    !nl->dumping)
		note_heard(nl, key.ifindex);
}

static void on_message(const struct nlmsghdr *nlh, void *arg)
{
	struct netlink *nl = arg;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK: on_link(nl, nlh); break;
	case RTM_DELLINK: on_link_gone(nl, nlh); break;
	case RTM_NEWADDR: on_addr(nl, nlh); break;
	case RTM_DELADDR: on_addr_gone(nl, nlh); break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH: on_neigh(nl, nlh); break;
	default:
		if (!rtmsg_moves_routes(nlh))
			break;
		route_cache_forget_all(nl->routes);
		nl->routes_changed = true;
	}
}

/* --- reading everything ----------------------------------------------- */

static int read_everything(struct netlink *nl)
{
	int ret;

	nl->dumping = true;
	links_sweep_begin(nl->links);
	neigh_sweep_begin(nl->neighs);
	ret = rtnl_dump(&nl->dump, RTM_GETLINK, AF_UNSPEC, on_message, nl);
	if (!ret)
		ret = rtnl_dump(&nl->dump, RTM_GETADDR, AF_INET, on_message,
				nl);
	if (!ret)
		ret = rtnl_dump(&nl->dump, RTM_GETNEIGH, AF_INET, on_message,
				nl);
	nl->dumping = false;
	return ret;
}

static void resync(struct netlink *nl)
{
	struct link_addr addr;
	struct link link;

	nl->counters.resyncs++;
	route_cache_forget_all(nl->routes);
	nl->routes_changed = true; /* possibly; messages were lost */
	nl->lost = read_everything(nl) != 0;
	if (nl->lost)
		return; /* do not sweep: unseen entries may still exist */

	while (links_sweep_addr(nl->links, &addr))
		addr_gone(nl, &addr);
	while (links_sweep_link(nl->links, &link))
		link_gone(nl, &link);
	neigh_sweep_end(nl->neighs);
}

/* --- set-up ------------------------------------------------------------ */

static int subscribe(struct netlink *nl)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
				     RTNLGRP_NEIGH};
	const int nexthops = RTNLGRP_NEXTHOP, bytes = EVENT_BUFFER;
	int fd;
	size_t i;

	nl->events =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl->events || mnl_socket_bind(nl->events, 0, MNL_SOCKET_AUTOPID))
		return -errno;

	/*
	 * Without privilege the host's limit must do. An overrun then costs
	 * another complete reading, but the tables stay correct.
	 */
	fd = mnl_socket_get_fd(nl->events);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (mnl_socket_setsockopt(nl->events, NETLINK_ADD_MEMBERSHIP,
					  (void *)&groups[i], sizeof(int)))
			return -errno;

	/* Since Linux 5.3. Older kernels have no next hop objects. */
	mnl_socket_setsockopt(nl->events, NETLINK_ADD_MEMBERSHIP,
			      (void *)&nexthops, sizeof(nexthops));
	return 0;
}

static int new_tables(struct netlink *nl)
{
	int ret = link_table_new(&nl->links);

	if (!ret)
		ret = neigh_table_new(&nl->neighs);
	if (!ret)
		ret = route_cache_new(&nl->routes);
	return ret;
}

int netlink_open(struct netlink **out, struct err *err)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int ret = nl ? new_tables(nl) : -ENOMEM;

	if (ret) {
		err_set(err, ret,
			"no memory for the tables of links, "
			"addresses and neighbours: %s",
			strerror(-ret));
		goto fail;
	}
	ret = subscribe(nl);
	if (!ret)
		ret = rtnl_open(&nl->ask);
	if (!ret)
		ret = rtnl_open(&nl->dump);
	if (ret) {
		err_set(err, ret,
			"cannot open a routing netlink socket: %s; allow the "
			"address family AF_NETLINK to this process",
			strerror(-ret));
		goto fail;
	}
	ret = read_everything(nl);
	if (ret) {
		err_set(err, ret,
			"cannot read links, addresses and neighbours from the "
			"kernel: %s; `ip address` should list them",
			strerror(-ret));
		goto fail;
	}
	*out = nl;
	return 0;
fail:
	netlink_close(nl);
	return ret;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	rtnl_close(&nl->dump);
	rtnl_close(&nl->ask);
	if (nl->events)
		mnl_socket_close(nl->events);
	route_cache_free(nl->routes);
	neigh_table_free(nl->neighs);
	link_table_free(nl->links);
	free(nl);
}

/* --- notifications ------------------------------------------------------ */

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->events);
}

/*
 * Handles one datagram; false if none waits. After an overrun the kernel sends
 * nothing until the socket is empty (NETLINK_S_CONGESTED). What still lies in
 * it is older than the reading that follows, and is discarded.
 */
static bool read_datagram(struct netlink *nl)
{
	const struct nlmsghdr *nlh = (const void *)nl->buffer;
	ssize_t len =
		mnl_socket_recvfrom(nl->events, nl->buffer, sizeof(nl->buffer));
	int left = (int)len;

	if (len == -1) {
		if (errno == EAGAIN)
			return false;
		if (errno == ENOBUFS || errno == ENOSPC)
			nl->lost = true; /* ENOSPC: longer than our buffer */
		return errno == EINTR || nl->lost;
	}
	if (!nl->lost)
		for (; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			on_message(nlh, nl);
	return true;
}

void netlink_read(struct netlink *nl, netlink_event_fn *fn, void *arg)
{
	bool more = true;
	int i;

	nl->fn = fn;
	nl->arg = arg;
	nl->routes_changed = false;

	for (i = 0; more && i < (nl->lost ? DRAIN_BATCH : READ_BATCH); i++)
		more = read_datagram(nl);
	if (nl->lost)
		resync(nl);
	if (nl->routes_changed)
		tell(nl, NETLINK_ROUTE_CHANGED, NULL, NULL);
	nl->fn = NULL;
}

/* --- links and addresses ------------------------------------------------ */

const struct link *netlink_link(const struct netlink *nl, int ifindex)
{
	return links_link(nl->links, ifindex);
}

const struct link *netlink_link_by_name(const struct netlink *nl,
					const char *name)
{
	return links_link_by_name(nl->links, name);
}

bool netlink_carries(const struct netlink *nl, int lower, int ifindex)
{
	return links_carries(nl->links, lower, ifindex);
}

int netlink_addr_ifindex(const struct netlink *nl, const struct ip_addr *addr)
{
	const struct link_addr *a = links_holder(nl->links, 0, addr);

	return a ? a->ifindex : 0;
}

void netlink_for_each_link(const struct netlink *nl, netlink_event_fn *fn,
			   void *arg)
{
	struct netlink_event event = {0};
	unsigned i;

	for (i = 0; (event.link = links_link_at(nl->links, i)); i++) {
		event.kind =
			event.link->up ? NETLINK_LINK_UP : NETLINK_LINK_DOWN;
		fn(arg, &event);
	}
}

static void list_martians(struct netlink *nl)
{
	const struct link_addr *a;
	const struct link *link;
	unsigned i;

	martian_clear(&nl->martians);
	for (i = 0; (a = links_addr_at(nl->links, i)); i++)
		martian_add(&nl->martians, &a->addr, a->prefix_len);
	martian_sort(&nl->martians);
	nl->loopback = 0;
	for (i = 0; (link = links_link_at(nl->links, i)); i++)
		if (link->loopback)
			nl->loopback = link->ifindex;
	nl->martians_stale = false;
}

bool netlink_is_martian(struct netlink *nl, const struct ip_addr *src,
			const struct ip_addr *dst, int ifindex)
{
	if (nl->martians_stale)
		list_martians(nl);
	return martian(&nl->martians, src, dst, ifindex == nl->loopback);
}

bool netlink_is_loopback(const struct netlink *nl, int ifindex)
{
	return ifindex == nl->loopback;
}

uint32_t netlink_smallest_mtu(const struct netlink *nl)
{
	return nl->smallest_mtu;
}

/* --- whether a link lives ------------------------------------------------ */

#define ASK_INTERVAL_NS (10 * NS_PER_MS)

uint64_t netlink_heard_ns(const struct netlink *nl, int ifindex)
{
	const struct link_life *life = links_life(nl->links, ifindex);

	return life ? life->heard_ns : 0;
}

void netlink_resolve(struct netlink *nl, int ifindex,
		     const struct ip_addr *addr)
{
	const struct neigh_key key = {.addr = *addr, .ifindex = ifindex};
	_Alignas(struct nlmsghdr) char request[RTMSG_REQUEST];
	const struct nlmsghdr *nlh;

	if (neigh_find(nl->neighs, &key) != NEIGH_NONE)
		return;
	nlh = rtmsg_resolve_neigh(request, &key);
	mnl_socket_sendto(nl->events, nlh, nlh->nlmsg_len);
}

/*
 * A usable neighbour on @ifindex that is not permanent: the kernel resolves it
 * at once when it is set to NUD_PROBE.
 */
static bool can_ask(const struct neigh *n, int ifindex)
{
	return n->seen && n->key.ifindex == ifindex &&
	       !(n->state & (NUD_PERMANENT | NUD_NOARP));
}

void netlink_ask_link(struct netlink *nl, int ifindex, uint64_t now_ns)
{
	_Alignas(struct nlmsghdr) char request[RTMSG_REQUEST];
	struct link_life *life = links_life(nl->links, ifindex);
	unsigned asked = 0;

	if (!life || now_ns - life->asked_ns < ASK_INTERVAL_NS)
		return;
	life->asked_ns = now_ns;
	for (unsigned i = 0; i < NEIGH_MAX && asked < NETLINK_ASKED; i++) {
		const struct nlmsghdr *nlh;
		struct neigh *n;

		nl->asked = (nl->asked + 1) % NEIGH_MAX;
		n = neigh_at(nl->neighs, nl->asked);
		if (!can_ask(n, ifindex))
			continue;
		nlh = rtmsg_probe_neigh(request, &n->key);
		mnl_socket_sendto(nl->events, nlh, nlh->nlmsg_len);
		nl->counters.probes++;
		asked++;
	}
}

struct netlink_counters netlink_counters(const struct netlink *nl)
{
	return nl->counters;
}
