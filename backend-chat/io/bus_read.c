/* SPDX-License-Identifier: MIT */
/* Entries of a log as Redis gives them, and pages of them for those who ask. */
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
	char room[ROOM_MAX_BYTES];
};

static void take_reading(void *arg, const redisReply *reply)
{
	struct reading *reading = arg;
	const struct page_question *q = &reading->question;
	struct msg *items[PAGE_MAX];
	struct page page = {.room = q->room,
			    .items = items,
			    .failed = !reply_is_list(reply, 0)};
	size_t count = page.failed ? 0 : reply->elements;

	if (count > q->limit) {
		page.more = true;
		count = q->limit;
	}
	for (size_t i = 0; i < count; i++) {
		const size_t at = q->before ? count - 1 - i : i;

		items[page.count] = bus_entry(reading->bus, reply->element[at]);
		page.count += items[page.count] != NULL;
	}
	page.gap = page_has_gap(q, &page);
	if (!reading->bus->ending)
		reading->reader.take(reading->reader.arg,
				     reading->reader.ticket, &page);
	for (unsigned i = 0; i < page.count; i++)
		msg_unref(items[i]);
	free(reading);
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

	snprintf(number, sizeof(number), "%u", q->limit + 1);
	argv[5] = slice_of(number);
	if (!msgid_is_none(q->id)) {
		msgid_format(q->id, from + 1);
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
	}
	if (!reading || ask_reading(b, reading) != 0) {
		t->reader.take(t->reader.arg, t->reader.ticket, &nothing);
		free(reading);
	}
	task_free(t);
}
