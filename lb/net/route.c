/* SPDX-License-Identifier: MIT */
/*
 * Where packets go: the routes that the kernel chooses and, per packet, the
 * frame header that follows from route, link and neighbour.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>

#include "core/time.h"
#include "net/netlink_state.h"
#include "net/rtmsg.h"

/*
 * Some changes come without a notification (a learned path MTU, a redirect).
 * They are seen after this time.
 */
#define ROUTE_LIFETIME_NS (30 * NS_PER_S)

#define PROBE_INTERVAL_NS NS_PER_S
#define SILENCE_NS	  NS_PER_S /* no queries after one without an answer */

struct route_answer {
	struct route *route;
	bool usable;
};

static void take_route(const struct nlmsghdr *nlh, void *arg)
{
	struct route_answer *answer = arg;

	answer->usable = rtmsg_read_route(nlh, answer->route);
}

/*
 * Returns 0 or the kernel's error; -ENETUNREACH for broadcast, multicast too.
 */
static int ask_route(struct netlink *nl, const struct ip_addr *src,
		     const struct ip_addr *dst, struct route *out)
{
	_Alignas(struct nlmsghdr) char request[RTMSG_REQUEST];
	struct route_answer answer = {.route = out};
	const struct link *link;
	int ret;

	*out = (struct route){0};
	if (!addr_is_v4(dst) || (src && !addr_is_v4(src)))
		return -EAFNOSUPPORT;
	nl->counters.queries++;
	ret = rtnl_ask(&nl->ask, rtmsg_ask_route(request, src, dst), take_route,
		       &answer);
	if (ret)
		return ret;
	if (!answer.usable)
		return -ENETUNREACH;
	if (src) /* the kernel's answer then has no source */
		out->prefsrc = *src;
	link = netlink_link(nl, out->ifindex);
	if (!out->mtu)
		out->mtu = link ? link->mtu : nl->largest_mtu;
	return 0;
}

int netlink_route(struct netlink *nl, const struct ip_addr *src,
		  const struct ip_addr *dst, struct route *out, struct err *err)
{
	char to[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];
	int ret = ask_route(nl, src, dst, out);

	if (!ret)
		return 0;
	addr_format(dst, to);
	if (ret == -ETIMEDOUT)
		return err_set(err, ret,
			       "route to %s: the kernel did not answer; try "
			       "`ip route get %s`",
			       to, to);
	if (!src)
		return err_set(err, ret,
			       "no route to %s: %s; add one (`ip route add`), "
			       "or correct the address",
			       to, strerror(-ret));
	addr_format(src, from);
	if (!links_holder(nl->links, 0, src))
		return err_set(err, ret,
			       "no route to %s from %s: %s is not an address "
			       "of this host; add it (`ip address add`)",
			       to, from, from);
	return err_set(err, ret,
		       "no route to %s from %s: %s; add one (`ip route add`)",
		       to, from, strerror(-ret));
}

/* --- per packet ----------------------------------------------------------- */

static bool may_ask(struct netlink *nl, uint64_t now_ns)
{
	const uint64_t now_ms = now_ns / NS_PER_MS;

	if (now_ns < nl->silent_until_ns)
		return false;
	if (now_ms != nl->budget_ms) {
		nl->budget_ms = now_ms;
		nl->budget_used = 0;
	}
	if (nl->budget_used == NETLINK_QUERIES_PER_MS)
		return false;
	nl->budget_used++;
	return true;
}

static bool means_no_route(int ret)
{
	return ret == -ENETUNREACH || ret == -EHOSTUNREACH || ret == -EACCES ||
	       ret == -EINVAL || ret == -EAFNOSUPPORT;
}

static bool carries_ethernet(const struct link *link)
{
	return link && link->up && !link->loopback && !link->noarp &&
	       link->type == ARPHRD_ETHER;
}

/* NULL: the query budget is spent, or the kernel did not answer. */
static struct cached_route *ask_path(struct netlink *nl,
				     const struct route_key *key,
				     const struct ip_addr *src, uint64_t now_ns)
{
	const struct link *link;
	struct route route;
	struct cached_route *path;
	int ret;

	if (!may_ask(nl, now_ns))
		return NULL;
	ret = ask_route(nl, src, &key->dst, &route);
	if (ret && !means_no_route(ret)) {
		/*
		 * Something is wrong with netlink. Packets must not wait for
		 * one timeout after another.
		 */
		nl->silent_until_ns = now_ns + SILENCE_NS;
		return NULL;
	}

	path = route_cache_put(nl->routes, key, now_ns);
	path->asked_ns = now_ns;
	path->ifindex = ret ? HOP_NO_ROUTE : route.ifindex;
	path->mtu = route.mtu;
	link = netlink_link(nl, path->ifindex);
	path->link = !route.local && !route.raw_only && carries_ethernet(link);
	if (!path->link)
		return path;
	memcpy(path->mac, link->mac, sizeof(path->mac));
	path->next = route.has_gateway ? route.gateway : key->dst;
	path->neigh_generation = neigh_generation(nl->neighs);
	path->neigh = neigh_find(nl->neighs,
				 &(struct neigh_key){.addr = path->next,
						     .ifindex = route.ifindex});
	return path;
}

static struct cached_route *current_path(struct netlink *nl,
					 const struct ip_addr *src,
					 const struct ip_addr *dst,
					 uint64_t now_ns)
{
	struct route_key key = {.dst = *dst};
	struct cached_route *path, *asked;

	if (src)
		key.src = *src;
	path = route_cache_find(nl->routes, &key, now_ns);
	if (path && now_ns - path->asked_ns < ROUTE_LIFETIME_NS)
		return path;
	asked = ask_path(nl, &key, src, now_ns);
	return asked ? asked
		     : path; /* an outdated answer is better than none */
}

static struct neigh *route_neigh(struct netlink *nl, struct cached_route *path)
{
	if (path->neigh_generation != neigh_generation(nl->neighs)) {
		const struct neigh_key key = {.addr = path->next,
					      .ifindex = path->ifindex};

		path->neigh_generation = neigh_generation(nl->neighs);
		path->neigh = neigh_find(nl->neighs, &key);
	}
	if (path->neigh == NEIGH_NONE)
		return NULL;
	return neigh_at(nl->neighs, path->neigh);
}

/*
 * Frames that we send never refresh the kernel's entry. It would stay STALE for
 * ever, and nobody would notice that a machine was replaced. NTF_USE makes the
 * kernel resolve the entry as if it had sent the frame itself. The result comes
 * as a notification.
 */
static void verify(struct netlink *nl, struct neigh *neigh, uint64_t now_ns)
{
	_Alignas(struct nlmsghdr) char request[RTMSG_REQUEST];
	const struct nlmsghdr *nlh;

	if (neigh->probed_ns && now_ns - neigh->probed_ns < PROBE_INTERVAL_NS)
		return;
	neigh->probed_ns = now_ns;
	nlh = rtmsg_use_neigh(request, &neigh->key);
	mnl_socket_sendto(nl->events, nlh, nlh->nlmsg_len);
	nl->counters.probes++;
}

int netlink_leaves_by(struct netlink *nl, const struct ip_addr *src,
		      const struct ip_addr *dst, uint64_t now_ns)
{
	const struct cached_route *path = current_path(nl, src, dst, now_ns);

	return path ? path->ifindex : HOP_UNKNOWN;
}

void netlink_hop(struct netlink *nl, const struct ip_addr *src,
		 const struct ip_addr *dst, uint64_t now_ns, struct hop *out)
{
	struct cached_route *path = current_path(nl, src, dst, now_ns);
	const uint16_t ethertype = htons(ETHERTYPE_IP);
	struct neigh *neigh;

	out->link = out->unresolved = false;
	if (!path) {
		nl->counters.over_budget++;
		out->ifindex = HOP_UNKNOWN;
		out->mtu = nl->largest_mtu;
		return;
	}
	out->ifindex = path->ifindex;
	out->mtu = path->mtu;
	if (!path->link)
		return;
	neigh = route_neigh(nl, path);
	if (!neigh) {
		out->unresolved = true;
		return;
	}
	if (neigh->state == NUD_STALE)
		verify(nl, neigh, now_ns);
	out->link = true;
	memcpy(out->eth, neigh->mac, 6);
	memcpy(out->eth + 6, path->mac, 6);
	memcpy(out->eth + 12, &ethertype, 2);
}
