/* SPDX-License-Identifier: MIT */
/* Virtual time, and what goes wrong when. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t world_random(struct world *w, uint32_t below)
{
	return random_below(&w->random, below);
}

bool world_fault(struct world *w, uint32_t n)
{
	return w->faults && world_random(w, n) == 0;
}

void world_break(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->broken)
		return;
	va_start(args, format);
	vsnprintf(w->why, sizeof(w->why), format, args);
	va_end(args);
	w->broken = w->why;
	world_trace(w, "BROKEN: %s", w->why);
}

void world_trace(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%8" PRId64 " ", w->now_ms);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at_ms < b->at_ms ||
	       (a->at_ms == b->at_ms && a->order < b->order);
}

static void swap(struct event *a, struct event *b)
{
	const struct event c = *a;

	*a = *b;
	*b = c;
}

void world_later(struct world *w, int64_t in_ms,
		 void (*run)(struct world *, uint64_t, uint64_t, void *),
		 uint64_t a, uint64_t b, void *data)
{
	unsigned i = w->events++;

	if (i == w->event_capacity) {
		w->event_capacity = i ? 2 * i : 1024;
		w->heap = realloc(w->heap,
				  w->event_capacity * sizeof(struct event));
		if (!w->heap)
			abort();
	}
	w->heap[i] =
		(struct event){w->now_ms + in_ms, w->order++, run, a, b, data};
	for (; i > 0 && is_before(&w->heap[i], &w->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static struct event take_event(struct world *w)
{
	const struct event first = w->heap[0];
	unsigned i = 0, child;

	w->heap[0] = w->heap[--w->events];
	while ((child = 2 * i + 1) < w->events) {
		if (child + 1 < w->events &&
		    is_before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!is_before(&w->heap[child], &w->heap[i]))
			break;
		swap(&w->heap[child], &w->heap[i]);
		i = child;
	}
	return first;
}

/* Each client says something now and then. */
static void say(struct world *w, uint64_t c, uint64_t b, void *data)
{
	(void)b;
	(void)data;
	if (!w->faults)
		return;
	client_say(w, (unsigned)c);
	world_later(w, 50 + world_random(w, 2500), say, c, 0, NULL);
}

static void restart(struct world *w, uint64_t i, uint64_t b, void *data)
{
	(void)b;
	(void)data;
	instance_start(w, (unsigned)i);
}

/* Something happens: to a client, an instance or the bus. */
static void misfortune(struct world *w, uint64_t a, uint64_t b, void *data)
{
	const unsigned i = world_random(w, INSTANCES);

	(void)a;
	(void)b;
	(void)data;
	if (!w->faults)
		return;
	switch (world_random(w, 12)) {
	case 0:
		if (!w->instances[i].alive)
			break;
		instance_kill(w, i);
		world_later(w, 100 + world_random(w, 4000), restart, i, 0,
			    NULL);
		break;
	case 1:
		if (w->has_outages && w->bus.up)
			bus_outage(w);
		break;
	case 2:
		if (w->loses_data && world_random(w, 4) == 0)
			bus_lose(w);
		break;
	case 3: instance_interrupted(w, i); break;
	default: client_cut(w, world_random(w, CLIENTS)); break;
	}
	world_later(w, 20 + world_random(w, 600), misfortune, 0, 0, NULL);
}

static void end_of_faults(struct world *w, uint64_t a, uint64_t b, void *data)
{
	(void)a;
	(void)b;
	(void)data;
	world_trace(w, "no more faults");
	w->faults = false;
}

struct world *world_new(uint64_t seed, bool trace)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->seed = seed;
	w->random.state = seed;
	w->trace = trace;
	w->faults = true;
	/* Kinds of histories: one in four is without the last three. */
	w->has_outages = world_random(w, 2) == 0;
	w->loses_data = world_random(w, 3) == 0;
	w->short_log = world_random(w, 4) == 0;
	w->bus.up = true;
	w->bus.keep = w->short_log ? 40 : MESSAGES_MAX * 8;
	return w;
}

const char *world_run(struct world *w)
{
	for (unsigned i = 0; i < INSTANCES; i++) {
		w->instances[i].index = i;
		instance_start(w, i);
	}
	for (unsigned c = 0; c < CLIENTS; c++) {
		client_start(w, c);
		world_later(w, 500 + world_random(w, 2500), say, c, 0, NULL);
	}
	world_later(w, 1000, misfortune, 0, 0, NULL);
	world_later(w, RUN_MS, end_of_faults, 0, 0, NULL);
	while (!w->broken && w->events > 0 &&
	       w->heap[0].at_ms <= RUN_MS + REST_MS) {
		const struct event e = take_event(w);

		w->now_ms = e.at_ms;
		e.run(w, e.a, e.b, e.data);
		judge_limits(w);
	}
	if (!w->broken)
		judge_end(w);
	return w->broken;
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < w->events; i++)
		free(w->heap[i].data);
	for (unsigned i = 0; i < INSTANCES; i++) {
		struct instance *n = &w->instances[i];

		if (n->alive)
			instance_kill(w, i);
		for (unsigned a = 0; a < n->archived; a++)
			msg_unref(n->archive[a]);
	}
	free(w->heap);
	free(w);
}
