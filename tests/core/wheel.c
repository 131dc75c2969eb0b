/* SPDX-License-Identifier: MIT */
/* wheel.c - the timer wheel against a plain array of deadlines */
#include <stdbool.h>
#include <string.h>

#include "core/wheel.h"
#include "unit.h"

#define ITEMS 200
#define S     1000000000ull
#define TICK  (1ull << WHEEL_TICK_SHIFT)
#define LATE  (2 * TICK)
#define SPAN  (TICK * WHEEL_SLOTS)
#define T0    (123456 * S + 789)
#define NEVER UINT64_MAX

/*
 * The wheel as its caller uses it: an item that comes before its deadline,
 * which was too far away for the ring, is set again.
 */
struct fixture {
	struct wheel wheel;
	struct list_node nodes[ITEMS + WHEEL_SLOTS];
	uint64_t due[ITEMS];	/* NEVER: not set */
	uint64_t set_at[ITEMS]; /* what the wheel took for the time then */
	uint64_t now;
	unsigned fired, looked_early;
};

static struct fixture *make(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	f->now = T0;
	memset(f->due, 0xff, sizeof(f->due));
	wheel_init(&f->wheel, f->nodes, ITEMS, f->now);
	return f;
}

static void set(struct fixture *f, uint32_t item, uint64_t due)
{
	f->due[item] = due;
	f->set_at[item] = f->wheel.tick << WHEEL_TICK_SHIFT;
	wheel_set(&f->wheel, item, due);
}

static void clear(struct fixture *f, uint32_t item)
{
	f->due[item] = NEVER;
	wheel_clear(&f->wheel, item);
}

static void take(struct fixture *f, uint32_t item)
{
	ck_assert_uint_lt(item, ITEMS);
	ck_assert_msg(f->due[item] != NEVER, "item %u was not set", item);
	if (f->due[item] > f->now) {
		/* only a deadline beyond the ring, and from its far end */
		ck_assert_uint_ge(f->due[item] - f->set_at[item],
				  SPAN - 2 * TICK);
		f->looked_early++;
		set(f, item, f->due[item]);
		return;
	}
	f->due[item] = NEVER;
	f->fired++;
}

/* Goes to @now, takes everything, and then nothing may be overdue. */
static void poll_at(struct fixture *f, uint64_t now)
{
	uint32_t item, calls = 0;

	f->now = now;
	while ((item = wheel_take(&f->wheel, now)) != WHEEL_NONE) {
		take(f, item);
		unit_check(calls++ < 100 * ITEMS, "takes without end");
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		unit_check(f->due[i] >= now || now - f->due[i] < LATE,
			   "item %u is %" PRIu64 " ns late", i,
			   now - f->due[i]);
}

static uint64_t first_due(const struct fixture *f)
{
	uint64_t first = NEVER;

	for (uint32_t i = 0; i < ITEMS; i++)
		if (f->due[i] < first)
			first = f->due[i];
	return first;
}

static uint64_t random_delay(struct random *r)
{
	switch (random_below(r, 4)) {
	case 0: return random_next(r) % (2 * TICK);
	case 1: return random_next(r) % (10 * S);
	case 2: return random_next(r) % (SPAN + 2 * TICK);
	default: return random_next(r) % (3 * 3600 * S);
	}
}

static void random_step(struct fixture *f, struct random *r)
{
	uint32_t item = random_below(r, ITEMS);

	if (random_below(r, 4))
		set(f, item, f->now + random_delay(r));
	else
		clear(f, item);
}

START_TEST(empty_wheel_is_idle)
{
	struct fixture *f = make();

	ck_assert_uint_eq(wheel_next_ns(&f->wheel), WHEEL_IDLE);
	poll_at(f, f->now + 3600 * S);
	ck_assert_uint_eq(wheel_next_ns(&f->wheel), WHEEL_IDLE);
	set(f, 3, f->now + S);
	ck_assert_uint_ne(wheel_next_ns(&f->wheel), WHEEL_IDLE);
	clear(f, 3);
	poll_at(f, f->now + 2 * S); /* it may have to look once more */
	ck_assert_uint_eq(wheel_next_ns(&f->wheel), WHEEL_IDLE);
	free(f);
}
END_TEST

/* Polled often: never before its time, at most two ticks after. */
START_TEST(timer_fires_at_its_time_and_once)
{
	static const uint64_t delays[] = {
		0,	  1,	  TICK - 1, TICK,     TICK + 1,
		S,	  10 * S, 60 * S,   240 * S,  SPAN - TICK,
		SPAN - 1, SPAN,	  SPAN + 1, 2 * SPAN, 7440 * S,
	};
	const uint64_t delay = delays[_i];
	struct fixture *f = make();

	set(f, 7, f->now + delay);
	while (!f->fired && f->now <= T0 + delay + LATE)
		poll_at(f, f->now + TICK / 3);
	ck_assert_uint_eq(f->fired, 1);
	poll_at(f, f->now + 2 * SPAN);
	ck_assert_uint_eq(f->fired, 1);
	free(f);
}
END_TEST

/* Woken only when it asked for it, as the program does. */
START_TEST(calling_when_told_is_often_enough)
{
	struct random r = unit_random(__func__);
	struct fixture *f = make();

	for (int step = 0; step < 20000; step++) {
		uint64_t next = wheel_next_ns(&f->wheel);
		uint64_t due = first_due(f);

		if (due != NEVER) {
			unit_check(next <= due + LATE, "step %d: late", step);
			poll_at(f, next > f->now ? next : f->now);
		}
		for (int i = 0; i < 3; i++)
			random_step(f, &r);
	}
	ck_assert_uint_gt(f->fired, 1000);
	free(f);
}
END_TEST

/* Each wake-up must make progress: no busy loop around one deadline. */
START_TEST(next_time_lies_ahead_after_everything_was_taken)
{
	struct random r = unit_random(__func__);
	struct fixture *f = make();

	for (int step = 0; step < 5000; step++) {
		for (int i = 0; i < 3; i++)
			set(f, random_below(&r, ITEMS),
			    f->now + LATE + random_delay(&r));
		poll_at(f, f->now + random_next(&r) % S);
		ck_assert(wheel_next_ns(&f->wheel) > f->now);
	}
	free(f);
}
END_TEST

START_TEST(time_may_jump_by_any_amount)
{
	struct random r = unit_random(__func__);
	struct fixture *f = make();

	for (int step = 0; step < 5000; step++) {
		static const uint64_t jumps[] = {1,	   TICK,      10 * S,
						 SPAN - 1, SPAN,      SPAN + 1,
						 7440 * S, 864000 * S};

		for (int i = 0; i < 10; i++)
			random_step(f, &r);
		poll_at(f,
			f->now + random_next(&r) % jumps[random_below(&r, 8)]);
	}
	poll_at(f, f->now + 864000 * S);
	ck_assert_uint_eq(wheel_next_ns(&f->wheel), WHEEL_IDLE);
	free(f);
}
END_TEST

START_TEST(moved_timer_fires_only_at_its_last_deadline)
{
	struct fixture *f = make();

	set(f, 0, f->now + S);
	set(f, 0, f->now + 20 * S);
	poll_at(f, f->now + 10 * S);
	ck_assert_uint_eq(f->fired, 0);
	set(f, 0, f->now + S);
	poll_at(f, f->now + S + LATE);
	ck_assert_uint_eq(f->fired, 1);
	poll_at(f, f->now + 60 * S);
	ck_assert_uint_eq(f->fired, 1);
	free(f);
}
END_TEST

START_TEST(cleared_timer_never_fires)
{
	struct fixture *f = make();

	for (uint32_t i = 0; i < ITEMS; i++)
		set(f, i, f->now + S);
	for (uint32_t i = 0; i < ITEMS; i += 2)
		clear(f, i);
	clear(f, 0); /* twice is harmless */
	poll_at(f, f->now + 10 * S);
	ck_assert_uint_eq(f->fired, ITEMS / 2);
	free(f);
}
END_TEST

START_TEST(deadline_in_the_past_fires_at_once)
{
	struct fixture *f = make();

	poll_at(f, f->now + 3600 * S);
	set(f, 0, f->now - 1800 * S);
	set(f, 1, 0);
	set(f, 2, f->now);
	ck_assert(wheel_next_ns(&f->wheel) <= f->now + LATE);
	poll_at(f, f->now + LATE);
	ck_assert_uint_eq(f->fired, 3);
	free(f);
}
END_TEST

START_TEST(deadline_at_the_end_of_time_does_not_wrap)
{
	struct fixture *f = make();

	for (uint64_t i = 0; i < 5; i++)
		set(f, (uint32_t)i, UINT64_MAX - 1 - i * TICK);
	for (int i = 0; i < 100; i++)
		poll_at(f, f->now + 60 * S);
	ck_assert_uint_eq(f->fired, 0);
	free(f);
}
END_TEST

/* A timer set after a pause, before anything was taken, counts from now. */
START_TEST(timer_set_after_a_pause_is_not_early)
{
	struct fixture *f = make();

	f->now += 1000 * S; /* the wheel was idle and nobody called it */
	set(f, 0, f->now + 10 * S);
	poll_at(f, f->now + 5 * S);
	ck_assert_uint_eq(f->fired, 0);
	poll_at(f, f->now + 5 * S + LATE);
	ck_assert_uint_eq(f->fired, 1);
	free(f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{empty_wheel_is_idle, 0},
		{timer_fires_at_its_time_and_once, 15},
		{calling_when_told_is_often_enough, 0},
		{next_time_lies_ahead_after_everything_was_taken, 0},
		{time_may_jump_by_any_amount, 0},
		{moved_timer_fires_only_at_its_last_deadline, 0},
		{cleared_timer_never_fires, 0},
		{deadline_in_the_past_fires_at_once, 0},
		{deadline_at_the_end_of_time_does_not_wrap, 0},
		{timer_set_after_a_pause_is_not_early, 0},
	};

	return unit_run("wheel", tests, ARRAY_LEN(tests));
}
