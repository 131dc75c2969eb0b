/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "clock.h"
#include "core/time.h"
#include "core/view.h"
#include "publish_rows.h"
#include "steps.h"

#define ROUND_NS (100 * NS_PER_MS)
/* Rounds that begin at once, and the turns of a long one. */
#define SOON_NS (10 * NS_PER_MS)
#define PART_NS (2 * NS_PER_MS)

int publish_board_fd(const struct app *app)
{
	return board_fd(app->publish.board);
}

int publish_journal_fd(const struct app *app)
{
	return journal_fd(app->publish.journal);
}

int publish_notes_fd(const struct app *app)
{
	return app->publish.notes.fd;
}

/* ------------------------------------------------------------- start, end */

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int make_memory(struct app *app, struct err *err)
{
	struct publish *p = &app->publish;
	const uint32_t records = app->config.api.journal;
	const struct board_spec spec = {
		.name = app->config.name,
		.services = BOARD_SERVICES,
		.backends = BOARD_BACKENDS,
		.pools = BOARD_POOLS_MAX,
		.taps = BOARD_TAPS,
		.flows = app->config.flows,
		.journal_records = records,
		.pid = getpid(),
		.started_ns = app->started_ns,
		.started_wall_ns = wall_ns(),
	};
	int ret = board_open(&p->board, &spec, err);

	if (!ret)
		ret = journal_open(&p->journal, records, err);
	if (!ret)
		ret = shared_make(&p->notes, "l4lb-notes",
				  app->config.flows * sizeof(struct flow_note),
				  err);
	return ret;
}

static void free_memory(struct publish *p)
{
	board_close(p->board);
	journal_close(p->journal);
	shared_free(&p->notes);
	*p = (struct publish){.board = NULL};
}

static int start(struct app *app, struct err *err)
{
	int ret = make_memory(app, err);

	if (ret) {
		free_memory(&app->publish);
		return ret;
	}
	app->publish.second.at_ns = clock_now_ns();
	app->publish.wall_offset_ns =
		(int64_t)(wall_ns() - app->publish.second.at_ns);
	publish_operator(app, OPERATOR_STARTED, "", L4LB_VERSION);
	return 0;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	free_memory(&app->publish);
}

const struct step step_publish = {"publish", start, stop};

/* --------------------------------------------------------------- the rounds */

/* The time of day may be set, and interfaces come and go. */
static void each_second(struct app *app, uint64_t now_ns)
{
	struct publish_second *s = &app->publish.second;
	const uint64_t passed_ns = now_ns - s->at_ns;
	uint64_t busy_ns;

	if (passed_ns < NS_PER_S)
		return;
	watch_take_second(app, &busy_ns, &s->longest_ns);
	s->busy_ppm = (uint32_t)((busy_ns - s->busy_ns) * 1000000 / passed_ns);
	s->at_ns = now_ns;
	s->busy_ns = busy_ns;
	app->publish.wall_offset_ns = (int64_t)(wall_ns() - now_ns);
}

static void begin_service(struct publish_walk *w, unsigned service)
{
	w->service = service;
	w->backend = 0;
	w->flows = w->live = w->takes_flows = w->up = 0;
}

/*
 * Slots to walk: those in use, and those that were when they were shown last,
 * since the last ones of a table are no longer in use once they are free.
 */
static unsigned services(struct app *app)
{
	const unsigned n = engine_services(app->engine);

	if (n > app->publish.services)
		app->publish.services = n;
	return app->publish.services;
}

static unsigned backends(const struct app *app, unsigned service)
{
	const struct board_service *last =
		board_last_service(app->publish.board, service);
	const unsigned n = service < engine_services(app->engine)
				   ? engine_backends(app->engine, service)
				   : 0;

	return n > last->n_backends ? n : last->n_backends;
}

/* Writes the next row; false: that was the last. */
static bool write_next(struct app *app, uint64_t now_ns)
{
	struct publish_walk *w = &app->publish.walk;

	if (w->service < services(app)) {
		if (w->backend < backends(app, w->service)) {
			publish_row_backend(app, w->service, w->backend++,
					    now_ns, w);
		} else {
			publish_row_service(app, w->service);
			begin_service(w, w->service + 1);
		}
	} else if (w->pool < publish_pools(app)) {
		publish_row_pool(app, w->pool++);
	} else if (w->tap < publish_taps(app)) {
		publish_row_tap(app, w->tap++);
	} else {
		return false;
	}
	return true;
}

/* These do not wait until a long round comes to them. */
static void write_urgent(struct app *app, uint64_t now_ns)
{
	struct publish *p = &app->publish;

	for (unsigned i = 0; i < p->n_urgent; i++)
		publish_row_backend(app, p->urgent[i].service,
				    p->urgent[i].backend, now_ns, NULL);
	p->n_urgent = 0;
}

/* Whoever has changed something waits for this, and then reads the rows. */
static void end_round(struct app *app, uint64_t now_ns)
{
	struct publish *p = &app->publish;

	p->walk.runs = false;
	if (p->rows_generation == p->round_generation)
		return;
	p->rows_generation = p->round_generation;
	publish_row_global(app, now_ns);
}

static void begin_round(struct app *app, uint64_t now_ns)
{
	struct publish *p = &app->publish;
	const bool pools = now_ns - p->pools_ns >= NS_PER_S;

	p->walk = (struct publish_walk){
		.runs = true,
		.pool = pools ? 0 : UINT_MAX,
		.tap = pools ? 0 : UINT_MAX,
	};
	p->round_ns = now_ns;
	p->round_generation = app->change.generation;
	p->soon = false;
	if (pools)
		p->pools_ns = now_ns;
}

/* When the next round is to begin. */
static uint64_t due_ns(const struct publish *p)
{
	return p->round_ns + (p->soon ? SOON_NS : ROUND_NS);
}

uint64_t publish_turn(struct app *app)
{
	struct publish *p = &app->publish;
	const uint64_t now_ns = clock_now_ns();

	p->turn_ns = now_ns;
	write_urgent(app, now_ns);
	if (!p->walk.runs && now_ns < due_ns(p))
		return due_ns(p);
	each_second(app, now_ns);
	if (!p->walk.runs)
		begin_round(app, now_ns);
	else if (now_ns < p->part_ns)
		return p->part_ns;
	if (now_ns - p->global_ns >= SOON_NS) {
		p->global_ns = now_ns;
		publish_row_global(app, now_ns);
	}
	for (unsigned n = 0; n < PUBLISH_ROWS && p->walk.runs; n++)
		if (!write_next(app, now_ns))
			end_round(app, now_ns);
	p->part_ns = now_ns + PART_NS;
	return p->walk.runs ? p->part_ns : due_ns(p);
}

void publish_all(struct app *app)
{
	const uint64_t now_ns = clock_now_ns();

	app->publish.pools_ns = 0;
	begin_round(app, now_ns);
	publish_row_global(app, now_ns);
	while (write_next(app, now_ns))
		;
	end_round(app, now_ns);
}

void publish_soon(struct app *app)
{
	app->publish.soon = true;
}

void publish_soon_backend(struct app *app, unsigned service, unsigned backend)
{
	struct publish *p = &app->publish;

	p->soon = true;
	if (p->n_urgent < PUBLISH_ROWS)
		p->urgent[p->n_urgent++] = (struct publish_place){
			(uint16_t)service, (uint16_t)backend};
}
