/* SPDX-License-Identifier: MIT */
/* flows_read.c - the real flow table, read while it changes */
#include "board/flows_read.h"
#include "core/random.h"
#include "frames.h"
#include "reader.h"

#define SIZE	 512u
#define BACKENDS 200u
#define STAYING	 64u /* flows that are open all the while */

struct fixture {
	struct flow_table table;
	struct shared flows, notes;
	struct flows_reader *reader;
};

static void make(struct fixture *f)
{
	static const uint8_t secret[FLOW_SECRET_BYTES] = {7};
	const void *flows, *notes;
	size_t n_flows, n_notes;
	struct err err;

	ck_assert_int_eq(shared_make(&f->flows, "l4lb-flows",
				     FLOWS_READ_AT + SIZE * sizeof(struct flow),
				     &err),
			 0);
	ck_assert_int_eq(shared_make(&f->notes, "l4lb-notes",
				     SIZE * sizeof(struct flow_note), &err),
			 0);
	ck_assert_int_eq(flow_table_init(&f->table,
					 (struct flow *)((char *)f->flows.at +
							 FLOWS_READ_AT),
					 SIZE, secret, NULL, f->notes.at),
			 0);
	flows = map_whole(f->flows.fd, FLOWS_READ_AT, &n_flows);
	notes = map_whole(f->notes.fd, 0, &n_notes);
	ck_assert_int_eq(flows_reader_open(flows, n_flows, notes, n_notes, SIZE,
					   &f->reader, &err),
			 0);
}

static void unmake(struct fixture *f)
{
	flows_reader_close(f->reader);
	flow_table_free(&f->table);
	shared_free(&f->flows);
	shared_free(&f->notes);
}

/* Of client @n at backend @b: all addresses follow from the two. */
static struct flow_identity identity(uint32_t n, unsigned b)
{
	struct flow_identity id = {
		.client = frame_endpoint("198.18.2.0", (uint16_t)n),
		.vip = frame_endpoint("198.18.0.1", 20000),
		.nat = frame_endpoint("198.18.3.0", (uint16_t)n),
		.backend = frame_endpoint("198.18.1.0", 9001),
		.proto = PACKET_PROTO_TCP,
		.service_index = (uint16_t)(b * 3),
		.backend_index = (uint16_t)b,
		.pool = (uint16_t)(b * 5),
	};

	id.client.addr.b[15] = id.nat.addr.b[15] = (uint8_t)(n >> 16);
	id.backend.addr.b[15] = (uint8_t)b;
	return id;
}

/* NULL, or why the copy is not one flow. */
static const char *wrong_with(const struct flow *f)
{
	const struct endpoint backend = flow_backend(f), nat = flow_nat(f),
			      client = flow_client(f);
	const unsigned b = f->backend;

	if (backend.addr.b[15] != b || f->service != b * 3 || f->pool != b * 5)
		return "the backend of one, the addresses of another";
	if (nat.port != client.port || nat.addr.b[15] != client.addr.b[15])
		return "the client of one, the NAT port of another";
	return NULL;
}

START_TEST(a_flow_and_its_note_are_read_as_they_are)
{
	struct fixture f;
	const struct flow_identity id = identity(5, 9);
	struct flow_note *notes, note;
	struct flow *flow, copy;

	make(&f);
	notes = f.notes.at;
	ck_assert(!flows_read(f.reader, 0, &copy, &note));
	flow = flow_open(&f.table, &id, 1234);
	flow->bytes[FLOW_REPLY] = 99;
	notes[0] = (struct flow_note){.handshake_us = 7, .tries = 2};
	ck_assert(flows_read(f.reader, 0, &copy, &note));
	ck_assert_mem_eq(&copy, flow, sizeof(copy));
	ck_assert_uint_eq(note.handshake_us, 7);
	ck_assert_uint_eq(note.tries, 2);
	ck_assert(flows_read(f.reader, 0, &copy, NULL));
	flow_close(&f.table, flow);
	ck_assert(!flows_read(f.reader, 0, &copy, &note));
	ck_assert(!flows_read(f.reader, SIZE, &copy, &note));
	unmake(&f);
}
END_TEST

START_TEST(without_notes_they_are_unknown)
{
	struct fixture f;
	const struct flow_identity id = identity(5, 9);
	struct flow_note note = {.tries = 1};
	struct flows_reader *r;
	struct flow copy;
	struct err err;

	make(&f);
	ck_assert_int_eq(flows_reader_open(f.table.flows,
					   SIZE * sizeof(struct flow), NULL, 0,
					   SIZE, &r, &err),
			 0);
	ck_assert_ptr_nonnull(flow_open(&f.table, &id, 1));
	ck_assert(flows_read(r, 0, &copy, &note));
	ck_assert_uint_eq(note.tries, 0);
	flows_reader_close(r);
	unmake(&f);
}
END_TEST

/* Who reads on takes memory for flows that never were (shmem). */
START_TEST(the_end_is_behind_the_last_place_that_was_used)
{
	struct fixture f;
	struct flow *flow = NULL;

	make(&f);
	ck_assert_uint_eq(flows_reader_end(f.reader, 0), 0);
	for (uint32_t n = 0; n < SIZE; n++) {
		const struct flow_identity id = identity(n, 1);
		const uint32_t told = f.table.fresh;

		flow = flow_open(&f.table, &id, 1);
		/* What was told is late. */
		ck_assert_uint_eq(flows_reader_end(f.reader, told), n + 1);
		ck_assert_uint_eq(flows_reader_end(f.reader, told / 2), n + 1);
	}
	flow_close(&f.table, flow);
	ck_assert_uint_eq(flows_reader_end(f.reader, 0), SIZE);
	ck_assert_uint_eq(flows_reader_end(f.reader, UINT32_MAX), SIZE);
	unmake(&f);
}
END_TEST

/* ------------------------------------------------------- two processes at once
 */

#define LISTINGS 60u
#define OPENED	 50000u /* at the least, while they are made */

static void read_flows(struct common *c, const struct flows_reader *r)
{
	while (!is_over(c)) {
		const uint32_t end = flows_reader_end(r, 0);
		unsigned staying = 0;

		for (uint32_t i = 0; i < end; i++) {
			struct flow_note note;
			struct flow copy;

			if (!flows_read(r, i, &copy, &note))
				continue;
			if (wrong_with(&copy))
				is_wrong(c, "place %u: %s", i,
					 wrong_with(&copy));
			staying += copy.id <= STAYING;
		}
		if (staying != STAYING)
			is_wrong(c,
				 "%u of the flows that are open all the "
				 "while, not %u",
				 staying, STAYING);
		has_read(c);
	}
}

/* Flows come and go, and get other backends, as fast as it goes. */
START_TEST(a_reader_sees_whole_flows_and_all_that_stay)
{
	struct random random = unit_random(__func__);
	struct common *c = common_new();
	struct flow *open[SIZE] = {NULL};
	uint32_t number[SIZE] = {0}, next = STAYING;
	struct fixture f;
	pid_t pid;

	make(&f);
	for (uint32_t n = 0; n < STAYING; n++) {
		const struct flow_identity id = identity(n, n % BACKENDS);

		ck_assert_ptr_nonnull(flow_open(&f.table, &id, 1));
	}
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		read_flows(c, f.reader);
		_exit(0);
	}
	while ((__atomic_load_n(&c->reads, __ATOMIC_ACQUIRE) < LISTINGS ||
		next < OPENED) &&
	       !c->wrong[0]) {
		for (unsigned n = 0; n < 1000; n++) {
			const unsigned i =
				random_below(&random, SIZE - STAYING);
			const unsigned b = random_below(&random, BACKENDS);
			struct flow_identity id;

			if (!open[i])
				number[i] = next++;
			id = identity(number[i], b);
			if (!open[i]) {
				open[i] = flow_open(&f.table, &id, 1);
			} else if (b % 4) {
				flow_rebind(&f.table, open[i], &id);
			} else {
				flow_close(&f.table, open[i]);
				open[i] = NULL;
			}
		}
	}
	end_reader(c, pid);
	unmake(&f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_flow_and_its_note_are_read_as_they_are, 0},
		{without_notes_they_are_unknown, 0},
		{the_end_is_behind_the_last_place_that_was_used, 0},
		{a_reader_sees_whole_flows_and_all_that_stay, 0},
	};

	return unit_run("board/flows_read", tests, ARRAY_LEN(tests));
}
