/* SPDX-License-Identifier: MIT */
/*
 * Lines for standard output, written by a thread of their own: whoever reads
 * them may stop (a paused terminal, a stuck pipe) without stopping the chat.
 * Lines that find no room are counted, and the count is printed later.
 */
#ifndef CHAT_REPORT_H
#define CHAT_REPORT_H

struct report;

/* 0 or -errno. */
int report_new(struct report **out);

/* Any thread; never waits for the reader. Adds the newline. */
void report_line(struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Gives the last lines a second to get out. Accepts NULL. */
void report_free(struct report *r);

#endif
