/* SPDX-License-Identifier: MIT */
/*
 * text.h - a text that grows as it is written
 *
 * If there is no memory, .failed is set and what is added after that is lost:
 * whoever writes need not check each step, only the end.
 */
#ifndef L4LB_TEXT_H
#define L4LB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty. */
struct text {
	char *bytes; /* with a final 0; NULL: nothing was added yet */
	size_t len, size;
	bool failed;
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *t,
						    const char *fmt, ...);
/* Adds @len bytes as they are. */
void text_put(struct text *t, const char *bytes, size_t len);
/* Cuts it to @len bytes, not more than it has. Keeps the memory. */
void text_cut(struct text *t, size_t len);
/* What was written, "" if nothing was. */
const char *text_get(const struct text *t);
void text_free(struct text *t);

/*
 * Takes the next line of @text, without its newline, into @line. False at the
 * end. A line of @size bytes or more is cut: choose @size so that a cut line is
 * too long to be right.
 */
bool text_next_line(const char **text, char *line, size_t size);

#endif
