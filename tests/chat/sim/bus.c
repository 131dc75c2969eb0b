/* SPDX-License-Identifier: MIT */
/*
 * The log as Redis keeps it: one script that gives the next id, appends and
 * publishes; pages on request. Time passes on the way there and back.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static struct msgid last_id(const struct bus *b)
{
	for (unsigned i = b->count; i > b->first; i--)
		if (!b->entries[i - 1].lost)
			return b->entries[i - 1].id;
	return MSGID_NONE;
}

struct copy {
	struct entry entry;
	unsigned life;
};

static void arrive(struct world *w, uint64_t i, uint64_t b, void *data)
{
	const struct copy copy = *(struct copy *)data;
	struct instance *n = &w->instances[i];

	(void)b;
	free(data);
	if (n->alive && n->life == copy.life && n->subscribed)
		instance_publish(w, (unsigned)i, &copy.entry);
}

static void restored(struct world *w, uint64_t i, uint64_t life, void *data)
{
	(void)data;
	if (w->instances[i].alive && w->instances[i].life == life)
		instance_interrupted(w, (unsigned)i);
}

/*
 * Lost ones are lost because a connection broke or a slot moved, of which the
 * instance hears later; until then it takes all for well.
 */
static void publish(struct world *w, unsigned i, const struct entry *e)
{
	struct instance *n = &w->instances[i];
	unsigned copies = 1 + world_fault(w, 30);

	if (!n->alive)
		return;
	if (world_fault(w, 60)) {
		world_later(w, 100 + world_random(w, 2000), restored, i,
			    n->life, NULL);
		return;
	}
	while (copies--) {
		struct copy *copy = malloc(sizeof(*copy));
		int64_t at = w->now_ms + 1 + world_random(w, 30);

		if (!copy)
			abort();
		*copy = (struct copy){*e, n->life};
		/* In order, but for some. */
		if (at < n->fifo_ms && !world_fault(w, 20))
			at = n->fifo_ms;
		if (at > n->fifo_ms)
			n->fifo_ms = at;
		world_later(w, at - w->now_ms, arrive, i, 0, copy);
	}
}

struct script {
	unsigned number;
	struct msgid floor;
};

/* EVALSHA post: see section 6.2 of the design. */
static void run_script(struct world *w, uint64_t poster, uint64_t b, void *data)
{
	const struct script s = *(struct script *)data;
	struct bus *bus = &w->bus;
	struct message *m = &w->messages[s.number];
	struct msgid last = last_id(bus);
	struct entry *e = &bus->entries[bus->count];

	(void)b;
	free(data);
	if (!bus->up || world_fault(w, 50)) /* or the way there */
		return;
	if (bus->count == MESSAGES_MAX * 8)
		abort();
	*e = (struct entry){.number = s.number};
	e->id = msgid_next(last, s.floor, (uint64_t)w->now_ms + 1000000);
	e->prev = msgid_compare(last, s.floor) > 0 ? last : s.floor;
	e->late = msgid_compare(e->id, bus->highest) <= 0;
	if (!e->late)
		bus->highest = e->id;
	bus->count++;
	if (bus->count - bus->first > bus->keep)
		bus->first++;
	if (m->entries++ == 0)
		m->id = e->id;
	w->stats.entries++;
	world_trace(w, "log %" PRIu64 "-%" PRIu64 " message %u by %u",
		    e->id.epoch, e->id.seq, s.number, (unsigned)poster);
	for (unsigned i = 0; i < INSTANCES; i++)
		publish(w, i, e);
}

void bus_post(struct world *w, unsigned i, unsigned number)
{
	struct script *s = malloc(sizeof(*s));

	if (!s)
		abort();
	*s = (struct script){number, w->instances[i].merge.head};
	world_later(w, 1 + world_random(w, 10), run_script, i, 0, s);
}

struct page {
	struct entry entries[PAGE];
	unsigned count, life;
	unsigned question;
	bool complete, failed, last;
	struct msgid after;
};

static void answer(struct world *w, uint64_t i, uint64_t b, void *data)
{
	struct page *p = data;
	struct instance *n = &w->instances[i];

	(void)b;
	if (n->alive && n->life == p->life)
		instance_page(w, (unsigned)i, p->entries, p->count, p->complete,
			      p->failed, p->question);
	free(p);
}

/* XRANGE, or XREVRANGE for the last ones. */
static void run_page(struct world *w, uint64_t i, uint64_t b, void *data)
{
	const struct bus *bus = &w->bus;
	struct page *p = data;

	(void)b;
	p->complete = true;
	p->failed = !bus->up || world_fault(w, 10);
	for (unsigned e = bus->first; !p->failed && e < bus->count; e++) {
		const struct entry *entry = &bus->entries[e];

		if (entry->lost || msgid_compare(entry->id, p->after) <= 0)
			continue;
		if (p->count == PAGE && !p->last) {
			p->complete = false;
			break;
		}
		if (p->count == PAGE)
			memmove(p->entries, p->entries + 1,
				--p->count * sizeof(*p->entries));
		p->entries[p->count++] = *entry;
	}
	w->stats.fills++;
	world_later(w, p->failed ? 200 : 1 + world_random(w, 40), answer, i, 0,
		    p);
}

void bus_ask(struct world *w, unsigned i, struct msgid after, bool last,
	     unsigned question)
{
	struct page *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->life = w->instances[i].life;
	p->question = question;
	p->after = after;
	p->last = last;
	world_later(w, 1 + world_random(w, 10), run_page, i, 0, p);
}

static void tell_state(struct world *w, uint64_t i, uint64_t down, void *data)
{
	(void)data;
	instance_bus_state(w, (unsigned)i, down);
}

static void back(struct world *w, uint64_t a, uint64_t b, void *data)
{
	(void)a;
	(void)b;
	(void)data;
	w->bus.up = true;
	world_trace(w, "bus up");
	for (unsigned i = 0; i < INSTANCES; i++)
		world_later(w, 50 + world_random(w, 500), tell_state, i, 0,
			    NULL);
}

void bus_outage(struct world *w)
{
	w->bus.up = false;
	w->stats.outages++;
	world_trace(w, "bus down");
	for (unsigned i = 0; i < INSTANCES; i++)
		world_later(w, 50 + world_random(w, 500), tell_state, i, 1,
			    NULL);
	world_later(w, 600 + world_random(w, 4000), back, 0, 0, NULL);
}

/* A failover to a replica that was behind, or a FLUSHALL. */
void bus_lose(struct world *w)
{
	struct bus *b = &w->bus;
	const bool all = world_random(w, 3) == 0;
	unsigned lose = all ? b->count : 1 + world_random(w, 5);

	/* With all of it goes what tells that some had been trimmed. */
	for (unsigned i = b->count; lose > 0 && i > (all ? 0 : b->first); i--) {
		lose -= !b->entries[i - 1].lost;
		b->entries[i - 1].lost = true;
	}
	b->losses++;
	w->stats.losses++;
	world_trace(w, "bus lost data");
	/* Connections break with it. */
	for (unsigned i = 0; i < INSTANCES; i++)
		if (w->instances[i].alive)
			world_later(w, 1 + world_random(w, 300), restored, i,
				    w->instances[i].life, NULL);
}
