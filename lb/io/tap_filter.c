/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/tap_filter.h"

static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn),
	      "the same");

static const struct sock_filter for_us[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		 (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
};
#define FOR_US (sizeof(for_us) / sizeof(for_us[0]))

/* Two instructions, to load the interface and to end, and two per interface. */
#define LINKS_LEN_MAX (2 + 2 * TAP_FILTER_LINKS_MAX)

/* The whole packet; the ring cuts off what its slot has no room for. */
#define ALL UINT32_MAX

bool tap_links_have(const struct tap_links *l, int ifindex)
{
	if (!l->only)
		return true;
	for (unsigned i = 0; i < l->n; i++)
		if (l->ifindex[i] == ifindex)
			return true;
	return false;
}

bool tap_links_equal(const struct tap_links *a, const struct tap_links *b)
{
	return a->only == b->only && a->n == b->n &&
	       memcmp(a->ifindex, b->ifindex, a->n * sizeof(a->ifindex[0])) ==
		       0;
}

/* Accepts packets of one of these links. Returns the number of instructions. */
static size_t put_links(struct sock_filter *to, const struct tap_links *links)
{
	size_t n = 0;

	if (links->only)
		to[n++] = (struct sock_filter)BPF_STMT(
			BPF_LD | BPF_W | BPF_ABS,
			(uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX));
	for (unsigned i = 0; links->only && i < links->n; i++) {
		to[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)links->ifindex[i],
			0, 1);
		to[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ALL);
	}
	to[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					       links->only ? 0 : ALL);
	return n;
}

/* Copies @match; instructions that accept a packet become jumps behind it. */
static void put_match(struct sock_filter *to, const struct bpf_program *match)
{
	memcpy(to, match->bf_insns, match->bf_len * sizeof(*to));
	for (size_t i = 0; i < match->bf_len; i++)
		if (to[i].code == (BPF_RET | BPF_K) && to[i].k != 0)
			to[i] = (struct sock_filter)BPF_STMT(
				BPF_JMP | BPF_JA,
				(uint32_t)(match->bf_len - i - 1));
}

struct sock_filter *tap_filter_make(const struct bpf_program *match,
				    const struct tap_links *links,
				    unsigned short *n)
{
	const size_t match_len = match ? match->bf_len : 0;
	struct sock_filter *all;
	size_t len = FOR_US;

	if (FOR_US + match_len + LINKS_LEN_MAX > BPF_MAXINSNS)
		return NULL;
	all = calloc(FOR_US + match_len + LINKS_LEN_MAX, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, for_us, sizeof(for_us));
	if (match)
		put_match(all + len, match);
	len += match_len;
	len += put_links(all + len, links);
	*n = (unsigned short)len;
	return all;
}
