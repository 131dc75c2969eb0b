/* SPDX-License-Identifier: MIT */
/* See hub.h: the workers, their inboxes, and who arrives. */
#include "io/conn.h"
#include "io/report.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ------------------------------------------------------------ inboxes */

size_t hub_inbox_bytes(const struct hub *h)
{
	const size_t quarter = h->options.queue_bytes / 4;

	return quarter < INBOX_BYTES ? quarter : INBOX_BYTES;
}

void hub_tell_all(struct hub *h, struct note *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < h->worker_count; i++) {
		atomic_fetch_add(&n->refs, 1);
		worker_notify(h->workers[i], n);
	}
	pthread_mutex_unlock(&h->lock);
	note_unref(n);
}

void hub_tell_one(struct hub *h, uint64_t ticket, struct note *n)
{
	if (!n)
		return;
	n->ticket = ticket;
	pthread_mutex_lock(&h->lock);
	worker_notify(h->workers[ticket % HUB_WORKERS_MAX], n);
	pthread_mutex_unlock(&h->lock);
}

/* ----------------------------------------------------------- speaking */

void hub_spend(struct hub *h, struct pace *speaker, size_t len, int64_t now_us)
{
	pthread_mutex_lock(&h->lock);
	pace_spend(&h->pace, speaker, len, now_us);
	pthread_mutex_unlock(&h->lock);
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
static void turn_away(int fd, enum sniff_port port)
{
	static const char line[] = CHAT_SERVER_NICK "full, try again later\n";
	static const char web[] = "HTTP/1.1 503 Service Unavailable\r\n"
				  "Retry-After: 5\r\nContent-Length: 0\r\n"
				  "Connection: close\r\n\r\n";
	const char *notice = port == SNIFF_ONLY_WEB ? web : line;

	send(fd, notice, strlen(notice), MSG_DONTWAIT | MSG_NOSIGNAL);
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

void hub_admit(struct hub *h, int fd, const char *peer, enum sniff_port port)
{
	struct note *n = note_new(NOTE_CONN, NULL, 0);
	struct conn *c = conn_new(fd, peer, port);
	struct worker *w;

	pthread_mutex_lock(&h->lock);
	if (!c || !n || h->count == h->capacity) {
		pthread_mutex_unlock(&h->lock);
		turn_away(fd, port);
		note_unref(n);
		free(c);
		return;
	}
	h->count++;
	c->refused = h->present >= h->options.clients;
	h->present += !c->refused;
	w = least_loaded(h);
	w->inbox.load++;
	n->conn = c;
	worker_notify(w, n);
	pthread_mutex_unlock(&h->lock);
	METRIC_ADD(&h->metrics, connections);
}

/* ------------------------------------------------------ start and end */

static unsigned cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_free(h->workers[i]);
	hub_rooms_free(h);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int hub_new(struct hub **out, const struct hub_options *options,
	    struct report *report)
{
	struct hub *h = calloc(1, sizeof(*h));
	unsigned count = options->workers ? options->workers : cores();
	int error = 0;

	if (!h)
		return -ENOMEM;
	h->options = *options;
	h->report = report;
	h->pace.budget = (int64_t)(options->queue_bytes / 2);
	h->capacity = options->clients + LEAVING_PLACES;
	h->started_ms = clock_us() / 1000;
	pthread_mutex_init(&h->lock, NULL);
	if (count > HUB_WORKERS_MAX)
		count = HUB_WORKERS_MAX;
	while (!error && h->worker_count < count) {
		error = worker_new(&h->workers[h->worker_count], h,
				   h->worker_count);
		h->worker_count += !error;
	}
	if (error) {
		hub_free(h);
		return error;
	}
	*out = h;
	return 0;
}

int hub_start(struct hub *h, struct bus *bus, struct store *store)
{
	int error;

	h->bus = bus;
	h->store = store;
	/* The room of line clients is open before the first of them. */
	error = hub_sit(h, slice_of(h->options.lobby), true);
	for (unsigned i = 0; !error && i < h->worker_count; i++)
		error = worker_start(h->workers[i]);
	if (error)
		hub_close(h);
	return error;
}

void hub_close(struct hub *h)
{
	pthread_mutex_lock(&h->lock);
	report_line(h->report, "closing, clients=%u probes_answered=%llu",
		    h->here, atomic_load(&h->metrics.probes));
	h->closing = h->draining = true;
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_wake(h->workers[i]);
	pthread_mutex_unlock(&h->lock);
	/* All end before any is freed: they look at each other. */
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_join(h->workers[i]);
}
