/* SPDX-License-Identifier: MIT */
/* What an error of Redis asks for. Pure. */
#ifndef CHAT_RESP_ERR_H
#define CHAT_RESP_ERR_H

#include "core/slice.h"

#include <stdint.h>

enum resp_err {
	RESP_ERR_OTHER,	   /* says nothing that we act upon: report it */
	RESP_ERR_MOVED,	   /* .slot lives at .host .port: ask again there */
	RESP_ERR_ASK,	   /* the same, once, after ASKING */
	RESP_ERR_WAIT,	   /* TRYAGAIN, CLUSTERDOWN, LOADING, BUSY, READONLY,
			      MASTERDOWN: again, later */
	RESP_ERR_NOSCRIPT, /* EVALSHA: send EVAL */
	RESP_ERR_UNKNOWN,  /* unknown command: an older or another server */
	RESP_ERR_AUTH,	   /* NOAUTH, WRONGPASS, NOPERM: the operator's turn */
	RESP_ERR_FULL,	   /* OOM, MISCONF: it takes no writes */
	RESP_ERR_CROSS,	   /* CROSSSLOT: a mistake of ours */
};

struct resp_redirect {
	unsigned slot;
	struct slice host; /* into the text; empty: the node that answered */
	unsigned port;
};

/*
 * text: the error without the leading "-". A MOVED or ASK that is malformed is
 * RESP_ERR_OTHER. An error of a script ("ERR ... script: ... , MOVED ...") is
 * judged by its first word alone.
 */
enum resp_err resp_err_parse(struct slice text, struct resp_redirect *out);

/*
 * The next wait after RESP_ERR_WAIT: 50 ms doubling to 2 s, and up to half of
 * it less at random. attempt counts from 0.
 */
unsigned resp_err_wait_ms(unsigned attempt, uint32_t random);

#endif
