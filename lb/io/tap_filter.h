/* SPDX-License-Identifier: MIT */
/*
 * tap_filter.h - which packets the kernel copies for us, as a BPF program
 *
 * A pcap expression says to whom a packet must be addressed. Before it comes
 * what the kernel itself would take (PACKET_HOST, and no other MAC's, which
 * flooding and promiscuous mode bring), behind it the interfaces, if the user
 * named some: there a packet that is not ours pays nothing for them. pcap's
 * language has no words for either.
 *
 * The program is for a packet socket of SOCK_DGRAM: it sees the packet from
 * its IP header on, whatever the link is. So the expression is compiled for raw
 * IP (DLT_RAW).
 *
 * Pure: bytes in, bytes out.
 */
#ifndef L4LB_TAP_FILTER_H
#define L4LB_TAP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

struct bpf_program; /* libpcap's */

#define TAP_FILTER_LINKS_MAX 64

/* Empty: any interface. */
struct tap_links {
	bool only; /* these, and if there are none no packet at all */
	unsigned n;
	int ifindex[TAP_FILTER_LINKS_MAX];
};

bool tap_links_have(const struct tap_links *l, int ifindex);
bool tap_links_equal(const struct tap_links *a, const struct tap_links *b);

/*
 * The whole program, to be freed. NULL: no memory, or it is longer than the
 * kernel allows. Without @match, NULL, it takes whatever is for this host:
 * where the kernel has no room for more.
 */
struct sock_filter *tap_filter_make(const struct bpf_program *match,
				    const struct tap_links *links,
				    unsigned short *n);

#endif
