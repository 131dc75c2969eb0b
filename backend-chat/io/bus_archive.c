/* SPDX-License-Identifier: MIT */
/*
 * What the store lacks is read from the logs: of a room before it is followed,
 * of all other rooms each minute, and of all rooms after a time in which the
 * store could not write. One room at a time, page by page.
 */
#include "io/bus_redis.h"

#include <stdio.h>
#include <stdlib.h>

#define ARCHIVE_MS 60000

struct archive_job {
	struct archive_job *next;
	struct bus_redis *bus;
	bool knows_after; /* .after is known, else the store is asked */
	bool asked;
	struct msgid after;
	char room[ROOM_MAX_BYTES];
};

static void job_add(struct bus_redis *b, struct slice room,
		    const struct msgid *after)
{
	struct archive_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->bus = b;
	snprintf(job->room, sizeof(job->room), "%.*s", SLICE_ARG(room));
	if (after) {
		job->after = *after;
		job->knows_after = true;
	}
	if (b->jobs)
		b->jobs_last->next = job;
	else
		b->jobs = job;
	b->jobs_last = job;
}

/* The first one has ended. */
static void job_end(struct bus_redis *b)
{
	struct archive_job *job = b->jobs;
	struct room_log *r = bus_room_find(b, slice_of(job->room));

	if (r) {
		r->archiving = false;
		r->has_archive = true;
		r->archived = job->after;
	}
	b->jobs = job->next;
	free(job);
	b->tick_ms = 0;
}

void bus_archive_free(struct bus_redis *b)
{
	while (b->jobs) {
		struct archive_job *job = b->jobs;

		b->jobs = job->next;
		free(job);
	}
}

static void take_page(void *arg, const redisReply *reply)
{
	struct archive_job *job = arg;
	struct bus_redis *b = job->bus;

	if (b->ending)
		return;
	job->asked = false;
	b->tick_ms = 0;
	if (!reply_is_list(reply, 0)) {
		job_end(b); /* the next minute is soon */
		return;
	}
	for (size_t i = 0; i < reply->elements; i++) {
		struct msg *m = bus_entry(b, reply->element[i]);

		if (!m)
			continue;
		job->after = m->id;
		b->store->append(b->store, m);
		msg_unref(m);
	}
	if (reply->elements < MERGE_PAGE)
		job_end(b);
}

static void ask_page(struct bus_redis *b, struct archive_job *job)
{
	char key[KEY_MAX], from[MSGID_TEXT_MAX + 1] = "(", number[12];
	const struct slice log = bus_key(b, slice_of(job->room), "log", key);
	struct slice argv[] = {SLICE("XRANGE"), log, SLICE("-"), SLICE("+"),
			       SLICE("COUNT"),	{0}};
	const struct redis_command c = {.key = log,
					.argc = 6,
					.argv = argv,
					.done = take_page,
					.arg = job,
					.patience_ms = ASK_PATIENCE_MS};

	snprintf(number, sizeof(number), "%u", MERGE_PAGE);
	argv[5] = slice_of(number);
	if (!msgid_is_none(job->after)) {
		msgid_format(job->after, from + 1);
		argv[2] = slice_of(from);
	}
	job->asked = bus_send(b, &c) == 0;
	if (!job->asked)
		job_end(b);
}

/* The last one that the store has. */
static void do_last(struct bus_redis *b, struct task *t)
{
	struct archive_job *job = b->jobs;

	if (job && slice_equal(slice_of(job->room), t->name)) {
		if (t->count > 0)
			job->after = t->items[0]->id;
		job->knows_after = true;
		job->asked = false;
		if (t->flag)
			job_end(b); /* it cannot be read */
		b->tick_ms = 0;
	}
	task_free(t);
}

static void take_last(void *arg, uint64_t ticket, const struct page *page)
{
	struct task *t = bus_page_task(arg, page, do_last);

	(void)ticket;
	if (!t)
		return;
	t->flag = page->failed;
	bus_enqueue(arg, t);
}

static void ask_store(struct bus_redis *b, struct archive_job *job)
{
	const struct page_question q = {
		.room = slice_of(job->room), .before = true, .limit = 1};
	const struct page_reader reader = {take_last, b, 0};

	job->asked = b->store->read(b->store, &q, reader) == 0;
	if (!job->asked)
		job_end(b);
}

void bus_archive_room(struct bus_redis *b, struct room_log *r)
{
	if (r->archiving || !bus_is_reachable(b, slice_of(r->name)))
		return;
	r->archiving = true;
	job_add(b, slice_of(r->name), NULL);
}

/* The store works again: it has nothing of the time in between. */
static void catch_up(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (r->has_archive && !r->archiving) {
				r->archiving = true;
				job_add(b, slice_of(r->name), &r->archived);
			}
}

/* Rooms that nobody here is in. Their names are copied: the list changes. */
static void look_at_others(struct bus_redis *b)
{
	for (unsigned i = 0; i < b->directory_count; i++) {
		const struct slice name = slice_of(b->directory[i].name);
		const struct room_log *r = bus_room_find(b, name);

		if (!r || !r->has_archive || !r->followed)
			job_add(b, name, NULL);
	}
}

/* What the store has of rooms that are followed comes live. */
static void note_progress(struct bus_redis *b)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (r->has_archive && !r->archiving &&
			    r->merge.state == MERGE_LIVE &&
			    msgid_compare(r->merge.head, r->archived) > 0)
				r->archived = r->merge.head;
}

void bus_archive_attend(struct bus_redis *b)
{
	struct archive_job *job;

	if (!b->store)
		return;
	if (!b->store->works(b->store)) {
		b->store_failed = true;
	} else if (b->store_failed) {
		b->store_failed = false;
		catch_up(b);
	} else if (b->now_ms >= b->archive_ms && !b->jobs && b->has_directory) {
		b->archive_ms = b->now_ms + ARCHIVE_MS;
		note_progress(b);
		look_at_others(b);
	}
	job = b->jobs;
	if (!job || job->asked)
		return;
	if (!job->knows_after)
		ask_store(b, job);
	else if (bus_is_reachable(b, slice_of(job->room)))
		ask_page(b, job);
	else
		job_end(b);
}
