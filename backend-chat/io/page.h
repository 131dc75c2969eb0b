/* SPDX-License-Identifier: MIT */
/* A page of a log: how the bus and the store answer a question. */
#ifndef CHAT_PAGE_H
#define CHAT_PAGE_H

#include "core/ids.h"
#include "core/msg.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define PAGE_MAX 500 /* messages of one page */

/* What is asked for. The slice need not hold after the call. */
struct page_question {
	struct slice room;
	bool before;	 /* what came before .id, else what came after it */
	struct msgid id; /* before: MSGID_NONE asks for the last ones */
	unsigned limit;	 /* 1 to PAGE_MAX */
	/*
	 * People read it: each message once. Repeats (merge.h) are left out and
	 * not counted.
	 */
	bool once;
};

struct page {
	struct slice room;
	struct msg *const *items; /* oldest first */
	unsigned count;
	bool more;   /* there are further ones in that direction */
	bool gap;    /* some are known to be missing, also before the first */
	bool failed; /* could not be read: nothing is known */
};

/*
 * Gets the answer, once for each question, in any thread, perhaps before the
 * call that asked returns. Must not block. Borrows the page and its items.
 */
struct page_reader {
	void (*take)(void *arg, uint64_t ticket, const struct page *page);
	void *arg;
	uint64_t ticket;
};

/* Makes the answer to a question of the entries of a log as they are read. */
struct page_maker {
	const struct page_question *question; /* borrowed */
	struct page page;		      /* .items is .kept */
	struct msg *kept[PAGE_MAX];	      /* references */
	struct msgid last, last_prev;	      /* of the last entry */
};

void page_begin(struct page_maker *p, const struct page_question *question);
/*
 * The next entry, the newest first if .before; takes the reference. Returns
 * false if the page was full already: it is not in it.
 */
bool page_put(struct page_maker *p, struct msg *m);
bool page_is_full(const struct page_maker *p);
/* All is read: the reader gets it, if .take is not NULL. */
void page_end(struct page_maker *p, struct page_reader reader);

#endif
