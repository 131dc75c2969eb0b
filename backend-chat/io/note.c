/* SPDX-License-Identifier: MIT */
/* See note.h. */
#include "io/note.h"

#include <stdlib.h>

struct note *note_new(enum note_kind kind, struct msg *const *msgs,
		      unsigned count)
{
	struct note *n = calloc(1, sizeof(*n) + count * sizeof(struct msg *));

	if (!n)
		return NULL;
	atomic_init(&n->refs, 1);
	n->kind = kind;
	n->count = count;
	for (unsigned i = 0; i < count; i++)
		n->msgs[i] = msg_ref(msgs[i]);
	return n;
}

/* Copies the texts behind each other, and lets them point there. */
static bool keep_texts(struct note *n, struct slice **texts, unsigned count)
{
	size_t len = 0;
	char *at;

	for (unsigned i = 0; i < count; i++)
		len += texts[i]->len;
	n->tail = at = malloc(len + 1);
	if (!at)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (texts[i]->len > 0)
			memcpy(at, texts[i]->at, texts[i]->len);
		texts[i]->at = at;
		at += texts[i]->len;
	}
	return true;
}

static struct note *with_texts(struct note *n, struct slice **texts,
			       unsigned count)
{
	if (keep_texts(n, texts, count))
		return n;
	note_unref(n);
	return NULL;
}

struct note *note_about(enum note_kind kind, struct slice room,
			struct slice text, struct msg *const *msgs,
			unsigned count)
{
	struct note *n = note_new(kind, msgs, count);

	if (!n)
		return NULL;
	n->room = room;
	n->text = text;
	return with_texts(n, (struct slice *[]){&n->room, &n->text}, 2);
}

struct note *note_of_signal(const struct signal *s)
{
	struct note *n = note_new(NOTE_SIGNAL, NULL, 0);

	if (!n)
		return NULL;
	n->signal = *s;
	return with_texts(n,
			  (struct slice *[]){&n->signal.room, &n->signal.nick,
					     &n->signal.text,
					     &n->signal.instance,
					     &n->signal.hash},
			  5);
}

void note_unref(struct note *n)
{
	if (!n ||
	    atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < n->count; i++)
		msg_unref(n->msgs[i]);
	blob_unref(n->json);
	free(n->tail);
	free(n);
}
