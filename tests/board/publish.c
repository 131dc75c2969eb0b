/* SPDX-License-Identifier: MIT */
/*
 * publish.c - what l4lb shows, turn by turn, on a clock of the test's own
 */
#include "app.h"
#include "board/board.h"
#include "clock.h"
#include "core/change.h"
#include "core/time.h"
#include "core/view.h"
#include "frames.h"
#include "reader.h"
#include "steps.h"

#define FLOWS 64
#define PORTS 64

static uint64_t now_ns;

/* Instead of those of lb/, which need the whole program. */
uint64_t clock_now_ns(void)
{
	return now_ns;
}

void watch_take_second(struct app *app, uint64_t *busy_ns, uint64_t *longest_ns)
{
	*busy_ns = app->watch.turn.busy_ns;
	*longest_ns = app->watch.turn.second_ns;
}

void taps_stats(const struct taps *t, enum tap_ring ring,
		struct capture_stats *out)
{
	*out = t->judged[ring];
}

struct fixture {
	struct app *app;
	struct flow *flows;
	struct board_reader *board;
	struct journal_reader *journal;
	struct journal_cursor cursor;
};

static struct endpoint backend_of(unsigned i, unsigned k)
{
	struct endpoint e = frame_endpoint("198.18.1.0", 9001);

	e.addr.b[14] = (uint8_t)(1 + i);
	e.addr.b[15] = (uint8_t)k;
	return e;
}

static void configure(struct config *c, unsigned services, unsigned backends)
{
	snprintf(c->name, sizeof(c->name), "test");
	c->flows = FLOWS;
	c->api.journal = JOURNAL_RECORDS_MIN * 4;
	c->n_services = services;
	c->services = calloc(services, sizeof(*c->services));
	for (unsigned i = 0; i < services; i++) {
		struct service_config *s = &c->services[i];

		s->slot = SLOT_LIVE;
		snprintf(s->name, sizeof(s->name), "service%u", i);
		s->listen = frame_endpoint("198.18.0.1", (uint16_t)(20000 + i));
		s->params = (struct service_params)SERVICE_PARAMS_DEFAULT;
		s->params.checked = false;
		s->n_backends = backends;
		s->backends = calloc(backends, sizeof(*s->backends));
		for (unsigned k = 0; k < backends; k++) {
			struct backend_config *b = &s->backends[k];

			b->slot = SLOT_LIVE;
			snprintf(b->id, sizeof(b->id), "b%u-%u", i, k);
			b->addr = backend_of(i, k);
			b->params =
				(struct backend_params)BACKEND_PARAMS_DEFAULT;
		}
	}
}

static void make_engine(struct app *app, struct flow *flows)
{
	const struct config *c = &app->config;
	struct service_spec *services = calloc(64, sizeof(*services));
	struct backend_spec *backends = calloc(64ul * 256, sizeof(*backends));
	uint16_t ports[PORTS];
	struct engine_spec spec = {
		.n_services = c->n_services,
		.services = services,
		.pools_max = 64 * 256,
		.ports = ports,
		.n_ports = PORTS,
		.n_flows = FLOWS,
		.flows = flows,
		.notes = app->publish.notes.at,
		.timeouts = ENGINE_TIMEOUTS_DEFAULT,
		.seed = 1,
	};
	struct err err;

	for (unsigned p = 0; p < PORTS; p++)
		ports[p] = (uint16_t)(10240 + p);
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		services[i] = (struct service_spec){
			.listen = s->listen,
			.params = s->params,
			.n_backends = s->n_backends,
			.backends = &backends[i * 256],
		};
		for (unsigned k = 0; k < s->n_backends; k++)
			backends[i * 256 + k] = (struct backend_spec){
				.addr = s->backends[k].addr,
				.params = s->backends[k].params,
				.n_sources = 1,
				.sources = {s->listen.addr},
			};
	}
	ck_assert_msg(engine_new(&app->engine, &spec, now_ns, &err) == 0, "%s",
		      err.text);
	free(services);
	free(backends);
}

static struct fixture make(unsigned services, unsigned backends)
{
	struct fixture f = {.app = calloc(1, sizeof(*f.app))};
	const void *at;
	size_t bytes;
	struct err err;

	now_ns = 1000 * NS_PER_S;
	f.app->started_ns = now_ns;
	configure(&f.app->config, services, backends);
	ck_assert_int_eq(step_publish.start(f.app, &err), 0);
	f.flows = aligned_alloc(64, FLOWS * sizeof(*f.flows));
	memset(f.flows, 0, FLOWS * sizeof(*f.flows));
	make_engine(f.app, f.flows);
	at = map_whole(publish_board_fd(f.app), 0, &bytes);
	ck_assert_int_eq(board_reader_open(at, bytes, &f.board, &err), 0);
	at = map_whole(publish_journal_fd(f.app), 0, &bytes);
	ck_assert_int_eq(journal_reader_open(at, bytes, &f.journal, &err), 0);
	f.cursor = journal_seek(f.journal, 1);
	return f;
}

static void unmake(struct fixture *f)
{
	struct config *c = &f->app->config;

	board_reader_close(f->board);
	journal_reader_close(f->journal);
	engine_free(f->app->engine);
	step_publish.stop(f->app, false);
	for (unsigned i = 0; i < c->n_services; i++)
		free(c->services[i].backends);
	free(c->services);
	free(f->flows);
	free(f->app);
}

static struct journal_record next_record(struct fixture *f)
{
	struct journal_record r;
	uint64_t lost;

	ck_assert_int_eq(journal_next(f->journal, &f->cursor, &r, &lost),
			 JOURNAL_RECORD);
	return r;
}

/* Backends and services that are shown as live. */
static unsigned shown(const struct fixture *f)
{
	struct board_service service;
	struct board_backend backend;
	unsigned n = 0;

	for (unsigned i = 0; i < BOARD_SERVICES; i++) {
		n += board_read_service(f->board, i, &service);
		for (unsigned k = 0; k < BOARD_BACKENDS; k++)
			n += board_read_backend(f->board, i, k, &backend);
	}
	return n;
}

START_TEST(a_long_round_takes_64_rows_in_each_turn)
{
	struct fixture f = make(3, 100);
	struct board_service service;
	struct board_backend backend;
	struct board_global global;
	struct board_pool pool;
	unsigned turns = 0, before = 0;

	ck_assert(!board_read_global(f.board, &global));
	while (before < 303) {
		const uint64_t again_ns = publish_turn(f.app);
		const unsigned rows = shown(&f);

		ck_assert_uint_le(rows - before, PUBLISH_ROWS);
		before = rows;
		turns++;
		/* Nothing happens before the time that it has asked for. */
		ck_assert_uint_gt(again_ns, now_ns);
		now_ns = again_ns - 1;
		ck_assert_uint_eq(publish_turn(f.app), again_ns);
		ck_assert_uint_eq(shown(&f), before);
		now_ns = again_ns;
	}
	ck_assert_uint_eq(turns, (303 + PUBLISH_ROWS - 1) / PUBLISH_ROWS);
	ck_assert(board_read_global(f.board, &global));
	ck_assert_uint_eq(global.services, 3);
	ck_assert_uint_eq(global.flows_size, FLOWS);
	ck_assert(board_read_service(f.board, 2, &service));
	ck_assert_str_eq(service.name, "service2");
	ck_assert_uint_eq(service.n_backends, 100);
	ck_assert_uint_eq(service.live, 100);
	ck_assert_uint_eq(service.takes_flows, 100);
	ck_assert(board_read_backend(f.board, 1, 99, &backend));
	ck_assert_str_eq(backend.id, "b1-99");
	ck_assert_uint_eq(backend.service, 1);
	publish_all(f.app);
	ck_assert(board_read_global(f.board, &global));
	ck_assert_uint_eq(global.pools, 300);
	ck_assert(board_read_pool(f.board, 299, &pool));
	ck_assert_uint_eq(pool.size, PORTS);
	ck_assert_uint_eq(pool.used, 0);
	unmake(&f);
}
END_TEST

START_TEST(a_backend_that_something_happens_to_does_not_wait)
{
	struct fixture f = make(64, 256);
	const struct backend_params drained = {.weight = 5,
					       .admin = ADMIN_DRAIN};
	struct board_backend backend;
	struct journal_record r;

	publish_all(f.app);
	now_ns += 100 * NS_PER_MS;
	(void)publish_turn(f.app); /* a round begins */
	engine_set_backend(f.app->engine, 63, 255, &drained, now_ns);
	publish_backend(f.app, BACKEND_DRAINED, 63, 255, CHECK_OK);
	ck_assert(board_read_backend(f.board, 63, 255, &backend));
	ck_assert_uint_eq(backend.admin, ADMIN_ENABLED);
	(void)publish_turn(f.app);
	ck_assert(board_read_backend(f.board, 63, 255, &backend));
	ck_assert_uint_eq(backend.admin, ADMIN_DRAIN);
	ck_assert_uint_eq(backend.weight, 5);
	ck_assert_uint_eq(next_record(&f).kind, JOURNAL_OPERATOR);
	r = next_record(&f);
	ck_assert_uint_eq(r.kind, JOURNAL_BACKEND);
	ck_assert_uint_eq(r.reason, BACKEND_DRAINED);
	ck_assert_uint_eq(r.service, 63);
	ck_assert_uint_eq(r.backend, 255);
	unmake(&f);
}
END_TEST

START_TEST(after_a_change_the_next_round_begins_at_once)
{
	struct fixture f = make(1, 2);
	struct board_global global;

	publish_all(f.app);
	ck_assert_uint_eq(publish_turn(f.app), now_ns + 100 * NS_PER_MS);
	f.app->change.generation++;
	publish_changed(f.app, "token@198.51.100.7");
	now_ns += 10 * NS_PER_MS;
	(void)publish_turn(f.app);
	ck_assert(board_read_global(f.board, &global));
	ck_assert_uint_eq(global.generation, 1);
	ck_assert_str_eq(global.changed, "token@198.51.100.7");
	ck_assert_uint_eq(global.published_ns, now_ns);
	unmake(&f);
}
END_TEST

START_TEST(a_slot_that_is_free_again_says_whose_it_was)
{
	struct fixture f = make(1, 2);
	struct board_backend backend;

	publish_all(f.app);
	engine_leave_backend(f.app->engine, 0, 1, LEAVE_RESET, now_ns);
	now_ns += 3600 * NS_PER_S;
	while (engine_tick(f.app->engine, now_ns, 1000) == now_ns)
		;
	engine_free_backend(f.app->engine, 0, 1);
	memset(&f.app->config.services[0].backends[1], 0,
	       sizeof(struct backend_config));
	publish_all(f.app);
	ck_assert(!board_read_backend(f.board, 0, 1, &backend));
	ck_assert_uint_eq(backend.slot, SLOT_FREE);
	ck_assert_str_eq(backend.id, "b0-1");
	ck_assert(board_read_backend(f.board, 0, 0, &backend));
	unmake(&f);
}
END_TEST

/* An hour later. */
static void free_last_service(struct fixture *f, unsigned service)
{
	struct engine *e = f->app->engine;

	engine_leave_service(e, service, LEAVE_RESET, now_ns);
	now_ns += 3600 * NS_PER_S;
	while (engine_tick(e, now_ns, 1000) == now_ns)
		;
	for (unsigned k = engine_backends(e, service); k-- > 0;)
		engine_free_backend(e, service, k);
	engine_free_service(e, service);
}

START_TEST(so_does_a_whole_service)
{
	struct fixture f = make(2, 3);
	struct board_service service;
	struct board_backend backend;

	publish_all(f.app);
	free_last_service(&f, 1);
	f.app->config.n_services = 1;
	publish_all(f.app);
	f.app->config.n_services = 2;
	ck_assert(!board_read_service(f.board, 1, &service));
	ck_assert_str_eq(service.name, "service1");
	for (unsigned k = 0; k < 3; k++)
		ck_assert(!board_read_backend(f.board, 1, k, &backend));
	ck_assert_str_eq(backend.id, "b1-2");
	ck_assert_uint_eq(shown(&f), 4);
	unmake(&f);
}
END_TEST

START_TEST(a_service_is_as_old_as_it_is_whoever_had_its_slot)
{
	struct fixture f = make(2, 3);
	const struct service_spec spec = {
		.listen = f.app->config.services[1].listen,
		.params = f.app->config.services[1].params,
	};
	struct board_service service;
	struct err err;

	publish_all(f.app);
	ck_assert(board_read_service(f.board, 1, &service));
	ck_assert_uint_eq(service.since_ns, now_ns);
	free_last_service(&f, 1);
	/* No row was written meanwhile. */
	ck_assert_int_eq(
		engine_prepare_service(f.app->engine, 1, &spec, now_ns, &err),
		0);
	engine_begin_changes(f.app->engine);
	engine_enter_service(f.app->engine, 1, now_ns);
	engine_end_changes(f.app->engine);
	publish_all(f.app);
	ck_assert(board_read_service(f.board, 1, &service));
	ck_assert_uint_eq(service.since_ns, now_ns);
	unmake(&f);
}
END_TEST

START_TEST(of_a_flood_a_thousand_refusals_a_second_are_recorded)
{
	struct fixture f = make(1, 1);
	const struct endpoint client = frame_endpoint("198.18.2.3", 4000);
	struct board_global global;
	struct journal_record r;

	(void)publish_turn(f.app);
	for (unsigned second = 0; second < 3; second++) {
		const uint64_t before = journal_written(f.app->publish.journal);

		for (unsigned n = 0; n < 5000; n++)
			publish_refused(f.app, 0, &client, DROP_TABLE_FULL);
		ck_assert_uint_eq(journal_written(f.app->publish.journal),
				  before + PUBLISH_REFUSALS);
		now_ns += NS_PER_S;
		(void)publish_turn(f.app);
	}
	publish_all(f.app);
	ck_assert(board_read_global(f.board, &global));
	ck_assert_uint_eq(global.journal_written, 1 + 3 * PUBLISH_REFUSALS);
	ck_assert_uint_eq(global.journal_skipped, 3 * 4000);
	(void)next_record(&f);
	r = next_record(&f);
	ck_assert_uint_eq(r.kind, JOURNAL_REFUSED);
	ck_assert_uint_eq(r.reason, DROP_TABLE_FULL);
	ck_assert(endpoint_equal(&r.flow.client, &client));
	ck_assert(
		endpoint_equal(&r.flow.vip, &f.app->config.services[0].listen));
	unmake(&f);
}
END_TEST

START_TEST(a_flow_is_recorded_with_its_note)
{
	struct fixture f = make(1, 1);
	const struct flow_note note = {.handshake_us = 410,
				       .first_byte_us = 3200,
				       .retransmits = {0, 1},
				       .end = FLOW_END_CLIENT_RESET,
				       .tries = 2,
				       .why = 1};
	struct flow flow = {.id = 17,
			    .packets = {4, 9},
			    .bytes = {212, 1140},
			    .opened_ns = now_ns - 12 * NS_PER_S};
	struct journal_record r;

	flow.pair[FLOW_ORIG].src = frame_endpoint("203.0.113.9", 40112);
	flow.pair[FLOW_REPLY].dst = frame_endpoint("198.18.0.1", 10245);
	f.flows[5] = flow;
	publish_flow(f.app, FLOW_ENDED, &f.flows[5], &note);
	(void)next_record(&f);
	r = next_record(&f);
	ck_assert_uint_eq(r.kind, JOURNAL_ENDED);
	ck_assert_uint_eq(r.reason, FLOW_END_CLIENT_RESET);
	ck_assert_uint_eq(r.id, 17);
	ck_assert_uint_eq(r.index, 5);
	ck_assert_uint_eq(r.time_ns, now_ns);
	ck_assert_uint_eq(r.flow.duration_ns, 12 * NS_PER_S);
	ck_assert_uint_eq(r.flow.packets[FLOW_REPLY], 9);
	ck_assert_uint_eq(r.flow.bytes[FLOW_ORIG], 212);
	ck_assert_uint_eq(r.flow.retransmits[FLOW_REPLY], 1);
	ck_assert_uint_eq(r.flow.handshake_us, 410);
	ck_assert_uint_eq(r.flow.first_byte_us, 3200);
	ck_assert_uint_eq(r.flow.tries, 2);
	ck_assert(endpoint_equal(&r.flow.nat, &flow.pair[FLOW_REPLY].dst));
	unmake(&f);
}
END_TEST

START_TEST(a_text_that_is_too_long_is_cut_and_says_so)
{
	struct fixture f = make(1, 1);
	char text[300];
	struct journal_record r;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	publish_operator(f.app, OPERATOR_CHANGED, text, text);
	text[JOURNAL_TEXT_MAX - 1] = '\0';
	publish_operator(f.app, OPERATOR_CHANGED, "uid:0", text);
	ck_assert_str_eq(next_record(&f).event.text, L4LB_VERSION);
	r = next_record(&f);
	ck_assert_uint_eq(strlen(r.event.text), JOURNAL_TEXT_MAX - 1);
	ck_assert_str_eq(r.event.text + JOURNAL_TEXT_MAX - 5, "x...");
	ck_assert_str_eq(r.event.by + JOURNAL_BY_MAX - 5, "x...");
	r = next_record(&f);
	ck_assert_str_eq(r.event.text, text);
	ck_assert_str_eq(r.event.by, "uid:0");
	unmake(&f);
}
END_TEST

START_TEST(how_busy_the_loop_is_is_told_of_each_second)
{
	struct fixture f = make(1, 1);
	struct board_global global;

	(void)publish_turn(f.app);
	f.app->watch.turn.busy_ns = 250 * NS_PER_MS;
	f.app->watch.turn.second_ns = 7;
	now_ns += NS_PER_S;
	(void)publish_turn(f.app);
	ck_assert(board_read_global(f.board, &global));
	ck_assert_uint_eq(global.loop.busy_ppm, 250000);
	ck_assert_uint_eq(global.loop.recent_ns, 7);
	ck_assert_uint_eq(global.loop.all_ns, NS_PER_S);
	ck_assert_uint_eq(global.loop.busy_ns, 250 * NS_PER_MS);
	unmake(&f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_long_round_takes_64_rows_in_each_turn, 0},
		{a_backend_that_something_happens_to_does_not_wait, 0},
		{after_a_change_the_next_round_begins_at_once, 0},
		{a_slot_that_is_free_again_says_whose_it_was, 0},
		{so_does_a_whole_service, 0},
		{a_service_is_as_old_as_it_is_whoever_had_its_slot, 0},
		{of_a_flood_a_thousand_refusals_a_second_are_recorded, 0},
		{a_flow_is_recorded_with_its_note, 0},
		{a_text_that_is_too_long_is_cut_and_says_so, 0},
		{how_busy_the_loop_is_is_told_of_each_second, 0},
	};

	return unit_run("board/publish", tests, ARRAY_LEN(tests));
}
