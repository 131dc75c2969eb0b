/* SPDX-License-Identifier: MIT */
/* Members as cursors: live, lagging, resumed; the ring and its limits. */
#include "core/room.h"

#include "unit.h"

static struct room_budget budget;
static struct room r;

static void start(uint64_t head)
{
	budget = (struct room_budget){0, ROOM_RING_BYTES};
	room_init(&r, SLICE("ops"), (struct msgid){head ? 1 : 0, head},
		  &budget);
}

static void end(void)
{
	while (r.members)
		room_leave(r.members);
	ck_assert_uint_eq(r.here, 0);
	room_clear(&r);
	ck_assert_uint_eq(budget.used, 0);
}

/* seq 0: without an id. */
static struct msg *make(uint64_t seq, const char *mid)
{
	struct msg_fields f = {.id = {seq ? 1 : 0, seq},
			       .mid = slice_of(mid),
			       .room = SLICE("ops"),
			       .sender = SLICE("lan"),
			       .text = SLICE("x")};
	struct msg *m;

	ck_assert_int_eq(msg_new(&m, &f), 0);
	return m;
}

/* Pushed, and taken by all that are live. */
static void push(uint64_t seq, const char *mid)
{
	struct msg *m = make(seq, mid);

	room_push(&r, m);
	for (struct member *to = room_each_live(&r, NULL); to;
	     to = room_each_live(&r, to))
		room_took(to, m);
	msg_unref(m);
}

static void push_ids(uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		push(first, "m");
}

/* All that a member can read now: "6 7 head", "6 archive"; - has no id. */
static const char *read_all(struct member *m)
{
	static char story[2048];
	size_t len = 0;
	struct msg *out;
	enum room_read what;

	while ((what = room_read(m, &out)) == ROOM_READ_MESSAGE) {
		len += (size_t)sprintf(story + len,
				       out->id.seq ? "%" PRIu64 " " : "- ",
				       out->id.seq);
		room_took(m, out);
	}
	sprintf(story + len, what == ROOM_READ_HEAD ? "head" : "archive");
	return story;
}

START_TEST(members_at_the_head_get_it_live)
{
	struct member a = {0}, b = {0};

	start(5);
	room_join(&r, &a, &a);
	room_join(&r, &b, &b);
	push(6, "m");
	ck_assert_uint_eq(a.cursor.seq, 6);
	ck_assert_uint_eq(b.cursor.seq, 6);
	ck_assert_uint_eq(r.here, 2);
	ck_assert_str_eq(read_all(&a), "head");
	room_leave(&a);
	room_leave(&a); /* nothing the second time */
	push(7, "m");
	ck_assert_uint_eq(b.cursor.seq, 7);
	end();
}
END_TEST

START_TEST(a_lagging_member_reads_on_from_its_cursor)
{
	struct member a = {0}, b = {0};
	struct msg *m = make(7, "m");

	start(5);
	room_join(&r, &a, NULL);
	room_join(&r, &b, NULL);
	push(6, "m");
	room_push(&r, m);
	room_lag(&a); /* its socket was full */
	room_took(&b, m);
	msg_unref(m);
	ck_assert_ptr_eq(room_each_live(&r, NULL), &b);
	push_ids(8, 9);
	ck_assert_str_eq(read_all(&a), "7 8 9 head");
	ck_assert(!a.lagging);
	push(10, "m");
	ck_assert_uint_eq(a.cursor.seq, 10);
	end();
}
END_TEST

START_TEST(one_that_lags_for_long_needs_the_archive)
{
	struct member a = {0};
	struct msgid from, to;
	struct msg *item;

	start(5);
	room_join(&r, &a, NULL);
	push(6, "m");
	room_lag(&a);
	push_ids(7, 6 + ROOM_RING + 4); /* 7 to 10 fall out */
	ck_assert_str_eq(read_all(&a), "archive");
	for (uint64_t seq = 7; seq <= 9; seq++) {
		item = make(seq, "m");
		room_took(&a, item);
		msg_unref(item);
	}
	ck_assert_str_eq(read_all(&a), "archive");
	item = make(10, "m");
	room_took(&a, item);
	msg_unref(item);
	ck_assert_int_eq(room_read(&a, &item), ROOM_READ_MESSAGE);
	ck_assert_uint_eq(item->id.seq, 11);
	ck_assert(!room_archive_ended(&a, &from, &to));
	read_all(&a);
	ck_assert_uint_eq(a.cursor.seq, r.head.seq);
	end();
}
END_TEST

START_TEST(what_the_archive_lacks_is_a_gap)
{
	struct member a = {0};
	struct msgid from, to;
	struct msg *out;

	start(5);
	room_join(&r, &a, NULL);
	room_lag(&a);
	push_ids(6, 6 + ROOM_RING);
	ck_assert_int_eq(room_read(&a, &out), ROOM_READ_ARCHIVE);
	ck_assert(room_archive_ended(&a, &from, &to));
	ck_assert_uint_eq(from.seq, 5);
	ck_assert_uint_eq(to.seq, 6);
	ck_assert_int_eq(room_read(&a, &out), ROOM_READ_MESSAGE);
	ck_assert_uint_eq(out->id.seq, 7);
	end();
}
END_TEST

START_TEST(a_resume_begins_behind_what_the_client_has)
{
	struct member a = {0}, b = {0}, c = {0}, d = {0};

	start(5);
	push_ids(6, 9);
	room_resume(&r, &a, NULL, (struct msgid){1, 7});
	ck_assert_str_eq(read_all(&a), "8 9 head");
	room_resume(&r, &b, NULL, (struct msgid){1, 5});
	ck_assert_str_eq(read_all(&b), "6 7 8 9 head");
	room_resume(&r, &c, NULL, (struct msgid){1, 4});
	ck_assert_str_eq(read_all(&c), "archive");
	room_resume(&r, &d, NULL, (struct msgid){9, 1}); /* of the future */
	ck_assert_str_eq(read_all(&d), "head");
	end();
}
END_TEST

START_TEST(from_the_oldest_on_is_no_gap)
{
	struct member a = {0};
	struct msgid from, to;

	start(5);
	push_ids(6, 7);
	room_resume(&r, &a, NULL, MSGID_NONE);
	ck_assert_str_eq(read_all(&a), "archive");
	ck_assert(!room_archive_ended(&a, &from, &to));
	ck_assert_str_eq(read_all(&a), "6 7 head");
	end();
	start(0); /* a log that has begun here */
	a = (struct member){0};
	push_ids(1, 2);
	room_resume(&r, &a, NULL, MSGID_NONE);
	ck_assert_str_eq(read_all(&a), "1 2 head");
	end();
}
END_TEST

START_TEST(history_on_join_is_a_cursor_some_messages_back)
{
	struct member a = {0}, b = {0}, c = {0};

	start(5);
	room_join_at(&r, &a, NULL, 10);
	ck_assert(!a.lagging);
	push_ids(6, 9);
	ck_assert_uint_eq(a.cursor.seq, 9);
	room_join_at(&r, &b, NULL, 3);
	ck_assert_uint_eq(b.cursor.seq, 6);
	ck_assert_str_eq(read_all(&b), "7 8 9 head");
	room_join_at(&r, &c, NULL, 10);
	ck_assert_str_eq(read_all(&c), "6 7 8 9 head");
	end();
}
END_TEST

/* a is live, b lags, c resumes, d joins late: who was told of "told"? */
START_TEST(one_that_was_told_comes_again_with_its_id)
{
	struct member a = {0}, b = {0}, c = {0}, d = {0};
	struct msg *told = make(0, "told"), *named = make(7, "told");
	struct msg *recent[8];
	bool complete;

	start(5);
	room_join(&r, &a, NULL);
	room_join(&r, &b, NULL);
	push(0, "told");
	room_lag(&b);
	room_join(&r, &d, NULL);
	push(6, "m");
	ck_assert(room_has(&a, named));
	ck_assert(room_has(&b, named));
	ck_assert(!room_has(&d, named));
	push(7, "told");
	ck_assert_uint_eq(r.head.seq, 7);
	ck_assert_uint_eq(a.cursor.seq, 7);
	room_resume(&r, &c, NULL, (struct msgid){1, 5});
	ck_assert(!room_has(&c, named));
	ck_assert_str_eq(read_all(&c), "- 6 7 head");
	ck_assert(room_has(&c, named));
	ck_assert_str_eq(read_all(&b), "6 7 head");
	/* History shows it once. */
	ck_assert_uint_eq(room_history(&r, MSGID_NONE, recent, 8, &complete),
			  2);
	ck_assert_uint_eq(recent[0]->id.seq, 6);
	ck_assert_uint_eq(recent[1]->id.seq, 7);
	/* All are at the head and it has left the ring: forgotten. */
	push_ids(8, 8 + ROOM_RING);
	ck_assert_uint_eq(r.told_count, 0);
	msg_unref(told);
	msg_unref(named);
	end();
}
END_TEST

START_TEST(a_line_client_fed_by_the_archive_is_not_told_twice)
{
	struct member a = {0};
	struct msg *named = make(7, "told"), *other = make(6, "m");

	start(5);
	room_join(&r, &a, NULL);
	push(0, "told");
	room_lag(&a);
	push(6, "m");
	push(7, "told");
	push_ids(8, 8 + ROOM_RING);
	ck_assert_str_eq(read_all(&a), "archive");
	ck_assert(!room_has(&a, other));
	ck_assert(room_has(&a, named));
	room_took(&a, other);
	room_took(&a, named);
	for (uint64_t seq = 8; seq <= 8; seq++) {
		struct msg *item = make(seq, "m");

		ck_assert(!room_has(&a, item));
		room_took(&a, item);
		msg_unref(item);
	}
	read_all(&a);
	ck_assert(!a.lagging);
	ck_assert(room_has(&a, named)); /* of before it was fed */
	msg_unref(named);
	msg_unref(other);
	end();
}
END_TEST

START_TEST(a_repeat_is_for_clients_that_know_it_by_mid)
{
	struct member a = {0}, b = {0};
	struct msg *repeat = make(7, "m"), *out[8];
	bool complete;

	start(5);
	room_join(&r, &a, NULL);
	room_join(&r, &b, NULL);
	push(6, "m");
	room_lag(&b);
	room_push_repeat(&r, repeat);
	ck_assert(room_has(&a, repeat));
	room_took(&a, repeat);
	ck_assert_uint_eq(a.cursor.seq, 7);
	ck_assert_int_eq(room_read(&b, out), ROOM_READ_MESSAGE);
	ck_assert_ptr_eq(out[0], repeat);
	ck_assert(room_has(&b, repeat));
	room_took(&b, repeat);
	push(8, "n");
	ck_assert_uint_eq(room_history(&r, MSGID_NONE, out, 8, &complete), 2);
	ck_assert_uint_eq(out[1]->id.seq, 8);
	msg_unref(repeat);
	end();
}
END_TEST

/* Resumed behind a message without an id: its id will bring it. */
START_TEST(a_message_without_id_is_passed_by_or_read_but_never_lost)
{
	struct member a = {0}, b = {0};

	start(5);
	push(0, "told");
	push(6, "m");
	room_resume(&r, &a, NULL, (struct msgid){1, 6});
	ck_assert_str_eq(read_all(&a), "head");
	push(7, "told");
	ck_assert_uint_eq(a.cursor.seq, 7);
	room_resume(&r, &b, NULL, (struct msgid){1, 5});
	ck_assert_str_eq(read_all(&b), "- 6 7 head");
	end();
}
END_TEST

/* An id that was given again (merge.h): 7 8 9 8' 10. */
START_TEST(ids_that_do_not_rise_hide_nothing)
{
	struct member a = {0}, b = {0}, line = {0};
	struct msg *late = make(8, "late"), *next = make(10, "m");

	start(6);
	room_join(&r, &line, NULL);
	push_ids(7, 9);
	/* A line client gets what is in order alone. */
	ck_assert(room_has(&line, late));
	push(8, "late");
	ck_assert(!room_has(&line, next));
	push(10, "m");
	room_resume(&r, &a, NULL, (struct msgid){1, 9});
	ck_assert_str_eq(read_all(&a), "10 head");
	ck_assert_uint_eq(r.head.seq, 10);
	room_resume(&r, &b, NULL, (struct msgid){1, 8});
	ck_assert_str_eq(read_all(&b), "9 8 10 head");
	msg_unref(late);
	msg_unref(next);
	end();
}
END_TEST

START_TEST(all_rings_share_a_budget)
{
	struct room other;
	struct msg *m = make(6, "m");

	start(5);
	budget.max = 10 * msg_bytes(m);
	room_init(&other, SLICE("dev"), (struct msgid){1, 5}, &budget);
	push_ids(6, 13);
	ck_assert_uint_eq(budget.used, 8 * msg_bytes(m));
	for (int i = 0; i < 5; i++)
		room_push(&other, m);
	ck_assert_uint_le(budget.used, budget.max);
	push_ids(14, 30);
	/* The newest stays, whatever the others take. */
	ck_assert_uint_ge(r.end - r.first, 1);
	ck_assert_uint_le(budget.used, budget.max);
	msg_unref(m);
	room_clear(&other);
	end();
}
END_TEST

/* The log lacks 8 to 11: everybody who gets from 7 to 12 is told. */
START_TEST(a_gap_of_the_log_is_seen_by_everybody)
{
	struct member a = {0}, b = {0}, c = {0};
	struct msg *m = make(12, "m"), *out;

	start(5);
	room_join(&r, &a, NULL);
	room_join(&r, &b, NULL);
	push_ids(6, 7);
	room_lag(&b);
	ck_assert(room_skips(&a, m));
	ck_assert(room_skips(&b, m));
	push(12, "m");
	ck_assert(!room_skips(&a, m));
	ck_assert_int_eq(room_read(&b, &out), ROOM_READ_MESSAGE);
	ck_assert(room_skips(&b, out));
	room_resume(&r, &c, NULL, (struct msgid){1, 6});
	ck_assert_int_eq(room_read(&c, &out), ROOM_READ_MESSAGE);
	ck_assert(!room_skips(&c, out));
	room_took(&c, out);
	ck_assert_int_eq(room_read(&c, &out), ROOM_READ_MESSAGE);
	ck_assert(room_skips(&c, out));
	room_took(&c, out);
	ck_assert(!room_skips(&c, out));
	msg_unref(m);
	end();
}
END_TEST

START_TEST(a_gap_of_the_log_is_seen_by_those_who_come_later)
{
	struct member a = {0}, b = {0}, c = {0};
	struct msg *item = make(5, "m"), *next = make(12, "m");
	struct msgid from, to;

	start(5);
	room_join(&r, &a, NULL);
	room_join(&r, &b, NULL);
	push(6, "m");
	room_lag(&b);
	push(7, "m");
	room_gap(&r, (struct msgid){1, 12});
	ck_assert_uint_eq(a.cursor.seq, 11); /* was told */
	push_ids(12, 13);
	ck_assert_uint_eq(a.cursor.seq, 13);
	/* 7 is the archive's, where it was before the gap. */
	ck_assert_str_eq(read_all(&b), "archive");
	ck_assert(room_archive_ended(&b, &from, &to));
	ck_assert_uint_eq(from.seq, 6);
	ck_assert_uint_eq(to.seq, 11);
	ck_assert_str_eq(read_all(&b), "12 13 head");
	room_resume(&r, &c, NULL, (struct msgid){1, 4});
	ck_assert_str_eq(read_all(&c), "archive");
	ck_assert(!room_skips(&c, item));
	room_took(&c, item);
	ck_assert(room_skips(&c, next)); /* the archive lacks 6 to 11, too */
	room_took(&c, next);
	ck_assert_str_eq(read_all(&c), "13 head");
	msg_unref(item);
	msg_unref(next);
	end();
}
END_TEST

static const struct {
	uint64_t before;
	unsigned count;
	const char *items;
	bool complete;
} histories[] = {
	{0, 3, "8 9 10", true}, {0, 9, "6 7 8 9 10", false},
	{9, 2, "7 8", true},	{8, 2, "6 7", true},
	{8, 3, "6 7", false},	{6, 5, "", false},
	{3, 5, "", false},	{99, 1, "10", true},
};

START_TEST(history_comes_from_the_ring_if_it_can)
{
	struct msg *out[16];
	char story[128] = "";
	bool complete;
	unsigned found;
	const struct msgid before = {histories[_i].before ? 1 : 0,
				     histories[_i].before};

	start(5);
	push_ids(6, 10);
	found = room_history(&r, before, out, histories[_i].count, &complete);
	for (unsigned i = 0; i < found; i++)
		sprintf(story + strlen(story), "%s%" PRIu64, i ? " " : "",
			out[i]->id.seq);
	ck_assert_str_eq(story, histories[_i].items);
	ck_assert(complete == histories[_i].complete);
	end();
}
END_TEST

/*
 * Members join, lag, drain, fall behind the ring and are fed from an archive
 * that has all: each gets each message from its cursor on, once, in order.
 */
START_TEST(no_member_misses_or_repeats_a_message)
{
	struct random random = unit_random(__func__);
	struct member members[8] = {0};
	uint64_t got[8] = {0}, head = 0;

	start(0);
	budget.max = 40 * 1024;
	for (int step = 0; step < 200000; step++) {
		unsigned i = random_below(&random, 8);
		struct member *m = &members[i];
		struct msg *out;

		switch (random_below(&random, 8)) {
		case 0:
			if (m->room) {
				room_leave(m);
			} else if (random_below(&random, 2)) {
				room_join(&r, m, &got[i]);
				got[i] = head;
			} else {
				got[i] = random_below(&random,
						      (uint32_t)head + 1);
				room_resume(
					&r, m, &got[i],
					(struct msgid){got[i] ? 1 : 0, got[i]});
			}
			break;
		case 1:
			if (m->room && !m->lagging)
				room_lag(m);
			break;
		case 2:
		case 3:
			if (!m->room || !m->lagging)
				break;
			switch (room_read(m, &out)) {
			case ROOM_READ_HEAD:
				unit_check(got[i] == head, "step %d", step);
				break;
			case ROOM_READ_MESSAGE:
				unit_check(out->id.seq == ++got[i], "step %d",
					   step);
				room_took(m, out);
				break;
			case ROOM_READ_ARCHIVE:
				out = make(++got[i], "m");
				unit_check(got[i] <= head, "step %d", step);
				room_took(m, out);
				msg_unref(out);
				break;
			}
			break;
		default:
			out = make(++head, "m");
			room_push(&r, out);
			for (m = room_each_live(&r, NULL); m;
			     m = room_each_live(&r, m)) {
				uint64_t *its = m->owner;

				unit_check(++*its == head, "step %d", step);
				room_took(m, out);
			}
			msg_unref(out);
			break;
		}
	}
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{members_at_the_head_get_it_live, 1},
		{a_lagging_member_reads_on_from_its_cursor, 1},
		{one_that_lags_for_long_needs_the_archive, 1},
		{what_the_archive_lacks_is_a_gap, 1},
		{a_resume_begins_behind_what_the_client_has, 1},
		{from_the_oldest_on_is_no_gap, 1},
		{history_on_join_is_a_cursor_some_messages_back, 1},
		{one_that_was_told_comes_again_with_its_id, 1},
		{a_line_client_fed_by_the_archive_is_not_told_twice, 1},
		{a_repeat_is_for_clients_that_know_it_by_mid, 1},
		{a_message_without_id_is_passed_by_or_read_but_never_lost, 1},
		{ids_that_do_not_rise_hide_nothing, 1},
		{all_rings_share_a_budget, 1},
		{a_gap_of_the_log_is_seen_by_everybody, 1},
		{a_gap_of_the_log_is_seen_by_those_who_come_later, 1},
		{history_comes_from_the_ring_if_it_can, ARRAY_LEN(histories)},
		{no_member_misses_or_repeats_a_message, 1},
	};

	return unit_run("room", tests, ARRAY_LEN(tests));
}
