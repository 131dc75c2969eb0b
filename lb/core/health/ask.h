/* SPDX-License-Identifier: MIT */
/*
 * ask.h - what a health check sends, and how the answer is judged
 *
 * Text of the configuration in, request bytes out, answer bytes in, result
 * out. Other code carries the bytes: the engine itself (syn) or io/probe (the
 * others). What each kind proves and what the backend sees:
 *
 *   syn     the backend's kernel answers SYN with SYN-ACK; the application sees
 *           nothing. A hung process passes.
 *   tcp     the same, by connect() of this host. On Linux the connection is
 *           reset before the handshake ends, so the application sees nothing.
 *   http    "GET PATH HTTP/1.1" is answered by an expected status. The rest of
 *           the answer is read up to CHECK_ANSWER_MAX bytes, so that a server
 *           of a small page is not cut short.
 *   expect  TEXT and one newline are sent; a line of the answer must begin
 *           with TEXT (one that merely quotes it, as error messages do, does
 *           not pass). Other lines may come before it.
 */
#ifndef L4LB_ASK_H
#define L4LB_ASK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"

#define CHECK_TEXT_MAX	  200	/* bytes, with the final 0 */
#define CHECK_REQUEST_MAX 512	/* bytes of the longest request */
#define CHECK_ANSWER_MAX  65536 /* bytes; an answer beyond this is wrong */
#define CHECK_STATUS_LO	  100	/* RFC 9110 section 15 */
#define CHECK_STATUS_HI	  599

enum check_kind { CHECK_SYN, CHECK_TCP, CHECK_HTTP, CHECK_EXPECT };

/* Unused bytes are zero, so two specs may be compared as bytes. */
struct check_spec {
	enum check_kind kind;
	char text[CHECK_TEXT_MAX]; /* path of http, TEXT of expect */
	uint8_t statuses[64];	   /* expected by http: bit 0 is 100 */
};
static_assert(sizeof(struct check_spec) ==
		      sizeof(enum check_kind) + CHECK_TEXT_MAX + 64,
	      "compared as bytes: no padding");
static_assert(CHECK_STATUS_HI - CHECK_STATUS_LO < 64 * 8, "a bit for each");

enum check_result {
	CHECK_OK,
	CHECK_TIMEOUT,	    /* no answer, or not a complete one, in time */
	CHECK_REFUSED,	    /* RST to our SYN */
	CHECK_UNREACHABLE,  /* an ICMP error, no neighbour, or no route */
	CHECK_CLOSED,	    /* FIN or RST before an answer */
	CHECK_WRONG_STATUS, /* HTTP, but not an expected status */
	CHECK_WRONG_ANSWER, /* not HTTP; or too long, and TEXT not in it */
	/* The check could not be made: no descriptor, no port, our address
	 * away. This says nothing about the backend and must not count against
	 * it.
	 */
	CHECK_LOCAL,
	CHECK_RESULTS
};

/* For the log: "connection refused". */
const char *check_result_text(enum check_result result);

/*
 * syn | tcp | http GET PATH [expect LIST] | expect "TEXT"
 * LIST: statuses as 204, 200-206 or 2xx, by commas; default 2xx,3xx. On
 * -EINVAL @err says what is wrong and gives an example.
 */
int check_parse(const char *text, struct check_spec *out, struct err *err);

static inline bool check_expects(const struct check_spec *c, unsigned status)
{
	unsigned bit = status - CHECK_STATUS_LO;

	return status >= CHECK_STATUS_LO && status <= CHECK_STATUS_HI &&
	       c->statuses[bit / 8] >> bit % 8 & 1;
}

/*
 * Writes the bytes to send once connected, not terminated. Returns their
 * number; 0 for syn and tcp. The Host field is the backend's ADDRESS:PORT.
 */
size_t check_request(const struct check_spec *c, const struct endpoint *backend,
		     char request[CHECK_REQUEST_MAX]);

/* State of reading an answer, in pieces of any size. Begins zeroed. */
struct check_reader {
	uint32_t bytes;	  /* read so far */
	uint16_t matched; /* bytes of the status line, or of TEXT */
	uint16_t status;  /* of http */
	bool skip;	  /* expect: ignore the rest of this line */
};

/* True once the result is decided and @result is set. For http and expect. */
bool check_read(const struct check_spec *c, struct check_reader *r,
		const char *bytes, size_t len, enum check_result *result);

#endif
