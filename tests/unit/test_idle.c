/* SPDX-License-Identifier: MIT */
/*
 * test_idle.c - many connections that fall silent at once, and who is asked
 * before they are given up
 */
#include <arpa/inet.h>

#include "rig.h"
#include "rules.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define S     RIG_S
#define MS    (RIG_S / 1000)

#define MANY 300 /* resets of all are more than the outbox holds */

static bool same(struct endpoint a, struct endpoint b)
{
	return endpoint_equal(&a, &b);
}

static void done(struct rig *r)
{
	const char *broken = rules_broken(r->e);

	ck_assert_msg(!broken, "broken: %s", broken);
	rig_free(r);
}

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
	ck_assert_uint_eq(r->e->counters.outbox_lost, 0);
	ck_assert_uint_eq(r->e->counters.expired, MANY);
	done(r);
}
END_TEST

START_TEST(flows_that_idle_together_are_all_asked)
{
	struct rig *r = many(7440, 10);
	struct conn c[MANY];

	establish_all(r, c, MANY);
	r->now += 7400 * S;
	live(r, c, MANY, BOTH, 60 * S, 67 * MS);
	ck_assert_uint_eq(r->e->counters.expired, 0);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_int_eq(conn_state(r, &c[i]), TCP_ESTABLISHED);
	done(r);
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
	ck_assert_uint_eq(r->e->counters.expired, 1);
	done(r);
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
	done(r);
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
	done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{flows_that_expire_at_once_are_all_told, 0},
		{flows_that_idle_together_are_all_asked, 0},
		{flow_of_which_one_side_is_gone_expires, FLOW_SIDES},
		{data_of_one_side_keeps_a_flow_alive, 0},
		{answers_to_different_probes_count_together, 0},
	};

	return unit_run("idle", tests, ARRAY_LEN(tests));
}
