/* SPDX-License-Identifier: MIT */
/* The rules: see sim.h. */
#include "sim.h"

void judge_limits(struct world *w)
{
	for (unsigned i = 0; i < INSTANCES; i++) {
		const struct instance *n = &w->instances[i];

		if (!n->alive)
			continue;
		if (n->merge.held_count > MERGE_HELD)
			world_break(w, "instance %u holds too much", i);
		if (n->opened && n->budget.used > n->budget.max)
			world_break(w, "the ring of %u is too big", i);
		if (n->merge.told_count > n->post_count)
			world_break(w, "instance %u remembers what is over", i);
	}
}

/* A gap that it was told of has the place of the message. */
static bool is_in_gap(const struct client *c, struct msgid id)
{
	for (unsigned i = 0; i < c->gap_count; i++)
		if (msgid_compare(id, c->gaps[i].from) > 0 &&
		    msgid_compare(id, c->gaps[i].to) <= 0)
			return true;
	return false;
}

/* Any of its entries is in a gap, or was there before the client. */
static bool is_excused(const struct world *w, const struct client *c,
		       unsigned number)
{
	for (unsigned e = 0; e < w->bus.count; e++)
		if (w->bus.entries[e].number == number &&
		    (is_in_gap(c, w->bus.entries[e].id) ||
		     msgid_compare(w->bus.entries[e].id, c->since) <= 0))
			return true;
	return false;
}

static void judge_all_shown(struct world *w, const struct client *c)
{
	for (unsigned n = 0; n < w->message_count; n++) {
		const struct message *m = &w->messages[n];

		if (!m->survives || c->shown[n] || is_excused(w, c, n))
			continue;
		world_break(w,
			    "client %u was not shown message %u, %" PRIu64
			    "-%" PRIu64 "%s",
			    c->index, n, m->id.epoch, m->id.seq,
			    m->acked ? ", which was acked" : "");
	}
}

/*
 * As the log has it. Not judged are messages told without an id; those that
 * came again after a gap; and all if the log lost data: it may have given an id
 * twice.
 */
static void judge_order(struct world *w, const struct client *c)
{
	struct msgid last = MSGID_NONE;

	if (w->bus.losses)
		return;
	for (unsigned i = 0; i < c->shown_count; i++) {
		const struct message *m = &w->messages[c->order[i]];

		if (m->told || is_in_gap(c, m->id))
			continue;
		if (msgid_compare(m->id, last) <= 0)
			world_break(w, "client %u was shown message %u late",
				    c->index, c->order[i]);
		last = m->id;
	}
}

void judge_end(struct world *w)
{
	for (unsigned e = 0; e < w->bus.count; e++)
		if (!w->bus.entries[e].lost && !w->bus.entries[e].late)
			w->messages[w->bus.entries[e].number].survives = true;
	for (unsigned i = 0; i < INSTANCES; i++) {
		const struct instance *n = &w->instances[i];

		if (n->merge.state != MERGE_LIVE || n->merge.held_count)
			world_break(w, "instance %u has not caught up", i);
		if (n->post_count)
			world_break(w, "instance %u still posts message %u", i,
				    n->posts[0].number);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *c = &w->clients[i];

		if (c->gap_count && !w->short_log && !w->bus.losses)
			world_break(w, "client %u was told of a gap in vain",
				    i);
		if (!c->member.room || c->member.lagging || c->frames)
			world_break(w, "client %u has not caught up", i);
		if (c->line)
			continue;
		if (c->pending_count)
			world_break(w, "message %u of client %u has no ack",
				    c->pending[0], i);
		judge_all_shown(w, c);
		judge_order(w, c);
	}
}
