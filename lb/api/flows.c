/* SPDX-License-Identifier: MIT */
/* flows.c - GET /lb/flows: the flow table, read where it lies */
#include <stdlib.h>

#include "api/filter.h"
#include "api/flow_json.h"
#include "api/flow_names.h"
#include "api/router.h"
#include "api/routes.h"
#include "clock.h"
#include "control/config_value.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000 /* of an answer that is one JSON value */
#define PART_BYTES    16384 /* of a stream */

/* A walk over the table. */
struct walk {
	const struct api *api;
	struct filter filter;
	struct flow_names *names;
	uint32_t at, end; /* the next place, and behind the last */
	uint32_t left;	  /* flows that may still be shown */
	uint64_t now_ns;
	/* The flow that was found. */
	uint32_t index;
	struct flow flow;
	struct flow_note note;
	const char *service, *backend;
};

static bool matches(struct walk *x)
{
	struct filter_facts facts = {
		.flow = &x->flow,
		.retransmits = (uint64_t)x->note.retransmits[FLOW_ORIG] +
			       x->note.retransmits[FLOW_REPLY],
		.now_ns = x->now_ns,
	};

	flow_names_of(x->names, &x->flow, &x->service, &x->backend);
	facts.service = x->service;
	facts.backend = x->backend;
	return filter_matches(&x->filter, &facts);
}

/* Finds the next flow that is to be shown. */
static bool walk_next(struct walk *x)
{
	if (!x->left)
		return false;
	while (x->at < x->end) {
		x->index = x->at++;
		if (!flows_read(x->api->flows, x->index, &x->flow, &x->note) ||
		    !matches(x))
			continue;
		x->left--;
		return true;
	}
	return false;
}

static void put_found(struct json_writer *w, const struct walk *x)
{
	json_put_object(w, NULL);
	json_put_flow(w, x->service, x->backend, x->index, &x->flow, &x->note,
		      x->now_ns);
	json_put_end(w);
}

static uint32_t table_end(const struct api *api)
{
	struct board_global global;
	const bool known = board_read_global(api->board, &global);

	return flows_reader_end(api->flows, known ? global.flows_high : 0);
}

/* -------------------------------------------------------------------- listing
 */

static bool read_number(const struct request *request, const char *name,
			uint32_t max, uint32_t *out, struct reply *reply)
{
	const char *value = request_query(request, name);
	struct err err;

	if (!value || value_number(value, 0, max, out, &err) == 0)
		return true;
	reply_error(reply, 400, "bad-query",
		    "%s: expected a whole number from 0 to %u", name, max);
	return false;
}

static bool read_query(struct walk *x, const struct request *request,
		       bool *streams, struct reply *reply)
{
	const char *stream = request_query(request, "stream");
	const char *after = request_query(request, "after");
	struct err err;
	int ret = 0;

	if (stream)
		ret = router_flag("stream", stream, streams, &err);
	if (!ret)
		ret = filter_add_query(&x->filter, request->uri, &err);
	if (ret) {
		reply_error(reply, 400, "bad-query", "%s", err.text);
		return false;
	}
	x->left = *streams ? UINT32_MAX : LIMIT_DEFAULT;
	if (!read_number(request, "limit", *streams ? UINT32_MAX : LIMIT_MAX,
			 &x->left, reply) ||
	    !read_number(request, "after", FLOWS_MAX, &x->at, reply))
		return false;
	x->at += after != NULL;
	return true;
}

static void list(struct walk *x, struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	const uint32_t from = x->at;
	bool more = false;

	json_put_object(&w, NULL);
	json_put_array(&w, "flows");
	while (walk_next(x)) {
		put_found(&w, x);
		more = !x->left;
	}
	json_put_end(&w);
	json_put_number(&w, "scanned", x->at > from ? x->at - from : 0);
	if (more && x->at < x->end)
		json_put_number(&w, "next", x->index);
	else
		json_put_null(&w, "next");
	json_put_end(&w);
}

static void walk_free(void *state)
{
	struct walk *x = state;

	flow_names_free(x->names);
	free(x);
}

/* A line for each flow. */
static bool stream_more(void *state, struct text *out)
{
	struct walk *x = state;
	bool more = true;

	x->now_ns = clock_now_ns();
	while (more && out->len < PART_BYTES) {
		struct json_writer w = json_writer(out);

		more = walk_next(x);
		if (!more)
			break;
		put_found(&w, x);
		text_put(out, "\n", 1);
	}
	return more;
}

static void flows(struct api *api, const struct request *request,
		  struct reply *reply)
{
	struct walk *x = calloc(1, sizeof(*x));
	bool streams = false;

	if (x)
		x->names = flow_names_new(api);
	if (!x || !x->names) {
		free(x);
		reply_error(reply, 503, "no-memory", "out of memory");
		return;
	}
	x->api = api;
	x->now_ns = clock_now_ns();
	x->end = table_end(api);
	if (!read_query(x, request, &streams, reply)) {
		walk_free(x);
	} else if (streams) {
		reply->type = "application/x-ndjson";
		reply->more = stream_more;
		reply->state = x;
		reply->done = walk_free;
	} else {
		list(x, reply);
		walk_free(x);
	}
}

static const struct route_value listing[] = {
	{"filter", VALUE_TEXT, "terms, with blanks between them"},
	{"limit", VALUE_NUMBER, "at most so many, 100 if not given"},
	{"after", VALUE_NUMBER, "go on behind that \"next\" of an answer"},
	{"stream", VALUE_FLAG, "all of them, a line for each"},
	{0},
};

const struct route flows_routes[] = {
	{METHOD_GET, "/lb/flows", flows, listing, NULL, ROUTE_FILTER,
	 "Connections, those that a filter lets through"},
	{0},
};
