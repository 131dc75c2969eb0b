/* SPDX-License-Identifier: MIT */
/* scrape.c - the board's numbers for programs that collect such */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "api/csv.h"
#include "api/flow_log.h"
#include "api/http.h"
#include "api/json.h"
#include "api/metrics.h"
#include "api/routes.h"
#include "api/snapshot.h"
#include "clock.h"

/* False: @reply has the error. */
static bool take(struct snapshot *shot, struct api *api, struct reply *reply)
{
	const int ret = snapshot_take(shot, api->board);

	if (ret == 0)
		return true;
	snapshot_free(shot);
	if (ret == -EAGAIN)
		reply_error(reply, 503, "not-ready",
			    "l4lb has not shown anything yet; try again");
	else
		reply_error(reply, 503, "out-of-memory",
			    "there is no memory for the answer");
	return false;
}

/* ------------------------------------------------------------ GET /metrics */

static void count_flows(const struct api *api, uint32_t high,
			uint64_t by_state[TCP_STATES])
{
	const uint32_t end = flows_reader_end(api->flows, high);
	struct flow flow;

	for (uint32_t i = 0; i < end; i++) {
		if (flows_read(api->flows, i, &flow, NULL) &&
		    flow.tcp.state < TCP_STATES)
			by_state[flow.tcp.state]++;
	}
}

static void print_metrics(struct api *api, const struct snapshot *shot,
			  unsigned what, struct text *out)
{
	uint64_t flows[TCP_STATES] = {0};
	struct flow_log_status log;
	struct metrics_source from = {
		.shot = shot,
		.now_ns = clock_now_ns(),
		.replies = api->replies,
		.n_replies = API_STATUS_MAX,
	};

	if (api->flows && what & METRICS_GLOBAL) {
		count_flows(api, shot->global.flows_high, flows);
		from.flows = flows;
	}
	if (api->flow_log) {
		flow_log_status(api->flow_log, &log);
		from.log = &log;
	}
	metrics_print(out, &from, what);
}

static void answer_json(struct api *api, const struct request *request,
			struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	const struct service_counters *all;
	struct board_global global;

	(void)request;
	if (!board_read_global(api->board, &global)) {
		reply_error(reply, 503, "not-ready",
			    "l4lb has not shown anything yet; try again");
		return;
	}
	all = &global.requests;
	json_put_object(&w, NULL);
	json_put_number(&w, "total_requests", all->requests);
	json_put_number(&w, "success_requests", all->succeeded);
	json_put_number(&w, "failed_requests", all->failed);
	json_put_number(&w, "pending_requests", all->pending);
	json_put_end(&w);
}

static void answer_metrics(struct api *api, const struct request *request,
			   struct reply *reply)
{
	struct snapshot shot;
	unsigned what;
	struct err err;

	if (metrics_what(request_query(request, "scope"),
			 request_query(request, "histograms"), &what, &err)) {
		reply_error(reply, 400, "bad-query", "%s", err.text);
		return;
	}
	if (strstr(request->accept, "application/json")) {
		answer_json(api, request, reply);
		return;
	}
	if (!take(&shot, api, reply))
		return;
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
	print_metrics(api, &shot, what, &reply->body);
	snapshot_free(&shot);
}

/* ------------------------------------------------------- GET /lb/stats.csv */

static void answer_csv(struct api *api, const struct request *request,
		       struct reply *reply)
{
	struct snapshot shot;

	(void)request;
	if (!take(&shot, api, reply))
		return;
	reply->type = "text/plain; charset=utf-8";
	csv_print(&reply->body, &shot, clock_now_ns());
	snapshot_free(&shot);
}

static const struct route_value metrics_query[] = {
	{"scope", VALUE_TEXT,
	 "which metrics: global, service, backend, with commas; all by "
	 "default"},
	{"histograms", VALUE_TEXT, "0 leaves the histograms out"},
	{0},
};

const struct route scrape_routes[] = {
	{METHOD_GET, "/metrics", answer_metrics, .query = metrics_query,
	 .summary = "Metrics in Prometheus's text format; three of them as "
		    "JSON with Accept: application/json"},
	{METHOD_GET, "/metrics.json", answer_json,
	 .summary = "Connections so far: total, successful, failed, pending"},
	{METHOD_GET, "/lb/stats.csv", answer_csv,
	 .summary = "Services and backends in the columns of HAProxy's CSV"},
	{METHOD_GET, "/;csv", answer_csv,
	 .summary = "The same, where programs for HAProxy look for it"},
	{0},
};
