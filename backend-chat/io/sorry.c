/* SPDX-License-Identifier: MIT */
/*
 * See sorry.h. What is sent is far less than the buffer of a new connection
 * holds, so nothing is queued: who does not read is closed.
 */
#include "io/sorry.h"
#include "core/http.h"
#include "frame.h"
#include "io/accept.h"
#include "io/assets.h"
#include "io/clock.h"
#include "io/listener.h"
#include "io/report.h"
#include "io/signals.h"
#include "io/timers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define READ_BYTES 16384
/* Silence after which it is a line client, as in chat_serv's rooms. */
#define SETTLE_MS 300
/* For a request, or for half a first line that may become one. */
#define REQUEST_MS 10000
/* From the sentence to the close. */
#define TOLD_MS 2000
/* After a failed accept(). */
#define PAUSE_MS 100
#define RETRY_AFTER_S                                          \
	5 /* the page reloads then; sorry.html says it as well \
	   */
/* Descriptors beside those of clients and listeners. */
#define OTHER_FDS 16

static const char sentence[] = CHAT_SERVER_NICK HTTP_MAINTENANCE "\n";

enum phase {
	PHASE_UNKNOWN, /* its first line is not complete */
	PHASE_LINES,   /* text or probes; not told yet */
	PHASE_HTTP,
	PHASE_TOLD, /* what it sends is read and discarded */
};

struct guest {
	struct timer timer;
	struct guest *next, *previous;
	int fd;
	enum sniff_port port;
	enum phase phase;
	bool mid_line;	     /* a probe was answered without a newline */
	struct writer first; /* of UNKNOWN */
	struct framer framer;
	struct http http;
	char peer[PEER_NAME_MAX];
};

struct sorry {
	int epoll;
	const struct listener *listeners;
	unsigned listener_count;
	struct timers timers;
	struct timer pause; /* no client is accepted before */
	int64_t now_ms;
	struct guest *guests;
	unsigned count, max;
	unsigned long told, probes;
	struct report *report;
	struct signals *signals;
	char in[READ_BYTES];
};

/* ------------------------------------------------------------- a guest */

static void end(struct sorry *s, struct guest *g)
{
	timers_drop(&s->timers, &g->timer);
	if (g->next)
		g->next->previous = g->previous;
	if (g->previous)
		g->previous->next = g->next;
	else
		s->guests = g->next;
	s->count--;
	close(g->fd); /* epoll forgets it */
	writer_free(&g->first);
	http_free(&g->http);
	free(g);
}

/* Returns false if it takes nothing: it has ended. */
static bool put(struct sorry *s, struct guest *g, const void *bytes, size_t len)
{
	if (send(g->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len)
		return true;
	end(s, g);
	return false;
}

/* how: what it was told, for the output; NULL: a probe was answered. */
static void told(struct sorry *s, struct guest *g, const char *how)
{
	g->phase = PHASE_TOLD;
	timers_set(&s->timers, &g->timer, s->now_ms + TOLD_MS);
	s->probes += !how;
	s->told += how != NULL;
	if (!how)
		return;
	report_info(s->report, "client %s told: %s", g->peer, how);
}

/* Returns false if it has ended. */
static bool tell_line(struct sorry *s, struct guest *g)
{
	if (g->mid_line && !put(s, g, "\n", 1))
		return false;
	if (!put(s, g, sentence, sizeof(sentence) - 1))
		return false;
	told(s, g, "line");
	return true;
}

/* ---------------------------------------------------------------- HTTP */

/*
 * Answers, and awaits the peer's end, lest a reset destroys the answer. how:
 * for the output, NULL for a probe. Frees w. Returns false if it has ended.
 */
static bool finish(struct sorry *s, struct guest *g, struct writer *w,
		   const char *how)
{
	bool stays = false;

	if (w->failed)
		end(s, g);
	else
		stays = put(s, g, w->bytes, w->len);
	writer_free(w);
	if (!stays)
		return false;
	shutdown(g->fd, SHUT_WR);
	told(s, g, how);
	return true;
}

static bool answer_health(struct sorry *s, struct guest *g,
			  const struct http_request *r)
{
	const struct http_response response = {
		.status = 200,
		.type = "application/json; charset=utf-8",
		.body = SLICE("{\"status\":\"sorry\"}\n"),
		.date_s = wall_ms() / 1000,
		.close = true,
	};
	struct writer w;

	writer_init(&w, HTTP_RESPONSE_MAX);
	(void)http_respond(&w, r, &response);
	return finish(s, g, &w, NULL);
}

static bool answer(struct sorry *s, struct guest *g,
		   const struct http_request *r)
{
	struct http_response response = {
		.status = 503,
		.type = "text/html; charset=utf-8",
		.retry_after_s = RETRY_AFTER_S,
		.date_s = wall_ms() / 1000,
		.close = true,
	};
	struct asset page;
	struct writer w;

	if (slice_equal(r->path, SLICE("/health")) &&
	    (r->verb == HTTP_VERB_GET || r->verb == HTTP_VERB_HEAD))
		return answer_health(s, g, r);
	writer_init(&w, HTTP_RESPONSE_MAX);
	if (http_wants_html(r) && asset_find(SLICE("/sorry.html"), &page)) {
		response.body = page.body;
		(void)http_respond(&w, r, &response);
		return finish(s, g, &w, "page");
	}
	(void)http_respond_error(&w, r, 503, "maintenance", HTTP_MAINTENANCE,
				 &response);
	return finish(s, g, &w, "json");
}

static bool refuse(struct sorry *s, struct guest *g, unsigned status,
		   const char *code, const char *message)
{
	struct writer w;

	writer_init(&w, HTTP_RESPONSE_MAX);
	(void)http_respond_error(&w, NULL, status, code, message, NULL);
	return finish(s, g, &w, code);
}

static bool take_http(struct sorry *s, struct guest *g, struct slice in)
{
	switch (http_feed(&g->http, &in)) {
	case HTTP_MORE: return true;
	case HTTP_EXPECTS: /* the body is not wanted */
	case HTTP_WHOLE: return answer(s, g, &g->http.request);
	case HTTP_BAD: break;
	}
	return refuse(s, g, g->http.status, g->http.code, g->http.message);
}

/* --------------------------------------------------------------- lines */

/* As chat_serv: with a newline if the probe had one. */
static bool answer_probe(struct sorry *s, struct guest *g, enum frame probe)
{
	timers_set(&s->timers, &g->timer, s->now_ms + SETTLE_MS);
	if (probe == FRAME_PROBE_END) {
		g->mid_line = false;
		return put(s, g, "\n", 1);
	}
	s->probes++;
	g->mid_line = probe == FRAME_PROBE;
	return put(s, g, CHAT_PROBE "\n",
		   CHAT_PROBE_LEN + (probe == FRAME_PROBE_LINE));
}

static bool take_lines(struct sorry *s, struct guest *g, struct slice in)
{
	const char *at = in.at, *stop = in.at + in.len;
	enum frame frame;

	while ((frame = framer_next(&g->framer, &at, stop)) != FRAME_NONE) {
		if (frame == FRAME_LINE)
			return tell_line(s, g);
		if (frame == FRAME_TELNET
			    ? !put(s, g, g->framer.line, g->framer.line_len)
			    : !answer_probe(s, g, frame))
			return false;
	}
	return true;
}

static bool take_first(struct sorry *s, struct guest *g, struct slice in)
{
	struct slice first;

	writer_put_slice(&g->first, in);
	if (g->first.failed) {
		end(s, g);
		return false;
	}
	first = writer_slice(&g->first);
	switch (sniff_first(g->port, first)) {
	case SNIFF_MORE:
		if (first.len == in.len) /* later bytes do not move it */
			timers_set(&s->timers, &g->timer,
				   s->now_ms + REQUEST_MS);
		return true;
	case SNIFF_LINES:
		g->phase = PHASE_LINES;
		return take_lines(s, g, first);
	case SNIFF_HTTP:
		g->phase = PHASE_HTTP;
		timers_set(&s->timers, &g->timer, s->now_ms + REQUEST_MS);
		return take_http(s, g, first);
	case SNIFF_BAD:
		return refuse(s, g, 400, "bad_request",
			      "This port speaks HTTP alone.");
	case SNIFF_TLS: break; /* there is no certificate */
	}
	end(s, g);
	return false;
}

/* -------------------------------------------------------------- events */

/* It sends no more. What it said without a newline is answered, too. */
static void on_end(struct sorry *s, struct guest *g)
{
	const bool said = (g->phase == PHASE_UNKNOWN && g->first.len > 0) ||
			  (g->phase == PHASE_LINES &&
			   framer_end(&g->framer) == FRAME_LINE);

	if (!said || tell_line(s, g))
		end(s, g);
}

static void on_readable(struct sorry *s, struct guest *g)
{
	const ssize_t got = recv(g->fd, s->in, sizeof(s->in), 0);
	const struct slice in = {s->in, got > 0 ? (size_t)got : 0};

	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == -1)
		end(s, g);
	else if (got == 0)
		on_end(s, g);
	else if (g->phase == PHASE_UNKNOWN)
		(void)take_first(s, g, in);
	else if (g->phase == PHASE_LINES)
		(void)take_lines(s, g, in);
	else if (g->phase == PHASE_HTTP)
		(void)take_http(s, g, in);
}

static void on_time(struct sorry *s, struct guest *g)
{
	const bool web = g->port == SNIFF_ONLY_WEB || g->phase == PHASE_HTTP;

	if (g->phase == PHASE_TOLD || (web && g->first.len == 0))
		end(s, g);
	else if (web)
		(void)refuse(s, g, 408, "timeout",
			     "The request did not arrive in time.");
	else
		(void)tell_line(s, g);
}

/* ----------------------------------------------------------- accepting */

static void watch_listeners(struct sorry *s, uint32_t events)
{
	for (unsigned i = 0; i < s->listener_count; i++) {
		struct epoll_event event = {
			.events = events,
			.data.ptr = (void *)(uintptr_t)&s->listeners[i],
		};

		(void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->listeners[i].fd,
				&event);
	}
}

/* Owns fd. */
static void admit(struct sorry *s, int fd, const struct sockaddr_storage *peer,
		  enum sniff_port port)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct guest *g = s->count < s->max ? calloc(1, sizeof(*g)) : NULL;

	event.data.ptr = g;
	if (!g || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
		close(fd);
		free(g);
		return;
	}
	g->fd = fd;
	g->port = port;
	writer_init(&g->first, SNIFF_MAX + READ_BYTES);
	framer_init(&g->framer, CHAT_LINE_MAX, true);
	http_init(&g->http);
	peer_name(peer, g->peer);
	g->next = s->guests;
	if (g->next)
		g->next->previous = g;
	s->guests = g;
	s->count++;
	timers_set(&s->timers, &g->timer,
		   s->now_ms +
			   (port == SNIFF_ONLY_WEB ? REQUEST_MS : SETTLE_MS));
}

static void on_connection(struct sorry *s, const struct listener *l)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, (struct sockaddr *)&peer, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		admit(s, fd, &peer, l->port);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	report_line(s->report, "cannot accept clients now: %s",
		    strerror(errno));
	watch_listeners(s, 0); /* it stays readable: do not spin */
	timers_set(&s->timers, &s->pause, s->now_ms + PAUSE_MS);
}

/* ------------------------------------------------------------ the loop */

static bool is_listener(const struct sorry *s, const void *p)
{
	for (unsigned i = 0; i < s->listener_count; i++)
		if (p == &s->listeners[i])
			return true;
	return false;
}

/* Returns false if it is to stop. */
static bool turn(struct sorry *s)
{
	struct epoll_event events[EVENTS_MAX];
	const int count =
		epoll_wait(s->epoll, events, EVENTS_MAX,
			   timers_wait_ms(&s->timers, clock_us() / 1000));
	struct timer *t;

	s->now_ms = clock_us() / 1000;
	for (int i = 0; i < count; i++) {
		if (!events[i].data.ptr && signals_take(s->signals))
			return false;
		if (!events[i].data.ptr)
			continue;
		if (is_listener(s, events[i].data.ptr))
			on_connection(s, events[i].data.ptr);
		else
			on_readable(s, events[i].data.ptr);
	}
	while ((t = timers_due(&s->timers, s->now_ms))) {
		if (t == &s->pause)
			watch_listeners(s, EPOLLIN);
		else
			on_time(s, (struct guest *)t); /* its first member */
	}
	return true;
}

static int begin(struct sorry *s)
{
	struct epoll_event event = {.events = EPOLLIN};

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll == -1 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals->fd, &event) == -1)
		return -errno;
	for (unsigned i = 0; i < s->listener_count; i++)
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listeners[i].fd,
			      &event) == -1)
			return -errno;
	watch_listeners(s, EPOLLIN);
	return timers_reserve(&s->timers, s->max + 1) ? 0 : -ENOMEM;
}

unsigned sorry_descriptors(unsigned clients)
{
	return clients + LISTENERS_MAX + OTHER_FDS;
}

int sorry_until(struct signals *signals, const struct listener *listeners,
		unsigned count, unsigned clients, struct report *report)
{
	struct sorry *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	s->listeners = listeners;
	s->listener_count = count;
	s->max = clients;
	s->report = report;
	s->signals = signals;
	error = begin(s);
	while (!error && turn(s))
		;
	if (!error)
		report_line(report,
			    "closing, clients=%u told=%lu probes_answered=%lu",
			    s->count, s->told, s->probes);
	while (s->guests)
		end(s, s->guests);
	timers_free(&s->timers);
	if (s->epoll != -1)
		close(s->epoll);
	free(s);
	return error;
}
