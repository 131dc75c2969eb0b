/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "board/journal.h"
#include "board/ring.h"
#include "board/shared.h"

struct journal {
	struct shared memory;
	uint32_t records;
	struct journal_written written;
};

int journal_open(struct journal **out, uint32_t records, struct err *err)
{
	const struct journal_head head = {
		.magic = JOURNAL_MAGIC,
		.version = JOURNAL_VERSION,
		.record_bytes = sizeof(struct journal_record),
		.records = records,
	};
	struct journal *j;
	int ret;

	assert(records >= JOURNAL_RECORDS_MIN);
	assert(records <= JOURNAL_RECORDS_MAX);
	assert((records & (records - 1)) == 0);
	j = calloc(1, sizeof(*j));
	if (!j)
		return err_set(err, -ENOMEM, "out of memory");
	j->records = records;
	ret = shared_make(&j->memory, "l4lb-journal", ring_bytes(records), err);
	if (ret) {
		free(j);
		return ret;
	}
	memcpy(j->memory.at, &head, sizeof(head));
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	shared_free(&j->memory);
	free(j);
}

int journal_fd(const struct journal *j)
{
	return j->memory.fd;
}

uint64_t journal_written(const struct journal *j)
{
	return j->written.records;
}

/*
 * Who sees a word of this record in the place of an older one also sees that
 * its mark has changed: the first fence. Who sees the new mark sees all of it.
 */
void journal_write(struct journal *j, struct journal_record *record)
{
	const uint64_t seq = j->written.records + 1;
	const uint32_t mark = ring_mark(seq, j->records);
	char *place = (char *)j->memory.at + ring_place(seq, j->records);
	uint32_t *shown = (uint32_t *)place;

	record->seq = seq;
	record->ends = j->written.ends;
	__atomic_store_n(shown, mark - 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	latch_store(place + RECORD_FROM, (const char *)record + RECORD_FROM,
		    RECORD_BYTES);
	__atomic_store_n(shown, mark, __ATOMIC_RELEASE);
	j->written.records = seq;
	j->written.ends += record->kind == JOURNAL_ENDED;
	latch_write((struct latch *)((char *)j->memory.at + RING_LATCH_AT),
		    &j->written, sizeof(j->written));
}
