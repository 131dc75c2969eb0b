/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the memory of a journal; for its writer and its readers
 *
 * A head, how much was written (a latch), then the records. Record number seq
 * lies in place seq modulo the number of records, in lap seq divided by it. The
 * mark of a record says which lap it is of: ring_mark() once it is whole, one
 * less while it is being written. Marks have 32 bits and overflow: they are
 * compared by their difference.
 */
#ifndef L4LB_BOARD_RING_H
#define L4LB_BOARD_RING_H

#include "board/journal.h"
#include "board/latch.h"

struct journal_head {
	char magic[8];
	uint32_t version;
	uint32_t record_bytes;
	uint32_t records;
	uint32_t zero;
};

struct journal_written {
	uint64_t records, ends; /* so far; of these, JOURNAL_ENDED */
};

#define RING_LATCH_AT	64
#define RING_RECORDS_AT 256
static_assert(sizeof(struct journal_head) <= RING_LATCH_AT, "before it");
static_assert(RING_LATCH_AT + sizeof(struct latch) + 2 * LATCH_LINE <=
		      RING_RECORDS_AT,
	      "before them");
static_assert(sizeof(struct journal_written) <= LATCH_LINE, "one line");

/* What is copied of a record: all but its mark. */
#define RECORD_FROM  8
#define RECORD_BYTES (sizeof(struct journal_record) - RECORD_FROM)
static_assert(offsetof(struct journal_record, seq) == RECORD_FROM, "the rest");

static inline size_t ring_bytes(uint32_t records)
{
	return RING_RECORDS_AT +
	       (size_t)records * sizeof(struct journal_record);
}

/* @records is a power of two. */
static inline size_t ring_place(uint64_t seq, uint32_t records)
{
	return RING_RECORDS_AT +
	       (size_t)(seq & (records - 1)) * sizeof(struct journal_record);
}

static inline uint32_t ring_mark(uint64_t seq, uint32_t records)
{
	return (uint32_t)(seq / records) * 2 + 2;
}

#endif
