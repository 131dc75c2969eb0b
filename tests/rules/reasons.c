/* SPDX-License-Identifier: MIT */
/*
 * reasons.c - why a flow ended: each reason, told once and counted once
 *
 * (Idle flows are in idle.c, recycled ones in room.c.)
 */
#include <string.h>

#include "core/change.h"
#include "core/icmp.h"
#include "errors.h"
#include "parse.h"
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

/* Checks by sockets, which the test answers; backends begin as up. */
static struct rig *checked(unsigned n_backends)
{
	struct rig *r = rig_new(n_backends);

	r->setup.services[0].params.checked = true;
	r->setup.services[0].params.check.kind = CHECK_TCP;
	r->setup.services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	rig_start(r);
	return r;
}

static void ticks(struct rig *r)
{
	for (int i = 0; i < 20; i++) {
		engine_tick(r->e, r->now, 64);
		rig_drain(r);
	}
}

/* No check of the backend is answered any more. */
static void fall_silent(struct rig *r, unsigned backend)
{
	for (int i = 0; i < 400 && rig_backend(r, backend)->up; i++) {
		struct probe_request p;

		r->now += 50 * MS;
		engine_tick(r->e, r->now, 64);
		while (engine_next_probe(r->e, &p))
			engine_probe_result(
				r->e, p.service, p.backend, p.number,
				p.backend == backend ? CHECK_TIMEOUT : CHECK_OK,
				r->now);
	}
	ck_assert(!rig_backend(r, backend)->up);
}

/* The flow of @c ended so, and at its backend that is the only end. */
static void check_end(struct rig *r, const struct conn *c, enum flow_end end)
{
	const struct backend_counters *n = engine_backend_counters(r->e, 0, 0);
	uint64_t ends = 0;

	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c->client), 1);
	ck_assert_msg(rig_ended(r, end, &c->client) == 1, "%s",
		      flow_end_name(end));
	for (int i = 0; i < FLOW_ENDS; i++)
		ends += n->ends[i];
	ck_assert_uint_eq(n->ends[end], 1);
	ck_assert_uint_eq(ends, 1);
	rig_done(r);
}

/* --- by its own ends ------------------------------------------------------ */

START_TEST(both_fins_close)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_TIME_WAIT);

	check_end(r, &c, FLOW_END_CLOSED);
}
END_TEST

START_TEST(a_reset_has_a_side)
{
	struct rig *r = rig_started(1);
	struct conn c =
		conn_in_state(r, 1, _i ? TCP_FIN_WAIT : TCP_ESTABLISHED);

	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	check_end(r, &c, FLOW_END_CLIENT_RESET);
	r = rig_started(1);
	c = conn_in_state(r, 1, _i ? TCP_FIN_WAIT : TCP_ESTABLISHED);
	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	check_end(r, &c, FLOW_END_BACKEND_RESET);
}
END_TEST

START_TEST(a_client_that_gives_up_resets)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_uint_eq(engine_backend_counters(r->e, 0, 0)
				  ->failed_by[FAILURE_ABANDONED],
			  1);
	check_end(r, &c, FLOW_END_CLIENT_RESET);
}
END_TEST

START_TEST(a_forged_reset_takes_its_end_back)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_RESET);
	const struct flow_note *note =
		flow_note(engine_flows(r->e), conn_flow(r, &c));

	ck_assert_uint_eq(note->end, FLOW_END_CLIENT_RESET);
	ck_assert(conn_send(r, &c, ORIG, ACK, 10));
	ck_assert_uint_eq(rig_events(r, FLOW_REVIVED, &c.client), 1);
	ck_assert_uint_eq(note->end, FLOW_END_NONE);
	ck_assert_uint_eq(note->flags, NOTE_REVIVED);
	conn_close(r, &c);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 2);
	ck_assert_uint_eq(note->end, FLOW_END_CLOSED);
	ck_assert_uint_eq(note->flags, NOTE_REVIVED);
	ck_assert_uint_eq(engine_backend_counters(r->e, 0, 0)->revived, 1);
	rig_done(r);
}
END_TEST

/* --- before an answer ----------------------------------------------------- */

START_TEST(the_last_backend_refuses)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);
	struct frame rst = conn_frame(&c, REPLY, RST | ACK, 0);

	rst.seq = 0;
	ck_assert(rig_send(r, &rst));
	ck_assert_uint_eq(
		engine_backend_counters(r->e, 0, 0)->failed_by[FAILURE_REFUSED],
		1);
	check_end(r, &c, FLOW_END_REFUSED);
}
END_TEST

START_TEST(nobody_answers)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	rig_wait(r, 11 * S);
	ck_assert_uint_eq(
		engine_backend_counters(r->e, 0, 0)->failed_by[FAILURE_TIMEOUT],
		1);
	check_end(r, &c, FLOW_END_SYN_TIMEOUT);
}
END_TEST

static void is_unreachable(struct rig *r, const struct conn *c)
{
	static uint8_t bytes[ERROR_MAX];
	const struct error e = {
		.src = "198.18.9.9",
		.dst = "198.18.0.1",
		.type = 3,
		.code = 1,
		.ttl = FRAME_TTL,
		.segment = {.src = c->nat,
			    .dst = c->backend,
			    .seq = c->seq[ORIG] - 1,
			    .flags = SYN},
		.tcp_quoted = 8,
	};
	enum drop_reason why;
	struct icmp_error m;

	ck_assert(!parse_icmp(&m, bytes, error_build(&e, bytes), &why));
	engine_icmp(r->e, &m, r->now);
}

START_TEST(the_last_backend_is_unreachable)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	is_unreachable(r, &c);
	rig_wait(r, 11 * S);
	ck_assert_uint_eq(engine_backend_counters(r->e, 0, 0)
				  ->failed_by[FAILURE_UNREACHABLE],
			  1);
	check_end(r, &c, FLOW_END_UNREACHABLE);
}
END_TEST

/* What ICMP said was of another backend than the one that is silent. */
START_TEST(the_last_backend_is_silent_after_one_that_is_unreachable)
{
	struct rig *r = rig_retrying(2, 1);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	is_unreachable(r, &c);
	conn_expect_syn(r, &c);
	rig_wait(r, 11 * S);
	ck_assert_uint_eq(rig_ended(r, FLOW_END_SYN_TIMEOUT, &c.client), 1);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 1);
	for (unsigned i = 0; i < 2; i++) {
		const struct backend_counters *n =
			engine_backend_counters(r->e, 0, i);
		const bool last = same(c.backend, rig_backend(r, i)->addr);

		ck_assert_uint_eq(n->total, 1);
		ck_assert_uint_eq(n->failed, 1);
		ck_assert_uint_eq(n->redispatched, !last);
		ck_assert_uint_eq(n->failed_by[FAILURE_UNREACHABLE], !last);
		ck_assert_uint_eq(n->failed_by[FAILURE_TIMEOUT], last);
		ck_assert_uint_eq(n->ends[FLOW_END_SYN_TIMEOUT], last);
	}
	rig_done(r);
}
END_TEST

/* --- because of its backend ----------------------------------------------- */

START_TEST(its_backend_goes_down)
{
	struct rig *r = checked(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	fall_silent(r, 0);
	ticks(r);
	check_end(r, &c, FLOW_END_DOWN);
}
END_TEST

START_TEST(its_backend_is_disabled)
{
	const struct backend_params params = {
		.weight = 1, .admin = ADMIN_DISABLED, .then = LEAVE_RESET};
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	engine_set_backend(r->e, 0, 0, &params, r->now);
	ticks(r);
	check_end(r, &c, FLOW_END_DISABLED);
}
END_TEST

START_TEST(its_backend_is_removed)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	if (_i)
		engine_leave_service(r->e, 0, LEAVE_RESET, r->now);
	else
		engine_leave_backend(r->e, 0, 0, LEAVE_RESET, r->now);
	ticks(r);
	check_end(r, &c, FLOW_END_REMOVED);
}
END_TEST

/* @_i: drained by the administrator, by its weight, as it leaves. */
START_TEST(its_backend_is_drained)
{
	const struct backend_params params[2] = {
		{.weight = 1, .admin = ADMIN_DRAIN, .drain_s = 5},
		{.weight = 0, .drain_s = 5},
	};
	struct rig *r = rig_new(1);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 5;
	rig_start(r);
	c = conn_in_state(r, 1, TCP_ESTABLISHED);
	if (_i < 2)
		engine_set_backend(r->e, 0, 0, &params[_i], r->now);
	else
		engine_leave_backend(r->e, 0, 0, LEAVE_DRAIN, r->now);
	rig_wait(r, 4 * S);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 0);
	rig_wait(r, 2 * S);
	ck_assert_uint_eq(rig_drain(r) >= 2, true);
	check_end(r, &c, FLOW_END_DRAINED);
}
END_TEST

/* It was not established: no backend takes it over. */
START_TEST(its_only_backend_is_removed_before_an_answer)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	engine_leave_backend(r->e, 0, 0, LEAVE_RESET, r->now);
	ticks(r);
	ck_assert_uint_eq(engine_backend_counters(r->e, 0, 0)
				  ->failed_by[FAILURE_ABANDONED],
			  1);
	ck_assert_uint_eq(engine_service_counters(r->e, 0)->failed, 1);
	check_end(r, &c, FLOW_END_REMOVED);
}
END_TEST

/* --- because of itself ---------------------------------------------------- */

START_TEST(it_is_killed)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
	const struct flow *f = conn_flow(r, &c);

	ck_assert(engine_kill_flow(r->e, flow_index(engine_flows(r->e), f),
				   f->id, r->now));
	rig_drain(r);
	check_end(r, &c, FLOW_END_KILLED);
}
END_TEST

START_TEST(its_client_begins_anew)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT), old = c;

	c.seq[ORIG] += 1000000;
	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 2);
	ck_assert_uint_eq(engine_service_counters(r->e, 0)->requests, 2);
	ck_assert_uint_eq(engine_service_counters(r->e, 0)->failed, 1);
	check_end(r, &old, FLOW_END_SUPERSEDED);
}
END_TEST

/* One that is over was told before. */
START_TEST(a_client_that_comes_again_supersedes_nothing)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_TIME_WAIT);

	c.seq[ORIG] += 1000000;
	ck_assert(conn_syn(r, &c));
	check_end(r, &c, FLOW_END_CLOSED);
}
END_TEST

START_TEST(its_place_is_needed)
{
	struct rig *r = rig_small(1, 1, 8);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	conn_in_state(r, 2, TCP_SYN_SENT);
	check_end(r, &c, FLOW_END_RECYCLED);
}
END_TEST

START_TEST(the_program_ends)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	engine_refuse_new(r->e);
	while (engine_reset_all(r->e, r->now))
		rig_drain(r);
	rig_drain(r);
	check_end(r, &c, FLOW_END_SHUTDOWN);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{both_fins_close, 0},
		{a_reset_has_a_side, 2},
		{a_client_that_gives_up_resets, 0},
		{a_forged_reset_takes_its_end_back, 0},
		{the_last_backend_refuses, 0},
		{nobody_answers, 0},
		{the_last_backend_is_unreachable, 0},
		{the_last_backend_is_silent_after_one_that_is_unreachable, 0},
		{its_backend_goes_down, 0},
		{its_backend_is_disabled, 0},
		{its_backend_is_removed, 2},
		{its_backend_is_drained, 3},
		{its_only_backend_is_removed_before_an_answer, 0},
		{it_is_killed, 0},
		{its_client_begins_anew, 0},
		{a_client_that_comes_again_supersedes_nothing, 0},
		{its_place_is_needed, 0},
		{the_program_ends, 0},
	};

	return unit_run("reasons", tests, ARRAY_LEN(tests));
}
