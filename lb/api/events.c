/* SPDX-License-Identifier: MIT */
/*
 * events.c - GET /lb/events: what happened, from the journal
 *
 * Whoever follows asks again with since= the .next of the last answer. There is
 * no stream: a viewer costs a thread only while it is answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/events.h"
#include "api/http.h"
#include "api/json.h"
#include "api/flow_log_line.h"
#include "api/routes.h"
#include "core/drop.h"
#include "core/engine.h"
#include "core/flow_end.h"
#include "core/health/ask.h"
#include "core/sched.h"
#include "core/time.h"

/* -------------------------------------------------------------- one record */

static const char *backend_event_name(enum backend_event event)
{
	switch (event) {
	case BACKEND_DOWN: return "down";
	case BACKEND_UP: return "up";
	case BACKEND_EJECTED: return "ejected";
	case BACKEND_RECOVERED: return "recovered";
	case BACKEND_DRAINED: return "drained";
	case BACKEND_CUT_OFF: return "cut-off";
	case BACKEND_SOURCE: return "source";
	case BACKEND_PROVEN: return "proven";
	case BACKEND_HEARD: return "heard";
	}
	return "other";
}

static void put_names(struct json_writer *w, const struct board_reader *board,
		      const struct journal_record *r)
{
	struct board_service service = {0};
	struct board_backend backend = {0};

	if (r->service == JOURNAL_NO_SLOT)
		return;
	/* Also of a slot that is free by now: it keeps its names. */
	(void)board_read_service(board, r->service, &service);
	json_put_text(w, "service", service.name);
	if (r->backend == JOURNAL_NO_SLOT)
		return;
	(void)board_read_backend(board, r->service, r->backend, &backend);
	json_put_text(w, "backend", backend.id);
}

static void put_end(struct json_writer *w, const char *key,
		    const struct endpoint *end)
{
	char text[ENDPOINT_TEXT_MAX];

	if (addr_is_set(&end->addr))
		json_put_text(w, key, endpoint_format(end, text));
}

static void put_side(struct json_writer *w, const char *key,
		     const struct journal_flow *f, unsigned side)
{
	json_put_object(w, key);
	json_put_number(w, "packets", f->packets[side]);
	json_put_number(w, "bytes", f->bytes[side]);
	json_put_number(w, "retransmits", f->retransmits[side]);
	json_put_end(w);
}

/* Why a flow event happened; NULL: it says no more than its name. */
static const char *why_of_flow(const struct journal_record *r)
{
	if (r->kind == JOURNAL_ENDED)
		return r->reason < FLOW_ENDS ? flow_end_name(r->reason) : NULL;
	if (r->kind == JOURNAL_REFUSED)
		return r->reason < DROP_REASONS ? drop_name(r->reason) : NULL;
	return r->flow.why ? sched_name(r->flow.why - 1u) : NULL;
}

static void put_flow(struct json_writer *w, const struct board_reader *board,
		     const struct journal_record *r)
{
	const struct journal_flow *f = &r->flow;

	json_put_text(w, "kind", "flow");
	json_put_text(w, "what", journal_kind_name(r->kind));
	put_names(w, board, r);
	json_put_text(w, "why", why_of_flow(r));
	put_end(w, "client", &f->client);
	put_end(w, "vip", &f->vip);
	if (r->kind == JOURNAL_REFUSED)
		return;
	json_put_number(w, "flow", r->id);
	put_end(w, "nat", &f->nat);
	put_end(w, "address", &f->backend);
	json_put_number(w, "tries", f->tries);
	if (r->kind != JOURNAL_ENDED)
		return;
	json_put_real(w, "dur_s", (double)f->duration_ns / NS_PER_S, 3);
	put_side(w, "c2s", f, FLOW_ORIG);
	put_side(w, "s2c", f, FLOW_REPLY);
}

static void put_other(struct json_writer *w, const struct board_reader *board,
		      const struct journal_record *r)
{
	const bool backend = r->kind == JOURNAL_BACKEND;
	const char *why = r->event.text;

	if (!*why && backend && r->detail != CHECK_OK &&
	    r->detail < CHECK_RESULTS)
		why = check_result_text(r->detail);
	json_put_text(w, "kind", backend ? "backend" : "operator");
	json_put_text(w, "what",
		      backend ? backend_event_name(r->reason)
			      : journal_operator_name(r->reason));
	put_names(w, board, r);
	json_put_text(w, "why", *why ? why : NULL);
	json_put_text(w, "by", *r->event.by ? r->event.by : NULL);
	if (r->id)
		json_put_number(w, "flow", r->id);
}

void event_put(struct json_writer *w, const struct board_reader *board,
	       const struct journal_record *r, int64_t wall_offset_ns)
{
	char time[WALL_TEXT_MAX];

	json_put_object(w, NULL);
	json_put_number(w, "seq", r->seq);
	json_put_text(w, "time",
		      wall_format(r->time_ns + (uint64_t)wall_offset_ns, time));
	if (journal_is_flow(r))
		put_flow(w, board, r);
	else
		put_other(w, board, r);
	json_put_end(w);
}

/* ------------------------------------------------------- what is asked for */

static const struct {
	const char *name;
	unsigned bit;
} kinds[] = {
	{"flow", EVENTS_FLOW},
	{"backend", EVENTS_BACKEND},
	{"operator", EVENTS_OPERATOR},
	{"all", EVENTS_FLOW | EVENTS_BACKEND | EVENTS_OPERATOR},
};

static unsigned kind_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].name) == len &&
		    memcmp(kinds[i].name, word, len) == 0)
			return kinds[i].bit;
	}
	return 0;
}

static int read_kinds(const char *text, unsigned *out, struct err *err)
{
	*out = 0;
	for (const char *word = text;; word++) {
		const size_t len = strcspn(word, ",");
		const unsigned bit = kind_of(word, len);

		if (!bit)
			return err_set(err, -EINVAL,
				       "kind \"%.40s\": expected flow, "
				       "backend, operator, several of them "
				       "with commas, or all",
				       text);
		*out |= bit;
		word += len;
		if (!*word)
			return 0;
	}
}

static int read_number(const char *name, const char *text, uint64_t max,
		       uint64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || *out > max)
		return err_set(err, -EINVAL,
			       "%s \"%.40s\": expected a number up to %llu",
			       name, text, (unsigned long long)max);
	return 0;
}

int events_want(const char *since, const char *kind, const char *limit,
		struct events_wanted *out, struct err *err)
{
	int ret = 0;

	*out = (struct events_wanted){
		.kinds = EVENTS_BACKEND | EVENTS_OPERATOR,
		.limit = EVENTS_LIMIT_DEFAULT,
	};
	if (since)
		ret = read_number("since", since, UINT64_MAX, &out->since, err);
	if (ret == 0 && kind)
		ret = read_kinds(kind, &out->kinds, err);
	if (ret == 0 && limit)
		ret = read_number("limit", limit, EVENTS_LIMIT_MAX, &out->limit,
				  err);
	return ret;
}

/* -------------------------------------------------------- from the journal */

static bool is_wanted(const struct events_wanted *wanted,
		      const struct journal_record *r)
{
	if (journal_is_flow(r))
		return wanted->kinds & EVENTS_FLOW;
	if (r->kind == JOURNAL_BACKEND)
		return wanted->kinds & EVENTS_BACKEND;
	return r->kind == JOURNAL_OPERATOR && wanted->kinds & EVENTS_OPERATOR;
}

/*
 * The next record that is wanted. @end: not from there on, or one who asks
 * while records come as fast as they are read would never be answered.
 */
static bool next_wanted(const struct journal_reader *journal,
			struct journal_cursor *c, uint64_t end,
			const struct events_wanted *wanted,
			struct journal_record *r)
{
	uint64_t lost;

	while (c->next < end) {
		switch (journal_next(journal, c, r, &lost)) {
		case JOURNAL_NONE: return false;
		case JOURNAL_LOST: continue;
		case JOURNAL_RECORD: break;
		}
		if (is_wanted(wanted, r))
			return true;
	}
	return false;
}

/* From where on the last .limit of those wanted are. */
static uint64_t find_last(const struct journal_reader *journal, uint64_t end,
			  const struct events_wanted *wanted)
{
	struct journal_cursor c = journal_seek(journal, 0);
	uint64_t last[EVENTS_LIMIT_MAX], n = 0;
	struct journal_record r;

	if (!wanted->limit)
		return end;
	while (next_wanted(journal, &c, end, wanted, &r))
		last[n++ % wanted->limit] = r.seq;
	if (n == 0)
		return end;
	return n < wanted->limit ? last[0] : last[n % wanted->limit];
}

void events_print(struct text *out, const struct board_reader *board,
		  const struct journal_reader *journal,
		  const struct events_wanted *wanted)
{
	const uint64_t end = journal_reader_written(journal) + 1;
	struct json_writer w = json_writer(out);
	struct board_global global = {0};
	struct journal_cursor c;
	struct journal_record r;
	uint64_t from = wanted->since;

	(void)board_read_global(board, &global);
	/* Numbers begin anew with each process of l4lb: that was another. */
	if (from > end)
		from = 1;
	if (!wanted->since)
		from = find_last(journal, end, wanted);
	c = journal_seek(journal, from);
	json_put_object(&w, NULL);
	json_put_array(&w, "events");
	for (uint64_t n = 0; n < wanted->limit; n++) {
		if (!next_wanted(journal, &c, end, wanted, &r))
			break;
		event_put(&w, board, &r, global.wall_offset_ns);
	}
	json_put_end(&w);
	json_put_number(&w, "next", c.next);
	json_put_number(&w, "lost", wanted->since ? c.lost : 0);
	json_put_end(&w);
}

static void answer(struct api *api, const struct request *request,
		   struct reply *reply)
{
	struct events_wanted wanted;
	struct err err;

	if (events_want(request_query(request, "since"),
			request_query(request, "kind"),
			request_query(request, "limit"), &wanted, &err)) {
		reply_error(reply, 400, "bad-query", "%s", err.text);
		return;
	}
	events_print(&reply->body, api->board, api->journal, &wanted);
}

static const struct route_value query[] = {
	{"since", VALUE_NUMBER,
	 "the first number wanted: .next of the last answer; without it, the "
	 "last events"},
	{"kind", VALUE_TEXT,
	 "flow, backend, operator, with commas, or all; backend,operator by "
	 "default"},
	{"limit", VALUE_NUMBER, "how many at most, up to 1000; by default 100"},
	{0},
};

const struct route events_routes[] = {
	{METHOD_GET, "/lb/events", answer, .query = query,
	 .summary = "What happened: to backends, by operators, to connections"},
	{0},
};
