/* SPDX-License-Identifier: MIT */
/*
 * The archive of an instance: every entry that came from the bus, within its
 * retention. The first of those with one mid is the message, the others are
 * repeats (merge.h), kept because without them ids would seem to be missing;
 * the pages of read() have them with msg.repeat set. There may be none (NULL):
 * then only the rings of rooms and the bus know what was said.
 *
 * All calls are for any thread and never block on a disk.
 */
#ifndef CHAT_STORE_H
#define CHAT_STORE_H

#include "io/page.h"

struct store {
	/*
	 * Keeps m, which has an id, with a reference of its own. An entry that
	 * is there already, with that id and mid, is ignored. If the disk
	 * cannot follow, messages are left out: the bus still has them.
	 */
	void (*append)(struct store *s, struct msg *m);

	/* Returns 0 or -ENOMEM; the reader is not called then. */
	int (*read)(struct store *s, const struct page_question *question,
		    struct page_reader reader);

	/* The same for the first of that stored mid: one item or none. */
	int (*find)(struct store *s, struct slice room, struct slice mid,
		    struct page_reader reader);

	/* False while it cannot write: "history":"failed" in /health. */
	bool (*works)(struct store *s);

	/* Writes what it has, calls the readers that wait, and ends. */
	void (*free)(struct store *s);
};

struct report;

/* As in section 7 of the design. */
struct store_options {
	const char *path;
	/* What is older or more is dropped; 0: no limit. */
	unsigned keep_days;    /* 30 */
	unsigned max_per_room; /* 100000 */
	unsigned max_mib;      /* 256 */
	bool full;	       /* durability = full */
	unsigned retry_ms;     /* after a failure; 0: a minute; for tests */
};

/*
 * Opens or makes the file. Returns 0 or -errno with one sentence in why: the
 * path cannot be opened, or the file is not ours. A file of
 * an earlier version is converted, which takes as much space again. A file that
 * is damaged or cannot be written is no error: see works(). Borrows report;
 * options are copied.
 */
int store_new(struct store **out, const struct store_options *options,
	      struct report *report, char *why, size_t why_len);

#endif
