/* SPDX-License-Identifier: MIT */
/* See seat.h. */
#include "io/conn.h"
#include "io/report.h"

#include <errno.h>
#include <stdlib.h>

/* A page of the log for a reader that lags. */
#define FEED_PAGE 100

/* -------------------------------------------------------------- rooms */

static struct wroom **bucket_of(struct worker *w, struct slice name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
	return &w->rooms[hash % WORKER_ROOM_BUCKETS];
}

static struct wroom *find(struct worker *w, struct slice name)
{
	struct wroom *r = *bucket_of(w, name);

	while (r && !slice_equal(slice_of(r->core.name), name))
		r = r->next;
	return r;
}

struct wroom *rooms_find(const struct worker *w, struct slice name)
{
	struct wroom *r = find((struct worker *)w, name);

	return r && r->opened ? r : NULL;
}

static struct wroom *get(struct worker *w, struct slice name)
{
	struct wroom *r = find(w, name), **bucket = bucket_of(w, name);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	room_init(&r->core, name, MSGID_NONE, &w->budget);
	r->next = *bucket;
	*bucket = r;
	return r;
}

static void forget(struct worker *w, struct wroom *r)
{
	struct wroom **at = bucket_of(w, slice_of(r->core.name));

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	room_clear(&r->core);
	free(r);
}

void rooms_free(struct worker *w)
{
	for (unsigned i = 0; i < WORKER_ROOM_BUCKETS; i++)
		while (w->rooms[i])
			forget(w, w->rooms[i]);
}

/* -------------------------------------------------------------- seats */

struct seat *seat_find(const struct conn *c, struct slice room)
{
	struct seat *s = c->seats;

	while (s && !slice_equal(slice_of(s->room->core.name), room))
		s = s->next;
	return s;
}

/* The room is open: it sits down. */
static void sit_down(struct seat *s)
{
	struct room *r = &s->room->core;

	if (s->has_after)
		room_resume(r, &s->member, s, s->after);
	else if (s->show > 0)
		room_join_at(r, &s->member, s, s->show);
	else
		room_join(r, &s->member, s);
	if (conn_is_json(s->conn))
		json_on_joined(s->conn, s);
	else if (s->conn->wire != WIRE_HTTP)
		line_on_joined(s->conn, s);
	s->conn->lagging |= s->member.lagging;
	conn_touch(s->conn);
}

static void tell_bus(const struct seat *s, enum signal_kind kind)
{
	const struct user *u = s->conn->user;
	struct hub *h = conn_hub(s->conn);

	if (u && u->nick[0] && !s->is_inbox)
		h->bus->signal(
			h->bus,
			&(struct signal){
				.kind = kind,
				.room = slice_of(s->room->core.name),
				.nick = slice_of(u->nick),
				.instance = slice_of(h->options.instance),
			});
}

static bool is_named(const struct conn *c)
{
	return c->user && c->user->nick[0];
}

int seat_take(struct conn *c, const struct seat_wish *wish)
{
	struct wroom *r;
	struct seat *s;
	int error;

	if (seat_find(c, wish->room))
		return -EEXIST;
	if (c->seat_count >= WSJSON_ROOMS_MAX + 1)
		return -EMFILE;
	error = hub_sit(conn_hub(c), wish->room, is_named(c));
	if (error)
		return error;
	r = get(c->worker, wish->room);
	s = calloc(1, sizeof(*s));
	if (!r || !s) {
		hub_rise(conn_hub(c), wish->room, is_named(c));
		free(s);
		return -ENOMEM;
	}
	s->conn = c;
	s->room = r;
	s->after = wish->after;
	s->has_after = wish->has_after;
	s->show = wish->show;
	s->asked_for = wish->asked_for;
	s->is_inbox = wish->room.at[0] == '@';
	s->next = c->seats;
	c->seats = s;
	c->seat_count++;
	tell_bus(s, SIGNAL_JOIN);
	if (r->opened) {
		sit_down(s);
		return 0;
	}
	s->waiting = true;
	s->next_waiting = r->waiting;
	r->waiting = s;
	return 0;
}

static void stop_waiting(struct seat *s)
{
	struct seat **at = &s->room->waiting;

	while (s->waiting && *at != s)
		at = &(*at)->next_waiting;
	if (s->waiting)
		*at = s->next_waiting;
}

void seat_leave(struct seat *s)
{
	struct conn *c = s->conn;
	struct seat **at = &c->seats;

	tell_bus(s, SIGNAL_PART);
	hub_rise(conn_hub(c), slice_of(s->room->core.name), is_named(c));
	stop_waiting(s);
	room_leave(&s->member);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	c->seat_count--;
	free(s);
}

void seats_leave(struct conn *c)
{
	while (c->seats)
		seat_leave(c->seats);
}

/* -------------------------------------------------- readers that lag */

/*
 * Line clients cannot be shown that something is missing: they are dropped.
 * Returns false then.
 */
static bool tell_gap(struct seat *s, struct msgid from, struct msgid to)
{
	struct writer w;

	METRIC_ADD(&conn_hub(s->conn)->metrics, gaps);
	if (!conn_is_json(s->conn)) {
		conn_drop(s->conn);
		return false;
	}
	writer_init(&w, WSJSON_MAX);
	wsjson_put_gap(&w, slice_of(s->room->core.name), from, to);
	json_send(s->conn, &w);
	return conn_is_present(s->conn);
}

/* The log has nothing that the ring has not. As tell_gap(). */
static bool log_ended(struct seat *s)
{
	struct msgid from, to;

	s->in_bus = false;
	return !room_archive_ended(&s->member, &from, &to) ||
	       tell_gap(s, from, to);
}

/* Returns false if there is nothing to be handed over now. */
static bool ask_log(struct seat *s)
{
	const struct page_question question = {
		.room = slice_of(s->room->core.name),
		.id = s->member.cursor,
		.limit = FEED_PAGE,
	};

	s->asked = true;
	if (hub_read(conn_hub(s->conn), &question, s->conn->ticket,
		     s->in_bus) == 0)
		return false;
	s->asked = false;
	return log_ended(s);
}

/*
 * False: its connection takes no more, or has left. What a line client was told
 * before, and a repeat, it does not get.
 */
static bool give(struct seat *s, struct msg *m)
{
	if (!conn_is_json(s->conn))
		return m->repeat || room_has(&s->member, m) ||
		       conn_queue_msg(s->conn, m);
	return (!room_skips(&s->member, m) ||
		tell_gap(s, s->member.cursor, m->id)) &&
	       conn_queue_msg(s->conn, m);
}

/* Returns false if nothing more can be handed over now. */
static bool feed_one(struct seat *s)
{
	struct msg *m;

	switch (room_read(&s->member, &m)) {
	case ROOM_READ_HEAD: return false;
	case ROOM_READ_ARCHIVE: return ask_log(s);
	case ROOM_READ_MESSAGE: break;
	}
	if (!give(s, m))
		return false;
	room_took(&s->member, m);
	return true;
}

void seats_feed(struct conn *c)
{
	bool lagging = false;

	if (!c->lagging || conn_is_full(c))
		return;
	for (struct seat *s = c->seats, *next; s; s = next) {
		next = s->next;
		while (s->member.room && s->member.lagging && !s->asked &&
		       conn_is_present(c) && !conn_is_full(c) && feed_one(s))
			;
		if (!conn_is_present(c))
			return;
		lagging |= s->member.lagging;
	}
	c->lagging = lagging;
}

/* Returns false if its connection has left. */
static bool take_page(struct seat *s, const struct note *n)
{
	struct conn *c = s->conn;

	for (unsigned i = 0; i < n->count; i++) {
		if (msgid_compare(n->msgs[i]->id, s->member.cursor) <= 0)
			continue;
		/* The log has passed a line client: see tell_gap(). */
		if (!conn_is_json(c) && room_skips(&s->member, n->msgs[i]))
			return tell_gap(s, s->member.cursor, n->msgs[i]->id);
		/* The rest is asked for again when it has taken these. */
		if (!give(s, n->msgs[i]))
			return conn_is_present(c);
		room_took(&s->member, n->msgs[i]);
	}
	if (n->count > 0 && !n->failed)
		return true;
	if (!conn_hub(c)->store || s->in_bus)
		return log_ended(s);
	s->in_bus = true; /* perhaps it has what the store has not */
	return true;
}

void seats_on_page(struct conn *c, const struct note *n)
{
	struct seat *s = seat_find(c, n->room);

	if (!s || !s->asked)
		return;
	s->asked = false;
	(void)take_page(s, n);
	conn_touch(c);
}

/* --------------------------------------------------------------- notes */

/* The message that was just pushed, to all that are not behind. */
static void hand_over(struct wroom *r, struct msg *m)
{
	struct member *next = room_each_live(&r->core, NULL);

	while (next) {
		struct member *member = next;
		struct conn *c = ((struct seat *)member->owner)->conn;

		next = room_each_live(&r->core, member);
		if (give(member->owner, m)) {
			room_took(member, m);
		} else if (conn_is_present(c)) { /* else it has no seats */
			METRIC_ADD(&conn_hub(c)->metrics, lagged);
			room_lag(member);
			c->lagging = true;
		}
	}
}

static void push(struct wroom *r, struct msg *m)
{
	if (m->repeat)
		room_push_repeat(&r->core, m);
	else
		room_push(&r->core, m);
}

static void on_message(struct worker *w, struct msg *m)
{
	struct wroom *r = rooms_find(w, m->room);

	if (!r)
		return;
	push(r, m);
	hand_over(r, m);
	w->unsent += msg_line(m).len;
}

/* Who it concerns is told when the next message is handed over. */
static void on_gap(struct worker *w, const struct note *n)
{
	struct wroom *r = rooms_find(w, n->room);

	if (r)
		room_gap(&r->core, n->to);
}

static void on_open(struct worker *w, const struct note *n)
{
	struct wroom *r = get(w, n->room);
	bool again;

	if (!r)
		return;
	/* It may have been shut while somebody came back to it. */
	again = r->opened;
	if (!again)
		room_init(&r->core, n->room,
			  n->count > 0 ? msgid_before(n->msgs[0]->id) : n->id,
			  &w->budget);
	for (unsigned i = 0; i < n->count; i++) {
		if (again && msgid_compare(n->msgs[i]->id, r->core.head) <= 0)
			continue;
		push(r, n->msgs[i]);
		if (again)
			hand_over(r, n->msgs[i]);
	}
	room_set_topic(&r->core, n->text);
	r->opened = true;
	while (r->waiting) {
		struct seat *s = r->waiting;

		r->waiting = s->next_waiting;
		s->waiting = false;
		sit_down(s);
	}
}

static void on_shut(struct worker *w, const struct note *n)
{
	struct wroom *r = find(w, n->room);

	if (r && !r->core.members && !r->waiting)
		forget(w, r);
}

void rooms_on_note(struct worker *w, struct note *n)
{
	switch (n->kind) {
	case NOTE_MESSAGE:
	case NOTE_IDENTIFIED:
	case NOTE_REPEATED: on_message(w, n->msgs[0]); break;
	case NOTE_GAP: on_gap(w, n); break;
	case NOTE_OPEN: on_open(w, n); break;
	case NOTE_SHUT: on_shut(w, n); break;
	case NOTE_CONN:
	case NOTE_POSTED:
	case NOTE_CLAIMED:
	case NOTE_PAGE:
	case NOTE_HISTORY:
	case NOTE_SIGNAL:
	case NOTE_PRESENCE:
	case NOTE_STATE: break;
	}
}
