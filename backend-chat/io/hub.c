/* SPDX-License-Identifier: MIT */
/* See hub.h. */
#include "io/conn.h"
#include "io/report.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Places for clients that are refused, or leave while the room is full. */
#define LEAVING_PLACES 64
#define INBOX_BYTES    ((size_t)256 * 1024)

unsigned hub_descriptors(unsigned clients)
{
	/* listener, signals, two a worker, standard descriptors, a reserve */
	return clients + LEAVING_PLACES + 16;
}

size_t hub_inbox_bytes(const struct hub *h)
{
	const size_t quarter = h->limits.queue_bytes / 4;

	return quarter < INBOX_BYTES ? quarter : INBOX_BYTES;
}

/* ----------------------------------------------------------- speaking */

static void notes_free(struct note *list)
{
	while (list) {
		struct note *n = list;

		list = n->next;
		for (unsigned i = 0; i < n->count; i++)
			blob_unref(n->lines[i]);
		free(n);
	}
}

static struct note *note_new(struct blob *const *lines, unsigned count)
{
	struct note *n = malloc(sizeof(*n) + count * sizeof(struct blob *));

	if (!n)
		return NULL;
	*n = (struct note){.count = count};
	for (unsigned i = 0; i < count; i++) {
		n->lines[i] = blob_ref(lines[i]);
		n->bytes += lines[i]->len;
	}
	return n;
}

/* One for each worker; NULL: no memory. */
static struct note *notes_new(const struct hub *h, struct blob *const *lines,
			      unsigned count)
{
	struct note *list = NULL;

	for (unsigned i = 0; i < h->worker_count; i++) {
		struct note *n = note_new(lines, count);

		if (!n) {
			notes_free(list);
			return NULL;
		}
		n->next = list;
		list = n;
	}
	return list;
}

/* The caller holds the lock. Wakes all but w, which looks by itself. */
static void notify_all(struct hub *h, struct note *list, const struct worker *w)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		struct note *n = list;

		list = n->next;
		if (h->workers[i] == w)
			h->workers[i]->inbox.woken = true;
		worker_notify(h->workers[i], n);
	}
}

bool hub_say(struct hub *h, struct worker *w, struct pace *speaker,
	     struct blob *const *lines, unsigned count, int64_t now_us)
{
	struct note *list = notes_new(h, lines, count);

	if (!list)
		return false;
	pthread_mutex_lock(&h->lock);
	pace_spend(&h->pace, speaker, list->bytes, now_us);
	notify_all(h, list, w);
	pthread_mutex_unlock(&h->lock);
	return true;
}

int64_t hub_wait_us(struct hub *h, struct worker *w, struct pace *speaker,
		    bool *paused, int64_t now_us)
{
	int64_t wait = 0;

	pthread_mutex_lock(&h->lock);
	if (h->crowded > 0)
		wait = HUB_WHEN_CALM;
	else if (h->awaited > 0)
		wait = pace_wait_us(&h->pace, speaker, now_us);
	if (wait != 0 && !*paused) {
		*paused = true;
		w->inbox.paused++;
	}
	pthread_mutex_unlock(&h->lock);
	return wait;
}

void hub_resumed(struct hub *h, struct worker *w)
{
	pthread_mutex_lock(&h->lock);
	w->inbox.paused--;
	pthread_mutex_unlock(&h->lock);
}

void hub_calm(struct hub *h)
{
	for (unsigned i = 0; i < h->worker_count; i++)
		if (h->workers[i]->inbox.paused > 0)
			worker_wake(h->workers[i]);
}

/* ----------------------------------------------------------- arriving */

/* There is no place even for a client that is only told why it is refused. */
static void turn_away(int fd)
{
	static const char notice[] = CHAT_SERVER_NICK "full, try again later\n";

	send(fd, notice, sizeof(notice) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* The caller holds the lock. */
static struct worker *least_loaded(struct hub *h)
{
	struct worker *least = h->workers[0];

	for (unsigned i = 1; i < h->worker_count; i++)
		if (h->workers[i]->inbox.load < least->inbox.load)
			least = h->workers[i];
	return least;
}

void hub_admit(struct hub *h, int fd, const char *peer)
{
	struct note *n = note_new(NULL, 0);
	struct conn *c = conn_new(fd, peer);
	struct worker *w;

	pthread_mutex_lock(&h->lock);
	if (!c || !n || h->count == h->capacity) {
		pthread_mutex_unlock(&h->lock);
		turn_away(fd);
		free(n);
		free(c);
		return;
	}
	h->count++;
	c->refused = h->present >= h->limits.clients;
	h->present += !c->refused;
	w = least_loaded(h);
	w->inbox.load++;
	n->conn = c;
	worker_notify(w, n);
	pthread_mutex_unlock(&h->lock);
}

/* ------------------------------------------------------ start and end */

static unsigned cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static void hub_free(struct hub *h)
{
	pthread_mutex_lock(&h->lock);
	h->closing = true;
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_wake(h->workers[i]);
	pthread_mutex_unlock(&h->lock);
	/* All end before any is freed: they look at each other. */
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_join(h->workers[i]);
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_free(h->workers[i]);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static int start_workers(struct hub *h, unsigned count)
{
	int error = 0;

	while (!error && h->worker_count < count) {
		error = worker_new(&h->workers[h->worker_count], h);
		h->worker_count += !error;
	}
	/* They may look at all of .workers from now on. */
	for (unsigned i = 0; !error && i < count; i++)
		error = worker_start(h->workers[i]);
	return error;
}

int hub_new(struct hub **out, const struct hub_limits *limits,
	    struct report *report)
{
	struct hub *h = calloc(1, sizeof(*h));
	unsigned count = limits->workers ? limits->workers : cores();
	int error;

	if (!h)
		return -ENOMEM;
	h->limits = *limits;
	h->report = report;
	h->pace.budget = (int64_t)(limits->queue_bytes / 2);
	h->capacity = limits->clients + LEAVING_PLACES;
	pthread_mutex_init(&h->lock, NULL);
	error = start_workers(h, count < HUB_WORKERS_MAX ? count
							 : HUB_WORKERS_MAX);
	if (error) {
		hub_free(h);
		return error;
	}
	*out = h;
	return 0;
}

void hub_close(struct hub *h)
{
	pthread_mutex_lock(&h->lock);
	report_line(h->report, "closing, clients=%u probes_answered=%lu",
		    h->here, h->probes);
	pthread_mutex_unlock(&h->lock);
	hub_free(h);
}
