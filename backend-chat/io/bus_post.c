/* SPDX-License-Identifier: MIT */
/*
 * What is said, from the hub until it has an id. A room's posts are a queue; at
 * most one script of a room is on its way, with up to POST_BATCH of them, so
 * the order of a room is kept whatever Redis answers.
 *
 * When none got an id for POST_PATIENCE_MS, what waits is told to the room
 * without one, and all that follows it as well (the room is degraded), until
 * the queue is empty again. The merge knows what was told, and gives only its
 * id later.
 */
#include "io/bus_redis.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_BYTES  ((size_t)256 * 1024)
#define POST_WAIT_MS 100
#define REPLICAS_MS  50 /* for replicas to have a post */
/* A lost message is looked for among so many. */
#define LOOK_BACK 1000

static void post_free(struct bus_redis *b, struct post *p)
{
	atomic_fetch_sub(&b->outbox_bytes, msg_bytes(p->msg));
	msg_unref(p->msg);
	free(p);
}

static void answer(struct bus_redis *b, struct room_log *r, struct post *p,
		   enum posted result, struct msgid id)
{
	/* The sender was answered when it was told. */
	if (p->told && result != POSTED_QUEUED)
		result = result == POSTED ? POSTED_LATE : POSTED_UNTAKEN;
	if (b->hub && p->ticket)
		hub_on_posted(b->hub, p->ticket, result, slice_of(r->name),
			      p->msg->mid, id);
}

static void queue_ended(struct bus_redis *b, struct room_log *r)
{
	if (r->degraded)
		b->degraded--;
	r->degraded = false;
}

/* Takes a post out of the queue, whose place is at. */
static void remove_post(struct bus_redis *b, struct room_log *r,
			struct post **at)
{
	struct post *p = *at;

	*at = p->next;
	if (r->posts_end == &p->next)
		r->posts_end = at;
	post_free(b, p);
	if (!r->posts)
		queue_ended(b, r);
}

void bus_posts_free(struct bus_redis *b, struct room_log *r)
{
	while (r->posts)
		remove_post(b, r, &r->posts);
}

/* ---------------------------------------------------------- degraded mode */

static void tell(struct bus_redis *b, struct room_log *r, struct post *p)
{
	const bool is_known = merge_has(&r->merge, p->msg->mid);

	p->told = true;
	if (!r->degraded)
		b->degraded++;
	r->degraded = true;
	/* It may have come already, and only its answer was lost. */
	if (!is_known && merge_told(&r->merge, p->msg) == 0 && r->followed &&
	    r->opened && b->hub)
		hub_on_message(b->hub, p->msg);
	answer(b, r, p, POSTED_QUEUED, MSGID_NONE);
}

/*
 * Where nothing answers, waiting is in vain. A client's retry is looked up
 * first: it may have been said long ago.
 */
static void tell_impatient(struct bus_redis *b, struct room_log *r)
{
	const bool at_once =
		r->degraded ||
		(r->flying == 0 && !bus_is_reachable(b, slice_of(r->name)) &&
		 b->now_ms - r->posts->since_ms > POST_WAIT_MS);
	/* A long queue that moves is no reason. */
	const bool is_stuck = b->now_ms - r->progress_ms > POST_PATIENCE_MS;

	if ((!at_once && !is_stuck) || (r->followed && !r->opened))
		return;
	for (struct post *p = r->posts; p; p = p->next)
		if (!p->told && !p->in_store)
			tell(b, r, p);
}

/* --------------------------------------------------------------- posting */

/* For servers whose scripts cannot publish. */
static void publish(struct bus_redis *b, struct room_log *r, struct msgid first,
		    struct slice prev, unsigned count)
{
	const struct post *p = r->posts;

	for (unsigned i = 0; i < count && p; i++, p = p->next) {
		struct writer w;
		char id[MSGID_TEXT_MAX];

		msgid_format((struct msgid){first.epoch, first.seq + i}, id);
		writer_init(&w, MSG_RECORD_MAX * 2);
		writer_printf(&w, "%s", id);
		if (i == 0 && prev.len > 0)
			writer_printf(&w, ",%.*s", SLICE_ARG(prev));
		writer_put(&w, " ", 1);
		writer_put_slice(&w, msg_record(p->msg));
		if (!w.failed)
			bus_publish(b, slice_of(r->name), writer_slice(&w));
		writer_free(&w);
	}
}

static void refuse_flying(struct bus_redis *b, struct room_log *r)
{
	for (; r->flying > 0 && r->posts; r->flying--) {
		answer(b, r, r->posts, POSTED_REFUSED, MSGID_NONE);
		remove_post(b, r, &r->posts);
	}
}

static void were_posted(struct bus_redis *b, struct room_log *r,
			struct msgid first)
{
	struct msgid id = first;

	r->progress_ms = b->now_ms;
	for (; r->flying > 0 && r->posts; r->flying--, id.seq++) {
		answer(b, r, r->posts, POSTED, id);
		remove_post(b, r, &r->posts);
	}
	id.seq--;
	if (msgid_compare(id, r->posted) > 0)
		r->posted = id;
	r->posted_ms = b->now_ms;
}

/* Nobody knows whether they are in the log. */
static void were_lost(struct bus_redis *b, struct room_log *r)
{
	struct post *p = r->posts;

	for (; r->flying > 0 && p; r->flying--, p = p->next)
		p->in_log = true;
	r->flying = 0;
	r->post_ms = b->now_ms + POST_WAIT_MS;
}

/*
 * Replicas have them, or had their time. Of a server that is gone nobody knows
 * whether the next one has them.
 */
static void take_waited(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;
	struct bus_redis *b = r->bus;

	r->asked--;
	if (b->ending)
		return;
	if (!reply) {
		bus_soon(b, LOST_MS);
		were_lost(b, r);
		return;
	}
	were_posted(b, r, r->written);
	if (r->posts)
		bus_posts_attend(b, r);
}

/* False: it could not be asked. The connection waits, so only for so long. */
static bool wait_for_replicas(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX], count[12], patience[12];
	struct slice argv[] = {SLICE("WAIT"), {0}, {0}};
	const struct redis_command c = {
		.key = bus_key(b, slice_of(r->name), "log", key),
		.argc = 3,
		.argv = argv,
		.done = take_waited,
		.arg = r,
		.once = true,
	};

	snprintf(count, sizeof(count), "%u", b->options.wait);
	snprintf(patience, sizeof(patience), "%d", REPLICAS_MS);
	argv[1] = slice_of(count);
	argv[2] = slice_of(patience);
	if (bus_send(b, &c) != 0)
		return false;
	r->asked++;
	return true;
}

static void take_posted(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;
	struct bus_redis *b = r->bus;
	struct msgid first;

	r->asked--;
	if (b->ending)
		return;
	bus_soon(b, LOST_MS); /* has it come back? */
	if (!reply) {
		were_lost(b, r);
		return;
	}
	if (!reply_is_list(reply, 3) ||
	    !msgid_parse(reply_text(reply->element[0]), &first)) {
		bus_trouble(b, "redis: a message is refused: %.*s",
			    SLICE_ARG(reply_text(reply)));
		refuse_flying(b, r);
		return;
	}
	if (reply->element[2]->integer == 0)
		publish(b, r, first, reply_text(reply->element[1]), r->flying);
	r->written = first;
	if (b->options.wait > 0 && wait_for_replicas(b, r))
		return;
	were_posted(b, r, first);
	if (r->posts)
		bus_posts_attend(b, r);
}

static struct msgid floor_of(const struct room_log *r)
{
	return msgid_compare(r->merge.head, r->posted) > 0 ? r->merge.head
							   : r->posted;
}

static void send_batch(struct bus_redis *b, struct room_log *r)
{
	char log[KEY_MAX], channel[KEY_MAX], epoch[24], seq[24], max[12];
	const struct slice room = slice_of(r->name);
	const struct msgid floor = floor_of(r);
	struct slice argv[5 + POST_BATCH];
	struct redis_command c = {.key = bus_key(b, room, "log", log),
				  .argv = argv,
				  .done = take_posted,
				  .arg = r,
				  .once = true};
	size_t bytes = 0;
	struct post *p;

	snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)floor.epoch);
	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)floor.seq);
	snprintf(max, sizeof(max), "%u", b->options.stream_max);
	argv[0] = slice_of(epoch);
	argv[1] = slice_of(seq);
	argv[2] = slice_of(max);
	argv[3] = bus_key(b, room, "ch", channel);
	argv[4] = bus_publish_word(b);
	c.argc = 5;
	for (p = r->posts; p && c.argc < 5 + POST_BATCH; p = p->next) {
		const struct slice record = msg_record(p->msg);

		bytes += record.len;
		if (p->in_log || p->in_store || record.len == 0 ||
		    (r->flying > 0 && bytes > BATCH_BYTES))
			break;
		argv[c.argc++] = record;
		r->flying++;
	}
	if (r->flying > 0 && bus_script(b, SCRIPT_POST, &c) == 0) {
		r->asked++;
		return;
	}
	r->flying = 0;
	r->post_ms = b->now_ms + POST_WAIT_MS;
}

/* ------------------------------------------------------- was it posted? */

/* The first post of that mid that asks. */
static struct post **find_doubtful(struct room_log *r, struct slice mid)
{
	struct post **at = &r->posts;

	while (*at && !((*at)->in_log && slice_equal((*at)->msg->mid, mid)))
		at = &(*at)->next;
	return at;
}

static void take_look(void *arg, const redisReply *reply)
{
	struct room_log *r = arg;
	struct bus_redis *b = r->bus;

	r->asked--;
	r->flying = 0;
	if (b->ending)
		return;
	b->tick_ms = 0;
	if (!reply_is_list(reply, 0)) {
		r->post_ms = b->now_ms + POST_WAIT_MS;
		return;
	}
	for (size_t i = 0; i < reply->elements; i++) {
		struct msg *m = bus_entry(b, reply->element[i]);
		struct post **at = m ? find_doubtful(r, m->mid) : NULL;

		if (at && *at) {
			answer(b, r, *at, POSTED, m->id);
			remove_post(b, r, at);
		}
		msg_unref(m);
	}
	for (struct post *p = r->posts; p; p = p->next)
		p->in_log = false;
}

/* One look answers for all posts of the queue that are in doubt. */
static void look_in_log(struct bus_redis *b, struct room_log *r)
{
	char key[KEY_MAX], number[12];
	const struct slice log = bus_key(b, slice_of(r->name), "log", key);
	struct slice argv[] = {SLICE("XREVRANGE"), log, SLICE("+"), SLICE("-"),
			       SLICE("COUNT"),	   {0}};
	const struct redis_command c = {.key = log,
					.argc = 6,
					.argv = argv,
					.done = take_look,
					.arg = r,
					.patience_ms = ASK_PATIENCE_MS};

	snprintf(number, sizeof(number), "%u", LOOK_BACK);
	argv[5] = slice_of(number);
	if (bus_send(b, &c) != 0) {
		r->post_ms = b->now_ms + POST_WAIT_MS;
		return;
	}
	r->asked++;
	r->flying = 1;
}

/* What the store knows of the first post. */
static void do_found(struct bus_redis *b, struct task *t)
{
	struct room_log *r = bus_room_find(b, t->name);

	if (r) {
		r->asked--;
		r->flying = 0;
		if (r->posts)
			r->posts->in_store = false;
		if (r->posts && t->count > 0) {
			answer(b, r, r->posts, POSTED, t->items[0]->id);
			remove_post(b, r, &r->posts);
		}
		b->tick_ms = 0;
	}
	task_free(t);
}

static void take_found(void *arg, uint64_t ticket, const struct page *page)
{
	struct bus_redis *b = arg;
	struct task *t = bus_page_task(b, page, do_found);

	(void)ticket;
	if (t)
		bus_enqueue(b, t);
}

static void look_in_store(struct bus_redis *b, struct room_log *r)
{
	const struct page_reader reader = {take_found, b, 0};

	if (!b->store || b->store->find(b->store, slice_of(r->name),
					r->posts->msg->mid, reader) != 0) {
		r->posts->in_store = false;
		return;
	}
	r->asked++;
	r->flying = 1;
}

void bus_posts_attend(struct bus_redis *b, struct room_log *r)
{
	tell_impatient(b, r);
	if (r->flying > 0 || b->now_ms < r->post_ms || !r->posts)
		return;
	if (r->posts->in_log &&
	    !(r->posts->in_store && !bus_is_reachable(b, slice_of(r->name))))
		look_in_log(b, r);
	else if (r->posts->in_store)
		look_in_store(b, r);
	if (r->posts && !r->posts->in_log && !r->posts->in_store)
		send_batch(b, r);
}

void bus_post(struct bus_redis *b, struct task *t)
{
	struct room_log *r = bus_room_get(b, t->msg->room);
	struct post *p = calloc(1, sizeof(*p));

	if (!r || !p) {
		atomic_fetch_sub(&b->outbox_bytes, msg_bytes(t->msg));
		if (b->hub && t->ticket)
			hub_on_posted(b->hub, t->ticket, POSTED_REFUSED,
				      t->msg->room, t->msg->mid, MSGID_NONE);
		free(p);
		task_free(t);
		return;
	}
	p->msg = t->msg;
	t->msg = NULL;
	p->ticket = t->ticket;
	p->since_ms = b->now_ms;
	p->in_log = t->flag;
	p->in_store = t->flag && b->store;
	if (!r->posts)
		r->progress_ms = b->now_ms;
	*r->posts_end = p;
	r->posts_end = &p->next;
	r->keep_ms = b->now_ms + KEEP_MS;
	task_free(t);
	if (r->flying == 0)
		bus_posts_attend(b, r);
	bus_soon(b, POST_WAIT_MS);
}
