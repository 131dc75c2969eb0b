/* SPDX-License-Identifier: MIT */
/*
 * Writes the lines of the log, to standard output or a file, in a thread of
 * their own. Whoever reads them may stop (a paused terminal, a blocked pipe)
 * without stopping the chat. Lines that find no room are counted, and the count
 * is written later.
 */
#ifndef CHAT_REPORT_H
#define CHAT_REPORT_H

#include "core/logline.h"

#include <stdbool.h>

struct report;

struct report_options {
	const char *path;     /* NULL: standard output */
	const char *instance; /* of dated lines */
	enum log_level level;
	enum log_format format;
	bool dated; /* each line begins with its time; JSON has it anyway */
};

/*
 * Returns 0 or -errno, of the file if there is one. The texts of the options
 * are borrowed. NULL: standard output, LEVEL_INFO.
 */
int report_new(struct report **out, const struct report_options *options);

/*
 * For any thread; never block on output. They add the newline.
 * report_line() is for what starts, ends and fails, report_info() for who comes
 * and goes.
 */
void report_line(struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void report_info(struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* If the log wants it. */
void report_request(struct report *r, enum log_level level,
		    const struct logline_request *request);
bool report_wants(const struct report *r, enum log_level level);

/*
 * After the file was renamed: begins a new one. Returns 0, also if there is no
 * file, or -errno; then the old one goes on.
 */
int report_reopen(struct report *r);

/* Waits up to a second until the last lines are written. Accepts NULL. */
void report_free(struct report *r);

#endif
