/* SPDX-License-Identifier: MIT */
/*
 * Prints lines to standard output in a thread of their own. Whoever reads them
 * may stop (a paused terminal, a blocked pipe) without stopping the chat. Lines
 * that find no room are counted, and the count is printed later.
 */
#ifndef CHAT_REPORT_H
#define CHAT_REPORT_H

struct report;

/* Returns 0 or -errno. */
int report_new(struct report **out);

/* For any thread; never blocks on output. Adds the newline. */
void report_line(struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Waits up to a second until the last lines are written. Accepts NULL. */
void report_free(struct report *r);

#endif
