/* SPDX-License-Identifier: MIT */
/*
 * ends.c - how connections end, and begin again on the same ports
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S

/* --- how connections end and begin again ---------------------------------- */

START_TEST(events_tell_what_happened_to_a_flow)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 1);
	ck_assert_int_eq(r->events[0].state, TCP_SYN_SENT);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_uint_eq(r->n_events, 1);
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 1);
	ck_assert_int_eq(r->events[1].state, TCP_RESET);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	ck_assert(conn_send(r, &c, ORIG, ACK, 1));
	ck_assert_uint_eq(rig_events(r, FLOW_REVIVED, &c.client), 1);
	ck_assert_int_eq(r->events[2].state, TCP_ESTABLISHED);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 1);
	conn_close(r, &c);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 2);
	ck_assert_int_eq(r->events[3].state, TCP_TIME_WAIT);
	rig_wait(r, 61 * S);
	ck_assert_uint_eq(r->n_events, 4);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	rig_done(r);
}
END_TEST

START_TEST(rst_after_the_end_closes_no_flow_twice)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_TIME_WAIT);

	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 1);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	rig_done(r);
}
END_TEST

START_TEST(rst_elsewhere_is_forwarded_and_counted_only)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
	struct frame f = conn_frame(&c, REPLY, RST, 0);

	f.seq += 7;
	ck_assert(rig_send(r, &f));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_uint_eq(engine_counters(r->e)->bad_rst, 1);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 1);
	rig_done(r);
}
END_TEST

START_TEST(refused_connection_counts_as_failed_of_its_backend)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	ck_assert(conn_send(r, &c, REPLY, RST | ACK, 0));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 1);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	rig_wait(r, 61 * S);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 1);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.total, 1);
	rig_done(r);
}
END_TEST

/* Found by fuzz_engine: each revival counted it once more. */
START_TEST(refused_flow_fails_once_whatever_follows)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);
	struct frame f = conn_frame(&c, ORIG, ACK, 0);

	f.ack = 0;
	for (int i = 0; i < 3; i++) {
		ck_assert(conn_send(r, &c, REPLY, RST | ACK, 0));
		rig_send(r, &f); /* acknowledges 0: nothing was received */
	}
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 1);
	rig_done(r);
}
END_TEST

START_TEST(reset_after_the_answer_is_no_failure_of_the_backend)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	conn_in_state(r, 2, TCP_TIME_WAIT);
	conn_in_state(r, 3, TCP_RESET);
	rig_wait(r, 7500 * S);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 0);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.total, 3);
	rig_done(r);
}
END_TEST

/* A new SYN on the ports of a connection that is over: a new flow. */
START_TEST(closed_connection_is_opened_again_by_a_new_syn)
{
	static const enum tcp_state over[] = {TCP_TIME_WAIT, TCP_RESET,
					      TCP_SYN_SENT};
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, over[_i]);
	uint64_t old = conn_flow(r, &c)->id;

	c.seq[ORIG] += 1000000;
	c.seq[REPLY] += 5000;
	conn_establish(r, &c);
	ck_assert_uint_ne(conn_flow(r, &c)->id, old);
	ck_assert_uint_eq(engine_flows(r->e)->used, 1);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.total, 2);
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 2);
	rig_done(r);
}
END_TEST

/* The same when nothing else is free: its own place and port must do. */
START_TEST(closed_connection_is_opened_again_in_a_full_table)
{
	struct rig *r = rig_small(1, 2, 2);
	struct conn other = conn_in_state(r, 0, TCP_ESTABLISHED);
	struct conn c = conn_in_state(r, 1, TCP_TIME_WAIT);

	c.seq[ORIG] += 1000000;
	conn_establish(r, &c);
	ck_assert_int_eq(conn_state(r, &other), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* RFC 5961 section 4.2, on behalf of the backend. */
static void check_challenge(struct rig *r, const struct conn *c)
{
	const struct flow *flow = conn_flow(r, c);
	struct segment ack;

	ck_assert(engine_next(r->e, &ack));
	ck_assert_int_eq(ack.flags, TCP_ACK);
	ck_assert(same(ack.src, flow_vip(flow)));
	ck_assert(same(ack.dst, c->client));
	ck_assert_uint_eq(ack.seq, flow->tcp.side[ORIG].ack);
	ck_assert_uint_eq(ack.ack, flow->tcp.side[REPLY].ack);
	ck_assert_uint_eq(ack.window, c->window); /* the backend's */
	ck_assert(!engine_next(r->e, &ack));
}

START_TEST(syn_into_a_living_connection_opens_nothing)
{
	static const enum tcp_state alive[] = {
		TCP_SYN_RECEIVED, TCP_ESTABLISHED, TCP_FIN_WAIT, TCP_CLOSING};
	struct rig *r = rig_started(2);
	struct conn c = conn_in_state(r, 1, alive[_i]);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);
	uint64_t old = conn_flow(r, &c)->id;

	syn.seq += 1000000;
	ck_assert(!rig_send(r, &syn)); /* answered by a challenge */
	check_challenge(r, &c);
	ck_assert_uint_eq(conn_flow(r, &c)->id, old);
	ck_assert_int_eq(conn_state(r, &c), alive[_i]);
	ck_assert_uint_eq(engine_counters(r->e)->consumed, 1);
	rig_done(r);
}
END_TEST

/* RFC 9293 section 3.5.1: the recovery of half-open connections, through us. */
START_TEST(client_that_lost_its_state_recovers)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0), f;

	syn.seq += 5000000;
	ck_assert(!rig_send(r, &syn));
	check_challenge(r, &c);
	f = conn_frame(&c, ORIG, RST, 0);
	f.seq = c.acked[REPLY]; /* SEG.ACK of the challenge */
	ck_assert(rig_send(r, &f));
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	c.seq[ORIG] = syn.seq;
	c.seq[REPLY] += 12345;
	conn_establish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(late_segments_of_a_closed_connection_still_pass)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_TIME_WAIT);
	struct frame fin = conn_frame(&c, REPLY, FIN | ACK, 0);

	fin.seq--;
	rig_wait(r, 30 * S);
	ck_assert(rig_send(r, &fin));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, &c), TCP_TIME_WAIT);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/*
 * A service does not connect to its clients, nor do clients answer it: whatever
 * the state, of the flow and of its mapping, that goes no further.
 */
START_TEST(syn_of_a_backend_and_syn_ack_of_a_client_go_no_further)
{
	static const uint8_t more[] = {
		0, PSH, URG, ECE, CWR, ECE | CWR, ECE | CWR | PSH | URG};
	const enum tcp_state state = (enum tcp_state)_i;
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, state);
	const struct flow before = *conn_flow(r, &c);

	for (unsigned i = 0; i < 2 * ARRAY_LEN(more); i++) {
		const enum flow_side side = i % 2 ? REPLY : ORIG;
		struct frame f = conn_frame(&c, side, SYN, 0);

		f.flags = SYN | (side == ORIG ? ACK : 0) | more[i / 2];
		f.ack = c.acked[side];
		for (unsigned k = 0; k < 4; k++) {
			/* where it is expected, a copy, far from there; data */
			f.seq = c.seq[side] - k % 2 + (k / 2) * 0x40000000;
			f.payload_len = k * 10;
			ck_assert(!rig_send(r, &f));
			ck_assert_int_eq(r->why, DROP_WRONG_WAY);
			ck_assert_uint_eq(rig_drain(r), 0);
		}
	}
	ck_assert_mem_eq(conn_flow(r, &c), &before, sizeof(before));
	rig_done(r);
}
END_TEST

/* The network may do that to those that do belong there. */
START_TEST(copies_of_the_handshake_go_on)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0), syn_ack;

	conn_receive_syn(r, &c);
	syn_ack = conn_frame(&c, REPLY, SYN | ACK, 0);
	syn_ack.seq = CONN_SERVER_ISN;
	ck_assert(rig_send(r, &syn));
	ck_assert(rig_send(r, &syn_ack));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert(rig_send(r, &syn));
	ck_assert(rig_send(r, &syn_ack));
	conn_close(r, &c);
	ck_assert(rig_send(r, &syn_ack));
	rig_drain(r);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{syn_of_a_backend_and_syn_ack_of_a_client_go_no_further,
		 TCP_STATES},
		{copies_of_the_handshake_go_on, 0},
		{events_tell_what_happened_to_a_flow, 0},
		{rst_after_the_end_closes_no_flow_twice, 0},
		{rst_elsewhere_is_forwarded_and_counted_only, 0},
		{refused_connection_counts_as_failed_of_its_backend, 0},
		{refused_flow_fails_once_whatever_follows, 0},
		{reset_after_the_answer_is_no_failure_of_the_backend, 0},
		{closed_connection_is_opened_again_by_a_new_syn, 3},
		{closed_connection_is_opened_again_in_a_full_table, 0},
		{syn_into_a_living_connection_opens_nothing, 4},
		{client_that_lost_its_state_recovers, 0},
		{late_segments_of_a_closed_connection_still_pass, 0},
	};

	return unit_run("ends", tests, ARRAY_LEN(tests));
}
