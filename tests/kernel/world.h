/* SPDX-License-Identifier: MIT */
/*
 * world.h - a host and one neighbour, in network namespaces of their own
 *
 *   here                              there
 *   v0 198.18.0.1/24 ---------------- v0 198.18.0.2/24
 *      02:00:00:00:00:01                 02:00:00:00:00:02
 *
 * The process stands "here"; the namespaces go with it. What cannot be built
 * aborts, since a measurement, which is no test of check, uses this too.
 */
#ifndef L4LB_TESTS_WORLD_H
#define L4LB_TESTS_WORLD_H

#include <assert.h>
#include <stdbool.h>

#include "net/netlink.h"

#define WORLD_EVENTS_MAX 4096

struct world {
	int here, there; /* namespaces */
	struct netlink *nl;
	unsigned n_events;
	struct world_event {
		enum netlink_event_kind kind;
		int ifindex; /* 0: without link */
		struct ip_addr addr;
	} events[WORLD_EVENTS_MAX];
};

/* False, with the reason on stdout: not possible on this host. */
bool world_possible(void);

/* Builds the above and opens nl. */
void world_init(struct world *w);
void world_free(struct world *w);

/* A shell command here, or there. It must succeed. */
__attribute__((format(printf, 1, 2))) void here(const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void there(const struct world *w,
						 const char *fmt, ...);

struct ip_addr ip(const char *text);
uint64_t clock_ns(void);

/* Reads what notifications are there, remembering the events. */
void world_read(struct world *w);
/* The same, but first waits a moment for some. */
void world_wait(struct world *w);

bool world_saw(const struct world *w, enum netlink_event_kind kind,
	       int ifindex);
unsigned world_count_addr(const struct world *w, enum netlink_event_kind kind,
			  const char *addr);

/* An empty UDP datagram, so that the kernel resolves a neighbour. */
void send_datagram(const char *to);

/* Until @condition holds or five seconds are over, reading notifications. */
#define WAIT_FOR(w, condition)                                      \
	do {                                                        \
		const uint64_t deadline_ = clock_ns() + 5000000000; \
                                                                    \
		world_read(w);                                      \
		while (!(condition) && clock_ns() < deadline_)      \
			world_wait(w);                              \
		assert(condition);                                  \
	} while (0)

#endif
