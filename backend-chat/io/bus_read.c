/* SPDX-License-Identifier: MIT */
/* Entries of a log as Redis gives them, and pages of them for those who ask. */
#include "core/mid.h"
#include "io/bus_redis.h"

#include <stdio.h>
#include <stdlib.h>

/* [id, [field, value ...]] with b, the record, and perhaps p, see msg.h */
struct msg *bus_entry(struct bus_redis *b, const redisReply *entry)
{
	struct slice record = SLICE(""), prev_text = SLICE("");
	struct msgid id, prev = MSGID_NONE;
	char why[MSG_WHY_MAX] = "it has no record";
	const redisReply *fields;
	struct msg *m;

	if (!reply_is_list(entry, 2) || !reply_is_list(entry->element[1], 2))
		return NULL;
	fields = entry->element[1];
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		struct slice field = reply_text(fields->element[i]);

		if (slice_equal(field, SLICE("b")))
			record = reply_text(fields->element[i + 1]);
		if (slice_equal(field, SLICE("p")))
			prev_text = reply_text(fields->element[i + 1]);
	}
	if (prev_text.len > 0 && !msgid_parse(prev_text, &prev))
		prev = MSGID_NONE;
	if (msgid_parse(reply_text(entry->element[0]), &id) && record.len > 0 &&
	    msg_parse(&m, record, id, prev, why) == 0)
		return m;
	bus_trouble(b, "redis: an entry of a log is not ours: %s", why);
	return NULL;
}

struct reading {
	struct bus_redis *bus;
	struct page_question question;
	struct page_reader reader;
	struct page_maker page;
	struct msgid from; /* what follows this one is asked for */
	unsigned asked;	   /* entries, at most */
	char room[ROOM_MAX_BYTES];
};

static int ask_reading(struct bus_redis *b, struct reading *reading);

static void end_reading(struct reading *reading)
{
	if (reading->bus->ending)
		reading->reader.take = NULL;
	page_end(&reading->page, reading->reader);
	free(reading);
}

static bool is_among(const uint64_t *hashes, unsigned count, uint64_t hash)
{
	for (unsigned i = 0; i < count; i++)
		if (hashes[i] == hash)
			return true;
	return false;
}

/*
 * What was handed out as a repeat is known; before that, only what stands in
 * these entries (oldest first, may be NULL).
 */
static void mark_repeats(struct bus_redis *b, struct slice room,
			 struct msg *const *items, unsigned count)
{
	const struct room_log *r = bus_room_find(b, room);
	uint64_t hashes[PAGE_MAX + 1];
	unsigned known = 0;

	for (unsigned i = 0; i < count; i++) {
		struct msg *m = items[i];

		if (!m)
			continue;
		hashes[known] = mid_hash(m->mid, b->hash_key);
		m->repeat = is_among(hashes, known, hashes[known]) ||
			    (r && merge_is_repeat(&r->merge, m));
		known++;
	}
}

/* Returns whether there may be more to be read. */
static bool put_entries(struct reading *reading, const redisReply *reply)
{
	const bool before = reading->question.before;
	const unsigned count = reply->elements < reading->asked
				       ? (unsigned)reply->elements
				       : reading->asked;
	const redisReply *last = count ? reply->element[count - 1] : NULL;
	struct msg *items[PAGE_MAX + 1]; /* oldest first */
	bool goes_on = true;

	for (unsigned i = 0; i < count; i++)
		items[before ? count - 1 - i : i] =
			bus_entry(reading->bus, reply->element[i]);
	mark_repeats(reading->bus, reading->question.room, items, count);
	for (unsigned i = 0; i < count; i++) {
		struct msg *m = items[before ? count - 1 - i : i];

		if (m && goes_on)
			goes_on = page_put(&reading->page, m);
		else
			msg_unref(m);
	}
	return goes_on && count == reading->asked && reply_is_list(last, 1) &&
	       msgid_parse(reply_text(last->element[0]), &reading->from);
}

static void take_reading(void *arg, const redisReply *reply)
{
	struct reading *reading = arg;
	struct bus_redis *b = reading->bus;

	if (!reply_is_list(reply, 0)) {
		reading->page.page.failed = true;
	} else if (!b->ending && put_entries(reading, reply)) {
		reading->asked = PAGE_MAX;
		if (ask_reading(b, reading) == 0)
			return;
		reading->page.page.failed = true;
	}
	end_reading(reading);
}

static int ask_reading(struct bus_redis *b, struct reading *reading)
{
	const struct page_question *q = &reading->question;
	char key[KEY_MAX], from[MSGID_TEXT_MAX + 1] = "(", number[12];
	const struct slice log = bus_key(b, q->room, "log", key);
	struct slice argv[] = {q->before ? SLICE("XREVRANGE") : SLICE("XRANGE"),
			       log,
			       q->before ? SLICE("+") : SLICE("-"),
			       q->before ? SLICE("-") : SLICE("+"),
			       SLICE("COUNT"),
			       {0}};
	const struct redis_command c = {.key = log,
					.argc = 6,
					.argv = argv,
					.done = take_reading,
					.arg = reading,
					.patience_ms = ASK_PATIENCE_MS};

	snprintf(number, sizeof(number), "%u", reading->asked);
	argv[5] = slice_of(number);
	if (!msgid_is_none(reading->from)) {
		msgid_format(reading->from, from + 1);
		argv[2] = slice_of(from);
	}
	return bus_send(b, &c);
}

void bus_read(struct bus_redis *b, struct task *t)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct page nothing = {.room = t->name, .failed = true};

	if (reading) {
		reading->bus = b;
		reading->question = t->question;
		reading->reader = t->reader;
		snprintf(reading->room, sizeof(reading->room), "%.*s",
			 SLICE_ARG(t->name));
		reading->question.room = slice_of(reading->room);
		if (reading->question.limit > PAGE_MAX)
			reading->question.limit = PAGE_MAX;
		reading->from = reading->question.id;
		reading->asked = reading->question.limit + 1;
		page_begin(&reading->page, &reading->question);
	}
	if (!reading || ask_reading(b, reading) != 0) {
		t->reader.take(t->reader.arg, t->reader.ticket, &nothing);
		free(reading);
	}
	task_free(t);
}
