/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/rtmsg.h"

/*
 * The attributes that we read, by type. Newer ones have higher numbers and are
 * ignored.
 */
#define ATTRS 40
struct attrs {
	const struct nlattr *at[ATTRS];
};

static int collect(const struct nlattr *attr, void *arg)
{
	struct attrs *attrs = arg;

	if (mnl_attr_get_type(attr) < ATTRS)
		attrs->at[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/* The payload of an attribute if it has exactly @len bytes, else NULL. */
static const void *payload(const struct attrs *attrs, int type, size_t len)
{
	const struct nlattr *attr = attrs->at[type];

	if (!attr || mnl_attr_get_payload_len(attr) != len)
		return NULL;
	return mnl_attr_get_payload(attr);
}

static bool read_u32(const struct attrs *attrs, int type, uint32_t *out)
{
	const void *bytes = payload(attrs, type, sizeof(*out));

	if (bytes)
		memcpy(out, bytes, sizeof(*out));
	return bytes;
}

static bool read_v4(const struct attrs *attrs, int type, struct ip_addr *out)
{
	uint32_t v4;

	if (!read_u32(attrs, type, &v4))
		return false;
	*out = addr_from_v4(v4);
	return true;
}

static void read_name(const struct attrs *attrs, char name[IF_NAMESIZE])
{
	const struct nlattr *attr = attrs->at[IFLA_IFNAME];
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (!len)
		return;
	if (len > IF_NAMESIZE - 1)
		len = IF_NAMESIZE - 1;
	memset(name, 0, IF_NAMESIZE);
	memcpy(name, mnl_attr_get_payload(attr), len);
}

/* The fixed part in front of the attributes; NULL if cut short. */
static const void *fixed_part(const struct nlmsghdr *nlh, size_t len,
			      struct attrs *attrs)
{
	*attrs = (struct attrs){0};
	if (mnl_nlmsg_get_payload_len(nlh) < len)
		return NULL;
	if (mnl_attr_parse(nlh, (unsigned)len, collect, attrs) == MNL_CB_ERROR)
		return NULL;
	return mnl_nlmsg_get_payload(nlh);
}

int rtmsg_link_index(const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    ifi->ifi_family != AF_UNSPEC)
		return 0;
	return ifi->ifi_index;
}

/* True if the link is a port of a VRF. */
static bool is_vrf_port(const struct nlattr *info)
{
	static const char vrf[] = "vrf";
	struct attrs attrs = {0};

	return info &&
	       mnl_attr_parse_nested(info, collect, &attrs) != MNL_CB_ERROR &&
	       attrs.at[IFLA_INFO_SLAVE_KIND] &&
	       strncmp(mnl_attr_get_payload(attrs.at[IFLA_INFO_SLAVE_KIND]),
		       vrf,
		       mnl_attr_get_payload_len(
			       attrs.at[IFLA_INFO_SLAVE_KIND])) == 0;
}

static int read_ifindex(const struct attrs *attrs, int type)
{
	uint32_t ifindex = 0;

	read_u32(attrs, type, &ifindex);
	return (int)ifindex;
}

/*
 * A message with an MTU describes the whole link: an attribute that it lacks is
 * not set. The ifindex of a parent in another namespace has no meaning here.
 */
static void read_levels(const struct attrs *attrs, struct link *link)
{
	if (!attrs->at[IFLA_MTU])
		return;
	link->master = is_vrf_port(attrs->at[IFLA_LINKINFO])
			       ? 0
			       : read_ifindex(attrs, IFLA_MASTER);
	link->parent = attrs->at[IFLA_LINK_NETNSID]
			       ? 0
			       : read_ifindex(attrs, IFLA_LINK);
}

void rtmsg_read_link(const struct nlmsghdr *nlh, struct link *link)
{
	struct attrs attrs;
	const struct ifinfomsg *ifi = fixed_part(nlh, sizeof(*ifi), &attrs);
	const uint8_t *mac;

	if (!ifi)
		return;
	link->ifindex = ifi->ifi_index;
	link->type = ifi->ifi_type;
	link->up = (ifi->ifi_flags & IFF_UP) && (ifi->ifi_flags & IFF_RUNNING);
	link->loopback = ifi->ifi_flags & IFF_LOOPBACK;
	link->noarp = ifi->ifi_flags & IFF_NOARP;
	read_u32(&attrs, IFLA_MTU, &link->mtu);
	mac = payload(&attrs, IFLA_ADDRESS, sizeof(link->mac));
	if (mac)
		memcpy(link->mac, mac, sizeof(link->mac));
	read_name(&attrs, link->name);
	read_levels(&attrs, link);
}

bool rtmsg_read_addr(const struct nlmsghdr *nlh, struct link_addr *addr)
{
	struct attrs attrs;
	const struct ifaddrmsg *ifa = fixed_part(nlh, sizeof(*ifa), &attrs);

	if (!ifa || ifa->ifa_family != AF_INET ||
	    !read_v4(&attrs, IFA_LOCAL, &addr->addr))
		return false;
	if (!read_v4(&attrs, IFA_ADDRESS, &addr->peer))
		addr->peer = addr->addr;
	addr->ifindex = (int)ifa->ifa_index;
	addr->prefix_len = ifa->ifa_prefixlen;
	return true;
}

bool rtmsg_read_neigh(const struct nlmsghdr *nlh, struct neigh_key *key,
		      uint16_t *state, const uint8_t **mac)
{
	struct attrs attrs;
	const struct ndmsg *ndm = fixed_part(nlh, sizeof(*ndm), &attrs);

	/* NTF_PROXY: an address that this host answers for, no neighbour. */
	if (!ndm || ndm->ndm_family != AF_INET || (ndm->ndm_flags & NTF_PROXY))
		return false;
	if (!read_v4(&attrs, NDA_DST, &key->addr))
		return false;
	key->ifindex = ndm->ndm_ifindex;
	*state = ndm->ndm_state;
	*mac = payload(&attrs, NDA_LLADDR, 6);
	return true;
}

bool rtmsg_moves_routes(const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	/*
	 * Rules and next hops have other headers, but all begin with the
	 * family. A next hop that is a group may have none.
	 */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct rtgenmsg))
		return false;
	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return rtm->rtm_family == AF_INET &&
		       mnl_nlmsg_get_payload_len(nlh) >= sizeof(*rtm) &&
		       !(rtm->rtm_flags & RTM_F_CLONED);
	case RTM_NEWRULE:
	case RTM_DELRULE: return rtm->rtm_family == AF_INET;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP: return rtm->rtm_family != AF_INET6;
	default: return false;
	}
}

static uint32_t metric_mtu(const struct nlattr *metrics)
{
	struct attrs attrs = {0};
	uint32_t mtu = 0;

	if (metrics &&
	    mnl_attr_parse_nested(metrics, collect, &attrs) != MNL_CB_ERROR)
		read_u32(&attrs, RTAX_MTU, &mtu);
	return mtu;
}

bool rtmsg_read_route(const struct nlmsghdr *nlh, struct route *route)
{
	struct attrs attrs;
	const struct rtmsg *rtm = fixed_part(nlh, sizeof(*rtm), &attrs);
	uint32_t oif;

	*route = (struct route){0};
	if (nlh->nlmsg_type != RTM_NEWROUTE || !rtm ||
	    rtm->rtm_family != AF_INET || !read_u32(&attrs, RTA_OIF, &oif))
		return false;
	if (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL)
		return false;
	route->ifindex = (int)oif;
	route->local = rtm->rtm_type == RTN_LOCAL;
	route->has_gateway = read_v4(&attrs, RTA_GATEWAY, &route->gateway);
	/*
	 * RTA_VIA: the gateway is of another family. RTA_ENCAP: the kernel adds
	 * a header of its own.
	 */
	route->raw_only = attrs.at[RTA_VIA] || attrs.at[RTA_ENCAP];
	read_v4(&attrs, RTA_PREFSRC, &route->prefsrc);
	route->mtu = metric_mtu(attrs.at[RTA_METRICS]);
	return true;
}

struct nlmsghdr *rtmsg_ask_route(void *buf, const struct ip_addr *src,
				 const struct ip_addr *dst)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	mnl_attr_put_u32(nlh, RTA_DST, addr_to_v4(dst));
	if (src) {
		rtm->rtm_src_len = 32;
		mnl_attr_put_u32(nlh, RTA_SRC, addr_to_v4(src));
	}
	return nlh;
}

static struct nlmsghdr *about_neigh(void *buf, const struct neigh_key *key,
				    uint8_t flags, uint16_t state)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;

	nlh->nlmsg_type = RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST; /* changes existing entries only */
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = key->ifindex;
	ndm->ndm_flags = flags;
	ndm->ndm_state = state;
	mnl_attr_put_u32(nlh, NDA_DST, addr_to_v4(&key->addr));
	return nlh;
}

struct nlmsghdr *rtmsg_use_neigh(void *buf, const struct neigh_key *key)
{
	return about_neigh(buf, key, NTF_USE, NUD_NONE);
}

struct nlmsghdr *rtmsg_resolve_neigh(void *buf, const struct neigh_key *key)
{
	struct nlmsghdr *nlh = rtmsg_use_neigh(buf, key);

	nlh->nlmsg_flags |= NLM_F_CREATE;
	return nlh;
}

struct nlmsghdr *rtmsg_probe_neigh(void *buf, const struct neigh_key *key)
{
	return about_neigh(buf, key, 0, NUD_PROBE);
}
