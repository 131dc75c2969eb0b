/* SPDX-License-Identifier: MIT */
/* The rooms of the instance, and what the bus tells of them (sink.h). */
#include "io/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------ rooms, seats */

struct hub_room *hub_room_find(struct hub *h, struct slice name)
{
	struct hub_room *r = h->rooms;

	while (r && !slice_equal(slice_of(r->name), name))
		r = r->next;
	return r;
}

static bool is_inbox(struct slice name)
{
	return name.at[0] == '@';
}

static struct hub_room *room_new(struct hub *h, struct slice name)
{
	struct hub_room *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	memcpy(r->name, name.at, name.len);
	presence_init(&r->presence);
	r->next = h->rooms;
	h->rooms = r;
	if (is_inbox(name))
		h->inbox_count++;
	else
		h->room_count++;
	return r;
}

static void room_free(struct hub *h, struct hub_room *r)
{
	struct hub_room **at = &h->rooms;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (is_inbox(slice_of(r->name)))
		h->inbox_count--;
	else
		h->room_count--;
	presence_free(&r->presence);
	free(r);
}

/* One that nobody is in, for a new one; what was said there is in the log. */
static struct hub_room *empty_room(struct hub *h, bool inbox)
{
	struct hub_room *r = h->rooms;

	while (r && (r->seats > 0 || is_inbox(slice_of(r->name)) != inbox))
		r = r->next;
	return r;
}

/* The caller holds the lock; name: of the room that was given up, or empty. */
static int make_room(struct hub *h, struct slice name, char *given_up)
{
	const bool inbox = is_inbox(name);
	struct hub_room *r;

	if (inbox ? h->inbox_count >= h->capacity
		  : h->room_count >= h->options.rooms) {
		r = empty_room(h, inbox);
		if (!r)
			return -ENOSPC;
		snprintf(given_up, ROOM_MAX_BYTES, "%s", r->name);
		room_free(h, r);
	}
	r = room_new(h, name);
	if (!r)
		return -ENOMEM;
	r->seats = 1;
	return 0;
}

int hub_sit(struct hub *h, struct slice room, bool named)
{
	char given_up[ROOM_MAX_BYTES] = "";
	struct hub_room *r;
	int error = 0;
	bool is_new;

	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	is_new = !r;
	if (r)
		r->seats++;
	else
		error = make_room(h, room, given_up);
	r = hub_room_find(h, room);
	if (r)
		r->unnamed += !named;
	pthread_mutex_unlock(&h->lock);
	if (given_up[0]) {
		h->bus->unfollow(h->bus, slice_of(given_up));
		hub_tell_all(h, note_about(NOTE_SHUT, slice_of(given_up),
					   SLICE(""), NULL, 0));
	}
	if (!error && is_new)
		error = h->bus->follow(h->bus, room);
	return error;
}

void hub_rise(struct hub *h, struct slice room, bool named)
{
	struct hub_room *r;

	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	if (r) {
		r->seats--;
		r->unnamed -= !named;
	}
	pthread_mutex_unlock(&h->lock);
}

void hub_named(struct hub *h, struct slice room)
{
	struct hub_room *r;

	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	if (r && r->unnamed > 0)
		r->unnamed--;
	pthread_mutex_unlock(&h->lock);
}

void hub_rooms_free(struct hub *h)
{
	while (h->rooms)
		room_free(h, h->rooms);
}

/* ----------------------------------------------------------- reading */

static void tell_page(struct hub *h, uint64_t ticket, const struct page *page,
		      enum note_kind kind)
{
	struct note *n = note_about(kind, page->room, SLICE(""), page->items,
				    page->count);

	if (!n)
		return;
	n->flag = page->more;
	n->failed = page->failed;
	n->gap = page->gap;
	hub_tell_one(h, ticket, n);
}

static void take_page(void *arg, uint64_t ticket, const struct page *page)
{
	tell_page(arg, ticket, page, NOTE_PAGE);
}

static void take_history(void *arg, uint64_t ticket, const struct page *page)
{
	tell_page(arg, ticket, page, NOTE_HISTORY);
}

int hub_read(struct hub *h, const struct page_question *question,
	     uint64_t ticket, bool from_bus)
{
	const struct page_reader reader = {
		question->once ? take_history : take_page, h, ticket};

	if (h->store && !from_bus)
		return h->store->read(h->store, question, reader);
	return h->bus->read(h->bus, question, reader);
}

/* ---------------------------------------------------------- presence */

/* The caller holds the lock. */
static void note_presence(struct hub_room *r, const struct signal *s,
			  int64_t now_ms)
{
	switch (s->kind) {
	case SIGNAL_JOIN:
		(void)presence_join(&r->presence, s->nick, s->instance, now_ms);
		break;
	case SIGNAL_PART:
		presence_part(&r->presence, s->nick, s->instance, now_ms);
		break;
	case SIGNAL_NICK:
		(void)presence_rename(&r->presence, s->nick, s->text,
				      s->instance, now_ms);
		break;
	case SIGNAL_TOPIC:
		snprintf(r->topic, sizeof(r->topic), "%.*s",
			 SLICE_ARG(s->text));
		break;
	case SIGNAL_GONE:
		presence_instance_gone(&r->presence, s->instance, now_ms);
		break;
	case SIGNAL_TYPING:
	case SIGNAL_TAKEN:
	case SIGNAL_KICK:
	case SIGNAL_BROADCAST: break;
	}
}

int64_t hub_announce(struct hub *h, int64_t now_ms)
{
	struct note *list[8];
	unsigned count = 0;
	int64_t due = INT64_MAX;

	pthread_mutex_lock(&h->lock);
	for (struct hub_room *r = h->rooms; r; r = r->next) {
		struct writer w;

		writer_init(&w, WSJSON_MAX);
		if (presence_deadline(&r->presence) <= now_ms && count < 8 &&
		    presence_batch(&r->presence, slice_of(r->name), now_ms,
				   &w) &&
		    !w.failed) {
			list[count] =
				note_about(NOTE_PRESENCE, slice_of(r->name),
					   SLICE(""), NULL, 0);
			if (list[count])
				list[count]->json = blob_copy(w.bytes, w.len);
			count++;
		}
		writer_free(&w);
		if (presence_deadline(&r->presence) < due)
			due = presence_deadline(&r->presence);
	}
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < count; i++)
		hub_tell_all(h, list[i]);
	return due;
}

/* -------------------------------------------------------------- sink */

void hub_on_open(struct hub *h, struct slice room, struct slice topic,
		 struct msgid head, struct msg *const *recent, unsigned count)
{
	struct note *n = note_about(NOTE_OPEN, room, topic, recent, count);
	struct hub_room *r;

	if (!n)
		return;
	n->id = head;
	pthread_mutex_lock(&h->lock);
	r = hub_room_find(h, room);
	if (r)
		snprintf(r->topic, sizeof(r->topic), "%.*s", SLICE_ARG(topic));
	pthread_mutex_unlock(&h->lock);
	hub_tell_all(h, n);
}

void hub_on_message(struct hub *h, struct msg *m)
{
	struct note *n = note_new(NOTE_MESSAGE, &m, 1);

	METRIC_ADD(&h->metrics, messages);
	if (h->store && !msgid_is_none(m->id))
		h->store->append(h->store, m);
	if (n)
		n->bytes = msg_line(m).len;
	hub_tell_all(h, n);
}

void hub_on_identified(struct hub *h, struct msg *m)
{
	if (h->store)
		h->store->append(h->store, m);
	hub_tell_all(h, note_new(NOTE_IDENTIFIED, &m, 1));
}

void hub_on_repeated(struct hub *h, struct msg *m)
{
	hub_tell_all(h, note_new(NOTE_REPEATED, &m, 1));
}

void hub_on_gap(struct hub *h, struct slice room, struct msgid from,
		struct msgid to)
{
	struct note *n = note_about(NOTE_GAP, room, SLICE(""), NULL, 0);

	if (!n)
		return;
	n->id = from;
	n->to = to;
	hub_tell_all(h, n);
}

void hub_on_posted(struct hub *h, uint64_t ticket, enum posted result,
		   struct slice room, struct slice mid, struct msgid id)
{
	struct note *n = note_about(NOTE_POSTED, room, mid, NULL, 0);

	if (posted_is_refused(result))
		METRIC_ADD(&h->metrics, refused_posts);
	if (!n)
		return;
	n->posted = result;
	n->id = id;
	hub_tell_one(h, ticket, n);
}

void hub_on_claimed(struct hub *h, uint64_t ticket, struct slice nick,
		    struct slice hash, bool taken)
{
	struct note *n = note_about(NOTE_CLAIMED, nick, hash, NULL, 0);

	if (!n)
		return;
	n->flag = taken;
	hub_tell_one(h, ticket, n);
}

void hub_on_signal(struct hub *h, const struct signal *s)
{
	const int64_t now_ms = clock_us() / 1000;
	struct hub_room *r;

	pthread_mutex_lock(&h->lock);
	if (s->kind == SIGNAL_GONE) {
		for (r = h->rooms; r; r = r->next)
			note_presence(r, s, now_ms);
	} else {
		r = hub_room_find(h, s->room);
		if (r)
			note_presence(r, s, now_ms);
	}
	pthread_mutex_unlock(&h->lock);
	hub_tell_all(h, note_of_signal(s));
}

void hub_on_lease(struct hub *h, unsigned *clients, unsigned *rooms)
{
	pthread_mutex_lock(&h->lock);
	*clients = h->here;
	*rooms = 0;
	for (const struct hub_room *r = h->rooms; r; r = r->next)
		*rooms += r->seats > 0;
	pthread_mutex_unlock(&h->lock);
}

void hub_on_state(struct hub *h, enum bus_state state)
{
	struct note *n = note_new(NOTE_STATE, NULL, 0);

	if (!n)
		return;
	n->state = state;
	hub_tell_all(h, n);
}
