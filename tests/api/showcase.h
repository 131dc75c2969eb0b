/* SPDX-License-Identifier: MIT */
/*
 * showcase.h - a board and a journal as l4lb fills them, with known numbers
 *
 * Service web (slot 0) has web1, which is up, and web2, which is drained; slot
 * 1 is free; slot 2 has chat with one backend, which is down. What has left and
 * whose name is in use again: a backend web1 in slot 2 of web, and a service
 * chat in slot 3.
 */
#ifndef L4LB_SHOWCASE_H
#define L4LB_SHOWCASE_H

#include "board/board.h"
#include "board/journal.h"

#define SHOW_NOW_NS    (5000 * 1000000000ull)
#define SHOW_OFFSET_NS (1800000000 * 1000000000ll) /* 2027-01-15T08:00:00Z */
#define SHOW_RECORDS   JOURNAL_RECORDS_MIN

struct showcase {
	struct board *board;
	struct journal *journal;
	struct board_reader *reader;
	struct journal_reader *journal_reader;
	/* Mapped by the two readers. */
	const void *board_at, *journal_at;
	size_t board_bytes, journal_bytes;
};

void showcase_open(struct showcase *s);
void showcase_close(struct showcase *s);

/* 198.18.0.@last:@port */
struct endpoint show_end(unsigned last, unsigned port);

/* A flow of web and web1 has ended, the @id-th: its numbers follow from that.
 */
void show_end_of_flow(struct showcase *s, uint64_t id);
struct journal_record show_ended(uint64_t id);

/* What happened to web1, or what an operator did. */
void show_event(struct showcase *s, enum journal_kind kind, unsigned reason,
		const char *by, const char *text);

/* The global row again, with so many SIGHUPs. */
void show_hups(struct showcase *s, uint64_t hups);

#endif
