/* SPDX-License-Identifier: MIT */
/*
 * slots.c - services and backends that come and go: slots, and who names them
 */
#include <arpa/inet.h>
#include <errno.h>

#include "core/change.h"
#include "forge.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

#define HANDSHAKE (11 * S) /* syn_sent, and a second */

/* The backend that rig_new() would put into slot @n of the first service. */
static const struct backend_spec *spec_of(const struct rig *r, unsigned n)
{
	return &r->setup.backends[0][n];
}

static int prepare(struct rig *r, unsigned service, unsigned backend,
		   const struct backend_spec *spec)
{
	struct err err = {""};
	int ret = engine_prepare_backend(r->e, service, backend, spec, r->now,
					 &err);

	ck_assert_int_eq(ret != 0, err.text[0] != 0);
	return ret;
}

static void add(struct rig *r, unsigned backend)
{
	ck_assert_int_eq(prepare(r, 0, backend, spec_of(r, backend)), 0);
	engine_enter_backend(r->e, 0, backend, r->now);
}

static void leave(struct rig *r, unsigned backend, enum leave then)
{
	engine_leave_backend(r->e, 0, backend, then, r->now);
}

static bool is_left(struct rig *r, unsigned service, int backend)
{
	unsigned s;
	int b;

	return engine_next_left(r->e, r->now, &s, &b) && s == service &&
	       b == backend;
}

/* How many of the next @n connections, from client @from on, it gets. */
static unsigned share(struct rig *r, unsigned backend, unsigned from,
		      unsigned n)
{
	const struct endpoint addr = rig_backend(r, backend)->addr;
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++) {
		struct conn c = conn_make(r, from + i);

		conn_establish(r, &c);
		got += endpoint_equal(&c.backend, &addr);
		conn_close(r, &c);
	}
	return got;
}

/* --------------------------------------------------------- backends come */

START_TEST(a_backend_that_is_added_takes_flows)
{
	struct rig *r = rig_started(2);

	add(r, 2);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 2), SLOT_LIVE);
	ck_assert_uint_eq(engine_backends(r->e, 0), 3);
	ck_assert_uint_eq(share(r, 2, 0, 9), 3);
	rig_done(r);
}
END_TEST

START_TEST(what_is_prepared_is_seen_by_no_packet)
{
	struct rig *r = rig_started(2);

	ck_assert_int_eq(prepare(r, 0, 2, spec_of(r, 2)), 0);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 2), SLOT_PREPARED);
	ck_assert_uint_eq(share(r, 2, 0, 8), 0);
	engine_undo_backend(r->e, 0, 2);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 2), SLOT_FREE);
	ck_assert_uint_eq(engine_backends(r->e, 0), 2);
	ck_assert_uint_eq(share(r, 0, 20, 8), 4);
	rig_done(r);
}
END_TEST

START_TEST(a_slot_holds_one_backend)
{
	struct rig *r = rig_started(2);
	struct backend_spec bad = *spec_of(r, 2);

	ck_assert_int_eq(prepare(r, 0, 1, spec_of(r, 2)), -EBUSY);
	ck_assert_int_eq(prepare(r, 0, 2, spec_of(r, 2)), 0);
	ck_assert_int_eq(prepare(r, 0, 2, spec_of(r, 3)), -EBUSY);
	ck_assert_int_eq(prepare(r, 0, SERVICE_BACKENDS_MAX, spec_of(r, 3)),
			 -EINVAL);
	ck_assert_int_eq(prepare(r, 1, 0, spec_of(r, 3)), -EINVAL);
	bad.n_sources = SERVICE_SOURCES_MAX + 1;
	ck_assert_int_eq(prepare(r, 0, 3, &bad), -EINVAL);
	rig_done(r);
}
END_TEST

START_TEST(slots_may_have_holes_from_the_start)
{
	struct rig *r = rig_new(4);

	r->setup.backends[0][0].unused = r->setup.backends[0][2].unused = true;
	r->setup.spec.n_services = 2;
	r->setup.services[1] = r->setup.services[0];
	r->setup.services[0].unused = true;
	rig_start(r);
	ck_assert_int_eq(engine_service_slot(r->e, 0), SLOT_FREE);
	ck_assert_int_eq(engine_backend_slot(r->e, 1, 0), SLOT_FREE);
	ck_assert_int_eq(engine_backend_slot(r->e, 1, 1), SLOT_LIVE);
	for (unsigned i = 0; i < 4; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
		ck_assert(same(c.backend, spec_of(r, i % 2 ? 3 : 1)->addr));
	}
	rig_done(r);
}
END_TEST

/* ---------------------------------------------------------- backends leave */

START_TEST(one_that_leaves_takes_no_flows_and_keeps_its_own)
{
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 0);

	conn_establish(r, &c);
	ck_assert(same(c.backend, rig_backend(r, 0)->addr));
	leave(r, 0, LEAVE_KEEP);
	ck_assert_uint_eq(share(r, 0, 1, 4), 0);
	rig_wait(r, 60 * S);
	ck_assert(conn_send(r, &c, ORIG, ACK, 10));
	ck_assert(conn_send(r, &c, REPLY, ACK, 10));
	ck_assert_uint_eq(rig_drain(r), 0);
	ck_assert(!is_left(r, 0, 0));
	conn_close(r, &c);
	ck_assert(!is_left(r, 0, 0)); /* TIME_WAIT names it */
	rig_wait(r, 121 * S);
	ck_assert(is_left(r, 0, 0));
	rig_done(r);
}
END_TEST

/* @_i: what the service does when a backend is down. */
START_TEST(how_it_leaves_decides_what_becomes_of_its_flows)
{
	static const struct {
		enum leave then;
		bool keep_on_down, reset;
	} ways[] = {
		{LEAVE_ON_DOWN, false, true}, {LEAVE_ON_DOWN, true, false},
		{LEAVE_RESET, true, true},    {LEAVE_RESET, false, true},
		{LEAVE_KEEP, false, false},   {LEAVE_DRAIN, false, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		struct rig *r = rig_new(1);
		struct conn c;

		r->setup.services[0].params.keep_on_down = ways[i].keep_on_down;
		rig_start(r);
		c = conn_make(r, 0);
		conn_establish(r, &c);
		leave(r, 0, ways[i].then);
		rig_wait(r, S);
		ck_assert_int_eq(conn_state(r, &c) == TCP_RESET, ways[i].reset);
		ck_assert_int_eq(rig_drain(r) >= 2, ways[i].reset);
		rig_done(r);
	}
}
END_TEST

START_TEST(one_that_drains_as_it_leaves_has_its_time)
{
	struct rig *r = rig_new(1);
	struct conn c;

	r->setup.services[0].params.drain_timeout_s = 30;
	rig_start(r);
	c = conn_make(r, 0);
	conn_establish(r, &c);
	leave(r, 0, LEAVE_DRAIN);
	rig_wait(r, 29 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

/* Its last flow was closed when the others were reset, but comes back. */
START_TEST(a_flow_that_revives_leaves_too)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 0);
	struct frame rst;

	conn_establish(r, &c);
	ck_assert(conn_send(r, &c, ORIG, ACK, 100));
	rst = conn_frame(&c, REPLY, RST, 0);
	rig_send(r, &rst);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	leave(r, 0, LEAVE_RESET);
	rig_wait(r, S);
	rig_drain(r);
	/* The RST was lost behind us: data of both sides goes on. */
	conn_send(r, &c, REPLY, ACK, 100);
	conn_send(r, &c, ORIG, ACK, 100);
	if (conn_state(r, &c) == TCP_RESET)
		conn_send(r, &c, REPLY, ACK, 100);
	ck_assert_uint_gt(rig_events(r, FLOW_REVIVED, &c.client), 0);
	rig_wait(r, S);
	ck_assert_uint_ge(rig_drain(r), 2);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	rig_done(r);
}
END_TEST

/* ------------------------------------------------------------- freed slots */

START_TEST(a_slot_is_freed_when_nothing_names_it)
{
	struct rig *r = rig_started(2);
	uint32_t number, ticket;

	leave(r, 1, LEAVE_RESET);
	number = rig_backend(r, 1)->health.number;
	ticket = rig_backend(r, 1)->breaker.ticket;
	rig_wait(r, HANDSHAKE - 2 * S);
	ck_assert(!is_left(r, 0, 1)); /* a SYN may be under way */
	rig_wait(r, 2 * S);
	ck_assert(is_left(r, 0, 1));
	engine_free_backend(r->e, 0, 1);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 1), SLOT_FREE);
	ck_assert_uint_eq(engine_backends(r->e, 0), 1);
	ck_assert(!is_left(r, 0, 1));
	/* Its next life: another backend, and no number of before. */
	ck_assert_int_eq(prepare(r, 0, 1, spec_of(r, 5)), 0);
	engine_enter_backend(r->e, 0, 1, r->now);
	ck_assert_uint_eq(rig_backend(r, 1)->health.number, number);
	ck_assert_uint_ne(rig_backend(r, 1)->breaker.ticket, ticket);
	ck_assert_uint_eq(share(r, 1, 0, 4), 2);
	rig_done(r);
}
END_TEST

START_TEST(a_kept_syn_names_those_that_were_tried)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 0);
	struct backend *first = rig_backend(r, 0);

	r->now += S;
	ck_assert(conn_syn(r, &c));
	ck_assert(same(c.backend, first->addr));
	conn_refuse(r, &c);
	conn_expect_syn(r, &c);
	ck_assert_uint_eq(first->refs, 0);
	ck_assert_uint_eq(first->tried, 1);
	leave(r, 0, LEAVE_RESET);
	/* A SYN that waits longer than a handshake may: new timeouts. */
	engine_set_timeouts(r->e,
			    &(struct engine_timeouts){.syn_sent = 60,
						      .syn_received = 60,
						      .established = 7440,
						      .closing = 240,
						      .closed = 60},
			    r->now);
	rig_wait(r, HANDSHAKE + S);
	rig_drain(r);
	ck_assert_uint_eq(first->tried, 1);
	ck_assert(!is_left(r, 0, 0));
	conn_finish(r, &c);
	ck_assert_uint_eq(first->tried, 0);
	ck_assert(is_left(r, 0, 0));
	rig_done(r);
}
END_TEST

START_TEST(a_slot_between_others_is_freed_and_used_again)
{
	struct rig *r = rig_started(3);

	leave(r, 1, LEAVE_KEEP);
	rig_wait(r, HANDSHAKE + S);
	engine_free_backend(r->e, 0, 1);
	ck_assert_uint_eq(engine_backends(r->e, 0), 3);
	ck_assert_int_eq(engine_view_backend(r->e, 0, 1, r->now).slot,
			 SLOT_FREE);
	ck_assert_uint_eq(share(r, 0, 0, 8), 4);
	ck_assert_uint_eq(share(r, 2, 8, 8), 4);
	add(r, 1);
	ck_assert_uint_eq(share(r, 1, 16, 9), 3);
	rig_done(r);
}
END_TEST

/* The same endpoint twice: one that leaves, and one that has come. */
START_TEST(one_that_returns_at_once_shares_the_ports)
{
	struct rig *r = rig_small(1, 64, 8);
	struct conn c[8];

	for (unsigned i = 0; i < 4; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	leave(r, 0, LEAVE_KEEP);
	ck_assert_int_eq(prepare(r, 0, 1, spec_of(r, 0)), 0);
	engine_enter_backend(r->e, 0, 1, r->now);
	for (unsigned i = 4; i < 8; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
	conn_is_refused(r, 9, DROP_NO_PORT);
	ck_assert_uint_eq(rig_backend(r, 0)->refs, 4);
	ck_assert_uint_eq(rig_backend(r, 1)->refs, 4);
	for (unsigned i = 0; i < 8; i++)
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 10));
	rig_done(r);
}
END_TEST

/* A takeover finds both, and gives flows to the one that stays. */
START_TEST(adopted_flows_go_to_who_stays)
{
	struct rig *r = rig_started(1), *next;
	struct flow flows[64];
	uint32_t refused;
	struct conn c = conn_make(r, 0);

	conn_establish(r, &c);
	memcpy(flows, r->flows, sizeof(flows));
	next = rig_new(4);
	next->now = r->now + S;
	next->setup.backends[0][0].unused = true;
	next->setup.backends[0][1].addr = spec_of(r, 0)->addr;
	next->setup.backends[0][1].gone = true;
	next->setup.backends[0][2].addr = spec_of(r, 0)->addr;
	rig_start(next);
	memcpy(next->flows, flows, sizeof(flows));
	ck_assert_int_eq(engine_adopt(next->e, next->now, &refused), 1);
	ck_assert_uint_eq(rig_backend(next, 1)->refs, 0);
	ck_assert_uint_eq(rig_backend(next, 2)->refs, 1);
	inside_balance(next->e);
	rig_wait(next, S);
	ck_assert_int_eq(conn_state(next, &c), TCP_ESTABLISHED);
	rig_done(next);
	rig_free(r);
}
END_TEST

/* ---------------------------------------------------------------- services */

static void add_service(struct rig *r, unsigned service, uint16_t port)
{
	struct service_spec spec = r->setup.services[0];
	struct err err = {""};

	spec.listen.port = htons(port);
	ck_assert_int_eq(
		engine_prepare_service(r->e, service, &spec, r->now, &err), 0);
	ck_assert_int_eq(prepare(r, service, 0, spec_of(r, 0)), 0);
	ck_assert_int_eq(prepare(r, service, 1, spec_of(r, 1)), 0);
}

START_TEST(a_service_comes_and_goes)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 0), late = conn_make(r, 1);
	struct frame syn;

	add_service(r, 7, 20007);
	c.vip.port = late.vip.port = htons(20007);
	syn = conn_frame(&c, ORIG, SYN, 0);
	ck_assert(!rig_send(r, &syn)); /* it is only prepared */
	ck_assert_int_eq(r->why, DROP_NOT_OURS);
	rig_drain(r);
	engine_enter_service(r->e, 7, r->now);
	engine_enter_backend(r->e, 7, 0, r->now);
	engine_enter_backend(r->e, 7, 1, r->now);
	ck_assert_uint_eq(engine_services(r->e), 8);
	conn_establish(r, &c);
	engine_leave_service(r->e, 7, LEAVE_KEEP, r->now);
	syn = conn_frame(&late, ORIG, SYN, 0);
	ck_assert(!rig_send(r, &syn));
	ck_assert_int_eq(r->why, DROP_NO_BACKEND);
	rig_check_answer(r, &syn);
	ck_assert(conn_send(r, &c, ORIG, ACK, 10));
	ck_assert(conn_send(r, &c, REPLY, ACK, 10));
	conn_close(r, &c);
	rig_wait(r, 200 * S);
	ck_assert(is_left(r, 7, 0));
	engine_free_backend(r->e, 7, 0);
	ck_assert(is_left(r, 7, 1));
	engine_free_backend(r->e, 7, 1);
	ck_assert(is_left(r, 7, -1));
	engine_free_service(r->e, 7);
	ck_assert_uint_eq(engine_services(r->e), 1);
	syn = conn_frame(&late, ORIG, SYN, 0);
	ck_assert(!rig_send(r, &syn));
	ck_assert_int_eq(r->why, DROP_NOT_OURS);
	rig_done(r);
}
END_TEST

/* Clients must not wait for a service that is no more. */
START_TEST(one_that_leaves_refuses_even_if_it_would_drop)
{
	struct rig *r = rig_new(1);

	r->setup.services[0].params.drop_all_down = true;
	rig_start(r);
	engine_leave_service(r->e, 0, LEAVE_KEEP, r->now);
	conn_is_refused(r, 0, DROP_NO_BACKEND);
	rig_done(r);
}
END_TEST

START_TEST(a_service_that_comes_for_another_gets_its_address)
{
	struct rig *r = rig_started(1);
	struct conn old = conn_make(r, 0), c = conn_make(r, 1);

	conn_establish(r, &old);
	add_service(r, 1, 20000);
	engine_leave_service(r->e, 0, LEAVE_KEEP, r->now);
	engine_enter_service(r->e, 1, r->now);
	engine_enter_backend(r->e, 1, 0, r->now);
	engine_enter_backend(r->e, 1, 1, r->now);
	conn_establish(r, &c);
	ck_assert_uint_eq(conn_flow(r, &c)->service, 1);
	ck_assert(conn_send(r, &old, ORIG, ACK, 10));
	ck_assert_uint_eq(conn_flow(r, &old)->service, 0);
	rig_done(r);
}
END_TEST

START_TEST(a_service_that_is_undone_takes_its_backends_along)
{
	struct rig *r = rig_started(1);
	struct err err = {""};

	add_service(r, 1, 20001);
	ck_assert_int_eq(engine_prepare_service(r->e, 1, &r->setup.services[0],
						r->now, &err),
			 -EBUSY);
	ck_assert_int_eq(engine_prepare_service(r->e, 64, &r->setup.services[0],
						r->now, &err),
			 -EINVAL);
	engine_undo_service(r->e, 1);
	ck_assert_uint_eq(engine_services(r->e), 1);
	ck_assert_int_eq(engine_service_slot(r->e, 1), SLOT_FREE);
	add_service(r, 1, 20001);
	engine_undo_service(r->e, 1);
	rig_done(r);
}
END_TEST

START_TEST(a_service_that_leaves_takes_no_backend)
{
	struct rig *r = rig_started(1);

	ck_assert_int_eq(prepare(r, 0, 1, spec_of(r, 1)), 0);
	engine_leave_service(r->e, 0, LEAVE_KEEP, r->now);
	ck_assert_int_eq(engine_backend_slot(r->e, 0, 1), SLOT_FREE);
	ck_assert_int_eq(prepare(r, 0, 1, spec_of(r, 1)), -EBUSY);
	rig_done(r);
}
END_TEST

/* ------------------------------------------------------------------- kills */

START_TEST(a_flow_is_killed_by_its_number)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 0);
	uint32_t at;
	uint64_t id;

	conn_establish(r, &c);
	at = (uint32_t)(conn_flow(r, &c) - r->flows);
	id = conn_flow(r, &c)->id;
	ck_assert(!engine_kill_flow(r->e, at, id + 1, r->now));
	ck_assert(!engine_kill_flow(r->e, at + 1, id, r->now));
	ck_assert(!engine_kill_flow(r->e, UINT32_MAX, id, r->now));
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert(engine_kill_flow(r->e, at, id, r->now));
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(rig_drain(r), 2);
	ck_assert(!engine_kill_flow(r->e, at, id, r->now));
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_backend_that_is_added_takes_flows, 0},
		{what_is_prepared_is_seen_by_no_packet, 0},
		{a_slot_holds_one_backend, 0},
		{slots_may_have_holes_from_the_start, 0},
		{one_that_leaves_takes_no_flows_and_keeps_its_own, 0},
		{how_it_leaves_decides_what_becomes_of_its_flows, 0},
		{one_that_drains_as_it_leaves_has_its_time, 0},
		{a_flow_that_revives_leaves_too, 0},
		{a_slot_is_freed_when_nothing_names_it, 0},
		{a_kept_syn_names_those_that_were_tried, 0},
		{a_slot_between_others_is_freed_and_used_again, 0},
		{one_that_returns_at_once_shares_the_ports, 0},
		{adopted_flows_go_to_who_stays, 0},
		{a_service_comes_and_goes, 0},
		{one_that_leaves_refuses_even_if_it_would_drop, 0},
		{a_service_that_comes_for_another_gets_its_address, 0},
		{a_service_that_is_undone_takes_its_backends_along, 0},
		{a_service_that_leaves_takes_no_backend, 0},
		{a_flow_is_killed_by_its_number, 0},
	};

	return unit_run("slots", tests, ARRAY_LEN(tests));
}
