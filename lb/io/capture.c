/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/capture.h"

#ifndef PACKET_IGNORE_OUTGOING /* Linux 4.20 */
#define PACKET_IGNORE_OUTGOING 23
#endif

struct capture {
	pcap_t *pcap;
	char ifname[IF_NAMESIZE];
	int ifindex;
	uint32_t ip_offset; /* bytes of link-layer header */
	bool ethernet;
	size_t memory;
	bool truncated;
	struct capture_stats stats;
	capture_frame_fn *fn;
	void *arg;
};

static int activate_error(struct err *err, const struct capture *c, int status)
{
	const char *ifname = c->ifname, *why = pcap_geterr(c->pcap);

	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return err_set(err, -EPERM,
			       "%s: no permission to capture packets; run as "
			       "root or with CAP_NET_RAW and CAP_NET_ADMIN",
			       ifname);
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return err_set(err, -ENODEV,
			       "%s: there is no such interface; 'ip link' "
			       "lists them",
			       ifname);
	case PCAP_ERROR_IFACE_NOT_UP:
		return err_set(err, -ENETDOWN,
			       "%s: the interface is down; 'ip link set %s up' "
			       "starts it",
			       ifname, ifname);
	case PCAP_ERROR: break; /* the text alone says which */
	default:
		return err_set(err, -EIO, "%s: cannot capture: %s: %s", ifname,
			       pcap_statustostr(status), why);
	}
	if (strstr(why, strerror(ENOMEM)))
		return err_set(err, -ENOMEM,
			       "%s: cannot capture: no memory for a ring of "
			       "%zu KiB (%s); free as much, raise the limit "
			       "(ulimit -v, or that of the container), or "
			       "capture on fewer interfaces with -i",
			       ifname, c->memory / 1024, why);
	return err_set(err, -EIO, "%s: cannot capture: %s", ifname, why);
}

/* Where the IP header starts; a link type without one we know is refused. */
static int link_offset(struct capture *c, struct err *err)
{
	int type = pcap_datalink(c->pcap);

	switch (type) {
	case DLT_EN10MB:
		c->ip_offset = 14;
		c->ethernet = true;
		return 0;
	case DLT_RAW: c->ip_offset = 0; return 0;
	case DLT_LINUX_SLL: c->ip_offset = 16; return 0;
	case DLT_LINUX_SLL2: c->ip_offset = 20; return 0;
	default: break;
	}
	return err_set(err, -EOPNOTSUPP,
		       "%s: link type %s cannot be served; name another "
		       "interface with -i",
		       c->ifname,
		       pcap_datalink_val_to_name(type)
			       ? pcap_datalink_val_to_name(type)
			       : "without a name");
}

static int compile(struct capture *c, const char *filter,
		   struct bpf_program *out, struct err *err)
{
	if (pcap_compile(c->pcap, out, filter, 1, PCAP_NETMASK_UNKNOWN) == -1)
		return err_set(err, -EINVAL, "%s: filter \"%.200s\": %s",
			       c->ifname, filter, pcap_geterr(c->pcap));
	return 0;
}

/*
 * What the kernel itself would take: no frame for another MAC, which flooding
 * and promiscuous mode bring, and which the interface above gets where this one
 * is below a macvlan; nor one of a VLAN, whose own interface gets it, unless it
 * bears a priority alone (VLAN 0). pcap's language has no words for either.
 */
static const struct sock_filter for_us[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		 (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 2),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		 (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0xfff, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0),
};
#define FOR_US (sizeof(for_us) / sizeof(for_us[0]))

#define VLAN_TAG_LEN 4

/*
 * Straight to the kernel: libpcap runs its own copy of a filter on what is in
 * the ring already, and knows no packet types. Where the kernel has no room for
 * both, the filter stays alone.
 */
static void put_before(struct capture *c, const struct bpf_program *filter)
{
	const size_t n = FOR_US + filter->bf_len;
	struct sock_filter *both = calloc(n, sizeof(*both));
	struct sock_fprog kernel = {(unsigned short)n, both};

	static_assert(sizeof(*both) == sizeof(*filter->bf_insns), "the same");
	if (!both || n > BPF_MAXINSNS) {
		free(both);
		return;
	}
	memcpy(both, for_us, sizeof(for_us));
	memcpy(both + FOR_US, filter->bf_insns, filter->bf_len * sizeof(*both));
	(void)setsockopt(pcap_fileno(c->pcap), SOL_SOCKET, SO_ATTACH_FILTER,
			 &kernel, sizeof(kernel));
	free(both);
}

static int set_filter(struct capture *c, const char *filter, struct err *err)
{
	struct bpf_program prog;
	int ret = compile(c, filter, &prog, err);

	if (ret)
		return ret;
	/* Drains what came in before there was a filter. */
	if (pcap_setfilter(c->pcap, &prog) == -1)
		ret = err_set(err, -EIO, "%s: cannot set the filter: %s",
			      c->ifname, pcap_geterr(c->pcap));
	else
		put_before(c, &prog);
	pcap_freecode(&prog);
	return ret;
}

#define SLOT_HEADER \
	128 /* bytes before the frame: tpacket2_hdr and sockaddr_ll */

/*
 * One slot holds one frame whatever its size, since immediate mode means
 * TPACKET_V2. libpcap takes the ring's size in bytes, divides it by a slot's,
 * and then asks for blocks of a power of two pages that hold whole slots: a
 * slot of 64 KiB and a little takes 128 KiB of memory.
 */
static size_t ring_bytes(unsigned slots, uint32_t snaplen)
{
	return (size_t)(snaplen + SLOT_HEADER) * slots;
}

static size_t ring_memory(unsigned slots, uint32_t snaplen)
{
	size_t slot = snaplen + SLOT_HEADER, block = (size_t)getpagesize();

	while (block < slot)
		block *= 2;
	return block * (slots / (block / slot));
}

int capture_open(struct capture **out, const char *ifname, const char *filter,
		 unsigned slots, uint32_t snaplen, struct err *err)
{
	char why[PCAP_ERRBUF_SIZE];
	struct capture *c;
	int status, ret, on = 1;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "%s: out of memory", ifname);
	snprintf(c->ifname, sizeof(c->ifname), "%s", ifname);
	c->ifindex = (int)if_nametoindex(ifname);
	c->memory = ring_memory(slots, snaplen);

	c->pcap = pcap_create(ifname, why);
	if (!c->pcap) {
		ret = err_set(err, -ENODEV, "%s: %s", ifname, why);
		goto fail;
	}
	pcap_set_snaplen(c->pcap, (int)snaplen);
	pcap_set_buffer_size(c->pcap, (int)ring_bytes(slots, snaplen));
	pcap_set_immediate_mode(c->pcap, 1);

	status = pcap_activate(c->pcap);
	if (status < 0) {
		ret = activate_error(err, c, status);
		goto fail;
	}
	ret = link_offset(c, err);
	if (ret)
		goto fail;
	/* In the kernel if it can, so that what we send takes no slot. */
	setsockopt(pcap_fileno(c->pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING,
		   &on, sizeof(on));
	if (pcap_setdirection(c->pcap, PCAP_D_IN) == -1 ||
	    pcap_setnonblock(c->pcap, 1, why) == -1) {
		ret = err_set(err, -EIO, "%s: %s", ifname,
			      pcap_geterr(c->pcap));
		goto fail;
	}
	ret = set_filter(c, filter, err);
	if (ret)
		goto fail;
	*out = c;
	return 0;

fail:
	capture_close(c); /* accepts a half-built capture */
	return ret;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
}

int capture_fd(const struct capture *c)
{
	return pcap_get_selectable_fd(c->pcap);
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h,
		     const u_char *frame)
{
	struct capture *c = (struct capture *)user;
	uint32_t at = c->ip_offset;

	if (h->len > h->caplen)
		c->truncated = true;
	/* libpcap puts a tag back, even if it says no more than a priority. */
	if (c->ethernet && h->caplen > at && frame[12] == 0x81 &&
	    frame[13] == 0)
		at += VLAN_TAG_LEN;
	if (h->caplen > at)
		c->fn(c->arg, frame + at, h->caplen - at, c->ifindex);
}

int capture_read(struct capture *c, int max, capture_frame_fn *fn, void *arg)
{
	int n;

	c->fn = fn;
	c->arg = arg;
	n = pcap_dispatch(c->pcap, max, on_frame, (u_char *)c);
	return n < 0 ? -ENETDOWN : n;
}

bool capture_truncated(const struct capture *c)
{
	return c->truncated;
}

const char *capture_ifname(const struct capture *c)
{
	return c->ifname;
}

size_t capture_memory(const struct capture *c)
{
	return c->memory;
}

void capture_get_stats(struct capture *c, struct capture_stats *out)
{
	struct pcap_stat stat;

	if (pcap_stats(c->pcap, &stat) == 0) {
		c->stats.received =
			capture_widen(c->stats.received, stat.ps_recv);
		c->stats.dropped =
			capture_widen(c->stats.dropped, stat.ps_drop);
	}
	*out = c->stats;
}
