/* SPDX-License-Identifier: MIT */
/*
 * Live entries and pages of the log become one sequence. Each case is a script
 * of what comes, and the story of what is handed out:
 *   7   message 7		=7  message 7 has its id now
 *   7+  a repeat as entry 7	(5,9) a gap
 */
#include "core/merge.h"
#include "core/mid.h"

#include <stdarg.h>

#include "unit.h"

static struct merge m;
static unsigned question;
static char story[4096];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	size_t len = strlen(story);
	va_list args;

	va_start(args, format);
	vsnprintf(story + len, sizeof(story) - len, format, args);
	va_end(args);
}

/* One message each mid; ids of epoch 1 as their number alone. */
static struct msg *make(struct msgid id, unsigned mid)
{
	char text[32];
	struct msg_fields f = {.id = id,
			       .room = SLICE("ops"),
			       .sender = SLICE("lan"),
			       .text = SLICE("x")};
	struct msg *msg;

	snprintf(text, sizeof(text), "0a1b2c.%016u", mid);
	f.mid = slice_of(text);
	ck_assert_int_eq(msg_new(&msg, &f), 0);
	return msg;
}

static void put_id(struct msgid id)
{
	if (id.epoch != 1)
		tell("%" PRIu64 "/", id.epoch);
	tell("%" PRIu64, id.seq);
}

static void pull(void)
{
	struct merge_out out;

	while ((out = merge_next(&m)).what != MERGE_NOTHING) {
		if (out.what == MERGE_GAP) {
			tell("(");
			put_id(out.from);
			tell(",");
			put_id(out.to);
			tell(") ");
			continue;
		}
		if (out.what == MERGE_ID)
			tell("=");
		put_id(out.msg->id);
		tell(out.what == MERGE_REPEAT ? "+ " : " ");
		msg_unref(out.msg);
	}
}

/* Number 7 is 1-7 with a mid of its own; 207 is 2-7. */
static struct msgid id_of(unsigned number)
{
	return (struct msgid){number < 100 ? 1 : number / 100, number % 100};
}

static void live_after(unsigned number, unsigned mid, struct msgid prev)
{
	struct msg *msg = make(id_of(number), mid);

	msg->prev = prev; /* nobody else has it yet */
	ck_assert_int_eq(merge_live(&m, msg), 0);
	msg_unref(msg);
	pull();
}

static void live(unsigned number)
{
	live_after(number, number, MSGID_NONE);
}

static void page(bool complete, const unsigned *numbers)
{
	for (; *numbers; numbers++) {
		struct msg *msg = make(id_of(*numbers), *numbers);

		ck_assert_int_eq(merge_filled(&m, question, msg), 0);
		msg_unref(msg);
		pull();
	}
	merge_fill_end(&m, question, complete);
	pull();
}

#define LIST(...) ((const unsigned[]){__VA_ARGS__, 0})
#define NOTHING	  ((const unsigned[]){0})

/* Asks for a page, as it wanted. */
static void ask(void)
{
	ck_assert(merge_wants_fill(&m));
	question = merge_fill_begin(&m);
	ck_assert(!merge_wants_fill(&m));
}

static void begin(unsigned head)
{
	merge_free(&m);
	story[0] = '\0';
	merge_init(&m, 42);
	if (head)
		merge_start(&m, id_of(head));
}

static void check(const char *expected, enum merge_state state)
{
	ck_assert_str_eq(story, expected);
	ck_assert_int_eq(m.state, state);
	merge_free(&m);
}

START_TEST(live_entries_pass)
{
	begin(5);
	live(6);
	live(7);
	check("6 7 ", MERGE_LIVE);
}
END_TEST

START_TEST(the_first_of_an_empty_log_passes)
{
	begin(0);
	ck_assert(merge_is_fresh(&m));
	ask();
	page(true, NOTHING);
	ck_assert(!merge_is_fresh(&m)); /* all of it is wanted now */
	live(1);
	live(2);
	check("1 2 ", MERGE_LIVE);
}
END_TEST

START_TEST(a_jump_waits_for_the_log)
{
	begin(5);
	live(6);
	live(9);
	live(10);
	ask();
	live(11);
	ck_assert_str_eq(story, "6 ");
	page(true, LIST(7, 8, 9, 10));
	check("6 7 8 9 10 11 ", MERGE_LIVE);
}
END_TEST

START_TEST(a_page_may_have_more_than_was_held_or_less)
{
	begin(5);
	live(8);
	ask();
	page(true, LIST(6, 7, 8, 9, 10));
	live(9); /* late: it was in the page */
	live(11);
	ck_assert_str_eq(story, "6 7 8 9 10 11 ");
	begin(5);
	live(8);
	ask();
	live(9);
	page(false, LIST(6, 7));
	/* 8 follows, but there may be more: one more page. */
	ask();
	page(true, LIST(8, 9));
	check("6 7 8 9 ", MERGE_LIVE);
}
END_TEST

START_TEST(the_missing_one_may_come_by_itself)
{
	begin(5);
	live(7);
	live(6);
	ck_assert_str_eq(story, "6 7 ");
	ask(); /* the question stays asked */
	page(true, NOTHING);
	check("6 7 ", MERGE_LIVE);
}
END_TEST

START_TEST(a_repeat_is_told_to_its_sender_alone)
{
	begin(5);
	live(6);
	live(6);
	live_after(7, 6, MSGID_NONE); /* a retry: the log has it twice */
	live(8);
	check("6 7+ 8 ", MERGE_LIVE);
}
END_TEST

static bool is_repeat(unsigned number, unsigned mid)
{
	struct msg *msg = make(id_of(number), mid);
	const bool is = merge_is_repeat(&m, msg);

	msg_unref(msg);
	return is;
}

START_TEST(an_entry_that_is_read_once_more_is_known_as_a_repeat)
{
	begin(5);
	live(6);
	live_after(7, 6, MSGID_NONE);
	ck_assert(!is_repeat(4, 4)); /* before it began */
	ck_assert(!is_repeat(6, 6));
	ck_assert(is_repeat(7, 6));
	/* What did not come live yet. */
	ck_assert(is_repeat(8, 6));
	ck_assert(!is_repeat(8, 8));
	/* The first of them is forgotten at last. */
	for (unsigned i = 0; i < MERGE_SEEN; i++) {
		struct msg *msg = make((struct msgid){1, 8 + i}, 6);

		ck_assert(is_repeat(7, 6));
		ck_assert_int_eq(merge_live(&m, msg), 0);
		msg_unref(msg);
		pull();
	}
	ck_assert(!is_repeat(7, 6));
	ck_assert(is_repeat(8, 6));
	merge_free(&m);
}
END_TEST

START_TEST(an_interruption_asks_even_when_nothing_seems_missing)
{
	begin(5);
	live(6);
	merge_interrupted(&m);
	live(7);
	ck_assert_str_eq(story, "6 7 ");
	ask();
	live(9);
	page(true, LIST(8));
	check("6 7 8 9 ", MERGE_LIVE);
}
END_TEST

START_TEST(an_interruption_while_a_page_is_on_its_way)
{
	unsigned old;

	begin(5);
	live(7);
	ask();
	merge_interrupted(&m);
	page(true, LIST(6, 7)); /* of before: may not be all */
	ck_assert_str_eq(story, "");
	old = question;
	ask();
	page(false, NOTHING); /* the connection broke */
	live(9);
	ask();
	/* An answer of before comes now: it says nothing of 6 to 8. */
	merge_fill_end(&m, old, true);
	pull();
	page(true, LIST(6, 7, 8, 9));
	check("6 7 8 9 ", MERGE_LIVE);
}
END_TEST

START_TEST(what_the_log_has_lost_is_reported)
{
	/* Trimmed: the page begins later. */
	begin(5);
	live(20);
	ask();
	page(true, LIST(18, 19, 20));
	ck_assert_str_eq(story, "(5,18) 18 19 20 ");
	/* Held, and not in the page asked for afterwards: lost there. */
	begin(5);
	live(9);
	ask();
	page(true, NOTHING);
	check("(5,9) 9 ", MERGE_LIVE);
}
END_TEST

START_TEST(what_came_after_the_question_is_asked_for_again)
{
	begin(5);
	live(7);
	ask();
	live(10);
	page(true, LIST(6, 7));
	ck_assert_str_eq(story, "6 7 ");
	ask();
	page(true, LIST(8, 9, 10));
	check("6 7 8 9 10 ", MERGE_LIVE);
}
END_TEST

START_TEST(what_is_held_fills_what_the_page_lacks)
{
	begin(5);
	live(7);
	ask();
	live(6); /* comes by itself, and 7 with it */
	page(true, LIST(12));
	check("6 7 (7,12) 12 ", MERGE_LIVE);
	/* The log was trimmed beyond what came live and is held. */
	begin(5);
	live(7);
	ask();
	page(true, LIST(9));
	check("(5,7) 7 (7,9) 9 ", MERGE_LIVE);
}
END_TEST

START_TEST(a_fresh_one_begins_with_the_page)
{
	begin(0);
	live(30); /* older than the page: not asked for */
	live(41);
	ask();
	page(true, LIST(38, 39, 40));
	ck_assert_str_eq(story, "38 39 40 41 ");
	live(37); /* before all that it knows */
	live(42);
	check("38 39 40 41 42 ", MERGE_LIVE);
}
END_TEST

START_TEST(a_new_epoch_is_a_gap_unless_its_end_is_known)
{
	begin(5);
	live_after(201, 201, id_of(5));
	ck_assert_str_eq(story, "2/1 ");
	live_after(301, 301, id_of(208));
	ask();
	page(true, LIST(301));
	ck_assert_str_eq(story, "2/1 (2/1,3/1) 3/1 ");
	live_after(401, 401, MSGID_NONE); /* who knows */
	ask();
	page(true, LIST(401));
	check("2/1 (2/1,3/1) 3/1 (3/1,4/1) 4/1 ", MERGE_LIVE);
}
END_TEST

START_TEST(an_id_given_again_to_another_message_loses_it_not)
{
	begin(5);
	for (unsigned i = 6; i < 10; i++)
		live(i);
	live_after(8, 88, MSGID_NONE); /* by a poster that knew up to 7 */
	live_after(5, 55, MSGID_NONE); /* of before our time: unknown */
	live(10);
	check("6 7 8 9 8 10 ", MERGE_LIVE);
}
END_TEST

START_TEST(what_was_told_without_an_id_gets_it)
{
	struct msg *msg = make(MSGID_NONE, 6);

	begin(5);
	ck_assert(!merge_has(&m, msg->mid));
	ck_assert_int_eq(merge_told(&m, msg), 0);
	ck_assert(merge_has(&m, msg->mid));
	live(6);
	ck_assert(merge_has(&m, msg->mid));
	live(7);
	live(6);
	check("=6 7 ", MERGE_LIVE);
	msg_unref(msg);
}
END_TEST

START_TEST(more_than_can_be_held_is_asked_for)
{
	begin(5);
	for (unsigned i = 0; i < MERGE_HELD + 10; i++) {
		const struct msgid id = {1, 7 + i};
		struct msg *msg = make(id, 1000 + i);

		ck_assert_int_eq(merge_live(&m, msg), 0);
		msg_unref(msg);
	}
	ck_assert_uint_eq(m.held_count, MERGE_HELD);
	ask();
	live_after(6, 999, MSGID_NONE);
	page(true, NOTHING);
	ck_assert_int_eq(
		msgid_compare(m.head, (struct msgid){1, 6 + MERGE_HELD}), 0);
	ck_assert_int_eq(m.state, MERGE_LIVE);
	merge_free(&m);
}
END_TEST

/* The first mid is known until MERGE_SEEN others came. */
START_TEST(the_window_of_repeats_is_1024)
{
	struct msg *first = make(id_of(6), 6);

	begin(5);
	live(6);
	for (unsigned i = 1; i <= MERGE_SEEN; i++) {
		const struct msgid id = {1, 6 + i};
		struct msg *msg = make(id, 1000 + i);

		ck_assert(merge_has(&m, first->mid));
		merge_live(&m, msg);
		msg_unref(msg);
	}
	pull();
	ck_assert(!merge_has(&m, first->mid));
	ck_assert_uint_eq(m.seen.capacity, MERGE_SEEN);
	/* Its entry itself comes once more: too old to be told from new. */
	story[0] = '\0';
	live(6);
	ck_assert_str_eq(story, "");
	msg_unref(first);
	merge_free(&m);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{live_entries_pass, 1},
		{the_first_of_an_empty_log_passes, 1},
		{a_jump_waits_for_the_log, 1},
		{a_page_may_have_more_than_was_held_or_less, 1},
		{the_missing_one_may_come_by_itself, 1},
		{a_repeat_is_told_to_its_sender_alone, 1},
		{an_entry_that_is_read_once_more_is_known_as_a_repeat, 1},
		{an_interruption_asks_even_when_nothing_seems_missing, 1},
		{an_interruption_while_a_page_is_on_its_way, 1},
		{what_the_log_has_lost_is_reported, 1},
		{what_came_after_the_question_is_asked_for_again, 1},
		{what_is_held_fills_what_the_page_lacks, 1},
		{a_fresh_one_begins_with_the_page, 1},
		{a_new_epoch_is_a_gap_unless_its_end_is_known, 1},
		{an_id_given_again_to_another_message_loses_it_not, 1},
		{what_was_told_without_an_id_gets_it, 1},
		{more_than_can_be_held_is_asked_for, 1},
		{the_window_of_repeats_is_1024, 1},
	};

	return unit_run("merge", tests, ARRAY_LEN(tests));
}
