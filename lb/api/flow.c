/* SPDX-License-Identifier: MIT */
/* flow.c - /lb/flows/{id}: one connection, what happened to it, its end */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/flow_json.h"
#include "api/flow_names.h"
#include "api/routes.h"
#include "clock.h"
#include "control/config_value.h"

struct one {
	uint64_t id;
	uint32_t index;
	struct flow flow;
	struct flow_note note;
};

static bool read_id(const struct request *request, uint64_t *out,
		    struct reply *reply)
{
	char quoted[QUOTED_MAX];
	char *end;

	*out = strtoull(request->id, &end, 10);
	if (*request->id >= '0' && *request->id <= '9' && !*end)
		return true;
	reply_error(reply, 400, "bad-value",
		    "flow \"%s\": expected its number, as \"id\" in /lb/flows",
		    value_quote(request->id, quoted));
	return false;
}

static bool find(const struct api *api, struct one *one, struct reply *reply)
{
	struct board_global global;
	const bool known = board_read_global(api->board, &global);
	const uint32_t end =
		flows_reader_end(api->flows, known ? global.flows_high : 0);

	for (uint32_t i = 0; i < end; i++)
		if (flows_read(api->flows, i, &one->flow, &one->note) &&
		    one->flow.id == one->id) {
			one->index = i;
			return true;
		}
	reply_error(reply, 404, "no-such-flow", "there is no flow %" PRIu64,
		    one->id);
	return false;
}

/* -------------------------------------------------------------------- journal
 */

static const char *id_at(const struct api *api, const struct journal_record *r,
			 struct board_backend *row)
{
	memset(row, 0, sizeof(*row));
	(void)board_read_backend(api->board, r->service, r->backend, row);
	return endpoint_equal(&row->addr, &r->flow.backend) ? row->id : "";
}

static void put_record(struct json_writer *w, const struct api *api,
		       const struct journal_record *r, uint64_t opened_ns)
{
	const uint64_t ns = r->time_ns > opened_ns ? r->time_ns - opened_ns : 0;
	char address[ENDPOINT_TEXT_MAX];
	struct board_backend row;

	json_put_object(w, NULL);
	json_put_number(w, "seq", r->seq);
	json_put_real(w, "t_s", (double)ns / 1e9, 6);
	json_put_text(w, "what", journal_kind_name((enum journal_kind)r->kind));
	json_put_text(w, "backend", id_at(api, r, &row));
	json_put_text(w, "address", endpoint_format(&r->flow.backend, address));
	if (r->kind == JOURNAL_ENDED)
		json_put_text(w, "why",
			      flow_end_name((enum flow_end)r->reason));
	else
		json_put_text(w, "why", note_why_name(r->flow.why));
	json_put_end(w);
}

static void put_events(struct json_writer *w, const struct api *api,
		       const struct one *one)
{
	struct journal_cursor at = journal_seek(api->journal, 0);
	/* What is written while we read is not waited for. */
	const uint64_t last = journal_reader_written(api->journal);
	struct journal_record r;
	enum journal_got got;
	uint64_t lost;

	json_put_array(w, "events");
	while (at.next <= last) {
		got = journal_next(api->journal, &at, &r, &lost);
		if (got == JOURNAL_NONE)
			break;
		if (got == JOURNAL_RECORD && journal_is_flow(&r) &&
		    r.kind != JOURNAL_REFUSED && r.id == one->id)
			put_record(w, api, &r, one->flow.opened_ns);
	}
	json_put_end(w);
}

static void show(struct api *api, const struct request *request,
		 struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	const char *service, *backend;
	struct flow_names *names;
	struct one one;

	if (!read_id(request, &one.id, reply) || !find(api, &one, reply))
		return;
	names = flow_names_new(api);
	if (!names) {
		reply_error(reply, 503, "no-memory", "out of memory");
		return;
	}
	flow_names_of(names, &one.flow, &service, &backend);
	json_put_object(&w, NULL);
	json_put_flow(&w, service, backend, one.index, &one.flow, &one.note,
		      clock_now_ns());
	put_events(&w, api, &one);
	json_put_end(&w);
	flow_names_free(names);
}

/* ------------------------------------------------------------------------ end
 */

static void kill_it(struct api *api, const struct request *request,
		    struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct answer answer = {0};
	struct one one;
	char line[64];

	if (!read_id(request, &one.id, reply) || !find(api, &one, reply))
		return;
	snprintf(line, sizeof(line), "flow kill %" PRIu64, one.id);
	if (request->dry_run ||
	    change_command(api, request, line, ASK_COMMIT_MS, &answer, reply)) {
		reply->status = request->dry_run ? 200 : 202;
		json_put_object(&w, NULL);
		json_put_number(&w, "id", one.id);
		json_put_text(&w, "state", request->dry_run ? "open" : "reset");
		json_put_end(&w);
	}
	answer_free(&answer);
}

static const struct route_value dry[] = {
	{"dry_run", VALUE_FLAG, "only look whether it is there"},
	{0},
};

const struct route flow_routes[] = {
	{METHOD_GET, "/lb/flows/{id}", show,
	 .summary = "One connection, and what the journal has of it"},
	{METHOD_DELETE, "/lb/flows/{id}", kill_it, dry, NULL, ROUTE_WRITES,
	 "Reset both sides of a connection"},
	{0},
};
