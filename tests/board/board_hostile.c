/* SPDX-License-Identifier: MIT */
/*
 * board_hostile.c - boards, journals and tables that are short, of another
 * version, or noise: refused with a sentence, or read without harm
 */
#include <errno.h>

#include "board/board.h"
#include "board/flows_read.h"
#include "board/journal.h"
#include "board/layout.h"
#include "board/ring.h"
#include "board/shared.h"
#include "unit.h"

static const struct board_spec small = {
	.name = "lb1", .services = 2, .backends = 2, .pools = 2, .taps = 1};

/* A copy of a fresh board, in memory with nothing behind it. */
static char *board_copy(size_t *bytes)
{
	const void *at;
	struct board *b;
	struct err err;
	char *copy;

	ck_assert_int_eq(board_open(&b, &small, &err), 0);
	ck_assert_int_eq(shared_map(board_fd(b), "test", 0, &at, bytes, &err),
			 0);
	copy = aligned_alloc(64, latch_stride(*bytes));
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, at, *bytes);
	board_close(b);
	return copy;
}

static void refuses_board(const void *at, size_t bytes, const char *part)
{
	struct board_reader *r = NULL;
	struct err err = {""};

	ck_assert_int_eq(board_reader_open(at, bytes, &r, &err), -EINVAL);
	ck_assert_ptr_null(r);
	ck_assert_msg(strstr(err.text, part), "%s: %s", part, err.text);
}

START_TEST(a_board_of_another_version_or_build_is_refused)
{
	size_t bytes;
	char *at = board_copy(&bytes);
	struct board_head *h = (struct board_head *)at, whole = *h;

	h->version = BOARD_VERSION + 1;
	refuses_board(at, bytes,
		      "the board is of version 2, and this program "
		      "reads version 1");
	*h = whole;
	h->backend_bytes += 8;
	refuses_board(at, bytes, "another build");
	*h = whole;
	h->drop_reasons++;
	refuses_board(at, bytes, "another build");
	*h = whole;
	h->flow_ends--;
	refuses_board(at, bytes, "another build");
	*h = whole;
	h->magic[0] ^= 1;
	refuses_board(at, bytes, "not the board");
	*h = whole;
	h->services = UINT32_MAX;
	refuses_board(at, bytes, "too short");
	*h = whole;
	h->pools = BOARD_POOLS_MAX; /* allowed, but there is no room */
	refuses_board(at, bytes, "too short");
	free(at);
}
END_TEST

START_TEST(a_board_that_was_cut_is_refused)
{
	size_t bytes;
	char *at = board_copy(&bytes);
	struct err err;
	struct board_reader *r;

	for (size_t n = 0; n < bytes; n += n < 512 ? 1 : 97)
		refuses_board(at, n, "too short");
	ck_assert_int_eq(board_reader_open(at, bytes, &r, &err), 0);
	board_reader_close(r);
	free(at);
}
END_TEST

static void read_all(const struct board_reader *r)
{
	struct board_global global;
	struct board_service service;
	struct board_backend backend;
	struct board_tap tap;

	(void)board_read_global(r, &global);
	unit_check(memchr(global.changed, 0, sizeof(global.changed)), "ends");
	unit_check(memchr(global.datapath, 0, sizeof(global.datapath)), "ends");
	for (unsigned i = 0; i < small.services; i++) {
		(void)board_read_service(r, i, &service);
		unit_check(memchr(service.name, 0, sizeof(service.name)),
			   "ends");
		for (unsigned k = 0; k < small.backends; k++) {
			(void)board_read_backend(r, i, k, &backend);
			unit_check(memchr(backend.id, 0, sizeof(backend.id)),
				   "ends");
		}
	}
	(void)board_read_tap(r, 0, &tap);
	unit_check(memchr(tap.interface, 0, sizeof(tap.interface)), "ends");
}

START_TEST(noise_after_the_head_harms_nobody)
{
	struct random random = unit_random(__func__);
	size_t bytes;
	char *at = board_copy(&bytes);
	struct board_reader *r;
	struct err err;

	ck_assert_int_eq(board_reader_open(at, bytes, &r, &err), 0);
	for (unsigned n = 0; n < 1000; n++) {
		for (size_t i = sizeof(struct board_head); i < bytes; i++)
			at[i] = (char)(random_next(&random) | (n & 1));
		read_all(r);
	}
	/* Nor does a head that changes after it was checked. */
	memset(at, 0xff, sizeof(struct board_head));
	read_all(r);
	board_reader_close(r);
	free(at);
}
END_TEST

START_TEST(a_name_that_does_not_end_is_cut)
{
	size_t bytes;
	char *at = board_copy(&bytes);
	struct board_head *h = (struct board_head *)at;
	struct board_reader *r;
	struct err err;

	memset(h->name, 'n', sizeof(h->name));
	memset(h->release, 'r', sizeof(h->release));
	ck_assert_int_eq(board_reader_open(at, bytes, &r, &err), 0);
	ck_assert_uint_eq(strlen(board_reader_head(r)->name),
			  BOARD_NAME_MAX - 1);
	ck_assert_uint_eq(strlen(board_reader_head(r)->release),
			  BOARD_NAME_MAX - 1);
	board_reader_close(r);
	free(at);
}
END_TEST

/* --------------------------------------------------------------- the journal
 */

static char *journal_copy(size_t *bytes)
{
	const void *at;
	struct journal *j;
	struct err err;
	char *copy;

	ck_assert_int_eq(journal_open(&j, JOURNAL_RECORDS_MIN, &err), 0);
	ck_assert_int_eq(shared_map(journal_fd(j), "test", 0, &at, bytes, &err),
			 0);
	copy = aligned_alloc(64, *bytes);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, at, *bytes);
	journal_close(j);
	return copy;
}

static void refuses_journal(const void *at, size_t bytes, const char *part)
{
	struct journal_reader *r = NULL;
	struct err err = {""};

	ck_assert_int_eq(journal_reader_open(at, bytes, &r, &err), -EINVAL);
	ck_assert_ptr_null(r);
	ck_assert_msg(strstr(err.text, part), "%s: %s", part, err.text);
}

START_TEST(a_journal_that_is_not_ours_is_refused)
{
	size_t bytes;
	char *at = journal_copy(&bytes);
	struct journal_head *h = (struct journal_head *)at, whole = *h;

	h->version++;
	refuses_journal(at, bytes, "of version 2");
	*h = whole;
	h->record_bytes = 128;
	refuses_journal(at, bytes, "records of 128 bytes");
	*h = whole;
	h->magic[7] = 0;
	refuses_journal(at, bytes, "not the journal");
	for (unsigned i = 0; i < 5; i++) {
		static const uint32_t wrong[] = {
			0, 1, 1000, 2 * JOURNAL_RECORDS_MIN, 1u << 31};

		*h = whole;
		h->records = wrong[i];
		refuses_journal(at, bytes, "too short");
	}
	*h = whole;
	for (size_t n = 0; n < bytes; n += n < 512 ? 1 : 997)
		refuses_journal(at, n, "too short");
	free(at);
}
END_TEST

START_TEST(noise_in_a_journal_harms_nobody)
{
	struct random random = unit_random(__func__);
	size_t bytes;
	char *at = journal_copy(&bytes);
	struct journal_reader *r;
	struct err err;

	ck_assert_int_eq(journal_reader_open(at, bytes, &r, &err), 0);
	for (unsigned n = 0; n < 50; n++) {
		struct journal_cursor c;

		for (size_t i = RING_LATCH_AT; i < bytes; i++)
			at[i] = (char)random_next(&random);
		c = journal_seek(r, n % 2 ? random_next(&random) : n / 2);
		for (unsigned k = 0; k < 5000; k++) {
			const uint64_t before = c.next;
			struct journal_record record;
			uint64_t lost;

			switch (journal_next(r, &c, &record, &lost)) {
			case JOURNAL_NONE: c.next += k; break;
			case JOURNAL_RECORD:
				unit_check(c.next == before + 1, "the next");
				unit_check(journal_is_flow(&record) ||
						   strlen(record.event.text) <
							   JOURNAL_TEXT_MAX,
					   "it ends");
				break;
			case JOURNAL_LOST:
				unit_check(c.next - before == lost, "as lost");
				break;
			}
		}
	}
	journal_reader_close(r);
	free(at);
}
END_TEST

/* ----------------------------------------------------------------- the flows
 */

#define FLOWS 16

START_TEST(a_flow_table_that_is_short_is_refused)
{
	struct flow *flows = aligned_alloc(64, FLOWS * sizeof(*flows));
	struct flow_note notes[FLOWS];
	struct flows_reader *r = NULL;
	struct err err = {""};

	memset(flows, 0, FLOWS * sizeof(*flows));
	memset(notes, 0, sizeof(notes));
	ck_assert_int_eq(flows_reader_open(flows, FLOWS * sizeof(*flows) - 1,
					   NULL, 0, FLOWS, &r, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "the flow table has 3071 "
					       "bytes"));
	ck_assert_int_eq(flows_reader_open(flows, FLOWS * sizeof(*flows), notes,
					   sizeof(notes) - 1, FLOWS, &r, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "the notes have 255 bytes"));
	ck_assert_int_eq(flows_reader_open(flows, SIZE_MAX, NULL, 0,
					   FLOWS_MAX + 1, &r, &err),
			 -EINVAL);
	ck_assert_ptr_null(r);
	free(flows);
}
END_TEST

START_TEST(noise_is_no_flow)
{
	struct random random = unit_random(__func__);
	struct flow *flows = aligned_alloc(64, FLOWS * sizeof(*flows));
	struct flows_reader *r;
	struct err err;

	memset(flows, 0, FLOWS * sizeof(*flows));
	ck_assert_int_eq(flows_reader_open(flows, FLOWS * sizeof(*flows), NULL,
					   0, FLOWS, &r, &err),
			 0);
	for (unsigned n = 0; n < 2000; n++) {
		struct flow_note note;
		struct flow flow;

		for (size_t i = 0; i < FLOWS * sizeof(*flows); i++)
			((char *)flows)[i] = (char)random_next(&random);
		for (unsigned i = 0; i < FLOWS; i++)
			flows[i].open = 1;
		unit_check(flows_reader_end(r, random_next(&random) & 31) <=
				   FLOWS,
			   "not beyond the table");
		for (unsigned i = 0; i < FLOWS + 2; i++)
			unit_check(!flows_read(r, i, &flow, &note), "a flow");
		unit_check(!flows_read(r, UINT32_MAX, &flow, &note), "a flow");
	}
	flows_reader_close(r);
	free(flows);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_board_of_another_version_or_build_is_refused, 0},
		{a_board_that_was_cut_is_refused, 0},
		{noise_after_the_head_harms_nobody, 0},
		{a_name_that_does_not_end_is_cut, 0},
		{a_journal_that_is_not_ours_is_refused, 0},
		{noise_in_a_journal_harms_nobody, 0},
		{a_flow_table_that_is_short_is_refused, 0},
		{noise_is_no_flow, 0},
	};

	return unit_run("board/board_hostile", tests, ARRAY_LEN(tests));
}
