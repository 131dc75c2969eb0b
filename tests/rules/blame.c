/* SPDX-License-Identifier: MIT */
/*
 * blame.c - what counts as evidence against a backend that real handshakes ask
 *
 * A handshake that failed may be the backend's fault, the client's, or that of
 * a SYN that nobody would answer. Only the first ejects, and never the last one
 * that takes flows.
 */
#include <arpa/inet.h>

#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

/*
 * A kernel is silent to a SYN with an option that it has no key for (RFC 2385,
 * number 19), so all of them are, and honest clients are served meanwhile.
 */
START_TEST(syns_that_nobody_answers_eject_nobody)
{
	static const uint8_t md5[20] = {19, 18, 1,  2,	3,  4,	5,  6,	7, 8,
					9,  10, 11, 12, 13, 14, 15, 16, 1, 1};
	struct rig *r = rig_ejecting(3);

	for (unsigned i = 0; i < 9; i++) {
		struct conn c = conn_make(r, i), honest = conn_make(r, 20);
		struct frame f = conn_frame(&c, ORIG, SYN, 0);

		f.options = md5;
		f.options_len = sizeof(md5);
		rig_send(r, &f);
		if (i == 4)
			conn_establish(r, &honest);
	}
	rig_wait(r, 12 * S);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 9 * 2);
	ck_assert_uint_eq(rig_ejected(r), 0);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* Backend 0 is: it never answers, and the others do. */
START_TEST(silence_ejects_when_another_backend_answers)
{
	struct rig *r = rig_ejecting(3);
	const struct backend *b = inside_service(r->e, 0)->backends;

	for (unsigned i = 0; i < 9; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
		if (same(c.backend, b[0].addr)) {
			rig_wait(r, 400 * MS);
			conn_expect_syn(r, &c);
			ck_assert(!same(c.backend, b[0].addr));
		}
		ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	}
	ck_assert_int_eq(b[0].breaker.state, BREAKER_OPEN);
	ck_assert_uint_eq(rig_ejected(r), 1);
	rig_done(r);
}
END_TEST

START_TEST(silence_ejects_where_nobody_else_is_ever_asked)
{
	struct rig *r = rig_new(2);

	r->setup.services[0].params.breaker =
		(struct breaker_params)BREAKER_PARAMS_DEFAULT;
	rig_start(r);
	for (unsigned i = 0; i < 6; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
		if (!same(c.backend, r->setup.backends[0][0].addr))
			ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	}
	rig_wait(r, 11 * S);
	ck_assert_uint_eq(rig_ejected(r), 1);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* Why no other backend takes flows. */
enum absence { NOBODY_ELSE, ALL_DOWN, ALL_WITHOUT_WEIGHT, ALL_EJECTED };

static void take_away(struct rig *r, unsigned i, enum absence why)
{
	struct backend *b = rig_backend(r, i);

	if (why == ALL_DOWN)
		b->up = false;
	else if (why == ALL_WITHOUT_WEIGHT)
		b->params.weight = 0;
	else
		while (b->breaker.state != BREAKER_OPEN)
			breaker_failure(&b->breaker,
					breaker_begin(&b->breaker, r->now),
					&b->addr.addr, true, true, r->now);
}

/* It refuses, and so does whoever else is asked. */
static void all_refuse(struct rig *r, unsigned n, const struct backend *first)
{
	struct conn c = conn_make(r, n);

	ck_assert(conn_syn(r, &c));
	if (first)
		ck_assert(same(c.backend, first->addr));
	while (!conn_send(r, &c, REPLY, RST | ACK, 0))
		conn_expect_syn(r, &c);
	ck_assert(same(r->out.dst, c.client));
}

START_TEST(last_backend_that_takes_flows_is_not_ejected)
{
	struct rig *r = rig_ejecting(_i == NOBODY_ELSE ? 1 : 3);
	const struct breaker *last = &rig_backend(r, 0)->breaker;

	for (unsigned i = 1; i < engine_backends(r->e, 0); i++)
		take_away(r, i, (enum absence)_i);
	for (unsigned i = 0; i < 6; i++)
		all_refuse(r, i, rig_backend(r, 0));
	ck_assert_int_eq(last->state, BREAKER_CLOSED);
	/* Where others refused the same SYNs, they say nothing of it. */
	ck_assert_uint_eq(last->failed,
			  _i == ALL_EJECTED ? 0 : last->params.failures);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* There is something about these SYNs, not about the backends. */
START_TEST(syns_that_all_refuse_eject_nobody)
{
	struct rig *r = rig_ejecting(3);

	for (unsigned i = 0; i < 9; i++)
		all_refuse(r, i, NULL);
	ck_assert_uint_eq(rig_ejected(r), 0);
	rig_done(r);
}
END_TEST

/* A connection of the client @n, at its port @port; backend 0 refuses it. */
static void visit(struct rig *r, unsigned n, uint16_t port)
{
	struct conn c = conn_make(r, n);

	c.client.port = htons(port);
	ck_assert(conn_syn(r, &c));
	if (same(c.backend, rig_backend(r, 0)->addr)) {
		conn_refuse(r, &c);
		conn_expect_syn(r, &c);
	}
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
}

/* What one client sees it alone may have made, however often. */
START_TEST(one_client_is_no_evidence_and_two_are)
{
	struct rig *r = rig_ejecting(3);

	for (uint16_t i = 0; i < 20; i++)
		visit(r, 1, (uint16_t)(1000 + i));
	ck_assert_uint_eq(rig_ejected(r), 0);
	for (uint16_t i = 0; i < 3; i++)
		visit(r, 2, (uint16_t)(1000 + i));
	ck_assert_int_eq(rig_backend(r, 0)->breaker.state, BREAKER_OPEN);
	ck_assert_uint_eq(rig_ejected(r), 1);

	/* Nor does the first one's trial put off the end of it. */
	r->now += 1100 * MS;
	visit(r, 1, 3000);
	visit(r, 1, 3001);
	visit(r, 1, 3002);
	ck_assert_int_eq(rig_backend(r, 0)->breaker.state, BREAKER_HALF_OPEN);
	visit(r, 2, 3003);
	visit(r, 2, 3004);
	visit(r, 2, 3005);
	ck_assert_int_eq(rig_backend(r, 0)->breaker.state, BREAKER_OPEN);
	rig_done(r);
}
END_TEST

/* One client and a check that fails, before or after it. */
START_TEST(one_client_and_a_check_are_evidence)
{
	struct rig *r = rig_ejecting(3);
	struct health *h = &rig_backend(r, 0)->health;

	inside_service(r->e, 0)->params.checked = true;
	h->up = true;
	h->streak = 1;
	for (uint16_t i = 0; i < 9; i++)
		visit(r, 1, (uint16_t)(1000 + i));
	ck_assert_int_eq(rig_backend(r, 0)->breaker.state, BREAKER_OPEN);
	inside_service(r->e, 0)->params.checked = false;
	rig_done(r);
}
END_TEST

/*
 * The same SYN refused, or ignored, by everybody, from many addresses: with a
 * key for TCP-MD5, TCP-AO, MPTCP where it is passed on, options that lie, odd
 * flags, no window, no port.
 */
struct odd {
	uint8_t options[20];
	uint32_t len;
	uint8_t flags;
	uint16_t window;
	bool no_port;
};
static const struct odd odds[] = {
	{{19, 18, 1, 2, 3}, 20, SYN, 1000, false},
	{{29, 16, 1, 1, 7}, 16, SYN, 1000, false},
	{{30, 12, 0x10, 1, 9}, 12, SYN, 1000, false},
	{{2, 0, 5, 180}, 4, SYN, 1000, false},
	{{8, 255, 5, 180}, 4, SYN, 1000, false},
	{{0}, 0, SYN | ECE | CWR, 1000, false},
	{{0}, 0, SYN | PSH | URG, 1000, false},
	{{0}, 0, SYN, 0, false},
	{{0}, 0, SYN, 1000, true},
};

START_TEST(an_odd_syn_ejects_nobody)
{
	const struct odd *odd = &odds[_i / 2];
	struct rig *r = rig_ejecting(3);

	inside_service(r->e, 0)->params.mptcp_pass = true;
	for (unsigned i = 0; i < 12; i++) {
		struct conn c = conn_make(r, i);
		struct frame f, rst;

		if (odd->no_port)
			c.client.port = 0;
		f = conn_frame(&c, ORIG, odd->flags, 0);
		f.options = odd->options;
		f.options_len = odd->len;
		f.window = odd->window;
		if (!rig_send(r, &f))
			continue; /* by us: nobody is asked */
		c.seq[ORIG]++;
		c.acked[REPLY] = c.seq[ORIG];
		conn_refresh(r, &c);
		if (_i % 2) { /* ignored */
			rig_wait(r, 2 * S);
			rig_drain(r);
			continue;
		}
		do {
			rst = conn_frame(&c, REPLY, RST | ACK, 0);
			if (rig_send(r, &rst))
				break;
			conn_expect_syn(r, &c);
		} while (true);
	}
	rig_wait(r, 12 * S);
	rig_drain(r);
	ck_assert_uint_eq(rig_ejected(r), 0);
	rig_done(r);
}
END_TEST

/* The one left goes down by its checks: better an ejected one than nobody. */
START_TEST(ejected_backend_is_asked_when_nobody_else_is_left)
{
	struct rig *r = rig_ejecting(2);
	struct backend *ejected = rig_backend(r, 1);
	struct conn c = conn_make(r, 1);

	take_away(r, 1, ALL_EJECTED);
	for (unsigned i = 10; i < 13; i++) {
		struct conn other = conn_make(r, i);

		conn_establish(r, &other);
		ck_assert(same(other.backend, rig_backend(r, 0)->addr));
	}
	ck_assert(conn_syn(r, &c));
	conn_refuse(r, &c); /* who has refused is not asked twice */
	conn_expect_syn(r, &c);
	ck_assert(same(c.backend, ejected->addr));
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_int_eq(ejected->breaker.state, BREAKER_OPEN);

	take_away(r, 0, ALL_DOWN);
	c = conn_make(r, 2);
	ck_assert(conn_syn(r, &c));
	ck_assert(same(c.backend, ejected->addr));
	conn_finish(r, &c);
	ck_assert_int_eq(ejected->breaker.state, BREAKER_CLOSED);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{syns_that_nobody_answers_eject_nobody, 0},
		{silence_ejects_when_another_backend_answers, 0},
		{silence_ejects_where_nobody_else_is_ever_asked, 0},
		{last_backend_that_takes_flows_is_not_ejected, ALL_EJECTED + 1},
		{syns_that_all_refuse_eject_nobody, 0},
		{one_client_is_no_evidence_and_two_are, 0},
		{one_client_and_a_check_are_evidence, 0},
		{an_odd_syn_ejects_nobody, 2 * ARRAY_LEN(odds)},
		{ejected_backend_is_asked_when_nobody_else_is_left, 0},
	};

	return unit_run("blame", tests, ARRAY_LEN(tests));
}
