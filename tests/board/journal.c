/* SPDX-License-Identifier: MIT */
/* journal.c - records in order, and those that a slow reader lost, counted */
#include "board/journal.h"
#include "reader.h"

#define RECORDS JOURNAL_RECORDS_MIN

static struct journal *make(struct journal_reader **reader)
{
	const void *at;
	struct journal *j;
	size_t bytes;
	struct err err;

	ck_assert_int_eq(journal_open(&j, RECORDS, &err), 0);
	at = map_whole(journal_fd(j), 0, &bytes);
	ck_assert_int_eq(journal_reader_open(at, bytes, reader, &err), 0);
	return j;
}

/* Record @n of a test; every third one is an end. All of it follows from @n. */
static struct journal_record record_of(uint64_t n)
{
	struct journal_record r = {
		.time_ns = n * 7,
		.id = n,
		.index = (uint32_t)n,
		.kind = n % 3 ? JOURNAL_OPENED : JOURNAL_ENDED,
		.reason = (uint8_t)n,
		.flow = {.bytes = {n + 1, ~n}, .state = (uint8_t)(n * 5)},
	};

	memset(&r.flow.client, (int)(n & 0xff), sizeof(r.flow.client));
	memset(&r.flow.backend, (int)(n >> 8 & 0xff), sizeof(r.flow.backend));
	return r;
}

static uint64_t ends_up_to(uint64_t n)
{
	return n / 3;
}

static void write_many(struct journal *j, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++) {
		struct journal_record r = record_of(n);

		journal_write(j, &r);
		unit_check(r.seq == n, "numbered from 1 on");
	}
}

/* NULL, or what is wrong with it. */
static const char *wrong_with(const struct journal_record *got, uint64_t n)
{
	struct journal_record wanted = record_of(n);

	wanted.seq = n;
	wanted.ends = ends_up_to(n - 1);
	if (got->seq != n)
		return "another one";
	return memcmp(got, &wanted, sizeof(wanted)) == 0 ? NULL : "torn";
}

START_TEST(records_come_in_the_order_in_which_they_were_written)
{
	struct journal_reader *r;
	struct journal *j = make(&r);
	struct journal_cursor c = journal_seek(r, 0);
	struct journal_record got;
	uint64_t lost, n = 0;

	ck_assert_uint_eq(c.next, 1);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_NONE);
	/* Several times around, read in steps that do not fit the ring. */
	while (n < 5 * RECORDS) {
		write_many(j, n + 1, n + 700);
		for (unsigned i = 0; i < 700; i++) {
			ck_assert_int_eq(journal_next(r, &c, &got, &lost),
					 JOURNAL_RECORD);
			ck_assert_ptr_null(wrong_with(&got, ++n));
		}
		ck_assert_int_eq(journal_next(r, &c, &got, &lost),
				 JOURNAL_NONE);
		ck_assert_uint_eq(journal_reader_written(r), n);
		ck_assert_uint_eq(journal_written(j), n);
	}
	ck_assert_uint_eq(c.lost, 0);
	ck_assert_uint_eq(c.lost_ends, 0);
	ck_assert_uint_eq(c.ends, ends_up_to(n));
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

START_TEST(a_full_ring_is_read_from_its_oldest_record)
{
	struct journal_reader *r;
	struct journal *j = make(&r);
	struct journal_cursor c = journal_seek(r, 1);
	struct journal_record got;
	uint64_t lost;

	write_many(j, 1, RECORDS);
	for (uint64_t n = 1; n <= RECORDS; n++) {
		ck_assert_int_eq(journal_next(r, &c, &got, &lost),
				 JOURNAL_RECORD);
		ck_assert_ptr_null(wrong_with(&got, n));
	}
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

START_TEST(a_reader_that_was_lapped_knows_how_many_it_lost)
{
	struct journal_reader *r;
	struct journal *j = make(&r);
	struct journal_cursor c = journal_seek(r, 0);
	struct journal_record got;
	uint64_t lost = 0, read = 1;
	const uint64_t last = 1 + RECORDS + (uint64_t)_i * 333;

	write_many(j, 1, 1);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_RECORD);
	write_many(j, 2, last);
	if (last - 1 > RECORDS) {
		ck_assert_int_eq(journal_next(r, &c, &got, &lost),
				 JOURNAL_LOST);
		ck_assert_uint_eq(lost, c.lost);
		ck_assert_uint_gt(lost, 0);
	}
	while (journal_next(r, &c, &got, &lost) == JOURNAL_RECORD) {
		ck_assert_ptr_null(wrong_with(&got, got.seq));
		read++;
	}
	ck_assert_uint_eq(got.seq, last);
	ck_assert_uint_eq(read + c.lost, last);
	/* It reads most of what is there. */
	ck_assert_uint_ge(read, RECORDS - RECORDS / 8);
	ck_assert_uint_eq(c.ends, ends_up_to(last));
	for (uint64_t n = 2; n < 2 + c.lost; n++)
		c.lost_ends -= n % 3 == 0;
	ck_assert_uint_eq(c.lost_ends, 0);
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

START_TEST(a_cursor_can_be_put_anywhere)
{
	struct journal_reader *r;
	struct journal *j = make(&r);
	struct journal_cursor c = journal_seek(r, UINT64_MAX);
	struct journal_record got;
	uint64_t lost;

	ck_assert_uint_eq(c.next, 1);
	write_many(j, 1, 3000);
	/* One that is there. */
	c = journal_seek(r, 2500);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_RECORD);
	ck_assert_ptr_null(wrong_with(&got, 2500));
	ck_assert_uint_eq(c.lost_ends, 0);
	/* One that is lost. */
	c = journal_seek(r, 10);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_LOST);
	ck_assert_uint_eq(c.next, 10 + lost);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_RECORD);
	ck_assert_ptr_null(wrong_with(&got, 10 + c.lost));
	/* The oldest: nothing is lost. */
	c = journal_seek(r, 0);
	ck_assert_uint_eq(c.next, journal_reader_oldest(r));
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_RECORD);
	ck_assert_uint_eq(c.lost, 0);
	/* Those to come: it does not wait for a number of long ago. */
	c = journal_seek(r, 3001);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_NONE);
	c = journal_seek(r, 1u << 31);
	ck_assert_uint_eq(c.next, 3001);
	write_many(j, 3001, 3001);
	ck_assert_int_eq(journal_next(r, &c, &got, &lost), JOURNAL_RECORD);
	ck_assert_ptr_null(wrong_with(&got, 3001));
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

START_TEST(what_has_a_name_has_one_of_its_own)
{
	ck_assert_str_eq(journal_kind_name(JOURNAL_OPENED), "opened");
	ck_assert_str_eq(journal_kind_name(JOURNAL_OPERATOR), "operator");
	ck_assert_ptr_null(journal_kind_name(0));
	ck_assert_ptr_null(journal_kind_name(JOURNAL_KINDS));
	ck_assert_str_eq(journal_operator_name(OPERATOR_STARTED), "started");
	ck_assert_str_eq(journal_operator_name(OPERATOR_STOPS), "stops");
	ck_assert_ptr_null(journal_operator_name(OPERATOR_EVENTS));
	for (unsigned a = 1; a < JOURNAL_KINDS; a++)
		for (unsigned b = 1; b < a; b++)
			ck_assert_str_ne(journal_kind_name(a),
					 journal_kind_name(b));
}
END_TEST

/* ------------------------------------------------------- two processes at once
 */

#define MANY 400000u

/* @slow: it sleeps now and then, and is lapped. */
static void read_records(struct common *c, const struct journal_reader *r,
			 bool slow)
{
	struct journal_cursor cursor = journal_seek(r, 1);
	uint64_t lost = 0;
	bool last;

	do {
		struct journal_record got;
		enum journal_got what;

		last = is_over(c);
		while ((what = journal_next(r, &cursor, &got, &lost)) !=
		       JOURNAL_NONE) {
			if (what == JOURNAL_LOST)
				continue;
			if (got.seq != cursor.next - 1)
				is_wrong(c, "not the one that was asked for");
			if (wrong_with(&got, got.seq))
				is_wrong(c, "record %llu is torn",
					 (unsigned long long)got.seq);
			c->seen++;
			if (slow && c->seen % 2000 == 0)
				usleep(500);
		}
		has_read(c);
	} while (!last);
	c->lost = cursor.lost;
	c->lost_ends = cursor.lost_ends;
	if (cursor.next != MANY + 1)
		is_wrong(c, "it ends at %llu", (unsigned long long)cursor.next);
	if (cursor.ends != ends_up_to(MANY))
		is_wrong(c, "%llu ends", (unsigned long long)cursor.ends);
}

/* _i 0: the writer waits at times, so that nothing is lost; 1: it does not. */
START_TEST(a_reader_gets_whole_records_and_counts_the_others)
{
	struct common *c = common_new();
	struct journal_reader *r;
	struct journal *j = make(&r);
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		read_records(c, r, _i == 1);
		_exit(0);
	}
	wait_reads(c, 1);
	for (uint64_t n = 1; n <= MANY; n += 500) {
		write_many(j, n, n + 499);
		if (_i == 0)
			wait_reads(c, 2);
	}
	ck_assert_uint_eq(journal_written(j), MANY);
	end_reader(c, pid);
	ck_assert_uint_eq(c->seen + c->lost, MANY);
	if (_i == 0)
		ck_assert_uint_eq(c->lost, 0);
	else
		ck_assert_uint_gt(c->lost_ends, 0);
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

/* Only the record that is being overwritten, again and again. */
static void chase(struct common *c, const struct journal_reader *r)
{
	while (!is_over(c)) {
		const uint64_t written = journal_reader_written(r);
		struct journal_cursor cursor;
		struct journal_record got;
		uint64_t lost;

		if (written < RECORDS)
			continue;
		cursor = journal_seek(r, written + 1 - RECORDS);
		switch (journal_next(r, &cursor, &got, &lost)) {
		case JOURNAL_RECORD:
			if (wrong_with(&got, got.seq))
				is_wrong(c, "record %llu is torn",
					 (unsigned long long)got.seq);
			c->seen++;
			break;
		case JOURNAL_LOST: c->lost++; break;
		case JOURNAL_NONE: is_wrong(c, "it is not there yet");
		}
		has_read(c);
	}
}

START_TEST(a_record_that_is_being_overwritten_is_lost)
{
	struct common *c = common_new();
	struct journal_reader *r;
	struct journal *j = make(&r);
	uint64_t n = 1;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		chase(c, r);
		_exit(0);
	}
	/* Both have happened often, at the same time. */
	while (!c->wrong[0] &&
	       (__atomic_load_n(&c->seen, __ATOMIC_RELAXED) < 1000 ||
		__atomic_load_n(&c->lost, __ATOMIC_RELAXED) < 1000 ||
		n < 5 * MANY)) {
		write_many(j, n, n + 99);
		n += 100;
	}
	end_reader(c, pid);
	journal_reader_close(r);
	journal_close(j);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{records_come_in_the_order_in_which_they_were_written, 0},
		{a_full_ring_is_read_from_its_oldest_record, 0},
		{a_reader_that_was_lapped_knows_how_many_it_lost, 8},
		{a_cursor_can_be_put_anywhere, 0},
		{what_has_a_name_has_one_of_its_own, 0},
		{a_reader_gets_whole_records_and_counts_the_others, 2},
		{a_record_that_is_being_overwritten_is_lost, 0},
	};

	return unit_run("board/journal", tests, ARRAY_LEN(tests));
}
