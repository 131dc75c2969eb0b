/* SPDX-License-Identifier: MIT */
/* See room.h. */
#include "core/room.h"
#include "core/mid.h"

#include <assert.h>
#include <stdlib.h>

#define POSITION_UNKNOWN 0     /* the ring's begin with 1 */
#define TOLD_MAX	 65536 /* as merge.h remembers */

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
	free(r->told);
	r->told = NULL;
	r->told_count = r->told_capacity = 0;
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
	m->read = (struct member_range){r->end, r->end};
}

void room_resume(struct room *r, struct member *m, void *owner,
		 struct msgid after)
{
	add(r, m, owner);
	m->cursor = after;
	m->read.end = POSITION_UNKNOWN;
	m->lagging = true;
}

void room_join_at(struct room *r, struct member *m, void *owner, unsigned count)
{
	add(r, m, owner);
	m->read.end = r->first;
	if (count < r->end - r->first)
		m->read.end = r->end - count;
	m->read.from = m->read.end;
	m->cursor = r->floor;
	for (uint64_t i = r->first; i < m->read.end; i++)
		raise_id(&m->cursor, at(r, i)->id);
	m->lagging = m->read.end < r->end;
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

/*
 * Those that came again are of use while the ring has them without an id, and
 * to members that lag.
 */
static void forget_told(struct room *r)
{
	unsigned kept = 0;

	for (const struct member *m = r->members; m; m = m->next)
		if (m->lagging)
			return;
	for (unsigned i = 0; i < r->told_count; i++)
		if (!r->told[i].named || r->told[i].position >= r->first)
			r->told[kept++] = r->told[i];
	r->told_count = kept;
}

/* Without memory a line client may get it twice: no reason to fail. */
static void remember_told(struct room *r, uint64_t hash)
{
	unsigned capacity = r->told_capacity ? 2 * r->told_capacity : 16;
	struct room_told *told = r->told;

	if (r->told_count == TOLD_MAX)
		return;
	if (r->told_count == r->told_capacity) {
		told = realloc(told, capacity * sizeof(*told));
		if (!told)
			return;
		r->told = told;
		r->told_capacity = capacity;
	}
	told[r->told_count++] =
		(struct room_told){.position = r->end, .hash = hash};
}

static void name_told(struct room *r, uint64_t hash)
{
	for (unsigned i = 0; i < r->told_count; i++)
		if (r->told[i].hash == hash)
			r->told[i].named = true;
}

/* True if the ring still has what m gets next, or m has all of it. */
static bool is_placed(const struct member *m)
{
	return m->read.end != POSITION_UNKNOWN && m->read.end >= m->room->first;
}

static bool is_next(const struct member *m, const struct msg *msg)
{
	return is_placed(m) && m->read.end < m->room->end &&
	       at(m->room, m->read.end) == msg;
}

static bool is_within(struct member_range range, uint64_t position)
{
	return position >= range.from && position < range.end;
}

static bool has_read(const struct member *m, uint64_t position)
{
	for (unsigned i = 0; i < MEMBER_RANGES; i++)
		if (is_within(m->old[i], position))
			return true;
	return is_within(m->read, position);
}

bool room_has(const struct member *m, const struct msg *msg)
{
	const struct room *r = m->room;
	uint64_t hash;

	if (!msgid_is_none(msg->id) && msgid_compare(msg->id, m->cursor) <= 0)
		return true;
	if (is_next(m, msg) && r->repeat[m->read.end % ROOM_RING])
		return true;
	if (r->told_count == 0)
		return false;
	hash = mid_hash(msg->mid, 0);
	for (unsigned i = 0; i < r->told_count; i++)
		if (r->told[i].hash == hash && has_read(m, r->told[i].position))
			return true;
	return false;
}

static void push(struct room *r, struct msg *m, bool repeat)
{
	if (r->told_count > 0)
		forget_told(r);
	if (msgid_is_none(m->id))
		remember_told(r, mid_hash(m->mid, 0));
	else if (r->told_count > 0)
		name_told(r, mid_hash(m->mid, 0));
	if (r->end - r->first == ROOM_RING)
		evict(r);
	*place(r, r->end) = msg_ref(m);
	r->repeat[r->end % ROOM_RING] = repeat;
	r->end++;
	r->budget->used += msg_bytes(m);
	raise_id(&r->head, m->id);
	while (r->budget->used > r->budget->max && r->first + 1 < r->end)
		evict(r);
}

void room_push(struct room *r, struct msg *m)
{
	push(r, m, false);
}

void room_push_repeat(struct room *r, struct msg *m)
{
	push(r, m, true);
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

void room_took(struct member *m, const struct msg *msg)
{
	raise_id(&m->cursor, msg->id);
	if (is_next(m, msg))
		m->read.end++;
}

void room_lag(struct member *m)
{
	m->lagging = true;
}

/* The range that was read ends here, if it is worth remembering. */
static void keep_range(struct member *m)
{
	const struct room *r = m->room;

	for (unsigned i = 0; i < r->told_count; i++) {
		if (!is_within(m->read, r->told[i].position))
			continue;
		memmove(&m->old[1], &m->old[0],
			(MEMBER_RANGES - 1) * sizeof(m->old[0]));
		m->old[0] = m->read;
		return;
	}
}

/*
 * Behind the last message that the cursor covers, before the first that it does
 * not cover. Ids may not rise all along (room.h), so some may be read twice:
 * the reader knows them by mid.
 */
static void seek(struct member *m)
{
	const struct room *r = m->room;

	keep_range(m);
	m->read.end = r->first;
	for (uint64_t i = r->first; i < r->end; i++) {
		if (msgid_is_none(at(r, i)->id))
			continue;
		if (msgid_compare(at(r, i)->id, m->cursor) > 0)
			break;
		m->read.end = i + 1;
	}
	m->read.from = m->read.end;
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
	if (m->read.end == r->end) {
		m->lagging = false;
		return ROOM_READ_HEAD;
	}
	*out = at(r, m->read.end);
	return ROOM_READ_MESSAGE;
}

bool room_skips(const struct member *m, const struct msg *msg)
{
	return !msgid_is_none(m->cursor) &&
	       msgid_step(m->cursor, msg->id, msg->prev) == MSGID_JUMP;
}

bool room_archive_ended(struct member *m, struct msgid *from, struct msgid *to)
{
	const struct room *r = m->room;

	*from = m->cursor;
	*to = r->floor;
	if (is_placed(m) || msgid_compare(m->cursor, r->floor) >= 0)
		return false;
	m->cursor = r->floor;
	seek(m);
	return !msgid_is_none(*from);
}

/* Whether the message there came again, with its id. */
static bool is_named(const struct room *r, uint64_t position)
{
	for (unsigned i = 0; i < r->told_count; i++)
		if (r->told[i].position == position)
			return r->told[i].named;
	return false;
}

static bool is_history(const struct room *r, uint64_t position,
		       struct msgid before)
{
	const struct msgid id = at(r, position)->id;

	if (r->repeat[position % ROOM_RING])
		return false;
	if (msgid_is_none(id))
		return msgid_is_none(before) && !is_named(r, position);
	return msgid_is_none(before) || msgid_compare(id, before) < 0;
}

unsigned room_history(const struct room *r, struct msgid before,
		      struct msg **out, unsigned count, bool *complete)
{
	unsigned found = 0;
	uint64_t i = r->end;

	while (i > r->first && found < count) {
		i--;
		if (is_history(r, i, before))
			out[found++] = at(r, i);
	}
	for (unsigned a = 0; a < found / 2; a++) {
		struct msg *m = out[a];

		out[a] = out[found - 1 - a];
		out[found - 1 - a] = m;
	}
	*complete = found == count || msgid_is_none(r->floor);
	return found;
}
