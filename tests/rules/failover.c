/* SPDX-License-Identifier: MIT */
/*
 * failover.c - what the balancer does on its own account
 *
 * Until the client has heard of a backend, another one may be asked (design
 * rule 9); a backend that remembers an earlier connection on our port is set
 * right (rule 8); who is reset by us must believe it (rule 7).
 */
#include <arpa/inet.h>
#include <string.h>

#include "parse.h"
#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 1, 3, 3, 9, 0, 0};

/* The client's SYN with options; conn_syn() is without. */
static struct conn open_with_options(struct rig *r, unsigned n)
{
	struct conn c = conn_make(r, n);
	struct frame syn = conn_frame(&c, ORIG, SYN | ECE | CWR, 0);

	syn.options = options;
	syn.options_len = sizeof(options);
	ck_assert(rig_send(r, &syn));
	c.seq[ORIG]++;
	c.acked[REPLY] = c.seq[ORIG];
	conn_refresh(r, &c);
	return c;
}

/* --- rule 9 --------------------------------------------------------------- */

START_TEST(refused_syn_is_given_to_another_backend)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = open_with_options(r, 1);
	struct endpoint first = c.backend;
	struct frame syn;

	conn_refuse(r, &c);
	syn = conn_expect_syn(r, &c);
	ck_assert(!same(c.backend, first));
	ck_assert_uint_eq(syn.flags, SYN | ECE | CWR);
	ck_assert_uint_eq(syn.window, c.window);
	ck_assert_uint_eq(syn.options_len, sizeof(options));
	ck_assert_mem_eq(syn.options, options, sizeof(options));
	ck_assert_uint_eq(rig_drain(r), 0); /* nothing to the client */
	conn_finish(r, &c);
	ck_assert_uint_eq(rig_events(r, FLOW_REDISPATCHED, &c.client), 1);
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 1);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	rig_done(r);
}
END_TEST

START_TEST(silent_backend_is_left_after_the_syn_timeout)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = open_with_options(r, 1);
	struct endpoint first = c.backend;

	rig_wait(r, 290 * MS);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_wait(r, 200 * MS);
	conn_expect_syn(r, &c);
	ck_assert(!same(c.backend, first));
	conn_finish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(each_backend_is_asked_once_and_then_the_refusal_passed_on)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = open_with_options(r, 1);
	struct endpoint asked[3];
	struct frame rst;

	for (int i = 0; i < 3; i++) {
		asked[i] = c.backend;
		for (int j = 0; j < i; j++)
			ck_assert(!same(asked[i], asked[j]));
		if (i < 2) {
			conn_refuse(r, &c);
			conn_expect_syn(r, &c);
		}
	}
	rst = conn_frame(&c, REPLY, RST | ACK, 0);
	if (rig_send(r, &rst))
		rst = r->out;
	else
		rst = rig_only(r);
	ck_assert(same(rst.src, c.vip));
	ck_assert(same(rst.dst, c.client));
	ck_assert_uint_eq(rst.flags, RST | ACK);
	ck_assert_uint_eq(rst.ack, c.seq[ORIG]);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_backend(r, i)->counters.failed, 1);
	rig_done(r);
}
END_TEST

START_TEST(no_more_backends_are_asked_than_retries_allow)
{
	struct rig *r = rig_retrying(4, 1);
	struct conn c = open_with_options(r, 1);

	rig_wait(r, 5 * S);
	conn_expect_syn(r, &c);
	ck_assert_uint_eq(rig_drain(r), 0);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	rig_done(r);
}
END_TEST

START_TEST(late_answer_of_an_earlier_backend_is_reset)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = open_with_options(r, 1), late = c;
	struct frame syn_ack, rst;

	rig_wait(r, 500 * MS);
	conn_expect_syn(r, &c);
	syn_ack = conn_frame(&late, REPLY, SYN | ACK, 0);
	ck_assert(!rig_send(r, &syn_ack));
	rst = rig_only(r);
	ck_assert(same(rst.dst, late.backend));
	ck_assert(same(rst.src, late.nat));
	ck_assert_uint_eq(rst.flags, RST);
	ck_assert_uint_eq(rst.seq, syn_ack.ack);
	conn_finish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(clients_repeated_syn_goes_to_who_is_asked_now)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = open_with_options(r, 1);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);

	conn_refuse(r, &c);
	conn_expect_syn(r, &c);
	syn.seq--;
	r->now += 100 * MS;
	ck_assert(rig_send(r, &syn));
	ck_assert(same(r->out.dst, c.backend));
	ck_assert(same(r->out.src, c.nat));
	conn_finish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(syn_with_payload_is_given_to_one_backend_only)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 100);

	ck_assert(rig_send(r, &f));
	rig_wait(r, 5 * S);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* RFC 7413: a cookie is of one server. Kind 34 must be gone. */
START_TEST(fast_open_is_not_offered_to_another_backend)
{
	static const uint8_t tfo[] = {2, 4, 5, 180, 34, 10, 1, 2, 3, 4,
				      5, 6, 7, 8,   1,	1,  3, 3, 7, 1};
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0), syn;

	f.options = tfo;
	f.options_len = sizeof(tfo);
	ck_assert(rig_send(r, &f));
	c.acked[REPLY] = ++c.seq[ORIG];
	conn_refresh(r, &c);
	conn_refuse(r, &c);
	syn = conn_expect_syn(r, &c);
	ck_assert_uint_eq(syn.options_len % 4, 0);
	for (uint32_t i = 0;
	     i<syn.options_len; i += syn.options[i]> 1 ? syn.options[i + 1] : 1)
		ck_assert_uint_ne(syn.options[i], 34);
	ck_assert_mem_eq(syn.options, tfo, 4);
	rig_done(r);
}
END_TEST

START_TEST(nothing_is_redispatched_once_a_syn_ack_was_forwarded)
{
	struct rig *r = rig_retrying(3, 3);
	struct conn c = conn_make(r, 1);

	conn_receive_syn(r, &c);
	rig_wait(r, 5 * S);
	ck_assert_uint_eq(rig_drain(r), 0);
	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	rig_done(r);
}
END_TEST

/*
 * The SYN that another backend is sent, and the largest segment that data for
 * its sender is cut into, are those of the SYN as the engine was given it: who
 * clamps it does so before.
 */
START_TEST(mss_of_the_syn_is_kept_as_it_was_given)
{
	static const uint8_t clamped[] = {2, 4, 3, 232}; /* 1000 */
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0), syn;
	enum drop_reason why;
	struct packet p;

	f.options = options;
	f.options_len = sizeof(options);
	ck_assert(!parse_packet(&p, r->wire, frame_build(&f, r->wire), &why));
	packet_clamp_mss(&p, 1000);
	engine_prepare(r->e, &p, 1);
	ck_assert_int_eq(engine_packet(r->e, &p, r->now), VERDICT_SEND);
	c.acked[REPLY] = ++c.seq[ORIG];
	conn_refresh(r, &c);
	ck_assert_uint_eq(conn_flow(r, &c)->tcp.side[ORIG].mss, 1000);
	conn_refuse(r, &c);
	syn = conn_expect_syn(r, &c);
	ck_assert_uint_eq(syn.options_len, sizeof(options));
	ck_assert_mem_eq(syn.options, clamped, sizeof(clamped));
	conn_finish(r, &c);
	ck_assert(conn_send(r, &c, REPLY, ACK, 10));
	ck_assert_uint_eq(r->out_mss, 1000);
	rig_done(r);
}
END_TEST

/*
 * Behind the engine the way onward is known, and the SYN announces less. What
 * comes merged for its sender is cut into that: longer ones were not sent.
 */
START_TEST(segments_are_cut_into_what_was_announced_at_last)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	const struct tcp_side *side;

	ck_assert(conn_syn(r, &c));
	side = conn_flow(r, &c)->tcp.side;
	ck_assert_uint_eq(side[ORIG].mss, 536); /* it had no option */
	engine_announced(r->e, &c.nat, &c.backend, 0);
	engine_announced(r->e, &c.nat, &c.backend, 537);
	ck_assert_uint_eq(side[ORIG].mss, 536);
	engine_announced(r->e, &c.nat, &c.backend, 500);
	ck_assert_uint_eq(side[ORIG].mss, 500);
	conn_refuse(r, &c);
	conn_expect_syn(r, &c);
	engine_announced(r->e, &c.nat, &c.backend, 400);
	conn_finish(r, &c);
	engine_announced(r->e, &c.vip, &c.client, 300);
	ck_assert(conn_send(r, &c, REPLY, ACK, 10));
	ck_assert_uint_eq(r->out_mss, 400);
	ck_assert(conn_send(r, &c, ORIG, ACK, 10));
	ck_assert_uint_eq(r->out_mss, 300);
	/* of nobody's */
	engine_announced(r->e, &c.client, &c.vip, 200);
	engine_announced(r->e, &c.backend, &c.nat, 200);
	ck_assert_uint_eq(side[ORIG].mss, 400);
	ck_assert_uint_eq(side[REPLY].mss, 300);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* --- which side it is for ------------------------------------------------- */

static void expect_segment(struct rig *r, uint8_t flags, bool to_backend)
{
	struct frame f;

	ck_assert_msg(rig_next(r, &f), "nothing was originated");
	ck_assert_uint_eq(f.flags, flags);
	ck_assert_int_eq(r->originated.to_backend, to_backend);
}

/* They leave by ways of their own, so that neither blocks the other. */
START_TEST(everything_says_which_side_it_is_for)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = open_with_options(r, 1), other = conn_make(r, 2);
	struct frame f;

	conn_refuse(r, &c);
	expect_segment(r, SYN | ECE | CWR, true); /* to another backend */
	conn_refresh(r, &c);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	ck_assert(!r->to_backend);
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert(r->to_backend);

	f = conn_frame(&other, ORIG, ACK, 0); /* a stray of a client */
	ck_assert(!rig_send(r, &f));
	expect_segment(r, RST, false);
	f = conn_frame(&c, REPLY, ACK, 0); /* and of a backend */
	f.dst.port = htons((uint16_t)(ntohs(f.dst.port) ^ 1));
	ck_assert(!rig_send(r, &f));
	expect_segment(r, RST, true);

	rig_wait(r, 7441 * S);
	expect_segment(r, RST, false);
	expect_segment(r, RST, true);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* --- rule 8 --------------------------------------------------------------- */

/* The backend's ACK for an old connection; the RST that must answer it. */
static void answer_from_the_past(struct rig *r, struct conn *c)
{
	struct frame ack = conn_frame(c, REPLY, ACK, 0), rst;

	ack.seq = 0x12345678;
	ack.ack = 0x9abcdef0;
	ck_assert(!rig_send(r, &ack));
	ck_assert(rig_next(r, &rst));
	ck_assert(same(rst.src, c->nat));
	ck_assert(same(rst.dst, c->backend));
	ck_assert_uint_eq(rst.flags & (RST | SYN), RST);
	ck_assert_uint_eq(rst.seq, ack.ack);
}

START_TEST(port_that_the_backend_remembers_is_repaired)
{
	struct rig *r = rig_retrying(1, 3);
	struct conn c = open_with_options(r, 1);
	struct endpoint port = c.nat, first = c.backend;

	answer_from_the_past(r, &c);
	conn_expect_syn(r, &c);
	ck_assert(same(c.nat, port)); /* once on the same port */
	answer_from_the_past(r, &c);
	conn_expect_syn(r, &c);
	ck_assert(!same(c.nat, port)); /* then from another one */
	ck_assert(same(c.backend, first));
	conn_finish(r, &c);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 0);
	ck_assert_uint_ge(engine_counters(r->e)->repaired, 1);
	rig_done(r);
}
END_TEST

/* --- rule 7 --------------------------------------------------------------- */

START_TEST(challenge_to_our_reset_is_answered_where_it_asks)
{
	struct rig *r = rig_new(1);
	struct conn c = conn_make(r, 1);
	struct frame challenge, rst;

	r->setup.services[0].params.reset_out_of_state = false;
	rig_start(r);
	conn_establish(r, &c);
	rig_wait(r, 7441 * S);
	ck_assert_uint_ge(rig_drain(r), 2);
	/* For a while, whatever the policy for packets of no flow. */
	for (unsigned wait_s = 1; wait_s < 30; wait_s += 10) {
		rig_wait(r, wait_s * S);
		for (int side = 0; side < FLOW_SIDES; side++) {
			challenge = conn_frame(&c, side, ACK, 0);
			challenge.ack -= 3; /* a segment was lost behind us */
			ck_assert(!rig_send(r, &challenge));
			rst = rig_only(r);
			ck_assert(same(rst.dst,
				       side == REPLY ? c.backend : c.client));
			ck_assert_uint_eq(rst.flags & RST, RST);
			ck_assert_uint_eq(rst.seq, challenge.ack);
		}
		ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	}
	rig_wait(r, 60 * S);
	ck_assert_ptr_null(conn_flow(r, &c));
	rig_done(r);
}
END_TEST

START_TEST(connection_that_we_reset_is_not_revived)
{
	struct rig *r = rig_retrying(1, 0);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	rig_wait(r, 7441 * S);
	rig_drain(r);
	for (int side = 0; side < FLOW_SIDES; side++) {
		struct frame f = conn_frame(&c, side, ACK | PSH, 100);

		ck_assert(!rig_send(r, &f));
	}
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(rig_events(r, FLOW_REVIVED, &c.client), 0);
	rig_done(r);
}
END_TEST

/* --- rule 9, against odds ------------------------------------------------- */

/* Anybody can send those: out of its window, an ACK, a reset of nothing. */
START_TEST(garbage_does_not_postpone_redispatch)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	for (int i = 0; i < 5; i++) {
		struct frame f = conn_frame(&c, ORIG, RST, 0);

		f.seq += 77777;
		rig_send(r, &f);
		rig_wait(r, 100 * MS);
	}
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 1);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* More than the outbox holds. */
START_TEST(burst_of_silent_syns_is_given_on_whole)
{
	enum { SYNS = 200 };
	struct rig *r = rig_new(4);
	unsigned syns = 0;

	r->setup.spec.n_flows = 512;
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	r->setup.services[0].params.retries = 3;
	r->setup.services[0].params.syn_timeout_ms =
		ENGINE_SYN_TIMEOUT_MS_DEFAULT;
	rig_start(r);
	for (unsigned i = 0; i < SYNS; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_syn(r, &c));
	}
	for (int i = 0; i < 150; i++) {
		engine_tick(r->e, r->now, 1024);
		syns += rig_drain(r);
		r->now += 10 * MS;
	}
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 3 * SYNS);
	ck_assert_uint_eq(syns, 3 * SYNS);
	rig_done(r);
}
END_TEST

/* Its SYN was kept by the earlier process; the client sends another. */
START_TEST(syn_repeated_after_a_takeover_is_kept)
{
	struct rig *r = rig_retrying(2, 3);
	struct conn c = conn_make(r, 1);
	struct flow *flow;

	ck_assert(conn_syn(r, &c));
	flow = conn_flow(r, &c);
	inside_forget_syn(r->e, flow); /* as engine_adopt() leaves it */
	rig_wait(r, S);
	ck_assert_uint_eq(engine_counters(r->e)->redispatched, 0);
	c.seq[ORIG]--;
	ck_assert(conn_syn(r, &c));
	ck_assert_uint_ne(flow->pending, 0);
	rig_wait(r, 400 * MS);
	conn_expect_syn(r, &c);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{refused_syn_is_given_to_another_backend, 0},
		{silent_backend_is_left_after_the_syn_timeout, 0},
		{each_backend_is_asked_once_and_then_the_refusal_passed_on, 0},
		{no_more_backends_are_asked_than_retries_allow, 0},
		{late_answer_of_an_earlier_backend_is_reset, 0},
		{clients_repeated_syn_goes_to_who_is_asked_now, 0},
		{syn_with_payload_is_given_to_one_backend_only, 0},
		{fast_open_is_not_offered_to_another_backend, 0},
		{nothing_is_redispatched_once_a_syn_ack_was_forwarded, 0},
		{mss_of_the_syn_is_kept_as_it_was_given, 0},
		{segments_are_cut_into_what_was_announced_at_last, 0},
		{everything_says_which_side_it_is_for, 0},
		{port_that_the_backend_remembers_is_repaired, 0},
		{challenge_to_our_reset_is_answered_where_it_asks, 0},
		{connection_that_we_reset_is_not_revived, 0},
		{garbage_does_not_postpone_redispatch, 0},
		{burst_of_silent_syns_is_given_on_whole, 0},
		{syn_repeated_after_a_takeover_is_kept, 0},
	};

	return unit_run("failover", tests, ARRAY_LEN(tests));
}
