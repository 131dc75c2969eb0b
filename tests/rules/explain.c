/* SPDX-License-Identifier: MIT */
/*
 * explain.c - where a client would go, asked before it comes, is where it goes
 *
 * tests/core/sched_explain.c tries the schedulers alone; here the engine
 * decides, with connections that stay, end, or are refused.
 */
#include <arpa/inet.h>

#include "core/sched/choose.h"
#include "rig.h"
#include "unit.h"

#define STEPS 6000

/* What sched_choose() says of @client, none of @tried. */
static const struct backend *ask(const struct rig *r,
				 const struct endpoint *client,
				 const struct backend_set *tried)
{
	const struct sched_question q = {
		.tried = *tried,
		.client = client,
		.now_ns = r->now,
	};
	struct sched_why why;

	return sched_choose(inside_service(r->e, 0), &q, &why);
}

static void change(struct rig *r, struct random *random)
{
	struct backend *b = rig_backend(r, random_below(random, 4));

	if (random_below(random, 20) == 0)
		b->up = !b->up;
	if (random_below(random, 20) == 0) {
		b->params.weight = random_below(random, 5);
		sched_changed(inside_service(r->e, 0));
	}
}

START_TEST(a_client_goes_where_it_was_said_to_go)
{
	struct random random = unit_random(__func__);
	struct rig *r = rig_new(4);
	unsigned opened = 0, refused = 0;

	r->setup.services[0].params.scheduler = (enum sched_kind)_i;
	r->setup.services[0].params.retries = 3;
	for (unsigned i = 0; i < 4; i++)
		r->setup.backends[0][i].params.weight = 1 + i;
	rig_start(r);
	for (unsigned step = 0; step < STEPS; step++) {
		struct conn c = conn_make(r, 1);
		struct backend_set tried = {{0}};
		const struct backend *told;

		change(r, &random);
		c.client.addr = addr_from_v4(
			htonl(0x0a000000 + random_below(&random, 1 << 16)));
		c.client.port = htons((uint16_t)(1024 + step));
		told = ask(r, &c.client, &tried);
		ask(r, &c.vip, &tried); /* somebody asks about another */
		if (!conn_syn(r, &c)) {
			unit_check(!told, "step %u: not forwarded", step);
			rig_drain(r);
			continue;
		}
		unit_check(told && same(c.backend, told->addr),
			   "step %u: it went elsewhere", step);
		opened++;
		if (random_below(&random, 4) == 0) {
			backend_set_add(&tried, told->index);
			told = ask(r, &c.client, &tried);
			if (told) {
				conn_refuse(r, &c);
				conn_expect_syn(r, &c);
				unit_check(same(c.backend, told->addr),
					   "step %u: asked another", step);
				refused++;
			}
		}
		rig_drain(r);
		r->now += random_below(&random, RIG_S / 100);
		engine_tick(r->e, r->now, 1000);
		rig_drain(r);
	}
	ck_assert_uint_ge(opened, STEPS / 2);
	ck_assert_uint_ge(refused, STEPS / 20);
	rig_free(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_client_goes_where_it_was_said_to_go, SCHED_KINDS},
	};

	return unit_run("explain", tests, ARRAY_LEN(tests));
}
