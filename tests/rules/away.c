/* SPDX-License-Identifier: MIT */
/*
 * away.c - what this host does not have now, and what waits for it
 */
#include <arpa/inet.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY

static struct ip_addr addr(const char *text)
{
	return frame_endpoint(text, 1).addr;
}

static void leave_unset(struct rig *r, unsigned service, unsigned backend)
{
	struct backend_spec *b = &r->setup.backends[service][backend];

	b->n_sources = 1;
	memset(&b->sources[0], 0, sizeof(b->sources[0]));
}

/* Neither forwarded nor answered: the client tries again. */
static void is_ignored(struct rig *r, unsigned n, enum drop_reason why)
{
	const uint64_t before = engine_counters(r->e)->dropped[why];
	struct conn c = conn_make(r, n);
	struct frame answer;

	ck_assert(!conn_syn(r, &c));
	ck_assert_uint_eq(engine_counters(r->e)->dropped[why], before + 1);
	ck_assert(!rig_next(r, &answer));
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
}

START_TEST(a_service_whose_address_is_away_is_not_served)
{
	struct rig *r = rig_started(2);
	struct conn old = conn_make(r, 1), new = conn_make(r, 3);

	conn_establish(r, &old);
	engine_set_service_away(r->e, 0, true);
	is_ignored(r, 2, DROP_NOT_OURS);
	/* What it has goes on: it may be away for a moment only. */
	ck_assert(conn_send(r, &old, ORIG, TCP_ACK, 10));
	engine_set_service_away(r->e, 0, false);
	conn_establish(r, &new);
	rig_done(r);
}
END_TEST

/* It may be of a connection that has moved with the address to another host. */
START_TEST(strays_to_an_address_that_is_away_are_not_reset)
{
	struct rig *r = rig_started(2);
	struct conn c = conn_make(r, 1);
	struct frame stray = {.src = c.client, .dst = c.vip, .flags = ACK},
		     answer;

	rig_send(r, &stray);
	ck_assert(rig_next(r, &answer));
	ck_assert_uint_eq(answer.flags, RST);
	engine_set_service_away(r->e, 0, true);
	rig_send(r, &stray);
	ck_assert(!rig_next(r, &answer));
	ck_assert_uint_eq(engine_counters(r->e)->dropped[DROP_NOT_OURS], 1);
	rig_done(r);
}
END_TEST

START_TEST(a_backend_without_a_source_is_passed_over)
{
	struct rig *r = rig_new(2);

	leave_unset(r, 0, 0);
	rig_start(r);
	for (unsigned n = 0; n < 4; n++) {
		struct conn c = conn_make(r, n);

		conn_establish(r, &c);
		ck_assert(same(c.backend, rig_backend(r, 1)->addr));
	}
	rig_done(r);
}
END_TEST

START_TEST(without_any_way_clients_are_left_to_try_again)
{
	const struct ip_addr source = addr("198.18.0.1");
	struct rig *r = rig_new(2);
	struct conn c = conn_make(r, 2);

	leave_unset(r, 0, 0);
	leave_unset(r, 0, 1);
	rig_start(r);
	is_ignored(r, 1, DROP_NO_ROUTE);
	ck_assert(engine_set_source(r->e, 0, 1, &source));
	conn_establish(r, &c);
	ck_assert(addr_equal(&c.nat.addr, &source));
	ck_assert(same(c.backend, rig_backend(r, 1)->addr));
	rig_done(r);
}
END_TEST

START_TEST(a_source_that_is_away_gets_no_new_flows)
{
	const struct ip_addr one = addr("198.18.0.1");
	const struct ip_addr two = addr("198.18.0.9");
	struct rig *r = rig_new(1);
	struct backend_spec *b = &r->setup.backends[0][0];

	b->n_sources = 2;
	b->sources[0] = one;
	b->sources[1] = two;
	rig_start(r);
	engine_set_source_away(r->e, &two, true);
	for (unsigned n = 0; n < 4; n++) {
		struct conn c = conn_make(r, n);

		conn_establish(r, &c);
		ck_assert(addr_equal(&c.nat.addr, &one));
	}
	engine_set_source_away(r->e, &one, true);
	is_ignored(r, 5, DROP_NO_ROUTE);
	engine_set_source_away(r->e, &two, false);
	for (unsigned n = 6; n < 8; n++) {
		struct conn c = conn_make(r, n);

		conn_establish(r, &c);
		ck_assert(addr_equal(&c.nat.addr, &two));
	}
	rig_done(r);
}
END_TEST

/* Two services, the same backend, and then the same source: one pool. */
START_TEST(services_that_come_to_share_a_source_never_share_a_port)
{
	const struct ip_addr source = addr("198.18.0.1");
	struct rig *r = rig_new(1);
	struct endpoint seen[32];
	unsigned n = 0;

	rig_add_service(r, 20001);
	leave_unset(r, 0, 0);
	leave_unset(r, 1, 0);
	rig_start(r);
	ck_assert(engine_set_source(r->e, 0, 0, &source));
	ck_assert(engine_set_source(r->e, 1, 0, &source));
	for (; n < 32; n++) {
		struct conn c = conn_make(r, n);

		c.vip.port = htons(n % 2 ? 20001 : 20000);
		conn_establish(r, &c);
		for (unsigned i = 0; i < n; i++)
			ck_assert(!same(seen[i], c.nat));
		seen[n] = c.nat;
	}
	rig_done(r);
}
END_TEST

/* Answers are known by the new source: the pools are found again. */
START_TEST(another_source_is_taken_and_old_flows_go_on)
{
	const struct ip_addr before = addr("198.18.0.1");
	const struct ip_addr after = addr("198.18.0.9");
	struct rig *r = rig_started(3);
	struct conn old = conn_make(r, 1);

	conn_establish(r, &old);
	ck_assert(addr_equal(&old.nat.addr, &before));
	for (unsigned i = 0; i < 3; i++)
		ck_assert(engine_set_source(r->e, 0, i, &after));
	for (unsigned n = 2; n < 8; n++) {
		struct conn c = conn_make(r, n);

		conn_establish(r, &c);
		ck_assert(addr_equal(&c.nat.addr, &after));
	}
	ck_assert(conn_send(r, &old, REPLY, TCP_ACK, 10));
	conn_close(r, &old);
	rig_done(r);
}
END_TEST

START_TEST(a_source_that_others_use_is_not_taken_from_them)
{
	const struct ip_addr after = addr("198.18.0.9");
	struct rig *r = rig_new(1);
	struct conn c;

	rig_add_service(r, 20001);
	rig_start(r);
	ck_assert(!engine_set_source(r->e, 0, 0, &after));
	c = conn_make(r, 1);
	c.vip.port = htons(20001);
	conn_establish(r, &c);
	ck_assert(!addr_equal(&c.nat.addr, &after));
	rig_done(r);
}
END_TEST

/* At a boot the first choice was wrong for all services that share it. */
START_TEST(who_shares_a_source_gets_another_with_it)
{
	const struct ip_addr after = addr("198.18.0.9");
	struct rig *r = rig_new(1);

	rig_add_service(r, 20001);
	for (unsigned s = 0; s < 2; s++)
		r->setup.backends[s][0].routed = true;
	rig_start(r);
	/* Not while one of them is well. */
	rig_backend(r, 0)->up = false;
	ck_assert(!engine_set_source(r->e, 0, 0, &after));
	inside_backend(r->e, 1, 0)->up = false;
	for (unsigned s = 0; s < 2; s++)
		ck_assert(engine_set_source(r->e, s, 0, &after));
	for (unsigned s = 0; s < 2; s++) {
		struct conn c = conn_make(r, 1 + s);

		inside_backend(r->e, s, 0)->up = true;
		c.vip.port = inside_service(r->e, s)->listen.port;
		conn_establish(r, &c);
		ck_assert(addr_equal(&c.nat.addr, &after));
	}
	rig_done(r);
}
END_TEST

/* The program guards a source for those whom it has told of it. */
START_TEST(who_shares_a_source_keeps_it_until_told)
{
	const struct ip_addr before = addr("198.18.0.1");
	const struct ip_addr after = addr("198.18.0.9");
	struct rig *r = rig_new(1);

	rig_add_service(r, 20001);
	for (unsigned s = 0; s < 2; s++)
		r->setup.backends[s][0].routed = true;
	rig_start(r);
	for (unsigned s = 0; s < 2; s++)
		inside_backend(r->e, s, 0)->up = false;
	ck_assert(engine_set_source(r->e, 0, 0, &after));
	for (unsigned s = 0; s < 2; s++) {
		struct conn c = conn_make(r, 1 + s);

		inside_backend(r->e, s, 0)->up = true;
		c.vip.port = inside_service(r->e, s)->listen.port;
		conn_establish(r, &c);
		ck_assert(addr_equal(&c.nat.addr, s ? &before : &after));
	}
	rig_done(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_service_whose_address_is_away_is_not_served, 0},
		{strays_to_an_address_that_is_away_are_not_reset, 1},
		{a_backend_without_a_source_is_passed_over, 0},
		{without_any_way_clients_are_left_to_try_again, 0},
		{a_source_that_is_away_gets_no_new_flows, 0},
		{services_that_come_to_share_a_source_never_share_a_port, 0},
		{another_source_is_taken_and_old_flows_go_on, 0},
		{a_source_that_others_use_is_not_taken_from_them, 0},
		{who_shares_a_source_keeps_it_until_told, 0},
		{who_shares_a_source_gets_another_with_it, 0},
	};

	return unit_run("away", tests, ARRAY_LEN(tests));
}
