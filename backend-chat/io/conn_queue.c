/* SPDX-License-Identifier: MIT */
/* See conn_queue.h. */
#include "io/conn_queue.h"

#include <sys/socket.h>

/* Bytes of answers that a client may leave unread, beside its lines. */
#define ANSWERS_MAX ((size_t)256 * 1024)

size_t conn_queued(const struct conn *c)
{
	return c->held.bytes + c->queue.bytes;
}

/* ------------------------------------------------- who is waited for */

static void set_awaited(struct conn *c, bool awaited)
{
	struct hub *h = conn_hub(c);

	if (c->awaited == awaited)
		return;
	c->awaited = awaited;
	pthread_mutex_lock(&h->lock);
	if (awaited)
		h->awaited++;
	else if (--h->awaited == 0)
		hub_calm(h);
	pthread_mutex_unlock(&h->lock);
}

void conn_watch_queue(struct conn *c)
{
	const size_t half = conn_hub(c)->options.queue_bytes / 2;

	/* With a log nobody waits: it reads later what it cannot take now. */
	if (conn_hub(c)->options.has_log)
		return;
	if (!conn_is_present(c) || c->broken || conn_queued(c) <= half / 2) {
		c->behind = false;
		set_awaited(c, false);
	} else if (conn_queued(c) > half && !c->behind) {
		c->behind = true;
		c->behind_ms = worker_ms(c->worker);
		set_awaited(c, true);
	}
}

int64_t conn_awaited_until_ms(const struct conn *c)
{
	const int64_t until = c->behind_ms + PATIENCE_MS;
	int64_t silent = c->took_ms > c->behind_ms ? c->took_ms : c->behind_ms;
	struct hub *h = conn_hub(c);
	bool wary;

	pthread_mutex_lock(&h->lock);
	wary = c->behind_ms < h->wary_ms;
	pthread_mutex_unlock(&h->lock);
	silent += wary ? WARY_SILENCE_MS : SILENCE_MS;
	return silent < until ? silent : until;
}

void conn_give_up(struct conn *c)
{
	struct hub *h = conn_hub(c);

	set_awaited(c, false);
	pthread_mutex_lock(&h->lock);
	h->wary_ms = worker_ms(c->worker) + WARY_MS;
	pthread_mutex_unlock(&h->lock);
}

/* -------------------------------------------------------------- bytes */

void conn_broke(struct conn *c)
{
	c->broken = true;
	sendq_clear(&c->queue);
	sendq_clear(&c->held);
	shutdown(c->fd, SHUT_RDWR); /* if it has not failed by itself */
}

void conn_append(struct conn *c, const char *bytes, size_t len)
{
	struct blob *b = blob_copy(bytes, len);

	if (!b || !sendq_append(&c->queue, b))
		conn_broke(c);
	blob_unref(b);
}

void conn_end_open_line(struct conn *c)
{
	if (c->mid_line && !c->broken)
		conn_append(c, "\n", 1);
	c->mid_line = false;
}

void conn_release_held(struct conn *c)
{
	if (c->held.count == 0)
		return;
	conn_end_open_line(c);
	if (!sendq_move(&c->queue, &c->held))
		conn_broke(c);
}

/* -------------------------------------------------------------- queue */

bool conn_is_full(const struct conn *c)
{
	/* Half of it is left for what must be told in any case. */
	return c->broken ||
	       conn_queued(c) > conn_hub(c)->options.queue_bytes / 2;
}

void conn_drop(struct conn *c)
{
	static const char notice[] = CHAT_SERVER_NICK
		"you did not read what was sent, so you are dropped\n";
	static const char what[] = "dropped: it does not read";

	METRIC_ADD(&conn_hub(c)->metrics, dropped);
	if (conn_is_json(c))
		json_close(c, WS_TOO_SLOW, "you did not read what was sent",
			   what);
	else
		conn_end_with(c, notice, strlen(notice), what);
}

static size_t form_len(struct msg *m, enum form form)
{
	switch (form) {
	case FORM_JSON_LINE: return msg_json_line(m).len;
	case FORM_FRAME: return msg_frame(m).len;
	case FORM_BLOB:
	case FORM_LINE: break;
	}
	return msg_line(m).len;
}

static void queue_changed(struct conn *c)
{
	conn_watch_queue(c);
	conn_touch(c);
}

bool conn_queue_msg(struct conn *c, struct msg *m)
{
	const struct hub *h = conn_hub(c);
	const size_t len = form_len(m, c->form);
	struct sendq *q = c->phase == CONN_HERE ? &c->queue : &c->held;

	if (c->broken || !conn_is_present(c))
		return false;
	if (conn_queued(c) + len > h->options.queue_bytes && h->options.has_log)
		return false;
	if (c->phase == CONN_HERE)
		conn_end_open_line(c);
	if (conn_queued(c) + len > h->options.queue_bytes ||
	    !sendq_append_msg(q, m, c->form)) {
		conn_drop(c);
		return false;
	}
	c->told |= c->phase == CONN_HERE;
	queue_changed(c);
	if (c->held.bytes > HELD_BYTES_MAX)
		conn_settle(c);
	return true;
}

/*
 * Who asks and does not read is not fed for ever. With a log the queue is for
 * lines: answers come on top. HTTP is not asked again before it has read.
 */
static bool has_room(const struct conn *c, size_t len)
{
	const size_t limit = conn_hub(c)->options.queue_bytes;

	if (c->wire == WIRE_HTTP)
		return true;
	if (conn_hub(c)->options.has_log || conn_is_json(c))
		return conn_queued(c) <= limit + ANSWERS_MAX;
	return conn_queued(c) + len <= limit;
}

void conn_queue_answer(struct conn *c, const char *answer, size_t len)
{
	struct blob *b;

	if (c->broken || !conn_is_present(c))
		return;
	b = blob_copy(answer, len);
	if (b)
		conn_queue_blob(c, b);
	else
		conn_drop(c);
	blob_unref(b);
}

void conn_queue_blob(struct conn *c, struct blob *b)
{
	if (c->broken || !conn_is_present(c))
		return;
	if (!has_room(c, b->len) || !sendq_append(&c->queue, b))
		conn_drop(c);
	else
		queue_changed(c);
}

void conn_queue_writer(struct conn *c, struct writer *w)
{
	if (w->failed)
		conn_out_of_memory(c);
	else if (w->len > 0)
		conn_queue_answer(c, w->bytes, w->len);
	writer_free(w);
}
