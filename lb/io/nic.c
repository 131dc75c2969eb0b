/* SPDX-License-Identifier: MIT */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/nic.h"

/* One ETHTOOL_G* or _S* of a single value; false if the driver cannot. */
static bool ethtool_value(const char *ifname, uint32_t cmd, uint32_t *value)
{
	struct ethtool_value ev = {.cmd = cmd, .data = *value};
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int status;

	if (fd == -1)
		return false;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	ifr.ifr_data = (void *)&ev;
	status = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	*value = ev.data;
	return status == 0;
}

/* A device behind a bus has a driver that sends what was on a wire. */
static bool is_physical(const char *ifname)
{
	char path[64 + IF_NAMESIZE];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", ifname);
	return access(path, F_OK) == 0;
}

/* Virtual functions and virtio pass on what the sender left to hardware. */
static bool is_virtio(const char *ifname)
{
	char path[64 + IF_NAMESIZE], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/driver", ifname);
	len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return false;
	target[len] = '\0';
	return strstr(target, "virtio") || strstr(target, "xen") ||
	       strstr(target, "vmxnet") || strstr(target, "hv_");
}

uint32_t nic_snaplen(const struct link *link)
{
	uint32_t gro = 0, lro = 0;

	if (link->loopback || !is_physical(link->name) || is_virtio(link->name))
		return NIC_SUPER_SNAPLEN;
	if (!ethtool_value(link->name, ETHTOOL_GGRO, &gro) || gro)
		return NIC_SUPER_SNAPLEN;
	if (ethtool_value(link->name, ETHTOOL_GFLAGS, &lro) &&
	    (lro & ETH_FLAG_LRO))
		return NIC_SUPER_SNAPLEN;
	return link->mtu + ETH_HEADER_LEN + 4;
}

bool nic_lro_off(const char *ifname)
{
	uint32_t flags = 0;

	if (!ethtool_value(ifname, ETHTOOL_GFLAGS, &flags) ||
	    !(flags & ETH_FLAG_LRO))
		return false;
	flags &= ~(uint32_t)ETH_FLAG_LRO;
	return ethtool_value(ifname, ETHTOOL_SFLAGS, &flags);
}

void nic_lro_restore(const char *ifname)
{
	uint32_t flags = 0;

	if (!ethtool_value(ifname, ETHTOOL_GFLAGS, &flags))
		return;
	flags |= ETH_FLAG_LRO;
	ethtool_value(ifname, ETHTOOL_SFLAGS, &flags);
}
