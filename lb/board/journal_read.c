/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "board/journal.h"
#include "board/ring.h"

/*
 * Who was lapped goes on a sixteenth of the ring behind the oldest record, or
 * the writer would be there first again.
 */
#define HEADSTART 16

struct journal_reader {
	const char *memory;
	uint32_t records;
};

const char *journal_kind_name(enum journal_kind kind)
{
	static const char *const names[] = {
		[JOURNAL_OPENED] = "opened",
		[JOURNAL_REDISPATCHED] = "redispatched",
		[JOURNAL_ENDED] = "ended",
		[JOURNAL_REVIVED] = "revived",
		[JOURNAL_REFUSED] = "refused",
		[JOURNAL_BACKEND] = "backend",
		[JOURNAL_OPERATOR] = "operator",
	};
	static_assert(sizeof(names) / sizeof(*names) == JOURNAL_KINDS,
		      "a name for each");

	return kind < JOURNAL_KINDS ? names[kind] : NULL;
}

const char *journal_operator_name(enum journal_operator what)
{
	static const char *const names[] = {
		[OPERATOR_STARTED] = "started",
		[OPERATOR_CHANGED] = "changed",
		[OPERATOR_RELOADED] = "reloaded",
		[OPERATOR_REFUSED] = "refused",
		[OPERATOR_SAVED] = "saved",
		[OPERATOR_KILLED] = "killed",
		[OPERATOR_STOPS] = "stops",
	};
	static_assert(sizeof(names) / sizeof(*names) == OPERATOR_EVENTS,
		      "a name for each");

	return what < OPERATOR_EVENTS ? names[what] : NULL;
}

static int check(const struct journal_head *h, size_t bytes, struct err *err)
{
	if (memcmp(h->magic, JOURNAL_MAGIC, sizeof(h->magic)) != 0)
		return err_set(err, -EINVAL,
			       "this is not the journal of a l4lb");
	if (h->version != JOURNAL_VERSION ||
	    h->record_bytes != sizeof(struct journal_record))
		return err_set(err, -EINVAL,
			       "the journal is of version %u with records of "
			       "%u bytes, and this program reads version %u: "
			       "l4lb and l4lb-api are of different releases; "
			       "install both anew, then restart l4lb",
			       h->version, h->record_bytes, JOURNAL_VERSION);
	if (h->records < JOURNAL_RECORDS_MIN ||
	    h->records > JOURNAL_RECORDS_MAX ||
	    (h->records & (h->records - 1)) != 0 ||
	    bytes < ring_bytes(h->records))
		return err_set(err, -EINVAL,
			       "the journal has %zu bytes, which is too short "
			       "for %u records",
			       bytes, h->records);
	return 0;
}

int journal_reader_open(const void *at, size_t bytes,
			struct journal_reader **out, struct err *err)
{
	struct journal_reader *r;
	struct journal_head head;
	int ret;

	if (bytes < RING_RECORDS_AT)
		return err_set(err, -EINVAL,
			       "the journal has %zu bytes, which is too short",
			       bytes);
	memcpy(&head, at, sizeof(head));
	ret = check(&head, bytes, err);
	if (ret)
		return ret;
	r = malloc(sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	*r = (struct journal_reader){at, head.records};
	*out = r;
	return 0;
}

void journal_reader_close(struct journal_reader *r)
{
	free(r);
}

uint32_t journal_reader_records(const struct journal_reader *r)
{
	return r->records;
}

uint64_t journal_reader_written(const struct journal_reader *r)
{
	const struct latch *l =
		(const struct latch *)(r->memory + RING_LATCH_AT);
	struct journal_written w;

	return latch_read(l, &w, sizeof(w)) ? w.records : 0;
}

uint64_t journal_reader_oldest(const struct journal_reader *r)
{
	const uint64_t written = journal_reader_written(r);
	const uint32_t safe = r->records - r->records / HEADSTART;

	return written > safe ? written - safe + 1 : 1;
}

struct journal_cursor journal_seek(const struct journal_reader *r, uint64_t seq)
{
	const uint64_t written = journal_reader_written(r);
	struct journal_cursor c = {.ends = JOURNAL_UNKNOWN};

	c.next = seq ? seq : journal_reader_oldest(r);
	if (c.next > written + 1)
		c.next = written + 1;
	if (c.next == 1)
		c.ends = 0;
	return c;
}

/* It was overwritten, and maybe others after it. */
static uint64_t skip_lost(const struct journal_reader *r,
			  struct journal_cursor *c)
{
	const uint64_t oldest = journal_reader_oldest(r);
	const uint64_t next = oldest > c->next ? oldest : c->next + 1;
	const uint64_t lost = next - c->next;

	c->next = next;
	c->lost += lost;
	return lost;
}

static void advance(struct journal_cursor *c, const struct journal_record *got)
{
	if (c->ends != JOURNAL_UNKNOWN)
		c->lost_ends += got->ends - c->ends;
	c->ends = got->ends + (got->kind == JOURNAL_ENDED);
	c->next++;
}

enum journal_got journal_next(const struct journal_reader *r,
			      struct journal_cursor *c,
			      struct journal_record *out, uint64_t *lost)
{
	const char *place = r->memory + ring_place(c->next, r->records);
	const uint32_t *mark = (const uint32_t *)place;
	const uint32_t whole = ring_mark(c->next, r->records);
	const uint32_t is = __atomic_load_n(mark, __ATOMIC_ACQUIRE);

	if ((int32_t)(is - whole) < 0)
		return JOURNAL_NONE;
	if (is == whole) {
		latch_load((char *)out + RECORD_FROM, place + RECORD_FROM,
			   RECORD_BYTES);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(mark, __ATOMIC_RELAXED) == whole) {
			out->mark = out->zero = 0;
			if (!journal_is_flow(out)) {
				out->event.by[JOURNAL_BY_MAX - 1] = 0;
				out->event.text[JOURNAL_TEXT_MAX - 1] = 0;
			}
			advance(c, out);
			return JOURNAL_RECORD;
		}
	}
	*lost = skip_lost(r, c);
	return JOURNAL_LOST;
}
