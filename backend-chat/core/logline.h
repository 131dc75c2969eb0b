/* SPDX-License-Identifier: MIT */
/*
 * A line of the log ([log] in the configuration), as text or as a JSON object.
 * Pure. What strangers sent is cleaned, so a line is one line; of a request
 * nothing is written that may be a secret: no query, no header, no body.
 */
#ifndef CHAT_LOGLINE_H
#define CHAT_LOGLINE_H

#include "core/slice.h"
#include "core/writer.h"

#include <stdint.h>

/* The longest line, for writer_init(). */
#define LOGLINE_MAX 4096
/* Bytes of a path that are written. */
#define LOGLINE_PATH_MAX 256
/* A request's id: as many of A-Z a-z 0-9 _ . - at most. */
#define LOGLINE_ID_MAX 64

/* What is written: all up to the level of the log. */
enum log_level {
	LEVEL_NOTICE,  /* what starts, ends and fails */
	LEVEL_INFO,    /* who comes and goes */
	LEVEL_REQUEST, /* HTTP requests but those of LEVEL_DEBUG */
	LEVEL_DEBUG,   /* also those that balancers and monitors repeat */
	LEVELS
};

const char *log_level_name(enum log_level level);

enum log_format { LOG_TEXT, LOG_JSON };

struct logline {
	enum log_format format;
	enum log_level level;
	int64_t time_ms; /* since 1970 */
	struct slice instance;
};

/* Each appends a line with its newline. */
void logline_put(struct writer *w, const struct logline *l, struct slice text);

struct logline_request {
	struct slice method, path; /* empty: could not be read */
	struct slice id;
	unsigned status;
	int64_t ms;   /* from its last byte to the answer */
	size_t bytes; /* of the answer, with its head */
};

void logline_put_request(struct writer *w, const struct logline *l,
			 const struct logline_request *r);

/* True if it may be an id. */
bool logline_id_is_valid(struct slice id);

#endif
