/* SPDX-License-Identifier: MIT */
/*
 * redispatch.c - what makes the balancer ask another backend, and when
 *
 * Refusals and who is asked then are in failover.c. Here: errors of
 * routers, how long is waited for an answer, and how many are asked at the
 * most (design rule 9).
 */
#include <string.h>

#include "errors.h"
#include "parse.h"
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)
#define SLOT  (70 * MS) /* a timer is late by one of the wheel, at the most */

static struct backend *backend_of(const struct rig *r, const struct conn *c)
{
	return inside_backend_of(r->e, conn_flow(r, c));
}

/* --- a SYN with data ------------------------------------------------------ */

/* Fast Open: its copies have none (RFC 7413 section 4.1.3). They go where it
 * went, and to nobody else, who would get its data a second time.
 */
START_TEST(copies_of_a_syn_with_data_stay_with_its_backend)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = conn_make(r, 1);
	struct frame copy = conn_frame(&c, ORIG, SYN, 0);

	ck_assert(conn_send(r, &c, ORIG, SYN, 100));
	c.nat = r->out.src;
	c.backend = r->out.dst;
	for (int i = 0; i < 3; i++) {
		rig_wait(r, S);
		ck_assert(rig_send(r, &copy));
		ck_assert(same(r->out.dst, c.backend));
		ck_assert(same(r->out.src, c.nat));
	}
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	ck_assert(rig_send(r, &copy)); /* the answer was lost behind us */
	ck_assert(same(r->out.dst, c.backend));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(backend_of(r, &c)->counters.failed, 0);
	rig_done(r);
}
END_TEST

/* A copy without data overtook it. */
START_TEST(a_syn_with_data_behind_its_copy_goes_to_the_same)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = conn_make(r, 1);
	struct frame first = conn_frame(&c, ORIG, SYN, 100);

	ck_assert(conn_syn(r, &c));
	ck_assert(rig_send(r, &first));
	ck_assert(same(r->out.dst, c.backend));
	rig_wait(r, 5 * S);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0)); /* without the data */
	ck_assert_int_eq(conn_state(r, &c), TCP_SYN_RECEIVED);
	ck_assert(conn_send(r, &c, ORIG, ACK, 100));
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* --- errors of routers ---------------------------------------------------- */

/* About the SYN of @c on its way to the backend. */
static struct error about_syn(const struct conn *c, uint8_t type, uint8_t code)
{
	return (struct error){
		.src = "198.18.0.254",
		.dst = "198.18.0.1",
		.type = type,
		.code = code,
		.ttl = FRAME_TTL,
		.mtu = code == 4 ? 1400 : 0,
		.segment = {.src = c->nat,
			    .dst = c->backend,
			    .seq = c->seq[ORIG] - 1,
			    .flags = SYN},
		.tcp_quoted = 8,
	};
}

/* It becomes what leaves, if it does. */
static enum verdict send_error(struct rig *r, const struct error *e,
			       struct icmp_error *m)
{
	static uint8_t bytes[ERROR_MAX];
	enum drop_reason why;

	ck_assert(!parse_icmp(m, bytes, error_build(e, bytes), &why));
	return engine_icmp(r->e, m, r->now);
}

static void is_unreachable(struct rig *r, const struct conn *c)
{
	struct error e = about_syn(c, 3, 1);
	struct icmp_error m;

	ck_assert_int_eq(send_error(r, &e, &m), VERDICT_CONSUMED);
}

START_TEST(unreachable_backend_is_left_at_once)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	struct backend *first;

	ck_assert(conn_syn(r, &c));
	first = backend_of(r, &c);
	r->now += MS;
	is_unreachable(r, &c);
	conn_expect_syn(r, &c);
	ck_assert(!same(c.backend, first->addr));
	ck_assert_uint_eq(rig_drain(r), 0); /* nothing to the client */
	ck_assert_uint_eq(first->counters.failed, 1);
	ck_assert_uint_eq(rig_events(r, FLOW_REDISPATCHED, &c.client), 1);
	conn_finish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(unreachable_backend_is_ejected)
{
	struct rig *r = rig_ejecting(2);
	const struct backend *gone = rig_backend(r, 0);

	for (unsigned i = 0; i < 6; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
		if (same(c.backend, gone->addr)) {
			is_unreachable(r, &c);
			conn_expect_syn(r, &c);
		}
		conn_finish(r, &c);
	}
	ck_assert_int_eq(gone->breaker.state, BREAKER_OPEN);
	ck_assert_uint_eq(rig_ejected(r), 1);
	rig_done(r);
}
END_TEST

/* The client may know what the last one's router says. */
START_TEST(unreachable_is_passed_on_when_nobody_is_left)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	struct icmp_error m;
	struct error e;

	ck_assert(conn_syn(r, &c));
	is_unreachable(r, &c);
	conn_expect_syn(r, &c);
	e = about_syn(&c, 3, 1);
	ck_assert_int_eq(send_error(r, &e, &m), VERDICT_SEND);
	ck_assert(addr_equal(&m.msg.dst, &c.client.addr));
	ck_assert(same(m.quoted.pair.src, c.client));
	ck_assert(same(m.quoted.pair.dst, c.vip));
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* Of the SYN or its way, not of the backend. */
static const struct {
	uint8_t type, code;
} others[] = {{3, 4}, {11, 0}, {11, 1}, {12, 0}};

START_TEST(other_errors_do_not_move_a_flow)
{
	struct rig *r = rig_ejecting(2);
	struct conn c = conn_make(r, 1);
	struct icmp_error m;
	struct error e;

	ck_assert(conn_syn(r, &c));
	e = about_syn(&c, others[_i].type, others[_i].code);
	ck_assert_int_eq(send_error(r, &e, &m), VERDICT_SEND);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_uint_eq(backend_of(r, &c)->breaker.failed, 0);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* RFC 5927: anybody can send one; only who saw the SYN knows its number. */
START_TEST(guessed_unreachable_moves_nothing)
{
	struct rig *r = rig_ejecting(2);
	struct conn c = conn_make(r, 1);
	struct icmp_error m;
	struct error e;

	ck_assert(conn_syn(r, &c));
	e = about_syn(&c, 3, 1);
	e.segment.seq += 77777;
	ck_assert_int_eq(send_error(r, &e, &m), VERDICT_DROP);
	ck_assert_uint_eq(engine_counters(r->e)->dropped[DROP_ICMP_STALE], 1);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_uint_eq(backend_of(r, &c)->breaker.failed, 0);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* The client has heard of its backend; the path may be mended. */
START_TEST(unreachable_moves_no_flow_that_was_answered)
{
	struct rig *r = rig_ejecting(2);
	struct conn c = conn_make(r, 1);
	struct icmp_error m;
	struct error e;

	conn_receive_syn(r, &c);
	e = about_syn(&c, 3, 1);
	e.segment.seq = c.seq[ORIG];
	e.segment.flags = ACK;
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 10));
	ck_assert_int_eq(send_error(r, &e, &m), VERDICT_SEND);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* --- how long is waited --------------------------------------------------- */

/* The backends of the next SYNs, as many as there are, answer after @ns. */
static void measure(struct rig *r, unsigned n, uint64_t ns)
{
	for (unsigned i = 0; i < engine_backends(r->e, 0); i++) {
		struct conn c = conn_make(r, n + i);

		ck_assert(conn_syn(r, &c));
		r->now += ns;
		conn_finish(r, &c);
	}
}

/* A SYN that nobody answers is given on after @ns, and no sooner. */
static void expect_patience(struct rig *r, unsigned n, uint64_t ns)
{
	struct conn c = conn_make(r, n);
	uint64_t before = engine_counters(r->e)->redispatched;

	ck_assert(conn_syn(r, &c));
	rig_wait(r, ns - 1);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, before);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_wait(r, SLOT);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, before + 1);
	conn_expect_syn(r, &c);
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
}

START_TEST(slow_backend_is_given_three_times_its_usual_handshake)
{
	struct rig *r = rig_retrying(2, 1);

	measure(r, 1, 200 * MS);
	expect_patience(r, 10, 600 * MS);
	rig_done(r);
}
END_TEST

START_TEST(fast_backend_is_given_the_syn_timeout_all_the_same)
{
	struct rig *r = rig_retrying(2, 1);

	measure(r, 1, 5 * MS);
	expect_patience(r, 10, ENGINE_SYN_TIMEOUT_MS_DEFAULT * MS);
	rig_done(r);
}
END_TEST

/* RFC 6298: a new one counts an eighth, in either direction. */
START_TEST(usual_handshake_follows_slowly)
{
	struct rig *r = rig_retrying(1, 1);
	const struct backend *b = rig_backend(r, 0);

	measure(r, 1, 100 * MS);
	ck_assert_uint_eq(b->handshake_ns, 100 * MS);
	measure(r, 2, 900 * MS);
	ck_assert_uint_eq(b->handshake_ns, 200 * MS);
	measure(r, 3, 40 * MS);
	ck_assert_uint_eq(b->handshake_ns, 180 * MS);
	rig_done(r);
}
END_TEST

/* Karn: the answer may be to the first one, or to the second. */
START_TEST(repeated_syn_measures_nothing)
{
	struct rig *r = rig_retrying(2, 1);
	struct conn c = conn_make(r, 1);
	const struct backend *b;

	ck_assert(conn_syn(r, &c));
	b = backend_of(r, &c);
	r->now += 200 * MS;
	c.seq[ORIG]--;
	ck_assert(conn_syn(r, &c));
	r->now += MS;
	conn_finish(r, &c);
	ck_assert_uint_eq(b->handshake_ns, 0);
	rig_done(r);
}
END_TEST

/* The answer was there; this process, or the whole machine, was not. */
START_TEST(what_took_longer_than_any_client_waits_measures_nothing)
{
	struct rig *r = rig_retrying(1, 1);

	measure(r, 1, 100 * MS);
	measure(r, 2, 3600 * S);
	ck_assert_uint_eq(rig_backend(r, 0)->handshake_ns, 100 * MS);
	rig_done(r);
}
END_TEST

/* It was sent one SYN, though the one before it was sent two. */
START_TEST(next_backend_is_measured_from_when_it_was_asked)
{
	struct rig *r = rig_retrying(2, 1);
	struct conn c = conn_make(r, 1);
	const struct backend *first;

	ck_assert(conn_syn(r, &c));
	first = backend_of(r, &c);
	r->now += 100 * MS;
	c.seq[ORIG]--;
	ck_assert(conn_syn(r, &c));
	r->now += 100 * MS;
	conn_refuse(r, &c);
	conn_expect_syn(r, &c);
	r->now += 50 * MS;
	conn_finish(r, &c);
	ck_assert_uint_eq(first->handshake_ns, 0);
	ck_assert_uint_eq(backend_of(r, &c)->handshake_ns, 50 * MS);
	rig_done(r);
}
END_TEST

/* Whoever were asked then would be reset with it. */
START_TEST(who_waited_long_enough_is_reset_and_nobody_asked)
{
	struct rig *r = rig_retrying(4, 3);
	struct conn c = conn_make(r, 20);
	struct frame rst;

	measure(r, 1, 4 * S); /* 12 s would be waited */
	ck_assert(conn_syn(r, &c));
	rig_wait(r, 10 * S - 1);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_wait(r, SLOT);
	rst = rig_only(r);
	ck_assert(same(rst.dst, c.client));
	ck_assert_uint_eq(rst.flags, RST | ACK);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	rig_done(r);
}
END_TEST

/* --- how many ------------------------------------------------------------- */

/*
 * More than a kept SYN has room to remember: what lies behind the last of them
 * is the SYN's options, which the backends would get.
 */
START_TEST(no_more_are_asked_than_can_be_remembered)
{
	static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 1, 3, 3, 9, 0, 0};
	struct rig *r = rig_retrying(12, 255);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0);
	uint64_t asked = 0;

	f.options = options;
	f.options_len = sizeof(options);
	ck_assert(rig_send(r, &f));
	c.acked[REPLY] = ++c.seq[ORIG];
	conn_refresh(r, &c);
	for (unsigned i = 0; i < HANDSHAKE_RETRIES_MAX; i++) {
		if (_i) /* silent */
			rig_wait(r, 300 * MS + SLOT);
		else
			conn_refuse(r, &c);
		f = conn_expect_syn(r, &c);
		ck_assert_uint_eq(f.options_len, sizeof(options));
		ck_assert_mem_eq(f.options, options, sizeof(options));
	}
	f = conn_frame(&c, REPLY, RST | ACK, 0);
	f.seq = 0;
	ck_assert(rig_send(r, &f));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_uint_eq(r->out.flags, RST | ACK);
	ck_assert_uint_eq(r->out.ack, c.seq[ORIG]);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	for (unsigned i = 0; i < 12; i++)
		asked += rig_backend(r, i)->counters.total;
	ck_assert_uint_eq(asked, 1 + HANDSHAKE_RETRIES_MAX);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{copies_of_a_syn_with_data_stay_with_its_backend, 0},
		{a_syn_with_data_behind_its_copy_goes_to_the_same, 0},
		{unreachable_backend_is_left_at_once, 0},
		{unreachable_backend_is_ejected, 0},
		{unreachable_is_passed_on_when_nobody_is_left, 0},
		{other_errors_do_not_move_a_flow, ARRAY_LEN(others)},
		{guessed_unreachable_moves_nothing, 0},
		{unreachable_moves_no_flow_that_was_answered, 0},
		{slow_backend_is_given_three_times_its_usual_handshake, 0},
		{fast_backend_is_given_the_syn_timeout_all_the_same, 0},
		{usual_handshake_follows_slowly, 0},
		{repeated_syn_measures_nothing, 0},
		{what_took_longer_than_any_client_waits_measures_nothing, 0},
		{next_backend_is_measured_from_when_it_was_asked, 0},
		{who_waited_long_enough_is_reset_and_nobody_asked, 0},
		{no_more_are_asked_than_can_be_remembered, 2},
	};

	return unit_run("redispatch", tests, ARRAY_LEN(tests));
}
