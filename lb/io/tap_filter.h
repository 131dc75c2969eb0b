/* SPDX-License-Identifier: MIT */
/*
 * tap_filter.h - a BPF program for the packets that the kernel copies for us
 *
 * A pcap expression selects packets by destination. In front of it the program
 * accepts only what the kernel itself would take (PACKET_HOST), not frames for
 * other MACs, which flooding and promiscuous mode bring. Behind it follow the
 * interfaces, if the user named some, so that a packet for others does not pay
 * for them. The language of pcap can express neither.
 *
 * The program is for a packet socket of SOCK_DGRAM, which sees a packet from
 * its IP header on, on every type of link. So the expression is compiled for
 * raw IP (DLT_RAW).
 *
 * Pure: bytes in, bytes out.
 */
#ifndef L4LB_TAP_FILTER_H
#define L4LB_TAP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

struct bpf_program; /* from libpcap */

#define TAP_FILTER_LINKS_MAX 64

/* Zeroed: any interface. */
struct tap_links {
	bool only; /* only these links; no packet at all if there are none */
	unsigned n;
	int ifindex[TAP_FILTER_LINKS_MAX];
};

bool tap_links_have(const struct tap_links *l, int ifindex);
bool tap_links_equal(const struct tap_links *a, const struct tap_links *b);

/*
 * Returns the whole program; the caller frees it. NULL: out of memory, or
 * longer than the kernel allows. @match NULL: accepts every packet for this
 * host, for use when the kernel has no room for more.
 */
struct sock_filter *tap_filter_make(const struct bpf_program *match,
				    const struct tap_links *links,
				    unsigned short *n);

#endif
