/* SPDX-License-Identifier: MIT */
/* An instance: the core's merge and room, an archive, posts under way. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 1000

struct msg *message_new(unsigned number, struct msgid id, struct msgid prev)
{
	char mid[32], text[16];
	struct msg_fields f = {.id = id,
			       .prev = prev,
			       .room = SLICE("ops"),
			       .sender = SLICE("lan"),
			       .instance = SLICE("sim")};
	struct msg *m;

	snprintf(mid, sizeof(mid), "0a1b2c.%016u", number);
	snprintf(text, sizeof(text), "%u", number);
	f.mid = slice_of(mid);
	f.text = slice_of(text);
	if (msg_new(&m, &f) != 0)
		abort();
	return m;
}

unsigned message_number(const struct msg *m)
{
	return (unsigned)strtoul(m->text.at, NULL, 10);
}

/* -------------------------------------------------------------- archive */

/*
 * Each entry of the log has its row. Of those with one mid the first is the
 * message, the others are repeats, which line clients do not get.
 */
static void archive_put(struct instance *n, struct msg *m)
{
	unsigned i = n->archived;

	while (i > 0 && msgid_compare(n->archive[i - 1]->id, m->id) > 0)
		i--;
	for (unsigned a = i; a > 0; a--) {
		if (msgid_compare(n->archive[a - 1]->id, m->id) != 0)
			break;
		if (slice_equal(n->archive[a - 1]->mid, m->mid))
			return;
	}
	if (n->archived == MESSAGES_MAX * 2)
		abort();
	memmove(&n->archive[i + 1], &n->archive[i],
		(n->archived - i) * sizeof(*n->archive));
	n->archive[i] = msg_ref(m);
	n->archived++;
}

bool archive_repeats(const struct instance *n, const struct msg *m)
{
	for (unsigned i = 0; i < n->archived && n->archive[i] != m; i++)
		if (slice_equal(n->archive[i]->mid, m->mid))
			return true;
	return false;
}

struct msg *archive_next(struct instance *n, struct msgid after)
{
	for (unsigned i = 0; i < n->archived; i++)
		if (msgid_compare(n->archive[i]->id, after) > 0)
			return n->archive[i];
	return NULL;
}

static bool archive_has(const struct instance *n, unsigned number)
{
	for (unsigned i = 0; i < n->archived; i++)
		if (message_number(n->archive[i]) == number)
			return true;
	return false;
}

/* ---------------------------------------------------------------- posts */

static struct post *find_post(struct instance *n, unsigned number)
{
	for (unsigned i = 0; i < n->post_count; i++)
		if (n->posts[i].number == number)
			return &n->posts[i];
	return NULL;
}

static void ack(struct world *w, struct instance *n, int client,
		unsigned connection, unsigned number)
{
	struct client *c = client == NOBODY ? NULL : &w->clients[client];

	if (c && c->at == (int)n->index && c->connection == connection)
		client_put(w, c->index,
			   (struct frame){FRAME_ACK, .number = number});
}

/* It is in the log, and here. */
static void end_post(struct world *w, struct instance *n, unsigned number)
{
	struct post *p = find_post(n, number);

	if (!p)
		return;
	ack(w, n, p->client, p->connection, number);
	*p = n->posts[--n->post_count];
}

/* ---------------------------------------------------------------- merge */

/* To those at the head. */
static void hand_over(struct world *w, struct instance *n, struct msg *m)
{
	struct member *to = room_each_live(&n->room, NULL), *next;

	for (; to; to = next) {
		const struct client *c = to->owner;

		next = room_each_live(&n->room, to);
		if (c->line && room_has(to, m)) {
			room_took(to, m);
		} else if (client_is_full(c)) {
			room_lag(to);
			w->stats.lagged++;
		} else {
			client_hand(w, c->index, m);
			room_took(to, m);
		}
	}
}

static void put_gap(struct world *w, struct instance *n, struct msgid from,
		    struct msgid to)
{
	struct member *m;

	w->stats.gaps++;
	for (m = room_each_live(&n->room, NULL); m;
	     m = room_each_live(&n->room, m)) {
		const struct client *c = m->owner;

		client_put(w, c->index,
			   (struct frame){FRAME_GAP, .gap = {from, to}});
	}
	room_gap(&n->room, to);
}

/* The room begins where the first page did. */
static void open_room(struct world *w, struct instance *n, struct msgid floor)
{
	if (n->opened)
		return;
	n->opened = true;
	room_init(&n->room, SLICE("ops"), floor, &n->budget);
	world_trace(w, "instance %u open", n->index);
}

static void seat_all(struct world *w, struct instance *n)
{
	for (unsigned c = 0; c < CLIENTS; c++)
		if (w->clients[c].at == (int)n->index &&
		    !w->clients[c].member.room)
			client_join(w, c);
}

static void ask(struct world *w, struct instance *n)
{
	if (!merge_wants_fill(&n->merge) || n->knows_down)
		return;
	bus_ask(w, n->index, n->merge.head, merge_is_fresh(&n->merge),
		merge_fill_begin(&n->merge));
}

static void one_out(struct world *w, struct instance *n,
		    const struct merge_out *out)
{
	const unsigned number = message_number(out->msg);

	world_trace(w, "instance %u %s %" PRIu64 "-%" PRIu64 " message %u",
		    n->index,
		    out->what == MERGE_MESSAGE ? "has"
		    : out->what == MERGE_ID    ? "identifies"
					       : "repeats",
		    out->msg->id.epoch, out->msg->id.seq, number);
	open_room(w, n, msgid_before(out->msg->id));
	w->stats.repeats += out->what == MERGE_REPEAT;
	w->stats.identified += out->what == MERGE_ID;
	w->stats.late += msgid_compare(out->msg->id, n->room.head) <= 0;
	archive_put(n, out->msg);
	if (out->what == MERGE_REPEAT)
		room_push_repeat(&n->room, out->msg);
	else
		room_push(&n->room, out->msg);
	hand_over(w, n, out->msg);
	end_post(w, n, number);
}

static void pull(struct world *w, struct instance *n)
{
	struct merge_out out;

	while ((out = merge_next(&n->merge)).what != MERGE_NOTHING) {
		if (out.what == MERGE_GAP)
			put_gap(w, n, out.from, out.to);
		else
			one_out(w, n, &out);
		msg_unref(out.msg);
	}
	ask(w, n);
}

void instance_publish(struct world *w, unsigned i, const struct entry *e)
{
	struct instance *n = &w->instances[i];
	struct msg *m = message_new(e->number, e->id, e->prev);

	if (merge_live(&n->merge, m) != 0)
		abort();
	msg_unref(m);
	pull(w, n);
}

void instance_interrupted(struct world *w, unsigned i)
{
	struct instance *n = &w->instances[i];

	if (!n->alive)
		return;
	n->subscribed = true;
	merge_interrupted(&n->merge);
	ask(w, n);
}

void instance_page(struct world *w, unsigned i, const struct entry *entries,
		   unsigned count, bool complete, bool failed,
		   unsigned question)
{
	struct instance *n = &w->instances[i];

	for (unsigned e = 0; e < count; e++) {
		struct msg *m = message_new(entries[e].number, entries[e].id,
					    entries[e].prev);

		if (question & ARCHIVE)
			archive_put(n, m);
		else if (merge_filled(&n->merge, question, m) != 0)
			abort();
		msg_unref(m);
	}
	if (question & ARCHIVE) {
		client_archive_answered(w, question, failed);
		return;
	}
	merge_fill_end(&n->merge, question, complete && !failed);
	pull(w, n);
	if (n->merge.state == MERGE_LIVE)
		open_room(w, n, MSGID_NONE);
	if (n->opened)
		seat_all(w, n);
}

/* -------------------------------------------------------- what is said */

/* Posts again what did not come back, and asks where an answer was lost. */
static void tick(struct world *w, uint64_t i, uint64_t life, void *data)
{
	struct instance *n = &w->instances[i];

	(void)data;
	if (!n->alive || n->life != life)
		return;
	for (unsigned p = 0; p < n->post_count && !n->knows_down; p++) {
		if (n->posts[p].again_ms > w->now_ms)
			continue;
		n->posts[p].again_ms = w->now_ms + AGAIN_MS;
		bus_post(w, n->index, n->posts[p].number);
	}
	ask(w, n);
	world_later(w, 100, tick, i, life, NULL);
}

/* Said to the room without an id: the log is away. */
static void tell(struct world *w, struct instance *n, unsigned number)
{
	struct msg *m = message_new(number, MSGID_NONE, MSGID_NONE);

	if (merge_has(&n->merge, m->mid)) {
		msg_unref(m);
		return;
	}
	w->messages[number].told = true;
	w->stats.told++;
	if (merge_told(&n->merge, m) != 0)
		abort();
	room_push(&n->room, m);
	hand_over(w, n, m);
	msg_unref(m);
}

struct saying {
	unsigned number, client, connection, life;
};

/* A retry is looked up when the instance has caught up with the log. */
static void say_retry(struct world *w, uint64_t i, uint64_t b, void *data)
{
	const struct saying s = *(struct saying *)data;
	struct instance *n = &w->instances[i];
	const struct client *c = &w->clients[s.client];

	(void)b;
	if (!n->alive || n->life != s.life || c->at != (int)i ||
	    c->connection != s.connection) {
		free(data);
		return;
	}
	if (n->merge.state != MERGE_LIVE && !n->knows_down) {
		world_later(w, 50, say_retry, i, 0, data);
		return;
	}
	free(data);
	if (archive_has(n, s.number))
		ack(w, n, (int)s.client, s.connection, s.number);
	else
		instance_say(w, (unsigned)i, s.number, s.client, false);
}

void instance_say(struct world *w, unsigned i, unsigned number, unsigned client,
		  bool retry)
{
	struct instance *n = &w->instances[i];
	struct post *p = find_post(n, number);

	if (retry) {
		struct saying *s = malloc(sizeof(*s));

		if (!s)
			abort();
		*s = (struct saying){number, client,
				     w->clients[client].connection, n->life};
		world_later(w, 0, say_retry, i, 0, s);
		return;
	}
	if (!p) {
		if (n->post_count == MESSAGES_MAX)
			abort();
		p = &n->posts[n->post_count++];
		*p = (struct post){.number = number, .again_ms = w->now_ms};
		if (n->knows_down && n->opened)
			tell(w, n, number);
	}
	p->client = (int)client;
	p->connection = w->clients[client].connection;
	if (!n->knows_down && p->again_ms <= w->now_ms) {
		p->again_ms = w->now_ms + AGAIN_MS;
		bus_post(w, i, number);
	}
}

void instance_bus_state(struct world *w, unsigned i, bool down)
{
	struct instance *n = &w->instances[i];

	if (!n->alive || n->knows_down == down)
		return;
	n->knows_down = down;
	n->subscribed = !down;
	if (!down)
		instance_interrupted(w, i);
}

/* ---------------------------------------------------------------- lives */

void instance_start(struct world *w, unsigned i)
{
	struct instance *n = &w->instances[i];

	n->life++;
	n->alive = true;
	n->subscribed = true;
	n->knows_down = false;
	n->opened = false;
	n->fifo_ms = 0;
	n->post_count = 0;
	n->budget = (struct room_budget){0, (size_t)64 * 1024};
	merge_init(&n->merge, w->seed + n->life);
	world_trace(w, "instance %u starts", i);
	ask(w, n);
	world_later(w, 100, tick, i, n->life, NULL);
}

void instance_kill(struct world *w, unsigned i)
{
	struct instance *n = &w->instances[i];

	w->stats.kills++;
	world_trace(w, "instance %u is killed", i);
	n->alive = false;
	for (unsigned c = 0; c < CLIENTS; c++)
		if (w->clients[c].at == (int)i)
			client_cut(w, c);
	if (n->opened)
		room_clear(&n->room);
	merge_free(&n->merge);
	/* The last batch of the archive was not written. */
	for (unsigned last = world_random(w, 5); last > 0 && n->archived > 0;
	     last--)
		msg_unref(n->archive[--n->archived]);
}
