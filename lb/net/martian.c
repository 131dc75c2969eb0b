/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "net/martian.h"

#define LOOPBACK_NET  127
#define MULTICAST_NET 224 /* and above: multicast, 240/4, broadcast */

void martian_clear(struct martian_table *t)
{
	t->n_own = t->n_broadcast = 0;
	memset(t->maybe, 0, sizeof(t->maybe));
}

static_assert(MARTIAN_BITS == 1 << 12, "what is left of a hash");

static unsigned bit_of(uint32_t addr)
{
	return addr * 0x9e3779b1u >> 20; /* an index of MARTIAN_BITS bits */
}

static void set_bit(struct martian_table *t, uint32_t addr)
{
	t->maybe[bit_of(addr) / 64] |= 1ull << bit_of(addr) % 64;
}

static void add(struct martian_table *t, uint32_t *list, uint32_t *n,
		uint32_t addr)
{
	if (*n == MARTIAN_MAX)
		return;
	list[(*n)++] = addr;
	set_bit(t, addr);
}

void martian_add(struct martian_table *t, const struct ip_addr *own,
		 unsigned prefix_len)
{
	uint32_t addr;

	if (!addr_is_v4(own))
		return;
	addr = ntohl(addr_to_v4(own));
	add(t, t->own, &t->n_own, addr);
	/*
	 * A /31 or /32 has no broadcast address (RFC 3021). The lowest address
	 * of a network is an ordinary one since Linux 5.14.
	 */
	if (prefix_len < 31)
		add(t, t->broadcast, &t->n_broadcast,
		    addr | UINT32_MAX >> prefix_len);
}

static int by_value(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void martian_sort(struct martian_table *t)
{
	qsort(t->own, t->n_own, sizeof(*t->own), by_value);
	qsort(t->broadcast, t->n_broadcast, sizeof(*t->broadcast), by_value);
}

static bool has(const uint32_t *sorted, uint32_t n, uint32_t value)
{
	uint32_t lo = 0;

	while (n > 0) {
		const uint32_t half = n / 2;

		if (sorted[lo + half] == value)
			return true;
		if (sorted[lo + half] < value) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return false;
}

bool martian(const struct martian_table *t, const struct ip_addr *src,
	     const struct ip_addr *dst, bool by_loopback)
{
	const uint32_t from = ntohl(addr_to_v4(src));
	const unsigned net = from >> 24;

	if (net == 0 || net >= MULTICAST_NET)
		return true;
	if (!by_loopback && (net == LOOPBACK_NET ||
			     ntohl(addr_to_v4(dst)) >> 24 == LOOPBACK_NET))
		return true;
	if (!(t->maybe[bit_of(from) / 64] >> bit_of(from) % 64 & 1))
		return false;
	return has(t->broadcast, t->n_broadcast, from) ||
	       (!by_loopback && has(t->own, t->n_own, from));
}
