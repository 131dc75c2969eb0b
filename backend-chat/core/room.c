/* SPDX-License-Identifier: MIT */
/* See room.h. */
#include "core/room.h"

#include <assert.h>

#define POSITION_UNKNOWN 0 /* the ring's begin with 1 */

static struct msg **place(struct room *r, uint64_t position)
{
	return &r->ring[position % ROOM_RING];
}

static struct msg *at(const struct room *r, uint64_t position)
{
	return r->ring[position % ROOM_RING];
}

static void raise_id(struct msgid *to, struct msgid id)
{
	if (msgid_compare(id, *to) > 0)
		*to = id;
}

void room_init(struct room *r, struct slice name, struct msgid head,
	       struct room_budget *budget)
{
	assert(name.len < sizeof(r->name));
	*r = (struct room){.head = head,
			   .floor = head,
			   .first = 1,
			   .end = 1,
			   .budget = budget};
	memcpy(r->name, name.at, name.len);
}

static void evict(struct room *r)
{
	struct msg *oldest = at(r, r->first);

	raise_id(&r->floor, oldest->id);
	r->budget->used -= msg_bytes(oldest);
	msg_unref(oldest);
	r->first++;
}

void room_clear(struct room *r)
{
	assert(!r->members);
	while (r->first < r->end)
		evict(r);
}

void room_set_topic(struct room *r, struct slice topic)
{
	size_t len = topic.len <= TOPIC_MAX ? topic.len : TOPIC_MAX;

	if (len > 0)
		memcpy(r->topic, topic.at, len);
	r->topic[len] = '\0';
}

static void add(struct room *r, struct member *m, void *owner)
{
	assert(!m->room);
	*m = (struct member){.room = r, .owner = owner, .next = r->members};
	if (r->members)
		r->members->before = m;
	r->members = m;
	r->here++;
}

void room_join(struct room *r, struct member *m, void *owner)
{
	add(r, m, owner);
	m->cursor = r->head;
	m->position = r->end;
}

void room_resume(struct room *r, struct member *m, void *owner,
		 struct msgid after)
{
	add(r, m, owner);
	m->cursor = after;
	m->position = POSITION_UNKNOWN;
	m->lagging = true;
}

void room_join_at(struct room *r, struct member *m, void *owner, unsigned count)
{
	add(r, m, owner);
	m->position = r->first;
	if (count < r->end - r->first)
		m->position = r->end - count;
	m->cursor = r->floor;
	for (uint64_t i = r->first; i < m->position; i++)
		raise_id(&m->cursor, at(r, i)->id);
	m->lagging = m->position < r->end;
}

void room_leave(struct member *m)
{
	struct room *r = m->room;

	if (!r)
		return;
	if (m->before)
		m->before->next = m->next;
	else
		r->members = m->next;
	if (m->next)
		m->next->before = m->before;
	r->here--;
	*m = (struct member){.room = NULL};
}

void room_push(struct room *r, struct msg *m)
{
	if (r->end - r->first == ROOM_RING)
		evict(r);
	*place(r, r->end) = msg_ref(m);
	r->end++;
	r->budget->used += msg_bytes(m);
	raise_id(&r->head, m->id);
	/* The new one stays: members are about to take it. */
	while (r->budget->used > r->budget->max && r->first + 1 < r->end)
		evict(r);
}

bool room_identify(struct room *r, struct msg *with_id)
{
	uint64_t i = r->first;

	raise_id(&r->head, with_id->id);
	while (i < r->end && !slice_equal(at(r, i)->mid, with_id->mid))
		i++;
	/* Who has got it has it, whether the ring still has or not. */
	for (struct member *m = r->members; m; m = m->next)
		if (m->position > i || (i == r->end && !m->lagging))
			raise_id(&m->cursor, with_id->id);
	if (i == r->end) {
		raise_id(&r->floor, with_id->id); /* only the archive has it */
		return false;
	}
	r->budget->used -= msg_bytes(at(r, i));
	msg_unref(at(r, i));
	*place(r, i) = msg_ref(with_id);
	r->budget->used += msg_bytes(with_id);
	return true;
}

void room_gap(struct room *r, struct msgid to)
{
	while (r->first < r->end)
		evict(r);
	raise_id(&r->floor, msgid_before(to));
	for (struct member *m = r->members; m; m = m->next)
		if (!m->lagging)
			raise_id(&m->cursor, r->floor);
}

struct member *room_each_live(struct room *r, struct member *after)
{
	struct member *m = after ? after->next : r->members;

	while (m && m->lagging)
		m = m->next;
	return m;
}

/* True if the ring still has what m gets next, or m has all of it. */
static bool is_placed(const struct member *m)
{
	return m->position != POSITION_UNKNOWN && m->position >= m->room->first;
}

void room_took(struct member *m, const struct msg *msg)
{
	raise_id(&m->cursor, msg->id);
	if (is_placed(m) && m->position < m->room->end &&
	    at(m->room, m->position) == msg)
		m->position++;
}

void room_lag(struct member *m)
{
	m->lagging = true;
}

/*
 * Behind the last message that the cursor covers, before the first that it does
 * not cover. Ids may not rise all along (room.h), so some may be read twice:
 * the reader knows them by mid.
 */
static void seek(struct member *m)
{
	const struct room *r = m->room;

	m->position = r->first;
	for (uint64_t i = r->first; i < r->end; i++) {
		if (msgid_is_none(at(r, i)->id))
			continue;
		if (msgid_compare(at(r, i)->id, m->cursor) > 0)
			break;
		m->position = i + 1;
	}
}

enum room_read room_read(struct member *m, struct msg **out)
{
	struct room *r = m->room;

	*out = NULL;
	if (!is_placed(m)) {
		if (msgid_compare(m->cursor, r->floor) < 0)
			return ROOM_READ_ARCHIVE;
		seek(m);
	}
	if (m->position == r->end) {
		m->lagging = false;
		return ROOM_READ_HEAD;
	}
	*out = at(r, m->position);
	return ROOM_READ_MESSAGE;
}

bool room_skips(const struct member *m, const struct msg *item)
{
	return !msgid_is_none(m->cursor) &&
	       msgid_step(m->cursor, item->id, item->prev) == MSGID_JUMP;
}

bool room_archive_ended(struct member *m, struct msgid *from, struct msgid *to)
{
	const struct room *r = m->room;

	*from = m->cursor;
	*to = r->floor;
	if (is_placed(m) || msgid_compare(m->cursor, r->floor) >= 0)
		return false;
	m->cursor = r->floor;
	m->position = r->first;
	return !msgid_is_none(*from);
}

unsigned room_recent(const struct room *r, struct msg **out, unsigned count)
{
	bool complete;

	return room_history(r, MSGID_NONE, out, count, &complete);
}

unsigned room_history(const struct room *r, struct msgid before,
		      struct msg **out, unsigned count, bool *complete)
{
	uint64_t end = r->end, start;
	unsigned found;

	if (!msgid_is_none(before))
		while (end > r->first &&
		       (msgid_is_none(at(r, end - 1)->id) ||
			msgid_compare(at(r, end - 1)->id, before) >= 0))
			end--;
	start = end - r->first > count ? end - count : r->first;
	for (found = 0; start + found < end; found++)
		out[found] = at(r, start + found);
	*complete = found == count || msgid_is_none(r->floor);
	return found;
}
