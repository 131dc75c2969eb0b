/* SPDX-License-Identifier: MIT */
/*
 * down.c - flows of a backend that goes down, or of a program that ends
 *
 * Whose kernel still answers has told its connections itself; whose does not
 * is spoken for by us (design rules 7 and 14).
 */
#include <arpa/inet.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

static struct rig *set_up(uint32_t flows)
{
	struct rig *r = rig_new(2);

	r->setup.spec.n_flows = flows;
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	r->setup.services[0].params.checked = true;
	r->setup.services[0].params.check.kind = CHECK_TCP;
	r->setup.services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	return r;
}

static struct rig *checked(uint32_t flows)
{
	struct rig *r = set_up(flows);

	rig_start(r);
	return r;
}

/* Answers what is asked in the next @ns: @which's checks end as @result. */
static void probes_for(struct rig *r, unsigned which, enum check_result result,
		       uint64_t ns)
{
	for (uint64_t t = 0; t < ns; t += 50 * MS) {
		struct probe_request p;

		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p))
			engine_probe_result(
				r->e, p.service, p.backend, p.number,
				p.backend == which ? result : CHECK_OK, r->now);
	}
}

/* Just that, and not what follows. */
static void take_down(struct rig *r, unsigned down, enum check_result why)
{
	for (int i = 0; i < 100 && rig_backend(r, down)->up; i++)
		probes_for(r, down, why, 50 * MS);
	ck_assert(!rig_backend(r, down)->up);
}

static void sweep(struct rig *r)
{
	for (int i = 0; i < 100; i++) {
		engine_tick(r->e, r->now, 64);
		rig_drain(r);
	}
}

/* Its kernel is there, and has ended what there was to end. */
START_TEST(flows_of_a_backend_that_only_refuses_go_on)
{
	struct rig *r = checked(128);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	take_down(r, 0, CHECK_REFUSED);
	take_down(r, 1, CHECK_REFUSED);
	engine_tick(r->e, r->now, 64);
	rig_drain(r);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 10));
	rig_done(r);
}
END_TEST

START_TEST(flows_of_a_backend_that_went_down_are_reset)
{
	struct rig *r = checked(128);
	struct conn c[100];

	for (unsigned i = 0; i < 100; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	take_down(r, 0, CHECK_TIMEOUT);
	sweep(r);
	for (unsigned i = 0; i < 100; i++) {
		bool dead = same(c[i].backend, r->setup.backends[0][0].addr);

		ck_assert_int_eq(conn_state(r, &c[i]),
				 dead ? TCP_RESET : TCP_ESTABLISHED);
	}
	ck_assert_uint_eq(engine_counters(r->e)->outbox_lost, 0);
	rig_done(r);
}
END_TEST

static void reset_all(struct rig *r)
{
	for (int i = 0; engine_reset_all(r->e, r->now); i++) {
		rig_drain(r);
		ck_assert_int_lt(i, 100);
	}
}

START_TEST(clean_exit_resets_every_flow)
{
	struct rig *r = checked(128);
	struct conn c[100];

	for (unsigned i = 0; i < 100; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	reset_all(r);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(conn_state(r, &c[i]), TCP_RESET);
	ck_assert_uint_eq(engine_counters(r->e)->outbox_lost, 0);
	ck_assert_uint_eq(engine_counters(r->e)->reset, 100);
	rig_done(r);
}
END_TEST

START_TEST(clean_exit_resets_all_flows_in_the_middle_of_a_sweep)
{
	struct rig *r = checked(128);
	struct conn c[128];

	for (unsigned i = 0; i < 128; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	take_down(r, 0, CHECK_TIMEOUT);
	engine_tick(r->e, r->now, 64); /* until the outbox is half full */
	rig_drain(r);
	reset_all(r);
	for (unsigned i = 0; i < 128; i++)
		ck_assert_int_eq(conn_state(r, &c[i]), TCP_RESET);
	rig_done(r);
}
END_TEST

/* Found by fuzz_engine: a sweep after it read behind the table. */
START_TEST(clean_exit_may_be_followed_by_ticks)
{
	struct rig *r = checked(16);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	reset_all(r);
	ck_assert_uint_lt(inside_sweep_at(r->e), 16);
	take_down(r, 0, CHECK_TIMEOUT);
	rig_wait(r, 100 * S);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* First the process ends, then the machine: its clients still must learn. */
START_TEST(backend_that_refuses_and_then_falls_silent_is_swept)
{
	struct rig *r = checked(128);
	struct conn c = conn_make(r, 1);
	unsigned b;

	conn_establish(r, &c);
	b = conn_flow(r, &c)->backend;
	probes_for(r, b, CHECK_REFUSED, 5 * S);
	sweep(r);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	probes_for(r, b, CHECK_TIMEOUT, 5 * S);
	sweep(r);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

/* It restarts within the three checks: the kernel that refuses now is another
 * one, and knows nothing of our connections.
 */
START_TEST(backend_that_was_silent_before_it_refused_is_swept)
{
	struct rig *r = checked(128);
	struct conn c = conn_make(r, 1);
	unsigned b;

	conn_establish(r, &c);
	b = conn_flow(r, &c)->backend;
	while (rig_backend(r, b)->health.failed < 2)
		probes_for(r, b, CHECK_TIMEOUT, 50 * MS);
	take_down(r, b, CHECK_REFUSED);
	sweep(r);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

/* A large table takes many turns to sweep. */
START_TEST(sweep_spares_flows_opened_after_the_return)
{
	struct rig *r = checked(1u << 17);
	struct backend *b = rig_backend(r, 0);
	struct conn c;

	take_down(r, 0, CHECK_TIMEOUT);
	/* So that the first places come last. */
	inside_set_sweep(r->e, 1, 1u << 17);
	for (int i = 0; i < 200 && !b->up; i++)
		probes_for(r, 0, CHECK_OK, 50 * MS);
	ck_assert(b->up);
	ck_assert_uint_gt(inside_sweep_left(r->e), 0);
	for (unsigned n = 1; n < 3; n++) {
		c = conn_make(r, n);
		conn_establish(r, &c);
		if (conn_flow(r, &c)->backend == 0)
			break;
	}
	ck_assert_uint_eq(conn_flow(r, &c)->backend, 0);
	for (int i = 0; i < 20 && inside_sweep_left(r->e); i++)
		sweep(r);
	ck_assert_uint_eq(inside_sweep_left(r->e), 0);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* With connections of all kinds to both, backend 0 falls silent. */
static void open_and_take_down(struct rig *r, struct conn *c, unsigned n)
{
	static const enum tcp_state states[] = {TCP_SYN_SENT, TCP_SYN_RECEIVED,
						TCP_ESTABLISHED};

	while (rig_backend(r, 0)->health.failed < 2)
		probes_for(r, 0, CHECK_TIMEOUT, 50 * MS);
	for (unsigned i = 0; i < n; i++) {
		c[i] = conn_make(r, i);
		ck_assert(conn_syn(r, &c[i]));
		if (states[i % 3] != TCP_SYN_SENT)
			ck_assert(conn_send(r, &c[i], REPLY, SYN | ACK, 0));
		if (states[i % 3] == TCP_ESTABLISHED)
			ck_assert(conn_send(r, &c[i], ORIG, ACK, 0));
		ck_assert_int_eq(conn_state(r, &c[i]), states[i % 3]);
	}
	take_down(r, 0, CHECK_TIMEOUT);
}

/* Their clients have heard of nobody yet. */
START_TEST(unanswered_flows_of_a_backend_that_went_down_go_to_another)
{
	struct rig *r = set_up(64);
	struct conn c[12];
	unsigned moved = 0;

	r->setup.services[0].params.retries = 1;
	r->setup.services[0].params.syn_timeout_ms = 60000; /* not by silence */
	rig_start(r);
	open_and_take_down(r, c, 12);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	engine_tick(r->e, r->now, 64);
	for (unsigned i = 0; i < 12; i++) {
		bool dead = same(c[i].backend, rig_backend(r, 0)->addr);

		if (i % 3) {
			ck_assert_int_eq(conn_state(r, &c[i]) == TCP_RESET,
					 dead);
			continue;
		}
		conn_refresh(r, &c[i]);
		ck_assert(same(c[i].backend, rig_backend(r, 1)->addr));
		ck_assert_uint_eq(
			rig_events(r, FLOW_REDISPATCHED, &c[i].client), dead);
		moved += dead;
		rig_drain(r);
		conn_finish(r, &c[i]);
	}
	ck_assert_uint_eq(moved, 2);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, moved);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, moved);
	rig_done(r);
}
END_TEST

/* Nobody may be asked: they are reset as the others are. */
START_TEST(unanswered_flows_are_reset_when_no_other_may_be_asked)
{
	struct rig *r = checked(64);
	struct conn c[12];

	open_and_take_down(r, c, 12);
	sweep(r);
	for (unsigned i = 0; i < 12; i++) {
		bool dead = same(c[i].backend, rig_backend(r, 0)->addr);

		ck_assert_int_eq(conn_state(r, &c[i]) == TCP_RESET, dead);
	}
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	rig_done(r);
}
END_TEST

START_TEST(suspicion_from_a_timer_is_looked_at_in_time)
{
	struct rig *r = set_up(64);
	struct conn c = conn_make(r, 1);
	uint64_t next = 0;

	r->setup.services[0].params.health.interval_ms = 60000;
	r->setup.services[0].params.retries = 1;
	r->setup.services[0].params.syn_timeout_ms = 300;
	rig_start(r);
	probes_for(r, 0, CHECK_OK, S);
	ck_assert(conn_syn(r, &c));
	for (int i = 0; i < 100 && !engine_counters(r->e)->redispatched; i++) {
		r->now += 10 * MS;
		next = engine_tick(r->e, r->now, 64);
	}
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	ck_assert_uint_le(next, r->now + 20 * MS);
	rig_done(r);
}
END_TEST

static void plug(struct rig *r, bool is)
{
	for (unsigned i = 0; i < engine_n_ways(r->e); i++)
		engine_set_way(r->e, i, is ? WAY_OPEN : WAY_NONE);
}

static const enum check_kind kinds[] = {CHECK_SYN, CHECK_TCP};

/* Nothing can be said of a backend to which this host has no way, and its
 * connections may outlive that.
 */
START_TEST(backends_are_not_down_while_this_host_has_no_way_to_them)
{
	struct rig *r = set_up(128);
	struct conn c = conn_make(r, 1);

	r->setup.spec.probe_lo = 20000;
	r->setup.services[0].params.check.kind = kinds[_i];
	rig_start(r);
	conn_establish(r, &c);
	plug(r, false);
	for (int i = 0; i < 20; i++) {
		probes_for(r, 0, CHECK_UNREACHABLE, S);
		rig_drain(r);
	}
	ck_assert(rig_backend(r, 0)->up);
	ck_assert_uint_gt(engine_counters(r->e)->unreached, 15);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	plug(r, true);
	take_down(r, 0, CHECK_UNREACHABLE);
	rig_done(r);
}
END_TEST

/* That it is down is known; the flows that leave it say nothing new. */
START_TEST(sweep_does_not_eject)
{
	struct rig *r = set_up(128);
	struct backend *b;

	r->setup.services[0].params.retries = 3;
	r->setup.services[0].params.syn_timeout_ms = 60000;
	r->setup.services[0].params.breaker =
		(struct breaker_params)BREAKER_PARAMS_DEFAULT;
	rig_start(r);
	b = rig_backend(r, 0);
	probes_for(r, 0, CHECK_TIMEOUT, 100 * MS);
	for (unsigned i = 0; i < 12; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
	}
	take_down(r, 0, CHECK_TIMEOUT);
	sweep(r);
	ck_assert_uint_eq(b->flows, 0);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 6);
	ck_assert_int_eq(b->breaker.state, BREAKER_CLOSED);
	ck_assert_uint_eq(b->breaker.failed, 0);
	rig_done(r);
}
END_TEST

/* It is up again in the middle of the sweep at the end of its draining. */
START_TEST(recovery_does_not_end_a_drain)
{
	enum { FLOWS = 100 };
	struct rig *r = set_up(4096);
	struct backend *b;

	r->setup.services[0].params.drain_timeout_s = 20;
	r->setup.services[0].params.health.rise = 1;
	r->setup.services[0].params.health.interval_ms = 100;
	r->setup.services[0].params.health.fast_ms = 50;
	r->setup.backends[0][1].params.weight = 0;
	rig_start(r);
	b = rig_backend(r, 1);
	b->params.weight = 1; /* for a moment: or it would get none */
	for (unsigned i = 0; i < FLOWS; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	b->params.weight = 0;
	take_down(r, 1, CHECK_REFUSED);
	for (int i = 0; i < 1000 && !b->sweep; i++)
		probes_for(r, 1, CHECK_REFUSED, 50 * MS);
	for (int i = 0; i < 5 && !b->up; i++)
		probes_for(r, 1, CHECK_OK, 50 * MS);
	ck_assert(b->up);
	ck_assert(b->sweep);
	sweep(r);
	ck_assert_uint_eq(b->flows, 0);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{flows_of_a_backend_that_went_down_are_reset, 0},
		{flows_of_a_backend_that_only_refuses_go_on, 0},
		{clean_exit_resets_every_flow, 0},
		{clean_exit_resets_all_flows_in_the_middle_of_a_sweep, 0},
		{clean_exit_may_be_followed_by_ticks, 0},
		{backend_that_refuses_and_then_falls_silent_is_swept, 0},
		{backend_that_was_silent_before_it_refused_is_swept, 0},
		{sweep_spares_flows_opened_after_the_return, 0},
		{unanswered_flows_of_a_backend_that_went_down_go_to_another, 0},
		{unanswered_flows_are_reset_when_no_other_may_be_asked, 0},
		{suspicion_from_a_timer_is_looked_at_in_time, 0},
		{backends_are_not_down_while_this_host_has_no_way_to_them,
		 ARRAY_LEN(kinds)},
		{sweep_does_not_eject, 0},
		{recovery_does_not_end_a_drain, 0},
	};

	return unit_run("down", tests, ARRAY_LEN(tests));
}
