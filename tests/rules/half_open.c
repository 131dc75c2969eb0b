/* SPDX-License-Identifier: MIT */
/*
 * half_open.c - the engine's own check, when many services ask the same
 * backend, each at its own pace
 *
 * What must never happen: that the answer to one check is taken for that to
 * another, which then has none.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define S	 RIG_S
#define MS	 (RIG_S / 1000)
#define PROBE_LO 12000
#define MANY	 100 /* services: more than there are ports for checks */

struct many {
	struct rig *r;
	struct service_spec services[MANY];
	unsigned downs;
	unsigned asked; /* SYNs to the backend */
	bool mute;	/* the backend says nothing */
	bool late; /* each answer comes when it is not waited for any more */
	struct frame kept[4096];
	unsigned n_kept;
};

static void on_backend(void *arg, enum backend_event event, unsigned service,
		       unsigned backend, enum check_result why)
{
	struct many *m = arg;

	(void)service;
	(void)backend;
	(void)why;
	m->downs += event == BACKEND_DOWN;
}

/* @n services with one backend, all checked by default. */
static struct many *many_new(unsigned n)
{
	struct many *m = calloc(1, sizeof(*m));
	struct rig_setup *s;

	ck_assert_ptr_nonnull(m);
	m->r = rig_new(1);
	s = &m->r->setup;
	s->services[0].params.checked = true;
	s->services[0].params.check.kind = CHECK_SYN;
	s->services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	for (unsigned i = 0; i < n; i++) {
		m->services[i] = s->services[0];
		m->services[i].listen.port = htons((uint16_t)(20000 + i));
	}
	s->spec.services = m->services;
	s->spec.n_services = n;
	s->spec.probe_lo = PROBE_LO;
	s->spec.on_backend = on_backend;
	s->spec.on_flow = NULL;
	s->spec.on_refused = NULL;
	s->spec.on_arg = m;
	return m;
}

static void many_done(struct many *m)
{
	rig_done(m->r);
	free(m);
}

static struct frame answer_to(const struct frame *syn, uint8_t flags)
{
	return (struct frame){.src = syn->dst,
			      .dst = syn->src,
			      .seq = 7000,
			      .ack = syn->seq + 1,
			      .flags = flags};
}

static void take(struct many *m)
{
	struct frame f, answer;

	while (rig_next(m->r, &f)) {
		if (!(f.flags & SYN))
			continue;
		m->asked++;
		answer = answer_to(&f, SYN | ACK);
		if (m->mute)
			continue;
		if (m->late && m->n_kept < ARRAY_LEN(m->kept))
			m->kept[m->n_kept++] = answer;
		else
			rig_send(m->r, &answer);
	}
}

static void run_for(struct many *m, uint64_t ns)
{
	for (uint64_t t = 0; t < ns; t += 2 * MS) {
		m->r->now += 2 * MS;
		engine_tick(m->r->e, m->r->now, 64);
		take(m);
	}
}

START_TEST(services_that_share_a_backend_do_not_take_it_down)
{
	struct many *m = many_new(64);

	rig_start(m->r);
	run_for(m, 60 * S);
	ck_assert_uint_eq(m->downs, 0);
	ck_assert_uint_ge(m->asked, 64 * 50);
	many_done(m);
}
END_TEST

/* A port that outlives its check is not that of the check anymore. */
START_TEST(a_slow_service_beside_a_fast_one)
{
	struct many *m = many_new(8);

	for (unsigned i = 0; i < 7; i++)
		m->services[i].params.health.interval_ms = 300000;
	m->services[7].params.health.interval_ms = 200;
	rig_start(m->r);
	run_for(m, 120 * S);
	ck_assert_uint_eq(m->downs, 0);
	many_done(m);
}
END_TEST

/* All ports are in use for as long as nobody answers; and all learn it. */
START_TEST(more_services_than_ports_find_a_silent_backend_down)
{
	struct many *m = many_new(MANY);

	rig_start(m->r);
	run_for(m, 3 * S);
	ck_assert_uint_eq(m->downs, 0);
	m->mute = true;
	run_for(m, 8 * S);
	ck_assert_uint_eq(m->downs, MANY);
	m->mute = false;
	run_for(m, 4 * S);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert(inside_backend(m->r->e, i, 0)->up);
	ck_assert_uint_eq(m->downs, MANY);
	many_done(m);
}
END_TEST

/* Answers to checks that are over count for no other one, on no port. */
START_TEST(a_late_answer_is_of_no_check)
{
	struct many *m = many_new(8);

	rig_start(m->r);
	m->late = true;
	for (int i = 0; i < 10; i++) {
		const unsigned n = m->n_kept; /* older than a timeout */

		run_for(m, 600 * MS);
		for (unsigned k = 0; k < n; k++) {
			if (m->kept[k].seq == 0)
				continue;
			ck_assert(!rig_send(m->r, &m->kept[k]));
			m->kept[k].seq = 0;
		}
	}
	ck_assert_uint_eq(m->downs, 8); /* silent in time is silent */
	ck_assert_uint_ge(m->n_kept, 24);
	many_done(m);
}
END_TEST

/*
 * A thousand services asked at once: each answer is reset, however few strays
 * are answered a second. Else the backend's queue of SYNs fills up.
 */
START_TEST(every_answer_to_a_check_is_reset)
{
	struct many *m = many_new(60);
	unsigned resets = 0;
	struct frame f;

	for (unsigned i = 0; i < 60; i++)
		m->services[i].params.health.interval_ms = 100;
	rig_start(m->r);
	for (uint64_t t = 0; t < 10 * S; t += 2 * MS) {
		m->r->now += 2 * MS;
		engine_tick(m->r->e, m->r->now, 64);
		while (rig_next(m->r, &f)) {
			if (f.flags & SYN) {
				struct frame answer = answer_to(&f, SYN | ACK);

				m->asked++;
				rig_send(m->r, &answer);
			} else {
				ck_assert_uint_eq(f.flags, RST);
				resets++;
			}
		}
	}
	ck_assert_uint_ge(m->asked, 5000);
	ck_assert_uint_eq(resets, m->asked);
	many_done(m);
}
END_TEST

static struct frame only_syn(struct many *m)
{
	struct frame f;

	for (int i = 0; i < 200; i++) {
		m->r->now += 2 * MS;
		engine_tick(m->r->e, m->r->now, 64);
		if (rig_next(m->r, &f)) {
			ck_assert_uint_eq(f.flags, SYN);
			return f;
		}
	}
	ck_abort_msg("a check is made");
}

/*
 * As after a restart: what comes to a port of ours where nothing runs, or
 * something else, was asked by the process before. It is reset, and a check
 * that runs there is asked once more, for the backend remembers the earlier.
 */
START_TEST(an_answer_to_the_process_before_is_reset)
{
	struct many *m = many_new(1);
	struct frame syn, old, rst, again;

	rig_start(m->r);
	syn = only_syn(m);
	old = answer_to(&syn, SYN | ACK);
	old.ack += 77;
	ck_assert(!rig_send(m->r, &old));
	ck_assert(rig_next(m->r, &rst));
	ck_assert_uint_eq(rst.flags, RST);
	ck_assert_uint_eq(rst.seq, old.ack);
	ck_assert(rig_next(m->r, &again));
	ck_assert_uint_eq(again.flags, SYN);
	ck_assert_uint_eq(again.seq, syn.seq);
	ck_assert(same(again.src, syn.src));
	ck_assert(!rig_send(m->r, &old)); /* once */
	ck_assert_uint_eq(rig_drain(m->r), 1);

	old.dst.port = htons((uint16_t)(ntohs(syn.src.port) ^ 1));
	ck_assert(!rig_send(m->r, &old)); /* nothing runs there */
	ck_assert_uint_eq(rig_drain(m->r), 1);
	ck_assert(rig_backend(m->r, 0)->health.probing);
	many_done(m);
}
END_TEST

/* Only the very check that was refused has failed. */
START_TEST(a_refusal_counts_for_who_asked)
{
	struct many *m = many_new(2);
	struct frame syn, rst;
	unsigned failed = 0;

	rig_start(m->r);
	syn = only_syn(m);
	rst = answer_to(&syn, RST | ACK);
	rst.ack++; /* blind */
	rig_send(m->r, &rst);
	rst.ack--;
	rst.src.port = htons(9); /* another server of the same host */
	rig_send(m->r, &rst);
	rst.src = syn.dst;
	for (unsigned i = 0; i < 2; i++)
		failed +=
			(unsigned)inside_backend(m->r->e, i, 0)->health.failed;
	ck_assert_uint_eq(failed, 0);
	rig_send(m->r, &rst);
	rig_send(m->r, &rst); /* and only once */
	for (unsigned i = 0; i < 2; i++)
		failed +=
			(unsigned)inside_backend(m->r->e, i, 0)->health.failed;
	ck_assert_uint_eq(failed, 1);
	many_done(m);
}
END_TEST

/* Two of our addresses have a port each for the same number. */
START_TEST(our_addresses_do_not_share_their_ports)
{
	struct many *m = many_new(2);
	struct backend_spec other;
	struct frame a, b, answer;

	other = m->r->setup.backends[0][0];
	other.sources[0] = frame_addr("198.18.0.3");
	m->services[1].backends = &other;
	rig_start(m->r);
	a = only_syn(m);
	b = only_syn(m);
	ck_assert(!same(a.src, b.src));
	answer = answer_to(&a, SYN | ACK);
	answer.dst = b.src; /* the other one's port and address */
	answer.ack = a.seq + 1;
	rig_send(m->r, &answer);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(inside_backend(m->r->e, i, 0)->health.probing);
	rig_drain(m->r);
	many_done(m);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{services_that_share_a_backend_do_not_take_it_down, 1},
		{a_slow_service_beside_a_fast_one, 1},
		{more_services_than_ports_find_a_silent_backend_down, 1},
		{a_late_answer_is_of_no_check, 1},
		{every_answer_to_a_check_is_reset, 1},
		{an_answer_to_the_process_before_is_reset, 1},
		{a_refusal_counts_for_who_asked, 1},
		{our_addresses_do_not_share_their_ports, 1},
	};

	return unit_run("half_open", tests, ARRAY_LEN(tests));
}
