/* SPDX-License-Identifier: MIT */
/*
 * test_engine.c - the balancer, packet in and packet out, on virtual time
 *
 * rig_send() asserts for every packet here that the counters balance and that
 * what leaves is well-formed and was changed only where it had to be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S

static struct rig *started(unsigned n_backends)
{
	struct rig *r = rig_new(n_backends);

	rig_start(r);
	return r;
}

static struct rig *small(unsigned n_backends, uint32_t flows, uint32_t ports)
{
	struct rig *r = rig_new(n_backends);

	r->setup.spec.n_flows = flows;
	r->setup.spec.n_ports = ports;
	rig_start(r);
	return r;
}

/* Every test ends here. */
static void done(struct rig *r)
{
	const char *broken = rules_broken(r->e);

	ck_assert_msg(!broken, "broken: %s", broken);
	rig_free(r);
}

static struct backend *backend(struct rig *r, unsigned i)
{
	return &r->e->services[0].backends[i];
}

static bool same(struct endpoint a, struct endpoint b)
{
	return endpoint_equal(&a, &b);
}

/* --- forwarding ---------------------------------------------------------- */

START_TEST(connection_passes_in_both_directions)
{
	struct rig *r = started(1);
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
	done(r);
}
END_TEST

START_TEST(flow_counts_packets_and_bytes_of_each_side)
{
	struct rig *r = started(1);
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
	ck_assert_uint_eq(r->e->counters.forwarded, 5);
	ck_assert_uint_eq(r->e->counters.received, 5);
	ck_assert_uint_eq(backend(r, 0)->flows, 1);
	ck_assert_uint_eq(backend(r, 0)->total, 1);
	ck_assert_uint_eq(backend(r, 0)->failed, 0);
	done(r);
}
END_TEST

START_TEST(partial_checksum_stays_partial_and_right)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f;

	conn_establish(r, &c);
	for (int side = 0; side < FLOW_SIDES; side++) {
		f = conn_frame(&c, side, ACK, 1000);
		f.csum = FRAME_PARTIAL;
		ck_assert(rig_send(r, &f));
		ck_assert_int_eq(r->out.csum, FRAME_PARTIAL);
	}
	done(r);
}
END_TEST

START_TEST(corrupted_packet_is_dropped_and_changes_no_flow)
{
	struct rig *r = started(1);
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
	done(r);
}
END_TEST

START_TEST(packet_whose_life_ends_here_is_dropped)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, SYN, 0);

	f.ttl = 1;
	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_TTL);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	f.ttl = 2;
	ck_assert(rig_send(r, &f));
	ck_assert_uint_eq(r->out.ttl, 1);
	done(r);
}
END_TEST

START_TEST(receivers_mss_goes_with_the_packet)
{
	static const uint8_t client_mss[] = {2, 4, 0x05, 0xb4};
	static const uint8_t server_mss[] = {2, 4, 0x02, 0x18};
	struct rig *r = started(1);
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
	done(r);
}
END_TEST

START_TEST(clients_are_told_apart_by_address_and_by_port)
{
	struct rig *r = started(1);
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
	done(r);
}
END_TEST

START_TEST(retransmitted_syn_takes_the_same_way)
{
	struct rig *r = started(3);
	struct conn c = conn_make(r, 1);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);

	ck_assert(conn_syn(r, &c));
	for (int i = 0; i < 5; i++) {
		r->now += S;
		ck_assert(rig_send(r, &syn));
		ck_assert(same(r->out.src, c.nat));
		ck_assert(same(r->out.dst, c.backend));
	}
	ck_assert_uint_eq(r->e->table.opened, 1);
	done(r);
}
END_TEST

START_TEST(flows_are_spread_over_the_backends)
{
	struct rig *r = started(3);

	for (unsigned i = 0; i < 30; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(backend(r, i)->flows, 10);
		ck_assert_uint_eq(backend(r, i)->total, 10);
	}
	done(r);
}
END_TEST

START_TEST(unsent_packet_is_a_drop_and_not_forwarded)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);

	conn_establish(r, &c);
	engine_unsent(r->e, DROP_NO_ROUTE, 1);
	ck_assert_uint_eq(r->e->counters.forwarded, 2);
	ck_assert_uint_eq(r->e->counters.dropped[DROP_NO_ROUTE], 1);
	ck_assert_uint_eq(r->e->counters.received, 3);
	done(r);
}
END_TEST

/* --- what opens a flow, and what is refused ------------------------------- */

static const uint8_t not_opening[] = {
	ACK, ACK | PSH, FIN | ACK,	 SYN | ACK,
	RST, RST | ACK, SYN | ACK | ECE, ACK | URG,
};

START_TEST(nothing_but_a_syn_opens_a_flow)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, not_opening[_i], 0);

	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	ck_assert_uint_eq(r->e->table.used, 0);
	done(r);
}
END_TEST

START_TEST(syn_with_ecn_or_urgent_bits_opens_a_flow)
{
	static const uint8_t flags[] = {SYN | ECE | CWR, SYN | PSH, SYN | URG};
	struct rig *r = started(1);

	for (unsigned i = 0; i < 3; i++) {
		struct conn c = conn_make(r, i);

		ck_assert(conn_send(r, &c, ORIG, flags[i], 0));
	}
	ck_assert_uint_eq(r->e->table.used, 3);
	done(r);
}
END_TEST

/* RFC 9293 section 3.10.7.1: <SEQ=SEG.ACK><CTL=RST> if it has an ACK, else
 * <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
 */
static void check_answer(struct rig *r, const struct frame *to)
{
	struct frame rst = rig_only(r);

	ck_assert(same(rst.src, to->dst));
	ck_assert(same(rst.dst, to->src));
	if (to->flags & ACK) {
		ck_assert_uint_eq(rst.flags, RST);
		ck_assert_uint_eq(rst.seq, to->ack);
	} else {
		ck_assert_uint_eq(rst.flags, RST | ACK);
		ck_assert_uint_eq(rst.seq, 0);
		ck_assert_uint_eq(rst.ack, to->seq + frame_seq_len(to));
	}
}

START_TEST(stray_segment_from_a_client_is_answered_by_a_rst)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, not_opening[_i], 0);

	f.ack = 0xfffffff0;
	f.payload_len = f.flags & SYN ? 0 : 77;
	ck_assert(!rig_send(r, &f));
	if (f.flags & RST)
		ck_assert_uint_eq(rig_drain(r), 0);
	else
		check_answer(r, &f);
	done(r);
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
	struct rig *r = started(1);
	struct frame f = stray_reply(r, flags[_i], flags[_i] & RST ? 0 : 40);

	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	if (f.flags & RST)
		ck_assert_uint_eq(rig_drain(r), 0);
	else
		check_answer(r, &f);
	ck_assert_uint_eq(r->e->table.used, 0);
	done(r);
}
END_TEST

START_TEST(service_may_leave_strays_unanswered)
{
	struct rig *r = rig_new(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, ACK, 10);

	r->setup.services[0].reset_out_of_state = false;
	rig_start(r);
	ck_assert(!rig_send(r, &f));
	ck_assert_int_eq(r->why, DROP_OUT_OF_STATE);
	ck_assert_uint_eq(rig_drain(r), 0);
	done(r);
}
END_TEST

/* @count strays at once from one side; how many were answered. */
static uint64_t send_strays(struct rig *r, const struct frame *f, int count)
{
	uint64_t before = r->e->counters.originated;

	for (int i = 0; i < count; i++) {
		rig_send(r, f);
		rig_drain(r);
	}
	return r->e->counters.originated - before;
}

START_TEST(answers_to_strays_are_limited_and_come_back_with_time)
{
	enum { COUNT = 20000 };
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f =
		_i ? stray_reply(r, ACK, 0) : conn_frame(&c, ORIG, ACK, 0);
	uint64_t answered = send_strays(r, &f, COUNT);

	ck_assert_uint_gt(answered, 0);
	ck_assert_uint_lt(answered, COUNT);
	ck_assert_uint_eq(r->e->counters.answers_limited, COUNT - answered);
	rig_wait(r, 60 * S);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	done(r);
}
END_TEST

/* A flood of strays from outside must not silence the rest. */
START_TEST(strays_of_clients_do_not_use_up_other_answers)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame f = conn_frame(&c, ORIG, ACK, 0);

	send_strays(r, &f, 20000);
	f = stray_reply(r, ACK, 0);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	backend(r, 0)->up = false;
	f = conn_frame(&c, ORIG, SYN, 0);
	ck_assert_uint_eq(send_strays(r, &f, 1), 1);
	done(r);
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
	struct rig *r = started(2);

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
	done(r);
}
END_TEST

static void check_refused(struct rig *r, unsigned n, enum drop_reason why)
{
	struct conn c = conn_make(r, n);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);
	uint32_t used = r->e->table.used;

	ck_assert(!rig_send(r, &syn));
	ck_assert_msg(r->why == why, "%s", drop_name(r->why));
	check_answer(r, &syn);
	ck_assert_uint_eq(r->e->table.used, used);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
}

START_TEST(syn_is_refused_when_no_backend_takes_flows)
{
	struct rig *r = started(2);
	struct conn c = conn_make(r, 1);

	backend(r, 0)->up = false;
	backend(r, 1)->weight = 0;
	check_refused(r, 1, DROP_NO_BACKEND);
	backend(r, 0)->up = true;
	conn_establish(r, &c);
	done(r);
}
END_TEST

START_TEST(syn_is_refused_when_the_table_is_full_of_connections)
{
	struct rig *r = small(2, 4, 32);

	for (unsigned i = 0; i < 4; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	check_refused(r, 9, DROP_TABLE_FULL);
	ck_assert_uint_eq(backend(r, 0)->total + backend(r, 1)->total, 4);
	done(r);
}
END_TEST

START_TEST(syn_is_refused_when_the_ports_are_used_up)
{
	struct rig *r = small(1, 64, 3);

	for (unsigned i = 0; i < 3; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
	}
	check_refused(r, 9, DROP_NO_PORT);
	done(r);
}
END_TEST

/* A backend that is taken out keeps the connections it has. */
START_TEST(flow_keeps_its_backend_when_that_takes_no_more)
{
	struct rig *r = started(2);
	struct conn c = conn_make(r, 1);
	struct endpoint first;

	conn_establish(r, &c);
	first = c.backend;
	backend(r, 0)->weight = backend(r, 1)->weight = 0;
	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 10));
	ck_assert(same(r->out.dst, first));
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 10));
	done(r);
}
END_TEST

/* --- recycling ------------------------------------------------------------ */

/* @n opened a little later than the one before it. */
static struct conn in_state(struct rig *r, unsigned n, enum tcp_state state)
{
	struct conn c = conn_make(r, n);

	rig_wait(r, S / 5);
	if (state == TCP_SYN_SENT)
		ck_assert(conn_syn(r, &c));
	else if (state == TCP_SYN_RECEIVED)
		conn_receive_syn(r, &c);
	else
		conn_establish(r, &c);
	if (state == TCP_FIN_WAIT || state == TCP_CLOSING)
		ck_assert(conn_send(r, &c, ORIG, FIN | ACK, 0));
	if (state == TCP_CLOSING)
		ck_assert(conn_send(r, &c, REPLY, FIN | ACK, 0));
	if (state == TCP_TIME_WAIT)
		conn_close(r, &c);
	if (state == TCP_RESET)
		ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_int_eq(conn_state(r, &c), state);
	return c;
}

/*
 * Rule 10: the longest-closed, then the oldest half-open. Opened in this
 * order, they must go in the order given here, the others never.
 */
static void check_recycling(struct rig *r)
{
	static const enum tcp_state opened[] = {
		TCP_SYN_SENT,	 TCP_ESTABLISHED, TCP_SYN_RECEIVED,
		TCP_TIME_WAIT,	 TCP_FIN_WAIT,	  TCP_RESET,
		TCP_ESTABLISHED, TCP_SYN_SENT,	  TCP_CLOSING,
	};
	static const unsigned order[] = {1, 3, 5, 0, 2, 7};
	struct conn c[9], next;

	for (unsigned i = 0; i < 9; i++)
		c[i] = in_state(r, i, opened[i]);
	/* 1 was opened before 3 and 5, but it is closed only now: last */
	conn_close(r, &c[1]);
	for (unsigned i = 0; i < 6; i++) {
		unsigned gone = i < 3 ? (i + 1) % 3 : i;

		rig_wait(r, S / 5);
		next = conn_make(r, 100 + i);
		conn_establish(r, &next);
		ck_assert_int_eq(conn_state(r, &c[order[gone]]), TCP_STATES);
		/* of a closed flow the end was told before */
		ck_assert_uint_eq(
			rig_events(r, FLOW_RECYCLED, &c[order[gone]].client),
			i >= 3);
	}
	ck_assert_uint_eq(r->e->counters.recycled_closed, 3);
	ck_assert_uint_eq(r->e->counters.recycled_half_open, 3);
	ck_assert_int_eq(conn_state(r, &c[4]), TCP_FIN_WAIT);
	ck_assert_int_eq(conn_state(r, &c[6]), TCP_ESTABLISHED);
	ck_assert_int_eq(conn_state(r, &c[8]), TCP_CLOSING);
	rig_drain(r);
}

START_TEST(full_table_recycles_closed_then_half_open)
{
	struct rig *r = small(2, 9, 32);

	check_recycling(r);
	check_refused(r, 200, DROP_TABLE_FULL);
	done(r);
}
END_TEST

START_TEST(empty_pool_recycles_closed_then_half_open)
{
	struct rig *r = small(1, 64, 9);

	check_recycling(r);
	check_refused(r, 200, DROP_NO_PORT);
	done(r);
}
END_TEST

/* A port of another pool would not help. */
START_TEST(pool_recycles_only_its_own_ports)
{
	struct rig *r = small(2, 64, 2);
	struct conn c[4], next;

	for (unsigned i = 0; i < 4; i++)
		c[i] = in_state(r, i, TCP_ESTABLISHED);
	ck_assert(same(c[0].backend, c[2].backend));
	conn_close(r, &c[0]);
	rig_wait(r, S);
	conn_close(r, &c[1]);
	backend(r, 0)->up = backend(r, 1)->up = false;
	backend(r, same(c[1].backend, backend(r, 1)->addr))->up = true;
	next = conn_make(r, 50);
	conn_establish(r, &next);
	ck_assert(same(next.backend, c[1].backend));
	ck_assert(same(next.nat, c[1].nat));
	ck_assert_int_eq(conn_state(r, &c[0]), TCP_TIME_WAIT);
	ck_assert_int_eq(conn_state(r, &c[1]), TCP_STATES);
	done(r);
}
END_TEST

/* Whoever gets nothing must not cost others anything. */
START_TEST(refused_syn_recycles_nothing)
{
	struct rig *r = small(2, 4, 2);
	struct conn c[4];

	for (unsigned i = 0; i < 4; i++)
		c[i] = in_state(r, i, i < 2 ? TCP_TIME_WAIT : TCP_SYN_SENT);
	backend(r, 0)->up = backend(r, 1)->up = false;
	for (unsigned i = 0; i < 4; i++)
		check_refused(r, 10 + i, DROP_NO_BACKEND);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_ne(conn_state(r, &c[i]), TCP_STATES);
	done(r);
}
END_TEST

START_TEST(unanswered_flows_count_as_failed_however_they_end)
{
	struct rig *r = small(1, 2, 32);

	in_state(r, 0, TCP_SYN_SENT);
	in_state(r, 1, TCP_SYN_SENT);
	in_state(r, 2, TCP_SYN_SENT); /* recycles the first */
	ck_assert_uint_eq(backend(r, 0)->failed, 1);
	rig_wait(r, 11 * S); /* the others expire */
	ck_assert_uint_eq(backend(r, 0)->failed, 3);
	rig_drain(r);
	done(r);
}
END_TEST

START_TEST(superseded_flow_ends_with_an_event)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_SYN_SENT);

	c.seq[ORIG] += 1000000;
	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 2);
	ck_assert_uint_eq(rig_events(r, FLOW_RECYCLED, &c.client) +
				  rig_events(r, FLOW_CLOSED, &c.client) +
				  rig_events(r, FLOW_EXPIRED, &c.client),
			  1);
	done(r);
}
END_TEST

START_TEST(revived_flow_is_not_recycled)
{
	struct rig *r = small(1, 2, 32);
	struct conn a = in_state(r, 0, TCP_RESET);
	struct conn b = in_state(r, 1, TCP_ESTABLISHED);

	ck_assert(conn_send(r, &a, ORIG, ACK | PSH, 10));
	ck_assert_int_eq(conn_state(r, &a), TCP_ESTABLISHED);
	check_refused(r, 9, DROP_TABLE_FULL);
	ck_assert_int_eq(conn_state(r, &b), TCP_ESTABLISHED);
	done(r);
}
END_TEST

/* --- time ----------------------------------------------------------------- */

#define GONE TCP_STATES

/* What was connected stays a while, for those who do not believe our resets. */
static const struct {
	enum tcp_state state;
	unsigned limit_s;
	enum tcp_state then;
} idle_limits[] = {
	{TCP_SYN_SENT, 10, GONE},
	{TCP_SYN_RECEIVED, 60, TCP_RESET},
	{TCP_ESTABLISHED, 7440, TCP_RESET},
	{TCP_FIN_WAIT, 240, TCP_RESET},
	{TCP_CLOSING, 240, TCP_RESET},
	{TCP_TIME_WAIT, 60, GONE},
	{TCP_RESET, 60, GONE},
};

START_TEST(idle_flow_ends_at_its_limit_and_not_before)
{
	const uint64_t limit = idle_limits[_i].limit_s * S;
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, idle_limits[_i].state);
	bool open;

	rig_wait(r, limit - S / 100);
	ck_assert_int_eq(conn_state(r, &c), idle_limits[_i].state);
	rig_wait(r, S / 2);
	ck_assert_int_eq(conn_state(r, &c), idle_limits[_i].then);
	/* of a closed flow the end was told before */
	open = !tcp_is_closed(idle_limits[_i].state);
	ck_assert_uint_eq(rig_events(r, FLOW_EXPIRED, &c.client), open);
	ck_assert_uint_eq(rig_events(r, FLOW_CLOSED, &c.client), !open);
	ck_assert_uint_eq(r->e->counters.expired, open);
	ck_assert_uint_eq(backend(r, 0)->flows, 0);
	rig_wait(r, 300 * S);
	ck_assert_int_eq(conn_state(r, &c), GONE);
	ck_assert_uint_eq(engine_tick(r->e, r->now, 1), WHEEL_IDLE);
	done(r);
}
END_TEST

START_TEST(packets_of_either_side_keep_a_flow_alive)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 20; i++) {
		rig_wait(r, 7400 * S);
		ck_assert(conn_send(r, &c, i % 2, ACK, 0));
		ck_assert_uint_eq(conn_flow(r, &c)->seen_ns, r->now);
	}
	rig_wait(r, 7439 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	done(r);
}
END_TEST

/* Whoever guesses addresses must not hold flows open. */
START_TEST(segments_out_of_window_keep_no_flow_alive)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 7; i++) {
		struct frame f = conn_frame(&c, ORIG, i % 2 ? ACK : RST, 0);

		f.seq += 0x40000000;
		ck_assert(rig_send(r, &f));
		rig_wait(r, 1000 * S);
	}
	ck_assert_uint_eq(r->e->counters.out_of_window, 3);
	ck_assert_uint_eq(r->e->counters.bad_rst, 4);
	rig_wait(r, 441 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	done(r);
}
END_TEST

START_TEST(flow_that_gets_a_shorter_limit_ends_by_that)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);

	rig_wait(r, 5 * S);
	conn_close(r, &c);
	rig_wait(r, 61 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	done(r);
}
END_TEST

START_TEST(time_may_stand_still_or_jump)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 100; i++)
		engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	r->now += 30 * 86400 * S; /* a suspended Pi wakes up */
	engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	r->now += 30 * 86400 * S;
	engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	done(r);
}
END_TEST

START_TEST(tick_ends_no_more_flows_than_its_budget)
{
	struct rig *r = started(1);

	for (unsigned i = 0; i < 10; i++)
		in_state(r, i, TCP_SYN_SENT);
	r->now += 60 * S;
	for (unsigned left = 10; left > 0; left -= 2) {
		ck_assert_uint_eq(r->e->table.used, left);
		if (left > 2)
			ck_assert_uint_eq(engine_tick(r->e, r->now, 2), r->now);
		else
			engine_tick(r->e, r->now, 2);
	}
	ck_assert_uint_eq(r->e->table.used, 0);
	done(r);
}
END_TEST

/* The RSTs from an expired flow, by whom they reset. */
static unsigned resets_to(struct rig *r, struct endpoint src,
			  struct endpoint dst, struct frame *found)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->e->outbox_used; i++) {
		const struct segment *s =
			&r->e->outbox[(r->e->outbox_head + i) %
				      ENGINE_OUTBOX_MAX];

		if (!same(s->src, src) || !same(s->dst, dst))
			continue;
		ck_assert(s->flags & RST);
		found[n++] = (struct frame){
			.seq = s->seq, .ack = s->ack, .flags = s->flags};
		ck_assert_uint_le(n, 2);
	}
	return n;
}

/* Rule 7: at what the receiver acknowledged last. */
START_TEST(expired_connection_is_reset_on_both_sides)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);
	struct frame rst[2];

	ck_assert(conn_send(r, &c, ORIG, ACK | PSH, 100));
	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 200));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	rig_wait(r, 7441 * S);
	ck_assert_uint_eq(resets_to(r, c.vip, c.client, rst), 1);
	ck_assert_uint_eq(rst[0].seq, c.acked[ORIG]);
	ck_assert_uint_eq(resets_to(r, c.nat, c.backend, rst), 1);
	ck_assert_uint_eq(rst[0].seq, c.acked[REPLY]);
	ck_assert_uint_eq(rig_drain(r), 2);
	ck_assert_uint_eq(r->e->counters.originated, 2);
	done(r);
}
END_TEST

/* ... and, if more was forwarded, at the end of that too. */
START_TEST(expired_connection_is_reset_at_the_end_of_data_under_way_too)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);
	struct frame rst[2];
	uint32_t acked = c.seq[REPLY];

	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 200));
	rig_wait(r, 7441 * S);
	ck_assert_uint_eq(resets_to(r, c.vip, c.client, rst), 2);
	ck_assert_uint_eq(rst[0].seq, acked);
	ck_assert_uint_eq(rst[1].seq, acked + 200);
	ck_assert_uint_eq(resets_to(r, c.nat, c.backend, rst), 1);
	done(r);
}
END_TEST

/* A client in SYN_SENT believes a RST only if that acknowledges its SYN. */
START_TEST(unanswered_syn_is_refused_at_its_limit)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_SYN_SENT);
	struct frame rst[2];

	rig_wait(r, 11 * S);
	ck_assert_uint_eq(resets_to(r, c.vip, c.client, rst), 1);
	ck_assert_uint_eq(rst[0].flags, RST | ACK);
	ck_assert_uint_eq(rst[0].ack, c.seq[ORIG]);
	ck_assert_uint_eq(backend(r, 0)->failed, 1);
	done(r);
}
END_TEST

START_TEST(closed_flow_ends_silently)
{
	struct rig *r = started(1);

	in_state(r, 1, TCP_TIME_WAIT);
	in_state(r, 2, TCP_RESET);
	rig_wait(r, 100 * S);
	ck_assert_uint_eq(r->e->table.used, 0);
	ck_assert_uint_eq(rig_drain(r), 0);
	done(r);
}
END_TEST

START_TEST(full_outbox_loses_segments_and_counts_them)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);
	struct frame stray = conn_frame(&c, ORIG, ACK, 0);

	for (unsigned i = 0; i < ENGINE_OUTBOX_MAX + 10; i++)
		ck_assert(!rig_send(r, &stray));
	ck_assert_uint_eq(r->e->counters.originated, ENGINE_OUTBOX_MAX);
	ck_assert_uint_eq(r->e->counters.outbox_lost, 10);
	ck_assert_uint_eq(rig_drain(r), ENGINE_OUTBOX_MAX);
	ck_assert_uint_eq(r->e->outbox_used, 0);
	done(r);
}
END_TEST

/* --- NAT ports ------------------------------------------------------------ */

START_TEST(port_rests_until_all_others_were_used)
{
	struct rig *r = small(1, 64, 8);
	struct conn c = in_state(r, 0, TCP_TIME_WAIT);

	rig_wait(r, 61 * S);
	for (unsigned i = 1; i <= 8; i++) {
		struct conn next = conn_make(r, i);

		ck_assert(conn_syn(r, &next));
		ck_assert(same(next.nat, c.nat) == (i == 8));
	}
	done(r);
}
END_TEST

/* What only its ends tell apart is found among all pairs of both. */
START_TEST(stray_packets_are_answered_where_we_speak_to_a_backend)
{
	struct rig *r = rig_new(4);
	char text[16];

	r->setup.services[0].reset_out_of_state = true;
	for (unsigned i = 0; i < 4; i++) {
		struct backend_spec *b = &r->setup.backends[0][i];

		/* 198.18.2.0 to .7 in another order for each, one is left out
		 */
		b->n_sources = 7;
		for (unsigned k = 0; k < 7; k++) {
			snprintf(text, sizeof(text), "198.18.2.%u",
				 (k * 3 + i) % 8);
			b->sources[k] = frame_addr(text);
		}
	}
	rig_start(r);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k < 8; k++) {
			bool ours = i < 4 && k != (7 * 3 + i) % 8;
			struct frame f = {.flags = ACK, .seq = 1, .ack = 2};

			snprintf(text, sizeof(text), "198.18.0.%u", 11 + i);
			f.src = frame_endpoint(text, 9001);
			snprintf(text, sizeof(text), "198.18.2.%u", k);
			f.dst = frame_endpoint(text, RIG_PORT_LO);
			ck_assert(!rig_send(r, &f));
			ck_assert_int_eq(r->why, ours ? DROP_OUT_OF_STATE
						      : DROP_NOT_OURS);
			ck_assert_uint_eq(rig_drain(r), ours);
		}
	}
	done(r);
}
END_TEST

START_TEST(both_sources_toward_a_backend_are_used)
{
	struct rig *r = rig_new(1);
	struct backend_spec *b = &r->setup.backends[0][0];
	unsigned seen[2] = {0, 0};

	r->setup.spec.n_ports = 8;
	b->n_sources = 2;
	b->sources[1] = frame_addr("198.18.0.2");
	rig_start(r);
	for (unsigned i = 0; i < 16; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
		seen[addr_equal(&c.nat.addr, &b->sources[1])]++;
		ck_assert_uint_le(seen[0], i / 2 + 1);
		ck_assert_uint_le(seen[1], i / 2 + 1);
	}
	check_refused(r, 99, DROP_NO_PORT);
	done(r);
}
END_TEST

/* Else a backend could not tell their connections apart. */
START_TEST(services_that_share_a_backend_never_share_a_port)
{
	struct rig *r = rig_new(1);
	struct conn c[8];

	r->setup.spec.n_ports = 8;
	rig_add_service(r, 20001);
	rig_start(r);
	for (unsigned i = 0; i < 8; i++) {
		c[i] = conn_make(r, i / 2);
		c[i].vip.port = htons((uint16_t)(20000 + i % 2));
		conn_establish(r, &c[i]);
		for (unsigned j = 0; j < i; j++)
			ck_assert(!same(c[i].nat, c[j].nat));
	}
	for (unsigned i = 0; i < 8; i++) {
		ck_assert(conn_send(r, &c[i], REPLY, ACK, 10));
		ck_assert(same(r->out.src, c[i].vip));
		ck_assert(same(r->out.dst, c[i].client));
	}
	check_refused(r, 99, DROP_NO_PORT);
	done(r);
}
END_TEST

/* --- how connections end and begin again ---------------------------------- */

START_TEST(events_tell_what_happened_to_a_flow)
{
	struct rig *r = started(1);
	struct conn c = conn_make(r, 1);

	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 1);
	ck_assert_int_eq(r->events[0].state, TCP_SYN_SENT);
	ck_assert(conn_send(r, &c, REPLY, SYN | ACK, 0));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_uint_eq(r->n_events, 1);
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_uint_eq(rig_events(r, FLOW_CLOSED, &c.client), 1);
	ck_assert_int_eq(r->events[1].state, TCP_RESET);
	ck_assert_uint_eq(backend(r, 0)->flows, 0);
	ck_assert(conn_send(r, &c, ORIG, ACK, 1));
	ck_assert_uint_eq(rig_events(r, FLOW_REVIVED, &c.client), 1);
	ck_assert_int_eq(r->events[2].state, TCP_ESTABLISHED);
	ck_assert_uint_eq(backend(r, 0)->flows, 1);
	conn_close(r, &c);
	ck_assert_uint_eq(rig_events(r, FLOW_CLOSED, &c.client), 2);
	ck_assert_int_eq(r->events[3].state, TCP_TIME_WAIT);
	rig_wait(r, 61 * S);
	ck_assert_uint_eq(r->n_events, 4);
	ck_assert_uint_eq(r->e->table.used, 0);
	done(r);
}
END_TEST

START_TEST(rst_after_the_end_closes_no_flow_twice)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_TIME_WAIT);

	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	ck_assert(conn_send(r, &c, ORIG, RST, 0));
	ck_assert_uint_eq(rig_events(r, FLOW_CLOSED, &c.client), 1);
	ck_assert_uint_eq(backend(r, 0)->flows, 0);
	done(r);
}
END_TEST

START_TEST(rst_elsewhere_is_forwarded_and_counted_only)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);
	struct frame f = conn_frame(&c, REPLY, RST, 0);

	f.seq += 7;
	ck_assert(rig_send(r, &f));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_uint_eq(r->e->counters.bad_rst, 1);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(backend(r, 0)->flows, 1);
	done(r);
}
END_TEST

START_TEST(refused_connection_counts_as_failed_of_its_backend)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_SYN_SENT);

	ck_assert(conn_send(r, &c, REPLY, RST | ACK, 0));
	ck_assert(same(r->out.dst, c.client));
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(backend(r, 0)->failed, 1);
	ck_assert_uint_eq(backend(r, 0)->flows, 0);
	rig_wait(r, 61 * S);
	ck_assert_uint_eq(backend(r, 0)->failed, 1);
	ck_assert_uint_eq(backend(r, 0)->total, 1);
	done(r);
}
END_TEST

/* Found by fuzz_engine: each revival counted it once more. */
START_TEST(refused_flow_fails_once_whatever_follows)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_SYN_SENT);
	struct frame f = conn_frame(&c, ORIG, ACK, 0);

	f.ack = 0;
	for (int i = 0; i < 3; i++) {
		ck_assert(conn_send(r, &c, REPLY, RST | ACK, 0));
		rig_send(r, &f); /* acknowledges 0: nothing was received */
	}
	ck_assert_uint_eq(backend(r, 0)->failed, 1);
	done(r);
}
END_TEST

START_TEST(reset_after_the_answer_is_no_failure_of_the_backend)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);

	ck_assert(conn_send(r, &c, REPLY, RST, 0));
	in_state(r, 2, TCP_TIME_WAIT);
	in_state(r, 3, TCP_RESET);
	rig_wait(r, 7500 * S);
	ck_assert_uint_eq(r->e->table.used, 0);
	ck_assert_uint_eq(backend(r, 0)->failed, 0);
	ck_assert_uint_eq(backend(r, 0)->total, 3);
	done(r);
}
END_TEST

/* A new SYN on the ports of a connection that is over: a new flow. */
START_TEST(closed_connection_is_opened_again_by_a_new_syn)
{
	static const enum tcp_state over[] = {TCP_TIME_WAIT, TCP_RESET,
					      TCP_SYN_SENT};
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, over[_i]);
	uint64_t old = conn_flow(r, &c)->id;

	c.seq[ORIG] += 1000000;
	c.seq[REPLY] += 5000;
	conn_establish(r, &c);
	ck_assert_uint_ne(conn_flow(r, &c)->id, old);
	ck_assert_uint_eq(r->e->table.used, 1);
	ck_assert_uint_eq(backend(r, 0)->total, 2);
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 2);
	done(r);
}
END_TEST

/* The same when nothing else is free: its own place and port must do. */
START_TEST(closed_connection_is_opened_again_in_a_full_table)
{
	struct rig *r = small(1, 2, 2);
	struct conn other = in_state(r, 0, TCP_ESTABLISHED);
	struct conn c = in_state(r, 1, TCP_TIME_WAIT);

	c.seq[ORIG] += 1000000;
	conn_establish(r, &c);
	ck_assert_int_eq(conn_state(r, &other), TCP_ESTABLISHED);
	done(r);
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
	ck_assert(!engine_next(r->e, &ack));
}

START_TEST(syn_into_a_living_connection_opens_nothing)
{
	static const enum tcp_state alive[] = {
		TCP_SYN_RECEIVED, TCP_ESTABLISHED, TCP_FIN_WAIT, TCP_CLOSING};
	struct rig *r = started(2);
	struct conn c = in_state(r, 1, alive[_i]);
	struct frame syn = conn_frame(&c, ORIG, SYN, 0);
	uint64_t old = conn_flow(r, &c)->id;

	syn.seq += 1000000;
	ck_assert(!rig_send(r, &syn)); /* answered by a challenge */
	check_challenge(r, &c);
	ck_assert_uint_eq(conn_flow(r, &c)->id, old);
	ck_assert_int_eq(conn_state(r, &c), alive[_i]);
	ck_assert_uint_eq(r->e->counters.consumed, 1);
	done(r);
}
END_TEST

/* RFC 9293 section 3.5.1: the recovery of half-open connections, through us. */
START_TEST(client_that_lost_its_state_recovers)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_ESTABLISHED);
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
	done(r);
}
END_TEST

START_TEST(late_segments_of_a_closed_connection_still_pass)
{
	struct rig *r = started(1);
	struct conn c = in_state(r, 1, TCP_TIME_WAIT);
	struct frame fin = conn_frame(&c, REPLY, FIN | ACK, 0);

	fin.seq--;
	rig_wait(r, 30 * S);
	ck_assert(rig_send(r, &fin));
	ck_assert(conn_send(r, &c, ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, &c), TCP_TIME_WAIT);
	ck_assert_uint_eq(rig_drain(r), 0);
	done(r);
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
	struct rig *r = started(1);
	struct segment seg;

	ck_assert(!engine_next(r->e, &seg));
	ck_assert_uint_eq(engine_tick(r->e, r->now, 10), WHEEL_IDLE);
	ck_assert_uint_eq(r->e->table.used, 0);
	done(r);
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
		{full_table_recycles_closed_then_half_open, 0},
		{empty_pool_recycles_closed_then_half_open, 0},
		{pool_recycles_only_its_own_ports, 0},
		{refused_syn_recycles_nothing, 0},
		{unanswered_flows_count_as_failed_however_they_end, 0},
		{superseded_flow_ends_with_an_event, 0},
		{revived_flow_is_not_recycled, 0},
		{idle_flow_ends_at_its_limit_and_not_before,
		 ARRAY_LEN(idle_limits)},
		{packets_of_either_side_keep_a_flow_alive, 0},
		{segments_out_of_window_keep_no_flow_alive, 0},
		{flow_that_gets_a_shorter_limit_ends_by_that, 0},
		{time_may_stand_still_or_jump, 0},
		{tick_ends_no_more_flows_than_its_budget, 0},
		{expired_connection_is_reset_on_both_sides, 0},
		{expired_connection_is_reset_at_the_end_of_data_under_way_too,
		 0},
		{unanswered_syn_is_refused_at_its_limit, 0},
		{closed_flow_ends_silently, 0},
		{full_outbox_loses_segments_and_counts_them, 0},
		{port_rests_until_all_others_were_used, 0},
		{stray_packets_are_answered_where_we_speak_to_a_backend, 0},
		{both_sources_toward_a_backend_are_used, 0},
		{services_that_share_a_backend_never_share_a_port, 0},
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
		{impossible_specification_is_refused, 0},
		{new_engine_is_idle_and_empty, 0},
	};

	return unit_run("engine", tests, ARRAY_LEN(tests));
}
