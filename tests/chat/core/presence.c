/* SPDX-License-Identifier: MIT */
/* Who is announced when, and against a slow obvious list. */
#include "core/presence.h"

#include "unit.h"

#define ROOM SLICE("ops")
#define A    SLICE("pi1")
#define B    SLICE("pi2")

static struct presence p;
static struct writer w;

static void start(void)
{
	presence_init(&p);
	writer_init(&w, 1024 * 1024);
}

static void end(void)
{
	presence_free(&p);
	writer_free(&w);
}

static void join(const char *nick, struct slice instance, int64_t now)
{
	ck_assert_int_eq(presence_join(&p, slice_of(nick), instance, now), 0);
}

static void part(const char *nick, struct slice instance, int64_t now)
{
	presence_part(&p, slice_of(nick), instance, now);
}

/* expected: what is announced at that time, or NULL. */
static void check(int64_t now, const char *expected)
{
	bool any = presence_batch(&p, ROOM, now, &w);

	ck_assert_msg(any == (expected != NULL), "at %" PRId64 ": %.*s", now,
		      SLICE_ARG(writer_slice(&w)));
	if (any)
		ck_assert_msg(slice_equal(writer_slice(&w), slice_of(expected)),
			      "at %" PRId64 ": %.*s", now,
			      SLICE_ARG(writer_slice(&w)));
	else
		ck_assert_uint_eq(w.len, 0);
	writer_free(&w);
}

#define SAYS(join, part, nick)                                      \
	"{\"t\":\"presence\",\"room\":\"ops\",\"join\":[" join "]," \
	"\"part\":[" part "],\"nick\":[" nick "]}"

START_TEST(joins_are_told_in_batches)
{
	start();
	ck_assert_int_eq(presence_deadline(&p), INT64_MAX);
	join("lan", A, 1000);
	join("Bob", A, 1100);
	ck_assert_int_eq(presence_deadline(&p), 1250);
	check(1249, NULL);
	check(1250, SAYS("\"Bob\",\"lan\"", "", ""));
	ck_assert_int_eq(presence_deadline(&p), INT64_MAX);
	check(99999, NULL);
	ck_assert_uint_eq(p.here, 2);
	end();
}
END_TEST

START_TEST(a_part_is_told_after_ten_quiet_seconds)
{
	start();
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	part("lan", A, 2000);
	ck_assert_uint_eq(p.here, 0);
	ck_assert_int_eq(presence_deadline(&p), 12000);
	check(11999, NULL);
	check(12000, SAYS("", "\"lan\"", ""));
	ck_assert_uint_eq(p.count, 0);
	ck_assert_int_eq(presence_deadline(&p), INT64_MAX);
	end();
}
END_TEST

START_TEST(a_comeback_in_time_is_not_told)
{
	start();
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	part("lan", A, 2000);
	join("LAN", B, 11999);
	ck_assert_uint_eq(p.here, 1);
	check(12000, NULL);
	check(99999, NULL);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_str_eq(p.people[0]->instance, "pi2");
	end();
}
END_TEST

START_TEST(a_take_over_is_not_undone_by_the_old_connections_end)
{
	start();
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	join("lan", B, 2000); /* the new connection comes first */
	part("lan", A, 2001);
	ck_assert_uint_eq(p.here, 1);
	check(99999, NULL);
	join("lan", B, 3000); /* and at the same instance */
	part("lan", B, 3001);
	ck_assert_uint_eq(p.here, 1);
	part("lan", B, 3002);
	ck_assert_uint_eq(p.here, 0);
	part("lan", B, 3003); /* once too often */
	check(13002, SAYS("", "\"lan\"", ""));
	end();
}
END_TEST

START_TEST(a_dead_instance_takes_its_people_along)
{
	start();
	join("lan", A, 1000);
	join("bob", B, 1000);
	join("eve", B, 1000);
	check(1250, SAYS("\"bob\",\"eve\",\"lan\"", "", ""));
	presence_instance_gone(&p, B, 5000);
	ck_assert_uint_eq(p.here, 1);
	join("eve", A, 9000);
	check(15000, SAYS("", "\"bob\"", ""));
	ck_assert_uint_eq(p.count, 2);
	end();
}
END_TEST

START_TEST(a_new_name_is_told_as_such)
{
	start();
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	ck_assert_int_eq(
		presence_rename(&p, SLICE("lan"), SLICE("linh"), A, 2000), 0);
	check(2250, SAYS("", "", "{\"from\":\"lan\",\"to\":\"linh\"}"));
	/* One that was not told yet just joins. */
	join("bob", A, 3000);
	presence_rename(&p, SLICE("bob"), SLICE("rob"), A, 3001);
	presence_rename(&p, SLICE("nobody"), SLICE("eve"), A, 3002);
	check(3250, SAYS("\"eve\",\"rob\"", "", ""));
	ck_assert_uint_eq(p.here, 3);
	end();
}
END_TEST

START_TEST(one_of_two_connections_may_get_a_new_name)
{
	start();
	join("lan", A, 1000);
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	ck_assert_int_eq(
		presence_rename(&p, SLICE("lan"), SLICE("linh"), A, 2000), 0);
	ck_assert_uint_eq(p.here, 2);
	check(2250, SAYS("\"linh\"", "", ""));
	part("lan", A, 3000);
	ck_assert_uint_eq(p.here, 1);
	check(13000, SAYS("", "\"lan\"", ""));
	end();
}
END_TEST

START_TEST(who_was_taken_over_takes_no_name_along)
{
	start();
	join("lan", A, 1000);
	check(1250, SAYS("\"lan\"", "", ""));
	join("lan", B, 2000);
	/* The old connection does not know it yet. */
	ck_assert_int_eq(
		presence_rename(&p, SLICE("lan"), SLICE("linh"), A, 2001), 0);
	ck_assert_uint_eq(p.here, 2);
	check(2251, SAYS("\"linh\"", "", ""));
	end();
}
END_TEST

START_TEST(a_guest_of_a_moment_comes_and_goes_in_order)
{
	start();
	join("lan", A, 1000);
	part("lan", A, 1001);
	check(1250, SAYS("\"lan\"", "", ""));
	check(11001, SAYS("", "\"lan\"", ""));
	end();
}
END_TEST

/*
 * Random events of a few people: joins and parts that are told alternate for
 * each, and when all is quiet, who was told to be here is here.
 */
START_TEST(what_is_told_adds_up)
{
	static const char *const nicks[] = {"an", "bo", "cy", "di", "ed"};
	struct random r = unit_random(__func__);
	bool told[ARRAY_LEN(nicks)] = {false};
	int open[ARRAY_LEN(nicks)] = {0};
	int64_t now = 1;

	start();
	for (int step = 0; step < 20000; step++) {
		unsigned who = random_below(&r, ARRAY_LEN(nicks));

		now += random_below(&r, random_below(&r, 8) ? 300 : 11000);
		if (random_below(&r, 2)) {
			join(nicks[who], A, now);
			open[who]++;
		} else if (open[who] > 0) {
			part(nicks[who], A, now);
			open[who]--;
		}
		if (step == 19999)
			now += PRESENCE_QUIET_MS + PRESENCE_BATCH_MS;
		if (presence_batch(&p, ROOM, now, &w)) {
			char *text = strndup(w.bytes, w.len);
			char *parts = strstr(text, "\"part\"");

			for (size_t i = 0; i < ARRAY_LEN(nicks); i++) {
				char *seen = strstr(text, nicks[i]);

				if (!seen)
					continue;
				unit_check(told[i] == (seen > parts),
					   "step %d: %s", step, text);
				told[i] = seen < parts;
			}
			free(text);
			writer_free(&w);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(nicks); i++)
		ck_assert(told[i] == (open[i] > 0));
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{joins_are_told_in_batches, 1},
		{a_part_is_told_after_ten_quiet_seconds, 1},
		{a_comeback_in_time_is_not_told, 1},
		{a_take_over_is_not_undone_by_the_old_connections_end, 1},
		{a_dead_instance_takes_its_people_along, 1},
		{a_new_name_is_told_as_such, 1},
		{one_of_two_connections_may_get_a_new_name, 1},
		{who_was_taken_over_takes_no_name_along, 1},
		{a_guest_of_a_moment_comes_and_goes_in_order, 1},
		{what_is_told_adds_up, 1},
	};

	return unit_run("presence", tests, ARRAY_LEN(tests));
}
