/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <sys/mman.h>

#include "board/shared.h"
#include "core/flow_end.h"
#include "core/health/passive.h"
#include "core/slot.h"
#include "showcase.h"
#include "unit.h"

struct endpoint show_end(unsigned last, unsigned port)
{
	return (struct endpoint){
		.addr = addr_from_v4(htonl(0xc6120000u | last)),
		.port = htons((uint16_t)port),
	};
}

static struct board_global global_row(uint64_t hups)
{
	struct board_global g = {
		.published_ns = SHOW_NOW_NS,
		.wall_offset_ns = SHOW_OFFSET_NS,
		.generation = 7,
		.hups = hups,
		.reloads_ok = 3,
		.reloads_failed = 1,
		.flows_used = 12,
		.flows_size = 65536,
		.services = 4,
		.pools = 3,
		.taps = 1,
		.requests = {.requests = 150,
			     .succeeded = 140,
			     .failed = 8,
			     .pending = 2},
		.datapath = "pcap",
	};

	g.engine.received = 1000;
	g.engine.forwarded = 900;
	g.engine.consumed = 60;
	g.engine.dropped[DROP_BAD_CHECKSUM] = 30;
	g.engine.dropped[DROP_NO_BACKEND] = 10;
	g.engine.recycled_half_open = 5;
	g.rings[1].dropped = 17;
	g.loop.busy_ppm = 125000;
	g.loop.longest_ns = 1500000;
	return g;
}

static void fill_service(struct showcase *s, unsigned slot, const char *name,
			 enum slot state, unsigned last)
{
	struct board_service row = {
		.slot = state,
		.n_backends = 3,
		.listen = show_end(last, 80),
		.scheduler = SCHED_WRR,
		.checked = 1,
		.check = CHECK_HTTP,
		.rise = 2,
		.fall = 3,
		.flows = 11,
		.half_open_limit = 1024,
		.since_ns = SHOW_NOW_NS - 3600 * 1000000000ull,
		.counters = {.requests = 100 + slot,
			     .succeeded = 95,
			     .failed = 5,
			     .pending = slot},
	};

	strcpy(row.name, name);
	row.counters.refused[DROP_NO_BACKEND] = 4;
	board_write_service(s->board, slot, &row);
}

static void fill_backend(struct showcase *s, unsigned service, unsigned slot,
			 const char *id, const struct board_backend *as)
{
	struct board_backend row = *as;

	strcpy(row.id, id);
	row.service = (uint16_t)service;
	row.checked = 1;
	row.since_ns = SHOW_NOW_NS - 41 * 1000000000ull;
	board_write_backend(s->board, service, slot, &row);
}

static void fill_backends(struct showcase *s)
{
	struct board_backend up = {
		.slot = SLOT_LIVE,
		.addr = show_end(11, 9001),
		.weight = 3,
		.takes_flows = 1,
		.flows = 7,
		.counters = {.packets = {40, 90},
			     .bytes = {2120, 11400},
			     .retransmits = {1, 2},
			     .total = 60,
			     .answered = 58,
			     .failed = 2,
			     .redispatched = 1,
			     .checks_ok = 500,
			     .checks_failed = 4,
			     .last_check_ns = 2500000,
			     .downs = 1},
		.downtime_ns = 12500000000,
	};
	struct board_backend drained = up, down = up, left = up;

	up.counters.failed_by[FAILURE_REFUSED] = 2;
	up.counters.ends[FLOW_END_CLOSED] = 50;
	up.counters.ends[FLOW_END_CLIENT_RESET] = 3;
	up.counters.handshake.count[0] = 10;
	up.counters.handshake.count[2] = 5;
	up.counters.handshake.count[HISTOGRAM_BUCKETS - 1] = 1;
	up.counters.handshake.sum_ns = 16000000;
	fill_backend(s, 0, 0, "web1", &up);
	drained.addr = show_end(12, 9001);
	drained.admin = ADMIN_DRAIN;
	drained.takes_flows = 0;
	drained.backup = 1;
	fill_backend(s, 0, 1, "web2", &drained);
	left.slot = SLOT_LEAVING;
	left.counters.total = 999;
	fill_backend(s, 0, 2, "web1", &left);
	down.addr = show_end(13, 9001);
	down.health = BOARD_DOWN;
	down.takes_flows = 0;
	down.breaker = BREAKER_OPEN;
	down.last = CHECK_REFUSED;
	fill_backend(s, 2, 0, "chat1", &down);
}

static void fill_rest(struct showcase *s)
{
	const struct board_pool pool = {
		.source = show_end(1, 0).addr,
		.backend = show_end(11, 9001),
		.holders = 1,
		.size = 22464,
		.used = 65,
		.recyclable = 40,
	};
	const struct board_pool nobodys = {.size = 22464};
	const struct board_tap tap = {.interface = "eth0",
				      .captured = {990, 10}};

	board_write_pool(s->board, 0, &pool);
	board_write_pool(s->board, 1, &nobodys);
	board_write_tap(s->board, 0, &tap);
}

static void map(int fd, const char *name, const void **at, size_t *bytes)
{
	struct err err = {""};

	ck_assert_msg(shared_map(fd, name, 0, at, bytes, &err) == 0, "%s",
		      err.text);
}

void showcase_open(struct showcase *s)
{
	const struct board_spec spec = {
		.name = "20000",
		.services = 64,
		.backends = 256,
		.pools = 64,
		.taps = BOARD_TAPS,
		.flows = 65536,
		.journal_records = SHOW_RECORDS,
		.pid = 1,
		.started_ns = SHOW_NOW_NS - 7200 * 1000000000ull,
		.started_wall_ns = 1799997800250000000,
	};
	struct err err = {""};

	ck_assert_msg(board_open(&s->board, &spec, &err) == 0, "%s", err.text);
	ck_assert_msg(journal_open(&s->journal, SHOW_RECORDS, &err) == 0, "%s",
		      err.text);
	show_hups(s, 0);
	fill_service(s, 0, "web", SLOT_LIVE, 1);
	fill_service(s, 1, "gone", SLOT_FREE, 2);
	fill_service(s, 2, "chat", SLOT_LIVE, 3);
	fill_service(s, 3, "chat", SLOT_LEAVING, 4);
	fill_backends(s);
	fill_rest(s);
	map(board_fd(s->board), "board", &s->board_at, &s->board_bytes);
	map(journal_fd(s->journal), "journal", &s->journal_at,
	    &s->journal_bytes);
	ck_assert_msg(board_reader_open(s->board_at, s->board_bytes, &s->reader,
					&err) == 0,
		      "%s", err.text);
	ck_assert_msg(journal_reader_open(s->journal_at, s->journal_bytes,
					  &s->journal_reader, &err) == 0,
		      "%s", err.text);
}

void showcase_close(struct showcase *s)
{
	board_reader_close(s->reader);
	journal_reader_close(s->journal_reader);
	munmap((void *)s->board_at, s->board_bytes);
	munmap((void *)s->journal_at, s->journal_bytes);
	board_close(s->board);
	journal_close(s->journal);
}

void show_hups(struct showcase *s, uint64_t hups)
{
	const struct board_global g = global_row(hups);

	board_write_global(s->board, &g);
}

/* ------------------------------------------------------------- the journal */

struct journal_record show_ended(uint64_t id)
{
	return (struct journal_record){
		.kind = JOURNAL_ENDED,
		.reason = FLOW_END_CLOSED,
		.time_ns = SHOW_NOW_NS + id * 1000000,
		.id = id,
		.index = (uint32_t)id,
		.service = 0,
		.backend = 0,
		.flow = {.client = show_end(2, 40000 + id % 1000),
			 .vip = show_end(1, 80),
			 .nat = show_end(1, 10240 + id % 1000),
			 .backend = show_end(11, 9001),
			 .duration_ns = 12412000000,
			 .packets = {4, 9},
			 .bytes = {212, 1140},
			 .handshake_us = 410,
			 .first_byte_us = 3200,
			 .retransmits = {0, 1},
			 .tries = 1,
			 .why = 1 + SCHED_WRR},
	};
}

void show_end_of_flow(struct showcase *s, uint64_t id)
{
	struct journal_record r = show_ended(id);

	journal_write(s->journal, &r);
}

void show_event(struct showcase *s, enum journal_kind kind, unsigned reason,
		const char *by, const char *text)
{
	struct journal_record r = {
		.kind = (uint8_t)kind,
		.reason = (uint8_t)reason,
		.time_ns = SHOW_NOW_NS,
	};

	if (kind == JOURNAL_OPERATOR)
		r.service = r.backend = JOURNAL_NO_SLOT;
	strcpy(r.event.by, by);
	strcpy(r.event.text, text);
	journal_write(s->journal, &r);
}
