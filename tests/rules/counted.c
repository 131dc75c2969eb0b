/* SPDX-License-Identifier: MIT */
/*
 * counted.c - requests of services, packets of backends, and what begins anew
 */
#include <string.h>

#include "core/change.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S

static const struct backend_counters *of_backend(const struct rig *r,
						 unsigned backend)
{
	return engine_backend_counters(r->e, 0, backend);
}

static const struct flow_note *note_of(const struct rig *r,
				       const struct conn *c)
{
	return flow_note(engine_flows(r->e), conn_flow(r, c));
}

/* All services together have the same: there is one. */
static void check_requests(const struct rig *r, unsigned succeeded,
			   unsigned failed, unsigned pending)
{
	const struct service_counters want = {
		.requests = succeeded + failed + pending,
		.succeeded = succeeded,
		.failed = failed,
		.pending = pending,
	};
	const size_t same = offsetof(struct service_counters, refused);

	ck_assert_mem_eq(engine_service_counters(r->e, 0), &want, same);
	ck_assert_mem_eq(engine_request_counters(r->e), &want, same);
}

/* A SYN that opens no flow. */
static void is_refused(struct rig *r, unsigned n, enum drop_reason why)
{
	const struct conn c = conn_make(r, n);
	const struct frame syn = conn_frame(&c, ORIG, SYN, 0);

	ck_assert(!rig_send(r, &syn));
	ck_assert_int_eq(r->why, why);
	rig_drain(r);
}

/* --- requests ------------------------------------------------------------- */

START_TEST(a_request_is_pending_until_it_is_decided)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1), d = conn_make(r, 2);

	check_requests(r, 0, 0, 0);
	ck_assert(conn_syn(r, &c));
	check_requests(r, 0, 0, 1);
	ck_assert(conn_syn(r, &d));
	check_requests(r, 0, 0, 2);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	check_requests(r, 1, 0, 1);
	ck_assert(conn_send(r, &d, ORIG, RST, 0));
	check_requests(r, 1, 1, 0);
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	conn_close(r, &c);
	rig_wait(r, 200 * S);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	check_requests(r, 1, 1, 0);
	rig_done(r);
}
END_TEST

START_TEST(a_syn_that_is_repeated_is_one_request)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);

	for (int i = 0; i < 3; i++) {
		const struct frame syn = conn_frame(&c, ORIG, SYN, 0);

		ck_assert(rig_send(r, &syn));
		check_requests(r, 0, 0, 1);
	}
	rig_done(r);
}
END_TEST

START_TEST(a_refused_request_has_failed)
{
	struct rig *r = rig_small(1, 1, 8);
	const struct service_counters *n = engine_service_counters(r->e, 0);

	/* the only place is of a connection that lives */
	conn_in_state(r, 1, TCP_ESTABLISHED);
	is_refused(r, 2, DROP_TABLE_FULL);
	check_requests(r, 1, 1, 0);
	is_refused(r, 2, DROP_TABLE_FULL);
	check_requests(r, 1, 2, 0);
	rig_backend(r, 0)->up = false;
	is_refused(r, 3, DROP_NO_BACKEND);
	check_requests(r, 1, 3, 0);
	ck_assert_uint_eq(n->refused[DROP_TABLE_FULL], 2);
	ck_assert_uint_eq(n->refused[DROP_NO_BACKEND], 1);
	ck_assert_mem_eq(n->refused, r->refused, sizeof(r->refused));
	ck_assert_mem_eq(n->refused, engine_request_counters(r->e)->refused,
			 sizeof(n->refused));
	rig_backend(r, 0)->up = true;
	rig_done(r);
}
END_TEST

START_TEST(what_comes_again_by_itself_is_no_request)
{
	struct rig *r = rig_started(1);

	engine_set_service_away(r->e, 0, true);
	is_refused(r, 1, DROP_NOT_OURS);
	engine_set_service_away(r->e, 0, false);
	engine_syns_lost(r->e, r->now);
	for (unsigned i = 0; r->refused[DROP_SYN_OVERLOAD] == 0; i++) {
		struct conn c = conn_make(r, 100 + i);
		const struct frame syn = conn_frame(&c, ORIG, SYN, 0);

		ck_assert_uint_lt(i, 10000);
		if (rig_send(r, &syn))
			ck_assert(conn_send(r, &c, ORIG, RST, 0));
	}
	ck_assert_uint_eq(engine_service_counters(r->e, 0)->requests,
			  of_backend(r, 0)->total);
	ck_assert_uint_eq(
		engine_service_counters(r->e, 0)->refused[DROP_SYN_OVERLOAD],
		1);
	ck_assert_uint_eq(
		engine_service_counters(r->e, 0)->refused[DROP_NOT_OURS], 1);
	rig_done(r);
}
END_TEST

START_TEST(a_request_that_is_redispatched_is_one)
{
	struct rig *r = rig_retrying(3, 2);
	struct conn c = conn_make(r, 1);
	uint64_t total = 0, failed = 0, moved = 0, answered = 0;

	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(note_of(r, &c)->tries, 1);
	for (int i = 0; i < 2; i++) {
		conn_refuse(r, &c);
		conn_expect_syn(r, &c);
		check_requests(r, 0, 0, 1);
	}
	conn_finish(r, &c);
	check_requests(r, 1, 0, 0);
	ck_assert_uint_eq(note_of(r, &c)->tries, 3);
	ck_assert_uint_eq(note_of(r, &c)->why, 1 + SCHED_RR);
	for (unsigned i = 0; i < 3; i++) {
		total += of_backend(r, i)->total;
		failed += of_backend(r, i)->failed_by[FAILURE_REFUSED];
		moved += of_backend(r, i)->redispatched;
		answered += of_backend(r, i)->answered;
	}
	ck_assert_uint_eq(total, 3);
	ck_assert_uint_eq(failed, 2);
	ck_assert_uint_eq(moved, 2);
	ck_assert_uint_eq(answered, 1);
	rig_done(r);
}
END_TEST

/* With 256 backends and as many retries, all of them may have refused. */
START_TEST(tries_are_counted_up_to_255)
{
	struct rig *r = rig_retrying(3, 2);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	((struct flow_note *)note_of(r, &c))->tries = UINT8_MAX - 1;
	for (int i = 0; i < 2; i++) {
		conn_refuse(r, &c);
		conn_expect_syn(r, &c);
		ck_assert_uint_eq(note_of(r, &c)->tries, UINT8_MAX);
	}
	rig_done(r);
}
END_TEST

/* The backend remembers the port: it is asked again, from another one. */
START_TEST(a_port_that_is_repaired_is_no_other_backend)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct endpoint first;

	ck_assert(conn_syn(r, &c));
	first = c.nat;
	for (int i = 0; i < 2; i++) {
		struct frame ack = conn_frame(&c, REPLY, ACK, 0);

		ack.ack += 12345;
		ck_assert(!rig_send(r, &ack));
		rig_drain(r);
		conn_refresh(r, &c);
	}
	ck_assert(!same(c.nat, first));
	conn_finish(r, &c);
	ck_assert_uint_eq(note_of(r, &c)->tries, 1);
	ck_assert_uint_eq(of_backend(r, 0)->total, 1);
	ck_assert_uint_eq(of_backend(r, 0)->redispatched, 0);
	check_requests(r, 1, 0, 0);
	rig_done(r);
}
END_TEST

/* --- packets -------------------------------------------------------------- */

START_TEST(a_backend_counts_the_packets_of_its_flows)
{
	struct rig *r = rig_started(2);
	struct conn c[2] = {conn_make(r, 1), conn_make(r, 2)};

	for (unsigned i = 0; i < 2; i++) {
		const struct backend_counters *n = of_backend(r, i);
		const struct flow *f;

		conn_establish(r, &c[i]);
		ck_assert(same(c[i].backend, rig_backend(r, i)->addr));
		ck_assert(conn_send(r, &c[i], ORIG, ACK, 100 + i));
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 1000 + i));
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 500));
		f = conn_flow(r, &c[i]);
		ck_assert_uint_eq(n->packets[ORIG], 3);
		ck_assert_uint_eq(n->packets[REPLY], 3);
		ck_assert_uint_eq(n->bytes[ORIG], 3 * 40 + 100 + i);
		ck_assert_uint_eq(n->bytes[REPLY], 3 * 40 + 1500 + i);
		ck_assert_mem_eq(n->packets, f->packets, sizeof(f->packets));
		ck_assert_mem_eq(n->bytes, f->bytes, sizeof(f->bytes));
	}
	rig_done(r);
}
END_TEST

START_TEST(retransmissions_are_counted_by_side)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	for (int side = 0; side < FLOW_SIDES; side++) {
		const struct frame data = conn_frame(&c, side, ACK, 100);
		struct frame old = data;

		ck_assert(conn_send(r, &c, side, ACK, 100));
		for (int i = 0; i <= side; i++)
			ck_assert(rig_send(r, &data));
		/* too old for the window: it says nothing */
		old.seq -= 100000;
		ck_assert(rig_send(r, &old));
	}
	ck_assert_uint_eq(note_of(r, &c)->retransmits[ORIG], 1);
	ck_assert_uint_eq(note_of(r, &c)->retransmits[REPLY], 2);
	ck_assert_uint_eq(of_backend(r, 0)->retransmits[ORIG], 1);
	ck_assert_uint_eq(of_backend(r, 0)->retransmits[REPLY], 2);
	rig_done(r);
}
END_TEST

START_TEST(a_note_counts_as_far_as_it_can)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame data;

	conn_establish(r, &c);
	data = conn_frame(&c, ORIG, ACK, 100);
	ck_assert(conn_send(r, &c, ORIG, ACK, 100));
	for (unsigned i = 0; i < UINT16_MAX + 5; i++)
		ck_assert(rig_send(r, &data));
	ck_assert_uint_eq(note_of(r, &c)->retransmits[ORIG], UINT16_MAX);
	ck_assert_uint_eq(of_backend(r, 0)->retransmits[ORIG], UINT16_MAX + 5);
	rig_done(r);
}
END_TEST

/* --- who comes after ------------------------------------------------------ */

static void free_what_left(struct rig *r)
{
	unsigned service;
	int backend;

	rig_wait(r, 200 * S);
	ck_assert(engine_next_left(r->e, r->now, &service, &backend));
	ck_assert_int_eq(backend, 0);
	engine_free_backend(r->e, 0, 0);
}

START_TEST(a_slot_begins_at_nothing)
{
	const struct backend_counters none = {.total = 0};
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 1);
	struct err err;

	conn_establish(r, &c);
	ck_assert(same(c.backend, rig_backend(r, 0)->addr));
	ck_assert(conn_send(r, &c, REPLY, ACK, 1000));
	conn_close(r, &c);
	ck_assert_uint_gt(of_backend(r, 0)->packets[REPLY], 0);
	engine_leave_backend(r->e, 0, 0, LEAVE_KEEP, r->now);
	free_what_left(r);
	ck_assert_mem_eq(of_backend(r, 0), &none, sizeof(none));
	ck_assert_int_eq(engine_prepare_backend(r->e, 0, 0,
						&r->setup.backends[0][2],
						r->now, &err),
			 0);
	engine_enter_backend(r->e, 0, 0, r->now);
	ck_assert_mem_eq(of_backend(r, 0), &none, sizeof(none));
	/* what it did for its service is not forgotten */
	check_requests(r, 1, 0, 0);
	rig_done(r);
}
END_TEST

START_TEST(a_service_begins_at_nothing_and_all_of_them_do_not)
{
	const struct service_counters none = {.requests = 0};
	struct rig *r = rig_started(1);
	struct err err;

	conn_close(r,
		   &(struct conn[]){conn_in_state(r, 1, TCP_ESTABLISHED)}[0]);
	engine_leave_service(r->e, 0, LEAVE_KEEP, r->now);
	free_what_left(r);
	engine_free_service(r->e, 0);
	ck_assert_int_eq(engine_prepare_service(r->e, 0, &r->setup.services[0],
						r->now, &err),
			 0);
	engine_enter_service(r->e, 0, r->now);
	ck_assert_mem_eq(engine_service_counters(r->e, 0), &none, sizeof(none));
	ck_assert_uint_eq(engine_request_counters(r->e)->requests, 1);
	ck_assert_uint_eq(engine_request_counters(r->e)->succeeded, 1);
	rig_done(r);
}
END_TEST

START_TEST(parameters_that_change_count_nothing_anew)
{
	struct rig *r = rig_started(1);
	struct service_params s = r->setup.services[0].params;
	struct backend_params b = {.weight = 7};
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
	struct backend_counters before;

	before = *of_backend(r, 0);
	s.scheduler = SCHED_LC;
	engine_set_service(r->e, 0, &s, r->now);
	engine_set_backend(r->e, 0, 0, &b, r->now);
	ck_assert_mem_eq(of_backend(r, 0), &before, sizeof(before));
	check_requests(r, 1, 0, 0);
	conn_close(r, &c);
	rig_done(r);
}
END_TEST

/* A flow each, open, pending and closed, for the next process. */
START_TEST(of_adopted_flows_nothing_is_known)
{
	struct rig *r = rig_started(1), *next = rig_new(1);
	struct conn c[3] = {
		conn_in_state(r, 1, TCP_ESTABLISHED),
		conn_in_state(r, 2, TCP_SYN_SENT),
		conn_in_state(r, 3, TCP_TIME_WAIT),
	};
	const struct flow_note unknown = {.flags = NOTE_ADOPTED};
	uint32_t refused;

	next->now = r->now + S;
	rig_start(next);
	memcpy(next->flows, r->flows,
	       r->setup.spec.n_flows * sizeof(*r->flows));
	rig_free(r);
	r = next;
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), 3);
	inside_balance(r->e);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_mem_eq(note_of(r, &c[i]), &unknown, sizeof(unknown));
	check_requests(r, 0, 0, 1);
	ck_assert_uint_eq(of_backend(r, 0)->total, 3);
	ck_assert_uint_eq(of_backend(r, 0)->ended_before, 1);
	/* the first byte may have been there */
	ck_assert(conn_send(r, &c[0], REPLY, ACK, 10));
	ck_assert_uint_eq(note_of(r, &c[0])->first_byte_us, 0);
	/* but the SYN-ACK was not */
	conn_finish(r, &c[1]);
	ck_assert_uint_ge(note_of(r, &c[1])->handshake_us, 1000000);
	check_requests(r, 1, 0, 0);
	conn_close(r, &c[0]);
	ck_assert_uint_eq(note_of(r, &c[0])->end, FLOW_END_CLOSED);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c[0].client), 1);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c[2].client), 0);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_request_is_pending_until_it_is_decided, 0},
		{a_syn_that_is_repeated_is_one_request, 0},
		{a_refused_request_has_failed, 0},
		{what_comes_again_by_itself_is_no_request, 0},
		{a_request_that_is_redispatched_is_one, 0},
		{tries_are_counted_up_to_255, 0},
		{a_port_that_is_repaired_is_no_other_backend, 0},
		{a_backend_counts_the_packets_of_its_flows, 0},
		{retransmissions_are_counted_by_side, 0},
		{a_note_counts_as_far_as_it_can, 0},
		{a_slot_begins_at_nothing, 0},
		{a_service_begins_at_nothing_and_all_of_them_do_not, 0},
		{parameters_that_change_count_nothing_anew, 0},
		{of_adopted_flows_nothing_is_known, 0},
	};

	return unit_run("counted", tests, ARRAY_LEN(tests));
}
