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
};

struct page {
	struct slice room;
	struct msg *const *items; /* oldest first */
	unsigned count;
	bool more;   /* there are further ones in that direction */
	bool gap;    /* page_has_gap() */
	bool failed; /* could not be read: nothing is known */
};

/*
 * True if messages are known to be missing between the items, or between what
 * was asked for (not .before) and the first of them.
 */
bool page_has_gap(const struct page_question *question,
		  const struct page *page);

/*
 * Gets the answer, once for each question, in any thread, perhaps before the
 * call that asked returns. Must not block. Borrows the page and its items.
 */
struct page_reader {
	void (*take)(void *arg, uint64_t ticket, const struct page *page);
	void *arg;
	uint64_t ticket;
};

#endif
