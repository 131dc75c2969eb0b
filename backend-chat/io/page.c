/* SPDX-License-Identifier: MIT */
/* See page.h. */
#include "io/page.h"

void page_begin(struct page_maker *p, const struct page_question *question)
{
	p->question = question;
	p->page = (struct page){.room = question->room, .items = p->kept};
	p->last = question->before ? MSGID_NONE : question->id;
	p->last_prev = MSGID_NONE;
}

bool page_is_full(const struct page_maker *p)
{
	return p->page.count == p->question->limit || p->page.count == PAGE_MAX;
}

/* Also a repeat has an id, so a page that leaves it out has no gap there. */
static void look_for_gap(struct page_maker *p, const struct msg *m)
{
	enum msgid_step step = MSGID_NEXT;

	if (!msgid_is_none(p->last))
		step = p->question->before
			       ? msgid_step(m->id, p->last, p->last_prev)
			       : msgid_step(p->last, m->id, m->prev);
	p->page.gap |= step == MSGID_JUMP;
	p->last = m->id;
	p->last_prev = m->prev;
}

bool page_put(struct page_maker *p, struct msg *m)
{
	const bool is_out = p->question->once && m->repeat;
	const bool is_full = page_is_full(p);

	if (!is_full)
		look_for_gap(p, m);
	if (!is_full && !is_out) {
		p->kept[p->page.count++] = m;
		return true;
	}
	msg_unref(m);
	p->page.more |= !is_out;
	return is_out;
}

static void reverse(struct msg **items, unsigned count)
{
	for (unsigned i = 0; i < count / 2; i++) {
		struct msg *m = items[i];

		items[i] = items[count - 1 - i];
		items[count - 1 - i] = m;
	}
}

void page_end(struct page_maker *p, struct page_reader reader)
{
	if (p->question->before)
		reverse(p->kept, p->page.count);
	if (reader.take)
		reader.take(reader.arg, reader.ticket, &p->page);
	for (unsigned i = 0; i < p->page.count; i++)
		msg_unref(p->kept[i]);
}
