/* SPDX-License-Identifier: MIT */
/* See page.h. */
#include "io/page.h"

static bool follows(struct msgid before, struct msgid id)
{
	return before.epoch != id.epoch || id.seq <= before.seq + 1;
}

bool page_has_gap(const struct page_question *q, const struct page *page)
{
	if (page->count > 0 && !q->before && !msgid_is_none(q->id) &&
	    !follows(q->id, page->items[0]->id))
		return true;
	for (unsigned i = 1; i < page->count; i++)
		if (!follows(page->items[i - 1]->id, page->items[i]->id))
			return true;
	return false;
}
