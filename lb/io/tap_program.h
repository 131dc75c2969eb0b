/* SPDX-License-Identifier: MIT */
/*
 * tap_program.h - BPF programs that tell which packets are for us
 *
 * Two kinds of each ring's program. The kernel's is for a packet socket of
 * SOCK_DGRAM, which sees a packet from its IP header on, on every type of link.
 * It accepts only what the kernel itself would take (PACKET_HOST), not frames
 * for other MACs, which flooding and promiscuous mode bring; and it looks at
 * the interface last, if the user named some, so that a packet for others does
 * not pay for them. The one for user space, for frames that came without the
 * kernel's filter, has neither test.
 *
 * libpcap's compiler makes the same of an expression, but takes 100 ms for 64
 * services and 16 sources; this takes microseconds, so a service can come and
 * go between two packets. It also searches addresses in a tree: a packet for
 * others costs a dozen instructions, however many services there are.
 *
 * Pure: bytes in, bytes out.
 */
#ifndef L4LB_TAP_PROGRAM_H
#define L4LB_TAP_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/tap_match.h"

/* Zeroed: none. */
struct tap_program {
	struct sock_filter *code;
	unsigned n;
};

/*
 * For the kernel. -ENOMEM, or -E2BIG: longer than a kernel allows
 * (BPF_MAXINSNS). @m NULL: accepts every packet for this host, for use when the
 * kernel has no room for more.
 */
int tap_program_kernel(struct tap_program *out, enum tap_ring ring,
		       const struct tap_match *m,
		       const struct tap_links *links);

/* For tap_program_takes(), of any length. -ENOMEM */
int tap_program_judge(struct tap_program *out, enum tap_ring ring,
		      const struct tap_match *m);

/* True if the judge @p accepts the IP packet, of which @len bytes are here. */
bool tap_program_takes(const struct tap_program *p, const uint8_t *ip,
		       uint32_t len);

void tap_program_free(struct tap_program *p);

#endif
