/* SPDX-License-Identifier: MIT */
/*
 * idle.c - what time does: limits of each state, many connections that
 * fall silent at once, and who is asked before they are given up
 */
#include <arpa/inet.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

/* --- time ----------------------------------------------------------------- */

#define GONE TCP_STATES

/* What was connected stays a while, for those who do not believe our resets. */
static const struct {
	enum tcp_state state;
	unsigned limit_s;
	enum tcp_state then;
	enum flow_end end;
} idle_limits[] = {
	{TCP_SYN_SENT, 10, GONE, FLOW_END_SYN_TIMEOUT},
	{TCP_SYN_RECEIVED, 60, TCP_RESET, FLOW_END_CLIENT_LOST},
	{TCP_ESTABLISHED, 7440, TCP_RESET, FLOW_END_IDLE},
	{TCP_FIN_WAIT, 240, TCP_RESET, FLOW_END_HALF_CLOSED_IDLE},
	{TCP_CLOSING, 240, TCP_RESET, FLOW_END_HALF_CLOSED_IDLE},
	{TCP_TIME_WAIT, 60, GONE, FLOW_END_CLOSED},
	{TCP_RESET, 60, GONE, FLOW_END_CLIENT_RESET},
};

START_TEST(idle_flow_ends_at_its_limit_and_not_before)
{
	const uint64_t limit = idle_limits[_i].limit_s * S;
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, idle_limits[_i].state);
	bool open;

	rig_wait(r, limit - S / 100);
	ck_assert_int_eq(conn_state(r, &c), idle_limits[_i].state);
	rig_wait(r, S / 2);
	ck_assert_int_eq(conn_state(r, &c), idle_limits[_i].then);
	/* of a closed flow the end was told before */
	open = !tcp_is_closed(idle_limits[_i].state);
	ck_assert_uint_eq(rig_events(r, FLOW_ENDED, &c.client), 1);
	ck_assert_uint_eq(rig_ended(r, idle_limits[_i].end, &c.client), 1);
	ck_assert_uint_eq(engine_counters(r->e)->expired, open);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	rig_wait(r, 300 * S);
	ck_assert_int_eq(conn_state(r, &c), GONE);
	ck_assert_uint_eq(engine_tick(r->e, r->now, 1), WHEEL_IDLE);
	rig_done(r);
}
END_TEST

START_TEST(packets_of_either_side_keep_a_flow_alive)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 20; i++) {
		rig_wait(r, 7400 * S);
		ck_assert(conn_send(r, &c, i % 2, ACK, 0));
		ck_assert_uint_eq(conn_flow(r, &c)->seen_ns, r->now);
	}
	rig_wait(r, 7439 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_wait(r, 2 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

/* Whoever guesses addresses must not hold flows open. */
START_TEST(segments_out_of_window_keep_no_flow_alive)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 7; i++) {
		struct frame f = conn_frame(&c, ORIG, i % 2 ? ACK : RST, 0);

		f.seq += 0x40000000;
		ck_assert(rig_send(r, &f));
		rig_wait(r, 1000 * S);
	}
	ck_assert_uint_eq(engine_counters(r->e)->out_of_window, 3);
	ck_assert_uint_eq(engine_counters(r->e)->bad_rst, 4);
	rig_wait(r, 441 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	rig_done(r);
}
END_TEST

START_TEST(flow_that_gets_a_shorter_limit_ends_by_that)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	rig_wait(r, 5 * S);
	conn_close(r, &c);
	rig_wait(r, 61 * S);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	rig_done(r);
}
END_TEST

START_TEST(time_may_stand_still_or_jump)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);

	for (int i = 0; i < 100; i++)
		engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	r->now += 30 * 86400 * S; /* a suspended Pi wakes up */
	engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	r->now += 30 * 86400 * S;
	engine_tick(r->e, r->now, 10);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
	rig_done(r);
}
END_TEST

START_TEST(tick_ends_no_more_flows_than_its_budget)
{
	struct rig *r = rig_started(1);

	for (unsigned i = 0; i < 10; i++)
		conn_in_state(r, i, TCP_SYN_SENT);
	r->now += 60 * S;
	for (unsigned left = 10; left > 0; left -= 2) {
		ck_assert_uint_eq(engine_flows(r->e)->used, left);
		if (left > 2)
			ck_assert_uint_eq(engine_tick(r->e, r->now, 2), r->now);
		else
			engine_tick(r->e, r->now, 2);
	}
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	rig_done(r);
}
END_TEST

/* The RSTs from an expired flow, by whom they reset. */
static unsigned resets_to(struct rig *r, struct endpoint src,
			  struct endpoint dst, struct frame *found)
{
	unsigned n = 0;

	for (unsigned i = 0; i < inside_outbox(r->e); i++) {
		const struct segment *s = inside_waiting(r->e, i);

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
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
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
	ck_assert_uint_eq(engine_counters(r->e)->originated, 2);
	rig_done(r);
}
END_TEST

/* ... and, if more was forwarded, at the end of that too. */
START_TEST(expired_connection_is_reset_at_the_end_of_data_under_way_too)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_ESTABLISHED);
	struct frame rst[2];
	uint32_t acked = c.seq[REPLY];

	ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 200));
	rig_wait(r, 7441 * S);
	ck_assert_uint_eq(resets_to(r, c.vip, c.client, rst), 2);
	ck_assert_uint_eq(rst[0].seq, acked);
	ck_assert_uint_eq(rst[1].seq, acked + 200);
	ck_assert_uint_eq(resets_to(r, c.nat, c.backend, rst), 1);
	rig_done(r);
}
END_TEST

/* A client in SYN_SENT believes a RST only if that acknowledges its SYN. */
START_TEST(unanswered_syn_is_refused_at_its_limit)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_in_state(r, 1, TCP_SYN_SENT);
	struct frame rst[2];

	rig_wait(r, 11 * S);
	ck_assert_uint_eq(resets_to(r, c.vip, c.client, rst), 1);
	ck_assert_uint_eq(rst[0].flags, RST | ACK);
	ck_assert_uint_eq(rst[0].ack, c.seq[ORIG]);
	ck_assert_uint_eq(rig_backend(r, 0)->counters.failed, 1);
	rig_done(r);
}
END_TEST

START_TEST(closed_flow_ends_silently)
{
	struct rig *r = rig_started(1);

	conn_in_state(r, 1, TCP_TIME_WAIT);
	conn_in_state(r, 2, TCP_RESET);
	rig_wait(r, 100 * S);
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	ck_assert_uint_eq(rig_drain(r), 0);
	rig_done(r);
}
END_TEST

START_TEST(full_outbox_loses_segments_and_counts_them)
{
	struct rig *r = rig_started(1);
	struct conn c = conn_make(r, 1);
	struct frame stray = conn_frame(&c, ORIG, ACK, 0);

	for (unsigned i = 0; i < ENGINE_OUTBOX_MAX + 10; i++) {
		stray.src.port = htons((uint16_t)(1 + i));
		ck_assert(!rig_send(r, &stray));
	}
	ck_assert_uint_eq(engine_counters(r->e)->originated, ENGINE_OUTBOX_MAX);
	ck_assert_uint_eq(engine_counters(r->e)->outbox_lost, 10);
	ck_assert_uint_eq(rig_drain(r), ENGINE_OUTBOX_MAX);
	ck_assert_uint_eq(inside_outbox(r->e), 0);
	rig_done(r);
}
END_TEST

/* --- many at once, and keepalive -------------------------------------------
 */

#define MANY 300 /* resets of all are more than the outbox holds */

static struct rig *many(uint32_t established_s, uint32_t keepalive_s)
{
	struct rig *r = rig_new(4);

	r->setup.spec.n_flows = 512;
	r->setup.spec.n_ports = RIG_PORTS_MAX;
	r->setup.spec.timeouts.established = established_s;
	r->setup.spec.timeouts.keepalive = keepalive_s;
	for (unsigned i = 0; i < 4; i++) {
		struct backend_spec *b = &r->setup.backends[0][i];

		b->n_sources = 2;
		b->sources[1] = frame_addr("198.18.0.2");
	}
	rig_start(r);
	return r;
}

/* Who is asked by a keepalive probe; FLOW_SIDES: not @c. */
static enum flow_side asked_side(const struct conn *c, const struct frame *f)
{
	if (f->flags & RST)
		return FLOW_SIDES;
	if (same(f->dst, c->client))
		return ORIG;
	return same(f->dst, c->backend) && same(f->src, c->nat) ? REPLY
								: FLOW_SIDES;
}

/*
 * Time passes in steps, as the program ticks; what is sent reaches the ends,
 * and those of @sides that are asked answer.
 */
static void live(struct rig *r, struct conn *c, unsigned n, unsigned sides,
		 uint64_t ns, uint64_t step_ns)
{
	static struct frame asked[ENGINE_OUTBOX_MAX];

	for (uint64_t t = 0; t < ns; t += step_ns) {
		unsigned waiting = 0;

		engine_tick(r->e, r->now, 1024);
		while (rig_next(r, &asked[waiting]))
			waiting++;
		for (unsigned k = 0; k < waiting; k++) {
			for (unsigned i = 0; i < n; i++) {
				enum flow_side side =
					asked_side(&c[i], &asked[k]);
				struct frame answer;

				if (side == FLOW_SIDES || !(sides >> side & 1))
					continue;
				answer = conn_frame(&c[i], side, ACK, 0);
				rig_send(r, &answer);
			}
		}
		r->now += step_ns;
	}
}

#define BOTH (1u << ORIG | 1u << REPLY)

static void establish_all(struct rig *r, struct conn *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		c[i] = conn_make(r, i);
		conn_establish(r, &c[i]);
	}
}

START_TEST(flows_that_expire_at_once_are_all_told)
{
	struct rig *r = many(7440, 0);
	struct conn c[MANY];
	unsigned told = 0;

	establish_all(r, c, MANY);
	r->now += 8000 * S;
	while (engine_tick(r->e, r->now, 1024) == r->now)
		told += rig_drain(r);
	told += rig_drain(r);
	ck_assert_uint_eq(told, 2 * MANY);
	ck_assert_uint_eq(engine_counters(r->e)->outbox_lost, 0);
	ck_assert_uint_eq(engine_counters(r->e)->expired, MANY);
	rig_done(r);
}
END_TEST

START_TEST(flows_that_idle_together_are_all_asked)
{
	struct rig *r = many(7440, 10);
	struct conn c[MANY];

	establish_all(r, c, MANY);
	r->now += 7400 * S;
	live(r, c, MANY, BOTH, 60 * S, 67 * MS);
	ck_assert_uint_eq(engine_counters(r->e)->expired, 0);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_int_eq(conn_state(r, &c[i]), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

/* Its backend answers every probe, and would do so for ever. */
START_TEST(flow_of_which_one_side_is_gone_expires)
{
	const enum flow_side there = (enum flow_side)_i;
	struct rig *r = many(100, 10);
	struct conn c;

	establish_all(r, &c, 1);
	live(r, &c, 1, 1u << there, 99 * S, S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	live(r, &c, 1, 1u << there, 10 * S, S);
	ck_assert_int_eq(conn_state(r, &c), TCP_RESET);
	ck_assert_uint_eq(engine_counters(r->e)->expired, 1);
	rig_done(r);
}
END_TEST

/* But what it says of its own accord is traffic, whoever hears it. */
START_TEST(data_of_one_side_keeps_a_flow_alive)
{
	struct rig *r = many(100, 10);
	struct conn c;

	establish_all(r, &c, 1);
	for (int i = 0; i < 10; i++) {
		live(r, &c, 1, 0, 95 * S, S);
		ck_assert(conn_send(r, &c, REPLY, ACK | PSH, 10));
		ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	}
	rig_done(r);
}
END_TEST

/* One answers the first probe, the other the second. */
START_TEST(answers_to_different_probes_count_together)
{
	struct rig *r = many(100, 10);
	struct conn c;

	establish_all(r, &c, 1);
	live(r, &c, 1, 1u << ORIG, 75 * S, S);
	live(r, &c, 1, 1u << REPLY, 10 * S, S);
	live(r, &c, 1, 0, 60 * S, S);
	ck_assert_int_eq(conn_state(r, &c), TCP_ESTABLISHED);
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
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
		{flows_that_expire_at_once_are_all_told, 0},
		{flows_that_idle_together_are_all_asked, 0},
		{flow_of_which_one_side_is_gone_expires, FLOW_SIDES},
		{data_of_one_side_keeps_a_flow_alive, 0},
		{answers_to_different_probes_count_together, 0},
	};

	return unit_run("idle", tests, ARRAY_LEN(tests));
}
