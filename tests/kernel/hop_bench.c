/* SPDX-License-Identifier: MIT */
/*
 * What a packet pays for netlink_hop(): known paths by the frame, from a few
 * clients and from as many as the cache holds, and paths that must be asked
 * for. Run by hand: tests/kernel/in_namespace.sh build/tests/kernel/hop_bench
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "net/route_cache.h"
#include "world.h"

#define ROUNDS 4000000u

static struct ip_addr client(uint32_t i)
{
	return addr_from_v4(htonl(0xc6130000 + i)); /* 198.19.0.0/16 */
}

/* One after another, or as if in no order. */
static void known(struct world *w, uint32_t clients, uint32_t step)
{
	const uint64_t budget_ns = 1000000; /* every path is asked for once */
	const struct ip_addr src = ip("198.18.0.1");
	uint64_t now = clock_ns(), start;
	unsigned by_frame = 0;
	struct hop hop;
	uint32_t i;

	for (i = 0; i < clients; i++) {
		const struct ip_addr dst = client(i);

		netlink_hop(w->nl, &src, &dst, now += budget_ns, &hop);
	}
	start = clock_ns();
	for (i = 0; i < ROUNDS; i++) {
		const struct ip_addr dst = client(i * step % clients);

		netlink_hop(w->nl, &src, &dst, now, &hop);
		by_frame += hop.link;
	}
	printf("%5u clients, step %5u: %5.1f ns, %u %% by frame\n", clients,
	       step, (double)(clock_ns() - start) / ROUNDS,
	       by_frame / (ROUNDS / 100));
}

static void asked(struct world *w)
{
	const uint32_t count = 20000;
	uint64_t now = clock_ns() + 1000000000000, start = clock_ns();
	struct hop hop;
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct ip_addr dst = client(i);

		netlink_hop(w->nl, NULL, &dst, now += 1000000, &hop);
	}
	printf("asked of the kernel:       %5.1f ns\n",
	       (double)(clock_ns() - start) / count);
}

int main(void)
{
	static struct world world;

	if (!world_possible())
		return 77;
	world_init(&world);
	here("ip route add 198.19.0.0/16 via 198.18.0.2 &&"
	     "ip neigh replace 198.18.0.2 lladdr 02:00:00:00:00:02 dev v0");
	world_read(&world);
	known(&world, 16, 1);
	known(&world, ROUTE_CACHE_MAX / 4, 1);
	known(&world, ROUTE_CACHE_MAX / 4, 7919);
	known(&world, ROUTE_CACHE_MAX, 7919);
	asked(&world);
	world_free(&world);
	return 0;
}
