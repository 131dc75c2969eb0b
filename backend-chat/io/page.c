/* SPDX-License-Identifier: MIT */
/* See page.h. */
#include "io/page.h"

static bool jumps(struct msgid before, const struct msg *m)
{
	return msgid_step(before, m->id, m->prev) == MSGID_JUMP;
}

bool page_has_gap(const struct page_question *q, const struct page *page)
{
	if (page->count > 0 && !q->before && !msgid_is_none(q->id) &&
	    jumps(q->id, page->items[0]))
		return true;
	for (unsigned i = 1; i < page->count; i++)
		if (jumps(page->items[i - 1]->id, page->items[i]))
			return true;
	return false;
}
