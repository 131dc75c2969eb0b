/* SPDX-License-Identifier: MIT */
/*
 * cut_off.c - whose silence it is
 *
 * Three backends on one link. When all of them fall silent and nothing else is
 * heard there, that is the link; when anything is, it is the backend. So it is
 * where each is alone on a link of its own, and another one answers.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

#define S	 RIG_S
#define MS	 (RIG_S / 1000)
#define PROBE_LO 12000
#define BACKENDS 3
#define SHARED	 1 /* the link of all, unless they are apart */

struct link {
	struct rig *r;
	uint64_t heard_ns;
	bool mute[BACKENDS];
	bool apart; /* each has a link of its own, where nobody else is */
	bool within[BACKENDS]; /* apart, and on this host */
	bool none;	       /* this host has no route */
	bool busy;	       /* frames of others come all the time */
	bool neighbours; /* somebody else is there, and answers when asked */
	unsigned asked;	 /* how often others were */
	bool withheld;	 /* an alternate source that the engine wants */
	unsigned wanted; /* how often it wanted one */
	unsigned events[BACKEND_HEARD + 1];
	uint64_t down_ns; /* the last one */
};

/* What the program would report before each tick. */
static void report(struct link *l)
{
	struct engine *e = l->r->e;

	for (unsigned i = 0; i < engine_n_ways(e); i++) {
		struct ip_addr source, backend;
		unsigned n;

		engine_way(e, i, &source, &backend);
		n = backend.b[15] - 11u;
		if (l->none || !l->apart)
			engine_set_way(e, i, l->none ? WAY_NONE : SHARED);
		else
			engine_set_way(e, i,
				       l->within[n] ? WAY_OPEN
						    : SHARED + 1 + (int)n);
	}
	engine_link_heard(e, SHARED, l->heard_ns);
}

static void tick(struct link *l)
{
	struct ip_addr source;
	int link;

	l->r->now += 10 * MS;
	if (l->busy)
		l->heard_ns = l->r->now;
	report(l);
	engine_tick(l->r->e, l->r->now, 64);
	while (engine_next_ask(l->r->e, &link)) {
		l->asked++;
		if (l->neighbours && link == SHARED)
			l->heard_ns = l->r->now + 1;
	}
	while (engine_next_wanted(l->r->e, &source)) {
		l->wanted++;
		if (!l->withheld)
			engine_set_source_away(l->r->e, &source, false);
	}
}

static void on_backend(void *arg, enum backend_event event, unsigned service,
		       unsigned backend, enum check_result why)
{
	struct link *l = arg;

	(void)service;
	(void)backend;
	(void)why;
	l->events[event]++;
	if (event == BACKEND_DOWN)
		l->down_ns = l->r->now;
}

static struct link *link_new(enum check_kind kind)
{
	struct link *l = calloc(1, sizeof(*l));
	struct rig_setup *s;

	ck_assert_ptr_nonnull(l);
	l->r = rig_new(BACKENDS);
	s = &l->r->setup;
	s->services[0].params.retries = 3;
	s->services[0].params.syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT;
	s->services[0].params.breaker =
		(struct breaker_params)BREAKER_PARAMS_DEFAULT;
	s->services[0].params.checked = true;
	s->services[0].params.check.kind = kind;
	s->services[0].params.health =
		(struct health_params)HEALTH_PARAMS_DEFAULT;
	s->spec.probe_lo = PROBE_LO;
	s->spec.on_backend = on_backend;
	s->spec.on_flow = NULL;
	s->spec.on_refused = NULL;
	s->spec.on_arg = l;
	return l;
}

static struct link *link_started(enum check_kind kind)
{
	struct link *l = link_new(kind);

	rig_start(l->r);
	return l;
}

static void link_done(struct link *l)
{
	rig_done(l->r);
	free(l);
}

/* Backends answer checks and SYNs of clients, but for those who are mute. */
static void take(struct link *l)
{
	struct probe_request p;
	struct frame f;

	while (rig_next(l->r, &f)) {
		struct frame answer = {.src = f.dst,
				       .dst = f.src,
				       .seq = CONN_SERVER_ISN,
				       .ack = f.seq + 1,
				       .flags = SYN | ACK};
		unsigned i = f.dst.addr.b[15] - 11u;

		if (!(f.flags & SYN) || i >= BACKENDS || l->mute[i])
			continue;
		l->heard_ns = l->r->now;
		rig_send(l->r, &answer);
	}
	while (engine_next_probe(l->r->e, &p))
		if (!l->mute[p.backend])
			engine_probe_result(l->r->e, p.service, p.backend,
					    p.number, CHECK_OK, l->r->now);
}

static void run_for(struct link *l, uint64_t ns)
{
	for (uint64_t t = 0; t < ns; t += 10 * MS) {
		tick(l);
		take(l);
	}
}

static void mute(struct link *l, bool is)
{
	for (unsigned i = 0; i < BACKENDS; i++)
		l->mute[i] = is;
}

static const enum check_kind kinds[] = {CHECK_SYN, CHECK_TCP};

START_TEST(all_silent_at_once_is_the_link)
{
	struct link *l = link_started(kinds[_i]);
	struct conn c = conn_make(l->r, 1);

	run_for(l, 3 * S);
	conn_establish(l->r, &c);
	mute(l, true);
	run_for(l, 60 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	ck_assert_uint_eq(l->events[BACKEND_HEARD], 0);
	ck_assert_uint_gt(engine_counters(l->r->e)->cut_off, 100);
	mute(l, false);
	run_for(l, 10 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	ck_assert_uint_eq(l->events[BACKEND_HEARD], 1);
	ck_assert_int_eq(conn_state(l->r, &c), TCP_ESTABLISHED);
	ck_assert_uint_eq(inside_cut_off(l->r->e), 0);
	link_done(l);
}
END_TEST

/* Who is asked by a socket waits for the kernel, which asks for the neighbour's
 * address once a second.
 */
START_TEST(who_is_found_later_than_the_route_is_not_down)
{
	struct link *l = link_started(kinds[_i]);

	run_for(l, 3 * S);
	mute(l, true);
	l->none = true;
	run_for(l, 5 * S);
	l->none = l->mute[0] = l->mute[1] = false;
	l->busy = true;
	run_for(l, S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	l->mute[2] = false;
	run_for(l, 5 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	l->mute[2] = true;
	run_for(l, 3500 * MS);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 1);
	link_done(l);
}
END_TEST

/* From when it is over, and not at once for what was before. */
START_TEST(who_stays_silent_then_is_found_down)
{
	struct link *l = link_started(kinds[_i]);
	uint64_t back_ns;

	run_for(l, 3 * S);
	mute(l, true);
	run_for(l, 20 * S);
	l->mute[0] = l->mute[1] = false;
	back_ns = l->r->now;
	run_for(l, 10 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 1);
	ck_assert(!rig_backend(l->r, 2)->up);
	/* Three of half a second each. */
	ck_assert_uint_ge(l->down_ns - back_ns, 1400 * MS);
	ck_assert_uint_le(l->down_ns - back_ns, 4 * S);
	ck_assert_uint_eq(l->events[BACKEND_HEARD], 1);
	link_done(l);
}
END_TEST

/* As fast as before, whoever else it is that shows that the link lives. */
START_TEST(one_silent_beside_others_is_found_down)
{
	struct link *l = link_started(kinds[_i % 2]);
	uint64_t from_ns;

	run_for(l, 3 * S);
	if (_i < 2) {
		l->mute[2] = true;
	} else {
		mute(l, true);
		l->neighbours = true;
	}
	from_ns = l->r->now;
	run_for(l, 10 * S);
	ck_assert(!rig_backend(l->r, 2)->up);
	ck_assert_uint_le(l->down_ns - from_ns, 3500 * MS);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 0);
	ck_assert_uint_gt(l->asked, 0);
	link_done(l);
}
END_TEST

/* A tunnel to each: nothing but the backend itself is ever heard there. */
START_TEST(one_alone_on_its_link_is_found_down_beside_others)
{
	struct link *l = link_started(kinds[_i]);
	uint64_t from_ns;

	l->apart = true;
	run_for(l, 3 * S);
	l->mute[2] = true;
	from_ns = l->r->now;
	run_for(l, 10 * S);
	ck_assert(!rig_backend(l->r, 2)->up);
	ck_assert_uint_le(l->down_ns - from_ns, 3500 * MS);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 0);
	/* All of them: that is what all tunnels go through. */
	mute(l, true);
	run_for(l, 30 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 1);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	link_done(l);
}
END_TEST

/* It answers when the wire is cut, too. */
START_TEST(one_on_this_host_says_nothing_of_a_link)
{
	struct link *l = link_started(kinds[_i]);

	l->apart = true;
	l->within[0] = true;
	run_for(l, 3 * S);
	l->mute[1] = l->mute[2] = true;
	run_for(l, 30 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	link_done(l);
}
END_TEST

/* Nobody has answered yet: no link was ever seen to live. */
START_TEST(who_never_answered_is_found_down)
{
	struct link *l = link_started(kinds[_i]);

	mute(l, true);
	run_for(l, 5 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], BACKENDS);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 0);
	link_done(l);
}
END_TEST

/* A refusal is an answer: then the others' silence is their own. */
START_TEST(a_refusal_shows_that_the_link_lives)
{
	struct link *l = link_started(CHECK_TCP);
	struct probe_request p;

	run_for(l, 3 * S);
	for (unsigned t = 0; t < 500; t++) {
		tick(l);
		while (engine_next_probe(l->r->e, &p))
			if (p.backend == 0)
				engine_probe_result(l->r->e, 0, 0, p.number,
						    CHECK_REFUSED, l->r->now);
		rig_drain(l->r);
	}
	ck_assert_uint_eq(l->events[BACKEND_DOWN], BACKENDS);
	link_done(l);
}
END_TEST

/*
 * Handshakes, where nobody checks. Nobody is ejected for them, and a client
 * who was not answered in time is not refused: his next SYN is a new one.
 */
START_TEST(handshakes_are_not_held_against_backends_either)
{
	struct link *l = link_new(CHECK_SYN);
	struct frame f;

	l->r->setup.services[0].params.checked = false;
	rig_start(l->r);
	for (unsigned i = 0; i < 3; i++) { /* all have answered once */
		struct conn c = conn_make(l->r, 100 + i);

		conn_establish(l->r, &c);
		l->heard_ns = l->r->now;
	}
	l->r->now += 100 * MS;
	for (unsigned i = 0; i < 10; i++) {
		struct conn c = conn_make(l->r, i);

		conn_syn(l->r, &c);
		for (unsigned t = 0; t < 40; t++) {
			tick(l);
			rig_drain(l->r);
		}
	}
	for (unsigned t = 0; t < 1500; t++) {
		tick(l);
		while (rig_next(l->r, &f))
			ck_assert_msg(!(f.flags & RST), "nobody is refused");
	}
	ck_assert_uint_eq(l->events[BACKEND_EJECTED], 0);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	ck_assert_uint_eq(engine_flows(l->r->e)->used, 3);
	link_done(l);
}
END_TEST

/* It was asked while we were cut off, and that is found out only later. */
START_TEST(a_question_of_before_it_is_over_says_nothing)
{
	struct link *l = link_new(CHECK_SYN);

	l->r->setup.services[0].params.retries = 0;
	rig_start(l->r);
	run_for(l, 3 * S);
	mute(l, true);
	run_for(l, 4 * S);
	for (unsigned i = 0; i < 12; i++) {
		struct conn c = conn_make(l->r, i);

		ck_assert(conn_syn(l->r, &c));
	}
	run_for(l, 8 * S);
	mute(l, false);
	run_for(l, 5 * S);
	ck_assert_uint_eq(engine_flows(l->r->e)->used,
			  0); /* all are given up */
	ck_assert_uint_eq(l->events[BACKEND_HEARD], 1);
	ck_assert_uint_eq(l->events[BACKEND_EJECTED], 0);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	link_done(l);
}
END_TEST

/*
 * Nor is it held against a backend when another one answers the same SYN after
 * that: the link was heard last just after the SYNs had been sent.
 */
START_TEST(an_answer_after_it_is_over_blames_nobody)
{
	struct link *l = link_started(CHECK_SYN);
	const struct endpoint first = rig_backend(l->r, 0)->addr;
	struct conn lost[3];
	unsigned n = 0;

	run_for(l, 3 * S);
	for (unsigned i = 0; n < 3; i++) {
		struct conn c = conn_make(l->r, i);

		ck_assert(conn_syn(l->r, &c));
		if (same(c.backend, first))
			lost[n++] = c;
		else
			ck_assert(
				conn_send(l->r, &c, FLOW_REPLY, SYN | ACK, 0));
	}
	mute(l, true);
	l->heard_ns = l->r->now + 1;
	run_for(l, 4 * S);
	ck_assert_uint_eq(l->events[BACKEND_CUT_OFF], 1);
	mute(l, false);
	run_for(l, 2 * S);
	ck_assert_uint_eq(l->events[BACKEND_HEARD], 1);
	for (unsigned i = 0; i < 3; i++) {
		struct frame again = conn_frame(&lost[i], FLOW_ORIG, SYN, 0);

		again.seq = CONN_CLIENT_ISN;
		ck_assert(rig_send(l->r, &again));
		conn_refresh(l->r, &lost[i]);
		ck_assert(!same(lost[i].backend, first));
		ck_assert(conn_send(l->r, &lost[i], FLOW_REPLY, SYN | ACK, 0));
	}
	ck_assert_uint_eq(l->events[BACKEND_EJECTED], 0);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	link_done(l);
}
END_TEST

/* ---------------------------------------------------- the other source */

/* Backend 0 holds the service's address: SYNs of it are martians there. */
static void take_holding(struct link *l, const struct ip_addr *held)
{
	struct probe_request p;
	struct frame f;

	while (rig_next(l->r, &f)) {
		struct frame answer = {.src = f.dst,
				       .dst = f.src,
				       .seq = CONN_SERVER_ISN,
				       .ack = f.seq + 1,
				       .flags = SYN | ACK};

		if (!(f.flags & SYN) ||
		    (f.dst.addr.b[15] == 11 && addr_equal(&f.src.addr, held)))
			continue;
		l->heard_ns = l->r->now;
		rig_send(l->r, &answer);
	}
	while (engine_next_probe(l->r->e, &p))
		if (p.backend != 0 || !addr_equal(&p.source, held))
			engine_probe_result(l->r->e, p.service, p.backend,
					    p.number, CHECK_OK, l->r->now);
}

/* And the one that it answers is that of its flows from then on. */
START_TEST(who_holds_the_services_address_is_asked_from_another)
{
	struct link *l = link_new(kinds[_i % 2]);
	struct ip_addr vip = frame_addr("198.18.0.1"),
		       other = frame_addr("198.18.0.7");

	for (unsigned i = 0; i < BACKENDS; i++)
		l->r->setup.backends[0][i].alternate = other;
	rig_start(l->r);
	for (unsigned t = 0; t < 1000; t++) {
		tick(l);
		take_holding(l, &vip);
	}
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 0);
	ck_assert_uint_eq(l->events[BACKEND_SOURCE], 1);
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct backend_view b =
			engine_view_backend(l->r->e, 0, i, l->r->now);

		ck_assert(addr_equal(&b.source, i == 0 ? &other : &vip));
		ck_assert(!addr_is_set(&b.alternate));
	}
	for (unsigned i = 0; i < 6; i++) {
		struct conn c = conn_make(l->r, i);

		conn_establish(l->r, &c);
		ck_assert(addr_equal(&c.nat.addr, c.backend.addr.b[15] == 11
							  ? &other
							  : &vip));
	}
	link_done(l);
}
END_TEST

/* Until the program holds it, packets from it would be lost, or another's. */
START_TEST(another_source_is_not_used_before_it_is_held)
{
	struct link *l = link_new(kinds[_i]);
	struct ip_addr vip = frame_addr("198.18.0.1"),
		       other = frame_addr("198.18.0.7");
	struct backend_view b;

	l->r->setup.backends[0][0].alternate = other;
	l->withheld = true;
	rig_start(l->r);
	for (unsigned t = 0; t < 1000; t++) {
		tick(l);
		take_holding(l, &vip);
		b = engine_view_backend(l->r->e, 0, 0, l->r->now);
		ck_assert(addr_equal(&b.source, &vip));
	}
	ck_assert(!b.up);
	ck_assert_uint_gt(l->wanted, 3);
	l->withheld = false;
	for (unsigned t = 0; t < 1000; t++) {
		tick(l);
		take_holding(l, &vip);
	}
	b = engine_view_backend(l->r->e, 0, 0, l->r->now);
	ck_assert(b.up);
	ck_assert(addr_equal(&b.source, &other));
	ck_assert_uint_eq(l->events[BACKEND_SOURCE], 1);
	link_done(l);
}
END_TEST

/* Who answers from neither is found down, a little later at the most. */
START_TEST(who_answers_from_neither_is_found_down)
{
	struct link *l = link_new(kinds[_i]);

	l->r->setup.backends[0][0].alternate = frame_addr("198.18.0.7");
	rig_start(l->r);
	l->mute[0] = true;
	run_for(l, 5 * S);
	ck_assert_uint_eq(l->events[BACKEND_DOWN], 1);
	ck_assert(!rig_backend(l->r, 0)->up);
	l->mute[0] = false;
	run_for(l, 5 * S);
	ck_assert(rig_backend(l->r, 0)->up);
	link_done(l);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{all_silent_at_once_is_the_link, 2},
		{who_is_found_later_than_the_route_is_not_down, 2},
		{who_stays_silent_then_is_found_down, 2},
		{one_silent_beside_others_is_found_down, 4},
		{one_alone_on_its_link_is_found_down_beside_others, 2},
		{one_on_this_host_says_nothing_of_a_link, 2},
		{who_never_answered_is_found_down, 2},
		{a_refusal_shows_that_the_link_lives, 1},
		{a_question_of_before_it_is_over_says_nothing, 0},
		{an_answer_after_it_is_over_blames_nobody, 0},
		{who_holds_the_services_address_is_asked_from_another, 2},
		{another_source_is_not_used_before_it_is_held, 2},
		{who_answers_from_neither_is_found_down, 2},
		{handshakes_are_not_held_against_backends_either, 1},
	};

	return unit_run("cut_off", tests, ARRAY_LEN(tests));
}
