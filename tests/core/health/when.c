/* SPDX-License-Identifier: MIT */
/* when.c - when a probe is due, and what its result changes */
#include "core/health/when.h"
#include "unit.h"

#define MS 1000000ull
#define T0 (1000000 * MS)

/* A backend that is asked when it is due, on a clock of its own. */
struct asked {
	struct health h;
	struct random random;
	uint64_t now;
};

static struct asked begin(struct health_params params)
{
	struct asked a = {.random = {7}, .now = T0};

	health_init(&a.h, &params, a.now, &a.random);
	return a;
}

static struct asked begin_default(void)
{
	return begin((struct health_params)HEALTH_PARAMS_DEFAULT);
}

/* On to the next start of a probe; timeouts on the way may change it. */
static enum health_change to_start(struct asked *a)
{
	enum health_change change = HEALTH_SAME;
	bool start = false;

	while (!start) {
		enum health_change c;

		if (health_next_ns(&a->h) > a->now)
			a->now = health_next_ns(&a->h);
		c = health_tick(&a->h, a->now, &a->random, &start);
		ck_assert(change == HEALTH_SAME || c == HEALTH_SAME);
		change = c == HEALTH_SAME ? change : c;
	}
	return change;
}

static enum health_change answer(struct asked *a, enum check_result result)
{
	return health_result(&a->h, a->h.number, result, a->now);
}

static enum health_change ask(struct asked *a, enum check_result result)
{
	ck_assert_int_eq(to_start(a), HEALTH_SAME);
	return answer(a, result);
}

static void go_down(struct asked *a)
{
	while (a->h.up)
		ask(a, CHECK_REFUSED);
}

static void go_up(struct asked *a)
{
	while (!a->h.up)
		ask(a, CHECK_OK);
}

START_TEST(starts_up_and_asks_within_a_fast_interval)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct health_params params = HEALTH_PARAMS_DEFAULT;
		struct random r = {seed};
		struct health h;

		health_init(&h, &params, T0, &r);
		ck_assert(h.up);
		ck_assert(health_next_ns(&h) >= T0);
		ck_assert(health_next_ns(&h) < T0 + 200 * MS);
		ck_assert_uint_eq(health_share(&h, T0), HEALTH_SHARE_FULL);
	}
}
END_TEST

START_TEST(three_failures_in_a_row_are_down)
{
	struct asked a = begin_default();

	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_REFUSED), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_REFUSED), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_WRONG_STATUS), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_UNREACHABLE), HEALTH_SAME);
	ck_assert(a.h.up);
	ck_assert_int_eq(ask(&a, CHECK_CLOSED), HEALTH_WENT_DOWN);
	ck_assert(!a.h.up);
	ck_assert_int_eq(a.h.last, CHECK_CLOSED);
	ck_assert_uint_eq(a.h.since_ns, a.now);
	ck_assert_int_eq(ask(&a, CHECK_REFUSED), HEALTH_SAME);
}
END_TEST

START_TEST(two_successes_in_a_row_are_up)
{
	struct asked a = begin_default();

	go_down(&a);
	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_TIMEOUT), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_SAME);
	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_WENT_UP);
	ck_assert(a.h.up);
}
END_TEST

START_TEST(a_silent_backend_is_down_after_three_timeouts)
{
	struct asked a = begin_default();
	uint64_t first;

	to_start(&a);
	first = a.now;
	ck_assert_int_eq(to_start(&a), HEALTH_SAME);
	ck_assert_int_eq(to_start(&a), HEALTH_SAME);
	a.now = health_next_ns(&a.h);
	ck_assert_uint_eq(a.now, first + 1500 * MS);
	ck_assert_int_eq(to_start(&a), HEALTH_WENT_DOWN);
	ck_assert_int_eq(a.h.last, CHECK_TIMEOUT);
}
END_TEST

START_TEST(a_refusing_backend_is_down_in_less_than_half_a_second)
{
	struct asked a = begin_default();
	uint64_t first;

	ask(&a, CHECK_REFUSED);
	first = a.now;
	go_down(&a);
	ck_assert_uint_ge(a.now - first, 360 * MS);
	ck_assert_uint_le(a.now - first, 440 * MS);
}
END_TEST

/* Mean of many steps from start to start; each must be within a tenth. */
static uint64_t mean_step(struct asked *a, uint64_t expected,
			  enum check_result even, enum check_result odd)
{
	uint64_t first, last;

	ask(a, odd);
	first = last = a->now;
	for (int i = 0; i < 1000; i++, last = a->now) {
		ask(a, i % 2 ? odd : even);
		ck_assert_uint_ge(a->now - last, expected * 9 / 10);
		ck_assert_uint_le(a->now - last, expected * 11 / 10);
	}
	return (a->now - first) / 1000;
}

START_TEST(intervals_jitter_by_a_tenth_around_the_configured)
{
	struct asked a = begin_default();
	uint64_t mean;

	mean = mean_step(&a, 1000 * MS, CHECK_OK, CHECK_OK);
	ck_assert_uint_ge(mean, 990 * MS);
	ck_assert_uint_le(mean, 1010 * MS);
	go_down(&a); /* steadily down is no reason to hurry */
	mean = mean_step(&a, 1000 * MS, CHECK_REFUSED, CHECK_REFUSED);
	ck_assert_uint_ge(mean, 990 * MS);
	ck_assert_uint_le(mean, 1010 * MS);
}
END_TEST

START_TEST(what_is_in_doubt_is_asked_again_fast)
{
	struct asked a = begin_default();
	uint64_t before;

	go_down(&a);
	ask(&a, CHECK_OK);
	before = a.now;
	ck_assert_int_eq(ask(&a, CHECK_OK), HEALTH_WENT_UP);
	ck_assert_uint_le(a.now - before, 220 * MS);
	before = a.now;
	ask(&a, CHECK_OK);
	ck_assert_uint_ge(a.now - before, 900 * MS);
}
END_TEST

START_TEST(a_late_answer_does_not_count)
{
	struct asked a = begin_default();
	uint32_t late;

	to_start(&a);
	late = a.h.number;
	to_start(&a); /* it has timed out, the next one is out */
	ck_assert_uint_eq(a.h.streak, 1);
	ck_assert_int_eq(health_result(&a.h, late, CHECK_OK, a.now),
			 HEALTH_SAME);
	ck_assert_uint_eq(a.h.streak, 1);
	ck_assert(a.h.probing);
	answer(&a, CHECK_REFUSED);
	ck_assert_uint_eq(a.h.streak, 2);
	answer(&a, CHECK_REFUSED); /* the same probe again */
	ck_assert_uint_eq(a.h.streak, 2);
	ck_assert(a.h.up);
}
END_TEST

START_TEST(an_answer_at_the_deadline_counts_if_it_is_read_first)
{
	struct asked a = begin_default();
	bool start;

	to_start(&a);
	a.now = health_next_ns(&a.h);
	answer(&a, CHECK_OK);
	health_tick(&a.h, a.now, &a.random, &start);
	ck_assert_uint_eq(a.h.failed, 0);
}
END_TEST

START_TEST(what_could_not_be_asked_is_no_evidence)
{
	struct asked a = begin_default();

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(ask(&a, CHECK_LOCAL), HEALTH_SAME);
	ck_assert(a.h.up);
	ck_assert_uint_eq(a.h.failed, 0);
	ask(&a, CHECK_REFUSED);
	ask(&a, CHECK_LOCAL);
	ask(&a, CHECK_REFUSED);
	ck_assert_int_eq(a.h.last, CHECK_REFUSED);
	ck_assert_int_eq(ask(&a, CHECK_REFUSED), HEALTH_WENT_DOWN);
}
END_TEST

START_TEST(suspicion_asks_at_once_but_no_faster_than_fast)
{
	struct asked a = begin_default();
	uint64_t asked_at;

	ask(&a, CHECK_OK);
	asked_at = a.now;
	health_suspect(&a.h, a.now + 10 * MS);
	ck_assert_uint_eq(health_next_ns(&a.h), asked_at + 200 * MS);
	to_start(&a);
	health_suspect(&a.h, a.now); /* one is out already */
	ck_assert_uint_eq(health_next_ns(&a.h), a.now + 500 * MS);
	answer(&a, CHECK_OK);
	a.now += 500 * MS;
	health_suspect(&a.h, a.now);
	ck_assert_uint_eq(health_next_ns(&a.h), a.now);
}
END_TEST

/* Anybody can make connections fail: that makes no flood of checks. */
START_TEST(suspicion_that_finds_nothing_asks_ever_later)
{
	struct health_params params = HEALTH_PARAMS_DEFAULT;
	unsigned asked = 0;
	struct asked a;

	params.interval_ms = 300000;
	a = begin(params);
	for (unsigned ms = 0; ms < 60000; ms += 10) {
		bool start;

		a.now += 10 * MS;
		health_suspect(&a.h, a.now);
		if (a.now < health_next_ns(&a.h))
			continue;
		health_tick(&a.h, a.now, &a.random, &start);
		asked += start;
		if (start)
			health_result(&a.h, a.h.number, CHECK_OK, a.now);
	}
	ck_assert_uint_ge(asked, 12); /* every 5 s at the least */
	ck_assert_uint_le(asked, 18);
	/* One that fails is looked into as fast as ever. */
	health_hurry(&a.h, a.now);
	a.now = health_next_ns(&a.h);
	to_start(&a);
	answer(&a, CHECK_REFUSED);
	health_suspect(&a.h, a.now);
	ck_assert_uint_le(health_next_ns(&a.h), a.now + 220 * MS);
}
END_TEST

START_TEST(slow_start_ramps_after_a_recovery_only)
{
	struct health_params params = HEALTH_PARAMS_DEFAULT;
	struct asked a;
	unsigned last = 0;

	params.slow_start_ms = 10000;
	a = begin(params);
	ck_assert_uint_eq(health_share(&a.h, T0), HEALTH_SHARE_FULL);
	go_down(&a);
	ck_assert_uint_eq(health_share(&a.h, a.now), HEALTH_SHARE_FULL);
	go_up(&a);
	ck_assert_uint_eq(health_share(&a.h, a.now), 1);
	for (unsigned ms = 0; ms < 10000; ms++) {
		unsigned share = health_share(&a.h, a.now + ms * MS);

		ck_assert_uint_ge(share, last);
		ck_assert_uint_le(share, last + 1);
		ck_assert_uint_ge(share, 1);
		last = share;
	}
	ck_assert_uint_eq(last, HEALTH_SHARE_FULL - 1);
	ck_assert_uint_eq(health_share(&a.h, a.now + 5000 * MS), 128);
	ck_assert_uint_eq(health_share(&a.h, a.now + 10000 * MS), 256);
	ck_assert_uint_eq(health_share(&a.h, a.now + 3600000 * MS), 256);
}
END_TEST

START_TEST(slow_start_is_off_by_default_and_survives_extremes)
{
	struct health_params params = HEALTH_PARAMS_DEFAULT;
	struct asked a = begin_default();

	go_down(&a);
	go_up(&a);
	ck_assert_uint_eq(health_share(&a.h, a.now), HEALTH_SHARE_FULL);

	params.slow_start_ms = UINT32_MAX;
	a = begin(params);
	go_down(&a);
	go_up(&a);
	ck_assert_uint_eq(health_share(&a.h, a.now + UINT32_MAX / 2 * MS), 127);
	ck_assert_uint_eq(health_share(&a.h, a.now + UINT32_MAX * MS), 256);
}
END_TEST

/*
 * The oracle: all results, as they were counted. Down is "the last fall of
 * those since the last change were failures", up likewise, by looking.
 */
#define STEPS 1000
struct oracle {
	bool up;
	unsigned n, changed; /* results, and of those before the last change */
	enum check_result results[STEPS];
};

static bool is_silence(enum check_result result)
{
	return result != CHECK_OK && result != CHECK_REFUSED;
}

/*
 * Down, and the last fall results are silence, for the first time since it was
 * last OK: it was refused until it was down, and no such row came since.
 */
static bool oracle_fell_silent(const struct oracle *o, unsigned fall)
{
	unsigned from = o->changed, row = 0;

	if (o->up)
		return false;
	while (from > 0 && o->results[from - 1] != CHECK_OK)
		from--;
	for (unsigned i = from; i < o->n; i++) {
		row = is_silence(o->results[i]) ? row + 1 : 0;
		if (i < o->changed ? row > 0 : row == fall)
			return i + 1 == o->n && i >= o->changed;
	}
	return false;
}

static enum health_change oracle_count(struct oracle *o,
				       enum check_result result,
				       const struct health_params *params)
{
	unsigned want = o->up ? params->fall : params->rise, same = 0;

	o->results[o->n++] = result;
	for (unsigned i = o->n; i > o->changed; i--, same++)
		if ((o->results[i - 1] == CHECK_OK) == o->up)
			break;
	if (oracle_fell_silent(o, params->fall))
		return HEALTH_FELL_SILENT;
	if (same < want)
		return HEALTH_SAME;
	o->up = !o->up;
	o->changed = o->n;
	return o->up ? HEALTH_WENT_UP : HEALTH_WENT_DOWN;
}

static struct health_params random_params(struct random *r)
{
	return (struct health_params){
		.interval_ms = 1 + random_below(r, 3000),
		.fast_ms = random_below(r, 500),
		.timeout_ms = 1 + random_below(r, 2000),
		.slow_start_ms = random_below(r, 5000),
		.fall = 1 + random_below(r, 5),
		.rise = 1 + random_below(r, 5),
	};
}

static void random_tick(struct asked *a, struct oracle *o)
{
	uint32_t number = a->h.number;
	uint64_t started = a->h.started_ns;
	bool was_out = a->h.probing, start;
	enum health_change expected = HEALTH_SAME;

	if (was_out && a->now >= health_next_ns(&a->h))
		expected = oracle_count(o, CHECK_TIMEOUT, &a->h.params);
	ck_assert_int_eq(health_tick(&a->h, a->now, &a->random, &start),
			 expected);
	ck_assert_uint_eq(a->h.number, number + start);
	ck_assert(health_next_ns(&a->h) > a->now || start);
	if (start) {
		ck_assert(a->h.probing);
		ck_assert(number == 0 ||
			  a->now - started >=
				  a->h.params.fast_ms * MS * 9 / 10 ||
			  a->now - started >=
				  a->h.params.interval_ms * MS * 9 / 10);
	}
}

static void random_answer(struct asked *a, struct oracle *o, struct random *r)
{
	enum check_result result = random_below(r, CHECK_RESULTS);
	uint32_t number = a->h.number - (random_below(r, 4) == 0);
	enum health_change expected = HEALTH_SAME;

	/* Long rows of the same, too. */
	if (random_below(r, 2))
		result = CHECK_OK;
	else if (random_below(r, 2))
		result = CHECK_REFUSED;
	if (a->h.probing && number == a->h.number && result != CHECK_LOCAL)
		expected = oracle_count(o, result, &a->h.params);
	ck_assert_int_eq(health_result(&a->h, number, result, a->now),
			 expected);
}

START_TEST(random_runs_agree_with_the_oracle)
{
	struct random r = unit_random(__func__);

	for (int run = 0; run < 100; run++) {
		struct asked a = begin(random_params(&r));
		struct oracle o = {.up = true};

		for (int step = 0; step < STEPS; step++) {
			uint64_t next = health_next_ns(&a.h);

			switch (random_below(&r, 6)) {
			case 0: a.now += random_below(&r, 300) * MS; break;
			case 1: health_suspect(&a.h, a.now); break;
			case 2:
			case 3: random_answer(&a, &o, &r); break;
			default:
				a.now = next > a.now ? next : a.now;
				random_tick(&a, &o);
			}
			ck_assert(a.h.up == o.up);
		}
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{starts_up_and_asks_within_a_fast_interval, 0},
		{three_failures_in_a_row_are_down, 0},
		{two_successes_in_a_row_are_up, 0},
		{a_silent_backend_is_down_after_three_timeouts, 0},
		{a_refusing_backend_is_down_in_less_than_half_a_second, 0},
		{intervals_jitter_by_a_tenth_around_the_configured, 0},
		{what_is_in_doubt_is_asked_again_fast, 0},
		{a_late_answer_does_not_count, 0},
		{an_answer_at_the_deadline_counts_if_it_is_read_first, 0},
		{what_could_not_be_asked_is_no_evidence, 0},
		{suspicion_asks_at_once_but_no_faster_than_fast, 0},
		{suspicion_that_finds_nothing_asks_ever_later, 0},
		{slow_start_ramps_after_a_recovery_only, 0},
		{slow_start_is_off_by_default_and_survives_extremes, 0},
		{random_runs_agree_with_the_oracle, 0},
	};

	return unit_run("health", tests, ARRAY_LEN(tests));
}
