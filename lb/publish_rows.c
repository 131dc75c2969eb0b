/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "core/time.h"
#include "core/view.h"
#include "publish_rows.h"

static_assert(BOARD_SERVICES == CONFIG_SERVICES_MAX, "a row for each");
static_assert(BOARD_SERVICES == ENGINE_SERVICES_MAX, "a row for each");
static_assert(BOARD_BACKENDS == SERVICE_BACKENDS_MAX, "a row for each");
static_assert(BOARD_NAME_MAX == CONFIG_NAME_MAX, "names fit");
static_assert(BOARD_TAPS == ARRIVALS_MAX, "a row for each");
static_assert(BOARD_RINGS == TAP_RINGS, "a number for each");
static_assert((int)BOARD_GUARD_KEEP == (int)GUARD_KEEP, "as configured");
static_assert((int)BOARD_GUARD_NONE == (int)GUARD_NONE, "as configured");

/* ------------------------------------------------------------------- global */

static struct board_loop loop_of(const struct app *app, uint64_t now_ns)
{
	const struct publish_second *s = &app->publish.second;
	const struct gauge *g = &app->watch.turn;

	return (struct board_loop){
		.busy_ns = g->busy_ns,
		.all_ns = now_ns - app->started_ns,
		.longest_ns = g->longest_ns,
		.recent_ns = s->longest_ns,
		.busy_ppm = s->busy_ppm,
	};
}

static struct board_fullest fullest_of(const struct app *app)
{
	const struct pool_view p = engine_fullest_pool(app->engine);

	return (struct board_fullest){
		.source = p.source,
		.backend = p.backend,
		.used_percent = (uint16_t)p.used_percent,
	};
}

void publish_row_global(struct app *app, uint64_t now_ns)
{
	const struct publish *p = &app->publish;
	const struct flow_table *flows = engine_flows(app->engine);
	struct board_global row = {
		.published_ns = now_ns,
		.wall_offset_ns = p->wall_offset_ns,
		.generation = app->change.generation,
		.rows_generation = app->publish.rows_generation,
		.changed_ns = p->changed_ns,
		.hups = p->hups,
		.reloads_ok = p->reloads_ok,
		.reloads_failed = p->reloads_failed,
		.flows_opened = flows->opened,
		.flows_used = flows->used,
		.flows_size = flows->size,
		.flows_high = flows->fresh,
		.services = engine_services(app->engine),
		.pools = publish_pools(app),
		.taps = publish_taps(app),
		.journal_written = journal_written(p->journal),
		.journal_skipped = p->skipped,
		.requests = *engine_request_counters(app->engine),
		.engine = *engine_counters(app->engine),
		.loop = loop_of(app, now_ns),
		.fullest = fullest_of(app),
		.guard = app->config.guard,
		.stopping = p->stopping,
		.datapath = "pcap",
	};

	memcpy(row.changed, p->changed, sizeof(row.changed));
	for (int ring = 0; ring < TAP_RINGS; ring++) {
		struct capture_stats stats;

		taps_stats(&app->taps, (enum tap_ring)ring, &stats);
		row.rings[ring] =
			(struct board_ring){stats.received, stats.dropped};
	}
	board_write_global(app->publish.board, &row);
}

/* ----------------------------------------------------------------- services */

static void fill_service(struct app *app, const struct service_view *v,
			 unsigned i, struct board_service *row)
{
	const struct publish_walk *w = &app->publish.walk;

	*row = (struct board_service){
		.slot = v->slot,
		.n_backends = v->n_backends,
		.listen = v->listen,
		.away = v->away,
		.reset_out_of_state = v->params.reset_out_of_state,
		.scheduler = v->params.scheduler,
		.checked = v->params.checked,
		.check = v->params.check.kind,
		.rise = v->params.health.rise,
		.fall = v->params.health.fall,
		.half_open = v->half_open,
		.half_open_limit = v->half_open_limit,
		.flows = w->flows,
		.live = w->live,
		.takes_flows = w->takes_flows,
		.up = w->up,
		.since_ns = v->since_ns,
		.counters = *engine_service_counters(app->engine, i),
	};
	if (i < app->config.n_services)
		memcpy(row->name, app->config.services[i].name,
		       sizeof(row->name));
}

void publish_row_service(struct app *app, unsigned service)
{
	const struct service_view v = engine_view_service(app->engine, service);
	struct board *board = app->publish.board;
	const struct board_service *last = board_last_service(board, service);
	struct board_service row;

	if (v.slot == SLOT_FREE) {
		row = *last;
		row.slot = SLOT_FREE;
	} else {
		fill_service(app, &v, service, &row);
	}
	if (memcmp(&row, last, sizeof(row)) != 0)
		board_write_service(board, service, &row);
}

/* ----------------------------------------------------------------- backends */

#define BACKEND_HEAD offsetof(struct board_backend, counters)

static const struct backend_config *config_of(const struct app *app, unsigned i,
					      unsigned k)
{
	const struct config *c = &app->config;

	return i < c->n_services && k < c->services[i].n_backends
		       ? &c->services[i].backends[k]
		       : NULL;
}

static enum board_health health_of(const struct backend_view *v)
{
	if (!v->up)
		return BOARD_DOWN;
	return v->proven ? BOARD_UP : BOARD_UNPROVEN;
}

/* All but the counters. */
static void fill_backend(struct app *app, const struct backend_view *v,
			 unsigned i, unsigned k, struct board_backend *row)
{
	const struct backend_config *c = config_of(app, i, k);

	memset(row, 0, BACKEND_HEAD);
	row->slot = v->slot;
	row->addr = v->addr;
	row->service = (uint16_t)i;
	row->source = v->source;
	row->alternate = v->alternate;
	row->weight = v->params.weight;
	row->backup = v->params.backup;
	row->admin = (uint8_t)v->params.admin;
	row->health = (uint8_t)health_of(v);
	row->breaker = (uint8_t)v->breaker;
	row->takes_flows = v->takes_flows;
	row->answered = v->answered;
	row->last = (uint8_t)v->last;
	row->checked = v->checked;
	row->check_streak = v->streak;
	row->backoff_ms = v->backoff_ms;
	row->flows = v->flows;
	row->refs = v->refs;
	row->since_ns = v->since_ns;
	row->downtime_ns = v->downtime_ns;
	if (c)
		memcpy(row->id, c->id, sizeof(row->id));
}

/*
 * The counters, which are most of a row, are compared where they are: of many
 * backends few have changed.
 */
static void write_backend(struct app *app, const struct backend_view *v,
			  unsigned i, unsigned k)
{
	const struct backend_counters *counters =
		engine_backend_counters(app->engine, i, k);
	struct board *board = app->publish.board;
	const struct board_backend *last = board_last_backend(board, i, k);
	struct board_backend row;

	fill_backend(app, v, i, k, &row);
	if (memcmp(&row, last, BACKEND_HEAD) == 0 &&
	    memcmp(counters, &last->counters, sizeof(*counters)) == 0)
		return;
	row.counters = *counters;
	board_write_backend(board, i, k, &row);
}

/* The rest of the row is what its last owner was. */
static void write_free(struct app *app, unsigned i, unsigned k)
{
	struct board *board = app->publish.board;
	struct board_backend row = *board_last_backend(board, i, k);

	if (row.slot == SLOT_FREE)
		return;
	row.slot = SLOT_FREE;
	board_write_backend(board, i, k, &row);
}

static void sum_up(struct publish_walk *w, const struct backend_view *v)
{
	w->flows += v->flows;
	w->live += v->slot == SLOT_LIVE;
	w->takes_flows += v->takes_flows;
	w->up += v->slot == SLOT_LIVE && v->up && v->proven;
}

void publish_row_backend(struct app *app, unsigned service, unsigned backend,
			 uint64_t now_ns, struct publish_walk *sums)
{
	const struct backend_view v =
		engine_view_backend(app->engine, service, backend, now_ns);

	if (sums)
		sum_up(sums, &v);
	if (v.slot == SLOT_FREE)
		write_free(app, service, backend);
	else
		write_backend(app, &v, service, backend);
}

/* ------------------------------------------------------- pools, interfaces */

unsigned publish_pools(const struct app *app)
{
	const unsigned n = engine_pools(app->engine);

	return n < BOARD_POOLS_MAX ? n : BOARD_POOLS_MAX;
}

void publish_row_pool(struct app *app, unsigned pool)
{
	const struct pool_view v = engine_view_pool(app->engine, pool);
	const struct board_pool row = {
		.source = v.source,
		.backend = v.backend,
		.holders = (uint16_t)v.holders,
		.size = v.size,
		.used = v.used,
		.recyclable = v.recyclable,
	};

	board_write_pool(app->publish.board, pool, &row);
}

unsigned publish_taps(const struct app *app)
{
	return app->taps.arrivals.n;
}

void publish_row_tap(struct app *app, unsigned tap)
{
	const struct arrival *a = &app->taps.arrivals.at[tap];
	struct board_tap row = {.captured = {0}};

	memcpy(row.interface, a->name, sizeof(row.interface));
	for (int ring = 0; ring < TAP_RINGS; ring++)
		row.captured[ring] = a->frames[ring];
	board_write_tap(app->publish.board, tap, &row);
}
