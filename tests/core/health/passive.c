/* SPDX-License-Identifier: MIT */
/* passive.c - what handshakes of real traffic do to a backend */
#include "core/health/passive.h"
#include "unit.h"

#define MS 1000000ull
#define S  (1000 * MS)
#define T0 (1000 * S)

/* Most tests take it that a check has seen it as well. */
static const struct ip_addr nobody;

static struct breaker begin_with(struct breaker_params params)
{
	struct breaker b;

	breaker_init(&b, &params, T0);
	return b;
}

static struct breaker begin(void)
{
	return begin_with((struct breaker_params)BREAKER_PARAMS_DEFAULT);
}

/* One handshake from SYN to failure. */
static enum breaker_change fail_one(struct breaker *b, uint64_t now)
{
	return breaker_failure(b, breaker_begin(b, now), &nobody, true, true,
			       now);
}

static enum breaker_change succeed_one(struct breaker *b, uint64_t now)
{
	return breaker_success(b, breaker_begin(b, now), now);
}

static void open_it(struct breaker *b, uint64_t now)
{
	while (b->state != BREAKER_OPEN)
		fail_one(b, now);
}

START_TEST(three_failures_in_a_row_open_it)
{
	struct breaker b = begin();

	ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	ck_assert_int_eq(succeed_one(&b, T0), BREAKER_SAME);
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	ck_assert(breaker_allows(&b, T0));
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_OPENED);
	ck_assert(!breaker_allows(&b, T0));
	ck_assert_uint_eq(b.due_ns, T0 + S);
	ck_assert(!breaker_allows(&b, T0 + S - 1));
	ck_assert(breaker_allows(&b, T0 + S));
}
END_TEST

START_TEST(handshakes_under_way_when_it_opened_change_nothing)
{
	struct breaker b = begin();
	uint32_t tickets[100];
	int opened = 0;

	for (int i = 0; i < 100; i++)
		tickets[i] = breaker_begin(&b, T0);
	for (int i = 0; i < 90; i++)
		opened += breaker_failure(&b, tickets[i], &nobody, true, true,
					  T0 + S / 2) == BREAKER_OPENED;
	ck_assert_int_eq(opened, 1);
	ck_assert_uint_eq(b.due_ns, T0 + S / 2 + S);
	ck_assert_uint_eq(breaker_begin(&b, T0 + 2 * S), b.ticket);
	for (int i = 90; i < 95; i++)
		breaker_failure(&b, tickets[i], &nobody, true, true,
				T0 + 2 * S);
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	for (int i = 95; i < 100; i++)
		breaker_success(&b, tickets[i], T0 + 2 * S);
	ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(half_open_lets_a_bounded_number_try)
{
	struct breaker_params params = BREAKER_PARAMS_DEFAULT;
	struct breaker b;
	uint32_t tickets[3];
	uint64_t now = T0 + S;

	params.trials = 3;
	b = begin_with(params);
	open_it(&b, T0);
	for (int i = 0; i < 3; i++) {
		ck_assert(breaker_allows(&b, now));
		tickets[i] = breaker_begin(&b, now);
		ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
	}
	ck_assert(!breaker_allows(&b, now));
	breaker_abandon(&b, tickets[0]); /* its client gave up */
	ck_assert(breaker_allows(&b, now));
	ck_assert_int_eq(breaker_success(&b, tickets[1], now),
			 BREAKER_RECOVERED);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	/* The other trial is of another time. */
	ck_assert_int_eq(
		breaker_failure(&b, tickets[2], &nobody, true, true, now),
		BREAKER_SAME);
	ck_assert_uint_eq(b.failed, 0);
	ck_assert_uint_eq(b.due_ns, BREAKER_IDLE);
}
END_TEST

START_TEST(backoff_doubles_to_its_cap)
{
	static const unsigned expected_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	struct breaker b = begin();
	uint64_t now = T0;

	open_it(&b, now);
	for (unsigned i = 0; i < ARRAY_LEN(expected_s); i++) {
		ck_assert_uint_eq(b.due_ns, now + expected_s[i] * S);
		now = b.due_ns;
		ck_assert_int_eq(fail_one(&b, now), BREAKER_OPENED);
	}
}
END_TEST

START_TEST(backoff_begins_again_after_a_quiet_time)
{
	struct breaker b = begin();
	uint64_t now = T0;

	open_it(&b, now);
	now += S;
	ck_assert_int_eq(fail_one(&b, now), BREAKER_OPENED);
	now += 2 * S;
	ck_assert_int_eq(succeed_one(&b, now), BREAKER_RECOVERED);
	now += 60 * S - 1;
	open_it(&b, now);
	ck_assert_uint_eq(b.due_ns, now + 4 * S);
	now += 4 * S;
	ck_assert_int_eq(succeed_one(&b, now), BREAKER_RECOVERED);
	now += 60 * S;
	open_it(&b, now);
	ck_assert_uint_eq(b.due_ns, now + S);
}
END_TEST

START_TEST(trials_without_any_news_are_given_up)
{
	struct breaker b = begin();
	uint64_t now = T0 + S;
	uint32_t lost, second;

	open_it(&b, T0);
	lost = breaker_begin(&b, now);
	ck_assert(!breaker_allows(&b, now + 3 * S - 1));
	ck_assert_uint_eq(b.due_ns, now + 3 * S);
	now += 3 * S;
	ck_assert(breaker_allows(&b, now));
	second = breaker_begin(&b, now);
	ck_assert_int_eq(breaker_failure(&b, lost, &nobody, true, true, now),
			 BREAKER_SAME);
	breaker_abandon(&b, lost);
	ck_assert(!breaker_allows(&b, now));
	ck_assert_int_eq(breaker_success(&b, second, now), BREAKER_RECOVERED);
}
END_TEST

START_TEST(the_last_backend_is_never_ejected)
{
	struct breaker b = begin();

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(breaker_failure(&b, breaker_begin(&b, T0),
						 &nobody, true, false, T0),
				 BREAKER_SAME);
	ck_assert(breaker_allows(&b, T0));
	/* Another one is back: the next failure is enough. */
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_OPENED);

	/* A failed trial of the last one: everything may try. */
	ck_assert_int_eq(breaker_failure(&b, breaker_begin(&b, T0 + S), &nobody,
					 true, false, T0 + S),
			 BREAKER_SAME);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert_int_eq(fail_one(&b, T0 + S), BREAKER_OPENED);
	ck_assert_uint_eq(b.due_ns, T0 + 3 * S);
}
END_TEST

START_TEST(a_connection_sent_for_want_of_others_may_close_it)
{
	struct breaker b = begin();
	uint32_t ticket;

	open_it(&b, T0);
	ticket = breaker_begin(&b, T0 + 1);
	ck_assert_int_eq(
		breaker_failure(&b, ticket, &nobody, true, true, T0 + 1),
		BREAKER_SAME);
	ck_assert_uint_eq(b.due_ns, T0 + S);
	ticket = breaker_begin(&b, T0 + 2);
	ck_assert_int_eq(breaker_success(&b, ticket, T0 + 2),
			 BREAKER_RECOVERED);
	ck_assert(breaker_allows(&b, T0 + 2));
}
END_TEST

START_TEST(no_failures_configured_never_opens)
{
	struct breaker_params params = BREAKER_PARAMS_DEFAULT;
	struct breaker b;

	params.failures = 0;
	b = begin_with(params);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	ck_assert(breaker_allows(&b, T0));
}
END_TEST

START_TEST(reset_closes_but_remembers_the_backoff)
{
	struct breaker b = begin();

	open_it(&b, T0);
	breaker_reset(&b, T0);
	ck_assert(breaker_allows(&b, T0));
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	fail_one(&b, T0);
	fail_one(&b, T0);
	breaker_reset(&b, T0);
	ck_assert_int_eq(fail_one(&b, T0), BREAKER_SAME);
	open_it(&b, T0);
	ck_assert_uint_eq(b.due_ns, T0 + 2 * S);
}
END_TEST

/*
 * The oracle: each handshake is remembered with the era it began in; a change
 * of state begins a new era, and results of older ones are not looked at.
 */
#define SHAKES 64
struct model {
	struct breaker b;
	enum breaker_state state;
	unsigned era;
	unsigned run; /* failures at the end of this era's results */
	uint64_t due, closed_at, backoff_ms, opened;
	struct shake {
		bool used;
		unsigned era;
		uint32_t ticket;
	} shakes[SHAKES];
};

static void model_enter(struct model *m, enum breaker_state state, uint64_t now)
{
	m->state = state;
	m->era++;
	m->run = 0;
	m->due = BREAKER_IDLE;
	if (state == BREAKER_CLOSED)
		m->closed_at = now;
}

static void model_open(struct model *m, uint64_t now)
{
	const struct breaker_params *p = &m->b.params;

	if (m->backoff_ms == 0 || (m->state == BREAKER_CLOSED &&
				   now - m->closed_at >= p->quiet_ms * MS))
		m->backoff_ms = p->open_ms;
	else
		m->backoff_ms *= 2;
	if (m->backoff_ms > p->open_max_ms)
		m->backoff_ms = p->open_max_ms;
	model_enter(m, BREAKER_OPEN, now);
	m->opened++;
	m->due = now + m->backoff_ms * MS;
}

/* By time: an open one half opens, lost trials end their era. */
static void model_time(struct model *m, uint64_t now)
{
	if (m->state != BREAKER_CLOSED && now >= m->due)
		model_enter(m, BREAKER_HALF_OPEN, now);
}

static unsigned model_outstanding(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHAKES; i++)
		n += m->shakes[i].used && m->shakes[i].era == m->era;
	return n;
}

static bool model_allows(struct model *m, uint64_t now)
{
	if (m->state == BREAKER_CLOSED || now >= m->due)
		return true;
	return m->state == BREAKER_HALF_OPEN &&
	       model_outstanding(m) < m->b.params.trials;
}

static void model_begin(struct model *m, struct shake *s, uint64_t now)
{
	model_time(m, now);
	*s = (struct shake){.used = true, .era = m->era};
	s->ticket = breaker_begin(&m->b, now);
	if (m->state == BREAKER_HALF_OPEN)
		m->due = now + m->b.params.trial_ms * MS;
}

static enum breaker_change model_end(struct model *m, const struct shake *s,
				     bool ok, bool may_open, uint64_t now)
{
	bool was_closed = m->state == BREAKER_CLOSED;

	if (s->era != m->era)
		return BREAKER_SAME;
	if (ok) {
		m->run = 0;
		if (!was_closed)
			model_enter(m, BREAKER_CLOSED, now);
		return was_closed ? BREAKER_SAME : BREAKER_RECOVERED;
	}
	if (m->b.params.failures == 0 || m->state == BREAKER_OPEN)
		return BREAKER_SAME;
	m->run++;
	if (m->state == BREAKER_HALF_OPEN && !may_open) {
		model_enter(m, BREAKER_CLOSED, now);
		m->run = m->b.params.failures;
		return BREAKER_SAME;
	}
	if (!may_open || (was_closed && m->run < m->b.params.failures))
		return BREAKER_SAME;
	model_open(m, now);
	return BREAKER_OPENED;
}

static void model_abandon(struct model *m, const struct shake *s)
{
	breaker_abandon(&m->b, s->ticket);
	if (m->state == BREAKER_HALF_OPEN && s->era == m->era &&
	    model_outstanding(m) == 0)
		m->due = BREAKER_IDLE;
}

static void random_step(struct model *m, struct random *r, uint64_t now)
{
	struct shake *s = &m->shakes[random_below(r, SHAKES)], ended = *s;
	bool may_open = random_below(r, 4) > 0, ok = random_below(r, 5) == 0;

	ck_assert(breaker_allows(&m->b, now) == model_allows(m, now));
	if (!s->used) {
		if (model_allows(m, now) || random_below(r, 20) == 0)
			model_begin(m, s, now);
		return;
	}
	s->used = false;
	switch (random_below(r, 8)) {
	case 0: model_abandon(m, &ended); break;
	case 1: /* lost: nobody will ever say what became of it */
		s->used = m->state == BREAKER_HALF_OPEN;
		break;
	default:
		if (ok)
			ck_assert_int_eq(
				breaker_success(&m->b, ended.ticket, now),
				model_end(m, &ended, true, may_open, now));
		else
			ck_assert_int_eq(
				breaker_failure(&m->b, ended.ticket, &nobody,
						true, may_open, now),
				model_end(m, &ended, false, may_open, now));
	}
}

START_TEST(random_runs_agree_with_the_oracle)
{
	struct random r = unit_random(__func__);
	uint64_t opened = 0;

	for (int run = 0; run < 100; run++) {
		struct breaker_params params = {
			.failures = random_below(&r, 6),
			.trials = 1 + random_below(&r, 4),
			.open_ms = 1 + random_below(&r, 1000),
			.open_max_ms = 1 + random_below(&r, 20000),
			.quiet_ms = random_below(&r, 20000),
			.trial_ms = 1 + random_below(&r, 3000),
		};
		struct model m = {.b = begin_with(params),
				  .state = BREAKER_CLOSED,
				  .due = BREAKER_IDLE,
				  .closed_at = T0};
		uint64_t now = T0;

		for (int step = 0; step < 1000; step++) {
			if (random_below(&r, 4) == 0)
				now += random_below(&r, 500) * MS;
			random_step(&m, &r, now);
			ck_assert_int_eq(m.b.state, m.state);
			ck_assert_uint_eq(m.b.due_ns, m.due);
		}
		opened += m.opened;
	}
	ck_assert_uint_gt(opened, 200); /* the run was worth something */
}
END_TEST

/* Whatever was lost, waiting until it says helps. */
START_TEST(nothing_shuts_it_for_ever)
{
	struct random r = unit_random(__func__);

	for (int run = 0; run < 2000; run++) {
		struct breaker b = begin();
		uint64_t now = T0;

		for (unsigned step = random_below(&r, 30); step > 0; step--) {
			now += random_below(&r, 2000) * MS;
			if (random_below(&r, 2))
				breaker_begin(&b, now); /* lost */
			else
				fail_one(&b, now);
		}
		if (!breaker_allows(&b, now)) {
			ck_assert(b.due_ns != BREAKER_IDLE);
			ck_assert(breaker_allows(&b, b.due_ns));
		}
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{three_failures_in_a_row_open_it, 0},
		{handshakes_under_way_when_it_opened_change_nothing, 0},
		{half_open_lets_a_bounded_number_try, 0},
		{backoff_doubles_to_its_cap, 0},
		{backoff_begins_again_after_a_quiet_time, 0},
		{trials_without_any_news_are_given_up, 0},
		{the_last_backend_is_never_ejected, 0},
		{a_connection_sent_for_want_of_others_may_close_it, 0},
		{no_failures_configured_never_opens, 0},
		{reset_closes_but_remembers_the_backoff, 0},
		{random_runs_agree_with_the_oracle, 0},
		{nothing_shuts_it_for_ever, 0},
	};

	return unit_run("breaker", tests, ARRAY_LEN(tests));
}
