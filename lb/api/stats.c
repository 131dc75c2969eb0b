/* SPDX-License-Identifier: MIT */
/* stats.c - GET /lb/stats: what all of l4lb has done so far */
#include <stdlib.h>

#include "api/api.h"
#include "api/flow_log.h"
#include "api/json.h"
#include "api/look.h"
#include "api/routes.h"
#include "clock.h"
#include "core/sched.h"
#include "core/time.h"

/* What is added up of all backends. */
struct sums {
	unsigned backends, healthy;
	uint64_t answered, failed, handshakes, handshake_ns;
	bool open, half_open; /* any breaker is */
};

/* The words of another balancer, whose users ask the same address. */
static const char *balancer_name(unsigned scheduler)
{
	static const char *const names[SCHED_KINDS] = {
		[SCHED_RR] = "RoundRobinBalancer",
		[SCHED_WRR] = "WeightedRoundRobinBalancer",
		[SCHED_LC] = "LeastConnectionsBalancer",
		[SCHED_WLC] = "WlcBalancer",
		[SCHED_HASH] = "IPHashBalancer",
		[SCHED_MAGLEV] = "MaglevBalancer",
		[SCHED_P2C] = "P2cBalancer",
	};

	return scheduler < SCHED_KINDS ? names[scheduler] : "?";
}

static void add_backend(struct sums *sums, const struct board_backend *b)
{
	sums->backends += b->slot == SLOT_LIVE;
	sums->healthy += b->slot == SLOT_LIVE && look_is_healthy(b);
	sums->answered += b->counters.answered;
	sums->failed += b->counters.failed;
	sums->handshakes += histogram_total(&b->counters.handshake);
	sums->handshake_ns += b->counters.handshake.sum_ns;
	sums->open |= b->breaker == BREAKER_OPEN;
	sums->half_open |= b->breaker == BREAKER_HALF_OPEN;
}

/* ------------------------------------------------------------------ services
 */

static const char *check_name(const struct board_service *s)
{
	static const char *const names[] = {"syn", "tcp", "http", "expect"};

	if (!s->checked)
		return "none";
	return s->check < sizeof(names) / sizeof(*names) ? names[s->check]
							 : "?";
}

static void put_refused(struct json_writer *w, const struct service_counters *c)
{
	json_put_object(w, "refused");
	for (unsigned i = 0; i < DROP_REASONS; i++)
		if (c->refused[i])
			json_put_number(w, drop_name((enum drop_reason)i),
					c->refused[i]);
	json_put_end(w);
}

static void put_requests(struct json_writer *w,
			 const struct service_counters *c)
{
	const uint64_t finished = c->succeeded + c->failed;

	json_put_number(w, "total_requests", c->requests);
	json_put_number(w, "successful_requests", c->succeeded);
	json_put_number(w, "failed_requests", c->failed);
	json_put_number(w, "pending_requests", c->pending);
	json_put_real(w, "success_rate",
		      finished ? (double)c->succeeded / (double)finished : 1.0,
		      4);
}

static void put_service(struct json_writer *w, const struct api *api,
			unsigned service, const struct board_service *s,
			struct sums *all)
{
	char listen[ENDPOINT_TEXT_MAX];
	struct sums sums = {0};
	struct board_backend b;

	for (unsigned k = 0; k < s->n_backends; k++)
		if (look_backend(api, service, k, &b)) {
			add_backend(&sums, &b);
			add_backend(all, &b);
		}
	json_put_object(w, NULL);
	json_put_text(w, "name", s->name);
	json_put_text(w, "listen", endpoint_format(&s->listen, listen));
	json_put_text(w, "state", s->slot == SLOT_LEAVING ? "leaving" : "live");
	json_put_text(w, "scheduler",
		      sched_name((enum sched_kind)s->scheduler));
	json_put_text(w, "check", check_name(s));
	json_put_flag(w, "away", s->away);
	json_put_number(w, "backends", sums.backends);
	json_put_number(w, "backends_up", sums.healthy);
	json_put_number(w, "flows", s->flows);
	json_put_number(w, "half_open", s->half_open);
	json_put_number(w, "half_open_limit", s->half_open_limit);
	put_requests(w, &s->counters);
	put_refused(w, &s->counters);
	json_put_end(w);
}

/* Returns the name for the scheduler of the first service. */
static const char *put_services(struct json_writer *w, const struct api *api,
				unsigned n, struct sums *sums)
{
	const char *balancer = NULL;
	struct board_service s;

	json_put_array(w, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (!look_service(api, i, &s))
			continue;
		if (!balancer && s.slot == SLOT_LIVE)
			balancer = balancer_name(s.scheduler);
		put_service(w, api, i, &s, sums);
	}
	json_put_end(w);
	return balancer;
}

/* ---------------------------------------------------- what the others call so
 */

static void put_breaker(struct json_writer *w, const struct sums *sums)
{
	json_put_object(w, "circuit_breaker");
	json_put_text(w, "state",
		      sums->open	? "open"
		      : sums->half_open ? "half_open"
					: "closed");
	json_put_number(w, "failure_count", sums->failed);
	json_put_number(w, "success_count", sums->answered);
	json_put_end(w);
}

/* SYNs that the gate of overload took (core/syn_gate.h) were no requests. */
static void put_limiter(struct json_writer *w, const struct service_counters *c)
{
	const uint64_t rejected = c->refused[DROP_SYN_OVERLOAD];

	json_put_object(w, "rate_limiter");
	json_put_text(w, "type", "token_bucket");
	json_put_number(w, "total_requests", c->requests + rejected);
	json_put_number(w, "allowed_requests", c->requests);
	json_put_number(w, "rejected_requests", rejected);
	json_put_end(w);
}

static void put_backends(struct json_writer *w, const char *balancer,
			 const struct sums *sums)
{
	json_put_object(w, "backends");
	json_put_text(w, "algorithm", balancer);
	json_put_number(w, "total_backends", sums->backends);
	json_put_number(w, "healthy_backends", sums->healthy);
	json_put_number(w, "unhealthy_backends",
			sums->backends - sums->healthy);
	json_put_end(w);
}

/* ---------------------------------------------------------------- what is ours
 */

static void put_drops(struct json_writer *w, const struct engine_counters *c)
{
	json_put_object(w, "drops");
	for (unsigned i = 0; i < DROP_REASONS; i++)
		json_put_number(w, drop_name((enum drop_reason)i),
				c->dropped[i]);
	json_put_end(w);
}

static void put_packets(struct json_writer *w, const struct engine_counters *c)
{
	json_put_object(w, "packets");
	json_put_number(w, "received", c->received);
	json_put_number(w, "forwarded", c->forwarded);
	json_put_number(w, "consumed", c->consumed);
	json_put_number(w, "originated", c->originated);
	json_put_end(w);
}

static void put_table(struct json_writer *w, const struct board_global *g)
{
	json_put_object(w, "flows");
	json_put_number(w, "used", g->flows_used);
	json_put_number(w, "size", g->flows_size);
	json_put_number(w, "opened", g->flows_opened);
	json_put_number(w, "redispatched", g->engine.redispatched);
	json_put_number(w, "expired", g->engine.expired);
	json_put_number(w, "recycled",
			g->engine.recycled_closed +
				g->engine.recycled_half_open +
				g->engine.recycled_half_closed);
	json_put_end(w);
}

static void put_ports(struct json_writer *w, const struct board_fullest *f)
{
	char source[ADDR_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];

	json_put_object(w, "ports");
	json_put_real(w, "worst_used", f->used_percent / 100.0, 2);
	if (addr_is_set(&f->source)) {
		json_put_text(w, "source", addr_format(&f->source, source));
		json_put_text(w, "backend",
			      endpoint_format(&f->backend, backend));
	}
	json_put_end(w);
}

static void put_rings(struct json_writer *w, const struct board_global *g)
{
	static const char *const names[BOARD_RINGS] = {"flows", "syns"};

	json_put_array(w, "rings");
	for (unsigned i = 0; i < BOARD_RINGS; i++) {
		json_put_object(w, NULL);
		json_put_text(w, "ring", names[i]);
		json_put_number(w, "captured", g->rings[i].captured);
		json_put_number(w, "dropped", g->rings[i].dropped);
		json_put_end(w);
	}
	json_put_end(w);
}

static void put_flow_log(struct json_writer *w, const struct api *api)
{
	struct flow_log_status status;

	if (!api->flow_log) {
		json_put_null(w, "flow_log");
		return;
	}
	flow_log_status(api->flow_log, &status);
	json_put_object(w, "flow_log");
	json_put_number(w, "lines", status.lines);
	json_put_number(w, "lost", status.lost);
	json_put_number(w, "errors", status.errors);
	json_put_flag(w, "failing", status.failing);
	json_put_text(w, "trouble", status.trouble);
	json_put_end(w);
}

static void put_process(struct json_writer *w, const struct api *api,
			const struct board_global *g)
{
	const struct board_head *head = board_reader_head(api->board);

	json_put_object(w, "journal");
	json_put_number(w, "records", head->journal_records);
	json_put_number(w, "written", g->journal_written);
	json_put_number(w, "skipped", g->journal_skipped);
	json_put_end(w);
	json_put_object(w, "loop");
	json_put_real(w, "busy", g->loop.busy_ppm / 1e6, 4);
	json_put_real(w, "recent_ms", (double)g->loop.recent_ns / 1e6, 3);
	json_put_real(w, "longest_ms", (double)g->loop.longest_ns / 1e6, 3);
	json_put_end(w);
	json_put_object(w, "reloads");
	json_put_number(w, "ok", g->reloads_ok);
	json_put_number(w, "failed", g->reloads_failed);
	json_put_end(w);
	json_put_text(w, "datapath", g->datapath);
	json_put_flag(w, "stopping", g->stopping);
}

static void stats(struct api *api, const struct request *request,
		  struct reply *reply)
{
	const struct board_head *head = board_reader_head(api->board);
	struct json_writer w = json_writer(&reply->body);
	struct json_writer services;
	struct text listed = {0};
	struct sums sums = {0};
	struct board_global g;
	const char *balancer;

	(void)request;
	if (!board_read_global(api->board, &g)) {
		reply_error(reply, 503, "no-answer",
			    "l4lb has shown nothing yet");
		return;
	}
	/* The rows are read before what is added up of them is said. */
	services = json_writer(&listed);
	balancer = put_services(&services, api, g.services, &sums);

	json_put_object(&w, NULL);
	json_put_text(&w, "load_balancer", balancer);
	put_requests(&w, &g.requests);
	if (sums.handshakes)
		json_put_real(&w, "average_response_time",
			      (double)sums.handshake_ns /
				      (double)sums.handshakes / NS_PER_MS,
			      3);
	else
		json_put_number(&w, "average_response_time", 0);
	put_breaker(&w, &sums);
	put_limiter(&w, &g.requests);
	put_backends(&w, balancer, &sums);
	json_put_text(&w, "name", head->name);
	json_put_text(&w, "version", head->release);
	json_put_number(&w, "uptime_s", look_uptime_s(api, clock_now_ns()));
	json_put_number(&w, "generation", g.generation);
	json_put_json(&w, "services", text_get(&listed));
	put_table(&w, &g);
	put_packets(&w, &g.engine);
	put_drops(&w, &g.engine);
	put_ports(&w, &g.fullest);
	put_rings(&w, &g);
	put_process(&w, api, &g);
	put_flow_log(&w, api);
	json_put_end(&w);
	reply->body.failed |= listed.failed;
	text_free(&listed);
}

const struct route stats_routes[] = {
	{METHOD_GET, "/lb/stats", stats,
	 .summary = "What l4lb and its services have done so far"},
	{0},
};
