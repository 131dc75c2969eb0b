/* SPDX-License-Identifier: MIT */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/nic.h"

/* Newer than the list of the C library. */
#ifndef ARPHRD_NETLINK
#define ARPHRD_NETLINK 824
#endif
#ifndef ARPHRD_VSOCKMON
#define ARPHRD_VSOCKMON 826
#endif

/* False if the driver does not support it. */
static bool ethtool(int ifindex, void *command)
{
	struct ifreq ifr = {.ifr_data = command};
	int fd, status;

	if (!if_indextoname((unsigned)ifindex, ifr.ifr_name))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	status = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	return status == 0;
}

/* Sends one ETHTOOL_G* or _S* command that has a single value. */
static bool ethtool_value(int ifindex, uint32_t cmd, uint32_t *value)
{
	struct ethtool_value ev = {.cmd = cmd, .data = *value};
	const bool done = ethtool(ifindex, &ev);

	*value = ev.data;
	return done;
}

static bool is_on(int ifindex, uint32_t cmd)
{
	uint32_t value = 0;

	return ethtool_value(ifindex, cmd, &value) && value;
}

/*
 * True for a real network card: its device has an address on a bus. A virtual
 * machine's card has one too, but brings super-packets that a sender on the
 * same machine left to its card.
 */
static bool is_physical(int ifindex)
{
	static const char *const virtual[] = {"virtio", "xen", "vif", "vmxnet",
					      "hv_"};
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (!ethtool(ifindex, &info) || !strpbrk(info.bus_info, ":."))
		return false;
	for (size_t i = 0; i < sizeof(virtual) / sizeof(virtual[0]); i++)
		if (strstr(info.driver, virtual[i]))
			return false;
	return true;
}

bool nic_brings_supers(const struct link *link)
{
	uint32_t flags = 0;

	if (is_on(link->ifindex, ETHTOOL_GGRO))
		return true;
	if (ethtool_value(link->ifindex, ETHTOOL_GFLAGS, &flags) &&
	    (flags & ETH_FLAG_LRO))
		return true;
	return !is_physical(link->ifindex) &&
	       (is_on(link->ifindex, ETHTOOL_GTSO) ||
		is_on(link->ifindex, ETHTOOL_GGSO));
}

void nic_lro_off(struct nic_lro *lro, const struct link *link)
{
	uint32_t flags = 0;

	if (link->loopback || lro->n == NIC_LRO_MAX ||
	    !ethtool_value(link->ifindex, ETHTOOL_GFLAGS, &flags) ||
	    !(flags & ETH_FLAG_LRO))
		return;
	flags &= ~(uint32_t)ETH_FLAG_LRO;
	if (!ethtool_value(link->ifindex, ETHTOOL_SFLAGS, &flags))
		return;
	for (unsigned i = 0; i < lro->n; i++)
		if (lro->ifindex[i] == link->ifindex)
			return;
	lro->ifindex[lro->n++] = link->ifindex;
}

void nic_lro_restore(const struct nic_lro *lro)
{
	for (unsigned i = 0; i < lro->n; i++) {
		uint32_t flags = 0;

		if (!ethtool_value(lro->ifindex[i], ETHTOOL_GFLAGS, &flags))
			continue;
		flags |= ETH_FLAG_LRO;
		ethtool_value(lro->ifindex[i], ETHTOOL_SFLAGS, &flags);
	}
}

bool nic_carries_ipv4(const struct link *link)
{
	switch (link ? link->type : ARPHRD_ETHER) {
	case ARPHRD_CAN:
	case ARPHRD_IEEE80211:
	case ARPHRD_IEEE80211_PRISM:
	case ARPHRD_IEEE80211_RADIOTAP:
	case ARPHRD_IEEE802154:
	case ARPHRD_IEEE802154 + 1: /* its monitor mode */
	case ARPHRD_NETLINK:
	case ARPHRD_VSOCKMON: return false;
	default: return true;
	}
}
