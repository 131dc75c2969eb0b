/* SPDX-License-Identifier: MIT */
/* Clients: they read slowly, are cut, come back elsewhere and say it again. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static void connect_to_any(struct world *w, uint64_t c, uint64_t b, void *data);

void client_start(struct world *w, unsigned c)
{
	struct client *client = &w->clients[c];

	client->index = c;
	client->line = c < LINE_CLIENTS;
	client->at = NOBODY;
	world_later(w, world_random(w, 100), connect_to_any, c, 0, NULL);
}

/* ---------------------------------------------------------------- frames */

static void show(struct world *w, struct client *c, const struct msg *m)
{
	const unsigned number = message_number(m);

	if (msgid_compare(m->id, c->after) > 0)
		c->after = m->id;
	if (c->line && c->on_this[number] &&
	    !(c->fed && w->messages[number].entries > 1))
		world_break(w, "line client %u gets message %u twice", c->index,
			    number);
	world_trace(w, "client %u gets message %u %" PRIu64 "-%" PRIu64,
		    c->index, number, m->id.epoch, m->id.seq);
	c->on_this[number] = true;
	if (c->shown[number])
		return;
	c->shown[number] = true;
	c->order[c->shown_count++] = number;
}

static void take_ack(struct world *w, struct client *c, unsigned number)
{
	w->messages[number].acked = true;
	for (unsigned i = 0; i < c->pending_count; i++) {
		if (c->pending[i] != number)
			continue;
		c->pending_count--;
		memmove(&c->pending[i], &c->pending[i + 1],
			(c->pending_count - i) * sizeof(*c->pending));
		return;
	}
}

static void take(struct world *w, struct client *c, const struct frame *f)
{
	switch (f->kind) {
	case FRAME_MESSAGE: show(w, c, f->msg); break;
	case FRAME_ACK: take_ack(w, c, f->number); break;
	case FRAME_GAP:
		world_trace(w, "client %u: gap", c->index);
		if (c->gap_count == GAPS_MAX)
			abort();
		c->gaps[c->gap_count++] = f->gap;
		break;
	}
}

static void read_one(struct world *w, uint64_t index, uint64_t connection,
		     void *data)
{
	struct client *c = &w->clients[index];
	struct frame f;

	(void)data;
	if (c->connection != connection)
		return;
	c->reading = false;
	if (c->frames == 0)
		return;
	f = c->socket[0];
	c->frames--;
	memmove(&c->socket[0], &c->socket[1], c->frames * sizeof(f));
	take(w, c, &f);
	msg_unref(f.msg);
	if (c->frames < SOCKET / 2)
		client_feed(w, c->index);
	if (c->frames > 0 && !c->reading) {
		c->reading = true;
		/* Now and then it does not read for long. */
		world_later(w,
			    world_fault(w, 40) ? world_random(w, 3000)
					       : world_random(w, 20),
			    read_one, index, connection, NULL);
	}
}

bool client_is_full(const struct client *c)
{
	return c->frames >= SOCKET;
}

/* A little above the limit is no harm; what finds no place at all cuts it. */
void client_put(struct world *w, unsigned index, struct frame f)
{
	struct client *c = &w->clients[index];

	if (c->frames == SOCKET * 4) {
		client_cut(w, index);
		return;
	}
	if (f.msg)
		msg_ref(f.msg);
	c->socket[c->frames++] = f;
	if (!c->reading) {
		c->reading = true;
		world_later(w, 1 + world_random(w, 20), read_one, index,
			    c->connection, NULL);
	}
}

static void put_gap(struct world *w, struct client *c, struct msgid from,
		    struct msgid to)
{
	client_put(w, c->index, (struct frame){FRAME_GAP, .gap = {from, to}});
}

/* The member's next: after what is missing, and not what a line client has. */
void client_hand(struct world *w, unsigned index, struct msg *m)
{
	struct client *c = &w->clients[index];

	if (room_skips(&c->member, m))
		put_gap(w, c, c->member.cursor, m->id);
	if (!(c->line && room_has(&c->member, m)))
		client_put(w, index, (struct frame){FRAME_MESSAGE, .msg = m});
}

/* Rarely several messages have one id (merge.h): they go together. */
static void hand_all(struct world *w, struct client *c, struct msgid id)
{
	struct instance *n = &w->instances[c->at];

	for (unsigned i = 0; i < n->archived; i++)
		if (msgid_compare(n->archive[i]->id, id) == 0 &&
		    !(c->line && archive_repeats(n, n->archive[i])))
			client_hand(w, c->index, n->archive[i]);
}

/* An item of the archive. False: wait for an answer of the log. */
static bool feed_archive(struct world *w, struct client *c)
{
	struct instance *n = &w->instances[c->at];
	struct member *m = &c->member;
	struct msg *item = archive_next(n, m->cursor);
	const bool skips = item && room_skips(m, item);
	struct msgid from, to;

	if ((!item || skips) && !c->asked_archive) {
		c->asked_archive = true;
		bus_ask(w, n->index, m->cursor, false,
			ARCHIVE_OF(c->index, ++c->asked));
		return false;
	}
	c->asked_archive = false;
	if (!item) {
		if (room_archive_ended(m, &from, &to))
			put_gap(w, c, from, to);
		return true;
	}
	w->stats.archived++;
	c->fed = true;
	hand_all(w, c, item->id);
	room_took(m, item);
	return true;
}

void client_feed(struct world *w, unsigned index)
{
	struct client *c = &w->clients[index];
	struct msg *m;

	while (c->at != NOBODY && c->member.room && c->member.lagging &&
	       !c->asked_archive && !client_is_full(c)) {
		switch (room_read(&c->member, &m)) {
		case ROOM_READ_HEAD: return;
		case ROOM_READ_MESSAGE:
			client_hand(w, index, m);
			room_took(&c->member, m);
			break;
		case ROOM_READ_ARCHIVE:
			if (!feed_archive(w, c))
				return;
			break;
		}
	}
}

/* asked_archive stays set for one step: the answer is in the archive now. */
static void feed_answered(struct world *w, struct client *c)
{
	struct msg *m;

	if (c->member.lagging && room_read(&c->member, &m) == ROOM_READ_ARCHIVE)
		feed_archive(w, c);
	c->asked_archive = false;
	client_feed(w, c->index);
}

static void ask_again(struct world *w, uint64_t index, uint64_t connection,
		      void *data)
{
	struct client *c = &w->clients[index];

	(void)data;
	if (c->connection != connection)
		return;
	c->asked_archive = false;
	client_feed(w, c->index);
}

void client_archive_answered(struct world *w, unsigned question, bool failed)
{
	struct client *c = &w->clients[ARCHIVE_CLIENT(question)];

	if (!c->member.room || !c->asked_archive ||
	    question != ARCHIVE_OF(c->index, c->asked))
		return; /* another connection asked */
	if (failed)
		world_later(w, 300, ask_again, c->index, c->connection, NULL);
	else
		feed_answered(w, c);
}

/* ------------------------------------------------------------ connection */

void client_join(struct world *w, unsigned index)
{
	struct client *c = &w->clients[index];
	struct room *r = &w->instances[c->at].room;

	memset(c->on_this, 0, sizeof(c->on_this));
	c->fed = false;
	world_trace(w, "client %u joins at %d after %" PRIu64 "-%" PRIu64,
		    index, c->at, c->after.epoch, c->after.seq);
	if (c->line) {
		if (world_random(w, 2))
			room_join(r, &c->member, c);
		else
			room_join_at(r, &c->member, c, 10);
	} else if (c->settled) {
		w->stats.resumes++;
		room_resume(r, &c->member, c, c->after);
	} else {
		room_join(r, &c->member, c);
		c->after = c->since = r->head; /* joined{head} */
		c->settled = true;
	}
	for (unsigned i = 0; i < c->pending_count; i++)
		instance_say(w, (unsigned)c->at, c->pending[i], index, true);
	client_feed(w, index);
}

static void connect_to_any(struct world *w, uint64_t index, uint64_t b,
			   void *data)
{
	struct client *c = &w->clients[index];
	unsigned i = world_random(w, INSTANCES);

	(void)b;
	(void)data;
	if (c->at != NOBODY)
		return;
	if (!w->instances[i].alive) {
		world_later(w, 50 + world_random(w, 200), connect_to_any, index,
			    0, NULL);
		return;
	}
	c->at = (int)i;
	if (w->instances[i].opened)
		client_join(w, c->index);
}

void client_cut(struct world *w, unsigned index)
{
	struct client *c = &w->clients[index];

	if (c->at == NOBODY)
		return;
	w->stats.cuts++;
	world_trace(w, "client %u is cut", index);
	room_leave(&c->member);
	for (unsigned i = 0; i < c->frames; i++)
		msg_unref(c->socket[i].msg);
	c->frames = 0;
	c->reading = c->asked_archive = false;
	c->connection++;
	c->at = NOBODY;
	world_later(w, world_random(w, 1500), connect_to_any, index, 0, NULL);
}

void client_say(struct world *w, unsigned index)
{
	struct client *c = &w->clients[index];
	const unsigned number = w->message_count;

	if (number == MESSAGES_MAX || (c->line && !c->member.room))
		return;
	w->message_count++;
	w->stats.messages++;
	w->messages[number].said = true;
	w->messages[number].said_by = index;
	world_trace(w, "client %u says message %u", index, number);
	if (!c->line) {
		c->pending[c->pending_count++] = number;
	}
	if (c->member.room)
		instance_say(w, (unsigned)c->at, number, index, false);
}
