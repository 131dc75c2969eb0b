/* SPDX-License-Identifier: MIT */
/* See merge.h. */
#include "core/merge.h"
#include "core/mid.h"

#include <errno.h>
#include <stdlib.h>

void merge_init(struct merge *m, uint64_t hash_key)
{
	*m = (struct merge){
		.state = MERGE_BEHIND, .hash_key = hash_key, .fresh = true};
}

void merge_start(struct merge *m, struct msgid head)
{
	m->head = m->begin = head;
	m->fresh = false;
	m->state = MERGE_LIVE;
}

void merge_free(struct merge *m)
{
	for (size_t i = 0; i < m->held_count; i++)
		msg_unref(m->held[i]);
	for (size_t i = m->ready_start; i < m->ready_count; i++)
		msg_unref(m->ready[i].msg);
	free(m->seen.hashes);
	free(m->repeats);
	free(m->told);
	free(m->held);
	free(m->ready);
	merge_init(m, m->hash_key);
}

/* Makes room for one more element in a list that grows by doubling. */
static bool grow(void **list, size_t element, size_t count, size_t *capacity)
{
	size_t more = *capacity ? *capacity * 2 : 16;
	void *bytes;

	if (count < *capacity)
		return true;
	bytes = realloc(*list, more * element);
	if (!bytes)
		return false;
	*list = bytes;
	*capacity = more;
	return true;
}

/* 8 KiB at most: looking through all of it is cheaper than one send(). */
static bool is_seen(const struct merge_seen *s, uint64_t hash)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->hashes[i] == hash)
			return true;
	return false;
}

static bool remember(struct merge_seen *s, uint64_t hash)
{
	if (s->count == s->capacity && s->capacity < MERGE_SEEN) {
		size_t capacity = s->capacity;
		void *hashes = s->hashes;

		if (!grow(&hashes, sizeof(*s->hashes), s->count, &capacity))
			return false;
		s->hashes = hashes;
		s->capacity = (unsigned)capacity;
	}
	if (s->count < s->capacity) {
		s->hashes[s->count++] = hash;
		return true;
	}
	s->hashes[s->next] = hash;
	s->next = (s->next + 1) % MERGE_SEEN;
	return true;
}

/* Its place in .told, or .told_count. They come back in order: the first. */
static size_t find_told(const struct merge *m, uint64_t hash)
{
	size_t i = 0;

	while (i < m->told_count && m->told[i] != hash)
		i++;
	return i;
}

static void forget_told(struct merge *m, size_t i)
{
	m->told_count--;
	memmove(&m->told[i], &m->told[i + 1],
		(m->told_count - i) * sizeof(*m->told));
}

int merge_told(struct merge *m, const struct msg *msg)
{
	void *told = m->told;

	if (m->told_count == MERGE_TOLD)
		forget_told(m, 0);
	if (!grow(&told, sizeof(*m->told), m->told_count, &m->told_capacity))
		return -ENOMEM;
	m->told = told;
	m->told[m->told_count++] = mid_hash(msg->mid, m->hash_key);
	return 0;
}

bool merge_has(const struct merge *m, struct slice stored_mid)
{
	const uint64_t hash = mid_hash(stored_mid, m->hash_key);

	return is_seen(&m->seen, hash) || find_told(m, hash) < m->told_count;
}

bool merge_is_repeat(const struct merge *m, const struct msg *msg)
{
	if (msgid_compare(msg->id, m->head) > 0)
		return is_seen(&m->seen, mid_hash(msg->mid, m->hash_key));
	for (size_t i = 0; i < m->repeat_count; i++)
		if (msgid_compare(m->repeats[i], msg->id) == 0)
			return true;
	return false;
}

/* Without memory a line may come twice to one who lags: no reason to fail. */
static void remember_repeat(struct merge *m, struct msgid id)
{
	void *repeats = m->repeats;

	if (m->repeat_count < MERGE_SEEN) {
		if (!grow(&repeats, sizeof(*m->repeats), m->repeat_count,
			  &m->repeat_capacity))
			return;
		m->repeats = repeats;
		m->repeat_count++;
	}
	m->repeats[m->repeats_ever++ % MERGE_SEEN] = id;
}

/* So that the two next ones find room. */
static bool reserve_ready(struct merge *m)
{
	void *ready = m->ready;
	bool ok = grow(&ready, sizeof(*m->ready), m->ready_count + 1,
		       &m->ready_capacity);

	m->ready = ready;
	return ok;
}

/* Takes a reference of its own. */
static void put_ready(struct merge *m, struct merge_out out)
{
	if (out.msg)
		msg_ref(out.msg);
	m->ready[m->ready_count++] = out;
}

struct merge_out merge_next(struct merge *m)
{
	if (m->ready_start < m->ready_count)
		return m->ready[m->ready_start++];
	m->ready_start = m->ready_count = 0;
	return (struct merge_out){.what = MERGE_NOTHING};
}

/*
 * Whether an id that is not above the head is one whose mid we would know. So
 * an unknown one is new: see MERGE_MESSAGE.
 */
static bool is_covered(const struct merge *m, struct msgid id)
{
	uint64_t back = m->head.seq - (id.epoch == m->head.epoch ? id.seq : 0);

	return msgid_compare(id, m->begin) > 0 && back < MERGE_SEEN / 2;
}

/*
 * Whether the entry was handed out already, as the same entry of the log, or is
 * so old that this cannot be told.
 */
static bool is_known(const struct merge *m, const struct msg *msg,
		     uint64_t hash)
{
	return is_seen(&m->seen, hash) ||
	       (find_told(m, hash) == m->told_count && !is_covered(m, msg->id));
}

/* What a new entry is. Returns MERGE_NOTHING without memory. */
static enum merge_what judge_mid(struct merge *m, uint64_t hash)
{
	const size_t told = find_told(m, hash);

	if (is_seen(&m->seen, hash))
		return MERGE_REPEAT;
	if (!remember(&m->seen, hash))
		return MERGE_NOTHING;
	if (told == m->told_count)
		return MERGE_MESSAGE;
	forget_told(m, told);
	return MERGE_ID;
}

/* The entry is next, or nothing that may come will be before it. */
static int take(struct merge *m, struct msg *msg)
{
	const enum msgid_step step = msgid_step(m->head, msg->id, msg->prev);
	const uint64_t hash = mid_hash(msg->mid, m->hash_key);
	struct merge_out out = {.msg = msg};

	if (step == MSGID_OLD && is_known(m, msg, hash))
		return 0;
	if (!reserve_ready(m))
		return -ENOMEM;
	out.what = judge_mid(m, hash);
	if (out.what == MERGE_NOTHING)
		return -ENOMEM;
	if (step == MSGID_JUMP && !m->fresh)
		put_ready(m, (struct merge_out){MERGE_GAP, NULL, m->head,
						msg->id});
	if (out.what == MERGE_REPEAT)
		remember_repeat(m, msg->id);
	put_ready(m, out);
	if (m->fresh)
		m->begin = msg->id;
	m->fresh = false;
	if (step != MSGID_OLD)
		m->head = msg->id;
	return 0;
}

/* Keeps the entry until what is before it has come. */
static int hold(struct merge *m, struct msg *msg)
{
	void *held = m->held;
	size_t i = m->held_count;

	if (i == MERGE_HELD) {
		m->dropped = true; /* a page will bring it again */
		return 0;
	}
	if (!grow(&held, sizeof(struct msg *), i, &m->held_capacity))
		return -ENOMEM;
	m->held = held;
	while (i > 0 && msgid_compare(m->held[i - 1]->id, msg->id) > 0)
		i--;
	memmove(&m->held[i + 1], &m->held[i],
		(m->held_count - i) * sizeof(struct msg *));
	m->held[i] = msg_ref(msg);
	m->held_count++;
	return 0;
}

static void drop_held(struct merge *m)
{
	msg_unref(m->held[0]);
	m->held_count--;
	memmove(&m->held[0], &m->held[1], m->held_count * sizeof(struct msg *));
}

/* Takes the first one held. */
static int release(struct merge *m)
{
	int error = take(m, m->held[0]);

	if (!error)
		drop_held(m);
	return error;
}

static enum msgid_step step_of_held(const struct merge *m)
{
	return msgid_step(m->head, m->held[0]->id, m->held[0]->prev);
}

/* As many of those held as follow without a gap. */
static int release_next(struct merge *m)
{
	int error = 0;

	while (!error && m->held_count > 0 && step_of_held(m) != MSGID_JUMP)
		error = release(m);
	return error;
}

/* What could not be taken is asked for again. */
static int result(struct merge *m, int error)
{
	if (error)
		m->dropped = true;
	if (error && m->state == MERGE_LIVE)
		m->state = MERGE_BEHIND;
	return error;
}

int merge_live(struct merge *m, struct msg *msg)
{
	int error;

	if (m->fresh || msgid_step(m->head, msg->id, msg->prev) == MSGID_JUMP) {
		if (m->state == MERGE_LIVE)
			m->state = MERGE_BEHIND;
		return result(m, hold(m, msg));
	}
	error = take(m, msg);
	if (!error)
		error = release_next(m);
	return result(m, error);
}

void merge_interrupted(struct merge *m)
{
	m->state = MERGE_BEHIND;
}

bool merge_wants_fill(const struct merge *m)
{
	return m->state == MERGE_BEHIND;
}

bool merge_is_fresh(const struct merge *m)
{
	return m->fresh;
}

unsigned merge_fill_begin(struct merge *m)
{
	m->state = MERGE_FILLING;
	m->dropped = false;
	m->asked = m->held_count ? m->held[m->held_count - 1]->id : MSGID_NONE;
	return ++m->question;
}

static bool is_awaited(const struct merge *m, unsigned question)
{
	return m->state == MERGE_FILLING && question == m->question;
}

int merge_filled(struct merge *m, unsigned question, struct msg *msg)
{
	int error = 0;

	if (!is_awaited(m, question))
		return 0;
	/* The page begins somewhere: what is before that was not asked for. */
	while (m->fresh && m->held_count > 0 &&
	       msgid_compare(m->held[0]->id, msg->id) < 0)
		drop_held(m);
	/* Between two entries of a page the log has none; we may hold some. */
	while (!error && m->held_count > 0 &&
	       msgid_compare(m->held[0]->id, msg->id) < 0)
		error = release(m);
	if (!error)
		error = take(m, msg);
	return result(m, error);
}

void merge_fill_end(struct merge *m, unsigned question, bool complete)
{
	int error = 0;

	if (!is_awaited(m, question))
		return;
	m->state = MERGE_BEHIND;
	if (!complete)
		return;
	/*
	 * What was held when the page was asked for and is not in it, the log
	 * has lost; so it lost what was before it, too. What came later may
	 * have a gap before it that another page fills.
	 */
	while (!error && m->held_count > 0 &&
	       (m->fresh || step_of_held(m) != MSGID_JUMP ||
		msgid_compare(m->held[0]->id, m->asked) <= 0))
		error = release(m);
	if (error || m->dropped || m->held_count > 0)
		return;
	m->fresh = false;
	m->state = MERGE_LIVE;
}
