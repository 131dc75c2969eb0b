/* SPDX-License-Identifier: MIT */
/*
 * room.c - when table or ports are used up: who makes room, and for whom
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

/* --- recycling ------------------------------------------------------------ */

/*
 * Rule 10: the longest-closed, then the oldest half-open, then those that one
 * side has finished and that are idle longest. Opened in this order, they must
 * go in the order given here, the others never.
 */
static void check_recycling(struct rig *r)
{
	static const enum tcp_state opened[] = {
		TCP_SYN_SENT,	 TCP_ESTABLISHED, TCP_SYN_RECEIVED,
		TCP_TIME_WAIT,	 TCP_FIN_WAIT,	  TCP_RESET,
		TCP_ESTABLISHED, TCP_SYN_SENT,	  TCP_CLOSING,
	};
	static const unsigned order[] = {1, 3, 5, 0, 2, 7, 4, 8};
	struct conn c[9], next;

	for (unsigned i = 0; i < 9; i++)
		c[i] = conn_in_state(r, i, opened[i]);
	/* 1 was opened before 3 and 5, but it is closed only now: last */
	conn_close(r, &c[1]);
	for (unsigned i = 0; i < 8; i++) {
		unsigned gone = i < 3 ? (i + 1) % 3 : i;

		rig_wait(r, S / 5);
		next = conn_make(r, 100 + i);
		conn_establish(r, &next);
		ck_assert_int_eq(conn_state(r, &c[order[gone]]), TCP_STATES);
		/* of a closed flow the end was told before */
		ck_assert_uint_eq(
			rig_ended(r, FLOW_END_RECYCLED, &c[order[gone]].client),
			i >= 3);
	}
	ck_assert_uint_eq(engine_counters(r->e)->recycled_closed, 3);
	ck_assert_uint_eq(engine_counters(r->e)->recycled_half_open, 3);
	ck_assert_uint_eq(engine_counters(r->e)->recycled_half_closed, 2);
	ck_assert_int_eq(conn_state(r, &c[6]), TCP_ESTABLISHED);
	rig_drain(r);
}

START_TEST(full_table_recycles_closed_then_half_open_then_half_closed)
{
	struct rig *r = rig_small(2, 9, 32);

	check_recycling(r);
	conn_is_refused(r, 200, DROP_TABLE_FULL);
	rig_done(r);
}
END_TEST

START_TEST(empty_pool_recycles_closed_then_half_open_then_half_closed)
{
	struct rig *r = rig_small(1, 64, 9);

	check_recycling(r);
	conn_is_refused(r, 200, DROP_NO_PORT);
	rig_done(r);
}
END_TEST

/* A port of another pool would not help. */
START_TEST(pool_recycles_only_its_own_ports)
{
	struct rig *r = rig_small(2, 64, 2);
	struct conn c[4], next;

	for (unsigned i = 0; i < 4; i++)
		c[i] = conn_in_state(r, i, TCP_ESTABLISHED);
	ck_assert(same(c[0].backend, c[2].backend));
	conn_close(r, &c[0]);
	rig_wait(r, S);
	conn_close(r, &c[1]);
	rig_backend(r, 0)->up = rig_backend(r, 1)->up = false;
	rig_backend(r, same(c[1].backend, rig_backend(r, 1)->addr))->up = true;
	next = conn_make(r, 50);
	conn_establish(r, &next);
	ck_assert(same(next.backend, c[1].backend));
	ck_assert(same(next.nat, c[1].nat));
	ck_assert_int_eq(conn_state(r, &c[0]), TCP_TIME_WAIT);
	ck_assert_int_eq(conn_state(r, &c[1]), TCP_STATES);
	rig_done(r);
}
END_TEST

/* Whoever gets nothing must not cost others anything. */
START_TEST(refused_syn_recycles_nothing)
{
	struct rig *r = rig_small(2, 4, 2);
	struct conn c[4];

	for (unsigned i = 0; i < 4; i++)
		c[i] = conn_in_state(r, i,
				     i < 2 ? TCP_TIME_WAIT : TCP_SYN_SENT);
	rig_backend(r, 0)->up = rig_backend(r, 1)->up = false;
	for (unsigned i = 0; i < 4; i++)
		conn_is_refused(r, 10 + i, DROP_NO_BACKEND);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_ne(conn_state(r, &c[i]), TCP_STATES);
	rig_done(r);
}
END_TEST

START_TEST(unanswered_flows_count_as_failed_however_they_end)
{
	struct rig *r = rig_small(1, 2, 32);

	conn_in_state(r, 0, TCP_SYN_SENT);
	conn_in_state(r, 1, TCP_SYN_SENT);
	conn_in_state(r, 2, TCP_SYN_SENT); /* recycles the first */
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 1);
	rig_wait(r, 11 * S); /* the others expire */
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 3);
	rig_drain(r);
	rig_done(r);
}
END_TEST

START_TEST(superseded_flow_ends_with_an_event)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);

	c.seq[ORIG] += 1000000;
	ck_assert(conn_syn(r, &c));
	ck_assert_uint_eq(rig_events(r, FLOW_OPENED, &c.client), 2);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 1);
	ck_assert_uint_eq(rig_ended(r, FLOW_END_SUPERSEDED, &c.client), 1);
	rig_done(r);
}
END_TEST

START_TEST(revived_flow_is_not_recycled)
{
	struct rig *r = rig_small(1, 2, 32);
	struct conn a = conn_in_state(r, 0, TCP_RESET);
	struct conn b = conn_in_state(r, 1, TCP_ESTABLISHED);

	ck_assert(conn_send(r, &a, ORIG, ACK | PSH, 10));
	ck_assert_int_eq(conn_state(r, &a), TCP_ESTABLISHED);
	conn_is_refused(r, 9, DROP_TABLE_FULL);
	ck_assert_int_eq(conn_state(r, &b), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* --- half-closed connections ---------------------------------------------- */

/* The client has said all, and the answer is long (shutdown(SHUT_WR)). */
static struct conn half_closed(struct rig *r, unsigned n, enum flow_side first)
{
	struct conn c = conn_make(r, n);

	conn_establish(r, &c);
	ck_assert(conn_send(r, &c, first, FIN | ACK, 0));
	ck_assert_int_eq(conn_state(r, &c), TCP_FIN_WAIT);
	return c;
}

START_TEST(moving_download_outlives_those_that_stand)
{
	enum { PLACES = 8 };
	struct rig *r = rig_small(1, _i ? 64 : PLACES, _i ? PLACES : 32);
	struct conn moving = half_closed(r, 0, ORIG), stand[PLACES], next;

	for (unsigned i = 1; i < PLACES; i++)
		stand[i] = half_closed(r, i, i % 2 ? ORIG : REPLY);
	for (unsigned i = 1; i < PLACES; i++) {
		rig_wait(r, S / 100);
		ck_assert(conn_send(r, &moving, REPLY, ACK, 1000));
		ck_assert(conn_send(r, &moving, ORIG, ACK, 0));
		next = conn_make(r, 100 + i);
		conn_establish(r, &next);
		ck_assert_int_eq(conn_state(r, &stand[i]), TCP_STATES);
		ck_assert_int_eq(conn_state(r, &moving), TCP_FIN_WAIT);
		ck_assert_uint_eq(
			rig_ended(r, FLOW_END_RECYCLED, &stand[i].client), 1);
	}
	ck_assert_uint_eq(engine_counters(r->e)->recycled_half_closed,
			  PLACES - 1);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* At exactly what each end expects next (design rule 7). */
START_TEST(displaced_half_closed_ends_believe_their_resets)
{
	struct rig *r = rig_small(1, 1, 32);
	struct conn c = half_closed(r, 0, _i ? REPLY : ORIG), next;
	bool told[FLOW_SIDES] = {false, false};
	struct frame rst;

	ck_assert(conn_send(r, &c, _i ? ORIG : REPLY, ACK, 10));
	next = conn_make(r, 1);
	ck_assert(conn_syn(r, &next));
	while (rig_next(r, &rst)) {
		const enum flow_side to = same(rst.dst, c.backend);

		ck_assert(same(rst.dst, to ? c.backend : c.client));
		ck_assert(same(rst.src, to ? c.nat : c.vip));
		ck_assert(rst.flags & RST);
		told[to] |= rst.seq == c.acked[to];
	}
	ck_assert(told[ORIG]);
	ck_assert(told[REPLY]);
	rig_done(r);
}
END_TEST

START_TEST(half_closed_flow_gives_no_port_while_another_has_one)
{
	struct rig *r = rig_small(2, 64, 1);
	struct conn first = half_closed(r, 0, ORIG), next = conn_make(r, 1);

	/* The turn is the other backend's, and then again the first one's. */
	conn_establish(r, &next);
	ck_assert(!same(next.backend, first.backend));
	conn_close(r, &next);
	for (unsigned i = 2; i < 5; i++) {
		next = conn_make(r, i);
		conn_establish(r, &next);
		ck_assert(!same(next.backend, first.backend));
		conn_close(r, &next);
	}
	ck_assert_int_eq(conn_state(r, &first), TCP_FIN_WAIT);
	rig_done(r);
}
END_TEST

/* Whoever is cut off without a word would wait for minutes. */
START_TEST(half_closed_flow_stays_while_its_resets_have_no_room)
{
	struct rig *r = rig_small(1, 1, 32);
	struct conn c = half_closed(r, 0, ORIG), next = conn_make(r, 1);
	struct frame stray = conn_frame(&next, ORIG, ACK, 0);

	for (unsigned i = 0; i < ENGINE_OUTBOX_MAX - 3; i++) {
		stray.src.port = htons((uint16_t)(1 + i));
		ck_assert(!rig_send(r, &stray));
	}
	ck_assert(!conn_syn(r, &next));
	ck_assert_int_eq(r->why, DROP_TABLE_FULL);
	ck_assert_int_eq(conn_state(r, &c), TCP_FIN_WAIT);
	rig_drain(r);
	ck_assert(conn_syn(r, &next));
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* With data or without: who says nothing may wait for a word of the other. */
START_TEST(established_flow_is_never_recycled)
{
	struct rig *r = rig_small(1, 2, 32);
	struct conn silent = conn_in_state(r, 0, TCP_ESTABLISHED);
	struct conn said = conn_in_state(r, 1, TCP_ESTABLISHED);

	ck_assert(conn_send(r, &said, ORIG, ACK | PSH, 10));
	rig_wait(r, 7000 * S);
	conn_is_refused(r, 2, DROP_TABLE_FULL);
	ck_assert_int_eq(conn_state(r, &silent), TCP_ESTABLISHED);
	ck_assert_int_eq(conn_state(r, &said), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* --- floods --------------------------------------------------------------- */

/* Two services with bounds of their own; a flood of the first one's. */
enum { BOUND = 4, FLOOD = 12 };

static struct rig *bounded(uint32_t second)
{
	struct rig *r = rig_new(2);

	r->setup.spec.n_ports = RIG_PORTS_MAX;
	rig_add_service(r, 20001);
	r->setup.services[0].params.half_open_max = BOUND;
	r->setup.services[1].params.half_open_max = second;
	rig_start(r);
	return r;
}

/* As far as that state, from the client @n of the second service. */
static struct conn to_second(struct rig *r, unsigned n, enum tcp_state state)
{
	struct conn c = conn_make(r, n);

	c.vip = r->setup.services[1].listen;
	if (state == TCP_SYN_SENT)
		ck_assert(conn_syn(r, &c));
	else
		conn_receive_syn(r, &c);
	return c;
}

/* Whether their backends have answered or not. */
static enum tcp_state half_open_state(unsigned n)
{
	return n % 2 ? TCP_SYN_RECEIVED : TCP_SYN_SENT;
}

START_TEST(flood_displaces_its_own_oldest_half_open_flows)
{
	struct rig *r = bounded(BOUND);
	struct conn old = conn_in_state(r, 100, TCP_ESTABLISHED), c[FLOOD];

	for (unsigned i = 0; i < FLOOD; i++) {
		uint32_t now = i < BOUND ? i + 1 : BOUND;

		c[i] = conn_in_state(r, i, half_open_state(i));
		ck_assert_uint_eq(inside_service(r->e, 0)->half_open, now);
		for (unsigned j = 0; j <= i; j++) {
			bool gone = j + BOUND <= i;

			ck_assert_int_eq(conn_state(r, &c[j]),
					 gone ? TCP_STATES
					      : half_open_state(j));
			ck_assert_uint_eq(
				rig_ended(r, FLOW_END_RECYCLED, &c[j].client),
				gone);
		}
	}
	ck_assert_uint_eq(engine_counters(r->e)->recycled_half_open,
			  FLOOD - BOUND);
	ck_assert_int_eq(conn_state(r, &old), TCP_ESTABLISHED);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* Though they are older than any of the flood, and there is room in the table.
 */
START_TEST(flood_of_one_service_leaves_those_of_another)
{
	struct rig *r = bounded(2 * BOUND);
	struct conn c[2 * BOUND];

	for (unsigned i = 0; i < 2 * BOUND; i++)
		c[i] = to_second(r, 200 + i, half_open_state(i));
	ck_assert_uint_eq(inside_service(r->e, 1)->half_open, 2 * BOUND);
	for (unsigned i = 0; i < FLOOD; i++)
		conn_in_state(r, i, half_open_state(i));
	ck_assert_uint_eq(inside_service(r->e, 0)->half_open, BOUND);
	ck_assert_uint_eq(inside_service(r->e, 1)->half_open, 2 * BOUND);
	for (unsigned i = 0; i < 2 * BOUND; i++)
		ck_assert_int_eq(conn_state(r, &c[i]), half_open_state(i));
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* Whoever has finished the handshake is not counted any more. */
START_TEST(bound_is_of_half_open_flows_only)
{
	struct rig *r = bounded(BOUND);

	for (unsigned i = 0; i < FLOOD; i++)
		conn_in_state(r, i, TCP_ESTABLISHED);
	for (unsigned i = 0; i < BOUND; i++)
		conn_in_state(r, 100 + i, half_open_state(i));
	ck_assert_uint_eq(engine_flows(r->e)->used, FLOOD + BOUND);
	ck_assert_uint_eq(engine_counters(r->e)->recycled_half_open, 0);
	rig_drain(r);
	rig_done(r);
}
END_TEST

/* --- NAT ports ------------------------------------------------------------ */

START_TEST(port_rests_until_all_others_were_used)
{
	struct rig *r = rig_small(1, 64, 8);
	struct conn c = conn_in_state(r, 0, TCP_TIME_WAIT);

	rig_wait(r, 61 * S);
	for (unsigned i = 1; i <= 8; i++) {
		struct conn next = conn_make(r, i);

		ck_assert(conn_syn(r, &next));
		ck_assert(same(next.nat, c.nat) == (i == 8));
	}
	rig_done(r);
}
END_TEST

/* What only its ends tell apart is found among all pairs of both. */
START_TEST(stray_packets_are_answered_where_we_speak_to_a_backend)
{
	struct rig *r = rig_new(4);
	char text[16];

	r->setup.services[0].params.reset_out_of_state = true;
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
	rig_done(r);
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
	conn_is_refused(r, 99, DROP_NO_PORT);
	rig_done(r);
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
	conn_is_refused(r, 99, DROP_NO_PORT);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{full_table_recycles_closed_then_half_open_then_half_closed, 0},
		{empty_pool_recycles_closed_then_half_open_then_half_closed, 0},
		{moving_download_outlives_those_that_stand, 2},
		{displaced_half_closed_ends_believe_their_resets, 2},
		{half_closed_flow_gives_no_port_while_another_has_one, 0},
		{half_closed_flow_stays_while_its_resets_have_no_room, 0},
		{established_flow_is_never_recycled, 0},
		{pool_recycles_only_its_own_ports, 0},
		{refused_syn_recycles_nothing, 0},
		{unanswered_flows_count_as_failed_however_they_end, 0},
		{superseded_flow_ends_with_an_event, 0},
		{revived_flow_is_not_recycled, 0},
		{flood_displaces_its_own_oldest_half_open_flows, 0},
		{flood_of_one_service_leaves_those_of_another, 0},
		{bound_is_of_half_open_flows_only, 0},
		{port_rests_until_all_others_were_used, 0},
		{stray_packets_are_answered_where_we_speak_to_a_backend, 0},
		{both_sources_toward_a_backend_are_used, 0},
		{services_that_share_a_backend_never_share_a_port, 0},
	};

	return unit_run("room", tests, ARRAY_LEN(tests));
}
