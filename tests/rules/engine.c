/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the balancer, packet in and packet out, on virtual time
 *
 * rig_send() asserts for every packet here that the counters balance and that
 * what leaves is well-formed and was changed only where it had to be.
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

/* --- forwarding ---------------------------------------------------------- */

START_TEST(connection_passes_in_both_directions)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct endpoint b = r->setup.backends[0][0].addr;

	ck_assert(conn_syn(r, &c));
	ck_assert(same(r->out.dst, b));
	ck_assert(same(r->out.src, c.nat));
	ck_assert(addr_equal(&c.nat.addr, &r->setup.backends[0][0].sources[0]));
	ck_assert_uint_ge(ntohs(c.nat.port), RIG_PORT_LO);
	ck_assert_uint_lt(ntohs(c.nat.port), RIG_PORT_LO + 32);
	ck_assert_int_eq(conn_state(r, &c), TCP_SYN_SENT);

	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	ck_assert(same(r->out.src, c.vip));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_int_eq(conn_state(r, &c), TCP_SYN_RECEIVED);

	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 500));
	ck_assert(same(r->out.src, c.nat));
	ck_assert(same(r->out.dst, b));
	ck_assert(frame_payload_kept(&r->out));
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 1460));
	ck_assert(same(r->out.dst, c.client));
	ck_assert(frame_payload_kept(&r->out));
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

START_TEST(flow_counts_packets_and_bytes_of_each_side)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	const struct flow *f;

	conn_establish(r, &c);
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 500));
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 60000)); /* whole */
	f = conn_flow(r, &c);
	ck_assert_uint_eq(f->packets[ORIG], 3);
	ck_assert_uint_eq(f->bytes[ORIG], 3 * 40 + 500);
	ck_assert_uint_eq(f->packets[REPLY], 2);
	ck_assert_uint_eq(f->bytes[REPLY], 2 * 40 + 60000);
	ck_assert_uint_eq(f->opened_ns, RIG_T0);
	ck_assert_uint_eq(engine_counters(r->e)->forwarded, 5);
	ck_assert_uint_eq(engine_counters(r->e)->received, 5);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 1);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.total, 1);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 0);
	rig_done(r);
}
END_TEST

START_TEST(partial_checksum_stays_partial_and_right)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f;

	conn_establish(r, &c);
	for (int side = 0; side < FLOW_SIDES; side++) {
		f = conn_frame(&c, side, ACK, 1000);
		f.csum = FRAME_PARTIAL;
		ck_assert(rig_send(r, &f));
		ck_assert_int_eq(r->out.csum, FRAME_PARTIAL);
	}
	rig_done(r);
}
END_TEST

START_TEST(corrupted_packet_is_dropped_and_changes_no_flow)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct flow before;
	struct frame f;

	conn_establish(r, &c);
	before = *conn_flow(r, &c);
	f = conn_frame(&c, ORIG, FIN | ACK, 100);
	f.csum = FRAME_WRONG;
	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_BAD_CHECKSUM);
	ck_assert_mem_eq(&before, conn_flow(r, &c), sizeof(before));
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

START_TEST(packet_whose_life_ends_here_is_dropped)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0);

	f.ttl = 1;
	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_TTL);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	f.ttl = 2;
	ck_assert(rig_send(r, &f));
	ck_assert_uint_eq(r->out.ttl, 1);
	rig_done(r);
}
END_TEST

START_TEST(receivers_mss_goes_with_the_packet)
{
	static const uint8_t client_mss[] = {2, 4, 0x05, 0xb4};
	static const uint8_t server_mss[] = {2, 4, 0x02, 0x18};
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0);

	f.options = client_mss;
	f.options_len = 4;
	ck_assert(rig_send(r, &f));
	ck_assert_uint_eq(r->out_mss, 0); /* not known yet */
	c.nat = r->out.src;
	c.backend = r->out.dst;
	c.acked[REPLY] = ++c.seq[ORIG];
	f = conn_frame(&c, REPLY, SYN | ACK, 0);
	f.options = server_mss;
	f.options_len = 4;
	ck_assert(rig_send(r, &f));
	ck_assert_uint_eq(r->out_mss, 0x5b4);
	c.acked[ORIG] = ++c.seq[REPLY];
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_uint_eq(r->out_mss, 0x218);
	ck_assert(conn_send(r, &c, REPLY, ACK, 10));
	ck_assert_uint_eq(r->out_mss, 0x5b4);
	rig_done(r);
}
END_TEST

START_TEST(clients_are_told_apart_by_address_and_by_port)
{
	struct rig *r = rig_started(1);
	struct conn c[3];

	c[0] = conn_make(r, 1);
	c[1] = c[2] = c[0];
	c[1].client.port = htons(41234);
	c[2].client.addr = frame_addr("198.18.9.9");
	for (int i = 0; i < 3; i++)
		conn_establish(r, &c[i]);
	for (int i = 0; i < 3; i++) {
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 10));
		ck_assert(same(r->out.dst, c[i].client));
	}
	rig_done(r);
}
END_TEST

START_TEST(retransmitted_syn_takes_the_same_way)
{
	struct rig *r = rig_started(3);
	struct conn c = conn_make(r, 1);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);

	ck_assert(conn_syn(r, &c));
	for (int i = 0; i < 5; i++) {
		r->now += S;
		ck_assert(rig_send(r, &syn));
		ck_assert(same(r->out.src, c.nat));
		ck_assert(same(r->out.dst, c.backend));
	}
	ck_assert_uint_eq(engine_flows(r->e)->opened, 1);
	rig_done(r);
}
END_TEST

START_TEST(flows_are_spread_over_the_backends)
{
	struct rig *r = rig_started(3);

	for (unsigned i = 0; i < 30; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(rig_backend(r, i)->flows, 10);
		ck_assert_uint_eq(rig_backend(r, i)->counters.total, 10);
	}
	rig_done(r);
}
END_TEST

START_TEST(unsent_packet_is_a_drop_and_not_forwarded)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	engine_unsent(r->e, DROP_NO_ROUTE, 1);
	ck_assert_uint_eq(engine_counters(r->e)->forwarded, 2);
	ck_assert_uint_eq(engine_counters(r->e)->dropped[DROP_NO_ROUTE], 1);
	ck_assert_uint_eq(engine_counters(r->e)->received, 3);
	rig_done(r);
}
END_TEST

/* --- what opens a flow, and what is refused ------------------------------- */

static const uint8_t not_opening[] = {
	ACK, ACK | PSH, FIN | ACK,	 SYN | ACK,
	RST, RST | ACK, SYN | ACK | ECE, ACK | URG,
};

START_TEST(nothing_but_a_syn_opens_a_flow)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, not_opening[_i], 0);

	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	rig_done(r);
}
END_TEST

START_TEST(syn_with_ecn_or_urgent_bits_opens_a_flow)
{
	static const uint8_t flags[] = {SYN | ECE | CWR, SYN | PSH, SYN | URG};
	struct rig *r = rig_started(1);

	for (unsigned i = 0; i < 3; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_send(r, &c, ORIG, flags[i], 0));
	}
	ck_assert_uint_eq(engine_flows(r->e)->used, 3);
	rig_done(r);
}
END_TEST

START_TEST(stray_segment_from_a_client_is_answered_by_a_rst)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, not_opening[_i], 0);

	f.ack = 0xfffffff0;
	f.payload_len = f.flags & SYN ? 0 : 77;
	ck_assert(!rig_send(r, &f));
	if (f.flags & RST)
		ck_assert_uint_eq(rig_drain(r), 0);
	else
		rig_check_answer(r, &f);
	rig_done(r);
}
END_TEST

/* A segment of backend 0 to a NAT port of ours that has no flow. */
static struct frame stray_reply(const struct rig *r, uint8_t flags,
				uint32_t len)
{
	return (struct frame){
		.src = r->setup.backends[0][0].addr,
		.dst = frame_endpoint("198.18.0.1", RIG_PORT_LO + 5),
		.seq = 0xfffffff0,
		.ack = flags & ACK ? 0x12345678 : 0,
		.flags = flags,
		.payload_len = len,
	};
}

START_TEST(stray_segment_from_a_backend_is_answered_by_a_rst)
{
	static const uint8_t flags[] = {ACK,	   FIN | ACK, SYN | ACK, SYN,
					ACK | PSH, RST,	      RST | ACK};
	struct rig *r = rig_started(1);
	struct frame f = stray_reply(r, flags[_i], flags[_i] & RST ? 0 : 40);

	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	if (f.flags & RST)
		ck_assert_uint_eq(rig_drain(r), 0);
	else
		rig_check_answer(r, &f);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	rig_done(r);
}
END_TEST

START_TEST(service_may_leave_strays_unanswered)
{
	struct rig *r = rig_new(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, ACK, 10);

	r->setup.services[0].params.reset_out_of_state = false;
	rig_start(r);
	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

/* @count strays at once from one side; how many were answered. */
static uint64_t send_strays(struct rig *r, const struct frame *f, int count)
{
	uint64_t before = engine_counters(r->e)->originated;

	for (int i = 0; i < count; i++) {
		rig_send(r, f);
		rig_drain(r);
	}
	return engine_counters(r->e)->originated - before;
}

START_TEST(answers_to_strays_are_limited_and_come_back_with_time)
{
	enum { COUNT = 20000 };
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f =
		_i ? stray_reply(r, ACK, 0) : conn_frame(&c, ORIG, ACK, 0);
	uint64_t answered = send_strays(r, &f, COUNT);

	ck_assert_uint_gt(answered, 0);
	ck_assert_uint_lt(answered, COUNT);
	ck_assert_uint_eq(engine_counters(r->e)->answers_spared,
			  COUNT - answered);
	rig_wait(r, 60 * S);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	rig_done(r);
}
END_TEST

/* A flood of strays from outside must not silence the rest. */
START_TEST(strays_of_clients_do_not_use_up_other_answers)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, ACK, 0);

	for (uint16_t port = 1; port < 20000; port++) {
		f.src.port = htons(port);
		send_strays(r, &f, 1);
	}
	f = stray_reply(r, ACK, 0);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	rig_backend(r, 0)->up = false;
	f = conn_frame(&c, ORIG, SYN, 0);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	rig_done(r);
}
END_TEST

/* The host's own connections, or somebody else's: never answered. */
START_TEST(packet_of_somebody_else_is_left_alone)
{
	static const struct {
		const char *src, *dst;
		uint16_t sport, dport;
	} cases[] = {
		{"198.18.1.1", "198.18.0.1", 40000, 22},
		{"198.18.1.1", "198.18.0.9", 40000, 20000},
		{"198.18.0.11", "198.18.0.9", 9001, RIG_PORT_LO},
		{"198.18.0.11", "198.18.0.1", 9002, RIG_PORT_LO},
		{"198.18.0.99", "198.18.0.1", 9001, RIG_PORT_LO},
		/* its own connection to a backend, e.g. a health check */
		{"198.18.0.11", "198.18.0.1", 9001, 45000},
		{"198.18.0.11", "198.18.0.1", 9001, RIG_PORT_LO - 1},
		{"198.18.0.11", "198.18.0.1", 9001, RIG_PORT_LO + 32},
	};
	static const uint8_t flags[] = {SYN, ACK, SYN | ACK, FIN | ACK, RST};
	struct rig *r = rig_started(2);

	for (size_t i = 0; i < 5; i++) {
		struct frame f = {
			.src = frame_endpoint(cases[_i].src, cases[_i].sport),
			.dst = frame_endpoint(cases[_i].dst, cases[_i].dport),
			.flags = flags[i],
		};

		ck_assert(!rig_send(r, &f));
		ck_assert_uint_eq(rig_drain(r), 0);
		ck_assert_int_eq(r->why, DROP_NOT_OURS);
	}
	rig_done(r);
}
END_TEST

START_TEST(syn_is_refused_when_no_backend_takes_flows)
{
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 1);

	rig_backend(r, 0)->up = false;
	rig_backend(r, 1)->params.weight = 0;
	conn_is_refused(r, 1, DROP_NO_BACKEND);
	rig_backend(r, 0)->up = true;
	conn_establish(r, &c);
	rig_done(r);
}
END_TEST

START_TEST(syn_is_refused_when_the_table_is_full_of_connections)
{
	struct rig *r = rig_small(2, 4, 32);

	for (unsigned i = 0; i < 4; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	conn_is_refused(r, 9, DROP_TABLE_FULL);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.total +
				  rig_backend(r, 1)->counters.total,
			  4);
	rig_done(r);
}
END_TEST

START_TEST(syn_is_refused_when_the_ports_are_used_up)
{
	struct rig *r = rig_small(1, 64, 3);

	for (unsigned i = 0; i < 3; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	conn_is_refused(r, 9, DROP_NO_PORT);
	rig_done(r);
}
END_TEST

/* A backend that is taken out keeps the connections it has. */
START_TEST(flow_keeps_its_backend_when_that_takes_no_more)
{
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 1);
	struct endpoint first;

	conn_establish(r, &c);
	first = c.backend;
	rig_backend(r, 0)->params.weight = rig_backend(r, 1)->params.weight = 0;
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 10));
	ck_assert(same(r->out.dst, first));
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 10));
	rig_done(r);
}
END_TEST

/* --- set-up --------------------------------------------------------------- */

START_TEST(impossible_specification_is_refused)
{
	struct rig *r = rig_new(1);
	struct engine *e = NULL;
	struct err err = {""};

	r->setup.spec.flows = aligned_alloc(64, 64 * sizeof(struct flow));
	ck_assert_ptr_nonnull(r->setup.spec.flows);
	r->setup.backends[0][0].n_sources = SERVICE_SOURCES_MAX + 1;
	ck_assert_int_eq(engine_new(&e, &r->setup.spec, r->now, &err), -EINVAL);
	ck_assert_uint_gt(strlen(err.text), 0);
	r->setup.backends[0][0].n_sources = 1;
	r->setup.services[0].n_backends = SERVICE_BACKENDS_MAX + 1;
	ck_assert_int_eq(engine_new(&e, &r->setup.spec, r->now, &err), -EINVAL);
	free(r->setup.spec.flows);
	free(r);
}
END_TEST

START_TEST(new_engine_is_idle_and_empty)
{
	struct rig *r = rig_started(1);
	struct segment seg;

	ck_assert(!engine_next(r->e, &seg));
	ck_assert_uint_eq(engine_tick(r->e, r->now, 10), WHEEL_IDLE);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	rig_done(r);
	engine_free(NULL);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{connection_passes_in_both_directions, 0},
		{flow_counts_packets_and_bytes_of_each_side, 0},
		{partial_checksum_stays_partial_and_right, 0},
		{corrupted_packet_is_dropped_and_changes_no_flow, 0},
		{packet_whose_life_ends_here_is_dropped, 0},
		{receivers_mss_goes_with_the_packet, 0},
		{clients_are_told_apart_by_address_and_by_port, 0},
		{retransmitted_syn_takes_the_same_way, 0},
		{flows_are_spread_over_the_backends, 0},
		{unsent_packet_is_a_drop_and_not_forwarded, 0},
		{nothing_but_a_syn_opens_a_flow, ARRAY_LEN(not_opening)},
		{syn_with_ecn_or_urgent_bits_opens_a_flow, 0},
		{stray_segment_from_a_client_is_answered_by_a_rst,
		 ARRAY_LEN(not_opening)},
		{stray_segment_from_a_backend_is_answered_by_a_rst, 7},
		{service_may_leave_strays_unanswered, 0},
		{answers_to_strays_are_limited_and_come_back_with_time, 2},
		{strays_of_clients_do_not_use_up_other_answers, 0},
		{packet_of_somebody_else_is_left_alone, 8},
		{syn_is_refused_when_no_backend_takes_flows, 0},
		{syn_is_refused_when_the_table_is_full_of_connections, 0},
		{syn_is_refused_when_the_ports_are_used_up, 0},
		{flow_keeps_its_backend_when_that_takes_no_more, 0},
		{impossible_specification_is_refused, 0},
		{new_engine_is_idle_and_empty, 0},
	};

	return unit_run("engine", tests, ARRAY_LEN(tests));
}
