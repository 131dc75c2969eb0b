/* SPDX-License-Identifier: MIT */
/* See metrics.h. */
#include "io/metrics.h"

static unsigned long long value_of(const atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_put_json(struct writer *w, const struct metrics *m,
		      const struct gauges *g)
{
	writer_put_slice(w, SLICE("{"));
#define X(name, prometheus, help) \
	writer_printf(w, "\"" #name "\":%llu,", value_of(&m->name));
	METRICS(X)
#undef X
	writer_put_slice(w, SLICE("\"instance\":"));
	writer_put_json(w, slice_of(g->instance));
	writer_printf(w,
		      ",\"redis\":\"%s\",\"history\":\"%s\",\"clients\":%u,"
		      "\"rooms\":%u,\"uptime_s\":%llu}",
		      g->redis, g->history, g->clients, g->rooms,
		      (unsigned long long)g->uptime_s);
}

static void put_gauge(struct writer *w, const char *name, const char *help,
		      unsigned long long value)
{
	writer_printf(w,
		      "# HELP chat_%s %s\n# TYPE chat_%s gauge\nchat_%s "
		      "%llu\n",
		      name, help, name, name, value);
}

void metrics_put_text(struct writer *w, const struct metrics *m,
		      const struct gauges *g)
{
#define X(name, prometheus, help)                                         \
	writer_printf(w,                                                  \
		      "# HELP chat_" prometheus "_total " help            \
		      "\n# TYPE chat_" prometheus                         \
		      "_total counter\nchat_" prometheus "_total %llu\n", \
		      value_of(&m->name));
	METRICS(X)
#undef X
	put_gauge(w, "clients", "Clients here.", g->clients);
	put_gauge(w, "rooms", "Rooms followed by the instance.", g->rooms);
	put_gauge(w, "uptime_seconds", "Seconds since the start.", g->uptime_s);
	put_gauge(w, "redis_up", "1 unless Redis is wanted and down.",
		  g->redis[0] != 'd');
	put_gauge(w, "history_up", "1 unless history is wanted and failed.",
		  g->history[0] != 'f');
}
