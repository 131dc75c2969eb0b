/* SPDX-License-Identifier: MIT */
/*
 * hearing.c - silence is evidence only when we would have heard
 */
#include <arpa/inet.h>

#include "core/health/hearing.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)
#define T0    (1000 * S)

static struct hearing begin(void)
{
	struct hearing h;

	hearing_init(&h);
	return h;
}

/* For the first time. */
static bool excuses(const struct hearing *h, uint64_t sent_ns, uint64_t now_ns)
{
	uint64_t since_ns = 0;

	return hearing_excuses(h, sent_ns, &since_ns, now_ns);
}

START_TEST(who_never_reports_hears_everything)
{
	struct hearing h = begin();

	ck_assert_uint_eq(hearing_now_ns(&h, T0), T0);
	ck_assert(!excuses(&h, 0, T0));
}
END_TEST

START_TEST(time_for_answers_is_what_was_read_up_to)
{
	struct hearing h = begin();

	hearing_note_all_until(&h, T0);
	ck_assert_uint_eq(hearing_now_ns(&h, T0), T0);
	ck_assert_uint_eq(hearing_now_ns(&h, T0 + 5 * MS), T0);
	ck_assert_uint_eq(hearing_now_ns(&h, T0 - 1), T0 - 1);
	/* but not for ever */
	ck_assert_uint_eq(hearing_now_ns(&h, T0 + 5 * S),
			  T0 + 5 * S - HEARING_LATE_MAX_NS);
}
END_TEST

static const struct {
	uint64_t seen, lost;
	bool much;
} losses[] = {
	{0, 0, false},	    {1000, 0, false},  {99, 1, false}, {98, 1, true},
	{9900, 100, false}, {9800, 200, true}, {0, 1, true},
};

START_TEST(more_than_a_hundredth_lost_is_an_excuse)
{
	struct hearing h = begin();

	hearing_note_lost(&h, losses[_i].seen, losses[_i].lost, T0);
	ck_assert(excuses(&h, T0 - 1, T0 + 1) == losses[_i].much);
}
END_TEST

/* Nor does a loss in one window spoil the next. */
START_TEST(losses_are_counted_within_a_window)
{
	struct hearing h = begin();

	hearing_note_lost(&h, 0, 5, T0);
	hearing_note_lost(&h, 10, 0, T0 + HEARING_WINDOW_NS - 1);
	ck_assert(excuses(&h, T0 + HEARING_WINDOW_NS - 1, T0));
	hearing_note_lost(&h, 10, 0, T0 + HEARING_WINDOW_NS);
	ck_assert(!excuses(&h, T0 + HEARING_WINDOW_NS, T0));
}
END_TEST

START_TEST(what_was_sent_after_the_loss_has_no_excuse)
{
	struct hearing h = begin();

	hearing_note_lost(&h, 0, 5, T0);
	ck_assert(excuses(&h, T0, T0 + S));
	ck_assert(!excuses(&h, T0 + 1, T0 + S));
}
END_TEST

START_TEST(patience_with_who_was_not_heard_ends)
{
	struct hearing h = begin();
	uint64_t since_ns = 0;

	ck_assert(!hearing_excuses(&h, 0, &since_ns, T0));
	ck_assert_uint_eq(since_ns, 0); /* nothing was lost */
	hearing_note_lost(&h, 0, 5, T0);
	ck_assert(hearing_excuses(&h, T0, &since_ns, T0));
	ck_assert(hearing_excuses(&h, T0, &since_ns,
				  T0 + HEARING_PATIENCE_NS - 1));
	ck_assert(
		!hearing_excuses(&h, T0, &since_ns, T0 + HEARING_PATIENCE_NS));
	since_ns = 0; /* it was heard */
	ck_assert(hearing_excuses(&h, T0, &since_ns, T0 + HEARING_PATIENCE_NS));
}
END_TEST

/* --- the engine ------------------------------------------------------------
 */

/* Checked by half-open SYNs, which the rig's ends never answer by themselves.
 */
static struct rig *checked_every(uint64_t interval_ns)
{
	struct rig *r = rig_new(2);

	r->setup.spec.probe_lo = 20000;
	r->setup.services[0].params.checked = true;
	r->setup.services[0].params.check.kind = CHECK_SYN;
	r->setup.services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	r->setup.services[0].params.health.interval_ms =
		(uint32_t)(interval_ns / MS);
	r->setup.services[0].params.breaker =
		(struct breaker_params)BREAKER_PARAMS_DEFAULT;
	r->setup.services[0].params.retries = 1;
	r->setup.services[0].params.syn_timeout_ms = 300;
	rig_start(r);
	return r;
}

static struct rig *checked(void)
{
	return checked_every(S);
}

static unsigned count_up(const struct rig *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		n += rig_backend(r, i)->up;
	return n;
}

/* Every 20 ms a tick; what is said reaches nobody, or is not heard. */
static void be_deaf(struct rig *r, uint64_t ns, unsigned lost)
{
	for (uint64_t t = 0; t < ns; t += 20 * MS) {
		r->now += 20 * MS;
		engine_lost(r->e, 10, lost, r->now);
		engine_heard(r->e, r->now);
		engine_tick(r->e, r->now, 64);
		rig_drain(r);
	}
}

START_TEST(backends_do_not_go_down_while_frames_are_lost)
{
	struct rig *r = checked();

	be_deaf(r, 9 * S, 5);
	ck_assert_uint_eq(count_up(r), 2);
	ck_assert_uint_gt(engine_counters(r->e)->unheard, 0);
	be_deaf(r, 4 * S, 5);
	ck_assert_uint_eq(count_up(r), 0); /* that long, it is no accident */
	rig_free(r);
}
END_TEST

/* The interval is longer than the patience: that counts from the first excuse,
 * and from then on it is asked at the fast pace.
 */
START_TEST(neither_do_those_that_are_asked_rarely)
{
	struct rig *r = checked_every(15 * S);

	be_deaf(r, 300 * MS, 0); /* the first probes are out */
	for (unsigned i = 0; i < 2; i++)
		engine_probe_result(r->e, 0, i,
				    rig_backend(r, i)->health.number, CHECK_OK,
				    r->now);
	be_deaf(r, 13 * S, 5);
	ck_assert_uint_eq(engine_counters(r->e)->unheard,
			  0); /* nobody was asked */
	be_deaf(r, 10 * S, 5);
	ck_assert_uint_eq(count_up(r), 2);
	ck_assert_uint_ge(engine_counters(r->e)->unheard, 20);
	be_deaf(r, 10 * S, 5);
	ck_assert_uint_eq(count_up(r), 0);
	rig_free(r);
}
END_TEST

START_TEST(backends_go_down_when_nothing_is_lost)
{
	struct rig *r = checked();

	be_deaf(r, 4 * S, 0);
	ck_assert_uint_eq(count_up(r), 0);
	ck_assert_uint_eq(engine_counters(r->e)->unheard, 0);
	rig_free(r);
}
END_TEST

/* The SYN-ACK may have been lost here: nobody else is asked, nobody blamed. */
START_TEST(handshakes_wait_while_frames_are_lost)
{
	struct rig *r = checked();
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	be_deaf(r, S, 5);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	be_deaf(r, S, 0);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	rig_free(r);
}
END_TEST

START_TEST(client_of_a_silent_backend_is_told_although_frames_are_lost)
{
	struct rig *r = checked();
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	be_deaf(r, 11 * S, 5);
	ck_assert_ptr_null(conn_flow(r, &c));
	ck_assert_uint_eq(engine_counters(r->e)->expired, 1);
	rig_free(r);
}
END_TEST

/* A stall of a second: the answer is in the ring, the timer is due. */
START_TEST(nobody_is_judged_before_what_waits_was_read)
{
	struct rig *r = checked();
	struct conn c = conn_make(r, 1);
	uint64_t before;

	ck_assert(conn_syn(r, &c));
	engine_heard(r->e, r->now);
	before = r->now;
	r->now += S;
	ck_assert_uint_le(engine_tick(r->e, r->now, 64), r->now);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	engine_heard(r->e, r->now);
	engine_tick(r->e, r->now, 64);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_int_eq(conn_state(r, &c), TCP_SYN_RECEIVED);
	ck_assert_uint_gt(r->now, before);
	rig_free(r);
}
END_TEST

START_TEST(checks_too_are_judged_after_what_waits_was_read)
{
	struct rig *r = checked();

	be_deaf(r, 300 * MS, 0); /* the first probes are out */
	for (int i = 0; i < 4; i++) {
		r->now += 400 * MS;
		engine_tick(r->e, r->now, 64);
		rig_drain(r);
	}
	ck_assert_uint_eq(rig_backend(r, 0)->health.failed, 0);
	engine_heard(r->e, r->now);
	engine_tick(r->e, r->now, 64);
	ck_assert_uint_eq(rig_backend(r, 0)->health.failed, 1);
	rig_free(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{who_never_reports_hears_everything, 0},
		{time_for_answers_is_what_was_read_up_to, 0},
		{more_than_a_hundredth_lost_is_an_excuse, ARRAY_LEN(losses)},
		{losses_are_counted_within_a_window, 0},
		{what_was_sent_after_the_loss_has_no_excuse, 0},
		{patience_with_who_was_not_heard_ends, 0},
		{backends_do_not_go_down_while_frames_are_lost, 0},
		{neither_do_those_that_are_asked_rarely, 0},
		{backends_go_down_when_nothing_is_lost, 0},
		{handshakes_wait_while_frames_are_lost, 0},
		{client_of_a_silent_backend_is_told_although_frames_are_lost,
		 0},
		{nobody_is_judged_before_what_waits_was_read, 0},
		{checks_too_are_judged_after_what_waits_was_read, 0},
	};

	return unit_run("hearing", tests, ARRAY_LEN(tests));
}
