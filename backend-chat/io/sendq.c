/* SPDX-License-Identifier: MIT */
/* See sendq.h. */
#include "io/sendq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FIRST_CAPACITY 16
/* Pieces of one sendmsg(). */
#define PIECES_MAX 64

static struct sendq_item *nth(const struct sendq *q, unsigned n)
{
	return &q->items[(q->first + n) & (q->capacity - 1)];
}

/* A form that was made once is there for as long as the message. */
static struct slice bytes_of(const struct sendq_item *i)
{
	const struct blob *b = i->what;

	switch (i->form) {
	case FORM_BLOB: return (struct slice){b->bytes, b->len};
	case FORM_LINE: return msg_line(i->what);
	case FORM_JSON_LINE: return msg_json_line(i->what);
	case FORM_FRAME: break;
	}
	return msg_frame(i->what);
}

static void drop(const struct sendq_item *i)
{
	if (i->form == FORM_BLOB)
		blob_unref(i->what);
	else
		msg_unref(i->what);
}

static bool reserve(struct sendq *q, unsigned count)
{
	unsigned capacity = q->capacity ? q->capacity : FIRST_CAPACITY;
	struct sendq_item *items;

	while (capacity < count)
		capacity *= 2;
	if (capacity == q->capacity)
		return true;
	items = malloc(capacity * sizeof(*items));
	if (!items)
		return false;
	for (unsigned i = 0; i < q->count; i++)
		items[i] = *nth(q, i);
	free(q->items);
	q->items = items;
	q->first = 0;
	q->capacity = capacity;
	return true;
}

static void put(struct sendq *q, struct sendq_item item)
{
	*nth(q, q->count++) = item;
	q->bytes += bytes_of(&item).len;
}

bool sendq_append(struct sendq *q, struct blob *b)
{
	if (b->len == 0)
		return true;
	if (!reserve(q, q->count + 1))
		return false;
	put(q, (struct sendq_item){blob_ref(b), FORM_BLOB});
	return true;
}

bool sendq_append_msg(struct sendq *q, struct msg *m, enum form form)
{
	struct sendq_item item = {m, form};

	if (bytes_of(&item).len == 0 || !reserve(q, q->count + 1))
		return false;
	msg_ref(m);
	put(q, item);
	return true;
}

bool sendq_move(struct sendq *to, struct sendq *from)
{
	if (from->count == 0)
		return true;
	if (!reserve(to, to->count + from->count))
		return false;
	for (unsigned i = 0; i < from->count; i++)
		put(to, *nth(from, i));
	free(from->items);
	memset(from, 0, sizeof(*from));
	return true;
}

/* Removes what was sent from the front. */
static void forget(struct sendq *q, size_t sent)
{
	q->bytes -= sent;
	sent += q->sent;
	while (q->count > 0 && sent >= bytes_of(nth(q, 0)).len) {
		sent -= bytes_of(nth(q, 0)).len;
		drop(nth(q, 0));
		q->first = (q->first + 1) & (q->capacity - 1);
		q->count--;
	}
	q->sent = sent;
}

static ssize_t send_some(const struct sendq *q, int fd)
{
	struct iovec pieces[PIECES_MAX];
	struct msghdr message = {.msg_iov = pieces};
	size_t skip = q->sent;

	for (unsigned i = 0; i < q->count && i < PIECES_MAX; i++) {
		const struct slice bytes = bytes_of(nth(q, i));

		pieces[i].iov_base = (char *)bytes.at + skip;
		pieces[i].iov_len = bytes.len - skip;
		message.msg_iovlen++;
		skip = 0;
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int sendq_flush(struct sendq *q, int fd)
{
	while (q->count > 0) {
		ssize_t sent = send_some(q, fd);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return errno == EAGAIN ? 0 : -errno;
		forget(q, (size_t)sent);
	}
	sendq_clear(q);
	return 0;
}

void sendq_clear(struct sendq *q)
{
	for (unsigned i = 0; i < q->count; i++)
		drop(nth(q, i));
	free(q->items);
	memset(q, 0, sizeof(*q));
}
