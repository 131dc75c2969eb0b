/* SPDX-License-Identifier: MIT */
/* Counters of the instance. Any worker counts; GET /metrics shows them. */
#ifndef CHAT_METRICS_H
#define CHAT_METRICS_H

#include "core/writer.h"

#include <stdatomic.h>
#include <stdint.h>

/* One row makes a counter, its names in both forms, and its help. */
#define METRICS(X)                                                       \
	X(total_requests, "http_requests", "HTTP requests answered.")    \
	X(success_requests, "http_requests_ok",                          \
	  "HTTP requests answered with a status below 400.")             \
	X(failed_requests, "http_requests_failed",                       \
	  "HTTP requests answered with a status of 400 or above.")       \
	X(connections, "connections", "Connections accepted.")           \
	X(probes, "probes_answered", "Health probes answered.")          \
	X(messages, "messages", "Messages that came from the bus.")      \
	X(posts, "posts", "Messages of clients and webhooks.")           \
	X(refused_posts, "posts_refused", "Posts that the bus refused.") \
	X(lagged, "readers_lagged", "Readers that fell behind.")         \
	X(dropped, "readers_dropped", "Readers that were dropped.")      \
	X(gaps, "gaps", "Gaps in a log that readers were told of.")

struct metrics {
#define X(name, prometheus, help) atomic_ullong name;
	METRICS(X)
#undef X
};

#define METRIC_ADD(m, name) \
	atomic_fetch_add_explicit(&(m)->name, 1, memory_order_relaxed)

/* What is no counter but a state, taken by the caller. */
struct gauges {
	const char *instance, *redis, *history;
	unsigned clients, rooms;
	uint64_t uptime_s;
};

void metrics_put_json(struct writer *w, const struct metrics *m,
		      const struct gauges *g);
/* Prometheus' text format 0.0.4. */
void metrics_put_text(struct writer *w, const struct metrics *m,
		      const struct gauges *g);

#endif
