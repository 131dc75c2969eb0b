/* SPDX-License-Identifier: MIT */
/* See web.h. One request at a time: pipelined ones wait for its answer. */
#include "io/web.h"
#include "core/ws.h"
#include "io/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_MS 10000
#define BODY_MS 20000
#define IDLE_MS 30000

bool web_start(struct conn *c)
{
	c->web = calloc(1, sizeof(*c->web));
	if (!c->web)
		return false;
	http_init(&c->web->http);
	writer_init(&c->web->rest, HTTP_BODY_MAX + HTTP_HEAD_MAX);
	c->web->state = WEB_HEAD;
	c->wire = WIRE_HTTP;
	c->settle_ms = INT64_MAX;
	c->wire_ms = worker_ms(c->worker) + HEAD_MS;
	return true;
}

void web_free(struct conn *c)
{
	if (!c->web)
		return;
	http_free(&c->web->http);
	writer_free(&c->web->rest);
	free(c->web);
	c->web = NULL;
}

/* ------------------------------------------------------------- timeouts */

/* Only a change of state sets a deadline: slow bytes do not move it. */
static void set_deadline(struct conn *c)
{
	static const int64_t after_ms[] = {
		[WEB_IDLE] = IDLE_MS,
		[WEB_HEAD] = HEAD_MS,
		[WEB_BODY] = BODY_MS,
	};
	struct web *web = c->web;
	enum web_state state = WEB_IDLE;

	if (web->wait != WEB_NOTHING)
		state = WEB_ANSWERING;
	else if (http_is_within(&web->http))
		state = http_is_in_head(&web->http) ? WEB_HEAD : WEB_BODY;
	if (state == web->state)
		return;
	web->state = state;
	c->wire_ms = state == WEB_ANSWERING
			     ? INT64_MAX
			     : worker_ms(c->worker) + after_ms[state];
}

void web_on_time(struct conn *c)
{
	c->wire_ms = INT64_MAX;
	if (http_is_within(&c->web->http))
		web_error(c, NULL, 408, "timeout",
			  "The request did not arrive in time.", NULL);
	conn_leave(c);
}

/* ------------------------------------------------------------ responses */

/* A request for the log: it gets its id, and its time begins. */
static void identify(struct conn *c)
{
	struct web *web = c->web;
	struct http_request *r = &web->http.request;
	const struct slice given = http_header(r, "X-Request-Id");
	uint64_t random;

	if (!report_wants(conn_hub(c)->report, LEVEL_REQUEST))
		return;
	web->whole_us = clock_us();
	worker_random(c->worker, &random, sizeof(random));
	if (logline_id_is_valid(given))
		snprintf(web->id, sizeof(web->id), "%.*s", SLICE_ARG(given));
	else
		snprintf(web->id, sizeof(web->id), "%016" PRIx64, random);
	r->id = slice_of(web->id);
}

static void log_request(struct conn *c, const struct http_request *r,
			unsigned status, size_t bytes)
{
	const enum log_level level =
		r && api_is_for_operators(r) ? LEVEL_DEBUG : LEVEL_REQUEST;
	struct report *report = conn_hub(c)->report;
	struct logline_request line = {.status = status, .bytes = bytes};

	if (!report_wants(report, level))
		return;
	if (r) {
		line.method = r->verb_name;
		line.path = r->path;
		line.id = r->id;
		line.ms = (clock_us() - c->web->whole_us) / 1000;
	}
	report_request(report, level, &line);
}

/* What is answered is counted and logged. r: NULL if none could be read. */
static void count(struct conn *c, const struct http_request *r, unsigned status,
		  size_t bytes)
{
	struct metrics *m = &conn_hub(c)->metrics;

	log_request(c, r, status, bytes);
	METRIC_ADD(m, total_requests);
	if (status < 400)
		METRIC_ADD(m, success_requests);
	else
		METRIC_ADD(m, failed_requests);
}

static void finish(struct conn *c, struct writer *w, bool goes_on)
{
	conn_queue_writer(c, w);
	if (!goes_on)
		conn_leave(c);
}

static struct writer new_response(void)
{
	struct writer w;

	writer_init(&w, HTTP_RESPONSE_MAX + WSJSON_MAX);
	return w;
}

static const char *cors_of(const struct conn *c)
{
	return conn_hub(c)->options.cors_origin.at; /* with a NUL, or NULL */
}

void web_respond(struct conn *c, const struct http_request *r,
		 const struct http_response *response)
{
	struct http_response full = *response;
	struct writer w = new_response();
	bool goes_on;

	full.date_s = wall_ms() / 1000;
	full.cors_origin = cors_of(c);
	goes_on = http_respond(&w, r, &full);
	count(c, r, full.status, w.len);
	finish(c, &w, goes_on);
}

void web_error(struct conn *c, const struct http_request *r, unsigned status,
	       const char *code, const char *message,
	       const struct http_response *extra)
{
	struct http_response full = {0};
	struct writer w = new_response();
	bool goes_on;

	if (extra)
		full = *extra;
	full.date_s = wall_ms() / 1000;
	full.cors_origin = cors_of(c);
	goes_on = http_respond_error(&w, r, status, code, message, &full);
	count(c, r, status, w.len);
	finish(c, &w, goes_on);
}

void web_maintenance(struct conn *c, const struct http_request *r)
{
	struct writer w = new_response();
	bool goes_on = http_respond_maintenance(&w, r);

	count(c, r, 503, w.len);
	finish(c, &w, goes_on);
}

void web_upgrade(struct conn *c, const struct http_request *r)
{
	const struct slice protocol = http_header(r, "Sec-WebSocket-Protocol");
	struct writer w = new_response();

	if (!http_respond_upgrade(
		    &w, http_header(r, "Sec-WebSocket-Key"),
		    http_has_word(protocol, SLICE(WS_SUBPROTOCOL)))) {
		writer_free(&w);
		conn_out_of_memory(c);
		return;
	}
	count(c, r, 101, w.len);
	conn_queue_writer(c, &w);
	(void)json_start(c, WIRE_WS);
}

/* ------------------------------------------------------------- requests */

static void bad(struct conn *c)
{
	const struct http *h = &c->web->http;

	web_error(c, NULL, h->status, h->code, h->message, NULL);
}

/* Looks at requests until one waits. Returns what is left of the input. */
static struct slice feed(struct conn *c, struct slice in)
{
	struct web *web = c->web;

	while (c->wire == WIRE_HTTP && conn_is_present(c) && !c->ending &&
	       web->wait == WEB_NOTHING) {
		switch (http_feed(&web->http, &in)) {
		case HTTP_MORE: return in;
		case HTTP_EXPECTS:
			conn_queue_answer(c, HTTP_CONTINUE_LINE,
					  sizeof(HTTP_CONTINUE_LINE) - 1);
			break;
		case HTTP_BAD: bad(c); return slice_from(in, in.len);
		case HTTP_WHOLE:
			identify(c);
			if (c->refused && !api_is_for_all(&web->http.request))
				web_maintenance(c, &web->http.request);
			else
				api_answer(c, &web->http.request);
			if (web->wait == WEB_NOTHING)
				http_done(&web->http);
			if (web->wait == WEB_NOTHING && conn_is_full(c))
				web->wait = WEB_DRAINED;
			break;
		}
	}
	return in;
}

static bool go_on(struct conn *c, struct slice in)
{
	struct slice rest = feed(c, in);

	/* After an upgrade the frames follow at once. */
	if (c->wire != WIRE_HTTP)
		return conn_is_present(c) ? json_take(c, rest) : true;
	if (conn_is_present(c) && rest.len > 0)
		writer_put_slice(&c->web->rest, rest);
	c->waits = c->web->wait != WEB_NOTHING;
	set_deadline(c);
	return true;
}

/* Of a web port: what is no HTTP at all is told so, and closed. */
static bool begin(struct conn *c, struct slice in)
{
	struct writer first;
	bool stays = false;

	writer_put_slice(&c->first, in);
	first = c->first;
	switch (sniff_first(SNIFF_ONLY_WEB, writer_slice(&first))) {
	case SNIFF_MORE: return true;
	case SNIFF_HTTP:
		writer_init(&c->first, 0);
		c->web->known = true;
		stays = go_on(c, writer_slice(&first));
		writer_free(&first);
		return stays;
	case SNIFF_LINES:
	case SNIFF_BAD:
		web_error(c, NULL, 400, "bad_request",
			  "This port speaks HTTP alone.", NULL);
		return true;
	case SNIFF_TLS: break; /* there is no certificate */
	}
	return false;
}

bool web_take(struct conn *c, struct slice in)
{
	if (c->port == SNIFF_ONLY_WEB && !c->web->known)
		return begin(c, in);
	return go_on(c, in);
}

/* The request was answered: those behind it are looked at. */
static void answered(struct conn *c)
{
	struct web *web = c->web;
	struct writer rest = web->rest;

	web->wait = WEB_NOTHING;
	c->waits = false;
	http_done(&web->http);
	writer_init(&web->rest, HTTP_BODY_MAX + HTTP_HEAD_MAX);
	(void)go_on(c, writer_slice(&rest));
	writer_free(&rest);
	if (c->ended && !c->waits)
		conn_leave(c);
}

void web_on_posted(struct conn *c, const struct note *n)
{
	struct web *web = c->web;

	if (web->wait != WEB_POSTED ||
	    !slice_equal(n->text, slice_of(web->mid)))
		return;
	api_on_posted(c, &web->http.request, n);
	answered(c);
}

void web_on_page(struct conn *c, const struct note *n)
{
	if (c->web->wait != WEB_HISTORY)
		return;
	api_on_page(c, &c->web->http.request, n);
	answered(c);
}

void web_on_drained(struct conn *c)
{
	if (c->web->wait == WEB_DRAINED)
		answered(c);
}

void web_end(struct conn *c)
{
	(void)c; /* half a request is nobody's; an answer may be awaited */
}
