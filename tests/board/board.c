/* SPDX-License-Identifier: MIT */
/* board.c - rows, written by one process and read whole by another */
#include "board/board.h"
#include "reader.h"

static const struct board_spec small = {
	.name = "lb1",
	.services = 3,
	.backends = 4,
	.pools = 5,
	.taps = 2,
	.flows = 1024,
	.journal_records = 2048,
	.pid = 4711,
	.started_ns = 5,
	.started_wall_ns = 6,
};

static struct board *make(struct board_reader **reader)
{
	const void *at;
	struct board *b;
	size_t bytes;
	struct err err;

	ck_assert_int_eq(board_open(&b, &small, &err), 0);
	at = map_whole(board_fd(b), 0, &bytes);
	ck_assert_int_eq(board_reader_open(at, bytes, reader, &err), 0);
	return b;
}

START_TEST(the_head_says_whose_board_it_is)
{
	struct board_reader *r;
	struct board *b = make(&r);
	const struct board_head *h = board_reader_head(r);

	ck_assert_str_eq(h->name, "lb1");
	ck_assert_str_eq(h->release, L4LB_VERSION);
	ck_assert_uint_eq(h->services, 3);
	ck_assert_uint_eq(h->backends, 4);
	ck_assert_uint_eq(h->flows, 1024);
	ck_assert_uint_eq(h->journal_records, 2048);
	ck_assert_int_eq(h->pid, 4711);
	ck_assert_uint_eq(h->started_ns, 5);
	ck_assert_uint_eq(h->started_wall_ns, 6);
	board_reader_close(r);
	board_close(b);
}
END_TEST

static struct board_backend some_backend(unsigned i, unsigned k, unsigned n)
{
	struct board_backend row = {
		.slot = SLOT_LIVE,
		.weight = 1000 * i + k,
		.since_ns = n,
		.counters = {.total = n, .last_check_ns = ~(uint64_t)n},
	};

	snprintf(row.id, sizeof(row.id), "backend%u", 10 * i + k);
	return row;
}

START_TEST(a_row_is_read_as_it_was_written_last)
{
	struct board_reader *r;
	struct board *b = make(&r);
	struct board_backend row;

	for (unsigned n = 1; n < 4; n++) {
		for (unsigned i = 0; i < small.services; i++) {
			for (unsigned k = 0; k < small.backends; k++) {
				row = some_backend(i, k, n);
				board_write_backend(b, i, k, &row);
			}
		}
		for (unsigned i = 0; i < small.services; i++) {
			for (unsigned k = 0; k < small.backends; k++) {
				const struct board_backend wanted =
					some_backend(i, k, n);

				ck_assert(board_read_backend(r, i, k, &row));
				ck_assert_mem_eq(&row, &wanted, sizeof(row));
				ck_assert_mem_eq(board_last_backend(b, i, k),
						 &wanted, sizeof(row));
			}
		}
	}
	board_reader_close(r);
	board_close(b);
}
END_TEST

/* The tables do not overlap: each row is written, then all are read. */
START_TEST(each_row_has_a_place_of_its_own)
{
	struct board_reader *r;
	struct board *b = make(&r);
	struct board_global global = {.generation = 1, .datapath = "pcap"};
	struct board_service service = {.slot = SLOT_LIVE};
	struct board_backend backend;
	struct board_pool pool = {.size = 1};
	struct board_tap tap = {.interface = "eth0"};

	board_write_global(b, &global);
	for (unsigned i = 0; i < small.services; i++) {
		service.rise = 100 + i;
		board_write_service(b, i, &service);
		for (unsigned k = 0; k < small.backends; k++) {
			backend = some_backend(i, k, 9);
			board_write_backend(b, i, k, &backend);
		}
	}
	for (unsigned i = 0; i < small.pools; i++) {
		pool.used = 200 + i;
		board_write_pool(b, i, &pool);
	}
	for (unsigned i = 0; i < small.taps; i++) {
		tap.captured[1] = 300 + i;
		board_write_tap(b, i, &tap);
	}

	ck_assert(board_read_global(r, &global));
	ck_assert_uint_eq(global.generation, 1);
	ck_assert_str_eq(global.datapath, "pcap");
	for (unsigned i = 0; i < small.services; i++) {
		ck_assert(board_read_service(r, i, &service));
		ck_assert_uint_eq(service.rise, 100 + i);
		ck_assert_uint_eq(board_last_service(b, i)->rise, 100 + i);
		for (unsigned k = 0; k < small.backends; k++) {
			ck_assert(board_read_backend(r, i, k, &backend));
			ck_assert_uint_eq(backend.weight, 1000 * i + k);
		}
	}
	for (unsigned i = 0; i < small.pools; i++) {
		ck_assert(board_read_pool(r, i, &pool));
		ck_assert_uint_eq(pool.used, 200 + i);
	}
	for (unsigned i = 0; i < small.taps; i++) {
		ck_assert(board_read_tap(r, i, &tap));
		ck_assert_uint_eq(tap.captured[1], 300 + i);
		ck_assert_str_eq(tap.interface, "eth0");
	}
	board_reader_close(r);
	board_close(b);
}
END_TEST

START_TEST(a_row_that_was_never_written_or_is_not_there_is_free)
{
	struct board_reader *r;
	struct board *b = make(&r);
	struct board_global global;
	struct board_service service;
	struct board_backend backend;
	struct board_pool pool;
	struct board_tap tap;
	const unsigned beyond[] = {0, 3, 4, 5, 64, 256, 1u << 31, UINT32_MAX};

	ck_assert(!board_read_global(r, &global));
	ck_assert_uint_eq(global.generation, 0);
	for (unsigned i = 0; i < ARRAY_LEN(beyond); i++) {
		memset(&service, 0xff, sizeof(service));
		memset(&backend, 0xff, sizeof(backend));
		ck_assert(!board_read_service(r, beyond[i], &service));
		ck_assert_uint_eq(service.slot, SLOT_FREE);
		ck_assert_str_eq(service.name, "");
		ck_assert(!board_read_backend(r, beyond[i], 0, &backend));
		ck_assert_str_eq(backend.id, "");
		ck_assert(!board_read_backend(r, 0, beyond[i], &backend));
		ck_assert(!board_read_pool(r, beyond[i], &pool));
		ck_assert(!board_read_tap(r, beyond[i], &tap));
	}
	board_reader_close(r);
	board_close(b);
}
END_TEST

START_TEST(a_free_slot_still_says_whose_it_was)
{
	struct board_reader *r;
	struct board *b = make(&r);
	struct board_service service = {.slot = SLOT_FREE, .name = "chat"};
	struct board_backend backend = {.slot = SLOT_FREE, .id = "backend1"};

	board_write_service(b, 1, &service);
	board_write_backend(b, 1, 2, &backend);
	memset(&service, 0, sizeof(service));
	memset(&backend, 0, sizeof(backend));
	ck_assert(!board_read_service(r, 1, &service));
	ck_assert_str_eq(service.name, "chat");
	ck_assert(!board_read_backend(r, 1, 2, &backend));
	ck_assert_str_eq(backend.id, "backend1");
	board_reader_close(r);
	board_close(b);
}
END_TEST

/* ------------------------------------------------------- two processes at once
 */

#define ROUNDS 300000u

/*
 * What the engine promises of its counters, and a text and numbers at both ends
 * of the row that belong together.
 */
static struct board_service service_of(uint64_t n)
{
	struct board_service row = {
		.slot = SLOT_LIVE,
		.n_backends = (uint32_t)n,
		.since_ns = n * 3,
		.counters = {.succeeded = n / 2,
			     .failed = n / 3,
			     .pending = n - n / 2 - n / 3,
			     .requests = n},
	};

	for (unsigned why = 0; why < DROP_REASONS; why++)
		row.counters.refused[why] = n + why;
	memset(row.name, (int)('a' + n % 26), sizeof(row.name) - 1);
	return row;
}

static void read_services(struct common *c, const struct board_reader *r)
{
	uint64_t before = 0;
	bool last;

	do {
		struct board_service row, wanted;

		last = is_over(c);
		if (!board_read_service(r, 0, &row))
			is_wrong(c, "the row cannot be read");
		wanted = service_of(row.counters.requests);
		if (memcmp(&row, &wanted, sizeof(row)) != 0)
			is_wrong(c, "a row of %llu is torn",
				 (unsigned long long)row.counters.requests);
		if (row.counters.requests != row.counters.succeeded +
						     row.counters.failed +
						     row.counters.pending)
			is_wrong(c, "requests are not the sum of their parts");
		if (row.counters.requests < before)
			is_wrong(c, "the row went back");
		c->seen += row.counters.requests != before;
		before = row.counters.requests;
		has_read(c);
	} while (!last);
	if (before != ROUNDS)
		is_wrong(c, "the last row is not the latest");
}

START_TEST(a_reader_sees_whole_rows_whatever_the_writer_does)
{
	struct common *c = common_new();
	struct board_reader *r;
	struct board *b = make(&r);
	struct board_service row = service_of(1);
	pid_t pid;

	board_write_service(b, 0, &row);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		read_services(c, r);
		_exit(0);
	}
	wait_reads(c, 1);
	for (uint64_t n = 2; n <= ROUNDS; n++) {
		row = service_of(n);
		board_write_service(b, 0, &row);
		if (n % (ROUNDS / 30) == 0)
			wait_reads(c, 3);
	}
	end_reader(c, pid);
	/* It did read while rows were written. */
	ck_assert_uint_gt(c->seen, 30);
	board_reader_close(r);
	board_close(b);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_head_says_whose_board_it_is, 0},
		{a_row_is_read_as_it_was_written_last, 0},
		{each_row_has_a_place_of_its_own, 0},
		{a_row_that_was_never_written_or_is_not_there_is_free, 0},
		{a_free_slot_still_says_whose_it_was, 0},
		{a_reader_sees_whole_rows_whatever_the_writer_does, 0},
	};

	return unit_run("board/board", tests, ARRAY_LEN(tests));
}
