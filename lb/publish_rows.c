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
		.changed_ns = p->changed_ns,
		.hups = p->hups,
		.reloads_ok = p->reloads_ok,
		.reloads_failed = p->reloads_failed,
		.flows_opened = flows->opened,
		.flows_used = flows->used,
		.flows_size = flows->size,
		.flows_high = flows->fresh,
		.services = engine_services(app->engine),
		.taps = publish_taps(app),
		.journal_written = journal_written(p->journal),
		.journal_skipped = p->skipped,
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
