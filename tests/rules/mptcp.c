/* SPDX-License-Identifier: MIT */
/*
 * mptcp.c - MPTCP is taken out of SYNs, since another path would not pass here
 */
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S

/* MSS; MP_CAPABLE at an odd place; one more, of 12 bytes; window scale. */
static const uint8_t capable[] = {2,   4, 5, 180, 1, 30, 4, 1, 129, 30, 12, 1,
				  129, 1, 2, 3,	  4, 5,	 6, 7, 8,   3,	3,  9};
static const uint8_t plain[] = {2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1,   1, 1, 1, 1, 1, 3, 3, 9};
static const uint8_t joins[] = {2, 4, 5, 180, 30, 12, 0x10, 1,
				9, 9, 9, 9,   8,  8,  8,    8};

static struct frame syn_with(struct conn *c, const uint8_t *with, uint32_t len)
{
	struct frame f = conn_frame(c, ORIG, SYN, 0);

	f.options = with;
	f.options_len = len;
	return f;
}

/* What is passed on, what is sent to another one, and what is repeated. */
START_TEST(mptcp_is_taken_out_of_syns)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = conn_make(r, 1);
	struct frame f = syn_with(&c, capable, sizeof(capable)), again;

	f.csum = _i ? FRAME_PARTIAL : FRAME_FULL;
	r->strips = true;
	ck_assert(rig_send(r, &f));
	ck_assert_uint_eq(r->out.options_len, sizeof(plain));
	ck_assert_mem_eq(r->out.options, plain, sizeof(plain));
	c.seq[ORIG]++;
	c.acked[REPLY] = c.seq[ORIG];
	conn_refresh(r, &c);
	ck_assert(rig_send(r, &f)); /* the client's own, again */
	ck_assert_mem_eq(r->out.options, plain, sizeof(plain));
	conn_refuse(r, &c);
	again = conn_expect_syn(r, &c);
	ck_assert_uint_eq(again.options_len, sizeof(plain));
	ck_assert_mem_eq(again.options, plain, sizeof(plain));
	conn_finish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(a_syn_that_joins_is_refused_by_us)
{
	struct rig *r = rig_ejecting(3);
	struct conn c = conn_make(r, 1);
	struct frame f = syn_with(&c, joins, sizeof(joins)), rst;

	for (unsigned i = 0; i < 60; i++) {
		r->now += S; /* as often as one address is answered */
		ck_assert(!rig_send(r, &f));
		ck_assert_int_eq(r->why, DROP_MPTCP_JOIN);
		rst = rig_only(r);
		ck_assert_uint_eq(rst.flags, RST | ACK);
		ck_assert(same(rst.dst, c.client));
		ck_assert(same(rst.src, c.vip));
		ck_assert_uint_eq(rst.ack, f.seq + 1);
	}
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	ck_assert_uint_eq(rig_ejected(r), 0);
	rig_done(r);
}
END_TEST

/* It may be for a connection that another host has, with the address. */
START_TEST(a_join_is_not_refused_where_the_address_is_away)
{
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 1);
	struct frame f = syn_with(&c, joins, sizeof(joins)), rst;

	engine_set_service_away(r->e, 0, true);
	ck_assert(!rig_send(r, &f));
	ck_assert(!rig_next(r, &rst));
	rig_done(r);
}
END_TEST

START_TEST(mptcp_is_passed_on_where_it_is_wanted)
{
	struct rig *r = rig_retrying(1, 3);
	struct conn c = conn_make(r, 1), d = conn_make(r, 2);
	struct frame f = syn_with(&c, capable, sizeof(capable));

	inside_service(r->e, 0)->params.mptcp_pass = true;
	ck_assert(rig_send(r, &f));
	ck_assert_mem_eq(r->out.options, capable, sizeof(capable));
	f = syn_with(&d, joins, sizeof(joins));
	ck_assert(rig_send(r, &f));
	ck_assert_mem_eq(r->out.options, joins, sizeof(joins));
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{mptcp_is_taken_out_of_syns, 2},
		{a_syn_that_joins_is_refused_by_us, 0},
		{a_join_is_not_refused_where_the_address_is_away, 0},
		{mptcp_is_passed_on_where_it_is_wanted, 0},
	};

	return unit_run("mptcp", tests, ARRAY_LEN(tests));
}
