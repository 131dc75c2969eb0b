/* SPDX-License-Identifier: MIT */
/*
 * timed.c - how long handshakes, first bytes and checks took, and how long a
 * backend was down
 */
#include "core/change.h"
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

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

/* --- times ---------------------------------------------------------------- */

START_TEST(the_handshake_is_timed_from_the_client)
{
	struct rig *r = rig_retrying(2, 1);
	struct conn c = conn_make(r, 1);
	uint64_t timed = 0, sum = 0;

	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(note_of(r, &c)->handshake_us, 0);
	r->now += 30 * MS;
	conn_refuse(r, &c);
	conn_expect_syn(r, &c);
	r->now += 5 * MS + 700;
	conn_finish(r, &c);
	/* the client has waited for both, its backend took part of it */
	ck_assert_uint_eq(note_of(r, &c)->handshake_us, 35000);
	for (unsigned i = 0; i < 2; i++) {
		timed += histogram_total(&of_backend(r, i)->handshake);
		sum += of_backend(r, i)->handshake.sum_ns;
	}
	ck_assert_uint_eq(timed, 1);
	ck_assert_uint_eq(sum, 5 * MS + 700);
	rig_done(r);
}
END_TEST

/* Karn: nobody knows which SYN was answered, but the client has waited. */
START_TEST(a_repeated_syn_is_timed_for_its_client_only)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame syn;

	syn = conn_frame(&c, ORIG, SYN, 0);
	ck_assert(conn_syn(r, &c));
	r->now += S;
	ck_assert(rig_send(r, &syn));
	r->now += 3 * MS;
	conn_finish(r, &c);
	ck_assert_uint_eq(note_of(r, &c)->handshake_us, 1003000);
	ck_assert_uint_eq(histogram_total(&of_backend(r, 0)->handshake), 0);
	ck_assert_uint_eq(of_backend(r, 0)->answered, 1);
	rig_done(r);
}
END_TEST

/* @_i: who speaks first, the client with a question or the backend. */
START_TEST(the_first_byte_is_timed_from_the_answer)
{
	struct rig *r = rig_started(1);
	const struct backend_counters *n = of_backend(r, 0);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	r->now += 2 * MS;
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	r->now += MS;
	ck_assert(conn_send(r, &c, ORIG, ACK, _i ? 50 : 0));
	ck_assert(conn_send(r, &c, REPLY, ACK, 0));
	ck_assert_uint_eq(note_of(r, &c)->first_byte_us, 0);
	r->now += 30 * MS;
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 1));
	ck_assert_uint_eq(note_of(r, &c)->first_byte_us, 31000);
	r->now += S;
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 1000));
	ck_assert_uint_eq(note_of(r, &c)->first_byte_us, 31000);
	ck_assert_uint_eq(histogram_total(&n->first_byte), 1);
	ck_assert_uint_eq(n->first_byte.sum_ns, 31 * MS);
	ck_assert_uint_eq(n->first_byte.count[8], 1); /* to 50 ms */
	rig_done(r);
}
END_TEST

/* What no receiver would take is no answer. */
START_TEST(a_byte_out_of_the_window_is_not_the_first)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame forged;

	conn_establish(r, &c);
	forged = conn_frame(&c, REPLY, ACK, 100);
	forged.seq += 1000000;
	ck_assert(rig_send(r, &forged));
	ck_assert_uint_eq(note_of(r, &c)->first_byte_us, 0);
	ck_assert(conn_send(r, &c, REPLY, ACK, 1));
	/* at once: what is known is not 0 */
	ck_assert_uint_eq(note_of(r, &c)->first_byte_us, 1);
	rig_done(r);
}
END_TEST

/* --- health --------------------------------------------------------------- */

static struct rig *checked(void)
{
	struct rig *r = rig_new(2);

	r->setup.services[0].params.checked = true;
	r->setup.services[0].params.check.kind = CHECK_TCP;
	r->setup.services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	rig_start(r);
	return r;
}

/* Checks for @ns; those of the first backend take 2 ms and end as @result. */
static void check_for(struct rig *r, enum check_result result, uint64_t ns)
{
	for (const uint64_t end = r->now + ns; r->now < end;) {
		struct probe_request p;
		bool asked;

		engine_tick(r->e, r->now, 64);
		asked = engine_next_probe(r->e, &p);
		r->now += asked ? 2 * MS : 10 * MS;
		if (asked)
			engine_probe_result(
				r->e, p.service, p.backend, p.number,
				p.backend ? CHECK_OK : result, r->now);
	}
}

START_TEST(checks_are_counted_and_timed)
{
	struct rig *r = checked();

	check_for(r, CHECK_OK, 10 * S);
	ck_assert_uint_gt(of_backend(r, 0)->checks_ok, 2);
	ck_assert_uint_eq(of_backend(r, 0)->checks_failed, 0);
	ck_assert_uint_eq(of_backend(r, 0)->last_check_ns, 2 * MS);
	check_for(r, CHECK_REFUSED, 10 * S);
	ck_assert_uint_gt(of_backend(r, 0)->checks_failed, 2);
	ck_assert_uint_eq(of_backend(r, 1)->checks_failed, 0);
	/* what this host could not do is not the backend's */
	rig_done(r);
	r = checked();
	check_for(r, CHECK_LOCAL, 10 * S);
	ck_assert_uint_eq(of_backend(r, 0)->checks_ok, 0);
	ck_assert_uint_eq(of_backend(r, 0)->checks_failed, 0);
	rig_done(r);
}
END_TEST

START_TEST(the_time_down_is_kept)
{
	struct rig *r = checked();
	struct backend_view v = engine_view_backend(r->e, 0, 0, r->now);
	uint64_t down_ns, up_ns;

	ck_assert_uint_eq(v.since_ns, RIG_T0);
	ck_assert_uint_eq(v.downtime_ns, 0);
	check_for(r, CHECK_OK, 10 * S);
	while (rig_backend(r, 0)->up)
		check_for(r, CHECK_REFUSED, MS);
	down_ns = r->now;
	check_for(r, CHECK_REFUSED, 20 * S);
	v = engine_view_backend(r->e, 0, 0, r->now);
	ck_assert_uint_eq(v.since_ns, down_ns);
	ck_assert_uint_eq(v.downtime_ns, r->now - down_ns);
	ck_assert_uint_eq(of_backend(r, 0)->downs, 1);
	while (!rig_backend(r, 0)->up)
		check_for(r, CHECK_OK, MS);
	up_ns = r->now;
	check_for(r, CHECK_OK, 5 * S);
	v = engine_view_backend(r->e, 0, 0, r->now);
	ck_assert_uint_eq(v.since_ns, up_ns);
	ck_assert_uint_eq(v.downtime_ns, up_ns - down_ns);
	ck_assert_uint_eq(of_backend(r, 0)->downs, 1);
	rig_done(r);
}
END_TEST

/* Without checks nothing could find it up again: so it is up from then. */
START_TEST(the_time_down_ends_with_the_checks)
{
	struct rig *r = checked();
	struct service_params params = r->setup.services[0].params;
	struct backend_view v;
	uint64_t down_ns;

	while (rig_backend(r, 0)->up)
		check_for(r, CHECK_REFUSED, MS);
	down_ns = r->now;
	r->now += 7 * S;
	params.checked = false;
	engine_set_service(r->e, 0, &params, r->now);
	v = engine_view_backend(r->e, 0, 0, r->now + S);
	ck_assert(v.up);
	ck_assert(!v.checked);
	ck_assert_uint_eq(v.since_ns, r->now);
	ck_assert_uint_eq(v.downtime_ns, r->now - down_ns);
	rig_done(r);
}
END_TEST

START_TEST(an_ejected_backend_is_so_since_then)
{
	struct rig *r = rig_ejecting(2);
	struct backend_view v;
	uint64_t ejected_ns;

	for (unsigned n = 0; !rig_ejected(r); n++) {
		struct conn c = conn_make(r, n);

		ck_assert_uint_lt(n, 20);
		r->now += 10 * MS;
		ck_assert(conn_syn(r, &c));
		if (same(c.backend, rig_backend(r, 0)->addr)) {
			conn_refuse(r, &c);
			conn_expect_syn(r, &c);
		}
		conn_finish(r, &c);
	}
	ejected_ns = r->now;
	rig_wait(r, S / 2);
	v = engine_view_backend(r->e, 0, 0, r->now);
	ck_assert(v.ejected);
	ck_assert_int_eq(v.breaker, BREAKER_OPEN);
	ck_assert_uint_eq(v.since_ns, ejected_ns);
	ck_assert_uint_eq(v.downtime_ns, 0);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_handshake_is_timed_from_the_client, 0},
		{a_repeated_syn_is_timed_for_its_client_only, 0},
		{the_first_byte_is_timed_from_the_answer, 2},
		{a_byte_out_of_the_window_is_not_the_first, 0},
		{checks_are_counted_and_timed, 0},
		{the_time_down_is_kept, 0},
		{the_time_down_ends_with_the_checks, 0},
		{an_ejected_backend_is_so_since_then, 0},
	};

	return unit_run("timed", tests, ARRAY_LEN(tests));
}
